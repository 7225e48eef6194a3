/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_models.c - TrainModels' DoFn: an element is a configuration, its processing a training.
 *
 * What a try leaves in the experiment's folder is what the next one goes on from: the trainer's
 * checkpoints, and, once training is over, the model and then the result, each written whole.  So
 * whenever the process ends, a second run redoes nothing that was finished. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "io/filesystem.h"
#include "ml/model_load.h"
#include "ml/shared_device.h"
#include "ml/train_config.h"
#include "ml/train_json.h"
#include "ml/train_models.h"

enum { EPOCHS, IMAGES, MILLISECONDS, DONE, FAILED, FELL_BACK, HISTORY, RESULTS };

/* A line of the metric training_history. */
#define EPOCH_ROW(FIELD, S)           \
    FIELD(S, beam_str, experiment_id) \
    FIELD(S, beam_str, model_name)    \
    FIELD(S, beam_int64, epoch)       \
    FIELD(S, beam_double, loss) FIELD(S, beam_double, accuracy) FIELD(S, beam_double, seconds)
BEAM_STRUCT(epoch_row, EPOCH_ROW);

typedef struct train_state {
    beam_device *device;
    bool fell_back;
} train_state;

/* One configuration at work. */
typedef struct experiment {
    beam_ctx *ctx;
    const beam_training_config *config;
    int64_t until;                           /* epochs to have done in the end */
    bool final;                              /* those are all: then there is a model */
    char *folder, *model_path, *result_path; /* beam_alloc's; NULL: nothing is kept */
} experiment;

/* What people call it. */
static beam_str name_of(const beam_training_config *config)
{
    return config->experiment_id.len ? config->experiment_id : config->model_name;
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a training");
}

/* ---- Where things are --------------------------------------------------------------------- */

/* The experiment's folder, or a file in it. */
static char *path_of(const experiment *e, const char *format, long long number)
{
    beam_str folder = beam_config(e->ctx, beam_train_models_config)->checkpoint_dir;
    beam_str id = e->config->experiment_id;
    char name[64];
    (void)snprintf(name, sizeof name, format, number);
    beam_str path = beam_format(e->ctx, "%.*s%s%.*s%s", (int)folder.len, folder.at,
                                id.len ? "/" : "", (int)id.len, id.len ? id.at : "", name);
    return path.at ? beam_cstr(e->ctx, path) : NULL;
}

static beam_status begin(beam_ctx *ctx, const beam_training_config *config, experiment *e,
                         beam_error *err)
{
    double share = beam_config(ctx, beam_train_models_config)->share;
    *e = (experiment){.ctx = ctx, .config = config};
    if (config->experiment_id.len)
        BEAM_TRY(beam_experiment_check(config->experiment_id, err));
    BEAM_TRY(beam_training_config_check(config, err));
    e->until = (int64_t)ceil((double)config->epochs * share);
    e->final = e->until == config->epochs;
    if (!beam_config(ctx, beam_train_models_config)->checkpoint_dir.len)
        return BEAM_OK;
    e->folder = path_of(e, "", 0);
    e->model_path = path_of(e, "/model.safetensors", 0);
    e->result_path = path_of(e, e->final ? "/result.json" : "/rung-%lld.json", (long long)e->until);
    return e->folder && e->model_path && e->result_path ? BEAM_OK : no_memory(err);
}

/* ---- Telling ------------------------------------------------------------------------------ */

/* What is for people to look at (the report page), so that it is missing fails nothing. */
static void tell_row(beam_ctx *ctx, uint32_t metric, const beam_type *type, const void *row)
{
    beam_buffer json = {0};
    beam_error err = {0};
    if (beam_row_to_json(type, row, &json, &err) == BEAM_OK)
        beam_string_set_add(ctx, metric, (beam_str){(const char *)json.data, json.len});
    else
        beam_ctx_log(ctx, BEAM_LOG_WARNING, "left out of the metrics: %s", err.message);
    beam_buffer_free(&json);
}

static void tell_epoch(const experiment *e, int64_t number, const beam_epoch_result *epoch)
{
    const epoch_row row = {.experiment_id = e->config->experiment_id,
                           .model_name = e->config->model_name,
                           .epoch = number,
                           .loss = epoch->loss,
                           .accuracy = epoch->accuracy,
                           .seconds = epoch->seconds};
    tell_row(e->ctx, HISTORY, &epoch_row_type, &row);
}

