/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/loopback.h"

#include <stdio.h>

#include "base/alloc.h"
#include "submit/pool.h"

struct beam_loopback {
    beam_pool *pool;
    const beam_registry *registry;
    const beam_logger *logger;
    char endpoint[64];
};

static beam_status start(void *user, const beam_worker_request *request, beam_error *err)
{
    (void)user;
    return beam_error_set(err, BEAM_UNIMPLEMENTED, "no worker here: %s", request->id);
}

static beam_status stop(void *user, const char *id, beam_error *err)
{
    (void)user, (void)id, (void)err;
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
    beam_free(loopback);
}
