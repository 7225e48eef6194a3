/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_product.c - convolutions and linear layers in training, in the layouts that oneDNN
 * prefers for each of the three products. */
#include <string.h>

#include "device/onednn_train.h"

/* The operands of a product and its gradients, layouts left to oneDNN. */
typedef struct product {
    const beam_nn_op *forward;
    bool conv;
    uint32_t x, weight, bias, y; /* values, as in the forward pass; bias 0: none */
    const_dnnl_memory_desc_t x_any, weight_any, bias_plain, y_any;
    const_dnnl_memory_desc_t dweight_any; /* f32 whatever the weights are */
    dnnl_dims_t stride, left, right, dilation;
    const beam_onednn_taps *taps; /* those that the window is made of; NULL: all */
} product;

static beam_status any_weight(beam_onednn_lowering *l, const product *p, dnnl_data_type_t type,
                              const_dnnl_memory_desc_t *desc)
{
    const beam_nn_value *w = &l->t->b.network->values[p->weight];
    int64_t sizes[BEAM_TENSOR_MAX_RANK + 1] = {0};
    uint32_t rank = 0;
    bool grouped = p->conv && p->forward->groups > 1;
    if (grouped)
        sizes[rank++] = p->forward->groups;
    for (uint32_t i = 0; i < w->rank; i++)
        sizes[rank++] = w->shape[i];
    if (grouped)
        sizes[1] /= p->forward->groups;
    for (int i = 0; p->taps && i < 2; i++)
        sizes[2 + i] = p->taps->count[i];
    if (!p->conv && l->x.rank != 2)
        return beam_error_set(l->t->b.err, BEAM_UNIMPLEMENTED, "linear of rank %u", l->x.rank);
    return beam_onednn_any(&l->t->b, rank, sizes, type, desc);
}

static beam_status any_value(beam_onednn_lowering *l, uint32_t value, dnnl_data_type_t type,
                             const_dnnl_memory_desc_t *desc)
{
    beam_onednn_builder *b = &l->t->b;
    beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    return beam_onednn_any(b, shape.rank, shape.shape, type, desc);
}

/* Describes the forward product that `l->op` is or belongs to, with all taps or some. */
static beam_status describe(beam_onednn_lowering *l, product *p, const beam_onednn_taps *taps)
{
    beam_onednn_builder *b = &l->t->b;
    dnnl_data_type_t type = b->type;
    const beam_nn_op *f = l->op->forward ? &b->network->ops[l->op->forward - 1] : l->op;
    const beam_nn_window *w = &f->window;
    *p = (product){.forward = f,
                   .conv = f->kind == BEAM_OP_CONV2D,
                   .x = f->inputs[0],
                   .weight = f->inputs[1],
                   .bias = f->num_inputs > 2 ? f->inputs[2] : 0,
                   .y = f->outputs[0],
                   .stride = {w->stride, w->stride},
                   .left = {w->padding, w->padding},
                   .right = {w->padding, w->padding},
                   .dilation = {w->dilation - 1, w->dilation - 1},
                   .taps = taps};
    for (int i = 0; taps && i < 2; i++) {
        p->left[i] = taps->left[i];
        p->right[i] = taps->right[i];
    }
    BEAM_TRY(any_value(l, p->x, type, &p->x_any));
    BEAM_TRY(any_value(l, p->y, type, &p->y_any));
    BEAM_TRY(any_weight(l, p, type, &p->weight_any));
    BEAM_TRY(any_weight(l, p, dnnl_f32, &p->dweight_any));
    if (p->bias) {
        beam_tensor shape = beam_nn_shape(b->network, p->bias, 1);
        BEAM_TRY(beam_onednn_plain(b, &shape, dnnl_f32, &p->bias_plain));
    }
    return BEAM_OK;
}

static size_t forward_index(const beam_onednn_lowering *l, const product *p)
{
    return (size_t)(p->forward - l->t->b.network->ops);
}

static dnnl_status_t describe_forward(const beam_onednn_lowering *l, const product *p,
                                      const_dnnl_memory_desc_t y, dnnl_primitive_desc_t *made)
{
    dnnl_engine_t engine = l->t->b.engine;
    if (p->conv)
        return dnnl_convolution_forward_primitive_desc_create(
            made, engine, dnnl_forward_training, dnnl_convolution_direct, p->x_any, p->weight_any,
            p->bias_plain, y, p->stride, p->dilation, p->left, p->right, l->attr);
    return dnnl_inner_product_forward_primitive_desc_create(
        made, engine, dnnl_forward_training, p->x_any, p->weight_any, p->bias_plain, y, l->attr);
}

