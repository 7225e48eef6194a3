/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* openvino.c - ONNX models on the CPU, read and run by OpenVINO, with a stream of one thread for
 * each slot of the device.  A model of any batch size is compiled for that and once more for full
 * batches: shapes that are known save a fifth of the time. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "device/foreign.h"
#include "device/openvino_library.h"
#include "nn/network.h"

typedef struct openvino_model {
    ov_core_t *core;
    ov_compiled_model_t *compiled;
    ov_compiled_model_t *full; /* for max_batch; NULL: there is no other */
    int64_t fixed_batch;       /* 0: any */
} openvino_model;

typedef struct openvino_context {
    ov_infer_request_t *any, *full; /* of each compiled model */
    ov_infer_request_t *request;    /* the one for what was fed */
    ov_tensor_t **results;          /* of the last run: outputs point into them */
    float **padded;                 /* one an input, where the batch is fixed */
} openvino_context;

/* What a call came to, with OpenVINO's words. */
static beam_status checked(ov_status_t status, const char *what, beam_error *err)
{
    if (status == 0)
        return BEAM_OK;
    const char *words = OV(ov_get_last_err_msg)();
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: OpenVINO says: %s (%d)", what,
                          words ? words : "nothing", status);
}

/* ---- loading ---- */

static beam_status take_shape(const ov_partial_shape_t *shape, const char *what, size_t index,
                              beam_foreign_port *port, int64_t *batch, beam_error *err)
{
    int64_t rank = shape->rank.min;
    if (shape->rank.min != shape->rank.max || rank < 1 || rank > BEAM_TENSOR_MAX_RANK)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s %zu has no rank from 1 to %d, of which the first is the batch",
                              what, index, BEAM_TENSOR_MAX_RANK);
    port->rank = (uint32_t)rank;
    for (int64_t i = 0; i < rank; i++) {
        const ov_dimension_t *dim = &shape->dims[i];
        bool fixed = dim->min == dim->max && dim->min >= 1;
        if (i > 0 && !fixed)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "dimension %lld of %s %zu is not fixed; only the batch, the "
                                  "first, may vary",
                                  (long long)i, what, index);
        port->shape[i] = i ? dim->min : BEAM_NN_BATCH;
        if (i == 0 && fixed && *batch != 0 && *batch != dim->min)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "the first dimension of %s %zu is %lld and another's %lld: it "
                                  "must be the batch's size everywhere",
                                  what, index, (long long)dim->min, (long long)*batch);
        if (i == 0 && fixed)
            *batch = dim->min;
    }
    return BEAM_OK;
}

static beam_status read_port(ov_output_const_port_t *at, const char *what, size_t index,
                             beam_foreign_port *port, int64_t *batch, beam_error *err)
{
    int type = 0;
    ov_partial_shape_t shape = {0};
    BEAM_TRY(checked(OV(ov_port_get_element_type)(at, &type), what, err));
    if (type != OV_F32)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s %zu is not f32: export it so", what,
                              index);
    BEAM_TRY(checked(OV(ov_port_get_partial_shape)(at, &shape), what, err));
    beam_status status = take_shape(&shape, what, index, port, batch, err);
    OV(ov_partial_shape_free)(&shape);
    return status;
}

typedef ov_status_t port_by_index(const ov_model_t *, size_t, ov_output_const_port_t **);

static beam_status read_ports(const ov_model_t *onnx, port_by_index *by_index, size_t count,
                              const char *what, beam_foreign_port *ports, int64_t *batch,
                              beam_error *err)
{
    if (count < 1 || count > BEAM_FOREIGN_MAX_PORTS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "it has %zu %ss, not 1 to %d", count,
                              what, BEAM_FOREIGN_MAX_PORTS);
    for (size_t i = 0; i < count; i++) {
        ov_output_const_port_t *at = NULL;
        BEAM_TRY(checked(by_index(onnx, i, &at), what, err));
        beam_status status = read_port(at, what, i, &ports[i], batch, err);
        OV(ov_output_const_port_free)(at);
        BEAM_TRY(status);
    }
    return BEAM_OK;
}

static beam_status describe(beam_model *model, const char *name, const ov_model_t *onnx,
                            beam_error *err)
{
    openvino_model *state = model->state;
    int64_t fixed_by_inputs;
    beam_foreign_port ins[BEAM_FOREIGN_MAX_PORTS], outs[BEAM_FOREIGN_MAX_PORTS];
    size_t num_ins = 0, num_outs = 0;
    memset(ins, 0, sizeof ins);
    memset(outs, 0, sizeof outs);
    BEAM_TRY(checked(OV(ov_model_inputs_size)(onnx, &num_ins), "inputs", err));
    BEAM_TRY(checked(OV(ov_model_outputs_size)(onnx, &num_outs), "outputs", err));
    BEAM_TRY(read_ports(onnx, OV(ov_model_const_input_by_index), num_ins, "input", ins,
                        &state->fixed_batch, err));
    fixed_by_inputs = state->fixed_batch;
    BEAM_TRY(read_ports(onnx, OV(ov_model_const_output_by_index), num_outs, "output", outs,
                        &state->fixed_batch, err));
    /* Sums over the batch, or constants: padding to so many examples would make rows of them.  One
     * row is that of a batch of one. */
    if (fixed_by_inputs == 0 && state->fixed_batch > 1)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "its inputs take any batch, and an output has %lld rows whatever that "
            "is; an output must have a row for each example",
            (long long)state->fixed_batch);
    if (state->fixed_batch && state->fixed_batch < model->max_batch)
        model->max_batch = state->fixed_batch;
    return beam_foreign_describe(model, name, ins, num_ins, outs, num_outs, err);
}

