/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* DoFns over arrays of elements, before, after and between those over single ones. */
#include "conformance/suite.h"

static beam_status emit_scaled(beam_ctx *c, const beam_int64 *x, size_t n, beam_int64 factor,
                               beam_int64 plus)
{
    beam_int64 *out = beam_alloc(c, n * sizeof *out);
    if (!out)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * factor + plus;
    return beam_emit_batch(c, 0, beam_int64, out, n);
}

static beam_status double_all(beam_ctx *c, const beam_int64 *x, size_t n)
{
    return emit_scaled(c, x, n, 2, 0);
}
BEAM_BATCH_DOFN(double_all_fn, beam_int64, double_all, BEAM_TYPES(&beam_int64_type));

static beam_status add_one_to_all(beam_ctx *c, const beam_int64 *x, size_t n)
{
    return emit_scaled(c, x, n, 1, 1);
}
BEAM_BATCH_DOFN(add_one_to_all_fn, beam_int64, add_one_to_all, BEAM_TYPES(&beam_int64_type));

static beam_status triple(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, beam_int64, 3 * *x);
}
BEAM_DOFN(triple_fn, beam_int64, triple, BEAM_TYPES(&beam_int64_type));

static const beam_int64 one_to_three[] = {1, 2, 3};

static void batch_pardo(beam_pipeline *p)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, one_to_three, 3), &double_all_fn);
    EXPECT(beam_pardo(x, &triple_fn), beam_int64, 6, 12, 18);
}

static void batch_pardo_after_another(beam_pipeline *p)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, one_to_three, 3), &double_all_fn);
    x = beam_pardo(x, &add_one_to_all_fn);
    EXPECT(beam_pardo(x, &triple_fn), beam_int64, 9, 15, 21);
}

static void batch_pardo_of_many(beam_pipeline *p)
{
    static beam_int64 all[5000], expected[5000];
    for (int i = 0; i < 5000; i++) {
        all[i] = i;
        expected[i] = 6 * i;
    }
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, all, 5000), &double_all_fn);
    beam_assert_that(beam_pardo(x, &triple_fn), beam_int64, expected, 5000);
}

/* ---- Side inputs, times and windows of a batch ------------------------------------------ */

static beam_status less_the_mean(beam_ctx *c, const beam_int64 *x, size_t n)
{
    const beam_double *mean;
    BEAM_TRY(beam_side_singleton(c, 0, &mean));
    beam_double *out = beam_alloc(c, n * sizeof *out);
    if (!out)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        out[i] = (beam_double)x[i] - *mean;
    return beam_emit_batch(c, 0, beam_double, out, n);
}
BEAM_BATCH_DOFN(less_the_mean_fn, beam_int64, less_the_mean, BEAM_TYPES(&beam_double_type),
                BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_double_type}));

static void batch_pardo_with_side_input(beam_pipeline *p)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, one_to_three, 3), &double_all_fn);
    beam_pcoll mean = beam_combine_globally(x, &beam_mean_int64);
    EXPECT(beam_pardo(x, &less_the_mean_fn, BEAM_SIDE_INPUTS(beam_as_singleton(mean))), beam_double,
           -2, 0, 2);
}

static beam_status at_parity(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_at(c, 0, x, *x % 2);
}
BEAM_DOFN(at_parity_fn, beam_int64, at_parity, BEAM_TYPES(&beam_int64_type));

static beam_status times_timestamp(beam_ctx *c, const beam_int64 *x, size_t n)
{
    const beam_element_info *info = beam_info(c);
    if (info->pane.index != 0)
        return beam_fail(c, BEAM_INTERNAL, "the pane is the %lld. one",
                         (long long)info->pane.index);
    return emit_scaled(c, x, n, info->timestamp, 0);
}
BEAM_BATCH_DOFN(times_timestamp_fn, beam_int64, times_timestamp, BEAM_TYPES(&beam_int64_type));

