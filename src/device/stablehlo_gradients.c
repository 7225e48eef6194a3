/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo_gradients.c - the gradients of layers in StableHLO, each as network.h defines it. */
#include "device/stablehlo_lower.h"

beam_hlo_value beam_lower_replica_mean(beam_lower_state *s, beam_hlo_value x)
{
    uint32_t replicas = s->how->num_replicas;
    if (replicas < 2)
        return x;
    return beam_lower_times(s, beam_hlo_all_reduce(&s->h, x, replicas), 1.0 / (double)replicas);
}

/* 1 if all of x are finite, 0 if one is not. */
static beam_hlo_value all_finite(beam_lower_state *s, beam_hlo_value x)
{
    static const int64_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
    beam_hlo *h = &s->h;
    beam_hlo_value finite = beam_hlo_convert(h, beam_hlo_is_finite(h, x), BEAM_HLO_F32);
    return beam_hlo_reduce(h, "minimum", finite, beam_hlo_scalar(h, BEAM_HLO_F32, 1), x.rank, all);
}

/* A parameter's gradient, that of the whole batch. */
static void put_whole_gradient(beam_lower_state *s, uint32_t value, beam_hlo_value gradient)
{
    beam_hlo *h = &s->h;
    if (!value)
        return;
    if (beam_lowering_scales(s->how)) {
        gradient = beam_hlo_binary(h, "multiply", gradient,
                                   beam_lower_everywhere(s, s->unscale, gradient));
        s->finite = beam_hlo_binary(h, "minimum", s->finite, all_finite(s, gradient));
    }
    beam_lower_put(s, value, gradient);
}

/* The same, from a replica's part of the batch. */
static void put_gradient(beam_lower_state *s, uint32_t value, beam_hlo_value gradient)
{
    if (value)
        put_whole_gradient(s, value, beam_lower_replica_mean(s, gradient));
}

/* ---- convolution ---- */

/* A convolution's sizes, and where its results lie. */
typedef struct conv_sizes {
    int64_t kernel, stride, padding, dilation, groups;
    int64_t in[2], out[2], in_channels, out_channels, batch;
} conv_sizes;

/* Of the shapes of x and dy. */
static conv_sizes sizes_of(const beam_lower_state *s, const beam_nn_op *op, uint32_t x, uint32_t dy)
{
    const beam_nn_value *in = &s->network->values[x], *out = &s->network->values[dy];
    const beam_nn_window *w = &op->window;
    return (conv_sizes){w->kernel,
                        w->stride,
                        w->padding,
                        w->dilation,
                        op->groups,
                        {in->shape[2], in->shape[3]},
                        {out->shape[2], out->shape[3]},
                        in->shape[1],
                        out->shape[1],
                        s->how->batch};
}

/* Height and width of the result, seen from the first tap: one more than its last place. */
static int64_t span(const conv_sizes *c, int i)
{
    return (c->out[i] - 1) * c->stride + 1;
}

/* The kernel as the transposed convolution wants it: turned around, and with groups, inputs and
 * outputs of each group exchanged. */
static beam_hlo_value turned_kernel(beam_lower_state *s, beam_hlo_value kernel, const conv_sizes *c)
{
    beam_hlo *h = &s->h;
    bool last = s->how->channels_last;
    kernel =
        beam_hlo_reverse(h, kernel, 2, last ? (const int64_t[]){0, 1} : (const int64_t[]){2, 3});
    if (c->groups == 1)
        return kernel;
    int64_t k = c->kernel, g = c->groups, in = c->in_channels / g, out = c->out_channels / g;
    if (last) {
        kernel = beam_hlo_reshape(h, kernel, 5, (const int64_t[]){k, k, in, g, out});
        kernel = beam_hlo_transpose(h, kernel, (const int64_t[]){0, 1, 3, 2, 4});
        return beam_hlo_reshape(h, kernel, 4, (const int64_t[]){k, k, g * in, out});
    }
    kernel = beam_hlo_reshape(h, kernel, 5, (const int64_t[]){g, out, in, k, k});
    kernel = beam_hlo_transpose(h, kernel, (const int64_t[]){1, 0, 2, 3, 4});
    return beam_hlo_reshape(h, kernel, 4, (const int64_t[]){out, g * in, k, k});
}

/* What a transposed convolution pads dy with, after zeros have come between its numbers. */
static void transposed_padding(const conv_sizes *c, int64_t *low, int64_t *high)
{
    int64_t reach = c->dilation * (c->kernel - 1);
    for (int i = 0; i < 2; i++) {
        low[i] = reach - c->padding;
        high[i] = c->in[i] - span(c, i) - low[i] + reach;
    }
}

