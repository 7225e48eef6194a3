/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_wire.h - a gRPC stream whose messages are read while they come, a part at a time.
 *
 * gRPC core gives a message when all of it is there: one of 100 MB, as Prism sends a bundle's data,
 * takes fresh memory of that size, and is read when it has left the caches.  Here it lies in a few
 * blocks that are used again and again.  HTTP/2 is nghttp2's; calls are not encrypted, as engines
 * are near.  https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
#ifndef NET_GRPC_WIRE_H
#define NET_GRPC_WIRE_H

#include "base/spans.h"
#include "net/grpc.h"

typedef struct beam_grpc_wire beam_grpc_wire;

/* Connects to host:port and begins a call that has no time limit: options->timeout_ms is 0.  *stop
 * ends every wait, BEAM_CANCELLED.  One thread may write while another reads; both have stopped
 * when it is closed. */
beam_status beam_grpc_wire_open(const char *endpoint, const beam_grpc_options *options,
                                beam_grpc_wire **wire, beam_error *err);

/* Waits for the next message, of which *size bytes come; the one before has been read to its end.
 * *open becomes false when the other side has ended the stream, as it should where that is
 * BEAM_OK. */
beam_status beam_grpc_wire_next(beam_grpc_wire *wire, size_t *size, bool *open, beam_error *err);
/* Copies the next bytes of the message, which must have as many, when they are there. */
beam_status beam_grpc_wire_read(beam_grpc_wire *wire, void *to, size_t size, beam_error *err);
/* Some of the next `most` bytes, at least one, where they lie: into *part, which was empty and is
 * the caller's. */
beam_status beam_grpc_wire_take(beam_grpc_wire *wire, size_t most, beam_spans *part,
                                beam_error *err);

/* Sends one message, `head` and the body behind it.  It returns when the system has all of it,
 * which a slow reader at the other end delays. */
beam_status beam_grpc_wire_write(beam_grpc_wire *wire, const beam_buffer *head,
                                 const beam_buffer *body, beam_error *err);

/* Makes whoever reads or writes return soon; from any thread. */
void beam_grpc_wire_cancel(beam_grpc_wire *wire);
/* Whatever state it is in; NULL is fine. */
void beam_grpc_wire_close(beam_grpc_wire *wire);

#endif
