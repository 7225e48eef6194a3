/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_transforms.c - what the library's transforms compute, in pipelines that check
 * themselves with beam/testing.h; and that those checks find what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <beam/testing.h>
#include <cmocka.h>

#include "support/runner.h"

BEAM_KV(word_count, beam_str, beam_int64);
BEAM_KV(word_mean, beam_str, beam_double);
BEAM_KV(count_word, beam_int64, beam_str);
BEAM_KV(number_count, beam_int64, beam_int64);
BEAM_ITERABLE(ints, beam_int64);
BEAM_ITERABLE(doubles, beam_double);
BEAM_ITERABLE(words_of, beam_str);
BEAM_KV(word_ints, beam_str, ints);
#define JOINED(FIELD, S) FIELD(S, ints, counts) FIELD(S, doubles, means)
BEAM_STRUCT(joined, JOINED);
BEAM_KV(by_word, beam_str, joined);
#define SUMMARY(FIELD, S) \
    FIELD(S, beam_str, word) FIELD(S, beam_int64, counts) FIELD(S, beam_double, means)
BEAM_STRUCT(summary, SUMMARY);

#define S(text)                \
    {                          \
        text, sizeof(text) - 1 \
    }
#define COUNT(array) (sizeof(array) / sizeof *(array))

static beam_pipeline *new_pipeline(void)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    return p;
}

