/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The map chain: five maps and a filter, as one loop, a batch at a time, and with a call a value
 * and step. */
#include "handwritten.h"

#include "map_steps.h"
#include "numbers.h"

enum { BATCH = 1024 };

static uint64_t run_fused(uint64_t begin, uint64_t end)
{
    uint64_t kept = 0;
    for (uint64_t x = begin; x < end; x++)
        kept += hw_keep(hw_map_5(hw_map_4(hw_map_3(hw_map_2(hw_map_1((int64_t)x))))));
    return kept;
}

static uint64_t run_batches(uint64_t begin, uint64_t end)
{
    uint64_t kept = 0;
    int64_t values[BATCH];
    for (uint64_t x = begin; x < end; x += BATCH) {
        size_t n = end - x < BATCH ? end - x : BATCH;
        for (size_t i = 0; i < n; i++)
            values[i] = (int64_t)(x + i);
        for (int step = 0; step < HW_STEPS; step++)
            n = hw_batch_steps[step](values, n);
        kept += n;
    }
    return kept;
}

static uint64_t run_calls(uint64_t begin, uint64_t end)
{
    uint64_t kept = 0;
    hw_call_node nodes[HW_STEPS + 1];
    for (int i = 0; i <= HW_STEPS; i++)
        nodes[i] = (hw_call_node){hw_call_steps[i], i < HW_STEPS ? &nodes[i + 1] : NULL, &kept};
    for (uint64_t x = begin; x < end; x++)
        nodes[0].process(&nodes[0], (int64_t)x);
    return kept;
}

typedef struct map_job {
    uint64_t count;
    uint64_t (*run)(uint64_t begin, uint64_t end);
} map_job;

static void map_body(hw_worker *self)
{
    const map_job *job = self->team->job;
    uint64_t begin, end, kept = 0;
    while (hw_team_take(self, job->count, HW_SPAN, &begin, &end))
        kept += job->run(begin, end);
    self->result.count = kept;
}

hw_checksum hw_map_chain(uint64_t count, int threads, hw_map_style style)
{
    map_job job = {.count = count};
    job.run = style == HW_MAP_FUSED ? run_fused : style == HW_MAP_BATCH ? run_batches : run_calls;
    return hw_team_run(threads, &job, map_body);
}
