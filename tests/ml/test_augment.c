/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Augmentation: every image is the one it came from, mirrored, moved and with a hole as asked. */
#include "support/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/augment.h"
#include "ml/images.h"

enum { CHANNELS = 3, HEIGHT = 10, WIDTH = 12, PLANE = HEIGHT * WIDTH, PIXELS = CHANNELS * PLANE };

static beam_augment parsed(const char *text)
{
    beam_augment augment;
    beam_error err = {0};
    assert_ok(beam_augment_parse(text, &augment, &err), err);
    return augment;
}

static void test_parse(void **state)
{
    (void)state;
    beam_augment a = parsed("none"), nothing = {0};
    assert_memory_equal(&a, &nothing, sizeof a);
    a = parsed("crop:2,cutout:12,alternating_flip");
    assert_true(a.crop && a.cutout && a.alternate && !a.flip);
    assert_int_equal(a.padding, 2);
    assert_int_equal(a.square, 12);
    a = parsed("window:28");
    assert_true(a.window && !a.crop);
    assert_int_equal(a.side, 28);
    a = parsed("flip,crop");
    assert_true(a.flip && a.crop && !a.cutout && !a.padding);
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "flip,",     ",crop",  "Flip",
                                      "rotate",    "flip:2",    "crop:",  "crop:0",
                                      "crop:-1",   "crop:2x",   "crop 2", "crop:99999999999",
                                      "none,flip", "flip,,crop"};
    beam_augment a;
    beam_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(beam_augment_parse(bad[i], &a, &err), BEAM_INVALID_ARGUMENT, err,
                     "alternating_flip, window, crop and cutout");
    assert_fails(beam_augment_parse("flip,alternating_flip", &a, &err), BEAM_INVALID_ARGUMENT, err,
                 "take one");
}

/* ---- on images ------------------------------------------------------------------------------- */

