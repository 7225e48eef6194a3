/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference_gradients.c - the operations of a training step as their definitions read; sums in
 * double, as in reference_ops.c.  A result that nobody wants has no array. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "device/reference.h"
#include "nn/random.h"

/* ---- convolution ---- */

/* One product of a convolution: y[to] += x[from] * weight[tap], and what follows from it. */
typedef struct conv_term {
    int64_t from, to, tap;
} conv_term;

typedef struct conv_sums {
    double *dx, *dweight;         /* NULL: not wanted */
    const float *x, *weight, *dy; /* weight for dx, x for dweight */
} conv_sums;

static void add_term(const conv_sums *s, const conv_term *t)
{
    if (s->dx)
        s->dx[t->from] += (double)s->dy[t->to] * (double)s->weight[t->tap];
    if (s->dweight)
        s->dweight[t->tap] += (double)s->dy[t->to] * (double)s->x[t->from];
}

/* The products that make one number of y: at {image, channel, row, column}. */
static void conv_terms(const beam_nn_op *op, beam_image_shape in, beam_image_shape out,
                       const int64_t *at, const conv_sums *sums)
{
    const beam_nn_window *w = &op->window;
    int64_t per_group = in.c / op->groups, first = at[1] / (out.c / op->groups) * per_group;
    int64_t to = ((at[0] * out.c + at[1]) * out.h + at[2]) * out.w + at[3];
    for (int64_t c = 0; c < per_group; c++)
        for (int64_t i = 0; i < w->kernel; i++) {
            int64_t y = at[2] * w->stride - w->padding + i * w->dilation;
            for (int64_t j = 0; j < w->kernel && y >= 0 && y < in.h; j++) {
                int64_t z = at[3] * w->stride - w->padding + j * w->dilation;
                if (z < 0 || z >= in.w)
                    continue;
                add_term(sums,
                         &(conv_term){((at[0] * in.c + first + c) * in.h + y) * in.w + z, to,
                                      ((at[1] * per_group + c) * w->kernel + i) * w->kernel + j});
            }
        }
}

static void conv_all(const beam_nn_op *op, beam_image_shape in, beam_image_shape out,
                     const conv_sums *sums)
{
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t o = 0; o < out.c; o++)
            for (int64_t i = 0; i < out.h; i++)
                for (int64_t j = 0; j < out.w; j++)
                    conv_terms(op, in, out, (const int64_t[]){n, o, i, j}, sums);
}

static void store(const double *sums, float *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)sums[i];
}

static beam_status conv_grad_data(const beam_nn_op *op, float *const *data,
                                  const beam_tensor *shapes)
{
    const beam_tensor *dx = &shapes[op->outputs[0]], *dy = &shapes[op->inputs[0]];
    int64_t count = beam_count_of(dx);
    double *sums = beam_calloc((size_t)count, sizeof *sums);
    if (!sums)
        return BEAM_RESOURCE_EXHAUSTED;
    conv_all(op, beam_image_shape_of(dx), beam_image_shape_of(dy),
             &(conv_sums){.dx = sums, .weight = data[op->inputs[1]], .dy = data[op->inputs[0]]});
    store(sums, data[op->outputs[0]], count);
    beam_free(sums);
    return BEAM_OK;
}

/* Sums over everything but the channel. */
static void channel_sums(const float *values, beam_image_shape s, float *sums)
{
    for (int64_t c = 0; c < s.c; c++) {
        double sum = 0;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++)
                sum += (double)values[(n * s.c + c) * s.h * s.w + i];
        sums[c] = (float)sum;
    }
}

