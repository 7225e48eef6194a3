/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_plan.c - a model for one batch size: the steps' primitives, a buffer for each value,
 * and one block of memory in which buffers that never live together overlap. */
#include <string.h>

#include "base/alloc.h"
#include "device/lifetimes.h"
#include "device/onednn.h"

void beam_onednn_plan_free(beam_onednn_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->num_steps; i++)
        if (plan->steps[i].primitive)
            (void)dnnl_primitive_destroy(plan->steps[i].primitive);
    for (size_t i = 0; i < plan->num_descs; i++)
        (void)dnnl_memory_desc_destroy(plan->descs[i]);
    beam_free(plan->descs);
    beam_free(plan->buffers);
    beam_free(plan->steps);
    beam_free(plan->outputs);
    beam_free(plan);
}

static beam_status no_memory(beam_onednn_builder *b)
{
    return beam_error_set(b->err, BEAM_RESOURCE_EXHAUSTED, "no memory to plan a batch of %lld",
                          (long long)b->plan->batch);
}

/* Makes the plan own *made, which comes with the status of its making (read after it). */
static beam_status keep(beam_onednn_builder *b, dnnl_status_t status,
                        const dnnl_memory_desc_t *made, const_dnnl_memory_desc_t *kept)
{
    BEAM_TRY(beam_onednn_status(status, "layout", b->err));
    beam_onednn_plan *plan = b->plan;
    dnnl_memory_desc_t desc = *made;
    if (beam_grow((void **)&plan->descs, &plan->cap_descs, plan->num_descs + 1, sizeof desc)) {
        (void)dnnl_memory_desc_destroy(desc);
        return no_memory(b);
    }
    plan->descs[plan->num_descs++] = desc;
    *kept = desc;
    return BEAM_OK;
}

beam_status beam_onednn_plain(beam_onednn_builder *b, const beam_tensor *tensor,
                              dnnl_data_type_t type, const_dnnl_memory_desc_t *desc)
{
    dnnl_dims_t sizes = {0}, strides = {0};
    int64_t stride = 1;
    for (uint32_t i = tensor->rank; i-- > 0; stride *= tensor->shape[i]) {
        sizes[i] = tensor->shape[i];
        strides[i] = stride;
    }
    dnnl_memory_desc_t made = NULL;
    return keep(
        b, dnnl_memory_desc_create_with_strides(&made, (int)tensor->rank, sizes, type, strides),
        &made, desc);
}

beam_status beam_onednn_any(beam_onednn_builder *b, uint32_t rank, const int64_t *shape,
                            dnnl_data_type_t type, const_dnnl_memory_desc_t *desc)
{
    dnnl_dims_t sizes = {0};
    for (uint32_t i = 0; i < rank; i++)
        sizes[i] = shape[i];
    dnnl_memory_desc_t made = NULL;
    return keep(
        b, dnnl_memory_desc_create_with_tag(&made, (int)rank, sizes, type, dnnl_format_tag_any),
        &made, desc);
}

beam_status beam_onednn_chosen(beam_onednn_builder *b, const_dnnl_primitive_desc_t primitive,
                               dnnl_query_t what, const_dnnl_memory_desc_t *desc)
{
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(primitive, what, 0);
    if (!found)
        return beam_error_set(b->err, BEAM_INTERNAL, "oneDNN: a primitive without a layout");
    dnnl_memory_desc_t copy = NULL;
    return keep(b, dnnl_memory_desc_clone(&copy, found), &copy, desc);
}

beam_status beam_onednn_buffer_new(beam_onednn_builder *b, const_dnnl_memory_desc_t desc,
                                   uint32_t *buffer)
{
    beam_onednn_plan *plan = b->plan;
    if (beam_grow((void **)&plan->buffers, &plan->cap_buffers, plan->num_buffers + 1,
                  sizeof *plan->buffers))
        return no_memory(b);
    uint32_t at = (uint32_t)plan->num_buffers++;
    uint32_t step = (uint32_t)plan->num_steps;
    plan->buffers[at] =
        (beam_onednn_buffer){.desc = desc, .place = at, .first = step, .last = step};
    *buffer = at;
    return BEAM_OK;
}

/* A scratch argument is added when the primitive wants scratch memory. */
beam_status beam_onednn_step_add(beam_onednn_builder *b, const char *name,
                                 const_dnnl_primitive_desc_t primitive, const beam_onednn_arg *args,
                                 uint32_t num_args)
{
    beam_onednn_plan *plan = b->plan;
    if (beam_grow((void **)&plan->steps, &plan->cap_steps, plan->num_steps + 1,
                  sizeof *plan->steps))
        return no_memory(b);
    beam_onednn_step step = {.name = name, .num_args = num_args};
    memcpy(step.args, args, num_args * sizeof *args);
    const_dnnl_memory_desc_t scratch =
        dnnl_primitive_desc_query_md(primitive, dnnl_query_scratchpad_md, 0);
    if (scratch && dnnl_memory_desc_get_size(scratch) > 0) {
        dnnl_memory_desc_t copy = NULL;
        BEAM_TRY(keep(b, dnnl_memory_desc_clone(&copy, scratch), &copy, &step.scratch));
        step.args[step.num_args++] =
            (beam_onednn_arg){.arg = DNNL_ARG_SCRATCHPAD, .source = BEAM_ONEDNN_FROM_SCRATCH};
    }
    BEAM_TRY(beam_onednn_status(dnnl_primitive_create(&step.primitive, primitive), name, b->err));
    uint32_t at = (uint32_t)plan->num_steps++;
    plan->steps[at] = step;
    for (uint32_t i = 0; i < num_args; i++)
        if (args[i].source == BEAM_ONEDNN_FROM_BUFFER)
            plan->buffers[plan->buffers[args[i].index].place].last = at;
    return BEAM_OK;
}

