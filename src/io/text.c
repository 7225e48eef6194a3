/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* text.c - lines of files, as a splittable DoFn over byte ranges.
 *
 * A line belongs to the range in which its first byte lies, so any cut of a file into ranges
 * reads each line once.  Compressed files cannot be entered in the midst, and files that are said
 * to have no bytes may have some all the same (those of /proc): their restriction is the one
 * position 0.
 */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "io/library.h"
#include "io/stream.h"

enum {
    READ_SIZE = 256 << 10, /* what is read is still in the cache when lines are looked for */
    MOST_KEPT = 8 << 20,   /* of a buffer that a longer line made larger */
    PART_SIZE = 32 << 20,  /* ranges before anything runs; the runner splits further */
    LONGEST_LINE = 1 << 30,
    MOST_LINES = 64 /* handed on at once: they lie in the buffer until it is filled again */
};

typedef struct text_state {
    char *buffer;
    size_t capacity;
} text_state;

/* The bytes at hand: [at, len) of the state's buffer, the first of which is at `offset`. */
typedef struct text_reader {
    beam_ctx *ctx;
    text_state *state;
    beam_str path;
    beam_file *file;     /* or */
    beam_stream *stream; /* one of them */
    size_t at, len;
    int64_t offset; /* in the file (or the decompressed text) of buffer[at] */
    bool at_end;    /* nothing follows what is in the buffer */
    size_t n_lines, most_lines;
    beam_str lines[MOST_LINES]; /* read, but not yet handed on */
} text_reader;

/* ---- Lines that go on ------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Arrays of lines are faster than lines, but what is in an array is claimed: if lines take long,
 * others are to be able to take over the next ones.  So it is only where they do not that there
 * are many in an array. */
static beam_status hand_over(text_reader *r)
{
    enum { SHORT = 100000, LONG = 1000000 }; /* nanoseconds */
    size_t n = r->n_lines;
    r->n_lines = 0;
    if (n == 0)
        return BEAM_OK;
    int64_t before = now_ns();
    BEAM_TRY(beam_emit_batch(r->ctx, 0, beam_str, r->lines, n));
    int64_t took = now_ns() - before;
    if (took < SHORT && r->most_lines < MOST_LINES)
        r->most_lines *= 2;
    else if (took > LONG)
        r->most_lines = 1;
    return BEAM_OK;
}

static inline beam_status add_line(text_reader *r, const char *line, size_t len, bool keep_newlines)
{
    if (!keep_newlines && len && line[len - 1] == '\n') {
        len--;
        if (len && line[len - 1] == '\r')
            len--;
    }
    r->lines[r->n_lines++] = (beam_str){line, len};
    return r->n_lines < r->most_lines ? BEAM_OK : hand_over(r);
}

/* ---- Reading ---------------------------------------------------------------------------- */

/* A long line's room goes when the line has gone: `left` bytes stay. */
static void give_back(text_state *s, size_t left)
{
    if (s->capacity <= MOST_KEPT || left + READ_SIZE > MOST_KEPT)
        return;
    char *smaller = beam_realloc(s->buffer, MOST_KEPT);
    if (!smaller)
        return;
    s->buffer = smaller;
    s->capacity = MOST_KEPT;
}

/* Makes room and reads on; what is unread moves to the front. */
static beam_status fill(text_reader *r)
{
    text_state *s = r->state;
    size_t left = r->len - r->at;
    if (left > LONGEST_LINE)
        return beam_fail(r->ctx, BEAM_OUT_OF_RANGE,
                         "%.*s has a line of more than %d bytes at byte %lld; is it a text file?",
                         (int)r->path.len, r->path.at, LONGEST_LINE, (long long)r->offset);
    if (left && r->at)
        memmove(s->buffer, s->buffer + r->at, left);
    r->at = 0;
    r->len = left;
    give_back(s, left);
    void *buffer = s->buffer;
    int grown = beam_grow(&buffer, &s->capacity, left + READ_SIZE, 1);
    s->buffer = buffer;
    if (grown != 0)
        return beam_fail(r->ctx, BEAM_RESOURCE_EXHAUSTED, "out of memory reading %.*s",
                         (int)r->path.len, r->path.at);
    size_t room = s->capacity - left, got = 0;
    if (room > 2 * READ_SIZE) /* of a long line: pages that nothing is read to cost nothing */
        room = 2 * READ_SIZE;
    if (r->stream)
        BEAM_TRY(beam_stream_read(r->stream, s->buffer + left, room, &got, beam_ctx_error(r->ctx)));
    else
        BEAM_TRY(beam_fs_read(r->file, s->buffer + left, room, r->offset + (int64_t)left, &got,
                              beam_ctx_error(r->ctx)));
    r->len += got;
    r->at_end = got < room;
    return BEAM_OK;
}

