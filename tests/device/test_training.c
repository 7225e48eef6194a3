/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_training.c - training steps on the CPU device against the reference: losses, gradients, and
 * what lasts after several steps, for every layer and optimizer. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "nn/network.h"

enum { BATCH = 8, CLASSES = 5, STEPS = 3 };

static beam_value image(beam_network *net, int64_t c, int64_t h, int64_t w)
{
    return beam_nn_input(net, "image", 3, (const int64_t[]){c, h, w});
}

static void end_network(beam_network *net, beam_value features)
{
    beam_error err = {0};
    beam_value logits =
        beam_nn_linear(net, beam_nn_flatten(net, features), "head", .out_features = CLASSES);
    nets_ok(beam_network_finish(net, &logits, 1, &err), &err);
    nets_fill(net, 3);
}

/* A residual block with all that ResNets have. */
static beam_network *residual(void)
{
    beam_network *net = beam_network_new("residual");
    beam_value x = beam_nn_conv2d(net, image(net, 3, 12, 12), "conv1", .out_channels = 16,
                                  .kernel = 3, .padding = 1, .no_bias = true);
    x = beam_nn_relu(net, beam_nn_batch_norm(net, x, "bn1", 0));
    x = beam_nn_max_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1);
    beam_value y = beam_nn_conv2d(net, x, "conv2", .out_channels = 24, .kernel = 3, .stride = 2,
                                  .padding = 1, .no_bias = true);
    y = beam_nn_relu(net, beam_nn_batch_norm(net, y, "bn2", 0));
    y = beam_nn_conv2d(net, y, "conv3", .out_channels = 24, .kernel = 3, .padding = 1,
                       .no_bias = true);
    y = beam_nn_batch_norm(net, y, "bn3", 0);
    x = beam_nn_conv2d(net, x, "down", .out_channels = 24, .kernel = 1, .stride = 2,
                       .no_bias = true);
    x = beam_nn_relu(net, beam_nn_add(net, y, beam_nn_batch_norm(net, x, "bn4", 0)));
    end_network(net, beam_nn_global_avg_pool(net, x));
    return net;
}

/* Operations outside the patterns that are fused, values read several times, biases, groups. */
static beam_network *odd(void)
{
    beam_network *net = beam_network_new("odd");
    beam_value x = beam_nn_conv2d(net, image(net, 4, 9, 7), "conv1", .out_channels = 8, .kernel = 3,
                                  .padding = 2, .dilation = 2, .groups = 2);
    beam_value y = beam_nn_relu(net, x);
    y = beam_nn_add(net, y, x);
    beam_value z = beam_nn_batch_norm(net, y, "bn1", 1e-3f);
    z = beam_nn_add(net, beam_nn_relu(net, z), z);
    z = beam_nn_avg_pool2d(net, z, .kernel = 3, .stride = 2, .padding = 1);
    z = beam_nn_conv2d(net, z, "conv2", .out_channels = 6, .kernel = 3);
    z = beam_nn_add(net, z, z);
    z = beam_nn_relu(net, beam_nn_linear(net, beam_nn_flatten(net, z), "fc", .out_features = 9));
    z = beam_nn_batch_norm(net, z, "bn2", 0);
    end_network(net, z);
    return net;
}

/* Gelus behind a batch norm, whose pass takes them along, and where something else reads what is
 * between. */
static beam_network *gelus(void)
{
    beam_network *net = beam_network_new("gelus");
    beam_value x = beam_nn_conv2d(net, image(net, 3, 9, 7), "conv1", .out_channels = 24,
                                  .kernel = 2, .no_bias = true);
    beam_value y = beam_nn_conv2d(net, beam_nn_gelu(net, x), "conv2", .out_channels = 24,
                                  .kernel = 3, .padding = 1, .no_bias = true);
    y = beam_nn_gelu(net,
                     beam_nn_batch_norm(net, beam_nn_max_pool2d(net, y, .kernel = 2), "bn1", 0));
    x = beam_nn_conv2d(net, y, "conv3", .out_channels = 24, .kernel = 3, .padding = 1,
                       .no_bias = true);
    x = beam_nn_gelu(net, beam_nn_add(net, beam_nn_batch_norm(net, x, "bn2", 0), y));
    x = beam_nn_conv2d(net, x, "conv4", .out_channels = 9, .kernel = 3, .no_bias = true);
    x = beam_nn_batch_norm(net, x, "bn3", 0);
    x = beam_nn_add(net, beam_nn_gelu(net, x), beam_nn_gelu(net, x));
    end_network(net, beam_nn_gelu(net, beam_nn_batch_norm(net, x, "bn4", 0)));
    return net;
}

