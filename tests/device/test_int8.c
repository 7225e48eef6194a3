/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_int8.c - inference in int8: the CPU device against the reference, which computes as
 * device/int8.h says; both against f32; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "nn/int8.h"
#include "support/shortage.h"

static void calibrate(beam_network *net, int64_t batch)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_calibration *calibration = NULL;
    beam_tensor inputs[2];
    size_t n = beam_network_num_inputs(net);
    for (size_t i = 0; i < n; i++) { /* as nets_run has them */
        inputs[i] = beam_network_input(net, i, batch);
        inputs[i].data = nets_numbers(77 + i, beam_tensor_bytes(&inputs[i]) / sizeof(float));
    }
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    nets_ok(beam_calibration_new(device, net, batch, &calibration, &err), &err);
    nets_ok(beam_calibration_add(calibration, inputs, n, &err), &err);
    nets_ok(beam_calibration_finish(calibration, net, &err), &err);
    beam_calibration_free(calibration);
    nets_close(device);
    for (size_t i = 0; i < n; i++)
        beam_free((void *)(uintptr_t)inputs[i].data);
}

/* The CPU's sums are the reference's, and the rest of a step is arithmetic in f32, whose last bits
 * differ and turn a rounding now and then: nearly all results are the reference's.  Of operands
 * that may be negative, CPUs without VNNI multiply with weights of seven bits: `exact` is false. */
static void compare_with(beam_network *net, beam_value y, int64_t batch, bool exact, double close)
{
    beam_error err = {0};
    size_t n, m, k, differ = 0;
    nets_ok(beam_network_finish(net, &y, 1, &err), &err);
    nets_fill(net, 9);
    calibrate(net, batch);
    float *f32 = nets_run("reference", net, BEAM_PRECISION_F32, batch, &n);
    float *wanted = nets_run("reference", net, BEAM_PRECISION_INT8, batch, &m);
    float *got = nets_run("cpu", net, BEAM_PRECISION_INT8, batch, &k);
    assert_true(n == m && n == k);
    double apart = nets_difference(got, wanted, n), off = nets_difference(wanted, f32, n);
    for (size_t i = 0; i < n; i++)
        differ += fabs((double)got[i] - (double)wanted[i]) > 1e-5 * fabs((double)wanted[i]) + 1e-6;
    if (off > close || off == 0 || (exact && (apart > 0.03 || differ * 10 > n)) ||
        (!exact && apart > close))
        fail_msg("%s, batch %lld: CPU and reference differ by %g (%zu of %zu), int8 and f32 by %g",
                 beam_network_name(net), (long long)batch, apart, differ, n, off);
    beam_free(f32);
    beam_free(wanted);
    beam_free(got);
    beam_network_free(net);
}

static beam_value image(beam_network *net, int64_t c, int64_t h, int64_t w)
{
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){c, h, w});
    return beam_nn_relu(net, x);
}

/* What ends a network stays in f32. */
static beam_value end(beam_network *net, beam_value x)
{
    return beam_nn_linear(net, beam_nn_flatten(net, x), "fc", .out_features = 40);
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
        {1, 5, 5, 7, 7, 5, 1, 0, 1, 1, false},    {7, 17, 3, 3, 19, 3, 3, 1, 1, 1, false},
        {1, 256, 1, 1, 256, 3, 1, 1, 1, 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_network *net = beam_network_new("conv2d");
        beam_value y = image(net, cases[i].c, cases[i].h, cases[i].w);
        y = beam_nn_conv2d(net, y, "conv", .out_channels = cases[i].out, .kernel = cases[i].kernel,
                           .stride = cases[i].stride, .padding = cases[i].padding,
                           .dilation = cases[i].dilation, .groups = cases[i].groups,
                           .no_bias = cases[i].no_bias);
        compare_with(net, end(net, y), cases[i].batch, true, 0.1);
    }
}

static void test_fused_steps(void **state)
{
    (void)state;
    for (int which = 0; which < 6; which++) {
        beam_network *net = beam_network_new("fused");
        beam_value x = image(net, 16, 9, 9);
        beam_value y = beam_nn_conv2d(net, x, "a", .out_channels = 16, .kernel = 3, .padding = 1);
        if (which != 1)
            y = beam_nn_batch_norm(net, y, "norm", 0);
        if (which == 2)
            y = beam_nn_relu(net, y);
        if (which >= 3) /* a residual block, with and without a second branch */
            y = beam_nn_conv2d(net, beam_nn_relu(net, y), "b", .out_channels = 16, .kernel = 3,
                               .padding = 1);
        beam_value other = x;
        if (which >= 4)
            other = beam_nn_batch_norm(
                net, beam_nn_conv2d(net, x, "c", .out_channels = 16, .kernel = 1), "normc", 0);
        if (which >= 3)
            y = beam_nn_relu(net, beam_nn_add(net, y, other));
        if (which == 5)
            y = beam_nn_max_pool2d(net, y, .kernel = 3, .stride = 2, .padding = 1);
        y = beam_nn_conv2d(net, y, "last", .out_channels = 8, .kernel = 3);
        compare_with(net, end(net, y), 3, which >= 2, 0.1);
    }
}

