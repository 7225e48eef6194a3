/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* map.h - from text to pointers, for names and ids (the control plane).  Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include <beam/status.h>

typedef struct beam_map_entry {
    char *key; /* NUL-terminated, the map's own; NULL: a free place */
    size_t len;
    void *value;
} beam_map_entry;

/* A zeroed map is empty and ready. */
typedef struct beam_map {
    beam_map_entry *entries; /* `capacity` places */
    size_t len, capacity;
} beam_map;

/* NULL when the key is not there (or has a NULL value: ask beam_map_has). */
void *beam_map_get(const beam_map *map, const char *key);
void *beam_map_getn(const beam_map *map, const char *key, size_t len);
bool beam_map_has(const beam_map *map, const char *key);
/* Sets the key's value; the key is copied. RESOURCE_EXHAUSTED leaves the map as it was. */
beam_status beam_map_set(beam_map *map, const char *key, void *value);
beam_status beam_map_setn(beam_map *map, const char *key, size_t len, void *value);
/* The value that was there, or NULL. */
void *beam_map_remove(beam_map *map, const char *key);
void *beam_map_removen(beam_map *map, const char *key, size_t len);
/* Walks the entries, in no order: size_t at = 0; while ((e = beam_map_next(&map, &at))) ...
 * Nothing may be set or removed meanwhile. */
const beam_map_entry *beam_map_next(const beam_map *map, size_t *at);
/* Frees keys and places; the values are the caller's. */
void beam_map_free(beam_map *map);

#endif
