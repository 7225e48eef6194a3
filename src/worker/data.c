/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* data.c - elements in and out: one stream an endpoint, shared by all bundles.  When it breaks they
 * fail, and the next bundle opens another. */
#include "base/alloc.h"
#include "worker/elements.h"
#include "worker/harness.h"

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnData/Data";

/* Bytes of a message that is read when all of it is there. */
enum { SMALL = 4096 };

struct beam_data_link {
    beam_link base;
    beam_harness *harness;
    beam_grpc_wire *wire;
    beam_inbox_feed feed;
    pthread_mutex_t sending;
    pthread_t reader;
    bool reads; /* the two are there */
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle's data");
}

/* ---- In ---------------------------------------------------------------------------------- */

static beam_status put(void *user, const char *instruction, beam_chunk *chunk, beam_error *err)
{
    const beam_data_link *link = user;
    return beam_inbox_put(&link->harness->inboxes, link->feed, instruction, chunk, err);
}

static beam_status read_wire(void *user, void *to, size_t size, beam_error *err)
{
    return beam_grpc_wire_read(user, to, size, err);
}

static beam_status take_wire(void *user, size_t most, beam_spans *part, beam_error *err)
{
    return beam_grpc_wire_take(user, most, part, err);
}

static beam_status deliver(beam_data_link *link, size_t size, beam_error *err)
{
    uint8_t small[SMALL];
    beam_reader reader = beam_reader_of(small, size < SMALL ? size : 0);
    beam_elements_source source = {size, read_wire, take_wire, link->wire};
    if (size < SMALL) {
        BEAM_TRY(beam_grpc_wire_read(link->wire, small, size, err));
        source = beam_elements_in_memory(&reader);
    }
    return beam_elements_read(&source, put, link, err);
}

/* Elements of any bundle may be lost, those too that were sent: so all that use the stream fail,
 * and none goes on over the next one. */
static void lose(beam_data_link *link, const beam_error *why)
{
    beam_link_lose(link->harness, &link->base, why);
    beam_inboxes_break(&link->harness->inboxes, link->feed, why);
    beam_grpc_wire_cancel(link->wire); /* nobody reads what it would still send */
}

static void *read_all(void *user)
{
    beam_data_link *link = user;
    beam_error err = {0};
    beam_status status = BEAM_OK;
    for (bool open = true; open && status == BEAM_OK;) {
        size_t size;
        status = beam_grpc_wire_next(link->wire, &size, &open, &err);
        if (status == BEAM_OK && open)
            status = deliver(link, size, &err);
    }
    if (status == BEAM_OK)
        (void)beam_error_set(&err, BEAM_ABORTED, "the engine at %s ended it", link->base.endpoint);
    (void)beam_error_wrap(&err, err.code, "the data stream broke");
    lose(link, &err);
    return NULL;
}

/* ---- Links ------------------------------------------------------------------------------- */

static beam_status connect_link(beam_harness *h, beam_link *base, beam_error *err)
{
    beam_data_link *link = (beam_data_link *)base;
    const beam_grpc_options call = {.method = METHOD,
                                    .what = "exchange elements",
                                    .worker_id = h->options->id,
                                    .stop = &h->control.ending};
    link->harness = h;
    link->feed = beam_inbox_new_feed(&h->inboxes);
    BEAM_TRY(beam_grpc_wire_open(base->endpoint, &call, &link->wire, err));
    if (pthread_mutex_init(&link->sending, NULL) != 0)
        return no_memory(err);
    link->reads = pthread_create(&link->reader, NULL, read_all, link) == 0;
    if (link->reads)
        return BEAM_OK;
    pthread_mutex_destroy(&link->sending);
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to read elements");
}

static void cancel_link(beam_link *base)
{
    beam_grpc_wire_cancel(((beam_data_link *)base)->wire);
}

static void close_link(beam_link *base)
{
    beam_data_link *link = (beam_data_link *)base;
    if (link->reads) { /* no more: the stream has ended, or was cancelled */
        (void)pthread_join(link->reader, NULL);
        (void)pthread_mutex_destroy(&link->sending);
    }
    beam_grpc_wire_close(link->wire);
}

static const beam_link_kind kind = {sizeof(beam_data_link), connect_link, cancel_link, close_link};

/* The inbox reads it before it is looked whether the link was lost: who loses it breaks the inbox
 * after that. */
beam_status beam_data_link_get(beam_harness *h, const char *endpoint, beam_inbox *inbox,
                               beam_data_link **link, beam_error *err)
{
    beam_link *base;
    *link = NULL;
    BEAM_TRY(beam_link_get(h, &h->data_links, &kind, endpoint, &base, err));
    *link = (beam_data_link *)base;
    beam_inbox_read(inbox, (*link)->feed);
    return beam_data_check(*link, err);
}

void beam_data_link_release(beam_data_link *link)
{
    beam_link_release(link->harness, &link->base);
}

beam_status beam_data_check(beam_data_link *link, beam_error *err)
{
    return beam_link_check(link->harness, &link->base, err);
}

beam_status beam_data_send(beam_data_link *link, const char *instruction, const char *transform,
                           const beam_buffer *bytes, bool is_last, beam_error *err)
{
    beam_buffer head = {0};
    beam_status status = beam_elements_head(&head, instruction, transform, bytes->len, is_last);
    if (status == BEAM_OK) {
        pthread_mutex_lock(&link->sending);
        status = beam_grpc_wire_write(link->wire, &head, bytes, err);
        pthread_mutex_unlock(&link->sending);
    } else {
        status = no_memory(err);
    }
    beam_buffer_free(&head);
    if (status == BEAM_OK)
        return status;
    beam_status lost = beam_data_check(link, err); /* says more than how writing failed */
    return lost != BEAM_OK ? lost : status;
}

void beam_data_break(beam_harness *h)
{
    const beam_error why = {BEAM_CANCELLED, "the worker ends"};
    beam_links_break(h, &h->data_links);
    beam_inboxes_break(&h->inboxes, BEAM_INBOX_ALL_FEEDS, &why);
}

void beam_data_stop(beam_harness *h)
{
    beam_data_break(h);
    beam_links_close(&h->data_links);
}
