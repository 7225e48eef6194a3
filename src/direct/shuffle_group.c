/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_group.c - one partition of some generations as groups.
 *
 * Chunk lists are taken as they are.  Radix records are numbered by their key in a first
 * pass and their values scattered, key by key, into one array in a second: a partition is
 * small enough that both passes stay in cache.
 */
#include "base/alloc.h"
#include "direct/shuffle_internal.h"

enum { FIRST_TABLE = 256 };

static void place(beam_grouping *grouping, const beam_shuffle_layout *layout, uint32_t group)
{
    uint64_t tag = grouping->groups[group].tag;
    size_t mask = grouping->table_size - 1;
    size_t i = beam_shuffle_hash(layout, tag) & mask;
    while (grouping->ids[i])
        i = (i + 1) & mask;
    grouping->tags[i] = tag;
    grouping->ids[i] = group + 1;
}

static beam_status resize_table(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                size_t size)
{
    uint64_t *tags = beam_malloc(size * sizeof *tags);
    uint32_t *ids = beam_calloc(size, sizeof *ids);
    if (!tags || !ids) {
        beam_free(tags);
        beam_free(ids);
        return BEAM_RESOURCE_EXHAUSTED;
    }
    beam_free(grouping->tags);
    beam_free(grouping->ids);
    grouping->tags = tags;
    grouping->ids = ids;
    grouping->table_size = size;
    for (size_t g = 0; g < grouping->n_groups; g++)
        place(grouping, layout, (uint32_t)g);
    return BEAM_OK;
}

