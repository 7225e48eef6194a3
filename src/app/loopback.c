/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/loopback.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "submit/pool.h"
#include "worker/worker.h"

/* A worker on a thread of its own. */
typedef struct local_worker {
    struct local_worker *next;
    const beam_loopback *loopback;
    char *id, *control;
    int stop;
    pthread_t thread;
} local_worker;

struct beam_loopback {
    beam_pool *pool;
    const beam_registry *registry;
    const beam_logger *logger;
    char endpoint[64];
    local_worker *workers; /* the pool's thread's, until the pool is closed */
};

static void *work(void *user)
{
    local_worker *w = user;
    beam_error err = {0};
    const beam_worker_options options = {.id = w->id,
                                         .control_endpoint = w->control,
                                         .registry = w->loopback->registry,
                                         .logger = w->loopback->logger,
                                         .stop = &w->stop};
    if (beam_worker_run(&options, &err) != BEAM_OK)
        BEAM_LOG(w->loopback->logger, BEAM_LOG_INFO, "worker %s: %s", w->id, err.message);
    return NULL;
}

static void free_worker(local_worker *w)
{
    beam_free(w->id);
    beam_free(w->control);
    beam_free(w);
}

static beam_status start(void *user, const beam_worker_request *request, beam_error *err)
{
    beam_loopback *loopback = user;
    local_worker *w = beam_calloc(1, sizeof *w);
    if (!w)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a worker");
    w->loopback = loopback;
    w->id = beam_strdup(request->id);
    w->control = beam_strdup(request->control_endpoint);
    if (!w->id || !w->control || pthread_create(&w->thread, NULL, work, w) != 0) {
        free_worker(w);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory or thread for a worker");
    }
    w->next = loopback->workers;
    loopback->workers = w;
    return BEAM_OK;
}

static beam_status stop(void *user, const char *id, beam_error *err)
{
    beam_loopback *loopback = user;
    (void)err; /* one that is not there has ended already */
    for (local_worker *w = loopback->workers; w; w = w->next)
        if (strcmp(w->id, id) == 0)
            __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
    return BEAM_OK;
}

beam_status beam_loopback_start(const beam_registry *registry, const beam_logger *logger,
                                beam_loopback **result, beam_error *err)
{
    *result = NULL;
    beam_loopback *loopback = beam_calloc(1, sizeof *loopback);
    if (!loopback)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for workers");
    loopback->registry = registry;
    loopback->logger = logger;
    const beam_pool_callbacks callbacks = {start, stop, loopback};
    beam_status status = beam_pool_open("localhost:0", &callbacks, &loopback->pool, err);
    if (status != BEAM_OK) {
        beam_free(loopback);
        return status;
    }
    snprintf(loopback->endpoint, sizeof loopback->endpoint, "localhost:%d",
             beam_pool_port(loopback->pool));
    *result = loopback;
    return BEAM_OK;
}

const char *beam_loopback_endpoint(const beam_loopback *loopback)
{
    return loopback->endpoint;
}

void beam_loopback_stop(beam_loopback *loopback)
{
    if (!loopback)
        return;
    beam_pool_close(loopback->pool);
    while (loopback->workers) {
        local_worker *w = loopback->workers;
        loopback->workers = w->next;
        __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
        pthread_join(w->thread, NULL);
        free_worker(w);
    }
    beam_free(loopback);
}
