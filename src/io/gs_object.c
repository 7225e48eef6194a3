/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_object.c - what can be done to an object, a request each. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "io/gs.h"

static const char api[] = "/storage/v1", upload_api[] = "/upload/storage/v1";
#define FIELDS "size,generation,crc32c,updated"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for Cloud Storage");
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* The buffer's bytes go on behind the NUL's place, so that a query can be added. */
static beam_status terminate(beam_buffer *to)
{
    BEAM_TRY(beam_buffer_u8(to, '\0'));
    to->len--;
    return BEAM_OK;
}

beam_status beam_gs_address(beam_buffer *to, const char *prefix, const beam_gs_place *place,
                            bool with_name)
{
    BEAM_TRY(beam_buffer_printf(to, "%s/b/%s/o", prefix, place->bucket));
    if (with_name) {
        BEAM_TRY(beam_buffer_u8(to, '/'));
        BEAM_TRY(beam_http_escape(to, beam_str_of(place->name)));
    }
    return terminate(to);
}

static beam_status add_escaped(beam_buffer *to, const char *name, const char *value)
{
    BEAM_TRY(beam_buffer_printf(to, "&%s=", name));
    BEAM_TRY(beam_http_escape(to, beam_str_of(value)));
    return terminate(to);
}

static beam_status add_number(beam_buffer *to, const char *name, int64_t value)
{
    BEAM_TRY(beam_buffer_printf(to, "&%s=%" PRId64, name, value));
    return terminate(to);
}

/* The address of an object with `query` behind it, and its expected generation unless it is
 * BEAM_GS_ANY. */
static beam_status address_of(beam_buffer *to, const char *prefix, const beam_gs_place *place,
                              bool with_name, const char *query, int64_t expected)
{
    BEAM_TRY(beam_gs_address(to, prefix, place, with_name));
    BEAM_TRY(beam_buffer_printf(to, "%s", query));
    if (expected != BEAM_GS_ANY)
        BEAM_TRY(add_number(to, "ifGenerationMatch", expected));
    return terminate(to);
}

static beam_status parse_object(void *user, const beam_http_response *response)
{
    return beam_gs_parse_object(response->body.data, response->body.len, user);
}

/* ---- Looking --------------------------------------------------------------------------------- */

beam_status beam_gs_stat(const beam_gs_place *place, beam_gs_object *object, beam_error *err)
{
    beam_buffer path = {0};
    beam_status status =
        address_of(&path, api, place, true, "?fields=" FIELDS, BEAM_GS_ANY) == BEAM_OK
            ? BEAM_OK
            : no_memory(err);
    const beam_gs_call call = {.method = "GET",
                               .place = place,
                               .doing = "look at",
                               .path = (const char *)path.data,
                               .parse = parse_object,
                               .user = object};
    if (status == BEAM_OK)
        status = beam_gs_perform(&call, NULL, err);
    beam_buffer_free(&path);
    return status;
}

static beam_status parse_bucket(void *user, const beam_http_response *response)
{
    return beam_gs_parse_bucket(response->body.data, response->body.len, user);
}

beam_status beam_gs_find_bucket(const beam_gs_place *place, beam_gs_bucket *bucket, beam_error *err)
{
    beam_gs_place whole = {0}; /* for messages: no name in it */
    (void)snprintf(whole.bucket, sizeof whole.bucket, "%s", place->bucket);
    char *path =
        beam_asprintf("/storage/v1/b/%s?fields=location,customPlacementConfig", place->bucket);
    if (!path)
        return no_memory(err);
    const beam_gs_call call = {.method = "GET",
                               .place = &whole,
                               .doing = "look at",
                               .path = path,
                               .parse = parse_bucket,
                               .user = bucket};
    beam_status status = beam_gs_perform(&call, NULL, err);
    beam_free(path);
    return status;
}

beam_status beam_gs_generation(const beam_gs_place *place, int64_t *generation, beam_error *err)
{
    beam_gs_object object = {0};
    beam_error why = {0};
    beam_status status = beam_gs_stat(place, &object, &why);
    *generation = status == BEAM_OK ? object.generation : 0;
    return status == BEAM_OK || status == BEAM_NOT_FOUND
               ? BEAM_OK
               : beam_error_set(err, status, "%s", why.message);
}

static beam_status parse_page(void *user, const beam_http_response *response)
{
    return beam_gs_parse_page(response->body.data, response->body.len, user);
}

