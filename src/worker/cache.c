/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache.h"

#include "base/alloc.h"

beam_status beam_cache_open(beam_cache *cache, beam_error *err)
{
    *cache = (beam_cache){.held = 0};
    return pthread_mutex_init(&cache->lock, NULL) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a cache");
}

beam_cached *beam_cached_new(void)
{
    beam_cached *answer = beam_calloc(1, sizeof *answer);
    if (answer)
        answer->holders = 1;
    return answer;
}

static void free_answer(beam_cached *answer)
{
    beam_arena_free(&answer->arena);
    beam_buffer_free(&answer->bytes);
    beam_free(answer->array);
    beam_free(answer);
}

size_t beam_cached_size(const beam_cached *answer)
{
    return sizeof *answer + answer->key_len + answer->array_size + answer->bytes.capacity +
           answer->arena.total;
}

/* With the lock held, as for the next ones. */
static void unlink_answer(beam_cache *cache, beam_cached *answer)
{
    *(answer->newer ? &answer->newer->older : &cache->newest) = answer->older;
    *(answer->older ? &answer->older->newer : &cache->oldest) = answer->newer;
    answer->newer = answer->older = NULL;
}

static void link_newest(beam_cache *cache, beam_cached *answer)
{
    answer->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = answer;
    cache->newest = answer;
}

static void drop(beam_cache *cache, beam_cached *answer)
{
    unlink_answer(cache, answer);
    cache->held -= beam_cached_size(answer);
    (void)beam_map_removen(&cache->answers, answer->key, answer->key_len);
    beam_free(answer->key);
    answer->key = NULL;
    if (!answer->holders)
        free_answer(answer);
}

beam_cached *beam_cache_find(beam_cache *cache, const void *key, size_t len)
{
    pthread_mutex_lock(&cache->lock);
    beam_cached *answer = beam_map_getn(&cache->answers, key, len);
    if (answer) {
        answer->holders++;
        unlink_answer(cache, answer);
        link_newest(cache, answer);
    }
    cache->hits += answer != NULL;
    cache->misses += answer == NULL;
    pthread_mutex_unlock(&cache->lock);
    return answer;
}

void beam_cache_add(beam_cache *cache, beam_cached *answer, const void *key, size_t len)
{
    char *copy = beam_strndup(key, len);
    pthread_mutex_lock(&cache->lock);
    beam_cached *other = beam_map_getn(&cache->answers, key, len);
    if (other)
        drop(cache, other);
    if (copy && beam_map_setn(&cache->answers, key, len, answer) == BEAM_OK) {
        answer->key = copy;
        answer->key_len = len;
        copy = NULL;
        link_newest(cache, answer);
        cache->held += beam_cached_size(answer);
        while (cache->held > BEAM_CACHE_MEMORY)
            drop(cache, cache->oldest); /* it may be this one, which its holder keeps */
    }
    pthread_mutex_unlock(&cache->lock);
    beam_free(copy);
}

void beam_cached_release(beam_cache *cache, beam_cached *answer)
{
    pthread_mutex_lock(&cache->lock);
    bool unused = --answer->holders == 0 && !answer->key;
    pthread_mutex_unlock(&cache->lock);
    if (unused)
        free_answer(answer);
}

void beam_cache_close(beam_cache *cache)
{
    while (cache->oldest)
        drop(cache, cache->oldest);
    beam_map_free(&cache->answers);
    pthread_mutex_destroy(&cache->lock);
}