/* The next line with its line end; len 0 at the end of the text. */
static beam_status next_line(text_reader *r, const char **line, size_t *len)
{
    size_t searched = 0;
    if (!r->state->buffer)
        BEAM_TRY(fill(r));
    for (;;) {
        const char *start = r->state->buffer + r->at;
        const char *end = NULL;
        if (r->len - r->at > searched)
            end = memchr(start + searched, '\n', r->len - r->at - searched);
        if (end || r->at_end) {
            *line = start;
            *len = end ? (size_t)(end + 1 - start) : r->len - r->at;
            r->at += *len;
            r->offset += (int64_t)*len;
            return BEAM_OK;
        }
        searched = r->len - r->at;
        BEAM_TRY(hand_over(r));
        BEAM_TRY(fill(r));
    }
}

/* Past a line that nobody wants, so that it is never in memory as a whole; no further than is
 * needed to know that what follows begins at `stop` or later. */
static beam_status skip_line(text_reader *r, int64_t stop)
{
    for (bool found = false; !found && r->offset < stop;) {
        if (r->at == r->len && r->at_end)
            return BEAM_OK;
        if (r->at == r->len)
            BEAM_TRY(fill(r));
        const char *start = r->state->buffer + r->at;
        const char *end = memchr(start, '\n', r->len - r->at);
        size_t n = end ? (size_t)(end + 1 - start) : r->len - r->at;
        found = end != NULL;
        r->at += n;
        r->offset += (int64_t)n;
    }
    return BEAM_OK;
}

static beam_status skip_lines(text_reader *r, int64_t n)
{
    while (n-- > 0 && !(r->at == r->len && r->at_end))
        BEAM_TRY(skip_line(r, INT64_MAX));
    return BEAM_OK;
}

/* To the first line that begins in the range and is no header; behind the range where none does. */
static beam_status seek_line(text_reader *r, const beam_offset_range *range, int64_t header_lines)
{
    BEAM_TRY(skip_lines(r, header_lines));
    if (range->start <= r->offset)
        return BEAM_OK;
    r->offset = range->start - 1; /* the line end of the line before may be there */
    r->at = r->len = 0;
    r->at_end = false;
    return skip_line(r, range->stop);
}

static beam_status read_lines(text_reader *r, beam_tracker *tracker,
                              const beam_read_text_config *config)
{
    const beam_offset_range *range = tracker->restriction;
    BEAM_TRY(seek_line(r, range, config->skip_header_lines));
    while (beam_try_claim_offset(r->ctx, tracker, r->offset)) {
        const char *line;
        size_t len;
        BEAM_TRY(next_line(r, &line, &len));
        if (len == 0)
            return beam_fail(r->ctx, BEAM_DATA_LOSS,
                             "%.*s ended at byte %lld of %lld: it was cut short while it was read",
                             (int)r->path.len, r->path.at, (long long)r->offset,
                             (long long)range->stop);
        BEAM_TRY(add_line(r, line, len, config->keep_newlines));
    }
    return hand_over(r);
}

static beam_status read_stream(text_reader *r, beam_tracker *tracker,
                               const beam_read_text_config *config)
{
    if (!beam_try_claim_offset(r->ctx, tracker, 0))
        return BEAM_OK;
    BEAM_TRY(skip_lines(r, config->skip_header_lines));
    for (;;) {
        const char *line;
        size_t len;
        BEAM_TRY(next_line(r, &line, &len));
        if (beam_cancelled(r->ctx))
            return BEAM_CANCELLED;
        if (len == 0)
            return hand_over(r);
        BEAM_TRY(add_line(r, line, len, config->keep_newlines));
    }
}

static beam_compression compression_of(const beam_ctx *c, const beam_file_metadata *file)
{
    const beam_read_text_config *config = beam_config(c, beam_read_text_config);
    return beam_compression_of((beam_compression)config->compression, file->path);
}