/* Images that become smaller than the windows that pass over them: taps that only see padding. */
static beam_network *shrinking(void)
{
    beam_network *net = beam_network_new("shrinking");
    beam_value x = image(net, 16, 4, 2);
    for (int i = 0; i < 4; i++) {
        char conv[8], bn[8];
        (void)snprintf(conv, sizeof conv, "conv%d", i);
        (void)snprintf(bn, sizeof bn, "bn%d", i);
        x = beam_nn_conv2d(net, x, conv, .out_channels = i == 2 ? 24 : 32, .kernel = i == 3 ? 5 : 3,
                           .stride = i < 2 ? 2 : 1, .padding = i == 3 ? 2 : 1, .no_bias = true);
        x = beam_nn_relu(net, beam_nn_batch_norm(net, x, bn, 0));
    }
    end_network(net, x);
    return net;
}

/* Windows of 3x3 over images that are worth cutting into tiles: with padding of any size, more
 * channels and fewer, one that is not trained, and what comes in read twice. */
static beam_network *tiles(void)
{
    beam_network *net = beam_network_new("tiles");
    static const int64_t channels[] = {16, 32, 32, 16}, padding[] = {1, 0, 2, 1};
    beam_value x =
        beam_nn_conv2d(net, image(net, 3, 6, 7), "stem", .out_channels = 16, .kernel = 1);
    for (int i = 0; i < 4; i++) {
        char conv[8], bn[8];
        (void)snprintf(conv, sizeof conv, "conv%d", i);
        (void)snprintf(bn, sizeof bn, "bn%d", i);
        beam_value y = beam_nn_conv2d(net, x, conv, .out_channels = channels[i], .kernel = 3,
                                      .padding = padding[i], .no_bias = true);
        y = beam_nn_relu(net, beam_nn_batch_norm(net, y, bn, 0));
        x = i == 0 ? beam_nn_add(net, y,
                                 beam_nn_conv2d(net, x, "skip", .out_channels = 16, .kernel = 3,
                                                .padding = 1, .no_bias = true))
                   : y;
    }
    beam_nn_freeze(net, "conv1.weight");
    end_network(net, beam_nn_global_avg_pool(net, x));
    return net;
}

static beam_training *train(const char *name, const beam_network *net,
                            const beam_training_options *options, uint64_t steps,
                            beam_step_result *results)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_training *training = NULL;
    uint32_t labels[BATCH];
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    nets_ok(beam_device_train(device, net, options, &training, &err), &err);
    beam_device_close(device);
    for (uint64_t s = 0; s < steps; s++) {
        beam_tensor x = beam_network_input(net, 0, BATCH);
        x.data = nets_numbers(20 + s, beam_tensor_bytes(&x) / sizeof(float));
        for (uint32_t i = 0; i < BATCH; i++)
            labels[i] = (3 * i + (uint32_t)s) % CLASSES;
        nets_ok(beam_training_step(training, &x, 1, labels, 0.05f, &results[s], &err), &err);
        beam_free((void *)(uintptr_t)x.data);
    }
    return training;
}

static void compare_state(beam_training *got, beam_training *wanted, const char *name, size_t n,
                          double limit)
{
    beam_error err = {0};
    float *a = beam_malloc(n * sizeof *a), *b = beam_malloc(n * sizeof *b);
    nets_ok(beam_training_read(got, name, a, &err), &err);
    nets_ok(beam_training_read(wanted, name, b, &err), &err);
    double difference = nets_difference(a, b, n);
    if (!(difference <= limit))
        fail_msg("%s: relative difference %g", name, difference);
    beam_free(a);
    beam_free(b);
}

