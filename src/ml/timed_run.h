/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* timed_run.h - a batch that is waited for only so long.  A thread of its own runs it; one that
 * does not come back in time is left behind with all it uses, and frees that when it does. */
#ifndef ML_TIMED_RUN_H
#define ML_TIMED_RUN_H

#include <beam/device.h>

typedef struct beam_timed_run beam_timed_run;

/* What a run needs; `inputs` are memory of beam_aligned_alloc. */
typedef struct beam_timed_batch {
    beam_device *device;
    beam_model_context *context;
    const beam_tensor *part; /* rows of the inputs */
    size_t num_inputs;
    void *const *inputs; /* what `part` points into: freed by a run that was left behind */
    beam_tensor *made;
    size_t num_outputs;
    int64_t nanoseconds; /* that the device took */
} beam_timed_batch;

/* NULL when memory or threads are out. */
beam_timed_run *beam_timed_run_new(size_t num_inputs, size_t num_outputs);
/* Only without a run left behind; NULL is allowed. */
void beam_timed_run_free(beam_timed_run *run);

/* Feeds and executes.  BEAM_DEADLINE_EXCEEDED with *late true: the run goes on and still reads the
 * inputs, as the caller may, who then leaves it behind. */
beam_status beam_timed_run_batch(beam_timed_run *run, beam_timed_batch *batch, int64_t timeout_ms,
                                 bool *late, beam_error *err);
/* Leaves behind a run that is late: context, inputs and `run` itself are no longer the caller's. */
void beam_timed_run_leave(beam_timed_run *run);

#endif
