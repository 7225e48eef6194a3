/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_norm.c - batch norm in training and its gradient, for as many channels at a time as a
 * vector has lanes (a unit).  A thread sums up a unit over the whole batch and then applies it
 * while it is still in the cache; where there are fewer units than threads the batch is cut into
 * slices, whose sums are put together in between. */
#include <math.h>

#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"

#pragma GCC diagnostic ignored "-Wpsabi"

/* Two sums a channel. */
typedef struct sums {
    double first[BEAM_LANES], second[BEAM_LANES];
} sums;

typedef struct job {
    const beam_onednn_kernel *kernel;
    void *const *data;
} job;

/* A part of the work: some images of one unit. */
typedef struct piece {
    const beam_onednn_grid *grid;
    size_t unit, first, last; /* images from first to before last */
    size_t lanes;             /* of a load or store */
    size_t channels;          /* of those, that count */
} piece;

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

uint32_t beam_onednn_norm_slices(const beam_onednn_grid *grid, unsigned threads)
{
    unsigned slices = threads / common_divisor((unsigned)grid->units, threads);
    return slices > grid->batch ? (uint32_t)grid->batch : slices;
}

size_t beam_onednn_norm_sums(const beam_onednn_grid *grid, uint32_t slices)
{
    return slices > 1 ? grid->units * slices * sizeof(sums) / sizeof(double) : 0;
}

static piece piece_of(const beam_onednn_kernel *kernel, size_t item)
{
    const beam_onednn_grid *grid = &kernel->grid;
    size_t slice = item / grid->units;
    piece p = {.grid = grid, .unit = item % grid->units};
    p.first = grid->batch * slice / kernel->slices;
    p.last = grid->batch * (slice + 1) / kernel->slices;
    size_t left = grid->channels - p.unit * grid->width;
    p.channels = left < grid->width ? left : grid->width;
    p.lanes = grid->padded ? grid->width : p.channels;
    return p;
}

/* The same channels of a vector of them. */
BEAM_INLINE void load_vector(beam_lanes *lanes, const piece *p, const void *vector)
{
    beam_lanes_load(lanes, vector, p->unit * p->grid->width, p->channels, false);
}

BEAM_INLINE void store_vector(const beam_lanes *lanes, const piece *p, void *vector)
{
    beam_lanes_store(lanes, vector, p->unit * p->grid->width, p->channels, false);
}

BEAM_INLINE void add_to(double *to, const beam_lanes *lanes)
{
    for (int i = 0; i < BEAM_LANES; i++)
        to[i] += (double)(*lanes)[i];
}

/* How many numbers are summed up as floats before they join the doubles. */
enum { RUN = 256 };

/* ---- forward ---- */

/* Sums of x - shift and its square: close to the numbers, `shift` keeps the second from drowning
 * the variance. */
BEAM_INLINE void sum_forward(const piece *p, const void *x, const beam_lanes *shift, sums *total,
                             size_t lanes, bool bf16)
{
    const beam_onednn_grid *grid = p->grid;
    beam_lanes first = {0}, second = {0}, first2 = {0}, second2 = {0}, a, b;
    size_t run = 0;
    for (size_t n = p->first; n < p->last; n++) {
        size_t at = n * grid->batch_stride + p->unit * grid->unit_stride, i = 0;
        for (; i + 2 <= grid->points; i += 2, at += 2 * grid->point_stride) {
            beam_lanes_load(&a, x, at, lanes, bf16);
            beam_lanes_load(&b, x, at + grid->point_stride, lanes, bf16);
            a -= *shift;
            b -= *shift;
            first += a;
            first2 += b;
            second += a * a;
            second2 += b * b;
        }
        if (i < grid->points) {
            beam_lanes_load(&a, x, at, lanes, bf16);
            a -= *shift;
            first += a;
            second += a * a;
        }
        run += grid->points;
        if (run >= RUN || n + 1 == p->last) {
            first += first2;
            second += second2;
            add_to(total->first, &first);
            add_to(total->second, &second);
            first = second = first2 = second2 = (beam_lanes){0};
            run = 0;
        }
    }
}

