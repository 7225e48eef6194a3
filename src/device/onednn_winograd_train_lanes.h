/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_winograd_train_lanes.h - the loops that training needs besides, for one instruction set:
 * onednn_winograd_lanes.h includes it, and what is defined there holds here.
 *
 * Weights lie as the window's taps, in each the input's channels, in each the output's. */

/* What Lagrange's polynomials of the points are divided by, in `before` and with the weights. */
#define OVER_0 (1 / (A2 * B2))
#define OVER_A (1 / (2 * A2 * (A2 - B2)))
#define OVER_B (1 / (2 * B2 * (B2 - A2)))

/* ---- the transforms, along one side ---- */

/* The weights': three numbers to their values at the points. */
INLINE void NAME(points)(const float *from, size_t step, float *to, size_t to_step)
{
    const vector g0 = NAME(load)(from), g1 = NAME(load)(from + step);
    const vector g2 = NAME(load)(from + 2 * step);
    const vector even_a = NAME(all)(OVER_A) * NAME(plus)(g0, A2, g2);
    const vector even_b = NAME(all)(OVER_B) * NAME(plus)(g0, B2, g2);
    NAME(store)(to, NAME(all)(OVER_0) * g0);
    NAME(store)(to + to_step, NAME(plus)(even_a, A * OVER_A, g1));
    NAME(store)(to + 2 * to_step, NAME(plus)(even_a, -A * OVER_A, g1));
    NAME(store)(to + 3 * to_step, NAME(plus)(even_b, B * OVER_B, g1));
    NAME(store)(to + 4 * to_step, NAME(plus)(even_b, -B * OVER_B, g1));
    NAME(store)(to + 5 * to_step, g2);
}

/* The gradient of `points`: six numbers to three. */
INLINE void NAME(points_back)(const float *from, size_t step, float *to, size_t to_step)
{
    const vector u0 = NAME(load)(from), u1 = NAME(load)(from + step);
    const vector u2 = NAME(load)(from + 2 * step), u3 = NAME(load)(from + 3 * step);
    const vector u4 = NAME(load)(from + 4 * step), u5 = NAME(load)(from + 5 * step);
    const vector even_a = NAME(all)(OVER_A) * (u1 + u2), odd_a = u1 - u2;
    const vector even_b = NAME(all)(OVER_B) * (u3 + u4), odd_b = u3 - u4;
    NAME(store)(to, NAME(plus)(even_a + even_b, OVER_0, u0));
    NAME(store)(to + to_step, NAME(plus)(NAME(all)(A * OVER_A) * odd_a, B * OVER_B, odd_b));
    NAME(store)(to + 2 * to_step, NAME(plus)(NAME(plus)(u5, A2, even_a), B2, even_b));
}

/* The gradient of `after`: four numbers to six. */
INLINE void NAME(after_back)(const float *from, size_t step, float *to, size_t to_step)
{
    const vector y0 = NAME(load)(from), y1 = NAME(load)(from + step);
    const vector y2 = NAME(load)(from + 2 * step), y3 = NAME(load)(from + 3 * step);
    const vector even_a = NAME(plus)(y0, A2, y2), even_b = NAME(plus)(y0, B2, y2);
    const vector odd_a = NAME(plus)(NAME(all)(A) * y1, A * A2, y3);
    const vector odd_b = NAME(plus)(NAME(all)(B) * y1, B * B2, y3);
    NAME(store)(to, y0);
    NAME(store)(to + to_step, even_a + odd_a);
    NAME(store)(to + 2 * to_step, even_a - odd_a);
    NAME(store)(to + 3 * to_step, even_b + odd_b);
    NAME(store)(to + 4 * to_step, even_b - odd_b);
    NAME(store)(to + 5 * to_step, y3);
}

/* ---- weights ---- */

/* Nine numbers for each of WIDTH pairs of channels to their place in U, whose matrices are `slot`
 * apart. */
INLINE void NAME(square)(const float *taps, size_t step, float *u, size_t slot)
{
    float half[6 * 3 * WIDTH] __attribute__((aligned(64)));
    for (size_t i = 0; i < 3; i++)
        NAME(points)(taps + i * step, 3 * step, half + i * WIDTH, 3 * WIDTH);
    for (size_t i = 0; i < 6; i++)
        NAME(points)(half + i * 3 * WIDTH, WIDTH, u + i * 6 * slot, slot);
}

/* U of some of the input's channels. */
static TARGET void NAME(weights)(const packing *p, size_t first, size_t last)
{
    const size_t slot = p->in * p->columns, tap = p->in * p->out;
    const float nothing[WIDTH] = {0};
    for (size_t c = first; c < last; c++)
        for (size_t k = 0; k < p->columns; k += WIDTH) {
            float *u = p->u + place_in_u(p->in, c, k, WIDTH);
            if (k < p->out)
                NAME(square)(p->weights + c * p->out + k, tap, u, slot);
            else
                NAME(square)(nothing, 0, u, slot);
        }
}

