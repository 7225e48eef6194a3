/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Windows: fixed, sliding, sessions; timestamps of groups; side inputs in windows. */
#include "pipeline/pipeline_test.h"

/* What a group was and when: key, sum, its window and timestamp. */
#define SEEN(FIELD, S)        \
    FIELD(S, beam_int64, key) \
    FIELD(S, beam_int64, sum) \
    FIELD(S, beam_int64, start) FIELD(S, beam_int64, end) FIELD(S, beam_int64, timestamp)
BEAM_STRUCT(seen, SEEN);

static beam_status by_parity(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, int_int, .key = *x % 2, .value = *x);
}
BEAM_DOFN(by_parity_fn, beam_int64, by_parity, BEAM_TYPES(&int_int_type));

static beam_status by_text(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, str_int, .key = beam_format(c, "%d", (int)*x), .value = *x);
}
BEAM_DOFN(by_text_fn, beam_int64, by_text, BEAM_TYPES(&str_int_type));

static beam_status see_group(beam_ctx *c, const int_ints *group)
{
    const beam_element_info *info = beam_info(c);
    beam_iter values = beam_iterate(&group->values, beam_int64);
    const beam_int64 *v;
    beam_int64 sum = 0;
    while ((v = beam_next(&values, beam_int64)))
        sum += *v;
    BEAM_TRY(values.status);
    return beam_emit(c, seen, .key = group->key, .sum = sum, .start = info->windows[0].start,
                     .end = info->windows[0].end, .timestamp = info->timestamp);
}
BEAM_DOFN(see_group_fn, int_ints, see_group, BEAM_TYPES(&seen_type));

static beam_status see_sum(beam_ctx *c, const int_int *kv)
{
    const beam_element_info *info = beam_info(c);
    return beam_emit(c, seen, .key = kv->key, .sum = kv->value, .start = info->windows[0].start,
                     .end = info->windows[0].end, .timestamp = info->timestamp);
}
BEAM_DOFN(see_sum_fn, int_int, see_sum, BEAM_TYPES(&seen_type));

/* The groups and the combined sums of 0..n-1 at timestamps 0..n-1, by parity, in windows. */
static void expect(beam_pipeline *p, int64_t n, beam_windowing windowing, const seen *expected,
                   size_t n_expected)
{
    beam_pcoll x = beam_window_into(count_to_timed(p, n), windowing);
    beam_pcoll kvs = beam_pardo(x, &by_parity_fn);
    beam_assert_that(beam_pardo(beam_group_by_key(kvs), &see_group_fn), seen, expected, n_expected);
    beam_pcoll sums = beam_combine_per_key(kvs, &beam_sum_int64);
    beam_assert_that(beam_pardo(sums, &see_sum_fn), seen, expected, n_expected);
    sums = beam_combine_per_key(kvs, &beam_sum_int64, .fanout = 2, .name = "FannedOut");
    beam_assert_that(beam_pardo(sums, &see_sum_fn), seen, expected, n_expected);
}

static void build_fixed(beam_pipeline *p)
{
    static const seen expected[] = {{0, 6, 0, 5, 4},   {1, 4, 0, 5, 4},     {0, 14, 5, 10, 9},
                                    {1, 21, 5, 10, 9}, {0, 10, 10, 15, 14}, {1, 11, 10, 15, 14}};
    expect(p, 12, beam_fixed_windows(5), expected, 6);
}

static void fixed_windows(void **state)
{
    (void)state;
    run_all_ways(build_fixed);
}

static void build_sliding(beam_pipeline *p)
{
    static const seen expected[] = {{0, 0, -2, 2, 1}, {1, 1, -2, 2, 1}, {0, 2, 0, 4, 3},
                                    {1, 4, 0, 4, 3},  {0, 6, 2, 6, 5},  {1, 8, 2, 6, 5},
                                    {0, 4, 4, 8, 7},  {1, 5, 4, 8, 7}};
    expect(p, 6, beam_sliding_windows(4, 2), expected, 8);
}

static void sliding_windows(void **state)
{
    (void)state;
    run_all_ways(build_sliding);
}

/* ---- Sessions ----------------------------------------------------------------------------- */

static beam_status at_own_time(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_at(c, 0, x, *x);
}
BEAM_DOFN(at_own_time_fn, beam_int64, at_own_time, BEAM_TYPES(&beam_int64_type));

static void build_sessions_with(beam_pipeline *p, beam_timestamp_combiner combiner,
                                const seen *expected)
{
    static const beam_int64 times[] = {0, 2, 4, 1, 11, 30, 32, 9};
    beam_windowing windowing = beam_sessions(3);
    windowing.timestamp_combiner = combiner;
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, times, 8), &at_own_time_fn);
    beam_pcoll kvs = beam_pardo(beam_window_into(x, windowing), &by_parity_fn);
    beam_assert_that(beam_pardo(beam_group_by_key(kvs), &see_group_fn), seen, expected, 4);
    beam_pcoll sums = beam_combine_per_key(kvs, &beam_sum_int64);
    beam_assert_that(beam_pardo(sums, &see_sum_fn), seen, expected, 4);
}

static void build_sessions(beam_pipeline *p)
{
    static const seen ends[] = {
        {0, 6, 0, 7, 6}, {0, 62, 30, 35, 34}, {1, 1, 1, 4, 3}, {1, 20, 9, 14, 13}};
    static const seen earliest[] = {
        {0, 6, 0, 7, 0}, {0, 62, 30, 35, 30}, {1, 1, 1, 4, 1}, {1, 20, 9, 14, 9}};
    static const seen latest[] = {
        {0, 6, 0, 7, 4}, {0, 62, 30, 35, 32}, {1, 1, 1, 4, 1}, {1, 20, 9, 14, 11}};
    build_sessions_with(p, BEAM_END_OF_WINDOW, ends);
    build_sessions_with(p, BEAM_EARLIEST, earliest);
    build_sessions_with(p, BEAM_LATEST, latest);
}

