/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* file.c - files as one piece of memory, and files that appear whole or not at all. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

beam_status beam_status_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return BEAM_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return BEAM_PERMISSION_DENIED;
    case EEXIST:
        return BEAM_ALREADY_EXISTS;
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
        return BEAM_RESOURCE_EXHAUSTED;
    case EISDIR:
    case EINVAL:
    case ENAMETOOLONG:
        return BEAM_INVALID_ARGUMENT;
    default:
        return BEAM_UNKNOWN;
    }
}

static beam_status failed(beam_error *err, const char *what, const char *path)
{
    int number = errno;
    return beam_error_set(err, beam_status_of_errno(number), "cannot %s %s: %s", what, path,
                          strerror(number));
}

/* What cannot be mapped is read to its end; size is only a first guess. */
static beam_status read_all(int fd, const char *path, size_t guess, beam_file_view *view,
                            beam_error *err)
{
    size_t capacity = guess + 1 > 65536 ? guess + 1 : 65536, size = 0;
    uint8_t *data = beam_malloc(capacity);
    while (data) {
        ssize_t n = read(fd, data + size, capacity - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            beam_status status = failed(err, "read", path);
            beam_free(data);
            return status;
        }
        if (n == 0) {
            *view = (beam_file_view){.data = data, .size = size};
            return BEAM_OK;
        }
        size += (size_t)n;
        if (size == capacity) {
            uint8_t *grown = capacity > SIZE_MAX / 2 ? NULL : beam_realloc(data, capacity * 2);
            if (!grown)
                beam_free(data);
            data = grown;
            capacity *= 2;
        }
    }
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to read %s", path);
}

beam_status beam_file_view_open(const char *path, beam_file_view *view, beam_error *err)
{
    *view = (beam_file_view){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "open", path);
    struct stat info;
    beam_status status = BEAM_OK;
    if (fstat(fd, &info) != 0) {
        status = failed(err, "open", path);
    } else if (S_ISDIR(info.st_mode)) {
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s is a folder, not a file", path);
    } else {
        size_t size = S_ISREG(info.st_mode) ? (size_t)info.st_size : 0;
        void *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
        if (data != MAP_FAILED)
            *view = (beam_file_view){.data = data, .size = size, .mapped = true};
        else
            status = read_all(fd, path, size, view, err);
    }
    (void)close(fd); /* opened for reading: nothing can be lost */
    return status;
}

void beam_file_view_close(beam_file_view *view)
{
    if (view->mapped)
        (void)munmap((void *)(uintptr_t)view->data, view->size);
    else
        beam_free((void *)(uintptr_t)view->data);
    *view = (beam_file_view){0};
}

/* Not mkstemp, whose files only their owner may read. */
static int create_beside(const char *path, char **temp)
{
    for (unsigned try = 0; try < 100; try++) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        beam_free(*temp);
        *temp = beam_asprintf("%s.%ld-%lx-%u.tmp", path, (long)getpid(), (long)now.tv_nsec, try);
        if (!*temp) {
            errno = ENOMEM;
            return -1;
        }
        int fd = open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* What is there already must be a file: commit puts another in its place, which would be the end of
 * a device or a pipe, and cannot be done to a folder, as had better be known before the work than
 * after. */
static beam_status check_place(const char *path, beam_error *err)
{
    struct stat there;
    if (!*path)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "the file to write has no name");
    if (stat(path, &there) != 0 || S_ISREG(there.st_mode))
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "cannot write %s: it is a %s; name a file",
                          path, S_ISDIR(there.st_mode) ? "folder" : "pipe or a device");
}

beam_status beam_new_file_open(const char *path, beam_new_file *file, beam_error *err)
{
    *file = (beam_new_file){.fd = -1};
    BEAM_TRY(check_place(path, err));
    file->path = beam_strdup(path);
    errno = ENOMEM;
    if (file->path)
        file->fd = create_beside(path, &file->temp);
    if (file->fd >= 0)
        return BEAM_OK;
    beam_status status = failed(err, "write", path);
    beam_free(file->path);
    beam_free(file->temp);
    *file = (beam_new_file){.fd = -1};
    return status;
}

