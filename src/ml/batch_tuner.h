/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* batch_tuner.h - the batch size with the best throughput whose batches take no longer than a
 * bound, found by trying: sizes double from the least to the most, and what is tried is a size
 * beside the best one known.  Not thread-safe. */
#ifndef ML_BATCH_TUNER_H
#define ML_BATCH_TUNER_H

#include <stdint.h>

enum { BEAM_TUNER_SIZES = 24 };

typedef struct beam_tuner {
    int64_t sizes[BEAM_TUNER_SIZES]; /* least, ..., most */
    double took[BEAM_TUNER_SIZES];   /* nanoseconds of a batch, smoothed; 0: not known */
    int count, now;
    int warm;      /* batches of this size so far; the first of all does not count */
    int64_t bound; /* nanoseconds; 0: the size is the most, always */
    int64_t batches;
} beam_tuner;

void beam_tuner_start(beam_tuner *tuner, int64_t least, int64_t most, int64_t bound_ms);
/* How many to wait for. */
int64_t beam_tuner_size(const beam_tuner *tuner);
/* A batch of `size` took so long; only those of the size now tried tell something. */
void beam_tuner_observe(beam_tuner *tuner, int64_t size, int64_t nanoseconds);

#endif
