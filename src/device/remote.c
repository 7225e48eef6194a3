/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote.c - the device "remote": models on servers of the open inference protocol.  A lease is for
 * one request under way; a model is what the server told of it when it was loaded. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "device/remote_call.h"
#include "device/remote_wire.h"

enum { SLOTS = 64, ALIGNMENT = 64 };

typedef struct remote_model {
    beam_remote_client client;
    beam_remote_ports ports;
    char *infer; /* the address of requests */
    bool binary; /* the server takes tensors as bytes */
} remote_model;

typedef struct remote_context {
    float *outputs[BEAM_FOREIGN_MAX_PORTS];
    beam_buffer body; /* kept from request to request */
    int64_t bytes;    /* counted as working memory */
    beam_remote_effort effort;
} remote_context;

/* ---- The device -------------------------------------------------------------------------------
 */

static beam_status remote_open(beam_device *device, beam_error *err)
{
    (void)err;
    (void)snprintf(device->description, sizeof device->description,
                   "servers of the open inference protocol v2");
    if (device->slots == 0)
        device->slots = SLOTS;
    return BEAM_OK;
}

static void remote_close(beam_device *device)
{
    (void)device;
}

static beam_status remote_compile(beam_model *model, const beam_nn_parameter *parameters,
                                  const beam_compile_options *options, beam_error *err)
{
    (void)model;
    (void)parameters;
    (void)options;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "it runs what a server has: name the model by its address, "
                          "http://HOST:PORT/v2/models/NAME");
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

static const char MODELS[] = "/v2/models/";

beam_status beam_remote_check_address(const char *address, beam_error *err)
{
    const char *at = strstr(address, MODELS), *host = strstr(address, "://");
    if (strpbrk(address, "?#@")) /* the message does not repeat what may be a secret */
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the address of a model's server has ?, # or @ in it; credentials "
                              "are not given that way but as env:NAME or file:PATH");
    const char *name = at ? at + sizeof MODELS - 1 : "";
    if (!host || host + 3 >= at || !*name || *name == '/')
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s is not http://HOST:PORT/v2/models/NAME, nor that with "
                              "/versions/VERSION behind it",
                              address);
    return BEAM_OK;
}

/* Cuts what users may have copied along. */
static void cut_end(char *address)
{
    static const char infer[] = "/infer";
    const char *name = strstr(address, MODELS) + sizeof MODELS - 1;
    size_t len = strlen(address);
    while (address[len - 1] == '/')
        address[--len] = '\0';
    if (strlen(name) > sizeof infer - 1 && strcmp(address + len - (sizeof infer - 1), infer) == 0)
        address[len - (sizeof infer - 1)] = '\0';
}

static beam_status get(beam_remote_client *client, const char *url, const int *stop,
                       beam_http_response *response, beam_error *err)
{
    beam_remote_effort ignored = {0};
    const beam_remote_call call = {.url = url, .stop = stop};
    return beam_remote_perform(client, &call, response, &ignored, err);
}

/* Whether the server knows the binary extension.  One that does not tell does not. */
static beam_status ask_server(remote_model *state, const char *address, const int *stop,
                              beam_error *err)
{
    beam_http_response response;
    beam_error why = {0};
    char *url = beam_asprintf("%.*s/v2", (int)(strstr(address, MODELS) - address), address);
    if (!url)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for an address");
    beam_status status = get(&state->client, url, stop, &response, &why);
    beam_free(url);
    if (status == BEAM_NOT_FOUND || status == BEAM_UNIMPLEMENTED)
        return BEAM_OK;
    if (status != BEAM_OK)
        return beam_error_set(err, status, "%s", why.message);
    state->binary = beam_remote_read_extensions(response.body.data, response.body.len);
    beam_http_response_free(&response);
    return BEAM_OK;
}

static beam_status ask_model(remote_model *state, const char *address, const int *stop,
                             beam_error *err)
{
    beam_http_response response;
    BEAM_TRY(get(&state->client, address, stop, &response, err));
    beam_status status =
        beam_remote_read_model(response.body.data, response.body.len, &state->ports, err);
    beam_http_response_free(&response);
    for (size_t i = 0; status == BEAM_OK && !state->binary && i < state->ports.num_inputs; i++)
        if (state->ports.inputs[i].type->only_binary)
            status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                    "input %s is of datatype %s, which only goes by the binary "
                                    "tensor extension, and the server does not tell that it has it",
                                    state->ports.inputs[i].name, state->ports.inputs[i].type->name);
    return status;
}

static beam_status describe(beam_model *model, const char *address, beam_error *err)
{
    const remote_model *state = model->state;
    beam_foreign_port ins[BEAM_FOREIGN_MAX_PORTS], outs[BEAM_FOREIGN_MAX_PORTS];
    for (size_t i = 0; i < state->ports.num_inputs; i++)
        ins[i] = state->ports.inputs[i].shape;
    for (size_t i = 0; i < state->ports.num_outputs; i++)
        outs[i] = state->ports.outputs[i].shape;
    if (state->ports.fixed_batch && state->ports.fixed_batch < model->max_batch)
        model->max_batch = state->ports.fixed_batch;
    return beam_foreign_describe(model, address, ins, state->ports.num_inputs, outs,
                                 state->ports.num_outputs, err);
}

