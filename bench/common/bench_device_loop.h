/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The bare device loop: threads that run one model over and over, with nothing of a pipeline
 * around it.  What a pipeline is compared with. */
#ifndef BENCH_DEVICE_LOOP_H
#define BENCH_DEVICE_LOOP_H

#include <beam/device.h>

typedef struct bench_device_case {
    const char *device;  /* "cpu" */
    const char *network; /* "resnet18", 1000 classes, weights made from a seed */
    int64_t image_size;
    int64_t batch;
    beam_precision precision;
} bench_device_case;

typedef struct bench_device_model {
    beam_device *device;
    beam_model *model;
    beam_tensor images;   /* one batch, always the same */
    double start_seconds; /* compiling and packing, to the first batch's end */
} bench_device_model;

/* Numbers in (-1, 1) for a tensor of this shape; the caller frees them. */
float *bench_images(const beam_tensor *shape);
/* Gives `network` the ranges that int8 needs, of some of `images`. */
void bench_calibrate(beam_device *device, beam_network *network, const beam_tensor *images);

/* Both end the program when something fails. */
void bench_device_start(const bench_device_case *wanted, bench_device_model *started);
void bench_device_stop(bench_device_model *started);

/* Images a second of `threads` threads, the best of `windows` windows of `seconds` each. */
double bench_device_loop(const bench_device_model *started, unsigned threads, unsigned windows,
                         double seconds);

#endif
