/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_write.c - a bundle's elements into a generation.
 *
 * While a bundle has few keys, each key's values go to a chunk list behind a hash table that
 * stays in cache: one probe and one store an element, and reading needs no regrouping.  With
 * many keys every probe would miss the cache, so from then on whole elements are appended to
 * radix partitions, small enough to be grouped in cache when they are read.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "direct/shuffle_internal.h"
#include "direct/shuffle_writer.h"
#include "type/key.h"
#include "type/value.h"

enum {
    FIRST_SLOTS = 64,
    MOST_KEYS = 8192,     /* in the hash table: 256 KiB of slots, the share of an L2 cache */
    FIRST_VALUES = 6,     /* of a chunk; then each is twice the one before */
    LARGEST_CHUNK = 4096, /* bytes: half of one is wasted a key and bundle */
    FIRST_RECORDS = 16
};

beam_generation *beam_generation_new(void)
{
    beam_generation *g = beam_calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->slots = beam_calloc(FIRST_SLOTS, sizeof *g->slots);
    if (!g->slots) {
        beam_free(g);
        return NULL;
    }
    g->slot_mask = FIRST_SLOTS - 1;
    return g;
}

static uint64_t held(const beam_generation *g)
{
    return g->memory.total + (g->slot_mask + 1) * sizeof *g->slots +
           (g->radix ? BEAM_SHUFFLE_PARTITIONS * sizeof *g->radix : 0) +
           (g->ordered ? g->slots_used * sizeof *g->ordered : 0);
}

void beam_generation_account(beam_generation *g, beam_memory_budget *budget)
{
    uint64_t now = held(g);
    if (now > g->accounted)
        beam_memory_budget_add(budget, now - g->accounted);
    else
        beam_memory_budget_sub(budget, g->accounted - now);
    g->accounted = now;
}

void beam_generation_free(beam_generation *g, beam_memory_budget *budget)
{
    if (!g)
        return;
    beam_memory_budget_sub(budget, g->accounted);
    beam_arena_free(&g->memory);
    beam_free(g->slots);
    beam_free(g->radix);
    beam_free(g->ordered);
    beam_free(g);
}

/* ---- Chunks -------------------------------------------------------------------------- */

static beam_chunk *new_chunk(beam_generation *g, beam_chunk *prev, uint64_t first, size_t stride)
{
    uint64_t capacity = prev ? prev->n * 2 : first;
    if (capacity * stride > LARGEST_CHUNK) {
        capacity = (LARGEST_CHUNK - sizeof(beam_chunk)) / stride;
        if (capacity < 1)
            capacity = 1;
    }
    beam_chunk *chunk = beam_arena_alloc(&g->memory, sizeof *chunk + capacity * stride);
    if (!chunk)
        return NULL;
    *chunk = (beam_chunk){.prev = prev, .n = capacity, .before = beam_chunk_total(prev)};
    return chunk;
}

static void close_chunk(beam_chunk *chunk, const char *at, size_t stride)
{
    chunk->n = (uint64_t)(at - beam_chunk_data(chunk)) / stride;
}

/* ---- The hash table ------------------------------------------------------------------ */

static beam_slot *find_scalar(const beam_generation *g, uint64_t tag)
{
    uint64_t i = beam_shuffle_mix(tag) & g->slot_mask;
    while (g->slots[i].chunk && g->slots[i].tag != tag)
        i = (i + 1) & g->slot_mask;
    return &g->slots[i];
}

static beam_slot *find_general(const beam_generation *g, uint64_t tag, const beam_shuffle_key *key)
{
    uint64_t i = tag & g->slot_mask;
    while (g->slots[i].chunk &&
           (g->slots[i].tag != tag || !beam_shuffle_key_equal(g->slots[i].chunk->key, key)))
        i = (i + 1) & g->slot_mask;
    return &g->slots[i];
}

static beam_status grow_table(beam_generation *g, const beam_shuffle_layout *layout)
{
    uint64_t size = (g->slot_mask + 1) * 2, mask = size - 1;
    beam_slot *slots = beam_malloc(size * sizeof *slots);
    if (!slots)
        return BEAM_RESOURCE_EXHAUSTED;
    /* Not calloc: pages that are read before they are written are made twice. */
    memset(slots, 0, size * sizeof *slots);
    for (uint64_t i = 0; i <= g->slot_mask; i++) {
        if (!g->slots[i].chunk)
            continue;
        uint64_t j = beam_shuffle_hash(layout, g->slots[i].tag) & mask;
        while (slots[j].chunk)
            j = (j + 1) & mask;
        slots[j] = g->slots[i];
    }
    beam_free(g->slots);
    g->slots = slots;
    g->slot_mask = mask;
    return BEAM_OK;
}

static beam_status start_radix(beam_shuffle_writer *w)
{
    w->generation->radix = beam_calloc(BEAM_SHUFFLE_PARTITIONS, sizeof *w->generation->radix);
    if (!w->generation->radix)
        return BEAM_RESOURCE_EXHAUSTED;
    atomic_store_explicit(&w->shuffle->many_keys, true, memory_order_relaxed);
    return BEAM_OK;
}