static void sessions(void **state)
{
    (void)state;
    run_all_ways(build_sessions);
}

static void build_combined_timestamps(beam_pipeline *p)
{
    static const seen earliest[] = {
        {0, 6, 0, 5, 0}, {1, 4, 0, 5, 1}, {0, 6, 5, 10, 6}, {1, 5, 5, 10, 5}};
    static const seen latest[] = {
        {0, 6, 0, 5, 4}, {1, 4, 0, 5, 3}, {0, 6, 5, 10, 6}, {1, 5, 5, 10, 5}};
    beam_windowing windowing = beam_fixed_windows(5);
    windowing.timestamp_combiner = BEAM_EARLIEST;
    expect(p, 7, windowing, earliest, 4);
    windowing.timestamp_combiner = BEAM_LATEST;
    expect(p, 7, windowing, latest, 4);
}

static void combined_timestamps(void **state)
{
    (void)state;
    run_all_ways(build_combined_timestamps);
}

/* In the global window with timestamps of its own, of some elements and of none. */
static void build_combined_globally(beam_pipeline *p)
{
    static const seen latest = {0, 15, BEAM_MIN_TIMESTAMP, BEAM_GLOBAL_WINDOW_MAX + 1,
                                5 /* of 0..5 */};
    const beam_windowing windowing = {.timestamp_combiner = BEAM_LATEST};
    const beam_int64 none = 0;
    beam_pcoll sum =
        beam_combine_globally(beam_window_into(count_to_timed(p, 6), windowing), &beam_sum_int64);
    beam_assert_that(beam_pardo(beam_with_keys(sum, beam_int64, &none), &see_sum_fn), seen, &latest,
                     1);
    beam_pcoll empty = beam_window_into(count_to_timed(p, 0), windowing);
    beam_assert_that(beam_combine_globally(empty, &beam_sum_int64, .fanout = 2), beam_int64, &none,
                     1);
    beam_assert_that(beam_count_globally(empty), beam_int64, &none, 1);
}

static void combined_globally(void **state)
{
    (void)state;
    run_all_ways(build_combined_globally);
}

/* More windows in a bundle than a table of accumulators tells apart, and keys that never come
 * again: then the table is given up in the middle of a block. */
static void build_many_windows(beam_pipeline *p)
{
    enum { N = 3000 };
    static seen expected[N];
    for (beam_int64 i = 0; i < N; i++)
        expected[i] = (seen){.key = i % 2, .sum = i, .start = i, .end = i + 1, .timestamp = i};
    beam_pcoll x = beam_window_into(count_to_timed(p, N), beam_fixed_windows(1));
    beam_pcoll numbers = beam_combine_per_key(beam_pardo(x, &by_parity_fn), &beam_sum_int64);
    beam_assert_that(beam_pardo(numbers, &see_sum_fn), seen, expected, N);
    beam_assert_count(beam_combine_per_key(beam_pardo(x, &by_text_fn), &beam_sum_int64), N);
}

static void many_windows(void **state)
{
    (void)state;
    run_all_ways(build_many_windows);
}

/* ---- Side inputs in windows ----------------------------------------------------------------- */

static beam_status add_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable side;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    beam_iter values = beam_iterate(&side, beam_int64);
    beam_int64 sum = 0;
    for (const beam_int64 *v; (v = beam_next(&values, beam_int64));)
        sum += *v;
    BEAM_TRY(values.status);
    return beam_emit(c, int_int, .key = *x, .value = sum);
}
BEAM_DOFN(add_side_fn, beam_int64, add_side, BEAM_TYPES(&int_int_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

static void build_sides(beam_pipeline *p)
{
    /* Main windows of 2 see the side's window that holds their end. */
    static const int_int expected[] = {{0, 6}, {1, 6}, {2, 6}, {3, 6}, {4, 22}, {5, 22}};
    static const int_int global[] = {{0, 28}, {1, 28}, {2, 28}, {3, 28}, {4, 28}, {5, 28}};
    beam_pcoll eight = count_to_timed(p, 8);
    beam_pcoll side = beam_window_into(eight, beam_fixed_windows(4));
    beam_pcoll six = beam_window_into(count_to_timed(p, 6), beam_fixed_windows(2));
    beam_assert_that(beam_pardo(six, &add_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(side))),
                     int_int, expected, 6);
    beam_assert_that(
        beam_pardo(six, &add_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(eight)), .name = "Global"),
        int_int, global, 6);
    /* In a sliding window each window of an element is processed on its own. */
    static const int_int twice[] = {{0, 6}, {0, 6}, {1, 6}, {1, 6}};
    beam_pcoll two = beam_window_into(count_to_timed(p, 2), beam_sliding_windows(4, 2));
    beam_assert_that(
        beam_pardo(two, &add_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(side)), .name = "Sliding"),
        int_int, twice, 4);
}

static void side_inputs(void **state)
{
    (void)state;
    run_all_ways(build_sides);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_windows),     cmocka_unit_test(sliding_windows),
        cmocka_unit_test(sessions),          cmocka_unit_test(combined_timestamps),
        cmocka_unit_test(combined_globally), cmocka_unit_test(many_windows),
        cmocka_unit_test(side_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
