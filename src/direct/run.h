/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* run.h - a run of a pipeline: what its threads share.
 *
 *   direct.c     from the proto to threads, the monitor, the end
 *   schedule.c   stages and their work items: which are ready, who takes what, what is stolen
 *   worker.c     a thread: one item after another, each as a bundle
 *   processor.c  a thread's bundle processor for a stage: exits, side inputs, splits
 *   result.c     committed metrics and counts
 *
 * A stage's work is a number of units: partitions of a shuffle, elements of a buffer, or the one
 * of an Impulse.  A work item is a range of them and becomes one bundle.  Its thread claims
 * units from the front; a thread without work takes half of what is unclaimed from the back,
 * or, when nothing is, asks the splittable DoFn that is at work there for half of the rest.
 * Restrictions that are too few for all threads are cut before, part by part: whoever begins
 * one keeps its share and leaves the rest.
 *
 * Locks: run->lock before worker->lock before those of stores.
 */
#ifndef DIRECT_RUN_H
#define DIRECT_RUN_H

#include <pthread.h>

#include "bundle/bundle.h"
#include "direct/buffer.h"
#include "direct/direct.h"
#include "direct/graph.h"
#include "direct/side.h"

enum { BEAM_DIRECT_TRIES = 4, BEAM_DIRECT_MAX_WORKERS = 4096 };

typedef struct beam_execution beam_execution;
typedef struct beam_worker beam_worker;

/* An element that takes a unit's place: what was split off a restriction, or what was left
 * when part of one was.  A newer one for the same unit hides older ones. */
typedef struct beam_stand_in {
    struct beam_stand_in *older;
    uint64_t unit;
    beam_arena memory; /* what follows points to */
    const void *element;
    const beam_element_info *info;
} beam_stand_in;

typedef struct beam_item {
    struct beam_item *next;
    uint32_t stage;
    unsigned tries;           /* that failed */
    uint64_t parts;           /* to cut its one restriction into: all but the first are left */
    uint64_t start;           /* the bundle's first unit: where a new try begins */
    uint64_t at, end;         /* units not yet claimed; under worker->lock once it runs */
    beam_stand_in *stand_ins; /* newest first; as at and end */
    uint64_t took;            /* nanoseconds of the last try */
} beam_item;

/* A store at run time. */
typedef struct beam_store {
    const beam_store_plan *plan;
    beam_shuffle *shuffle;
    beam_element_buffer buffer;
    beam_side_view *view;
    size_t writers_left; /* stages; under run->lock, as the next */
    size_t readers_left; /* stages that start from it or see it */
} beam_store;

/* A stage at run time; under run->lock. */
typedef struct beam_stage_run {
    const beam_stage *plan;
    beam_store *source;
    size_t waiting; /* stores that are not complete */
    beam_item *queue;
    size_t queued, running;
    uint64_t units, units_done; /* for progress */
    bool started, done;
    uint64_t bundles;           /* started, for their names */
    uint64_t committed, failed; /* bundles; tries */
    uint64_t began, ended;      /* nanoseconds; 0: not yet */
    uint64_t busy;              /* nanoseconds of tries that are over, of all threads */
    /* Of the thread that watches: nanoseconds by step, and of what is between steps. */
    uint64_t *sampled; /* NULL without options->profile */
    uint64_t sampled_between;
} beam_stage_run;

/* Where a stage's elements go from one bundle. */
typedef struct beam_exit_state {
    beam_store *store;
    beam_shuffle_writer *writer; /* NULL: nothing was written yet */
    beam_buffer_writer buffer;
    /* Single elements for a shuffle, gathered to be written as an array; NULL: they are not. */
    char *gathered;
    size_t n_gathered, capacity, size; /* elements, elements, bytes of one */
    bool timestamps;                   /* the shuffle looks at them */
    beam_element_info info;            /* of all that is gathered, in one window */
    beam_window window;
} beam_exit_state;

/* A thread's bundle processor of a stage, and what its bundles committed. */
typedef struct beam_processor {
    beam_worker *worker;
    uint32_t stage;
    beam_bundle *bundle; /* NULL: not open */
    beam_plan_source *source;
    beam_exit_state *exits;
    beam_buffer image; /* for side inputs by key */
    bool registered;   /* the lists below are made */
    /* In the order that the bundle tells them; written under worker->lock. */
    beam_plan_metric *metrics;
    size_t n_metrics, metrics_capacity;
    beam_arena functions; /* and names of theirs: a config may have told them, and goes first */
    struct beam_committed_count {
        const char *pcollection;
        uint64_t elements;
        bool root; /* what a source reads: counts in progress */
    } * counts;
    size_t n_counts, counts_capacity;
} beam_processor;