static beam_status list_page(const beam_gs_place *prefix, bool with_folders, size_t most,
                             beam_gs_listing *listing, beam_error *err)
{
    beam_buffer path = {0};
    const char *page = listing->next_page;
    beam_status status = address_of(&path, api, prefix, false,
                                    "?fields=nextPageToken,items(name," FIELDS ")", BEAM_GS_ANY);
    if (status == BEAM_OK)
        status = add_escaped(&path, "prefix", prefix->name);
    if (status == BEAM_OK && !with_folders)
        status = add_escaped(&path, "delimiter", "/");
    if (status == BEAM_OK && most)
        status = add_number(&path, "maxResults", (int64_t)most);
    if (status == BEAM_OK && page)
        status = add_escaped(&path, "pageToken", page);
    const beam_gs_call call = {.method = "GET",
                               .place = prefix,
                               .doing = "list",
                               .path = (const char *)path.data,
                               .parse = parse_page,
                               .user = listing};
    status = status == BEAM_OK ? beam_gs_perform(&call, NULL, err) : no_memory(err);
    beam_buffer_free(&path);
    return status;
}

beam_status beam_gs_list(const beam_gs_place *prefix, bool with_folders, size_t most,
                         beam_gs_listing *listing, beam_error *err)
{
    do
        BEAM_TRY(list_page(prefix, with_folders, most, listing, err));
    while (listing->next_page && (!most || listing->n < most));
    return BEAM_OK;
}

beam_status beam_gs_remove(const beam_gs_place *place, int64_t generation, beam_error *err)
{
    beam_buffer path = {0};
    beam_error why = {0};
    beam_status status = address_of(&path, api, place, true, "?", generation);
    const beam_gs_call call = {
        .method = "DELETE", .place = place, .doing = "remove", .path = (const char *)path.data};
    status = status == BEAM_OK ? beam_gs_perform(&call, NULL, &why) : no_memory(&why);
    beam_buffer_free(&path);
    return status == BEAM_OK || status == BEAM_NOT_FOUND
               ? BEAM_OK
               : beam_error_set(err, status, "%s", why.message);
}

/* ---- Making ---------------------------------------------------------------------------------- */

beam_status beam_gs_settle(beam_status status, bool repeated, const beam_gs_place *to, int64_t size,
                           uint32_t crc32c, beam_gs_object *object, beam_error *err)
{
    if (status == BEAM_FAILED_PRECONDITION && repeated) {
        BEAM_TRY(beam_gs_stat(to, object, err));
        status = object->size == size && object->has_crc32c && object->crc32c == crc32c
                     ? BEAM_OK
                     : BEAM_FAILED_PRECONDITION;
    }
    if (status == BEAM_FAILED_PRECONDITION)
        return beam_error_set(err, BEAM_ABORTED,
                              "gs://%s/%s was written by somebody else at the same time; theirs "
                              "is kept",
                              to->bucket, to->name);
    if (status != BEAM_OK ||
        (object->size == size && (!object->has_crc32c || object->crc32c == crc32c)))
        return status;
    (void)beam_gs_remove(to, object->generation, NULL); /* whatever happens, it is reported */
    return beam_error_set(err, BEAM_DATA_LOSS,
                          "gs://%s/%s: what Cloud Storage keeps is not what was sent (its CRC-32C "
                          "is %08x, but should be %08x); it was removed",
                          to->bucket, to->name, object->crc32c, crc32c);
}

/* A copy under way, and what came of it. */
typedef struct rewrite {
    beam_gs_object object;
    char token[BEAM_HTTP_VALUE]; /* of the next step; "": it is done */
    bool repeated;
} rewrite;

static beam_status parse_rewrite(void *user, const beam_http_response *response)
{
    rewrite *r = user;
    return beam_gs_parse_rewrite(response->body.data, response->body.len, &r->object, r->token);
}

static beam_status copy_some(const beam_gs_place *from, int64_t generation, const beam_gs_place *to,
                             int64_t expected, rewrite *r, beam_error *err)
{
    beam_buffer path = {0};
    beam_rest_answer answer = {0};
    beam_status status = beam_gs_address(&path, api, from, true);
    if (status == BEAM_OK)
        status = address_of(&path, "/rewriteTo", to, true, "?", expected);
    if (status == BEAM_OK)
        status = add_number(&path, "sourceGeneration", generation);
    if (status == BEAM_OK && r->token[0])
        status = add_escaped(&path, "rewriteToken", r->token);
    const beam_gs_call call = {.method = "POST",
                               .place = to,
                               .doing = "copy to",
                               .path = (const char *)path.data,
                               .parse = parse_rewrite,
                               .user = r};
    status = status == BEAM_OK ? beam_gs_perform(&call, &answer, err) : no_memory(err);
    r->repeated |= answer.repeated;
    beam_buffer_free(&path);
    return status;
}

beam_status beam_gs_copy(const beam_gs_place *from, const beam_gs_object *source,
                         const beam_gs_place *to, int64_t expected, beam_error *err)
{
    rewrite r = {0};
    beam_status status;
    do
        status = copy_some(from, source->generation, to, expected, &r, err);
    while (status == BEAM_OK && r.token[0]);
    return beam_gs_settle(status, r.repeated, to, source->size, source->crc32c, &r.object, err);
}

