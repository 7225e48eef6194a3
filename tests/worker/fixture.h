/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - for tests: a worker of one stage and an engine that tells it what to do. */
#ifndef TESTS_WORKER_FIXTURE_H
#define TESTS_WORKER_FIXTURE_H

#include <pthread.h>

#include "plan/stage.h"
#include "worker/engine.h"
#include "worker/worker.h"

typedef struct fixture {
    stage stage;
    engine *engine;
    const char *data_endpoint;                      /* of fixture_port's; NULL: the engine's */
    const char *control_endpoint;                   /* NULL: the engine's */
    const char *logging_endpoint, *status_endpoint; /* NULL: as fixture_start says */
    pthread_t worker;
    bool joined;
    beam_worker_options options;
    int stop;           /* of the options */
    beam_status status; /* of the worker, when it has ended */
    beam_error err;
    beam_logger logger;
    pthread_mutex_t log;
    char logged[512]; /* the last error of the worker's log; to be looked at when it has ended */
} fixture;

/* An engine, and a stage to be described. */
fixture *fixture_new(void);
/* A transform that reads or writes the data stream: urn BEAM_URN_DATA_SOURCE or _SINK. */
void fixture_port(fixture *f, const char *id, const char *urn, const beam_type *type,
                  const char *in, const char *out);
/* The worker runs from here; with the engine's logging and status services, or without. */
void fixture_start(fixture *f, bool services);
/* A teardown of cmocka's: *state is the fixture. */
int fixture_end(void **state);

/* ---- What an engine says ----------------------------------------------------------------- */

void ask_bundle(fixture *f, const char *id);
void send_piece(fixture *f, const char *id, const void *bytes, size_t size, bool last);
/* For a split of a bundle whose source has `total` elements. */
void ask_split(fixture *f, const char *id, double fraction, int64_t total, const int64_t *allowed,
               size_t n_allowed);

/* ---- What it hears ----------------------------------------------------------------------- */

/* The next response, which must be of that instruction; the caller's. */
BeamPb__InstructionResponse *take_response(fixture *f, const char *id);
/* The answer to ask_split. */
BeamPb__InstructionResponse *take_split(fixture *f);
/* The bundle is done, without an error. */
void expect_done(fixture *f, const char *id);
/* The bytes of the bundle's sink, up to their end. */
void take_elements(fixture *f, const char *id, beam_buffer *bytes);

#endif
