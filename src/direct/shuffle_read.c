/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_read.c - groups, one partition after another, as KV<K, iterable<V>> elements.
 *
 * A group's values are walked, never gathered: over chunk lists and arrays in memory, or over
 * blocks of runs.  Session windows are the exception: what merges with what is only known
 * once all windows of a key have been seen.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "direct/shuffle_internal.h"
#include "type/key.h"
#include "type/value.h"

enum { GROUPS = 64 }; /* given at once, at most */

/* One value of a key with session windows. */
typedef struct session_value {
    beam_window window;
    const char *kept;
} session_value;

/* A reading of the current group's kept values. */
typedef struct walk {
    struct walk *older; /* to be ended with the group */
    beam_shuffle_reader *reader;
    const beam_piece *piece;
    const beam_chunk *chunk;
    bool array_left;
    size_t block;
    beam_run_values values;
    bool open;            /* values is on the block */
    const char *at, *end; /* kept values at hand */
} walk;

struct beam_shuffle_reader {
    beam_shuffle *shuffle;
    const beam_shuffle_layout *layout;
    uint32_t partition, last; /* partition: the one being read, or the next */
    bool in_partition;        /* or, of runs, in the range of them */
    beam_grouping grouping;
    size_t next_group;
    beam_run_merge merge; /* of no runs: all is in memory */

    beam_arena key_memory;   /* of the key at hand: its C layout, session values */
    beam_arena group_memory; /* of the group at hand: walks */
    walk *walks;
    const beam_group_entry *entry;
    uint64_t total; /* values of the key */
    session_value *sessions;
    size_t n_sessions, next_session, session_end;
    char *elements; /* GROUPS of group_size bytes */
    beam_window window;
    beam_status unread; /* why a walk did not reach its end, whoever looked at that or not */
    beam_error error;
};

/* ---- Walking a group's kept values ----------------------------------------------------- */

static walk *walk_start(beam_shuffle_reader *reader)
{
    walk *w = beam_arena_calloc(&reader->group_memory, 1, sizeof *w);
    if (!w)
        return NULL;
    w->reader = reader;
    w->older = reader->walks;
    reader->walks = w;
    if (reader->entry) {
        w->piece = reader->entry->pieces;
        w->chunk = w->piece ? w->piece->newest : NULL;
        w->array_left = reader->entry->array_len != 0;
    }
    return w;
}

static beam_status walk_memory(walk *w, const char **kept, size_t *n)
{
    const beam_group_entry *entry = w->reader->entry;
    *n = 0;
    while (w->piece && !w->chunk) {
        w->piece = w->piece->next;
        w->chunk = w->piece ? w->piece->newest : NULL;
    }
    if (w->chunk) {
        *kept = beam_chunk_data(w->chunk);
        *n = (size_t)w->chunk->n;
        w->chunk = w->chunk->prev;
    } else if (w->array_left) {
        *kept = entry->array;
        *n = (size_t)entry->array_len;
        w->array_left = false;
    }
    return BEAM_OK;
}

static beam_status walk_blocks(walk *w, const char **kept, size_t *n)
{
    beam_shuffle_reader *reader = w->reader;
    *n = 0;
    while (w->block < reader->merge.n_same) {
        if (!w->open)
            beam_run_values_start(&w->values, beam_run_merge_blocks(&reader->merge)[w->block]);
        w->open = true;
        BEAM_TRY(beam_run_values_next(&w->values, reader->layout, kept, n, &reader->error));
        if (*n)
            return BEAM_OK;
        w->open = false;
        w->block++;
    }
    beam_run_values_free(&w->values); /* not with the group: it may be walked any number of times */
    return BEAM_OK;
}

/* The next kept values side by side; *n == 0 at the end. */
static beam_status walk_next(walk *w, const char **kept, size_t *n)
{
    return w->reader->merge.n ? walk_blocks(w, kept, n) : walk_memory(w, kept, n);
}

static void end_walks(beam_shuffle_reader *reader)
{
    for (walk *w = reader->walks; w; w = w->older)
        beam_run_values_free(&w->values);
    reader->walks = NULL;
    beam_arena_reset(&reader->group_memory);
}

/* ---- Iterables ------------------------------------------------------------------------ */

static void values_start(beam_iter *iter)
{
    beam_shuffle_reader *reader = (beam_shuffle_reader *)(uintptr_t)iter->iterable.source;
    iter->cursor[0] = walk_start(reader);
    if (!iter->cursor[0])
        iter->status = reader->unread = BEAM_RESOURCE_EXHAUSTED;
}

