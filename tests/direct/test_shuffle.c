/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The shuffle against a plain model of itself: what goes in comes out once, grouped by encoded
 * key and window, in memory and from runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "direct/shuffle_test.h"
#include "support/shortage.h"

BEAM_KV(str_int, beam_str, beam_int64);
BEAM_GROUPED(str_ints, beam_str, beam_int64);
BEAM_KV(double_int, beam_double, beam_int64);
BEAM_GROUPED(double_ints, beam_double, beam_int64);
#define PADDED(FIELD, S) \
    FIELD(S, beam_byte, small) FIELD(S, beam_int64, large) FIELD(S, beam_bool, flag)
BEAM_STRUCT(padded, PADDED);
BEAM_KV(padded_int, padded, beam_int64);
BEAM_GROUPED(padded_ints, padded, beam_int64);

/* ---- Integers: every sum and count, few keys and many, in memory and spilled ------------ */

static void ints_in_memory(void **state)
{
    (void)state;
    group_ints(0, 10, 1, 16, 0);
    group_ints(1, 10, 1, 1, 0);
    group_ints(50000, 10, 1, 1, 0);
    group_ints(50000, 10, 7, 1000, 0);
    group_ints(100000, 1000, 3, 1024, 0);
    group_ints(100000, 30000, 3, 1024, 0); /* starts with chunk lists, ends with partitions */
    group_ints(100000, 100000, 2, 33, 0);
}

/* ---- Text and other shapes of keys ------------------------------------------------------- */

static void group_strings(uint64_t limit)
{
    enum { KEYS = 12000, VALUES = 5 };
    beam_memory_budget budget = {.limit = limit};
    beam_shuffle *shuffle = open_shuffle(&str_str_type, (beam_windowing){0}, &budget);
    for (int v = 0; v < VALUES; v++) {
        beam_shuffle_writer *writer = begin(shuffle);
        for (int k = 0; k < KEYS; k++) {
            char key[32], value[64];
            int key_len = snprintf(key, sizeof key, "key-%d", k);
            int value_len = snprintf(value, sizeof value, "%d/%d", k, v);
            str_str e = {{key, (size_t)key_len}, {value, (size_t)value_len}};
            assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_OK);
            memset(key, '?', sizeof key); /* the writer has its own copy */
            memset(value, '?', sizeof value);
        }
        assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
    }
    assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
    assert_int_equal(beam_shuffle_get_stats(shuffle).runs > 0, limit > 0);
    beam_shuffle_reader *reader;
    assert_int_equal(beam_shuffle_read(shuffle, 0, BEAM_SHUFFLE_PARTITIONS, &reader, NULL),
                     BEAM_OK);
    one_group group = {0};
    int groups = 0;
    while (next_group(reader, sizeof(str_strs), &group) == BEAM_OK) {
        const str_strs *g = (const void *)group.element;
        beam_iter it = beam_iterate(&g->values, beam_str);
        const beam_str *s;
        unsigned seen = 0;
        while ((s = beam_next(&it, beam_str))) {
            char text[64];
            snprintf(text, sizeof text, "%.*s", (int)s->len, s->at);
            int k, v;
            assert_int_equal(sscanf(text, "%d/%d", &k, &v), 2);
            char key[32];
            int key_len = snprintf(key, sizeof key, "key-%d", k);
            assert_true(beam_str_equal(g->key, (beam_str){key, (size_t)key_len}));
            seen |= 1u << v;
        }
        assert_int_equal(it.status, BEAM_OK);
        assert_int_equal(seen, (1u << VALUES) - 1);
        groups++;
    }
    assert_int_equal(groups, KEYS);
    close_both(reader, shuffle);
}

static void strings(void **state)
{
    (void)state;
    group_strings(0);
    group_strings(1000000);
}

