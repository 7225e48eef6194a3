/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_answers.c - what Dataflow and Compute Engine answer.  All of it is taken to be hostile:
 * other types than promised count as absent, texts are cut, and lists are as long as they are. */
#include <stdlib.h>
#include <string.h>

#include "submit/dataflow.h"

static json_t *load(const void *text, size_t size)
{
    json_t *json = json_loadb(text ? text : "", size, 0, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = ' ';
}

/* False when it does not fit: half an id would be another. */
static bool copy(char *to, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size)
        return false;
    memcpy(to, text, len + 1);
    make_printable(to);
    return true;
}

static char *keep(beam_arena *arena, const char *text)
{
    char *kept = beam_arena_strdup(arena, text);
    if (kept)
        make_printable(kept);
    return kept;
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

bool beam_dataflow_has_ended(beam_dataflow_state state)
{
    return state >= BEAM_DATAFLOW_DONE;
}

static const struct {
    const char *name;
    beam_dataflow_state state;
} states[] = {
    {"RUNNING", BEAM_DATAFLOW_RUNNING},     {"CANCELLING", BEAM_DATAFLOW_ENDING},
    {"DRAINING", BEAM_DATAFLOW_ENDING},     {"RESOURCE_CLEANING_UP", BEAM_DATAFLOW_ENDING},
    {"DONE", BEAM_DATAFLOW_DONE},           {"FAILED", BEAM_DATAFLOW_FAILED},
    {"CANCELLED", BEAM_DATAFLOW_CANCELLED}, {"UPDATED", BEAM_DATAFLOW_UPDATED},
    {"DRAINED", BEAM_DATAFLOW_DRAINED},
};

static bool read_job(const json_t *json, beam_dataflow_job *job)
{
    static const char prefix[] = "JOB_STATE_";
    const char *state = text_of(json, "currentState");
    *job = (beam_dataflow_job){0};
    if (strncmp(state, prefix, sizeof prefix - 1) == 0)
        state += sizeof prefix - 1;
    if (!*text_of(json, "id") || !copy(job->id, sizeof job->id, text_of(json, "id")) ||
        !copy(job->name, sizeof job->name, text_of(json, "name")) ||
        !copy(job->request_id, sizeof job->request_id, text_of(json, "clientRequestId")) ||
        !copy(job->replaced_by, sizeof job->replaced_by, text_of(json, "replacedByJobId")) ||
        !copy(job->state_name, sizeof job->state_name, *state ? state : "PENDING"))
        return false;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(job->state_name, states[i].name) == 0)
            job->state = states[i].state;
    return true;
}

beam_status beam_dataflow_parse_job(const void *text, size_t size, beam_dataflow_job *job)
{
    json_t *json = load(text, size);
    bool ok = json && read_job(json, job);
    json_decref(json);
    return ok ? BEAM_OK : BEAM_DATA_LOSS;
}

