/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* threads.h - threads that are used again.  A task never waits for another to end: it gets a thread
 * at once, or is refused.  So tasks may wait for one another. */
#ifndef WORKER_THREADS_H
#define WORKER_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <beam/status.h>

/* Threads at once, and those that stay when there is nothing to do. */
enum { BEAM_THREADS_MOST = 4096, BEAM_THREADS_IDLE = 16 };

typedef struct beam_task {
    struct beam_task *next;
    void (*work)(struct beam_task *task); /* frees the task, if need be */
} beam_task;

typedef struct beam_threads {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    beam_task *first, **end; /* not begun; each has an idle thread */
    size_t threads, idle, waiting, begun;
    bool stopping;
} beam_threads;

beam_status beam_threads_open(beam_threads *all, beam_error *err);
/* Any thread.  BEAM_RESOURCE_EXHAUSTED: no thread more, and the task is still the caller's. */
beam_status beam_threads_run(beam_threads *all, beam_task *task, beam_error *err);
/* How many threads it has, and how many it has begun in all. */
void beam_threads_count(beam_threads *all, size_t *threads, size_t *begun);
/* Waits for all tasks. */
void beam_threads_close(beam_threads *all);

#endif