/* Groups of doubles: -0.0 and 0.0 are two keys, each NaN is the one its bits say. */
static void doubles_by_bits(void **state)
{
    (void)state;
    const double keys[] = {0.0, -0.0, (double)NAN, -(double)NAN, 1.5};
    for (int spill = 0; spill < 2; spill++) {
        beam_memory_budget budget = {.limit = spill ? 1 : 0};
        beam_shuffle *shuffle = open_shuffle(&double_int_type, (beam_windowing){0}, &budget);
        beam_shuffle_writer *writer = begin(shuffle);
        for (int64_t i = 0; i < 50; i++) {
            double_int e = {keys[i % 5], i % 5};
            assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_OK);
        }
        assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
        beam_shuffle_reader *reader = read_all(shuffle);
        one_group group = {0};
        int groups = 0;
        for (; next_group(reader, sizeof(double_ints), &group) == BEAM_OK; groups++) {
            const double_ints *g = (const void *)group.element;
            beam_iter it = beam_iterate(&g->values, beam_int64);
            const beam_int64 *v;
            int count = 0;
            for (; (v = beam_next(&it, beam_int64)); count++)
                assert_memory_equal(&g->key, &keys[*v], sizeof g->key);
            assert_int_equal(count, 10);
        }
        assert_int_equal(groups, 5);
        close_both(reader, shuffle);
    }
}

static void padding_is_no_key(void **state)
{
    (void)state;
    for (int spill = 0; spill < 2; spill++) {
        beam_memory_budget budget = {.limit = spill ? 1 : 0};
        beam_shuffle *shuffle = open_shuffle(&padded_int_type, (beam_windowing){0}, &budget);
        beam_shuffle_writer *writer = begin(shuffle);
        for (int64_t i = 0; i < 60; i++) {
            padded_int e;
            memset(&e, (int)i, sizeof e); /* another padding each time */
            e.key.small = (beam_byte)(i % 3);
            e.key.large = 7;
            e.key.flag = false;
            e.value = i;
            assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_OK);
        }
        assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
        beam_shuffle_reader *reader = read_all(shuffle);
        one_group group = {0};
        int groups = 0;
        for (; next_group(reader, sizeof(padded_ints), &group) == BEAM_OK; groups++) {
            const padded_ints *g = (const void *)group.element;
            assert_int_equal(g->values.len, 20);
            assert_int_equal(g->key.large, 7);
        }
        assert_int_equal(groups, 3);
        close_both(reader, shuffle);
    }
}

/* ---- Windows ---------------------------------------------------------------------------- */

static void fixed_windows(void **state)
{
    (void)state;
    for (int spill = 0; spill < 2; spill++) {
        beam_memory_budget budget = {.limit = spill ? 1 : 0};
        beam_windowing windowing = beam_fixed_windows(10);
        windowing.timestamp_combiner = BEAM_EARLIEST;
        beam_shuffle *shuffle = open_shuffle(&int_int_type, windowing, &budget);
        beam_shuffle_writer *writer = begin(shuffle);
        for (int64_t t = 99; t >= 0; t--) {
            beam_window window = {t / 10 * 10, t / 10 * 10 + 10};
            beam_element_info info = {.timestamp = t, .windows = &window, .n_windows = 1};
            int_int e = {t % 2, t};
            assert_int_equal(beam_shuffle_write(writer, &info, &e, 1), BEAM_OK);
        }
        assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
        beam_shuffle_reader *reader = read_all(shuffle);
        one_group group = {0};
        int groups = 0;
        for (; next_group(reader, sizeof(int_ints), &group) == BEAM_OK; groups++) {
            const int_ints *g = (const void *)group.element;
            beam_window window = group.info.windows[0];
            assert_int_equal(window.end, window.start + 10);
            assert_int_equal(group.info.timestamp, window.start + g->key);
            beam_iter it = beam_iterate(&g->values, beam_int64);
            const beam_int64 *v;
            int count = 0;
            for (; (v = beam_next(&it, beam_int64)); count++) {
                assert_in_range(*v, window.start, window.end - 1);
                assert_int_equal(*v % 2, g->key);
            }
            assert_int_equal(count, 5);
        }
        assert_int_equal(groups, 20);
        close_both(reader, shuffle);
    }
}

