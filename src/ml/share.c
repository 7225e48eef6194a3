/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/share.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* The build gives both; a build by hand may leave them out. */
#ifndef BEAM_SOURCE_SHARE_DIR
#define BEAM_SOURCE_SHARE_DIR "share"
#endif
#ifndef BEAM_INSTALL_SHARE_DIR
#define BEAM_INSTALL_SHARE_DIR "/usr/local/share/libbeam"
#endif

/* Sets *path to folder/relative/name if that can be read. */
static beam_status try_folder(const char *folder, const char *relative, const char *name,
                              char **path)
{
    char *tried = beam_asprintf("%s%s/%s", folder, relative, name);
    if (!tried)
        return BEAM_RESOURCE_EXHAUSTED;
    if (access(tried, R_OK) == 0)
        *path = tried;
    else
        beam_free(tried);
    return BEAM_OK;
}

/* Beside the file at `own`, as an installation lays it: that may have been moved as a whole. */
static beam_status try_beside(char *own, const char *name, char **path)
{
    static const char *const ways[] = {"/../share/libbeam", "/../../share/libbeam"};
    char *slash = strrchr(own, '/');
    if (!slash)
        return BEAM_OK;
    *slash = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways && !*path; i++)
        BEAM_TRY(try_folder(own, ways[i], name, path));
    return BEAM_OK;
}

/* Lies in the file that holds this code. */
static const char here[] = "libbeam";

/* The library may be one of its own, or a part of the program. */
static beam_status try_installation(const char *name, char **path)
{
    Dl_info library;
    char own[PATH_MAX];
    if (dladdr(here, &library) && library.dli_fname && strlen(library.dli_fname) < sizeof own) {
        strcpy(own, library.dli_fname);
        BEAM_TRY(try_beside(own, name, path));
    }
    ssize_t n = *path ? -1 : readlink("/proc/self/exe", own, sizeof own - 1);
    if (n <= 0)
        return BEAM_OK;
    own[n] = 0;
    return try_beside(own, name, path);
}

beam_status beam_share_path(const char *name, char **path, beam_error *err)
{
    const char *own = getenv("BEAM_SHARE_DIR");
    beam_status status;
    *path = NULL;
    if (own && *own)
        status = try_folder(own, "", name, path);
    else {
        status = try_folder(BEAM_SOURCE_SHARE_DIR, "", name, path);
        if (status == BEAM_OK && !*path)
            status = try_installation(name, path);
        if (status == BEAM_OK && !*path)
            status = try_folder(BEAM_INSTALL_SHARE_DIR, "", name, path);
    }
    if (status != BEAM_OK)
        return beam_error_set(err, status, "no memory to find %s", name);
    if (*path)
        return BEAM_OK;
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "%s, which comes with libbeam, is neither in %s nor in %s; set "
                          "BEAM_SHARE_DIR to the folder share of libbeam's sources",
                          name, own && *own ? own : BEAM_SOURCE_SHARE_DIR,
                          own && *own ? "another place" : BEAM_INSTALL_SHARE_DIR);
}
