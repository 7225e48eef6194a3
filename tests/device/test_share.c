/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Models of one network for several lengths hold its weights once, on the CPU and on a PJRT
 * plugin's chips, and stay whole whichever of them goes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/pjrt.h"
#include "support/files.h"
#include "support/pjrt_fake/pjrt_fake.h"

#define FAKE BEAM_BUILD_DIR "/tests/libpjrt_fake.so"

enum { LENGTHS = 6, CHANNELS = 8, CLASSES = 100 };
static const int64_t lengths[LENGTHS] = {16, 32, 64, 128, 256, 512};

static beam_network *of_length(int64_t length, uint64_t seed)
{
    beam_error err = {0};
    beam_network *net = beam_network_new("lengths");
    beam_value x = beam_nn_input(net, "x", 3, (const int64_t[]){CHANNELS, 1, length});
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "first", .out_channels = 128, .kernel = 1));
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "second", .out_channels = 256, .kernel = 1));
    x = beam_nn_flatten(net, beam_nn_global_avg_pool(net, x));
    x = beam_nn_linear(net, x, "fc", .out_features = CLASSES);
    nets_ok(beam_network_finish(net, &x, 1, &err), &err);
    nets_ok(beam_network_initialize(net, seed, &err), &err);
    return net;
}

static beam_model *compile(beam_device *device, int64_t length, uint64_t seed,
                           beam_precision precision)
{
    beam_error err = {0};
    beam_model *model = NULL;
    const beam_compile_options options = {
        .struct_size = sizeof options, .max_batch = 16, .precision = precision};
    beam_network *net = of_length(length, seed);
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    beam_network_free(net);
    return model;
}

static uint64_t held(beam_device *device)
{
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    return memory.weight_bytes;
}

static uint64_t of_model(const beam_model *model)
{
    beam_model_info info;
    beam_model_get_info(model, &info);
    return info.weight_bytes;
}

static void run(beam_model *model, float *results)
{
    beam_error err = {0};
    beam_model_context *context = NULL;
    beam_tensor in = beam_model_input(model, 0, 1), out;
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    in.data = nets_numbers(3, (size_t)(CHANNELS * in.shape[3]));
    nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    memcpy(results, out.data, CLASSES * sizeof *results);
    beam_model_context_free(context);
    beam_free((void *)(uintptr_t)in.data);
}

/* The CPU, or with `pjrt` XLA's plugin for it. */
static beam_device *open_device(bool pjrt)
{
    beam_error err = {0};
    beam_device *device = NULL;
    nets_ok(beam_device_open(pjrt ? nets_plugin() : "cpu", NULL, &device, &err), &err);
    return device;
}

static void lengths_hold_one_copy(bool pjrt)
{
    static const beam_precision precisions[] = {BEAM_PRECISION_F32, BEAM_PRECISION_BF16};
    for (size_t p = 0; p < 2; p++) {
        beam_model *models[LENGTHS];
        beam_device *device = open_device(pjrt);
        uint64_t all = 0;
        for (size_t i = 0; i < LENGTHS; i++) {
            models[i] = compile(device, lengths[i], 1, precisions[p]);
            all += of_model(models[i]);
        }
        /* oneDNN may choose another layout for short rows than for long ones; PJRT has but one. */
        assert_true(held(device) <= (pjrt ? 1 : 2) * of_model(models[0]));
        assert_true(all > 5 * of_model(models[0]));
        for (size_t i = 0; i < LENGTHS; i++) {
            float before[CLASSES], after[CLASSES];
            run(models[LENGTHS - 1], before);
            if (i < LENGTHS - 1)
                beam_model_free(models[i]);
            run(models[LENGTHS - 1], after);
            assert_memory_equal(before, after, sizeof before);
            assert_true(held(device) >= of_model(models[LENGTHS - 1]) / 2);
        }
        beam_model_free(models[LENGTHS - 1]);
        assert_int_equal(held(device), 0);
        beam_device_close(device);
    }
}

