/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_client.c - requests to Cloud Storage, until they are answered or it has taken too long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/gs.h"

beam_gs_settings beam_gs_settings_now = {
    .part = 16 << 20, .range = 4 << 20, .first_ms = 250, .deadline_ms = 2 * 60 * 1000};

_Thread_local const int *beam_gs_stop;

/* ---- The client ------------------------------------------------------------------------------ */

static struct {
    pthread_mutex_t mutex; /* over opening */
    bool open;
    beam_http http;
    beam_auth *auth; /* NULL: the service wants no credentials */
    char *base;      /* "https://storage.googleapis.com" */
} client = {.mutex = PTHREAD_MUTEX_INITIALIZER, .http = {.mutex = PTHREAD_MUTEX_INITIALIZER}};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for Cloud Storage");
}

static beam_status find_base(bool *anonymous, beam_error *err)
{
    const char *emulator = getenv("STORAGE_EMULATOR_HOST");
    const char *other = getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE");
    *anonymous = emulator && *emulator;
    if (*anonymous)
        client.base = beam_asprintf("%s%s", strstr(emulator, "://") ? "" : "http://", emulator);
    else
        client.base = beam_strdup(other && *other ? other : "https://storage.googleapis.com");
    if (!client.base)
        return no_memory(err);
    size_t len = strlen(client.base);
    while (len && client.base[len - 1] == '/')
        client.base[--len] = '\0';
    if (*anonymous || strncmp(client.base, "https://", 8) == 0 ||
        beam_http_is_loopback(client.base))
        return BEAM_OK;
    return beam_error_set(
        err, BEAM_INVALID_ARGUMENT,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE is '%s': credentials are sent to "
        "https:// only",
        client.base);
}

static void close_client(void)
{
    beam_http_close(&client.http);
    beam_auth_close(client.auth);
    beam_free(client.base);
    client.auth = NULL;
    client.base = NULL;
    client.open = false;
}

static beam_status open_client(beam_error *err)
{
    bool anonymous;
    pthread_mutex_lock(&client.mutex);
    beam_status status = client.open ? BEAM_OK : find_base(&anonymous, err);
    if (status == BEAM_OK && !client.open && !anonymous)
        status = beam_auth_open(&client.http, &client.auth, err);
    if (status == BEAM_OK)
        client.open = true;
    else
        close_client();
    pthread_mutex_unlock(&client.mutex);
    return status;
}

void beam_gs_close(void)
{
    pthread_mutex_lock(&client.mutex);
    close_client();
    pthread_mutex_unlock(&client.mutex);
}

bool beam_gs_is_ours(const char *address)
{
    if (open_client(NULL) != BEAM_OK)
        return false;
    size_t len = strlen(client.base);
    return strncmp(address, client.base, len) == 0 && address[len] == '/';
}

/* ---- Tries ----------------------------------------------------------------------------------- */

static const char *advice(beam_status status)
{
    switch (status) {
    case BEAM_PERMISSION_DENIED:
        return "; the account needs the role Storage Object User on the bucket";
    case BEAM_UNAUTHENTICATED:
        return "; the credentials are not accepted: log in again, or give others";
    default:
        return "";
    }
}

static beam_status refuse(const beam_gs_call *call, const beam_http_response *response,
                          beam_error *err)
{
    char words[256];
    beam_rest_parse_error(response->body.data, response->body.len, words);
    beam_status status = beam_rest_status(response->code);
    if (status == BEAM_INVALID_ARGUMENT && strcasestr(words, "crc32c"))
        status = BEAM_DATA_LOSS; /* bytes that changed on the way are worth another try */
    if (status == BEAM_NOT_FOUND)
        return beam_error_set(err, status, "cannot %s gs://%s/%s: there is none, or no such bucket",
                              call->doing, call->place->bucket, call->place->name);
    return beam_error_set(err, status, "cannot %s gs://%s/%s: Cloud Storage answers %ld%s%s%s",
                          call->doing, call->place->bucket, call->place->name, response->code,
                          words[0] ? ": " : "", words, advice(status));
}

/* What an answer means, or that none came. */
static beam_status understand(void *user, const beam_http_response *response, const beam_error *why,
                              beam_error *err)
{
    const beam_gs_call *call = user;
    if (!response)
        return beam_error_set(err, why->code, "cannot %s gs://%s/%s: %s", call->doing,
                              call->place->bucket, call->place->name, why->message);
    if (response->code == 308 && call->session)
        return BEAM_OK;
    if (response->code / 100 != 2)
        return refuse(call, response, err);
    if (call->into && response->got != call->into_size)
        return beam_error_set(
            err, BEAM_UNAVAILABLE, "cannot %s gs://%s/%s: %zu bytes came instead of %zu",
            call->doing, call->place->bucket, call->place->name, response->got, call->into_size);
    beam_status status = call->parse ? call->parse(call->user, response) : BEAM_OK;
    return status == BEAM_OK
               ? status
               : beam_error_set(err, status, "cannot %s gs://%s/%s: the answer is %s", call->doing,
                                call->place->bucket, call->place->name,
                                status == BEAM_RESOURCE_EXHAUSTED ? "more than memory holds"
                                                                  : "damaged");
}

static beam_status try_until(const beam_gs_call *call, const char *url, beam_rest_answer *answer,
                             beam_error *err)
{
    size_t n_headers = 0;
    while (n_headers < 3 && call->headers[n_headers])
        n_headers++;
    const beam_rest_call rest = {.http = &client.http,
                                 .auth = call->session ? NULL : client.auth,
                                 .request = {.method = call->method,
                                             .url = url,
                                             .headers = call->headers,
                                             .n_headers = n_headers,
                                             .body = call->body,
                                             .body_size = call->body_size,
                                             .into = call->into,
                                             .into_size = call->into_size,
                                             .stop = beam_gs_stop},
                                 .first_ms = beam_gs_settings_now.first_ms,
                                 .deadline_ms = beam_gs_settings_now.deadline_ms,
                                 .once = call->once,
                                 .stop = beam_gs_stop,
                                 .understand = understand,
                                 .user = (void *)call};
    return beam_rest_perform(&rest, answer, err);
}

beam_status beam_gs_perform(const beam_gs_call *call, beam_rest_answer *answer, beam_error *err)
{
    beam_rest_answer ignored;
    BEAM_TRY(open_client(err));
    if (call->session)
        return try_until(call, call->session, answer ? answer : &ignored, err);
    beam_buffer url = {0};
    const char *payer = beam_auth_quota_project(client.auth);
    beam_status status = beam_buffer_printf(&url, "%s%s", client.base, call->path);
    if (status == BEAM_OK && payer)
        status = beam_buffer_printf(&url, "%cuserProject=", strchr(call->path, '?') ? '&' : '?');
    if (status == BEAM_OK && payer)
        status = beam_http_escape(&url, beam_str_of(payer));
    if (status == BEAM_OK)
        status = beam_buffer_u8(&url, '\0');
    status = status == BEAM_OK
                 ? try_until(call, (const char *)url.data, answer ? answer : &ignored, err)
                 : no_memory(err);
    beam_buffer_free(&url);
    return status;
}
