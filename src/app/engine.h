/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* engine.h - beam_pipeline_run on an engine instead of the threads of this process. */
#ifndef APP_ENGINE_H
#define APP_ENGINE_H

#include <beam/pipeline.h>

#include "base/arena.h"
#include "model/registry.h"
#include "submit/artifacts.h"
#include "submit/metrics.h"

/* Whether the runner of that name is one. */
bool beam_is_engine(const char *runner);

/* What goes to workers on other machines: the files that transforms open, and this program with its
 * libraries. */
beam_status beam_engine_add_files(beam_artifacts *artifacts, const beam_pipeline *pipeline,
                                  beam_error *err);
beam_status beam_engine_add_program(beam_artifacts *artifacts, beam_error *err);
/* What libbeam's worker can do. */
const char *const *beam_engine_capabilities(size_t *n);

/* Progress of a run that has gone on since `began` (beam_clock_ns), where the options want it. */
void beam_engine_tell(const beam_run_options *options, int64_t began, const char *what);

/* Runs the pipeline; the metrics live in the arena.  Starts a Prism when it needs one, and is the
 * worker itself in a LOOPBACK environment. */
beam_status beam_engine_run(beam_pipeline *pipeline, const beam_run_options *options,
                            const beam_registry *registry, beam_arena *arena,
                            beam_job_metrics *metrics, beam_error *err);

#endif
