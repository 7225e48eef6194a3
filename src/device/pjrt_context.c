/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_context.c - a thread's hold on a model: batches to a chip, and results back. */
#include <string.h>

#include "base/alloc.h"
#include "device/pjrt.h"

typedef struct pjrt_context {
    beam_pjrt_replica *replica;
    size_t bucket;           /* of what was fed */
    PJRT_Buffer **arguments; /* the inputs that were fed, then the weights */
    PJRT_Event **copied;     /* one an input: it has left the caller's memory, or ours */
    PJRT_Buffer **results;
    PJRT_Event **returned;
    float **padded; /* one an input, for batches smaller than their bucket; made when needed */
    float **outputs;
    int64_t bytes;
} pjrt_context;

static void *allocate(beam_model_context *context, size_t bytes)
{
    pjrt_context *c = context->state;
    void *memory = beam_aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (memory) {
        c->bytes += (int64_t)bytes;
        beam_device_count_working(context->model->device, (int64_t)bytes);
    }
    return memory;
}

/* Lets go of what was fed.  The data may be in use until its copy is over. */
static void drop_inputs(beam_model_context *context)
{
    pjrt_context *c = context->state;
    const beam_pjrt_model *state = context->model->state;
    for (size_t i = 0; i < context->model->network->num_inputs; i++) {
        (void)beam_pjrt_await(state->client->api, c->copied[i], "", NULL);
        beam_pjrt_buffer_free(state->client->api, c->arguments[i]);
        c->copied[i] = NULL;
        c->arguments[i] = NULL;
    }
}

void beam_pjrt_context_close(beam_model_context *context)
{
    pjrt_context *c = context->state;
    const beam_network *network = context->model->network;
    if (c->arguments && c->copied)
        drop_inputs(context);
    for (size_t i = 0; c->padded && i < network->num_inputs; i++)
        beam_free(c->padded[i]);
    for (size_t i = 0; c->outputs && i < network->num_outputs; i++)
        beam_free(c->outputs[i]);
    beam_device_count_working(context->model->device, -c->bytes);
    beam_free(c->arguments);
    beam_free(c->copied);
    beam_free(c->results);
    beam_free(c->returned);
    beam_free(c->padded);
    beam_free(c->outputs);
    beam_free(c);
}

static beam_status allocate_all(beam_model_context *context)
{
    pjrt_context *c = context->state;
    const beam_network *network = context->model->network;
    const beam_pjrt_model *state = context->model->state;
    c->arguments = beam_calloc(state->main.num_arguments, sizeof(PJRT_Buffer *));
    c->copied = beam_calloc(network->num_inputs, sizeof(PJRT_Event *));
    c->results = beam_calloc(network->num_outputs, sizeof(PJRT_Buffer *));
    c->returned = beam_calloc(network->num_outputs, sizeof(PJRT_Event *));
    c->padded = beam_calloc(network->num_inputs, sizeof *c->padded);
    c->outputs = beam_calloc(network->num_outputs, sizeof *c->outputs);
    if (!c->arguments || !c->copied || !c->results || !c->returned || !c->padded || !c->outputs)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < network->num_outputs; i++) {
        beam_tensor shape = beam_network_output(network, i, context->model->max_batch);
        c->outputs[i] = allocate(context, beam_tensor_bytes(&shape));
        if (!c->outputs[i])
            return BEAM_RESOURCE_EXHAUSTED;
    }
    return BEAM_OK;
}

beam_status beam_pjrt_context_open(beam_model_context *context, beam_error *err)
{
    beam_pjrt_model *state = context->model->state;
    beam_pjrt_device *device = context->model->device->state;
    pjrt_context *c = beam_calloc(1, sizeof *c);
    if (!c)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    context->state = c;
    unsigned number = atomic_fetch_add(&device->contexts, 1);
    c->replica = &state->replicas[number % state->num_replicas];
    beam_status status = allocate_all(context);
    if (status != BEAM_OK) {
        beam_pjrt_context_close(context);
        return beam_error_set(err, status, "no memory for a model's context");
    }
    size_t inputs = context->model->network->num_inputs;
    memcpy(c->arguments + inputs, c->replica->weights,
           context->model->network->num_parameters * sizeof *c->arguments);
    return BEAM_OK;
}

/* ---- feeding ---- */

/* What goes to the chip: the caller's own memory if the batch fills its bucket, else a copy with
 * zeros behind. */
