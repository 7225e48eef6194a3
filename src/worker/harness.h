/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* harness.h - the parts of a worker, and who may touch them.
 *
 * The thread of beam_worker_run reads the control stream, asks control.h what to do, and answers
 * what is quickly answered.  Each bundle has a thread of the pool, and so has what its functions do
 * after the commit; each data endpoint has one that reads.  What they share is behind harness.lock,
 * inboxes behind their own. */
#ifndef WORKER_HARNESS_H
#define WORKER_HARNESS_H

#include <pthread.h>

#include "base/map.h"
#include "bundle/bundle.h"
#include "model/message.h"
#include "net/grpc.h"
#include "net/grpc_wire.h"
#include "type/coder.h"
#include "worker/cache.h"
#include "worker/control.h"
#include "worker/inbox.h"
#include "worker/threads.h"
#include "worker/worker.h"

typedef struct beam_harness beam_harness;
typedef struct beam_processor beam_processor;

/* ---- Links (links.c) --------------------------------------------------------------------- */

typedef struct beam_link beam_link;

typedef struct beam_link_kind {
    size_t size;
    /* Opens what follows the beam_link; what is open after an error is closed as below. */
    beam_status (*connect)(beam_harness *harness, beam_link *link, beam_error *err);
    void (*cancel)(beam_link *link); /* whoever uses it returns soon, and it is lost */
    void (*close)(beam_link *link);
} beam_link_kind;

/* A stream to a service of the engine's: what comes first in the links below.  One that is lost
 * stays what it was for those who hold it, and who comes next gets another. */
struct beam_link {
    beam_link *next;
    const beam_link_kind *kind;
    char *endpoint;
    /* Behind harness.lock. */
    bool connected;  /* until then it is of the thread that connects it */
    beam_error lost; /* why it is of no use any more; code BEAM_OK: it is of use */
    size_t holders;
};

/* The link to an endpoint in the list, made where there is none of use: then it waits until that is
 * connected, or the worker ends.  Whoever gets it holds it until it is released. */
beam_status beam_link_get(beam_harness *harness, beam_link **all, const beam_link_kind *kind,
                          const char *endpoint, beam_link **link, beam_error *err);
void beam_link_release(beam_harness *harness, beam_link *link);
/* Nobody gets it any more, and the caller cancels it.  Of several reasons the first stays. */
void beam_link_lose(beam_harness *harness, beam_link *link, const beam_error *why);
/* BEAM_OK, or why it was lost. */
beam_status beam_link_check(beam_harness *harness, const beam_link *link, beam_error *err);
/* Whoever reads or writes one, or will, fails. */
void beam_links_break(beam_harness *harness, beam_link *const *all);
/* Once nobody holds any, or comes. */
void beam_links_close(beam_link **all);

/* ---- Data (data.c) ----------------------------------------------------------------------- */

typedef struct beam_data_link beam_data_link;

/* As beam_link_get, for the bundle of that inbox, which fails when the link is lost. */
beam_status beam_data_link_get(beam_harness *harness, const char *endpoint, beam_inbox *inbox,
                               beam_data_link **link, beam_error *err);
void beam_data_link_release(beam_data_link *link);
/* Elements that a transform of a bundle has for the engine, which is given them when it returns;
 * any thread. */
beam_status beam_data_send(beam_data_link *link, const char *instruction, const char *transform,
                           const beam_buffer *bytes, bool is_last, beam_error *err);
/* BEAM_OK: as far as is known what was sent arrives. */
beam_status beam_data_check(beam_data_link *link, beam_error *err);
/* Fails all bundles that wait for data; and ends the links, when no bundle is left. */
void beam_data_break(beam_harness *harness);
void beam_data_stop(beam_harness *harness);

/* ---- State (state.c) --------------------------------------------------------------------- */

/* A page of what the engine keeps under the key, appended to *data: the first one with an empty
 * token, which becomes that of the next page, empty when there is none.  When the engine ends the
 * stream, all who wait for an answer fail. */
beam_status beam_state_get(const beam_processor *processor, const BeamPb__StateKey *key,
                           beam_buffer *token, beam_buffer *data, beam_error *err);