static void values_refill(beam_iter *iter)
{
    walk *w = iter->cursor[0];
    iter->at = iter->end = NULL;
    if (iter->status != BEAM_OK)
        return;
    const size_t stride = w->reader->layout->stride;
    if (w->at == w->end) {
        size_t n = 0;
        iter->status = walk_next(w, &w->at, &n);
        w->end = w->at = iter->status == BEAM_OK ? w->at : NULL;
        if (iter->status != BEAM_OK)
            w->reader->unread = iter->status;
        if (iter->status != BEAM_OK || n == 0)
            return;
        w->end = w->at + n * stride;
    }
    iter->at = w->at;
    if (stride == iter->stride) { /* values lie side by side: all at once */
        iter->end = w->at = w->end;
    } else {
        iter->end = iter->at + iter->stride;
        w->at += stride;
    }
}

static const beam_iterable_ops values_ops = {values_start, values_refill};

static void session_start(beam_iter *iter)
{
    const beam_shuffle_reader *reader = iter->iterable.source;
    iter->cursor[0] = &reader->sessions[reader->session_end - iter->iterable.len];
}

static void session_refill(beam_iter *iter)
{
    const beam_shuffle_reader *reader = iter->iterable.source;
    const session_value *value = iter->cursor[0];
    iter->at = iter->end = NULL;
    if (value == &reader->sessions[reader->session_end])
        return;
    iter->at = value->kept;
    iter->end = iter->at + iter->stride;
    iter->cursor[0] = (void *)(uintptr_t)(value + 1);
}

static const beam_iterable_ops session_ops = {session_start, session_refill};

/* Whether a group's values are an array: the common case of small groups. */
static bool array_values(const beam_shuffle_layout *layout, const beam_group_entry *entry,
                         beam_iterable *values)
{
    if (layout->stride != layout->value_size)
        return false;
    if (!entry->pieces) {
        *values = (beam_iterable){NULL, entry->array, entry->array_len};
        return true;
    }
    const beam_chunk *only = entry->pieces->newest;
    if (entry->pieces->next || only->prev || entry->array_len)
        return false;
    *values = (beam_iterable){NULL, beam_chunk_data(only), only->n};
    return true;
}

static beam_iterable group_values(beam_shuffle_reader *reader)
{
    beam_iterable values;
    if (reader->entry && array_values(reader->layout, reader->entry, &values))
        return values;
    return (beam_iterable){&values_ops, reader, reader->total};
}

/* ---- Groups --------------------------------------------------------------------------- */

static beam_timestamp kept_timestamp(const beam_shuffle_layout *layout, const char *kept)
{
    beam_timestamp timestamp;
    memcpy(&timestamp, kept + layout->timestamp_offset, sizeof timestamp);
    return timestamp;
}

static beam_timestamp combine_timestamps(const beam_shuffle_reader *reader, beam_timestamp a,
                                         beam_timestamp b)
{
    bool later = reader->shuffle->options.windowing.timestamp_combiner == BEAM_LATEST;
    return (a > b) == later ? a : b;
}

/* The timestamp of a group that is not a session's. */
static beam_status group_timestamp(beam_shuffle_reader *reader, beam_timestamp *timestamp)
{
    const beam_shuffle_layout *layout = reader->layout;
    *timestamp = beam_window_max_timestamp(reader->window);
    if (!layout->keep_timestamp)
        return BEAM_OK;
    walk *w = walk_start(reader);
    if (!w)
        return BEAM_RESOURCE_EXHAUSTED;
    const char *kept;
    size_t n;
    bool any = false;
    for (;;) {
        BEAM_TRY(walk_next(w, &kept, &n));
        if (n == 0)
            return BEAM_OK;
        for (; n; n--, kept += layout->stride) {
            beam_timestamp t = kept_timestamp(layout, kept);
            *timestamp = any ? combine_timestamps(reader, *timestamp, t) : t;
            any = true;
        }
    }
}

static void fill_group(beam_shuffle_reader *reader, beam_shuffle_groups *groups,
                       beam_iterable values, beam_timestamp timestamp)
{
    memcpy(reader->elements + reader->layout->group_value_offset, &values, sizeof values);
    groups->elements = reader->elements;
    groups->n = 1;
    groups->info = (beam_element_info){.timestamp = timestamp,
                                       .windows = &reader->window,
                                       .n_windows = 1,
                                       .pane = {1, true, true, 0, 0}};
}

