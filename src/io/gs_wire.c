/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_wire.c - names of objects, and what a server says of them. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "io/gs.h"

/* ---- Names ----------------------------------------------------------------------------------- */

static bool is_bucket(const char *at, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    for (size_t i = 0; i < len; i++)
        if (!at[i] || !strchr(allowed, at[i]))
            return false;
    return len >= 3 && len < BEAM_GS_BUCKET && at[0] != '.' && at[0] != '-';
}

beam_status beam_gs_parse_path(beam_str path, beam_gs_place *place, beam_error *err)
{
    *place = (beam_gs_place){0};
    const char *at = path.at + 5, *end = path.at + path.len;
    if (path.len < 5 || memcmp(path.at, "gs://", 5) != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "'%.*s' does not begin with gs://",
                              (int)(path.len < 200 ? path.len : 200), path.at);
    const char *slash = memchr(at, '/', (size_t)(end - at));
    size_t bucket = (size_t)((slash ? slash : end) - at);
    size_t name = slash ? (size_t)(end - slash) - 1 : 0;
    if (!is_bucket(at, bucket))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "'%.*s' names no bucket: write gs://BUCKET/NAME, the bucket in small "
                              "letters, digits, '-', '_' and '.'",
                              (int)(path.len < 200 ? path.len : 200), path.at);
    if (name >= BEAM_GS_NAME)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the object's name in '%.100s...' is longer than 1024 bytes",
                              path.at);
    for (size_t i = 0; i < name; i++)
        if ((unsigned char)slash[1 + i] < ' ' || slash[1 + i] == 127)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "an object's name in bucket %.*s has a control character in it",
                                  (int)bucket, at);
    memcpy(place->bucket, at, bucket);
    if (name)
        memcpy(place->name, slash + 1, name);
    return BEAM_OK;
}

/* ---- Values ---------------------------------------------------------------------------------- */

void beam_gs_crc_text(uint32_t crc, char text[9])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t bits = (uint64_t)crc << 4; /* 36 of them: six digits */
    for (int i = 0; i < 6; i++)
        text[i] = digits[bits >> (30 - 6 * i) & 63];
    memcpy(text + 6, "==", 3);
}

bool beam_gs_crc_parse(const char *text, uint32_t *crc)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t bits = 0;
    if (strlen(text) != 8 || strcmp(text + 6, "==") != 0)
        return false;
    for (int i = 0; i < 6; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit)
            return false;
        bits = bits << 6 | (uint64_t)(digit - digits);
    }
    *crc = (uint32_t)(bits >> 4);
    return true;
}

/* 64-bit numbers come as strings. */
static bool number(const json_t *json, int64_t *value)
{
    const char *text = json_string_value(json);
    char *end = NULL;
    if (json_is_integer(json))
        *value = json_integer_value(json);
    if (!text)
        return json_is_integer(json) && *value >= 0;
    errno = 0;
    *value = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : -1;
    return end && !*end && errno == 0;
}

/* "2026-01-31T12:00:00.123Z", for people and MatchFiles; 0 when it is something else. */
static int64_t time_of(const char *text)
{
    struct tm t = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &t) : NULL;
    if (!rest)
        return 0;
    int64_t ms = 0;
    for (int i = 1, scale = 100; *rest == '.' && rest[i] >= '0' && rest[i] <= '9'; i++, scale /= 10)
        ms += (rest[i] - '0') * scale;
    return (int64_t)timegm(&t) * 1000 + ms;
}

static bool read_object(const json_t *json, beam_gs_object *o)
{
    const char *crc = json_string_value(json_object_get(json, "crc32c"));
    *o = (beam_gs_object){0};
    o->has_crc32c = crc && beam_gs_crc_parse(crc, &o->crc32c);
    o->updated = time_of(json_string_value(json_object_get(json, "updated")));
    return number(json_object_get(json, "generation"), &o->generation) &&
           number(json_object_get(json, "size"), &o->size) && (!crc || o->has_crc32c);
}

