/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* direct.h - the embedded runner: runs a Pipeline proto to its end on the threads of this
 * process. */
#ifndef DIRECT_DIRECT_H
#define DIRECT_DIRECT_H

#include <beam/pipeline.h>

#include "base/arena.h"
#include "model/metric.h"
#include "model/registry.h"

typedef struct beam_direct_result beam_direct_result;

typedef struct beam_direct_options {
    const beam_registry *registry; /* every function that the pipeline names */
    const beam_run_options *run;   /* NULL: the defaults */
    /* Instead of run->on_progress (NULL: that is called): with run->profile also what was done so
     * far, bundles at work included; else NULL. */
    void (*on_progress)(void *user, const beam_progress *progress, beam_direct_result *so_far);
    void *user;
} beam_direct_options;

/* Bytes of the memory budget that each thread has at least, whatever run->memory_budget says: with
 * less, a run of the shuffle would hold next to nothing.  Only tests change it, which spill little
 * data. */
enum { BEAM_DIRECT_LEAST_SHARE = 1 << 20 };
extern uint64_t beam_direct_least_share;

/* A stage: transforms that ran as one. */
typedef struct beam_direct_stage {
    const char *name;              /* of its most telling transform, or "" */
    const char *const *transforms; /* unique names, in topological order; some are twice */
    const double *seconds;         /* of each, sampled, of all threads; 0 without profile */
    size_t n_transforms;
    uint64_t bundles, failed; /* committed; tries */
    double began, ended;      /* seconds since the run began; negative: not (yet) */
    double busy;              /* seconds in bundles, of all threads */
    double between;           /* of these, sampled, outside of transforms: reading, writing */
    double fraction;          /* done, 0..1 */
} beam_direct_stage;

struct beam_direct_result {
    beam_arena arena; /* all that follows, but for what metric cells own */
    double seconds;
    uint64_t elements; /* that sources read */
    beam_metric_total *metrics;
    size_t n_metrics;
    beam_element_count *counts;
    size_t n_counts;
    beam_direct_stage *stages;
    size_t n_stages;
};

/* `result` is zeroed or to be freed whatever comes back; it holds what was committed, also
 * after a failure.  Errors of a pipeline that cannot run come before any function is called;
 * a bundle that fails 4 times, CANCELLED and RESOURCE_EXHAUSTED come later. */
beam_status beam_direct_run(const void *proto, size_t size, const beam_direct_options *options,
                            beam_direct_result *result, beam_error *err);
void beam_direct_result_free(beam_direct_result *result);

#endif
