/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_gradients.c - the gradient of every parameter, hence of every layer on the way to it,
 * against differences of the loss along random directions, on the reference device. */
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

enum { BATCH = 4, CLASSES = 5 };

typedef struct problem {
    beam_training *training;
    beam_tensor image;
    uint32_t labels[BATCH];
    uint64_t seed;
} problem;

static void open_problem(problem *p, beam_network *net, beam_value logits)
{
    beam_error err = {0};
    nets_ok(beam_network_finish(net, &logits, 1, &err), &err);
    nets_fill(net, 3);
    beam_device *device = NULL;
    nets_ok(beam_device_open("reference", NULL, &device, &err), &err);
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = BATCH,
                                           .label_smoothing = 0.1f,
                                           .seed = 5,
                                           .keep_gradients = true};
    nets_ok(beam_device_train(device, net, &options, &p->training, &err), &err);
    beam_device_close(device);
    p->image = beam_network_input(net, 0, BATCH);
    p->image.data = nets_numbers(11, beam_tensor_bytes(&p->image) / sizeof(float));
    for (uint32_t i = 0; i < BATCH; i++)
        p->labels[i] = (3 * i + 1) % CLASSES;
}

/* The loss with a learning rate of 0, so that nothing moves, always of the same step number. */
static double loss(problem *p)
{
    beam_step_result result;
    beam_error err = {0};
    beam_training_set_steps(p->training, 7);
    nets_ok(beam_training_step(p->training, &p->image, 1, p->labels, 0, &result, &err), &err);
    return (double)result.loss;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void write_moved(problem *p, const char *name, const float *from, const float *way, size_t n,
                        double by)
{
    beam_error err = {0};
    float *moved = beam_malloc(n * sizeof *moved);
    for (size_t i = 0; i < n; i++)
        moved[i] = (float)((double)from[i] + by * (double)way[i]);
    nets_ok(beam_training_write(p->training, name, moved, &err), &err);
    beam_free(moved);
}

static void check_parameter(problem *p, const char *name, size_t n)
{
    beam_error err = {0};
    char grad[128];
    float *weights = beam_malloc(n * sizeof(float)), *gradient = beam_malloc(n * sizeof(float));
    (void)snprintf(grad, sizeof grad, "%s.grad", name);
    nets_ok(beam_training_read(p->training, name, weights, &err), &err);
    (void)loss(p);
    nets_ok(beam_training_read(p->training, grad, gradient, &err), &err);
    /* Along the gradient itself the slope is its norm, the largest there is; a second way is
     * anywhere. */
    double norm = sqrt(dot(gradient, gradient, n));
    assert_true(norm > 1e-4);
    float *ways[2] = {beam_malloc(n * sizeof(float)), nets_numbers(p->seed++, n)};
    for (size_t i = 0; i < n; i++)
        ways[0][i] = (float)((double)gradient[i] / norm);
    for (int w = 0; w < 2; w++) {
        double length = sqrt(dot(ways[w], ways[w], n)), step = 4e-3 / length;
        write_moved(p, name, weights, ways[w], n, step);
        double up = loss(p);
        write_moved(p, name, weights, ways[w], n, -step);
        double down = loss(p);
        double slope = (up - down) / (2 * step), wanted = dot(gradient, ways[w], n);
        if (fabs(slope - wanted) > (2e-2 * norm + 2e-4) * length)
            fail_msg("%s: the loss changes by %g, its gradient says %g (norm %g)", name, slope,
                     wanted, norm * length);
        beam_free(ways[w]);
    }
    nets_ok(beam_training_write(p->training, name, weights, &err), &err);
    beam_free(weights);
    beam_free(gradient);
}

/* Takes the network that ends in `features`, adds a linear layer and checks all. */
static void check(beam_network *net, beam_value features)
{
    beam_value logits =
        beam_nn_linear(net, beam_nn_flatten(net, features), "head", .out_features = CLASSES);
    problem p = {.seed = 100};
    open_problem(&p, net, logits);
    size_t checked = 0;
    for (size_t i = 0; i < beam_network_num_parameters(net); i++) {
        beam_parameter parameter;
        assert_int_equal(beam_network_parameter(net, i, &parameter), BEAM_OK);
        if (!parameter.trainable)
            continue;
        check_parameter(&p, parameter.name, beam_tensor_bytes(&parameter.tensor) / sizeof(float));
        checked++;
    }
    assert_true(checked >= 2);
    beam_free((void *)(uintptr_t)p.image.data);
    beam_training_free(p.training);
    beam_network_free(net);
}

static beam_value image(beam_network *net, int64_t c, int64_t h, int64_t w)
{
    return beam_nn_input(net, "image", 3, (const int64_t[]){c, h, w});
}

static void test_convolutions(void **state)
{
    (void)state;
    static const struct {
        int64_t c, h, w, out, kernel, stride, padding, dilation, groups;
        bool no_bias;
    } cases[] = {
        {3, 6, 6, 4, 3, 1, 1, 1, 1, true}, {3, 7, 5, 4, 3, 2, 1, 1, 1, false},
        {4, 6, 6, 4, 3, 1, 2, 2, 1, true}, {4, 6, 6, 6, 3, 1, 1, 1, 2, false},
        {2, 5, 5, 3, 1, 1, 0, 1, 1, true}, {2, 8, 8, 3, 5, 3, 2, 1, 1, true},
        {4, 5, 5, 4, 3, 1, 1, 1, 4, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_network *net = beam_network_new("conv");
        /* The first gives the second's data a reason to want a gradient. */
        beam_value x = beam_nn_conv2d(net, image(net, 2, cases[i].h, cases[i].w), "before",
                                      .out_channels = cases[i].c, .kernel = 1);
        x = beam_nn_conv2d(net, x, "conv", .out_channels = cases[i].out, .kernel = cases[i].kernel,
                           .stride = cases[i].stride, .padding = cases[i].padding,
                           .dilation = cases[i].dilation, .groups = cases[i].groups,
                           .no_bias = cases[i].no_bias);
        check(net, x);
    }
}

static void test_batch_norm_and_relu(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("norm");
    beam_value x = beam_nn_conv2d(net, image(net, 3, 5, 5), "conv", .out_channels = 4, .kernel = 3,
                                  .padding = 1, .no_bias = true);
    x = beam_nn_relu(net, beam_nn_batch_norm(net, x, "bn", 0));
    x = beam_nn_conv2d(net, x, "conv2", .out_channels = 4, .kernel = 3, .no_bias = true);
    check(net, beam_nn_batch_norm(net, x, "bn2", 1e-3f));

    net = beam_network_new("features");
    x = beam_nn_linear(net, beam_nn_flatten(net, image(net, 2, 3, 3)), "fc", .out_features = 8,
                       .no_bias = true);
    check(net, beam_nn_relu(net, beam_nn_batch_norm(net, x, "bn", 0)));
}

static void test_gelu(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("gelu");
    beam_value x = beam_nn_conv2d(net, image(net, 3, 5, 5), "conv", .out_channels = 4, .kernel = 3,
                                  .padding = 1);
    x = beam_nn_gelu(net, beam_nn_batch_norm(net, beam_nn_gelu(net, x), "bn", 0));
    check(net, beam_nn_gelu(net, beam_nn_scale(net, x, 3)));
}

static void test_pools(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        beam_network *net = beam_network_new("pool");
        beam_value x = beam_nn_conv2d(net, image(net, 2, 7, 7), "conv", .out_channels = 3,
                                      .kernel = 3, .padding = 1);
        if (kind == 0)
            x = beam_nn_max_pool2d(net, x, .kernel = 2);
        else if (kind == 1)
            x = beam_nn_max_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1);
        else if (kind == 2)
            x = beam_nn_avg_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1);
        else if (kind == 3)
            x = beam_nn_avg_pool2d(net, x, .kernel = 2);
        else
            x = beam_nn_global_avg_pool(net, x);
        check(net, x);
    }
}

/* A value that several operations read gets the sum of what they send back. */
static void test_shared_values(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("shared");
    beam_value x = beam_nn_conv2d(net, image(net, 2, 4, 4), "conv", .out_channels = 4, .kernel = 3,
                                  .padding = 1);
    beam_value y = beam_nn_relu(net, x);
    beam_value z = beam_nn_conv2d(net, y, "again", .out_channels = 4, .kernel = 3, .padding = 1);
    z = beam_nn_add(net, beam_nn_add(net, z, y), x);
    check(net, beam_nn_add(net, z, z));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),  cmocka_unit_test(test_batch_norm_and_relu),
        cmocka_unit_test(test_gelu),          cmocka_unit_test(test_pools),
        cmocka_unit_test(test_shared_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