static beam_status emit_result(beam_ctx *ctx, const beam_training_result *result)
{
    beam_count(ctx, result->error.len ? FAILED : DONE, 1);
    tell_row(ctx, RESULTS, &beam_training_result_type, result);
    return beam_emit_value(ctx, beam_training_result, result);
}

/* ---- Results that are there already ------------------------------------------------------- */

/* Bytes that are no text, in a message cut in the middle of a letter or a path of another
 * encoding, would make the result no row. */
static beam_str readable(beam_ctx *ctx, const char *text)
{
    beam_str copy = beam_format(ctx, "%s", text);
    if (!copy.at)
        return (beam_str){"", 0};
    beam_pool *pool = beam_pool_new();
    beam_training_config probe = {.experiment_id = copy};
    beam_str json;
    bool valid = pool && beam_training_config_to_json(&probe, pool, &json, NULL) == BEAM_OK;
    beam_pool_free(pool);
    for (size_t i = 0; !valid && i < copy.len; i++)
        if ((unsigned char)copy.at[i] >= 0x80)
            ((char *)(uintptr_t)copy.at)[i] = '?';
    return copy;
}

/* BEAM_NOT_FOUND unless the model of a stored result is there, and as it would be saved now: the
 * configuration, which results are compared by, does not have model_dtype. */
static beam_status look_at_model(const experiment *e, beam_error *err)
{
    bool half = beam_config(e->ctx, beam_train_models_config)->model_dtype == BEAM_BF16, there;
    beam_file_view view;
    beam_weights *weights = NULL;
    beam_error why = {0};
    BEAM_TRY(beam_fs_exists(e->model_path, &there, err));
    if (!there)
        return BEAM_NOT_FOUND;
    if (beam_training_is_module(e->config->model_name))
        return BEAM_OK; /* its tensors are what its modules take */
    BEAM_TRY(beam_fs_view(e->model_path, &view, err));
    beam_status status = beam_weights_open_memory(view.data, view.size, &weights, &why);
    bool same = status == BEAM_OK && half == (beam_weights_tensor(weights, 0).dtype == BEAM_BF16);
    beam_weights_close(weights);
    beam_file_view_close(&view);
    if (same)
        return BEAM_OK;
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return beam_error_set(err, status, "%s", why.message);
    beam_ctx_log(e->ctx, BEAM_LOG_NOTICE, "%s is %s and saved again", e->model_path,
                 status != BEAM_OK ? "damaged"
                 : half            ? "not in bf16"
                                   : "not in f32");
    return BEAM_NOT_FOUND;
}

/* Reads the stored result; BEAM_NOT_FOUND when there is none of use. */
static beam_status read_result(const experiment *e, beam_pool *pool, beam_training_result *result,
                               beam_error *err)
{
    beam_file_view view;
    bool there;
    if (!e->folder)
        return BEAM_NOT_FOUND;
    BEAM_TRY(beam_fs_exists(e->result_path, &there, err));
    if (!there)
        return BEAM_NOT_FOUND;
    BEAM_TRY(beam_fs_view(e->result_path, &view, err));
    beam_error why = {0};
    const beam_str text = {(const char *)view.data, view.size};
    beam_status status = beam_training_result_from_json(text, pool, result, &why);
    beam_file_view_close(&view);
    if (status == BEAM_INVALID_ARGUMENT) {
        beam_ctx_log(e->ctx, BEAM_LOG_WARNING, "%s is damaged and made again: %s", e->result_path,
                     why.message);
        return BEAM_NOT_FOUND;
    }
    if (status != BEAM_OK)
        return beam_error_set(err, status, "%s", why.message);
    const beam_training_config theirs = beam_training_config_complete(&result->config);
    const beam_training_config ours = beam_training_config_complete(e->config);
    const char *other = beam_training_config_differs(&theirs, &ours);
    if (other)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "%s is of another configuration: its %s differs. Give this one "
                              "another experiment_id or checkpoint_dir",
                              e->result_path, other);
    return result->model_path.len ? look_at_model(e, err) : BEAM_OK;
}

