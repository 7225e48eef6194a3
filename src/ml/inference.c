/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference.c - RunInference's DoFn: examples are packed straight into the model's input until the
 * batch is full, then it runs and each result goes out with its own example's timestamp and
 * windows. */
#include "ml/inference.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"

const beam_metric beam_inference_metrics_[BEAM_INFERENCE_METRICS_] = {
    [BEAM_METRIC_INFERENCES] = {"num_inferences", BEAM_COUNTER},
    [BEAM_METRIC_FAILED_BATCHES] = {"failed_batches_counter", BEAM_COUNTER},
    [BEAM_METRIC_BATCH_SIZE] = {"inference_request_batch_size", BEAM_DISTRIBUTION},
    [BEAM_METRIC_BATCH_BYTES] = {"inference_request_batch_byte_size", BEAM_DISTRIBUTION},
    [BEAM_METRIC_BATCH_LATENCY] = {"inference_batch_latency_micro_secs", BEAM_DISTRIBUTION},
    [BEAM_METRIC_MODEL_BYTES] = {"model_byte_size", BEAM_DISTRIBUTION},
    [BEAM_METRIC_LOAD_LATENCY] = {"load_model_latency_milli_secs", BEAM_DISTRIBUTION},
    [BEAM_METRIC_BATCHES_HALVED] = {"batches_halved", BEAM_COUNTER},
    [BEAM_METRIC_FELL_BACK] = {"device_fell_back", BEAM_COUNTER},
};

static beam_inference *state_of(const beam_ctx *ctx)
{
    return *(beam_inference **)ctx->state;
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const beam_model_spec *beam_inference_spec(const beam_ctx *ctx)
{
    return &beam_config(ctx, beam_inference_config)->model;
}

/* ---- An instance's life -------------------------------------------------------------------- */

beam_status beam_inference_setup_(beam_ctx *ctx, const beam_model_handler *handler)
{
    const beam_inference_config *config = beam_config(ctx, beam_inference_config);
    beam_inference *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for RunInference");
    *(beam_inference **)ctx->state = state;
    state->handler = handler;
    state->max_count = state->fits = config->max_batch_size;
    state->model_id = config->model.weights.len ? config->model.weights : config->model.network;
    const beam_model_request request = {.spec = &config->model,
                                        .make_network = handler->make_network,
                                        .max_batch = config->max_batch_size,
                                        .logger = beam_ctx_logger(ctx),
                                        .transform = beam_ctx_transform(ctx)};
    BEAM_TRY(
        beam_model_cache_get(&request, &state->cached, &state->tell_load, beam_ctx_error(ctx)));
    return beam_inference_allocate(ctx, state);
}

static void forget_batch(beam_inference *state)
{
    state->count = 0;
    state->weight = 0;
    beam_pool_reset(state->pool);
}

beam_status beam_inference_start_(beam_ctx *ctx)
{
    beam_inference *state = state_of(ctx);
    forget_batch(state); /* what a bundle that failed left */
    if (state->tell_load) {
        beam_model_info info;
        beam_model_get_info(state->cached.model, &info);
        beam_distribution_update(ctx, BEAM_METRIC_MODEL_BYTES, (int64_t)info.weight_bytes);
        beam_distribution_update(ctx, BEAM_METRIC_LOAD_LATENCY, state->cached.load_milliseconds);
        beam_count(ctx, BEAM_METRIC_FELL_BACK, state->cached.fell_back);
        state->tell_load = false;
    }
    return BEAM_OK;
}

void beam_inference_teardown_(beam_ctx *ctx)
{
    beam_inference_free(state_of(ctx));
    *(beam_inference **)ctx->state = NULL;
}

/* ---- Running a batch ------------------------------------------------------------------------ */

int64_t beam_batch_rows(int64_t left, int64_t max, int64_t *padding)
{
    int64_t rows = 1;
    *padding = 0;
    if (left >= max)
        return max;
    while (rows < left)
        rows *= 2;
    if (rows > max)
        rows = max;
    if (left * 4 >= rows * 3) {
        *padding = rows - left;
        return rows;
    }
    rows = 1; /* the largest power of two that is filled */
    while (rows * 2 <= left)
        rows *= 2;
    return rows;
}

/* Points `tensor` to the rows from `first` on of a tensor of many. */
static void point_to_rows(beam_tensor *tensor, const beam_tensor *many, int64_t first, int64_t n)
{
    size_t row = beam_tensor_bytes(many) / (size_t)many->shape[0];
    *tensor = *many;
    tensor->shape[0] = n;
    tensor->data = (const char *)many->data + (size_t)first * row;
}

/* Runs `rows` rows from `first` on, with a slot of the device. */
static beam_status run_rows(beam_ctx *ctx, beam_inference *state, int64_t first, int64_t rows,
                            int64_t real, beam_error *err)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < state->num_inputs; i++) {
        point_to_rows(&state->batch[i], &state->inputs[i], first, rows);
        bytes += (int64_t)(beam_tensor_bytes(&state->batch[i]) / (size_t)rows) * real;
    }
    BEAM_TRY(beam_model_feed(state->context, state->batch, state->num_inputs, err));
    beam_device_acquire(state->cached.device);
    int64_t began = nanoseconds();
    beam_status status =
        beam_model_execute(state->context, state->outputs, state->num_outputs, err);
    int64_t took = nanoseconds() - began;
    beam_device_release(state->cached.device);
    if (status != BEAM_OK) {
        beam_count(ctx, BEAM_METRIC_FAILED_BATCHES, 1);
        return status;
    }
    beam_count(ctx, BEAM_METRIC_INFERENCES, real);
    beam_distribution_update(ctx, BEAM_METRIC_BATCH_SIZE, real);
    beam_distribution_update(ctx, BEAM_METRIC_BATCH_BYTES, bytes);
    beam_distribution_update(ctx, BEAM_METRIC_BATCH_LATENCY, took / 1000);
    return BEAM_OK;
}