beam_status beam_new_file_write(beam_new_file *file, const void *data, size_t size, beam_error *err)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t n = write(file->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(err, "write", file->path);
        at += n;
        size -= (size_t)n;
    }
    return BEAM_OK;
}

beam_status beam_close_synced(int fd, const char *path, beam_error *err)
{
    beam_status status = BEAM_OK;
    if (fsync(fd) != 0)
        status = failed(err, "write", path);
    if (close(fd) != 0 && status == BEAM_OK)
        status = failed(err, "write", path);
    return status;
}

/* Where a folder cannot be synced (some network file systems), the files are whole all the same. */
void beam_sync_folder_of(const char *path)
{
    char *folder = beam_strdup(path);
    if (!folder)
        return;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    beam_free(folder);
}

beam_status beam_new_file_commit(beam_new_file *file, beam_error *err)
{
    beam_status status = beam_close_synced(file->fd, file->path, err);
    file->fd = -1;
    if (status == BEAM_OK && rename(file->temp, file->path) != 0)
        status = failed(err, "write", file->path);
    if (status != BEAM_OK) {
        beam_new_file_abandon(file);
        return status;
    }
    beam_sync_folder_of(file->path);
    beam_free(file->temp);
    beam_free(file->path);
    *file = (beam_new_file){.fd = -1};
    return BEAM_OK;
}

void beam_new_file_abandon(beam_new_file *file)
{
    if (!file->temp)
        return;
    if (file->fd >= 0)
        (void)close(file->fd);
    (void)unlink(file->temp);
    beam_free(file->temp);
    beam_free(file->path);
    *file = (beam_new_file){.fd = -1};
}

beam_status beam_make_folders(const char *path, beam_error *err)
{
    char *copy = beam_strdup(path);
    if (!copy)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to make folder %s", path);
    beam_status status = BEAM_OK;
    for (char *at = copy + 1; status == BEAM_OK && *copy; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char was = *at;
        *at = '\0';
        struct stat info;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            status = failed(err, "make folder", copy);
        else if (stat(copy, &info) == 0 && !S_ISDIR(info.st_mode))
            status = beam_error_set(err, BEAM_ALREADY_EXISTS, "cannot make folder %s: it is a file",
                                    copy);
        *at = was;
        if (!was)
            break;
    }
    beam_free(copy);
    return status;
}

beam_status beam_make_folders_of(const char *path, beam_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return BEAM_OK;
    char *folder = beam_strndup(path, (size_t)(slash - path));
    beam_status status = folder ? beam_make_folders(folder, err)
                                : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                                                 "no memory for the folder of %s", path);
    beam_free(folder);
    return status;
}

static beam_status add_name(const char *name, beam_arena *arena, char ***names, size_t *n,
                            size_t *capacity)
{
    void *items = *names;
    if (beam_arena_grow(arena, &items, *n, capacity, sizeof **names) != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    *names = items;
    (*names)[*n] = beam_arena_strdup(arena, name);
    return (*names)[(*n)++] ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

beam_status beam_folder_names(const char *path, bool only_files, beam_arena *arena, char ***names,
                              size_t *n, beam_error *err)
{
    size_t capacity = 0;
    beam_status status = BEAM_OK;
    *names = NULL;
    *n = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? BEAM_OK : failed(err, "read folder", path);
    errno = 0; /* or the end would look as a failure does */
    for (struct dirent *e; status == BEAM_OK && (e = readdir(folder)); errno = 0)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !(only_files && e->d_type == DT_DIR))
            status = add_name(e->d_name, arena, names, n, &capacity);
    if (status != BEAM_OK)
        (void)beam_error_set(err, status, "no memory to read folder %s", path);
    else if (errno)
        status = failed(err, "read folder", path);
    (void)closedir(folder); /* was only read */
    return status;
}