static void other_weights_are_not_mistaken(bool pjrt)
{
    beam_device *device = open_device(pjrt);
    float one[CLASSES], other[CLASSES], again[CLASSES];
    beam_model *first = compile(device, 32, 1, BEAM_PRECISION_F32);
    run(first, one);
    beam_model *second = compile(device, 32, 2, BEAM_PRECISION_F32);
    run(second, other);
    run(first, again);
    assert_memory_equal(one, again, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
    /* Biases are zeroes in both. */
    assert_in_range(held(device), of_model(first) * 19 / 10, of_model(first) * 2);
    beam_model_free(first);
    run(second, again);
    assert_memory_equal(other, again, sizeof other);
    beam_model_free(second);
    beam_device_close(device);
}

static void test_lengths_hold_one_copy(void **state)
{
    (void)state;
    lengths_hold_one_copy(false);
}

static void test_lengths_hold_one_copy_on_pjrt(void **state)
{
    (void)state;
    lengths_hold_one_copy(true);
}

static void test_other_weights_are_not_mistaken(void **state)
{
    (void)state;
    other_weights_are_not_mistaken(false);
}

static void test_other_weights_are_not_mistaken_on_pjrt(void **state)
{
    (void)state;
    other_weights_are_not_mistaken(true);
}

/* ---- Counted by the plugin ------------------------------------------------------------------- */

static pjrt_fake_control *fake_control(void)
{
    void *library = dlopen(FAKE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    return dlsym(library, PJRT_FAKE_SYMBOL);
}

static uint64_t on_chip(beam_device *device)
{
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    return memory.chip_bytes_in_use;
}

/* The bytes of the chip itself: of six lengths no more than of one, on each of two chips. */
static void test_a_chip_holds_them_once(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *models[LENGTHS];
    char *folder = test_folder();
    assert_int_equal(setenv("BEAM_LOCK_DIR", folder, 1), 0);
    assert_int_equal(setenv("PJRT_FAKE_MEMORY", "100000000", 1), 0);
    assert_int_equal(setenv("PJRT_FAKE_DEVICES", "2", 1), 0);
    pjrt_fake_control *fake = fake_control();
    nets_ok(beam_device_open("pjrt:" FAKE, NULL, &device, &err), &err);
    models[0] = compile(device, lengths[0], 1, BEAM_PRECISION_F32);
    uint64_t one = on_chip(device);
    assert_int_equal(2 * one, of_model(models[0]));
    for (size_t i = 1; i < LENGTHS; i++)
        models[i] = compile(device, lengths[i], 1, BEAM_PRECISION_F32);
    assert_int_equal(on_chip(device), one);
    assert_int_equal(held(device), 2 * one);
    beam_model *other = compile(device, lengths[0], 2, BEAM_PRECISION_F32);
    assert_in_range(on_chip(device), one * 19 / 10, one * 2);
    beam_model_free(other);
    assert_int_equal(on_chip(device), one);
    /* What cannot be compared is another. */
    assert_int_equal(setenv("PJRT_FAKE_FAIL", "PJRT_Buffer_ToHostBuffer", 1), 0);
    other = compile(device, lengths[0], 1, BEAM_PRECISION_F32);
    assert_int_equal(unsetenv("PJRT_FAKE_FAIL"), 0);
    assert_int_equal(on_chip(device), 2 * one);
    beam_model_free(other);
    for (size_t i = 0; i < LENGTHS; i++) {
        assert_int_equal(on_chip(device), one);
        beam_model_free(models[i]);
    }
    assert_int_equal(on_chip(device), 0);
    beam_device_close(device);
    assert_int_equal(fake->live, 0);
    test_remove_folder(folder);
}

/* One that is found has been counted, so that what the device holds is never less than nothing. */
static void test_a_chip_counts_them_at_once(void **state)
{
    (void)state;
    enum { N = 1000, BYTES = N * sizeof(float) };
    beam_error err = {0};
    beam_device *device = NULL;
    beam_pjrt_shared *shared[2];
    const beam_hlo_value shape = {.type = BEAM_HLO_F32, .rank = 1, .dims = {N}};
    char *folder = test_folder();
    assert_int_equal(setenv("BEAM_LOCK_DIR", folder, 1), 0);
    assert_int_equal(setenv("PJRT_FAKE_DEVICES", "1", 1), 0);
    nets_ok(beam_device_open("pjrt:" FAKE, NULL, &device, &err), &err);
    beam_model *models[] = {compile(device, lengths[0], 1, BEAM_PRECISION_F32),
                            compile(device, lengths[1], 2, BEAM_PRECISION_F32)};
    const uint64_t before = held(device), before_second = of_model(models[1]);
    float *data = nets_numbers(3, N);
    for (int i = 0; i < 2; i++) {
        nets_ok(beam_pjrt_share_join(models[i], 0, data, BYTES, &shape, &shared[i], &err), &err);
        assert_int_equal(held(device), before + BYTES);
    }
    assert_ptr_equal(shared[0], shared[1]);
    assert_int_equal(of_model(models[1]), before_second + BYTES);
    for (int i = 0; i < 2; i++) {
        beam_pjrt_share_leave(device, shared[i]);
        beam_model_free(models[i]);
    }
    assert_int_equal(held(device), 0);
    beam_device_close(device);
    beam_free(data);
    test_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_hold_one_copy),
        cmocka_unit_test(test_lengths_hold_one_copy_on_pjrt),
        cmocka_unit_test(test_other_weights_are_not_mistaken),
        cmocka_unit_test(test_other_weights_are_not_mistaken_on_pjrt),
        cmocka_unit_test(test_a_chip_holds_them_once),
        cmocka_unit_test(test_a_chip_counts_them_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
