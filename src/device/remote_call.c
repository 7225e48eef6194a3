/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/remote_call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "device/remote_wire.h"
#include "net/retry.h"

enum { MOST_PAUSE_MS = 60 * 1000, MOST_SECRET = 16 << 10 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a request");
}

/* ---- Credentials ------------------------------------------------------------------------------
 */

static beam_status read_file(const char *path, char **text, beam_error *err)
{
    beam_file_view view;
    BEAM_TRY(beam_file_view_open(path, &view, err));
    if (view.size <= MOST_SECRET)
        *text = beam_strndup((const char *)view.data, view.size);
    bool too_large = view.size > MOST_SECRET;
    beam_file_view_close(&view);
    if (too_large)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s is too large for credentials", path);
    return *text ? BEAM_OK : no_memory(err);
}

static beam_status read_source(const char *from, char **text, beam_error *err)
{
    *text = NULL;
    if (strncmp(from, "file:", 5) == 0)
        return read_file(from + 5, text, err);
    if (strncmp(from, "env:", 4) != 0)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "the credentials of a model's server are env:NAME or file:PATH, where "
            "a token or a header stands, not the secret itself");
    const char *value = getenv(from + 4);
    if (!value || !*value)
        return beam_error_set(err, BEAM_UNAUTHENTICATED,
                              "the environment variable %s, which holds the credentials of a "
                              "model's server, is not set",
                              from + 4);
    *text = beam_strdup(value);
    return *text ? BEAM_OK : no_memory(err);
}

/* A token, or a whole header, which has a colon: no token does. */
static beam_status make_header(const char *from, char **header, beam_error *err)
{
    char *text;
    BEAM_TRY(read_source(from, &text, err));
    size_t len = strlen(text);
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
        text[--len] = '\0';
    bool good = len > 0;
    for (size_t i = 0; i < len; i++)
        good = good && text[i] >= ' ' && text[i] < 127;
    *header =
        strchr(text, ':') ? beam_strdup(text) : beam_asprintf("Authorization: Bearer %s", text);
    explicit_bzero(text, len);
    beam_free(text);
    if (!*header)
        return no_memory(err);
    if (good)
        return BEAM_OK;
    beam_free(*header);
    *header = NULL;
    return beam_error_set(err, BEAM_UNAUTHENTICATED,
                          "%s holds no credentials: a token or a header, in one line of ASCII",
                          from);
}

static void forget_header(char *header)
{
    if (header)
        explicit_bzero(header, strlen(header));
    beam_free(header);
}

/* A copy of the header; one that was refused is read anew, as tokens in files are replaced. */
static beam_status get_header(beam_remote_client *client, const char *refused, char **header,
                              beam_error *err)
{
    *header = NULL;
    if (!client->credentials)
        return BEAM_OK;
    beam_status status = BEAM_OK;
    (void)pthread_mutex_lock(&client->mutex);
    if (!client->header || (refused && strcmp(client->header, refused) == 0)) {
        forget_header(client->header);
        client->header = NULL;
        status = make_header(client->credentials, &client->header, err);
    }
    if (status == BEAM_OK && !(*header = beam_strdup(client->header)))
        status = no_memory(err);
    (void)pthread_mutex_unlock(&client->mutex);
    return status;
}

/* ---- The client -------------------------------------------------------------------------------
 */

static beam_status check_options(const beam_remote_options *o, beam_error *err)
{
    static const double most = 24 * 3600;
    const struct {
        const char *name;
        double value, most;
    } all[] = {{"retry_delay_secs", o->retry_delay_secs, most},
               {"throttle_delay_secs", o->throttle_delay_secs, most},
               {"timeout_secs", o->timeout_secs, most},
               {"requests_per_second", o->requests_per_second, 1e6}};
    if (o->num_retries < -1 || o->num_retries > 1000)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "num_retries is %lld, not from 1 to 1000, or -1 for none",
                              (long long)o->num_retries);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(all[i].value >= 0 && all[i].value <= all[i].most))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s is %g, not from 0 to %g",
                                  all[i].name, all[i].value, all[i].most);
    return BEAM_OK;
}

