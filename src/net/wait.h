/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* wait.h - what all who wait for another machine have in common. */
#ifndef NET_WAIT_H
#define NET_WAIT_H

#include <stdbool.h>
#include <stddef.h>

/* How often who waits looks whether to stop. */
enum { BEAM_WAIT_TICK_MS = 200 };

/* Whether somebody wishes so; NULL: nobody can. */
static inline bool beam_wait_stopped(const int *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

#endif