/* The i-th row of each output, without the batch's dimension. */
static void point_to_results(beam_inference *state, int64_t index)
{
    for (size_t i = 0; i < state->num_outputs; i++) {
        const beam_tensor *all = &state->outputs[i];
        beam_tensor *row = &state->row[i];
        size_t bytes = beam_tensor_bytes(all) / (size_t)all->shape[0];
        *row = (beam_tensor){.dtype = all->dtype, .rank = all->rank - 1};
        memcpy(row->shape, all->shape + 1, row->rank * sizeof *row->shape);
        row->data = (const char *)all->data + (size_t)index * bytes;
    }
}

/* A PredictionResult; its fields' places are those of BEAM_PREDICTION's struct. */
static void predict(const beam_inference *state, const void *example)
{
    const beam_type *out = state->handler->out;
    char *to = state->result;
    memcpy(to + out->fields[0].offset, example, out->fields[0].type->size);
    memcpy(to + out->fields[1].offset, &state->row[0], sizeof state->row[0]);
    memcpy(to + out->fields[2].offset, &state->model_id, sizeof state->model_id);
}

static beam_status emit_results(beam_ctx *ctx, beam_inference *state, int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const beam_waiting *waiting = &state->waiting[first + i];
        point_to_results(state, i);
        if (state->handler->unpack) {
            memset(state->result, 0, state->handler->out->size);
            BEAM_TRY(state->handler->unpack(ctx, waiting->example, state->row, state->num_outputs,
                                            state->result));
        } else {
            predict(state, waiting->example);
        }
        BEAM_TRY(beam_emit_with(ctx, 0, state->result, waiting->info));
    }
    return BEAM_OK;
}

