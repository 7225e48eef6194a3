/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_error.h - what is said of a call, to an endpoint that was asked to do `what`, that fails. */
#ifndef NET_GRPC_ERROR_H
#define NET_GRPC_ERROR_H

#include <beam/status.h>

/* The other side's status, other than 0, and its words; or the connection's, UNAVAILABLE. */
beam_status beam_grpc_failed(const char *endpoint, const char *what, long status, const char *words,
                             beam_error *err);
/* It was given up: whoever made it wishes to stop. */
beam_status beam_grpc_stopped(const char *endpoint, const char *what, beam_error *err);
/* The other side ended it, well, while there was more to send. */
beam_status beam_grpc_ended_early(const char *endpoint, const char *what, beam_error *err);

#endif
