/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* build.c - from a ProcessBundleDescriptor to nodes, each with its inputs and outputs. */
#include "plan/build.h"

#include <string.h>

#include "base/alloc.h"
#include "base/string_set.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "type/value.h"

static const beam_node_kind *const kinds[] = {
    &beam_source_kind,      &beam_sink_kind,        &beam_pardo_kind,          &beam_flatten_kind,
    &beam_window_into_kind, &beam_map_windows_kind, &beam_precombine_kind,     &beam_merge_kind,
    &beam_extract_kind,     &beam_convert_kind,     &beam_combine_values_kind, &beam_sdf_pair_kind,
    &beam_sdf_split_kind,   &beam_sdf_process_kind, &beam_sdf_truncate_kind,
};

void *beam_plan_alloc(beam_plan *plan, size_t count, size_t size, beam_error *err)
{
    void *p = beam_arena_calloc(&plan->arena, count, size);
    if (!p)
        (void)beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stage's plan");
    return p;
}

/* ---- PCollections --------------------------------------------------------------------- */

beam_status beam_plan_coder_type(beam_plan *plan, const char *coder_id, const beam_type **type,
                                 beam_error *err)
{
    /* Nothing is encoded in a plan, and functions know no length prefixes. */
    beam_coder_map coders = {plan->descriptor->coders, plan->descriptor->n_coders, true};
    return beam_coder_type(coders, coder_id, &plan->arena, type, err);
}

static beam_status read_windowing(const beam_plan *plan, const char *id, beam_windowing *windowing,
                                  beam_error *err)
{
    if (!id[0]) {
        *windowing = (beam_windowing){0};
        return BEAM_OK;
    }
    for (size_t i = 0; i < plan->descriptor->n_windowing_strategies; i++) {
        const BeamPb__WindowingStrategyEntry *entry = plan->descriptor->windowing_strategies[i];
        if (entry->value && strcmp(entry->key, id) == 0)
            return beam_windowing_from_proto(entry->value, windowing, err);
    }
    return beam_error_set(err, BEAM_NOT_FOUND, "no windowing strategy \"%s\" in the descriptor",
                          id);
}

static beam_status read_pcoll(beam_plan *plan, const BeamPb__PCollection *proto,
                              beam_plan_pcoll *pcoll, beam_error *err)
{
    BEAM_TRY(beam_plan_coder_type(plan, proto->coder_id, &pcoll->type, err));
    return read_windowing(plan, proto->windowing_strategy_id, &pcoll->windowing, err);
}

beam_status beam_plan_find_pcoll(beam_plan *plan, const char *id, beam_plan_pcoll **pcoll,
                                 beam_error *err)
{
    *pcoll = beam_map_get(&plan->pcolls, id);
    if (*pcoll)
        return BEAM_OK;
    for (size_t i = 0; i < plan->descriptor->n_pcollections; i++) {
        const BeamPb__PCollectionEntry *entry = plan->descriptor->pcollections[i];
        if (!entry->value || strcmp(entry->key, id) != 0)
            continue;
        beam_plan_pcoll *made = beam_plan_alloc(plan, 1, sizeof *made, err);
        if (!made)
            return BEAM_RESOURCE_EXHAUSTED;
        made->id = entry->key;
        beam_status status = read_pcoll(plan, entry->value, made, err);
        if (status != BEAM_OK)
            return beam_error_wrap(err, status, "PCollection %s", id);
        if (beam_map_set(&plan->pcolls, id, made) != BEAM_OK)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stage's plan");
        *pcoll = made;
        return BEAM_OK;
    }
    return beam_error_set(err, BEAM_NOT_FOUND, "no PCollection \"%s\" in the descriptor", id);
}

/* ---- Nodes ---------------------------------------------------------------------------- */

