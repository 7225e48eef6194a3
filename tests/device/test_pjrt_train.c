/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_pjrt_train.c - training steps on a real PJRT plugin, the one that runs on the CPU, against
 * the reference device: loss, gradients and every state after some steps. */
#include <math.h>
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
#include "nn/network.h"

enum { BATCH = 6, CLASSES = 5 };

/* What a training is asked after its steps. */
typedef struct outcome {
    float losses[64];
    uint32_t correct[64];
    float norm;
    float **arrays; /* states, then gradients */
    size_t *counts;
    size_t n;
} outcome;

static void read_array(outcome *o, beam_training *training, const char *name, size_t count)
{
    beam_error err = {0};
    o->arrays[o->n] = beam_malloc(count * sizeof(float));
    o->counts[o->n] = count;
    nets_ok(beam_training_read(training, name, o->arrays[o->n++], &err), &err);
}

static void read_all(outcome *o, beam_training *training, const beam_network *net)
{
    size_t states = beam_training_num_states(training),
           parameters = beam_network_num_parameters(net);
    o->arrays = beam_calloc(states + parameters, sizeof *o->arrays);
    o->counts = beam_calloc(states + parameters, sizeof *o->counts);
    for (size_t i = 0; i < states; i++) {
        const char *name;
        beam_tensor shape;
        assert_int_equal(beam_training_state(training, i, &name, &shape), BEAM_OK);
        read_array(o, training, name, beam_tensor_bytes(&shape) / sizeof(float));
    }
    for (size_t i = 0; i < parameters; i++) {
        char name[128];
        beam_parameter p;
        assert_int_equal(beam_network_parameter(net, i, &p), BEAM_OK);
        (void)snprintf(name, sizeof name, "%s.grad", p.name);
        if (p.trainable)
            read_array(o, training, name, beam_tensor_bytes(&p.tensor) / sizeof(float));
    }
}

static outcome train(const char *name, const beam_network *net, beam_training_options options,
                     int steps)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_training *training = NULL;
    outcome o = {.n = 0};
    options.struct_size = sizeof options;
    options.keep_gradients = true;
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    nets_ok(beam_device_train(device, net, &options, &training, &err), &err);
    beam_tensor image = beam_network_input(net, 0, options.batch_size);
    size_t count = beam_tensor_bytes(&image) / sizeof(float);
    uint32_t labels[256];
    for (int s = 0; s < steps; s++) {
        float *numbers = nets_numbers(11 + (uint64_t)s, count);
        image.data = numbers;
        for (uint32_t i = 0; i < options.batch_size; i++)
            labels[i] = (3 * i + 1 + (uint32_t)s) % CLASSES;
        beam_step_result result;
        nets_ok(beam_training_step(training, &image, 1, labels, 0.05f, &result, &err), &err);
        o.losses[s] = result.loss;
        o.correct[s] = result.correct;
        o.norm = result.gradient_norm;
        beam_free(numbers);
    }
    read_all(&o, training, net);
    beam_training_free(training);
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.weight_bytes + memory.working_bytes, 0);
    beam_device_close(device);
    return o;
}

static void outcome_free(outcome *o)
{
    for (size_t i = 0; i < o->n; i++)
        beam_free(o->arrays[i]);
    beam_free(o->arrays);
    beam_free(o->counts);
}

/* Losses may differ by `near` of themselves, arrays by `within` of their largest number. */
static void compare(const beam_network *net, beam_training_options options, int steps, double near,
                    double within)
{
    outcome got = train(nets_plugin(), net, options, steps);
    options.num_replicas = 1;
    outcome wanted = train("reference", net, options, steps);
    double worst = 0;
    assert_int_equal(got.n, wanted.n);
    for (int s = 0; s < steps; s++) {
        assert_true(fabs((double)got.losses[s] / (double)wanted.losses[s] - 1) < near);
        if (near < 1e-3)
            assert_int_equal(got.correct[s], wanted.correct[s]);
    }
    assert_true(fabs((double)(got.norm - wanted.norm)) <= within * (double)wanted.norm);
    for (size_t i = 0; i < got.n; i++) {
        assert_int_equal(got.counts[i], wanted.counts[i]);
        double difference = nets_difference(got.arrays[i], wanted.arrays[i], got.counts[i]);
        if (difference > within)
            fail_msg("array %zu of %zu differs by %g", i, got.n, difference);
        worst = fmax(worst, difference);
    }
    print_message("loss %g after %d steps, largest difference %.2g\n",
                  (double)got.losses[steps - 1], steps, worst);
    outcome_free(&wanted);
    outcome_free(&got);
}

