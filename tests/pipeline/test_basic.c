/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Element-wise transforms, grouping, combining, and the compositions over them. */
#include "pipeline/pipeline_test.h"

/* ---- ParDo and GroupByKey --------------------------------------------------------------- */

static beam_status by_last_digit(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, int_int, .key = *x % 10, .value = *x);
}
BEAM_DOFN(by_last_digit_fn, beam_int64, by_last_digit, BEAM_TYPES(&int_int_type));

static beam_status sum_group(beam_ctx *c, const int_ints *group)
{
    beam_iter values = beam_iterate(&group->values, beam_int64);
    const beam_int64 *v;
    beam_int64 sum = 0;
    while ((v = beam_next(&values, beam_int64)))
        sum += *v;
    BEAM_TRY(values.status);
    return beam_emit(c, int_int, .key = group->key, .value = sum);
}
BEAM_DOFN(sum_group_fn, int_ints, sum_group, BEAM_TYPES(&int_int_type));

static const int_int sums_by_digit[] = {{0, 450}, {1, 460}, {2, 470}, {3, 480}, {4, 490},
                                        {5, 500}, {6, 510}, {7, 520}, {8, 530}, {9, 540}};

static void build_group(beam_pipeline *p)
{
    beam_pcoll kvs = beam_pardo(numbers(p, 100), &by_last_digit_fn);
    beam_pcoll sums = beam_pardo(beam_group_by_key(kvs), &sum_group_fn);
    beam_assert_that(sums, int_int, sums_by_digit, 10);
    beam_assert_that(beam_combine_per_key(kvs, &beam_sum_int64), int_int, sums_by_digit, 10);
    beam_assert_that(beam_combine_per_key(kvs, &beam_sum_int64, .fanout = 3), int_int,
                     sums_by_digit, 10);
}

static void group_by_key(void **state)
{
    (void)state;
    run_all_ways(build_group);
}

/* A GroupByKey of what a GroupByKey gave, and groups that pass through a Flatten. */
static beam_status one_group(beam_ctx *c, const int_ints *group)
{
    return beam_emit(c, int_int, .key = group->key % 2, .value = (beam_int64)group->values.len);
}
BEAM_DOFN(one_group_fn, int_ints, one_group, BEAM_TYPES(&int_int_type));

static void build_groups_of_groups(beam_pipeline *p)
{
    static const int_int halves[] = {{0, 50}, {1, 50}}, doubles[] = {{0, 100}, {1, 100}};
    beam_pcoll groups = beam_group_by_key(beam_pardo(numbers(p, 100), &by_last_digit_fn));
    beam_pcoll sizes = beam_pardo(groups, &one_group_fn);
    beam_assert_that(beam_pardo(beam_group_by_key(sizes), &sum_group_fn), int_int, halves, 2);
    beam_pcoll twice[] = {groups, groups};
    beam_pcoll both = beam_pardo(beam_flatten(twice, 2), &one_group_fn, .name = "Both");
    beam_assert_that(beam_combine_per_key(both, &beam_sum_int64), int_int, doubles, 2);
    beam_pcoll spread = beam_pardo(beam_reshuffle(groups), &one_group_fn, .name = "Spread");
    beam_assert_that(beam_combine_per_key(spread, &beam_sum_int64), int_int, halves, 2);
}

static void groups_of_groups(void **state)
{
    (void)state;
    run_all_ways(build_groups_of_groups);
}

/* ---- Several outputs, Flatten, Partition, Reshuffle -------------------------------------- */

static beam_status by_sign(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_to(c, *x % 3 == 0 ? 0 : *x % 3 == 1 ? 1 : 2, beam_int64, *x);
}
BEAM_DOFN(by_three_fn, beam_int64, by_sign,
          BEAM_TYPES(&beam_int64_type, &beam_int64_type, &beam_int64_type));

