/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_amx.c - which convolutions and gradients run in bf16 as onednn_amx*.c do them, and
 * such steps of a plan.  On a CPU of Intel's fifth generation the gradients of the weights of
 * fastnet took 410 ms a step by oneDNN 3.2 and take 140, and convolutions of 256 channels of 7x7
 * took 45 ms and take some 30. */
#include "device/onednn_train.h"

/* Fewer channels leave most of a tile empty. */
enum { FEWEST_CHANNELS = 16 };

/* The convolution that the operation is or belongs to; false where it is none for these loops. */
static bool wanted(const beam_onednn_lowering *l, beam_onednn_amx *s)
{
    const beam_onednn_train_builder *t = l->t;
    const beam_nn_op *f = l->op->forward ? &t->b.network->ops[l->op->forward - 1] : l->op;
    const beam_nn_window *w = &f->window;
    beam_onednn_taps taps;
    if (t->b.type != dnnl_bf16 || f->kind != BEAM_OP_CONV2D || f->num_inputs > 2 || f->groups > 1 ||
        w->stride != 1 || w->dilation != 1 || w->padding >= w->kernel)
        return false;
    const beam_tensor x = beam_nn_shape(t->b.network, f->inputs[0], t->b.plan->batch);
    const beam_tensor y = beam_nn_shape(t->b.network, f->outputs[0], t->b.plan->batch);
    if (x.shape[1] < FEWEST_CHANNELS || y.shape[1] < FEWEST_CHANNELS ||
        beam_onednn_taps_find(f, &x, &y, &taps) || !beam_onednn_amx_here())
        return false;
    *s = (beam_onednn_amx){.batch = (size_t)x.shape[0],
                           .in = (size_t)x.shape[1],
                           .out = (size_t)y.shape[1],
                           .kernel = (size_t)w->kernel,
                           .padding = (size_t)w->padding,
                           .in_height = (size_t)x.shape[2],
                           .in_width = (size_t)x.shape[3],
                           .height = (size_t)y.shape[2],
                           .width = (size_t)y.shape[3]};
    beam_onednn_amx_cut(s);
    return true;
}

static beam_status layout_of(beam_onednn_lowering *l, const beam_onednn_amx *s,
                             const_dnnl_memory_desc_t *layout)
{
    const dnnl_dims_t sizes = {(dnnl_dim_t)s->out, (dnnl_dim_t)s->in, (dnnl_dim_t)s->kernel,
                               (dnnl_dim_t)s->kernel};
    return beam_onednn_tagged(&l->t->b, 4, sizes, dnnl_f32, dnnl_ABcd16a16b, layout);
}

beam_status beam_onednn_train_amx_layout(beam_onednn_lowering *l, const_dnnl_memory_desc_t *layout,
                                         bool *done)
{
    beam_onednn_amx s;
    *done = wanted(l, &s);
    return *done ? layout_of(l, &s, layout) : BEAM_OK;
}

static beam_status images_layout(beam_onednn_lowering *l, uint32_t value,
                                 const_dnnl_memory_desc_t *layout)
{
    beam_onednn_builder *b = &l->t->b;
    const beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    return beam_onednn_channels_last(b, &shape, dnnl_bf16, layout);
}

static beam_status read_images(beam_onednn_lowering *l, int arg, uint32_t value)
{
    const_dnnl_memory_desc_t layout;
    BEAM_TRY(images_layout(l, value, &layout));
    return beam_onednn_operand(l, arg, value, layout);
}

static beam_status lower_weights(beam_onednn_lowering *l, const beam_onednn_amx *s)
{
    const beam_onednn_kernel kernel = {.run = beam_onednn_amx_grad, .op = l->op, .amx = *s};
    const_dnnl_memory_desc_t layout, scratch;
    BEAM_TRY(layout_of(l, s, &layout));
    BEAM_TRY(beam_onednn_floats(&l->t->b, beam_onednn_amx_floats(s), &scratch));
    BEAM_TRY(read_images(l, BEAM_AMX_GRAD_X, l->t->b.network->ops[l->op->forward - 1].inputs[0]));
    BEAM_TRY(read_images(l, BEAM_AMX_GRAD_DY, l->op->inputs[1]));
    BEAM_TRY(beam_onednn_result(l, BEAM_AMX_GRAD_DWEIGHTS, l->op->outputs[0], layout));
    BEAM_TRY(beam_onednn_result(l, BEAM_AMX_GRAD_SCRATCH, 0, scratch));
    return beam_onednn_kernel_add(&l->t->b, l->op->name, &kernel, l->args, l->num_args);
}

