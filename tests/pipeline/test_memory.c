/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out: every allocation of a run fails in turn, once or for good, and the run
 * either succeeds or fails with words, leaving nothing behind (LeakSanitizer sees to that). */
#include "base/alloc.h"
#include "pipeline/pipeline_test.h"

static beam_status by_key(beam_ctx *c, const beam_int64 *x)
{
    const beam_int64 *shift;
    BEAM_TRY(beam_side_singleton(c, 0, &shift));
    beam_str key = beam_format(c, "key %d", (int)(*x % 3 + *shift));
    return beam_emit(c, str_int, .key = key, .value = *x);
}
BEAM_DOFN(by_key_fn, beam_int64, by_key, BEAM_TYPES(&str_int_type),
          BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_int64_type}));

static void build(beam_pipeline *p)
{
    static const str_int sums[] = {{STR("key 1"), 9}, {STR("key 2"), 12}, {STR("key 3"), 7}};
    static const beam_int64 one = 1;
    beam_pcoll side = beam_create(p, beam_int64, &one, 1);
    beam_pcoll kvs =
        beam_pardo(count_to(p, 8), &by_key_fn, BEAM_SIDE_INPUTS(beam_as_singleton(side)));
    beam_pcoll groups = beam_group_by_key(beam_reshuffle(kvs));
    beam_pcoll grouped[] = {beam_combine_per_key(kvs, &beam_sum_int64),
                            beam_kv_swap(beam_kv_swap(beam_create(p, str_int, sums, 0)))};
    beam_assert_count(groups, 3);
    beam_assert_that(beam_flatten(grouped, 2), str_int, sums, 3);
}

/* Runs the pipeline with the n-th allocation failing; false: there were not that many. */
static bool run_failing(uint64_t n, bool for_good, const beam_run_options *options)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    build(p);
    beam_error err = {0};
    beam_result *result = NULL;
    beam_alloc_fail_at(n, for_good);
    beam_status status = beam_pipeline_run(p, options, &result, &err);
    bool reached = beam_alloc_count() >= n;
    beam_alloc_fail_at(0, 0);
    if (status != BEAM_OK) {
        assert_true(reached);
        assert_true(err.message[0] != '\0');
        assert_int_equal(err.code, status);
    }
    beam_result_free(result);
    beam_pipeline_free(p);
    return reached;
}

static void sweep(bool for_good, uint64_t memory_budget, uint64_t step)
{
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = 1, .memory_budget = memory_budget};
    spill_soon(true);
    for (uint64_t n = 1; run_failing(n, for_good, &options); n += step)
        ;
}

static void one_failure(void **state)
{
    (void)state;
    sweep(false, 0, 1);
}

static void failing_for_good(void **state)
{
    (void)state;
    sweep(true, 0, 1);
}

static void failing_while_spilling(void **state)
{
    (void)state;
    sweep(true, 1, 3);
}

static void failing_on_several_threads(void **state)
{
    (void)state;
    const beam_run_options options = {.struct_size = sizeof options, .direct_num_workers = 3};
    for (uint64_t n = 1; n < 2000; n += 17)
        (void)run_failing(n, true, &options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failure),
        cmocka_unit_test(failing_for_good),
        cmocka_unit_test(failing_while_spilling),
        cmocka_unit_test(failing_on_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
