/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* descriptor.c - a stage as the ProcessBundleDescriptor that src/plan executes: its steps, a
 * source in front and a sink for each exit.  Coders and windowing strategies are shared by all
 * stages, PCollections are those that the stage has to do with. */
#include <string.h>

#include "direct/graph.h"
#include "model/message.h"
#include "model/urn.h"

typedef BeamPb__ProcessBundleDescriptor descriptor;

/* Source or sink: a transform with one edge. */
static beam_status add_port(beam_direct_graph *graph, descriptor *d, const char *id,
                            const char *name, const char *urn, uint32_t dataset, beam_error *err)
{
    beam_arena *arena = &graph->arena;
    BeamPb__TransformEntry *entry = beam_message_new(&beam_pb__transform_entry__descriptor, arena);
    BeamPb__PTransform *proto = beam_message_new(&beam_pb__ptransform__descriptor, arena);
    BeamPb__FunctionSpec *spec = beam_message_new(&beam_pb__function_spec__descriptor, arena);
    BeamPb__StringEntry *edge = beam_message_new(&beam_pb__string_entry__descriptor, arena);
    BeamPb__StringEntry **edges = beam_arena_calloc(arena, 1, sizeof(BeamPb__StringEntry *));
    if (!entry || !proto || !spec || !edge || !edges || !id)
        return beam_graph_memory(err);
    bool source = strcmp(urn, BEAM_URN_DATA_SOURCE) == 0;
    edge->key = (char *)(uintptr_t)(source ? BEAM_LOCAL_OUTPUT "0" : BEAM_LOCAL_INPUT);
    edge->value = graph->datasets[dataset].entry->key;
    edges[0] = edge;
    proto->inputs = source ? NULL : edges;
    proto->n_inputs = source ? 0 : 1;
    proto->outputs = source ? edges : NULL;
    proto->n_outputs = source ? 1 : 0;
    spec->urn = (char *)(uintptr_t)urn;
    proto->spec = spec;
    proto->unique_name = (char *)(uintptr_t)name;
    entry->key = (char *)(uintptr_t)id;
    entry->value = proto;
    d->transforms[d->n_transforms++] = entry;
    return BEAM_OK;
}

static beam_status add_step(beam_direct_graph *graph, descriptor *d, const beam_step *step,
                            beam_error *err)
{
    BeamPb__TransformEntry *entry =
        beam_message_new(&beam_pb__transform_entry__descriptor, &graph->arena);
    if (!entry)
        return beam_graph_memory(err);
    entry->key = (char *)(uintptr_t)step->id;
    entry->value = step->proto;
    d->transforms[d->n_transforms++] = entry;
    return BEAM_OK;
}

/* `taken` tells the datasets that the stage has already. */
static void add_datasets(const beam_direct_graph *graph, descriptor *d,
                         const beam_index_list *datasets, uint32_t *taken, uint32_t stage)
{
    for (size_t i = 0; i < datasets->n; i++) {
        uint32_t dataset = datasets->at[i];
        if (taken[dataset] == stage + 1)
            continue;
        taken[dataset] = stage + 1;
        d->pcollections[d->n_pcollections++] = graph->datasets[dataset].entry;
    }
}

static beam_status add_pcollections(beam_direct_graph *graph, descriptor *d, uint32_t index,
                                    uint32_t *taken, beam_error *err)
{
    const beam_stage *stage = &graph->stages[index];
    size_t n = 1;
    for (size_t i = 0; i < stage->steps.n; i++) {
        const beam_step *step = &graph->steps[stage->steps.at[i]];
        n += step->ins.n + step->sides.n + step->outs.n;
    }
    d->pcollections = beam_arena_calloc(&graph->arena, n, sizeof(BeamPb__PCollectionEntry *));
    if (!d->pcollections)
        return beam_graph_memory(err);
    uint32_t source = stage->source;
    add_datasets(graph, d, &(beam_index_list){&source, 1, 1}, taken, index);
    for (size_t i = 0; i < stage->steps.n; i++) {
        const beam_step *step = &graph->steps[stage->steps.at[i]];
        add_datasets(graph, d, &step->ins, taken, index);
        add_datasets(graph, d, &step->sides, taken, index);
        add_datasets(graph, d, &step->outs, taken, index);
    }
    return BEAM_OK;
}

