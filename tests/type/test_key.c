/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_key.c - key images: equal exactly when the encoded bytes are, and back again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "samples.h"
#include "type/coder.h"
#include "type/key.h"
#include "type/layout.h"
#include "type/value.h"

#define FLAT_(FIELD, S) FIELD(S, beam_bool, a) FIELD(S, maybe_int, b) FIELD(S, point, c)
BEAM_STRUCT(flat_key, FLAT_);
BEAM_KV(text_key, beam_str, names);

static void shapes(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_type *prefixed;
    assert_int_equal(beam_type_make_length_prefix(&arena, &beam_str_type, &prefixed, NULL),
                     BEAM_OK);
    const struct {
        const beam_type *type;
        beam_key_kind kind;
        size_t size;
    } expected[] = {
        {&beam_int64_type, BEAM_KEY_SCALAR64, 8},
        {&beam_double_type, BEAM_KEY_SCALAR64, 8},
        {&beam_timestamp_type, BEAM_KEY_SCALAR64, 8},
        {&beam_str_type, BEAM_KEY_STRING, 0},
        {&beam_bytes_type, BEAM_KEY_STRING, 0},
        {prefixed, BEAM_KEY_STRING, 0},
        {&beam_bool_type, BEAM_KEY_FIXED, 1},
        {&beam_int32_type, BEAM_KEY_FIXED, 4},
        {&point_type, BEAM_KEY_FIXED, 11},
        {&pair_type, BEAM_KEY_FIXED, 16},
        {&maybe_int_type, BEAM_KEY_FIXED, 9},
        {&flat_key_type, BEAM_KEY_FIXED, 21},
        {&beam_window_type, BEAM_KEY_FIXED, 16},
        {&beam_global_window_type, BEAM_KEY_FIXED, 0},
        {&text_key_type, BEAM_KEY_GENERAL, 0},
        {&maybe_str_type, BEAM_KEY_GENERAL, 0},
        {&beam_decimal_type, BEAM_KEY_GENERAL, 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        beam_key_shape shape = beam_key_shape_of(expected[i].type);
        assert_int_equal(shape.kind, expected[i].kind);
        assert_int_equal(shape.size, expected[i].size);
    }
    beam_arena_free(&arena);
}

static bool same_bytes(const beam_buffer *a, const beam_buffer *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The key read back from an image (in a block of its own) has the same encoding. */
static void check_back(const beam_type *type, const beam_buffer *image, const beam_buffer *code)
{
    beam_arena arena = {0};
    beam_buffer again = {0};
    char *copy = malloc(image->len ? image->len : 1), *key = malloc(type->size);
    assert_non_null(copy);
    assert_non_null(key);
    if (image->len)
        memcpy(copy, image->data, image->len);
    assert_int_equal(beam_key_from_image(type, copy, image->len, key, &arena), BEAM_OK);
    assert_int_equal(beam_encode(type, BEAM_NESTED, key, &again, NULL), BEAM_OK);
    assert_true(same_bytes(code, &again));
    beam_key_shape shape = beam_key_shape_of(type);
    if (image->len && shape.kind != BEAM_KEY_STRING)
        assert_int_equal(beam_key_from_image(type, copy, image->len - 1, key, &arena),
                         BEAM_DATA_LOSS);
    free(copy);
    free(key);
    beam_buffer_free(&again);
    beam_arena_free(&arena);
}

/* Images and encodings of n keys agree pairwise on what is equal. */
static void check_keys(const beam_type *type, const void *keys, size_t n)
{
    const char *at = keys;
    assert_true(beam_type_is_deterministic(type));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            const void *a = at + i * type->size, *b = at + k * type->size;
            beam_buffer ia = {0}, ib = {0}, ea = {0}, eb = {0};
            assert_int_equal(beam_key_image(type, a, &ia), BEAM_OK);
            assert_int_equal(beam_key_image(type, b, &ib), BEAM_OK);
            assert_int_equal(beam_encode(type, BEAM_NESTED, a, &ea, NULL), BEAM_OK);
            assert_int_equal(beam_encode(type, BEAM_NESTED, b, &eb, NULL), BEAM_OK);
            assert_int_equal(same_bytes(&ia, &ib), same_bytes(&ea, &eb));
            assert_int_equal(same_bytes(&ia, &ib), beam_value_equal(type, a, b));
            assert_int_equal(beam_key_hash(ia.data, ia.len) == beam_key_hash(ib.data, ib.len),
                             same_bytes(&ia, &ib));
            check_back(type, &ia, &ea);
            beam_buffer_free(&ia);
            beam_buffer_free(&ib);
            beam_buffer_free(&ea);
            beam_buffer_free(&eb);
        }
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void images_follow_encodings(void **state)
{
    (void)state;
    const beam_int64 ints[] = {0, -1, 1, 256, INT64_MIN, 1};
    const beam_double doubles[] = {0.0,
                                   -0.0,
                                   1,
                                   double_of(0x7ff8000000000000),
                                   double_of(0x7ff8000000000001),
                                   double_of(0xfff8000000000000),
                                   double_of(0x7ff8000000000000)};
    const beam_str texts[] = {{"", 0}, {"a", 1}, {"a\0", 2}, {"ab", 2}, {"\xff", 1}, {&"xa"[1], 1}};
    const beam_str one[] = {{"b", 1}}, two[] = {{"", 0}, {"b", 1}};
    const text_key lists[] = {{{"a", 1}, {one, 1}},
                              {{"ab", 2}, {NULL, 0}},
                              {{"a", 1}, {two, 2}},
                              {{"a", 1}, {one, 1}},
                              {{"", 0}, {two, 2}}};
    check_keys(&beam_int64_type, ints, 6);
    check_keys(&beam_double_type, doubles, 7);
    check_keys(&beam_str_type, texts, 6);
    check_keys(&beam_bytes_type, texts, 6);
    check_keys(&text_key_type, lists, 5);
    const beam_window windows[] = {BEAM_GLOBAL_WINDOW, BEAM_GLOBAL_WINDOW};
    check_keys(&beam_global_window_type, windows, 2);
    check_keys(&beam_window_type, windows, 2);
}

static void images_have_no_padding(void **state)
{
    (void)state;
    flat_key keys[4];
    static const unsigned char fill[4] = {0x11, 0xee, 0x11, 0x55};
    for (size_t i = 0; i < 4; i++) {
        memset(&keys[i], fill[i], sizeof keys[i]);
        keys[i].a = i == 3;
        keys[i].b.present = i == 2;
        keys[i].b.value = i == 2 ? 0 : (beam_int64)i; /* an absent value counts for nothing */
        keys[i].c.tag = 1;
        keys[i].c.x = -0.0;
        keys[i].c.y = 3;
    }
    check_keys(&flat_key_type, keys, 4);
    beam_buffer a = {0}, b = {0};
    assert_int_equal(beam_key_image(&flat_key_type, &keys[0], &a), BEAM_OK);
    assert_int_equal(beam_key_image(&flat_key_type, &keys[1], &b), BEAM_OK);
    assert_true(same_bytes(&a, &b));
    beam_buffer_free(&a);
    beam_buffer_free(&b);
}

static void images_without_memory(void **state)
{
    (void)state;
    const beam_str one[] = {{"b", 1}};
    const text_key key = {{"a", 1}, {one, 1}};
    const struct {
        const beam_type *type;
        const void *key;
    } keys[] = {{&text_key_type, &key}, {&beam_str_type, &one[0]}};
    for (size_t i = 0; i < 2; i++) {
        beam_buffer out = {0};
        beam_alloc_fail_at(1, 1);
        beam_status status = beam_key_image(keys[i].type, keys[i].key, &out);
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
        assert_int_equal(out.len, 0);
    }
}

/* Low bits pick buckets and high bits partitions: both must be spread well. */
static void hashes_spread(void **state)
{
    (void)state;
    enum { N = 1 << 14, BUCKETS = 256 };
    static const unsigned shifts[] = {0, 8, 32, 56}, strides[] = {1, 64, 4096};
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
        for (size_t h = 0; h < sizeof shifts / sizeof *shifts; h++) {
            unsigned found[BUCKETS] = {0};
            for (uint64_t i = 0; i < N; i++)
                found[beam_key_hash64(i * strides[s]) >> shifts[h] & (BUCKETS - 1)]++;
            for (unsigned b = 0; b < BUCKETS; b++) /* 64 expected, of deviation 8 */
                assert_in_range(found[b], 64 - 48, 64 + 48);
        }
    uint64_t word = 12345;
    assert_true(beam_key_hash(&word, sizeof word) == beam_key_hash64(word));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(images_follow_encodings),
        cmocka_unit_test(images_have_no_padding),
        cmocka_unit_test(images_without_memory),
        cmocka_unit_test(hashes_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
