/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_ops.c - every operation on the CPU device against the reference, over many shapes, and
 * in the combinations that are fused and those that must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"

/* Runs the network that ends in `y` on both devices at both precisions. */
static void compare_outputs(beam_network *net, const beam_value *y, size_t n, int64_t batch)
{
    beam_error err = {0};
    nets_ok(beam_network_finish(net, y, n, &err), &err);
    nets_fill(net, 9);
    size_t wanted_count = 0, count = 0;
    float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, batch, &wanted_count);
    for (int p = 0; p < 2; p++) {
        float *got = nets_run("cpu", net, (beam_precision)p, batch, &count);
        assert_int_equal(count, wanted_count);
        double difference = nets_difference(got, wanted, count);
        if (difference > (p ? 3e-2 : 1e-5))
            fail_msg("%s at %s, batch %lld: relative difference %g", beam_network_name(net),
                     p ? "bf16" : "f32", (long long)batch, difference);
        beam_free(got);
    }
    beam_free(wanted);
    beam_network_free(net);
}

static void compare(beam_network *net, beam_value y, int64_t batch)
{
    compare_outputs(net, &y, 1, batch);
}

static beam_value image(beam_network *net, int64_t c, int64_t h, int64_t w)
{
    return beam_nn_input(net, "image", 3, (const int64_t[]){c, h, w});
}

static void test_conv2d(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, c, h, w, out, kernel, stride, padding, dilation, groups;
        bool no_bias;
    } cases[] = {
        {1, 3, 8, 8, 16, 3, 1, 1, 1, 1, false},   {2, 3, 15, 11, 64, 7, 2, 3, 1, 1, true},
        {3, 16, 7, 7, 32, 1, 1, 0, 1, 1, false},  {5, 64, 4, 4, 128, 1, 2, 0, 1, 1, true},
        {1, 32, 9, 6, 48, 3, 2, 1, 1, 1, false},  {2, 8, 10, 10, 12, 3, 1, 2, 2, 1, false},
        {2, 12, 6, 6, 24, 3, 1, 1, 1, 3, false},  {2, 32, 6, 6, 32, 3, 1, 1, 1, 32, true},
        {1, 5, 5, 7, 7, 5, 1, 0, 1, 1, false},    {4, 1, 8, 8, 1, 2, 2, 0, 1, 1, false},
        {7, 17, 3, 3, 19, 3, 3, 1, 1, 1, false},  {1, 64, 2, 2, 64, 3, 1, 1, 1, 1, true},
        {1, 256, 1, 1, 256, 3, 1, 1, 1, 1, true}, {2, 4, 12, 12, 4, 3, 1, 8, 1, 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_network *net = beam_network_new("conv2d");
        beam_value y = image(net, cases[i].c, cases[i].h, cases[i].w);
        y = beam_nn_conv2d(net, y, "conv", .out_channels = cases[i].out, .kernel = cases[i].kernel,
                           .stride = cases[i].stride, .padding = cases[i].padding,
                           .dilation = cases[i].dilation, .groups = cases[i].groups,
                           .no_bias = cases[i].no_bias);
        compare(net, y, cases[i].batch);
    }
}

static void test_pools(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, c, h, w, kernel, stride, padding;
    } cases[] = {
        {1, 3, 8, 8, 2, 0, 0},  {2, 16, 15, 9, 3, 2, 1}, {3, 64, 7, 7, 3, 1, 1},
        {2, 5, 11, 6, 2, 3, 0}, {1, 32, 4, 4, 4, 4, 2},  {2, 7, 9, 9, 5, 2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int average = 0; average < 2; average++) {
            for (int behind = 0; behind < 2; behind++) { /* behind a convolution: other layouts */
                beam_network *net = beam_network_new(average ? "avg_pool2d" : "max_pool2d");
                beam_value y = image(net, cases[i].c, cases[i].h, cases[i].w);
                if (behind)
                    y = beam_nn_conv2d(net, y, "conv", .out_channels = 32, .kernel = 1);
                beam_pool2d_options o = {.struct_size = sizeof o,
                                         .kernel = cases[i].kernel,
                                         .stride = cases[i].stride,
                                         .padding = cases[i].padding};
                y = average ? beam_nn_avg_pool2d_(net, y, &o) : beam_nn_max_pool2d_(net, y, &o);
                compare(net, y, cases[i].batch);
            }
        }
        beam_network *net = beam_network_new("global_avg_pool");
        beam_value x = image(net, cases[i].c, cases[i].h, cases[i].w);
        compare(net, beam_nn_global_avg_pool(net, x), cases[i].batch);
    }
}

