/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A worker and an engine over real gRPC: bundles in pieces and at once, failures, splits, what an
 * engine asks besides, how it all ends. */
#include <time.h>

#include "type/windowed.h"
#include "worker/fixture.h"

#define INT &beam_int64_type

static beam_status triple(beam_ctx *c, const beam_int64 *x)
{
    if (*x == -1)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "caf\xe9, \xc3\xa4");
    return *x < 0 ? beam_fail(c, BEAM_INVALID_ARGUMENT, "nothing below zero")
                  : beam_emit(c, beam_int64, *x * 3);
}
BEAM_DOFN(triple_fn, beam_int64, triple, BEAM_TYPES(INT));

/* A worker whose one stage triples numbers. */
static fixture *make(void)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    fixture *f = fixture_new();
    stage_pcoll(&f->stage, "numbers", INT, global);
    stage_pcoll(&f->stage, "tripled", INT, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, INT, "", "out0=numbers");
    stage_pardo(&f->stage, "triple", &triple_fn, NULL, "in0=numbers", "out0=tripled");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, INT, "in0=tripled", "");
    return f;
}

static int begin(void **state)
{
    fixture *f = *state = make();
    fixture_start(f, false);
    return 0;
}

static int begin_with_log(void **state)
{
    fixture *f = *state = make();
    fixture_start(f, true);
    return 0;
}

/* The same with numbers from two sources. */
static int begin_two(void **state)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    fixture *f = *state = fixture_new();
    stage_pcoll(&f->stage, "numbers", INT, global);
    stage_pcoll(&f->stage, "others", INT, global);
    stage_pcoll(&f->stage, "all", INT, global);
    stage_pcoll(&f->stage, "tripled", INT, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, INT, "", "out0=numbers");
    fixture_port(f, "other", BEAM_URN_DATA_SOURCE, INT, "", "out0=others");
    stage_transform(&f->stage, "flatten", BEAM_URN_FLATTEN, NULL, "in0=numbers in1=others",
                    "out0=all");
    stage_pardo(&f->stage, "triple", &triple_fn, NULL, "in0=all", "out0=tripled");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, INT, "in0=tripled", "");
    fixture_start(f, false);
    return 0;
}

/* The engine takes no answer. */
static int begin_ignored(void **state)
{
    fixture *f = *state = make();
    engine_ignore(f->engine, ENGINE_CONTROL);
    fixture_start(f, false);
    return 0;
}

static void encode(beam_buffer *bytes, beam_int64 first, beam_int64 n)
{
    const beam_element_info info = beam_info_global(5);
    for (beam_int64 i = first; i < first + n; i++)
        STAGE_OK(beam_encode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &info, &i, bytes,
                                      NULL));
}

static void send_numbers(fixture *f, const char *id, beam_int64 first, beam_int64 n)
{
    beam_buffer bytes = {0};
    encode(&bytes, first, n);
    send_piece(f, id, bytes.data, bytes.len, false);
    send_piece(f, id, "", 0, true);
    beam_buffer_free(&bytes);
}

/* The bundle is done, and its elements, up to the end of its sink, are 3 * first, 3 * (first + 1),
 * ... */
static void expect_tripled(fixture *f, const char *id, beam_int64 first, beam_int64 n)
{
    beam_buffer bytes = {0};
    beam_arena arena = {0};
    expect_done(f, id);
    take_elements(f, id, &bytes);
    beam_reader reader = beam_reader_of(bytes.data, bytes.len);
    for (beam_int64 i = first; i < first + n; i++) {
        beam_element_info info;
        beam_int64 value;
        STAGE_OK(beam_decode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &reader, &info,
                                      &value, &arena, NULL));
        assert_int_equal(value, 3 * i);
        assert_int_equal(info.timestamp, 5);
    }
    assert_int_equal(beam_reader_left(&reader), 0);
    beam_arena_free(&arena);
    beam_buffer_free(&bytes);
}

/* ---- Tests ------------------------------------------------------------------------------- */

static void one_after_another(void **state)
{
    fixture *f = *state;
    static const char *const ids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) { /* the same processor */
        ask_bundle(f, ids[i]);
        send_numbers(f, ids[i], (beam_int64)i * 100, 1000);
        expect_tripled(f, ids[i], (beam_int64)i * 100, 1000);
    }
    engine_end(f->engine, ENGINE_CONTROL);
    pthread_join(f->worker, NULL);
    f->joined = true;
    assert_int_equal(f->status, BEAM_OK);
}

