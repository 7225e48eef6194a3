/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_type.c - descriptors, and types made at run time against those of the compiler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "samples.h"
#include "type/layout.h"

static const char *described(const beam_type *type)
{
    static char text[512];
    return beam_type_describe(type, text, sizeof text);
}

static void descriptions(void **state)
{
    (void)state;
    assert_string_equal(described(&beam_int64_type), "beam_int64");
    assert_string_equal(described(&word_group_type), "kv<beam_str, iterable<beam_int64>>");
    assert_string_equal(described(&counts_type), "map<beam_str, nullable<beam_int64>>");
    assert_string_equal(described(&point_type),
                        "row point{tag: beam_byte, x: beam_double, y: beam_int16}");
    char small[12];
    assert_string_equal(beam_type_describe(&word_group_type, small, sizeof small), "kv<beam_...");
    assert_string_equal(beam_type_describe(&word_group_type, small, 1), "");
    assert_string_equal(beam_type_describe(&word_group_type, small, 0), "");
}

static void flatness(void **state)
{
    (void)state;
    assert_true(beam_type_is_flat(&point_type));
    assert_true(beam_type_is_flat(&maybe_int_type));
    assert_true(beam_type_is_flat(&beam_window_type));
    assert_true(beam_type_is_flat(&beam_timestamp_type));
    assert_false(beam_type_is_flat(&maybe_str_type));
    assert_false(beam_type_is_flat(&word_group_type));
    assert_false(beam_type_is_flat(&beam_tensor_type));
    assert_false(beam_type_is_flat(&beam_decimal_type));
    assert_false(beam_type_is_flat(&everything_type));
}

static void determinism(void **state)
{
    (void)state;
    assert_true(beam_type_is_deterministic(&point_type));
    assert_true(beam_type_is_deterministic(&beam_double_type));
    assert_true(beam_type_is_deterministic(&points_type));
    assert_true(beam_type_is_deterministic(&beam_tensor_type));
    assert_false(beam_type_is_deterministic(&counts_type));
    assert_false(beam_type_is_deterministic(&word_group_type));
    assert_false(beam_type_is_deterministic(&everything_type));
}

/* ---- Types made at run time ----------------------------------------------------------- */

/* The same type again, every part of it made at run time. */
static const beam_type *remake(beam_arena *arena, const beam_type *type)
{
    const beam_type *made = NULL, *parts[32];
    beam_field fields[32];
    assert_true(type->n_fields <= 32);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        parts[i] = remake(arena, type->fields[i].type);
        if (!parts[i])
            return NULL;
        fields[i] = (beam_field){type->fields[i].name, parts[i], 0};
    }
    switch (type->kind) {
    case BEAM_KIND_KV:
        beam_type_make_kv(arena, parts[0], parts[1], &made, NULL);
        return made;
    case BEAM_KIND_ITERABLE:
        beam_type_make_iterable(arena, parts[0], &made, NULL);
        return made;
    case BEAM_KIND_NULLABLE:
        beam_type_make_nullable(arena, parts[0], &made, NULL);
        return made;
    case BEAM_KIND_LIST:
        beam_type_make_list(arena, parts[0], &made, NULL);
        return made;
    case BEAM_KIND_MAP:
        beam_type_make_map(arena, parts[0]->fields[0].type, parts[0]->fields[1].type, &made, NULL);
        return made;
    case BEAM_KIND_ROW:
        beam_type_make_row(arena, fields, type->n_fields, NULL, &made, NULL);
        return made;
    default:
        return type;
    }
}

static void same_layout(const beam_type *a, const beam_type *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->align, b->align);
    assert_int_equal(a->n_fields, b->n_fields);
    for (uint32_t i = 0; i < a->n_fields; i++) {
        assert_int_equal(a->fields[i].offset, b->fields[i].offset);
        same_layout(a->fields[i].type, b->fields[i].type);
    }
}

static void layouts_are_the_compilers(void **state)
{
    (void)state;
    const beam_type *const types[] = {&everything_by_word_type,
                                      &word_group_type,
                                      &maybe_str_type,
                                      &maybe_int_type,
                                      &points_type,
                                      &counts_type,
                                      &point_type,
                                      &words_type,
                                      &pair_type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        beam_arena arena = {0};
        const beam_type *made = remake(&arena, types[i]);
        assert_non_null(made);
        same_layout(types[i], made);
        assert_true(beam_type_equal(types[i], made));
        assert_true(beam_type_fingerprint(types[i]) == beam_type_fingerprint(made));
        assert_int_equal(beam_type_is_flat(types[i]), beam_type_is_flat(made));
        beam_arena_free(&arena);
    }
}

static void making_without_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        beam_arena arena = {0};
        beam_alloc_fail_at(n, 1);
        const beam_type *made = remake(&arena, &everything_by_word_type);
        bool failed = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        beam_arena_free(&arena);
        assert_int_equal(failed, made == NULL);
        if (!failed)
            break;
    }
}

