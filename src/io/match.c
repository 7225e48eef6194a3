/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* match.c - patterns to files, and files to their contents. */
#include <string.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "io/library.h"
#include "io/stream.h"

/* ---- MatchFiles ------------------------------------------------------------------------ */

static beam_status match(beam_ctx *c, const beam_bytes *impulse)
{
    (void)impulse;
    const beam_match_config *config = beam_config(c, beam_match_config);
    char *pattern = beam_cstr(c, config->pattern);
    if (!pattern)
        return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    beam_arena arena = {0};
    beam_file_entry *entries;
    size_t n;
    beam_status status = beam_fs_match(pattern, &arena, &entries, &n, beam_ctx_error(c));
    if (status == BEAM_OK && n == 0 && !config->may_be_empty)
        status = beam_fail(c, BEAM_NOT_FOUND, "no file matches '%s'", pattern);
    for (size_t i = 0; status == BEAM_OK && i < n; i++)
        status = beam_emit(c, beam_file_metadata, .path = beam_str_of(entries[i].path),
                           .size = entries[i].size, .last_modified = entries[i].last_modified);
    beam_arena_free(&arena);
    return status;
}

static beam_status match_process(beam_ctx *c, const void *element)
{
    return match(c, element);
}

const beam_dofn beam_match_fn = {.struct_size = sizeof(beam_dofn),
                                 .name = "beam_match_fn",
                                 .in = &beam_bytes_type,
                                 BEAM_TYPES(&beam_file_metadata_type),
                                 .config = &beam_match_config_type,
                                 .process = match_process};

beam_pcoll beam_match_files_(beam_pipeline *pipeline, const beam_match_files_args *args)
{
    if (!args->pattern) {
        beam_pipeline_fail(pipeline, BEAM_INVALID_ARGUMENT, "%s:%d: MatchFiles needs a pattern",
                           args->file, args->line);
        return (beam_pcoll){pipeline, 0};
    }
    beam_composite_begin_at(pipeline, args->name ? args->name : "MatchFiles", NULL, args->file,
                            args->line);
    char *pattern = NULL;
    beam_error err = {0};
    if (beam_fs_absolute_pattern(args->pattern, &pattern, &err) != BEAM_OK)
        beam_pipeline_fail(pipeline, err.code, "%s:%d: %s", args->file, args->line, err.message);
    beam_match_config config = {beam_str_of(pattern ? pattern : ""), args->empty_match_allowed};
    beam_pcoll files =
        beam_pardo(beam_impulse(pipeline), &beam_match_fn, .name = "Match", .config = &config);
    beam_composite_end(pipeline);
    beam_free(pattern);
    return files;
}

/* ---- ReadFiles -------------------------------------------------------------------------- */

enum { STEP = 1 << 20, USUAL_MAX = 1 << 30 };

typedef struct read_files_state {
    char *contents;
    size_t capacity;
} read_files_state;

static void read_files_teardown(beam_ctx *c)
{
    beam_free(beam_self(c, read_files_state)->contents);
}

/* Grows as bytes arrive, so that a small file which claims to be large costs nothing. */
static beam_status read_whole(beam_ctx *c, beam_stream *stream, beam_str path, size_t max,
                              size_t *len)
{
    read_files_state *s = beam_self(c, read_files_state);
    size_t got;
    *len = 0;
    do {
        void *contents = s->contents;
        int grown = beam_grow(&contents, &s->capacity, *len + STEP, 1);
        s->contents = contents;
        if (grown != 0)
            return beam_fail(c, BEAM_RESOURCE_EXHAUSTED, "out of memory reading %.*s",
                             (int)path.len, path.at);
        BEAM_TRY(beam_stream_read(stream, s->contents + *len, s->capacity - *len, &got,
                                  beam_ctx_error(c)));
        *len += got;
        if (*len > max)
            return beam_fail(c, BEAM_OUT_OF_RANGE,
                             "%.*s holds more than %zu bytes; raise max_size to read it whole",
                             (int)path.len, path.at, max);
    } while (got);
    return BEAM_OK;
}

static beam_status read_files_process(beam_ctx *c, const void *element)
{
    const beam_file_metadata *file = element;
    const beam_read_files_config *config = beam_config(c, beam_read_files_config);
    size_t max = config->max_size > 0 ? (size_t)config->max_size : USUAL_MAX, len;
    beam_stream *stream;
    BEAM_TRY(beam_stream_open(file->path, (beam_compression)config->compression, &stream,
                              beam_ctx_error(c)));
    beam_status status = read_whole(c, stream, file->path, max, &len);
    beam_stream_close(stream);
    BEAM_TRY(status);
    return beam_emit(c, beam_file_contents, .path = file->path,
                     .contents = {beam_self(c, read_files_state)->contents, len});
}

const beam_dofn beam_read_files_fn = {.struct_size = sizeof(beam_dofn),
                                      .name = "beam_read_files_fn",
                                      .in = &beam_file_metadata_type,
                                      BEAM_TYPES(&beam_file_contents_type),
                                      .config = &beam_read_files_config_type,
                                      .state_size = sizeof(read_files_state),
                                      .process = read_files_process,
                                      .teardown = read_files_teardown};

beam_pcoll beam_read_files_(beam_pcoll files, const beam_read_files_args *args)
{
    beam_composite_begin_at(files.pipeline, args->name ? args->name : "ReadFiles", NULL, args->file,
                            args->line);
    beam_read_files_config config = {args->compression, args->max_size};
    beam_pcoll contents =
        beam_pardo(beam_reshuffle(files), &beam_read_files_fn, .name = "Read", .config = &config);
    beam_composite_end(files.pipeline);
    return contents;
}
