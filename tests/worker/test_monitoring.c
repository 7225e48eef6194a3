/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What a worker tells an engine besides elements: sizes, times, samples, its status. */
#include <time.h>

#include "type/windowed.h"
#include "worker/fixture.h"

enum { TEXT = 100, N = 10, NAP_MS = 30 };

static beam_status nap(beam_ctx *c, const beam_str *text)
{
    (void)nanosleep(&(struct timespec){0, NAP_MS * 1000000}, NULL);
    beam_ctx_log(c, BEAM_LOG_WARNING, "half asleep");
    return beam_emit(c, beam_int64, (beam_int64)text->len);
}
BEAM_DOFN(nap_fn, beam_str, nap, BEAM_TYPES(&beam_int64_type));

static void add_nap(fixture *f)
{
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    stage_pcoll(&f->stage, "texts", &beam_str_type, global);
    stage_pcoll(&f->stage, "lengths", &beam_int64_type, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, &beam_str_type, "", "out0=texts");
    stage_pardo(&f->stage, "nap", &nap_fn, NULL, "in0=texts", "out0=lengths");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, &beam_int64_type, "in0=lengths", "");
}

static int begin(void **state)
{
    fixture *f = fixture_new();
    add_nap(f);
    fixture_start(f, true);
    *state = f;
    return 0;
}

static void send_texts(fixture *f, const char *id, bool last)
{
    static char text[TEXT];
    const beam_element_info info = beam_info_global(5);
    beam_buffer bytes = {0};
    memset(text, 'x', sizeof text);
    const beam_str element = {text, sizeof text};
    for (int i = 0; i < N; i++)
        STAGE_OK(beam_encode_windowed(&beam_str_type, &beam_global_window_type, BEAM_NESTED, &info,
                                      &element, &bytes, NULL));
    send_piece(f, id, bytes.data, bytes.len, last);
    beam_buffer_free(&bytes);
}

static BeamPb__InstructionResponse *run_bundle(fixture *f, const char *id)
{
    beam_buffer lengths = {0};
    ask_bundle(f, id);
    send_texts(f, id, true);
    BeamPb__InstructionResponse *response = take_response(f, id);
    assert_string_equal(response->error, "");
    take_elements(f, id, &lengths);
    beam_buffer_free(&lengths);
    return response;
}

/* The numbers of the only info of that URN and label; how many infos there are. */
static size_t find(const BeamPb__ProcessBundleResponse *bundle, const char *urn, const char *label,
                   int64_t *numbers, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < bundle->n_monitoring_infos; i++) {
        const BeamPb__MonitoringInfo *info = bundle->monitoring_infos[i];
        if (strcmp(info->urn, urn) != 0 || strcmp(info->labels[0]->value, label) != 0)
            continue;
        beam_reader reader = beam_reader_of(info->payload.data, info->payload.len);
        for (size_t k = 0; k < n; k++)
            STAGE_OK(beam_read_varint(&reader, (uint64_t *)&numbers[k]));
        assert_int_equal(beam_reader_left(&reader), 0);
        found++;
    }
    return found;
}

static void sizes_and_times(void **state)
{
    fixture *f = *state;
    BeamPb__InstructionResponse *response = run_bundle(f, "bundle");
    const BeamPb__ProcessBundleResponse *bundle = response->process_bundle;
    int64_t sizes[4], ms;
    assert_int_equal(find(bundle, BEAM_URN_METRIC_SAMPLED_BYTES, "texts", sizes, 4), 1);
    assert_true(sizes[0] >= 1 && sizes[0] <= N);
    assert_int_equal(sizes[1], sizes[0] * (TEXT + 1));
    assert_int_equal(sizes[2], TEXT + 1);
    assert_int_equal(sizes[3], TEXT + 1);
    assert_int_equal(find(bundle, BEAM_URN_METRIC_SAMPLED_BYTES, "lengths", sizes, 4), 1);
    assert_int_equal(sizes[3], 1);
    assert_int_equal(find(bundle, BEAM_URN_METRIC_PROCESS_MSECS, "nap", &ms, 1), 1);
    assert_true(ms > N * NAP_MS / 10); /* it is looked at only now and then */
    assert_int_equal(find(bundle, BEAM_URN_METRIC_TOTAL_MSECS, "nap", &ms, 1), 1);
    assert_true(ms > N * NAP_MS / 10);
    assert_int_equal(find(bundle, BEAM_URN_METRIC_PROCESS_MSECS, "source", &ms, 1), 0);
    beam_message_free(response);
}

