/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Fixed and sliding windows, sessions: groups, combines and side inputs in them. */
#include "conformance/suite.h"

/* The i-th value at i seconds less 10 ms, as Beam's tests have them. */
static beam_status at_seconds(beam_ctx *c, const int_int *kv)
{
    return beam_emit_at(c, 0, &(str_int){S("magic"), kv->value}, kv->key * 1000 - 10);
}
BEAM_DOFN(at_seconds_fn, int_int, at_seconds, BEAM_TYPES(&str_int_type));

static beam_pcoll timed(beam_pipeline *p, const beam_int64 *values, size_t n)
{
    int_int kvs[16];
    for (size_t i = 0; i < n; i++)
        kvs[i] = (int_int){(beam_int64)i + 1, values[i]};
    return beam_pardo(beam_create(p, int_int, kvs, n), &at_seconds_fn);
}

/* ---- Sums in windows -------------------------------------------------------------------- */

static beam_status sum_group(beam_ctx *c, const str_ints *group)
{
    int_sum sum;
    BEAM_TRY(sum_ints(&group->values, &sum));
    return beam_emit(c, str_int, .key = group->key, .value = sum.sum);
}
BEAM_DOFN(sum_group_fn, str_ints, sum_group, BEAM_TYPES(&str_int_type));

static beam_pcoll sums_of_groups(beam_pcoll kvs)
{
    return beam_pardo(beam_group_by_key(kvs), &sum_group_fn);
}

static beam_pcoll combined_sums(beam_pcoll kvs)
{
    return beam_combine_per_key(kvs, &beam_sum_int64);
}

static void expect_sums(beam_pcoll in, beam_pcoll (*sum)(beam_pcoll kvs), beam_windowing windowing,
                        const beam_int64 *expected, size_t n)
{
    beam_pcoll sums = beam_values(sum(beam_window_into(in, windowing)));
    beam_assert_that(beam_window_into(sums, (beam_windowing){0}), beam_int64, expected, n);
}

static void window_sums(beam_pipeline *p, beam_pcoll (*sum)(beam_pcoll kvs))
{
    static const beam_int64 magic[] = {4, 9, 2, 3, 5, 7, 8, 1, 6};
    beam_pcoll in = timed(p, magic, 9);
    expect_sums(in, sum, beam_fixed_windows(3000), INTS(15, 15, 15));
    expect_sums(in, sum, beam_sliding_windows(3000, 3000), INTS(15, 15, 15));
    expect_sums(in, sum, beam_sliding_windows(9000, 3000), INTS(15, 30, 45, 30, 15));
    expect_sums(in, sum, beam_sessions(3000), INTS(45));
}

static void window_sums_of_groups(beam_pipeline *p)
{
    window_sums(p, sums_of_groups);
}

static void window_sums_combined(beam_pipeline *p)
{
    window_sums(p, combined_sums);
}

/* ---- Means, groups and sessions --------------------------------------------------------- */

static void expect_means(beam_pcoll in, beam_windowing windowing, const str_double *expected,
                         size_t n)
{
    beam_pcoll means = beam_combine_per_key(beam_window_into(in, windowing), &beam_mean_int64);
    beam_assert_that(means, str_double, expected, n);
}

static void combine_in_windows(beam_pipeline *p)
{
    static const str_int kvs[] = {{S("k"), 12}, {S("k"), 2}, {S("k"), 1}};
    beam_pcoll in = beam_pardo(beam_create(p, str_int, kvs, 3), &kv_time_fn);
    expect_means(in, beam_fixed_windows(10), LIST(str_double, {S("k"), 1.5}, {S("k"), 12}));
    expect_means(in, beam_sliding_windows(20, 10),
                 LIST(str_double, {S("k"), 1.5}, {S("k"), 5}, {S("k"), 12}));
    expect_means(in, beam_sessions(5), LIST(str_double, {S("k"), 1.5}, {S("k"), 12}));
}

#define TOLD(FIELD, S)        \
    FIELD(S, beam_int64, n)   \
    FIELD(S, beam_int64, sum) \
    FIELD(S, beam_int64, start) FIELD(S, beam_int64, end) FIELD(S, beam_int64, timestamp)
BEAM_STRUCT(told, TOLD);

static beam_status tell_window(beam_ctx *c, const str_ints *group)
{
    const beam_element_info *info = beam_info(c);
    int_sum sum;
    BEAM_TRY(sum_ints(&group->values, &sum));
    return beam_emit(c, told, .n = sum.n, .sum = sum.sum, .start = info->windows[0].start,
                     .end = info->windows[0].end, .timestamp = info->timestamp);
}
BEAM_DOFN(tell_window_fn, str_ints, tell_window, BEAM_TYPES(&told_type));

