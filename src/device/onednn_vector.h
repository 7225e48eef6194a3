/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_vector.h - sixteen floats at once, in whatever registers the machine has.
 *
 * The vectors are the compilers' own (GCC and clang); a loop written with them is compiled once for
 * each of a few instruction sets, and the best that the machine has is chosen when it runs.
 * Vectors are handed over by pointer: by value, their calling convention would depend on the
 * instruction set. */
#ifndef DEVICE_ONEDNN_VECTOR_H
#define DEVICE_ONEDNN_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "nn/network.h"

enum { BEAM_LANES = 16 };

typedef float beam_lanes __attribute__((vector_size(64)));
typedef uint32_t beam_lanes_bits __attribute__((vector_size(64)));
typedef uint16_t beam_lanes_half __attribute__((vector_size(32)));

#define BEAM_INLINE static inline __attribute__((always_inline))

/* The first `count` of an array's numbers, which may be bf16, and 0 for the others. */
BEAM_INLINE void beam_lanes_load(beam_lanes *lanes, const void *from, size_t at, size_t count,
                                 bool bf16)
{
    if (bf16) {
        beam_lanes_half half = {0};
        if (count == BEAM_LANES)
            memcpy(&half, (const uint16_t *)from + at, sizeof half);
        else
            memcpy(&half, (const uint16_t *)from + at, count * sizeof(uint16_t));
        *lanes = (beam_lanes)(__builtin_convertvector(half, beam_lanes_bits) << 16);
    } else if (count == BEAM_LANES) {
        memcpy(lanes, (const float *)from + at, sizeof *lanes);
    } else {
        *lanes = (beam_lanes){0};
        memcpy(lanes, (const float *)from + at, count * sizeof(float));
    }
}

/* Rounds to the nearest, to even of two: NaN stays one, since a computed NaN ends in zeros. */
BEAM_INLINE void beam_lanes_store(const beam_lanes *lanes, void *to, size_t at, size_t count,
                                  bool bf16)
{
    if (bf16) {
        beam_lanes_bits bits = (beam_lanes_bits)*lanes;
        bits = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
        beam_lanes_half half = __builtin_convertvector(bits, beam_lanes_half);
        if (count == BEAM_LANES)
            memcpy((uint16_t *)to + at, &half, sizeof half);
        else
            memcpy((uint16_t *)to + at, &half, count * sizeof(uint16_t));
    } else if (count == BEAM_LANES) {
        memcpy((float *)to + at, lanes, sizeof *lanes);
    } else {
        memcpy((float *)to + at, lanes, count * sizeof(float));
    }
}

/* Negative numbers become 0; NaN stays. */
BEAM_INLINE void beam_lanes_relu(beam_lanes *lanes)
{
    beam_lanes_bits negative = (beam_lanes_bits)(*lanes < 0.0f);
    *lanes = (beam_lanes)((beam_lanes_bits)*lanes & ~negative);
}

/* 0 where `by` is not above 0. */
BEAM_INLINE void beam_lanes_mask(beam_lanes *lanes, const beam_lanes *by)
{
    *lanes = (beam_lanes)((beam_lanes_bits)*lanes & (beam_lanes_bits)(*by > 0.0f));
}

/* x becomes e^x where x is from -80 to 80, and what e^80 or e^-80 is beyond; within two units in
 * the last place.  x is split into n ln 2 + r with |r| <= ln 2 / 2; the polynomial is Cephes'. */
BEAM_INLINE void beam_lanes_exp(beam_lanes *x)
{
    const beam_lanes most = (beam_lanes){0} + 80.0f;
    const float rounding = 12582912.0f; /* 1.5 * 2^23: to add it rounds to whole numbers */
    beam_lanes_bits above = (beam_lanes_bits)(*x > most), below = (beam_lanes_bits)(*x < -most);
    *x = (beam_lanes)(((beam_lanes_bits)*x & ~(above | below)) | ((beam_lanes_bits)most & above) |
                      ((beam_lanes_bits)-most & below));
    beam_lanes n = *x * 1.44269504f + rounding;
    beam_lanes_bits power = (beam_lanes_bits)n << 23;
    n -= rounding;
    beam_lanes r = *x - n * 0.693359375f + n * 2.12194440e-4f;
    beam_lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    *x = (beam_lanes)((beam_lanes_bits)p + power);
}

/* What gelu multiplies x by. */
BEAM_INLINE void beam_lanes_gelu_share(const beam_lanes *x, beam_lanes *share)
{
    const float linear = (float)BEAM_NN_GELU_LINEAR, cubic = (float)BEAM_NN_GELU_CUBIC;
    *share = *x * (-linear - cubic * *x * *x);
    beam_lanes_exp(share);
    *share = 1.0f / (1.0f + *share);
}

BEAM_INLINE void beam_lanes_gelu(beam_lanes *x)
{
    beam_lanes share;
    beam_lanes_gelu_share(x, &share);
    *x *= share;
}

/* dy times the slope of gelu at x. */
BEAM_INLINE void beam_lanes_gelu_grad(beam_lanes *dy, const beam_lanes *x)
{
    const float linear = (float)BEAM_NN_GELU_LINEAR, cubic = (float)(3 * BEAM_NN_GELU_CUBIC);
    beam_lanes share;
    beam_lanes_gelu_share(x, &share);
    *dy *= share * (1.0f + *x * (1.0f - share) * (linear + cubic * *x * *x));
}

BEAM_INLINE void beam_lanes_sqrt(beam_lanes *lanes)
{
#if defined(__x86_64__)
    __m128 part[4];
    memcpy(part, lanes, sizeof part);
    for (int i = 0; i < 4; i++)
        part[i] = _mm_sqrt_ps(part[i]);
    memcpy(lanes, part, sizeof part);
#else
    for (int i = 0; i < BEAM_LANES; i++)
        (*lanes)[i] = __builtin_sqrtf((*lanes)[i]);
#endif
}

/* Defines `static void NAME(PARAMETERS)`, which calls the inline function NAME_body(ARGUMENTS)
 * compiled for the machine. */
#if defined(__x86_64__)
#define BEAM_LANES_FUNCTION(NAME, PARAMETERS, ARGUMENTS)                                        \
    static void NAME##_portable PARAMETERS                                                      \
    {                                                                                           \
        NAME##_body ARGUMENTS;                                                                  \
    }                                                                                           \
    __attribute__((target("avx2,fma"))) static void NAME##_avx2 PARAMETERS                      \
    {                                                                                           \
        NAME##_body ARGUMENTS;                                                                  \
    }                                                                                           \
    __attribute__((                                                                             \
        target("avx512f,avx512bw,avx512vl,avx512dq,fma"))) static void NAME##_avx512 PARAMETERS \
    {                                                                                           \
        NAME##_body ARGUMENTS;                                                                  \
    }                                                                                           \
    static void NAME PARAMETERS                                                                 \
    {                                                                                           \
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&         \
            __builtin_cpu_supports("avx512dq"))                                                 \
            NAME##_avx512 ARGUMENTS;                                                            \
        else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))               \
            NAME##_avx2 ARGUMENTS;                                                              \
        else                                                                                    \
            NAME##_portable ARGUMENTS;                                                          \
    }
#else
#define BEAM_LANES_FUNCTION(NAME, PARAMETERS, ARGUMENTS) \
    static void NAME PARAMETERS                          \
    {                                                    \
        NAME##_body ARGUMENTS;                           \
    }
#endif

#endif
