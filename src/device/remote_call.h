/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote_call.h - asking a server that may be down, slow or overloaded, until it answers or the
 * tries are used up. */
#ifndef DEVICE_REMOTE_CALL_H
#define DEVICE_REMOTE_CALL_H

#include <beam/device.h>

#include "net/http.h"

/* Of all who ask the same server for the same model.  Any thread may use it. */
typedef struct beam_remote_client {
    beam_http http;
    pthread_mutex_t mutex; /* over what follows */
    char *credentials;     /* "env:NAME" or "file:PATH"; NULL: none */
    char *header;          /* what they were when they were last read; in no message and no log */
    int64_t throttled_until, next_request; /* ms of beam_clock_ms, and microseconds */
    int num_retries;
    int64_t retry_ms, throttle_ms, timeout_ms, microseconds_each;
} beam_remote_client;

/* Checks the options (NULL: none), and reads the credentials: these go to https://, or to this very
 * machine.  Close it after a failure, too. */
beam_status beam_remote_client_open(beam_remote_client *client, const char *url,
                                    const beam_remote_options *options, beam_error *err);
void beam_remote_client_close(beam_remote_client *client);

typedef struct beam_remote_call {
    const char *url;
    const beam_buffer *body; /* NULL: GET, else POST */
    size_t json_size;        /* of the body; the rest is binary */
    size_t most;             /* bytes of an answer */
    const int *stop;         /* broken off soon after *stop is not 0: BEAM_CANCELLED; NULL: never */
} beam_remote_call;

/* BEAM_OK: an answer of code 2xx, the caller's to free; `effort` is added to.  An overloaded server
 * (429, or 503 with Retry-After) makes all who use the client wait. */
beam_status beam_remote_perform(beam_remote_client *client, const beam_remote_call *call,
                                beam_http_response *response, beam_remote_effort *effort,
                                beam_error *err);

#endif
