/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_group.c - one partition of some generations as groups.
 *
 * Chunk lists are taken as they are.  Radix records are numbered by their key in a first
 * pass and their values scattered, key by key, into one array in a second: a partition is
 * small enough that both passes stay in cache.  Where values may be merged, one pass does.
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
    uint32_t *ids = beam_malloc(size * sizeof *ids);
    if (!tags || !ids) {
        beam_free(tags);
        beam_free(ids);
        return BEAM_RESOURCE_EXHAUSTED;
    }
    memset(ids, 0, size * sizeof *ids);
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
        entry->total += beam_chunk_total(slot->chunk);
    }
    return BEAM_OK;
}

static size_t count_records(const beam_generation *generations, uint32_t partition)
{
    size_t n = 0;
    for (const beam_generation *g = generations; g; g = g->next)
        n += g->radix ? beam_chunk_total(g->radix[partition].chunk) : 0;
    return n;
}

/* Counts live apart from the groups: both passes touch one for each record, and so they all
 * stay in the first cache. */
static beam_status make_counts(beam_grouping *grouping, size_t n)
{
    void *counts = grouping->counts;
    size_t had = grouping->counts_capacity;
    int grown = beam_grow(&counts, &grouping->counts_capacity, n, sizeof *grouping->counts);
    grouping->counts = counts;
    if (grown != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    memset(grouping->counts + had, 0, (grouping->counts_capacity - had) * sizeof *grouping->counts);
    return BEAM_OK;
}

/* What find_group does, for keys that are 8 bytes and nothing else. */
static inline beam_status find_number(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                      uint64_t tag, uint32_t *group)
{
    const size_t mask = grouping->table_size - 1;
    size_t i = beam_shuffle_mix(tag) & mask;
    while (grouping->ids[i] && grouping->tags[i] != tag)
        i = (i + 1) & mask;
    *group = grouping->ids[i] - 1;
    if (BEAM_LIKELY(*group != UINT32_MAX))
        return BEAM_OK;
    BEAM_TRY(add_group(grouping, layout, tag, NULL, group));
    return *group < grouping->counts_capacity ? BEAM_OK : make_counts(grouping, (size_t)*group + 1);
}

static beam_status find_record(beam_grouping *grouping, const beam_shuffle_layout *layout,
                               const char *record, uint32_t *group)
{
    uint64_t tag;
    const beam_shuffle_key *key = NULL;
    if (layout->scalar)
        memcpy(&tag, record, sizeof tag);
    else
        key = beam_record_key(record, grouping->partition, &tag);
    BEAM_TRY(find_group(grouping, layout, tag, key, group));
    return *group < grouping->counts_capacity ? BEAM_OK : make_counts(grouping, (size_t)*group + 1);
}

static beam_status number_records(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                  const beam_chunk *chunk, size_t *at)
{
    for (; chunk; chunk = chunk->prev) {
        const char *record = beam_chunk_data(chunk);
        for (uint64_t i = 0; i < chunk->n; i++, record += layout->record) {
            uint32_t group;
            BEAM_TRY(find_record(grouping, layout, record, &group));
            grouping->record_ids[(*at)++] = group;
            grouping->counts[group]++;
        }
    }
    return BEAM_OK;
}

/* The next chunk lies anywhere: its first lines come while this one is read, and then it is the
 * processor that sees where this leads. */
static inline void fetch_ahead(const beam_chunk *chunk)
{
    const char *next = (const char *)chunk->prev;
    if (next)
        for (size_t line = 0; line < 4; line++)
            __builtin_prefetch(next + line * 64);
}

/* Same again for keys and values of 8 bytes, with all that does not change in registers. */
static beam_status number_pairs(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                const beam_chunk *chunk, size_t *at)
{
    uint32_t *ids_out = grouping->record_ids + *at;
    for (; chunk; chunk = chunk->prev) {
        fetch_ahead(chunk);
        const uint64_t *record = (const uint64_t *)(const void *)beam_chunk_data(chunk);
        for (const uint64_t *end = record + 2 * chunk->n; record < end; record += 2) {
            uint32_t group;
            BEAM_TRY(find_number(grouping, layout, *record, &group));
            *ids_out++ = group;
            grouping->counts[group]++;
        }
    }
    *at = (size_t)(ids_out - grouping->record_ids);
    return BEAM_OK;
}

/* counts[g] is where the next value of group g goes, in values from the array's start. */
static void scatter_records(beam_grouping *grouping, const beam_shuffle_layout *layout,
                            const beam_chunk *chunk, size_t *at)
{
    const size_t stride = layout->stride;
    for (; chunk; chunk = chunk->prev) {
        const char *value = beam_chunk_data(chunk) + layout->record_value;
        for (uint64_t i = 0; i < chunk->n; i++, value += layout->record) {
            uint64_t place = grouping->counts[grouping->record_ids[(*at)++]]++;
            memcpy(grouping->array + place * stride, value, stride);
        }
    }
}

static void scatter_pairs(beam_grouping *grouping, const beam_chunk *chunk, size_t *at)
{
    uint64_t *array = (uint64_t *)(void *)grouping->array, *places = grouping->counts;
    const uint32_t *ids = grouping->record_ids + *at;
    for (; chunk; chunk = chunk->prev) {
        fetch_ahead(chunk);
        const uint64_t *record = (const uint64_t *)(const void *)beam_chunk_data(chunk);
        for (const uint64_t *end = record + 2 * chunk->n; record < end; record += 2)
            array[places[*ids++]++] = record[1];
    }
    *at = (size_t)(ids - grouping->record_ids);
}

/* Cuts the array into the groups' parts; counts become the parts' beginnings. */
static void place_groups(beam_grouping *grouping, const beam_shuffle_layout *layout)
{
    uint64_t at = 0;
    for (size_t i = 0; i < grouping->n_groups; i++) {
        beam_group_entry *entry = &grouping->groups[i];
        entry->array_len = grouping->counts[i];
        entry->array = grouping->array + at * layout->stride;
        entry->total += entry->array_len;
        grouping->counts[i] = at;
        at += entry->array_len;
    }
}

static beam_status grow_bytes(char **bytes, size_t *capacity, size_t need)
{
    void *grows = *bytes;
    int grown = beam_grow(&grows, capacity, need, 1);
    *bytes = grows;
    return grown == 0 ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

static bool are_pairs(const beam_shuffle_layout *layout)
{
    return layout->scalar && layout->record == 2 * sizeof(uint64_t) &&
           layout->stride == sizeof(uint64_t);
}

/* Values by group, each group's in one piece of the array. */
static beam_status scatter(beam_grouping *grouping, const beam_shuffle_layout *layout,
                           const beam_generation *generations, uint32_t partition, size_t n)
{
    void *ids = grouping->record_ids;
    int grown = beam_grow(&ids, &grouping->record_ids_capacity, n, sizeof *grouping->record_ids);
    grouping->record_ids = ids;
    if (grown != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    BEAM_TRY(grow_bytes(&grouping->array, &grouping->array_capacity, n * layout->stride));
    const bool pairs = are_pairs(layout);
    size_t at = 0;
    for (const beam_generation *g = generations; g; g = g->next)
        if (g->radix)
            BEAM_TRY((pairs ? number_pairs : number_records)(grouping, layout,
                                                             g->radix[partition].chunk, &at));
    place_groups(grouping, layout);
    at = 0;
    for (const beam_generation *g = generations; g; g = g->next) {
        if (g->radix && pairs)
            scatter_pairs(grouping, g->radix[partition].chunk, &at);
        else if (g->radix)
            scatter_records(grouping, layout, g->radix[partition].chunk, &at);
    }
    return BEAM_OK;
}

/* ---- Records that are merged ---------------------------------------------------------- */

enum { MERGED_AT_ONCE = 64 };

typedef struct merge_queue {
    void *values[MERGED_AT_ONCE];
    size_t n, stride;
    /* Groups from here on have no value yet.  They are numbered as they come, so a group is new
     * when it has the next number.  Those of chunk lists came before any record. */
    size_t fresh, from_lists;
} merge_queue;

static beam_status merge_queued(const beam_grouping *grouping, merge_queue *queue)
{
    size_t n = queue->n;
    queue->n = 0;
    return n ? grouping->merger.merge(grouping->merger.self, queue->values, grouping->others,
                                      queue->stride, n)
             : BEAM_OK;
}

static inline bool is_first(beam_grouping *grouping, merge_queue *queue, uint32_t group)
{
    if (BEAM_UNLIKELY(group < queue->from_lists))
        return grouping->counts[group]++ == 0;
    if (BEAM_LIKELY(group != queue->fresh))
        return false;
    queue->fresh++;
    return true;
}

/* A key's first value is copied into the array, and takes the others. */
static inline __attribute__((always_inline)) beam_status
merge_records(beam_grouping *grouping, const beam_shuffle_layout *layout, const beam_chunk *chunk,
              merge_queue *queue, bool pairs)
{
    const size_t stride = pairs ? sizeof(uint64_t) : layout->stride;
    const size_t record_size = pairs ? 2 * sizeof(uint64_t) : layout->record;
    const size_t value_at = pairs ? sizeof(uint64_t) : layout->record_value;
    char *const others = grouping->others;
    for (; chunk; chunk = chunk->prev) {
        const char *record = beam_chunk_data(chunk);
        const ptrdiff_t next = chunk->prev ? (const char *)chunk->prev - (const char *)chunk : 0;
        for (const char *end = record + chunk->n * record_size; record < end;
             record += record_size) {
            __builtin_prefetch(record + next); /* the next chunk lies anywhere */
            uint32_t group;
            if (pairs)
                BEAM_TRY(
                    find_number(grouping, layout, *(const uint64_t *)(const void *)record, &group));
            else
                BEAM_TRY(find_record(grouping, layout, record, &group));
            char *value = grouping->array + group * stride;
            if (is_first(grouping, queue, group)) {
                memcpy(value, record + value_at, stride);
                continue;
            }
            queue->values[queue->n] = value;
            memcpy(others + queue->n * stride, record + value_at, stride);
            if (++queue->n == MERGED_AT_ONCE)
                BEAM_TRY(merge_queued(grouping, queue));
        }
    }
    return BEAM_OK;
}

/* One value for each group of records, in the groups' order. */
static beam_status merge(beam_grouping *grouping, const beam_shuffle_layout *layout,
                         const beam_generation *generations, uint32_t partition, size_t n)
{
    merge_queue queue;
    queue.n = 0;
    queue.stride = layout->stride;
    queue.fresh = queue.from_lists = grouping->n_groups;
    BEAM_TRY(grow_bytes(&grouping->array, &grouping->array_capacity,
                        (grouping->n_groups + n) * layout->stride));
    BEAM_TRY(
        grow_bytes(&grouping->others, &grouping->others_capacity, MERGED_AT_ONCE * layout->stride));
    for (const beam_generation *g = generations; g; g = g->next) {
        const beam_chunk *records = g->radix ? g->radix[partition].chunk : NULL;
        if (are_pairs(layout))
            BEAM_TRY(merge_records(grouping, layout, records, &queue, true));
        else
            BEAM_TRY(merge_records(grouping, layout, records, &queue, false));
    }
    for (size_t i = 0; i < grouping->n_groups; i++) {
        beam_group_entry *entry = &grouping->groups[i];
        entry->array = grouping->array + i * layout->stride;
        entry->array_len = i >= queue.from_lists || grouping->counts[i] != 0;
        entry->total += entry->array_len;
    }
    return merge_queued(grouping, &queue);
}

static beam_status take_records(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                const beam_generation *generations, uint32_t partition)
{
    size_t n = count_records(generations, partition);
    if (n == 0)
        return BEAM_OK;
    if (grouping->counts)
        memset(grouping->counts, 0, grouping->counts_capacity * sizeof *grouping->counts);
    BEAM_TRY(make_counts(grouping, grouping->n_groups + 1));
    if (grouping->merger.merge && layout->merges)
        return merge(grouping, layout, generations, partition, n);
    return scatter(grouping, layout, generations, partition, n);
}

beam_status beam_grouping_build(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                const beam_generation *generations, uint32_t partition)
{
    beam_arena_reset(&grouping->arena);
    grouping->partition = partition;
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
    beam_free(grouping->counts);
    beam_free(grouping->others);
    beam_free(grouping->record_ids);
    beam_free(grouping->array);
    *grouping = (beam_grouping){0};
}
