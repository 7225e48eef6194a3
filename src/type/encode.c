/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* encode.c - values to bytes, straight from the descriptor: a switch on the kind costs no
 * more than a compiled program would, and there is nothing to keep. */
#include <beam/tensor.h>
#include <beam/window.h>
#include <limits.h>

#include "type/coder.h"
#include "type/layout.h"
#include "type/wire.h"

/* Rare or long work is kept out of encode(), whose frame then stays small. */
#define APART __attribute__((noinline))

static beam_status encode(const beam_type *type, int context, const void *value, beam_buffer *out,
                          beam_error *err);

static beam_status encode_bytes(const beam_bytes *bytes, int context, beam_buffer *out)
{
    if (context != BEAM_OUTER)
        BEAM_TRY(beam_wire_put_varint_(out, bytes->len));
    if (!bytes->len)
        return BEAM_OK;
    uint8_t *to = beam_wire_room_(out, bytes->len);
    if (BEAM_UNLIKELY(!to))
        return BEAM_RESOURCE_EXHAUSTED;
    memcpy(to, bytes->at, bytes->len);
    out->len += bytes->len;
    return BEAM_OK;
}

/* Beam's VarIntCoder of an int: 32 bits without sign extension, five bytes at most. */
static beam_status encode_int32(int32_t value, beam_buffer *out)
{
    return beam_wire_put_varint_(out, (uint32_t)value);
}

/* ---- Sequences ------------------------------------------------------------------------ */

static beam_status encode_run(const beam_type *element, int context, const void *values, size_t n,
                              beam_buffer *out, beam_error *err)
{
    const char *at = values;
    for (size_t i = 0; i < n; i++, at += element->size)
        BEAM_TRY(encode(element, context, at, out, err));
    return BEAM_OK;
}

static beam_status encode_array(const beam_type *element, int context, const void *values, size_t n,
                                beam_buffer *out, beam_error *err)
{
    if (n <= INT32_MAX) {
        BEAM_TRY(beam_buffer_be32(out, (uint32_t)n));
        return encode_run(element, context, values, n, out, err);
    }
    BEAM_TRY(beam_buffer_be32(out, BEAM_COUNT_UNKNOWN)); /* the count would not fit: one chunk */
    BEAM_TRY(beam_wire_put_varint_(out, n));
    BEAM_TRY(encode_run(element, context, values, n, out, err));
    return beam_buffer_u8(out, 0);
}

static beam_status encode_tail(const beam_iterable_tail *tail, int context, beam_buffer *out,
                               beam_error *err)
{
    BEAM_TRY(beam_buffer_be32(out, BEAM_COUNT_UNKNOWN));
    if (tail->n) {
        BEAM_TRY(beam_wire_put_varint_(out, tail->n));
        BEAM_TRY(encode_run(tail->element, context, tail->prefix, (size_t)tail->n, out, err));
    }
    BEAM_TRY(beam_wire_put_varint_(out, BEAM_CHUNK_TOKEN));
    return encode_bytes(&tail->token, BEAM_NESTED, out);
}

/* An iterable that has to be read: a count in front when it is known, else a chunk a run. */
static beam_status encode_read(const beam_type *element, int context, const beam_iterable *values,
                               beam_buffer *out, beam_error *err)
{
    bool counted = values->len <= INT32_MAX;
    BEAM_TRY(beam_buffer_be32(out, counted ? (uint32_t)values->len : BEAM_COUNT_UNKNOWN));
    beam_iter iter = beam_iterate_(values, element->size);
    const void *run;
    uint64_t seen = 0;
    for (size_t n; (run = beam_next_run_(&iter, &n)) != NULL; seen += n) {
        if (!counted)
            BEAM_TRY(beam_wire_put_varint_(out, n));
        BEAM_TRY(encode_run(element, context, run, n, out, err));
    }
    if (iter.status != BEAM_OK)
        return beam_error_set(err, iter.status, "reading an iterable failed after %llu values: %s",
                              (unsigned long long)seen, beam_status_name(iter.status));
    if (!counted)
        return beam_buffer_u8(out, 0);
    if (seen != values->len)
        return beam_error_set(err, BEAM_INTERNAL,
                              "an iterable gave %llu values, not %llu as it said",
                              (unsigned long long)seen, (unsigned long long)values->len);
    return BEAM_OK;
}

APART static beam_status encode_iterable(const beam_type *type, int context,
                                         const beam_iterable *values, beam_buffer *out,
                                         beam_error *err)
{
    const beam_type *element = beam_type_inner(type);
    int inner = context == BEAM_IN_ROW ? BEAM_IN_ROW : BEAM_NESTED;
    if (!values->ops)
        return encode_array(element, inner, values->source, (size_t)values->len, out, err);
    if (values->ops == &beam_iterable_tail_ops)
        return encode_tail(values->source, inner, out, err);
    return encode_read(element, inner, values, out, err);
}