/* Sets the element's key, and the window where it is part of the key. */
static beam_status take_image(beam_shuffle_reader *reader, const uint8_t *image, size_t len,
                              char *element)
{
    const beam_shuffle_layout *layout = reader->layout;
    if (layout->window_in_key) {
        len -= sizeof(beam_window);
        memcpy(&reader->window, image + len, sizeof reader->window);
    }
    return beam_key_from_image(layout->key, image, len, element, &reader->key_memory);
}

static beam_status take_key(beam_shuffle_reader *reader, const beam_group_entry *entry,
                            char *element)
{
    if (!reader->layout->scalar)
        return take_image(reader, entry->key->image, entry->key->image_len, element);
    memcpy(element, &entry->tag, sizeof entry->tag);
    return BEAM_OK;
}

static beam_status next_key_in_memory(beam_shuffle_reader *reader, bool *found)
{
    const beam_shuffle_layout *layout = reader->layout;
    while (!reader->in_partition || reader->next_group == reader->grouping.n_groups) {
        reader->partition += reader->in_partition;
        reader->in_partition = false;
        if (reader->partition >= reader->last)
            return BEAM_OK;
        BEAM_TRY(beam_grouping_build(&reader->grouping, layout, reader->shuffle->generations,
                                     reader->partition));
        reader->in_partition = true;
        reader->next_group = 0;
    }
    reader->entry = &reader->grouping.groups[reader->next_group++];
    reader->total = reader->entry->total;
    *found = true;
    return take_key(reader, reader->entry, reader->elements);
}

/* More groups besides the first, as far as nothing tells them apart but their keys and values. */
static beam_status next_in_array(beam_shuffle_reader *reader, beam_shuffle_groups *groups)
{
    const beam_shuffle_layout *layout = reader->layout;
    if (layout->window_in_key || layout->keep_timestamp)
        return BEAM_OK;
    while (groups->n < GROUPS && reader->next_group < reader->grouping.n_groups) {
        const beam_group_entry *entry = &reader->grouping.groups[reader->next_group];
        char *element = reader->elements + groups->n * layout->group_size;
        beam_iterable values;
        if (!array_values(layout, entry, &values))
            break;
        BEAM_TRY(take_key(reader, entry, element));
        memcpy(element + layout->group_value_offset, &values, sizeof values);
        reader->next_group++;
        groups->n++;
    }
    return BEAM_OK;
}

static beam_status next_key_in_runs(beam_shuffle_reader *reader, bool *found)
{
    beam_run_merge *merge = &reader->merge;
    if (!reader->in_partition)
        beam_run_merge_start(merge, reader->partition, reader->last);
    reader->in_partition = true;
    BEAM_TRY(beam_run_merge_next(merge, &reader->error));
    if (merge->n_same == 0)
        return BEAM_OK;
    beam_run_cursor *const *blocks = beam_run_merge_blocks(merge);
    reader->total = 0;
    for (size_t i = 0; i < merge->n_same; i++)
        reader->total += blocks[i]->block.count;
    *found = true;
    return take_image(reader, blocks[0]->image.data, blocks[0]->image.len, reader->elements);
}

/* ---- Sessions ------------------------------------------------------------------------- */

static beam_status gather_batch(beam_shuffle_reader *reader, const char *kept, size_t n, size_t *at)
{
    const beam_shuffle_layout *layout = reader->layout;
    for (size_t i = 0; i < n; i++, kept += layout->stride) {
        session_value *value = &reader->sessions[(*at)++];
        memcpy(&value->window, kept + layout->window_offset, sizeof value->window);
        value->kept = kept;
        if (!reader->merge.n)
            continue;
        char *copy = beam_arena_copy(&reader->key_memory, kept, layout->stride);
        if (!copy)
            return BEAM_RESOURCE_EXHAUSTED;
        if (!layout->flat_value)
            BEAM_TRY(beam_value_copy(layout->value, copy, kept, &reader->key_memory));
        value->kept = copy;
    }
    return BEAM_OK;
}

static int by_window(const void *a, const void *b)
{
    const session_value *x = a, *y = b;
    if (x->window.start != y->window.start)
        return x->window.start > y->window.start ? 1 : -1;
    return (x->window.end > y->window.end) - (x->window.end < y->window.end);
}

/* All values of the key at hand with their windows, ordered by them. */
static beam_status gather_sessions(beam_shuffle_reader *reader)
{
    reader->sessions =
        beam_arena_alloc(&reader->key_memory, (size_t)reader->total * sizeof *reader->sessions);
    walk *w = walk_start(reader);
    if (!reader->sessions || !w)
        return BEAM_RESOURCE_EXHAUSTED;
    size_t at = 0, n;
    const char *kept;
    for (;;) {
        BEAM_TRY(walk_next(w, &kept, &n));
        if (n == 0)
            break;
        BEAM_TRY(gather_batch(reader, kept, n, &at));
    }
    qsort(reader->sessions, at, sizeof *reader->sessions, by_window);
    reader->n_sessions = at;
    reader->next_session = 0;
    return BEAM_OK;
}

