/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_kernels.c - what oneDNN has no primitive for: the loss, dropout, running averages,
 * and the updates, which go over weights, gradients and states once, in place.  Work is cut into as
 * many parts as there are threads, the same way every time, so sums come out the same. */
#include <math.h>
#include <string.h>

#include "device/onednn_train.h"
#include "nn/random.h"

enum { MAX_PARTS = 64 };

/* Small arrays are not worth a second thread. */
static const size_t WORTH_SHARING = 16384;

static uint32_t parts_of(const beam_onednn_call *call)
{
    uint32_t most = call->threads < MAX_PARTS ? call->threads : MAX_PARTS;
    return call->count < WORTH_SHARING ? 1 : most;
}

typedef struct shared_call {
    const beam_onednn_call *call;
    uint32_t parts;
    double sums[MAX_PARTS];
} shared_call;

/* Part `part` of [0, count), beginning at multiples of 16. */
static void range(const shared_call *s, uint32_t part, size_t *from, size_t *to)
{
    size_t piece = (s->call->count / s->parts + 15) / 16 * 16;
    *from = piece * part < s->call->count ? piece * part : s->call->count;
    *to = part + 1 == s->parts || *from + piece > s->call->count ? s->call->count : *from + piece;
}

/* ---- loss ---- */

static double row_loss(const float *x, int64_t classes, int32_t label, double smoothing,
                       double share, float *dx, bool *correct)
{
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        best = x[k] > x[best] ? k : best;
    double sum = 0, loss = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += exp((double)x[k] - (double)x[best]);
    double log_sum = log(sum);
    for (int64_t k = 0; k < classes; k++) {
        double target = smoothing / (double)classes + (k == label ? 1 - smoothing : 0);
        double log_p = (double)x[k] - (double)x[best] - log_sum;
        loss -= target * log_p;
        dx[k] = (float)((exp(log_p) - target) * share);
    }
    *correct = best == label;
    return loss * share;
}

void beam_onednn_loss(const beam_onednn_call *call)
{
    const float *logits = call->data[0];
    const int32_t *labels = call->data[1];
    float *loss = call->data[2], *correct = call->data[3], *dlogits = call->data[4];
    int64_t rows = (int64_t)call->count, classes = (int64_t)call->width, right = 0;
    double sum = 0;
    for (int64_t n = 0; n < rows; n++) {
        bool hit = false;
        sum += row_loss(logits + n * classes, classes, labels[n], (double)call->op->smoothing,
                        1.0 / (double)rows, dlogits + n * classes, &hit);
        right += hit;
    }
    *loss = (float)sum;
    *correct = (float)right;
}

/* ---- dropout ---- */

static void dropout_part(void *context, uint32_t part)
{
    const shared_call *s = context;
    const beam_onednn_call *call = s->call;
    const beam_nn_op *op = call->op;
    const float *x = call->data[0];
    float *y = call->data[2];
    uint64_t stream = ((uint64_t) * (const int32_t *)call->data[1] << 16) + op->stream;
    double limit = (double)op->rate * 4294967296.0;
    size_t from, to;
    range(s, part, &from, &to);
    for (size_t i = from; i < to; i += 4) {
        beam_random4 drawn = beam_random_at(op->seed, stream, i / 4);
        for (size_t k = i; k < to && k < i + 4; k++)
            y[k] = (double)drawn.at[k % 4] < limit ? 0 : x[k] / (1 - op->rate);
    }
}

void beam_onednn_dropout(const beam_onednn_call *call)
{
    shared_call s = {.call = call, .parts = parts_of(call)};
    beam_onednn_parallel(s.parts, dropout_part, &s);
}

/* ---- batch norm's averages ---- */

void beam_onednn_averages(const beam_onednn_call *call)
{
    const float *mean = call->data[0], *variance = call->data[1];
    float *running_mean = call->data[2], *running_variance = call->data[3];
    float momentum = call->op->momentum;
    double n = (double)call->width; /* how many numbers each mean is of */
    float unbiased = (float)(n > 1 ? n / (n - 1) : 1);
    for (size_t c = 0; c < call->count; c++) {
        running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c];
        running_variance[c] =
            (1 - momentum) * running_variance[c] + momentum * unbiased * variance[c];
    }
}

/* ---- the norm of the gradients ---- */

