/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - what is fused, and how activations share memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/fuse.h"
#include "device/lifetimes.h"
#include "device/nets.h"
#include "nn/random.h"

static void test_resnet_fuses_wholly(void **state)
{
    (void)state;
    beam_network *net = NULL;
    beam_fused_op *steps = NULL;
    size_t n = 0, convolutions = 0, sums = 0, relus = 0;
    assert_int_equal(beam_network_create("resnet18", NULL, &net, NULL), BEAM_OK);
    assert_int_equal(beam_fuse(net, &steps, &n, NULL), BEAM_OK);
    for (size_t i = 0; i < n; i++) {
        beam_op_kind kind = steps[i].op->kind;
        assert_int_not_equal(kind, BEAM_OP_BATCH_NORM);
        assert_int_not_equal(kind, BEAM_OP_ADD);
        assert_int_not_equal(kind, BEAM_OP_RELU);
        if (kind == BEAM_OP_CONV2D) {
            convolutions++;
            assert_non_null(steps[i].norm);
        }
        sums += steps[i].addend != 0;
        relus += steps[i].activation != NULL;
    }
    assert_int_equal(convolutions, 20);
    assert_int_equal(sums, 8);
    assert_int_equal(relus, 17);
    assert_int_equal(n, 20 + 4); /* and max pool, average pool, flatten, fc */
    beam_free(steps);
    beam_network_free(net);
}

static void test_outputs_stay_apart(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("outputs");
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, 6, 6});
    beam_value conv = beam_nn_conv2d(net, x, "conv", .out_channels = 4, .kernel = 1);
    beam_value y[] = {conv, beam_nn_relu(net, conv)};
    assert_int_equal(beam_network_finish(net, y, 2, NULL), BEAM_OK);
    beam_fused_op *steps = NULL;
    size_t n = 0;
    assert_int_equal(beam_fuse(net, &steps, &n, NULL), BEAM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(steps[0].output, conv.id);
    assert_null(steps[0].activation);
    beam_free(steps);
    beam_network_free(net);
}

static void check_places(const beam_lifetime *items, size_t n, size_t total)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(items[i].offset % BEAM_LIFETIME_ALIGNMENT, 0);
        assert_true(items[i].offset + items[i].size <= total);
        for (size_t k = 0; k < i; k++) {
            bool in_time = items[i].first <= items[k].last && items[k].first <= items[i].last;
            bool in_space = items[i].offset < items[k].offset + items[k].size &&
                            items[k].offset < items[i].offset + items[i].size;
            assert_false(in_time && in_space);
        }
    }
}

static void test_a_chain_needs_two_places(void **state)
{
    (void)state;
    beam_lifetime items[20] = {{0, 0, 0, 0}};
    for (uint32_t i = 0; i < 20; i++)
        items[i] = (beam_lifetime){1000, i, i + 1, 0};
    size_t total = beam_lifetimes_place(items, 20);
    check_places(items, 20, total);
    assert_int_equal(total, 2 * 1024);
}

static void test_random_lifetimes(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 50; round++) {
        beam_lifetime items[40];
        size_t sum = 0;
        for (uint32_t i = 0; i < 40; i++) {
            beam_random4 r = beam_random_at(3, round, i);
            uint32_t first = r.at[0] % 40;
            uint32_t last = r.at[3] % 10 == 0 ? UINT32_MAX : first + r.at[2] % 6;
            items[i] = (beam_lifetime){r.at[1] % 5000, first, last, 0};
            sum += items[i].size + BEAM_LIFETIME_ALIGNMENT;
        }
        size_t total = beam_lifetimes_place(items, 40);
        check_places(items, 40, total);
        assert_true(total < sum);
    }
    assert_int_equal(beam_lifetimes_place(NULL, 0), 0);
}

static void test_activations_share_memory(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_network *net = NULL;
    beam_network_options o = {.struct_size = sizeof o, .height = 32};
    nets_ok(beam_network_create("resnet18", &o, &net, &err), &err);
    nets_fill(net, 1);
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    nets_ok(beam_device_compile(device, net, NULL, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    beam_tensor in = beam_model_input(model, 0, 1), out;
    in.data = nets_numbers(1, 3 * 32 * 32);
    nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    /* The stem's result and what is pooled from it: 64 channels of 16x16 and of 8x8; the scratch
     * memory of a convolution of 8x8 is larger than the former, which is gone by then. */
    uint64_t least = 4 * 64 * (16 * 16 + 8 * 8);
    assert_in_range(memory.working_bytes, least, 3 * least);
    /* Packed weights are as large as the parameters but for batch norms, where 3x3 meets images of
     * 1x1 without the eight taps that see none, and where it meets 8x8 four times as large;
     * narrower vectors need a little less or more to be filled up. */
    assert_in_range(memory.weight_bytes, UINT64_C(5700000) * 4, UINT64_C(6000000) * 4);
    assert_true(memory.peak_bytes >= memory.weight_bytes + memory.working_bytes);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes, 0);
    assert_int_equal(memory.working_bytes, 0);
    beam_device_close(device);
    beam_network_free(net);
    beam_free((void *)(uintptr_t)in.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnet_fuses_wholly),      cmocka_unit_test(test_outputs_stay_apart),
        cmocka_unit_test(test_a_chain_needs_two_places), cmocka_unit_test(test_random_lifetimes),
        cmocka_unit_test(test_activations_share_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
