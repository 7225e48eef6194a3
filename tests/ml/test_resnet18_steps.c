/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_resnet18_steps.c - training ResNet-18 against PyTorch's record of the same steps
 * (tests/data/resnet18-steps.json): losses, and after the first step every gradient, every updated
 * parameter and batch norm's averages.  Needs resnet18-cifar10.pth in $BEAM_TEST_DATA and
 * CIFAR-10 in $BEAM_DATA_DIR; without them it is skipped.  All 50 steps run where BEAM_LONG is
 * set, otherwise the first few. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include <beam/device.h>
#include <beam/weights.h>

#include "base/alloc.h"

enum { BATCH = 64, STEPS = 50, FEW = 8, CLASSES = 10, PIXELS = 32 * 32, VALUES = 3 * PIXELS };

static json_t *record;
static beam_weights *weights;
static beam_network *network;
static float *images;
static uint32_t labels[STEPS * BATCH];

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        fail_msg("%s: %s", beam_status_name(status), err->message);
}

static bool read_images(const char *folder)
{
    static const float mean[] = {0.4914f, 0.4822f, 0.4465f},
                       deviation[] = {0.247f, 0.2435f, 0.2616f};
    static unsigned char row[1 + VALUES];
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/cifar-10-batches-bin/data_batch_1.bin", folder);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    images = beam_malloc(sizeof(float) * STEPS * BATCH * VALUES);
    assert_non_null(images);
    for (size_t i = 0; i < STEPS * BATCH; i++) {
        assert_int_equal(fread(row, 1, sizeof row, file), sizeof row);
        labels[i] = row[0];
        for (size_t k = 0; k < VALUES; k++)
            images[i * VALUES + k] =
                ((float)row[1 + k] / 255.0f - mean[k / PIXELS]) / deviation[k / PIXELS];
    }
    (void)fclose(file);
    return true;
}

static int open_all(void **state)
{
    (void)state;
    const char *folder = getenv("BEAM_TEST_DATA"), *data = getenv("BEAM_DATA_DIR");
    char path[4096];
#if defined(BEAM_SHARED_DATA_DIR)
    if (!folder)
        folder = BEAM_SHARED_DATA_DIR;
#endif
    (void)snprintf(path, sizeof path, "%s/resnet18-cifar10.pth", folder ? folder : "");
    if (!data || beam_weights_open(path, &weights, NULL) != BEAM_OK || !read_images(data))
        return 0;
    beam_error err = {0};
    beam_network_options o = {.struct_size = sizeof o, .num_classes = CLASSES, .height = 32};
    beam_weight_source source = beam_weights_source(weights);
    ok(beam_network_create("resnet18", &o, &network, &err), &err);
    ok(beam_network_bind(network, &source, &err), &err);
    record = json_load_file(BEAM_SOURCE_DIR "/tests/data/resnet18-steps.json", 0, NULL);
    assert_non_null(record);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    json_decref(record);
    beam_network_free(network);
    beam_weights_close(weights);
    beam_free(images);
    return 0;
}

/* ---- comparing ---- */

