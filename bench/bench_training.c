/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_training: images a second in training, beside PyTorch and the machine's limit.
 *
 *   bench_training [--device=cpu] [--threads=2] [--batch=64] [--size=32] [--rounds=3] [--seconds=2]
 *                  [--compile] [--precision=f32|bf16] [--no-peer] [--result_json=FILE]
 *
 * ResNet-18, torchvision's layout with 10 classes, Adam.  In each round one training on all
 * threads, as many trainings side by side on one thread each, a loop of fused multiply-adds in
 * registers, and PyTorch (where bench/setup-peers --torch has installed it; the better of its two
 * layouts, and with --compile of its compiler) take their turns, and the best window of each
 * counts, so that other work on the machine hits all alike.  `of the FMA peak` is what the products
 * of a step would take at the loop's rate, f32, over what the whole step took.  On a GPU,
 * PyTorch runs there too, and there is no such loop. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <beam/device.h>

#include "common/bench_pytorch.h"
#include "common/bench_report.h"
#include "common/bench_run.h"
#include "nn/network.h"

enum { CLASSES = 10 };

typedef struct settings {
    unsigned threads, rounds;
    int64_t batch, size;
    double seconds;
    bool compile;
    char *python; /* NULL: no PyTorch */
    const char *device_name;
    beam_device *device;
    beam_network *network;
    float *images;
    uint32_t *labels;
} settings;

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("%s: %s", beam_status_name(status), err->message);
}

/* ---- threads ---- */

/* Something that runs for a while and tells how much it did in a second. */
typedef double measured(const settings *s, const void *what, pthread_barrier_t *ready);

typedef struct worker {
    pthread_t thread;
    pthread_barrier_t *ready;
    measured *run;
    const settings *settings;
    const void *what;
    double rate;
} worker;

static void *work(void *user)
{
    worker *w = user;
    w->rate = w->run(w->settings, w->what, w->ready);
    return NULL;
}

/* The rates of `threads` that run at once, together. */
static double together(const settings *s, unsigned threads, measured *run, const void *what)
{
    pthread_barrier_t ready;
    worker *workers = bench_alloc(threads * sizeof *workers);
    double rate = 0;
    if (pthread_barrier_init(&ready, NULL, threads) != 0)
        bench_fatal("no barrier for %u threads", threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (worker){.ready = &ready, .run = run, .settings = s, .what = what};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            bench_fatal("cannot start a thread");
    }
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        rate += workers[i].rate;
    }
    (void)pthread_barrier_destroy(&ready);
    free(workers);
    return rate;
}

/* ---- the machine's limit ---- */

enum { CHAINS = 12, FMA_CALLS = 100000 };

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double fma_avx512(double *flops)
{
    __m512 sum[CHAINS];
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int k = 0; k < CHAINS; k++)
        sum[k] = _mm512_set1_ps((float)k);
    for (int i = 0; i < FMA_CALLS; i++)
#pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++)
            sum[k] = _mm512_fmadd_ps(sum[k], a, b);
    for (int k = 1; k < CHAINS; k++)
        sum[0] += sum[k];
    *flops = 2.0 * 16 * CHAINS * FMA_CALLS;
    return (double)sum[0][0];
}

__attribute__((target("avx2,fma"))) static double fma_avx2(double *flops)
{
    __m256 sum[CHAINS];
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    for (int k = 0; k < CHAINS; k++)
        sum[k] = _mm256_set1_ps((float)k);
    for (int i = 0; i < FMA_CALLS; i++)
#pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++)
            sum[k] = _mm256_fmadd_ps(sum[k], a, b);
    for (int k = 1; k < CHAINS; k++)
        sum[0] += sum[k];
    *flops = 2.0 * 8 * CHAINS * FMA_CALLS;
    return (double)sum[0][0];
}

static double fma_call(double *flops)
{
    if (__builtin_cpu_supports("avx512f"))
        return fma_avx512(flops);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return fma_avx2(flops);
    *flops = 0;
    return 0;
}
#else
static double fma_call(double *flops)
{
    *flops = 0;
    return 0;
}
#endif

