/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_plan.c - a model for one batch size. */
#include "base/alloc.h"
#include "device/onednn.h"

static beam_status add_outputs(beam_onednn_builder *b)
{
    b->plan->outputs = beam_calloc(b->network->num_outputs, sizeof *b->plan->outputs);
    if (!b->plan->outputs)
        return beam_error_set(b->err, BEAM_RESOURCE_EXHAUSTED, "no memory for a plan");
    for (size_t i = 0; i < b->network->num_outputs; i++) {
        uint32_t value = b->network->outputs[i];
        beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
        const_dnnl_memory_desc_t desc;
        BEAM_TRY(beam_onednn_plain(b, &shape, dnnl_f32, &desc));
        BEAM_TRY(beam_onednn_value_as(b, value, desc, &b->plan->outputs[i]));
        b->plan->buffers[b->plan->buffers[b->plan->outputs[i]].place].last = UINT32_MAX;
    }
    return BEAM_OK;
}

static beam_status build(beam_onednn_builder *b)
{
    BEAM_TRY(beam_onednn_add_inputs(b));
    for (size_t i = 0; i < b->model->num_steps; i++) {
        beam_status status = beam_onednn_lower(b, i);
        if (status != BEAM_OK)
            return beam_error_wrap(b->err, status, "layer %s", b->model->steps[i].op->name);
    }
    BEAM_TRY(add_outputs(b));
    return beam_onednn_place(b);
}

beam_status beam_onednn_plan_new(beam_onednn_model *model, int64_t batch, beam_onednn_plan **plan,
                                 beam_error *err)
{
    beam_onednn_builder b = {.engine = model->engine,
                             .type = model->type,
                             .network = model->model->network,
                             .err = err,
                             .model = model};
    beam_status status = beam_onednn_builder_open(&b, batch);
    if (status == BEAM_OK)
        status = build(&b);
    beam_free(b.buffer_of);
    if (status != BEAM_OK) {
        beam_onednn_plan_free(b.plan);
        return status;
    }
    *plan = b.plan;
    return BEAM_OK;
}
