/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Splittable DoFns, and files read by one. */
#include <unistd.h>

#include "conformance/suite.h"

/* ---- Letters of a text ------------------------------------------------------------------ */

static beam_status whole_text(beam_ctx *c, const void *element, void *restriction)
{
    (void)c;
    const beam_str *text = element;
    *(beam_offset_range *)restriction = (beam_offset_range){0, (beam_int64)text->len};
    return BEAM_OK;
}

/* In halves, before anything is read. */
static beam_status halves(beam_ctx *c, const void *element, const void *restriction)
{
    (void)element;
    const beam_offset_range *all = restriction;
    const beam_int64 middle = all->start + (all->stop - all->start) / 2;
    BEAM_TRY(beam_emit_restriction(c, &(beam_offset_range){all->start, middle}));
    return beam_emit_restriction(c, &(beam_offset_range){middle, all->stop});
}

static beam_status size_of_range(beam_ctx *c, const void *element, const void *restriction,
                                 double *size)
{
    (void)c;
    (void)element;
    const beam_offset_range *range = restriction;
    *size = (double)(range->stop - range->start);
    return BEAM_OK;
}

static beam_status emit_letters(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    const beam_str *text = element;
    const beam_offset_range *range = tracker->restriction;
    for (beam_int64 i = range->start; beam_try_claim_offset(c, tracker, i); i++)
        BEAM_TRY(beam_emit(c, beam_str, .at = text->at + i, .len = 1));
    return BEAM_OK;
}

static const beam_splittable letters = {.struct_size = sizeof letters,
                                        .restriction = &beam_offset_range_type,
                                        .tracker = &beam_offset_range_tracker,
                                        .initial_restriction = whole_text,
                                        .split_restriction = halves,
                                        .restriction_size = size_of_range,
                                        .process = emit_letters};
static const beam_dofn letters_fn = {.struct_size = sizeof letters_fn,
                                     .name = "letters_fn",
                                     .in = &beam_str_type,
                                     BEAM_TYPES(&beam_str_type),
                                     .splittable = &letters};

static const beam_str alphabet[] = {S("abc"), S("defghijklmno"), S("pqrstuv"), S("wxyz")};

static void splittable(beam_pipeline *p)
{
    beam_str all[26];
    for (int i = 0; i < 26; i++)
        all[i] = (beam_str){&"abcdefghijklmnopqrstuvwxyz"[i], 1};
    beam_assert_that(beam_pardo(beam_create(p, beam_str, alphabet, 4), &letters_fn), beam_str, all,
                     26);
}

/* One letter of each text, and then it returns: the rest would be lost. */
static beam_status emit_one_letter(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    const beam_str *text = element;
    const beam_offset_range *range = tracker->restriction;
    if (!beam_try_claim_offset(c, tracker, range->start))
        return BEAM_OK;
    return beam_emit(c, beam_str, .at = text->at + range->start, .len = 1);
}

static const beam_splittable unfinished = {.struct_size = sizeof unfinished,
                                           .restriction = &beam_offset_range_type,
                                           .tracker = &beam_offset_range_tracker,
                                           .initial_restriction = whole_text,
                                           .process = emit_one_letter};
static const beam_dofn unfinished_fn = {.struct_size = sizeof unfinished_fn,
                                        .name = "unfinished_fn",
                                        .in = &beam_str_type,
                                        BEAM_TYPES(&beam_str_type),
                                        .splittable = &unfinished};

static void splittable_that_does_not_finish(beam_pipeline *p)
{
    beam_pardo(beam_create(p, beam_str, alphabet, 4), &unfinished_fn);
}

/* ---- Sources of many records ------------------------------------------------------------ */

static beam_status whole_count(beam_ctx *c, const void *element, void *restriction)
{
    (void)c;
    *(beam_offset_range *)restriction = (beam_offset_range){0, *(const beam_int64 *)element};
    return BEAM_OK;
}

/* As slow as the config says in microseconds, so that engines have time to split. */
static beam_status emit_records(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    const beam_offset_range *range = tracker->restriction;
    const beam_int64 pause = *beam_config(c, beam_int64);
    for (beam_int64 i = range->start; beam_try_claim_offset(c, tracker, i); i++) {
        if (pause)
            (void)usleep((useconds_t)pause);
        BEAM_TRY(beam_emit(c, int_int, .key = *(const beam_int64 *)element, .value = i));
    }
    return BEAM_OK;
}

static const beam_splittable records = {.struct_size = sizeof records,
                                        .restriction = &beam_offset_range_type,
                                        .tracker = &beam_offset_range_tracker,
                                        .initial_restriction = whole_count,
                                        .split_restriction = halves,
                                        .restriction_size = size_of_range,
                                        .process = emit_records};
static const beam_dofn records_fn = {.struct_size = sizeof records_fn,
                                     .name = "records_fn",
                                     .in = &beam_int64_type,
                                     BEAM_TYPES(&int_int_type),
                                     .config = &beam_int64_type,
                                     .splittable = &records};

static void expect_records(beam_pipeline *p, const beam_int64 *sizes, size_t n, beam_int64 pause)
{
    beam_int64 total = 0;
    for (size_t i = 0; i < n; i++)
        total += sizes[i];
    beam_pcoll all =
        beam_pardo(beam_create(p, beam_int64, sizes, n), &records_fn, .config = &pause);
    beam_assert_that(beam_count_globally(all), beam_int64, &total, 1);
    beam_assert_count(beam_distinct(all), (size_t)total);
}

static void splittable_source(beam_pipeline *p)
{
    expect_records(p, INTS(10, 13, 17, 20, 11), 0);
}

/* Long enough for a runner to see that it is, and to split it: nothing is lost, nothing twice. */
static void splittable_that_takes_long(beam_pipeline *p)
{
    expect_records(p, INTS(3000), 500);
}

/* ---- Text ------------------------------------------------------------------------------- */

static void read_text(beam_pipeline *p)
{
    EXPECT(beam_read_text(p, BEAM_SOURCE_DIR "/tests/conformance/abc.txt"), beam_str, S("a"),
           S("b"), S("c"));
}

const conformance_case splittable_cases[] = {
    CASE(splittable),        CASE_FAILS(splittable_that_does_not_finish, "unfinished_fn"),
    CASE(splittable_source), CASE(splittable_that_takes_long),
    CASE(read_text),         {0},
};
