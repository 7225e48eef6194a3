/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_ops.c - the operations of a training step other than products. */
#include "device/onednn_train.h"
#include "device/onednn_vector.h"

#define MAKE beam_onednn_result
#define READ beam_onednn_operand

static beam_status layout(const beam_onednn_lowering *l, uint32_t value,
                          const_dnnl_memory_desc_t *desc)
{
    return beam_onednn_train_layout(l->t, value, desc);
}

static beam_status finish_kernel(beam_onednn_lowering *l, const beam_onednn_kernel *kernel)
{
    return beam_onednn_kernel_add(&l->t->b, l->op->name, kernel, l->args, l->num_args);
}

static beam_status finish_primitive(beam_onednn_lowering *l)
{
    return beam_onednn_step_add(&l->t->b, l->op->name, l->t->described[l->index], l->args,
                                l->num_args);
}

static bool is_bf16(const beam_onednn_lowering *l, uint32_t value)
{
    return beam_onednn_train_type(l->t, value) == dnnl_bf16;
}

/* How many numbers a layout holds, those that pad it included. */
static size_t numbers(const_dnnl_memory_desc_t desc, bool bf16)
{
    return dnnl_memory_desc_get_size(desc) / (bf16 ? 2 : sizeof(float));
}

/* ---- batch norm ---- */

typedef struct layout_info {
    int rank, blocks;
    const dnnl_dims_t *dims, *strides, *block_sizes, *block_axes;
} layout_info;

static dnnl_status_t inspect(const_dnnl_memory_desc_t desc, layout_info *info)
{
    dnnl_status_t status = dnnl_memory_desc_query(desc, dnnl_query_ndims_s32, &info->rank);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_dims, &info->dims);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_strides, &info->strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_inner_nblks_s32, &info->blocks);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_inner_blks, &info->block_sizes);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_inner_idxs, &info->block_axes);
    return status;
}

/* The grid that a layout is: channels in blocks of up to 16, or the innermost of all.  False for
 * others. */
static bool as_grid(const layout_info *info, beam_onednn_grid *grid)
{
    const int64_t *dims = *info->dims, *strides = *info->strides;
    int64_t width = BEAM_LANES, points = 1;
    if (info->rank == 4) {
        points = dims[2] * dims[3];
        if (dims[2] > 1 && strides[2] != dims[3] * strides[3])
            return false;
    } else if (info->rank != 2) {
        return false;
    }
    bool blocked = info->blocks == 1 && (*info->block_axes)[0] == 1;
    if (blocked)
        width = (*info->block_sizes)[0];
    else if (info->blocks != 0 || (dims[1] > 1 && strides[1] != 1))
        return false;
    if (width > BEAM_LANES)
        return false;
    *grid = (beam_onednn_grid){.batch = (size_t)dims[0],
                               .units = (size_t)((dims[1] + width - 1) / width),
                               .points = (size_t)points,
                               .batch_stride = (size_t)strides[0],
                               .unit_stride = (size_t)(blocked ? strides[1] : width),
                               .point_stride = (size_t)(info->rank == 4 ? strides[3] : width),
                               .width = (size_t)width,
                               .channels = (size_t)dims[1],
                               .padded = blocked};
    return true;
}

/* The grid of x, and a layout that has it: its own, or else channels innermost. */
static beam_status grid_of(const beam_onednn_lowering *l, uint32_t x, beam_onednn_grid *grid,
                           const_dnnl_memory_desc_t *desc)
{
    beam_onednn_builder *b = &l->t->b;
    layout_info info;
    BEAM_TRY(layout(l, x, desc));
    BEAM_TRY(beam_onednn_train_check(l, inspect(*desc, &info)));
    dnnl_data_type_t type = dnnl_f32;
    BEAM_TRY(
        beam_onednn_train_check(l, dnnl_memory_desc_query(*desc, dnnl_query_data_type, &type)));
    if (type == beam_onednn_train_type(l->t, l->op->outputs[0]) && as_grid(&info, grid))
        return BEAM_OK;
    beam_tensor shape = beam_nn_shape(b->network, x, b->plan->batch);
    int64_t c = shape.shape[1], w = shape.rank == 4 ? shape.shape[3] : 1;
    int64_t h = shape.rank == 4 ? shape.shape[2] : 1;
    int64_t strides[BEAM_TENSOR_MAX_RANK] = {c * h * w, 1, w * c, c};
    BEAM_TRY(beam_onednn_strided(b, &shape, strides, b->type, desc));
    BEAM_TRY(beam_onednn_train_check(l, inspect(*desc, &info)));
    if (!as_grid(&info, grid))
        return beam_error_set(b->err, BEAM_UNIMPLEMENTED, "a batch norm of rank %u", shape.rank);
    return BEAM_OK;
}

