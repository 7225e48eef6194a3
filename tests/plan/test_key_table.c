/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The words that stand for short texts: right wherever the text lies, and never read from a page
 * that the text does not touch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "plan/key_table.h"

static void check_text(const char *at, size_t len)
{
    char expected[BEAM_TABLE_SHORT] = {0}, unpacked[BEAM_TABLE_SHORT];
    memcpy(expected, at, len);
    beam_table_key key = beam_table_text(at, len, 7);
    assert_int_equal(key.len, len);
    assert_int_equal(key.tag, 7);
    assert_memory_equal(&key.a, expected, 8);
    assert_memory_equal(&key.b, expected + 8, 8);
    beam_table_unpack(key.a, key.b, unpacked);
    assert_memory_equal(unpacked, at, len);
}

static void test_short_texts_anywhere(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    for (size_t i = 0; i < page; i++)
        memory[i] = (char)(i * 7 + 1);
    assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
    for (size_t len = 1; len <= BEAM_TABLE_SHORT; len++)
        for (size_t before_end = len; before_end < 3 * BEAM_TABLE_SHORT; before_end++)
            check_text(memory + page - before_end, len);
    assert_int_equal(munmap(memory, 2 * page), 0);
}

static void test_empty_text(void **state)
{
    (void)state;
    beam_table_key key = beam_table_text(NULL, 0, 1);
    assert_int_equal(key.a, 0);
    assert_int_equal(key.b, 0);
    assert_int_equal(key.len, 0);
}

/* Zeros behind a text are no part of it: only the length tells these apart. */
static void test_zeros_count(void **state)
{
    (void)state;
    beam_key_table table;
    beam_table_init(&table, false, 8, 1 << 16);
    bool out_of_memory;
    assert_true(beam_table_reserve(&table, BEAM_TABLE_SHORT + 2, &out_of_memory));
    static const char zeros[BEAM_TABLE_SHORT + 1];
    for (size_t len = 0; len <= BEAM_TABLE_SHORT + 1; len++) {
        beam_table_key key = beam_table_text(zeros, len, 1);
        beam_table_slot *slot = beam_table_find(&table, &key, beam_table_hash(&key, false), false);
        assert_int_equal(slot->tag, 0);
        assert_true(beam_table_take(&table, slot, &key));
        assert_ptr_equal(beam_table_find(&table, &key, beam_table_hash(&key, false), false), slot);
    }
    beam_table_free(&table);
}

static size_t resident_pages(const beam_key_table *table)
{
    static unsigned char pages[4096];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = table->capacity * table->stride;
    assert_in_range(bytes / page, 1, sizeof pages);
    assert_int_equal(mincore(table->slots, bytes, pages), 0);
    size_t n = 0;
    for (size_t i = 0; i < bytes / page; i++)
        n += pages[i] & 1;
    return n;
}

/* Slots that rest take no memory, and are there again; those behind them stay as they are. */
static void test_slots_rest(void **state)
{
    (void)state;
    enum { KEYS = 100000 };
    beam_key_table table;
    beam_table_init(&table, false, 8, 8 << 20);
    bool out_of_memory;
    assert_true(beam_table_reserve(&table, KEYS, &out_of_memory));
    const beam_table_slot *middle = beam_table_at(&table, table.capacity / 2);
    size_t behind = 0;
    for (int i = 0; i < KEYS; i++) {
        char text[BEAM_TABLE_SHORT];
        memcpy(text, &i, sizeof i);
        beam_table_key key = beam_table_text(text, sizeof i, 1);
        uint64_t hash = beam_table_hash(&key, false);
        beam_table_slot *slot = beam_table_find(&table, &key, hash, false);
        assert_true(beam_table_take(&table, slot, &key));
        behind += slot >= middle;
    }
    size_t pages = resident_pages(&table);
    beam_table_rest(&table, middle);
    assert_int_equal(resident_pages(&table), pages / 2);
    for (size_t i = 0; i < table.capacity; i++)
        behind -= beam_table_at(&table, i)->tag != 0;
    assert_int_equal(behind, 0);
    beam_table_rest(&table, beam_table_at(&table, table.capacity));
    assert_int_equal(resident_pages(&table), 0);
    beam_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_texts_anywhere),
        cmocka_unit_test(test_empty_text),
        cmocka_unit_test(test_zeros_count),
        cmocka_unit_test(test_slots_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
