/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The five maps and the filter of the map chain, in the three forms that the chain is run in. */
#ifndef BENCH_HANDWRITTEN_MAP_STEPS_H
#define BENCH_HANDWRITTEN_MAP_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline int64_t hw_map_1(int64_t x)
{
    return x * 3 + 1;
}

static inline int64_t hw_map_2(int64_t x)
{
    return x ^ 0x5bd1e995;
}

static inline int64_t hw_map_3(int64_t x)
{
    return x + 12345;
}

static inline int64_t hw_map_4(int64_t x)
{
    return x * 7 - 3;
}

static inline int64_t hw_map_5(int64_t x)
{
    return x ^ 0x2545F491;
}

static inline bool hw_keep(int64_t x)
{
    return (uint64_t)x % 10 != 3;
}

enum { HW_STEPS = 6 };

/* Changes count values in place and returns how many are left. */
typedef size_t (*hw_batch_step)(int64_t *values, size_t count);

/* One step of a chain: handles one value and calls the next step with what comes out. */
typedef struct hw_call_node {
    void (*process)(const struct hw_call_node *node, int64_t value);
    const struct hw_call_node *next;
    uint64_t *counter; /* of the last node */
} hw_call_node;

/* They are in a file of their own, so that no compiler can fuse what the chain calls. */
extern const hw_batch_step hw_batch_steps[HW_STEPS];
extern void (*const hw_call_steps[HW_STEPS + 1])(const hw_call_node *node, int64_t value);

#endif
