/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_quantize.c - weights for int8: made of the models that libbeam comes with, written, read
 * back, and how much accuracy they cost. */
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/quantize.h"

enum { BATCH = 256 };

/* Images of the test split that a network with these weights names rightly. */
static uint64_t count_right(const char *network_name, const char *dataset, const char *weights_path,
                            beam_precision precision, uint64_t *total)
{
    beam_error err = {0};
    beam_dataset *d;
    beam_weights *w;
    beam_network *network;
    beam_device *device;
    beam_model *model;
    beam_model_context *context;
    assert_ok(beam_dataset_open(dataset, NULL, &d, &err), err);
    const beam_dataset_info *info = beam_dataset_get_info(d);
    const beam_network_options shape = {.struct_size = sizeof shape,
                                        .num_classes = info->num_classes,
                                        .channels = info->channels,
                                        .height = info->height};
    const beam_compile_options options = {
        .struct_size = sizeof options, .precision = precision, .max_batch = BATCH};
    assert_ok(beam_weights_open(weights_path, &w, &err), err);
    assert_ok(beam_network_create(network_name, &shape, &network, &err), err);
    beam_weight_source source = beam_weights_source(w);
    assert_ok(beam_network_bind(network, &source, &err), err);
    assert_ok(beam_device_open("cpu", NULL, &device, &err), err);
    assert_ok(beam_device_compile(device, network, &options, &model, &err), err);
    beam_network_free(network);
    beam_weights_close(w);
    assert_ok(beam_model_context_new(model, &context, &err), err);
    beam_tensor in = beam_model_input(model, 0, BATCH), out;
    float *images = malloc(beam_tensor_bytes(&in));
    assert_non_null(images);
    uint64_t right = 0;
    for (uint64_t first = 0; first < info->count; first += BATCH) {
        uint64_t indices[BATCH], n = info->count - first < BATCH ? info->count - first : BATCH;
        uint32_t labels[BATCH];
        for (uint64_t i = 0; i < n; i++)
            indices[i] = first + i;
        assert_ok(beam_dataset_fill(d, indices, n, 0, 0, images, labels, &err), err);
        in = beam_model_input(model, 0, (int64_t)n);
        in.data = images;
        assert_ok(beam_model_run(context, &in, 1, &out, 1, &err), err);
        for (uint64_t i = 0; i < n; i++) {
            const beam_tensor row = {.dtype = BEAM_F32,
                                     .rank = 1,
                                     .shape = {out.shape[1]},
                                     .data = (const float *)out.data + i * info->num_classes};
            right += (uint32_t)beam_argmax(&row) == labels[i];
        }
    }
    *total = info->count;
    free(images);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
    beam_dataset_close(d);
    return right;
}

/* int8 costs at most half a point, and of the file's bytes three in four of f32's. */
static void check_model(const char *network, const char *dataset, const char *weights,
                        uint64_t num_images)
{
    char *folder = test_folder(), *path = NULL;
    beam_error err = {0};
    beam_quantize_result result;
    uint64_t total, f32, int8;
    const char *made = test_path(folder, "int8.safetensors");
    const beam_quantize_options options = {.classifier = {.struct_size = sizeof options.classifier,
                                                          .network = network,
                                                          .weights = weights,
                                                          .device = "cpu"},
                                           .dataset = dataset,
                                           .num_images = num_images,
                                           .output = made};
    assert_ok(beam_quantize(&options, &result, &err), err);
    assert_int_equal(result.num_images, num_images);
    assert_true(result.agreeing * 100 >= result.num_images * 95);
    assert_ok(beam_weights_locate(weights, NULL, &path, &err), err);
    f32 = count_right(network, dataset, path, BEAM_PRECISION_F32, &total);
    int8 = count_right(network, dataset, made, BEAM_PRECISION_INT8, &total);
    print_message("%s on %s: %llu of %llu right in f32, %llu in int8\n", weights, dataset,
                  (unsigned long long)f32, (unsigned long long)total, (unsigned long long)int8);
    assert_true(f32 * 2 > total);
    assert_true((int8 + total / 200) >= f32);
    /* They run in f32 too. */
    if (total < 1000)
        assert_true(count_right(network, dataset, made, BEAM_PRECISION_F32, &total) + 2 >= f32);
    beam_weights_path_free(path);
    test_remove_folder(folder);
}

static void test_digits(void **state)
{
    (void)state;
    assert_int_equal(setenv("BEAM_SHARE_DIR", BEAM_SOURCE_DIR "/share", 1), 0);
    check_model("small_cnn", "digits", "digits", 200);
}

