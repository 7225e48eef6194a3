/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_fake.h - a PJRT plugin that computes nothing and does as it is told: a platform of any name,
 * so many devices with so much memory, errors and delays.  With it the paths are tested that no
 * healthy plugin takes.
 *
 * From the environment, when a client is created: PJRT_FAKE_PLATFORM ("tpu"), PJRT_FAKE_DEVICES
 * (1), PJRT_FAKE_MEMORY (bytes a device, 0: without end), PJRT_FAKE_KIND (what all devices but the
 * first call themselves) and PJRT_FAKE_FAIL (the name of a call that always fails); when the plugin
 * is opened, PJRT_FAKE_MINOR (API version) and PJRT_FAKE_NO_PROGRAM (if set, it lacks
 * PJRT_Executable_OptimizedProgram).
 *
 * A program's results are what its first argument holds, from the start and over again. */
#ifndef SUPPORT_PJRT_FAKE_H
#define SUPPORT_PJRT_FAKE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pjrt_fake_control {
    uint64_t calls;   /* so far */
    uint64_t fail_at; /* the number of the call that fails; 0: none */
    bool sticky;      /* and all after it */
    int code;         /* of the error */
    int delay_ms;     /* of every execution, whose results come later */
    int destroy_ms;   /* what it takes to destroy a buffer */
    int launch_ms;    /* what it takes to begin an execution on several devices */
    int launching;    /* such executions that begin now, and whether two ever did at once */
    bool overlapped;
    int64_t live; /* objects that have not been destroyed */
    uint64_t executions;
    uint64_t compile_after; /* compiling waits until there were so many executions, 10 s at most */
    float poison;           /* executions whose first argument holds this number fail; 0: none do */
} pjrt_fake_control;

/* The plugin's symbol: pjrt_fake_control pjrt_fake; */
#define PJRT_FAKE_SYMBOL "pjrt_fake"

#endif