/* A stage is known by its first step that is not the runner's own doing. */
static const char *stage_name(const beam_direct_graph *graph, const beam_stage *stage)
{
    for (size_t i = 0; i < stage->steps.n; i++) {
        const beam_step *step = &graph->steps[stage->steps.at[i]];
        const char *urn = step->proto->spec ? step->proto->spec->urn : "";
        if (strcmp(urn, BEAM_URN_FLATTEN) != 0 && strcmp(urn, BEAM_URN_WINDOW_INTO) != 0)
            return beam_step_name(step);
    }
    return beam_step_name(&graph->steps[graph->datasets[stage->source].producer]);
}

/* The first step outside of the stage that takes the elements; the one that gives them where they
 * are seen as a side input only. */
static const char *exit_name(const beam_direct_graph *graph, uint32_t stage, uint32_t dataset)
{
    const beam_dataset *elements = &graph->datasets[dataset];
    for (size_t i = 0; i < elements->readers.n; i++) {
        const beam_step *reader = &graph->steps[elements->readers.at[i]];
        if (reader->stage != stage)
            return beam_step_name(reader);
    }
    return beam_step_name(&graph->steps[elements->producer]);
}

static beam_status describe(beam_direct_graph *graph, uint32_t index, uint32_t *taken,
                            beam_error *err)
{
    beam_stage *stage = &graph->stages[index];
    beam_arena *arena = &graph->arena;
    descriptor *d = beam_message_new(&beam_pb__process_bundle_descriptor__descriptor, arena);
    if (!d)
        return beam_graph_memory(err);
    d->id = beam_arena_printf(arena, "stage %u", index);
    d->transforms = beam_arena_calloc(arena, stage->steps.n + stage->n_exits + 1,
                                      sizeof(BeamPb__TransformEntry *));
    if (!d->id || !d->transforms)
        return beam_graph_memory(err);
    BEAM_TRY(add_port(graph, d, BEAM_DIRECT_SOURCE_ID, BEAM_DIRECT_SOURCE_ID, BEAM_URN_DATA_SOURCE,
                      stage->source, err));
    for (size_t i = 0; i < stage->steps.n; i++)
        BEAM_TRY(add_step(graph, d, &graph->steps[stage->steps.at[i]], err));
    for (size_t i = 0; i < stage->n_exits; i++) {
        beam_exit *exit = &stage->exits[i];
        exit->name = exit_name(graph, index, exit->dataset);
        BEAM_TRY(add_port(graph, d, beam_arena_printf(arena, BEAM_DIRECT_SINK_PREFIX "%zu", i),
                          exit->name, BEAM_URN_DATA_SINK, exit->dataset, err));
    }
    BEAM_TRY(add_pcollections(graph, d, index, taken, err));
    d->windowing_strategies = graph->components->windowing_strategies;
    d->n_windowing_strategies = graph->components->n_windowing_strategies;
    d->coders = graph->coders;
    d->n_coders = graph->n_coders;
    stage->name = stage_name(graph, stage);
    stage->descriptor = d;
    return BEAM_OK;
}

beam_status beam_graph_describe(beam_direct_graph *graph, beam_error *err)
{
    uint32_t *taken = beam_arena_calloc(&graph->arena, graph->n_datasets, sizeof *taken);
    if (!taken)
        return beam_graph_memory(err);
    for (uint32_t i = 0; i < graph->n_stages; i++)
        BEAM_TRY(describe(graph, i, taken, err));
    return BEAM_OK;
}
