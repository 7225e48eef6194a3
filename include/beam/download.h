/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* download.h - how a program follows, limits or forbids what weights.h and dataset.h fetch. */
#ifndef BEAM_DOWNLOAD_H
#define BEAM_DOWNLOAD_H

#include <beam/log.h>
#include <beam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How far a download is; total is 0 while it is not known.  Not BEAM_OK ends the download
 * with that status.  Called from the downloading thread, some times a second. */
typedef beam_status beam_download_progress(void *user, const char *address, uint64_t done,
                                           uint64_t total);

typedef struct beam_download_options {
    size_t struct_size;
    beam_download_progress *progress; /* NULL: none */
    void *user;
    const beam_logger *logger; /* NULL: the default one */
    bool offline;              /* never download: only what is here already */
} beam_download_options;

#ifdef __cplusplus
}
#endif
#endif
