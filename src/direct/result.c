/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* result.c - metrics and element counts of committed bundles: added up by each processor, and
 * over all of them at the end. */
#include <string.h>

#include "base/alloc.h"
#include "direct/run.h"

/* Adds b to a. */
static void add_cell(beam_metric_kind kind, beam_metric_cell *a, const beam_metric_cell *b)
{
    switch (kind) {
    case BEAM_COUNTER:
        a->sum += b->sum;
        break;
    case BEAM_DISTRIBUTION:
        if (b->count == 0)
            break;
        a->min = a->count == 0 || b->min < a->min ? b->min : a->min;
        a->max = a->count == 0 || b->max > a->max ? b->max : a->max;
        a->sum += b->sum;
        a->count += b->count;
        break;
    case BEAM_GAUGE:
        if (b->timestamp >= a->timestamp)
            *a = *b;
        break;
    }
}

/* ---- Of a processor --------------------------------------------------------------------- */

/* A visit of what a bundle tells, always in the same order. */
typedef struct visit {
    beam_processor *processor;
    size_t at;
    beam_status status;
} visit;

static void register_metric(void *user, const beam_plan_metric *metric)
{
    visit *v = user;
    beam_processor *p = v->processor;
    if (beam_grow((void **)&p->metrics, &p->metrics_capacity, p->n_metrics + 1,
                  sizeof *p->metrics) != 0) {
        v->status = BEAM_RESOURCE_EXHAUSTED;
        return;
    }
    p->metrics[p->n_metrics] = *metric;
    p->metrics[p->n_metrics++].cell = (beam_metric_cell){0};
}

static void register_count(void *user, const char *pcollection, uint64_t elements)
{
    (void)elements;
    visit *v = user;
    beam_processor *p = v->processor;
    const beam_execution *run = p->worker->run;
    if (beam_grow((void **)&p->counts, &p->counts_capacity, p->n_counts + 1, sizeof *p->counts) !=
        0) {
        v->status = BEAM_RESOURCE_EXHAUSTED;
        return;
    }
    uint32_t dataset = beam_graph_find_dataset(&run->graph, pcollection);
    struct beam_committed_count *count = &p->counts[p->n_counts++];
    *count = (struct beam_committed_count){0};
    if (dataset != BEAM_NONE) {
        count->pcollection = beam_dataset_id(&run->graph, dataset);
        count->root = run->roots[dataset];
    }
}

beam_status beam_result_register(beam_processor *processor, beam_error *err)
{
    visit v = {.processor = processor};
    if (processor->registered)
        return BEAM_OK;
    pthread_mutex_lock(&processor->worker->lock);
    processor->n_metrics = processor->n_counts = 0;
    beam_bundle_metrics(processor->bundle, register_metric, &v);
    beam_bundle_counts(processor->bundle, register_count, &v);
    processor->registered = v.status == BEAM_OK;
    pthread_mutex_unlock(&processor->worker->lock);
    return v.status == BEAM_OK ? BEAM_OK : beam_error_set(err, v.status, "no memory for metrics");
}

static void commit_metric(void *user, const beam_plan_metric *metric)
{
    visit *v = user;
    add_cell(metric->kind, &v->processor->metrics[v->at++].cell, &metric->cell);
}

static void commit_count(void *user, const char *pcollection, uint64_t elements)
{
    (void)pcollection;
    visit *v = user;
    v->processor->counts[v->at++].elements += elements;
}

void beam_result_commit(beam_processor *processor)
{
    visit v = {.processor = processor};
    pthread_mutex_lock(&processor->worker->lock);
    beam_bundle_metrics(processor->bundle, commit_metric, &v);
    v.at = 0;
    beam_bundle_counts(processor->bundle, commit_count, &v);
    pthread_mutex_unlock(&processor->worker->lock);
}

/* ---- Progress --------------------------------------------------------------------------- */

typedef struct running_count {
    const beam_processor *processor;
    size_t at;
    uint64_t elements;
} running_count;

static void count_running(void *user, const char *pcollection, uint64_t elements)
{
    (void)pcollection;
    running_count *c = user;
    if (c->processor->counts[c->at++].root)
        c->elements += elements;
}

