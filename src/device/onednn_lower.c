/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_lower.c - one step of a network to oneDNN primitives.  Convolutions and linear layers
 * choose their layouts; everything else works in the layout that its operand has, so reorders
 * stand only at the edges of the network. */
#include "device/onednn.h"

/* What is common while one step is lowered. */
typedef struct lowering {
    beam_onednn_builder *b;
    size_t index;
    const beam_fused_op *step;
    const beam_nn_op *op;
    bool int8;
    beam_tensor x, y; /* shapes of its first operand and its result */
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t primitive;
} lowering;

static const_dnnl_memory_desc_t desc_of(const lowering *l, uint32_t value)
{
    return l->b->plan->buffers[l->b->buffer_of[value] - 1].desc;
}

static beam_status check(const lowering *l, dnnl_status_t status)
{
    return beam_onednn_status(status, beam_op_name(l->op->kind), l->b->err);
}

static beam_onednn_arg from_buffer(int arg, uint32_t buffer)
{
    return (beam_onednn_arg){.arg = arg, .source = BEAM_ONEDNN_FROM_BUFFER, .index = buffer};
}

static bool keeps_q(const lowering *l, uint32_t value)
{
    return l->b->model->int8.kept && l->b->model->int8.kept[value];
}

/* What the sums of int8 are multiplied with: rows' scales before all else, the result's at the end;
 * the addend's in between. */
static dnnl_status_t set_scales(const lowering *l, dnnl_primitive_attr_t attr)
{
    dnnl_status_t status = dnnl_primitive_attr_set_scales_mask(
        attr, DNNL_ARG_WEIGHTS, l->op->kind == BEAM_OP_CONV2D && l->op->groups > 1 ? 3 : 1);
    if (status == dnnl_success && keeps_q(l, l->step->output))
        status = dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_DST, 0);
    return status;
}

static dnnl_status_t make_attr(const lowering *l, dnnl_primitive_attr_t *attr)
{
    const beam_fused_op *step = l->step;
    bool scaled = l->int8 && step->addend && keeps_q(l, step->output);
    float sum_scale = scaled ? l->b->model->int8.scales[step->addend] : 1.0f;
    dnnl_post_ops_t after = NULL;
    dnnl_status_t status = beam_onednn_attr(attr);
    if (status == dnnl_success && l->int8)
        status = set_scales(l, *attr);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&after);
    if (status == dnnl_success && step->addend)
        status = dnnl_post_ops_append_sum(after, sum_scale, 0, dnnl_data_type_undef);
    if (status == dnnl_success && step->activation)
        status = dnnl_post_ops_append_eltwise(
            after,
            step->activation->kind == BEAM_OP_GELU ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_relu,
            0.0f, 0.0f);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, after);
    if (after)
        (void)dnnl_post_ops_destroy(after);
    return status;
}

static bool is_output(const lowering *l, uint32_t value)
{
    for (size_t i = 0; i < l->b->network->num_outputs; i++)
        if (l->b->network->outputs[i] == value)
            return true;
    return false;
}

/* The result's buffer: over the addend's memory if there is one, which oneDNN adds to. */
static beam_status make_result(lowering *l, dnnl_query_t what, uint32_t *buffer)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(beam_onednn_chosen(l->b, l->primitive, what, &desc));
    BEAM_TRY(beam_onednn_buffer_new(l->b, desc, buffer));
    if (l->step->addend) {
        beam_onednn_plan *plan = l->b->plan;
        plan->buffers[*buffer].place = plan->buffers[l->b->buffer_of[l->step->addend] - 1].place;
    }
    l->b->buffer_of[l->step->output] = *buffer + 1;
    return BEAM_OK;
}

static beam_status packed_arg(lowering *l, int arg, beam_onednn_part part, dnnl_query_t what,
                              int index, beam_onednn_arg *made)
{
    const_dnnl_memory_desc_t desc = dnnl_primitive_desc_query_md(l->primitive, what, index);
    if (!desc)
        return beam_error_set(l->b->err, BEAM_INTERNAL, "oneDNN: a primitive without a layout");
    *made = (beam_onednn_arg){.arg = arg, .source = BEAM_ONEDNN_FROM_PACKED};
    return beam_onednn_pack(l->b->model, l->index, part, desc, &made->packed, l->b->err);
}

/* ---- convolution and linear layer ---- */

typedef struct product_descs {
    const_dnnl_memory_desc_t x, weights, bias, y;
} product_descs;

