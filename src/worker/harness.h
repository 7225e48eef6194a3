/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* harness.h - the parts of a worker, and who may touch them.
 *
 * The thread of beam_worker_run reads the control stream and answers what is quickly answered.
 * Each bundle has a thread, and so has what its functions do after the commit; each data endpoint
 * has one that reads.  What they share is behind harness.lock, inboxes behind their own. */
#ifndef WORKER_HARNESS_H
#define WORKER_HARNESS_H

#include <pthread.h>

#include "base/map.h"
#include "bundle/bundle.h"
#include "model/message.h"
#include "net/grpc.h"
#include "worker/worker.h"

typedef struct beam_harness beam_harness;

/* ---- Data (data.c) ----------------------------------------------------------------------- */

/* A piece of the data of one source of one bundle. */
typedef struct beam_chunk {
    struct beam_chunk *next;
    char *transform;
    uint8_t *bytes;
    size_t size;
    bool is_last;
} beam_chunk;

typedef struct beam_inbox beam_inbox;
typedef struct beam_data_link beam_data_link;

/* The link to a data endpoint, made when it is first asked for. */
beam_status beam_data_link_get(beam_harness *harness, const char *endpoint, beam_data_link **link,
                               beam_error *err);
/* Elements of a bundle on their way to the engine; any thread. */
beam_status beam_data_send(beam_data_link *link, const BeamPb__Elements *elements, beam_error *err);
/* Where a bundle's data come in, from before it is asked for until it is closed. */
beam_inbox *beam_inbox_open(beam_harness *harness, const char *instruction);
/* The next piece, which the caller frees.  Waits. */
beam_status beam_inbox_take(beam_inbox *inbox, beam_chunk **chunk, beam_error *err);
void beam_chunk_free(beam_chunk *chunk);
/* What still comes for the bundle is thrown away. */
void beam_inbox_close(beam_harness *harness, beam_inbox *inbox);
/* Fails all bundles that wait for data; and ends the links, when no bundle is left. */
void beam_data_break(beam_harness *harness);
void beam_data_stop(beam_harness *harness);

/* ---- State (state.c) --------------------------------------------------------------------- */

typedef struct beam_state_link beam_state_link;

beam_status beam_state_link_get(beam_harness *harness, const char *endpoint, beam_state_link **link,
                                beam_error *err);
/* All that the engine keeps under the key, appended to *data. */
beam_status beam_state_read(beam_state_link *link, const char *instruction, BeamPb__StateKey *key,
                            beam_buffer *data, beam_error *err);
void beam_state_stop(beam_harness *harness);

/* ---- Bundles (processor.c, edges.c) ---------------------------------------------------- */

typedef struct beam_descriptor {
    BeamPb__ProcessBundleDescriptor *message;
    struct beam_processor *idle; /* set up, and waiting for the next bundle */
} beam_descriptor;

/* Where elements enter: decoded and pushed. */
typedef struct beam_entry {
    beam_plan_source *source;
    const beam_plan_port *port;
    const beam_type *element, *window; /* of the wire form */
    beam_buffer rest;                  /* an element's beginning, the end of a piece */
    bool done;
    /* split.c: of the bundle's elements, those begun or about to be, and where it ends; both
     * behind processor.cutting.  The rest is the bundle's thread's. */
    int64_t taken, stop;
    uint32_t granted; /* of those taken, not yet decoded */
    uint32_t step;    /* how many to take at once */
    int64_t taken_at; /* when the last were, in ns */
} beam_entry;

/* Where elements leave: encoded and sent. */
typedef struct beam_exit {
    struct beam_processor *processor;
    const beam_plan_port *port;
    const beam_type *element, *window;
    beam_data_link *link;
    beam_buffer bytes;
} beam_exit;

