/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* edges.c - where a stage meets the wire: elements decoded and pushed, encoded and sent. */
#include <string.h>

#include "base/alloc.h"
#include "model/coders.h"
#include "model/proto/fn_api.pb-c.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/windowed.h"
#include "worker/harness.h"

/* JOIN: bytes that are joined at least. */
enum { BATCH = 256, MOST_DECODED = 1 << 20, JOIN = 1024, SEND_AT = 512 << 10, MOST_KEPT = 4 << 20 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for elements");
}

static beam_coder_map coders_of(const beam_processor *p)
{
    const BeamPb__ProcessBundleDescriptor *d = p->descriptor->message;
    return (beam_coder_map){d->coders, d->n_coders, false};
}

/* What a port's payload says: the types of the wire form, and where that goes. */
static beam_status read_port(beam_processor *p, const beam_plan_port *port,
                             const beam_type **element, const beam_type **window,
                             const char **endpoint, beam_error *err)
{
    BeamPb__RemoteGrpcPort *remote = NULL;
    BEAM_TRY(beam_message_unpack(&beam_pb__remote_grpc_port__descriptor, port->payload,
                                 port->payload_size, &remote, err));
    beam_status status =
        beam_coder_windowed(coders_of(p), remote->coder_id, &p->arena, element, window, err);
    if (status == BEAM_OK && !beam_type_equal(*element, port->type))
        status = beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                "the coder of %s is not of the elements of %s", port->transform,
                                port->pcollection);
    const char *url = remote->api_service_descriptor ? remote->api_service_descriptor->url : "";
    *endpoint = beam_arena_copy(&p->arena, url, strlen(url) + 1);
    if (status == BEAM_OK && !*endpoint)
        status = no_memory(err);
    beam_message_free(remote);
    return status;
}

/* ---- In ---------------------------------------------------------------------------------- */

beam_status beam_edges_open_entries(beam_processor *p, beam_error *err)
{
    size_t n = beam_bundle_n_sources(p->bundle);
    p->entries = beam_calloc(n, sizeof *p->entries);
    if (!p->entries)
        return no_memory(err);
    for (; p->n_entries < n; p->n_entries++) {
        beam_entry *entry = &p->entries[p->n_entries];
        entry->source = beam_bundle_source_at(p->bundle, p->n_entries);
        entry->port = beam_plan_source_port(entry->source);
        BEAM_TRY(read_port(p, entry->port, &entry->element, &entry->window, &entry->endpoint, err));
        if (p->batch_bytes < entry->element->size * BATCH)
            p->batch_bytes = entry->element->size * BATCH;
    }
    p->batch = beam_aligned_alloc(64, p->batch_bytes + 1);
    return p->batch ? BEAM_OK : no_memory(err);
}

/* Elements decoded so far that share an info.  They lie in the spans of the piece at hand and in
 * entry->rest. */
typedef struct batch {
    beam_processor *p;
    beam_entry *entry;
    beam_error *err;
    beam_element_info info;
    beam_bytes head; /* the info, as the first element has it */
    size_t n;
} batch;

/* BEAM_CANCELLED: the bundle has failed, and knows why. */
static beam_status push_batch(batch *b)
{
    size_t n = b->n;
    b->n = 0;
    if (n && beam_bundle_push(b->p->bundle, b->entry->source, &b->info, b->p->batch, n) != BEAM_OK)
        return BEAM_CANCELLED;
    return BEAM_OK;
}

static void forget_batch(beam_processor *p)
{
    beam_arena_reset(&p->elements);
    beam_readings_free(&p->readings);
    beam_readings_end(p->side_readings);
    p->tails.any = false;
}

static bool same_info(const beam_element_info *a, const beam_element_info *b)
{
    if (a->timestamp != b->timestamp || a->n_windows != b->n_windows ||
        memcmp(&a->pane, &b->pane, sizeof a->pane) != 0)
        return false;
    for (uint32_t i = 0; i < a->n_windows; i++)
        if (a->windows[i].start != b->windows[i].start || a->windows[i].end != b->windows[i].end)
            return false;
    return true;
}

/* The info of the element at the reader, into *info; *alike: it is the batch's, which is known
 * without decoding it where the bytes are the same. */
static beam_status read_info(const batch *b, beam_reader *reader, beam_element_info *info,
                             bool *alike, beam_error *err)
{
    *alike = b->n && beam_reader_left(reader) >= b->head.len &&
             memcmp(reader->at, b->head.at, b->head.len) == 0;
    if (*alike) {
        reader->at += b->head.len;
        return BEAM_OK;
    }
    BEAM_TRY(beam_decode_info(b->entry->window, reader, info, &b->p->elements, err));
    *alike = b->n && same_info(info, &b->info);
    return BEAM_OK;
}

/* Reads one element into the batch, or, when its info is another, pushes the batch and leaves
 * the element for the next call.  Elements that a split has given away are skipped. */
