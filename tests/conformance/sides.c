/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Side inputs in the global window: iterables, maps, and what they do to fusion. */
#include "conformance/suite.h"

static const beam_int64 one_to_nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

/* ---- Iterables -------------------------------------------------------------------------- */

static beam_status sum_side(beam_ctx *c, const beam_bytes *impulse)
{
    beam_iterable side;
    int_sum sum;
    (void)impulse;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    BEAM_TRY(sum_ints(&side, &sum));
    return beam_emit(c, beam_int64, sum.sum);
}
BEAM_DOFN(sum_side_fn, beam_bytes, sum_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

static void side_iterable(beam_pipeline *p)
{
    beam_pcoll in = beam_create(p, beam_int64, one_to_nine, 9), impulse = beam_impulse(p);
    beam_composite_begin(p, "Scope", NULL); /* a scope changes nothing */
    beam_pcoll sum = beam_pardo(impulse, &sum_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(in)));
    beam_composite_end(p);
    EXPECT(sum, beam_int64, 45);
}

static beam_status sum_side_kvs(beam_ctx *c, const beam_bytes *impulse)
{
    beam_iterable side;
    beam_int64 sum = 0;
    (void)impulse;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    beam_iter iter = beam_iterate(&side, int_int);
    for (const int_int *kv; (kv = beam_next(&iter, int_int));)
        sum += kv->key + kv->value;
    BEAM_TRY(iter.status);
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(sum_side_kvs_fn, beam_bytes, sum_side_kvs, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &int_int_type}));

static void side_iterable_of_kvs(beam_pipeline *p)
{
    const beam_int64 zero = 0;
    beam_pcoll kvs = beam_with_keys(beam_create(p, beam_int64, one_to_nine, 9), beam_int64, &zero);
    beam_pcoll sum =
        beam_pardo(beam_impulse(p), &sum_side_kvs_fn, BEAM_SIDE_INPUTS(beam_as_iterable(kvs)));
    EXPECT(sum, beam_int64, 45);
}

static beam_status cross(beam_ctx *c, const beam_str *text)
{
    beam_iterable side;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    beam_iter iter = beam_iterate(&side, beam_str);
    for (const beam_str *other; (other = beam_next(&iter, beam_str));)
        BEAM_TRY(beam_emit(c, str_str, .key = *text, .value = *other));
    return iter.status;
}
BEAM_DOFN(cross_fn, beam_str, cross, BEAM_TYPES(&str_str_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_str_type}));

static const beam_str letters[] = {S("a"), S("b"), S("c"), S("x"), S("y")};

static void side_cross_product(beam_pipeline *p)
{
    beam_pcoll main = beam_create(p, beam_str, letters, 3);
    beam_pcoll side = beam_create(p, beam_str, &letters[3], 2);
    EXPECT(beam_pardo(main, &cross_fn, BEAM_SIDE_INPUTS(beam_as_iterable(side))), str_str,
           {S("a"), S("x")}, {S("b"), S("x")}, {S("c"), S("x")}, {S("a"), S("y")}, {S("b"), S("y")},
           {S("c"), S("y")});
}

/* ---- What cannot be fused --------------------------------------------------------------- */

static const str_str crossed[] = {
    {S("a"), S("a")}, {S("a"), S("b")}, {S("b"), S("a")}, {S("b"), S("b")}};

static void side_of_itself(beam_pipeline *p)
{
    beam_pcoll x = beam_create(p, beam_str, letters, 2);
    beam_assert_that(beam_pardo(x, &cross_fn, BEAM_SIDE_INPUTS(beam_as_iterable(x))), str_str,
                     crossed, 4);
}

static void side_derived_from_itself(beam_pipeline *p)
{
    beam_pcoll x = beam_create(p, beam_str, letters, 2);
    beam_pcoll derived = beam_distinct(beam_flatten(&x, 1));
    beam_assert_that(beam_pardo(x, &cross_fn, BEAM_SIDE_INPUTS(beam_as_iterable(derived))), str_str,
                     crossed, 4);
}

/* Fails unless each of its side inputs has something. */
enum { MOST_SIDES = 8 };

static beam_status want_all(beam_ctx *c, const beam_int64 *element)
{
    beam_int64 n = *beam_config(c, beam_int64);
    for (uint32_t i = 0; i < n; i++) {
        beam_iterable side;
        int_sum sum;
        BEAM_TRY(beam_side_iterable(c, i, &side));
        BEAM_TRY(sum_ints(&side, &sum));
        if (sum.n == 0)
            return beam_fail(c, BEAM_DATA_LOSS, "side input %u has nothing", i);
    }
    return beam_emit_value(c, beam_int64, element);
}

#define ITERABLE_OF_INTS                     \
    {                                        \
        BEAM_SIDE_ITERABLE, &beam_int64_type \
    }
static const beam_side_spec many_sides[MOST_SIDES] = {
    ITERABLE_OF_INTS, ITERABLE_OF_INTS, ITERABLE_OF_INTS, ITERABLE_OF_INTS,
    ITERABLE_OF_INTS, ITERABLE_OF_INTS, ITERABLE_OF_INTS, ITERABLE_OF_INTS};
