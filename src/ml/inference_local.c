/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_local.c - a batch on a device of this process: examples are packed side by side into
 * the model's input and run, many at once. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "device/foreign.h"
#include "ml/inference.h"
#include "ml/timed_run.h"

/* The model of a lane. */
typedef struct lane_model {
    beam_model_entry *entry;
    beam_model_request request;
    int64_t fits; /* rows that the device had memory for so far; 0: it has not run */
} lane_model;

typedef struct beam_local {
    lane_model *models; /* one a lane */
    size_t num_models;
    beam_model_lease lease; /* while a batch runs */
    beam_rows inputs;
    beam_tensor *part;     /* inputs of the rows that run */
    beam_tensor *made;     /* outputs of the rows that ran */
    float **rows;          /* where the next example goes, one an input */
    beam_waiting **packed; /* whose row it is */
    beam_timed_run *timed; /* NULL: batches may take as long as they will */
    int64_t throttled_ms;  /* that make no whole second yet */
} local;

static beam_status no_memory(beam_ctx *ctx, int64_t batch)
{
    return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED,
                     "no memory for a batch of %lld: try a smaller max_batch_size",
                     (long long)batch);
}

static lane_model *model_of(const beam_inference *state, const beam_lane *lane)
{
    return &state->local->models[lane - state->lanes];
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Everything besides the model, from the number of its inputs and outputs. */
static beam_status allocate(beam_ctx *ctx, beam_inference *state, const beam_model_info *info)
{
    local *own = state->local;
    int64_t most = beam_config(ctx, beam_inference_config)->max_batch_size;
    own->part = beam_calloc(info->num_inputs, sizeof *own->part);
    own->rows = beam_calloc(info->num_inputs, sizeof *own->rows);
    own->made = beam_calloc(info->num_outputs, sizeof *own->made);
    own->packed = beam_calloc((size_t)most, sizeof *own->packed);
    state->row = beam_calloc(info->num_outputs, sizeof *state->row);
    if (!own->part || !own->rows || !own->made || !own->packed || !state->row ||
        beam_rows_make(&own->inputs, info->num_inputs) != BEAM_OK ||
        beam_rows_make(&state->outputs, info->num_outputs) != BEAM_OK)
        return no_memory(ctx, most);
    return BEAM_OK;
}

/* When a model has been leased: the handler must suit it, and all models one another. */
static beam_status meet(beam_ctx *ctx, beam_inference *state, lane_model *model, int64_t max_count)
{
    const local *own = state->local;
    beam_model_info info;
    beam_model_get_info(own->lease.model, &info);
    if (!state->base->unpack && info.num_outputs != 1)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "handler %s makes predictions, which hold one output; the model has %zu",
                         state->base->name, info.num_outputs);
    if (!own->part)
        BEAM_TRY(allocate(ctx, state, &info));
    if (info.num_inputs != own->inputs.count || info.num_outputs != state->outputs.count)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "a model of handler %s has %zu inputs and %zu outputs, another %zu and "
                         "%zu",
                         state->base->name, info.num_inputs, info.num_outputs, own->inputs.count,
                         state->outputs.count);
    if (!model->fits)
        model->fits = info.max_batch < max_count ? info.max_batch : max_count;
    return BEAM_OK;
}

beam_status beam_local_open(beam_ctx *ctx, beam_inference *state)
{
    const beam_inference_config *config = beam_config(ctx, beam_inference_config);
    local *own = beam_calloc(1, sizeof *own);
    if (!own)
        return no_memory(ctx, config->max_batch_size);
    state->local = own;
    own->models = beam_calloc(state->num_lanes, sizeof *own->models);
    if (!own->models)
        return no_memory(ctx, config->max_batch_size);
    own->num_models = state->num_lanes;
    for (size_t i = 0; i < own->num_models; i++) {
        lane_model *model = &own->models[i];
        model->request = (beam_model_request){.spec = &state->lanes[i].spec,
                                              .make_network = state->base->make_network,
                                              .max_batch = state->lanes[i].max_count,
                                              .budget = config->memory_budget,
                                              .logger = beam_ctx_logger(ctx),
                                              .transform = beam_ctx_transform(ctx),
                                              .stop = &ctx->frame->cancelled};
        BEAM_TRY(beam_model_cache_join(&model->request, &model->entry, beam_ctx_error(ctx)));
    }
    if (own->num_models == 1 && !state->lanes[0].watch_pattern.len && !config->has_metadata)
        beam_model_cache_prefetch(own->models[0].entry, &own->models[0].request);
    return BEAM_OK;
}