static beam_status decode_next(batch *b, beam_reader *reader, beam_error *err)
{
    beam_processor *p = b->p;
    beam_entry *entry = b->entry;
    beam_element_info info;
    bool alike;
    const beam_decoder decoder = {.arena = &p->elements,
                                  .err = err,
                                  .borrow = true,
                                  .open_tail = beam_pages_of_tail,
                                  .user = &p->tails};
    if (!entry->granted && !(entry->granted = beam_split_take(p, entry, BATCH))) {
        reader->at = reader->end;
        return BEAM_OK;
    }
    if (b->n == 0)
        forget_batch(p);
    beam_reader at = *reader;
    BEAM_TRY(read_info(b, &at, &info, &alike, err));
    if (b->n && !alike)
        return push_batch(b);
    const uint8_t *value = at.at;
    BEAM_TRY(beam_decode_with(&decoder, entry->element, BEAM_NESTED, &at,
                              p->batch + b->n * entry->element->size));
    beam_passes(p->harness, &entry->passing, entry->port->pcollection, value,
                (size_t)(at.at - value));
    if (b->n == 0) {
        b->info = info;
        b->head = (beam_bytes){reader->at, (size_t)(value - reader->at)};
    }
    *reader = at;
    b->n++;
    entry->granted--;
    /* Readings of what the engine keeps have a page each, until the push is over. */
    return !entry->granted || b->n == BATCH || p->elements.total > MOST_DECODED || p->tails.any ||
                   p->paged
               ? push_batch(b)
               : BEAM_OK;
}

/* Elements, while there are more bytes than `enough`.  BEAM_OUT_OF_RANGE, the only error without
 * words: the reader stands at one whose end is not there. */
static beam_status decode_all(batch *b, beam_reader *reader, size_t enough)
{
    beam_status status = BEAM_OK;
    while (status == BEAM_OK && beam_reader_left(reader) > enough) {
        status = decode_next(b, reader, NULL);
        if (status != BEAM_OK && status != BEAM_OUT_OF_RANGE && status != BEAM_CANCELLED)
            status = decode_next(b, reader, b->err); /* once more, for the words */
    }
    return status;
}

/* Appends bytes to the rest, which no element of the batch lies in then. */
static beam_status keep(batch *b, beam_reader *reader, size_t n)
{
    BEAM_TRY(push_batch(b));
    if (beam_buffer_append(&b->entry->rest, reader->at, n) != BEAM_OK)
        return no_memory(b->err);
    reader->at += n;
    return BEAM_OK;
}

/* The elements that are whole in the rest.  The last `shared` bytes of it are the span's too, and
 * those that are left of them are read there. */
static beam_status decode_rest(batch *b, beam_reader *span, size_t shared)
{
    beam_buffer *rest = &b->entry->rest;
    beam_reader reader = beam_reader_of(rest->data, rest->len);
    beam_status status = decode_all(b, &reader, shared);
    size_t left = beam_reader_left(&reader);
    if (status == BEAM_OK) {
        span->at -= left;
        rest->len = 0;
        return BEAM_OK;
    }
    if (status != BEAM_OUT_OF_RANGE)
        return status;
    BEAM_TRY(push_batch(b));
    memmove(rest->data, reader.at, left);
    rest->len = left;
    b->entry->worth = 2 * left;
    return BEAM_OK;
}

/* What the rest begins is joined with about as much of the span, and as much again, until it is
 * whole: an element of many spans is not looked at for each of them. */
static beam_status decode_span(batch *b, beam_reader span)
{
    const uint8_t *begin = span.at;
    beam_entry *entry = b->entry;
    while (entry->rest.len && beam_reader_left(&span)) {
        size_t left = beam_reader_left(&span),
               more = entry->rest.len > JOIN ? entry->rest.len : JOIN;
        BEAM_TRY(keep(b, &span, more < left ? more : left));
        if (entry->rest.len >= entry->worth)
            BEAM_TRY(decode_rest(b, &span, (size_t)(span.at - begin)));
    }
    beam_status status = decode_all(b, &span, 0);
    if (status != BEAM_OUT_OF_RANGE)
        return status;
    entry->worth = 0;
    return keep(b, &span, beam_reader_left(&span));
}

/* What a piece ends with is looked at also where it may not be whole. */
static beam_status decode_chunk(batch *b, const beam_chunk *chunk)
{
    beam_reader none = beam_reader_of(NULL, 0);
    for (size_t i = 0; i < chunk->bytes.n; i++)
        BEAM_TRY(decode_span(b, beam_reader_of(chunk->bytes.all[i].at, chunk->bytes.all[i].len)));
    if (chunk->ends)
        BEAM_TRY(decode_rest(b, &none, 0));
    BEAM_TRY(push_batch(b));
    if (!chunk->is_last || !b->entry->rest.len)
        return BEAM_OK;
    beam_reader rest = beam_reader_of(b->entry->rest.data, b->entry->rest.len);
    return decode_next(b, &rest, b->err);
}

beam_status beam_edges_feed(beam_processor *p, beam_entry *entry, const beam_chunk *chunk,
                            beam_error *err)
{
    beam_error why = {0};
    batch b = {.p = p, .entry = entry, .err = &why};
    beam_status status = decode_chunk(&b, chunk);
    entry->done = chunk->is_last;
    if (beam_bundle_get_state(p->bundle) != BEAM_BUNDLE_RUNNING)
        return beam_bundle_error(p->bundle, err);
    return status == BEAM_OK
               ? status
               : beam_error_set(err, status == BEAM_OUT_OF_RANGE ? BEAM_DATA_LOSS : status,
                                "elements of %s cannot be read: %s", entry->port->unique_name,
                                why.message);
}

