/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* layers.c - each layer: what it demands of its operands, its parameters, its shape. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "nn/network.h"

/* Options grow at the end: a program built against an older header gives fewer bytes. */
#define COPY_OPTIONS(to, from)                                                           \
    do {                                                                                 \
        memset(&(to), 0, sizeof(to));                                                    \
        if (from)                                                                        \
            memcpy(&(to), (from),                                                        \
                   (from)->struct_size < sizeof(to) ? (from)->struct_size : sizeof(to)); \
    } while (0)

static const int64_t MAX_WINDOW = 1 << 20;

static int64_t or_default(int64_t given, int64_t otherwise)
{
    return given == 0 ? otherwise : given;
}

/* The operand of a layer that wants `rank` dimensions, the batch included. */
static const beam_nn_value *operand(beam_network *network, beam_value in, const char *layer,
                                    uint32_t rank, const char *wanted)
{
    const beam_nn_value *x = beam_nn_operand(network, in, layer);
    if (x && x->kind == BEAM_VALUE_PARAMETER) {
        (void)beam_nn_fail(network, layer, BEAM_INVALID_ARGUMENT, "its operand is a parameter");
        return NULL;
    }
    if (x && x->rank != rank) {
        (void)beam_nn_fail(network, layer, BEAM_INVALID_ARGUMENT,
                           "it takes %s, but its operand has %u dimensions beside the batch",
                           wanted, x->rank - 1);
        return NULL;
    }
    return x;
}

/* How many places a window fits in; 0 if none. */
static int64_t places(int64_t size, const beam_nn_window *w)
{
    int64_t room = size + 2 * w->padding - (w->dilation * (w->kernel - 1) + 1);
    return room < 0 ? 0 : room / w->stride + 1;
}

static bool good_window(beam_network *network, const char *layer, const beam_nn_window *w)
{
    if (w->kernel >= 1 && w->stride >= 1 && w->dilation >= 1 && w->padding >= 0 &&
        w->kernel <= MAX_WINDOW && w->stride <= MAX_WINDOW && w->dilation <= MAX_WINDOW &&
        w->padding <= MAX_WINDOW)
        return true;
    (void)beam_nn_fail(network, layer, BEAM_INVALID_ARGUMENT,
                       "kernel %lld, stride %lld, padding %lld, dilation %lld: each must be at "
                       "least 1 (padding: 0) and at most %lld",
                       (long long)w->kernel, (long long)w->stride, (long long)w->padding,
                       (long long)w->dilation, (long long)MAX_WINDOW);
    return false;
}

beam_value beam_nn_conv2d_(beam_network *network, beam_value in, const char *name,
                           const beam_conv2d_options *options)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    name = name ? name : "conv2d";
    beam_conv2d_options o;
    COPY_OPTIONS(o, options);
    const beam_nn_value *found = operand(network, in, name, 4, "{channels, height, width}");
    if (!found)
        return (beam_value){0};
    const beam_nn_value x = *found; /* the list of values may move */
    beam_nn_op op = {.kind = BEAM_OP_CONV2D, .num_inputs = 2, .name = name};
    op.window =
        (beam_nn_window){o.kernel, or_default(o.stride, 1), o.padding, or_default(o.dilation, 1)};
    op.groups = or_default(o.groups, 1);
    if (!good_window(network, name, &op.window))
        return (beam_value){0};
    if (op.groups < 1 || x.shape[1] % op.groups != 0 || o.out_channels < 1 ||
        o.out_channels % op.groups != 0)
        return beam_nn_fail(network, name, BEAM_INVALID_ARGUMENT,
                            "%lld channels in, %lld out: both must be multiples of groups = %lld",
                            (long long)x.shape[1], (long long)o.out_channels, (long long)op.groups);

    int64_t in_channels = x.shape[1] / op.groups, k = op.window.kernel;
    double area = (double)k * (double)k;
    double fan_in = (double)in_channels * area;
    double fan_out = (double)o.out_channels / (double)op.groups * area;
    beam_value weight = beam_nn_add_parameter(network, name, "weight", 4,
                                              (const int64_t[]){o.out_channels, in_channels, k, k},
                                              BEAM_NN_INIT_NORMAL, sqrt(2.0 / fan_out));
    beam_value bias = {0};
    if (!o.no_bias && weight.id != 0)
        bias = beam_nn_add_parameter(network, name, "bias", 1, &o.out_channels,
                                     BEAM_NN_INIT_UNIFORM, 1.0 / sqrt(fan_in));
    if (network->error.code != BEAM_OK)
        return (beam_value){0};
    op.inputs[0] = in.id;
    op.inputs[1] = weight.id;
    if (!o.no_bias)
        op.inputs[op.num_inputs++] = bias.id;
    return beam_nn_add_op(network, &op, 4,
                          (const int64_t[]){BEAM_NN_BATCH, o.out_channels,
                                            places(x.shape[2], &op.window),
                                            places(x.shape[3], &op.window)});
}