void beam_local_close(beam_inference *state)
{
    local *own = state->local;
    if (!own)
        return;
    beam_model_cache_return(&own->lease);
    for (size_t i = 0; i < own->num_models; i++)
        beam_model_cache_leave(own->models[i].entry);
    beam_free(own->models);
    beam_rows_free(&own->inputs);
    beam_free(own->part);
    beam_free(own->rows);
    beam_free(own->made);
    beam_free(own->packed);
    beam_timed_run_free(own->timed);
    beam_free(own);
    state->local = NULL;
}

static void count_load(beam_ctx *ctx, const beam_model_lease *lease)
{
    beam_inference_count(ctx, BEAM_METRIC_EVICTED, lease->evicted);
    if (!lease->loaded)
        return;
    beam_inference_distribute(ctx, BEAM_METRIC_MODEL_BYTES, lease->weight_bytes);
    beam_inference_distribute(ctx, BEAM_METRIC_LOAD_LATENCY, lease->load_milliseconds);
    beam_inference_count(ctx, BEAM_METRIC_FELL_BACK, lease->fell_back);
}

const beam_model_request *beam_local_request(const beam_inference *state, const beam_lane *lane)
{
    return &model_of(state, lane)->request;
}

beam_status beam_local_swap(beam_inference *state, beam_lane *lane, const beam_model_spec *spec,
                            int64_t version, beam_error *err)
{
    lane_model *model = model_of(state, lane);
    beam_model_request request = model->request;
    beam_model_entry *entry;
    beam_model_lease lease;
    request.spec = spec;
    request.version = version;
    BEAM_TRY(beam_model_cache_join(&request, &entry, err));
    beam_status status = beam_model_cache_lease(entry, &request, &lease, err);
    beam_model_cache_return(&lease);
    if (status != BEAM_OK) {
        beam_model_cache_leave(entry);
        return status;
    }
    beam_model_cache_leave(model->entry);
    model->entry = entry;
    model->request.version = version;
    lane->spec = *spec;
    return BEAM_OK;
}

/* ---- Packing --------------------------------------------------------------------------------- */

/* Room for all of the lane, and for padding behind it: a third, since that is at most a quarter of
 * a run. */
static beam_status shape(beam_ctx *ctx, beam_inference *state, const beam_lane *lane)
{
    local *own = state->local;
    for (size_t i = 0; i < own->inputs.count; i++) {
        beam_tensor input = beam_model_input(own->lease.model, i, (lane->count * 4 + 2) / 3);
        if (beam_rows_shape(&own->inputs, i, &input) != BEAM_OK)
            return no_memory(ctx, lane->count);
    }
    for (size_t i = 0; i < state->outputs.count; i++) {
        beam_tensor output = beam_model_output(own->lease.model, i, lane->count);
        if (beam_rows_shape(&state->outputs, i, &output) != BEAM_OK)
            return no_memory(ctx, lane->count);
    }
    return BEAM_OK;
}

/* Packs one example into a row of the inputs. */
static beam_status pack_one(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                            beam_waiting *waiting, int64_t index)
{
    local *own = state->local;
    const void *example;
    for (size_t k = 0; k < own->inputs.count; k++) {
        beam_tensor row;
        beam_rows_part(&row, &own->inputs.tensors[k], index, 1);
        own->rows[k] = (float *)(uintptr_t)row.data;
        if (lane->spec.length) /* what the example does not reach is padding */
            memset(own->rows[k], 0, beam_tensor_bytes(&row));
    }
    BEAM_TRY(beam_inference_enter(ctx, state, lane, waiting, &example));
    return state->base->pack(ctx, example, own->lease.model, own->rows);
}

/* Packs those that can be, one behind the other; *packed is how many. */
static beam_status pack(beam_ctx *ctx, beam_inference *state, beam_lane *lane, int64_t *packed)
{
    local *own = state->local;
    *packed = 0;
    for (int64_t i = 0; i < lane->count; i++) {
        beam_waiting *waiting = &lane->waiting[i];
        if (waiting->failed != BEAM_INFERENCE_RESULTS)
            continue; /* it had no lane */
        beam_status status = pack_one(ctx, state, lane, waiting, *packed);
        if (status != BEAM_OK) {
            BEAM_TRY(beam_inference_refuse(ctx, state, lane, waiting, BEAM_FAILED_PREPROCESSING,
                                           status, NULL));
            continue;
        }
        waiting->row = *packed;
        own->packed[(*packed)++] = waiting;
    }
    return BEAM_OK;
}

/* ---- Running --------------------------------------------------------------------------------- */

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

/* The outputs of rows that ran are the context's until the next run: kept. */
static void keep(beam_inference *state, int64_t first, int64_t real)
{
    const local *own = state->local;
    for (size_t i = 0; i < state->outputs.count; i++) {
        beam_tensor to, from;
        beam_rows_part(&to, &state->outputs.tensors[i], first, real);
        beam_rows_part(&from, &own->made[i], 0, real);
        memcpy((void *)(uintptr_t)to.data, from.data, beam_tensor_bytes(&from));
    }
}