static void session_windows(void **state)
{
    (void)state;
    const int64_t times[] = {1, 5, 12, 100, 109, 200}; /* gap 10: {1,5,12} {100,109} {200} */
    for (int spill = 0; spill < 2; spill++) {
        beam_memory_budget budget = {.limit = spill ? 1 : 0};
        beam_shuffle *shuffle = open_shuffle(&str_str_type, beam_sessions(10), &budget);
        for (int i = 5; i >= 0; i--) {
            beam_shuffle_writer *writer = begin(shuffle);
            beam_window window = {times[i], times[i] + 10};
            beam_element_info info = {.timestamp = times[i], .windows = &window, .n_windows = 1};
            str_str e = {beam_str_of("k"), beam_str_of("value")};
            assert_int_equal(beam_shuffle_write(writer, &info, &e, 1), BEAM_OK);
            e.key = beam_str_of("other");
            assert_int_equal(beam_shuffle_write(writer, &info, &e, 1), BEAM_OK);
            assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
        }
        beam_shuffle_reader *reader = read_all(shuffle);
        const struct {
            beam_window window;
            uint64_t values;
        } want[] = {{{1, 22}, 3}, {{100, 119}, 2}, {{200, 210}, 1}};
        one_group group = {0};
        int groups = 0;
        for (; next_group(reader, sizeof(str_strs), &group) == BEAM_OK; groups++) {
            const str_strs *g = (const void *)group.element;
            assert_memory_equal(&group.info.windows[0], &want[groups % 3].window,
                                sizeof(beam_window));
            assert_int_equal(group.info.timestamp, want[groups % 3].window.end - 1);
            uint64_t count = 0;
            for (int reading = 0; reading < 2; reading++) {
                beam_iter it = beam_iterate(&g->values, beam_str);
                const beam_str *v;
                for (; (v = beam_next(&it, beam_str)); count++)
                    assert_true(beam_str_equal(*v, beam_str_of("value")));
            }
            assert_int_equal(count, 2 * want[groups % 3].values);
        }
        assert_int_equal(groups, 6);
        close_both(reader, shuffle);
    }
}

/* ---- Merged values ----------------------------------------------------------------------- */

typedef struct adder {
    uint64_t merged;
    uint64_t fails_after;
} adder;

static beam_status add_up(void *self, void *const *values, const void *others, size_t stride,
                          size_t n)
{
    adder *m = self;
    const char *other = others;
    for (size_t i = 0; i < n; i++, other += stride) {
        *(int64_t *)values[i] += *(const int64_t *)(const void *)other;
        if (++m->merged == m->fails_after)
            return BEAM_DATA_LOSS;
    }
    return BEAM_OK;
}

enum { MERGED_KEYS = 20000, MERGED_ROUNDS = 5 };

/* A bundle a round, each with every key: the first keys of the first round are in chunk lists, all
 * else in partitions.  As texts keys have all lengths up to 24, so that some lie in the partitions'
 * records and some beside them. */
static beam_shuffle *open_merged(const beam_type *element, beam_memory_budget *budget)
{
    beam_shuffle *shuffle = open_shuffle(element, (beam_windowing){0}, budget);
    for (int64_t round = 0; round < MERGED_ROUNDS; round++) {
        beam_shuffle_writer *writer = begin(shuffle);
        for (int64_t key = 0; key < MERGED_KEYS; key++) {
            char text[32];
            int len = snprintf(text, sizeof text, "%0*d", (int)(key % 25), (int)key);
            const int_int number = {key, key + round};
            const str_int string = {{text, (size_t)len}, key + round};
            const void *it = element == &str_int_type ? (const void *)&string : &number;
            assert_int_equal(beam_shuffle_write(writer, &test_global_info, it, 1), BEAM_OK);
        }
        assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
    }
    return shuffle;
}

/* The sum of a group's values, of which there are fewer than were written. */
static int64_t merged_sum(const beam_iterable *values)
{
    int64_t sum = 0;
    assert_in_range(values->len, 1, 2); /* of a chunk list, of a partition */
    beam_iter it = beam_iterate(values, beam_int64);
    const beam_int64 *v;
    while ((v = beam_next(&it, beam_int64)))
        sum += *v;
    assert_int_equal(it.status, BEAM_OK);
    return sum;
}

