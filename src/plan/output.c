/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* output.c - flat elements gathered into arrays on their way to the next node.
 *
 * An indirect call for each element and step nests the steps' frames and keeps a processor from
 * overlapping the work of two elements.  So while a function is handed an array (or is one that
 * makes many elements of one), what it emits is gathered, and the next node gets an array too.
 * Only flat elements: what others point to may be gone when the emit returns.  And only within
 * one call by the plan, during which all elements have the same info. */
#include <string.h>

#include "plan/node.h"

enum { ROOM_BYTES = 2048, LARGEST_ELEMENT = 64, FEW_ELEMENTS = 4, UNTIL_CANCELLED = 64 };

beam_status beam_output_make_room(beam_node *node, uint32_t output, beam_error *err)
{
    const beam_type *type = node->outs[output]->type;
    if (node->one_by_one || type->size == 0 || type->size > LARGEST_ELEMENT ||
        !beam_type_is_flat(type))
        return BEAM_OK;
    /* A line to spare on both sides: neighbours' ends must not share one. */
    char *room = beam_plan_alloc(node->plan, 1, ROOM_BYTES + 128, err);
    if (!room)
        return BEAM_RESOURCE_EXHAUSTED;
    node->receivers[output].room = room + 64;
    node->gathers = true;
    return BEAM_OK;
}

void beam_outputs_open(beam_node *node)
{
    for (uint32_t o = 0; o < node->ctx.n_outputs; o++) {
        beam_receiver *r = &node->receivers[o];
        r->at = r->room;
        r->end = r->room ? r->room + ROOM_BYTES / r->type->size * r->type->size : NULL;
    }
}

void beam_outputs_drop(beam_node *node)
{
    for (uint32_t o = 0; o < node->ctx.n_outputs; o++)
        node->receivers[o].at = node->receivers[o].end = NULL;
}

/* Hands over what output `output` has gathered. */
static beam_status hand_over(beam_node *node, uint32_t output)
{
    beam_receiver *r = &node->receivers[output];
    size_t n = (size_t)(r->at - r->room) / r->type->size;
    r->at = r->room;
    return n ? beam_emit_elements(&node->ctx, output, r->room, n) : BEAM_OK;
}

beam_status beam_outputs_close(beam_node *node)
{
    beam_status status = BEAM_OK;
    for (uint32_t o = 0; o < node->ctx.n_outputs && status == BEAM_OK; o++)
        if (node->receivers[o].at)
            status = hand_over(node, o);
    beam_outputs_drop(node);
    return status;
}

beam_status beam_emit_full_(beam_ctx *ctx, uint32_t output, const void *element, size_t size)
{
    BEAM_TRY(hand_over(beam_node_of(ctx), output));
    memcpy(ctx->outputs[output].at, element, size);
    ctx->outputs[output].at += size;
    return BEAM_OK;
}

beam_status beam_outputs_around(beam_node *node, const void *element,
                                beam_status (*process)(beam_ctx *ctx, const void *element))
{
    if (!node->gathers)
        return process(&node->ctx, element);
    beam_outputs_open(node);
    beam_status status = process(&node->ctx, element);
    if (status == BEAM_OK)
        return beam_outputs_close(node);
    beam_outputs_drop(node);
    return status;
}

static beam_status loop_some(beam_node *node, const char *at, size_t n)
{
    if (node->process_each)
        return node->process_each(&node->ctx, at, n, &node->batch_left);
    for (; n-- > 0; at += node->in_type->size) {
        node->batch_left--;
        BEAM_TRY(node->process(&node->ctx, at));
    }
    return BEAM_OK;
}

static beam_status loop(beam_node *node, const char *at, size_t n)
{
    size_t size = node->in_type->size;
    node->batch_left = n;
    while (n > 0) {
        if (beam_cancelled(&node->ctx)) /* an array may be long, and its elements slow */
            return beam_fail(&node->ctx, BEAM_CANCELLED, "the bundle was cancelled");
        size_t now = n < UNTIL_CANCELLED ? n : UNTIL_CANCELLED;
        beam_status status = loop_some(node, at, now);
        if (status != BEAM_OK) {
            beam_node_failed(node, status, "process", at + (n - node->batch_left - 1) * size, 1);
            return status;
        }
        n -= now;
        at += now * size;
    }
    return BEAM_OK;
}

beam_status beam_node_loop(beam_ctx *ctx, const void *elements, size_t n)
{
    beam_node *node = beam_node_of(ctx);
    if (!node->gathers || n < FEW_ELEMENTS)
        return loop(node, elements, n);
    beam_outputs_open(node);
    beam_status status = loop(node, elements, n);
    if (status == BEAM_OK)
        return beam_outputs_close(node);
    beam_outputs_drop(node);
    return status;
}
