/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The benchmarks' numbers and their keys, made block by block as they are needed.
 *
 * The number x has the key x mod 1,000, or, to spread a million keys over the input,
 * x * 2654435761 mod 1,000,000.  The jobs treat keys as any int64 and use no knowledge of their
 * range but that they are not negative. */
#ifndef BENCH_HANDWRITTEN_NUMBERS_H
#define BENCH_HANDWRITTEN_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

enum { HW_BLOCK = 128, HW_SPAN = 1 << 18 };

static inline __attribute__((always_inline)) void hw_block_keys(int64_t *keys, uint64_t first,
                                                                unsigned count, bool many_keys)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t x = first + i;
        keys[i] = (int64_t)(many_keys ? x * 2654435761U % 1000000U : x % 1000U);
    }
}

/* The high bits are the good ones. */
static inline uint64_t hw_hash(int64_t key)
{
    return (uint64_t)key * 0x9E3779B97F4A7C15U;
}

#endif
