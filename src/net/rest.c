/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/rest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/retry.h"
#include "net/wait.h"

enum { MOST_PAUSE_MS = 30 * 1000 };

bool beam_rest_pause(int n, int64_t began, const char *retry_after, int first_ms, int deadline_ms,
                     const int *stop)
{
    int64_t ms = beam_retry_pause_ms(n, first_ms, MOST_PAUSE_MS);
    int64_t wanted = beam_retry_after_ms(retry_after);
    if (wanted > ms)
        ms = wanted < MOST_PAUSE_MS ? wanted : MOST_PAUSE_MS;
    if (beam_clock_ms() + ms - began > deadline_ms)
        return false;
    return beam_retry_sleep_ms(ms, stop);
}

beam_status beam_rest_status(long code)
{
    switch (code) {
    case 400:
        return BEAM_INVALID_ARGUMENT;
    case 401:
        return BEAM_UNAUTHENTICATED;
    case 403:
        return BEAM_PERMISSION_DENIED;
    case 404:
    case 410:
        return BEAM_NOT_FOUND;
    case 409:
        return BEAM_ALREADY_EXISTS;
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

static beam_status try_once(const beam_rest_call *call, const char *token, beam_rest_answer *answer,
                            beam_error *err)
{
    const char *headers[BEAM_REST_HEADERS + 1];
    beam_http_response response;
    beam_http_request request = call->request;
    request.headers = headers;
    for (size_t i = 0; i < request.n_headers; i++)
        headers[i] = call->request.headers[i];
    if (token)
        headers[request.n_headers++] = token;
    beam_error why = {0};
    if (beam_http_perform(call->http, &request, &response, &why) != BEAM_OK)
        return call->understand(call->user, NULL, &why, err);
    answer->code = response.code;
    answer->headers = response.headers;
    beam_status status = call->understand(call->user, &response, NULL, err);
    beam_http_response_free(&response);
    return status;
}

beam_status beam_rest_perform(const beam_rest_call *call, beam_rest_answer *answer, beam_error *err)
{
    const int64_t began = beam_clock_ms();
    char *token = NULL, *refused = NULL;
    beam_status status;
    for (int n = 1;; n++) {
        *answer = (beam_rest_answer){.repeated = n > 1};
        status = call->auth ? beam_auth_header(call->auth, refused, &token, err) : BEAM_OK;
        if (status == BEAM_OK)
            status = try_once(call, token, answer, err);
        if (status == BEAM_UNAUTHENTICATED && answer->code == 401 && token && !refused) {
            refused = token; /* it may have ended */
            token = NULL;
            continue;
        }
        beam_free(token);
        token = NULL;
        if ((status != BEAM_UNAVAILABLE && status != BEAM_DATA_LOSS) || call->once)
            break;
        if (!beam_rest_pause(n, began, answer->headers.retry_after, call->first_ms,
                             call->deadline_ms, call->stop)) {
            if (beam_wait_stopped(call->stop))
                status = beam_http_cancelled(call->request.url, err);
            break;
        }
    }
    beam_free(refused);
    return status;
}

void beam_rest_parse_error(const void *text, size_t size, char message[256])
{
    json_t *json = json_loadb(text ? text : "", size, 0, NULL);
    const json_t *error = json_object_get(json, "error");
    const char *words = json_string_value(json_object_get(error, "message"));
    (void)snprintf(message, 256, "%s", words ? words : "");
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 127)
            *c = '?';
    json_decref(json);
}