static beam_status weights_layout(lowering *l, product_descs *d)
{
    beam_onednn_builder *b = l->b;
    const beam_nn_value *w = &b->network->values[l->op->inputs[1]];
    int64_t sizes[5];
    uint32_t rank = 0;
    if (l->op->kind == BEAM_OP_CONV2D && l->op->groups > 1)
        sizes[rank++] = l->op->groups;
    for (uint32_t i = 0; i < w->rank; i++)
        sizes[rank++] = w->shape[i];
    if (rank == 5)
        sizes[1] /= l->op->groups;
    BEAM_TRY(beam_onednn_any(b, rank, sizes, l->int8 ? dnnl_s8 : b->type, &d->weights));
    d->bias = NULL;
    if (!l->int8 && l->op->num_inputs <= 2 && !l->step->norm)
        return BEAM_OK;
    beam_tensor bias = {.dtype = BEAM_F32, .rank = 1, .shape = {w->shape[0]}};
    return beam_onednn_plain(b, &bias, dnnl_f32, &d->bias);
}

/* Layouts left to oneDNN, but for a result that is added to what is there. */
static beam_status product_layouts(lowering *l, product_descs *d)
{
    beam_onednn_builder *b = l->b;
    BEAM_TRY(weights_layout(l, d));
    BEAM_TRY(beam_onednn_any(b, l->x.rank, l->x.shape, b->type, &d->x));
    if (l->step->addend) {
        d->y = desc_of(l, l->step->addend);
        return BEAM_OK;
    }
    if (l->op->kind == BEAM_OP_LINEAR)
        return beam_onednn_plain(b, &l->y, is_output(l, l->step->output) ? dnnl_f32 : b->type,
                                 &d->y);
    return beam_onednn_any(b, l->y.rank, l->y.shape, b->type, &d->y);
}

/* In int8 operands are brought into form first. */
static beam_status int8_layouts(lowering *l, product_descs *d, uint32_t *x)
{
    beam_onednn_builder *b = l->b;
    uint32_t addend = l->step->addend, buffer = 0;
    bool q = keeps_q(l, l->step->output);
    BEAM_TRY(weights_layout(l, d));
    BEAM_TRY(beam_onednn_value_as_factor(b, l->op->inputs[0], x));
    d->x = b->plan->buffers[*x].desc;
    if (!addend)
        return beam_onednn_channels_last(b, &l->y, q ? dnnl_s8 : dnnl_f32, &d->y);
    BEAM_TRY(q ? beam_onednn_value_as_q(b, addend, &buffer)
               : beam_onednn_value_as_f32(b, addend, &buffer));
    b->buffer_of[addend] = buffer + 1; /* which nothing else reads */
    d->y = desc_of(l, addend);
    return BEAM_OK;
}

static beam_status describe_product(lowering *l, const product_descs *d)
{
    const beam_nn_window *w = &l->op->window;
    dnnl_dims_t stride = {w->stride, w->stride}, padding = {w->padding, w->padding};
    dnnl_dims_t dilation = {w->dilation - 1, w->dilation - 1};
    if (l->op->kind == BEAM_OP_LINEAR)
        return check(l, dnnl_inner_product_forward_primitive_desc_create(
                            &l->primitive, l->b->engine, dnnl_forward_inference, d->x, d->weights,
                            d->bias, d->y, l->attr));
    return check(l,
                 dnnl_convolution_forward_primitive_desc_create(
                     &l->primitive, l->b->engine, dnnl_forward_inference, dnnl_convolution_direct,
                     d->x, d->weights, d->bias, d->y, stride, dilation, padding, padding, l->attr));
}

/* The scales that set_scales announced. */
static beam_status add_scales(lowering *l, beam_onednn_arg *args, uint32_t *n)
{
    beam_onednn_builder *b = l->b;
    const_dnnl_memory_desc_t rows;
    beam_tensor shape = {
        .dtype = BEAM_F32, .rank = 1, .shape = {b->network->values[l->op->inputs[1]].shape[0]}};
    BEAM_TRY(beam_onednn_plain(b, &shape, dnnl_f32, &rows));
    args[*n] = (beam_onednn_arg){.arg = DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS,
                                 .source = BEAM_ONEDNN_FROM_PACKED};
    BEAM_TRY(beam_onednn_pack(b->model, l->index, BEAM_ONEDNN_ROW_SCALES, rows, &args[*n].packed,
                              b->err));
    ++*n;
    if (!keeps_q(l, l->step->output))
        return BEAM_OK;
    return beam_onednn_scale_arg(b, DNNL_ARG_DST, l->step->output, &args[(*n)++]);
}

