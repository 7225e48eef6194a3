/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/trainings.h"

#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ml/images.h"

static void note(void *user, const beam_log_record *record)
{
    fixture *f = user;
    size_t len = strlen(f->log);
    f->warnings += record->level >= BEAM_LOG_WARNING;
    (void)snprintf(f->log + len, sizeof f->log - len, "%s\n", record->message);
}

int trainer_set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    beam_error err = {0};
    assert_non_null(f);
    assert_int_equal(setenv("BEAM_SHARE_DIR", BEAM_SOURCE_DIR "/share", 1), 0);
    assert_ok(beam_device_open("cpu", NULL, &f->device, &err), err);
    f->train = random_images(COUNT, 1, SIDE, SIDE, CLASSES, &f->train_records);
    f->test = random_images(2 * COUNT, 1, SIDE, SIDE, CLASSES, &f->test_records);
    f->folder = test_folder();
    f->logger = (beam_logger){note, f, BEAM_LOG_NOTICE};
    *state = f;
    return 0;
}

int trainer_tear_down(void **state)
{
    fixture *f = *state;
    test_remove_folder(f->folder);
    beam_dataset_close(f->train);
    beam_dataset_close(f->test);
    beam_device_close(f->device);
    free(f->train_records);
    free(f->test_records);
    free(f);
    return 0;
}

beam_training_config tiny_training(void)
{
    return (beam_training_config){.model_name = beam_str_of("small_cnn"),
                                  .learning_rate = 0.05,
                                  .batch_size = BATCH,
                                  .epochs = EPOCHS,
                                  .seed = 5};
}

beam_trainer_options trainer_options_for(fixture *f, const char *checkpoint_dir)
{
    return (beam_trainer_options){.struct_size = sizeof(beam_trainer_options),
                                  .checkpoint_dir = checkpoint_dir,
                                  .logger = &f->logger,
                                  .train_data = f->train,
                                  .test_data = f->test};
}

beam_trainer *open_trainer(fixture *f, const beam_training_config *config,
                           const beam_trainer_options *options)
{
    beam_trainer *t;
    beam_error err = {0};
    assert_ok(beam_trainer_open(f->device, config, options, &t, &err), err);
    return t;
}

char *finish_training(fixture *f, beam_trainer *t, size_t *size)
{
    beam_epoch_result result;
    beam_error err = {0};
    const char *path = test_path(f->folder, "model.safetensors");
    while (beam_trainer_get_progress(t).epoch < EPOCHS)
        assert_ok(beam_trainer_epoch(t, &result, &err), err);
    assert_ok(beam_trainer_export(t, path, BEAM_F32, &err), err);
    beam_trainer_close(t);
    char *bytes = test_read_file(path, size);
    assert_int_equal(remove(path), 0);
    return bytes;
}

char *finish_training_in(fixture *f, const char *folder, size_t *size)
{
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, folder);
    return finish_training(f, open_trainer(f, &config, &options), size);
}

beam_status count_step(void *user, uint64_t step, const beam_step_result *result)
{
    steps *s = user;
    assert_true(isfinite(result->loss));
    assert_int_equal(step, ++s->count);
    return step == s->stop_at ? BEAM_CANCELLED : BEAM_OK;
}