/* What is done to each number of a unit. */
typedef struct affine {
    beam_lanes mean, scale, bias;
} affine;

BEAM_INLINE void affine_apply(const affine *a, beam_lanes *x)
{
    *x = (*x - a->mean) * a->scale + a->bias;
}

BEAM_INLINE void apply_forward(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                               const affine *a, size_t lanes, bool bf16, bool add)
{
    const beam_onednn_grid *grid = p->grid;
    const beam_onednn_activation activation = kernel->activation;
    beam_lanes x, more;
    for (size_t n = p->first; n < p->last; n++) {
        size_t at = n * grid->batch_stride + p->unit * grid->unit_stride;
        for (size_t i = 0; i < grid->points; i++, at += grid->point_stride) {
            beam_lanes_load(&x, data[BEAM_NORM_X], at, lanes, bf16);
            affine_apply(a, &x);
            if (add) {
                beam_lanes_load(&more, data[BEAM_NORM_ADDEND], at, lanes, bf16);
                x += more;
            }
            if (activation == BEAM_ONEDNN_RELU)
                beam_lanes_relu(&x);
            else if (activation == BEAM_ONEDNN_GELU)
                beam_lanes_gelu(&x);
            beam_lanes_store(&x, data[BEAM_NORM_Y], at, lanes, bf16);
        }
    }
}

/* Mean and variance from the sums over `count` numbers of x - shift. */
static void moments(const sums *total, const beam_lanes *shift, double count, beam_lanes *mean,
                    beam_lanes *variance)
{
    for (int i = 0; i < BEAM_LANES; i++) {
        double m = total->first[i] / count;
        double v = total->second[i] / count - m * m;
        (*mean)[i] = (float)((double)(*shift)[i] + m);
        (*variance)[i] = v < 0 ? 0.0f : (float)v; /* NaN stays */
    }
}

static void inverse_deviation(const beam_lanes *variance, float epsilon, beam_lanes *inverse)
{
    *inverse = (beam_lanes){0};
    for (int i = 0; i < BEAM_LANES; i++)
        (*inverse)[i] = (float)(1.0 / sqrt((double)(*variance)[i] + (double)epsilon));
}

static void update_running(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                           const beam_lanes *mean, const beam_lanes *variance)
{
    float *running_mean = data[BEAM_NORM_RUNNING_MEAN];
    float *running_variance = data[BEAM_NORM_RUNNING_VARIANCE];
    double n = (double)p->grid->batch * (double)p->grid->points;
    double momentum = (double)kernel->op->momentum;
    double unbiased = n > 1 ? n / (n - 1) : 1;
    for (size_t i = 0; i < p->channels; i++) {
        size_t c = p->unit * p->grid->width + i;
        running_mean[c] =
            (float)((1 - momentum) * (double)running_mean[c] + momentum * (double)(*mean)[i]);
        running_variance[c] = (float)((1 - momentum) * (double)running_variance[c] +
                                      momentum * unbiased * (double)(*variance)[i]);
    }
}

/* The first image's first number of each channel. */
BEAM_INLINE void load_shift(const piece *p, const void *x, beam_lanes *shift, bool bf16)
{
    beam_lanes_load(shift, x, p->unit * p->grid->unit_stride, p->lanes, bf16);
}

BEAM_INLINE void forward_sums(const beam_onednn_kernel *kernel, void *const *data, const piece *p,
                              sums *total)
{
    const void *x = data[BEAM_NORM_X];
    beam_lanes shift;
    load_shift(p, x, &shift, kernel->bf16);
    *total = (sums){{0}, {0}};
    if (p->lanes != BEAM_LANES)
        sum_forward(p, x, &shift, total, p->lanes, kernel->bf16);
    else if (kernel->bf16)
        sum_forward(p, x, &shift, total, BEAM_LANES, true);
    else
        sum_forward(p, x, &shift, total, BEAM_LANES, false);
}

