/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The library's own functions while memory runs out: allocations of a run fail in
 * turn, each of them with BEAM_LONG set. */
#include "base/alloc.h"
#include "pipeline/pipeline_test.h"

BEAM_ITERABLE(ints, beam_int64);
#define JOINED(FIELD, S) FIELD(S, ints, left) FIELD(S, ints, right)
BEAM_STRUCT(joined, JOINED);
BEAM_KV(joined_by, beam_str, joined);

static const str_int some[] = {{STR("b"), 2}, {STR("a"), 3}, {STR("b"), 4}};

static void keep_some(beam_pipeline *p)
{
    beam_pcoll kvs = beam_create(p, str_int, some, 3);
    beam_assert_count(beam_top_globally(kvs, 1), 1);
    beam_assert_count(beam_sample_per_key(kvs, 1, .seed = 3), 2);
}

static void join(beam_pipeline *p)
{
    beam_pcoll kvs = beam_create(p, str_int, some, 3);
    beam_pcoll both[] = {kvs, beam_combine_per_key(kvs, &beam_max_int64, .fanout = 2)};
    beam_assert_count(beam_keys(beam_co_group_by_key(both, 2, joined_by)), 2);
}

static void spread(beam_pipeline *p)
{
    const beam_int64 nothing = 0;
    beam_pcoll in = beam_window_into(beam_create(p, str_int, some, 3), beam_fixed_windows(5));
    beam_assert_count(beam_distinct(beam_reshuffle(in)), 3);
    beam_assert_that(beam_count_globally(beam_create(p, str_int, NULL, 0)), beam_int64, &nothing,
                     1);
}

/* False: the run has fewer allocations than n. */
static bool run_failing(void (*build)(beam_pipeline *p), uint64_t n, bool for_good)
{
    const beam_run_options options = {.struct_size = sizeof options, .direct_num_workers = 1};
    beam_pipeline *p = beam_pipeline_new(NULL);
    build(p);
    beam_error err = {0};
    beam_alloc_fail_at(n, for_good);
    beam_status status = beam_pipeline_run(p, &options, NULL, &err);
    bool reached = beam_alloc_count() >= n;
    beam_alloc_fail_at(0, 0);
    if (status != BEAM_OK && (status != BEAM_RESOURCE_EXHAUSTED || !reached))
        fail_msg("allocation %d: %s", (int)n, err.message);
    beam_pipeline_free(p);
    return reached;
}

static void allocations_fail(void **state)
{
    void (*build)(beam_pipeline * p) = *(void (**)(beam_pipeline *)) * state;
    const uint64_t step = getenv("BEAM_LONG") ? 1 : 5;
    for (uint64_t n = 1; run_failing(build, n, false); n += step)
        ;
    for (uint64_t n = 1; run_failing(build, n, true); n += step)
        ;
}

int main(void)
{
    static void (*builds[])(beam_pipeline * p) = {keep_some, join, spread};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(allocations_fail, &builds[0]),
        cmocka_unit_test_prestate(allocations_fail, &builds[1]),
        cmocka_unit_test_prestate(allocations_fail, &builds[2]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