static beam_status conv_grad_weights(const beam_nn_op *op, float *const *data,
                                     const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->inputs[0]]);
    beam_image_shape out = beam_image_shape_of(&shapes[op->inputs[1]]);
    if (op->num_outputs > 1 && op->outputs[1])
        channel_sums(data[op->inputs[1]], out, data[op->outputs[1]]);
    if (!op->outputs[0])
        return BEAM_OK;
    int64_t count = beam_count_of(&shapes[op->outputs[0]]);
    double *sums = beam_calloc((size_t)count, sizeof *sums);
    if (!sums)
        return BEAM_RESOURCE_EXHAUSTED;
    conv_all(op, in, out,
             &(conv_sums){.dweight = sums, .x = data[op->inputs[0]], .dy = data[op->inputs[1]]});
    store(sums, data[op->outputs[0]], count);
    beam_free(sums);
    return BEAM_OK;
}

/* ---- linear layer ---- */

static void linear_grad_data(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    int64_t in = shapes[op->outputs[0]].shape[1], out = shapes[op->inputs[0]].shape[1];
    const float *dy = data[op->inputs[0]], *weight = data[op->inputs[1]];
    float *dx = data[op->outputs[0]];
    for (int64_t n = 0; n < shapes[op->inputs[0]].shape[0]; n++)
        for (int64_t i = 0; i < in; i++) {
            double sum = 0;
            for (int64_t o = 0; o < out; o++)
                sum += (double)dy[n * out + o] * (double)weight[o * in + i];
            dx[n * in + i] = (float)sum;
        }
}

static void linear_grad_weights(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->inputs[0]]);
    beam_image_shape out = beam_image_shape_of(&shapes[op->inputs[1]]);
    const float *x = data[op->inputs[0]], *dy = data[op->inputs[1]];
    for (int64_t o = 0; op->outputs[0] && o < out.c; o++)
        for (int64_t i = 0; i < in.c; i++) {
            double sum = 0;
            for (int64_t n = 0; n < in.n; n++)
                sum += (double)dy[n * out.c + o] * (double)x[n * in.c + i];
            data[op->outputs[0]][o * in.c + i] = (float)sum;
        }
    if (op->num_outputs > 1 && op->outputs[1])
        channel_sums(dy, out, data[op->outputs[1]]);
}

/* ---- batch norm ---- */

/* Mean and biased variance of channel c. */
static void moments(const float *x, beam_image_shape s, int64_t c, double *mean, double *variance)
{
    double sum = 0, squares = 0, count = (double)(s.n * s.h * s.w);
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++)
            sum += (double)x[(n * s.c + c) * s.h * s.w + i];
    *mean = sum / count;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t i = 0; i < s.h * s.w; i++) {
            double off = (double)x[(n * s.c + c) * s.h * s.w + i] - *mean;
            squares += off * off;
        }
    *variance = squares / count;
}

static void batch_norm_training(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape s = beam_image_shape_of(&shapes[op->inputs[0]]);
    const float *x = data[op->inputs[0]], *weight = data[op->inputs[1]];
    const float *bias = data[op->inputs[2]];
    double count = (double)(s.n * s.h * s.w), momentum = (double)op->momentum;
    for (int64_t c = 0; c < s.c; c++) {
        double mean, variance;
        moments(x, s, c, &mean, &variance);
        double factor = (double)weight[c] / sqrt(variance + (double)op->epsilon);
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = (n * s.c + c) * s.h * s.w + i;
                data[op->outputs[0]][at] =
                    (float)(((double)x[at] - mean) * factor + (double)bias[c]);
            }
        data[op->outputs[1]][c] = (float)mean;
        data[op->outputs[2]][c] = (float)variance;
        double unbiased = count > 1 ? variance * count / (count - 1) : variance;
        data[op->outputs[3]][c] =
            (float)((1 - momentum) * (double)data[op->inputs[3]][c] + momentum * mean);
        data[op->outputs[4]][c] =
            (float)((1 - momentum) * (double)data[op->inputs[4]][c] + momentum * unbiased);
    }
}

/* With n = (x - mean) / deviation: dweight = sum dy n, dbias = sum dy, and
 * dx = weight / deviation * (dy - dbias / count - n * dweight / count). */