static void compare(const beam_network *net, const beam_training_options *options, uint64_t steps,
                    double limit)
{
    beam_step_result got[STEPS], wanted[STEPS];
    beam_training *cpu = train("cpu", net, options, steps, got);
    beam_training_options f32 = *options;
    f32.precision = BEAM_PRECISION_F32;
    beam_training *reference = train("reference", net, &f32, steps, wanted);
    for (uint64_t s = 0; s < steps; s++) {
        if (fabs((double)(got[s].loss - wanted[s].loss)) > limit * (double)wanted[s].loss)
            fail_msg("%s, step %d: loss %g, reference %g", beam_network_name(net), (int)s,
                     (double)got[s].loss, (double)wanted[s].loss);
        if (limit < 1e-2)
            assert_int_equal(got[s].correct, wanted[s].correct);
        assert_true(fabs((double)(got[s].gradient_norm - wanted[s].gradient_norm)) <=
                    4 * limit * (double)wanted[s].gradient_norm);
    }
    for (size_t i = 0; i < beam_training_num_states(cpu); i++) {
        const char *name = NULL;
        char grad[128];
        beam_tensor tensor;
        assert_int_equal(beam_training_state(cpu, i, &name, &tensor), BEAM_OK);
        size_t n = beam_tensor_bytes(&tensor) / sizeof(float);
        compare_state(cpu, reference, name, n, 10 * limit);
        (void)snprintf(grad, sizeof grad, "%s.grad", name);
        beam_parameter p;
        if (beam_network_parameter(net, i, &p) == BEAM_OK && p.trainable && limit < 1e-2)
            compare_state(cpu, reference, grad, n, 20 * limit);
    }
    beam_training_free(cpu);
    beam_training_free(reference);
}

static void test_optimizers(void **state)
{
    (void)state;
    static const beam_optimizer optimizers[] = {
        {.kind = BEAM_OPTIMIZER_SGD},
        {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.01f},
        {.kind = BEAM_OPTIMIZER_SGD,
         .momentum = 0.9f,
         .nesterov = true,
         .decay_all = true,
         .weight_decay = 0.01f,
         .bias_lr_factor = 4},
        {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f, .max_gradient_norm = 0.5f},
        {.kind = BEAM_OPTIMIZER_ADAM, .weight_decay = 0.01f, .epsilon = 1e-3f},
        {.kind = BEAM_OPTIMIZER_ADAMW,
         .weight_decay = 0.1f,
         .epsilon = 1e-3f,
         .max_gradient_norm = 1},
        {.kind = BEAM_OPTIMIZER_MUON, .epsilon = 1e-3f},
        {.kind = BEAM_OPTIMIZER_MUON,
         .momentum = 0.6f,
         .weight_decay = 0.1f,
         .epsilon = 1e-3f,
         .max_gradient_norm = 1},
    };
    beam_network *nets[] = {residual(), odd(), gelus(), shrinking(), tiles()};
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++) {
        for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
            for (uint32_t threads = 1; threads <= 2; threads++) {
                const beam_training_options options = {.struct_size = sizeof options,
                                                       .batch_size = BATCH,
                                                       .num_threads = threads,
                                                       .optimizer = optimizers[i],
                                                       .label_smoothing = 0.2f,
                                                       .keep_gradients = true};
                /* What tiles are rounded by is more than Adam's first steps forgive. */
                bool tiled = strcmp(beam_network_name(nets[n]), "tiles") == 0;
                compare(nets[n], &options, tiled ? 1 : STEPS, 1e-4);
            }
        beam_network_free(nets[n]);
    }
}

static void test_bf16(void **state)
{
    (void)state;
    beam_network *nets[] = {residual(), odd(), gelus(), shrinking(), tiles()};
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++) {
        const beam_training_options options = {.struct_size = sizeof options,
                                               .precision = BEAM_PRECISION_BF16,
                                               .batch_size = BATCH,
                                               .optimizer = {.momentum = 0.9f, .nesterov = true}};
        compare(nets[n], &options, 1, 3e-2); /* rounding grows from step to step */
        beam_network_free(nets[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
