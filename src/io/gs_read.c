/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_read.c - an object read: in ranges, several at once; ahead, where it is read from front to
 * back.  All reads are of the generation that was there when it was opened. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "io/gs.h"

enum { PARALLEL = 4, FIRST_WINDOW = 256 << 10, VIEW_TRIES = 3 };

typedef struct gs_file {
    beam_file head;
    beam_gs_place place;
    beam_gs_object object;
    beam_buffer address; /* of the bytes */
    uint8_t *window;     /* bytes read ahead */
    size_t window_len, capacity;
    int64_t window_at;
    int64_t summed; /* the bytes from 0 to here were read in order, */
    uint32_t crc;   /* and have this CRC */
    char path[];
} gs_file;

/* ---- Ranges ---------------------------------------------------------------------------------- */

static beam_status fetch_range(const gs_file *f, void *data, size_t size, int64_t offset,
                               beam_error *err)
{
    char range[64];
    (void)snprintf(range, sizeof range, "Range: bytes=%" PRId64 "-%" PRId64, offset,
                   offset + (int64_t)size - 1);
    const beam_gs_call call = {.method = "GET",
                               .place = &f->place,
                               .doing = "read",
                               .path = (const char *)f->address.data,
                               /* gzip: or a compressed object would come decompressed */
                               .headers = {range, "Accept-Encoding: gzip"},
                               .into = data,
                               .into_size = size};
    return beam_gs_perform(&call, NULL, err);
}

typedef struct lane {
    const gs_file *file;
    uint8_t *data;
    size_t size;
    int64_t offset;
    pthread_t thread;
    bool started;
    beam_status status;
    beam_error err;
} lane;

static void *run_lane(void *arg)
{
    lane *l = arg;
    const size_t step = beam_gs_settings_now.range;
    for (size_t at = 0; at < l->size && l->status == BEAM_OK; at += step) {
        size_t size = l->size - at < step ? l->size - at : step;
        l->status = fetch_range(l->file, l->data + at, size, l->offset + (int64_t)at, &l->err);
    }
    return NULL;
}

/* Exactly `size` bytes, which the object has. */
static beam_status fetch(const gs_file *f, void *data, size_t size, int64_t offset, beam_error *err)
{
    lane lanes[PARALLEL] = {0};
    const size_t step = beam_gs_settings_now.range, ranges = (size + step - 1) / step;
    const size_t share = (ranges + PARALLEL - 1) / PARALLEL * step;
    beam_status status = BEAM_OK;
    size_t n = 0;
    for (size_t at = 0; at < size; at += share, n++) {
        lanes[n] = (lane){.file = f,
                          .data = (uint8_t *)data + at,
                          .size = size - at < share ? size - at : share,
                          .offset = offset + (int64_t)at};
        lanes[n].started =
            at + share < size && pthread_create(&lanes[n].thread, NULL, run_lane, &lanes[n]) == 0;
        if (!lanes[n].started) /* the last one, and where there is no thread to be had */
            (void)run_lane(&lanes[n]);
    }
    for (size_t i = 0; i < n; i++) {
        if (lanes[i].started)
            pthread_join(lanes[i].thread, NULL);
        if (status == BEAM_OK && lanes[i].status != BEAM_OK)
            status = beam_error_set(err, lanes[i].status, "%s", lanes[i].err.message);
    }
    return status;
}

/* ---- Files ----------------------------------------------------------------------------------- */

void beam_gs_close_file(beam_file *file)
{
    gs_file *f = (gs_file *)file;
    beam_buffer_free(&f->address);
    beam_free(f->window);
    beam_free(f);
}

beam_status beam_gs_open(const char *path, beam_file **out, beam_error *err)
{
    size_t len = strlen(path) + 1;
    gs_file *f = beam_calloc(1, sizeof *f + len);
    if (!f)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to open %s", path);
    memcpy(f->path, path, len);
    beam_status status = beam_gs_parse_path(beam_str_of(path), &f->place, err);
    if (status == BEAM_OK)
        status = beam_gs_stat(&f->place, &f->object, err);
    f->head = (beam_file){&beam_gs_driver, f->object.size, f->object.updated, f->path};
    if (status == BEAM_OK &&
        (beam_gs_address(&f->address, "/storage/v1", &f->place, true) != BEAM_OK ||
         beam_buffer_printf(&f->address, "?alt=media&generation=%" PRId64, f->object.generation) !=
             BEAM_OK ||
         beam_buffer_u8(&f->address, '\0') != BEAM_OK))
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to open %s", path);
    if (status == BEAM_OK)
        *out = &f->head;
    else
        beam_gs_close_file(&f->head);
    return status;
}

