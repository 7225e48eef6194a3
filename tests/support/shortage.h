/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shortage.h - each allocation of something fails in turn:
 *
 *     for (test_shortage s = {0}; test_shortage_next(&s);) {
 *         beam_status status = what_allocates();
 *         test_shortage_ends(&s, status);
 *         ... frees what it made ...
 *     }
 *
 * Tests that expect something else of a failure than RESOURCE_EXHAUSTED say so to
 * beam_alloc_fail_at themselves. */
#ifndef SUPPORT_SHORTAGE_H
#define SUPPORT_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <beam/status.h>

typedef struct test_shortage {
    uint64_t n; /* the allocation that fails, from 1 */
    bool over;  /* there was none that could */
} test_shortage;

/* From now on the next allocation in turn fails; false when the last time none did. */
bool test_shortage_next(test_shortage *shortage);
/* There is memory again.  What was tried must have failed, with RESOURCE_EXHAUSTED, if an
 * allocation did, and not otherwise. */
void test_shortage_ends_(test_shortage *shortage, beam_status status, const char *file, int line);
#define test_shortage_ends(shortage, status) \
    test_shortage_ends_((shortage), (status), __FILE__, __LINE__)

#endif
