/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* value.c - copies, order, equality and hashes of values. */
#include "type/value.h"

#include <beam/tensor.h>
#include <beam/window.h>
#include <string.h>

#include "base/hash.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/wire.h"

enum { TENSOR_ALIGN = 64, ARENA_ALIGN = 16 };

_Static_assert(sizeof(beam_str) == sizeof(beam_bytes) &&
                   offsetof(beam_str, len) == offsetof(beam_bytes, len),
               "text and bytes are handled alike");

static beam_iterable as_iterable(const beam_list *list)
{
    return (beam_iterable){NULL, list->at, list->len};
}

/* ---- Copies --------------------------------------------------------------------------- */

/* A copied value still points to what the original points to: `own` gives it its own. */
static beam_status own(const beam_type *type, char *value, beam_arena *arena);

static beam_status own_bytes(beam_bytes *bytes, beam_arena *arena)
{
    if (!bytes->len) {
        bytes->at = "";
        return BEAM_OK;
    }
    bytes->at = beam_arena_copy(arena, bytes->at, bytes->len);
    return bytes->at ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

static beam_status own_run(const beam_type *type, char *values, size_t n, beam_arena *arena)
{
    if (beam_type_is_flat(type))
        return BEAM_OK;
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(own(type, values + i * type->size, arena));
    return BEAM_OK;
}

static beam_status own_array(const beam_type *type, const void **array, size_t n, beam_arena *arena)
{
    if (!n) {
        *array = NULL;
        return BEAM_OK;
    }
    if (n > SIZE_MAX / 2 / type->size)
        return BEAM_RESOURCE_EXHAUSTED;
    char *copy = beam_arena_copy(arena, *array, n * type->size);
    if (!copy)
        return BEAM_RESOURCE_EXHAUSTED;
    *array = copy;
    return own_run(type, copy, n, arena);
}

static beam_status own_tail(const beam_type *element, beam_iterable *values, beam_arena *arena)
{
    beam_iterable_tail *tail = beam_arena_copy(arena, values->source, sizeof *tail);
    if (!tail)
        return BEAM_RESOURCE_EXHAUSTED;
    values->source = tail;
    BEAM_TRY(own_array(element, &tail->prefix, (size_t)tail->n, arena));
    return own_bytes(&tail->token, arena);
}

/* Reads an iterable of any size into an array that doubles as it grows. */
static beam_status own_read(const beam_type *element, beam_iterable *values, beam_arena *arena)
{
    char *array = NULL;
    size_t n = 0, capacity = 0, run_len, size = element->size;
    beam_iter iter = beam_iterate_(values, size);
    const void *run;
    while ((run = beam_next_run_(&iter, &run_len)) != NULL) {
        if (run_len > capacity - n) {
            size_t wanted = capacity * 2 > n + run_len ? capacity * 2 : n + run_len;
            if (values->len != BEAM_LEN_UNKNOWN && wanted < values->len)
                wanted = (size_t)values->len;
            char *wider =
                wanted > SIZE_MAX / 2 / size ? NULL : beam_arena_alloc(arena, wanted * size);
            if (!wider)
                return BEAM_RESOURCE_EXHAUSTED;
            if (n)
                memcpy(wider, array, n * size);
            array = wider;
            capacity = wanted;
        }
        memcpy(array + n * size, run, run_len * size);
        /* At once: what a value points to may go with its run. */
        BEAM_TRY(own_run(element, array + n * size, run_len, arena));
        n += run_len;
    }
    *values = (beam_iterable){NULL, array, n};
    return iter.status;
}

static beam_status own_iterable(const beam_type *type, beam_iterable *values, beam_arena *arena)
{
    const beam_type *element = beam_type_inner(type);
    if (!values->ops)
        return own_array(element, &values->source, (size_t)values->len, arena);
    if (values->ops == &beam_iterable_tail_ops)
        return own_tail(element, values, arena);
    return own_read(element, values, arena);
}

static beam_status own_tensor(beam_tensor *tensor, beam_arena *arena)
{
    size_t bytes = beam_tensor_bytes(tensor);
    char *data = beam_arena_alloc(arena, bytes + TENSOR_ALIGN);
    if (!data)
        return BEAM_RESOURCE_EXHAUSTED;
    data += -(uintptr_t)data & (TENSOR_ALIGN - 1);
    if (bytes)
        memcpy(data, tensor->data, bytes);
    tensor->data = data;
    return BEAM_OK;
}

static beam_status own(const beam_type *type, char *value, beam_arena *arena)
{
    void *at = value;
    switch (type->kind) {
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES:
        return own_bytes(at, arena);
    case BEAM_KIND_DECIMAL:
        return own_bytes(&((beam_decimal *)at)->unscaled, arena);
    case BEAM_KIND_LIST:
    case BEAM_KIND_MAP: {
        beam_list *list = at;
        return own_array(beam_type_inner(type), &list->at, list->len, arena);
    }
    case BEAM_KIND_ITERABLE:
        return own_iterable(type, at, arena);
    case BEAM_KIND_TENSOR:
        return own_tensor(at, arena);
    case BEAM_KIND_NULLABLE:
        if (!*beam_nullable_present_(at))
            return BEAM_OK;
        break;
    default:
        break;
    }
    for (uint32_t i = 0; i < type->n_fields; i++)
        BEAM_TRY(own(type->fields[i].type, value + type->fields[i].offset, arena));
    return BEAM_OK;
}

beam_status beam_value_copy(const beam_type *type, void *dst, const void *src, beam_arena *arena)
{
    memcpy(dst, src, type->size);
    return own(type, dst, arena);
}

static size_t arena_bytes(size_t n)
{
    return (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static size_t array_size(const beam_type *type, const void *array, size_t n)
{
    size_t sum = arena_bytes(n * type->size);
    if (beam_type_is_flat(type))
        return sum;
    const char *at = array;
    for (size_t i = 0; i < n; i++, at += type->size)
        sum += beam_value_outer_size(type, at);
    return sum;
}

size_t beam_value_outer_size(const beam_type *type, const void *value)
{
    switch (type->kind) {
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES:
        return arena_bytes(((const beam_bytes *)value)->len);
    case BEAM_KIND_DECIMAL:
        return arena_bytes(((const beam_decimal *)value)->unscaled.len);
    case BEAM_KIND_LIST:
    case BEAM_KIND_MAP: {
        const beam_list *list = value;
        return array_size(beam_type_inner(type), list->at, list->len);
    }
    case BEAM_KIND_ITERABLE: {
        const beam_iterable *values = value;
        return values->ops ? 0
                           : array_size(beam_type_inner(type), values->source, (size_t)values->len);
    }
    case BEAM_KIND_TENSOR:
        return arena_bytes(beam_tensor_bytes(value) + TENSOR_ALIGN);
    case BEAM_KIND_NULLABLE:
        if (!*beam_nullable_present_(value))
            return 0;
        break;
    default:
        break;
    }
    size_t sum = 0;
    for (uint32_t i = 0; i < type->n_fields; i++)
        sum += beam_value_outer_size(type->fields[i].type,
                                     (const char *)value + type->fields[i].offset);
    return sum;
}

/* ---- Order ---------------------------------------------------------------------------- */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))
#define SIGN64 (UINT64_C(1) << 63)

/* Unsigned integers that lie as the doubles do, NaNs above all. */
static uint64_t order_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)       /* NaN: the two signs would lie at both ends */
        return bits | SIGN64; /* see compare_double for which of them is first */
    return bits & SIGN64 ? ~bits : bits | SIGN64;
}

