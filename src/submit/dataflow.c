/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow.c - a run on Dataflow: rules, questions, files, the job, its end. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "submit/dataflow.h"

#include "model/message.h"

/* What one run holds. */
typedef struct run {
    const beam_dataflow_submission *s;
    beam_dataflow_client client;
    beam_dataflow_staged staged;
    BeamPb__Pipeline *pipeline; /* as it is staged */
    beam_dataflow_accelerator wanted;
    beam_arena arena;
} run;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a job on Dataflow");
}

static beam_status prepare(run *r, beam_error *err)
{
    BEAM_TRY(beam_dataflow_plan_staging(r->s->options, &r->s->job, &r->arena, &r->staged, err));
    BEAM_TRY(beam_message_unpack(&beam_pb__pipeline__descriptor, r->staged.pipeline.data,
                                 r->staged.pipeline.len, &r->pipeline, err));
    return beam_dataflow_check(r->s->options, r->pipeline, &r->wanted, err);
}

static void end(run *r)
{
    beam_dataflow_client_close(&r->client);
    beam_message_free(r->pipeline);
    beam_buffer_free(&r->staged.pipeline);
    beam_arena_free(&r->arena);
}

/* Another for each run, so that a request that arrives twice is one job, and two runs are two. */
static void make_request_id(char id[48])
{
    uint64_t random = 0;
    struct timespec now = {0};
    (void)!getrandom(&random, sizeof random, 0);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(id, 48, "%llx-%llx",
                   (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec,
                   (unsigned long long)random);
}

static beam_status make_request(run *r, const char *replaces, json_t **request, beam_error *err)
{
    char id[48];
    make_request_id(id);
    *request = beam_dataflow_request(r->s->options, &r->staged, r->pipeline, id, replaces);
    return *request ? BEAM_OK : no_memory(err);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static json_t *list_files(const run *r)
{
    const beam_artifacts *artifacts = r->s->job.artifacts;
    json_t *files = json_array();
    (void)json_array_append_new(files, json_pack("{s:s,s:I}", "to", r->staged.url, "bytes",
                                                 (json_int_t)r->staged.pipeline.len));
    for (size_t i = 0; i < artifacts->n; i++) {
        const beam_artifact *a = &artifacts->items[i];
        (void)json_array_append_new(
            files, json_pack("{s:s,s:o,s:s}", "from", a->path, "to",
                             json_sprintf("%s/%s", r->staged.folder, a->sha256), "as", a->name));
    }
    if (json_array_size(files) == artifacts->n + 1)
        return files;
    json_decref(files);
    return NULL;
}

static beam_status describe(run *r, char **text, beam_error *err)
{
    json_t *request, *files;
    const beam_dataflow_options *o = r->s->options;
    BEAM_TRY(prepare(r, err));
    BEAM_TRY(make_request(r, NULL, &request, err));
    files = list_files(r);
    json_t *whole = json_pack(
        "{s:s,s:o,s:o*,s:o}", "method", "POST", "url",
        json_sprintf("%s/v1b3/projects/%s/locations/%s/jobs", o->endpoint, o->project, o->region),
        "files", files, "request", request);
    *text = whole && files ? json_dumps(whole, JSON_INDENT(2)) : NULL;
    json_decref(whole);
    return *text ? BEAM_OK : no_memory(err);
}

beam_status beam_dataflow_describe(const beam_dataflow_submission *submission, char **text,
                                   beam_error *err)
{
    run r = {.s = submission};
    *text = NULL;
    beam_status status = describe(&r, text, err);
    end(&r);
    return status;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* The job that --update replaces. */
static beam_status find_replaced(run *r, beam_dataflow_job *old, beam_error *err)
{
    const beam_dataflow_options *o = r->s->options;
    *old = (beam_dataflow_job){0};
    if (!o->update)
        return BEAM_OK;
    BEAM_TRY(beam_dataflow_find(&r->client, o->job_name, old, err));
    return old->id[0] ? BEAM_OK
                      : beam_error_set(err, BEAM_NOT_FOUND,
                                       "--update: no job of the name %s runs in %s; --job_name "
                                       "names the one to replace",
                                       o->job_name, o->region);
}

static beam_status create(run *r, beam_dataflow_job *job, beam_error *err)
{
    const beam_dataflow_options *o = r->s->options;
    beam_dataflow_job old;
    json_t *request;
    BEAM_TRY(find_replaced(r, &old, err));
    BEAM_TRY(make_request(r, old.id[0] ? old.id : NULL, &request, err));
    beam_status status = beam_dataflow_create(&r->client, request, job, err);
    json_decref(request);
    BEAM_TRY(status);
    BEAM_LOG(r->s->watch.logger, BEAM_LOG_NOTICE,
             "Dataflow runs the job %s: "
             "https://console.cloud.google.com/dataflow/jobs/%s/%s?project=%s",
             job->id, o->region, job->id, o->project);
    return BEAM_OK;
}

static beam_status go(run *r, beam_arena *arena, beam_job_metrics *metrics, beam_error *err)
{
    const beam_dataflow_submission *s = r->s;
    beam_dataflow_job job;
    BEAM_TRY(prepare(r, err));
    BEAM_TRY(beam_dataflow_client_open(s->options, &r->client, err));
    r->client.cancel = s->watch.cancel;
    BEAM_TRY(beam_dataflow_preflight(&r->client, &r->wanted, s->watch.logger, err));
    BEAM_TRY(
        beam_dataflow_stage(&r->staged, s->job.artifacts, s->watch.logger, s->watch.cancel, err));
    if (s->watch.cancel && __atomic_load_n(s->watch.cancel, __ATOMIC_RELAXED))
        return beam_error_set(err, BEAM_CANCELLED, "cancelled before the job began");
    BEAM_TRY(create(r, &job, err));
    beam_status status = beam_dataflow_follow(&r->client, &job, &s->watch, err);
    beam_error own = {0};
    if (beam_dataflow_has_ended(job.state) &&
        beam_dataflow_fetch_metrics(&r->client, &job, r->pipeline, arena, metrics, &own) != BEAM_OK)
        BEAM_LOG(s->watch.logger, BEAM_LOG_WARNING, "the job has ended, but without metrics: %s",
                 own.message);
    return status;
}

beam_status beam_dataflow_run(const beam_dataflow_submission *submission, beam_arena *arena,
                              beam_job_metrics *metrics, beam_error *err)
{
    run r = {.s = submission};
    *metrics = (beam_job_metrics){0};
    beam_status status = go(&r, arena, metrics, err);
    end(&r);
    return status;
}
