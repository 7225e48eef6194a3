/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* worker.c - a thread of a run: takes an item, feeds it to its stage as a bundle, commits or
 * forgets what came out. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "bundle/crash.h"
#include "direct/run.h"

enum {
    MS = 1000000,        /* nanoseconds */
    PUSH_TIME = 1 * MS,  /* elements of a buffer are claimed for about so long ... */
    READ_TIME = 20 * MS, /* ... and partitions, whose reading takes some preparation */
    MOST_CLAIMED = 1 << 16
};

static const beam_window global_window = BEAM_GLOBAL_WINDOW;

/* The size of the next claim, from what the last one took. */
static uint64_t next_claim(uint64_t claimed, uint64_t took, uint64_t target)
{
    if (took < target / 2 && claimed < MOST_CLAIMED)
        return claimed * 2;
    return took > target * 2 && claimed > 1 ? claimed / 2 : claimed;
}

/* ---- Feeding --------------------------------------------------------------------------- */

static beam_status feed_impulse(beam_worker *worker, beam_processor *processor)
{
    static const beam_bytes nothing = {"", 0};
    const beam_element_info info = {.timestamp = BEAM_MIN_TIMESTAMP,
                                    .windows = &global_window,
                                    .n_windows = 1,
                                    .pane = BEAM_PANE_NO_FIRING};
    uint64_t first, n;
    if (!beam_item_claim(worker, 1, &first, &n))
        return BEAM_OK;
    return beam_bundle_push(processor->bundle, processor->source, &info, &nothing, 1);
}

/* Of a unit that the worker has claimed: those of later ones may be taken off the list meanwhile.
 */
static const beam_stand_in *find_stand_in(beam_worker *worker, uint64_t unit)
{
    pthread_mutex_lock(&worker->lock);
    const beam_stand_in *it = worker->item->stand_ins;
    while (it && it->unit != unit)
        it = it->older;
    pthread_mutex_unlock(&worker->lock);
    return it;
}

static beam_status push_range(beam_worker *worker, beam_processor *processor,
                              const beam_element_buffer *buffer, uint64_t first, uint64_t n,
                              beam_error *err)
{
    while (n) {
        const beam_span *span = beam_buffer_find(buffer, first);
        const char *elements;
        uint64_t skip = first - span->first;
        uint64_t now = span->n - skip < n ? span->n - skip : n;
        BEAM_TRY(beam_span_load(&worker->loader, buffer, span, &elements, err));
        BEAM_TRY(beam_bundle_push(processor->bundle, processor->source, span->info,
                                  elements + skip * buffer->options.type->size, (size_t)now));
        first += now;
        n -= now;
    }
    return BEAM_OK;
}

static beam_status push_claimed(beam_worker *worker, beam_processor *processor,
                                const beam_element_buffer *buffer, uint64_t first, uint64_t n,
                                beam_error *err)
{
    const beam_stand_in *instead = find_stand_in(worker, first);
    if (instead)
        return beam_bundle_push(processor->bundle, processor->source, instead->info,
                                instead->element, 1);
    return push_range(worker, processor, buffer, first, n, err);
}

static beam_status feed_buffer(beam_worker *worker, beam_processor *processor,
                               const beam_element_buffer *buffer, beam_error *err)
{
    bool single = worker->run->graph.stages[processor->stage].processes_restrictions;
    uint64_t want = 1, first, n, before = beam_direct_now();
    uint64_t parts = worker->item->parts;
    beam_status status = BEAM_OK;
    if (single && parts > 1) /* at the first claim */
        (void)beam_bundle_split(processor->bundle, 1 / (double)parts);
    while (status == BEAM_OK && beam_item_claim(worker, want, &first, &n)) {
        status = push_claimed(worker, processor, buffer, first, n, err);
        uint64_t now = beam_direct_now();
        want = single ? 1 : next_claim(want, now - before, PUSH_TIME);
        before = now;
    }
    beam_span_loader_rest(&worker->loader);
    return status;
}

static beam_status read_partitions(beam_processor *processor, beam_shuffle_reader *reader,
                                   uint64_t first, uint64_t n, beam_error *err)
{
    beam_shuffle_groups groups;
    beam_shuffle_reader_restart(reader, (uint32_t)first, (uint32_t)(first + n));
    beam_status status;
    while ((status = beam_shuffle_next(reader, &groups, err)) == BEAM_OK) {
        status = beam_bundle_push(processor->bundle, processor->source, &groups.info,
                                  groups.elements, groups.n);
        if (status != BEAM_OK)
            break;
    }
    /* The end of the groups, unless it is the pushed element's failure. */
    return status == BEAM_OUT_OF_RANGE &&
                   beam_bundle_get_state(processor->bundle) == BEAM_BUNDLE_RUNNING
               ? BEAM_OK
               : status;
}

static beam_status merge(void *self, void *const *values, const void *others, size_t stride,
                         size_t n)
{
    const beam_processor *processor = self;
    return beam_bundle_merge(processor->bundle, processor->source, values, others, stride, n);
}

static beam_status open_reader(beam_processor *processor, beam_shuffle *shuffle,
                               beam_shuffle_reader **reader, beam_error *err)
{
    BEAM_TRY(beam_shuffle_read(shuffle, 0, 0, reader, err));
    if (beam_plan_source_merges(processor->source))
        beam_shuffle_reader_merge(*reader, (beam_shuffle_merger){merge, processor});
    return BEAM_OK;
}

