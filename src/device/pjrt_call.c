/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/pjrt_call.h"

#include <string.h>

#include "base/alloc.h"

static float *allocate(beam_pjrt_call *c, const beam_tensor *tensor)
{
    size_t bytes = (beam_tensor_bytes(tensor) + 63) / 64 * 64;
    float *memory = beam_aligned_alloc(64, bytes);
    if (memory) {
        c->bytes += (int64_t)bytes;
        beam_device_count_working(c->model->device, (int64_t)bytes);
    }
    return memory;
}

/* Of an input, among the arguments. */
static size_t place(const beam_pjrt_call *c, size_t input)
{
    return c->inputs ? c->inputs[input] : input;
}

static beam_status allocate_all(beam_pjrt_call *c)
{
    const beam_network *network = c->model->network;
    c->arguments = beam_calloc(c->num_arguments, sizeof(PJRT_Buffer *));
    c->kept = beam_calloc(c->num_arguments, sizeof *c->kept);
    c->copied = beam_calloc(network->num_inputs, sizeof(PJRT_Event *));
    c->results = beam_calloc(network->num_outputs, sizeof(PJRT_Buffer *));
    c->returned = beam_calloc(network->num_outputs, sizeof(PJRT_Event *));
    c->padded = beam_calloc(network->num_inputs, sizeof *c->padded);
    c->outputs = beam_calloc(network->num_outputs, sizeof *c->outputs);
    if (!c->arguments || !c->kept || !c->copied || !c->results || !c->returned || !c->padded ||
        !c->outputs)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < network->num_outputs; i++) {
        beam_tensor shape = beam_network_output(network, i, c->most_rows);
        c->outputs[i] = allocate(c, &shape);
        if (!c->outputs[i])
            return BEAM_RESOURCE_EXHAUSTED;
    }
    return BEAM_OK;
}

beam_status beam_pjrt_call_open(beam_pjrt_call *c, beam_error *err)
{
    beam_status status = allocate_all(c);
    if (status != BEAM_OK) {
        beam_pjrt_call_close(c);
        return beam_error_set(err, status, "no memory for a model's context");
    }
    for (size_t i = 0; i < c->num_arguments; i++)
        c->kept[i] = (int64_t)i;
    return BEAM_OK;
}

void beam_pjrt_call_close(beam_pjrt_call *c)
{
    const beam_network *network = c->model->network;
    if (c->arguments && c->copied)
        beam_pjrt_call_drop(c);
    for (size_t i = 0; c->padded && i < network->num_inputs; i++)
        beam_free(c->padded[i]);
    for (size_t i = 0; c->outputs && i < network->num_outputs; i++)
        beam_free(c->outputs[i]);
    beam_device_count_working(c->model->device, -c->bytes);
    beam_free(c->arguments);
    beam_free(c->kept);
    beam_free(c->copied);
    beam_free(c->results);
    beam_free(c->returned);
    beam_free(c->padded);
    beam_free(c->outputs);
}

/* The data may be in use until their copy is over. */
void beam_pjrt_call_drop(beam_pjrt_call *c)
{
    const PJRT_Api *api = c->client->api;
    for (size_t i = 0; i < c->model->network->num_inputs; i++) {
        (void)beam_pjrt_await(api, c->copied[i], "", NULL);
        beam_pjrt_buffer_free(api, c->arguments[place(c, i)]);
        c->copied[i] = NULL;
        c->arguments[place(c, i)] = NULL;
    }
}

/* What goes to the chip: the caller's own memory if it has all rows, else a copy with zeros
 * behind. */
static beam_status staged(beam_pjrt_call *c, size_t input, const beam_tensor *given, int64_t rows,
                          const void **data, beam_error *err)
{
    const beam_network *network = c->model->network;
    *data = given->data;
    if (given->shape[0] == rows)
        return BEAM_OK;
    beam_tensor most = beam_network_input(network, input, c->most_rows);
    beam_tensor full = beam_network_input(network, input, rows);
    if (!c->padded[input])
        c->padded[input] = allocate(c, &most);
    if (!c->padded[input])
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to pad a batch");
    size_t bytes = beam_tensor_bytes(given);
    memcpy(c->padded[input], given->data, bytes);
    memset((char *)c->padded[input] + bytes, 0, beam_tensor_bytes(&full) - bytes);
    *data = c->padded[input];
    return BEAM_OK;
}

beam_status beam_pjrt_call_feed(beam_pjrt_call *c, size_t input, const beam_tensor *given,
                                int64_t rows, const beam_hlo_value *shape, beam_error *err)
{
    const void *data;
    BEAM_TRY(staged(c, input, given, rows, &data, err));
    return beam_pjrt_upload(c->client, c->chip, data, shape, &c->copied[input],
                            &c->arguments[place(c, input)], err);
}

/* Arguments stay, even those of a program that would put its results in their place: weights are
 * there for the next run, and inputs are dropped here. */
static beam_status launch(beam_pjrt_call *c, PJRT_LoadedExecutable *program, beam_error *err)
{
    const PJRT_Api *api = c->client->api;
    PJRT_ExecuteOptions options = {.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE,
                                   .non_donatable_input_indices = c->kept,
                                   .num_non_donatable_input_indices = c->num_arguments};
    PJRT_Buffer *const *arguments = c->arguments;
    PJRT_Buffer **results = c->results;
    PJRT_LoadedExecutable_Execute_Args *execute =
        BEAM_PJRT(PJRT_LoadedExecutable_Execute, .executable = program, .options = &options,
                  .argument_lists = &arguments, .num_devices = 1, .num_args = c->num_arguments,
                  .output_lists = &results);
    return beam_pjrt_status(api, api->PJRT_LoadedExecutable_Execute(execute), "running", err);
}

beam_status beam_pjrt_call_run(beam_pjrt_call *c, PJRT_LoadedExecutable *program, int64_t rows,
                               beam_tensor *outputs, beam_error *err)
{
    const beam_network *network = c->model->network;
    beam_status status = launch(c, program, err);
    if (status == BEAM_OK)
        status = beam_pjrt_fetch(c->client->api, network, rows, c->results, c->returned, c->outputs,
                                 err);
    beam_pjrt_call_drop(c);
    for (size_t i = 0; status == BEAM_OK && i < network->num_outputs; i++)
        outputs[i].data = c->outputs[i];
    return status;
}
