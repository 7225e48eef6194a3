/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* buffer.h - bytes written (beam_buffer grows) and bytes read (beam_reader never passes its
 * end).  The read side is made for hostile input: every call checks, none trusts a length. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <beam/status.h>

/* A zeroed buffer is empty and ready.  After an allocation failure it keeps what it had. */
typedef struct beam_buffer {
    uint8_t *data;
    size_t len, capacity;
} beam_buffer;

/* Room for `more` bytes behind len. */
beam_status beam_buffer_reserve(beam_buffer *buffer, size_t more);
beam_status beam_buffer_append(beam_buffer *buffer, const void *data, size_t len);
/* Appends bytes that the buffer has already, from `at`. */
beam_status beam_buffer_repeat(beam_buffer *buffer, size_t at, size_t len);
beam_status beam_buffer_u8(beam_buffer *buffer, uint8_t value);
beam_status beam_buffer_be32(beam_buffer *buffer, uint32_t value);
beam_status beam_buffer_be64(beam_buffer *buffer, uint64_t value);
/* Base-128 varint, least significant group first, as Beam's varint coder and protobuf. */
beam_status beam_buffer_varint(beam_buffer *buffer, uint64_t value);
beam_status beam_buffer_printf(beam_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void beam_buffer_free(beam_buffer *buffer);

typedef struct beam_reader {
    const uint8_t *at, *end;
} beam_reader;

static inline beam_reader beam_reader_of(const void *data, size_t len)
{
    const uint8_t *at = (const uint8_t *)(data ? data : "");
    return (beam_reader){at, at + (data ? len : 0)};
}

static inline size_t beam_reader_left(const beam_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Each returns BEAM_OUT_OF_RANGE at the end of the bytes and BEAM_DATA_LOSS when the bytes
 * cannot be what is asked for (a varint of more than 64 bits); the reader then stands where
 * it stood. */
beam_status beam_read_u8(beam_reader *reader, uint8_t *value);
beam_status beam_read_be32(beam_reader *reader, uint32_t *value);
beam_status beam_read_be64(beam_reader *reader, uint64_t *value);
beam_status beam_read_varint(beam_reader *reader, uint64_t *value);
/* The next `len` bytes, in place. */
beam_status beam_read_bytes(beam_reader *reader, size_t len, const uint8_t **data);

#endif