/* A stage of this worker, for one bundle at a time. */
typedef struct beam_processor {
    struct beam_processor *next;
    beam_harness *harness;
    beam_descriptor *descriptor;
    beam_arena arena; /* types, for as long as the processor */
    beam_bundle *bundle;
    beam_entry *entries;
    size_t n_entries;
    beam_exit **exits;
    size_t n_exits, exits_capacity;
    const char *instruction; /* of the bundle at hand */
    int watchers;            /* behind harness.lock: the bundle may not end while others look */
    pthread_mutex_t cutting;
    char *split_asked;   /* the request that a splittable DoFn will answer; behind `cutting` */
    bool splits_inside;  /* there is one, and it reads an entry */
    beam_arena elements; /* of the batch at hand */
    char *batch;         /* room for it */
    size_t batch_bytes;
    beam_arena sides; /* side inputs, until the bundle ends */
    beam_map side_cache;
} beam_processor;

/* Runs one bundle and fills the response, which is the arena's. */
beam_status beam_processor_run(beam_harness *harness, const char *instruction,
                               const BeamPb__ProcessBundleRequest *request, beam_arena *arena,
                               BeamPb__ProcessBundleResponse *response, beam_error *err);
void beam_descriptors_free(beam_harness *harness);

/* edges.c: entries, exits and side inputs of a processor that has a bundle to be opened. */
beam_status beam_edges_bind_sink(void *self, const beam_plan_port *port, beam_plan_sink *sink,
                                 beam_error *err);
beam_status beam_edges_bind_side(void *self, beam_plan_side *side, beam_error *err);
beam_status beam_edges_side_input(void *self, const beam_plan_side *side, const beam_window *window,
                                  const void *key, beam_iterable *values, beam_error *err);
beam_status beam_edges_open_entries(beam_processor *processor, beam_error *err);
/* Pushes a piece of an entry's data. */
beam_status beam_edges_feed(beam_processor *processor, beam_entry *entry, const void *bytes,
                            size_t size, bool is_last, beam_error *err);
/* Sends what is left, and that it was all. */
beam_status beam_edges_flush(beam_processor *processor, beam_error *err);
void beam_edges_end_bundle(beam_processor *processor);
void beam_edges_free(beam_processor *processor);

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
/* After the bundle, when nobody asks any more: a request that is still open gets nothing. */
beam_status beam_split_end(beam_processor *processor, beam_error *err);

/* ---- Metrics (monitoring.c) ------------------------------------------------------------------ */

/* What a bundle has counted so far, as both forms that engines read. */
typedef struct beam_monitoring {
    BeamPb__MonitoringInfo **infos;
    BeamPb__BytesEntry **data;
    size_t n, capacity;
} beam_monitoring;

beam_status beam_monitor_bundle(beam_harness *harness, const beam_processor *processor,
                                beam_arena *arena, beam_monitoring *monitoring);
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
/* Sends what waits, for two seconds at most.  NULL is fine. */
void beam_fn_log_close(beam_fn_log *log);

/* ---- The worker ---------------------------------------------------------------------------- */

/* Sends a response; any thread. */
beam_status beam_harness_respond(beam_harness *harness, const BeamPb__InstructionResponse *response,
                                 beam_error *err);

struct beam_harness {
    const beam_worker_options *options;
    const beam_logger *logger;
    beam_fn_log *log;           /* NULL: the engine wants none */
    beam_grpc_channel *channel; /* of the control service */
    beam_grpc_stream *control;
    pthread_mutex_t sending; /* on the control stream */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    beam_map descriptors;   /* id to beam_descriptor */
    beam_map running;       /* instruction to beam_processor */
    beam_map inboxes;       /* instruction to beam_inbox */
    beam_map finalizers;    /* instruction to what is called once the engine has committed it */
    beam_map past;          /* instructions that have ended, of which data may still come */
    beam_error data_broken; /* why no more data come; code BEAM_OK: they do */
    char **past_ring;
    size_t past_at;
    beam_data_link *data_links;
    beam_state_link *state_links;
    beam_map short_ids; /* a metric's identity to its number + 1 */
    BeamPb__MonitoringInfo **metadata;
    size_t n_metadata, metadata_capacity;
    beam_arena metadata_arena;
    size_t tasks; /* threads at work */
    bool stopping;
};

#endif
