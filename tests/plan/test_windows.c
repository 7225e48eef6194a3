/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Windows: assigned to elements, mapped to side inputs', and side inputs read in them. */
#include "plan/stage.h"
#include "plan/windows.h"

#define INT &beam_int64_type
static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};

static void check_assigned(beam_windowing windowing, beam_timestamp t, const beam_window *want,
                           uint32_t n)
{
    beam_window got[16];
    assert_true(n <= beam_windows_max(&windowing));
    assert_int_equal(beam_windows_assign(&windowing, t, got), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(got[i].start, want[i].start);
        assert_int_equal(got[i].end, want[i].end);
    }
}

#define WINDOWS(...) \
    (const beam_window[]){__VA_ARGS__}, sizeof((const beam_window[]){__VA_ARGS__}) / 16

static void test_assigning(void **state)
{
    (void)state;
    check_assigned(beam_fixed_windows(10), 0, WINDOWS({0, 10}));
    check_assigned(beam_fixed_windows(10), 9, WINDOWS({0, 10}));
    check_assigned(beam_fixed_windows(10), -1, WINDOWS({-10, 0}));
    check_assigned(beam_fixed_windows(10), BEAM_MIN_TIMESTAMP,
                   WINDOWS({-9223372036854780, -9223372036854770}));
    beam_windowing shifted = beam_fixed_windows(10);
    shifted.offset = 3;
    check_assigned(shifted, 2, WINDOWS({-7, 3}));
    check_assigned(shifted, 3, WINDOWS({3, 13}));
    check_assigned(beam_sliding_windows(10, 5), 7, WINDOWS({5, 15}, {0, 10}));
    check_assigned(beam_sliding_windows(10, 4), 7, WINDOWS({4, 14}, {0, 10}));
    check_assigned(beam_sliding_windows(10, 4), 9, WINDOWS({8, 18}, {4, 14}, {0, 10}));
    check_assigned(beam_sliding_windows(5, 10), 4, WINDOWS({0, 5}));
    beam_window none[4];
    beam_windowing gaps = beam_sliding_windows(5, 10);
    assert_int_equal(beam_windows_assign(&gaps, 7, none), 0);
    check_assigned(beam_sessions(30), 7, WINDOWS({7, 37}));
    check_assigned(global, 7, WINDOWS(BEAM_GLOBAL_WINDOW));
}

static void test_mapping(void **state)
{
    (void)state;
    beam_window mapped;
    beam_windowing fixed = beam_fixed_windows(10), sliding = beam_sliding_windows(10, 5),
                   sessions = beam_sessions(5);
    assert_true(beam_windows_of_side(&global, (beam_window){0, 7}, &mapped));
    assert_true(beam_window_is_global(mapped));
    assert_true(beam_windows_of_side(&fixed, (beam_window){0, 7}, &mapped));
    assert_int_equal(mapped.end, 10);
    assert_true(beam_windows_of_side(&fixed, (beam_window){5, 15}, &mapped));
    assert_int_equal(mapped.end, 20);
    assert_true(beam_windows_of_side(&sliding, (beam_window){0, 10}, &mapped));
    assert_int_equal(mapped.end, 10); /* the window of the same end */
    assert_true(beam_windows_of_side(&sliding, (beam_window){0, 7}, &mapped));
    assert_int_equal(mapped.end, 10);
    assert_false(beam_windows_of_side(&sessions, (beam_window){0, 7}, &mapped));
    assert_false(beam_windows_of_side(&fixed, stage_global_window, &mapped));
}

/* ---- window_into ---------------------------------------------------------------------- */

static void test_window_into(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    beam_windowing sliding = beam_sliding_windows(10, 5);
    stage_pcoll(&s, "p0", INT, global);
    stage_pcoll(&s, "p1", INT, sliding);
    stage_source(&s, "source", "p0");
    stage_window(&s, "window", sliding, "in0=p0", "out0=p1");
    stage_sink_of(&s, "sink", "p1");
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(7);
    const beam_int64 in[] = {1, 2, 3};
    STAGE_OK(stage_push(plan, in, 1, &info));
    STAGE_OK(stage_push(plan, in + 1, 2, &info));
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sink->elements[i].info.timestamp, 7);
        assert_int_equal(sink->elements[i].info.n_windows, 2);
        assert_int_equal(sink->elements[i].info.windows[1].start, 0);
    }
    assert_int_equal(sink->elements[2].batch, 2);
    assert_int_equal(info.n_windows, 1); /* the source's own info is as it was */
    beam_plan_close(plan);
    stage_free(&s);
}

