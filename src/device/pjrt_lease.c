/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_lease.c - the lock file of an accelerator. */
#include "device/pjrt_lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

/* Another user's file is opened as it is: the kernel refuses O_CREAT on it in a shared folder.  Nor
 * is a link of theirs followed: what it leads to would be signed, and so lost. */
static int open_lock(const char *path)
{
    const int flags = O_CLOEXEC | O_NOFOLLOW;
    int fd = open(path, O_RDWR | flags);
    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDWR | O_CREAT | flags, 0666);
    if (fd < 0 && errno == EACCES)
        fd = open(path, O_RDONLY | flags); /* enough to lock, not to sign */
    return fd;
}

/* "process 1234 (build/bin/train)", as its holder wrote it. */
static void read_holder(int fd, char *holder, size_t size)
{
    ssize_t got = pread(fd, holder, size - 1, 0);
    holder[got > 0 ? got : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    if (!*holder)
        (void)snprintf(holder, size, "another process");
}

/* Who holds a lease is for people: one that cannot be signed is a lease all the same. */
static void sign(int fd)
{
    char text[256], program[160] = "?";
    FILE *comm = fopen("/proc/self/cmdline", "re");
    if (comm) {
        size_t got = fread(program, 1, sizeof program - 1, comm);
        program[got] = '\0'; /* up to the first NUL: the program's name */
        (void)fclose(comm);
    }
    int length = snprintf(text, sizeof text, "process %ld (%s)\n", (long)getpid(), program);
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) != length)
        (void)ftruncate(fd, 0);
}

beam_status beam_pjrt_lease_take(const char *kind, int *lease, beam_error *err)
{
    char path[512];
    const char *folder = getenv("BEAM_LOCK_DIR");
    int length = snprintf(path, sizeof path, "%s/libbeam-%s.lock",
                          folder && *folder ? folder : "/tmp", kind);
    if (length < 0 || (size_t)length >= sizeof path)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "BEAM_LOCK_DIR is too long a path");
    int fd = open_lock(path);
    if (fd < 0)
        return beam_error_set(err, beam_status_of_errno(errno),
                              "accelerator %s: cannot open its lock file %s: %s", kind, path,
                              strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char holder[256];
        read_holder(fd, holder, sizeof holder);
        (void)close(fd);
        return beam_error_set(err, BEAM_UNAVAILABLE,
                              "accelerator %s is in use by %s, which holds the lock on %s; one "
                              "process a machine owns an accelerator: wait for it or end it",
                              kind, holder, path);
    }
    sign(fd);
    *lease = fd;
    return BEAM_OK;
}

void beam_pjrt_lease_end(int lease)
{
    if (lease < 0)
        return;
    (void)ftruncate(lease, 0);
    (void)flock(lease, LOCK_UN); /* a child that was forked meanwhile has the file open too */
    (void)close(lease);
}
