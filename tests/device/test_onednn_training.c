/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_onednn_training.c - training on the CPU device by itself: the same bits every time, states
 * that come from elsewhere, trainings side by side, and memory that is out. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"

enum { BATCH = 6, STEPS = 3, SIDE = 8, CHANNELS = 16 };

/* Convolutions over 8x8, 4x4, 2x2 and 1x1, so that the last one's taps see padding but for one, and
 * one that is worth cutting into tiles. */
static beam_network *shrinking(void)
{
    beam_network *net = beam_network_new("shrinking");
    beam_error err = {0};
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, SIDE, SIDE});
    static const char *const names[] = {"conv1", "conv2", "conv3", "conv4"};
    static const char *const norms[] = {"bn1", "bn2", "bn3", "bn4"};
    for (size_t i = 0; i < 4; i++) {
        x = beam_nn_conv2d(net, x, names[i], .out_channels = CHANNELS, .kernel = 3,
                           .stride = i < 3 ? 2 : 1, .padding = 1, .no_bias = true);
        x = beam_nn_relu(net, beam_nn_batch_norm(net, x, norms[i], 0));
        if (i == 0)
            x = beam_nn_conv2d(net, x, "tiles", .out_channels = CHANNELS, .kernel = 3, .padding = 1,
                               .no_bias = true);
    }
    x = beam_nn_linear(net, beam_nn_flatten(net, x), "fc", .out_features = 3);
    nets_ok(beam_network_finish(net, &x, 1, &err), &err);
    nets_fill(net, 5);
    return net;
}

static const beam_training_options defaults = {.struct_size = sizeof defaults,
                                               .batch_size = BATCH,
                                               .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};

static beam_training *open_training(const char *name, const beam_network *net,
                                    const beam_training_options *options)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_training *training = NULL;
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    nets_ok(beam_device_train(device, net, options, &training, &err), &err);
    beam_device_close(device);
    return training;
}

static void take_steps(beam_training *training, const beam_network *net)
{
    static const uint32_t labels[BATCH] = {0, 1, 2, 0, 1, 2};
    beam_error err = {0};
    beam_step_result result;
    beam_tensor x = beam_network_input(net, 0, BATCH);
    for (uint64_t s = 0; s < STEPS; s++) {
        x.data = nets_numbers(s, beam_tensor_bytes(&x) / sizeof(float));
        nets_ok(beam_training_step(training, &x, 1, labels, 1e-2f, &result, &err), &err);
        beam_free((void *)(uintptr_t)x.data);
    }
}

/* All states, one after the other; release with beam_free. */
static float *all_states(beam_training *training, size_t *count)
{
    float *all = NULL;
    size_t n = 0, capacity = 0;
    for (size_t i = 0; i < beam_training_num_states(training); i++) {
        beam_error err = {0};
        const char *name = NULL;
        beam_tensor tensor;
        assert_int_equal(beam_training_state(training, i, &name, &tensor), BEAM_OK);
        size_t more = beam_tensor_bytes(&tensor) / sizeof *all;
        assert_int_equal(beam_grow((void **)&all, &capacity, n + more, sizeof *all), 0);
        nets_ok(beam_training_read(training, name, all + n, &err), &err);
        n += more;
    }
    *count = n;
    return all;
}

static float *trained(const beam_network *net, const beam_training_options *options, size_t *count)
{
    beam_training *training = open_training("cpu", net, options);
    take_steps(training, net);
    float *states = all_states(training, count);
    beam_training_free(training);
    return states;
}

static void test_same_bits(void **state)
{
    (void)state;
    beam_network *net = shrinking();
    for (uint32_t threads = 1; threads <= 3; threads++) {
        for (int precision = 0; precision < 2; precision++) {
            beam_training_options options = defaults;
            options.num_threads = threads;
            options.precision = (beam_precision)precision;
            size_t n = 0, m = 0;
            float *a = trained(net, &options, &n), *b = trained(net, &options, &m);
            assert_int_equal(n, m);
            assert_memory_equal(a, b, n * sizeof *a);
            beam_free(a);
            beam_free(b);
        }
    }
    beam_network_free(net);
}

