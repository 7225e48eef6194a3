/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* state.c - what the engine keeps for bundles, asked for over the State API: one stream for all
 * bundles, any number of questions on it at once.  An engine may answer one only after another,
 * of another bundle, so nobody waits for somebody else's.  Of those who wait, one reads.  When the
 * stream breaks they fail, and who asks next opens another. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "worker/harness.h"

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnState/State";
enum { PATIENCE = 600 /* s: an engine may have to compute a side input first */, TICK = 1000 };

/* On the stack of who asked. */
typedef struct question {
    struct question *next;
    char id[32];
    BeamPb__StateResponse *answer; /* once it is there */
    time_t give_up;
} question;

typedef struct beam_state_link {
    beam_link base;
    beam_harness *harness;
    beam_grpc_channel *channel;
    beam_grpc_stream *stream;
    pthread_mutex_t sending;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    question *open;
    uint64_t asked;
    bool made;         /* all that is above */
    bool reading;      /* somebody does */
    beam_error broken; /* code BEAM_OK: it is not */
} beam_state_link;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for state");
}

/* ---- Links ------------------------------------------------------------------------------- */

static beam_status connect_link(beam_harness *h, beam_link *base, beam_error *err)
{
    beam_state_link *link = (beam_state_link *)base;
    const beam_grpc_options call = {.method = METHOD,
                                    .what = "tell state",
                                    .worker_id = h->options->id,
                                    .stop = &h->control.ending};
    link->harness = h;
    BEAM_TRY(beam_grpc_channel_open(base->endpoint, &link->channel, err));
    BEAM_TRY(beam_grpc_stream_open(link->channel, &call, &link->stream, err));
    link->made = pthread_mutex_init(&link->sending, NULL) == 0 &&
                 pthread_mutex_init(&link->lock, NULL) == 0 &&
                 pthread_cond_init(&link->changed, NULL) == 0;
    return link->made ? BEAM_OK : no_memory(err); /* what was initialised holds no memory */
}

static void cancel_link(beam_link *base)
{
    beam_grpc_stream_cancel(((beam_state_link *)base)->stream);
}

static void close_link(beam_link *base)
{
    beam_state_link *link = (beam_state_link *)base;
    if (link->made) {
        (void)pthread_cond_destroy(&link->changed);
        (void)pthread_mutex_destroy(&link->lock);
        (void)pthread_mutex_destroy(&link->sending);
    }
    beam_grpc_stream_close(link->stream);
    beam_grpc_channel_close(link->channel);
}

static const beam_link_kind kind = {sizeof(beam_state_link), connect_link, cancel_link, close_link};

void beam_state_break(beam_harness *h)
{
    beam_links_break(h, &h->state_links);
}

void beam_state_stop(beam_harness *h)
{
    beam_links_close(&h->state_links);
}

/* With the lock held: all who wait for an answer fail. */
static void lose(beam_state_link *link, const beam_error *why)
{
    if (link->broken.code == BEAM_OK)
        link->broken = *why;
    pthread_cond_broadcast(&link->changed);
    beam_link_lose(link->harness, &link->base, why);
    beam_grpc_stream_cancel(link->stream); /* nobody reads what it would still send */
}

/* ---- Answers ----------------------------------------------------------------------------- */

/* With the lock held: the answer goes to who asked, or nowhere, where that one has given up. */
static void deliver(beam_state_link *link, BeamPb__StateResponse *answer)
{
    for (question *q = link->open; q; q = q->next)
        if (!q->answer && strcmp(q->id, answer->id) == 0) {
            q->answer = answer;
            return;
        }
    /* Ids are numbers from 1, and what is none becomes 0. */
    beam_error err = {0};
    if (strtoull(answer->id, NULL, 10) - 1 >= link->asked) {
        (void)beam_error_set(&err, BEAM_DATA_LOSS, "the engine answers what nobody has asked");
        lose(link, &err);
    }
    beam_message_free(answer);
}

/* NULL: none came within a TICK. */
static beam_status read_answer(beam_state_link *link, BeamPb__StateResponse **answer,
                               beam_error *err)
{
    beam_buffer bytes = {0};
    bool open = true;
    beam_status status = beam_grpc_stream_read(link->stream, TICK, &bytes, &open, err);
    if (status == BEAM_DEADLINE_EXCEEDED && open)
        return BEAM_OK;
    if (status == BEAM_OK && !open)
        status = beam_error_set(err, BEAM_ABORTED, "the engine ended the state stream of %s",
                                link->base.endpoint);
    if (status == BEAM_OK)
        status = beam_message_unpack(&beam_pb__state_response__descriptor, bytes.data, bytes.len,
                                     answer, err);
    beam_buffer_free(&bytes);
    return status;
}

/* With the lock held, which it gives up meanwhile. */
static void read_for_all(beam_state_link *link)
{
    BeamPb__StateResponse *answer = NULL;
    beam_error err = {0};
    link->reading = true;
    pthread_mutex_unlock(&link->lock);
    beam_status status = read_answer(link, &answer, &err);
    pthread_mutex_lock(&link->lock);
    link->reading = false;
    if (status != BEAM_OK)
        lose(link, &err);
    else if (answer)
        deliver(link, answer);
    pthread_cond_broadcast(&link->changed);
}

