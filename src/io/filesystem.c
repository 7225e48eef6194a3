/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* filesystem.c - which file system a path is of. */
#include "io/filesystem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/gs.h"

const beam_fs_driver *beam_fs_driver_of(const char **path, beam_error *err)
{
    const char *scheme = strstr(*path, "://");
    if (!scheme)
        return &beam_local_driver;
    if (strncmp(*path, "gs://", 5) == 0)
        return &beam_gs_driver;
    if (strncmp(*path, "file://", 7) == 0) {
        *path += 7;
        return &beam_local_driver;
    }
    beam_error_set(err, BEAM_UNIMPLEMENTED,
                   "'%s': this build reads and writes local files and gs:// only, not '%.*s://'; "
                   "copy the files to one of these first",
                   *path, (int)(scheme - *path), *path);
    return NULL;
}

bool beam_fs_is_local(const char *path)
{
    return beam_fs_driver_of(&path, NULL) == &beam_local_driver;
}

beam_status beam_fs_list(const char *folder, beam_arena *arena, char ***names, size_t *n,
                         beam_error *err)
{
    *names = NULL;
    *n = 0;
    const beam_fs_driver *driver = beam_fs_driver_of(&folder, err);
    return driver ? driver->list(folder, arena, names, n, err) : BEAM_UNIMPLEMENTED;
}

const int *beam_fs_stop(const int *stop)
{
    const int *before = beam_gs_stop;
    beam_gs_stop = stop;
    return before;
}

/* ---- Reading --------------------------------------------------------------------------------- */

beam_status beam_fs_open(beam_str name, beam_file **file, beam_error *err)
{
    *file = NULL;
    char *copy = beam_strndup(name.at, name.len);
    if (!copy)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening a file");
    const char *path = copy;
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    beam_status status = driver ? driver->open(path, file, err) : BEAM_UNIMPLEMENTED;
    beam_free(copy);
    return status;
}

void beam_fs_close(beam_file *file)
{
    if (file)
        file->driver->close(file);
}

int64_t beam_fs_size(const beam_file *file)
{
    return file->size;
}

const char *beam_fs_path(const beam_file *file)
{
    return file->path;
}

bool beam_fs_is_same(const beam_file *file, int64_t size, int64_t last_modified)
{
    if (!file->last_modified)
        return file->size >= size;
    return file->size == size && file->last_modified == last_modified;
}

beam_status beam_fs_read(beam_file *file, void *data, size_t size, int64_t offset, size_t *got,
                         beam_error *err)
{
    return file->driver->read(file, data, size, offset, got, err);
}

beam_status beam_fs_view(const char *path, beam_file_view *view, beam_error *err)
{
    *view = (beam_file_view){0};
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    return driver ? driver->view(path, view, err) : BEAM_UNIMPLEMENTED;
}

/* ---- Writing --------------------------------------------------------------------------------- */

beam_status beam_fs_create(const char *path, bool temporary, beam_writer **writer, beam_error *err)
{
    *writer = NULL;
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    return driver ? driver->create(path, temporary, writer, err) : BEAM_UNIMPLEMENTED;
}

beam_status beam_writer_write(beam_writer *writer, const void *data, size_t size, beam_error *err)
{
    return writer->driver->write(writer, data, size, err);
}

beam_status beam_writer_commit(beam_writer *writer, beam_error *err)
{
    return writer->driver->commit(writer, err);
}

void beam_writer_abandon(beam_writer *writer)
{
    if (writer)
        writer->driver->abandon(writer);
}

beam_status beam_fs_write(const char *path, const void *data, size_t size, beam_error *err)
{
    beam_writer *writer;
    BEAM_TRY(beam_fs_create(path, false, &writer, err));
    beam_status status = beam_writer_write(writer, data, size, err);
    if (status == BEAM_OK)
        return beam_writer_commit(writer, err);
    beam_writer_abandon(writer);
    return status;
}

