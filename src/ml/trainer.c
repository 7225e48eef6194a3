/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer.c - a trainer from opening to closing, and its epochs. */
#include "ml/trainer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/readable.h"
#include "ml/train_config.h"

enum { KEEP_CHECKPOINTS = 2 };

beam_status beam_trainer_no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
}

/* ---- Opening --------------------------------------------------------------------------------- */

static char *copy_text(const beam_trainer *t, const char *text, size_t len)
{
    char *copy = beam_pool_alloc(t->pool, len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

/* Through JSON, which copies every string with a NUL behind it. */
static beam_status copy_config(beam_trainer *t, const beam_training_config *config, beam_error *err)
{
    const beam_training_config complete = beam_training_config_complete(config);
    beam_str json;
    BEAM_TRY(beam_training_config_to_json(&complete, t->pool, &json, err));
    t->config_json = copy_text(t, json.at, json.len);
    if (!t->config_json)
        return beam_trainer_no_memory(err);
    return beam_training_config_from_json(json, NULL, t->pool, &t->config, err);
}

static beam_status copy_options(beam_trainer *t, const beam_trainer_options *options,
                                beam_error *err)
{
    beam_trainer_options *o = &t->options;
    if (options)
        memcpy(o, options, options->struct_size < sizeof *o ? options->struct_size : sizeof *o);
    if (!o->train_data != !o->test_data)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "train_data and test_data go together: one is missing");
    if (o->keep_checkpoints < 0 || o->checkpoint_steps < 0)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT, "%s is %lld: it must be 0 or a number above it",
            o->keep_checkpoints < 0 ? "keep_checkpoints" : "checkpoint_steps",
            (long long)(o->keep_checkpoints < 0 ? o->keep_checkpoints : o->checkpoint_steps));
    if (!o->checkpoint_dir)
        return BEAM_OK;
    const char *folder = copy_text(t, o->checkpoint_dir, strlen(o->checkpoint_dir));
    if (!folder)
        return beam_trainer_no_memory(err);
    t->checkpoints =
        (beam_checkpoints){.folder = folder,
                           .keep = o->keep_checkpoints ? o->keep_checkpoints : KEEP_CHECKPOINTS,
                           .logger = o->logger};
    return BEAM_OK;
}

static beam_status open_loader(beam_trainer *t, beam_error *err)
{
    beam_loader_options options = {
        .dataset = t->train,
        .num_images = (uint64_t)t->config.num_images,
        .height = t->height,
        .width = t->width,
        .batch_size = (uint64_t)t->config.batch_size,
        .seed = (uint64_t)t->config.seed,
        .first_step = t->step,
        .last_step = t->steps_per_epoch * (uint64_t)t->config.epochs,
        .augment = t->augment,
    };
    return beam_loader_new(&options, &t->loader, err);
}

static beam_status open_all(beam_trainer *t, const beam_training_config *config,
                            const beam_trainer_options *options, beam_error *err)
{
    beam_checkpoint checkpoint = {0};
    bool found = false;
    BEAM_TRY(copy_options(t, options, err));
    BEAM_TRY(copy_config(t, config, err));
    BEAM_TRY(beam_trainer_open_data(t, err));
    if (beam_is_model_file(t->config.model_name.at))
        BEAM_TRY(beam_trainer_open_module(t, err));
    BEAM_TRY(beam_trainer_make_network(t, &t->network, err));
    if (t->checkpoints.folder)
        BEAM_TRY(beam_trainer_restore(t, &checkpoint, &found, err));
    beam_status status = beam_trainer_begin(t, found ? &checkpoint : NULL, err);
    beam_checkpoint_close(&checkpoint);
    if (status == BEAM_OK)
        status = open_loader(t, err);
    if (status == BEAM_OK && t->checkpoints.folder)
        status = beam_checkpoints_take(&t->checkpoints, err);
    return status;
}

beam_status beam_trainer_open(beam_device *device, const beam_training_config *config,
                              const beam_trainer_options *options, beam_trainer **trainer,
                              beam_error *err)
{
    *trainer = NULL;
    BEAM_TRY(beam_training_config_check(config, err));
    beam_trainer *t = beam_calloc(1, sizeof *t);
    if (!t)
        return beam_trainer_no_memory(err);
    t->device = device;
    t->loss = (double)NAN;
    t->pool = beam_pool_new();
    beam_status status = t->pool ? open_all(t, config, options, err) : beam_trainer_no_memory(err);
    if (status == BEAM_OK)
        *trainer = t;
    else
        beam_trainer_close(t);
    return status;
}

void beam_trainer_close(beam_trainer *t)
{
    if (!t)
        return;
    beam_loader_free(t->loader);
    beam_lookahead_free(&t->lookahead);
    beam_training_free(t->training);
    beam_network_free(t->network);
    beam_weights_close(t->module.file);
    beam_dataset_unshare(&t->shared_test);
    beam_dataset_unshare(&t->shared_train);
    beam_pool_free(t->pool);
    beam_free(t);
}

