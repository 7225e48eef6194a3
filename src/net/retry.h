/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* retry.h - how long to wait before a service is asked again. */
#ifndef NET_RETRY_H
#define NET_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* The n-th pause (from 1): between a half and all, by chance, of what begins at first_ms, doubles
 * each time and ends at most_ms.  Chance keeps many clients from coming back at once. */
int64_t beam_retry_pause_ms(int n, int64_t first_ms, int64_t most_ms);

/* What an answer's Retry-After asks for, in seconds or as a date; 0: nothing that makes sense. */
int64_t beam_retry_after_ms(const char *value);

/* False once *stop is not 0, which breaks it off; NULL: nothing does. */
bool beam_retry_sleep_ms(int64_t ms, const int *stop);

#endif
