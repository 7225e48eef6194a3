/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_product.c - convolutions and linear layers: forward, the gradient of their data, the
 * gradient of their weights.  All are described before anything is planned, since the weights lie
 * in the layout that their gradient comes in. */
#include <string.h>

#include "device/onednn_train.h"

uint32_t beam_onednn_weight_sizes(const beam_onednn_train_builder *t, const beam_nn_op *op,
                                  uint32_t weight, int64_t *sizes)
{
    const beam_nn_value *w = &t->b.network->values[weight];
    bool conv = op->kind == BEAM_OP_CONV2D || op->kind == BEAM_OP_CONV2D_GRAD_DATA ||
                op->kind == BEAM_OP_CONV2D_GRAD_WEIGHTS;
    uint32_t rank = 0;
    if (conv && op->groups > 1)
        sizes[rank++] = op->groups;
    for (uint32_t i = 0; i < w->rank; i++)
        sizes[rank++] = w->shape[i];
    if (rank == 5)
        sizes[1] /= op->groups;
    return rank;
}

/* Layouts of one product: x, weights, bias and y, or their gradients. */
typedef struct product_descs {
    const_dnnl_memory_desc_t x, weights, bias, y;
    dnnl_dims_t stride, padding, dilation;
} product_descs;

/* `weights_type`: bf16 to multiply with, f32 for a gradient. */
static beam_status describe(beam_onednn_train_builder *t, const beam_nn_op *forward,
                            dnnl_data_type_t weights_type, bool bias, dnnl_data_type_t y_type,
                            product_descs *d)
{
    beam_onednn_builder *b = &t->b;
    beam_tensor x = beam_onednn_train_shape(t, forward->inputs[0]);
    beam_tensor y = beam_onednn_train_shape(t, forward->outputs[0]);
    const beam_nn_window *w = &forward->window;
    int64_t sizes[5];
    uint32_t rank = beam_onednn_weight_sizes(t, forward, forward->inputs[1], sizes);
    *d = (product_descs){.stride = {w->stride, w->stride},
                         .padding = {w->padding, w->padding},
                         .dilation = {w->dilation - 1, w->dilation - 1}};
    BEAM_TRY(beam_onednn_any(b, x.rank, x.shape, t->type, &d->x));
    BEAM_TRY(beam_onednn_any(b, rank, sizes, weights_type, &d->weights));
    if (bias) {
        beam_tensor shape = beam_onednn_train_shape(t, forward->inputs[2]);
        BEAM_TRY(beam_onednn_plain(b, &shape, dnnl_f32, &d->bias));
    }
    if (forward->kind == BEAM_OP_LINEAR)
        return beam_onednn_plain(b, &y, y_type, &d->y);
    return beam_onednn_any(b, y.rank, y.shape, y_type, &d->y);
}

static beam_status describe_forward(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    product_descs d;
    dnnl_status_t status;
    BEAM_TRY(describe(t, op, t->type, op->num_inputs > 2, beam_onednn_train_type(t, op->outputs[0]),
                      &d));
    if (op->kind == BEAM_OP_CONV2D)
        status = dnnl_convolution_forward_primitive_desc_create(
            &t->layers[index].forward, t->b.engine, dnnl_forward_training, dnnl_convolution_direct,
            d.x, d.weights, d.bias, d.y, d.stride, d.dilation, d.padding, d.padding, t->attr);
    else
        status = dnnl_inner_product_forward_primitive_desc_create(
            &t->layers[index].forward, t->b.engine, dnnl_forward_training, d.x, d.weights, d.bias,
            d.y, t->attr);
    return beam_onednn_train_status(t, index, status);
}

