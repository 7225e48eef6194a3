/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "model/metric.h"

#include "base/alloc.h"
#include "base/string_set.h"

beam_status beam_metric_cell_open(beam_metric_kind kind, beam_metric_cell *cell)
{
    *cell = (beam_metric_cell){0};
    if (kind == BEAM_DISTRIBUTION)
        cell->buckets = beam_calloc(BEAM_METRIC_BUCKETS, sizeof *cell->buckets);
    if (kind == BEAM_STRING_SET)
        cell->strings = beam_string_set_new();
    bool missing = (kind == BEAM_DISTRIBUTION && !cell->buckets) ||
                   (kind == BEAM_STRING_SET && !cell->strings);
    return missing ? BEAM_RESOURCE_EXHAUSTED : BEAM_OK;
}

void beam_metric_cell_close(beam_metric_cell *cell)
{
    beam_free(cell->buckets);
    beam_string_set_free(cell->strings);
    *cell = (beam_metric_cell){0};
}

static void add_distribution(beam_metric_cell *a, const beam_metric_cell *b)
{
    if (b->count == 0)
        return;
    a->min = a->count == 0 || b->min < a->min ? b->min : a->min;
    a->max = a->count == 0 || b->max > a->max ? b->max : a->max;
    a->sum = (int64_t)((uint64_t)a->sum + (uint64_t)b->sum); /* wraps around */
    a->count += b->count;
    for (size_t i = 0; a->buckets && b->buckets && i < BEAM_METRIC_BUCKETS; i++)
        a->buckets[i] += __atomic_load_n(&b->buckets[i], __ATOMIC_RELAXED);
}

beam_status beam_metric_cell_add(beam_metric_kind kind, beam_metric_cell *a,
                                 const beam_metric_cell *b)
{
    switch (kind) {
    case BEAM_COUNTER:
        a->sum += b->sum;
        break;
    case BEAM_DISTRIBUTION:
        add_distribution(a, b);
        break;
    case BEAM_GAUGE:
        if (b->timestamp >= a->timestamp) {
            a->sum = b->sum;
            a->count = b->count;
            a->timestamp = b->timestamp;
        }
        break;
    case BEAM_STRING_SET:
        if (a->strings && b->strings)
            return beam_string_set_merge(a->strings, b->strings);
        break;
    }
    return BEAM_OK;
}
