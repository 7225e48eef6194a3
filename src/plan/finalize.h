/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* finalize.h - bundle finalization: the calls that functions ask for with beam_after_commit.
 *
 * A bundle collects them; whoever runs the bundle takes them from it once it has finished, and
 * calls them when it, or the engine, has committed the bundle; or frees them. */
#ifndef PLAN_FINALIZE_H
#define PLAN_FINALIZE_H

#include <beam/log.h>

/* The newest of several. */
typedef struct beam_finalizer beam_finalizer;

/* Calls them, the oldest first, and frees them.  One that fails is logged as a warning and does
 * not keep the others from being called.  NULL is fine.  Any thread. */
void beam_finalizers_run(beam_finalizer *newest, const beam_logger *logger);
void beam_finalizers_free(beam_finalizer *newest);

#endif
