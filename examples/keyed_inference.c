/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Two models side by side in one pipeline: each image goes to one of them, by its key, and each
 * model's accuracy comes out.
 *
 *     images -> a key each -> RunInference, a model a key -> accuracy per key -> text
 *
 * More models are more entries of `models`.  With --memory_budget_mb those that do not fit take
 * turns. */
#include <beam/beam.h>

BEAM_KV(keyed_image, beam_str, beam_labeled_image);
BEAM_KV(keyed_class, beam_str, beam_classified);
BEAM_KV(keyed_accuracy, beam_str, beam_accuracy_result);

static beam_status choose(beam_ctx *c, const beam_labeled_image *image)
{
    const char *key = image->id % 2 ? "b" : "a";
    return beam_emit(c, keyed_image, .key = beam_str_of(key), .value = *image);
}
BEAM_DOFN(choose_fn, beam_labeled_image, choose, BEAM_TYPES(&keyed_image_type));

static beam_status pack(beam_ctx *c, const beam_labeled_image *image, const beam_model *model,
                        float *const *rows)
{
    return beam_pack_image(c, &image->image, model, rows[0]);
}

static beam_status unpack(beam_ctx *c, const beam_labeled_image *image, const beam_tensor *outputs,
                          size_t n, beam_classified *out)
{
    (void)n;
    *out = (beam_classified){image->id, image->label, beam_predicted_class(c, &outputs[0])};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(classify, beam_labeled_image, beam_classified, pack, unpack);
BEAM_KEYED_HANDLER(classify_keyed, keyed_image, keyed_class, classify);

static beam_status format(beam_ctx *c, const keyed_accuracy *a)
{
    beam_str line =
        beam_format(c, "%.*s: %lld of %lld, accuracy %.4f", (int)a->key.len, a->key.at,
                    (long long)a->value.correct, (long long)a->value.total, a->value.accuracy);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, keyed_accuracy, format, BEAM_TYPES(&beam_str_type));

/* The model that suits the data set, with these weights. */
static beam_status choose_model(const beam_args *args, const char *weights, const char *precision,
                                beam_model_spec *model, beam_error *err)
{
    beam_dataset *dataset;
    beam_classifier found;
    const beam_classifier_options options = {.struct_size = sizeof options,
                                             .weights = beam_args_str(args, weights),
                                             .device = beam_args_str(args, "device"),
                                             .precision = beam_args_str(args, precision)};
    BEAM_TRY(beam_dataset_open(beam_args_str(args, "dataset"), NULL, &dataset, err));
    beam_status status =
        beam_choose_classifier(beam_dataset_get_info(dataset), &options, &found, err);
    *model = found.model;
    beam_dataset_close(dataset);
    return status;
}

/* Any that is more than bytes can be counted is no limit at all. */
static int64_t bytes_of(int64_t megabytes)
{
    return megabytes < INT64_MAX / 1000000 ? megabytes * 1000000 : INT64_MAX;
}

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    (void)state;
    beam_error err = {0};
    beam_key_model models[] = {{.keys = BEAM_KEYS(beam_str_of("a"))},
                               {.keys = BEAM_KEYS(beam_str_of("b"))}};
    if (choose_model(args, "weights_a", "precision_a", &models[0].model, &err) != BEAM_OK ||
        choose_model(args, "weights_b", "precision_b", &models[1].model, &err) != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);
    beam_pcoll images =
        beam_pardo(beam_read_dataset(p, beam_args_str(args, "dataset")), &choose_fn);
    beam_pcoll found = beam_run_inference(
        images, &classify_keyed, .models = models, .num_models = 2,
        .model_memory_budget = bytes_of(beam_args_int(args, "memory_budget_mb")));
    beam_pcoll scores = beam_combine_per_key(found, &beam_accuracy);
    beam_write_text(beam_pardo(scores, &format_fn), beam_args_str(args, "output"),
                    .suffix = ".txt");
    return BEAM_OK;
}

int main(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "keyed_inference",
        .about = "Compares two models: every other image goes to each.",
        BEAM_OPTIONS({"dataset", "NAME|DIR", "digits", "digits, cifar10 or a folder", 0},
                     {"output", "PREFIX", NULL, "a line a model to PREFIX-*.txt", true},
                     {"weights_a", "FILE|NAME", NULL, "of the model of key a", 0},
                     {"weights_b", "FILE|NAME", NULL, "of the model of key b", 0},
                     {"precision_a", "f32|bf16|f16", "f32", "what it computes in", 0},
                     {"precision_b", "f32|bf16|f16", "bf16", "what the other computes in", 0},
                     {"device", "NAME", "auto", "what runs the models", 0},
                     {"memory_budget_mb", "N", "0", "for models on the device; 0: any", 0}),
        .build = build,
        .functions = {.struct_size = sizeof app.functions,
                      BEAM_DOFNS(&choose_fn, &classify_keyed_fn, &format_fn)}};
    return beam_main(argc, argv, &app);
}