/* A second bundle ends while the first waits for data. */
static void side_by_side(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "waits");
    ask_bundle(f, "runs");
    send_numbers(f, "runs", 0, 10);
    expect_tripled(f, "runs", 0, 10);
    send_numbers(f, "waits", 50, 10);
    expect_tripled(f, "waits", 50, 10);
}

static void elements_cut_anywhere(void **state)
{
    fixture *f = *state;
    beam_buffer bytes = {0};
    encode(&bytes, 1000, 20); /* numbers of two bytes */
    ask_bundle(f, "pieces");
    for (size_t i = 0; i < bytes.len; i++)
        send_piece(f, "pieces", bytes.data + i, 1, i + 1 == bytes.len);
    expect_tripled(f, "pieces", 1000, 20);
    beam_buffer_free(&bytes);
}

/* More than goes into one message, either way. */
static void many_elements(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "many");
    send_numbers(f, "many", 0, 200000);
    expect_tripled(f, "many", 0, 200000);
}

static void data_come_first(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "opens"); /* the data stream, as a bundle's first need of it does */
    send_numbers(f, "early", 7, 3);
    send_numbers(f, "opens", 1, 1);
    expect_tripled(f, "opens", 1, 1);
    ask_bundle(f, "early");
    expect_tripled(f, "early", 7, 3);
}

static void expect_failure(fixture *f, const char *id, const char *const *words, size_t n)
{
    BeamPb__InstructionResponse *response = take_response(f, id);
    for (size_t i = 0; i < n; i++)
        if (!strstr(response->error, words[i]))
            fail_msg("\"%s\" does not say \"%s\"", response->error, words[i]);
    beam_message_free(response);
}

/* The engine hears transform, function, words and element; the next bundle is none the worse. */
static void a_failure(void **state)
{
    fixture *f = *state;
    static const char *const words[] = {"Test/triple", "triple_fn", "nothing below zero", "-13"};
    ask_bundle(f, "fails");
    send_numbers(f, "fails", -13, 1);
    expect_failure(f, "fails", words, 4);
    ask_bundle(f, "goes on");
    send_numbers(f, "goes on", 20, 2);
    expect_tripled(f, "goes on", 20, 2);
}

/* Words that are no UTF-8 would make the engine lose the stream. */
static void odd_words(void **state)
{
    fixture *f = *state;
    static const char *const words[] = {"caf?, \xc3\xa4"};
    ask_bundle(f, "fails");
    send_numbers(f, "fails", -1, 1);
    expect_failure(f, "fails", words, 1);
    BeamPb__LogEntry__List *list =
        engine_take(f->engine, ENGINE_LOGGING, &beam_pb__log_entry__list__descriptor);
    assert_non_null(list);
    assert_non_null(strstr(list->log_entries[0]->message, words[0]));
    beam_message_free(list);
}

static void damaged_data(void **state)
{
    fixture *f = *state;
    static const char *const words[] = {"Test/source", "cannot be read"};
    ask_bundle(f, "cut");
    send_piece(f, "cut", "\x80\0\0\0", 4, true);
    expect_failure(f, "cut", words, 2);
    static const char *const unknown[] = {"nobody", "does not read"};
    BeamPb__Elements elements = BEAM_PB__ELEMENTS__INIT;
    BeamPb__Elements__Data data = BEAM_PB__ELEMENTS__DATA__INIT, *all = &data;
    data.instruction_id = (char *)"lost";
    data.transform_id = (char *)"nobody";
    elements.data = &all;
    elements.n_data = 1;
    ask_bundle(f, "lost");
    engine_send(f->engine, ENGINE_DATA, &elements);
    expect_failure(f, "lost", unknown, 2);
}

