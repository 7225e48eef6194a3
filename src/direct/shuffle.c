/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle.c - the life of a shuffle: generations come from writers, become runs when memory
 * is short, and go when they have been read. */
#include "direct/shuffle.h"

#include "base/alloc.h"
#include "direct/shuffle_internal.h"
#include "direct/shuffle_writer.h"
#include "type/key.h"

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static void lay_out(beam_shuffle_layout *layout, const beam_shuffle_options *options)
{
    const beam_type *element = options->element;
    const beam_windowing *windowing = &options->windowing;
    layout->element = element;
    layout->key = element->fields[0].type;
    layout->value = element->fields[1].type;
    layout->element_size = element->size;
    layout->value_offset = element->fields[1].offset;
    layout->value_size = layout->value->size;
    layout->flat_value = beam_type_is_flat(layout->value);
    layout->sessions = windowing->kind == BEAM_SESSION_WINDOWS;
    layout->window_in_key = windowing->kind != BEAM_GLOBAL_WINDOWS && !layout->sessions;
    layout->keep_timestamp = windowing->timestamp_combiner != BEAM_END_OF_WINDOW;
    layout->scalar =
        beam_key_shape_of(layout->key).kind == BEAM_KEY_SCALAR64 && !layout->window_in_key;

    size_t stride = layout->value_size;
    if (layout->sessions) {
        layout->window_offset = round_up(stride, sizeof(int64_t));
        stride = layout->window_offset + sizeof(beam_window);
    }
    if (layout->keep_timestamp) {
        layout->timestamp_offset = round_up(stride, sizeof(int64_t));
        stride = layout->timestamp_offset + sizeof(beam_timestamp);
    }
    layout->stride = stride;
    layout->merges = layout->flat_value && stride == layout->value_size;
    layout->record_value = layout->scalar ? sizeof(uint64_t) : sizeof(beam_far_key);
    layout->record = round_up(layout->record_value + stride, sizeof(uint64_t));
    layout->group_value_offset = round_up(layout->key->size, _Alignof(beam_iterable));
    layout->group_size = layout->group_value_offset + sizeof(beam_iterable);
}

beam_status beam_shuffle_open(const beam_shuffle_options *options, beam_shuffle **out,
                              beam_error *err)
{
    *out = NULL;
    if (options->element->kind != BEAM_KIND_KV)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a shuffle groups KVs");
    if (!beam_type_is_deterministic(options->element->fields[0].type))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the key's encoding is not deterministic, so it cannot be grouped");
    beam_shuffle *shuffle = beam_calloc(1, sizeof *shuffle);
    if (!shuffle)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening a shuffle");
    shuffle->options = *options;
    if (shuffle->options.threads == 0)
        shuffle->options.threads = 1;
    lay_out(&shuffle->layout, options);
    if (pthread_mutex_init(&shuffle->lock, NULL) != 0 ||
        pthread_mutex_init(&shuffle->file_lock, NULL) != 0) {
        beam_free(shuffle);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "cannot make a mutex");
    }
    *out = shuffle;
    return BEAM_OK;
}

static void free_generations(beam_shuffle *shuffle)
{
    while (shuffle->generations) {
        beam_generation *next = shuffle->generations->next;
        beam_generation_free(shuffle->generations, shuffle->options.budget);
        shuffle->generations = next;
    }
}

static void free_runs(beam_shuffle *shuffle)
{
    while (shuffle->runs) {
        beam_run *next = shuffle->runs->next;
        beam_run_free(shuffle, shuffle->runs);
        shuffle->runs = next;
    }
    beam_run_files_close(shuffle);
}

void beam_shuffle_close(beam_shuffle *shuffle)
{
    if (!shuffle)
        return;
    free_generations(shuffle);
    free_runs(shuffle);
    beam_free(shuffle->weights);
    pthread_mutex_destroy(&shuffle->file_lock);
    pthread_mutex_destroy(&shuffle->lock);
    beam_free(shuffle);
}

