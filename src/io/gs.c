/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "io/gs.h"

#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for Cloud Storage");
}

/* ---- Patterns -------------------------------------------------------------------------------- */

/* As the local file system's: * and ? do not match a slash or a leading dot, [a-z], {a,b}; but **
 * matches slashes, too. */
typedef struct matching {
    beam_arena *arena;
    const char *bucket;
    beam_file_entry *entries;
    size_t n, capacity;
} matching;

static beam_status add_entry(matching *m, const char *name, const beam_gs_object *object)
{
    if (m->n == m->capacity) {
        size_t capacity = m->capacity ? m->capacity * 2 : 64;
        beam_file_entry *grown = beam_arena_calloc(m->arena, capacity, sizeof *grown);
        if (!grown)
            return BEAM_RESOURCE_EXHAUSTED;
        if (m->n)
            memcpy(grown, m->entries, m->n * sizeof *grown);
        m->entries = grown;
        m->capacity = capacity;
    }
    char *path = beam_arena_printf(m->arena, "gs://%s/%s", m->bucket, name);
    if (!path)
        return BEAM_RESOURCE_EXHAUSTED;
    m->entries[m->n++] = (beam_file_entry){path, object->size, object->updated};
    return BEAM_OK;
}

/* One pattern without braces. */
static beam_status match_plain(matching *m, const beam_gs_place *pattern, beam_error *err)
{
    beam_gs_place prefix = *pattern;
    beam_gs_listing listing = {.arena = m->arena};
    const size_t literal = strcspn(pattern->name, "*?[");
    const bool deep = strstr(pattern->name, "**") != NULL;
    const int flags = FNM_NOESCAPE | (deep ? 0 : FNM_PATHNAME | FNM_PERIOD);
    if (!pattern->name[literal]) { /* a name: no right to list is needed */
        beam_gs_object object;
        beam_error why = {0};
        beam_status status = beam_gs_stat(pattern, &object, &why);
        if (status == BEAM_OK && add_entry(m, pattern->name, &object) != BEAM_OK)
            return no_memory(err);
        return status == BEAM_OK || status == BEAM_NOT_FOUND
                   ? BEAM_OK
                   : beam_error_set(err, status, "%s", why.message);
    }
    prefix.name[literal] = '\0';
    BEAM_TRY(beam_gs_list(&prefix, deep || strchr(pattern->name + literal, '/'), 0, &listing, err));
    for (size_t i = 0; i < listing.n; i++) {
        const char *name = listing.names[i];
        bool is_folder = name[strlen(name) - 1] == '/'; /* as the console makes them */
        if (!is_folder && fnmatch(pattern->name, name, flags) == 0 &&
            add_entry(m, name, &listing.objects[i]) != BEAM_OK)
            return no_memory(err);
    }
    return BEAM_OK;
}

/* The end of the alternative, or of all of them, at `at` within braces. */
static const char *alternative_end(const char *at)
{
    for (int depth = 0; *at; at++) {
        if (depth == 0 && (*at == ',' || *at == '}'))
            return at;
        depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
    }
    return NULL;
}

static beam_status match_braces(matching *m, const beam_gs_place *pattern, int depth,
                                beam_error *err)
{
    enum { MOST_BRACES = 8 };
    const char *open = strchr(pattern->name, '{'), *close = open;
    do
        close = close ? alternative_end(close + 1) : NULL;
    while (close && *close == ',');
    if (!close)
        return match_plain(m, pattern, err);
    if (depth == MOST_BRACES)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the pattern gs://%s/%s has more than %d pairs of braces",
                              pattern->bucket, pattern->name, MOST_BRACES);
    for (const char *at = open + 1, *end; (end = alternative_end(at)) && end <= close;
         at = end + 1) {
        beam_gs_place one = *pattern; /* which is longer than what it becomes */
        size_t head = (size_t)(open - pattern->name), len = (size_t)(end - at);
        memcpy(one.name + head, at, len);
        memcpy(one.name + head + len, close + 1, strlen(close + 1) + 1);
        BEAM_TRY(match_braces(m, &one, depth + 1, err));
        if (end == close)
            break;
    }
    return BEAM_OK;
}

static beam_status match(const char *pattern, beam_arena *arena, beam_file_entry **entries,
                         size_t *n, beam_error *err)
{
    beam_gs_place place;
    BEAM_TRY(beam_gs_parse_path(beam_str_of(pattern), &place, err));
    matching m = {.arena = arena, .bucket = place.bucket};
    BEAM_TRY(match_braces(&m, &place, 0, err));
    *entries = m.entries;
    *n = m.n;
    return BEAM_OK;
}

