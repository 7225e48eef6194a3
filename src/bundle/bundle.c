/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bundle.c - the states of a bundle processor: which calls are in order, and what a failure
 * leaves. */
#include "bundle/bundle.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "bundle/running.h"

struct beam_bundle {
    beam_plan *plan;
    beam_bundle_state state;
    bool aborted; /* broken without a failure of the plan's */
    char id[64];
};

_Thread_local beam_running beam_running_now __attribute__((tls_model("initial-exec")));

static void enter(const beam_bundle *bundle)
{
    beam_running_now = (beam_running){bundle->plan, bundle->id};
}

static void leave(void)
{
    beam_running_now.plan = NULL;
}

beam_status beam_bundle_open(const beam_plan_options *options, beam_bundle **bundle,
                             beam_error *err)
{
    *bundle = NULL;
    beam_bundle *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle processor");
    beam_status status = beam_plan_open(options, &made->plan, err);
    if (status != BEAM_OK) {
        beam_free(made);
        return status;
    }
    *bundle = made;
    return BEAM_OK;
}

void beam_bundle_close(beam_bundle *bundle)
{
    if (!bundle)
        return;
    enter(bundle); /* teardown is the user's code too */
    beam_plan_close(bundle->plan);
    leave();
    beam_free(bundle);
}

beam_bundle_state beam_bundle_get_state(const beam_bundle *bundle)
{
    return bundle->state;
}

/* ---- Sources -------------------------------------------------------------------------- */

beam_plan_source *beam_bundle_source(beam_bundle *bundle, const char *transform)
{
    size_t n = beam_plan_n_sources(bundle->plan);
    if (!transform)
        return n == 1 ? beam_plan_get_source(bundle->plan, 0) : NULL;
    for (size_t i = 0; i < n; i++) {
        beam_plan_source *source = beam_plan_get_source(bundle->plan, i);
        if (strcmp(beam_plan_source_port(source)->transform, transform) == 0)
            return source;
    }
    return NULL;
}

size_t beam_bundle_n_sources(const beam_bundle *bundle)
{
    return beam_plan_n_sources(bundle->plan);
}

beam_plan_source *beam_bundle_source_at(beam_bundle *bundle, size_t index)
{
    return beam_plan_get_source(bundle->plan, index);
}

/* ---- Running -------------------------------------------------------------------------- */

static beam_status wrong_state(const beam_bundle *bundle, const char *call, beam_error *err)
{
    static const char *const names[] = {"not started", "between bundles", "running a bundle",
                                        "broken"};
    return beam_error_set(err, BEAM_FAILED_PRECONDITION, "cannot %s a processor that is %s", call,
                          names[bundle->state]);
}

static beam_status broken(beam_bundle *bundle, beam_error *err)
{
    bundle->state = BEAM_BUNDLE_BROKEN;
    beam_plan_end_bundle(bundle->plan);
    return beam_bundle_error(bundle, err);
}

beam_status beam_bundle_start(beam_bundle *bundle, const char *id, beam_error *err)
{
    if (bundle->state != BEAM_BUNDLE_NEW && bundle->state != BEAM_BUNDLE_READY)
        return wrong_state(bundle, "start", err);
    strncpy(bundle->id, id, sizeof bundle->id - 1);
    __atomic_store_n(&beam_plan_frame(bundle->plan)->cancelled, 0, __ATOMIC_RELAXED);
    enter(bundle);
    beam_status status = BEAM_OK;
    if (bundle->state == BEAM_BUNDLE_NEW)
        status = beam_plan_setup(bundle->plan);
    if (status == BEAM_OK)
        status = beam_plan_start_bundle(bundle->plan);
    leave();
    if (status != BEAM_OK)
        return broken(bundle, err);
    bundle->state = BEAM_BUNDLE_RUNNING;
    return BEAM_OK;
}

static bool cancelled(const beam_bundle *bundle)
{
    return __atomic_load_n(&beam_plan_frame(bundle->plan)->cancelled, __ATOMIC_RELAXED) != 0;
}

static beam_status stop_cancelled(beam_bundle *bundle, beam_error *err)
{
    beam_bundle_abort(bundle);
    return beam_error_set(err, BEAM_CANCELLED, "the bundle was cancelled");
}

beam_status beam_bundle_push(beam_bundle *bundle, beam_plan_source *source,
                             const beam_element_info *info, const void *elements, size_t n)
{
    if (BEAM_UNLIKELY(bundle->state != BEAM_BUNDLE_RUNNING))
        return BEAM_FAILED_PRECONDITION;
    if (BEAM_UNLIKELY(cancelled(bundle)))
        return stop_cancelled(bundle, NULL);
    if (n == 0)
        return BEAM_OK;
    enter(bundle);
    beam_status status = beam_plan_push(bundle->plan, source, info, elements, n);
    leave();
    return BEAM_LIKELY(status == BEAM_OK) ? BEAM_OK : broken(bundle, NULL);
}

