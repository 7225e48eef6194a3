/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* alloc.c - the allocator seam.  The hot paths allocate chunks, not elements, so one relaxed
 * load a call is all that fault injection costs when it is off. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool counting;
static atomic_int fail_sticky;
static atomic_ullong fail_at;
static atomic_ullong attempts;

void beam_alloc_fail_at(uint64_t n, int sticky)
{
    atomic_store(&attempts, 0);
    atomic_store(&fail_at, n);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&counting, true);
}

uint64_t beam_alloc_count(void)
{
    return atomic_load(&attempts);
}

static int must_fail(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return 0;
    unsigned long long n = atomic_fetch_add(&attempts, 1) + 1;
    unsigned long long at = atomic_load(&fail_at);
    return at != 0 && (n == at || (n > at && atomic_load(&fail_sticky)));
}

void *beam_malloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *beam_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *beam_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : realloc(old, size ? size : 1);
}

void beam_free(void *pointer)
{
    free(pointer);
}

char *beam_strndup(const char *text, size_t len)
{
    char *copy = beam_malloc(len + 1);
    if (copy) {
        if (len)
            memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *beam_strdup(const char *text)
{
    return beam_strndup(text, strlen(text));
}

char *beam_asprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : beam_malloc((size_t)len + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    return text;
}

void *beam_aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    if (must_fail() || posix_memalign(&p, alignment, size ? size : 1) != 0)
        return NULL;
    return p;
}

int beam_grow(void **items, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted < need) {
        if (wanted > SIZE_MAX / 2)
            return -1;
        wanted *= 2;
    }
    if (size && wanted > SIZE_MAX / size)
        return -1;
    void *grown = beam_realloc(*items, wanted * size);
    if (!grown)
        return -1;
    *items = grown;
    *capacity = wanted;
    return 0;
}
