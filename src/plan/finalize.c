/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* finalize.c - calls to be made once a bundle is committed. */
#include "plan/finalize.h"

#include <string.h>

#include "base/alloc.h"
#include "plan/node.h"

/* It outlives its plan, so that a worker can close one that the engine has not finalized yet. */
struct beam_finalizer {
    beam_finalizer *older;
    beam_status (*finalize)(const void *arg, beam_error *err);
    char transform[64]; /* the end of its name, for the log */
    _Alignas(max_align_t) char arg[];
};

beam_status beam_after_commit(beam_ctx *ctx,
                              beam_status (*finalize)(const void *arg, beam_error *err),
                              const void *arg, size_t size)
{
    beam_node *node = beam_node_of(ctx);
    beam_plan *plan = node->plan;
    if (!node->finalizes)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "beam_after_commit is for DoFns whose descriptor says .finalizes = true");
    if (!plan->in_bundle)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "beam_after_commit is for start_bundle, process and finish_bundle");
    beam_finalizer *made =
        size <= SIZE_MAX - sizeof *made ? beam_malloc(sizeof *made + size) : NULL;
    if (!made)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for a finalizer");
    size_t len = strlen(node->unique_name);
    size_t cut = len < sizeof made->transform ? 0 : len - sizeof made->transform + 1;
    memcpy(made->transform, node->unique_name + cut, len - cut + 1);
    made->finalize = finalize;
    if (size)
        memcpy(made->arg, arg, size);
    made->older = plan->finalizers;
    plan->finalizers = made;
    return BEAM_OK;
}

beam_finalizer *beam_plan_take_finalizers(beam_plan *plan)
{
    beam_finalizer *newest = plan->finalizers;
    plan->finalizers = NULL;
    return newest;
}

static beam_finalizer *reverse(beam_finalizer *newest)
{
    beam_finalizer *oldest = NULL;
    while (newest) {
        beam_finalizer *older = newest->older;
        newest->older = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

void beam_finalizers_run(beam_finalizer *newest, const beam_logger *logger)
{
    beam_finalizer *all = reverse(newest);
    for (beam_finalizer *f = all; f; f = f->older) {
        beam_error err = {0};
        beam_status status = f->finalize(f->arg, &err);
        if (status != BEAM_OK)
            beam_log_write(logger, BEAM_LOG_WARNING, __FILE__, __LINE__, f->transform,
                           "finalizing a bundle: %s",
                           err.message[0] ? err.message : beam_status_name(status));
    }
    beam_finalizers_free(all);
}

void beam_finalizers_free(beam_finalizer *newest)
{
    while (newest) {
        beam_finalizer *older = newest->older;
        beam_free(newest);
        newest = older;
    }
}
