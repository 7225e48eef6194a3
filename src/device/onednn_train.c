/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train.c - a training step's memory, and running it: everything is made when training
 * opens, so a step allocates nothing. */
#include "device/onednn_train.h"

#include <string.h>

#include "base/alloc.h"
#include "device/lifetimes.h"

enum { BLOCK_ALIGNMENT = 4096 };

typedef struct onednn_training {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    beam_onednn_plan *plan;
    uint32_t *buffer_of;      /* by value of the program: 1 + buffer */
    char *block, *states;     /* what lives within a step; what lasts */
    dnnl_memory_t *buffers;   /* one a buffer */
    dnnl_memory_t *scratches; /* one a step, NULL where none is needed */
    dnnl_exec_arg_t *args;    /* BEAM_ONEDNN_MAX_ARGS a step that is a primitive */
    beam_onednn_call *calls;  /* one a step; of those that are loops of our own */
} onednn_training;

static void destroy(onednn_training *state)
{
    const beam_onednn_plan *plan = state->plan;
    for (size_t i = 0; state->buffers && i < plan->num_buffers; i++)
        if (state->buffers[i])
            (void)dnnl_memory_destroy(state->buffers[i]);
    for (size_t i = 0; state->scratches && i < plan->num_steps; i++)
        if (state->scratches[i])
            (void)dnnl_memory_destroy(state->scratches[i]);
    beam_free(state->buffers);
    beam_free(state->scratches);
    beam_free(state->args);
    beam_free(state->calls);
    beam_free(state->block);
    beam_free(state->states);
    beam_free(state->buffer_of);
    beam_onednn_plan_free(state->plan);
    if (state->stream)
        (void)dnnl_stream_destroy(state->stream);
    if (state->engine)
        (void)dnnl_engine_destroy(state->engine);
    beam_free(state);
}

void beam_onednn_train_close(beam_training *training)
{
    destroy(training->state);
}

/* ---- memory ---- */

/* Where each buffer that lasts lies among those; returns the bytes of all. */
static size_t place_states(beam_onednn_plan *plan)
{
    size_t total = 0, mask = BEAM_LIFETIME_ALIGNMENT - 1;
    for (size_t i = 0; i < plan->num_buffers; i++) {
        beam_onednn_buffer *buffer = &plan->buffers[i];
        if (!buffer->lasts || buffer->place != i)
            continue;
        buffer->offset = total;
        total += (dnnl_memory_desc_get_size(buffer->desc) + mask) & ~mask;
    }
    return total;
}

static void *data_of(const onednn_training *state, uint32_t buffer)
{
    const beam_onednn_buffer *b = &state->plan->buffers[buffer];
    if (b->input)
        return NULL; /* the caller's, set for each step */
    return (b->lasts ? state->states : state->block) + b->offset;
}

static beam_status make_memories(onednn_training *state, beam_error *err)
{
    const beam_onednn_plan *plan = state->plan;
    dnnl_status_t status = dnnl_success;
    for (uint32_t i = 0; status == dnnl_success && i < plan->num_buffers; i++)
        status = dnnl_memory_create(&state->buffers[i], plan->buffers[i].desc, state->engine,
                                    data_of(state, i));
    for (size_t i = 0; status == dnnl_success && i < plan->num_steps; i++)
        if (plan->steps[i].scratch)
            status = dnnl_memory_create(&state->scratches[i], plan->steps[i].scratch, state->engine,
                                        state->block + plan->scratch_offset);
    return beam_onednn_status(status, "memory", err);
}

static void make_args(onednn_training *state, uint32_t threads)
{
    for (size_t i = 0; i < state->plan->num_steps; i++) {
        const beam_onednn_step *step = &state->plan->steps[i];
        dnnl_exec_arg_t *args = state->args + i * BEAM_ONEDNN_MAX_ARGS;
        beam_onednn_call *call = &state->calls[i];
        *call = (beam_onednn_call){
            .op = step->op, .count = step->count, .width = step->width, .threads = threads};
        for (uint32_t k = 0; k < step->num_args; k++) {
            const beam_onednn_arg *from = &step->args[k];
            if (step->kernel) {
                call->data[k] =
                    from->index == BEAM_ONEDNN_ABSENT ? NULL : data_of(state, from->index);
                continue;
            }
            args[k].arg = from->arg;
            args[k].memory = from->source == BEAM_ONEDNN_FROM_BUFFER ? state->buffers[from->index]
                                                                     : state->scratches[i];
        }
    }
}

