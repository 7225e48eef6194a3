/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A worker of which each gRPC operation fails in turn, until a run has none left to fail: it ends,
 * or it tells the engine what failed, in words, or nothing was lost. */
#include "net/grpc_faults.h"
#include "type/windowed.h"
#include "worker/fixture.h"

#define INT (&beam_int64_type)

enum { TOO_MANY = 1000, LONG = 20 /* s; what ends at all ends within one or two */, WORDS = 12 };

static beam_status add_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable values;
    beam_int64 sum = *x;
    BEAM_TRY(beam_side_iterable(c, 0, &values));
    beam_iter iter = beam_iterate(&values, beam_int64);
    for (const beam_int64 *value; (value = beam_next(&iter, beam_int64));)
        sum += *value;
    BEAM_TRY(iter.status);
    beam_ctx_log(c, BEAM_LOG_INFO, "the sum is %lld", (long long)sum);
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(add_side_fn, beam_int64, add_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_ITERABLE, .type = &beam_int64_type}));

static fixture *begin(void)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    fixture *f = fixture_new();
    BeamPb__ApiServiceDescriptor *service =
        stage_message(&f->stage, &beam_pb__api_service_descriptor__descriptor);
    service->url = (char *)engine_endpoint(f->engine);
    f->stage.descriptor.state_api_service_descriptor = service;
    stage_pcoll(&f->stage, "numbers", INT, global);
    stage_pcoll(&f->stage, "others", INT, global);
    stage_pcoll(&f->stage, "sums", INT, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, INT, "", "out0=numbers");
    stage_pardo(&f->stage, "add", &add_side_fn, NULL, "in0=numbers side0=others", "out0=sums");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, INT, "in0=sums", "");
    engine_expect_faults(f->engine);
    fixture_start(f, true);
    return f;
}

/* ---- An engine that takes what comes ----------------------------------------------------- */

/* What became of a run. */
typedef struct outcome {
    unsigned n;            /* which operation was to fail */
    bool told;             /* the engine was, that a bundle failed */
    bool answered, summed; /* a bundle was; and all it had to send has come */
} outcome;

static void answer_page(fixture *f, const char *bytes, size_t size, const char *next)
{
    BeamPb__StateRequest *q =
        engine_take(f->engine, ENGINE_STATE, &beam_pb__state_request__descriptor);
    if (!q)
        return;
    BeamPb__StateResponse response = BEAM_PB__STATE_RESPONSE__INIT;
    BeamPb__StateGetResponse get = BEAM_PB__STATE_GET_RESPONSE__INIT;
    get.data = (ProtobufCBinaryData){size, (uint8_t *)bytes};
    get.continuation_token = (ProtobufCBinaryData){strlen(next), (uint8_t *)next};
    response.id = q->id;
    response.response_case = BEAM_PB__STATE_RESPONSE__RESPONSE_GET;
    response.get = &get;
    (void)engine_send(f->engine, ENGINE_STATE, &response);
    beam_message_free(q);
}

static void send_number(fixture *f, const char *id, beam_int64 number)
{
    const beam_element_info info = beam_info_global(5);
    beam_buffer bytes = {0};
    STAGE_OK(beam_encode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &info, &number,
                                  &bytes, NULL));
    send_piece(f, id, bytes.data, bytes.len, true);
    beam_buffer_free(&bytes);
}

/* The bundle's one sum is what it should be, unless the worker went before all of it was sent. */
static bool takes_sum(fixture *f, beam_int64 expected)
{
    beam_buffer bytes = {0};
    bool last = false;
    for (BeamPb__Elements *elements;
         !last &&
         (elements = engine_take(f->engine, ENGINE_DATA, &beam_pb__elements__descriptor));) {
        for (size_t i = 0; i < elements->n_data; i++) {
            const BeamPb__Elements__Data *data = elements->data[i];
            STAGE_OK(beam_buffer_append(&bytes, data->data.data, data->data.len));
            last = last || data->is_last;
        }
        beam_message_free(elements);
    }
    if (last) {
        beam_reader reader = beam_reader_of(bytes.data, bytes.len);
        beam_arena arena = {0};
        beam_element_info info;
        beam_int64 sum;
        STAGE_OK(beam_decode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &reader, &info,
                                      &sum, &arena, NULL));
        assert_int_equal(sum, expected);
        assert_int_equal(beam_reader_left(&reader), 0);
        beam_arena_free(&arena);
    }
    beam_buffer_free(&bytes);
    return last;
}

