/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Weights that are replaced while a pipeline runs.
 *
 *     images -> RunInference, which watches for newer weights -> results counted by model -> text
 *
 * Put new weights into the watched place under another name and rename them: the next batches are
 * the new model's.  Weights that cannot be loaded are refused, and the old go on. */
#include <beam/beam.h>

static beam_status pack(beam_ctx *c, const beam_labeled_image *image, const beam_model *model,
                        float *const *rows)
{
    return beam_pack_image(c, &image->image, model, rows[0]);
}
BEAM_PREDICTION(image_prediction, beam_labeled_image);
BEAM_PREDICTION_HANDLER(classify, beam_labeled_image, image_prediction, pack);

static beam_status model_of(beam_ctx *c, const image_prediction *prediction)
{
    return beam_emit_value(c, beam_str, &prediction->model_id);
}
BEAM_DOFN(model_of_fn, image_prediction, model_of, BEAM_TYPES(&beam_str_type));

BEAM_KV(model_count, beam_str, beam_int64);

static beam_status format(beam_ctx *c, const model_count *count)
{
    beam_str line = beam_format(c, "%.*s: %lld images", (int)count->key.len, count->key.at,
                                (long long)count->value);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, model_count, format, BEAM_TYPES(&beam_str_type));

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    (void)state;
    beam_error err = {0};
    beam_dataset *dataset;
    beam_classifier first;
    const beam_classifier_options options = {.struct_size = sizeof options,
                                             .weights = beam_args_str(args, "weights"),
                                             .device = beam_args_str(args, "device")};
    const char *name = beam_args_str(args, "dataset");
    if (beam_dataset_open(name, NULL, &dataset, &err) != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);
    beam_status status =
        beam_choose_classifier(beam_dataset_get_info(dataset), &options, &first, &err);
    beam_dataset_close(dataset);
    if (status != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);
    beam_pcoll found =
        beam_run_inference(beam_read_dataset(p, name), &classify, .model = first.model,
                           .watch_model_pattern = beam_args_str(args, "watch"),
                           .watch_interval_ms = beam_args_int(args, "watch_interval_ms"));
    beam_pcoll counts = beam_count_per_element(beam_pardo(found, &model_of_fn));
    beam_write_text(beam_pardo(counts, &format_fn), beam_args_str(args, "output"),
                    .suffix = ".txt");
    return BEAM_OK;
}

int main(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "model_refresh",
        .about = "Runs the newest weights that a pattern of paths matches.",
        BEAM_OPTIONS({"dataset", "NAME|DIR", "digits", "digits, cifar10 or a folder", 0},
                     {"watch", "PATTERN", NULL, "'models/*.safetensors', gs://bucket/m/*", true},
                     {"watch_interval_ms", "N", "10000", "how often it is looked at", 0},
                     {"weights", "FILE|NAME", NULL, "until something matches", 0},
                     {"output", "PREFIX", NULL, "a line a model to PREFIX-*.txt", true},
                     {"device", "NAME", "auto", "what runs the models", 0}),
        .build = build,
        .functions = {.struct_size = sizeof app.functions,
                      BEAM_DOFNS(&classify_fn, &model_of_fn, &format_fn)}};
    return beam_main(argc, argv, &app);
}
