/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_value.c - copies, order, equality, hashes and print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "samples.h"
#include "support/shortage.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/value.h"

static const char *shown(const beam_type *type, const void *value, size_t limit)
{
    static char text[1024];
    beam_buffer out = {0};
    assert_int_equal(beam_value_print(type, value, &out, limit), BEAM_OK);
    snprintf(text, sizeof text, "%.*s", (int)out.len, (const char *)out.data);
    beam_buffer_free(&out);
    return text;
}

/* ---- Copies --------------------------------------------------------------------------- */

static void copies_are_deep(void **state)
{
    (void)state;
    beam_arena arena = {0}, source_arena = {0};
    beam_buffer bytes = {0};
    everything value = sample_everything(), source, copy;
    assert_int_equal(beam_value_copy(&everything_type, &source, &value, &source_arena), BEAM_OK);
    assert_int_equal(beam_encode(&everything_type, BEAM_NESTED, &source, &bytes, NULL), BEAM_OK);
    assert_int_equal(beam_value_copy(&everything_type, &copy, &source, &arena), BEAM_OK);
    beam_arena_free(&source_arena); /* a sanitizer sees who still looks there */
    memset(&source, 0xee, sizeof source);

    beam_buffer again = {0};
    assert_int_equal(beam_encode(&everything_type, BEAM_NESTED, &copy, &again, NULL), BEAM_OK);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    assert_true(beam_value_equal(&everything_type, &value, &copy));
    assert_int_equal((uintptr_t)copy.image.data % 64, 0);
    beam_buffer_free(&bytes);
    beam_buffer_free(&again);
    beam_arena_free(&arena);
}

static void outer_sizes(void **state)
{
    (void)state;
    everything value = sample_everything(), copy;
    beam_arena arena = {0};
    beam_int64 seven = 7;
    beam_str text = {"0123456789abcdef+", 17};
    assert_int_equal(beam_value_outer_size(&beam_int64_type, &seven), 0);
    assert_int_equal(beam_value_outer_size(&beam_str_type, &text), 32);
    assert_int_equal(beam_value_outer_size(&maybe_str_type, &value.nothing), 0);
    size_t size = beam_value_outer_size(&everything_type, &value);
    assert_non_null(beam_arena_alloc(&arena, 1));
    const char *before = arena.at;
    assert_int_equal(beam_value_copy(&everything_type, &copy, &value, &arena), BEAM_OK);
    assert_int_equal(arena.at - before, size);
    beam_arena_free(&arena);
}

/* Words out of a buffer that each refill overwrites. */
typedef struct reused {
    char text[4];
    beam_str word;
    beam_status status;
} reused;

static void reused_start(beam_iter *iter)
{
    iter->at = iter->end = NULL;
}

static void reused_refill(beam_iter *iter)
{
    reused *r = *(reused *const *)iter->iterable.source;
    intptr_t n = (intptr_t)iter->cursor[0];
    iter->at = iter->end = NULL;
    if (n == 40) {
        iter->status = r->status;
        return;
    }
    snprintf(r->text, sizeof r->text, "w%02d", (int)n);
    r->word = (beam_str){r->text, 3};
    iter->cursor[0] = (void *)(n + 1);
    iter->at = (const char *)&r->word;
    iter->end = (const char *)(&r->word + 1);
}

static const beam_iterable_ops reused_ops = {reused_start, reused_refill};

static void iterables_become_arrays(void **state)
{
    (void)state;
    reused r = {.status = BEAM_OK}, *source = &r;
    static const uint64_t lengths[] = {BEAM_LEN_UNKNOWN, 40};
    for (int i = 0; i < 2; i++) {
        words values = {&reused_ops, &source, lengths[i]}, copy;
        beam_arena arena = {0};
        assert_int_equal(beam_value_outer_size(&words_type, &values), 0);
        assert_int_equal(beam_value_copy(&words_type, &copy, &values, &arena), BEAM_OK);
        assert_null(copy.ops);
        assert_int_equal(copy.len, 40);
        const beam_str *array = copy.source;
        assert_memory_equal(array[0].at, "w00", 3);
        assert_memory_equal(array[39].at, "w39", 3);
        assert_true(beam_value_equal(&words_type, &values, &copy));
        r.status = BEAM_UNAVAILABLE;
        assert_int_equal(beam_value_copy(&words_type, &copy, &values, &arena), BEAM_UNAVAILABLE);
        assert_non_null(strstr(shown(&words_type, &values, 1000), "(unreadable: UNAVAILABLE)]"));
        r.status = BEAM_OK;
        beam_arena_free(&arena);
    }
}