static beam_status make_block(beam_training *training, onednn_training *state, beam_error *err)
{
    beam_onednn_plan *plan = state->plan;
    size_t lasting = place_states(plan), passing = plan->block_bytes;
    state->states = beam_aligned_alloc(BLOCK_ALIGNMENT, lasting + 1);
    state->block = beam_aligned_alloc(BLOCK_ALIGNMENT, passing + 1);
    state->buffers = beam_calloc(plan->num_buffers, sizeof *state->buffers);
    state->scratches = beam_calloc(plan->num_steps, sizeof *state->scratches);
    state->args = beam_calloc(plan->num_steps * BEAM_ONEDNN_MAX_ARGS, sizeof *state->args);
    state->calls = beam_calloc(plan->num_steps, sizeof *state->calls);
    if (!state->states || !state->block || !state->buffers || !state->scratches || !state->args ||
        !state->calls)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "no memory to train (%zu bytes): try a smaller batch",
                              lasting + passing);
    memset(state->states, 0, lasting);
    BEAM_TRY(make_memories(state, err));
    make_args(state, training->num_threads);
    beam_device_count_training(training, (int64_t)lasting, (int64_t)passing);
    return BEAM_OK;
}

/* ---- states ---- */

/* Copies between a value's buffer and row-major f32 at `data`. */
static beam_status copy_state(beam_training *training, uint32_t value, float *data, bool write,
                              beam_error *err)
{
    onednn_training *state = training->state;
    uint32_t buffer = state->buffer_of[value] - 1;
    const_dnnl_memory_desc_t desc = state->plan->buffers[buffer].desc;
    dnnl_memory_desc_t plain = NULL;
    dnnl_memory_t memory = NULL;
    dnnl_primitive_desc_t described = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_dims_t strides = {0};
    const dnnl_dims_t *sizes = NULL;
    int rank = 0;
    dnnl_status_t status = dnnl_memory_desc_query(desc, dnnl_query_ndims_s32, &rank);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_dims, &sizes);
    int64_t stride = 1;
    for (int i = rank; status == dnnl_success && i-- > 0; stride *= (*sizes)[i])
        strides[i] = stride;
    if (status == dnnl_success)
        status = dnnl_memory_desc_create_with_strides(&plain, rank, *sizes, dnnl_f32, strides);
    if (status == dnnl_success)
        status = dnnl_memory_create(&memory, plain, state->engine, data);
    if (status == dnnl_success)
        status = write ? dnnl_reorder_primitive_desc_create(&described, plain, state->engine, desc,
                                                            state->engine, NULL)
                       : dnnl_reorder_primitive_desc_create(&described, desc, state->engine, plain,
                                                            state->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, described);
    dnnl_memory_t own = state->buffers[buffer];
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, write ? memory : own},
                                    {DNNL_ARG_TO, write ? own : memory}};
    if (status == dnnl_success)
        status = dnnl_primitive_execute(reorder, state->stream, 2, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(state->stream);
    if (reorder)
        (void)dnnl_primitive_destroy(reorder);
    if (described)
        (void)dnnl_primitive_desc_destroy(described);
    if (memory)
        (void)dnnl_memory_destroy(memory);
    if (plain)
        (void)dnnl_memory_desc_destroy(plain);
    return beam_onednn_status(status, "weights", err);
}

beam_status beam_onednn_train_read(beam_training *training, uint32_t value, float *data,
                                   beam_error *err)
{
    int before = beam_onednn_enter(1);
    beam_status status = copy_state(training, value, data, false, err);
    beam_onednn_leave(before);
    return status;
}

