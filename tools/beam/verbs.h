/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - the verbs of the beam tool that have files of their own: what each is called with, and
 * what it does, which returns the exit status. */
#ifndef TOOLS_BEAM_VERBS_H
#define TOOLS_BEAM_VERBS_H

#include "app/options.h"

enum { BEAM_VERB_FAILED = 1, BEAM_VERB_USAGE = 2 };

typedef struct beam_verb {
    beam_command command;
    int (*run)(const beam_args *args);
} beam_verb;

/* aot:         compiles a network, or a StableHLO module, for an accelerator that is not here.
 * cheatsheet:  writes what runs cost, and when an accelerator is worth its price.
 * copy:        copies a file to Cloud Storage, from there, or within it.
 * dataflow:    shows, cancels or drains a job on Dataflow.
 * devices:     tells which devices this machine has, and why it has not the others.
 * quantize:    makes weights for int8 of others, with a sample of images.
 * worker_pool: starts workers for engines that ask for them. */
extern const beam_verb beam_verb_aot, beam_verb_cheatsheet, beam_verb_copy, beam_verb_dataflow,
    beam_verb_devices, beam_verb_quantize, beam_verb_worker_pool;

#define BEAM_VERB_OPTIONS(table)                              \
    {                                                         \
        {                                                     \
            "Options", table, sizeof(table) / sizeof *(table) \
        }                                                     \
    }

#endif
