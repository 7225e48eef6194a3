/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* tensor.c - shapes, dtypes and the 16-bit float formats. In base, since types, networks,
 * devices and files all speak of tensors and know nothing of each other. */
#include <beam/tensor.h>

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [BEAM_DTYPE_INVALID] = {"invalid", 0},
    [BEAM_F32] = {"f32", 4},
    [BEAM_F64] = {"f64", 8},
    [BEAM_F16] = {"f16", 2},
    [BEAM_BF16] = {"bf16", 2},
    [BEAM_I8] = {"i8", 1},
    [BEAM_I16] = {"i16", 2},
    [BEAM_I32] = {"i32", 4},
    [BEAM_I64] = {"i64", 8},
    [BEAM_U8] = {"u8", 1},
    [BEAM_BOOL] = {"bool", 1},
};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

size_t beam_dtype_size(beam_dtype dtype)
{
    return (unsigned)dtype < DTYPES ? dtypes[dtype].size : 0;
}

const char *beam_dtype_name(beam_dtype dtype)
{
    return (unsigned)dtype < DTYPES ? dtypes[dtype].name : dtypes[0].name;
}

beam_dtype beam_dtype_parse(const char *name)
{
    for (unsigned i = 1; i < DTYPES; i++)
        if (strcmp(name, dtypes[i].name) == 0)
            return (beam_dtype)i;
    return BEAM_DTYPE_INVALID;
}

beam_status beam_tensor_check(const beam_tensor *tensor, size_t *values, size_t *bytes,
                              beam_error *err)
{
    size_t size = beam_dtype_size(tensor->dtype);
    if (!size)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "tensor has unknown dtype %d",
                              (int)tensor->dtype);
    if (tensor->rank > BEAM_TENSOR_MAX_RANK)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "tensor has rank %u, at most %d is held",
                              tensor->rank, BEAM_TENSOR_MAX_RANK);
    size_t count = 1;
    bool empty = false;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] < 0)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "tensor dimension %u is negative (%lld)", i,
                                  (long long)tensor->shape[i]);
        if (tensor->shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(count, (size_t)tensor->shape[i], &count))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "tensor size overflows");
    }
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX / 2)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "tensor size overflows");
    if (values)
        *values = empty ? 0 : count;
    if (bytes)
        *bytes = empty ? 0 : total;
    return BEAM_OK;
}

size_t beam_tensor_bytes(const beam_tensor *tensor)
{
    size_t bytes = beam_dtype_size(tensor->dtype);
    for (uint32_t i = 0; i < tensor->rank; i++)
        bytes *= (size_t)tensor->shape[i];
    return bytes;
}

bool beam_tensor_same_shape(const beam_tensor *a, const beam_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t beam_f32_to_bf16(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000) /* NaN: keep it one when the low half is cut */
        return (uint16_t)((bits >> 16) | 0x40);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float beam_bf16_to_f32(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t beam_f32_to_f16(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x7f800000) /* infinity and NaN */
        return (uint16_t)(sign | 0x7c00 | (magnitude > 0x7f800000 ? 0x200 : 0));
    if (magnitude >= 0x477ff000) /* rounds past the largest half */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { /* subnormal half: let float addition do the rounding */
        float shifted = float_of(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000));
    }
    uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000;
    return (uint16_t)(sign | (rounded >> 13));
}

float beam_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = (bits >> 10) & 0x1f;
    uint32_t fraction = bits & 0x3ff;
    if (exponent == 0x1f)
        return float_of(sign | 0x7f800000 | (fraction << 13));
    if (exponent)
        return float_of(sign | ((exponent + 112) << 23) | (fraction << 13));
    float value = (float)fraction * 0x1p-24f;
    return sign ? -value : value;
}
