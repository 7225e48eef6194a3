/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_job.c - a job on Dataflow, from its creation to its last metric. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "net/retry.h"
#include "submit/dataflow.h"

/* Milliseconds.  Jobs take minutes; the first looks come soon, for those that end at once. */
enum {
    TICK = 200,
    FIRST_LOOK = 200,
    SLOWEST_LOOK = 5000,
    CANCEL_PATIENCE = 60000,   /* then the job ends without us */
    LAST_PATIENCE = 10000,     /* with a service that is to cancel the job and does not answer */
    SILENCE_PATIENCE = 600000, /* without an answer to any question */
    MOST_PAGES = 1000          /* of messages at once */
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to follow the job");
}

/* ---- Requests -------------------------------------------------------------------------------- */

static beam_status ask_job(beam_dataflow_client *client, const beam_dataflow_call *call,
                           beam_dataflow_job *job, beam_error *err)
{
    beam_buffer answer = {0};
    beam_status status = beam_dataflow_perform(client, call, &answer, err);
    if (status == BEAM_OK && beam_dataflow_parse_job(answer.data, answer.len, job) != BEAM_OK)
        status =
            beam_error_set(err, BEAM_DATA_LOSS, "cannot %s: the answer is no job", call->doing);
    beam_buffer_free(&answer);
    return status;
}

beam_status beam_dataflow_create(beam_dataflow_client *client, const json_t *request,
                                 beam_dataflow_job *job, beam_error *err)
{
    const char *request_id = json_string_value(json_object_get(request, "clientRequestId"));
    beam_arena arena = {0};
    const beam_dataflow_call call = {.method = "POST",
                                     .url = beam_dataflow_url(client, &arena, "%s", ""),
                                     .doing = "create the job",
                                     .body = request};
    beam_status status = ask_job(client, &call, job, err);
    beam_arena_free(&arena);
    if (status == BEAM_CANCELLED)
        return beam_error_set(err, status,
                              "cancelled before Dataflow told of the job, which it may have begun: "
                              "see https://console.cloud.google.com/dataflow/jobs?project=%s",
                              client->options->project);
    /* Of a name that runs already, Dataflow answers with that job instead. */
    if (status == BEAM_OK && job->request_id[0] && strcmp(job->request_id, request_id) != 0)
        return beam_error_set(
            err, BEAM_ALREADY_EXISTS,
            "there is a job of the name %s already (%s): give another --job_name, "
            "or cancel that one (beam dataflow cancel)",
            job->name, job->id);
    return status;
}

beam_status beam_dataflow_look(beam_dataflow_client *client, const char *id, beam_dataflow_job *job,
                               beam_error *err)
{
    beam_arena arena = {0};
    const char *escaped = beam_dataflow_escape(&arena, id);
    const beam_dataflow_call call = {
        .method = "GET",
        .url = escaped ? beam_dataflow_url(client, &arena, "/%s", escaped) : NULL,
        .doing = "ask for the job's state"};
    beam_status status = ask_job(client, &call, job, err);
    beam_arena_free(&arena);
    return status;
}

beam_status beam_dataflow_ask_for(beam_dataflow_client *client, const char *id, const char *state,
                                  beam_error *err)
{
    beam_arena arena = {0};
    beam_dataflow_job ignored;
    json_t *body = json_pack("{s:s}", "requestedState", state);
    const char *escaped = beam_dataflow_escape(&arena, id);
    const beam_dataflow_call call = {
        .method = "PUT",
        .url = escaped ? beam_dataflow_url(client, &arena, "/%s", escaped) : NULL,
        .doing = "have the job end",
        .body = body};
    beam_status status = body ? ask_job(client, &call, &ignored, err) : no_memory(err);
    json_decref(body);
    beam_arena_free(&arena);
    return status;
}

