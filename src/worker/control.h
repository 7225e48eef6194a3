/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* control.h - what the control plane knows, and decides, apart from all I/O: an instruction goes
 * in, the step to be taken comes out.
 *
 * It sends and reads nothing, starts no thread and waits for nobody: whoever does (worker.c) holds
 * one lock around its calls.  It sees to it that an instruction is answered once, that a bundle
 * does not go while somebody looks at it, and that finalization comes to what has succeeded, once.
 */
#ifndef WORKER_CONTROL_H
#define WORKER_CONTROL_H

#include "base/map.h"
#include "model/proto/fn_api.pb-c.h"
#include "bundle/bundle.h"

/* A bundle, from its instruction until it has ended, or, where it asked for that, is finalized. */
typedef struct beam_control_bundle {
    char *id;
    void *runner;           /* whom to ask while it runs; else NULL */
    size_t watchers;        /* who ask */
    bool done;              /* it has succeeded, and waits to be finalized */
    beam_finalizer *newest; /* what will be called then */
} beam_control_bundle;

/* Zeroed, it is ready. */
typedef struct beam_control {
    beam_map bundles;    /* by instruction */
    beam_map unanswered; /* instructions */
    int ending;          /* read by whoever starts a bundle: it is cancelled at once; and, without
                          * the lock, by whoever waits for the engine: beam_grpc_options.stop */
} beam_control;

typedef enum beam_step_kind {
    BEAM_STEP_ANSWER,   /* at once: with `error`, or, where that is NULL, with nothing to tell */
    BEAM_STEP_BUNDLE,   /* a thread runs `bundle`: beam_control_runs, _leaves, _done */
    BEAM_STEP_FINALIZE, /* a thread calls `finalizers`, which are the caller's from now on */
    BEAM_STEP_PROGRESS, /* ask `runner`, which stays until then, and beam_control_looked */
    BEAM_STEP_SPLIT,    /* the same */
    BEAM_STEP_METADATA, /* the worker itself can tell */
    BEAM_STEP_HARNESS,
    BEAM_STEP_SAMPLES
} beam_step_kind;

typedef struct beam_step {
    beam_step_kind kind;
    const char *error;
    beam_control_bundle *bundle;
    void *runner; /* the bundle's, which may be leaving meanwhile */
    beam_finalizer *finalizers;
} beam_step;

/* What to do about an instruction.  BEAM_RESOURCE_EXHAUSTED: nothing can be done, not even answer
 * it, and all is as before. */
beam_status beam_control_receive(beam_control *control, const BeamPb__InstructionRequest *request,
                                 beam_step *step);
/* Before an answer is sent: false when the instruction has been answered, or is none. */
bool beam_control_answer(beam_control *control, const char *instruction);

/* The bundle can be asked from now on. */
void beam_control_runs(beam_control_bundle *bundle, void *runner);
/* Nobody new asks it.  False: somebody still does; wait for a beam_control_looked. */
bool beam_control_leaves(beam_control_bundle *bundle);
void beam_control_looked(beam_control_bundle *bundle);
/* Once it is left, or before it ran: it is forgotten, unless there are finalizers, which it keeps.
 */
void beam_control_done(beam_control *control, beam_control_bundle *bundle, beam_finalizer *newest);

/* No bundle begins any more. */
void beam_control_end(beam_control *control);
/* Once no bundle runs. */
void beam_control_free(beam_control *control);

#endif
