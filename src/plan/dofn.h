/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dofn.h - what the nodes that run a DoFn share: pardo and the four of a splittable one. */
#ifndef PLAN_DOFN_H
#define PLAN_DOFN_H

#include "plan/node.h"

typedef struct beam_dofn_node {
    beam_node node;
    const beam_dofn *fn;
    BeamPb__ParDoPayload *payload;
} beam_dofn_node;

/* A side input as a node uses it. */
typedef struct beam_node_side {
    beam_plan_side spec;
    bool iterable_known, singleton_known; /* of `window`, in this bundle */
    beam_window window;
    beam_iterable iterable;
    const void *singleton;
} beam_node_side;

/* Reads the ParDoPayload and the DoFn it names: state, config, metrics. */
beam_status beam_dofn_open(beam_node *node, beam_error *err);
/* The inputs and outputs of a DoFn that is called with its elements as they are. */
beam_status beam_dofn_connect(beam_node *node, beam_error *err);

/* A DoFn whose side inputs are windowed (beam_sides_windowed) sees each element once in each of
 * its windows: calls `call` with an info of one window at a time. */
beam_status beam_dofn_in_each_window(beam_ctx *ctx, const void *elements, size_t n,
                                     beam_status (*call)(beam_ctx *, const void *, size_t));

/* Its callbacks, as beam_node_kind wants them. */
beam_status beam_dofn_setup(beam_node *node);
beam_status beam_dofn_start(beam_node *node);
beam_status beam_dofn_finish(beam_node *node);
void beam_dofn_end(beam_node *node);
void beam_dofn_teardown(beam_node *node);
void beam_dofn_close(beam_node *node);

/* Finds the side inputs that the DoFn declares (side_input.c). */
beam_status beam_sides_open(beam_dofn_node *self, beam_error *err);
/* Forgets what was read, at the end of a bundle. */
void beam_sides_end(beam_node *node);
/* True when what a side input holds depends on the element's window. */
bool beam_sides_windowed(const beam_node *node);

#endif
