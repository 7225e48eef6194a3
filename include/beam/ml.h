/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* ml.h - models in pipelines: RunInference, data sets as sources, accuracy.
 *
 *     static beam_status pack(beam_ctx *c, const beam_labeled_image *image,
 *                             const beam_model *model, float *const *rows)
 *     {
 *         return beam_pack_image(c, &image->image, model, rows[0]);
 *     }
 *
 *     BEAM_PREDICTION(labeled_prediction, beam_labeled_image);
 *     BEAM_PREDICTION_HANDLER(classify, beam_labeled_image, labeled_prediction, pack);
 *
 *     beam_pcoll images = beam_read_dataset(pipeline, "cifar10");
 *     beam_pcoll found = beam_run_inference(images, &classify, .max_batch_size = 64,
 *                                           .model = {.network = beam_str_of("resnet18"),
 *                                                     .weights = beam_str_of("resnet18.pth")});
 *     ... BEAM_DOFNS(&classify_fn) ...       among the program's functions
 *
 * A model is loaded once a process and device, however many threads use it; the first of them
 * loads it while the others wait, and it goes when the last of them is done.
 */
#ifndef BEAM_ML_H
#define BEAM_ML_H

#include <beam/dataset.h>
#include <beam/device.h>
#include <beam/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Which model ------------------------------------------------------------------------- */

/* What becomes of a picture's bytes: (pixel * scale - mean) / deviation for red, green and blue,
 * or for grey, the first of each.  A scale of 0: 1/255, means 0 and deviations 1. */
#define BEAM_NORMALIZATION_(FIELD, S) \
    FIELD(S, beam_float, scale)       \
    FIELD(S, beam_float, mean_r)      \
    FIELD(S, beam_float, mean_g)      \
    FIELD(S, beam_float, mean_b)      \
    FIELD(S, beam_float, deviation_r) \
    FIELD(S, beam_float, deviation_g) FIELD(S, beam_float, deviation_b)
BEAM_STRUCT(beam_normalization, BEAM_NORMALIZATION_);

/* A network, its weights and where it runs; travels with the graph.  Left out (empty, 0) means
 * what stands behind; numbers that the weights tell are taken from them. */
#define BEAM_MODEL_SPEC_(FIELD, S)                                                             \
    FIELD(S, beam_str, network)       /* of beam_network_known, or beam_device_load's file */  \
    FIELD(S, beam_str, weights)       /* a file, or of beam_weights_known; made from a seed */ \
    FIELD(S, beam_str, device)        /* as beam_device_open takes it: auto */                 \
    FIELD(S, beam_str, precision)     /* f32 */                                                \
    FIELD(S, beam_int64, num_classes) /* 1000 */                                               \
    FIELD(S, beam_int64, channels)    /* 3 */                                                  \
    FIELD(S, beam_int64, height)      /* 224 */                                                \
    FIELD(S, beam_int64, width)       /* the height */                                         \
    FIELD(S, beam_bool, cifar_stem)   /* see beam_network_options */                           \
    FIELD(S, beam_str, class_map)     /* see beam_predicted_class */                           \
    FIELD(S, beam_normalization, pixels)
BEAM_STRUCT(beam_model_spec, BEAM_MODEL_SPEC_);

/* ---- Model handlers ---------------------------------------------------------------------- */

/* How examples become a model's numbers and its numbers results.  Const, for ever; made with the
 * macros below, which also define the DoFn that runs it. */
typedef struct beam_model_handler {
    size_t struct_size;
    const char *name;
    const beam_type *in, *out;
    const beam_dofn *fn;
    /* Writes one example: rows[i] is its row of the model's i-th input, whose shape is
     * beam_model_input(model, i, 1). */
    beam_status (*pack)(beam_ctx *ctx, const void *example, const beam_model *model,
                        float *const *rows);
    /* Fills *out from the example and its rows of the model's outputs (shapes without the
     * batch).  What it points to may be the example's, the outputs' or beam_alloc's.  NULL: a
     * prediction as BEAM_PREDICTION makes them. */
    beam_status (*unpack)(beam_ctx *ctx, const void *example, const beam_tensor *outputs,
                          size_t num_outputs, void *out);
    /* Makes the network, finished and without weights; NULL: beam_network_create. */
    beam_status (*make_network)(const beam_model_spec *spec, beam_network **network,
                                beam_error *err);
    /* How much an example weighs, for max_batch_weight. */
    int64_t (*element_size)(const void *example);
} beam_model_handler;

