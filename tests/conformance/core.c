/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Create, ParDo with several outputs, composites. */
#include "conformance/suite.h"

static void create(beam_pipeline *p)
{
    static const beam_str texts[] = {S("a"), S("b")};
    beam_assert_that(beam_create(p, beam_str, texts, 2), beam_str, texts, 2);
    beam_assert_empty(beam_create(p, beam_str, NULL, 0));
}

/* ---- ParDo ------------------------------------------------------------------------------ */

static beam_status twice(beam_ctx *c, const beam_str *text)
{
    beam_str both = beam_format(c, "%.*s%.*s", (int)text->len, text->at, (int)text->len, text->at);
    return both.at ? beam_emit_value(c, beam_str, &both) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(twice_fn, beam_str, twice, BEAM_TYPES(&beam_str_type));

static beam_status add_end(beam_ctx *c, const beam_str *text)
{
    const beam_str *end = beam_config(c, beam_str);
    beam_str both = beam_format(c, "%.*s%.*s", (int)text->len, text->at, (int)end->len, end->at);
    return both.at ? beam_emit_value(c, beam_str, &both) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(add_end_fn, beam_str, add_end, BEAM_TYPES(&beam_str_type), .config = &beam_str_type);

static void pardo(beam_pipeline *p)
{
    static const beam_str texts[] = {S("a"), S("bc")}, end = S("x");
    beam_pcoll out = beam_pardo(beam_create(p, beam_str, texts, 2), &twice_fn);
    out = beam_pardo(out, &add_end_fn, .config = &end);
    EXPECT(out, beam_str, S("aax"), S("bcbcx"));
}

/* What was known when the pipeline was built reaches its functions as their config. */
static void pardo_config(beam_pipeline *p)
{
    static const beam_str names[] = {S("A: ")}, ends[] = {S("123"), S("456"), S("789")};
    static const beam_str told[] = {S("A: 123"), S("A: 456"), S("A: 789")};
    beam_pcoll name = beam_create(p, beam_str, names, 1);
    for (int i = 0; i < 3; i++)
        beam_assert_that(beam_pardo(name, &add_end_fn, .config = &ends[i]), beam_str, &told[i], 1);
}

static beam_status linear(beam_ctx *c, const beam_int64 *x)
{
    const int_int *line = beam_config(c, int_int);
    return beam_emit(c, beam_int64, *x * line->key + line->value);
}
BEAM_DOFN(linear_fn, beam_int64, linear, BEAM_TYPES(&beam_int64_type), .config = &int_int_type);

static void pardo_many(beam_pipeline *p)
{
    static beam_int64 all[5000], expected[5000];
    for (int i = 0; i < 5000; i++) {
        all[i] = i;
        expected[i] = 2 * i + 3;
    }
    const int_int twice_it = {2, 0}, and_three = {1, 3};
    beam_pcoll x =
        beam_pardo(beam_create(p, beam_int64, all, 5000), &linear_fn, .config = &twice_it);
    beam_assert_that(beam_pardo(x, &linear_fn, .config = &and_three), beam_int64, expected, 5000);
}

/* ---- Several outputs -------------------------------------------------------------------- */

static beam_status three_ways(beam_ctx *c, const beam_int64 *x)
{
    for (uint32_t i = 0; i < 3; i++)
        BEAM_TRY(beam_emit_to(c, i, beam_int64, *x + i + 1));
    return BEAM_OK;
}
BEAM_DOFN(three_ways_fn, beam_int64, three_ways,
          BEAM_TYPES(&beam_int64_type, &beam_int64_type, &beam_int64_type));

static void several_outputs(beam_pipeline *p)
{
    static const beam_int64 one = 1;
    beam_pcoll out = beam_pardo(beam_create(p, beam_int64, &one, 1), &three_ways_fn);
    EXPECT(out, beam_int64, 2);
    EXPECT(beam_output(out, 1), beam_int64, 3);
    EXPECT(beam_output(out, 2), beam_int64, 4);
}

/* Nothing goes to the main output. */
static beam_status by_letter(beam_ctx *c, const beam_str *text)
{
    for (uint32_t i = 0; i < 2; i++)
        if (memchr(text->at, "xy"[i], text -> len))
            BEAM_TRY(beam_emit_element(c, 1 + i, text));
    return BEAM_OK;
}
BEAM_DOFN(by_letter_fn, beam_str, by_letter,
          BEAM_TYPES(&beam_str_type, &beam_str_type, &beam_str_type));

static void side_outputs_alone(beam_pipeline *p)
{
    static const beam_str texts[] = {S("x"), S("y"), S("xy")};
    beam_pcoll main = beam_pardo(beam_create(p, beam_str, texts, 3), &by_letter_fn);
    EXPECT(beam_output(main, 1), beam_str, S("x"), S("xy"));
    EXPECT(beam_output(main, 2), beam_str, S("y"), S("xy"));
    beam_assert_empty(main);
}

static beam_status by_parity(beam_ctx *c, const beam_int64 *x)
{
    BEAM_TRY(beam_emit_value(c, beam_int64, x));
    return beam_emit_to(c, *x % 2 ? 2 : 1, beam_int64, *x);
}
BEAM_DOFN(by_parity_fn, beam_int64, by_parity,
          BEAM_TYPES(&beam_int64_type, &beam_int64_type, &beam_int64_type));

static void main_and_side_outputs(beam_pipeline *p)
{
    static const beam_int64 all[] = {1, 2, 3};
    beam_pcoll main = beam_pardo(beam_create(p, beam_int64, all, 3), &by_parity_fn);
    beam_assert_that(main, beam_int64, all, 3);
    EXPECT(beam_output(main, 1), beam_int64, 2);
    EXPECT(beam_output(main, 2), beam_int64, 1, 3);
}

/* ---- Elements that are arrays ----------------------------------------------------------- */

static beam_status entries(beam_ctx *c, const beam_tensor *tensor)
{
    for (int64_t i = 0; i < tensor->shape[0]; i++)
        BEAM_TRY(beam_emit(c, beam_int64, ((const int64_t *)tensor->data)[i]));
    return BEAM_OK;
}
BEAM_DOFN(entries_fn, beam_tensor, entries, BEAM_TYPES(&beam_int64_type));

static void flat_map_of_a_tensor(beam_pipeline *p)
{
    static const int64_t data[] = {0, 1, 2, 3, 4};
    static const beam_tensor tensor = {.dtype = BEAM_I64, .rank = 1, .shape = {5}, .data = data};
    beam_pcoll all = beam_reshuffle(beam_create(p, beam_tensor, &tensor, 1));
    EXPECT(beam_pardo(all, &entries_fn), beam_int64, 0, 1, 2, 3, 4);
}

/* ---- Composites ------------------------------------------------------------------------- */

static beam_pcoll first_of(beam_pcoll a, beam_pcoll b)
{
    (void)b;
    beam_composite_begin(a.pipeline, "First", NULL);
    beam_composite_end(a.pipeline);
    return a;
}

static void composite_without_parts(beam_pipeline *p)
{
    static const beam_str texts[] = {S("a"), S("b")};
    beam_pcoll a = beam_create(p, beam_str, &texts[0], 1);
    beam_pcoll b = beam_create(p, beam_str, &texts[1], 1);
    beam_assert_that(first_of(a, b), beam_str, texts, 1);
}

const conformance_case core_cases[] = {
    CASE(create),
    CASE(pardo),
    CASE(pardo_config),
    CASE(pardo_many),
    CASE(several_outputs),
    CASE(side_outputs_alone),
    CASE(main_and_side_outputs),
    CASE(flat_map_of_a_tensor),
    CASE(composite_without_parts),
    {0},
};
