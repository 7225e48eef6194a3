/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cache.h - answers of the engine about side inputs, decoded, for the bundles that share a cache
 * token.  The least recently used go when there are more than BEAM_CACHE_MEMORY bytes of them. */
#ifndef WORKER_CACHE_H
#define WORKER_CACHE_H

#include <beam/type.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"

enum { BEAM_CACHE_MEMORY = 100 << 20 };

/* An answer; it lives until nobody holds it. */
typedef struct beam_cached {
    beam_iterable values;
    void *array;       /* of values, beam_free frees it */
    size_t array_size; /* in bytes */
    beam_buffer bytes; /* into which values point */
    beam_arena arena;  /* the same */
    size_t holders;    /* behind the cache's lock, as the rest */
    char *key;         /* in the cache; NULL: it is not there (any more) */
    size_t key_len;
    struct beam_cached *newer, *older;
} beam_cached;

typedef struct beam_cache {
    pthread_mutex_t lock;
    beam_map answers;
    beam_cached *newest, *oldest;
    size_t held; /* bytes */
    uint64_t hits, misses;
} beam_cache;

beam_status beam_cache_open(beam_cache *cache, beam_error *err);
/* Once nobody holds an answer. */
void beam_cache_close(beam_cache *cache);
/* Held by the caller; NULL: it is not there. */
beam_cached *beam_cache_find(beam_cache *cache, const void *key, size_t len);
/* Another's answer under that key goes; where memory is out, this one does not come in. */
void beam_cache_add(beam_cache *cache, beam_cached *answer, const void *key, size_t len);
/* Held by the caller, and in no cache; NULL: no memory. */
beam_cached *beam_cached_new(void);
size_t beam_cached_size(const beam_cached *answer); /* in bytes, all of it */
void beam_cached_release(beam_cache *cache, beam_cached *answer);

#endif
