/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* map.c - open addressing with linear probing, at most three quarters full.  Removal moves
 * later entries of the chain forward, so there are no tombstones. */
#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum { FIRST_CAPACITY = 16 };

static size_t home_of(const beam_map *map, const char *key, size_t len)
{
    return (size_t)beam_hash64(key, len, 0) & (map->capacity - 1);
}

/* Where the key is, or the free place where it would go. Needs capacity > 0. */
static size_t place_of(const beam_map *map, const char *key, size_t len)
{
    size_t i = home_of(map, key, len);
    for (;; i = (i + 1) & (map->capacity - 1)) {
        const beam_map_entry *e = &map->entries[i];
        if (!e->key || (e->len == len && memcmp(e->key, key, len) == 0))
            return i;
    }
}

static const beam_map_entry *find(const beam_map *map, const char *key, size_t len)
{
    if (!map->len)
        return NULL;
    const beam_map_entry *e = &map->entries[place_of(map, key, len)];
    return e->key ? e : NULL;
}

void *beam_map_getn(const beam_map *map, const char *key, size_t len)
{
    const beam_map_entry *e = find(map, key, len);
    return e ? e->value : NULL;
}

void *beam_map_get(const beam_map *map, const char *key)
{
    return beam_map_getn(map, key, strlen(key));
}

bool beam_map_has(const beam_map *map, const char *key)
{
    return find(map, key, strlen(key)) != NULL;
}

static beam_status grow(beam_map *map)
{
    if (map->capacity > SIZE_MAX / 4 / sizeof *map->entries)
        return BEAM_RESOURCE_EXHAUSTED;
    beam_map wider = {.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY,
                      .len = map->len};
    wider.entries = beam_calloc(wider.capacity, sizeof *wider.entries);
    if (!wider.entries)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < map->capacity; i++) {
        const beam_map_entry *e = &map->entries[i];
        if (e->key)
            wider.entries[place_of(&wider, e->key, e->len)] = *e;
    }
    beam_free(map->entries);
    *map = wider;
    return BEAM_OK;
}

beam_status beam_map_setn(beam_map *map, const char *key, size_t len, void *value)
{
    if (map->len + 1 > map->capacity / 4 * 3)
        BEAM_TRY(grow(map));
    beam_map_entry *e = &map->entries[place_of(map, key, len)];
    if (!e->key) {
        char *copy = beam_strndup(key, len);
        if (!copy)
            return BEAM_RESOURCE_EXHAUSTED;
        e->key = copy;
        e->len = len;
        map->len++;
    }
    e->value = value;
    return BEAM_OK;
}

beam_status beam_map_set(beam_map *map, const char *key, void *value)
{
    return beam_map_setn(map, key, strlen(key), value);
}

void *beam_map_remove(beam_map *map, const char *key)
{
    return beam_map_removen(map, key, strlen(key));
}

void *beam_map_removen(beam_map *map, const char *key, size_t len)
{
    if (!map->len)
        return NULL;
    size_t mask = map->capacity - 1;
    size_t hole = place_of(map, key, len);
    if (!map->entries[hole].key)
        return NULL;
    void *value = map->entries[hole].value;
    beam_free(map->entries[hole].key);
    for (size_t i = (hole + 1) & mask; map->entries[i].key; i = (i + 1) & mask) {
        size_t home = home_of(map, map->entries[i].key, map->entries[i].len);
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* its chain passes the hole */
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole] = (beam_map_entry){0};
    map->len--;
    return value;
}

const beam_map_entry *beam_map_next(const beam_map *map, size_t *at)
{
    while (*at < map->capacity) {
        const beam_map_entry *e = &map->entries[(*at)++];
        if (e->key)
            return e;
    }
    return NULL;
}

void beam_map_free(beam_map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        beam_free(map->entries[i].key);
    beam_free(map->entries);
    *map = (beam_map){0};
}
