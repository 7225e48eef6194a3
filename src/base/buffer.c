/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

beam_status beam_buffer_reserve(beam_buffer *buffer, size_t more)
{
    if (more <= buffer->capacity - buffer->len)
        return BEAM_OK;
    if (more > SIZE_MAX - buffer->len)
        return BEAM_RESOURCE_EXHAUSTED;
    void *data = buffer->data;
    if (beam_grow(&data, &buffer->capacity, buffer->len + more, 1) != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    buffer->data = data;
    return BEAM_OK;
}

beam_status beam_buffer_append(beam_buffer *buffer, const void *data, size_t len)
{
    BEAM_TRY(beam_buffer_reserve(buffer, len));
    if (len)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return BEAM_OK;
}

beam_status beam_buffer_repeat(beam_buffer *buffer, size_t at, size_t len)
{
    BEAM_TRY(beam_buffer_reserve(buffer, len)); /* so that the bytes stay where they are */
    return beam_buffer_append(buffer, buffer->data + at, len);
}

beam_status beam_buffer_u8(beam_buffer *buffer, uint8_t value)
{
    return beam_buffer_append(buffer, &value, 1);
}

beam_status beam_buffer_be32(beam_buffer *buffer, uint32_t value)
{
    uint32_t big = __builtin_bswap32(value);
    return beam_buffer_append(buffer, &big, sizeof big);
}

beam_status beam_buffer_be64(beam_buffer *buffer, uint64_t value)
{
    uint64_t big = __builtin_bswap64(value);
    return beam_buffer_append(buffer, &big, sizeof big);
}

beam_status beam_buffer_varint(beam_buffer *buffer, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (uint8_t)value;
    return beam_buffer_append(buffer, bytes, n);
}

beam_status beam_buffer_printf(beam_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return BEAM_INVALID_ARGUMENT;
    BEAM_TRY(beam_buffer_reserve(buffer, (size_t)len + 1));
    va_start(args, format);
    vsnprintf((char *)buffer->data + buffer->len, (size_t)len + 1, format, args);
    va_end(args);
    buffer->len += (size_t)len;
    return BEAM_OK;
}

void beam_buffer_free(beam_buffer *buffer)
{
    beam_free(buffer->data);
    *buffer = (beam_buffer){0};
}

beam_status beam_read_bytes(beam_reader *reader, size_t len, const uint8_t **data)
{
    if (len > beam_reader_left(reader))
        return BEAM_OUT_OF_RANGE;
    *data = reader->at;
    reader->at += len;
    return BEAM_OK;
}

beam_status beam_read_u8(beam_reader *reader, uint8_t *value)
{
    if (reader->at == reader->end)
        return BEAM_OUT_OF_RANGE;
    *value = *reader->at++;
    return BEAM_OK;
}

beam_status beam_read_be32(beam_reader *reader, uint32_t *value)
{
    const uint8_t *p;
    BEAM_TRY(beam_read_bytes(reader, sizeof *value, &p));
    memcpy(value, p, sizeof *value);
    *value = __builtin_bswap32(*value);
    return BEAM_OK;
}

beam_status beam_read_be64(beam_reader *reader, uint64_t *value)
{
    const uint8_t *p;
    BEAM_TRY(beam_read_bytes(reader, sizeof *value, &p));
    memcpy(value, p, sizeof *value);
    *value = __builtin_bswap64(*value);
    return BEAM_OK;
}

beam_status beam_read_varint(beam_reader *reader, uint64_t *value)
{
    uint64_t result = 0;
    const uint8_t *p = reader->at;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (p == reader->end)
            return BEAM_OUT_OF_RANGE;
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return BEAM_DATA_LOSS;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            reader->at = p;
            *value = result;
            return BEAM_OK;
        }
    }
    return BEAM_DATA_LOSS;
}
