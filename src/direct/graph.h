/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* graph.h - a pipeline as the embedded runner works on it: leaves only, in topological order,
 * with splittable DoFns and combines taken apart, then fused into stages.
 *
 *   graph.c       reads a Pipeline proto, which is foreign: ids, types, producers, cycles
 *   expand.c      what becomes of a splittable ParDo and of a combine
 *   fuse.c        steps into stages
 *   store.c       what stages leave for each other, and what each waits for
 *   descriptor.c  a stage as a ProcessBundleDescriptor
 *   dump.c        the stages as text, for tests and people
 */
#ifndef DIRECT_GRAPH_H
#define DIRECT_GRAPH_H

#include <beam/window.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "model/coders.h"
#include "model/proto/fn_api.pb-c.h"
#include "model/proto/pipeline.pb-c.h"

#define BEAM_NONE UINT32_MAX /* no index */

/* Indexes into one of the graph's lists. */
typedef struct beam_index_list {
    uint32_t *at; /* grows by beam_grow */
    size_t n, capacity;
} beam_index_list;

typedef enum beam_step_kind {
    BEAM_STEP_EXECUTE = 0, /* runs in a stage, by a node of src/plan */
    BEAM_STEP_IMPULSE,
    BEAM_STEP_GROUP,     /* GroupByKey: a shuffle */
    BEAM_STEP_RESHUFFLE, /* a buffer between stages */
    BEAM_STEP_FLATTEN    /* fused where that is possible, else its inputs meet in a store */
} beam_step_kind;

/* A transform without parts. */
typedef struct beam_step {
    const char *id;
    BeamPb__PTransform *proto;
    beam_step_kind kind;
    bool processes_restrictions;      /* sdf_process_...: its input waits in a store of its own */
    bool batches;                     /* the fewer bundles, the better */
    beam_index_list ins, sides, outs; /* PCollections */
    uint32_t stage;                   /* that it is fused into, or BEAM_NONE */
} beam_step;

typedef struct beam_dataset {
    BeamPb__PCollectionEntry *entry;
    const beam_type *type;
    beam_windowing windowing;
    uint32_t producer;       /* step */
    beam_index_list readers; /* steps that have it as an input, once a time */
    beam_index_list viewers; /* steps that have it as a side input */
    uint32_t source, buffer; /* stores: what a stage that starts here reads; as elements */
} beam_dataset;

/* What an element meets on its way out of a stage. */
typedef struct beam_exit {
    uint32_t dataset, store;
    const char *name; /* of the transform that it goes to, which messages know it by */
} beam_exit;

typedef struct beam_stage {
    uint32_t source;       /* dataset */
    beam_index_list steps; /* in topological order */
    beam_index_list views; /* stores that are side inputs */
    beam_exit *exits;
    size_t n_exits, exits_capacity;
    bool processes_restrictions, batches;
    const char *name; /* of its most telling transform, for progress */
    BeamPb__ProcessBundleDescriptor *descriptor;
} beam_stage;

typedef enum beam_store_kind {
    BEAM_STORE_IMPULSE = 0, /* one empty element, from nowhere */
    BEAM_STORE_SHUFFLE,
    BEAM_STORE_BUFFER
} beam_store_kind;

/* Data at rest between stages. */
typedef struct beam_store_plan {
    beam_store_kind kind;
    uint32_t dataset;        /* what is read from it */
    uint32_t written;        /* whose elements it takes: a GroupByKey's input, or the same */
    beam_index_list writers; /* stages */
    beam_index_list readers; /* stages that start from it */
    beam_index_list viewers; /* stages that have it as a side input */
} beam_store_plan;