typedef struct fixture {
    beam_dataset *dataset;
    uint8_t *records;
    const uint8_t *pixels; /* of image 0 */
    float plain[PIXELS];   /* normalised only */
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    beam_error err = {0};
    assert_non_null(f);
    f->dataset = random_images(3, CHANNELS, HEIGHT, WIDTH, 3, &f->records);
    f->pixels = f->records + 1;
    assert_ok(beam_dataset_fill(f->dataset, &(uint64_t){0}, 1, 0, 0, f->plain, NULL, &err), err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    beam_dataset_close(f->dataset);
    free(f->records);
    free(f);
    return 0;
}

static beam_augmenter augmenter(const fixture *f, const char *text, uint64_t seed)
{
    beam_augmenter a;
    beam_error err = {0};
    const beam_augment augment = parsed(text);
    assert_ok(beam_augmenter_init(&a, &augment, beam_dataset_get_info(f->dataset), HEIGHT, WIDTH,
                                  seed, &err),
              err);
    return a;
}

static int mirror(int at, int size)
{
    return at < 0 ? -at : at >= size ? 2 * size - 2 - at : at;
}

/* Whether `image` is the plain one moved and mirrored so. */
static bool is_moved(const float *plain, const float *image, bool flip, int down, int right)
{
    for (int c = 0; c < CHANNELS; c++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                int from = mirror((flip ? WIDTH - 1 - x : x) + right, WIDTH);
                float wanted = plain[c * PLANE + mirror(y + down, HEIGHT) * WIDTH + from];
                if (memcmp(&wanted, &image[c * PLANE + y * WIDTH + x], sizeof wanted) != 0)
                    return false;
            }
    return true;
}

static void test_none(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    beam_augmenter a = augmenter(f, "none", 1);
    for (uint64_t epoch = 0; epoch < 4; epoch++) {
        beam_augmenter_run(&a, epoch, 0, f->pixels, image);
        assert_memory_equal(image, f->plain, sizeof image);
    }
    beam_augmenter_free(&a);
}

static void test_flip(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    int flipped = 0;
    beam_augmenter a = augmenter(f, "flip", 1);
    for (uint64_t epoch = 0; epoch < 100; epoch++) {
        beam_augmenter_run(&a, epoch, 0, f->pixels, image);
        bool flip = is_moved(f->plain, image, true, 0, 0);
        assert_true(flip || is_moved(f->plain, image, false, 0, 0));
        flipped += flip;
    }
    assert_in_range(flipped, 30, 70);
    beam_augmenter_free(&a);
}

static void test_alternating_flip(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    int first = 0;
    beam_augmenter a = augmenter(f, "alternating_flip", 1);
    for (uint64_t index = 0; index < 100; index++) {
        beam_augmenter_run(&a, 0, index, f->pixels, image);
        bool flip = is_moved(f->plain, image, true, 0, 0);
        first += flip;
        for (uint64_t epoch = 1; epoch < 4; epoch++) {
            flip = !flip;
            beam_augmenter_run(&a, epoch, index, f->pixels, image);
            assert_true(is_moved(f->plain, image, flip, 0, 0));
        }
    }
    assert_in_range(first, 30, 70);
    beam_augmenter_free(&a);
}

static void test_crop(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    bool seen[5][5] = {{false}};
    beam_augmenter a = augmenter(f, "crop:2", 1);
    for (uint64_t epoch = 0; epoch < 300; epoch++) {
        bool found = false;
        beam_augmenter_run(&a, epoch, 0, f->pixels, image);
        for (int down = -2; down <= 2; down++)
            for (int right = -2; right <= 2; right++)
                if (is_moved(f->plain, image, false, down, right))
                    found = seen[down + 2][right + 2] = true;
        assert_true(found);
    }
    for (int i = 0; i < 25; i++)
        assert_true(seen[i / 5][i % 5]);
    beam_augmenter_free(&a);
}

/* Whether `image` is the square of `side` of the plain one that begins at (top, left). */
static bool is_window(const float *plain, const float *image, int side, bool flip, int top,
                      int left)
{
    for (int i = 0; i < CHANNELS * side * side; i++) {
        int x = i % side, y = i / side % side, c = i / side / side;
        int from = left + (flip ? side - 1 - x : x);
        float wanted = plain[c * PLANE + mirror(y + top, HEIGHT) * WIDTH + mirror(from, WIDTH)];
        if (memcmp(&wanted, &image[i], sizeof wanted) != 0)
            return false;
    }
    return true;
}

/* Every place is taken, and with a crop also those that begin outside. */
static void test_window(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    for (int by = 0; by < 2; by++) {
        enum { SIDE = 8 };
        bool seen[5][7] = {{false}};
        int found = 0;
        beam_augmenter a = augmenter(f, by ? "flip,window:8,crop:1" : "flip,window:8", 1);
        assert_int_equal(a.out_height, SIDE);
        assert_int_equal(a.out_width, SIDE);
        for (uint64_t epoch = 0; epoch < 600; epoch++) {
            int places = 0;
            beam_augmenter_run(&a, epoch, 0, f->pixels, image);
            for (int i = 0; i < 70; i++) {
                int down = i / 2 / 7, right = i / 2 % 7;
                if (!is_window(f->plain, image, SIDE, i & 1, down - 1, right - 1))
                    continue;
                places++;
                found += !seen[down][right];
                seen[down][right] = true;
            }
            assert_int_equal(places, 1);
        }
        assert_int_equal(found, by ? 35 : 15);
        beam_augmenter_free(&a);
    }
    beam_augmenter a = augmenter(f, "window", 1);
    assert_int_equal(a.out_height, 9); /* of 10, seven eighths */
    beam_augmenter_free(&a);
}

/* All of it at once is nothing but its parts. */
static void test_flip_and_crop(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    beam_augmenter a = augmenter(f, "flip,crop", 7);
    assert_int_equal(a.augment.padding, 1);
    for (uint64_t epoch = 0; epoch < 50; epoch++) {
        bool found = false;
        beam_augmenter_run(&a, epoch, 0, f->pixels, image);
        for (int i = 0; i < 18 && !found; i++)
            found = is_moved(f->plain, image, i & 1, i / 2 % 3 - 1, i / 6 - 1);
        assert_true(found);
    }
    beam_augmenter_free(&a);
}

static void test_cutout(void **state)
{
    const fixture *f = *state;
    float image[PIXELS];
    enum { SIDE = 4 };
    bool corner = false, far_corner = false;
    beam_augmenter a = augmenter(f, "cutout:4", 1);
    for (uint64_t epoch = 0; epoch < 500; epoch++) {
        int first = -1, count = 0;
        beam_augmenter_run(&a, epoch, 0, f->pixels, image);
        for (int i = 0; i < PIXELS; i++) {
            if (image[i] == f->plain[i])
                continue;
            assert_true(image[i] == 0);
            first = first < 0 ? i : first;
            assert_in_range(i % PLANE % WIDTH, first % WIDTH, first % WIDTH + SIDE - 1);
            assert_in_range(i % PLANE / WIDTH, first / WIDTH, first / WIDTH + SIDE - 1);
            count++;
        }
        assert_int_equal(count, CHANNELS * SIDE * SIDE);
        corner |= first == 0;
        far_corner |= first == (HEIGHT - SIDE) * WIDTH + WIDTH - SIDE;
    }
    assert_true(corner && far_corner);
    beam_augmenter_free(&a);
}

static void test_depends_on_seed_epoch_and_image(void **state)
{
    const fixture *f = *state;
    float images[5][PIXELS];
    beam_augmenter a = augmenter(f, "flip,crop:4,cutout", 1);
    beam_augmenter b = augmenter(f, "flip,crop:4,cutout", 2);
    beam_augmenter_run(&a, 1, 1, f->pixels, images[0]);
    beam_augmenter_run(&a, 2, 1, f->pixels, images[1]);
    beam_augmenter_run(&a, 1, 2, f->pixels, images[2]);
    beam_augmenter_run(&b, 1, 1, f->pixels, images[3]);
    beam_augmenter_run(&a, 1, 1, f->pixels, images[4]);
    for (int i = 1; i < 4; i++)
        assert_memory_not_equal(images[0], images[i], sizeof images[0]);
    assert_memory_equal(images[0], images[4], sizeof images[0]);
    beam_augmenter_free(&a);
    beam_augmenter_free(&b);
}

static void test_too_small(void **state)
{
    const fixture *f = *state;
    const beam_dataset_info *info = beam_dataset_get_info(f->dataset);
    beam_augmenter a;
    beam_error err;
    const beam_augment crop = parsed("crop:10"), cutout = parsed("cutout:11");
    const beam_augment window = parsed("window:11"), hole = parsed("window:5,cutout:6");
    assert_fails(beam_augmenter_init(&a, &window, info, HEIGHT, WIDTH, 0, &err),
                 BEAM_INVALID_ARGUMENT, err, "images of 10x12 are too small for window:11");
    assert_fails(beam_augmenter_init(&a, &hole, info, HEIGHT, WIDTH, 0, &err),
                 BEAM_INVALID_ARGUMENT, err, "cutout:6");
    assert_fails(beam_augmenter_init(&a, &crop, info, HEIGHT, WIDTH, 0, &err),
                 BEAM_INVALID_ARGUMENT, err, "images of 10x12 are too small for crop:10");
    assert_fails(beam_augmenter_init(&a, &cutout, info, HEIGHT, WIDTH, 0, &err),
                 BEAM_INVALID_ARGUMENT, err, "cutout:11");
    const beam_augment fits = parsed("crop:9,cutout:10");
    assert_ok(beam_augmenter_init(&a, &fits, info, HEIGHT, WIDTH, 0, &err), err);
    beam_augmenter_free(&a);
    beam_alloc_fail_at(1, 0);
    beam_status status = beam_augmenter_init(&a, &fits, info, HEIGHT, WIDTH, 0, NULL);
    beam_alloc_fail_at(0, 0);
    assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alternating_flip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flip_and_crop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cutout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depends_on_seed_epoch_and_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_small, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
