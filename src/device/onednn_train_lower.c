/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_lower.c - one operation of a training step to a oneDNN primitive, or to a loop of
 * our own.  Everything but convolutions and linear layers works in the layout that its operand has,
 * and writes over an operand that nobody reads afterwards where it can: less memory to pass through
 * the caches. */
#include "device/onednn_train.h"

/* ---- what several share ---- */

static uint32_t buffer_of(const beam_onednn_train_builder *t, uint32_t value)
{
    return t->b.buffer_of[value] ? t->b.buffer_of[value] - 1 : BEAM_ONEDNN_ABSENT;
}

/* Values without a layout of their own: row-major, f32; a single number is {1}. */
static beam_status plain_result(beam_onednn_train_builder *t, uint32_t value, uint32_t *buffer)
{
    beam_tensor shape = beam_onednn_train_shape(t, value);
    const_dnnl_memory_desc_t desc;
    if (shape.rank == 0)
        shape = (beam_tensor){.dtype = BEAM_F32, .rank = 1, .shape = {1}};
    BEAM_TRY(beam_onednn_plain(&t->b, &shape, dnnl_f32, &desc));
    return beam_onednn_train_result(t, value, desc, buffer);
}

/* The value as row-major f32. */
static beam_status plain_operand(beam_onednn_train_builder *t, uint32_t value, uint32_t *buffer)
{
    beam_tensor shape = beam_onednn_train_shape(t, value);
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(beam_onednn_plain(&t->b, &shape, dnnl_f32, &desc));
    return beam_onednn_value_as(&t->b, value, desc, buffer);
}

/* A result of `value`'s operand's layout, over that operand if it dies here. */
static beam_status result_like(beam_onednn_train_builder *t, uint32_t index, uint32_t operand,
                               uint32_t value, uint32_t *buffer)
{
    if (beam_onednn_train_dies(t, operand, index))
        return beam_onednn_train_result_over(t, value, t->b.buffer_of[operand] - 1, buffer);
    return beam_onednn_train_result(t, value, beam_onednn_train_desc(t, operand), buffer);
}

/* Ends with a primitive description that was made here, which is released. */
static beam_status finish(beam_onednn_train_builder *t, uint32_t index, beam_status status,
                          dnnl_primitive_desc_t made, const beam_onednn_arg *args, uint32_t n)
{
    if (status == BEAM_OK)
        status = beam_onednn_step_add(&t->b, t->b.network->ops[index].name, made, args, n);
    if (made)
        (void)dnnl_primitive_desc_destroy(made);
    return status;
}

/* A buffer for what the forward primitive leaves for its gradient. */
static beam_status add_workspace(beam_onednn_train_builder *t, beam_onednn_layer *layer,
                                 uint32_t *buffer)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(beam_onednn_chosen(&t->b, layer->forward, dnnl_query_workspace_md, &desc));
    BEAM_TRY(beam_onednn_buffer_new(&t->b, desc, buffer));
    layer->workspace = *buffer + 1;
    return BEAM_OK;
}

/* ---- batch norm ---- */

static unsigned norm_flags(const beam_onednn_layer *layer)
{
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    return layer->fused ? flags | dnnl_fuse_norm_relu : flags;
}

static beam_status norm_averages(beam_onednn_train_builder *t, uint32_t index, uint32_t mean,
                                 uint32_t variance)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    beam_tensor x = beam_onednn_train_shape(t, op->inputs[0]);
    int64_t each = x.shape[0]; /* how many numbers a channel has */
    uint32_t buffers[] = {mean, variance, buffer_of(t, op->inputs[3]), buffer_of(t, op->inputs[4])};
    for (uint32_t i = 2; i < x.rank; i++)
        each *= x.shape[i];
    t->b.buffer_of[op->outputs[3]] = t->b.buffer_of[op->inputs[3]];
    t->b.buffer_of[op->outputs[4]] = t->b.buffer_of[op->inputs[4]];
    return beam_onednn_kernel_add(&t->b, op, beam_onednn_averages, (size_t)x.shape[1], (size_t)each,
                                  buffers, 4);
}