static double member(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* A tensor of the training against its recorded norm and first numbers.  These are sums, from which
 * a relu whose operand is 0 but for rounding takes a part, or does not: `*odd` counts those. */
static void check_tensor(beam_training *training, const char *name, const char *suffix,
                         size_t count, const json_t *wanted, double limit, size_t *odd)
{
    char full[160];
    beam_error err = {0};
    (void)snprintf(full, sizeof full, "%s%s", name, suffix);
    float *data = beam_malloc(count * sizeof *data);
    assert_non_null(data);
    ok(beam_training_read(training, full, data, &err), &err);
    double squares = 0, norm = member(wanted, "norm");
    for (size_t i = 0; i < count; i++)
        squares += (double)data[i] * (double)data[i];
    if (!(fabs(sqrt(squares) - norm) <= limit * norm))
        fail_msg("%s: norm %.9g, PyTorch %.9g", full, sqrt(squares), norm);
    const json_t *first = json_object_get(wanted, "first");
    double typical = norm / sqrt((double)count);
    for (size_t i = 0; i < json_array_size(first); i++) {
        double value = json_number_value(json_array_get(first, i));
        double difference = fabs((double)data[i] - value), bound = fabs(value) + typical;
        *odd += difference > 10 * limit * bound;
        if (!(difference <= 50 * limit * bound))
            fail_msg("%s[%zu]: %.9g, PyTorch %.9g", full, i, (double)data[i], value);
    }
    beam_free(data);
}

static void check_first_step(beam_training *training, const json_t *first_step)
{
    const json_t *gradients = json_object_get(first_step, "gradients");
    const json_t *after = json_object_get(first_step, "after");
    size_t compared = 0, odd = 0;
    for (size_t i = 0; i < beam_network_num_parameters(network); i++) {
        const char *name = NULL;
        beam_tensor tensor;
        assert_int_equal(beam_training_state(training, i, &name, &tensor), BEAM_OK);
        size_t count = beam_tensor_bytes(&tensor) / sizeof(float);
        const json_t *gradient = json_object_get(gradients, name);
        const json_t *value = json_object_get(after, name);
        if (gradient)
            check_tensor(training, name, ".grad", count, gradient, 1e-4, &odd);
        if (value)
            check_tensor(training, name, "", count, value, 1e-4, &odd);
        compared += (size_t)(gradient != NULL) + (size_t)(value != NULL);
    }
    assert_int_equal(compared, json_object_size(gradients) + json_object_size(after));
    assert_true(odd <= 2);
}

/* How far a loss may be from PyTorch's; its own layouts and thread counts differ by as much. */
static double limit_at(const beam_optimizer *optimizer, size_t step)
{
    return optimizer->kind == BEAM_OPTIMIZER_SGD && step >= 30 ? 0.03 : 0.01;
}

static void run_steps(const char *which, const beam_optimizer *optimizer, uint32_t threads)
{
    if (!record) {
        print_message("no trained ResNet-18 in $BEAM_TEST_DATA or no CIFAR-10 in $BEAM_DATA_DIR\n");
        skip();
    }
    beam_error err = {0};
    beam_device *device = NULL;
    beam_training *training = NULL;
    const json_t *wanted = json_object_get(record, which);
    const json_t *losses = json_object_get(wanted, "losses");
    const beam_training_options options = {.struct_size = sizeof options,
                                           .batch_size = BATCH,
                                           .num_threads = threads,
                                           .optimizer = *optimizer,
                                           .keep_gradients = true};
    ok(beam_device_open("cpu", NULL, &device, &err), &err);
    ok(beam_device_train(device, network, &options, &training, &err), &err);
    size_t steps = getenv("BEAM_LONG") ? STEPS : FEW;
    double worst = 0;
    for (size_t s = 0; s < steps; s++) {
        beam_step_result result;
        beam_tensor x = beam_network_input(network, 0, BATCH);
        x.data = images + s * BATCH * VALUES;
        ok(beam_training_step(training, &x, 1, labels + s * BATCH, (float)member(wanted, "lr"),
                              &result, &err),
           &err);
        double loss = json_number_value(json_array_get(losses, s));
        double off = fabs((double)result.loss - loss) / loss;
        worst = off > worst ? off : worst;
        if (!(off <= limit_at(optimizer, s)))
            fail_msg("%s: loss %zu is %g, PyTorch %g", which, s, (double)result.loss, loss);
        if (s == 0)
            check_first_step(training, json_object_get(wanted, "first_step"));
    }
    print_message("%s, %u threads: %zu losses, at most %.3g%% off\n", which, threads, steps,
                  100 * worst);
    beam_training_free(training);
    beam_device_close(device);
}

static void test_adam(void **state)
{
    (void)state;
    run_steps("adam", &(beam_optimizer){.kind = BEAM_OPTIMIZER_ADAM}, 1);
}

static void test_nesterov(void **state)
{
    (void)state;
    const beam_optimizer sgd = {.kind = BEAM_OPTIMIZER_SGD,
                                .momentum = 0.9f,
                                .nesterov = true,
                                .weight_decay = 5e-4f,
                                .decay_all = true};
    run_steps("sgd_nesterov", &sgd, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_nesterov),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
