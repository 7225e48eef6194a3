/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* splittable.c - what happens to a splittable DoFn's elements before they are processed: each
 * gets a restriction (sdf_pair_with_restriction), which is cut into parts of known size
 * (sdf_split_and_size_restrictions); sdf_truncate_sized_restrictions, which a draining
 * engine asks for, leaves bounded work as it is. */
#include "plan/splittable.h"

#include <string.h>

#include "model/urn.h"

beam_status beam_splittable_open(beam_node *node, beam_error *err)
{
    beam_dofn_node *self = (beam_dofn_node *)node;
    BEAM_TRY(beam_dofn_open(node, err));
    if (!self->fn->splittable)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION, "DoFn %s is not splittable",
                              self->fn->name);
    return BEAM_OK;
}

beam_status beam_splittable_types(const beam_node *node, const beam_type *pair,
                                  beam_pair_layout *layout, beam_error *err)
{
    const beam_dofn *fn = ((const beam_dofn_node *)node)->fn;
    char text[200];
    if (!pair || pair->kind != BEAM_KIND_KV)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "needs KVs of an element and a restriction, not %s",
                              pair ? beam_type_describe(pair, text, sizeof text) : "nothing");
    layout->type = pair;
    layout->element = pair->fields[0].type;
    layout->element_at = pair->fields[0].offset;
    layout->restriction = pair->fields[1].type;
    layout->restriction_at = pair->fields[1].offset;
    BEAM_TRY(beam_node_expect_type(node, "the element", fn->in, layout->element, err));
    return beam_node_expect_type(node, "the restriction", fn->splittable->restriction,
                                 layout->restriction, err);
}

beam_status beam_splittable_sized(const beam_node *node, const beam_type *sized,
                                  beam_pair_layout *layout, size_t *size_at, beam_error *err)
{
    if (!sized || sized->kind != BEAM_KIND_KV || sized->fields[0].offset != 0 ||
        sized->fields[1].type->kind != BEAM_KIND_DOUBLE)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "needs KVs of (element, restriction) and a size");
    *size_at = sized->fields[1].offset;
    return beam_splittable_types(node, sized->fields[0].type, layout, err);
}

beam_status beam_restriction_size(beam_ctx *ctx, const beam_splittable *splittable,
                                  const void *element, const void *restriction, double *size)
{
    *size = 1;
    if (!splittable->restriction_size)
        return BEAM_OK;
    BEAM_TRY(splittable->restriction_size(ctx, element, restriction, size));
    if (*size >= 0) /* not NaN either */
        return BEAM_OK;
    return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "restriction_size gave %g", *size);
}

/* ---- Pairing -------------------------------------------------------------------------- */

typedef struct pair_node {
    beam_dofn_node dofn;
    beam_pair_layout layout; /* of the output */
    char *pair;
} pair_node;

static beam_status pair_one(beam_ctx *ctx, const void *element)
{
    pair_node *self = (pair_node *)ctx;
    const beam_pair_layout *layout = &self->layout;
    memset(self->pair, 0, layout->type->size);
    memcpy(self->pair + layout->element_at, element, layout->element->size);
    BEAM_TRY(self->dofn.fn->splittable->initial_restriction(ctx, element,
                                                            self->pair + layout->restriction_at));
    return beam_emit_element(ctx, 0, self->pair);
}

static beam_status open_pair(beam_node *node, beam_error *err)
{
    pair_node *self = (pair_node *)node;
    BEAM_TRY(beam_splittable_open(node, err));
    BEAM_TRY(beam_node_one_to_one(node, err));
    const beam_type *out = node->outs[0] ? node->outs[0]->type : NULL;
    BEAM_TRY(beam_splittable_types(node, out, &self->layout, err));
    BEAM_TRY(beam_node_expect_type(node, "the input", self->layout.element, node->in_type, err));
    self->pair = beam_plan_alloc(node->plan, 1, out->size, err);
    if (!self->pair)
        return BEAM_RESOURCE_EXHAUSTED;
    node->fn_in = self->layout.element;
    node->process = pair_one;
    beam_node_guard(node, false);
    return BEAM_OK;
}

