/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "common/bench_weights.h"

#include <beam/beam.h>
#include <stdlib.h>

#include "common/bench_device_loop.h"
#include "common/bench_run.h"

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("%s: %s", beam_status_name(status), err->message);
}

char *bench_weights_file(void)
{
    enum { MOST = 256 };
    static beam_named_tensor tensors[MOST];
    char *path = bench_cache_path("bench/resnet18-random.safetensors");
    beam_error err = {0};
    beam_network *network = NULL;
    ok(beam_network_create("resnet18", NULL, &network, &err), &err);
    ok(beam_network_initialize(network, 1, &err), &err);
    size_t n = beam_network_num_parameters(network);
    for (size_t i = 0; i < n && i < MOST; i++) {
        beam_parameter parameter;
        ok(beam_network_parameter(network, i, &parameter), &err);
        tensors[i] = (beam_named_tensor){parameter.name, parameter.tensor};
    }
    ok(beam_weights_save_safetensors(path, tensors, n, NULL, 0, &err), &err);
    beam_network_free(network);
    return path;
}

char *bench_int8_weights_file(int64_t image_size)
{
    enum { SAMPLE = 8 };
    char *path = bench_cache_path("bench/resnet18-random-int8.safetensors");
    beam_error err = {0};
    beam_device *device = NULL;
    beam_network *network = NULL;
    const beam_network_options shape = {.struct_size = sizeof shape, .height = image_size};
    ok(beam_network_create("resnet18", &shape, &network, &err), &err);
    ok(beam_network_initialize(network, 1, &err), &err);
    ok(beam_device_open("cpu", NULL, &device, &err), &err);
    beam_tensor images = beam_network_input(network, 0, SAMPLE);
    float *numbers = bench_images(&images);
    images.data = numbers;
    bench_calibrate(device, network, &images);
    ok(beam_weights_save_int8(path, network, NULL, 0, &err), &err);
    free(numbers);
    beam_device_close(device);
    beam_network_free(network);
    return path;
}
