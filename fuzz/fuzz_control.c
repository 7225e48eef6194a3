/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_control.c - instructions and the ends of bundles in any order, against the control plane's
 * state machine, with no thread and no network, and a model that says what it must do.
 *
 * Input: moves of three bytes: which (see the enum), the instruction's number, and what else. Where
 * a move makes no sense, as of a bundle that does not run, it is left out; at the end whatever runs
 * ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "worker/control.h"

enum { RECEIVE, RUN, LOOKED, LEAVE, DONE, ANSWER, END, MOVES };
enum { IDS = 6 };

/* What the model knows of an instruction's bundle, and of the instruction. */
typedef struct expected {
    beam_control_bundle *bundle; /* NULL: none */
    size_t watchers, unanswered;
    bool runs, leaves;
    beam_finalizer *newest; /* kept until it is finalized */
} expected;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The kinds of requests, and two that nobody knows. */
static beam_status receive(beam_control *c, const char *id, unsigned kind, char *of,
                           beam_step *step)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleRequest bundle = BEAM_PB__PROCESS_BUNDLE_REQUEST__INIT;
    BeamPb__ProcessBundleProgressRequest progress = BEAM_PB__PROCESS_BUNDLE_PROGRESS_REQUEST__INIT;
    BeamPb__ProcessBundleSplitRequest split = BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__INIT;
    BeamPb__FinalizeBundleRequest finalize = BEAM_PB__FINALIZE_BUNDLE_REQUEST__INIT;
    progress.instruction_id = split.instruction_id = finalize.instruction_id = of;
    request.instruction_id = (char *)id;
    request.request_case = (BeamPb__InstructionRequest__RequestCase)(1000 + kind % 9);
    switch (request.request_case) {
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE:
        request.process_bundle = &bundle;
        break;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_PROGRESS:
        request.process_bundle_progress = &progress;
        break;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT:
        request.process_bundle_split = &split;
        break;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_FINALIZE_BUNDLE:
        request.finalize_bundle = &finalize;
        break;
    default:
        break;
    }
    return beam_control_receive(c, &request, step);
}

/* What the step is, is what the model says it has to be. */
static void check_step(const beam_step *step, unsigned kind, bool ending, expected *own,
                       expected *other)
{
    bool looks = other->bundle && other->runs && !other->leaves;
    switch (1000 + kind % 9) {
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE:
        require((step->kind == BEAM_STEP_BUNDLE) == (!ending && !own->bundle));
        require((step->kind == BEAM_STEP_BUNDLE) == !step->error);
        if (step->kind == BEAM_STEP_BUNDLE)
            own->bundle = step->bundle;
        break;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_FINALIZE_BUNDLE:
        require((step->kind == BEAM_STEP_FINALIZE) == (other->newest != NULL));
        require(step->finalizers == other->newest && !step->error);
        if (step->kind == BEAM_STEP_FINALIZE)
            *other = (expected){.unanswered = other->unanswered};
        beam_finalizers_free(step->finalizers);
        break;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_PROGRESS:
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT:
        require((step->kind == BEAM_STEP_ANSWER) == !looks && !step->error);
        if (looks)
            require(step->bundle == other->bundle && step->runner == other);
        other->watchers += looks;
        break;
    case 1008:
        require(step->kind == BEAM_STEP_ANSWER && step->error);
        break;
    default:
        require(!step->error && !step->bundle && !step->finalizers);
    }
}

static void done(beam_control *c, expected *e, bool finalizes)
{
    beam_finalizer *newest = finalizes ? beam_calloc(1, 256) : NULL; /* freed, never called */
    beam_control_done(c, e->bundle, newest);
    *e = (expected){
        .bundle = newest ? e->bundle : NULL, .newest = newest, .unanswered = e->unanswered};
}

static void looked(expected *e)
{
    e->watchers--;
    beam_control_looked(e->bundle);
}

static void move(beam_control *c, expected all[], const uint8_t *bytes)
{
    unsigned which = bytes[1] % IDS;
    expected *e = &all[which];
    const char id[2] = {(char)('a' + which), '\0'};
    char of[2] = {(char)('a' + bytes[2] / 16 % IDS), '\0'};
    bool busy = e->bundle && !e->newest;
    beam_step step;
    switch (bytes[0] % MOVES) {
    case RECEIVE:
        require(receive(c, id, bytes[2] % 16, of, &step) == BEAM_OK);
        e->unanswered++;
        check_step(&step, bytes[2] % 16, c->ending, e, &all[of[0] - 'a']);
        break;
    case RUN:
        if (busy && !e->runs) {
            e->runs = true;
            beam_control_runs(e->bundle, e);
        }
        break;
    case LOOKED:
        if (e->watchers)
            looked(e);
        break;
    case LEAVE:
        if (busy && e->runs) {
            e->leaves = true;
            require(beam_control_leaves(e->bundle) == (e->watchers == 0));
        }
        break;
    case DONE:
        if (busy && (e->leaves || !e->runs) && !e->watchers)
            done(c, e, bytes[2] & 1);
        break;
    case ANSWER:
        require(beam_control_answer(c, id) == (e->unanswered > 0));
        e->unanswered -= e->unanswered > 0;
        break;
    default:
        beam_control_end(c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    beam_control c = {.ending = false};
    expected all[IDS] = {{NULL, 0, 0, false, false, NULL}};
    for (; size >= 3; data += 3, size -= 3)
        move(&c, all, data);
    for (unsigned i = 0; i < IDS; i++) {
        const char id[2] = {(char)('a' + i), '\0'};
        while (all[i].watchers)
            looked(&all[i]);
        if (all[i].bundle && !all[i].newest)
            done(&c, &all[i], false);
        for (; all[i].unanswered; all[i].unanswered--)
            require(beam_control_answer(&c, id));
        require(!beam_control_answer(&c, id));
    }
    beam_control_free(&c);
    return 0;
}