/* FOLDER/ as the beginning of names. */
static beam_status folder_prefix(const char *path, beam_gs_place *prefix, beam_error *err)
{
    BEAM_TRY(beam_gs_parse_path(beam_str_of(path), prefix, err));
    size_t len = strlen(prefix->name);
    if (len == 0 || prefix->name[len - 1] == '/')
        return BEAM_OK;
    if (len + 1 >= BEAM_GS_NAME)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "the name '%.100s...' is too long", path);
    prefix->name[len] = '/';
    return BEAM_OK;
}

static beam_status list(const char *folder, beam_arena *arena, char ***names, size_t *n,
                        beam_error *err)
{
    beam_gs_place prefix;
    beam_gs_listing listing = {.arena = arena};
    BEAM_TRY(folder_prefix(folder, &prefix, err));
    BEAM_TRY(beam_gs_list(&prefix, false, 0, &listing, err));
    const size_t len = strlen(prefix.name);
    for (size_t i = 0; i < listing.n; i++)
        if (listing.names[i][len]) /* not the folder itself, as the console makes them */
            listing.names[(*n)++] = listing.names[i] + len;
    *names = listing.names;
    return BEAM_OK;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static beam_status exists(const char *path, bool *there, beam_error *err)
{
    beam_gs_place place;
    int64_t generation = 0;
    BEAM_TRY(beam_gs_parse_path(beam_str_of(path), &place, err));
    BEAM_TRY(beam_gs_generation(&place, &generation, err));
    *there = generation != 0;
    return BEAM_OK;
}

/* A copy that appears at once, and then the source's end: whoever does it again after half of it
 * was done does the other half. */
static beam_status rename_object(const char *from, const char *to, beam_error *err)
{
    beam_gs_place source, target;
    beam_gs_object object;
    int64_t expected;
    BEAM_TRY(beam_gs_parse_path(beam_str_of(from), &source, err));
    BEAM_TRY(beam_gs_parse_path(beam_str_of(to), &target, err));
    BEAM_TRY(beam_gs_stat(&source, &object, err));
    BEAM_TRY(beam_gs_generation(&target, &expected, err));
    BEAM_TRY(beam_gs_copy(&source, &object, &target, expected, err));
    return beam_gs_remove(&source, object.generation, err);
}

static beam_status make_folder(const char *path, beam_error *err)
{
    beam_gs_place place;
    return beam_gs_parse_path(beam_str_of(path), &place, err);
}

static beam_status remove_object(const char *path, beam_error *err)
{
    beam_gs_place place;
    BEAM_TRY(beam_gs_parse_path(beam_str_of(path), &place, err));
    return beam_gs_remove(&place, BEAM_GS_ANY, err);
}

static bool remove_empty(const char *path)
{
    (void)path;
    return false;
}

/* With all below it: a folder is where names begin with it. */
static beam_status remove_folder(const char *path, beam_error *err)
{
    beam_gs_place prefix;
    beam_arena arena = {0};
    beam_gs_listing listing = {.arena = &arena};
    BEAM_TRY(folder_prefix(path, &prefix, err));
    if (!prefix.name[0])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "'%s' is no folder to remove", path);
    beam_status status = beam_gs_list(&prefix, true, 0, &listing, err);
    for (size_t i = 0; status == BEAM_OK && i < listing.n; i++) {
        beam_gs_place place = prefix;
        memcpy(place.name, listing.names[i], strlen(listing.names[i]) + 1);
        status = beam_gs_remove(&place, listing.objects[i].generation, err);
    }
    beam_arena_free(&arena);
    return status;
}

const beam_fs_driver beam_gs_driver = {.match = match,
                                       .list = list,
                                       .open = beam_gs_open,
                                       .read = beam_gs_read,
                                       .close = beam_gs_close_file,
                                       .view = beam_gs_view,
                                       .create = beam_gs_create,
                                       .write = beam_gs_write,
                                       .commit = beam_gs_commit,
                                       .abandon = beam_gs_abandon,
                                       .exists = exists,
                                       .rename = rename_object,
                                       .make_folder = make_folder,
                                       .remove = remove_object,
                                       .remove_empty = remove_empty,
                                       .remove_folder = remove_folder};