static int compare_double(double a, double b)
{
    uint64_t oa = order_of_double(a), ob = order_of_double(b);
    if (oa != ob)
        return ORDER(oa, ob);
    uint64_t ba, bb;
    memcpy(&ba, &a, sizeof ba);
    memcpy(&bb, &b, sizeof bb);
    return ORDER(ba, bb); /* NaNs of one payload: by their sign */
}

static int compare_float(const float *a, const float *b)
{
    /* Widening keeps the order, but a signalling NaN may become another one. */
    uint32_t ba, bb;
    memcpy(&ba, a, sizeof ba);
    memcpy(&bb, b, sizeof bb);
    bool na = *a != *a, nb = *b != *b;
    if (na && nb)
        return ORDER(ba, bb);
    return compare_double((double)*a, (double)*b);
}

static int compare_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common ? memcmp(a, b, common) : 0;
    return order ? ORDER(order, 0) : ORDER(a_len, b_len);
}

/* The i-th byte from the end of a two's complement number, its sign going on for ever. */
static uint8_t digit(beam_bytes number, size_t i)
{
    const uint8_t *at = number.at;
    if (i < number.len)
        return at[number.len - 1 - i];
    return number.len && at[0] & 0x80 ? 0xff : 0;
}

static int compare_decimal(const beam_decimal *a, const beam_decimal *b)
{
    if (a->scale != b->scale)
        return ORDER(a->scale, b->scale);
    size_t len = a->unscaled.len > b->unscaled.len ? a->unscaled.len : b->unscaled.len;
    int da = (int8_t)digit(a->unscaled, len), db = (int8_t)digit(b->unscaled, len);
    for (size_t i = len; da == db && i > 0; i--) {
        da = digit(a->unscaled, i - 1);
        db = digit(b->unscaled, i - 1);
    }
    return da != db ? ORDER(da, db) : ORDER(a->unscaled.len, b->unscaled.len);
}

