/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuse.c - greedy fusion: each step joins the stage that makes its input, unless a side input
 * of it (which has to be complete first) comes from that stage; else a stage that starts from
 * the same data; else it starts a stage. */
#include "base/alloc.h"
#include "direct/graph.h"

/* Working memory of fusing: which stages and steps a search has been at. */
typedef struct fuser {
    beam_direct_graph *graph;
    uint32_t *seen_steps, *seen_stages; /* number of the search that was here last */
    uint32_t search;
    beam_index_list todo; /* datasets */
    beam_error *err;
} fuser;

/* A stage a step, and one a reader of what a step gives, is the most there are. */
static size_t most_stages(const beam_direct_graph *graph)
{
    return graph->n_steps + graph->n_datasets;
}

beam_status beam_graph_add_stage(beam_direct_graph *graph, uint32_t source, uint32_t *stage,
                                 beam_error *err)
{
    if (beam_grow((void **)&graph->stages, &graph->stages_capacity, graph->n_stages + 1,
                  sizeof *graph->stages) != 0)
        return beam_graph_memory(err);
    *stage = (uint32_t)graph->n_stages;
    graph->stages[graph->n_stages++] = (beam_stage){.source = source};
    return BEAM_OK;
}

static beam_status look_at(fuser *f, const beam_index_list *datasets)
{
    for (size_t i = 0; i < datasets->n; i++)
        BEAM_TRY(beam_index_add(&f->todo, datasets->at[i], f->err));
    return BEAM_OK;
}

/* Adds to the search what a stage waits for. */
static beam_status look_at_stage(fuser *f, uint32_t stage)
{
    if (f->seen_stages[stage] == f->search)
        return BEAM_OK;
    f->seen_stages[stage] = f->search;
    const beam_stage *s = &f->graph->stages[stage];
    BEAM_TRY(beam_index_add(&f->todo, s->source, f->err));
    for (size_t i = 0; i < s->steps.n; i++)
        BEAM_TRY(look_at(f, &f->graph->steps[s->steps.at[i]].sides));
    return BEAM_OK;
}

/* Whether any of the datasets cannot be there before `stage` has run. */
static beam_status depend_on(fuser *f, const beam_index_list *datasets, uint32_t stage,
                             bool *depend)
{
    *depend = false;
    f->search++;
    f->todo.n = 0;
    BEAM_TRY(look_at(f, datasets));
    while (f->todo.n) {
        uint32_t producer = f->graph->datasets[f->todo.at[--f->todo.n]].producer;
        const beam_step *step = &f->graph->steps[producer];
        if (step->stage == stage) {
            *depend = true;
            return BEAM_OK;
        }
        if (step->stage != BEAM_NONE) {
            BEAM_TRY(look_at_stage(f, step->stage));
        } else if (f->seen_steps[producer] != f->search) {
            f->seen_steps[producer] = f->search;
            BEAM_TRY(look_at(f, &step->ins));
        }
    }
    return BEAM_OK;
}

static beam_status join(fuser *f, uint32_t step, uint32_t stage)
{
    f->graph->steps[step].stage = stage;
    f->graph->stages[stage].batches |= f->graph->steps[step].batches;
    return beam_index_add(&f->graph->stages[stage].steps, step, f->err);
}

/* Joins the stage if the side inputs allow it. */
static beam_status try_join(fuser *f, uint32_t step, uint32_t stage, bool *joined)
{
    const beam_index_list *sides = &f->graph->steps[step].sides;
    bool depend = false;
    if (sides->n)
        BEAM_TRY(depend_on(f, sides, stage, &depend));
    *joined = !depend;
    return depend ? BEAM_OK : join(f, step, stage);
}

static beam_status start_stage(fuser *f, uint32_t step, uint32_t source)
{
    uint32_t stage = BEAM_NONE;
    BEAM_TRY(beam_graph_add_stage(f->graph, source, &stage, f->err));
    f->graph->stages[stage].processes_restrictions = f->graph->steps[step].processes_restrictions;
    return join(f, step, stage);
}

static beam_status place_step(fuser *f, uint32_t index)
{
    beam_direct_graph *graph = f->graph;
    const beam_step *step = &graph->steps[index];
    uint32_t source = step->ins.at[0];
    if (step->processes_restrictions)
        return start_stage(f, index, source);
    bool joined = false;
    uint32_t producers = graph->steps[graph->datasets[source].producer].stage;
    if (producers != BEAM_NONE) {
        BEAM_TRY(try_join(f, index, producers, &joined));
        if (joined)
            return BEAM_OK;
    }
    const beam_index_list *readers = &graph->datasets[source].readers;
    for (size_t i = 0; i < readers->n && !joined; i++) {
        uint32_t other = graph->steps[readers->at[i]].stage;
        if (other != BEAM_NONE && graph->stages[other].source == source &&
            !graph->stages[other].processes_restrictions)
            BEAM_TRY(try_join(f, index, other, &joined));
    }
    return joined ? BEAM_OK : start_stage(f, index, source);
}

/* A Flatten is fused when one stage makes, or starts from, all that it takes. */
static beam_status place_flatten(fuser *f, uint32_t index)
{
    const beam_direct_graph *graph = f->graph;
    const beam_step *step = &graph->steps[index];
    uint32_t stage = BEAM_NONE;
    for (size_t i = 0; i < step->ins.n && stage == BEAM_NONE; i++)
        stage = graph->steps[graph->datasets[step->ins.at[i]].producer].stage;
    if (stage == BEAM_NONE)
        return BEAM_OK;
    for (size_t i = 0; i < step->ins.n; i++) {
        uint32_t in = step->ins.at[i];
        if (graph->steps[graph->datasets[in].producer].stage != stage &&
            graph->stages[stage].source != in)
            return BEAM_OK;
    }
    return join(f, index, stage);
}

beam_status beam_graph_fuse(beam_direct_graph *graph, beam_error *err)
{
    fuser f = {.graph = graph, .err = err};
    size_t most = most_stages(graph);
    f.seen_steps = beam_calloc(graph->n_steps, sizeof *f.seen_steps);
    f.seen_stages = beam_calloc(most, sizeof *f.seen_stages);
    beam_status status = f.seen_steps && f.seen_stages ? BEAM_OK : beam_graph_memory(err);
    for (uint32_t s = 0; status == BEAM_OK && s < graph->n_steps; s++) {
        if (graph->steps[s].kind == BEAM_STEP_EXECUTE)
            status = place_step(&f, s);
        else if (graph->steps[s].kind == BEAM_STEP_FLATTEN)
            status = place_flatten(&f, s);
    }
    beam_free(f.seen_steps);
    beam_free(f.seen_stages);
    beam_free(f.todo.at);
    return status;
}
