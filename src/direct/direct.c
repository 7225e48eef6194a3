/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* direct.c - a run from its beginning to its end.  The calling thread starts the workers, then
 * watches over them: it looks for cancellation and tells of progress. */
#include "direct/direct.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "direct/run.h"
#include "model/urn.h"
#include "type/layout.h"

enum {
    MS = 1000000,              /* nanoseconds */
    LOOK_FOR_CANCEL = 20 * MS, /* how soon a cancelled run notices */
    LOOK_AT_WORKERS = 5 * MS,  /* between samples of a profile */
    TELL_PROGRESS = 500 * MS
};

uint64_t beam_direct_least_share = BEAM_DIRECT_LEAST_SHARE;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to run the pipeline");
}

/* ---- Setting up ------------------------------------------------------------------------- */

static uint32_t count_cores(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) > 0)
        return (uint32_t)CPU_COUNT(&cores);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static beam_status open_store(beam_execution *run, uint32_t index, beam_error *err)
{
    beam_store *store = &run->stores[index];
    const beam_store_plan *plan = &run->graph.stores[index];
    const beam_dataset *written = &run->graph.datasets[plan->written];
    store->plan = plan;
    store->writers_left = plan->writers.n;
    store->readers_left = plan->readers.n + plan->viewers.n;
    if (plan->kind == BEAM_STORE_SHUFFLE) {
        const beam_shuffle_options options = {.element = beam_type_bare(written->type),
                                              .windowing = written->windowing,
                                              .budget = &run->budget,
                                              .temp_dir = run->temp_dir,
                                              .threads = run->n_workers};
        return beam_shuffle_open(&options, &store->shuffle, err);
    }
    if (plan->kind == BEAM_STORE_IMPULSE)
        return BEAM_OK;
    /* Side inputs are read all over, so they stay in memory. */
    beam_element_buffer_options options = {.type = written->type,
                                           .budget = &run->budget,
                                           .temp_dir = plan->viewers.n ? NULL : run->temp_dir,
                                           .threads = run->n_workers};
    for (size_t i = 0; i < plan->readers.n; i++)
        options.one_window |= run->graph.stages[plan->readers.at[i]].processes_restrictions;
    BEAM_TRY(beam_element_buffer_open(&store->buffer, &options, err));
    return plan->viewers.n ? beam_side_view_open(&store->buffer, &store->view, err) : BEAM_OK;
}

static beam_status open_stores(beam_execution *run, beam_error *err)
{
    const beam_direct_graph *graph = &run->graph;
    run->stores = beam_calloc(graph->n_stores, sizeof *run->stores);
    run->stages = beam_calloc(graph->n_stages, sizeof *run->stages);
    if (!run->stores || !run->stages)
        return no_memory(err);
    for (uint32_t i = 0; i < graph->n_stores; i++)
        BEAM_TRY(open_store(run, i, err));
    for (size_t i = 0; i < graph->n_stages; i++) {
        const beam_stage *stage = &graph->stages[i];
        beam_store *source = &run->stores[graph->datasets[stage->source].source];
        run->stages[i] = (beam_stage_run){.plan = stage, .source = source};
        run->stages[i].waiting = 1 + stage->views.n;
    }
    run->stages_left = graph->n_stages;
    return BEAM_OK;
}

static bool has_urn(const beam_step *step, const char *urn)
{
    return step->proto->spec && strcmp(step->proto->spec->urn, urn) == 0;
}

/* What sources read: what restrictions give, and what DoFns make of an Impulse. */
static beam_status find_roots(beam_execution *run, beam_error *err)
{
    const beam_direct_graph *graph = &run->graph;
    run->roots = beam_calloc(graph->n_datasets, sizeof *run->roots);
    if (!run->roots)
        return no_memory(err);
    for (size_t i = 0; i < graph->n_steps; i++) {
        const beam_step *step = &graph->steps[i];
        if (step->kind != BEAM_STEP_EXECUTE || step->outs.n == 0)
            continue;
        const beam_step *before = &graph->steps[graph->datasets[step->ins.at[0]].producer];
        if (has_urn(step, BEAM_URN_SDF_PROCESS) ||
            (has_urn(step, BEAM_URN_PARDO) && before->kind == BEAM_STEP_IMPULSE))
            run->roots[step->outs.at[0]] = true;
    }
    return BEAM_OK;
}

