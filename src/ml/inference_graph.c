/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_graph.c - RunInference in a pipeline under construction. */
#include <beam/ml.h>
#include <string.h>

#include "base/map.h"
#include "ml/inference_handler.h"
#include "ml/library.h"
#include "ml/model_load.h"
#include "ml/staging.h"

static const int64_t DEFAULT_BATCH = 64, LARGEST_BATCH = 1 << 20, WATCH_INTERVAL = 10000;

/* Whether results of type `out` can be filled as predictions of examples of type `in`. */
static bool is_prediction(const beam_type *out, const beam_type *in)
{
    return out->kind == BEAM_KIND_ROW && out->n_fields == 3 &&
           beam_type_equal(out->fields[0].type, in) &&
           out->fields[1].type->kind == BEAM_KIND_TENSOR &&
           out->fields[2].type->kind == BEAM_KIND_STR;
}

static beam_status refuse(beam_pcoll in, const beam_run_inference_args *args, const char *why)
{
    return beam_pipeline_fail(in.pipeline, BEAM_INVALID_ARGUMENT, "%s:%d: RunInference%s%s: %s",
                              args->file, args->line, args->handler ? " with handler " : "",
                              args->handler ? args->handler->name : "", why);
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static const char *check_handler(const beam_run_inference_args *args)
{
    const beam_model_handler *handler = args->handler;
    const beam_model_handler *base = handler ? beam_handler_base(handler) : NULL;
    if (!base || !base->pack || !handler->fn)
        return "no handler, or one that BEAM_MODEL_HANDLER did not make";
    if (!base->unpack && !is_prediction(base->out, base->in))
        return "without unpack its results must be a BEAM_PREDICTION of its input";
    const char *why = beam_handler_check(handler);
    return why ? why : beam_inference_check_metrics(handler);
}

static const char *check_batches(const beam_run_inference_args *args)
{
    const beam_int64 *lengths = args->bucket_boundaries.at;
    if (args->max_batch_size < 0 || args->max_batch_size > LARGEST_BATCH ||
        args->min_batch_size < 0 || args->max_batch_duration_ms < 0 || args->max_batch_weight < 0 ||
        args->max_batch_latency_ms < 0)
        return "sizes of batches may not be negative, nor above 1048576";
    if (args->min_batch_size > (args->max_batch_size ? args->max_batch_size : DEFAULT_BATCH))
        return "min_batch_size is above max_batch_size";
    bool measures = beam_handler_can_measure(args->handler);
    if (args->max_batch_weight && !measures && !beam_handler_can_weigh(args->handler))
        return "max_batch_weight needs the handler's element_size";
    if (args->bucket_boundaries.len && !measures)
        return "bucket_boundaries need the handler's element_length";
    for (size_t i = 0; i < args->bucket_boundaries.len; i++)
        if (lengths[i] < 1 || (i && lengths[i] <= lengths[i - 1]))
            return "bucket_boundaries must be positive and rise";
    return NULL;
}

static const char *check_keys(const beam_run_inference_args *args)
{
    beam_map seen = {0};
    const char *why = NULL;
    for (size_t i = 0; i < args->num_models && !why; i++) {
        const beam_str *keys = args->models[i].keys.at;
        if (!args->models[i].keys.len)
            why = "one of its models has no keys";
        for (size_t k = 0; k < args->models[i].keys.len && !why; k++) {
            const char *at = keys[k].at ? keys[k].at : "";
            if (!beam_handler_can_have_key(args->handler, keys[k]))
                why = "its keys are int64s, and a key of one of its models is not the text of one";
            else if (beam_map_getn(&seen, at, keys[k].len))
                why = "a key is named for two models";
            else if (beam_map_setn(&seen, at, keys[k].len, &seen) != BEAM_OK)
                why = "no memory for its keys";
        }
    }
    beam_map_free(&seen);
    return why;
}

static const char *check_models(const beam_run_inference_args *args)
{
    const beam_model_handler *base = beam_handler_base(args->handler);
    if (args->num_models && !beam_handler_has_keys(args->handler))
        return "a model a key wants a BEAM_KEYED_HANDLER whose keys are strings or int64s";
    if (!args->model.network.len && !base->make_network && !args->num_models)
        return "the model names no network";
    for (size_t i = 0; i < args->num_models; i++)
        if (!args->models[i].model.network.len && !base->make_network)
            return "the model of a key names no network";
    if (args->num_models && args->model_metadata.of.id)
        return "model_metadata names one model: give each of several its watch_model_pattern";
    if (args->num_models && args->watch_model_pattern && !args->model.network.len)
        return "watch_model_pattern is for the model of all other keys, and there is none";
    if (args->watch_model_pattern && args->model_metadata.of.id)
        return "either watch_model_pattern or model_metadata names newer weights";
    if (args->watch_interval_ms < 0 || args->inference_timeout_ms < 0)
        return "watch_interval_ms or inference_timeout_ms is negative";
    if (args->model_memory_budget < 0)
        return "model_memory_budget is negative";
    if (!(args->failure_threshold >= 0 && args->failure_threshold <= 1))
        return "failure_threshold is a share, from 0 to 1";
    if (args->failure_threshold > 0 && !args->with_exception_handling)
        return "failure_threshold needs with_exception_handling";
    return check_keys(args);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static beam_status locate(const char *name, char **path, beam_error *err)
{
    return beam_weights_locate(name, NULL, path, err);
}

void beam_pipeline_needs_weights(beam_pipeline *pipeline, const char *name)
{
    beam_pipeline_needs_file(pipeline, BEAM_STAGED_WEIGHTS, name, locate);
}

/* Weights, and files of a model made elsewhere, go to workers. */
static beam_status needs_files(beam_pipeline *pipeline, const beam_model_spec *model,
                               beam_error *err)
{
    beam_spec_text weights, paths;
    if (beam_spec_is_address(model))
        return beam_spec_check_address(model, err);
    BEAM_TRY(beam_spec_field(model->weights, "weights", "", &weights, err));
    if (*weights.text)
        beam_pipeline_needs_weights(pipeline, weights.text);
    if (!beam_spec_is_file(model))
        return BEAM_OK;
    BEAM_TRY(beam_spec_field(model->network, "network", "", &paths, err));
    char *rest = NULL;
    for (char *path = strtok_r(paths.text, ",", &rest); path; path = strtok_r(NULL, ",", &rest))
        beam_pipeline_needs_weights(pipeline, path);
    return BEAM_OK;
}

static beam_status needs_all_files(beam_pcoll in, const beam_run_inference_args *args)
{
    beam_error err = {0};
    beam_status status = needs_files(in.pipeline, &args->model, &err);
    for (size_t i = 0; i < args->num_models && status == BEAM_OK; i++)
        status = needs_files(in.pipeline, &args->models[i].model, &err);
    return status == BEAM_OK ? BEAM_OK : refuse(in, args, err.message);
}

/* ---- Too many failures ----------------------------------------------------------------------- */

static beam_status one_for_all(beam_ctx *ctx, const void *elements, size_t n, double value)
{
    (void)elements;
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(beam_emit(ctx, beam_double, value));
    return BEAM_OK;
}

static beam_status count_done(beam_ctx *ctx, const void *elements, size_t n)
{
    return one_for_all(ctx, elements, n, 0);
}

static beam_status count_failed(beam_ctx *ctx, const void *elements, size_t n)
{
    return one_for_all(ctx, elements, n, 1);
}

static beam_status check_share(beam_ctx *ctx, const void *element)
{
    double share = *(const beam_double *)element, most = *beam_config(ctx, beam_double);
    if (share > most)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "%.4g of the elements failed in RunInference, and failure_threshold is "
                         "%.4g",
                         share, most);
    return BEAM_OK;
}

static const beam_type *const doubles[] = {&beam_double_type};
const beam_dofn beam_inference_done_fn = {.struct_size = sizeof(beam_dofn),
                                          .name = "beam:inference_done",
                                          .process_batch = count_done,
                                          .outs = doubles,
                                          .n_outs = 1};
const beam_dofn beam_inference_failed_fn = {.struct_size = sizeof(beam_dofn),
                                            .name = "beam:inference_failed",
                                            .process_batch = count_failed,
                                            .outs = doubles,
                                            .n_outs = 1};
const beam_dofn beam_inference_threshold_fn = {.struct_size = sizeof(beam_dofn),
                                               .name = "beam:inference_threshold",
                                               .in = &beam_double_type,
                                               .process = check_share,
                                               .config = &beam_double_type};

/* The share of failures of all elements is their mean, when one is 1 and a result 0. */
static void add_threshold(beam_pcoll found, const beam_run_inference_args *args)
{
    beam_pcoll counted[BEAM_INFERENCE_OUTPUTS_];
    const beam_double most = args->failure_threshold;
    beam_composite_begin_at(found.pipeline, "FailureThreshold", NULL, args->file, args->line);
    for (uint32_t i = 0; i < BEAM_INFERENCE_OUTPUTS_; i++)
        counted[i] = beam_pardo(beam_output(found, i),
                                i ? &beam_inference_failed_fn : &beam_inference_done_fn);
    beam_pcoll all = beam_flatten(counted, BEAM_INFERENCE_OUTPUTS_);
    beam_pardo(beam_combine_globally(all, &beam_mean_double), &beam_inference_threshold_fn,
               .config = &most);
    beam_composite_end(found.pipeline);
}

/* ---- RunInference ---------------------------------------------------------------------------- */

static beam_pcoll apply(beam_pcoll in, const beam_run_inference_args *args,
                        const beam_inference_config *config)
{
    const beam_pardo_args pardo = {.struct_size = sizeof pardo,
                                   .file = args->file,
                                   .line = args->line,
                                   .fn = args->handler->fn,
                                   .name = args->name ? args->name : "RunInference",
                                   .config = config,
                                   .sides = &args->model_metadata,
                                   .n_sides = config->has_metadata,
                                   .hints = beam_handler_hints(args->handler, &args->hints)};
    return beam_pardo_(in, &pardo);
}

beam_pcoll beam_run_inference_(beam_pcoll in, const beam_run_inference_args *args)
{
    enum { MOST_ARGUMENTS = 64 };
    const beam_pcoll none = {in.pipeline, 0};
    beam_inference_argument arguments[MOST_ARGUMENTS];
    const char *why = check_handler(args);
    why = why ? why : check_batches(args);
    why = why ? why : check_models(args);
    why = why || args->num_inference_args <= MOST_ARGUMENTS ? why : "more than 64 inference_args";
    if (why) {
        (void)refuse(in, args, why);
        return none;
    }
    if (needs_all_files(in, args) != BEAM_OK)
        return none;
    for (size_t i = 0; i < args->num_inference_args; i++)
        arguments[i] = (beam_inference_argument){beam_str_of(args->inference_args[i].name),
                                                 beam_str_of(args->inference_args[i].value)};
    const beam_inference_config config = {
        .model = args->model,
        .models = {args->models, args->num_models},
        .memory_budget = args->model_memory_budget,
        .max_batch_size = args->max_batch_size ? args->max_batch_size : DEFAULT_BATCH,
        .min_batch_size = args->min_batch_size ? args->min_batch_size : 1,
        .max_duration_ms = args->max_batch_duration_ms,
        .max_weight = args->max_batch_weight,
        .max_latency_ms = args->max_batch_latency_ms,
        .boundaries = args->bucket_boundaries,
        .arguments = {arguments, args->num_inference_args},
        .metrics_namespace = beam_str_of(args->metrics_namespace),
        .watch_pattern = beam_str_of(args->watch_model_pattern),
        .watch_interval_ms = args->watch_interval_ms ? args->watch_interval_ms : WATCH_INTERVAL,
        .timeout_ms = args->inference_timeout_ms,
        .has_metadata = args->model_metadata.of.id != 0,
        .keep_batch_size = args->keep_batch_size,
        .handles_failures = args->with_exception_handling};
    beam_pcoll found = apply(in, args, &config);
    if (args->failure_threshold > 0)
        add_threshold(found, args);
    return found;
}
