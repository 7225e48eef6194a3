/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* lookahead.h - weights that are drawn to an average of themselves (Zhang et al., "Lookahead
 * Optimizer", 2019; as a running average that counts for more and more: Jordan, 2024).  Beside the
 * weights that learn there are slow ones; every few steps
 *
 *     slow = keep * slow + (1 - keep) * weights;   weights = slow
 *
 * It is done here, not on the device, since it is seldom. */
#ifndef ML_LOOKAHEAD_H
#define ML_LOOKAHEAD_H

#include <beam/device.h>

/* Zeroed: none. */
typedef struct beam_lookahead {
    size_t count;    /* of parameters, batch norm's running averages too */
    char **names;    /* "NAME.slow" */
    float **weights; /* the slow ones */
    float *scratch;  /* as large as the largest */
} beam_lookahead;

/* The slow weights begin as the first `count` states of the training are now. */
beam_status beam_lookahead_open(beam_lookahead *l, beam_training *training, size_t count,
                                beam_error *err);
void beam_lookahead_free(beam_lookahead *l);

/* keep 1: the weights become the slow ones. */
beam_status beam_lookahead_pull(const beam_lookahead *l, beam_training *training, double keep,
                                beam_error *err);

#endif
