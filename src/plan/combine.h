/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* combine.h - what the nodes that run a CombineFn share. */
#ifndef PLAN_COMBINE_H
#define PLAN_COMBINE_H

#include <string.h>

#include "plan/node.h"

/* Where a KV has its parts. */
typedef struct beam_kv_layout {
    const beam_type *type, *key, *value;
    size_t value_at; /* the key is at 0 */
} beam_kv_layout;

typedef struct beam_combine_node {
    beam_node node;
    const beam_combinefn *fn;
    const beam_type *acc;
    beam_kv_layout in, out;
} beam_combine_node;

/* Reads the CombinePayload, finds the CombineFn, connects one input and one output of KVs with
 * equal keys. */
beam_status beam_combine_open(beam_node *node, beam_error *err);
/* Each checks one type against what the function declares, and notes it for callbacks. */
beam_status beam_combine_adds(beam_combine_node *self, const beam_type *type, beam_error *err);
beam_status beam_combine_extracts(beam_combine_node *self, beam_error *err);
/* Fails unless `type` is that of the accumulators. */
beam_status beam_combine_expect_acc(const beam_combine_node *self, const char *what,
                                    const beam_type *type, beam_error *err);

static inline beam_status beam_combine_create(beam_combine_node *self, void *acc)
{
    memset(acc, 0, self->acc->size);
    return self->fn->create ? self->fn->create(&self->node.ctx, acc) : BEAM_OK;
}

static inline void beam_combine_destroy(beam_combine_node *self, void *acc)
{
    if (self->fn->destroy)
        self->fn->destroy(&self->node.ctx, acc);
}

/* Bytes of accumulators' own memory (beam_acc_realloc) on this thread, from any beginning. */
int64_t beam_acc_held(void);

#endif
