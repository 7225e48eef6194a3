/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* logging.c - records on their way to the engine, over the Fn API's Logging service. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "worker/harness.h"

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnLogging/Logging";

/* Records that may wait, and that go in one message; ms that an engine has at the end. */
enum { MOST_WAITING = 10000, MOST_SENT = 256, LAST_CHANCE = 1000 };

typedef struct record {
    struct record *next;
    beam_log_level level;
    struct timespec at;
    char *instruction, *transform, *place, *message; /* in one piece with the record */
} record;

struct beam_fn_log {
    beam_logger logger;       /* whose sink is ours */
    const beam_logger *local; /* the worker's own */
    beam_grpc_channel *channel;
    beam_grpc_stream *stream;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    record *first, **end;
    size_t waiting, lost; /* in the queue; thrown away */
    bool ending, broken, done;
};

static _Thread_local char current[64], current_transform[64]; /* cut if longer; for people */

void beam_fn_log_instruction(const char *id)
{
    (void)snprintf(current, sizeof current, "%s", id ? id : "");
    beam_fn_log_transform(NULL);
}

void beam_fn_log_transform(const char *id)
{
    (void)snprintf(current_transform, sizeof current_transform, "%s", id ? id : "");
}

/* ---- In ---------------------------------------------------------------------------------- */

static char *put(char **at, const char *text)
{
    char *start = *at;
    size_t size = strlen(text) + 1;
    memcpy(start, text, size);
    *at += size;
    return start;
}

static record *copy(const beam_log_record *from)
{
    const char *active = beam_bundle_active_id_here();
    const char *transform = active ? active : current_transform;
    char place[128];
    (void)snprintf(place, sizeof place, "%s:%d", from->file ? from->file : "", from->line);
    record *r = beam_malloc(sizeof *r + strlen(current) + strlen(transform) + strlen(place) +
                            strlen(from->message) + 4);
    if (!r)
        return NULL;
    char *at = (char *)(r + 1);
    *r = (record){.level = from->level};
    (void)clock_gettime(CLOCK_REALTIME, &r->at);
    r->instruction = put(&at, current);
    r->transform = put(&at, transform);
    r->place = put(&at, place);
    r->message = put(&at, from->message);
    beam_utf8_mend(r->message);
    return r;
}

static void take(void *user, const beam_log_record *from)
{
    beam_fn_log *log = user;
    beam_log_write(log->local, from->level, from->file, from->line, from->transform, "%s",
                   from->message);
    record *r = copy(from);
    pthread_mutex_lock(&log->lock);
    bool kept = r && !log->broken && log->waiting < MOST_WAITING;
    if (kept) {
        *log->end = r;
        log->end = &r->next;
        log->waiting++;
        pthread_cond_signal(&log->changed);
    } else {
        log->lost++;
    }
    pthread_mutex_unlock(&log->lock);
    if (!kept)
        beam_free(r);
}

/* ---- Out --------------------------------------------------------------------------------- */

static void free_records(record *r)
{
    while (r) {
        record *next = r->next;
        beam_free(r);
        r = next;
    }
}

static BeamPb__LogEntry__Severity__Enum severity(beam_log_level level)
{
    return level <= BEAM_LOG_DEFAULT || level > BEAM_LOG_CRITICAL
               ? BEAM_PB__LOG_ENTRY__SEVERITY__ENUM__UNSPECIFIED
               : (BeamPb__LogEntry__Severity__Enum)level; /* the same numbers, TRACE to CRITICAL */
}

static beam_status send(beam_fn_log *log, const record *first, beam_error *err)
{
    BeamPb__LogEntry entries[MOST_SENT], *all[MOST_SENT];
    BeamPb__Timestamp times[MOST_SENT];
    BeamPb__LogEntry__List list = BEAM_PB__LOG_ENTRY__LIST__INIT;
    beam_buffer bytes = {0};
    for (const record *r = first; r; r = r->next) {
        size_t i = list.n_log_entries++;
        beam_pb__log_entry__init(&entries[i]);
        beam_pb__timestamp__init(&times[i]);
        times[i].seconds = r->at.tv_sec;
        times[i].nanos = (int32_t)r->at.tv_nsec;
        entries[i].timestamp = &times[i];
        entries[i].severity = severity(r->level);
        entries[i].message = r->message;
        entries[i].instruction_id = r->instruction;
        entries[i].transform_id = r->transform;
        entries[i].log_location = r->place;
        all[i] = &entries[i];
    }
    list.log_entries = all;
    beam_status status = beam_message_pack(&list, &bytes);
    if (status == BEAM_OK)
        status = beam_grpc_stream_write(log->stream, bytes.data, bytes.len, false, 0, err);
    beam_buffer_free(&bytes);
    return status;
}

