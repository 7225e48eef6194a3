/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* training.h - training networks: by themselves and in pipelines.
 *
 * A beam_trainer trains one network on one data set, an epoch at a time, with checkpoints from
 * which it goes on after whatever stopped it.  In a pipeline, a DoFn does the same for each
 * configuration that comes along:
 *
 *     beam_pcoll configs = beam_training_configs_create(p, grid, n);
 *     beam_pcoll results = beam_train_models(beam_reshuffle(configs), .checkpoint_dir = "runs");
 *     beam_pcoll best = beam_combine_globally(results, &beam_best_model);
 *     beam_deploy_best_model(best, .serving_dir = "serving");
 */
#ifndef BEAM_TRAINING_H
#define BEAM_TRAINING_H

#include <beam/dataset.h>
#include <beam/device.h>
#include <beam/ml.h>
#include <beam/optimizer.h>
#include <beam/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What to train ----------------------------------------------------------------------- */

/* One experiment.  Left out (empty, 0) means what stands behind. */
#define BEAM_TRAINING_CONFIG_(FIELD, S)                                                             \
    FIELD(S, beam_str, experiment_id)    /* its folder of checkpoints; must be given in a sweep */  \
    FIELD(S, beam_str, model_name)       /* of beam_network_known, or files of a step made          \
       elsewhere, STEP.stablehlo,MODEL.stablehlo (docs/howto/own-training-jax.md); must be given */ \
    FIELD(S, beam_double, learning_rate) /* the schedule's peak; must be given */                   \
    FIELD(S, beam_int64, batch_size)     /* must be given */                                        \
    FIELD(S, beam_int64, epochs)         /* must be given */                                        \
    FIELD(S, beam_str, dataset)          /* cifar10 */                                              \
    FIELD(S, beam_str, data_dir)         /* see beam_dataset_options */                             \
    FIELD(S, beam_int64, num_images)     /* only the first so many training images; 0: all */       \
    FIELD(S, beam_str, optimizer)        /* sgd, adam, adamw, muon; sgd */                          \
    FIELD(S, beam_double, momentum)      /* sgd: 0.9, negative: none; muon: 0.95 */                 \
    FIELD(S, beam_double, weight_decay)  /* 5e-4; negative: none */                                 \
    FIELD(S, beam_double, bias_lr_factor)    /* see beam_optimizer; 1 */                            \
    FIELD(S, beam_double, max_gradient_norm) /* 0: no clipping */                                   \
    FIELD(S, beam_str, schedule)             /* constant, step, cosine, one_cycle; one_cycle */     \
    FIELD(S, beam_double, label_smoothing)   /* 0; negative: none, where a recipe has some */       \
    FIELD(S, beam_str, augment)       /* none, or some of flip (at random) or alternating_flip      \
       (every other epoch), window:N (only a square of N pixels somewhere in it, seven eighths of   \
       the side: less to compute; whole images are what is evaluated and what the model is for),    \
       crop:N (moved by up to N pixels, edges reflected; N: an eighth of the side), cutout:N (a     \
       square of N; a quarter), joined by commas; flip,crop; of digits crop */                      \
    FIELD(S, beam_bool, flip_average) /* evaluate each image and its mirror image */                \
    FIELD(S, beam_str, precision)     /* f32, bf16, f16 */                                          \
    FIELD(S, beam_int64, num_threads) /* 1; see beam_training_options */                            \
    FIELD(S, beam_int64, seed)                                                                      \
    FIELD(S, beam_str, init_weights)   /* a file or a known name; a layer whose shape differs, as   \
                                          a head with other classes does, starts afresh */          \
    FIELD(S, beam_bool, cifar_stem)    /* see beam_network_options */                               \
    FIELD(S, beam_int64, image_size)   /* images are resized to so many pixels square; 0: not, or   \
                                          224 where they have sizes of their own */                 \
    FIELD(S, beam_int64, lookahead)    /* every so many steps weights are drawn to an average of    \
         themselves, ever more closely (Lookahead; 0.95^lookahead * (share of steps done)^3), and   \
         they end as that average; 0, negative: never */                                            \
    FIELD(S, beam_bool, shift_average) /* evaluate each image as it is and, for half the weight,    \
       moved by a pixel up and left, and down and right */                                          \
    FIELD(S, beam_int64, num_replicas) /* 1; chips of the device that share each batch */