static beam_hlo_value data_by_convolution(beam_lower_state *s, const beam_nn_op *op,
                                          const conv_sizes *c, const int64_t *dims)
{
    beam_hlo_window w = {.stride = {1, 1},
                         .spread = {c->stride, c->stride},
                         .dilation = {c->dilation, c->dilation},
                         .groups = c->groups,
                         .batch_groups = 1};
    transposed_padding(c, w.low, w.high);
    bool last = s->how->channels_last;
    const char *image = last ? "b, 0, 1, f" : "b, f, 0, 1";
    beam_hlo_value kernel = turned_kernel(s, beam_lower_get_factor(s, op->inputs[1]), c);
    return beam_hlo_convolution(&s->h, beam_lower_get_factor(s, op->inputs[0]), image, kernel,
                                last ? "0, 1, o, i" : "i, o, 0, 1", image, &w, dims);
}

/* dy as {n * h * w, channels}. */
static beam_hlo_value rows_of(beam_lower_state *s, uint32_t dy, const conv_sizes *c)
{
    const int64_t dims[] = {c->batch * c->out[0] * c->out[1], c->out_channels};
    return beam_hlo_reshape(&s->h, beam_lower_get_factor(s, dy), 2, dims);
}

/* Stride 1: the patches of dy that the turned kernel meets, times that kernel. */
static beam_hlo_value data_by_patches(beam_lower_state *s, const beam_nn_op *op,
                                      const conv_sizes *c, const int64_t *dims)
{
    beam_hlo *h = &s->h;
    int64_t low[4] = {0}, high[4] = {0}, none[4] = {0};
    transposed_padding(c, low + 1, high + 1);
    beam_hlo_value dy = beam_lower_get_factor(s, op->inputs[0]);
    dy = beam_hlo_pad(h, dy, beam_hlo_scalar(h, dy.type, 0), low, high, none);
    const beam_nn_window w = {.kernel = c->kernel, .stride = 1, .dilation = c->dilation};
    beam_hlo_value patches = beam_lower_patches(s, dy, &w, c->in[0], c->in[1]);
    beam_hlo_value kernel = turned_kernel(s, beam_lower_get_factor(s, op->inputs[1]), c);
    kernel = beam_hlo_transpose(h, kernel, (const int64_t[]){0, 1, 3, 2});
    const int64_t matrix[] = {patches.dims[1], c->in_channels};
    kernel = beam_hlo_reshape(h, kernel, 2, matrix);
    return beam_hlo_reshape(h, beam_hlo_dot(h, patches, 1, kernel, 0), 4, dims);
}

/* Any stride: what each tap sends back, put where it came from and added up. */
static beam_hlo_value data_by_taps(beam_lower_state *s, const beam_nn_op *op, const conv_sizes *c,
                                   const int64_t *dims)
{
    beam_hlo *h = &s->h;
    int64_t taps = c->kernel * c->kernel, channels = c->in_channels;
    const int64_t matrix[] = {taps * channels, c->out_channels}, step[] = {1, 1, 1, 1};
    beam_hlo_value kernel = beam_hlo_reshape(h, beam_lower_get_factor(s, op->inputs[1]), 2, matrix);
    beam_hlo_value sent = beam_hlo_dot(h, rows_of(s, op->inputs[0], c), 1, kernel, 1);
    sent = beam_hlo_reshape(h, sent, 4,
                            (const int64_t[]){c->batch, c->out[0], c->out[1], taps * channels});
    beam_hlo_value zero = beam_hlo_scalar(h, sent.type, 0), sum = {0};
    for (int64_t t = 0; t < taps; t++) {
        const int64_t from[] = {0, 0, 0, t * channels};
        const int64_t to[] = {c->batch, c->out[0], c->out[1], (t + 1) * channels};
        const int64_t at[] = {t / c->kernel, t % c->kernel};
        const int64_t between[] = {0, c->stride - 1, c->stride - 1, 0};
        int64_t low[4] = {0}, high[4] = {0};
        for (int i = 0; i < 2; i++) {
            low[i + 1] = at[i] * c->dilation - c->padding;
            high[i + 1] = c->in[i] - span(c, i) - low[i + 1];
        }
        beam_hlo_value tap =
            beam_hlo_pad(h, beam_hlo_slice(h, sent, from, to, step), zero, low, high, between);
        sum = t ? beam_hlo_binary(h, "add", sum, tap) : tap;
    }
    return beam_hlo_reshape(h, sum, 4, dims);
}

