/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_network.c - building networks: shapes, names, the first error, ready-made networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <beam/nn.h>

#include "nn/network.h"
#include "nn/random.h"
#include "support/shortage.h"

static void expect_shape(const beam_network *network, beam_value value, int64_t c, int64_t h,
                         int64_t w)
{
    assert_int_not_equal(value.id, 0);
    beam_tensor t = beam_nn_shape(network, value.id, 5);
    assert_int_equal(t.rank, 4);
    assert_int_equal(t.shape[0], 5);
    assert_int_equal(t.shape[1], c);
    assert_int_equal(t.shape[2], h);
    assert_int_equal(t.shape[3], w);
}

static void test_layers_have_pytorch_shapes(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("shapes");
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, 31, 17});
    expect_shape(net, x, 3, 31, 17);
    expect_shape(net, beam_nn_conv2d(net, x, "a", .out_channels = 8, .kernel = 3), 8, 29, 15);
    expect_shape(net,
                 beam_nn_conv2d(net, x, "b", .out_channels = 6, .kernel = 7, .stride = 2,
                                .padding = 3, .groups = 3),
                 6, 16, 9);
    expect_shape(net, beam_nn_conv2d(net, x, "c", .out_channels = 4, .kernel = 3, .dilation = 2), 4,
                 27, 13);
    expect_shape(net, beam_nn_max_pool2d(net, x, .kernel = 2), 3, 15, 8);
    expect_shape(net, beam_nn_avg_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1), 3, 16, 9);
    expect_shape(net, beam_nn_global_avg_pool(net, x), 3, 1, 1);
    beam_value y = beam_nn_linear(net, beam_nn_flatten(net, x), "fc", .out_features = 10);
    beam_error err = {0};
    assert_int_equal(beam_network_finish(net, &y, 1, &err), BEAM_OK);
    beam_tensor out = beam_network_output(net, 0, 7);
    assert_int_equal(out.rank, 2);
    assert_int_equal(out.shape[0], 7);
    assert_int_equal(out.shape[1], 10);

    static const struct {
        const char *name;
        int64_t shape[4];
    } wanted[] = {
        {"a.weight", {8, 3, 3, 3}}, {"a.bias", {8}}, {"b.weight", {6, 1, 7, 7}}, {"b.bias", {6}},
        {"c.weight", {4, 3, 3, 3}}, {"c.bias", {4}}, {"fc.weight", {10, 1581}},  {"fc.bias", {10}}};
    size_t n = sizeof wanted / sizeof *wanted;
    assert_int_equal(beam_network_num_parameters(net), n);
    for (size_t i = 0; i < n; i++) {
        beam_parameter p;
        assert_int_equal(beam_network_parameter(net, i, &p), BEAM_OK);
        assert_string_equal(p.name, wanted[i].name);
        assert_memory_equal(p.tensor.shape, wanted[i].shape, sizeof wanted[i].shape);
        assert_null(p.tensor.data);
        assert_true(p.trainable);
    }
    beam_parameter p;
    assert_int_equal(beam_network_parameter(net, n, &p), BEAM_OUT_OF_RANGE);
    beam_network_free(net);
}

static void test_first_error_is_kept(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = beam_network_new("broken");
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, 8, 8});
    beam_value bad = beam_nn_conv2d(net, x, "stem", .out_channels = 4, .kernel = 11);
    assert_int_equal(bad.id, 0);
    assert_int_equal(beam_nn_relu(net, bad).id, 0);
    assert_int_equal(beam_nn_add(net, x, bad).id, 0);
    assert_int_equal(beam_network_finish(net, &bad, 1, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "network broken, layer stem"));
    beam_network_free(net);

    assert_int_equal(beam_network_finish(NULL, &bad, 1, &err), BEAM_RESOURCE_EXHAUSTED);
    assert_int_equal(beam_nn_relu(NULL, x).id, 0);
}

