/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* running.h - what each thread runs, for the crash report. */
#ifndef BUNDLE_RUNNING_H
#define BUNDLE_RUNNING_H

#include "plan/plan.h"

typedef struct beam_running {
    const beam_plan *plan; /* NULL: no user's code runs on this thread */
    const char *bundle;    /* its id */
} beam_running;

/* A constant distance from the thread pointer: it is set at every push. */
extern _Thread_local beam_running beam_running_now __attribute__((tls_model("initial-exec")));

#endif
