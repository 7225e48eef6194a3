/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* prism.h - a Prism of one's own: Beam's portable runner as a child process, for one run. */
#ifndef SUBMIT_PRISM_H
#define SUBMIT_PRISM_H

#include <beam/log.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

enum { BEAM_ENDPOINT_TEXT = 64 };

typedef struct beam_prism {
    pid_t pid;                         /* 0: not started */
    char endpoint[BEAM_ENDPOINT_TEXT]; /* of its job service */
    char end[BEAM_ENDPOINT_TEXT];      /* "was killed by signal 9", once it has ended */
    size_t most_workers;               /* processes that it has had at once */
    time_t fewer_since;                /* when one was first seen missing; 0: none is */
} beam_prism;

/* Finds the program ($BEAM_PRISM, else `prism` in PATH, else the newest that scripts/deps put
 * into the cache) and starts it on a free port.  It logs warnings to this process's stderr, and
 * more where the logger wants more; it ends by itself some time after its last job, so that it
 * does not outlive a caller who is killed by much.  BEAM_NOT_FOUND says where it was looked for
 * and how to get it. */
beam_status beam_prism_start(const beam_logger *logger, beam_prism *prism, beam_error *err);

/* Whether it still runs; prism->end says how it ended when it does not. */
bool beam_prism_alive(beam_prism *prism);

/* Whether a worker process of its own has ended while a job ran, and it has had its time to say
 * what becomes of the job: it sometimes does not notice, and the job would stay for ever.  To be
 * asked now and then while the job runs. */
bool beam_prism_lost_worker(beam_prism *prism);

/* Ends it, and waits until it is gone.  Of a zeroed one: nothing. */
void beam_prism_stop(beam_prism *prism);

/* The program that beam_prism_start would start; free with beam_free. */
beam_status beam_prism_find(char **path, beam_error *err);

#endif