static BeamPb__InstructionResponse *ask(fixture *f, BeamPb__InstructionRequest *request)
{
    request->instruction_id = (char *)"ask";
    engine_send(f->engine, ENGINE_CONTROL, request);
    BeamPb__InstructionResponse *response = take_response(f, "ask");
    assert_string_equal(response->error, "");
    return response;
}

static void samples(void **state)
{
    fixture *f = *state;
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__SampleDataRequest wanted = BEAM_PB__SAMPLE_DATA_REQUEST__INIT;
    char *texts = (char *)"texts";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_SAMPLE_DATA;
    request.sample_data = &wanted;
    BeamPb__InstructionResponse *response = ask(f, &request);
    assert_int_equal(response->sample_data->n_element_samples, 0);
    beam_message_free(response);
    beam_message_free(run_bundle(f, "bundle"));
    response = ask(f, &request);
    assert_int_equal(response->sample_data->n_element_samples, 2);
    beam_message_free(response);
    wanted.pcollection_ids = &texts;
    wanted.n_pcollection_ids = 1;
    response = ask(f, &request);
    assert_int_equal(response->sample_data->n_element_samples, 1);
    const BeamPb__SampleDataResponse__ElementListEntry *entry =
        response->sample_data->element_samples[0];
    assert_string_equal(entry->key, "texts");
    assert_true(entry->value->n_elements >= 1);
    const BeamPb__SampledElement *sample = entry->value->elements[0];
    assert_int_equal(sample->element.len, TEXT + 1);
    assert_int_equal(sample->element.data[0], TEXT);
    assert_int_equal(sample->element.data[TEXT], 'x');
    assert_true(sample->sample_timestamp->seconds > 1700000000);
    beam_message_free(response);
}

/* By short ids, whose meaning is asked for. */
static void of_the_harness(void **state)
{
    fixture *f = *state;
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__HarnessMonitoringInfosRequest all = BEAM_PB__HARNESS_MONITORING_INFOS_REQUEST__INIT;
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_HARNESS_MONITORING_INFOS;
    request.harness_monitoring_infos = &all;
    beam_message_free(run_bundle(f, "bundle"));
    BeamPb__InstructionResponse *told = ask(f, &request);
    size_t n = told->harness_monitoring_infos->n_monitoring_data, threads = 0;
    assert_true(n > 0);
    BeamPb__MonitoringInfosMetadataRequest meaning =
        BEAM_PB__MONITORING_INFOS_METADATA_REQUEST__INIT;
    char *id;
    meaning.monitoring_info_id = &id;
    meaning.n_monitoring_info_id = 1;
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_MONITORING_INFOS;
    request.monitoring_infos = &meaning;
    for (size_t i = 0; i < n; i++) {
        id = told->harness_monitoring_infos->monitoring_data[i]->key;
        BeamPb__InstructionResponse *meant = ask(f, &request);
        assert_int_equal(meant->monitoring_infos->n_monitoring_info, 1);
        const BeamPb__MonitoringInfo *info = meant->monitoring_infos->monitoring_info[0]->value;
        assert_string_equal(info->labels[0]->value, "libbeam.worker");
        threads += strcmp(info->labels[1]->value, "threads_begun") == 0;
        beam_message_free(meant);
    }
    assert_int_equal(threads, 1);
    beam_message_free(told);
}

/* What the worker says of itself; the caller's. */
static BeamPb__WorkerStatusResponse *ask_status(fixture *f)
{
    BeamPb__WorkerStatusRequest question = BEAM_PB__WORKER_STATUS_REQUEST__INIT;
    question.id = (char *)"q";
    engine_send(f->engine, ENGINE_STATUS, &question);
    BeamPb__WorkerStatusResponse *told =
        engine_take(f->engine, ENGINE_STATUS, &beam_pb__worker_status_response__descriptor);
    assert_non_null(told);
    assert_string_equal(told->id, "q");
    return told;
}

/* Begins a bundle and waits until it has done a piece of its data, and wants more. */
static void begin_bundle(fixture *f, const char *id)
{
    char begun[64];
    bool waits = false;
    (void)snprintf(begun, sizeof begun, "%s of stage", id);
    ask_bundle(f, id);
    send_texts(f, id, false);
    for (int i = 0; i < 1000 && !waits; i++) {
        BeamPb__WorkerStatusResponse *told = ask_status(f);
        assert_non_null(strstr(told->status_info, "libbeam worker worker\n"));
        waits = strstr(told->status_info, begun) &&
                strstr(told->status_info, "10 elements, waits for data");
        beam_message_free(told);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    assert_true(waits);
}

static void its_status(void **state)
{
    fixture *f = *state;
    begin_bundle(f, "asleep");
    send_piece(f, "asleep", "", 0, true);
    expect_done(f, "asleep");
}

/* Threads that begin from here on want so large a stack; returns what they wanted before. */
static size_t want_stack(size_t bytes)
{
    pthread_attr_t attributes;
    size_t before;
    assert_int_equal(pthread_getattr_default_np(&attributes), 0);
    assert_int_equal(pthread_attr_getstacksize(&attributes, &before), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, bytes), 0);
    assert_int_equal(pthread_setattr_default_np(&attributes), 0);
    pthread_attr_destroy(&attributes);
    return before;
}