/* Each builds one thing that cannot be, on an input {3, 8, 8}. */
static beam_value wrong_groups(beam_network *n, beam_value x)
{
    return beam_nn_conv2d(n, x, "l", .out_channels = 4, .kernel = 1, .groups = 2);
}
static beam_value no_kernel(beam_network *n, beam_value x)
{
    return beam_nn_conv2d(n, x, "l", .out_channels = 4);
}
static beam_value negative_padding(beam_network *n, beam_value x)
{
    return beam_nn_max_pool2d(n, x, .kernel = 2, .padding = -1);
}
static beam_value too_much_padding(beam_network *n, beam_value x)
{
    return beam_nn_max_pool2d(n, x, .kernel = 3, .padding = 2);
}
static beam_value linear_of_image(beam_network *n, beam_value x)
{
    return beam_nn_linear(n, x, "l", .out_features = 4);
}
static beam_value linear_of_nothing(beam_network *n, beam_value x)
{
    return beam_nn_linear(n, beam_nn_flatten(n, x), "l", .out_features = 0);
}
static beam_value huge_linear(beam_network *n, beam_value x)
{
    return beam_nn_linear(n, beam_nn_flatten(n, x), "l", .out_features = INT64_MAX);
}
static beam_value different_shapes(beam_network *n, beam_value x)
{
    return beam_nn_add(n, x, beam_nn_global_avg_pool(n, x));
}
static beam_value same_name(beam_network *n, beam_value x)
{
    x = beam_nn_conv2d(n, x, "l", .out_channels = 3, .kernel = 1);
    return beam_nn_conv2d(n, x, "l", .out_channels = 3, .kernel = 1);
}
static beam_value stranger(beam_network *n, beam_value x)
{
    (void)x;
    return beam_nn_relu(n, (beam_value){1000});
}
static beam_value bad_epsilon(beam_network *n, beam_value x)
{
    return beam_nn_batch_norm(n, x, "l", -1.0f);
}
static beam_value unchanged_input(beam_network *n, beam_value x)
{
    (void)n;
    return x;
}

static void test_refusals(void **state)
{
    (void)state;
    beam_value (*const builders[])(beam_network *, beam_value) = {
        wrong_groups,      no_kernel,   negative_padding, too_much_padding,
        linear_of_image,   huge_linear, different_shapes, same_name,
        linear_of_nothing, bad_epsilon, stranger,         unchanged_input};
    for (size_t i = 0; i < sizeof builders / sizeof *builders; i++) {
        beam_error err = {0};
        beam_network *net = beam_network_new("refused");
        beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, 8, 8});
        x = builders[i](net, x);
        assert_int_not_equal(beam_network_finish(net, &x, 1, &err), BEAM_OK);
        assert_non_null(strstr(err.message, "network refused"));
        beam_network_free(net);
    }
}

static void test_finished_takes_no_layer(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = beam_network_new("done");
    beam_value x = beam_nn_input(net, "image", 1, (const int64_t[]){4});
    beam_value y = beam_nn_relu(net, x);
    assert_int_equal(beam_network_finish(net, &y, 1, &err), BEAM_OK);
    assert_int_equal(beam_nn_relu(net, y).id, 0);
    assert_int_equal(beam_network_finish(net, &y, 1, &err), BEAM_FAILED_PRECONDITION);
    beam_network_free(net);
}

static int64_t count_trainable(const beam_network *net)
{
    int64_t total = 0;
    for (size_t i = 0; i < beam_network_num_parameters(net); i++) {
        beam_parameter p;
        assert_int_equal(beam_network_parameter(net, i, &p), BEAM_OK);
        int64_t count = 1;
        for (uint32_t d = 0; d < p.tensor.rank; d++)
            count *= p.tensor.shape[d];
        total += p.trainable ? count : 0;
    }
    return total;
}

static void test_ready_made(void **state)
{
    (void)state;
    /* The figures that torchvision's documentation gives. */
    static const struct {
        const char *name;
        int64_t parameters;
        size_t tensors;
    } known[] = {{"resnet18", 11689512, 102}, {"resnet34", 21797672, 182},
                 {"resnet50", 25557032, 267}, {"fastnet", 0, 0},
                 {"fastnet_wide", 0, 0},      {"small_cnn", 0, 0}};
    for (size_t i = 0; i < 6; i++) {
        beam_error err = {0};
        beam_network *net = NULL;
        assert_string_equal(beam_network_known(i), known[i].name);
        assert_int_equal(beam_network_create(known[i].name, NULL, &net, &err), BEAM_OK);
        assert_string_equal(beam_network_name(net), known[i].name);
        if (known[i].tensors) {
            assert_int_equal(count_trainable(net), known[i].parameters);
            assert_int_equal(beam_network_num_parameters(net), known[i].tensors);
        }
        beam_tensor in = beam_network_input(net, 0, 2), out = beam_network_output(net, 0, 2);
        assert_int_equal(in.shape[3], 224);
        assert_int_equal(out.shape[1], 1000);
        beam_network_free(net);
    }
    assert_null(beam_network_known(6));
    beam_error err = {0};
    beam_network *net = NULL;
    assert_int_equal(beam_network_create("vgg", NULL, &net, &err), BEAM_NOT_FOUND);
    assert_non_null(strstr(err.message, "resnet18"));
    assert_null(net);
}

