/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_grid.c - many configurations: every combination, random ones, those of a file; and the
 * order in which they had best start. */
#include <beam/training.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/train_config.h"
#include "ml/train_json.h"
#include "ml/train_work.h"
#include "nn/random.h"

enum { MOST_CONFIGS = 1000000 };

typedef struct config_list {
    beam_training_config *at; /* grows by beam_grow */
    size_t n, capacity;
} config_list;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for configurations");
}

static beam_status add(config_list *list, const beam_training_config *config, beam_error *err)
{
    if (list->n == MOST_CONFIGS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "more than %d configurations",
                              MOST_CONFIGS);
    if (beam_grow((void **)&list->at, &list->capacity, list->n + 1, sizeof *list->at) != 0)
        return no_memory(err);
    list->at[list->n++] = *config;
    return BEAM_OK;
}

/* Gives the list to the caller, in the pool, and frees it; keeps a status that is not OK. */
static beam_status hand_over(config_list *list, beam_status status, beam_pool *pool,
                             beam_training_config **configs, size_t *n, beam_error *err)
{
    if (status == BEAM_OK) {
        *configs = beam_pool_alloc(pool, list->n * sizeof **configs);
        *n = list->n;
        if (!*configs)
            status = no_memory(err);
        else if (list->n)
            memcpy(*configs, list->at, list->n * sizeof **configs);
    }
    beam_free(list->at);
    return status;
}

/* ---- Names -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const beam_str x = *(const beam_str *)a, y = *(const beam_str *)b;
    int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* No two may have one folder. */
static beam_status check_names(const config_list *list, beam_error *err)
{
    beam_str *names = beam_malloc(list->n * sizeof *names);
    beam_status status = BEAM_OK;
    if (!names)
        return no_memory(err);
    for (size_t i = 0; i < list->n; i++)
        names[i] = list->at[i].experiment_id;
    if (list->n)
        qsort(names, list->n, sizeof *names, by_name);
    for (size_t i = 1; i < list->n && status == BEAM_OK; i++)
        if (beam_str_equal(names[i - 1], names[i]))
            status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                    "two configurations are called \"%.*s\" (experiment_id)",
                                    (int)names[i].len, names[i].at);
    beam_free(names);
    return status;
}

/* What a model is called in the name of an experiment: "mine" of a step dir/mine.step.stablehlo. */
static beam_str short_name(beam_str model)
{
    if (!beam_training_is_module(model))
        return model;
    const char *comma = memchr(model.at, ',', model.len);
    size_t len = comma ? (size_t)(comma - model.at) : model.len;
    const char *slash = memrchr(model.at, '/', len);
    const char *at = slash ? slash + 1 : model.at;
    len -= (size_t)(at - model.at);
    const char *dot = memchr(at, '.', len);
    return (beam_str){at, dot ? (size_t)(dot - at) : len};
}

static beam_status name_it(beam_training_config *config, const char *prefix, beam_pool *pool,
                           beam_error *err)
{
    beam_str model = short_name(config->model_name);
    char *name =
        beam_asprintf("%s%.*s-lr%.6g-b%lld", prefix, (int)model.len, model.len ? model.at : "",
                      config->learning_rate, (long long)config->batch_size);
    char *copy = name ? beam_pool_alloc(pool, strlen(name) + 1) : NULL;
    if (copy) {
        memcpy(copy, name, strlen(name) + 1);
        config->experiment_id = beam_str_of(copy);
    }
    beam_free(name);
    return copy ? BEAM_OK : no_memory(err);
}

/* ---- Grids -------------------------------------------------------------------------------- */

/* A grid whose empty lists have been given the base's own value. */
typedef struct full_grid {
    beam_training_grid grid;
    const char *model;
    char model_text[1001]; /* of a step made elsewhere: paths */
    double learning_rate;
    int64_t batch_size;
} full_grid;

