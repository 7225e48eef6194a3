/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_update.c - updates of parameters.  A parameter, its gradient and what the optimizer keeps
 * lie in one layout, so an update is a loop over all of their numbers; those that pad the layout
 * are 0 and stay so. */
#include <math.h>

#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"

#pragma GCC diagnostic ignored "-Wpsabi"

static float number(const void *data, float otherwise)
{
    return data ? *(const float *)data : otherwise;
}

/* What all updates have. */
typedef struct update {
    const float *gradient;
    size_t count;
    beam_onednn_taps taps; /* inner 0: the gradient is whole */
    bool still;            /* nothing changes where the gradient is always 0 */
} update;

typedef void update_range(const void *job, const float *gradient, size_t at, size_t count);

static update update_of(const beam_onednn_kernel *kernel, void *const *data)
{
    const beam_nn_update *u = &kernel->op->update;
    return (update){.gradient = data[BEAM_UPDATE_GRADIENT],
                    .count = kernel->count,
                    .taps = kernel->taps,
                    .still = u->weight_decay == 0 && number(data[BEAM_UPDATE_BUSY], 1) == 0};
}

/* A row of taps of which the gradient has those from `first` on. */
static void update_row(const update *u, update_range *range, const void *job, size_t at,
                       const float *gradient)
{
    const beam_onednn_taps *taps = &u->taps;
    size_t before = (size_t)taps->first[1] * taps->inner;
    size_t used = (size_t)taps->count[1] * taps->inner;
    size_t all = (size_t)taps->kernel[1] * taps->inner;
    range(job, gradient, at + before, used);
    if (u->still)
        return;
    range(job, NULL, at, before);
    range(job, NULL, at + before + used, all - before - used);
}

/* The taps of some blocks of channels. */
static void update_taps(const update *u, update_range *range, const void *job, size_t block,
                        size_t end)
{
    const beam_onednn_taps *taps = &u->taps;
    size_t row = (size_t)taps->kernel[1] * taps->inner;
    size_t used = (size_t)taps->count[1] * taps->inner;
    for (; block < end; block++) {
        size_t at = block * row * (size_t)taps->kernel[0];
        const float *gradient = u->gradient + block * used * (size_t)taps->count[0];
        for (int64_t h = 0; h < taps->kernel[0]; h++, at += row) {
            if (h >= taps->first[0] && h < taps->first[0] + taps->count[0]) {
                update_row(u, range, job, at, gradient);
                gradient += used;
            } else if (!u->still) {
                range(job, NULL, at, row);
            }
        }
    }
}

static void update_part(const update *u, update_range *range, const void *job, unsigned part,
                        unsigned parts)
{
    size_t first, last;
    if (u->taps.inner) {
        size_t block = u->taps.inner * (size_t)(u->taps.kernel[0] * u->taps.kernel[1]);
        beam_onednn_share(u->count / block, 1, part, parts, &first, &last);
        update_taps(u, range, job, first, last);
        return;
    }
    beam_onednn_share(u->count, BEAM_LANES, part, parts, &first, &last);
    range(job, u->gradient + first, first, last - first);
}

/* The loop over an update's numbers, and a thread's part of them. */
#define RANGE(NAME)                                                                        \
    BEAM_INLINE void NAME##_range_body(const void *job, const float *gradient, size_t at,  \
                                       size_t count)                                       \
    {                                                                                      \
        size_t i = 0;                                                                      \
        for (; i + BEAM_LANES <= count; i += BEAM_LANES)                                   \
            NAME##_one(job, gradient ? gradient + i : NULL, at + i, BEAM_LANES);           \
        if (i < count)                                                                     \
            NAME##_one(job, gradient ? gradient + i : NULL, at + i, count - i);            \
    }                                                                                      \
    BEAM_LANES_FUNCTION(NAME##_range,                                                      \
                        (const void *job, const float *gradient, size_t at, size_t count), \
                        (job, gradient, at, count))                                        \
    static void NAME##_part(void *context, unsigned part, unsigned parts)                  \
    {                                                                                      \
        const NAME##_job *j = context;                                                     \
        update_part(&j->update, NAME##_range, j, part, parts);                             \
    }

/* ---- SGD ---- */

typedef struct sgd_job {
    update update;
    float *parameter, *velocity;
    float rate, factor, decay, momentum;
    bool nesterov;
} sgd_job;

/* `gradient` is that of the numbers from `at` on, or NULL: 0. */
BEAM_INLINE void sgd_one(const sgd_job *j, const float *gradient, size_t at, size_t count)
{
    beam_lanes p, g = {0}, v;
    beam_lanes_load(&p, j->parameter, at, count, false);
    if (gradient)
        beam_lanes_load(&g, gradient, 0, count, false);
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
RANGE(sgd)

void beam_onednn_sgd(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_nn_update *u = &kernel->op->update;
    sgd_job j = {.update = update_of(kernel, data),
                 .parameter = data[BEAM_UPDATE_PARAMETER],
                 .velocity = data[BEAM_UPDATE_FIRST],
                 .rate = number(data[BEAM_UPDATE_LEARNING_RATE], 0) * u->lr_factor,
                 .factor = number(data[BEAM_UPDATE_FACTOR], 1),
                 .decay = u->weight_decay,
                 .momentum = u->momentum,
                 .nesterov = u->nesterov};
    beam_onednn_parallel(beam_onednn_worth(kernel->count, threads), sgd_part, &j);
}

/* ---- Adam ---- */

typedef struct adam_job {
    update update;
    float *parameter, *m, *v;
    float factor, decay; /* of the gradient: what is added of the parameter */
    float shrink;        /* what the parameter is multiplied by first */
    float rest1, beta2, rest2;
    float rate;          /* with m's correction */
    float root, epsilon; /* 1 / sqrt of v's correction */
} adam_job;

BEAM_INLINE void adam_one(const adam_job *j, const float *gradient, size_t at, size_t count)
{
    beam_lanes p, g = {0}, m, v, root;
    beam_lanes_load(&p, j->parameter, at, count, false);
    if (gradient)
        beam_lanes_load(&g, gradient, 0, count, false);
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
RANGE(adam)

void beam_onednn_adam(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_nn_update *u = &kernel->op->update;
    int32_t step = *(const int32_t *)data[BEAM_UPDATE_STEP];
    double rate = (double)number(data[BEAM_UPDATE_LEARNING_RATE], 0) * (double)u->lr_factor;
    double beta1 = (double)u->beta1, beta2 = (double)u->beta2;
    adam_job j = {.update = update_of(kernel, data),
                  .parameter = data[BEAM_UPDATE_PARAMETER],
                  .m = data[BEAM_UPDATE_FIRST],
                  .v = data[BEAM_UPDATE_SECOND],
                  .factor = number(data[BEAM_UPDATE_FACTOR], 1),
                  .decay = u->decoupled ? 0 : u->weight_decay,
                  .shrink = u->decoupled ? (float)(1 - rate * (double)u->weight_decay) : 1,
                  .rest1 = (float)(1 - beta1),
                  .beta2 = u->beta2,
                  .rest2 = (float)(1 - beta2),
                  .rate = (float)(rate / (1 - pow(beta1, step))),
                  .root = (float)(1 / sqrt(1 - pow(beta2, step))),
                  .epsilon = u->epsilon};
    beam_onednn_parallel(beam_onednn_worth(kernel->count, threads), adam_part, &j);
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
    unsigned parts = beam_onednn_worth(kernel->count, threads);
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
