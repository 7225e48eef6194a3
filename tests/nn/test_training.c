/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_training.c - networks differentiated, optimizers and schedules checked, first layers that
 * whiten.  What the operations compute is tested with the devices. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <beam/optimizer.h>

#include "base/alloc.h"
#include "nn/training.h"

static beam_network *make(const char *name)
{
    beam_network *net = NULL;
    beam_error err = {0};
    const beam_network_options options = {
        .struct_size = sizeof options, .num_classes = 10, .height = 32};
    assert_int_equal(beam_network_create(name, &options, &net, &err), BEAM_OK);
    return net;
}

static size_t count_kind(const beam_network *net, beam_op_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < net->num_ops; i++)
        count += net->ops[i].kind == kind;
    return count;
}

/* Every operand is made before it is read: by an input, a parameter, a state or an operation. */
static void check_order(const beam_network *net)
{
    for (size_t i = 0; i < net->num_ops; i++) {
        const beam_nn_op *op = &net->ops[i];
        for (uint32_t k = 0; k < op->num_inputs; k++) {
            const beam_nn_value *value = &net->values[op->inputs[k]];
            assert_true(op->inputs[k] < net->num_values);
            assert_true(op->inputs[k] == 0 || value->kind != BEAM_VALUE_COMPUTED ||
                        value->index < i);
        }
        for (uint32_t k = 0; k < op->num_outputs; k++)
            assert_true(op->outputs[k] == 0 || net->values[op->outputs[k]].index == i);
    }
}

static void test_resnet18(void **state)
{
    (void)state;
    beam_network *net = make("resnet18");
    beam_nn_training *t = NULL;
    beam_error err = {0};
    const beam_nn_training_options options = {
        .optimizer = {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.1f}};
    assert_int_equal(beam_nn_training_new(net, &options, &t, &err), BEAM_OK);
    check_order(t->network);
    assert_int_equal(count_kind(t->network, BEAM_OP_CONV2D), 20);
    assert_int_equal(count_kind(t->network, BEAM_OP_CONV2D_GRAD_WEIGHTS), 20);
    /* Nobody wants the gradient of the image. */
    assert_int_equal(count_kind(t->network, BEAM_OP_CONV2D_GRAD_DATA), 19);
    assert_int_equal(count_kind(t->network, BEAM_OP_BATCH_NORM_TRAINING), 20);
    assert_int_equal(count_kind(t->network, BEAM_OP_BATCH_NORM_GRAD), 20);
    assert_int_equal(count_kind(t->network, BEAM_OP_SGD), 62);
    /* 102 parameters (62 trained) and a momentum for each that is trained. */
    assert_int_equal(t->num_states, 102 + 62);
    size_t changed = 0, decayed = 0;
    for (size_t i = 0; i < t->num_states; i++)
        changed += t->states[i].next != 0;
    for (size_t i = 0; i < t->network->num_ops; i++)
        decayed += t->network->ops[i].update.weight_decay > 0;
    assert_int_equal(changed, 102 + 62);
    assert_int_equal(decayed, 21); /* 20 convolutions and fc's weight */
    assert_string_equal(t->states[102 + 61].name, "conv1.weight.momentum");
    beam_nn_training_free(t);
    beam_network_free(net);
}

/* Muon is for the weights that are hidden; the last one's and all vectors are AdamW's. */
static void test_muon(void **state)
{
    (void)state;
    beam_network *net = make("resnet18");
    beam_nn_training *t = NULL;
    beam_error err = {0};
    const beam_nn_training_options options = {
        .optimizer = {.kind = BEAM_OPTIMIZER_MUON, .weight_decay = 0.1f, .bias_lr_factor = 4}};
    assert_int_equal(beam_nn_training_new(net, &options, &t, &err), BEAM_OK);
    check_order(t->network);
    assert_int_equal(count_kind(t->network, BEAM_OP_MUON), 20);
    assert_int_equal(count_kind(t->network, BEAM_OP_ADAM), 62 - 20);
    assert_int_equal(t->num_states, 102 + 20 + 2 * (62 - 20));
    size_t decayed = 0;
    for (size_t i = 0; i < t->network->num_ops; i++) {
        const beam_nn_op *op = &t->network->ops[i];
        if (op->kind == BEAM_OP_MUON)
            assert_float_equal(op->update.momentum, 0.95f, 0);
        if (op->kind == BEAM_OP_MUON || op->kind == BEAM_OP_ADAM)
            assert_true(op->update.decoupled);
        decayed += op->update.weight_decay > 0;
    }
    assert_int_equal(decayed, 21);
    beam_nn_training_free(t);
    beam_network_free(net);
}

