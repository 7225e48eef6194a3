/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Data sets: what comes with libbeam, copies of CIFAR-10 whole and damaged, folders of images. */
#include "support/files.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <beam/dataset.h>
#include <beam/weights.h>

#include "support/shortage.h"

#define OPEN(name, dataset, err, ...)                                                              \
    beam_dataset_open(                                                                             \
        (name), &(beam_dataset_options){.struct_size = sizeof(beam_dataset_options), __VA_ARGS__}, \
        (dataset), (err))

static const beam_download_options offline = {.struct_size = sizeof offline, .offline = true};

/* Every test has an empty cache folder and finds the shipped files in the sources. */
static int set_up(void **state)
{
    char *folder = test_folder();
    assert_int_equal(setenv("BEAM_CACHE", folder, 1), 0);
    assert_int_equal(setenv("BEAM_SHARE_DIR", BEAM_SOURCE_DIR "/share", 1), 0);
    assert_int_equal(unsetenv("BEAM_DATA_DIR"), 0);
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    test_remove_folder(*state);
    return 0;
}

/* ---- digits ------------------------------------------------------------------------------ */

static void check_digits(const char *split, uint64_t count, unsigned first_label)
{
    beam_dataset *d;
    beam_error err = {0};
    assert_ok(OPEN("digits", &d, &err, .split = split), err);
    const beam_dataset_info *info = beam_dataset_get_info(d);
    assert_int_equal(info->count, count);
    assert_string_equal(info->name, "digits");
    assert_string_equal(info->split, split);
    assert_int_equal(info->num_classes, 10);
    assert_string_equal(info->class_names[9], "9");
    assert_int_equal(info->channels, 1);
    assert_int_equal(info->height, 8);
    assert_false(info->is_fallback);
    beam_dataset_record r;
    assert_int_equal(beam_dataset_read(d, 0, &r), BEAM_OK);
    assert_int_equal(r.label, first_label);
    assert_int_equal(beam_dataset_read(d, count, &r), BEAM_OUT_OF_RANGE);
    beam_dataset_close(d);
}

static void test_digits_splits(void **state)
{
    (void)state;
    check_digits("all", 1797, 0);
    check_digits("train", 1438, 0);
    check_digits("test", 359, 4); /* the file begins 0 1 2 3 4 */
}

static void test_digits_fill(void **state)
{
    (void)state;
    beam_dataset *d;
    beam_error err = {0};
    assert_ok(OPEN("digits", &d, &err, .split = "all"), err);
    uint64_t indices[] = {1796, 0};
    float images[2 * 64], large[256];
    uint32_t labels[2];
    assert_ok(beam_dataset_fill(d, indices, 2, 0, 0, images, labels, &err), err);
    assert_int_equal(labels[1], 0);
    /* The first image begins 0 0 5 13 9 1 0 0. */
    assert_float_equal(images[64 + 2], 5 / 16.0f, 0);
    assert_float_equal(images[64 + 3], 13 / 16.0f, 0);
    assert_ok(beam_dataset_fill(d, indices, 1, 16, 16, large, NULL, &err), err);
    float small_mean = 0, large_mean = 0;
    for (int i = 0; i < 64; i++)
        small_mean += images[i] / 64;
    for (int i = 0; i < 256; i++)
        large_mean += large[i] / 256;
    assert_float_equal(small_mean, large_mean, 0.03f);
    indices[0] = 1797;
    assert_fails(beam_dataset_fill(d, indices, 1, 0, 0, images, labels, &err), BEAM_OUT_OF_RANGE,
                 err, "no image 1797");
    beam_dataset_close(d);
}

static void test_digits_weights_fit(void **state)
{
    (void)state;
    char *path;
    beam_error err = {0};
    beam_weights *w;
    beam_network *net;
    assert_ok(beam_weights_locate("digits", NULL, &path, &err), err);
    assert_ok(beam_weights_open(path, &w, &err), err);
    beam_weights_path_free(path);
    const beam_network_options o = {
        .struct_size = sizeof o, .num_classes = 10, .channels = 1, .height = 8};
    assert_ok(beam_network_create("small_cnn", &o, &net, &err), err);
    beam_weight_source source = beam_weights_source(w);
    assert_ok(beam_network_bind(net, &source, &err), err);
    assert_string_equal(beam_weights_metadata(w, "network"), "small_cnn");
    assert_string_equal(beam_weights_metadata(w, "scale"), "0.0625");
    beam_network_free(net);
    beam_weights_close(w);
}

