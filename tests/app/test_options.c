/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is read, what is refused and with which words; amounts of memory; the
 * report as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/files.h"

#include "app/options.h"
#include "app/report.h"
#include "app/result.h"
#include "support/shortage.h"

static const beam_option own[] = {
    {"input", "GLOB", NULL, "what to read", true},
    {"words", "spaces|letters", "spaces", "what a word is", false},
    {"dataset", "digits|DIR", "digits", "the images", false},
    {"rate", "X", "0.5", "a number", false},
    {"count", "N", "7", "a whole number", false},
    {"every", "N>=-1", "0", "-1: never", false},
    {"shuffle", NULL, "true", "a flag that is on", false},
    {"verbose", NULL, NULL, "a flag that is off", false},
};
static const beam_app app = {.struct_size = sizeof app,
                             .name = "test",
                             .options = own,
                             .n_options = sizeof own / sizeof *own};

enum { MOST_ARGS = 16 };

static beam_command command; /* of the app; made once */

static beam_status parse(const char *line, beam_args **args, beam_help *help, beam_error *err)
{
    static char text[256]; /* the values are borrowed from it */
    char *argv[MOST_ARGS + 1] = {text};
    int argc = 0;
    snprintf(text, sizeof text, "test %s", line);
    for (char *word = strtok(text, " "); word && argc < MOST_ARGS; word = strtok(NULL, " "))
        argv[argc++] = word;
    command = beam_app_command(&app);
    return beam_args_parse(argc, argv, &command, args, help, err);
}

static beam_args *parsed(const char *line)
{
    beam_args *args;
    beam_help help;
    beam_error err = {0};
    assert_ok(parse(line, &args, &help, &err), err);
    assert_int_equal(help, BEAM_NO_HELP);
    return args;
}

static void defaults(void **state)
{
    (void)state;
    beam_args *args = parsed("--input=a");
    assert_string_equal(beam_args_str(args, "input"), "a");
    assert_string_equal(beam_args_str(args, "words"), "spaces");
    assert_string_equal(beam_args_str(args, "runner"), "direct");
    assert_null(beam_args_str(args, "memory_budget"));
    assert_null(beam_args_str(args, "no such option"));
    assert_int_equal(beam_args_int(args, "count"), 7);
    assert_true(beam_args_double(args, "rate") == 0.5);
    assert_true(beam_args_flag(args, "shuffle"));
    assert_false(beam_args_flag(args, "verbose"));
    assert_false(beam_args_given(args, "words"));
    assert_true(beam_args_given(args, "input"));
    beam_args_free(args);
}

static void values(void **state)
{
    (void)state;
    beam_args *args =
        parsed("--input a=b --words=letters --rate=-1e3 --count=0 --every=-1 --no-shuffle "
               "--verbose");
    assert_string_equal(beam_args_str(args, "input"), "a=b");
    assert_string_equal(beam_args_str(args, "words"), "letters");
    assert_int_equal(beam_args_int(args, "count"), 0);
    assert_int_equal(beam_args_int(args, "every"), -1);
    assert_true(beam_args_double(args, "rate") == -1000);
    assert_false(beam_args_flag(args, "shuffle"));
    assert_true(beam_args_flag(args, "verbose"));
    beam_args_free(args);
    args = parsed("--input=a --input=b --shuffle=false --dataset=/some/where");
    assert_string_equal(beam_args_str(args, "input"), "b");
    assert_false(beam_args_flag(args, "shuffle"));
    assert_string_equal(beam_args_str(args, "dataset"), "/some/where");
    beam_args_free(args);
}

static void repeated(void **state)
{
    (void)state;
    beam_args *args = parsed("--resource_hints=min_ram=1GB --input=a --resource_hints=cpu_count=2");
    size_t at = 0;
    assert_string_equal(beam_args_next(args, "resource_hints", &at), "min_ram=1GB");
    assert_string_equal(beam_args_next(args, "resource_hints", &at), "cpu_count=2");
    assert_null(beam_args_next(args, "resource_hints", &at));
    beam_args_free(args);
}

static void refused(void **state)
{
    (void)state;
    const struct {
        const char *line, *words;
    } cases[] = {
        {"--inptu=a", "unknown option --inptu; did you mean --input?"},
        {"--input=a --direct_num_worker=2", "did you mean --direct_num_workers?"},
        {"--no-input", "unknown option --no-input"},
        {"--zzzzzzzzzzzzzzzzzz", "--help lists"},
        {"input", "unexpected argument 'input'"},
        {"--", "unexpected argument '--'"},
        {"--input", "--input needs a value: --input=GLOB"},
        {"--input --verbose", "--input needs a value"},
        {"--verbose", "--input=GLOB must be given: what to read"},
        {"--input=a --count=-1", "--count=-1: expected a whole number"},
        {"--input=a --every=-2", "--every=-2: expected a whole number that is not below -1"},
        {"--input=a --count=1.5", "--count=1.5: expected a whole number"},
        {"--input=a --count=", "expected a whole number"},
        {"--input=a --count=99999999999999999999", "expected a whole number"},
        {"--input=a --rate=fast", "--rate=fast: expected a number"},
        {"--input=a --rate=nan", "--rate=nan: expected a number"},
        {"--input=a --words=lines", "--words=lines: expected one of spaces|letters"},
        {"--input=a --words=LETTERS", "expected one of"},
        {"--input=a --verbose=7", "--verbose is a flag"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_args *args;
        beam_help help;
        beam_error err;
        assert_fails(parse(cases[i].line, &args, &help, &err), BEAM_INVALID_ARGUMENT, err,
                     cases[i].words);
        assert_null(args);
    }
}

/* Help is given whatever else is missing. */
static void asks_for_help(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        beam_help help;
    } cases[] = {{"--help", BEAM_HELP_TEXT},
                 {"-h", BEAM_HELP_TEXT},
                 {"--help=man", BEAM_HELP_MAN},
                 {"--verbose --help=bash", BEAM_HELP_BASH},
                 {"--help=zsh", BEAM_HELP_ZSH}};
    beam_args *args;
    beam_help help;
    beam_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(parse(cases[i].line, &args, &help, &err), err);
        assert_int_equal(help, cases[i].help);
        assert_null(args);
    }
    assert_fails(parse("--help=html", &args, &help, &err), BEAM_INVALID_ARGUMENT, err,
                 "--help=html: expected man, bash or zsh");
}

