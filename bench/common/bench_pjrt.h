/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What only devices of PJRT plugins are asked: what our layer costs, and how much it compiles. */
#ifndef BENCH_PJRT_H
#define BENCH_PJRT_H

#include "common/bench_device_loop.h"
#include "common/bench_report.h"

/* Seconds of the fastest batch, the one that other programs held up least, through the device layer
 * and in a bare loop that uploads, executes and downloads with the very same executable and
 * weights; both take turns. */
void bench_pjrt_overhead(const bench_device_model *started, double seconds, double *layer,
                         double *bare);

/* Programs compiled for a stream of batches of every size up to the largest. */
uint32_t bench_pjrt_odd_batches(const bench_device_model *started);

#endif
