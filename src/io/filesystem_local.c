/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* filesystem_local.c - the files of this machine. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/filesystem_driver.h"
#include "io/pattern.h"

/* ---- Looking --------------------------------------------------------------------------------- */

static beam_status add_entry(const char *path, beam_fs_found *found, beam_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno == ENOENT) /* gone since the folder was read */
            return BEAM_OK;
        return beam_error_set(err, beam_status_of_errno(errno), "cannot look at %s: %s", path,
                              strerror(errno));
    }
    if (S_ISDIR(st.st_mode))
        return BEAM_OK;
    if (!S_ISREG(st.st_mode))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s is a pipe or a device; only files can be read: they are read at "
                              "several places, and again when a bundle is tried again",
                              path);
    const beam_file_entry entry = {beam_arena_strdup(found->arena, path), st.st_size,
                                   (int64_t)st.st_mtim.tv_sec * 1000 +
                                       st.st_mtim.tv_nsec / 1000000};
    if (!entry.path)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory listing files");
    return beam_fs_found_add(found, &entry, err);
}

/* Why a folder could not be read, since glob hands nothing through. */
static _Thread_local int unreadable;

/* One that is not there has no files; but what is in one that cannot be read would be missing from
 * the results. */
static int on_unreadable(const char *folder, int number)
{
    (void)folder;
    unreadable = number;
    return number != ENOENT;
}

static beam_status match_names(const char *pattern, beam_fs_found *found, beam_error *err)
{
    glob_t paths = {0};
    int rc = glob(pattern, GLOB_TILDE, on_unreadable, &paths);
    if (rc == GLOB_NOMATCH)
        return BEAM_OK;
    if (rc != 0) {
        int number = rc == GLOB_NOSPACE ? ENOMEM : unreadable;
        globfree(&paths);
        return beam_error_set(err, beam_status_of_errno(number),
                              "cannot list the files that match '%s': %s", pattern,
                              strerror(number));
    }
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < paths.gl_pathc; i++)
        status = add_entry(paths.gl_pathv[i], found, err);
    globfree(&paths);
    return status;
}

static beam_status walk(const char *folder, const regex_t *pattern, beam_fs_found *found,
                        beam_error *err);

/* A link to a folder is not followed: it may lead back. */
static beam_status visit(const char *path, const regex_t *pattern, beam_fs_found *found,
                         beam_error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return walk(path, pattern, found, err);
    return regexec(pattern, path, 0, NULL, 0) == 0 ? add_entry(path, found, err) : BEAM_OK;
}

/* The files in a folder and those below it; "" is the current one. */
static beam_status walk(const char *folder, const regex_t *pattern, beam_fs_found *found,
                        beam_error *err)
{
    char **names;
    size_t n, len = strlen(folder);
    const char *slash = len && folder[len - 1] != '/' ? "/" : "";
    beam_arena arena = {0};
    beam_status status = beam_folder_names(len ? folder : ".", false, &arena, &names, &n, err);
    for (size_t i = 0; status == BEAM_OK && i < n; i++) {
        const char *path = beam_arena_printf(&arena, "%s%s%s", folder, slash, names[i]);
        status = path ? visit(path, pattern, found, err)
                      : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory listing files");
    }
    beam_arena_free(&arena);
    return status;
}

/* Without its backslashes, which take meanings away. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; *to++ = *at++)
        at += at[0] == '\\' && at[1];
    *to = '\0';
}

/* From the last folder on that is named without special characters. */
static beam_status match_below(const char *pattern, beam_fs_found *found, beam_error *err)
{
    regex_t regex;
    size_t len = beam_pattern_literal(pattern, true);
    while (len && pattern[len - 1] != '/')
        len--;
    char *folder = beam_strndup(pattern, len);
    if (!folder)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory listing files");
    unescape(folder);
    beam_status status = beam_pattern_compile(pattern, true, &regex, err);
    if (status == BEAM_OK) {
        status = walk(folder, &regex, found, err);
        regfree(&regex);
    }
    beam_free(folder);
    return status;
}

static beam_status match(const char *pattern, beam_fs_found *found, beam_error *err)
{
    return beam_pattern_is_deep(pattern, true) ? match_below(pattern, found, err)
                                               : match_names(pattern, found, err);
}

static beam_status list(const char *path, beam_arena *arena, char ***names, size_t *n,
                        beam_error *err)
{
    return beam_folder_names(path, true, arena, names, n, err);
}

