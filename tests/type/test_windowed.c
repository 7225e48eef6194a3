/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_windowed.c - elements with their windows, panes and timers beyond Beam's examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "type/windowed.h"

static void panes(void **state)
{
    (void)state;
    const struct {
        beam_pane pane;
        size_t len;
    } cases[] = {
        {BEAM_PANE_NO_FIRING, 1},       {{1, true, true, 0, 0}, 1},  {{0, true, false, 0, -1}, 2},
        {{0, false, false, 7, -1}, 2},  {{1, false, true, 7, 7}, 2}, {{2, false, true, 300, 5}, 4},
        {{1, false, false, 1, 200}, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_buffer out = {0};
        beam_pane back;
        assert_int_equal(beam_encode_pane(cases[i].pane, &out), BEAM_OK);
        assert_int_equal(out.len, cases[i].len);
        beam_reader in = beam_reader_of(out.data, out.len);
        assert_int_equal(beam_decode_pane(&in, &back), BEAM_OK);
        assert_int_equal(beam_reader_left(&in), 0);
        assert_int_equal(back.timing, cases[i].pane.timing);
        assert_int_equal(back.is_first, cases[i].pane.is_first);
        assert_int_equal(back.is_last, cases[i].pane.is_last);
        assert_int_equal(back.index, cases[i].pane.index);
        assert_int_equal(back.on_time_index, cases[i].pane.on_time_index);
        for (size_t len = 0; len < out.len; len++) {
            in = beam_reader_of(out.data, len);
            assert_int_equal(beam_decode_pane(&in, &back), BEAM_OUT_OF_RANGE);
            assert_int_equal(beam_reader_left(&in), len);
        }
        beam_buffer_free(&out);
    }
    beam_pane back;
    beam_reader in = beam_reader_of("\x3f", 1); /* a form nobody knows */
    assert_int_equal(beam_decode_pane(&in, &back), BEAM_DATA_LOSS);
}

static void timestamps_sort_as_bytes(void **state)
{
    (void)state;
    static const beam_timestamp times[] = {
        INT64_MIN,          BEAM_MIN_TIMESTAMP, -1, 0, 1, BEAM_GLOBAL_WINDOW_MAX,
        BEAM_MAX_TIMESTAMP, INT64_MAX};
    uint8_t before[8] = {0};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        beam_buffer out = {0};
        beam_timestamp back;
        assert_int_equal(beam_encode_timestamp(times[i], &out), BEAM_OK);
        assert_int_equal(out.len, 8);
        assert_true(i == 0 || memcmp(before, out.data, 8) < 0);
        memcpy(before, out.data, 8);
        beam_reader in = beam_reader_of(out.data, out.len);
        assert_int_equal(beam_decode_timestamp(&in, &back), BEAM_OK);
        assert_int_equal(back, times[i]);
        beam_buffer_free(&out);
    }
}

static void global_elements_need_no_memory(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_buffer out = {0};
    beam_element_info info = beam_info_global(77), back;
    beam_int64 value = 5, got;
    assert_int_equal(beam_encode_windowed(&beam_int64_type, &beam_global_window_type, BEAM_NESTED,
                                          &info, &value, &out, NULL),
                     BEAM_OK);
    beam_reader in = beam_reader_of(out.data, out.len);
    assert_int_equal(beam_decode_windowed(&beam_int64_type, &beam_global_window_type, BEAM_NESTED,
                                          &in, &back, &got, &arena, NULL),
                     BEAM_OK);
    assert_int_equal(arena.total, 0);
    assert_ptr_equal(back.windows, info.windows);
    assert_int_equal(back.timestamp, 77);
    assert_int_equal(got, 5);
    beam_buffer_free(&out);
}

