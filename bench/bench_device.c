/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_device: images a second of the bare device.
 *
 *   bench_device [--device=cpu] [--model=resnet18] [--threads=2] [--windows=3] [--seconds=1]
 *                [--result_json=FILE]
 *
 * Each figure is the best of some windows, at 1 and at --threads threads, each thread with a
 * context of its own on one shared model.  With --device=pjrt:PATH it also tells what our layer
 * costs over a bare loop of the same executable.  On a GPU each figure stands beside PyTorch's, the
 * better of eager and compiled.  `start` is from opening the device to the end of
 * the first batch, with the weights in memory already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench_device_loop.h"
#include "common/bench_pjrt.h"
#include "common/bench_pytorch.h"
#include "common/bench_report.h"
#include "common/bench_run.h"

/* PyTorch on the same accelerator, where bench/setup-peers --torch has installed it. */
static double pytorch(const bench_device_case *what, unsigned windows, double seconds)
{
    char *python = bench_peer_python();
    const bench_pytorch_case peer = {.script = "pytorch_throughput.py",
                                     .device = what->device,
                                     .batch = what->batch,
                                     .size = what->image_size,
                                     .classes = 1000,
                                     .precision = what->precision,
                                     .threads = 1,
                                     .windows = windows,
                                     .seconds = seconds,
                                     .compile = true};
    double rate = python ? bench_pytorch(python, &peer) : 0;
    free(python);
    return rate;
}

static void measure(bench_report *report, const bench_device_case *what, unsigned threads,
                    unsigned windows, double seconds)
{
    bench_device_model started;
    bench_device_start(what, &started);
    char *name = bench_format("%s %lldx%lld b%lld %s", what->network, (long long)what->image_size,
                              (long long)what->image_size, (long long)what->batch,
                              beam_precision_name(what->precision));
    char *row = bench_format("%s start", name);
    bench_report_add(report, row, started.start_seconds, "s", NULL, BENCH_NO_RATIO);
    free(row);
    bool chip = strcmp(what->device, "cpu") != 0 && strcmp(what->device, "reference") != 0;
    double peer = chip ? pytorch(what, windows, seconds) : 0;
    for (unsigned n = 1; n <= threads; n += threads > 1 ? threads - 1 : 1) {
        double rate = bench_device_loop(&started, n, windows, seconds);
        row = bench_format("%s, %u thread%s", name, n, n > 1 ? "s" : "");
        bench_report_add(report, row, rate, "images/s", peer > 0 ? "PyTorch" : NULL,
                         peer > 0 ? rate / peer : BENCH_NO_RATIO);
        free(row);
    }
    beam_device_memory memory;
    beam_device_get_memory(started.device, &memory);
    row = bench_format("%s memory", name);
    bench_report_add(report, row, (double)memory.peak_bytes / 1e6, "MB", NULL, BENCH_NO_RATIO);
    free(row);
    free(name);
    bench_device_stop(&started);
}

/* What a PJRT plugin's device adds to the plugin: on small batches, where it shows most. */
static void measure_pjrt(bench_report *report, const char *device, double seconds)
{
    const bench_device_case what = {
        .device = device, .network = "resnet18", .image_size = 32, .batch = 32};
    bench_device_model started;
    double layer, bare;
    bench_device_start(&what, &started);
    bench_pjrt_overhead(&started, 4 * seconds, &layer, &bare);
    bench_report_add(report, "resnet18 32x32 b32 f32, a batch", layer * 1e3, "ms", NULL,
                     BENCH_NO_RATIO);
    bench_report_add(report, "the same in a bare loop", bare * 1e3, "ms", NULL, BENCH_NO_RATIO);
    bench_report_add(report, "the layer on top", 100 * (layer / bare - 1), "%", NULL,
                     BENCH_NO_RATIO);
    bench_report_add(report, "programs for batches of 1 to 32", bench_pjrt_odd_batches(&started),
                     "", NULL, BENCH_NO_RATIO);
    bench_device_stop(&started);
}

static const beam_option options[] = {
    {"device", "cpu|reference|gpu|tpu|pjrt:PATH", "cpu", "what is measured", false},
    {"model", "resnet18|resnet34|resnet50|small_cnn", "resnet18", "the network", false},
    {"threads", "N>0", "2", "each with a context of its own", false},
    {"windows", "N>0", "3", "the best of so many counts", false},
    {"seconds", "X>0", "1", "of a window", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "bench_device", "images a second of the bare device", options,
                sizeof options / sizeof *options);
    unsigned threads = (unsigned)bench_number_option(argc, argv, "threads", 2);
    unsigned windows = (unsigned)bench_number_option(argc, argv, "windows", 3);
    double seconds = bench_number_option(argc, argv, "seconds", 1);
    bench_device_case what = {.device = bench_text_option(argc, argv, "device", "cpu"),
                              .network = bench_text_option(argc, argv, "model", "resnet18")};
    static const struct {
        int64_t size, batch;
    } shapes[] = {{32, 256}, {224, 32}};
    if (threads < 1 || windows < 1)
        bench_fatal("--threads and --windows must be at least 1");
    bench_report *report = bench_report_new("bare device");
    for (size_t i = 0; i < 2; i++) {
        for (int precision = 0; precision < 2; precision++) {
            what.image_size = shapes[i].size;
            what.batch = shapes[i].batch;
            what.precision = (beam_precision)precision;
            measure(report, &what, threads, windows, seconds);
        }
    }
    if (strncmp(what.device, "pjrt:", 5) == 0)
        measure_pjrt(report, what.device, seconds);
    int status = bench_report_finish(report, bench_option(argc, argv, "result_json"));
    bench_report_free(report);
    return status;
}
