/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/model_cache.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "ml/shared_device.h"

typedef enum entry_state { LOADING, READY, FAILED } entry_state;

typedef struct beam_cached_entry {
    struct beam_cached_entry *next;
    char *key;
    size_t users;
    entry_state state;
    beam_device *device; /* NULL until it has been opened */
    beam_model *model;
    int64_t load_milliseconds;
    bool fell_back;
    beam_error error;
} entry;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static entry *entries;
static size_t loads;

/* Requests with the same key get the same model: what a model is made of, and nothing besides. */
static char *make_key(const beam_model_request *request)
{
    const beam_model_spec *s = request->spec;
    return beam_asprintf(
        "%zu:%.*s %zu:%.*s %zu:%.*s %zu:%.*s %" PRId64 " %" PRId64 "x%" PRId64 "x%" PRId64
        " %d %" PRId64 " %" PRIxPTR,
        s->network.len, (int)s->network.len, s->network.len ? s->network.at : "", s->weights.len,
        (int)s->weights.len, s->weights.len ? s->weights.at : "", s->device.len, (int)s->device.len,
        s->device.len ? s->device.at : "", s->precision.len, (int)s->precision.len,
        s->precision.len ? s->precision.at : "", s->num_classes, s->channels, s->height, s->width,
        s->cifar_stem, request->max_batch, (uintptr_t)request->make_network);
}

static entry *find(const char *key)
{
    entry *e = entries;
    while (e && (e->state == FAILED || strcmp(e->key, key) != 0))
        e = e->next;
    return e;
}

/* Frees an entry nobody uses, which the caller, not holding the mutex, has unlinked. */
static void destroy(entry *e)
{
    if (!e)
        return;
    beam_model_free(e->model);
    beam_shared_device_close(e->device);
    beam_free(e->key);
    beam_free(e);
}

/* One user less; gives the entry to destroy, or NULL.  The mutex is held. */
static entry *drop(entry *e)
{
    if (--e->users > 0)
        return NULL;
    for (entry **at = &entries; *at; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            break;
        }
    }
    return e;
}

static beam_status open_device(entry *e, const beam_model_request *request, beam_error *err)
{
    beam_spec_text name;
    BEAM_TRY(beam_spec_field(request->spec->device, "device", "auto", &name, err));
    return beam_shared_device_open(name.text, request->logger, BEAM_LOG_INFO, request->transform,
                                   &e->device, &e->fell_back, err);
}

static int64_t milliseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Loads an entry's model; takes and leaves the mutex held. */
static void load(entry *e, const beam_model_request *request)
{
    int64_t began = milliseconds();
    beam_error error = {0};
    beam_model *model = NULL;
    beam_status status = open_device(e, request, &error);
    loads++;
    if (status == BEAM_OK) {
        (void)pthread_mutex_unlock(&mutex);
        status = beam_model_load(request, e->device, &model, &error);
        (void)pthread_mutex_lock(&mutex);
    }
    if (status != BEAM_OK)
        error.code = status;
    e->model = model;
    e->error = error;
    e->load_milliseconds = milliseconds() - began;
    e->state = status == BEAM_OK ? READY : FAILED;
    (void)pthread_cond_broadcast(&changed);
}

static entry *add(char *key)
{
    entry *e = beam_calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->key = key;
    e->next = entries;
    entries = e;
    return e;
}

beam_status beam_model_cache_get(const beam_model_request *request, beam_cached_model *held,
                                 bool *loaded, beam_error *err)
{
    *held = (beam_cached_model){0};
    *loaded = false;
    char *key = make_key(request);
    if (!key)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    (void)pthread_mutex_lock(&mutex);
    entry *e = find(key), *unused = NULL;
    bool mine = !e && (e = add(key)) != NULL;
    beam_status status = BEAM_OK;
    if (!e) {
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    } else {
        e->users++;
        if (mine)
            load(e, request);
        while (e->state == LOADING)
            (void)pthread_cond_wait(&changed, &mutex);
        if (e->state == READY) {
            *held = (beam_cached_model){e->model, e->device, e->load_milliseconds, e->fell_back, e};
            *loaded = mine;
        } else {
            status = beam_error_set(err, e->error.code, "%s", e->error.message);
            unused = drop(e);
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    if (!mine)
        beam_free(key);
    destroy(unused);
    return status;
}

void beam_model_cache_release(beam_cached_model *held)
{
    if (!held->entry)
        return;
    (void)pthread_mutex_lock(&mutex);
    entry *unused = drop(held->entry);
    (void)pthread_mutex_unlock(&mutex);
    destroy(unused);
    *held = (beam_cached_model){0};
}

void beam_model_cache_count(size_t *models, size_t *loaded)
{
    (void)pthread_mutex_lock(&mutex);
    *models = 0;
    for (const entry *e = entries; e; e = e->next)
        ++*models;
    *loaded = loads;
    (void)pthread_mutex_unlock(&mutex);
}