/* The same for the gradient of the input: the window is turned, and what were the output's channels
 * (p->in of them) are the input's. */
static TARGET void NAME(weights_turned)(const packing *p, size_t first, size_t last)
{
    const size_t slot = p->in * p->columns, tap = p->in * p->out;
    float taps[9 * WIDTH] __attribute__((aligned(64))) = {0};
    for (size_t c = 0; c < p->columns; c += WIDTH)
        for (size_t k = first; k < last; k++) {
            for (size_t i = 0; i < 9; i++)
                for (size_t l = 0; l < WIDTH; l++)
                    taps[i * WIDTH + l] =
                        c < p->out ? p->weights[(8 - i) * tap + (c + l) * p->in + k] : 0;
            NAME(square)(taps, WIDTH, p->u + place_in_u(p->in, k, c, WIDTH), slot);
        }
}

/* The gradient of some of the input's channels' weights, of that of U. */
static TARGET void NAME(weights_back)(const packing *p, size_t first, size_t last)
{
    const size_t slot = p->in * p->columns, tap = p->in * p->out;
    float half[3 * 6 * WIDTH] __attribute__((aligned(64)));
    for (size_t c = first; c < last; c++)
        for (size_t k = 0; k < p->out; k += WIDTH) {
            const float *u = p->u + place_in_u(p->in, c, k, WIDTH);
            for (size_t i = 0; i < 6; i++)
                NAME(points_back)(u + i * slot, 6 * slot, half + i * WIDTH, 6 * WIDTH);
            for (size_t i = 0; i < 3; i++)
                NAME(points_back)
            (half + i * 6 * WIDTH, WIDTH, p->weights + 3 * i * tap + c * p->out + k, tap);
        }
}

/* ---- the gradient of U ---- */

/* Tiles of the result's gradient, all its channels and zeros for those that fill the last panel. */
static TARGET void NAME(gradient)(const job *j, size_t first, size_t last)
{
    const beam_onednn_winograd *w = &j->kernel->winograd;
    const picture image = picture_of(w, w->height, w->width, w->out);
    float patch[4 * 4 * WIDTH] __attribute__((aligned(64)));
    float half[6 * 4 * WIDTH] __attribute__((aligned(64)));
    for (size_t t = first; t < last; t++) {
        const place p = place_of(w, j->first + t);
        const float *y = j->y + p.image * w->height * w->width * w->out;
        float *m = j->m + spot(j->block, j->m_channels, t, 0, WIDTH);
        for (size_t k = 0; k < j->m_channels; k += WIDTH, y += image.chunk, m += j->block * WIDTH) {
            if (k < w->out)
                NAME(patch)(&image, 4, p.row, p.column, y, patch);
            else
                memset(patch, 0, sizeof patch);
            for (size_t i = 0; i < 4; i++)
                NAME(after_back)
            (patch + i * WIDTH, 4 * WIDTH, half + i * WIDTH, 4 * WIDTH);
            for (size_t i = 0; i < 6; i++)
                NAME(after_back)(half + i * 4 * WIDTH, WIDTH, m + i * 6 * j->m_slot, j->m_slot);
        }
    }
}

/* CHANNELS of the input's channels times two vectors of the output's, over all tiles. */
INLINE void NAME(outer)(const float *v, const float *m, size_t next, size_t tiles, bool more,
                        float *u)
{
#define SUMS(R)                                                        \
    vector p##R = more ? NAME(load)(u + 2 * R * WIDTH) : NAME(all)(0), \
           q##R = more ? NAME(load)(u + (2 * R + 1) * WIDTH) : NAME(all)(0);
#define STEP(R)                           \
    {                                     \
        const vector s = NAME(all)(v[R]); \
        p##R = FMA(s, a, p##R);           \
        q##R = FMA(s, b, q##R);           \
    }
#define KEEP(R)                           \
    NAME(store)(u + 2 * R * WIDTH, p##R); \
    NAME(store)(u + (2 * R + 1) * WIDTH, q##R);
    ALL(SUMS)
    for (size_t t = 0; t < tiles; t++, v += WIDTH, m += WIDTH) {
        const vector a = NAME(load)(m), b = NAME(load)(m + next);
        ALL(STEP)
    }
    ALL(KEEP)
#undef SUMS
#undef STEP
#undef KEEP
}

/* A panel of one of U's matrices. */
static TARGET void NAME(outer_product)(const job *j, size_t matrix, size_t panel)
{
    const size_t in = j->kernel->winograd.in, columns = 2 * WIDTH;
    const float *v = j->v + matrix * j->v_slot;
    const float *m = j->m + matrix * j->m_slot + panel * columns * j->block;
    float *u = j->du + (matrix * j->m_channels + panel * columns) * in;
    for (size_t c = 0; c < in; c += CHANNELS, u += CHANNELS * columns)
        NAME(outer)
    (v + c / WIDTH * WIDTH * j->block + c % WIDTH, m, j->block * WIDTH, j->count, j->first > 0, u);
}

#undef OVER_0
#undef OVER_A
#undef OVER_B
