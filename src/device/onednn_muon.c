/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_muon.c - the loops of Muon's update; onednn_train_muon.c has the products between. */
#include <math.h>

#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"

#pragma GCC diagnostic ignored "-Wpsabi"

enum { MOST_THREADS = 64 };

/* to = to * keep + x * add */
typedef struct blend_job {
    float *to;
    const float *x;
    size_t count;
    float keep, add;
} blend_job;

BEAM_INLINE void blend_range_body(const blend_job *j, size_t first, size_t last)
{
    for (size_t at = first; at < last; at += BEAM_LANES) {
        size_t n = last - at < BEAM_LANES ? last - at : BEAM_LANES;
        beam_lanes to, x;
        beam_lanes_load(&to, j->to, at, n, false);
        beam_lanes_load(&x, j->x, at, n, false);
        to = to * j->keep + x * j->add;
        beam_lanes_store(&to, j->to, at, n, false);
    }
}
BEAM_LANES_FUNCTION(blend_range, (const blend_job *j, size_t first, size_t last), (j, first, last))

static void blend_part(void *context, unsigned part, unsigned parts)
{
    const blend_job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, BEAM_LANES, part, parts, &first, &last);
    blend_range(j, first, last);
}

typedef struct start_job {
    const float *gradient;
    float *velocity, *x;
    size_t count;
    float factor, momentum;
    double sums[MOST_THREADS]; /* of x's squares */
} start_job;

/* The velocity, and x.  Squares are added up in floats over a short run at a time. */
BEAM_INLINE void gather_range_body(const start_job *j, size_t first, size_t last, double *result)
{
    enum { RUN = 64 * BEAM_LANES };
    double total = 0;
    for (size_t end; first < last; first = end) {
        beam_lanes g, v, sum = {0};
        end = last - first < RUN ? last : first + RUN;
        for (size_t at = first; at < end; at += BEAM_LANES) {
            size_t n = end - at < BEAM_LANES ? end - at : BEAM_LANES;
            beam_lanes_load(&g, j->gradient, at, n, false);
            beam_lanes_load(&v, j->velocity, at, n, false);
            g = g * j->factor;
            v += (g - v) * (1 - j->momentum);
            beam_lanes_store(&v, j->velocity, at, n, false);
            g += (v - g) * j->momentum;
            beam_lanes_store(&g, j->x, at, n, false);
            sum += g * g;
        }
        for (int i = 0; i < BEAM_LANES; i++)
            total += (double)sum[i];
    }
    *result = total;
}
BEAM_LANES_FUNCTION(gather_range, (const start_job *j, size_t first, size_t last, double *result),
                    (j, first, last, result))

static void gather_part(void *context, unsigned part, unsigned parts)
{
    start_job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, BEAM_LANES, part, parts, &first, &last);
    gather_range(j, first, last, &j->sums[part]);
}

void beam_onednn_muon_start(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const float *factor = data[BEAM_MUON_FACTOR];
    start_job j = {.gradient = data[BEAM_MUON_GRADIENT],
                   .velocity = data[BEAM_MUON_VELOCITY],
                   .x = data[BEAM_MUON_X],
                   .count = kernel->count,
                   .factor = factor ? *factor : 1,
                   .momentum = kernel->op->update.momentum};
    unsigned parts = beam_onednn_worth(j.count, threads);
    parts = parts < MOST_THREADS ? parts : MOST_THREADS;
    beam_onednn_parallel(parts, gather_part, &j);
    double total = 0;
    for (unsigned i = 0; i < parts; i++)
        total += j.sums[i];
    blend_job unit = {.to = j.x,
                      .x = j.x,
                      .count = j.count,
                      .keep = (float)(1 / fmax(sqrt(total), BEAM_NN_MUON_LEAST))};
    beam_onednn_parallel(parts, blend_part, &unit);
}

void beam_onednn_muon_polynomial(const beam_onednn_kernel *kernel, void *const *data,
                                 unsigned threads)
{
    const float *gram = data[BEAM_MUON_GRAM];
    float *polynomial = data[BEAM_MUON_POLYNOMIAL];
    size_t rows = kernel->count;
    (void)threads; /* little beside the products */
    for (size_t i = 0; i < rows * rows; i++)
        polynomial[i] = (float)BEAM_NN_MUON_C * polynomial[i] + (float)BEAM_NN_MUON_B * gram[i];
    for (size_t i = 0; i < rows; i++)
        polynomial[i * rows + i] += (float)BEAM_NN_MUON_A;
}

void beam_onednn_muon_apply(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_nn_update *u = &kernel->op->update;
    double rate = (double)*(const float *)data[BEAM_MUON_LEARNING_RATE] * (double)u->lr_factor;
    size_t rows = kernel->grid.batch, columns = kernel->grid.channels;
    double scale = BEAM_NN_MUON_SCALE * sqrt((double)(rows > columns ? rows : columns));
    blend_job j = {.to = data[BEAM_MUON_PARAMETER],
                   .x = data[BEAM_MUON_RESULT],
                   .count = kernel->count,
                   .keep = (float)(1 - rate * (double)u->weight_decay),
                   .add = (float)-(rate * scale)};
    beam_onednn_parallel(beam_onednn_worth(j.count, threads), blend_part, &j);
}
