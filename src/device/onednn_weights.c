/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_weights.c - weights in the layouts that primitives chose.  They come in PyTorch's
 * layout, straight from where they lie (a mapped file, say); a batch norm behind a convolution
 * or linear layer is multiplied in on the way.  A plan for another batch size may want another
 * layout: that is made from the first one, since the originals are gone by then. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "device/onednn.h"

enum { ALIGNMENT = 64 };

void beam_onednn_packed_free(beam_onednn_packed *packed)
{
    if (packed->memory)
        (void)dnnl_memory_destroy(packed->memory);
    if (packed->desc)
        (void)dnnl_memory_desc_destroy(packed->desc);
    beam_free(packed->data);
}

static const beam_tensor *parameter(const beam_onednn_model *model, uint32_t value)
{
    return &model->parameters[model->model->network->values[value].index].tensor;
}

static const float *vector(const beam_onednn_model *model, const beam_nn_op *op, uint32_t input)
{
    return parameter(model, op->inputs[input])->data;
}

/* What a batch norm multiplies channel c with. */
static float norm_scale(const beam_onednn_model *model, const beam_nn_op *norm, int64_t c)
{
    double variance = (double)vector(model, norm, 4)[c];
    return (float)((double)vector(model, norm, 1)[c] / sqrt(variance + (double)norm->epsilon));
}

static void fold_weights(const beam_onednn_model *model, const beam_fused_op *step, float *to)
{
    const beam_tensor *weights = parameter(model, step->op->inputs[1]);
    const float *from = weights->data;
    size_t rows = (size_t)weights->shape[0];
    size_t row = beam_tensor_bytes(weights) / sizeof *from / rows;
    for (size_t r = 0; r < rows; r++) {
        float scale = norm_scale(model, step->norm, (int64_t)r);
        for (size_t i = 0; i < row; i++)
            to[r * row + i] = from[r * row + i] * scale;
    }
}

static void fold_bias(const beam_onednn_model *model, const beam_fused_op *step, float *to,
                      size_t count)
{
    const float *bias = step->op->num_inputs > 2 ? vector(model, step->op, 2) : NULL;
    for (size_t c = 0; c < count; c++) {
        to[c] = bias ? bias[c] : 0.0f;
        if (step->norm)
            to[c] = (to[c] - vector(model, step->norm, 3)[c]) *
                        norm_scale(model, step->norm, (int64_t)c) +
                    vector(model, step->norm, 2)[c];
    }
}

/* The part in PyTorch's layout, f32: the caller's own data, or made in *made (to be freed). */
static beam_status original(const beam_onednn_model *model, const beam_fused_op *step,
                            beam_onednn_part part, const float **data, float **made,
                            beam_error *err)
{
    static const uint32_t norm_input[] = {
        [BEAM_ONEDNN_SCALE] = 1,
        [BEAM_ONEDNN_SHIFT] = 2,
        [BEAM_ONEDNN_MEAN] = 3,
        [BEAM_ONEDNN_VARIANCE] = 4,
    };
    *made = NULL;
    if (part >= BEAM_ONEDNN_SCALE) {
        *data = vector(model, step->op, norm_input[part]);
        return BEAM_OK;
    }
    const beam_tensor *weights = parameter(model, step->op->inputs[1]);
    if (part == BEAM_ONEDNN_WEIGHTS && !step->norm) {
        *data = weights->data;
        return BEAM_OK;
    }
    size_t bytes = part == BEAM_ONEDNN_WEIGHTS ? beam_tensor_bytes(weights)
                                               : (size_t)weights->shape[0] * sizeof(float);
    float *folded = beam_aligned_alloc(ALIGNMENT, bytes);
    if (!folded)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to fold weights");
    if (part == BEAM_ONEDNN_WEIGHTS)
        fold_weights(model, step, folded);
    else
        fold_bias(model, step, folded, bytes / sizeof(float));
    *data = *made = folded;
    return BEAM_OK;
}

static beam_status fill_from_original(const beam_onednn_model *model, beam_onednn_packed *packed,
                                      beam_error *err)
{
    const float *data = NULL;
    float *made = NULL;
    dnnl_memory_desc_t plain = NULL;
    dnnl_memory_t from = NULL;
    BEAM_TRY(original(model, &model->steps[packed->step], packed->part, &data, &made, err));
    beam_status status = beam_onednn_row_major(packed->desc, &plain, err);
    if (status == BEAM_OK) /* oneDNN only reads it */
        status = beam_onednn_status(
            dnnl_memory_create(&from, plain, model->engine, (void *)(uintptr_t)data),
            "weights as given", err);
    if (status == BEAM_OK)
        status = beam_onednn_reorder(model->engine, model->stream, from, packed->memory, err);
    if (from)
        (void)dnnl_memory_destroy(from);
    if (plain)
        (void)dnnl_memory_desc_destroy(plain);
    beam_free(made);
    return status;
}

/* Memory for the part in this layout, not filled yet. */
static beam_status make_room(const beam_onednn_model *model, const_dnnl_memory_desc_t desc,
                             beam_onednn_packed *packed, beam_error *err)
{
    packed->bytes = dnnl_memory_desc_get_size(desc);
    packed->data = beam_aligned_alloc(ALIGNMENT, packed->bytes);
    if (!packed->data)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %zu bytes of weights",
                              packed->bytes);
    BEAM_TRY(beam_onednn_status(dnnl_memory_desc_clone(&packed->desc, desc), "layout", err));
    return beam_onednn_status(
        dnnl_memory_create(&packed->memory, packed->desc, model->engine, packed->data), "weights",
        err);
}

beam_status beam_onednn_pack(beam_onednn_model *model, size_t step, beam_onednn_part part,
                             const_dnnl_memory_desc_t desc, dnnl_memory_t *memory, beam_error *err)
{
    dnnl_memory_t other = NULL; /* the same part in another layout */
    for (size_t i = 0; i < model->num_packed; i++) {
        const beam_onednn_packed *p = &model->packed[i];
        if (p->step != step || p->part != part)
            continue;
        if (dnnl_memory_desc_equal(p->desc, desc)) {
            *memory = p->memory;
            return BEAM_OK;
        }
        if (!other)
            other = p->memory;
    }
    if (beam_grow((void **)&model->packed, &model->cap_packed, model->num_packed + 1,
                  sizeof *model->packed))
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a list of weights");
    beam_onednn_packed packed = {.step = step, .part = part};
    beam_status status = make_room(model, desc, &packed, err);
    if (status == BEAM_OK)
        status = other
                     ? beam_onednn_reorder(model->engine, model->stream, other, packed.memory, err)
                     : fill_from_original(model, &packed, err);
    if (status != BEAM_OK) {
        beam_onednn_packed_free(&packed);
        return status;
    }
    model->packed[model->num_packed++] = packed;
    beam_device_count_weights(model->account, (int64_t)packed.bytes);
    *memory = packed.memory;
    return BEAM_OK;
}