static beam_pcoll groups_in(beam_pipeline *p, const str_int *kvs, size_t n,
                            beam_windowing windowing)
{
    beam_pcoll in = beam_pardo(beam_create(p, str_int, kvs, n), &kv_time_fn);
    return beam_pardo(beam_group_by_key(beam_window_into(in, windowing)), &tell_window_fn);
}

static void sliding_windows(beam_pipeline *p)
{
    static const str_int kvs[] = {{S("k"), 1}, {S("k"), 2}, {S("k"), 3}, {S("k"), 4}, {S("k"), 5},
                                  {S("k"), 6}, {S("k"), 7}, {S("k"), 8}, {S("k"), 9}};
    EXPECT(groups_in(p, kvs, 9, beam_sliding_windows(6, 3)), told, {2, 3, -3, 3, 2},
           {5, 15, 0, 6, 5}, {6, 33, 3, 9, 8}, {4, 30, 6, 12, 11}, {1, 9, 9, 15, 14});
}

static void sessions(beam_pipeline *p)
{
    static const str_int kvs[] = {
        {S("k"), 1}, {S("k"), 2}, {S("k"), 100}, {S("k"), 101}, {S("k"), 102}};
    EXPECT(groups_in(p, kvs, 5, beam_sessions(10)), told, {2, 3, 1, 12, 11},
           {3, 303, 100, 112, 111});
}

/* ---- Side inputs in windows ------------------------------------------------------------- */

/* In each of an element's windows: itself and the sum of the side input there. */
static beam_status add_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable side;
    int_sum sum;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    BEAM_TRY(sum_ints(&side, &sum));
    return beam_emit(c, beam_int64, *x + sum.sum);
}
BEAM_DOFN(add_side_fn, beam_int64, add_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

static void expect_side_sums(beam_pcoll in, beam_windowing main, beam_windowing side,
                             const beam_int64 *expected, size_t n)
{
    beam_pcoll seen = beam_window_into(in, side);
    beam_pcoll sums = beam_pardo(beam_window_into(in, main), &add_side_fn,
                                 BEAM_SIDE_INPUTS(beam_as_iterable(seen)));
    beam_assert_that(beam_window_into(sums, (beam_windowing){0}), beam_int64, expected, n);
}

static void side_inputs_in_windows(beam_pipeline *p)
{
    static const beam_int64 values[] = {1, 2, 3};
    const beam_windowing second = beam_fixed_windows(1000);
    const beam_windowing two_seconds = beam_sliding_windows(2000, 1000);
    beam_pcoll in = beam_values(timed(p, values, 3));
    expect_side_sums(in, second, (beam_windowing){0}, INTS(7, 8, 9));
    expect_side_sums(in, second, second, INTS(2, 4, 6));
    expect_side_sums(in, second, beam_fixed_windows(10000), INTS(7, 8, 9));
    expect_side_sums(in, second, two_seconds, INTS(2, 5, 8));
    /* 1 alone, 1 and 2, 2 and 3, and 3 where the side input has nothing. */
    expect_side_sums(in, two_seconds, second, INTS(2, 3, 4, 5, 6, 3));
}

BEAM_KV(seen_sum, beam_int64, beam_int64);

static beam_status see_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable side;
    int_sum sum;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    BEAM_TRY(sum_ints(&side, &sum));
    return beam_emit(c, seen_sum, .key = *x, .value = sum.sum);
}
BEAM_DOFN(see_side_fn, beam_int64, see_side, BEAM_TYPES(&seen_sum_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

/* Windows that do not lie on one another: 0..5 sees 0..7, 5..10 sees 7..14. */
static void side_input_in_other_windows(beam_pipeline *p)
{
    beam_int64 digits[10];
    seen_sum expected[10];
    for (int i = 0; i < 10; i++) {
        digits[i] = i;
        expected[i] = (seen_sum){i, i < 5 ? 0 + 1 + 2 + 3 + 4 + 5 + 6 : 7 + 8 + 9};
    }
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, digits, 10), &own_time_fn);
    beam_pcoll side = beam_window_into(x, beam_fixed_windows(7));
    beam_pcoll seen = beam_pardo(beam_window_into(x, beam_fixed_windows(5)), &see_side_fn,
                                 BEAM_SIDE_INPUTS(beam_as_iterable(side)));
    beam_assert_that(seen, seen_sum, expected, 10);
}

const conformance_case window_cases[] = {
    CASE(window_sums_of_groups),
    CASE(window_sums_combined),
    CASE(combine_in_windows),
    CASE(sliding_windows),
    CASE(sessions),
    CASE(side_inputs_in_windows),
    CASE(side_input_in_other_windows),
    {0},
};
