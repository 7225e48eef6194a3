/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* boot.h - how a worker starts where nothing of its program is: what an engine's command, a
 * container's entry point and a worker pool do. */
#ifndef SUBMIT_BOOT_H
#define SUBMIT_BOOT_H

#include <beam/status.h>
#include <stdbool.h>

#include "submit/pool.h"

/* Reads the options that engines give to workers: --id, --provision_endpoint and the endpoints of
 * control, logging and artifacts; others are passed over, and quotes around values taken off.
 * The texts are argv's, which is written to.  False when there is no --id or no endpoint to begin
 * with: then it is no worker that is to start. */
bool beam_worker_request_parse(int argc, char **argv, beam_worker_request *request);

/* Fetches the job's program, its libraries and its files, and becomes that program, as a worker.
 * Returns only when that fails. */
beam_status beam_boot(const beam_worker_request *request, beam_error *err);

#endif
