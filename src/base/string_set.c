/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/string_set.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"

struct beam_string_set {
    pthread_mutex_t lock; /* guards what follows */
    beam_map known;
    beam_arena arena; /* of the texts */
    beam_str *texts;  /* in order */
    size_t n, capacity, bytes;
};

beam_string_set *beam_string_set_new(void)
{
    beam_string_set *set = beam_calloc(1, sizeof *set);
    if (set && pthread_mutex_init(&set->lock, NULL) != 0) {
        beam_free(set);
        return NULL;
    }
    return set;
}

void beam_string_set_free(beam_string_set *set)
{
    if (!set)
        return;
    beam_map_free(&set->known);
    beam_arena_free(&set->arena);
    beam_free(set->texts);
    pthread_mutex_destroy(&set->lock);
    beam_free(set);
}

/* The caller holds the lock. */
static beam_status insert(beam_string_set *set, const char *text, size_t len)
{
    if (beam_map_getn(&set->known, text, len))
        return BEAM_OK;
    if (len > BEAM_STRING_SET_BYTES - set->bytes)
        return BEAM_OUT_OF_RANGE;
    char *copy = beam_arena_strndup(&set->arena, text, len);
    void *texts = set->texts;
    int grown = beam_grow(&texts, &set->capacity, set->n + 1, sizeof *set->texts);
    set->texts = texts;
    if (!copy || grown != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    BEAM_TRY(beam_map_setn(&set->known, text, len, set));
    set->texts[set->n++] = (beam_str){copy, len};
    set->bytes += len;
    return BEAM_OK;
}

beam_status beam_string_set_insert(beam_string_set *set, const char *text, size_t len)
{
    pthread_mutex_lock(&set->lock);
    beam_status status = insert(set, text, len);
    pthread_mutex_unlock(&set->lock);
    return status;
}

typedef struct merging {
    beam_string_set *into;
    beam_status status;
} merging;

static void merge_one(void *user, beam_str text)
{
    merging *m = user;
    beam_status status = beam_string_set_insert(m->into, text.at, text.len);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        m->status = status;
}

beam_status beam_string_set_merge(beam_string_set *set, const beam_string_set *other)
{
    merging m = {set, BEAM_OK};
    beam_string_set_visit(other, merge_one, &m);
    return m.status;
}

void beam_string_set_visit(const beam_string_set *set, void (*visit)(void *user, beam_str text),
                           void *user)
{
    pthread_mutex_t *lock = &((beam_string_set *)(uintptr_t)set)->lock;
    pthread_mutex_lock(lock);
    for (size_t i = 0; i < set->n; i++)
        visit(user, set->texts[i]);
    pthread_mutex_unlock(lock);
}

void beam_string_set_clear(beam_string_set *set)
{
    pthread_mutex_lock(&set->lock);
    beam_map_free(&set->known);
    set->known = (beam_map){0};
    beam_arena_reset(&set->arena);
    set->n = set->bytes = 0;
    pthread_mutex_unlock(&set->lock);
}

bool beam_string_set_is_empty(const beam_string_set *set)
{
    pthread_mutex_t *lock = &((beam_string_set *)(uintptr_t)set)->lock;
    pthread_mutex_lock(lock);
    bool empty = set->n == 0;
    pthread_mutex_unlock(lock);
    return empty;
}
