/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cache.c - the folder of downloaded files. */
#include "io/cache.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/digest.h"
#include "net/download.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the path of a cached file");
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

beam_status beam_cache_folder(const char *folder, char **path, beam_error *err)
{
    const char *cache = variable("BEAM_CACHE"), *xdg = variable("XDG_CACHE_HOME");
    const char *home = variable("HOME");
    *path = NULL;
    if (!cache && !xdg && !home)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "there is no folder for downloaded files: set BEAM_CACHE to one");
    if (cache)
        *path = beam_asprintf("%s/%s", cache, folder);
    else if (xdg)
        *path = beam_asprintf("%s/libbeam/%s", xdg, folder);
    else
        *path = beam_asprintf("%s/.cache/libbeam/%s", home, folder);
    return *path ? BEAM_OK : no_memory(err);
}

static beam_status check_file(const beam_cache_item *item, const char *path, beam_error *err)
{
    beam_file_view view;
    BEAM_TRY(beam_file_view_open(path, &view, err));
    beam_status status =
        beam_digest_check(item->algorithm, view.data, view.size, item->digest, path, err);
    beam_file_view_close(&view);
    if (status != BEAM_DATA_LOSS)
        return status;
    beam_error inner = {0};
    if (err)
        inner = *err;
    return beam_error_set(err, status, "%s; remove the file, and it will be downloaded again",
                          inner.message);
}

static beam_status fetch(const beam_cache_item *item, const beam_download_options *options,
                         const char *path, beam_error *err)
{
    if (options && options->offline)
        return beam_error_set(err, BEAM_UNAVAILABLE, "%s is not here, and downloads are off",
                              item->what);
    const beam_download_request request = {
        .address = item->address,
        .path = path,
        .algorithm = item->algorithm,
        .digest = item->digest,
        .max_size = item->max_size,
    };
    BEAM_LOG(options ? options->logger : NULL, BEAM_LOG_INFO, "downloading %s from %s", item->what,
             item->address);
    return beam_net_download(&request, options, err);
}

beam_status beam_cache_fetch(const beam_cache_item *item, const beam_download_options *options,
                             char **path, beam_error *err)
{
    char *folder = NULL;
    *path = NULL;
    BEAM_TRY(beam_cache_folder(item->folder, &folder, err));
    char *file = beam_asprintf("%s/%s", folder, item->name);
    beam_status status = file ? BEAM_OK : no_memory(err);
    if (status == BEAM_OK && access(file, F_OK) == 0) {
        status = check_file(item, file, err);
    } else if (status == BEAM_OK) {
        beam_error why = {0};
        if (!options || !options->offline)
            status = beam_make_folders(folder, &why);
        if (status == BEAM_OK)
            status = fetch(item, options, file, &why);
        if (status != BEAM_OK)
            (void)beam_error_set(err, status,
                                 "cannot get %s: %s. Download %s where there is internet, put it "
                                 "at %s, and try again",
                                 item->what, why.message, item->address, file);
    }
    beam_free(folder);
    if (status == BEAM_OK)
        *path = file;
    else
        beam_free(file);
    return status;
}
