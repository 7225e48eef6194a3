/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer.h - what a trainer is inside, for the files that make it up. */
#ifndef ML_TRAINER_H
#define ML_TRAINER_H

#include <beam/training.h>

#include "ml/checkpoint.h"
#include "ml/dataset_cache.h"
#include "ml/loader.h"
#include "ml/lookahead.h"

struct beam_trainer {
    beam_device *device;
    beam_trainer_options options;
    beam_pool *pool;             /* what config's strings and checkpoint_dir are in */
    beam_training_config config; /* complete; every string ends with a NUL */
    const char *config_json;

    beam_shared_dataset shared_train, shared_test; /* zeroed: the caller's are used */
    const beam_dataset *train, *test;
    uint32_t height, width; /* of the network's input */
    beam_network *network;  /* without weights */
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

/* trainer_setup.c: data sets, sizes, the network and its schedule. */
beam_status beam_trainer_open_data(beam_trainer *t, beam_error *err);
beam_status beam_trainer_make_network(const beam_trainer *t, beam_network **network,
                                      beam_error *err);
/* Compiles the training step, with starting weights of a new network or, where `checkpoint` is not
 * NULL, with all that is in there. */
beam_status beam_trainer_begin(beam_trainer *t, const beam_checkpoint *checkpoint, beam_error *err);

/* trainer_restore.c: checkpoints, where there is a folder for them. */
beam_status beam_trainer_restore(beam_trainer *t, beam_checkpoint *checkpoint, bool *found,
                                 beam_error *err);
beam_status beam_trainer_save(const beam_trainer *t, beam_error *err);

#endif
