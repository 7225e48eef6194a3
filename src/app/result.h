/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* result.h - what a run left, or has done so far. */
#ifndef APP_RESULT_H
#define APP_RESULT_H

#include <beam/pipeline.h>

#include "direct/direct.h"
#include "submit/metrics.h"

struct beam_result {
    beam_direct_result direct; /* of the direct runner; zeroed after an engine's run */
    beam_arena arena;          /* of an engine's metrics */
    beam_job_metrics job;
    double seconds;
    const beam_metric_total *metrics; /* of one or the other */
    size_t n_metrics;
    const beam_element_count *counts;
    size_t n_counts;
};

#endif
