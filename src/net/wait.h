/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* wait.h - what all who wait for another machine have in common. */
#ifndef NET_WAIT_H
#define NET_WAIT_H

#include <stdbool.h>
#include <stddef.h>

/* How often who waits looks whether to stop. */
enum { BEAM_WAIT_TICK_MS = 200 };

/* A connection over which nothing has come for quiet_ms is asked for a sign of life, and is given
 * up where there is none in patience_ms: the other machine may have gone without a word.  gRPC's
 * servers break connections that ask more often than every five minutes, unless they are told
 * otherwise, and engines differ in that.  Tests are quicker: they set it while nothing is
 * connected. */
typedef struct beam_keepalive {
    int quiet_ms, patience_ms;
} beam_keepalive;
extern beam_keepalive beam_wait_keepalive;

/* Whether somebody wishes so; NULL: nobody can. */
static inline bool beam_wait_stopped(const int *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

#endif
