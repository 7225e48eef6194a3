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
    bool pairs;               /* half as many channels as lanes: two points fill a vector */
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

/* With channels innermost a unit is a part of each cache line, so that a slice is as much as stays
 * in the cache until all its units have had their turn. */
static size_t slices_of_lines(const beam_onednn_grid *grid, unsigned threads)
{
    enum { NUMBERS = 1 << 17, MOST = 64 };
    size_t slices = grid->batch * grid->points * grid->point_stride / NUMBERS + 1;
    slices = slices < MOST ? slices : MOST;
    return (slices + threads - 1) / threads * threads;
}

uint32_t beam_onednn_norm_slices(const beam_onednn_grid *grid, unsigned threads)
{
    size_t slices = threads / common_divisor((unsigned)grid->units, threads);
    if (grid->point_stride > grid->width)
        slices = slices_of_lines(grid, threads);
    return (uint32_t)(slices > grid->batch ? grid->batch : slices);
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
    p.pairs = p.lanes == BEAM_LANES / 2 && grid->point_stride == p.lanes && !kernel->bf16;
    return p;
}

/* Both points of a pair have the same channels. */
BEAM_INLINE void for_both(const piece *p, beam_lanes *lanes)
{
    for (int i = 0; p->pairs && i < BEAM_LANES / 2; i++)
        (*lanes)[BEAM_LANES / 2 + i] = (*lanes)[i];
}

static void add_both(const piece *p, sums *total)
{
    for (int i = 0; p->pairs && i < BEAM_LANES / 2; i++) {
        int other = BEAM_LANES / 2 + i;
        total->first[i] = total->first[other] += total->first[i];
        total->second[i] = total->second[other] += total->second[i];
    }
}

