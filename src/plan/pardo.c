/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pardo.c - beam:transform:pardo:v1: a DoFn's process and process_batch, each made of the
 * other where the DoFn has but one.
 *
 * Elements that come one by one to a DoFn that wants arrays are copied and kept until there
 * are enough of them, until one comes with another info (all elements of a batch share one),
 * or until the bundle ends. */
#include <string.h>

#include "model/urn.h"
#include "plan/dofn.h"
#include "plan/windows.h"
#include "type/value.h"

enum { BATCH_ELEMENTS = 1024, BATCH_BYTES = 1 << 20 };

typedef struct pardo_node {
    beam_dofn_node dofn;
    /* The DoFn's own callbacks, behind whatever comes before them. */
    beam_status (*process)(beam_ctx *ctx, const void *element);
    beam_status (*process_batch)(beam_ctx *ctx, const void *elements, size_t n);

    char *kept; /* BATCH_ELEMENTS elements; NULL unless the DoFn only takes arrays */
    size_t n_kept, kept_bytes;
    bool flat;
    beam_arena values; /* what kept elements point to */
    beam_element_info info;
    beam_window *windows; /* info's */
    size_t windows_capacity;
} pardo_node;

/* ---- A window at a time --------------------------------------------------------------- */

static beam_status call_process(beam_ctx *ctx, const void *element, size_t n)
{
    (void)n;
    return ((pardo_node *)ctx)->process(ctx, element);
}

static beam_status call_process_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    return ((pardo_node *)ctx)->process_batch(ctx, elements, n);
}

static beam_status exploded_one(beam_ctx *ctx, const void *element)
{
    if (ctx->frame->info->n_windows == 1)
        return ((pardo_node *)ctx)->process(ctx, element);
    return beam_dofn_in_each_window(ctx, element, 1, call_process);
}

static beam_status process_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    const beam_dofn *fn = ((pardo_node *)ctx)->dofn.fn;
    beam_node *node = beam_node_of(ctx);
    if (!node->gathers)
        return fn->process_batch(ctx, elements, n);
    beam_outputs_open(node);
    beam_status status = fn->process_batch(ctx, elements, n);
    if (status == BEAM_OK)
        return beam_outputs_close(node);
    beam_outputs_drop(node);
    return status;
}

/* For nodes right behind a source: there elements come one by one and may become many. */
static beam_status process_entry(beam_ctx *ctx, const void *element)
{
    return beam_outputs_around(beam_node_of(ctx), element, ((pardo_node *)ctx)->dofn.fn->process);
}

static beam_status exploded_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    if (ctx->frame->info->n_windows == 1)
        return ((pardo_node *)ctx)->process_batch(ctx, elements, n);
    return beam_dofn_in_each_window(ctx, elements, n, call_process_batch);
}

/* ---- Single elements for a DoFn that takes arrays ------------------------------------- */

static beam_status flush_kept(pardo_node *self)
{
    beam_node *node = &self->dofn.node;
    beam_frame *frame = node->ctx.frame;
    size_t n = self->n_kept;
    if (n == 0)
        return BEAM_OK;
    const beam_element_info *before = frame->info;
    frame->info = &self->info;
    beam_status status = node->process_batch(&node->ctx, self->kept, n);
    if (status != BEAM_OK)
        beam_node_failed(node, status, "process", self->kept, n);
    beam_arena_reset(&node->scratch);
    frame->info = before;
    self->n_kept = self->kept_bytes = 0;
    beam_arena_reset(&self->values);
    return status;
}

static beam_status keep_info(pardo_node *self, const beam_element_info *info)
{
    if (info->n_windows > self->windows_capacity) {
        beam_window *windows = beam_arena_alloc(&self->dofn.node.plan->bundle_arena,
                                                info->n_windows * sizeof *windows);
        if (!windows)
            return BEAM_RESOURCE_EXHAUSTED;
        self->windows = windows;
        self->windows_capacity = info->n_windows;
    }
    memcpy(self->windows, info->windows, info->n_windows * sizeof *info->windows);
    self->info = *info;
    self->info.windows = self->windows;
    return BEAM_OK;
}

static beam_status keep_one(beam_ctx *ctx, const void *element)
{
    pardo_node *self = (pardo_node *)ctx;
    const beam_type *type = self->dofn.node.in_type;
    const beam_element_info *info = ctx->frame->info;
    if (self->n_kept && !beam_info_equal(&self->info, info))
        BEAM_TRY(flush_kept(self));
    if (self->n_kept == 0)
        BEAM_TRY(keep_info(self, info));
    char *place = self->kept + self->n_kept * type->size;
    if (self->flat) {
        memcpy(place, element, type->size);
    } else {
        BEAM_TRY(beam_value_copy(type, place, element, &self->values));
        self->kept_bytes += beam_value_outer_size(type, element);
    }
    if (++self->n_kept == BATCH_ELEMENTS || self->kept_bytes >= BATCH_BYTES)
        return flush_kept(self);
    return BEAM_OK;
}

/* ---- The node ------------------------------------------------------------------------- */

static beam_status choose_process(pardo_node *self, beam_error *err)
{
    beam_node *node = &self->dofn.node;
    const beam_dofn *fn = self->dofn.fn;
    if (!fn->process && !fn->process_batch)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "DoFn %s is splittable, or has neither process nor process_batch",
                              fn->name);
    bool explode = node->one_by_one;
    self->process = fn->process;
    self->process_batch = process_batch;
    if (fn->process)
        node->process = explode ? exploded_one : fn->process;
    if (fn->process && !explode) {
        node->process_each = fn->process_each;
        node->entry = process_entry;
    }
    if (fn->process_batch) /* else it stays a loop over process */
        node->process_batch = explode ? exploded_batch : process_batch;
    if (fn->process)
        return BEAM_OK;
    self->kept = beam_plan_alloc(node->plan, BATCH_ELEMENTS, node->in_type->size, err);
    if (!self->kept)
        return BEAM_RESOURCE_EXHAUSTED;
    self->flat = beam_type_is_flat(node->in_type);
    node->process = keep_one;
    return BEAM_OK;
}

static beam_status open_pardo(beam_node *node, beam_error *err)
{
    pardo_node *self = (pardo_node *)node;
    BEAM_TRY(beam_dofn_open(node, err));
    BEAM_TRY(beam_dofn_connect(node, err));
    BEAM_TRY(beam_node_expect_type(node, "the input", self->dofn.fn->in, node->in_type, err));
    node->fn_in = node->in_type;
    return choose_process(self, err);
}

static beam_status finish_pardo(beam_node *node)
{
    BEAM_TRY(flush_kept((pardo_node *)node));
    return beam_dofn_finish(node);
}

static void end_pardo(beam_node *node)
{
    pardo_node *self = (pardo_node *)node;
    self->n_kept = self->kept_bytes = 0;
    self->windows_capacity = 0; /* they were the bundle's */
    beam_arena_reset(&self->values);
    beam_dofn_end(node);
}

static void close_pardo(beam_node *node)
{
    beam_arena_free(&((pardo_node *)node)->values);
    beam_dofn_close(node);
}

const beam_node_kind beam_pardo_kind = {
    .urn = BEAM_URN_PARDO,
    .size = sizeof(pardo_node),
    .open = open_pardo,
    .setup = beam_dofn_setup,
    .start = beam_dofn_start,
    .finish = finish_pardo,
    .end = end_pardo,
    .teardown = beam_dofn_teardown,
    .close = close_pardo,
};
