/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/batch_tuner.h"

/* A neighbour must be better by so much, or noise would move the size for ever. */
static const double CLEARLY = 1.03;
static const double SMOOTH = 0.3; /* the share of the latest batch */
enum { WARM = 3, LOOK_AGAIN = 256 };

void beam_tuner_start(beam_tuner *tuner, int64_t least, int64_t most, int64_t bound_ms)
{
    *tuner = (beam_tuner){.bound = bound_ms * 1000000};
    int64_t size = bound_ms > 0 ? least : most;
    while (size < most && tuner->count < BEAM_TUNER_SIZES - 1) {
        tuner->sizes[tuner->count++] = size;
        size *= 2;
    }
    tuner->sizes[tuner->count++] = most;
}

int64_t beam_tuner_size(const beam_tuner *tuner)
{
    return tuner->sizes[tuner->now];
}

static double throughput(const beam_tuner *tuner, int at)
{
    return (double)tuner->sizes[at] / tuner->took[at];
}

static int fits(const beam_tuner *tuner, int at)
{
    return tuner->took[at] <= (double)tuner->bound;
}

/* What a batch of the next size should take: as much more than this one as this took more than the
 * one before; where that is not known, a bit more. */
static double expected(const beam_tuner *tuner)
{
    int now = tuner->now;
    double took = tuner->took[now], size = (double)tuner->sizes[now];
    if (now == 0 || tuner->took[now - 1] <= 0)
        return took * 1.2;
    double slope = (took - tuner->took[now - 1]) / (size - (double)tuner->sizes[now - 1]);
    return took + slope * ((double)tuner->sizes[now + 1] - size);
}

/* Whether the next larger size is worth a try: it is known to be better, or nobody knows and it
 * should fit. */
static int try_larger(const beam_tuner *tuner)
{
    int now = tuner->now, next = now + 1;
    if (next == tuner->count)
        return 0;
    if (tuner->took[next] > 0)
        return fits(tuner, next) && throughput(tuner, next) > throughput(tuner, now) * CLEARLY;
    return expected(tuner) <= (double)tuner->bound;
}

static int move(const beam_tuner *tuner)
{
    int now = tuner->now;
    if (!fits(tuner, now))
        return now > 0 ? now - 1 : 0;
    if (now > 0 && tuner->took[now - 1] > 0 &&
        throughput(tuner, now - 1) > throughput(tuner, now) * CLEARLY)
        return now - 1;
    if (try_larger(tuner))
        return now + 1;
    return now;
}

void beam_tuner_observe(beam_tuner *tuner, int64_t size, int64_t nanoseconds)
{
    if (tuner->bound <= 0 || size != beam_tuner_size(tuner))
        return;
    double *took = &tuner->took[tuner->now];
    if (tuner->warm++ == 0)
        return; /* memory is touched, perhaps a program compiled */
    double latest = nanoseconds > 0 ? (double)nanoseconds : 1;
    *took = *took > 0 ? *took + SMOOTH * (latest - *took) : latest;
    if (++tuner->batches % LOOK_AGAIN == 0 && tuner->now + 1 < tuner->count)
        tuner->took[tuner->now + 1] = 0; /* the machine may have become quieter */
    if (tuner->warm < WARM)
        return;
    int next = move(tuner);
    if (next != tuner->now) {
        tuner->now = next;
        tuner->warm = 0;
    }
}
