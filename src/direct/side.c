/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* side.c - the index of a side input: windows, then keys by their canonical images. */
#include "direct/side.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "type/key.h"
#include "type/layout.h"

/* Elements side by side. */
typedef struct side_run {
    const char *elements;
    size_t n;
} side_run;

typedef struct side_key {
    const uint8_t *image;
    size_t len;
    uint64_t hash;
    uint64_t n, first; /* of the values: their number, the first one's index */
} side_key;

/* What is in one window. */
typedef struct side_window {
    beam_window window;
    side_run *runs;
    size_t n_runs, runs_capacity;
    uint64_t n;
    bool keyed; /* the rest is there */
    side_key *keys;
    uint64_t n_keys;
    uint64_t *places; /* hash table of key number + 1 */
    uint64_t mask;
    char *values; /* of keys[0], then of keys[1], ... */
    beam_arena images;
} side_window;

struct beam_side_view {
    const beam_element_buffer *buffer;
    pthread_mutex_t lock; /* while indexes are made */
    bool indexed;
    side_window *windows; /* ordered by start, then end */
    size_t n_windows, windows_capacity;
    uint64_t accounted; /* bytes of indexes, told to the budget */
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a side input");
}

beam_status beam_side_view_open(const beam_element_buffer *buffer, beam_side_view **out,
                                beam_error *err)
{
    *out = NULL;
    beam_side_view *view = beam_calloc(1, sizeof *view);
    if (!view)
        return no_memory(err);
    view->buffer = buffer;
    if (pthread_mutex_init(&view->lock, NULL) != 0) {
        beam_free(view);
        return no_memory(err);
    }
    *out = view;
    return BEAM_OK;
}

static void drop_keys(side_window *w)
{
    beam_free(w->keys);
    beam_free(w->places);
    beam_free(w->values);
    beam_arena_free(&w->images);
    w->keys = NULL;
    w->places = NULL;
    w->values = NULL;
    w->n_keys = 0;
}

static void drop_windows(beam_side_view *view)
{
    for (size_t i = 0; i < view->n_windows; i++) {
        drop_keys(&view->windows[i]);
        beam_free(view->windows[i].runs);
    }
    beam_free(view->windows);
    view->windows = NULL;
    view->n_windows = view->windows_capacity = 0;
}

/* What a window's index by key takes. */
static uint64_t keys_held(const side_window *w, size_t value_size)
{
    return w->n * (sizeof *w->keys + value_size) + (w->mask + 1) * sizeof *w->places +
           w->images.total;
}

/* Adds to what the budget knows of; the caller holds the lock. */
static void account(beam_side_view *view, uint64_t bytes)
{
    beam_memory_budget_add(view->buffer->options.budget, bytes);
    view->accounted += bytes;
}

void beam_side_view_close(beam_side_view *view)
{
    if (!view)
        return;
    drop_windows(view);
    beam_memory_budget_sub(view->buffer->options.budget, view->accounted);
    pthread_mutex_destroy(&view->lock);
    beam_free(view);
}

/* ---- Windows -------------------------------------------------------------------------- */

static int compare_windows(beam_window a, beam_window b)
{
    if (a.start != b.start)
        return a.start < b.start ? -1 : 1;
    return (a.end > b.end) - (a.end < b.end);
}