static void squares_part(void *context, uint32_t part)
{
    shared_call *s = context;
    const float *x = s->call->data[0];
    size_t from, to;
    double sum = 0;
    range(s, part, &from, &to);
    /* Sixteen sums at a time in f32 over a stretch, then in double. */
    for (size_t at = from; at < to; at += 4096) {
        float lanes[16] = {0};
        size_t end = at + 4096 < to ? at + 4096 : to, i = at;
        for (; i + 16 <= end; i += 16)
            for (size_t k = 0; k < 16; k++)
                lanes[k] += x[i + k] * x[i + k];
        for (; i < end; i++)
            lanes[0] += x[i] * x[i];
        for (size_t k = 0; k < 16; k++)
            sum += (double)lanes[k];
    }
    s->sums[part] = sum;
}

void beam_onednn_squared_sum(const beam_onednn_call *call)
{
    shared_call s = {.call = call, .parts = parts_of(call)};
    beam_onednn_parallel(s.parts, squares_part, &s);
    double sum = call->data[1] ? (double)*(const float *)call->data[1] : 0;
    for (uint32_t i = 0; i < s.parts; i++)
        sum += s.sums[i];
    *(float *)call->data[2] = (float)sum;
}

void beam_onednn_clip_factor(const beam_onednn_call *call)
{
    float norm = sqrtf(*(const float *)call->data[0]);
    float factor = call->op->max_norm / (norm + 1e-6f);
    *(float *)call->data[1] = factor < 1 ? factor : 1;
    *(float *)call->data[2] = norm;
}

/* ---- updates ---- */

static float factor_of(const beam_onednn_call *call)
{
    return call->data[3] ? *(const float *)call->data[3] : 1;
}

static void sgd_part(void *context, uint32_t part)
{
    const shared_call *s = context;
    const beam_nn_update *u = &s->call->op->update;
    float *restrict p = s->call->data[0], *restrict v = s->call->data[4];
    const float *restrict g = s->call->data[1];
    float factor = factor_of(s->call), decay = u->weight_decay, momentum = u->momentum;
    float lr = *(const float *)s->call->data[2] * u->lr_factor;
    size_t from, to;
    range(s, part, &from, &to);
    if (!v) {
        for (size_t i = from; i < to; i++)
            p[i] -= lr * (factor * g[i] + decay * p[i]);
        return;
    }
    /* Plain momentum moves by v, Nesterov's by d + momentum * v. */
    float of_d = u->nesterov ? 1 : 0, of_v = u->nesterov ? momentum : 1;
    for (size_t i = from; i < to; i++) {
        float d = factor * g[i] + decay * p[i];
        v[i] = momentum * v[i] + d;
        p[i] -= lr * (of_d * d + of_v * v[i]);
    }
}

void beam_onednn_sgd(const beam_onednn_call *call)
{
    shared_call s = {.call = call, .parts = parts_of(call)};
    beam_onednn_parallel(s.parts, sgd_part, &s);
}

static void adam_part(void *context, uint32_t part)
{
    const shared_call *s = context;
    const beam_nn_update *u = &s->call->op->update;
    float *restrict p = s->call->data[0], *restrict m = s->call->data[4];
    float *restrict v = s->call->data[5];
    const float *restrict g = s->call->data[1];
    double step = (double)*(const int32_t *)s->call->data[6];
    float b1 = u->beta1, b2 = u->beta2, epsilon = u->epsilon, factor = factor_of(s->call);
    float lr = *(const float *)s->call->data[2] * u->lr_factor;
    float coupled = u->decoupled ? 0 : u->weight_decay;
    float keep = u->decoupled ? 1 - lr * u->weight_decay : 1;
    float rate = (float)((double)lr / (1 - pow((double)b1, step)));
    float unbias = (float)(1 / sqrt(1 - pow((double)b2, step)));
    size_t from, to;
    range(s, part, &from, &to);
    for (size_t i = from; i < to; i++) {
        float d = factor * g[i] + coupled * p[i];
        m[i] = b1 * m[i] + (1 - b1) * d;
        v[i] = b2 * v[i] + (1 - b2) * d * d;
        p[i] = keep * p[i] - rate * m[i] / (sqrtf(v[i]) * unbias + epsilon);
    }
}

void beam_onednn_adam(const beam_onednn_call *call)
{
    shared_call s = {.call = call, .parts = parts_of(call)};
    beam_onednn_parallel(s.parts, adam_part, &s);
}
