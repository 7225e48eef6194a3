/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* key_table.c - how the table grows. */
#include "plan/key_table.h"

#include <sys/mman.h>

#include "base/alloc.h"

enum {
    FIRST_CAPACITY = 256,
    LARGE_CAPACITY = 8192,
    HUGE_PAGE = 2 << 20
}; /* doubled from there on, else times 4 */

void beam_table_init(beam_key_table *table, bool number, size_t payload_size, size_t max_bytes)
{
    *table = (beam_key_table){.number = number};
    table->payload = number ? offsetof(beam_table_slot, b) : sizeof(beam_table_slot);
    table->stride = (table->payload + payload_size + 7) & ~(size_t)7;
    table->max_capacity = FIRST_CAPACITY;
    while (table->max_capacity * 2 * table->stride <= max_bytes)
        table->max_capacity *= 2;
}

void beam_table_free(beam_key_table *table)
{
    beam_free(table->slots);
    beam_arena_free(&table->texts);
    table->slots = NULL;
    table->capacity = table->used = 0;
}

void beam_table_cleared(beam_key_table *table)
{
    table->used = 0;
    beam_arena_reset(&table->texts);
}

void beam_table_rest(const beam_key_table *table, const beam_table_slot *end)
{
    size_t bytes = (size_t)((const char *)end - table->slots) / HUGE_PAGE * HUGE_PAGE;
    if (bytes)
        (void)madvise(table->slots, bytes, MADV_DONTNEED); /* if not, they are as free */
}

/* Slots are far apart: on small pages every other lookup would walk the page table. */
static char *make_slots(size_t bytes)
{
    char *slots = beam_aligned_alloc(bytes >= HUGE_PAGE ? HUGE_PAGE : 64, bytes);
    if (!slots)
        return NULL;
    if (bytes >= HUGE_PAGE)
        (void)madvise(slots, bytes, MADV_HUGEPAGE); /* a wish */
    memset(slots, 0, bytes);
    return slots;
}

static bool grow(beam_key_table *table)
{
    beam_key_table old = *table;
    size_t capacity =
        old.capacity ? old.capacity * (old.capacity < LARGE_CAPACITY ? 4 : 2) : FIRST_CAPACITY;
    if (capacity > table->max_capacity)
        capacity = table->max_capacity;
    char *slots = make_slots(capacity * table->stride);
    if (!slots)
        return false;
    table->slots = slots;
    table->capacity = capacity;
    table->shift = 64 - (unsigned)__builtin_ctzll(capacity);
    for (size_t i = 0; i < old.capacity; i++) {
        const beam_table_slot *from = beam_table_at(&old, i);
        if (from->tag == 0)
            continue;
        beam_table_key key = {from->a, table->number ? 0 : from->b, from->len, from->tag};
        uint64_t hash = beam_table_hash(&key, table->number);
        memcpy(beam_table_find(table, &key, hash, table->number), from, table->stride);
    }
    beam_free(old.slots);
    return true;
}

bool beam_table_make_room_(beam_key_table *table, size_t more, bool *out_of_memory)
{
    *out_of_memory = false;
    if (table->texts.total > BEAM_TABLE_TEXTS)
        return false;
    while (table->used + more > table->capacity / 2) {
        if (table->capacity == table->max_capacity)
            return false;
        if (!grow(table)) {
            *out_of_memory = true;
            return false;
        }
    }
    return true;
}
