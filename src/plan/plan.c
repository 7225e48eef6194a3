/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* plan.c - a plan's life: opened, its nodes set up, led through bundles, closed. */
#include "plan/plan.h"

#include <string.h>

#include "base/alloc.h"
#include "base/string_set.h"
#include "plan/build.h"
#include "plan/node.h"

enum { DEFAULT_BUNDLE_MEMORY = 1 << 30 };

static beam_status collect_ports(beam_plan *plan, beam_error *err)
{
    plan->sources = beam_plan_alloc(plan, plan->n_nodes + 1, sizeof(beam_node *), err);
    plan->sinks = beam_plan_alloc(plan, plan->n_nodes + 1, sizeof(beam_node *), err);
    if (!plan->sources || !plan->sinks)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        if (plan->nodes[i]->kind == &beam_source_kind)
            plan->sources[plan->n_sources++] = plan->nodes[i];
        if (plan->nodes[i]->kind == &beam_sink_kind)
            plan->sinks[plan->n_sinks++] = plan->nodes[i];
    }
    return BEAM_OK;
}

beam_status beam_plan_open(const beam_plan_options *options, beam_plan **plan, beam_error *err)
{
    *plan = NULL;
    beam_plan *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a stage's plan");
    made->driver = *options->driver;
    made->descriptor = options->descriptor;
    made->registry = options->registry;
    made->bundle_arena.limit =
        options->bundle_memory ? options->bundle_memory : DEFAULT_BUNDLE_MEMORY;
    beam_status status = beam_plan_read(made, err);
    if (status == BEAM_OK)
        status = collect_ports(made, err); /* before nodes change places */
    if (status == BEAM_OK)
        status = beam_plan_wire(made, err);
    if (status != BEAM_OK) {
        beam_plan_close(made);
        return status;
    }
    *plan = made;
    return BEAM_OK;
}

/* Others look, without a lock. */
static void set_active(beam_plan *plan, beam_ctx *ctx)
{
    __atomic_store_n(&plan->frame.active, ctx, __ATOMIC_RELAXED);
}

void beam_plan_close(beam_plan *plan)
{
    if (!plan)
        return;
    beam_plan_end_bundle(plan);
    beam_finalizers_free(beam_plan_take_finalizers(plan));
    plan->frame.info = NULL;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        beam_node *node = plan->nodes[i];
        set_active(plan, &node->ctx);
        if (node->set_up && node->kind->teardown)
            node->kind->teardown(node);
        if (node->kind->close)
            node->kind->close(node);
        beam_arena_free(&node->scratch);
        for (size_t m = 0; m < node->n_metrics && node->ctx.metrics; m++)
            beam_string_set_free(node->ctx.metrics[m].strings);
    }
    beam_map_free(&plan->pcolls);
    beam_free(plan->nodes);
    beam_arena_free(&plan->bundle_arena);
    beam_arena_free(&plan->arena);
    beam_free(plan);
}

/* One callback of each node, in order, until one fails. */
static beam_status each_node(beam_plan *plan, const char *step, size_t offset)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        beam_node *node = plan->nodes[i];
        beam_status (*callback)(beam_node *);
        memcpy(&callback, (const char *)node->kind + offset, sizeof callback);
        if (!callback)
            continue;
        set_active(plan, &node->ctx);
        beam_status status = callback(node);
        beam_arena_reset(&node->scratch);
        if (status != BEAM_OK)
            beam_node_failed(node, status, step, NULL, 0);
        if (plan->failure.transform) /* also one that a function kept to itself */
            return plan->failure.error.code;
    }
    return BEAM_OK;
}

beam_status beam_plan_setup(beam_plan *plan)
{
    memset(&plan->failure, 0, sizeof plan->failure);
    return each_node(plan, "setup", offsetof(beam_node_kind, setup));
}

static void clear_counts(beam_node *node)
{
    for (uint32_t o = 0; o < node->ctx.n_outputs; o++)
        __atomic_store_n(&node->receivers[o].elements, 0, __ATOMIC_RELAXED);
    for (size_t m = 0; m < node->n_metrics; m++) {
        beam_metric_cell *cell = &node->ctx.metrics[m];
        bool used = cell->count != 0;
        __atomic_store_n(&cell->sum, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&cell->count, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&cell->min, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&cell->max, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&cell->timestamp, 0, __ATOMIC_RELAXED);
        for (size_t b = 0; cell->buckets && used && b < BEAM_METRIC_BUCKETS; b++)
            __atomic_store_n(&cell->buckets[b], 0, __ATOMIC_RELAXED);
        if (cell->strings)
            beam_string_set_clear(cell->strings);
    }
    node->batch_left = node->scratch_of = 0;
    node->error = (beam_error){.code = BEAM_OK};
}

beam_status beam_plan_start_bundle(beam_plan *plan)
{
    memset(&plan->failure, 0, sizeof plan->failure);
    beam_finalizers_free(beam_plan_take_finalizers(plan)); /* those of a bundle nobody asked of */
    plan->in_bundle = true;
    plan->frame.info = NULL;
    __atomic_store_n(&plan->pushed, 0, __ATOMIC_RELAXED);
    for (size_t i = 0; i < plan->n_nodes; i++)
        clear_counts(plan->nodes[i]);
    return each_node(plan, "start_bundle", offsetof(beam_node_kind, start));
}

beam_status beam_plan_push(beam_plan *plan, beam_plan_source *source, const beam_element_info *info,
                           const void *elements, size_t n)
{
    beam_ctx *ctx = &((beam_node *)source)->ctx;
    __atomic_store_n(&plan->pushed, plan->pushed + n, __ATOMIC_RELAXED);
    plan->frame.info = info;
    beam_status status =
        n == 1 ? beam_emit_element(ctx, 0, elements) : beam_emit_elements(ctx, 0, elements, n);
    plan->frame.info = NULL;
    if (status == BEAM_OK && plan->failure.transform)
        return plan->failure.error.code; /* a function ignored what beam_emit returned */
    return status;
}

beam_status beam_plan_finish_bundle(beam_plan *plan)
{
    return each_node(plan, "finish_bundle", offsetof(beam_node_kind, finish));
}

void beam_plan_end_bundle(beam_plan *plan)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        beam_node *node = plan->nodes[i];
        set_active(plan, &node->ctx);
        if (node->kind->end)
            node->kind->end(node);
        beam_arena_reset(&node->scratch);
    }
    set_active(plan, NULL);
    plan->in_bundle = false;
    plan->saved = NULL;
    beam_arena_reset(&plan->bundle_arena);
}

const beam_plan_failure *beam_plan_get_failure(const beam_plan *plan)
{
    return &plan->failure;
}

size_t beam_plan_n_sources(const beam_plan *plan)
{
    return plan->n_sources;
}

beam_plan_source *beam_plan_get_source(const beam_plan *plan, size_t index)
{
    return index < plan->n_sources ? (beam_plan_source *)plan->sources[index] : NULL;
}

const beam_plan_port *beam_plan_source_port(const beam_plan_source *source)
{
    return beam_node_port((const beam_node *)source);
}

size_t beam_plan_n_sinks(const beam_plan *plan)
{
    return plan->n_sinks;
}

const beam_plan_port *beam_plan_sink_port(const beam_plan *plan, size_t index)
{
    return index < plan->n_sinks ? beam_node_port(plan->sinks[index]) : NULL;
}

beam_frame *beam_plan_frame(beam_plan *plan)
{
    return &plan->frame;
}
