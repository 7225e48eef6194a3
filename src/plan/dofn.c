/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dofn.c - a DoFn in a plan: found by its payload, connected, led through its lifecycle. */
#include "plan/dofn.h"

#include <string.h>

#include "model/function.h"
#include "model/message.h"
#include "model/urn.h"

enum { MAX_OUTPUTS = 1 << 16 };

/* A DoFn's metrics are told under its name, unless its config says another. */
static beam_status name_metrics(beam_node *node, const beam_dofn *fn, beam_error *err)
{
    beam_str own = {0};
    node->function = fn->name;
    if (fn->metrics_namespace && node->ctx.config)
        own = fn->metrics_namespace(node->ctx.config);
    if (!own.len)
        return BEAM_OK;
    char *copy = beam_plan_alloc(node->plan, 1, own.len + 1, err);
    if (!copy)
        return BEAM_RESOURCE_EXHAUSTED;
    memcpy(copy, own.at, own.len);
    node->function = copy;
    return BEAM_OK;
}

/* How long the name of a metric is that the config asks for; 0: there are no more. */
static size_t ask_for_metric(const beam_node *node, const beam_dofn *fn, size_t place, char *name,
                             size_t size, beam_metric_kind *kind)
{
    bool asks = fn->more_metrics && node->ctx.config;
    return asks ? fn->more_metrics(node->ctx.config, place, name, size, kind) : 0;
}

static beam_status name_more_metrics(beam_node *node, const beam_dofn *fn, beam_metric *more,
                                     size_t n, beam_error *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = ask_for_metric(node, fn, i, NULL, 0, &more[i].kind) + 1;
        char *name = beam_plan_alloc(node->plan, 1, size, err);
        if (!name)
            return BEAM_RESOURCE_EXHAUSTED;
        (void)ask_for_metric(node, fn, i, name, size, &more[i].kind);
        more[i].name = name;
    }
    return BEAM_OK;
}

static beam_status make_metrics(beam_node *node, const beam_dofn *fn, beam_error *err)
{
    size_t n = 0, more = 0;
    beam_metric_kind kind;
    while (beam_dofn_metric(fn, n))
        n++;
    while (ask_for_metric(node, fn, more, NULL, 0, &kind))
        more++;
    beam_metric *all = beam_plan_alloc(node->plan, n + more, sizeof *all, err);
    if (!all)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        all[i] = *beam_dofn_metric(fn, i);
    BEAM_TRY(name_more_metrics(node, fn, all + n, more, err));
    return beam_node_make_metrics(node, all, n + more, err);
}

beam_status beam_dofn_open(beam_node *node, beam_error *err)
{
    beam_dofn_node *self = (beam_dofn_node *)node;
    const ProtobufCBinaryData *bytes = &node->proto->spec->payload;
    BEAM_TRY(beam_message_unpack(&beam_pb__par_do_payload__descriptor, bytes->data, bytes->len,
                                 &self->payload, err));
    if (!self->payload->do_fn)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "names no DoFn");
    BEAM_TRY(beam_dofn_from_proto(self->payload->do_fn, node->plan->registry, &node->plan->arena,
                                  &self->fn, &node->ctx.config, err));
    const beam_dofn *fn = self->fn;
    BEAM_TRY(name_metrics(node, fn, err));
    node->fn_in = fn->in;
    node->finalizes = fn->finalizes;
    node->hoards = fn->batches;
    node->ctx.state = beam_plan_alloc(node->plan, 1, fn->state_size, err);
    if (!node->ctx.state)
        return BEAM_RESOURCE_EXHAUSTED;
    return make_metrics(node, fn, err);
}

/* Nothing in beam_dofn stands for these, so a function of ours would not do what is asked for. */
static beam_status refuse_state(const BeamPb__ParDoPayload *payload, beam_error *err)
{
    const char *what = payload->n_state_specs                ? "state"
                       : payload->n_timer_family_specs       ? "timers"
                       : payload->requires_time_sorted_input ? "its input sorted by time"
                                                             : NULL;
    const char *name = payload->n_state_specs          ? payload->state_specs[0]->key
                       : payload->n_timer_family_specs ? payload->timer_family_specs[0]->key
                                                       : "";
    return what ? beam_error_set(err, BEAM_UNIMPLEMENTED,
                                 "asks for %s%s%s, which libbeam does not have yet", what,
                                 *name ? ": " : "", name)
                : BEAM_OK;
}

static bool is_side_input(const BeamPb__ParDoPayload *payload, const char *local_name)
{
    for (size_t i = 0; i < payload->n_side_inputs; i++)
        if (strcmp(payload->side_inputs[i]->key, local_name) == 0)
            return true;
    return false;
}