static beam_status fill_in(const beam_training_grid *given, full_grid *full, beam_error *err)
{
    beam_training_grid *g = &full->grid;
    *g = (beam_training_grid){0};
    memcpy(g, given, given->struct_size < sizeof *g ? given->struct_size : sizeof *g);
    beam_str model = g->base.model_name;
    if (g->trials < 0 || g->trials > MOST_CONFIGS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "trials is %lld: it must be 0 to %d",
                              (long long)g->trials, MOST_CONFIGS);
    if (model.len >= sizeof full->model_text)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a model_name of %zu bytes", model.len);
    memcpy(full->model_text, model.len ? model.at : "", model.len);
    full->model_text[model.len] = '\0';
    full->model = full->model_text;
    full->learning_rate = g->base.learning_rate;
    full->batch_size = g->base.batch_size;
    if (!g->num_model_names) {
        g->model_names = &full->model;
        g->num_model_names = 1;
    }
    if (!g->num_learning_rates) {
        g->learning_rates = &full->learning_rate;
        g->num_learning_rates = 1;
    }
    if (!g->num_batch_sizes) {
        g->batch_sizes = &full->batch_size;
        g->num_batch_sizes = 1;
    }
    return BEAM_OK;
}

static beam_status copy_name(const char *name, beam_pool *pool, beam_str *copy, beam_error *err)
{
    size_t len = strlen(name);
    char *text = beam_pool_alloc(pool, len + 1);
    if (!text)
        return no_memory(err);
    memcpy(text, name, len + 1);
    *copy = (beam_str){text, len};
    return BEAM_OK;
}

static beam_status add_member(const beam_training_grid *g, const char *prefix, const char *model,
                              double learning_rate, int64_t batch_size, beam_pool *pool,
                              config_list *list, beam_error *err)
{
    beam_training_config config = g->base;
    config.learning_rate = learning_rate;
    config.batch_size = batch_size;
    if (g->base.seed > INT64_MAX - (int64_t)list->n)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "seed is %lld: each configuration has the next one, and there are not "
            "so many above it",
            (long long)g->base.seed);
    config.seed = g->base.seed + (int64_t)list->n;
    BEAM_TRY(copy_name(model, pool, &config.model_name, err));
    BEAM_TRY(beam_training_config_check(&config, err));
    BEAM_TRY(name_it(&config, prefix, pool, err));
    return add(list, &config, err);
}

static beam_status add_all(const beam_training_grid *g, beam_pool *pool, config_list *list,
                           beam_error *err)
{
    for (size_t m = 0; m < g->num_model_names; m++)
        for (size_t r = 0; r < g->num_learning_rates; r++)
            for (size_t b = 0; b < g->num_batch_sizes; b++)
                BEAM_TRY(add_member(g, "", g->model_names[m], g->learning_rates[r],
                                    g->batch_sizes[b], pool, list, err));
    return BEAM_OK;
}

static beam_status add_trials(const beam_training_grid *g, beam_pool *pool, config_list *list,
                              beam_error *err)
{
    const uint64_t stream = 0x7472696131; /* apart from what trainings draw with the same seed */
    double least = g->learning_rates[0], most = least;
    for (size_t i = 1; i < g->num_learning_rates; i++) {
        least = g->learning_rates[i] < least ? g->learning_rates[i] : least;
        most = g->learning_rates[i] > most ? g->learning_rates[i] : most;
    }
    for (int64_t trial = 0; trial < g->trials; trial++) {
        beam_random4 random = beam_random_at((uint64_t)g->base.seed, stream, (uint64_t)trial);
        double share = (double)random.at[0] / 4294967296.0;
        char prefix[32],
            rounded[32]; /* so that the name tells the rate, and nobody reads 17 digits */
        (void)snprintf(prefix, sizeof prefix, "trial%04lld-", (long long)trial);
        (void)snprintf(rounded, sizeof rounded, "%.3g", least * pow(most / least, share));
        BEAM_TRY(add_member(g, prefix, g->model_names[random.at[1] % g->num_model_names],
                            strtod(rounded, NULL),
                            g->batch_sizes[random.at[2] % g->num_batch_sizes], pool, list, err));
    }
    return BEAM_OK;
}

