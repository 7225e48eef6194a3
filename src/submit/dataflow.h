/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow.h - a pipeline on Google Cloud's Dataflow, by its REST API (v1b3):
 *
 *     dataflow.c              beam_dataflow_run: all of it, in order
 *     dataflow_options.c      Beam's options, read and checked
 *     dataflow_accelerator.c  "type:nvidia-l4;count:1;install-nvidia-driver" and what goes with
 * what dataflow_rules.c        options and pipeline against one another dataflow_preflight.c what
 * only the services can tell: bucket, region, rights, quota dataflow_image.c        the container
 * image, as its registry tells of it dataflow_stage.c        the pipeline and its files into Cloud
 * Storage dataflow_request.c      the job as JSON dataflow_client.c       one request to a service
 *     dataflow_answers.c      what services answer (hostile)
 *     dataflow_job.c          a job from its beginning to its metrics
 *
 * Everything that can be known to be wrong is told before anything is sent that costs money.  Field
 * names are those of Google's discovery document, which tests hold each request to. */
#ifndef SUBMIT_DATAFLOW_H
#define SUBMIT_DATAFLOW_H

#include <jansson.h>

#include "net/rest.h"
#include "submit/environment.h"
#include "submit/metrics.h"

/* ---- dataflow_accelerator.c ------------------------------------------------------------------ */

enum { BEAM_DATAFLOW_NAME = 64 };

typedef struct beam_dataflow_accelerator {
    bool is_tpu;
    char type[BEAM_DATAFLOW_NAME];     /* "nvidia-tesla-t4", "tpu-v5-lite-podslice" */
    char topology[BEAM_DATAFLOW_NAME]; /* of a TPU: "2x4" */
    int64_t count;                     /* of GPUs a worker */
    bool has_driver;                   /* install-nvidia-driver */
    char driver[BEAM_DATAFLOW_NAME];   /* the version behind it: "5xx"; "": Dataflow's choice */
} beam_dataflow_accelerator;

/* INVALID_ARGUMENT shows the right form.  `from` says whose it is: "--worker_accelerator". */
beam_status beam_dataflow_accelerator_parse(const char *from, const char *text,
                                            beam_dataflow_accelerator *accelerator,
                                            beam_error *err);
/* Whether a machine type (NULL: none is named) can hold it. */
beam_status beam_dataflow_accelerator_fits(const beam_dataflow_accelerator *accelerator,
                                           const char *machine_type, beam_error *err);
/* The name of Compute Engine's quota for it; NULL where we know none. */
const char *beam_dataflow_accelerator_quota(const beam_dataflow_accelerator *accelerator);
/* How many vCPUs a machine of that type has (NULL, Dataflow's choice: 1 at least), and the name of
 * the quota that they are counted by; 0 where we do not know. */
int64_t beam_dataflow_machine_vcpus(const char *machine_type, const char **quota);

/* ---- dataflow_options.c ---------------------------------------------------------------------- */

typedef struct beam_dataflow_list {
    const char **items;
    size_t n;
} beam_dataflow_list;

/* Texts live in the arena or are the caller's; NULL where nothing was given. */
typedef struct beam_dataflow_options {
    const char *project, *region, *job_name, *temp_location, *staging_location, *image;
    const char *endpoint; /* of Dataflow, without a slash at its end */
    const char *machine_type, *disk_type, *worker_zone, *worker_region, *network, *subnetwork;
    const char *service_account, *kms_key, *flexrs_goal, *autoscaling, *public_ips;
    int64_t num_workers, max_num_workers, disk_size_gb, threads; /* 0: Dataflow's choice */
    bool streaming, update, no_auth, prime;
    bool has_accelerator; /* for all workers */
    beam_dataflow_accelerator accelerator;
    beam_dataflow_list experiments, service_options, labels;
    const char *name_mapping;    /* a JSON object */
    const beam_named_value *all; /* as they were given */
    size_t n_all;
} beam_dataflow_options;

/* Reads what Beam's names stand for and checks each, and those that exclude others.
 * `program` makes a job's name where there is none. */
beam_status beam_dataflow_options_read(const beam_named_value *values, size_t n,
                                       const char *job_name, const char *program, beam_arena *arena,
                                       beam_dataflow_options *options, beam_error *err);
/* The same of those alone that say where the service is: project, region, endpoint, no_auth. */
beam_status beam_dataflow_service_read(const beam_named_value *values, size_t n, beam_arena *arena,
                                       beam_dataflow_options *options, beam_error *err);
bool beam_dataflow_has(const beam_dataflow_list *list, const char *item);

/* ---- dataflow_rules.c ------------------------------------------------------------------------ */

/* What can be said of options and a pipeline's hints without asking anybody.  *wanted is what the
 * image must be made for: the whole job's accelerator, or with Prime that of a transform; its type
 * is "" where there is none. */
beam_status beam_dataflow_check(const beam_dataflow_options *options,
                                const BeamPb__Pipeline *pipeline, beam_dataflow_accelerator *wanted,
                                beam_error *err);