static void next_session(beam_shuffle_reader *reader, beam_shuffle_groups *groups)
{
    const beam_shuffle_layout *layout = reader->layout;
    size_t first = reader->next_session, i = first;
    beam_window window = reader->sessions[i].window;
    beam_timestamp timestamp = 0;
    for (; i < reader->n_sessions && (i == first || reader->sessions[i].window.start < window.end);
         i++) {
        if (reader->sessions[i].window.end > window.end)
            window.end = reader->sessions[i].window.end;
        if (layout->keep_timestamp) {
            beam_timestamp t = kept_timestamp(layout, reader->sessions[i].kept);
            timestamp = i == first ? t : combine_timestamps(reader, timestamp, t);
        }
    }
    reader->next_session = reader->session_end = i;
    reader->window = window;
    beam_iterable values = {&session_ops, reader, i - first};
    fill_group(reader, groups, values,
               layout->keep_timestamp ? timestamp : beam_window_max_timestamp(window));
}

/* ---- The reader ------------------------------------------------------------------------ */

void beam_shuffle_reader_restart(beam_shuffle_reader *reader, uint32_t first, uint32_t last)
{
    end_walks(reader);
    reader->partition = first;
    reader->last = last;
    reader->in_partition = false;
    reader->next_group = 0;
    reader->n_sessions = reader->next_session = 0;
}

beam_status beam_shuffle_read(beam_shuffle *shuffle, uint32_t first, uint32_t last,
                              beam_shuffle_reader **out, beam_error *err)
{
    *out = NULL;
    beam_shuffle_reader *reader = beam_calloc(1, sizeof *reader);
    if (!reader)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading a shuffle");
    reader->shuffle = shuffle;
    reader->layout = &shuffle->layout;
    beam_shuffle_reader_restart(reader, first, last);
    reader->window = (beam_window)BEAM_GLOBAL_WINDOW;
    reader->elements = beam_calloc(GROUPS, shuffle->layout.group_size);
    if (!reader->elements ||
        (shuffle->runs && beam_run_merge_open(&reader->merge, shuffle, shuffle->runs) != BEAM_OK)) {
        beam_shuffle_reader_close(reader);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading a shuffle");
    }
    *out = reader;
    return BEAM_OK;
}

void beam_shuffle_reader_merge(beam_shuffle_reader *reader, beam_shuffle_merger merger)
{
    reader->grouping.merger = merger;
}

static beam_status next_groups(beam_shuffle_reader *reader, beam_shuffle_groups *groups,
                               bool *found)
{
    end_walks(reader);
    if (reader->next_session < reader->n_sessions) {
        *found = true;
        next_session(reader, groups);
        return BEAM_OK;
    }
    beam_arena_reset(&reader->key_memory);
    BEAM_TRY(reader->merge.n ? next_key_in_runs(reader, found) : next_key_in_memory(reader, found));
    if (!*found)
        return BEAM_OK;
    if (reader->layout->sessions) {
        BEAM_TRY(gather_sessions(reader));
        next_session(reader, groups);
        return BEAM_OK;
    }
    beam_timestamp timestamp;
    BEAM_TRY(group_timestamp(reader, &timestamp));
    beam_iterable values = group_values(reader);
    fill_group(reader, groups, values, timestamp);
    return values.ops ? BEAM_OK : next_in_array(reader, groups);
}

beam_status beam_shuffle_next(beam_shuffle_reader *reader, beam_shuffle_groups *groups,
                              beam_error *err)
{
    bool found = false;
    beam_status status = reader->unread;
    if (status == BEAM_OK)
        status = next_groups(reader, groups, &found);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "%s",
                              reader->error.message[0] ? reader->error.message
                                                       : "out of memory reading a shuffle");
    return found ? BEAM_OK : BEAM_OUT_OF_RANGE;
}

void beam_shuffle_reader_close(beam_shuffle_reader *reader)
{
    if (!reader)
        return;
    end_walks(reader);
    beam_run_merge_close(&reader->merge);
    beam_grouping_free(&reader->grouping);
    beam_arena_free(&reader->key_memory);
    beam_arena_free(&reader->group_memory);
    beam_free(reader->elements);
    beam_free(reader);
}
