/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* profile.c - where the time goes.  Of stages it is measured, a bundle at a time; of transforms it
 * is sampled: now and then the thread that watches the run looks what each worker is at, so the
 * workers themselves do nothing for it. */
#include <string.h>

#include "base/alloc.h"
#include "direct/run.h"

beam_status beam_profile_open(beam_execution *run, beam_error *err)
{
    for (size_t s = 0; run->options->profile && s < run->graph.n_stages; s++) {
        run->stages[s].sampled =
            beam_calloc(run->graph.stages[s].steps.n, sizeof *run->stages[s].sampled);
        if (!run->stages[s].sampled)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the run's profile");
    }
    return BEAM_OK;
}

void beam_profile_close(beam_execution *run)
{
    for (size_t s = 0; run->stages && s < run->graph.n_stages; s++)
        beam_free(run->stages[s].sampled);
}

/* The place in the stage of the step that the worker is at; BEAM_NONE: between its steps, where
 * elements are read and written.  The caller holds worker->lock. */
static uint32_t place_of(const beam_worker *worker)
{
    const beam_direct_graph *graph = &worker->run->graph;
    const beam_stage *stage = &graph->stages[worker->processor->stage];
    const char *active = beam_bundle_active(worker->processor->bundle);
    for (uint32_t i = 0; active && i < stage->steps.n; i++)
        if (strcmp(beam_step_name(&graph->steps[stage->steps.at[i]]), active) == 0)
            return i;
    return BEAM_NONE;
}

void beam_profile_sample(beam_execution *run, uint64_t nanoseconds)
{
    for (uint32_t i = 0; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->lock);
        uint32_t place = worker->item ? place_of(worker) : BEAM_NONE;
        beam_stage_run *stage = worker->item ? &run->stages[worker->processor->stage] : NULL;
        pthread_mutex_unlock(&worker->lock);
        if (stage && place == BEAM_NONE)
            stage->sampled_between += nanoseconds;
        else if (stage)
            stage->sampled[place] += nanoseconds;
    }
}

/* ---- Telling ---------------------------------------------------------------------------- */

static double since(const beam_execution *run, uint64_t moment)
{
    return moment ? (double)(moment - run->began) / 1e9 : -1;
}

/* The caller holds the lock. */
static void tell_stage(const beam_execution *run, const beam_stage_run *from,
                       beam_direct_stage *stage)
{
    *stage = (beam_direct_stage){.name = from->plan->name ? from->plan->name : "",
                                 .bundles = from->committed,
                                 .failed = from->failed,
                                 .began = since(run, from->began),
                                 .ended = since(run, from->ended),
                                 .busy = (double)from->busy / 1e9,
                                 .between = (double)from->sampled_between / 1e9,
                                 .fraction = from->done ? 1
                                             : from->units
                                                 ? (double)from->units_done / (double)from->units
                                                 : 0};
}

/* What bundles have taken that are not over. */
static void add_running(beam_execution *run, beam_direct_stage *stages)
{
    for (uint32_t i = 0; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->lock);
        if (worker->item)
            stages[worker->processor->stage].busy +=
                (double)(beam_direct_now() - worker->began) / 1e9;
        pthread_mutex_unlock(&worker->lock);
    }
}

static beam_status name_steps(const beam_execution *run, size_t index, beam_arena *arena,
                              beam_direct_stage *stage)
{
    const beam_stage *plan = &run->graph.stages[index];
    const char **names = beam_arena_calloc(arena, plan->steps.n, sizeof *names);
    double *seconds = beam_arena_calloc(arena, plan->steps.n, sizeof *seconds);
    stage->name = beam_arena_strdup(arena, stage->name);
    if (!names || !seconds || !stage->name)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < plan->steps.n; i++) {
        names[i] = beam_arena_strdup(arena, beam_step_name(&run->graph.steps[plan->steps.at[i]]));
        if (!names[i])
            return BEAM_RESOURCE_EXHAUSTED;
        if (run->stages[index].sampled)
            seconds[i] = (double)run->stages[index].sampled[i] / 1e9;
    }
    stage->transforms = names;
    stage->seconds = seconds;
    stage->n_transforms = plan->steps.n;
    return BEAM_OK;
}

beam_status beam_profile_collect(beam_execution *run, beam_direct_result *result)
{
    size_t n = run->graph.n_stages;
    result->stages = beam_arena_calloc(&result->arena, n, sizeof *result->stages);
    if (!result->stages)
        return BEAM_RESOURCE_EXHAUSTED;
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < n; i++)
        tell_stage(run, &run->stages[i], &result->stages[i]);
    pthread_mutex_unlock(&run->lock);
    add_running(run, result->stages);
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(name_steps(run, i, &result->arena, &result->stages[i]));
    result->n_stages = n;
    return BEAM_OK;
}