static beam_status start_norm(beam_onednn_lowering *l, beam_onednn_kernel *kernel,
                              const_dnnl_memory_desc_t *desc, int sums_slot)
{
    *kernel = (beam_onednn_kernel){.op = l->op, .activation = l->t->fusions[l->index].activation};
    BEAM_TRY(grid_of(l, l->op->inputs[0], &kernel->grid, desc));
    kernel->bf16 = l->t->b.type == dnnl_bf16;
    kernel->slices = beam_onednn_norm_slices(&kernel->grid, l->t->threads);
    if (kernel->slices == 1)
        return BEAM_OK;
    const_dnnl_memory_desc_t sums;
    BEAM_TRY(beam_onednn_floats(&l->t->b, 2 * beam_onednn_norm_sums(&kernel->grid, kernel->slices),
                                &sums));
    return MAKE(l, sums_slot, 0, sums);
}

static beam_status lower_norm(beam_onednn_lowering *l)
{
    const beam_nn_op *op = l->op;
    const beam_onednn_fusion *f = &l->t->fusions[l->index];
    const_dnnl_memory_desc_t x, channels;
    beam_onednn_kernel kernel;
    BEAM_TRY(start_norm(l, &kernel, &x, BEAM_NORM_SUMS));
    kernel.run = beam_onednn_norm;
    BEAM_TRY(beam_onednn_floats(&l->t->b, kernel.grid.channels, &channels));
    BEAM_TRY(READ(l, BEAM_NORM_X, op->inputs[0], x));
    if (f->addend)
        BEAM_TRY(READ(l, BEAM_NORM_ADDEND, f->addend, x));
    BEAM_TRY(READ(l, BEAM_NORM_WEIGHT, op->inputs[1], channels));
    BEAM_TRY(READ(l, BEAM_NORM_BIAS, op->inputs[2], channels));
    BEAM_TRY(beam_onednn_in_place(l, BEAM_NORM_RUNNING_MEAN, op->outputs[3], op->inputs[3]));
    BEAM_TRY(beam_onednn_in_place(l, BEAM_NORM_RUNNING_VARIANCE, op->outputs[4], op->inputs[4]));
    BEAM_TRY(MAKE(l, BEAM_NORM_Y, f->output ? f->output : op->outputs[0], x));
    BEAM_TRY(MAKE(l, BEAM_NORM_MEAN, op->outputs[1], channels));
    BEAM_TRY(MAKE(l, BEAM_NORM_VARIANCE, op->outputs[2], channels));
    return finish_kernel(l, &kernel);
}