/* What the optimizer keeps may be above 0 where this network's gradient never is. */
static void test_states_from_elsewhere(void **state)
{
    (void)state;
    beam_network *net = shrinking();
    beam_error err = {0};
    const char *devices[] = {"cpu", "reference"};
    const size_t weights = CHANNELS * CHANNELS * 9;
    float *written = nets_numbers(77, weights), *states[2];
    size_t count = 0;
    for (size_t i = 0; i < weights; i++)
        written[i] = 1e-3f * (1 + written[i]);
    for (int d = 0; d < 2; d++) {
        beam_training *training = open_training(devices[d], net, &defaults);
        nets_ok(beam_training_write(training, "conv4.weight.adam_m", written, &err), &err);
        nets_ok(beam_training_write(training, "conv4.weight.adam_v", written, &err), &err);
        beam_training_set_steps(training, 100);
        take_steps(training, net);
        states[d] = all_states(training, &count);
        beam_training_free(training);
    }
    assert_true(nets_difference(states[0], states[1], count) < 1e-4);
    beam_free(states[0]);
    beam_free(states[1]);
    beam_free(written);
    beam_network_free(net);
}

typedef struct side {
    pthread_t thread;
    beam_device *device;
    const beam_network *network;
    float *states;
    size_t count;
} side;

static void *train_beside(void *user)
{
    side *s = user;
    beam_error err = {0};
    beam_training *training = NULL;
    nets_ok(beam_device_train(s->device, s->network, &defaults, &training, &err), &err);
    take_steps(training, s->network);
    s->states = all_states(training, &s->count);
    beam_training_free(training);
    return NULL;
}

static void test_side_by_side(void **state)
{
    (void)state;
    beam_network *net = shrinking();
    side sides[3];
    size_t count = 0;
    float *alone = trained(net, &defaults, &count);
    beam_device *device = NULL;
    nets_ok(beam_device_open("cpu", NULL, &device, NULL), &(beam_error){0});
    for (size_t i = 0; i < 3; i++) {
        sides[i] = (side){.device = device, .network = net};
        assert_int_equal(pthread_create(&sides[i].thread, NULL, train_beside, &sides[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(sides[i].thread, NULL), 0);
        assert_int_equal(sides[i].count, count);
        assert_memory_equal(sides[i].states, alone, count * sizeof *alone);
        beam_free(sides[i].states);
    }
    beam_free(alone);
    beam_device_close(device);
    beam_network_free(net);
}

static void test_memory_out(void **state)
{
    (void)state;
    beam_network *net = shrinking();
    beam_device *device = NULL;
    nets_ok(beam_device_open("cpu", NULL, &device, NULL), &(beam_error){0});
    const uint64_t step = getenv("BEAM_LONG") ? 1 : 5;
    for (uint64_t n = 1;; n += step) {
        beam_error err = {0};
        beam_training *training = NULL;
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_device_train(device, net, &defaults, &training, &err);
        bool all = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        if (status == BEAM_OK) {
            beam_training_free(training);
            assert_true(all);
            break;
        }
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
        assert_null(training);
        assert_true(err.message[0] != '\0');
    }
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes + memory.working_bytes, 0);
    beam_device_close(device);
    beam_network_free(net);
}

static void test_steps_take_no_memory(void **state)
{
    (void)state;
    beam_network *net = shrinking();
    beam_training *training = open_training("cpu", net, &defaults);
    take_steps(training, net);
    beam_alloc_fail_at(0, 0);
    take_steps(training, net);
    assert_int_equal(beam_alloc_count(), STEPS); /* the test's own images */
    beam_training_free(training);
    beam_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_states_from_elsewhere),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_memory_out),
        cmocka_unit_test(test_steps_take_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
