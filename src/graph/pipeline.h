/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - a pipeline under construction, and how transforms add themselves to it.
 *
 * Every public transform is a function that adds one node, or opens a composite node, calls
 * other transforms and closes it.  Nothing here returns an error: the first one sticks in the
 * pipeline (beam_graph_fail), and everything after it does nothing. */
#ifndef GRAPH_PIPELINE_H
#define GRAPH_PIPELINE_H

#include <beam/pipeline.h>
#include <beam/transform.h>

#include "base/arena.h"
#include "base/map.h"
#include "model/coders.h"
#include "model/proto/pipeline.pb-c.h"
#include "model/registry.h"

/* Hints in numbers, merged down to a node. */
typedef struct beam_merged_hints {
    const char *accelerator;
    uint64_t min_ram_bytes;
    int64_t cpu_count;
    int64_t max_active_bundles;
} beam_merged_hints;

/* A transform; a composite has parts, a leaf has none. */
typedef struct beam_graph_node {
    uint32_t index, parent; /* parent: an index, 0 for the root */
    bool composite;
    const char *local_name; /* within the parent */
    bool is_call;           /* a composite that counts in beam_pipeline.calls */
    beam_merged_hints hints;
    BeamPb__TransformEntry entry; /* inputs and outputs of composites are filled by to_proto */
    BeamPb__PTransform proto;
    const uint32_t *ins, *outs; /* PCollections, side inputs last */
    size_t n_ins, n_outs;
    const char *fn_name; /* of the function it runs, or NULL */
} beam_graph_node;

typedef struct beam_graph_pcoll {
    const beam_type *type;
    beam_windowing windowing;
    uint32_t producer, output; /* node index, and which of its outputs */
    BeamPb__PCollectionEntry entry;
    BeamPb__PCollection proto;
} beam_graph_pcoll;

typedef struct beam_graph_windowing {
    beam_windowing windowing;
    BeamPb__WindowingStrategyEntry entry;
} beam_graph_windowing;

typedef struct beam_graph_environment {
    beam_merged_hints hints;
    BeamPb__EnvironmentEntry entry;
    BeamPb__Environment proto;
} beam_graph_environment;

/* What beam_pipeline_at_end was given. */
typedef struct beam_graph_cleanup {
    struct beam_graph_cleanup *older;
    void (*clean)(const void *arg);
    void *arg;
} beam_graph_cleanup;

/* What beam_pipeline_needs_file was given. */
typedef struct beam_graph_file {
    struct beam_graph_file *older;
    const char *kind, *name;
    beam_status (*locate)(const char *name, char **path, beam_error *err);
} beam_graph_file;

/* What beam_pipeline_writes_files was given. */
typedef struct beam_graph_sink {
    struct beam_graph_sink *older;
    const char *names;
    const char *transform, *file; /* which said so, and where it was called; file: may be NULL */
    int line;
} beam_graph_sink;

struct beam_pipeline {
    beam_arena arena; /* all that the graph is made of */
    beam_error error; /* the first one */
    const char *name;
    const beam_logger *logger;
    beam_registry registry;
    beam_coder_set coders;
    /* Index 0 of nodes is the root (a composite without a name), of pcolls none. */
    beam_graph_node **nodes;
    size_t n_nodes, nodes_capacity;
    beam_graph_pcoll **pcolls;
    size_t n_pcolls, pcolls_capacity;
    beam_graph_windowing **windowings;
    size_t n_windowings, windowings_capacity;
    beam_graph_environment **environments;
    size_t n_environments, environments_capacity;
    uint32_t scope; /* the composite that is open */
    beam_map names; /* unique names of nodes: the last number given to one more of that name */
    /* Where the user's call stands: the outermost of nested calls counts. */
    const char *file;
    int line;
    uint32_t calls; /* how deep calls that name such a place are nested */
    bool has_splittable, has_finalizer;
    beam_graph_cleanup *cleanups; /* newest first */
    beam_graph_file *files;       /* newest first */
    beam_graph_sink *sinks;       /* newest first */
};

/* How a transform was called. */
typedef struct beam_call {
    const char *file;
    int line;
    const char *name;         /* what the user calls it, or NULL */
    const char *default_name; /* else this */
    const beam_hints *hints;  /* may be NULL */
} beam_call;

/* Any *_args begins with the same members and has a name. */
#define BEAM_CALL(args, default_name_) \
    (&(beam_call){(args)->file, (args)->line, (args)->name, (default_name_), NULL})

/* ---- Failing -------------------------------------------------------------------------- */

