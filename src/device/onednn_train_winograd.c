/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_winograd.c - convolutions of 3x3 in training, in f32, by Winograd's minimal
 * filtering: the result, the gradient of the input, which is such a convolution of the result's,
 * and the weights' gradient, which is a sum over tiles of what is the product's at each point.
 *
 * Images lie in blocks of a vector's channels, and weights so that the loops read and write
 * vectors: taps outermost, the output's channels innermost.  U is made anew in each step, as
 * weights change. */
#include "device/onednn_train.h"

/* Bytes of scratch memory, and tiles, that the weights' gradient is summed over at once: all of U's
 * gradient is read and written for each. */
enum { GRAD_SCRATCH = 16 << 20, FEWEST_TILES = 128, MOST_TILES = 1024 };

/* The convolution that the operation is or belongs to, cut into tiles; false where it is not worth
 * it. */
static bool wanted(const beam_onednn_lowering *l, beam_onednn_winograd *w)
{
    const beam_onednn_train_builder *t = l->t;
    const beam_nn_op *f = l->op->forward ? &t->b.network->ops[l->op->forward - 1] : l->op;
    if (t->b.type != dnnl_f32 || f->kind != BEAM_OP_CONV2D || f->num_inputs > 2)
        return false;
    beam_tensor x = beam_nn_shape(t->b.network, f->inputs[0], t->b.plan->batch);
    beam_tensor y = beam_nn_shape(t->b.network, f->outputs[0], t->b.plan->batch);
    return beam_onednn_winograd_trains(f, &x, &y, w);
}

/* The convolution that makes the gradient of the input. */
static beam_onednn_winograd turned(const beam_onednn_winograd *w)
{
    beam_onednn_winograd back = *w;
    back.in = w->out;
    back.out = w->in;
    back.in_height = w->height;
    back.in_width = w->width;
    back.height = w->in_height;
    back.width = w->in_width;
    back.padding = 2 - w->padding;
    back.turned = true;
    beam_onednn_winograd_cut(&back, 4);
    return back;
}

/* As other operations of this instruction set like images. */
static beam_status blocks(beam_onednn_lowering *l, const beam_onednn_winograd *w, uint32_t value,
                          const_dnnl_memory_desc_t *desc)
{
    beam_tensor shape = beam_nn_shape(l->t->b.network, value, l->t->b.plan->batch);
    dnnl_dims_t sizes = {shape.shape[0], shape.shape[1], shape.shape[2], shape.shape[3]};
    dnnl_format_tag_t tag = w->lanes == 16  ? dnnl_aBcd16b
                            : w->lanes == 8 ? dnnl_aBcd8b
                                            : dnnl_aBcd4b;
    return beam_onednn_tagged(&l->t->b, 4, sizes, dnnl_f32, tag, desc);
}

static beam_status taps_layout(beam_onednn_lowering *l, const beam_onednn_winograd *w,
                               const_dnnl_memory_desc_t *desc)
{
    size_t out = w->turned ? w->in : w->out, in = w->turned ? w->out : w->in;
    dnnl_dims_t sizes = {(dnnl_dim_t)out, (dnnl_dim_t)in, 3, 3};
    return beam_onednn_tagged(&l->t->b, 4, sizes, dnnl_f32, dnnl_cdba, desc);
}

/* U of the weights, from what the step begins with. */
static beam_status make_u(beam_onednn_lowering *l, uint32_t weight, const beam_onednn_winograd *w,
                          uint32_t *u)
{
    const beam_onednn_kernel kernel = {
        .run = beam_onednn_winograd_weights_run, .op = l->op, .winograd = *w};
    const_dnnl_memory_desc_t taps, desc;
    BEAM_TRY(taps_layout(l, w, &taps));
    if (!beam_onednn_train_by_muon(l->t->b.network, weight))
        BEAM_TRY(beam_onednn_train_keep(l->t, weight, taps));
    BEAM_TRY(beam_onednn_operand(l, BEAM_WINOGRAD_TAPS, weight, taps));
    BEAM_TRY(beam_onednn_floats(&l->t->b, beam_onednn_winograd_weights(w), &desc));
    BEAM_TRY(beam_onednn_result(l, BEAM_WINOGRAD_U, 0, desc));
    *u = l->args[l->num_args - 1].index;
    BEAM_TRY(beam_onednn_kernel_add(&l->t->b, l->op->name, &kernel, l->args, l->num_args));
    l->num_args = 0;
    return BEAM_OK;
}

