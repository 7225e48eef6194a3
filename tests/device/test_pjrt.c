/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt.c - networks on a real PJRT plugin, the one that runs on the CPU, against the reference
 * device: all of a GPU's and a TPU's path but the chip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/pjrt_compile.h"
#include "nn/network.h"

static beam_device *open_plugin(void)
{
    beam_error err = {0};
    beam_device *device = NULL;
    nets_ok(beam_device_open(nets_plugin(), NULL, &device, &err), &err);
    return device;
}

static void test_device(void **state)
{
    (void)state;
    beam_device *device = open_plugin();
    beam_device_info info;
    beam_device_get_info(device, &info);
    assert_string_equal(info.kind, getenv("BEAM_TEST_PLUGIN") ? "gpu" : "pjrt-cpu");
    assert_int_equal(info.slots, 1);
    assert_non_null(strstr(info.description, "PJRT API 0."));
    beam_device_close(device);
}

static void compare(const beam_network *net, beam_precision precision, int64_t batch, double within)
{
    size_t count = 0, wanted_count = 0;
    float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, batch, &wanted_count);
    float *got = nets_run(nets_plugin(), net, precision, batch, &count);
    assert_int_equal(count, wanted_count);
    double difference = nets_difference(got, wanted, count);
    print_message("%s, batch %lld, %s: %.2g\n", net->name, (long long)batch,
                  beam_precision_name(precision), difference);
    assert_true(difference < within);
    beam_free(wanted);
    beam_free(got);
}

static void test_small(void **state)
{
    (void)state;
    beam_network *net = nets_small();
    compare(net, BEAM_PRECISION_F32, 5, 1e-5);
    compare(net, BEAM_PRECISION_BF16, 5, 0.05);
    compare(net, BEAM_PRECISION_F16, 5, 0.005);
    beam_network_free(net);
}

/* Every bucket of a model of at most 4, full and, where one can be, padded. */
static void compare_buckets(const beam_network *net)
{
    enum { MOST = 4, PIXELS = 3 * 32 * 32 };
    static const int64_t batches[] = {MOST, MOST / 2, 1, MOST - 1};
    beam_error err = {0};
    beam_device *device = open_plugin();
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    size_t count = 0;
    float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, MOST, &count);
    float *images = nets_numbers(77, MOST * PIXELS);
    const int64_t sizes[] = {MOST / 2}; /* asked for, or it would have to wait */
    beam_compile_options options = {.struct_size = sizeof options,
                                    .max_batch = MOST,
                                    .batch_sizes = sizes,
                                    .num_batch_sizes = 1};
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        int64_t n = batches[i];
        beam_tensor in = beam_model_input(model, 0, n), out;
        in.data = images + (MOST - n) * PIXELS;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        double off = nets_difference(out.data, wanted + (MOST - n) * 10, (size_t)n * 10);
        print_message("%s, batch %lld: %.2g\n", net->name, (long long)n, off);
        assert_true(off < 1e-3);
    }
    beam_model_info info;
    beam_model_get_info(model, &info);
    assert_int_equal(info.num_programs, 2); /* for 4 and 2: one row is padded to 2 */
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
    beam_free(wanted);
    beam_free(images);
}

static void test_resnets(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        beam_error err = {0};
        beam_network *net = NULL;
        beam_network_options o = {.struct_size = sizeof o, .num_classes = 10, .height = 32};
        nets_ok(beam_network_create(beam_network_known(i), &o, &net, &err), &err);
        nets_fill(net, 9);
        compare_buckets(net);
        beam_network_free(net);
    }
}

