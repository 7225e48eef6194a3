/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_winograd_plan.c - which convolutions run as onednn_winograd.c does them, and such a step
 * of a plan. */
#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"

/* Floats of the widest vectors that oneDNN uses here, so that DNNL_MAX_CPU_ISA holds for us too. */
static size_t lanes_here(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
        return 16;
    if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2)
        return 8;
    return 4;
}

/* Tiles in scratch memory together: so few that it stays in the caches, and so many that reading U
 * is little beside multiplying with it.  48 and 192 take longer on a Zen 3. */
enum { TILES_AT_ONCE = 96 };

void beam_onednn_winograd_cut(beam_onednn_winograd *w, size_t outputs)
{
    w->outputs = outputs;
    w->down = (w->height + outputs - 1) / outputs;
    w->across = (w->width + outputs - 1) / outputs;
    size_t tiles = w->batch * w->down * w->across;
    w->at_once = tiles < TILES_AT_ONCE ? tiles : TILES_AT_ONCE;
    w->at_once =
        beam_onednn_winograd_blocks(w->lanes, w->at_once) * beam_onednn_winograd_block(w->lanes);
}

/* A window that is the whole image makes one output of all its numbers. */
static bool is_whole(const beam_onednn_winograd *w, const beam_onednn_taps *taps)
{
    return w->height == 1 && w->width == 1 && taps->count[0] == (int64_t)w->in_height &&
           taps->count[1] == (int64_t)w->in_width && taps->left[0] == 0 && taps->left[1] == 0;
}

/* Whether it is worth it for batches of `rows`, which all plans of a model agree on, as a row's
 * result may not depend on what it is run with, and its weights are packed once.  What decides is
 * how many multiplications are left, those with which the last block is filled up counted too:
 * transforms, padding that a direct convolution skips, and reading four times the weights take away
 * half of what is saved.  On a Zen 4 with AVX-512 images of 7x7 gained by 1.1 one at a time (1.5
 * times fewer multiplications), 4x4 by 1.2 in fours (2), and 5x5 nothing (1.6); 56x56 gain by 3
 * (4). It is the same from 32 channels to 512; with 16, less but something. A whole image is
 * multiplied with no transforms, and oneDNN multiplies each by itself. */
static bool worth_it(const beam_onednn_winograd *w, const beam_nn_window *window, size_t channels,
                     size_t rows)
{
    const size_t tiles = rows * w->down * w->across;
    const size_t filled =
        beam_onednn_winograd_blocks(w->lanes, tiles) * beam_onednn_winograd_block(w->lanes);
    const size_t side = beam_onednn_winograd_side(w->outputs);
    const double left = (double)(filled * side * side) * (double)w->in;
    const double direct = (double)(rows * w->height * w->width) * (double)channels *
                          (double)(window->kernel * window->kernel);
    return direct >= (side == 1 ? 0.5 : 2.0) * left;
}

/* The convolution's sizes; false if its channels or its window are none for these loops. */
static bool measure(const beam_nn_op *conv, const beam_tensor *x, const beam_tensor *y,
                    beam_onednn_winograd *w)
{
    *w = (beam_onednn_winograd){.lanes = lanes_here(),
                                .batch = (size_t)x->shape[0],
                                .in = (size_t)x->shape[1],
                                .out = (size_t)y->shape[1],
                                .in_height = (size_t)x->shape[2],
                                .in_width = (size_t)x->shape[3],
                                .height = (size_t)y->shape[2],
                                .width = (size_t)y->shape[3],
                                .padding = (size_t)conv->window.padding};
    return conv->groups == 1 && conv->window.dilation == 1 && w->in % w->lanes == 0 &&
           w->out % w->lanes == 0;
}

static bool is_square(const beam_nn_window *window)
{
    return window->kernel == 3 && window->stride == 1;
}

bool beam_onednn_winograd_wanted(const beam_onednn_model *model, size_t step, int64_t batch,
                                 beam_onednn_winograd *w, beam_onednn_taps *taps)
{
    const beam_nn_op *op = model->steps[step].op;
    if (model->model->precision != BEAM_PRECISION_F32 || op->kind != BEAM_OP_CONV2D)
        return false;
    beam_tensor x = beam_nn_shape(model->model->network, op->inputs[0], batch);
    beam_tensor y = beam_nn_shape(model->model->network, model->steps[step].output, batch);
    if (!measure(op, &x, &y, w))
        return false;
    const size_t channels = w->in;
    (void)beam_onednn_taps_find(op, &x, &y, taps);
    if (is_whole(w, taps)) {
        w->in *= w->in_height * w->in_width;
        w->in_height = w->in_width = 1;
        w->padding = 0;
        beam_onednn_winograd_cut(w, 1);
    } else if (!is_square(&op->window)) {
        return false;
    } else if (w->padding == 1 && w->height <= 2 && w->width <= 2) {
        w->padding = 0; /* which is dealt with */
        beam_onednn_winograd_cut(w, 2);
    } else {
        beam_onednn_winograd_cut(w, 4);
    }
    return worth_it(w, &op->window, channels, (size_t)model->chunk);
}