BEAM_STRUCT(beam_training_config, BEAM_TRAINING_CONFIG_);

#define BEAM_TRAINING_RESULT_(FIELD, S)                                                 \
    FIELD(S, beam_str, experiment_id)                                                   \
    FIELD(S, beam_double, accuracy) /* on the test images, 0 to 1; NaN: none */         \
    FIELD(S, beam_str, model_path)  /* safetensors; empty: none */                      \
    FIELD(S, beam_double, loss)     /* of training, mean over the last epoch */         \
    FIELD(S, beam_int64, epochs)    /* done */                                          \
    FIELD(S, beam_int64, steps)                                                         \
    FIELD(S, beam_double, seconds) /* of training and evaluating, all tries together */ \
    FIELD(S, beam_str, status)     /* "ok", "failed", "diverged", "stopped" (early) */  \
    FIELD(S, beam_str, error)      /* why, and what to try */                           \
    FIELD(S, beam_training_config, config)                                              \
    FIELD(S, beam_double, plain_accuracy) /* see beam_evaluation */
BEAM_STRUCT(beam_training_result, BEAM_TRAINING_RESULT_);

/* BEAM_INVALID_ARGUMENT names the field, its value and what it may be. */
BEAM_API beam_status beam_training_config_check(const beam_training_config *config,
                                                beam_error *err);

/* Fills in what is left out (empty, 0) of what suits a network on a data set: model_name, dataset,
 * learning_rate, batch_size, epochs and the rest of a recipe that was tried (docs/training.md).
 * Recipes are for SGD; another optimizer gets a learning rate that is usual for it.
 * Text it fills in is static, or the data set's. */
BEAM_API void beam_training_recipe(const beam_dataset_info *dataset, beam_training_config *config);

/* Both as one JSON object on one line, fields in the order above; in memory of `pool`.  Numbers
 * read back as the same bits; what is not finite is null. */
BEAM_API beam_status beam_training_config_to_json(const beam_training_config *config,
                                                  beam_pool *pool, beam_str *json, beam_error *err);
BEAM_API beam_status beam_training_result_to_json(const beam_training_result *result,
                                                  beam_pool *pool, beam_str *json, beam_error *err);
/* And back; strings come to lie in `pool`.  A field that is left out is that of `base` (NULL: all
 * 0).  BEAM_INVALID_ARGUMENT names a field that is unknown, there twice or of another type. */
BEAM_API beam_status beam_training_config_from_json(beam_str json, const beam_training_config *base,
                                                    beam_pool *pool, beam_training_config *config,
                                                    beam_error *err);
BEAM_API beam_status beam_training_result_from_json(beam_str json, beam_pool *pool,
                                                    beam_training_result *result, beam_error *err);

/* ---- One network --------------------------------------------------------------------------
 *     beam_trainer_open(device, &config, &options, &trainer, &err);     restores, if it can
 *     while (beam_trainer_get_progress(trainer).epoch < config.epochs)
 *         beam_trainer_epoch(trainer, &epoch, &err);                    trains, saves
 *     beam_trainer_evaluate(trainer, &evaluation, &err);
 *     beam_trainer_export(trainer, "model.safetensors", BEAM_F32, &err);
 *
 * A trainer is used by one thread at a time; it has another that prepares batches.  It ends with
 * the same bits however often it was stopped and opened again, on the same device and with the
 * same num_threads. */

typedef struct beam_trainer beam_trainer;

typedef struct beam_trainer_options {
    size_t struct_size;
    const char *checkpoint_dir; /* NULL: no checkpoints; made if missing */
    int64_t keep_checkpoints;   /* the last so many stay; 2 */
    int64_t checkpoint_steps;   /* save also every so many steps; 0: after each epoch only */
    const beam_logger *logger;  /* NULL: the default; must outlive the trainer */
    /* Instead of what config.dataset names, both or neither; must outlive the trainer. */
    const beam_dataset *train_data, *test_data;
    /* Called after every step, for progress; other than BEAM_OK ends beam_trainer_epoch with it.
     * May be NULL. */
    beam_status (*on_step)(void *user, uint64_t step, const beam_step_result *result);
    void *user;
    /* Called between batches of beam_trainer_evaluate, by the thread that called it, with how many
     * test images were begun; other than BEAM_OK ends the evaluation with it.  May be NULL. */
    beam_status (*on_evaluate)(void *user, uint64_t images);
} beam_trainer_options;