/* ---- Out --------------------------------------------------------------------------------- */

static beam_status send_bytes(beam_exit *exit, bool is_last, beam_error *err)
{
    beam_status status = beam_data_send(exit->link, exit->processor->instruction,
                                        exit->port->transform, &exit->bytes, is_last, err);
    exit->bytes.len = 0;
    if (exit->bytes.capacity > MOST_KEPT) /* by one large element */
        beam_buffer_free(&exit->bytes);
    return status;
}

/* The n elements share an info: where the buffer has it from the one before, it is copied. */
static beam_status write_elements(beam_ctx *ctx, const void *elements, size_t n)
{
    beam_exit *exit = ctx->state;
    beam_buffer *bytes = &exit->bytes;
    beam_error *err = beam_ctx_error(ctx);
    const char *at = elements;
    size_t head = 0, head_len = 0; /* of the last info in the buffer */
    for (size_t i = 0; i < n; i++, at += exit->element->size) {
        size_t begin = bytes->len;
        if (!head_len)
            BEAM_TRY(beam_encode_info(exit->window, beam_info(ctx), bytes, err));
        else if (beam_buffer_repeat(bytes, head, head_len) != BEAM_OK)
            return no_memory(err);
        head = begin;
        head_len = bytes->len - begin;
        size_t before = bytes->len;
        BEAM_TRY(beam_encode(exit->element, BEAM_NESTED, at, bytes, err));
        beam_passes(exit->processor->harness, &exit->passing, exit->port->pcollection,
                    bytes->data + before, bytes->len - before);
        if (bytes->len < SEND_AT)
            continue;
        BEAM_TRY(send_bytes(exit, false, err));
        head_len = 0;
    }
    return BEAM_OK;
}

static beam_status write_element(beam_ctx *ctx, const void *element)
{
    return write_elements(ctx, element, 1);
}

beam_status beam_edges_bind_sink(void *self, const beam_plan_port *port, beam_plan_sink *sink,
                                 beam_error *err)
{
    beam_processor *p = self;
    void *exits = p->exits;
    int grown = beam_grow(&exits, &p->exits_capacity, p->n_exits + 1, sizeof *p->exits);
    p->exits = exits;
    beam_exit *exit = grown == 0 ? beam_arena_calloc(&p->arena, 1, sizeof *exit) : NULL;
    if (!exit)
        return no_memory(err);
    p->exits[p->n_exits++] = exit;
    exit->processor = p;
    exit->port = port;
    BEAM_TRY(read_port(p, port, &exit->element, &exit->window, &exit->endpoint, err));
    *sink = (beam_plan_sink){exit, write_element, write_elements};
    return BEAM_OK;
}

/* A stream takes what will not arrive until it is known to have broken. */
beam_status beam_edges_flush(beam_processor *p, beam_error *err)
{
    for (size_t i = 0; i < p->n_exits; i++)
        BEAM_TRY(send_bytes(p->exits[i], true, err));
    for (size_t i = 0; i < p->n_exits; i++)
        BEAM_TRY(beam_data_check(p->exits[i]->link, err));
    return BEAM_OK;
}

/* ---- A bundle's beginning and end -------------------------------------------------------- */

/* The links are the bundle's, not the processor's: the next bundle has others where one of these is
 * lost, and this one has not. */
beam_status beam_edges_begin_bundle(beam_processor *p, beam_inbox *inbox, beam_error *err)
{
    for (size_t i = 0; i < p->n_entries; i++)
        BEAM_TRY(beam_data_link_get(p->harness, p->entries[i].endpoint, inbox, &p->entries[i].link,
                                    err));
    for (size_t i = 0; i < p->n_exits; i++)
        BEAM_TRY(
            beam_data_link_get(p->harness, p->exits[i]->endpoint, inbox, &p->exits[i]->link, err));
    return BEAM_OK;
}

static void give_back(beam_data_link **link)
{
    if (*link)
        beam_data_link_release(*link);
    *link = NULL;
}

/* A processor may wait for its next bundle for ever: it keeps no memory that elements took. */
void beam_edges_end_bundle(beam_processor *p)
{
    for (size_t i = 0; i < p->n_entries; i++) {
        p->entries[i].done = false;
        p->entries[i].worth = 0;
        give_back(&p->entries[i].link);
        beam_buffer_free(&p->entries[i].rest);
    }
    for (size_t i = 0; i < p->n_exits; i++) {
        beam_buffer_free(&p->exits[i]->bytes);
        give_back(&p->exits[i]->link);
    }
    beam_readings_free(&p->readings);
    beam_arena_free(&p->elements);
}

void beam_edges_free(beam_processor *p)
{
    beam_edges_end_bundle(p);
    beam_free(p->entries);
    beam_free(p->exits);
    beam_free(p->batch);
}