bool beam_onednn_winograd_trains(const beam_nn_op *conv, const beam_tensor *x, const beam_tensor *y,
                                 beam_onednn_winograd *w)
{
    if (!measure(conv, x, y, w) || !is_square(&conv->window) || w->padding > 2)
        return false;
    w->blocked = true;
    beam_onednn_winograd_cut(w, 4);
    return worth_it(w, &conv->window, w->in, w->batch);
}

/* The value's buffer with channels innermost, which other readers of it then have too. */
static beam_status channels_last(beam_onednn_builder *b, uint32_t value, uint32_t *buffer)
{
    const_dnnl_memory_desc_t desc;
    beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    BEAM_TRY(beam_onednn_channels_last(b, &shape, dnnl_f32, &desc));
    BEAM_TRY(beam_onednn_value_as(b, value, desc, buffer));
    b->buffer_of[value] = *buffer + 1;
    return BEAM_OK;
}

static beam_status packed_arg(beam_onednn_builder *b, size_t step, beam_onednn_part part,
                              size_t count, int slot, beam_onednn_arg *arg)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(beam_onednn_floats(b, count, &desc));
    *arg = (beam_onednn_arg){.arg = slot, .source = BEAM_ONEDNN_FROM_PACKED};
    return beam_onednn_pack(b->model, step, part, desc, &arg->packed, b->err);
}

/* Result and scratch memory. */
static beam_status add_results(beam_onednn_builder *b, const beam_fused_op *step,
                               const beam_onednn_winograd *w, beam_onednn_arg *args, uint32_t *n)
{
    const_dnnl_memory_desc_t desc;
    uint32_t buffer = 0, addend = 0;
    beam_tensor shape = beam_nn_shape(b->network, step->output, b->plan->batch);
    if (step->addend) {
        BEAM_TRY(channels_last(b, step->addend, &addend));
        args[(*n)++] = (beam_onednn_arg){.arg = BEAM_WINOGRAD_ADDEND, .index = addend};
    }
    BEAM_TRY(beam_onednn_channels_last(b, &shape, dnnl_f32, &desc));
    BEAM_TRY(beam_onednn_buffer_new(b, desc, &buffer));
    if (step->addend)
        b->plan->buffers[buffer].place = b->plan->buffers[addend].place;
    b->buffer_of[step->output] = buffer + 1;
    args[(*n)++] = (beam_onednn_arg){.arg = BEAM_WINOGRAD_Y, .index = buffer};
    BEAM_TRY(beam_onednn_floats(b, beam_onednn_winograd_floats(w), &desc));
    BEAM_TRY(beam_onednn_buffer_new(b, desc, &buffer));
    args[(*n)++] = (beam_onednn_arg){.arg = BEAM_WINOGRAD_SCRATCH, .index = buffer};
    return BEAM_OK;
}

beam_status beam_onednn_winograd_lower(beam_onednn_builder *b, size_t index,
                                       const beam_onednn_winograd *w)
{
    const beam_fused_op *step = &b->model->steps[index];
    beam_onednn_kernel kernel = {.run = beam_onednn_winograd_run, .op = step->op, .winograd = *w};
    beam_onednn_arg args[6];
    uint32_t n = 0, x = 0;
    if (step->activation)
        kernel.activation =
            step->activation->kind == BEAM_OP_GELU ? BEAM_ONEDNN_GELU : BEAM_ONEDNN_RELU;
    BEAM_TRY(channels_last(b, step->op->inputs[0], &x));
    args[n++] = (beam_onednn_arg){.arg = BEAM_WINOGRAD_X, .index = x};
    BEAM_TRY(packed_arg(b, index, BEAM_ONEDNN_WINOGRAD, beam_onednn_winograd_weights(w),
                        BEAM_WINOGRAD_WEIGHTS, &args[n++]));
    if (step->op->num_inputs > 2 || step->norm)
        BEAM_TRY(packed_arg(b, index, BEAM_ONEDNN_BIAS, w->out, BEAM_WINOGRAD_BIAS, &args[n++]));
    BEAM_TRY(add_results(b, step, w, args, &n));
    return beam_onednn_kernel_add(b, step->op->name, &kernel, args, n);
}
