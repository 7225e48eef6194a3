/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* wire.h - what encode.c and decode.c must agree on, and the inline pieces of their fast
 * paths.  Private to src/type. */
#ifndef TYPE_WIRE_H
#define TYPE_WIRE_H

#include <beam/type.h>

#include "base/buffer.h"
#include "type/coder.h"

/* Inside a row: nested, and by the schema's rules (see BEAM_BARE_FIELD in beam/type.h). */
enum { BEAM_IN_ROW = 2 };

/* The header of a row of one field that is not null. */
#define BEAM_BARE_HEADER "\x01\x00"
enum { BEAM_BARE_HEADER_SIZE = 2, BEAM_VARINT_MAX = 10 };

/* The count of an iterable in chunks, and the chunk length that announces a state token. */
#define BEAM_COUNT_UNKNOWN UINT32_MAX
#define BEAM_CHUNK_TOKEN UINT64_MAX

/* Pointer to `n` free bytes at the end of the buffer, n not 0 or the buffer not empty; the
 * caller raises len. NULL: no memory. */
static inline uint8_t *beam_wire_room_(beam_buffer *out, size_t n)
{
    if (BEAM_UNLIKELY(out->capacity - out->len < n) && beam_buffer_reserve(out, n) != BEAM_OK)
        return NULL;
    return out->data + out->len;
}

static inline beam_status beam_wire_put_varint_(beam_buffer *out, uint64_t value)
{
    uint8_t *start = beam_wire_room_(out, BEAM_VARINT_MAX), *p = start;
    if (BEAM_UNLIKELY(!p))
        return BEAM_RESOURCE_EXHAUSTED;
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    out->len += (size_t)(p - start);
    return BEAM_OK;
}

static inline beam_status beam_wire_put_be64_(beam_buffer *out, uint64_t value)
{
    uint8_t *p = beam_wire_room_(out, sizeof value);
    if (BEAM_UNLIKELY(!p))
        return BEAM_RESOURCE_EXHAUSTED;
    value = __builtin_bswap64(value);
    memcpy(p, &value, sizeof value);
    out->len += sizeof value;
    return BEAM_OK;
}

static inline beam_status beam_wire_get_varint_(beam_reader *reader, uint64_t *value)
{
    if (BEAM_LIKELY(reader->at != reader->end && *reader->at < 0x80)) {
        *value = *reader->at++;
        return BEAM_OK;
    }
    return beam_read_varint(reader, value);
}

/* Time on the wire: shifted by 2^63 so that its bytes sort as it does. */
static inline uint64_t beam_wire_from_time_(int64_t millis)
{
    return (uint64_t)millis ^ (UINT64_C(1) << 63);
}

static inline int64_t beam_wire_to_time_(uint64_t wire)
{
    return (int64_t)(wire ^ (UINT64_C(1) << 63));
}

/* The index in `fields` of the i-th field on the wire. */
static inline uint32_t beam_wire_field_(const beam_type *row, uint32_t i)
{
    return row->encoding_order ? row->encoding_order[i] : i;
}

static inline bool *beam_nullable_present_(const void *nullable)
{
    return (bool *)nullable; /* the first member of every nullable's struct */
}

#endif
