/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_weights.c - weights in the layouts that primitives chose.  They come in PyTorch's
 * layout, straight from where they lie (a mapped file, say); a batch norm behind a convolution
 * or linear layer is multiplied in on the way.  A plan for another batch size may want another
 * layout: that is made from the first one, since the originals are gone by then.  Those of int8
 * are kept: some of its layouts hold more than the weights and cannot be read back. */
#include "base/alloc.h"
#include "device/fold.h"
#include "device/onednn_kernels.h"

enum { ALIGNMENT = 64 };

void beam_onednn_packed_free(beam_device *device, beam_onednn_packed *packed)
{
    if (packed->memory)
        (void)dnnl_memory_destroy(packed->memory);
    if (packed->desc)
        (void)dnnl_memory_desc_destroy(packed->desc);
    if (packed->shared)
        beam_onednn_share_leave(device, packed->shared);
    beam_free(packed->data);
}

/* A part as it comes, row-major. */
typedef struct original {
    const void *data;
    dnnl_data_type_t type;
    float *made; /* data, where it is ours to free; else NULL */
} original;

/* The caller's own data, or made from it. */
static beam_status find_f32(const beam_onednn_model *model, const beam_onednn_packed *packed,
                            original *o, beam_error *err)
{
    static const uint32_t norm_input[] = {
        [BEAM_ONEDNN_SCALE] = 1,
        [BEAM_ONEDNN_SHIFT] = 2,
        [BEAM_ONEDNN_MEAN] = 3,
        [BEAM_ONEDNN_VARIANCE] = 4,
    };
    const beam_network *network = model->model->network;
    const beam_fused_op *step = &model->steps[packed->step];
    bool norm = packed->part >= BEAM_ONEDNN_SCALE;
    bool weights = !norm && packed->part != BEAM_ONEDNN_BIAS;
    const beam_tensor *tensor = beam_parameter_of(
        network, model->parameters, step->op->inputs[norm ? norm_input[packed->part] : 1]);
    o->data = tensor->data;
    if (norm || (weights && !step->norm))
        return BEAM_OK;
    size_t bytes = weights ? beam_tensor_bytes(tensor) : (size_t)tensor->shape[0] * sizeof(float);
    o->data = o->made = beam_aligned_alloc(ALIGNMENT, bytes);
    if (!o->made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to fold weights");
    if (weights)
        beam_fold_weights(network, model->parameters, step, o->made);
    else
        beam_fold_bias(network, model->parameters, step, o->made);
    return BEAM_OK;
}

/* True where the part is one of int8's, which the model keeps. */
static bool find_int8(const beam_onednn_model *model, const beam_onednn_packed *packed, original *o)
{
    if (packed->part == BEAM_ONEDNN_VALUE_SCALE) {
        o->data = &model->int8.scales[packed->step];
        return true;
    }
    const beam_int8_product *p = model->int8.products ? &model->int8.products[packed->step] : NULL;
    if (!p || !p->weights)
        return false;
    o->type = packed->part == BEAM_ONEDNN_WEIGHTS ? dnnl_s8 : dnnl_f32;
    o->data = packed->part == BEAM_ONEDNN_WEIGHTS ? (const void *)p->weights
              : packed->part == BEAM_ONEDNN_BIAS  ? p->bias
                                                  : p->scales;
    return true;
}

static beam_status fill_from(const beam_onednn_model *model, const beam_onednn_packed *packed,
                             const original *o, beam_error *err)
{
    dnnl_memory_desc_t plain = NULL;
    dnnl_memory_t from = NULL;
    beam_status status = beam_onednn_row_major(packed->desc, o->type, &plain, err);
    if (status == BEAM_OK) /* oneDNN only reads it */
        status = beam_onednn_status(
            dnnl_memory_create(&from, plain, model->engine, (void *)(uintptr_t)o->data),
            "weights as given", err);
    if (status == BEAM_OK)
        status = beam_onednn_reorder(model->engine, model->stream, from, packed->memory, err);
    if (from)
        (void)dnnl_memory_destroy(from);
    if (plain)
        (void)dnnl_memory_desc_destroy(plain);
    return status;
}

/* `other` is the same part in another layout, or NULL. */
static beam_status fill(const beam_onednn_model *model, const beam_onednn_packed *packed,
                        dnnl_memory_t other, beam_error *err)
{
    original o = {.type = dnnl_f32};
    if (find_int8(model, packed, &o))
        return fill_from(model, packed, &o, err);
    if (other)
        return beam_onednn_reorder(model->engine, model->stream, other, packed->memory, err);
    beam_status status = find_f32(model, packed, &o, err);
    beam_onednn_winograd winograd;
    beam_onednn_taps taps;
    if (status == BEAM_OK && packed->part != BEAM_ONEDNN_WINOGRAD)
        status = fill_from(model, packed, &o, err);
    else if (status == BEAM_OK &&
             beam_onednn_winograd_wanted(model, packed->step, 1, &winograd, &taps))
        beam_onednn_winograd_pack(&winograd, &taps, o.data, packed->data);
    beam_free(o.made);
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

/* Once filled, the part lies where another model has it, if one has. */
static beam_status share(const beam_onednn_model *model, beam_onednn_packed *packed,
                         beam_error *err)
{
    BEAM_TRY(beam_onednn_share_join(model->model->device, packed->data, packed->bytes,
                                    &packed->shared, err));
    packed->data = NULL;
    return beam_onednn_status(
        dnnl_memory_set_data_handle(packed->memory, beam_onednn_share_data(packed->shared)),
        "weights", err);
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
        status = fill(model, &packed, other, err);
    beam_device_count_weights(model->account, (int64_t)packed.bytes);
    if (status == BEAM_OK)
        status = share(model, &packed, err);
    if (status != BEAM_OK) {
        beam_onednn_packed_free(model->model->device, &packed);
        beam_device_count_weights(model->account, -(int64_t)packed.bytes);
        return status;
    }
    model->packed[model->num_packed++] = packed;
    *memory = packed.memory;
    return BEAM_OK;
}
