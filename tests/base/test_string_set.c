/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Sets of strings: once each, in order, bounded, and seen by one thread while another adds. */
#include "support/files.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/string_set.h"

static void join(void *user, beam_str text)
{
    (void)strncat(user, text.at, text.len);
    (void)strcat(user, "|");
}

static void order(void **state)
{
    (void)state;
    char text[64] = "";
    beam_string_set *a = beam_string_set_new(), *b = beam_string_set_new();
    assert_true(beam_string_set_is_empty(a));
    assert_int_equal(beam_string_set_insert(a, "two", 3), BEAM_OK);
    assert_int_equal(beam_string_set_insert(a, "one", 3), BEAM_OK);
    assert_int_equal(beam_string_set_insert(a, "two", 3), BEAM_OK);
    assert_int_equal(beam_string_set_insert(b, "one", 3), BEAM_OK);
    assert_int_equal(beam_string_set_insert(b, "", 0), BEAM_OK);
    assert_int_equal(beam_string_set_merge(a, b), BEAM_OK);
    beam_string_set_visit(a, join, text);
    assert_string_equal(text, "two|one||");
    beam_string_set_clear(a);
    assert_true(beam_string_set_is_empty(a));
    assert_int_equal(beam_string_set_insert(a, "two", 3), BEAM_OK);
    beam_string_set_free(a);
    beam_string_set_free(b);
    beam_string_set_free(NULL);
}

static void bounded(void **state)
{
    (void)state;
    static char large[BEAM_STRING_SET_BYTES];
    memset(large, 'x', sizeof large);
    beam_string_set *set = beam_string_set_new();
    assert_int_equal(beam_string_set_insert(set, large, sizeof large - 1), BEAM_OK);
    assert_int_equal(beam_string_set_insert(set, "ab", 2), BEAM_OUT_OF_RANGE);
    assert_int_equal(beam_string_set_insert(set, "a", 1), BEAM_OK);
    assert_int_equal(beam_string_set_insert(set, "a", 1), BEAM_OK);
    assert_int_equal(beam_string_set_insert(set, "b", 1), BEAM_OUT_OF_RANGE);
    beam_string_set_free(set);
}

static void *add_many(void *set)
{
    char text[16];
    for (int i = 0; i < 2000; i++)
        (void)beam_string_set_insert(set, text, (size_t)snprintf(text, sizeof text, "%d", i));
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    beam_string_set *set = beam_string_set_new(), *copy = beam_string_set_new();
    pthread_t one, two;
    assert_int_equal(pthread_create(&one, NULL, add_many, set), 0);
    assert_int_equal(pthread_create(&two, NULL, add_many, set), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(beam_string_set_merge(copy, set), BEAM_OK);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    beam_string_set_free(set);
    beam_string_set_free(copy);
}

static void no_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 20; n++) {
        char text[32] = "";
        beam_alloc_fail_at(n, 0);
        beam_string_set *set = beam_string_set_new();
        beam_status status = set ? beam_string_set_insert(set, "a", 1) : BEAM_RESOURCE_EXHAUSTED;
        beam_alloc_fail_at(0, 0);
        if (!set)
            continue;
        beam_string_set_visit(set, join, text);
        assert_string_equal(text, status == BEAM_OK ? "a|" : "");
        assert_int_equal(beam_string_set_insert(set, "a", 1), BEAM_OK);
        beam_string_set_free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(bounded),
                                       cmocka_unit_test(threads), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
