/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bundle.h - a bundle processor: runs a fused stage (plan/plan.h), bundle after bundle.
 *
 *     open   { start  push*  ( finish | abort ) }*   close
 *
 * The functions' setup runs at the first start and their teardown at close.  A processor that
 * failed or was aborted in the midst of a bundle is broken: its functions' states are of no
 * use any more, so it can only be closed, and the next try takes a new one.
 *
 * One thread drives a bundle from start to finish or abort (another may drive the next one).
 * What other threads may call meanwhile says so.
 */
#ifndef BUNDLE_BUNDLE_H
#define BUNDLE_BUNDLE_H

#include "plan/plan.h"

typedef struct beam_bundle beam_bundle;

typedef enum beam_bundle_state {
    BEAM_BUNDLE_NEW = 0, /* opened, nothing set up */
    BEAM_BUNDLE_READY,   /* set up, between bundles */
    BEAM_BUNDLE_RUNNING, /* between start and finish */
    BEAM_BUNDLE_BROKEN   /* only close is left */
} beam_bundle_state;

/* Errors are those of beam_plan_open. *bundle is NULL on failure. */
beam_status beam_bundle_open(const beam_plan_options *options, beam_bundle **bundle,
                             beam_error *err);
/* In any state, also in the midst of a bundle (which is aborted); NULL is fine. */
void beam_bundle_close(beam_bundle *bundle);
beam_bundle_state beam_bundle_get_state(const beam_bundle *bundle);

/* The source transform of that id; with id NULL the only one. NULL when there is none such.
 * It lives until close. beam_plan_source_port tells the type of its elements. */
beam_plan_source *beam_bundle_source(beam_bundle *bundle, const char *transform);
/* All of them: 0 <= index < beam_bundle_n_sources. */
size_t beam_bundle_n_sources(const beam_bundle *bundle);
beam_plan_source *beam_bundle_source_at(beam_bundle *bundle, size_t index);

/* Each fails with the words of the first failure in *err: transform, function, step, message
 * and element; beam_bundle_failure has the parts.  `id` names the bundle in crash reports and
 * is copied (cut at 63 bytes).  FAILED_PRECONDITION: called in the wrong state. */
beam_status beam_bundle_start(beam_bundle *bundle, const char *id, beam_error *err);
/* Runs n elements (an array of the source's type) with one info through the stage.  All of it
 * is borrowed for the call: also the arrays that sinks see.  err may be asked for by
 * beam_bundle_finish or beam_bundle_error instead, so there is none here. */
beam_status beam_bundle_push(beam_bundle *bundle, beam_plan_source *source,
                             const beam_element_info *info, const void *elements, size_t n);
/* Merges accumulators, for a source whose elements are merged (beam_plan_source_merges). */
beam_status beam_bundle_merge(beam_bundle *bundle, beam_plan_source *source, void *const *accs,
                              const void *others, size_t stride, size_t n);
/* Flushes every buffer into the sinks. Afterwards the metrics and counts are those of the
 * whole bundle, until the next start. */
beam_status beam_bundle_finish(beam_bundle *bundle, beam_error *err);
/* What functions of the bundle that was finished last want to be called for once it is committed
 * (plan/finalize.h); the caller's from now on.  NULL: nothing, or it was taken before. */
beam_finalizer *beam_bundle_take_finalizers(beam_bundle *bundle);
/* Ends a running bundle without finishing it; nothing more reaches the sinks. */
void beam_bundle_abort(beam_bundle *bundle);

/* The failure that broke the processor, in words, into *err; returns its code (BEAM_OK: it
 * did not fail). */
beam_status beam_bundle_error(const beam_bundle *bundle, beam_error *err);
/* The same in parts; transform is NULL where nothing failed. */
const beam_plan_failure *beam_bundle_failure(const beam_bundle *bundle);

/* ---- From any thread, between open and close ------------------------------------------ */

/* Callbacks see beam_cancelled; the next push or finish fails with BEAM_CANCELLED. */
void beam_bundle_cancel(beam_bundle *bundle);
/* Asks for a split: about (1 - fraction) of what the splittable DoFn at work has not done goes
 * to the driver's `residual`, on the thread that drives the bundle, at its next claim (or at
 * the first claim of the next element).  False when this stage cannot split. */
bool beam_bundle_split(beam_bundle *bundle, double fraction);
/* The id of the transform that runs, or ran last; NULL: none. */
const char *beam_bundle_active_id(const beam_bundle *bundle);
/* The same of whatever bundle the calling thread is in a callback of. */
const char *beam_bundle_active_id_here(void);
void beam_bundle_progress(beam_bundle *bundle, beam_plan_progress *progress);
/* The unique name of the transform at work, which lives as long as the bundle processor; NULL:
 * none, or it cannot be told. */
const char *beam_bundle_active(const beam_bundle *bundle);
void beam_bundle_metrics(const beam_bundle *bundle,
                         void (*visit)(void *user, const beam_plan_metric *metric), void *user);
void beam_bundle_counts(const beam_bundle *bundle,
                        void (*visit)(void *user, const char *pcollection, uint64_t elements),
                        void *user);

#endif
