/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_weights.c - what weights a network takes, and what it says of those it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <beam/nn.h>

#include "base/alloc.h"

typedef struct named {
    const char *name;
    beam_tensor tensor;
} named;

typedef struct shelf {
    const named *items;
    size_t count;
} shelf;

static beam_status shelf_lookup(void *user, const char *name, beam_tensor *tensor, beam_error *err)
{
    const shelf *s = user;
    (void)err;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->items[i].name, name) == 0) {
            *tensor = s->items[i].tensor;
            return BEAM_OK;
        }
    }
    return BEAM_NOT_FOUND;
}

static const char *shelf_name(void *user, size_t index)
{
    const shelf *s = user;
    return index < s->count ? s->items[index].name : NULL;
}

static const float w[6] = {1, -2, 3, 0.5f, 0, 6}, b[2] = {7, 8};
static const uint16_t half[6] = {0x3c00, 0xc000, 0x4200, 0x3800, 0, 0x4600};
static const uint16_t brain[6] = {0x3f80, 0xc000, 0x4040, 0x3f00, 0, 0x40c0};
static const double wide[6] = {1, -2, 3, 0.5, 0, 6};
static const int64_t counter = 12;

#define WEIGHT(type, numbers)                                              \
    {                                                                      \
        "fc.weight",                                                       \
        {                                                                  \
            .dtype = (type), .rank = 2, .shape = {2, 3}, .data = (numbers) \
        }                                                                  \
    }
#define BIAS                                                      \
    {                                                             \
        "fc.bias",                                                \
        {                                                         \
            .dtype = BEAM_F32, .rank = 1, .shape = {2}, .data = b \
        }                                                         \
    }

/* fc: 3 -> 2 */
static beam_network *linear_network(void)
{
    beam_network *net = beam_network_new("tiny");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){3});
    x = beam_nn_linear(net, x, "fc", .out_features = 2);
    assert_int_equal(beam_network_finish(net, &x, 1, NULL), BEAM_OK);
    return net;
}

static beam_status bind(beam_network *net, const named *items, size_t count, beam_error *err)
{
    shelf s = {items, count};
    return beam_network_bind(net, &(beam_weight_source){&s, shelf_lookup, shelf_name}, err);
}

static const float *data_of(const beam_network *net, size_t index)
{
    beam_parameter p;
    assert_int_equal(beam_network_parameter(net, index, &p), BEAM_OK);
    assert_int_equal(p.tensor.dtype, BEAM_F32);
    return p.tensor.data;
}

static void test_f32_is_borrowed(void **state)
{
    (void)state;
    beam_network *net = linear_network();
    const named items[] = {BIAS, WEIGHT(BEAM_F32, w)};
    assert_int_equal(bind(net, items, 2, NULL), BEAM_OK);
    assert_ptr_equal(data_of(net, 0), w);
    assert_ptr_equal(data_of(net, 1), b);
    beam_network_free(net);
}

static void test_others_are_converted(void **state)
{
    (void)state;
    beam_network *net = linear_network();
    const named all[][2] = {{WEIGHT(BEAM_F16, half), BIAS},
                            {WEIGHT(BEAM_BF16, brain), BIAS},
                            {WEIGHT(BEAM_F64, wide), BIAS}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(bind(net, all[i], 2, NULL), BEAM_OK);
        assert_memory_equal(data_of(net, 0), w, sizeof w);
    }
    char bytes[sizeof w + 1]; /* a file may hold floats at any address */
    memcpy(bytes + 1, w, sizeof w);
    const named unaligned[] = {WEIGHT(BEAM_F32, bytes + 1), BIAS};
    assert_int_equal(bind(net, unaligned, 2, NULL), BEAM_OK);
    assert_memory_equal(data_of(net, 0), w, sizeof w);
    beam_network_free(net);
}

