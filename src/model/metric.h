/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* metric.h - what runners of every kind bring home. */
#ifndef MODEL_METRIC_H
#define MODEL_METRIC_H

#include <beam/fn.h>

/* A metric of a function in one transform, over all that was committed. */
typedef struct beam_metric_total {
    const char *transform; /* unique name */
    const char *function, *name;
    beam_metric_kind kind;
    beam_metric_cell cell;
} beam_metric_total;

/* Elements of a PCollection, over all that was committed. */
typedef struct beam_element_count {
    const char *pcollection; /* id */
    uint64_t elements;
} beam_element_count;

/* A zeroed cell becomes one that can add up a metric of that kind; beam_metric_cell_close frees
 * what it owns.  BEAM_RESOURCE_EXHAUSTED leaves it empty. */
beam_status beam_metric_cell_open(beam_metric_kind kind, beam_metric_cell *cell);
void beam_metric_cell_close(beam_metric_cell *cell);
/* Adds b to a: what a has no room for (buckets, strings of a cell that was not opened) is left
 * out.  b may be changing. */
beam_status beam_metric_cell_add(beam_metric_kind kind, beam_metric_cell *a,
                                 const beam_metric_cell *b);

#endif
