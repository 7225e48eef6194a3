/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Grouping by many keys: radix partitions first, then each part is sorted by key with a counting
 * sort, all inside the cache. */
#include "handwritten.h"

#include "partition.h"

#include <stdlib.h>
#include <string.h>

typedef struct group_job {
    const hw_numbers *numbers;
    hw_partitioner *partitioners[HW_MAX_THREADS];
} group_job;

/* Room to group one part in, used again for the next. */
typedef struct scratch {
    hw_key_index index;
    size_t pairs_room, keys_room;
    uint32_t *numbers; /* of each pair's key */
    int64_t *values;   /* sorted by key */
    uint32_t *ends;    /* of each key's values in `values`; before that, counts and beginnings */
} scratch;

static void scratch_reserve_pairs(scratch *s, size_t count)
{
    if (count <= s->pairs_room)
        return;
    free(s->numbers);
    free(s->values);
    s->pairs_room = count + count / 4;
    s->numbers = hw_alloc(s->pairs_room * sizeof *s->numbers);
    s->values = hw_alloc(s->pairs_room * sizeof *s->values);
}

static void scratch_reserve_keys(scratch *s, size_t count)
{
    if (count <= s->keys_room)
        return;
    free(s->ends);
    s->keys_room = count * 2;
    s->ends = hw_alloc(s->keys_room * sizeof *s->ends);
}

static size_t number_keys(const group_job *job, int threads, unsigned part, scratch *s)
{
    size_t count = 0;
    for (int t = 0; t < threads; t++) {
        for (hw_pairs *c = hw_partitioner_part(job->partitioners[t], part); c; c = c->older)
            count += c->count;
    }
    scratch_reserve_pairs(s, count);
    hw_key_index_clear(&s->index);
    uint32_t *to = s->numbers;
    for (int t = 0; t < threads; t++) {
        for (hw_pairs *c = hw_partitioner_part(job->partitioners[t], part); c; c = c->older) {
            for (uint64_t i = 0; i < c->count; i++)
                *to++ = hw_key_number(&s->index, c->keys[i]);
        }
    }
    return count;
}

/* Brings every key's values together. */
static void sort_values(const group_job *job, int threads, unsigned part, scratch *s, size_t count)
{
    scratch_reserve_keys(s, s->index.count);
    uint32_t *ends = s->ends;
    memset(ends, 0, s->index.count * sizeof *ends);
    for (size_t i = 0; i < count; i++)
        ends[s->numbers[i]]++;
    uint32_t begin = 0;
    for (uint32_t k = 0; k < s->index.count; k++) {
        uint32_t n = ends[k];
        ends[k] = begin;
        begin += n;
    }
    const uint32_t *number = s->numbers;
    for (int t = 0; t < threads; t++) {
        for (hw_pairs *c = hw_partitioner_part(job->partitioners[t], part); c; c = c->older) {
            for (uint64_t i = 0; i < c->count; i++)
                s->values[ends[*number++]++] = c->values[i];
        }
    }
}

static void group_body(hw_worker *self)
{
    group_job *job = self->team->job;
    int threads = self->team->threads;
    hw_partitioner *mine = job->partitioners[self->index] = hw_partitioner_new();
    uint64_t begin, end;
    while (hw_team_take(self, job->numbers->count, HW_SPAN, &begin, &end))
        hw_partition_numbers(mine, begin, end, job->numbers->many_keys);
    hw_partitioner_finish(mine);
    hw_team_wait(self);

    scratch s = {0};
    hw_key_index_init(&s.index);
    while (hw_team_take(self, HW_PARTS, 1, &begin, &end)) {
        unsigned part = (unsigned)begin;
        size_t count = number_keys(job, threads, part, &s);
        if (count == 0)
            continue;
        sort_values(job, threads, part, &s, count);
        uint32_t i = 0;
        for (uint32_t k = 0; k < s.index.count; k++) {
            int64_t sum = 0;
            for (; i < s.ends[k]; i++)
                sum += s.values[i];
            hw_checksum_add(&self->result, s.index.keys[k], sum);
        }
    }
    hw_key_index_free(&s.index);
    free(s.numbers);
    free(s.values);
    free(s.ends);
}

hw_checksum hw_group_many(const hw_numbers *numbers)
{
    group_job job = {.numbers = numbers};
    return hw_team_run(numbers->threads, &job, group_body);
}