beam_status beam_training_grid_make(const beam_training_grid *grid, beam_pool *pool,
                                    beam_training_config **configs, size_t *n, beam_error *err)
{
    full_grid full;
    config_list list = {0};
    *configs = NULL;
    *n = 0;
    BEAM_TRY(fill_in(grid, &full, err));
    beam_status status = full.grid.trials ? add_trials(&full.grid, pool, &list, err)
                                          : add_all(&full.grid, pool, &list, err);
    if (status == BEAM_OK)
        status = check_names(&list, err);
    return hand_over(&list, status, pool, configs, n, err);
}

/* ---- Files -------------------------------------------------------------------------------- */

static beam_status add_object(const json_t *object, const beam_training_config *base,
                              beam_pool *pool, config_list *list, beam_error *err)
{
    beam_training_config config = base ? *base : (beam_training_config){0};
    beam_status status = beam_row_from_json(&beam_training_config_type, object, pool, &config, err);
    if (status == BEAM_OK)
        status = beam_experiment_check(config.experiment_id, err);
    if (status == BEAM_OK)
        status = add(list, &config, err);
    return status == BEAM_OK ? status
                             : beam_error_wrap(err, status, "configuration %zu", list->n + 1);
}

static beam_status add_value(const json_t *value, const beam_training_config *base, beam_pool *pool,
                             config_list *list, beam_error *err)
{
    if (!json_is_array(value))
        return add_object(value, base, pool, list, err);
    for (size_t i = 0; i < json_array_size(value); i++)
        BEAM_TRY(add_object(json_array_get(value, i), base, pool, list, err));
    return BEAM_OK;
}

static size_t skip_space(beam_str text)
{
    size_t i = 0;
    while (i < text.len && text.at[i] && strchr(" \t\r\n", text.at[i]))
        i++;
    return i;
}

static beam_status add_text(beam_str text, const beam_training_config *base, beam_pool *pool,
                            config_list *list, beam_error *err)
{
    for (;;) {
        size_t used = skip_space(text);
        text.at += used;
        text.len -= used;
        if (!text.len)
            return BEAM_OK;
        json_t *value;
        beam_status status = beam_json_parse(text, &used, &value, err);
        if (status != BEAM_OK)
            return beam_error_wrap(err, status, "after %zu configurations", list->n);
        status = add_value(value, base, pool, list, err);
        json_decref(value);
        BEAM_TRY(status);
        text.at += used;
        text.len -= used;
    }
}

beam_status beam_training_configs_read(const char *path, const beam_training_config *base,
                                       beam_pool *pool, beam_training_config **configs, size_t *n,
                                       beam_error *err)
{
    beam_file_view view;
    config_list list = {0};
    *configs = NULL;
    *n = 0;
    BEAM_TRY(beam_fs_view(path, &view, err));
    const beam_str text = {(const char *)view.data, view.size};
    beam_status status = add_text(text, base, pool, &list, err);
    beam_file_view_close(&view);
    if (status == BEAM_OK && !list.n)
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT, "there are no configurations in it");
    if (status == BEAM_OK)
        status = check_names(&list, err);
    if (status != BEAM_OK)
        status = beam_error_wrap(err, status, "%s", path);
    return hand_over(&list, status, pool, configs, n, err);
}

/* ---- Order -------------------------------------------------------------------------------- */

typedef struct weighed {
    double work;
    size_t place;
    beam_training_config config;
} weighed;

static int by_work(const void *a, const void *b)
{
    const weighed *x = a, *y = b;
    if (x->work != y->work)
        return x->work < y->work ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

void beam_training_configs_order(beam_training_config *configs, size_t n)
{
    weighed *all = beam_calloc(n, sizeof *all);
    if (!all)
        return; /* another order costs time, nothing else */
    for (size_t i = 0; i < n; i++)
        all[i] = (weighed){beam_training_work(&configs[i]), i, configs[i]};
    if (n)
        qsort(all, n, sizeof *all, by_work);
    for (size_t i = 0; i < n; i++)
        configs[i] = all[i].config;
    beam_free(all);
}
