/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* filesystem_match.c - the files that match a pattern. */
#include <stdlib.h>
#include <string.h>

#include "io/filesystem_driver.h"
#include "io/pattern.h"

beam_status beam_fs_found_add(beam_fs_found *found, const beam_file_entry *entry, beam_error *err)
{
    void *items = found->entries;
    if (beam_arena_grow(found->arena, &items, found->n, &found->capacity, sizeof *entry) != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory listing files");
    found->entries = items;
    found->entries[found->n++] = *entry;
    return BEAM_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const beam_file_entry *)a)->path, ((const beam_file_entry *)b)->path);
}

/* Sorts, and drops all but one of a file that several alternatives of {a,b} match: its lines would
 * be read twice. */
static size_t each_once(beam_file_entry *entries, size_t n)
{
    size_t kept = 0;
    if (n)
        qsort(entries, n, sizeof *entries, by_path);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(entries[kept - 1].path, entries[i].path) != 0)
            entries[kept++] = entries[i];
    return kept;
}

typedef struct matching {
    const beam_fs_driver *driver;
    beam_fs_found found;
} matching;

static beam_status match_one(void *user, const char *pattern, beam_error *err)
{
    matching *m = user;
    return m->driver->match(pattern, &m->found, err);
}

beam_status beam_fs_match(const char *pattern, beam_arena *arena, beam_file_entry **entries,
                          size_t *n, beam_error *err)
{
    *entries = NULL;
    *n = 0;
    matching m = {.driver = beam_fs_driver_of(&pattern, err), .found = {.arena = arena}};
    if (!m.driver)
        return BEAM_UNIMPLEMENTED;
    BEAM_TRY(beam_pattern_each(pattern, m.driver->escapes, match_one, &m, err));
    *entries = m.found.entries;
    *n = each_once(*entries, m.found.n);
    return BEAM_OK;
}
