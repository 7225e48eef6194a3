/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* hlo.h - writes StableHLO (https://openxla.org/stablehlo/spec), the language that PJRT plugins
 * compile, as text: each call appends one operation and returns its result.
 *
 * The first failure is kept in `status`; what comes after it writes nothing of use. */
#ifndef DEVICE_HLO_H
#define DEVICE_HLO_H

#include <beam/tensor.h>

#include "base/buffer.h"

typedef enum beam_hlo_type {
    BEAM_HLO_F32,
    BEAM_HLO_BF16,
    BEAM_HLO_F16,
    BEAM_HLO_I32,
    BEAM_HLO_U32,
    BEAM_HLO_U64,
    BEAM_HLO_PRED
} beam_hlo_type;

/* A value of the program: %vID. */
typedef struct beam_hlo_value {
    uint32_t id;
    beam_hlo_type type;
    uint32_t rank;
    int64_t dims[BEAM_TENSOR_MAX_RANK];
} beam_hlo_value;

typedef struct beam_hlo {
    beam_buffer text;
    uint32_t next; /* id */
    beam_status status;
} beam_hlo;

/* A window that slides over an image's height and width. */
typedef struct beam_hlo_window {
    int64_t stride[2], low[2], high[2]; /* low, high: padding before and after */
    int64_t spread[2];                  /* of the input: zeros come between; 1: none */
    int64_t dilation[2];                /* of the kernel */
    int64_t groups, batch_groups;       /* at least 1 */
} beam_hlo_window;

/* Appends text as it is. */
void beam_hlo_write(beam_hlo *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "tensor<8x10xf32>" */
void beam_hlo_write_type(beam_hlo *h, const beam_hlo_value *value);
/* A new value, not yet written: for what has no function here. */
beam_hlo_value beam_hlo_new(beam_hlo *h, beam_hlo_type type, uint32_t rank, const int64_t *dims);
int64_t beam_hlo_count(const beam_hlo_value *value);

/* A constant that fills `dims`; f32 is written with all its digits. */
beam_hlo_value beam_hlo_fill(beam_hlo *h, beam_hlo_type type, double number, uint32_t rank,
                             const int64_t *dims);
beam_hlo_value beam_hlo_fill_like(beam_hlo *h, double number, beam_hlo_value like);
beam_hlo_value beam_hlo_scalar(beam_hlo *h, beam_hlo_type type, double number);
/* The lowest number of a floating type. */
beam_hlo_value beam_hlo_lowest(beam_hlo *h, beam_hlo_type type);

/* `name` is StableHLO's: "add", "multiply", "rsqrt". */
beam_hlo_value beam_hlo_unary(beam_hlo *h, const char *name, beam_hlo_value x);
beam_hlo_value beam_hlo_binary(beam_hlo *h, const char *name, beam_hlo_value a, beam_hlo_value b);
/* `direction`: "GT", "EQ", ... */
beam_hlo_value beam_hlo_compare(beam_hlo *h, const char *direction, beam_hlo_value a,
                                beam_hlo_value b);
/* Where x is neither infinite nor NaN. */
beam_hlo_value beam_hlo_is_finite(beam_hlo *h, beam_hlo_value x);
beam_hlo_value beam_hlo_select(beam_hlo *h, beam_hlo_value which, beam_hlo_value yes,
                               beam_hlo_value no);
/* Nothing where it is of that type already. */
beam_hlo_value beam_hlo_convert(beam_hlo *h, beam_hlo_value x, beam_hlo_type type);
/* Nothing where it is of that shape already. */
beam_hlo_value beam_hlo_reshape(beam_hlo *h, beam_hlo_value x, uint32_t rank, const int64_t *dims);
beam_hlo_value beam_hlo_transpose(beam_hlo *h, beam_hlo_value x, const int64_t *order);
beam_hlo_value beam_hlo_reverse(beam_hlo *h, beam_hlo_value x, uint32_t n, const int64_t *dims);
/* Dimension i of x becomes at[i] of the shape of `like`. */
beam_hlo_value beam_hlo_broadcast(beam_hlo *h, beam_hlo_value x, const int64_t *at,
                                  beam_hlo_value like);
beam_hlo_value beam_hlo_iota(beam_hlo *h, beam_hlo_type type, int64_t along, uint32_t rank,
                             const int64_t *dims);
beam_hlo_value beam_hlo_slice(beam_hlo *h, beam_hlo_value x, const int64_t *from, const int64_t *to,
                              const int64_t *step);
/* `count` numbers of a vector, from a place that is known when it runs. */
beam_hlo_value beam_hlo_slice_at(beam_hlo *h, beam_hlo_value x, beam_hlo_value from, int64_t count);
/* `zero` around (negative: cut off) and between; one number a dimension each. */
beam_hlo_value beam_hlo_pad(beam_hlo *h, beam_hlo_value x, beam_hlo_value zero, const int64_t *low,
                            const int64_t *high, const int64_t *between);
beam_hlo_value beam_hlo_concatenate(beam_hlo *h, const beam_hlo_value *parts, uint32_t n,
                                    uint32_t along);
/* Over the dimensions given, which vanish; `name` is "add", "maximum" or "minimum". */
beam_hlo_value beam_hlo_reduce(beam_hlo *h, const char *name, beam_hlo_value x,
                               beam_hlo_value start, uint32_t n, const int64_t *dims);
/* a's dimension da meets b's db; the result has a's other ones, then b's.  Products of f32 are f32
 * at full precision, those of 16 bits are summed in f32; the result is f32. */
beam_hlo_value beam_hlo_dot(beam_hlo *h, beam_hlo_value a, int64_t da, beam_hlo_value b,
                            int64_t db);
/* Dimension letters as StableHLO writes them: "b, f, 0, 1", "o, i, 0, 1", "b, f, 0, 1"; `dims` of
 * the result, which is f32. */
beam_hlo_value beam_hlo_convolution(beam_hlo *h, beam_hlo_value x, const char *x_dims,
                                    beam_hlo_value kernel, const char *kernel_dims,
                                    const char *y_dims, const beam_hlo_window *window,
                                    const int64_t *dims);
/* `windows`, `strides`, `low`, `high`: one number a dimension of x. */
beam_hlo_value beam_hlo_reduce_window(beam_hlo *h, const char *name, beam_hlo_value x,
                                      beam_hlo_value start, const int64_t *windows,
                                      const int64_t *strides, const int64_t *low,
                                      const int64_t *high);
/* Sends each of `source` to where the largest number of its window in x stands, the first of
 * equals, and adds up what comes together. */
beam_hlo_value beam_hlo_scatter_to_largest(beam_hlo *h, beam_hlo_value x, beam_hlo_value source,
                                           const int64_t *windows, const int64_t *strides,
                                           const int64_t *low, const int64_t *high);
/* The sum over all replicas of the program. */
beam_hlo_value beam_hlo_all_reduce(beam_hlo *h, beam_hlo_value x, uint32_t replicas);
/* Which replica this is: {} u32, from 0. */
beam_hlo_value beam_hlo_replica_id(beam_hlo *h);

#endif
