/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* nets.c - what the device tests share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/pjrt_find.h"
#include "nn/network.h"
#include "nn/random.h"
#include "support/files.h"

/* XLA keeps what it has read of its flags.  That our own objects go is seen on the fake plugin. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:pjrt_c_api_cpu_plugin\n";
}

void nets_ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        fail_msg("%s: %s", beam_status_name(status), err->message);
}

float *nets_numbers(uint64_t seed, size_t count)
{
    float *numbers = beam_malloc(count * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = beam_random_at(seed, 1, i / 4).at[i % 4];
        numbers[i] = (float)((double)bits * 0x1p-31 - 1.0);
    }
    return numbers;
}

void nets_fill(beam_network *network, uint64_t seed)
{
    nets_ok(beam_network_initialize(network, seed, NULL), &(beam_error){0});
    for (size_t i = 0; i < network->num_parameters; i++) {
        beam_nn_parameter *p = &network->parameters[i];
        if (p->tensor.rank != 1)
            continue;
        float *data = p->owned;
        float *noise = nets_numbers(seed + 1 + i, (size_t)p->tensor.shape[0]);
        bool positive = strstr(p->name, "running_var") || p->init == BEAM_NN_INIT_ONE;
        for (int64_t k = 0; k < p->tensor.shape[0]; k++)
            data[k] = positive ? 1.0f + 0.5f * noise[k] : 0.3f * noise[k];
        beam_free(noise);
    }
}

float *nets_run(const char *name, const beam_network *network, beam_precision precision,
                int64_t batch, size_t *count)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_tensor inputs[2], outputs[2];
    size_t num_inputs = beam_network_num_inputs(network);
    size_t num_outputs = beam_network_num_outputs(network);
    assert_true(num_inputs <= 2 && num_outputs <= 2);
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    beam_compile_options options = {
        .struct_size = sizeof options, .precision = precision, .max_batch = batch};
    nets_ok(beam_device_compile(device, network, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    for (size_t i = 0; i < num_inputs; i++) {
        inputs[i] = beam_model_input(model, i, batch);
        inputs[i].data = nets_numbers(77 + i, beam_tensor_bytes(&inputs[i]) / sizeof(float));
    }
    nets_ok(beam_model_run(context, inputs, num_inputs, outputs, num_outputs, &err), &err);
    size_t bytes = 0;
    for (size_t i = 0; i < num_outputs; i++)
        bytes += beam_tensor_bytes(&outputs[i]);
    float *copy = beam_malloc(bytes), *to = copy;
    assert_non_null(copy);
    for (size_t i = 0; i < num_outputs; i++) {
        memcpy(to, outputs[i].data, beam_tensor_bytes(&outputs[i]));
        to += beam_tensor_bytes(&outputs[i]) / sizeof *to;
    }
    *count = bytes / sizeof(float);
    for (size_t i = 0; i < num_inputs; i++)
        beam_free((void *)(uintptr_t)inputs[i].data);
    beam_device_close(device); /* in any order */
    beam_model_free(model);
    beam_model_context_free(context);
    return copy;
}

double nets_difference(const float *a, const float *b, size_t count)
{
    double worst = 0, scale = 1e-30;
    for (size_t i = 0; i < count; i++) {
        assert_true(isfinite(a[i]) && isfinite(b[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)b[i]));
    }
    return worst / scale;
}

beam_network *nets_small(void)
{
    beam_error err = {0};
    beam_network *network = NULL;
    beam_network_options options = {
        .struct_size = sizeof options, .num_classes = 10, .channels = 1, .height = 8};
    nets_ok(beam_network_create("small_cnn", &options, &network, &err), &err);
    nets_fill(network, 5);
    return network;
}

const char *nets_plugin(void)
{
    static char name[4096];
    char pattern[4096];
    glob_t found = {0};
    test_keep_programs();
    const char *other = getenv("BEAM_TEST_PLUGIN");
    if (other && *other) {
        (void)snprintf(name, sizeof name, "pjrt:%s", other);
        return name;
    }
    char *cache = beam_pjrt_cache_folder();
    assert_non_null(cache);
    (void)snprintf(pattern, sizeof pattern, "%s/lammps-jax-pjrt-cpu-*/*/*.so", cache);
    beam_free(cache);
    bool there = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (there)
        (void)snprintf(name, sizeof name, "pjrt:%s", found.gl_pathv[0]);
    globfree(&found);
    if (!there) {
        print_message("no PJRT plugin for the CPU; scripts/deps get lammps-jax-pjrt-cpu\n");
        skip();
    }
    return name;
}

uint32_t nets_plugin_chips(void)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_device_info info;
    nets_ok(beam_device_open(nets_plugin(), NULL, &device, &err), &err);
    beam_device_get_info(device, &info);
    beam_device_close(device);
    return info.chips;
}

void nets_close(beam_device *device)
{
    if (device) {
        beam_device_memory memory;
        beam_device_get_memory(device, &memory);
        assert_int_equal(memory.weight_bytes + memory.working_bytes, 0);
    }
    beam_device_close(device);
}
