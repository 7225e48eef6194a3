/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_update.c - updates of parameters.  A parameter, its gradient and what the optimizer keeps
 * lie in one layout, so an update is a loop over all of their numbers; those that pad the layout
 * are 0 and stay so. */
#include <math.h>

#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"

#pragma GCC diagnostic ignored "-Wpsabi"

enum { WORTH_A_THREAD = 8192 };

static unsigned worth(size_t count, unsigned threads)
{
    size_t most = count / WORTH_A_THREAD + 1;
    return most < threads ? (unsigned)most : threads;
}

static float number(const void *data, float otherwise)
{
    return data ? *(const float *)data : otherwise;
}

/* ---- SGD ---- */

typedef struct sgd_job {
    float *parameter, *velocity;
    const float *gradient;
    size_t count;
    float rate, factor, decay, momentum;
    bool nesterov;
} sgd_job;

BEAM_INLINE void sgd_one(const sgd_job *j, size_t at, size_t count)
{
    beam_lanes p, g, v;
    beam_lanes_load(&p, j->parameter, at, count, false);
    beam_lanes_load(&g, j->gradient, at, count, false);
    g = g * j->factor + p * j->decay;
    if (j->velocity) {
        beam_lanes_load(&v, j->velocity, at, count, false);
        v = v * j->momentum + g;
        beam_lanes_store(&v, j->velocity, at, count, false);
        g = j->nesterov ? g + v * j->momentum : v;
    }
    p -= g * j->rate;
    beam_lanes_store(&p, j->parameter, at, count, false);
}

BEAM_INLINE void sgd_range_body(const sgd_job *j, size_t first, size_t last)
{
    size_t at = first;
    for (; at + BEAM_LANES <= last; at += BEAM_LANES)
        sgd_one(j, at, BEAM_LANES);
    if (at < last)
        sgd_one(j, at, last - at);
}
BEAM_LANES_FUNCTION(sgd_range, (const sgd_job *j, size_t first, size_t last), (j, first, last))

static void sgd_part(void *context, unsigned part, unsigned parts)
{
    const sgd_job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, BEAM_LANES, part, parts, &first, &last);
    sgd_range(j, first, last);
}

void beam_onednn_sgd(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_nn_update *u = &kernel->op->update;
    sgd_job j = {.parameter = data[BEAM_UPDATE_PARAMETER],
                 .velocity = data[BEAM_UPDATE_FIRST],
                 .gradient = data[BEAM_UPDATE_GRADIENT],
                 .count = kernel->count,
                 .rate = number(data[BEAM_UPDATE_LEARNING_RATE], 0) * u->lr_factor,
                 .factor = number(data[BEAM_UPDATE_FACTOR], 1),
                 .decay = u->weight_decay,
                 .momentum = u->momentum,
                 .nesterov = u->nesterov};
    beam_onednn_parallel(worth(kernel->count, threads), sgd_part, &j);
}

/* ---- Adam ---- */

typedef struct adam_job {
    float *parameter, *m, *v;
    const float *gradient;
    size_t count;
    float factor, decay; /* of the gradient: what is added of the parameter */
    float shrink;        /* what the parameter is multiplied by first */
    float rest1, beta2, rest2;
    float rate;          /* with m's correction */
    float root, epsilon; /* 1 / sqrt of v's correction */
} adam_job;

BEAM_INLINE void adam_one(const adam_job *j, size_t at, size_t count)
{
    beam_lanes p, g, m, v, root;
    beam_lanes_load(&p, j->parameter, at, count, false);
    beam_lanes_load(&g, j->gradient, at, count, false);
    beam_lanes_load(&m, j->m, at, count, false);
    beam_lanes_load(&v, j->v, at, count, false);
    g = g * j->factor + p * j->decay;
    p *= j->shrink;
    m += (g - m) * j->rest1;
    v = v * j->beta2 + g * g * j->rest2;
    root = v;
    beam_lanes_sqrt(&root);
    p -= m * j->rate / (root * j->root + j->epsilon);
    beam_lanes_store(&p, j->parameter, at, count, false);
    beam_lanes_store(&m, j->m, at, count, false);
    beam_lanes_store(&v, j->v, at, count, false);
}