static void test_digits_damaged(void **state)
{
    char *folder = *state;
    beam_dataset *d;
    beam_error err;
    assert_int_equal(setenv("BEAM_SHARE_DIR", folder, 1), 0);
    assert_fails(beam_dataset_open("digits", NULL, &d, &err), BEAM_NOT_FOUND, err,
                 "BEAM_SHARE_DIR");
    assert_int_equal(mkdir(test_path(folder, "digits"), 0777), 0);
    test_write_file(test_path(folder, "digits/digits.bin"), "abc", 3);
    assert_fails(beam_dataset_open("digits", NULL, &d, &err), BEAM_DATA_LOSS, err, "3 bytes");
}

/* ---- CIFAR-10 ---------------------------------------------------------------------------- */

enum { RECORD = 3073, CIFAR_FILE = 30730000 };

/* A file of zeros, but for record `index`, which has this label and first pixel. */
static void make_batch(const char *path, off_t size, long index, uint8_t label, uint8_t pixel)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    uint8_t bytes[2] = {label, pixel};
    assert_int_equal(fseek(f, index * RECORD, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, 2, f), 2);
    assert_int_equal(fflush(f), 0);
    assert_int_equal(ftruncate(fileno(f), size), 0);
    assert_int_equal(fclose(f), 0);
}

static void make_cifar10(const char *folder)
{
    for (int i = 1; i <= 5; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "data_batch_%d.bin", i);
        make_batch(test_path(folder, name), CIFAR_FILE, 10 * i, (uint8_t)i, 255);
    }
    make_batch(test_path(folder, "test_batch.bin"), CIFAR_FILE, 9999, 9, 0);
}

static void test_cifar10(void **state)
{
    char *folder = *state;
    char below[4096], data[4096];
    (void)snprintf(data, sizeof data, "%s/data", folder);
    (void)snprintf(below, sizeof below, "%s/data/cifar-10-batches-bin", folder);
    assert_int_equal(mkdir(data, 0777), 0);
    assert_int_equal(mkdir(below, 0777), 0);
    make_cifar10(below);
    beam_dataset *d;
    beam_error err = {0};
    beam_dataset_record r;
    assert_int_equal(setenv("BEAM_DATA_DIR", data, 1), 0);
    assert_ok(OPEN("cifar10", &d, &err, .split = "all", .download = &offline), err);
    const beam_dataset_info *info = beam_dataset_get_info(d);
    assert_int_equal(info->count, 60000);
    assert_string_equal(info->class_names[4], "deer");
    assert_string_equal(info->location, below);
    assert_int_equal(beam_dataset_read(d, 20030, &r), BEAM_OK);
    assert_int_equal(r.label, 3);
    assert_int_equal(r.pixels[0], 255);
    assert_int_equal(beam_dataset_read(d, 59999, &r), BEAM_OK);
    assert_int_equal(r.label, 9);
    float image[3 * 32 * 32];
    uint64_t index = 10;
    uint32_t label;
    assert_ok(beam_dataset_fill(d, &index, 1, 0, 0, image, &label, &err), err);
    assert_int_equal(label, 1);
    assert_float_equal(image[0], (1 - 0.4914f) / 0.247f, 1e-6f);
    assert_float_equal(image[1024], -0.4822f / 0.2435f, 1e-6f);
    assert_float_equal(image[3071], -0.4465f / 0.2616f, 1e-6f);
    beam_dataset_close(d);
    assert_ok(beam_dataset_open(data, NULL, &d, &err), err); /* a folder that holds CIFAR-10 */
    assert_int_equal(beam_dataset_get_info(d)->count, 10000);
    assert_string_equal(beam_dataset_get_info(d)->split, "test");
    beam_dataset_close(d);
    assert_ok(OPEN("cifar10", &d, &err, .data_dir = below, .split = "train"), err);
    assert_int_equal(beam_dataset_get_info(d)->count, 50000);
    beam_dataset_close(d);
}

static void test_cifar10_damaged(void **state)
{
    char *folder = *state;
    beam_dataset *d;
    beam_error err;
    assert_fails(OPEN("cifar10", &d, &err, .data_dir = folder, .fall_back = true), BEAM_NOT_FOUND,
                 err, "no CIFAR-10 in");
    const char *test = test_path(folder, "test_batch.bin");
    make_batch(test, CIFAR_FILE - RECORD, 0, 0, 0);
    assert_fails(OPEN("cifar10", &d, &err, .data_dir = folder), BEAM_DATA_LOSS, err, "truncated");
    assert_non_null(strstr(err.message, "test_batch.bin has 30726927 bytes"));
    make_batch(test, CIFAR_FILE, 77, 10, 0);
    assert_int_equal(setenv("BEAM_DATA_DIR", "/no/such/folder", 1), 0);
    assert_fails(OPEN("cifar10", &d, &err, .fall_back = true), BEAM_NOT_FOUND, err,
                 "which $BEAM_DATA_DIR names");
    assert_int_equal(setenv("BEAM_DATA_DIR", folder, 1), 0);
    assert_fails(OPEN("cifar10", &d, &err, .fall_back = true), BEAM_DATA_LOSS, err,
                 "image 77 has label 10");
    assert_fails(OPEN("cifar10", &d, &err, .split = "train"), BEAM_NOT_FOUND, err,
                 "data_batch_1.bin");
    assert_fails(OPEN("cifar10", &d, &err, .split = "tset"), BEAM_INVALID_ARGUMENT, err,
                 "test, train and all");
}

