/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_spill.c - groups to files.
 *
 * A run holds, partition by partition, one block a group in the order of (hash, key image), so
 * that runs merge by reading each once from front to back, and a group nobody reads is
 * skipped by a seek.  Flat values are written as they lie in memory, others encoded: a run
 * never leaves the machine.  Files have no name from the start: nothing is left behind,
 * however the process ends.
 *
 * Many runs are merged into one before there are more than a reader has memory for.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/spill_file.h"
#include "direct/shuffle_internal.h"
#include "type/coder.h"

enum {
    LEAST_WRITTEN = 64 << 10, /* bytes at once */
    MOST_WRITTEN = 1 << 20,
    WORTH_READING = 16 << 10, /* of a run at once: with less, a disk that seeks does little else */
    LEAST_MERGED = 16,        /* runs */
    MOST_MERGED = 1024
};

beam_status beam_spill_error(const beam_memory_budget *budget, const char *folder,
                             beam_status status, beam_error *err)
{
    return beam_error_wrap(err, status, "spilling to %s past a memory budget of %llu bytes", folder,
                           (unsigned long long)budget->limit);
}

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
    size_t most;        /* bytes in `out` */
    beam_buffer values; /* of one group, encoded */
    uint64_t written;   /* where in the file `out` goes */
    beam_error *err;
} run_writer;

/* Puts all of a run's groups there, and sets the offsets. */
typedef beam_status fill_run(run_writer *w, void *from);

static beam_status flush(run_writer *w)
{
    BEAM_TRY(beam_spill_file_write(w->run->fd, w->written, w->out.data, w->out.len, w->err));
    w->written += w->out.len;
    w->out.len = 0;
    return BEAM_OK;
}

static beam_status put(run_writer *w, const void *data, size_t len)
{
    if (len >= w->most) { /* there is no use in a copy of so much */
        BEAM_TRY(flush(w));
        BEAM_TRY(beam_spill_file_write(w->run->fd, w->written, data, len, w->err));
        w->written += len;
        return BEAM_OK;
    }
    BEAM_TRY(beam_buffer_append(&w->out, data, len));
    return w->out.len >= w->most ? flush(w) : BEAM_OK;
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
    return beam_run_compare_images(x->key->image, x->key->image_len, y->key->image,
                                   y->key->image_len);
}

static beam_status fill_from_memory(run_writer *w, void *from)
{
    const beam_generation *generations = from;
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
    return status;
}

static beam_status write_run(beam_shuffle *shuffle, run_writer *w, fill_run *fill, void *from)
{
    beam_run_file *file;
    BEAM_TRY(take_file(shuffle, &file, w->err));
    w->run->fd = file->fd;
    w->written = file->end;
    beam_status status = fill(w, from);
    if (status == BEAM_OK)
        status = flush(w);
    w->run->offsets[BEAM_SHUFFLE_PARTITIONS] = w->written;
    if (status == BEAM_OK)
        file->end = w->written; /* else the next run is written over this one */
    give_back_file(shuffle, file);
    return status;
}

/* What a thread may take to read runs, or to write one: its part of what the budget leaves. */
static uint64_t thread_share(const beam_shuffle *shuffle)
{
    return shuffle->options.budget->limit / (6 * (uint64_t)shuffle->options.threads);
}

static uint64_t within(uint64_t least, uint64_t n, uint64_t most)
{
    return n < least ? least : n > most ? most : n;
}

static beam_status make_run(beam_shuffle *shuffle, fill_run *fill, void *from, beam_run **out,
                            beam_error *err)
{
    *out = NULL;
    beam_error reason = {0};
    run_writer w = {.layout = &shuffle->layout,
                    .most = (size_t)within(LEAST_WRITTEN, thread_share(shuffle) / 4, MOST_WRITTEN),
                    .err = &reason};
    w.run = beam_calloc(1, sizeof *w.run);
    if (!w.run)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory spilling");
    beam_memory_budget_add(shuffle->options.budget, sizeof *w.run);
    beam_status status = write_run(shuffle, &w, fill, from);
    beam_buffer_free(&w.out);
    beam_buffer_free(&w.values);
    if (status != BEAM_OK) {
        beam_run_free(shuffle, w.run);
        beam_error_set(err, status, "%s", reason.message[0] ? reason.message : "out of memory");
        return beam_spill_error(shuffle->options.budget, shuffle->options.temp_dir, status, err);
    }
    *out = w.run;
    return BEAM_OK;
}

beam_status beam_run_write(beam_shuffle *shuffle, beam_generation *generations, beam_run **run,
                           beam_error *err)
{
    return make_run(shuffle, fill_from_memory, generations, run, err);
}

uint64_t beam_run_bytes(const beam_run *run)
{
    return run->offsets[BEAM_SHUFFLE_PARTITIONS] - run->offsets[0];
}

void beam_run_free(beam_shuffle *shuffle, beam_run *run)
{
    beam_memory_budget_sub(shuffle->options.budget, sizeof *run);
    beam_free(run);
}

