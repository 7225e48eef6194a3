/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference_train.c - training on the reference device: every value of the step has its own array,
 * every operation runs by itself, and when all have run the states take their new values. */
#include <string.h>

#include "base/alloc.h"
#include "device/reference.h"

typedef struct reference_training {
    float **data;        /* one a value, all owned but for the inputs */
    beam_tensor *shapes; /* one a value */
    float *rounded;      /* at bf16: the weights of the operation that runs */
} reference_training;

void beam_reference_train_close(beam_training *training)
{
    reference_training *state = training->state;
    for (size_t v = 0; state->data && v < training->program->network->num_values; v++)
        beam_free(state->data[v]);
    beam_free(state->data);
    beam_free(state->shapes);
    beam_free(state->rounded);
    beam_free(state);
}

static beam_status make_array(beam_training *training, uint32_t value, size_t *largest)
{
    reference_training *state = training->state;
    const beam_network *network = training->program->network;
    state->shapes[value] = beam_nn_shape(network, value, training->options.batch_size);
    size_t bytes = beam_tensor_bytes(&state->shapes[value]);
    beam_value_kind kind = network->values[value].kind;
    bool lasts = kind == BEAM_VALUE_PARAMETER || kind == BEAM_VALUE_STATE;
    state->data[value] = beam_calloc(1, bytes);
    if (!state->data[value])
        return BEAM_RESOURCE_EXHAUSTED;
    beam_device_count_training(training, lasts ? (int64_t)bytes : 0, lasts ? 0 : (int64_t)bytes);
    if (lasts && bytes > *largest)
        *largest = bytes;
    return BEAM_OK;
}

beam_status beam_reference_train_open(beam_training *training, const float *const *initial,
                                      beam_error *err)
{
    const beam_nn_training *program = training->program;
    size_t n = program->network->num_values, largest = 1;
    reference_training *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    training->state = state;
    training->num_threads = 1;
    state->data = beam_calloc(n, sizeof *state->data);
    state->shapes = beam_calloc(n, sizeof *state->shapes);
    beam_status status = state->data && state->shapes ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    for (uint32_t v = 1; status == BEAM_OK && v < n; v++)
        status = make_array(training, v, &largest);
    if (status == BEAM_OK && (state->rounded = beam_malloc(largest)) == NULL)
        status = BEAM_RESOURCE_EXHAUSTED;
    if (status != BEAM_OK) {
        beam_reference_train_close(training);
        return beam_error_set(err, status, "no memory to train a batch of %lld",
                              (long long)training->options.batch_size);
    }
    for (size_t i = 0; i < program->num_states; i++) {
        uint32_t v = program->states[i].value;
        memcpy(state->data[v], initial[i], beam_tensor_bytes(&state->shapes[v]));
    }
    return BEAM_OK;
}

/* Whether the value is bf16 where the precision is: an activation or its gradient. */
static bool is_activation(const beam_nn_training *program, const beam_nn_op *op, uint32_t value)
{
    const beam_nn_value *v = &program->network->values[value];
    return v->rank > 0 && v->shape[0] == BEAM_NN_BATCH && value != program->logits &&
           op->kind != BEAM_OP_SOFTMAX_CROSS_ENTROPY;
}

static size_t numbers(const reference_training *state, uint32_t value)
{
    return beam_tensor_bytes(&state->shapes[value]) / sizeof(float);
}

static beam_status run_bf16(const beam_nn_training *program, reference_training *state,
                            const beam_nn_op *op)
{
    bool multiplies = op->kind == BEAM_OP_CONV2D || op->kind == BEAM_OP_LINEAR ||
                      op->kind == BEAM_OP_CONV2D_GRAD_DATA || op->kind == BEAM_OP_LINEAR_GRAD_DATA;
    uint32_t weight = op->inputs[1];
    float *kept = state->data[weight];
    if (multiplies) {
        memcpy(state->rounded, kept, beam_tensor_bytes(&state->shapes[weight]));
        beam_round_to_bf16(state->rounded, numbers(state, weight));
        state->data[weight] = state->rounded;
    }
    beam_status status = beam_reference_training_op(op, state->data, state->shapes);
    state->data[weight] = kept;
    for (uint32_t i = 0; i < op->num_outputs; i++)
        if (op->outputs[i] && is_activation(program, op, op->outputs[i]))
            beam_round_to_bf16(state->data[op->outputs[i]], numbers(state, op->outputs[i]));
    return status;
}

beam_status beam_reference_train_step(beam_training *training, const beam_tensor *inputs,
                                      const int32_t *labels, float learning_rate,
                                      beam_step_result *result, beam_error *err)
{
    reference_training *state = training->state;
    const beam_nn_training *program = training->program;
    const beam_network *network = program->network;
    bool bf16 = training->precision == BEAM_PRECISION_BF16;
    int32_t step = (int32_t)training->steps;
    for (size_t i = 0; i + 3 < network->num_inputs; i++) {
        uint32_t v = network->inputs[i];
        memcpy(state->data[v], inputs[i].data, beam_tensor_bytes(&state->shapes[v]));
        if (bf16)
            beam_round_to_bf16(state->data[v], numbers(state, v));
    }
    memcpy(state->data[program->labels], labels,
           beam_tensor_bytes(&state->shapes[program->labels]));
    memcpy(state->data[program->step], &step, sizeof step);
    *state->data[program->learning_rate] = learning_rate;
    for (size_t i = 0; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        beam_status status = bf16 ? run_bf16(program, state, op)
                                  : beam_reference_training_op(op, state->data, state->shapes);
        if (status != BEAM_OK)
            return beam_error_set(err, status, "no memory for a training step");
    }
    result->loss = *state->data[program->loss];
    result->correct = (uint32_t)*state->data[program->correct];
    if (program->gradient_norm)
        result->gradient_norm = *state->data[program->gradient_norm];
    for (size_t i = 0; i < program->num_states; i++) {
        const beam_nn_state *s = &program->states[i];
        if (s->next)
            memcpy(state->data[s->value], state->data[s->next],
                   beam_tensor_bytes(&state->shapes[s->value]));
    }
    return BEAM_OK;
}

beam_status beam_reference_train_read(beam_training *training, uint32_t value, float *data,
                                      beam_error *err)
{
    const reference_training *state = training->state;
    (void)err;
    memcpy(data, state->data[value], beam_tensor_bytes(&state->shapes[value]));
    return BEAM_OK;
}

beam_status beam_reference_train_write(beam_training *training, uint32_t value, const float *data,
                                       beam_error *err)
{
    const reference_training *state = training->state;
    (void)err;
    memcpy(state->data[value], data, beam_tensor_bytes(&state->shapes[value]));
    return BEAM_OK;
}