static void conv_grad_data(beam_lower_state *s, const beam_nn_op *op)
{
    int64_t dims[4];
    conv_sizes c = sizes_of(s, op, op->outputs[0], op->inputs[0]);
    beam_lower_dims(s, op->outputs[0], dims);
    beam_hlo_value dx;
    if (!beam_lower_by_patches(s, op, op->inputs[0]))
        dx = data_by_convolution(s, op, &c, dims);
    else
        dx = c.stride == 1 ? data_by_patches(s, op, &c, dims) : data_by_taps(s, op, &c, dims);
    beam_lower_put(s, op->outputs[0], dx);
}

static beam_hlo_value weights_by_convolution(beam_lower_state *s, const beam_nn_op *op,
                                             const conv_sizes *c)
{
    beam_hlo_window w = {.stride = {c->dilation, c->dilation},
                         .low = {c->padding, c->padding},
                         .spread = {1, 1},
                         .dilation = {c->stride, c->stride},
                         .groups = 1,
                         .batch_groups = c->groups};
    for (int i = 0; i < 2; i++)
        w.high[i] = (c->kernel - 1) * c->dilation + span(c, i) - c->in[i] - c->padding;
    bool last = s->how->channels_last;
    int64_t in = c->in_channels / c->groups, k = c->kernel;
    const int64_t first_dims[] = {c->out_channels, in, k, k},
                  last_dims[] = {k, k, in, c->out_channels};
    return beam_hlo_convolution(
        &s->h, beam_lower_get_factor(s, op->inputs[0]), last ? "f, 0, 1, b" : "f, b, 0, 1",
        beam_lower_get_factor(s, op->inputs[1]), last ? "i, 0, 1, o" : "i, o, 0, 1",
        last ? "0, 1, b, f" : "f, b, 0, 1", &w, last ? last_dims : first_dims);
}

static beam_hlo_value weights_by_patches(beam_lower_state *s, const beam_nn_op *op,
                                         const conv_sizes *c)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_factor(s, op->inputs[0]);
    beam_hlo_value patches = beam_lower_patches(s, x, &op->window, c->out[0], c->out[1]);
    beam_hlo_value dweight = beam_hlo_dot(h, patches, 0, rows_of(s, op->inputs[1], c), 0);
    const int64_t dims[] = {c->kernel, c->kernel, c->in_channels, c->out_channels};
    return beam_hlo_reshape(h, dweight, 4, dims);
}

/* The gradient of what is added to each channel. */
static void put_bias_gradient(beam_lower_state *s, const beam_nn_op *op)
{
    if (op->num_outputs > 1 && op->outputs[1])
        put_gradient(s, op->outputs[1],
                     beam_lower_sum_but_channels(s, beam_lower_get_f32(s, op->inputs[1])));
}

static void conv_grad_weights(beam_lower_state *s, const beam_nn_op *op)
{
    conv_sizes c = sizes_of(s, op, op->inputs[0], op->inputs[1]);
    put_bias_gradient(s, op);
    if (op->outputs[0])
        put_gradient(s, op->outputs[0],
                     beam_lower_by_patches(s, op, op->inputs[1])
                         ? weights_by_patches(s, op, &c)
                         : weights_by_convolution(s, op, &c));
}

/* ---- linear layer ---- */

static void linear_grad_data(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value dy = beam_lower_get_factor(s, op->inputs[0]);
    beam_hlo_value weight = beam_lower_get_factor(s, op->inputs[1]);
    beam_lower_put(s, op->outputs[0], beam_hlo_dot(&s->h, dy, 1, weight, 0));
}

static void linear_grad_weights(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo_value x = beam_lower_get_factor(s, op->inputs[0]);
    beam_hlo_value dy = beam_lower_get_factor(s, op->inputs[1]);
    put_bias_gradient(s, op);
    if (op->outputs[0])
        put_gradient(s, op->outputs[0], beam_hlo_dot(&s->h, dy, 0, x, 0));
}

/* ---- batch norm ---- */

static double count_but_channels(const beam_lower_state *s, beam_hlo_value x)
{
    return (double)(beam_hlo_count(&x) / x.dims[beam_lower_position(s, x.rank, 1)]);
}

static beam_hlo_value centred(beam_lower_state *s, beam_hlo_value x, beam_hlo_value mean)
{
    return beam_hlo_binary(&s->h, "subtract", x, beam_lower_channels(s, mean, x));
}

/* 1 / sqrt(variance + epsilon) */
static beam_hlo_value over_deviation(beam_lower_state *s, beam_hlo_value variance, float epsilon)
{
    return beam_hlo_unary(&s->h, "rsqrt", beam_lower_plus(s, variance, (double)epsilon));
}

