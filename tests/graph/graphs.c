/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "graphs.h"

#include <beam/testing.h>

BEAM_KV(word_count, beam_str, beam_int64);
BEAM_KV(word_size, beam_str, beam_double);
BEAM_ITERABLE(ints, beam_int64);
BEAM_ITERABLE(doubles, beam_double);
#define JOINED(FIELD, S) FIELD(S, ints, counts) FIELD(S, doubles, sizes)
BEAM_STRUCT(joined, JOINED);
BEAM_KV(by_word, beam_str, joined);
#define SETTINGS(FIELD, S) FIELD(S, beam_str, prefix) FIELD(S, beam_int64, at_least)
BEAM_STRUCT(settings, SETTINGS);

static beam_status nothing(beam_ctx *ctx, const void *element)
{
    (void)ctx;
    (void)element;
    return BEAM_OK;
}

BEAM_DOFN(split_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type),
          BEAM_METRICS({"words", BEAM_COUNTER}));
BEAM_DOFN(count_fn, beam_str, nothing, BEAM_TYPES(&word_count_type));
BEAM_DOFN(size_fn, beam_str, nothing, BEAM_TYPES(&word_size_type));
BEAM_DOFN(sort_out_fn, beam_str, nothing,
          BEAM_TYPES(&beam_str_type, &word_count_type, &beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_int64_type}, {BEAM_SIDE_ITERABLE, NULL},
                     {BEAM_SIDE_MAP, &word_count_type}, {BEAM_SIDE_MULTIMAP, &word_count_type}),
          .config = &settings_type);
BEAM_DOFN(halve_fn, beam_str, nothing, BEAM_TYPES(NULL, NULL));
BEAM_DOFN(drop_fn, beam_str, nothing);

static beam_status first_restriction(beam_ctx *ctx, const void *element, void *restriction)
{
    (void)ctx;
    (void)element;
    (void)restriction;
    return BEAM_OK;
}

static beam_status process_range(beam_ctx *ctx, const void *element, beam_tracker *tracker)
{
    (void)ctx;
    (void)element;
    (void)tracker;
    return BEAM_OK;
}

static const beam_splittable ranges = {.struct_size = sizeof(beam_splittable),
                                       .restriction = &beam_offset_range_type,
                                       .tracker = &beam_offset_range_tracker,
                                       .initial_restriction = first_restriction,
                                       .process = process_range};
static const beam_dofn read_fn = {.struct_size = sizeof(beam_dofn),
                                  .name = "read_fn",
                                  .in = &beam_str_type,
                                  BEAM_TYPES(&beam_str_type),
                                  .splittable = &ranges};

static bool is_even(const beam_int64 *value)
{
    return *value % 2 == 0;
}
BEAM_PREDICATE(is_even_fn, beam_int64, is_even);

static const beam_str lines[] = {{"to be", 5}, {"or not", 6}};

static void count_words(beam_pipeline *p)
{
    beam_pcoll words = beam_pardo(beam_create(p, beam_str, lines, 2), &split_fn, .name = "Split");
    beam_count_per_element(words);
}

static void side_inputs(beam_pipeline *p)
{
    const settings config = {{">", 1}, 3};
    const beam_hints outer = {.min_ram = "1GB", .max_active_bundles_per_worker = 2};
    beam_pcoll words = beam_create(p, beam_str, lines, 2, .name = "Words");
    beam_pcoll counts = beam_pardo(words, &count_fn);
    beam_composite_begin(p, "Sort", &outer);
    beam_pcoll sorted = beam_pardo(
        words, &sort_out_fn, .config = &config,
        BEAM_SIDE_INPUTS(beam_as_singleton(beam_count_globally(words)), beam_as_iterable(words),
                         beam_as_map(counts), beam_as_multimap(counts)),
        .hints = {.accelerator = "type:tpu", .max_active_bundles_per_worker = 1});
    beam_pcoll both[] = {counts, beam_output(sorted, 1)};
    beam_flatten(both, 2);
    beam_composite_end(p);
    beam_pardo(sorted, &drop_fn);
}

static void combines(beam_pipeline *p)
{
    beam_pcoll counts = beam_pardo(beam_create(p, beam_str, lines, 2), &count_fn);
    beam_combine_per_key(counts, &beam_sum_int64);
    beam_combine_per_key(counts, &beam_mean_int64, .fanout = 4, .name = "Mean");
    beam_combine_globally(beam_values(counts), &beam_max_int64, .fanout = 2, .name = "Max");
    beam_pcoll sessions = beam_window_into(counts, beam_sessions(1000));
    beam_count_per_key(sessions);
    beam_combine_globally(sessions, &beam_count_combine, .name = "InSessions");
}

static void groups(beam_pipeline *p)
{
    const beam_str key = {"all", 3};
    beam_pcoll words = beam_create(p, beam_str, lines, 2);
    beam_pcoll counts = beam_pardo(words, &count_fn);
    beam_pcoll inputs[] = {counts, beam_pardo(words, &size_fn)};
    beam_co_group_by_key(inputs, 2, by_word);
    beam_pcoll windowed = beam_window_into(counts, beam_sliding_windows(60000, 5000));
    beam_group_by_key(beam_reshuffle(windowed));
    beam_pcoll halves[2];
    beam_partition(words, halves, 2, &halve_fn, .name = "Halves");
    beam_distinct(halves[1]);
    beam_keys(beam_kv_swap(beam_with_keys(halves[0], beam_str, &key)));
    beam_pardo(words, &read_fn, .name = "Read");
}

static void some_of_many(beam_pipeline *p)
{
    beam_pcoll counts = beam_pardo(beam_create(p, beam_str, lines, 2), &count_fn);
    beam_top_globally(counts, 3);
    beam_top_per_key(counts, 2, .smallest = true);
    beam_sample_globally(counts, 5, .seed = 7);
    beam_sample_per_key(counts, 1);
}

/* Checks carry their place, which edits above would move. */
#line 1 "checks.c"
static void checks(beam_pipeline *p)
{
    const beam_int64 numbers[] = {2, 4};
    const beam_window window = {0, 10};
    beam_pcoll evens = beam_create(p, beam_int64, numbers, 2);
    beam_assert_that(evens, beam_int64, numbers, 2, .window = &window);
    beam_assert_count(evens, 2);
    beam_assert_all(evens, &is_even_fn);
}

const test_graph test_graphs[] = {{"word_count", count_words},    {"side_inputs", side_inputs},
                                  {"combines", combines},         {"groups", groups},
                                  {"some_of_many", some_of_many}, {"checks", checks}};
const size_t test_n_graphs = sizeof test_graphs / sizeof *test_graphs;
