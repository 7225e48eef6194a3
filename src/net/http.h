/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* http.h - requests to web services: one answer each, of bounded size, over connections that are
 * kept.  Certificates are verified and redirects never followed, so what a request carries goes
 * nowhere else. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <beam/type.h>
#include <pthread.h>

#include "base/buffer.h"

enum { BEAM_HTTP_IDLE = 16 };

/* Connections to keep; zeroed but for `mutex` = PTHREAD_MUTEX_INITIALIZER it is ready.  All threads
 * may share one. */
typedef struct beam_http {
    pthread_mutex_t mutex;
    void *idle[BEAM_HTTP_IDLE];
    size_t n_idle;
} beam_http;

/* Closes the connections; nobody may be using them. */
void beam_http_close(beam_http *http);

typedef struct beam_http_request {
    const char *method;         /* "GET", "POST", "PUT", "DELETE" */
    const char *url;            /* https://, or http:// for services that are not secret */
    const char *const *headers; /* "Name: value" */
    size_t n_headers;
    const void *body;
    size_t body_size;
    /* Where a 2xx answer's body goes; NULL: to the response.  More than `size` bytes is an error.
     */
    void *into;
    size_t into_size;
    size_t most;         /* bytes of an answer that goes to the response; 0: BEAM_HTTP_MOST */
    int connect_seconds; /* 0: 20 */
    int stall_seconds;   /* without a byte; 0: 60 */
    int64_t timeout_ms;  /* from beginning to end; 0: no limit */
    const int *stop;     /* broken off within a second or so after *stop is not 0; NULL: never */
} beam_http_request;

/* Headers of the answer that anything here looks at; "" where it has none. */
enum { BEAM_HTTP_VALUE = 2048 };
typedef struct beam_http_headers {
    char location[BEAM_HTTP_VALUE];
    char range[64];
    char hash[160];
    char retry_after[32];
    char inference_header_length[24]; /* Inference-Header-Content-Length */
} beam_http_headers;

typedef struct beam_http_response {
    long code; /* 200, ... */
    beam_http_headers headers;
    beam_buffer body; /* the caller's to free */
    size_t got;       /* bytes of a 2xx answer, wherever they went */
} beam_http_response;

enum { BEAM_HTTP_MOST = 16 << 20 };

/* BEAM_OK when an answer came whole, whatever its code.  UNAVAILABLE: no answer, or half of one;
 * may be tried again.  CANCELLED: it was broken off.  A header with a line break in it, or a URL
 * with other than printable ASCII, is INVALID_ARGUMENT.  `response` need not be set before. */
beam_status beam_http_perform(beam_http *http, const beam_http_request *request,
                              beam_http_response *response, beam_error *err);
/* BEAM_CANCELLED, in words, for who asks again and is not to any more. */
beam_status beam_http_cancelled(const char *url, beam_error *err);
void beam_http_response_free(beam_http_response *response);

/* One line of an answer's head, as it came; for http.c and its fuzzer. */
void beam_http_header_line(beam_http_headers *headers, const char *line, size_t len);

/* Appends `text` with all but letters, digits and -._~ as %XX. */
beam_status beam_http_escape(beam_buffer *to, beam_str text);

/* Whether the address is http:// on this machine, where nothing is overheard. */
bool beam_http_is_loopback(const char *url);

#endif
