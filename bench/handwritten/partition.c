/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Radix partitioning with a cache line of staging for each part, and the index of a part's keys. */
#include "partition.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

typedef struct cursor {
    hw_pairs *chunk;
    uint32_t staged; /* pairs in the staging lines */
    uint32_t lines;  /* lines of the chunk already written */
} cursor;

struct hw_partitioner {
    cursor cursors[HW_PARTS];
    _Alignas(64) int64_t keys[HW_PARTS][HW_LINE];
    _Alignas(64) int64_t values[HW_PARTS][HW_LINE];
    hw_arena arena;
};

hw_partitioner *hw_partitioner_new(void)
{
    return hw_pages(sizeof(hw_partitioner));
}

/* Copies a line past the caches: nobody reads it before the next phase. */
static inline void stream_line(int64_t *to, const int64_t *from)
{
#if defined(__AVX512F__)
    _mm512_stream_si512((void *)to, _mm512_load_si512(from));
#elif defined(__SSE2__)
    for (int i = 0; i < HW_LINE; i += 2)
        _mm_stream_si128((__m128i *)(to + i), _mm_load_si128((const __m128i *)(from + i)));
#else
    memcpy(to, from, HW_LINE * sizeof *to);
#endif
}

static __attribute__((noinline)) void open_chunk(hw_partitioner *p, cursor *c)
{
    hw_pairs *fresh = hw_arena_take(&p->arena, sizeof *fresh);
    if (c->chunk)
        c->chunk->count = (uint64_t)c->lines * HW_LINE;
    fresh->older = c->chunk;
    c->chunk = fresh;
    c->lines = 0;
}

static inline void flush_lines(hw_partitioner *p, unsigned part)
{
    cursor *c = &p->cursors[part];
    if (!c->chunk || c->lines == HW_CHUNK_LINES)
        open_chunk(p, c);
    size_t at = (size_t)c->lines++ * HW_LINE;
    stream_line(c->chunk->keys + at, p->keys[part]);
    stream_line(c->chunk->values + at, p->values[part]);
}

static inline __attribute__((always_inline)) void partition(hw_partitioner *p, uint64_t begin,
                                                            uint64_t end, bool many_keys)
{
    int64_t keys[HW_BLOCK];
    for (uint64_t x = begin; x < end; x += HW_BLOCK) {
        unsigned n = end - x < HW_BLOCK ? (unsigned)(end - x) : HW_BLOCK;
        hw_block_keys(keys, x, n, many_keys);
        for (unsigned i = 0; i < n; i++) {
            unsigned part = (unsigned)(hw_hash(keys[i]) >> (64 - HW_PART_BITS));
            uint32_t staged = p->cursors[part].staged;
            p->keys[part][staged] = keys[i];
            p->values[part][staged] = (int64_t)(x + i);
            p->cursors[part].staged = (staged + 1) % HW_LINE;
            if (staged == HW_LINE - 1)
                flush_lines(p, part);
        }
    }
}

void hw_partition_numbers(hw_partitioner *p, uint64_t begin, uint64_t end, bool many_keys)
{
    if (many_keys)
        partition(p, begin, end, true);
    else
        partition(p, begin, end, false);
}

void hw_partitioner_finish(hw_partitioner *p)
{
    for (unsigned part = 0; part < HW_PARTS; part++) {
        cursor *c = &p->cursors[part];
        if (c->staged)
            flush_lines(p, part); /* the line's tail is not counted */
        if (c->chunk)
            c->chunk->count = (uint64_t)c->lines * HW_LINE - (c->staged ? HW_LINE - c->staged : 0);
    }
#ifdef __SSE2__
    _mm_sfence();
#endif
}

hw_pairs *hw_partitioner_part(const hw_partitioner *p, unsigned part)
{
    return p->cursors[part].chunk;
}

static void index_allocate(hw_key_index *index)
{
    size_t slots = (size_t)1 << index->bits;
    index->slots = hw_alloc(slots * sizeof *index->slots);
    index->keys = hw_alloc(slots / 2 * sizeof *index->keys);
    memset(index->slots, 0, slots * sizeof *index->slots);
}

void hw_key_index_init(hw_key_index *index)
{
    *index = (hw_key_index){.bits = 10};
    index_allocate(index);
}

void hw_key_index_clear(hw_key_index *index)
{
    index->count = 0;
    memset(index->slots, 0, sizeof *index->slots << index->bits);
}

void hw_key_index_free(hw_key_index *index)
{
    free(index->keys);
    free(index->slots);
}

uint32_t hw_key_index_add(hw_key_index *index, int64_t key)
{
    if (index->count == (uint32_t)1 << (index->bits - 1)) {
        hw_key_index old = *index;
        index->bits++;
        index_allocate(index);
        memcpy(index->keys, old.keys, old.count * sizeof *old.keys);
        for (uint32_t i = 0; i < old.count; i++)
            *hw_key_index_find(index, old.keys[i]) =
                (struct hw_key_slot){.key = old.keys[i], .number = i + (uint64_t)1};
        hw_key_index_free(&old);
    }
    uint32_t number = index->count++;
    index->keys[number] = key;
    *hw_key_index_find(index, key) =
        (struct hw_key_slot){.key = key, .number = number + (uint64_t)1};
    return number;
}
