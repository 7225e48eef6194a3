/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "type/key.h"

#include <beam/window.h>
#include <string.h>

#include "base/hash.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/wire.h"

enum { WINDOW_IMAGE = 2 * sizeof(int64_t) };
#define NOT_FIXED SIZE_MAX

/* Bytes of an image that is the same for all values: the members without their padding. */
static size_t fixed_size(const beam_type *type)
{
    switch (type->kind) {
    case BEAM_KIND_BOOL:
    case BEAM_KIND_BYTE:
    case BEAM_KIND_INT16:
    case BEAM_KIND_INT32:
    case BEAM_KIND_INT64:
    case BEAM_KIND_FLOAT:
    case BEAM_KIND_DOUBLE:
    case BEAM_KIND_TIMESTAMP:
    case BEAM_KIND_INTERVAL_WINDOW:
    case BEAM_KIND_CUSTOM_WINDOW:
        return type->size;
    case BEAM_KIND_GLOBAL_WINDOW:
        return 0;
    case BEAM_KIND_KV:
    case BEAM_KIND_ROW:
    case BEAM_KIND_NULLABLE:
    case BEAM_KIND_LENGTH_PREFIX:
        break;
    default:
        return NOT_FIXED;
    }
    size_t sum = type->kind == BEAM_KIND_NULLABLE ? 1 : 0;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        size_t size = fixed_size(type->fields[i].type);
        if (size == NOT_FIXED)
            return NOT_FIXED;
        sum += size;
    }
    return sum;
}

beam_key_shape beam_key_shape_of(const beam_type *type)
{
    type = beam_type_bare(type);
    switch (type->kind) {
    case BEAM_KIND_INT64:
    case BEAM_KIND_DOUBLE:
    case BEAM_KIND_TIMESTAMP:
        return (beam_key_shape){BEAM_KEY_SCALAR64, sizeof(int64_t)};
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES:
        return (beam_key_shape){BEAM_KEY_STRING, 0};
    default:
        break;
    }
    size_t size = fixed_size(type);
    if (size == NOT_FIXED)
        return (beam_key_shape){BEAM_KEY_GENERAL, 0};
    return (beam_key_shape){BEAM_KEY_FIXED, size};
}

/* The members one behind the other; an absent value as zeros. */
static uint8_t *pack(const beam_type *type, const char *value, uint8_t *to)
{
    if (type->n_fields == 0 || type->kind == BEAM_KIND_CUSTOM_WINDOW) {
        size_t size = fixed_size(type);
        memcpy(to, value, size);
        return to + size;
    }
    if (type->kind == BEAM_KIND_NULLABLE) {
        bool present = *beam_nullable_present_(value);
        *to++ = present;
        if (!present) {
            size_t size = fixed_size(beam_type_inner(type));
            memset(to, 0, size);
            return to + size;
        }
    }
    for (uint32_t i = 0; i < type->n_fields; i++)
        to = pack(type->fields[i].type, value + type->fields[i].offset, to);
    return to;
}

static const uint8_t *unpack(const beam_type *type, const uint8_t *from, char *value)
{
    if (type->kind == BEAM_KIND_GLOBAL_WINDOW) {
        *(beam_window *)(void *)value = (beam_window)BEAM_GLOBAL_WINDOW;
        return from;
    }
    if (type->n_fields == 0 || type->kind == BEAM_KIND_CUSTOM_WINDOW) {
        size_t size = fixed_size(type);
        memcpy(value, from, size);
        return from + size;
    }
    if (type->kind == BEAM_KIND_NULLABLE)
        *beam_nullable_present_(value) = *from++ != 0;
    for (uint32_t i = 0; i < type->n_fields; i++)
        from = unpack(type->fields[i].type, from, value + type->fields[i].offset);
    return from;
}

beam_status beam_key_image(const beam_type *type, const void *key, beam_buffer *out)
{
    beam_key_shape shape = beam_key_shape_of(type);
    switch (shape.kind) {
    case BEAM_KEY_SCALAR64:
        return beam_buffer_append(out, key, sizeof(int64_t));
    case BEAM_KEY_STRING: { /* beam_str and beam_bytes have one layout */
        const beam_bytes *bytes = key;
        return beam_buffer_append(out, bytes->at, bytes->len);
    }
    case BEAM_KEY_FIXED: {
        if (!shape.size) /* there is but one such key */
            return BEAM_OK;
        uint8_t *to = beam_wire_room_(out, shape.size);
        if (!to)
            return BEAM_RESOURCE_EXHAUSTED;
        pack(type, key, to);
        out->len += shape.size;
        return BEAM_OK;
    }
    default:
        return beam_encode(type, BEAM_NESTED, key, out, NULL);
    }
}

beam_status beam_key_from_image(const beam_type *type, const void *image, size_t len, void *key,
                                beam_arena *arena)
{
    beam_key_shape shape = beam_key_shape_of(type);
    if (shape.size && shape.size != len)
        return BEAM_DATA_LOSS;
    switch (shape.kind) {
    case BEAM_KEY_SCALAR64:
        memcpy(key, image, sizeof(int64_t));
        return BEAM_OK;
    case BEAM_KEY_STRING:
        *(beam_bytes *)key = (beam_bytes){image, len};
        return BEAM_OK;
    case BEAM_KEY_FIXED:
        unpack(type, image, key);
        return BEAM_OK;
    default:
        break;
    }
    const beam_decoder decoder = {.arena = arena, .borrow = true, .any_text = true};
    beam_reader reader = beam_reader_of(image, len);
    beam_status status = beam_decode_with(&decoder, type, BEAM_NESTED, &reader, key);
    if (status == BEAM_OK && reader.at != reader.end)
        return BEAM_DATA_LOSS;
    return status == BEAM_OUT_OF_RANGE ? BEAM_DATA_LOSS : status;
}

uint64_t beam_key_hash(const void *image, size_t len)
{
    uint64_t word;
    if (len != sizeof word)
        return beam_hash64(image, len, 0);
    memcpy(&word, image, sizeof word);
    return beam_key_hash64(word);
}