beam_status beam_onednn_kernel_add(beam_onednn_builder *b, const beam_nn_op *op,
                                   beam_onednn_kernel kernel, size_t count, size_t width,
                                   const uint32_t *buffers, uint32_t num_buffers)
{
    beam_onednn_plan *plan = b->plan;
    if (beam_grow((void **)&plan->steps, &plan->cap_steps, plan->num_steps + 1,
                  sizeof *plan->steps))
        return no_memory(b);
    beam_onednn_step step = {
        .name = op->name, .kernel = kernel, .op = op, .count = count, .width = width};
    uint32_t at = (uint32_t)plan->num_steps++;
    for (uint32_t i = 0; i < num_buffers; i++) {
        step.args[step.num_args++].index = buffers[i];
        if (buffers[i] != BEAM_ONEDNN_ABSENT)
            plan->buffers[plan->buffers[buffers[i]].place].last = at;
    }
    plan->steps[at] = step;
    return BEAM_OK;
}

beam_status beam_onednn_value_as(beam_onednn_builder *b, uint32_t value,
                                 const_dnnl_memory_desc_t desc, uint32_t *buffer)
{
    return beam_onednn_buffer_as(b, b->buffer_of[value] - 1, desc, buffer);
}

beam_status beam_onednn_buffer_as(beam_onednn_builder *b, uint32_t have,
                                  const_dnnl_memory_desc_t desc, uint32_t *buffer)
{
    *buffer = have;
    if (dnnl_memory_desc_equal(b->plan->buffers[have].desc, desc))
        return BEAM_OK;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t reorder = NULL;
    dnnl_status_t made = dnnl_primitive_attr_create(&attr);
    if (made == dnnl_success)
        made = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (made == dnnl_success)
        made = dnnl_reorder_primitive_desc_create(&reorder, b->plan->buffers[have].desc, b->engine,
                                                  desc, b->engine, attr);
    beam_status status = beam_onednn_status(made, "reorder", b->err);
    if (status == BEAM_OK)
        status = beam_onednn_buffer_new(b, desc, buffer);
    beam_onednn_arg args[] = {{.arg = DNNL_ARG_FROM, .index = have},
                              {.arg = DNNL_ARG_TO, .index = *buffer}};
    if (status == BEAM_OK)
        status = beam_onednn_step_add(b, "reorder", reorder, args, 2);
    if (reorder)
        (void)dnnl_primitive_desc_destroy(reorder);
    if (attr)
        (void)dnnl_primitive_attr_destroy(attr);
    return status;
}

static beam_status add_inputs(beam_onednn_builder *b)
{
    for (size_t i = 0; i < b->network->num_inputs; i++) {
        uint32_t value = b->network->inputs[i], buffer = 0;
        beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
        const_dnnl_memory_desc_t desc;
        BEAM_TRY(beam_onednn_plain(b, &shape, dnnl_f32, &desc));
        BEAM_TRY(beam_onednn_buffer_new(b, desc, &buffer));
        b->plan->buffers[buffer].input = (uint32_t)i + 1;
        b->buffer_of[value] = buffer + 1;
    }
    return BEAM_OK;
}

static beam_status add_outputs(beam_onednn_builder *b)
{
    b->plan->outputs = beam_calloc(b->network->num_outputs, sizeof *b->plan->outputs);
    if (!b->plan->outputs)
        return no_memory(b);
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

beam_status beam_onednn_place(beam_onednn_builder *b)
{
    beam_onednn_plan *plan = b->plan;
    size_t n = 0, scratch = 0;
    beam_lifetime *items = beam_calloc(plan->num_buffers, sizeof *items);
    if (!items)
        return no_memory(b);
    for (size_t i = 0; i < plan->num_buffers; i++) {
        const beam_onednn_buffer *buffer = &plan->buffers[i];
        if (buffer->input == 0 && !buffer->lasts && buffer->place == i)
            items[n++] = (beam_lifetime){dnnl_memory_desc_get_size(buffer->desc), buffer->first,
                                         buffer->last, 0};
    }
    plan->scratch_offset = beam_lifetimes_place(items, n);
    n = 0;
    for (size_t i = 0; i < plan->num_buffers; i++) {
        beam_onednn_buffer *buffer = &plan->buffers[i];
        if (buffer->input == 0 && !buffer->lasts) /* a place comes before what lies over it */
            buffer->offset =
                buffer->place == i ? items[n++].offset : plan->buffers[buffer->place].offset;
    }
    beam_free(items);
    for (size_t i = 0; i < plan->num_steps; i++) {
        size_t size =
            plan->steps[i].scratch ? dnnl_memory_desc_get_size(plan->steps[i].scratch) : 0;
        scratch = size > scratch ? size : scratch;
    }
    plan->block_bytes = plan->scratch_offset + scratch;
    return BEAM_OK;
}

static beam_status build(beam_onednn_builder *b)
{
    BEAM_TRY(add_inputs(b));
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
    beam_onednn_builder b = {
        .model = model, .engine = model->engine, .network = model->model->network, .err = err};
    b.plan = beam_calloc(1, sizeof *b.plan);
    b.buffer_of = beam_calloc(b.network->num_values, sizeof *b.buffer_of);
    beam_status status = BEAM_OK;
    if (!b.plan || !b.buffer_of)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a plan");
    if (status == BEAM_OK) {
        b.plan->batch = batch;
        status = build(&b);
    }
    beam_free(b.buffer_of);
    if (status != BEAM_OK) {
        beam_onednn_plan_free(b.plan);
        return status;
    }
    *plan = b.plan;
    return BEAM_OK;
}
