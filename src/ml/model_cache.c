/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/model_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "ml/shared_device.h"

/* Only what is LOADING has room on the device set aside for it, and so keeps others waiting who
 * want room; were those that still WAIT for theirs counted too, two could wait for one another. */
typedef enum load_state { ABSENT, WAITING, LOADING, READY, LEAVING } load_state;

struct beam_model_entry {
    beam_model_entry *next;
    char *key;
    size_t users, leases;
    load_state state;
    beam_device *device; /* NULL until it has been opened */
    bool fell_back;
    beam_model *model;
    beam_model_context **idle; /* contexts that no lease has */
    size_t num_idle, idle_capacity;
    uint64_t bytes;     /* what it takes of the device: as told by the last load, or guessed */
    uint64_t last_used; /* a count that grows with each use of any model */
    uint64_t failures;  /* loads that failed, the last with: */
    beam_error error;
    /* Of the latest load, until a lease has been told. */
    bool untold;
    int64_t load_milliseconds, evicted;
};
typedef beam_model_entry entry;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static entry *entries;
static size_t loads;
static uint64_t uses;

/* ---- Entries --------------------------------------------------------------------------------- */

char *beam_model_cache_key(const beam_model_request *request)
{
    const beam_model_spec *s = request->spec;
    const beam_remote_spec *r = &s->remote;
    return beam_asprintf(
        "%zu:%.*s %zu:%.*s %zu:%.*s %zu:%.*s %" PRId64 " %" PRId64 "x%" PRId64 "x%" PRId64
        " %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRIxPTR " %" PRId64 " %g %g %g %g %zu:%.*s",
        s->network.len, (int)s->network.len, s->network.len ? s->network.at : "", s->weights.len,
        (int)s->weights.len, s->weights.len ? s->weights.at : "", s->device.len, (int)s->device.len,
        s->device.len ? s->device.at : "", s->precision.len, (int)s->precision.len,
        s->precision.len ? s->precision.at : "", s->num_classes, s->channels, s->height, s->width,
        s->cifar_stem, s->length, request->version, request->max_batch,
        (uintptr_t)request->make_network, r->num_retries, r->retry_delay_secs,
        r->throttle_delay_secs, r->timeout_secs, r->requests_per_second, r->credentials.len,
        (int)r->credentials.len, r->credentials.len ? r->credentials.at : "");
}

/* Whether a thread takes it from one state to another, which it does without the mutex. */
static bool is_changing(const entry *e)
{
    return e->state == WAITING || e->state == LOADING || e->state == LEAVING;
}

static entry *find(const char *key)
{
    entry *e = entries;
    while (e && strcmp(e->key, key) != 0)
        e = e->next;
    return e;
}

/* Takes the key. */
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

beam_status beam_model_cache_join(const beam_model_request *request, beam_model_entry **joined,
                                  beam_error *err)
{
    *joined = NULL;
    char *key = beam_model_cache_key(request);
    if (!key)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    (void)pthread_mutex_lock(&mutex);
    entry *e = find(key);
    bool mine = !e && (e = add(key)) != NULL;
    if (e)
        e->users++;
    (void)pthread_mutex_unlock(&mutex);
    if (!mine)
        beam_free(key);
    *joined = e;
    return e ? BEAM_OK : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
}

/* Frees an entry's model; the mutex is held, but not meanwhile, when nobody else touches what the
 * entry has.  Until it is freed it counts as held: others then wait for it, not for nothing. */
static void drop_model(entry *e)
{
    e->state = LEAVING;
    (void)pthread_mutex_unlock(&mutex);
    while (e->num_idle)
        beam_model_context_free(e->idle[--e->num_idle]);
    beam_free(e->idle);
    beam_model_free(e->model);
    (void)pthread_mutex_lock(&mutex);
    e->idle = NULL;
    e->idle_capacity = 0;
    e->model = NULL;
    e->state = ABSENT;
    (void)pthread_cond_broadcast(&changed);
}

static void unlink_entry(const entry *e)
{
    entry **at = &entries;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
}

void beam_model_cache_leave(beam_model_entry *e)
{
    if (!e)
        return;
    (void)pthread_mutex_lock(&mutex);
    while (is_changing(e)) /* with what may be this user's logger */
        (void)pthread_cond_wait(&changed, &mutex);
    if (--e->users == 0 && e->state == READY)
        drop_model(e);
    bool last = e->users == 0; /* nobody has joined meanwhile */
    if (last)
        unlink_entry(e);
    (void)pthread_mutex_unlock(&mutex);
    if (!last)
        return;
    beam_shared_device_close(e->device);
    beam_free(e->key);
    beam_free(e);
}

void beam_model_cache_count(size_t *now, size_t *loaded)
{
    (void)pthread_mutex_lock(&mutex);
    *now = 0;
    for (const entry *e = entries; e; e = e->next)
        ++*now;
    *loaded = loads;
    (void)pthread_mutex_unlock(&mutex);
}

/* ---- Room ------------------------------------------------------------------------------------ */

/* All functions below that touch entries hold the mutex; some let it go in between. */

