/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/model_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "io/filesystem.h"

struct beam_model_watch {
    beam_model_watch *next;
    size_t users;
    char *pattern;
    char *key;       /* of the request: what is refused for one network may be another's */
    char *transform; /* the request's: its first user may be gone before the watch is */
    int64_t interval_ms;
    beam_pool *pool; /* holds the spec */
    beam_model_request request;

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows, and counts of watched */
    pthread_cond_t ended;
    bool end;
    beam_watched *current;
    int64_t swaps, refusals;

    /* The thread's (and open's, before it): what was looked at last, good or bad. */
    char *seen;
    int64_t seen_at;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list and its users */
static beam_model_watch *watches;

/* ---- Current weights ------------------------------------------------------------------------- */

static void free_watched(beam_watched *w)
{
    beam_model_cache_leave(w->entry);
    beam_free(w->weights);
    beam_free(w->model_id);
    beam_free(w);
}

void beam_watched_drop(beam_model_watch *watch, beam_watched *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&watch->mutex);
    bool last = --w->users == 0;
    (void)pthread_mutex_unlock(&watch->mutex);
    if (last)
        free_watched(w);
}

beam_watched *beam_model_watch_current(beam_model_watch *watch)
{
    (void)pthread_mutex_lock(&watch->mutex);
    beam_watched *w = watch->current;
    if (w)
        w->users++;
    (void)pthread_mutex_unlock(&watch->mutex);
    return w;
}

