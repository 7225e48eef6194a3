/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* network.c - a network as it grows: values, operations, parameters, and the first error. */
#include "nn/network.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Bounds one value (without the batch) so that no later product of sizes needs a check: 2^36
 * numbers are beyond what one device holds. */
static const int64_t MAX_VALUES = INT64_C(1) << 36;

const char *beam_op_name(beam_op_kind kind)
{
    static const char *const names[BEAM_OP_KINDS] = {
        [BEAM_OP_CONV2D] = "conv2d",
        [BEAM_OP_BATCH_NORM] = "batch_norm",
        [BEAM_OP_RELU] = "relu",
        [BEAM_OP_GELU] = "gelu",
        [BEAM_OP_ADD] = "add",
        [BEAM_OP_MAX_POOL2D] = "max_pool2d",
        [BEAM_OP_AVG_POOL2D] = "avg_pool2d",
        [BEAM_OP_GLOBAL_AVG_POOL] = "global_avg_pool",
        [BEAM_OP_RESHAPE] = "reshape",
        [BEAM_OP_LINEAR] = "linear",
        [BEAM_OP_SOFTMAX] = "softmax",
        [BEAM_OP_DROPOUT] = "dropout",
        [BEAM_OP_SCALE] = "scale",
        [BEAM_OP_BATCH_NORM_TRAINING] = "batch_norm_training",
        [BEAM_OP_DROPOUT_TRAINING] = "dropout_training",
        [BEAM_OP_SOFTMAX_CROSS_ENTROPY] = "softmax_cross_entropy",
        [BEAM_OP_CONV2D_GRAD_DATA] = "conv2d_grad_data",
        [BEAM_OP_CONV2D_GRAD_WEIGHTS] = "conv2d_grad_weights",
        [BEAM_OP_LINEAR_GRAD_DATA] = "linear_grad_data",
        [BEAM_OP_LINEAR_GRAD_WEIGHTS] = "linear_grad_weights",
        [BEAM_OP_BATCH_NORM_GRAD] = "batch_norm_grad",
        [BEAM_OP_RELU_GRAD] = "relu_grad",
        [BEAM_OP_GELU_GRAD] = "gelu_grad",
        [BEAM_OP_MAX_POOL2D_GRAD] = "max_pool2d_grad",
        [BEAM_OP_AVG_POOL2D_GRAD] = "avg_pool2d_grad",
        [BEAM_OP_GLOBAL_AVG_POOL_GRAD] = "global_avg_pool_grad",
        [BEAM_OP_SQUARED_SUM] = "squared_sum",
        [BEAM_OP_CLIP_FACTOR] = "clip_factor",
        [BEAM_OP_SGD] = "sgd",
        [BEAM_OP_ADAM] = "adam",
        [BEAM_OP_MUON] = "muon",
    };
    return (unsigned)kind < BEAM_OP_KINDS ? names[kind] : "unknown";
}

beam_network *beam_network_new(const char *name)
{
    beam_network *network = beam_calloc(1, sizeof *network);
    if (!network)
        return NULL;
    network->name = beam_arena_strdup(&network->arena, name && *name ? name : "network");
    if (!network->name ||
        beam_grow((void **)&network->values, &network->cap_values, 1, sizeof *network->values)) {
        beam_network_free(network);
        return NULL;
    }
    memset(&network->values[0], 0, sizeof network->values[0]);
    network->num_values = 1;
    return network;
}

void beam_network_free(beam_network *network)
{
    if (!network)
        return;
    for (size_t i = 0; i < network->num_parameters; i++)
        beam_free(network->parameters[i].owned);
    beam_free(network->values);
    beam_free(network->ops);
    beam_free(network->parameters);
    beam_free(network->inputs);
    beam_free(network->outputs);
    beam_arena_free(&network->arena);
    beam_free(network);
}

beam_value beam_nn_fail(beam_network *network, const char *layer, beam_status code,
                        const char *format, ...)
{
    if (network->error.code == BEAM_OK) {
        char words[BEAM_ERROR_MESSAGE_SIZE];
        va_list args;
        va_start(args, format);
        if (vsnprintf(words, sizeof words, format, args) < 0)
            words[0] = '\0';
        va_end(args);
        (void)beam_error_set(&network->error, code, "network %s, layer %s: %s", network->name,
                             layer, words);
    }
    return (beam_value){0};
}

