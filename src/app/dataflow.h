/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow.h - --runner=dataflow: a pipeline and a program's options become a job on Dataflow. */
#ifndef APP_DATAFLOW_H
#define APP_DATAFLOW_H

#include <beam/pipeline.h>

#include "base/arena.h"
#include "submit/metrics.h"

/* As beam_engine_run. */
beam_status beam_app_dataflow_run(beam_pipeline *pipeline, const beam_run_options *options,
                                  beam_arena *arena, beam_job_metrics *metrics, beam_error *err);
/* --dry_run: what would be sent, as a JSON object, free()d by the caller.  Asks nobody. */
beam_status beam_app_dataflow_describe(beam_pipeline *pipeline, const beam_run_options *options,
                                       char **text, beam_error *err);

#endif