/* Beam's PredictionResult: struct S { T example; beam_tensor inference; beam_str model_id; }.
 * The model_id is the weights' name, or the network's when it has none. */
#define BEAM_PREDICTION(S, T)                                     \
    typedef struct S {                                            \
        T example;                                                \
        beam_tensor inference;                                    \
        beam_str model_id;                                        \
    } S;                                                          \
    static const beam_field S##_fields_[] = {                     \
        {"example", &T##_type, offsetof(S, example)},             \
        {"inference", &beam_tensor_type, offsetof(S, inference)}, \
        {"model_id", &beam_str_type, offsetof(S, model_id)}};     \
    BEAM_TYPE_(S##_type, BEAM_KIND_ROW, S, S##_fields_)

/* static beam_status pack(beam_ctx *, const In *, const beam_model *, float *const *rows);
 * static beam_status unpack(beam_ctx *, const In *, const beam_tensor *outputs, size_t n, Out *);
 * BEAM_MODEL_HANDLER(classify, In, Out, pack, unpack);
 * defines the handler `classify` and the DoFn `classify_fn`, which the program lists among its
 * functions.  More members of beam_model_handler follow as designated initialisers. */
#define BEAM_MODEL_HANDLER(NAME, In, Out, pack_function, unpack_function, ...)         \
    static beam_status NAME##_unpack_(beam_ctx *ctx, const void *example,              \
                                      const beam_tensor *outputs, size_t n, void *out) \
    {                                                                                  \
        return unpack_function(ctx, (const In *)example, outputs, n, (Out *)out);      \
    }                                                                                  \
    BEAM_HANDLER_(NAME, In, Out, pack_function, NAME##_unpack_, __VA_ARGS__)

/* The same for a handler whose results are predictions: Out comes from BEAM_PREDICTION. */
#define BEAM_PREDICTION_HANDLER(NAME, In, Out, pack_function, ...) \
    BEAM_HANDLER_(NAME, In, Out, pack_function, NULL, __VA_ARGS__)

/* The spec of the model that the handler's callbacks run for. */
BEAM_API const beam_model_spec *beam_inference_spec(const beam_ctx *ctx);

/* What most handlers of pictures do: a u8 tensor {channels, height, width} is resized (its
 * proportions kept, what is over cut in equal parts) to the size of the model's first input,
 * normalised as the spec says, and written to `row`.  Grey becomes three equal channels where the
 * model wants three. */
BEAM_API beam_status beam_pack_image(beam_ctx *ctx, const beam_tensor *image,
                                     const beam_model *model, float *row);

/* The place of the largest of a tensor's values (f32). */
BEAM_API int64_t beam_argmax(const beam_tensor *values);
/* The class that a classifier's logits tell: the largest; with the spec's class_map
 * "imagenet-cifar10" what beam_imagenet_logits_to_cifar10 makes of 1000 of them. */
BEAM_API int64_t beam_predicted_class(const beam_ctx *ctx, const beam_tensor *logits);

/* ---- RunInference ------------------------------------------------------------------------ */

typedef struct beam_run_inference_args {
    BEAM_COMMON_ARGS_;
    const beam_model_handler *handler;
    beam_model_spec model;
    const char *name;
    int64_t max_batch_size;        /* 64 */
    int64_t min_batch_size;        /* 1: fewer do not go for their age alone */
    int64_t max_batch_duration_ms; /* 0: the oldest example waits until the bundle ends */
    int64_t max_batch_weight;      /* 0: no limit; needs the handler's element_size */
    bool keep_batch_size;          /* fail where the device has no memory for a batch */
    beam_hints hints;
} beam_run_inference_args;

/* Runs a model over all elements (the handler's `in`); gives the handler's `out`, with the
 * timestamps and windows of the elements and in their order.  A batch goes to the device when it
 * is full by number, weight or age, and at the end of a bundle.  One that the device has no memory
 * for is run in halves, as are those after it, unless keep_batch_size is set.
 *
 * Metrics, by Beam's names: num_inferences, failed_batches_counter,
 * inference_request_batch_size, inference_request_batch_byte_size,
 * inference_batch_latency_micro_secs, model_byte_size, load_model_latency_milli_secs (the last
 * two are counted once a load).  And batches_halved; device_fell_back, once a load where "auto"
 * came to the CPU. */
BEAM_API beam_pcoll beam_run_inference_(beam_pcoll in, const beam_run_inference_args *args);
#define beam_run_inference(in, ...) \
    beam_run_inference_((in), BEAM_ARGS_(beam_run_inference_args, __VA_ARGS__))

/* ---- Data sets --------------------------------------------------------------------------- */

#define BEAM_LABELED_IMAGE_(FIELD, S)                            \
    FIELD(S, beam_int64, id)     /* its place in the data set */ \
    FIELD(S, beam_int64, label)  /* its class */                 \
    FIELD(S, beam_tensor, image) /* u8 {channels, height, width} */
BEAM_STRUCT(beam_labeled_image, BEAM_LABELED_IMAGE_);

typedef struct beam_read_dataset_args {
    BEAM_COMMON_ARGS_;
    const char *dataset;  /* "cifar10", "digits" or a folder, as beam_dataset_open takes them */
    const char *split;    /* "test", "train", "all"; NULL: as beam_dataset_open has it */
    const char *data_dir; /* see beam_dataset_options */
    int64_t num_images;   /* only the first so many; 0: all */
    const char *name;
} beam_read_dataset_args;

/* The images of a data set, in ranges that are split while they are read.  Bytes are not copied:
 * they lie in the mapped file (those of picture files are decoded first). */
BEAM_API beam_pcoll beam_read_dataset_(beam_pipeline *pipeline, const beam_read_dataset_args *args);
#define beam_read_dataset(pipeline, ...) \
    beam_read_dataset_((pipeline), BEAM_ARGS_(beam_read_dataset_args, __VA_ARGS__))

/* Data sets of images that a pipeline has at hand: those of a group, say.  They are copied, and
 * sorted by id, so that their order in the group does not matter; every nth of them (the first,
 * for one) goes to *test, the others to *train.  `info` says what they are, all of one size; its
 * count does not matter. */
BEAM_API beam_status beam_dataset_of_images(const beam_iterable *images,
                                            const beam_dataset_info *info, uint32_t nth,
                                            beam_dataset **train, beam_dataset **test,
                                            beam_error *err);

/* ---- A classifier for a data set --------------------------------------------------------- */

typedef struct beam_classifier_options {
    size_t struct_size;
    const char *network; /* NULL: what the weights' notes tell; resnet18, or small_cnn for digits */
    const char *weights; /* a file or a known name; NULL: those that suit */
    int64_t image_size;  /* 0: the notes', the data set's, or 224 for weights made with ImageNet */
    const char *device;  /* NULL: auto */
    const char *precision;  /* NULL: f32 */
    bool untrained_allowed; /* weights not named that cannot be had: run without, and say so */
} beam_classifier_options;

typedef struct beam_classifier {
    beam_model_spec model; /* its strings are the options', or static */
    /* The predicted classes are the data set's (or are mapped to them: model.class_map);
     * otherwise no accuracy can be told, and `reason` says why. */
    bool can_be_scored;
    char reason[512];
} beam_classifier;

/* Chooses model, weights, size and normalisation for a data set, and looks into the weights for
 * what they are, so that what cannot work fails before anything runs. */
BEAM_API beam_status beam_choose_classifier(const beam_dataset_info *dataset,
                                            const beam_classifier_options *options,
                                            beam_classifier *classifier, beam_error *err);

/* ---- Accuracy ---------------------------------------------------------------------------- */

#define BEAM_CLASSIFIED_(FIELD, S)                       \
    FIELD(S, beam_int64, id)        /* of the example */ \
    FIELD(S, beam_int64, label)     /* its class */      \
    FIELD(S, beam_int64, predicted) /* and what was found */
BEAM_STRUCT(beam_classified, BEAM_CLASSIFIED_);

#define BEAM_ACCURACY_(FIELD, S) \
    FIELD(S, beam_int64, correct) FIELD(S, beam_int64, total) FIELD(S, beam_double, accuracy)
BEAM_STRUCT(beam_accuracy_result, BEAM_ACCURACY_);

/* beam_classified to beam_accuracy_result: the share whose predicted class is the label, 0 to 1;
 * NaN of none. */
BEAM_API extern const beam_combinefn beam_accuracy;
/* Brings a beam_accuracy_result home as the metrics "correct" and "scored"; no output. */
BEAM_API extern const beam_dofn beam_tell_accuracy;

/* ---- What the macros are made of --------------------------------------------------------- */

#define BEAM_INFERENCE_CONFIG_(FIELD, S)  \
    FIELD(S, beam_model_spec, model)      \
    FIELD(S, beam_int64, max_batch_size)  \
    FIELD(S, beam_int64, min_batch_size)  \
    FIELD(S, beam_int64, max_duration_ms) \
    FIELD(S, beam_int64, max_weight)      \
    FIELD(S, beam_bool, keep_batch_size)
BEAM_STRUCT(beam_inference_config, BEAM_INFERENCE_CONFIG_);

enum { BEAM_INFERENCE_METRICS_ = 9 };
BEAM_API extern const beam_metric beam_inference_metrics_[BEAM_INFERENCE_METRICS_];

BEAM_API beam_status beam_inference_setup_(beam_ctx *ctx, const beam_model_handler *handler);
BEAM_API beam_status beam_inference_start_(beam_ctx *ctx);
BEAM_API beam_status beam_inference_process_(beam_ctx *ctx, const void *example);
BEAM_API beam_status beam_inference_batch_(beam_ctx *ctx, const void *examples, size_t n);
BEAM_API beam_status beam_inference_finish_(beam_ctx *ctx);
BEAM_API void beam_inference_teardown_(beam_ctx *ctx);

#define BEAM_HANDLER_(NAME, In, Out, pack_function, unpack_, ...)                                \
    static beam_status NAME##_pack_(beam_ctx *ctx, const void *example, const beam_model *model, \
                                    float *const *rows)                                          \
    {                                                                                            \
        return pack_function(ctx, (const In *)example, model, rows);                             \
    }                                                                                            \
    static beam_status NAME##_setup_(beam_ctx *ctx);                                             \
    static const beam_type *const NAME##_outs_[] = {&Out##_type};                                \
    static const beam_dofn NAME##_fn = {.struct_size = sizeof(beam_dofn),                        \
                                        .name = #NAME,                                           \
                                        .in = &In##_type,                                        \
                                        .process = beam_inference_process_,                      \
                                        .process_batch = beam_inference_batch_,                  \
                                        .outs = NAME##_outs_,                                    \
                                        .n_outs = 1,                                             \
                                        .config = &beam_inference_config_type,                   \
                                        .state_size = sizeof(void *),                            \
                                        .metrics = beam_inference_metrics_,                      \
                                        .n_metrics = BEAM_INFERENCE_METRICS_,                    \
                                        .setup = NAME##_setup_,                                  \
                                        .start_bundle = beam_inference_start_,                   \
                                        .finish_bundle = beam_inference_finish_,                 \
                                        .teardown = beam_inference_teardown_};                   \
    static const beam_model_handler NAME = {.struct_size = sizeof(beam_model_handler),           \
                                            .name = #NAME,                                       \
                                            .in = &In##_type,                                    \
                                            .out = &Out##_type,                                  \
                                            .fn = &NAME##_fn,                                    \
                                            .pack = NAME##_pack_,                                \
                                            .unpack = unpack_,                                   \
                                            __VA_ARGS__};                                        \
    static beam_status NAME##_setup_(beam_ctx *ctx)                                              \
    {                                                                                            \
        return beam_inference_setup_(ctx, &NAME);                                                \
    }                                                                                            \
    struct beam_handler_##NAME##_ /* so that a semicolon may follow */

#ifdef __cplusplus
}
#endif
#endif