static beam_status read_next_page(const json_t *json, beam_arena *arena, char **next_page)
{
    const char *next = text_of(json, "nextPageToken");
    *next_page = NULL;
    if (!*next)
        return BEAM_OK;
    return (*next_page = beam_arena_strdup(arena, next)) ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

beam_status beam_dataflow_parse_jobs(const void *text, size_t size, const char *name,
                                     beam_arena *arena, beam_dataflow_job *job, char **next_page)
{
    json_t *json = load(text, size), *item;
    size_t i;
    *job = (beam_dataflow_job){0};
    if (!json)
        return BEAM_DATA_LOSS;
    json_array_foreach(json_object_get(json, "jobs"), i, item)
    {
        beam_dataflow_job one;
        if (!job->id[0] && read_job(item, &one) && strcmp(one.name, name) == 0 &&
            !beam_dataflow_has_ended(one.state))
            *job = one;
    }
    beam_status status = read_next_page(json, arena, next_page);
    json_decref(json);
    return status;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static beam_log_level level_of(const char *importance)
{
    static const struct {
        const char *name;
        beam_log_level level;
    } levels[] = {{"JOB_MESSAGE_ERROR", BEAM_LOG_ERROR},
                  {"JOB_MESSAGE_WARNING", BEAM_LOG_WARNING},
                  {"JOB_MESSAGE_BASIC", BEAM_LOG_INFO}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(importance, levels[i].name) == 0)
            return levels[i].level;
    return BEAM_LOG_DEBUG;
}

/* Numbers of 64 bits travel as texts. */
static int64_t number_of(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text)
        return strtoll(text, NULL, 10);
    double real = json_real_value(value);
    return json_is_real(value) ? (real > -9e18 && real < 9e18 ? (int64_t)real : 0)
                               : json_integer_value(value);
}

static beam_status read_messages(const json_t *json, beam_arena *arena,
                                 beam_dataflow_messages *messages)
{
    const json_t *items = json_object_get(json, "jobMessages");
    size_t i, n = json_array_size(items);
    json_t *item;
    messages->items = beam_arena_calloc(arena, n, sizeof *messages->items);
    if (!messages->items)
        return BEAM_RESOURCE_EXHAUSTED;
    json_array_foreach(items, i, item)
    {
        beam_dataflow_message *m = &messages->items[messages->n];
        *m = (beam_dataflow_message){.id = keep(arena, text_of(item, "id")),
                                     .time = keep(arena, text_of(item, "time")),
                                     .text = keep(arena, text_of(item, "messageText")),
                                     .level = level_of(text_of(item, "messageImportance"))};
        if (!m->id || !m->time || !m->text)
            return BEAM_RESOURCE_EXHAUSTED;
        messages->n++;
    }
    json_array_foreach(json_object_get(json, "autoscalingEvents"), i, item)
    {
        const json_t *workers = json_object_get(item, "currentNumWorkers");
        if (workers)
            messages->num_workers = number_of(workers);
    }
    return read_next_page(json, arena, &messages->next_page);
}

beam_status beam_dataflow_parse_messages(const void *text, size_t size, beam_arena *arena,
                                         beam_dataflow_messages *messages)
{
    json_t *json = load(text, size);
    *messages = (beam_dataflow_messages){.num_workers = -1};
    if (!json)
        return BEAM_DATA_LOSS;
    beam_status status = read_messages(json, arena, messages);
    json_decref(json);
    return status;
}

/* ---- Metrics --------------------------------------------------------------------------------- */

/* Distributions come a second time as four numbers for people to look at. */
static bool is_part_of_distribution(const char *name)
{
    static const char *const ends[] = {"_MIN", "_MAX", "_MEAN", "_COUNT"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (len > n && strcmp(name + len - n, ends[i]) == 0)
            return true;
    }
    return false;
}

static bool read_value(const json_t *metric, beam_metric_total *total)
{
    const json_t *scalar = json_object_get(metric, "scalar");
    const json_t *d = json_object_get(metric, "distribution");
    if (json_is_object(d)) {
        total->kind = BEAM_DISTRIBUTION;
        total->cell = (beam_metric_cell){.count = number_of(json_object_get(d, "count")),
                                         .sum = number_of(json_object_get(d, "sum")),
                                         .min = number_of(json_object_get(d, "min")),
                                         .max = number_of(json_object_get(d, "max"))};
        return true;
    }
    total->kind = BEAM_COUNTER;
    total->cell = (beam_metric_cell){.sum = number_of(scalar)};
    return json_is_number(scalar) || json_is_string(scalar);
}

static beam_status add_metric(const json_t *metric, const beam_map *names, beam_arena *arena,
                              beam_job_metrics *metrics)
{
    const json_t *name = json_object_get(metric, "name");
    const json_t *context = json_object_get(name, "context");
    const char *step = text_of(context, "step"), *own = text_of(name, "name");
    const char *unique = beam_map_get(names, step);
    beam_metric_total total = {0};
    if (strcmp(text_of(name, "origin"), "user") != 0 || *text_of(context, "tentative") || !*own ||
        is_part_of_distribution(own) || !read_value(metric, &total))
        return BEAM_OK;
    total.transform = beam_arena_strdup(arena, unique ? unique : step);
    total.function = beam_arena_strdup(arena, text_of(context, "namespace"));
    total.name = beam_arena_strdup(arena, own);
    if (!total.transform || !total.function || !total.name)
        return BEAM_RESOURCE_EXHAUSTED;
    metrics->totals[metrics->n++] = total;
    return BEAM_OK;
}

beam_status beam_dataflow_parse_metrics(const void *text, size_t size, const beam_map *names,
                                        beam_arena *arena, beam_job_metrics *metrics)
{
    json_t *json = load(text, size), *metric;
    const json_t *all = json_object_get(json, "metrics");
    size_t i;
    *metrics = (beam_job_metrics){0};
    if (!json)
        return BEAM_DATA_LOSS;
    metrics->totals = beam_arena_calloc(arena, json_array_size(all), sizeof *metrics->totals);
    beam_status status = metrics->totals ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    json_array_foreach(all, i, metric)
    {
        if (status == BEAM_OK)
            status = add_metric(metric, names, arena, metrics);
    }
    json_decref(json);
    return status;
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

beam_status beam_dataflow_parse_quota(const void *text, size_t size, const char *metric,
                                      double *limit, double *usage)
{
    json_t *json = load(text, size), *quota;
    size_t i;
    beam_status status = json ? BEAM_NOT_FOUND : BEAM_DATA_LOSS;
    *limit = *usage = 0;
    json_array_foreach(json_object_get(json, "quotas"), i, quota)
    {
        const json_t *most = json_object_get(quota, "limit");
        if (strcmp(text_of(quota, "metric"), metric) != 0 || !json_is_number(most))
            continue;
        *limit = json_number_value(most);
        *usage = json_number_value(json_object_get(quota, "usage"));
        status = BEAM_OK;
    }
    json_decref(json);
    return status;
}

/* ---- Images ---------------------------------------------------------------------------------- */

/* "sha256:" and digits: it becomes a part of an address. */
static bool is_digest(const char *text)
{
    size_t len = strlen(text);
    return len > 8 && len < 160 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:+._-") ==
               len &&
           strchr(text, ':');
}

beam_status beam_dataflow_parse_manifest(const void *text, size_t size,
                                         beam_dataflow_manifest *manifest)
{
    json_t *json = load(text, size), *part;
    size_t i;
    *manifest = (beam_dataflow_manifest){0};
    const char *config = text_of(json_object_get(json, "config"), "digest");
    if (is_digest(config))
        (void)copy(manifest->config, sizeof manifest->config, config);
    json_array_foreach(json_object_get(json, "manifests"), i, part)
    {
        const json_t *platform = json_object_get(part, "platform");
        const char *digest = text_of(part, "digest");
        if (strcmp(text_of(platform, "architecture"), "amd64") == 0 && is_digest(digest))
            (void)copy(manifest->amd64, sizeof manifest->amd64, digest);
    }
    bool ok = json && (manifest->config[0] || json_object_get(json, "manifests"));
    json_decref(json);
    return ok ? BEAM_OK : BEAM_DATA_LOSS;
}

static void read_variable(const char *variable, const char *name, char *to, size_t size)
{
    size_t len = strlen(name);
    if (strncmp(variable, name, len) == 0 && variable[len] == '=')
        (void)copy(to, size, variable + len + 1);
}

beam_status beam_dataflow_parse_image(const void *text, size_t size, beam_dataflow_image *image)
{
    json_t *json = load(text, size), *variable;
    const json_t *config = json_object_get(json, "config");
    const json_t *labels = json_object_get(config, "Labels");
    size_t i;
    *image = (beam_dataflow_image){0};
    (void)copy(image->architecture, sizeof image->architecture, text_of(json, "architecture"));
    const char *entry = json_string_value(json_array_get(json_object_get(config, "Entrypoint"), 0));
    (void)copy(image->entry_point, sizeof image->entry_point, entry ? entry : "");
    json_array_foreach(json_object_get(config, "Env"), i, variable)
    {
        const char *value = json_string_value(variable);
        if (!value)
            continue;
        read_variable(value, "BEAM_ACCELERATOR_BACKEND", image->backend, sizeof image->backend);
        read_variable(value, "TPU_ACCELERATOR_TYPE", image->tpu, sizeof image->tpu);
    }
    image->cuda = (int)strtol(text_of(labels, "libbeam.cuda"), NULL, 10);
    (void)copy(image->cudnn, sizeof image->cudnn, text_of(labels, "libbeam.cudnn"));
    bool ok = json_is_object(config);
    json_decref(json);
    return ok ? BEAM_OK : BEAM_DATA_LOSS;
}