BEAM_KV(nonce_window, beam_bytes, beam_window);

static void test_map_windows(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", &nonce_window_type, global);
    stage_pcoll(&s, "p1", &nonce_window_type, global);
    stage_source(&s, "source", "p0");
    beam_windowing fixed = beam_fixed_windows(10);
    BeamPb__FunctionSpec *window_fn,
        *mapping = stage_message(&s, &beam_pb__function_spec__descriptor);
    STAGE_OK(beam_window_fn_to_proto(&fixed, &s.arena, &window_fn, NULL));
    mapping->urn = stage_text(&s, BEAM_URN_WINDOW_MAPPING);
    STAGE_OK(beam_message_pack_arena(window_fn, &s.arena, &mapping->payload));
    stage_transform(&s, "map", BEAM_URN_MAP_WINDOWS, mapping, "in0=p0", "out0=p1");
    stage_sink_of(&s, "sink", "p1");
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    nonce_window in = {{"abc", 3}, {12, 15}};
    STAGE_OK(stage_push(plan, &in, 1, &info));
    const nonce_window *out = stage_find(&s, "sink")->elements[0].value;
    assert_int_equal(out->value.start, 10);
    assert_int_equal(out->value.end, 20);
    assert_memory_equal(out->key.at, "abc", 3);
    in.value = stage_global_window;
    assert_int_equal(stage_push(plan, &in, 1, &info), BEAM_INVALID_ARGUMENT);
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Side inputs ---------------------------------------------------------------------- */

BEAM_KV(price, beam_str, beam_int64);

/* x -> x + sum(side0) + side1 + 100 * side2[key] + 1000 * count(side3[key]) */
static beam_status with_sides(beam_ctx *c, const beam_int64 *x)
{
    beam_int64 sum = *x;
    beam_iterable values;
    BEAM_TRY(beam_side_iterable(c, 0, &values));
    beam_iter iter = beam_iterate(&values, beam_int64);
    const beam_int64 *v;
    while ((v = beam_next(&iter, beam_int64)))
        sum += *v;
    BEAM_TRY(beam_side_singleton(c, 1, &v));
    sum += *v;
    beam_str key = *x % 2 ? beam_str_of("odd") : beam_str_of("even");
    BEAM_TRY(beam_side_get(c, 2, &key, &v));
    sum += v ? 100 * *v : 0;
    BEAM_TRY(beam_side_get_all(c, 3, &key, &values));
    sum += (beam_int64)values.len * 1000;
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(sides_fn, beam_int64, with_sides, BEAM_TYPES(INT),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, INT}, {BEAM_SIDE_SINGLETON, INT},
                     {BEAM_SIDE_MAP, &price_type}, {BEAM_SIDE_MULTIMAP, &price_type}));

static void side(stage *s, const char *local, beam_timestamp end, const void *values, size_t n)
{
    stage_side *made = &s->sides[s->n_sides++];
    snprintf(made->transform, sizeof made->transform, "pardo");
    snprintf(made->local, sizeof made->local, "%s", local);
    made->window.end = end;
    made->values = values;
    made->n = n;
}

static void sides_stage(stage *s, const beam_dofn *fn, beam_windowing main, beam_windowing sides)
{
    stage_init(s);
    stage_pcoll(s, "p0", INT, main);
    stage_pcoll(s, "p1", INT, main);
    stage_pcoll(s, "s0", INT, sides);
    stage_pcoll(s, "s1", INT, sides);
    stage_pcoll(s, "s2", &price_type, sides);
    stage_pcoll(s, "s3", &price_type, sides);
    stage_source(s, "source", "p0");
    stage_pardo(s, "pardo", fn, NULL, "side1=s1 in0=p0 side3=s3 side0=s0 side2=s2", "out0=p1");
    stage_sink_of(s, "sink", "p1");
}

static const beam_int64 numbers[] = {10, 20}, one_number[] = {5};
static const price prices[] = {{{"odd", 3}, 7}, {{"odd", 3}, 8}, {{"many", 4}, 1}};