/* With the lock held: the first records, at most MOST_SENT. */
static record *next_records(beam_fn_log *log)
{
    record *first = log->first, **end = &log->first;
    size_t n = 0;
    for (; *end && n < MOST_SENT; n++)
        end = &(*end)->next;
    log->first = *end;
    *end = NULL;
    if (!log->first)
        log->end = &log->first;
    log->waiting -= n;
    return first;
}

/* The engine reads to the end before it ends the stream itself. */
static void say_goodbye(const beam_fn_log *log)
{
    beam_buffer unwanted = {0};
    bool open = true;
    beam_status status = beam_grpc_stream_done(log->stream, NULL);
    while (open && status == BEAM_OK)
        status = beam_grpc_stream_read(log->stream, LAST_CHANCE, &unwanted, &open, NULL);
    beam_buffer_free(&unwanted);
}

static void *send_all(void *user)
{
    beam_fn_log *log = user;
    beam_error err = {0};
    pthread_mutex_lock(&log->lock);
    while (!log->broken) {
        while (!log->first && !log->ending)
            pthread_cond_wait(&log->changed, &log->lock);
        if (!log->first)
            break;
        record *records = next_records(log);
        pthread_mutex_unlock(&log->lock);
        bool sent = send(log, records, &err) == BEAM_OK;
        free_records(records);
        pthread_mutex_lock(&log->lock);
        log->broken = !sent;
    }
    bool whole = !log->broken;
    pthread_mutex_unlock(&log->lock);
    if (whole)
        say_goodbye(log);
    pthread_mutex_lock(&log->lock);
    log->done = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- Open and close ---------------------------------------------------------------------- */

static void free_log(beam_fn_log *log)
{
    free_records(log->first);
    beam_grpc_stream_close(log->stream);
    beam_grpc_channel_close(log->channel);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->lock);
    beam_free(log);
}

static beam_status connect_log(beam_fn_log *log, const beam_worker_options *options,
                               beam_error *err)
{
    const beam_grpc_options call = {.method = METHOD,
                                    .what = "take log records",
                                    .worker_id = options->id,
                                    .stop = options->stop};
    BEAM_TRY(beam_grpc_channel_open(options->logging_endpoint, &log->channel, err));
    BEAM_TRY(beam_grpc_stream_open(log->channel, &call, &log->stream, err));
    return pthread_create(&log->thread, NULL, send_all, log) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to send log records");
}

beam_status beam_fn_log_open(beam_harness *h, beam_error *err)
{
    if (!h->options->logging_endpoint || !*h->options->logging_endpoint)
        return BEAM_OK;
    beam_fn_log *log = beam_calloc(1, sizeof *log);
    if (!log || pthread_mutex_init(&log->lock, NULL) != 0 ||
        pthread_cond_init(&log->changed, NULL) != 0) {
        beam_free(log); /* what was initialised holds no memory */
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to send log records");
    }
    log->end = &log->first;
    log->local = h->options->logger;
    log->logger = (beam_logger){take, log, log->local ? log->local->min_level : BEAM_LOG_DEFAULT};
    beam_status status = connect_log(log, h->options, err);
    if (status != BEAM_OK) {
        free_log(log);
        return status;
    }
    h->log = log;
    h->logger = &log->logger;
    return BEAM_OK;
}

void beam_fn_log_close(beam_fn_log *log)
{
    if (!log)
        return;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2 * LAST_CHANCE / 1000;
    pthread_mutex_lock(&log->lock);
    log->ending = true;
    pthread_cond_broadcast(&log->changed);
    while (!log->done && pthread_cond_timedwait(&log->changed, &log->lock, &until) == 0) {
    }
    size_t lost = log->lost + log->waiting;
    pthread_mutex_unlock(&log->lock);
    beam_grpc_stream_cancel(log->stream); /* for a write that waits */
    pthread_join(log->thread, NULL);
    if (lost)
        BEAM_LOG(log->local, BEAM_LOG_WARNING, "%zu log records did not reach the engine", lost);
    free_log(log);
}
