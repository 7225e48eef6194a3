/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* sides.c - side inputs, asked of the engine: what fits is read at once and kept, for the bundle
 * or, where the engine gives a token for it, for later ones; what does not is read page by page.
 * What many keys have is more than fits: of that only what was looked up last is kept. */
#include <string.h>

#include "base/alloc.h"
#include "model/coders.h"
#include "type/coder.h"
#include "type/layout.h"
#include "worker/harness.h"

/* Bytes of an answer that are read before a function sees it; and of a map's answers that a bundle
 * keeps, besides those of the callback at hand. */
enum { MOST_AT_ONCE = 16 << 20, MOST_KEPT = 16 << 20 };

/* A side input of a processor's, in its arena. */
typedef struct beam_side {
    struct beam_side *next;
    const beam_type *element; /* as the engine keeps them */
    beam_map held;            /* beam_cached by what was asked */
    size_t held_bytes;
    uint64_t callback; /* that asked last */
} beam_side;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a side input");
}

/* side->user becomes a beam_side. */
beam_status beam_sides_bind(void *self, beam_plan_side *side, beam_error *err)
{
    beam_processor *p = self;
    const BeamPb__ProcessBundleDescriptor *d = p->descriptor->message;
    beam_side *made = beam_arena_calloc(&p->arena, 1, sizeof *made);
    if (!made)
        return no_memory(err);
    made->next = p->sides;
    p->sides = side->user = made;
    for (size_t i = 0; i < d->n_pcollections; i++)
        if (d->pcollections[i]->value && strcmp(d->pcollections[i]->key, side->pcollection) == 0)
            return beam_coder_type((beam_coder_map){d->coders, d->n_coders, false},
                                   d->pcollections[i]->value->coder_id, &p->arena, &made->element,
                                   err);
    return beam_error_set(err, BEAM_NOT_FOUND, "side input %s has no PCollection",
                          side->local_name);
}

/* ---- The question ------------------------------------------------------------------------ */

typedef struct wanted {
    const beam_plan_side *side;
    const beam_type *element;
    BeamPb__StateKey key;
    BeamPb__StateKey__IterableSideInput iterable;
    BeamPb__StateKey__MultimapSideInput multimap;
    beam_buffer window, user_key;
    beam_buffer identity; /* of the answer: token, descriptor, key */
    bool has_token;
} wanted;

static void free_wanted(wanted *w)
{
    beam_buffer_free(&w->window);
    beam_buffer_free(&w->user_key);
    beam_buffer_free(&w->identity);
}

static beam_status encode_place(wanted *w, const beam_window *window, const void *key,
                                beam_error *err)
{
    const beam_type *wire = ((const beam_side *)w->side->user)->element;
    const beam_type *type = w->side->windowing.kind == BEAM_GLOBAL_WINDOWS
                                ? &beam_global_window_type
                                : &beam_window_type;
    w->element = wire;
    BEAM_TRY(beam_encode(type, BEAM_NESTED, window, &w->window, err));
    if (!key)
        return BEAM_OK;
    const beam_type *kv = beam_type_bare(wire);
    w->element = kv->fields[1].type;
    return beam_encode(kv->fields[0].type, BEAM_NESTED, key, &w->user_key, err);
}

static void fill_key(wanted *w, bool by_key)
{
    const ProtobufCBinaryData window = {w->window.len, w->window.data};
    beam_pb__state_key__init(&w->key);
    if (by_key) {
        beam_pb__state_key__multimap_side_input__init(&w->multimap);
        w->multimap.transform_id = (char *)w->side->transform;
        w->multimap.side_input_id = (char *)w->side->local_name;
        w->multimap.window = window;
        w->multimap.key = (ProtobufCBinaryData){w->user_key.len, w->user_key.data};
        w->key.type_case = BEAM_PB__STATE_KEY__TYPE_MULTIMAP_SIDE_INPUT;
        w->key.multimap_side_input = &w->multimap;
    } else {
        beam_pb__state_key__iterable_side_input__init(&w->iterable);
        w->iterable.transform_id = (char *)w->side->transform;
        w->iterable.side_input_id = (char *)w->side->local_name;
        w->iterable.window = window;
        w->key.type_case = BEAM_PB__STATE_KEY__TYPE_ITERABLE_SIDE_INPUT;
        w->key.iterable_side_input = &w->iterable;
    }
}