/* A key as long as the bundle: the element's own copy. */
static const beam_shuffle_key *copy_key(beam_shuffle_writer *w, const beam_shuffle_key *key)
{
    return beam_arena_copy(&w->generation->memory, key, sizeof *key + key->image_len);
}

/* Room for one more value of a key whose chunk is full, or that is new. *out is NULL when
 * the key would be one too many: the element goes to a partition then. */
static beam_status __attribute__((noinline))
make_room(beam_shuffle_writer *w, beam_slot *slot, uint64_t tag, const beam_shuffle_key *key,
          beam_slot **out)
{
    beam_generation *g = w->generation;
    const beam_shuffle_layout *layout = &w->shuffle->layout;
    bool is_new = slot->chunk == NULL;
    *out = NULL;
    if (is_new) {
        if (g->slots_used >= MOST_KEYS)
            return start_radix(w);
        if ((g->slots_used + 1) * 2 > g->slot_mask) {
            BEAM_TRY(grow_table(g, layout));
            slot = layout->scalar ? find_scalar(g, tag) : find_general(g, tag, key);
        }
        if (key && !(key = copy_key(w, key)))
            return BEAM_RESOURCE_EXHAUSTED;
    } else {
        key = slot->chunk->key;
    }
    beam_chunk *chunk = new_chunk(g, slot->chunk, FIRST_VALUES, layout->stride);
    if (!chunk)
        return BEAM_RESOURCE_EXHAUSTED;
    chunk->key = key;
    g->slots_used += is_new;
    char *data = beam_chunk_data(chunk);
    *slot = (beam_slot){tag, data, data + chunk->n * layout->stride, chunk};
    *out = slot;
    return BEAM_OK;
}

/* ---- Kept values and records --------------------------------------------------------- */

static beam_status keep_value(beam_shuffle_writer *w, char *kept, const char *value,
                              beam_window window, beam_timestamp timestamp)
{
    const beam_shuffle_layout *layout = &w->shuffle->layout;
    if (layout->flat_value)
        memcpy(kept, value, layout->value_size);
    else
        BEAM_TRY(beam_value_copy(layout->value, kept, value, &w->generation->memory));
    if (layout->sessions)
        memcpy(kept + layout->window_offset, &window, sizeof window);
    if (layout->keep_timestamp)
        memcpy(kept + layout->timestamp_offset, &timestamp, sizeof timestamp);
    return BEAM_OK;
}

