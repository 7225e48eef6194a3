/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/elements.h"

#include <string.h>

#include "base/alloc.h"
#include "base/proto_field.h"
#include "model/message.h"
#include "model/proto/fn_api.pb-c.h"

/* Fields of Elements and of Elements.Data. */
enum { DATA = 1, INSTRUCTION = 1, TRANSFORM = 2, BYTES = 3, IS_LAST = 4 };

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
    p->all[p->n++] = (beam_piece){NULL, chunk};
    return BEAM_OK;
}

static beam_status read_name(const beam_proto_field *field, char **name)
{
    beam_free(*name);
    *name = beam_strndup((const char *)field->bytes.at, beam_reader_left(&field->bytes));
    return *name ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

/* An Elements.Data; its bytes stay where they are. */
static beam_status read_piece(beam_reader reader, beam_piece *into)
{
    while (beam_reader_left(&reader)) {
        beam_proto_field field;
        BEAM_TRY(beam_proto_next_field(&reader, &field));
        bool is_bytes = field.wire == BEAM_PROTO_BYTES;
        if (field.number == INSTRUCTION && is_bytes) {
            BEAM_TRY(read_name(&field, &into->instruction));
        } else if (field.number == TRANSFORM && is_bytes) {
            BEAM_TRY(read_name(&field, &into->chunk->transform));
        } else if (field.number == BYTES && is_bytes) {
            into->chunk->bytes = field.bytes.at;
            into->chunk->size = beam_reader_left(&field.bytes);
        } else if (field.number == IS_LAST) {
            into->chunk->is_last = field.value != 0;
        }
    }
    return into->instruction && into->chunk->transform ? BEAM_OK : BEAM_DATA_LOSS;
}

static beam_status read_all(const beam_buffer *message, beam_pieces *p, beam_error *err)
{
    beam_reader reader = beam_reader_of(message->data, message->len);
    beam_status status = BEAM_OK;
    while (status == BEAM_OK && beam_reader_left(&reader)) {
        beam_proto_field field;
        status = beam_proto_next_field(&reader, &field);
        if (status != BEAM_OK || field.number != DATA || field.wire != BEAM_PROTO_BYTES)
            continue;
        BEAM_TRY(add_piece(p, err));
        status = read_piece(field.bytes, &p->all[p->n - 1]);
    }
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return no_memory(err);
    return status == BEAM_OK
               ? status
               : beam_error_set(err, BEAM_DATA_LOSS,
                                "the engine sent %zu bytes that are no elements", message->len);
}

/* The message's memory goes to the piece that is most of it; others are copied. */
static beam_status own_bytes(beam_chunk *chunk, size_t size, beam_buffer *message, beam_error *err)
{
    if (chunk->size > size / 2) {
        chunk->memory = message->data;
        *message = (beam_buffer){0};
        return BEAM_OK;
    }
    chunk->memory = beam_malloc(chunk->size + 1);
    if (!chunk->memory)
        return no_memory(err);
    if (chunk->size)
        memcpy(chunk->memory, chunk->bytes, chunk->size);
    chunk->bytes = chunk->memory;
    return BEAM_OK;
}

beam_status beam_elements_read(beam_buffer *message, beam_pieces *p, beam_error *err)
{
    BEAM_TRY(read_all(message, p, err));
    size_t size = message->len;
    for (size_t i = 0; i < p->n; i++)
        BEAM_TRY(own_bytes(p->all[i].chunk, size, message, err));
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