/* A zeroed graph is empty; everything in it lives until beam_direct_graph_free. */
typedef struct beam_direct_graph {
    beam_arena arena;
    BeamPb__Pipeline *pipeline;
    BeamPb__Components *components; /* the pipeline's */
    BeamPb__CoderEntry **coders;    /* those of the pipeline, then those made here */
    size_t n_coders, coders_capacity;
    beam_map dataset_ids; /* to index + 1 */
    beam_dataset *datasets;
    size_t n_datasets, datasets_capacity;
    beam_step *steps; /* in topological order */
    size_t n_steps, steps_capacity;
    beam_stage *stages;
    size_t n_stages, stages_capacity;
    beam_store_plan *stores;
    size_t n_stores, stores_capacity;
} beam_direct_graph;

/* Reads a serialized Pipeline and plans its stages.  Errors name the transform or PCollection:
 * DATA_LOSS (no Pipeline, or one that contradicts itself), INVALID_ARGUMENT (cycles, types that
 * do not fit), UNIMPLEMENTED.  On failure there is still a graph to free. */
beam_status beam_direct_graph_read(beam_direct_graph *graph, const void *proto, size_t size,
                                   beam_error *err);
void beam_direct_graph_free(beam_direct_graph *graph);

/* Appends the stages as lines of text. */
beam_status beam_direct_graph_dump(const beam_direct_graph *graph, beam_buffer *out);

/* ---- Between the files of the graph ---------------------------------------------------- */

beam_status beam_graph_memory(beam_error *err); /* out of it */
beam_status beam_index_add(beam_index_list *list, uint32_t index, beam_error *err);
/* The same unless it is there. */
beam_status beam_index_add_once(beam_index_list *list, uint32_t index, beam_error *err);

static inline const char *beam_step_name(const beam_step *step)
{
    return step->proto->unique_name[0] ? step->proto->unique_name : step->id;
}

static inline const char *beam_dataset_id(const beam_direct_graph *graph, uint32_t dataset)
{
    return graph->datasets[dataset].entry->key;
}

/* graph.c: appends a step, its id and protos already in the arena; connects its inputs and
 * outputs (BEAM_DATA_LOSS when a PCollection is not there or has two producers). */
beam_status beam_graph_add_step(beam_direct_graph *graph, const char *id, BeamPb__PTransform *proto,
                                beam_error *err);
/* A PCollection made here, with the windowing of another; BEAM_DATA_LOSS when the id is taken. */
beam_status beam_graph_add_dataset(beam_direct_graph *graph, const char *id, const char *coder,
                                   const char *windowing, beam_error *err);
/* A coder made here, of a URN over others. */
beam_status beam_graph_add_coder(beam_direct_graph *graph, const char *urn,
                                 const char *const *components, size_t n, const char **id,
                                 beam_error *err);
/* The PCollection of that id, or BEAM_NONE. */
uint32_t beam_graph_find_dataset(const beam_direct_graph *graph, const char *id);

/* expand.c */
beam_status beam_expand_pardo(beam_direct_graph *graph, const char *id,
                              const BeamPb__PTransform *proto, const BeamPb__ParDoPayload *payload,
                              beam_error *err);
/* A combine_per_key; `lifted`: partly done before the GroupByKey. */
beam_status beam_expand_combine(beam_direct_graph *graph, const char *id,
                                const BeamPb__PTransform *proto, bool lifted, beam_error *err);

beam_status beam_graph_fuse(beam_direct_graph *graph, beam_error *err);
beam_status beam_graph_place_stores(beam_direct_graph *graph, beam_error *err);
beam_status beam_graph_describe(beam_direct_graph *graph, beam_error *err);

/* fuse.c: a new, empty stage that starts from a dataset. */
beam_status beam_graph_add_stage(beam_direct_graph *graph, uint32_t source, uint32_t *stage,
                                 beam_error *err);

/* Ids of the transforms that a descriptor gets besides the steps: the source, and sink i for
 * exit i of the stage. */
#define BEAM_DIRECT_SOURCE_ID "direct/source"
#define BEAM_DIRECT_SINK_PREFIX "direct/sink"

#endif