static beam_status lower_product(lowering *l)
{
    beam_onednn_builder *b = l->b;
    product_descs d;
    beam_onednn_arg args[6];
    uint32_t n = 0, buffer = 0;
    const_dnnl_memory_desc_t x;
    BEAM_TRY(l->int8 ? int8_layouts(l, &d, &buffer) : product_layouts(l, &d));
    BEAM_TRY(describe_product(l, &d));
    if (!l->int8) {
        BEAM_TRY(beam_onednn_chosen(b, l->primitive, dnnl_query_src_md, &x));
        BEAM_TRY(beam_onednn_value_as(b, l->op->inputs[0], x, &buffer));
    }
    args[n++] = from_buffer(DNNL_ARG_SRC, buffer);
    BEAM_TRY(
        packed_arg(l, DNNL_ARG_WEIGHTS, BEAM_ONEDNN_WEIGHTS, dnnl_query_weights_md, 0, &args[n++]));
    if (d.bias)
        BEAM_TRY(
            packed_arg(l, DNNL_ARG_BIAS, BEAM_ONEDNN_BIAS, dnnl_query_weights_md, 1, &args[n++]));
    if (l->int8)
        BEAM_TRY(add_scales(l, args, &n));
    BEAM_TRY(make_result(l, dnnl_query_dst_md, &buffer));
    args[n++] = from_buffer(DNNL_ARG_DST, buffer);
    return beam_onednn_step_add(b, l->op->name, l->primitive, args, n);
}

/* ---- the others ---- */

/* Ends a primitive with one operand and one result. */
static beam_status finish_unary(lowering *l)
{
    beam_onednn_arg args[2];
    uint32_t buffer = 0;
    args[0] = from_buffer(DNNL_ARG_SRC, l->b->buffer_of[l->op->inputs[0]] - 1);
    BEAM_TRY(make_result(l, dnnl_query_dst_md, &buffer));
    args[1] = from_buffer(DNNL_ARG_DST, buffer);
    return beam_onednn_step_add(l->b, l->op->name, l->primitive, args, 2);
}

static beam_status lower_pool(lowering *l)
{
    const beam_nn_window *w = &l->op->window;
    dnnl_dims_t kernel = {w->kernel, w->kernel}, stride = {w->stride, w->stride};
    dnnl_dims_t padding = {w->padding, w->padding}, dilation = {0, 0};
    if (l->op->kind == BEAM_OP_GLOBAL_AVG_POOL) {
        kernel[0] = l->x.shape[2];
        kernel[1] = l->x.shape[3];
        stride[0] = stride[1] = 1;
    }
    const_dnnl_memory_desc_t x = desc_of(l, l->op->inputs[0]), y;
    dnnl_data_type_t type = dnnl_f32;
    BEAM_TRY(check(l, dnnl_memory_desc_query(x, dnnl_query_data_type, &type)));
    BEAM_TRY(beam_onednn_any(l->b, l->y.rank, l->y.shape, type, &y));
    BEAM_TRY(check(l, dnnl_pooling_forward_primitive_desc_create(
                          &l->primitive, l->b->engine, dnnl_forward_inference,
                          l->op->kind == BEAM_OP_MAX_POOL2D ? dnnl_pooling_max
                                                            : dnnl_pooling_avg_include_padding,
                          x, y, stride, kernel, dilation, padding, padding, l->attr)));
    return finish_unary(l);
}

static beam_status lower_eltwise(lowering *l, dnnl_alg_kind_t kind, float alpha)
{
    const_dnnl_memory_desc_t x = desc_of(l, l->op->inputs[0]);
    BEAM_TRY(check(l, dnnl_eltwise_forward_primitive_desc_create(&l->primitive, l->b->engine,
                                                                 dnnl_forward_inference, kind, x, x,
                                                                 alpha, 0.0f, l->attr)));
    return finish_unary(l);
}

