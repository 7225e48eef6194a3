/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo_ops.c - the operations of inference in StableHLO, each as network.h defines it. */
#include <string.h>

#include "device/stablehlo_lower.h"

/* ---- values ---- */

beam_hlo_value beam_lower_get(beam_lower_state *s, uint32_t value)
{
    return s->values[value];
}

beam_hlo_value beam_lower_get_f32(beam_lower_state *s, uint32_t value)
{
    return beam_hlo_convert(&s->h, s->values[value], BEAM_HLO_F32);
}

beam_hlo_value beam_lower_get_factor(beam_lower_state *s, uint32_t value)
{
    return beam_hlo_convert(&s->h, s->values[value], beam_lowering_type(s->how->precision));
}

void beam_lower_put(beam_lower_state *s, uint32_t value, beam_hlo_value result)
{
    if (value)
        s->values[value] = beam_hlo_convert(&s->h, result, s->types[value]);
}

/* ---- images ---- */

int64_t beam_lower_position(const beam_lower_state *s, uint32_t rank, uint32_t dim)
{
    static const int64_t last[] = {0, 3, 1, 2};
    return s->how->channels_last && rank == 4 ? last[dim] : dim;
}

void beam_lower_dims(const beam_lower_state *s, uint32_t value, int64_t *dims)
{
    beam_tensor t = beam_nn_shape(s->network, value, s->how->batch);
    for (uint32_t i = 0; i < t.rank; i++)
        dims[beam_lower_position(s, t.rank, i)] = t.shape[i];
}

beam_hlo_value beam_lower_inward(beam_lower_state *s, beam_hlo_value x)
{
    static const int64_t order[] = {0, 2, 3, 1};
    return s->how->channels_last && x.rank == 4 ? beam_hlo_transpose(&s->h, x, order) : x;
}

beam_hlo_value beam_lower_outward(beam_lower_state *s, beam_hlo_value x)
{
    static const int64_t order[] = {0, 3, 1, 2};
    return s->how->channels_last && x.rank == 4 ? beam_hlo_transpose(&s->h, x, order) : x;
}

beam_hlo_value beam_lower_channels(beam_lower_state *s, beam_hlo_value vector, beam_hlo_value like)
{
    int64_t at = beam_lower_position(s, like.rank, 1);
    return beam_hlo_broadcast(&s->h, vector, &at, like);
}

beam_hlo_value beam_lower_sum_but_channels(beam_lower_state *s, beam_hlo_value x)
{
    int64_t dims[BEAM_TENSOR_MAX_RANK], channel = beam_lower_position(s, x.rank, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < x.rank; i++)
        if (i != channel)
            dims[n++] = i;
    return beam_hlo_reduce(&s->h, "add", x, beam_hlo_scalar(&s->h, x.type, 0), n, dims);
}

beam_lower_window beam_lower_pool_window(const beam_lower_state *s, const beam_nn_window *window)
{
    beam_lower_window w = {{1, 1, 1, 1}, {1, 1, 1, 1}, {0}, {0}};
    for (uint32_t dim = 2; dim < 4; dim++) {
        int64_t at = beam_lower_position(s, 4, dim);
        w.window[at] = window->kernel;
        w.stride[at] = window->stride;
        w.low[at] = w.high[at] = window->padding;
    }
    return w;
}

/* ---- convolutions ---- */

enum { MAX_PATCH = 11 }; /* larger kernels are left to the compiler's convolution */

bool beam_lower_by_patches(const beam_lower_state *s, const beam_nn_op *op, uint32_t result)
{
    const beam_nn_value *y = &s->network->values[result];
    return s->how->channels_last && op->groups == 1 && op->window.kernel <= MAX_PATCH &&
           y->shape[2] * y->shape[3] <= s->how->patch_pixels;
}

beam_hlo_value beam_lower_patches(beam_lower_state *s, beam_hlo_value x, const beam_nn_window *w,
                                  int64_t height, int64_t width)
{
    beam_hlo *h = &s->h;
    const int64_t none[4] = {0}, pad[4] = {0, w->padding, w->padding, 0};
    const int64_t step[4] = {1, w->stride, w->stride, 1};
    beam_hlo_value padded = beam_hlo_pad(h, x, beam_hlo_scalar(h, x.type, 0), pad, pad, none),
                   taps[MAX_PATCH * MAX_PATCH];
    uint32_t n = 0;
    for (int64_t i = 0; i < w->kernel; i++)
        for (int64_t j = 0; j < w->kernel; j++) {
            int64_t row = i * w->dilation, column = j * w->dilation;
            int64_t from[4] = {0, row, column, 0};
            int64_t to[4] = {x.dims[0], row + (height - 1) * w->stride + 1,
                             column + (width - 1) * w->stride + 1, x.dims[3]};
            taps[n++] = beam_hlo_slice(h, padded, from, to, step);
        }
    beam_hlo_value patches = beam_hlo_concatenate(h, taps, n, 3);
    return beam_hlo_reshape(h, patches, 2,
                            (const int64_t[]){x.dims[0] * height * width, patches.dims[3]});
}

