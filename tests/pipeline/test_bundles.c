/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A DoFn that says it batches gets as few bundles as there are threads, and each is still tried
 * again as a whole. */
#include <stdatomic.h>

#include "pipeline/pipeline_test.h"

enum { N = 1000, BUNDLES = 0 };

static atomic_int failures_left;

static beam_status begin(beam_ctx *c)
{
    beam_count(c, BUNDLES, 1);
    return BEAM_OK;
}

static beam_status pass(beam_ctx *c, const void *number)
{
    if (*(const beam_int64 *)number == N / 2 && atomic_fetch_sub(&failures_left, 1) > 0)
        return beam_fail(c, BEAM_UNAVAILABLE, "not yet");
    return beam_emit_value(c, beam_int64, (const beam_int64 *)number);
}

static const beam_dofn plain_fn = {.struct_size = sizeof(beam_dofn),
                                   .name = "plain",
                                   .in = &beam_int64_type,
                                   .start_bundle = begin,
                                   .process = pass,
                                   BEAM_TYPES(&beam_int64_type),
                                   BEAM_METRICS({"bundles", BEAM_COUNTER})};
static const beam_dofn batching_fn = {.struct_size = sizeof(beam_dofn),
                                      .name = "batching",
                                      .in = &beam_int64_type,
                                      .start_bundle = begin,
                                      .process = pass,
                                      BEAM_TYPES(&beam_int64_type),
                                      BEAM_METRICS({"bundles", BEAM_COUNTER}),
                                      .batches = true};

static beam_status key(beam_ctx *c, const beam_int64 *number)
{
    return beam_emit(c, int_int, *number % 97, *number);
}
BEAM_DOFN(key_fn, beam_int64, key, BEAM_TYPES(&int_int_type));

static beam_status ungroup(beam_ctx *c, const int_ints *group)
{
    beam_iter it = beam_iterate(&group->values, beam_int64);
    for (const beam_int64 *v; (v = beam_next(&it, beam_int64));)
        BEAM_TRY(beam_emit_value(c, beam_int64, v));
    return it.status;
}
BEAM_DOFN(ungroup_fn, int_ints, ungroup, BEAM_TYPES(&beam_int64_type));

/* The committed bundles of a DoFn behind a barrier, through which every element came once. */
static int64_t bundles(const beam_dofn *fn, bool grouped, uint32_t threads)
{
    const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = threads, .logger = &quiet};
    beam_int64 expected[N];
    for (beam_int64 i = 0; i < N; i++)
        expected[i] = i;
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    beam_pcoll in = numbers(p, N);
    beam_pcoll ready = grouped ? beam_pardo(beam_group_by_key(beam_pardo(in, &key_fn)), &ungroup_fn)
                               : beam_reshuffle(in);
    beam_assert_that(beam_pardo(ready, fn), beam_int64, expected, N);
    beam_result *result = run_ok(p, &options, true);
    int64_t count = counter(result, NULL, "bundles");
    beam_result_free(result);
    return count;
}

static void few_where_there_are_batches(void **state)
{
    (void)state;
    for (int grouped = 0; grouped < 2; grouped++) {
        assert_true(bundles(&plain_fn, grouped, 1) > 1);
        assert_int_equal(bundles(&batching_fn, grouped, 1), 1);
        assert_true(bundles(&batching_fn, grouped, 4) >= 1); /* they may take from one another */
    }
}

static void tried_again_as_a_whole(void **state)
{
    (void)state;
    for (int grouped = 0; grouped < 2; grouped++) {
        atomic_store(&failures_left, 2);
        assert_int_equal(bundles(&batching_fn, grouped, 1), 1);
        assert_true(atomic_load(&failures_left) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_where_there_are_batches),
        cmocka_unit_test(tried_again_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
