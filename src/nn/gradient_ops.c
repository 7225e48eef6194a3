/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gradient_ops.c - what each operation sends back to its operands. */
#include "nn/gradient.h"

/* One gradient operation being made. */
typedef struct gradient_op {
    beam_nn_builder *b;
    beam_nn_op op;                              /* as the forward one, but for kind and operands */
    beam_nn_value results[BEAM_OP_MAX_OUTPUTS]; /* of no dtype: not wanted */
} gradient_op;

static gradient_op begin(beam_nn_builder *b, size_t index, beam_op_kind kind)
{
    gradient_op g = {.b = b, .op = b->net->ops[index]};
    g.op.kind = kind;
    g.op.forward = (uint32_t)index + 1;
    g.op.num_inputs = g.op.num_outputs = 0;
    return g;
}

static void reads(gradient_op *g, uint32_t value)
{
    g->op.inputs[g->op.num_inputs++] = value;
}

/* The next result: the gradient of `value`, unless that wants none. */
static void makes(gradient_op *g, uint32_t value)
{
    if (g->b->wants[value])
        g->results[g->op.num_outputs] = beam_nn_like(g->b, value);
    g->op.num_outputs++;
}

static bool end(gradient_op *g)
{
    return beam_nn_append_op(g->b->net, &g->op, g->results);
}

/* `gradient` goes back to `value`, and is added to what came from its other readers. */
static void send(beam_nn_builder *b, uint32_t value, uint32_t gradient)
{
    if (gradient == 0 || !b->wants[value])
        return;
    if (b->net->values[value].kind == BEAM_VALUE_PARAMETER) {
        beam_nn_take_gradient(b, value, gradient);
        return;
    }
    if (b->gradients[value] == 0) {
        b->gradients[value] = gradient;
        return;
    }
    beam_nn_op op = {.kind = BEAM_OP_ADD,
                     .name = "gradients",
                     .num_inputs = 2,
                     .inputs = {b->gradients[value], gradient},
                     .num_outputs = 1};
    beam_nn_value sum = beam_nn_like(b, value);
    if (beam_nn_append_op(b->net, &op, &sum))
        b->gradients[value] = op.outputs[0];
}

/* Convolution and linear layer.  The weights are read for the data's gradient before they are
 * updated. */
static void product(beam_nn_builder *b, size_t index, beam_op_kind data, beam_op_kind weights)
{
    const beam_nn_op forward = b->net->ops[index];
    uint32_t x = forward.inputs[0], w = forward.inputs[1];
    uint32_t bias = forward.num_inputs > 2 ? forward.inputs[2] : 0;
    uint32_t dy = b->gradients[forward.outputs[0]];
    if (b->wants[x]) {
        gradient_op g = begin(b, index, data);
        reads(&g, dy);
        reads(&g, w);
        makes(&g, x);
        if (end(&g))
            send(b, x, g.op.outputs[0]);
    }
    if (b->wants[w] || (bias && b->wants[bias])) {
        gradient_op g = begin(b, index, weights);
        reads(&g, x);
        reads(&g, dy);
        makes(&g, w);
        if (bias)
            makes(&g, bias);
        if (!end(&g))
            return;
        send(b, w, g.op.outputs[0]);
        if (bias)
            send(b, bias, g.op.outputs[1]);
    }
}

static void batch_norm(beam_nn_builder *b, size_t index)
{
    const beam_nn_op forward = b->net->ops[index];
    gradient_op g = begin(b, index, BEAM_OP_BATCH_NORM_GRAD);
    reads(&g, forward.inputs[0]);
    reads(&g, b->gradients[forward.outputs[0]]);
    reads(&g, forward.inputs[1]);
    reads(&g, forward.outputs[1]);
    reads(&g, forward.outputs[2]);
    for (uint32_t i = 0; i < 3; i++)
        makes(&g, forward.inputs[i]);
    if (!end(&g))
        return;
    for (uint32_t i = 0; i < 3; i++)
        send(b, forward.inputs[i], g.op.outputs[i]);
}

/* One operand whose gradient is a function of dy and, before it in the list, of `also` (0: of dy
 * alone). */
static void unary(beam_nn_builder *b, size_t index, beam_op_kind kind, uint32_t also)
{
    const beam_nn_op forward = b->net->ops[index];
    gradient_op g = begin(b, index, kind);
    if (also)
        reads(&g, also);
    reads(&g, b->gradients[forward.outputs[0]]);
    if (kind == BEAM_OP_DROPOUT_TRAINING)
        reads(&g, b->training->step);
    makes(&g, forward.inputs[0]);
    if (end(&g))
        send(b, forward.inputs[0], g.op.outputs[0]);
}

void beam_nn_gradient_op(beam_nn_builder *b, size_t index)
{
    const beam_nn_op op = b->net->ops[index]; /* the list moves */
    uint32_t dy = b->gradients[op.outputs[0]];
    if (dy == 0 || !b->wants[op.outputs[0]])
        return;
    switch (op.kind) {
    case BEAM_OP_CONV2D:
        product(b, index, BEAM_OP_CONV2D_GRAD_DATA, BEAM_OP_CONV2D_GRAD_WEIGHTS);
        break;
    case BEAM_OP_LINEAR:
        product(b, index, BEAM_OP_LINEAR_GRAD_DATA, BEAM_OP_LINEAR_GRAD_WEIGHTS);
        break;
    case BEAM_OP_BATCH_NORM_TRAINING:
        batch_norm(b, index);
        break;
    case BEAM_OP_RELU:
        unary(b, index, BEAM_OP_RELU_GRAD, op.outputs[0]);
        break;
    case BEAM_OP_GELU:
        unary(b, index, BEAM_OP_GELU_GRAD, op.inputs[0]);
        break;
    case BEAM_OP_ADD:
        send(b, op.inputs[0], dy);
        send(b, op.inputs[1], dy);
        break;
    case BEAM_OP_MAX_POOL2D:
        unary(b, index, BEAM_OP_MAX_POOL2D_GRAD, op.inputs[0]);
        break;
    case BEAM_OP_AVG_POOL2D:
        unary(b, index, BEAM_OP_AVG_POOL2D_GRAD, 0);
        break;
    case BEAM_OP_GLOBAL_AVG_POOL:
        unary(b, index, BEAM_OP_GLOBAL_AVG_POOL_GRAD, 0);
        break;
    case BEAM_OP_RESHAPE:
    case BEAM_OP_SCALE:
    case BEAM_OP_DROPOUT_TRAINING:
        unary(b, index, op.kind, 0);
        break;
    default:
        (void)beam_nn_fail(b->net, op.name, BEAM_INVALID_ARGUMENT,
                           "a %s has no gradient here; train on logits, the loss has its own "
                           "softmax",
                           beam_op_name(op.kind));
    }
}
