/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/control.h"

#include "base/alloc.h"

static void free_bundle(beam_control_bundle *bundle)
{
    beam_finalizers_free(bundle->newest);
    beam_free(bundle->id);
    beam_free(bundle);
}

/* ---- Instructions ------------------------------------------------------------------------ */

/* NULL: nothing stands against such a bundle. */
static const char *why_not(const beam_control *c, const char *id)
{
    if (c->ending)
        return "the worker ends";
    if (!*id) /* its data could not be told from others */
        return "the bundle has no id";
    return beam_map_has(&c->bundles, id) ? "there is a bundle of this instruction" : NULL;
}

static beam_status begin_bundle(beam_control *c, const char *id, beam_step *step)
{
    step->error = why_not(c, id);
    if (step->error)
        return BEAM_OK;
    beam_control_bundle *bundle = beam_calloc(1, sizeof *bundle);
    if (!bundle)
        return BEAM_RESOURCE_EXHAUSTED;
    bundle->id = beam_strdup(id);
    if (!bundle->id || beam_map_set(&c->bundles, id, bundle) != BEAM_OK) {
        free_bundle(bundle);
        return BEAM_RESOURCE_EXHAUSTED;
    }
    step->kind = BEAM_STEP_BUNDLE;
    step->bundle = bundle;
    return BEAM_OK;
}

/* A bundle that has ended, or that nobody knows, has nothing to finalize. */
static void finalize(beam_control *c, const char *id, beam_step *step)
{
    beam_control_bundle *bundle = beam_map_get(&c->bundles, id);
    if (!bundle || !bundle->done)
        return;
    (void)beam_map_remove(&c->bundles, id);
    step->kind = BEAM_STEP_FINALIZE;
    step->finalizers = bundle->newest;
    bundle->newest = NULL;
    free_bundle(bundle);
}

/* One that does not run yet, or any more, has nothing to tell. */
static void look_at(beam_control *c, const char *id, beam_step_kind kind, beam_step *step)
{
    beam_control_bundle *bundle = beam_map_get(&c->bundles, id);
    if (!bundle || !bundle->runner)
        return;
    bundle->watchers++;
    step->kind = kind;
    step->bundle = bundle;
    step->runner = bundle->runner;
}

static beam_status decide(beam_control *c, const BeamPb__InstructionRequest *request,
                          beam_step *step)
{
    switch (request->request_case) {
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE:
        return begin_bundle(c, request->instruction_id, step);
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_FINALIZE_BUNDLE:
        finalize(c, request->finalize_bundle->instruction_id, step);
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_PROGRESS:
        look_at(c, request->process_bundle_progress->instruction_id, BEAM_STEP_PROGRESS, step);
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT:
        look_at(c, request->process_bundle_split->instruction_id, BEAM_STEP_SPLIT, step);
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_MONITORING_INFOS:
        step->kind = BEAM_STEP_METADATA;
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_HARNESS_MONITORING_INFOS:
        step->kind = BEAM_STEP_HARNESS;
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_SAMPLE_DATA:
        step->kind = BEAM_STEP_SAMPLES;
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_REGISTER: /* bundles ask for what they need */
        return BEAM_OK;
    default:
        step->error = "libbeam's worker does not know this instruction";
        return BEAM_OK;
    }
}

beam_status beam_control_receive(beam_control *c, const BeamPb__InstructionRequest *request,
                                 beam_step *step)
{
    const char *id = request->instruction_id;
    *step = (beam_step){.kind = BEAM_STEP_ANSWER};
    /* An id that comes twice is counted, and answered twice. */
    uintptr_t times = (uintptr_t)beam_map_get(&c->unanswered, id);
    BEAM_TRY(beam_map_set(&c->unanswered, id, (void *)(times + 1)));
    beam_status status = decide(c, request, step);
    if (status != BEAM_OK)
        (void)beam_control_answer(c, id);
    return status;
}

bool beam_control_answer(beam_control *c, const char *instruction)
{
    uintptr_t times = (uintptr_t)beam_map_get(&c->unanswered, instruction);
    if (times > 1)
        return beam_map_set(&c->unanswered, instruction, (void *)(times - 1)) == BEAM_OK;
    return beam_map_remove(&c->unanswered, instruction) != NULL;
}

/* ---- Bundles ----------------------------------------------------------------------------- */

void beam_control_runs(beam_control_bundle *bundle, void *runner)
{
    bundle->runner = runner;
}

bool beam_control_leaves(beam_control_bundle *bundle)
{
    bundle->runner = NULL;
    return bundle->watchers == 0;
}

void beam_control_looked(beam_control_bundle *bundle)
{
    bundle->watchers--;
}

void beam_control_done(beam_control *c, beam_control_bundle *bundle, beam_finalizer *newest)
{
    bundle->done = newest != NULL;
    bundle->newest = newest;
    if (newest)
        return;
    (void)beam_map_remove(&c->bundles, bundle->id);
    free_bundle(bundle);
}

void beam_control_end(beam_control *c)
{
    __atomic_store_n(&c->ending, 1, __ATOMIC_RELAXED);
}

void beam_control_free(beam_control *c)
{
    size_t at = 0;
    const beam_map_entry *entry;
    while ((entry = beam_map_next(&c->bundles, &at)))
        free_bundle(entry->value);
    beam_map_free(&c->bundles);
    beam_map_free(&c->unanswered);
}
