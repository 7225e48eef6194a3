/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference_int8.c - a step in int8, as int8.h says it. */
#include <math.h>

#include "device/reference.h"

static float nearest(float number, float scale)
{
    float q = rintf(number / scale);
    return q > 127 ? 127 : q < -128 ? -128 : q;
}

/* The sum for output channel at[1] of image at[0] at row at[2], column at[3]. */
static int32_t sum_at(const beam_nn_op *op, const int8_t *x, beam_image_shape in,
                      const int8_t *weights, int64_t channels, const int64_t *at)
{
    beam_nn_window w = op->window;
    int64_t groups = op->groups;
    if (op->kind == BEAM_OP_LINEAR) {
        w = (beam_nn_window){.kernel = 1, .stride = 1, .dilation = 1};
        groups = 1;
    }
    int64_t per_group = in.c / groups, group = at[1] / (channels / groups);
    int32_t sum = 0;
    for (int64_t c = 0; c < per_group; c++) {
        const int8_t *plane = x + ((at[0] * in.c + group * per_group + c) * in.h) * in.w;
        const int8_t *taps = weights + (at[1] * per_group + c) * w.kernel * w.kernel;
        for (int64_t i = 0; i < w.kernel; i++)
            for (int64_t j = 0; j < w.kernel; j++) {
                int64_t y = at[2] * w.stride - w.padding + i * w.dilation;
                int64_t z = at[3] * w.stride - w.padding + j * w.dilation;
                if (y >= 0 && y < in.h && z >= 0 && z < in.w)
                    sum += plane[y * in.w + z] * taps[i * w.kernel + j];
            }
    }
    return sum;
}

/* What comes of a sum: the number at `index` of the step's output. */
static float finish(const beam_int8_model *model, const beam_fused_op *step, float y,
                    const float *addend, int64_t index)
{
    bool kept = model->kept[step->output];
    if (addend) {
        float scale = model->scales[step->addend];
        y += kept ? nearest(addend[index], scale) * scale : addend[index];
    }
    if (step->activation && step->activation->kind == BEAM_OP_RELU)
        y = y > 0 ? y : 0;
    else if (step->activation)
        y = (float)((double)y * beam_gelu_share((double)y));
    return kept ? nearest(y, model->scales[step->output]) * model->scales[step->output] : y;
}

void beam_reference_int8(const beam_int8_model *model, const beam_fused_op *step, size_t index,
                         float *const *data, const beam_tensor *shapes, int8_t *q)
{
    const beam_int8_product *p = &model->products[index];
    uint32_t x = step->op->inputs[0];
    const float *addend = step->addend ? data[step->addend] : NULL;
    beam_image_shape in = beam_image_shape_of(&shapes[x]),
                     out = beam_image_shape_of(&shapes[step->output]);
    int64_t count = beam_count_of(&shapes[x]), at = 0;
    for (int64_t i = 0; i < count; i++)
        q[i] = (int8_t)nearest(data[x][i], model->scales[x]);
    for (int64_t n = 0; n < out.n; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t i = 0; i < out.h; i++)
                for (int64_t j = 0; j < out.w; j++, at++) {
                    int32_t sum =
                        sum_at(step->op, q, in, p->weights, out.c, (const int64_t[]){n, c, i, j});
                    float y = (float)sum * p->scales[c] + p->bias[c];
                    data[step->output][at] = finish(model, step, y, addend, at);
                }
}
