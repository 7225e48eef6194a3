/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_client.c - requests to Cloud Storage, until they are answered or it has taken too long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "io/gs.h"
#include "net/auth.h"

beam_gs_settings beam_gs_settings_now = {
    .part = 16 << 20, .range = 4 << 20, .first_ms = 250, .deadline_ms = 2 * 60 * 1000};

enum { MOST_PAUSE_MS = 30 * 1000 };

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

int64_t beam_gs_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool beam_gs_pause(int n, int64_t began, const char *retry_after)
{
    int64_t most = (int64_t)beam_gs_settings_now.first_ms << (n < 16 ? n - 1 : 15);
    if (most > MOST_PAUSE_MS)
        most = MOST_PAUSE_MS;
    uint32_t random = 0; /* if there is none, the pause is the shortest */
    (void)!getrandom(&random, sizeof random, 0);
    int64_t ms = most / 2 + (int64_t)(random % (uint32_t)(most / 2 + 1));
    long wanted = strtol(retry_after, NULL, 10);
    if (wanted > 0 && wanted * 1000 > ms)
        ms = wanted < MOST_PAUSE_MS / 1000 ? wanted * 1000 : MOST_PAUSE_MS;
    if (beam_gs_now_ms() + ms - began > beam_gs_settings_now.deadline_ms)
        return false;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
    return true;
}

static beam_status status_of(long code, const char *words)
{
    switch (code) {
    case 400:
        /* Bytes that changed on the way are worth another try. */
        return strcasestr(words, "crc32c") ? BEAM_DATA_LOSS : BEAM_INVALID_ARGUMENT;
    case 401:
        return BEAM_UNAUTHENTICATED;
    case 403:
        return BEAM_PERMISSION_DENIED;
    case 404:
    case 410:
        return BEAM_NOT_FOUND;
    case 412:
        return BEAM_FAILED_PRECONDITION;
    case 416:
        return BEAM_OUT_OF_RANGE;
    case 408:
    case 429:
        return BEAM_UNAVAILABLE;
    default:
        return code >= 500 ? BEAM_UNAVAILABLE : BEAM_UNKNOWN;
    }
}

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
    beam_gs_parse_error(response->body.data, response->body.len, words);
    beam_status status = status_of(response->code, words);
    if (status == BEAM_NOT_FOUND)
        return beam_error_set(err, status, "cannot %s gs://%s/%s: there is none, or no such bucket",
                              call->doing, call->place->bucket, call->place->name);
    return beam_error_set(err, status, "cannot %s gs://%s/%s: Cloud Storage answers %ld%s%s%s",
                          call->doing, call->place->bucket, call->place->name, response->code,
                          words[0] ? ": " : "", words, advice(status));
}

/* A whole answer: what it means. */
static beam_status understand(const beam_gs_call *call, const beam_http_response *response,
                              beam_error *err)
{
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

static beam_status try_once(const beam_gs_call *call, const char *url, const char *token,
                            beam_gs_answer *answer, beam_error *err)
{
    const char *headers[5];
    beam_http_response response;
    beam_http_request request = {.method = call->method,
                                 .url = url,
                                 .headers = headers,
                                 .body = call->body,
                                 .body_size = call->body_size,
                                 .into = call->into,
                                 .into_size = call->into_size};
    if (token)
        headers[request.n_headers++] = token;
    for (size_t i = 0; i < 3 && call->headers[i]; i++)
        headers[request.n_headers++] = call->headers[i];
    beam_error why = {0};
    beam_status status = beam_http_perform(&client.http, &request, &response, &why);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "cannot %s gs://%s/%s: %s", call->doing,
                              call->place->bucket, call->place->name, why.message);
    answer->code = response.code;
    answer->headers = response.headers;
    status = understand(call, &response, err);
    beam_http_response_free(&response);
    return status;
}

/* The tries. *url lives until the end; the token may have to be fetched anew once. */
static beam_status try_until(const beam_gs_call *call, const char *url, beam_gs_answer *answer,
                             beam_error *err)
{
    const int64_t began = beam_gs_now_ms();
    char *token = NULL, *refused = NULL;
    beam_status status;
    for (int n = 1;; n++) {
        *answer = (beam_gs_answer){.repeated = n > 1};
        status = client.auth && !call->session ? beam_auth_header(client.auth, refused, &token, err)
                                               : BEAM_OK;
        if (status == BEAM_OK)
            status = try_once(call, url, token, answer, err);
        if (status == BEAM_UNAUTHENTICATED && answer->code == 401 && token && !refused) {
            refused = token;
            token = NULL;
            continue;
        }
        beam_free(token);
        token = NULL;
        if ((status != BEAM_UNAVAILABLE && status != BEAM_DATA_LOSS) || call->once ||
            !beam_gs_pause(n, began, answer->headers.retry_after))
            break;
    }
    beam_free(refused);
    return status;
}

beam_status beam_gs_perform(const beam_gs_call *call, beam_gs_answer *answer, beam_error *err)
{
    beam_gs_answer ignored;
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