/* ---- the convolution, and the gradient of its input ---- */

/* The convolution that makes the gradient of the input. */
static beam_onednn_amx turned(const beam_onednn_amx *s)
{
    return (beam_onednn_amx){.batch = s->batch,
                             .in = s->out,
                             .out = s->in,
                             .kernel = s->kernel,
                             .padding = s->kernel - 1 - s->padding,
                             .in_height = s->height,
                             .in_width = s->width,
                             .height = s->in_height,
                             .width = s->in_width,
                             .turned = true};
}

/* The weights as tiles, made anew in each step from what it begins with. */
static beam_status make_tiles(beam_onednn_lowering *l, uint32_t weight, const beam_onednn_amx *s,
                              const beam_onednn_amx *forward, uint32_t *tiles)
{
    const beam_onednn_kernel kernel = {.run = beam_onednn_amx_weights, .op = l->op, .amx = *s};
    const_dnnl_memory_desc_t layout, desc;
    BEAM_TRY(layout_of(l, forward, &layout));
    if (!beam_onednn_train_by_muon(l->t->b.network, weight))
        BEAM_TRY(beam_onednn_train_keep(l->t, weight, layout));
    BEAM_TRY(beam_onednn_operand(l, BEAM_AMX_TAPS, weight, layout));
    BEAM_TRY(beam_onednn_floats(&l->t->b, beam_onednn_amx_weights_floats(s), &desc));
    BEAM_TRY(beam_onednn_result(l, BEAM_AMX_TILES, 0, desc));
    *tiles = l->args[l->num_args - 1].index;
    BEAM_TRY(beam_onednn_kernel_add(&l->t->b, l->op->name, &kernel, l->args, l->num_args));
    l->num_args = 0;
    return BEAM_OK;
}

static beam_status lower_conv(beam_onednn_lowering *l, const beam_onednn_amx *s,
                              const beam_onednn_amx *forward)
{
    const beam_nn_op *f = l->op->forward ? &l->t->b.network->ops[l->op->forward - 1] : l->op;
    const beam_onednn_kernel kernel = {.run = beam_onednn_amx_conv, .op = l->op, .amx = *s};
    const_dnnl_memory_desc_t y, scratch;
    uint32_t tiles = 0;
    BEAM_TRY(make_tiles(l, f->inputs[1], s, forward, &tiles));
    BEAM_TRY(images_layout(l, l->op->outputs[0], &y));
    BEAM_TRY(beam_onednn_floats(&l->t->b, beam_onednn_amx_conv_floats(s, l->t->threads), &scratch));
    BEAM_TRY(read_images(l, BEAM_AMX_X, l->op->inputs[0]));
    l->args[l->num_args++] = (beam_onednn_arg){
        .arg = BEAM_AMX_WEIGHTS, .source = BEAM_ONEDNN_FROM_BUFFER, .index = tiles};
    BEAM_TRY(beam_onednn_result(l, BEAM_AMX_Y, l->op->outputs[0], y));
    BEAM_TRY(beam_onednn_result(l, BEAM_AMX_SCRATCH, 0, scratch));
    return beam_onednn_kernel_add(&l->t->b, l->op->name, &kernel, l->args, l->num_args);
}

beam_status beam_onednn_train_amx(beam_onednn_lowering *l, bool *done)
{
    beam_onednn_amx s, back;
    *done = wanted(l, &s);
    if (!*done || l->op->kind == BEAM_OP_CONV2D_GRAD_WEIGHTS)
        return *done ? lower_weights(l, &s) : BEAM_OK;
    back = turned(&s);
    beam_onednn_amx_conv_cut(&s);
    beam_onednn_amx_conv_cut(&back);
    *done = beam_onednn_amx_conv_suits(&s) &&
            beam_onednn_amx_conv_suits(&back); /* oneDNN's description of one needs the other's */
    if (!*done)
        return BEAM_OK;
    return lower_conv(l, l->op->kind == BEAM_OP_CONV2D ? &s : &back, &s);
}
