/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "io/tfrecord.h"

#include <string.h>

#include "base/crc32c.h"
#include "io/library.h"

enum { HEAD = 12, STEP = 1 << 20 };

/* Rotated and offset, so that the CRC of data which holds CRCs stays a good one. */
static uint32_t masked(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + UINT32_C(0xa282ead8);
}

static uint32_t u32_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static beam_status damaged(uint64_t number, const char *what, beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS, "TFRecord %llu: %s", (unsigned long long)number,
                          what);
}

beam_status beam_tfrecord_read(beam_stream *stream, uint64_t number, beam_buffer *data, bool *end,
                               beam_error *err)
{
    uint8_t head[HEAD], tail[4];
    size_t got;
    BEAM_TRY(beam_stream_read(stream, head, sizeof head, &got, err));
    *end = got == 0;
    if (*end)
        return BEAM_OK;
    if (got < sizeof head)
        return damaged(number, "the file ends within its length", err);
    if (masked(beam_crc32c(0, head, 8)) != u32_at(head + 8))
        return damaged(number, "its length has a wrong checksum; is this a TFRecord file?", err);
    uint64_t len;
    memcpy(&len, head, sizeof len);
    data->len = 0;
    while (data->len < len) {
        size_t want = len - data->len < STEP ? (size_t)(len - data->len) : STEP;
        if (beam_buffer_reserve(data, want) != BEAM_OK)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                                  "out of memory reading TFRecord %llu of %llu bytes",
                                  (unsigned long long)number, (unsigned long long)len);
        BEAM_TRY(beam_stream_read(stream, data->data + data->len, want, &got, err));
        data->len += got;
        if (got < want)
            return damaged(number, "the file ends within its data", err);
    }
    BEAM_TRY(beam_stream_read(stream, tail, sizeof tail, &got, err));
    if (got < sizeof tail)
        return damaged(number, "the file ends within its checksum", err);
    if (masked(beam_crc32c(0, data->data, data->len)) != u32_at(tail))
        return damaged(number, "its data has a wrong checksum", err);
    return BEAM_OK;
}

beam_status beam_tfrecord_write(beam_output_file *file, beam_bytes record, beam_error *err)
{
    uint8_t head[HEAD];
    uint64_t len = record.len;
    memcpy(head, &len, sizeof len);
    uint32_t crc = masked(beam_crc32c(0, head, sizeof len));
    memcpy(head + sizeof len, &crc, sizeof crc);
    BEAM_TRY(beam_output_write(file, head, sizeof head, err));
    BEAM_TRY(beam_output_write(file, record.at, record.len, err));
    crc = masked(beam_crc32c(0, record.at, record.len));
    return beam_output_write(file, &crc, sizeof crc, err);
}

/* ---- ReadFromTFRecord -------------------------------------------------------------------- */

typedef struct records_state {
    beam_buffer record;
} records_state;

static beam_status emit_records(beam_ctx *c, beam_stream *stream)
{
    beam_buffer *record = &beam_self(c, records_state)->record;
    for (uint64_t number = 0;; number++) {
        bool end;
        BEAM_TRY(beam_tfrecord_read(stream, number, record, &end, beam_ctx_error(c)));
        if (end || beam_cancelled(c))
            return end ? BEAM_OK : BEAM_CANCELLED;
        BEAM_TRY(beam_emit(c, beam_bytes, record->data, record->len));
    }
}

static beam_status process(beam_ctx *c, const void *element)
{
    const beam_file_metadata *file = element;
    const beam_read_records_config *config = beam_config(c, beam_read_records_config);
    beam_stream *stream;
    BEAM_TRY(beam_stream_open(file->path, (beam_compression)config->compression, &stream,
                              beam_ctx_error(c)));
    beam_status status = emit_records(c, stream);
    beam_stream_close(stream);
    if (status == BEAM_DATA_LOSS)
        beam_error_wrap(beam_ctx_error(c), status, "%.*s", (int)file->path.len, file->path.at);
    return status;
}

static void teardown(beam_ctx *c)
{
    beam_buffer_free(&beam_self(c, records_state)->record);
}

const beam_dofn beam_read_tfrecord_fn = {.struct_size = sizeof(beam_dofn),
                                         .name = "beam_read_tfrecord_fn",
                                         .in = &beam_file_metadata_type,
                                         BEAM_TYPES(&beam_bytes_type),
                                         .config = &beam_read_records_config_type,
                                         .state_size = sizeof(records_state),
                                         .process = process,
                                         .teardown = teardown};

beam_pcoll beam_read_tfrecord_(beam_pipeline *pipeline, const beam_read_tfrecord_args *args)
{
    beam_composite_begin_at(pipeline, args->name ? args->name : "ReadFromTFRecord", NULL,
                            args->file, args->line);
    beam_read_records_config config = {args->compression};
    beam_pcoll files =
        beam_match_files(pipeline, args->pattern, .empty_match_allowed = args->empty_match_allowed);
    beam_pcoll records = beam_pardo(beam_reshuffle(files), &beam_read_tfrecord_fn, .name = "Read",
                                    .config = &config);
    beam_composite_end(pipeline);
    return records;
}
