/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train.c - training on the CPU: the driver's part. */
#include <string.h>

#include "base/alloc.h"
#include "device/onednn_train.h"

enum { BLOCK_ALIGNMENT = 4096 };

typedef struct onednn_training {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    beam_onednn_plan *plan;
    beam_onednn_train_map map;
    beam_onednn_bound bound;
    char *block, *kept;
    int32_t step;
    float learning_rate;
} onednn_training;

static void training_free(onednn_training *state)
{
    beam_onednn_bound_free(&state->bound);
    beam_onednn_plan_free(state->plan);
    beam_onednn_train_map_free(&state->map);
    beam_free(state->block);
    beam_free(state->kept);
    if (state->stream)
        (void)dnnl_stream_destroy(state->stream);
    if (state->engine)
        (void)dnnl_engine_destroy(state->engine);
    beam_free(state);
}

void beam_onednn_train_close(beam_training *training)
{
    training_free(training->state);
}

/* ---- states ---- */

/* The layout of a value in row-major f32, or of the part of it that its buffer holds. */
static beam_status plain_layout(const onednn_training *state, uint32_t value, const int64_t *shape,
                                dnnl_memory_desc_t *plain, beam_error *err)
{
    const beam_onednn_partial *partial = beam_onednn_train_partial(&state->map, value);
    const_dnnl_memory_desc_t lies = state->plan->buffers[state->map.buffer_of[value] - 1].desc;
    if (!partial || partial->busy)
        return beam_onednn_row_major(lies, dnnl_f32, plain, err);
    const beam_onednn_taps *taps = &partial->taps;
    dnnl_dims_t all = {shape[0], shape[1], shape[2], shape[3]};
    dnnl_dims_t some = {shape[0], shape[1], taps->count[0], taps->count[1]};
    dnnl_dims_t from = {0, 0, taps->first[0], taps->first[1]};
    dnnl_memory_desc_t whole = NULL;
    BEAM_TRY(beam_onednn_status(
        dnnl_memory_desc_create_with_tag(&whole, 4, all, dnnl_f32, dnnl_abcd), "layout", err));
    dnnl_status_t status = dnnl_memory_desc_create_submemory(plain, whole, some, from);
    (void)dnnl_memory_desc_destroy(whole);
    return beam_onednn_status(status, "layout", err);
}

/* Copies between a value's buffer and row-major numbers. */
static beam_status transfer(beam_training *training, onednn_training *state, uint32_t value,
                            float *data, bool write, beam_error *err)
{
    beam_tensor shape = beam_nn_shape(training->program->network, value, 1);
    const beam_onednn_partial *partial = beam_onednn_train_partial(&state->map, value);
    dnnl_memory_desc_t desc = NULL;
    dnnl_memory_t plain = NULL, kept = state->bound.buffers[state->map.buffer_of[value] - 1];
    BEAM_TRY(plain_layout(state, value, shape.shape, &desc, err));
    if (partial && !write)
        memset(data, 0, beam_tensor_bytes(&shape));
    if (partial && partial->busy && write) {
        float *busy = state->bound.data[partial->busy - 1];
        size_t outer = (size_t)(shape.shape[0] * shape.shape[1]);
        *busy = beam_onednn_taps_idle(&partial->taps, outer, data) ? *busy : 1;
    }
    beam_status status = beam_onednn_status(dnnl_memory_create(&plain, desc, state->engine, data),
                                            "a state's memory", err);
    int before = beam_onednn_enter(1);
    if (status == BEAM_OK)
        status = beam_onednn_reorder(state->engine, state->stream, write ? plain : kept,
                                     write ? kept : plain, err);
    beam_onednn_leave(before);
    if (plain)
        (void)dnnl_memory_destroy(plain);
    (void)dnnl_memory_desc_destroy(desc);
    return status;
}

beam_status beam_onednn_train_read(beam_training *training, uint32_t value, float *data,
                                   beam_error *err)
{
    return transfer(training, training->state, value, data, false, err);
}

beam_status beam_onednn_train_write(beam_training *training, uint32_t value, const float *data,
                                    beam_error *err)
{
    return transfer(training, training->state, value, (float *)(uintptr_t)data, true, err);
}

/* ---- opening ---- */