static void test_frozen(void **state)
{
    (void)state;
    beam_network *net = make("fastnet");
    beam_nn_training *t = NULL;
    beam_error err = {0};
    const beam_nn_training_options options = {
        .optimizer = {.kind = BEAM_OPTIMIZER_ADAM, .max_gradient_norm = 1, .bias_lr_factor = 64}};
    assert_int_equal(beam_nn_training_new(net, &options, &t, &err), BEAM_OK);
    check_order(t->network);
    /* The whitening layer gets no gradient, and none goes back to it. */
    assert_int_equal(count_kind(t->network, BEAM_OP_CONV2D_GRAD_WEIGHTS), 6);
    assert_int_equal(count_kind(t->network, BEAM_OP_CONV2D_GRAD_DATA), 5);
    /* Six convolutions, six batch norms' weights and biases, fc; clipped all together. */
    assert_int_equal(count_kind(t->network, BEAM_OP_ADAM), 19);
    assert_int_equal(count_kind(t->network, BEAM_OP_SQUARED_SUM), 19);
    assert_int_equal(count_kind(t->network, BEAM_OP_CLIP_FACTOR), 1);
    size_t fast = 0;
    for (size_t i = 0; i < t->network->num_ops; i++)
        fast += t->network->ops[i].update.lr_factor > 1;
    assert_int_equal(fast, 6);
    for (size_t i = 0; i < net->num_parameters; i++)
        if (strcmp(net->parameters[i].name, "whiten.weight") == 0) {
            assert_int_equal(t->gradients[i], 0);
            assert_int_equal(t->states[i].next, 0);
        }
    beam_nn_training_free(t);
    beam_network_free(net);
}

static void refuse(beam_network *net, beam_value out, const char *words)
{
    beam_nn_training *t = NULL;
    beam_error err = {0};
    const beam_nn_training_options options = {0};
    assert_int_equal(beam_network_finish(net, &out, 1, &err), BEAM_OK);
    assert_int_equal(beam_nn_training_new(net, &options, &t, &err), BEAM_INVALID_ARGUMENT);
    assert_null(t);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    beam_network_free(net);
}

static void test_refused(void **state)
{
    (void)state;
    beam_network *net = beam_network_new("softmaxed");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){4});
    refuse(net, beam_nn_softmax(net, beam_nn_linear(net, x, "fc", .out_features = 3)), "softmax");

    net = beam_network_new("bare");
    x = beam_nn_input(net, "x", 1, (const int64_t[]){4});
    refuse(net, beam_nn_relu(net, x), "no parameter");

    net = beam_network_new("images");
    x = beam_nn_input(net, "x", 3, (const int64_t[]){2, 4, 4});
    refuse(net, beam_nn_conv2d(net, x, "conv", .out_channels = 3, .kernel = 3), "logits");
}

static void test_failing_allocations(void **state)
{
    (void)state;
    beam_network *net = make("fastnet");
    const beam_nn_training_options options = {
        .optimizer = {.kind = BEAM_OPTIMIZER_ADAM, .max_gradient_norm = 1}};
    for (uint64_t n = 1;; n++) {
        beam_nn_training *t = NULL;
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_nn_training_new(net, &options, &t, &err);
        beam_alloc_fail_at(0, 0);
        if (status == BEAM_OK) {
            assert_true(n > 5);
            beam_nn_training_free(t);
            break;
        }
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
        assert_null(t);
    }
    beam_network_free(net);
}

static void test_optimizer_limits(void **state)
{
    (void)state;
    static const struct {
        beam_optimizer optimizer;
        const char *words;
    } bad[] = {
        {{.momentum = 1}, "momentum"},
        {{.momentum = -0.1f}, "momentum"},
        {{.kind = BEAM_OPTIMIZER_ADAM, .beta1 = 1}, "beta1"},
        {{.kind = BEAM_OPTIMIZER_ADAM, .beta2 = NAN}, "beta2"},
        {{.weight_decay = INFINITY}, "weight_decay"},
        {{.max_gradient_norm = -1}, "max_gradient_norm"},
        {{.nesterov = true}, "momentum"},
        {{.kind = (beam_optimizer_kind)9}, "9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        beam_error err = {0};
        assert_int_equal(beam_optimizer_check(&bad[i].optimizer, &err), BEAM_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, bad[i].words));
    }
    beam_optimizer_kind kind;
    beam_error err = {0};
    assert_int_equal(beam_optimizer_parse("adamw", &kind, &err), BEAM_OK);
    assert_int_equal(kind, BEAM_OPTIMIZER_ADAMW);
    assert_string_equal(beam_optimizer_name(kind), "adamw");
    assert_int_equal(beam_optimizer_parse("muon", &kind, &err), BEAM_OK);
    assert_int_equal(kind, BEAM_OPTIMIZER_MUON);
    assert_int_equal(beam_optimizer_parse("lion", &kind, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "lion"));
}

static void expect_schedule(const beam_schedule *s, uint64_t step, uint64_t total, double wanted)
{
    double got = (double)beam_schedule_at(s, step, total);
    if (fabs(got - wanted) > 1e-6)
        fail_msg("step %llu of %llu: %g, not %g", (unsigned long long)step,
                 (unsigned long long)total, got, wanted);
}

