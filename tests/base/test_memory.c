/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - the allocator seam, arenas and growing buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"

/* ---- The allocator -------------------------------------------------------------------- */

static void chosen_allocations_fail(void **state)
{
    (void)state;
    beam_alloc_fail_at(2, 0);
    void *one = beam_malloc(1), *two = beam_malloc(1), *three = beam_calloc(1, 1);
    assert_int_equal(beam_alloc_count(), 3);
    beam_alloc_fail_at(1, 1);
    char *four = beam_strdup("x"), *five = beam_asprintf("%d", 5);
    void *six = beam_aligned_alloc(64, 100), *seven = beam_realloc(NULL, 8);
    beam_alloc_fail_at(0, 0);
    assert_non_null(one);
    assert_null(two);
    assert_non_null(three);
    assert_true(!four && !five && !six && !seven);
    beam_free(one);
    beam_free(three);
}

static void allocation_helpers(void **state)
{
    (void)state;
    char *text = beam_asprintf("%s-%d", "a", 7), *part = beam_strndup("abcdef", 3);
    void *aligned = beam_aligned_alloc(4096, 10);
    assert_string_equal(text, "a-7");
    assert_string_equal(part, "abc");
    assert_int_equal((uintptr_t)aligned % 4096, 0);
    beam_free(text);
    beam_free(part);
    beam_free(aligned);
    beam_free(NULL);
}

static void growing(void **state)
{
    (void)state;
    void *items = NULL;
    size_t capacity = 0;
    assert_int_equal(beam_grow(&items, &capacity, 3, sizeof(int)), 0);
    assert_true(capacity >= 3);
    ((int *)items)[2] = 5;
    assert_int_equal(beam_grow(&items, &capacity, 1000, sizeof(int)), 0);
    assert_true(capacity >= 1000);
    assert_int_equal(((int *)items)[2], 5);
    void *before = items;
    assert_int_equal(beam_grow(&items, &capacity, SIZE_MAX, sizeof(int)), -1);
    assert_int_equal(beam_grow(&items, &capacity, SIZE_MAX / 4, 16), -1);
    assert_ptr_equal(items, before);
    beam_free(items);
}

/* ---- Arenas --------------------------------------------------------------------------- */

