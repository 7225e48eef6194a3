/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Side inputs of all kinds, and what they do to fusion. */
#include "pipeline/pipeline_test.h"

static beam_status triple(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, int_int, .key = *x % 3, .value = *x);
}
BEAM_DOFN(by_three_fn, beam_int64, triple, BEAM_TYPES(&int_int_type));

/* x + 1000 * the singleton + 1000000 * the number of values of x % 5 in the multimap, or the
 * map's value where there is one. */
static beam_status look_up(beam_ctx *c, const beam_int64 *x)
{
    const beam_int64 *one, key = *x % 5;
    beam_iterable many;
    BEAM_TRY(beam_side_singleton(c, 0, &one));
    BEAM_TRY(beam_side_get_all(c, 1, &key, &many));
    beam_iter values = beam_iterate(&many, beam_int64);
    beam_int64 n = 0;
    for (const beam_int64 *v; (v = beam_next(&values, beam_int64));)
        n += *v % 3 == key;
    const beam_int64 *mapped;
    BEAM_TRY(beam_side_get(c, 2, x, &mapped));
    return beam_emit(c, beam_int64, mapped ? *mapped : *x + 1000 * *one + 1000000 * n);
}
BEAM_DOFN(look_up_fn, beam_int64, look_up, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_int64_type}, {BEAM_SIDE_MULTIMAP, &int_int_type},
                     {BEAM_SIDE_MAP, &int_int_type}));

static void build_kinds(beam_pipeline *p)
{
    static const int_int pairs[] = {{3, -3}, {7, -7}};
    static const beam_int64 expected[] = {4045000, 3045001, 3045002, -3,    45004,
                                          4045005, 3045006, -7,      45008, 45009};
    beam_pcoll x = numbers(p, 10);
    beam_pcoll sum = beam_combine_globally(x, &beam_sum_int64);
    beam_pcoll multi = beam_pardo(x, &by_three_fn);
    beam_pcoll map = beam_create(p, int_int, pairs, 2, .name = "Pairs");
    beam_pcoll found = beam_pardo(
        x, &look_up_fn,
        BEAM_SIDE_INPUTS(beam_as_singleton(sum), beam_as_multimap(multi), beam_as_map(map)));
    beam_assert_that(found, beam_int64, expected, 10);
}

static void kinds(void **state)
{
    (void)state;
    run_all_ways(build_kinds);
}

/* ---- Larger ones ---------------------------------------------------------------------------- */

static beam_status count_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable side;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    beam_iter values = beam_iterate(&side, beam_int64);
    beam_int64 n = 0;
    for (size_t run; beam_next_run(&values, beam_int64, &run);)
        n += (beam_int64)run;
    BEAM_TRY(values.status);
    return beam_emit(c, beam_int64, n + *x);
}
BEAM_DOFN(count_side_fn, beam_int64, count_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

static void build_chain(beam_pipeline *p)
{
    /* Each step sees what the one before it gave, so each is a stage of its own. */
    static const beam_int64 expected[] = {50000, 50001, 50002};
    static const beam_int64 then[] = {50003, 50004, 50005};
    beam_pcoll x = numbers(p, 3), big = count_to(p, 50000);
    beam_pcoll y = beam_pardo(x, &count_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(big)));
    beam_assert_that(y, beam_int64, expected, 3);
    beam_pcoll z = beam_pardo(y, &count_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(y)));
    beam_assert_that(z, beam_int64, then, 3);
    beam_pcoll none = count_to(p, 0);
    beam_assert_that(
        beam_pardo(x, &count_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(none)), .name = "None"),
        beam_int64, ((const beam_int64[]){0, 1, 2}), 3);
}

static void chain(void **state)
{
    (void)state;
    run_all_ways(build_chain);
}

/* Groups as a side input: their iterables are kept as arrays. */
static beam_status sum_groups(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable side;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    beam_iter groups = beam_iterate(&side, int_ints);
    beam_int64 sum = *x;
    for (const int_ints *g; (g = beam_next(&groups, int_ints));) {
        beam_iter values = beam_iterate(&g->values, beam_int64);
        for (const beam_int64 *v; (v = beam_next(&values, beam_int64));)
            sum += *v * (g->key + 1);
        BEAM_TRY(values.status);
    }
    BEAM_TRY(groups.status);
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(sum_groups_fn, beam_int64, sum_groups, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &int_ints_type}));