static beam_status lower_norm_grad(beam_onednn_lowering *l)
{
    const beam_nn_op *op = l->op, *forward = &l->t->b.network->ops[op->forward - 1];
    const beam_onednn_fusion *f = &l->t->fusions[l->index];
    const_dnnl_memory_desc_t x, channels;
    beam_onednn_kernel kernel;
    BEAM_TRY(start_norm(l, &kernel, &x, BEAM_NORM_GRAD_SUMS));
    kernel.run = beam_onednn_norm_grad;
    BEAM_TRY(beam_onednn_floats(&l->t->b, kernel.grid.channels, &channels));
    BEAM_TRY(READ(l, BEAM_NORM_GRAD_X, op->inputs[0], x));
    BEAM_TRY(READ(l, BEAM_NORM_GRAD_DY, f->dy ? f->dy : op->inputs[1], x));
    if (f->dy2)
        BEAM_TRY(READ(l, BEAM_NORM_GRAD_DY2, f->dy2, x));
    if (f->mask)
        BEAM_TRY(READ(l, BEAM_NORM_GRAD_Y, f->mask, x));
    else if (f->activation)
        BEAM_TRY(READ(l, BEAM_NORM_GRAD_BIAS, forward->inputs[2], channels));
    BEAM_TRY(READ(l, BEAM_NORM_GRAD_WEIGHT, op->inputs[2], channels));
    BEAM_TRY(READ(l, BEAM_NORM_GRAD_MEAN, op->inputs[3], channels));
    BEAM_TRY(READ(l, BEAM_NORM_GRAD_VARIANCE, op->inputs[4], channels));
    if (op->outputs[0])
        BEAM_TRY(MAKE(l, BEAM_NORM_GRAD_DX, op->outputs[0], x));
    if (f->sum)
        BEAM_TRY(MAKE(l, BEAM_NORM_GRAD_SUM, f->sum, x));
    if (op->outputs[1])
        BEAM_TRY(MAKE(l, BEAM_NORM_GRAD_DWEIGHT, op->outputs[1], channels));
    if (op->outputs[2])
        BEAM_TRY(MAKE(l, BEAM_NORM_GRAD_DBIAS, op->outputs[2], channels));
    return finish_kernel(l, &kernel);
}

/* ---- elementwise ---- */

/* `layout_of`: the operand whose layout all have. */
static beam_status lower_each(beam_onednn_lowering *l, beam_onednn_kernel kernel, uint32_t a,
                              uint32_t b)
{
    const_dnnl_memory_desc_t desc;
    uint32_t y = l->op->outputs[0];
    BEAM_TRY(layout(l, a, &desc));
    dnnl_data_type_t type = dnnl_f32;
    BEAM_TRY(beam_onednn_train_check(l, dnnl_memory_desc_query(desc, dnnl_query_data_type, &type)));
    if (type != beam_onednn_train_type(l->t, y) || kernel.run == beam_onednn_dropout)
        BEAM_TRY(beam_onednn_train_plain(l, y, &desc));
    kernel.op = l->op;
    kernel.bf16 = is_bf16(l, y);
    kernel.count = numbers(desc, kernel.bf16);
    BEAM_TRY(READ(l, BEAM_EACH_A, a, desc));
    if (b)
        BEAM_TRY(READ(l, BEAM_EACH_B, b, desc));
    if (kernel.run == beam_onednn_dropout)
        BEAM_TRY(READ(l, BEAM_EACH_STEP, l->t->program->step, NULL));
    BEAM_TRY(MAKE(l, BEAM_EACH_RESULT, y, desc));
    return finish_kernel(l, &kernel);
}

/* ---- pools ---- */

typedef struct pool {
    dnnl_alg_kind_t kind;
    dnnl_dims_t kernel, stride, padding, dilation;
    const_dnnl_memory_desc_t x, y;
} pool;

static beam_status describe_pool(beam_onednn_lowering *l, const beam_nn_op *forward, pool *p)
{
    beam_onednn_builder *b = &l->t->b;
    const beam_nn_window *w = &forward->window;
    beam_tensor x = beam_nn_shape(b->network, forward->inputs[0], b->plan->batch);
    beam_tensor y = beam_nn_shape(b->network, forward->outputs[0], b->plan->batch);
    *p = (pool){.kind = forward->kind == BEAM_OP_MAX_POOL2D ? dnnl_pooling_max
                                                            : dnnl_pooling_avg_include_padding,
                .kernel = {w->kernel, w->kernel},
                .stride = {w->stride, w->stride},
                .padding = {w->padding, w->padding}};
    if (forward->kind == BEAM_OP_GLOBAL_AVG_POOL) {
        p->kernel[0] = x.shape[2];
        p->kernel[1] = x.shape[3];
        p->stride[0] = p->stride[1] = 1;
    }
    BEAM_TRY(layout(l, forward->inputs[0], &p->x));
    return beam_onednn_any(b, y.rank, y.shape, beam_onednn_train_type(l->t, forward->outputs[0]),
                           &p->y);
}

