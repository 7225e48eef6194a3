/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/retry.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "net/wait.h"

int64_t beam_retry_pause_ms(int n, int64_t first_ms, int64_t most_ms)
{
    int64_t ms = first_ms;
    for (int i = 1; i < n && ms < most_ms; i++)
        ms *= 2;
    if (ms > most_ms)
        ms = most_ms;
    uint32_t random = 0; /* if there is none, the pause is the shortest */
    (void)!getrandom(&random, sizeof random, 0);
    return ms / 2 + (int64_t)(random % (uint64_t)(ms - ms / 2 + 1));
}

int64_t beam_retry_after_ms(const char *value)
{
    static const int64_t most = 24 * 3600; /* who asks for more asks for something else */
    char *end;
    struct tm date = {0};
    long long seconds = strtoll(value, &end, 10);
    if (end == value) {
        const char *rest = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &date);
        if (!rest || *rest)
            return 0;
        seconds = (long long)timegm(&date) - (long long)time(NULL);
    } else if (*end) {
        return 0;
    }
    return seconds > 0 && seconds <= most ? seconds * 1000 : 0;
}

bool beam_retry_sleep_ms(int64_t ms, const int *stop)
{
    const int64_t until = beam_clock_ms() + ms;
    for (;;) {
        int64_t left = until - beam_clock_ms();
        if (beam_wait_stopped(stop))
            return false;
        if (left <= 0)
            return true;
        if (stop && left > BEAM_WAIT_TICK_MS)
            left = BEAM_WAIT_TICK_MS;
        (void)nanosleep(&(struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000},
                        NULL);
    }
}
