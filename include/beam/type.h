/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* type.h - element types: a C layout, a Beam coder, and the way from one to the other.
 *
 * Every C type `T` that travels through a pipeline has a descriptor named `T_type`.  The
 * macros below make both from one field list.  Descriptors are const and live for ever;
 * they are static in each translation unit, so types are compared by structure
 * (beam_type_equal), never by address.
 *
 * A coder determines the C layout: fields lie in order, naturally aligned, as a C compiler
 * lays out a struct.  So a type built at run time from a coder in a pipeline proto and the
 * struct the program was compiled with are the same thing.
 *
 * Strings, bytes, lists, iterables and tensors hold pointers to memory that somebody else
 * owns; see docs/ownership.md for how long it lives.
 */
#ifndef BEAM_TYPE_H
#define BEAM_TYPE_H

#include <beam/status.h>
#include <beam/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define BEAM_ALIGNOF_(T) alignof(T)
#else
#define BEAM_ALIGNOF_(T) _Alignof(T)
#endif

/* ---- The C types ---------------------------------------------------------------------- */

typedef bool beam_bool;
typedef uint8_t beam_byte;
typedef int16_t beam_int16;
typedef int32_t beam_int32;
typedef int64_t beam_int64;
typedef float beam_float;
typedef double beam_double;
typedef int64_t beam_timestamp; /* milliseconds since 1970-01-01 UTC, see window.h */

/* UTF-8 text, not NUL-terminated. */
typedef struct beam_str {
    const char *at;
    size_t len;
} beam_str;

/* Bytes, with their length; borrowed as beam_str's are. */
typedef struct beam_bytes {
    const void *at;
    size_t len;
} beam_bytes;

/* unscaled * 10^-scale; `unscaled` is an integer in big-endian two's complement. */
typedef struct beam_decimal {
    beam_bytes unscaled; /* at least one byte */
    int32_t scale;
} beam_decimal;

/* A row's array, or (with entries of a KV type) a row's map: `len` elements side by side. */
typedef struct beam_list {
    const void *at;
    size_t len;
} beam_list;

/* A sequence that can be read again: the values of a group, an iterable side input. It may
 * be larger than memory.  With ops == NULL it is the array at `source`. */
typedef struct beam_iterable {
    const struct beam_iterable_ops *ops;
    const void *source;
    uint64_t len; /* number of values; BEAM_LEN_UNKNOWN when only reading tells */
} beam_iterable;

/* The length of an iterable that only reading tells. */
#define BEAM_LEN_UNKNOWN UINT64_MAX

/* One reading of an iterable.  A plain value on the stack; not thread-safe. */
typedef struct beam_iter {
    const char *at, *end; /* the run of values at hand */
    size_t stride;        /* bytes from one value to the next */
    beam_iterable iterable;
    void *cursor[6]; /* the iterable's own */
    beam_status status;
} beam_iter;

/* How a runner implements iterables it does not hold as arrays.  `start` positions before
 * the first value; `refill` makes [at, end) the next run, or leaves it empty at the end or
 * on an error (in status).  A run lives until the next refill. */
typedef struct beam_iterable_ops {
    void (*start)(beam_iter *iter);
    void (*refill)(beam_iter *iter);
} beam_iterable_ops;

static inline beam_iter beam_iterate_(const beam_iterable *iterable, size_t stride)
{
    beam_iter iter = {NULL, NULL, stride, *iterable, {NULL, NULL, NULL, NULL, NULL, NULL}, BEAM_OK};
    if (iterable->ops) {
        iterable->ops->start(&iter);
    } else if (iterable->len) {
        iter.at = (const char *)iterable->source;
        iter.end = iter.at + iterable->len * stride;
    }
    return iter;
}

static inline const void *beam_next_(beam_iter *iter)
{
    if (BEAM_UNLIKELY(iter->at == iter->end)) {
        if (!iter->iterable.ops)
            return NULL;
        iter->iterable.ops->refill(iter);
        if (iter->at == iter->end)
            return NULL;
    }
    const void *value = iter->at;
    iter->at += iter->stride;
    return value;
}