beam_status beam_fs_copy_local(const char *file, const char *path, beam_error *err)
{
    beam_file_view view;
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    if (!driver)
        return BEAM_UNIMPLEMENTED;
    if (driver == &beam_gs_driver)
        return beam_gs_upload(file, path, err);
    BEAM_TRY(beam_file_view_open(file, &view, err));
    beam_status status = beam_fs_write(path, view.data, view.size, err);
    beam_file_view_close(&view);
    return status;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* In front of what is relative: this process's folder, in which each character of `quoted` gets a
 * backslash. */
static beam_status absolute_of(const char *path, const char *quoted, char **absolute,
                               beam_error *err)
{
    char here[PATH_MAX], prefix[2 * PATH_MAX] = "";
    *absolute = NULL;
    if (*path != '/' && !strstr(path, "://")) {
        if (!getcwd(here, sizeof here))
            return beam_error_set(err, beam_status_of_errno(errno),
                                  "cannot tell in which folder %s begins: %s", path,
                                  strerror(errno));
        char *to = prefix;
        for (const char *at = here; *at; *to++ = *at++)
            if (strchr(quoted, *at))
                *to++ = '\\';
        memcpy(to, "/", 2);
    }
    *absolute = beam_asprintf("%s%s", prefix, path);
    return *absolute ? BEAM_OK
                     : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory for a path");
}

beam_status beam_fs_absolute(const char *path, char **absolute, beam_error *err)
{
    return absolute_of(path, "", absolute, err);
}

beam_status beam_fs_absolute_pattern(const char *pattern, char **absolute, beam_error *err)
{
    return absolute_of(pattern, "*?[]{},\\", absolute, err);
}

/* Goes from the folder `at` into `name`; false when that makes too long a path.  What is not there
 * yet is no link. */
static bool enter(char at[PATH_MAX], const char *name, size_t n)
{
    char there[PATH_MAX];
    size_t len = strlen(at);
    if (n == 0 || (n == 1 && name[0] == '.'))
        return true;
    if (n == 2 && memcmp(name, "..", 2) == 0) {
        if (len)
            *strrchr(at, '/') = '\0';
        return true;
    }
    if (len + 1 + n >= PATH_MAX)
        return false;
    at[len++] = '/';
    memcpy(at + len, name, n);
    at[len + n] = '\0';
    if (realpath(at, there))
        memcpy(at, there, strlen(there) + 1);
    return true;
}

/* Folder by folder: what ".." means depends on where a link before it leads to. */
beam_status beam_fs_canonical(const char *path, char **canonical, beam_error *err)
{
    char folder[PATH_MAX] = "";
    const char *name = path;
    *canonical = NULL;
    if (beam_fs_driver_of(&name, NULL) == &beam_local_driver) {
        for (const char *slash; (slash = strchr(name, '/')); name = slash + 1)
            if (!enter(folder, name, (size_t)(slash - name)))
                return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s is too long a path", path);
        name--; /* the slash before the name */
    }
    *canonical = beam_asprintf("%s%s", folder, name);
    return *canonical ? BEAM_OK
                      : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory for a path");
}

beam_status beam_fs_exists(const char *path, bool *exists, beam_error *err)
{
    *exists = false;
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    return driver ? driver->exists(path, exists, err) : BEAM_UNIMPLEMENTED;
}

beam_status beam_fs_rename(const char *from, const char *to, beam_error *err)
{
    const beam_fs_driver *source = beam_fs_driver_of(&from, err),
                         *target = beam_fs_driver_of(&to, err);
    if (!source || !target)
        return BEAM_UNIMPLEMENTED;
    if (source != target)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s cannot be renamed to %s, which lies elsewhere", from, to);
    return source->rename(from, to, err);
}

void beam_fs_settle(const char *path)
{
    if (beam_fs_driver_of(&path, NULL) == &beam_local_driver)
        beam_sync_folder_of(path);
}

beam_status beam_fs_remove(const char *path, beam_error *err)
{
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    return driver ? driver->remove(path, err) : BEAM_UNIMPLEMENTED;
}

beam_status beam_fs_make_folder(const char *path, beam_error *err)
{
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    return driver ? driver->make_folder(path, err) : BEAM_UNIMPLEMENTED;
}

/* Cloud Storage has no folders to make. */
beam_status beam_fs_make_folder_of(const char *path, beam_error *err)
{
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    if (!driver)
        return BEAM_UNIMPLEMENTED;
    return driver == &beam_local_driver ? beam_make_folders_of(path, err) : BEAM_OK;
}

bool beam_fs_remove_empty(const char *path)
{
    const beam_fs_driver *driver = beam_fs_driver_of(&path, NULL);
    return driver && driver->remove_empty(path);
}

beam_status beam_fs_remove_folder(const char *path, beam_error *err)
{
    const beam_fs_driver *driver = beam_fs_driver_of(&path, err);
    return driver ? driver->remove_folder(path, err) : BEAM_UNIMPLEMENTED;
}