static void batch_norm_grad(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape s = beam_image_shape_of(&shapes[op->inputs[0]]);
    const float *x = data[op->inputs[0]], *dy = data[op->inputs[1]];
    double count = (double)(s.n * s.h * s.w);
    for (int64_t c = 0; c < s.c; c++) {
        double mean = (double)data[op->inputs[3]][c];
        double over = 1 / sqrt((double)data[op->inputs[4]][c] + (double)op->epsilon);
        double dweight = 0, dbias = 0;
        for (int64_t n = 0; n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = (n * s.c + c) * s.h * s.w + i;
                dweight += (double)dy[at] * ((double)x[at] - mean) * over;
                dbias += (double)dy[at];
            }
        if (op->outputs[1])
            data[op->outputs[1]][c] = (float)dweight;
        if (op->outputs[2])
            data[op->outputs[2]][c] = (float)dbias;
        for (int64_t n = 0; op->outputs[0] && n < s.n; n++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = (n * s.c + c) * s.h * s.w + i;
                double normed = ((double)x[at] - mean) * over;
                data[op->outputs[0]][at] =
                    (float)((double)data[op->inputs[2]][c] * over *
                            ((double)dy[at] - dbias / count - normed * dweight / count));
            }
    }
}

/* ---- pooling ---- */

/* Where the first of the largest numbers of a window lies in its plane. */
static int64_t largest(const float *plane, beam_image_shape in, const beam_nn_window *w,
                       int64_t row, int64_t column)
{
    int64_t found = -1;
    for (int64_t i = 0; i < w->kernel; i++)
        for (int64_t j = 0; j < w->kernel; j++) {
            int64_t y = row * w->stride - w->padding + i, z = column * w->stride - w->padding + j;
            if (y < 0 || y >= in.h || z < 0 || z >= in.w)
                continue;
            if (found < 0 || plane[y * in.w + z] > plane[found])
                found = y * in.w + z;
        }
    return found;
}

/* A mean sends an equal share to each place, padding included. */
static void spread(float *plane, beam_image_shape in, const beam_nn_window *w, const int64_t *at,
                   float dy)
{
    for (int64_t i = 0; i < w->kernel; i++)
        for (int64_t j = 0; j < w->kernel; j++) {
            int64_t y = at[0] * w->stride - w->padding + i;
            int64_t z = at[1] * w->stride - w->padding + j;
            if (y >= 0 && y < in.h && z >= 0 && z < in.w)
                plane[y * in.w + z] += dy / (float)(w->kernel * w->kernel);
        }
}

static void pool_grad(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    bool max = op->kind == BEAM_OP_MAX_POOL2D_GRAD;
    uint32_t dy_value = op->inputs[max ? 1 : 0];
    beam_image_shape in = beam_image_shape_of(&shapes[op->outputs[0]]);
    beam_image_shape out = beam_image_shape_of(&shapes[dy_value]);
    const float *dy = data[dy_value];
    float *dx = data[op->outputs[0]];
    memset(dx, 0, beam_tensor_bytes(&shapes[op->outputs[0]]));
    for (int64_t p = 0; p < in.n * in.c; p++, dx += in.h * in.w)
        for (int64_t i = 0; i < out.h; i++)
            for (int64_t j = 0; j < out.w; j++, dy++) {
                if (max)
                    dx[largest(data[op->inputs[0]] + p * in.h * in.w, in, &op->window, i, j)] +=
                        *dy;
                else
                    spread(dx, in, &op->window, (const int64_t[]){i, j}, *dy);
            }
}

static void global_avg_pool_grad(const beam_nn_op *op, float *const *data,
                                 const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->outputs[0]]);
    int64_t area = in.h * in.w;
    for (int64_t i = 0; i < in.n * in.c * area; i++)
        data[op->outputs[0]][i] = data[op->inputs[0]][i / area] / (float)area;
}

/* ---- loss ---- */

