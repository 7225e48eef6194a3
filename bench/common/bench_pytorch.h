/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* PyTorch on ResNet-18, as a peer. */
#ifndef BENCH_PYTORCH_H
#define BENCH_PYTORCH_H

#include <beam/device.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct bench_pytorch_case {
    const char *script; /* of bench/peers: "pytorch_throughput.py", "pytorch_training.py" */
    const char *device; /* libbeam's name: "cpu" is PyTorch's, all others are "cuda" */
    int64_t batch, size;
    int classes;
    beam_precision precision;
    unsigned threads, windows;
    double seconds;
    bool compile;
} bench_pytorch_case;

/* Images a second, the best of the ways that the script knows; 0 where it did not run. */
double bench_pytorch(const char *python, const bench_pytorch_case *what);

#endif