static beam_status exists(const char *path, bool *there, beam_error *err)
{
    *there = access(path, F_OK) == 0;
    if (*there || errno == ENOENT || errno == ENOTDIR)
        return BEAM_OK;
    return beam_error_set(err, beam_status_of_errno(errno), "cannot look at %s: %s", path,
                          strerror(errno));
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef struct local_file {
    beam_file head;
    int fd;
    char path[];
} local_file;

static void close_file(beam_file *file)
{
    local_file *f = (local_file *)file;
    if (f->fd >= 0)
        close(f->fd); /* read only: nothing is lost */
    beam_free(f);
}

static beam_status open_file(const char *path, beam_file **out, beam_error *err)
{
    size_t len = strlen(path) + 1;
    local_file *file = beam_calloc(1, sizeof *file + len);
    if (!file)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening a file");
    memcpy(file->path, path, len);
    struct stat st;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &st) != 0) {
        beam_status status = beam_error_set(err, beam_status_of_errno(errno), "cannot open %s: %s",
                                            path, strerror(errno));
        close_file(&file->head);
        return status;
    }
    file->head = (beam_file){&beam_local_driver, st.st_size, 0, file->path};
    *out = &file->head;
    return BEAM_OK;
}

static beam_status read_file(beam_file *file, void *data, size_t size, int64_t offset, size_t *got,
                             beam_error *err)
{
    int fd = ((local_file *)file)->fd;
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(fd, (char *)data + *got, size - *got, offset + (int64_t)*got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return beam_error_set(err, beam_status_of_errno(errno), "cannot read %s at %lld: %s",
                                  file->path, (long long)offset, strerror(errno));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return BEAM_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

typedef struct local_writer {
    beam_writer head;
    beam_new_file file; /* of a temporary one only the descriptor */
    char path[];        /* of a temporary one; "" otherwise */
} local_writer;

static beam_status create(const char *path, bool temporary, beam_writer **out, beam_error *err)
{
    size_t len = temporary ? strlen(path) + 1 : 1;
    local_writer *w = beam_calloc(1, sizeof *w + len);
    if (!w)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening %s", path);
    w->head.driver = &beam_local_driver;
    beam_status status = BEAM_OK;
    if (temporary) {
        memcpy(w->path, path, len);
        w->file.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        w->file.path = w->path; /* for messages */
        if (w->file.fd < 0)
            status = beam_error_set(err, beam_status_of_errno(errno), "cannot write %s: %s", path,
                                    strerror(errno));
    } else {
        status = beam_new_file_open(path, &w->file, err);
    }
    if (status == BEAM_OK)
        *out = &w->head;
    else
        beam_free(w);
    return status;
}

static beam_status write_some(beam_writer *writer, const void *data, size_t size, beam_error *err)
{
    return beam_new_file_write(&((local_writer *)writer)->file, data, size, err);
}

static void abandon(beam_writer *writer)
{
    local_writer *w = (local_writer *)writer;
    if (w->path[0]) {
        (void)unlink(w->path);
        if (w->file.fd >= 0)
            close(w->file.fd); /* commit has looked at its own */
    } else {
        beam_new_file_abandon(&w->file);
    }
    beam_free(w);
}

static beam_status commit(beam_writer *writer, beam_error *err)
{
    local_writer *w = (local_writer *)writer;
    beam_status status = BEAM_OK;
    if (!w->path[0]) {
        status = beam_new_file_commit(&w->file, err);
    } else {
        status = beam_close_synced(w->file.fd, w->path, err);
        if (status != BEAM_OK)
            (void)unlink(w->path);
    }
    beam_free(w);
    return status;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static beam_status rename_file(const char *from, const char *to, beam_error *err)
{
    if (rename(from, to) != 0)
        return beam_error_set(err, beam_status_of_errno(errno), "cannot rename %s to %s: %s", from,
                              to, strerror(errno));
    return BEAM_OK;
}

static beam_status remove_file(const char *path, beam_error *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return BEAM_OK;
    return beam_error_set(err, beam_status_of_errno(errno), "cannot remove %s: %s", path,
                          strerror(errno));
}

static bool remove_empty(const char *path)
{
    return rmdir(path) == 0;
}

static beam_status remove_folder(const char *name, beam_error *err)
{
    DIR *folder = opendir(name);
    if (!folder && errno == ENOENT)
        return BEAM_OK;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            break; /* rmdir says why */
    }
    if (folder)
        closedir(folder);
    if (rmdir(name) != 0 && errno != ENOENT)
        return beam_error_set(err, beam_status_of_errno(errno), "cannot remove %s: %s", name,
                              strerror(errno));
    return BEAM_OK;
}

const beam_fs_driver beam_local_driver = {.escapes = true,
                                          .match = match,
                                          .list = list,
                                          .open = open_file,
                                          .read = read_file,
                                          .close = close_file,
                                          .view = beam_file_view_open,
                                          .create = create,
                                          .write = write_some,
                                          .commit = commit,
                                          .abandon = abandon,
                                          .exists = exists,
                                          .rename = rename_file,
                                          .make_folder = beam_make_folders,
                                          .remove = remove_file,
                                          .remove_empty = remove_empty,
                                          .remove_folder = remove_folder};
