/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* direct.h - the embedded runner: runs a Pipeline proto to its end on the threads of this
 * process. */
#ifndef DIRECT_DIRECT_H
#define DIRECT_DIRECT_H

#include <beam/pipeline.h>

#include "base/arena.h"
#include "model/metric.h"
#include "model/registry.h"

typedef struct beam_direct_options {
    const beam_registry *registry; /* every function that the pipeline names */
    const beam_run_options *run;   /* NULL: the defaults */
} beam_direct_options;

/* Elements of a PCollection, over all committed bundles. */
typedef struct beam_direct_count {
    const char *pcollection; /* id */
    const char *transform;   /* unique name of what produced it */
    uint64_t elements;
} beam_direct_count;

typedef struct beam_direct_result {
    beam_arena arena; /* all that follows */
    double seconds;
    beam_metric_total *metrics;
    size_t n_metrics;
    beam_direct_count *counts;
    size_t n_counts;
} beam_direct_result;

/* `result` is zeroed or to be freed whatever comes back; it holds what was committed, also
 * after a failure.  Errors of a pipeline that cannot run come before any function is called;
 * a bundle that fails 4 times, CANCELLED and RESOURCE_EXHAUSTED come later. */
beam_status beam_direct_run(const void *proto, size_t size, const beam_direct_options *options,
                            beam_direct_result *result, beam_error *err);
void beam_direct_result_free(beam_direct_result *result);

#endif