static const ProtobufCBinaryData *token_of(const beam_processor *p, const beam_plan_side *side)
{
    for (size_t i = 0; i < p->request->n_cache_tokens; i++) {
        const BeamPb__ProcessBundleRequest__CacheToken *t = p->request->cache_tokens[i];
        if (t->type_case == BEAM_PB__PROCESS_BUNDLE_REQUEST__CACHE_TOKEN__TYPE_SIDE_INPUT &&
            strcmp(t->side_input->transform_id, side->transform) == 0 &&
            strcmp(t->side_input->side_input_id, side->local_name) == 0)
            return &t->token;
    }
    return NULL;
}

/* The descriptor's id is in it, since the answer is decoded as the descriptor says. */
static beam_status identify(const beam_processor *p, wanted *w)
{
    const ProtobufCBinaryData *token = token_of(p, w->side);
    const char *descriptor = p->descriptor->message->id;
    w->has_token = token != NULL;
    BEAM_TRY(beam_buffer_varint(&w->identity, token ? token->len : 0));
    if (token)
        BEAM_TRY(beam_buffer_append(&w->identity, token->data, token->len));
    BEAM_TRY(beam_buffer_append(&w->identity, descriptor, strlen(descriptor) + 1));
    return beam_message_pack(&w->key, &w->identity);
}

/* ---- The answer -------------------------------------------------------------------------- */

/* What was read at once. */
typedef struct begun {
    size_t n;          /* values, in the answer's array */
    beam_reader rest;  /* the beginning of the next */
    beam_buffer token; /* of the next page; empty: that was all */
    bool tails;        /* there are values with more than came with them */
} begun;

/* As many pages as are read at once, and one value at least: functions have a pointer to the first
 * one, which stays. */
static beam_status begin(beam_processor *p, const wanted *w, beam_cached *answer, begun *b,
                         beam_error *err)
{
    beam_tails tails = {p, &answer->arena, &p->side_readings, false};
    const beam_decoder decoder = {.arena = &answer->arena,
                                  .err = err,
                                  .borrow = true,
                                  .open_tail = beam_pages_of_tail,
                                  .user = &tails};
    size_t capacity = 0;
    do {
        do
            BEAM_TRY(beam_state_get(p, &w->key, &b->token, &answer->bytes, err));
        while (b->token.len && answer->bytes.len < MOST_AT_ONCE);
        b->rest = beam_reader_of(answer->bytes.data, answer->bytes.len);
        BEAM_TRY(beam_decode_run(&decoder, w->element, &b->rest, &answer->array, &capacity, &b->n));
        answer->array_size = capacity * w->element->size;
    } while (b->token.len && !b->n);
    b->tails = tails.any;
    p->paged = p->paged || b->tails;
    return BEAM_OK;
}

/* The rest stays with the engine. */
static beam_status leave(beam_processor *p, const wanted *w, beam_cached *answer, const begun *b,
                         beam_error *err)
{
    const beam_pages pages = {
        .processor = p,
        .element = w->element,
        .values = answer->array,
        .n = b->n,
        .rest = {(const char *)b->rest.at, beam_reader_left(&b->rest)},
        .token = {beam_arena_copy(&answer->arena, b->token.data, b->token.len), b->token.len},
        .readings = &p->side_readings};
    p->paged = true;
    return pages.token.at ? beam_pages_open(&pages, &w->key, &answer->arena, &answer->values, err)
                          : no_memory(err);
}

