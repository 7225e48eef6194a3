/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* store.c - what stages leave for each other.  A store is made for each dataset that a stage
 * starts from, or that is a side input; whoever makes such a dataset gets an exit to it.
 * Elements that go through a Reshuffle or a Flatten that is not fused pass it on paper only:
 * they go straight to the store behind it. */
#include "base/alloc.h"
#include "direct/graph.h"

/* Bounds for hostile graphs: Flattens of a Flatten multiply what goes through them. */
enum { MAX_PASSED = 1000, MAX_EXITS = 1 << 16 };

typedef struct placer {
    beam_direct_graph *graph;
    size_t n_exits;
    beam_error *err;
} placer;

/* ---- Stores --------------------------------------------------------------------------- */

static beam_status add_store(beam_direct_graph *graph, beam_store_kind kind, uint32_t dataset,
                             uint32_t written, uint32_t *store, beam_error *err)
{
    if (*store != BEAM_NONE)
        return BEAM_OK;
    if (beam_grow((void **)&graph->stores, &graph->stores_capacity, graph->n_stores + 1,
                  sizeof *graph->stores) != 0)
        return beam_graph_memory(err);
    *store = (uint32_t)graph->n_stores;
    graph->stores[graph->n_stores++] =
        (beam_store_plan){.kind = kind, .dataset = dataset, .written = written};
    return BEAM_OK;
}

static beam_status need_buffer(beam_direct_graph *graph, uint32_t dataset, beam_error *err)
{
    return add_store(graph, BEAM_STORE_BUFFER, dataset, dataset, &graph->datasets[dataset].buffer,
                     err);
}

/* The store that a stage which starts from the dataset reads. */
static beam_status need_source(beam_direct_graph *graph, uint32_t index, beam_error *err)
{
    beam_dataset *dataset = &graph->datasets[index];
    const beam_step *producer = &graph->steps[dataset->producer];
    if (producer->kind == BEAM_STEP_IMPULSE)
        return add_store(graph, BEAM_STORE_IMPULSE, index, index, &dataset->source, err);
    if (producer->kind == BEAM_STEP_GROUP)
        return add_store(graph, BEAM_STORE_SHUFFLE, index, producer->ins.at[0], &dataset->source,
                         err);
    BEAM_TRY(need_buffer(graph, index, err));
    dataset->source = dataset->buffer;
    return BEAM_OK;
}

static beam_status need_stores(beam_direct_graph *graph, beam_error *err)
{
    for (size_t i = 0; i < graph->n_stages; i++)
        BEAM_TRY(need_source(graph, graph->stages[i].source, err));
    for (uint32_t d = 0; d < graph->n_datasets; d++)
        if (graph->datasets[d].viewers.n)
            BEAM_TRY(need_buffer(graph, d, err));
    return BEAM_OK;
}

/* ---- Exits ---------------------------------------------------------------------------- */

static beam_status add_exit(placer *p, uint32_t stage, uint32_t dataset, uint32_t store)
{
    beam_stage *s = &p->graph->stages[stage];
    if (++p->n_exits > MAX_EXITS)
        return beam_error_set(p->err, BEAM_INVALID_ARGUMENT,
                              "the pipeline's Flattens multiply PCollections more than %d times",
                              MAX_EXITS);
    if (beam_grow((void **)&s->exits, &s->exits_capacity, s->n_exits + 1, sizeof *s->exits) != 0)
        return beam_graph_memory(p->err);
    s->exits[s->n_exits++] = (beam_exit){.dataset = dataset, .store = store};
    return beam_index_add_once(&p->graph->stores[store].writers, stage, p->err);
}

/* Whether the runner itself passes the dataset on to this reader, and to what. */
static bool passes(const beam_direct_graph *graph, uint32_t reader, uint32_t *to)
{
    const beam_step *step = &graph->steps[reader];
    if (step->kind != BEAM_STEP_RESHUFFLE &&
        !(step->kind == BEAM_STEP_FLATTEN && step->stage == BEAM_NONE))
        return false;
    *to = step->outs.at[0];
    return true;
}

