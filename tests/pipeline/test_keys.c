/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* GroupByKey groups by the key's encoded bytes: padding does not count, 0.0 and -0.0 are two
 * keys, a NaN is one key a bit pattern; in memory and spilled. */
#include <math.h>

#include "pipeline/pipeline_test.h"

enum { REPEATS = 50 };

BEAM_KV(double_int, beam_double, beam_int64);

/* Writes the doubles of the list REPEATS times. */
static const uint64_t double_bits[] = {
    0,                            /* 0.0 */
    UINT64_C(0x8000000000000000), /* -0.0 */
    UINT64_C(0x7ff8000000000000), /* NaN */
    UINT64_C(0xfff8000000000000), /* -NaN */
    UINT64_C(0x7ff8000000000001), /* another */
    UINT64_C(0x3ff0000000000000), /* 1.0 */
};
enum { N_DOUBLES = sizeof double_bits / sizeof *double_bits };

static beam_status give_doubles(beam_ctx *c, const beam_int64 *x)
{
    double_int kv = {.value = 1};
    memcpy(&kv.key, &double_bits[*x % N_DOUBLES], sizeof kv.key);
    return beam_emit_value(c, double_int, &kv);
}
BEAM_DOFN(give_doubles_fn, beam_int64, give_doubles, BEAM_TYPES(&double_int_type));

static void build_doubles(beam_pipeline *p)
{
    double_int expected[N_DOUBLES];
    for (size_t i = 0; i < N_DOUBLES; i++) {
        memcpy(&expected[i].key, &double_bits[i], sizeof expected[i].key);
        expected[i].value = REPEATS;
    }
    beam_pcoll kvs = beam_pardo(count_to(p, REPEATS * N_DOUBLES), &give_doubles_fn);
    beam_assert_that(beam_combine_per_key(kvs, &beam_sum_int64), double_int, expected, N_DOUBLES);
    beam_assert_count(beam_group_by_key(kvs), N_DOUBLES);
    beam_assert_count(beam_distinct(kvs), N_DOUBLES);
}

static void doubles(void **state)
{
    (void)state;
    run_all_ways(build_doubles);
}

/* ---- Structs with padding and text -------------------------------------------------------------
 */

#define PADDED(FIELD, S)        \
    FIELD(S, beam_byte, small)  \
    FIELD(S, beam_int64, large) \
    FIELD(S, beam_str, text) FIELD(S, beam_bool, flag) FIELD(S, beam_double, number)
BEAM_STRUCT(padded, PADDED);
BEAM_KV(padded_int, padded, beam_int64);
BEAM_GROUPED(padded_ints, padded, beam_int64);

static beam_status give_padded(beam_ctx *c, const beam_int64 *x)
{
    static const char texts[3][4] = {"", "a", "abc"};
    char copy[4]; /* the same text in different places */
    padded_int kv;
    memset(&kv, (int)(*x % 251), sizeof kv); /* padding differs from element to element */
    memcpy(copy, texts[*x % 3], sizeof copy);
    kv.key.small = (beam_byte)(*x % 2);
    kv.key.large = *x % 5;
    kv.key.text = (beam_str){copy, strlen(copy)};
    kv.key.flag = *x % 3 == 0;
    kv.key.number = *x % 2 ? -0.0 : 0.0;
    kv.value = *x;
    return beam_emit_value(c, padded_int, &kv);
}
BEAM_DOFN(give_padded_fn, beam_int64, give_padded, BEAM_TYPES(&padded_int_type));

/* Every value of a group must have the group's key; gives the size. */
static beam_status check_padded(beam_ctx *c, const padded_ints *group)
{
    beam_iter values = beam_iterate(&group->values, beam_int64);
    beam_int64 n = 0;
    for (const beam_int64 *v; (v = beam_next(&values, beam_int64)); n++)
        if (*v % 2 != group->key.small || *v % 5 != group->key.large ||
            (*v % 3 == 0) != group->key.flag || signbit(group->key.number) != (*v % 2 != 0) ||
            group->key.text.len != (size_t)(*v % 3 == 2 ? 3 : *v % 3))
            return beam_fail(c, BEAM_DATA_LOSS, "%lld in a wrong group", (long long)*v);
    BEAM_TRY(values.status);
    return beam_emit(c, beam_int64, n);
}
BEAM_DOFN(check_padded_fn, padded_ints, check_padded, BEAM_TYPES(&beam_int64_type));

static void build_padded(beam_pipeline *p)
{
    beam_int64 sizes[30];
    for (size_t i = 0; i < 30; i++)
        sizes[i] = REPEATS;
    beam_pcoll kvs = beam_pardo(count_to(p, 30 * REPEATS), &give_padded_fn);
    beam_assert_that(beam_pardo(beam_group_by_key(kvs), &check_padded_fn), beam_int64, sizes, 30);
    beam_assert_count(beam_combine_per_key(kvs, &beam_sum_int64), 30);
}

static void padding_and_text(void **state)
{
    (void)state;
    run_all_ways(build_padded);
}

/* ---- Values that point elsewhere
 * ----------------------------------------------------------------- */

BEAM_KV(str_str, beam_str, beam_str);
BEAM_GROUPED(str_strs, beam_str, beam_str);

static beam_status give_texts(beam_ctx *c, const beam_int64 *x)
{
    beam_str key = beam_format(c, "key %d", (int)(*x % 40));
    beam_str value = beam_format(c, "%d of a text that is not short", (int)*x);
    return beam_emit(c, str_str, .key = key, .value = value);
}
BEAM_DOFN(give_texts_fn, beam_int64, give_texts, BEAM_TYPES(&str_str_type));

static beam_status check_texts(beam_ctx *c, const str_strs *group)
{
    int key = atoi(beam_cstr(c, group->key) + 4);
    beam_iter values = beam_iterate(&group->values, beam_str);
    beam_int64 n = 0;
    for (const beam_str *v; (v = beam_next(&values, beam_str)); n++)
        if (atoi(beam_cstr(c, *v)) % 40 != key)
            return beam_fail(c, BEAM_DATA_LOSS, "a wrong group");
    BEAM_TRY(values.status);
    return beam_emit(c, beam_int64, n);
}
BEAM_DOFN(check_texts_fn, str_strs, check_texts, BEAM_TYPES(&beam_int64_type));

static void build_texts(beam_pipeline *p)
{
    beam_int64 sizes[40];
    for (size_t i = 0; i < 40; i++)
        sizes[i] = REPEATS;
    beam_pcoll kvs = beam_pardo(count_to(p, 40 * REPEATS), &give_texts_fn);
    beam_assert_that(beam_pardo(beam_group_by_key(kvs), &check_texts_fn), beam_int64, sizes, 40);
    beam_assert_that(beam_pardo(beam_group_by_key(beam_reshuffle(kvs), .name = "Again"),
                                &check_texts_fn, .name = "CheckAgain"),
                     beam_int64, sizes, 40);
}

static void texts(void **state)
{
    (void)state;
    run_all_ways(build_texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles),
        cmocka_unit_test(padding_and_text),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
