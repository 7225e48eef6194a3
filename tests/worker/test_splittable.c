/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A worker that runs a splittable DoFn gives away what it has not done of its element. */
#include <semaphore.h>

#include "base/alloc.h"
#include "type/windowed.h"
#include "worker/fixture.h"

BEAM_KV(pair, beam_int64, beam_offset_range);
BEAM_KV(sized, pair, beam_double);

static sem_t reached, go; /* the function is at 10; it may go on */

static beam_status whole(beam_ctx *c, const void *element, void *restriction)
{
    (void)c;
    *(beam_offset_range *)restriction = (beam_offset_range){0, *(const beam_int64 *)element};
    return BEAM_OK;
}

static beam_status length(beam_ctx *c, const void *element, const void *restriction, double *size)
{
    (void)c, (void)element;
    const beam_offset_range *range = restriction;
    *size = (double)(range->stop - range->start);
    return BEAM_OK;
}

static beam_status numbers(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    for (int64_t at = range->start; beam_try_claim_offset(c, tracker, at); at++) {
        BEAM_TRY(beam_emit(c, beam_int64, at));
        if (at == 10) {
            sem_post(&reached);
            sem_wait(&go);
        }
    }
    return BEAM_OK;
}

static bool give_nothing(void *state, double fraction, void *primary, void *residual)
{
    (void)state, (void)fraction, (void)primary, (void)residual;
    return false;
}

static beam_tracker_fn tracker; /* beam_offset_range_tracker, or one that does not split */

static const beam_splittable splittable = {.struct_size = sizeof(beam_splittable),
                                           .restriction = &beam_offset_range_type,
                                           .tracker = &tracker,
                                           .initial_restriction = whole,
                                           .restriction_size = length,
                                           .process = numbers};
static const beam_dofn numbers_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "numbers_fn",
                                     .in = &beam_int64_type,
                                     BEAM_TYPES(&beam_int64_type),
                                     .splittable = &splittable};

static int begin_with(void **state, const beam_tracker_fn *how)
{
    tracker = *how;
    const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
    fixture *f = fixture_new();
    sem_init(&reached, 0, 0);
    sem_init(&go, 0, 0);
    stage_pcoll(&f->stage, "ranges", &sized_type, global);
    stage_pcoll(&f->stage, "numbers", &beam_int64_type, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, &sized_type, "", "out0=ranges");
    stage_dofn(&f->stage, "process", BEAM_URN_SDF_PROCESS, &numbers_fn, NULL, "in0=ranges",
               "out0=numbers");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, &beam_int64_type, "in0=numbers", "");
    fixture_start(f, false);
    *state = f;
    return 0;
}

static int begin(void **state)
{
    return begin_with(state, &beam_offset_range_tracker);
}

static int begin_whole(void **state)
{
    beam_tracker_fn whole_only = beam_offset_range_tracker;
    whole_only.try_split = give_nothing;
    return begin_with(state, &whole_only);
}

static int end(void **state)
{
    sem_post(&go); /* where a test failed before */
    int status = fixture_end(state);
    sem_destroy(&reached);
    sem_destroy(&go);
    return status;
}

static void send_ranges_to(fixture *f, const char *id, size_t n, int64_t stop)
{
    beam_buffer bytes = {0};
    const beam_element_info info = beam_info_global(4);
    const sized range = {{stop, {0, stop}}, (double)stop};
    for (size_t i = 0; i < n; i++)
        STAGE_OK(beam_encode_windowed(&sized_type, &beam_global_window_type, BEAM_NESTED, &info,
                                      &range, &bytes, NULL));
    send_piece(f, id, bytes.data, bytes.len, true);
    beam_buffer_free(&bytes);
}

static void send_ranges(fixture *f, const char *id, size_t n)
{
    send_ranges_to(f, id, n, 100);
}

/* Instructions are read one after another: when this one is answered, those before were read. */
static void pass_by(fixture *f)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__HarnessMonitoringInfosRequest infos = BEAM_PB__HARNESS_MONITORING_INFOS_REQUEST__INIT;
    request.instruction_id = (char *)"marker";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_HARNESS_MONITORING_INFOS;
    request.harness_monitoring_infos = &infos;
    engine_send(f->engine, ENGINE_CONTROL, &request);
    beam_message_free(take_response(f, "marker"));
}

static sized decode_root(const BeamPb__BundleApplication *root)
{
    beam_reader reader = beam_reader_of(root->element.data, root->element.len);
    beam_arena arena = {0};
    beam_element_info info;
    sized range;
    assert_string_equal(root->transform_id, "process");
    assert_string_equal(root->input_id, "in0");
    STAGE_OK(beam_decode_windowed(&sized_type, &beam_global_window_type, BEAM_NESTED, &reader,
                                  &info, &range, &arena, NULL));
    assert_int_equal(beam_reader_left(&reader), 0);
    assert_int_equal(info.timestamp, 4);
    assert_int_equal(range.key.key, 100);
    beam_arena_free(&arena);
    return range;
}