/* The same channels of a vector of them. */
BEAM_INLINE void load_vector(beam_lanes *lanes, const piece *p, const void *vector)
{
    beam_lanes_load(lanes, vector, p->unit * p->grid->width, p->channels, false);
    for_both(p, lanes);
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
                             size_t lanes, bool bf16, bool pairs)
{
    const beam_onednn_grid *grid = p->grid;
    const size_t points = pairs ? 2 : 1, next = points * grid->point_stride;
    beam_lanes first = {0}, second = {0}, first2 = {0}, second2 = {0}, a, b;
    size_t run = 0;
    for (size_t n = p->first; n < p->last; n++) {
        size_t at = n * grid->batch_stride + p->unit * grid->unit_stride, i = 0;
        for (; i + 2 * points <= grid->points; i += 2 * points, at += 2 * next) {
            beam_lanes_load(&a, x, at, lanes, bf16);
            beam_lanes_load(&b, x, at + next, lanes, bf16);
            a -= *shift;
            b -= *shift;
            first += a;
            first2 += b;
            second += a * a;
            second2 += b * b;
        }
        for (; i + points <= grid->points; i += points, at += next) {
            beam_lanes_load(&a, x, at, lanes, bf16);
            a -= *shift;
            first += a;
            second += a * a;
        }
        if (pairs && i < grid->points) {
            beam_lanes_load(&a, x, at, BEAM_LANES / 2, false);
            a -= *shift;
            for (size_t l = BEAM_LANES / 2; l < BEAM_LANES; l++)
                a[l] = 0; /* there is no other point */
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

BEAM_INLINE void apply_at(const beam_onednn_kernel *kernel, void *const *data, size_t at,
                          const affine *a, size_t lanes, bool bf16, bool add)
{
    beam_lanes x, more;
    beam_lanes_load(&x, data[BEAM_NORM_X], at, lanes, bf16);
    affine_apply(a, &x);
    if (add) {
        beam_lanes_load(&more, data[BEAM_NORM_ADDEND], at, lanes, bf16);
        x += more;
    }
    if (kernel->activation == BEAM_ONEDNN_RELU)
        beam_lanes_relu(&x);
    else if (kernel->activation == BEAM_ONEDNN_GELU)
        beam_lanes_gelu(&x);
    beam_lanes_store(&x, data[BEAM_NORM_Y], at, lanes, bf16);
}

/* Calls AT for each point, or each pair of them, of a piece: with `lanes` lanes, or with half as
 * many for what is left of a pair. */
#define EACH_POINT(p, pairs, lanes, at, AT)                                                    \
    for (size_t n_ = (p)->first; n_ < (p)->last; n_++) {                                       \
        const size_t points_ = (pairs) ? 2 : 1;                                                \
        size_t at = n_ * (p)->grid->batch_stride + (p)->unit * (p)->grid->unit_stride, i_ = 0; \
        for (; i_ + points_ <= (p)->grid->points; i_ += points_) {                             \
            AT(lanes);                                                                         \
            at += points_ * (p)->grid->point_stride;                                           \
        }                                                                                      \
        if ((pairs) && i_ < (p)->grid->points)                                                 \
            AT(BEAM_LANES / 2);                                                                \
    }

BEAM_INLINE void apply_forward(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                               const affine *a, size_t lanes, bool bf16, bool add, bool pairs)
{
#define AT(LANES) apply_at(kernel, data, at, a, LANES, bf16, add)
    EACH_POINT(p, pairs, lanes, at, AT)
#undef AT
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
    for_both(p, shift);
}

BEAM_INLINE void forward_sums(const beam_onednn_kernel *kernel, void *const *data, const piece *p,
                              sums *total)
{
    const void *x = data[BEAM_NORM_X];
    beam_lanes shift;
    load_shift(p, x, &shift, kernel->bf16);
    *total = (sums){{0}, {0}};
    if (p->pairs)
        sum_forward(p, x, &shift, total, BEAM_LANES, false, true);
    else if (p->lanes != BEAM_LANES)
        sum_forward(p, x, &shift, total, p->lanes, kernel->bf16, false);
    else if (kernel->bf16)
        sum_forward(p, x, &shift, total, BEAM_LANES, true, false);
    else
        sum_forward(p, x, &shift, total, BEAM_LANES, false, false);
    add_both(p, total);
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
    if (p->pairs)
        apply_forward(p, kernel, data, &a, BEAM_LANES, false, add, true);
    else if (p->lanes != BEAM_LANES)
        apply_forward(p, kernel, data, &a, p->lanes, kernel->bf16, add, false);
    else if (kernel->bf16)
        apply_forward(p, kernel, data, &a, BEAM_LANES, true, add, false);
    else if (add)
        apply_forward(p, kernel, data, &a, BEAM_LANES, false, true, false);
    else
        apply_forward(p, kernel, data, &a, BEAM_LANES, false, false, false);
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

/* Where the gradient of y is kept from the first pass to the second: where it is wanted by others,
 * or, as a gelu's slope takes longer than memory does, where dx comes. */
BEAM_INLINE void *kept_gradient(const beam_onednn_kernel *kernel, void *const *data)
{
    bool slow = kernel->activation == BEAM_ONEDNN_GELU;
    return data[BEAM_NORM_GRAD_SUM] || !slow ? data[BEAM_NORM_GRAD_SUM] : data[BEAM_NORM_GRAD_DX];
}

BEAM_INLINE void sum_at(const beam_onednn_kernel *kernel, void *const *data, size_t at,
                        const affine *a, beam_lanes *first, beam_lanes *second, size_t lanes,
                        bool bf16)
{
    beam_lanes x, dy;
    void *kept = kept_gradient(kernel, data);
    beam_lanes_load(&x, data[BEAM_NORM_GRAD_X], at, lanes, bf16);
    gradient_at(kernel, data, at, &x, a, &dy, lanes, bf16);
    if (kept)
        beam_lanes_store(&dy, kept, at, lanes, bf16);
    *first += dy;
    *second += dy * (x - a->mean);
}

/* Sums of dy and of dy * (x - mean). */
BEAM_INLINE void sum_backward(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                              const affine *a, sums *total, size_t lanes, bool bf16, bool pairs)
{
    beam_lanes first = {0}, second = {0};
    size_t run = 0;
    piece one = *p; /* image */
    for (; one.first < p->last; one.first++) {
        one.last = one.first + 1;
#define AT(LANES) sum_at(kernel, data, at, a, &first, &second, LANES, bf16)
        EACH_POINT(&one, pairs, lanes, at, AT)
#undef AT
        run += p->grid->points;
        if (run >= RUN || one.last == p->last) {
            add_to(total->first, &first);
            add_to(total->second, &second);
            first = second = (beam_lanes){0};
            run = 0;
        }
    }
}

BEAM_INLINE void back_at(const beam_onednn_kernel *kernel, void *const *data, size_t at,
                         const affine *a, const beam_lanes *constant, const beam_lanes *slope,
                         size_t lanes, bool bf16)
{
    beam_lanes x, dy;
    const void *kept = kept_gradient(kernel, data);
    beam_lanes_load(&x, data[BEAM_NORM_GRAD_X], at, lanes, bf16);
    if (kept)
        beam_lanes_load(&dy, kept, at, lanes, bf16);
    else
        gradient_at(kernel, data, at, &x, a, &dy, lanes, bf16);
    dy = a->scale * dy - *constant - (x - a->mean) * *slope;
    beam_lanes_store(&dy, data[BEAM_NORM_GRAD_DX], at, lanes, bf16);
}

#define AT(LANES) back_at(kernel, data, at, a, constant, slope, LANES, bf16)
/* dx = scale * (dy - mean(dy) - x^ * mean(dy * x^)), with the two means' parts worked out. */
BEAM_INLINE void apply_backward(const piece *p, const beam_onednn_kernel *kernel, void *const *data,
                                const affine *a, const beam_lanes *constant,
                                const beam_lanes *slope, size_t lanes, bool bf16, bool pairs)
{
    EACH_POINT(p, pairs, lanes, at, AT)
}
#undef AT

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
    if (p->pairs)
        sum_backward(p, kernel, data, &a, total, BEAM_LANES, false, true);
    else if (p->lanes != BEAM_LANES)
        sum_backward(p, kernel, data, &a, total, p->lanes, kernel->bf16, false);
    else if (kernel->bf16)
        sum_backward(p, kernel, data, &a, total, BEAM_LANES, true, false);
    else
        sum_backward(p, kernel, data, &a, total, BEAM_LANES, false, false);
    add_both(p, total);
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
    if (p->pairs)
        apply_backward(p, kernel, data, &a, &constant, &slope, BEAM_LANES, false, true);
    else if (p->lanes != BEAM_LANES)
        apply_backward(p, kernel, data, &a, &constant, &slope, p->lanes, kernel->bf16, false);
    else if (kernel->bf16)
        apply_backward(p, kernel, data, &a, &constant, &slope, BEAM_LANES, true, false);
    else
        apply_backward(p, kernel, data, &a, &constant, &slope, BEAM_LANES, false, false);
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
