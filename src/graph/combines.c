/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* combines.c - the ready-made CombineFns: sums, extremes, means and counts of numbers.  Their
 * add_batch functions are loops a compiler can see through. */
#include <beam/fn.h>
#include <math.h>

/* One input into one accumulator, by kind. */
static inline void sum_int64(beam_int64 *acc, beam_int64 v)
{
    *acc = (beam_int64)((uint64_t)*acc + (uint64_t)v); /* wraps around, as Beam Java's */
}

static inline void sum_double(beam_double *acc, beam_double v)
{
    *acc += v;
}

static inline void min_int64(beam_int64 *acc, beam_int64 v)
{
    *acc = v < *acc ? v : *acc;
}

static inline void max_int64(beam_int64 *acc, beam_int64 v)
{
    *acc = v > *acc ? v : *acc;
}

/* A NaN among the inputs makes the result NaN. */
static inline void min_double(beam_double *acc, beam_double v)
{
    *acc = v < *acc || isnan(v) ? v : *acc;
}

static inline void max_double(beam_double *acc, beam_double v)
{
    *acc = v > *acc || isnan(v) ? v : *acc;
}

/* add, add_batch and merge of a function whose accumulator is of its inputs' type. */
#define SIMPLE_CALLBACKS(NAME, T)                                                          \
    static beam_status NAME##_add(beam_ctx *ctx, void *acc, const void *in)                \
    {                                                                                      \
        (void)ctx;                                                                         \
        NAME((T *)acc, *(const T *)in);                                                    \
        return BEAM_OK;                                                                    \
    }                                                                                      \
    static beam_status NAME##_add_batch(beam_ctx *ctx, void *const *accs, const void *ins, \
                                        size_t stride, size_t n)                           \
    {                                                                                      \
        (void)ctx;                                                                         \
        const char *in = (const char *)ins;                                                \
        for (size_t i = 0; i < n; i++, in += stride)                                       \
            NAME((T *)accs[i], *(const T *)(const void *)in);                              \
        return BEAM_OK;                                                                    \
    }