/* With BEAM_DATA_DIR at CIFAR-10, which costs minutes in all. */
static void test_cifar10(void **state)
{
    (void)state;
    if (!getenv("BEAM_DATA_DIR") || !getenv("BEAM_LONG")) {
        print_message("BEAM_DATA_DIR and BEAM_LONG are not set\n");
        skip();
    }
    check_model("resnet18", "cifar10", "resnet18-cifar10", 512);
    check_model("fastnet", "cifar10", "fastnet-cifar10", 512);
    check_model("resnet18", "cifar10", test_data("resnet18-cifar10.pth"), 512);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(setenv("BEAM_SHARE_DIR", BEAM_SOURCE_DIR "/share", 1), 0);
    char *folder = test_folder();
    beam_error err;
    beam_quantize_result result;
    beam_quantize_options o = {
        .classifier = {.struct_size = sizeof o.classifier, .weights = "digits", .device = "cpu"},
        .dataset = "digits",
        .num_images = 16,
        .output = test_path(folder, "nowhere/int8.safetensors")};
    assert_fails(beam_quantize(&o, &result, &err), BEAM_NOT_FOUND, err, "nowhere");
    o.output = test_path(folder, "int8.safetensors");
    o.num_images = 0;
    assert_fails(beam_quantize(&o, &result, &err), BEAM_INVALID_ARGUMENT, err, "no images");
    o.num_images = 16;
    o.classifier.weights = "resnet18-cifar10";
    assert_fails(beam_quantize(&o, &result, &err), BEAM_INVALID_ARGUMENT, err, "channels");
    o.classifier.weights = NULL;
    o.classifier.network = "model.onnx";
    assert_int_not_equal(beam_quantize(&o, &result, &err), BEAM_OK);
    assert_int_equal(test_count_files(folder), 0);
    test_remove_folder(folder);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *network;
    beam_device *device;
    beam_calibration *calibration;
    const beam_network_options shape = {
        .struct_size = sizeof shape, .num_classes = 10, .channels = 1, .height = 8};
    char *folder = test_folder();
    const char *path = test_path(folder, "int8.safetensors");
    assert_ok(beam_network_create("small_cnn", &shape, &network, &err), err);
    assert_fails(beam_weights_save_int8(path, network, NULL, 0, &err), BEAM_FAILED_PRECONDITION,
                 err, "no weights");
    assert_ok(beam_network_initialize(network, 1, &err), err);
    assert_fails(beam_weights_save_int8(path, network, NULL, 0, &err), BEAM_FAILED_PRECONDITION,
                 err, "calibrate");
    assert_ok(beam_device_open("cpu", NULL, &device, &err), err);
    assert_ok(beam_calibration_new(device, network, 1, &calibration, &err), err);
    static const float image[64] = {1, 0.5f};
    beam_tensor in = beam_network_input(network, 0, 1);
    in.data = image;
    assert_ok(beam_calibration_add(calibration, &in, 1, &err), err);
    assert_ok(beam_calibration_finish(calibration, network, &err), err);
    for (uint64_t n = 1;; n++) {
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_weights_save_int8(path, network, NULL, 0, &err);
        bool all_made = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        /* One that only keeps the folder from being synced is no failure. */
        assert_int_equal(test_count_files(folder), status == BEAM_OK ? 1 : 0);
        if (all_made)
            break;
        if (status == BEAM_OK)
            assert_int_equal(remove(path), 0);
    }
    beam_calibration_free(calibration);
    beam_device_close(device);
    beam_network_free(network);
    test_remove_folder(folder);
}

/* Of which the layer's input tells nothing, though its bias makes a result: no layer is left that
 * int8 could compute, so no file is written that would be refused. */
static void test_a_sample_of_zeros(void **state)
{
    (void)state;
    static const float zeros[3];
    beam_error err = {0};
    beam_device *device;
    beam_calibration *calibration;
    char *folder = test_folder();
    beam_network *network = beam_network_new("zeros");
    beam_value x = beam_nn_input(network, "x", 1, (const int64_t[]){3});
    x = beam_nn_linear(network, x, "a", .out_features = 5);
    x = beam_nn_linear(network, beam_nn_relu(network, x), "fc", .out_features = 2);
    assert_ok(beam_network_finish(network, &x, 1, &err), err);
    assert_ok(beam_network_initialize(network, 1, &err), err);
    assert_ok(beam_device_open("cpu", NULL, &device, &err), err);
    assert_ok(beam_calibration_new(device, network, 1, &calibration, &err), err);
    beam_tensor in = beam_network_input(network, 0, 1);
    in.data = zeros;
    assert_ok(beam_calibration_add(calibration, &in, 1, &err), err);
    assert_ok(beam_calibration_finish(calibration, network, &err), err);
    assert_fails(
        beam_weights_save_int8(test_path(folder, "int8.safetensors"), network, NULL, 0, &err),
        BEAM_FAILED_PRECONDITION, err, "calibrate");
    assert_int_equal(test_count_files(folder), 0);
    beam_calibration_free(calibration);
    beam_device_close(device);
    beam_network_free(network);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_cifar10),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_sample_of_zeros),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
