/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The same bytes, in whatever spans and pieces they come, are the same elements. */
#include "bundle/bundle.h"
#include "plan/stage.h"
#include "type/windowed.h"
#include "worker/harness.h"

enum { LARGE = 3000 };

/* Texts of so many bytes; the third is of many spans. */
static const size_t sizes[] = {0, 5, LARGE, 1, 127, 128, 40, 0, 300, 2};
enum { N = sizeof sizes / sizeof *sizes };

/* Every third one is in two windows. */
static beam_element_info info_of(size_t i)
{
    static const beam_window windows[] = {{0, 1000}, {500, 1500}};
    return (beam_element_info){.timestamp = (beam_timestamp)(i / 3),
                               .windows = windows,
                               .n_windows = 1 + (i / 3) % 2,
                               .pane = BEAM_PANE_NO_FIRING};
}

static beam_status pass(beam_ctx *c, const beam_str *text)
{
    return beam_emit_value(c, beam_str, text);
}
BEAM_DOFN(edges_pass_fn, beam_str, pass, BEAM_TYPES(&beam_str_type));

/* A processor without an engine. */
typedef struct world {
    stage stage;
    beam_harness harness;
    beam_entry entry;
    beam_processor processor;
    char batch[256 * sizeof(beam_str)];
    beam_buffer bytes; /* of the elements */
    bool ends;         /* chunks are pieces, not parts of one */
} world;

/* Anew: a bundle that has failed is of no use any more. */
static void open_bundle(world *w)
{
    const beam_plan_options options = stage_options(&w->stage);
    if (w->processor.bundle)
        beam_bundle_close(w->processor.bundle);
    STAGE_OK(beam_bundle_open(&options, &w->processor.bundle, NULL));
    w->entry.source = beam_bundle_source_at(w->processor.bundle, 0);
    w->entry.port = beam_plan_source_port(w->entry.source);
}

static int begin(void **state)
{
    world *w = calloc(1, sizeof *w);
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    char text[LARGE];
    assert_non_null(w);
    stage_init(&w->stage);
    stage_pcoll(&w->stage, "p0", &beam_str_type, global);
    stage_pcoll(&w->stage, "p1", &beam_str_type, global);
    stage_source(&w->stage, "source", "p0");
    stage_pardo(&w->stage, "pass", &edges_pass_fn, NULL, "in0=p0", "out0=p1");
    stage_sink_of(&w->stage, "sink", "p1");
    assert_int_equal(pthread_mutex_init(&w->harness.lock, NULL), 0);
    assert_int_equal(pthread_mutex_init(&w->processor.cutting, NULL), 0);
    w->processor.harness = &w->harness;
    w->processor.entries = &w->entry;
    w->processor.n_entries = 1;
    w->processor.batch = w->batch;
    w->entry.element = &beam_str_type;
    w->entry.window = &beam_window_type;
    open_bundle(w);
    for (size_t i = 0; i < N; i++) {
        const beam_element_info info = info_of(i);
        const beam_str element = {text, sizes[i]};
        memset(text, (int)('a' + i), sizeof text);
        STAGE_OK(beam_encode_windowed(&beam_str_type, &beam_window_type, BEAM_NESTED, &info,
                                      &element, &w->bytes, NULL));
    }
    *state = w;
    return 0;
}

static int end(void **state)
{
    world *w = *state;
    beam_bundle_close(w->processor.bundle);
    beam_buffer_free(&w->entry.rest);
    beam_buffer_free(&w->bytes);
    beam_arena_free(&w->processor.elements);
    pthread_mutex_destroy(&w->processor.cutting);
    pthread_mutex_destroy(&w->harness.lock);
    stage_free(&w->stage);
    free(w);
    return 0;
}

static void start(world *w)
{
    stage_clear(&w->stage);
    w->entry.rest.len = w->entry.worth = 0;
    w->entry.passing.seen = 1; /* none is kept as a sample */
    beam_split_begin(&w->processor);
    STAGE_OK(beam_bundle_start(w->processor.bundle, "bundle", NULL));
}

/* The next `n` spans, of `step` bytes each but the first, in memory of their own that is gone when
 * they were read. */
static beam_status feed(world *w, size_t *at, size_t n, size_t first, size_t step, size_t size,
                        beam_error *err)
{
    beam_spans spans = {.all = beam_calloc(n, sizeof *spans.all)};
    assert_non_null(spans.all);
    for (size_t part = first; spans.n < n && *at + spans.size < size; part = step) {
        size_t left = size - *at - spans.size;
        part = part < left ? part : left;
        spans.all[spans.n++] = (beam_bytes){w->bytes.data + *at + spans.size, part};
        spans.size += part;
    }
    char *memory = beam_malloc(spans.size + 1), *to = memory;
    assert_non_null(memory);
    beam_spans_copy(&spans, memory);
    for (size_t i = 0; i < spans.n; to += spans.all[i++].len)
        spans.all[i].at = to;
    *at += spans.size;
    bool is_last = *at == size && size;
    const beam_chunk chunk = {.bytes = spans, .ends = w->ends || is_last, .is_last = is_last};
    beam_status status = beam_edges_feed(&w->processor, &w->entry, &chunk, err);
    beam_free(memory);
    beam_free(spans.all);
    return status;
}

