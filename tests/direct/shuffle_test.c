/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_test.c - shuffles written and read by tests. */
#include "direct/shuffle_test.h"

#include <stdlib.h>

static const beam_window global_window = BEAM_GLOBAL_WINDOW;
const beam_element_info test_global_info = {.timestamp = BEAM_MIN_TIMESTAMP,
                                            .windows = &global_window,
                                            .n_windows = 1,
                                            .pane = {3, true, true, 0, 0}};

beam_shuffle *open_shuffle(const beam_type *type, beam_windowing windowing,
                           beam_memory_budget *budget)
{
    beam_shuffle_options options = {.element = type,
                                    .windowing = windowing,
                                    .budget = budget,
                                    .temp_dir = "/tmp",
                                    .threads = 1};
    beam_shuffle *shuffle;
    beam_error err = {0};
    assert_int_equal(beam_shuffle_open(&options, &shuffle, &err), BEAM_OK);
    return shuffle;
}

beam_shuffle_writer *begin(beam_shuffle *shuffle)
{
    beam_shuffle_writer *writer;
    assert_int_equal(beam_shuffle_write_begin(shuffle, &writer, NULL), BEAM_OK);
    return writer;
}

beam_status next_group(beam_shuffle_reader *reader, size_t size, one_group *group)
{
    if (group->left) {
        group->left--;
        group->element += size;
        return BEAM_OK;
    }
    beam_shuffle_groups groups;
    BEAM_TRY(beam_shuffle_next(reader, &groups, NULL));
    assert_true(groups.n >= 1);
    *group = (one_group){groups.elements, groups.info, groups.n - 1};
    return BEAM_OK;
}

beam_shuffle_reader *read_all(beam_shuffle *shuffle)
{
    beam_shuffle_reader *reader;
    assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
    assert_int_equal(beam_shuffle_read(shuffle, 0, BEAM_SHUFFLE_PARTITIONS, &reader, NULL),
                     BEAM_OK);
    return reader;
}

void close_both(beam_shuffle_reader *reader, beam_shuffle *shuffle)
{
    beam_shuffle_reader_close(reader);
    beam_shuffle_close(shuffle);
}

void write_ints(beam_shuffle *shuffle, int64_t from, int64_t to, int64_t keys, size_t batch)
{
    beam_shuffle_writer *writer = begin(shuffle);
    int_int *elements = malloc(batch * sizeof *elements);
    assert_non_null(elements);
    for (int64_t x = from; x < to;) {
        size_t n = 0;
        for (; n < batch && x < to; x++)
            elements[n++] = (int_int){x % keys, x};
        assert_int_equal(beam_shuffle_write(writer, &test_global_info, elements, n), BEAM_OK);
    }
    free(elements);
    assert_int_equal(beam_shuffle_commit(writer, NULL), BEAM_OK);
}

void check_ints(beam_shuffle *shuffle, int64_t n, int64_t keys)
{
    bool *seen = calloc((size_t)keys, sizeof *seen);
    assert_non_null(seen);
    int64_t groups = 0, sum = 0;
    for (uint32_t p = 0; p < BEAM_SHUFFLE_PARTITIONS; p += 256) {
        beam_shuffle_reader *reader;
        assert_int_equal(beam_shuffle_read(shuffle, p, p + 256, &reader, NULL), BEAM_OK);
        one_group group = {0};
        beam_status status;
        while ((status = next_group(reader, sizeof(int_ints), &group)) == BEAM_OK) {
            const int_ints *g = (const void *)group.element;
            assert_in_range(g->key, 0, keys - 1);
            assert_false(seen[g->key]);
            seen[g->key] = true;
            groups++;
            assert_int_equal(group.info.timestamp, BEAM_GLOBAL_WINDOW_MAX);
            for (int reading = 0; reading < 2; reading++) { /* it can be read again */
                beam_iter it = beam_iterate(&g->values, beam_int64);
                const beam_int64 *v;
                uint64_t count = 0;
                while ((v = beam_next(&it, beam_int64))) {
                    assert_int_equal(*v % keys, g->key);
                    sum += reading ? 0 : *v;
                    count++;
                }
                assert_int_equal(it.status, BEAM_OK);
                assert_int_equal(count, g->values.len);
            }
        }
        assert_int_equal(status, BEAM_OUT_OF_RANGE);
        beam_shuffle_reader_close(reader);
    }
    assert_int_equal(groups, keys < n ? keys : n);
    assert_int_equal(sum, n * (n - 1) / 2);
    free(seen);
}

void group_ints(int64_t n, int64_t keys, int writers, size_t batch, uint64_t limit)
{
    beam_memory_budget budget = {.limit = limit};
    beam_shuffle *shuffle = open_shuffle(&int_int_type, (beam_windowing){0}, &budget);
    for (int w = 0; w < writers; w++)
        write_ints(shuffle, n * w / writers, n * (w + 1) / writers, keys, batch);
    assert_int_equal(beam_shuffle_seal(shuffle, NULL), BEAM_OK);
    beam_shuffle_stats stats = beam_shuffle_get_stats(shuffle);
    assert_int_equal(stats.elements, n);
    assert_true(limit ? stats.runs > 0 && stats.bytes == 0 : stats.runs == 0);
    if (!limit)
        assert_int_equal(beam_shuffle_weight(shuffle, 0, BEAM_SHUFFLE_PARTITIONS), n);
    check_ints(shuffle, n, keys);
    check_ints(shuffle, n, keys); /* a retry reads the same */
    beam_shuffle_release(shuffle, 0, 1000);
    beam_shuffle_release(shuffle, 1000, BEAM_SHUFFLE_PARTITIONS);
    beam_shuffle_release(shuffle, 7, 7); /* an item that others took all of */
    assert_int_equal(atomic_load(&budget.used), 0);
    beam_shuffle_close(shuffle);
    assert_int_equal(atomic_load(&budget.used), 0);
}

uint64_t count_values(beam_shuffle_reader *reader)
{
    one_group group = {0};
    uint64_t values = 0;
    while (next_group(reader, sizeof(int_ints), &group) == BEAM_OK)
        values += ((const int_ints *)(const void *)group.element)->values.len;
    return values;
}