/* A run of values side by side, for code that works on arrays. NULL at the end. */
static inline const void *beam_next_run_(beam_iter *iter, size_t *n)
{
    if (iter->at == iter->end && iter->iterable.ops)
        iter->iterable.ops->refill(iter);
    const void *run = iter->at;
    *n = (size_t)(iter->end - iter->at) / iter->stride;
    iter->at = iter->end;
    return *n ? run : NULL;
}

/* Reading: beam_iter it = beam_iterate(&group->values, beam_int64);
 *          const beam_int64 *v;  while ((v = beam_next(&it, beam_int64))) ...
 *          BEAM_TRY(it.status);
 * A value lives until the next beam_next of the same iter. */
#define beam_iterate(iterable, T) beam_iterate_((iterable), sizeof(T))
#define beam_next(iter, T) ((const T *)beam_next_(iter))
#define beam_next_run(iter, T, n) ((const T *)beam_next_run_((iter), (n)))

/* Text from a NUL-terminated string, which must outlive it; of NULL none. */
BEAM_API beam_str beam_str_of(const char *text);
BEAM_API bool beam_str_equal(beam_str a, beam_str b);

/* ---- Descriptors ---------------------------------------------------------------------- */

/* What a type is; its coder in parentheses. Numbers are part of fingerprints. */
typedef enum beam_kind {
    BEAM_KIND_BOOL = 1,             /* beam:coder:bool:v1 */
    BEAM_KIND_BYTE = 2,             /* only in rows (BYTE) */
    BEAM_KIND_INT16 = 3,            /* only in rows */
    BEAM_KIND_INT32 = 4,            /* only in rows */
    BEAM_KIND_INT64 = 5,            /* beam:coder:varint:v1; in rows INT64 */
    BEAM_KIND_FLOAT = 6,            /* only in rows */
    BEAM_KIND_DOUBLE = 7,           /* beam:coder:double:v1 */
    BEAM_KIND_STR = 8,              /* beam:coder:string_utf8:v1 */
    BEAM_KIND_BYTES = 9,            /* beam:coder:bytes:v1 */
    BEAM_KIND_KV = 10,              /* beam:coder:kv:v1; fields key, value */
    BEAM_KIND_ITERABLE = 11,        /* beam:coder:iterable:v1; one field, the element */
    BEAM_KIND_NULLABLE = 12,        /* beam:coder:nullable:v1; struct { bool present; T value; } */
    BEAM_KIND_ROW = 13,             /* beam:coder:row:v1 */
    BEAM_KIND_LIST = 14,            /* only in rows: ARRAY (or ITERABLE); one field, the element */
    BEAM_KIND_MAP = 15,             /* only in rows: a beam_list of KV; one field, the KV */
    BEAM_KIND_TENSOR = 16,          /* only in rows: a logical type, BEAM_URN_TENSOR, over the row
                                       {dtype: INT32, shape: ARRAY<INT64>, data: BYTES} */
    BEAM_KIND_INTERVAL_WINDOW = 17, /* beam:coder:interval_window:v1; beam_window */
    BEAM_KIND_TIMESTAMP = 18,       /* only in rows: beam:logical_type:millis_instant:v1 */
    BEAM_KIND_DECIMAL = 19,         /* only in rows: beam:logical_type:decimal:v1; beam_decimal */

    /* What only an engine's coders name; a program does not declare these. */
    BEAM_KIND_GLOBAL_WINDOW = 20, /* beam:coder:global_window:v1; beam_window */
    BEAM_KIND_CUSTOM_WINDOW = 21, /* beam:coder:custom_window:v1; beam_window; one field */
    BEAM_KIND_LENGTH_PREFIX = 22, /* beam:coder:length_prefix:v1; the C layout, and all else
                                     but the wire form, of its one field */
    BEAM_KIND_SHARDED_KEY = 23    /* beam:coder:sharded_key:v1; fields shard_id (bytes), key */
} beam_kind;

