/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dump.c - the stages of a pipeline as text: what each starts from, runs, sees and leaves. */
#include "direct/graph.h"

static const char *kind_name(beam_store_kind kind)
{
    static const char *const names[] = {"impulse", "shuffle", "buffer"};
    return names[kind];
}

static const char *producer_name(const beam_direct_graph *graph, uint32_t dataset)
{
    return beam_step_name(&graph->steps[graph->datasets[dataset].producer]);
}

static beam_status dump_stage(const beam_direct_graph *graph, uint32_t index, beam_buffer *out)
{
    const beam_stage *stage = &graph->stages[index];
    const beam_store_plan *source = &graph->stores[graph->datasets[stage->source].source];
    BEAM_TRY(beam_buffer_printf(out, "stage %u from %s of %s\n", index, kind_name(source->kind),
                                producer_name(graph, stage->source)));
    for (size_t i = 0; i < stage->steps.n; i++)
        BEAM_TRY(
            beam_buffer_printf(out, "  %s\n", beam_step_name(&graph->steps[stage->steps.at[i]])));
    for (size_t i = 0; i < stage->views.n; i++)
        BEAM_TRY(beam_buffer_printf(
            out, "  sees %s\n", producer_name(graph, graph->stores[stage->views.at[i]].dataset)));
    for (size_t i = 0; i < stage->n_exits; i++) {
        const beam_store_plan *store = &graph->stores[stage->exits[i].store];
        BEAM_TRY(beam_buffer_printf(out, "  %s to %s of %s\n",
                                    producer_name(graph, stage->exits[i].dataset),
                                    kind_name(store->kind), producer_name(graph, store->dataset)));
    }
    return BEAM_OK;
}

beam_status beam_direct_graph_dump(const beam_direct_graph *graph, beam_buffer *out)
{
    for (uint32_t i = 0; i < graph->n_stages; i++)
        BEAM_TRY(dump_stage(graph, i, out));
    return BEAM_OK;
}
