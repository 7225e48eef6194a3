/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The shuffle's runs: groups that went to files, and come back. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "direct/shuffle_test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED 0 /* they take memory of their own */
#else
#define MEASURED 1
#endif

static void ints_spilled(void **state)
{
    (void)state;
    group_ints(300000, 10, 3, 1000, 400000);
    group_ints(300000, 1000, 3, 1000, 400000);
    group_ints(300000, 50000, 3, 1000, 1000000);
    group_ints(100000, 100000, 20, 100, 500000);
}

/* ---- Flat values larger than what is read of a run at once --------------------------------- */

#define TEN(FIELD, S, T) \
    FIELD(S, T, a)       \
    FIELD(S, T, b)       \
    FIELD(S, T, c)       \
    FIELD(S, T, d)       \
    FIELD(S, T, e) FIELD(S, T, f) FIELD(S, T, g) FIELD(S, T, h) FIELD(S, T, i) FIELD(S, T, j)
#define TEN_INTS(FIELD, S) TEN(FIELD, S, beam_int64)
BEAM_STRUCT(ten, TEN_INTS);
#define HUNDRED(FIELD, S) TEN(FIELD, S, ten)
BEAM_STRUCT(hundred, HUNDRED);
#define THOUSAND(FIELD, S) TEN(FIELD, S, hundred)
BEAM_STRUCT(thousand, THOUSAND);
#define TEN_THOUSAND(FIELD, S) TEN(FIELD, S, thousand)
BEAM_STRUCT(large, TEN_THOUSAND);
BEAM_KV(int_large, beam_int64, large);
BEAM_GROUPED(int_larges, beam_int64, large);

static void large_flat_values(void **state)
{
    (void)state;
    enum { N = 20 }; /* a run each; some are merged */
    beam_memory_budget budget = {.limit = 1};
    beam_shuffle *shuffle = open_shuffle(&int_large_type, (beam_windowing){0}, &budget);
    beam_shuffle_writer *writer = begin(shuffle);
    int_large *element = calloc(1, sizeof *element);
    assert_non_null(element);
    for (int64_t i = 0; i < N; i++) {
        element->value.a.a.a.a = element->value.j.j.j.j = i;
        assert_int_equal(beam_shuffle_write(writer, &test_global_info, element, 1), BEAM_OK);
    }
    free(element);
    assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
    beam_shuffle_reader *reader = read_all(shuffle);
    one_group group = {0};
    assert_int_equal(next_group(reader, sizeof(int_larges), &group), BEAM_OK);
    beam_iter it = beam_iterate(&((const int_larges *)(const void *)group.element)->values, large);
    int64_t n = 0, sum = 0;
    for (const large *v; (v = beam_next(&it, large)); n++) {
        assert_int_equal(v->a.a.a.a, v->j.j.j.j);
        sum += v->j.j.j.j;
    }
    assert_int_equal(it.status, BEAM_OK);
    assert_int_equal(n, N);
    assert_int_equal(sum, N * (N - 1) / 2);
    close_both(reader, shuffle);
}

/* ---- Files and memory -------------------------------------------------------------------- */

/* Of the process; the one that counts is among them. */
static int open_files(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* However many runs there are: those of a writer that gives up are written over or left. */
static void a_file_holds_many_runs(void **state)
{
    (void)state;
    enum { N = 200000, KEYS = 500 };
    beam_memory_budget budget = {.limit = 100000};
    int before = open_files();
    beam_shuffle *shuffle = open_shuffle(&int_int_type, (beam_windowing){0}, &budget);
    write_ints(shuffle, 0, N / 2, KEYS, 64);
    beam_shuffle_writer *writer = begin(shuffle);
    for (int64_t x = 0; x < N; x++) {
        int_int e = {x % KEYS, -x};
        assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_OK);
    }
    beam_shuffle_abort(writer);
    write_ints(shuffle, N / 2, N, KEYS, 64);
    assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
    assert_true(beam_shuffle_get_stats(shuffle).runs > 20);
    assert_int_equal(open_files(), before + 1);
    check_ints(shuffle, N, KEYS);
    beam_shuffle_close(shuffle);
    assert_int_equal(open_files(), before);
}

static long peak_kilobytes(void)
{
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return used.ru_maxrss;
}

