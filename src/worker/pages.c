/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pages.c - iterables that the engine keeps and hands out in pages: each reading of one holds a
 * page in memory, and no more. */
#include <string.h>

#include "base/alloc.h"
#include "type/coder.h"
#include "worker/harness.h"

/* One reading of one iterable. */
struct beam_reading {
    struct beam_reading *next;
    const beam_pages *of; /* NULL: it has ended, and another may take its place */
    beam_buffer bytes;    /* the page at hand, behind what the one before did not end */
    size_t decoded;       /* of them */
    beam_buffer token;    /* of the next page */
    bool last;            /* there is none */
    void *values;
    size_t capacity;
    beam_arena arena;    /* what values point to */
    beam_reading *inner; /* of iterables among them */
};

beam_status beam_decode_run(const beam_decoder *decoder, const beam_type *type, beam_reader *reader,
                            void **values, size_t *capacity, size_t *n)
{
    beam_status status = BEAM_OK;
    *n = 0;
    while (beam_reader_left(reader)) {
        if (beam_grow(values, capacity, *n + 1, type->size) != 0)
            return beam_error_set(decoder->err, BEAM_RESOURCE_EXHAUSTED, "no memory for values");
        status =
            beam_decode_with(decoder, type, BEAM_NESTED, reader, (char *)*values + *n * type->size);
        if (status != BEAM_OK)
            break;
        ++*n;
    }
    return status == BEAM_OUT_OF_RANGE ? BEAM_OK : status; /* a value that the page cuts */
}

/* ---- Reading ----------------------------------------------------------------------------- */

static beam_reading *begin_reading(const beam_pages *pages)
{
    beam_reading *r = *pages->readings;
    while (r && r->of)
        r = r->next;
    if (!r) {
        r = beam_calloc(1, sizeof *r);
        if (!r)
            return NULL;
        r->next = *pages->readings;
        *pages->readings = r;
    }
    r->bytes.len = r->token.len = r->decoded = 0;
    r->last = false;
    if (beam_buffer_append(&r->bytes, pages->rest.at, pages->rest.len) != BEAM_OK ||
        beam_buffer_append(&r->token, pages->token.at, pages->token.len) != BEAM_OK)
        return NULL;
    r->of = pages;
    return r;
}

static beam_status get_page(const beam_pages *pages, beam_reading *r, beam_error *err)
{
    BeamPb__StateKey *key = NULL;
    if (r->decoded)
        memmove(r->bytes.data, r->bytes.data + r->decoded, r->bytes.len - r->decoded);
    r->bytes.len -= r->decoded;
    r->decoded = 0;
    BEAM_TRY(beam_message_unpack(&beam_pb__state_key__descriptor, pages->key.at, pages->key.len,
                                 &key, err));
    beam_status status = beam_state_get(pages->processor, key, &r->token, &r->bytes, err);
    beam_message_free(key);
    r->last = r->token.len == 0;
    return status;
}

static beam_status next_run(const beam_pages *pages, beam_reading *r, size_t *n, beam_error *err)
{
    beam_arena_reset(&r->arena);
    beam_readings_end(r->inner);
    beam_tails tails = {pages->processor, &r->arena, &r->inner, false};
    const beam_decoder decoder = {.arena = &r->arena,
                                  .err = err,
                                  .borrow = true,
                                  .open_tail = beam_pages_of_tail,
                                  .user = &tails};
    BEAM_TRY(get_page(pages, r, err));
    beam_reader reader = beam_reader_of(r->bytes.data, r->bytes.len);
    BEAM_TRY(beam_decode_run(&decoder, pages->element, &reader, &r->values, &r->capacity, n));
    r->decoded = r->bytes.len - beam_reader_left(&reader);
    return r->last && beam_reader_left(&reader)
               ? beam_error_set(err, BEAM_DATA_LOSS, "the engine's last page ends in a value")
               : BEAM_OK;
}

enum { READING, ENDED }; /* cursors */

static void start(beam_iter *iter)
{
    const beam_pages *pages = iter->iterable.source;
    iter->at = pages->n ? pages->values : NULL;
    iter->end = iter->at ? iter->at + pages->n * iter->stride : NULL;
}

static void refill(beam_iter *iter)
{
    const beam_pages *pages = iter->iterable.source;
    beam_reading *r = iter->cursor[READING];
    beam_error err = {0};
    size_t n = 0;
    iter->at = iter->end = NULL;
    if (iter->cursor[ENDED])
        return;
    if (beam_bundle_failure(pages->processor->bundle)->transform) {
        iter->status =
            BEAM_CANCELLED; /* it is read to be shown with the failure: not worth a wait */
        return;
    }
    if (!r && !(r = iter->cursor[READING] = begin_reading(pages)))
        iter->status = beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "no memory for values");
    while (r && !r->last && !n && iter->status == BEAM_OK)
        iter->status = next_run(pages, r, &n, &err);
    if (iter->status != BEAM_OK) {
        pages->processor->unread = err;
        BEAM_LOG(pages->processor->harness->logger, BEAM_LOG_ERROR,
                 "values that the engine keeps: %s", err.message);
    }
    if (n && iter->status == BEAM_OK) {
        iter->at = r->values;
        iter->end = iter->at + n * iter->stride;
        return;
    }
    iter->cursor[ENDED] = iter;
    if (r)
        r->of = NULL;
}

const beam_iterable_ops beam_pages_ops = {start, refill};

/* ---- Iterables --------------------------------------------------------------------------- */

beam_status beam_pages_open(const beam_pages *like, const BeamPb__StateKey *key, beam_arena *arena,
                            beam_iterable *values, beam_error *err)
{
    ProtobufCBinaryData packed;
    beam_pages *pages = beam_arena_copy(arena, like, sizeof *like);
    if (!pages || beam_message_pack_arena(key, arena, &packed) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for an iterable");
    pages->key = (beam_bytes){packed.data, packed.len};
    *values = (beam_iterable){&beam_pages_ops, pages, BEAM_LEN_UNKNOWN};
    return BEAM_OK;
}

beam_status beam_pages_of_tail(void *user, const beam_iterable_tail *tail, beam_iterable *values,
                               beam_error *err)
{
    beam_tails *tails = user;
    BeamPb__StateKey key = BEAM_PB__STATE_KEY__INIT;
    BeamPb__StateKey__Runner runner = BEAM_PB__STATE_KEY__RUNNER__INIT;
    const beam_pages pages = {.processor = tails->processor,
                              .element = tail->element,
                              .values = tail->prefix,
                              .n = tail->n,
                              .readings = tails->readings};
    runner.key = (ProtobufCBinaryData){tail->token.len, (uint8_t *)tail->token.at};
    key.type_case = BEAM_PB__STATE_KEY__TYPE_RUNNER;
    key.runner = &runner;
    tails->any = true;
    return beam_pages_open(&pages, &key, tails->arena, values, err);
}

void beam_readings_end(beam_reading *readings)
{
    for (beam_reading *r = readings; r; r = r->next)
        r->of = NULL;
}

void beam_readings_free(beam_reading **readings)
{
    while (*readings) {
        beam_reading *r = *readings;
        *readings = r->next;
        beam_readings_free(&r->inner);
        beam_buffer_free(&r->bytes);
        beam_buffer_free(&r->token);
        beam_arena_free(&r->arena);
        beam_free(r->values);
        beam_free(r);
    }
}
