/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* file.h - local files: read as one piece of memory, and written whole or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <beam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* A file's bytes, mapped where the file system can, read into memory where not (a pipe).
 * Whoever cuts the file short meanwhile makes a mapped read fail with SIGBUS. */
typedef struct beam_file_view {
    const uint8_t *data; /* page-aligned, or at least 64-byte aligned; never NULL when open */
    size_t size;
    bool mapped;
} beam_file_view;

beam_status beam_file_view_open(const char *path, beam_file_view *view, beam_error *err);
/* Of a zeroed view: nothing. */
void beam_file_view_close(beam_file_view *view);

/* A file that nobody sees under its name before it is complete: written beside it as
 * NAME.<something>.tmp, synced and renamed by commit, removed by abandon. */
typedef struct beam_new_file {
    int fd;
    char *temp; /* NULL: not open */
    char *path;
} beam_new_file;

/* BEAM_INVALID_ARGUMENT where `path` is a folder, a pipe or a device. */
beam_status beam_new_file_open(const char *path, beam_new_file *file, beam_error *err);
beam_status beam_new_file_write(beam_new_file *file, const void *data, size_t size,
                                beam_error *err);
/* The file is closed whatever comes back, and on an error nothing is left. */
beam_status beam_new_file_commit(beam_new_file *file, beam_error *err);
/* Closes and removes; of a zeroed, committed or abandoned one: nothing. */
void beam_new_file_abandon(beam_new_file *file);

/* The pieces of that.  A file's bytes reach the disk later than its name does, so that after a
 * power failure it may be empty, unless it is synced before it is renamed. */
/* The file is closed whatever comes back. */
beam_status beam_close_synced(int fd, const char *path, beam_error *err);
/* Names that were given in the folder of `path` are on the disk then. */
void beam_sync_folder_of(const char *path);

/* Makes a folder and those above it, as mkdir -p. */
beam_status beam_make_folders(const char *path, beam_error *err);
/* Those that the file `path` is to be in. */
beam_status beam_make_folders_of(const char *path, beam_error *err);

/* The names in a folder, in any order, without "." and ".."; with `only_files` without those of
 * folders, too.  They live in the arena.  A folder that is not there has none. */
beam_status beam_folder_names(const char *path, bool only_files, beam_arena *arena, char ***names,
                              size_t *n, beam_error *err);

/* The status that stands for an errno value. */
beam_status beam_status_of_errno(int number);

#endif
