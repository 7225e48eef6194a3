/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer.h - what a trainer is inside, for the files that make it up. */
#ifndef ML_TRAINER_H
#define ML_TRAINER_H

#include <beam/training.h>
#include <beam/weights.h>

#include "ml/checkpoint.h"
#include "ml/dataset_cache.h"
#include "ml/loader.h"
#include "ml/lookahead.h"

/* Of a training step made elsewhere; `file` is NULL where the network is one of ours. */
typedef struct beam_trainer_module {
    const char *step, *classifier; /* paths, in the trainer's pool; commas between several */
    beam_weights *file;            /* the states to start from */
    const char *step_arguments, *step_results, *arguments; /* its notes: names */
} beam_trainer_module;

struct beam_trainer {
    beam_device *device;
    beam_trainer_options options;
    beam_pool *pool;             /* what config's strings and checkpoint_dir are in */
    beam_training_config config; /* complete; every string ends with a NUL */
    const char *config_json;

    beam_shared_dataset shared_train, shared_test; /* zeroed: the caller's are used */
    const beam_dataset *train, *test;
    uint32_t height, width;             /* of the network's input */
    uint32_t train_height, train_width; /* of what it is trained on: a window, perhaps */
    beam_network *network;              /* without weights */
    beam_trainer_module module;
    beam_augment augment;
    beam_schedule schedule;
    beam_training *training;
    beam_lookahead lookahead; /* where config.lookahead says so */
    beam_loader *loader;
    beam_checkpoints checkpoints; /* folder NULL: none */

    uint64_t step, steps_per_epoch;
    int64_t epoch; /* done */
    bool restored;
    bool failed;       /* within a step, so that batches and weights may be out of step */
    double epoch_loss; /* of the epoch begun: summed over its steps so far */
    uint64_t epoch_correct;
    double epoch_seconds;
    double loss, seconds; /* see beam_trainer_progress */
};

beam_status beam_trainer_no_memory(beam_error *err);
/* BEAM_ABORTED: what is no number, and what to try. */
beam_status beam_trainer_diverged(const beam_trainer *t, const char *what, double number,
                                  beam_error *err);

/* trainer_setup.c: data sets, sizes, the network and its schedule. */
beam_status beam_trainer_open_data(beam_trainer *t, beam_error *err);
/* For images as they are. */
beam_status beam_trainer_make_network(const beam_trainer *t, beam_network **network,
                                      beam_error *err);
/* Compiles the training step, with starting weights of a new network or, where `checkpoint` is not
 * NULL, with all that is in there. */
beam_status beam_trainer_begin(beam_trainer *t, const beam_checkpoint *checkpoint, beam_error *err);

/* trainer_module.c: of a step made elsewhere its files, the network of its classifier (whose
 * parameters are the classifier's weights; it has no layers), the classifier with weights, checked
 * against the data, and the training. */
beam_status beam_trainer_open_module(beam_trainer *t, beam_error *err);
beam_status beam_trainer_module_network(const beam_trainer *t, beam_network **network,
                                        beam_error *err);
beam_status beam_trainer_load_classifier(const beam_trainer *t, const beam_named_tensor *weights,
                                         size_t n, int64_t max_batch, beam_model **model,
                                         beam_error *err);
beam_status beam_trainer_train_module(beam_trainer *t, beam_error *err);

/* trainer_results.c: the network as it is now, for inference. */
beam_status beam_trainer_model(const beam_trainer *t, int64_t max_batch, beam_model **model,
                               beam_error *err);

/* trainer_restore.c: checkpoints, where there is a folder for them. */
beam_status beam_trainer_restore(beam_trainer *t, beam_checkpoint *checkpoint, bool *found,
                                 beam_error *err);
beam_status beam_trainer_save(const beam_trainer *t, beam_error *err);

#endif
