/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference_ops.c - the operations as their definitions read.  Sums are kept in double, so that
 * what differs elsewhere is the other's rounding. */
#include <math.h>
#include <string.h>

#include "device/reference.h"

beam_image_shape beam_image_shape_of(const beam_tensor *t)
{
    return (beam_image_shape){t->shape[0], t->shape[1], t->rank > 2 ? t->shape[2] : 1,
                              t->rank > 3 ? t->shape[3] : 1};
}

int64_t beam_count_of(const beam_tensor *t)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        count *= t->shape[i];
    return count;
}

/* One number of a convolution: output channel o of group g at (row, column) of image n. */
static float conv_at(const beam_nn_op *op, const float *x, beam_image_shape in, const float *weight,
                     const int64_t *at)
{
    const beam_nn_window *w = &op->window;
    int64_t n = at[0], o = at[1], row = at[2], column = at[3];
    int64_t per_group = in.c / op->groups, group = o / at[4];
    double sum = 0;
    for (int64_t c = 0; c < per_group; c++) {
        const float *plane = x + ((n * in.c + group * per_group + c) * in.h) * in.w;
        const float *taps = weight + (o * per_group + c) * w->kernel * w->kernel;
        for (int64_t i = 0; i < w->kernel; i++) {
            int64_t y = row * w->stride - w->padding + i * w->dilation;
            for (int64_t j = 0; j < w->kernel && y >= 0 && y < in.h; j++) {
                int64_t z = column * w->stride - w->padding + j * w->dilation;
                if (z >= 0 && z < in.w)
                    sum += (double)plane[y * in.w + z] * (double)taps[i * w->kernel + j];
            }
        }
    }
    return (float)sum;
}

static void conv2d(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->inputs[0]]),
                     out = beam_image_shape_of(&shapes[op->outputs[0]]);
    const float *bias = op->num_inputs > 2 ? data[op->inputs[2]] : NULL;
    float *y = data[op->outputs[0]];
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t o = 0; o < out.c; o++)
            for (int64_t i = 0; i < out.h; i++)
                for (int64_t j = 0; j < out.w; j++)
                    *y++ = conv_at(op, data[op->inputs[0]], in, data[op->inputs[1]],
                                   (const int64_t[]){n, o, i, j, out.c / op->groups}) +
                           (bias ? bias[o] : 0.0f);
}

static void batch_norm(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape s = beam_image_shape_of(&shapes[op->outputs[0]]);
    const float *x = data[op->inputs[0]];
    float *y = data[op->outputs[0]];
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++) {
            double scale = (double)data[op->inputs[1]][c] /
                           sqrt((double)data[op->inputs[4]][c] + (double)op->epsilon);
            double mean = (double)data[op->inputs[3]][c], shift = (double)data[op->inputs[2]][c];
            for (int64_t i = 0; i < s.h * s.w; i++)
                *y++ = (float)(((double)*x++ - mean) * scale + shift);
        }
}

static float pool_at(const beam_nn_op *op, const float *plane, beam_image_shape in, int64_t row,
                     int64_t column)
{
    const beam_nn_window *w = &op->window;
    bool max = op->kind == BEAM_OP_MAX_POOL2D;
    double result = max ? -INFINITY : 0;
    for (int64_t i = 0; i < w->kernel; i++)
        for (int64_t j = 0; j < w->kernel; j++) {
            int64_t y = row * w->stride - w->padding + i;
            int64_t z = column * w->stride - w->padding + j;
            if (y < 0 || y >= in.h || z < 0 || z >= in.w)
                continue;
            double value = (double)plane[y * in.w + z];
            if (!max)
                result += value / (double)(w->kernel * w->kernel);
            else if (value > result)
                result = value;
        }
    return (float)result;
}