static void build_outputs(beam_pipeline *p)
{
    static const beam_int64 zeros[] = {0, 3, 6, 9}, ones[] = {1, 4, 7}, twos[] = {2, 5, 8},
                            all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    beam_pcoll ten = numbers(p, 10);
    beam_pcoll main_output = beam_pardo(ten, &by_three_fn);
    beam_pcoll outs[] = {main_output, beam_output(main_output, 1), beam_output(main_output, 2)};
    beam_assert_that(outs[0], beam_int64, zeros, 4);
    beam_assert_that(outs[1], beam_int64, ones, 3);
    beam_assert_that(outs[2], beam_int64, twos, 3);
    beam_assert_that(beam_flatten(outs, 3), beam_int64, all, 10);

    beam_pcoll parts[3];
    beam_partition(ten, parts, 3, &by_three_fn, .name = "Parts");
    parts[0] = beam_reshuffle(parts[0]);
    beam_assert_that(parts[1], beam_int64, ones, 3);
    beam_pcoll again = beam_flatten(parts, 3, .name = "Again");
    beam_assert_that(again, beam_int64, all, 10);
    beam_assert_that(beam_reshuffle(again), beam_int64, all, 10);
}

static void outputs_and_flatten(void **state)
{
    (void)state;
    run_all_ways(build_outputs);
}

/* PCollections of different stages meet in front of a GroupByKey, a ParDo and a side input. */
static void build_flatten_stages(beam_pipeline *p)
{
    static const int_int expected[] = {{0, 12}, {1, 15}, {2, 2}, {3, 3}, {4, 4},
                                       {5, 5},  {6, 6},  {7, 7}, {8, 8}, {9, 9}};
    static const beam_int64 all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 10, 11, 0, 1, 2};
    beam_pcoll parts[] = {numbers(p, 10), count_to(p, 2), beam_reshuffle(numbers(p, 3))};
    const int_int more[] = {{0, 12}, {1, 13}};
    beam_pcoll kvs[] = {beam_pardo(parts[0], &by_last_digit_fn),
                        beam_pardo(parts[1], &by_last_digit_fn),
                        beam_create(p, int_int, more, 2, .name = "More")};
    beam_assert_that(beam_combine_per_key(beam_flatten(kvs, 3), &beam_sum_int64), int_int, expected,
                     10);
    beam_pcoll all_parts = beam_flatten(parts, 3);
    const beam_int64 tens[] = {10, 11};
    beam_pcoll with_more[] = {all_parts, beam_create(p, beam_int64, tens, 2, .name = "Tens")};
    beam_assert_that(beam_flatten(with_more, 2), beam_int64, all, 17);
}

static void flatten_of_stages(void **state)
{
    (void)state;
    run_all_ways(build_flatten_stages);
}

/* ---- Combining --------------------------------------------------------------------------- */

static void build_global(beam_pipeline *p)
{
    const beam_int64 sum = 4950, count = 100, none = 0;
    const beam_double mean = 49.5;
    beam_pcoll x = count_to(p, 100), nothing = count_to(p, 0);
    beam_assert_that(beam_combine_globally(x, &beam_sum_int64), beam_int64, &sum, 1);
    beam_assert_that(beam_combine_globally(x, &beam_sum_int64, .fanout = 4, .name = "Fan"),
                     beam_int64, &sum, 1);
    beam_assert_that(beam_combine_globally(x, &beam_mean_int64), beam_double, &mean, 1);
    beam_assert_that(beam_count_globally(x), beam_int64, &count, 1);
    beam_assert_that(beam_combine_globally(nothing, &beam_sum_int64, .name = "Nothing"), beam_int64,
                     &none, 1);
    beam_assert_that(beam_count_globally(nothing, .name = "CountNothing"), beam_int64, &none, 1);
    beam_assert_empty(nothing);
    beam_assert_empty(beam_group_by_key(beam_pardo(nothing, &by_last_digit_fn)));
}

static void combine_globally(void **state)
{
    (void)state;
    run_all_ways(build_global);
}

/* ---- Compositions ------------------------------------------------------------------------ */