/* How many elements the bundle gives. */
static size_t count(fixture *f, const char *id)
{
    beam_buffer bytes = {0};
    beam_arena arena = {0};
    size_t n = 0;
    expect_done(f, id);
    take_elements(f, id, &bytes);
    beam_reader reader = beam_reader_of(bytes.data, bytes.len);
    for (; beam_reader_left(&reader); n++) {
        beam_element_info info;
        beam_int64 value;
        STAGE_OK(beam_decode_windowed(&beam_int64_type, &beam_global_window_type, BEAM_NESTED,
                                      &reader, &info, &value, &arena, NULL));
    }
    beam_arena_free(&arena);
    beam_buffer_free(&bytes);
    return n;
}

/* Of one element the first half stays, and the second is the engine's. */
static void the_element_at_hand(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "one");
    send_ranges(f, "one", 1);
    sem_wait(&reached);
    ask_split(f, "one", 0.5, 1, NULL, 0);
    pass_by(f);
    sem_post(&go);
    BeamPb__InstructionResponse *response = take_split(f);
    const BeamPb__ProcessBundleSplitResponse *s = response->process_bundle_split;
    assert_int_equal(s->n_primary_roots, 1);
    assert_int_equal(s->n_residual_roots, 1);
    sized primary = decode_root(s->primary_roots[0]);
    sized residual = decode_root(s->residual_roots[0]->application);
    assert_int_equal(primary.key.value.start, 0);
    assert_int_equal(primary.key.value.stop, residual.key.value.start);
    assert_int_equal(residual.key.value.stop, 100);
    assert_true(residual.value == (double)(100 - residual.key.value.start));
    assert_int_equal(s->n_channel_splits, 1);
    assert_int_equal(s->channel_splits[0]->last_primary_element, -1);
    assert_int_equal(s->channel_splits[0]->first_residual_element, 1);
    assert_int_equal(count(f, "one"), residual.key.value.start);
    beam_message_free(response);
}

/* While there are others, they go first. */
static void the_elements_behind(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "three");
    send_ranges(f, "three", 3);
    sem_wait(&reached);
    ask_split(f, "three", 0.5, 3, NULL, 0);
    BeamPb__InstructionResponse *response = take_split(f);
    assert_int_equal(response->process_bundle_split->n_residual_roots, 0);
    assert_int_equal(response->process_bundle_split->channel_splits[0]->first_residual_element, 2);
    beam_message_free(response);
    sem_post(&go);
    sem_wait(&reached);
    sem_post(&go);
    assert_int_equal(count(f, "three"), 200);
}

/* The answer that nothing is given away. */
static void expect_no_split(fixture *f)
{
    BeamPb__InstructionResponse *response = take_split(f);
    assert_int_equal(response->process_bundle_split->n_residual_roots, 0);
    assert_int_equal(response->process_bundle_split->n_channel_splits, 0);
    beam_message_free(response);
}

/* A bundle that ends before the function claims again answers with nothing. */
static void too_late(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "late");
    send_ranges_to(f, "late", 1, 11);
    sem_wait(&reached); /* at its last number */
    ask_split(f, "late", 0.5, 1, NULL, 0);
    pass_by(f);
    sem_post(&go);
    expect_no_split(f);
    assert_int_equal(count(f, "late"), 11);
}

/* Where the tracker gives nothing away, the engine hears of it before the bundle ends, and may ask
 * again. */
static void refused(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "short");
    send_ranges_to(f, "short", 2, 50);
    sem_wait(&reached);
    ask_split(f, "short", 0.5, 1, NULL, 0);
    pass_by(f);
    sem_post(&go);
    expect_no_split(f);
    sem_post(&go);
    assert_int_equal(count(f, "short"), 100);
}

/* Where there is no memory to give anything away the bundle fails, and who asked is answered, too.
 */
static void lacks_memory(void **state)
{
    fixture *f = *state;
    for (char id[] = "1"; *id < '4'; ++*id) {
        ask_bundle(f, id);
        send_ranges(f, id, 1);
        sem_wait(&reached);
        ask_split(f, id, 0.5, 1, NULL, 0);
        pass_by(f);
        beam_alloc_fail_at((uint64_t)(*id - '0'), 0);
        sem_post(&go);
        expect_no_split(f);
        beam_alloc_fail_at(0, 0);
        BeamPb__InstructionResponse *response = take_response(f, id);
        assert_string_not_equal(response->error, "");
        beam_message_free(response);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
    TEST(the_element_at_hand), TEST(the_elements_behind), TEST(too_late), TEST(lacks_memory),
    cmocka_unit_test_setup_teardown(refused, begin_whole, end)};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
