/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Data sets made of images at hand. */
#include "support/files.h"

#include <string.h>

#include <beam/ml.h>

#include "base/alloc.h"

enum { COUNT = 12, PIXELS = 6 };

static const char *const names[] = {"a", "b", "c"};
static const beam_dataset_info info = {.num_classes = 3,
                                       .class_names = names,
                                       .channels = 1,
                                       .height = 2,
                                       .width = 3,
                                       .scale = 1,
                                       .deviation = {1, 1, 1}};

static uint8_t pixels[COUNT][PIXELS];
static beam_labeled_image images[COUNT];

/* In an order of no use: 7, 2, 9, 4, 11, ... */
static beam_iterable scrambled(void)
{
    for (int i = 0; i < COUNT; i++) {
        int64_t id = (7 + 7 * i) % COUNT;
        memset(pixels[i], (int)id, PIXELS);
        images[i] = (beam_labeled_image){id, id % 3, {BEAM_U8, 3, {1, 2, 3}, pixels[i]}};
    }
    return (beam_iterable){NULL, images, COUNT};
}

static void test_sorted_and_split(void **state)
{
    (void)state;
    beam_iterable all = scrambled();
    beam_dataset *train, *test;
    beam_dataset_record record;
    beam_error err = {0};
    assert_ok(beam_dataset_of_images(&all, &info, 5, &train, &test, &err), err);
    memset(pixels, 0xff, sizeof pixels); /* they were copied */
    assert_int_equal(beam_dataset_get_info(train)->count, 9);
    assert_int_equal(beam_dataset_get_info(test)->count, 3);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(beam_dataset_read(test, i, &record), BEAM_OK);
        assert_int_equal(record.pixels[PIXELS - 1], i * 5);
        assert_int_equal(record.label, i * 5 % 3);
    }
    assert_int_equal(beam_dataset_read(train, 8, &record), BEAM_OK);
    assert_int_equal(record.pixels[0], 11);
    assert_int_equal(beam_dataset_read(train, 9, &record), BEAM_OUT_OF_RANGE);
    assert_string_equal(beam_dataset_get_info(train)->class_names[2], "c");
    beam_dataset_close(train);
    beam_dataset_close(test);
}

/* Of pictures in a folder no size is known; those of a group must be of one all the same. */
static void test_size_of_the_first(void **state)
{
    (void)state;
    beam_iterable all = scrambled();
    beam_dataset *train, *test;
    beam_dataset_info any = info;
    beam_error err = {0};
    any.height = any.width = 0;
    assert_ok(beam_dataset_of_images(&all, &any, 5, &train, &test, &err), err);
    assert_int_equal(beam_dataset_get_info(train)->height, 2);
    assert_int_equal(beam_dataset_get_info(test)->width, 3);
    beam_dataset_close(train);
    beam_dataset_close(test);
    images[5].image.shape[2] = 4;
    assert_fails(beam_dataset_of_images(&all, &any, 5, &train, &test, &err), BEAM_INVALID_ARGUMENT,
                 err, "image 6 is not of 1 channels and 3x2 pixels");
}

static void test_refusals(void **state)
{
    (void)state;
    beam_iterable all = scrambled();
    beam_dataset *train, *test;
    beam_error err;
    assert_fails(beam_dataset_of_images(&all, &info, 1, &train, &test, &err), BEAM_INVALID_ARGUMENT,
                 err, "every image");
    images[3].label = 3;
    assert_fails(beam_dataset_of_images(&all, &info, 5, &train, &test, &err), BEAM_INVALID_ARGUMENT,
                 err, "image 4 has label 3, and there are 3 classes");
    images[3].label = 0;
    images[5].image.shape[2] = 4;
    assert_fails(beam_dataset_of_images(&all, &info, 5, &train, &test, &err), BEAM_INVALID_ARGUMENT,
                 err, "image 6 is not of 1 channels and 3x2 pixels");
    all.len = 1;
    assert_fails(beam_dataset_of_images(&all, &info, 5, &train, &test, &err), BEAM_INVALID_ARGUMENT,
                 err, "1 images are too few");
    assert_null(train);
    assert_null(test);

    static const uint8_t record[1 + PIXELS] = {9};
    beam_dataset_info one = info;
    assert_fails(beam_dataset_open_memory(&one, record, &test, &err), BEAM_INVALID_ARGUMENT, err,
                 "need a number");
    one.count = 1;
    assert_fails(beam_dataset_open_memory(&one, record, &test, &err), BEAM_INVALID_ARGUMENT, err,
                 "image 0 has label 9");
    one.deviation[0] = 0; /* left out: pixels would be no numbers, and relus make zeros of those */
    assert_fails(beam_dataset_open_memory(&one, record, &test, &err), BEAM_INVALID_ARGUMENT, err,
                 "no number to feed a network");
    one = (beam_dataset_info){.count = 1, .num_classes = 3, .class_names = info.class_names};
    one.channels = one.height = one.width = 1;
    one.deviation[0] = 1;
    assert_fails(beam_dataset_open_memory(&one, record, &test, &err), BEAM_INVALID_ARGUMENT, err,
                 "(pixel * 0 - 0) / 1");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    for (uint64_t n = 1; status != BEAM_OK; n++) {
        beam_iterable all = scrambled();
        beam_dataset *train, *test;
        beam_alloc_fail_at(n, 1);
        status = beam_dataset_of_images(&all, &info, 5, &train, &test, NULL);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        beam_dataset_close(train);
        beam_dataset_close(test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_and_split), cmocka_unit_test(test_size_of_the_first),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