/* Emits the stored result, if there is one of use. */
static beam_status emit_stored(const experiment *e, bool *emitted, beam_error *err)
{
    beam_pool *pool = beam_pool_new();
    beam_training_result result;
    if (!pool)
        return no_memory(err);
    beam_status status = read_result(e, pool, &result, err);
    *emitted = status == BEAM_OK;
    if (*emitted) {
        if (result.model_path.len) /* the folder may have been moved */
            result.model_path = beam_str_of(e->model_path);
        beam_ctx_log(e->ctx, BEAM_LOG_NOTICE, "trained before: the result is in %s",
                     e->result_path);
        status = emit_result(e->ctx, &result);
    }
    beam_pool_free(pool);
    return !*emitted && status == BEAM_NOT_FOUND ? BEAM_OK : status;
}

static beam_status store_result(const experiment *e, const beam_training_result *result,
                                beam_error *err)
{
    beam_str json;
    beam_writer *file = NULL;
    if (!e->folder)
        return BEAM_OK;
    beam_pool *pool = beam_pool_new();
    if (!pool)
        return no_memory(err);
    beam_status status = beam_training_result_to_json(result, pool, &json, err);
    if (status == BEAM_OK)
        status = beam_fs_make_folder(e->folder, err);
    if (status == BEAM_OK)
        status = beam_fs_create(e->result_path, false, &file, err);
    if (status == BEAM_OK)
        status = beam_writer_write(file, json.at, json.len, err);
    if (status == BEAM_OK)
        status = beam_writer_write(file, "\n", 1, err);
    if (status == BEAM_OK)
        status = beam_writer_commit(file, err);
    else
        beam_writer_abandon(file);
    beam_pool_free(pool);
    return status;
}

/* ---- Training ----------------------------------------------------------------------------- */

static beam_status on_step(void *user, uint64_t step, const beam_step_result *result)
{
    (void)step;
    (void)result;
    return beam_cancelled(user) ? BEAM_CANCELLED : BEAM_OK;
}

static beam_status on_evaluate(void *user, uint64_t images)
{
    (void)images;
    return beam_cancelled(user) ? BEAM_CANCELLED : BEAM_OK;
}

static beam_status train_epochs(const experiment *e, beam_trainer *trainer, beam_error *err)
{
    beam_str id = name_of(e->config);
    beam_trainer_progress progress;
    while ((progress = beam_trainer_get_progress(trainer)).epoch < e->until) {
        beam_epoch_result epoch;
        BEAM_TRY(beam_trainer_epoch(trainer, &epoch, err));
        beam_count(e->ctx, EPOCHS, 1);
        beam_count(e->ctx, IMAGES, (int64_t)llround(epoch.seconds * epoch.images_per_second));
        beam_count(e->ctx, MILLISECONDS, (int64_t)llround(epoch.seconds * 1e3));
        tell_epoch(e, progress.epoch + 1, &epoch);
        beam_ctx_log(e->ctx, BEAM_LOG_NOTICE,
                     "%.*s: epoch %lld of %lld: loss %.4f, training accuracy %.4f, %.2f s, %.0f "
                     "images/s",
                     (int)id.len, id.at, (long long)progress.epoch + 1,
                     (long long)e->config->epochs, epoch.loss, epoch.accuracy, epoch.seconds,
                     epoch.images_per_second);
    }
    return BEAM_OK;
}

/* What there is to tell of a trainer, whether it got to the end or not. */
static void note_progress(const beam_trainer *trainer, beam_training_result *result)
{
    beam_trainer_progress progress = beam_trainer_get_progress(trainer);
    result->epochs = progress.epoch;
    result->steps = (int64_t)progress.step;
    result->loss = progress.loss;
    result->seconds = progress.seconds;
}

static beam_status train(const experiment *e, beam_training_result *result, beam_error *err)
{
    beam_trainer *trainer;
    const beam_trainer_options options = {.struct_size = sizeof options,
                                          .checkpoint_dir = e->folder,
                                          .logger = beam_ctx_logger(e->ctx),
                                          .on_step = on_step,
                                          .on_evaluate = on_evaluate,
                                          .user = e->ctx};
    BEAM_TRY(beam_trainer_open(beam_self(e->ctx, train_state)->device, e->config, &options,
                               &trainer, err));
    beam_status status = train_epochs(e, trainer, err);
    note_progress(trainer, result);
    double began = beam_clock_seconds();
    beam_evaluation found = {(double)NAN, (double)NAN};
    if (status == BEAM_OK)
        status = beam_trainer_evaluate(trainer, &found, err);
    result->accuracy = found.accuracy;
    result->plain_accuracy = found.plain_accuracy;
    result->seconds += beam_clock_seconds() - began;
    if (status == BEAM_OK && e->final && e->folder) {
        beam_dtype dtype = (beam_dtype)beam_config(e->ctx, beam_train_models_config)->model_dtype;
        status = beam_trainer_export(trainer, e->model_path, dtype, err);
        result->model_path = beam_str_of(e->model_path);
    }
    beam_trainer_close(trainer);
    if (status == BEAM_OK)
        result->status = beam_str_of("ok");
    return status;
}

