/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* loopback.h - workers inside the process that submits: a pool whose workers are threads. */
#ifndef APP_LOOPBACK_H
#define APP_LOOPBACK_H

#include <beam/log.h>

#include "model/registry.h"

typedef struct beam_loopback beam_loopback;

beam_status beam_loopback_start(const beam_registry *registry, const beam_logger *logger,
                                beam_loopback **loopback, beam_error *err);
/* host:port of its pool. */
const char *beam_loopback_endpoint(const beam_loopback *loopback);
/* Stops the workers that the engine did not stop, and waits for them.  NULL is fine. */
void beam_loopback_stop(beam_loopback *loopback);

#endif