beam_value beam_nn_batch_norm(beam_network *network, beam_value in, const char *name, float epsilon)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    name = name ? name : "batch_norm";
    const beam_nn_value *found = beam_nn_operand(network, in, name);
    if (found && found->rank != 2)
        found = operand(network, in, name, 4, "{channels, height, width} or {channels}");
    if (!found)
        return (beam_value){0};
    if (!(epsilon >= 0) || epsilon > 1)
        return beam_nn_fail(network, name, BEAM_INVALID_ARGUMENT,
                            "epsilon is %g, not between 0 and 1", (double)epsilon);
    const beam_nn_value x = *found;
    static const struct {
        const char *part;
        beam_nn_init init;
    } parts[] = {{"weight", BEAM_NN_INIT_ONE},
                 {"bias", BEAM_NN_INIT_ZERO},
                 {"running_mean", BEAM_NN_INIT_ZERO},
                 {"running_var", BEAM_NN_INIT_ONE}};
    beam_nn_op op = {.kind = BEAM_OP_BATCH_NORM, .num_inputs = 5, .name = name};
    op.epsilon = epsilon == 0 ? 1e-5f : epsilon;
    op.inputs[0] = in.id;
    for (size_t i = 0; i < 4; i++) {
        op.inputs[i + 1] =
            beam_nn_add_parameter(network, name, parts[i].part, 1, &x.shape[1], parts[i].init, 0)
                .id;
        if (op.inputs[i + 1] == 0)
            return (beam_value){0};
    }
    return beam_nn_add_op(network, &op, x.rank, x.shape);
}

/* An operation with no parameters whose result has its operand's shape. */
static beam_value same_shape(beam_network *network, beam_nn_op op, beam_value in)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    op.num_inputs = 1;
    op.name = beam_op_name(op.kind);
    const beam_nn_value *found = beam_nn_operand(network, in, op.name);
    if (!found)
        return (beam_value){0};
    if (found->kind == BEAM_VALUE_PARAMETER || found->rank < 2)
        return beam_nn_fail(network, op.name, BEAM_INVALID_ARGUMENT,
                            "its operand must have a dimension beside the batch");
    const beam_nn_value x = *found;
    op.inputs[0] = in.id;
    return beam_nn_add_op(network, &op, x.rank, x.shape);
}

beam_value beam_nn_relu(beam_network *network, beam_value in)
{
    return same_shape(network, (beam_nn_op){.kind = BEAM_OP_RELU}, in);
}

beam_value beam_nn_gelu(beam_network *network, beam_value in)
{
    return same_shape(network, (beam_nn_op){.kind = BEAM_OP_GELU}, in);
}

beam_value beam_nn_softmax(beam_network *network, beam_value in)
{
    return same_shape(network, (beam_nn_op){.kind = BEAM_OP_SOFTMAX}, in);
}

beam_value beam_nn_scale(beam_network *network, beam_value in, float factor)
{
    if (beam_nn_building(network) && !isfinite(factor))
        return beam_nn_fail(network, "scale", BEAM_INVALID_ARGUMENT, "its factor is %g",
                            (double)factor);
    return same_shape(network, (beam_nn_op){.kind = BEAM_OP_SCALE, .factor = factor}, in);
}

beam_value beam_nn_dropout(beam_network *network, beam_value in, float rate)
{
    if (beam_nn_building(network) && !(rate >= 0 && rate < 1))
        return beam_nn_fail(network, "dropout", BEAM_INVALID_ARGUMENT,
                            "its rate is %g; it must be 0 or more and below 1", (double)rate);
    return same_shape(network, (beam_nn_op){.kind = BEAM_OP_DROPOUT, .rate = rate}, in);
}

beam_value beam_nn_add(beam_network *network, beam_value a, beam_value b)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    beam_nn_op op = {.kind = BEAM_OP_ADD, .num_inputs = 2, .name = "add"};
    const beam_nn_value *first = beam_nn_operand(network, a, op.name);
    const beam_nn_value *second = first ? beam_nn_operand(network, b, op.name) : NULL;
    if (!second)
        return (beam_value){0};
    if (first->kind == BEAM_VALUE_PARAMETER || second->kind == BEAM_VALUE_PARAMETER ||
        first->rank != second->rank ||
        memcmp(first->shape, second->shape, sizeof first->shape) != 0)
        return beam_nn_fail(network, op.name, BEAM_INVALID_ARGUMENT,
                            "its operands have different shapes");
    const beam_nn_value x = *first;
    op.inputs[0] = a.id;
    op.inputs[1] = b.id;
    return beam_nn_add_op(network, &op, x.rank, x.shape);
}