beam_status beam_node_expect_type(const beam_node *node, const char *what, const beam_type *want,
                                  const beam_type *have, beam_error *err)
{
    if (!want || !have || beam_type_equal(want, have))
        return BEAM_OK;
    char wanted[200], had[200];
    return beam_error_set(
        err, BEAM_FAILED_PRECONDITION, "%s of %s is %s in the pipeline, but %s in this program",
        what, node->function ? node->function : node->unique_name,
        beam_type_describe(have, had, sizeof had), beam_type_describe(want, wanted, sizeof wanted));
}

static beam_status add_consumer(beam_node *node, beam_plan_pcoll *pcoll, beam_error *err)
{
    beam_plan_edge *edge = beam_plan_alloc(node->plan, 1, sizeof *edge, err);
    if (!edge)
        return BEAM_RESOURCE_EXHAUSTED;
    *edge = (beam_plan_edge){node, pcoll->consumers};
    pcoll->consumers = edge;
    pcoll->n_consumers++;
    node->waits_for++;
    return BEAM_OK;
}

beam_status beam_node_set_input(beam_node *node, const BeamPb__StringEntry *input, beam_error *err)
{
    beam_plan_pcoll *pcoll;
    BEAM_TRY(beam_plan_find_pcoll(node->plan, input->value, &pcoll, err));
    if (node->in)
        BEAM_TRY(beam_node_expect_type(node, "another input", node->in->type, pcoll->type, err));
    node->in = pcoll;
    node->in_local = input->key;
    node->in_type = pcoll->type;
    return add_consumer(node, pcoll, err);
}

beam_status beam_node_only_input(beam_node *node, beam_error *err)
{
    if (node->proto->n_inputs != 1)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "has %zu inputs instead of one",
                              node->proto->n_inputs);
    return beam_node_set_input(node, node->proto->inputs[0], err);
}

/* What runs into the guards is a function that emits where there is no element. */
static beam_status refuse(beam_ctx *ctx)
{
    beam_node *node = ctx->state;
    return beam_fail(&node->ctx, BEAM_FAILED_PRECONDITION,
                     "emits where there is no element: setup, start_bundle, finish_bundle and "
                     "teardown have to use beam_emit_with");
}

static beam_status refuse_one(beam_ctx *ctx, const void *element)
{
    (void)element;
    return refuse(ctx);
}

static beam_status refuse_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    (void)elements;
    (void)n;
    return refuse(ctx);
}

beam_status beam_node_make_outputs(beam_node *node, uint32_t n, beam_error *err)
{
    beam_plan *plan = node->plan;
    size_t places = n ? n : 1; /* so that output 0 of a function without one is a receiver too */
    node->receivers = beam_plan_alloc(plan, places, sizeof *node->receivers, err);
    node->guards = beam_plan_alloc(plan, places, sizeof *node->guards, err);
    node->outs = beam_plan_alloc(plan, places, sizeof(beam_plan_pcoll *), err);
    beam_node *guard = beam_plan_alloc(plan, 1, sizeof *guard, err);
    if (!node->receivers || !node->guards || !node->outs || !guard)
        return BEAM_RESOURCE_EXHAUSTED;
    guard->plan = plan;
    guard->ctx.state = node;
    guard->ctx.frame = &plan->frame;
    for (size_t i = 0; i < places; i++)
        node->guards[i] = (beam_receiver){
            .process = refuse_one, .process_batch = refuse_batch, .ctx = &guard->ctx};
    node->ctx.n_outputs = n;
    node->ctx.outputs = node->guards;
    return BEAM_OK;
}

beam_status beam_node_set_output(beam_node *node, uint32_t output, const BeamPb__StringEntry *entry,
                                 beam_error *err)
{
    beam_plan_pcoll *pcoll;
    BEAM_TRY(beam_plan_find_pcoll(node->plan, entry->value, &pcoll, err));
    if (pcoll->producer)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "PCollection %s has two producers",
                              pcoll->id);
    if (output >= node->ctx.n_outputs || node->outs[output])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "output \"%s\" is one too many",
                              entry->key);
    pcoll->producer = node;
    pcoll->output = output;
    node->outs[output] = pcoll;
    return BEAM_OK;
}

