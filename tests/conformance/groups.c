/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* GroupByKey, CoGroupByKey, combines, Reshuffle, Flatten. */
#include "conformance/suite.h"

/* ---- GroupByKey ------------------------------------------------------------------------- */

static const str_int pairs[] = {{S("a"), 1}, {S("a"), 2}, {S("b"), 3}};

#define TOLD(FIELD, S) FIELD(S, beam_str, key) FIELD(S, beam_int64, n) FIELD(S, beam_int64, sum)
BEAM_STRUCT(told, TOLD);

static beam_status tell(beam_ctx *c, const str_ints *group)
{
    int_sum sum;
    BEAM_TRY(sum_ints(&group->values, &sum));
    return beam_emit(c, told, .key = group->key, .n = sum.n, .sum = sum.sum);
}
BEAM_DOFN(tell_fn, str_ints, tell, BEAM_TYPES(&told_type));

static void group_by_key(beam_pipeline *p)
{
    beam_pcoll groups = beam_group_by_key(beam_create(p, str_int, pairs, 3));
    EXPECT(beam_pardo(groups, &tell_fn), told, {S("a"), 2, 3}, {S("b"), 1, 3});
}

static beam_status none(beam_ctx *c, const str_int *kv)
{
    (void)c;
    (void)kv;
    return BEAM_OK;
}
BEAM_DOFN(none_fn, str_int, none, BEAM_TYPES(&str_int_type));

static void group_nothing(beam_pipeline *p)
{
    beam_pcoll nothing = beam_pardo(beam_create(p, str_int, pairs, 3), &none_fn);
    beam_assert_empty(beam_group_by_key(nothing));
}

static beam_status first_value(beam_ctx *c, const str_ints *group)
{
    beam_iter iter = beam_iterate(&group->values, beam_int64);
    const beam_int64 *first = beam_next(&iter, beam_int64);
    return first ? beam_emit_value(c, beam_int64, first) : iter.status;
}
BEAM_DOFN(first_value_fn, str_ints, first_value, BEAM_TYPES(&beam_int64_type));

/* Who reads a part of a group does not lose its place in what follows. */
static void group_read_in_part(beam_pipeline *p)
{
    static const str_int many[] = {{S("a"), 1}, {S("a"), 1}, {S("a"), 1}, {S("b"), 4}, {S("b"), 4},
                                   {S("c"), 6}, {S("c"), 6}, {S("c"), 6}, {S("c"), 6}, {S("c"), 6}};
    beam_pcoll groups = beam_group_by_key(beam_create(p, str_int, many, COUNT(many)));
    EXPECT(beam_pardo(groups, &first_value_fn), beam_int64, 1, 4, 6);
}

/* ---- Groups and elements that are large ------------------------------------------------- */

enum { VALUES = 200, VALUE_BYTES = 30000, LARGE_BYTES = 5 << 20 };

/* KVs of its text and `config` bytes. */
static beam_status blow_up(beam_ctx *c, const beam_str *text)
{
    size_t size = (size_t)*beam_config(c, beam_int64);
    char *bytes = beam_alloc(c, size);
    if (!bytes)
        return BEAM_RESOURCE_EXHAUSTED;
    memset(bytes, text->at[0], size);
    return beam_emit(c, str_str, .key = *text, .value = {bytes, size});
}
BEAM_DOFN(blow_up_fn, beam_str, blow_up, BEAM_TYPES(&str_str_type), .config = &beam_int64_type);

BEAM_GROUPED(str_strs, beam_str, beam_str);

static beam_status bytes_of_group(beam_ctx *c, const str_strs *group)
{
    beam_iter iter = beam_iterate(&group->values, beam_str);
    beam_int64 bytes = 0;
    for (const beam_str *value; (value = beam_next(&iter, beam_str));) {
        if (value->at[value->len - 1] != group->key.at[0])
            return beam_fail(c, BEAM_DATA_LOSS, "another value's bytes");
        bytes += (beam_int64)value->len;
    }
    BEAM_TRY(iter.status);
    return beam_emit(c, str_int, .key = group->key, .value = bytes);
}
BEAM_DOFN(bytes_of_group_fn, str_strs, bytes_of_group, BEAM_TYPES(&str_int_type));