static beam_status staged(beam_model_context *context, size_t input, const void **data,
                          beam_error *err)
{
    pjrt_context *c = context->state;
    const beam_pjrt_model *state = context->model->state;
    const beam_tensor *given = &context->inputs[input];
    size_t bytes = beam_tensor_bytes(given);
    *data = given->data;
    if (given->shape[0] == state->buckets[c->bucket])
        return BEAM_OK;
    beam_tensor most =
        beam_network_input(context->model->network, input, context->model->max_batch);
    if (!c->padded[input])
        c->padded[input] = allocate(context, beam_tensor_bytes(&most));
    if (!c->padded[input])
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to pad a batch");
    beam_tensor full =
        beam_network_input(context->model->network, input, state->buckets[c->bucket]);
    memcpy(c->padded[input], given->data, bytes);
    memset((char *)c->padded[input] + bytes, 0, beam_tensor_bytes(&full) - bytes);
    *data = c->padded[input];
    return BEAM_OK;
}

static beam_status feed_input(beam_model_context *context, size_t input, beam_error *err)
{
    pjrt_context *c = context->state;
    beam_pjrt_model *state = context->model->state;
    const void *data;
    size_t bytes;
    beam_lowering how = state->how;
    how.batch = state->buckets[c->bucket];
    beam_hlo_value shape =
        beam_lowering_shape(context->model->network, &how, &state->main.arguments[input], &bytes);
    BEAM_TRY(staged(context, input, &data, err));
    return beam_pjrt_upload(state->client, c->replica->device, data, &shape, &c->copied[input],
                            &c->arguments[input], err);
}

/* The network and the batch; where memory was short, how much that takes. */
static beam_status explain(const beam_model_context *context, beam_status status, beam_error *err)
{
    const pjrt_context *c = context->state;
    beam_pjrt_model *state = context->model->state;
    const char *network = context->model->network->name;
    PJRT_LoadedExecutable *program = beam_pjrt_known_program(state, c->replica, c->bucket);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        beam_pjrt_short_buckets(state); /* a smaller batch is worth a smaller program now */
    int64_t batch = state->buckets[c->bucket];
    if (status == BEAM_RESOURCE_EXHAUSTED && program)
        return beam_pjrt_short_of_memory(state->client, c->replica->device, program, network, batch,
                                         err);
    return beam_error_wrap(err, status, "network %s, batches of %lld", network, (long long)batch);
}

beam_status beam_pjrt_feed(beam_model_context *context, beam_error *err)
{
    pjrt_context *c = context->state;
    beam_pjrt_model *state = context->model->state;
    drop_inputs(context);
    c->bucket = beam_pjrt_bucket(state, c->replica, context->inputs[0].shape[0]);
    for (size_t i = 0; i < context->model->network->num_inputs; i++) {
        beam_status status = feed_input(context, i, err);
        if (status != BEAM_OK) {
            drop_inputs(context);
            return explain(context, status, err);
        }
    }
    return BEAM_OK;
}

/* ---- running ---- */

static beam_status launch(const beam_model_context *context, PJRT_LoadedExecutable *program,
                          beam_error *err)
{
    pjrt_context *c = context->state;
    const beam_pjrt_model *state = context->model->state;
    const PJRT_Api *api = state->client->api;
    PJRT_ExecuteOptions options = {.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE};
    PJRT_Buffer *const *arguments = c->arguments;
    PJRT_Buffer **results = c->results;
    PJRT_LoadedExecutable_Execute_Args *execute =
        BEAM_PJRT(PJRT_LoadedExecutable_Execute, .executable = program, .options = &options,
                  .argument_lists = &arguments, .num_devices = 1,
                  .num_args = state->main.num_arguments, .output_lists = &results);
    return beam_pjrt_status(api, api->PJRT_LoadedExecutable_Execute(execute), "running", err);
}

beam_status beam_pjrt_execute(beam_model_context *context, beam_tensor *outputs, beam_error *err)
{
    pjrt_context *c = context->state;
    beam_pjrt_model *state = context->model->state;
    PJRT_LoadedExecutable *program = NULL;
    beam_status status = beam_pjrt_program(state, c->replica, c->bucket, &program, err);
    if (status == BEAM_OK)
        status = launch(context, program, err);
    if (status == BEAM_OK)
        status =
            beam_pjrt_fetch(state->client->api, context->model->network, state->buckets[c->bucket],
                            c->results, c->returned, c->outputs, err);
    drop_inputs(context);
    if (status != BEAM_OK)
        return explain(context, status, err);
    for (size_t i = 0; i < context->model->network->num_outputs; i++)
        outputs[i].data = c->outputs[i];
    return BEAM_OK;
}
