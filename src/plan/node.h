/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* node.h - what the files of this room share: a plan, its nodes, how a kind of node is made.
 *
 * Each transform of the descriptor is a node.  A node is a beam_ctx first, so the context that
 * a callback gets is its node.  Producers hold receivers: the consumer's functions and context,
 * to call without asking anybody.
 */
#ifndef PLAN_NODE_H
#define PLAN_NODE_H

#include "base/arena.h"
#include "base/map.h"
#include "model/coders.h"
#include "plan/plan.h"

typedef struct beam_node beam_node;
typedef struct beam_plan_pcoll beam_plan_pcoll;

/* What the nodes of one URN have in common. Callbacks may be NULL. */
typedef struct beam_node_kind {
    const char *urn; /* of the transform; NULL: the plan's own helpers */
    size_t size;     /* of the node's struct, whose first member is a beam_node */
    /* Reads the payload and sets node->process (and process_batch, where it is not to be a
     * loop over process). */
    beam_status (*open)(beam_node *node, beam_error *err);
    beam_status (*setup)(beam_node *node);
    beam_status (*start)(beam_node *node);
    beam_status (*finish)(beam_node *node); /* emits what is left; producers are done */
    void (*end)(beam_node *node);           /* frees what belongs to a bundle; also twice */
    void (*teardown)(beam_node *node);      /* once, if setup was called */
    void (*close)(beam_node *node);         /* frees what is not in the plan's arena */
} beam_node_kind;

struct beam_node {
    beam_ctx ctx; /* first: a ctx is its node */
    beam_plan *plan;
    const beam_node_kind *kind;
    const char *id; /* in the descriptor; of helpers that of the producer they follow */
    const BeamPb__PTransform *proto; /* NULL for helpers */
    const char *unique_name;
    const char *function; /* the DoFn's or CombineFn's name, or NULL */
    bool set_up;
    bool finalizes; /* its function may call beam_after_commit */
    bool hoards;    /* its function has elements wait for others (beam_dofn's batches) */

    beam_plan_pcoll *in; /* the main input; NULL for sources and helpers */
    const char *in_local;
    const beam_type *in_type;
    uint32_t waits_for;     /* producers that come before it, while nodes are ordered */
    beam_plan_pcoll **outs; /* by output, NULL where the descriptor has none */

    /* What producers call. */
    beam_status (*process)(beam_ctx *ctx, const void *element);
    beam_status (*process_batch)(beam_ctx *ctx, const void *elements, size_t n);
    /* A loop over process, compiled as one; or NULL. See beam_dofn. */
    beam_status (*process_each)(beam_ctx *ctx, const void *elements, size_t n, uint64_t *left);
    /* What a source calls instead of process, if the node gathers; or NULL. */
    beam_status (*entry)(beam_ctx *ctx, const void *element);

    beam_receiver *receivers; /* ctx.outputs while there is an element */
    beam_receiver *guards;    /* ctx.outputs while there is none */
    bool one_by_one;     /* infos change between its elements, so its outputs must not gather */
    bool gathers;        /* one of its outputs does */
    uint64_t batch_left; /* elements of the batch at hand that come after this one */
    const beam_receiver *feed; /* the one receiver that calls it; NULL for sources */
    beam_arena scratch;        /* beam_alloc */
    uint64_t scratch_of;       /* the element number it was taken for */
    beam_error error;

    /* What the function at work sees through beam_ctx_in_type and so on. */
    const beam_type *fn_in, *fn_acc;
    const beam_type *const *fn_outs;
    uint32_t n_fn_outs;
    const beam_metric *metrics;
    size_t n_metrics;
    struct beam_node_side *sides;
    size_t n_sides;
};

/* One use of a PCollection by a transform. */
typedef struct beam_plan_edge {
    beam_node *consumer;
    struct beam_plan_edge *next;
} beam_plan_edge;

struct beam_plan_pcoll {
    const char *id;
    const beam_type *type;
    beam_windowing windowing;
    beam_node *producer; /* NULL: it comes from outside (side inputs) */
    uint32_t output;     /* of the producer */
    beam_plan_edge *consumers;
    uint32_t n_consumers;
};