/* ---- Writers ------------------------------------------------------------------------- */

beam_status beam_shuffle_write_begin(beam_shuffle *shuffle, beam_shuffle_writer **out,
                                     beam_error *err)
{
    *out = NULL;
    beam_shuffle_writer *w = beam_calloc(1, sizeof *w);
    if (w)
        w->generation = beam_generation_new();
    if (!w || !w->generation) {
        beam_free(w);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory starting a writer");
    }
    w->shuffle = shuffle;
    *out = w;
    return BEAM_OK;
}

static void end_writer(beam_shuffle_writer *w)
{
    beam_generation_free(w->generation, w->shuffle->options.budget);
    beam_runs_forget(w->shuffle, w->runs);
    beam_buffer_free(&w->key_image);
    beam_free(w);
}

void beam_shuffle_abort(beam_shuffle_writer *writer)
{
    if (writer)
        end_writer(writer);
}

const char *beam_shuffle_writer_error(const beam_shuffle_writer *writer)
{
    return writer->error.message;
}

/* What this bundle wrote so far goes to a run of its own, which an abort can forget. */
static beam_status spill_writer(beam_shuffle_writer *w)
{
    beam_shuffle *shuffle = w->shuffle;
    beam_generation *fresh = beam_generation_new();
    if (!fresh)
        return beam_error_set(&w->error, BEAM_RESOURCE_EXHAUSTED, "out of memory spilling");
    beam_status status = beam_generation_finish(w->generation, &shuffle->layout);
    beam_run *run = NULL;
    if (status == BEAM_OK)
        status = beam_run_write(shuffle, w->generation, &run, &w->error);
    if (status != BEAM_OK) {
        beam_generation_free(fresh, shuffle->options.budget);
        return status;
    }
    run->next = w->runs;
    w->runs = run;
    beam_generation_free(w->generation, shuffle->options.budget);
    w->generation = fresh;
    beam_generation_account(fresh, shuffle->options.budget);
    return beam_runs_merge(shuffle, &w->runs, &w->error);
}

/* All committed generations become one run. The caller holds the lock. */
static beam_status spill_committed(beam_shuffle *shuffle, beam_error *err)
{
    if (!shuffle->generations)
        return BEAM_OK;
    beam_run *run;
    BEAM_TRY(beam_run_write(shuffle, shuffle->generations, &run, err));
    run->next = shuffle->runs;
    shuffle->runs = run;
    shuffle->spilled_bytes += beam_run_bytes(run);
    free_generations(shuffle);
    return BEAM_OK;
}

static uint64_t committed_bytes(const beam_shuffle *shuffle)
{
    uint64_t bytes = 0;
    for (const beam_generation *g = shuffle->generations; g; g = g->next)
        bytes += g->accounted;
    return bytes;
}

beam_status beam_shuffle_writer_check_budget(beam_shuffle_writer *w)
{
    beam_shuffle *shuffle = w->shuffle;
    beam_memory_budget *budget = shuffle->options.budget;
    beam_generation_account(w->generation, budget);
    if (BEAM_LIKELY(!beam_memory_budget_reached(budget)))
        return BEAM_OK;
    /* A run pays when it is large: smaller holdings stay, and others spill instead. */
    uint64_t worth = budget->limit / (4 * (uint64_t)shuffle->options.threads);
    if (w->generation->accounted >= worth)
        return spill_writer(w);
    beam_status status = BEAM_OK;
    if (pthread_mutex_trylock(&shuffle->lock) == 0) {
        if (committed_bytes(shuffle) >= worth)
            status = spill_committed(shuffle, &w->error);
        pthread_mutex_unlock(&shuffle->lock);
    }
    return status;
}