static beam_status lower_softmax(lowering *l)
{
    const_dnnl_memory_desc_t x = desc_of(l, l->op->inputs[0]), y = x;
    if (is_output(l, l->step->output))
        BEAM_TRY(beam_onednn_plain(l->b, &l->y, dnnl_f32, &y));
    BEAM_TRY(check(l, dnnl_softmax_forward_primitive_desc_create(
                          &l->primitive, l->b->engine, dnnl_forward_inference,
                          dnnl_softmax_accurate, x, y, (int)l->x.rank - 1, l->attr)));
    return finish_unary(l);
}

static beam_status lower_batch_norm(lowering *l)
{
    static const struct {
        int arg;
        beam_onednn_part part;
    } parts[] = {{DNNL_ARG_MEAN, BEAM_ONEDNN_MEAN},
                 {DNNL_ARG_VARIANCE, BEAM_ONEDNN_VARIANCE},
                 {DNNL_ARG_SCALE, BEAM_ONEDNN_SCALE},
                 {DNNL_ARG_SHIFT, BEAM_ONEDNN_SHIFT}};
    const_dnnl_memory_desc_t x = desc_of(l, l->op->inputs[0]), channels;
    beam_tensor shape = {.dtype = BEAM_F32, .rank = 1, .shape = {l->x.shape[1]}};
    BEAM_TRY(beam_onednn_plain(l->b, &shape, dnnl_f32, &channels));
    BEAM_TRY(check(l, dnnl_batch_normalization_forward_primitive_desc_create(
                          &l->primitive, l->b->engine, dnnl_forward_inference, x, x, l->op->epsilon,
                          dnnl_use_global_stats | dnnl_use_scale | dnnl_use_shift, l->attr)));
    beam_onednn_arg args[6];
    uint32_t n = 0, buffer = 0;
    args[n++] = from_buffer(DNNL_ARG_SRC, l->b->buffer_of[l->op->inputs[0]] - 1);
    for (size_t i = 0; i < 4; i++, n++) {
        args[n] = (beam_onednn_arg){.arg = parts[i].arg, .source = BEAM_ONEDNN_FROM_PACKED};
        BEAM_TRY(beam_onednn_pack(l->b->model, l->index, parts[i].part, channels, &args[n].packed,
                                  l->b->err));
    }
    BEAM_TRY(make_result(l, dnnl_query_dst_md, &buffer));
    args[n++] = from_buffer(DNNL_ARG_DST, buffer);
    return beam_onednn_step_add(l->b, l->op->name, l->primitive, args, n);
}

static beam_status lower_add(lowering *l)
{
    const_dnnl_memory_desc_t a = desc_of(l, l->op->inputs[0]);
    beam_onednn_arg args[3];
    uint32_t buffer = 0;
    BEAM_TRY(beam_onednn_value_as(l->b, l->op->inputs[1], a, &buffer));
    BEAM_TRY(check(l, dnnl_binary_primitive_desc_create(&l->primitive, l->b->engine,
                                                        dnnl_binary_add, a, a, a, l->attr)));
    args[0] = from_buffer(DNNL_ARG_SRC_0, l->b->buffer_of[l->op->inputs[0]] - 1);
    args[1] = from_buffer(DNNL_ARG_SRC_1, buffer);
    BEAM_TRY(make_result(l, dnnl_query_dst_md, &buffer));
    args[2] = from_buffer(DNNL_ARG_DST, buffer);
    return beam_onednn_step_add(l->b, l->op->name, l->primitive, args, 3);
}

/* Row-major order means the same numbers in any shape: a copy in plain layout, seen otherwise.
 * It is small wherever networks flatten, and a copy may be overwritten. */
static beam_status lower_reshape(lowering *l)
{
    beam_onednn_builder *b = l->b;
    uint32_t copy = 0, seen = 0;
    const_dnnl_memory_desc_t from = desc_of(l, l->op->inputs[0]), plain, y;
    dnnl_data_type_t type = dnnl_f32;
    BEAM_TRY(check(l, dnnl_memory_desc_query(from, dnnl_query_data_type, &type)));
    BEAM_TRY(beam_onednn_plain(b, &l->x, type, &plain));
    BEAM_TRY(beam_onednn_plain(b, &l->y, type, &y));
    BEAM_TRY(check(l, dnnl_reorder_primitive_desc_create(&l->primitive, from, b->engine, plain,
                                                         b->engine, l->attr)));
    BEAM_TRY(beam_onednn_buffer_new(b, plain, &copy));
    BEAM_TRY(beam_onednn_buffer_new(b, y, &seen));
    b->plan->buffers[seen].place = copy;
    b->buffer_of[l->step->output] = seen + 1;
    beam_onednn_arg args[] = {
        from_buffer(DNNL_ARG_FROM, b->buffer_of[l->op->inputs[0]] - 1),
        from_buffer(DNNL_ARG_TO, copy),
    };
    return beam_onednn_step_add(b, l->op->name, l->primitive, args, 2);
}