#define WANTS(n)                                                                  \
    BEAM_DOFN(wants_##n##_fn, beam_int64, want_all, BEAM_TYPES(&beam_int64_type), \
              .config = &beam_int64_type, .sides = many_sides, .n_sides = n)
WANTS(0);
WANTS(1);
WANTS(2);
WANTS(3);
WANTS(4);
WANTS(5);
WANTS(6);
WANTS(7);
WANTS(8);
static const beam_dofn *const wants[] = {&wants_0_fn, &wants_1_fn, &wants_2_fn,
                                         &wants_3_fn, &wants_4_fn, &wants_5_fn,
                                         &wants_6_fn, &wants_7_fn, &wants_8_fn};

static beam_pcoll with_sides(beam_pcoll main, const beam_pcoll *sides, size_t n)
{
    const beam_int64 config = (beam_int64)n;
    beam_view views[MOST_SIDES];
    for (size_t i = 0; i < n; i++)
        views[i] = beam_as_iterable(sides[i]);
    return beam_pardo(main, wants[n], .config = &config, .sides = views, .n_sides = n);
}

/* Each step has all steps before it as side inputs. */
static void side_dependencies(beam_pipeline *p)
{
    beam_pcoll x[MOST_SIDES + 2] = {beam_create(p, beam_int64, one_to_nine, 1)};
    for (size_t k = 1; k < COUNT(x); k++)
        x[k] = with_sides(x[0], &x[1], k - 1);
    EXPECT(x[COUNT(x) - 1], beam_int64, 1);
}

/* Some of them, of several sources. */
static void side_sparse_dependencies(beam_pipeline *p)
{
    beam_pcoll x[20];
    static const uint8_t sides_of[20] = {0, 1, 2, 3, 0, 3, 2, 1, 0, 1,
                                         2, 3, 0, 3, 2, 1, 0, 1, 2, 3};
    for (size_t k = 0; k < COUNT(x); k++) {
        beam_pcoll sides[MOST_SIDES];
        for (size_t s = 1; s < sides_of[k]; s++)
            sides[s - 1] = x[(389 + s * 5077) % k];
        x[k] = sides_of[k] ? with_sides(x[389 % k], sides, sides_of[k] - 1U)
                           : beam_create(p, beam_int64, one_to_nine, 1);
    }
    EXPECT(x[COUNT(x) - 1], beam_int64, 1);
}

/* ---- Maps ------------------------------------------------------------------------------- */

static const str_int pairs[] = {{S("a"), 1}, {S("b"), 2}, {S("a"), 3}};

/* All values of the element's key: how many, and their sum. */
#define TOLD(FIELD, S) FIELD(S, beam_str, key) FIELD(S, beam_int64, n) FIELD(S, beam_int64, sum)
BEAM_STRUCT(told, TOLD);

static beam_status look_up_all(beam_ctx *c, const beam_str *key)
{
    beam_iterable values;
    int_sum sum;
    BEAM_TRY(beam_side_get_all(c, 0, key, &values));
    BEAM_TRY(sum_ints(&values, &sum));
    return beam_emit(c, told, .key = *key, .n = sum.n, .sum = sum.sum);
}
BEAM_DOFN(look_up_all_fn, beam_str, look_up_all, BEAM_TYPES(&told_type),
          BEAM_SIDES({BEAM_SIDE_MULTIMAP, &str_int_type}));

static void side_multimap(beam_pipeline *p)
{
    beam_pcoll main = beam_create(p, beam_str, letters, 3);
    beam_pcoll side = beam_create(p, str_int, pairs, 3);
    EXPECT(beam_pardo(main, &look_up_all_fn, BEAM_SIDE_INPUTS(beam_as_multimap(side))), told,
           {S("a"), 2, 4}, {S("b"), 1, 2}, {S("c"), 0, 0});
}

/* Twice the same PCollection: by key and as a whole; and once more in the next step. */
static beam_status look_up_twice(beam_ctx *c, const told *element)
{
    beam_iterable values, all;
    int_sum sum;
    beam_int64 n = 0;
    BEAM_TRY(beam_side_get_all(c, 0, &element->key, &values));
    BEAM_TRY(sum_ints(&values, &sum));
    BEAM_TRY(beam_side_iterable(c, 1, &all));
    beam_iter iter = beam_iterate(&all, str_int);
    while (beam_next(&iter, str_int))
        n++;
    BEAM_TRY(iter.status);
    return beam_emit(c, told, .key = element->key, .n = element->n + n,
                     .sum = element->sum + sum.sum);
}
BEAM_DOFN(look_up_twice_fn, told, look_up_twice, BEAM_TYPES(&told_type),
          BEAM_SIDES({BEAM_SIDE_MULTIMAP, &str_int_type}, {BEAM_SIDE_ITERABLE, &str_int_type}));

