/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_errors.c - what construction refuses, and that its words say where and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <beam/transform.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "text.h"

BEAM_KV(count, beam_str, beam_int64);
BEAM_MAP(counts, count);
#define WITH_MAP(FIELD, S) FIELD(S, counts, map)
BEAM_STRUCT(with_map, WITH_MAP);
BEAM_KV(by_map, with_map, beam_int64);

static beam_status nothing(beam_ctx *ctx, const beam_str *line)
{
    (void)ctx;
    (void)line;
    return BEAM_OK;
}
BEAM_DOFN(split_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type));
BEAM_DOFN(parse_fn, beam_str, nothing, BEAM_TYPES(&beam_int64_type));
BEAM_DOFN(sink_fn, beam_str, nothing);
BEAM_DOFN(sided_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type),
          BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_int64_type}));
BEAM_DOFN(map_sided_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type),
          BEAM_SIDES({BEAM_SIDE_MAP, NULL}));
BEAM_DOFN(configured_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type), .config = &beam_int64_type);

static const beam_str lines[] = {{"to be", 5}, {"or not", 6}};

static beam_pipeline *start(beam_pcoll *words)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    *words = beam_create(p, beam_str, lines, 2, .name = "Words");
    assert_int_equal(beam_pipeline_status(p, NULL), BEAM_OK);
    return p;
}

/* The line of the call that is expected to fail. */
static char place[256];
static const char *at_line(int line)
{
    snprintf(place, sizeof place, "%s:%d: ", __FILE__, line);
    return place;
}

static void a_mismatch_names_file_line_transform_and_types(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_pipeline *p = start(&words);
    beam_pcoll numbers = beam_pardo(words, &parse_fn, .name = "Parse");
    beam_pardo(numbers, &split_fn, .name = "Split");
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, at_line(__LINE__ - 1), "transform 'Split'", "'split_fn'",
               "beam_str", "beam_int64", "'Parse'");
    beam_pipeline_free(p);
}

static void the_first_error_sticks(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_pipeline *p = start(&words);
    void *bytes;
    size_t size;
    char *dot;
    beam_error err = {0};
    beam_pcoll bad = beam_group_by_key(words);
    assert_int_equal(bad.id, 0);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, at_line(__LINE__ - 2), "'GroupByKey'", "kv<K, V>",
               "beam_str");
    assert_int_equal(beam_keys(bad).id, 0);
    assert_int_equal(beam_pardo(words, &split_fn).id, 0);
    beam_window_into(bad, beam_fixed_windows(-1));
    beam_composite_begin(p, "Late", NULL);
    beam_composite_end(p);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'GroupByKey'");
    assert_int_equal(beam_pipeline_to_proto(p, &bytes, &size, &err), BEAM_INVALID_ARGUMENT);
    assert_null(bytes);
    assert_non_null(strstr(err.message, "'GroupByKey'"));
    assert_int_equal(beam_pipeline_to_dot(p, &dot, &err), BEAM_INVALID_ARGUMENT);
    assert_null(dot);
    assert_null(beam_pcoll_type(bad));
    beam_pipeline_free(p);
}

static void inside_a_composite_the_users_line_counts(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_pipeline *p = start(&words);
    beam_combine_globally(words, &beam_sum_int64, .name = "Sum");
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, at_line(__LINE__ - 1), "'Sum'", "'beam_sum_int64'",
               "beam_int64", "beam_str", "'Words/Decode'");
    beam_pipeline_free(p);

    p = start(&words);
    beam_composite_begin_at(p, "Mine", NULL, "main.c", 12);
    beam_keys(words);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "main.c:12: ", "'Mine/Keys'");
    beam_pipeline_free(p);
}

static void keys_must_be_deterministic(void **unused)
{
    (void)unused;
    beam_pipeline *p = beam_pipeline_new(NULL);
    const by_map value = {{{NULL, 0}}, 1};
    beam_group_by_key(beam_create(p, by_map, &value, 1));
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, at_line(__LINE__ - 1), "with_map", "not deterministic",
               "map<beam_str, beam_int64>");
    beam_pipeline_free(p);
    p = beam_pipeline_new(NULL);
    beam_distinct(beam_create(p, by_map, &value, 1));
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'Distinct'", "not deterministic");
    beam_pipeline_free(p);
}

static void side_inputs_are_checked(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_pipeline *p = start(&words);
    beam_pardo(words, &sided_fn);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'sided_fn'", "1 side inputs", "given 0");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pardo(words, &sided_fn, BEAM_SIDE_INPUTS(beam_as_singleton(words)));
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "beam_int64", "beam_str");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pardo(words, &sided_fn, BEAM_SIDE_INPUTS(beam_as_iterable(words)));
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "as a singleton, not as an iterable");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pardo(words, &map_sided_fn, BEAM_SIDE_INPUTS(beam_as_map(words)));
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "kv<K, V>", "beam_str");
    beam_pipeline_free(p);
}

/* By the same words as when a run of a graph made elsewhere meets one. */
static void windows_of_side_inputs(void **unused)
{
    (void)unused;
    static const beam_windowing global = {0};
    const struct {
        beam_windowing elements, side;
        bool fits;
    } cases[] = {
        {global, global, true},
        {beam_fixed_windows(5), global, true},
        {beam_fixed_windows(5), beam_sliding_windows(4, 2), true},
        {beam_sessions(5), beam_fixed_windows(5), true},
        {beam_sessions(5), beam_sessions(5), false},
        {beam_fixed_windows(5), beam_sessions(5), false},
        {global, beam_fixed_windows(5), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_pcoll words;
        beam_pipeline *p = start(&words);
        beam_pcoll side = beam_window_into(beam_pardo(words, &parse_fn), cases[i].side);
        beam_pcoll in = beam_window_into(words, cases[i].elements);
        beam_pardo(in, &sided_fn, BEAM_SIDE_INPUTS(beam_as_singleton(side)), .name = "Sided");
        if (cases[i].fits)
            assert_int_equal(beam_pipeline_status(p, NULL), BEAM_OK);
        else
            FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'Sided'", "side input side0 is in windows that",
                       "no counterpart");
        beam_pipeline_free(p);
    }
}

