/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* worker.h - an SDK worker: runs bundles of this program's functions for an engine, over Beam's
 * Fn API. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <beam/log.h>

#include "model/registry.h"

typedef struct beam_worker_options {
    const char *id;               /* which the engine gave */
    const char *control_endpoint; /* host:port */
    const char *logging_endpoint; /* where the engine takes records, besides `logger`; may be "" */
    const char *status_endpoint;  /* where it asks what the worker is at; may be "" or NULL */
    const beam_registry *registry;
    const beam_logger *logger; /* of this process */
    const int *stop;           /* the worker ends soon after *stop becomes non-zero; may be NULL */
} beam_worker_options;

/* Serves until the engine ends the control stream, which is BEAM_OK, or cannot be reached any
 * more.  Bundles run on threads of their own, as many as the engine asks for at once, since an
 * engine may start a consumer before its producer is done. */
beam_status beam_worker_run(const beam_worker_options *options, beam_error *err);

/* For a program that is nothing but a worker, whose messages take large blocks and free them all
 * the time: up to 64 MB stay with the process, instead of being given back to the system, asked for
 * and zeroed again.  Nothing where MALLOC_TRIM_THRESHOLD_ is set, or the C library is not glibc. */
void beam_worker_keep_memory(void);

#endif