BEAM_INLINE void forward_apply(const beam_onednn_kernel *kernel, void *const *data, const piece *p,
                               const sums *total)
{
    const beam_onednn_grid *grid = p->grid;
    beam_lanes shift, variance, inverse, weight;
    affine a;
    load_shift(p, data[BEAM_NORM_X], &shift, kernel->bf16);
    moments(total, &shift, (double)grid->batch * (double)grid->points, &a.mean, &variance);
    inverse_deviation(&variance, kernel->op->epsilon, &inverse);
    load_vector(&weight, p, data[BEAM_NORM_WEIGHT]);
    load_vector(&a.bias, p, data[BEAM_NORM_BIAS]);
    a.scale = weight * inverse;
    if (p->first == 0) {
        store_vector(&a.mean, p, data[BEAM_NORM_MEAN]);
        store_vector(&variance, p, data[BEAM_NORM_VARIANCE]);
        update_running(p, kernel, data, &a.mean, &variance);
    }
    bool add = data[BEAM_NORM_ADDEND] != NULL;
    if (p->lanes != BEAM_LANES)
        apply_forward(p, kernel, data, &a, p->lanes, kernel->bf16, add);
    else if (kernel->bf16)
        apply_forward(p, kernel, data, &a, BEAM_LANES, true, add);
    else if (add)
        apply_forward(p, kernel, data, &a, BEAM_LANES, false, true);
    else
        apply_forward(p, kernel, data, &a, BEAM_LANES, false, false);
}

/* ---- backward ---- */

/* The gradient of y at `at`: what came back, through the activation.  `a` is what the forward pass
 * did to x. */
BEAM_INLINE void gradient_at(const beam_onednn_kernel *kernel, void *const *data, size_t at,
                             const beam_lanes *x, const affine *a, beam_lanes *dy, size_t lanes,
                             bool bf16)
{
    beam_lanes other;
    beam_lanes_load(dy, data[BEAM_NORM_GRAD_DY], at, lanes, bf16);
    if (data[BEAM_NORM_GRAD_DY2]) {
        beam_lanes_load(&other, data[BEAM_NORM_GRAD_DY2], at, lanes, bf16);
        *dy += other;
    }
    if (data[BEAM_NORM_GRAD_Y]) {
        beam_lanes_load(&other, data[BEAM_NORM_GRAD_Y], at, lanes, bf16);
        beam_lanes_mask(dy, &other);
    } else if (kernel->activation != BEAM_ONEDNN_NO_ACTIVATION) {
        other = *x;
        affine_apply(a, &other);
        if (kernel->activation == BEAM_ONEDNN_RELU)
            beam_lanes_mask(dy, &other);
        else
            beam_lanes_gelu_grad(dy, &other);
    }
}

/* Sums of dy and of dy * (x - mean). */
BEAM_INLINE void sum_backward(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                              const affine *a, sums *total, size_t lanes, bool bf16)
{
    const beam_onednn_grid *grid = p->grid;
    beam_lanes first = {0}, second = {0}, x, dy;
    void *sum = data[BEAM_NORM_GRAD_SUM];
    size_t run = 0;
    for (size_t n = p->first; n < p->last; n++) {
        size_t at = n * grid->batch_stride + p->unit * grid->unit_stride;
        for (size_t i = 0; i < grid->points; i++, at += grid->point_stride) {
            beam_lanes_load(&x, data[BEAM_NORM_GRAD_X], at, lanes, bf16);
            gradient_at(kernel, data, at, &x, a, &dy, lanes, bf16);
            if (sum)
                beam_lanes_store(&dy, sum, at, lanes, bf16);
            first += dy;
            second += dy * (x - a->mean);
        }
        run += grid->points;
        if (run >= RUN || n + 1 == p->last) {
            add_to(total->first, &first);
            add_to(total->second, &second);
            first = second = (beam_lanes){0};
            run = 0;
        }
    }
}

