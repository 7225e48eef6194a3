/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* data.c - elements in and out: one stream an endpoint, shared by all bundles. */
#include <string.h>

#include "base/alloc.h"
#include "worker/harness.h"

/* Bytes that may wait for one bundle; then the stream waits, and with it the engine. */
enum { MOST_WAITING = 64 << 20, PAST = 4096 };

static const char METHOD[] = "/org.apache.beam.model.fn_execution.v1.BeamFnData/Data";

struct beam_inbox {
    char *instruction;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    beam_chunk *first, **end;
    size_t waiting;
    bool closed;
    beam_error broken; /* code BEAM_OK: it is not */
    int users;         /* behind harness.lock: the map, the bundle, whoever delivers */
};

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

/* ---- Inboxes ----------------------------------------------------------------------------- */

void beam_chunk_free(beam_chunk *chunk)
{
    if (!chunk)
        return;
    beam_free(chunk->transform);
    beam_free(chunk->bytes);
    beam_free(chunk);
}

static beam_inbox *new_inbox(const char *instruction)
{
    beam_inbox *inbox = beam_calloc(1, sizeof *inbox);
    if (!inbox)
        return NULL;
    inbox->instruction = beam_strdup(instruction);
    inbox->end = &inbox->first;
    if (!inbox->instruction || pthread_mutex_init(&inbox->lock, NULL) != 0) {
        beam_free(inbox->instruction);
        beam_free(inbox);
        return NULL;
    }
    if (pthread_cond_init(&inbox->changed, NULL) != 0) {
        pthread_mutex_destroy(&inbox->lock);
        beam_free(inbox->instruction);
        beam_free(inbox);
        return NULL;
    }
    return inbox;
}

static void free_inbox(beam_inbox *inbox)
{
    while (inbox->first) {
        beam_chunk *chunk = inbox->first;
        inbox->first = chunk->next;
        beam_chunk_free(chunk);
    }
    pthread_cond_destroy(&inbox->changed);
    pthread_mutex_destroy(&inbox->lock);
    beam_free(inbox->instruction);
    beam_free(inbox);
}

/* With harness.lock held. */
static beam_inbox *find_or_make(beam_harness *h, const char *instruction)
{
    beam_inbox *inbox = beam_map_get(&h->inboxes, instruction);
    if (inbox)
        return inbox;
    inbox = new_inbox(instruction);
    if (inbox) {
        inbox->users = 1;
        inbox->broken = h->data_broken;
    }
    if (inbox && beam_map_set(&h->inboxes, instruction, inbox) != BEAM_OK) {
        free_inbox(inbox);
        inbox = NULL;
    }
    return inbox;
}

beam_inbox *beam_inbox_open(beam_harness *h, const char *instruction)
{
    pthread_mutex_lock(&h->lock);
    beam_inbox *inbox = find_or_make(h, instruction);
    if (inbox)
        inbox->users++;
    pthread_mutex_unlock(&h->lock);
    return inbox;
}

beam_status beam_inbox_take(beam_inbox *inbox, beam_chunk **chunk, beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&inbox->lock);
    while (!inbox->first && inbox->broken.code == BEAM_OK)
        pthread_cond_wait(&inbox->changed, &inbox->lock);
    *chunk = inbox->first;
    if (*chunk) {
        inbox->first = (*chunk)->next;
        if (!inbox->first)
            inbox->end = &inbox->first;
        inbox->waiting -= (*chunk)->size;
        pthread_cond_broadcast(&inbox->changed);
    } else {
        status = beam_error_set(err, inbox->broken.code, "%s", inbox->broken.message);
    }
    pthread_mutex_unlock(&inbox->lock);
    return status;
}

/* With harness.lock held: data that still come for the bundle are known to be late. */
static void remember(beam_harness *h, const char *instruction)
{
    if (!h->past_ring && !(h->past_ring = beam_calloc(PAST, sizeof *h->past_ring)))
        return; /* late data then open an inbox that nobody reads, until the worker ends */
    char **place = &h->past_ring[h->past_at++ % PAST];
    if (*place)
        (void)beam_map_remove(&h->past, *place);
    beam_free(*place);
    *place = beam_strdup(instruction);
    if (*place)
        (void)beam_map_set(&h->past, *place, *place); /* see above */
}

static void leave(beam_harness *h, beam_inbox *inbox)
{
    pthread_mutex_lock(&h->lock);
    bool unused = --inbox->users == 0;
    pthread_mutex_unlock(&h->lock);
    if (unused)
        free_inbox(inbox);
}

void beam_inbox_close(beam_harness *h, beam_inbox *inbox)
{
    pthread_mutex_lock(&h->lock);
    if (beam_map_remove(&h->inboxes, inbox->instruction))
        inbox->users--;
    remember(h, inbox->instruction);
    pthread_mutex_unlock(&h->lock);
    pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
    leave(h, inbox);
}

/* ---- In ---------------------------------------------------------------------------------- */