/* Opens data set and network, compiles the step for the device, and goes on from the newest sound
 * checkpoint of this configuration in checkpoint_dir; a damaged one is passed over, saying so.
 * BEAM_FAILED_PRECONDITION: checkpoints there are of another configuration (the message names the
 * first field that differs).  Strings of *config are copied. */
BEAM_API beam_status beam_trainer_open(beam_device *device, const beam_training_config *config,
                                       const beam_trainer_options *options, beam_trainer **trainer,
                                       beam_error *err);
BEAM_API void beam_trainer_close(beam_trainer *trainer);

typedef struct beam_trainer_progress {
    int64_t epoch; /* epochs done */
    uint64_t step, steps_per_epoch, total_steps;
    bool restored;  /* went on from a checkpoint */
    double seconds; /* of training, all tries together */
    double loss;    /* mean over the last epoch done, in whichever try; NaN before that */
    const beam_network *network;
    const beam_dataset_info *dataset; /* of the training images */
} beam_trainer_progress;

/* Where the training is; from the thread that trains. */
BEAM_API beam_trainer_progress beam_trainer_get_progress(const beam_trainer *trainer);

typedef struct beam_epoch_result {
    double loss, accuracy; /* means over the epoch's training steps */
    double seconds, images_per_second;
} beam_epoch_result;

/* Trains to the end of the current epoch and saves a checkpoint.  An epoch takes the images in an
 * order of its own; those that do not fill a last batch are left out of it.
 * BEAM_ABORTED: the loss is not finite; the message has the step and what to try.
 * BEAM_FAILED_PRECONDITION: another trainer has been opened on the same checkpoint_dir, so this one
 * saves no more.  BEAM_RESOURCE_EXHAUSTED: the disk is full, perhaps; the checkpoint before is
 * still there. */
BEAM_API beam_status beam_trainer_epoch(beam_trainer *trainer, beam_epoch_result *result,
                                        beam_error *err);
/* Shares of the test images that the network gets right. */
typedef struct beam_evaluation {
    double accuracy;       /* by the mean over what flip_average and shift_average make of each */
    double plain_accuracy; /* by each as it is, which is what inference with the model sees */
} beam_evaluation;

/* Of the network as it is now, computed in the training's precision (a model compiled in it gives
 * the same answers; a step made elsewhere brings its own), by up to num_threads threads, whose
 * number makes no difference.  BEAM_ABORTED: a weight is no finite number; the message names it,
 * and says what to try. */
BEAM_API beam_status beam_trainer_evaluate(beam_trainer *trainer, beam_evaluation *found,
                                           beam_error *err);
/* Writes the weights, as safetensors of `dtype` (BEAM_F32 or BEAM_BF16), with notes that say what
 * they are (network, classes, size, normalisation): cpu_inference --weights= serves the file.  A
 * folder that is not there is made.
 * BEAM_ABORTED: as of beam_trainer_evaluate; nothing is written. */
BEAM_API beam_status beam_trainer_export(beam_trainer *trainer, const char *path, beam_dtype dtype,
                                         beam_error *err);

/* ---- Many configurations ----------------------------------------------------------------- */

/* Every combination of some values, or so many of them at random. */
typedef struct beam_training_grid {
    size_t struct_size;
    beam_training_config base; /* what all have */
    const char *const *model_names;
    const double *learning_rates;
    const int64_t *batch_sizes;
    size_t num_model_names, num_learning_rates, num_batch_sizes; /* 0: base's own */
    /* Random search: so many, each of a model and batch size of the lists and a learning rate
     * between the smallest and the largest, even on a logarithmic scale; base.seed decides. */
    int64_t trials;
} beam_training_grid;

/* Makes them, in memory of `pool`: named "resnet18-lr0.01-b16" (or "trial0007-..."), each with a
 * seed of its own, base.seed and on. */
BEAM_API beam_status beam_training_grid_make(const beam_training_grid *grid, beam_pool *pool,
                                             beam_training_config **configs, size_t *n,
                                             beam_error *err);

