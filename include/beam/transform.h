/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transform.h - Beam's transforms.
 *
 * Required arguments come by place, the rest by name:
 *
 *     beam_pcoll words = beam_pardo(lines, &split_fn, .name = "Split");
 *     beam_pcoll counts = beam_combine_per_key(ones, &beam_sum_int64, .fanout = 16);
 *
 * The functions that end in _ take the same arguments as a struct and serve C++ and bindings.
 * A transform without a name takes that of its function or kind; names that repeat in one
 * scope get a suffix in order of construction, so a program gives the same names each time.
 */
#ifndef BEAM_TRANSFORM_H
#define BEAM_TRANSFORM_H

#include <beam/pipeline.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BEAM_ARGS_(T, ...) \
    (&(const T){.struct_size = sizeof(T), .file = __FILE__, .line = __LINE__, __VA_ARGS__})

/* Arguments that all transforms have first (in this order, filled by the macros). */
#define BEAM_COMMON_ARGS_ \
    size_t struct_size;   \
    const char *file;     \
    int line

/* ---- Sources of elements -------------------------------------------------------------- */

/* One empty beam_bytes: where every graph begins. */
typedef struct beam_impulse_args {
    BEAM_COMMON_ARGS_;
    const char *name;
} beam_impulse_args;
BEAM_API beam_pcoll beam_impulse_(beam_pipeline *pipeline, const beam_impulse_args *args);
#define beam_impulse(pipeline, ...) \
    beam_impulse_((pipeline), BEAM_ARGS_(beam_impulse_args, __VA_ARGS__))

/* The `count` values at `values` (an array of the C type that `type` describes), copied into
 * the graph; more than 10 MB of encoded elements is an error: data sets enter by a read. */