static void arena_memory(void **state)
{
    (void)state;
    beam_arena arena = {0};
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 5000, 100000, 3, 9000000};
    char *blocks[10];
    for (size_t i = 0; i < 10; i++) {
        blocks[i] = beam_arena_alloc(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < 10; i++)
        for (size_t k = 0; k < sizes[i]; k += 997)
            assert_int_equal(blocks[i][k], i);
    assert_null(beam_arena_alloc(&arena, SIZE_MAX));
    assert_null(beam_arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(beam_arena_calloc(&arena, SIZE_MAX / 4, 8));
    beam_arena_free(&arena);
    assert_int_equal(arena.total, 0);
}

static void arena_text(void **state)
{
    (void)state;
    beam_arena arena = {0};
    assert_string_equal(beam_arena_strdup(&arena, "abc"), "abc");
    assert_string_equal(beam_arena_strndup(&arena, "abc", 2), "ab");
    assert_string_equal(beam_arena_printf(&arena, "%d/%s", 3, "x"), "3/x");
    assert_memory_equal(beam_arena_copy(&arena, "\1\2", 2), "\1\2", 2);
    assert_memory_equal(beam_arena_calloc(&arena, 3, 3), "\0\0\0\0\0\0\0\0\0", 9);
    beam_arena_free(&arena);
}

static void arena_marks(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_arena_mark empty = beam_arena_save(&arena);
    char *kept = beam_arena_strdup(&arena, "kept");
    beam_arena_mark mark = beam_arena_save(&arena);
    size_t total = arena.total;
    void *first = beam_arena_alloc(&arena, 10);
    for (int i = 0; i < 1000; i++)
        assert_non_null(beam_arena_alloc(&arena, 1000));
    beam_arena_restore(&arena, mark);
    assert_int_equal(arena.total, total);
    assert_string_equal(kept, "kept");
    assert_ptr_equal(beam_arena_alloc(&arena, 10), first);
    beam_arena_restore(&arena, empty);
    assert_int_equal(arena.total, 0);
    beam_arena_free(&arena);
}

static void arena_reset(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_arena_reset(&arena);
    void *first = beam_arena_alloc(&arena, 10);
    for (int i = 0; i < 100; i++)
        assert_non_null(beam_arena_alloc(&arena, 1000));
    beam_arena_reset(&arena);
    assert_ptr_equal(beam_arena_alloc(&arena, 10), first);
    beam_arena_free(&arena);
}

static void arena_limit(void **state)
{
    (void)state;
    beam_arena arena = {.limit = 10000};
    size_t got = 0;
    while (beam_arena_alloc(&arena, 160))
        got += 160;
    assert_true(got <= 10000 && got >= 9000);
    assert_true(arena.total <= 10000);
    beam_arena_free(&arena);
    assert_null(beam_arena_alloc(&arena, 10001));
    assert_non_null(beam_arena_alloc(&arena, 9984));
    beam_arena_free(&arena);
}

static void arena_without_memory(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_alloc_fail_at(1, 1);
    void *raw = beam_arena_alloc(&arena, 1), *zeroed = beam_arena_calloc(&arena, 1, 1);
    char *text = beam_arena_strdup(&arena, "a"), *printed = beam_arena_printf(&arena, "a");
    beam_alloc_fail_at(0, 0);
    assert_true(!raw && !zeroed && !text && !printed);
    beam_arena_free(&arena);
}

/* ---- Buffers -------------------------------------------------------------------------- */

static void buffer_forms(void **state)
{
    (void)state;
    beam_buffer b = {0};
    assert_int_equal(beam_buffer_u8(&b, 7), BEAM_OK);
    assert_int_equal(beam_buffer_be32(&b, 0x01020304), BEAM_OK);
    assert_int_equal(beam_buffer_be64(&b, 0x0102030405060708), BEAM_OK);
    assert_int_equal(beam_buffer_varint(&b, 300), BEAM_OK);
    assert_int_equal(beam_buffer_printf(&b, "%d", 42), BEAM_OK);
    assert_int_equal(beam_buffer_append(&b, NULL, 0), BEAM_OK);
    static const char expected[] = "\7\1\2\3\4\1\2\3\4\5\6\7\x08\xac\x02"
                                   "42";
    assert_int_equal(b.len, sizeof expected - 1);
    assert_memory_equal(b.data, expected, b.len);

    beam_reader in = beam_reader_of(b.data, b.len);
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;
    const uint8_t *rest;
    assert_int_equal(beam_read_u8(&in, &u8), BEAM_OK);
    assert_int_equal(beam_read_be32(&in, &u32), BEAM_OK);
    assert_int_equal(u32, 0x01020304);
    assert_int_equal(beam_read_be64(&in, &u64), BEAM_OK);
    assert_int_equal(u64, 0x0102030405060708);
    assert_int_equal(beam_read_varint(&in, &u64), BEAM_OK);
    assert_int_equal(u64, 300);
    assert_int_equal(beam_read_bytes(&in, 3, &rest), BEAM_OUT_OF_RANGE);
    assert_int_equal(beam_read_bytes(&in, 2, &rest), BEAM_OK);
    assert_memory_equal(rest, "42", 2);
    assert_int_equal(beam_read_u8(&in, &u8), BEAM_OUT_OF_RANGE);
    assert_int_equal(beam_read_be32(&in, &u32), BEAM_OUT_OF_RANGE);
    assert_int_equal(beam_read_be64(&in, &u64), BEAM_OUT_OF_RANGE);
    assert_int_equal(beam_read_varint(&in, &u64), BEAM_OUT_OF_RANGE);
    beam_buffer_free(&b);
    in = beam_reader_of(NULL, 0);
    assert_int_equal(beam_read_bytes(&in, 0, &rest), BEAM_OK);
}

static void varints(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        const uint64_t values[] = {UINT64_C(1) << shift, (UINT64_C(1) << shift) - 1,
                                   ~(UINT64_C(1) << shift)};
        for (size_t i = 0; i < 3; i++) {
            beam_buffer b = {0};
            uint64_t back;
            assert_int_equal(beam_buffer_varint(&b, values[i]), BEAM_OK);
            beam_reader in = beam_reader_of(b.data, b.len);
            assert_int_equal(beam_read_varint(&in, &back), BEAM_OK);
            assert_true(back == values[i] && in.at == in.end);
            in = beam_reader_of(b.data, b.len - 1);
            assert_int_equal(beam_read_varint(&in, &back), BEAM_OUT_OF_RANGE);
            assert_ptr_equal(in.at, b.data);
            beam_buffer_free(&b);
        }
    }
    static const char *const too_long[] = {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                                           "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t value;
        beam_reader in = beam_reader_of(too_long[i], strlen(too_long[i]));
        assert_int_equal(beam_read_varint(&in, &value), BEAM_DATA_LOSS);
    }
}

static void buffer_without_memory(void **state)
{
    (void)state;
    beam_buffer b = {0};
    assert_int_equal(beam_buffer_append(&b, "abc", 3), BEAM_OK);
    beam_alloc_fail_at(1, 1);
    beam_status status = beam_buffer_reserve(&b, b.capacity);
    beam_alloc_fail_at(0, 0);
    assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    assert_memory_equal(b.data, "abc", 3);
    assert_int_equal(beam_buffer_reserve(&b, SIZE_MAX), BEAM_RESOURCE_EXHAUSTED);
    beam_buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_allocations_fail),
        cmocka_unit_test(allocation_helpers),
        cmocka_unit_test(growing),
        cmocka_unit_test(arena_memory),
        cmocka_unit_test(arena_text),
        cmocka_unit_test(arena_marks),
        cmocka_unit_test(arena_reset),
        cmocka_unit_test(arena_limit),
        cmocka_unit_test(arena_without_memory),
        cmocka_unit_test(buffer_forms),
        cmocka_unit_test(varints),
        cmocka_unit_test(buffer_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
