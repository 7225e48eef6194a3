/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Data sets, weights, networks and devices together: real images are classified as they should
 * be. */
#include "support/files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <beam/dataset.h>
#include <beam/device.h>
#include <beam/weights.h>

enum { BATCH = 256 };

typedef struct classifier {
    beam_weights *weights;
    beam_network *network;
    beam_device *device;
    beam_model *model;
    beam_model_context *context;
} classifier;

static classifier open_classifier(const char *device, const char *network,
                                  const beam_network_options *options, const char *weights)
{
    classifier c;
    beam_error err = {0};
    assert_ok(beam_weights_open(weights, &c.weights, &err), err);
    assert_ok(beam_network_create(network, options, &c.network, &err), err);
    beam_weight_source source = beam_weights_source(c.weights);
    assert_ok(beam_network_bind(c.network, &source, &err), err);
    assert_ok(beam_device_open(device, NULL, &c.device, &err), err);
    const beam_compile_options compile = {.struct_size = sizeof compile, .max_batch = BATCH};
    assert_ok(beam_device_compile(c.device, c.network, &compile, &c.model, &err), err);
    assert_ok(beam_model_context_new(c.model, &c.context, &err), err);
    return c;
}

static void close_classifier(classifier *c)
{
    beam_model_context_free(c->context);
    beam_model_free(c->model);
    beam_device_close(c->device);
    beam_network_free(c->network);
    beam_weights_close(c->weights);
}

/* Logits of images [from, from + n), which live until the next call, and their labels. */
static const float *logits_of(classifier *c, const beam_dataset *d, uint64_t from, uint64_t n,
                              uint32_t *labels)
{
    const beam_dataset_info *info = beam_dataset_get_info(d);
    uint64_t indices[BATCH];
    beam_error err = {0};
    for (uint64_t i = 0; i < n; i++)
        indices[i] = from + i;
    beam_tensor input = beam_model_input(c->model, 0, (int64_t)n), output;
    float *images = malloc(beam_tensor_bytes(&input));
    assert_non_null(images);
    assert_int_equal(input.shape[1], info->channels);
    assert_ok(beam_dataset_fill(d, indices, n, 0, 0, images, labels, &err), err);
    input.data = images;
    beam_device_acquire(c->device);
    beam_status status = beam_model_run(c->context, &input, 1, &output, 1, &err);
    beam_device_release(c->device);
    assert_ok(status, err);
    free(images);
    return output.data;
}

static uint64_t count_right(classifier *c, const beam_dataset *d)
{
    uint64_t right = 0, count = beam_dataset_get_info(d)->count;
    for (uint64_t from = 0; from < count; from += BATCH) {
        uint64_t n = count - from < BATCH ? count - from : BATCH;
        uint32_t labels[BATCH];
        const float *logits = logits_of(c, d, from, n, labels);
        for (uint64_t i = 0; i < n; i++) {
            uint32_t best = 0;
            for (uint32_t k = 1; k < 10; k++)
                best = logits[i * 10 + k] > logits[i * 10 + best] ? k : best;
            right += best == labels[i];
        }
    }
    return right;
}

static void digits_on(const char *device)
{
    assert_int_equal(setenv("BEAM_SHARE_DIR", BEAM_SOURCE_DIR "/share", 1), 0);
    beam_dataset *d;
    beam_error err = {0};
    char *path;
    assert_ok(beam_dataset_open("digits", NULL, &d, &err), err);
    assert_ok(beam_weights_locate("digits", NULL, &path, &err), err);
    const beam_network_options options = {
        .struct_size = sizeof options, .num_classes = 10, .channels = 1, .height = 8};
    classifier c = open_classifier(device, "small_cnn", &options, path);
    /* Of 359; 354 when it was trained (models/README.md), and sums may differ in their last bits.
     */
    assert_in_range(count_right(&c, d), 353, 355);
    close_classifier(&c);
    beam_weights_path_free(path);
    beam_dataset_close(d);
}

static void test_digits(void **state)
{
    (void)state;
    digits_on("cpu");
    digits_on("reference");
}

/* With BEAM_DATA_DIR at a CIFAR-10 that the copy in the test data was unpacked to. */
static void test_cifar10(void **state)
{
    (void)state;
    if (!getenv("BEAM_DATA_DIR")) {
        print_message("BEAM_DATA_DIR is not set\n");
        skip();
    }
    beam_dataset *d;
    beam_error err = {0};
    const beam_download_options offline = {.struct_size = sizeof offline, .offline = true};
    const beam_dataset_options options = {.struct_size = sizeof options, .download = &offline};
    assert_ok(beam_dataset_open("cifar10", &options, &d, &err), err);
    const beam_network_options shape = {
        .struct_size = sizeof shape, .num_classes = 10, .height = 32};
    classifier c = open_classifier("cpu", "resnet18", &shape, test_data("resnet18-cifar10.pth"));
    size_t size;
    float *want = (float *)(void *)test_read_file(test_data("resnet18-cifar10-logits.f32"), &size);
    assert_int_equal(size, BATCH * 10 * sizeof *want);
    uint32_t labels[BATCH];
    const float *logits = logits_of(&c, d, 0, BATCH, labels);
    for (size_t i = 0; i < BATCH * 10; i++)
        assert_true(fabsf(logits[i] - want[i]) < 1e-3f);
    assert_in_range(count_right(&c, d), 7703, 7723);
    free(want);
    close_classifier(&c);
    beam_dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_cifar10),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