static beam_status describe_data(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    const beam_nn_op *forward = &t->b.network->ops[op->forward - 1];
    beam_onednn_layer *layer = &t->layers[op->forward - 1];
    product_descs d;
    dnnl_status_t status;
    BEAM_TRY(describe(t, forward, t->type, false, t->type, &d));
    if (forward->kind == BEAM_OP_CONV2D)
        status = dnnl_convolution_backward_data_primitive_desc_create(
            &layer->data, t->b.engine, dnnl_convolution_direct, d.x, d.weights, d.y, d.stride,
            d.dilation, d.padding, d.padding, layer->forward, t->attr);
    else
        status = dnnl_inner_product_backward_data_primitive_desc_create(
            &layer->data, t->b.engine, d.x, d.weights, d.y, layer->forward, t->attr);
    return beam_onednn_train_status(t, index, status);
}

static beam_status describe_weights(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    const beam_nn_op *forward = &t->b.network->ops[op->forward - 1];
    beam_onednn_layer *layer = &t->layers[op->forward - 1];
    product_descs d;
    dnnl_status_t status;
    BEAM_TRY(describe(t, forward, dnnl_f32, op->num_outputs > 1, t->type, &d));
    if (forward->kind == BEAM_OP_CONV2D)
        status = dnnl_convolution_backward_weights_primitive_desc_create(
            &layer->weights, t->b.engine, dnnl_convolution_direct, d.x, d.weights, d.bias, d.y,
            d.stride, d.dilation, d.padding, d.padding, layer->forward, t->attr);
    else
        status = dnnl_inner_product_backward_weights_primitive_desc_create(
            &layer->weights, t->b.engine, d.x, d.weights, d.bias, d.y, layer->forward, t->attr);
    return beam_onednn_train_status(t, index, status);
}

/* The weights of a layer get the layout of their gradient, if they have one, in f32. */
static beam_status place_weights(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    uint32_t buffer = 0;
    const_dnnl_memory_desc_t desc;
    if (t->layers[index].weights) {
        BEAM_TRY(
            beam_onednn_chosen(&t->b, t->layers[index].weights, dnnl_query_diff_weights_md, &desc));
    } else {
        int64_t sizes[5];
        beam_tensor shape = {.dtype = BEAM_F32};
        shape.rank = beam_onednn_weight_sizes(t, op, op->inputs[1], sizes);
        memcpy(shape.shape, sizes, shape.rank * sizeof *sizes);
        BEAM_TRY(beam_onednn_plain(&t->b, &shape, dnnl_f32, &desc));
    }
    BEAM_TRY(beam_onednn_train_result(t, op->inputs[1], desc, &buffer));
    t->b.plan->buffers[buffer].lasts = true;
    return BEAM_OK;
}

beam_status beam_onednn_train_products(beam_onednn_train_builder *t)
{
    const beam_network *net = t->b.network;
    for (uint32_t i = 0; i < net->num_ops; i++) {
        beam_op_kind kind = net->ops[i].kind;
        if (kind == BEAM_OP_CONV2D || kind == BEAM_OP_LINEAR)
            BEAM_TRY(describe_forward(t, i));
        if (kind == BEAM_OP_CONV2D_GRAD_DATA || kind == BEAM_OP_LINEAR_GRAD_DATA)
            BEAM_TRY(describe_data(t, i));
        if (kind == BEAM_OP_CONV2D_GRAD_WEIGHTS || kind == BEAM_OP_LINEAR_GRAD_WEIGHTS)
            BEAM_TRY(describe_weights(t, i));
    }
    for (uint32_t i = 0; i < net->num_ops; i++)
        if (net->ops[i].kind == BEAM_OP_CONV2D || net->ops[i].kind == BEAM_OP_LINEAR)
            BEAM_TRY(place_weights(t, i));
    return BEAM_OK;
}

/* ---- steps ---- */

/* An operand in the layout that the primitive wants. */
static beam_status operand(beam_onednn_train_builder *t, dnnl_primitive_desc_t primitive,
                           dnnl_query_t what, int arg, uint32_t value, beam_onednn_arg *made)
{
    const_dnnl_memory_desc_t desc;
    uint32_t buffer = 0;
    BEAM_TRY(beam_onednn_chosen(&t->b, primitive, what, &desc));
    BEAM_TRY(beam_onednn_value_as(&t->b, value, desc, &buffer));
    *made = beam_onednn_from(arg, buffer);
    return BEAM_OK;
}