beam_status beam_dataflow_find(beam_dataflow_client *client, const char *name,
                               beam_dataflow_job *job, beam_error *err)
{
    beam_arena arena = {0};
    beam_buffer answer = {0};
    char *page = NULL;
    beam_status status;
    do {
        const char *token = page ? beam_dataflow_escape(&arena, page) : "";
        const beam_dataflow_call call = {
            .method = "GET",
            .url = token ? beam_dataflow_url(client, &arena, "?filter=ACTIVE&name=%s%s%s", name,
                                             *token ? "&pageToken=" : "", token)
                         : NULL,
            .doing = "look for jobs"};
        status = beam_dataflow_perform(client, &call, &answer, err);
        if (status == BEAM_OK)
            status = beam_dataflow_parse_jobs(answer.data, answer.len, name, &arena, job, &page);
        if (status == BEAM_DATA_LOSS)
            (void)beam_error_set(err, status, "cannot look for jobs: the answer is no list");
    } while (status == BEAM_OK && page && !job->id[0]);
    beam_buffer_free(&answer);
    beam_arena_free(&arena);
    return status == BEAM_RESOURCE_EXHAUSTED ? no_memory(err) : status;
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* A job on its way. */
typedef struct follower {
    beam_dataflow_client *client;
    const beam_dataflow_watch *watch;
    beam_dataflow_job *job;
    char since[BEAM_DATAFLOW_NAME]; /* the time of the last message seen */
    beam_map seen;                  /* ids of messages, since several have one time */
    char words[768];                /* the last complaint */
    int64_t num_workers;            /* -1: unknown */
    int64_t heard;                  /* when a question was last answered */
    int64_t give_up;                /* 0 until the job was cancelled */
} follower;

static beam_status take(follower *f, const beam_dataflow_messages *messages)
{
    for (size_t i = 0; i < messages->n; i++) {
        const beam_dataflow_message *m = &messages->items[i];
        if (beam_map_has(&f->seen, m->id))
            continue;
        BEAM_TRY(beam_map_set(&f->seen, m->id, NULL));
        /* An error comes back as that of the run, if the job fails. */
        BEAM_LOG(f->watch->logger, m->level == BEAM_LOG_ERROR ? BEAM_LOG_WARNING : m->level,
                 "Dataflow: %s", m->text);
        if (m->level == BEAM_LOG_ERROR)
            (void)snprintf(f->words, sizeof f->words, "%s", m->text);
        if (strlen(m->time) < sizeof f->since && strcmp(m->time, f->since) > 0)
            memcpy(f->since, m->time, strlen(m->time) + 1);
    }
    if (messages->num_workers >= 0)
        f->num_workers = messages->num_workers;
    return BEAM_OK;
}

static beam_status read_page(follower *f, beam_arena *arena, char **page, beam_error *err)
{
    beam_dataflow_messages messages;
    beam_buffer answer = {0};
    const char *id = beam_dataflow_escape(arena, f->job->id);
    const char *since = beam_dataflow_escape(arena, f->since);
    const char *token = beam_dataflow_escape(arena, *page ? *page : "");
    const beam_dataflow_call call = {
        .method = "GET",
        .url = id && since && token
                   ? beam_dataflow_url(
                         f->client, arena,
                         "/%s/messages?minimumImportance=JOB_MESSAGE_DETAILED%s%s%s%s", id,
                         *since ? "&startTime=" : "", since, *token ? "&pageToken=" : "", token)
                   : NULL,
        .doing = "ask for the job's messages"};
    beam_status status = beam_dataflow_perform(f->client, &call, &answer, err);
    if (status == BEAM_OK) {
        status = beam_dataflow_parse_messages(answer.data, answer.len, arena, &messages);
        if (status == BEAM_DATA_LOSS)
            (void)beam_error_set(err, status, "the job's messages cannot be read");
    }
    if (status == BEAM_OK)
        status = take(f, &messages);
    *page = status == BEAM_OK ? messages.next_page : NULL;
    beam_buffer_free(&answer);
    return status == BEAM_RESOURCE_EXHAUSTED ? no_memory(err) : status;
}

static beam_status read_messages(follower *f, beam_error *err)
{
    beam_arena arena = {0};
    char *page = NULL;
    beam_status status;
    int n = 0;
    do
        status = read_page(f, &arena, &page, err);
    while (status == BEAM_OK && page && ++n < MOST_PAGES);
    beam_arena_free(&arena);
    return status;
}

/* ---- Following ------------------------------------------------------------------------------- */

static void tick(const follower *f)
{
    char state[BEAM_DATAFLOW_NAME * 2];
    if (!f->watch->on_tick)
        return;
    if (f->num_workers >= 0)
        (void)snprintf(state, sizeof state, "Dataflow: %s, %lld workers", f->job->state_name,
                       (long long)f->num_workers);
    else
        (void)snprintf(state, sizeof state, "Dataflow: %s", f->job->state_name);
    f->watch->on_tick(f->watch->user, state);
}

static bool cancelled(const follower *f)
{
    return f->watch->cancel && __atomic_load_n(f->watch->cancel, __ATOMIC_RELAXED);
}

/* What goes on when nobody here watches. */
static beam_status leave(const follower *f, beam_status code, const char *why, beam_error *err)
{
    const beam_dataflow_options *o = f->client->options;
    return beam_error_set(err, code,
                          "%s; see the job at https://console.cloud.google.com/dataflow/jobs/%s/%s"
                          "?project=%s",
                          why, o->region, f->job->id, o->project);
}

/* What is asked from here on is not broken off, but whoever wants to leave does not wait long. */
static beam_status tell_cancel(follower *f, beam_error *err)
{
    beam_dataflow_client *client = f->client;
    beam_error why = {0};
    client->cancel = NULL;
    client->timeout_ms = LAST_PATIENCE;
    if (client->deadline_ms > LAST_PATIENCE)
        client->deadline_ms = LAST_PATIENCE;
    if (beam_dataflow_ask_for(client, f->job->id, "JOB_STATE_CANCELLED", &why) != BEAM_OK) {
        char words[sizeof why.message];
        (void)snprintf(words, sizeof words, "cancelled here, but the job may go on: %.300s",
                       why.message);
        return leave(f, BEAM_CANCELLED, words, err);
    }
    BEAM_LOG(f->watch->logger, BEAM_LOG_NOTICE, "Dataflow was told to cancel the job");
    f->give_up = beam_clock_ms() + CANCEL_PATIENCE;
    return BEAM_OK;
}

static beam_status handle_cancel(follower *f, beam_error *err)
{
    if (!cancelled(f))
        return BEAM_OK;
    if (!f->give_up)
        BEAM_TRY(tell_cancel(f, err));
    if (beam_clock_ms() > f->give_up)
        return leave(f, BEAM_CANCELLED,
                     "cancelled; Dataflow was told, and has not ended the job within a minute",
                     err);
    return BEAM_OK;
}

/* Waits, but not past a wish to cancel. */
static beam_status wait_for(follower *f, int64_t ms, beam_error *err)
{
    for (int64_t until = beam_clock_ms() + ms; beam_clock_ms() < until;) {
        tick(f);
        if (cancelled(f) && !f->give_up)
            break;
        (void)nanosleep(&(struct timespec){0, TICK * 1000000}, NULL);
    }
    return handle_cancel(f, err);
}

static bool may_pass(beam_status status)
{
    return status == BEAM_UNAVAILABLE || status == BEAM_DATA_LOSS;
}

/* State and messages.  Whoever does not answer may do so later: the job goes on meanwhile. */
static beam_status look(follower *f, beam_error *err)
{
    char id[sizeof f->job->id];
    memcpy(id, f->job->id, sizeof id);
    beam_dataflow_job now;
    beam_error why = {0};
    beam_status status = beam_dataflow_look(f->client, id, &now, &why);
    if (status == BEAM_OK) {
        *f->job = now;
        memcpy(f->job->id, id, sizeof id);
        status = read_messages(f, &why);
    }
    if (status == BEAM_OK)
        f->heard = beam_clock_ms();
    else if (status == BEAM_CANCELLED && cancelled(f))
        return BEAM_OK; /* broken off: wait_for does what there is to do */
    else if (!may_pass(status))
        return beam_error_set(err, status, "%s", why.message);
    else if (beam_clock_ms() > f->heard + SILENCE_PATIENCE)
        return leave(f, BEAM_DEADLINE_EXCEEDED,
                     "Dataflow has not told of the job for ten minutes; it may go on", err);
    else
        BEAM_LOG(f->watch->logger, BEAM_LOG_WARNING, "%s; asking again", why.message);
    return BEAM_OK;
}

static beam_status verdict(const follower *f, beam_error *err)
{
    switch (f->job->state) {
    case BEAM_DATAFLOW_FAILED:
        return beam_error_set(err, BEAM_ABORTED, "the job failed on Dataflow: %s",
                              f->words[0] ? f->words : "it did not say why");
    case BEAM_DATAFLOW_CANCELLED:
        return beam_error_set(err, BEAM_CANCELLED, "the job was cancelled");
    default:
        return BEAM_OK;
    }
}

beam_status beam_dataflow_follow(beam_dataflow_client *client, beam_dataflow_job *job,
                                 const beam_dataflow_watch *watch, beam_error *err)
{
    follower f = {
        .client = client, .watch = watch, .job = job, .num_workers = -1, .heard = beam_clock_ms()};
    beam_status status = BEAM_OK;
    for (int64_t pause = FIRST_LOOK; status == BEAM_OK && !beam_dataflow_has_ended(job->state);
         pause = pause * 3 / 2 < SLOWEST_LOOK ? pause * 3 / 2 : SLOWEST_LOOK) {
        status = wait_for(&f, pause, err);
        if (status == BEAM_OK)
            status = look(&f, err);
    }
    if (status == BEAM_OK && job->state == BEAM_DATAFLOW_FAILED)
        (void)read_messages(&f, NULL); /* why may be told after the fact */
    beam_map_free(&f.seen);
    return status == BEAM_OK ? verdict(&f, err) : status;
}

/* ---- Metrics --------------------------------------------------------------------------------- */

beam_status beam_dataflow_fetch_metrics(beam_dataflow_client *client, const beam_dataflow_job *job,
                                        const BeamPb__Pipeline *pipeline, beam_arena *arena,
                                        beam_job_metrics *metrics, beam_error *err)
{
    beam_map names = {0};
    beam_buffer answer = {0};
    beam_arena own = {0};
    const char *id = beam_dataflow_escape(&own, job->id);
    const beam_dataflow_call call = {.method = "GET",
                                     .url = id ? beam_dataflow_url(client, &own, "/%s/metrics", id)
                                               : NULL,
                                     .doing = "ask for the job's metrics"};
    *metrics = (beam_job_metrics){0};
    beam_status status = beam_dataflow_perform(client, &call, &answer, err);
    for (size_t i = 0; status == BEAM_OK && i < pipeline->components->n_transforms; i++) {
        BeamPb__TransformEntry *entry = pipeline->components->transforms[i];
        if (entry->value)
            status = beam_map_set(&names, entry->key, entry->value->unique_name);
    }
    if (status == BEAM_OK)
        status = beam_dataflow_parse_metrics(answer.data, answer.len, &names, arena, metrics);
    if (status == BEAM_DATA_LOSS)
        (void)beam_error_set(err, status, "the job's metrics cannot be read");
    if (status == BEAM_RESOURCE_EXHAUSTED)
        (void)no_memory(err);
    beam_map_free(&names);
    beam_buffer_free(&answer);
    beam_arena_free(&own);
    return status;
}