static void copying_without_memory(void **state)
{
    (void)state;
    everything value = sample_everything(), copy;
    static char large[9000];
    value.raw = (beam_bytes){large, sizeof large};
    value.text = (beam_str){large, sizeof large};
    value.spoken = (words){NULL, value.tags.at, value.tags.len};
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_arena arena = {0};
        test_shortage_ends(&s, beam_value_copy(&everything_type, &copy, &value, &arena));
        beam_arena_free(&arena);
    }
}

/* ---- Order ---------------------------------------------------------------------------- */

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* values[0] < values[1] < ... */
static void check_order(const beam_type *type, const void *values, size_t n)
{
    const char *at = values;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            const void *a = at + i * type->size, *b = at + k * type->size;
            int order = beam_value_compare(type, a, b);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(beam_value_equal(type, a, b), i == k);
            assert_int_equal(beam_value_hash(type, a) == beam_value_hash(type, b), i == k);
        }
}

static void orders(void **state)
{
    (void)state;
    const beam_bool bools[] = {false, true};
    const beam_byte octets[] = {0, 127, 128, 255};
    const beam_int16 smalls[] = {-32768, -1, 0, 1};
    const beam_int32 mediums[] = {INT32_MIN, -1, 0, INT32_MAX};
    const beam_int64 larges[] = {INT64_MIN, -1, 0, INT64_MAX};
    const beam_double doubles[] = {-double_of(0x7ff0000000000000),
                                   -1,
                                   -0.0,
                                   0.0,
                                   4.9e-324,
                                   1,
                                   double_of(0x7ff0000000000000),
                                   double_of(0x7ff8000000000000),
                                   double_of(0xfff8000000000000),
                                   double_of(0x7ff8000000000001)};
    const beam_float floats[] = {-1, -0.0f, 0.0f, 1e-45f, 1};
    const beam_str texts[] = {{"", 0}, {"a", 1}, {"a\0", 2}, {"ab", 2}, {"b", 1}, {"\xc3\xbc", 2}};
    const beam_window windows[] = {{0, 5}, {1, 5}, {0, 6}};
    const maybe_int maybes[] = {{.present = false}, {true, -1}, {true, 0}};
    const pair pairs[] = {{1, 2}, {1, 3}, {2, 0}};
    const beam_decimal decimals[] = {
        {{"\x80\x00", 2}, 1}, {{"\xff", 1}, 1}, {{"\xff\xff", 2}, 1}, {{"\x00", 1}, 1},
        {{"\x00\x01", 2}, 1}, {{"\x7f", 1}, 1}, {{"\x00\x80", 2}, 1}, {{"\x00", 1}, 2}};
    check_order(&beam_bool_type, bools, 2);
    check_order(&beam_byte_type, octets, 4);
    check_order(&beam_int16_type, smalls, 4);
    check_order(&beam_int32_type, mediums, 4);
    check_order(&beam_int64_type, larges, 4);
    check_order(&beam_timestamp_type, larges, 4);
    check_order(&beam_double_type, doubles, 10);
    check_order(&beam_float_type, floats, 5);
    check_order(&beam_str_type, texts, 6);
    check_order(&beam_bytes_type, texts, 6);
    check_order(&beam_window_type, windows, 3);
    check_order(&maybe_int_type, maybes, 3);
    check_order(&pair_type, pairs, 3);
    check_order(&beam_decimal_type, decimals, 8);
}

static void orders_of_sequences(void **state)
{
    (void)state;
    static const beam_str a = {"a", 1};
    static const beam_str ab[] = {{"a", 1}, {"b", 1}}, b = {"b", 1};
    const words sequences[] = {{NULL, NULL, 0}, {NULL, &a, 1}, {NULL, ab, 2}, {NULL, &b, 1}};
    const names lists[] = {{NULL, 0}, {&a, 1}, {ab, 2}, {&b, 1}};
    static const uint8_t ones[4] = {1, 1, 1, 1}, twos[4] = {2, 2, 2, 2};
    const beam_tensor tensors[] = {
        {BEAM_I8, 1, {4}, ones}, {BEAM_U8, 1, {3}, ones},    {BEAM_U8, 1, {4}, ones},
        {BEAM_U8, 1, {4}, twos}, {BEAM_U8, 2, {1, 4}, ones},
    };
    check_order(&words_type, sequences, 4);
    check_order(&names_type, lists, 4);
    check_order(&beam_tensor_type, tensors, 5);
}

static void maps_in_any_order(void **state)
{
    (void)state;
    const count_entry forth[] = {{{"a", 1}, {true, 1}}, {{"b", 1}, {.present = false}}};
    const count_entry back[] = {{{"b", 1}, {.present = false}}, {{"a", 1}, {true, 1}}};
    const count_entry other[] = {{{"b", 1}, {true, 0}}, {{"a", 1}, {true, 1}}};
    const counts one = {forth, 2}, same = {back, 2}, differs = {other, 2}, none = {NULL, 0};
    assert_true(beam_value_equal(&counts_type, &one, &same));
    assert_true(beam_value_hash(&counts_type, &one) == beam_value_hash(&counts_type, &same));
    assert_true(beam_value_compare(&counts_type, &one, &differs) < 0);
    assert_true(beam_value_compare(&counts_type, &none, &one) < 0);
    assert_false(beam_value_equal(&counts_type, &none, &one));
}