static beam_status __attribute__((noinline))
add_group(beam_grouping *grouping, const beam_shuffle_layout *layout, uint64_t tag,
          const beam_shuffle_key *key, uint32_t *group)
{
    if (grouping->n_groups >= UINT32_MAX - 1)
        return BEAM_RESOURCE_EXHAUSTED;
    if ((grouping->n_groups + 1) * 2 > grouping->table_size)
        BEAM_TRY(resize_table(grouping, layout,
                              grouping->table_size ? grouping->table_size * 2 : FIRST_TABLE));
    void *groups = grouping->groups;
    int grown = beam_grow(&groups, &grouping->groups_capacity, grouping->n_groups + 1,
                          sizeof *grouping->groups);
    grouping->groups = groups;
    if (grown != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    *group = (uint32_t)grouping->n_groups++;
    grouping->groups[*group] = (beam_group_entry){.tag = tag, .key = key};
    place(grouping, layout, *group);
    return BEAM_OK;
}

static inline beam_status find_group(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                     uint64_t tag, const beam_shuffle_key *key, uint32_t *group)
{
    size_t mask = grouping->table_size - 1;
    size_t i = beam_shuffle_hash(layout, tag) & mask;
    for (; grouping->ids[i]; i = (i + 1) & mask) {
        if (grouping->tags[i] != tag)
            continue;
        uint32_t found = grouping->ids[i] - 1;
        if (!key || beam_shuffle_key_equal(grouping->groups[found].key, key)) {
            *group = found;
            return BEAM_OK;
        }
    }
    return add_group(grouping, layout, tag, key, group);
}

/* The first ordered slot whose hash is not below `hash`. */
static size_t lower_bound(const beam_generation *g, uint64_t hash)
{
    size_t low = 0, high = g->slots_used;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->ordered[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static beam_status take_slots(beam_grouping *grouping, const beam_shuffle_layout *layout,
                              const beam_generation *g, uint32_t partition)
{
    size_t i = lower_bound(g, (uint64_t)partition << 54);
    for (; i < g->slots_used && beam_shuffle_partition(g->ordered[i].hash) == partition; i++) {
        const beam_slot *slot = g->ordered[i].slot;
        uint32_t group;
        BEAM_TRY(find_group(grouping, layout, slot->tag, slot->chunk->key, &group));
        beam_piece *piece = beam_arena_alloc(&grouping->arena, sizeof *piece);
        if (!piece)
            return BEAM_RESOURCE_EXHAUSTED;
        beam_group_entry *entry = &grouping->groups[group];
        *piece = (beam_piece){slot->chunk, entry->pieces};
        entry->pieces = piece;
        for (const beam_chunk *c = slot->chunk; c; c = c->prev)
            entry->total += c->n;
    }
    return BEAM_OK;
}

static size_t count_records(const beam_generation *generations, uint32_t partition)
{
    size_t n = 0;
    for (const beam_generation *g = generations; g; g = g->next)
        if (g->radix)
            for (const beam_chunk *c = g->radix[partition].chunk; c; c = c->prev)
                n += c->n;
    return n;
}

static beam_status number_records(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                  const beam_chunk *chunk, size_t *at)
{
    for (; chunk; chunk = chunk->prev) {
        const char *record = beam_chunk_data(chunk);
        for (uint64_t i = 0; i < chunk->n; i++, record += layout->record) {
            uint64_t tag;
            const beam_shuffle_key *key = NULL;
            memcpy(&tag, record, sizeof tag);
            if (!layout->scalar)
                memcpy(&key, record + sizeof tag, sizeof key);
            uint32_t group;
            BEAM_TRY(find_group(grouping, layout, tag, key, &group));
            grouping->record_ids[(*at)++] = group;
            grouping->groups[group].array_len++;
        }
    }
    return BEAM_OK;
}

static void scatter_records(beam_grouping *grouping, const beam_shuffle_layout *layout,
                            const beam_chunk *chunk, size_t *at)
{
    const size_t stride = layout->stride;
    for (; chunk; chunk = chunk->prev) {
        const char *value = beam_chunk_data(chunk) + layout->record_value;
        for (uint64_t i = 0; i < chunk->n; i++, value += layout->record) {
            beam_group_entry *entry = &grouping->groups[grouping->record_ids[(*at)++]];
            char *to = (char *)(uintptr_t)entry->array + entry->array_len++ * stride;
            if (stride == sizeof(uint64_t))
                memcpy(to, value, sizeof(uint64_t));
            else
                memcpy(to, value, stride);
        }
    }
}

static beam_status take_records(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                const beam_generation *generations, uint32_t partition)
{
    size_t n = count_records(generations, partition);
    if (n == 0)
        return BEAM_OK;
    void *ids = grouping->record_ids, *array = grouping->array;
    int grown = beam_grow(&ids, &grouping->record_ids_capacity, n, sizeof *grouping->record_ids);
    grouping->record_ids = ids;
    if (grown == 0)
        grown = beam_grow(&array, &grouping->array_capacity, n * layout->stride, 1);
    grouping->array = array;
    if (grown != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    size_t at = 0;
    for (const beam_generation *g = generations; g; g = g->next)
        if (g->radix)
            BEAM_TRY(number_records(grouping, layout, g->radix[partition].chunk, &at));
    char *to = grouping->array;
    for (size_t i = 0; i < grouping->n_groups; i++) {
        beam_group_entry *entry = &grouping->groups[i];
        entry->array = to;
        to += entry->array_len * layout->stride;
        entry->total += entry->array_len;
        entry->array_len = 0;
    }
    at = 0;
    for (const beam_generation *g = generations; g; g = g->next)
        if (g->radix)
            scatter_records(grouping, layout, g->radix[partition].chunk, &at);
    return BEAM_OK;
}

beam_status beam_grouping_build(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                const beam_generation *generations, uint32_t partition)
{
    beam_arena_reset(&grouping->arena);
    grouping->n_groups = 0;
    if (grouping->table_size)
        memset(grouping->ids, 0, grouping->table_size * sizeof *grouping->ids);
    else
        BEAM_TRY(resize_table(grouping, layout, FIRST_TABLE));
    for (const beam_generation *g = generations; g; g = g->next)
        BEAM_TRY(take_slots(grouping, layout, g, partition));
    return take_records(grouping, layout, generations, partition);
}

void beam_grouping_free(beam_grouping *grouping)
{
    beam_arena_free(&grouping->arena);
    beam_free(grouping->tags);
    beam_free(grouping->ids);
    beam_free(grouping->groups);
    beam_free(grouping->record_ids);
    beam_free(grouping->array);
    *grouping = (beam_grouping){0};
}
