/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_refresh.c - newer weights for a lane, between two of its batches. */
#include <string.h>

#include "base/alloc.h"
#include "ml/inference.h"

const beam_side_spec beam_inference_side_ = {BEAM_SIDE_SINGLETON, &beam_model_metadata_type};

static bool is_text(beam_str text, const char *other)
{
    return other && text.len == strlen(other) && memcmp(text.at, other, text.len) == 0;
}

/* By both names: the same file written anew has another model_id. */
static bool is_refused(const beam_lane *lane, beam_str weights, beam_str model_id)
{
    const char *both = lane->refused;
    return both && strlen(both) == weights.len + model_id.len &&
           beam_str_equal((beam_str){both, weights.len}, weights) &&
           beam_str_equal((beam_str){both + weights.len, model_id.len}, model_id);
}

static beam_status refuse(beam_ctx *ctx, beam_lane *lane, beam_str weights, beam_str model_id,
                          const beam_error *why)
{
    beam_free(lane->refused);
    lane->refused = beam_asprintf("%.*s%.*s", (int)weights.len, weights.at ? weights.at : "",
                                  (int)model_id.len, model_id.at ? model_id.at : "");
    beam_inference_count(ctx, BEAM_METRIC_REFUSED, 1);
    beam_ctx_log(ctx, BEAM_LOG_WARNING, "new weights %.*s are refused: %s", (int)weights.len,
                 weights.at, why->message);
    return lane->refused ? BEAM_OK
                         : beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for a name");
}

beam_status beam_inference_use(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                               beam_str weights, beam_str model_id, int64_t version)
{
    beam_error why = {0};
    beam_model_spec spec = lane->spec;
    char *names = beam_malloc(weights.len + model_id.len + 1);
    if (!names)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's name");
    memcpy(names, weights.at ? weights.at : "", weights.len);
    memcpy(names + weights.len, model_id.at ? model_id.at : "", model_id.len);
    spec.weights = (beam_str){names, weights.len};
    if (beam_local_swap(state, lane, &spec, version, &why) != BEAM_OK) {
        beam_free(names);
        return refuse(ctx, lane, weights, model_id, &why);
    }
    beam_free(lane->names);
    beam_free(lane->refused);
    lane->refused = NULL;
    lane->names = names;
    lane->model_id = model_id.len ? (beam_str){names + weights.len, model_id.len} : spec.weights;
    return BEAM_OK;
}

/* ---- The side input -------------------------------------------------------------------------- */

beam_status beam_inference_metadata(beam_ctx *ctx, const beam_lane *lane,
                                    const beam_model_metadata **other)
{
    const beam_model_metadata *metadata;
    *other = NULL;
    BEAM_TRY(beam_side_singleton(ctx, 0, &metadata));
    beam_str id = metadata->model_id.len ? metadata->model_id : metadata->weights;
    if (beam_str_equal(metadata->weights, lane->spec.weights) && beam_str_equal(id, lane->model_id))
        return BEAM_OK;
    if (!is_refused(lane, metadata->weights, metadata->model_id))
        *other = metadata;
    return BEAM_OK;
}

/* ---- The watched path ------------------------------------------------------------------------ */

/* `first` of the lanes of a model gets a watch, which all of them use. */
static beam_status watch_model(beam_ctx *ctx, const beam_inference *state, beam_lane *first)
{
    const beam_inference_config *config = beam_config(ctx, beam_inference_config);
    if (!first->watch_pattern.len)
        return BEAM_OK;
    char *pattern = beam_strndup(first->watch_pattern.at, first->watch_pattern.len);
    if (!pattern)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for a pattern");
    beam_status status =
        beam_model_watch_open(pattern, config->watch_interval_ms, beam_local_request(state, first),
                              &first->watch, beam_ctx_error(ctx));
    beam_free(pattern);
    for (size_t i = 1; i < state->num_buckets; i++)
        first[i].watch = first->watch;
    return status;
}

beam_status beam_inference_watch(beam_ctx *ctx, beam_inference *state)
{
    for (size_t i = 0; i < state->num_lanes; i += state->num_buckets)
        BEAM_TRY(watch_model(ctx, state, &state->lanes[i]));
    return BEAM_OK;
}

void beam_inference_unwatch(beam_inference *state)
{
    for (size_t i = 0; i < state->num_lanes; i += state->num_buckets)
        beam_model_watch_close(state->lanes[i].watch);
}

void beam_inference_refresh(beam_ctx *ctx, beam_inference *state, beam_lane *lane)
{
    int64_t swaps, refusals;
    if (!lane->watch)
        return;
    beam_model_watch_count(lane->watch, &swaps, &refusals);
    beam_inference_count(ctx, BEAM_METRIC_REFRESHED, swaps);
    beam_inference_count(ctx, BEAM_METRIC_REFUSED, refusals);
    beam_watched *now = beam_model_watch_current(lane->watch);
    if (now && !is_text(lane->model_id, now->model_id) &&
        !is_refused(lane, beam_str_of(now->weights), beam_str_of(now->model_id)))
        (void)beam_inference_use(ctx, state, lane, beam_str_of(now->weights),
                                 beam_str_of(now->model_id),
                                 now->version); /* else the old goes on */
    beam_watched_drop(lane->watch, now);
}
