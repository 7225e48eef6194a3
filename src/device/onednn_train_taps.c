/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_taps.c - taps of a convolution that never meet the image: where a 3x3 window passes
 * over an image of 1x1, as in the last layers of a ResNet on small images, eight of nine only ever
 * see padding.  They add nothing and their gradient is 0, so the product is made with a window
 * without them; the weights are kept whole. */
#include "device/onednn_train.h"

/* Whether tap k sees the image from some position of the window. */
static bool meets(const beam_nn_window *w, int64_t in, int64_t out, int64_t k)
{
    for (int64_t o = 0; o < out; o++) {
        int64_t at = o * w->stride - w->padding + k * w->dilation;
        if (at >= 0 && at < in)
            return true;
    }
    return false;
}

/* The window without the taps before the first and after the last that meet the image; false if
 * all do, or none. */
static bool trim(const beam_nn_window *w, int64_t in, int64_t out, beam_onednn_taps *taps, int axis)
{
    int64_t first = 0, last = w->kernel - 1;
    while (first <= last && !meets(w, in, out, first))
        first++;
    while (last > first && !meets(w, in, out, last))
        last--;
    int64_t left = w->padding - first * w->dilation;
    int64_t range = (last - first) * w->dilation + 1;
    int64_t right = (out - 1) * w->stride + range - in - left;
    if (first > last || left < 0) {
        first = 0;
        last = w->kernel - 1;
        left = right = w->padding;
    }
    taps->kernel[axis] = w->kernel;
    taps->first[axis] = first;
    taps->count[axis] = last - first + 1;
    taps->left[axis] = left;
    taps->right[axis] = right > 0 ? right : 0;
    return taps->count[axis] < w->kernel;
}

bool beam_onednn_taps_find(const beam_nn_op *conv, const beam_tensor *x, const beam_tensor *y,
                           beam_onednn_taps *taps)
{
    bool high = trim(&conv->window, x->shape[2], y->shape[2], taps, 0);
    bool wide = trim(&conv->window, x->shape[3], y->shape[3], taps, 1);
    return high || wide;
}

/* Layouts in which the taps of a block of channels lie side by side. */
static const struct {
    dnnl_format_tag_t tag;
    size_t inner;
} whole_layouts[] = {{dnnl_ABcd16b16a, 256},
                     {dnnl_ABcd16a16b, 256},
                     {dnnl_ABcd8b8a, 64},
                     {dnnl_ABcd8a8b, 64},
                     {dnnl_abcd, 1}};

beam_status beam_onednn_taps_whole(beam_onednn_builder *b, const_dnnl_memory_desc_t part,
                                   const int64_t *sizes, beam_onednn_taps *taps,
                                   const_dnnl_memory_desc_t *whole)
{
    dnnl_dims_t all = {sizes[0], sizes[1], taps->kernel[0], taps->kernel[1]};
    dnnl_dims_t some = {sizes[0], sizes[1], taps->count[0], taps->count[1]};
    *whole = NULL;
    for (size_t i = 0; i < sizeof whole_layouts / sizeof *whole_layouts; i++) {
        dnnl_memory_desc_t like = NULL;
        BEAM_TRY(beam_onednn_status(
            dnnl_memory_desc_create_with_tag(&like, 4, some, dnnl_f32, whole_layouts[i].tag),
            "layout", b->err));
        bool equal = dnnl_memory_desc_equal(like, part);
        (void)dnnl_memory_desc_destroy(like);
        if (!equal)
            continue;
        taps->inner = whole_layouts[i].inner;
        return beam_onednn_tagged(b, 4, all, dnnl_f32, whole_layouts[i].tag, whole);
    }
    return BEAM_OK;
}

beam_status beam_onednn_taps_view(beam_onednn_train_builder *t, const beam_onednn_taps *taps,
                                  uint32_t weight, uint32_t *view)
{
    beam_onednn_plan *plan = t->b.plan;
    uint32_t whole = t->b.buffer_of[weight] - 1;
    const int64_t *sizes = t->b.network->values[weight].shape;
    dnnl_dims_t some = {sizes[0], sizes[1], taps->count[0], taps->count[1]};
    dnnl_dims_t from = {0, 0, taps->first[0], taps->first[1]};
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(beam_onednn_part_of(&t->b, plan->buffers[whole].desc, some, from, &desc));
    for (uint32_t i = 0; i < plan->num_buffers; i++) {
        *view = i;
        if (i != whole && plan->buffers[i].place == whole &&
            dnnl_memory_desc_equal(plan->buffers[i].desc, desc))
            return BEAM_OK;
    }
    BEAM_TRY(beam_onednn_buffer_new(&t->b, desc, view));
    plan->buffers[*view].place = whole;
    plan->buffers[*view].kept = true;
    return BEAM_OK;
}

bool beam_onednn_taps_idle(const beam_onednn_taps *taps, size_t outer, const float *numbers)
{
    int64_t height = taps->kernel[0], width = taps->kernel[1];
    for (size_t i = 0; i < outer; i++)
        for (int64_t h = 0; h < height; h++)
            for (int64_t w = 0; w < width; w++, numbers++) {
                bool used = h >= taps->first[0] && h < taps->first[0] + taps->count[0] &&
                            w >= taps->first[1] && w < taps->first[1] + taps->count[1];
                if (!used && *numbers != 0)
                    return false;
            }
    return true;
}
