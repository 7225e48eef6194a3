/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The engine's jobs as pipelines, run on the embedded runner: what bench_engine compares with the
 * hand-written program, which does the same (README.md says what the numbers are). */
#ifndef BENCH_ENGINE_JOBS_H
#define BENCH_ENGINE_JOBS_H

#include <stdint.h>

typedef struct bench_engine_job {
    const char *name; /* group, combine, map, map_batch */
    int64_t count;    /* numbers */
    int64_t keys;     /* 1000 or 1000000 */
    uint32_t threads;
    uint64_t memory_budget; /* 0: none */
} bench_engine_job;

typedef struct bench_engine_outcome {
    double seconds;
    char checksum[80]; /* as the hand-written program prints it */
} bench_engine_outcome;

/* Ends the program when the pipeline fails or there is no such job. */
void bench_engine_run(const bench_engine_job *job, bench_engine_outcome *outcome);

#endif