#define SIMPLE_COMBINE(VARIABLE, NAME, T, CREATE)                           \
    const beam_combinefn VARIABLE = {.struct_size = sizeof(beam_combinefn), \
                                     .name = #VARIABLE,                     \
                                     .in = &T##_type,                       \
                                     .acc = &T##_type,                      \
                                     .out = &T##_type,                      \
                                     .create = CREATE,                      \
                                     .add = NAME##_add,                     \
                                     .add_batch = NAME##_add_batch,         \
                                     .merge = NAME##_add}

SIMPLE_CALLBACKS(sum_int64, beam_int64)
SIMPLE_CALLBACKS(sum_double, beam_double)
SIMPLE_CALLBACKS(min_int64, beam_int64)
SIMPLE_CALLBACKS(max_int64, beam_int64)
SIMPLE_CALLBACKS(min_double, beam_double)
SIMPLE_CALLBACKS(max_double, beam_double)

static beam_status create_max_int64(beam_ctx *ctx, void *acc)
{
    (void)ctx;
    *(beam_int64 *)acc = INT64_MIN;
    return BEAM_OK;
}

static beam_status create_min_int64(beam_ctx *ctx, void *acc)
{
    (void)ctx;
    *(beam_int64 *)acc = INT64_MAX;
    return BEAM_OK;
}

static beam_status create_max_double(beam_ctx *ctx, void *acc)
{
    (void)ctx;
    *(beam_double *)acc = -INFINITY;
    return BEAM_OK;
}

static beam_status create_min_double(beam_ctx *ctx, void *acc)
{
    (void)ctx;
    *(beam_double *)acc = INFINITY;
    return BEAM_OK;
}

SIMPLE_COMBINE(beam_sum_int64, sum_int64, beam_int64, NULL);
SIMPLE_COMBINE(beam_sum_double, sum_double, beam_double, NULL);
SIMPLE_COMBINE(beam_min_int64, min_int64, beam_int64, create_min_int64);
SIMPLE_COMBINE(beam_max_int64, max_int64, beam_int64, create_max_int64);
SIMPLE_COMBINE(beam_min_double, min_double, beam_double, create_min_double);
SIMPLE_COMBINE(beam_max_double, max_double, beam_double, create_max_double);

/* ---- Means ----------------------------------------------------------------------------- */

#define INT_MEAN(FIELD, S) FIELD(S, beam_int64, sum) FIELD(S, beam_int64, count)
BEAM_STRUCT(int_mean, INT_MEAN);
#define DOUBLE_MEAN(FIELD, S) FIELD(S, beam_double, sum) FIELD(S, beam_int64, count)
BEAM_STRUCT(double_mean, DOUBLE_MEAN);

#define MEAN(VARIABLE, ACC, T, ADD)                                                       \
    static beam_status ACC##_add(beam_ctx *ctx, void *acc, const void *in)                \
    {                                                                                     \
        (void)ctx;                                                                        \
        ADD(&((ACC *)acc)->sum, *(const T *)in);                                          \
        ((ACC *)acc)->count++;                                                            \
        return BEAM_OK;                                                                   \
    }                                                                                     \
    static beam_status ACC##_add_batch(beam_ctx *ctx, void *const *accs, const void *ins, \
                                       size_t stride, size_t n)                           \
    {                                                                                     \
        (void)ctx;                                                                        \
        const char *in = (const char *)ins;                                               \
        for (size_t i = 0; i < n; i++, in += stride) {                                    \
            ACC *acc = (ACC *)accs[i];                                                    \
            ADD(&acc->sum, *(const T *)(const void *)in);                                 \
            acc->count++;                                                                 \
        }                                                                                 \
        return BEAM_OK;                                                                   \
    }                                                                                     \
    static beam_status ACC##_merge(beam_ctx *ctx, void *acc, const void *other)           \
    {                                                                                     \
        (void)ctx;                                                                        \
        ADD(&((ACC *)acc)->sum, ((const ACC *)other)->sum);                               \
        ((ACC *)acc)->count += ((const ACC *)other)->count;                               \
        return BEAM_OK;                                                                   \
    }                                                                                     \
    static beam_status ACC##_extract(beam_ctx *ctx, const void *acc, void *out)           \
    {                                                                                     \
        (void)ctx;                                                                        \
        const ACC *mean = (const ACC *)acc;                                               \
        *(beam_double *)out =                                                             \
            mean->count ? (beam_double)mean->sum / (beam_double)mean->count : NAN;        \
        return BEAM_OK;                                                                   \
    }                                                                                     \
    const beam_combinefn VARIABLE = {.struct_size = sizeof(beam_combinefn),               \
                                     .name = #VARIABLE,                                   \
                                     .in = &T##_type,                                     \
                                     .acc = &ACC##_type,                                  \
                                     .out = &beam_double_type,                            \
                                     .add = ACC##_add,                                    \
                                     .add_batch = ACC##_add_batch,                        \
                                     .merge = ACC##_merge,                                \
                                     .extract = ACC##_extract}

MEAN(beam_mean_int64, int_mean, beam_int64, sum_int64);
MEAN(beam_mean_double, double_mean, beam_double, sum_double);

/* ---- Count ----------------------------------------------------------------------------- */

static beam_status count_add(beam_ctx *ctx, void *acc, const void *in)
{
    (void)ctx;
    (void)in;
    ++*(beam_int64 *)acc;
    return BEAM_OK;
}

static beam_status count_add_batch(beam_ctx *ctx, void *const *accs, const void *ins, size_t stride,
                                   size_t n)
{
    (void)ctx;
    (void)ins;
    (void)stride;
    for (size_t i = 0; i < n; i++)
        ++*(beam_int64 *)accs[i];
    return BEAM_OK;
}

const beam_combinefn beam_count_combine = {.struct_size = sizeof(beam_combinefn),
                                           .name = "beam_count_combine",
                                           .acc = &beam_int64_type,
                                           .out = &beam_int64_type,
                                           .add = count_add,
                                           .add_batch = count_add_batch,
                                           .merge = sum_int64_add};