/* Multiplications and additions a second in registers; 0 where there is no such loop. */
static double fma_rate(const settings *s, const void *what, pthread_barrier_t *ready)
{
    (void)s;
    (void)what;
    double done = 0, flops = 0;
    volatile double keep = 0;
    (void)pthread_barrier_wait(ready);
    double start = bench_now(), now = start;
    do {
        keep = fma_call(&flops);
        done += flops;
        now = bench_now();
    } while (flops > 0 && now - start < 0.25);
    (void)keep;
    return flops > 0 ? done / (now - start) : 0;
}

/* Multiplications and additions of an image's products: forward, and back to the weights and
 * (but for the first layer) the data. */
static double step_flops(const beam_network *network)
{
    double total = 0;
    for (size_t i = 0; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        if (op->kind != BEAM_OP_CONV2D && op->kind != BEAM_OP_LINEAR)
            continue;
        beam_tensor w = beam_nn_shape(network, op->inputs[1], 1);
        beam_tensor y = beam_nn_shape(network, op->outputs[0], 1);
        double products = (double)(beam_tensor_bytes(&w) / sizeof(float));
        if (op->kind == BEAM_OP_CONV2D)
            products *= (double)(y.shape[2] * y.shape[3]);
        bool first = network->values[op->inputs[0]].kind == BEAM_VALUE_INPUT;
        total += 2 * products * (first ? 2 : 3);
    }
    return total;
}

/* ---- libbeam ---- */

typedef struct training_case {
    beam_precision precision;
    uint32_t threads;
} training_case;

static double train(const settings *s, const void *what, pthread_barrier_t *ready)
{
    const training_case *c = what;
    beam_error err = {0};
    beam_training *training = NULL;
    beam_step_result result;
    const beam_training_options options = {.struct_size = sizeof options,
                                           .precision = c->precision,
                                           .batch_size = s->batch,
                                           .num_threads = c->threads,
                                           .optimizer = {.kind = BEAM_OPTIMIZER_ADAM}};
    beam_tensor images = beam_network_input(s->network, 0, s->batch);
    images.data = s->images;
    ok(beam_device_train(s->device, s->network, &options, &training, &err), &err);
    for (int i = 0; i < 3; i++)
        ok(beam_training_step(training, &images, 1, s->labels, 1e-4f, &result, &err), &err);
    (void)pthread_barrier_wait(ready);
    double start = bench_now(), now = start;
    int64_t steps = 0;
    do {
        ok(beam_training_step(training, &images, 1, s->labels, 1e-4f, &result, &err), &err);
        steps++;
        now = bench_now();
    } while (now - start < s->seconds);
    beam_training_free(training);
    return (double)(steps * s->batch) / (now - start);
}

/* ---- PyTorch ---- */

static double pytorch(const settings *s, beam_precision precision)
{
    const bench_pytorch_case what = {.script = "pytorch_training.py",
                                     .device = s->device_name,
                                     .batch = s->batch,
                                     .size = s->size,
                                     .classes = CLASSES,
                                     .precision = precision,
                                     .threads = s->threads,
                                     .windows = 1,
                                     .seconds = s->seconds,
                                     .compile = s->compile};
    return bench_pytorch(s->python, &what);
}

/* ---- a precision ---- */

typedef struct figures {
    double one, side_by_side, peer, peak;
} figures;

static void larger(double *best, double value)
{
    if (value > *best)
        *best = value;
}

static void add_row(bench_report *report, const char *name, const char *what, double value,
                    const char *unit, double peer)
{
    char *row = bench_format("%s, %s", name, what);
    bench_report_add(report, row, value, unit, peer > 0 ? "PyTorch" : NULL,
                     peer > 0 ? value / peer : BENCH_NO_RATIO);
    free(row);
}