static void test_misfits_are_named(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = linear_network();
    const named good[] = {WEIGHT(BEAM_F32, w), BIAS};
    assert_int_equal(bind(net, good, 2, NULL), BEAM_OK);

    const named other[] = {
        {"conv1.weight", {.dtype = BEAM_F32, .rank = 1, .shape = {1}, .data = w}},
        {"bn1.num_batches_tracked", {.dtype = BEAM_I64, .data = &counter}},
        {"fc.weight", {.dtype = BEAM_F32, .rank = 2, .shape = {3, 2}, .data = w}}};
    assert_int_equal(bind(net, other, 3, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "tiny"));
    assert_non_null(strstr(err.message, "1 missing (fc.bias)"));
    assert_non_null(strstr(err.message, "fc.weight is f32 [3, 2] instead of [2, 3]"));
    assert_non_null(strstr(err.message, "1 unexpected (conv1.weight)"));
    assert_ptr_equal(data_of(net, 0), w); /* as before */

    const named whole[] = {
        {"fc.weight", {.dtype = BEAM_I64, .rank = 2, .shape = {2, 3}, .data = w}}, BIAS};
    assert_int_equal(bind(net, whole, 2, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "fc.weight is i64"));
    beam_network_free(net);
}

static void test_one_by_one(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_network *net = linear_network();
    beam_tensor t = {.dtype = BEAM_F32, .rank = 2, .shape = {2, 3}, .data = w};
    assert_int_equal(beam_network_set_parameter(net, "fc.weight", &t, &err), BEAM_OK);
    assert_ptr_equal(data_of(net, 0), w);
    assert_int_equal(beam_network_set_parameter(net, "fc.gamma", &t, &err), BEAM_NOT_FOUND);
    assert_int_equal(beam_network_set_parameter(net, "fc.bias", &t, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "[2, 3] instead of [2]"));
    beam_network_free(net);
}

static void test_initialization(void **state)
{
    (void)state;
    beam_network *net[3];
    for (int i = 0; i < 3; i++) {
        beam_network_options o = {.struct_size = sizeof o, .num_classes = 10, .height = 32};
        assert_int_equal(beam_network_create("small_cnn", &o, &net[i], NULL), BEAM_OK);
        assert_int_equal(beam_network_initialize(net[i], i == 2 ? 8 : 7, NULL), BEAM_OK);
    }
    beam_parameter p, same, other;
    for (size_t i = 0; i < beam_network_num_parameters(net[0]); i++) {
        assert_int_equal(beam_network_parameter(net[0], i, &p), BEAM_OK);
        assert_int_equal(beam_network_parameter(net[1], i, &same), BEAM_OK);
        assert_memory_equal(p.tensor.data, same.tensor.data, beam_tensor_bytes(&p.tensor));
    }
    /* conv3.weight {64, 32, 3, 3}: mean 0, variance 2 / (64 * 9) */
    assert_int_equal(beam_network_parameter(net[0], 10, &p), BEAM_OK);
    assert_int_equal(beam_network_parameter(net[2], 10, &other), BEAM_OK);
    assert_string_equal(p.name, "conv3.weight");
    size_t n = 64 * 32 * 9;
    assert_int_equal(beam_tensor_bytes(&p.tensor), n * sizeof(float));
    assert_memory_not_equal(p.tensor.data, other.tensor.data, n * sizeof(float));
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)((const float *)p.tensor.data)[i];
        sum += x;
        squares += x * x;
    }
    double variance = 2.0 / (64 * 9);
    assert_true(sum / (double)n < 0.002 && sum / (double)n > -0.002);
    assert_true(squares / (double)n < variance * 1.05 && squares / (double)n > variance * 0.95);
    assert_int_equal(beam_network_parameter(net[0], 4, &p), BEAM_OK);
    assert_string_equal(p.name, "bn1.running_var");
    assert_true(((const float *)p.tensor.data)[31] == 1.0f);
    for (int i = 0; i < 3; i++)
        beam_network_free(net[i]);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    beam_network *net = linear_network();
    const named items[] = {WEIGHT(BEAM_F64, wide), BIAS};
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = bind(net, items, 2, &err);
        bool all_made = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(status, all_made ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED);
        if (all_made)
            break;
        assert_null(data_of(net, 0));
    }
    beam_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32_is_borrowed),
        cmocka_unit_test(test_others_are_converted),
        cmocka_unit_test(test_misfits_are_named),
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_initialization),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
