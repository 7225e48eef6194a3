/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* filesystem_driver.h - what a file system implements: filesystem.h's functions, each with the same
 * contract; but `match` gets patterns without braces, and may find files in any order, and a file
 * more than once.  filesystem.c has the table of them. */
#ifndef IO_FILESYSTEM_DRIVER_H
#define IO_FILESYSTEM_DRIVER_H

#include "io/filesystem.h"

/* Files that match a pattern, in an arena. */
typedef struct beam_fs_found {
    beam_arena *arena;
    beam_file_entry *entries;
    size_t n, capacity;
} beam_fs_found;
/* The path is the arena's, too. */
beam_status beam_fs_found_add(beam_fs_found *found, const beam_file_entry *entry, beam_error *err);

typedef struct beam_fs_driver {
    bool escapes; /* in a pattern a backslash takes the next character's meaning away */
    beam_status (*match)(const char *pattern, beam_fs_found *found, beam_error *err);
    beam_status (*list)(const char *folder, beam_arena *arena, char ***names, size_t *n,
                        beam_error *err);
    beam_status (*open)(const char *path, beam_file **file, beam_error *err);
    beam_status (*read)(beam_file *file, void *data, size_t size, int64_t offset, size_t *got,
                        beam_error *err);
    void (*close)(beam_file *file);
    beam_status (*view)(const char *path, beam_file_view *view, beam_error *err);
    beam_status (*create)(const char *path, bool temporary, beam_writer **writer, beam_error *err);
    beam_status (*write)(beam_writer *writer, const void *data, size_t size, beam_error *err);
    beam_status (*commit)(beam_writer *writer, beam_error *err);
    void (*abandon)(beam_writer *writer);
    beam_status (*exists)(const char *path, bool *exists, beam_error *err);
    beam_status (*rename)(const char *from, const char *to, beam_error *err);
    beam_status (*make_folder)(const char *path, beam_error *err);
    beam_status (*remove)(const char *path, beam_error *err);
    bool (*remove_empty)(const char *path);
    beam_status (*remove_folder)(const char *path, beam_error *err);
} beam_fs_driver;

/* What every open file and writer of a driver begins with. */
struct beam_file {
    const beam_fs_driver *driver;
    int64_t size;
    int64_t last_modified; /* as beam_fs_match tells it; 0: it may be another, and the same file */
    const char *path;
};
struct beam_writer {
    const beam_fs_driver *driver;
};

extern const beam_fs_driver beam_local_driver;

/* The path's file system, with what it knows the path by; NULL and an error for another. */
const beam_fs_driver *beam_fs_driver_of(const char **path, beam_error *err);

#endif
