/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_spill.c - groups in files.
 *
 * A run holds, partition by partition, one block a group in the order of (hash, key image), so
 * that runs merge by reading each once from front to back, and a group nobody reads is
 * skipped by a seek.  Flat values are written as they lie in memory, others encoded: a run
 * never leaves the machine.  Files have no name from the start: nothing is left behind,
 * however the process ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "direct/shuffle_internal.h"
#include "base/spill_file.h"
#include "type/coder.h"

enum { WRITE_BUFFER = 1 << 20, READ_BUFFER = 64 << 10, BATCH_BYTES = 32 << 10 };

/* ---- Files --------------------------------------------------------------------------- */

/* One into which nobody writes, or a new one. */
static beam_status take_file(beam_shuffle *shuffle, beam_run_file **out, beam_error *err)
{
    pthread_mutex_lock(&shuffle->file_lock);
    beam_run_file *file = shuffle->files;
    if (file)
        shuffle->files = file->next;
    pthread_mutex_unlock(&shuffle->file_lock);
    *out = file;
    if (file)
        return BEAM_OK;
    file = beam_calloc(1, sizeof *file);
    if (!file)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory spilling");
    beam_status status = beam_spill_file_open(shuffle->options.temp_dir, &file->fd, err);
    if (status == BEAM_OK)
        *out = file;
    else
        beam_free(file);
    return status;
}

static void give_back_file(beam_shuffle *shuffle, beam_run_file *file)
{
    pthread_mutex_lock(&shuffle->file_lock);
    file->next = shuffle->files;
    shuffle->files = file;
    pthread_mutex_unlock(&shuffle->file_lock);
}

void beam_run_files_close(beam_shuffle *shuffle)
{
    while (shuffle->files) {
        beam_run_file *file = shuffle->files;
        shuffle->files = file->next;
        (void)close(file->fd); /* unlinked: nothing is lost by a failing close */
        beam_free(file);
    }
}

/* ---- Writing ------------------------------------------------------------------------- */

typedef struct run_writer {
    const beam_shuffle_layout *layout;
    beam_run *run;
    beam_buffer out;
    beam_buffer values; /* of one group, encoded */
    uint64_t written;   /* where in the file `out` goes */
    beam_error *err;
} run_writer;

static beam_status flush(run_writer *w)
{
    BEAM_TRY(beam_spill_file_write(w->run->fd, w->written, w->out.data, w->out.len, w->err));
    w->written += w->out.len;
    w->out.len = 0;
    return BEAM_OK;
}

static beam_status put(run_writer *w, const void *data, size_t len)
{
    BEAM_TRY(beam_buffer_append(&w->out, data, len));
    return w->out.len >= WRITE_BUFFER ? flush(w) : BEAM_OK;
}

static beam_status encode_values(run_writer *w, const char *value, uint64_t n)
{
    const beam_shuffle_layout *layout = w->layout;
    for (uint64_t i = 0; i < n; i++, value += layout->stride) {
        BEAM_TRY(beam_encode(layout->value, BEAM_NESTED, value, &w->values, w->err));
        if (layout->sessions)
            BEAM_TRY(
                beam_buffer_append(&w->values, value + layout->window_offset, sizeof(beam_window)));
        if (layout->keep_timestamp)
            BEAM_TRY(beam_buffer_append(&w->values, value + layout->timestamp_offset,
                                        sizeof(beam_timestamp)));
    }
    return BEAM_OK;
}

static beam_status put_values(run_writer *w, const char *value, uint64_t n)
{
    if (!w->layout->flat_value)
        return encode_values(w, value, n);
    return put(w, value, (size_t)n * w->layout->stride);
}

static beam_status each_value_run(run_writer *w, const beam_group_entry *group)
{
    for (const beam_piece *piece = group->pieces; piece; piece = piece->next)
        for (const beam_chunk *c = piece->newest; c; c = c->prev)
            BEAM_TRY(put_values(w, beam_chunk_data(c), c->n));
    return group->array_len ? put_values(w, group->array, group->array_len) : BEAM_OK;
}

static beam_status put_group(run_writer *w, const beam_group_entry *group)
{
    const beam_shuffle_layout *layout = w->layout;
    beam_run_block block = {.hash = beam_shuffle_hash(layout, group->tag), .count = group->total};
    const void *image = layout->scalar ? (const void *)&group->tag : group->key->image;
    block.image_len = layout->scalar ? (uint32_t)sizeof group->tag : group->key->image_len;
    if (layout->flat_value) {
        block.value_bytes = group->total * layout->stride;
    } else {
        w->values.len = 0;
        BEAM_TRY(each_value_run(w, group));
        block.value_bytes = w->values.len;
    }
    BEAM_TRY(put(w, &block, sizeof block));
    BEAM_TRY(put(w, image, block.image_len));
    w->run->elements += group->total;
    return layout->flat_value ? each_value_run(w, group) : put(w, w->values.data, w->values.len);
}