beam_status beam_shuffle_commit(beam_shuffle_writer *w, beam_error *err)
{
    beam_shuffle *shuffle = w->shuffle;
    beam_status status = beam_generation_finish(w->generation, &shuffle->layout);
    if (status != BEAM_OK)
        (void)beam_error_set(err, status, "out of memory committing a bundle to a shuffle");
    else /* those of bundles before it: what is there stays as it is when this fails */
        status = beam_runs_merge(shuffle, &shuffle->runs, err);
    if (status != BEAM_OK) {
        end_writer(w);
        return status;
    }
    beam_generation_account(w->generation, shuffle->options.budget);
    pthread_mutex_lock(&shuffle->lock);
    shuffle->elements += w->generation->elements;
    if (w->generation->elements) {
        w->generation->next = shuffle->generations;
        shuffle->generations = w->generation;
        w->generation = NULL;
    }
    while (w->runs) {
        beam_run *run = w->runs;
        w->runs = run->next;
        run->next = shuffle->runs;
        shuffle->runs = run;
        shuffle->elements += run->elements;
        shuffle->spilled_bytes += beam_run_bytes(run);
    }
    pthread_mutex_unlock(&shuffle->lock);
    end_writer(w);
    return BEAM_OK;
}

/* ---- After the last commit ------------------------------------------------------------ */

/* Of what is in a file only the size is known.  What is there weighs something, however small it is
 * beside the rest: what weighs nothing is not read. */
static uint64_t weigh_part(const beam_run *run, size_t partition)
{
    uint64_t bytes = run->offsets[partition + 1] - run->offsets[partition];
    if (bytes == 0)
        return 0;
    return 1 + (uint64_t)((double)bytes / (double)beam_run_bytes(run) * (double)run->elements);
}

static void weigh(beam_shuffle *shuffle)
{
    uint64_t *weights = shuffle->weights;
    for (const beam_generation *g = shuffle->generations; g; g = g->next) {
        for (uint64_t i = 0; i < g->slots_used; i++)
            weights[beam_shuffle_partition(g->ordered[i].hash) + 1] +=
                beam_chunk_total(g->ordered[i].slot->chunk);
        for (size_t p = 0; g->radix && p < BEAM_SHUFFLE_PARTITIONS; p++)
            weights[p + 1] += beam_chunk_total(g->radix[p].chunk);
    }
    for (const beam_run *run = shuffle->runs; run; run = run->next)
        for (size_t p = 0; p < BEAM_SHUFFLE_PARTITIONS; p++)
            weights[p + 1] += weigh_part(run, p);
    for (size_t p = 0; p < BEAM_SHUFFLE_PARTITIONS; p++)
        weights[p + 1] += weights[p];
}

beam_status beam_shuffle_seal(beam_shuffle *shuffle, beam_error *err)
{
    if (shuffle->runs) /* reading merges runs only, so what is left becomes one */
        BEAM_TRY(spill_committed(shuffle, err));
    BEAM_TRY(beam_runs_merge(shuffle, &shuffle->runs, err));
    shuffle->weights = beam_calloc(BEAM_SHUFFLE_PARTITIONS + 1, sizeof *shuffle->weights);
    if (!shuffle->weights)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory sealing a shuffle");
    weigh(shuffle);
    shuffle->sealed = true;
    return BEAM_OK;
}

beam_shuffle_stats beam_shuffle_get_stats(const beam_shuffle *shuffle)
{
    beam_shuffle_stats stats = {.elements = shuffle->elements,
                                .bytes = committed_bytes(shuffle),
                                .spilled_bytes = shuffle->spilled_bytes};
    for (const beam_run *run = shuffle->runs; run; run = run->next)
        stats.runs++;
    return stats;
}

uint64_t beam_shuffle_weight(const beam_shuffle *shuffle, uint32_t first, uint32_t last)
{
    return shuffle->weights[last] - shuffle->weights[first];
}

void beam_shuffle_release(beam_shuffle *shuffle, uint32_t first, uint32_t last)
{
    uint32_t before = atomic_fetch_add(&shuffle->released, last - first);
    if (last == first || before + (last - first) < BEAM_SHUFFLE_PARTITIONS)
        return; /* nothing, or not the last of them */
    free_generations(shuffle);
    free_runs(shuffle);
}