/* "Only in rows": schemas know the type, but no coder has it alone.  As an element, or as a
 * part of a kv, iterable or nullable outside rows, it is coded as a row of one field, whose
 * name is this.  A KV inside a row is a nested row of key and value. */
#define BEAM_BARE_FIELD "beam_value"

/* How tensors call themselves in schemas. */
#define BEAM_URN_TENSOR "libbeam:logical_type:tensor:v1"

typedef struct beam_type beam_type;

/* A field of a struct: its name, its type, and where it lies in the C struct. */
typedef struct beam_field {
    const char *name;
    const beam_type *type;
    size_t offset;
} beam_field;

struct beam_type {
    beam_kind kind;
    uint32_t n_fields;
    const char *name; /* of the C type, for messages; not part of what makes types equal */
    size_t size, align;
    const beam_field *fields;
    const char *logical_urn; /* of a logical type over this representation; or NULL */
    /* The logical type's argument as its schema has it (a serialized
     * beam.model.pipeline.v1.LogicalType with only argument_type and argument). */
    beam_bytes logical_argument;
    /* Rows: fields[encoding_order[i]] is the i-th field on the wire; NULL: in order. */
    const uint32_t *encoding_order;
};

/* The descriptors of the types that are not made with macros. */
BEAM_API extern const beam_type beam_bool_type, beam_byte_type, beam_int16_type, beam_int32_type,
    beam_int64_type, beam_float_type, beam_double_type, beam_str_type, beam_bytes_type,
    beam_timestamp_type, beam_decimal_type, beam_tensor_type;

/* Structure decides: kinds, field names (of rows), field types and their order on the wire,
 * logical URNs and arguments.  Length prefixes do not count: they change the wire form, not
 * the type. */
BEAM_API bool beam_type_equal(const beam_type *a, const beam_type *b);
/* Writes "kv<beam_str, iterable<beam_int64>>" and the like; returns buf. */
BEAM_API const char *beam_type_describe(const beam_type *type, char *buf, size_t size);
/* 64 bits that are the same for equal types on every machine: a worker compares them. */
BEAM_API uint64_t beam_type_fingerprint(const beam_type *type);
/* Holds no pointer, so that memcpy of `size` bytes is a deep copy. */
BEAM_API bool beam_type_is_flat(const beam_type *type);
/* Equal values always encode to equal bytes, so the type may be a key. Maps and iterables
 * (and what holds them) are not. */
BEAM_API bool beam_type_is_deterministic(const beam_type *type);

/* ---- Values that outlive a callback ----------------------------------------------------- */

/* Memory that is given back all at once, for elements that a DoFn keeps until it has enough of
 * them.  Not thread-safe: one belongs to one instance. */
typedef struct beam_pool beam_pool;

/* NULL when memory is out. */
BEAM_API beam_pool *beam_pool_new(void);
/* Ends all that came from it; NULL is allowed. */
BEAM_API void beam_pool_free(beam_pool *pool);
/* Ends all that came from it, and keeps memory for the next use. */
BEAM_API void beam_pool_reset(beam_pool *pool);
/* 16-byte aligned, uninitialised; NULL when memory is out. */
BEAM_API void *beam_pool_alloc(beam_pool *pool, size_t size);
/* A deep copy of a value of `type` with all it points to; an iterable is read through and becomes
 * an array.  *copy is NULL unless BEAM_OK is returned; else BEAM_RESOURCE_EXHAUSTED or why an
 * iterable could not be read. */
BEAM_API beam_status beam_pool_copy(beam_pool *pool, const beam_type *type, const void *value,
                                    void **copy);

/* ---- Making types --------------------------------------------------------------------- */

#if defined(__GNUC__)
#define BEAM_UNUSED_ __attribute__((unused))
#else
#define BEAM_UNUSED_
#endif

