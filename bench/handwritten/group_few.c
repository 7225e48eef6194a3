/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Grouping by few keys: every thread appends each value to its key's list of chunks, and the
 * threads' lists are linked together at the end.  A value is written once and never moved, which
 * is right while all keys' open chunks fit into the cache. */
#include "handwritten.h"

#include "numbers.h"

/* 65 cache lines: an even number would put the open ends of many lists, which advance in step,
 * into the same few sets of the cache. */
enum { CHUNK_VALUES = 512 };

typedef struct chunk {
    struct chunk *older;
    uint64_t count; /* set when the chunk is closed */
    char pad[48];
    int64_t values[CHUNK_VALUES];
} chunk;

/* A slot of an open-addressing table; newest is NULL in a free one. */
typedef struct column {
    int64_t key;
    int64_t *next;
    chunk *newest, *oldest;
} column;

typedef struct table {
    column *columns;
    unsigned bits;
    uint64_t used;
    hw_arena arena;
} table;

typedef struct group_job {
    const hw_numbers *numbers;
    table tables[HW_MAX_THREADS];
} group_job;

static inline column *find(const table *t, int64_t key)
{
    uint64_t mask = ((uint64_t)1 << t->bits) - 1;
    uint64_t i = hw_hash(key) >> (64 - t->bits);
    while (t->columns[i].newest && t->columns[i].key != key)
        i = (i + 1) & mask;
    return &t->columns[i];
}

static void table_init(table *t, unsigned bits)
{
    t->bits = bits;
    t->columns = hw_pages(sizeof(column) << bits);
}

/* The slot of a key that is not in the table yet; at most half of the slots are used. */
static column *add(table *t, int64_t key)
{
    if (++t->used * 2 > (uint64_t)1 << t->bits) {
        table old = *t;
        table_init(t, old.bits + 1);
        for (uint64_t i = 0; i < (uint64_t)1 << old.bits; i++) {
            if (old.columns[i].newest)
                *find(t, old.columns[i].key) = old.columns[i];
        }
    }
    column *c = find(t, key);
    c->key = key;
    return c;
}

/* Gives the key a first or a further chunk and appends value. */
static __attribute__((noinline)) void append_to_new_chunk(table *t, int64_t key, int64_t value)
{
    chunk *fresh = hw_arena_take(&t->arena, sizeof *fresh);
    column *c = find(t, key);
    if (c->newest)
        c->newest->count = CHUNK_VALUES;
    else
        c = add(t, key);
    if (!c->newest)
        c->oldest = fresh;
    fresh->older = c->newest;
    c->newest = fresh;
    fresh->values[0] = value;
    c->next = fresh->values + 1;
}

static void append_span(table *t, uint64_t begin, uint64_t end, bool many_keys)
{
    int64_t keys[HW_BLOCK];
    for (uint64_t x = begin; x < end; x += HW_BLOCK) {
        unsigned n = end - x < HW_BLOCK ? (unsigned)(end - x) : HW_BLOCK;
        hw_block_keys(keys, x, n, many_keys);
        for (unsigned i = 0; i < n; i++) {
            column *c = find(t, keys[i]);
            if (c->newest && c->next != c->newest->values + CHUNK_VALUES)
                *c->next++ = (int64_t)(x + i);
            else
                append_to_new_chunk(t, keys[i], (int64_t)(x + i));
        }
    }
}

static void close_chunks(table *t)
{
    for (uint64_t i = 0; i < (uint64_t)1 << t->bits; i++) {
        column *c = &t->columns[i];
        if (c->newest)
            c->newest->count = (uint64_t)(c->next - c->newest->values);
    }
}

/* Puts every list of `from` in front of the one that `into` has for the key. */
static void link_lists(table *into, const table *from)
{
    for (uint64_t i = 0; i < (uint64_t)1 << from->bits; i++) {
        const column *f = &from->columns[i];
        if (!f->newest)
            continue;
        column *c = find(into, f->key);
        if (c->newest) {
            f->oldest->older = c->newest;
            c->newest = f->newest;
        } else {
            *add(into, f->key) = *f;
        }
    }
}

static void group_body(hw_worker *self)
{
    group_job *job = self->team->job;
    table *mine = &job->tables[self->index];
    table_init(mine, 11);
    uint64_t begin, end;
    while (hw_team_take(self, job->numbers->count, HW_SPAN, &begin, &end))
        append_span(mine, begin, end, job->numbers->many_keys);
    close_chunks(mine);
    hw_team_wait(self);

    table *all = &job->tables[0];
    if (self->index == 0) {
        for (int i = 1; i < self->team->threads; i++)
            link_lists(all, &job->tables[i]);
    }
    hw_team_wait(self);

    while (hw_team_take(self, (uint64_t)1 << all->bits, 16, &begin, &end)) {
        for (column *c = all->columns + begin; c < all->columns + end; c++) {
            if (!c->newest)
                continue;
            int64_t sum = 0;
            for (chunk *k = c->newest; k; k = k->older) {
                for (uint64_t i = 0; i < k->count; i++)
                    sum += k->values[i];
            }
            hw_checksum_add(&self->result, c->key, sum);
        }
    }
}

hw_checksum hw_group_few(const hw_numbers *numbers)
{
    group_job job = {.numbers = numbers};
    return hw_team_run(numbers->threads, &job, group_body);
}