static void group_of_many_values(beam_pipeline *p)
{
    static beam_str keys[VALUES];
    for (int i = 0; i < VALUES; i++)
        keys[i] = (beam_str)S("k");
    const beam_int64 size = VALUE_BYTES;
    beam_pcoll kvs =
        beam_pardo(beam_create(p, beam_str, keys, VALUES), &blow_up_fn, .config = &size);
    EXPECT(beam_pardo(beam_group_by_key(kvs), &bytes_of_group_fn), str_int,
           {S("k"), VALUES * VALUE_BYTES});
}

static beam_status count_equal(beam_ctx *c, const str_str *kv)
{
    beam_iterable all;
    beam_int64 n = 0;
    BEAM_TRY(beam_side_iterable(c, 0, &all));
    beam_iter iter = beam_iterate(&all, beam_str);
    for (const beam_str *one; (one = beam_next(&iter, beam_str));)
        n += beam_str_equal(*one, kv->key);
    BEAM_TRY(iter.status);
    return beam_emit(c, str_int, .key = kv->key, .value = n);
}
BEAM_DOFN(count_equal_fn, str_str, count_equal, BEAM_TYPES(&str_int_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_str_type}));

/* Larger than a message of gRPC's default size. */
static void large_elements(beam_pipeline *p)
{
    static const beam_str texts[] = {S("a"), S("a"), S("b")};
    const beam_int64 size = LARGE_BYTES;
    beam_pcoll big = beam_pardo(beam_create(p, beam_str, texts, 3), &blow_up_fn, .config = &size);
    beam_pcoll counted =
        beam_pardo(big, &count_equal_fn, BEAM_SIDE_INPUTS(beam_as_iterable(beam_keys(big))));
    EXPECT(counted, str_int, {S("a"), 2}, {S("a"), 2}, {S("b"), 1});
    EXPECT(beam_pardo(beam_group_by_key(big), &bytes_of_group_fn), str_int,
           {S("a"), 2 * LARGE_BYTES}, {S("b"), LARGE_BYTES});
}

/* ---- CoGroupByKey ----------------------------------------------------------------------- */

BEAM_ITERABLE(ints, beam_int64);
BEAM_ITERABLE(texts, beam_str);
#define JOINED(FIELD, S) FIELD(S, ints, as) FIELD(S, ints, bs) FIELD(S, texts, cs)
BEAM_STRUCT(joined, JOINED);
BEAM_KV(join, beam_str, joined);

/* The sum of the numbers, and of the lengths of the texts. */
static beam_status add_up(beam_ctx *c, const join *group)
{
    int_sum as, bs;
    beam_int64 length = 0;
    BEAM_TRY(sum_ints(&group->value.as, &as));
    BEAM_TRY(sum_ints(&group->value.bs, &bs));
    beam_iter iter = beam_iterate(&group->value.cs, beam_str);
    for (const beam_str *text; (text = beam_next(&iter, beam_str));)
        length += (beam_int64)text->len;
    BEAM_TRY(iter.status);
    return beam_emit(c, str_int, .key = group->key, .value = as.sum + bs.sum + length);
}
BEAM_DOFN(add_up_fn, join, add_up, BEAM_TYPES(&str_int_type));

static void join_three(beam_pipeline *p, bool reshuffled)
{
    static const str_int as[] = {{S("a"), 1}, {S("a"), 2}, {S("a"), 3},
                                 {S("b"), 4}, {S("b"), 5}, {S("c"), 6}};
    static const str_int bs[] = {{S("a"), 7}, {S("b"), 8}, {S("d"), 9}};
    static const str_str cs[] = {
        {S("a"), S("alpha")}, {S("c"), S("charlie")}, {S("d"), S("delta")}};
    beam_pcoll ins[] = {beam_create(p, str_int, as, 6), beam_create(p, str_int, bs, 3),
                        beam_create(p, str_str, cs, 3)};
    if (reshuffled) {
        ins[0] = beam_reshuffle(ins[0]);
        ins[2] = beam_reshuffle(ins[2]);
    }
    beam_pcoll sums = beam_pardo(beam_co_group_by_key(ins, 3, join), &add_up_fn);
    EXPECT(reshuffled ? beam_reshuffle(sums) : sums, str_int, {S("a"), 18}, {S("b"), 17},
           {S("c"), 13}, {S("d"), 14});
}

