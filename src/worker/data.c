/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* data.c - elements in and out: one stream an endpoint, shared by all bundles. */
#include "base/alloc.h"
#include "worker/elements.h"
#include "worker/harness.h"

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnData/Data";

struct beam_data_link {
    beam_link base;
    beam_harness *harness;
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
        status = beam_grpc_stream_read_spans(link->base.stream, 0, &message, &open, &err);
        if (status == BEAM_OK && open)
            status = deliver_all(link->harness, &message, &err);
        beam_spans_free(&message);
    }
    if (status == BEAM_OK)
        beam_error_set(&err, BEAM_ABORTED, "the engine ended the data stream of %s",
                       link->base.endpoint);
    beam_grpc_stream_cancel(link->base.stream); /* nobody reads what it would still send */
    beam_inboxes_break(&link->harness->inboxes, &err);
    return NULL;
}

/* ---- Links ------------------------------------------------------------------------------- */

static beam_status begin(beam_harness *h, beam_link *base, beam_error *err)
{
    beam_data_link *link = (beam_data_link *)base;
    link->harness = h;
    if (pthread_mutex_init(&link->sending, NULL) != 0)
        return no_memory(err);
    if (pthread_create(&link->reader, NULL, read_all, link) == 0)
        return BEAM_OK;
    pthread_mutex_destroy(&link->sending);
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to read elements");
}

static const beam_link_kind kind = {
    .size = sizeof(beam_data_link), .method = METHOD, .what = "exchange elements", .begin = begin};

beam_status beam_data_link_get(beam_harness *h, const char *endpoint, beam_data_link **link,
                               beam_error *err)
{
    beam_link *base;
    beam_status status = beam_link_get(h, &h->data_links, &kind, endpoint, &base, err);
    *link = (beam_data_link *)base;
    return status;
}

beam_status beam_data_send(beam_data_link *link, const char *instruction, const char *transform,
                           beam_buffer *bytes, bool is_last, beam_error *err)
{
    beam_buffer head = {0};
    beam_status status = beam_elements_head(&head, instruction, transform, bytes->len, is_last);
    if (status == BEAM_OK) {
        pthread_mutex_lock(&link->sending);
        status = beam_grpc_stream_write_body(link->base.stream, &head, bytes, err);
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
    beam_links_break(h, &h->data_links);
    beam_inboxes_break(&h->inboxes, &why);
}

void beam_data_stop(beam_harness *h)
{
    beam_data_break(h);
    while (h->data_links) {
        beam_data_link *link = (beam_data_link *)h->data_links;
        h->data_links = link->base.next;
        pthread_join(link->reader, NULL);
        pthread_mutex_destroy(&link->sending);
        beam_link_free(&link->base);
    }
}