static void side_multimap_and_iterable(beam_pipeline *p)
{
    beam_pcoll x = beam_create(p, told, LIST(told, {S("a"), 0, 0}, {S("b"), 0, 0}));
    beam_pcoll side = beam_create(p, str_int, pairs, 3);
    for (int step = 0; step < 2; step++)
        x = beam_pardo(x, &look_up_twice_fn,
                       BEAM_SIDE_INPUTS(beam_as_multimap(side), beam_as_iterable(side)));
    EXPECT(x, told, {S("a"), 6, 8}, {S("b"), 6, 4});
}

static beam_status join_side(beam_ctx *c, const str_str *kv)
{
    beam_iterable values;
    BEAM_TRY(beam_emit_value(c, str_str, kv));
    BEAM_TRY(beam_side_get_all(c, 0, &kv->key, &values));
    beam_iter iter = beam_iterate(&values, beam_str);
    for (const beam_str *value; (value = beam_next(&iter, beam_str));)
        BEAM_TRY(beam_emit(c, str_str, .key = kv->key, .value = *value));
    return iter.status;
}
BEAM_DOFN(join_side_fn, str_str, join_side, BEAM_TYPES(&str_str_type),
          BEAM_SIDES({BEAM_SIDE_MULTIMAP, &str_str_type}));

static void side_multimap_join(beam_pipeline *p)
{
    static const str_str mails[] = {{S("amy"), S("amy@home")},   {S("james"), S("james@work")},
                                    {S("carl"), S("carl@home")}, {S("julia"), S("julia@home")},
                                    {S("carl"), S("carl@work")}, {S("james"), S("james@home")}};
    static const str_str phones[] = {{S("amy"), S("111")}, {S("james"), S("222")}};
    beam_pcoll joined =
        beam_pardo(beam_create(p, str_str, phones, 2), &join_side_fn,
                   BEAM_SIDE_INPUTS(beam_as_multimap(beam_create(p, str_str, mails, 6))));
    EXPECT(joined, str_str, {S("amy"), S("111")}, {S("amy"), S("amy@home")}, {S("james"), S("222")},
           {S("james"), S("james@work")}, {S("james"), S("james@home")});
}

static beam_status look_up(beam_ctx *c, const beam_str *key)
{
    const beam_int64 *value;
    BEAM_TRY(beam_side_get(c, 0, key, &value));
    return value ? beam_emit(c, str_int, .key = *key, .value = *value) : BEAM_OK;
}
BEAM_DOFN(look_up_fn, beam_str, look_up, BEAM_TYPES(&str_int_type),
          BEAM_SIDES({BEAM_SIDE_MAP, &str_int_type}));

static void side_map_of_a_flatten(beam_pipeline *p)
{
    const beam_pcoll parts[] = {beam_create(p, str_int, pairs, 1),
                                beam_create(p, str_int, &pairs[1], 1),
                                beam_create(p, str_int, &pairs[2], 1)};
    beam_pcoll map = beam_flatten(parts, 2), main = beam_create(p, beam_str, letters, 3);
    const beam_pcoll more[] = {map, parts[2]};
    beam_assert_that(beam_pardo(main, &look_up_fn, BEAM_SIDE_INPUTS(beam_as_map(map))), str_int,
                     pairs, 2);
    beam_assert_that(beam_flatten(more, 2), str_int, pairs, 3);
}

BEAM_ITERABLE(ints, beam_int64);
BEAM_KV(str_group, beam_str, ints);

static beam_status look_up_group(beam_ctx *c, const beam_str *key)
{
    const beam_iterable *values;
    int_sum sum;
    BEAM_TRY(beam_side_get(c, 0, key, &values));
    if (!values)
        return BEAM_OK;
    BEAM_TRY(sum_ints(values, &sum));
    return beam_emit(c, told, .key = *key, .n = sum.n, .sum = sum.sum);
}
BEAM_DOFN(look_up_group_fn, beam_str, look_up_group, BEAM_TYPES(&told_type),
          BEAM_SIDES({BEAM_SIDE_MAP, &str_group_type}));

static void side_map_of_groups(beam_pipeline *p)
{
    beam_pcoll groups = beam_group_by_key(beam_create(p, str_int, pairs, 3));
    beam_pcoll main = beam_create(p, beam_str, letters, 3);
    EXPECT(beam_pardo(main, &look_up_group_fn, BEAM_SIDE_INPUTS(beam_as_map(groups))), told,
           {S("a"), 2, 4}, {S("b"), 1, 2});
}

const conformance_case side_cases[] = {
    CASE(side_iterable),
    CASE(side_iterable_of_kvs),
    CASE(side_cross_product),
    CASE(side_of_itself),
    CASE(side_derived_from_itself),
    CASE(side_dependencies),
    CASE(side_sparse_dependencies),
    CASE(side_multimap),
    CASE(side_multimap_and_iterable),
    CASE(side_multimap_join),
    CASE(side_map_of_a_flatten),
    CASE(side_map_of_groups),
    {0},
};