/* dx = scale * (dy - mean(dy) - x^ * mean(dy * x^)), with the two means' parts worked out. */
BEAM_INLINE void apply_backward(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                                const affine *a, const beam_lanes *constant,
                                const beam_lanes *slope, size_t lanes, bool bf16)
{
    const beam_onednn_grid *grid = p->grid;
    const void *sum = data[BEAM_NORM_GRAD_SUM];
    beam_lanes x, dy;
    for (size_t n = p->first; n < p->last; n++) {
        size_t at = n * grid->batch_stride + p->unit * grid->unit_stride;
        for (size_t i = 0; i < grid->points; i++, at += grid->point_stride) {
            beam_lanes_load(&x, data[BEAM_NORM_GRAD_X], at, lanes, bf16);
            if (sum)
                beam_lanes_load(&dy, sum, at, lanes, bf16);
            else
                gradient_at(kernel, data, at, &x, a, &dy, lanes, bf16);
            dy = a->scale * dy - *constant - (x - a->mean) * *slope;
            beam_lanes_store(&dy, data[BEAM_NORM_GRAD_DX], at, lanes, bf16);
        }
    }
}

/* What the forward pass did, and the deviation's inverse. */
BEAM_INLINE void forward_affine(const beam_onednn_kernel *kernel, void *const *data, const piece *p,
                                affine *a, beam_lanes *inverse)
{
    beam_lanes variance, weight;
    load_vector(&a->mean, p, data[BEAM_NORM_GRAD_MEAN]);
    load_vector(&variance, p, data[BEAM_NORM_GRAD_VARIANCE]);
    load_vector(&weight, p, data[BEAM_NORM_GRAD_WEIGHT]);
    inverse_deviation(&variance, kernel->op->epsilon, inverse);
    a->scale = weight * *inverse;
    a->bias = (beam_lanes){0};
    if (data[BEAM_NORM_GRAD_BIAS])
        load_vector(&a->bias, p, data[BEAM_NORM_GRAD_BIAS]);
}

BEAM_INLINE void backward_sums(const beam_onednn_kernel *kernel, void *const *data, const piece *p,
                               sums *total)
{
    beam_lanes inverse;
    affine a;
    forward_affine(kernel, data, p, &a, &inverse);
    *total = (sums){{0}, {0}};
    if (p->lanes != BEAM_LANES)
        sum_backward(p, kernel, data, &a, total, p->lanes, kernel->bf16);
    else if (kernel->bf16)
        sum_backward(p, kernel, data, &a, total, BEAM_LANES, true);
    else
        sum_backward(p, kernel, data, &a, total, BEAM_LANES, false);
}

BEAM_INLINE void backward_apply(const beam_onednn_kernel *kernel, void *const *data, const piece *p,
                                const sums *total)
{
    beam_lanes inverse, dweight, dbias, constant, slope;
    affine a;
    forward_affine(kernel, data, p, &a, &inverse);
    double count = (double)p->grid->batch * (double)p->grid->points;
    for (int i = 0; i < BEAM_LANES; i++) {
        double scale = (double)a.scale[i], inv = (double)inverse[i];
        dbias[i] = (float)total->first[i];
        dweight[i] = (float)(total->second[i] * inv);
        constant[i] = (float)(scale * total->first[i] / count);
        slope[i] = (float)(scale * total->second[i] * inv * inv / count);
    }
    if (p->first == 0 && data[BEAM_NORM_GRAD_DWEIGHT])
        store_vector(&dweight, p, data[BEAM_NORM_GRAD_DWEIGHT]);
    if (p->first == 0 && data[BEAM_NORM_GRAD_DBIAS])
        store_vector(&dbias, p, data[BEAM_NORM_GRAD_DBIAS]);
    if (!data[BEAM_NORM_GRAD_DX])
        return;
    if (p->lanes != BEAM_LANES)
        apply_backward(p, kernel, data, &a, &constant, &slope, p->lanes, kernel->bf16);
    else if (kernel->bf16)
        apply_backward(p, kernel, data, &a, &constant, &slope, BEAM_LANES, true);
    else
        apply_backward(p, kernel, data, &a, &constant, &slope, BEAM_LANES, false);
}

