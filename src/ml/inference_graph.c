/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_graph.c - RunInference in a pipeline under construction. */
#include <beam/ml.h>
#include <string.h>

#include "ml/model_load.h"
#include "ml/staging.h"

static const int64_t DEFAULT_BATCH = 64, LARGEST_BATCH = 1 << 20;

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

static beam_status check(beam_pcoll in, const beam_run_inference_args *args)
{
    const beam_model_handler *handler = args->handler;
    if (!handler || !handler->pack || !handler->fn)
        return refuse(in, args, "no handler, or one that BEAM_MODEL_HANDLER did not make");
    if (!handler->unpack && !is_prediction(handler->out, handler->in))
        return refuse(in, args,
                      "without unpack its results must be a BEAM_PREDICTION of its input");
    if (!args->model.network.len && !handler->make_network)
        return refuse(in, args, "the model names no network");
    if (args->max_batch_size < 0 || args->max_batch_size > LARGEST_BATCH ||
        args->min_batch_size < 0 || args->max_batch_duration_ms < 0 || args->max_batch_weight < 0)
        return refuse(in, args, "sizes of batches may not be negative, nor above 1048576");
    if (args->min_batch_size > (args->max_batch_size ? args->max_batch_size : DEFAULT_BATCH))
        return refuse(in, args, "min_batch_size is above max_batch_size");
    if (args->max_batch_weight && !handler->element_size)
        return refuse(in, args, "max_batch_weight needs the handler's element_size");
    return BEAM_OK;
}

static beam_status locate(const char *name, char **path, beam_error *err)
{
    return beam_weights_locate(name, NULL, path, err);
}

void beam_pipeline_needs_weights(beam_pipeline *pipeline, const char *name)
{
    beam_pipeline_needs_file(pipeline, BEAM_STAGED_WEIGHTS, name, locate);
}

/* Files of a model made elsewhere go to workers as weights do. */
static beam_status needs_files(beam_pipeline *pipeline, const beam_model_spec *model,
                               beam_error *err)
{
    beam_spec_text paths;
    if (!beam_spec_is_file(model))
        return BEAM_OK;
    BEAM_TRY(beam_spec_field(model->network, "network", "", &paths, err));
    char *rest = NULL;
    for (char *path = strtok_r(paths.text, ",", &rest); path; path = strtok_r(NULL, ",", &rest))
        beam_pipeline_needs_weights(pipeline, path);
    return BEAM_OK;
}

beam_pcoll beam_run_inference_(beam_pcoll in, const beam_run_inference_args *args)
{
    const beam_pcoll none = {in.pipeline, 0};
    beam_spec_text weights;
    beam_error err = {0};
    if (check(in, args) != BEAM_OK)
        return none;
    if (beam_spec_field(args->model.weights, "weights", "", &weights, &err) != BEAM_OK ||
        needs_files(in.pipeline, &args->model, &err) != BEAM_OK) {
        (void)refuse(in, args, err.message);
        return none;
    }
    if (*weights.text)
        beam_pipeline_needs_weights(in.pipeline, weights.text);
    const beam_inference_config config = {
        .model = args->model,
        .max_batch_size = args->max_batch_size ? args->max_batch_size : DEFAULT_BATCH,
        .min_batch_size = args->min_batch_size ? args->min_batch_size : 1,
        .max_duration_ms = args->max_batch_duration_ms,
        .max_weight = args->max_batch_weight,
        .keep_batch_size = args->keep_batch_size};
    const beam_pardo_args pardo = {.struct_size = sizeof pardo,
                                   .file = args->file,
                                   .line = args->line,
                                   .fn = args->handler->fn,
                                   .name = args->name ? args->name : "RunInference",
                                   .config = &config,
                                   .hints = args->hints};
    return beam_pardo_(in, &pardo);
}