/* As by one loop within another: what a reading takes is given back when it is at its end. */
static void readings_of_a_group_leave_nothing(void **state)
{
    (void)state;
    enum { VALUES = 10000, READINGS = 2000, MOST = 16 << 10 };
    beam_memory_budget budget = {.limit = 100000};
    beam_shuffle *shuffle = open_shuffle(&int_int_type, (beam_windowing){0}, &budget);
    write_ints(shuffle, 0, VALUES, 1, 64);
    beam_shuffle_reader *reader = read_all(shuffle);
    one_group group = {0};
    assert_int_equal(next_group(reader, sizeof(int_ints), &group), BEAM_OK);
    long before = peak_kilobytes();
    for (int i = 0; i < READINGS; i++) {
        beam_iter it =
            beam_iterate(&((const int_ints *)(const void *)group.element)->values, beam_int64);
        uint64_t n = 0;
        while (beam_next(&it, beam_int64))
            n++;
        assert_int_equal(n, VALUES);
    }
    if (MEASURED)
        assert_in_range(peak_kilobytes() - before, 0, MOST);
    close_both(reader, shuffle);
}

/* What weighs nothing gets no work item, so a small value beside a large one must weigh something
 * in a run too. */
static void whatever_is_there_weighs_something(void **state)
{
    (void)state;
    static const char text[100000];
    for (int spill = 0; spill < 2; spill++) {
        beam_memory_budget budget = {.limit = spill ? 50000 : 0};
        beam_shuffle *shuffle = open_shuffle(&str_str_type, (beam_windowing){0}, &budget);
        beam_shuffle_writer *writer = begin(shuffle);
        for (int i = 0; i < 50; i++) {
            char key[16];
            int len = snprintf(key, sizeof key, "%d", i);
            str_str e = {{key, (size_t)len}, {text, i == 49 ? sizeof text : 10}};
            assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_OK);
        }
        assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
        beam_shuffle_reader *reader = read_all(shuffle);
        for (uint32_t p = 0; p < BEAM_SHUFFLE_PARTITIONS; p++) {
            beam_shuffle_groups groups;
            beam_shuffle_reader_restart(reader, p, p + 1);
            assert_int_equal(beam_shuffle_weight(shuffle, p, p + 1) > 0,
                             beam_shuffle_next(reader, &groups, NULL) == BEAM_OK);
        }
        close_both(reader, shuffle);
    }
}

static void no_temp_folder(void **state)
{
    (void)state;
    beam_memory_budget budget = {.limit = 1};
    beam_shuffle_options options = {
        .element = &int_int_type, .budget = &budget, .temp_dir = "/no/such/folder", .threads = 1};
    beam_shuffle *shuffle;
    assert_int_equal(beam_shuffle_open(&options, &shuffle, NULL), BEAM_OK);
    beam_shuffle_writer *writer = begin(shuffle);
    int_int e = {1, 2};
    assert_int_equal(beam_shuffle_write(writer, &test_global_info, &e, 1), BEAM_UNAVAILABLE);
    assert_non_null(strstr(beam_shuffle_writer_error(writer), "/no/such/folder"));
    beam_shuffle_abort(writer);
    beam_shuffle_close(shuffle);
}

/* ---- Merging ----------------------------------------------------------------------------- */

/* 15 of each level, and of three levels: 16 are merged at least. */
enum { MOST_RUNS = 45 };

/* A budget that makes a run of each write leaves few runs all the same. */
static void many_runs_become_few(void **state)
{
    (void)state;
    enum { N = 8000, KEYS = 700 };
    beam_memory_budget budget = {.limit = 1};
    beam_shuffle *shuffle = open_shuffle(&int_int_type, (beam_windowing){0}, &budget);
    for (int64_t x = 0; x < N; x += N / 8) /* within bundles, and from one to the next */
        write_ints(shuffle, x, x + N / 8, KEYS, x < N / 2 ? 5 : 500);
    assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
    beam_shuffle_stats stats = beam_shuffle_get_stats(shuffle);
    assert_in_range(stats.runs, 1, MOST_RUNS);
    assert_int_equal(stats.elements, N);
    check_ints(shuffle, N, KEYS);
    check_ints(shuffle, N, KEYS);
    beam_shuffle_close(shuffle);
    assert_int_equal(atomic_load(&budget.used), 0);
}