/* What the device holds, as its allocator tells, and what others are about to load. */
static uint64_t bytes_in_use(const entry *but)
{
    beam_device_memory memory;
    beam_device_get_memory(but->device, &memory);
    uint64_t bytes = memory.chip_bytes_in_use ? memory.chip_bytes_in_use
                                              : memory.weight_bytes + memory.working_bytes;
    for (const entry *e = entries; e; e = e->next)
        if (e != but && e->device == but->device && e->state == LOADING && !e->model)
            bytes += e->bytes;
    return bytes;
}

/* What a model takes of that: of an accelerator it is one chip, which has a copy like the others.
 */
static uint64_t bytes_of(const beam_model *model)
{
    beam_model_info info;
    beam_device_info device;
    beam_device_memory memory;
    beam_model_get_info(model, &info);
    beam_device_get_info(info.device, &device);
    beam_device_get_memory(info.device, &memory);
    return memory.chip_bytes_in_use ? info.weight_bytes / device.slots : info.weight_bytes;
}

/* Frees the model on the same device that nobody uses and nobody used for longest; false if there
 * is none. */
static bool evict(const entry *but)
{
    entry *oldest = NULL;
    for (entry *e = entries; e; e = e->next)
        if (e != but && e->device == but->device && e->state == READY && e->leases == 0 &&
            (!oldest || e->last_used < oldest->last_used))
            oldest = e;
    if (oldest)
        drop_model(oldest);
    return oldest != NULL;
}

/* Whether somebody will give up something of the device. */
static bool others_hold(const entry *but)
{
    for (const entry *e = entries; e; e = e->next)
        if (e != but && e->device == but->device &&
            (e->leases > 0 || e->state == LOADING || e->state == LEAVING))
            return true;
    return false;
}

/* Brings what the device holds down so that e->bytes more are within the budget; waits for leases
 * that are out if it must. */
static beam_status make_room(entry *e, const beam_model_request *request, int64_t *evicted,
                             beam_error *err)
{
    uint64_t budget = (uint64_t)request->budget;
    if (request->budget > 0 && e->bytes > budget)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "the model takes about %" PRIu64 " bytes and the budget for models "
                              "is %" PRIu64 ": raise it",
                              e->bytes, budget);
    while (request->budget > 0 && bytes_in_use(e) + e->bytes > budget) {
        if (evict(e))
            ++*evicted;
        else if (others_hold(e))
            (void)pthread_cond_wait(&changed, &mutex);
        else
            break; /* what else is on the device is not the cache's */
    }
    return BEAM_OK;
}

/* After a load, whose size was a guess, or with a new context, or one that has grown with its
 * batches since. */
static void trim(const entry *e, const beam_model_request *request, int64_t *evicted)
{
    while (request->budget > 0 && bytes_in_use(e) > (uint64_t)request->budget && evict(e))
        ++*evicted;
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* Without the mutex meanwhile: a device may take seconds to open, or wait for another process. */
static beam_status open_device(entry *e, const beam_model_request *request, beam_error *err)
{
    beam_spec_text name;
    beam_device *device = NULL;
    bool fell_back = false;
    if (e->device)
        return BEAM_OK;
    BEAM_TRY(beam_spec_device(request->spec, &name, err));
    (void)pthread_mutex_unlock(&mutex);
    beam_status status = beam_shared_device_open(name.text, request->logger, BEAM_LOG_INFO,
                                                 request->transform, &device, &fell_back, err);
    (void)pthread_mutex_lock(&mutex);
    e->device = device;
    e->fell_back = fell_back;
    return status;
}

static beam_status load_model(entry *e, const beam_model_request *request, int64_t *evicted,
                              beam_error *err)
{
    beam_model *model = NULL;
    if (request->budget > 0 && !e->bytes) {
        (void)pthread_mutex_unlock(&mutex);
        uint64_t guess = beam_model_estimate(request);
        (void)pthread_mutex_lock(&mutex);
        e->bytes = guess;
    }
    BEAM_TRY(make_room(e, request, evicted, err));
    e->state = LOADING;
    (void)pthread_mutex_unlock(&mutex);
    beam_status status = beam_model_load(request, e->device, &model, err);
    (void)pthread_mutex_lock(&mutex);
    loads++;
    if (status != BEAM_OK)
        return status;
    e->model = model;
    e->bytes = bytes_of(model);
    return BEAM_OK;
}

/* Takes an entry that is WAITING to what comes of it. */
static beam_status load(entry *e, const beam_model_request *request, beam_error *err)
{
    int64_t began = beam_clock_ms();
    beam_error why = {0};
    beam_status status = open_device(e, request, &why);
    if (status == BEAM_OK)
        status = load_model(e, request, &e->evicted, &why);
    if (status != BEAM_OK) {
        e->failures++;
        e->error = why;
        e->error.code = status;
        status = beam_error_set(err, status, "%s", why.message);
    } else {
        trim(e, request, &e->evicted); /* not READY yet: nobody evicts it, and its users stay */
        e->untold = true;
        e->load_milliseconds = beam_clock_ms() - began;
    }
    e->state = status == BEAM_OK ? READY : ABSENT;
    (void)pthread_cond_broadcast(&changed);
    return status;
}

/* ---- Ahead ---- */

typedef struct ahead {
    entry *e;
    beam_pool *pool; /* of the spec */
    beam_model_request request;
} ahead;

static void free_ahead(ahead *a)
{
    if (a)
        beam_pool_free(a->pool);
    beam_free(a);
}

static void *load_ahead(void *arg)
{
    ahead *a = arg;
    (void)pthread_mutex_lock(&mutex);
    (void)load(a->e, &a->request, NULL); /* whoever wants it is told */
    (void)pthread_mutex_unlock(&mutex);
    free_ahead(a);
    return NULL;
}

static ahead *new_ahead(entry *e, const beam_model_request *request)
{
    ahead *a = beam_calloc(1, sizeof *a);
    void *spec = NULL;
    if (!a)
        return NULL;
    a->e = e;
    a->request = *request;
    a->pool = beam_pool_new();
    if (a->pool &&
        beam_pool_copy(a->pool, &beam_model_spec_type, request->spec, &spec) == BEAM_OK) {
        a->request.spec = spec;
        return a;
    }
    free_ahead(a);
    return NULL;
}

void beam_model_cache_prefetch(beam_model_entry *e, const beam_model_request *request)
{
    ahead *a = new_ahead(e, request);
    pthread_t thread;
    if (!a)
        return;
    (void)pthread_mutex_lock(&mutex);
    bool started =
        e->state == ABSENT && !e->failures && pthread_create(&thread, NULL, load_ahead, a) == 0;
    if (started) {
        e->state = WAITING;
        (void)pthread_detach(thread); /* leaving waits for the load's end */
    }
    (void)pthread_mutex_unlock(&mutex);
    if (!started)
        free_ahead(a);
}

/* ---- Waiting ---- */

static void wait_and_tell(const entry *e, const beam_model_request *request, int64_t began)
{
    enum { SECONDS = 10 };
    struct timespec when;
    (void)clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += SECONDS;
    if (pthread_cond_timedwait(&changed, &mutex, &when) != ETIMEDOUT || !is_changing(e))
        return;
    (void)pthread_mutex_unlock(&mutex); /* a logger may take its time */
    beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                   "still loading %.*s %.*s, for %" PRId64 " s", (int)request->spec->network.len,
                   request->spec->network.at, (int)request->spec->weights.len,
                   request->spec->weights.at, (beam_clock_ms() - began) / 1000);
    (void)pthread_mutex_lock(&mutex);
}

