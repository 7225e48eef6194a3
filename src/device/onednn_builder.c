/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_builder.c - a plan in the making: layouts, steps' primitives, a buffer for each value, and
 * one block of memory in which buffers that never live together overlap. */
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

beam_status beam_onednn_builder_open(beam_onednn_builder *b, int64_t batch)
{
    b->plan = beam_calloc(1, sizeof *b->plan);
    b->buffer_of = beam_calloc(b->network->num_values, sizeof *b->buffer_of);
    if (!b->plan || !b->buffer_of)
        return beam_error_set(b->err, BEAM_RESOURCE_EXHAUSTED, "no memory for a plan");
    b->plan->batch = batch;
    return BEAM_OK;
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

beam_status beam_onednn_strided(beam_onednn_builder *b, const beam_tensor *tensor,
                                const int64_t *strides, dnnl_data_type_t type,
                                const_dnnl_memory_desc_t *desc)
{
    dnnl_dims_t sizes = {1}, steps = {1}; /* one number is a vector of one */
    int rank = tensor->rank ? (int)tensor->rank : 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        sizes[i] = tensor->shape[i];
        steps[i] = strides[i];
    }
    dnnl_memory_desc_t made = NULL;
    return keep(b, dnnl_memory_desc_create_with_strides(&made, rank, sizes, type, steps), &made,
                desc);
}

beam_status beam_onednn_plain(beam_onednn_builder *b, const beam_tensor *tensor,
                              dnnl_data_type_t type, const_dnnl_memory_desc_t *desc)
{
    int64_t strides[BEAM_TENSOR_MAX_RANK], stride = 1;
    for (uint32_t i = tensor->rank; i-- > 0; stride *= tensor->shape[i])
        strides[i] = stride;
    return beam_onednn_strided(b, tensor, strides, type, desc);
}

beam_status beam_onednn_floats(beam_onednn_builder *b, size_t count, const_dnnl_memory_desc_t *desc)
{
    beam_tensor shape = {.dtype = BEAM_F32, .rank = 1, .shape = {(int64_t)count}};
    return beam_onednn_plain(b, &shape, dnnl_f32, desc);
}

beam_status beam_onednn_tagged(beam_onednn_builder *b, int rank, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag,
                               const_dnnl_memory_desc_t *desc)
{
    dnnl_memory_desc_t made = NULL;
    return keep(b, dnnl_memory_desc_create_with_tag(&made, rank, sizes, type, tag), &made, desc);
}

beam_status beam_onednn_any(beam_onednn_builder *b, uint32_t rank, const int64_t *shape,
                            dnnl_data_type_t type, const_dnnl_memory_desc_t *desc)
{
    dnnl_dims_t sizes = {0};
    for (uint32_t i = 0; i < rank; i++)
        sizes[i] = shape[i];
    return beam_onednn_tagged(b, (int)rank, sizes, type, dnnl_format_tag_any, desc);
}

beam_status beam_onednn_part_of(beam_onednn_builder *b, const_dnnl_memory_desc_t whole,
                                const dnnl_dims_t sizes, const dnnl_dims_t from,
                                const_dnnl_memory_desc_t *desc)
{
    dnnl_memory_desc_t made = NULL;
    return keep(b, dnnl_memory_desc_create_submemory(&made, whole, sizes, from), &made, desc);
}