static void check(world *w)
{
    const stage_sink *sink = stage_find(&w->stage, "sink");
    assert_int_equal(sink->n, N);
    for (size_t i = 0; i < N; i++) {
        const beam_str *text = sink->elements[i].value;
        const beam_element_info expected = info_of(i), *info = &sink->elements[i].info;
        assert_int_equal(info->timestamp, expected.timestamp);
        assert_int_equal(info->n_windows, expected.n_windows);
        assert_memory_equal(info->windows, expected.windows,
                            expected.n_windows * sizeof *expected.windows);
        assert_int_equal(text->len, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(text->at[k], 'a' + i);
    }
}

static void read_cut(world *w, size_t spans, size_t first, size_t step)
{
    for (int i = 0; i < 2; i++) {
        size_t at = 0;
        w->ends = i == 0;
        start(w);
        while (at < w->bytes.len)
            STAGE_OK(feed(w, &at, spans, at ? step : first, step, w->bytes.len, NULL));
        STAGE_OK(beam_bundle_finish(w->processor.bundle, NULL));
        check(w);
    }
}

/* Cut at each place. */
static void in_two_spans(void **state)
{
    world *w = *state;
    for (size_t first = 0; first <= w->bytes.len; first++)
        read_cut(w, 2, first, SIZE_MAX);
}

static void in_spans_of_any_size(void **state)
{
    world *w = *state;
    for (size_t step = 1; step < 600; step++)
        read_cut(w, w->bytes.len + 2, step / 2, step);
}

static void in_pieces_of_any_spans(void **state)
{
    world *w = *state;
    for (size_t step = 1; step < 300; step += 3)
        for (size_t spans = 1; spans < 20; spans += 6)
            read_cut(w, spans, 1, step);
}

/* Without its end the last element is an error in words; those before it have passed. */
static void truncated(void **state)
{
    world *w = *state;
    for (size_t size = 1, at = 0; size < w->bytes.len; size += 7, at = 0) {
        beam_error err = {0};
        open_bundle(w);
        start(w);
        beam_status status = feed(w, &at, w->bytes.len, size / 2, 50, size, &err);
        assert_true(status == BEAM_OK || status == BEAM_DATA_LOSS);
        if (status == BEAM_DATA_LOSS)
            assert_non_null(strstr(err.message, "cannot be read: "));
        beam_bundle_abort(w->processor.bundle);
    }
}

/* A text of bytes that are none, in the midst of spans: the words tell what is wrong. */
static void damaged(void **state)
{
    world *w = *state;
    beam_error err = {0};
    size_t at = 0;
    w->bytes.data[w->bytes.len - 1] = 0xff;
    start(w);
    assert_int_equal(feed(w, &at, w->bytes.len, 100, 100, w->bytes.len, &err), BEAM_DATA_LOSS);
    assert_non_null(strstr(err.message, "UTF-8"));
    beam_bundle_abort(w->processor.bundle);
}

/* Windows are decoded into memory: each request for some fails in turn, and is made again for the
 * words, or the bundle fails; no element is lost without either. */
static void lacks_memory(void **state)
{
    world *w = *state;
    const beam_window window = {0, 1000};
    const beam_element_info info = {.timestamp = 5, .windows = &window, .n_windows = 1};
    beam_bytes whole;
    const beam_chunk chunk = {.bytes = {.all = &whole, .n = 1}, .ends = true, .is_last = true};
    w->bytes.len = 0;
    for (beam_int64 i = 0; i < 10; i++)
        STAGE_OK(beam_encode_windowed(&beam_str_type, &beam_window_type, BEAM_NESTED, &info,
                                      &(beam_str){"text", 4}, &w->bytes, NULL));
    whole = (beam_bytes){w->bytes.data, w->bytes.len};
    for (uint64_t n = 1, count = n; count >= n; n++) {
        beam_error err = {0};
        open_bundle(w);
        start(w);
        beam_arena_free(&w->processor.elements);
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_edges_feed(&w->processor, &w->entry, &chunk, &err);
        count = beam_alloc_count();
        beam_alloc_fail_at(0, 0);
        if (status == BEAM_OK)
            assert_int_equal(stage_find(&w->stage, "sink")->n, 10);
        else
            assert_true(*err.message);
        beam_bundle_abort(w->processor.bundle);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(in_two_spans),
                                       TEST(in_spans_of_any_size),
                                       TEST(in_pieces_of_any_spans),
                                       TEST(truncated),
                                       TEST(damaged),
                                       TEST(lacks_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
