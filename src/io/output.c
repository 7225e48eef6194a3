/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* output.c - writing: plain, gzip and zstd, through one buffer. */
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "io/stream.h"

enum { BUFFER_SIZE = 1 << 20 };

struct beam_output_file {
    beam_writer *writer;
    beam_compression compression;
    unsigned char *buffer; /* what goes to the file next */
    size_t used;
    z_stream zlib;
    bool zlib_open;
    ZSTD_CStream *zstd;
    char path[];
};

const char *beam_output_path(const beam_output_file *file)
{
    return file->path;
}

static void release(beam_output_file *f)
{
    beam_writer_abandon(f->writer); /* NULL once beam_output_close has ended it */
    if (f->zlib_open)
        deflateEnd(&f->zlib);
    ZSTD_freeCStream(f->zstd);
    beam_free(f->buffer);
    beam_free(f);
}

void beam_output_abandon(beam_output_file *f)
{
    if (f)
        release(f);
}

static beam_status open_encoder(beam_output_file *f)
{
    if (f->compression == BEAM_COMPRESSION_GZIP) {
        f->zlib_open = deflateInit2(&f->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                                    Z_DEFAULT_STRATEGY) == Z_OK;
        return f->zlib_open ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    }
    if (f->compression == BEAM_COMPRESSION_ZSTD)
        f->zstd = ZSTD_createCStream();
    return f->compression != BEAM_COMPRESSION_ZSTD || f->zstd ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

beam_status beam_output_open(const char *path, beam_compression compression, beam_output_file **out,
                             beam_error *err)
{
    *out = NULL;
    size_t len = strlen(path);
    beam_output_file *f = beam_calloc(1, sizeof *f + len + 1);
    if (!f)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening %s", path);
    memcpy(f->path, path, len);
    f->compression = compression;
    beam_status status = beam_fs_create(path, true, &f->writer, err);
    if (status != BEAM_OK) {
        release(f);
        return status;
    }
    f->buffer = beam_malloc(BUFFER_SIZE);
    if (!f->buffer || open_encoder(f) != BEAM_OK) {
        beam_output_abandon(f);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening %s", path);
    }
    *out = f;
    return BEAM_OK;
}

static beam_status flush(beam_output_file *f, beam_error *err)
{
    size_t used = f->used;
    f->used = 0;
    return beam_writer_write(f->writer, f->buffer, used, err);
}

static beam_status write_plain(beam_output_file *f, const void *data, size_t size, beam_error *err)
{
    if (size > BUFFER_SIZE - f->used) {
        BEAM_TRY(flush(f, err));
        if (size >= BUFFER_SIZE)
            return beam_writer_write(f->writer, data, size, err);
    }
    memcpy(f->buffer + f->used, data, size);
    f->used += size;
    return BEAM_OK;
}

static beam_status write_gzip(beam_output_file *f, const void *data, size_t size, int mode,
                              beam_error *err)
{
    const unsigned char *at = data;
    for (;;) {
        uInt part = size > 1 << 30 ? 1 << 30 : (uInt)size;
        if (f->used == BUFFER_SIZE)
            BEAM_TRY(flush(f, err));
        f->zlib.next_in = (unsigned char *)(uintptr_t)at;
        f->zlib.avail_in = part;
        f->zlib.next_out = f->buffer + f->used;
        f->zlib.avail_out = (uInt)(BUFFER_SIZE - f->used);
        int rc = deflate(&f->zlib, mode);
        f->used = BUFFER_SIZE - f->zlib.avail_out;
        at += part - f->zlib.avail_in;
        size -= part - f->zlib.avail_in;
        if (rc == Z_STREAM_END || (mode == Z_NO_FLUSH && size == 0))
            return BEAM_OK;
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return beam_error_set(err, BEAM_INTERNAL, "cannot compress %s: zlib error %d", f->path,
                                  rc);
    }
}

static beam_status write_zstd(beam_output_file *f, const void *data, size_t size,
                              ZSTD_EndDirective mode, beam_error *err)
{
    ZSTD_inBuffer in = {data, size, 0};
    for (;;) {
        if (f->used == BUFFER_SIZE)
            BEAM_TRY(flush(f, err));
        ZSTD_outBuffer out = {f->buffer, BUFFER_SIZE, f->used};
        size_t left = ZSTD_compressStream2(f->zstd, &out, &in, mode);
        f->used = out.pos;
        if (ZSTD_isError(left))
            return beam_error_set(err, BEAM_INTERNAL, "cannot compress %s: %s", f->path,
                                  ZSTD_getErrorName(left));
        if (mode == ZSTD_e_end ? left == 0 : in.pos == in.size)
            return BEAM_OK;
    }
}

beam_status beam_output_write(beam_output_file *f, const void *data, size_t size, beam_error *err)
{
    if (size == 0)
        return BEAM_OK;
    if (f->compression == BEAM_COMPRESSION_GZIP)
        return write_gzip(f, data, size, Z_NO_FLUSH, err);
    if (f->compression == BEAM_COMPRESSION_ZSTD)
        return write_zstd(f, data, size, ZSTD_e_continue, err);
    return write_plain(f, data, size, err);
}

beam_status beam_output_close(beam_output_file *f, beam_error *err)
{
    beam_status status = BEAM_OK;
    if (f->compression == BEAM_COMPRESSION_GZIP)
        status = write_gzip(f, "", 0, Z_FINISH, err);
    else if (f->compression == BEAM_COMPRESSION_ZSTD)
        status = write_zstd(f, NULL, 0, ZSTD_e_end, err);
    if (status == BEAM_OK)
        status = flush(f, err);
    if (status == BEAM_OK) {
        status = beam_writer_commit(f->writer, err);
        f->writer = NULL;
    }
    release(f);
    return status;
}
