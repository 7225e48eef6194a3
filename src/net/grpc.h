/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc.h - gRPC as a client that waits wants it: a call and its answer, streams of messages.
 * Messages are bytes here.  No call waits longer than it is told to. */
#ifndef NET_GRPC_H
#define NET_GRPC_H

#include <beam/status.h>
#include <stdbool.h>

#include "base/buffer.h"

typedef struct beam_grpc_channel beam_grpc_channel;
typedef struct beam_grpc_stream beam_grpc_stream;

/* Before gRPC is used, and after one that succeeded: for whoever calls it directly. */
beam_status beam_grpc_begin(beam_error *err);
void beam_grpc_end(void);

/* A connection to host:port, made when it is first used.  Any thread may use it. */
beam_status beam_grpc_channel_open(const char *endpoint, beam_grpc_channel **channel,
                                   beam_error *err);
/* NULL is fine; its streams must be closed. */
void beam_grpc_channel_close(beam_grpc_channel *channel);

typedef struct beam_grpc_options {
    const char *method;    /* "/package.Service/Method" */
    const char *what;      /* what the other side is asked to do, for messages: "run the job" */
    const char *worker_id; /* metadata of that name; NULL: none */
    int timeout_ms;        /* of a whole call; streams: 0, no limit */
    const int *stop;       /* soon after it is not 0, nothing waits that has no limit of its own:
                            * BEAM_CANCELLED.  NULL: there is none */
} beam_grpc_options;

/* Appends the answer to *answer. */
beam_status beam_grpc_call(beam_grpc_channel *channel, const beam_grpc_options *options,
                           const void *request, size_t size, beam_buffer *answer, beam_error *err);

/* One thread may write a stream while another reads it; both have stopped when it is closed. */
beam_status beam_grpc_stream_open(beam_grpc_channel *channel, const beam_grpc_options *options,
                                  beam_grpc_stream **stream, beam_error *err);
/* With `last` nothing more will be written; timeout_ms 0: no limit.  It returns when the message is
 * on its way, which a slow reader at the other end delays. */
beam_status beam_grpc_stream_write(beam_grpc_stream *stream, const void *data, size_t size,
                                   bool last, int timeout_ms, beam_error *err);
/* Says that nothing more will be written. */
beam_status beam_grpc_stream_done(beam_grpc_stream *stream, beam_error *err);
/* The next message, appended to *bytes.  *open becomes false when the other side has ended the
 * stream, as it should where that is BEAM_OK.  BEAM_DEADLINE_EXCEEDED while it is open, which has
 * no words: nothing came, and the stream can be read again. */
beam_status beam_grpc_stream_read(beam_grpc_stream *stream, int timeout_ms, beam_buffer *bytes,
                                  bool *open, beam_error *err);
/* Makes whoever reads or writes return soon; from any thread. */
void beam_grpc_stream_cancel(beam_grpc_stream *stream);
/* Whatever state it is in; NULL is fine. */
void beam_grpc_stream_close(beam_grpc_stream *stream);

#endif