const beam_node_kind beam_sdf_pair_kind = {
    .urn = BEAM_URN_SDF_PAIR,
    .size = sizeof(pair_node),
    .open = open_pair,
    .setup = beam_dofn_setup,
    .teardown = beam_dofn_teardown,
    .close = beam_dofn_close,
};

/* ---- Splitting and sizing ------------------------------------------------------------- */

typedef struct split_node {
    beam_dofn_node dofn;
    beam_pair_layout layout; /* of the input */
    size_t size_at;          /* in the output */
    char *sized;
} split_node;

static beam_status split_one(beam_ctx *ctx, const void *pair)
{
    split_node *self = (split_node *)ctx;
    const beam_splittable *splittable = self->dofn.fn->splittable;
    const char *element = (const char *)pair + self->layout.element_at;
    const char *restriction = (const char *)pair + self->layout.restriction_at;
    memcpy(self->sized, pair, self->layout.type->size);
    if (splittable->split_restriction)
        return splittable->split_restriction(ctx, element, restriction);
    return beam_emit_restriction(ctx, restriction);
}

beam_status beam_emit_restriction(beam_ctx *ctx, const void *restriction)
{
    split_node *self = (split_node *)ctx;
    const beam_pair_layout *layout = &self->layout;
    if (self->dofn.node.kind != &beam_sdf_split_kind)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "beam_emit_restriction is for split_restriction");
    double size;
    BEAM_TRY(beam_restriction_size(ctx, self->dofn.fn->splittable, self->sized + layout->element_at,
                                   restriction, &size));
    memmove(self->sized + layout->restriction_at, restriction, layout->restriction->size);
    memcpy(self->sized + self->size_at, &size, sizeof size);
    return beam_emit_element(ctx, 0, self->sized);
}

static beam_status open_split(beam_node *node, beam_error *err)
{
    split_node *self = (split_node *)node;
    BEAM_TRY(beam_splittable_open(node, err));
    BEAM_TRY(beam_node_one_to_one(node, err));
    const beam_type *out = node->outs[0] ? node->outs[0]->type : NULL;
    BEAM_TRY(beam_splittable_sized(node, out, &self->layout, &self->size_at, err));
    BEAM_TRY(beam_node_expect_type(node, "the input", self->layout.type, node->in_type, err));
    self->sized = beam_plan_alloc(node->plan, 1, out->size, err);
    if (!self->sized)
        return BEAM_RESOURCE_EXHAUSTED;
    node->fn_in = self->layout.element;
    node->process = split_one;
    beam_node_guard(node, false);
    return BEAM_OK;
}

const beam_node_kind beam_sdf_split_kind = {
    .urn = BEAM_URN_SDF_SPLIT,
    .size = sizeof(split_node),
    .open = open_split,
    .setup = beam_dofn_setup,
    .teardown = beam_dofn_teardown,
    .close = beam_dofn_close,
};

/* ---- Truncating ----------------------------------------------------------------------- */

static beam_status truncate_one(beam_ctx *ctx, const void *sized)
{
    return beam_emit_element(ctx, 0, sized);
}

static beam_status open_truncate(beam_node *node, beam_error *err)
{
    BEAM_TRY(beam_node_one_to_one(node, err));
    if (node->outs[0])
        BEAM_TRY(
            beam_node_expect_type(node, "the output", node->in_type, node->outs[0]->type, err));
    node->process = truncate_one;
    beam_node_guard(node, false);
    return BEAM_OK;
}

const beam_node_kind beam_sdf_truncate_kind = {
    .urn = BEAM_URN_SDF_TRUNCATE, .size = sizeof(beam_node), .open = open_truncate};