static beam_status connect_input(beam_dofn_node *self, beam_error *err)
{
    beam_node *node = &self->node;
    for (size_t i = 0; i < node->proto->n_inputs; i++) {
        const BeamPb__StringEntry *input = node->proto->inputs[i];
        if (is_side_input(self->payload, input->key))
            continue;
        if (node->in)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "has more than one main input");
        BEAM_TRY(beam_node_set_input(node, input, err));
    }
    if (!node->in)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "has no main input");
    return BEAM_OK;
}

static beam_status connect_outputs(beam_dofn_node *self, beam_error *err)
{
    beam_node *node = &self->node;
    const BeamPb__PTransform *proto = node->proto;
    uint32_t n = (uint32_t)self->fn->n_outs;
    for (size_t i = 0; i < proto->n_outputs; i++) {
        uint32_t index;
        if (!beam_local_index(proto->outputs[i]->key, BEAM_LOCAL_OUTPUT, &index) ||
            index >= MAX_OUTPUTS)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "output \"%s\" is not out<number>",
                                  proto->outputs[i]->key);
        if (index >= n && self->fn->n_outs && self->fn->outs[0])
            return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                  "has an output %u, but DoFn %s has %zu outputs", index,
                                  self->fn->name, self->fn->n_outs);
        if (index >= n)
            n = index + 1; /* a function of the library with any number of outputs */
    }
    BEAM_TRY(beam_node_make_outputs(node, n, err));
    const beam_type **types = beam_plan_alloc(node->plan, n + 1, sizeof *types, err);
    if (!types)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < proto->n_outputs; i++) {
        uint32_t index = 0;
        (void)beam_local_index(proto->outputs[i]->key, BEAM_LOCAL_OUTPUT, &index);
        BEAM_TRY(beam_node_set_output(node, index, proto->outputs[i], err));
        types[index] = node->outs[index]->type;
        if (index < self->fn->n_outs)
            BEAM_TRY(beam_node_expect_type(node, proto->outputs[i]->key, self->fn->outs[index],
                                           types[index], err));
    }
    for (uint32_t i = 0; i < n; i++)
        if (!types[i] && i < self->fn->n_outs)
            types[i] = self->fn->outs[i]; /* nobody reads it here */
    node->fn_outs = types;
    node->n_fn_outs = n;
    return BEAM_OK;
}

beam_status beam_dofn_connect(beam_node *node, beam_error *err)
{
    beam_dofn_node *self = (beam_dofn_node *)node;
    BEAM_TRY(refuse_state(self->payload, err));
    BEAM_TRY(connect_input(self, err));
    BEAM_TRY(connect_outputs(self, err));
    BEAM_TRY(beam_sides_open(self, err));
    node->one_by_one = beam_sides_windowed(node);
    return BEAM_OK;
}

/* ---- A window at a time ---------------------------------------------------------------- */

beam_status beam_dofn_in_each_window(beam_ctx *ctx, const void *elements, size_t n,
                                     beam_status (*call)(beam_ctx *, const void *, size_t))
{
    const beam_element_info *all = ctx->frame->info;
    beam_status status = BEAM_OK;
    beam_element_info one = *all;
    one.n_windows = 1;
    for (uint32_t w = 0; w < all->n_windows && status == BEAM_OK; w++) {
        one.windows = &all->windows[w];
        ctx->frame->info = &one;
        status = call(ctx, elements, n);
    }
    ctx->frame->info = all;
    return status;
}

/* ---- Lifecycle ------------------------------------------------------------------------ */

beam_status beam_dofn_setup(beam_node *node)
{
    const beam_dofn *fn = ((beam_dofn_node *)node)->fn;
    node->set_up = true; /* also when it fails: teardown frees what it had made */
    return fn->setup ? fn->setup(&node->ctx) : BEAM_OK;
}

beam_status beam_dofn_start(beam_node *node)
{
    const beam_dofn *fn = ((beam_dofn_node *)node)->fn;
    beam_status status = BEAM_OK;
    if (fn->start_bundle) {
        beam_node_guard(node, true);
        status = fn->start_bundle(&node->ctx);
    }
    beam_node_guard(node, false);
    return status;
}

beam_status beam_dofn_finish(beam_node *node)
{
    const beam_dofn *fn = ((beam_dofn_node *)node)->fn;
    if (!fn->finish_bundle)
        return BEAM_OK;
    beam_node_guard(node, true);
    beam_status status = fn->finish_bundle(&node->ctx);
    beam_node_guard(node, false);
    return status;
}

void beam_dofn_end(beam_node *node)
{
    beam_sides_end(node);
}

void beam_dofn_teardown(beam_node *node)
{
    const beam_dofn *fn = ((beam_dofn_node *)node)->fn;
    beam_node_guard(node, true);
    if (fn->teardown)
        fn->teardown(&node->ctx);
    node->set_up = false;
}

void beam_dofn_close(beam_node *node)
{
    beam_message_free(((beam_dofn_node *)node)->payload);
}