static int compare_tensor(const beam_tensor *a, const beam_tensor *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank)
        return a->dtype != b->dtype ? ORDER(a->dtype, b->dtype) : ORDER(a->rank, b->rank);
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return ORDER(a->shape[i], b->shape[i]);
    size_t bytes = beam_tensor_bytes(a);
    return compare_bytes(a->data, bytes, b->data, bytes);
}

static int compare_sequences(const beam_type *element, const beam_iterable *a,
                             const beam_iterable *b)
{
    beam_iter ia = beam_iterate_(a, element->size), ib = beam_iterate_(b, element->size);
    for (;;) {
        const void *va = beam_next_(&ia), *vb = beam_next_(&ib);
        if (!va || !vb)
            return ORDER(va != NULL, vb != NULL);
        int order = beam_value_compare(element, va, vb);
        if (order)
            return order;
    }
}

/* The least entry that is greater than `after` (NULL: the least of all), or NULL. */
static const char *entry_after(const beam_type *entry, const beam_list *map, const char *after)
{
    const char *best = NULL, *at = map->at;
    for (size_t i = 0; i < map->len; i++, at += entry->size)
        if ((!after || beam_value_compare(entry, at, after) > 0) &&
            (!best || beam_value_compare(entry, at, best) < 0))
            best = at;
    return best;
}

/* Entries in sorted order without room to sort them: quadratic, but maps in rows are small. */
static int compare_maps(const beam_type *entry, const beam_list *a, const beam_list *b)
{
    const char *ea = NULL, *eb = NULL;
    for (;;) {
        ea = entry_after(entry, a, ea);
        eb = entry_after(entry, b, eb);
        if (!ea || !eb)
            return ea || eb ? ORDER(ea != NULL, eb != NULL) : ORDER(a->len, b->len);
        int order = beam_value_compare(entry, ea, eb);
        if (order)
            return order;
    }
}

static int compare_windows(const beam_window *a, const beam_window *b)
{
    return a->end != b->end ? ORDER(a->end, b->end) : ORDER(a->start, b->start);
}

static int compare_fields(const beam_type *type, const char *a, const char *b)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const beam_field *field = &type->fields[i];
        int order = beam_value_compare(field->type, a + field->offset, b + field->offset);
        if (order)
            return order;
    }
    return 0;
}

#define COMPARE_AS(T) ORDER(*(const T *)a, *(const T *)b)

int beam_value_compare(const beam_type *type, const void *a, const void *b)
{
    switch (type->kind) {
    case BEAM_KIND_BOOL:
        return COMPARE_AS(bool);
    case BEAM_KIND_BYTE:
        return COMPARE_AS(uint8_t);
    case BEAM_KIND_INT16:
        return COMPARE_AS(int16_t);
    case BEAM_KIND_INT32:
        return COMPARE_AS(int32_t);
    case BEAM_KIND_INT64:
    case BEAM_KIND_TIMESTAMP:
        return COMPARE_AS(int64_t);
    case BEAM_KIND_FLOAT:
        return compare_float(a, b);
    case BEAM_KIND_DOUBLE:
        return compare_double(*(const double *)a, *(const double *)b);
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES: {
        const beam_bytes *x = a, *y = b;
        return compare_bytes(x->at, x->len, y->at, y->len);
    }
    case BEAM_KIND_DECIMAL:
        return compare_decimal(a, b);
    case BEAM_KIND_TENSOR:
        return compare_tensor(a, b);
    case BEAM_KIND_ITERABLE:
        return compare_sequences(beam_type_inner(type), a, b);
    case BEAM_KIND_LIST: {
        beam_iterable x = as_iterable(a), y = as_iterable(b);
        return compare_sequences(beam_type_inner(type), &x, &y);
    }
    case BEAM_KIND_MAP:
        return compare_maps(beam_type_inner(type), a, b);
    case BEAM_KIND_INTERVAL_WINDOW:
    case BEAM_KIND_CUSTOM_WINDOW:
        return compare_windows(a, b);
    case BEAM_KIND_GLOBAL_WINDOW:
        return 0;
    case BEAM_KIND_NULLABLE: {
        bool pa = *beam_nullable_present_(a), pb = *beam_nullable_present_(b);
        return pa && pb ? compare_fields(type, a, b) : ORDER(pa, pb);
    }
    default:
        return compare_fields(type, a, b);
    }
}

