/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_runs.c - groups back from files: the blocks of some runs key by key, each run from front
 * to back, and the values in a block. */
#include "base/alloc.h"
#include "base/spill_file.h"
#include "direct/shuffle_internal.h"
#include "type/coder.h"

enum { READ_BUFFER = 64 << 10, BATCH_BYTES = 32 << 10 }; /* of a block's values */

int beam_run_compare_images(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t shared = a_len < b_len ? a_len : b_len;
    int order = shared ? memcmp(a, b, shared) : 0; /* an image of no bytes is nowhere */
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* ---- Blocks of one run ----------------------------------------------------------------- */

static void start_cursor(beam_run_cursor *cursor, uint32_t first, uint32_t last)
{
    cursor->at = cursor->run->offsets[first];
    cursor->end = cursor->run->offsets[last];
    cursor->ahead.len = 0;
    cursor->ahead_at = cursor->at;
}

/* `size` bytes at `offset`, from the bytes read ahead where they hold them. */
static beam_status look(beam_run_cursor *cursor, uint64_t offset, size_t size,
                        const uint8_t **bytes, beam_error *err)
{
    beam_buffer *ahead = &cursor->ahead;
    if (offset < cursor->ahead_at || offset + size > cursor->ahead_at + ahead->len) {
        uint64_t want = cursor->end - offset;
        if (want < size)
            return beam_error_set(err, BEAM_DATA_LOSS, "a temporary file's blocks do not add up");
        if (want > cursor->most_ahead && want > size)
            want = size > cursor->most_ahead ? size : cursor->most_ahead;
        ahead->len = 0;
        if (beam_buffer_reserve(ahead, (size_t)want) != BEAM_OK)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading a run");
        BEAM_TRY(beam_spill_file_read(cursor->run->fd, offset, ahead->data, (size_t)want, err));
        ahead->len = (size_t)want;
        cursor->ahead_at = offset;
    }
    *bytes = ahead->data + (offset - cursor->ahead_at);
    return BEAM_OK;
}

/* To the next block, or *done. */
static beam_status next_block(beam_run_cursor *cursor, bool *done, beam_error *err)
{
    *done = cursor->at == cursor->end;
    if (*done)
        return BEAM_OK;
    const uint8_t *bytes = NULL;
    BEAM_TRY(look(cursor, cursor->at, sizeof cursor->block, &bytes, err));
    memcpy(&cursor->block, bytes, sizeof cursor->block);
    uint64_t image_at = cursor->at + sizeof cursor->block;
    BEAM_TRY(look(cursor, image_at, cursor->block.image_len, &bytes, err));
    cursor->image.len = 0;
    if (beam_buffer_append(&cursor->image, bytes, cursor->block.image_len) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading a run");
    cursor->values_at = image_at + cursor->block.image_len;
    if (cursor->block.value_bytes > cursor->end - cursor->values_at)
        return beam_error_set(err, BEAM_DATA_LOSS, "a temporary file's blocks do not add up");
    cursor->at = cursor->values_at + cursor->block.value_bytes;
    return BEAM_OK;
}

beam_status beam_run_cursor_look(beam_run_cursor *cursor, uint64_t from, const uint8_t **bytes,
                                 size_t *n, beam_error *err)
{
    const uint64_t at = cursor->values_at + from, left = cursor->block.value_bytes - from;
    const uint64_t ahead = cursor->ahead_at + cursor->ahead.len;
    uint64_t size = at >= cursor->ahead_at && at < ahead ? ahead - at : cursor->most_ahead;
    *n = (size_t)(size < left ? size : left);
    return look(cursor, at, *n, bytes, err);
}

/* ---- Blocks of several runs in order --------------------------------------------------- */

/* Of (hash, image); blocks of one key come in the runs' order, each time. */
static bool before(const beam_run_cursor *a, const beam_run_cursor *b)
{
    if (a->block.hash != b->block.hash)
        return a->block.hash < b->block.hash;
    int order = beam_run_compare_images(a->image.data, a->image.len, b->image.data, b->image.len);
    return order ? order < 0 : a < b;
}

static bool same_key(const beam_run_cursor *a, const beam_run_cursor *b)
{
    return a->block.hash == b->block.hash &&
           beam_run_compare_images(a->image.data, a->image.len, b->image.data, b->image.len) == 0;
}

/* What lies behind the heap becomes a part of it. */
static void heap_add(beam_run_merge *merge)
{
    beam_run_cursor **heap = merge->heap, *added = heap[merge->n_heap];
    size_t i = merge->n_heap++;
    for (; i && before(added, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = added;
}

/* The least one goes behind the heap. */
static void heap_take(beam_run_merge *merge)
{
    beam_run_cursor **heap = merge->heap, *least = heap[0];
    const size_t n = --merge->n_heap;
    beam_run_cursor *moved = heap[n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && before(heap[child + 1], heap[child]);
        if (!before(heap[child], moved))
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
    heap[n] = least;
}

beam_status beam_run_merge_open(beam_run_merge *merge, const beam_shuffle *shuffle,
                                const beam_run *runs)
{
    size_t n = 0;
    for (const beam_run *run = runs; run; run = run->next)
        n++;
    merge->cursors = beam_calloc(n, sizeof *merge->cursors);
    merge->heap = beam_calloc(n, sizeof(beam_run_cursor *));
    if (!merge->cursors || !merge->heap)
        return BEAM_RESOURCE_EXHAUSTED;
    const size_t most_ahead = beam_run_read_ahead(shuffle, n);
    for (const beam_run *run = runs; run; run = run->next)
        merge->cursors[merge->n++] = (beam_run_cursor){.run = run, .most_ahead = most_ahead};
    return BEAM_OK;
}

void beam_run_merge_start(beam_run_merge *merge, uint32_t first, uint32_t last)
{
    merge->n_heap = 0;
    merge->n_same = merge->n; /* all are to go to their first block */
    for (size_t i = 0; i < merge->n; i++) {
        merge->heap[i] = &merge->cursors[i];
        start_cursor(&merge->cursors[i], first, last);
    }
}

beam_status beam_run_merge_next(beam_run_merge *merge, beam_error *err)
{
    beam_run_cursor **heap = merge->heap;
    while (merge->n_same) {
        bool done;
        beam_run_cursor *cursor = heap[merge->n_heap];
        BEAM_TRY(next_block(cursor, &done, err));
        merge->n_same--;
        if (done)
            heap[merge->n_heap] = heap[merge->n_heap + merge->n_same];
        else
            heap_add(merge);
    }
    while (merge->n_heap && (merge->n_same == 0 || same_key(heap[0], heap[merge->n_heap]))) {
        heap_take(merge);
        merge->n_same++;
    }
    return BEAM_OK;
}

void beam_run_merge_close(beam_run_merge *merge)
{
    for (size_t i = 0; i < merge->n; i++) {
        beam_buffer_free(&merge->cursors[i].image);
        beam_buffer_free(&merge->cursors[i].ahead);
    }
    beam_free(merge->cursors);
    beam_free(merge->heap);
    *merge = (beam_run_merge){0};
}

/* ---- Values -------------------------------------------------------------------------- */

void beam_run_values_start(beam_run_values *values, const beam_run_cursor *block)
{
    values->block = block;
    values->at = block->values_at;
    values->end = block->values_at + block->block.value_bytes;
    values->left = block->block.count;
    values->bytes.len = 0;
    values->used = 0;
}

/* From what is read ahead of blocks, where that has it: most blocks are small. */
static beam_status read_values(const beam_run_values *values, uint8_t *to, size_t n,
                               beam_error *err)
{
    const beam_run_cursor *block = values->block;
    if (values->at < block->ahead_at || values->at + n > block->ahead_at + block->ahead.len)
        return beam_spill_file_read(block->run->fd, values->at, to, n, err);
    memcpy(to, block->ahead.data + (values->at - block->ahead_at), n);
    return BEAM_OK;
}

/* Moves what is left of the window to its front and fills it up from the file; it grows only
 * when a single value is larger than the window. */
static beam_status refill_window(beam_run_values *values, beam_error *err)
{
    beam_buffer *bytes = &values->bytes;
    size_t left = bytes->len - values->used;
    if (left)
        memmove(bytes->data, bytes->data + values->used, left);
    bytes->len = left;
    values->used = 0;
    uint64_t want = left < READ_BUFFER ? READ_BUFFER - left : left;
    if (want > values->end - values->at)
        want = values->end - values->at;
    if (beam_buffer_reserve(bytes, (size_t)want) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading a run");
    BEAM_TRY(read_values(values, bytes->data + left, (size_t)want, err));
    bytes->len += (size_t)want;
    values->at += want;
    return BEAM_OK;
}

static beam_status next_flat(beam_run_values *values, const beam_shuffle_layout *layout,
                             const char **batch, size_t *n, beam_error *err)
{
    while (values->bytes.len - values->used < layout->stride && values->at < values->end)
        BEAM_TRY(refill_window(values, err)); /* twice as much where one value is larger */
    size_t have = (values->bytes.len - values->used) / layout->stride;
    if (have > values->left)
        have = (size_t)values->left;
    if (have == 0)
        return beam_error_set(err, BEAM_DATA_LOSS, "a temporary file ends within a value");
    *batch = (const char *)values->bytes.data + values->used;
    *n = have;
    values->used += have * layout->stride;
    values->left -= have;
    return BEAM_OK;
}

static beam_status decode_one(const beam_shuffle_layout *layout, beam_reader *reader, char *value,
                              beam_arena *arena, beam_error *err)
{
    const beam_decoder decoder = {.arena = arena, .err = err, .borrow = true, .any_text = true};
    BEAM_TRY(beam_decode_with(&decoder, layout->value, BEAM_NESTED, reader, value));
    const uint8_t *extra;
    if (layout->sessions) {
        BEAM_TRY(beam_read_bytes(reader, sizeof(beam_window), &extra));
        memcpy(value + layout->window_offset, extra, sizeof(beam_window));
    }
    if (layout->keep_timestamp) {
        BEAM_TRY(beam_read_bytes(reader, sizeof(beam_timestamp), &extra));
        memcpy(value + layout->timestamp_offset, extra, sizeof(beam_timestamp));
    }
    return BEAM_OK;
}

static beam_status next_encoded(beam_run_values *values, const beam_shuffle_layout *layout,
                                const char **batch, size_t *n, beam_error *err)
{
    size_t room = BATCH_BYTES / layout->stride ? BATCH_BYTES / layout->stride : 1;
    if (!values->batch && !(values->batch = beam_malloc(room * layout->stride)))
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading a run");
    beam_arena_reset(&values->memory);
    *batch = values->batch;
    *n = 0;
    beam_error reason = {0};
    /* Most blocks are small: to find at each that nothing is read yet, by decoding it, costs more
     * than all else. */
    if (values->used == values->bytes.len && values->at < values->end)
        BEAM_TRY(refill_window(values, err));
    while (*n < room && values->left) {
        const beam_buffer *bytes = &values->bytes;
        beam_reader reader = beam_reader_of(bytes->data ? bytes->data + values->used : NULL,
                                            bytes->len - values->used);
        const uint8_t *start = reader.at;
        beam_status status = decode_one(layout, &reader, values->batch + *n * layout->stride,
                                        &values->memory, &reason);
        if (status == BEAM_OUT_OF_RANGE && values->at < values->end) {
            if (*n)
                break; /* the values of this batch point into the window */
            BEAM_TRY(refill_window(values, err));
            reason = (beam_error){0};
            continue;
        }
        if (status == BEAM_OUT_OF_RANGE)
            status = BEAM_DATA_LOSS; /* the other is what a reader's end is called */
        if (status != BEAM_OK)
            return beam_error_set(err, status, "cannot read a value back from a temporary file: %s",
                                  reason.message);
        values->used += (size_t)(reader.at - start);
        values->left--;
        ++*n;
    }
    return BEAM_OK;
}

beam_status beam_run_values_next(beam_run_values *values, const beam_shuffle_layout *layout,
                                 const char **batch, size_t *n, beam_error *err)
{
    *n = 0;
    if (values->left == 0)
        return BEAM_OK;
    return layout->flat_value ? next_flat(values, layout, batch, n, err)
                              : next_encoded(values, layout, batch, n, err);
}

void beam_run_values_free(beam_run_values *values)
{
    beam_buffer_free(&values->bytes);
    beam_arena_free(&values->memory);
    beam_free(values->batch);
    *values = (beam_run_values){0};
}
