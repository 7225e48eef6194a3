/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The steps as functions over batches and over single values. */
#include "map_steps.h"

#define DEFINE_MAP(number)                                             \
    static size_t batch_##number(int64_t *values, size_t count)        \
    {                                                                  \
        for (size_t i = 0; i < count; i++)                             \
            values[i] = hw_map_##number(values[i]);                    \
        return count;                                                  \
    }                                                                  \
    static void call_##number(const hw_call_node *node, int64_t value) \
    {                                                                  \
        node->next->process(node->next, hw_map_##number(value));       \
    }

DEFINE_MAP(1)
DEFINE_MAP(2)
DEFINE_MAP(3)
DEFINE_MAP(4)
DEFINE_MAP(5)

static size_t batch_filter(int64_t *values, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t value = values[i];
        values[kept] = value;
        kept += hw_keep(value);
    }
    return kept;
}

static void call_filter(const hw_call_node *node, int64_t value)
{
    if (hw_keep(value))
        node->next->process(node->next, value);
}

static void call_count(const hw_call_node *node, int64_t value)
{
    (void)value;
    ++*node->counter;
}

const hw_batch_step hw_batch_steps[HW_STEPS] = {batch_1, batch_2, batch_3,
                                                batch_4, batch_5, batch_filter};

void (*const hw_call_steps[HW_STEPS + 1])(const hw_call_node *node, int64_t value) = {
    call_1, call_2, call_3, call_4, call_5, call_filter, call_count};