beam_status beam_onednn_plain_of(beam_onednn_builder *b, const_dnnl_memory_desc_t desc,
                                 const_dnnl_memory_desc_t *plain)
{
    dnnl_memory_desc_t made = NULL;
    BEAM_TRY(beam_onednn_row_major(desc, dnnl_f32, &made, b->err));
    return keep(b, dnnl_success, &made, plain);
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

/* Ends the plan with `step`, for which there is room, and extends the lives of what it reads. */
static void append(beam_onednn_plan *plan, const beam_onednn_step *step)
{
    uint32_t at = (uint32_t)plan->num_steps++;
    plan->steps[at] = *step;
    for (uint32_t i = 0; i < step->num_args; i++)
        if (step->args[i].source == BEAM_ONEDNN_FROM_BUFFER)
            plan->buffers[plan->buffers[step->args[i].index].place].last = at;
}

static beam_status room_for_step(beam_onednn_builder *b)
{
    beam_onednn_plan *plan = b->plan;
    return beam_grow((void **)&plan->steps, &plan->cap_steps, plan->num_steps + 1,
                     sizeof *plan->steps)
               ? no_memory(b)
               : BEAM_OK;
}

/* A scratch argument is added when the primitive wants scratch memory. */
beam_status beam_onednn_step_add(beam_onednn_builder *b, const char *name,
                                 const_dnnl_primitive_desc_t primitive, const beam_onednn_arg *args,
                                 uint32_t num_args)
{
    BEAM_TRY(room_for_step(b));
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
    append(b->plan, &step);
    return BEAM_OK;
}

beam_status beam_onednn_kernel_add(beam_onednn_builder *b, const char *name,
                                   const beam_onednn_kernel *kernel, const beam_onednn_arg *args,
                                   uint32_t num_args)
{
    BEAM_TRY(room_for_step(b));
    beam_onednn_step step = {.name = name, .kernel = *kernel, .num_args = num_args};
    memcpy(step.args, args, num_args * sizeof *args);
    append(b->plan, &step);
    return BEAM_OK;
}

dnnl_status_t beam_onednn_attr(dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    return status;
}

/* A reorder; `scaled` is the operand whose numbers are scale * q, 0: neither. */
static beam_status add_reorder(beam_onednn_builder *b, uint32_t from, const_dnnl_memory_desc_t desc,
                               int scaled, dnnl_memory_t scale, uint32_t *buffer)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t reorder = NULL;
    dnnl_status_t made = beam_onednn_attr(&attr);
    if (made == dnnl_success && scaled)
        made = dnnl_primitive_attr_set_scales_mask(attr, scaled, 0);
    if (made == dnnl_success)
        made = dnnl_reorder_primitive_desc_create(&reorder, b->plan->buffers[from].desc, b->engine,
                                                  desc, b->engine, attr);
    beam_status status = beam_onednn_status(made, "reorder", b->err);
    if (status == BEAM_OK)
        status = beam_onednn_buffer_new(b, desc, buffer);
    beam_onednn_arg args[] = {
        {.arg = DNNL_ARG_FROM, .index = from},
        {.arg = DNNL_ARG_TO, .index = *buffer},
        {.arg = DNNL_ARG_ATTR_SCALES | scaled, .source = BEAM_ONEDNN_FROM_PACKED, .packed = scale}};
    if (status == BEAM_OK)
        status = beam_onednn_step_add(b, "reorder", reorder, args, scaled ? 3 : 2);
    if (reorder)
        (void)dnnl_primitive_desc_destroy(reorder);
    if (attr)
        (void)dnnl_primitive_attr_destroy(attr);
    return status;
}

beam_status beam_onednn_buffer_as(beam_onednn_builder *b, uint32_t from,
                                  const_dnnl_memory_desc_t desc, uint32_t *buffer)
{
    *buffer = from;
    if (dnnl_memory_desc_equal(b->plan->buffers[from].desc, desc))
        return BEAM_OK;
    return add_reorder(b, from, desc, 0, NULL, buffer);
}

beam_status beam_onednn_buffer_scaled(beam_onednn_builder *b, uint32_t from,
                                      const_dnnl_memory_desc_t desc, bool to_q, dnnl_memory_t scale,
                                      uint32_t *buffer)
{
    return add_reorder(b, from, desc, to_q ? DNNL_ARG_TO : DNNL_ARG_FROM, scale, buffer);
}

beam_status beam_onednn_value_as(beam_onednn_builder *b, uint32_t value,
                                 const_dnnl_memory_desc_t desc, uint32_t *buffer)
{
    return beam_onednn_buffer_as(b, b->buffer_of[value] - 1, desc, buffer);
}

