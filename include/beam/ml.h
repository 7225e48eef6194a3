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
 * or for grey, the first of each.  A scale of 0: 1/255, means 0 and deviations 1; with another a
 * deviation of 0 is an error. */
#define BEAM_NORMALIZATION_(FIELD, S) \
    FIELD(S, beam_float, scale)       \
    FIELD(S, beam_float, mean_r)      \
    FIELD(S, beam_float, mean_g)      \
    FIELD(S, beam_float, mean_b)      \
    FIELD(S, beam_float, deviation_r) \
    FIELD(S, beam_float, deviation_g) FIELD(S, beam_float, deviation_b)
BEAM_STRUCT(beam_normalization, BEAM_NORMALIZATION_);

/* How a server is asked that has the model: beam_remote_options. */
#define BEAM_REMOTE_SPEC_(FIELD, S)            \
    FIELD(S, beam_int64, num_retries)          \
    FIELD(S, beam_double, retry_delay_secs)    \
    FIELD(S, beam_double, throttle_delay_secs) \
    FIELD(S, beam_double, timeout_secs)        \
    FIELD(S, beam_double, requests_per_second) \
    FIELD(S, beam_str, credentials)
BEAM_STRUCT(beam_remote_spec, BEAM_REMOTE_SPEC_);

/* A network, its weights and where it runs; travels with the graph.  Left out (empty, 0) means
 * what stands behind; numbers that the weights tell are taken from them. */
#define BEAM_MODEL_SPEC_(FIELD, S)                                                                \
    FIELD(S, beam_str, network)       /* of beam_network_known, or what beam_device_load takes */ \
    FIELD(S, beam_str, weights)       /* a file, or of beam_weights_known; made from a seed */    \
    FIELD(S, beam_str, device)        /* as beam_device_open takes it: auto */                    \
    FIELD(S, beam_str, precision)     /* f32 */                                                   \
    FIELD(S, beam_int64, num_classes) /* 1000 */                                                  \
    FIELD(S, beam_int64, channels)    /* 3 */                                                     \
    FIELD(S, beam_int64, height)      /* 224 */                                                   \
    FIELD(S, beam_int64, width)       /* the height */                                            \
    FIELD(S, beam_bool, cifar_stem)   /* see beam_network_options */                              \
    FIELD(S, beam_str, class_map)     /* see beam_predicted_class */                              \
    FIELD(S, beam_int64, length)      /* RunInference sets it: see element_length */              \
    FIELD(S, beam_normalization, pixels)                                                          \
    FIELD(S, beam_remote_spec, remote) /* of a network that is an address */
BEAM_STRUCT(beam_model_spec, BEAM_MODEL_SPEC_);

/* ---- Model handlers ---------------------------------------------------------------------- */

/* What a device was given to run at once, for override_metrics. */
typedef struct beam_inference_batch {
    size_t struct_size;
    beam_status status;         /* other than BEAM_OK: it did not run */
    int64_t num_examples;       /* without padding */
    int64_t num_bytes;          /* of the model's inputs for these */
    int64_t latency_micro_secs; /* of the run alone */
} beam_inference_batch;

/* How examples become a model's numbers and its numbers results.  Const, for ever; made with the
 * macros below, which also define the DoFn that runs it.
 *
 * Callbacks run when a batch does, one example after another; what they take from beam_alloc lives
 * until all of it has gone out. */