static void softmax_cross_entropy(const beam_nn_op *op, float *const *data,
                                  const beam_tensor *shapes)
{
    int64_t batch = shapes[op->inputs[0]].shape[0], classes = shapes[op->inputs[0]].shape[1];
    const int32_t *labels = (const int32_t *)(const void *)data[op->inputs[1]];
    double smoothing = (double)op->smoothing, loss = 0;
    int64_t correct = 0;
    for (int64_t n = 0; n < batch; n++) {
        const float *x = data[op->inputs[0]] + n * classes;
        int64_t best = 0;
        for (int64_t k = 1; k < classes; k++)
            best = x[k] > x[best] ? k : best;
        double sum = 0;
        for (int64_t k = 0; k < classes; k++)
            sum += exp((double)x[k] - (double)x[best]);
        for (int64_t k = 0; k < classes; k++) {
            double target = smoothing / (double)classes + (k == labels[n] ? 1 - smoothing : 0);
            double log_p = (double)x[k] - (double)x[best] - log(sum);
            loss -= target * log_p / (double)batch;
            data[op->outputs[2]][n * classes + k] = (float)((exp(log_p) - target) / (double)batch);
        }
        correct += best == labels[n];
    }
    *data[op->outputs[0]] = (float)loss;
    *data[op->outputs[1]] = (float)correct;
}

/* ---- dropout, norms and updates ---- */

static void dropout(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    int64_t count = beam_count_of(&shapes[op->outputs[0]]);
    int32_t step = *(const int32_t *)(const void *)data[op->inputs[1]];
    double limit = (double)op->rate * 4294967296.0;
    for (int64_t i = 0; i < count; i++) {
        beam_random4 drawn =
            beam_random_at(op->seed, ((uint64_t)step << 16) + op->stream, (uint64_t)i / 4);
        bool dropped = (double)drawn.at[i % 4] < limit;
        data[op->outputs[0]][i] = dropped ? 0 : data[op->inputs[0]][i] / (1 - op->rate);
    }
}

static void squared_sum(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    const float *x = data[op->inputs[0]];
    double sum = op->num_inputs > 1 ? (double)*data[op->inputs[1]] : 0;
    for (int64_t i = 0; i < beam_count_of(&shapes[op->inputs[0]]); i++)
        sum += (double)x[i] * (double)x[i];
    *data[op->outputs[0]] = (float)sum;
}

static void clip_factor(const beam_nn_op *op, float *const *data)
{
    float norm = sqrtf(*data[op->inputs[0]]), factor = op->max_norm / (norm + 1e-6f);
    *data[op->outputs[0]] = factor < 1 ? factor : 1;
    *data[op->outputs[1]] = norm;
}

/* Operand `index`, or `otherwise` where it is absent. */
static float scalar_or(const beam_nn_op *op, float *const *data, uint32_t index, float otherwise)
{
    return op->inputs[index] ? *data[op->inputs[index]] : otherwise;
}

static void sgd(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    const beam_nn_update *u = &op->update;
    const float *p = data[op->inputs[0]], *g = data[op->inputs[1]];
    float lr = *data[op->inputs[2]] * u->lr_factor, factor = scalar_or(op, data, 3, 1);
    for (int64_t i = 0; i < beam_count_of(&shapes[op->inputs[0]]); i++) {
        float d = factor * g[i] + u->weight_decay * p[i];
        if (op->num_inputs > 4) {
            float v = u->momentum * data[op->inputs[4]][i] + d;
            data[op->outputs[1]][i] = v;
            d = u->nesterov ? d + u->momentum * v : v;
        }
        data[op->outputs[0]][i] = p[i] - lr * d;
    }
}