/* A training that failed becomes a result that says so; only what would fail again the same way is
 * stored. */
static void fail_experiment(const experiment *e, beam_status status, const beam_error *why,
                            beam_training_result *result)
{
    bool diverged = status == BEAM_ABORTED;
    const beam_str name = name_of(e->config);
    result->status = beam_str_of(diverged ? "diverged" : "failed");
    result->error = readable(e->ctx, why->message[0] ? why->message : beam_status_name(status));
    result->accuracy = result->plain_accuracy = (double)NAN;
    result->model_path = (beam_str){"", 0};
    beam_ctx_log(e->ctx, BEAM_LOG_ERROR, "%.*s %.*s: %s", (int)name.len, name.len ? name.at : "",
                 (int)result->status.len, result->status.at, why->message);
    if (!diverged)
        return;
    result->loss = (double)NAN;
    beam_error err = {0};
    if (store_result(e, result, &err) != BEAM_OK)
        beam_ctx_log(e->ctx, BEAM_LOG_WARNING, "the result is not kept: %s", err.message);
}

static beam_status train_and_emit(const experiment *e, beam_status status, beam_error *why)
{
    beam_ctx *ctx = e->ctx;
    beam_training_result result = {.experiment_id = e->config->experiment_id,
                                   .accuracy = (double)NAN,
                                   .plain_accuracy = (double)NAN,
                                   .loss = (double)NAN,
                                   .config = *e->config};
    if (status == BEAM_OK)
        status = train(e, &result, why);
    if (status == BEAM_OK)
        status = store_result(e, &result, why);
    if (status == BEAM_CANCELLED || beam_cancelled(ctx))
        return beam_fail(ctx, BEAM_CANCELLED, "stopped while training");
    if (status != BEAM_OK)
        fail_experiment(e, status, why, &result);
    return emit_result(ctx, &result);
}

static beam_status process(beam_ctx *ctx, const void *element)
{
    experiment e;
    beam_error why = {0};
    bool emitted = false;
    beam_count(ctx, FELL_BACK, beam_self(ctx, train_state)->fell_back);
    beam_status status = begin(ctx, element, &e, &why);
    if (status == BEAM_OK)
        status = emit_stored(&e, &emitted, &why);
    return emitted ? status : train_and_emit(&e, status, &why);
}

/* ---- The function ------------------------------------------------------------------------- */

static beam_status setup(beam_ctx *ctx)
{
    beam_spec_text name;
    BEAM_TRY(beam_spec_field(beam_config(ctx, beam_train_models_config)->device, "device", "auto",
                             &name, beam_ctx_error(ctx)));
    return beam_shared_device_open(name.text, beam_ctx_logger(ctx), BEAM_LOG_NOTICE,
                                   beam_ctx_transform(ctx), &beam_self(ctx, train_state)->device,
                                   &beam_self(ctx, train_state)->fell_back, beam_ctx_error(ctx));
}

static void teardown(beam_ctx *ctx)
{
    beam_shared_device_close(beam_self(ctx, train_state)->device);
    beam_self(ctx, train_state)->device = NULL;
}

const beam_dofn beam_train_models_fn = {
    .struct_size = sizeof(beam_dofn),
    .name = "beam_train_models_fn",
    .in = &beam_training_config_type,
    BEAM_TYPES(&beam_training_result_type),
    .config = &beam_train_models_config_type,
    .state_size = sizeof(train_state),
    .setup = setup,
    .process = process,
    .teardown = teardown,
    BEAM_METRICS(
        [EPOCHS] = {"epochs_done", BEAM_COUNTER}, [IMAGES] = {"images_trained", BEAM_COUNTER},
        [MILLISECONDS] = {"training_milliseconds", BEAM_COUNTER},
        [DONE] = {"configs_done", BEAM_COUNTER}, [FAILED] = {"configs_failed", BEAM_COUNTER},
        [FELL_BACK] = {"device_fell_back", BEAM_COUNTER},
        [HISTORY] = {"training_history", BEAM_STRING_SET},
        [RESULTS] = {"training_results", BEAM_STRING_SET})};
