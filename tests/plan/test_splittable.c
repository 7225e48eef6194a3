/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Splittable DoFns: paired, split and sized, processed, and split while they are processed. */
#include "plan/stage.h"

static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};

BEAM_KV(pair, beam_int64, beam_offset_range);
BEAM_KV(sized, pair, beam_double);

/* An element n stands for the numbers 0 .. n - 1, emitted by their positions. */
static beam_plan *asks; /* where `process` asks for a split, as another thread would */
static int64_t ask_at;
static double ask_fraction;
static beam_plan_progress progress_seen;

static beam_status whole(beam_ctx *c, const void *element, void *restriction)
{
    (void)c;
    *(beam_offset_range *)restriction = (beam_offset_range){0, *(const beam_int64 *)element};
    return BEAM_OK;
}
static beam_status by_tens(beam_ctx *c, const void *element, const void *restriction)
{
    (void)element;
    const beam_offset_range *range = restriction;
    for (int64_t at = range->start; at < range->stop; at += 10) {
        beam_offset_range part = {at, at + 10 < range->stop ? at + 10 : range->stop};
        BEAM_TRY(beam_emit_restriction(c, &part));
    }
    return BEAM_OK;
}
static beam_status length(beam_ctx *c, const void *element, const void *restriction, double *size)
{
    (void)c;
    (void)element;
    const beam_offset_range *range = restriction;
    *size = (double)(range->stop - range->start);
    return BEAM_OK;
}
static beam_status numbers(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    if (*(const beam_int64 *)element == 666)
        return BEAM_OK; /* without a claim */
    const beam_offset_range *range = tracker->restriction;
    for (int64_t at = range->start; beam_try_claim_offset(c, tracker, at); at++) {
        if (asks && at == ask_at) {
            assert_true(beam_plan_request_split(asks, ask_fraction));
            beam_plan_get_progress(asks, &progress_seen);
            beam_plan *before = asks;
            asks = NULL;
            assert_true(beam_try_claim(c, tracker, &at)); /* here it is done */
            beam_plan_get_progress(before, &progress_seen);
        }
        BEAM_TRY(beam_emit(c, beam_int64, at));
    }
    return BEAM_OK;
}
static const beam_splittable splittable = {
    .struct_size = sizeof(beam_splittable),
    .restriction = &beam_offset_range_type,
    .tracker = &beam_offset_range_tracker,
    .initial_restriction = whole,
    .split_restriction = by_tens,
    .restriction_size = length,
    .process = numbers,
};
static const beam_dofn numbers_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "numbers_fn",
                                     .in = &beam_int64_type,
                                     BEAM_TYPES(&beam_int64_type),
                                     .splittable = &splittable};

static void process_stage(stage *s)
{
    stage_init(s);
    stage_pcoll(s, "p0", &sized_type, global);
    stage_pcoll(s, "p1", &beam_int64_type, global);
    stage_source(s, "source", "p0");
    stage_dofn(s, "process", BEAM_URN_SDF_PROCESS, &numbers_fn, NULL, "in0=p0", "out0=p1");
    stage_sink_of(s, "sink", "p1");
}

