/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Pools: copies that outlive what they were made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <beam/type.h>

#include "base/alloc.h"

#define PICTURE(FIELD, S) FIELD(S, beam_str, name) FIELD(S, beam_tensor, pixels)
BEAM_STRUCT(picture, PICTURE);

static void test_copies_are_deep(void **state)
{
    (void)state;
    beam_pool *pool = beam_pool_new();
    assert_non_null(pool);
    for (int round = 0; round < 3; round++) {
        picture *copies[100];
        for (int i = 0; i < 100; i++) {
            char name[] = "0";
            uint8_t pixels[1000];
            name[0] = (char)('0' + i % 10);
            memset(pixels, i, sizeof pixels);
            const picture one = {{name, 1}, {BEAM_U8, 1, {(int64_t)sizeof pixels}, pixels}};
            void *copy;
            assert_int_equal(beam_pool_copy(pool, &picture_type, &one, &copy), BEAM_OK);
            copies[i] = copy;
        }
        for (int i = 0; i < 100; i++) {
            const uint8_t *pixels = copies[i]->pixels.data;
            assert_int_equal(copies[i]->name.at[0], '0' + i % 10);
            assert_true(pixels[0] == i && pixels[999] == i);
        }
        beam_pool_reset(pool);
    }
    beam_pool_free(pool);
    beam_pool_free(NULL);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    const picture one = {{"name", 4}, {BEAM_U8, 1, {4}, "bits"}};
    for (uint64_t n = 1; n < 4; n++) {
        void *copy = NULL;
        beam_alloc_fail_at(n, 1);
        beam_pool *pool = beam_pool_new();
        beam_status status =
            pool ? beam_pool_copy(pool, &picture_type, &one, &copy) : BEAM_RESOURCE_EXHAUSTED;
        void *room = pool ? beam_pool_alloc(pool, 1 << 20) : NULL;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, n < 3 ? BEAM_RESOURCE_EXHAUSTED : BEAM_OK);
        assert_true((copy != NULL) == (status == BEAM_OK));
        assert_null(room);
        beam_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_are_deep),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