static void test_fallback(void **state)
{
    (void)state;
    beam_dataset *d;
    beam_error err = {0};
    assert_fails(OPEN("cifar10", &d, &err, .download = &offline), BEAM_UNAVAILABLE, err,
                 "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz");
    assert_ok(OPEN("cifar10", &d, &err, .download = &offline, .fall_back = true, .split = "train"),
              err);
    const beam_dataset_info *info = beam_dataset_get_info(d);
    assert_true(info->is_fallback);
    assert_string_equal(info->name, "digits");
    assert_int_equal(info->count, 1438);
    assert_non_null(strstr(info->message, "CIFAR-10 cannot be had"));
    beam_dataset_close(d);
}

static void test_cached_archive_with_wrong_checksum(void **state)
{
    char *folder = *state;
    beam_dataset *d;
    beam_error err;
    assert_int_equal(mkdir(test_path(folder, "cifar10"), 0777), 0);
    test_write_file(test_path(folder, "cifar10/cifar-10-binary.tar.gz"), "abc", 3);
    assert_fails(OPEN("cifar10", &d, &err, .download = &offline, .fall_back = true), BEAM_DATA_LOSS,
                 err, "wrong checksum");
}

/* ---- weights by name --------------------------------------------------------------------- */

static void test_locate_weights(void **state)
{
    char *folder = *state, *path;
    beam_error err;
    assert_fails(beam_weights_locate("resnet18-imagenet", &offline, &path, &err), BEAM_UNAVAILABLE,
                 err, "https://download.pytorch.org/models/resnet18-f37072fd.pth");
    assert_non_null(strstr(err.message, test_path(folder, "weights/resnet18-f37072fd.pth")));
    assert_int_equal(mkdir(test_path(folder, "weights"), 0777), 0);
    test_write_file(test_path(folder, "weights/resnet18-f37072fd.pth"), "abc", 3);
    assert_fails(beam_weights_locate("resnet18-imagenet", &offline, &path, &err), BEAM_DATA_LOSS,
                 err, "wrong checksum");
    assert_ok(beam_weights_locate("some/file.pth", &offline, &path, &err), err);
    assert_string_equal(path, "some/file.pth");
    beam_weights_path_free(path);
    assert_string_equal(beam_weights_known(0), "resnet18-imagenet");
    size_t count = 0;
    bool digits = false;
    for (; beam_weights_known(count); count++)
        digits = digits || strcmp(beam_weights_known(count), "digits") == 0;
    assert_true(digits && count > 3);
    assert_null(beam_weights_known(count + 1));
}

/* ---- folders of images ------------------------------------------------------------------- */

static void write_png(const char *path, uint32_t width, uint32_t height, uint8_t red)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB};
    image.width = width;
    image.height = height;
    uint8_t *pixels = calloc(width * height, 3);
    assert_non_null(pixels);
    for (size_t i = 0; i < (size_t)width * height; i++)
        pixels[3 * i] = red;
    assert_int_equal(png_image_write_to_file(&image, path, 0, pixels, 0, NULL), 1);
    free(pixels);
}

static void make_folder(const char *folder, const char *name)
{
    assert_int_equal(mkdir(test_path(folder, name), 0777), 0);
}

