/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* engine.h - beam_pipeline_run on an engine instead of the threads of this process. */
#ifndef APP_ENGINE_H
#define APP_ENGINE_H

#include <beam/pipeline.h>

#include "base/arena.h"
#include "model/registry.h"
#include "submit/metrics.h"

/* Whether the runner of that name is one. */
bool beam_is_engine(const char *runner);

/* Runs the pipeline; the metrics live in the arena.  Starts a Prism when it needs one, and is the
 * worker itself in a LOOPBACK environment. */
beam_status beam_engine_run(beam_pipeline *pipeline, const beam_run_options *options,
                            const beam_registry *registry, beam_arena *arena,
                            beam_job_metrics *metrics, beam_error *err);

#endif