/* ---- both ---- */

/* The sums of a unit's slices, in their order. */
static void gather(const beam_onednn_kernel *kernel, const sums *slices, size_t unit, sums *total)
{
    *total = (sums){{0}, {0}};
    for (size_t s = 0; s < kernel->slices; s++) {
        const sums *one = &slices[s * kernel->grid.units + unit];
        for (int i = 0; i < BEAM_LANES; i++) {
            total->first[i] += one->first[i];
            total->second[i] += one->second[i];
        }
    }
}

typedef enum phase { SUM, APPLY, BOTH } phase;

/* A thread's pieces: whole units if there is one slice, else their sums before anything else. */
#define PHASES(DIRECTION, SUMS_SLOT)                                                               \
    BEAM_INLINE void DIRECTION##_pieces_body(const job *j, phase what, size_t first, size_t last)  \
    {                                                                                              \
        sums *slices = j->data[SUMS_SLOT];                                                         \
        for (size_t item = first; item < last; item++) {                                           \
            piece p = piece_of(j->kernel, item);                                                   \
            sums total;                                                                            \
            if (what == BOTH)                                                                      \
                DIRECTION##_sums(j->kernel, j->data, &p, &total);                                  \
            else if (what == SUM)                                                                  \
                DIRECTION##_sums(j->kernel, j->data, &p, &slices[item]);                           \
            else                                                                                   \
                gather(j->kernel, slices, p.unit, &total);                                         \
            if (what != SUM)                                                                       \
                DIRECTION##_apply(j->kernel, j->data, &p, &total);                                 \
        }                                                                                          \
    }                                                                                              \
    BEAM_LANES_FUNCTION(DIRECTION##_pieces, (const job *j, phase what, size_t first, size_t last), \
                        (j, what, first, last))                                                    \
    static void DIRECTION##_part(void *context, phase what, unsigned part, unsigned parts)         \
    {                                                                                              \
        const job *j = context;                                                                    \
        size_t first, last;                                                                        \
        beam_onednn_share(j->kernel->grid.units * j->kernel->slices, 1, part, parts, &first,       \
                          &last);                                                                  \
        DIRECTION##_pieces(j, what, first, last);                                                  \
    }                                                                                              \
    static void DIRECTION##_whole(void *context, unsigned part, unsigned parts)                    \
    {                                                                                              \
        DIRECTION##_part(context, BOTH, part, parts);                                              \
    }                                                                                              \
    static void DIRECTION##_sum_up(void *context, unsigned part, unsigned parts)                   \
    {                                                                                              \
        DIRECTION##_part(context, SUM, part, parts);                                               \
    }                                                                                              \
    static void DIRECTION##_use(void *context, unsigned part, unsigned parts)                      \
    {                                                                                              \
        DIRECTION##_part(context, APPLY, part, parts);                                             \
    }

PHASES(forward, BEAM_NORM_SUMS)
PHASES(backward, BEAM_NORM_GRAD_SUMS)

void beam_onednn_norm(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    job j = {kernel, data};
    if (kernel->slices == 1) {
        beam_onednn_parallel(threads, forward_whole, &j);
        return;
    }
    beam_onednn_parallel(threads, forward_sum_up, &j);
    beam_onednn_parallel(threads, forward_use, &j);
}

void beam_onednn_norm_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    job j = {kernel, data};
    if (kernel->slices == 1) {
        beam_onednn_parallel(threads, backward_whole, &j);
        return;
    }
    beam_onednn_parallel(threads, backward_sum_up, &j);
    beam_onednn_parallel(threads, backward_use, &j);
}
