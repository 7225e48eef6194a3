/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The bare device loop. */
#include "common/bench_device_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench_run.h"

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("%s: %s", beam_status_name(status), err->message);
}

/* One worker of one window. */
typedef struct loop_worker {
    pthread_t thread;
    pthread_barrier_t *ready;
    const bench_device_model *started;
    double seconds;
    int64_t batches;
    double first, last; /* when its first batch began and its last one ended */
} loop_worker;

static void *work(void *user)
{
    loop_worker *worker = user;
    beam_error err = {0};
    beam_model_context *context = NULL;
    beam_tensor out;
    ok(beam_model_context_new(worker->started->model, &context, &err), &err);
    ok(beam_model_run(context, &worker->started->images, 1, &out, 1, &err), &err);
    (void)pthread_barrier_wait(worker->ready);
    worker->first = bench_now();
    do {
        ok(beam_model_run(context, &worker->started->images, 1, &out, 1, &err), &err);
        worker->batches++;
        worker->last = bench_now();
    } while (worker->last - worker->first < worker->seconds);
    beam_model_context_free(context);
    return NULL;
}

static double window(const bench_device_model *started, unsigned threads, double seconds)
{
    pthread_barrier_t ready;
    loop_worker *workers = bench_alloc(threads * sizeof *workers);
    if (pthread_barrier_init(&ready, NULL, threads) != 0)
        bench_fatal("no barrier for %u threads", threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (loop_worker){.ready = &ready, .started = started, .seconds = seconds};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            bench_fatal("cannot start a thread");
    }
    double rate = 0;
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        rate += (double)(workers[i].batches * started->images.shape[0]) /
                (workers[i].last - workers[i].first);
    }
    (void)pthread_barrier_destroy(&ready);
    free(workers);
    return rate;
}

double bench_device_loop(const bench_device_model *started, unsigned threads, unsigned windows,
                         double seconds)
{
    double best = 0;
    for (unsigned i = 0; i < windows; i++) {
        double rate = window(started, threads, seconds);
        best = rate > best ? rate : best;
    }
    return best;
}

float *bench_images(const beam_tensor *shape)
{
    size_t count = beam_tensor_bytes(shape) / sizeof(float);
    float *images = bench_alloc(count * sizeof *images);
    uint32_t bits = 1;
    for (size_t i = 0; i < count; i++) {
        bits = bits * 1664525u + 1013904223u;
        images[i] = (float)(bits >> 8) * 0x1p-23f - 1.0f;
    }
    return images;
}

void bench_calibrate(beam_device *device, beam_network *network, const beam_tensor *images)
{
    enum { SAMPLE = 16 };
    beam_error err = {0};
    beam_calibration *calibration = NULL;
    beam_tensor sample = *images;
    sample.shape[0] = sample.shape[0] < SAMPLE ? sample.shape[0] : SAMPLE;
    ok(beam_calibration_new(device, network, sample.shape[0], &calibration, &err), &err);
    ok(beam_calibration_add(calibration, &sample, 1, &err), &err);
    ok(beam_calibration_finish(calibration, network, &err), &err);
    beam_calibration_free(calibration);
}

void bench_device_start(const bench_device_case *wanted, bench_device_model *started)
{
    beam_error err = {0};
    beam_network *network = NULL;
    beam_network_options shape = {.struct_size = sizeof shape, .height = wanted->image_size};
    ok(beam_network_create(wanted->network, &shape, &network, &err), &err);
    ok(beam_network_initialize(network, 1, &err), &err);
    started->images = beam_network_input(network, 0, wanted->batch);
    started->images.data = bench_images(&started->images);

    ok(beam_device_open(wanted->device, NULL, &started->device, &err), &err);
    if (wanted->precision == BEAM_PRECISION_INT8)
        bench_calibrate(started->device, network, &started->images);
    double began = bench_now();
    beam_model_context *context = NULL;
    beam_tensor out;
    beam_compile_options options = {
        .struct_size = sizeof options, .precision = wanted->precision, .max_batch = wanted->batch};
    ok(beam_device_compile(started->device, network, &options, &started->model, &err), &err);
    ok(beam_model_context_new(started->model, &context, &err), &err);
    ok(beam_model_run(context, &started->images, 1, &out, 1, &err), &err);
    started->start_seconds = bench_now() - began;
    beam_model_context_free(context);
    beam_network_free(network);
}

void bench_device_stop(bench_device_model *started)
{
    beam_model_free(started->model);
    beam_device_close(started->device);
    free((void *)(uintptr_t)started->images.data);
    memset(started, 0, sizeof *started);
}