static beam_status feed_shuffle(beam_worker *worker, beam_processor *processor,
                                beam_shuffle *shuffle, beam_error *err)
{
    uint64_t want = 1, first, n, before = beam_direct_now();
    beam_shuffle_reader *reader = NULL;
    beam_status status = BEAM_OK;
    while (status == BEAM_OK && beam_item_claim(worker, want, &first, &n)) {
        /* Not before something is claimed: others may have taken it all, and be done with it. */
        if (!reader)
            status = open_reader(processor, shuffle, &reader, err);
        if (status == BEAM_OK)
            status = read_partitions(processor, reader, first, n, err);
        uint64_t now = beam_direct_now();
        want = next_claim(want, now - before, READ_TIME);
        before = now;
    }
    beam_shuffle_reader_close(reader);
    return status;
}

static beam_status feed(beam_worker *worker, beam_processor *processor, beam_error *err)
{
    beam_store *source = worker->run->stages[processor->stage].source;
    switch (source->plan->kind) {
    case BEAM_STORE_IMPULSE:
        return feed_impulse(worker, processor);
    case BEAM_STORE_SHUFFLE:
        return feed_shuffle(worker, processor, source->shuffle, err);
    case BEAM_STORE_BUFFER:
        break;
    }
    return feed_buffer(worker, processor, &source->buffer, err);
}

/* ---- A bundle -------------------------------------------------------------------------- */

static beam_status start_bundle(beam_worker *worker, beam_processor *processor, beam_error *err)
{
    beam_stage_run *stage = &worker->run->stages[processor->stage];
    char id[64];
    snprintf(id, sizeof id, "stage %u, bundle %llu", processor->stage,
             (unsigned long long)__atomic_add_fetch(&stage->bundles, 1, __ATOMIC_RELAXED));
    return beam_bundle_start(processor->bundle, id, err);
}

/* Whether the run was stopped before the bundle could be told so. */
static bool stopped(beam_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    bool stop = beam_run_stopped(worker->run);
    pthread_mutex_unlock(&worker->lock);
    return stop;
}

static beam_status run_bundle(beam_worker *worker, beam_processor *processor, beam_error *err)
{
    BEAM_TRY(start_bundle(worker, processor, err));
    if (stopped(worker))
        return beam_error_set(err, BEAM_CANCELLED, "the run was stopped");
    beam_status status = feed(worker, processor, err);
    if (status == BEAM_OK)
        return beam_bundle_finish(processor->bundle, err);
    beam_error own = {0};
    if (beam_bundle_error(processor->bundle, &own) != BEAM_OK)
        *err = own;
    else if (err->code != status)
        (void)beam_error_set(err, status, "%s", beam_status_name(status));
    return status;
}

static void publish(beam_worker *worker, beam_item *item, beam_processor *processor)
{
    pthread_mutex_lock(&worker->lock);
    worker->item = item;
    worker->processor = processor;
    worker->began = beam_direct_now();
    worker->split_asked = 0;
    pthread_mutex_unlock(&worker->lock);
}

/* What only this item read of a shuffle is not needed any more. */
static void release_read(beam_execution *run, const beam_item *item)
{
    const beam_store *source = run->stages[item->stage].source;
    if (source->plan->kind == BEAM_STORE_SHUFFLE && source->plan->readers.n == 1)
        beam_shuffle_release(source->shuffle, (uint32_t)item->start, (uint32_t)item->end);
}

/* A setup that failed does so again, unless it waits for something that may come. */
static bool may_help(const beam_processor *processor, beam_status status)
{
    const beam_plan_failure *failure =
        processor->bundle ? beam_bundle_failure(processor->bundle) : NULL;
    return !failure || !failure->transform || strcmp(failure->step, "setup") != 0 ||
           status == BEAM_UNAVAILABLE || status == BEAM_RESOURCE_EXHAUSTED ||
           status == BEAM_DEADLINE_EXCEEDED || status == BEAM_ABORTED;
}

static void run_item(beam_worker *worker, beam_item *item)
{
    beam_execution *run = worker->run;
    beam_processor *processor = &worker->processors[item->stage];
    beam_error error = {0};
    bool partly = false;
    uint64_t began = beam_direct_now();
    beam_status status = beam_processor_open(processor, &error);
    if (status == BEAM_OK) {
        publish(worker, item, processor);
        status = run_bundle(worker, processor, &error);
        publish(worker, NULL, NULL);
    }
    if (status == BEAM_OK)
        status = beam_processor_commit(processor, &partly, &error);
    item->took = beam_direct_now() - began;
    if (status == BEAM_OK) {
        beam_finalizers_run(beam_bundle_take_finalizers(processor->bundle), run->options->logger);
        release_read(run, item);
        beam_schedule_done(worker, item);
        return;
    }
    bool again = may_help(processor, status);
    beam_processor_reset(processor);
    if (partly)
        beam_schedule_stop(run, status, &error);
    beam_schedule_failed(worker, item, again, &error);
}

void *beam_worker_main(void *self)
{
    beam_worker *worker = self;
    beam_execution *run = worker->run;
    beam_error error = {0};
    beam_status status = beam_crash_thread_begin(&error);
    if (status != BEAM_OK)
        beam_schedule_stop(run, status, &error);
    for (beam_item *item; (item = beam_schedule_take(worker));)
        run_item(worker, item);
    beam_crash_thread_end();
    pthread_mutex_lock(&run->lock);
    run->threads_left--;
    pthread_cond_signal(&run->over);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}
