/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_weights.c - what weights a network takes, and what it says of those it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include <beam/nn.h>

#include "support/shortage.h"

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

/* ---- eight bits ---- */

static const int8_t eight[6] = {127, -64, 0, 1, -127, -128};
static const float scales[2] = {0.5f, 0.25f}, range[1] = {3};

#define VECTOR(called, count, numbers)                                        \
    {                                                                         \
        called,                                                               \
        {                                                                     \
            .dtype = BEAM_F32, .rank = 1, .shape = {count}, .data = (numbers) \
        }                                                                     \
    }

static void test_eight_bits(void **state)
{
    (void)state;
    static const float wanted[6] = {63.5f, -32, 0, 0.25f, -31.75f, -32};
    beam_network *net = linear_network();
    const named items[] = {WEIGHT(BEAM_I8, eight), BIAS, VECTOR("fc.weight_scale", 2, scales),
                           VECTOR("fc.input_range", 1, range)};
    assert_int_equal(bind(net, items, 4, NULL), BEAM_OK);
    assert_memory_equal(data_of(net, 0), wanted, sizeof wanted);
    const named plain[] = {WEIGHT(BEAM_F32, w), BIAS};
    assert_int_equal(bind(net, plain, 2, NULL), BEAM_OK); /* and the ranges are gone */
    beam_network_free(net);
}

static void test_eight_bits_that_lie(void **state)
{
    (void)state;
    static const float nan[2] = {0.5f, NAN}, zero[2] = {0.5f, 0}, minus[1] = {-1},
                       huge[1] = {INFINITY};
    static const struct {
        named items[4];
        size_t count;
        const char *words;
    } cases[] = {
        {{WEIGHT(BEAM_I8, eight), BIAS}, 2, "there is no fc.weight_scale"},
        {{WEIGHT(BEAM_I8, eight), BIAS, VECTOR("fc.weight_scale", 1, scales)}, 3, "f32 {2}"},
        {{WEIGHT(BEAM_I8, eight), BIAS, VECTOR("fc.weight_scale", 2, nan)}, 3, "holds nan"},
        {{WEIGHT(BEAM_I8, eight), BIAS, VECTOR("fc.weight_scale", 2, zero)}, 3, "holds 0"},
        {{WEIGHT(BEAM_F32, w), BIAS, VECTOR("fc.weight_scale", 2, scales)}, 3, "1 unexpected"},
        {{WEIGHT(BEAM_F32, w), BIAS, VECTOR("fc.input_range", 1, minus)}, 3, "fc.input_range"},
        {{WEIGHT(BEAM_F32, w), BIAS, VECTOR("fc.output_range", 1, huge)}, 3, "fc.output_range"},
        {{WEIGHT(BEAM_F32, w), BIAS, VECTOR("fc.range", 1, range)}, 3, "1 unexpected"},
        {{WEIGHT(BEAM_F32, w),
          {"fc.bias", {.dtype = BEAM_I8, .rank = 1, .shape = {2}, .data = eight}}},
         2,
         "fc.bias is i8"},
    };
    beam_network *net = linear_network();
    const named good[] = {WEIGHT(BEAM_F32, w), BIAS};
    assert_int_equal(bind(net, good, 2, NULL), BEAM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_error err = {0};
        assert_int_equal(bind(net, cases[i].items, cases[i].count, &err), BEAM_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].words))
            fail_msg("case %zu: no \"%s\" in: %s", i, cases[i].words, err.message);
        assert_ptr_equal(data_of(net, 0), w); /* as before */
    }
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

static void fail_allocations(const named *items, size_t count)
{
    beam_network *net = linear_network();
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_error err = {0};
        test_shortage_ends(&s, bind(net, items, count, &err));
        assert_true((data_of(net, 0) != NULL) == s.over);
    }
    beam_network_free(net);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    const named f64[] = {WEIGHT(BEAM_F64, wide), BIAS};
    const named i8[] = {WEIGHT(BEAM_I8, eight), BIAS, VECTOR("fc.weight_scale", 2, scales),
                        VECTOR("fc.input_range", 1, range)};
    fail_allocations(f64, 2);
    fail_allocations(i8, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32_is_borrowed),
        cmocka_unit_test(test_others_are_converted),
        cmocka_unit_test(test_misfits_are_named),
        cmocka_unit_test(test_eight_bits),
        cmocka_unit_test(test_eight_bits_that_lie),
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_initialization),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
