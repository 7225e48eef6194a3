/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* staging.h - artifacts on their way: from here to the engine, and from there to a worker. */
#ifndef SUBMIT_STAGING_H
#define SUBMIT_STAGING_H

#include "submit/artifacts.h"

typedef struct beam_staging {
    const char *endpoint; /* of the artifact staging service */
    const char *token;    /* the job's */
    const beam_artifacts *artifacts;
    const int *cancel; /* may be NULL */
} beam_staging;

/* Answers what the engine asks of the artifacts until it has all it wants; it asks even where
 * there are none. */
beam_status beam_stage(const beam_staging *staging, beam_error *err);

#endif
