/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cleanup.c - what is to be cleared away when a run has ended. */
#include "graph/pipeline.h"

void beam_pipeline_at_end(beam_pipeline *pipeline, void (*clean)(const void *arg), const void *arg,
                          size_t size)
{
    beam_graph_cleanup *cleanup = beam_arena_alloc(&pipeline->arena, sizeof *cleanup);
    void *copy = beam_arena_copy(&pipeline->arena, arg, size);
    if (!cleanup || !copy) {
        (void)beam_pipeline_fail(pipeline, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *cleanup = (beam_graph_cleanup){pipeline->cleanups, clean, copy};
    pipeline->cleanups = cleanup;
}

void beam_pipeline_clean(const beam_pipeline *pipeline)
{
    for (const beam_graph_cleanup *c = pipeline->cleanups; c; c = c->older)
        c->clean(c->arg);
}

beam_windowing beam_pcoll_windowing(beam_pcoll pcoll)
{
    const beam_pipeline *pipeline = pcoll.pipeline;
    if (!pipeline || pcoll.id == 0 || pcoll.id >= pipeline->n_pcolls)
        return (beam_windowing){0};
    return pipeline->pcolls[pcoll.id]->windowing;
}
