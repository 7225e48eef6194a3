/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_cache.h - compiled programs kept in files from run to run: one a program, compile options,
 * build of the plugin and kind of chip or processor, in the folder $BEAM_COMPILATION_CACHE_DIR.
 * Files appear whole, whoever else writes them, and one that is damaged or that the plugin does not
 * take counts as absent. */
#ifndef DEVICE_PJRT_CACHE_H
#define DEVICE_PJRT_CACHE_H

#include "base/buffer.h"
#include "device/pjrt_compile.h"

/* What code for a processor depends on, as a hash, from the text of /proc/cpuinfo: model and
 * instructions of the first that it lists.  0: it tells none. */
uint64_t beam_pjrt_processor(const char *cpuinfo, size_t size);
/* The file with that text, for tests to put another in its place. */
extern const char *beam_pjrt_cpuinfo;

typedef struct beam_pjrt_cached {
    char *path; /* NULL: no cache */
    uint64_t key[2];
} beam_pjrt_cached;

/* Where a program would be; release with beam_free(place->path). */
void beam_pjrt_cache_place(const beam_pjrt_client *client, const void *module, size_t size,
                           const beam_pjrt_target *target, const beam_buffer *options,
                           beam_pjrt_cached *place);
/* NULL when it is not there. */
PJRT_LoadedExecutable *beam_pjrt_cache_load(const beam_pjrt_client *client,
                                            const beam_pjrt_cached *place);
/* A program that cannot be kept is compiled again another time, no more. */
void beam_pjrt_cache_store(const beam_pjrt_client *client, const beam_pjrt_cached *place,
                           PJRT_LoadedExecutable *executable);

#endif