bool beam_nn_building(beam_network *network)
{
    if (!network || network->error.code != BEAM_OK)
        return false;
    if (network->finished) {
        (void)beam_error_set(&network->error, BEAM_FAILED_PRECONDITION,
                             "network %s is finished: no layer can be added", network->name);
        return false;
    }
    return true;
}

const beam_nn_value *beam_nn_operand(beam_network *network, beam_value value, const char *layer)
{
    if (value.id == 0 || value.id >= network->num_values) {
        (void)beam_nn_fail(network, layer, BEAM_INVALID_ARGUMENT,
                           "its operand is no value of this network");
        return NULL;
    }
    return &network->values[value.id];
}

beam_value beam_nn_add_value(beam_network *network, const char *layer, const beam_nn_value *value)
{
    int64_t total = 1;
    for (uint32_t i = value->kind == BEAM_VALUE_PARAMETER ? 0 : 1; i < value->rank; i++) {
        int64_t size = value->shape[i];
        if (size < 1)
            return beam_nn_fail(network, layer, BEAM_INVALID_ARGUMENT,
                                "a dimension would be %lld; sizes must be at least 1",
                                (long long)size);
        if (size > MAX_VALUES / total)
            return beam_nn_fail(network, layer, BEAM_INVALID_ARGUMENT,
                                "a value of more than %lld numbers", (long long)MAX_VALUES);
        total *= size;
    }
    if (beam_grow((void **)&network->values, &network->cap_values, network->num_values + 1,
                  sizeof *network->values))
        return beam_nn_fail(network, layer, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    network->values[network->num_values] = *value;
    return (beam_value){(uint32_t)network->num_values++};
}

beam_value beam_nn_add_input(beam_network *network, const char *name, const beam_nn_value *like)
{
    beam_nn_value value = *like;
    value.kind = BEAM_VALUE_INPUT;
    value.index = (uint32_t)network->num_inputs;
    if (beam_grow((void **)&network->inputs, &network->cap_inputs, network->num_inputs + 1,
                  sizeof *network->inputs))
        return beam_nn_fail(network, name, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    beam_value made = beam_nn_add_value(network, name, &value);
    if (made.id != 0)
        network->inputs[network->num_inputs++] = made.id;
    return made;
}

beam_value beam_nn_input(beam_network *network, const char *name, uint32_t rank,
                         const int64_t *shape)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    if (!name)
        name = "input";
    if (rank + 1 > BEAM_TENSOR_MAX_RANK || (rank > 0 && !shape))
        return beam_nn_fail(network, name, BEAM_INVALID_ARGUMENT,
                            "an input has a shape of at most %d dimensions",
                            BEAM_TENSOR_MAX_RANK - 1);
    beam_nn_value value = {.rank = rank + 1, .shape = {BEAM_NN_BATCH}, .dtype = BEAM_F32};
    for (uint32_t i = 0; i < rank; i++)
        value.shape[i + 1] = shape[i];
    return beam_nn_add_input(network, name, &value);
}

/* There is room for it. */
static beam_value append_parameter(beam_network *network, const char *layer,
                                   const beam_nn_parameter *parameter)
{
    beam_nn_value value = {.kind = BEAM_VALUE_PARAMETER,
                           .index = (uint32_t)network->num_parameters,
                           .rank = parameter->tensor.rank,
                           .dtype = BEAM_F32};
    memcpy(value.shape, parameter->tensor.shape, sizeof value.shape);
    beam_value made = beam_nn_add_value(network, layer, &value);
    if (made.id != 0) {
        network->parameters[network->num_parameters] = *parameter;
        network->parameters[network->num_parameters++].value = made.id;
    }
    return made;
}

beam_value beam_nn_add_parameter(beam_network *network, const char *layer, const char *part,
                                 uint32_t rank, const int64_t *shape, beam_nn_init init,
                                 double init_scale)
{
    beam_nn_parameter parameter = {.init = init, .init_scale = init_scale};
    parameter.trainable = strncmp(part, "running_", 8) != 0;
    parameter.tensor = (beam_tensor){.dtype = BEAM_F32, .rank = rank};
    for (uint32_t i = 0; i < rank; i++)
        parameter.tensor.shape[i] = shape[i];
    parameter.name = beam_arena_printf(&network->arena, "%s.%s", layer, part);
    if (!parameter.name || beam_grow((void **)&network->parameters, &network->cap_parameters,
                                     network->num_parameters + 1, sizeof parameter))
        return beam_nn_fail(network, layer, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < network->num_parameters; i++)
        if (strcmp(network->parameters[i].name, parameter.name) == 0)
            return beam_nn_fail(network, layer, BEAM_ALREADY_EXISTS,
                                "another layer has this name; names must differ");

    return append_parameter(network, layer, &parameter);
}

beam_value beam_nn_copy_parameter(beam_network *network, const beam_nn_parameter *parameter)
{
    beam_nn_parameter copy = *parameter;
    copy.owned = NULL;
    copy.tensor.data = NULL;
    copy.name = beam_arena_strdup(&network->arena, parameter->name);
    if (!copy.name || beam_grow((void **)&network->parameters, &network->cap_parameters,
                                network->num_parameters + 1, sizeof copy))
        return beam_nn_fail(network, parameter->name, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    return append_parameter(network, parameter->name, &copy);
}

void beam_nn_freeze(beam_network *network, const char *name)
{
    for (size_t i = 0; network && i < network->num_parameters; i++)
        if (strcmp(network->parameters[i].name, name) == 0)
            network->parameters[i].trainable = false;
}

void beam_nn_start_as_identity(beam_network *network)
{
    if (network && network->num_parameters > 0)
        network->parameters[network->num_parameters - 1].init = BEAM_NN_INIT_IDENTITY;
}

bool beam_nn_append_op(beam_network *network, beam_nn_op *op, const beam_nn_value *results)
{
    if (network->error.code != BEAM_OK)
        return false;
    const char *name = beam_arena_strdup(&network->arena, op->name);
    if (!name ||
        beam_grow((void **)&network->ops, &network->cap_ops, network->num_ops + 1, sizeof *op)) {
        (void)beam_nn_fail(network, op->name, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    for (uint32_t i = 0; i < op->num_outputs; i++) {
        op->outputs[i] = 0;
        if (results[i].dtype == BEAM_DTYPE_INVALID)
            continue;
        beam_nn_value value = results[i];
        value.kind = BEAM_VALUE_COMPUTED;
        value.index = (uint32_t)network->num_ops;
        op->outputs[i] = beam_nn_add_value(network, op->name, &value).id;
        if (op->outputs[i] == 0)
            return false;
    }
    op->name = name;
    network->ops[network->num_ops++] = *op;
    return true;
}

beam_value beam_nn_add_op(beam_network *network, const beam_nn_op *op, uint32_t rank,
                          const int64_t *shape)
{
    beam_nn_value value = {.rank = rank, .dtype = BEAM_F32};
    for (uint32_t i = 0; i < rank; i++)
        value.shape[i] = shape[i];
    beam_nn_op added = *op;
    added.num_outputs = 1;
    if (!beam_nn_append_op(network, &added, &value))
        return (beam_value){0};
    return (beam_value){added.outputs[0]};
}

beam_status beam_network_finish(beam_network *network, const beam_value *outputs,
                                size_t num_outputs, beam_error *err)
{
    if (!network)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a network");
    if (beam_nn_building(network)) {
        if (num_outputs == 0 || network->num_inputs == 0)
            (void)beam_error_set(&network->error, BEAM_INVALID_ARGUMENT,
                                 "network %s needs an input and an output", network->name);
        network->outputs = beam_calloc(num_outputs, sizeof *network->outputs);
        if (!network->outputs)
            (void)beam_nn_fail(network, "output", BEAM_RESOURCE_EXHAUSTED, "out of memory");
        for (size_t i = 0; network->error.code == BEAM_OK && i < num_outputs; i++) {
            const beam_nn_value *value = beam_nn_operand(network, outputs[i], "output");
            if (value && value->kind != BEAM_VALUE_COMPUTED)
                (void)beam_nn_fail(network, "output", BEAM_INVALID_ARGUMENT,
                                   "an output must be computed by a layer");
            network->outputs[i] = outputs[i].id;
        }
        if (network->error.code == BEAM_OK) {
            network->num_outputs = num_outputs;
            network->finished = true;
        }
    }
    if (network->error.code != BEAM_OK)
        return beam_error_set(err, network->error.code, "%s", network->error.message);
    return BEAM_OK;
}

/* Copies `count` items of `size` bytes into fresh memory. */
static bool copy_items(void *to, const void *from, size_t count, size_t size)
{
    void *items = beam_malloc(count * size);
    if (items && count)
        memcpy(items, from, count * size);
    memcpy(to, &items, sizeof items);
    return items != NULL;
}

beam_network *beam_nn_copy(const beam_network *network)
{
    beam_network *copy = beam_calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->finished = true;
    copy->name = beam_arena_strdup(&copy->arena, network->name);
    bool ok =
        copy->name &&
        copy_items(&copy->values, network->values, network->num_values, sizeof *copy->values) &&
        copy_items(&copy->ops, network->ops, network->num_ops, sizeof *copy->ops) &&
        copy_items(&copy->inputs, network->inputs, network->num_inputs, sizeof *copy->inputs) &&
        copy_items(&copy->outputs, network->outputs, network->num_outputs, sizeof *copy->outputs) &&
        copy_items(&copy->parameters, network->parameters, network->num_parameters,
                   sizeof *copy->parameters);
    for (size_t i = 0; ok && i < network->num_ops; i++)
        ok = (copy->ops[i].name = beam_arena_strdup(&copy->arena, network->ops[i].name)) != NULL;
    for (size_t i = 0; ok && i < network->num_parameters; i++) {
        beam_nn_parameter *p = &copy->parameters[i];
        p->owned = NULL;
        p->tensor.data = NULL;
        ok = (p->name = beam_arena_strdup(&copy->arena, p->name)) != NULL;
    }
    if (!ok) {
        beam_network_free(copy); /* its counts are still 0, so nothing borrowed is freed */
        return NULL;
    }
    copy->num_values = network->num_values;
    copy->num_ops = network->num_ops;
    copy->num_inputs = network->num_inputs;
    copy->num_outputs = network->num_outputs;
    copy->num_parameters = network->num_parameters;
    return copy;
}

beam_network *beam_nn_copy_showing(const beam_network *network, const uint32_t *values,
                                   size_t count)
{
    beam_network *copy = beam_nn_copy(network);
    uint32_t *outputs = NULL;
    if (!copy || !copy_items(&outputs, values, count, sizeof *values)) {
        beam_network_free(copy);
        return NULL;
    }
    beam_free(copy->outputs);
    copy->outputs = outputs;
    copy->num_outputs = count;
    for (size_t i = 0; i < copy->num_parameters; i++)
        copy->parameters[i].tensor.data = network->parameters[i].tensor.data;
    return copy;
}

const char *beam_network_name(const beam_network *network)
{
    return network->name;
}

size_t beam_network_num_inputs(const beam_network *network)
{
    return network->num_inputs;
}

size_t beam_network_num_outputs(const beam_network *network)
{
    return network->num_outputs;
}

beam_tensor beam_nn_shape(const beam_network *network, uint32_t value, int64_t batch)
{
    const beam_nn_value *v = &network->values[value];
    beam_tensor tensor = {.dtype = v->dtype, .rank = v->rank};
    for (uint32_t i = 0; i < v->rank; i++)
        tensor.shape[i] = v->shape[i] == BEAM_NN_BATCH ? batch : v->shape[i];
    return tensor;
}

beam_tensor beam_network_input(const beam_network *network, size_t index, int64_t batch)
{
    if (index >= network->num_inputs)
        return (beam_tensor){0};
    return beam_nn_shape(network, network->inputs[index], batch);
}

beam_tensor beam_network_output(const beam_network *network, size_t index, int64_t batch)
{
    if (index >= network->num_outputs)
        return (beam_tensor){0};
    return beam_nn_shape(network, network->outputs[index], batch);
}

size_t beam_network_num_parameters(const beam_network *network)
{
    return network->num_parameters;
}

beam_status beam_network_parameter(const beam_network *network, size_t index,
                                   beam_parameter *parameter)
{
    if (index >= network->num_parameters)
        return BEAM_OUT_OF_RANGE;
    const beam_nn_parameter *p = &network->parameters[index];
    *parameter = (beam_parameter){p->name, p->tensor, p->trainable};
    return BEAM_OK;
}