beam_status beam_bundle_merge(beam_bundle *bundle, beam_plan_source *source, void *const *accs,
                              const void *others, size_t stride, size_t n)
{
    if (BEAM_UNLIKELY(bundle->state != BEAM_BUNDLE_RUNNING))
        return BEAM_FAILED_PRECONDITION;
    enter(bundle);
    beam_status status = beam_plan_merge(bundle->plan, source, accs, others, stride, n);
    leave();
    return BEAM_LIKELY(status == BEAM_OK) ? BEAM_OK : broken(bundle, NULL);
}

beam_status beam_bundle_finish(beam_bundle *bundle, beam_error *err)
{
    if (bundle->state == BEAM_BUNDLE_BROKEN && beam_bundle_error(bundle, err) != BEAM_OK)
        return beam_bundle_error(bundle, err);
    if (bundle->state != BEAM_BUNDLE_RUNNING)
        return wrong_state(bundle, "finish", err);
    if (cancelled(bundle))
        return stop_cancelled(bundle, err);
    enter(bundle);
    beam_status status = beam_plan_finish_bundle(bundle->plan);
    if (status == BEAM_OK)
        beam_plan_end_bundle(bundle->plan);
    leave();
    if (status != BEAM_OK)
        return broken(bundle, err);
    bundle->state = BEAM_BUNDLE_READY;
    return BEAM_OK;
}

beam_finalizer *beam_bundle_take_finalizers(beam_bundle *bundle)
{
    return bundle->state == BEAM_BUNDLE_READY ? beam_plan_take_finalizers(bundle->plan) : NULL;
}

void beam_bundle_abort(beam_bundle *bundle)
{
    if (bundle->state != BEAM_BUNDLE_RUNNING)
        return;
    bundle->state = BEAM_BUNDLE_BROKEN;
    bundle->aborted = true;
    beam_plan_end_bundle(bundle->plan);
}

/* ---- Failures ------------------------------------------------------------------------- */

beam_status beam_bundle_error(const beam_bundle *bundle, beam_error *err)
{
    const beam_plan_failure *failure = beam_plan_get_failure(bundle->plan);
    if (!failure->transform && bundle->aborted)
        return beam_error_set(err, BEAM_CANCELLED, "the bundle was aborted");
    if (!failure->transform)
        return BEAM_OK;
    char where[160] = "";
    if (failure->function && strcmp(failure->step, "process") != 0)
        snprintf(where, sizeof where, " (%.100s, %s)", failure->function, failure->step);
    else if (failure->function)
        snprintf(where, sizeof where, " (%.100s)", failure->function);
    if (!failure->element_number)
        return beam_error_set(err, failure->error.code, "%s%s: %s", failure->unique_name, where,
                              failure->error.message);
    return beam_error_set(err, failure->error.code, "%s%s: %s; %selement %llu of the bundle%s: %s",
                          failure->unique_name, where, failure->error.message,
                          failure->may_be_another ? "when " : "",
                          (unsigned long long)failure->element_number,
                          failure->may_be_another ? " came" : "", failure->element);
}

const beam_plan_failure *beam_bundle_failure(const beam_bundle *bundle)
{
    return beam_plan_get_failure(bundle->plan);
}

/* ---- From other threads --------------------------------------------------------------- */

void beam_bundle_cancel(beam_bundle *bundle)
{
    __atomic_store_n(&beam_plan_frame(bundle->plan)->cancelled, 1, __ATOMIC_RELAXED);
}

bool beam_bundle_split(beam_bundle *bundle, double fraction)
{
    return beam_plan_request_split(bundle->plan, fraction);
}

const char *beam_bundle_active_id(const beam_bundle *bundle)
{
    return beam_plan_active_id(bundle->plan);
}

const char *beam_bundle_active_id_here(void)
{
    return beam_running_now.plan ? beam_plan_active_id(beam_running_now.plan) : NULL;
}

void beam_bundle_progress(beam_bundle *bundle, beam_plan_progress *progress)
{
    beam_plan_get_progress(bundle->plan, progress);
}

const char *beam_bundle_active(const beam_bundle *bundle)
{
    return beam_plan_active(bundle->plan);
}

void beam_bundle_metrics(const beam_bundle *bundle,
                         void (*visit)(void *user, const beam_plan_metric *metric), void *user)
{
    beam_plan_visit_metrics(bundle->plan, visit, user);
}

void beam_bundle_counts(const beam_bundle *bundle,
                        void (*visit)(void *user, const char *pcollection, uint64_t elements),
                        void *user)
{
    beam_plan_visit_counts(bundle->plan, visit, user);
}