/* Where beam_record_key finds it. */
static beam_status keep_key(beam_shuffle_writer *w, char *record, const beam_shuffle_key *key,
                            uint64_t tag)
{
    if (beam_record_has_room(key)) {
        memcpy(record, key, sizeof *key + key->image_len);
        return BEAM_OK;
    }
    const beam_far_key far = {key->image_len, (uint32_t)tag, copy_key(w, key)};
    memcpy(record, &far, sizeof far);
    return far.key ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

static beam_status __attribute__((noinline))
radix_room(beam_generation *g, beam_radix_list *list, size_t record)
{
    beam_chunk *chunk = new_chunk(g, list->chunk, FIRST_RECORDS, record);
    if (!chunk)
        return BEAM_RESOURCE_EXHAUSTED;
    list->chunk = chunk;
    list->at = beam_chunk_data(chunk);
    list->end = list->at + chunk->n * record;
    return BEAM_OK;
}

/* ---- Writing: keys of 8 bytes, values of 8 flat bytes, the global window ---------------- */

typedef struct pair {
    uint64_t key, value;
} pair;

static beam_status write_pairs_radix(beam_shuffle_writer *w, const pair *pairs, size_t n)
{
    beam_generation *g = w->generation;
    for (size_t i = 0; i < n; i++) {
        beam_radix_list *list = &g->radix[beam_shuffle_partition(beam_shuffle_mix(pairs[i].key))];
        if (BEAM_UNLIKELY(list->at == list->end))
            BEAM_TRY(radix_room(g, list, sizeof(pair)));
        *(pair *)(void *)list->at = pairs[i];
        list->at += sizeof(pair);
    }
    return BEAM_OK;
}

static beam_status write_pairs(beam_shuffle_writer *w, const void *elements, size_t n)
{
    beam_generation *g = w->generation;
    const pair *pairs = elements;
    for (size_t i = 0; i < n; i++) {
        if (BEAM_UNLIKELY(g->radix != NULL))
            return write_pairs_radix(w, pairs + i, n - i);
        beam_slot *slot = find_scalar(g, pairs[i].key);
        if (BEAM_UNLIKELY(slot->at == slot->end)) {
            BEAM_TRY(make_room(w, slot, pairs[i].key, NULL, &slot));
            if (!slot)
                return write_pairs_radix(w, pairs + i, n - i);
        }
        *(uint64_t *)(void *)slot->at = pairs[i].value;
        slot->at += sizeof(uint64_t);
    }
    return BEAM_OK;
}

/* ---- Writing: all the rest ----------------------------------------------------------- */

static beam_status write_kept(beam_shuffle_writer *w, uint64_t tag, const beam_shuffle_key *key,
                              const char *value, beam_window window, beam_timestamp timestamp)
{
    const beam_shuffle_layout *layout = &w->shuffle->layout;
    beam_generation *g = w->generation;
    if (!g->radix) {
        beam_slot *slot = layout->scalar ? find_scalar(g, tag) : find_general(g, tag, key);
        if (slot->at == slot->end)
            BEAM_TRY(make_room(w, slot, tag, key, &slot));
        if (slot) {
            BEAM_TRY(keep_value(w, slot->at, value, window, timestamp));
            slot->at += layout->stride;
            return BEAM_OK;
        }
    }
    uint64_t hash = beam_shuffle_hash(layout, tag);
    beam_radix_list *list = &g->radix[beam_shuffle_partition(hash)];
    if (list->at == list->end)
        BEAM_TRY(radix_room(g, list, layout->record));
    BEAM_TRY(keep_value(w, list->at + layout->record_value, value, window, timestamp));
    if (layout->scalar)
        memcpy(list->at, &tag, sizeof tag);
    else
        BEAM_TRY(keep_key(w, list->at, key, tag));
    list->at += layout->record;
    return BEAM_OK;
}

/* The element's key in w->key_image, which starts with the beam_shuffle_key. */
static beam_status make_key(beam_shuffle_writer *w, const void *key_value, beam_window window,
                            uint64_t *tag)
{
    const beam_shuffle_layout *layout = &w->shuffle->layout;
    beam_buffer *image = &w->key_image;
    image->len = 0;
    BEAM_TRY(beam_buffer_reserve(image, sizeof(beam_shuffle_key)));
    image->len = sizeof(beam_shuffle_key);
    BEAM_TRY(beam_key_image(layout->key, key_value, image));
    if (layout->window_in_key)
        BEAM_TRY(beam_buffer_append(image, &window, sizeof window));
    size_t len = image->len - sizeof(beam_shuffle_key);
    if (len > UINT32_MAX)
        return BEAM_RESOURCE_EXHAUSTED;
    beam_shuffle_key *key = (beam_shuffle_key *)(void *)image->data;
    key->image_len = (uint32_t)len;
    *tag = beam_shuffle_key_tag(key);
    return BEAM_OK;
}

static beam_status write_window(beam_shuffle_writer *w, const char *element, beam_window window,
                                beam_timestamp timestamp)
{
    const beam_shuffle_layout *layout = &w->shuffle->layout;
    uint64_t tag;
    if (layout->scalar) {
        memcpy(&tag, element, sizeof tag);
        return write_kept(w, tag, NULL, element + layout->value_offset, window, timestamp);
    }
    BEAM_TRY(make_key(w, element, window, &tag));
    return write_kept(w, tag, (const beam_shuffle_key *)(const void *)w->key_image.data,
                      element + layout->value_offset, window, timestamp);
}

beam_status beam_shuffle_write(beam_shuffle_writer *w, const beam_element_info *info,
                               const void *elements, size_t n)
{
    const beam_shuffle_layout *layout = &w->shuffle->layout;
    if (!w->generation->radix && atomic_load_explicit(&w->shuffle->many_keys, memory_order_relaxed))
        BEAM_TRY(start_radix(w));
    if (layout->scalar && !layout->sessions && !layout->keep_timestamp && layout->flat_value &&
        layout->value_size == sizeof(uint64_t) && layout->element_size == sizeof(pair)) {
        BEAM_TRY(write_pairs(w, elements, n));
        w->generation->elements += n;
    } else {
        const char *element = elements;
        for (size_t i = 0; i < n; i++, element += layout->element_size)
            for (uint32_t j = 0; j < info->n_windows; j++) {
                BEAM_TRY(write_window(w, element, info->windows[j], info->timestamp));
                w->generation->elements++;
            }
    }
    return beam_shuffle_writer_check_budget(w);
}

/* ---- Finishing ----------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const beam_ordered_slot *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

beam_status beam_generation_finish(beam_generation *g, const beam_shuffle_layout *layout)
{
    g->ordered = beam_calloc(g->slots_used, sizeof *g->ordered);
    if (!g->ordered)
        return BEAM_RESOURCE_EXHAUSTED;
    size_t n = 0;
    for (uint64_t i = 0; i <= g->slot_mask; i++) {
        const beam_slot *slot = &g->slots[i];
        if (!slot->chunk)
            continue;
        close_chunk(slot->chunk, slot->at, layout->stride);
        g->ordered[n++] = (beam_ordered_slot){beam_shuffle_hash(layout, slot->tag), slot};
    }
    qsort(g->ordered, n, sizeof *g->ordered, by_hash);
    if (g->radix)
        for (size_t p = 0; p < BEAM_SHUFFLE_PARTITIONS; p++)
            if (g->radix[p].chunk)
                close_chunk(g->radix[p].chunk, g->radix[p].at, layout->record);
    return BEAM_OK;
}