/* What ends early is not damaged: the rest may come behind it. */
static void every_prefix(void **state)
{
    (void)state;
    static const beam_window windows[] = {{0, 10}, {5, 1000}};
    const beam_element_info infos[] = {
        beam_info_global(77),
        {.timestamp = 7, .windows = windows, .n_windows = 1, .pane = BEAM_PANE_NO_FIRING},
        {.timestamp = 7, .windows = windows, .n_windows = 2, .pane = {1, false, false, 1, 200}}};
    for (size_t i = 0; i < sizeof infos / sizeof *infos; i++) {
        const beam_type *window = i ? &beam_window_type : &beam_global_window_type;
        beam_buffer out = {0};
        assert_int_equal(beam_encode_info(window, &infos[i], &out, NULL), BEAM_OK);
        for (size_t len = 0; len < out.len; len++) {
            beam_arena arena = {0};
            beam_element_info back;
            beam_reader in = beam_reader_of(out.data, len);
            assert_int_equal(beam_decode_info(window, &in, &back, &arena, NULL), BEAM_OUT_OF_RANGE);
            assert_int_equal(beam_reader_left(&in), len);
            beam_arena_free(&arena);
        }
        beam_buffer_free(&out);
    }
}

static void foreign_windows(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        size_t len;
    } bad[] = {
        {"\x80\0\0\0\0\0\0\0\0\0\0\0\x0f", 13},         /* in no window */
        {"\x80\0\0\0\0\0\0\0\xff\xff\xff\xff\x0f", 13}, /* in too many */
        {"\x80\0\0\0\0\0\0\0\0\0\0\1\x80\0\0\0", 16},
        {"\x80\0\0\0\0\0\0\0\0\0\0\1\x80\0\0\0\0\0\0\1\1", 21}, /* no pane */
        {"\x80\0\0\0\0\0\0\0\0\0\0", 11},
        {"\x80\0\0\0", 4},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        beam_arena arena = {0};
        beam_element_info info;
        beam_error err = {0};
        beam_reader in = beam_reader_of(bad[i].at, bad[i].len);
        beam_status status = beam_decode_info(&beam_window_type, &in, &info, &arena, &err);
        assert_true(status == BEAM_DATA_LOSS || status == BEAM_OUT_OF_RANGE);
        assert_int_equal(err.code, status);
        assert_int_equal(beam_reader_left(&in), bad[i].len);
        beam_arena_free(&arena);
    }
}

static void prefixed_windows(void **state)
{
    (void)state; /* an engine may put a length in front of windows it does not know */
    beam_arena arena = {0};
    beam_buffer out = {0};
    const beam_type *prefixed;
    const beam_window windows[] = {{0, 10}, {5, 15}};
    const beam_element_info info = {3, windows, 2, BEAM_PANE_NO_FIRING};
    beam_element_info back;
    assert_int_equal(beam_type_make_length_prefix(&arena, &beam_window_type, &prefixed, NULL),
                     BEAM_OK);
    assert_int_equal(beam_encode_info(prefixed, &info, &out, NULL), BEAM_OK);
    beam_reader in = beam_reader_of(out.data, out.len);
    assert_int_equal(beam_decode_info(prefixed, &in, &back, &arena, NULL), BEAM_OK);
    assert_int_equal(back.n_windows, 2);
    assert_memory_equal(back.windows, windows, sizeof windows);
    beam_buffer_free(&out);
    beam_arena_free(&arena);
}

static void timers_without_memory(void **state)
{
    (void)state;
    const beam_window windows[] = {{0, 10}, {5, 15}};
    const beam_timer timer = {.tag = {"tag", 3},
                              .windows = windows,
                              .n_windows = 2,
                              .fire = 9,
                              .hold = 8,
                              .pane = BEAM_PANE_NO_FIRING};
    const beam_str key = {"key", 3};
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        beam_arena arena = {0};
        beam_buffer out = {0};
        beam_timer back;
        beam_str back_key;
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status =
            beam_encode_timer(&beam_str_type, &beam_window_type, &key, &timer, &out, &err);
        beam_reader in = beam_reader_of(out.data, out.len);
        if (status == BEAM_OK)
            status = beam_decode_timer(&beam_str_type, &beam_window_type, &in, &back_key, &back,
                                       &arena, &err);
        failed = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, failed ? BEAM_RESOURCE_EXHAUSTED : BEAM_OK);
        if (!failed) {
            assert_true(back.fire == 9 && back.hold == 8 && !back.clear && back.n_windows == 2);
            assert_int_equal(beam_reader_left(&in), 0);
        }
        beam_buffer_free(&out);
        beam_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panes),
        cmocka_unit_test(timestamps_sort_as_bytes),
        cmocka_unit_test(global_elements_need_no_memory),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(foreign_windows),
        cmocka_unit_test(prefixed_windows),
        cmocka_unit_test(timers_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