static beam_value pool(beam_network *network, beam_op_kind kind, beam_value in,
                       const beam_pool2d_options *options)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    beam_pool2d_options o;
    COPY_OPTIONS(o, options);
    beam_nn_op op = {.kind = kind, .num_inputs = 1, .name = beam_op_name(kind)};
    const beam_nn_value *found = operand(network, in, op.name, 4, "{channels, height, width}");
    if (!found)
        return (beam_value){0};
    const beam_nn_value x = *found;
    op.window = (beam_nn_window){o.kernel, or_default(o.stride, o.kernel), o.padding, 1};
    if (!good_window(network, op.name, &op.window))
        return (beam_value){0};
    if (op.window.padding * 2 > op.window.kernel)
        return beam_nn_fail(network, op.name, BEAM_INVALID_ARGUMENT,
                            "padding %lld is more than half the kernel %lld",
                            (long long)op.window.padding, (long long)op.window.kernel);
    op.inputs[0] = in.id;
    return beam_nn_add_op(network, &op, 4,
                          (const int64_t[]){BEAM_NN_BATCH, x.shape[1],
                                            places(x.shape[2], &op.window),
                                            places(x.shape[3], &op.window)});
}

beam_value beam_nn_max_pool2d_(beam_network *network, beam_value in,
                               const beam_pool2d_options *options)
{
    return pool(network, BEAM_OP_MAX_POOL2D, in, options);
}

beam_value beam_nn_avg_pool2d_(beam_network *network, beam_value in,
                               const beam_pool2d_options *options)
{
    return pool(network, BEAM_OP_AVG_POOL2D, in, options);
}

beam_value beam_nn_global_avg_pool(beam_network *network, beam_value in)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    beam_nn_op op = {.kind = BEAM_OP_GLOBAL_AVG_POOL, .num_inputs = 1, .name = "global_avg_pool"};
    const beam_nn_value *x = operand(network, in, op.name, 4, "{channels, height, width}");
    if (!x)
        return (beam_value){0};
    op.inputs[0] = in.id;
    return beam_nn_add_op(network, &op, 4, (const int64_t[]){BEAM_NN_BATCH, x->shape[1], 1, 1});
}

beam_value beam_nn_flatten(beam_network *network, beam_value in)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    beam_nn_op op = {.kind = BEAM_OP_RESHAPE, .num_inputs = 1, .name = "flatten"};
    const beam_nn_value *x = beam_nn_operand(network, in, op.name);
    if (!x)
        return (beam_value){0};
    if (x->kind == BEAM_VALUE_PARAMETER)
        return beam_nn_fail(network, op.name, BEAM_INVALID_ARGUMENT, "its operand is a parameter");
    int64_t total = 1;
    for (uint32_t i = 1; i < x->rank; i++)
        total *= x->shape[i];
    op.inputs[0] = in.id;
    return beam_nn_add_op(network, &op, 2, (const int64_t[]){BEAM_NN_BATCH, total});
}

beam_value beam_nn_linear_(beam_network *network, beam_value in, const char *name,
                           const beam_linear_options *options)
{
    if (!beam_nn_building(network))
        return (beam_value){0};
    name = name ? name : "linear";
    beam_linear_options o;
    COPY_OPTIONS(o, options);
    const beam_nn_value *found = operand(network, in, name, 2, "{features} (flatten first)");
    if (!found)
        return (beam_value){0};
    const beam_nn_value x = *found;
    beam_nn_op op = {.kind = BEAM_OP_LINEAR, .num_inputs = 2, .name = name};
    double bound = 1.0 / sqrt((double)x.shape[1]);
    op.inputs[0] = in.id;
    op.inputs[1] = beam_nn_add_parameter(network, name, "weight", 2,
                                         (const int64_t[]){o.out_features, x.shape[1]},
                                         BEAM_NN_INIT_UNIFORM, bound)
                       .id;
    if (!o.no_bias && op.inputs[1] != 0)
        op.inputs[op.num_inputs++] =
            beam_nn_add_parameter(network, name, "bias", 1, &o.out_features, BEAM_NN_INIT_UNIFORM,
                                  bound)
                .id;
    if (network->error.code != BEAM_OK)
        return (beam_value){0};
    return beam_nn_add_op(network, &op, 2, (const int64_t[]){BEAM_NN_BATCH, o.out_features});
}