beam_status beam_node_one_to_one(beam_node *node, beam_error *err)
{
    BEAM_TRY(beam_node_only_input(node, err));
    BEAM_TRY(beam_node_make_outputs(node, 1, err));
    for (size_t i = 0; i < node->proto->n_outputs; i++)
        BEAM_TRY(beam_node_set_output(node, 0, node->proto->outputs[i], err));
    return BEAM_OK;
}

beam_status beam_node_make_metrics(beam_node *node, const beam_metric *metrics, size_t n,
                                   beam_error *err)
{
    node->metrics = metrics;
    node->n_metrics = n;
    if (n && !(node->ctx.metrics = beam_plan_alloc(node->plan, n, sizeof *node->ctx.metrics, err)))
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++) {
        beam_metric_cell *cell = &node->ctx.metrics[i];
        if (metrics[i].kind == BEAM_DISTRIBUTION &&
            !(cell->buckets =
                  beam_plan_alloc(node->plan, BEAM_METRIC_BUCKETS, sizeof *cell->buckets, err)))
            return BEAM_RESOURCE_EXHAUSTED;
        if (metrics[i].kind == BEAM_STRING_SET && !(cell->strings = beam_string_set_new()))
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a metric");
    }
    return BEAM_OK;
}

static beam_node *add_node(beam_plan *plan, const beam_node_kind *kind, beam_error *err)
{
    if (beam_grow((void **)&plan->nodes, &plan->nodes_capacity, plan->n_nodes + 1,
                  sizeof *plan->nodes) != 0) {
        (void)beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stage's plan");
        return NULL;
    }
    beam_node *node = beam_plan_alloc(plan, 1, kind->size, err);
    if (!node)
        return NULL;
    node->plan = plan;
    node->kind = kind;
    node->ctx.frame = &plan->frame;
    node->process_batch = beam_node_loop;
    plan->nodes[plan->n_nodes++] = node;
    return node;
}

static beam_status open_transform(beam_plan *plan, const BeamPb__TransformEntry *entry,
                                  beam_error *err)
{
    const BeamPb__PTransform *proto = entry->value;
    const char *urn = proto->spec ? proto->spec->urn : "";
    const beam_node_kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->urn, urn) == 0)
            kind = kinds[i];
    if (!kind)
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "cannot execute \"%s\"", urn);
    beam_node *node = add_node(plan, kind, err);
    if (!node)
        return BEAM_RESOURCE_EXHAUSTED;
    node->id = entry->key;
    node->proto = proto;
    node->unique_name = proto->unique_name[0] ? proto->unique_name : entry->key;
    return kind->open(node, err);
}

beam_status beam_plan_read(beam_plan *plan, beam_error *err)
{
    for (size_t i = 0; i < plan->descriptor->n_transforms; i++) {
        const BeamPb__TransformEntry *entry = plan->descriptor->transforms[i];
        if (!entry->value)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "transform \"%s\" is empty",
                                  entry->key);
        if (entry->value->n_subtransforms)
            continue; /* a composite: its parts are there too */
        beam_status status = open_transform(plan, entry, err);
        if (status != BEAM_OK)
            return beam_error_wrap(err, status, "transform %s",
                                   entry->value->unique_name[0] ? entry->value->unique_name
                                                                : entry->key);
    }
    return BEAM_OK;
}

/* ---- Wiring --------------------------------------------------------------------------- */

/* Appends to `order` those consumers of a node that wait for nothing else any more. */
static size_t append_ready(beam_node **order, size_t n, const beam_node *node)
{
    for (uint32_t o = 0; o < node->ctx.n_outputs; o++) {
        const beam_plan_pcoll *pcoll = node->outs[o];
        for (const beam_plan_edge *e = pcoll ? pcoll->consumers : NULL; e; e = e->next)
            if (--e->consumer->waits_for == 0)
                order[n++] = e->consumer;
    }
    return n;
}