/* A network's input is f32 whatever the step's type. */
static beam_status pool_input(beam_onednn_lowering *l, const beam_nn_op *forward, pool *p)
{
    beam_tensor x = beam_nn_shape(l->t->b.network, forward->inputs[0], l->t->b.plan->batch);
    return l->t->b.network->values[forward->inputs[0]].kind == BEAM_VALUE_INPUT
               ? beam_onednn_plain(&l->t->b, &x, l->t->b.type, &p->x)
               : BEAM_OK;
}

static beam_status lower_pool(beam_onednn_lowering *l)
{
    pool p;
    const_dnnl_memory_desc_t y, workspace;
    dnnl_primitive_desc_t *made = &l->t->described[l->index];
    BEAM_TRY(describe_pool(l, l->op, &p));
    BEAM_TRY(pool_input(l, l->op, &p));
    BEAM_TRY(beam_onednn_train_check(
        l, dnnl_pooling_forward_primitive_desc_create(made, l->t->b.engine, dnnl_forward_training,
                                                      p.kind, p.x, p.y, p.stride, p.kernel,
                                                      p.dilation, p.padding, p.padding, l->attr)));
    BEAM_TRY(beam_onednn_chosen(&l->t->b, *made, dnnl_query_dst_md, &y));
    BEAM_TRY(READ(l, DNNL_ARG_SRC, l->op->inputs[0], p.x));
    BEAM_TRY(MAKE(l, DNNL_ARG_DST, l->op->outputs[0], y));
    const_dnnl_memory_desc_t wanted =
        dnnl_primitive_desc_query_md(*made, dnnl_query_workspace_md, 0);
    if (wanted && dnnl_memory_desc_get_size(wanted) > 0) {
        BEAM_TRY(beam_onednn_chosen(&l->t->b, *made, dnnl_query_workspace_md, &workspace));
        BEAM_TRY(MAKE(l, DNNL_ARG_WORKSPACE, 0, workspace));
        l->t->workspaces[l->index] = l->args[l->num_args - 1].index + 1;
    }
    return finish_primitive(l);
}

static beam_status lower_pool_grad(beam_onednn_lowering *l)
{
    pool p;
    size_t index = l->op->forward - 1;
    const beam_nn_op *forward = &l->t->b.network->ops[index];
    dnnl_primitive_desc_t *made = &l->t->described[l->index];
    const_dnnl_memory_desc_t dy, dx;
    BEAM_TRY(describe_pool(l, forward, &p));
    BEAM_TRY(beam_onednn_chosen(&l->t->b, l->t->described[index], dnnl_query_dst_md, &dy));
    BEAM_TRY(beam_onednn_chosen(&l->t->b, l->t->described[index], dnnl_query_src_md, &dx));
    BEAM_TRY(beam_onednn_train_check(l, dnnl_pooling_backward_primitive_desc_create(
                                            made, l->t->b.engine, p.kind, dx, dy, p.stride,
                                            p.kernel, p.dilation, p.padding, p.padding,
                                            l->t->described[index], l->attr)));
    BEAM_TRY(READ(l, DNNL_ARG_DIFF_DST, l->op->inputs[l->op->num_inputs - 1], dy));
    if (l->t->workspaces[index]) {
        l->args[l->num_args++] = (beam_onednn_arg){.arg = DNNL_ARG_WORKSPACE,
                                                   .source = BEAM_ONEDNN_FROM_BUFFER,
                                                   .index = l->t->workspaces[index] - 1};
    }
    BEAM_TRY(MAKE(l, DNNL_ARG_DIFF_SRC, l->op->outputs[0], dx));
    return finish_primitive(l);
}

/* ---- the others ---- */

