/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/staged.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

void beam_staged_name(const char *kind, const char *name, char text[BEAM_STAGED_NAME])
{
    uint64_t hash = beam_hash64(name, strlen(name), beam_hash64(kind, strlen(kind), 0));
    snprintf(text, BEAM_STAGED_NAME, "files/%016" PRIx64, hash);
}

/* The one thing in a folder; NULL when there is no such folder. */
static beam_status only_entry(const char *folder, char **path, beam_error *err)
{
    beam_arena arena = {0};
    char **names;
    size_t n;
    beam_status status = beam_folder_names(folder, false, &arena, &names, &n, err);
    if (status == BEAM_OK && n && !(*path = beam_asprintf("%s/%s", folder, names[0])))
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to find a staged file");
    beam_arena_free(&arena);
    return status;
}

beam_status beam_staged_find(const char *kind, const char *name, char **path, beam_error *err)
{
    const char *staged = getenv("BEAM_STAGED_DIR");
    char below[BEAM_STAGED_NAME];
    *path = NULL;
    if (!staged || !*staged)
        return BEAM_OK;
    beam_staged_name(kind, name, below);
    char *folder = beam_asprintf("%s/%s", staged, below);
    if (!folder)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to find a staged file");
    beam_status status = only_entry(folder, path, err);
    beam_free(folder);
    return status;
}
