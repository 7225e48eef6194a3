/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_train_faults.c - training, on one chip and several, whose every call and allocation
 * fails in turn (tests/support/pjrt_fake), and what replicas are held to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "device/fake.h"
#include "device/nets.h"
#include "support/files.h"

enum { BATCH = 4 };
static const float images[BATCH * 64];

/* Steps, and a state of the training read and written; no status but the first that is not OK. */
static beam_status use(beam_training *training, const beam_tensor *input, const char *name,
                       float *values, beam_error *err)
{
    const uint32_t labels[BATCH] = {0, 1, 2, 3};
    beam_status status = BEAM_OK;
    for (int s = 0; s < 3; s++) { /* on, whatever came of the one before */
        beam_step_result result;
        beam_status stepped = beam_training_step(training, input, 1, labels, 0.1f, &result, err);
        status = status == BEAM_OK ? stepped : status;
    }
    if (status == BEAM_OK)
        status = beam_training_read(training, name, values, err);
    if (status == BEAM_OK)
        status = beam_training_write(training, name, values, err);
    return status;
}

/* A network's training on some chips. */
typedef struct on_chips {
    const beam_network *net;
    uint32_t replicas;
} on_chips;

static beam_status train(void *what, beam_error *err)
{
    const on_chips *on = what;
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = BATCH,
                                           .num_replicas = on->replicas,
                                           .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};
    beam_device *device = NULL;
    beam_training *training = NULL;
    float weights[32 * 9];
    beam_tensor image = beam_network_input(on->net, 0, BATCH);
    image.data = images;
    beam_status status = beam_device_open("pjrt:" FAKE_PLUGIN, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_device_train(device, on->net, &options, &training, err);
    if (status == BEAM_OK)
        status = use(training, &image, "conv1.weight", weights, err);
    beam_training_free(training);
    nets_close(device);
    return status;
}

static void fails_everywhere(fake_life *life, void *what)
{
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        *fake = (pjrt_fake_control){.fail_at = n, .sticky = n % 2, .code = 14};
        beam_status status = life(what, &err);
        assert_int_equal(fake->live, 0);
        assert_true(status == BEAM_OK || status == BEAM_UNAVAILABLE);
        if (fake->calls < n)
            break;
    }
    *fake = (pjrt_fake_control){.code = 13};
    fake_without_memory(life, what);
}

static void training_fails_everywhere(uint32_t replicas)
{
    beam_network *net = nets_small();
    fails_everywhere(train, &(on_chips){net, replicas});
    beam_network_free(net);
}

static void test_training_fails_everywhere(void **state)
{
    (void)state;
    training_fails_everywhere(1);
}

/* The same of a step made elsewhere, which the device has in a file. */
static beam_status train_module(void *path, beam_error *err)
{
    const beam_tensor input = {BEAM_F32, 2, {BATCH, 3}, images};
    const beam_named_tensor states[] = {{"w", {BEAM_F32, 1, {2}, images}},
                                        {"count", {BEAM_I32, 0, {0}, images}}};
    const beam_step_module module = {.struct_size = sizeof module,
                                     .path = path,
                                     .images = {BEAM_F32, 2, {BATCH, 3}, NULL},
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
    if (status == BEAM_OK)
        status = use(training, &input, "w", w, err);
    beam_training_free(training);
    nets_close(device);
    return status;
}

static void test_module_training_fails_everywhere(void **state)
{
    static const char text[] =
        "func.func public @main(%w: tensor<2xf32>, %n: tensor<i32>, %x: tensor<4x3xf32>, "
        "%y: tensor<4xi32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<f32>, "
        "tensor<2xf32>, tensor<i32>, tensor<i32>) {\n}\n";
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", test_path(*state, "step.mlir"));
    test_write_file(path, text, strlen(text));
    fails_everywhere(train_module, path);
}

static void test_replicas_fail_everywhere(void **state)
{
    (void)state;
    fake_env("PJRT_FAKE_DEVICES", "3");
    training_fails_everywhere(2);
}

static void training_refused(uint32_t replicas, const char *words)
{
    beam_error err = {0};
    beam_network *net = nets_small();
    assert_fails(train(&(on_chips){net, replicas}, &err), BEAM_INVALID_ARGUMENT, err, words);
    beam_network_free(net);
}

/* Every replica's execution is part of one call, and has its own chip's results. */
static void test_replicas(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = nets_small();
    training_refused(2, "num_replicas is 2, but device tpu has 1 chip (");
    fake_env("PJRT_FAKE_DEVICES", "4");
    training_refused(3, "batch_size is 4, which 3 replicas cannot share evenly");
    training_refused(5, "device tpu has 4 chips");
    nets_ok(train(&(on_chips){net, 4}, &err), &err);
    assert_int_equal(fake->executions, 3);
    beam_network_free(net);
}

static void *train_on_two(void *net)
{
    beam_error err = {0};
    return train(&(on_chips){net, 2}, &err) == BEAM_OK ? net : NULL;
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
