/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A bundle larger than the memory that a worker takes for it, one that stands still while another's
 * data come over the same stream, and what a worker holds when it has nothing to do. */
#include <malloc.h>
#include <semaphore.h>
#include <sys/resource.h>

#include "type/windowed.h"
#include "worker/fixture.h"

enum {
    TEXT = 64 << 10,
    PIECES = 512 /* of a MiB */,
    EACH = (1 << 20) / TEXT,
    LIMIT = 256 /* MiB */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED 0 /* they take memory of their own */
#else
#define MEASURED 1
#endif

static sem_t go;

static beam_status length(beam_ctx *c, const beam_str *text)
{
    if (text->at[0] == 'w')
        sem_wait(&go);
    return beam_emit(c, beam_int64, (beam_int64)text->len);
}
BEAM_DOFN(length_fn, beam_str, length, BEAM_TYPES(&beam_int64_type));

static int begin(void **state)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    fixture *f = fixture_new();
    sem_init(&go, 0, 0);
    stage_pcoll(&f->stage, "texts", &beam_str_type, global);
    stage_pcoll(&f->stage, "lengths", &beam_int64_type, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, &beam_str_type, "", "out0=texts");
    stage_pardo(&f->stage, "length", &length_fn, NULL, "in0=texts", "out0=lengths");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, &beam_int64_type, "in0=lengths", "");
    fixture_start(f, false);
    *state = f;
    return 0;
}

static int end(void **state)
{
    sem_post(&go); /* where a test failed before */
    int status = fixture_end(state);
    sem_destroy(&go);
    return status;
}

/* A piece of texts, of which each begins with `first`. */
static void make_piece(char first, beam_buffer *piece)
{
    static char text[TEXT];
    const beam_element_info info = beam_info_global(5);
    memset(text, 'x', sizeof text);
    text[0] = first;
    const beam_str element = {text, sizeof text};
    for (int i = 0; i < EACH; i++)
        STAGE_OK(beam_encode_windowed(&beam_str_type, &beam_global_window_type, BEAM_NESTED, &info,
                                      &element, piece, NULL));
}

static void expect_lengths_of(fixture *f, const char *id, size_t n, size_t length_of_each)
{
    beam_buffer bytes = {0};
    beam_arena arena = {0};
    expect_done(f, id);
    take_elements(f, id, &bytes);
    beam_reader reader = beam_reader_of(bytes.data, bytes.len);
    for (; n; n--) {
        beam_element_info info;
        beam_int64 value;
        STAGE_OK(beam_decode_windowed(&beam_int64_type, &beam_global_window_type, BEAM_NESTED,
                                      &reader, &info, &value, &arena, NULL));
        assert_int_equal(value, length_of_each);
    }
    assert_int_equal(beam_reader_left(&reader), 0);
    beam_arena_free(&arena);
    beam_buffer_free(&bytes);
}

static void expect_lengths(fixture *f, const char *id, size_t n)
{
    expect_lengths_of(f, id, n, TEXT);
}

static size_t in_use(void)
{
    const struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

/* Of the elements of a bundle that has ended nothing stays, however large they were. */
static void large_and_over(void **state)
{
    enum { LEN = 64 << 20, HALF = LEN / 2 };
    fixture *f = *state;
    beam_buffer small = {0}, large = {0};
    const beam_element_info info = beam_info_global(5);
    make_piece('r', &small);
    ask_bundle(f, "small");
    send_piece(f, "small", small.data, small.len, true);
    expect_lengths(f, "small", EACH);
    size_t before = in_use();
    char *text = calloc(1, LEN);
    assert_non_null(text);
    STAGE_OK(beam_encode_windowed(&beam_str_type, &beam_global_window_type, BEAM_NESTED, &info,
                                  &(const beam_str){text, LEN}, &large, NULL));
    free(text);
    ask_bundle(f, "large");
    send_piece(f, "large", large.data, HALF, false);
    send_piece(f, "large", large.data + HALF, large.len - HALF, true);
    beam_buffer_free(&large);
    expect_lengths_of(f, "large", 1, LEN);
    size_t after = in_use();
    if (MEASURED && after > before + LEN / 4)
        fail_msg("%zu MiB stay with a worker that is idle", (after - before) >> 20);
    beam_buffer_free(&small);
}

static void larger_than_memory(void **state)
{
    fixture *f = *state;
    beam_buffer waits = {0}, runs = {0};
    make_piece('w', &waits);
    make_piece('r', &runs);
    ask_bundle(f, "waits");
    send_piece(f, "waits", waits.data, waits.len, false); /* it stands still at the first */
    for (int i = 0; i < PIECES; i++)
        send_piece(f, "waits", runs.data, runs.len, i + 1 == PIECES);
    ask_bundle(f, "runs");
    send_piece(f, "runs", runs.data, runs.len, true);
    expect_lengths(f, "runs", EACH);
    for (int i = 0; i < EACH; i++)
        sem_post(&go);
    expect_lengths(f, "waits", (PIECES + 1) * EACH);
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    if (MEASURED && used.ru_maxrss > LIMIT << 10)
        fail_msg("%ld MiB of memory for a bundle of %d", used.ru_maxrss >> 10, PIECES);
    beam_buffer_free(&waits);
    beam_buffer_free(&runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(larger_than_memory, begin, end),
        cmocka_unit_test_setup_teardown(large_and_over, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
