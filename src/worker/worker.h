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
    const beam_registry *registry;
    const beam_logger *logger; /* of this process */
    const int *stop;           /* the worker ends soon after *stop becomes non-zero; may be NULL */
} beam_worker_options;

/* Serves until the engine ends the control stream, which is BEAM_OK, or cannot be reached any
 * more.  Bundles run on threads of their own, as many as the engine asks for at once, since an
 * engine may start a consumer before its producer is done. */
beam_status beam_worker_run(const beam_worker_options *options, beam_error *err);

#endif
