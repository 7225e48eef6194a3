/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* data.c - elements in and out: one stream an endpoint, shared by all bundles. */
#include <string.h>

#include "base/alloc.h"
#include "worker/elements.h"
#include "worker/harness.h"

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnData/Data";

struct beam_data_link {
    struct beam_data_link *next;
    beam_harness *harness;
    char *endpoint;
    beam_grpc_channel *channel;
    beam_grpc_stream *stream;
    pthread_mutex_t sending;
    pthread_t reader;
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle's data");
}

/* ---- In ---------------------------------------------------------------------------------- */

static beam_status deliver_all(beam_harness *h, beam_spans *message, beam_error *err)
{
    beam_pieces pieces = {0};
    beam_status status = beam_elements_read(message, &pieces, err);
    for (size_t i = 0; i < pieces.n && status == BEAM_OK; i++) {
        beam_chunk *chunk = pieces.all[i].chunk;
        pieces.all[i].chunk = NULL;
        status = beam_inbox_put(&h->inboxes, pieces.all[i].instruction, chunk, err);
    }
    beam_pieces_free(&pieces);
    return status;
}

static void *read_all(void *user)
{
    beam_data_link *link = user;
    beam_error err = {0};
    beam_status status = BEAM_OK;
    for (bool open = true; open && status == BEAM_OK;) {
        beam_spans message = {0};
        status = beam_grpc_stream_read_spans(link->stream, 0, &message, &open, &err);
        if (status == BEAM_OK && open)
            status = deliver_all(link->harness, &message, &err);
        beam_spans_free(&message);
    }
    if (status == BEAM_OK)
        beam_error_set(&err, BEAM_ABORTED, "the engine ended the data stream of %s",
                       link->endpoint);
    beam_grpc_stream_cancel(link->stream); /* nobody reads what it would still send */
    beam_inboxes_break(&link->harness->inboxes, &err);
    return NULL;
}

/* ---- Links ------------------------------------------------------------------------------- */

static void free_link(beam_data_link *link)
{
    beam_grpc_stream_close(link->stream);
    beam_grpc_channel_close(link->channel);
    pthread_mutex_destroy(&link->sending);
    beam_free(link->endpoint);
    beam_free(link);
}

static beam_status connect_link(beam_data_link *link, beam_error *err)
{
    const beam_grpc_options call = {
        .method = METHOD, .what = "exchange elements", .worker_id = link->harness->options->id};
    BEAM_TRY(beam_grpc_channel_open(link->endpoint, &link->channel, err));
    BEAM_TRY(beam_grpc_stream_open(link->channel, &call, &link->stream, err));
    return pthread_create(&link->reader, NULL, read_all, link) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to read elements");
}

static beam_status new_link(beam_harness *h, const char *endpoint, beam_data_link **result,
                            beam_error *err)
{
    beam_data_link *link = beam_calloc(1, sizeof *link);
    if (!link || pthread_mutex_init(&link->sending, NULL) != 0) {
        beam_free(link);
        return no_memory(err);
    }
    link->harness = h;
    link->endpoint = beam_strdup(endpoint);
    beam_status status = link->endpoint ? connect_link(link, err) : no_memory(err);
    if (status != BEAM_OK) {
        free_link(link);
        return status;
    }
    *result = link;
    return BEAM_OK;
}

beam_status beam_data_link_get(beam_harness *h, const char *endpoint, beam_data_link **link,
                               beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&h->lock);
    for (*link = h->data_links; *link && strcmp((*link)->endpoint, endpoint) != 0;)
        *link = (*link)->next;
    if (!*link) {
        status = new_link(h, endpoint, link, err);
        if (status == BEAM_OK) {
            (*link)->next = h->data_links;
            h->data_links = *link;
        }
    }
    pthread_mutex_unlock(&h->lock);
    return status;
}

beam_status beam_data_send(beam_data_link *link, const char *instruction, const char *transform,
                           beam_buffer *bytes, bool is_last, beam_error *err)
{
    beam_buffer head = {0};
    beam_status status = beam_elements_head(&head, instruction, transform, bytes->len, is_last);
    if (status == BEAM_OK) {
        pthread_mutex_lock(&link->sending);
        status = beam_grpc_stream_write_body(link->stream, &head, bytes, err);
        pthread_mutex_unlock(&link->sending);
    } else {
        status = no_memory(err);
    }
    beam_buffer_free(&head);
    return status;
}

void beam_data_break(beam_harness *h)
{
    const beam_error why = {BEAM_CANCELLED, "the worker ends"};
    pthread_mutex_lock(&h->lock);
    for (beam_data_link *link = h->data_links; link; link = link->next)
        beam_grpc_stream_cancel(link->stream);
    pthread_mutex_unlock(&h->lock);
    beam_inboxes_break(&h->inboxes, &why);
}

void beam_data_stop(beam_harness *h)
{
    beam_data_break(h);
    while (h->data_links) {
        beam_data_link *link = h->data_links;
        h->data_links = link->next;
        pthread_join(link->reader, NULL);
        free_link(link);
    }
}