static beam_hlo_value convolution_by_patches(beam_lower_state *s, const beam_nn_op *op,
                                             const int64_t *dims)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_factor(s, op->inputs[0]);
    beam_hlo_value kernel = beam_lower_get_factor(s, op->inputs[1]);
    beam_hlo_value patches = beam_lower_patches(s, x, &op->window, dims[1], dims[2]);
    const int64_t matrix[2] = {patches.dims[1], dims[3]};
    kernel = beam_hlo_reshape(h, kernel, 2, matrix);
    return beam_hlo_reshape(h, beam_hlo_dot(h, patches, 1, kernel, 0), 4, dims);
}

static beam_hlo_value plain_convolution(beam_lower_state *s, const beam_nn_op *op,
                                        const int64_t *dims)
{
    const beam_nn_window *w = &op->window;
    const beam_hlo_window window = {.stride = {w->stride, w->stride},
                                    .low = {w->padding, w->padding},
                                    .high = {w->padding, w->padding},
                                    .spread = {1, 1},
                                    .dilation = {w->dilation, w->dilation},
                                    .groups = op->groups,
                                    .batch_groups = 1};
    bool last = s->how->channels_last;
    const char *image = last ? "b, 0, 1, f" : "b, f, 0, 1";
    return beam_hlo_convolution(&s->h, beam_lower_get_factor(s, op->inputs[0]), image,
                                beam_lower_get_factor(s, op->inputs[1]),
                                last ? "0, 1, i, o" : "o, i, 0, 1", image, &window, dims);
}

static beam_hlo_value add_bias(beam_lower_state *s, beam_hlo_value y, const beam_nn_op *op)
{
    if (op->num_inputs < 3 || op->inputs[2] == 0)
        return y;
    beam_hlo_value bias = beam_lower_get_f32(s, op->inputs[2]);
    return beam_hlo_binary(&s->h, "add", y, beam_lower_channels(s, bias, y));
}

static beam_hlo_value conv2d(beam_lower_state *s, const beam_nn_op *op)
{
    int64_t dims[4];
    beam_lower_dims(s, op->outputs[0], dims);
    beam_hlo_value y = beam_lower_by_patches(s, op, op->outputs[0])
                           ? convolution_by_patches(s, op, dims)
                           : plain_convolution(s, op, dims);
    return add_bias(s, y, op);
}

/* ---- the others ---- */

static beam_hlo_value batch_norm(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    beam_hlo_value scale = beam_lower_get_f32(s, op->inputs[1]);
    beam_hlo_value bias = beam_lower_get_f32(s, op->inputs[2]);
    beam_hlo_value mean = beam_lower_get_f32(s, op->inputs[3]);
    beam_hlo_value variance = beam_lower_get_f32(s, op->inputs[4]);
    variance =
        beam_hlo_binary(h, "add", variance, beam_hlo_fill_like(h, (double)op->epsilon, variance));
    scale = beam_hlo_binary(h, "multiply", scale, beam_hlo_unary(h, "rsqrt", variance));
    beam_hlo_value shift =
        beam_hlo_binary(h, "subtract", bias, beam_hlo_binary(h, "multiply", mean, scale));
    x = beam_hlo_binary(h, "multiply", x, beam_lower_channels(s, scale, x));
    return beam_hlo_binary(h, "add", x, beam_lower_channels(s, shift, x));
}

static beam_hlo_value relu(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_get(s, op->inputs[0]);
    return beam_hlo_binary(&s->h, "maximum", x, beam_hlo_fill_like(&s->h, 0, x));
}

beam_hlo_value beam_lower_gelu_share(beam_lower_state *s, beam_hlo_value x)
{
    beam_hlo *h = &s->h;
    beam_hlo_value y = beam_hlo_binary(h, "multiply", x, x);
    y = beam_lower_plus(s, beam_lower_times(s, y, BEAM_NN_GELU_CUBIC), BEAM_NN_GELU_LINEAR);
    return beam_hlo_unary(h, "logistic", beam_hlo_binary(h, "multiply", x, y));
}

static beam_hlo_value gelu(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    return beam_hlo_binary(&s->h, "multiply", x, beam_lower_gelu_share(s, x));
}

