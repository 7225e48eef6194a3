/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* whiten.c - a first layer that is computed instead of learnt: filters that turn the small patches
 * of images into numbers that are uncorrelated and of equal size.  They are the eigenvectors of the
 * patches' covariance, each divided by the root of its eigenvalue, and the same negated, so that
 * what a relu cuts off one filter another keeps. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/network.h"
#include "nn/weights.h"

enum { MAX_PATCH = 64, MAX_SWEEPS = 50 };

/* Numbers that hardly vary are noise, and are not blown up. */
static const double FLOOR = 5e-4;

typedef struct covariance {
    size_t n; /* numbers in a patch */
    double sums[MAX_PATCH], products[MAX_PATCH][MAX_PATCH];
    double count;
} covariance;

typedef struct patch_shape {
    int64_t channels, height, width, kernel;
} patch_shape;

static void add_patch(covariance *c, const float *image, const patch_shape *s, int64_t row,
                      int64_t column)
{
    double x[MAX_PATCH];
    size_t n = 0;
    for (int64_t k = 0; k < s->channels; k++)
        for (int64_t i = 0; i < s->kernel; i++)
            for (int64_t j = 0; j < s->kernel; j++)
                x[n++] = (double)image[(k * s->height + row + i) * s->width + column + j];
    for (size_t i = 0; i < n; i++) {
        c->sums[i] += x[i];
        for (size_t j = i; j < n; j++)
            c->products[i][j] += x[i] * x[j];
    }
    c->count++;
}

static void finish_covariance(covariance *c)
{
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = i; j < c->n; j++) {
            double value =
                c->products[i][j] / c->count - c->sums[i] / c->count * (c->sums[j] / c->count);
            c->products[i][j] = c->products[j][i] = value;
        }
}

/* One rotation that makes a[p][q] zero; v collects them. */
static void rotate(double a[][MAX_PATCH], double v[][MAX_PATCH], size_t n, size_t p, size_t q)
{
    if (a[p][q] == 0)
        return;
    double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (size_t k = 0; k < n; k++) {
        double x = a[k][p], y = a[k][q];
        a[k][p] = c * x - s * y;
        a[k][q] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        double x = a[p][k], y = a[q][k];
        a[p][k] = c * x - s * y;
        a[q][k] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        double x = v[k][p], y = v[k][q];
        v[k][p] = c * x - s * y;
        v[k][q] = s * x + c * y;
    }
}

/* Jacobi's method: afterwards a's diagonal holds the eigenvalues, v's columns the eigenvectors. */
static void diagonalise(double a[][MAX_PATCH], double v[][MAX_PATCH], size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            v[i][j] = i == j;
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++)
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                rotate(a, v, n, p, q);
}

/* The filters, largest eigenvalue first; `filters` of them, then as many negated. */
static void make_filters(covariance *c, double v[][MAX_PATCH], float *weight, size_t filters)
{
    bool taken[MAX_PATCH] = {false};
    for (size_t f = 0; f < filters; f++) {
        size_t best = MAX_PATCH;
        for (size_t i = 0; i < c->n; i++)
            if (!taken[i] && (best == MAX_PATCH || c->products[i][i] > c->products[best][best]))
                best = i;
        taken[best] = true;
        double scale = 1 / sqrt(fmax(c->products[best][best], 0) + FLOOR);
        for (size_t k = 0; k < c->n; k++) {
            weight[f * c->n + k] = (float)(v[k][best] * scale);
            weight[(f + filters) * c->n + k] = (float)(-v[k][best] * scale);
        }
    }
}

static const beam_nn_op *find_layer(const beam_network *network)
{
    for (size_t i = 0; i < network->num_ops; i++)
        if (network->ops[i].kind == BEAM_OP_CONV2D &&
            strcmp(network->ops[i].name, BEAM_NN_WHITENING) == 0)
            return &network->ops[i];
    return NULL;
}

bool beam_network_whitens(const beam_network *network)
{
    return find_layer(network) != NULL;
}

beam_status beam_network_whiten(beam_network *network, const float *images, size_t count,
                                beam_error *err)
{
    const beam_nn_op *op = find_layer(network);
    if (!op)
        return beam_error_set(err, BEAM_NOT_FOUND, "network %s has no layer that whitens",
                              network->name);
    const beam_nn_value *x = &network->values[op->inputs[0]];
    const beam_nn_value *w = &network->values[op->inputs[1]];
    patch_shape s = {x->shape[1], x->shape[2], x->shape[3], op->window.kernel};
    size_t n = (size_t)(s.channels * s.kernel * s.kernel), outs = (size_t)w->shape[0];
    if (n > MAX_PATCH || outs % 2 != 0 || outs / 2 > n || count == 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "network %s cannot whiten patches of %zu numbers with %zu filters "
                              "from %zu images",
                              network->name, n, outs, count);
    covariance *c = beam_calloc(1, sizeof *c);
    double(*v)[MAX_PATCH] = beam_calloc(MAX_PATCH, sizeof *v);
    float *weight = beam_calloc(outs * n, sizeof *weight);
    if (!c || !v || !weight) {
        beam_free(c);
        beam_free(v);
        beam_free(weight);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to whiten");
    }
    c->n = n;
    for (size_t i = 0; i < count; i++)
        for (int64_t row = 0; row + s.kernel <= s.height; row++)
            for (int64_t column = 0; column + s.kernel <= s.width; column++)
                add_patch(c, images + i * (size_t)(s.channels * s.height * s.width), &s, row,
                          column);
    finish_covariance(c);
    diagonalise(c->products, v, n);
    make_filters(c, v, weight, outs / 2);
    beam_nn_own_parameter(&network->parameters[w->index], weight);
    beam_free(c);
    beam_free(v);
    return BEAM_OK;
}
