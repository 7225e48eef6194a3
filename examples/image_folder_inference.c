/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Pictures in a folder, or behind a gs:// pattern, to what they show.
 *
 *     match files -> read them -> run a model on each -> a line a picture
 *
 * The model handler decodes: JPEG and PNG go straight from a file's bytes to the model's input. */
#include <beam/beam.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREDICTED(FIELD, S)                     \
    FIELD(S, beam_str, path)                    \
    FIELD(S, beam_int64, predicted) /* class */ \
    FIELD(S, beam_double, confidence)
BEAM_STRUCT(predicted_image, PREDICTED);

static beam_status pack(beam_ctx *c, const beam_file_contents *file, const beam_model *model,
                        float *const *rows)
{
    beam_status status = beam_pack_image_file(c, file->contents, model, rows[0]);
    if (status != BEAM_OK) /* of a batch's pictures nobody else tells which it was */
        beam_error_wrap(beam_ctx_error(c), status, "%.*s", (int)file->path.len, file->path.at);
    return status;
}

/* The softmax of the largest logit. */
static double confidence(const beam_tensor *logits, int64_t best)
{
    const float *at = logits->data;
    double sum = 0;
    for (int64_t i = 0; i < logits->shape[0]; i++)
        sum += (double)expf(at[i] - at[best]);
    return 1 / sum;
}

static beam_status unpack(beam_ctx *c, const beam_file_contents *file, const beam_tensor *outputs,
                          size_t n_outputs, predicted_image *result)
{
    (void)c;
    (void)n_outputs;
    int64_t best = beam_argmax(&outputs[0]);
    *result = (predicted_image){file->path, best, confidence(&outputs[0], best)};
    return BEAM_OK;
}

/* A batch holds its files' bytes until it has run: photographs are limited by weight. */
static int64_t weight(const void *file)
{
    return (int64_t)((const beam_file_contents *)file)->contents.len;
}
BEAM_MODEL_HANDLER(look, beam_file_contents, predicted_image, pack, unpack, .element_size = weight);

/* The class's line in --labels, or its number. */
static beam_status format(beam_ctx *c, const predicted_image *image)
{
    beam_str names = *beam_config(c, beam_str), name = {0};
    int64_t class = 0;
    for (size_t at = 0; at < names.len && class <= image->predicted; class ++) {
        const char *end = memchr(names.at + at, '\n', names.len - at);
        name = (beam_str){names.at + at, end ? (size_t)(end - names.at) - at : names.len - at};
        at += name.len + 1;
    }
    name.len -= name.len && name.at[name.len - 1] == '\r'; /* a file from Windows */
    bool named = class > image->predicted && name.len > 0;
    beam_str line = named ? beam_format(c, "%.*s,%.*s,%.4f", (int)image->path.len, image->path.at,
                                        (int)name.len, name.at, image->confidence)
                          : beam_format(c, "%.*s,%lld,%.4f", (int)image->path.len, image->path.at,
                                        (long long)image->predicted, image->confidence);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, predicted_image, format, BEAM_TYPES(&beam_str_type), .config = &beam_str_type);

/* What a model that does not say otherwise takes pictures for: ImageNet's. */
static const beam_dataset_info pictures = {.name = "pictures",
                                           .channels = 3,
                                           .scale = 1 / 255.0f,
                                           .mean = {0.485f, 0.456f, 0.406f},
                                           .deviation = {0.229f, 0.224f, 0.225f}};

typedef struct job {
    beam_classifier classifier;
    char *labels; /* the file's text */
} job;

static beam_status read_labels(job *j, const char *path, beam_error *err)
{
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "r");
    j->labels = calloc(1, MOST);
    size_t len = file && j->labels ? fread(j->labels, 1, MOST - 1, file) : 0;
    bool good = file && j->labels && !ferror(file) && feof(file);
    if (file)
        (void)fclose(file); /* only read */
    if (!good || !len)
        return beam_error_set(
            err, BEAM_NOT_FOUND,
            "--labels=%s cannot be read: expected a file of less than 1 MB with a "
            "class's name a line, the first class first",
            path);
    return BEAM_OK;
}

static beam_status prepare(job *j, const beam_args *args, beam_error *err)
{
    const beam_classifier_options wanted = {.struct_size = sizeof wanted,
                                            .network = beam_args_str(args, "model"),
                                            .weights = beam_args_str(args, "weights"),
                                            .image_size = beam_args_int(args, "image_size"),
                                            .device = beam_args_str(args, "device"),
                                            .precision = beam_args_str(args, "precision")};
    if (beam_args_given(args, "labels"))
        BEAM_TRY(read_labels(j, beam_args_str(args, "labels"), err));
    BEAM_TRY(beam_choose_classifier(&pictures, &wanted, &j->classifier, err));
    (void)snprintf(j->classifier.reason, sizeof j->classifier.reason,
                   "nothing says what the pictures show");
    return BEAM_OK;
}

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    job *j = state;
    beam_error err = {0};
    if (prepare(j, args, &err) != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);
    const beam_str labels = beam_str_of(j->labels ? j->labels : "");
    beam_pcoll files = beam_read_files(beam_match_files(p, beam_args_str(args, "input")));
    beam_pcoll found = beam_run_inference(files, &look, .model = j->classifier.model,
                                          .max_batch_size = beam_args_int(args, "max_batch_size"),
                                          .max_batch_weight = 32 << 20);
    beam_write_text(beam_pardo(found, &format_fn, .config = &labels), beam_args_str(args, "output"),
                    .suffix = ".csv");
    return BEAM_OK;
}

static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    (void)args;
    const job *j = state;
    return beam_report_classification(report, result, &pictures, &j->classifier, err);
}

int main(int argc, char **argv)
{
    job j = {0};
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "image_folder_inference",
        .about = "Tells what pictures show: JPEG and PNG files, local or in Cloud Storage.",
        BEAM_OPTIONS(
            {"input", "GLOB", NULL, "'photos/*.jpg', gs://bucket/photos/*", true},
            {"output", "PREFIX", NULL, "path,class,confidence of each to PREFIX-*.csv", true},
            {"model", "NAME|FILE", NULL, "resnet18, 34, 50, or FILE.onnx, .mlir", 0},
            {"weights", "FILE|NAME", NULL, ".pth, .safetensors, resnet18-cifar10, ...", 0},
            {"labels", "FILE", NULL, "names of the classes, one a line", 0},
            {"image_size", "N", "0", "height and width; 0: as the model was made for", 0},
            {"device", "NAME", "auto", "what runs the model", 0},
            {"precision", "f32|bf16|f16", "f32", "what it computes in", 0},
            {"max_batch_size", "N", "0", "most pictures at once; 0: 64", 0}),
        .build = build,
        .finish = finish,
        .state = &j,
        .functions = {.struct_size = sizeof app.functions, BEAM_DOFNS(&look_fn, &format_fn)}};
    int status = beam_main(argc, argv, &app);
    free(j.labels);
    return status;
}
