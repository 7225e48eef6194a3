/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* calibration.c - runs a copy of the network whose outputs are the values to be measured. */
#include <beam/device.h>
#include <math.h>

#include "base/alloc.h"
#include "device/device.h"
#include "nn/int8.h"

struct beam_calibration {
    beam_network *network; /* the copy */
    beam_model *model;
    beam_model_context *context;
    beam_tensor *outputs;
    beam_nn_ranges ranges;
    uint64_t batches;
};

/* ---- which values ---- */

/* Whether a value leaves the network, by itself or after operations that need no device's power. */
static bool leaves(const beam_network *network, uint32_t value)
{
    for (size_t i = 0; i < network->num_outputs; i++)
        if (network->outputs[i] == value)
            return true;
    for (size_t i = 0; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        bool light =
            op->kind == BEAM_OP_SCALE || op->kind == BEAM_OP_SOFTMAX || op->kind == BEAM_OP_RESHAPE;
        if (light && op->inputs[0] == value && leaves(network, op->outputs[0]))
            return true;
    }
    return false;
}

/* The computed values that ranges are of, each once, and the layers to compute in int8; the number
 * of values. */
static size_t find_values(const beam_network *network, uint32_t *values, bool *int8)
{
    size_t count = 0;
    for (size_t i = 0; i < BEAM_NN_MOST_RANGES(network); i++) {
        beam_nn_range range;
        if (!beam_nn_range_at(network, i, &range) ||
            leaves(network, network->ops[range.op].outputs[0]))
            continue;
        bool wanted = network->values[range.value].kind == BEAM_VALUE_COMPUTED;
        if (range.input)
            int8[range.op] = true;
        for (size_t k = 0; wanted && k < count; k++)
            wanted = values[k] != range.value;
        if (wanted)
            values[count++] = range.value;
    }
    return count;
}

/* ---- its life ---- */

void beam_calibration_free(beam_calibration *c)
{
    if (!c)
        return;
    beam_model_context_free(c->context);
    beam_model_free(c->model);
    beam_network_free(c->network);
    beam_free(c->outputs);
    beam_nn_ranges_free(&c->ranges);
    beam_free(c);
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to calibrate a network");
}

static beam_status make_copy(beam_calibration *c, const beam_network *network, beam_error *err)
{
    uint32_t *values = beam_calloc(BEAM_NN_MOST_RANGES(network), sizeof *values);
    size_t count = 0;
    beam_status status = beam_nn_ranges_make(network, &c->ranges, err);
    if (status == BEAM_OK && values)
        count = find_values(network, values, c->ranges.int8);
    if (count > 0)
        c->network = beam_nn_copy_showing(network, values, count);
    c->outputs = beam_calloc(count, sizeof *c->outputs);
    if (!values || !c->outputs || (count > 0 && !c->network))
        status = no_memory(err);
    else if (status == BEAM_OK && count == 0)
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                "network %s has no layers to compute in int8", network->name);
    beam_free(values);
    return status;
}

static beam_status open(beam_calibration *c, beam_device *device, const beam_network *network,
                        int64_t max_batch, beam_error *err)
{
    const beam_compile_options options = {.struct_size = sizeof options, .max_batch = max_batch};
    BEAM_TRY(make_copy(c, network, err));
    BEAM_TRY(beam_device_compile(device, c->network, &options, &c->model, err));
    return beam_model_context_new(c->model, &c->context, err);
}

beam_status beam_calibration_new(beam_device *device, const beam_network *network,
                                 int64_t max_batch, beam_calibration **calibration, beam_error *err)
{
    *calibration = NULL;
    if (!network || !network->finished)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "a network must be finished before it is calibrated");
    beam_calibration *made = beam_calloc(1, sizeof *made);
    if (!made)
        return no_memory(err);
    beam_status status = open(made, device, network, max_batch, err);
    if (status != BEAM_OK) {
        beam_calibration_free(made);
        return status;
    }
    *calibration = made;
    return BEAM_OK;
}

/* ---- measuring ---- */

static beam_status measure(const beam_tensor *tensor, float *range, beam_error *err)
{
    const float *numbers = tensor->data;
    size_t count = beam_tensor_bytes(tensor) / sizeof *numbers;
    float most = 0;
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        float magnitude = fabsf(numbers[i]);
        finite = finite && magnitude <= BEAM_NN_INT8_LARGEST;
        most = magnitude > most ? magnitude : most;
    }
    if (!finite)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the sample makes some layer give what is no finite number, or one "
                              "above %g",
                              (double)BEAM_NN_INT8_LARGEST);
    *range = most > *range ? most : *range;
    return BEAM_OK;
}

beam_status beam_calibration_add(beam_calibration *c, const beam_tensor *inputs, size_t num_inputs,
                                 beam_error *err)
{
    size_t n = c->network->num_outputs;
    BEAM_TRY(beam_model_feed(c->context, inputs, num_inputs, err));
    beam_device_acquire(c->model->device);
    beam_status status = beam_model_execute(c->context, c->outputs, n, err);
    beam_device_release(c->model->device);
    for (size_t i = 0; i < num_inputs && status == BEAM_OK; i++)
        status = measure(&inputs[i], &c->ranges.of[c->network->inputs[i]], err);
    for (size_t i = 0; i < n && status == BEAM_OK; i++)
        status = measure(&c->outputs[i], &c->ranges.of[c->network->outputs[i]], err);
    c->batches += status == BEAM_OK;
    return status;
}

beam_status beam_calibration_finish(const beam_calibration *c, beam_network *network,
                                    beam_error *err)
{
    if (c->batches == 0)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "nothing was added to the calibration of network %s", network->name);
    if (network->num_values != c->network->num_values)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "network %s is not the one that was calibrated", network->name);
    beam_nn_give_ranges(network, &c->ranges);
    return BEAM_OK;
}