/* A bundle for which there is no thread is refused, and its data, which come all the same, are
 * thrown away. */
static void data_of_a_refused_bundle(void **state)
{
    fixture *f = *state;
    begin_bundle(f, "runs"); /* on the only thread there is */
    size_t before = want_stack((size_t)1 << 46);
    ask_bundle(f, "refused");
    BeamPb__InstructionResponse *response = take_response(f, "refused");
    (void)want_stack(before);
    assert_non_null(strstr(response->error, "no thread for an instruction"));
    beam_message_free(response);
    send_texts(f, "refused", true);
    send_piece(f, "runs", "", 0, true); /* behind them */
    expect_done(f, "runs");
    BeamPb__WorkerStatusResponse *told = ask_status(f);
    if (!strstr(told->status_info, "data that wait: 0 bytes,"))
        fail_msg("%s", told->status_info);
    beam_message_free(told);
}

/* A function's own words go with the transform's id. */
static void words_of_a_function(void **state)
{
    fixture *f = *state;
    beam_message_free(run_bundle(f, "bundle"));
    BeamPb__LogEntry__List *list =
        engine_take(f->engine, ENGINE_LOGGING, &beam_pb__log_entry__list__descriptor);
    assert_non_null(list);
    assert_string_equal(list->log_entries[0]->message, "half asleep");
    assert_string_equal(list->log_entries[0]->transform_id, "nap");
    assert_string_equal(list->log_entries[0]->instruction_id, "bundle");
    beam_message_free(list);
}

/* ---- What is refused --------------------------------------------------------------------- */

static fixture *with_payload(BeamPb__ParDoPayload *payload)
{
    fixture *f = fixture_new();
    add_nap(f);
    for (size_t i = 0; i < f->stage.descriptor.n_transforms; i++) {
        BeamPb__PTransform *t = f->stage.descriptor.transforms[i]->value;
        if (strcmp(t->spec->urn, BEAM_URN_PARDO) != 0)
            continue;
        STAGE_OK(beam_dofn_to_proto(&nap_fn, NULL, &f->stage.arena, &payload->do_fn, NULL));
        STAGE_OK(beam_message_pack_arena(payload, &f->stage.arena, &t->spec->payload));
    }
    fixture_start(f, false);
    ask_bundle(f, "refused");
    return f;
}

static void expect_refused(fixture *f, const char *words)
{
    void *state = f;
    BeamPb__InstructionResponse *response = take_response(f, "refused");
    if (!strstr(response->error, words) || !strstr(response->error, "nap"))
        fail_msg("\"%s\" does not say \"%s\"", response->error, words);
    beam_message_free(response);
    fixture_end(&state);
}

static void state_and_timers(void **state)
{
    (void)state;
    BeamPb__StateSpec spec = BEAM_PB__STATE_SPEC__INIT;
    BeamPb__StateSpecEntry counter = BEAM_PB__STATE_SPEC_ENTRY__INIT, *counters = &counter;
    BeamPb__TimerFamilySpec family = BEAM_PB__TIMER_FAMILY_SPEC__INIT;
    BeamPb__TimerFamilySpecEntry alarm = BEAM_PB__TIMER_FAMILY_SPEC_ENTRY__INIT, *alarms = &alarm;
    BeamPb__ParDoPayload with_state = BEAM_PB__PAR_DO_PAYLOAD__INIT, with_timer = with_state,
                         sorted = with_state;
    counter.key = (char *)"visits";
    counter.value = &spec;
    with_state.state_specs = &counters;
    with_state.n_state_specs = 1;
    expect_refused(with_payload(&with_state), "asks for state: visits");
    alarm.key = (char *)"alarm";
    alarm.value = &family;
    with_timer.timer_family_specs = &alarms;
    with_timer.n_timer_family_specs = 1;
    expect_refused(with_payload(&with_timer), "asks for timers: alarm");
    sorted.requires_time_sorted_input = true;
    expect_refused(with_payload(&sorted), "sorted by time");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, fixture_end)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(sizes_and_times),
                                       TEST(samples),
                                       TEST(of_the_harness),
                                       TEST(its_status),
                                       TEST(data_of_a_refused_bundle),
                                       TEST(words_of_a_function),
                                       cmocka_unit_test(state_and_timers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