static void test_linear_and_softmax(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, in, out;
    } cases[] = {{1, 1, 1}, {3, 7, 5}, {2, 512, 1000}, {16, 64, 10}, {33, 100, 33}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int kind = 0; kind < 4; kind++) {
            beam_network *net = beam_network_new("linear");
            beam_value y = beam_nn_input(net, "x", 1, &cases[i].in);
            if (kind == 3)
                y = beam_nn_relu(net, beam_nn_linear(net, y, "hidden", .out_features = 24));
            y = beam_nn_linear(net, y, "fc", .out_features = cases[i].out, .no_bias = kind == 1);
            if (kind >= 2)
                y = beam_nn_softmax(net, y);
            compare(net, y, cases[i].batch);
        }
    }
}

static void test_softmax_of_images(void **state)
{
    (void)state;
    for (int64_t channels = 3; channels < 40; channels += 29) {
        for (int inside = 0; inside < 2; inside++) {
            beam_network *net = beam_network_new("softmax_of_images");
            beam_value y = beam_nn_conv2d(net, image(net, 3, 5, 7), "conv",
                                          .out_channels = channels, .kernel = 1);
            y = beam_nn_softmax(net, y);
            compare(net, inside ? beam_nn_relu(net, y) : y, 2);
        }
    }
}

static void test_elementwise(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{3, 5, 7}, {16, 4, 4}, {33, 1, 1}};
    for (size_t i = 0; i < 3; i++) {
        const int64_t *s = sizes[i];
        beam_network *net = beam_network_new("relu");
        compare(net, beam_nn_relu(net, image(net, s[0], s[1], s[2])), 3);

        net = beam_network_new("batch_norm");
        compare(net, beam_nn_batch_norm(net, image(net, s[0], s[1], s[2]), "bn", 1e-3f), 2);

        net = beam_network_new("batch_norm_then_relu");
        beam_value y = beam_nn_batch_norm(net, image(net, s[0], s[1], s[2]), "bn", 0);
        compare(net, beam_nn_relu(net, y), 2);

        net = beam_network_new("gelu");
        y = beam_nn_scale(net, image(net, s[0], s[1], s[2]), 6); /* where its ends are flat, too */
        compare(net, beam_nn_gelu(net, y), 3);

        net = beam_network_new("scale_and_dropout");
        y = beam_nn_scale(net, image(net, s[0], s[1], s[2]), -0.75f);
        compare(net, beam_nn_dropout(net, y, 0.25f), 3);

        net = beam_network_new("two_inputs");
        beam_value a = image(net, s[0], s[1], s[2]), b = image(net, s[0], s[1], s[2]);
        compare(net, beam_nn_relu(net, beam_nn_add(net, a, b)), 4);

        net = beam_network_new("twice_itself");
        a = image(net, s[0], s[1], s[2]);
        compare(net, beam_nn_add(net, a, a), 1);
    }
    beam_network *net = beam_network_new("batch_norm_of_features");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){19});
    compare(net, beam_nn_batch_norm(net, x, "bn", 0), 6);
}

static beam_value conv_bn(beam_network *net, beam_value x, const char *conv, const char *bn)
{
    x = beam_nn_conv2d(net, x, conv, .out_channels = 16, .kernel = 3, .padding = 1,
                       .no_bias = conv[0] == 'n');
    return beam_nn_batch_norm(net, x, bn, 0);
}

static void test_residual_blocks(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) { /* the shortcut before or after the long branch */
        beam_network *net = beam_network_new("downsample");
        beam_value x = image(net, 4, 9, 9), cut = {0};
        if (!late)
            cut = conv_bn(net, x, "nocut", "bncut");
        beam_value y = beam_nn_relu(net, conv_bn(net, x, "no1", "bn1"));
        y = conv_bn(net, y, "conv2", "bn2");
        if (late)
            cut = conv_bn(net, x, "nocut", "bncut");
        y = late ? beam_nn_add(net, y, cut) : beam_nn_add(net, cut, y);
        compare(net, beam_nn_relu(net, y), 3);
    }
    beam_network *net = beam_network_new("identity");
    beam_value x = beam_nn_gelu(net, conv_bn(net, image(net, 4, 9, 9), "stem", "bn0"));
    beam_value y = beam_nn_relu(net, conv_bn(net, x, "no1", "bn1"));
    y = beam_nn_relu(net, beam_nn_add(net, conv_bn(net, y, "conv2", "bn2"), x));
    compare(net, beam_nn_global_avg_pool(net, y), 2);
}