/* Whether it is read in ranges of its bytes; otherwise it is a stream. */
static bool has_ranges(const beam_ctx *c, const beam_file_metadata *file)
{
    return file->size > 0 && compression_of(c, file) == BEAM_COMPRESSION_NONE;
}

/* Each range is opened on its own, maybe by another worker. */
static beam_status open_ranges(beam_ctx *c, const beam_file_metadata *file, beam_file **out)
{
    BEAM_TRY(beam_fs_open(file->path, out, beam_ctx_error(c)));
    if (beam_fs_is_same(*out, file->size, file->last_modified))
        return BEAM_OK;
    int64_t size = beam_fs_size(*out);
    beam_fs_close(*out);
    *out = NULL;
    return beam_fail(c, BEAM_DATA_LOSS,
                     "%.*s was replaced while it was read (it had %lld bytes, now %lld), so lines "
                     "would be of two files; run again when nobody writes to it",
                     (int)file->path.len, file->path.at, (long long)file->size, (long long)size);
}

static void start_reader(text_reader *r, beam_ctx *c, beam_str path)
{
    memset(r, 0, offsetof(text_reader, lines)); /* the array needs no zeros */
    r->ctx = c;
    r->state = beam_self(c, text_state);
    r->path = path;
    r->most_lines = 1;
}

static beam_status process(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    const beam_file_metadata *file = element;
    const beam_read_text_config *config = beam_config(c, beam_read_text_config);
    text_reader r;
    start_reader(&r, c, file->path);
    beam_status status;
    if (has_ranges(c, file)) {
        BEAM_TRY(open_ranges(c, file, &r.file));
        status = read_lines(&r, tracker, config);
    } else {
        BEAM_TRY(
            beam_stream_open(file->path, compression_of(c, file), &r.stream, beam_ctx_error(c)));
        status = read_stream(&r, tracker, config);
    }
    beam_fs_close(r.file);
    beam_stream_close(r.stream);
    give_back(r.state, 0);
    return status;
}

static void teardown(beam_ctx *c)
{
    beam_free(beam_self(c, text_state)->buffer);
}

static beam_status initial_restriction(beam_ctx *c, const void *element, void *restriction)
{
    const beam_file_metadata *file = element;
    *(beam_offset_range *)restriction =
        (beam_offset_range){0, has_ranges(c, file) ? file->size : 1};
    return BEAM_OK;
}

static beam_status split_restriction(beam_ctx *c, const void *element, const void *restriction)
{
    (void)element;
    beam_offset_range rest = *(const beam_offset_range *)restriction;
    while (rest.stop - rest.start > PART_SIZE + PART_SIZE / 2) {
        beam_offset_range part = {rest.start, rest.start + PART_SIZE};
        BEAM_TRY(beam_emit_restriction(c, &part));
        rest.start = part.stop;
    }
    return beam_emit_restriction(c, &rest);
}

static beam_status restriction_size(beam_ctx *c, const void *element, const void *restriction,
                                    double *size)
{
    const beam_file_metadata *file = element;
    const beam_offset_range *range = restriction;
    *size = (double)(has_ranges(c, file) ? range->stop - range->start : file->size);
    return BEAM_OK;
}

static const beam_splittable splittable = {.struct_size = sizeof(beam_splittable),
                                           .restriction = &beam_offset_range_type,
                                           .tracker = &beam_offset_range_tracker,
                                           .initial_restriction = initial_restriction,
                                           .split_restriction = split_restriction,
                                           .restriction_size = restriction_size,
                                           .process = process};

const beam_dofn beam_read_text_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "beam_read_text_fn",
                                     .in = &beam_file_metadata_type,
                                     BEAM_TYPES(&beam_str_type),
                                     .config = &beam_read_text_config_type,
                                     .state_size = sizeof(text_state),
                                     .teardown = teardown,
                                     .splittable = &splittable};

beam_pcoll beam_read_text_(beam_pipeline *pipeline, const beam_read_text_args *args)
{
    beam_composite_begin_at(pipeline, args->name ? args->name : "ReadFromText", NULL, args->file,
                            args->line);
    beam_read_text_config config = {args->compression, args->skip_header_lines,
                                    args->keep_newlines};
    beam_pcoll files =
        beam_match_files(pipeline, args->pattern, .empty_match_allowed = args->empty_match_allowed);
    beam_pcoll lines = beam_pardo(files, &beam_read_text_fn, .name = "Read", .config = &config);
    beam_composite_end(pipeline);
    return lines;
}