/* Errors have words, and so does success a result. */
static void runs_bundle(fixture *f, const char *id, beam_int64 number, outcome *o)
{
    o->answered = o->summed = false;
    ask_bundle(f, id);
    send_number(f, id, number);
    answer_page(f, "\x01\x02", 2, "more");
    answer_page(f, "\x04", 1, "");
    BeamPb__InstructionResponse *response =
        engine_take(f->engine, ENGINE_CONTROL, &beam_pb__instruction_response__descriptor);
    if (!response)
        return;
    o->answered = true;
    assert_string_equal(response->instruction_id, id);
    bool well = !*response->error;
    if (!well && strlen(response->error) < WORDS)
        fail_msg("operation %u, %s: the engine is told no more than \"%s\"", o->n,
                 grpc_faults_failed(), response->error);
    beam_message_free(response);
    o->told = o->told || !well;
    o->summed = well && takes_sum(f, number + 7);
}

/* A worker that has answered has opened the stream before, if it could. */
static void asks_status(fixture *f)
{
    BeamPb__WorkerStatusRequest question = BEAM_PB__WORKER_STATUS_REQUEST__INIT;
    question.id = (char *)"how";
    if (!engine_is_open(f->engine, ENGINE_STATUS) ||
        !engine_send(f->engine, ENGINE_STATUS, &question))
        return;
    BeamPb__WorkerStatusResponse *answer =
        engine_take(f->engine, ENGINE_STATUS, &beam_pb__worker_status_response__descriptor);
    if (answer)
        assert_non_null(strstr(answer->status_info, "libbeam worker"));
    beam_message_free(answer);
}

/* ---- Tests ------------------------------------------------------------------------------- */

/* False once there was no n-th operation, and all went well. */
static bool goes_on(unsigned n)
{
    outcome o = {.n = n};
    time_t begun = time(NULL);
    grpc_faults_at(GRPC_CLIENT, n);
    fixture *f = begin();
    runs_bundle(f, "first", 10, &o);
    asks_status(f);
    bool all = o.summed;
    if (all) { /* else the stream that broke would be opened once more, and the engine takes one */
        runs_bundle(f, "second", 20, &o);
        all = o.summed;
    }
    engine_end(f->engine, ENGINE_CONTROL);
    pthread_join(f->worker, NULL);
    f->joined = true;
    const char *failed = grpc_faults_failed();
    if (f->status != BEAM_OK && strlen(f->err.message) < WORDS)
        fail_msg("operation %u, %s: the worker says no more than \"%s\"", n, failed,
                 f->err.message);
    if (f->status == BEAM_OK && !o.told && !all)
        fail_msg("operation %u, %s: lost without a word", n, failed);
    if (time(NULL) - begun > LONG)
        fail_msg("operation %u, %s: %d s", n, failed, (int)(time(NULL) - begun));
    if (!failed)
        assert_int_equal(f->status, BEAM_OK);
    grpc_faults_at(GRPC_CLIENT, 0);
    void *state = f;
    (void)fixture_end(&state);
    return failed != NULL;
}

static void each_operation(void **state)
{
    (void)state;
    unsigned n = 1;
    while (n < TOO_MANY && goes_on(n))
        n++;
    assert_in_range(n, 50,
                    TOO_MANY - 1); /* two bundles on five streams and a call take that many */
    print_message("%u operations failed in turn\n", n - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_operation)};
    grpc_faults_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