/* (1 - momentum) * running + momentum * what this batch has. */
static void put_running(beam_lower_state *s, const beam_nn_op *op, uint32_t from, uint32_t to,
                        beam_hlo_value now)
{
    if (!to)
        return;
    double momentum = (double)op->momentum;
    beam_hlo_value before = beam_lower_times(s, beam_lower_get_f32(s, from), 1 - momentum);
    now = beam_lower_times(s, now, momentum);
    beam_lower_put(s, to, beam_hlo_binary(&s->h, "add", before, now));
}

/* Over the whole batch, whatever number of replicas share it. */
static beam_hlo_value mean_of_channels(beam_lower_state *s, beam_hlo_value x)
{
    beam_hlo_value sum = beam_lower_sum_but_channels(s, x);
    return beam_lower_replica_mean(s, beam_lower_times(s, sum, 1 / count_but_channels(s, x)));
}

static void batch_norm_training(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    uint32_t replicas = s->how->num_replicas > 1 ? s->how->num_replicas : 1;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    double count = count_but_channels(s, x) * (double)replicas;
    beam_hlo_value mean = mean_of_channels(s, x);
    beam_hlo_value off = centred(s, x, mean);
    beam_hlo_value variance = mean_of_channels(s, beam_hlo_binary(h, "multiply", off, off));
    beam_hlo_value factor = beam_hlo_binary(h, "multiply", beam_lower_get_f32(s, op->inputs[1]),
                                            over_deviation(s, variance, op->epsilon));
    beam_hlo_value y = beam_hlo_binary(h, "multiply", off, beam_lower_channels(s, factor, off));
    beam_hlo_value bias = beam_lower_get_f32(s, op->inputs[2]);
    beam_lower_put(s, op->outputs[0],
                   beam_hlo_binary(h, "add", y, beam_lower_channels(s, bias, y)));
    beam_lower_put(s, op->outputs[1], mean);
    beam_lower_put(s, op->outputs[2], variance);
    put_running(s, op, op->inputs[3], op->outputs[3], mean);
    put_running(s, op, op->inputs[4], op->outputs[4],
                count > 1 ? beam_lower_times(s, variance, count / (count - 1)) : variance);
}

/* With n = (x - mean) / deviation: dweight = sum dy n, dbias = sum dy, and
 * dx = weight / deviation * (dy - dbias / count - n * dweight / count).  Replicas' dy are those of
 * their own rows' mean loss, so that means over replicas of the sums are what the whole batch's
 * are; count is that of one replica's rows then. */
static void batch_norm_grad(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    beam_hlo_value dy = beam_lower_get_f32(s, op->inputs[1]);
    beam_hlo_value over = over_deviation(s, beam_lower_get_f32(s, op->inputs[4]), op->epsilon);
    beam_hlo_value off = centred(s, x, beam_lower_get_f32(s, op->inputs[3]));
    beam_hlo_value normed = beam_hlo_binary(h, "multiply", off, beam_lower_channels(s, over, off));
    beam_hlo_value dweight =
        beam_lower_sum_but_channels(s, beam_hlo_binary(h, "multiply", dy, normed));
    dweight = beam_lower_replica_mean(s, dweight);
    beam_hlo_value dbias = beam_lower_replica_mean(s, beam_lower_sum_but_channels(s, dy));
    put_whole_gradient(s, op->outputs[1], dweight);
    put_whole_gradient(s, op->outputs[2], dbias);
    if (!op->outputs[0])
        return;
    double share = 1 / count_but_channels(s, x);
    beam_hlo_value dx = centred(s, dy, beam_lower_times(s, dbias, share));
    beam_hlo_value pull = beam_lower_channels(s, beam_lower_times(s, dweight, share), normed);
    dx = beam_hlo_binary(h, "subtract", dx, beam_hlo_binary(h, "multiply", normed, pull));
    beam_hlo_value factor =
        beam_hlo_binary(h, "multiply", beam_lower_get_f32(s, op->inputs[2]), over);
    beam_lower_put(s, op->outputs[0],
                   beam_hlo_binary(h, "multiply", dx, beam_lower_channels(s, factor, dx)));
}

/* ---- activations and pooling ---- */

static void relu_grad(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value y = beam_lower_get(s, op->inputs[0]), dy = beam_lower_get(s, op->inputs[1]);
    beam_hlo_value positive = beam_hlo_compare(h, "GT", y, beam_hlo_fill_like(h, 0, y));
    beam_lower_put(s, op->outputs[0],
                   beam_hlo_select(h, positive, dy, beam_hlo_fill_like(h, 0, dy)));
}

