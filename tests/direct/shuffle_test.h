/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_test.h - what tests of the shuffle share. */
#ifndef TESTS_DIRECT_SHUFFLE_TEST_H
#define TESTS_DIRECT_SHUFFLE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "direct/shuffle.h"

BEAM_KV(int_int, beam_int64, beam_int64);
BEAM_GROUPED(int_ints, beam_int64, beam_int64);
BEAM_KV(str_str, beam_str, beam_str);
BEAM_GROUPED(str_strs, beam_str, beam_str);

extern const beam_element_info test_global_info; /* in the global window */

/* In /tmp, for one thread. */
beam_shuffle *open_shuffle(const beam_type *type, beam_windowing windowing,
                           beam_memory_budget *budget);
beam_shuffle_writer *begin(beam_shuffle *shuffle);

/* One group after another, out of the arrays that a reader gives; begin with a zeroed one. */
typedef struct one_group {
    const char *element;
    beam_element_info info;
    size_t left; /* in the array, after this one */
} one_group;
beam_status next_group(beam_shuffle_reader *reader, size_t size, one_group *group);

/* A reader of everything, after the last commit. */
beam_shuffle_reader *read_all(beam_shuffle *shuffle);
void close_both(beam_shuffle_reader *reader, beam_shuffle *shuffle);

/* The integers [from, to), each below its remainder, in a bundle; a batch is written at once. */
void write_ints(beam_shuffle *shuffle, int64_t from, int64_t to, int64_t keys, size_t batch);
/* That a sealed shuffle holds [0, n) so. */
void check_ints(beam_shuffle *shuffle, int64_t n, int64_t keys);
/* Both, in some bundles. */
void group_ints(int64_t n, int64_t keys, int writers, size_t batch, uint64_t limit);
/* Values that the reader still has, of integers. */
uint64_t count_values(beam_shuffle_reader *reader);

#endif