/* Exits of `stage` for its dataset `dataset`, which is known as `as` once passed on. */
static beam_status add_exits(placer *p, uint32_t stage, uint32_t dataset, uint32_t as,
                             unsigned depth)
{
    const beam_direct_graph *graph = p->graph;
    const beam_dataset *known = &graph->datasets[as];
    if (depth > MAX_PASSED)
        return beam_error_set(p->err, BEAM_INVALID_ARGUMENT,
                              "more than %d Flattens and Reshuffles in a row", MAX_PASSED);
    if (known->buffer != BEAM_NONE)
        BEAM_TRY(add_exit(p, stage, dataset, known->buffer));
    for (size_t i = 0; i < known->readers.n; i++) {
        uint32_t reader = known->readers.at[i], to;
        if (graph->steps[reader].kind == BEAM_STEP_GROUP) {
            uint32_t store = graph->datasets[graph->steps[reader].outs.at[0]].source;
            if (store != BEAM_NONE) /* else nobody reads the groups */
                BEAM_TRY(add_exit(p, stage, dataset, store));
        } else if (passes(graph, reader, &to)) {
            BEAM_TRY(add_exits(p, stage, dataset, to, depth + 1));
        }
    }
    return BEAM_OK;
}

/* A dataset that the runner makes (an Impulse's, a GroupByKey's) leaves through a stage that
 * starts from it: the first one without side inputs, or one with no other task. */
static beam_status stage_for(beam_direct_graph *graph, uint32_t dataset, uint32_t *stage,
                             beam_error *err)
{
    for (uint32_t i = 0; i < graph->n_stages; i++) {
        if (graph->stages[i].source != dataset)
            continue;
        bool views = false;
        for (size_t k = 0; k < graph->stages[i].steps.n; k++)
            views |= graph->steps[graph->stages[i].steps.at[k]].sides.n > 0;
        if (!views) {
            *stage = i;
            return BEAM_OK;
        }
    }
    BEAM_TRY(beam_graph_add_stage(graph, dataset, stage, err));
    return need_source(graph, dataset, err);
}

/* Whether anything is to be done with the dataset outside the stage that makes it. */
static bool leaves(const beam_direct_graph *graph, uint32_t dataset)
{
    const beam_dataset *d = &graph->datasets[dataset];
    bool found = d->buffer != BEAM_NONE;
    for (size_t i = 0; i < d->readers.n; i++) {
        uint32_t to;
        found |= graph->steps[d->readers.at[i]].kind == BEAM_STEP_GROUP ||
                 passes(graph, d->readers.at[i], &to);
    }
    return found;
}

static beam_status add_all_exits(placer *p)
{
    beam_direct_graph *graph = p->graph;
    /* Backwards: when a GroupByKey's groups turn out to be read by a stage made here, its
     * store is there before what writes into it is looked at. */
    for (size_t i = graph->n_steps; i-- > 0;) {
        const beam_step *step = &graph->steps[i];
        bool runners = step->kind == BEAM_STEP_IMPULSE || step->kind == BEAM_STEP_GROUP;
        for (size_t k = 0; k < step->outs.n; k++) {
            uint32_t dataset = step->outs.at[k], stage = step->stage;
            if ((!runners && stage == BEAM_NONE) || !leaves(graph, dataset))
                continue;
            if (runners)
                BEAM_TRY(stage_for(graph, dataset, &stage, p->err));
            BEAM_TRY(add_exits(p, stage, dataset, dataset, 0));
        }
    }
    return BEAM_OK;
}

/* ---- Who waits for what ---------------------------------------------------------------- */

static beam_status connect_stages(beam_direct_graph *graph, beam_error *err)
{
    for (uint32_t i = 0; i < graph->n_stages; i++) {
        beam_stage *stage = &graph->stages[i];
        uint32_t source = graph->datasets[stage->source].source;
        BEAM_TRY(beam_index_add(&graph->stores[source].readers, i, err));
        for (size_t k = 0; k < stage->steps.n; k++) {
            const beam_index_list *sides = &graph->steps[stage->steps.at[k]].sides;
            for (size_t v = 0; v < sides->n; v++)
                BEAM_TRY(
                    beam_index_add_once(&stage->views, graph->datasets[sides->at[v]].buffer, err));
        }
        for (size_t v = 0; v < stage->views.n; v++)
            BEAM_TRY(beam_index_add(&graph->stores[stage->views.at[v]].viewers, i, err));
    }
    return BEAM_OK;
}

beam_status beam_graph_place_stores(beam_direct_graph *graph, beam_error *err)
{
    placer p = {.graph = graph, .err = err};
    BEAM_TRY(need_stores(graph, err));
    BEAM_TRY(add_all_exits(&p));
    return connect_stages(graph, err);
}