beam_status beam_onednn_add_inputs(beam_onednn_builder *b)
{
    for (size_t i = 0; i < b->network->num_inputs; i++) {
        uint32_t value = b->network->inputs[i], buffer = 0;
        beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
        const_dnnl_memory_desc_t desc;
        BEAM_TRY(
            beam_onednn_plain(b, &shape, shape.dtype == BEAM_I32 ? dnnl_s32 : dnnl_f32, &desc));
        BEAM_TRY(beam_onednn_buffer_new(b, desc, &buffer));
        b->plan->buffers[buffer].input = (uint32_t)i + 1;
        b->buffer_of[value] = buffer + 1;
    }
    return BEAM_OK;
}

/* Places the buffers that are kept, or those that are not; returns the bytes it takes. */
static size_t place_some(beam_onednn_plan *plan, beam_lifetime *items, bool kept)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->num_buffers; i++) {
        const beam_onednn_buffer *buffer = &plan->buffers[i];
        if (buffer->input == 0 && buffer->kept == kept && buffer->place == i)
            items[n++] = (beam_lifetime){dnnl_memory_desc_get_size(buffer->desc),
                                         kept ? 0 : buffer->first, buffer->last, 0};
    }
    size_t bytes = beam_lifetimes_place(items, n);
    n = 0;
    for (size_t i = 0; i < plan->num_buffers; i++) {
        beam_onednn_buffer *buffer = &plan->buffers[i];
        if (buffer->input == 0 && buffer->kept == kept) /* a place comes before what lies over it */
            buffer->offset =
                buffer->place == i ? items[n++].offset : plan->buffers[buffer->place].offset;
    }
    return bytes;
}

beam_status beam_onednn_place(beam_onednn_builder *b)
{
    beam_onednn_plan *plan = b->plan;
    size_t scratch = 0;
    beam_lifetime *items = beam_calloc(plan->num_buffers, sizeof *items);
    if (!items)
        return no_memory(b);
    plan->scratch_offset = place_some(plan, items, false);
    plan->kept_bytes = place_some(plan, items, true);
    beam_free(items);
    for (size_t i = 0; i < plan->num_steps; i++) {
        size_t size =
            plan->steps[i].scratch ? dnnl_memory_desc_get_size(plan->steps[i].scratch) : 0;
        scratch = size > scratch ? size : scratch;
    }
    plan->block_bytes = plan->scratch_offset + scratch;
    return BEAM_OK;
}

beam_status beam_onednn_reorder(dnnl_engine_t engine, dnnl_stream_t stream, dnnl_memory_t from,
                                dnnl_memory_t to, beam_error *err)
{
    const_dnnl_memory_desc_t from_desc, to_desc;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_status_t status = dnnl_memory_get_memory_desc(from, &from_desc);
    if (status == dnnl_success)
        status = dnnl_memory_get_memory_desc(to, &to_desc);
    if (status == dnnl_success)
        status =
            dnnl_reorder_primitive_desc_create(&desc, from_desc, engine, to_desc, engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, desc);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, stream, 2, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    if (primitive)
        (void)dnnl_primitive_destroy(primitive);
    if (desc)
        (void)dnnl_primitive_desc_destroy(desc);
    return beam_onednn_status(status, "reorder", err);
}

beam_status beam_onednn_row_major(const_dnnl_memory_desc_t desc, dnnl_data_type_t type,
                                  dnnl_memory_desc_t *plain, beam_error *err)
{
    int rank = 0;
    const dnnl_dims_t *dims = NULL;
    dnnl_status_t status = dnnl_memory_desc_query(desc, dnnl_query_ndims_s32, &rank);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(desc, dnnl_query_dims, &dims);
    if (status == dnnl_success) {
        dnnl_dims_t strides;
        int64_t stride = 1;
        for (int i = rank; i-- > 0; stride *= (*dims)[i])
            strides[i] = stride;
        status = dnnl_memory_desc_create_with_strides(plain, rank, *dims, type, strides);
    }
    return beam_onednn_status(status, "layout", err);
}