uint64_t beam_result_elements(beam_execution *run)
{
    uint64_t elements = 0;
    for (uint32_t i = 0; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->lock);
        for (size_t s = 0; s < run->graph.n_stages; s++) {
            const beam_processor *p = &worker->processors[s];
            for (size_t c = 0; p->registered && c < p->n_counts; c++)
                elements += p->counts[c].root ? p->counts[c].elements : 0;
        }
        if (worker->item) {
            running_count c = {.processor = worker->processor};
            beam_bundle_counts(worker->processor->bundle, count_running, &c);
            elements += c.elements;
        }
        pthread_mutex_unlock(&worker->lock);
    }
    return elements;
}

/* ---- At the end ------------------------------------------------------------------------- */

static beam_metric_total *find_metric(beam_direct_result *result, const beam_plan_metric *metric)
{
    for (size_t i = 0; i < result->n_metrics; i++) {
        beam_metric_total *m = &result->metrics[i];
        if (m->kind == metric->kind && strcmp(m->name, metric->name) == 0 &&
            strcmp(m->transform, metric->unique_name) == 0 &&
            strcmp(m->function, metric->function ? metric->function : "") == 0)
            return m;
    }
    return NULL;
}

static beam_status add_metrics(const beam_processor *processor, beam_direct_result *result)
{
    for (size_t i = 0; processor->registered && i < processor->n_metrics; i++) {
        const beam_plan_metric *metric = &processor->metrics[i];
        beam_metric_total *m = find_metric(result, metric);
        if (!m) {
            m = &result->metrics[result->n_metrics];
            *m = (beam_metric_total){
                .transform = beam_arena_strdup(&result->arena, metric->unique_name),
                .function =
                    beam_arena_strdup(&result->arena, metric->function ? metric->function : ""),
                .name = beam_arena_strdup(&result->arena, metric->name),
                .kind = metric->kind};
            if (!m->transform || !m->function || !m->name)
                return BEAM_RESOURCE_EXHAUSTED;
            result->n_metrics++;
        }
        add_cell(m->kind, &m->cell, &metric->cell);
    }
    return BEAM_OK;
}

static beam_status add_counts(const beam_execution *run, const beam_processor *processor,
                              beam_direct_result *result, size_t *places)
{
    for (size_t i = 0; processor->registered && i < processor->n_counts; i++) {
        const struct beam_committed_count *count = &processor->counts[i];
        if (!count->pcollection)
            continue;
        uint32_t dataset = beam_graph_find_dataset(&run->graph, count->pcollection);
        if (places[dataset] == 0) {
            const beam_step *step = &run->graph.steps[run->graph.datasets[dataset].producer];
            beam_direct_count *c = &result->counts[result->n_counts];
            c->pcollection = beam_arena_strdup(&result->arena, count->pcollection);
            c->transform = beam_arena_strdup(&result->arena, beam_step_name(step));
            if (!c->pcollection || !c->transform)
                return BEAM_RESOURCE_EXHAUSTED;
            places[dataset] = ++result->n_counts;
        }
        result->counts[places[dataset] - 1].elements += count->elements;
    }
    return BEAM_OK;
}

static beam_status collect(const beam_execution *run, beam_direct_result *result, size_t *places)
{
    size_t most = 0;
    for (size_t s = 0; s < run->graph.n_stages; s++)
        for (uint32_t w = 0; w < run->n_workers; w++)
            most += run->workers[w].processors[s].n_metrics;
    result->metrics = beam_arena_calloc(&result->arena, most, sizeof *result->metrics);
    result->counts =
        beam_arena_calloc(&result->arena, run->graph.n_datasets, sizeof *result->counts);
    if (!result->metrics || !result->counts)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t s = 0; s < run->graph.n_stages; s++) {
        for (uint32_t w = 0; w < run->n_workers; w++) {
            const beam_processor *processor = &run->workers[w].processors[s];
            BEAM_TRY(add_metrics(processor, result));
            BEAM_TRY(add_counts(run, processor, result, places));
        }
    }
    return BEAM_OK;
}

beam_status beam_result_collect(const beam_execution *run, beam_direct_result *result,
                                beam_error *err)
{
    size_t *places = beam_calloc(run->graph.n_datasets, sizeof *places);
    beam_status status = places ? collect(run, result, places) : BEAM_RESOURCE_EXHAUSTED;
    beam_free(places);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "no memory for the run's metrics");
    return BEAM_OK;
}

void beam_direct_result_free(beam_direct_result *result)
{
    beam_arena_free(&result->arena);
    *result = (beam_direct_result){0};
}