static void forget(beam_state_link *link, const question *q)
{
    question **at = &link->open;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

/* With the lock held. */
static beam_status why_broken(const beam_state_link *link, beam_error *err)
{
    return beam_error_set(err, link->broken.code, "%s", link->broken.message);
}

static beam_status wait_for_answer(beam_state_link *link, question *q, beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&link->lock);
    while (!q->answer && link->broken.code == BEAM_OK && time(NULL) < q->give_up)
        if (link->reading)
            pthread_cond_wait(&link->changed, &link->lock); /* each TICK at the latest */
        else
            read_for_all(link);
    if (!q->answer && link->broken.code != BEAM_OK)
        status = why_broken(link, err);
    else if (!q->answer)
        status = beam_error_set(err, BEAM_DEADLINE_EXCEEDED,
                                "the engine did not answer for state within %d s", PATIENCE);
    forget(link, q);
    pthread_mutex_unlock(&link->lock);
    return status;
}

/* ---- Questions --------------------------------------------------------------------------- */

/* A stream of which the engine takes nothing for so long is stuck, for all who ask over it. */
static beam_status send_question(beam_state_link *link, const BeamPb__StateRequest *request,
                                 beam_error *err)
{
    beam_buffer bytes = {0};
    beam_error why = {0};
    if (beam_message_pack(request, &bytes) != BEAM_OK) {
        beam_buffer_free(&bytes);
        return no_memory(err);
    }
    pthread_mutex_lock(&link->sending);
    beam_status status =
        beam_grpc_stream_write(link->stream, bytes.data, bytes.len, false, PATIENCE * 1000, &why);
    pthread_mutex_unlock(&link->sending);
    beam_buffer_free(&bytes);
    if (status == BEAM_OK)
        return status;
    pthread_mutex_lock(&link->lock);
    lose(link, &why);
    status = why_broken(link, err);
    pthread_mutex_unlock(&link->lock);
    return status;
}

/* *q is among the open ones from here on, but where it fails. */
static beam_status open_question(beam_state_link *link, question *q, beam_error *err)
{
    pthread_mutex_lock(&link->lock);
    beam_status status = link->broken.code == BEAM_OK ? BEAM_OK : why_broken(link, err);
    if (status == BEAM_OK) {
        (void)snprintf(q->id, sizeof q->id, "%" PRIu64, ++link->asked);
        q->next = link->open;
        link->open = q;
    }
    pthread_mutex_unlock(&link->lock);
    return status;
}

static beam_status ask(beam_state_link *link, BeamPb__StateRequest *request,
                       BeamPb__StateResponse **answer, beam_error *err)
{
    question q = {.give_up = time(NULL) + PATIENCE};
    BEAM_TRY(open_question(link, &q, err));
    request->id = q.id;
    beam_status status = send_question(link, request, err);
    if (status == BEAM_OK)
        status = wait_for_answer(link, &q, err);
    else {
        pthread_mutex_lock(&link->lock);
        forget(link, &q);
        pthread_mutex_unlock(&link->lock);
    }
    *answer = q.answer;
    if (status == BEAM_OK && *q.answer->error)
        return beam_error_set(err, BEAM_UNKNOWN, "the engine: %s", q.answer->error);
    if (status == BEAM_OK && q.answer->response_case != BEAM_PB__STATE_RESPONSE__RESPONSE_GET)
        return beam_error_set(err, BEAM_DATA_LOSS, "the engine's answer is of another question");
    return status;
}

/* Where the processor's state is; to be released. */
static beam_status get_link(const beam_processor *p, beam_link **link, beam_error *err)
{
    beam_harness *h = p->harness;
    const BeamPb__ApiServiceDescriptor *service =
        p->descriptor->message->state_api_service_descriptor;
    if (!service || !*service->url)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "the engine does not say where its state is");
    return beam_link_get(h, &h->state_links, &kind, service->url, link, err);
}

beam_status beam_state_get(const beam_processor *p, const BeamPb__StateKey *key, beam_buffer *token,
                           beam_buffer *data, beam_error *err)
{
    BeamPb__StateRequest request = BEAM_PB__STATE_REQUEST__INIT;
    BeamPb__StateGetRequest get = BEAM_PB__STATE_GET_REQUEST__INIT;
    BeamPb__StateResponse *answer = NULL;
    beam_link *link;
    request.instruction_id = (char *)p->instruction;
    request.state_key = (BeamPb__StateKey *)key;
    request.request_case = BEAM_PB__STATE_REQUEST__REQUEST_GET;
    request.get = &get;
    get.continuation_token = (ProtobufCBinaryData){token->len, token->data};
    BEAM_TRY(get_link(p, &link, err));
    beam_status status = ask((beam_state_link *)link, &request, &answer, err);
    beam_link_release(p->harness, link);
    if (status == BEAM_OK) {
        const ProtobufCBinaryData *next = &answer->get->continuation_token;
        token->len = 0;
        if (beam_buffer_append(token, next->data, next->len) != BEAM_OK ||
            beam_buffer_append(data, answer->get->data.data, answer->get->data.len) != BEAM_OK)
            status = no_memory(err);
    }
    beam_message_free(answer);
    return status;
}