struct beam_plan {
    beam_frame frame;
    beam_plan_driver driver;
    const BeamPb__ProcessBundleDescriptor *descriptor;
    const beam_registry *registry;
    beam_arena arena;        /* as long as the plan */
    beam_arena bundle_arena; /* beam_bundle_alloc */
    beam_map pcolls;         /* id to beam_plan_pcoll */
    beam_node **nodes;       /* in topological order once wired, then the helpers */
    size_t n_nodes, nodes_capacity;
    beam_node **sources, **sinks;
    size_t n_sources, n_sinks;
    beam_node *splittable;          /* the one that can split, or NULL */
    const beam_element_info *saved; /* by beam_info_save, the last one */
    uint64_t pushed;
    bool in_bundle;
    beam_finalizer *finalizers; /* of the bundle at hand or the last one, the newest first */
    beam_plan_failure failure;
};

static inline beam_node *beam_node_of(const beam_ctx *ctx)
{
    return (beam_node *)(uintptr_t)ctx; /* contexts that callbacks get are never const */
}

/* ---- For `open` callbacks (build.c) --------------------------------------------------- */

/* Zeroed memory for as long as the plan; fills *err when there is none. */
void *beam_plan_alloc(beam_plan *plan, size_t count, size_t size, beam_error *err);
/* Finds a PCollection and, the first time, its type and windowing. */
beam_status beam_plan_find_pcoll(beam_plan *plan, const char *id, beam_plan_pcoll **pcoll,
                                 beam_error *err);
/* The element type of a coder of the descriptor. */
beam_status beam_plan_coder_type(beam_plan *plan, const char *coder_id, const beam_type **type,
                                 beam_error *err);
/* Gives the node `n` outputs without PCollections. */
beam_status beam_node_make_outputs(beam_node *node, uint32_t n, beam_error *err);
/* Sets the main input of a transform from its only input. */
beam_status beam_node_only_input(beam_node *node, beam_error *err);
/* Sets the main input. */
beam_status beam_node_set_input(beam_node *node, const BeamPb__StringEntry *input, beam_error *err);
/* Connects output `output` with the transform's PCollection of that local name. */
beam_status beam_node_set_output(beam_node *node, uint32_t output, const BeamPb__StringEntry *entry,
                                 beam_error *err);
/* The common case: one input, at most one output. */
beam_status beam_node_one_to_one(beam_node *node, beam_error *err);
/* Names both types where they differ; either may be NULL for "any". */
beam_status beam_node_expect_type(const beam_node *node, const char *what, const beam_type *want,
                                  const beam_type *have, beam_error *err);
/* Allocates the cells of a function's metrics. */
beam_status beam_node_make_metrics(beam_node *node, const beam_metric *metrics, size_t n,
                                   beam_error *err);

/* ---- For nodes at work (context.c) ---------------------------------------------------- */

/* Gathering (output.c).  A function that was called between open and close has its flat
 * elements gathered; close hands over the last of them, drop forgets them. */
/* Lets an output gather if its elements are flat and small. */
beam_status beam_output_make_room(beam_node *node, uint32_t output, beam_error *err);
void beam_outputs_open(beam_node *node);
beam_status beam_outputs_close(beam_node *node);
void beam_outputs_drop(beam_node *node);
/* The same around one call, for nodes whose function is called with one element at a time. */
beam_status beam_outputs_around(beam_node *node, const void *element,
                                beam_status (*process)(beam_ctx *ctx, const void *element));

/* process_batch as a loop over node->process. */
beam_status beam_node_loop(beam_ctx *ctx, const void *elements, size_t n);
/* Notes the bundle's first failure; later ones are dropped. `elements` of node->in_type. */
void beam_node_failed(beam_node *node, beam_status status, const char *step, const void *elements,
                      size_t n);
/* How many elements the node has received in this bundle, up to the one at hand.
 * Async-signal-safe. */
static inline uint64_t beam_node_element_number(const beam_node *node)
{
    return node->feed ? __atomic_load_n(&node->feed->elements, __ATOMIC_RELAXED) - node->batch_left
                      : 0;
}
/* For calls of functions where there is no element: emitting takes beam_emit_with. */
void beam_node_guard(beam_node *node, bool on);

/* ---- Kinds ---------------------------------------------------------------------------- */

extern const beam_node_kind beam_source_kind, beam_sink_kind, beam_pardo_kind, beam_flatten_kind,
    beam_window_into_kind, beam_map_windows_kind, beam_precombine_kind, beam_merge_kind,
    beam_extract_kind, beam_convert_kind, beam_combine_values_kind, beam_sdf_pair_kind,
    beam_sdf_split_kind, beam_sdf_process_kind, beam_sdf_truncate_kind;
/* Helpers: to several consumers; to nobody. */
extern const beam_node_kind beam_fan_out_kind, beam_discard_kind;

/* The port that a source or sink node stands for. */
const beam_plan_port *beam_node_port(const beam_node *node);

#endif