static beam_status norm_forward(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    beam_onednn_layer *layer = &t->layers[index];
    const_dnnl_memory_desc_t x = beam_onednn_train_desc(t, op->inputs[0]);
    beam_onednn_arg args[7];
    uint32_t n = 0, y = 0, mean = 0, variance = 0, workspace = 0;
    BEAM_TRY(beam_onednn_train_status(t, index,
                                      dnnl_batch_normalization_forward_primitive_desc_create(
                                          &layer->forward, t->b.engine, dnnl_forward_training, x, x,
                                          op->epsilon, norm_flags(layer), t->attr)));
    args[n++] = beam_onednn_from(DNNL_ARG_SRC, buffer_of(t, op->inputs[0]));
    args[n++] = beam_onednn_from(DNNL_ARG_SCALE, buffer_of(t, op->inputs[1]));
    args[n++] = beam_onednn_from(DNNL_ARG_SHIFT, buffer_of(t, op->inputs[2]));
    BEAM_TRY(beam_onednn_train_result(t, op->outputs[0], x, &y));
    args[n++] = beam_onednn_from(DNNL_ARG_DST, y);
    BEAM_TRY(plain_result(t, op->outputs[1], &mean));
    BEAM_TRY(plain_result(t, op->outputs[2], &variance));
    args[n++] = beam_onednn_from(DNNL_ARG_MEAN, mean);
    args[n++] = beam_onednn_from(DNNL_ARG_VARIANCE, variance);
    if (layer->fused) {
        BEAM_TRY(add_workspace(t, layer, &workspace));
        args[n++] = beam_onednn_from(DNNL_ARG_WORKSPACE, workspace);
        const beam_nn_op *relu = &t->b.network->ops[t->last_reader[op->outputs[0]] - 1];
        t->b.buffer_of[relu->outputs[0]] = y + 1;
    }
    BEAM_TRY(beam_onednn_step_add(&t->b, op->name, layer->forward, args, n));
    return norm_averages(t, index, mean, variance);
}

/* The gradient that comes to a batch norm, past the relu that it is fused with. */
static uint32_t norm_incoming(const beam_onednn_train_builder *t, const beam_nn_op *op)
{
    const beam_nn_value *dy = &t->b.network->values[op->inputs[1]];
    if (!t->layers[op->forward - 1].fused)
        return op->inputs[1];
    return t->b.network->ops[dy->index].inputs[1];
}

/* The gradient of its weight or bias; oneDNN makes both, wanted or not. */
static beam_status norm_result(beam_onednn_train_builder *t, uint32_t value, uint32_t like,
                               uint32_t *buffer)
{
    if (value)
        return plain_result(t, value, buffer);
    return beam_onednn_buffer_new(&t->b, beam_onednn_train_desc(t, like), buffer);
}

static beam_status norm_backward(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    const beam_onednn_layer *layer = &t->layers[op->forward - 1];
    const_dnnl_memory_desc_t x = beam_onednn_train_desc(t, op->inputs[0]);
    uint32_t incoming = norm_incoming(t, op), dy = 0, dx = 0, dweight = 0, dbias = 0, n = 0;
    beam_onednn_arg args[9];
    BEAM_TRY(beam_onednn_value_as(&t->b, incoming, x, &dy));
    dnnl_primitive_desc_t made = NULL;
    beam_status status =
        beam_onednn_train_status(t, index,
                                 dnnl_batch_normalization_backward_primitive_desc_create(
                                     &made, t->b.engine, dnnl_backward, x, x, x, op->epsilon,
                                     norm_flags(layer), layer->forward, t->attr));
    if (status == BEAM_OK && op->outputs[0] && dy == buffer_of(t, incoming) &&
        beam_onednn_train_dies(t, incoming, index))
        status = beam_onednn_train_result_over(t, op->outputs[0], dy, &dx);
    else if (status == BEAM_OK && op->outputs[0])
        status = beam_onednn_train_result(t, op->outputs[0], x, &dx);
    else if (status == BEAM_OK)
        status = beam_onednn_buffer_new(&t->b, x, &dx);
    if (status == BEAM_OK)
        status = norm_result(t, op->outputs[1], op->inputs[2], &dweight);
    if (status == BEAM_OK)
        status = norm_result(t, op->outputs[2], op->inputs[2], &dbias);
    args[n++] = beam_onednn_from(DNNL_ARG_SRC, buffer_of(t, op->inputs[0]));
    args[n++] = beam_onednn_from(DNNL_ARG_DIFF_DST, dy);
    args[n++] = beam_onednn_from(DNNL_ARG_SCALE, buffer_of(t, op->inputs[2]));
    args[n++] = beam_onednn_from(DNNL_ARG_MEAN, buffer_of(t, op->inputs[3]));
    args[n++] = beam_onednn_from(DNNL_ARG_VARIANCE, buffer_of(t, op->inputs[4]));
    args[n++] = beam_onednn_from(DNNL_ARG_DIFF_SRC, dx);
    args[n++] = beam_onednn_from(DNNL_ARG_DIFF_SCALE, dweight);
    args[n++] = beam_onednn_from(DNNL_ARG_DIFF_SHIFT, dbias);
    if (layer->fused)
        args[n++] = beam_onednn_from(DNNL_ARG_WORKSPACE, layer->workspace - 1);
    return finish(t, index, status, made, args, n);
}