/* Words that are no options, of a command that takes them. */
static void operands(void **state)
{
    (void)state;
    static const beam_command copy = {
        .name = "beam copy", .operands = "FROM TO", .groups = {{"Options", own + 3, 4}}};
    char *argv[] = {"copy", "a", "--count=2", "-", "--rate", "1", "b"};
    char *unknown[] = {"copy", "-x"};
    beam_args *args;
    beam_help help;
    beam_error err = {0};
    assert_ok(beam_args_parse(7, argv, &copy, &args, &help, &err), err);
    assert_int_equal(beam_args_operands(args), 3);
    assert_string_equal(beam_args_operand(args, 0), "a");
    assert_string_equal(beam_args_operand(args, 1), "-");
    assert_string_equal(beam_args_operand(args, 2), "b");
    assert_null(beam_args_operand(args, 3));
    assert_int_equal(beam_args_int(args, "count"), 2);
    beam_named_value given[2];
    assert_int_equal(beam_args_all(args, NULL), 2);
    assert_int_equal(beam_args_all(args, given), 2);
    assert_string_equal(given[1].name, "rate");
    beam_args_free(args);
    assert_fails(beam_args_parse(2, unknown, &copy, &args, &help, &err), BEAM_INVALID_ARGUMENT, err,
                 "unexpected argument '-x'");
}

/* A program may have an option of the same name. */
static void of_engines(void **state)
{
    (void)state;
    static const beam_option region = {"region", "NAME", NULL, "of the picture", false};
    const beam_app other = {.struct_size = sizeof other, .options = &region, .n_options = 1};
    assert_true(beam_app_option_is_of_engines(&app, "region"));
    assert_true(beam_app_option_is_of_engines(&app, "job_endpoint"));
    assert_false(beam_app_option_is_of_engines(&other, "region"));
    assert_false(beam_app_option_is_of_engines(&app, "direct_num_workers"));
    assert_false(beam_app_option_is_of_engines(&app, "words"));
}

static void amounts(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"1000", 1000},
                {"500MB", 500000000},
                {"2GiB", 2u << 30},
                {"1.5KB", 1500},
                {"3kib", 3072},
                {"7B", 7},
                {"1TB", UINT64_C(1000000000000)}};
    const char *const bad[] = {"", "MB", "-1", "5 apples", "1e30", "nan", "inf", "10XB"};
    beam_error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t bytes = 1;
        assert_ok(beam_parse_bytes(good[i].text, &bytes, &err), err);
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t bytes;
        assert_fails(beam_parse_bytes(bad[i], &bytes, &err), BEAM_INVALID_ARGUMENT, err,
                     "no amount of memory");
    }
}

static void report(void **state)
{
    (void)state;
    char *folder = test_folder();
    const char *path = test_path(folder, "report.json");
    const beam_result result = {0};
    beam_error err = {0};
    beam_report *r = beam_report_new();
    assert_non_null(r);
    beam_report_str(r, "example", "a \"quoted\" name");
    beam_report_int(r, "images", INT64_MAX);
    beam_report_double(r, "seconds", 0.1);
    beam_report_double(r, "accuracy", NAN);
    beam_report_str(r, "why", NULL);
    beam_report_int(r, "images", 5);
    assert_ok(beam_report_write_json(r, &result, path, &err), err);
    size_t size;
    char *text = test_read_file(path, &size);
    assert_string_equal(text, "{\n \"example\": \"a \\\"quoted\\\" name\",\n \"images\": 5,\n "
                              "\"seconds\": 0.1,\n \"accuracy\": null,\n \"why\": null\n}\n");
    free(text);
    assert_fails(beam_report_write_json(r, &result, test_path(folder, "none/x.json"), &err),
                 BEAM_NOT_FOUND, err, "none/x.json");
    assert_int_equal(test_count_files(folder), 1);
    beam_report_free(r);
    test_remove_folder(folder);
}

/* Out of memory, at whatever place: a report without it would be wrong, so none is written. */
static void each_allocation_fails(void **state)
{
    (void)state;
    const beam_result result = {0};
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_args *args;
        beam_help help;
        beam_status status = parse("--input=a --count=3 --verbose", &args, &help, NULL);
        test_shortage_ends(&s, status);
        if (status == BEAM_OK)
            beam_args_free(args);
    }
    beam_report_str(NULL, "a", "b");
    beam_report_print(NULL);
    assert_int_equal(beam_report_write_json(NULL, &result, "x", NULL), BEAM_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),      cmocka_unit_test(values),
        cmocka_unit_test(repeated),      cmocka_unit_test(refused),
        cmocka_unit_test(asks_for_help), cmocka_unit_test(operands),
        cmocka_unit_test(of_engines),    cmocka_unit_test(amounts),
        cmocka_unit_test(report),        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
