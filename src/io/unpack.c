/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* unpack.c - tar (POSIX ustar, as far as plain files go) through zlib's gzip reader. */
#include "io/unpack.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/file.h"

enum {
    BLOCK = 512,
    CHUNK = 256 * BLOCK,
    NAME_SIZE = 100,
    SIZE_AT = 124,
    SIZE_SIZE = 12,
    TYPE_AT = 156
};

typedef struct unpacking {
    gzFile in;
    const char *archive, *folder;
    const char *const *members;
    bool *found; /* of each member */
    size_t count, max_size;
    uint8_t *chunk;
    beam_error *err;
} unpacking;

static beam_status damaged(const unpacking *u, const char *why)
{
    return beam_error_set(u->err, BEAM_DATA_LOSS, "%s: damaged archive: %s", u->archive, why);
}

static beam_status take(const unpacking *u, void *to, size_t size)
{
    int n = gzread(u->in, to, (unsigned)size);
    return n >= 0 && (size_t)n == size ? BEAM_OK : damaged(u, "it ends too early or is no gzip");
}

/* An octal number, padded with spaces and NULs. */
static bool octal(const uint8_t *field, size_t size, uint64_t *n)
{
    *n = 0;
    bool any = false;
    for (size_t i = 0; i < size && field[i] != 0 && (field[i] != ' ' || !any); i++) {
        if (field[i] == ' ')
            continue;
        if (field[i] < '0' || field[i] > '7' || *n >> 60)
            return false;
        *n = *n * 8 + (uint64_t)(field[i] - '0');
        any = true;
    }
    return any;
}

/* Reads a member's bytes, in whole blocks, and writes them to `file` unless that is NULL. */
static beam_status copy(const unpacking *u, uint64_t size, beam_new_file *file)
{
    while (size) {
        size_t now = size < CHUNK ? (size_t)size : CHUNK;
        BEAM_TRY(take(u, u->chunk, (now + BLOCK - 1) / BLOCK * BLOCK));
        if (file)
            BEAM_TRY(beam_new_file_write(file, u->chunk, now, u->err));
        size -= now;
    }
    return BEAM_OK;
}

static beam_status extract(const unpacking *u, const char *member, uint64_t size)
{
    if (size > u->max_size)
        return damaged(u, "a member is larger than it may be");
    char *path = beam_asprintf("%s/%s", u->folder, member);
    if (!path)
        return beam_error_set(u->err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to unpack it",
                              u->archive);
    beam_new_file file = {.fd = -1};
    beam_status status = beam_make_folders_of(path, u->err);
    if (status == BEAM_OK)
        status = beam_new_file_open(path, &file, u->err);
    if (status == BEAM_OK)
        status = copy(u, size, &file);
    if (status == BEAM_OK)
        status = beam_new_file_commit(&file, u->err);
    beam_new_file_abandon(&file);
    beam_free(path);
    return status;
}

static beam_status unpack(const unpacking *u)
{
    uint8_t header[BLOCK];
    size_t found = 0;
    while (found < u->count) {
        BEAM_TRY(take(u, header, sizeof header));
        if (header[0] == 0)
            break; /* the archive's end */
        uint64_t size;
        if (!octal(header + SIZE_AT, SIZE_SIZE, &size))
            return damaged(u, "a member has no size");
        bool plain = header[TYPE_AT] == '0' || header[TYPE_AT] == 0;
        size_t wanted = u->count;
        for (size_t i = 0; plain && i < u->count; i++)
            if (strncmp((const char *)header, u->members[i], NAME_SIZE) == 0)
                wanted = i;
        if (wanted < u->count) {
            if (u->found[wanted])
                return beam_error_set(u->err, BEAM_DATA_LOSS,
                                      "%s: damaged archive: it has %s twice", u->archive,
                                      u->members[wanted]);
            BEAM_TRY(extract(u, u->members[wanted], size));
            u->found[wanted] = true;
            found++;
        } else {
            BEAM_TRY(copy(u, size, NULL));
        }
    }
    if (found < u->count)
        return beam_error_set(u->err, BEAM_NOT_FOUND, "%s lacks files: it has %zu of %zu",
                              u->archive, found, u->count);
    return BEAM_OK;
}

beam_status beam_unpack_tar_gz(const char *archive, const char *folder, const char *const *members,
                               size_t count, size_t max_size, beam_error *err)
{
    unpacking u = {
        .archive = archive,
        .folder = folder,
        .members = members,
        .count = count,
        .max_size = max_size,
        .err = err,
    };
    u.in = gzopen(archive, "rb");
    if (!u.in)
        return beam_error_set(err, BEAM_NOT_FOUND, "cannot open %s", archive);
    u.chunk = beam_malloc(CHUNK);
    u.found = beam_calloc(count, sizeof *u.found);
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    if (u.chunk && u.found)
        status = unpack(&u);
    else
        (void)beam_error_set(err, status, "%s: no memory to unpack it", archive);
    (void)gzclose_r(u.in); /* only read */
    beam_free(u.chunk);
    beam_free(u.found);
    return status;
}