/* Where the window is, or belongs. */
static size_t window_place(const beam_side_view *view, beam_window window)
{
    size_t low = 0, high = view->n_windows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_windows(view->windows[middle].window, window) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static side_window *find_window(const beam_side_view *view, beam_window window)
{
    size_t place = window_place(view, window);
    return place < view->n_windows && compare_windows(view->windows[place].window, window) == 0
               ? &view->windows[place]
               : NULL;
}

static side_window *add_window(beam_side_view *view, beam_window window)
{
    side_window *found = find_window(view, window);
    if (found)
        return found;
    if (beam_grow((void **)&view->windows, &view->windows_capacity, view->n_windows + 1,
                  sizeof *view->windows) != 0)
        return NULL;
    size_t place = window_place(view, window);
    memmove(&view->windows[place + 1], &view->windows[place],
            (view->n_windows - place) * sizeof *view->windows);
    view->windows[place] = (side_window){.window = window};
    view->n_windows++;
    return &view->windows[place];
}

static beam_status add_run(side_window *w, const beam_span *span)
{
    if (beam_grow((void **)&w->runs, &w->runs_capacity, w->n_runs + 1, sizeof *w->runs) != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    w->runs[w->n_runs++] = (side_run){span->elements, span->n};
    w->n += span->n;
    return BEAM_OK;
}

static beam_status index_windows(beam_side_view *view, beam_error *err)
{
    const beam_element_buffer *buffer = view->buffer;
    for (size_t i = 0; i < buffer->n_spans; i++) {
        const beam_span *span = buffer->spans[i];
        for (uint32_t k = 0; span->n && k < span->info->n_windows; k++) {
            side_window *w = add_window(view, span->info->windows[k]);
            if (!w || add_run(w, span) != BEAM_OK) {
                drop_windows(view);
                return no_memory(err);
            }
        }
    }
    account(view, view->windows_capacity * sizeof *view->windows);
    for (size_t i = 0; i < view->n_windows; i++)
        account(view, view->windows[i].runs_capacity * sizeof(side_run));
    __atomic_store_n(&view->indexed, true, __ATOMIC_RELEASE);
    return BEAM_OK;
}

/* ---- Keys ------------------------------------------------------------------------------ */

/* The number of the key in the table, or where it belongs (then *place is 0). */
static uint64_t *key_place(const side_window *w, uint64_t hash, const void *image, size_t len)
{
    for (uint64_t at = hash & w->mask;; at = (at + 1) & w->mask) {
        uint64_t *place = &w->places[at];
        if (*place == 0)
            return place;
        const side_key *key = &w->keys[*place - 1];
        if (key->hash == hash && key->len == len &&
            (len == 0 || memcmp(key->image, image, len) == 0))
            return place;
    }
}

/* Counts each key's values; numbers[i] is the key of the i-th element. */
static beam_status count_keys(side_window *w, const beam_type *kv, uint64_t *numbers,
                              beam_buffer *image)
{
    uint64_t i = 0;
    for (size_t r = 0; r < w->n_runs; r++)
        for (size_t k = 0; k < w->runs[r].n; k++, i++) {
            image->len = 0;
            BEAM_TRY(beam_key_image(kv->fields[0].type, w->runs[r].elements + k * kv->size, image));
            uint64_t hash = beam_hash64(image->data, image->len, 0);
            uint64_t *place = key_place(w, hash, image->data, image->len);
            if (*place == 0) {
                uint8_t *copy = beam_arena_copy(&w->images, image->data, image->len);
                if (!copy)
                    return BEAM_RESOURCE_EXHAUSTED;
                w->keys[w->n_keys++] = (side_key){.image = copy, .len = image->len, .hash = hash};
                *place = w->n_keys;
            }
            numbers[i] = *place - 1;
            w->keys[numbers[i]].n++;
        }
    return BEAM_OK;
}

/* Puts each key's values side by side, in their order. */
static void place_values(side_window *w, const beam_type *kv, const uint64_t *numbers)
{
    size_t size = kv->fields[1].type->size;
    uint64_t first = 0, i = 0;
    for (uint64_t k = 0; k < w->n_keys; k++) {
        w->keys[k].first = first;
        first += w->keys[k].n;
        w->keys[k].n = 0;
    }
    for (size_t r = 0; r < w->n_runs; r++)
        for (size_t k = 0; k < w->runs[r].n; k++, i++) {
            side_key *key = &w->keys[numbers[i]];
            memcpy(w->values + (key->first + key->n++) * size,
                   w->runs[r].elements + k * kv->size + kv->fields[1].offset, size);
        }
}

static beam_status index_keys(beam_side_view *view, side_window *w, beam_buffer *image,
                              beam_error *err)
{
    const beam_type *kv = beam_type_bare(view->buffer->options.type);
    uint64_t capacity = 16;
    while (capacity < 2 * w->n)
        capacity *= 2;
    w->mask = capacity - 1;
    uint64_t *numbers = beam_calloc(w->n, sizeof *numbers);
    w->places = beam_calloc(capacity, sizeof *w->places);
    w->keys = beam_calloc(w->n, sizeof *w->keys);
    w->values = beam_calloc(w->n, kv->fields[1].type->size);
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    if (numbers && w->places && w->keys && w->values)
        status = count_keys(w, kv, numbers, image);
    if (status == BEAM_OK) {
        place_values(w, kv, numbers);
        account(view, keys_held(w, kv->fields[1].type->size));
        __atomic_store_n(&w->keyed, true, __ATOMIC_RELEASE);
    } else {
        drop_keys(w);
        status = no_memory(err);
    }
    beam_free(numbers);
    return status;
}

/* ---- Reading -------------------------------------------------------------------------- */

/* The window with its index made; NULL when it is empty. */
static beam_status open_window(beam_side_view *view, const beam_window *window, bool keyed,
                               beam_buffer *image, side_window **found, beam_error *err)
{
    beam_status status = BEAM_OK;
    *found = NULL;
    if (__atomic_load_n(&view->indexed, __ATOMIC_ACQUIRE)) {
        *found = find_window(view, *window);
        if (!*found || !keyed || __atomic_load_n(&(*found)->keyed, __ATOMIC_ACQUIRE))
            return BEAM_OK;
    }
    pthread_mutex_lock(&view->lock);
    if (!view->indexed)
        status = index_windows(view, err);
    if (status == BEAM_OK)
        *found = find_window(view, *window);
    if (*found && keyed && !(*found)->keyed)
        status = index_keys(view, *found, image, err);
    pthread_mutex_unlock(&view->lock);
    return status;
}

static void runs_start(beam_iter *iter)
{
    iter->cursor[0] = ((const side_window *)iter->iterable.source)->runs;
}

static void runs_refill(beam_iter *iter)
{
    const side_window *w = iter->iterable.source;
    side_run *run = iter->cursor[0];
    iter->at = iter->end = NULL;
    if (run == w->runs + w->n_runs)
        return;
    iter->at = run->elements;
    iter->end = iter->at + run->n * iter->stride;
    iter->cursor[0] = run + 1;
}

static const beam_iterable_ops runs_ops = {runs_start, runs_refill};

beam_status beam_side_view_all(beam_side_view *view, const beam_window *window,
                               beam_iterable *values, beam_error *err)
{
    side_window *w;
    *values = (beam_iterable){NULL, NULL, 0};
    BEAM_TRY(open_window(view, window, false, NULL, &w, err));
    if (w && w->n_runs == 1)
        *values = (beam_iterable){NULL, w->runs[0].elements, w->n};
    else if (w)
        *values = (beam_iterable){&runs_ops, w, w->n};
    return BEAM_OK;
}

beam_status beam_side_view_get(beam_side_view *view, const beam_window *window, const void *key,
                               beam_buffer *image, beam_iterable *values, beam_error *err)
{
    side_window *w;
    const beam_type *kv = beam_type_bare(view->buffer->options.type);
    *values = (beam_iterable){NULL, NULL, 0};
    BEAM_TRY(open_window(view, window, true, image, &w, err));
    if (!w)
        return BEAM_OK;
    image->len = 0;
    if (beam_key_image(kv->fields[0].type, key, image) != BEAM_OK)
        return no_memory(err);
    uint64_t hash = beam_hash64(image->data, image->len, 0);
    uint64_t number = *key_place(w, hash, image->data, image->len);
    if (number == 0)
        return BEAM_OK;
    const side_key *found = &w->keys[number - 1];
    *values = (beam_iterable){NULL, w->values + found->first * kv->fields[1].type->size, found->n};
    return BEAM_OK;
}