/* A copy in row-major order, seen in another shape. */
static beam_status lower_reshape(beam_onednn_lowering *l)
{
    beam_onednn_builder *b = &l->t->b;
    const_dnnl_memory_desc_t from, plain, y;
    uint32_t copy = 0, seen = 0, x = l->op->inputs[0];
    BEAM_TRY(layout(l, x, &from));
    dnnl_data_type_t type = beam_onednn_train_type(l->t, l->op->outputs[0]);
    BEAM_TRY(beam_onednn_plain(b, &l->x, type, &plain));
    BEAM_TRY(beam_onednn_plain(b, &l->y, type, &y));
    BEAM_TRY(beam_onednn_train_check(
        l, dnnl_reorder_primitive_desc_create(&l->t->described[l->index], from, b->engine, plain,
                                              b->engine, l->attr)));
    BEAM_TRY(READ(l, DNNL_ARG_FROM, x, NULL));
    BEAM_TRY(beam_onednn_buffer_new(b, plain, &copy));
    BEAM_TRY(beam_onednn_buffer_new(b, y, &seen));
    b->plan->buffers[seen].place = copy;
    b->buffer_of[l->op->outputs[0]] = seen + 1;
    l->args[l->num_args++] =
        (beam_onednn_arg){.arg = DNNL_ARG_TO, .source = BEAM_ONEDNN_FROM_BUFFER, .index = copy};
    return finish_primitive(l);
}

static beam_status lower_loss(beam_onednn_lowering *l)
{
    const beam_nn_op *op = l->op;
    const_dnnl_memory_desc_t logits, one;
    beam_onednn_kernel kernel = {.run = beam_onednn_loss, .op = op};
    kernel.grid.batch = (size_t)l->x.shape[0];
    kernel.grid.channels = (size_t)l->x.shape[1];
    BEAM_TRY(beam_onednn_train_plain(l, op->inputs[0], &logits));
    BEAM_TRY(beam_onednn_floats(&l->t->b, 1, &one));
    BEAM_TRY(READ(l, BEAM_LOSS_LOGITS, op->inputs[0], logits));
    BEAM_TRY(READ(l, BEAM_LOSS_LABELS, op->inputs[1], NULL));
    BEAM_TRY(MAKE(l, BEAM_LOSS_LOSS, op->outputs[0], one));
    BEAM_TRY(MAKE(l, BEAM_LOSS_CORRECT, op->outputs[1], one));
    if (op->outputs[2])
        BEAM_TRY(MAKE(l, BEAM_LOSS_GRADIENT, op->outputs[2], logits));
    return finish_kernel(l, &kernel);
}

/* Whether the states are 0 where the gradient is always: told by what writes them. */
static beam_status add_busy(beam_onednn_lowering *l, uint32_t *busy)
{
    const_dnnl_memory_desc_t one;
    BEAM_TRY(beam_onednn_floats(&l->t->b, 1, &one));
    BEAM_TRY(MAKE(l, BEAM_UPDATE_BUSY, 0, one));
    uint32_t buffer = l->args[l->num_args - 1].index;
    l->t->b.plan->buffers[buffer].kept = true;
    *busy = buffer + 1;
    return BEAM_OK;
}

/* Operands from the first state on are replaced by the results from the second on. */
static beam_status lower_update(beam_onednn_lowering *l)
{
    static const int slots[] = {BEAM_UPDATE_FIRST, BEAM_UPDATE_SECOND};
    const beam_nn_op *op = l->op;
    bool adam = op->kind == BEAM_OP_ADAM;
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(layout(l, op->inputs[0], &desc));
    beam_onednn_kernel kernel = {.run = adam ? beam_onednn_adam : beam_onednn_sgd, .op = op};
    kernel.count = numbers(desc, false);
    const beam_onednn_partial *partial = beam_onednn_train_partial(&l->t->map, op->inputs[1]);
    uint32_t busy = 0;
    if (partial) {
        kernel.taps = partial->taps;
        BEAM_TRY(add_busy(l, &busy));
    }
    BEAM_TRY(READ(l, BEAM_UPDATE_GRADIENT, op->inputs[1], partial ? NULL : desc));
    BEAM_TRY(READ(l, BEAM_UPDATE_LEARNING_RATE, op->inputs[2], NULL));
    if (op->inputs[3])
        BEAM_TRY(READ(l, BEAM_UPDATE_FACTOR, op->inputs[3], NULL));
    for (uint32_t i = 1; i < op->num_outputs; i++) {
        uint32_t state = op->inputs[i + 3];
        BEAM_TRY(beam_onednn_train_keep(l->t, state, desc));
        BEAM_TRY(beam_onednn_in_place(l, slots[i - 1], op->outputs[i], state));
        if (busy)
            BEAM_TRY(beam_onednn_train_is_partial(l->t, state, &kernel.taps, busy));
    }
    if (adam)
        BEAM_TRY(READ(l, BEAM_UPDATE_STEP, op->inputs[6], NULL));
    BEAM_TRY(beam_onednn_in_place(l, BEAM_UPDATE_PARAMETER, op->outputs[0], op->inputs[0]));
    return finish_kernel(l, &kernel);
}