/* ---- dataflow_stage.c ------------------------------------------------------------------------ */

typedef struct beam_dataflow_staged {
    beam_buffer pipeline; /* serialized */
    const char *url;      /* gs://... where it goes, named by its checksum */
    const char *sha256;   /* of its bytes */
    const char *folder;   /* gs://...: artifacts go to <folder>/<sha256> */
} beam_dataflow_staged;

/* Works out what is to be staged where; sends nothing. */
beam_status beam_dataflow_plan_staging(const beam_dataflow_options *options,
                                       const beam_job_description *job, beam_arena *arena,
                                       beam_dataflow_staged *staged, beam_error *err);
/* Sends what is not there yet. */
beam_status beam_dataflow_stage(const beam_dataflow_staged *staged, const beam_artifacts *artifacts,
                                const beam_logger *logger, const int *cancel, beam_error *err);

/* ---- dataflow_request.c ---------------------------------------------------------------------- */

/* The body of projects.locations.jobs.create, to be given back with json_decref; NULL when memory
 * is out.  `request_id` makes a request that arrives twice one job; `replaces`: the id of the job
 * that --update replaces, or NULL. */
json_t *beam_dataflow_request(const beam_dataflow_options *options,
                              const beam_dataflow_staged *staged, const BeamPb__Pipeline *pipeline,
                              const char *request_id, const char *replaces);

/* ---- dataflow_client.c ----------------------------------------------------------------------- */

typedef struct beam_dataflow_client {
    beam_http http;
    beam_auth *auth; /* NULL: --no_auth */
    const beam_dataflow_options *options;
    int first_ms, deadline_ms;
    int64_t timeout_ms; /* of one request; 0: no limit but http.h's */
    const int *cancel;  /* requests are not made again once *cancel is not 0, and those that change
                         * nothing broken off: BEAM_CANCELLED.  NULL: never */
} beam_dataflow_client;

/* Finds credentials. */
beam_status beam_dataflow_client_open(const beam_dataflow_options *options,
                                      beam_dataflow_client *client, beam_error *err);
void beam_dataflow_client_close(beam_dataflow_client *client);

typedef struct beam_dataflow_call {
    const char *method;
    const char *url;   /* the whole address */
    const char *doing; /* "cannot <doing>: ..." */
    const json_t *body;
    const char *accept;         /* a header, or NULL */
    bool anonymous;             /* the token is not for this service */
    long *code;                 /* where the code of the last answer goes; NULL: nowhere */
    beam_http_headers *headers; /* likewise */
    bool any_code;              /* codes below 500 are no errors: the caller looks */
} beam_dataflow_call;

/* The answer's body, JSON or not; freed by the caller. */
beam_status beam_dataflow_perform(beam_dataflow_client *client, const beam_dataflow_call *call,
                                  beam_buffer *answer, beam_error *err);
/* "<endpoint>/v1b3/projects/P/locations/R/jobs" and the format behind it, in the arena; parts that
 * come from elsewhere are escaped by beam_dataflow_escape first.  NULL when memory is out. */
char *beam_dataflow_url(const beam_dataflow_client *client, beam_arena *arena, const char *format,
                        ...) BEAM_PRINTF(3, 4);
char *beam_dataflow_escape(beam_arena *arena, const char *text);

/* ---- dataflow_answers.c: BEAM_DATA_LOSS for what is no such answer -----------------------------
 */

typedef enum beam_dataflow_state {
    BEAM_DATAFLOW_WAITING, /* pending, queued, and what later versions may add */
    BEAM_DATAFLOW_RUNNING,
    BEAM_DATAFLOW_ENDING, /* cancelling, draining, cleaning up */
    BEAM_DATAFLOW_DONE,
    BEAM_DATAFLOW_FAILED,
    BEAM_DATAFLOW_CANCELLED,
    BEAM_DATAFLOW_UPDATED,
    BEAM_DATAFLOW_DRAINED
} beam_dataflow_state;

typedef struct beam_dataflow_job {
    char id[256], name[256], request_id[128], replaced_by[256];
    beam_dataflow_state state;
    char state_name[BEAM_DATAFLOW_NAME]; /* "RUNNING" */
} beam_dataflow_job;

bool beam_dataflow_has_ended(beam_dataflow_state state);
beam_status beam_dataflow_parse_job(const void *text, size_t size, beam_dataflow_job *job);
/* The first job of the name that has not ended; an empty id: none.  *next_page, in the arena. */
beam_status beam_dataflow_parse_jobs(const void *text, size_t size, const char *name,
                                     beam_arena *arena, beam_dataflow_job *job, char **next_page);

typedef struct beam_dataflow_message {
    const char *id, *time, *text; /* printable */
    beam_log_level level;
} beam_dataflow_message;

typedef struct beam_dataflow_messages {
    beam_dataflow_message *items; /* the arena's, as all else here */
    size_t n;
    char *next_page;     /* NULL: it was the last */
    int64_t num_workers; /* as of the last event about it; -1: none */
} beam_dataflow_messages;