static int64_t sum_for(int64_t key)
{
    return MERGED_ROUNDS * key + MERGED_ROUNDS * (MERGED_ROUNDS - 1) / 2;
}

static void numbers_are_merged(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    adder sum = {0, 0};
    beam_shuffle *shuffle = open_merged(&int_int_type, &budget);
    beam_shuffle_reader *reader = read_all(shuffle);
    beam_shuffle_reader_merge(reader, (beam_shuffle_merger){add_up, &sum});
    one_group group = {0};
    int groups = 0;
    for (; next_group(reader, sizeof(int_ints), &group) == BEAM_OK; groups++) {
        const int_ints *g = (const void *)group.element;
        assert_int_equal(merged_sum(&g->values), sum_for(g->key));
    }
    assert_int_equal(groups, MERGED_KEYS);
    assert_true(sum.merged > 0);
    close_both(reader, shuffle);
}

static void strings_are_merged(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    adder sum = {0, 0};
    beam_shuffle *shuffle = open_merged(&str_int_type, &budget);
    beam_shuffle_reader *reader = read_all(shuffle);
    beam_shuffle_reader_merge(reader, (beam_shuffle_merger){add_up, &sum});
    one_group group = {0};
    int groups = 0;
    for (; next_group(reader, sizeof(str_ints), &group) == BEAM_OK; groups++) {
        const str_ints *g = (const void *)group.element;
        char text[32];
        snprintf(text, sizeof text, "%.*s", (int)g->key.len, g->key.at);
        assert_int_equal(merged_sum(&g->values), sum_for(atoi(text)));
    }
    assert_int_equal(groups, MERGED_KEYS);
    assert_true(sum.merged > 0);
    close_both(reader, shuffle);
}

/* Values with a timestamp each stay as they are. */
static void kept_timestamps_are_not_merged(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    adder sum = {0, 0};
    beam_windowing windowing = {.timestamp_combiner = BEAM_EARLIEST};
    beam_shuffle *shuffle = open_shuffle(&int_int_type, windowing, &budget);
    write_ints(shuffle, 0, 60000, 20000, 1000);
    beam_shuffle_reader *reader = read_all(shuffle);
    beam_shuffle_reader_merge(reader, (beam_shuffle_merger){add_up, &sum});
    assert_int_equal(count_values(reader), 60000);
    assert_int_equal(sum.merged, 0);
    close_both(reader, shuffle);
}

static void a_failed_merge_fails_the_reader(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    adder sum = {0, 1000};
    beam_shuffle *shuffle = open_merged(&int_int_type, &budget);
    beam_shuffle_reader *reader = read_all(shuffle);
    beam_shuffle_reader_merge(reader, (beam_shuffle_merger){add_up, &sum});
    one_group group = {0};
    beam_status status;
    while ((status = next_group(reader, sizeof(int_ints), &group)) == BEAM_OK)
        ;
    assert_int_equal(status, BEAM_DATA_LOSS);
    assert_int_equal(sum.merged, 1000);
    close_both(reader, shuffle);
}

/* ---- Failures ---------------------------------------------------------------------------- */

static void aborted_bundles_leave_nothing(void **state)
{
    (void)state;
    for (int spill = 0; spill < 2; spill++) {
        beam_memory_budget budget = {.limit = spill ? 100000 : 0};
        beam_shuffle *shuffle = open_shuffle(&int_int_type, (beam_windowing){0}, &budget);
        write_ints(shuffle, 0, 20000, 100, 64);
        beam_shuffle_writer *writer = begin(shuffle);
        for (int64_t i = 0; i < 50000; i++) {
            int_int e = {i % 700, 1000000};
            assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_OK);
        }
        beam_shuffle_abort(writer);
        write_ints(shuffle, 20000, 40000, 100, 64);
        assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
        assert_int_equal(beam_shuffle_get_stats(shuffle).elements, 40000);
        check_ints(shuffle, 40000, 100);
        beam_shuffle_close(shuffle);
        assert_int_equal(atomic_load(&budget.used), 0);
    }
}

