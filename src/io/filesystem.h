/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* filesystem.h - files by path, wherever they lie: a path's scheme picks the file system.
 * Without a scheme, or with file://, it is the local one; no other is built in yet, and a path
 * of another is BEAM_UNIMPLEMENTED with words.  All calls may come from any thread. */
#ifndef IO_FILESYSTEM_H
#define IO_FILESYSTEM_H

#include <beam/status.h>
#include <beam/type.h>

#include "base/arena.h"

typedef struct beam_file_entry {
    char *path;
    int64_t size;
    int64_t last_modified; /* milliseconds since 1970 */
} beam_file_entry;

/* The files (not folders) that match, sorted by path; entries live in the arena. Matching
 * nothing is no error. */
beam_status beam_fs_match(const char *pattern, beam_arena *arena, beam_file_entry **entries,
                          size_t *n, beam_error *err);

/* An open file, read at any place by one thread. */
typedef struct beam_file {
    int fd;
    int64_t size;
    char path[]; /* for messages */
} beam_file;

beam_status beam_fs_open(beam_str path, beam_file **file, beam_error *err);
void beam_fs_close(beam_file *file);
/* Up to `size` bytes at `offset`; fewer only at the end of the file. */
beam_status beam_fs_read(const beam_file *file, void *data, size_t size, int64_t offset,
                         size_t *got, beam_error *err);

/* The path as workers in other folders must be told it: a relative one is taken to begin in this
 * process's folder.  Free with beam_free. */
beam_status beam_fs_absolute(const char *path, char **absolute, beam_error *err);

bool beam_fs_exists(const char *path);
beam_status beam_fs_rename(const char *from, const char *to, beam_error *err);
beam_status beam_fs_make_folder(const char *path, beam_error *err);
/* Removes a folder that has nothing in it; false otherwise. */
bool beam_fs_remove_empty(const char *path);
/* A folder and the files right in it; nothing there is no error. */
beam_status beam_fs_remove_folder(const char *path, beam_error *err);

#endif
