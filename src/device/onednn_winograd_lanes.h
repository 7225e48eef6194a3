/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_winograd_lanes.h - the loops of onednn_winograd.c for one instruction set, which includes
 * this once for each.  Before it are defined
 *
 *   WIDTH       floats of a vector
 *   BLOCK       tiles that lie side by side: those whose products with two vectors' worth of
 *               columns are in registers together
 *   ROWS(X)     X(0) to X(BLOCK - 1)
 *   CHANNELS    channels that are multiplied with two vectors' worth of others together
 *   ALL(X)      X(0) to X(CHANNELS - 1)
 *   TARGET      the attribute that lets a function use the instructions
 *   NAME(x)     the names of these functions
 *   vector      the vector's type
 *   SPREAD(x)   a vector whose numbers are all x
 *   FMA(a,b,c)  a * b + c
 */
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE vector NAME(load)(const float *from)
{
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void NAME(store)(float *to, vector v)
{
    memcpy(to, &v, sizeof v);
}

INLINE vector NAME(all)(float number)
{
    return SPREAD(number);
}

/* a + number * b. */
INLINE vector NAME(plus)(vector a, float number, vector b)
{
    return FMA(NAME(all)(number), b, a);
}

/* ---- the transforms, along one side of a tile ---- */

/* The input's: six numbers to six, two to three or one to itself.  The six are Lagrange's
 * polynomials of the points, with what those of p and -p have in common worked out once. */
INLINE void NAME(before)(unsigned outputs, const float *from, size_t step, float *to,
                         size_t to_step)
{
    if (outputs == 1) {
        NAME(store)(to, NAME(load)(from));
        return;
    }
    const vector d0 = NAME(load)(from), d1 = NAME(load)(from + step);
    if (outputs == 2) {
        NAME(store)(to, d0);
        NAME(store)(to + to_step, d0 + d1);
        NAME(store)(to + 2 * to_step, d1);
        return;
    }
    const vector d2 = NAME(load)(from + 2 * step), d3 = NAME(load)(from + 3 * step);
    const vector d4 = NAME(load)(from + 4 * step), d5 = NAME(load)(from + 5 * step);
    const vector even_a = NAME(plus)(d4, -B2, d2), odd_a = NAME(plus)(d3, -B2, d1);
    const vector even_b = NAME(plus)(d4, -A2, d2), odd_b = NAME(plus)(d3, -A2, d1);
    NAME(store)(to, NAME(plus)(NAME(plus)(d4, -(A2 + B2), d2), A2 * B2, d0));
    NAME(store)(to + to_step, NAME(plus)(even_a, A, odd_a));
    NAME(store)(to + 2 * to_step, NAME(plus)(even_a, -A, odd_a));
    NAME(store)(to + 3 * to_step, NAME(plus)(even_b, B, odd_b));
    NAME(store)(to + 4 * to_step, NAME(plus)(even_b, -B, odd_b));
    NAME(store)(to + 5 * to_step, NAME(plus)(NAME(plus)(d5, -(A2 + B2), d3), A2 * B2, d1));
}

/* The result's: six products to four outputs, three to two or one to one. */
INLINE void NAME(after)(unsigned outputs, const float *from, size_t step, float *to, size_t to_step)
{
    if (outputs == 1) {
        NAME(store)(to, NAME(load)(from));
        return;
    }
    const vector m0 = NAME(load)(from), m1 = NAME(load)(from + step);
    const vector m2 = NAME(load)(from + 2 * step);
    if (outputs == 2) {
        NAME(store)(to, m1 + m2);
        NAME(store)(to + to_step, m1 + m0);
        return;
    }
    const vector m3 = NAME(load)(from + 3 * step), m4 = NAME(load)(from + 4 * step);
    const vector m5 = NAME(load)(from + 5 * step);
    const vector even_a = m1 + m2, odd_a = m1 - m2, even_b = m3 + m4, odd_b = m3 - m4;
    NAME(store)(to, m0 + even_a + even_b);
    NAME(store)(to + to_step, NAME(plus)(NAME(all)(A) * odd_a, B, odd_b));
    NAME(store)(to + 2 * to_step, NAME(plus)(NAME(all)(A2) * even_a, B2, even_b));
    NAME(store)(to + 3 * to_step, NAME(plus)(NAME(plus)(m5, A * A2, odd_a), B * B2, odd_b));
}

/* ---- tiles ---- */

/* `side` by `side` numbers of an image, 0 beyond its edges, as if they lay side by side. */
INLINE void NAME(patch)(const picture *of, long side, long top, long left, const float *x,
                        float *patch)
{
    for (long i = 0; i < side; i++)
        for (long j = 0; j < side; j++) {
            long row = top + i, column = left + j;
            bool inside = row >= 0 && row < of->height && column >= 0 && column < of->width;
            NAME(store)
            (patch + (i * side + j) * WIDTH,
             inside ? NAME(load)(x + (size_t)(row * of->width + column) * of->point)
                    : NAME(all)(0));
        }
}

/* One tile's WIDTH channels to their place in V, whose matrices are `slot` apart. */
INLINE void NAME(transform)(unsigned outputs, const float *x, size_t row, size_t column, float *v,
                            size_t slot)
{
    const size_t side = beam_onednn_winograd_side(outputs);
    float half[6 * 6 * WIDTH] __attribute__((aligned(64)));
    for (unsigned j = 0; j < INPUTS(outputs); j++)
        NAME(before)(outputs, x + j * column, row, half + j * WIDTH, side * WIDTH);
    for (size_t i = 0; i < side; i++)
        NAME(before)(outputs, half + i * side * WIDTH, WIDTH, v + i * side * slot, slot);
}

/* All channels of a tile before the next: where they lie side by side the other way round takes
 * twice as long. */
INLINE void NAME(input_of)(unsigned outputs, const job *j, size_t first, size_t last)
{
    const beam_onednn_winograd *w = &j->kernel->winograd;
    const picture image = picture_of(w, w->in_height, w->in_width, w->in);
    const size_t row = w->in_width * image.point, inputs = INPUTS(outputs);
    float patch[6 * 6 * WIDTH] __attribute__((aligned(64)));
    for (size_t t = first; t < last; t++) {
        const place p = place_of(w, j->first + t);
        const float *x = j->x + p.image * w->in_height * w->in_width * w->in;
        float *v = j->v + spot(j->block, w->in, t, 0, WIDTH);
        const long up = p.row - (long)w->padding, left = p.column - (long)w->padding;
        const bool inside = up >= 0 && left >= 0 && up + (long)inputs <= (long)w->in_height &&
                            left + (long)inputs <= (long)w->in_width;
        if (inside)
            x += (size_t)up * row + (size_t)left * image.point;
        for (size_t c = 0; c < w->in; c += WIDTH, x += image.chunk, v += j->block * WIDTH) {
            if (inside) {
                NAME(transform)(outputs, x, row, image.point, v, j->v_slot);
            } else {
                NAME(patch)(&image, (long)inputs, up, left, x, patch);
                NAME(transform)(outputs, patch, inputs * WIDTH, WIDTH, v, j->v_slot);
            }
        }
    }
}

static TARGET void NAME(input)(const job *j, size_t first, size_t last)
{
    if (j->kernel->winograd.outputs == 1)
        NAME(input_of)(1, j, first, last);
    else if (j->kernel->winograd.outputs == 2)
        NAME(input_of)(2, j, first, last);
    else
        NAME(input_of)(4, j, first, last);
}

/* WIDTH numbers of the result, from what the products came to. */
INLINE void NAME(finish)(const job *j, vector sum, vector bias, size_t at)
{
    sum += bias;
    if (j->addend)
        sum += NAME(load)(j->addend + at);
    if (j->kernel->activation == BEAM_ONEDNN_RELU) {
        int32_t __attribute__((vector_size(4 * WIDTH))) negative = sum < NAME(all)(0), bits;
        memcpy(&bits, &sum, sizeof bits);
        bits &= ~negative;
        memcpy(&sum, &bits, sizeof bits);
    } else if (j->kernel->activation == BEAM_ONEDNN_GELU) {
        beam_lanes lanes = {0};
        memcpy(&lanes, &sum, sizeof sum);
        beam_lanes_gelu(&lanes);
        memcpy(&sum, &lanes, sizeof sum);
    }
    NAME(store)(j->y + at, sum);
}

INLINE void NAME(output_of)(unsigned outputs, const job *j, size_t first, size_t last)
{
    const beam_onednn_winograd *w = &j->kernel->winograd;
    const picture image = picture_of(w, w->height, w->width, w->out);
    const size_t side = beam_onednn_winograd_side(outputs), row = w->width * image.point;
    float half[4 * 6 * WIDTH] __attribute__((aligned(64))), line[4 * WIDTH];
    for (size_t t = first; t < last; t++) {
        const place p = place_of(w, j->first + t);
        const size_t rows = w->height - (size_t)p.row, columns = w->width - (size_t)p.column;
        size_t from = p.image * w->height * w->width * w->out + (size_t)p.row * row +
                      (size_t)p.column * image.point;
        const float *m = j->m + spot(BLOCK, j->m_channels, t, 0, WIDTH);
        for (size_t k = 0; k < w->out; k += WIDTH, from += image.chunk, m += BLOCK * WIDTH) {
            const vector bias = j->bias ? NAME(load)(j->bias + k) : NAME(all)(0);
            size_t at = from;
            for (size_t i = 0; i < side; i++)
                NAME(after)
            (outputs, m + i * j->m_slot, side * j->m_slot, half + i * WIDTH, side * WIDTH);
            for (size_t i = 0; i < outputs && i < rows; i++, at += row) {
                NAME(after)(outputs, half + i * side * WIDTH, WIDTH, line, WIDTH);
                for (size_t l = 0; l < outputs; l++)
                    if (l < columns)
                        NAME(finish)(j, NAME(load)(line + l * WIDTH), bias, at + l * image.point);
            }
        }
    }
}

static TARGET void NAME(output)(const job *j, size_t first, size_t last)
{
    if (j->kernel->winograd.outputs == 1)
        NAME(output_of)(1, j, first, last);
    else if (j->kernel->winograd.outputs == 2)
        NAME(output_of)(2, j, first, last);
    else
        NAME(output_of)(4, j, first, last);
}

/* ---- products ---- */

/* A block of tiles times two vectors' worth of columns, over all channels: the sums stay in
 * registers, which is why each has a name. */
INLINE void NAME(block)(const float *v, const float *u, size_t channels, float *m)
{
#define SUMS(R) vector p##R = NAME(all)(0), q##R = NAME(all)(0);
#define STEP(R)                                   \
    {                                             \
        const vector s = NAME(all)(v[R * WIDTH]); \
        p##R = FMA(s, a, p##R);                   \
        q##R = FMA(s, b, q##R);                   \
    }
#define KEEP(R)                       \
    NAME(store)(m + R * WIDTH, p##R); \
    NAME(store)(m + (BLOCK + R) * WIDTH, q##R);
    ROWS(SUMS)
    for (size_t c = 0; c < channels; c += WIDTH, v += (BLOCK - 1) * WIDTH)
        for (size_t i = 0; i < WIDTH; i++, v++, u += 2 * WIDTH) {
            const vector a = NAME(load)(u), b = NAME(load)(u + WIDTH);
            ROWS(STEP)
        }
    ROWS(KEEP)
#undef SUMS
#undef STEP
#undef KEEP
}

/* Columns of one of the products for all tiles. */
static TARGET void NAME(product)(const job *j, size_t matrix, size_t panel)
{
    const size_t in = j->kernel->winograd.in, columns = 2 * WIDTH;
    const float *u = j->u + (matrix * j->m_channels + panel * columns) * in;
    for (size_t t = 0; t < j->blocks * BLOCK; t += BLOCK)
        NAME(block)
    (j->v + matrix * j->v_slot + spot(BLOCK, in, t, 0, WIDTH), u, in,
     j->m + matrix * j->m_slot + spot(BLOCK, j->m_channels, t, panel * columns, WIDTH));
}

#include "device/onednn_winograd_train_lanes.h"

#undef INLINE
#undef WIDTH
#undef BLOCK
#undef ROWS
#undef CHANNELS
#undef TARGET
#undef NAME
#undef vector
#undef SPREAD
#undef FMA
#undef ALL
