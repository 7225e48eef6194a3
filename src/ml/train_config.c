/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_config.c - what a training configuration may be; configurations and results as JSON. */
#include <beam/training.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ml/augment.h"
#include "ml/train_config.h"
#include "ml/train_json.h"

enum {
    LONGEST_NAME = 200,
    MOST_EPOCHS = 1000000,
    MOST_THREADS = 1024,
    LARGEST_IMAGE = 4096,
    MOST_STEPS = 10000
};

/* ---- Checking ----------------------------------------------------------------------------- */

static beam_status refuse_number(const char *field, double value, const char *may_be,
                                 beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s is %g: it must be %s", field, value,
                          may_be);
}

static beam_status check_whole(const char *field, int64_t value, int64_t least, int64_t most,
                               beam_error *err)
{
    if (value >= least && value <= most)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "%s is %lld: it must be a whole number from %lld to %lld", field,
                          (long long)value, (long long)least, (long long)most);
}

/* Names of files and folders; long ones are a mistake. */
static beam_status check_text(const char *field, beam_str text, beam_error *err)
{
    if (text.len && memchr(text.at, '\0', text.len))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s holds a NUL", field);
    if (text.len > 1000)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s is %zu bytes long, at most 1000 may be", field, text.len);
    return BEAM_OK;
}

bool beam_training_is_module(beam_str model_name)
{
    char copy[1001];
    if (model_name.len >= sizeof copy)
        return false;
    memcpy(copy, model_name.len ? model_name.at : "", model_name.len);
    copy[model_name.len] = '\0';
    return beam_is_model_file(copy);
}

/* A step made elsewhere, which has what other fields would choose. */
static beam_status check_module(const beam_training_config *c, beam_error *err)
{
    bool f32 = !c->precision.len || beam_str_equal(c->precision, beam_str_of("f32"));
    const struct {
        const char *name;
        bool given;
    } fields[] = {{"optimizer", c->optimizer.len != 0},
                  {"momentum", c->momentum != 0},
                  {"weight_decay", c->weight_decay != 0},
                  {"bias_lr_factor", c->bias_lr_factor != 0},
                  {"max_gradient_norm", c->max_gradient_norm != 0},
                  {"label_smoothing", c->label_smoothing != 0},
                  {"precision", !f32},
                  {"cifar_stem", c->cifar_stem},
                  {"lookahead", c->lookahead != 0},
                  {"num_replicas", c->num_replicas > 1}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].given)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "%s is given, and the training step %.*s has its own: leave it "
                                  "out",
                                  fields[i].name, (int)c->model_name.len, c->model_name.at);
    if (!memchr(c->model_name.at, ',', c->model_name.len))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "model_name is \"%.*s\", a training step alone: behind a comma the "
                              "module of its classifier must follow, which is evaluated",
                              (int)c->model_name.len, c->model_name.at);
    if (!c->init_weights.len)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "init_weights is missing: the states that the training step starts "
                              "from");
    return BEAM_OK;
}

static beam_status check_model(const beam_training_config *c, beam_error *err)
{
    beam_str name = c->model_name;
    char known[256] = "";
    if (beam_training_is_module(name))
        return check_module(c, err);
    for (size_t i = 0; beam_network_known(i); i++) {
        if (beam_str_equal(name, beam_str_of(beam_network_known(i))))
            return BEAM_OK;
        size_t len = strlen(known);
        (void)snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "",
                       beam_network_known(i));
    }
    if (!name.len)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "model_name is missing; there are %s",
                              known);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "model_name is \"%.*s\": there is no such network; there are %s",
                          (int)name.len, name.at, known);
}

/* A text that another part of the library parses. */
static beam_status check_parsed(const char *field, beam_str text,
                                beam_status (*parse)(const char *text, beam_error *err),
                                beam_error *err)
{
    char copy[64];
    if (!text.len)
        return BEAM_OK;
    if (text.len >= sizeof copy)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s is %zu bytes long", field, text.len);
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    beam_status status = parse(copy, err);
    return status == BEAM_OK ? status : beam_error_wrap(err, status, "%s", field);
}