static int64_t milliseconds(double seconds, double otherwise)
{
    double ms = (seconds > 0 ? seconds : otherwise) * 1000;
    return ms < 1 ? 1 : (int64_t)ms;
}

beam_status beam_remote_client_open(beam_remote_client *client, const char *url,
                                    const beam_remote_options *options, beam_error *err)
{
    beam_remote_options o = {0};
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    *client = (beam_remote_client){.http = {.mutex = PTHREAD_MUTEX_INITIALIZER},
                                   .mutex = PTHREAD_MUTEX_INITIALIZER};
    BEAM_TRY(check_options(&o, err));
    client->num_retries = o.num_retries == 0 ? 5 : o.num_retries < 0 ? 0 : (int)o.num_retries;
    client->retry_ms = milliseconds(o.retry_delay_secs, 1);
    client->throttle_ms = milliseconds(o.throttle_delay_secs, 5);
    client->timeout_ms = milliseconds(o.timeout_secs, 60);
    if (o.requests_per_second > 0)
        client->microseconds_each = (int64_t)(1e6 / o.requests_per_second);
    if (!o.credentials || !*o.credentials)
        return BEAM_OK;
    if (strncmp(url, "https://", 8) != 0 && !beam_http_is_loopback(url))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "credentials are sent to https:// only");
    client->credentials = beam_strdup(o.credentials);
    if (!client->credentials)
        return no_memory(err);
    char *header;
    BEAM_TRY(get_header(client, NULL, &header, err));
    forget_header(header);
    return BEAM_OK;
}

void beam_remote_client_close(beam_remote_client *client)
{
    beam_http_close(&client->http);
    beam_free(client->credentials);
    forget_header(client->header);
}

/* ---- When a request may go --------------------------------------------------------------------
 */

/* Waits while the server wants to be left alone; false when it is to be asked no more. */
static bool wait_throttled(beam_remote_client *client, const int *stop, beam_remote_effort *effort)
{
    for (;;) {
        (void)pthread_mutex_lock(&client->mutex);
        int64_t left = client->throttled_until - beam_clock_ms();
        (void)pthread_mutex_unlock(&client->mutex);
        if (left <= 0)
            return true;
        if (!beam_retry_sleep_ms(left, stop))
            return false;
        effort->throttled_ms += left;
    }
}

/* Waits for this request's turn, where so many a second are allowed; false as above. */
static bool wait_turn(beam_remote_client *client, const int *stop)
{
    if (client->microseconds_each == 0)
        return beam_retry_sleep_ms(0, stop);
    (void)pthread_mutex_lock(&client->mutex);
    int64_t now = beam_clock_ms() * 1000;
    int64_t turn = client->next_request > now ? client->next_request : now;
    client->next_request = turn + client->microseconds_each;
    (void)pthread_mutex_unlock(&client->mutex);
    return beam_retry_sleep_ms((turn - now + 999) / 1000, stop);
}

/* An overloaded server says how long; a bit more than that, so that not all come at once. */
static void throttle(beam_remote_client *client, int64_t asked_ms)
{
    int64_t ms = asked_ms ? asked_ms : client->throttle_ms;
    if (ms > MOST_PAUSE_MS)
        ms = MOST_PAUSE_MS;
    int64_t until = beam_clock_ms() + ms + beam_retry_pause_ms(1, ms / 5, ms);
    (void)pthread_mutex_lock(&client->mutex);
    if (client->throttled_until < until)
        client->throttled_until = until;
    (void)pthread_mutex_unlock(&client->mutex);
}

/* ---- Tries ------------------------------------------------------------------------------------
 */

static beam_status status_of(long code)
{
    switch (code) {
    case 401:
        return BEAM_UNAUTHENTICATED;
    case 403:
        return BEAM_PERMISSION_DENIED;
    case 404:
        return BEAM_NOT_FOUND;
    case 413: /* a smaller batch may do */
        return BEAM_RESOURCE_EXHAUSTED;
    case 408:
    case 429:
        return BEAM_UNAVAILABLE;
    case 500: /* may be of an example, and go away with it */
        return BEAM_INTERNAL;
    case 501:
        return BEAM_UNIMPLEMENTED;
    default:
        return code >= 500 ? BEAM_UNAVAILABLE : BEAM_INVALID_ARGUMENT;
    }
}

