/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Muon beside AdamW, as PyTorch computes them (tests/data/muon_steps.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>

#include <beam/device.h>

#include "device/nets.h"

enum { BATCH = 8, IN = 5, TALL = 12, WIDE = 6, CLASSES = 3, PARAMETERS = 6, LARGEST = TALL * WIDE };

static json_t *record;

static void fill(float *to, size_t count, double seed, double scale)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (float)(scale * sin(seed + 1.7 * (double)i));
}

static float weights[PARAMETERS][LARGEST]; /* what the network begins with */

/* The last of three layers is AdamW's; of the others, one has more rows than columns. */
static beam_network *layers(void)
{
    beam_error err = {0};
    beam_network *net = beam_network_new("layers");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){IN});
    x = beam_nn_relu(net, beam_nn_linear(net, x, "0", .out_features = TALL));
    x = beam_nn_relu(net, beam_nn_linear(net, x, "2", .out_features = WIDE));
    x = beam_nn_linear(net, x, "4", .out_features = CLASSES);
    nets_ok(beam_network_finish(net, &x, 1, &err), &err);
    beam_parameter p;
    for (size_t i = 0; beam_network_parameter(net, i, &p) == BEAM_OK; i++) {
        assert_true(i < PARAMETERS);
        fill(weights[i], beam_tensor_bytes(&p.tensor) / sizeof weights[i][0], (double)i, 0.5);
        p.tensor.data = weights[i];
        nets_ok(beam_network_set_parameter(net, p.name, &p.tensor, &err), &err);
    }
    return net;
}

static double setting(const char *name)
{
    return json_number_value(json_object_get(record, name));
}

/* Numbers may differ by a part of what they have moved. */
static void compare(beam_training *training, const beam_network *net)
{
    const json_t *wanted = json_object_get(record, "parameters");
    beam_error err = {0};
    beam_parameter p;
    for (size_t i = 0; beam_network_parameter(net, i, &p) == BEAM_OK; i++) {
        const json_t *numbers = json_array_get(wanted, i);
        size_t count = json_array_size(numbers);
        float got[LARGEST];
        double off = 0, moved = 0;
        assert_int_equal(count, beam_tensor_bytes(&p.tensor) / sizeof *got);
        nets_ok(beam_training_read(training, p.name, got, &err), &err);
        for (size_t k = 0; k < count; k++) {
            double number = json_number_value(json_array_get(numbers, k));
            off += pow((double)got[k] - number, 2);
            moved += pow((double)weights[i][k] - number, 2);
        }
        if (!(sqrt(off / moved) < 1e-4))
            fail_msg("%s is %g of its way off", p.name, sqrt(off / moved));
    }
}

static void run_steps(const char *device_name)
{
    beam_network *net = layers();
    beam_error err = {0};
    beam_device *device = NULL;
    beam_training *training = NULL;
    const beam_training_options options = {
        .struct_size = sizeof options,
        .batch_size = BATCH,
        .num_threads = 1,
        .optimizer = {.kind = BEAM_OPTIMIZER_MUON,
                      .momentum = (float)setting("momentum"),
                      .weight_decay = (float)setting("weight_decay")}};
    float images[BATCH * IN];
    uint32_t labels[BATCH];
    fill(images, BATCH * IN, 10, 1);
    for (uint32_t i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    beam_tensor input = {.data = images, .dtype = BEAM_F32, .rank = 2, .shape = {BATCH, IN}};
    const json_t *losses = json_object_get(record, "losses");
    nets_ok(beam_device_open(device_name, NULL, &device, &err), &err);
    nets_ok(beam_device_train(device, net, &options, &training, &err), &err);
    for (size_t s = 0; s < json_array_size(losses); s++) {
        beam_step_result result;
        nets_ok(beam_training_step(training, &input, 1, labels, (float)setting("learning_rate"),
                                   &result, &err),
                &err);
        double wanted = json_number_value(json_array_get(losses, s));
        if (!(fabs((double)result.loss / wanted - 1) < 1e-5))
            fail_msg("%s, step %zu: loss %g, PyTorch's %g", device_name, s, (double)result.loss,
                     wanted);
    }
    compare(training, net);
    beam_training_free(training);
    nets_close(device);
    beam_network_free(net);
}

static void test_pytorch(void **state)
{
    (void)state;
    record = json_load_file(BEAM_SOURCE_DIR "/tests/data/muon-steps.json", 0, NULL);
    assert_non_null(record);
    run_steps("reference");
    run_steps("cpu");
    json_decref(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pytorch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