static void test_names_are_torchvisions(void **state)
{
    (void)state;
    beam_network *net = NULL;
    assert_int_equal(beam_network_create("resnet18", NULL, &net, NULL), BEAM_OK);
    static const struct {
        size_t index;
        const char *name;
    } wanted[] = {{0, "conv1.weight"},
                  {3, "bn1.running_mean"},
                  {5, "layer1.0.conv1.weight"},
                  {25, "layer2.0.conv1.weight"},
                  {35, "layer2.0.downsample.0.weight"},
                  {39, "layer2.0.downsample.1.running_var"},
                  {100, "fc.weight"},
                  {101, "fc.bias"}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        beam_parameter p;
        assert_int_equal(beam_network_parameter(net, wanted[i].index, &p), BEAM_OK);
        assert_string_equal(p.name, wanted[i].name);
    }
    beam_parameter p;
    assert_int_equal(beam_network_parameter(net, 3, &p), BEAM_OK);
    assert_false(p.trainable);
    beam_network_free(net);
}

static void test_cifar_stem_keeps_size(void **state)
{
    (void)state;
    beam_network *net = NULL;
    beam_network_options options = {
        .struct_size = sizeof options, .num_classes = 10, .height = 32, .cifar_stem = true};
    assert_int_equal(beam_network_create("resnet18", &options, &net, NULL), BEAM_OK);
    assert_int_equal(net->ops[0].window.kernel, 3);
    for (size_t i = 0; i < net->num_ops; i++)
        assert_int_not_equal(net->ops[i].kind, BEAM_OP_MAX_POOL2D);
    expect_shape(net, (beam_value){net->ops[0].outputs[0]}, 64, 32, 32);
    beam_network_free(net);
}

static void test_copy_has_no_weights(void **state)
{
    (void)state;
    beam_network *net = NULL;
    beam_network_options options = {
        .struct_size = sizeof options, .num_classes = 10, .channels = 1, .height = 8};
    assert_int_equal(beam_network_create("small_cnn", &options, &net, NULL), BEAM_OK);
    assert_int_equal(beam_network_initialize(net, 1, NULL), BEAM_OK);
    beam_network *copy = beam_nn_copy(net);
    assert_non_null(copy);
    size_t parameters = beam_network_num_parameters(net);
    beam_network_free(net);
    assert_int_equal(beam_network_num_parameters(copy), parameters);
    for (size_t i = 0; i < parameters; i++) {
        beam_parameter p;
        assert_int_equal(beam_network_parameter(copy, i, &p), BEAM_OK);
        assert_null(p.tensor.data);
        assert_true(strlen(p.name) > 0);
    }
    beam_network_free(copy);
}

static void test_known_random_numbers(void **state)
{
    (void)state;
    /* Known answers published with Random123: all zeros, all ones. */
    beam_random4 zeros = beam_random_at(0, 0, 0);
    beam_random4 ones = beam_random_at(UINT64_MAX, UINT64_MAX, UINT64_MAX);
    static const uint32_t first[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t last[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    assert_memory_equal(zeros.at, first, sizeof first);
    assert_memory_equal(ones.at, last, sizeof last);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    beam_network_options options = {
        .struct_size = sizeof options, .num_classes = 10, .channels = 1, .height = 8};
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_error err = {0};
        beam_network *net = NULL, *copy = NULL;
        beam_status status = beam_network_create("small_cnn", &options, &net, &err);
        if (status == BEAM_OK)
            status = beam_network_initialize(net, 3, &err);
        if (status == BEAM_OK) {
            copy = beam_nn_copy(net);
            status = copy ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
        }
        test_shortage_ends(&s, status);
        beam_network_free(copy);
        beam_network_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_have_pytorch_shapes),
        cmocka_unit_test(test_first_error_is_kept),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_finished_takes_no_layer),
        cmocka_unit_test(test_ready_made),
        cmocka_unit_test(test_names_are_torchvisions),
        cmocka_unit_test(test_cifar_stem_keeps_size),
        cmocka_unit_test(test_copy_has_no_weights),
        cmocka_unit_test(test_known_random_numbers),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
