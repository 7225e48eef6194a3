/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_bound.c - a plan with memory: what runs. */
#include "base/alloc.h"
#include "device/onednn.h"

void beam_onednn_bound_free(beam_onednn_bound *bound)
{
    for (size_t i = 0; bound->buffers && i < bound->plan->num_buffers; i++)
        if (bound->buffers[i])
            (void)dnnl_memory_destroy(bound->buffers[i]);
    for (size_t i = 0; bound->scratches && i < bound->plan->num_steps; i++)
        if (bound->scratches[i])
            (void)dnnl_memory_destroy(bound->scratches[i]);
    beam_free(bound->data);
    beam_free(bound->buffers);
    beam_free(bound->scratches);
    beam_free(bound->args);
    *bound = (beam_onednn_bound){0};
}

static void make_args(const beam_onednn_bound *bound)
{
    for (size_t i = 0; i < bound->plan->num_steps; i++) {
        const beam_onednn_step *step = &bound->plan->steps[i];
        dnnl_exec_arg_t *args = bound->args + i * BEAM_ONEDNN_MAX_ARGS;
        for (uint32_t k = 0; k < step->num_args; k++) {
            const beam_onednn_arg *from = &step->args[k];
            args[k].arg = from->arg;
            args[k].memory = from->source == BEAM_ONEDNN_FROM_BUFFER   ? bound->buffers[from->index]
                             : from->source == BEAM_ONEDNN_FROM_PACKED ? from->packed
                                                                       : bound->scratches[i];
        }
    }
}

beam_status beam_onednn_bound_make(beam_onednn_bound *bound, const beam_onednn_plan *plan,
                                   dnnl_engine_t engine, beam_error *err)
{
    bound->plan = plan;
    bound->data = beam_calloc(plan->num_buffers, sizeof *bound->data);
    bound->buffers = beam_calloc(plan->num_buffers, sizeof(dnnl_memory_t));
    bound->scratches = beam_calloc(plan->num_steps, sizeof(dnnl_memory_t));
    bound->args = beam_calloc(plan->num_steps * BEAM_ONEDNN_MAX_ARGS, sizeof *bound->args);
    if (!bound->data || !bound->buffers || !bound->scratches || !bound->args)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a context");
    dnnl_status_t status = dnnl_success;
    for (size_t i = 0; status == dnnl_success && i < plan->num_buffers; i++)
        status =
            dnnl_memory_create(&bound->buffers[i], plan->buffers[i].desc, engine, DNNL_MEMORY_NONE);
    for (size_t i = 0; status == dnnl_success && i < plan->num_steps; i++)
        if (plan->steps[i].scratch)
            status = dnnl_memory_create(&bound->scratches[i], plan->steps[i].scratch, engine,
                                        DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        make_args(bound);
    return beam_onednn_status(status, "memory", err);
}

beam_status beam_onednn_bound_place(beam_onednn_bound *bound, char *block, char *kept,
                                    beam_error *err)
{
    const beam_onednn_plan *plan = bound->plan;
    dnnl_status_t status = dnnl_success;
    for (size_t i = 0; status == dnnl_success && i < plan->num_buffers; i++) {
        const beam_onednn_buffer *buffer = &plan->buffers[i];
        if (buffer->input != 0)
            continue;
        bound->data[i] = (buffer->kept ? kept : block) + buffer->offset;
        status = dnnl_memory_set_data_handle(bound->buffers[i], bound->data[i]);
    }
    for (size_t i = 0; status == dnnl_success && i < plan->num_steps; i++)
        if (bound->scratches[i])
            status = dnnl_memory_set_data_handle(bound->scratches[i], block + plan->scratch_offset);
    return beam_onednn_status(status, "memory", err);
}

beam_status beam_onednn_bound_input(beam_onednn_bound *bound, uint32_t input, const void *data,
                                    beam_error *err)
{
    const beam_onednn_plan *plan = bound->plan;
    for (size_t i = 0; i < plan->num_buffers; i++) {
        if (plan->buffers[i].input != input + 1)
            continue;
        bound->data[i] = (void *)(uintptr_t)data;
        BEAM_TRY(beam_onednn_status(dnnl_memory_set_data_handle(bound->buffers[i], bound->data[i]),
                                    "input", err));
    }
    return BEAM_OK;
}

static void run_kernel(const beam_onednn_bound *bound, const beam_onednn_step *step,
                       unsigned threads)
{
    void *data[BEAM_ONEDNN_MAX_ARGS] = {NULL};
    for (uint32_t i = 0; i < step->num_args; i++) {
        const beam_onednn_arg *arg = &step->args[i];
        if (arg->source == BEAM_ONEDNN_FROM_PACKED)
            (void)dnnl_memory_get_data_handle(arg->packed, &data[arg->arg]);
        else
            data[arg->arg] = bound->data[arg->index];
    }
    step->kernel.run(&step->kernel, data, threads);
}

beam_status beam_onednn_bound_run(const beam_onednn_bound *bound, dnnl_stream_t stream,
                                  unsigned threads, beam_error *err)
{
    const beam_onednn_plan *plan = bound->plan;
    for (size_t i = 0; i < plan->num_steps; i++) {
        const beam_onednn_step *step = &plan->steps[i];
        if (step->kernel.run)
            run_kernel(bound, step, threads);
        else
            BEAM_TRY(beam_onednn_status(
                dnnl_primitive_execute(step->primitive, stream, (int)step->num_args,
                                       bound->args + i * BEAM_ONEDNN_MAX_ARGS),
                step->name, err));
    }
    return beam_onednn_status(dnnl_stream_wait(stream), "stream", err);
}
