/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* An engine that ends the data stream: the bundles that use it fail, and say why; the next one
 * opens another. */
#include <semaphore.h>

#include "type/windowed.h"
#include "worker/fixture.h"

#define INT &beam_int64_type

enum { STOPS = -1 /* an element that waits for a word from the test */, LARGE = 600 << 10 };

static sem_t reached, go;

/* Text of x bytes. */
static beam_status spell(beam_ctx *c, const beam_int64 *x)
{
    static char text[LARGE];
    if (*x == STOPS) {
        sem_post(&reached);
        sem_wait(&go);
    }
    const beam_str out = {text, *x == STOPS ? 1 : (size_t)*x};
    return beam_emit_value(c, beam_str, &out);
}
BEAM_DOFN(spell_fn, beam_int64, spell, BEAM_TYPES(&beam_str_type));

static int begin(void **state)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    fixture *f = *state = fixture_new();
    sem_init(&reached, 0, 0);
    sem_init(&go, 0, 0);
    stage_pcoll(&f->stage, "numbers", INT, global);
    stage_pcoll(&f->stage, "texts", &beam_str_type, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, INT, "", "out0=numbers");
    stage_pardo(&f->stage, "spell", &spell_fn, NULL, "in0=numbers", "out0=texts");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, &beam_str_type, "in0=texts", "");
    fixture_start(f, false);
    return 0;
}

static int end(void **state)
{
    sem_post(&go); /* where the test failed before */
    int status = fixture_end(state);
    sem_destroy(&reached);
    sem_destroy(&go);
    return status;
}

/* ---- An engine's part -------------------------------------------------------------------- */

static void send_number(fixture *f, const char *id, beam_int64 number, bool last)
{
    const beam_element_info info = beam_info_global(5);
    beam_buffer bytes = {0};
    STAGE_OK(beam_encode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &info, &number,
                                  &bytes, NULL));
    send_piece(f, id, bytes.data, bytes.len, last);
    beam_buffer_free(&bytes);
}

/* The bundle is done, and its text of so many bytes has come. */
static void expect_text(fixture *f, const char *id, size_t len)
{
    beam_buffer bytes = {0};
    beam_arena arena = {0};
    beam_element_info info;
    beam_str text;
    expect_done(f, id);
    take_elements(f, id, &bytes);
    beam_reader reader = beam_reader_of(bytes.data, bytes.len);
    STAGE_OK(beam_decode_windowed(&beam_str_type, &beam_global_window_type, BEAM_NESTED, &reader,
                                  &info, &text, &arena, NULL));
    assert_int_equal(text.len, len);
    assert_int_equal(beam_reader_left(&reader), 0);
    beam_arena_free(&arena);
    beam_buffer_free(&bytes);
}

static void runs(fixture *f, const char *id)
{
    ask_bundle(f, id);
    send_number(f, id, 7, true);
    expect_text(f, id, 7);
}

/* The next response is a failure, of whichever bundle. */
static void expect_broken(fixture *f, const char *words)
{
    BeamPb__InstructionResponse *answer =
        engine_take(f->engine, ENGINE_CONTROL, &beam_pb__instruction_response__descriptor);
    assert_non_null(answer);
    if (!strstr(answer->error, "the data stream broke: ") || !strstr(answer->error, words))
        fail_msg("%s: \"%s\"", answer->instruction_id, answer->error);
    beam_message_free(answer);
}

/* ---- Tests ------------------------------------------------------------------------------- */

/* Bundles that wait for data, and what one has sent; over and over. */
static void ended_midway(void **state)
{
    static const struct {
        int status;
        const char *ids[3], *words;
    } rounds[] = {{BEAM_OK, {"a", "b", "c"}, "ended it"},
                  {BEAM_ABORTED, {"d", "e", "f"}, "asked to exchange elements"},
                  {BEAM_OK, {"g", "h", "i"}, "ended it"}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        const char *const *id = rounds[i].ids;
        ask_bundle(f, id[0]);
        ask_bundle(f, id[1]);
        send_number(f, id[0], 3, false);
        send_number(f, id[1], LARGE, false);
        beam_message_free(engine_take(f->engine, ENGINE_DATA, &beam_pb__elements__descriptor));
        engine_end_with(f->engine, ENGINE_DATA, rounds[i].status);
        engine_accept_again(f->engine, ENGINE_DATA);
        expect_broken(f, rounds[i].words);
        expect_broken(f, rounds[i].words);
        runs(f, id[2]);
    }
}

/* One is at a function while the stream breaks, having got all its data: it does not send its
 * elements over the next stream, for which nobody waits until it is done. */
static void broken_while_a_function_runs(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "long");
    ask_bundle(f, "waits");
    send_number(f, "long", STOPS, true);
    send_number(f, "waits", 1, false);
    sem_wait(&reached);
    engine_end(f->engine, ENGINE_DATA);
    engine_accept_again(f->engine, ENGINE_DATA);
    expect_broken(f, "ended it");
    runs(f, "next");
    sem_post(&go);
    expect_broken(f, "ended it");
    runs(f, "last");
}

/* Some of a bundle's data came over the stream that broke, before the bundle. */
static void broken_before_it_begins(void **state)
{
    fixture *f = *state;
    runs(f, "first"); /* which opens the stream */
    send_number(f, "early", 1, false);
    ask_bundle(f, "waits");
    send_number(f, "waits", 1, false);
    engine_end(f->engine, ENGINE_DATA);
    engine_accept_again(f->engine, ENGINE_DATA);
    expect_broken(f, "ended it");
    ask_bundle(f, "early");
    expect_broken(f, "ended it");
    runs(f, "next");
}

/* What is no Elements message breaks the stream, too; the engine is told, and may go on. */
static void damaged(void **state)
{
    fixture *f = *state;
    BeamPb__StateRequest none = BEAM_PB__STATE_REQUEST__INIT;
    none.id = (char *)"some bytes";
    ask_bundle(f, "cut");
    engine_send(f->engine, ENGINE_DATA, &none);
    expect_broken(f, "that are no elements");
    engine_accept_again(f->engine, ENGINE_DATA);
    runs(f, "next");
}

/* A worker ends as ever, with streams that broke and one that did not. */
static void the_end(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "cut");
    send_number(f, "cut", 1, false);
    engine_end(f->engine, ENGINE_DATA);
    engine_accept_again(f->engine, ENGINE_DATA);
    expect_broken(f, "ended it");
    runs(f, "next");
    engine_end(f->engine, ENGINE_CONTROL);
    pthread_join(f->worker, NULL);
    f->joined = true;
    assert_int_equal(f->status, BEAM_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(ended_midway), TEST(broken_while_a_function_runs),
                                       TEST(broken_before_it_begins), TEST(damaged), TEST(the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