static beam_status lower_squared_sum(beam_onednn_lowering *l)
{
    const_dnnl_memory_desc_t desc, one;
    BEAM_TRY(layout(l, l->op->inputs[0], &desc));
    BEAM_TRY(beam_onednn_floats(&l->t->b, 1, &one));
    beam_onednn_kernel kernel = {
        .run = beam_onednn_squared_sum, .op = l->op, .count = numbers(desc, false)};
    BEAM_TRY(READ(l, BEAM_SQUARES_GRADIENT, l->op->inputs[0], NULL));
    if (l->op->num_inputs > 1 && l->op->inputs[1])
        BEAM_TRY(READ(l, BEAM_SQUARES_BEFORE, l->op->inputs[1], NULL));
    BEAM_TRY(MAKE(l, BEAM_SQUARES_TOTAL, l->op->outputs[0], one));
    return finish_kernel(l, &kernel);
}

static beam_status lower_clip_factor(beam_onednn_lowering *l)
{
    const_dnnl_memory_desc_t one;
    beam_onednn_kernel kernel = {.run = beam_onednn_clip_factor, .op = l->op};
    BEAM_TRY(beam_onednn_floats(&l->t->b, 1, &one));
    BEAM_TRY(READ(l, BEAM_CLIP_TOTAL, l->op->inputs[0], NULL));
    BEAM_TRY(MAKE(l, BEAM_CLIP_FACTOR, l->op->outputs[0], one));
    BEAM_TRY(MAKE(l, BEAM_CLIP_NORM, l->op->outputs[1], one));
    return finish_kernel(l, &kernel);
}

beam_status beam_onednn_train_other(beam_onednn_lowering *l)
{
    const uint32_t *in = l->op->inputs;
    switch (l->op->kind) {
    case BEAM_OP_BATCH_NORM_TRAINING:
        return lower_norm(l);
    case BEAM_OP_BATCH_NORM_GRAD:
        return lower_norm_grad(l);
    case BEAM_OP_RELU:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_relu}, in[0], 0);
    case BEAM_OP_RELU_GRAD:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_relu_grad}, in[1], in[0]);
    case BEAM_OP_GELU:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_gelu}, in[0], 0);
    case BEAM_OP_GELU_GRAD:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_gelu_grad}, in[1], in[0]);
    case BEAM_OP_ADD:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_add}, in[0], in[1]);
    case BEAM_OP_SCALE:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_scale}, in[0], 0);
    case BEAM_OP_DROPOUT_TRAINING:
        return lower_each(l, (beam_onednn_kernel){.run = beam_onednn_dropout}, in[0], 0);
    case BEAM_OP_MAX_POOL2D:
    case BEAM_OP_AVG_POOL2D:
    case BEAM_OP_GLOBAL_AVG_POOL:
        return lower_pool(l);
    case BEAM_OP_MAX_POOL2D_GRAD:
    case BEAM_OP_AVG_POOL2D_GRAD:
    case BEAM_OP_GLOBAL_AVG_POOL_GRAD:
        return lower_pool_grad(l);
    case BEAM_OP_RESHAPE:
        return lower_reshape(l);
    case BEAM_OP_SOFTMAX_CROSS_ENTROPY:
        return lower_loss(l);
    case BEAM_OP_SGD:
    case BEAM_OP_ADAM:
        return lower_update(l);
    case BEAM_OP_MUON:
        return beam_onednn_train_muon(l);
    case BEAM_OP_SQUARED_SUM:
        return lower_squared_sum(l);
    case BEAM_OP_CLIP_FACTOR:
        return lower_clip_factor(l);
    default:
        return beam_error_set(l->t->b.err, BEAM_UNIMPLEMENTED,
                              "the CPU device lacks the operation %s", beam_op_name(l->op->kind));
    }
}