static beam_status open_workers(beam_execution *run, beam_error *err)
{
    size_t n_stages = run->graph.n_stages;
    run->workers = beam_calloc(run->n_workers, sizeof *run->workers);
    if (!run->workers)
        return no_memory(err);
    for (uint32_t i = 0; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[i];
        if (pthread_mutex_init(&worker->lock, NULL) != 0)
            return no_memory(err);
        worker->run = run; /* from here on there is something to free */
        worker->index = i;
        worker->processors = beam_calloc(n_stages, sizeof *worker->processors);
        if (!worker->processors)
            return no_memory(err);
        for (uint32_t s = 0; s < n_stages; s++) {
            worker->processors[s].worker = worker;
            worker->processors[s].stage = s;
        }
    }
    /* What cannot be executed is refused before anything is. */
    for (uint32_t s = 0; s < n_stages; s++)
        BEAM_TRY(beam_processor_open(&run->workers[0].processors[s], err));
    return BEAM_OK;
}

static void close_all(beam_execution *run)
{
    for (uint32_t i = 0; run->workers && i < run->n_workers && run->workers[i].run; i++) {
        beam_worker *worker = &run->workers[i];
        for (size_t s = 0; worker->processors && s < run->graph.n_stages; s++)
            beam_processor_free(&worker->processors[s]);
        beam_free(worker->processors);
        beam_span_loader_free(&worker->loader);
        pthread_mutex_destroy(&worker->lock);
    }
    beam_free(run->workers);
    for (size_t i = 0; run->stages && i < run->graph.n_stages; i++)
        while (run->stages[i].queue) {
            beam_item *next = run->stages[i].queue->next;
            beam_item_free(run->stages[i].queue);
            run->stages[i].queue = next;
        }
    beam_profile_close(run);
    beam_free(run->stages);
    for (size_t i = 0; run->stores && i < run->graph.n_stores; i++) {
        beam_side_view_close(run->stores[i].view);
        beam_shuffle_close(run->stores[i].shuffle);
        beam_element_buffer_close(&run->stores[i].buffer);
    }
    beam_free(run->stores);
    beam_free(run->roots);
    beam_direct_graph_free(&run->graph);
}

/* ---- Watching --------------------------------------------------------------------------- */

/* The share of all work that is done, each stage counting the same; the caller holds the
 * lock. */
static double fraction_done(const beam_execution *run)
{
    double done = 0;
    for (size_t i = 0; i < run->graph.n_stages; i++) {
        const beam_stage_run *stage = &run->stages[i];
        if (stage->done)
            done += 1;
        else if (stage->units)
            done += (double)stage->units_done / (double)stage->units;
    }
    return run->graph.n_stages ? done / (double)run->graph.n_stages : 1;
}

static const char *busiest(const beam_execution *run)
{
    const beam_stage_run *most = NULL;
    for (size_t i = 0; i < run->graph.n_stages; i++)
        if (run->stages[i].running && (!most || run->stages[i].running >= most->running))
            most = &run->stages[i];
    return most ? most->plan->name : NULL;
}

static bool tells(const beam_execution *run)
{
    return run->direct->on_progress || run->options->on_progress;
}

static void tell(beam_execution *run, const beam_progress *progress)
{
    beam_direct_result so_far = {.seconds = progress->seconds};
    const beam_direct_options *direct = run->direct;
    bool told = run->options->profile && beam_result_collect(run, true, &so_far, NULL) == BEAM_OK;
    if (direct->on_progress)
        direct->on_progress(direct->user, progress, told ? &so_far : NULL);
    else
        run->options->on_progress(run->options->progress_user, progress);
    beam_direct_result_free(&so_far);
}

/* The caller holds the lock, which is given back for the callback. */
static void tell_progress(beam_execution *run)
{
    beam_progress progress = {.fraction = fraction_done(run), .transform = busiest(run)};
    pthread_mutex_unlock(&run->lock);
    progress.seconds = (double)(beam_direct_now() - run->began) / 1e9;
    progress.elements = beam_result_elements(run);
    tell(run, &progress);
    pthread_mutex_lock(&run->lock);
}

static void wait_over(beam_execution *run, uint64_t nanoseconds)
{
    uint64_t until = beam_direct_now() + nanoseconds;
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                          .tv_nsec = (long)(until % 1000000000)};
    (void)pthread_cond_timedwait(&run->over, &run->lock, &at);
}

/* The caller holds the lock, which is given back meanwhile. Returns the time. */
static uint64_t sample(beam_execution *run, uint64_t last)
{
    uint64_t now = beam_direct_now();
    pthread_mutex_unlock(&run->lock);
    beam_profile_sample(run, now - last);
    pthread_mutex_lock(&run->lock);
    return now;
}

