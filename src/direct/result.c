/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* result.c - metrics and element counts of committed bundles: added up by each processor, and
 * over all of them at the end. */
#include <string.h>

#include "base/alloc.h"
#include "direct/run.h"

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
    if (v->status != BEAM_OK)
        return;
    if (beam_grow((void **)&p->metrics, &p->metrics_capacity, p->n_metrics + 1,
                  sizeof *p->metrics) != 0) {
        v->status = BEAM_RESOURCE_EXHAUSTED;
        return;
    }
    beam_plan_metric *m = &p->metrics[p->n_metrics];
    *m = *metric;
    m->function = beam_arena_strdup(&p->functions, metric->function ? metric->function : "");
    m->name = beam_arena_strdup(&p->functions, metric->name);
    v->status =
        m->function && m->name ? beam_metric_cell_open(m->kind, &m->cell) : BEAM_RESOURCE_EXHAUSTED;
    p->n_metrics += v->status == BEAM_OK;
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

void beam_result_forget(beam_processor *processor)
{
    for (size_t i = 0; i < processor->n_metrics; i++)
        beam_metric_cell_close(&processor->metrics[i].cell);
    processor->n_metrics = processor->n_counts = 0;
    beam_arena_free(&processor->functions);
}

beam_status beam_result_register(beam_processor *processor, beam_error *err)
{
    visit v = {.processor = processor};
    if (processor->registered)
        return BEAM_OK;
    pthread_mutex_lock(&processor->worker->lock);
    beam_result_forget(processor);
    beam_bundle_metrics(processor->bundle, register_metric, &v);
    beam_bundle_counts(processor->bundle, register_count, &v);
    processor->registered = v.status == BEAM_OK;
    pthread_mutex_unlock(&processor->worker->lock);
    return v.status == BEAM_OK ? BEAM_OK : beam_error_set(err, v.status, "no memory for metrics");
}

static void commit_metric(void *user, const beam_plan_metric *metric)
{
    visit *v = user;
    if (beam_metric_cell_add(metric->kind, &v->processor->metrics[v->at++].cell, &metric->cell))
        v->status = BEAM_RESOURCE_EXHAUSTED;
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
    if (v.status != BEAM_OK) /* the elements are committed */
        BEAM_LOG(processor->worker->run->options->logger, BEAM_LOG_WARNING,
                 "no memory for texts of a metric: some are left out");
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

/* ---- Collecting ------------------------------------------------------------------------- */

typedef struct collecting {
    const beam_execution *run;
    beam_direct_result *result;
    size_t *places; /* of counts, by dataset; 0: none yet */
    const beam_processor *processor;
    size_t at; /* of its counts */
    beam_status status;
} collecting;

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

static beam_metric_total *add_metric(collecting *c, const beam_plan_metric *metric)
{
    beam_arena *arena = &c->result->arena;
    beam_metric_total *m = &c->result->metrics[c->result->n_metrics];
    *m = (beam_metric_total){.transform = beam_arena_strdup(arena, metric->unique_name),
                             .function =
                                 beam_arena_strdup(arena, metric->function ? metric->function : ""),
                             .name = beam_arena_strdup(arena, metric->name),
                             .kind = metric->kind};
    if (!m->transform || !m->function || !m->name ||
        beam_metric_cell_open(m->kind, &m->cell) != BEAM_OK)
        return NULL;
    c->result->n_metrics++;
    return m;
}

static void collect_metric(void *user, const beam_plan_metric *metric)
{
    collecting *c = user;
    if (c->status != BEAM_OK)
        return;
    beam_metric_total *m = find_metric(c->result, metric);
    if (!m)
        m = add_metric(c, metric);
    if (!m || beam_metric_cell_add(m->kind, &m->cell, &metric->cell) != BEAM_OK)
        c->status = BEAM_RESOURCE_EXHAUSTED;
}

static beam_status add_count(collecting *c, const char *pcollection, uint64_t elements)
{
    uint32_t dataset = beam_graph_find_dataset(&c->run->graph, pcollection);
    beam_direct_result *result = c->result;
    if (c->places[dataset] == 0) {
        beam_element_count *count = &result->counts[result->n_counts];
        count->pcollection = beam_arena_strdup(&result->arena, pcollection);
        if (!count->pcollection)
            return BEAM_RESOURCE_EXHAUSTED;
        c->places[dataset] = ++result->n_counts;
    }
    result->counts[c->places[dataset] - 1].elements += elements;
    return BEAM_OK;
}

static void collect_running_count(void *user, const char *pcollection, uint64_t elements)
{
    (void)pcollection; /* that of the descriptor: the processor knows the graph's own */
    collecting *c = user;
    const struct beam_committed_count *count = &c->processor->counts[c->at++];
    if (c->status == BEAM_OK && count->pcollection)
        c->status = add_count(c, count->pcollection, elements);
}

/* The caller holds the worker's lock. */
static void collect_processor(collecting *c, const beam_processor *processor)
{
    for (size_t i = 0; processor->registered && i < processor->n_metrics; i++)
        collect_metric(c, &processor->metrics[i]);
    for (size_t i = 0; processor->registered && i < processor->n_counts; i++)
        if (processor->counts[i].pcollection && c->status == BEAM_OK)
            c->status =
                add_count(c, processor->counts[i].pcollection, processor->counts[i].elements);
}

static void collect_worker(collecting *c, beam_worker *worker, bool running)
{
    pthread_mutex_lock(&worker->lock);
    for (size_t s = 0; s < c->run->graph.n_stages; s++)
        collect_processor(c, &worker->processors[s]);
    if (running && worker->item) {
        c->processor = worker->processor;
        c->at = 0;
        beam_bundle_metrics(worker->processor->bundle, collect_metric, c);
        beam_bundle_counts(worker->processor->bundle, collect_running_count, c);
    }
    pthread_mutex_unlock(&worker->lock);
}

/* At least as many as differ: worker 0 has opened every stage, and others' have the same. */
static size_t most_metrics(beam_execution *run)
{
    size_t most = 0;
    for (uint32_t w = 0; w < run->n_workers; w++) {
        pthread_mutex_lock(&run->workers[w].lock);
        for (size_t s = 0; s < run->graph.n_stages; s++)
            most += run->workers[w].processors[s].n_metrics;
        pthread_mutex_unlock(&run->workers[w].lock);
    }
    return most;
}

beam_status beam_result_collect(beam_execution *run, bool running, beam_direct_result *result,
                                beam_error *err)
{
    collecting c = {.run = run, .result = result};
    result->metrics = beam_arena_calloc(&result->arena, most_metrics(run), sizeof *result->metrics);
    result->counts =
        beam_arena_calloc(&result->arena, run->graph.n_datasets, sizeof *result->counts);
    c.places = beam_calloc(run->graph.n_datasets, sizeof *c.places);
    if (!result->metrics || !result->counts || !c.places)
        c.status = BEAM_RESOURCE_EXHAUSTED;
    for (uint32_t w = 0; c.status == BEAM_OK && w < run->n_workers; w++)
        collect_worker(&c, &run->workers[w], running);
    beam_free(c.places);
    if (c.status == BEAM_OK)
        c.status = beam_profile_collect(run, result);
    result->elements = beam_result_elements(run);
    if (c.status != BEAM_OK)
        return beam_error_set(err, c.status, "no memory for the run's metrics");
    return BEAM_OK;
}

void beam_direct_result_free(beam_direct_result *result)
{
    for (size_t i = 0; i < result->n_metrics; i++)
        beam_metric_cell_close(&result->metrics[i].cell);
    beam_arena_free(&result->arena);
    *result = (beam_direct_result){0};
}
