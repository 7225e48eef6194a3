/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_write.c - an object written as its bytes come, of which nobody knows how many there will be.
 *
 * What fits into a part goes in one request.  Of more, each part is an object of its own, under a
 * name that patterns do not match, which can be sent again as often as need be; when
 * BEAM_GS_COMPOSE of them are there they become one, and in the end all become the object under its
 * name, at once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "io/gs.h"

typedef struct gs_writer {
    beam_writer head;
    beam_gs_place place;
    bool temporary;
    uint8_t *buffer; /* BEAM_GS_HEAD, the part's bytes, BEAM_GS_TAIL */
    size_t used, capacity;
    int64_t size; /* of all bytes in parts */
    uint32_t crc; /* and theirs */
    uint64_t id;  /* in the parts' names */
    unsigned named;
    beam_gs_part *parts; /* BEAM_GS_COMPOSE of them */
    size_t n;
} gs_writer;

static beam_status no_memory(const gs_writer *w, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to write gs://%s/%s",
                          w->place.bucket, w->place.name);
}

static void release(gs_writer *w)
{
    beam_free(w->buffer);
    beam_free(w->parts);
    beam_free(w);
}

static void remove_parts(gs_writer *w)
{
    while (w->n) {
        const beam_gs_part *part = &w->parts[--w->n];
        (void)beam_gs_remove(&part->place, part->generation, NULL); /* costs space alone */
    }
}

void beam_gs_abandon(beam_writer *writer)
{
    remove_parts((gs_writer *)writer);
    release((gs_writer *)writer);
}

beam_status beam_gs_create(const char *path, bool temporary, beam_writer **out, beam_error *err)
{
    gs_writer *w = beam_calloc(1, sizeof *w);
    if (!w)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to write %s", path);
    w->head.driver = &beam_gs_driver;
    w->temporary = temporary;
    beam_status status = beam_gs_parse_path(beam_str_of(path), &w->place, err);
    size_t len = strlen(w->place.name);
    if (status == BEAM_OK && (len == 0 || w->place.name[len - 1] == '/'))
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT, "'%s' names no file", path);
    if (status == BEAM_OK && getrandom(&w->id, sizeof w->id, 0) != (ssize_t)sizeof w->id)
        status = beam_error_set(err, BEAM_UNAVAILABLE, "the system gives no random numbers");
    if (status == BEAM_OK)
        *out = &w->head;
    else
        release(w);
    return status;
}

/* "dir/.beam-parts-ID/00001" beside "dir/name". */
static beam_status name_part(gs_writer *w, beam_gs_place *place, beam_error *err)
{
    const char *slash = strrchr(w->place.name, '/');
    int folder = slash ? (int)(slash - w->place.name) + 1 : 0;
    *place = w->place;
    int n = snprintf(place->name, sizeof place->name, "%.*s.beam-parts-%016" PRIx64 "/%05u", folder,
                     w->place.name, w->id, w->named++);
    return n > 0 && (size_t)n < sizeof place->name
               ? BEAM_OK
               : beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                "the name gs://%s/%.100s... is too long", w->place.bucket,
                                w->place.name);
}

/* All parts as one. */
static beam_status join(gs_writer *w, beam_error *err)
{
    beam_gs_part whole = {0};
    beam_gs_object object = {0};
    BEAM_TRY(name_part(w, &whole.place, err));
    BEAM_TRY(beam_gs_compose(w->parts, w->n, &whole.place, 0, w->size, w->crc, &object, err));
    whole.generation = object.generation;
    remove_parts(w);
    w->parts[w->n++] = whole;
    return BEAM_OK;
}

static beam_status send_part(gs_writer *w, beam_error *err)
{
    beam_gs_part part = {0};
    beam_gs_object object = {0};
    if (!w->parts && !(w->parts = beam_calloc(BEAM_GS_COMPOSE, sizeof *w->parts)))
        return no_memory(w, err);
    if (w->n == BEAM_GS_COMPOSE)
        BEAM_TRY(join(w, err));
    BEAM_TRY(name_part(w, &part.place, err));
    BEAM_TRY(beam_gs_insert(&part.place, 0, w->buffer + BEAM_GS_HEAD, w->used, &object, err));
    part.generation = object.generation;
    w->parts[w->n++] = part;
    w->crc = beam_crc32c(w->crc, w->buffer + BEAM_GS_HEAD, w->used);
    w->size += (int64_t)w->used;
    w->used = 0;
    return BEAM_OK;
}

/* Room for `need` bytes of the part at hand. */
static beam_status make_room(gs_writer *w, size_t need, beam_error *err)
{
    size_t capacity = w->capacity ? w->capacity : 64 << 10;
    while (capacity < need)
        capacity *= 2;
    if (w->buffer && capacity == w->capacity)
        return BEAM_OK;
    uint8_t *grown = beam_realloc(w->buffer, BEAM_GS_HEAD + capacity + BEAM_GS_TAIL);
    if (!grown)
        return no_memory(w, err);
    w->buffer = grown;
    w->capacity = capacity;
    return BEAM_OK;
}

beam_status beam_gs_write(beam_writer *writer, const void *data, size_t size, beam_error *err)
{
    gs_writer *w = (gs_writer *)writer;
    const size_t most = beam_gs_settings_now.part;
    for (const uint8_t *at = data; size;) {
        if (w->used == most)
            BEAM_TRY(send_part(w, err));
        size_t n = size < most - w->used ? size : most - w->used;
        BEAM_TRY(make_room(w, w->used + n, err));
        memcpy(w->buffer + BEAM_GS_HEAD + w->used, at, n);
        w->used += n;
        at += n;
        size -= n;
    }
    return BEAM_OK;
}

static beam_status finish(gs_writer *w, beam_error *err)
{
    beam_gs_object object = {0};
    int64_t expected = 0;
    if (!w->temporary)
        BEAM_TRY(beam_gs_generation(&w->place, &expected, err));
    if (w->n == 0) {
        BEAM_TRY(make_room(w, w->used, err));
        return beam_gs_insert(&w->place, expected, w->buffer + BEAM_GS_HEAD, w->used, &object, err);
    }
    BEAM_TRY(send_part(w, err)); /* there is one: it is sent only when more follows */
    return beam_gs_compose(w->parts, w->n, &w->place, expected, w->size, w->crc, &object, err);
}

beam_status beam_gs_commit(beam_writer *writer, beam_error *err)
{
    gs_writer *w = (gs_writer *)writer;
    beam_status status = finish(w, err);
    remove_parts(w);
    release(w);
    return status;
}