static beam_status encode_map(const beam_type *type, const beam_list *map, beam_buffer *out,
                              beam_error *err)
{
    const beam_type *entry = beam_type_inner(type);
    if (map->len > INT32_MAX)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a map of %zu entries is too large",
                              map->len);
    BEAM_TRY(beam_buffer_be32(out, (uint32_t)map->len));
    const char *at = map->at;
    for (size_t i = 0; i < map->len; i++, at += entry->size)
        for (uint32_t k = 0; k < 2; k++)
            BEAM_TRY(
                encode(entry->fields[k].type, BEAM_IN_ROW, at + entry->fields[k].offset, out, err));
    return BEAM_OK;
}

/* ---- Rows ----------------------------------------------------------------------------- */

static bool is_null(const beam_field *field, const char *row)
{
    return field->type->kind == BEAM_KIND_NULLABLE && !*beam_nullable_present_(row + field->offset);
}

/* The bitmap of null fields, by place on the wire and without trailing zero bytes, as Java
 * writes it.  (Python indexes by place in the schema; the two differ only for a schema whose
 * encoding positions are not in order.) */
static beam_status encode_nulls(const beam_type *type, const char *row, beam_buffer *out)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (is_null(&type->fields[beam_wire_field_(type, i)], row))
            used = i + 1;
    size_t size = (used + 7) / 8;
    BEAM_TRY(beam_wire_put_varint_(out, size));
    uint8_t *bits = beam_wire_room_(out, size);
    if (!bits)
        return BEAM_RESOURCE_EXHAUSTED;
    memset(bits, 0, size);
    for (uint32_t i = 0; i < used; i++)
        if (is_null(&type->fields[beam_wire_field_(type, i)], row))
            bits[i / 8] |= (uint8_t)(1u << (i % 8));
    out->len += size;
    return BEAM_OK;
}

/* A row, or a KV inside one. */
static beam_status encode_row(const beam_type *type, const char *row, beam_buffer *out,
                              beam_error *err)
{
    BEAM_TRY(beam_wire_put_varint_(out, type->n_fields));
    BEAM_TRY(encode_nulls(type, row, out));
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const beam_field *field = &type->fields[beam_wire_field_(type, i)];
        const beam_type *of = field->type;
        const char *at = row + field->offset;
        if (is_null(field, row))
            continue;
        if (of->kind == BEAM_KIND_NULLABLE) {
            at += of->fields[0].offset;
            of = beam_type_inner(of);
        }
        BEAM_TRY(encode(of, BEAM_IN_ROW, at, out, err));
    }
    return BEAM_OK;
}

static beam_status encode_tensor(const beam_tensor *tensor, beam_buffer *out, beam_error *err)
{
    size_t bytes;
    BEAM_TRY(beam_tensor_check(tensor, NULL, &bytes, err));
    BEAM_TRY(beam_buffer_append(out, "\x03\x00", 2));
    BEAM_TRY(encode_int32((int32_t)tensor->dtype, out));
    BEAM_TRY(beam_buffer_be32(out, tensor->rank));
    for (uint32_t i = 0; i < tensor->rank; i++)
        BEAM_TRY(beam_wire_put_varint_(out, (uint64_t)tensor->shape[i]));
    return encode_bytes(&(beam_bytes){tensor->data, bytes}, BEAM_NESTED, out);
}

/* Kinds that only a schema has. */
APART static beam_status encode_in_row(const beam_type *type, int context, const void *value,
                                       beam_buffer *out, beam_error *err)
{
    if (context != BEAM_IN_ROW)
        BEAM_TRY(beam_buffer_append(out, BEAM_BARE_HEADER, BEAM_BARE_HEADER_SIZE));
    switch (type->kind) {
    case BEAM_KIND_BYTE:
        return beam_buffer_u8(out, *(const uint8_t *)value);
    case BEAM_KIND_INT16: {
        uint16_t big = __builtin_bswap16((uint16_t) * (const int16_t *)value);
        return beam_buffer_append(out, &big, sizeof big);
    }
    case BEAM_KIND_INT32:
        return encode_int32(*(const int32_t *)value, out);
    case BEAM_KIND_FLOAT: {
        uint32_t bits;
        memcpy(&bits, value, sizeof bits);
        return beam_buffer_be32(out, bits);
    }
    case BEAM_KIND_TIMESTAMP:
        return beam_wire_put_be64_(out, beam_wire_from_time_(*(const beam_timestamp *)value));
    case BEAM_KIND_DECIMAL: {
        const beam_decimal *decimal = value;
        BEAM_TRY(encode_int32(decimal->scale, out));
        return encode_bytes(&decimal->unscaled, BEAM_NESTED, out);
    }
    case BEAM_KIND_LIST: {
        const beam_list *list = value;
        return encode_array(beam_type_inner(type), BEAM_IN_ROW, list->at, list->len, out, err);
    }
    case BEAM_KIND_MAP:
        return encode_map(type, value, out, err);
    case BEAM_KIND_TENSOR:
        return encode_tensor(value, out, err);
    default:
        return beam_error_set(err, BEAM_INTERNAL, "a type of unknown kind %d", (int)type->kind);
    }
}

/* ---- The rest ------------------------------------------------------------------------- */