/* ---- elementwise ---- */

static beam_status eltwise_forward(beam_onednn_train_builder *t, uint32_t index,
                                   dnnl_alg_kind_t kind, float alpha)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    dnnl_primitive_desc_t made = NULL;
    uint32_t from = buffer_of(t, op->inputs[0]), y = 0;
    if (t->type != dnnl_f32 && op->outputs[0] == t->program->logits)
        BEAM_TRY(plain_operand(t, op->inputs[0], &from));
    const_dnnl_memory_desc_t x = t->b.plan->buffers[from].desc;
    beam_status status = beam_onednn_train_status(
        t, index,
        dnnl_eltwise_forward_primitive_desc_create(&made, t->b.engine, dnnl_forward_training, kind,
                                                   x, x, alpha, 0, t->attr));
    if (status == BEAM_OK && from == buffer_of(t, op->inputs[0]))
        status = result_like(t, index, op->inputs[0], op->outputs[0], &y);
    else if (status == BEAM_OK)
        status = beam_onednn_train_result(t, op->outputs[0], x, &y);
    return finish(t, index, status, made,
                  (const beam_onednn_arg[]){beam_onednn_from(DNNL_ARG_SRC, from),
                                            beam_onednn_from(DNNL_ARG_DST, y)},
                  2);
}

static beam_status relu_backward(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    const_dnnl_memory_desc_t y = beam_onednn_train_desc(t, op->inputs[0]);
    dnnl_primitive_desc_t made = NULL, hint = NULL;
    uint32_t dy = 0, dx = 0;
    BEAM_TRY(beam_onednn_value_as(&t->b, op->inputs[1], y, &dy));
    dnnl_status_t described = dnnl_eltwise_forward_primitive_desc_create(
        &hint, t->b.engine, dnnl_forward_training, dnnl_eltwise_relu_use_dst_for_bwd, y, y, 0, 0,
        t->attr);
    if (described == dnnl_success)
        described = dnnl_eltwise_backward_primitive_desc_create(
            &made, t->b.engine, dnnl_eltwise_relu_use_dst_for_bwd, y, y, y, 0, 0, hint, t->attr);
    if (hint)
        (void)dnnl_primitive_desc_destroy(hint);
    beam_status status = beam_onednn_train_status(t, index, described);
    if (status == BEAM_OK && dy == buffer_of(t, op->inputs[1]))
        status = result_like(t, index, op->inputs[1], op->outputs[0], &dx);
    else if (status == BEAM_OK)
        status = beam_onednn_train_result(t, op->outputs[0], y, &dx);
    return finish(t, index, status, made,
                  (const beam_onednn_arg[]){
                      beam_onednn_from(DNNL_ARG_DST, buffer_of(t, op->inputs[0])),
                      beam_onednn_from(DNNL_ARG_DIFF_DST, dy),
                      beam_onednn_from(DNNL_ARG_DIFF_SRC, dx),
                  },
                  3);
}

static dnnl_status_t add_relu(dnnl_primitive_attr_t attr)
{
    dnnl_post_ops_t after = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&after);
    if (status == dnnl_success)
        status = dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, 0.0f, 0.0f);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attr, after);
    if (after)
        (void)dnnl_post_ops_destroy(after);
    return status;
}