#define BEAM_TYPE_(VARIABLE, KIND, S, FIELDS)                                           \
    BEAM_UNUSED_ static const beam_type VARIABLE = {KIND,                               \
                                                    sizeof(FIELDS) / sizeof(*(FIELDS)), \
                                                    #S,                                 \
                                                    sizeof(S),                          \
                                                    BEAM_ALIGNOF_(S),                   \
                                                    FIELDS,                             \
                                                    NULL,                               \
                                                    {NULL, 0},                          \
                                                    NULL}

/* #define WORD(FIELD, S) FIELD(S, beam_str, text) FIELD(S, beam_int64, count)
 * BEAM_STRUCT(word, WORD);             struct word, and word_type with the row coder */
#define BEAM_MEMBER_(S, T, name) T name;
#define BEAM_FIELD_(S, T, name) {#name, &T##_type, offsetof(S, name)},
#define BEAM_STRUCT(S, FIELDS)                                        \
    typedef struct S {                                                \
        FIELDS(BEAM_MEMBER_, S)                                       \
    } S;                                                              \
    static const beam_field S##_fields_[] = {FIELDS(BEAM_FIELD_, S)}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_ROW, S, S##_fields_)

/* BEAM_KV(word_count, beam_str, beam_int64);   struct { beam_str key; beam_int64 value; } */
#define BEAM_KV(S, K, V)                                                                \
    typedef struct S {                                                                  \
        K key;                                                                          \
        V value;                                                                        \
    } S;                                                                                \
    static const beam_field S##_fields_[] = {{"key", &K##_type, offsetof(S, key)},      \
                                             {"value", &V##_type, offsetof(S, value)}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_KV, S, S##_fields_)

/* BEAM_ITERABLE(ints, beam_int64);   typedef beam_iterable ints, with its element type */
#define BEAM_ITERABLE(S, T)                                              \
    typedef beam_iterable S;                                             \
    static const beam_field S##_fields_[] = {{"element", &T##_type, 0}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_ITERABLE, S, S##_fields_)

/* BEAM_GROUPED(word_group, beam_str, beam_int64);  what GroupByKey makes of such a KV:
 * struct { beam_str key; beam_iterable values; } */
#define BEAM_GROUPED(S, K, V)                                                               \
    typedef struct S {                                                                      \
        K key;                                                                              \
        beam_iterable values;                                                               \
    } S;                                                                                    \
    static const beam_field S##_element_[] = {{"element", &V##_type, 0}};                   \
    BEAM_TYPE_(S##_values_, BEAM_KIND_ITERABLE, beam_iterable, S##_element_);               \
    static const beam_field S##_fields_[] = {{"key", &K##_type, offsetof(S, key)},          \
                                             {"value", &S##_values_, offsetof(S, values)}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_KV, S, S##_fields_)

/* BEAM_LIST(int_list, beam_int64);   typedef beam_list int_list, for a field of a row */
#define BEAM_LIST(S, T)                                                  \
    typedef beam_list S;                                                 \
    static const beam_field S##_fields_[] = {{"element", &T##_type, 0}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_LIST, S, S##_fields_)

/* BEAM_MAP(counts, word_count);   a row's map, of entries of a KV type */
#define BEAM_MAP(S, KV)                                                 \
    typedef beam_list S;                                                \
    static const beam_field S##_fields_[] = {{"entry", &KV##_type, 0}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_MAP, S, S##_fields_)

/* BEAM_NULLABLE(maybe_int, beam_int64);   struct { bool present; beam_int64 value; } */
#define BEAM_NULLABLE(S, T)                                                             \
    typedef struct S {                                                                  \
        bool present;                                                                   \
        T value;                                                                        \
    } S;                                                                                \
    static const beam_field S##_fields_[] = {{"value", &T##_type, offsetof(S, value)}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_NULLABLE, S, S##_fields_)

#ifdef __cplusplus
}
#endif
#endif