/* Every layer that trains, in shapes that hide no exchanged dimension. */
static beam_network *all_layers(void)
{
    beam_error err = {0};
    beam_network *net = beam_network_new("all_layers");
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){4, 11, 9});
    x = beam_nn_conv2d(net, x, "strided", .out_channels = 6, .kernel = 3, .stride = 2, .padding = 1,
                       .no_bias = true);
    x = beam_nn_relu(net, beam_nn_batch_norm(net, x, "norm", 0));
    beam_value y = beam_nn_conv2d(net, x, "grouped", .out_channels = 8, .kernel = 3, .groups = 2,
                                  .padding = 2, .dilation = 2, .no_bias = true);
    beam_value z = beam_nn_conv2d(net, x, "point", .out_channels = 8, .kernel = 1);
    z = beam_nn_gelu(net, z);
    x = beam_nn_add(net, beam_nn_batch_norm(net, y, "norm2", 0), z);
    const beam_nn_op dropout = {.kind = BEAM_OP_DROPOUT,
                                .name = "dropout",
                                .num_inputs = 1,
                                .inputs = {beam_nn_relu(net, x).id},
                                .rate = 0.3f};
    x = beam_nn_add_op(net, &dropout, 4, net->values[dropout.inputs[0]].shape);
    y = beam_nn_max_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1);
    z = beam_nn_avg_pool2d(net, x, .kernel = 3, .stride = 2, .padding = 1);
    x = beam_nn_add(net, y, z);
    x = beam_nn_conv2d(net, x, "same", .out_channels = 7, .kernel = 3, .padding = 1);
    y = beam_nn_linear(net, beam_nn_flatten(net, x), "left", .out_features = CLASSES);
    z = beam_nn_flatten(net, beam_nn_global_avg_pool(net, x));
    z = beam_nn_linear(net, z, "right", .out_features = CLASSES, .no_bias = true);
    x = beam_nn_add(net, y, z);
    nets_ok(beam_network_finish(net, &x, 1, &err), &err);
    nets_fill(net, 3);
    return net;
}

static const beam_optimizer optimizers[] = {
    {.kind = BEAM_OPTIMIZER_SGD,
     .momentum = 0.9f,
     .nesterov = true,
     .weight_decay = 0.01f,
     .max_gradient_norm = 1},
    {.kind = BEAM_OPTIMIZER_SGD},
    {.kind = BEAM_OPTIMIZER_ADAM, .weight_decay = 0.01f},
    {.kind = BEAM_OPTIMIZER_ADAMW, .weight_decay = 0.01f, .max_gradient_norm = 1},
    {.kind = BEAM_OPTIMIZER_MUON, .weight_decay = 0.1f},
};

static void test_all_layers(void **state)
{
    (void)state;
    beam_network *net = all_layers();
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        compare(net,
                (beam_training_options){.batch_size = BATCH,
                                        .optimizer = optimizers[i],
                                        .label_smoothing = 0.1f,
                                        .seed = UINT64_C(0x123456789)},
                2, 1e-4, 1e-3);
    beam_network_free(net);
}

/* Replicas that share a batch do what one does with all of it: batch norm and dropout see the whole
 * batch, and every chip ends with the same states. */
static void test_replicas(void **state)
{
    (void)state;
    if (nets_plugin_chips() < 3)
        skip();
    beam_network *net = all_layers();
    for (uint32_t n = 2; n <= 3; n++)
        compare(net,
                (beam_training_options){.batch_size = BATCH,
                                        .optimizer = optimizers[n],
                                        .label_smoothing = 0.1f,
                                        .num_replicas = n,
                                        .seed = UINT64_C(0x123456789)},
                3, 1e-4, 1e-3);
    beam_network_free(net);
}