/* Whoever waits for an answer fails, as does who asks when the control plane has ended; and frees
 * the links. */
void beam_state_break(beam_harness *harness);
void beam_state_stop(beam_harness *harness);

/* ---- Iterables that the engine keeps (pages.c) ------------------------------------------- */

typedef struct beam_reading beam_reading;

/* What an iterable of beam_pages_ops has as its source. */
typedef struct beam_pages {
    beam_processor *processor;
    const beam_type *element;
    const void *values; /* n that are there already */
    uint64_t n;
    beam_bytes rest;         /* the beginning of the next */
    beam_bytes key;          /* of the rest: a StateKey */
    beam_bytes token;        /* of the first page that is not there */
    beam_reading **readings; /* of this and others that live as long */
} beam_pages;

/* Where a decoder opens them: its `user`, with beam_pages_of_tail as open_tail. */
typedef struct beam_tails {
    beam_processor *processor;
    beam_arena *arena;
    beam_reading **readings; /* of all that are in the arena */
    bool any;                /* there are some */
} beam_tails;

/* An iterable in the arena, `like` with that key; what `like` points to lives as long. */
beam_status beam_pages_open(const beam_pages *like, const BeamPb__StateKey *key, beam_arena *arena,
                            beam_iterable *values, beam_error *err);
beam_status beam_pages_of_tail(void *user, const beam_iterable_tail *tail, beam_iterable *values,
                               beam_error *err);
/* Nobody goes on with any of them, whether it has come to its end or not. */
void beam_readings_end(beam_reading *readings);
void beam_readings_free(beam_reading **readings);
/* All whole values, into an array that beam_free frees. */
beam_status beam_decode_run(const beam_decoder *decoder, const beam_type *type, beam_reader *reader,
                            void **values, size_t *capacity, size_t *n);

/* ---- Bundles (processor.c, edges.c) ---------------------------------------------------- */

typedef struct beam_descriptor {
    BeamPb__ProcessBundleDescriptor *message;
    beam_processor *idle; /* set up, and waiting for the next bundle */
} beam_descriptor;

/* What passes an edge, looked at now and then. */
typedef struct beam_passing {
    beam_metric_cell sizes; /* of some encoded elements */
    uint32_t seen;
    int wanted; /* one is to be kept */
} beam_passing;

/* What a bundle is at; and how long each transform was found at it. */
enum { BEAM_PHASE_START, BEAM_PHASE_PROCESS, BEAM_PHASE_FINISH, BEAM_PHASES, BEAM_PHASE_WAITS };
typedef struct beam_spent {
    int64_t ns[BEAM_PHASES];
} beam_spent;

/* Where elements enter: decoded and pushed. */
typedef struct beam_entry {
    beam_plan_source *source;
    const beam_plan_port *port;
    const beam_type *element, *window; /* of the wire form */
    const char *endpoint;              /* where its data come from */
    beam_data_link *link;              /* to there, while there is a bundle */
    beam_buffer rest;                  /* an element's beginning, the end of a span */
    size_t worth;                      /* rest is looked at again once it is so long */
    bool done;
    /* split.c: of the bundle's elements, those begun or about to be, and where it ends; both
     * behind processor.cutting.  The rest is the bundle's thread's. */
    int64_t taken, stop;
    uint32_t granted; /* of those taken, not yet decoded */
    uint32_t step;    /* how many to take at once */
    int64_t taken_at; /* when the last were, in ns */
    beam_passing passing;
} beam_entry;

/* Where elements leave: encoded and sent. */
typedef struct beam_exit {
    beam_processor *processor;
    const beam_plan_port *port;
    const beam_type *element, *window;
    const char *endpoint;
    beam_data_link *link;
    beam_buffer bytes;
    beam_passing passing;
} beam_exit;

