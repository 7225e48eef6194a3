/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* plan.h - a fused stage made executable: the nodes that a ProcessBundleDescriptor describes,
 * wired to one another, and what whoever runs it (an embedded runner, a worker of an engine)
 * provides: where elements leave, side inputs, where split off work goes.
 *
 * Elements are in their C layout everywhere; nothing is encoded in here.  bundle/bundle.h
 * drives a plan; runners use that, and from this file only the driver.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <beam/fn.h>

#include "model/proto/fn_api.pb-c.h"
#include "model/registry.h"
#include "plan/finalize.h"

/* Where elements enter (beam:runner:source:v1) or leave (beam:runner:sink:v1). All it points
 * to lives as long as the plan. */
typedef struct beam_plan_port {
    const char *transform; /* id in the descriptor */
    const char *unique_name;
    const char *pcollection; /* id in the descriptor */
    const beam_type *type;   /* of its elements */
    beam_windowing windowing;
    const uint8_t *payload; /* of the transform: a RemoteGrpcPort, or the runner's own */
    size_t payload_size;
} beam_plan_port;

/* What a runner does with the elements that reach a sink. `ctx` belongs to the plan and has
 * the runner's `state` as ctx->state; beam_info(ctx) is the info of the element (or of all n
 * elements).  Elements and info are borrowed during the call: whoever keeps them copies them
 * deeply.  A failure fails the bundle; beam_fail and beam_ctx_error(ctx) give it words. */
typedef struct beam_plan_sink {
    void *state;
    beam_status (*process)(beam_ctx *ctx, const void *element);
    beam_status (*process_batch)(beam_ctx *ctx, const void *elements, size_t n);
} beam_plan_sink;

/* A side input of a transform. Lives as long as the plan. */
typedef struct beam_plan_side {
    const char *transform;   /* id in the descriptor */
    const char *local_name;  /* of the input: the side input's id */
    const char *pcollection; /* id in the descriptor */
    beam_side_kind kind;
    const beam_type *type;    /* of the PCollection's elements; a KV for maps */
    beam_windowing windowing; /* of that PCollection */
    uint64_t callback;        /* which of the transform's asks: another number, another callback */
    void *user;               /* the runner's, set in bind_side */
} beam_plan_side;

/* A splittable DoFn gave away work. Everything is borrowed during the call. */
typedef struct beam_plan_split {
    const char *transform;   /* id in the descriptor of the processing transform */
    const char *input;       /* local name of its input */
    const char *pcollection; /* id of its input's PCollection */
    const beam_type *type;   /* of both below: KV<KV<element, restriction>, double size> */
    const void *primary;     /* what the bundle will have done of the element at hand */
    const void *residual;    /* what somebody has to do besides: push it into a source */
    const beam_element_info *info;
} beam_plan_split;

/* What a runner provides. All callbacks come on the thread that drives the bundle, and those
 * named bind_ while the plan is opened. */
typedef struct beam_plan_driver {
    void *self; /* first argument of each callback */
    /* Fills *sink for the sink transform at `port`. */
    beam_status (*bind_sink)(void *self, const beam_plan_port *port, beam_plan_sink *sink,
                             beam_error *err);
    /* Tells of a side input that side_input will be asked for; may set side->user. NULL when
     * the runner needs no telling. */
    beam_status (*bind_side)(void *self, beam_plan_side *side, beam_error *err);
    /* The values of a side input in `window` (one of the side's own windowing): with key NULL
     * all elements (values of side->type side by side in the iterable's runs); else the
     * values (of the KV's value type) that `key` (of the KV's key type) has, none being no
     * error.  They live until the bundle ends, those of a key until another callback asks.  The
     * plan keeps the answer for all elements of a window; answers by key the runner caches where
     * that pays.  NULL: no side inputs. */
    beam_status (*side_input)(void *self, const beam_plan_side *side, const beam_window *window,
                              const void *key, beam_iterable *values, beam_error *err);
    /* Takes the residual of a split.  A failure fails the bundle.  NULL: bundles of this
     * runner never split (beam_bundle_split returns false). */
    beam_status (*residual)(void *self, const beam_plan_split *split, beam_error *err);
    /* The splittable DoFn has nothing to give away of what was asked for last.  May be NULL. */
    void (*refused)(void *self);
    const beam_logger *logger; /* for beam_ctx_logger */
} beam_plan_driver;

typedef struct beam_plan_options {
    const BeamPb__ProcessBundleDescriptor *descriptor; /* must outlive the plan */
    const beam_registry *registry;                     /* must outlive the plan */
    const beam_plan_driver *driver;                    /* copied */
    size_t bundle_memory; /* bound of beam_bundle_alloc in bytes; 0: 1 GiB */
} beam_plan_options;

typedef struct beam_plan beam_plan;
typedef struct beam_plan_source beam_plan_source;

