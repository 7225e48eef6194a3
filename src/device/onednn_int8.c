/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_int8.c - values of a model in int8: as q in s8, or in f32.  oneDNN multiplies s8 too, but
 * does so by adding 128 to each and taking that off the sums, and without VNNI it halves the
 * weights of convolutions first, not those of linear layers, whose sums of two would be cut off at
 * 16 bits; so q that are never negative are called u8 where they are multiplied. */
#include <math.h>

#include "device/onednn.h"

static bool has_vnni(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni ||
           (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni;
}

static void halve(beam_int8_product *p)
{
    for (size_t i = 0; i < p->rows * p->row; i++)
        p->weights[i] = (int8_t)lrintf((float)p->weights[i] / 2);
    for (size_t r = 0; r < p->rows; r++)
        p->scales[r] *= 2;
}

void beam_onednn_int8_fit(beam_onednn_model *model)
{
    for (size_t i = 0; i < model->num_steps && !has_vnni(); i++) {
        const beam_nn_op *op = model->steps[i].op;
        if (op->kind == BEAM_OP_LINEAR && beam_onednn_is_int8(model, i) &&
            !model->int8.nonnegative[op->inputs[0]])
            halve(&model->int8.products[i]);
    }
}

bool beam_onednn_is_int8(const beam_onednn_model *model, size_t step)
{
    return model->int8.products && model->int8.products[step].weights;
}

beam_status beam_onednn_channels_last(beam_onednn_builder *b, const beam_tensor *tensor,
                                      dnnl_data_type_t type, const_dnnl_memory_desc_t *desc)
{
    dnnl_dims_t sizes = {0};
    if (tensor->rank != 4)
        return beam_onednn_plain(b, tensor, type, desc);
    for (uint32_t i = 0; i < tensor->rank; i++)
        sizes[i] = tensor->shape[i];
    return beam_onednn_tagged(b, (int)tensor->rank, sizes, type, dnnl_acdb, desc);
}

beam_status beam_onednn_scale_arg(beam_onednn_builder *b, int arg, uint32_t value,
                                  beam_onednn_arg *made)
{
    const_dnnl_memory_desc_t desc;
    const beam_tensor one = {.dtype = BEAM_F32, .rank = 1, .shape = {1}};
    BEAM_TRY(beam_onednn_plain(b, &one, dnnl_f32, &desc));
    *made = (beam_onednn_arg){.arg = DNNL_ARG_ATTR_SCALES | arg, .source = BEAM_ONEDNN_FROM_PACKED};
    return beam_onednn_pack(b->model, value, BEAM_ONEDNN_VALUE_SCALE, desc, &made->packed, b->err);
}

/* As s8 or f32, from whichever it lies as. */
static beam_status value_in(beam_onednn_builder *b, uint32_t value, dnnl_data_type_t type,
                            uint32_t *buffer)
{
    uint32_t from = b->buffer_of[value] - 1;
    beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    dnnl_data_type_t is = dnnl_data_type_undef;
    const_dnnl_memory_desc_t desc;
    beam_onednn_arg scale;
    BEAM_TRY(beam_onednn_status(
        dnnl_memory_desc_query(b->plan->buffers[from].desc, dnnl_query_data_type, &is), "layout",
        b->err));
    BEAM_TRY(beam_onednn_channels_last(b, &shape, type, &desc));
    if (is == type)
        return beam_onednn_buffer_as(b, from, desc, buffer);
    BEAM_TRY(beam_onednn_scale_arg(b, 0, value, &scale));
    return beam_onednn_buffer_scaled(b, from, desc, type == dnnl_s8, scale.packed, buffer);
}

beam_status beam_onednn_value_as_q(beam_onednn_builder *b, uint32_t value, uint32_t *buffer)
{
    return value_in(b, value, dnnl_s8, buffer);
}

beam_status beam_onednn_value_as_f32(beam_onednn_builder *b, uint32_t value, uint32_t *buffer)
{
    return value_in(b, value, dnnl_f32, buffer);
}

beam_status beam_onednn_value_as_factor(beam_onednn_builder *b, uint32_t value, uint32_t *buffer)
{
    beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    const_dnnl_memory_desc_t desc;
    uint32_t q;
    BEAM_TRY(value_in(b, value, dnnl_s8, &q));
    *buffer = q;
    if (!b->model->int8.nonnegative[value])
        return BEAM_OK;
    BEAM_TRY(beam_onednn_channels_last(b, &shape, dnnl_u8, &desc));
    BEAM_TRY(beam_onednn_buffer_new(b, desc, buffer));
    b->plan->buffers[*buffer].place = b->plan->buffers[q].place;
    return BEAM_OK;
}
