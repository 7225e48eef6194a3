/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Libraries that are opened when they are first used. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/library.h"

#define MATH_FUNCTIONS(X) X(cos) X(hypot)
BEAM_LIBRARY_DECLARE(math, MATH_FUNCTIONS);
BEAM_LIBRARY_DEFINE(math, MATH_FUNCTIONS, "libm.so.6", "the C library");

#define MISSING_FUNCTIONS(X) X(cos)
BEAM_LIBRARY_DECLARE(missing, MISSING_FUNCTIONS);
BEAM_LIBRARY_DEFINE(missing, MISSING_FUNCTIONS, "libnosuch.so.1", "nosuch 1, Debian's libnosuch1");

double no_such_cosine(double);
#define OLD_FUNCTIONS(X) X(cos) X(no_such_cosine)
BEAM_LIBRARY_DECLARE(old, OLD_FUNCTIONS);
BEAM_LIBRARY_DEFINE(old, OLD_FUNCTIONS, "libm.so.6", "a C library with other cosines");

static void *open_and_use(void *user)
{
    (void)user;
    assert_int_equal(beam_library_open(&math_library, NULL), BEAM_OK);
    assert_true(math_functions.cos(0) == 1);
    assert_true(math_functions.hypot(3, 4) == 5);
    return NULL;
}

static void many_threads(void **state)
{
    pthread_t threads[8];
    (void)state;
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_use, NULL), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void library_that_is_missing(void **state)
{
    beam_error err = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(beam_library_open(&missing_library, &err), BEAM_UNAVAILABLE);
        assert_non_null(strstr(err.message, "libnosuch.so.1 (nosuch 1, Debian's libnosuch1)"));
        assert_non_null(strstr(err.message, "LD_LIBRARY_PATH"));
    }
}

static void function_that_is_missing(void **state)
{
    beam_error err = {0};
    (void)state;
    assert_int_equal(beam_library_open(&old_library, &err), BEAM_UNAVAILABLE);
    assert_string_equal(err.message, "libm.so.6 has no function no_such_cosine; libbeam needs a C "
                                     "library with other cosines");
    assert_false(old_library.opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads),
        cmocka_unit_test(library_that_is_missing),
        cmocka_unit_test(function_that_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