/* A stage of this worker, for one bundle at a time. */
struct beam_processor {
    beam_processor *next;
    beam_harness *harness;
    beam_descriptor *descriptor;
    beam_arena arena; /* types, for as long as the processor */
    beam_bundle *bundle;
    beam_entry *entries;
    size_t n_entries;
    beam_exit **exits;
    size_t n_exits, exits_capacity;
    const char *instruction; /* of the bundle at hand */
    pthread_mutex_t cutting;
    char *split_asked;   /* the request that a splittable DoFn will answer; behind `cutting` */
    bool splits_inside;  /* there is one, and it reads an entry */
    beam_arena elements; /* of the batch at hand */
    char *batch;         /* room for it */
    size_t batch_bytes;
    beam_reading *readings;                      /* of iterables among the elements of the batch */
    beam_tails tails;                            /* these iterables */
    const BeamPb__ProcessBundleRequest *request; /* of the bundle at hand */
    struct beam_side *sides;
    beam_reading *side_readings;
    bool paged;        /* some side input is not held whole */
    beam_error unread; /* why an iterable could not be read to its end; code BEAM_OK: all could */
    int phase;
    beam_spent *spent; /* a transform of the descriptor each, the arena's */
    time_t begun;
};

/* Runs one bundle, from _runs to _done, and fills the response, which is the arena's. */
beam_status beam_processor_run(beam_harness *harness, beam_control_bundle *bundle,
                               const BeamPb__ProcessBundleRequest *request, beam_arena *arena,
                               BeamPb__ProcessBundleResponse *response, beam_error *err);
void beam_descriptors_free(beam_harness *harness);

/* edges.c: entries and exits of a processor that has a bundle to be opened. */
beam_status beam_edges_bind_sink(void *self, const beam_plan_port *port, beam_plan_sink *sink,
                                 beam_error *err);
beam_status beam_edges_open_entries(beam_processor *processor, beam_error *err);
/* Gets what elements come and go over, which beam_edges_end_bundle gives back. */
beam_status beam_edges_begin_bundle(beam_processor *processor, beam_inbox *inbox, beam_error *err);
/* Pushes the next of an entry's data. */
beam_status beam_edges_feed(beam_processor *processor, beam_entry *entry, const beam_chunk *chunk,
                            beam_error *err);
/* Sends what is left, and that it was all. */
beam_status beam_edges_flush(beam_processor *processor, beam_error *err);
void beam_edges_end_bundle(beam_processor *processor);
void beam_edges_free(beam_processor *processor);

/* sides.c: the driver's bind_side and side_input. */
beam_status beam_sides_bind(void *self, beam_plan_side *side, beam_error *err);
beam_status beam_sides_read(void *self, const beam_plan_side *side, const beam_window *window,
                            const void *key, beam_iterable *values, beam_error *err);
void beam_sides_end_bundle(beam_processor *processor);

/* ---- Splits (split.c) ------------------------------------------------------------------------ */

/* Once the entries are there; and before each bundle. */
void beam_split_open(beam_processor *processor);
void beam_split_begin(beam_processor *processor);
/* The bundle's thread: how many elements it may begin now, at most `most`; it begins them before it
 * asks again.  0: the rest is not the bundle's any more. */
uint32_t beam_split_take(beam_processor *processor, beam_entry *entry, uint32_t most);
/* The driver's `residual`. */
beam_status beam_split_residual(void *self, const beam_plan_split *split, beam_error *err);
/* The thread that reads instructions: fills the response to the instruction `id`, or sets *later,
 * and the bundle's thread sends it. */
beam_status beam_split_running(beam_processor *processor, const char *id,
                               const BeamPb__ProcessBundleSplitRequest *request, beam_arena *arena,
                               BeamPb__ProcessBundleSplitResponse *response, bool *later);
/* A request that is still open gets nothing: the driver's `refused`; and after the bundle, when
 * nobody asks any more. */
void beam_split_refuse(void *self);

/* ---- Looks now and then (sampling.c) --------------------------------------------------------- */

enum { BEAM_SAMPLES = 10 /* of a PCollection */, BEAM_SAMPLE_EVERY = 64 };

/* While bundles run, a thread looks at what they are at. */
beam_status beam_sampling_begin(beam_harness *harness, beam_error *err);
/* Once the control plane ends. */
void beam_sampling_end(beam_harness *harness);
void beam_passing_sample(beam_harness *harness, beam_passing *passing, const char *pcollection,
                         const void *bytes, size_t size);
