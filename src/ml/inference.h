/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference.h - the parts of the DoFn behind RunInference.
 *
 *     inference.c         the DoFn: examples wait in lanes until a batch is due
 *     inference_metrics.c what is counted
 *     inference_refresh.c newer weights
 *     inference_lanes.c   which lanes there are, and which is an example's
 *     inference_handler.c handlers around handlers
 *     batch_tuner.c       how large a batch should be
 *     inference_run.c     a due batch: run, then results and failures go out
 *     inference_local.c   packs it and has a model on a device run it
 *     inference_graph.c   RunInference in a pipeline under construction
 *
 * What runs a batch leaves, of each example, either a failure or a row in the outputs.  Only while
 * it does it holds a model: what is emitted is emitted when that has been given back, since a
 * consumer may want another. */
#ifndef ML_INFERENCE_H
#define ML_INFERENCE_H

#include "base/map.h"
#include "ml/batch_tuner.h"
#include "ml/inference_handler.h"
#include "ml/model_cache.h"
#include "ml/model_watch.h"

/* RunInference's own, in the order of inference_metrics.c. */
enum {
    BEAM_METRIC_INFERENCES,
    BEAM_METRIC_FAILED_BATCHES,
    BEAM_METRIC_BATCH_SIZE,
    BEAM_METRIC_BATCH_BYTES,
    BEAM_METRIC_BATCH_LATENCY,
    BEAM_METRIC_MODEL_BYTES,
    BEAM_METRIC_LOAD_LATENCY,
    BEAM_METRIC_FAILED_PREPROCESSING, /* the three in the order of the outputs */
    BEAM_METRIC_FAILED_INFERENCES,
    BEAM_METRIC_FAILED_POSTPROCESSING,
    BEAM_MODEL_METRICS, /* how many a key's model has of its own: those before this */
    BEAM_METRIC_BATCHES_HALVED = BEAM_MODEL_METRICS,
    BEAM_METRIC_FELL_BACK,
    BEAM_METRIC_EVICTED,
    BEAM_METRIC_REFRESHED,
    BEAM_METRIC_REFUSED,
    BEAM_METRIC_REMOTE_RETRIES,
    BEAM_METRIC_THROTTLED_SECONDS,
    BEAM_INFERENCE_METRICS
};

/* Of models of keys, the first so many have metrics of their own: there may be thousands of models,
 * and each has ten. */
enum { BEAM_MODELS_WITH_METRICS = 32 };

/* An example that waits for its batch, and what became of it. */
typedef struct beam_waiting {
    const void *example; /* a deep copy in the lane's pool */
    const void **levels; /* it, and what each handler made of it for the next: while it runs */
    const beam_element_info *info;
    uint32_t failed;     /* the output of its failure; BEAM_INFERENCE_RESULTS: none */
    bool is_strange;     /* no model is for its key: it only fails in this lane */
    beam_status code;    /* of the failure */
    const char *message; /* in the lane's pool */
    int64_t row;         /* of the outputs */
} beam_waiting;

/* Examples that will run together: on one model, padded to one length. */
typedef struct beam_lane {
    beam_model_spec spec;
    beam_str model_id;
    uint32_t metrics; /* places of its model's own behind the handler's; 0: it has none */
    beam_str watch_pattern;
    beam_model_watch *watch; /* of all lanes of its model; NULL: nobody looks for newer weights */
    char *names;             /* the spec's weights and the model_id, when they are newer ones */
    char *refused;           /* weights and model_id of a newer model that could not be loaded */
    beam_tuner tuner;
    beam_pool *pool;
    beam_waiting *waiting; /* room for max_count */
    int64_t max_count, count, weight;
    int64_t oldest; /* when its first example came, milliseconds of a clock that never goes back */
} beam_lane;

/* Numbers of a batch, in memory that grows as it must. */
typedef struct beam_rows {
    size_t count; /* of tensors */
    beam_tensor *tensors;
    size_t *capacity; /* bytes of each one's data */
} beam_rows;

/* One instance of the DoFn. */
typedef struct beam_inference {
    const beam_model_handler *handler;
    struct beam_local *local;           /* inference_local.c's */
    const beam_model_handler *base;     /* the innermost handler */
    size_t depth;                       /* of handlers */
    const beam_model_handler *counting; /* the one with metrics of its own; NULL: none has */
    beam_lane *lanes;                   /* num_buckets a model */
    size_t num_lanes, num_buckets;
    beam_int64_list boundaries; /* of lengths; none: examples have no length */
    int64_t max_weight;         /* 0: no limit */
    beam_map keys;              /* to the first lane of its model */
    beam_lane *plain;           /* the first of the model of all other keys; NULL: none */
    beam_lane *running;         /* whose spec callbacks are told */

    beam_rows outputs; /* of the lane that ran last; shape[0] is the number of rows */
    beam_tensor *row;  /* one example's of them */
    void **results;    /* room for a result of each level of handlers */
    void *failure;     /* handler->failure->size bytes */
} beam_inference;