/* A run that is late keeps inputs and context: others are made, with the same rows, before it is
 * left behind, since it then frees what it has. */
static beam_status replace(beam_inference *state, beam_error *err)
{
    local *own = state->local;
    beam_rows old = own->inputs;
    own->lease.context = NULL;
    beam_status status = beam_rows_make(&own->inputs, old.count);
    for (size_t i = 0; i < old.count && status == BEAM_OK; i++) {
        status = beam_rows_shape(&own->inputs, i, &old.tensors[i]);
        if (status == BEAM_OK)
            memcpy((void *)(uintptr_t)own->inputs.tensors[i].data, old.tensors[i].data,
                   beam_tensor_bytes(&old.tensors[i]));
    }
    if (status == BEAM_OK)
        status = beam_model_context_new(own->lease.model, &own->lease.context, err);
    else
        (void)beam_error_set(err, status, "no memory to go on after a model that did not answer");
    beam_timed_run_leave(own->timed);
    own->timed = NULL;
    beam_free(old.tensors); /* not what they point to */
    beam_free(old.capacity);
    return status;
}

/* The same on a thread that is waited for only so long. */
static beam_status run_timed(beam_inference *state, int64_t timeout_ms, int64_t *took,
                             beam_error *err)
{
    enum { MOST = 64 };
    local *own = state->local;
    void *inputs[MOST];
    bool late;
    if (own->inputs.count > MOST)
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "a time-out with more than 64 inputs");
    if (!own->timed)
        own->timed = beam_timed_run_new(own->inputs.count, state->outputs.count);
    if (!own->timed)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread for a time-out");
    for (size_t i = 0; i < own->inputs.count; i++)
        inputs[i] = (void *)(uintptr_t)own->inputs.tensors[i].data;
    beam_timed_batch batch = {.device = own->lease.device,
                              .context = own->lease.context,
                              .part = own->part,
                              .num_inputs = own->inputs.count,
                              .inputs = inputs,
                              .made = own->made,
                              .num_outputs = state->outputs.count};
    beam_status status = beam_timed_run_batch(own->timed, &batch, timeout_ms, &late, err);
    *took = batch.nanoseconds;
    if (late)
        BEAM_TRY(replace(state, err));
    return status;
}

/* A server that is away keeps no run that is cancelled.  (A run that may be left behind has its
 * time-out instead: the flag might go before it does.) */
static beam_status run_here(const beam_ctx *ctx, beam_inference *state, int64_t *took,
                            beam_error *err)
{
    local *own = state->local;
    BEAM_TRY(beam_model_feed(own->lease.context, own->part, own->inputs.count, err));
    beam_device_acquire(own->lease.device);
    int64_t began = beam_clock_ns();
    beam_model_context_stop(own->lease.context, &ctx->frame->cancelled);
    beam_status status =
        beam_model_execute(own->lease.context, own->made, state->outputs.count, err);
    beam_model_context_stop(own->lease.context, NULL);
    *took = beam_clock_ns() - began;
    beam_device_release(own->lease.device);
    return status;
}

/* What a server was asked more than once for, and waited for; `before` is what that was.  A run
 * that did not come back took its context along, and what it did is not known. */
static void count_effort(beam_ctx *ctx, local *own, const beam_model_context *ran,
                         const beam_remote_effort *before)
{
    beam_remote_effort now;
    if (own->lease.context != ran)
        return;
    beam_model_context_effort(ran, &now);
    beam_inference_count(ctx, BEAM_METRIC_REMOTE_RETRIES, now.retries - before->retries);
    own->throttled_ms += now.throttled_ms - before->throttled_ms;
    beam_inference_count(ctx, BEAM_METRIC_THROTTLED_SECONDS, own->throttled_ms / 1000);
    own->throttled_ms %= 1000;
}

/* Runs `rows` rows from `first` on, the last of them padding, with a slot of the device. */
static beam_status run_rows(beam_ctx *ctx, beam_inference *state, int64_t first, int64_t rows,
                            int64_t real, beam_error *err)
{
    local *own = state->local;
    int64_t bytes = 0, took = 0, timeout = beam_config(ctx, beam_inference_config)->timeout_ms;
    for (size_t i = 0; i < own->inputs.count; i++) {
        beam_rows_part(&own->part[i], &own->inputs.tensors[i], first, rows);
        bytes += (int64_t)(beam_tensor_bytes(&own->part[i]) / (size_t)rows) * real;
    }
    beam_remote_effort before;
    const beam_model_context *context = own->lease.context;
    beam_model_context_effort(context, &before);
    beam_status status =
        timeout > 0 ? run_timed(state, timeout, &took, err) : run_here(ctx, state, &took, err);
    count_effort(ctx, own, context, &before);
    beam_inference_count_batch(ctx,
                               &(beam_inference_batch){.struct_size = sizeof(beam_inference_batch),
                                                       .status = status,
                                                       .num_examples = real,
                                                       .num_bytes = bytes,
                                                       .latency_micro_secs = took / 1000});
    BEAM_TRY(status);
    keep(state, first, real);
    return BEAM_OK;
}

