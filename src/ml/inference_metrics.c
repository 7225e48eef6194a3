/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_metrics.c - what RunInference counts.  A handler's own metrics have the first places,
 * so that its callbacks count by those of its list; RunInference's come behind them, and behind
 * these what each model of keys has of its own. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ml/inference.h"

static const beam_metric metrics[BEAM_INFERENCE_METRICS] = {
    [BEAM_METRIC_INFERENCES] = {"num_inferences", BEAM_COUNTER},
    [BEAM_METRIC_FAILED_BATCHES] = {"failed_batches_counter", BEAM_COUNTER},
    [BEAM_METRIC_BATCH_SIZE] = {"inference_request_batch_size", BEAM_DISTRIBUTION},
    [BEAM_METRIC_BATCH_BYTES] = {"inference_request_batch_byte_size", BEAM_DISTRIBUTION},
    [BEAM_METRIC_BATCH_LATENCY] = {"inference_batch_latency_micro_secs", BEAM_DISTRIBUTION},
    [BEAM_METRIC_MODEL_BYTES] = {"model_byte_size", BEAM_DISTRIBUTION},
    [BEAM_METRIC_LOAD_LATENCY] = {"load_model_latency_milli_secs", BEAM_DISTRIBUTION},
    [BEAM_METRIC_BATCHES_HALVED] = {"batches_halved", BEAM_COUNTER},
    [BEAM_METRIC_FELL_BACK] = {"device_fell_back", BEAM_COUNTER},
    [BEAM_METRIC_EVICTED] = {"models_evicted", BEAM_COUNTER},
    [BEAM_METRIC_REFRESHED] = {"models_refreshed", BEAM_COUNTER},
    [BEAM_METRIC_REFUSED] = {"models_refused", BEAM_COUNTER},
    [BEAM_METRIC_FAILED_PREPROCESSING] = {"failed_preprocessing", BEAM_COUNTER},
    [BEAM_METRIC_FAILED_INFERENCES] = {"failed_inferences", BEAM_COUNTER},
    [BEAM_METRIC_FAILED_POSTPROCESSING] = {"failed_postprocessing", BEAM_COUNTER},
    [BEAM_METRIC_REMOTE_RETRIES] = {"remote_retries", BEAM_COUNTER},
    [BEAM_METRIC_THROTTLED_SECONDS] = {"cumulativeThrottlingSeconds", BEAM_COUNTER},
};

/* The words between a key and a metric: Beam's prefix of a key ends in "-", and of that it makes
 * one that ends in "_". */
static const char BETWEEN[] = "-_";

beam_str beam_inference_namespace_(const void *config)
{
    return ((const beam_inference_config *)config)->metrics_namespace;
}

const beam_metric *beam_inference_metric_(const beam_model_handler *handler, size_t place)
{
    const beam_model_handler *counting = beam_handler_counting(handler);
    size_t own = counting ? counting->n_metrics : 0;
    if (place < own)
        return &counting->metrics[place];
    if ((counting && counting->override_metrics) || place - own >= BEAM_INFERENCE_METRICS)
        return NULL;
    return &metrics[place - own];
}

size_t beam_inference_more_metrics_(const beam_model_handler *handler, const void *config,
                                    size_t place, char *name, size_t size, beam_metric_kind *kind)
{
    const beam_model_handler *counting = beam_handler_counting(handler);
    const beam_key_model_list *list = &((const beam_inference_config *)config)->models;
    const beam_key_model *models = list->at;
    size_t model = place / BEAM_MODEL_METRICS;
    const beam_metric *metric = &metrics[place % BEAM_MODEL_METRICS];
    if ((counting && counting->override_metrics) || model >= list->len ||
        model >= BEAM_MODELS_WITH_METRICS)
        return 0;
    const beam_str *keys = models[model].keys.at;
    const beam_str key = models[model].keys.len ? keys[0] : (beam_str){0};
    *kind = metric->kind;
    int len = snprintf(name, size, "%.*s%s%s", key.len < INT_MAX ? (int)key.len : INT_MAX,
                       key.at ? key.at : "", BETWEEN, metric->name);
    return len > 0 ? (size_t)len : 0;
}

const char *beam_inference_check_metrics(const beam_model_handler *handler)
{
    const beam_model_handler *counting = beam_handler_counting(handler);
    size_t own = counting && !counting->override_metrics ? counting->n_metrics : 0;
    for (size_t i = 0; i < own; i++)
        for (size_t k = 0; k < BEAM_INFERENCE_METRICS; k++)
            if (strcmp(counting->metrics[i].name, metrics[k].name) == 0)
                return "a metric of its own has the name of one of RunInference's: give it "
                       "another, or override_metrics";
    return NULL;
}

/* ---- At work --------------------------------------------------------------------------------- */

/* The place of the first of RunInference's; false: the handler overrides them. */
static bool first_place(const beam_ctx *ctx, uint32_t *first)
{
    const beam_model_handler *counting = (*(beam_inference **)ctx->state)->counting;
    *first = counting ? (uint32_t)counting->n_metrics : 0;
    return !counting || !counting->override_metrics;
}

/* The place of the same metric of the model that runs; false: it has none of its own. */
static bool place_of_model(const beam_ctx *ctx, uint32_t metric, uint32_t *place)
{
    const beam_lane *lane = (*(beam_inference **)ctx->state)->running;
    if (!lane || !lane->metrics || metric >= BEAM_MODEL_METRICS)
        return false;
    *place = lane->metrics + metric;
    return true;
}

void beam_inference_count(beam_ctx *ctx, uint32_t metric, int64_t n)
{
    uint32_t first, own;
    if (!first_place(ctx, &first))
        return;
    beam_count(ctx, first + metric, n);
    if (place_of_model(ctx, metric, &own))
        beam_count(ctx, first + own, n);
}

void beam_inference_count_failure(beam_ctx *ctx, const beam_waiting *waiting)
{
    uint32_t first;
    uint32_t metric =
        BEAM_METRIC_FAILED_PREPROCESSING + waiting->failed - BEAM_FAILED_PREPROCESSING;
    if (!waiting->is_strange)
        beam_inference_count(ctx, metric, 1);
    else if (first_place(ctx, &first))
        beam_count(ctx, first + metric, 1);
}

void beam_inference_distribute(beam_ctx *ctx, uint32_t metric, int64_t value)
{
    uint32_t first, own;
    if (!first_place(ctx, &first))
        return;
    beam_distribution_update(ctx, first + metric, value);
    if (place_of_model(ctx, metric, &own))
        beam_distribution_update(ctx, first + own, value);
}

void beam_inference_count_batch(beam_ctx *ctx, const beam_inference_batch *batch)
{
    const beam_model_handler *counting = (*(beam_inference **)ctx->state)->counting;
    if (counting && counting->override_metrics) {
        counting->override_metrics(ctx, batch);
        return;
    }
    if (batch->status != BEAM_OK) {
        beam_inference_count(ctx, BEAM_METRIC_FAILED_BATCHES, 1);
        return;
    }
    beam_inference_count(ctx, BEAM_METRIC_INFERENCES, batch->num_examples);
    beam_inference_distribute(ctx, BEAM_METRIC_BATCH_SIZE, batch->num_examples);
    beam_inference_distribute(ctx, BEAM_METRIC_BATCH_BYTES, batch->num_bytes);
    beam_inference_distribute(ctx, BEAM_METRIC_BATCH_LATENCY, batch->latency_micro_secs);
}