static void send_to(fixture *f, const char *id, const char *transform, beam_int64 number, bool last)
{
    beam_buffer bytes = {0};
    BeamPb__Elements elements = BEAM_PB__ELEMENTS__INIT;
    BeamPb__Elements__Data data = BEAM_PB__ELEMENTS__DATA__INIT, *all = &data;
    if (number)
        encode(&bytes, number, 1);
    data.instruction_id = (char *)id;
    data.transform_id = (char *)transform;
    data.data = (ProtobufCBinaryData){bytes.len, bytes.data};
    data.is_last = last;
    elements.data = &all;
    elements.n_data = 1;
    engine_send(f->engine, ENGINE_DATA, &elements);
    beam_buffer_free(&bytes);
}

/* To say twice that there is no more does no harm; to send more nevertheless is an error, and not
 * the beginning of more. */
static void more_after_the_end(void **state)
{
    fixture *f = *state;
    static const char *const words[] = {"source", "after their end"};
    ask_bundle(f, "twice");
    send_to(f, "twice", "source", 7, true);
    send_to(f, "twice", "source", 0, true);
    send_to(f, "twice", "source", 0, false);
    send_to(f, "twice", "other", 0, true);
    expect_tripled(f, "twice", 7, 1);
    ask_bundle(f, "more");
    send_to(f, "more", "source", 7, true);
    send_to(f, "more", "source", 8, false);
    expect_failure(f, "more", words, 2);
}

/* Data of a bundle that has ended are thrown away, so another of that name would wait for ever. */
static void names_that_are_none(void **state)
{
    fixture *f = *state;
    static const char *const again[] = {"there was a bundle of this instruction"}, *const none[] = {
                                                                                       "has no id"};
    ask_bundle(f, "same");
    send_numbers(f, "same", 1, 1);
    expect_tripled(f, "same", 1, 1);
    ask_bundle(f, "same");
    expect_failure(f, "same", again, 1);
    ask_bundle(f, "");
    expect_failure(f, "", none, 1);
    ask_bundle(f, "next");
    send_numbers(f, "next", 2, 1);
    expect_tripled(f, "next", 2, 1);
}

/* What is known but has ended is answered with nothing; what nobody knows is an error. */
static void other_instructions(void **state)
{
    fixture *f = *state;
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    request.instruction_id = (char *)"what";
    engine_send(f->engine, ENGINE_CONTROL, &request);
    static const char *const words[] = {"does not know"};
    expect_failure(f, "what", words, 1);

    BeamPb__ProcessBundleSplitRequest split = BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__INIT;
    split.instruction_id = (char *)"gone";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT;
    request.process_bundle_split = &split;
    engine_send(f->engine, ENGINE_CONTROL, &request);
    BeamPb__InstructionResponse *response = take_response(f, "what");
    assert_string_equal(response->error, "");
    assert_int_equal(response->response_case,
                     BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE_SPLIT);
    beam_message_free(response);
}

/* ---- Splits ------------------------------------------------------------------------------ */

/* -1: no split. */
static int64_t split_at(fixture *f, const char *id, double fraction, int64_t total,
                        const int64_t *allowed, size_t n_allowed)
{
    ask_split(f, id, fraction, total, allowed, n_allowed);
    BeamPb__InstructionResponse *response = take_split(f);
    const BeamPb__ProcessBundleSplitResponse *s = response->process_bundle_split;
    int64_t at = -1;
    if (s->n_channel_splits) {
        assert_string_equal(s->channel_splits[0]->transform_id, "source");
        at = s->channel_splits[0]->first_residual_element;
        assert_int_equal(s->channel_splits[0]->last_primary_element, at - 1);
    }
    assert_int_equal(s->n_residual_roots, 0);
    beam_message_free(response);
    return at;
}

/* Waits until the bundle runs: before, nothing is split. */
static void wait_for_split(fixture *f, const char *id, double fraction, int64_t total, int64_t at)
{
    int64_t got = -1;
    for (int i = 0; i < 10000 && got < 0; i++)
        got = split_at(f, id, fraction, total, NULL, 0);
    assert_int_equal(got, at);
}