/* Reads a file with a JSON array of configurations, or one object after another; `base` as in
 * beam_training_config_from_json.  An error names its place in the file; an experiment_id that is
 * missing or there twice is one.  A configuration that cannot be trained is not: beam_train_models
 * makes a result of it. */
BEAM_API beam_status beam_training_configs_read(const char *path, const beam_training_config *base,
                                                beam_pool *pool, beam_training_config **configs,
                                                size_t *n, beam_error *err);

/* Puts those with most work (estimated: operations an image, images, epochs) first, so that a
 * sweep does not end with one thread at work; equals stay in order.  Without effect on results. */
BEAM_API void beam_training_configs_order(beam_training_config *configs, size_t n);

/* ---- In pipelines ------------------------------------------------------------------------ */

/* Create of configurations; and an engine whose workers see another disk is sent the data sets and
 * initial weights that they name. */
BEAM_API beam_pcoll beam_training_configs_create(beam_pipeline *pipeline,
                                                 const beam_training_config *configs, size_t n);

typedef struct beam_train_models_args {
    BEAM_COMMON_ARGS_;
    const char *device;         /* NULL: auto */
    const char *checkpoint_dir; /* each experiment_id has a folder below; NULL: nothing is kept */
    beam_dtype model_dtype; /* of model.safetensors: BEAM_BF16, which rounds and halves it; f32 */
    /* Successive halving (Jamieson and Talwalkar, 2016): of the configurations that have done a
     * quarter of their epochs, the half with the lower accuracy stops; then again at one half.
     * They wait for each other before that, so that no result depends on timing.  Needs a
     * checkpoint_dir. */
    bool halving;
    const char *name;
    beam_hints hints;
} beam_train_models_args;

/* beam_training_config to beam_training_result: trains each (TrainModelDoFn), going on from its
 * checkpoints, and doing nothing again for one that has its result there, but for saving a model
 * that is missing or not of model_dtype.  A configuration that cannot be trained or diverges gives
 * a result that says so; the others go on.  An element is a configuration, so a Reshuffle before it
 * spreads them over threads, and workers.
 *
 * CHECKPOINT_DIR/EXPERIMENT_ID/ holds checkpoints, the trained model.safetensors and result.json
 * (CHECKPOINT_DIR itself where experiment_id is empty); without checkpoint_dir results have no
 * model.
 * An epoch is a line in the log (NOTICE).
 * Metrics: epochs_done, images_trained, training_milliseconds, configs_done, configs_failed;
 * device_fell_back counts configurations whose device "auto" came to the CPU.  Sets of JSON
 * objects: training_history (experiment_id, model_name, epoch, loss, accuracy, seconds of each
 * epoch, the latter two of the training images) and training_results (each result). */
BEAM_API beam_pcoll beam_train_models_(beam_pcoll configs, const beam_train_models_args *args);
#define beam_train_models(configs, ...) \
    beam_train_models_((configs), BEAM_ARGS_(beam_train_models_args, __VA_ARGS__))

/* beam_training_result to beam_str: a line of JSON each. */
BEAM_API extern const beam_dofn beam_format_training_result;

/* beam_training_result to beam_training_result (BestModelFn): the highest accuracy, among equals
 * the first by experiment_id; one without a model only where there is no other.  Of none: an empty
 * result whose status is "failed". */
BEAM_API extern const beam_combinefn beam_best_model;

/* Brings a beam_training_result home as metrics, for beam_report_training; no output. */
BEAM_API extern const beam_dofn beam_tell_training;

typedef struct beam_deploy_args {
    BEAM_COMMON_ARGS_;
    const char *serving_dir; /* must be given */
    const char *name;
} beam_deploy_args;

/* Copies a result's model to SERVING_DIR/model.safetensors with a manifest.json beside it
 * (DeployBestModelFn), each whole or not at all, after a barrier; gives the result with the new
 * model_path.  A result without a model passes as it is, and what was served before stays. */
BEAM_API beam_pcoll beam_deploy_best_model_(beam_pcoll best, const beam_deploy_args *args);
#define beam_deploy_best_model(best, ...) \
    beam_deploy_best_model_((best), BEAM_ARGS_(beam_deploy_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