/* Steps in f32 that read what is kept as q, in between and at the end. */
static void test_f32_between(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        beam_network *net = beam_network_new("between");
        beam_value x = image(net, 8, 8, 8);
        beam_value y = beam_nn_relu(
            net, beam_nn_conv2d(net, x, "a", .out_channels = 8, .kernel = 3, .padding = 1));
        beam_value z = y;
        if (which == 0)
            z = beam_nn_relu(net, beam_nn_batch_norm(net, y, "norm", 0));
        if (which == 1)
            z = beam_nn_relu(net, beam_nn_scale(net, y, 2));
        if (which == 2)
            z = beam_nn_avg_pool2d(net, y, .kernel = 3, .stride = 1, .padding = 1);
        if (which == 3)
            z = beam_nn_add(net, y, y);
        if (which == 4)
            z = beam_nn_dropout(net, y, 0.5f);
        z = beam_nn_relu(net,
                         beam_nn_conv2d(net, z, "b", .out_channels = 8, .kernel = 3, .padding = 1));
        z = beam_nn_add(net, z, y); /* which q is read again for */
        z = beam_nn_linear(net, beam_nn_flatten(net, z), "middle", .out_features = 24);
        z = beam_nn_relu(net, z);
        compare_with(net, beam_nn_linear(net, z, "fc", .out_features = 40), 2, true, 0.1);
    }
}

static void test_negative_operands(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("gelu");
    beam_value x = image(net, 16, 8, 8);
    x = beam_nn_gelu(net, beam_nn_conv2d(net, x, "a", .out_channels = 32, .kernel = 3));
    x = beam_nn_gelu(net, beam_nn_conv2d(net, x, "b", .out_channels = 32, .kernel = 3));
    compare_with(net, end(net, x), 2, false, 0.1);
}

/* Few and many features, as much below 0 as above. */
static void test_linear_layers_of_negative_operands(void **state)
{
    (void)state;
    static const int64_t features[] = {3, 16, 64, 192};
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        beam_network *net = beam_network_new("linear");
        beam_value x = beam_nn_input(net, "x", 1, &features[i]);
        x = beam_nn_linear(net, x, "a", .out_features = 64);
        x = beam_nn_linear(net, beam_nn_gelu(net, x), "b", .out_features = 64);
        compare_with(net, end(net, x), 8, false, 0.1);
    }
}

/* A network whose first layer gives numbers about as large as `size`, and 0 of it for 0. */
static beam_network *fading(float size)
{
    beam_error err = {0};
    beam_network *net = beam_network_new("fading");
    beam_value x = image(net, 3, 8, 8);
    x = beam_nn_conv2d(net, x, "a", .out_channels = 8, .kernel = 3, .no_bias = true);
    x = beam_nn_relu(net, x);
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "b", .out_channels = 8, .kernel = 3));
    x = end(net, x);
    nets_ok(beam_network_finish(net, &x, 1, &err), &err);
    nets_fill(net, 9);
    float *weights = net->parameters[0].owned;
    for (int i = 0; i < 8 * 3 * 9; i++)
        weights[i] *= size;
    calibrate(net, 4);
    return net;
}

/* A layer that reads zeros alone, or what no scale is small enough for, is computed in f32. */
static void test_layers_that_died(void **state)
{
    (void)state;
    static const char *const kinds[] = {"reference", "cpu"};
    static const float sizes[] = {0, 1e-25f};
    for (size_t i = 0; i < 4; i++) {
        beam_network *net = fading(sizes[i / 2]);
        assert_true(net->ops[1].int8);
        assert_false(net->ops[3].int8);
        size_t n, m;
        float *got = nets_run(kinds[i % 2], net, BEAM_PRECISION_INT8, 4, &n);
        float *wanted = nets_run(kinds[i % 2], net, BEAM_PRECISION_F32, 4, &m);
        assert_true(nets_difference(got, wanted, n) < 1e-5);
        beam_free(got);
        beam_free(wanted);
        beam_network_free(net);
    }
}

static void test_resnet(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = NULL;
    const beam_network_options o = {
        .struct_size = sizeof o, .num_classes = 10, .height = 32, .cifar_stem = false};
    nets_ok(beam_network_create("resnet18", &o, &net, &err), &err);
    nets_fill(net, 5);
    calibrate(net, 2);
    size_t n, m;
    float *wanted = nets_run("reference", net, BEAM_PRECISION_INT8, 2, &n);
    float *got = nets_run("cpu", net, BEAM_PRECISION_INT8, 2, &m);
    float *f32 = nets_run("cpu", net, BEAM_PRECISION_F32, 2, &m);
    assert_int_equal(n, m);
    assert_true(nets_difference(got, wanted, n) < 0.1); /* the image may be negative */
    assert_true(nets_difference(got, f32, n) < 0.1);
    beam_free(wanted);
    beam_free(got);
    beam_free(f32);
    beam_network_free(net);
}

