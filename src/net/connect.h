/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* connect.h - TCP connections to "host:port", as an engine names its endpoints. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include <beam/status.h>

/* A socket that does not block, and is closed when another program is executed.  Tries each address
 * of the host in turn.  BEAM_CANCELLED, without words: *stop became other than 0, while the host's
 * name was looked up or after that; stop may be NULL.  BEAM_INVALID_ARGUMENT, BEAM_UNAVAILABLE: the
 * words say why, not of which endpoint. */
beam_status beam_connect(const char *endpoint, const int *stop, int *fd, beam_error *err);

#endif