/* A stream a slot, so that as many contexts run at once as there are leases. */
static beam_status compile(const beam_model *model, const ov_model_t *onnx,
                           ov_compiled_model_t **compiled, beam_error *err)
{
    const openvino_model *state = model->state;
    char slots[16];
    (void)snprintf(slots, sizeof slots, "%u", model->device->slots);
    return checked(OV(ov_core_compile_model)(state->core, onnx, "CPU", 8, compiled, "NUM_STREAMS",
                                             slots, "INFERENCE_NUM_THREADS", slots,
                                             "ENABLE_CPU_PINNING", "NO", "INFERENCE_PRECISION_HINT",
                                             beam_precision_name(model->precision)),
                   "compiling", err);
}

/* Gives every input of the model the largest batch. */
static beam_status fix_batch(const beam_model *model, const ov_model_t *onnx, beam_error *err)
{
    ov_partial_shape_t shapes[BEAM_FOREIGN_MAX_PORTS];
    ov_dimension_t dims[BEAM_FOREIGN_MAX_PORTS][BEAM_TENSOR_MAX_RANK];
    size_t indexes[BEAM_FOREIGN_MAX_PORTS];
    for (size_t i = 0; i < model->network->num_inputs; i++) {
        beam_tensor input = beam_network_input(model->network, i, model->max_batch);
        for (uint32_t d = 0; d < input.rank; d++)
            dims[i][d] = (ov_dimension_t){input.shape[d], input.shape[d]};
        shapes[i] = (ov_partial_shape_t){{input.rank, input.rank}, dims[i]};
        indexes[i] = i;
    }
    return checked(
        OV(ov_model_reshape_by_port_indexes)(onnx, indexes, shapes, model->network->num_inputs),
        "fixing the batch", err);
}

static beam_status compile_all(beam_model *model, const ov_model_t *onnx, beam_error *err)
{
    openvino_model *state = model->state;
    if (!model->device->native_bf16 || model->precision == BEAM_PRECISION_F16)
        model->precision = BEAM_PRECISION_F32;
    BEAM_TRY(compile(model, onnx, &state->compiled, err));
    if (state->fixed_batch || model->max_batch == 1)
        return BEAM_OK;
    BEAM_TRY(fix_batch(model, onnx, err));
    return compile(model, onnx, &state->full, err);
}

static void openvino_discard(beam_model *model)
{
    openvino_model *state = model->state;
    if (state->full)
        OV(ov_compiled_model_free)(state->full);
    if (state->compiled)
        OV(ov_compiled_model_free)(state->compiled);
    if (state->core)
        OV(ov_core_free)(state->core);
    beam_free(state);
}

beam_status beam_openvino_load(beam_model *model, const beam_foreign_files *files,
                               const beam_load_options *options, beam_error *err)
{
    const beam_file_view *file = &files->views[0];
    ov_model_t *onnx = NULL;
    if (files->count != 1)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "an ONNX model is one file");
    if (options->num_weights > 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "an ONNX model has its weights inside; give none");
    BEAM_TRY(beam_onnx_check(file->data, file->size, err));
    BEAM_TRY(beam_openvino_open(err));
    openvino_model *state = model->state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    beam_status status = checked(OV(ov_core_create)(&state->core), "starting", err);
    if (status == BEAM_OK)
        status = checked(OV(ov_core_read_model_from_memory_buffer)(
                             state->core, (const char *)file->data, file->size, NULL, &onnx),
                         "reading", err);
    if (status == BEAM_OK)
        status = describe(model, files->name, onnx, err);
    if (status == BEAM_OK)
        status = compile_all(model, onnx, err);
    if (onnx)
        OV(ov_model_free)(onnx);
    if (status != BEAM_OK)
        openvino_discard(model);
    else
        beam_device_count_weights(model, (int64_t)file->size);
    return status;
}

/* ---- running ---- */

static void drop_results(const beam_model_context *context)
{
    const openvino_context *c = context->state;
    for (size_t i = 0; c->results && i < context->model->network->num_outputs; i++) {
        if (c->results[i])
            OV(ov_tensor_free)(c->results[i]);
        c->results[i] = NULL;
    }
}