/* Every operation of inference, in shapes that hide no transposed dimension. */
static void test_operations(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = beam_network_new("operations");
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){6, 9, 13});
    beam_value y = beam_nn_conv2d(net, x, "grouped", .out_channels = 8, .kernel = 3, .groups = 2,
                                  .padding = 1, .dilation = 2, .stride = 2);
    beam_value z = beam_nn_avg_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 0);
    z = beam_nn_gelu(net, beam_nn_conv2d(net, z, "point", .out_channels = 8, .kernel = 1));
    y = beam_nn_softmax(net, beam_nn_batch_norm(net, y, "norm", 0));
    y = beam_nn_max_pool2d(net, y, .kernel = 2, .stride = 1);
    z = beam_nn_relu(net, beam_nn_add(net, z, z));
    z = beam_nn_max_pool2d(net, z, .kernel = 3, .stride = 2, .padding = 1);
    y = beam_nn_linear(net, beam_nn_flatten(net, y), "left", .out_features = 7);
    z = beam_nn_linear(net, beam_nn_flatten(net, z), "right", .out_features = 7, .no_bias = true);
    beam_value outputs[] = {beam_nn_add(net, y, z), beam_nn_softmax(net, z)};
    nets_ok(beam_network_finish(net, outputs, 2, &err), &err);
    nets_fill(net, 3);
    compare(net, BEAM_PRECISION_F32, 3, 1e-5);
    beam_network_free(net);
}

/* A stream of odd batches: each row comes out as in the whole, and few programs are compiled. */
static void test_batches(void **state)
{
    (void)state;
    enum { MOST = 32 };
    beam_error err = {0};
    beam_device *device = open_plugin();
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_network *net = nets_small();
    size_t count = 0;
    float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, MOST, &count);
    float *images = nets_numbers(77, MOST * 64);
    const int64_t sizes[] = {MOST / 16, MOST / 4}; /* asked for, or they would have to wait */
    beam_compile_options options = {.struct_size = sizeof options,
                                    .max_batch = MOST,
                                    .batch_sizes = sizes,
                                    .num_batch_sizes = 2};
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    beam_model_info info;
    beam_model_get_info(model, &info);
    assert_int_equal(info.num_programs, 1);
    for (int n = 1; n <= MOST; n++) {
        beam_tensor in = beam_model_input(model, 0, n), out;
        in.data = images + (MOST - n) * 64;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        assert_int_equal(out.shape[0], n);
        assert_true(nets_difference(out.data, wanted + (MOST - n) * 10, (size_t)n * 10) < 1e-5);
    }
    beam_model_get_info(model, &info);
    assert_int_equal(info.num_programs, 3);
    beam_tensor in = beam_model_input(model, 0, 3), out; /* fed twice: the second counts */
    in.data = images;
    nets_ok(beam_model_feed(context, &in, 1, &err), &err);
    in.data = images + 64;
    nets_ok(beam_model_feed(context, &in, 1, &err), &err);
    nets_ok(beam_model_execute(context, &out, 1, &err), &err);
    assert_true(nets_difference(out.data, wanted + 10, 30) < 1e-5);
    nets_ok(beam_model_feed(context, &in, 1, &err), &err);
    beam_model_context_free(context); /* with a batch on its way */
    beam_model_free(model);
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes + memory.working_bytes, 0);
    beam_device_close(device);
    beam_network_free(net);
    beam_free(wanted);
    beam_free(images);
}

/* The compiler's own words, with the place. */
static void test_module_that_does_not_verify(void **state)
{
    (void)state;
    static const char module[] = "module {\n"
                                 "  func.func @main(%x: tensor<2xf32>) -> tensor<3xf32> {\n"
                                 "    %y = stablehlo.add %x, %x : tensor<2xf32>\n"
                                 "    return %y : tensor<2xf32>\n"
                                 "  }\n"
                                 "}\n";
    beam_error err = {0};
    const beam_pjrt_plugin *plugin;
    beam_pjrt_client *client;
    PJRT_LoadedExecutable *executable = NULL;
    nets_ok(beam_pjrt_plugin_open(nets_plugin() + strlen("pjrt:"), &plugin, &err), &err);
    nets_ok(beam_pjrt_client_open(plugin, BEAM_PJRT_OTHER, NULL, &client, &err), &err);
    const beam_pjrt_target target = {.num_replicas = 1};
    assert_int_not_equal(
        beam_pjrt_compile(client, module, sizeof module - 1, &target, &executable, &err), BEAM_OK);
    print_message("%s\n", err.message);
    assert_non_null(strstr(err.message, "4:5"));
    assert_null(executable);
    beam_pjrt_client_close(client);
}

int main(void)
{
    (void)setenv("XLA_FLAGS", "--xla_backend_optimization_level=0",
                 0); /* compiles in half the time */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device),  cmocka_unit_test(test_module_that_does_not_verify),
        cmocka_unit_test(test_small),   cmocka_unit_test(test_operations),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_resnets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