/* ---- refusals and faults ---- */

static void test_refusals(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_training *training = NULL;
    beam_calibration *calibration = NULL;
    beam_network *net = nets_small();
    const beam_compile_options options = {
        .struct_size = sizeof options, .precision = BEAM_PRECISION_INT8, .max_batch = 2};
    const beam_training_options train = {
        .struct_size = sizeof train, .precision = BEAM_PRECISION_INT8, .batch_size = 2};
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    assert_int_equal(beam_device_compile(device, net, &options, &model, &err),
                     BEAM_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "beam quantize"));
    assert_int_equal(beam_device_train(device, net, &train, &training, &err),
                     BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "int8"));
    nets_ok(beam_calibration_new(device, net, 2, &calibration, &err), &err);
    assert_int_equal(beam_calibration_finish(calibration, net, &err), BEAM_FAILED_PRECONDITION);
    beam_tensor images = beam_network_input(net, 0, 1);
    static const float endless[64] = {INFINITY};
    images.data = endless;
    assert_int_equal(beam_calibration_add(calibration, &images, 1, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "finite"));
    beam_calibration_free(calibration);
    calibrate(net, 2);
    float *weights = net->parameters[0].owned;
    weights[3] = NAN;
    assert_int_equal(beam_device_compile(device, net, &options, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "conv1"));
    nets_close(device);
    beam_network_free(net);
}

/* On a device of another kind: by name, and nothing else is tried. */
static void test_plugins_refuse(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    const beam_compile_options options = {
        .struct_size = sizeof options, .precision = BEAM_PRECISION_INT8, .max_batch = 2};
    nets_ok(beam_device_open(nets_plugin(), NULL, &device, &err), &err);
    beam_network *net = nets_small();
    calibrate(net, 2);
    assert_int_equal(beam_device_compile(device, net, &options, &model, &err), BEAM_UNIMPLEMENTED);
    assert_non_null(strstr(err.message, "does not compute in int8"));
    beam_network_free(net);
    beam_device_close(device);
}

static beam_status whole_life(const char *kind, beam_network *net, const float *images,
                              beam_error *err)
{
    beam_device *device = NULL;
    beam_calibration *calibration = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_tensor in = beam_network_input(net, 0, 2), out;
    const beam_compile_options options = {
        .struct_size = sizeof options, .precision = BEAM_PRECISION_INT8, .max_batch = 2};
    in.data = images;
    beam_status status = beam_device_open(kind, NULL, &device, err);
    if (status == BEAM_OK)
        status = beam_calibration_new(device, net, 2, &calibration, err);
    if (status == BEAM_OK)
        status = beam_calibration_add(calibration, &in, 1, err);
    if (status == BEAM_OK)
        status = beam_calibration_finish(calibration, net, err);
    if (status == BEAM_OK)
        status = beam_device_compile(device, net, &options, &model, err);
    if (status == BEAM_OK)
        status = beam_model_context_new(model, &context, err);
    if (status == BEAM_OK)
        status = beam_model_run(context, &in, 1, &out, 1, err);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_calibration_free(calibration);
    nets_close(device);
    return status;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    static const char *const kinds[] = {"reference", "cpu"};
    beam_network *net = nets_small();
    float *images = nets_numbers(1, 2 * 64);
    for (size_t k = 0; k < 2; k++) {
        for (test_shortage s = {0}; test_shortage_next(&s);) {
            beam_error err = {0};
            test_shortage_ends(&s, whole_life(kinds[k], net, images, &err));
        }
    }
    beam_network_free(net);
    beam_free(images);
}

/* Batches of all sizes, in pieces and not: the same image gives the same result. */
static void test_every_batch_size(void **state)
{
    (void)state;
    enum { MOST = 9 };
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_network *net = nets_small();
    float *images = nets_numbers(3, MOST * 64), first[MOST * 10];
    calibrate(net, 4);
    const beam_compile_options options = {
        .struct_size = sizeof options, .precision = BEAM_PRECISION_INT8, .max_batch = MOST};
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    for (int64_t batch = MOST; batch > 0; batch--) {
        beam_tensor in = beam_model_input(model, 0, batch), out;
        in.data = images;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        if (batch == MOST)
            memcpy(first, out.data, sizeof first);
        for (int64_t i = 0; i < batch * 10; i++)
            assert_true(fabsf(((const float *)out.data)[i] - first[i]) <= 1e-4f);
    }
    beam_model_context_free(context);
    beam_model_free(model);
    nets_close(device);
    beam_network_free(net);
    beam_free(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv2d),
        cmocka_unit_test(test_fused_steps),
        cmocka_unit_test(test_f32_between),
        cmocka_unit_test(test_negative_operands),
        cmocka_unit_test(test_linear_layers_of_negative_operands),
        cmocka_unit_test(test_layers_that_died),
        cmocka_unit_test(test_resnet),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_plugins_refuse),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_every_batch_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
