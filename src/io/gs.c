/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "io/gs.h"

#include <string.h>

#include "base/alloc.h"
#include "io/pattern.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for Cloud Storage");
}

/* ---- Patterns -------------------------------------------------------------------------------- */

static beam_status add_entry(const beam_gs_place *pattern, const char *name,
                             const beam_gs_object *object, beam_fs_found *found, beam_error *err)
{
    const beam_file_entry entry = {
        beam_arena_printf(found->arena, "gs://%s/%s", pattern->bucket, name), object->size,
        object->updated};
    return entry.path ? beam_fs_found_add(found, &entry, err) : no_memory(err);
}

/* A name: no right to list is needed. */
static beam_status match_name(const beam_gs_place *place, beam_fs_found *found, beam_error *err)
{
    beam_gs_object object;
    beam_error why = {0};
    beam_status status = beam_gs_stat(place, &object, &why);
    if (status == BEAM_OK)
        return add_entry(place, place->name, &object, found, err);
    return status == BEAM_NOT_FOUND ? BEAM_OK : beam_error_set(err, status, "%s", why.message);
}

static beam_status match_listed(const beam_gs_place *pattern, const beam_gs_listing *listing,
                                beam_fs_found *found, beam_error *err)
{
    regex_t regex;
    BEAM_TRY(beam_pattern_compile(pattern->name, false, &regex, err));
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < listing->n; i++) {
        const char *name = listing->names[i];
        bool is_folder = name[strlen(name) - 1] == '/'; /* as the console makes them */
        if (!is_folder && regexec(&regex, name, 0, NULL, 0) == 0)
            status = add_entry(pattern, name, &listing->objects[i], found, err);
    }
    regfree(&regex);
    return status;
}

static beam_status match(const char *pattern, beam_fs_found *found, beam_error *err)
{
    beam_gs_place place, prefix;
    beam_gs_listing listing = {.arena = found->arena};
    BEAM_TRY(beam_gs_parse_path(beam_str_of(pattern), &place, err));
    const size_t literal = beam_pattern_literal(place.name, false);
    if (!place.name[literal])
        return match_name(&place, found, err);
    prefix = place;
    prefix.name[literal] = '\0';
    bool deep = beam_pattern_is_deep(place.name, false) || strchr(place.name + literal, '/');
    BEAM_TRY(beam_gs_list(&prefix, deep, 0, &listing, err));
    return match_listed(&place, &listing, found, err);
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