static void test_side_inputs(void **state)
{
    (void)state;
    stage s;
    sides_stage(&s, &sides_fn, global, global);
    side(&s, "side0", stage_global_window.end, numbers, 2);
    side(&s, "side1", stage_global_window.end, one_number, 1);
    side(&s, "side2", stage_global_window.end, prices, 1);
    side(&s, "side3", stage_global_window.end, prices, 3);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    const beam_int64 in[] = {1, 2};
    STAGE_OK(stage_push(plan, in, 2, &info));
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(STAGE_AT(sink, beam_int64, 0), 1 + 30 + 5 + 700 + 2000);
    assert_int_equal(STAGE_AT(sink, beam_int64, 1), 2 + 30 + 5);
    assert_int_equal(s.side_reads, 1 + 1 + 2 + 2); /* whole side inputs are read once */
    stage_finish(plan);
    beam_plan_close(plan);
    stage_free(&s);
}

/* An element in two windows meets the side inputs of each. */
static void test_windowed_side_inputs(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        stage s;
        sides_stage(&s, &sides_fn, beam_sliding_windows(20, 10), beam_sliding_windows(20, 10));
        side(&s, "side0", 20, numbers, 2);
        side(&s, "side0", 30, numbers, 1);
        side(&s, "side1", 20, one_number, 1);
        side(&s, "side1", 30, numbers + 1, 1);
        beam_plan *plan = stage_open(&s);
        const beam_window windows[] = {{10, 30}, {0, 20}};
        beam_element_info info = {15, windows, 2, BEAM_PANE_NO_FIRING};
        const beam_int64 in[] = {2, 2};
        STAGE_OK(stage_push(plan, in, n, &info));
        stage_finish(plan);
        const stage_sink *sink = stage_find(&s, "sink");
        assert_int_equal(sink->n, 2 * n);
        assert_int_equal(STAGE_AT(sink, beam_int64, 0), 2 + 10 + 20);
        assert_int_equal(STAGE_AT(sink, beam_int64, 1), 2 + 30 + 5);
        assert_int_equal(sink->elements[0].info.n_windows, 1);
        assert_int_equal(sink->elements[0].info.windows[0].end, 30);
        beam_plan_close(plan);
        stage_free(&s);
    }
}

static void test_singletons_that_are_none(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 2; n += 2) {
        stage s;
        sides_stage(&s, &sides_fn, global, global);
        side(&s, "side0", stage_global_window.end, numbers, 2);
        side(&s, "side1", stage_global_window.end, numbers, n);
        beam_plan *plan = stage_open(&s);
        beam_element_info info = stage_info(0);
        const beam_int64 in = 1;
        assert_int_equal(stage_push(plan, &in, 1, &info), BEAM_FAILED_PRECONDITION);
        assert_non_null(
            strstr(beam_plan_get_failure(plan)->error.message, n ? "more than one" : "no element"));
        beam_plan_close(plan);
        stage_free(&s);
    }
}

static beam_status wrong_kinds(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable values;
    const void *value;
    const beam_str key = {"odd", 3};
    switch (*x) {
    case 0:
        return beam_side_iterable(c, 2, &values);
    case 1:
        return beam_side_get_(c, 0, &key, &value);
    case 2:
        return beam_side_singleton_(c, 0, &value);
    default:
        return beam_side_iterable(c, 9, &values);
    }
}
BEAM_DOFN(kinds_fn, beam_int64, wrong_kinds, BEAM_TYPES(INT),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, INT}, {BEAM_SIDE_SINGLETON, INT}, {BEAM_SIDE_MAP, NULL},
                     {BEAM_SIDE_MULTIMAP, NULL}));

static void test_side_inputs_read_wrongly(void **state)
{
    (void)state;
    for (beam_int64 x = 0; x < 4; x++) {
        stage s;
        sides_stage(&s, &kinds_fn, global, global);
        beam_plan *plan = stage_open(&s);
        beam_element_info info = stage_info(0);
        assert_int_equal(stage_push(plan, &x, 1, &info), BEAM_INVALID_ARGUMENT);
        beam_plan_close(plan);
        stage_free(&s);
    }
    stage s;
    sides_stage(&s, &sides_fn, global, beam_sessions(5));
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    const beam_int64 x = 1;
    assert_int_equal(stage_push(plan, &x, 1, &info), BEAM_INVALID_ARGUMENT);
    beam_plan_close(plan);
    stage_free(&s);
    sides_stage(&s, &sides_fn, global, global);
    s.driver.side_input = NULL;
    stage_refused(&s, BEAM_UNIMPLEMENTED, "side inputs");
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assigning),
        cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_window_into),
        cmocka_unit_test(test_map_windows),
        cmocka_unit_test(test_side_inputs),
        cmocka_unit_test(test_windowed_side_inputs),
        cmocka_unit_test(test_singletons_that_are_none),
        cmocka_unit_test(test_side_inputs_read_wrongly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
