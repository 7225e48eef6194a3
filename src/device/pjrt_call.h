/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_call.h - what a thread runs a model's programs with, one run after another: a batch goes to
 * the chip, beside arguments that are the same each time, and results come back. */
#ifndef DEVICE_PJRT_CALL_H
#define DEVICE_PJRT_CALL_H

#include "device/pjrt.h"

typedef struct beam_pjrt_call {
    /* Given to beam_pjrt_call_open, and borrowed. */
    const beam_model *model;
    const beam_pjrt_client *client;
    size_t chip, num_arguments;
    int64_t most_rows;    /* the largest batch that a program takes */
    const size_t *inputs; /* the argument that each input is; NULL: the first ones */
    /* Its own; who opens it puts the arguments in that are the same each time. */
    PJRT_Buffer **arguments;
    int64_t *kept;       /* the arguments that no run may give away: all of them */
    PJRT_Event **copied; /* one an input: it has left the caller's memory, or ours */
    PJRT_Buffer **results;
    PJRT_Event **returned;
    float **padded; /* one an input, for batches with fewer rows; made when needed */
    float **outputs;
    int64_t bytes; /* of padded and outputs */
} beam_pjrt_call;

/* On failure nothing is left. */
beam_status beam_pjrt_call_open(beam_pjrt_call *call, beam_error *err);
void beam_pjrt_call_close(beam_pjrt_call *call);

/* Sends an input for a program that takes so many rows; zeros follow those that it has.  `given`
 * must stay as it is until the run is over or the inputs are dropped. */
beam_status beam_pjrt_call_feed(beam_pjrt_call *call, size_t input, const beam_tensor *given,
                                int64_t rows, const beam_hlo_value *shape, beam_error *err);

/* Lets go of what was fed. */
void beam_pjrt_call_drop(beam_pjrt_call *call);

/* Runs a program, which takes so many rows, on what was fed, which is dropped.  The outputs' data
 * are the call's own, until the next run. */
beam_status beam_pjrt_call_run(beam_pjrt_call *call, PJRT_LoadedExecutable *program, int64_t rows,
                               beam_tensor *outputs, beam_error *err);

#endif