/* After a batch that the device had no memory for: whether half of it is to be tried. */
static bool halve(beam_ctx *ctx, beam_inference *state, int64_t rows, const beam_error *why)
{
    if (rows == 1 || beam_config(ctx, beam_inference_config)->keep_batch_size)
        return false;
    state->fits = rows / 2;
    beam_count(ctx, BEAM_METRIC_BATCHES_HALVED, 1);
    beam_ctx_log(ctx, BEAM_LOG_WARNING, "batches of at most %lld from now on: %s",
                 (long long)state->fits, why->message);
    return true;
}

static beam_status flush(beam_ctx *ctx, beam_inference *state)
{
    for (int64_t first = 0; first < state->count;) {
        int64_t padding;
        int64_t rows = beam_batch_rows(state->count - first, state->fits, &padding);
        beam_error why = {0};
        beam_status status = run_rows(ctx, state, first, rows, rows - padding, &why);
        if (status == BEAM_RESOURCE_EXHAUSTED && halve(ctx, state, rows, &why))
            continue;
        if (status != BEAM_OK)
            return beam_fail(ctx, status, "%s", why.message);
        BEAM_TRY(emit_results(ctx, state, first, rows - padding));
        first += rows - padding;
        if (beam_cancelled(ctx))
            return BEAM_CANCELLED;
    }
    forget_batch(state);
    return BEAM_OK;
}

/* ---- Filling a batch ------------------------------------------------------------------------ */

/* Takes one example; the batch has room for it. */
static beam_status take(beam_ctx *ctx, beam_inference *state, const void *example,
                        const beam_element_info *info)
{
    for (size_t i = 0; i < state->num_inputs; i++) {
        const beam_tensor *all = &state->inputs[i];
        size_t row = beam_tensor_bytes(all) / (size_t)all->shape[0];
        state->rows[i] = (float *)((uintptr_t)all->data + (size_t)state->count * row);
    }
    BEAM_TRY(state->handler->pack(ctx, example, state->cached.model, state->rows));
    beam_waiting *waiting = &state->waiting[state->count];
    beam_status status =
        beam_pool_copy(state->pool, state->handler->in, example, &waiting->example);
    if (status != BEAM_OK)
        return beam_fail(ctx, status, "an example of a batch could not be kept");
    waiting->info = info;
    state->count++;
    return BEAM_OK;
}

/* True when the batch may not wait any longer. */
static bool is_due(const beam_inference *state, const beam_inference_config *config)
{
    if (state->count == state->max_count)
        return true;
    return config->max_duration_ms > 0 && state->count >= config->min_batch_size &&
           nanoseconds() / 1000000 - state->oldest >= config->max_duration_ms;
}

static beam_status add(beam_ctx *ctx, beam_inference *state, const void *example,
                       const beam_element_info *info)
{
    const beam_inference_config *config = beam_config(ctx, beam_inference_config);
    int64_t weight = 0;
    if (config->max_weight > 0) {
        weight = state->handler->element_size(example);
        if (state->count > 0 && weight > config->max_weight - state->weight)
            BEAM_TRY(flush(ctx, state));
    }
    if (state->count == 0 && config->max_duration_ms > 0)
        state->oldest = nanoseconds() / 1000000;
    BEAM_TRY(take(ctx, state, example, info));
    state->weight += weight;
    return is_due(state, config) ? flush(ctx, state) : BEAM_OK;
}

beam_status beam_inference_batch_(beam_ctx *ctx, const void *examples, size_t n)
{
    beam_inference *state = state_of(ctx);
    const beam_element_info *info = beam_info_save(ctx);
    if (!info)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for RunInference");
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(add(ctx, state, (const char *)examples + i * state->handler->in->size, info));
    return BEAM_OK;
}

beam_status beam_inference_process_(beam_ctx *ctx, const void *example)
{
    return beam_inference_batch_(ctx, example, 1);
}

beam_status beam_inference_finish_(beam_ctx *ctx)
{
    return flush(ctx, state_of(ctx));
}
