/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* estimate.h - what a job on Dataflow costs and how long it takes, before it begins. */
#ifndef APP_ESTIMATE_H
#define APP_ESTIMATE_H

#include <beam/log.h>
#include <beam/pipeline.h>

#include "base/arena.h"
#include "submit/dataflow.h"

/* Tells it in the log (NOTICE): dollars an hour of the workers that the options ask for; then, of
 * what the pipeline has to do with models, the time and the dollars a job, from rates that say
 * whose they are: measured, estimated or computed.  Where a price or a rate is not known it says
 * that instead.  BEAM_INVALID_ARGUMENT: a --price that is none. */
beam_status beam_estimate_tell(const beam_pipeline *pipeline, const beam_dataflow_options *options,
                               const beam_logger *logger, beam_arena *arena, beam_error *err);

#endif