typedef struct beam_model_handler beam_model_handler;
struct beam_model_handler {
    size_t struct_size;
    const char *name;
    const beam_type *in, *out;
    const beam_type *failure; /* of what could not be done: see with_exception_handling */
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
    /* Makes the network, finished and without weights; NULL: beam_network_create.  What is in
     * *network, NULL before, is freed by who asked, where this fails too: the last line may be
     * `return beam_network_finish(*network, ...)`. */
    beam_status (*make_network)(const beam_model_spec *spec, beam_network **network,
                                beam_error *err);
    /* How much an example weighs, for max_batch_weight. */
    int64_t (*element_size)(const void *example);
    /* How long it is, for models whose input has a length: examples are batched with others of
     * about their length, and a model is made for each of a few lengths (bucket_boundaries).
     * make_network and pack find it in their spec's `length`; pack's rows are zeroes before it
     * writes what the example has, and a mask where the model takes one. */
    int64_t (*element_length)(const void *example);
    /* Resources that it needs; the transform's own come first, then those of outer handlers. */
    beam_hints hints;
    /* Metrics of its own (BEAM_METRICS), beside RunInference's: callbacks count by their places
     * in this list, those of handlers around it too.  One of handlers around one another may have
     * such. */
    const beam_metric *metrics;
    size_t n_metrics;
    /* Beam's override_metrics: RunInference counts nothing, and this is told of each batch instead,
     * also of one that fails and is tried again in halves.  Names may be Beam's then;
     * beam_inference_spec says which model ran.  Called as the other callbacks are. */
    void (*override_metrics)(beam_ctx *ctx, const beam_inference_batch *batch);

    /* A handler around another: exactly one of both, or neither for keys. */
    const beam_model_handler *inner;
    beam_status (*preprocess)(beam_ctx *ctx, const void *example, void *inner_example);
    beam_status (*postprocess)(beam_ctx *ctx, const void *inner_result, void *result);
};

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
 * defines the handler `classify`, the DoFn `classify_fn`, which the program lists among its
 * functions, and the type of its failures, struct classify_failure { In element; beam_int64 code;
 * beam_str message; }.  More members of beam_model_handler follow as designated initialisers. */