/* Keeps "file:line: transform 'name': words" unless an error is there already. */
void beam_graph_fail(beam_pipeline *pipeline, const beam_call *call, beam_status code,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same with the words of an error from below. */
void beam_graph_fail_with(beam_pipeline *pipeline, const beam_call *call, const beam_error *err);
void beam_graph_no_memory(beam_pipeline *pipeline, const beam_call *call);

/* What a failed construction gives. */
static inline beam_pcoll beam_no_pcoll(beam_pipeline *pipeline)
{
    return (beam_pcoll){pipeline, 0};
}

/* True when `in` can be used: it is one of its pipeline's, which has no error yet. Else the
 * pipeline, if there is one, has an error. */
bool beam_graph_usable(beam_pcoll in, const beam_call *call);
/* The same for another input of a transform whose first one is usable. */
bool beam_graph_usable_too(beam_pcoll in, const beam_pipeline *pipeline, const beam_call *call);

/* ---- Composites ----------------------------------------------------------------------- */

/* Opens a composite for the transforms up to beam_graph_close; `urn` and `payload` as engines
 * know it (NULL: none).  False, and nothing to close, when the pipeline has an error. */
bool beam_graph_open(beam_pipeline *pipeline, const beam_call *call, const char *urn,
                     ProtobufCBinaryData payload);
void beam_graph_close(beam_pipeline *pipeline);

/* ---- Nodes and PCollections ----------------------------------------------------------- */

typedef struct beam_node_args {
    const char *urn;
    ProtobufCBinaryData payload;
    const beam_pcoll *ins;
    size_t n_ins;
    const beam_view *sides;
    size_t n_sides;
    const beam_type *const *outs;
    size_t n_outs;
    const beam_windowing *windowing; /* of the outputs */
    bool in_environment;             /* runs user code */
    const char *fn_name;
    bool batches; /* beam_dofn's */
} beam_node_args;

/* NULL after an error. */
const beam_graph_node *beam_graph_add(beam_pipeline *pipeline, const beam_call *call,
                                      const beam_node_args *args);
/* The node's output `index`; none where node is NULL. */
beam_pcoll beam_graph_output(beam_pipeline *pipeline, const beam_graph_node *node, uint32_t index);

/* Of a usable PCollection. */
const beam_graph_pcoll *beam_graph_pcoll_of(beam_pcoll pcoll);
/* The id of the type's coder; NULL after an error. */
const char *beam_graph_coder(beam_pipeline *pipeline, const beam_call *call, const beam_type *type);
/* The windowing strategy's id; NULL after an error. */
const char *beam_graph_windowing_id(beam_pipeline *pipeline, const beam_call *call,
                                    const beam_windowing *windowing);

/* ---- Hints (hints.c) ------------------------------------------------------------------ */

/* Beam's merging: *merged is the outer hints and becomes those of the inner transform. */
beam_status beam_hints_merge(beam_merged_hints *merged, const beam_hints *inner, beam_arena *arena,
                             beam_error *err);
/* The id of the environment with these hints. */
const char *beam_graph_environment_id(beam_pipeline *pipeline, const beam_merged_hints *hints);

/* ---- Transforms for transforms -------------------------------------------------------- */

/* beam_pardo_ with the types of outputs that the function leaves open (NULL in fn->outs);
 * outs == NULL: those are of the input's type. */
beam_pcoll beam_graph_pardo(beam_pcoll in, const beam_call *call, const beam_pardo_args *args,
                            const beam_type *const *outs);
/* A ParDo of a library function with one output. */
beam_pcoll beam_graph_map(beam_pcoll in, const beam_call *call, const char *name,
                          const beam_dofn *fn, const void *config, const beam_type *out);
/* A combine with the types that the function leaves open. */
typedef struct beam_combine_types {
    const beam_type *acc, *out;
} beam_combine_types;
beam_pcoll beam_graph_combine_per_key(beam_pcoll kvs, const beam_call *call,
                                      const beam_combine_args *args,
                                      const beam_combine_types *types);
beam_pcoll beam_graph_combine_globally(beam_pcoll in, const beam_call *call,
                                       const beam_combine_args *args,
                                       const beam_combine_types *types);
beam_pcoll beam_graph_flatten(const beam_pcoll *ins, size_t n, const beam_call *call);

/* KV types of the graph; NULL after an error. */
const beam_type *beam_graph_kv(beam_pipeline *pipeline, const beam_call *call, const beam_type *key,
                               const beam_type *value);
const beam_type *beam_graph_iterable(beam_pipeline *pipeline, const beam_call *call,
                                     const beam_type *element);
/* Fails unless `in` is of KVs; with `key` unless the key is deterministic too. */
bool beam_graph_needs_kv(beam_pcoll in, const beam_call *call, bool key);
bool beam_graph_needs_key(beam_pipeline *pipeline, const beam_call *call, const beam_type *type);

/* ---- For runners and workers ---------------------------------------------------------- */

/* Calls what beam_pipeline_at_end was given, the newest first: whoever runs a pipeline calls
 * this when it has ended. */
void beam_pipeline_clean(const beam_pipeline *pipeline);

/* The files that its workers open, the newest first; NULL: none. */
const beam_graph_file *beam_pipeline_files(const beam_pipeline *pipeline);

/* The functions that the graph uses, those of the library included. */
const beam_registry *beam_pipeline_registry(const beam_pipeline *pipeline);
/* All functions of the library's own transforms: a worker adds them to the program's. */
const beam_functions *beam_transform_functions(void);

#endif