BEAM_INLINE void adam_range_body(const adam_job *j, size_t first, size_t last)
{
    size_t at = first;
    for (; at + BEAM_LANES <= last; at += BEAM_LANES)
        adam_one(j, at, BEAM_LANES);
    if (at < last)
        adam_one(j, at, last - at);
}
BEAM_LANES_FUNCTION(adam_range, (const adam_job *j, size_t first, size_t last), (j, first, last))

static void adam_part(void *context, unsigned part, unsigned parts)
{
    const adam_job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, BEAM_LANES, part, parts, &first, &last);
    adam_range(j, first, last);
}

void beam_onednn_adam(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_nn_update *u = &kernel->op->update;
    int32_t step = *(const int32_t *)data[BEAM_UPDATE_STEP];
    double rate = (double)number(data[BEAM_UPDATE_LEARNING_RATE], 0) * (double)u->lr_factor;
    double beta1 = (double)u->beta1, beta2 = (double)u->beta2;
    adam_job j = {.parameter = data[BEAM_UPDATE_PARAMETER],
                  .m = data[BEAM_UPDATE_FIRST],
                  .v = data[BEAM_UPDATE_SECOND],
                  .gradient = data[BEAM_UPDATE_GRADIENT],
                  .count = kernel->count,
                  .factor = number(data[BEAM_UPDATE_FACTOR], 1),
                  .decay = u->decoupled ? 0 : u->weight_decay,
                  .shrink = u->decoupled ? (float)(1 - rate * (double)u->weight_decay) : 1,
                  .rest1 = (float)(1 - beta1),
                  .beta2 = u->beta2,
                  .rest2 = (float)(1 - beta2),
                  .rate = (float)(rate / (1 - pow(beta1, step))),
                  .root = (float)(1 / sqrt(1 - pow(beta2, step))),
                  .epsilon = u->epsilon};
    beam_onednn_parallel(worth(kernel->count, threads), adam_part, &j);
}

/* ---- clipping ---- */

enum { MOST_SUMS = 64 };

typedef struct squares_job {
    const float *gradient;
    size_t count;
    double sums[MOST_SUMS];
} squares_job;

/* Floats of a short run at a time, then doubles. */
BEAM_INLINE void squares_range_body(const float *gradient, size_t first, size_t last,
                                    double *result)
{
    enum { RUN = 64 * BEAM_LANES };
    double total = 0;
    while (first < last) {
        size_t end = last - first < RUN ? last : first + RUN, at = first;
        beam_lanes g, sum = {0};
        for (; at + BEAM_LANES <= end; at += BEAM_LANES) {
            beam_lanes_load(&g, gradient, at, BEAM_LANES, false);
            sum += g * g;
        }
        if (at < end) {
            beam_lanes_load(&g, gradient, at, end - at, false);
            sum += g * g;
        }
        for (int i = 0; i < BEAM_LANES; i++)
            total += (double)sum[i];
        first = end;
    }
    *result = total;
}
BEAM_LANES_FUNCTION(squares_range,
                    (const float *gradient, size_t first, size_t last, double *result),
                    (gradient, first, last, result))

static void squares_part(void *context, unsigned part, unsigned parts)
{
    squares_job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, BEAM_LANES, part, parts, &first, &last);
    squares_range(j->gradient, first, last, &j->sums[part]);
}

void beam_onednn_squared_sum(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    squares_job j = {.gradient = data[BEAM_SQUARES_GRADIENT], .count = kernel->count};
    unsigned parts = worth(kernel->count, threads);
    parts = parts < MOST_SUMS ? parts : MOST_SUMS;
    beam_onednn_parallel(parts, squares_part, &j);
    double total = (double)number(data[BEAM_SQUARES_BEFORE], 0);
    for (unsigned i = 0; i < parts; i++)
        total += j.sums[i];
    *(float *)data[BEAM_SQUARES_TOTAL] = (float)total;
}

void beam_onednn_clip_factor(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    (void)threads;
    float norm = sqrtf(number(data[BEAM_CLIP_TOTAL], 0));
    float factor = kernel->op->max_norm / (norm + 1e-6f);
    if (data[BEAM_CLIP_FACTOR])
        *(float *)data[BEAM_CLIP_FACTOR] = factor < 1 ? factor : 1;
    if (data[BEAM_CLIP_NORM])
        *(float *)data[BEAM_CLIP_NORM] = norm;
}
