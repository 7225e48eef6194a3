/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_error.h"

/* The greatest status that gRPC has. */
enum { UNAUTHENTICATED = 16 };

beam_status beam_grpc_failed(const char *endpoint, const char *what, long code, const char *words,
                             beam_error *err)
{
    beam_status status = code > UNAUTHENTICATED ? BEAM_UNKNOWN : (beam_status)code;
    if (status == BEAM_UNAVAILABLE)
        return beam_error_set(err, status, "%s cannot be reached to %s: %s", endpoint, what, words);
    if (status == BEAM_DEADLINE_EXCEEDED)
        return beam_error_set(err, status, "%s did not %s in time", endpoint, what);
    return beam_error_set(err, status, "%s, asked to %s: %s", endpoint, what, words);
}

beam_status beam_grpc_stopped(const char *endpoint, const char *what, beam_error *err)
{
    return beam_error_set(err, BEAM_CANCELLED, "%s, asked to %s, did not before the end", endpoint,
                          what);
}

beam_status beam_grpc_ended_early(const char *endpoint, const char *what, beam_error *err)
{
    return beam_error_set(err, BEAM_ABORTED, "%s ended the call to %s early", endpoint, what);
}