/* *whole: nothing of it stays with the engine. */
static beam_status fetch(beam_processor *p, const wanted *w, beam_cached *answer, bool *whole,
                         beam_error *err)
{
    begun b = {0};
    beam_status status = begin(p, w, answer, &b, err);
    bool more = b.token.len != 0;
    *whole = !more && !b.tails;
    answer->values = (beam_iterable){NULL, answer->array, b.n};
    if (status == BEAM_OK && more)
        status = leave(p, w, answer, &b, err);
    else if (status == BEAM_OK && beam_reader_left(&b.rest))
        status = beam_error_set(err, BEAM_DATA_LOSS, "the engine's last page ends in a value");
    beam_buffer_free(&b.token);
    return status;
}

/* The engine's answer, or the one that another bundle had with the same token; held by the caller.
 */
static beam_status get_answer(beam_processor *p, const wanted *w, beam_cached **answer,
                              beam_error *err)
{
    beam_cache *cache = &p->harness->cache;
    bool whole;
    *answer = w->has_token ? beam_cache_find(cache, w->identity.data, w->identity.len) : NULL;
    if (*answer)
        return BEAM_OK;
    *answer = beam_cached_new();
    if (!*answer)
        return no_memory(err);
    beam_status status = fetch(p, w, *answer, &whole, err);
    if (status != BEAM_OK) {
        beam_cached_release(cache, *answer);
        return beam_error_wrap(err, status, "side input %s", w->side->local_name);
    }
    if (whole && w->has_token)
        beam_cache_add(cache, *answer, w->identity.data, w->identity.len);
    return BEAM_OK;
}

static void release_held(beam_processor *p, beam_side *side)
{
    size_t at = 0;
    const beam_map_entry *entry;
    while ((entry = beam_map_next(&side->held, &at)))
        beam_cached_release(&p->harness->cache, entry->value);
    beam_map_free(&side->held);
    side->held = (beam_map){0};
    side->held_bytes = 0;
}

/* The bundle holds the answer, and asks the same thing once; of a map again, when it has looked up
 * much since. */
static beam_status find_answer(beam_processor *p, const wanted *w, beam_iterable *values,
                               beam_error *err)
{
    beam_side *side = w->side->user;
    const char *identity = (const char *)w->identity.data;
    bool by_key = w->key.type_case == BEAM_PB__STATE_KEY__TYPE_MULTIMAP_SIDE_INPUT;
    if (by_key && side->callback != w->side->callback && side->held_bytes > MOST_KEPT)
        release_held(p, side);
    side->callback = w->side->callback;
    beam_cached *answer = beam_map_getn(&side->held, identity, w->identity.len);
    if (!answer) {
        BEAM_TRY(get_answer(p, w, &answer, err));
        if (beam_map_setn(&side->held, identity, w->identity.len, answer) != BEAM_OK) {
            beam_cached_release(&p->harness->cache, answer);
            return no_memory(err);
        }
        side->held_bytes += beam_cached_size(answer) + w->identity.len + sizeof(beam_map_entry);
    }
    *values = answer->values;
    return BEAM_OK;
}

beam_status beam_sides_read(void *self, const beam_plan_side *side, const beam_window *window,
                            const void *key, beam_iterable *values, beam_error *err)
{
    beam_processor *p = self;
    wanted w = {.side = side};
    beam_status status = encode_place(&w, window, key, err);
    if (status == BEAM_OK) {
        fill_key(&w, key != NULL);
        status = identify(p, &w) == BEAM_OK ? find_answer(p, &w, values, err) : no_memory(err);
    }
    free_wanted(&w);
    return status;
}

void beam_sides_end_bundle(beam_processor *p)
{
    for (beam_side *side = p->sides; side; side = side->next)
        release_held(p, side);
    p->paged = false;
    beam_readings_free(&p->side_readings);
}
