/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* http_server.h - a small HTTP/1.1 server for this machine's browsers: loopback only, reads only.
 *
 * Whoever connects is a stranger (any program, and any web page that the browser has open): a
 * request has at most 4 KiB and five seconds, other methods than GET and HEAD are refused, and so
 * is a Host that is not this machine, which a web page elsewhere would come with (DNS rebinding).
 * At most 32 connections are served at a time; a further one takes the place of the oldest. */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdint.h>

#include "base/buffer.h"

typedef struct beam_http_server beam_http_server;

/* Fills an empty buffer with what is at `path` (without the query) and names its media type, a
 * constant; BEAM_NOT_FOUND where there is nothing.  Called by the server's own thread. */
typedef beam_status beam_http_answer(void *user, const char *path, beam_buffer *body,
                                     const char **media_type);

/* Listens on 127.0.0.1; port 0: any that is free.  BEAM_UNAVAILABLE: the port is taken. */
beam_status beam_http_server_start(uint16_t port, beam_http_answer *answer, void *user,
                                   beam_http_server **server, beam_error *err);
uint16_t beam_http_server_port(const beam_http_server *server);
/* Ends connections and thread; after it `answer` is not called any more. NULL is fine. */
void beam_http_server_stop(beam_http_server *server);

#endif