static const char *advice(long code)
{
    if (code / 100 == 3)
        return "; redirects are not followed: give the address that it leads to";
    if (code == 401 || code == 403)
        return "; see the model's credentials";
    if (code == 404)
        return "; is the model's name right, and is it loaded?";
    return "";
}

static beam_status refuse(const beam_remote_call *call, const char *header,
                          const beam_http_response *response, beam_error *err)
{
    char words[BEAM_REMOTE_WORDS];
    beam_remote_read_words(response->body.data, response->body.len, words);
    const char *blank = header ? strrchr(header, ' ') : NULL;
    if (blank && blank[1] && strstr(words, blank + 1)) /* a server that repeats what it got */
        words[0] = '\0';
    return beam_error_set(err, status_of(response->code), "%s answers %ld%s%s%s", call->url,
                          response->code, words[0] ? ": " : "", words, advice(response->code));
}

static beam_status try_once(beam_remote_client *client, const beam_remote_call *call,
                            const char *header, beam_http_response *response, bool *throttled,
                            beam_error *err)
{
    char length[64];
    const char *headers[3];
    beam_http_request request = {.method = call->body ? "POST" : "GET",
                                 .url = call->url,
                                 .headers = headers,
                                 .most = call->most,
                                 .timeout_ms = client->timeout_ms,
                                 .stop = call->stop};
    if (call->body) {
        bool binary = call->json_size < call->body->len;
        request.body = call->body->data;
        request.body_size = call->body->len;
        headers[request.n_headers++] =
            binary ? "Content-Type: application/octet-stream" : "Content-Type: application/json";
        (void)snprintf(length, sizeof length, "Inference-Header-Content-Length: %zu",
                       call->json_size);
        if (binary)
            headers[request.n_headers++] = length;
    }
    if (header)
        headers[request.n_headers++] = header;
    BEAM_TRY(beam_http_perform(&client->http, &request, response, err));
    if (response->code / 100 == 2)
        return BEAM_OK;
    const char *retry_after = response->headers.retry_after;
    *throttled = response->code == 429 || (response->code == 503 && retry_after[0]);
    if (*throttled)
        throttle(client, beam_retry_after_ms(retry_after));
    beam_status status = refuse(call, header, response, err);
    beam_http_response_free(response);
    return status;
}

beam_status beam_remote_perform(beam_remote_client *client, const beam_remote_call *call,
                                beam_http_response *response, beam_remote_effort *effort,
                                beam_error *err)
{
    char *refused = NULL;
    beam_error why = {0};
    beam_status status;
    int tries = 0;
    bool failed_inside = false;
    for (;;) {
        char *header = NULL;
        bool throttled = false;
        if (wait_throttled(client, call->stop, effort) && wait_turn(client, call->stop))
            status = get_header(client, refused, &header, &why);
        else
            status = beam_http_cancelled(call->url, &why);
        if (status == BEAM_OK)
            status = try_once(client, call, header, response, &throttled, &why);
        if (status == BEAM_UNAUTHENTICATED && header && !refused) {
            refused = header; /* once more, with what the file or variable says now */
            continue;
        }
        forget_header(header);
        /* One that fails inside is asked once more, and not for as long as one that is away: who
         * asked can find out what of it fails. */
        bool again = status == BEAM_UNAVAILABLE || (status == BEAM_INTERNAL && !failed_inside);
        failed_inside = failed_inside || status == BEAM_INTERNAL;
        if (!again || tries == client->num_retries)
            break;
        tries++;
        effort->retries++;
        if (!throttled) /* where it is broken off, the next turn does not come */
            (void)beam_retry_sleep_ms(beam_retry_pause_ms(tries, client->retry_ms, MOST_PAUSE_MS),
                                      call->stop);
    }
    forget_header(refused);
    if (status == BEAM_OK)
        return BEAM_OK;
    if (tries > 0 && status != BEAM_CANCELLED)
        return beam_error_set(err, status, "%s; tried %d times", why.message, tries + 1);
    return beam_error_set(err, status, "%s", why.message);
}