static void test_image_folder(void **state)
{
    char *folder = *state;
    make_folder(folder, "dog");
    make_folder(folder, "cat");
    write_png(test_path(folder, "dog/b.PNG"), 10, 20, 255);
    write_png(test_path(folder, "dog/a.png"), 30, 20, 0);
    write_png(test_path(folder, "cat/z.png"), 5, 5, 255);
    test_write_file(test_path(folder, "cat/notes.txt"), "x", 1);
    beam_dataset *d;
    beam_error err = {0};
    assert_ok(beam_dataset_open(folder, NULL, &d, &err), err);
    const beam_dataset_info *info = beam_dataset_get_info(d);
    assert_int_equal(info->count, 3);
    assert_string_equal(info->split, "all");
    assert_int_equal(info->num_classes, 2);
    assert_string_equal(info->class_names[0], "cat");
    assert_int_equal(info->height, 0);
    beam_dataset_record r;
    assert_int_equal(beam_dataset_read(d, 1, &r), BEAM_OK);
    assert_null(r.pixels);
    assert_string_equal(r.path, test_path(folder, "dog/a.png"));
    float images[3][3][8][8];
    uint32_t labels[3];
    uint64_t indices[] = {0, 1, 2};
    assert_ok(beam_dataset_fill(d, indices, 3, 8, 8, &images[0][0][0][0], labels, &err), err);
    assert_int_equal(labels[0], 0);
    assert_int_equal(labels[2], 1);
    assert_float_equal(images[0][0][7][7], (1 - 0.485f) / 0.229f, 1e-5f);
    assert_float_equal(images[1][0][0][0], -0.485f / 0.229f, 1e-5f);
    assert_float_equal(images[2][2][3][3], -0.406f / 0.225f, 1e-5f);
    assert_fails(beam_dataset_fill(d, indices, 1, 0, 0, &images[0][0][0][0], labels, &err),
                 BEAM_INVALID_ARGUMENT, err, "must be given");
    test_write_file(test_path(folder, "dog/a.png"), "\x89PNG\r\n\x1a\n", 8);
    assert_fails(beam_dataset_fill(d, indices, 3, 8, 8, &images[0][0][0][0], labels, &err),
                 BEAM_DATA_LOSS, err, "dog/a.png");
    beam_dataset_close(d);
    assert_fails(OPEN(folder, &d, &err, .split = "train"), BEAM_NOT_FOUND, err, "no split");
}

static void test_split_image_folder(void **state)
{
    char *folder = *state;
    make_folder(folder, "train");
    make_folder(folder, "test");
    make_folder(folder, "train/a");
    make_folder(folder, "test/a");
    write_png(test_path(folder, "train/a/1.png"), 4, 4, 1);
    write_png(test_path(folder, "train/a/2.png"), 4, 4, 1);
    write_png(test_path(folder, "test/a/3.png"), 4, 4, 1);
    beam_dataset *d;
    beam_error err = {0};
    const struct {
        const char *split;
        uint64_t count;
    } cases[] = {{NULL, 1}, {"test", 1}, {"train", 2}, {"all", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(OPEN(folder, &d, &err, .split = cases[i].split), err);
        assert_int_equal(beam_dataset_get_info(d)->count, cases[i].count);
        assert_int_equal(beam_dataset_get_info(d)->num_classes, 1);
        beam_dataset_close(d);
    }
    make_folder(folder, "test/0"); /* before a: a's number is another, whatever is read */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(OPEN(folder, &d, &err, .split = cases[i].split), BEAM_INVALID_ARGUMENT, err,
                     "same folders");
    assert_fails(beam_dataset_open("/nonexistent", NULL, &d, &err), BEAM_NOT_FOUND, err,
                 "cifar10 and digits");
    make_folder(folder, "empty");
    assert_fails(beam_dataset_open(test_path(folder, "empty"), NULL, &d, &err), BEAM_NOT_FOUND, err,
                 "no images");
}

static void sweep(const char *name)
{
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_dataset *d = NULL;
        beam_status status = OPEN(name, &d, NULL, .split = "all");
        test_shortage_ends(&s, status);
        beam_dataset_close(d);
    }
}

static void test_out_of_memory(void **state)
{
    char *folder = *state;
    make_folder(folder, "one");
    make_folder(folder, "one/class");
    write_png(test_path(folder, "one/class/1.png"), 4, 4, 1);
    sweep("digits");
    sweep(test_path(folder, "one"));
}

/* ---- ImageNet's classes ------------------------------------------------------------------ */

static void test_imagenet_map(void **state)
{
    (void)state;
    int counts[10] = {0};
    for (uint32_t i = 0; i < 1100; i++) {
        int c = beam_imagenet_to_cifar10(i);
        assert_in_range(c + 1, 0, 10);
        if (c >= 0)
            counts[c]++;
    }
    const int want[10] = {2, 9, 59, 5, 3, 118, 3, 1, 11, 5};
    assert_memory_equal(counts, want, sizeof want);
    float logits[1000], probabilities[10];
    for (int i = 0; i < 1000; i++)
        logits[i] = -50;
    logits[999] = 400; /* no class of the ten, whatever it says */
    logits[404] = 3;
    logits[281] = 2.5f; /* two cats together outdo one airliner */
    logits[282] = 2.5f;
    assert_int_equal(beam_imagenet_logits_to_cifar10(logits, probabilities), 3);
    float cat = 2 * expf(-0.5f);
    assert_float_equal(probabilities[3], cat / (cat + 1), 1e-5f);
    assert_float_equal(probabilities[0], 1 / (cat + 1), 1e-5f);
    assert_int_equal(beam_imagenet_logits_to_cifar10(logits, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_digits_splits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digits_fill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digits_weights_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digits_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cifar10, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cifar10_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fallback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cached_archive_with_wrong_checksum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_locate_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_split_image_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down),
        cmocka_unit_test(test_imagenet_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
