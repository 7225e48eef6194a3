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

static inline double beam_clock_seconds(void)
{
    return 1e-9 * (double)beam_clock_ns();
}

#endif
