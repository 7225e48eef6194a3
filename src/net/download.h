/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* download.h - one file from a web server to the disk, checked, and whole or not at all. */
#ifndef NET_DOWNLOAD_H
#define NET_DOWNLOAD_H

#include <beam/download.h>

#include "base/file.h"

typedef struct beam_download_request {
    const char *address;   /* https:// */
    const char *path;      /* appears there once complete and checked */
    const char *algorithm; /* of `digest`: "sha256" or "md5" */
    const char *digest;    /* hexadecimal, or its first digits; NULL: any */
    uint64_t max_size;     /* more than this is refused */
    bool plain_http;       /* allow http:// (tests on the loopback interface) */
} beam_download_request;

/* BEAM_UNAVAILABLE when the server cannot be reached, BEAM_NOT_FOUND and the like for what it
 * answers, BEAM_DATA_LOSS for a wrong checksum; the server's certificate is verified.
 * `options` may be NULL. */
beam_status beam_net_download(const beam_download_request *request,
                              const beam_download_options *options, beam_error *err);

#endif
