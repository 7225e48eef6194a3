/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cache.h - files that are downloaded once and kept.
 *
 * They lie in $BEAM_CACHE, else $XDG_CACHE_HOME/libbeam, else ~/.cache/libbeam. */
#ifndef IO_CACHE_H
#define IO_CACHE_H

#include <beam/download.h>

/* FOLDER below the cache folder; free with beam_free.  Nothing is made on the disk. */
beam_status beam_cache_folder(const char *folder, char **path, beam_error *err);

typedef struct beam_cache_item {
    const char *what;      /* in messages: "the weights resnet18-imagenet" */
    const char *folder;    /* below the cache folder */
    const char *name;      /* of the file */
    const char *address;   /* where it comes from */
    const char *algorithm; /* "sha256", "md5" */
    const char *digest;    /* or its first digits */
    uint64_t max_size;
} beam_cache_item;

/* The item's file, which is downloaded when it is not there yet; its checksum is compared in
 * either case.  *path is freed with beam_free.  Where it cannot be had, the message says what
 * to download and where to put it. */
beam_status beam_cache_fetch(const beam_cache_item *item, const beam_download_options *options,
                             char **path, beam_error *err);

#endif