static void co_group_by_key(beam_pipeline *p)
{
    join_three(p, false);
}

/* ---- Combines --------------------------------------------------------------------------- */

static void combine_per_key(beam_pipeline *p)
{
    beam_pcoll means = beam_combine_per_key(beam_create(p, str_int, pairs, 3), &beam_mean_int64);
    EXPECT(means, str_double, {S("a"), 1.5}, {S("b"), 3.0});
}

static void two_combines_of_one_input(beam_pipeline *p)
{
    static const beam_int64 all[] = {10, 20, 30};
    beam_pcoll x = beam_create(p, beam_int64, all, 3);
    EXPECT(beam_combine_globally(x, &beam_min_int64), beam_int64, 10);
    EXPECT(beam_combine_globally(x, &beam_max_int64), beam_int64, 30);
}

/* ---- Reshuffle -------------------------------------------------------------------------- */

static void reshuffle(beam_pipeline *p)
{
    static const beam_int64 all[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    beam_assert_that(beam_reshuffle(beam_create(p, beam_int64, all, 9)), beam_int64, all, 9);
}

static void reshuffle_kvs(beam_pipeline *p)
{
    join_three(p, true);
}

static void reshuffle_in_windows(beam_pipeline *p)
{
    static const beam_int64 all[] = {12, 2, 1};
    const beam_window last = {12, 14};
    beam_pcoll x = beam_pardo(beam_create(p, beam_int64, all, 3), &own_time_fn);
    x = beam_reshuffle(beam_window_into(x, beam_fixed_windows(2)));
    beam_assert_that(x, beam_int64, all, 3);
    beam_assert_that(x, beam_int64, all, 1, .window = &last);
}

/* ---- Flatten ---------------------------------------------------------------------------- */

static const beam_int64 one_to_nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static void flatten(beam_pipeline *p)
{
    beam_pcoll parts[3];
    for (int i = 0; i < 3; i++)
        parts[i] = beam_create(p, beam_int64, &one_to_nine[3 * i], 3);
    beam_assert_that(beam_flatten(parts, 3), beam_int64, one_to_nine, 9);
}

static void flatten_with_itself(beam_pipeline *p)
{
    beam_pcoll a = beam_create(p, beam_int64, one_to_nine, 3);
    beam_pcoll b = beam_create(p, beam_int64, &one_to_nine[3], 3);
    const beam_pcoll twice[] = {a, b, a}, thrice[] = {b, b, b};
    EXPECT(beam_flatten(twice, 3), beam_int64, 1, 2, 3, 4, 5, 6, 1, 2, 3);
    EXPECT(beam_flatten(thrice, 3), beam_int64, 4, 5, 6, 4, 5, 6, 4, 5, 6);
}

static void flatten_and_group(beam_pipeline *p)
{
    const beam_pcoll parts[] = {beam_create(p, str_int, pairs, 1),
                                beam_create(p, str_int, &pairs[2], 1)};
    EXPECT(beam_flatten(parts, 2), str_int, {S("a"), 1}, {S("b"), 3});
    EXPECT(beam_pardo(beam_group_by_key(parts[0]), &tell_fn), told, {S("a"), 1, 1});
}

const conformance_case group_cases[] = {
    CASE(group_by_key),
    CASE(group_nothing),
    CASE(group_read_in_part),
    CASE(group_of_many_values),
    CASE(large_elements),
    CASE(co_group_by_key),
    CASE(combine_per_key),
    CASE(two_combines_of_one_input),
    CASE(reshuffle),
    CASE(reshuffle_kvs),
    CASE(reshuffle_in_windows),
    CASE(flatten),
    CASE(flatten_with_itself),
    CASE(flatten_and_group),
    {0},
};