beam_trainer_progress beam_trainer_get_progress(const beam_trainer *t)
{
    return (beam_trainer_progress){.epoch = t->epoch,
                                   .step = t->step,
                                   .steps_per_epoch = t->steps_per_epoch,
                                   .total_steps = t->steps_per_epoch * (uint64_t)t->config.epochs,
                                   .restored = t->restored,
                                   .seconds = t->seconds,
                                   .loss = t->loss,
                                   .network = t->network,
                                   .dataset = beam_dataset_get_info(t->train)};
}

/* ---- Training -------------------------------------------------------------------------------- */

beam_status beam_trainer_diverged(const beam_trainer *t, const char *what, double number,
                                  beam_error *err)
{
    bool bf16 = strcmp(t->config.precision.at, "bf16") == 0;
    return beam_error_set(err, BEAM_ABORTED,
                          "%s is %g at step %llu (in epoch %lld): the training has diverged. "
                          "Try a learning_rate "
                          "below %g, max_gradient_norm 1%s%s",
                          what, beam_readable(number), (unsigned long long)t->step,
                          (long long)((t->step + t->steps_per_epoch - 1) / t->steps_per_epoch),
                          t->config.learning_rate,
                          t->schedule.kind == BEAM_SCHEDULE_ONE_CYCLE
                              ? ""
                              : ", the schedule one_cycle, which warms up",
                          bf16 ? ", precision f32" : "");
}

/* After step t->step of `total`. */
static beam_status look_ahead(beam_trainer *t, uint64_t total, beam_error *err)
{
    uint64_t every = (uint64_t)t->config.lookahead;
    if (!t->lookahead.count || (t->step % every && t->step != total))
        return BEAM_OK;
    double done = (double)t->step / (double)total;
    double keep = t->step == total ? 1 : pow(0.95, (double)every) * done * done * done;
    return beam_lookahead_pull(&t->lookahead, t->training, keep, err);
}

static beam_status step(beam_trainer *t, beam_error *err)
{
    beam_batch batch;
    beam_step_result result;
    uint64_t total = t->steps_per_epoch * (uint64_t)t->config.epochs;
    t->failed = true;
    BEAM_TRY(beam_loader_next(t->loader, &batch, err));
    beam_tensor images = beam_network_input(t->network, 0, t->config.batch_size);
    images.shape[2] = t->train_height;
    images.shape[3] = t->train_width;
    images.data = batch.images;
    float rate = (float)t->config.learning_rate * beam_schedule_at(&t->schedule, t->step, total);
    BEAM_TRY(beam_training_step(t->training, &images, 1, batch.labels, rate, &result, err));
    t->step++;
    if (!isfinite(result.loss))
        return beam_trainer_diverged(t, "the loss", (double)result.loss, err);
    BEAM_TRY(look_ahead(t, total, err));
    t->failed = false;
    t->epoch_loss += (double)result.loss;
    t->epoch_correct += result.correct;
    uint64_t every = (uint64_t)t->options.checkpoint_steps;
    if (t->checkpoints.folder && every && t->step % every == 0 && t->step % t->steps_per_epoch)
        BEAM_TRY(beam_trainer_save(t, err));
    beam_status status =
        t->options.on_step ? t->options.on_step(t->options.user, t->step, &result) : BEAM_OK;
    if (status != BEAM_OK)
        return beam_error_set(err, status, "stopped after step %llu", (unsigned long long)t->step);
    return BEAM_OK;
}

static void count_time(beam_trainer *t, double *began)
{
    double at = beam_clock_seconds();
    t->seconds += at - *began;
    t->epoch_seconds += at - *began;
    *began = at;
}

static void end_epoch(beam_trainer *t, beam_epoch_result *result)
{
    double steps = (double)t->steps_per_epoch, images = steps * (double)t->config.batch_size;
    *result = (beam_epoch_result){.loss = t->epoch_loss / steps,
                                  .accuracy = (double)t->epoch_correct / images,
                                  .seconds = t->epoch_seconds,
                                  .images_per_second = images / t->epoch_seconds};
    t->loss = result->loss;
    t->epoch_loss = 0;
    t->epoch_correct = 0;
    t->epoch_seconds = 0;
    t->epoch++;
}

beam_status beam_trainer_epoch(beam_trainer *t, beam_epoch_result *result, beam_error *err)
{
    double began = beam_clock_seconds();
    if (t->epoch >= t->config.epochs)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION, "all %lld epochs are done",
                              (long long)t->config.epochs);
    if (t->failed)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "a step failed: only a new trainer can go on, from a checkpoint");
    beam_status status = BEAM_OK;
    while (status == BEAM_OK && t->step < ((uint64_t)t->epoch + 1) * t->steps_per_epoch) {
        status = step(t, err);
        count_time(t, &began);
    }
    BEAM_TRY(status);
    end_epoch(t, result);
    if (!t->checkpoints.folder)
        return BEAM_OK;
    status = beam_trainer_save(t, err);
    t->seconds += beam_clock_seconds() - began;
    return status;
}
