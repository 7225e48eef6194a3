/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "io/filesystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

/* The path without file://, or NULL and an error for another file system. */
static const char *local(const char *path, beam_error *err)
{
    const char *scheme = strstr(path, "://");
    if (!scheme)
        return path;
    if (strncmp(path, "file://", 7) == 0)
        return path + 7;
    beam_error_set(err, BEAM_UNIMPLEMENTED,
                   "'%s': this build reads and writes local files only, not '%.*s://'; copy the "
                   "files to a local folder first",
                   path, (int)(scheme - path), path);
    return NULL;
}

static beam_status add_entry(const char *path, beam_arena *arena, beam_file_entry *entry,
                             bool *is_file, beam_error *err)
{
    struct stat st;
    *is_file = false;
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
    entry->path = beam_arena_strdup(arena, path);
    if (!entry->path)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory listing files");
    entry->size = st.st_size;
    entry->last_modified = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    *is_file = true;
    return BEAM_OK;
}

beam_status beam_fs_match(const char *pattern, beam_arena *arena, beam_file_entry **entries,
                          size_t *n, beam_error *err)
{
    *entries = NULL;
    *n = 0;
    const char *path = local(pattern, err);
    if (!path)
        return BEAM_UNIMPLEMENTED;
    glob_t found = {0};
    int rc = glob(path, GLOB_BRACE | GLOB_TILDE, NULL, &found);
    if (rc == GLOB_NOMATCH)
        return BEAM_OK;
    if (rc != 0)
        return beam_error_set(err, rc == GLOB_NOSPACE ? BEAM_RESOURCE_EXHAUSTED : BEAM_UNKNOWN,
                              "cannot list the files that match '%s'", pattern);
    beam_status status = BEAM_OK;
    *entries = beam_arena_calloc(arena, found.gl_pathc, sizeof **entries);
    if (!*entries)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory listing files");
    for (size_t i = 0; status == BEAM_OK && i < found.gl_pathc; i++) {
        bool is_file;
        status = add_entry(found.gl_pathv[i], arena, &(*entries)[*n], &is_file, err);
        *n += is_file;
    }
    globfree(&found);
    return status;
}

beam_status beam_fs_open(beam_str name, beam_file **out, beam_error *err)
{
    *out = NULL;
    beam_file *file = beam_calloc(1, sizeof *file + name.len + 1);
    if (!file)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening a file");
    memcpy(file->path, name.at, name.len);
    const char *path = local(file->path, err);
    if (!path) {
        beam_free(file);
        return BEAM_UNIMPLEMENTED;
    }
    struct stat st;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &st) != 0) {
        beam_status status = beam_error_set(err, beam_status_of_errno(errno), "cannot open %s: %s",
                                            path, strerror(errno));
        beam_fs_close(file);
        return status;
    }
    file->size = st.st_size;
    *out = file;
    return BEAM_OK;
}

void beam_fs_close(beam_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd); /* read only: nothing is lost */
    beam_free(file);
}

beam_status beam_fs_read(const beam_file *file, void *data, size_t size, int64_t offset,
                         size_t *got, beam_error *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(file->fd, (char *)data + *got, size - *got, offset + (int64_t)*got);
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

beam_status beam_fs_absolute(const char *path, char **absolute, beam_error *err)
{
    char here[PATH_MAX];
    *absolute = NULL;
    if (*path == '/' || strstr(path, "://"))
        *absolute = beam_strdup(path);
    else if (!getcwd(here, sizeof here))
        return beam_error_set(err, beam_status_of_errno(errno),
                              "cannot tell in which folder %s begins: %s", path, strerror(errno));
    else
        *absolute = beam_asprintf("%s/%s", here, path);
    return *absolute ? BEAM_OK
                     : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory for a path");
}

bool beam_fs_exists(const char *path)
{
    const char *name = local(path, NULL);
    return name && access(name, F_OK) == 0;
}

beam_status beam_fs_rename(const char *from, const char *to, beam_error *err)
{
    const char *source = local(from, err), *target = local(to, err);
    if (!source || !target)
        return BEAM_UNIMPLEMENTED;
    if (rename(source, target) != 0)
        return beam_error_set(err, beam_status_of_errno(errno), "cannot rename %s to %s: %s",
                              source, target, strerror(errno));
    return BEAM_OK;
}

beam_status beam_fs_make_folder(const char *path, beam_error *err)
{
    const char *name = local(path, err);
    return name ? beam_make_folders(name, err) : BEAM_UNIMPLEMENTED;
}

bool beam_fs_remove_empty(const char *path)
{
    const char *name = local(path, NULL);
    return name && rmdir(name) == 0;
}

beam_status beam_fs_remove_folder(const char *path, beam_error *err)
{
    const char *name = local(path, err);
    if (!name)
        return BEAM_UNIMPLEMENTED;
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