bool beam_value_equal(const beam_type *type, const void *a, const void *b)
{
    switch (type->kind) {
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES: { /* the length first, which an order cannot */
        const beam_bytes *x = a, *y = b;
        return x->len == y->len && (x->len == 0 || memcmp(x->at, y->at, x->len) == 0);
    }
    case BEAM_KIND_KV:
    case BEAM_KIND_ROW:
        for (uint32_t i = 0; i < type->n_fields; i++) {
            const beam_field *field = &type->fields[i];
            if (!beam_value_equal(field->type, (const char *)a + field->offset,
                                  (const char *)b + field->offset))
                return false;
        }
        return true;
    default:
        return beam_value_compare(type, a, b) == 0;
    }
}

/* ---- Hashes --------------------------------------------------------------------------- */

static uint64_t hash_value(const beam_type *type, const char *value, uint64_t seed);

static uint64_t hash_sequence(const beam_type *element, const beam_iterable *values, uint64_t seed)
{
    beam_iter iter = beam_iterate_(values, element->size);
    const void *value;
    uint64_t hash = seed, n = 0;
    for (; (value = beam_next_(&iter)) != NULL; n++)
        hash = hash_value(element, value, hash);
    return beam_hash64(&n, sizeof n, hash);
}

/* A sum: entries may lie in any order. */
static uint64_t hash_map(const beam_type *entry, const beam_list *map, uint64_t seed)
{
    uint64_t sum = map->len;
    const char *at = map->at;
    for (size_t i = 0; i < map->len; i++, at += entry->size)
        sum += hash_value(entry, at, 0);
    return beam_hash64(&sum, sizeof sum, seed);
}

static uint64_t hash_tensor(const beam_tensor *tensor, uint64_t seed)
{
    const uint64_t head[2] = {(uint64_t)tensor->dtype, tensor->rank};
    uint64_t hash = beam_hash64(head, sizeof head, seed);
    hash = beam_hash64(tensor->shape, tensor->rank * sizeof *tensor->shape, hash);
    return beam_hash64(tensor->data, beam_tensor_bytes(tensor), hash);
}

static uint64_t hash_value(const beam_type *type, const char *value, uint64_t seed)
{
    const void *at = value;
    switch (type->kind) {
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES: {
        const beam_bytes *bytes = at;
        return beam_hash64(bytes->at, bytes->len, seed);
    }
    case BEAM_KIND_DECIMAL: {
        const beam_decimal *decimal = at;
        uint64_t hash = beam_hash64(&decimal->scale, sizeof decimal->scale, seed);
        return beam_hash64(decimal->unscaled.at, decimal->unscaled.len, hash);
    }
    case BEAM_KIND_TENSOR:
        return hash_tensor(at, seed);
    case BEAM_KIND_ITERABLE:
        return hash_sequence(beam_type_inner(type), at, seed);
    case BEAM_KIND_LIST: {
        beam_iterable values = as_iterable(at);
        return hash_sequence(beam_type_inner(type), &values, seed);
    }
    case BEAM_KIND_MAP:
        return hash_map(beam_type_inner(type), at, seed);
    case BEAM_KIND_GLOBAL_WINDOW:
        return seed;
    case BEAM_KIND_NULLABLE:
        if (!*beam_nullable_present_(at))
            return beam_hash64("", 1, seed);
        break;
    default:
        if (type->n_fields == 0 || type->kind == BEAM_KIND_CUSTOM_WINDOW)
            return beam_hash64(at, type->size, seed);
        break;
    }
    uint64_t hash = seed;
    for (uint32_t i = 0; i < type->n_fields; i++)
        hash = hash_value(type->fields[i].type, value + type->fields[i].offset, hash);
    return hash;
}

uint64_t beam_value_hash(const beam_type *type, const void *value)
{
    return hash_value(type, value, 0);
}