static void build_compositions(beam_pipeline *p)
{
    static const beam_str words[] = {STR("to"), STR("be"), STR("or"),   STR("not"), STR("to"),
                                     STR("be"), STR(""),   STR("that"), STR("is")};
    static const beam_str distinct[] = {STR("to"), STR("be"),   STR("or"), STR("not"),
                                        STR(""),   STR("that"), STR("is")};
    static const str_int counts[] = {{STR("to"), 2},  {STR("be"), 2}, {STR("or"), 1},
                                     {STR("not"), 1}, {STR(""), 1},   {STR("that"), 1},
                                     {STR("is"), 1}};
    static const beam_int64 keys[] = {0, 1, 2, 0}, values[] = {0, 1, 2, 10};
    beam_pcoll x = beam_create(p, beam_str, words, 9);
    beam_assert_that(beam_distinct(x), beam_str, distinct, 7);
    beam_assert_that(beam_count_per_element(x), str_int, counts, 7);
    const beam_int64 three[] = {0, 1, 2, 10};
    beam_pcoll kvs = beam_pardo(beam_create(p, beam_int64, three, 4), &by_last_digit_fn);
    beam_assert_that(beam_keys(kvs), beam_int64, keys, 4);
    beam_assert_that(beam_values(kvs), beam_int64, values, 4);
    static const int_int per_key[] = {{0, 2}, {1, 1}, {2, 1}};
    beam_assert_that(beam_count_per_key(kvs), int_int, per_key, 3);
    beam_assert_count(beam_sample_globally(x, .n = 3, .seed = 7), 1);
    beam_assert_count(beam_top_globally(x, .n = 2), 1);
    beam_assert_count(beam_top_per_key(kvs, .n = 2), 3);
}

static void compositions(void **state)
{
    (void)state;
    run_all_ways(build_compositions);
}

/* ---- CoGroupByKey ------------------------------------------------------------------------ */

BEAM_ITERABLE(ints, beam_int64);
BEAM_ITERABLE(strs, beam_str);
#define JOINED(FIELD, S) FIELD(S, ints, numbers) FIELD(S, strs, names)
BEAM_STRUCT(joined, JOINED);
BEAM_KV(int_joined, beam_int64, joined);
BEAM_KV(int_str, beam_int64, beam_str);

static beam_status describe(beam_ctx *c, const int_joined *j)
{
    beam_iter n = beam_iterate(&j->value.numbers, beam_int64);
    beam_iter s = beam_iterate(&j->value.names, beam_str);
    beam_int64 sum = 0, length = 0;
    for (const beam_int64 *v; (v = beam_next(&n, beam_int64));)
        sum += *v;
    for (const beam_str *v; (v = beam_next(&s, beam_str));)
        length += (beam_int64)v->len;
    BEAM_TRY(n.status);
    BEAM_TRY(s.status);
    return beam_emit(c, int_int, .key = j->key, .value = sum * 100 + length);
}
BEAM_DOFN(describe_fn, int_joined, describe, BEAM_TYPES(&int_int_type));

static void build_join(beam_pipeline *p)
{
    static const int_int left[] = {{1, 1}, {2, 2}, {1, 3}};
    static const int_str right[] = {{2, STR("two")}, {3, STR("three")}};
    static const int_int expected[] = {{1, 400}, {2, 203}, {3, 5}};
    beam_pcoll kvs[] = {beam_create(p, int_int, left, 3, .name = "L"),
                        beam_create(p, int_str, right, 2, .name = "R")};
    beam_pcoll j = beam_co_group_by_key(kvs, 2, int_joined);
    beam_assert_that(beam_pardo(j, &describe_fn), int_int, expected, 3);
}

static void co_group_by_key(void **state)
{
    (void)state;
    run_all_ways(build_join);
}

/* ---- Arrays and single elements ----------------------------------------------------------- */

static beam_status add_one(beam_ctx *c, const beam_int64 *x, size_t n)
{
    beam_int64 *out = beam_alloc(c, n * sizeof *out);
    if (!out)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] + 1;
    beam_count(c, 0, 1);
    return beam_emit_batch(c, 0, beam_int64, out, n);
}
BEAM_BATCH_DOFN(add_one_fn, beam_int64, add_one, BEAM_TYPES(&beam_int64_type),
                BEAM_METRICS({"arrays", BEAM_COUNTER}));