static dnnl_status_t describe_weights(const beam_onednn_lowering *l, const product *p, bool bias,
                                      dnnl_primitive_desc_t *made)
{
    dnnl_engine_t engine = l->t->b.engine;
    const_dnnl_primitive_desc_t hint = l->t->described[forward_index(l, p)];
    const_dnnl_memory_desc_t dbias = bias ? p->bias_plain : NULL;
    if (p->conv)
        return dnnl_convolution_backward_weights_primitive_desc_create(
            made, engine, dnnl_convolution_direct, p->x_any, p->dweight_any, dbias, p->y_any,
            p->stride, p->dilation, p->left, p->right, hint, l->attr);
    return dnnl_inner_product_backward_weights_primitive_desc_create(
        made, engine, p->x_any, p->dweight_any, dbias, p->y_any, hint, l->attr);
}

static dnnl_status_t describe_data(const beam_onednn_lowering *l, const product *p,
                                   dnnl_primitive_desc_t *made)
{
    dnnl_engine_t engine = l->t->b.engine;
    const_dnnl_primitive_desc_t hint = l->t->described[forward_index(l, p)];
    if (p->conv)
        return dnnl_convolution_backward_data_primitive_desc_create(
            made, engine, dnnl_convolution_direct, p->x_any, p->weight_any, p->y_any, p->stride,
            p->dilation, p->left, p->right, hint, l->attr);
    return dnnl_inner_product_backward_data_primitive_desc_create(
        made, engine, p->x_any, p->weight_any, p->y_any, hint, l->attr);
}

/* ---- lowering ---- */

static beam_status chosen(beam_onednn_lowering *l, dnnl_query_t what,
                          const_dnnl_memory_desc_t *desc)
{
    return beam_onednn_chosen(&l->t->b, l->t->described[l->index], what, desc);
}

static beam_status read_chosen(beam_onednn_lowering *l, int arg, uint32_t value, dnnl_query_t what)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(chosen(l, what, &desc));
    return beam_onednn_operand(l, arg, value, desc);
}

static beam_status make_chosen(beam_onednn_lowering *l, int arg, uint32_t value, dnnl_query_t what)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(chosen(l, what, &desc));
    return beam_onednn_result(l, arg, value, desc);
}

static beam_status finish(beam_onednn_lowering *l)
{
    return beam_onednn_step_add(&l->t->b, l->op->name, l->t->described[l->index], l->args,
                                l->num_args);
}

static beam_status read_weight(beam_onednn_lowering *l, const product *p)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(chosen(l, dnnl_query_weights_md, &desc));
    if (p->taps)
        return beam_onednn_operand_part(l, DNNL_ARG_WEIGHTS, p->weight, p->taps, desc);
    return beam_onednn_operand(l, DNNL_ARG_WEIGHTS, p->weight, desc);
}

/* The operation that makes the weight's gradient, or NULL. */
static const beam_nn_op *find_gradient(const beam_onednn_lowering *l)
{
    const beam_network *network = l->t->b.network;
    for (size_t i = l->index; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        if (op->forward == l->index + 1 && op->outputs[0] != 0 &&
            (op->kind == BEAM_OP_CONV2D_GRAD_WEIGHTS || op->kind == BEAM_OP_LINEAR_GRAD_WEIGHTS))
            return op;
    }
    return NULL;
}

/* The weight's gradient is made later, but decides now how the weight is kept: `desc` is the layout
 * of both, or of the weight that is not trained. */
static beam_status weight_layout(beam_onednn_lowering *l, const product *p,
                                 const_dnnl_memory_desc_t *desc)
{
    const beam_nn_op *gradient = find_gradient(l);
    if (gradient) {
        dnnl_primitive_desc_t *made = &l->t->described[(size_t)(gradient - l->t->b.network->ops)];
        bool by_amx = false;
        BEAM_TRY(beam_onednn_train_amx_layout(l, desc, &by_amx));
        if (!by_amx) {
            BEAM_TRY(beam_onednn_train_check(
                l, describe_weights(l, p, gradient->num_outputs > 1, made)));
            BEAM_TRY(beam_onednn_chosen(&l->t->b, *made, dnnl_query_diff_weights_md, desc));
        }
        return beam_onednn_train_by_muon(l->t->b.network, p->weight)
                   ? beam_onednn_plain_of(&l->t->b, *desc, desc)
                   : BEAM_OK;
    }
    BEAM_TRY(chosen(l, dnnl_query_weights_md, desc));
    return l->t->b.type == dnnl_f32 ? BEAM_OK : beam_onednn_plain_of(&l->t->b, *desc, desc);
}