static const beam_int64 digits[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

/* All elements of a batch have one info. */
static void batch_pardo_infos(beam_pipeline *p)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, digits, 10), &at_parity_fn);
    EXPECT(beam_pardo(x, &times_timestamp_fn), beam_int64, 0, 1, 0, 3, 0, 5, 0, 7, 0, 9);
}

/* An element that is in several windows stands for one in each of them. */
static beam_status times_window_start(beam_ctx *c, const beam_int64 *x, size_t n)
{
    const beam_element_info *info = beam_info(c);
    for (uint32_t w = 0; w < info->n_windows; w++) {
        beam_element_info one = *info;
        one.windows = &info->windows[w];
        one.n_windows = 1;
        for (size_t i = 0; i < n; i++) {
            beam_int64 product = x[i] * one.windows->start;
            BEAM_TRY(beam_emit_with(c, 0, &product, &one));
        }
    }
    return BEAM_OK;
}
BEAM_BATCH_DOFN(times_window_start_fn, beam_int64, times_window_start,
                BEAM_TYPES(&beam_int64_type));

static beam_pcoll in_windows(beam_pipeline *p, beam_windowing windowing)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, digits, 10), &own_time_fn);
    return beam_pardo(beam_window_into(x, windowing), &times_window_start_fn);
}

static void batch_pardo_windows(beam_pipeline *p)
{
    EXPECT(in_windows(p, beam_fixed_windows(5)), beam_int64, 0, 0, 0, 0, 0, 25, 30, 35, 40, 45);
}

static void batch_pardo_overlapping_windows(beam_pipeline *p)
{
    /* From -3 on: 0, 1; from 0: 0 to 4; from 3: 3 to 7; from 6: 6 to 9; from 9: 9. */
    EXPECT(in_windows(p, beam_sliding_windows(5, 3)), beam_int64, 0, -3, 0, 0, 0, 0, 0, 9, 12, 15,
           18, 21, 36, 42, 48, 54, 81);
}

/* ---- From batches to elements and back -------------------------------------------------- */

static beam_status sum_of_all(beam_ctx *c, const beam_int64 *x, size_t n)
{
    beam_int64 sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return beam_emit(c, beam_int64, sum);
}
BEAM_BATCH_DOFN(sum_of_all_fn, beam_int64, sum_of_all, BEAM_TYPES(&beam_int64_type));

static void batch_to_element(beam_pipeline *p)
{
    beam_int64 all[100];
    for (int i = 0; i < 100; i++)
        all[i] = i;
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, all, 100), &double_all_fn);
    x = beam_combine_globally(beam_pardo(x, &sum_of_all_fn), &beam_sum_int64);
    EXPECT(x, beam_int64, 9900);
}

static beam_status as_often_as_it_is(beam_ctx *c, const beam_int64 *x)
{
    beam_int64 *out = beam_alloc(c, (size_t)*x * sizeof *out);
    for (beam_int64 i = 0; out && i < *x; i++)
        out[i] = *x;
    return out ? beam_emit_batch(c, 0, beam_int64, out, (size_t)*x) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(as_often_as_it_is_fn, beam_int64, as_often_as_it_is, BEAM_TYPES(&beam_int64_type));

static void element_to_batch(beam_pipeline *p)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, one_to_three, 3), &as_often_as_it_is_fn);
    x = beam_pardo(beam_pardo(x, &double_all_fn), &triple_fn);
    EXPECT(x, beam_int64, 6, 12, 12, 18, 18, 18);
}

const conformance_case batch_cases[] = {
    CASE(batch_pardo),
    CASE(batch_pardo_after_another),
    CASE(batch_pardo_of_many),
    CASE(batch_pardo_with_side_input),
    CASE(batch_pardo_infos),
    CASE(batch_pardo_windows),
    CASE(batch_pardo_overlapping_windows),
    CASE(batch_to_element),
    CASE(element_to_batch),
    {0},
};