static void openvino_context_close(beam_model_context *context)
{
    openvino_context *c = context->state;
    drop_results(context);
    for (size_t i = 0; c->padded && i < context->model->network->num_inputs; i++)
        beam_free(c->padded[i]);
    if (c->any)
        OV(ov_infer_request_free)(c->any);
    if (c->full)
        OV(ov_infer_request_free)(c->full);
    beam_free(c->results);
    beam_free(c->padded);
    beam_free(c);
}

static beam_status openvino_context_open(beam_model_context *context, beam_error *err)
{
    const openvino_model *state = context->model->state;
    openvino_context *c = context->state = beam_calloc(1, sizeof *c);
    if (!c)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    c->results = beam_calloc(context->model->network->num_outputs, sizeof(ov_tensor_t *));
    c->padded = beam_calloc(context->model->network->num_inputs, sizeof *c->padded);
    beam_status status = BEAM_OK;
    if (!c->results || !c->padded)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    if (status == BEAM_OK)
        status = checked(OV(ov_compiled_model_create_infer_request)(state->compiled, &c->any),
                         "making a request", err);
    if (status == BEAM_OK && state->full)
        status = checked(OV(ov_compiled_model_create_infer_request)(state->full, &c->full),
                         "making a request", err);
    if (status != BEAM_OK)
        openvino_context_close(context);
    return status;
}

/* The input as it is, or with zeros behind it where the model's batch is larger. */
static beam_status staged(const beam_model_context *context, size_t index, beam_tensor *full,
                          beam_error *err)
{
    const openvino_model *state = context->model->state;
    const openvino_context *c = context->state;
    const beam_tensor *given = &context->inputs[index];
    *full = *given;
    if (state->fixed_batch == 0 || given->shape[0] == state->fixed_batch)
        return BEAM_OK;
    full->shape[0] = state->fixed_batch;
    size_t bytes = beam_tensor_bytes(given), all = beam_tensor_bytes(full);
    if (!c->padded[index])
        c->padded[index] = beam_aligned_alloc(64, (all + 63) / 64 * 64);
    if (!c->padded[index])
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to pad a batch");
    memcpy(c->padded[index], given->data, bytes);
    memset((char *)c->padded[index] + bytes, 0, all - bytes);
    full->data = c->padded[index];
    return BEAM_OK;
}

static beam_status set_input(const beam_model_context *context, size_t index, beam_error *err)
{
    const openvino_context *c = context->state;
    beam_tensor full;
    ov_tensor_t *tensor = NULL;
    BEAM_TRY(staged(context, index, &full, err));
    ov_shape_t shape = {.rank = full.rank, .dims = full.shape};
    BEAM_TRY(checked(
        OV(ov_tensor_create_from_host_ptr)(OV_F32, shape, (void *)(uintptr_t)full.data, &tensor),
        "an input", err));
    beam_status status = checked(
        OV(ov_infer_request_set_input_tensor_by_index)(c->request, index, tensor), "an input", err);
    OV(ov_tensor_free)(tensor); /* the request has its own hold */
    return status;
}

/* Finds a result, which must have the shape that was promised. */
static beam_status get_output(const beam_model_context *context, size_t index, beam_tensor *output,
                              beam_error *err)
{
    const openvino_model *state = context->model->state;
    const openvino_context *c = context->state;
    ov_shape_t shape = {0};
    void *data = NULL;
    BEAM_TRY(checked(
        OV(ov_infer_request_get_output_tensor_by_index)(c->request, index, &c->results[index]),
        "an output", err));
    BEAM_TRY(checked(OV(ov_tensor_get_shape)(c->results[index], &shape), "an output", err));
    bool same = shape.rank == output->rank;
    for (uint32_t i = 0; same && i < output->rank; i++) {
        int64_t wanted = i == 0 && state->fixed_batch ? state->fixed_batch : output->shape[i];
        same = shape.dims[i] == wanted;
    }
    (void)OV(ov_shape_free)(&shape);
    if (!same)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "output %zu came in another shape than the model's, a row an example",
                              index);
    BEAM_TRY(checked(OV(ov_tensor_data)(c->results[index], &data), "an output", err));
    output->data = data;
    return BEAM_OK;
}

static beam_status openvino_execute(beam_model_context *context, beam_tensor *outputs,
                                    beam_error *err)
{
    openvino_context *c = context->state;
    const beam_network *network = context->model->network;
    beam_status status = BEAM_OK;
    drop_results(context);
    c->request = c->full && context->batch == context->model->max_batch ? c->full : c->any;
    for (size_t i = 0; status == BEAM_OK && i < network->num_inputs; i++)
        status = set_input(context, i, err);
    if (status == BEAM_OK)
        status = checked(OV(ov_infer_request_infer)(c->request), "running", err);
    for (size_t i = 0; status == BEAM_OK && i < network->num_outputs; i++)
        status = get_output(context, i, &outputs[i], err);
    return status == BEAM_OK ? BEAM_OK : beam_error_wrap(err, status, "model %s", network->name);
}

const beam_device_driver beam_openvino_driver = {
    .kind = "openvino",
    .discard = openvino_discard,
    .context_open = openvino_context_open,
    .context_close = openvino_context_close,
    .execute = openvino_execute,
};
