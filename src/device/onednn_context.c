/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_context.c - one thread's share: a stream, a block of memory, and for each of the last
 * few batch sizes the memory objects and argument lists of its plan, so that running allocates
 * nothing. */
#include <string.h>

#include "base/alloc.h"
#include "device/onednn.h"

/* Batch sizes kept ready: the full one, and those that ends of input bring. */
enum { MAX_BINDINGS = 4 };

enum { BLOCK_ALIGNMENT = 4096 };

typedef struct binding {
    beam_onednn_plan *plan; /* NULL: free */
    uint64_t last_used;
    beam_onednn_bound bound;
} binding;

typedef struct onednn_context {
    beam_onednn_model *model;
    dnnl_stream_t stream;
    char *block;
    size_t block_bytes;
    uint64_t runs;
    binding bindings[MAX_BINDINGS];
    char **outputs; /* whole batches' results, when a batch may be run in pieces; else NULL */
} onednn_context;

static void unbind(onednn_context *context, binding *bound)
{
    if (!bound->plan)
        return;
    beam_onednn_bound_free(&bound->bound);
    beam_onednn_plan_release(context->model, bound->plan);
    memset(bound, 0, sizeof *bound);
}

/* Makes the block large enough for every binding, all of which then move. */
static beam_status grow_block(onednn_context *context, size_t bytes, beam_error *err)
{
    if (bytes <= context->block_bytes)
        return BEAM_OK;
    char *block = beam_aligned_alloc(BLOCK_ALIGNMENT, bytes);
    if (!block)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "no memory for activations (%zu bytes): try a smaller batch", bytes);
    beam_free(context->block);
    beam_device_count_working(context->model->model->device,
                              (int64_t)bytes - (int64_t)context->block_bytes);
    context->block = block;
    context->block_bytes = bytes;
    for (size_t i = 0; i < MAX_BINDINGS; i++)
        if (context->bindings[i].plan)
            BEAM_TRY(beam_onednn_bound_place(&context->bindings[i].bound, block, NULL, err));
    return BEAM_OK;
}

/* Binds a plan in place of the binding that was used longest ago. */
static beam_status bind_plan(onednn_context *context, int64_t batch, binding **result,
                             beam_error *err)
{
    binding *bound = &context->bindings[0];
    for (size_t i = 1; i < MAX_BINDINGS; i++)
        if (context->bindings[i].last_used < bound->last_used)
            bound = &context->bindings[i];
    unbind(context, bound);
    BEAM_TRY(beam_onednn_plan_get(context->model, batch, &bound->plan, err));
    beam_status status =
        beam_onednn_bound_make(&bound->bound, bound->plan, context->model->engine, err);
    if (status == BEAM_OK)
        status = grow_block(context, bound->plan->block_bytes, err);
    if (status == BEAM_OK)
        status = beam_onednn_bound_place(&bound->bound, context->block, NULL, err);
    if (status != BEAM_OK) {
        unbind(context, bound);
        return status;
    }
    *result = bound;
    return BEAM_OK;
}

static beam_status find_binding(onednn_context *context, int64_t batch, binding **result,
                                beam_error *err)
{
    *result = NULL;
    for (size_t i = 0; i < MAX_BINDINGS; i++)
        if (context->bindings[i].plan && context->bindings[i].plan->batch == batch)
            *result = &context->bindings[i];
    if (!*result)
        BEAM_TRY(bind_plan(context, batch, result, err));
    (*result)->last_used = ++context->runs;
    return BEAM_OK;
}

/* Room for the results of the largest batch. */
static beam_status make_outputs(const beam_model *model, onednn_context *context, beam_error *err)
{
    size_t n = model->network->num_outputs;
    if (model->max_batch <= context->model->chunk)
        return BEAM_OK;
    context->outputs = beam_calloc(n, sizeof *context->outputs);
    bool ok = context->outputs != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        beam_tensor all = beam_network_output(model->network, i, model->max_batch);
        context->outputs[i] = beam_malloc(beam_tensor_bytes(&all));
        ok = context->outputs[i] != NULL;
    }
    return ok ? BEAM_OK : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for outputs");
}

void beam_onednn_context_close(beam_model_context *outer)
{
    onednn_context *context = outer->state;
    for (size_t i = 0; context->outputs && i < outer->model->network->num_outputs; i++)
        beam_free(context->outputs[i]);
    beam_free(context->outputs);
    for (size_t i = 0; i < MAX_BINDINGS; i++)
        unbind(context, &context->bindings[i]);
    beam_free(context->block);
    beam_device_count_working(outer->model->device, -(int64_t)context->block_bytes);
    if (context->stream)
        (void)dnnl_stream_destroy(context->stream);
    beam_free(context);
}

beam_status beam_onednn_context_open(beam_model_context *outer, beam_error *err)
{
    onednn_context *context = beam_calloc(1, sizeof *context);
    if (!context)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a context");
    context->model = outer->model->state;
    beam_status status = beam_onednn_status(
        dnnl_stream_create(&context->stream, context->model->engine, dnnl_stream_default_flags),
        "stream", err);
    outer->state = context;
    if (status == BEAM_OK)
        status = make_outputs(outer->model, context, err);
    if (status != BEAM_OK)
        beam_onednn_context_close(outer);
    return status;
}

/* Rows `first` and on of a tensor with rows of `row` bytes. */
static void *rows_from(const void *data, int64_t first, size_t row)
{
    return (char *)(uintptr_t)data + (size_t)first * row;
}

static size_t row_bytes(const beam_tensor *tensor)
{
    return beam_tensor_bytes(tensor) / (size_t)tensor->shape[0];
}

/* Runs the rows from `first` on that the plan is for. */
static beam_status run(onednn_context *context, binding *bound, const beam_tensor *inputs,
                       int64_t first, beam_error *err)
{
    for (uint32_t i = 0; i < context->model->model->network->num_inputs; i++)
        BEAM_TRY(beam_onednn_bound_input(
            &bound->bound, i, rows_from(inputs[i].data, first, row_bytes(&inputs[i])), err));
    return beam_onednn_bound_run(&bound->bound, context->stream, 1, err);
}

/* Where the results of the rows from `first` on go: the first piece of a batch that is one piece
 * stays where it was computed. */
static void collect(const onednn_context *context, const binding *bound, beam_tensor *outputs,
                    int64_t first)
{
    const beam_onednn_plan *plan = bound->plan;
    for (size_t i = 0; i < context->model->model->network->num_outputs; i++) {
        const char *made = context->block + plan->buffers[plan->outputs[i]].offset;
        if (plan->batch == outputs[i].shape[0]) {
            outputs[i].data = made;
            continue;
        }
        size_t row = row_bytes(&outputs[i]);
        outputs[i].data = context->outputs[i];
        memcpy(rows_from(outputs[i].data, first, row), made, (size_t)plan->batch * row);
    }
}

beam_status beam_onednn_execute(beam_model_context *outer, beam_tensor *outputs, beam_error *err)
{
    onednn_context *context = outer->state;
    beam_status status = BEAM_OK;
    int before = beam_onednn_enter(1);
    for (int64_t first = 0; status == BEAM_OK && first < outer->batch;) {
        int64_t left = outer->batch - first;
        binding *bound = NULL;
        status = find_binding(context, left < context->model->chunk ? left : context->model->chunk,
                              &bound, err);
        if (status == BEAM_OK)
            status = run(context, bound, outer->inputs, first, err);
        if (status == BEAM_OK) {
            collect(context, bound, outputs, first);
            first += bound->plan->batch;
        }
    }
    beam_onednn_leave(before);
    return status;
}
