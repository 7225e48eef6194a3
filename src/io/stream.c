/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stream.c - reading: plain, gzip (any number of members) and zstd (any number of frames). */
#include "io/stream.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"

enum {
    INPUT_SIZE = 256 << 10,
    WINDOW_LOG = 27 /* of zstd frames, what the program zstd takes unless told: a file's first bytes
                       must not decide to take any more memory */
};

struct beam_stream {
    beam_file *file;
    beam_compression compression;
    int64_t offset; /* of the next byte to read from the file */
    unsigned char *input;
    size_t input_at, input_len;
    bool ended;           /* the input is the file's last */
    bool in_frame;        /* within a gzip member or zstd frame: the file must not end here */
    bool has_read_member; /* a whole one, of gzip: zeros may follow it */
    z_stream zlib;
    bool zlib_open;
    ZSTD_DStream *zstd;
};

static bool ends_with(beam_str text, const char *end)
{
    size_t n = strlen(end);
    return text.len >= n && memcmp(text.at + text.len - n, end, n) == 0;
}

beam_compression beam_compression_of(beam_compression wanted, beam_str path)
{
    if (wanted != BEAM_COMPRESSION_AUTO)
        return wanted;
    if (ends_with(path, ".gz"))
        return BEAM_COMPRESSION_GZIP;
    return ends_with(path, ".zst") ? BEAM_COMPRESSION_ZSTD : BEAM_COMPRESSION_NONE;
}

static beam_status open_decoder(beam_stream *s)
{
    if (s->compression == BEAM_COMPRESSION_GZIP) {
        s->zlib_open = inflateInit2(&s->zlib, 15 + 16) == Z_OK; /* 16: gzip's header */
        return s->zlib_open ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    }
    if (s->compression == BEAM_COMPRESSION_ZSTD) {
        s->zstd = ZSTD_createDStream();
        if (!s->zstd ||
            ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, WINDOW_LOG)))
            return BEAM_RESOURCE_EXHAUSTED;
    }
    return BEAM_OK;
}

beam_status beam_stream_open(beam_str path, beam_compression compression, beam_stream **out,
                             beam_error *err)
{
    *out = NULL;
    beam_stream *s = beam_calloc(1, sizeof *s);
    if (!s)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory opening a file");
    s->compression = beam_compression_of(compression, path);
    beam_status status = beam_fs_open(path, &s->file, err);
    if (status == BEAM_OK) {
        s->input = beam_malloc(INPUT_SIZE);
        status = s->input ? open_decoder(s) : BEAM_RESOURCE_EXHAUSTED;
        if (status != BEAM_OK)
            beam_error_set(err, status, "out of memory opening %s", beam_fs_path(s->file));
    }
    if (status != BEAM_OK) {
        beam_stream_close(s);
        return status;
    }
    *out = s;
    return BEAM_OK;
}

void beam_stream_close(beam_stream *s)
{
    if (!s)
        return;
    beam_fs_close(s->file);
    beam_free(s->input);
    if (s->zlib_open)
        inflateEnd(&s->zlib);
    ZSTD_freeDStream(s->zstd);
    beam_free(s);
}

static beam_status refill(beam_stream *s, beam_error *err)
{
    if (s->input_at < s->input_len)
        return BEAM_OK;
    s->input_at = s->input_len = 0;
    if (s->ended) /* a folder's files are small: no asking again for each of them */
        return BEAM_OK;
    BEAM_TRY(beam_fs_read(s->file, s->input, INPUT_SIZE, s->offset, &s->input_len, err));
    s->ended = s->input_len < INPUT_SIZE;
    s->offset += (int64_t)s->input_len;
    return BEAM_OK;
}

static beam_status damaged(const beam_stream *s, const char *why, beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS, "%s is damaged before byte %lld: %s",
                          beam_fs_path(s->file), (long long)s->offset, why);
}

static beam_status no_memory(const beam_stream *s, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory reading %s",
                          beam_fs_path(s->file));
}

/* Behind a member there may be zeros, up to a tape's or disk's block, before the next or the end:
 * gzip and Python pass them over, too. */
static bool ends_in_padding(beam_stream *s)
{
    while (s->has_read_member && s->input_at < s->input_len && s->input[s->input_at] == 0)
        s->input_at++;
    return s->input_at == s->input_len;
}

/* Some bytes of output; *got == 0 only when the input at hand gave none. */
static beam_status inflate_some(beam_stream *s, void *data, size_t size, size_t *got,
                                beam_error *err)
{
    if (!s->in_frame && ends_in_padding(s))
        return BEAM_OK;
    if (!s->in_frame && inflateReset(&s->zlib) != Z_OK)
        return damaged(s, "it cannot be read as gzip", err);
    s->in_frame = true;
    s->zlib.next_in = s->input + s->input_at;
    s->zlib.avail_in = (uInt)(s->input_len - s->input_at);
    s->zlib.next_out = data;
    s->zlib.avail_out = size > 1 << 30 ? 1 << 30 : (uInt)size;
    uInt room = s->zlib.avail_out;
    int rc = inflate(&s->zlib, Z_NO_FLUSH);
    s->input_at = s->input_len - s->zlib.avail_in;
    *got = room - s->zlib.avail_out;
    if (rc == Z_STREAM_END) {
        s->in_frame = false;
        s->has_read_member = true;
    } else if (rc == Z_MEM_ERROR) {
        return no_memory(s, err);
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
        return damaged(s, s->zlib.msg ? s->zlib.msg : "it is no gzip file", err);
    }
    return BEAM_OK;
}

static beam_status unzstd_some(beam_stream *s, void *data, size_t size, size_t *got,
                               beam_error *err)
{
    ZSTD_inBuffer in = {s->input, s->input_len, s->input_at};
    ZSTD_outBuffer out = {data, size, 0};
    size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
        return no_memory(s, err);
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "%s needs a window of more than %d MiB to be read: compress it again "
                              "without zstd's --long=28 and above",
                              beam_fs_path(s->file), 1 << (WINDOW_LOG - 20));
    if (ZSTD_isError(rc))
        return damaged(s, ZSTD_getErrorName(rc), err);
    s->input_at = in.pos;
    s->in_frame = rc != 0;
    *got = out.pos;
    return BEAM_OK;
}

static beam_status copy_some(beam_stream *s, void *data, size_t size, size_t *got)
{
    size_t n = s->input_len - s->input_at;
    *got = n < size ? n : size;
    memcpy(data, s->input + s->input_at, *got);
    s->input_at += *got;
    return BEAM_OK;
}

beam_status beam_stream_read(beam_stream *s, void *data, size_t size, size_t *total,
                             beam_error *err)
{
    *total = 0;
    while (*total < size) {
        BEAM_TRY(refill(s, err));
        bool at_end = s->input_len == 0;
        if (at_end && !s->in_frame)
            break;
        size_t got = 0;
        char *to = (char *)data + *total;
        if (s->compression == BEAM_COMPRESSION_GZIP)
            BEAM_TRY(inflate_some(s, to, size - *total, &got, err));
        else if (s->compression == BEAM_COMPRESSION_ZSTD)
            BEAM_TRY(unzstd_some(s, to, size - *total, &got, err));
        else
            BEAM_TRY(copy_some(s, to, size - *total, &got));
        *total += got;
        if (at_end && got == 0 && s->in_frame)
            return damaged(s, "it ends too early", err);
    }
    return BEAM_OK;
}