/* What was given away is not processed, though its data come. */
static void elements_given_away(void **state)
{
    fixture *f = *state;
    beam_buffer bytes = {0};
    ask_bundle(f, "cut");
    wait_for_split(f, "cut", 0.5, 1000, 500);
    assert_int_equal(split_at(f, "cut", 0.5, 1000, NULL, 0), 250); /* of what is left */
    const int64_t allowed[] = {7, 100, 240, 300};
    assert_int_equal(split_at(f, "cut", 0.5, 1000, allowed, 4), 100);
    assert_int_equal(split_at(f, "cut", 1, 1000, NULL, 0), -1);
    assert_int_equal(split_at(f, "cut", 0, 1000, NULL, 0), 1); /* a bundle keeps one */
    assert_int_equal(split_at(f, "cut", 0.5, 1000, NULL, 0), -1);
    assert_int_equal(split_at(f, "nobody", 0.5, 1000, NULL, 0), -1);
    encode(&bytes, 40, 1000);
    send_piece(f, "cut", bytes.data, 4000, false);
    send_piece(f, "cut", bytes.data + 4000, bytes.len - 4000, true);
    expect_tripled(f, "cut", 40, 1);
    ask_bundle(f, "next"); /* the same processor, from the beginning */
    send_numbers(f, "next", 0, 300);
    expect_tripled(f, "next", 0, 300);
    beam_buffer_free(&bytes);
}

/* Of a source with 1000 elements and of another with 10. */
static void ask_two_splits(fixture *f, const char *id)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleSplitRequest split = BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__INIT;
    BeamPb__ProcessBundleSplitRequest__DesiredSplit wishes[2] = {
        BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__DESIRED_SPLIT__INIT,
        BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__DESIRED_SPLIT__INIT};
    BeamPb__ProcessBundleSplitRequest__DesiredSplitEntry entries[2] = {
        BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__DESIRED_SPLIT_ENTRY__INIT,
        BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__DESIRED_SPLIT_ENTRY__INIT};
    BeamPb__ProcessBundleSplitRequest__DesiredSplitEntry *all[2] = {&entries[0], &entries[1]};
    for (size_t i = 0; i < 2; i++) {
        wishes[i].fraction_of_remainder = 0.5;
        wishes[i].estimated_input_elements = i ? 10 : 1000;
        entries[i].key = (char *)(i ? "other" : "source");
        entries[i].value = &wishes[i];
    }
    split.instruction_id = (char *)id;
    split.desired_splits = all;
    split.n_desired_splits = 2;
    request.instruction_id = (char *)"split";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT;
    request.process_bundle_split = &split;
    engine_send(f->engine, ENGINE_CONTROL, &request);
}

/* What is given away of each source is told. */
static void two_sources(void **state)
{
    fixture *f = *state;
    BeamPb__InstructionResponse *response = NULL;
    const BeamPb__ProcessBundleSplitResponse *s;
    ask_bundle(f, "both");
    do { /* until the bundle runs */
        beam_message_free(response);
        ask_two_splits(f, "both");
        response = take_split(f);
        s = response->process_bundle_split;
    } while (!s->n_channel_splits);
    assert_int_equal(s->n_channel_splits, 2);
    assert_string_equal(s->channel_splits[0]->transform_id, "source");
    assert_int_equal(s->channel_splits[0]->first_residual_element, 500);
    assert_string_equal(s->channel_splits[1]->transform_id, "other");
    assert_int_equal(s->channel_splits[1]->first_residual_element, 5);
    beam_message_free(response);
}

/* The bundle has begun some: what is cut off is none of those. */
static void elements_begun_stay(void **state)
{
    fixture *f = *state;
    beam_buffer bytes = {0};
    encode(&bytes, 0, 400);
    ask_bundle(f, "half");
    send_piece(f, "half", bytes.data, bytes.len / 2, false);
    int64_t at = -1;
    for (int i = 0; i < 10000 && at < 0; i++)
        at = split_at(f, "half", 0.5, 400, NULL, 0);
    assert_true(at >= 1 && at < 400);
    send_piece(f, "half", bytes.data + bytes.len / 2, bytes.len - bytes.len / 2, true);
    expect_tripled(f, "half", 0, at);
    beam_buffer_free(&bytes);
}

/* ---- Log --------------------------------------------------------------------------------- */

