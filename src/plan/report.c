/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* report.c - what a plan tells about itself: failures, metrics, counts, what runs. */
#include <string.h>

#include "base/buffer.h"
#include "plan/node.h"
#include "type/value.h"

static void print_element(const beam_node *node, const void *element,
                          char text[static sizeof((beam_plan_failure){0}).element])
{
    size_t size = sizeof((beam_plan_failure){0}).element;
    beam_buffer buffer = {0};
    text[0] = '\0';
    if (beam_value_print(node->in_type, element, &buffer, size - 8) == BEAM_OK && buffer.len) {
        size_t len = buffer.len < size ? buffer.len : size - 1;
        memcpy(text, buffer.data, len);
        text[len] = '\0';
    }
    beam_buffer_free(&buffer);
}

void beam_node_failed(beam_node *node, beam_status status, const char *step, const void *elements,
                      size_t n)
{
    beam_plan_failure *failure = &node->plan->failure;
    if (failure->transform)
        return;
    failure->transform = node->id;
    failure->unique_name = node->unique_name;
    failure->function = node->function;
    failure->step = step;
    if (node->error.code == status && node->error.message[0])
        failure->error = node->error;
    else
        (void)beam_error_set(&failure->error, status, "returned %s", beam_status_name(status));
    if (!n)
        return;
    failure->element_number = beam_node_element_number(node);
    failure->may_be_another = node->hoards;
    if (node->in_type)
        print_element(node, elements, failure->element);
}

void beam_plan_get_running(const beam_plan *plan, beam_plan_running *running)
{
    const beam_ctx *active = __atomic_load_n(&plan->frame.active, __ATOMIC_RELAXED);
    *running = (beam_plan_running){NULL, NULL, 0};
    for (size_t i = 0; active && i < plan->n_nodes; i++) {
        const beam_node *node = plan->nodes[i];
        if (active != &node->ctx)
            continue;
        running->unique_name = node->unique_name;
        running->function = node->function;
        if (plan->frame.info)
            running->element_number = beam_node_element_number(node);
    }
}

const char *beam_plan_active(const beam_plan *plan)
{
    const beam_ctx *active = __atomic_load_n(&plan->frame.active, __ATOMIC_RELAXED);
    return active ? beam_node_of(active)->unique_name : NULL;
}

const char *beam_plan_active_id(const beam_plan *plan)
{
    const beam_ctx *active = __atomic_load_n(&plan->frame.active, __ATOMIC_RELAXED);
    return active ? beam_node_of(active)->id : NULL;
}

static beam_metric_cell read_cell(const beam_metric_cell *cell)
{
    return (beam_metric_cell){
        .sum = __atomic_load_n(&cell->sum, __ATOMIC_RELAXED),
        .count = __atomic_load_n(&cell->count, __ATOMIC_RELAXED),
        .min = __atomic_load_n(&cell->min, __ATOMIC_RELAXED),
        .max = __atomic_load_n(&cell->max, __ATOMIC_RELAXED),
        .timestamp = __atomic_load_n(&cell->timestamp, __ATOMIC_RELAXED),
        .buckets = cell->buckets,
        .strings = cell->strings,
    };
}

void beam_plan_visit_metrics(const beam_plan *plan,
                             void (*visit)(void *user, const beam_plan_metric *metric), void *user)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const beam_node *node = plan->nodes[i];
        for (size_t m = 0; m < node->n_metrics; m++) {
            beam_plan_metric metric = {
                .transform = node->id,
                .unique_name = node->unique_name,
                .function = node->function,
                .name = node->metrics[m].name,
                .kind = node->metrics[m].kind,
                .cell = read_cell(&node->ctx.metrics[m]),
            };
            visit(user, &metric);
        }
    }
}

void beam_plan_visit_counts(const beam_plan *plan,
                            void (*visit)(void *user, const char *pcollection, uint64_t elements),
                            void *user)
{
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const beam_node *node = plan->nodes[i];
        for (uint32_t o = 0; node->proto && o < node->ctx.n_outputs; o++)
            if (node->outs[o])
                visit(user, node->outs[o]->id,
                      __atomic_load_n(&node->receivers[o].elements, __ATOMIC_RELAXED));
    }
}