beam_status beam_dataflow_parse_messages(const void *text, size_t size, beam_arena *arena,
                                         beam_dataflow_messages *messages);
/* Metrics of users' functions; `names`: from a transform's id to its unique name. */
beam_status beam_dataflow_parse_metrics(const void *text, size_t size, const beam_map *names,
                                        beam_arena *arena, beam_job_metrics *metrics);

/* Of one of Compute Engine's regions: limit and usage of a quota.  NOT_FOUND: it has no such. */
beam_status beam_dataflow_parse_quota(const void *text, size_t size, const char *metric,
                                      double *limit, double *usage);

/* What an image says of itself in its manifest and its configuration. */
typedef struct beam_dataflow_manifest {
    char config[160]; /* digest of the configuration; "" in an index */
    char amd64[160];  /* in an index: digest of the manifest for this kind of machine; "" none */
} beam_dataflow_manifest;
beam_status beam_dataflow_parse_manifest(const void *text, size_t size,
                                         beam_dataflow_manifest *manifest);
typedef struct beam_dataflow_image {
    char architecture[BEAM_DATAFLOW_NAME], entry_point[256];
    char backend[BEAM_DATAFLOW_NAME]; /* BEAM_ACCELERATOR_BACKEND: "gpu", "tpu"; "": none */
    char tpu[BEAM_DATAFLOW_NAME];     /* TPU_ACCELERATOR_TYPE */
    int cuda;                         /* the label libbeam.cuda: 12, 13; 0: none */
    char cudnn[BEAM_DATAFLOW_NAME];   /* the label libbeam.cudnn; "": none */
} beam_dataflow_image;
beam_status beam_dataflow_parse_image(const void *text, size_t size, beam_dataflow_image *image);

/* ---- dataflow_image.c ------------------------------------------------------------------------ */

/* Asks the image's registry.  *known: it told; false where it wants other credentials than ours. */
beam_status beam_dataflow_find_image(beam_dataflow_client *client, beam_arena *arena,
                                     beam_dataflow_image *image, bool *known, beam_error *err);
/* Whether the image suits the accelerator (NULL: none is asked for). */
beam_status beam_dataflow_image_suits(const char *name, const beam_dataflow_image *image,
                                      const beam_dataflow_accelerator *accelerator,
                                      const beam_logger *logger, beam_error *err);

/* ---- dataflow_preflight.c -------------------------------------------------------------------- */

/* Asks the services.  What may not be looked at is logged and taken to be right.  `wanted`: as
 * beam_dataflow_check said. */
beam_status beam_dataflow_preflight(beam_dataflow_client *client,
                                    const beam_dataflow_accelerator *wanted,
                                    const beam_logger *logger, beam_error *err);

/* ---- dataflow_job.c -------------------------------------------------------------------------- */

typedef struct beam_dataflow_watch {
    const beam_logger *logger;
    const int *cancel; /* the job is cancelled soon after *cancel becomes non-zero */
    void (*on_tick)(void *user, const char *state); /* several times a second; may be NULL */
    void *user;
} beam_dataflow_watch;

/* Creates the job. */
beam_status beam_dataflow_create(beam_dataflow_client *client, const json_t *request,
                                 beam_dataflow_job *job, beam_error *err);
/* Follows it to its end: BEAM_OK when it did what it should, drained and updated ones included. */
beam_status beam_dataflow_follow(beam_dataflow_client *client, beam_dataflow_job *job,
                                 const beam_dataflow_watch *watch, beam_error *err);
beam_status beam_dataflow_fetch_metrics(beam_dataflow_client *client, const beam_dataflow_job *job,
                                        const BeamPb__Pipeline *pipeline, beam_arena *arena,
                                        beam_job_metrics *metrics, beam_error *err);
/* "JOB_STATE_CANCELLED" or "JOB_STATE_DRAINED". */
beam_status beam_dataflow_ask_for(beam_dataflow_client *client, const char *id, const char *state,
                                  beam_error *err);
beam_status beam_dataflow_look(beam_dataflow_client *client, const char *id, beam_dataflow_job *job,
                               beam_error *err);
/* The job of the name that has not ended; an empty id: none. */
beam_status beam_dataflow_find(beam_dataflow_client *client, const char *name,
                               beam_dataflow_job *job, beam_error *err);

/* ---- dataflow.c ------------------------------------------------------------------------------ */

typedef struct beam_dataflow_submission {
    const beam_dataflow_options *options;
    beam_job_description job; /* its environment is of Docker */
    beam_dataflow_watch watch;
} beam_dataflow_submission;

/* The request, and what would be staged, for people and tools: one JSON object, free()d by the
 * caller.  Asks nobody. */
beam_status beam_dataflow_describe(const beam_dataflow_submission *submission, char **text,
                                   beam_error *err);
/* As beam_submit. */
beam_status beam_dataflow_run(const beam_dataflow_submission *submission, beam_arena *arena,
                              beam_job_metrics *metrics, beam_error *err);

#endif