static void put(beam_inbox *inbox, beam_chunk *chunk)
{
    pthread_mutex_lock(&inbox->lock);
    while (inbox->waiting > MOST_WAITING && !inbox->closed && inbox->broken.code == BEAM_OK)
        pthread_cond_wait(&inbox->changed, &inbox->lock);
    bool taken = !inbox->closed;
    if (taken) {
        *inbox->end = chunk;
        inbox->end = &chunk->next;
        inbox->waiting += chunk->size;
        pthread_cond_broadcast(&inbox->changed);
    }
    pthread_mutex_unlock(&inbox->lock);
    if (!taken)
        beam_chunk_free(chunk);
}

static void break_inbox(beam_inbox *inbox, const beam_error *why)
{
    pthread_mutex_lock(&inbox->lock);
    if (inbox->broken.code == BEAM_OK)
        inbox->broken = *why;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

/* The chunk takes the message's bytes over. */
static beam_status deliver(beam_harness *h, BeamPb__Elements__Data *data, beam_error *err)
{
    pthread_mutex_lock(&h->lock);
    bool late = beam_map_has(&h->past, data->instruction_id);
    beam_inbox *inbox = late ? NULL : find_or_make(h, data->instruction_id);
    if (inbox)
        inbox->users++;
    pthread_mutex_unlock(&h->lock);
    if (late)
        return BEAM_OK;
    beam_chunk *chunk = inbox ? beam_calloc(1, sizeof *chunk) : NULL;
    if (chunk && !(chunk->transform = beam_strdup(data->transform_id))) {
        beam_free(chunk);
        chunk = NULL;
    }
    if (chunk) {
        chunk->bytes = data->data.data;
        chunk->size = data->data.len;
        chunk->is_last = data->is_last;
        data->data = (ProtobufCBinaryData){0, NULL};
        put(inbox, chunk);
    }
    if (inbox)
        leave(h, inbox);
    return chunk ? BEAM_OK : no_memory(err);
}

static beam_status deliver_all(beam_harness *h, const beam_buffer *bytes, beam_error *err)
{
    BeamPb__Elements *elements = NULL;
    BEAM_TRY(beam_message_unpack(&beam_pb__elements__descriptor, bytes->data, bytes->len, &elements,
                                 err));
    beam_status status = BEAM_OK;
    for (size_t i = 0; i < elements->n_data && status == BEAM_OK; i++)
        status = deliver(h, elements->data[i], err);
    beam_message_free(elements);
    return status;
}

static void break_all(beam_harness *h, const beam_error *why)
{
    size_t at = 0;
    const beam_map_entry *entry;
    pthread_mutex_lock(&h->lock);
    if (h->data_broken.code == BEAM_OK)
        h->data_broken = *why;
    while ((entry = beam_map_next(&h->inboxes, &at)))
        break_inbox(entry->value, why);
    pthread_mutex_unlock(&h->lock);
}

static void *read_all(void *user)
{
    beam_data_link *link = user;
    beam_error err = {0};
    beam_status status = BEAM_OK;
    for (bool open = true; open && status == BEAM_OK;) {
        beam_buffer bytes = {0};
        status = beam_grpc_stream_read(link->stream, 0, &bytes, &open, &err);
        if (status == BEAM_OK && open)
            status = deliver_all(link->harness, &bytes, &err);
        beam_buffer_free(&bytes);
    }
    if (status == BEAM_OK)
        beam_error_set(&err, BEAM_ABORTED, "the engine ended the data stream of %s",
                       link->endpoint);
    break_all(link->harness, &err);
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

beam_status beam_data_send(beam_data_link *link, const BeamPb__Elements *elements, beam_error *err)
{
    beam_buffer bytes = {0};
    beam_status status = beam_message_pack(elements, &bytes);
    if (status == BEAM_OK) {
        pthread_mutex_lock(&link->sending);
        status = beam_grpc_stream_write(link->stream, bytes.data, bytes.len, false, 0, err);
        pthread_mutex_unlock(&link->sending);
    } else {
        status = no_memory(err);
    }
    beam_buffer_free(&bytes);
    return status;
}

void beam_data_break(beam_harness *h)
{
    const beam_error why = {BEAM_CANCELLED, "the worker ends"};
    pthread_mutex_lock(&h->lock);
    for (beam_data_link *link = h->data_links; link; link = link->next)
        beam_grpc_stream_cancel(link->stream);
    pthread_mutex_unlock(&h->lock);
    break_all(h, &why);
}

void beam_data_stop(beam_harness *h)
{
    size_t at = 0;
    const beam_map_entry *entry;
    beam_data_break(h);
    while (h->data_links) {
        beam_data_link *link = h->data_links;
        h->data_links = link->next;
        pthread_join(link->reader, NULL);
        free_link(link);
    }
    while ((entry = beam_map_next(&h->inboxes, &at)))
        free_inbox(entry->value);
    beam_map_free(&h->inboxes);
    for (size_t i = 0; h->past_ring && i < PAST; i++)
        beam_free(h->past_ring[i]);
    beam_free(h->past_ring);
    beam_map_free(&h->past);
}