static beam_hlo_value max_pool(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_get(s, op->inputs[0]);
    beam_lower_window w = beam_lower_pool_window(s, &op->window);
    return beam_hlo_reduce_window(&s->h, "maximum", x, beam_hlo_lowest(&s->h, x.type), w.window,
                                  w.stride, w.low, w.high);
}

static beam_hlo_value avg_pool(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    beam_lower_window w = beam_lower_pool_window(s, &op->window);
    x = beam_hlo_reduce_window(h, "add", x, beam_hlo_scalar(h, x.type, 0), w.window, w.stride,
                               w.low, w.high);
    double taps = (double)(op->window.kernel * op->window.kernel);
    return beam_hlo_binary(h, "multiply", x, beam_hlo_fill_like(h, 1 / taps, x));
}

static beam_hlo_value global_avg_pool(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    int64_t plane[2] = {beam_lower_position(s, 4, 2), beam_lower_position(s, 4, 3)}, dims[4];
    double pixels = (double)(x.dims[plane[0]] * x.dims[plane[1]]);
    x = beam_hlo_reduce(h, "add", x, beam_hlo_scalar(h, x.type, 0), 2, plane);
    x = beam_hlo_binary(h, "multiply", x, beam_hlo_fill_like(h, 1 / pixels, x));
    beam_lower_dims(s, op->outputs[0], dims);
    return beam_hlo_reshape(h, x, 4, dims);
}

static beam_hlo_value reshape(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_outward(s, beam_lower_get(s, op->inputs[0]));
    beam_tensor to = beam_nn_shape(s->network, op->outputs[0], s->how->batch);
    return beam_lower_inward(s, beam_hlo_reshape(&s->h, x, to.rank, to.shape));
}

static beam_hlo_value linear(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_get_factor(s, op->inputs[0]);
    beam_hlo_value weight = beam_lower_get_factor(s, op->inputs[1]);
    return add_bias(s, beam_hlo_dot(&s->h, x, 1, weight, 1), op);
}

static beam_hlo_value softmax(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    int64_t last = beam_lower_position(s, x.rank, x.rank - 1), others[BEAM_TENSOR_MAX_RANK];
    for (uint32_t i = 0, n = 0; i < x.rank; i++)
        if (i != last)
            others[n++] = i;
    beam_hlo_value top = beam_hlo_reduce(h, "maximum", x, beam_hlo_lowest(h, x.type), 1, &last);
    x = beam_hlo_binary(h, "subtract", x, beam_hlo_broadcast(h, top, others, x));
    x = beam_hlo_unary(h, "exponential", x);
    beam_hlo_value sum = beam_hlo_reduce(h, "add", x, beam_hlo_scalar(h, x.type, 0), 1, &last);
    return beam_hlo_binary(h, "divide", x, beam_hlo_broadcast(h, sum, others, x));
}

static beam_hlo_value scale(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    return beam_hlo_binary(&s->h, "multiply", x, beam_hlo_fill_like(&s->h, (double)op->factor, x));
}

static beam_hlo_value add(beam_lower_state *s, const beam_nn_op *op)
{
    return beam_hlo_binary(&s->h, "add", beam_lower_get_f32(s, op->inputs[0]),
                           beam_lower_get_f32(s, op->inputs[1]));
}

static beam_hlo_value same(beam_lower_state *s, const beam_nn_op *op)
{
    return beam_lower_get(s, op->inputs[0]);
}

bool beam_lower_op(beam_lower_state *s, const beam_nn_op *op)
{
    static beam_hlo_value (*const forms[BEAM_OP_KINDS])(beam_lower_state *, const beam_nn_op *) = {
        [BEAM_OP_CONV2D] = conv2d,
        [BEAM_OP_BATCH_NORM] = batch_norm,
        [BEAM_OP_RELU] = relu,
        [BEAM_OP_GELU] = gelu,
        [BEAM_OP_ADD] = add,
        [BEAM_OP_MAX_POOL2D] = max_pool,
        [BEAM_OP_AVG_POOL2D] = avg_pool,
        [BEAM_OP_GLOBAL_AVG_POOL] = global_avg_pool,
        [BEAM_OP_RESHAPE] = reshape,
        [BEAM_OP_LINEAR] = linear,
        [BEAM_OP_SOFTMAX] = softmax,
        [BEAM_OP_DROPOUT] = same,
        [BEAM_OP_SCALE] = scale,
    };
    if (!forms[op->kind])
        return false;
    beam_lower_put(s, op->outputs[0], forms[op->kind](s, op));
    return true;
}
