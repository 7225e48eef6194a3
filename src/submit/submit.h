/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* submit.h - a pipeline on somebody else's engine: given to a Beam job service, watched to its
 * end, its metrics brought home. */
#ifndef SUBMIT_SUBMIT_H
#define SUBMIT_SUBMIT_H

#include "submit/environment.h"
#include "submit/metrics.h"

typedef struct beam_submission {
    const char *endpoint;          /* host:port of the job service */
    const char *artifact_endpoint; /* NULL: what the job service says */
    beam_job_description job;
    const beam_logger *logger; /* gets the engine's messages */
    const int *cancel;         /* the job is cancelled soon after *cancel becomes non-zero */
    /* Says that the engine is gone, and how, or returns NULL; may be NULL itself.  Called every
     * now and then, and when a call has failed. */
    const char *(*gone)(void *user);
    void *user;
    void (*on_tick)(void *user); /* several times a second while the job runs; may be NULL */
} beam_submission;

/* Returns when the job has ended: BEAM_OK when it did what it should, with its metrics, which
 * live in the arena; else what went wrong, in the engine's words where it gave any.
 * BEAM_CANCELLED once *cancel is set and the engine was told.  No call waits for ever: an engine
 * that does not answer is given up with BEAM_DEADLINE_EXCEEDED and what was waited for. */
beam_status beam_submit(const beam_submission *submission, beam_arena *arena,
                        beam_job_metrics *metrics, beam_error *err);

#endif