/* An encoded element passes; the thread that drives the bundle. */
static inline void beam_passes(beam_harness *harness, beam_passing *passing,
                               const char *pcollection, const void *bytes, size_t size)
{
    if (BEAM_UNLIKELY(passing->seen++ % BEAM_SAMPLE_EVERY == 0))
        beam_passing_sample(harness, passing, pcollection, bytes, size);
}
beam_status beam_samples_answer(beam_harness *harness, const BeamPb__SampleDataRequest *request,
                                beam_arena *arena, BeamPb__SampleDataResponse *response);

/* ---- Metrics (monitoring.c) ------------------------------------------------------------------ */

/* What a bundle has counted so far, as both forms that engines read. */
typedef struct beam_monitoring {
    BeamPb__MonitoringInfo **infos;
    BeamPb__BytesEntry **data;
    size_t n, capacity;
} beam_monitoring;

beam_status beam_monitor_bundle(beam_harness *harness, const beam_processor *processor,
                                beam_arena *arena, beam_monitoring *monitoring);
/* What the worker has counted that is of no bundle. */
beam_status beam_monitor_harness(beam_harness *harness, beam_arena *arena,
                                 beam_monitoring *monitoring);
void beam_monitoring_free(beam_monitoring *monitoring);
/* What short ids stand for. */
beam_status beam_metadata_answer(beam_harness *harness,
                                 const BeamPb__MonitoringInfosMetadataRequest *request,
                                 beam_arena *arena,
                                 BeamPb__MonitoringInfosMetadataResponse *response);
void beam_metadata_free(beam_harness *harness);

/* ---- Log (logging.c) ------------------------------------------------------------------------- */

typedef struct beam_fn_log beam_fn_log;

/* When the engine gave an endpoint for it, harness->logger becomes one whose records go to the
 * engine too, with the instruction that the thread works at, besides the worker's own logger.  They
 * leave from a thread of their own: nobody waits for an engine to take them.  When it is slow some
 * are lost, and counted; when it is gone, all. */
beam_status beam_fn_log_open(beam_harness *harness, beam_error *err);
/* What the calling thread works at, until it says something else; NULL: nothing. */
void beam_fn_log_instruction(const char *id);
/* Of which transform the thread tells next, where that is not the one that runs. */
void beam_fn_log_transform(const char *id);
/* Sends what waits, for two seconds at most.  NULL is fine. */
void beam_fn_log_close(beam_fn_log *log);

/* ---- Status (status.c) ----------------------------------------------------------------------- */

typedef struct beam_fn_status beam_fn_status;

/* Where the engine gave an endpoint for it, a thread answers what the worker is at. */
beam_status beam_fn_status_open(beam_harness *harness, beam_error *err);
void beam_fn_status_close(beam_fn_status *status); /* NULL is fine */

/* ---- The worker ---------------------------------------------------------------------------- */

/* Sends the response to an instruction, once; any thread. */
beam_status beam_harness_respond(beam_harness *harness, const BeamPb__InstructionResponse *response,
                                 beam_error *err);

struct beam_harness {
    const beam_worker_options *options;
    const beam_logger *logger;
    beam_fn_log *log;           /* NULL: the engine wants none */
    beam_fn_status *status;     /* the same */
    beam_grpc_channel *channel; /* of the control service */
    beam_grpc_stream *stream;   /* of instructions */
    pthread_mutex_t sending;    /* on it */
    beam_threads threads;       /* bundles, and what their functions do after the commit */

    beam_inboxes inboxes; /* of bundles */
    beam_cache cache;     /* of side inputs */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    beam_error lost; /* why an answer did not reach the engine; code BEAM_OK: all did */
    beam_control control;
    beam_map descriptors; /* id to beam_descriptor */
    beam_link *data_links, *state_links;
    beam_map samples; /* of PCollections, by id */
    pthread_t sampler;
    bool samples_taken;
    beam_map short_ids; /* a metric's identity to its number + 1 */
    BeamPb__MonitoringInfo **metadata;
    size_t n_metadata, metadata_capacity;
    beam_arena metadata_arena;
};

#endif
