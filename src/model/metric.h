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

#endif
