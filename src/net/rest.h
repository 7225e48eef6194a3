/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* rest.h - calls of Google Cloud's services: with credentials, and tried again while that may help.
 * Pauses between tries double, with a random part, so that many clients do not come at once. */
#ifndef NET_REST_H
#define NET_REST_H

#include "net/auth.h"

typedef struct beam_rest_answer {
    long code;
    bool repeated; /* an earlier try may have done it already */
    beam_http_headers headers;
} beam_rest_answer;

enum { BEAM_REST_HEADERS = 4 };

typedef struct beam_rest_call {
    beam_http *http;
    beam_auth *auth;           /* NULL: no token is sent */
    beam_http_request request; /* with at most BEAM_REST_HEADERS headers */
    int first_ms;              /* the first pause */
    int deadline_ms;           /* no further try after this */
    bool once;                 /* no tries but the first */
    const int *stop; /* no further try once *stop is not 0, but BEAM_CANCELLED; NULL: never.
                      * request.stop breaks off the one under way, too. */
    /* What an answer means, or (response NULL) that none came: `why` says so then.  After
     * BEAM_UNAVAILABLE and BEAM_DATA_LOSS it is tried again; after a 401 once, with a new token. */
    beam_status (*understand)(void *user, const beam_http_response *response, const beam_error *why,
                              beam_error *err);
    void *user;
} beam_rest_call;

/* What `understand` made of the last answer; `answer` is of that one. */
beam_status beam_rest_perform(const beam_rest_call *call, beam_rest_answer *answer,
                              beam_error *err);

/* Waits before try `n` + 1 (n from 1); false when the deadline that began at `began` is over, or
 * *stop not 0.  `retry_after`: the header's value. */
bool beam_rest_pause(int n, int64_t began, const char *retry_after, int first_ms, int deadline_ms,
                     const int *stop);

/* What a code other than 2xx means. */
beam_status beam_rest_status(long code);
/* The message in an error's body, made printable and cut; "" if there is none. */
void beam_rest_parse_error(const void *text, size_t size, char message[256]);

#endif