/* Orders the nodes so that producers come before their consumers. */
static beam_status sort_nodes(beam_plan *plan, beam_error *err)
{
    size_t n_nodes = plan->n_nodes, n = 0;
    beam_node **order = beam_plan_alloc(plan, n_nodes + 1, sizeof(beam_node *), err);
    if (!order)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n_nodes; i++) {
        beam_node *node = plan->nodes[i];
        if (!node->waits_for)
            order[n++] = node;
        if (node->in && !node->in->producer)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "transform %s reads PCollection %s, which nothing produces",
                                  node->unique_name, node->in->id);
    }
    for (size_t done = 0; done < n; done++)
        n = append_ready(order, n, order[done]);
    if (n < n_nodes)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the stage's transforms form a circle, or one reads what nothing "
                              "produces");
    if (n)
        memcpy(plan->nodes, order, n * sizeof(beam_node *));
    return BEAM_OK;
}

static void connect(beam_receiver *receiver, beam_node *consumer, const beam_type *type)
{
    *receiver = (beam_receiver){.process = consumer->process,
                                .process_batch = consumer->process_batch,
                                .ctx = &consumer->ctx,
                                .type = type,
                                .room = receiver->room};
    consumer->feed = receiver;
}

/* A helper that follows output `output` of `producer`. */
static beam_node *add_helper(beam_node *producer, const beam_node_kind *kind, uint32_t n_outputs,
                             beam_error *err)
{
    beam_node *helper = add_node(producer->plan, kind, err);
    if (!helper)
        return NULL;
    helper->id = producer->id;
    helper->unique_name = producer->unique_name;
    if (beam_node_make_outputs(helper, n_outputs, err) != BEAM_OK ||
        kind->open(helper, err) != BEAM_OK)
        return NULL;
    return helper;
}

static beam_status wire_output(beam_node *node, uint32_t output, beam_error *err)
{
    const beam_plan_pcoll *pcoll = node->outs[output];
    const beam_type *type = pcoll ? pcoll->type : NULL;
    beam_receiver *receiver = &node->receivers[output];
    uint32_t n = pcoll ? pcoll->n_consumers : 0;
    if (n == 1) {
        beam_node *consumer = pcoll->consumers->consumer;
        connect(receiver, consumer, type);
        if (node->kind == &beam_source_kind && consumer->entry && consumer->gathers)
            receiver->process = consumer->entry;
        return BEAM_OK;
    }
    beam_node *helper = add_helper(node, n ? &beam_fan_out_kind : &beam_discard_kind, n, err);
    if (!helper)
        return BEAM_RESOURCE_EXHAUSTED;
    helper->in_type = type;
    connect(receiver, helper, type);
    for (const beam_plan_edge *e = n ? pcoll->consumers : NULL; e; e = e->next)
        connect(&helper->receivers[--n], e->consumer, type);
    helper->ctx.outputs = helper->receivers; /* helpers have no callbacks to guard */
    return BEAM_OK;
}

/* Output 0 of a node without outputs is there too: a function that emits all the same. */
static uint32_t places(const beam_node *node)
{
    return !node->outs ? 0 : node->ctx.n_outputs ? node->ctx.n_outputs : 1;
}

beam_status beam_plan_wire(beam_plan *plan, beam_error *err)
{
    BEAM_TRY(sort_nodes(plan, err));
    size_t n_nodes = plan->n_nodes; /* helpers come behind */
    for (size_t i = 0; i < n_nodes; i++)
        for (uint32_t o = 0; o < plan->nodes[i]->ctx.n_outputs; o++)
            if (plan->nodes[i]->outs[o])
                BEAM_TRY(beam_output_make_room(plan->nodes[i], o, err));
    for (size_t i = 0; i < n_nodes; i++)
        for (uint32_t o = 0; o < places(plan->nodes[i]); o++)
            BEAM_TRY(wire_output(plan->nodes[i], o, err));
    return BEAM_OK;
}