/* After a batch that the device had no memory for: whether half of it is to be tried. */
static bool halve(beam_ctx *ctx, lane_model *model, int64_t rows, const beam_error *why)
{
    if (rows == 1 || beam_config(ctx, beam_inference_config)->keep_batch_size)
        return false;
    model->fits = rows / 2;
    beam_inference_count(ctx, BEAM_METRIC_BATCHES_HALVED, 1);
    beam_ctx_log(ctx, BEAM_LOG_WARNING, "batches of at most %lld from now on: %s",
                 (long long)model->fits, why->message);
    return true;
}

/* Whether a failure may be of some of the examples alone. */
static bool may_be_of_few(const beam_ctx *ctx, beam_status status)
{
    return beam_config(ctx, beam_inference_config)->handles_failures &&
           status != BEAM_RESOURCE_EXHAUSTED && status != BEAM_UNAVAILABLE &&
           status != BEAM_DEADLINE_EXCEEDED && status != BEAM_CANCELLED;
}

static int64_t next_rows(const local *own, int64_t fits, int64_t left, int64_t *padding)
{
    beam_model_info info;
    beam_model_get_info(own->lease.model, &info);
    if (!info.any_batch)
        return beam_batch_rows(left, fits, padding);
    *padding = 0;
    return left < fits ? left : fits;
}

/* Runs packed rows [first, end).  Rows that fail together are run in halves (which depth of calls
 * is the logarithm of), so that those fail which must. */
static beam_status run_range(beam_ctx *ctx, beam_inference *state, beam_lane *lane, int64_t first,
                             int64_t end)
{
    local *own = state->local;
    lane_model *model = model_of(state, lane);
    while (first < end) {
        int64_t padding, rows = next_rows(own, model->fits, end - first, &padding);
        int64_t real = rows - padding, half = first + real / 2;
        beam_error why = {0};
        beam_status status = run_rows(ctx, state, first, rows, real, &why);
        if (status == BEAM_RESOURCE_EXHAUSTED && halve(ctx, model, rows, &why))
            continue;
        if (status != BEAM_OK && real > 1 && may_be_of_few(ctx, status)) {
            BEAM_TRY(run_range(ctx, state, lane, first, half));
            BEAM_TRY(run_range(ctx, state, lane, half, first + real));
        } else if (status != BEAM_OK) {
            for (int64_t i = first; i < first + real; i++)
                BEAM_TRY(beam_inference_refuse(ctx, state, lane, own->packed[i],
                                               BEAM_FAILED_INFERENCES, status, &why));
        }
        first += real;
        if (beam_cancelled(ctx))
            return BEAM_CANCELLED;
    }
    return BEAM_OK;
}

/* All of a lane fail, those that have not before. */
static beam_status refuse_all(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                              beam_status status, const beam_error *why)
{
    for (int64_t i = 0; i < lane->count; i++)
        if (lane->waiting[i].failed == BEAM_INFERENCE_RESULTS)
            BEAM_TRY(beam_inference_refuse(ctx, state, lane, &lane->waiting[i],
                                           BEAM_FAILED_INFERENCES, status, why));
    return BEAM_OK;
}

beam_status beam_local_run(beam_ctx *ctx, beam_inference *state, beam_lane *lane)
{
    local *own = state->local;
    lane_model *model = model_of(state, lane);
    int64_t packed;
    beam_error why = {0};
    beam_status status = beam_model_cache_lease(model->entry, &model->request, &own->lease, &why);
    if (status != BEAM_OK && own->num_models == 1 && !own->part)
        return beam_fail(ctx, status, "%s", why.message); /* the only one, and it never ran */
    if (status != BEAM_OK)
        return refuse_all(ctx, state, lane, status, &why);
    count_load(ctx, &own->lease);
    status = meet(ctx, state, model, lane->max_count);
    if (status == BEAM_OK)
        status = shape(ctx, state, lane);
    if (status == BEAM_OK)
        status = pack(ctx, state, lane, &packed);
    if (status == BEAM_OK)
        status = run_range(ctx, state, lane, 0, packed);
    beam_model_cache_return(&own->lease);
    return status;
}