static beam_status encode_window(const beam_window *window, beam_buffer *out)
{
    BEAM_TRY(beam_wire_put_be64_(out, beam_wire_from_time_(window->end)));
    return beam_wire_put_varint_(out, (uint64_t)window->end - (uint64_t)window->start);
}

APART static beam_status encode_custom_window(const beam_type *type, const beam_window *window,
                                              beam_buffer *out, beam_error *err)
{
    BEAM_TRY(beam_wire_put_be64_(out, beam_wire_from_time_(beam_window_max_timestamp(*window))));
    return encode(beam_type_inner(type), BEAM_NESTED, window, out, err);
}

/* Half of a KV; most often it is an int64. */
static inline beam_status encode_half(const beam_type *type, int context, const char *value,
                                      beam_buffer *out, beam_error *err)
{
    uint64_t wire;
    if (type->kind != BEAM_KIND_INT64)
        return encode(type, context, value, out, err);
    memcpy(&wire, value, sizeof wire);
    return beam_wire_put_varint_(out, wire);
}

static beam_status encode_kv(const beam_type *type, int context, const char *value,
                             beam_buffer *out, beam_error *err)
{
    if (context == BEAM_IN_ROW)
        return encode_row(type, value, out, err);
    const beam_field *key = &type->fields[0], *second = &type->fields[1];
    BEAM_TRY(encode_half(key->type, BEAM_NESTED, value + key->offset, out, err));
    return encode_half(second->type, context, value + second->offset, out, err);
}

static beam_status encode_nullable(const beam_type *type, int context, const char *value,
                                   beam_buffer *out, beam_error *err)
{
    bool present = *beam_nullable_present_(value);
    BEAM_TRY(beam_buffer_u8(out, present));
    if (!present)
        return BEAM_OK;
    return encode(beam_type_inner(type), context, value + type->fields[0].offset, out, err);
}

/* The length stands in front of what it counts: the value is encoded behind a gap of one
 * byte, which is widened for the rare long one. */
APART static beam_status encode_prefixed(const beam_type *type, const void *value, beam_buffer *out,
                                         beam_error *err)
{
    size_t start = out->len;
    BEAM_TRY(beam_buffer_u8(out, 0));
    BEAM_TRY(encode(beam_type_inner(type), BEAM_OUTER, value, out, err));
    size_t len = out->len - start - 1;
    if (len < 0x80) {
        out->data[start] = (uint8_t)len;
        return BEAM_OK;
    }
    if (!beam_wire_room_(out, BEAM_VARINT_MAX))
        return BEAM_RESOURCE_EXHAUSTED;
    size_t prefix = (size_t)(64 - __builtin_clzll(len) + 6) / 7;
    memmove(out->data + start + prefix, out->data + start + 1, len);
    out->len = start;
    BEAM_TRY(beam_wire_put_varint_(out, len));
    out->len += len;
    return BEAM_OK;
}

static beam_status encode(const beam_type *type, int context, const void *value, beam_buffer *out,
                          beam_error *err)
{
    switch (type->kind) {
    case BEAM_KIND_INT64:
        return beam_wire_put_varint_(out, (uint64_t) * (const int64_t *)value);
    case BEAM_KIND_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, value, sizeof bits);
        return beam_wire_put_be64_(out, bits);
    }
    case BEAM_KIND_BOOL:
        return beam_buffer_u8(out, *(const bool *)value);
    case BEAM_KIND_STR: {
        const beam_str *text = value;
        return encode_bytes(&(beam_bytes){text->at, text->len}, context, out);
    }
    case BEAM_KIND_BYTES:
        return encode_bytes(value, context, out);
    case BEAM_KIND_KV:
        return encode_kv(type, context, value, out, err);
    case BEAM_KIND_ROW:
        return encode_row(type, value, out, err);
    case BEAM_KIND_ITERABLE:
        return encode_iterable(type, context, value, out, err);
    case BEAM_KIND_NULLABLE:
        return encode_nullable(type, context, value, out, err);
    case BEAM_KIND_GLOBAL_WINDOW:
        return BEAM_OK;
    case BEAM_KIND_INTERVAL_WINDOW:
        return encode_window(value, out);
    case BEAM_KIND_CUSTOM_WINDOW:
        return encode_custom_window(type, value, out, err);
    case BEAM_KIND_LENGTH_PREFIX:
        return encode_prefixed(type, value, out, err);
    case BEAM_KIND_SHARDED_KEY: {
        const char *at = value;
        BEAM_TRY(encode_bytes(value, BEAM_NESTED, out));
        return encode(type->fields[1].type, BEAM_NESTED, at + type->fields[1].offset, out, err);
    }
    default:
        return encode_in_row(type, context, value, out, err);
    }
}

beam_status beam_encode(const beam_type *type, beam_coder_context context, const void *value,
                        beam_buffer *out, beam_error *err)
{
    size_t start = out->len;
    beam_status status = encode(type, (int)context, value, out, err);
    if (BEAM_UNLIKELY(status != BEAM_OK)) {
        out->len = start;
        if (status == BEAM_RESOURCE_EXHAUSTED) /* most places cannot say more */
            beam_error_set(err, status, "no memory to encode an element");
    }
    return status;
}