static void test_schedules(void **state)
{
    (void)state;
    expect_schedule(&(beam_schedule){0}, 7, 10, 1);

    const beam_schedule steps = {.kind = BEAM_SCHEDULE_STEP, .factor = 0.5f, .every = 0.25f};
    expect_schedule(&steps, 0, 100, 1);
    expect_schedule(&steps, 24, 100, 1);
    expect_schedule(&steps, 25, 100, 0.5);
    expect_schedule(&steps, 99, 100, 0.125);
    static const double thirds[] = {1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01}; /* StepLR's */
    for (uint64_t i = 0; i < 9; i++)
        expect_schedule(&(beam_schedule){.kind = BEAM_SCHEDULE_STEP}, i, 9, thirds[i]);

    const beam_schedule cosine = {.kind = BEAM_SCHEDULE_COSINE, .final = 0.2f};
    expect_schedule(&cosine, 0, 101, 1);
    expect_schedule(&cosine, 50, 101, 0.6);
    expect_schedule(&cosine, 100, 101, 0.2);

    const beam_schedule cycle = {
        .kind = BEAM_SCHEDULE_ONE_CYCLE, .warmup = 0.2f, .initial = 0.5f, .final = 0.1f};
    expect_schedule(&cycle, 0, 101, 0.5);
    expect_schedule(&cycle, 10, 101, 0.75);
    expect_schedule(&cycle, 20, 101, 1);
    expect_schedule(&cycle, 60, 101, 0.55);
    expect_schedule(&cycle, 100, 101, 0.1);
    /* Past the end it stays, and a run of one step has one. */
    expect_schedule(&cycle, 5000, 101, 0.1);
    assert_true(isfinite(beam_schedule_at(&cycle, 0, 1)));

    beam_schedule_kind kind;
    beam_error err = {0};
    assert_int_equal(beam_schedule_parse("one_cycle", &kind, &err), BEAM_OK);
    assert_int_equal(kind, BEAM_SCHEDULE_ONE_CYCLE);
    assert_int_equal(beam_schedule_parse("linear", &kind, &err), BEAM_INVALID_ARGUMENT);
}

/* Filters applied to the patches that they are made of give numbers that are uncorrelated and of
 * size 1, and come with their negatives. */
static void test_whitening(void **state)
{
    (void)state;
    enum { IMAGES = 20, SIDE = 32, FILTERS = 12 };
    beam_network *net = make("fastnet");
    beam_error err = {0};
    float *images = beam_malloc(IMAGES * 3 * SIDE * SIDE * sizeof *images);
    uint32_t x = 1;
    for (size_t i = 0; i < IMAGES * 3 * SIDE * SIDE; i++) { /* neighbours resemble each other */
        x = x * 1664525u + 1013904223u;
        float noise = (float)(x >> 8) / (float)(1 << 24) - 0.5f;
        images[i] = i % SIDE ? 0.7f * images[i - 1] + noise : noise;
    }
    assert_true(beam_network_whitens(net));
    assert_int_equal(beam_network_whiten(net, images, IMAGES, &err), BEAM_OK);
    const float *w = net->parameters[0].tensor.data;
    assert_string_equal(net->parameters[0].name, "whiten.weight");
    double sums[FILTERS] = {0}, products[FILTERS][FILTERS] = {{0}}, count = 0;
    for (size_t n = 0; n < IMAGES; n++)
        for (size_t i = 0; i + 1 < SIDE; i++)
            for (size_t j = 0; j + 1 < SIDE; j++, count++) {
                double y[FILTERS] = {0};
                for (size_t f = 0; f < FILTERS; f++)
                    for (size_t k = 0; k < 12; k++)
                        y[f] +=
                            (double)w[f * 12 + k] *
                            (double)
                                images[((n * 3 + k / 4) * SIDE + i + k / 2 % 2) * SIDE + j + k % 2];
                for (size_t f = 0; f < FILTERS; f++) {
                    sums[f] += y[f];
                    for (size_t g = 0; g < FILTERS; g++)
                        products[f][g] += y[f] * y[g];
                }
            }
    for (size_t f = 0; f < FILTERS; f++)
        for (size_t g = 0; g < FILTERS; g++) {
            double covariance = products[f][g] / count - sums[f] / count * (sums[g] / count);
            if (fabs(covariance - (f == g)) > 0.02)
                fail_msg("filters %zu and %zu: %g", f, g, covariance);
        }
    for (size_t k = 0; k < FILTERS * 12; k++)
        assert_true(w[FILTERS * 12 + k] == -w[k]);
    beam_free(images);
    beam_network_free(net);

    net = make("resnet18");
    float one = 0;
    assert_false(beam_network_whitens(net));
    assert_int_equal(beam_network_whiten(net, &one, 1, &err), BEAM_NOT_FOUND);
    beam_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnet18),
        cmocka_unit_test(test_muon),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_optimizer_limits),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_whitening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