/* On the engine that the environment names, if it does. */
static void run_all_right(beam_pipeline *p)
{
    beam_error err = {0};
    const beam_run_options options = test_runner();
    if (beam_pipeline_run(p, &options, NULL, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    beam_pipeline_free(p);
}

static const word_count counted[] = {{S("a"), 1}, {S("b"), 5}, {S("a"), 3}, {S("c"), -2}};

/* ---- Elements and parts ----------------------------------------------------------------- */

static void create_gives_its_values(void **unused)
{
    (void)unused;
    static beam_int64 many[10000];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (beam_int64)i * 7;
    beam_pipeline *p = new_pipeline();
    beam_assert_that(beam_create(p, word_count, counted, 4), word_count, counted, 4);
    beam_assert_that(beam_create(p, beam_int64, many, COUNT(many)), beam_int64, many, COUNT(many));
    beam_assert_empty(beam_create(p, word_count, NULL, 0));
    run_all_right(p);
}

static void parts_of_kvs(void **unused)
{
    (void)unused;
    const beam_str keys[] = {S("a"), S("a"), S("b"), S("c")};
    const beam_int64 values[] = {1, 3, 5, -2};
    const count_word swapped[] = {{1, S("a")}, {5, S("b")}, {3, S("a")}, {-2, S("c")}};
    const beam_str all = S("all");
    const word_count keyed[] = {{S("all"), 1}, {S("all"), 3}, {S("all"), 5}, {S("all"), -2}};
    beam_pipeline *p = new_pipeline();
    beam_pcoll kvs = beam_create(p, word_count, counted, 4);
    beam_assert_that(beam_keys(kvs), beam_str, keys, 4);
    beam_assert_that(beam_values(kvs), beam_int64, values, 4);
    beam_assert_that(beam_kv_swap(kvs), count_word, swapped, 4);
    beam_assert_that(beam_with_keys(beam_values(kvs), beam_str, &all), word_count, keyed, 4);
    run_all_right(p);
}

static beam_status to_sign(beam_ctx *ctx, const beam_int64 *value)
{
    return beam_emit_element(ctx, *value < 0 ? 1 : 0, value);
}
BEAM_DOFN(sign_fn, beam_int64, to_sign, BEAM_TYPES(NULL, NULL));

static void partitions_and_flattens(void **unused)
{
    (void)unused;
    const beam_int64 all[] = {1, -1, 2, -2}, positive[] = {1, 2}, negative[] = {-2, -1};
    beam_pipeline *p = new_pipeline();
    beam_pcoll signs[2];
    beam_partition(beam_create(p, beam_int64, all, 4), signs, 2, &sign_fn);
    beam_assert_that(signs[0], beam_int64, positive, 2);
    beam_assert_that(signs[1], beam_int64, negative, 2);
    beam_assert_that(beam_flatten(signs, 2), beam_int64, all, 4);
    run_all_right(p);
}

/* ---- Combines --------------------------------------------------------------------------- */

static void ready_made_combines(void **unused)
{
    (void)unused;
    const beam_int64 ints_in[] = {4, -9, 5}, sum[] = {0}, least[] = {-9}, most[] = {5}, n[] = {3};
    const beam_double doubles_in[] = {0.5, -1.5, 4}, dsum[] = {3}, dleast[] = {-1.5}, dmost[] = {4},
                      dmean[] = {1}, imean[] = {0};
    beam_pipeline *p = new_pipeline();
    beam_pcoll i = beam_create(p, beam_int64, ints_in, 3);
    beam_pcoll d = beam_create(p, beam_double, doubles_in, 3);
    beam_assert_that(beam_combine_globally(i, &beam_sum_int64), beam_int64, sum, 1);
    beam_assert_that(beam_combine_globally(i, &beam_min_int64), beam_int64, least, 1);
    beam_assert_that(beam_combine_globally(i, &beam_max_int64), beam_int64, most, 1);
    beam_assert_that(beam_combine_globally(i, &beam_mean_int64), beam_double, imean, 1);
    beam_assert_that(beam_combine_globally(i, &beam_count_combine), beam_int64, n, 1);
    beam_assert_that(beam_combine_globally(d, &beam_sum_double), beam_double, dsum, 1);
    beam_assert_that(beam_combine_globally(d, &beam_min_double), beam_double, dleast, 1);
    beam_assert_that(beam_combine_globally(d, &beam_max_double), beam_double, dmost, 1);
    beam_assert_that(beam_combine_globally(d, &beam_mean_double), beam_double, dmean, 1);
    run_all_right(p);
}

static bool is_nan(const beam_double *value)
{
    return isnan(*value);
}
BEAM_PREDICATE(is_nan_fn, beam_double, is_nan);

static void a_global_combine_of_nothing_has_a_result(void **unused)
{
    (void)unused;
    const beam_int64 zero = 0, most = INT64_MAX;
    beam_pipeline *p = new_pipeline();
    beam_pcoll none = beam_create(p, beam_int64, NULL, 0);
    beam_assert_that(beam_combine_globally(none, &beam_sum_int64), beam_int64, &zero, 1);
    beam_assert_that(beam_combine_globally(none, &beam_min_int64, .fanout = 3), beam_int64, &most,
                     1);
    beam_assert_that(beam_count_globally(none), beam_int64, &zero, 1);
    beam_pcoll mean = beam_combine_globally(none, &beam_mean_int64);
    beam_assert_count(mean, 1);
    beam_assert_all(mean, &is_nan_fn);
    beam_assert_empty(beam_count_globally(beam_window_into(none, beam_fixed_windows(10))));
    run_all_right(p);
}

static void combines_per_key_with_and_without_fanout(void **unused)
{
    (void)unused;
    const word_count sums[] = {{S("a"), 4}, {S("b"), 5}, {S("c"), -2}};
    const word_mean means[] = {{S("a"), 2}, {S("b"), 5}, {S("c"), -2}};
    beam_pipeline *p = new_pipeline();
    beam_pcoll kvs = beam_create(p, word_count, counted, 4);
    beam_assert_that(beam_combine_per_key(kvs, &beam_sum_int64), word_count, sums, 3);
    beam_assert_that(beam_combine_per_key(kvs, &beam_sum_int64, .fanout = 5), word_count, sums, 3);
    beam_assert_that(beam_combine_per_key(kvs, &beam_mean_int64), word_mean, means, 3);
    beam_assert_that(beam_combine_per_key(kvs, &beam_mean_int64, .fanout = 2), word_mean, means, 3);
    run_all_right(p);
}

static void counts_and_distinct(void **unused)
{
    (void)unused;
    const beam_int64 numbers[] = {7, 7, 8, 7}, four = 4, distinct[] = {8, 7};
    const number_count per_element[] = {{7, 3}, {8, 1}};
    const word_count per_key[] = {{S("a"), 2}, {S("b"), 1}, {S("c"), 1}};
    const beam_double odd[] = {0.0, -0.0, NAN, NAN, 0.0}, odd_distinct[] = {0.0, -0.0, NAN};
    beam_pipeline *p = new_pipeline();
    beam_pcoll n = beam_create(p, beam_int64, numbers, 4);
    beam_assert_that(beam_count_globally(n), beam_int64, &four, 1);
    beam_assert_that(beam_count_per_element(n), number_count, per_element, 2);
    beam_assert_that(beam_count_per_key(beam_create(p, word_count, counted, 4)), word_count,
                     per_key, 3);
    beam_assert_that(beam_distinct(n), beam_int64, distinct, 2);
    beam_assert_that(beam_distinct(beam_create(p, beam_double, odd, 5)), beam_double, odd_distinct,
                     3);
    run_all_right(p);
}

/* ---- Top and Sample --------------------------------------------------------------------- */

static void top_is_in_order(void **unused)
{
    (void)unused;
    const beam_str words[] = {S("pear"), S("apple"), S("fig"), S("plum"), S("date")};
    const beam_str last[] = {S("plum"), S("pear")}, first[] = {S("apple"), S("date"), S("fig")};
    const words_of top[] = {{NULL, last, 2}}, bottom[] = {{NULL, first, 3}};
    const words_of none[] = {{NULL, NULL, 0}};
    const beam_int64 a[] = {3}, b[] = {5}, c[] = {-2};
    const word_ints per_key[] = {
        {S("a"), {NULL, a, 1}}, {S("b"), {NULL, b, 1}}, {S("c"), {NULL, c, 1}}};
    beam_pipeline *p = new_pipeline();
    beam_pcoll w = beam_create(p, beam_str, words, 5);
    beam_assert_that(beam_top_globally(w, 2), words_of, top, 1);
    beam_assert_that(beam_top_globally(w, 3, .smallest = true), words_of, bottom, 1);
    beam_assert_that(beam_top_globally(beam_create(p, beam_str, NULL, 0), 3), words_of, none, 1);
    beam_assert_that(beam_top_per_key(beam_create(p, word_count, counted, 4), 1), word_ints,
                     per_key, 3);
    run_all_right(p);
}

/* Text in descending and ascending order, so that items are pushed out all the time. */
static beam_status to_text(beam_ctx *ctx, const beam_int64 *value)
{
    return beam_emit(ctx, beam_str, .at = beam_format(ctx, "%06lld", (long long)*value).at,
                     .len = 6);
}
BEAM_DOFN(text_fn, beam_int64, to_text, BEAM_TYPES(&beam_str_type));

static void top_forgets_what_it_drops(void **unused)
{
    (void)unused;
    static beam_int64 up_and_down[20000];
    for (size_t i = 0; i < COUNT(up_and_down); i++)
        up_and_down[i] = (beam_int64)(i % 2 ? i : COUNT(up_and_down) - i);
    const beam_str most[] = {S("020000"), S("019999"), S("019998")};
    const words_of top[] = {{NULL, most, 3}};
    beam_pipeline *p = new_pipeline();
    beam_pcoll text =
        beam_pardo(beam_create(p, beam_int64, up_and_down, COUNT(up_and_down)), &text_fn);
    beam_assert_that(beam_top_globally(text, 3), words_of, top, 1);
    run_all_right(p);
}

static beam_status spread(beam_ctx *ctx, const ints *values)
{
    beam_iter iter = beam_iterate(values, beam_int64);
    const beam_int64 *value;
    while ((value = beam_next(&iter, beam_int64)))
        BEAM_TRY(beam_emit_value(ctx, beam_int64, value));
    return iter.status;
}
BEAM_DOFN(spread_fn, ints, spread, BEAM_TYPES(&beam_int64_type));

static bool is_below_1000(const beam_int64 *value)
{
    return *value >= 0 && *value < 1000;
}
BEAM_PREDICATE(below_1000_fn, beam_int64, is_below_1000);

static void samples_are_of_the_elements(void **unused)
{
    (void)unused;
    static beam_int64 numbers[1000];
    for (size_t i = 0; i < COUNT(numbers); i++)
        numbers[i] = (beam_int64)i;
    beam_pipeline *p = new_pipeline();
    beam_pcoll all = beam_create(p, beam_int64, numbers, COUNT(numbers));
    beam_pcoll some = beam_pardo(beam_sample_globally(all, 50), &spread_fn);
    beam_assert_count(some, 50);
    beam_assert_count(beam_distinct(some), 50);
    beam_assert_all(some, &below_1000_fn);
    beam_assert_that(beam_pardo(beam_sample_globally(all, 5000), &spread_fn), beam_int64, numbers,
                     COUNT(numbers));
    /* The same seed, the same sample. */
    beam_pcoll twice[] = {beam_pardo(beam_sample_globally(all, 20, .seed = 9), &spread_fn),
                          beam_pardo(beam_sample_globally(all, 20, .seed = 9), &spread_fn)};
    beam_assert_count(beam_distinct(beam_flatten(twice, 2)), 20);
    beam_assert_count(beam_sample_per_key(beam_create(p, word_count, counted, 4), 1), 3);
    run_all_right(p);
}

/* ---- Joins and reshuffles ----------------------------------------------------------------- */

static beam_status summarise(beam_ctx *ctx, const by_word *group)
{
    summary s = {group->key, 0, 0};
    const beam_int64 *i;
    const beam_double *d;
    beam_iter doubles_iter = beam_iterate(&group->value.means, beam_double);
    uint64_t n = 0;
    for (int pass = 0; pass < 2; pass++) { /* values can be read again */
        beam_iter ints_iter = beam_iterate(&group->value.counts, beam_int64);
        for (n = 0, s.counts = 0; (i = beam_next(&ints_iter, beam_int64)); n++)
            s.counts += *i;
        BEAM_TRY(ints_iter.status);
    }
    if (n != group->value.counts.len)
        return beam_fail(ctx, BEAM_INTERNAL, "the number of values is wrong");
    while ((d = beam_next(&doubles_iter, beam_double)))
        s.means += *d;
    BEAM_TRY(doubles_iter.status);
    return beam_emit_value(ctx, summary, &s);
}
BEAM_DOFN(summarise_fn, by_word, summarise, BEAM_TYPES(&summary_type));

static void co_group_by_key_joins(void **unused)
{
    (void)unused;
    const word_mean means[] = {{S("b"), 0.5}, {S("d"), 1.5}, {S("b"), 2}};
    const summary expected[] = {
        {S("a"), 4, 0}, {S("b"), 5, 2.5}, {S("c"), -2, 0}, {S("d"), 0, 1.5}};
    beam_pipeline *p = new_pipeline();
    beam_pcoll inputs[] = {beam_create(p, word_count, counted, 4),
                           beam_create(p, word_mean, means, 3)};
    beam_pcoll both = beam_co_group_by_key(inputs, 2, by_word);
    beam_assert_that(beam_pardo(both, &summarise_fn), summary, expected, 4);
    /* Held in a shuffle between, as any other value. */
    beam_assert_that(beam_pardo(beam_reshuffle(both), &summarise_fn), summary, expected, 4);
    run_all_right(p);
}

static beam_status at_time(beam_ctx *ctx, const beam_int64 *value)
{
    return beam_emit_at(ctx, 0, value, *value);
}
BEAM_DOFN(at_time_fn, beam_int64, at_time, BEAM_TYPES(&beam_int64_type));

static void reshuffle_keeps_elements_and_windows(void **unused)
{
    (void)unused;
    const beam_int64 numbers[] = {1, 2, 11, 12, 13}, early[] = {1, 2}, late[] = {11, 12, 13};
    const beam_int64 sums[] = {3, 36};
    const beam_window first = {0, 10}, second = {10, 20};
    beam_pipeline *p = new_pipeline();
    beam_pcoll in = beam_pardo(beam_create(p, beam_int64, numbers, 5), &at_time_fn);
    beam_pcoll windowed = beam_window_into(in, beam_fixed_windows(10));
    beam_pcoll out = beam_reshuffle(windowed);
    beam_assert_that(out, beam_int64, numbers, 5);
    beam_assert_that(out, beam_int64, early, 2, .window = &first);
    beam_assert_that(out, beam_int64, late, 3, .window = &second);
    beam_assert_that(beam_combine_globally(out, &beam_sum_int64), beam_int64, sums, 2);
    run_all_right(p);
}

static void windows_group_apart(void **unused)
{
    (void)unused;
    const beam_int64 times[] = {0, 4, 8, 30, 33, 70};
    const beam_int64 fixed[] = {3, 2, 1}, sessions[] = {3, 2, 1};
    const beam_window session = {30, 38};
    const beam_int64 two = 2;
    beam_pipeline *p = new_pipeline();
    beam_pcoll in = beam_pardo(beam_create(p, beam_int64, times, 6), &at_time_fn);
    beam_assert_that(beam_count_globally(beam_window_into(in, beam_fixed_windows(20))), beam_int64,
                     fixed, 3);
    beam_pcoll counts = beam_count_globally(beam_window_into(in, beam_sessions(5)));
    beam_assert_that(counts, beam_int64, sessions, 3);
    beam_assert_that(counts, beam_int64, &two, 1, .window = &session);
    run_all_right(p);
}

/* ---- Checks that fail ------------------------------------------------------------------- */

static bool is_even(const beam_int64 *value)
{
    return *value % 2 == 0;
}
BEAM_PREDICATE(is_even_fn, beam_int64, is_even);

static void run_fails(beam_pipeline *p, const char *const *words, size_t n)
{
    beam_error err = {0};
    assert_int_equal(beam_pipeline_run(p, NULL, NULL, &err), BEAM_FAILED_PRECONDITION);
    for (size_t i = 0; i < n; i++)
        if (!strstr(err.message, words[i]))
            fail_msg("'%s' does not say '%s'", err.message, words[i]);
    beam_pipeline_free(p);
}

static void failing_checks_fail_the_run_with_words(void **unused)
{
    (void)unused;
    const beam_int64 numbers[] = {1, 2, 2}, expected[] = {2, 2, 4};
    beam_pipeline *p = new_pipeline();
    beam_assert_that(beam_create(p, beam_int64, numbers, 3), beam_int64, expected, 3);
    run_fails(p, (const char *const[]){"test_transforms.c:", "missing: 4", "not expected: 1"}, 3);
    p = new_pipeline();
    beam_assert_that(beam_create(p, beam_int64, numbers, 3), beam_int64, numbers, 2);
    run_fails(p, (const char *const[]){"2 elements were expected and 3 came", "not expected: 2"},
              2);
    p = new_pipeline();
    beam_assert_count(beam_create(p, beam_int64, numbers, 3), 2, .name = "Two");
    run_fails(p, (const char *const[]){"Two", "2 elements were expected and 3 came"}, 2);
    p = new_pipeline();
    beam_assert_all(beam_create(p, beam_int64, numbers, 3), &is_even_fn);
    run_fails(p, (const char *const[]){"they are: 1"}, 1);
}

static void a_check_of_nothing_runs_and_fails(void **unused)
{
    (void)unused;
    const beam_int64 one = 1;
    beam_pipeline *p = new_pipeline();
    beam_assert_that(beam_create(p, beam_int64, NULL, 0), beam_int64, &one, 1);
    run_fails(p, (const char *const[]){"1 elements were expected and 0 came", "missing: 1"}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_gives_its_values),
        cmocka_unit_test(parts_of_kvs),
        cmocka_unit_test(partitions_and_flattens),
        cmocka_unit_test(ready_made_combines),
        cmocka_unit_test(a_global_combine_of_nothing_has_a_result),
        cmocka_unit_test(combines_per_key_with_and_without_fanout),
        cmocka_unit_test(counts_and_distinct),
        cmocka_unit_test(top_is_in_order),
        cmocka_unit_test(top_forgets_what_it_drops),
        cmocka_unit_test(samples_are_of_the_elements),
        cmocka_unit_test(co_group_by_key_joins),
        cmocka_unit_test(reshuffle_keeps_elements_and_windows),
        cmocka_unit_test(windows_group_apart),
        cmocka_unit_test(failing_checks_fail_the_run_with_words),
        cmocka_unit_test(a_check_of_nothing_runs_and_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
