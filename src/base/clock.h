/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* clock.h - how much time goes by: a clock that never goes back, and says nothing of the day. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t beam_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t beam_clock_ms(void)
{
    return beam_clock_ns() / 1000000;
}

/* In so many ms by a clock, as pthread_cond_timedwait wants it: the one of its condition. */
static inline struct timespec beam_clock_after(clockid_t clock, int64_t ms)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    int64_t nanoseconds = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += (time_t)(ms / 1000 + nanoseconds / 1000000000);
    t.tv_nsec = (long)(nanoseconds % 1000000000);
    return t;
}

static inline double beam_clock_seconds(void)
{
    return 1e-9 * (double)beam_clock_ns();
}

#endif
