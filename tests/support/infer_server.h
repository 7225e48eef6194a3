/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* infer_server.h - tests/support/infer_fault.py, started and spoken to. */
#ifndef SUPPORT_INFER_SERVER_H
#define SUPPORT_INFER_SERVER_H

#include "support/server.h"

/* `port` 0: any.  Fails the test where it does not start. */
void infer_start(test_server *server, int port);
/* Sets what the script calls `control`. */
void infer_control(const test_server *server, const char *json);
/* No faults, no counts. */
void infer_reset(const test_server *server);
/* One of the counts now. */
int infer_count(const test_server *server, const char *what);

#endif