/* As the programs of GPUs and TPUs are written. */
static void test_all_layers_plain(void **state)
{
    (void)state;
    assert_int_equal(setenv("BEAM_PJRT_PLAIN", "1", 1), 0);
    beam_network *net = all_layers();
    const beam_optimizer tried[] = {optimizers[0], {.kind = BEAM_OPTIMIZER_MUON}};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++)
        compare(net, (beam_training_options){.batch_size = BATCH, .optimizer = tried[i]}, 2, 1e-4,
                1e-3);
    beam_network_free(net);
    assert_int_equal(unsetenv("BEAM_PJRT_PLAIN"), 0);
}

typedef struct scaled {
    beam_device *device;
    beam_network *net;
    beam_training *training;
    beam_tensor image;
    float scale[2];
} scaled;

static beam_step_result scaled_step(scaled *s, float rate)
{
    beam_error err = {0};
    beam_step_result result;
    const uint32_t labels[4] = {0, 1, 2, 3};
    nets_ok(beam_training_step(s->training, &s->image, 1, labels, rate, &result, &err), &err);
    nets_ok(beam_training_read(s->training, "loss_scale", s->scale, &err), &err);
    return result;
}

static float *weights_of(scaled *s)
{
    beam_error err = {0};
    float *weights = beam_malloc(32 * 9 * sizeof *weights);
    nets_ok(beam_training_read(s->training, "conv1.weight", weights, &err), &err);
    return weights;
}

static void scaled_write(scaled *s, float scale, float steps)
{
    beam_error err = {0};
    const float state[2] = {scale, steps};
    nets_ok(beam_training_write(s->training, "loss_scale", state, &err), &err);
}

static void goes_the_way_of(const outcome *wanted, const outcome *got, int steps, double near)
{
    for (int s = 0; s < steps; s++)
        assert_true(fabs((double)(got->losses[s] / wanted->losses[s]) - 1) < near);
}

/* f16 goes the way of f32, for gradients are scaled into its range; bf16 roughly so. */
static void test_half_precisions(void **state)
{
    (void)state;
    enum { STEPS = 6 };
    beam_network *net = nets_small();
    beam_training_options options = {.batch_size = 16,
                                     .optimizer = {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f}};
    outcome wanted = train("reference", net, options, STEPS);
    options.precision = BEAM_PRECISION_BF16;
    outcome got = train(nets_plugin(), net, options, STEPS);
    goes_the_way_of(&wanted, &got, STEPS, 0.05);
    outcome_free(&got);
    options.precision = BEAM_PRECISION_F16;
    for (uint32_t n = 1; n <= 2 && n <= nets_plugin_chips(); n++) {
        options.num_replicas = n;
        got = train(nets_plugin(), net, options, STEPS);
        goes_the_way_of(&wanted, &got, STEPS, 0.01);
        outcome_free(&got);
    }
    outcome_free(&wanted);
    beam_network_free(net);
}

/* A gradient that is no number leaves everything as it was and halves the scale; long without one,
 * the scale doubles. */
static void test_loss_scale(void **state)
{
    (void)state;
    beam_error err = {0};
    scaled s = {.net = nets_small()};
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = 4,
                                           .precision = BEAM_PRECISION_F16,
                                           .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};
    nets_ok(beam_device_open(nets_plugin(), NULL, &s.device, &err), &err);
    nets_ok(beam_device_train(s.device, s.net, &options, &s.training, &err), &err);
    const char *name;
    beam_tensor shape;
    size_t last = beam_training_num_states(s.training) - 1;
    assert_int_equal(beam_training_state(s.training, last, &name, &shape), BEAM_OK);
    assert_string_equal(name, "loss_scale");
    assert_int_equal(shape.rank == 1 && shape.shape[0] == 2, 1);
    s.image = beam_network_input(s.net, 0, 4);
    float *numbers = nets_numbers(5, beam_tensor_bytes(&s.image) / sizeof(float));
    s.image.data = numbers;

    scaled_write(&s, 1024, 1998);
    assert_false(scaled_step(&s, 0.01f).skipped);
    assert_true(s.scale[0] == 1024 && s.scale[1] == 1999);
    assert_false(scaled_step(&s, 0.01f).skipped);
    assert_true(s.scale[0] == 2048 && s.scale[1] == 0);

    float *before = weights_of(&s);
    for (size_t i = 0; i < beam_tensor_bytes(&s.image) / sizeof(float); i++)
        numbers[i] *= 3000; /* their products with gradients are beyond f16, if not they */
    scaled_write(&s, 16777216, 7);
    assert_true(scaled_step(&s, 0.01f).skipped);
    assert_true(s.scale[0] == 8388608 && s.scale[1] == 0);
    float *after = weights_of(&s);
    assert_memory_equal(before, after, 32 * 9 * sizeof *before);

    const float nonsense[2] = {-1, 0};
    assert_int_equal(beam_training_write(s.training, "loss_scale", nonsense, &err),
                     BEAM_INVALID_ARGUMENT);
    beam_free(before);
    beam_free(after);
    beam_free(numbers);
    beam_training_free(s.training);
    beam_device_close(s.device);
    beam_network_free(s.net);
}