/* The model is there when this returns BEAM_OK. */
static beam_status get_ready(entry *e, const beam_model_request *request, beam_error *err)
{
    uint64_t failures = e->failures;
    int64_t began = beam_clock_ms();
    while (is_changing(e)) {
        wait_and_tell(e, request, began);
        if (e->failures != failures && e->error.code != BEAM_CANCELLED)
            return beam_error_set(err, e->error.code, "%s", e->error.message);
    }
    if (e->state == READY)
        return BEAM_OK;
    e->state = WAITING;
    return load(e, request, err);
}

/* ---- Leases ---------------------------------------------------------------------------------- */

beam_status beam_model_cache_lease(beam_model_entry *e, const beam_model_request *request,
                                   beam_model_lease *lease, beam_error *err)
{
    *lease = (beam_model_lease){0};
    (void)pthread_mutex_lock(&mutex);
    beam_status status = get_ready(e, request, err);
    if (status != BEAM_OK) {
        (void)pthread_mutex_unlock(&mutex);
        return status;
    }
    e->leases++;
    e->last_used = ++uses;
    lease->entry = e;
    lease->model = e->model;
    lease->device = e->device;
    if (e->untold) {
        beam_model_info info;
        beam_model_get_info(e->model, &info);
        lease->loaded = true;
        lease->fell_back = e->fell_back;
        lease->weight_bytes = (int64_t)info.weight_bytes;
        lease->load_milliseconds = e->load_milliseconds;
        lease->evicted = e->evicted;
        e->untold = false;
        e->evicted = 0;
    }
    if (e->num_idle)
        lease->context = e->idle[--e->num_idle];
    if (!lease->context) {
        (void)pthread_mutex_unlock(&mutex);
        status = beam_model_context_new(lease->model, &lease->context, err);
        if (status != BEAM_OK) {
            beam_model_cache_return(lease);
            return status;
        }
        (void)pthread_mutex_lock(&mutex);
    }
    trim(e, request, &lease->evicted);
    (void)pthread_mutex_unlock(&mutex);
    return BEAM_OK;
}

void beam_model_cache_return(beam_model_lease *lease)
{
    entry *e = lease->entry;
    beam_model_context *spare = lease->context;
    if (!e)
        return;
    (void)pthread_mutex_lock(&mutex);
    if (spare &&
        beam_grow((void **)&e->idle, &e->idle_capacity, e->num_idle + 1, sizeof *e->idle) == 0) {
        e->idle[e->num_idle++] = spare;
        spare = NULL;
    }
    e->leases--;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&mutex);
    beam_model_context_free(spare);
    *lease = (beam_model_lease){0};
}
