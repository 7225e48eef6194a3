/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Summing by key without keeping the values.  Few keys: a table of sums a thread, added up at the
 * end.  Many keys, whose tables would not fit into the cache: radix partitions first. */
#include "handwritten.h"

#include "partition.h"

#include <stdlib.h>
#include <string.h>

/* --- Few keys --------------------------------------------------------------------------------- */

typedef struct sum_slot {
    int64_t key_plus_1; /* 0 in a free slot; keys are not negative */
    int64_t sum;
} sum_slot;

typedef struct sum_table {
    sum_slot *slots;
    unsigned bits;
    uint64_t used;
} sum_table;

typedef struct few_job {
    const hw_numbers *numbers;
    sum_table tables[HW_MAX_THREADS];
} few_job;

static inline sum_slot *find(const sum_table *t, int64_t key)
{
    uint64_t mask = ((uint64_t)1 << t->bits) - 1;
    uint64_t i = hw_hash(key) >> (64 - t->bits);
    while (t->slots[i].key_plus_1 != key + 1 && t->slots[i].key_plus_1)
        i = (i + 1) & mask;
    return &t->slots[i];
}

static void table_init(sum_table *t, unsigned bits)
{
    t->bits = bits;
    t->slots = hw_pages(sizeof(sum_slot) << bits);
}

/* Adds a key that the table lacks; at most half of the slots are used. */
static __attribute__((noinline)) void add_new(sum_table *t, int64_t key, int64_t value)
{
    if (++t->used * 2 > (uint64_t)1 << t->bits) {
        sum_table old = *t;
        table_init(t, old.bits + 1);
        for (uint64_t i = 0; i < (uint64_t)1 << old.bits; i++) {
            if (old.slots[i].key_plus_1)
                *find(t, old.slots[i].key_plus_1 - 1) = old.slots[i];
        }
    }
    *find(t, key) = (sum_slot){.key_plus_1 = key + 1, .sum = value};
}

static inline void add(sum_table *t, int64_t key, int64_t value)
{
    sum_slot *slot = find(t, key);
    if (slot->key_plus_1)
        slot->sum += value;
    else
        add_new(t, key, value);
}

static void few_body(hw_worker *self)
{
    few_job *job = self->team->job;
    sum_table mine = {0}; /* on this thread's stack: the other writes its own all the time */
    table_init(&mine, 12);
    int64_t keys[HW_BLOCK];
    uint64_t begin, end;
    while (hw_team_take(self, job->numbers->count, HW_SPAN, &begin, &end)) {
        for (uint64_t x = begin; x < end; x += HW_BLOCK) {
            unsigned n = end - x < HW_BLOCK ? (unsigned)(end - x) : HW_BLOCK;
            hw_block_keys(keys, x, n, job->numbers->many_keys);
            for (unsigned i = 0; i < n; i++)
                add(&mine, keys[i], (int64_t)(x + i));
        }
    }
    job->tables[self->index] = mine;
    hw_team_wait(self);
    if (self->index)
        return;
    for (int t = 1; t < self->team->threads; t++) {
        const sum_table *other = &job->tables[t];
        for (uint64_t i = 0; i < (uint64_t)1 << other->bits; i++) {
            if (other->slots[i].key_plus_1)
                add(&mine, other->slots[i].key_plus_1 - 1, other->slots[i].sum);
        }
    }
    for (uint64_t i = 0; i < (uint64_t)1 << mine.bits; i++) {
        if (mine.slots[i].key_plus_1)
            hw_checksum_add(&self->result, mine.slots[i].key_plus_1 - 1, mine.slots[i].sum);
    }
}

hw_checksum hw_combine_few(const hw_numbers *numbers)
{
    few_job job = {.numbers = numbers};
    return hw_team_run(numbers->threads, &job, few_body);
}

/* --- Many keys -------------------------------------------------------------------------------- */

typedef struct many_job {
    const hw_numbers *numbers;
    hw_partitioner *partitioners[HW_MAX_THREADS];
} many_job;

static void sum_part(const many_job *job, hw_worker *self, unsigned part, hw_key_index *index,
                     int64_t **sums, size_t *room)
{
    hw_key_index_clear(index);
    for (int t = 0; t < self->team->threads; t++) {
        for (hw_pairs *c = hw_partitioner_part(job->partitioners[t], part); c; c = c->older) {
            if (index->count + c->count > *room) {
                *room = (index->count + c->count) * 2;
                int64_t *more = hw_alloc(*room * sizeof *more);
                memcpy(more, *sums, index->count * sizeof *more);
                free(*sums);
                *sums = more;
            }
            for (uint64_t i = 0; i < c->count; i++) {
                uint32_t known = index->count;
                uint32_t number = hw_key_number(index, c->keys[i]);
                if (number == known)
                    (*sums)[number] = 0;
                (*sums)[number] += c->values[i];
            }
        }
    }
    for (uint32_t k = 0; k < index->count; k++)
        hw_checksum_add(&self->result, index->keys[k], (*sums)[k]);
}

static void many_body(hw_worker *self)
{
    many_job *job = self->team->job;
    hw_partitioner *mine = job->partitioners[self->index] = hw_partitioner_new();
    uint64_t begin, end;
    while (hw_team_take(self, job->numbers->count, HW_SPAN, &begin, &end))
        hw_partition_numbers(mine, begin, end, job->numbers->many_keys);
    hw_partitioner_finish(mine);
    hw_team_wait(self);

    hw_key_index index;
    hw_key_index_init(&index);
    size_t room = 1024;
    int64_t *sums = hw_alloc(room * sizeof *sums);
    while (hw_team_take(self, HW_PARTS, 1, &begin, &end))
        sum_part(job, self, (unsigned)begin, &index, &sums, &room);
    hw_key_index_free(&index);
    free(sums);
}

hw_checksum hw_combine_many(const hw_numbers *numbers)
{
    many_job job = {.numbers = numbers};
    return hw_team_run(numbers->threads, &job, many_body);
}
