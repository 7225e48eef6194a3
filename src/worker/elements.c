/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/elements.h"

#include <string.h>

#include "base/alloc.h"
#include "base/proto_field.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"

/* Fields of Elements and of Elements.Data. */
enum { DATA = 1, INSTRUCTION = 1, TRANSFORM = 2, BYTES = 3, IS_LAST = 4 };

/* LARGE: fewer bytes would keep much more memory than their own, as what they lie in stays as long
 * as they do. */
enum { LARGE = 16 << 10, SKIPPED = 4096 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle's data");
}

/* ---- Read -------------------------------------------------------------------------------- */

/* A piece, as far as it has come. */
typedef struct piece {
    char *instruction, *transform;
    beam_chunk *first, **end; /* that are not on their way: the last, as it may be the last one */
    bool has_bytes, is_last;
} piece;

typedef struct reading {
    const beam_elements_source *source;
    beam_elements_sink *put;
    void *user;
    beam_error *err;
} reading;

static beam_status damaged(const reading *r)
{
    return beam_error_set(r->err, BEAM_DATA_LOSS, "the engine sent %zu bytes that are no elements",
                          r->source->size);
}

/* Each of what follows takes from the *left bytes of a field, or of the message. */

static beam_status get(const reading *r, size_t *left, void *to, size_t size)
{
    *left -= size;
    return r->source->read(r->source->user, to, size, r->err);
}

static beam_status next_head(const reading *r, size_t *left, beam_proto_field *field)
{
    uint8_t head[BEAM_PROTO_MOST_HEAD];
    beam_status status = BEAM_OUT_OF_RANGE;
    for (size_t n = 0; status == BEAM_OUT_OF_RANGE && n < sizeof head && *left;) {
        BEAM_TRY(get(r, left, head + n++, 1));
        beam_reader reader = beam_reader_of(head, n);
        status = beam_proto_next_head(&reader, field);
    }
    return status == BEAM_OK && field->size <= *left ? BEAM_OK : damaged(r);
}

static beam_status skip(const reading *r, size_t *left, size_t size)
{
    char bytes[SKIPPED];
    for (size_t part; size; size -= part) {
        part = size < sizeof bytes ? size : sizeof bytes;
        BEAM_TRY(get(r, left, bytes, part));
    }
    return BEAM_OK;
}

static beam_status read_name(const reading *r, size_t *left, size_t size, char **name)
{
    if (*name)
        return damaged(r);
    *name = beam_calloc(1, size + 1);
    return *name ? get(r, left, *name, size) : no_memory(r->err);
}

/* What is known to be whose goes on its way, but for the last that came. */
static beam_status send_on(const reading *r, piece *p, bool also_the_last)
{
    while (p->instruction && p->transform && p->first && (also_the_last || p->first->next)) {
        beam_chunk *chunk = p->first;
        if (!(chunk->transform = beam_strdup(p->transform)))
            return no_memory(r->err);
        p->first = chunk->next;
        chunk->next = NULL;
        BEAM_TRY(r->put(r->user, p->instruction, chunk, r->err));
    }
    return BEAM_OK;
}

static beam_status add_chunk(const reading *r, piece *p, beam_chunk **chunk)
{
    if (!p->first)
        p->end = &p->first;
    *chunk = *p->end = beam_calloc(1, sizeof **chunk);
    if (!*chunk)
        return no_memory(r->err);
    p->end = &(*chunk)->next;
    return BEAM_OK;
}

/* Bytes that are few get a place of their own. */
static beam_status settle(const reading *r, beam_spans *part)
{
    beam_spans own;
    void *to;
    if (part->size >= LARGE || !part->memory)
        return BEAM_OK;
    if (beam_spans_new(part->size, &own, &to) != BEAM_OK)
        return no_memory(r->err);
    beam_spans_copy(part, to);
    beam_spans_free(part);
    *part = own;
    return BEAM_OK;
}

static beam_status read_bytes(const reading *r, size_t *left, size_t size, piece *p)
{
    if (p->has_bytes)
        return damaged(r);
    p->has_bytes = true;
    while (size) {
        beam_chunk *chunk;
        BEAM_TRY(add_chunk(r, p, &chunk));
        BEAM_TRY(r->source->take(r->source->user, size, &chunk->bytes, r->err));
        size -= chunk->bytes.size;
        *left -= chunk->bytes.size;
        BEAM_TRY(settle(r, &chunk->bytes));
        BEAM_TRY(send_on(r, p, false));
    }
    return BEAM_OK;
}

static beam_status end_piece(const reading *r, piece *p)
{
    beam_chunk *chunk = p->first;
    if (!p->instruction || !p->transform)
        return damaged(r);
    if (!chunk)
        BEAM_TRY(add_chunk(r, p, &chunk));
    while (chunk->next)
        chunk = chunk->next;
    chunk->ends = true;
    chunk->is_last = p->is_last;
    return send_on(r, p, true);
}

static void free_piece(piece *p)
{
    while (p->first) {
        beam_chunk *chunk = p->first;
        p->first = chunk->next;
        beam_chunk_free(chunk);
    }
    beam_free(p->instruction);
    beam_free(p->transform);
}

/* An Elements.Data of `left` bytes. */
static beam_status read_piece(const reading *r, size_t left, piece *p)
{
    while (left) {
        beam_proto_field field;
        BEAM_TRY(next_head(r, &left, &field));
        size_t size = (size_t)field.size;
        bool is_bytes = field.wire == BEAM_PROTO_BYTES;
        if (field.number == INSTRUCTION && is_bytes)
            BEAM_TRY(read_name(r, &left, size, &p->instruction));
        else if (field.number == TRANSFORM && is_bytes)
            BEAM_TRY(read_name(r, &left, size, &p->transform));
        else if (field.number == BYTES && is_bytes)
            BEAM_TRY(read_bytes(r, &left, size, p));
        else
            BEAM_TRY(skip(r, &left, size));
        if (field.number == IS_LAST)
            p->is_last = field.value != 0;
    }
    return end_piece(r, p);
}

beam_status beam_elements_read(const beam_elements_source *source, beam_elements_sink *put,
                               void *user, beam_error *err)
{
    const reading r = {source, put, user, err};
    for (size_t left = source->size; left;) {
        beam_proto_field field;
        BEAM_TRY(next_head(&r, &left, &field));
        if (field.number == DATA && field.wire == BEAM_PROTO_BYTES) {
            piece p = {.has_bytes = false};
            beam_status status = read_piece(&r, (size_t)field.size, &p);
            left -= (size_t)field.size;
            free_piece(&p);
            BEAM_TRY(status);
        } else {
            BEAM_TRY(skip(&r, &left, (size_t)field.size));
        }
    }
    return BEAM_OK;
}

/* ---- In memory --------------------------------------------------------------------------- */

static beam_status read_memory(void *user, void *to, size_t size, beam_error *err)
{
    const uint8_t *at;
    BEAM_TRY(beam_read_bytes(user, size, &at));
    (void)err;
    if (size)
        memcpy(to, at, size);
    return BEAM_OK;
}

static beam_status take_memory(void *user, size_t most, beam_spans *part, beam_error *err)
{
    void *to;
    return beam_spans_new(most, part, &to) == BEAM_OK ? read_memory(user, to, most, err)
                                                      : no_memory(err);
}

beam_elements_source beam_elements_in_memory(beam_reader *message)
{
    return (beam_elements_source){beam_reader_left(message), read_memory, take_memory, message};
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
