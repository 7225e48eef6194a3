/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_train_faults.c - training, on one chip and several, whose every call and allocation
 * fails in turn (tests/support/pjrt_fake), and what replicas are held to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/fake.h"
#include "device/nets.h"

static char step_path[] = "/tmp/beam_stepXXXXXX.mlir";

static beam_status train(const beam_network *net, uint32_t replicas, const float *images,
                         beam_error *err)
{
    const uint32_t labels[4] = {0, 1, 2, 3};
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = 4,
                                           .num_replicas = replicas,
                                           .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};
    beam_device *device = NULL;
    beam_training *training = NULL;
    float weights[32 * 9];
    beam_tensor image = beam_network_input(net, 0, 4);
    image.data = images;
    beam_status status = beam_device_open("pjrt:" FAKE_PLUGIN, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_train(device, net, &options, &training, err);
    for (int s = 0; training && s < 3; s++) { /* on, whatever came of the one before */
        beam_step_result result;
        beam_status stepped = beam_training_step(training, &image, 1, labels, 0.1f, &result, err);
        status = status == BEAM_OK ? stepped : status;
    }
    if (status == BEAM_OK)
        status = beam_training_read(training, "conv1.weight", weights, err);
    if (status == BEAM_OK)
        status = beam_training_write(training, "conv1.weight", weights, err);
    beam_training_free(training);
    nets_close(device);
    return status;
}

/* One whole training of `replicas` chips, or 0: one whose step was made elsewhere. */
typedef beam_status life(const beam_network *net, uint32_t replicas, const float *images,
                         beam_error *err);

static void fails_everywhere(life *whole, uint32_t replicas)
{
    beam_network *net = nets_small();
    const float images[4 * 64] = {0};
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        *fake = (pjrt_fake_control){.fail_at = n, .sticky = n % 2, .code = 14};
        beam_status status = whole(net, replicas, images, &err);
        assert_int_equal(fake->live, 0);
        assert_true(status == BEAM_OK || status == BEAM_UNAVAILABLE);
        if (fake->calls < n)
            break;
    }
    *fake = (pjrt_fake_control){.code = 13};
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = whole(net, replicas, images, &err);
        bool all_made = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, all_made ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED);
        assert_int_equal(fake->live, 0);
        if (all_made)
            break;
    }
    beam_network_free(net);
}

static void test_training_fails_everywhere(void **state)
{
    (void)state;
    fails_everywhere(train, 1);
}

/* The same of a step made elsewhere, which the device has in a file. */
static beam_status train_module(const beam_network *net, uint32_t replicas, const float *images,
                                beam_error *err)
{
    (void)net;
    (void)replicas;
    const uint32_t labels[4] = {0, 1, 2, 3};
    const beam_tensor input = {BEAM_F32, 2, {4, 3}, images};
    const beam_named_tensor states[] = {{"w", {BEAM_F32, 1, {2}, images}},
                                        {"count", {BEAM_I32, 0, {0}, images}}};
    const beam_step_module module = {.struct_size = sizeof module,
                                     .path = step_path,
                                     .images = {BEAM_F32, 2, {4, 3}, NULL},
                                     .num_classes = 10,
                                     .states = states,
                                     .num_states = 2,
                                     .arguments = "w\ncount\nimages\nlabels\nlearning_rate\nstep",
                                     .results = "loss\nw\ncount\ncorrect"};
    beam_device *device = NULL;
    beam_training *training = NULL;
    float w[2];
    beam_status status = beam_device_open("pjrt:" FAKE_PLUGIN, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_train_module(device, &module, &training, err);
    for (int s = 0; training && s < 3; s++) { /* on, whatever came of the one before */
        beam_step_result result;
        beam_status stepped = beam_training_step(training, &input, 1, labels, 0.1f, &result, err);
        status = status == BEAM_OK ? stepped : status;
    }
    if (status == BEAM_OK)
        status = beam_training_read(training, "w", w, err);
    if (status == BEAM_OK)
        status = beam_training_write(training, "w", w, err);
    beam_training_free(training);
    nets_close(device);
    return status;
}

static void test_module_training_fails_everywhere(void **state)
{
    (void)state;
    static const char text[] =
        "func.func public @main(%w: tensor<2xf32>, %n: tensor<i32>, %x: tensor<4x3xf32>, "
        "%y: tensor<4xi32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<f32>, "
        "tensor<2xf32>, tensor<i32>, tensor<i32>) {\n}\n";
    int fd = mkstemps(step_path, 5);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    fails_everywhere(train_module, 0);
    assert_int_equal(unlink(step_path), 0);
}

static void test_replicas_fail_everywhere(void **state)
{
    (void)state;
    fake_env("PJRT_FAKE_DEVICES", "3");
    fails_everywhere(train, 2);
}

static void training_refused(uint32_t replicas, const char *words)
{
    beam_error err = {0};
    beam_network *net = nets_small();
    const float images[4 * 64] = {0};
    assert_int_equal(train(net, replicas, images, &err), BEAM_INVALID_ARGUMENT);
    if (!strstr(err.message, words))
        fail_msg("\"%s\"; wanted ...%s...", err.message, words);
    beam_network_free(net);
}

/* Every replica's execution is part of one call, and has its own chip's results. */
static void test_replicas(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = nets_small();
    const float images[4 * 64] = {0};
    training_refused(2, "num_replicas is 2, but device tpu has 1 chip (");
    fake_env("PJRT_FAKE_DEVICES", "4");
    training_refused(3, "batch_size is 4, which 3 replicas cannot share evenly");
    training_refused(5, "device tpu has 4 chips");
    nets_ok(train(net, 4, images, &err), &err);
    assert_int_equal(fake->executions, 3);
    beam_network_free(net);
}

static void *train_on_two(void *net)
{
    const float images[4 * 64] = {0};
    beam_error err = {0};
    return train(net, 2, images, &err) == BEAM_OK ? net : NULL;
}

/* Trainings of two chips each, some of them the same: never do both begin a step at once. */
static void test_replicas_of_several(void **state)
{
    (void)state;
    enum { TRAININGS = 3 };
    pthread_t threads[TRAININGS];
    beam_network *net = nets_small();
    fake_env("PJRT_FAKE_DEVICES", "4");
    fake->launch_ms = 5;
    for (int i = 0; i < TRAININGS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, train_on_two, net), 0);
    for (int i = 0; i < TRAININGS; i++) {
        void *trained = NULL;
        assert_int_equal(pthread_join(threads[i], &trained), 0);
        assert_ptr_equal(trained, net);
    }
    assert_int_equal(fake->executions, 3 * TRAININGS);
    assert_false(fake->overlapped);
    beam_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(test_training_fails_everywhere), FAKE_TEST(test_module_training_fails_everywhere),
        FAKE_TEST(test_replicas_fail_everywhere),  FAKE_TEST(test_replicas),
        FAKE_TEST(test_replicas_of_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
