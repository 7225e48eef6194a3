/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Stage 1 of the learning path: a pipeline.
 *
 *     read labelled images -> run a model on each -> count what it got right
 *
 * You describe the steps; a runner reads, batches and runs them on all cores.  Begin with main()
 * at the end.  Then try --help, --dot, --precision=bf16, --dataset=a/folder/of/pictures. */
#include <beam/beam.h>

typedef struct inference_job {
    beam_dataset *dataset;
    beam_classifier classifier; /* which model, with which weights, on which device */
} inference_job;

/* A model handler says how an example becomes a model's numbers ... */
static beam_status pack(beam_ctx *c, const beam_labeled_image *image, const beam_model *model,
                        float *const *rows)
{
    return beam_pack_image(c, &image->image, model, rows[0]); /* resize, normalise */
}

/* ... and its numbers a result.  The library makes batches of as many as suit the device. */
static beam_status unpack(beam_ctx *c, const beam_labeled_image *image, const beam_tensor *outputs,
                          size_t n_outputs, beam_classified *result)
{
    (void)n_outputs;
    *result = (beam_classified){image->id, image->label, beam_predicted_class(c, &outputs[0])};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(classify, beam_labeled_image, beam_classified, pack, unpack);

/* A DoFn takes one element and emits any number.  Types are checked before anything runs. */
static beam_status format(beam_ctx *c, const beam_classified *result)
{
    beam_str line = beam_format(c, "%lld,%lld,%lld", (long long)result->id,
                                (long long)result->label, (long long)result->predicted);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, beam_classified, format, BEAM_TYPES(&beam_str_type));

/* Opens the data set and chooses a model for it, as the options ask. */
static beam_status prepare(inference_job *job, const beam_args *args, beam_error *err)
{
    const char *model = beam_args_str(args, "model"), *weights = beam_args_str(args, "weights");
    const beam_dataset_options data = {.struct_size = sizeof data,
                                       .split = beam_args_str(args, "split"),
                                       .data_dir = beam_args_str(args, "data_dir"),
                                       .fall_back = !model && !weights};
    BEAM_TRY(beam_dataset_open(beam_args_str(args, "dataset"), &data, &job->dataset, err));
    const beam_dataset_info *info = beam_dataset_get_info(job->dataset);
    if (info->message)
        BEAM_LOG(NULL, BEAM_LOG_WARNING, "%s", info->message);
    const beam_classifier_options wanted = {.struct_size = sizeof wanted,
                                            .network = model,
                                            .weights = weights,
                                            .image_size = beam_args_int(args, "image_size"),
                                            .device = beam_args_str(args, "device"),
                                            .precision = beam_args_str(args, "precision"),
                                            .untrained_allowed = !beam_args_given(args, "output")};
    return beam_choose_classifier(info, &wanted, &job->classifier, err);
}

/* Describes the pipeline: nothing runs yet. */
static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    inference_job *job = state;
    beam_error err = {0};
    if (prepare(job, args, &err) != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);
    const beam_dataset_info *data = beam_dataset_get_info(job->dataset);

    beam_pcoll images = beam_read_dataset(p, data->name, .split = data->split,
                                          .data_dir = beam_args_str(args, "data_dir"),
                                          .num_images = beam_args_int(args, "num_images"));
    beam_pcoll results =
        beam_run_inference(images, &classify, .model = job->classifier.model,
                           .max_batch_size = beam_args_int(args, "max_batch_size"));
    if (job->classifier.can_be_scored)
        beam_pardo(beam_combine_globally(results, &beam_accuracy), &beam_tell_accuracy);
    if (beam_args_given(args, "output"))
        beam_write_text(beam_pardo(results, &format_fn), beam_args_str(args, "output"));
    return BEAM_OK;
}

/* After the run: what it was and what it found, for people and for --result_json.  Metrics are how
 * numbers leave a pipeline: every runner adds them up and brings them home. */
static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    (void)args;
    const inference_job *job = state;
    const beam_dataset_info *data = beam_dataset_get_info(job->dataset);
    return beam_report_classification(report, result, data, &job->classifier, err);
}

int main(int argc, char **argv)
{
    inference_job job = {0};
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "cpu_inference",
        .about = "Classifies images with a neural network on the CPU, in a pipeline.",
        BEAM_OPTIONS(
            {"dataset", "cifar10|digits|DIR", "cifar10", "images; DIR: a folder a class", 0},
            {"split", "test|train|all", NULL, "which of them; default: test if there is one", 0},
            {"data_dir", "DIR", NULL, "CIFAR-10's; default: $BEAM_DATA_DIR, else the cache", 0},
            {"num_images", "N", "0", "only the first so many; 0: all", 0},
            {"model", "NAME|FILE", NULL, "resnet18, 34, 50, small_cnn, or FILE.onnx, .mlir", 0},
            {"weights", "FILE|NAME", NULL, ".pth, .safetensors, resnet18-cifar10, ...", 0},
            {"image_size", "N", "0", "height and width; 0: as the model was made for", 0},
            {"device", "auto|cpu|reference", "auto", "what runs the model", 0},
            {"precision", "f32|bf16|int8", "f32", "what it computes in; int8: docs/int8.md", 0},
            {"max_batch_size", "N", "0", "most images at once; 0: 64", 0},
            {"output", "PREFIX", NULL, "write id,label,predicted of each to PREFIX-*", 0}),
        .build = build,
        .finish = finish,
        .state = &job,
        .functions = {.struct_size = sizeof app.functions, BEAM_DOFNS(&classify_fn, &format_fn)}};
    int status = beam_main(argc, argv, &app);
    beam_dataset_close(job.dataset);
    return status;
}
