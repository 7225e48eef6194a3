/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gcs_server.h - tests/support/gcs_fault.py, started and spoken to. */
#ifndef IO_GCS_SERVER_H
#define IO_GCS_SERVER_H

#include <jansson.h>
#include <stdbool.h>

/* Starts it and points gs:// at it; false, with a line on stderr, where it does not run. */
bool gcs_start(void);
void gcs_stop(void);
const char *gcs_address(void);
/* Sets what the script calls `control`; "{}" sets nothing.  Returns its counts and `objects`, to be
 * given back with json_decref. */
json_t *gcs_control(const char *json);
/* No faults and no objects. */
void gcs_reset(void);
/* One of the counts now. */
int gcs_count(const char *what);
size_t gcs_objects(void);

#endif