/* The sum, and the relu that follows it where only that reads it. */
static beam_status add(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    const beam_onednn_layer *layer = &t->layers[index];
    uint32_t a = op->inputs[0], other = 0, y = 0;
    const_dnnl_memory_desc_t desc = beam_onednn_train_desc(t, a);
    uint32_t from = buffer_of(t, a);
    dnnl_primitive_desc_t made = NULL;
    dnnl_primitive_attr_t attr = NULL;
    BEAM_TRY(beam_onednn_value_as(&t->b, op->inputs[1], desc, &other));
    dnnl_status_t described = dnnl_primitive_attr_clone(&attr, t->attr);
    if (described == dnnl_success && layer->fused)
        described = add_relu(attr);
    if (described == dnnl_success)
        described = dnnl_binary_primitive_desc_create(&made, t->b.engine, dnnl_binary_add, desc,
                                                      desc, desc, attr);
    if (attr)
        (void)dnnl_primitive_attr_destroy(attr);
    beam_status status = beam_onednn_train_status(t, index, described);
    if (status == BEAM_OK && a != op->inputs[1])
        status = result_like(t, index, a, op->outputs[0], &y);
    else if (status == BEAM_OK)
        status = beam_onednn_train_result(t, op->outputs[0], desc, &y);
    if (status == BEAM_OK && layer->fused) {
        const beam_nn_op *relu = &t->b.network->ops[t->last_reader[op->outputs[0]] - 1];
        t->b.buffer_of[relu->outputs[0]] = y + 1;
    }
    return finish(t, index, status, made,
                  (const beam_onednn_arg[]){beam_onednn_from(DNNL_ARG_SRC_0, from),
                                            beam_onednn_from(DNNL_ARG_SRC_1, other),
                                            beam_onednn_from(DNNL_ARG_DST, y)},
                  3);
}

/* ---- pooling ---- */

typedef struct pool_window {
    dnnl_dims_t kernel, stride, padding, dilation;
    dnnl_alg_kind_t kind;
} pool_window;

static pool_window window_of(const beam_onednn_train_builder *t, const beam_nn_op *forward)
{
    const beam_nn_window *w = &forward->window;
    beam_tensor x = beam_onednn_train_shape(t, forward->inputs[0]);
    pool_window p = {.kernel = {w->kernel, w->kernel},
                     .stride = {w->stride, w->stride},
                     .padding = {w->padding, w->padding},
                     .kind = forward->kind == BEAM_OP_MAX_POOL2D
                                 ? dnnl_pooling_max
                                 : dnnl_pooling_avg_include_padding};
    if (forward->kind == BEAM_OP_GLOBAL_AVG_POOL) {
        p.kernel[0] = x.shape[2];
        p.kernel[1] = x.shape[3];
        p.stride[0] = p.stride[1] = 1;
        p.padding[0] = p.padding[1] = 0;
    }
    return p;
}

static beam_status pool_forward(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    beam_onednn_layer *layer = &t->layers[index];
    pool_window p = window_of(t, op);
    beam_tensor y_shape = beam_onednn_train_shape(t, op->outputs[0]);
    const_dnnl_memory_desc_t x = beam_onednn_train_desc(t, op->inputs[0]), any, desc;
    dnnl_data_type_t type = dnnl_f32;
    beam_onednn_arg args[3];
    uint32_t n = 0, y = 0, workspace = 0;
    BEAM_TRY(
        beam_onednn_train_status(t, index, dnnl_memory_desc_query(x, dnnl_query_data_type, &type)));
    BEAM_TRY(beam_onednn_any(&t->b, y_shape.rank, y_shape.shape, type, &any));
    BEAM_TRY(beam_onednn_train_status(t, index,
                                      dnnl_pooling_forward_primitive_desc_create(
                                          &layer->forward, t->b.engine, dnnl_forward_training,
                                          p.kind, x, any, p.stride, p.kernel, p.dilation, p.padding,
                                          p.padding, t->attr)));
    BEAM_TRY(beam_onednn_chosen(&t->b, layer->forward, dnnl_query_dst_md, &desc));
    args[n++] = beam_onednn_from(DNNL_ARG_SRC, buffer_of(t, op->inputs[0]));
    BEAM_TRY(beam_onednn_train_result(t, op->outputs[0], desc, &y));
    args[n++] = beam_onednn_from(DNNL_ARG_DST, y);
    if (p.kind == dnnl_pooling_max) {
        BEAM_TRY(add_workspace(t, layer, &workspace));
        args[n++] = beam_onednn_from(DNNL_ARG_WORKSPACE, workspace);
    }
    return beam_onednn_step_add(&t->b, op->name, layer->forward, args, n);
}

