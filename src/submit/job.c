/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* job.c - the client of a job service, from Prepare to the last metric. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "model/message.h"
#include "model/proto/job_management.pb-c.h"
#include "submit/rpc.h"
#include "submit/staging.h"
#include "submit/submit.h"

#define JOB_SERVICE "/org.apache.beam.model.job_management.v1.JobService/"

/* Milliseconds.  An engine that is busy compiling a pipeline or starting machines may take its
 * time over Prepare and Run; one that does not even tell a job's state hangs. */
enum {
    PREPARE_PATIENCE = 120000,
    ANSWER_PATIENCE = 60000,
    CANCEL_PATIENCE = 30000,
    LAST_WORDS = 5000, /* messages after a job has ended */
    TICK = 200,
    CHECK_EVERY = 10000
};

/* A job on its way. */
typedef struct job {
    const beam_submission *s;
    beam_grpc_channel *channel;
    char *preparation_id, *id; /* the arena's */
    beam_arena arena;
    BeamPb__JobState__Enum state;
    char *words; /* the engine's last complaint, the arena's */
} job;

static bool cancelled(const job *j)
{
    return j->s->cancel && __atomic_load_n(j->s->cancel, __ATOMIC_RELAXED);
}

/* Puts what is known of a dead engine in place of a connection's broken end. */
static beam_status explain(const job *j, beam_status status, beam_error *err)
{
    const char *gone = NULL;
    for (int i = 0; j->s->gone && !gone && status == BEAM_UNAVAILABLE && i < 10; i++) {
        gone = j->s->gone(j->s->user); /* its sockets close before it has ended */
        if (!gone)
            (void)nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    if (gone)
        return beam_error_set(err, BEAM_UNAVAILABLE, "the engine at %s %s", j->s->endpoint, gone);
    return status;
}

/* ---- Before it runs ---------------------------------------------------------------------- */

static beam_status prepare(job *j, char **token, char **artifacts, beam_error *err)
{
    const beam_submission *s = j->s;
    beam_buffer request = {0};
    BeamPb__PrepareJobResponse *answer = NULL;
    beam_status status = beam_job_describe(&s->job, &request, err);
    if (status == BEAM_OK) {
        const beam_grpc_options call = {.method = JOB_SERVICE "Prepare",
                                        .what = "prepare the job",
                                        .timeout_ms = PREPARE_PATIENCE};
        status = beam_rpc_call(j->channel, &call, request.data, request.len,
                               &beam_pb__prepare_job_response__descriptor, &answer, err);
        if (status == BEAM_UNIMPLEMENTED)
            status = beam_error_set(err, status, "%s answers, but it is no Beam job service",
                                    s->endpoint);
    }
    beam_buffer_free(&request);
    if (status != BEAM_OK)
        return explain(j, status, err);
    const char *url = s->artifact_endpoint                ? s->artifact_endpoint
                      : answer->artifact_staging_endpoint ? answer->artifact_staging_endpoint->url
                                                          : "";
    j->preparation_id = beam_arena_strdup(&j->arena, answer->preparation_id);
    *token = beam_arena_strdup(&j->arena, answer->staging_session_token);
    *artifacts = beam_arena_strdup(&j->arena, url);
    beam_message_free(answer);
    return j->preparation_id && *token && *artifacts
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to submit a job");
}

static beam_status run(job *j, beam_error *err)
{
    BeamPb__RunJobRequest request = BEAM_PB__RUN_JOB_REQUEST__INIT;
    BeamPb__RunJobResponse *answer = NULL;
    const beam_grpc_options call = {
        .method = JOB_SERVICE "Run", .what = "run the job", .timeout_ms = PREPARE_PATIENCE};
    request.preparation_id = j->preparation_id;
    beam_status status = beam_rpc_call_message(
        j->channel, &call, &request, &beam_pb__run_job_response__descriptor, &answer, err);
    if (status != BEAM_OK)
        return explain(j, status, err);
    j->id = beam_arena_strdup(&j->arena, answer->job_id);
    beam_message_free(answer);
    return j->id ? BEAM_OK
                 : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to submit a job");
}

/* ---- While it runs ----------------------------------------------------------------------- */

static bool has_ended(BeamPb__JobState__Enum state)
{
    return state == BEAM_PB__JOB_STATE__ENUM__DONE || state == BEAM_PB__JOB_STATE__ENUM__FAILED ||
           state == BEAM_PB__JOB_STATE__ENUM__CANCELLED ||
           state == BEAM_PB__JOB_STATE__ENUM__UPDATED || state == BEAM_PB__JOB_STATE__ENUM__DRAINED;
}

static beam_log_level level_of(const BeamPb__JobMessage *message)
{
    switch (message->importance) {
    case BEAM_PB__JOB_MESSAGE__MESSAGE_IMPORTANCE__JOB_MESSAGE_ERROR:
        return BEAM_LOG_DEBUG; /* it comes back as the error of the run */
    case BEAM_PB__JOB_MESSAGE__MESSAGE_IMPORTANCE__JOB_MESSAGE_WARNING:
        return BEAM_LOG_WARNING;
    case BEAM_PB__JOB_MESSAGE__MESSAGE_IMPORTANCE__JOB_MESSAGE_BASIC:
        return BEAM_LOG_INFO;
    default:
        return BEAM_LOG_DEBUG;
    }
}

static beam_status on_message(job *j, const BeamPb__JobMessagesResponse *response, beam_error *err)
{
    if (response->response_case == BEAM_PB__JOB_MESSAGES_RESPONSE__RESPONSE_STATE_RESPONSE) {
        j->state = response->state_response->state;
        return BEAM_OK;
    }
    if (response->response_case != BEAM_PB__JOB_MESSAGES_RESPONSE__RESPONSE_MESSAGE_RESPONSE)
        return BEAM_OK;
    const BeamPb__JobMessage *message = response->message_response;
    BEAM_LOG(j->s->logger, level_of(message), "%s", message->message_text);
    if (message->importance == BEAM_PB__JOB_MESSAGE__MESSAGE_IMPORTANCE__JOB_MESSAGE_ERROR) {
        j->words = beam_arena_strdup(&j->arena, message->message_text);
        if (!j->words)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a job's message");
    }
    return BEAM_OK;
}

/* The state, asked for: streams may end early, and a silent one may be of an engine that hangs. */
static beam_status ask_state(job *j, beam_error *err)
{
    BeamPb__GetJobStateRequest request = BEAM_PB__GET_JOB_STATE_REQUEST__INIT;
    BeamPb__JobStateEvent *answer = NULL;
    const beam_grpc_options call = {.method = JOB_SERVICE "GetState",
                                    .what = "tell the job's state",
                                    .timeout_ms = ANSWER_PATIENCE};
    request.job_id = j->id;
    beam_status status = beam_rpc_call_message(j->channel, &call, &request,
                                               &beam_pb__job_state_event__descriptor, &answer, err);
    if (status != BEAM_OK)
        return explain(j, status, err);
    j->state = answer->state;
    beam_message_free(answer);
    return BEAM_OK;
}

static beam_status tell_cancel(job *j, beam_error *err)
{
    BeamPb__CancelJobRequest request = BEAM_PB__CANCEL_JOB_REQUEST__INIT;
    BeamPb__CancelJobResponse *answer = NULL;
    const beam_grpc_options call = {
        .method = JOB_SERVICE "Cancel", .what = "cancel the job", .timeout_ms = CANCEL_PATIENCE};
    request.job_id = j->id;
    beam_status status = beam_rpc_call_message(
        j->channel, &call, &request, &beam_pb__cancel_job_response__descriptor, &answer, err);
    if (status == BEAM_OK)
        beam_message_free(answer);
    return status;
}

/* One look at the stream.  *open: it has not ended. */
static beam_status listen(job *j, beam_grpc_stream *stream, int timeout_ms, bool *open,
                          beam_error *err)
{
    BeamPb__JobMessagesResponse *message = NULL;
    beam_buffer bytes = {0};
    beam_status status = beam_grpc_stream_read(stream, timeout_ms, &bytes, open, err);
    if (status == BEAM_DEADLINE_EXCEEDED)
        return BEAM_OK;
    if (status == BEAM_OK && *open) {
        status = beam_message_unpack(&beam_pb__job_messages_response__descriptor, bytes.data,
                                     bytes.len, &message, err);
        if (status == BEAM_OK)
            status = on_message(j, message, err);
        beam_message_free(message);
    }
    beam_buffer_free(&bytes);
    return status;
}

/* Whether to go on: looks at the clock, at the caller's wish and at the engine's pulse. */
typedef struct watch {
    int64_t next_check, give_up; /* give_up: 0 until the job was cancelled */
} watch;

static beam_status look_around(job *j, watch *w, beam_error *err)
{
    int64_t now = beam_clock_ms();
    if (j->s->on_tick)
        j->s->on_tick(j->s->user);
    const char *gone = j->s->gone ? j->s->gone(j->s->user) : NULL;
    if (gone)
        return beam_error_set(err, BEAM_UNAVAILABLE, "the engine at %s %s while the job ran",
                              j->s->endpoint, gone);
    if (cancelled(j) && !w->give_up) {
        BEAM_TRY(tell_cancel(j, err));
        w->give_up = now + CANCEL_PATIENCE;
    }
    if (w->give_up && now > w->give_up)
        return beam_error_set(
            err, BEAM_CANCELLED,
            "cancelled; the engine did not say within %d s that the job has ended",
            CANCEL_PATIENCE / 1000);
    if (now < w->next_check)
        return BEAM_OK;
    w->next_check = now + CHECK_EVERY;
    return ask_state(j, err);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static beam_status wait_for_end(job *j, beam_grpc_stream *stream, beam_error *err)
{
    watch w = {.next_check = beam_clock_ms() + CHECK_EVERY};
    bool open = true;
    while (!has_ended(j->state)) {
        if (open) {
            BEAM_TRY(listen(j, stream, TICK, &open, err));
            if (!open) /* a job service may close it for reasons of its own: which? */
                w.next_check = 0;
        } else {
            (void)nanosleep(&(struct timespec){0, TICK * 1000000}, NULL);
            w.next_check = smaller(w.next_check, beam_clock_ms() + 1000);
        }
        BEAM_TRY(look_around(j, &w, err));
    }
    /* What it says of its failure may come after the state. */
    for (int64_t until = beam_clock_ms() + LAST_WORDS;
         open && j->state == BEAM_PB__JOB_STATE__ENUM__FAILED && beam_clock_ms() < until;)
        if (listen(j, stream, TICK, &open, NULL) != BEAM_OK)
            break;
    return BEAM_OK;
}

static beam_status watch_job(job *j, beam_error *err)
{
    BeamPb__JobMessagesRequest request = BEAM_PB__JOB_MESSAGES_REQUEST__INIT;
    const beam_grpc_options call = {.method = JOB_SERVICE "GetMessageStream",
                                    .what = "tell what the job does"};
    beam_grpc_stream *stream = NULL;
    request.job_id = j->id;
    BEAM_TRY(beam_rpc_stream_open_message(j->channel, &call, &request, &stream, err));
    beam_status status = wait_for_end(j, stream, err);
    beam_grpc_stream_close(stream);
    return status == BEAM_OK ? status : explain(j, status, err);
}

/* ---- After it ended ---------------------------------------------------------------------- */

static beam_status verdict(const job *j, beam_error *err)
{
    const char *words = j->words ? j->words : "the engine did not say why";
    if (cancelled(j) || j->state == BEAM_PB__JOB_STATE__ENUM__CANCELLED)
        return beam_error_set(err, BEAM_CANCELLED, "the job was cancelled");
    if (j->state == BEAM_PB__JOB_STATE__ENUM__FAILED)
        return beam_error_set(err, BEAM_ABORTED, "the job failed on the engine at %s: %s",
                              j->s->endpoint, words);
    return BEAM_OK;
}

static beam_status names_of(const job *j, const BeamPb__Pipeline *pipeline, beam_map *names,
                            beam_error *err)
{
    (void)j;
    for (size_t i = 0; i < pipeline->components->n_transforms; i++) {
        BeamPb__TransformEntry *entry = pipeline->components->transforms[i];
        if (entry->value && beam_map_set(names, entry->key, entry->value->unique_name) != BEAM_OK)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the job's metrics");
    }
    for (size_t i = 0; i < pipeline->components->n_pcollections; i++) {
        char *id = pipeline->components->pcollections[i]->key;
        if (beam_map_set(names, id, id) != BEAM_OK)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the job's metrics");
    }
    return BEAM_OK;
}

static beam_status fetch_metrics(job *j, beam_arena *arena, beam_job_metrics *metrics,
                                 beam_error *err)
{
    BeamPb__GetJobMetricsRequest request = BEAM_PB__GET_JOB_METRICS_REQUEST__INIT;
    BeamPb__GetJobMetricsResponse *answer = NULL;
    BeamPb__Pipeline *pipeline = NULL;
    beam_map names = {0};
    const beam_grpc_options call = {.method = JOB_SERVICE "GetJobMetrics",
                                    .what = "tell the job's metrics",
                                    .timeout_ms = ANSWER_PATIENCE};
    request.job_id = j->id;
    BEAM_TRY(beam_rpc_call_message(j->channel, &call, &request,
                                   &beam_pb__get_job_metrics_response__descriptor, &answer, err));
    beam_status status = beam_message_unpack(&beam_pb__pipeline__descriptor, j->s->job.pipeline,
                                             j->s->job.pipeline_size, &pipeline, err);
    if (status == BEAM_OK)
        status = names_of(j, pipeline, &names, err);
    if (status == BEAM_OK && answer->metrics)
        status = beam_job_metrics_read(answer->metrics, &names, arena, metrics, err);
    beam_map_free(&names);
    beam_message_free(pipeline);
    beam_message_free(answer);
    return status;
}

/* ---- All of it --------------------------------------------------------------------------- */

static beam_status go(job *j, beam_arena *arena, beam_job_metrics *metrics, beam_error *err)
{
    char *token, *artifacts;
    BEAM_TRY(prepare(j, &token, &artifacts, err));
    if (*artifacts) {
        const beam_staging staging = {artifacts, token, j->s->job.artifacts, j->s->cancel};
        beam_status status = beam_stage(&staging, err);
        if (status != BEAM_OK)
            return explain(j, status, err);
    }
    if (cancelled(j))
        return beam_error_set(err, BEAM_CANCELLED, "cancelled before the job began");
    BEAM_TRY(run(j, err));
    BEAM_LOG(j->s->logger, BEAM_LOG_INFO, "the job %s runs on the engine at %s", j->id,
             j->s->endpoint);
    BEAM_TRY(watch_job(j, err));
    beam_error own = {0};
    beam_status status = verdict(j, err);
    if (fetch_metrics(j, arena, metrics, &own) != BEAM_OK)
        BEAM_LOG(j->s->logger, BEAM_LOG_WARNING, "the job has ended, but without metrics: %s",
                 own.message);
    return status;
}

beam_status beam_submit(const beam_submission *submission, beam_arena *arena,
                        beam_job_metrics *metrics, beam_error *err)
{
    job j = {.s = submission};
    *metrics = (beam_job_metrics){0};
    BEAM_TRY(beam_grpc_channel_open(submission->endpoint, &j.channel, err));
    beam_status status = go(&j, arena, metrics, err);
    beam_grpc_channel_close(j.channel);
    beam_arena_free(&j.arena);
    return status;
}
