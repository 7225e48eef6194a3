/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference.c - the device that is slow and obvious: every value has its own array, every
 * operation runs by itself in the order of the network.  bf16 is f32 whose weights, inputs and
 * results are rounded; int8 is arithmetic of its own (int8.h), in steps as devices fuse them. */
#include "device/reference.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "device/device.h"

/* The weights of a model; one array a parameter. */
typedef struct reference_model {
    float **weights;
    beam_fused_op *steps; /* of int8; else NULL */
    size_t num_steps;
    beam_int8_model int8;
} reference_model;

typedef struct reference_context {
    float **data;        /* one a value; parameters' belong to the model, inputs' too to others */
    float **owned;       /* what to free */
    beam_tensor *shapes; /* one a value */
    int8_t *q;           /* of an operand in int8: room for any */
    int64_t batch;       /* what the arrays are for */
    int64_t bytes;
} reference_context;

void beam_round_to_bf16(float *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data[i] = beam_bf16_to_f32(beam_f32_to_bf16(data[i]));
}

static beam_status reference_open(beam_device *device, beam_error *err)
{
    (void)err;
    (void)snprintf(device->description, sizeof device->description,
                   "plain C reference, one thread a context");
    return BEAM_OK;
}

static void reference_close(beam_device *device)
{
    (void)device;
}

static void reference_discard(beam_model *model)
{
    reference_model *state = model->state;
    for (size_t i = 0; i < model->network->num_parameters; i++)
        beam_free(state->weights[i]);
    beam_free(state->weights);
    beam_free(state->steps);
    beam_int8_free(&state->int8);
    beam_free(state);
}

static beam_status prepare_int8(beam_model *model, const beam_nn_parameter *parameters,
                                beam_error *err)
{
    reference_model *state = model->state;
    BEAM_TRY(beam_fuse(model->network, &state->steps, &state->num_steps, err));
    BEAM_TRY(beam_int8_make(model->network, parameters, state->steps, state->num_steps,
                            &state->int8, err));
    beam_device_count_weights(model, beam_int8_bytes(&state->int8));
    return BEAM_OK;
}

static beam_status reference_compile(beam_model *model, const beam_nn_parameter *parameters,
                                     const beam_compile_options *options, beam_error *err)
{
    (void)options; /* any batch runs without preparation */
    size_t n = model->network->num_parameters;
    reference_model *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    state->weights = beam_calloc(n, sizeof *state->weights);
    if (!state->weights) {
        beam_free(state);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    }
    model->state = state;
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = beam_tensor_bytes(&parameters[i].tensor);
        state->weights[i] = beam_malloc(bytes);
        if (!state->weights[i]) {
            reference_discard(model);
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for weights");
        }
        memcpy(state->weights[i], parameters[i].tensor.data, bytes);
        /* Batch norm's vectors stay f32, as devices keep them. */
        if (model->precision == BEAM_PRECISION_BF16 && parameters[i].tensor.rank > 1)
            beam_round_to_bf16(state->weights[i], bytes / sizeof(float));
        total += (int64_t)bytes;
    }
    beam_device_count_weights(model, total);
    beam_status status = BEAM_OK;
    if (model->precision == BEAM_PRECISION_INT8)
        status = prepare_int8(model, parameters, err);
    if (status != BEAM_OK)
        reference_discard(model);
    return status;
}

static void drop_arrays(beam_model_context *context)
{
    reference_context *state = context->state;
    for (size_t v = 0; v < context->model->network->num_values; v++) {
        beam_free(state->owned[v]);
        state->owned[v] = NULL;
    }
    beam_free(state->q);
    state->q = NULL;
    beam_device_count_working(context->model->device, -state->bytes);
    state->bytes = 0;
    state->batch = 0;
}

static void reference_context_close(beam_model_context *context)
{
    reference_context *state = context->state;
    if (state->owned)
        drop_arrays(context);
    beam_free(state->owned);
    beam_free(state->data);
    beam_free(state->shapes);
    beam_free(state);
}

static beam_status reference_context_open(beam_model_context *context, beam_error *err)
{
    size_t n = context->model->network->num_values;
    reference_context *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a context");
    context->state = state;
    state->data = beam_calloc(n, sizeof *state->data);
    state->owned = beam_calloc(n, sizeof *state->owned);
    state->shapes = beam_calloc(n, sizeof *state->shapes);
    if (!state->data || !state->owned || !state->shapes) {
        reference_context_close(context);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a context");
    }
    return BEAM_OK;
}