/* Where fusing or overwriting would give a wrong result. */
static void test_what_must_not_be_fused(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("conv_over_its_own_input");
    beam_value x =
        beam_nn_conv2d(net, image(net, 3, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    compare(net, beam_nn_add(net, conv_bn(net, x, "conv", "bn"), x), 2);

    net = beam_network_new("addend_read_later");
    x = beam_nn_conv2d(net, image(net, 16, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    beam_value y = conv_bn(net, beam_nn_relu(net, x), "conv", "bn");
    y = beam_nn_add(net, y, x);
    compare(net, beam_nn_add(net, y, beam_nn_max_pool2d(net, x, .kernel = 1)), 2);

    net = beam_network_new("addend_read_between");
    x = beam_nn_conv2d(net, image(net, 16, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    beam_value z = beam_nn_relu(net, x);
    y = conv_bn(net, z, "conv", "bn");
    z = beam_nn_max_pool2d(net, x, .kernel = 3, .stride = 1, .padding = 1);
    compare(net, beam_nn_add(net, z, beam_nn_add(net, y, x)), 2);

    net = beam_network_new("read_twice");
    x = beam_nn_conv2d(net, image(net, 3, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    y = beam_nn_batch_norm(net, x, "bn", 0);
    compare(net, beam_nn_add(net, beam_nn_relu(net, x), y), 2);

    net = beam_network_new("input_added");
    x = image(net, 16, 6, 6);
    compare(net, beam_nn_add(net, conv_bn(net, x, "conv", "bn"), x), 2);

    net = beam_network_new("outputs_between");
    x = conv_bn(net, image(net, 3, 6, 6), "conv", "bn");
    y = beam_nn_relu(net, x);
    compare_outputs(net, (const beam_value[]){x, y}, 2, 2);

    net = beam_network_new("dropped_and_used"); /* in inference a dropout is its operand */
    x = beam_nn_conv2d(net, image(net, 3, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    z = beam_nn_dropout(net, x, 0.5f);
    y = beam_nn_add(net, conv_bn(net, beam_nn_relu(net, x), "conv", "bn"), z);
    compare(net, beam_nn_add(net, y, beam_nn_max_pool2d(net, x, .kernel = 1)), 2);

    net = beam_network_new("used_after_dropping");
    x = beam_nn_conv2d(net, image(net, 3, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    z = beam_nn_dropout(net, x, 0.5f);
    y = beam_nn_add(net, conv_bn(net, beam_nn_relu(net, z), "conv", "bn"), x);
    compare(net, beam_nn_add(net, y, beam_nn_max_pool2d(net, z, .kernel = 1)), 2);

    net = beam_network_new("dropped_twice"); /* three names of one buffer, the second one added */
    x = beam_nn_conv2d(net, image(net, 3, 6, 6), "stem", .out_channels = 16, .kernel = 1);
    z = beam_nn_dropout(net, x, 0.5f);
    y = beam_nn_dropout(net, z, 0.5f);
    x = beam_nn_add(net, conv_bn(net, beam_nn_gelu(net, x), "conv", "bn"), z);
    compare(net, beam_nn_add(net, x, beam_nn_max_pool2d(net, y, .kernel = 1)), 2);

    net = beam_network_new("input_dropped"); /* an output is not where the caller's numbers are */
    x = beam_nn_dropout(net, image(net, 3, 4, 4), 0.5f);
    y = beam_nn_dropout(net, x, 0.5f);
    compare_outputs(net, (const beam_value[]){beam_nn_scale(net, x, 2), y}, 2, 2);

    net = beam_network_new("flattened_and_used");
    x = beam_nn_conv2d(net, image(net, 3, 4, 4), "stem", .out_channels = 2, .kernel = 1);
    z = beam_nn_flatten(net, x);
    y = beam_nn_linear(net, beam_nn_relu(net, z), "fc", .out_features = 32);
    y = beam_nn_add(net, y, z);
    compare(net, beam_nn_add(net, y, beam_nn_flatten(net, beam_nn_relu(net, x))), 2);
}

/* Values so large that a batch is run in pieces, the last one smaller. */
static void test_large_values(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("large_values");
    beam_value a = image(net, 3, 80, 80), b = image(net, 1, 3, 3);
    beam_value y = beam_nn_conv2d(net, a, "stem", .out_channels = 64, .kernel = 1);
    y = beam_nn_flatten(net, beam_nn_global_avg_pool(net, beam_nn_relu(net, y)));
    beam_value z = beam_nn_linear(net, beam_nn_flatten(net, b), "fc", .out_features = 64);
    compare_outputs(net, (const beam_value[]){beam_nn_add(net, y, z), z}, 2, 11);
}

static void test_networks(void **state)
{
    (void)state;
    static const char *const names[] = {"small_cnn", "resnet18", "resnet50"};
    for (size_t i = 0; i < 3; i++) {
        beam_error err = {0};
        beam_network *net = NULL;
        beam_network_options o = {
            .struct_size = sizeof o, .num_classes = 12, .height = 16, .width = 20};
        nets_ok(beam_network_create(names[i], &o, &net, &err), &err);
        nets_fill(net, 4);
        size_t n = 0, m = 0;
        float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, 2, &n);
        float *got = nets_run("cpu", net, BEAM_PRECISION_F32, 2, &m);
        assert_int_equal(n, m);
        assert_true(nets_difference(got, wanted, n) < 1e-4);
        beam_free(wanted);
        beam_free(got);
        beam_network_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv2d),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_linear_and_softmax),
        cmocka_unit_test(test_softmax_of_images),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_residual_blocks),
        cmocka_unit_test(test_what_must_not_be_fused),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