static beam_status identity(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(identity_fn, beam_int64, identity, BEAM_TYPES(&beam_int64_type));

static void batches(void **state)
{
    (void)state;
    const beam_int64 expected = 100000 * INT64_C(99999) / 2 + 3 * 100000;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll x = beam_pardo(count_to(p, 100000), &add_one_fn, .name = "Batched");
    x = beam_pardo(beam_pardo(x, &identity_fn), &add_one_fn);
    x = beam_pardo(beam_reshuffle(x), &add_one_fn);
    beam_assert_that(beam_combine_globally(x, &beam_sum_int64), beam_int64, &expected, 1);
    beam_result *result = run_ok(p, NULL, true);
    int64_t arrays = counter(result, "Batched", "arrays");
    assert_true(arrays > 0 && arrays < 1000);
    beam_result_free(result);
}

/* ---- A large one, and metrics -------------------------------------------------------------- */

static void many_elements(void **state)
{
    (void)state;
    const beam_int64 n = 300000, keys = 10;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll kvs = beam_pardo(count_to(p, n), &by_last_digit_fn);
    beam_pcoll sums = beam_pardo(beam_group_by_key(kvs), &sum_group_fn);
    beam_int64 total = n * (n - 1) / 2;
    beam_assert_that(beam_combine_globally(beam_values(sums), &beam_sum_int64), beam_int64, &total,
                     1);
    beam_assert_count(sums, (size_t)keys);
    spill_soon(true);
    run_ok(p, &(beam_run_options){.struct_size = sizeof(beam_run_options), .memory_budget = 100000},
           false);
    spill_soon(false);
}

/* A budget that nothing fits in counts as one that is worth spilling for. */
static void tiny_budget(void **state)
{
    (void)state;
    for (int soon = 1; soon >= 0; soon--) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll kvs = beam_pardo(count_to(p, 1000), &by_last_digit_fn);
        beam_assert_count(beam_pardo(beam_group_by_key(kvs), &sum_group_fn), 10);
        const beam_run_options options = {
            .struct_size = sizeof options, .memory_budget = 1, .temp_dir = "/no/such/folder"};
        beam_error err;
        spill_soon(soon);
        if (soon) {
            run_fails(p, &options, BEAM_UNAVAILABLE, &err);
            assert_mentions(&err, "/no/such/folder");
        } else {
            run_ok(p, &options, false);
        }
    }
}

/* Large values beside small ones, few enough of them that hardly two share a partition. */
BEAM_KV(int_bytes, beam_int64, beam_bytes);
BEAM_GROUPED(int_bytess, beam_int64, beam_bytes);

static beam_status make_value(beam_ctx *c, const beam_int64 *x)
{
    const size_t len = *x % 10 == 9 ? 100000 : 100;
    char *bytes = beam_alloc(c, len);
    if (!bytes)
        return BEAM_RESOURCE_EXHAUSTED;
    memset(bytes, 'x', len);
    return beam_emit(c, int_bytes, .key = *x, .value = {bytes, len});
}
BEAM_DOFN(make_value_fn, beam_int64, make_value, BEAM_TYPES(&int_bytes_type));

static beam_status key_of(beam_ctx *c, const int_bytess *group)
{
    return beam_emit_value(c, beam_int64, &group->key);
}
BEAM_DOFN(key_of_fn, int_bytess, key_of, BEAM_TYPES(&beam_int64_type));

static void build_uneven(beam_pipeline *p)
{
    const beam_int64 sum = 59 * 60 / 2;
    beam_pcoll kvs = beam_pardo(numbers(p, 60), &make_value_fn);
    beam_pcoll keys = beam_pardo(beam_group_by_key(kvs), &key_of_fn);
    beam_assert_count(keys, 60);
    beam_assert_that(beam_combine_globally(keys, &beam_sum_int64), beam_int64, &sum, 1);
}

static void uneven_values(void **state)
{
    (void)state;
    run_all_ways(build_uneven);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_by_key),        cmocka_unit_test(groups_of_groups),
        cmocka_unit_test(outputs_and_flatten), cmocka_unit_test(flatten_of_stages),
        cmocka_unit_test(combine_globally),    cmocka_unit_test(compositions),
        cmocka_unit_test(co_group_by_key),     cmocka_unit_test(batches),
        cmocka_unit_test(many_elements),       cmocka_unit_test(uneven_values),
        cmocka_unit_test(tiny_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