static beam_status pool_backward(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    const beam_nn_op *forward = &t->b.network->ops[op->forward - 1];
    const beam_onednn_layer *layer = &t->layers[op->forward - 1];
    pool_window p = window_of(t, forward);
    const_dnnl_memory_desc_t x, y;
    BEAM_TRY(beam_onednn_chosen(&t->b, layer->forward, dnnl_query_src_md, &x));
    BEAM_TRY(beam_onednn_chosen(&t->b, layer->forward, dnnl_query_dst_md, &y));
    beam_onednn_arg args[3];
    uint32_t n = 0, dy = 0, dx = 0;
    BEAM_TRY(beam_onednn_value_as(&t->b, op->inputs[op->num_inputs - 1], y, &dy));
    dnnl_primitive_desc_t made = NULL;
    beam_status status =
        beam_onednn_train_status(t, index,
                                 dnnl_pooling_backward_primitive_desc_create(
                                     &made, t->b.engine, p.kind, x, y, p.stride, p.kernel,
                                     p.dilation, p.padding, p.padding, layer->forward, t->attr));
    if (status == BEAM_OK)
        status = beam_onednn_train_result(t, op->outputs[0], x, &dx);
    args[n++] = beam_onednn_from(DNNL_ARG_DIFF_DST, dy);
    args[n++] = beam_onednn_from(DNNL_ARG_DIFF_SRC, dx);
    if (layer->workspace)
        args[n++] = beam_onednn_from(DNNL_ARG_WORKSPACE, layer->workspace - 1);
    return finish(t, index, status, made, args, n);
}

/* ---- the others ---- */

/* Row-major order means the same numbers in any shape: a copy in plain layout, seen otherwise. */
static beam_status reshape(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    beam_tensor from = beam_onednn_train_shape(t, op->inputs[0]);
    beam_tensor to = beam_onednn_train_shape(t, op->outputs[0]);
    const_dnnl_memory_desc_t x = beam_onednn_train_desc(t, op->inputs[0]), plain, y;
    dnnl_data_type_t type = dnnl_f32;
    uint32_t copy = 0, seen = 0;
    BEAM_TRY(
        beam_onednn_train_status(t, index, dnnl_memory_desc_query(x, dnnl_query_data_type, &type)));
    BEAM_TRY(beam_onednn_plain(&t->b, &from, type, &plain));
    BEAM_TRY(beam_onednn_plain(&t->b, &to, type, &y));
    BEAM_TRY(beam_onednn_value_as(&t->b, op->inputs[0], plain, &copy));
    BEAM_TRY(beam_onednn_train_result(t, op->outputs[0], y, &seen));
    t->b.plan->buffers[seen].place = t->b.plan->buffers[copy].place;
    t->b.plan->buffers[seen].input = t->b.plan->buffers[copy].input;
    return BEAM_OK;
}

static beam_status loss(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    beam_tensor logits = beam_onednn_train_shape(t, op->inputs[0]);
    uint32_t buffers[5];
    BEAM_TRY(plain_operand(t, op->inputs[0], &buffers[0]));
    buffers[1] = buffer_of(t, op->inputs[1]);
    for (uint32_t i = 0; i < 3; i++)
        BEAM_TRY(plain_result(t, op->outputs[i], &buffers[2 + i]));
    return beam_onednn_kernel_add(&t->b, op, beam_onednn_loss, (size_t)logits.shape[0],
                                  (size_t)logits.shape[1], buffers, 5);
}

static size_t numbers(const beam_onednn_train_builder *t, uint32_t buffer)
{
    return dnnl_memory_desc_get_size(t->b.plan->buffers[buffer].desc) / sizeof(float);
}

static beam_status dropout(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    uint32_t buffers[3];
    BEAM_TRY(plain_operand(t, op->inputs[0], &buffers[0]));
    buffers[1] = buffer_of(t, op->inputs[1]);
    BEAM_TRY(plain_result(t, op->outputs[0], &buffers[2]));
    return beam_onednn_kernel_add(&t->b, op, beam_onednn_dropout, numbers(t, buffers[0]), 0,
                                  buffers, 3);
}