struct beam_worker {
    beam_execution *run;
    uint32_t index;
    pthread_t thread;
    beam_processor *processors;  /* one a stage */
    beam_span_loader loader;     /* of the buffer that the bundle reads */
    pthread_mutex_t lock;        /* guards what follows, and the item's at and end */
    beam_item *item;             /* running, or NULL */
    beam_processor *processor;   /* that runs it */
    uint64_t began, split_asked; /* nanoseconds; 0: not asked */
};

struct beam_execution {
    const beam_registry *registry;
    const beam_run_options *options; /* never NULL, complete */
    const beam_direct_options *direct;
    beam_direct_graph graph;
    beam_memory_budget budget;
    const char *temp_dir;
    beam_store *stores;
    beam_stage_run *stages;
    bool *roots; /* datasets that sources read */
    beam_worker *workers;
    uint32_t n_workers, n_threads; /* n_threads of them were started */
    uint64_t began;

    pthread_mutex_t lock; /* guards what follows, and the stages */
    pthread_cond_t work;  /* there may be something to do, or nothing ever again */
    pthread_cond_t over;
    size_t stages_left;
    uint32_t threads_left;
    bool stop; /* read without the lock too, atomically */
    beam_status status;
    beam_error error; /* the first one */
};

uint64_t beam_direct_now(void); /* nanoseconds, monotonic */

static inline bool beam_run_stopped(beam_execution *run)
{
    return __atomic_load_n(&run->stop, __ATOMIC_RELAXED);
}

/* ---- schedule.c ------------------------------------------------------------------------ */

/* Puts the stages that wait for nothing to work. */
beam_status beam_schedule_begin(beam_execution *run, beam_error *err);
/* The next item for a worker, waiting for one if need be; NULL: the run is over. */
beam_item *beam_schedule_take(beam_worker *worker);
/* The item was committed, and is freed. */
void beam_schedule_done(beam_worker *worker, beam_item *item);
/* The item failed: it is tried again, if that may help and was not in vain too often, or the run
 * fails. */
void beam_schedule_failed(beam_worker *worker, beam_item *item, bool again,
                          const beam_error *error);
/* Adds an item (a residual) to a stage that is running. */
void beam_schedule_add(beam_execution *run, beam_item *item);
/* Ends the run early; the first status and error stay. */
void beam_schedule_stop(beam_execution *run, beam_status status, const beam_error *error);
void beam_item_free(beam_item *item);
/* Claims up to `want` units for the worker's item: [*first, *first + *n); false: none left. */
bool beam_item_claim(beam_worker *worker, uint64_t want, uint64_t *first, uint64_t *n);

/* ---- processor.c ----------------------------------------------------------------------- */

/* Opens the bundle processor if it is not. */
beam_status beam_processor_open(beam_processor *processor, beam_error *err);
/* Closes the bundle processor and forgets what its bundle wrote. */
void beam_processor_reset(beam_processor *processor);
/* Makes what the bundle wrote part of the stores.  *partly: it failed with some of it done, so
 * that the bundle cannot be tried again. */
beam_status beam_processor_commit(beam_processor *processor, bool *partly, beam_error *err);
void beam_processor_free(beam_processor *processor);

/* ---- worker.c, result.c ---------------------------------------------------------------- */

void *beam_worker_main(void *worker);

beam_status beam_result_register(beam_processor *processor, beam_error *err);
void beam_result_commit(beam_processor *processor);
/* What was committed so far; `running` adds that of bundles at work.  Fills a zeroed result, which
 * is to be freed whatever comes back. */
beam_status beam_result_collect(beam_execution *run, bool running, beam_direct_result *result,
                                beam_error *err);
void beam_result_forget(beam_processor *processor);
/* Elements that sources read so far, those of running bundles too. */
uint64_t beam_result_elements(beam_execution *run);

/* ---- profile.c: all but open on the thread that watches -------------------------------- */

beam_status beam_profile_open(beam_execution *run, beam_error *err);
void beam_profile_close(beam_execution *run);
/* So much time has passed since the last sample. */
void beam_profile_sample(beam_execution *run, uint64_t nanoseconds);
/* Adds the stages to a result. */
beam_status beam_profile_collect(beam_execution *run, beam_direct_result *result);

#endif