void beam_model_watch_count(beam_model_watch *watch, int64_t *swaps, int64_t *refusals)
{
    (void)pthread_mutex_lock(&watch->mutex);
    *swaps = watch->swaps;
    *refusals = watch->refusals;
    watch->swaps = watch->refusals = 0;
    (void)pthread_mutex_unlock(&watch->mutex);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static beam_watched *new_watched(const beam_model_watch *watch, const beam_file_entry *file)
{
    beam_watched *w = beam_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    bool again = watch->current && strcmp(watch->current->weights, file->path) == 0;
    w->users = 1;
    w->version = file->last_modified;
    w->weights = beam_strdup(file->path);
    w->model_id = again ? beam_asprintf("%s@%" PRId64, file->path, file->last_modified)
                        : beam_strdup(file->path);
    if (w->weights && w->model_id)
        return w;
    free_watched(w);
    return NULL;
}

/* Loads a file's weights beside what is in use, and makes them current. */
static beam_status take(beam_model_watch *watch, const beam_file_entry *file, beam_error *err)
{
    beam_watched *w = new_watched(watch, file);
    if (!w)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    beam_model_spec spec = *watch->request.spec;
    beam_model_request request = watch->request;
    beam_model_lease lease;
    spec.weights = beam_str_of(w->weights);
    request.spec = &spec;
    request.version = w->version;
    beam_status status = beam_model_cache_join(&request, &w->entry, err);
    if (status == BEAM_OK)
        status = beam_model_cache_lease(w->entry, &request, &lease, err);
    if (status != BEAM_OK) {
        free_watched(w);
        return status;
    }
    beam_model_cache_return(&lease);
    (void)pthread_mutex_lock(&watch->mutex);
    beam_watched *old = watch->current;
    watch->current = w;
    watch->swaps++;
    (void)pthread_mutex_unlock(&watch->mutex);
    beam_watched_drop(watch, old);
    beam_log_write(request.logger, BEAM_LOG_INFO, __FILE__, __LINE__, request.transform,
                   "model %s takes over", w->model_id);
    return BEAM_OK;
}

static const beam_file_entry *newest(const beam_file_entry *files, size_t n)
{
    const beam_file_entry *best = NULL;
    for (size_t i = 0; i < n; i++) /* they come by name */
        if (!best || files[i].last_modified >= best->last_modified)
            best = &files[i];
    return best;
}

/* Looks once; a file that was looked at before is not tried again. */
static void look(beam_model_watch *watch)
{
    beam_arena arena = {0};
    beam_file_entry *files = NULL;
    size_t n = 0;
    beam_error why = {0};
    beam_status status = beam_fs_match(watch->pattern, &arena, &files, &n, &why);
    const beam_file_entry *file = status == BEAM_OK ? newest(files, n) : NULL;
    bool fresh = file && !(watch->seen && strcmp(watch->seen, file->path) == 0 &&
                           watch->seen_at == file->last_modified);
    if (fresh) {
        beam_free(watch->seen);
        watch->seen = beam_strdup(file->path); /* NULL: it is looked at again, which is no harm */
        watch->seen_at = file->last_modified;
        status = take(watch, file, &why);
    }
    if (status != BEAM_OK) {
        beam_log_write(watch->request.logger, BEAM_LOG_WARNING, __FILE__, __LINE__,
                       watch->request.transform, "new weights %s are refused: %s",
                       file ? file->path : watch->pattern, why.message);
        (void)pthread_mutex_lock(&watch->mutex);
        watch->refusals++;
        (void)pthread_mutex_unlock(&watch->mutex);
    }
    beam_arena_free(&arena);
}

static void *keep_looking(void *arg)
{
    beam_model_watch *watch = arg;
    (void)pthread_mutex_lock(&watch->mutex);
    while (!watch->end) {
        const struct timespec when = beam_clock_after(CLOCK_REALTIME, watch->interval_ms);
        if (pthread_cond_timedwait(&watch->ended, &watch->mutex, &when) != ETIMEDOUT)
            continue;
        (void)pthread_mutex_unlock(&watch->mutex);
        look(watch);
        (void)pthread_mutex_lock(&watch->mutex);
    }
    (void)pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void free_watch(beam_model_watch *watch)
{
    if (watch->started) {
        (void)pthread_mutex_lock(&watch->mutex);
        watch->end = true;
        (void)pthread_cond_signal(&watch->ended);
        (void)pthread_mutex_unlock(&watch->mutex);
        (void)pthread_join(watch->thread, NULL);
    }
    beam_watched_drop(watch, watch->current);
    (void)pthread_cond_destroy(&watch->ended);
    (void)pthread_mutex_destroy(&watch->mutex);
    beam_pool_free(watch->pool);
    beam_free(watch->pattern);
    beam_free(watch->key);
    beam_free(watch->transform);
    beam_free(watch->seen);
    beam_free(watch);
}

static beam_status new_watch(const char *pattern, int64_t interval_ms,
                             const beam_model_request *request, const char *key,
                             beam_model_watch **made, beam_error *err)
{
    beam_model_watch *watch = beam_calloc(1, sizeof *watch);
    void *spec = NULL;
    if (!watch)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to watch %s", pattern);
    (void)pthread_mutex_init(&watch->mutex, NULL);
    (void)pthread_cond_init(&watch->ended, NULL);
    watch->users = 1;
    watch->interval_ms = interval_ms;
    watch->request = *request;
    watch->pattern = beam_strdup(pattern);
    watch->key = beam_strdup(key);
    watch->transform = beam_strdup(request->transform ? request->transform : "");
    watch->request.transform = watch->transform;
    watch->request.stop = NULL; /* of one of the users, who may go before others */
    watch->pool = beam_pool_new();
    if (!watch->pattern || !watch->key || !watch->transform || !watch->pool ||
        beam_pool_copy(watch->pool, &beam_model_spec_type, request->spec, &spec) != BEAM_OK) {
        free_watch(watch);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to watch %s", pattern);
    }
    watch->request.spec = spec;
    look(watch);
    if (!watch->current && !request->spec->weights.len) {
        free_watch(watch);
        return beam_error_set(err, BEAM_NOT_FOUND,
                              "no weights that can be loaded match %s, and the model names none",
                              pattern);
    }
    watch->started = pthread_create(&watch->thread, NULL, keep_looking, watch) == 0;
    *made = watch;
    if (watch->started)
        return BEAM_OK;
    free_watch(watch);
    *made = NULL;
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to watch %s", pattern);
}

/* Requests of one transform in one run, for one model. */
static bool is_same(const beam_model_watch *watch, const char *pattern, int64_t interval_ms,
                    const beam_model_request *request, const char *key)
{
    return watch->interval_ms == interval_ms && strcmp(watch->pattern, pattern) == 0 &&
           watch->request.logger == request->logger &&
           strcmp(watch->transform, request->transform ? request->transform : "") == 0 &&
           strcmp(watch->key, key) == 0;
}

beam_status beam_model_watch_open(const char *pattern, int64_t interval_ms,
                                  const beam_model_request *request, beam_model_watch **watch,
                                  beam_error *err)
{
    beam_status status = BEAM_OK;
    *watch = NULL;
    char *key = beam_model_cache_key(request);
    if (!key)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to watch %s", pattern);
    (void)pthread_mutex_lock(&mutex);
    for (beam_model_watch *w = watches; w && !*watch; w = w->next)
        if (is_same(w, pattern, interval_ms, request, key))
            *watch = w;
    if (*watch) {
        ++(*watch)->users;
    } else {
        status = new_watch(pattern, interval_ms, request, key, watch, err);
        if (status == BEAM_OK) {
            (*watch)->next = watches;
            watches = *watch;
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    beam_free(key);
    return status;
}

void beam_model_watch_close(beam_model_watch *watch)
{
    if (!watch)
        return;
    (void)pthread_mutex_lock(&mutex);
    bool last = --watch->users == 0;
    for (beam_model_watch **at = &watches; last && *at; at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    if (last)
        free_watch(watch);
}
