/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* retrieve.h - a worker's files: asked for where the engine says, checked, and kept for the next
 * worker of the same job.
 *
 * They lie in $TMPDIR/libbeam-<user>/<digest of their checksums and names>, which appears whole or
 * not at all; folders that no worker uses, nor has asked for in a day, are cleared away by the
 * next. */
#ifndef SUBMIT_RETRIEVE_H
#define SUBMIT_RETRIEVE_H

#include <beam/log.h>
#include <stdbool.h>

typedef struct beam_retrieval {
    const char *worker_id;
    const char *provision_endpoint;
    const char *artifact_endpoint; /* NULL or "": what the provision service says */
    bool program;                  /* the program and its libraries too, not only its files */
} beam_retrieval;

/* What a worker learns; NULL where the engine says nothing of it. */
typedef struct beam_retrieved {
    char *folder; /* where its files lie */
    int held;     /* if there is one: it stays while this is open, which goes on through exec */
    char *control_endpoint, *logging_endpoint, *status_endpoint;
} beam_retrieved;

/* BEAM_DATA_LOSS when a file is not what its checksum says. */
beam_status beam_retrieve(const beam_retrieval *retrieval, beam_retrieved *retrieved,
                          beam_error *err);
void beam_retrieved_free(beam_retrieved *retrieved);

#endif
