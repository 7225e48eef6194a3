/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_run.h - pipelines with RunInference, run quietly, and what they counted. */
#ifndef E2E_INFERENCE_RUN_H
#define E2E_INFERENCE_RUN_H

#include <beam/beam.h>

/* Runs a pipeline on so many threads and frees it; afterwards no model is left.  `result` may be
 * NULL. */
beam_status inference_try_run(beam_pipeline *p, uint32_t threads, beam_result **result,
                              beam_error *err);
/* The same, which must succeed; release with beam_result_free. */
beam_result *inference_run(beam_pipeline *p, uint32_t threads);
/* A metric, which must be there. */
beam_metric_cell inference_metric(const beam_result *result, const char *name);

#endif
