/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* window_into.c - beam:transform:window_into:v1 puts elements into windows by their timestamps;
 * beam:transform:map_windows:v1 turns windows of main inputs into those of side inputs. */
#include <string.h>

#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "plan/node.h"
#include "plan/windows.h"

/* ---- Assigning windows ---------------------------------------------------------------- */

typedef struct window_node {
    beam_node node;
    beam_windowing windowing;
    beam_window *windows; /* as many as an element can have */
} window_node;

/* Sets *info to that of the element at hand with its new windows; false: it has none. */
static bool assign(window_node *self, beam_element_info *info)
{
    *info = *self->node.ctx.frame->info;
    info->n_windows = beam_windows_assign(&self->windowing, info->timestamp, self->windows);
    info->windows = self->windows;
    return info->n_windows > 0;
}

static beam_status window_one(beam_ctx *ctx, const void *element)
{
    beam_element_info info;
    const beam_element_info *before = ctx->frame->info;
    if (!assign((window_node *)ctx, &info))
        return BEAM_OK;
    ctx->frame->info = &info;
    beam_status status = beam_emit_element(ctx, 0, element);
    ctx->frame->info = before;
    return status;
}

static beam_status window_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    beam_element_info info;
    const beam_element_info *before = ctx->frame->info;
    if (!assign((window_node *)ctx, &info))
        return BEAM_OK;
    ctx->frame->info = &info;
    beam_status status = beam_emit_elements(ctx, 0, elements, n);
    ctx->frame->info = before;
    return status;
}

static beam_status read_window_fn(const ProtobufCBinaryData *bytes, beam_windowing *windowing,
                                  beam_error *err)
{
    BeamPb__WindowIntoPayload *payload;
    BEAM_TRY(beam_message_unpack(&beam_pb__window_into_payload__descriptor, bytes->data, bytes->len,
                                 &payload, err));
    beam_status status =
        payload->window_fn ? beam_window_fn_from_proto(payload->window_fn, windowing, err)
                           : beam_error_set(err, BEAM_INVALID_ARGUMENT, "names no window function");
    beam_message_free(payload);
    return status;
}

static beam_status open_window_into(beam_node *node, beam_error *err)
{
    window_node *self = (window_node *)node;
    BEAM_TRY(read_window_fn(&node->proto->spec->payload, &self->windowing, err));
    BEAM_TRY(beam_node_one_to_one(node, err));
    if (node->outs[0])
        BEAM_TRY(
            beam_node_expect_type(node, "the output", node->in_type, node->outs[0]->type, err));
    size_t most = (size_t)beam_windows_max(&self->windowing); /* bounded by the model */
    self->windows = beam_plan_alloc(node->plan, most, sizeof *self->windows, err);
    if (!self->windows)
        return BEAM_RESOURCE_EXHAUSTED;
    node->process = window_one;
    node->process_batch = window_batch;
    beam_node_guard(node, false);
    return BEAM_OK;
}

const beam_node_kind beam_window_into_kind = {
    .urn = BEAM_URN_WINDOW_INTO, .size = sizeof(window_node), .open = open_window_into};

/* ---- Mapping windows ------------------------------------------------------------------ */

/* KV<nonce, window> to KV<nonce, window>. */
typedef struct map_node {
    beam_node node;
    beam_windowing side;
    size_t window_at;
    char *mapped; /* one element */
} map_node;

static beam_status map_one(beam_ctx *ctx, const void *element)
{
    map_node *self = (map_node *)ctx;
    beam_window from, to;
    memcpy(self->mapped, element, self->node.in_type->size);
    memcpy(&from, self->mapped + self->window_at, sizeof from);
    if (!beam_windows_of_side(&self->side, from, &to))
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "the side input has no window that goes with the main input's");
    memcpy(self->mapped + self->window_at, &to, sizeof to);
    return beam_emit_element(ctx, 0, self->mapped);
}

/* The payload is a mapping function's spec, and that one's payload the side's window function. */
static beam_status read_mapping(const ProtobufCBinaryData *bytes, beam_windowing *side,
                                beam_error *err)
{
    BeamPb__FunctionSpec *mapping, *window_fn = NULL;
    BEAM_TRY(beam_message_unpack(&beam_pb__function_spec__descriptor, bytes->data, bytes->len,
                                 &mapping, err));
    beam_status status = BEAM_OK;
    if (strcmp(mapping->urn, BEAM_URN_WINDOW_MAPPING) != 0)
        status =
            beam_error_set(err, BEAM_UNIMPLEMENTED, "cannot map windows by \"%s\"", mapping->urn);
    if (status == BEAM_OK)
        status = beam_message_unpack(&beam_pb__function_spec__descriptor, mapping->payload.data,
                                     mapping->payload.len, &window_fn, err);
    if (status == BEAM_OK)
        status = beam_window_fn_from_proto(window_fn, side, err);
    beam_message_free(window_fn);
    beam_message_free(mapping);
    return status;
}

static beam_status open_map_windows(beam_node *node, beam_error *err)
{
    map_node *self = (map_node *)node;
    BEAM_TRY(read_mapping(&node->proto->spec->payload, &self->side, err));
    BEAM_TRY(beam_node_one_to_one(node, err));
    if (node->in_type->kind != BEAM_KIND_KV ||
        node->in_type->fields[1].type->size != sizeof(beam_window))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "its input is no KV of a nonce and a window");
    self->window_at = node->in_type->fields[1].offset;
    self->mapped = beam_plan_alloc(node->plan, 1, node->in_type->size, err);
    if (!self->mapped)
        return BEAM_RESOURCE_EXHAUSTED;
    node->process = map_one;
    beam_node_guard(node, false);
    return BEAM_OK;
}

const beam_node_kind beam_map_windows_kind = {
    .urn = BEAM_URN_MAP_WINDOWS, .size = sizeof(map_node), .open = open_map_windows};