static void test_all_steps(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", &beam_int64_type, global);
    stage_pcoll(&s, "p1", &pair_type, global);
    stage_pcoll(&s, "p2", &sized_type, global);
    stage_pcoll(&s, "p3", &sized_type, global);
    stage_pcoll(&s, "p4", &beam_int64_type, global);
    stage_source(&s, "source", "p0");
    stage_dofn(&s, "pair", BEAM_URN_SDF_PAIR, &numbers_fn, NULL, "in0=p0", "out0=p1");
    stage_dofn(&s, "split", BEAM_URN_SDF_SPLIT, &numbers_fn, NULL, "in0=p1", "out0=p2");
    stage_dofn(&s, "truncate", BEAM_URN_SDF_TRUNCATE, &numbers_fn, NULL, "in0=p2", "out0=p3");
    stage_dofn(&s, "process", BEAM_URN_SDF_PROCESS, &numbers_fn, NULL, "in0=p3", "out0=p4");
    stage_sink_of(&s, "parts", "p2");
    stage_sink_of(&s, "sink", "p4");
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(4);
    const beam_int64 in[] = {25, 3};
    STAGE_OK(stage_push(plan, in, 2, &info));
    stage_finish(plan);
    const stage_sink *parts = stage_find(&s, "parts"), *sink = stage_find(&s, "sink");
    assert_int_equal(parts->n, 4);
    const sized *last = parts->elements[2].value;
    assert_int_equal(last->key.key, 25);
    assert_int_equal(last->key.value.start, 20);
    assert_true(last->value == 5);
    assert_int_equal(sink->n, 28);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(STAGE_AT(sink, beam_int64, i), i);
    assert_int_equal(sink->elements[27].info.timestamp, 4);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_split_while_processing(void **state)
{
    (void)state;
    stage s;
    process_stage(&s);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(4);
    const sized in = {{100, {0, 100}}, 100};
    asks = plan;
    ask_at = 19;
    ask_fraction = 0.5;
    STAGE_OK(stage_push(plan, &in, 1, &info));
    assert_int_equal(stage_find(&s, "sink")->n, 60); /* 0 .. 19, and half of the 80 left */
    assert_int_equal(s.n_residuals, 1);
    const sized *residual = s.residuals[0].value;
    assert_true(beam_type_equal(s.residual_type, &sized_type));
    assert_int_equal(residual->key.key, 100);
    assert_int_equal(residual->key.value.start, 60);
    assert_int_equal(residual->key.value.stop, 100);
    assert_true(residual->value == 40);
    assert_int_equal(s.residuals[0].info.timestamp, 4);
    assert_true(progress_seen.splittable);
    assert_int_equal(progress_seen.elements, 1);
    assert_true(progress_seen.completed == 20);
    assert_true(progress_seen.remaining == 40);
    STAGE_OK(stage_push(plan, residual, 1, &s.residuals[0].info)); /* what was given away */
    assert_int_equal(stage_find(&s, "sink")->n, 100);
    stage_finish(plan);
    beam_plan_progress progress;
    beam_plan_get_progress(plan, &progress);
    assert_false(progress.splittable);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_split_asked_for_before(void **state)
{
    (void)state;
    stage s;
    process_stage(&s);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(4);
    assert_false(beam_plan_request_split(plan, 7));
    assert_true(beam_plan_request_split(plan, 0));
    const sized in = {{100, {0, 2}}, 2}; /* nothing claimed yet: all but nothing can go */
    STAGE_OK(stage_push(plan, &in, 1, &info));
    assert_int_equal(stage_find(&s, "sink")->n, 2);
    assert_int_equal(s.n_residuals, 0);
    STAGE_OK(stage_push(plan, &in, 1, &info));
    stage_finish(plan);
    beam_plan_close(plan);
    s.driver.residual = NULL;
    plan = stage_open(&s);
    assert_false(beam_plan_request_split(plan, 0.5));
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_residual_that_is_refused(void **state)
{
    (void)state;
    stage s;
    process_stage(&s);
    s.fail_residual = BEAM_RESOURCE_EXHAUSTED;
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(4);
    const sized in = {{100, {0, 100}}, 100};
    asks = plan;
    ask_at = 3;
    ask_fraction = 0.5;
    assert_int_equal(stage_push(plan, &in, 1, &info), BEAM_RESOURCE_EXHAUSTED);
    assert_string_equal(beam_plan_get_failure(plan)->error.message, "no room for residuals");
    assert_string_equal(beam_plan_get_failure(plan)->step, "split");
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_unclaimed_work_is_an_error(void **state)
{
    (void)state;
    stage s;
    process_stage(&s);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(4);
    const sized empty = {{5, {7, 7}}, 0}, lazy = {{666, {0, 9}}, 9};
    STAGE_OK(stage_push(plan, &empty, 1, &info));
    assert_int_equal(stage_push(plan, &lazy, 1, &info), BEAM_FAILED_PRECONDITION);
    beam_plan_close(plan);

    plan = stage_open(&s);
    const sized backwards = {{5, {7, 6}}, 0};
    assert_int_equal(stage_push(plan, &backwards, 1, &info), BEAM_INVALID_ARGUMENT);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_offset_ranges(void **state)
{
    (void)state;
    const beam_tracker_fn *fn = &beam_offset_range_tracker;
    beam_offset_range_state range = {0, 0, 0};
    beam_offset_range primary, residual;
    STAGE_OK(fn->start(&range, &(beam_offset_range){10, 20}));
    assert_false(fn->is_done(&range));
    assert_false(fn->try_split(&range, 0, &primary, &residual)); /* an empty primary */
    assert_true(fn->try_claim(&range, &(int64_t){10}));
    assert_true(fn->try_split(&range, 0, &primary, &residual));
    assert_int_equal(primary.stop, 11);
    assert_int_equal(residual.start, 11);
    assert_int_equal(residual.stop, 20);
    assert_true(fn->is_done(&range));
    assert_false(fn->try_split(&range, 0, &primary, &residual));
    assert_false(fn->try_claim(&range, &(int64_t){11}));
    assert_int_equal(fn->start(&range, &(beam_offset_range){INT64_MIN, 0}), BEAM_INVALID_ARGUMENT);
}

static void test_refused(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", &beam_int64_type, global);
    stage_pcoll(&s, "p1", &beam_int64_type, global);
    stage_source(&s, "source", "p0");
    stage_dofn(&s, "process", BEAM_URN_SDF_PROCESS, &numbers_fn, NULL, "in0=p0", "out0=p1");
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "needs KVs");
    stage_free(&s);
    stage_init(&s);
    stage_pcoll(&s, "p0", &beam_int64_type, global);
    stage_pcoll(&s, "p1", &beam_int64_type, global);
    stage_source(&s, "source", "p0");
    stage_dofn(&s, "pardo", BEAM_URN_PARDO, &numbers_fn, NULL, "in0=p0", "out0=p1");
    stage_refused(&s, BEAM_INVALID_ARGUMENT, "splittable");
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_steps),
        cmocka_unit_test(test_split_while_processing),
        cmocka_unit_test(test_split_asked_for_before),
        cmocka_unit_test(test_residual_that_is_refused),
        cmocka_unit_test(test_unclaimed_work_is_an_error),
        cmocka_unit_test(test_offset_ranges),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