/* Types that differ in one respect each. */
static void inequality(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_type *t[8];
    const beam_field ab[] = {{"a", &beam_int64_type, 0}, {"b", &beam_str_type, 0}};
    const beam_field ac[] = {{"a", &beam_int64_type, 0}, {"c", &beam_str_type, 0}};
    const beam_field aB[] = {{"a", &beam_int64_type, 0}, {"b", &beam_bytes_type, 0}};
    const uint32_t swapped[] = {1, 0}, in_order[] = {0, 1};
    assert_int_equal(beam_type_make_row(&arena, ab, 2, NULL, &t[0], NULL), BEAM_OK);
    assert_int_equal(beam_type_make_row(&arena, ac, 2, NULL, &t[1], NULL), BEAM_OK);
    assert_int_equal(beam_type_make_row(&arena, aB, 2, NULL, &t[2], NULL), BEAM_OK);
    assert_int_equal(beam_type_make_row(&arena, ab, 2, swapped, &t[3], NULL), BEAM_OK);
    assert_int_equal(beam_type_make_row(&arena, ab, 1, NULL, &t[4], NULL), BEAM_OK);
    const beam_bytes five = {"\x05", 1}, six = {"\x06", 1};
    assert_int_equal(beam_type_make_logical(&arena, t[0], "urn:x", five, &t[5], NULL), BEAM_OK);
    assert_int_equal(beam_type_make_logical(&arena, t[0], "urn:x", six, &t[6], NULL), BEAM_OK);
    assert_int_equal(beam_type_make_logical(&arena, t[0], "urn:y", six, &t[7], NULL), BEAM_OK);
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 8; k++) {
            assert_int_equal(beam_type_equal(t[i], t[k]), i == k);
            assert_int_equal(beam_type_fingerprint(t[i]) == beam_type_fingerprint(t[k]), i == k);
        }
    const beam_type *same, *prefixed;
    assert_int_equal(beam_type_make_row(&arena, ab, 2, in_order, &same, NULL), BEAM_OK);
    assert_int_equal(beam_type_make_length_prefix(&arena, t[0], &prefixed, NULL), BEAM_OK);
    assert_true(beam_type_equal(t[0], same));
    assert_true(beam_type_equal(t[0], prefixed));
    assert_true(beam_type_fingerprint(t[0]) == beam_type_fingerprint(prefixed));
    beam_arena_free(&arena);
}

static void fingerprints_never_change(void **state)
{
    (void)state; /* a worker of another build compares them */
    assert_true(beam_type_fingerprint(&beam_int64_type) == UINT64_C(0xec3ce06f75acf1d9));
    assert_true(beam_type_fingerprint(&word_group_type) == UINT64_C(0x7c409ecaac2eb3be));
    assert_true(beam_type_fingerprint(&point_type) == UINT64_C(0xfff2ef4b9bf77f8c));
}

static void what_cannot_be(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_type *out = NULL;
    beam_error err = {0};
    const beam_field twice[] = {{"a", &beam_int64_type, 0}, {"a", &beam_str_type, 0}};
    const beam_field two[] = {{"a", &beam_int64_type, 0}, {"b", &beam_str_type, 0}};
    const uint32_t taken[] = {1, 1}, past[] = {0, 2};
    assert_int_equal(beam_type_make_row(&arena, twice, 2, NULL, &out, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "'a'"));
    assert_int_equal(beam_type_make_row(&arena, two, 2, taken, &out, &err), BEAM_INVALID_ARGUMENT);
    assert_int_equal(beam_type_make_row(&arena, two, 2, past, &out, &err), BEAM_INVALID_ARGUMENT);
    assert_int_equal(beam_type_make_map(&arena, &point_type, &beam_str_type, &out, &err),
                     BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "row point{"));
    assert_int_equal(beam_type_make_custom_window(&arena, &beam_str_type, &out, &err),
                     BEAM_UNIMPLEMENTED);
    beam_arena_free(&arena);
}

static void bounds_on_hostile_types(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_type *deep = &beam_int64_type, *wide = &beam_int64_type, *big = &beam_int64_type;
    beam_status status = BEAM_OK;
    int depth = 0, doublings = 0, sizes = 0;
    for (; status == BEAM_OK; depth++)
        status = beam_type_make_iterable(&arena, deep, &deep, NULL);
    assert_int_equal(status, BEAM_INVALID_ARGUMENT);
    assert_int_equal(depth, BEAM_TYPE_MAX_DEPTH);
    for (status = BEAM_OK; status == BEAM_OK; doublings++) { /* a tree of 2^n parts */
        const beam_type *list;
        status = beam_type_make_list(&arena, wide, &list, NULL);
        if (status == BEAM_OK)
            status = beam_type_make_kv(&arena, list, list, &wide, NULL);
    }
    assert_int_equal(status, BEAM_INVALID_ARGUMENT);
    assert_true(doublings < 16);
    beam_field fields[16];
    static const char *const letters[] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                          "i", "j", "k", "l", "m", "n", "o", "p"};
    for (status = BEAM_OK; status == BEAM_OK; sizes++) {
        for (size_t i = 0; i < 16; i++)
            fields[i] = (beam_field){letters[i], big, 0};
        status = beam_type_make_row(&arena, fields, 16, NULL, &big, NULL);
    }
    assert_int_equal(status, BEAM_INVALID_ARGUMENT);
    assert_true(sizes < 8);
    beam_arena_free(&arena);
}

static void empty_row(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_type *row;
    char text[32];
    assert_int_equal(beam_type_make_row(&arena, NULL, 0, NULL, &row, NULL), BEAM_OK);
    assert_int_equal(row->size, 1);
    assert_string_equal(beam_type_describe(row, text, sizeof text), "row{}");
    beam_arena_free(&arena);
}

static void strings(void **state)
{
    (void)state;
    assert_true(beam_str_equal(beam_str_of("abc"), (beam_str){"abcd", 3}));
    assert_false(beam_str_equal(beam_str_of("abc"), beam_str_of("abd")));
    assert_true(beam_str_equal(beam_str_of(NULL), beam_str_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions),
        cmocka_unit_test(flatness),
        cmocka_unit_test(determinism),
        cmocka_unit_test(layouts_are_the_compilers),
        cmocka_unit_test(making_without_memory),
        cmocka_unit_test(inequality),
        cmocka_unit_test(fingerprints_never_change),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(bounds_on_hostile_types),
        cmocka_unit_test(empty_row),
        cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
