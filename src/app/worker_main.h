/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* worker_main.h - a program that an engine starts as a worker. */
#ifndef APP_WORKER_MAIN_H
#define APP_WORKER_MAIN_H

#include <beam/app.h>

#include "submit/boot.h"

/* Is the worker that the request asks for, with the program's functions, until the engine has no
 * more work for it.  The files that transforms open are fetched first, unless they came with the
 * program ($BEAM_STAGED_DIR).  Returns soon after *stop becomes non-zero. */
beam_status beam_app_worker_main(const beam_app *app, const beam_worker_request *request,
                                 const beam_logger *logger, const int *stop, beam_error *err);

#endif
