/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* splittable.h - what the nodes of a splittable DoFn share. */
#ifndef PLAN_SPLITTABLE_H
#define PLAN_SPLITTABLE_H

#include "plan/dofn.h"

/* A KV<element, restriction>. */
typedef struct beam_pair_layout {
    const beam_type *type, *element, *restriction;
    size_t element_at, restriction_at;
} beam_pair_layout;

/* beam_dofn_open for a DoFn that must be splittable. */
beam_status beam_splittable_open(beam_node *node, beam_error *err);
/* Checks `pair` against what the DoFn declares. */
beam_status beam_splittable_types(const beam_node *node, const beam_type *pair,
                                  beam_pair_layout *layout, beam_error *err);
/* The same for KV<KV<element, restriction>, double>. */
beam_status beam_splittable_sized(const beam_node *node, const beam_type *sized,
                                  beam_pair_layout *layout, size_t *size_at, beam_error *err);
beam_status beam_restriction_size(beam_ctx *ctx, const beam_splittable *splittable,
                                  const void *element, const void *restriction, double *size);

#endif
