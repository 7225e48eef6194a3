/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a worker pool: the service that engines ask to start and stop workers in EXTERNAL
 * environments, and in LOOPBACK ones, where it serves inside the process that submits. */
#ifndef SUBMIT_POOL_H
#define SUBMIT_POOL_H

#include <beam/log.h>

/* Where a new worker finds its engine. */
typedef struct beam_worker_request {
    const char *id;
    const char *control_endpoint, *logging_endpoint, *artifact_endpoint, *provision_endpoint;
} beam_worker_request;

typedef struct beam_pool_callbacks {
    /* Both are called from the pool's thread, one at a time; the request lives until they return.
     * An error goes to the engine with its words. */
    beam_status (*start)(void *user, const beam_worker_request *request, beam_error *err);
    beam_status (*stop)(void *user, const char *id, beam_error *err);
    void *user;
} beam_pool_callbacks;

typedef struct beam_pool beam_pool;

/* Serves on host:port ("localhost:0": any free port) from a thread of its own. */
beam_status beam_pool_open(const char *address, const beam_pool_callbacks *callbacks,
                           beam_pool **pool, beam_error *err);
int beam_pool_port(const beam_pool *pool);
/* Stops serving; workers go on.  NULL is fine. */
void beam_pool_close(beam_pool *pool);

#endif
