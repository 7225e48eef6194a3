/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference.h - the parts of the DoFn behind RunInference. */
#ifndef ML_INFERENCE_H
#define ML_INFERENCE_H

#include "ml/model_cache.h"

/* Order of beam_inference_metrics_. */
enum {
    BEAM_METRIC_INFERENCES,
    BEAM_METRIC_FAILED_BATCHES,
    BEAM_METRIC_BATCH_SIZE,
    BEAM_METRIC_BATCH_BYTES,
    BEAM_METRIC_BATCH_LATENCY,
    BEAM_METRIC_MODEL_BYTES,
    BEAM_METRIC_LOAD_LATENCY,
    BEAM_METRIC_BATCHES_HALVED,
    BEAM_METRIC_FELL_BACK
};

/* An example that waits for its batch. */
typedef struct beam_waiting {
    void *example; /* a deep copy in the pool */
    const beam_element_info *info;
} beam_waiting;

/* One instance of the DoFn. */
typedef struct beam_inference {
    const beam_model_handler *handler;
    beam_cached_model cached;
    beam_model_context *context;
    bool tell_load; /* this instance loaded the model, and has not yet counted it */
    beam_str model_id;

    /* The batch that is being filled. */
    beam_pool *pool;
    beam_waiting *waiting;
    int64_t count, max_count;
    int64_t fits; /* rows that the device had memory for so far; at most max_count */
    int64_t weight;
    int64_t oldest; /* when its first example came, milliseconds of a clock that never goes back */

    size_t num_inputs, num_outputs;
    beam_tensor *inputs;  /* of max_count rows, in memory of their own */
    float **rows;         /* where the next example goes, one an input */
    beam_tensor *batch;   /* inputs of the batch that runs */
    beam_tensor *outputs; /* of the batch that ran */
    beam_tensor *row;     /* one example's of them */
    void *result;         /* handler->out->size bytes */
} beam_inference;

/* How many rows to run next of a batch of which `left` are left, and how many of these are
 * padding: sizes are max and powers of two, so that a device prepares few of them, and at most a
 * quarter of a run is padding. */
int64_t beam_batch_rows(int64_t left, int64_t max, int64_t *padding);

/* inference_memory.c: everything an instance needs besides the model, from the model's shapes. */
beam_status beam_inference_allocate(beam_ctx *ctx, beam_inference *state);
void beam_inference_free(beam_inference *state);

#endif