/* Ranges of partitions share the values out; a reader sent elsewhere forgets where it was. */
static void readers_of_ranges(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    beam_shuffle *shuffle = open_shuffle(&int_int_type, (beam_windowing){0}, &budget);
    write_ints(shuffle, 0, 10000, 500, 100);
    beam_shuffle_reader *reader = read_all(shuffle), *rest;
    one_group group = {0};
    for (int i = 0; i < 10; i++)
        assert_int_equal(next_group(reader, sizeof(int_ints), &group), BEAM_OK);
    const uint32_t middle = BEAM_SHUFFLE_PARTITIONS / 2;
    beam_shuffle_reader_restart(reader, 0, middle);
    assert_int_equal(beam_shuffle_read(shuffle, middle, BEAM_SHUFFLE_PARTITIONS, &rest, NULL),
                     BEAM_OK);
    uint64_t upper = count_values(rest);
    assert_int_equal(count_values(reader) + upper, 10000);
    beam_shuffle_reader_restart(reader, middle, BEAM_SHUFFLE_PARTITIONS);
    assert_int_equal(count_values(reader), upper);
    beam_shuffle_reader_close(rest);
    close_both(reader, shuffle);
}

/* Everything once, leaving at the first failure. */
static beam_status small_run(uint64_t limit, int n)
{
    beam_memory_budget budget = {.limit = limit};
    beam_shuffle_options options = {
        .element = &str_str_type, .budget = &budget, .temp_dir = "/tmp", .threads = 1};
    beam_shuffle *shuffle;
    BEAM_TRY(beam_shuffle_open(&options, &shuffle, NULL));
    beam_shuffle_writer *writer;
    beam_shuffle_reader *reader = NULL;
    beam_status status = beam_shuffle_write_begin(shuffle, &writer, NULL);
    if (status == BEAM_OK) {
        for (int i = 0; i < n && status == BEAM_OK; i++) {
            char key[16];
            int len = snprintf(key, sizeof key, "%d", i % 90);
            str_str e = {{key, (size_t)len}, {key, (size_t)len}};
            status = beam_shuffle_write(writer, &test_global_info, &e, 1);
        }
        if (status == BEAM_OK)
            status = beam_shuffle_commit(writer, NULL);
        else
            beam_shuffle_abort(writer);
    }
    if (status == BEAM_OK)
        status = beam_shuffle_seal(shuffle, NULL);
    if (status == BEAM_OK)
        status = beam_shuffle_read(shuffle, 0, BEAM_SHUFFLE_PARTITIONS, &reader, NULL);
    uint64_t values = 0;
    one_group group = {0};
    while (status == BEAM_OK) {
        status = next_group(reader, sizeof(str_strs), &group);
        if (status != BEAM_OK)
            break;
        const str_strs *g = (const void *)group.element;
        beam_iter it = beam_iterate(&g->values, beam_str);
        while (beam_next(&it, beam_str))
            values++; /* a function may forget to look at it.status: what comes next tells */
    }
    close_both(reader, shuffle);
    if (status == BEAM_OUT_OF_RANGE) {
        assert_int_equal(values, n);
        return BEAM_OK;
    }
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    /* In memory; spilled; in so many runs that some are merged. */
    static const struct {
        uint64_t limit;
        int elements;
    } ways[] = {{0, 200}, {20000, 200}, {1, 17}};
    for (size_t way = 0; way < 3; way++)
        for (test_shortage s = {0}; test_shortage_next(&s);)
            test_shortage_ends(&s, small_run(ways[way].limit, ways[way].elements));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints_in_memory),
        cmocka_unit_test(strings),
        cmocka_unit_test(doubles_by_bits),
        cmocka_unit_test(padding_is_no_key),
        cmocka_unit_test(fixed_windows),
        cmocka_unit_test(session_windows),
        cmocka_unit_test(numbers_are_merged),
        cmocka_unit_test(strings_are_merged),
        cmocka_unit_test(kept_timestamps_are_not_merged),
        cmocka_unit_test(a_failed_merge_fails_the_reader),
        cmocka_unit_test(aborted_bundles_leave_nothing),
        cmocka_unit_test(readers_of_ranges),
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