/* A result in the layout that the primitive chose; of no value: memory to write to all the same. */
static beam_status result(beam_onednn_train_builder *t, dnnl_primitive_desc_t primitive,
                          dnnl_query_t what, int arg, uint32_t value, beam_onednn_arg *made)
{
    const_dnnl_memory_desc_t desc;
    uint32_t buffer = 0;
    BEAM_TRY(beam_onednn_chosen(&t->b, primitive, what, &desc));
    if (value)
        BEAM_TRY(beam_onednn_train_result(t, value, desc, &buffer));
    else
        BEAM_TRY(beam_onednn_buffer_new(&t->b, desc, &buffer));
    *made = beam_onednn_from(arg, buffer);
    return BEAM_OK;
}

static beam_status forward_step(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    dnnl_primitive_desc_t p = t->layers[index].forward;
    beam_onednn_arg args[4];
    uint32_t n = 0;
    BEAM_TRY(operand(t, p, dnnl_query_src_md, DNNL_ARG_SRC, op->inputs[0], &args[n++]));
    BEAM_TRY(operand(t, p, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, op->inputs[1], &args[n++]));
    if (op->num_inputs > 2)
        args[n++] = beam_onednn_from(DNNL_ARG_BIAS, t->b.buffer_of[op->inputs[2]] - 1);
    BEAM_TRY(result(t, p, dnnl_query_dst_md, DNNL_ARG_DST, op->outputs[0], &args[n++]));
    return beam_onednn_step_add(&t->b, op->name, p, args, n);
}

static beam_status data_step(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    dnnl_primitive_desc_t p = t->layers[op->forward - 1].data;
    beam_onednn_arg args[3];
    BEAM_TRY(operand(t, p, dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST, op->inputs[0], &args[0]));
    BEAM_TRY(operand(t, p, dnnl_query_weights_md, DNNL_ARG_WEIGHTS, op->inputs[1], &args[1]));
    BEAM_TRY(result(t, p, dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC, op->outputs[0], &args[2]));
    return beam_onednn_step_add(&t->b, op->name, p, args, 3);
}

static beam_status weights_step(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    dnnl_primitive_desc_t p = t->layers[op->forward - 1].weights;
    beam_onednn_arg args[4];
    uint32_t n = 0;
    BEAM_TRY(operand(t, p, dnnl_query_src_md, DNNL_ARG_SRC, op->inputs[0], &args[n++]));
    BEAM_TRY(operand(t, p, dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST, op->inputs[1], &args[n++]));
    BEAM_TRY(result(t, p, dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS, op->outputs[0],
                    &args[n++]));
    if (op->num_outputs > 1) {
        uint32_t buffer = 0;
        beam_tensor shape =
            beam_onednn_train_shape(t, t->b.network->ops[op->forward - 1].inputs[2]);
        const_dnnl_memory_desc_t desc;
        BEAM_TRY(beam_onednn_plain(&t->b, &shape, dnnl_f32, &desc));
        if (op->outputs[1])
            BEAM_TRY(beam_onednn_train_result(t, op->outputs[1], desc, &buffer));
        else
            BEAM_TRY(beam_onednn_buffer_new(&t->b, desc, &buffer));
        args[n++] = beam_onednn_from(DNNL_ARG_DIFF_BIAS, buffer);
    }
    return beam_onednn_step_add(&t->b, op->name, p, args, n);
}

beam_status beam_onednn_train_product(beam_onednn_train_builder *t, uint32_t index)
{
    switch (t->b.network->ops[index].kind) {
    case BEAM_OP_CONV2D:
    case BEAM_OP_LINEAR:
        return forward_step(t, index);
    case BEAM_OP_CONV2D_GRAD_DATA:
    case BEAM_OP_LINEAR_GRAD_DATA:
        return data_step(t, index);
    default:
        return weights_step(t, index);
    }
}