static beam_status parse_optimizer(const char *text, beam_error *err)
{
    beam_optimizer_kind kind;
    return beam_optimizer_parse(text, &kind, err);
}

static beam_status parse_schedule(const char *text, beam_error *err)
{
    beam_schedule_kind kind;
    return beam_schedule_parse(text, &kind, err);
}

static beam_status parse_precision(const char *text, beam_error *err)
{
    beam_precision precision;
    BEAM_TRY(beam_precision_parse(text, &precision, err));
    if (precision == BEAM_PRECISION_INT8)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "int8 is for inference: train in f32, bf16 or f16, then beam quantize");
    return BEAM_OK;
}

static beam_status parse_augment(const char *text, beam_error *err)
{
    beam_augment augment;
    return beam_augment_parse(text, &augment, err);
}

static beam_status check_numbers(const beam_training_config *c, beam_error *err)
{
    if (!isfinite(c->learning_rate) || c->learning_rate <= 0)
        return refuse_number("learning_rate", c->learning_rate, "a number above 0", err);
    BEAM_TRY(check_whole("batch_size", c->batch_size, 1, 1 << 20, err));
    BEAM_TRY(check_whole("epochs", c->epochs, 1, MOST_EPOCHS, err));
    BEAM_TRY(check_whole("num_images", c->num_images, 0, INT64_MAX, err));
    if (c->num_images && c->batch_size > c->num_images)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "batch_size is %lld, and there are only %lld images (num_images)",
                              (long long)c->batch_size, (long long)c->num_images);
    BEAM_TRY(check_whole("num_threads", c->num_threads, 0, MOST_THREADS, err));
    BEAM_TRY(check_whole("num_replicas", c->num_replicas, 0, MOST_THREADS, err));
    if (c->num_replicas && c->batch_size % c->num_replicas != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "batch_size is %lld, which num_replicas = %lld cannot share evenly",
                              (long long)c->batch_size, (long long)c->num_replicas);
    BEAM_TRY(check_whole("image_size", c->image_size, 0, LARGEST_IMAGE, err));
    BEAM_TRY(check_whole("seed", c->seed, 0, INT64_MAX, err));
    BEAM_TRY(check_whole("lookahead", c->lookahead, -1, MOST_STEPS, err));
    if (!isfinite(c->momentum) || c->momentum >= 1)
        return refuse_number("momentum", c->momentum, "below 1 (negative: none)", err);
    if (!isfinite(c->weight_decay))
        return refuse_number("weight_decay", c->weight_decay, "a number (negative: none)", err);
    if (!isfinite(c->bias_lr_factor) || c->bias_lr_factor < 0)
        return refuse_number("bias_lr_factor", c->bias_lr_factor, "0 or a number above it", err);
    if (!isfinite(c->max_gradient_norm) || c->max_gradient_norm < 0)
        return refuse_number("max_gradient_norm", c->max_gradient_norm, "0 or a number above it",
                             err);
    if (!isfinite(c->label_smoothing) || c->label_smoothing >= 1)
        return refuse_number("label_smoothing", c->label_smoothing, "below 1 (negative: none)",
                             err);
    return BEAM_OK;
}

beam_status beam_training_config_check(const beam_training_config *c, beam_error *err)
{
    BEAM_TRY(check_text("experiment_id", c->experiment_id, err));
    BEAM_TRY(check_text("dataset", c->dataset, err));
    BEAM_TRY(check_text("data_dir", c->data_dir, err));
    BEAM_TRY(check_text("init_weights", c->init_weights, err));
    BEAM_TRY(check_text("model_name", c->model_name, err));
    BEAM_TRY(check_model(c, err));
    BEAM_TRY(check_numbers(c, err));
    BEAM_TRY(check_parsed("optimizer", c->optimizer, parse_optimizer, err));
    BEAM_TRY(check_parsed("schedule", c->schedule, parse_schedule, err));
    BEAM_TRY(check_parsed("precision", c->precision, parse_precision, err));
    return check_parsed("augment", c->augment, parse_augment, err);
}

