/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_winograd_pack.c - weights as onednn_winograd.c multiplies with them: their values at the
 * points, worked out in double. */
#include <string.h>

#include "device/onednn_kernels.h"

/* What a row of three weights comes to: its values at the points, over what Lagrange's polynomials
 * are divided by. */
static void row_at(size_t outputs, const double *g, size_t step, double *to, size_t to_step)
{
    const double a = (double)BEAM_WINOGRAD_A, b = (double)BEAM_WINOGRAD_B, a2 = a * a, b2 = b * b;
    const double g0 = g[0], g1 = g[step], g2 = g[2 * step];
    if (outputs == 2) {
        to[0] = g0 - g1;
        to[to_step] = g1;
        to[2 * to_step] = g2 - g1;
        return;
    }
    const double over_a = 2 * a2 * (a2 - b2), over_b = 2 * b2 * (b2 - a2);
    to[0] = g0 / (a2 * b2);
    to[to_step] = (g0 + a * g1 + a2 * g2) / over_a;
    to[2 * to_step] = (g0 - a * g1 + a2 * g2) / over_a;
    to[3 * to_step] = (g0 + b * g1 + b2 * g2) / over_b;
    to[4 * to_step] = (g0 - b * g1 + b2 * g2) / over_b;
    to[5 * to_step] = g2;
}

/* The weights between two channels, 3x3. */
static void square_at(const beam_onednn_winograd *w, const float *weights, float *to, size_t step)
{
    const size_t side = beam_onednn_winograd_side(w->outputs);
    double g[9], half[18] = {0}, all[36];
    for (size_t i = 0; i < 9; i++)
        g[i] = (double)weights[i];
    for (size_t i = 0; i < 3; i++)
        row_at(w->outputs, g + i, 3, half + i, 3);
    for (size_t i = 0; i < side; i++)
        row_at(w->outputs, half + 3 * i, 1, all + side * i, 1);
    for (size_t i = 0; i < side * side; i++)
        to[i * step] = (float)all[i];
}

/* Where output k has its weight for input c in a matrix: panels of two vectors' width. */
static float *spot(const beam_onednn_winograd *w, float *u, size_t k, size_t c)
{
    const size_t columns = 2 * w->lanes;
    return u + (k / columns * w->in + c) * columns + k % columns;
}

size_t beam_onednn_winograd_weights(const beam_onednn_winograd *w)
{
    const size_t side = beam_onednn_winograd_side(w->outputs);
    return side * side * beam_onednn_winograd_panels(w) * 2 * w->lanes * w->in;
}

void beam_onednn_winograd_pack(const beam_onednn_winograd *w, const beam_onednn_taps *taps,
                               const float *weights, float *u)
{
    const size_t size = beam_onednn_winograd_weights(w), window = (size_t)taps->kernel[1];
    const size_t all = (size_t)taps->kernel[0] * window, width = (size_t)taps->count[1];
    const size_t side = beam_onednn_winograd_side(w->outputs);
    const size_t points = side > 1 ? 1 : (size_t)taps->count[0] * width;
    const size_t first = (size_t)taps->first[0] * window + (size_t)taps->first[1];
    memset(u, 0, size * sizeof *u);
    for (size_t k = 0; k < w->out; k++)
        for (size_t c = 0; c < w->in / points; c++, weights += all) {
            if (side > 1) {
                square_at(w, weights, spot(w, u, k, c), size / (side * side));
                continue;
            }
            for (size_t p = 0; p < points; p++)
                *spot(w, u, k, p * (w->in / points) + c) =
                    weights[first + p / width * window + p % width];
        }
}