/* A failed bundle's words arrive with the instruction, and are the worker's own log's as well. */
static void records_reach_the_engine(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "logs");
    send_numbers(f, "logs", -5, 1);
    static const char *const words[] = {"nothing below zero"};
    expect_failure(f, "logs", words, 1);
    BeamPb__LogEntry__List *list =
        engine_take(f->engine, ENGINE_LOGGING, &beam_pb__log_entry__list__descriptor);
    assert_non_null(list);
    assert_int_equal(list->n_log_entries, 1);
    assert_int_equal(list->log_entries[0]->severity, BEAM_PB__LOG_ENTRY__SEVERITY__ENUM__ERROR);
    assert_string_equal(list->log_entries[0]->instruction_id, "logs");
    assert_string_equal(list->log_entries[0]->transform_id, "triple");
    assert_non_null(strstr(list->log_entries[0]->message, "nothing below zero"));
    assert_true(list->log_entries[0]->timestamp->seconds > 1700000000);
    beam_message_free(list);
}

/* What is no end as it should be is none, whatever its status. */
static void ended_by_a_deadline(void **state)
{
    fixture *f = *state;
    engine_end_with(f->engine, ENGINE_CONTROL, BEAM_DEADLINE_EXCEEDED);
    pthread_join(f->worker, NULL);
    f->joined = true;
    assert_int_equal(f->status, BEAM_DEADLINE_EXCEEDED);
    assert_non_null(strstr(f->err.message, "did not give instructions in time"));
}

/* An engine that hangs keeps no worker that is to end: not with an answer that it does not take. */
static void the_engine_hangs(void **state)
{
    fixture *f = *state;
    enum { LARGE = 8 << 20 }; /* more than is on its way at once */
    char *id = calloc(1, LARGE);
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    assert_non_null(id);
    memset(id, 'x', LARGE - 1);
    request.instruction_id = id; /* the answer has it, too */
    engine_send(f->engine, ENGINE_CONTROL, &request);
    nanosleep(&(struct timespec){1, 0}, NULL); /* for it to be at its answer */
    __atomic_store_n(&f->stop, 1, __ATOMIC_RELAXED);
    pthread_join(f->worker, NULL);
    f->joined = true;
    free(id);
}

/* An engine that says what is no instruction, and takes no answers: what a bundle has to say then
 * is not waited for. */
static void the_engine_raves(void **state)
{
    fixture *f = *state;
    enum { LARGE = 8 << 20 };
    static uint8_t bundle[] = {1, 0xff}; /* one byte, which begins something */
    char *id = calloc(1, LARGE);
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    ProtobufCMessageUnknownField field = {.tag = 1001,
                                          .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
                                          .len = sizeof bundle,
                                          .data = bundle};
    assert_non_null(id);
    memset(id, 'x', LARGE - 1);
    ask_bundle(f, id); /* the answer has it, too */
    request.instruction_id = (char *)"odd";
    request.base.unknown_fields = &field;
    request.base.n_unknown_fields = 1;
    engine_send(f->engine, ENGINE_CONTROL, &request);
    pthread_join(f->worker, NULL);
    f->joined = true;
    assert_int_equal(f->status, BEAM_DATA_LOSS);
    free(id);
}

/* An engine that breaks off in the midst of a bundle: the worker ends, and says why. */
static void the_engine_dies(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "half");
    send_piece(f, "half", "", 0, false);
    engine_break(f->engine);
    pthread_join(f->worker, NULL);
    f->joined = true;
    assert_int_not_equal(f->status, BEAM_OK);
    assert_true(*f->err.message);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, fixture_end)
static const struct CMUnitTest tests[] = {
    TEST(one_after_another),
    TEST(side_by_side),
    TEST(elements_cut_anywhere),
    TEST(many_elements),
    TEST(data_come_first),
    TEST(a_failure),
    TEST(damaged_data),
    cmocka_unit_test_setup_teardown(more_after_the_end, begin_two, fixture_end),
    TEST(names_that_are_none),
    TEST(other_instructions),
    TEST(ended_by_a_deadline),
    TEST(the_engine_dies),
    cmocka_unit_test_setup_teardown(the_engine_hangs, begin_ignored, fixture_end),
    cmocka_unit_test_setup_teardown(the_engine_raves, begin_ignored, fixture_end),
    TEST(elements_given_away),
    cmocka_unit_test_setup_teardown(two_sources, begin_two, fixture_end),
    TEST(elements_begun_stay),
    cmocka_unit_test_setup_teardown(records_reach_the_engine, begin_with_log, fixture_end),
    cmocka_unit_test_setup_teardown(odd_words, begin_with_log, fixture_end),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
