/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Radix partitioning: splits pairs of key and value over many small parts by their keys' hashes,
 * so that what follows works on one part at a time inside the cache. */
#ifndef BENCH_HANDWRITTEN_PARTITION_H
#define BENCH_HANDWRITTEN_PARTITION_H

#include "handwritten.h"
#include "numbers.h"

enum {
    HW_PART_BITS = 11,
    HW_PARTS = 1 << HW_PART_BITS,
    HW_LINE = 8,         /* numbers in a cache line */
    HW_CHUNK_LINES = 125 /* of keys, and as many of values */
};

/* Keys and values lie apart: whoever counts keys reads no values. */
typedef struct hw_pairs {
    struct hw_pairs *older;
    uint64_t count;
    char pad[48];
    int64_t keys[HW_CHUNK_LINES * HW_LINE];
    int64_t values[HW_CHUNK_LINES * HW_LINE];
} hw_pairs;

typedef struct hw_partitioner hw_partitioner;

hw_partitioner *hw_partitioner_new(void);

/* Adds the numbers [begin, end) with their keys. */
void hw_partition_numbers(hw_partitioner *p, uint64_t begin, uint64_t end, bool many_keys);

/* Writes out what is still staged; after it, and a barrier, all threads may read the parts. */
void hw_partitioner_finish(hw_partitioner *p);

hw_pairs *hw_partitioner_part(const hw_partitioner *p, unsigned part);

/* A part's keys in the order of their first appearance. */
typedef struct hw_key_index {
    int64_t *keys; /* by number; [count] of them */
    uint32_t count;
    unsigned bits;
    struct hw_key_slot {
        int64_t key;
        uint64_t number; /* 1 + the key's number, 0 in a free slot */
    } * slots;
} hw_key_index;

void hw_key_index_init(hw_key_index *index);
void hw_key_index_clear(hw_key_index *index);
void hw_key_index_free(hw_key_index *index);
uint32_t hw_key_index_add(hw_key_index *index, int64_t key);

static inline struct hw_key_slot *hw_key_index_find(const hw_key_index *index, int64_t key)
{
    uint64_t mask = ((uint64_t)1 << index->bits) - 1;
    /* The part has used up the highest bits. */
    uint64_t i = hw_hash(key) << HW_PART_BITS >> (64 - index->bits);
    while (index->slots[i].number && index->slots[i].key != key)
        i = (i + 1) & mask;
    return &index->slots[i];
}

/* The key's number, a new one for a new key. */
static inline uint32_t hw_key_number(hw_key_index *index, int64_t key)
{
    struct hw_key_slot *slot = hw_key_index_find(index, key);
    return slot->number ? (uint32_t)(slot->number - 1) : hw_key_index_add(index, key);
}

#endif