static void functions_are_checked(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_dofn namesake = split_fn, empty = split_fn;
    namesake.in = NULL;
    empty.process = NULL;
    beam_pipeline *p = start(&words);
    beam_pardo(words, NULL, .name = "None");
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'None'", "BEAM_DOFN");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pardo(beam_pardo(words, &split_fn), &namesake);
    FAILS_WITH(p, BEAM_ALREADY_EXISTS, "two different DoFns", "'split_fn'");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pardo(words, &empty);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "neither process nor process_batch");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pardo(words, &configured_fn);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'configured_fn' needs a config");
    beam_pipeline_free(p);
    p = start(&words);
    beam_combine_globally(words, NULL, .name = "Nothing");
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'Nothing'", "BEAM_COMBINEFN");
    beam_pipeline_free(p);
}

static void outputs_are_counted(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_pipeline *p = start(&words);
    beam_output(words, 1);
    FAILS_WITH(p, BEAM_OUT_OF_RANGE, "'Words/Decode' has 1 outputs");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pcoll none = beam_pardo(words, &sink_fn);
    assert_int_equal(none.id, 0);
    assert_int_equal(beam_pipeline_status(p, NULL), BEAM_OK);
    beam_pardo(none, &split_fn);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "no PCollection");
    beam_pipeline_free(p);
    p = start(&words);
    beam_pcoll parts[2];
    beam_partition(words, parts, 2, &split_fn);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "2 outputs", "beam_str");
    assert_int_equal(parts[1].id, 0);
    beam_pipeline_free(p);
}

static void flattened_inputs_must_agree(void **unused)
{
    (void)unused;
    beam_pcoll words, other_words;
    beam_pipeline *p = start(&words), *other = start(&other_words);
    beam_pcoll both[] = {words, beam_pardo(words, &parse_fn)};
    beam_flatten(both, 2);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'Flatten'", "'Words/Decode'", "beam_str", "'parse_fn'",
               "beam_int64");
    beam_pipeline_free(p);
    p = start(&words);
    both[0] = words;
    both[1] = beam_window_into(words, beam_sessions(5));
    beam_flatten(both, 2);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "windowed in different ways");
    beam_pipeline_free(p);
    p = start(&words);
    both[0] = words;
    both[1] = other_words;
    beam_flatten(both, 2);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "another pipeline");
    beam_pipeline_free(p);
    beam_pipeline_free(other);
}

static void values_are_checked(void **unused)
{
    (void)unused;
    beam_pcoll words;
    beam_pipeline *p = beam_pipeline_new(NULL);
    enum { MANY = 11 << 20 };
    char *big = beam_calloc(1, MANY);
    assert_non_null(big);
    const beam_bytes one = {big, MANY};
    beam_create(p, beam_bytes, &one, 1);
    beam_free(big);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, at_line(__LINE__ - 2), "'Create'", "10 MB");
    beam_pipeline_free(p);
    p = start(&words);
    beam_window_into(words, beam_fixed_windows(0));
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'WindowInto'", "size is 0 ms");
    beam_pipeline_free(p);
    p = start(&words);
    beam_top_globally(words, .n = 0);
    FAILS_WITH(p, BEAM_INVALID_ARGUMENT, "'Top'", "at least 1");
    beam_pipeline_free(p);
}

static void composites_must_be_balanced(void **unused)
{
    (void)unused;
    void *bytes;
    size_t size;
    beam_error err = {0};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_composite_begin(p, "Open", NULL);
    assert_int_equal(beam_pipeline_to_proto(p, &bytes, &size, &err), BEAM_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "'Open'"));
    beam_composite_end(p);
    assert_int_equal(beam_pipeline_to_proto(p, &bytes, &size, &err), BEAM_OK);
    beam_release(bytes);
    beam_composite_end(p);
    FAILS_WITH(p, BEAM_FAILED_PRECONDITION, "beam_composite_end");
    beam_pipeline_free(p);
}

static void composites_may_fail_by_themselves(void **unused)
{
    (void)unused;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_composite_begin_at(p, "Read", NULL, "main.c", 7);
    assert_int_equal(beam_pipeline_fail(p, BEAM_NOT_FOUND, "no file '%s'", "x"), BEAM_NOT_FOUND);
    beam_composite_end(p);
    FAILS_WITH(p, BEAM_NOT_FOUND, "main.c:7: ", "'Read'", "no file 'x'");
    beam_pipeline_free(p);
    assert_int_equal(beam_pipeline_status(NULL, NULL), BEAM_INVALID_ARGUMENT);
    beam_pipeline_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mismatch_names_file_line_transform_and_types),
        cmocka_unit_test(the_first_error_sticks),
        cmocka_unit_test(inside_a_composite_the_users_line_counts),
        cmocka_unit_test(keys_must_be_deterministic),
        cmocka_unit_test(side_inputs_are_checked),
        cmocka_unit_test(windows_of_side_inputs),
        cmocka_unit_test(functions_are_checked),
        cmocka_unit_test(outputs_are_counted),
        cmocka_unit_test(flattened_inputs_must_agree),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(composites_must_be_balanced),
        cmocka_unit_test(composites_may_fail_by_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
