/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/share.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

/* The build gives both; a build by hand may leave them out. */
#ifndef BEAM_SOURCE_SHARE_DIR
#define BEAM_SOURCE_SHARE_DIR "share"
#endif
#ifndef BEAM_INSTALL_SHARE_DIR
#define BEAM_INSTALL_SHARE_DIR "/usr/local/share/libbeam"
#endif

beam_status beam_share_path(const char *name, char **path, beam_error *err)
{
    static const char *const built_in[] = {BEAM_SOURCE_SHARE_DIR, BEAM_INSTALL_SHARE_DIR};
    const char *own = getenv("BEAM_SHARE_DIR");
    const char *const *folders = own && *own ? &own : built_in;
    size_t count = own && *own ? 1 : sizeof built_in / sizeof *built_in;
    *path = NULL;
    for (size_t i = 0; i < count; i++) {
        char *tried = beam_asprintf("%s/%s", folders[i], name);
        if (!tried)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to find %s", name);
        if (access(tried, R_OK) == 0) {
            *path = tried;
            return BEAM_OK;
        }
        beam_free(tried);
    }
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "%s, which comes with libbeam, is neither in %s nor in %s; set "
                          "BEAM_SHARE_DIR to the folder share of libbeam's sources",
                          name, folders[0], count > 1 ? folders[1] : "another place");
}