/* Nothing is dropped: the same buffer.  Only of the caller's, which is no place for an output, a
 * copy. */
static beam_status lower_dropout(lowering *l)
{
    const uint32_t in = l->b->buffer_of[l->op->inputs[0]];
    if (l->b->plan->buffers[in - 1].input)
        return lower_reshape(l);
    l->b->buffer_of[l->step->output] = in;
    return BEAM_OK;
}

static beam_status lower(lowering *l)
{
    beam_onednn_winograd winograd;
    beam_onednn_taps taps;
    if (beam_onednn_winograd_wanted(l->b->model, l->index, l->b->plan->batch, &winograd, &taps))
        return beam_onednn_winograd_lower(l->b, l->index, &winograd);
    switch (l->op->kind) {
    case BEAM_OP_CONV2D:
    case BEAM_OP_LINEAR:
        return lower_product(l);
    case BEAM_OP_BATCH_NORM:
        return lower_batch_norm(l);
    case BEAM_OP_RELU:
        return lower_eltwise(l, dnnl_eltwise_relu, 0);
    case BEAM_OP_GELU:
        return lower_eltwise(l, dnnl_eltwise_gelu_tanh, 0);
    case BEAM_OP_ADD:
        return lower_add(l);
    case BEAM_OP_MAX_POOL2D:
    case BEAM_OP_AVG_POOL2D:
    case BEAM_OP_GLOBAL_AVG_POOL:
        return lower_pool(l);
    case BEAM_OP_RESHAPE:
        return lower_reshape(l);
    case BEAM_OP_SOFTMAX:
        return lower_softmax(l);
    case BEAM_OP_SCALE:
        return lower_eltwise(l, dnnl_eltwise_linear, l->op->factor);
    case BEAM_OP_DROPOUT:
        return lower_dropout(l);
    default:
        break;
    }
    return beam_error_set(l->b->err, BEAM_UNIMPLEMENTED, "the CPU device lacks the operation %s",
                          beam_op_name(l->op->kind));
}

/* ---- a step ---- */

/* Operands that are kept as q are f32 while a step in f32 is lowered: others want q. */
static beam_status lower_in_f32(lowering *l)
{
    beam_onednn_builder *b = l->b;
    const uint32_t operands[] = {l->op->inputs[0],
                                 l->op->kind == BEAM_OP_ADD ? l->op->inputs[1] : l->step->addend};
    const uint32_t before[] = {b->buffer_of[operands[0]], b->buffer_of[operands[1]]};
    beam_status status = BEAM_OK;
    for (int i = 0; i < 2 && status == BEAM_OK; i++) {
        uint32_t buffer = 0;
        if (!keeps_q(l, operands[i]))
            continue;
        status = beam_onednn_value_as_f32(b, operands[i], &buffer);
        b->buffer_of[operands[i]] = buffer + 1;
    }
    if (status == BEAM_OK)
        status = lower(l);
    for (int i = 0; i < 2; i++)
        b->buffer_of[operands[i]] = before[i];
    return status;
}

/* Whether a step in f32 may read q and give them: it passes on what it reads. */
static bool passes_q(const lowering *l)
{
    return !beam_nn_is_product(l->op) && keeps_q(l, l->step->output);
}

beam_status beam_onednn_lower(beam_onednn_builder *b, size_t index)
{
    lowering l = {.b = b, .index = index, .step = &b->model->steps[index]};
    l.op = l.step->op;
    l.int8 = beam_onednn_is_int8(b->model, index);
    l.x = beam_nn_shape(b->network, l.op->inputs[0], b->plan->batch);
    l.y = beam_nn_shape(b->network, l.step->output, b->plan->batch);
    beam_status status = check(&l, make_attr(&l, &l.attr));
    if (status == BEAM_OK)
        status = l.int8 || passes_q(&l) ? lower(&l) : lower_in_f32(&l);
    if (l.primitive)
        (void)dnnl_primitive_desc_destroy(l.primitive);
    if (l.attr)
        (void)dnnl_primitive_attr_destroy(l.attr);
    return status;
}
