/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference.c - RunInference's DoFn: examples wait until a batch is due, then it runs and each
 * result goes out with its own example's timestamp and windows. */
#include "ml/inference.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

static beam_inference *state_of(const beam_ctx *ctx)
{
    return *(beam_inference **)ctx->state;
}

const beam_model_spec *beam_inference_spec(const beam_ctx *ctx)
{
    const beam_inference *state = state_of(ctx);
    return state && state->running ? &state->running->spec
                                   : &beam_config(ctx, beam_inference_config)->model;
}

bool beam_inference_arg(const beam_ctx *ctx, const char *name, beam_str *value)
{
    const beam_inference_argument_list *all = &beam_config(ctx, beam_inference_config)->arguments;
    const beam_inference_argument *at = all->at;
    for (size_t i = 0; i < all->len; i++) {
        if (beam_str_equal(at[i].name, beam_str_of(name))) {
            *value = at[i].value;
            return true;
        }
    }
    return false;
}

/* ---- An instance's life -------------------------------------------------------------------- */

static beam_status make_results(beam_inference *state)
{
    const beam_model_handler *handler = state->handler;
    state->results = beam_calloc(state->depth, sizeof *state->results);
    state->failure = beam_calloc(1, handler->failure->size);
    if (!state->results || !state->failure)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < state->depth; i++, handler = handler->inner)
        if (!(state->results[i] = beam_calloc(1, handler->out->size)))
            return BEAM_RESOURCE_EXHAUSTED;
    return BEAM_OK;
}

beam_status beam_inference_setup_(beam_ctx *ctx, const beam_model_handler *handler)
{
    beam_inference *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for RunInference");
    *(beam_inference **)ctx->state = state;
    state->handler = handler;
    state->base = beam_handler_base(handler);
    state->depth = beam_handler_depth(handler);
    state->counting = beam_handler_counting(handler);
    if (make_results(state) != BEAM_OK)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for RunInference");
    BEAM_TRY(beam_inference_make_lanes(ctx, state));
    BEAM_TRY(beam_local_open(ctx, state));
    return beam_inference_watch(ctx, state);
}

beam_status beam_inference_start_(beam_ctx *ctx)
{
    beam_inference *state = state_of(ctx);
    for (size_t i = 0; i < state->num_lanes; i++)
        beam_lane_forget(&state->lanes[i]); /* what a bundle that failed left */
    return BEAM_OK;
}

void beam_inference_teardown_(beam_ctx *ctx)
{
    beam_inference *state = state_of(ctx);
    if (!state)
        return;
    beam_local_close(state);
    beam_inference_unwatch(state);
    beam_inference_free_lanes(state);
    beam_rows_free(&state->outputs);
    beam_free(state->row);
    for (size_t i = 0; state->results && i < state->depth; i++)
        beam_free(state->results[i]);
    beam_free(state->results);
    beam_free(state->failure);
    beam_free(state);
    *(beam_inference **)ctx->state = NULL;
}

/* ---- Filling a batch ------------------------------------------------------------------------ */

/* Runs the lane, and empties it whatever comes of that. */
static beam_status flush(beam_ctx *ctx, beam_inference *state, beam_lane *lane)
{
    if (!lane->count)
        return BEAM_OK;
    beam_inference_refresh(ctx, state, lane);
    state->running = lane;
    int64_t began = beam_clock_ns(), count = lane->count;
    beam_status status = beam_inference_flush(ctx, state, lane);
    state->running = NULL;
    beam_tuner_observe(&lane->tuner, count, beam_clock_ns() - began);
    beam_lane_forget(lane);
    return status;
}

/* Takes one example; the lane has room for it. */
static beam_status take(beam_ctx *ctx, beam_inference *state, beam_lane *lane, const void *example,
                        const beam_element_info *info)
{
    beam_waiting *waiting = &lane->waiting[lane->count];
    void *copy;
    beam_status status = beam_pool_copy(lane->pool, state->handler->in, example, &copy);
    if (status != BEAM_OK)
        return beam_fail(ctx, status, "an example of a batch could not be kept");
    *waiting = (beam_waiting){.info = info, .example = copy};
    lane->count++;
    return BEAM_OK;
}

/* True when the batch may not wait any longer. */
static bool is_due(const beam_lane *lane, const beam_inference_config *config)
{
    if (lane->count >= beam_tuner_size(&lane->tuner))
        return true;
    return config->max_duration_ms > 0 && lane->count >= config->min_batch_size &&
           beam_clock_ms() - lane->oldest >= config->max_duration_ms;
}

/* Examples without element_size weigh what they are padded to. */
static int64_t weight_of(const beam_inference *state, const beam_lane *lane, const void *example)
{
    return beam_handler_can_weigh(state->handler) ? beam_handler_weight(state->handler, example)
                                                  : lane->spec.length;
}

/* An element whose window has other weights than those before it: these run first. */
static beam_status follow(beam_ctx *ctx, beam_inference *state, beam_lane *lane)
{
    const beam_model_metadata *other;
    BEAM_TRY(beam_inference_metadata(ctx, lane, &other));
    if (!other)
        return BEAM_OK;
    BEAM_TRY(flush(ctx, state, lane));
    return beam_inference_use(ctx, state, lane, other->weights, other->model_id, 0);
}

static beam_status add(beam_ctx *ctx, beam_inference *state, const void *example,
                       const beam_element_info *info)
{
    const beam_inference_config *config = beam_config(ctx, beam_inference_config);
    beam_lane *lane;
    beam_error why = {0};
    int64_t weight = 0;
    beam_status refused = beam_inference_choose_lane(state, example, &lane, &why);
    if (config->has_metadata)
        BEAM_TRY(follow(ctx, state, lane));
    if (state->max_weight > 0 && refused == BEAM_OK) {
        weight = weight_of(state, lane, example);
        if (lane->count > 0 && weight > state->max_weight - lane->weight)
            BEAM_TRY(flush(ctx, state, lane));
    }
    if (lane->count == 0 && config->max_duration_ms > 0)
        lane->oldest = beam_clock_ms();
    BEAM_TRY(take(ctx, state, lane, example, info));
    lane->waiting[lane->count - 1].is_strange = refused == BEAM_NOT_FOUND;
    if (refused != BEAM_OK)
        BEAM_TRY(beam_inference_refuse(ctx, state, lane, &lane->waiting[lane->count - 1],
                                       BEAM_FAILED_PREPROCESSING, refused, &why));
    lane->weight += weight;
    return is_due(lane, config) ? flush(ctx, state, lane) : BEAM_OK;
}

beam_status beam_inference_batch_(beam_ctx *ctx, const void *examples, size_t n)
{
    beam_inference *state = state_of(ctx);
    const beam_element_info *info = beam_info_save(ctx);
    if (!info)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for RunInference");
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(add(ctx, state, (const char *)examples + i * state->handler->in->size, info));
    return BEAM_OK;
}

beam_status beam_inference_process_(beam_ctx *ctx, const void *example)
{
    return beam_inference_batch_(ctx, example, 1);
}

beam_status beam_inference_finish_(beam_ctx *ctx)
{
    beam_inference *state = state_of(ctx);
    for (size_t i = 0; i < state->num_lanes; i++)
        BEAM_TRY(flush(ctx, state, &state->lanes[i]));
    return BEAM_OK;
}