beam_status beam_onednn_train_write(beam_training *training, uint32_t value, const float *data,
                                    beam_error *err)
{
    int before = beam_onednn_enter(1);
    /* Only read, whatever the type says. */
    beam_status status = copy_state(training, value, (float *)(uintptr_t)data, true, err);
    beam_onednn_leave(before);
    return status;
}

/* ---- opening ---- */

static beam_status prepare(beam_training *training, beam_error *err)
{
    onednn_training *state = training->state;
    BEAM_TRY(beam_onednn_status(dnnl_engine_create(&state->engine, dnnl_cpu, 0), "engine", err));
    BEAM_TRY(beam_onednn_status(
        dnnl_stream_create(&state->stream, state->engine, dnnl_stream_default_flags), "stream",
        err));
    BEAM_TRY(beam_onednn_train_plan(training, state->engine, &state->plan, &state->buffer_of, err));
    return make_block(training, state, err);
}

beam_status beam_onednn_train_open(beam_training *training, const float *const *initial,
                                   beam_error *err)
{
    if (training->precision == BEAM_PRECISION_BF16 && !training->device->native_bf16) {
        BEAM_LOG(training->device->logger, BEAM_LOG_WARNING,
                 "this CPU does not multiply bf16 (%s); training in f32",
                 training->device->description);
        training->precision = BEAM_PRECISION_F32;
    }
    onednn_training *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    training->state = state;
    /* Primitives are made for the number of threads that will run them. */
    int before = beam_onednn_enter(training->num_threads);
    beam_status status = prepare(training, err);
    beam_onednn_leave(before);
    for (size_t i = 0; status == BEAM_OK && i < training->program->num_states; i++)
        status =
            beam_onednn_train_write(training, training->program->states[i].value, initial[i], err);
    if (status != BEAM_OK)
        destroy(state);
    return status;
}

/* ---- a step ---- */

static beam_status run(onednn_training *state, beam_error *err)
{
    const beam_onednn_plan *plan = state->plan;
    for (size_t i = 0; i < plan->num_steps; i++) {
        if (plan->steps[i].kernel)
            plan->steps[i].kernel(&state->calls[i]);
        else
            BEAM_TRY(
                beam_onednn_status(dnnl_primitive_execute(plan->steps[i].primitive, state->stream,
                                                          (int)plan->steps[i].num_args,
                                                          state->args + i * BEAM_ONEDNN_MAX_ARGS),
                                   plan->steps[i].name, err));
    }
    return beam_onednn_status(dnnl_stream_wait(state->stream), "stream", err);
}

static void *value_data(const onednn_training *state, uint32_t value)
{
    return data_of(state, state->buffer_of[value] - 1);
}

beam_status beam_onednn_train_step(beam_training *training, const beam_tensor *inputs,
                                   const int32_t *labels, float learning_rate,
                                   beam_step_result *result, beam_error *err)
{
    onednn_training *state = training->state;
    const beam_nn_training *program = training->program;
    const beam_onednn_plan *plan = state->plan;
    int32_t number = (int32_t)training->steps;
    memcpy(value_data(state, program->labels), labels,
           (size_t)training->options.batch_size * sizeof *labels);
    memcpy(value_data(state, program->learning_rate), &learning_rate, sizeof learning_rate);
    memcpy(value_data(state, program->step), &number, sizeof number);
    for (size_t i = 0; i < plan->num_buffers; i++)
        if (plan->buffers[i].input) /* only read, whatever the type says */
            BEAM_TRY(beam_onednn_status(
                dnnl_memory_set_data_handle(
                    state->buffers[i], (void *)(uintptr_t)inputs[plan->buffers[i].input - 1].data),
                "input", err));
    int before = beam_onednn_enter(training->num_threads);
    beam_status status = run(state, err);
    beam_onednn_leave(before);
    BEAM_TRY(status);
    result->loss = *(const float *)value_data(state, program->loss);
    result->correct = (uint32_t) * (const float *)value_data(state, program->correct);
    if (program->gradient_norm)
        result->gradient_norm = *(const float *)value_data(state, program->gradient_norm);
    return BEAM_OK;
}