static void measure(bench_report *report, const settings *s, beam_precision precision)
{
    figures f = {0};
    const training_case one = {precision, s->threads}, each = {precision, 1};
    for (unsigned round = 0; round < s->rounds; round++) {
        if (strcmp(s->device_name, "cpu") == 0)
            larger(&f.peak, together(s, s->threads, fma_rate, NULL));
        larger(&f.one, together(s, 1, train, &one));
        larger(&f.side_by_side, together(s, s->threads, train, &each));
        if (s->python)
            larger(&f.peer, pytorch(s, precision));
    }
    double flops = step_flops(s->network);
    char *name = bench_format("resnet18 %lldx%lld b%lld %s", (long long)s->size, (long long)s->size,
                              (long long)s->batch, beam_precision_name(precision));
    char *many = bench_format("%u side by side", s->threads);
    char *share = bench_format("%s, of the FMA peak", many);
    add_row(report, name, "one training", f.one, "images/s", f.peer);
    add_row(report, name, many, f.side_by_side, "images/s", f.peer);
    if (f.peer > 0) {
        char *row = bench_format("%s, PyTorch", name);
        bench_report_add(report, row, f.peer, "images/s", "PyTorch", BENCH_NO_RATIO);
        free(row);
    }
    if (f.peak > 0) {
        add_row(report, name, "one training, of the FMA peak", 100 * f.one * flops / f.peak, "%",
                0);
        add_row(report, name, share, 100 * f.side_by_side * flops / f.peak, "%", 0);
        add_row(report, name, "the FMA peak", f.peak / 1e9, "GFLOP/s", 0);
    }
    free(share);
    free(many);
    free(name);
}

/* ---- options ---- */

static void open_settings(settings *s)
{
    beam_error err = {0};
    const beam_network_options shape = {
        .struct_size = sizeof shape, .height = s->size, .num_classes = CLASSES};
    ok(beam_device_open(s->device_name, NULL, &s->device, &err), &err);
    ok(beam_network_create("resnet18", &shape, &s->network, &err), &err);
    ok(beam_network_initialize(s->network, 1, &err), &err);
    beam_tensor images = beam_network_input(s->network, 0, s->batch);
    size_t count = beam_tensor_bytes(&images) / sizeof(float);
    s->images = bench_alloc(count * sizeof *s->images);
    s->labels = bench_alloc((size_t)s->batch * sizeof *s->labels);
    uint32_t bits = 1;
    for (size_t i = 0; i < count; i++) {
        bits = bits * 1664525u + 1013904223u;
        s->images[i] = (float)(bits >> 8) * 0x1p-23f - 1.0f;
    }
    for (int64_t i = 0; i < s->batch; i++)
        s->labels[i] = (uint32_t)i % CLASSES;
}

static const beam_option options[] = {
    {"device", "cpu|gpu|tpu|pjrt:PATH", "cpu", "what trains", false},
    {"threads", "N>0", "2", "of a training, and trainings side by side", false},
    {"batch", "N>0", "64", "images a step", false},
    {"size", "N>0", "32", "height and width of an image", false},
    {"rounds", "N>0", "3", "the best of so many counts", false},
    {"seconds", "X>0", "2", "of a window", false},
    {"precision", "f32|bf16", NULL, "only this one", false},
    {"compile", NULL, NULL, "with PyTorch's compiler too", false},
    {"peer", NULL, "true", "beside PyTorch, where it is installed", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "bench_training", "training, beside PyTorch and the machine's limit",
                options, sizeof options / sizeof *options);
    settings s = {.threads = (unsigned)bench_number_option(argc, argv, "threads", 2),
                  .rounds = (unsigned)bench_number_option(argc, argv, "rounds", 3),
                  .batch = (int64_t)bench_number_option(argc, argv, "batch", 64),
                  .size = (int64_t)bench_number_option(argc, argv, "size", 32),
                  .seconds = bench_number_option(argc, argv, "seconds", 2),
                  .compile = bench_has_flag(argc, argv, "--compile"),
                  .device_name = bench_text_option(argc, argv, "device", "cpu")};
    const char *only = bench_option(argc, argv, "precision");
    if (!bench_has_flag(argc, argv, "--no-peer"))
        s.python = bench_peer_python();
    if (s.threads < 1 || s.rounds < 1 || s.batch < 1 || s.size < 1)
        bench_fatal("--threads, --rounds, --batch and --size must be at least 1");
    open_settings(&s);
    bench_report *report = bench_report_new("training");
    for (int p = 0; p < 2; p++)
        if (!only || strcmp(only, beam_precision_name((beam_precision)p)) == 0)
            measure(report, &s, (beam_precision)p);
    int status = bench_report_finish(report, bench_option(argc, argv, "result_json"));
    bench_report_free(report);
    beam_network_free(s.network);
    beam_device_close(s.device);
    free(s.images);
    free(s.labels);
    free(s.python);
    return status;
}
