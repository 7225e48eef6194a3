/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* state.c - what the engine keeps for bundles, asked for over the State API. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "worker/harness.h"

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnState/State";
enum { PATIENCE = 600000 /* ms: an engine may have to compute a side input first */ };

/* A question at a time, which its asker waits for. */
struct beam_state_link {
    struct beam_state_link *next;
    char *endpoint;
    beam_grpc_channel *channel;
    beam_grpc_stream *stream;
    pthread_mutex_t asking;
    uint64_t questions;
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for state");
}

static void free_link(beam_state_link *link)
{
    beam_grpc_stream_close(link->stream);
    beam_grpc_channel_close(link->channel);
    pthread_mutex_destroy(&link->asking);
    beam_free(link->endpoint);
    beam_free(link);
}

static beam_status new_link(beam_harness *h, const char *endpoint, beam_state_link **result,
                            beam_error *err)
{
    const beam_grpc_options call = {
        .method = METHOD, .what = "tell state", .worker_id = h->options->id};
    beam_state_link *link = beam_calloc(1, sizeof *link);
    if (!link || pthread_mutex_init(&link->asking, NULL) != 0) {
        beam_free(link);
        return no_memory(err);
    }
    link->endpoint = beam_strdup(endpoint);
    beam_status status = link->endpoint ? BEAM_OK : no_memory(err);
    if (status == BEAM_OK)
        status = beam_grpc_channel_open(endpoint, &link->channel, err);
    if (status == BEAM_OK)
        status = beam_grpc_stream_open(link->channel, &call, &link->stream, err);
    if (status != BEAM_OK) {
        free_link(link);
        return status;
    }
    *result = link;
    return BEAM_OK;
}

beam_status beam_state_link_get(beam_harness *h, const char *endpoint, beam_state_link **link,
                                beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&h->lock);
    for (*link = h->state_links; *link && strcmp((*link)->endpoint, endpoint) != 0;)
        *link = (*link)->next;
    if (!*link) {
        status = new_link(h, endpoint, link, err);
        if (status == BEAM_OK) {
            (*link)->next = h->state_links;
            h->state_links = *link;
        }
    }
    pthread_mutex_unlock(&h->lock);
    return status;
}

/* One question and its answer, with link->asking held. */
static beam_status ask(beam_state_link *link, BeamPb__StateRequest *request,
                       BeamPb__StateResponse **answer, beam_error *err)
{
    beam_buffer bytes = {0};
    char id[32];
    bool open = true;
    snprintf(id, sizeof id, "%" PRIu64, ++link->questions);
    request->id = id;
    beam_status status = beam_message_pack(request, &bytes);
    if (status == BEAM_OK)
        status = beam_grpc_stream_write(link->stream, bytes.data, bytes.len, false, PATIENCE, err);
    bytes.len = 0;
    if (status == BEAM_OK)
        status = beam_grpc_stream_read(link->stream, PATIENCE, &bytes, &open, err);
    if (status == BEAM_DEADLINE_EXCEEDED)
        beam_error_set(err, status, "the engine did not answer for a side input within %d s",
                       PATIENCE / 1000);
    if (status == BEAM_OK && !open)
        status = beam_error_set(err, BEAM_ABORTED, "the engine ended the state stream of %s",
                                link->endpoint);
    if (status == BEAM_OK)
        status = beam_message_unpack(&beam_pb__state_response__descriptor, bytes.data, bytes.len,
                                     answer, err);
    beam_buffer_free(&bytes);
    if (status == BEAM_OK && *(*answer)->error)
        status = beam_error_set(err, BEAM_UNKNOWN, "the engine: %s", (*answer)->error);
    else if (status == BEAM_OK &&
             (strcmp((*answer)->id, id) != 0 ||
              (*answer)->response_case != BEAM_PB__STATE_RESPONSE__RESPONSE_GET))
        status = beam_error_set(err, BEAM_DATA_LOSS, "the engine's answer is of another question");
    return status;
}

beam_status beam_state_read(beam_state_link *link, const char *instruction, BeamPb__StateKey *key,
                            beam_buffer *data, beam_error *err)
{
    BeamPb__StateRequest request = BEAM_PB__STATE_REQUEST__INIT;
    BeamPb__StateGetRequest get = BEAM_PB__STATE_GET_REQUEST__INIT;
    BeamPb__StateResponse *answer = NULL, *last = NULL;
    beam_status status = BEAM_OK;
    request.instruction_id = (char *)instruction;
    request.state_key = key;
    request.request_case = BEAM_PB__STATE_REQUEST__REQUEST_GET;
    request.get = &get;
    pthread_mutex_lock(&link->asking);
    do { /* until there is no more */
        answer = NULL;
        status = ask(link, &request, &answer, err);
        if (status == BEAM_OK)
            status = beam_buffer_append(data, answer->get->data.data, answer->get->data.len);
        beam_message_free(last); /* its token was in the request */
        last = answer;
        if (status == BEAM_OK)
            get.continuation_token = answer->get->continuation_token;
    } while (status == BEAM_OK && get.continuation_token.len);
    pthread_mutex_unlock(&link->asking);
    beam_message_free(last);
    return status;
}

void beam_state_stop(beam_harness *h)
{
    while (h->state_links) {
        beam_state_link *link = h->state_links;
        h->state_links = link->next;
        free_link(link);
    }
}