static char *compose_body(const beam_gs_part *parts, size_t n)
{
    json_t *sources = json_array();
    for (size_t i = 0; i < n; i++) {
        char generation[24];
        (void)snprintf(generation, sizeof generation, "%" PRId64, parts[i].generation);
        if (json_array_append_new(sources, json_pack("{s:s,s:s}", "name", parts[i].place.name,
                                                     "generation", generation)) != 0) {
            json_decref(sources);
            return NULL;
        }
    }
    json_t *body = json_pack("{s:{s:s},s:o}", "destination", "contentType",
                             "application/octet-stream", "sourceObjects", sources);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

beam_status beam_gs_compose(const beam_gs_part *parts, size_t n, const beam_gs_place *to,
                            int64_t expected, int64_t size, uint32_t crc32c, beam_gs_object *object,
                            beam_error *err)
{
    beam_buffer path = {0};
    beam_rest_answer answer = {0};
    char *body = compose_body(parts, n);
    beam_status status = body ? beam_gs_address(&path, api, to, true) : BEAM_RESOURCE_EXHAUSTED;
    if (status == BEAM_OK)
        status = beam_buffer_printf(&path, "/compose?");
    if (status == BEAM_OK)
        status = add_number(&path, "ifGenerationMatch", expected);
    const beam_gs_call call = {.method = "POST",
                               .place = to,
                               .doing = "write",
                               .path = (const char *)path.data,
                               .headers = {"Content-Type: application/json"},
                               .body = body,
                               .body_size = body ? strlen(body) : 0,
                               .parse = parse_object,
                               .user = object};
    status = status == BEAM_OK ? beam_gs_perform(&call, &answer, err) : no_memory(err);
    beam_buffer_free(&path);
    free(body);
    return beam_gs_settle(status, answer.repeated, to, size, crc32c, object, err);
}

/* What comes before the bytes of a multipart upload; "" when memory or room is out. */
static void insert_head(const beam_gs_place *to, uint32_t crc, const char *boundary,
                        char head[BEAM_GS_HEAD])
{
    char sum[9];
    beam_gs_crc_text(crc, sum);
    json_t *about = json_pack("{s:s,s:s,s:s}", "name", to->name, "crc32c", sum, "contentType",
                              "application/octet-stream");
    char *text = about ? json_dumps(about, JSON_COMPACT) : NULL;
    int len = text ? snprintf(head, BEAM_GS_HEAD,
                              "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n"
                              "--%s\r\nContent-Type: application/octet-stream\r\n\r\n",
                              boundary, text, boundary)
                   : 0;
    if (len <= 0 || len >= BEAM_GS_HEAD)
        head[0] = '\0';
    free(text);
    json_decref(about);
}

static beam_status send_insert(const beam_gs_place *to, int64_t expected, const char *type,
                               const void *body, size_t size, beam_gs_object *object,
                               bool *repeated, beam_error *err)
{
    beam_buffer path = {0};
    beam_rest_answer answer = {0};
    beam_status status =
        address_of(&path, upload_api, to, false, "?uploadType=multipart&fields=" FIELDS, expected);
    const beam_gs_call call = {.method = "POST",
                               .place = to,
                               .doing = "write",
                               .path = (const char *)path.data,
                               .headers = {type},
                               .body = body,
                               .body_size = size,
                               .parse = parse_object,
                               .user = object};
    status = status == BEAM_OK ? beam_gs_perform(&call, &answer, err) : no_memory(err);
    *repeated = answer.repeated;
    beam_buffer_free(&path);
    return status;
}

beam_status beam_gs_insert(const beam_gs_place *to, int64_t expected, uint8_t *data, size_t size,
                           beam_gs_object *object, beam_error *err)
{
    uint64_t random[2];
    char boundary[33], type[96], head[BEAM_GS_HEAD];
    bool repeated;
    const uint32_t crc = beam_crc32c(0, data, size);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return beam_error_set(err, BEAM_UNAVAILABLE, "the system gives no random numbers");
    (void)snprintf(boundary, sizeof boundary, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    (void)snprintf(type, sizeof type, "Content-Type: multipart/related; boundary=%s", boundary);
    insert_head(to, crc, boundary, head);
    size_t len = strlen(head);
    if (!len)
        return no_memory(err);
    memcpy(data - len, head, len);
    int tail = snprintf((char *)data + size, BEAM_GS_TAIL, "\r\n--%s--\r\n", boundary);
    beam_status status = send_insert(to, expected, type, data - len, len + size + (size_t)tail,
                                     object, &repeated, err);
    return beam_gs_settle(status, repeated, to, (int64_t)size, crc, object, err);
}