/* dy * share * (1 + x * (1 - share) * the slope of what the share is the logistic function of) */
static void gelu_grad(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    beam_hlo_value dy = beam_lower_get_f32(s, op->inputs[1]);
    beam_hlo_value share = beam_lower_gelu_share(s, x);
    beam_hlo_value rest = beam_lower_plus(s, beam_lower_times(s, share, -1), 1);
    beam_hlo_value slope = beam_hlo_binary(h, "multiply", x, x);
    slope =
        beam_lower_plus(s, beam_lower_times(s, slope, 3 * BEAM_NN_GELU_CUBIC), BEAM_NN_GELU_LINEAR);
    slope = beam_hlo_binary(h, "multiply", slope, beam_hlo_binary(h, "multiply", x, rest));
    slope = beam_hlo_binary(h, "multiply", share, beam_lower_plus(s, slope, 1));
    beam_lower_put(s, op->outputs[0], beam_hlo_binary(h, "multiply", dy, slope));
}

static void max_pool_grad(beam_lower_state *s, const beam_nn_op *op)
{
    beam_lower_window w = beam_lower_pool_window(s, &op->window);
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    beam_hlo_value dy = beam_lower_get_f32(s, op->inputs[1]);
    beam_lower_put(s, op->outputs[0],
                   beam_hlo_scatter_to_largest(&s->h, x, dy, w.window, w.stride, w.low, w.high));
}

/* Each place of x gets the sum of the shares of the windows that it is in. */
static void avg_pool_grad(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    conv_sizes c = sizes_of(s, op, op->outputs[0], op->inputs[0]);
    beam_lower_window w = beam_lower_pool_window(s, &op->window);
    int64_t low[4] = {0}, high[4] = {0}, between[4] = {0}, none[4] = {0}, edges[2][2];
    c.dilation = 1;
    transposed_padding(&c, edges[0], edges[1]);
    const int64_t step[4] = {1, 1, 1, 1};
    for (uint32_t i = 0; i < 2; i++) {
        int64_t at = beam_lower_position(s, 4, i + 2);
        low[at] = edges[0][i];
        high[at] = edges[1][i];
        between[at] = c.stride - 1;
    }
    beam_hlo_value dy = beam_lower_get_f32(s, op->inputs[0]), zero = beam_hlo_scalar(h, dy.type, 0);
    dy = beam_hlo_pad(h, dy, zero, low, high, between);
    dy = beam_hlo_reduce_window(h, "add", dy, zero, w.window, step, none, none);
    beam_lower_put(s, op->outputs[0], beam_lower_times(s, dy, 1 / (double)(c.kernel * c.kernel)));
}

static void global_avg_pool_grad(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value dy = beam_lower_get_f32(s, op->inputs[0]);
    int64_t dims[4], channels = dy.dims[beam_lower_position(s, 4, 1)];
    beam_lower_dims(s, op->outputs[0], dims);
    const int64_t at[] = {0, beam_lower_position(s, 4, 1)};
    beam_hlo_value like = {.rank = 4};
    for (int i = 0; i < 4; i++)
        like.dims[i] = dims[i];
    double area = (double)(beam_hlo_count(&like) / dy.dims[0] / channels);
    dy = beam_hlo_reshape(h, dy, 2, (const int64_t[]){dy.dims[0], channels});
    beam_lower_put(s, op->outputs[0],
                   beam_hlo_broadcast(h, beam_lower_times(s, dy, 1 / area), at, like));
}

bool beam_lower_training_op(beam_lower_state *s, const beam_nn_op *op)
{
    static void (*const forms[BEAM_OP_KINDS])(beam_lower_state *, const beam_nn_op *) = {
        [BEAM_OP_CONV2D_GRAD_DATA] = conv_grad_data,
        [BEAM_OP_CONV2D_GRAD_WEIGHTS] = conv_grad_weights,
        [BEAM_OP_LINEAR_GRAD_DATA] = linear_grad_data,
        [BEAM_OP_LINEAR_GRAD_WEIGHTS] = linear_grad_weights,
        [BEAM_OP_BATCH_NORM_TRAINING] = batch_norm_training,
        [BEAM_OP_BATCH_NORM_GRAD] = batch_norm_grad,
        [BEAM_OP_RELU_GRAD] = relu_grad,
        [BEAM_OP_GELU_GRAD] = gelu_grad,
        [BEAM_OP_MAX_POOL2D_GRAD] = max_pool_grad,
        [BEAM_OP_AVG_POOL2D_GRAD] = avg_pool_grad,
        [BEAM_OP_GLOBAL_AVG_POOL_GRAD] = global_avg_pool_grad,
    };
    if (!forms[op->kind])
        return false;
    forms[op->kind](s, op);
    return true;
}
