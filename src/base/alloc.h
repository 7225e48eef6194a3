/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* alloc.h - every byte the library takes from the heap comes through here, so that a test
 * can make each allocation in turn fail and see that nothing leaks or crashes. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* All return NULL when memory (or a test's patience) is out. Size 0 gives a pointer to free. */
void *beam_malloc(size_t size);
void *beam_calloc(size_t count, size_t size);
void *beam_realloc(void *old, size_t size);
void beam_free(void *pointer);
char *beam_strdup(const char *text);
char *beam_strndup(const char *text, size_t len);
char *beam_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory at a multiple of `alignment` (a power of two); release it with beam_free. */
void *beam_aligned_alloc(size_t alignment, size_t size);

/* `count` items of `size` bytes, growing geometrically: makes *items hold at least `need`. */
int beam_grow(void **items, size_t *capacity, size_t need, size_t size); /* 0, or -1 */

/* Fault injection (tests). The n-th allocation from now, counted over all threads, fails
 * (1 = the next one), and with `sticky` all after it too; 0 stops failing. */
void beam_alloc_fail_at(uint64_t n, int sticky);
/* Allocations attempted since the last beam_alloc_fail_at. */
uint64_t beam_alloc_count(void);

#endif
