/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* flatten.c - many PCollections to one consumer, one PCollection to many, and one to none. */
#include "model/urn.h"
#include "plan/node.h"

/* ---- beam:transform:flatten:v1 -------------------------------------------------------- */

static beam_status pass_one(beam_ctx *ctx, const void *element)
{
    return beam_emit_element(ctx, 0, element);
}

static beam_status pass_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    return beam_emit_elements(ctx, 0, elements, n);
}

static beam_status open_flatten(beam_node *node, beam_error *err)
{
    for (size_t i = 0; i < node->proto->n_inputs; i++)
        BEAM_TRY(beam_node_set_input(node, node->proto->inputs[i], err));
    BEAM_TRY(beam_node_make_outputs(node, 1, err));
    for (size_t i = 0; i < node->proto->n_outputs; i++)
        BEAM_TRY(beam_node_set_output(node, 0, node->proto->outputs[i], err));
    if (node->outs[0] && node->in)
        BEAM_TRY(
            beam_node_expect_type(node, "the output", node->in_type, node->outs[0]->type, err));
    node->process = pass_one;
    node->process_batch = pass_batch;
    beam_node_guard(node, false); /* only passes on what has an info */
    return BEAM_OK;
}

const beam_node_kind beam_flatten_kind = {
    .urn = BEAM_URN_FLATTEN, .size = sizeof(beam_node), .open = open_flatten};

/* ---- Several consumers ---------------------------------------------------------------- */

static beam_status fan_one(beam_ctx *ctx, const void *element)
{
    for (uint32_t i = 0; i < ctx->n_outputs; i++)
        BEAM_TRY(beam_emit_element(ctx, i, element));
    return BEAM_OK;
}

static beam_status fan_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    for (uint32_t i = 0; i < ctx->n_outputs; i++)
        BEAM_TRY(beam_emit_elements(ctx, i, elements, n));
    return BEAM_OK;
}

static beam_status open_fan_out(beam_node *node, beam_error *err)
{
    (void)err;
    node->process = fan_one;
    node->process_batch = fan_batch;
    return BEAM_OK;
}

const beam_node_kind beam_fan_out_kind = {.size = sizeof(beam_node), .open = open_fan_out};

/* ---- No consumer ---------------------------------------------------------------------- */

static beam_status drop_one(beam_ctx *ctx, const void *element)
{
    (void)ctx;
    (void)element;
    return BEAM_OK;
}

static beam_status drop_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    (void)ctx;
    (void)elements;
    (void)n;
    return BEAM_OK;
}

static beam_status open_discard(beam_node *node, beam_error *err)
{
    (void)err;
    node->process = drop_one;
    node->process_batch = drop_batch;
    return BEAM_OK;
}

const beam_node_kind beam_discard_kind = {.size = sizeof(beam_node), .open = open_discard};
