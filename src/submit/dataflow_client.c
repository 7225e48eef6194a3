/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_client.c - one request to Dataflow, Compute Engine or a registry, until it is answered
 * or has taken too long. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "submit/dataflow.h"

enum { FIRST_MS = 250, DEADLINE_MS = 2 * 60 * 1000 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a request");
}

beam_status beam_dataflow_client_open(const beam_dataflow_options *options,
                                      beam_dataflow_client *client, beam_error *err)
{
    *client = (beam_dataflow_client){.options = options,
                                     .http = {.mutex = PTHREAD_MUTEX_INITIALIZER},
                                     .first_ms = FIRST_MS,
                                     .deadline_ms = DEADLINE_MS};
    return options->no_auth ? BEAM_OK : beam_auth_open(&client->http, &client->auth, err);
}

void beam_dataflow_client_close(beam_dataflow_client *client)
{
    beam_auth_close(client->auth);
    beam_http_close(&client->http);
    *client = (beam_dataflow_client){0};
}

/* ---- Addresses ------------------------------------------------------------------------------- */

char *beam_dataflow_escape(beam_arena *arena, const char *text)
{
    beam_buffer escaped = {0};
    char *copy = NULL;
    if (beam_http_escape(&escaped, beam_str_of(text)) == BEAM_OK)
        copy =
            beam_arena_strndup(arena, escaped.data ? (const char *)escaped.data : "", escaped.len);
    beam_buffer_free(&escaped);
    return copy;
}

char *beam_dataflow_url(const beam_dataflow_client *client, beam_arena *arena, const char *format,
                        ...)
{
    const beam_dataflow_options *o = client->options;
    char rest[BEAM_HTTP_VALUE * 2];
    const char *project = beam_dataflow_escape(arena, o->project);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    if (!project || n < 0 || (size_t)n >= sizeof rest)
        return NULL;
    return beam_arena_printf(arena, "%s/v1b3/projects/%s/locations/%s/jobs%s", o->endpoint, project,
                             o->region, rest);
}

/* ---- Requests -------------------------------------------------------------------------------- */

typedef struct exchange {
    const beam_dataflow_call *call;
    const beam_dataflow_client *client;
    beam_buffer *answer;
} exchange;

static const char *advice(beam_status status)
{
    switch (status) {
    case BEAM_PERMISSION_DENIED:
        return "; the account needs the role Dataflow Developer in the project, and the project "
               "the "
               "Dataflow API (gcloud services enable dataflow.googleapis.com)";
    case BEAM_UNAUTHENTICATED:
        return "; the credentials are not accepted: log in again, or give others";
    default:
        return "";
    }
}

static beam_status understand(void *user, const beam_http_response *response, const beam_error *why,
                              beam_error *err)
{
    const exchange *x = user;
    const beam_dataflow_call *call = x->call;
    if (!response)
        return beam_error_set(err, why->code, "cannot %s: %s", call->doing, why->message);
    if (response->code / 100 == 2 || (call->any_code && response->code < 500)) {
        x->answer->len = 0;
        return response->body.len == 0 || beam_buffer_append(x->answer, response->body.data,
                                                             response->body.len) == BEAM_OK
                   ? BEAM_OK
                   : no_memory(err);
    }
    char words[256];
    beam_rest_parse_error(response->body.data, response->body.len, words);
    beam_status status = beam_rest_status(response->code);
    return beam_error_set(err, status, "cannot %s: the service answers %ld%s%s%s", call->doing,
                          response->code, words[0] ? ": " : "", words, advice(status));
}

static beam_status perform(beam_dataflow_client *client, const beam_dataflow_call *call,
                           const char *body, beam_buffer *answer, beam_error *err)
{
    const char *headers[2];
    exchange x = {call, client, answer};
    beam_rest_answer last = {0};
    beam_rest_call rest = {.http = &client->http,
                           .auth = call->anonymous ? NULL : client->auth,
                           .request = {.method = call->method,
                                       .url = call->url,
                                       .headers = headers,
                                       .body = body,
                                       .body_size = body ? strlen(body) : 0,
                                       .timeout_ms = client->timeout_ms,
                                       .stop = body ? NULL : client->cancel},
                           .first_ms = client->first_ms,
                           .deadline_ms = client->deadline_ms,
                           .stop = client->cancel,
                           .understand = understand,
                           .user = &x};
    if (body)
        headers[rest.request.n_headers++] = "Content-Type: application/json";
    if (call->accept)
        headers[rest.request.n_headers++] = call->accept;
    beam_status status = beam_rest_perform(&rest, &last, err);
    if (call->code)
        *call->code = last.code;
    if (call->headers)
        *call->headers = last.headers;
    return status;
}

beam_status beam_dataflow_perform(beam_dataflow_client *client, const beam_dataflow_call *call,
                                  beam_buffer *answer, beam_error *err)
{
    char *body = NULL;
    if (!call->url)
        return no_memory(err);
    if (call->body && !(body = json_dumps(call->body, JSON_COMPACT)))
        return no_memory(err);
    beam_status status = perform(client, call, body, answer, err);
    free(body); /* jansson's */
    return status;
}
