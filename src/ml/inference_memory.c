/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_memory.c - what an instance of RunInference's DoFn holds. */
#include <string.h>

#include "base/alloc.h"
#include "ml/inference.h"

enum { ALIGNMENT = 64 };

static beam_status no_memory(beam_ctx *ctx, const beam_inference *state)
{
    return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED,
                     "no memory for a batch of %lld: try a smaller "
                     "max_batch_size",
                     (long long)state->max_count);
}

static beam_status allocate_inputs(beam_ctx *ctx, beam_inference *state)
{
    for (size_t i = 0; i < state->num_inputs; i++) {
        beam_tensor *input = &state->inputs[i];
        size_t bytes;
        *input = beam_model_input(state->cached.model, i, state->max_count);
        BEAM_TRY(beam_tensor_check(input, NULL, &bytes, beam_ctx_error(ctx)));
        void *data = beam_aligned_alloc(ALIGNMENT, bytes);
        if (!data)
            return no_memory(ctx, state);
        memset(data, 0, bytes); /* padding is whatever was there before: numbers, never traps */
        input->data = data;
    }
    return BEAM_OK;
}

beam_status beam_inference_allocate(beam_ctx *ctx, beam_inference *state)
{
    beam_model_info info;
    beam_model_get_info(state->cached.model, &info);
    state->num_inputs = info.num_inputs;
    state->num_outputs = info.num_outputs;
    if (info.max_batch < state->max_count) /* of a model that was exported for fewer */
        state->max_count = state->fits = info.max_batch;
    if (!state->handler->unpack && info.num_outputs != 1)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "handler %s makes predictions, which hold one output; the model has %zu",
                         state->handler->name, info.num_outputs);
    state->pool = beam_pool_new();
    state->waiting = beam_calloc((size_t)state->max_count, sizeof *state->waiting);
    state->inputs = beam_calloc(info.num_inputs, sizeof *state->inputs);
    state->rows = beam_calloc(info.num_inputs, sizeof *state->rows);
    state->batch = beam_calloc(info.num_inputs, sizeof *state->batch);
    state->outputs = beam_calloc(info.num_outputs, sizeof *state->outputs);
    state->row = beam_calloc(info.num_outputs, sizeof *state->row);
    state->result = beam_calloc(1, state->handler->out->size);
    if (!state->pool || !state->waiting || !state->inputs || !state->rows || !state->batch ||
        !state->outputs || !state->row || !state->result)
        return no_memory(ctx, state);
    BEAM_TRY(allocate_inputs(ctx, state));
    return beam_model_context_new(state->cached.model, &state->context, beam_ctx_error(ctx));
}

void beam_inference_free(beam_inference *state)
{
    if (!state)
        return;
    for (size_t i = 0; state->inputs && i < state->num_inputs; i++)
        beam_free((void *)(uintptr_t)state->inputs[i].data);
    beam_model_context_free(state->context);
    beam_pool_free(state->pool);
    beam_free(state->waiting);
    beam_free(state->inputs);
    beam_free(state->rows);
    beam_free(state->batch);
    beam_free(state->outputs);
    beam_free(state->row);
    beam_free(state->result);
    beam_model_cache_release(&state->cached);
    beam_free(state);
}