#define BEAM_MODEL_HANDLER(NAME, In, Out, pack_function, unpack_function, ...)         \
    static beam_status NAME##_unpack_(beam_ctx *ctx, const void *example,              \
                                      const beam_tensor *outputs, size_t n, void *out) \
    {                                                                                  \
        return unpack_function(ctx, (const In *)example, outputs, n, (Out *)out);      \
    }                                                                                  \
    BEAM_PACKING_(NAME, In, pack_function)                                             \
    BEAM_HANDLER_(NAME, In, Out, .pack = NAME##_pack_, .unpack = NAME##_unpack_, __VA_ARGS__)

/* The same for a handler whose results are predictions: Out comes from BEAM_PREDICTION. */
#define BEAM_PREDICTION_HANDLER(NAME, In, Out, pack_function, ...) \
    BEAM_PACKING_(NAME, In, pack_function)                         \
    BEAM_HANDLER_(NAME, In, Out, .pack = NAME##_pack_, __VA_ARGS__)

/* Handlers around a handler, and around those: each is one of its own, with its own DoFn, whose
 * elements are In and whose results are Out.
 *
 *     static beam_status decode(beam_ctx *, const In *, classify_in_ *image);
 *     BEAM_PREPROCESS_HANDLER(classify_file, In, Out, classify, decode);
 * runs `decode` before pack.  *image is zeroes before; what it points to may be beam_alloc's.
 *
 *     static beam_status name(beam_ctx *, const classify_out_ *, Out *);
 *     BEAM_POSTPROCESS_HANDLER(classify_by_name, In, Out, classify, name);
 * makes something else of its results.
 *
 *     BEAM_KEYED_HANDLER(classify_keyed, KV<K, classify_in_>, KV<K, classify_out_>, classify);
 * Beam's KeyedModelHandler: each result has its example's key.  K a string or an int64 can choose
 * a model: see beam_key_model. */
#define BEAM_PREPROCESS_HANDLER(NAME, In, Out, inner_handler, function, ...)                \
    static beam_status NAME##_preprocess_(beam_ctx *ctx, const void *example, void *made)   \
    {                                                                                       \
        return function(ctx, (const In *)example, (inner_handler##_in_ *)made);             \
    }                                                                                       \
    BEAM_HANDLER_(NAME, In, Out, .inner = &inner_handler, .preprocess = NAME##_preprocess_, \
                  __VA_ARGS__)
#define BEAM_POSTPROCESS_HANDLER(NAME, In, Out, inner_handler, function, ...)                 \
    static beam_status NAME##_postprocess_(beam_ctx *ctx, const void *made, void *out)        \
    {                                                                                         \
        return function(ctx, (const inner_handler##_out_ *)made, (Out *)out);                 \
    }                                                                                         \
    BEAM_HANDLER_(NAME, In, Out, .inner = &inner_handler, .postprocess = NAME##_postprocess_, \
                  __VA_ARGS__)
#define BEAM_KEYED_HANDLER(NAME, In, Out, inner_handler, ...) \
    BEAM_HANDLER_(NAME, In, Out, .inner = &inner_handler, __VA_ARGS__)

/* The spec of the model that the handler's callbacks run for. */
BEAM_API const beam_model_spec *beam_inference_spec(const beam_ctx *ctx);
/* A value of inference_args, for callbacks; false: there is none of that name. */
BEAM_API bool beam_inference_arg(const beam_ctx *ctx, const char *name, beam_str *value);

/* What most handlers of pictures do: a u8 tensor {channels, height, width} is resized (its
 * proportions kept, what is over cut in equal parts) to the size of the model's first input,
 * normalised as the spec says, and written to `row`.  Grey becomes three equal channels where the
 * model wants three. */
BEAM_API beam_status beam_pack_image(beam_ctx *ctx, const beam_tensor *image,
                                     const beam_model *model, float *row);
/* The same for the bytes of a JPEG or PNG, for models of three channels.  A JPEG much larger than
 * the model's input is decoded at a part of its size (beam_image_options). */
BEAM_API beam_status beam_pack_image_file(beam_ctx *ctx, beam_bytes file, const beam_model *model,
                                          float *row);

/* The place of the largest of a tensor's values (f32). */
BEAM_API int64_t beam_argmax(const beam_tensor *values);
/* The class that a classifier's logits tell: the largest; with the spec's class_map
 * "imagenet-cifar10" what beam_imagenet_logits_to_cifar10 makes of 1000 of them. */
BEAM_API int64_t beam_predicted_class(const beam_ctx *ctx, const beam_tensor *logits);

/* ---- RunInference ------------------------------------------------------------------------ */

/* Beam's KeyModelMapping: examples with one of these keys are for this model.  An int64 is named as
 * it is written in decimal. */
BEAM_LIST(beam_str_list, beam_str);
BEAM_LIST(beam_int64_list, beam_int64);
#define BEAM_KEY_MODEL_(FIELD, S)    \
    FIELD(S, beam_str_list, keys)    \
    FIELD(S, beam_model_spec, model) \
    FIELD(S, beam_str, watch_model_pattern) /* of its newer weights, as below */
BEAM_STRUCT(beam_key_model, BEAM_KEY_MODEL_);

/* .keys = BEAM_KEYS(beam_str_of("de"), beam_str_of("at")) */
#define BEAM_KEYS(...)                                                 \
    {                                                                  \
        (const beam_str[]){__VA_ARGS__},                               \
            sizeof((const beam_str[]){__VA_ARGS__}) / sizeof(beam_str) \
    }
/* .bucket_boundaries = BEAM_LENGTHS(32, 128, 512) */
#define BEAM_LENGTHS(...)                                                  \
    {                                                                      \
        (const beam_int64[]){__VA_ARGS__},                                 \
            sizeof((const beam_int64[]){__VA_ARGS__}) / sizeof(beam_int64) \
    }

/* Beam's ModelMetadata. */
#define BEAM_MODEL_METADATA_(FIELD, S)                                     \
    FIELD(S, beam_str, model_id) /* of results; none: the weights' name */ \
    FIELD(S, beam_str, weights)
BEAM_STRUCT(beam_model_metadata, BEAM_MODEL_METADATA_);

/* The outputs of RunInference; all but the first are of the handler's failures. */
enum {
    BEAM_INFERENCE_RESULTS = 0,
    BEAM_FAILED_PREPROCESSING = 1,  /* pack refused it, it is too long, or no model has its key */
    BEAM_FAILED_INFERENCES = 2,     /* the model could not run on it */
    BEAM_FAILED_POSTPROCESSING = 3, /* unpack refused what the model made of it */
    BEAM_INFERENCE_OUTPUTS_ = 4
};

typedef struct beam_run_inference_args {
    BEAM_COMMON_ARGS_;
    const beam_model_handler *handler;
    beam_model_spec model; /* of a keyed handler with `models`: that of all other keys, if given */
    const char *name;

    /* ---- batches ---- */
    int64_t max_batch_size;        /* 64 */
    int64_t min_batch_size;        /* 1: fewer do not go for their age alone */
    int64_t max_batch_duration_ms; /* 0: the oldest example waits until the bundle ends */
    /* By the handler's element_size, or by padded lengths.  0: no limit; with lengths: what
     * max_batch_size examples of the middle bucket weigh */
    int64_t max_batch_weight;
    /* Rising lengths that examples are padded to; longer ones are refused.  With the handler's
     * element_length; none: 16, 32, 64, 128, 256, 512 */
    beam_int64_list bucket_boundaries;
    /* A batch may take so long; the size with the best throughput within that is sought, from
     * min_batch_size to max_batch_size.  0: max_batch_size always */
    int64_t max_batch_latency_ms;
    bool keep_batch_size; /* fail where the device has no memory for a batch */

    /* ---- several models ---- */
    const beam_key_model *models;
    size_t num_models;
    /* Bytes that models may take of their device: more than one model is held as long as they fit,
     * and the one that was not used for longest makes room.  0: all are held. */
    int64_t model_memory_budget;

    /* ---- newer weights: see below ---- */
    const char *watch_model_pattern; /* for `model`: of paths, local or gs:// */
    int64_t watch_interval_ms;       /* 10,000 */
    beam_view model_metadata;        /* beam_as_singleton of beam_model_metadata; without keys */

    /* ---- failures ---- */
    bool with_exception_handling;
    int64_t inference_timeout_ms; /* a batch that takes longer is given up; 0: none is */
    double failure_threshold; /* the run fails when a larger share of a window's failed; 0: never */

    const char *metrics_namespace;          /* the handler's name */
    const beam_named_value *inference_args; /* for the handler: see beam_inference_arg */
    size_t num_inference_args;
    beam_hints hints;
} beam_run_inference_args;

/* Runs a model over all elements (the handler's `in`); gives the handler's `out`, with the
 * timestamps and windows of the elements and in their order.  A batch goes to the device when it
 * is full by number, weight or age, and at the end of a bundle.  One that the device has no memory
 * for is run in halves, as are those after it, unless keep_batch_size is set.
 *
 * An example that cannot be done fails its bundle.  With with_exception_handling it goes to one of
 * the other outputs instead, with the error, and the rest of its batch goes on: a batch that fails
 * is run in halves until those are alone that it fails for.  So results and failures together are
 * as many as the elements.
 *
 *     beam_pcoll bad = beam_output(found, BEAM_FAILED_INFERENCES);    of classify_failure
 *
 * A model that does not answer within inference_timeout_ms fails with BEAM_DEADLINE_EXCEEDED; what
 * it holds is freed when it does answer.
 *
 * Weights may be replaced while elements come.  watch_model_pattern: the newest file that matches,
 * the last by name of several, is loaded beside the model in use, which it replaces between two
 * batches.  model_metadata: the weights of the side input's value in an element's window.  A
 * result's model_id tells which made it.  Weights that cannot be loaded are refused: those before
 * go on.  Write files under another name and rename them.
 *
 * Metrics, by Beam's names: num_inferences, failed_batches_counter,
 * inference_request_batch_size, inference_request_batch_byte_size,
 * inference_batch_latency_micro_secs, model_byte_size, load_model_latency_milli_secs (the last
 * two are counted once a load).  And batches_halved; device_fell_back, once a load where "auto"
 * came to the CPU; models_evicted, models_refreshed, models_refused; failed_preprocessing,
 * failed_inferences, failed_postprocessing: what went to these outputs.  Of models on servers:
 * remote_retries, requests that were sent again, and cumulativeThrottlingSeconds, which it waited
 * for servers that were overloaded.  A handler may have others beside or instead of these.
 *
 * Beam's seven and the three of failures are counted again for each of `models`, the first 32 of
 * them, under Beam's names for it: the first of its keys, "-_" and the metric, as in
 * "french-_num_inferences".  What no key has is in the sums alone. */
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
 * for one) goes to *test, the others to *train.  `info` says what they are, all of one size (that
 * of the first, where info has none, as of a folder); its count does not matter. */
BEAM_API beam_status beam_dataset_of_images(const beam_iterable *images,
                                            const beam_dataset_info *info, uint32_t nth,
                                            beam_dataset **train, beam_dataset **test,
                                            beam_error *err);

/* ---- A classifier for a data set --------------------------------------------------------- */

typedef struct beam_classifier_options {
    size_t struct_size;
    const char *network; /* NULL: what the weights' notes tell; resnet18, or small_cnn for digits */
    const char *weights; /* a file or a known name; NULL, "": those that suit */
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

BEAM_LIST(beam_key_model_list, beam_key_model);
#define BEAM_INFERENCE_ARG_(FIELD, S) FIELD(S, beam_str, name) FIELD(S, beam_str, value)
BEAM_STRUCT(beam_inference_argument, BEAM_INFERENCE_ARG_);
BEAM_LIST(beam_inference_argument_list, beam_inference_argument);
#define BEAM_INFERENCE_CONFIG_(FIELD, S)              \
    FIELD(S, beam_model_spec, model)                  \
    FIELD(S, beam_key_model_list, models)             \
    FIELD(S, beam_int64, memory_budget)               \
    FIELD(S, beam_int64, max_batch_size)              \
    FIELD(S, beam_int64, min_batch_size)              \
    FIELD(S, beam_int64, max_duration_ms)             \
    FIELD(S, beam_int64, max_weight)                  \
    FIELD(S, beam_int64, max_latency_ms)              \
    FIELD(S, beam_int64_list, boundaries)             \
    FIELD(S, beam_inference_argument_list, arguments) \
    FIELD(S, beam_str, watch_pattern)                 \
    FIELD(S, beam_str, metrics_namespace)             \
    FIELD(S, beam_int64, watch_interval_ms)           \
    FIELD(S, beam_int64, timeout_ms)                  \
    FIELD(S, beam_bool, has_metadata)                 \
    FIELD(S, beam_bool, keep_batch_size)              \
    FIELD(S, beam_bool, handles_failures)
BEAM_STRUCT(beam_inference_config, BEAM_INFERENCE_CONFIG_);

BEAM_API beam_str beam_inference_namespace_(const void *config);
BEAM_API const beam_metric *beam_inference_metric_(const beam_model_handler *handler, size_t place);
BEAM_API size_t beam_inference_more_metrics_(const beam_model_handler *handler, const void *config,
                                             size_t place, char *name, size_t size,
                                             beam_metric_kind *kind);
BEAM_API extern const beam_side_spec beam_inference_side_; /* model_metadata */

BEAM_API beam_status beam_inference_setup_(beam_ctx *ctx, const beam_model_handler *handler);
BEAM_API beam_status beam_inference_start_(beam_ctx *ctx);
BEAM_API beam_status beam_inference_process_(beam_ctx *ctx, const void *example);
BEAM_API beam_status beam_inference_batch_(beam_ctx *ctx, const void *examples, size_t n);
BEAM_API beam_status beam_inference_finish_(beam_ctx *ctx);
BEAM_API void beam_inference_teardown_(beam_ctx *ctx);

#define BEAM_INFERENCE_FAILURE_(S, In)                                                           \
    typedef struct S {                                                                           \
        In element;                                                                              \
        beam_int64 code;                                                                         \
        beam_str message;                                                                        \
    } S;                                                                                         \
    static const beam_field S##_fields_[] = {{"element", &In##_type, offsetof(S, element)},      \
                                             {"code", &beam_int64_type, offsetof(S, code)},      \
                                             {"message", &beam_str_type, offsetof(S, message)}}; \
    BEAM_TYPE_(S##_type, BEAM_KIND_ROW, S, S##_fields_)

#define BEAM_PACKING_(NAME, In, pack_function)                                                   \
    static beam_status NAME##_pack_(beam_ctx *ctx, const void *example, const beam_model *model, \
                                    float *const *rows)                                          \
    {                                                                                            \
        return pack_function(ctx, (const In *)example, model, rows);                             \
    }

#define BEAM_HANDLER_(NAME, In, Out, ...)                                                         \
    typedef In NAME##_in_;                                                                        \
    typedef Out NAME##_out_;                                                                      \
    static beam_status NAME##_setup_(beam_ctx *ctx);                                              \
    static const beam_metric *NAME##_metric_(size_t place);                                       \
    static size_t NAME##_more_metrics_(const void *config, size_t place, char *name, size_t size, \
                                       beam_metric_kind *kind);                                   \
    BEAM_INFERENCE_FAILURE_(NAME##_failure, In);                                                  \
    static const beam_type *const NAME##_outs_[BEAM_INFERENCE_OUTPUTS_] = {                       \
        &Out##_type, &NAME##_failure_type, &NAME##_failure_type, &NAME##_failure_type};           \
    static const beam_dofn NAME##_fn = {.struct_size = sizeof(beam_dofn),                         \
                                        .name = #NAME,                                            \
                                        .in = &In##_type,                                         \
                                        .process = beam_inference_process_,                       \
                                        .process_batch = beam_inference_batch_,                   \
                                        .outs = NAME##_outs_,                                     \
                                        .n_outs = BEAM_INFERENCE_OUTPUTS_,                        \
                                        .config = &beam_inference_config_type,                    \
                                        .state_size = sizeof(void *),                             \
                                        .metric_at = NAME##_metric_,                              \
                                        .more_metrics = NAME##_more_metrics_,                     \
                                        .metrics_namespace = beam_inference_namespace_,           \
                                        .sides = &beam_inference_side_,                           \
                                        .n_sides = 1,                                             \
                                        .n_optional_sides = 1,                                    \
                                        .batches = true,                                          \
                                        .setup = NAME##_setup_,                                   \
                                        .start_bundle = beam_inference_start_,                    \
                                        .finish_bundle = beam_inference_finish_,                  \
                                        .teardown = beam_inference_teardown_};                    \
    static const beam_model_handler NAME = {.struct_size = sizeof(beam_model_handler),            \
                                            .name = #NAME,                                        \
                                            .in = &In##_type,                                     \
                                            .out = &Out##_type,                                   \
                                            .failure = &NAME##_failure_type,                      \
                                            .fn = &NAME##_fn,                                     \
                                            __VA_ARGS__};                                         \
    static beam_status NAME##_setup_(beam_ctx *ctx)                                               \
    {                                                                                             \
        return beam_inference_setup_(ctx, &NAME);                                                 \
    }                                                                                             \
    static const beam_metric *NAME##_metric_(size_t place)                                        \
    {                                                                                             \
        return beam_inference_metric_(&NAME, place);                                              \
    }                                                                                             \
    static size_t NAME##_more_metrics_(const void *config, size_t place, char *name, size_t size, \
                                       beam_metric_kind *kind)                                    \
    {                                                                                             \
        return beam_inference_more_metrics_(&NAME, config, place, name, size, kind);              \
    }                                                                                             \
    struct beam_handler_##NAME##_ /* so that a semicolon may follow */

#ifdef __cplusplus
}
#endif
#endif
