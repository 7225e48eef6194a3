/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_map.c - the text map against a plain list, and the hashes beneath it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "base/map.h"

enum { KEYS = 500 };

static void name_of(int i, char name[16])
{
    snprintf(name, 16, "key %d", i);
}

/* A fixed sequence of sets and removals, followed step by step in an array. */
static void against_an_array(void **state)
{
    (void)state;
    static int numbers[KEYS];
    int *expected[KEYS] = {NULL};
    beam_map map = {0};
    char name[16];
    uint32_t random = 1;
    size_t len = 0;
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        int i = (int)(random >> 8) % KEYS;
        name_of(i, name);
        if (random >> 31) {
            int *value = &numbers[(i + step) % KEYS];
            len += expected[i] == NULL;
            expected[i] = value;
            assert_int_equal(beam_map_set(&map, name, value), BEAM_OK);
        } else {
            assert_ptr_equal(beam_map_remove(&map, name), expected[i]);
            len -= expected[i] != NULL;
            expected[i] = NULL;
        }
        assert_int_equal(map.len, len);
        if (step % 1000 == 0)
            for (int k = 0; k < KEYS; k++) {
                name_of(k, name);
                assert_ptr_equal(beam_map_get(&map, name), expected[k]);
                assert_int_equal(beam_map_has(&map, name), expected[k] != NULL);
            }
    }
    size_t at = 0, seen = 0;
    const beam_map_entry *e;
    while ((e = beam_map_next(&map, &at)) != NULL) {
        assert_ptr_equal(beam_map_get(&map, e->key), e->value);
        seen++;
    }
    assert_int_equal(seen, len);
    beam_map_free(&map);
    assert_null(beam_map_get(&map, "key 1"));
}

static void parts_of_text(void **state)
{
    (void)state;
    beam_map map = {0};
    int one, two;
    assert_null(beam_map_remove(&map, "nothing"));
    assert_int_equal(beam_map_setn(&map, "abc", 2, &one), BEAM_OK);
    assert_int_equal(beam_map_set(&map, "", &two), BEAM_OK);
    assert_ptr_equal(beam_map_get(&map, "ab"), &one);
    assert_ptr_equal(beam_map_getn(&map, "abx", 2), &one);
    assert_null(beam_map_get(&map, "abc"));
    assert_ptr_equal(beam_map_get(&map, ""), &two);
    assert_int_equal(beam_map_set(&map, "null", NULL), BEAM_OK);
    assert_true(beam_map_has(&map, "null") && !beam_map_get(&map, "null"));
    beam_map_free(&map);
}

static void without_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        beam_map map = {0};
        char name[16];
        int set = 0;
        beam_alloc_fail_at(n, 1);
        for (; set < 30; set++) {
            name_of(set, name);
            if (beam_map_set(&map, name, &map) != BEAM_OK)
                break;
        }
        beam_alloc_fail_at(0, 0);
        assert_int_equal(map.len, set);
        for (int i = 0; i < 30; i++) {
            name_of(i, name);
            assert_int_equal(beam_map_has(&map, name), i < set);
        }
        beam_map_free(&map);
        if (set == 30)
            break;
    }
}

static void known_hashes(void **state)
{
    (void)state; /* type fingerprints rest on these */
    assert_true(beam_hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2)); /* XXH3's own vector */
    assert_true(beam_hash64("a", 1, 0) != beam_hash64("a", 1, 1));
    assert_int_equal(beam_crc32c(0, "123456789", 9), 0xe3069283); /* RFC 3720's */
    assert_int_equal(beam_crc32c(beam_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    static const char zeros[32];
    assert_int_equal(beam_crc32c(0, zeros, 32), 0x8a9136aa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_an_array),
        cmocka_unit_test(parts_of_text),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(known_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