/* Reads the descriptor, finds its functions, checks every edge's type against what the
 * functions declare, wires the nodes and binds sinks and sides.  No callback of a function
 * has run yet.  Errors name the transform: NOT_FOUND (a function, an id), UNIMPLEMENTED (a
 * transform this library cannot execute), FAILED_PRECONDITION (types differ),
 * INVALID_ARGUMENT (a descriptor that makes no sense). */
beam_status beam_plan_open(const beam_plan_options *options, beam_plan **plan, beam_error *err);
/* Frees the plan, after teardown of what was set up. */
void beam_plan_close(beam_plan *plan);

/* The steps of a bundle, called in this order by bundle/bundle.c, which knows when. Each stops
 * at the first failure, which beam_plan_failure then tells of. */
beam_status beam_plan_setup(beam_plan *plan);        /* once */
beam_status beam_plan_start_bundle(beam_plan *plan); /* also clears what the last bundle left */
beam_status beam_plan_push(beam_plan *plan, beam_plan_source *source, const beam_element_info *info,
                           const void *elements, size_t n);
beam_status beam_plan_finish_bundle(beam_plan *plan);
/* Frees what the bundle holds: after finish_bundle, or instead of it. */
void beam_plan_end_bundle(beam_plan *plan);
/* What functions asked for with beam_after_commit since start_bundle; the caller's from now on.
 * NULL: nothing. */
beam_finalizer *beam_plan_take_finalizers(beam_plan *plan);

/* The first failure of the bundle. */
typedef struct beam_plan_failure {
    beam_error error;      /* code and the function's own words */
    const char *transform; /* id in the descriptor; NULL: no failure yet */
    const char *unique_name;
    const char *function;    /* the DoFn's or CombineFn's name; NULL for other transforms */
    const char *step;        /* "setup", "start_bundle", "process", "finish_bundle" */
    uint64_t element_number; /* of the elements the transform received, from 1; 0: none */
    char element[256];       /* printed, cut; "" when there is none */
    bool may_be_another;     /* the function has elements wait: this one made it do the work */
} beam_plan_failure;
const beam_plan_failure *beam_plan_get_failure(const beam_plan *plan);

/* Sources, in the descriptor's order. */
size_t beam_plan_n_sources(const beam_plan *plan);
beam_plan_source *beam_plan_get_source(const beam_plan *plan, size_t index);
const beam_plan_port *beam_plan_source_port(const beam_plan_source *source);
/* Whether all that the source's elements (groups) meet first is a merge of accumulators that are
 * flat and own nothing: then whoever makes the groups may merge some of their values before. */
bool beam_plan_source_merges(const beam_plan_source *source);
/* accs[i] takes the i-th of n others, `stride` bytes apart, one after another, by the source's
 * CombineFn; an accumulator may come again.  In a bundle only; a failure is the bundle's, as that
 * of a push. */
beam_status beam_plan_merge(beam_plan *plan, beam_plan_source *source, void *const *accs,
                            const void *others, size_t stride, size_t n);
size_t beam_plan_n_sinks(const beam_plan *plan);
const beam_plan_port *beam_plan_sink_port(const beam_plan *plan, size_t index);

/* ---- From any thread while the plan is open ------------------------------------------- */

beam_frame *beam_plan_frame(beam_plan *plan);

/* Asks the splittable DoFn that is processing, or the next one to, to give away
 * (1 - fraction) of what it has not done, at its next claim. False: there is none in the
 * plan, or the runner takes no residuals. */
bool beam_plan_request_split(beam_plan *plan, double fraction);

typedef struct beam_plan_progress {
    uint64_t elements;           /* pushed into sources in this bundle */
    bool splittable;             /* a splittable DoFn is processing: the next two hold */
    double completed, remaining; /* its restriction's work, as of about the last call */
} beam_plan_progress;
void beam_plan_get_progress(beam_plan *plan, beam_plan_progress *progress);

/* One user metric of one transform, in this bundle (or the last one, once it ended). */
typedef struct beam_plan_metric {
    const char *transform; /* id in the descriptor */
    const char *unique_name;
    const char *function; /* Beam's namespace: the function's name */
    const char *name;
    beam_metric_kind kind;
    beam_metric_cell cell; /* a distribution that was never updated has count 0 */
} beam_plan_metric;
void beam_plan_visit_metrics(const beam_plan *plan,
                             void (*visit)(void *user, const beam_plan_metric *metric), void *user);
/* Elements of each PCollection of the descriptor so far in this bundle. */
void beam_plan_visit_counts(const beam_plan *plan,
                            void (*visit)(void *user, const char *pcollection, uint64_t elements),
                            void *user);

/* For a crash report; async-signal-safe: what runs, as far as can be told. */
typedef struct beam_plan_running {
    const char *unique_name, *function; /* NULL when unknown */
    uint64_t element_number;
} beam_plan_running;
void beam_plan_get_running(const beam_plan *plan, beam_plan_running *running);
/* The unique name of the transform at work, or NULL; from any thread. */
const char *beam_plan_active(const beam_plan *plan);
/* Its id in the descriptor. */
const char *beam_plan_active_id(const beam_plan *plan);

#endif
