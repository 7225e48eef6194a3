/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the metrics that an engine reports of a job. */
#ifndef SUBMIT_METRICS_H
#define SUBMIT_METRICS_H

#include "base/arena.h"
#include "base/map.h"
#include "model/metric.h"
#include "model/proto/job_management.pb-c.h"

typedef struct beam_job_metrics {
    beam_metric_total *totals; /* of users' functions only */
    size_t n;
    beam_element_count *counts; /* as far as the engine tells */
    size_t n_counts;
} beam_job_metrics;

/* Reads an answer to GetJobMetrics: what was committed, or what was attempted where an engine
 * tells nothing else.  `names`: from a transform's id to its unique name, since some engines know
 * one and some the other; from a PCollection's id to itself, since engines add PCollections of
 * their own, which are left out.  Metrics of other kinds and those whose bytes are no number are
 * left out: they are for people to look at, and not worth failing a run that succeeded. */
beam_status beam_job_metrics_read(const BeamPb__MetricResults *results, const beam_map *names,
                                  beam_arena *arena, beam_job_metrics *metrics, beam_error *err);
/* What is not in the arena: to be called before that goes, also after a failure. */
void beam_job_metrics_free(beam_job_metrics *metrics);

#endif