/* The window at `offset`.  It grows with each that follows the one before, so that whoever looks at
 * one place gets little, and whoever reads all gets it fast. */
static beam_status fill_window(gs_file *f, int64_t offset, beam_error *err)
{
    const size_t most = PARALLEL * beam_gs_settings_now.range;
    bool follows = f->window_len && offset == f->window_at + (int64_t)f->window_len;
    size_t size = follows && f->window_len < most / 4 ? f->window_len * 4
                  : follows                           ? most
                                                      : (size_t)FIRST_WINDOW;
    if ((int64_t)size > f->head.size - offset)
        size = (size_t)(f->head.size - offset);
    f->window_len = 0;
    if (size > f->capacity) {
        beam_free(f->window);
        f->window = beam_malloc(size);
        f->capacity = f->window ? size : 0;
        if (!f->window)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to read %s", f->path);
    }
    BEAM_TRY(fetch(f, f->window, size, offset, err));
    f->window_at = offset;
    f->window_len = size;
    return BEAM_OK;
}

static beam_status damaged(const gs_file *f, uint32_t crc, beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS,
                          "%s: what came is damaged: its CRC-32C is %08x, but should be %08x",
                          f->path, crc, f->object.crc32c);
}

static beam_status add_up(gs_file *f, const void *data, size_t size, int64_t offset,
                          beam_error *err)
{
    if (offset != f->summed)
        return BEAM_OK;
    f->crc = beam_crc32c(f->crc, data, size);
    f->summed += (int64_t)size;
    return f->summed < f->head.size || !f->object.has_crc32c || f->crc == f->object.crc32c
               ? BEAM_OK
               : damaged(f, f->crc, err);
}

beam_status beam_gs_read(beam_file *file, void *data, size_t size, int64_t offset, size_t *got,
                         beam_error *err)
{
    gs_file *f = (gs_file *)file;
    *got = 0;
    while (*got < size && offset < file->size) {
        if (offset < f->window_at || offset >= f->window_at + (int64_t)f->window_len)
            BEAM_TRY(fill_window(f, offset, err));
        size_t skip = (size_t)(offset - f->window_at), n = f->window_len - skip;
        if (n > size - *got)
            n = size - *got;
        memcpy((uint8_t *)data + *got, f->window + skip, n);
        BEAM_TRY(add_up(f, f->window + skip, n, offset, err));
        *got += n;
        offset += (int64_t)n;
    }
    return BEAM_OK;
}

/* Damage on the way is rare, and may not come twice. */
static beam_status fetch_whole(const gs_file *f, uint8_t *data, beam_error *err)
{
    beam_status status = BEAM_OK;
    for (int n = 0; n < VIEW_TRIES; n++) {
        BEAM_TRY(fetch(f, data, (size_t)f->head.size, 0, err));
        uint32_t crc = beam_crc32c(0, data, (size_t)f->head.size);
        if (!f->object.has_crc32c || crc == f->object.crc32c)
            return BEAM_OK;
        status = damaged(f, crc, err);
    }
    return status;
}

beam_status beam_gs_view(const char *path, beam_file_view *view, beam_error *err)
{
    enum { ALIGNMENT = 64 };
    beam_file *file;
    BEAM_TRY(beam_gs_open(path, &file, err));
    uint8_t *data = (uint64_t)file->size < SIZE_MAX / 2
                        ? beam_aligned_alloc(ALIGNMENT, (size_t)file->size + !file->size)
                        : NULL;
    beam_status status =
        data ? fetch_whole((gs_file *)file, data, err)
             : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "no memory to read %s, %" PRId64 " bytes", path, file->size);
    if (status == BEAM_OK)
        *view = (beam_file_view){.data = data, .size = (size_t)file->size};
    else
        beam_free(data);
    beam_gs_close_file(file);
    return status;
}
