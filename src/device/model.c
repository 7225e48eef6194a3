/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* model.c - compiled models and contexts: what is the same for every kind of device. */
#include <string.h>

#include "base/alloc.h"
#include "device/foreign.h"

/* Above any batch that makes sense, and small enough that no size in bytes overflows. */
static const int64_t MAX_BATCH = 1 << 20;

static const char *const precisions[] = {[BEAM_PRECISION_F32] = "f32",
                                         [BEAM_PRECISION_BF16] = "bf16",
                                         [BEAM_PRECISION_F16] = "f16",
                                         [BEAM_PRECISION_INT8] = "int8"};
enum { NUM_PRECISIONS = sizeof precisions / sizeof *precisions };

const char *beam_precision_name(beam_precision precision)
{
    return precisions[precision];
}

beam_status beam_precision_parse(const char *text, beam_precision *precision, beam_error *err)
{
    for (int i = 0; i < NUM_PRECISIONS; i++) {
        if (strcmp(text, precisions[i]) == 0) {
            *precision = (beam_precision)i;
            return BEAM_OK;
        }
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "there is no precision \"%s\"; known are f32, bf16, f16 and int8", text);
}

beam_status beam_precision_for(const beam_device *device, const char *network,
                               beam_precision *precision, beam_error *err)
{
    if ((unsigned)*precision >= NUM_PRECISIONS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "unknown precision %d", (int)*precision);
    if (*precision == BEAM_PRECISION_INT8 && !device->driver->int8)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "network %s: device %s does not compute in int8; in f32, bf16 or f16 "
                              "it runs weights of eight bits too",
                              network, device->kind);
    if (*precision != BEAM_PRECISION_F16 || device->native_f16)
        return BEAM_OK;
    BEAM_LOG(device->logger, BEAM_LOG_WARNING,
             "network %s: device %s does not compute in f16; f32 is used", network, device->kind);
    *precision = BEAM_PRECISION_F32;
    return BEAM_OK;
}

static beam_status check_options(const beam_compile_options *o, beam_error *err)
{
    if (o->max_batch < 1 || o->max_batch > MAX_BATCH)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "max_batch is %lld, not from 1 to %lld",
                              (long long)o->max_batch, (long long)MAX_BATCH);
    for (size_t i = 0; i < o->num_batch_sizes; i++) {
        int64_t low = i ? o->batch_sizes[i - 1] + 1 : 1;
        if (o->batch_sizes[i] < low || o->batch_sizes[i] > o->max_batch)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "batch size %lld: sizes must ascend, from 1 to max_batch = %lld",
                                  (long long)o->batch_sizes[i], (long long)o->max_batch);
    }
    return BEAM_OK;
}

static beam_status check_network(const beam_network *network, beam_error *err)
{
    if (!network || !network->finished)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "a network must be finished before it is compiled");
    for (size_t i = 0; i < network->num_parameters; i++)
        if (!network->parameters[i].tensor.data)
            return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                  "network %s: parameter %s has no weights yet", network->name,
                                  network->parameters[i].name);
    return BEAM_OK;
}

beam_status beam_device_compile(beam_device *device, const beam_network *network,
                                const beam_compile_options *options, beam_model **model,
                                beam_error *err)
{
    *model = NULL;
    beam_compile_options o = {0};
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    if (o.max_batch == 0)
        o.max_batch = 1;
    if (o.num_batch_sizes == 0) {
        o.batch_sizes = &o.max_batch;
        o.num_batch_sizes = 1;
    }
    BEAM_TRY(check_options(&o, err));
    BEAM_TRY(check_network(network, err));
    BEAM_TRY(beam_precision_for(device, network->name, &o.precision, err));
    beam_model *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    made->network = beam_nn_copy(network);
    if (!made->network) {
        beam_free(made);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    }
    made->device = device;
    made->driver = device->driver;
    made->precision = o.precision;
    made->max_batch = o.max_batch;
    atomic_init(&made->references, 1);
    beam_device_retain(device);
    beam_status status = made->driver->compile(made, network->parameters, &o, err);
    if (status != BEAM_OK) {
        beam_device_count_weights(made, -atomic_load(&made->weight_bytes));
        beam_network_free(made->network);
        beam_free(made);
        beam_device_close(device);
        return beam_error_wrap(err, status, "network %s on device %s", network->name, device->kind);
    }
    *model = made;
    return BEAM_OK;
}

void beam_model_free(beam_model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) != 1)
        return;
    beam_device *device = model->device;
    model->driver->discard(model);
    beam_device_count_weights(model, -atomic_load(&model->weight_bytes));
    beam_network_free(model->network);
    beam_free(model);
    beam_device_close(device);
}

