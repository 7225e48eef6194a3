/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/elements.h"

#include <string.h>

#include "base/alloc.h"
#include "base/proto_field.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"

/* Fields of Elements and of Elements.Data. */
enum { DATA = 1, INSTRUCTION = 1, TRANSFORM = 2, BYTES = 3, IS_LAST = 4 };

/* A message of fewer bytes would keep much more memory than its own: gRPC reads into blocks of up
 * to 64 KB, which stay as long as anything that lies in them. */
enum { LARGE = 8 << 10 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle's data");
}

/* ---- Read -------------------------------------------------------------------------------- */

void beam_pieces_free(beam_pieces *p)
{
    for (size_t i = 0; i < p->n; i++) {
        beam_free(p->all[i].instruction);
        beam_chunk_free(p->all[i].chunk);
    }
    beam_free(p->all);
    *p = (beam_pieces){0};
}

static beam_status add_piece(beam_pieces *p, beam_error *err)
{
    void *all = p->all;
    int grown = beam_grow(&all, &p->capacity, p->n + 1, sizeof *p->all);
    p->all = all;
    beam_chunk *chunk = grown == 0 ? beam_calloc(1, sizeof *chunk) : NULL;
    if (!chunk)
        return no_memory(err);
    p->all[p->n++] = (beam_piece){.chunk = chunk};
    return BEAM_OK;
}

/* A place in a message. */
typedef struct cursor {
    const beam_spans *message;
    size_t at;         /* from its beginning */
    size_t span, from; /* the same as a span, and from that one's beginning */
} cursor;

static void skip(cursor *c, size_t bytes)
{
    c->at += bytes;
    for (c->from += bytes; c->span < c->message->n && c->from >= c->message->all[c->span].len;)
        c->from -= c->message->all[c->span++].len;
}

/* Copies bytes that are there. */
static void take(cursor *c, size_t bytes, void *to)
{
    const beam_spans behind = {.all = c->message->all + c->span, .n = c->message->n - c->span};
    beam_spans_copy(&behind, c->from, bytes, to);
    skip(c, bytes);
}

/* The head of the next field of what ends at `end`; its bytes come next, and are there. */
static beam_status next_head(cursor *c, size_t end, beam_proto_field *field)
{
    uint8_t head[BEAM_PROTO_MOST_HEAD];
    const cursor before = *c;
    size_t most = end - c->at < sizeof head ? end - c->at : sizeof head;
    take(c, most, head);
    beam_reader reader = beam_reader_of(head, most);
    BEAM_TRY(beam_proto_next_head(&reader, field));
    *c = before;
    skip(c, most - beam_reader_left(&reader));
    return field->size <= end - c->at ? BEAM_OK : BEAM_OUT_OF_RANGE;
}

static beam_status read_name(cursor *c, size_t size, char **name)
{
    beam_free(*name);
    *name = beam_calloc(1, size + 1);
    if (!*name)
        return BEAM_RESOURCE_EXHAUSTED;
    take(c, size, *name);
    return BEAM_OK;
}

/* An Elements.Data; its bytes stay where they are. */
static beam_status read_piece(cursor *c, size_t end, beam_piece *into)
{
    while (c->at < end) {
        beam_proto_field field;
        BEAM_TRY(next_head(c, end, &field));
        bool is_bytes = field.wire == BEAM_PROTO_BYTES;
        if (field.number == INSTRUCTION && is_bytes) {
            BEAM_TRY(read_name(c, field.size, &into->instruction));
            continue;
        }
        if (field.number == TRANSFORM && is_bytes) {
            BEAM_TRY(read_name(c, field.size, &into->chunk->transform));
            continue;
        }
        if (field.number == BYTES && is_bytes) {
            into->from = c->at;
            into->chunk->bytes.size = field.size;
        } else if (field.number == IS_LAST) {
            into->chunk->is_last = field.value != 0;
        }
        skip(c, field.size);
    }
    return into->instruction && into->chunk->transform ? BEAM_OK : BEAM_DATA_LOSS;
}

static beam_status read_all(const beam_spans *message, beam_pieces *p, beam_error *err)
{
    cursor c = {.message = message};
    beam_status status = BEAM_OK;
    skip(&c, 0);
    while (status == BEAM_OK && c.at < message->size) {
        beam_proto_field field;
        status = next_head(&c, message->size, &field);
        if (status != BEAM_OK)
            break;
        if (field.number == DATA && field.wire == BEAM_PROTO_BYTES) {
            BEAM_TRY(add_piece(p, err));
            status = read_piece(&c, c.at + field.size, &p->all[p->n - 1]);
        } else {
            skip(&c, field.size);
        }
    }
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return no_memory(err);
    return status == BEAM_OK
               ? status
               : beam_error_set(err, BEAM_DATA_LOSS,
                                "the engine sent %zu bytes that are no elements", message->size);
}

static beam_status copy_bytes(const beam_spans *message, beam_piece *piece, beam_error *err)
{
    beam_spans *bytes = &piece->chunk->bytes;
    void *to;
    size_t size = bytes->size;
    if (beam_spans_new(size, bytes, &to) != BEAM_OK)
        return no_memory(err);
    beam_spans_copy(message, piece->from, size, to);
    return BEAM_OK;
}

beam_status beam_elements_read(beam_spans *message, beam_pieces *p, beam_error *err)
{
    const beam_piece *most = NULL;
    BEAM_TRY(read_all(message, p, err));
    for (size_t i = 0; i < p->n; i++)
        if (message->size >= LARGE && p->all[i].chunk->bytes.size > message->size / 2)
            most = &p->all[i];
        else
            BEAM_TRY(copy_bytes(message, &p->all[i], err));
    if (most) {
        size_t size = most->chunk->bytes.size;
        most->chunk->bytes = *message;
        *message = (beam_spans){0};
        beam_spans_cut(&most->chunk->bytes, most->from, size);
    }
    return BEAM_OK;
}

/* ---- Written ----------------------------------------------------------------------------- */

static beam_status begin_field(beam_buffer *out, unsigned number, size_t bytes)
{
    BEAM_TRY(beam_buffer_varint(out, number << 3 | BEAM_PROTO_BYTES));
    return beam_buffer_varint(out, bytes);
}

beam_status beam_elements_head(beam_buffer *head, const char *instruction, const char *transform,
                               size_t bytes, bool is_last)
{
    BeamPb__Elements__Data data = BEAM_PB__ELEMENTS__DATA__INIT;
    data.instruction_id = (char *)instruction;
    data.transform_id = (char *)transform;
    data.is_last = is_last;
    beam_buffer inner = {0};
    beam_status status = beam_message_pack(&data, &inner);
    if (status == BEAM_OK && bytes)
        status = begin_field(&inner, BYTES, bytes);
    if (status == BEAM_OK)
        status = begin_field(head, DATA, inner.len + bytes);
    if (status == BEAM_OK)
        status = beam_buffer_append(head, inner.data, inner.len);
    beam_buffer_free(&inner);
    return status;
}