void beam_runs_forget(beam_shuffle *shuffle, beam_run *runs)
{
    for (beam_run *next; runs; runs = next) {
        next = runs->next;
        /* Where a file cannot have holes the room comes back with the file. */
        if (beam_run_bytes(runs))
            (void)fallocate(runs->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)runs->offsets[0], (off_t)beam_run_bytes(runs));
        beam_run_free(shuffle, runs);
    }
}

/* ---- Merging ------------------------------------------------------------------------- */

size_t beam_run_read_ahead(const beam_shuffle *shuffle, size_t runs)
{
    return (size_t)within(4 << 10, thread_share(shuffle) / (runs ? runs : 1), 64 << 10);
}

/* Copies the block's values as they are. */
static beam_status put_values_of(run_writer *w, beam_run_cursor *cursor)
{
    const uint8_t *bytes;
    size_t n;
    for (uint64_t done = 0; done < cursor->block.value_bytes; done += n) {
        BEAM_TRY(beam_run_cursor_look(cursor, done, &bytes, &n, w->err));
        BEAM_TRY(put(w, bytes, n));
    }
    return BEAM_OK;
}

/* One block of all that the runs have of a key. */
static beam_status put_merged(run_writer *w, const beam_run_merge *merge)
{
    beam_run_cursor *const *same = beam_run_merge_blocks(merge);
    beam_run_block block = same[0]->block;
    for (size_t i = 1; i < merge->n_same; i++) {
        block.count += same[i]->block.count;
        block.value_bytes += same[i]->block.value_bytes;
    }
    BEAM_TRY(put(w, &block, sizeof block));
    BEAM_TRY(put(w, same[0]->image.data, same[0]->image.len));
    for (size_t i = 0; i < merge->n_same; i++)
        BEAM_TRY(put_values_of(w, same[i]));
    w->run->elements += block.count;
    return BEAM_OK;
}

static beam_status fill_from_runs(run_writer *w, void *from)
{
    beam_run_merge *merge = from;
    beam_run_merge_start(merge, 0, BEAM_SHUFFLE_PARTITIONS);
    uint32_t p = 0; /* partitions whose offset is known */
    for (;;) {
        BEAM_TRY(beam_run_merge_next(merge, w->err));
        uint32_t partition = BEAM_SHUFFLE_PARTITIONS - 1;
        if (merge->n_same)
            partition = beam_shuffle_partition(beam_run_merge_blocks(merge)[0]->block.hash);
        while (p <= partition)
            w->run->offsets[p++] = w->written + w->out.len;
        if (merge->n_same == 0)
            return BEAM_OK;
        BEAM_TRY(put_merged(w, merge));
    }
}

/* Takes some runs of one level off the list, if there are enough. */
static beam_run *take_level(const beam_shuffle *shuffle, beam_run **runs)
{
    const size_t enough =
        (size_t)within(LEAST_MERGED, thread_share(shuffle) / WORTH_READING, MOST_MERGED);
    size_t n[BEAM_RUN_LEVELS] = {0};
    uint32_t level = BEAM_RUN_LEVELS;
    for (const beam_run *run = *runs; run && level == BEAM_RUN_LEVELS; run = run->next)
        if (++n[run->level] == enough)
            level = run->level;
    beam_run *taken = NULL;
    for (size_t left = level < BEAM_RUN_LEVELS ? enough : 0; left;) {
        beam_run *run = *runs;
        if (run->level != level) {
            runs = &run->next;
            continue;
        }
        *runs = run->next;
        run->next = taken;
        taken = run;
        left--;
    }
    return taken;
}

static beam_status merge_level(beam_shuffle *shuffle, const beam_run *runs, beam_run **merged,
                               beam_error *err)
{
    beam_run_merge merge = {0};
    *merged = NULL;
    beam_status status = beam_run_merge_open(&merge, shuffle, runs);
    if (status == BEAM_OK)
        status = make_run(shuffle, fill_from_runs, &merge, merged, err);
    else
        (void)beam_error_set(err, status, "out of memory merging runs");
    if (status == BEAM_OK)
        (*merged)->level = runs->level + (runs->level < BEAM_RUN_LEVELS - 1);
    beam_run_merge_close(&merge);
    return status;
}

/* Puts a list of runs before another. */
static void put_runs(beam_shuffle *shuffle, beam_run **runs, beam_run *first)
{
    beam_run *last = first;
    while (last->next)
        last = last->next;
    pthread_mutex_lock(&shuffle->lock);
    last->next = *runs;
    *runs = first;
    pthread_mutex_unlock(&shuffle->lock);
}

beam_status beam_runs_merge(beam_shuffle *shuffle, beam_run **runs, beam_error *err)
{
    for (;;) {
        pthread_mutex_lock(&shuffle->lock);
        beam_run *taken = take_level(shuffle, runs), *merged;
        pthread_mutex_unlock(&shuffle->lock);
        if (!taken)
            return BEAM_OK;
        beam_status status = merge_level(shuffle, taken, &merged, err);
        put_runs(shuffle, runs, status == BEAM_OK ? merged : taken);
        BEAM_TRY(status);
        beam_runs_forget(shuffle, taken);
    }
}