static void adam(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    const beam_nn_update *u = &op->update;
    const float *p = data[op->inputs[0]], *g = data[op->inputs[1]];
    const float *m = data[op->inputs[4]], *v = data[op->inputs[5]];
    double step = (double)*(const int32_t *)(const void *)data[op->inputs[6]];
    double b1 = (double)u->beta1, b2 = (double)u->beta2;
    double lr = (double)*data[op->inputs[2]] * (double)u->lr_factor;
    double decay = (double)u->weight_decay, factor = (double)scalar_or(op, data, 3, 1);
    for (int64_t i = 0; i < beam_count_of(&shapes[op->inputs[0]]); i++) {
        double x = (double)p[i], d = factor * (double)g[i];
        if (u->decoupled)
            x -= lr * decay * x;
        else
            d += decay * x;
        double m1 = b1 * (double)m[i] + (1 - b1) * d, v1 = b2 * (double)v[i] + (1 - b2) * d * d;
        double deviation = sqrt(v1 / (1 - pow(b2, step))) + (double)u->epsilon;
        data[op->outputs[0]][i] = (float)(x - lr * m1 / (1 - pow(b1, step)) / deviation);
        data[op->outputs[1]][i] = (float)m1;
        data[op->outputs[2]][i] = (float)v1;
    }
}

static void gelu_grad(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    for (int64_t i = 0; i < beam_count_of(&shapes[op->outputs[0]]); i++) {
        double x = (double)data[op->inputs[0]][i], dy = (double)data[op->inputs[1]][i];
        double s = beam_gelu_share(x);
        double inner = BEAM_NN_GELU_LINEAR + 3 * BEAM_NN_GELU_CUBIC * x * x;
        data[op->outputs[0]][i] = (float)(dy * (s + x * s * (1 - s) * inner));
    }
}

beam_status beam_reference_training_op(const beam_nn_op *op, float *const *data,
                                       const beam_tensor *shapes)
{
    switch (op->kind) {
    case BEAM_OP_CONV2D_GRAD_DATA:
        return conv_grad_data(op, data, shapes);
    case BEAM_OP_CONV2D_GRAD_WEIGHTS:
        return conv_grad_weights(op, data, shapes);
    case BEAM_OP_LINEAR_GRAD_DATA:
        linear_grad_data(op, data, shapes);
        break;
    case BEAM_OP_LINEAR_GRAD_WEIGHTS:
        linear_grad_weights(op, data, shapes);
        break;
    case BEAM_OP_BATCH_NORM_TRAINING:
        batch_norm_training(op, data, shapes);
        break;
    case BEAM_OP_BATCH_NORM_GRAD:
        batch_norm_grad(op, data, shapes);
        break;
    case BEAM_OP_RELU_GRAD:
        for (int64_t i = 0; i < beam_count_of(&shapes[op->outputs[0]]); i++)
            data[op->outputs[0]][i] = data[op->inputs[0]][i] > 0 ? data[op->inputs[1]][i] : 0;
        break;
    case BEAM_OP_GELU_GRAD:
        gelu_grad(op, data, shapes);
        break;
    case BEAM_OP_MAX_POOL2D_GRAD:
    case BEAM_OP_AVG_POOL2D_GRAD:
        pool_grad(op, data, shapes);
        break;
    case BEAM_OP_GLOBAL_AVG_POOL_GRAD:
        global_avg_pool_grad(op, data, shapes);
        break;
    case BEAM_OP_SOFTMAX_CROSS_ENTROPY:
        softmax_cross_entropy(op, data, shapes);
        break;
    case BEAM_OP_DROPOUT_TRAINING:
        dropout(op, data, shapes);
        break;
    case BEAM_OP_SQUARED_SUM:
        squared_sum(op, data, shapes);
        break;
    case BEAM_OP_CLIP_FACTOR:
        clip_factor(op, data);
        break;
    case BEAM_OP_SGD:
        sgd(op, data, shapes);
        break;
    case BEAM_OP_ADAM:
        adam(op, data, shapes);
        break;
    case BEAM_OP_MUON:
        return beam_reference_muon(op, data, shapes);
    default:
        beam_reference_op(op, data, shapes);
    }
    return BEAM_OK;
}