static beam_status describe_all(beam_onednn_lowering *l, const product *p,
                                const_dnnl_memory_desc_t *weight)
{
    const_dnnl_memory_desc_t y = p->y_any;
    if (!p->conv)
        BEAM_TRY(beam_onednn_train_plain(l, p->y, &y));
    BEAM_TRY(beam_onednn_train_check(l, describe_forward(l, p, y, &l->t->described[l->index])));
    return weight_layout(l, p, weight);
}

/* Forgets the descriptions of a product that is to be described otherwise. */
static void undescribe(beam_onednn_lowering *l)
{
    const beam_nn_op *gradient = find_gradient(l);
    size_t indices[] = {l->index, gradient ? (size_t)(gradient - l->t->b.network->ops) : l->index};
    for (int i = 0; i < 2; i++) {
        dnnl_primitive_desc_t *made = &l->t->described[indices[i]];
        if (*made)
            (void)dnnl_primitive_desc_destroy(*made);
        *made = NULL;
    }
}

/* Describes a convolution without the taps that never meet the image, if there are such and the
 * layouts that oneDNN chooses are parts of ones for whole weights; else p->taps stays NULL. */
static beam_status try_taps(beam_onednn_lowering *l, product *p)
{
    beam_onednn_taps *taps = &l->t->taps[l->index];
    const int64_t *sizes = l->t->b.network->values[p->weight].shape;
    const_dnnl_memory_desc_t part, whole;
    if (!p->conv || l->op->groups > 1 || l->t->b.buffer_of[p->weight] != 0 ||
        beam_onednn_train_by_muon(l->t->b.network, p->weight) ||
        !beam_onednn_taps_find(l->op, &l->x, &l->y, taps))
        return BEAM_OK;
    BEAM_TRY(describe(l, p, taps));
    BEAM_TRY(describe_all(l, p, &part));
    BEAM_TRY(beam_onednn_taps_whole(&l->t->b, part, sizes, taps, &whole));
    if (whole)
        return beam_onednn_train_keep(l->t, p->weight, whole);
    undescribe(l);
    taps->inner = 0;
    return describe(l, p, NULL);
}

static beam_status lower_forward(beam_onednn_lowering *l, product *p)
{
    const_dnnl_memory_desc_t weight;
    BEAM_TRY(try_taps(l, p));
    if (!p->taps) {
        BEAM_TRY(describe_all(l, p, &weight));
        BEAM_TRY(beam_onednn_train_keep(l->t, p->weight, weight));
    }
    BEAM_TRY(read_chosen(l, DNNL_ARG_SRC, p->x, dnnl_query_src_md));
    BEAM_TRY(read_weight(l, p));
    if (p->bias)
        BEAM_TRY(beam_onednn_operand(l, DNNL_ARG_BIAS, p->bias, p->bias_plain));
    BEAM_TRY(make_chosen(l, DNNL_ARG_DST, p->y, dnnl_query_dst_md));
    return finish(l);
}

/* oneDNN 3.2's backward product in blocks of 16 channels is a fifth slower than its forward one
 * where an image is 7 wide in bf16; with channels innermost it is as fast, reorders included. */
static bool wants_channels_innermost(const beam_onednn_lowering *l, const product *p)
{
    const beam_nn_value *x = &l->t->b.network->values[p->x];
    const beam_nn_window *w = &p->forward->window;
    return p->conv && l->t->b.type == dnnl_bf16 && p->forward->groups == 1 && w->stride == 1 &&
           w->kernel > 1 && x->shape[1] >= 64 && x->shape[3] == 7;
}

static beam_status innermost(beam_onednn_lowering *l, uint32_t value,
                             const_dnnl_memory_desc_t *desc)
{
    beam_onednn_builder *b = &l->t->b;
    beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    dnnl_dims_t sizes = {shape.shape[0], shape.shape[1], shape.shape[2], shape.shape[3]};
    return beam_onednn_tagged(b, 4, sizes, b->type, dnnl_acdb, desc);
}

