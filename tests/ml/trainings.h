/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainings.h - what tests of a trainer share: a device, small random images, a tiny training. */
#ifndef ML_TRAININGS_H
#define ML_TRAININGS_H

#include <beam/training.h>

enum { COUNT = 26, SIDE = 4, BATCH = 4, PER_EPOCH = COUNT / BATCH, EPOCHS = 3, CLASSES = 3 };

typedef struct fixture {
    beam_device *device;
    beam_dataset *train, *test;
    uint8_t *train_records, *test_records;
    char *folder;
    char log[4000]; /* what was said at NOTICE and above */
    int warnings;
    beam_logger logger;
} fixture;

/* Each test's: *state is its fixture. */
int trainer_set_up(void **state);
int trainer_tear_down(void **state);

/* Three epochs of small_cnn; what it trains and is tested on, and who is told. */
beam_training_config tiny_training(void);
beam_trainer_options trainer_options_for(fixture *f, const char *checkpoint_dir);
beam_trainer *open_trainer(fixture *f, const beam_training_config *config,
                           const beam_trainer_options *options);
/* Trains to the end; the bytes of the file that comes out, to be given to free(). */
char *finish_training(fixture *f, beam_trainer *t, size_t *size);
char *finish_training_in(fixture *f, const char *folder, size_t *size);

/* An on_step that counts, and refuses at one. */
typedef struct steps {
    uint64_t count, stop_at;
} steps;
beam_status count_step(void *user, uint64_t step, const beam_step_result *result);

#endif
