/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_status.c - statuses, error messages and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <beam/log.h>
#include <beam/status.h>

static void names(void **state)
{
    (void)state;
    assert_string_equal(beam_status_name(BEAM_OK), "OK");
    assert_string_equal(beam_status_name(BEAM_DATA_LOSS), "DATA_LOSS");
    assert_string_equal(beam_status_name(BEAM_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(beam_status_name((beam_status)17), "UNRECOGNIZED");
    assert_string_equal(beam_status_name((beam_status)-1), "UNRECOGNIZED");
}

static void messages(void **state)
{
    (void)state;
    beam_error err = {0};
    assert_int_equal(beam_error_set(NULL, BEAM_NOT_FOUND, "x"), BEAM_NOT_FOUND);
    assert_int_equal(beam_error_set(&err, BEAM_NOT_FOUND, "no file %s", "f"), BEAM_NOT_FOUND);
    assert_int_equal(err.code, BEAM_NOT_FOUND);
    assert_string_equal(err.message, "no file f");
    assert_int_equal(beam_error_wrap(&err, BEAM_INTERNAL, "reading %d", 3), BEAM_NOT_FOUND);
    assert_string_equal(err.message, "reading 3: no file f");
    beam_error empty = {0};
    assert_int_equal(beam_error_wrap(&empty, BEAM_INTERNAL, "here"), BEAM_INTERNAL);
    assert_string_equal(empty.message, "here");
    assert_int_equal(empty.code, BEAM_INTERNAL);
    assert_int_equal(beam_error_wrap(NULL, BEAM_ABORTED, "here"), BEAM_ABORTED);
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    static char text[3000];
    memset(text, 'x', sizeof text - 1);
    beam_error err = {0};
    (void)beam_error_set(&err, BEAM_INTERNAL, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    (void)beam_error_wrap(&err, BEAM_INTERNAL, "front");
    assert_int_equal(strncmp(err.message, "front: xxx", 10), 0);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    (void)beam_error_wrap(&err, BEAM_INTERNAL, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

typedef struct seen {
    int records;
    char last[256];
} seen;

static void take(void *user, const beam_log_record *record)
{
    seen *s = user;
    s->records++;
    snprintf(s->last, sizeof s->last, "%s %s %s %s", beam_log_level_name(record->level),
             record->file, record->transform ? record->transform : "-", record->message);
}

static void logging(void **state)
{
    (void)state;
    seen s = {0};
    beam_logger logger = {take, &s, BEAM_LOG_DEFAULT};
    BEAM_LOG(&logger, BEAM_LOG_INFO, "not shown");
    assert_int_equal(s.records, 0);
    beam_log_write(&logger, BEAM_LOG_ERROR, "/a/b.c", 7, "Map", "%d left", 3);
    assert_string_equal(s.last, "ERROR b.c Map 3 left");
    logger.min_level = BEAM_LOG_TRACE;
    BEAM_LOG(&logger, BEAM_LOG_TRACE, "shown");
    assert_string_equal(s.last, "TRACE test_status.c - shown");
    assert_int_equal(s.records, 2);
}

static void log_levels(void **state)
{
    (void)state;
    beam_log_level level;
    beam_error err = {0};
    assert_int_equal(beam_log_level_parse("debug", &level, &err), BEAM_OK);
    assert_int_equal(level, BEAM_LOG_DEBUG);
    assert_int_equal(beam_log_level_parse("loud", &level, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "'loud'"));
    assert_non_null(strstr(err.message, "WARNING"));
    assert_string_equal(beam_log_level_name((beam_log_level)99), "UNRECOGNIZED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(messages),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(logging),
        cmocka_unit_test(log_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