/* Whether the description is of one of oneDNN's fast products. */
static bool is_fast(const_dnnl_primitive_desc_t description)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) ==
               dnnl_success &&
           name && (strncmp(name, "jit", 3) == 0 || strncmp(name, "brg", 3) == 0);
}

/* In the layouts of the forward product, if there is a fast one: then neither operand nor result
 * need a reorder.  Otherwise as oneDNN likes it. */
static beam_status choose_data(beam_onednn_lowering *l, product *p, dnnl_primitive_desc_t *made)
{
    dnnl_primitive_desc_t forward = l->t->described[forward_index(l, p)];
    product like = *p;
    if (wants_channels_innermost(l, p)) {
        BEAM_TRY(innermost(l, p->x, &like.x_any));
        BEAM_TRY(innermost(l, p->y, &like.y_any));
    } else if (p->conv) {
        BEAM_TRY(beam_onednn_chosen(&l->t->b, forward, dnnl_query_src_md, &like.x_any));
        BEAM_TRY(beam_onednn_chosen(&l->t->b, forward, dnnl_query_dst_md, &like.y_any));
    }
    if (describe_data(l, &like, made) == dnnl_success && is_fast(*made))
        return BEAM_OK;
    if (*made)
        (void)dnnl_primitive_desc_destroy(*made);
    *made = NULL;
    return beam_onednn_train_check(l, describe_data(l, p, made));
}

static beam_status lower_data(beam_onednn_lowering *l, product *p)
{
    BEAM_TRY(choose_data(l, p, &l->t->described[l->index]));
    BEAM_TRY(read_chosen(l, DNNL_ARG_DIFF_DST, l->op->inputs[0], dnnl_query_diff_dst_md));
    BEAM_TRY(read_weight(l, p));
    BEAM_TRY(make_chosen(l, DNNL_ARG_DIFF_SRC, l->op->outputs[0], dnnl_query_diff_src_md));
    return finish(l);
}

/* Described with the forward product, unless only the bias is trained. */
static beam_status lower_weights(beam_onednn_lowering *l, const product *p)
{
    bool bias = l->op->num_outputs > 1;
    dnnl_primitive_desc_t *made = &l->t->described[l->index];
    if (!*made)
        BEAM_TRY(beam_onednn_train_check(l, describe_weights(l, p, bias, made)));
    BEAM_TRY(read_chosen(l, DNNL_ARG_SRC, p->x, dnnl_query_src_md));
    BEAM_TRY(read_chosen(l, DNNL_ARG_DIFF_DST, l->op->inputs[1], dnnl_query_diff_dst_md));
    BEAM_TRY(make_chosen(l, DNNL_ARG_DIFF_WEIGHTS, l->op->outputs[0], dnnl_query_diff_weights_md));
    if (p->taps && l->op->outputs[0])
        BEAM_TRY(beam_onednn_train_is_partial(l->t, l->op->outputs[0], p->taps, 0));
    if (bias)
        BEAM_TRY(beam_onednn_result(l, DNNL_ARG_DIFF_BIAS, l->op->outputs[1], p->bias_plain));
    return finish(l);
}

beam_status beam_onednn_train_product(beam_onednn_lowering *l)
{
    product p;
    bool done = false;
    const beam_onednn_taps *taps = NULL;
    BEAM_TRY(beam_onednn_train_winograd(l, &done));
    if (!done)
        BEAM_TRY(beam_onednn_train_amx(l, &done));
    if (done)
        return BEAM_OK;
    if (l->op->forward && l->t->taps[l->op->forward - 1].inner)
        taps = &l->t->taps[l->op->forward - 1];
    switch (l->op->kind) {
    case BEAM_OP_CONV2D:
    case BEAM_OP_LINEAR:
        BEAM_TRY(describe(l, &p, NULL));
        return lower_forward(l, &p);
    case BEAM_OP_CONV2D_GRAD_DATA:
    case BEAM_OP_LINEAR_GRAD_DATA:
        BEAM_TRY(describe(l, &p, taps));
        return lower_data(l, &p);
    case BEAM_OP_CONV2D_GRAD_WEIGHTS:
    case BEAM_OP_LINEAR_GRAD_WEIGHTS:
        BEAM_TRY(describe(l, &p, taps));
        return lower_weights(l, &p);
    default:
        return beam_onednn_train_other(l);
    }
}
