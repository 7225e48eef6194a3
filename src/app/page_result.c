/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* page_result.c - what a run did, as the page shows it: stages, elements, metrics, trainings. */
#include <string.h>

#include "app/page.h"
#include "app/result.h"

/* ---- Stages and elements ---------------------------------------------------------------- */

static json_t *stage(const beam_direct_stage *from)
{
    json_t *transforms = json_array();
    int failed = 0;
    for (size_t i = 0; i < from->n_transforms; i++)
        failed |= json_array_append_new(transforms, json_pack("{s:o?, s:f}", "path",
                                                              beam_page_text(from->transforms[i]),
                                                              "seconds", from->seconds[i]));
    json_t *object =
        json_pack("{s:o?, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "name", beam_page_text(from->name),
                  "bundles", (json_int_t)from->bundles, "failed", (json_int_t)from->failed, "began",
                  from->began, "ended", from->ended, "busy", from->busy, "between", from->between,
                  "fraction", from->fraction);
    failed |= json_object_set_new(object, "transforms", transforms);
    return beam_page_whole(object, failed);
}

static json_t *counts_of(const beam_result *result)
{
    json_t *counts = json_object();
    int failed = 0;
    for (size_t i = 0; i < result->n_counts; i++)
        failed |= json_object_set_new(counts, result->counts[i].pcollection,
                                      json_integer((json_int_t)result->counts[i].elements));
    return beam_page_whole(counts, failed);
}

/* ---- Metrics ---------------------------------------------------------------------------- */

/* [least, largest, values] of each bucket that has some. */
static json_t *histogram(const beam_metric_cell *cell)
{
    json_t *buckets = json_array();
    int failed = 0;
    for (uint32_t i = 0; cell->buckets && i < BEAM_METRIC_BUCKETS; i++) {
        if (cell->buckets[i] == 0)
            continue;
        json_int_t low = beam_metric_bucket_low(i), high = beam_metric_bucket_low(i + 1) - 1;
        failed |= json_array_append_new(
            buckets, json_pack("[I, I, I]", low < cell->min ? cell->min : low,
                               high > cell->max ? cell->max : high, (json_int_t)cell->buckets[i]));
    }
    return beam_page_whole(buckets, failed);
}

typedef struct listing {
    json_t *array;
    int failed;
} listing;

static void list_text(void *user, beam_str text)
{
    listing *l = user;
    json_t *string = json_stringn(text.at, text.len);
    l->failed |= json_array_append_new(l->array, string ? string : json_string("?"));
}

static json_t *metric(const beam_metric_total *from)
{
    static const char *const kinds[] = {"counter", "distribution", "gauge", "string_set"};
    const beam_metric_cell *cell = &from->cell;
    json_t *object =
        json_pack("{s:o?, s:o?, s:o?, s:s}", "transform", beam_page_text(from->transform),
                  "function", beam_page_text(from->function), "name", beam_page_text(from->name),
                  "kind", kinds[from->kind]);
    int failed = 0;
    if (from->kind == BEAM_STRING_SET) {
        listing l = {json_array(), 0};
        beam_string_set_visit(cell->strings, list_text, &l);
        return beam_page_whole(object, l.failed | json_object_set_new(object, "texts", l.array));
    }
    failed |= json_object_set_new(object, "sum", json_integer(cell->sum));
    if (from->kind == BEAM_GAUGE)
        failed |= json_object_set_new(object, "timestamp", json_integer(cell->timestamp));
    if (from->kind == BEAM_DISTRIBUTION) {
        failed |= json_object_set_new(object, "count", json_integer(cell->count));
        failed |= json_object_set_new(object, "min", json_integer(cell->min));
        failed |= json_object_set_new(object, "max", json_integer(cell->max));
        failed |= json_object_set_new(object, "buckets", histogram(cell));
    }
    return beam_page_whole(object, failed);
}

/* ---- Trainings: what beam_train_models tells in metrics of its own ---------------------- */

static void list_row(void *user, beam_str text)
{
    listing *l = user;
    json_t *row = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(row))
        l->failed |= json_array_append(l->array, row);
    json_decref(row); /* what is no object is not ours */
}

json_t *beam_page_rows(const beam_result *result, const char *metric)
{
    listing l = {json_array(), 0};
    for (size_t i = 0; i < result->n_metrics; i++) {
        const beam_metric_total *m = &result->metrics[i];
        if (m->kind == BEAM_STRING_SET && strcmp(m->function, "beam_train_models_fn") == 0 &&
            strcmp(m->name, metric) == 0)
            beam_string_set_visit(m->cell.strings, list_row, &l);
    }
    return beam_page_whole(l.array, l.failed);
}

/* ---- All -------------------------------------------------------------------------------- */

int beam_page_add_result(json_t *run, const beam_result *result)
{
    json_t *stages = json_array(), *metrics = json_array();
    int failed = 0;
    for (size_t i = 0; i < result->direct.n_stages; i++)
        failed |= json_array_append_new(stages, stage(&result->direct.stages[i]));
    for (size_t i = 0; i < result->n_metrics; i++)
        failed |= json_array_append_new(metrics, metric(&result->metrics[i]));
    failed |= json_object_set_new(run, "stages", stages);
    failed |= json_object_set_new(run, "counts", counts_of(result));
    failed |= json_object_set_new(run, "metrics", metrics);
    failed |= json_object_set_new(run, "history", beam_page_rows(result, "training_history"));
    failed |= json_object_set_new(run, "trainings", beam_page_rows(result, "training_results"));
    return failed ? -1 : 0;
}