static beam_status squared_sum(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    uint32_t buffers[3] = {buffer_of(t, op->inputs[0]), BEAM_ONEDNN_ABSENT};
    if (op->num_inputs > 1)
        buffers[1] = buffer_of(t, op->inputs[1]);
    BEAM_TRY(plain_result(t, op->outputs[0], &buffers[2]));
    return beam_onednn_kernel_add(&t->b, op, beam_onednn_squared_sum, numbers(t, buffers[0]), 0,
                                  buffers, 3);
}

static beam_status clip_factor(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    uint32_t buffers[3] = {buffer_of(t, op->inputs[0])};
    BEAM_TRY(plain_result(t, op->outputs[0], &buffers[1]));
    BEAM_TRY(plain_result(t, op->outputs[1], &buffers[2]));
    return beam_onednn_kernel_add(&t->b, op, beam_onednn_clip_factor, 1, 0, buffers, 3);
}

/* In place: the new values lie where the old ones did. */
static beam_status update(beam_onednn_train_builder *t, uint32_t index, beam_onednn_kernel kernel)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    uint32_t buffers[BEAM_OP_MAX_INPUTS];
    for (uint32_t i = 0; i < BEAM_OP_MAX_INPUTS; i++)
        buffers[i] =
            i < op->num_inputs && op->inputs[i] ? buffer_of(t, op->inputs[i]) : BEAM_ONEDNN_ABSENT;
    BEAM_TRY(
        beam_onednn_buffer_as(&t->b, buffers[1], t->b.plan->buffers[buffers[0]].desc, &buffers[1]));
    t->b.buffer_of[op->outputs[0]] = t->b.buffer_of[op->inputs[0]];
    for (uint32_t i = 1; i < op->num_outputs; i++)
        t->b.buffer_of[op->outputs[i]] = t->b.buffer_of[op->inputs[3 + i]];
    return beam_onednn_kernel_add(&t->b, op, kernel, numbers(t, buffers[0]), 0, buffers,
                                  BEAM_OP_MAX_INPUTS);
}

beam_status beam_onednn_train_op(beam_onednn_train_builder *t, uint32_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    if (t->layers[index].skipped)
        return BEAM_OK;
    switch (op->kind) {
    case BEAM_OP_CONV2D:
    case BEAM_OP_LINEAR:
    case BEAM_OP_CONV2D_GRAD_DATA:
    case BEAM_OP_LINEAR_GRAD_DATA:
    case BEAM_OP_CONV2D_GRAD_WEIGHTS:
    case BEAM_OP_LINEAR_GRAD_WEIGHTS:
        return beam_onednn_train_product(t, index);
    case BEAM_OP_BATCH_NORM_TRAINING:
        return norm_forward(t, index);
    case BEAM_OP_BATCH_NORM_GRAD:
        return norm_backward(t, index);
    case BEAM_OP_RELU:
        return eltwise_forward(t, index, dnnl_eltwise_relu, 0);
    case BEAM_OP_SCALE:
        return eltwise_forward(t, index, dnnl_eltwise_linear, op->factor);
    case BEAM_OP_RELU_GRAD:
        return relu_backward(t, index);
    case BEAM_OP_ADD:
        return add(t, index);
    case BEAM_OP_MAX_POOL2D:
    case BEAM_OP_AVG_POOL2D:
    case BEAM_OP_GLOBAL_AVG_POOL:
        return pool_forward(t, index);
    case BEAM_OP_MAX_POOL2D_GRAD:
    case BEAM_OP_AVG_POOL2D_GRAD:
    case BEAM_OP_GLOBAL_AVG_POOL_GRAD:
        return pool_backward(t, index);
    case BEAM_OP_RESHAPE:
        return reshape(t, index);
    case BEAM_OP_SOFTMAX_CROSS_ENTROPY:
        return loss(t, index);
    case BEAM_OP_DROPOUT_TRAINING:
        return dropout(t, index);
    case BEAM_OP_SQUARED_SUM:
        return squared_sum(t, index);
    case BEAM_OP_CLIP_FACTOR:
        return clip_factor(t, index);
    case BEAM_OP_SGD:
        return update(t, index, beam_onednn_sgd);
    case BEAM_OP_ADAM:
        return update(t, index, beam_onednn_adam);
    default:
        return beam_error_set(t->b.err, BEAM_UNIMPLEMENTED, "the CPU device does not train a %s",
                              beam_op_name(op->kind));
    }
}
