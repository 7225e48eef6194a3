/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* tensor.h - a dense array of numbers: an element type of pipelines, and what devices eat.
 *
 * Data is contiguous, row-major (the last dimension varies fastest), little endian on the
 * wire.  A beam_tensor is a plain value that borrows its data: whoever made the data owns it.
 */
#ifndef BEAM_TENSOR_H
#define BEAM_TENSOR_H

#include <beam/status.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers are part of the wire form; never renumber. */
typedef enum beam_dtype {
    BEAM_DTYPE_INVALID = 0,
    BEAM_F32 = 1,
    BEAM_F64 = 2,
    BEAM_F16 = 3,
    BEAM_BF16 = 4,
    BEAM_I8 = 5,
    BEAM_I16 = 6,
    BEAM_I32 = 7,
    BEAM_I64 = 8,
    BEAM_U8 = 9,
    BEAM_BOOL = 10
} beam_dtype;

enum { BEAM_TENSOR_MAX_RANK = 8 };

typedef struct beam_tensor {
    beam_dtype dtype;
    uint32_t rank;                       /* 0: a scalar, one value */
    int64_t shape[BEAM_TENSOR_MAX_RANK]; /* entries at and beyond rank are 0 */
    const void *data;
} beam_tensor;

/* Bytes of one value: 4 for BEAM_F32; 0 for an unknown dtype. */
BEAM_API size_t beam_dtype_size(beam_dtype dtype);
/* "f32", "bf16", ...; "invalid" for an unknown one. */
BEAM_API const char *beam_dtype_name(beam_dtype dtype);
/* The dtype of such a name; BEAM_DTYPE_INVALID when there is none. */
BEAM_API beam_dtype beam_dtype_parse(const char *name);

/* Checks dtype, rank, that no dimension is negative and that the size in bytes does not
 * overflow; stores the number of values and of bytes where the pointers are not NULL. */
BEAM_API beam_status beam_tensor_check(const beam_tensor *tensor, size_t *values, size_t *bytes,
                                       beam_error *err);
/* Bytes of a tensor that has been checked. */
BEAM_API size_t beam_tensor_bytes(const beam_tensor *tensor);
/* Same dtype, rank and shape. */
BEAM_API bool beam_tensor_same_shape(const beam_tensor *a, const beam_tensor *b);

/* Between f32 and the 16-bit formats, round to nearest even; NaN stays NaN. */
BEAM_API uint16_t beam_f32_to_bf16(float value);
BEAM_API float beam_bf16_to_f32(uint16_t bits);
BEAM_API uint16_t beam_f32_to_f16(float value);
BEAM_API float beam_f16_to_f32(uint16_t bits);

#ifdef __cplusplus
}
#endif
#endif