beam_training_config beam_training_config_complete(const beam_training_config *config)
{
    beam_training_config c = *config;
    bool module = beam_training_is_module(c.model_name);
    struct {
        beam_str *text;
        const char *otherwise;
    } texts[] = {{&c.dataset, "cifar10"},
                 {&c.optimizer, module ? "" : "sgd"}, /* a module has its own */
                 {&c.schedule, "one_cycle"},
                 {&c.precision, "f32"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!texts[i].text->len)
            *texts[i].text = beam_str_of(texts[i].otherwise);
    if (!c.augment.len)
        c.augment =
            beam_str_of(beam_str_equal(c.dataset, beam_str_of("digits")) ? "crop" : "flip,crop");
    if (c.momentum == 0 && !module)
        c.momentum = beam_str_equal(c.optimizer, beam_str_of("muon")) ? 0.95 : 0.9;
    if (c.weight_decay == 0 && !module)
        c.weight_decay = 5e-4;
    if (c.bias_lr_factor == 0 && !module)
        c.bias_lr_factor = 1;
    if (c.num_threads == 0)
        c.num_threads = 1;
    if (c.num_replicas == 0)
        c.num_replicas = 1;
    return c;
}

beam_status beam_experiment_check(beam_str id, beam_error *err)
{
    if (!id.len)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "experiment_id is missing: it names the folder of the checkpoints");
    if (id.len > LONGEST_NAME)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "experiment_id is %zu bytes long, at most %d may be", id.len,
                              LONGEST_NAME);
    for (size_t i = 0; i < id.len; i++)
        if ((unsigned char)id.at[i] < ' ' || id.at[i] == '/')
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "experiment_id \"%.*s\" is no name of a folder", (int)id.len,
                                  id.at);
    if (id.at[0] == '.')
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "experiment_id \"%.*s\" begins with a dot", (int)id.len, id.at);
    return BEAM_OK;
}

const char *beam_training_config_differs(const beam_training_config *a,
                                         const beam_training_config *b)
{
    for (uint32_t i = 0; i < beam_training_config_type.n_fields; i++) {
        const beam_field *field = &beam_training_config_type.fields[i];
        const char *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
        bool same = field->type->kind == BEAM_KIND_STR
                        ? beam_str_equal(*(const beam_str *)(const void *)x,
                                         *(const beam_str *)(const void *)y)
                        : memcmp(x, y, field->type->size) == 0;
        if (!same)
            return field->name;
    }
    return NULL;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static beam_status to_json(const beam_type *type, const void *row, beam_pool *pool, beam_str *json,
                           beam_error *err)
{
    beam_buffer text = {0};
    *json = (beam_str){0};
    beam_status status = beam_row_to_json(type, row, &text, err);
    char *copy = status == BEAM_OK ? beam_pool_alloc(pool, text.len) : NULL;
    if (copy) {
        memcpy(copy, text.data, text.len);
        *json = (beam_str){copy, text.len};
    } else if (status == BEAM_OK) {
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for JSON");
    }
    beam_buffer_free(&text);
    return status;
}

static beam_status from_json(const beam_type *type, beam_str text, beam_pool *pool, void *row,
                             beam_error *err)
{
    json_t *value;
    BEAM_TRY(beam_json_parse(text, NULL, &value, err));
    beam_status status = beam_row_from_json(type, value, pool, row, err);
    json_decref(value);
    return status;
}

beam_status beam_training_config_to_json(const beam_training_config *config, beam_pool *pool,
                                         beam_str *json, beam_error *err)
{
    return to_json(&beam_training_config_type, config, pool, json, err);
}

beam_status beam_training_result_to_json(const beam_training_result *result, beam_pool *pool,
                                         beam_str *json, beam_error *err)
{
    return to_json(&beam_training_result_type, result, pool, json, err);
}

beam_status beam_training_config_from_json(beam_str json, const beam_training_config *base,
                                           beam_pool *pool, beam_training_config *config,
                                           beam_error *err)
{
    *config = base ? *base : (beam_training_config){0};
    return from_json(&beam_training_config_type, json, pool, config, err);
}

beam_status beam_training_result_from_json(beam_str json, beam_pool *pool,
                                           beam_training_result *result, beam_error *err)
{
    *result = (beam_training_result){0};
    return from_json(&beam_training_result_type, json, pool, result, err);
}