static int compare_images(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t shared = a_len < b_len ? a_len : b_len;
    int order = shared ? memcmp(a, b, shared) : 0; /* an image of no bytes is nowhere */
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_scalar(const void *a, const void *b)
{
    uint64_t x = beam_shuffle_mix(((const beam_group_entry *)a)->tag);
    uint64_t y = beam_shuffle_mix(((const beam_group_entry *)b)->tag);
    return (x > y) - (x < y); /* mixing is one to one: equal hashes are equal keys */
}

static int by_hash_and_image(const void *a, const void *b)
{
    const beam_group_entry *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag > y->tag ? 1 : -1;
    return compare_images(x->key->image, x->key->image_len, y->key->image, y->key->image_len);
}

static beam_status write_partitions(run_writer *w, const beam_generation *generations)
{
    beam_grouping grouping = {0};
    beam_status status = BEAM_OK;
    for (uint32_t p = 0; p < BEAM_SHUFFLE_PARTITIONS && status == BEAM_OK; p++) {
        w->run->offsets[p] = w->written + w->out.len;
        status = beam_grouping_build(&grouping, w->layout, generations, p);
        if (status != BEAM_OK || grouping.n_groups == 0)
            continue;
        qsort(grouping.groups, grouping.n_groups, sizeof *grouping.groups,
              w->layout->scalar ? by_scalar : by_hash_and_image);
        for (size_t g = 0; g < grouping.n_groups && status == BEAM_OK; g++)
            status = put_group(w, &grouping.groups[g]);
    }
    beam_grouping_free(&grouping);
    if (status == BEAM_OK)
        status = flush(w);
    w->run->offsets[BEAM_SHUFFLE_PARTITIONS] = w->written;
    return status;
}

static beam_status write_run(beam_shuffle *shuffle, run_writer *w,
                             const beam_generation *generations)
{
    beam_run_file *file;
    BEAM_TRY(take_file(shuffle, &file, w->err));
    w->run->fd = file->fd;
    w->written = file->end;
    beam_status status = write_partitions(w, generations);
    if (status == BEAM_OK)
        file->end = w->written; /* else the next run is written over this one */
    give_back_file(shuffle, file);
    return status;
}

beam_status beam_run_write(beam_shuffle *shuffle, const beam_generation *generations,
                           beam_run **out, beam_error *err)
{
    *out = NULL;
    beam_error reason = {0};
    run_writer w = {.layout = &shuffle->layout, .err = &reason};
    w.run = beam_calloc(1, sizeof *w.run);
    if (!w.run)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory spilling");
    beam_status status = write_run(shuffle, &w, generations);
    beam_buffer_free(&w.out);
    beam_buffer_free(&w.values);
    if (status != BEAM_OK) {
        beam_free(w.run);
        return beam_error_set(err, status, "%s",
                              reason.message[0] ? reason.message : "out of memory spilling");
    }
    *out = w.run;
    return BEAM_OK;
}

uint64_t beam_run_bytes(const beam_run *run)
{
    return run->offsets[BEAM_SHUFFLE_PARTITIONS] - run->offsets[0];
}

void beam_run_forget(beam_run *run)
{
    /* Where a file cannot have holes the room comes back with the file. */
    if (beam_run_bytes(run))
        (void)fallocate(run->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)run->offsets[0],
                        (off_t)beam_run_bytes(run));
    beam_free(run);
}

/* ---- Reading ------------------------------------------------------------------------- */

void beam_run_cursor_start(beam_run_cursor *cursor, const beam_run *run, uint32_t partition)
{
    cursor->run = run;
    cursor->at = run->offsets[partition];
    cursor->end = run->offsets[partition + 1];
    cursor->done = false;
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
        if (want > READ_BUFFER && want > size)
            want = size > READ_BUFFER ? size : READ_BUFFER;
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

beam_status beam_run_cursor_next(beam_run_cursor *cursor, beam_error *err)
{
    if (cursor->at == cursor->end) {
        cursor->done = true;
        return BEAM_OK;
    }
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

int beam_run_cursor_compare(const beam_run_cursor *a, const beam_run_cursor *b)
{
    if (a->block.hash != b->block.hash)
        return a->block.hash > b->block.hash ? 1 : -1;
    return compare_images(a->image.data, a->image.len, b->image.data, b->image.len);
}

void beam_run_cursor_free(beam_run_cursor *cursor)
{
    beam_buffer_free(&cursor->image);
    beam_buffer_free(&cursor->ahead);
}

/* ---- Values -------------------------------------------------------------------------- */

void beam_run_values_start(beam_run_values *values, const beam_run *run, uint64_t at,
                           uint64_t bytes, uint64_t count)
{
    values->run = run;
    values->at = at;
    values->end = at + bytes;
    values->left = count;
    values->bytes.len = 0;
    values->used = 0;
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
    BEAM_TRY(
        beam_spill_file_read(values->run->fd, values->at, bytes->data + left, (size_t)want, err));
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
    const beam_decoder decoder = {.arena = arena, .err = err, .any_text = true};
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
    while (*n < room && values->left) {
        const beam_buffer *bytes = &values->bytes;
        beam_reader reader = beam_reader_of(bytes->data ? bytes->data + values->used : NULL,
                                            bytes->len - values->used);
        const uint8_t *start = reader.at;
        beam_error reason = {0};
        beam_status status = decode_one(layout, &reader, values->batch + *n * layout->stride,
                                        &values->memory, &reason);
        if (status == BEAM_OUT_OF_RANGE && values->at < values->end) {
            if (*n)
                break; /* the values of this batch point into the arena, not the window */
            BEAM_TRY(refill_window(values, err));
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