beam_status beam_gs_parse_object(const void *text, size_t size, beam_gs_object *object)
{
    json_t *json = json_loadb(text ? text : "", size, 0, NULL);
    bool ok = read_object(json, object);
    json_decref(json);
    return ok ? BEAM_OK : BEAM_DATA_LOSS;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static beam_status grow(beam_gs_listing *l)
{
    if (l->n < l->capacity)
        return BEAM_OK;
    size_t capacity = l->capacity ? l->capacity * 2 : 64;
    char **names = beam_arena_calloc(l->arena, capacity, sizeof *names);
    beam_gs_object *objects = beam_arena_calloc(l->arena, capacity, sizeof *objects);
    if (!names || !objects)
        return BEAM_RESOURCE_EXHAUSTED;
    if (l->n) {
        memcpy(names, l->names, l->n * sizeof *names);
        memcpy(objects, l->objects, l->n * sizeof *objects);
    }
    l->names = names;
    l->objects = objects;
    l->capacity = capacity;
    return BEAM_OK;
}

static beam_status add_item(beam_gs_listing *l, const json_t *item)
{
    const json_t *name = json_object_get(item, "name");
    size_t len = json_string_length(name);
    BEAM_TRY(grow(l));
    if (!json_is_string(name) || len == 0 || len >= BEAM_GS_NAME ||
        !read_object(item, &l->objects[l->n]))
        return BEAM_DATA_LOSS;
    l->names[l->n] = beam_arena_strndup(l->arena, json_string_value(name), len);
    if (!l->names[l->n])
        return BEAM_RESOURCE_EXHAUSTED;
    l->n++;
    return BEAM_OK;
}

beam_status beam_gs_parse_page(const void *text, size_t size, beam_gs_listing *l)
{
    size_t before = l->n, i;
    json_t *json = json_loadb(text ? text : "", size, 0, NULL), *item;
    const char *next = json_string_value(json_object_get(json, "nextPageToken"));
    beam_status status = json_is_object(json) ? BEAM_OK : BEAM_DATA_LOSS;
    l->next_page = NULL;
    json_array_foreach(json_object_get(json, "items"), i, item)
    {
        if (status == BEAM_OK)
            status = add_item(l, item);
    }
    if (status == BEAM_OK && next && *next && !(l->next_page = beam_arena_strdup(l->arena, next)))
        status = BEAM_RESOURCE_EXHAUSTED;
    if (status != BEAM_OK)
        l->n = before; /* the page comes again, or not at all */
    json_decref(json);
    return status;
}

/* ---- Other answers --------------------------------------------------------------------------- */

beam_status beam_gs_parse_rewrite(const void *text, size_t size, beam_gs_object *object,
                                  char token[BEAM_HTTP_VALUE])
{
    json_t *json = json_loadb(text ? text : "", size, 0, NULL);
    const char *next = json_string_value(json_object_get(json, "rewriteToken"));
    beam_status status = BEAM_DATA_LOSS;
    token[0] = '\0';
    if (json_is_true(json_object_get(json, "done"))) {
        status = read_object(json_object_get(json, "resource"), object) ? BEAM_OK : BEAM_DATA_LOSS;
    } else if (next && *next && strlen(next) < BEAM_HTTP_VALUE) {
        (void)snprintf(token, BEAM_HTTP_VALUE, "%s", next);
        status = BEAM_OK;
    }
    json_decref(json);
    return status;
}

beam_status beam_gs_parse_range(const char *range, int64_t *have)
{
    char *end;
    *have = 0;
    if (!*range)
        return BEAM_OK;
    if (strncmp(range, "bytes=0-", 8) != 0 || range[8] < '0' || range[8] > '9')
        return BEAM_DATA_LOSS;
    errno = 0;
    *have = strtoll(range + 8, &end, 10);
    if (errno || *end || *have == INT64_MAX) {
        *have = 0;
        return BEAM_DATA_LOSS;
    }
    ++*have;
    return BEAM_OK;
}

/* ---- Buckets --------------------------------------------------------------------------------- */

beam_status beam_gs_parse_bucket(const void *text, size_t size, beam_gs_bucket *bucket)
{
    json_t *json = json_loadb(text ? text : "", size, 0, NULL);
    const char *location = json_string_value(json_object_get(json, "location"));
    const json_t *placement = json_object_get(json, "customPlacementConfig");
    size_t i;
    json_t *part;
    *bucket = (beam_gs_bucket){0};
    bool ok = location && strlen(location) < sizeof bucket->location;
    if (ok)
        (void)snprintf(bucket->location, sizeof bucket->location, "%s", location);
    json_array_foreach(json_object_get(placement, "dataLocations"), i, part)
    {
        const char *name = json_string_value(part);
        if (i < 2 && name)
            (void)snprintf(bucket->parts[i], sizeof bucket->parts[i], "%s", name);
    }
    json_decref(json);
    return ok ? BEAM_OK : BEAM_DATA_LOSS;
}