void beam_model_get_info(const beam_model *model, beam_model_info *info)
{
    *info = (beam_model_info){
        .device = model->device,
        .precision = model->precision,
        .max_batch = model->max_batch,
        .num_inputs = model->network->num_inputs,
        .num_outputs = model->network->num_outputs,
        .weight_bytes = (uint64_t)atomic_load(&model->weight_bytes),
        .num_programs = atomic_load(&model->programs),
        .any_batch = model->driver == &beam_remote_driver,
    };
}

beam_tensor beam_model_input(const beam_model *model, size_t index, int64_t batch)
{
    return beam_network_input(model->network, index, batch);
}

beam_tensor beam_model_output(const beam_model *model, size_t index, int64_t batch)
{
    return beam_network_output(model->network, index, batch);
}

beam_status beam_model_context_new(beam_model *model, beam_model_context **context, beam_error *err)
{
    *context = NULL;
    beam_model_context *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    made->model = model;
    made->inputs = beam_calloc(model->network->num_inputs, sizeof *made->inputs);
    beam_status status = BEAM_OK;
    if (!made->inputs)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    if (status == BEAM_OK)
        status = model->driver->context_open(made, err);
    if (status != BEAM_OK) {
        beam_free(made->inputs);
        beam_free(made);
        return status;
    }
    atomic_fetch_add(&model->references, 1);
    *context = made;
    return BEAM_OK;
}

void beam_model_context_free(beam_model_context *context)
{
    if (!context)
        return;
    beam_model *model = context->model;
    model->driver->context_close(context);
    beam_free(context->inputs);
    beam_free(context);
    beam_model_free(model);
}

void beam_model_context_effort(const beam_model_context *context, beam_remote_effort *effort)
{
    *effort = (beam_remote_effort){0};
    if (context->model->driver->effort)
        context->model->driver->effort(context, effort);
}

void beam_model_context_stop(beam_model_context *context, const int *stop)
{
    context->stop = stop;
}

static beam_status check_inputs(const beam_model *model, const beam_tensor *inputs,
                                size_t num_inputs, beam_error *err)
{
    const beam_network *network = model->network;
    if (num_inputs != network->num_inputs)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "network %s has %zu inputs; %zu given",
                              network->name, network->num_inputs, num_inputs);
    int64_t batch = inputs[0].rank > 0 ? inputs[0].shape[0] : 0;
    if (batch < 1 || batch > model->max_batch)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "network %s: a batch of %lld; it was compiled for 1 to %lld",
                              network->name, (long long)batch, (long long)model->max_batch);
    for (size_t i = 0; i < num_inputs; i++) {
        beam_tensor wanted = beam_network_input(network, i, batch);
        if (!beam_tensor_same_shape(&wanted, &inputs[i]))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "network %s: input %zu is not f32 of the network's shape and the "
                                  "first input's batch %lld",
                                  network->name, i, (long long)batch);
        if (!inputs[i].data || (uintptr_t)inputs[i].data % sizeof(float) != 0)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "network %s: the data of input %zu is missing or not aligned",
                                  network->name, i);
    }
    return BEAM_OK;
}

beam_status beam_model_feed(beam_model_context *context, const beam_tensor *inputs,
                            size_t num_inputs, beam_error *err)
{
    context->batch = 0;
    BEAM_TRY(check_inputs(context->model, inputs, num_inputs, err));
    memcpy(context->inputs, inputs, num_inputs * sizeof *inputs);
    const beam_device_driver *driver = context->model->driver;
    if (driver->feed)
        BEAM_TRY(driver->feed(context, err));
    context->batch = inputs[0].shape[0];
    return BEAM_OK;
}

beam_status beam_model_execute(beam_model_context *context, beam_tensor *outputs,
                               size_t num_outputs, beam_error *err)
{
    const beam_network *network = context->model->network;
    if (num_outputs != network->num_outputs)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "network %s has %zu outputs; %zu asked",
                              network->name, network->num_outputs, num_outputs);
    if (context->batch == 0)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "network %s: execute without inputs fed before", network->name);
    for (size_t i = 0; i < num_outputs; i++)
        outputs[i] = beam_network_output(network, i, context->batch);
    beam_status status = context->model->driver->execute(context, outputs, err);
    context->batch = 0;
    return status;
}

beam_status beam_model_run(beam_model_context *context, const beam_tensor *inputs,
                           size_t num_inputs, beam_tensor *outputs, size_t num_outputs,
                           beam_error *err)
{
    BEAM_TRY(beam_model_feed(context, inputs, num_inputs, err));
    return beam_model_execute(context, outputs, num_outputs, err);
}