static void watch(beam_execution *run)
{
    const beam_run_options *options = run->options;
    uint64_t told = run->began, sampled = beam_direct_now();
    pthread_mutex_lock(&run->lock);
    while (run->threads_left) {
        if (!options->cancel && !tells(run) && !options->profile) {
            (void)pthread_cond_wait(&run->over, &run->lock);
            continue;
        }
        wait_over(run, options->profile ? LOOK_AT_WORKERS : LOOK_FOR_CANCEL);
        if (options->profile)
            sampled = sample(run, sampled);
        if (options->cancel && !run->stop && run->stages_left &&
            __atomic_load_n(options->cancel, __ATOMIC_RELAXED)) {
            beam_error error = {0};
            (void)beam_error_set(&error, BEAM_CANCELLED, "the run was cancelled");
            pthread_mutex_unlock(&run->lock);
            beam_schedule_stop(run, BEAM_CANCELLED, &error);
            pthread_mutex_lock(&run->lock);
        }
        if (tells(run) && beam_direct_now() >= told + TELL_PROGRESS) {
            told = beam_direct_now();
            tell_progress(run);
        }
    }
    pthread_mutex_unlock(&run->lock);
}

/* ---- Running ---------------------------------------------------------------------------- */

static void run_threads(beam_execution *run)
{
    for (uint32_t i = 0; i < run->n_workers; i++) {
        pthread_mutex_lock(&run->lock);
        run->threads_left++;
        pthread_mutex_unlock(&run->lock);
        if (pthread_create(&run->workers[i].thread, NULL, beam_worker_main, &run->workers[i]) ==
            0) {
            run->n_threads++;
            continue;
        }
        pthread_mutex_lock(&run->lock);
        run->threads_left--;
        pthread_mutex_unlock(&run->lock);
        beam_error error = {0};
        (void)beam_error_set(&error, BEAM_RESOURCE_EXHAUSTED, "cannot start a thread");
        beam_schedule_stop(run, error.code, &error);
        break;
    }
    watch(run);
    for (uint32_t i = 0; i < run->n_threads; i++)
        (void)pthread_join(run->workers[i].thread, NULL);
}

static beam_status run_pipeline(beam_execution *run, beam_direct_result *result, beam_error *err)
{
    BEAM_TRY(open_stores(run, err));
    BEAM_TRY(find_roots(run, err));
    BEAM_TRY(beam_profile_open(run, err));
    BEAM_TRY(open_workers(run, err));
    BEAM_TRY(beam_schedule_begin(run, err));
    run_threads(run);
    if (run->status != BEAM_OK && err)
        *err = run->error;
    beam_status status =
        beam_result_collect(run, false, result, run->status == BEAM_OK ? err : NULL);
    return run->status != BEAM_OK ? run->status : status;
}

static beam_status with_locks(beam_execution *run, beam_direct_result *result, beam_error *err)
{
    pthread_condattr_t attributes;
    bool lock = pthread_mutex_init(&run->lock, NULL) == 0;
    bool made = pthread_condattr_init(&attributes) == 0;
    bool set = made && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0;
    bool work = set && pthread_cond_init(&run->work, &attributes) == 0;
    bool over = set && pthread_cond_init(&run->over, &attributes) == 0;
    beam_status status = lock && work && over ? run_pipeline(run, result, err) : no_memory(err);
    close_all(run);
    if (over)
        pthread_cond_destroy(&run->over);
    if (work)
        pthread_cond_destroy(&run->work);
    if (made)
        pthread_condattr_destroy(&attributes);
    if (lock)
        pthread_mutex_destroy(&run->lock);
    return status;
}

beam_status beam_direct_run(const void *proto, size_t size, const beam_direct_options *options,
                            beam_direct_result *result, beam_error *err)
{
    static const beam_run_options defaults = {.struct_size = sizeof defaults};
    const beam_run_options *given = options->run ? options->run : &defaults;
    const char *temp = getenv("TMPDIR");
    beam_execution run = {
        .registry = options->registry,
        .options = given,
        .direct = options,
        .budget = {.limit = given->memory_budget},
        .temp_dir = given->temp_dir   ? given->temp_dir
                    : temp && temp[0] ? temp
                                      : "/tmp",
        .n_workers = given->direct_num_workers ? given->direct_num_workers : count_cores(),
        .began = beam_direct_now(),
    };
    *result = (beam_direct_result){0};
    if (run.n_workers > BEAM_DIRECT_MAX_WORKERS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "direct_num_workers is %u, at most %d",
                              run.n_workers, BEAM_DIRECT_MAX_WORKERS);
    const uint64_t least = run.n_workers * beam_direct_least_share;
    if (run.budget.limit && run.budget.limit < least)
        run.budget.limit = least;
    beam_status status = beam_direct_graph_read(&run.graph, proto, size, err);
    if (status == BEAM_OK)
        status = with_locks(&run, result, err);
    else
        beam_direct_graph_free(&run.graph);
    result->seconds = (double)(beam_direct_now() - run.began) / 1e9;
    return status;
}
