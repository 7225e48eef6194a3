/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference_muon.c - Muon's update as its definition reads (BEAM_OP_MUON), in double. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "device/reference.h"

typedef struct matrices {
    int64_t rows, columns; /* of x; rows is the smaller */
    double *x, *next;
    double *gram, *polynomial; /* rows x rows */
} matrices;

/* sum[i][j] = a's row i times b's row j, or b's column j. */
static void multiply(const double *a, const double *b, bool by_rows, int64_t rows, int64_t inner,
                     int64_t columns, double *sums)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += a[i * inner + k] * (by_rows ? b[j * inner + k] : b[k * columns + j]);
            sums[i * columns + j] = sum;
        }
}

static void orthogonalise(matrices *m)
{
    int64_t n = m->rows;
    double norm = 0;
    for (int64_t i = 0; i < n * m->columns; i++)
        norm += m->x[i] * m->x[i];
    norm = fmax(sqrt(norm), BEAM_NN_MUON_LEAST);
    for (int64_t i = 0; i < n * m->columns; i++)
        m->x[i] /= norm;
    for (int step = 0; step < BEAM_NN_MUON_STEPS; step++) {
        multiply(m->x, m->x, true, n, m->columns, n, m->gram);
        multiply(m->gram, m->gram, false, n, n, n, m->polynomial);
        for (int64_t i = 0; i < n * n; i++)
            m->polynomial[i] = BEAM_NN_MUON_C * m->polynomial[i] + BEAM_NN_MUON_B * m->gram[i] +
                               (i % (n + 1) == 0 ? BEAM_NN_MUON_A : 0);
        multiply(m->polynomial, m->x, false, n, n, m->columns, m->next);
        double *swap = m->x;
        m->x = m->next;
        m->next = swap;
    }
}

static void free_matrices(matrices *m)
{
    beam_free(m->x);
    beam_free(m->next);
    beam_free(m->gram);
    beam_free(m->polynomial);
}

static bool make_matrices(matrices *m, int64_t rows, int64_t columns)
{
    *m = (matrices){.rows = rows < columns ? rows : columns,
                    .columns = rows < columns ? columns : rows};
    size_t count = (size_t)(rows * columns), square = (size_t)(m->rows * m->rows);
    m->x = beam_calloc(count, sizeof *m->x);
    m->next = beam_calloc(count, sizeof *m->next);
    m->gram = beam_calloc(square, sizeof *m->gram);
    m->polynomial = beam_calloc(square, sizeof *m->polynomial);
    return m->x && m->next && m->gram && m->polynomial;
}

beam_status beam_reference_muon(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    const beam_nn_update *u = &op->update;
    const float *p = data[op->inputs[0]], *g = data[op->inputs[1]], *v = data[op->inputs[4]];
    double lr = (double)*data[op->inputs[2]] * (double)u->lr_factor;
    double factor = op->inputs[3] ? (double)*data[op->inputs[3]] : 1;
    double momentum = (double)u->momentum;
    int64_t rows = shapes[op->inputs[0]].shape[0];
    int64_t columns = beam_count_of(&shapes[op->inputs[0]]) / rows;
    matrices m;
    if (!make_matrices(&m, rows, columns)) {
        free_matrices(&m);
        return BEAM_RESOURCE_EXHAUSTED;
    }
    bool tall = rows > columns; /* its transpose is worked on */
    for (int64_t i = 0; i < rows * columns; i++) {
        double d = factor * (double)g[i];
        double kept = (double)v[i] + (1 - momentum) * (d - (double)v[i]);
        data[op->outputs[1]][i] = (float)kept;
        m.x[tall ? i % columns * rows + i / columns : i] = d + momentum * (kept - d);
    }
    orthogonalise(&m);
    double scale = BEAM_NN_MUON_SCALE * sqrt((double)m.columns);
    for (int64_t i = 0; i < rows * columns; i++) {
        double x = m.x[tall ? i % columns * rows + i / columns : i];
        double by = (double)u->weight_decay * (double)p[i] + scale * x;
        data[op->outputs[0]][i] = (float)((double)p[i] - lr * by);
    }
    free_matrices(&m);
    return BEAM_OK;
}
