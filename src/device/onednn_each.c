/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_each.c - elementwise loops and the loss. */
#include <math.h>

#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"
#include "nn/random.h"

#pragma GCC diagnostic ignored "-Wpsabi"

typedef struct job {
    const beam_onednn_kernel *kernel;
    void *const *data;
} job;

typedef enum each { ADD, RELU, RELU_GRAD, GELU, GELU_GRAD, SCALE } each;

BEAM_INLINE void each_one(const job *j, each what, size_t at, size_t count, bool bf16)
{
    beam_lanes a, b;
    const bool two = what == ADD || what == RELU_GRAD || what == GELU_GRAD;
    beam_lanes_load(&a, j->data[BEAM_EACH_A], at, count, bf16);
    if (two)
        beam_lanes_load(&b, j->data[BEAM_EACH_B], at, count, bf16);
    if (what == ADD)
        a += b;
    else if (what == RELU_GRAD)
        beam_lanes_mask(&a, &b);
    else if (what == SCALE)
        a *= j->kernel->op->factor;
    else if (what == RELU)
        beam_lanes_relu(&a);
    else if (what == GELU)
        beam_lanes_gelu(&a);
    else if (what == GELU_GRAD)
        beam_lanes_gelu_grad(&a, &b);
    beam_lanes_store(&a, j->data[BEAM_EACH_RESULT], at, count, bf16);
}

BEAM_INLINE void each_all_body(const job *j, each what, size_t first, size_t last, bool bf16)
{
    size_t at = first;
    for (; at + BEAM_LANES <= last; at += BEAM_LANES)
        each_one(j, what, at, BEAM_LANES, bf16);
    if (at < last)
        each_one(j, what, at, last - at, bf16);
}

BEAM_INLINE void each_range_body(const job *j, each what, size_t first, size_t last)
{
    bool bf16 = j->kernel->bf16;
    if (what == ADD)
        each_all_body(j, ADD, first, last, bf16);
    else if (what == RELU)
        each_all_body(j, RELU, first, last, bf16);
    else if (what == RELU_GRAD)
        each_all_body(j, RELU_GRAD, first, last, bf16);
    else if (what == GELU)
        each_all_body(j, GELU, first, last, bf16);
    else if (what == GELU_GRAD)
        each_all_body(j, GELU_GRAD, first, last, bf16);
    else
        each_all_body(j, SCALE, first, last, bf16);
}
BEAM_LANES_FUNCTION(each_range, (const job *j, each what, size_t first, size_t last),
                    (j, what, first, last))

#define EACH(NAME, WHAT)                                                                  \
    static void WHAT##_part(void *context, unsigned part, unsigned parts)                 \
    {                                                                                     \
        const job *j = context;                                                           \
        size_t first, last;                                                               \
        beam_onednn_share(j->kernel->count, 2 * BEAM_LANES, part, parts, &first, &last);  \
        each_range(j, WHAT, first, last);                                                 \
    }                                                                                     \
    void NAME(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)      \
    {                                                                                     \
        job j = {kernel, data};                                                           \
        beam_onednn_parallel(beam_onednn_worth(kernel->count, threads), WHAT##_part, &j); \
    }

EACH(beam_onednn_add, ADD)
EACH(beam_onednn_relu, RELU)
EACH(beam_onednn_relu_grad, RELU_GRAD)
EACH(beam_onednn_gelu, GELU)
EACH(beam_onednn_gelu_grad, GELU_GRAD)
EACH(beam_onednn_scale, SCALE)

/* ---- dropout ---- */

BEAM_INLINE void drop(const job *j, size_t at, size_t count)
{
    const beam_nn_op *op = j->kernel->op;
    uint64_t step = (uint64_t)(uint32_t) * (const int32_t *)j->data[BEAM_EACH_STEP];
    double threshold = (double)op->rate * 0x1p32;
    beam_lanes x, keep = {0};
    for (size_t i = 0; i < BEAM_LANES; i += 4) { /* `at` is a multiple of 16 */
        beam_random4 random = beam_random_at(op->seed, (step << 16) + op->stream, (at + i) / 4);
        for (size_t k = 0; k < 4; k++)
            if ((double)random.at[k] >= threshold)
                keep[i + k] = 1.0f / (1.0f - op->rate);
    }
    beam_lanes_load(&x, j->data[BEAM_EACH_A], at, count, j->kernel->bf16);
    x *= keep;
    beam_lanes_store(&x, j->data[BEAM_EACH_RESULT], at, count, j->kernel->bf16);
}

static void dropout_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    size_t first, last;
    beam_onednn_share(j->kernel->count, BEAM_LANES, part, parts, &first, &last);
    for (size_t at = first; at < last; at += BEAM_LANES)
        drop(j, at, last - at < BEAM_LANES ? last - at : BEAM_LANES);
}

void beam_onednn_dropout(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    job j = {kernel, data};
    beam_onednn_parallel(beam_onednn_worth(kernel->count, threads), dropout_part, &j);
}

/* ---- loss ---- */

/* One row's loss; its gradient, if wanted, to `gradient`. */
static double row_loss(const float *logits, size_t classes, size_t label, double smoothing,
                       double scale, float *gradient, bool *correct)
{
    size_t best = 0;
    double sum = 0, total = 0;
    for (size_t c = 1; c < classes; c++)
        if (logits[c] > logits[best])
            best = c;
    double most = (double)logits[best];
    for (size_t c = 0; c < classes; c++) {
        sum += exp((double)logits[c] - most);
        total += (double)logits[c] - most;
    }
    *correct = best == label;
    double log_sum = log(sum);
    double share = smoothing / (double)classes;
    for (size_t c = 0; gradient && c < classes; c++) {
        double target = share + (c == label ? 1 - smoothing : 0);
        gradient[c] = (float)((exp((double)logits[c] - most - log_sum) - target) * scale);
    }
    return log_sum - (1 - smoothing) * ((double)logits[label] - most) - share * total;
}

void beam_onednn_loss(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    (void)threads; /* batch times classes is little beside any layer */
    const int32_t *labels = data[BEAM_LOSS_LABELS];
    const float *logits = data[BEAM_LOSS_LOGITS];
    float *gradient = data[BEAM_LOSS_GRADIENT];
    size_t rows = kernel->grid.batch, classes = kernel->grid.channels, correct = 0;
    double loss = 0;
    for (size_t r = 0; r < rows; r++) {
        bool right = false;
        loss += row_loss(logits + r * classes, classes, (size_t)labels[r],
                         (double)kernel->op->smoothing, 1.0 / (double)rows,
                         gradient ? gradient + r * classes : NULL, &right);
        correct += right;
    }
    if (data[BEAM_LOSS_LOSS])
        *(float *)data[BEAM_LOSS_LOSS] = (float)(loss / (double)rows);
    if (data[BEAM_LOSS_CORRECT])
        *(float *)data[BEAM_LOSS_CORRECT] = (float)correct;
}
