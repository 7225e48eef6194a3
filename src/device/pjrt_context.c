/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_context.c - a thread's hold on a model: batches to a chip, and results back. */
#include <string.h>

#include "base/alloc.h"
#include "device/pjrt_call.h"

typedef struct pjrt_context {
    beam_pjrt_replica *replica;
    size_t bucket; /* of what was fed */
    beam_pjrt_call call;
} pjrt_context;

beam_status beam_pjrt_context_open(beam_model_context *context, beam_error *err)
{
    beam_pjrt_model *state = context->model->state;
    beam_pjrt_device *device = context->model->device->state;
    const beam_network *network = context->model->network;
    pjrt_context *c = beam_calloc(1, sizeof *c);
    if (!c)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    unsigned number = atomic_fetch_add(&device->contexts, 1);
    c->replica = &state->replicas[number % state->num_replicas];
    c->call = (beam_pjrt_call){.model = context->model,
                               .client = state->client,
                               .chip = c->replica->device,
                               .num_arguments = state->main.num_arguments,
                               .most_rows = context->model->max_batch};
    beam_status status = beam_pjrt_call_open(&c->call, err);
    if (status != BEAM_OK) {
        beam_free(c);
        return status;
    }
    memcpy(c->call.arguments + network->num_inputs, c->replica->weights,
           network->num_parameters * sizeof *c->call.arguments);
    context->state = c;
    return BEAM_OK;
}

void beam_pjrt_context_close(beam_model_context *context)
{
    pjrt_context *c = context->state;
    beam_pjrt_call_close(&c->call);
    beam_free(c);
}

static beam_status feed_input(beam_model_context *context, size_t input, beam_error *err)
{
    pjrt_context *c = context->state;
    const beam_pjrt_model *state = context->model->state;
    size_t bytes;
    beam_lowering how = state->how;
    how.batch = state->buckets[c->bucket];
    beam_hlo_value shape =
        beam_lowering_shape(context->model->network, &how, &state->main.arguments[input], &bytes);
    return beam_pjrt_call_feed(&c->call, input, &context->inputs[input], how.batch, &shape, err);
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
    beam_pjrt_call_drop(&c->call);
    c->bucket = beam_pjrt_bucket(state, c->replica, context->inputs[0].shape[0]);
    for (size_t i = 0; i < context->model->network->num_inputs; i++) {
        beam_status status = feed_input(context, i, err);
        if (status != BEAM_OK) {
            beam_pjrt_call_drop(&c->call);
            return explain(context, status, err);
        }
    }
    return BEAM_OK;
}

beam_status beam_pjrt_execute(beam_model_context *context, beam_tensor *outputs, beam_error *err)
{
    pjrt_context *c = context->state;
    beam_pjrt_model *state = context->model->state;
    PJRT_LoadedExecutable *program = NULL;
    beam_status status = beam_pjrt_program(state, c->replica, c->bucket, &program, err);
    if (status != BEAM_OK)
        beam_pjrt_call_drop(&c->call);
    else
        status = beam_pjrt_call_run(&c->call, program, state->buckets[c->bucket], outputs, err);
    return status == BEAM_OK ? BEAM_OK : explain(context, status, err);
}
