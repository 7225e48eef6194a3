/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* filesystem.h - files by path, wherever they lie: a path's scheme picks the file system.
 * Without a scheme, or with file://, it is the local one; gs:// is Cloud Storage (gs.h); a path of
 * another is BEAM_UNIMPLEMENTED with words.  All calls may come from any thread.
 *
 * Cloud Storage has no folders: there one is the beginning of names, and need not be made. */
#ifndef IO_FILESYSTEM_H
#define IO_FILESYSTEM_H

#include <beam/status.h>
#include <beam/type.h>

#include "base/arena.h"
#include "base/file.h"

typedef struct beam_file_entry {
    char *path;
    int64_t size;
    int64_t last_modified; /* milliseconds since 1970 */
} beam_file_entry;

/* The files (not folders) that match, each once, sorted by path; entries live in the arena.
 * Matching nothing is no error. */
beam_status beam_fs_match(const char *pattern, beam_arena *arena, beam_file_entry **entries,
                          size_t *n, beam_error *err);

/* The names of files (not folders, and not what is in those) in a folder, in any order; they live
 * in the arena.  A folder that is not there has none. */
beam_status beam_fs_list(const char *folder, beam_arena *arena, char ***names, size_t *n,
                         beam_error *err);

/* From now on remote calls of this thread are broken off soon after *stop is not 0: BEAM_CANCELLED;
 * NULL: they never are.  Gives what it was before. */
const int *beam_fs_stop(const int *stop);

/* ---- Reading --------------------------------------------------------------------------------- */

/* An open file, read at any place by one thread.  A remote one is fetched ahead where it is read
 * from front to back, and its checksum is compared at the end: BEAM_DATA_LOSS. */
typedef struct beam_file beam_file;

beam_status beam_fs_open(beam_str path, beam_file **file, beam_error *err);
void beam_fs_close(beam_file *file);
int64_t beam_fs_size(const beam_file *file);
const char *beam_fs_path(const beam_file *file); /* for messages */
/* Whether it is still the one that beam_fs_match found.  Of a local file only its being shorter
 * tells: a log is written on, and copies on several machines have times of their own. */
bool beam_fs_is_same(const beam_file *file, int64_t size, int64_t last_modified);
/* Up to `size` bytes at `offset`; fewer only at the end of the file. */
beam_status beam_fs_read(beam_file *file, void *data, size_t size, int64_t offset, size_t *got,
                         beam_error *err);

/* A whole file as one piece of memory: a local one mapped, a remote one fetched and checked.  Ended
 * by beam_file_view_close. */
beam_status beam_fs_view(const char *path, beam_file_view *view, beam_error *err);

/* ---- Writing --------------------------------------------------------------------------------- */

/* A file that nobody sees under its name before it is complete. */
typedef struct beam_writer beam_writer;

/* A `temporary` one has a name that nobody knows before it is complete, which makes it cheaper. */
beam_status beam_fs_create(const char *path, bool temporary, beam_writer **writer, beam_error *err);
beam_status beam_writer_write(beam_writer *writer, const void *data, size_t size, beam_error *err);
/* Ends the writer whatever comes back; on an error nothing is left. */
beam_status beam_writer_commit(beam_writer *writer, beam_error *err);
/* Ends it and leaves nothing; NULL is fine. */
void beam_writer_abandon(beam_writer *writer);

/* All of that at once. */
beam_status beam_fs_write(const char *path, const void *data, size_t size, beam_error *err);

/* A copy of a local file.  To Cloud Storage it goes in an upload that, when this process ends in
 * the middle, the same call in another goes on with. */
beam_status beam_fs_copy_local(const char *file, const char *path, beam_error *err);

/* ---- Names ----------------------------------------------------------------------------------- */

/* The path as workers in other folders must be told it: a relative one is taken to begin in this
 * process's folder.  Free with beam_free. */
beam_status beam_fs_absolute(const char *path, char **absolute, beam_error *err);
/* The same of a pattern, in which the folder's own * and [ mean themselves. */
beam_status beam_fs_absolute_pattern(const char *pattern, char **absolute, beam_error *err);
bool beam_fs_is_local(const char *path);
/* The one path by which an absolute one's file is known in this process, however it was written:
 * links in a local one's folders, "..", "." and "//" are resolved, as far as there are such folders
 * now.  Free with beam_free. */
beam_status beam_fs_canonical(const char *path, char **canonical, beam_error *err);

/* Of a file; of a folder, too, where there are such. */
beam_status beam_fs_exists(const char *path, bool *exists, beam_error *err);
/* Replaces what is there.  Not to another file system. */
beam_status beam_fs_rename(const char *from, const char *to, beam_error *err);
/* Has files that were renamed to the folder of `path` keep their names through a power failure. */
void beam_fs_settle(const char *path);
/* A file; nothing there is no error. */
beam_status beam_fs_remove(const char *path, beam_error *err);
beam_status beam_fs_make_folder(const char *path, beam_error *err);
/* The one that the file `path` is to be in. */
beam_status beam_fs_make_folder_of(const char *path, beam_error *err);
/* Removes a folder that has nothing in it; false otherwise. */
bool beam_fs_remove_empty(const char *path);
/* A folder and the files right in it; nothing there is no error. */
beam_status beam_fs_remove_folder(const char *path, beam_error *err);

#endif