/* y from x. */
static beam_status lower_conv(beam_onednn_lowering *l, uint32_t weight,
                              const beam_onednn_winograd *w)
{
    const beam_onednn_kernel kernel = {
        .run = beam_onednn_winograd_run, .op = l->op, .winograd = *w};
    const_dnnl_memory_desc_t x, y, scratch;
    uint32_t u = 0;
    BEAM_TRY(make_u(l, weight, w, &u));
    BEAM_TRY(blocks(l, w, l->op->inputs[0], &x));
    BEAM_TRY(blocks(l, w, l->op->outputs[0], &y));
    BEAM_TRY(beam_onednn_floats(&l->t->b, beam_onednn_winograd_floats(w), &scratch));
    BEAM_TRY(beam_onednn_operand(l, BEAM_WINOGRAD_X, l->op->inputs[0], x));
    l->args[l->num_args++] = (beam_onednn_arg){
        .arg = BEAM_WINOGRAD_WEIGHTS, .source = BEAM_ONEDNN_FROM_BUFFER, .index = u};
    BEAM_TRY(beam_onednn_result(l, BEAM_WINOGRAD_Y, l->op->outputs[0], y));
    BEAM_TRY(beam_onednn_result(l, BEAM_WINOGRAD_SCRATCH, 0, scratch));
    return beam_onednn_kernel_add(&l->t->b, l->op->name, &kernel, l->args, l->num_args);
}

static beam_status lower_weights(beam_onednn_lowering *l, beam_onednn_winograd w)
{
    size_t of_tile = 36 * sizeof(float) * (w.in + w.out), tiles = w.batch * w.down * w.across;
    w.at_once = GRAD_SCRATCH / of_tile;
    w.at_once = w.at_once < FEWEST_TILES ? FEWEST_TILES : w.at_once;
    w.at_once = w.at_once > MOST_TILES ? MOST_TILES : w.at_once;
    w.at_once = w.at_once > tiles ? tiles : w.at_once;
    const beam_onednn_kernel kernel = {
        .run = beam_onednn_winograd_grad, .op = l->op, .winograd = w};
    const beam_nn_op *forward = &l->t->b.network->ops[l->op->forward - 1];
    const_dnnl_memory_desc_t x, y, taps, scratch;
    BEAM_TRY(blocks(l, &w, forward->inputs[0], &x));
    BEAM_TRY(blocks(l, &w, forward->outputs[0], &y));
    BEAM_TRY(taps_layout(l, &w, &taps));
    BEAM_TRY(beam_onednn_floats(&l->t->b, beam_onednn_winograd_grad_floats(&w), &scratch));
    BEAM_TRY(beam_onednn_operand(l, BEAM_WINOGRAD_GRAD_X, forward->inputs[0], x));
    BEAM_TRY(beam_onednn_operand(l, BEAM_WINOGRAD_GRAD_DY, l->op->inputs[1], y));
    BEAM_TRY(beam_onednn_result(l, BEAM_WINOGRAD_GRAD_DTAPS, l->op->outputs[0], taps));
    BEAM_TRY(beam_onednn_result(l, BEAM_WINOGRAD_GRAD_SCRATCH, 0, scratch));
    return beam_onednn_kernel_add(&l->t->b, l->op->name, &kernel, l->args, l->num_args);
}

beam_status beam_onednn_train_winograd(beam_onednn_lowering *l, bool *done)
{
    beam_onednn_winograd w, back;
    *done = wanted(l, &w);
    if (!*done)
        return BEAM_OK;
    switch (l->op->kind) {
    case BEAM_OP_CONV2D:
        return lower_conv(l, l->op->inputs[1], &w);
    case BEAM_OP_CONV2D_GRAD_DATA:
        back = turned(&w);
        return lower_conv(l, l->t->b.network->ops[l->op->forward - 1].inputs[1], &back);
    default:
        return lower_weights(l, w);
    }
}
