/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* run.c - beam_pipeline_run: the graph becomes a proto, and a runner gets nothing else. */
#include <beam/pipeline.h>
#include <string.h>

#include "app/engine.h"
#include "app/functions.h"
#include "app/result.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pipeline.h"
#include "io/library.h"
#include "ml/library.h"

beam_status beam_app_registry(const beam_functions *functions, beam_registry *registry,
                              beam_error *err)
{
    BEAM_TRY(beam_registry_add_functions(registry, functions, err));
    BEAM_TRY(beam_registry_add_functions(registry, beam_transform_functions(), err));
    BEAM_TRY(beam_registry_add_functions(registry, beam_io_functions(), err));
    return beam_registry_add_functions(registry, beam_ml_functions(), err);
}

/* The functions that the runner may use: those given (and the library's own), or, when none
 * are, those that the graph was built with. */
static beam_status resolve(const beam_pipeline *pipeline, const beam_functions *functions,
                           beam_registry *own, const beam_registry **registry, beam_error *err)
{
    *registry = beam_pipeline_registry(pipeline);
    if (!functions)
        return BEAM_OK;
    *registry = own;
    return beam_app_registry(functions, own, err);
}

static void show_direct(beam_result *result)
{
    result->seconds = result->direct.seconds;
    result->metrics = result->direct.metrics;
    result->n_metrics = result->direct.n_metrics;
    result->counts = result->direct.counts;
    result->n_counts = result->direct.n_counts;
}

static void on_progress(void *user, const beam_progress *progress, beam_direct_result *so_far)
{
    const beam_run_options *options = user;
    beam_result result = {0};
    beam_progress with = *progress;
    if (so_far) {
        result.direct = *so_far;
        show_direct(&result);
        with.result = &result;
    }
    options->on_progress(options->progress_user, &with);
}

static beam_status run_direct(beam_pipeline *pipeline, const beam_run_options *options,
                              const beam_registry *registry, beam_result *result, beam_error *err)
{
    void *proto = NULL;
    size_t size = 0;
    BEAM_TRY(beam_pipeline_to_proto(pipeline, &proto, &size, err));
    const beam_direct_options direct = {.registry = registry,
                                        .run = options,
                                        .on_progress = options->on_progress ? on_progress : NULL,
                                        .user = (void *)(uintptr_t)options};
    beam_status status = beam_direct_run(proto, size, &direct, &result->direct, err);
    beam_release(proto);
    show_direct(result);
    return status;
}

static beam_status run_on_engine(beam_pipeline *pipeline, const beam_run_options *options,
                                 const beam_registry *registry, beam_result *result,
                                 beam_error *err)
{
    double began = beam_clock_seconds();
    beam_status status =
        beam_engine_run(pipeline, options, registry, &result->arena, &result->job, err);
    result->seconds = beam_clock_seconds() - began;
    result->metrics = result->job.totals;
    result->n_metrics = result->job.n;
    result->counts = result->job.counts;
    result->n_counts = result->job.n_counts;
    return status;
}

static beam_status run(beam_pipeline *pipeline, const beam_run_options *options,
                       beam_result *result, beam_error *err)
{
    beam_registry own = {0};
    const beam_registry *registry;
    beam_status status = resolve(pipeline, options->functions, &own, &registry, err);
    if (status == BEAM_OK)
        status = beam_is_engine(options->runner)
                     ? run_on_engine(pipeline, options, registry, result, err)
                     : run_direct(pipeline, options, registry, result, err);
    beam_registry_free(&own);
    return status;
}

beam_status beam_pipeline_run(beam_pipeline *pipeline, const beam_run_options *options,
                              beam_result **out, beam_error *err)
{
    static const beam_run_options defaults = {.struct_size = sizeof defaults};
    if (out)
        *out = NULL;
    if (!options)
        options = &defaults;
    BEAM_TRY(beam_pipeline_status(pipeline, err));
    if (options->struct_size != sizeof *options)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "beam_run_options.struct_size is %zu instead of %zu",
                              options->struct_size, sizeof *options);
    if (options->runner && strcmp(options->runner, "direct") != 0 &&
        !beam_is_engine(options->runner))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "there is no runner \"%s\": direct, prism, flink, spark, portable "
                              "and dataflow are those there are",
                              options->runner);
    beam_result *result = beam_calloc(1, sizeof *result);
    if (!result)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to run the pipeline");
    beam_status status = run(pipeline, options, result, err);
    beam_pipeline_clean(pipeline);
    if (out)
        *out = result;
    else
        beam_result_free(result);
    return status;
}

/* ---- Results ---------------------------------------------------------------------------- */

/* Whether `name` is `transform` or lies below it. */
static bool covers(const char *transform, const char *name)
{
    if (!transform)
        return true;
    size_t len = strlen(transform);
    return strncmp(name, transform, len) == 0 && (name[len] == '\0' || name[len] == '/');
}

beam_status beam_result_metric(const beam_result *result, const char *transform, const char *name,
                               beam_metric_cell *cell)
{
    bool found = false;
    *cell = (beam_metric_cell){0};
    for (size_t i = 0; i < result->n_metrics; i++) {
        const beam_metric_total *metric = &result->metrics[i];
        if (strcmp(metric->name, name) != 0 || !covers(transform, metric->transform))
            continue;
        (void)beam_metric_cell_add(metric->kind, cell, &metric->cell); /* numbers cannot fail */
        found = true;
    }
    return found ? BEAM_OK : BEAM_NOT_FOUND;
}

void beam_result_metrics(const beam_result *result,
                         void (*visit)(void *user, const char *transform, const char *namespace_,
                                       const char *name, beam_metric_kind kind,
                                       const beam_metric_cell *cell),
                         void *user)
{
    for (size_t i = 0; i < result->n_metrics; i++) {
        const beam_metric_total *m = &result->metrics[i];
        visit(user, m->transform, m->function, m->name, m->kind, &m->cell);
    }
}

double beam_result_seconds(const beam_result *result)
{
    return result->seconds;
}

void beam_result_free(beam_result *result)
{
    if (!result)
        return;
    beam_direct_result_free(&result->direct);
    beam_job_metrics_free(&result->job);
    beam_arena_free(&result->arena);
    beam_free(result);
}
