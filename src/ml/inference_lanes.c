/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_lanes.c - examples run together with others for the same model and of about the same
 * length: a lane for each. */
#include "base/alloc.h"
#include "ml/inference.h"

static const beam_int64 usual_lengths[] = {16, 32, 64, 128, 256, 512};

static void use_lengths(beam_inference *state, const beam_inference_config *config)
{
    enum { USUAL = sizeof usual_lengths / sizeof *usual_lengths };
    state->num_buckets = 1;
    if (!beam_handler_can_measure(state->handler))
        return;
    state->boundaries = config->boundaries;
    if (!state->boundaries.len)
        state->boundaries = (beam_int64_list){usual_lengths, USUAL};
    state->num_buckets = state->boundaries.len;
}

/* Without a limit of the user's, batches of long examples are no larger than those of the middle
 * bucket: so the longest cannot exhaust a device on which the others have room. */
static void use_weights(beam_inference *state, const beam_inference_config *config)
{
    const beam_int64 *lengths = state->boundaries.at;
    state->max_weight = config->max_weight;
    if (!state->max_weight && state->boundaries.len && !beam_handler_can_weigh(state->handler))
        state->max_weight = config->max_batch_size * lengths[(state->boundaries.len - 1) / 2];
}

static beam_status make_lane(beam_inference *state, const beam_inference_config *config,
                             const beam_key_model *model, size_t bucket, beam_lane *lane)
{
    const beam_int64 *lengths = state->boundaries.at;
    lane->spec = model->model;
    lane->spec.length = state->boundaries.len ? lengths[bucket] : 0;
    lane->model_id = lane->spec.weights.len ? lane->spec.weights : lane->spec.network;
    lane->watch_pattern = model->watch_model_pattern;
    lane->max_count = config->max_batch_size;
    if (lane->spec.length && !beam_handler_can_weigh(state->handler)) {
        int64_t most = state->max_weight / lane->spec.length;
        if (most < lane->max_count)
            lane->max_count = most > 1 ? most : 1;
    }
    int64_t least =
        config->min_batch_size < lane->max_count ? config->min_batch_size : lane->max_count;
    beam_tuner_start(&lane->tuner, least, lane->max_count, config->max_latency_ms);
    lane->pool = beam_pool_new();
    lane->waiting = beam_calloc((size_t)lane->max_count, sizeof *lane->waiting);
    return lane->pool && lane->waiting ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

/* Keys, by the first of their model's lanes. */
static beam_status map_keys(beam_inference *state, const beam_str_list *keys, beam_lane *first)
{
    const beam_str *at = keys->at;
    for (size_t i = 0; i < keys->len; i++)
        BEAM_TRY(beam_map_setn(&state->keys, at[i].at ? at[i].at : "", at[i].len, first));
    return BEAM_OK;
}

static beam_status make_all(beam_inference *state, const beam_inference_config *config)
{
    const beam_key_model *models = config->models.at;
    const beam_key_model keyless = {.model = config->model,
                                    .watch_model_pattern = config->watch_pattern};
    /* The model that is not of a key comes first. */
    size_t plain = !config->models.len || config->model.network.len ? 1 : 0;
    size_t count = (config->models.len + plain) * state->num_buckets;
    state->lanes = beam_calloc(count, sizeof *state->lanes);
    if (!state->lanes)
        return BEAM_RESOURCE_EXHAUSTED;
    state->num_lanes = count;
    for (size_t i = 0; i < count; i++) {
        size_t place = i / state->num_buckets;
        const beam_key_model *model = place < plain ? &keyless : &models[place - plain];
        BEAM_TRY(make_lane(state, config, model, i % state->num_buckets, &state->lanes[i]));
        if (place >= plain && place - plain < BEAM_MODELS_WITH_METRICS)
            state->lanes[i].metrics =
                BEAM_INFERENCE_METRICS + (uint32_t)(place - plain) * BEAM_MODEL_METRICS;
        if (i % state->num_buckets == 0)
            BEAM_TRY(map_keys(state, &model->keys, &state->lanes[i]));
    }
    state->plain = plain ? state->lanes : NULL;
    return BEAM_OK;
}

beam_status beam_inference_make_lanes(beam_ctx *ctx, beam_inference *state)
{
    const beam_inference_config *config = beam_config(ctx, beam_inference_config);
    use_lengths(state, config);
    use_weights(state, config);
    if (config->models.len > BEAM_MODELS_WITH_METRICS)
        beam_ctx_log(ctx, BEAM_LOG_INFO,
                     "metrics of their own for the first %d of %zu models; all count in the sums",
                     BEAM_MODELS_WITH_METRICS, config->models.len);
    beam_status status = make_all(state, config);
    return status == BEAM_OK ? BEAM_OK : beam_fail(ctx, status, "no memory for RunInference");
}

void beam_inference_free_lanes(beam_inference *state)
{
    for (size_t i = 0; i < state->num_lanes; i++) {
        beam_pool_free(state->lanes[i].pool);
        beam_free(state->lanes[i].waiting);
        beam_free(state->lanes[i].names);
        beam_free(state->lanes[i].refused);
    }
    beam_free(state->lanes);
    beam_map_free(&state->keys);
}

void beam_lane_forget(beam_lane *lane)
{
    lane->count = lane->weight = 0;
    beam_pool_reset(lane->pool);
}

/* ---- Choosing -------------------------------------------------------------------------------- */

static beam_status choose_model(beam_inference *state, const void *example, beam_lane **lane,
                                beam_error *err)
{
    char text[24];
    beam_str key;
    *lane = state->plain;
    if (!state->keys.len || !beam_handler_key(state->handler, example, text, &key))
        return BEAM_OK;
    beam_lane *found = beam_map_getn(&state->keys, key.at ? key.at : "", key.len);
    if (found)
        *lane = found;
    if (*lane)
        return BEAM_OK;
    *lane = state->lanes;
    return beam_error_set(err, BEAM_NOT_FOUND, "no model is for key \"%.*s\"", (int)key.len,
                          key.at ? key.at : "");
}

beam_status beam_inference_choose_lane(beam_inference *state, const void *example, beam_lane **lane,
                                       beam_error *err)
{
    const beam_int64 *lengths = state->boundaries.at;
    BEAM_TRY(choose_model(state, example, lane, err));
    if (!state->boundaries.len)
        return BEAM_OK;
    int64_t length = beam_handler_length(state->handler, example);
    size_t bucket = 0;
    while (bucket < state->boundaries.len && length > lengths[bucket])
        bucket++;
    if (bucket < state->boundaries.len) {
        *lane += bucket;
        return BEAM_OK;
    }
    return beam_error_set(err, BEAM_OUT_OF_RANGE,
                          "an example of length %lld, and the last of bucket_boundaries is %lld",
                          (long long)length, (long long)lengths[bucket - 1]);
}