typedef struct beam_create_args {
    BEAM_COMMON_ARGS_;
    const beam_type *type;
    const void *values;
    size_t count;
    const char *name;
} beam_create_args;
BEAM_API beam_pcoll beam_create_(beam_pipeline *pipeline, const beam_create_args *args);
#define beam_create(pipeline, T, ...) \
    beam_create_((pipeline), BEAM_ARGS_(beam_create_args, &T##_type, __VA_ARGS__))

/* ---- Element-wise --------------------------------------------------------------------- */

typedef struct beam_pardo_args {
    BEAM_COMMON_ARGS_;
    const beam_dofn *fn;
    const char *name;
    const void *config; /* a value of fn->config */
    const beam_view *sides;
    size_t n_sides;
    beam_hints hints;
} beam_pardo_args;
/* The main output; beam_output gives the others. */
BEAM_API beam_pcoll beam_pardo_(beam_pcoll in, const beam_pardo_args *args);
#define beam_pardo(in, ...) beam_pardo_((in), BEAM_ARGS_(beam_pardo_args, __VA_ARGS__))
/* beam_pardo(in, &fn, BEAM_SIDE_INPUTS(beam_as_singleton(x), beam_as_map(y))) */
#define BEAM_SIDE_INPUTS(...)                  \
    .sides = (const beam_view[]){__VA_ARGS__}, \
    .n_sides = sizeof((const beam_view[]){__VA_ARGS__}) / sizeof(beam_view)

/* Output `index` of the transform that made `main_output`. */
BEAM_API beam_pcoll beam_output(beam_pcoll main_output, uint32_t index);

/* A PCollection as a side input: all of it, its one element, or its KVs by key with one value or
 * any number each.  For BEAM_SIDE_INPUTS, in the order of the DoFn's BEAM_SIDES.  An element sees
 * the window in which its own one ends: one in no windows cannot see a windowed PCollection, and
 * nobody one in sessions. */
BEAM_API beam_view beam_as_iterable(beam_pcoll pcoll);
BEAM_API beam_view beam_as_singleton(beam_pcoll pcoll);
BEAM_API beam_view beam_as_map(beam_pcoll kvs);
BEAM_API beam_view beam_as_multimap(beam_pcoll kvs);

/* ---- Grouping ------------------------------------------------------------------------- */

typedef struct beam_transform_args {
    BEAM_COMMON_ARGS_;
    const char *name;
} beam_transform_args;
#define BEAM_NAMED_ARGS_(...) BEAM_ARGS_(beam_transform_args, __VA_ARGS__)

/* KV<K, V> to KV<K, iterable<V>>: a group a key and window. K must be deterministic. */
BEAM_API beam_pcoll beam_group_by_key_(beam_pcoll kvs, const beam_transform_args *args);
#define beam_group_by_key(kvs, ...) beam_group_by_key_((kvs), BEAM_NAMED_ARGS_(__VA_ARGS__))

/* Joins n PCollections of KV<K, Vi> into KV<K, row{v0: iterable<V0>, v1: ...}>; `type` is
 * the KV's type, made with BEAM_KV over a BEAM_STRUCT of BEAM_ITERABLE fields in order. */
typedef struct beam_co_group_args {
    BEAM_COMMON_ARGS_;
    const beam_type *type;
    const char *name;
} beam_co_group_args;
BEAM_API beam_pcoll beam_co_group_by_key_(const beam_pcoll *kvs, size_t n,
                                          const beam_co_group_args *args);
#define beam_co_group_by_key(kvs, n, T, ...) \
    beam_co_group_by_key_((kvs), (n), BEAM_ARGS_(beam_co_group_args, &T##_type, __VA_ARGS__))

typedef struct beam_combine_args {
    BEAM_COMMON_ARGS_;
    const beam_combinefn *fn;
    const char *name;
    const void *config; /* a value of fn->config */
    uint32_t fanout;    /* hot keys (or a global combine) go through this many parts first */
    beam_hints hints;
} beam_combine_args;
/* KV<K, In> to KV<K, Out>; a combine is lifted: partly done before the shuffle. */
BEAM_API beam_pcoll beam_combine_per_key_(beam_pcoll kvs, const beam_combine_args *args);
/* In to one Out a window; in the global window also when there is no input at all. */
BEAM_API beam_pcoll beam_combine_globally_(beam_pcoll in, const beam_combine_args *args);
#define beam_combine_per_key(kvs, ...) \
    beam_combine_per_key_((kvs), BEAM_ARGS_(beam_combine_args, __VA_ARGS__))
#define beam_combine_globally(in, ...) \
    beam_combine_globally_((in), BEAM_ARGS_(beam_combine_args, __VA_ARGS__))

/* ---- Whole PCollections --------------------------------------------------------------- */

/* The elements of n PCollections of one type and windowing, as one. */
BEAM_API beam_pcoll beam_flatten_(const beam_pcoll *ins, size_t n, const beam_transform_args *args);
#define beam_flatten(ins, n, ...) beam_flatten_((ins), (n), BEAM_NAMED_ARGS_(__VA_ARGS__))

/* n PCollections into outs[0..n): fn emits each element to the output of its part, and has n
 * outputs of its input's type. */
typedef struct beam_partition_args {
    BEAM_COMMON_ARGS_;
    const beam_dofn *fn;
    const char *name;
    const void *config;
} beam_partition_args;
BEAM_API void beam_partition_(beam_pcoll in, beam_pcoll *outs, size_t n,
                              const beam_partition_args *args);
#define beam_partition(in, outs, n, ...) \
    beam_partition_((in), (outs), (n), BEAM_ARGS_(beam_partition_args, __VA_ARGS__))

/* The same elements, spread over all workers; a barrier for fusion and retries. */
BEAM_API beam_pcoll beam_reshuffle_(beam_pcoll in, const beam_transform_args *args);
#define beam_reshuffle(in, ...) beam_reshuffle_((in), BEAM_NAMED_ARGS_(__VA_ARGS__))

/* Assigns windows by the elements' timestamps: beam_window_into(x, beam_fixed_windows(60000)) */
BEAM_API beam_pcoll beam_window_into_(beam_pcoll in, beam_windowing windowing,
                                      const beam_transform_args *args);
#define beam_window_into(in, windowing, ...) \
    beam_window_into_((in), (windowing), BEAM_NAMED_ARGS_(__VA_ARGS__))

/* ---- Compositions --------------------------------------------------------------------- */

/* Each value once; the type must be deterministic. */
BEAM_API beam_pcoll beam_distinct_(beam_pcoll in, const beam_transform_args *args);
#define beam_distinct(in, ...) beam_distinct_((in), BEAM_NAMED_ARGS_(__VA_ARGS__))

/* beam_int64 count of all elements, of the values of each key, and of each equal element
 * (T to KV<T, int64>). */
BEAM_API beam_pcoll beam_count_globally_(beam_pcoll in, const beam_transform_args *args);
BEAM_API beam_pcoll beam_count_per_key_(beam_pcoll kvs, const beam_transform_args *args);
BEAM_API beam_pcoll beam_count_per_element_(beam_pcoll in, const beam_transform_args *args);
#define beam_count_globally(in, ...) beam_count_globally_((in), BEAM_NAMED_ARGS_(__VA_ARGS__))
#define beam_count_per_key(in, ...) beam_count_per_key_((in), BEAM_NAMED_ARGS_(__VA_ARGS__))
#define beam_count_per_element(in, ...) beam_count_per_element_((in), BEAM_NAMED_ARGS_(__VA_ARGS__))

/* Parts of KVs. */
BEAM_API beam_pcoll beam_keys_(beam_pcoll kvs, const beam_transform_args *args);
BEAM_API beam_pcoll beam_values_(beam_pcoll kvs, const beam_transform_args *args);
BEAM_API beam_pcoll beam_kv_swap_(beam_pcoll kvs, const beam_transform_args *args);
#define beam_keys(kvs, ...) beam_keys_((kvs), BEAM_NAMED_ARGS_(__VA_ARGS__))
#define beam_values(kvs, ...) beam_values_((kvs), BEAM_NAMED_ARGS_(__VA_ARGS__))
#define beam_kv_swap(kvs, ...) beam_kv_swap_((kvs), BEAM_NAMED_ARGS_(__VA_ARGS__))
/* T to KV<K, T> with one constant key, a value of type K. */
typedef struct beam_with_keys_args {
    BEAM_COMMON_ARGS_;
    const beam_type *key_type;
    const void *key;
    const char *name;
} beam_with_keys_args;
BEAM_API beam_pcoll beam_with_keys_(beam_pcoll in, const beam_with_keys_args *args);
#define beam_with_keys(in, K, ...) \
    beam_with_keys_((in), BEAM_ARGS_(beam_with_keys_args, &K##_type, __VA_ARGS__))

/* The n largest, in order from the largest on, and n chosen at random: one iterable<T> a window,
 * or a key and window; n must be at least 1.  A sample without a seed is uniform.  With one it
 * is the same in each run, on every runner, because the values decide: equal values are chosen
 * together. */
typedef struct beam_top_args {
    BEAM_COMMON_ARGS_;
    uint32_t n;
    bool smallest; /* the n smallest instead */
    const char *name;
} beam_top_args;
/* Orders numbers, text and bytes naturally, KVs and rows by their fields in order. */
BEAM_API beam_pcoll beam_top_globally_(beam_pcoll in, const beam_top_args *args);
BEAM_API beam_pcoll beam_top_per_key_(beam_pcoll kvs, const beam_top_args *args);
#define beam_top_globally(in, ...) beam_top_globally_((in), BEAM_ARGS_(beam_top_args, __VA_ARGS__))
#define beam_top_per_key(in, ...) beam_top_per_key_((in), BEAM_ARGS_(beam_top_args, __VA_ARGS__))

typedef struct beam_sample_args {
    BEAM_COMMON_ARGS_;
    uint32_t n;
    uint64_t seed; /* 0: none */
    const char *name;
} beam_sample_args;
BEAM_API beam_pcoll beam_sample_globally_(beam_pcoll in, const beam_sample_args *args);
BEAM_API beam_pcoll beam_sample_per_key_(beam_pcoll kvs, const beam_sample_args *args);
#define beam_sample_globally(in, ...) \
    beam_sample_globally_((in), BEAM_ARGS_(beam_sample_args, __VA_ARGS__))
#define beam_sample_per_key(in, ...) \
    beam_sample_per_key_((in), BEAM_ARGS_(beam_sample_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