static void pool(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->inputs[0]]),
                     out = beam_image_shape_of(&shapes[op->outputs[0]]);
    const float *x = data[op->inputs[0]];
    float *y = data[op->outputs[0]];
    for (int64_t plane = 0; plane < out.n * out.c; plane++)
        for (int64_t i = 0; i < out.h; i++)
            for (int64_t j = 0; j < out.w; j++)
                *y++ = pool_at(op, x + plane * in.h * in.w, in, i, j);
}

static void global_avg_pool(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->inputs[0]]);
    const float *x = data[op->inputs[0]];
    for (int64_t plane = 0; plane < in.n * in.c; plane++) {
        double sum = 0;
        for (int64_t i = 0; i < in.h * in.w; i++)
            sum += (double)*x++;
        data[op->outputs[0]][plane] = (float)(sum / (double)(in.h * in.w));
    }
}

static void linear(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    beam_image_shape in = beam_image_shape_of(&shapes[op->inputs[0]]),
                     out = beam_image_shape_of(&shapes[op->outputs[0]]);
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t o = 0; o < out.c; o++) {
            double sum = op->num_inputs > 2 ? (double)data[op->inputs[2]][o] : 0;
            for (int64_t i = 0; i < in.c; i++)
                sum += (double)data[op->inputs[0]][n * in.c + i] *
                       (double)data[op->inputs[1]][o * in.c + i];
            data[op->outputs[0]][n * out.c + o] = (float)sum;
        }
}

static void softmax(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    const beam_tensor *shape = &shapes[op->outputs[0]];
    int64_t size = shape->shape[shape->rank - 1], rows = beam_count_of(shape) / size;
    for (int64_t r = 0; r < rows; r++) {
        const float *x = data[op->inputs[0]] + r * size;
        float *y = data[op->outputs[0]] + r * size;
        double top = -INFINITY, sum = 0;
        for (int64_t i = 0; i < size; i++)
            top = (double)x[i] > top ? (double)x[i] : top;
        for (int64_t i = 0; i < size; i++)
            sum += exp((double)x[i] - top);
        for (int64_t i = 0; i < size; i++)
            y[i] = (float)(exp((double)x[i] - top) / sum);
    }
}

double beam_gelu_share(double x)
{
    return 1 / (1 + exp(-x * (BEAM_NN_GELU_LINEAR + BEAM_NN_GELU_CUBIC * x * x)));
}

void beam_reference_op(const beam_nn_op *op, float *const *data, const beam_tensor *shapes)
{
    int64_t count = beam_count_of(&shapes[op->outputs[0]]);
    const float *x = data[op->inputs[0]];
    float *y = data[op->outputs[0]];
    switch (op->kind) {
    case BEAM_OP_CONV2D:
        conv2d(op, data, shapes);
        break;
    case BEAM_OP_BATCH_NORM:
        batch_norm(op, data, shapes);
        break;
    case BEAM_OP_RELU:
        for (int64_t i = 0; i < count; i++)
            y[i] = x[i] > 0 ? x[i] : 0;
        break;
    case BEAM_OP_GELU:
        for (int64_t i = 0; i < count; i++)
            y[i] = (float)((double)x[i] * beam_gelu_share((double)x[i]));
        break;
    case BEAM_OP_ADD:
        for (int64_t i = 0; i < count; i++)
            y[i] = x[i] + data[op->inputs[1]][i];
        break;
    case BEAM_OP_MAX_POOL2D:
    case BEAM_OP_AVG_POOL2D:
        pool(op, data, shapes);
        break;
    case BEAM_OP_GLOBAL_AVG_POOL:
        global_avg_pool(op, data, shapes);
        break;
    case BEAM_OP_SCALE:
        for (int64_t i = 0; i < count; i++)
            y[i] = op->factor * x[i];
        break;
    case BEAM_OP_DROPOUT:
    case BEAM_OP_RESHAPE:
        memcpy(y, x, (size_t)count * sizeof *y);
        break;
    case BEAM_OP_LINEAR:
        linear(op, data, shapes);
        break;
    case BEAM_OP_SOFTMAX:
        softmax(op, data, shapes);
        break;
    default:
        break;
    }
}
