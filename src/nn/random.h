/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* random.h - random numbers that are a function of where they are, not of what was drawn
 * before: Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011). */
#ifndef NN_RANDOM_H
#define NN_RANDOM_H

#include <stdint.h>

typedef struct beam_random4 {
    uint32_t at[4];
} beam_random4;

/* Four numbers for block `counter` of `stream` under `seed`. */
beam_random4 beam_random_at(uint64_t seed, uint64_t stream, uint64_t counter);

#endif