/* Zeroed, so that what pads a layout is 0 from the start. */
static beam_status make_blocks(beam_training *training, onednn_training *state, beam_error *err)
{
    const beam_onednn_plan *plan = state->plan;
    state->block = beam_aligned_alloc(BLOCK_ALIGNMENT, plan->block_bytes);
    state->kept = beam_aligned_alloc(BLOCK_ALIGNMENT, plan->kept_bytes);
    if (!state->block || !state->kept)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "no memory for training (%zu and %zu bytes): try a smaller batch",
                              plan->block_bytes, plan->kept_bytes);
    memset(state->kept, 0, plan->kept_bytes);
    BEAM_TRY(beam_onednn_bound_make(&state->bound, plan, state->engine, err));
    BEAM_TRY(beam_onednn_bound_place(&state->bound, state->block, state->kept, err));
    beam_device_count_training(training, (int64_t)plan->kept_bytes, (int64_t)plan->block_bytes);
    return BEAM_OK;
}

static beam_status prepare(beam_training *training, onednn_training *state,
                           const float *const *initial, beam_error *err)
{
    const beam_nn_training *program = training->program;
    BEAM_TRY(beam_onednn_status(dnnl_engine_create(&state->engine, dnnl_cpu, 0), "engine", err));
    BEAM_TRY(beam_onednn_status(
        dnnl_stream_create(&state->stream, state->engine, dnnl_stream_default_flags), "stream",
        err));
    int before = beam_onednn_enter(training->num_threads);
    beam_status status =
        beam_onednn_train_plan(training, state->engine, &state->plan, &state->map, err);
    beam_onednn_leave(before);
    if (status == BEAM_OK)
        status = make_blocks(training, state, err);
    for (size_t i = 0; status == BEAM_OK && i < program->num_states; i++)
        status = transfer(training, state, program->states[i].value, (float *)(uintptr_t)initial[i],
                          true, err);
    return status;
}

beam_status beam_onednn_train_open(beam_training *training, const float *const *initial,
                                   beam_error *err)
{
    unsigned most = beam_onednn_max_threads();
    training->precision = beam_onednn_precision(training->device, training->precision,
                                                training->program->network->name);
    if (training->num_threads > most)
        training->num_threads = most;
    onednn_training *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    beam_status status = prepare(training, state, initial, err);
    if (status != BEAM_OK) {
        training_free(state);
        return status;
    }
    training->state = state;
    return BEAM_OK;
}

/* ---- a step ---- */

static float result_of(const onednn_training *state, uint32_t value)
{
    return *(const float *)state->bound.data[state->map.buffer_of[value] - 1];
}

static beam_status feed(beam_training *training, onednn_training *state, const beam_tensor *inputs,
                        const int32_t *labels, beam_error *err)
{
    const beam_network *network = training->program->network;
    uint32_t n = (uint32_t)network->num_inputs - 3;
    for (uint32_t i = 0; i < n; i++)
        BEAM_TRY(beam_onednn_bound_input(&state->bound, i, inputs[i].data, err));
    BEAM_TRY(beam_onednn_bound_input(&state->bound, n, labels, err));
    BEAM_TRY(beam_onednn_bound_input(&state->bound, n + 1, &state->learning_rate, err));
    return beam_onednn_bound_input(&state->bound, n + 2, &state->step, err);
}

beam_status beam_onednn_train_step(beam_training *training, const beam_tensor *inputs,
                                   const int32_t *labels, float learning_rate,
                                   beam_step_result *result, beam_error *err)
{
    const beam_nn_training *program = training->program;
    onednn_training *state = training->state;
    state->learning_rate = learning_rate;
    state->step = (int32_t)training->steps;
    BEAM_TRY(feed(training, state, inputs, labels, err));
    int before = beam_onednn_enter(training->num_threads);
    beam_status status =
        beam_onednn_bound_run(&state->bound, state->stream, training->num_threads, err);
    beam_onednn_leave(before);
    BEAM_TRY(status);
    result->loss = result_of(state, program->loss);
    result->correct = (uint32_t)result_of(state, program->correct);
    if (program->gradient_norm)
        result->gradient_norm = result_of(state, program->gradient_norm);
    return BEAM_OK;
}