static void remote_discard(beam_model *model)
{
    remote_model *state = model->state;
    beam_remote_client_close(&state->client);
    beam_free(state->infer);
    beam_free(state);
}

static beam_status connect(beam_model *model, char *address, const beam_load_options *options,
                           beam_error *err)
{
    remote_model *state = model->state;
    cut_end(address);
    BEAM_TRY(beam_remote_client_open(&state->client, address, options->remote, err));
    if (options->num_weights > 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a server's model has its weights there; give none");
    BEAM_TRY(ask_server(state, address, options->stop, err));
    BEAM_TRY(ask_model(state, address, options->stop, err));
    if (!state->binary)
        BEAM_LOG(model->device->logger, BEAM_LOG_NOTICE,
                 "%s: the server does not tell that it takes numbers as bytes; they go as JSON, "
                 "several times as many bytes",
                 address);
    state->infer = beam_asprintf("%s/infer", address);
    if (!state->infer)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for an address");
    return describe(model, address, err);
}

beam_status beam_remote_load(beam_model *model, const char *address,
                             const beam_load_options *options, beam_error *err)
{
    model->precision = BEAM_PRECISION_F32;
    model->state = beam_calloc(1, sizeof(remote_model));
    char *own = beam_strdup(address);
    beam_status status = BEAM_OK;
    if (!model->state || !own)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    if (status == BEAM_OK) {
        status = connect(model, own, options, err);
        if (status != BEAM_OK)
            remote_discard(model);
    } else {
        beam_free(model->state);
    }
    beam_free(own);
    return status;
}

/* ---- Running ----------------------------------------------------------------------------------
 */

static void remote_context_close(beam_model_context *context)
{
    remote_context *c = context->state;
    for (size_t i = 0; i < BEAM_FOREIGN_MAX_PORTS; i++)
        beam_free(c->outputs[i]);
    beam_buffer_free(&c->body);
    beam_device_count_working(context->model->device, -c->bytes);
    beam_free(c);
}

static beam_status remote_context_open(beam_model_context *context, beam_error *err)
{
    const remote_model *state = context->model->state;
    const beam_remote_ports *ports = &state->ports;
    int64_t batch = ports->fixed_batch ? ports->fixed_batch : context->model->max_batch;
    remote_context *c = context->state = beam_calloc(1, sizeof *c);
    if (!c)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    for (size_t i = 0; i < ports->num_outputs; i++) {
        size_t bytes = ports->outputs[i].row * (size_t)batch * sizeof(float);
        bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        c->outputs[i] = beam_aligned_alloc(ALIGNMENT, bytes);
        if (!c->outputs[i]) {
            remote_context_close(context);
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                                  "no memory for output %s of a batch of %lld",
                                  ports->outputs[i].name, (long long)batch);
        }
        c->bytes += (int64_t)bytes;
        beam_device_count_working(context->model->device, (int64_t)bytes);
    }
    return BEAM_OK;
}

static beam_status read_answer(const remote_model *state, int64_t rows,
                               const beam_http_response *response, float *const *outputs,
                               beam_error *err)
{
    const char *said = response->headers.inference_header_length;
    size_t json = response->body.len;
    if (*said) {
        char *end;
        unsigned long long bytes = strtoull(said, &end, 10);
        if (*end || *said == '-')
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "its Inference-Header-Content-Length is no "
                                  "number");
        json = (size_t)bytes;
    }
    return beam_remote_read_answer(&state->ports, rows, response->body.data, response->body.len,
                                   json, outputs, err);
}

static beam_status remote_execute(beam_model_context *context, beam_tensor *outputs,
                                  beam_error *err)
{
    remote_model *state = context->model->state;
    remote_context *c = context->state;
    beam_http_response response;
    beam_remote_call call = {.url = state->infer,
                             .body = &c->body,
                             .most = beam_remote_answer_most(&state->ports, context->batch),
                             .stop = context->stop};
    c->body.len = 0;
    BEAM_TRY(beam_remote_write_request(&state->ports, context->inputs, context->batch,
                                       state->binary, &c->body, &call.json_size, err));
    BEAM_TRY(beam_remote_perform(&state->client, &call, &response, &c->effort, err));
    beam_status status = read_answer(state, context->batch, &response, c->outputs, err);
    beam_http_response_free(&response);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "%s", state->infer);
    for (size_t i = 0; i < state->ports.num_outputs; i++)
        outputs[i].data = c->outputs[i];
    return BEAM_OK;
}

static void remote_effort(const beam_model_context *context, beam_remote_effort *effort)
{
    *effort = ((const remote_context *)context->state)->effort;
}

const beam_device_driver beam_remote_driver = {
    .kind = "remote",
    .open = remote_open,
    .close = remote_close,
    .compile = remote_compile,
    .discard = remote_discard,
    .context_open = remote_context_open,
    .context_close = remote_context_close,
    .execute = remote_execute,
    .effort = remote_effort,
};