static void padding_does_not_count(void **state)
{
    (void)state;
    point a, b;
    memset(&a, 0x11, sizeof a);
    memset(&b, 0xee, sizeof b);
    a.tag = b.tag = 1;
    a.x = b.x = 2;
    a.y = b.y = 3;
    assert_true(beam_value_equal(&point_type, &a, &b));
    assert_true(beam_value_hash(&point_type, &a) == beam_value_hash(&point_type, &b));
}

/* ---- Print ---------------------------------------------------------------------------- */

static void prints(void **state)
{
    (void)state;
    everything value = sample_everything();
    assert_string_equal(
        shown(&everything_type, &value, 1000),
        "{flag: true, octet: 200, small: -300, medium: -70000, large: -9223372036854775808, "
        "single: 0.1, real: -0, text: \"gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x98\x80\", "
        "raw: b\"\\x00\\xff\\x80\", when: 2020-08-13T14:14:14.123Z, price: 0x7ab7 * 10^-4, "
        "image: f32[2, 3], maybe: -1, nothing: null, where: {tag: 7, x: 2.5, y: -1}, "
        "path: [{tag: 1, x: -0, y: -2}, {tag: 255, x: 1e+300, y: 32767}], "
        "tags: [\"one\", \"\", \"a tag that is longer than a word\"], "
        "holes: [null, -9223372036854775808], tally: {\"b\": 2, \"a\": null}, "
        "nested_kv: {key: 3, value: -3}, "
        "spoken: [\"one\", \"\", \"a tag that is longer than a word\"]}");
    beam_str odd = {"q\"\\\n\x7f\xff", 6};
    assert_string_equal(shown(&beam_str_type, &odd, 100), "b\"q\\\"\\\\\\x0a\\x7f\\xff\"");
    beam_double third = 1.0 / 3;
    assert_string_equal(shown(&beam_double_type, &third, 100), "0.3333333333333333");
    beam_double none = double_of(0xfff8000000000000); /* what 0 / 0 is, on some processors */
    assert_string_equal(shown(&beam_double_type, &none, 100), "nan");
    beam_window window = {0, 1500}, global = BEAM_GLOBAL_WINDOW;
    assert_string_equal(shown(&beam_window_type, &window, 100),
                        "[1970-01-01T00:00:00.000Z, 1970-01-01T00:00:01.500Z)");
    assert_string_equal(shown(&beam_window_type, &global, 100),
                        "[the beginning of time, the end of time)");
    assert_string_equal(shown(&beam_global_window_type, &global, 100), "the global window");
    beam_timestamp before = -1, never = INT64_MIN;
    assert_string_equal(shown(&beam_timestamp_type, &before, 100), "1969-12-31T23:59:59.999Z");
    assert_non_null(shown(&beam_timestamp_type, &never, 100));
}

static void long_values_are_cut(void **state)
{
    (void)state;
    static char letters[100000];
    memset(letters, 'x', sizeof letters);
    beam_str text = {letters, sizeof letters};
    assert_string_equal(shown(&beam_str_type, &text, 8), "\"xxxxxxx...");
    assert_string_equal(shown(&beam_str_type, &text, 0), "...");
    beam_str umlauts = {"\xc3\xbc\xc3\xbc\xc3\xbc", 6};
    assert_string_equal(shown(&beam_str_type, &umlauts, 2), "\"\xc3\xbc...");
    everything value = sample_everything();
    for (size_t limit = 0; limit < 400; limit++) {
        const char *cut = shown(&everything_type, &value, limit);
        assert_true(strlen(cut) < limit + 50);
        assert_true(beam_utf8_valid(cut, strlen(cut)));
    }
}

static void printing_without_memory(void **state)
{
    (void)state;
    everything value = sample_everything();
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_buffer out = {0};
        test_shortage_ends(&s, beam_value_print(&everything_type, &value, &out, 10000));
        beam_buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_deep),
        cmocka_unit_test(outer_sizes),
        cmocka_unit_test(iterables_become_arrays),
        cmocka_unit_test(copying_without_memory),
        cmocka_unit_test(orders),
        cmocka_unit_test(orders_of_sequences),
        cmocka_unit_test(maps_in_any_order),
        cmocka_unit_test(padding_does_not_count),
        cmocka_unit_test(prints),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(printing_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