/* Values that are encoded in files, each with its window and timestamp. */
static void merged_sessions(void **state)
{
    (void)state;
    enum { N = 300, KEYS = 7 };
    beam_memory_budget budget = {.limit = 1};
    beam_windowing windowing = beam_sessions(10);
    windowing.timestamp_combiner = BEAM_LATEST;
    beam_shuffle *shuffle = open_shuffle(&str_str_type, windowing, &budget);
    beam_shuffle_writer *writer = begin(shuffle);
    for (int64_t i = 0; i < N; i++) {
        char key[16], value[16];
        int key_len = snprintf(key, sizeof key, "%0*d", 1 + (int)(i % KEYS), (int)(i % KEYS));
        int value_len = snprintf(value, sizeof value, "%d", (int)i);
        beam_window window = {i, i + 10};
        beam_element_info info = {.timestamp = i, .windows = &window, .n_windows = 1};
        str_str e = {{key, (size_t)key_len}, {value, (size_t)value_len}};
        assert_int_equal(beam_shuffle_write(writer, &info, &e, 1), BEAM_OK);
    }
    assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
    beam_shuffle_reader *reader = read_all(shuffle);
    assert_in_range(beam_shuffle_get_stats(shuffle).runs, 1, MOST_RUNS);
    one_group group = {0};
    int groups = 0, sum = 0;
    for (; next_group(reader, sizeof(str_strs), &group) == BEAM_OK; groups++) {
        const str_strs *g = (const void *)group.element;
        const int k = (int)g->key.len - 1, last = (N - 1 - k) / KEYS * KEYS + k;
        assert_int_equal(group.info.windows[0].start, k);
        assert_int_equal(group.info.windows[0].end, last + 10);
        assert_int_equal(group.info.timestamp, last);
        beam_iter it = beam_iterate(&g->values, beam_str);
        for (const beam_str *v; (v = beam_next(&it, beam_str));) {
            char text[16];
            snprintf(text, sizeof text, "%.*s", (int)v->len, v->at);
            assert_int_equal(atoi(text) % KEYS, k);
            sum += atoi(text);
        }
        assert_int_equal(it.status, BEAM_OK);
    }
    assert_int_equal(groups, KEYS);
    assert_int_equal(sum, N * (N - 1) / 2);
    close_both(reader, shuffle);
}

enum { WRITERS = 4, WRITTEN = 4000, BUNDLES = 8 }; /* elements of each bundle */

typedef struct writing {
    beam_shuffle *shuffle;
    int64_t from;
    pthread_t thread;
} writing;

static void *write_bundles(void *user)
{
    const writing *w = user;
    for (int64_t b = 0; b < BUNDLES; b++)
        write_ints(w->shuffle, w->from + b * WRITTEN, w->from + (b + 1) * WRITTEN, 1000, 100);
    return NULL;
}

/* Each merges what all have committed. */
static void threads_merge(void **state)
{
    (void)state;
    beam_memory_budget budget = {.limit = 100000};
    beam_shuffle_options options = {
        .element = &int_int_type, .budget = &budget, .temp_dir = "/tmp", .threads = WRITERS};
    beam_shuffle *shuffle;
    assert_int_equal(beam_shuffle_open(&options, &shuffle, NULL), BEAM_OK);
    writing writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writing){shuffle, (int64_t)i * BUNDLES * WRITTEN, 0};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_bundles, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
    assert_in_range(beam_shuffle_get_stats(shuffle).runs, 1, MOST_RUNS);
    check_ints(shuffle, WRITERS * BUNDLES * WRITTEN, 1000);
    beam_shuffle_close(shuffle);
    assert_int_equal(atomic_load(&budget.used), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints_spilled),
        cmocka_unit_test(large_flat_values),
        cmocka_unit_test(a_file_holds_many_runs),
        cmocka_unit_test(readings_of_a_group_leave_nothing),
        cmocka_unit_test(whatever_is_there_weighs_something),
        cmocka_unit_test(no_temp_folder),
        cmocka_unit_test(many_runs_become_few),
        cmocka_unit_test(merged_sessions),
        cmocka_unit_test(threads_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