/* States written and counted on, as after a restore, go on as if nothing had been. */
static void test_restore(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_device *device = NULL;
    beam_network *net = nets_small();
    beam_training *training[2];
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = BATCH,
                                           .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};
    nets_ok(beam_device_open(nets_plugin(), NULL, &device, &err), &err);
    for (int i = 0; i < 2; i++)
        nets_ok(beam_device_train(device, net, &options, &training[i], &err), &err);
    beam_tensor image = beam_network_input(net, 0, BATCH);
    float *numbers = nets_numbers(3, beam_tensor_bytes(&image) / sizeof(float));
    image.data = numbers;
    const uint32_t labels[BATCH] = {1, 2, 3, 4, 5, 6};
    beam_step_result one, other;
    nets_ok(beam_training_step(training[0], &image, 1, labels, 0.01f, &one, &err), &err);
    for (size_t i = 0; i < beam_training_num_states(training[0]); i++) {
        const char *name;
        beam_tensor shape;
        assert_int_equal(beam_training_state(training[0], i, &name, &shape), BEAM_OK);
        float *array = beam_malloc(beam_tensor_bytes(&shape));
        nets_ok(beam_training_read(training[0], name, array, &err), &err);
        nets_ok(beam_training_write(training[1], name, array, &err), &err);
        beam_free(array);
    }
    beam_training_set_steps(training[1], 1);
    nets_ok(beam_training_step(training[0], &image, 1, labels, 0.01f, &one, &err), &err);
    nets_ok(beam_training_step(training[1], &image, 1, labels, 0.01f, &other, &err), &err);
    assert_true(one.loss == other.loss);
    for (int i = 0; i < 2; i++)
        beam_training_free(training[i]);
    beam_device_close(device);
    beam_network_free(net);
    beam_free(numbers);
}

/* A run of 50 steps stays with the reference's. */
static void test_fifty_steps(void **state)
{
    (void)state;
    beam_network *net = all_layers();
    const beam_optimizer optimizer = {.kind = BEAM_OPTIMIZER_ADAM};
    compare(net, (beam_training_options){.batch_size = BATCH, .optimizer = optimizer}, 50, 1e-3,
            1e-2);
    beam_network_free(net);
}

/* ResNet-18 on images of 32x32, whose last batch norms see 4 numbers a channel: what they divide by
 * is small. */
static void test_resnet(void **state)
{
    (void)state;
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    skip(); /* the reference device takes a minute of it */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
    skip();
#endif
    beam_error err = {0};
    beam_network *net = NULL;
    beam_network_options o = {.struct_size = sizeof o, .num_classes = CLASSES, .height = 32};
    nets_ok(beam_network_create("resnet18", &o, &net, &err), &err);
    nets_ok(beam_network_initialize(net, 1, &err), &err);
    const beam_optimizer optimizer = {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f};
    compare(net, (beam_training_options){.batch_size = 4, .optimizer = optimizer}, 1, 1e-3, 0.1);
    beam_network_free(net);
}

int main(void)
{
    (void)setenv("XLA_FLAGS", "--xla_backend_optimization_level=0",
                 0); /* compiles in half the time */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_layers),  cmocka_unit_test(test_all_layers_plain),
        cmocka_unit_test(test_replicas),    cmocka_unit_test(test_half_precisions),
        cmocka_unit_test(test_loss_scale),  cmocka_unit_test(test_restore),
        cmocka_unit_test(test_fifty_steps), cmocka_unit_test(test_resnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