/* ---- inference_metrics.c ----------------------------------------------------------------- */

/* Count one of BEAM_METRIC_INFERENCES and so on, unless the handler overrides these: of all models,
 * and of the one that runs if it has metrics of its own. */
void beam_inference_count(beam_ctx *ctx, uint32_t metric, int64_t n);
void beam_inference_distribute(beam_ctx *ctx, uint32_t metric, int64_t value);
/* An example that failed. */
void beam_inference_count_failure(beam_ctx *ctx, const beam_waiting *waiting);
/* Counts a batch that ran, or did not; tells the handler that overrides metrics. */
void beam_inference_count_batch(beam_ctx *ctx, const beam_inference_batch *batch);

/* ---- inference_lanes.c ------------------------------------------------------------------- */

beam_status beam_inference_make_lanes(beam_ctx *ctx, beam_inference *state);
void beam_inference_free_lanes(beam_inference *state);
/* The lane of an example; BEAM_OK, or why there is none, when it gets some lane to fail in. */
beam_status beam_inference_choose_lane(beam_inference *state, const void *example, beam_lane **lane,
                                       beam_error *err);
/* Drops what waits. */
void beam_lane_forget(beam_lane *lane);

/* ---- inference_refresh.c ----------------------------------------------------------------- */

beam_status beam_inference_watch(beam_ctx *ctx, beam_inference *state);
void beam_inference_unwatch(beam_inference *state);
/* Before a batch runs: it has the weights that are current. */
void beam_inference_refresh(beam_ctx *ctx, beam_inference *state, beam_lane *lane);
/* Whether the side input names other weights than the lane has, for the current element. */
beam_status beam_inference_metadata(beam_ctx *ctx, const beam_lane *lane,
                                    const beam_model_metadata **other);
/* Gives an empty lane these weights, or takes down that they are refused. */
beam_status beam_inference_use(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                               beam_str weights, beam_str model_id, int64_t version);

/* ---- inference_run.c --------------------------------------------------------------------- */

/* Runs what waits in the lane and emits what comes of it; the lane is empty then. */
beam_status beam_inference_flush(beam_ctx *ctx, beam_inference *state, beam_lane *lane);

/* Takes a failure down: BEAM_OK where they are handled, and the ctx's error is cleared; else
 * `status`, which fails the bundle.  `output` is one of BEAM_FAILED_PREPROCESSING and so on; with
 * err NULL the words are the ctx's. */
beam_status beam_inference_refuse(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                                  beam_waiting *waiting, uint32_t output, beam_status status,
                                  const beam_error *err);

/* Takes an example through its handlers: *inner is what the base packs. */
beam_status beam_inference_enter(beam_ctx *ctx, const beam_inference *state, beam_lane *lane,
                                 beam_waiting *waiting, const void **inner);

/* Makes rows of `count` tensors; their shapes come with beam_rows_shape. */
beam_status beam_rows_make(beam_rows *rows, size_t count);
void beam_rows_free(beam_rows *rows);
/* The i-th tensor gets this shape (its data is ignored) and room for it; numbers that were there
 * stay only as far as the old room did suffice. */
beam_status beam_rows_shape(beam_rows *rows, size_t i, const beam_tensor *shape);
/* Points `tensor` to n rows from `first` on of a tensor of many. */
void beam_rows_part(beam_tensor *tensor, const beam_tensor *many, int64_t first, int64_t n);

/* ---- inference_local.c ------------------------------------------------------------------- */

/* At setup and teardown; `close` also after an `open` that failed. */
beam_status beam_local_open(beam_ctx *ctx, beam_inference *state);
void beam_local_close(beam_inference *state);
/* The request of a lane's model. */
const beam_model_request *beam_local_request(const beam_inference *state, const beam_lane *lane);
/* Gives a lane the model of another spec, once that is there; else all stays. */
beam_status beam_local_swap(beam_inference *state, beam_lane *lane, const beam_model_spec *spec,
                            int64_t version, beam_error *err);
/* Runs lane->waiting[0, count): gives each a row of state->outputs or a failure
 * (beam_inference_refuse).  Other than BEAM_OK: the bundle fails, with the ctx's words. */
beam_status beam_local_run(beam_ctx *ctx, beam_inference *state, beam_lane *lane);

/* How many rows to run next of a batch of which `left` are left, and how many of these are
 * padding: sizes are max and powers of two, so that a device prepares few of them, and at most a
 * quarter of a run is padding. */
int64_t beam_batch_rows(int64_t left, int64_t max, int64_t *padding);

#endif