static beam_status no_arrays(beam_model_context *context, beam_error *err)
{
    drop_arrays(context);
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                          "no memory for a batch of %lld on the reference device",
                          (long long)context->batch);
}

/* One array for each value that is not a parameter. */
static beam_status make_arrays(beam_model_context *context, beam_error *err)
{
    reference_context *state = context->state;
    const beam_model *model = context->model;
    const beam_network *network = model->network;
    const reference_model *weights = model->state;
    size_t most = 0;
    drop_arrays(context);
    for (uint32_t v = 1; v < network->num_values; v++) {
        const beam_nn_value *value = &network->values[v];
        state->shapes[v] = beam_nn_shape(network, v, context->batch);
        if (value->kind == BEAM_VALUE_PARAMETER) {
            state->data[v] = weights->weights[value->index];
            continue;
        }
        size_t bytes = beam_tensor_bytes(&state->shapes[v]);
        most = bytes > most ? bytes : most;
        state->owned[v] = beam_malloc(bytes);
        if (!state->owned[v])
            return no_arrays(context, err);
        state->data[v] = state->owned[v];
        state->bytes += (int64_t)bytes;
        beam_device_count_working(model->device, (int64_t)bytes);
    }
    if (weights->steps && !(state->q = beam_malloc(most / sizeof(float))))
        return no_arrays(context, err);
    state->batch = context->batch;
    return BEAM_OK;
}

static void run_op(const beam_model_context *context, const beam_nn_op *op)
{
    const reference_context *state = context->state;
    const beam_network *network = context->model->network;
    bool output = false;
    beam_reference_op(op, state->data, state->shapes);
    for (size_t k = 0; k < network->num_outputs; k++)
        output = output || network->outputs[k] == op->outputs[0];
    if (context->model->precision == BEAM_PRECISION_BF16 && !output)
        beam_round_to_bf16(state->data[op->outputs[0]],
                           beam_tensor_bytes(&state->shapes[op->outputs[0]]) / sizeof(float));
}

static void run_step(const beam_model_context *context, size_t index)
{
    const reference_context *state = context->state;
    const reference_model *model = context->model->state;
    const beam_fused_op *step = &model->steps[index];
    const beam_nn_op *ops[] = {step->op, step->norm, step->add, step->activation};
    if (model->int8.products[index].weights) {
        beam_reference_int8(&model->int8, step, index, state->data, state->shapes, state->q);
        return;
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i])
            run_op(context, ops[i]);
}

static beam_status reference_execute(beam_model_context *context, beam_tensor *outputs,
                                     beam_error *err)
{
    reference_context *state = context->state;
    const reference_model *model = context->model->state;
    const beam_network *network = context->model->network;
    if (state->batch != context->batch)
        BEAM_TRY(make_arrays(context, err));
    for (size_t i = 0; i < network->num_inputs; i++) {
        uint32_t v = network->inputs[i];
        size_t bytes = beam_tensor_bytes(&state->shapes[v]);
        memcpy(state->data[v], context->inputs[i].data, bytes);
        if (context->model->precision == BEAM_PRECISION_BF16)
            beam_round_to_bf16(state->data[v], bytes / sizeof(float));
    }
    for (size_t i = 0; model->steps && i < model->num_steps; i++)
        run_step(context, i);
    for (size_t i = 0; !model->steps && i < network->num_ops; i++)
        run_op(context, &network->ops[i]);
    for (size_t i = 0; i < network->num_outputs; i++)
        outputs[i].data = state->data[network->outputs[i]];
    return BEAM_OK;
}

const beam_device_driver beam_reference_driver = {
    .kind = "reference",
    .int8 = true,
    .open = reference_open,
    .close = reference_close,
    .compile = reference_compile,
    .discard = reference_discard,
    .context_open = reference_context_open,
    .context_close = reference_context_close,
    .execute = reference_execute,
    .train_open = beam_reference_train_open,
    .train_close = beam_reference_train_close,
    .train_step = beam_reference_train_step,
    .train_read = beam_reference_train_read,
    .train_write = beam_reference_train_write,
};