static void build_groups(beam_pipeline *p)
{
    static const beam_int64 expected[] = {18 + 12 * 2 + 15 * 3, 18 + 12 * 2 + 15 * 3 + 1};
    beam_pcoll groups = beam_group_by_key(beam_pardo(numbers(p, 10), &by_three_fn));
    beam_assert_that(
        beam_pardo(count_to(p, 2), &sum_groups_fn, BEAM_SIDE_INPUTS(beam_as_iterable(groups))),
        beam_int64, expected, 2);
}

static void groups_as_side(void **state)
{
    (void)state;
    run_all_ways(build_groups);
}

/* ---- Keys that are text --------------------------------------------------------------------- */

static beam_status find_word(beam_ctx *c, const beam_str *word)
{
    const beam_int64 *n;
    BEAM_TRY(beam_side_get(c, 0, word, &n));
    return beam_emit(c, beam_int64, n ? *n : -1);
}
BEAM_DOFN(find_word_fn, beam_str, find_word, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_MAP, &str_int_type}));

static void build_words(beam_pipeline *p)
{
    static const str_int table[] = {{STR("a"), 1}, {STR(""), 2}, {STR("abc"), 3}};
    static const beam_str words[] = {STR("abc"), STR(""), STR("b"), STR("a")};
    static const beam_int64 expected[] = {3, 2, -1, 1};
    beam_pcoll map = beam_create(p, str_int, table, 3, .name = "Table");
    beam_assert_that(beam_pardo(beam_create(p, beam_str, words, 4), &find_word_fn,
                                BEAM_SIDE_INPUTS(beam_as_map(map))),
                     beam_int64, expected, 4);
}

static void words(void **state)
{
    (void)state;
    run_all_ways(build_words);
}

/* ---- What cannot be ---------------------------------------------------------------------------
 */

static beam_status use_singleton(beam_ctx *c, const beam_int64 *x)
{
    const beam_int64 *one;
    BEAM_TRY(beam_side_singleton(c, 0, &one));
    return beam_emit(c, beam_int64, *x + *one);
}
BEAM_DOFN(use_singleton_fn, beam_int64, use_singleton, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_int64_type}));

static void no_singleton(void **state)
{
    (void)state;
    for (int64_t n = 0; n <= 2; n += 2) {
        beam_error err;
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll side = count_to(p, n);
        beam_pardo(numbers(p, 3), &use_singleton_fn, BEAM_SIDE_INPUTS(beam_as_singleton(side)));
        run_fails(p, NULL, BEAM_FAILED_PRECONDITION, &err);
        assert_mentions(&err, "use_singleton_fn");
        assert_mentions(&err, n ? "more than one element" : "no element");
    }
}

static void a_key_twice_in_a_map(void **state)
{
    (void)state;
    static const str_int table[] = {{STR("a"), 1}, {STR("b"), 2}, {STR("b"), 2}};
    static const beam_str words[] = {STR("a"), STR("b")};
    beam_error err;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll map = beam_create(p, str_int, table, 3, .name = "Table");
    beam_pardo(beam_create(p, beam_str, words, 2), &find_word_fn,
               BEAM_SIDE_INPUTS(beam_as_map(map)));
    run_fails(p, NULL, BEAM_FAILED_PRECONDITION, &err);
    assert_mentions(&err, "find_word_fn");
    assert_mentions(&err, "more than one value of the key");
}

/* ---- Larger than the budget ----------------------------------------------------------------- */

static void count_warnings(void *user, const beam_log_record *record)
{
    *(int *)user += record->level == BEAM_LOG_WARNING && strstr(record->message, "the side input");
}

/* It stays in memory, and the log says so; where it fits it says nothing. */
static void too_large(void **state)
{
    (void)state;
    static const beam_int64 expected[] = {50000, 50001, 50002};
    for (int fits = 0; fits < 2; fits++) {
        int warnings = 0;
        const beam_logger logger = {
            .sink = count_warnings, .user = &warnings, .min_level = BEAM_LOG_WARNING};
        const beam_run_options options = {.struct_size = sizeof options,
                                          .memory_budget = fits ? 100000000 : 100000,
                                          .logger = &logger};
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll x = numbers(p, 3), big = count_to(p, 50000);
        x = beam_pardo(x, &count_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(big)));
        beam_assert_that(x, beam_int64, expected, 3);
        spill_soon(true);
        run_ok(p, &options, false);
        assert_int_equal(warnings, !fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),          cmocka_unit_test(chain),
        cmocka_unit_test(groups_as_side), cmocka_unit_test(words),
        cmocka_unit_test(no_singleton),   cmocka_unit_test(a_key_twice_in_a_map),
        cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
