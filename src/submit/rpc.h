/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* rpc.h - gRPC as a client that waits wants it: a call and its answer, a stream read and written in
 * turn.  No call here waits longer than it is told to. */
#ifndef SUBMIT_RPC_H
#define SUBMIT_RPC_H

#include "base/buffer.h"
#include "model/message.h"

typedef struct beam_rpc_channel beam_rpc_channel;
typedef struct beam_rpc_stream beam_rpc_stream;

/* Before gRPC is used, and after: for whoever calls it directly. */
void beam_rpc_begin(void);
void beam_rpc_end(void);

/* A connection to host:port, made when it is first used.  Any thread may use it. */
beam_status beam_rpc_channel_open(const char *endpoint, beam_rpc_channel **channel,
                                  beam_error *err);
/* NULL is fine; its streams must be closed. */
void beam_rpc_channel_close(beam_rpc_channel *channel);

typedef struct beam_rpc_options {
    const char *method;    /* "/package.Service/Method" */
    const char *what;      /* what the other side is asked to do, for messages: "run the job" */
    const char *worker_id; /* metadata of that name; NULL: none */
    int timeout_ms;        /* of a whole call; streams: 0, no limit */
} beam_rpc_options;

/* Sends a serialized message and parses the answer, which is freed with beam_message_free. */
beam_status beam_rpc_call(beam_rpc_channel *channel, const beam_rpc_options *options,
                          const void *request, size_t size, const ProtobufCMessageDescriptor *type,
                          void *answer, beam_error *err);
/* The same for a message. */
beam_status beam_rpc_call_message(beam_rpc_channel *channel, const beam_rpc_options *options,
                                  const void *request, const ProtobufCMessageDescriptor *type,
                                  void *answer, beam_error *err);

/* A stream belongs to one thread. */
beam_status beam_rpc_stream_open(beam_rpc_channel *channel, const beam_rpc_options *options,
                                 beam_rpc_stream **stream, beam_error *err);
/* One that is sent one message and no more. */
beam_status beam_rpc_stream_open_message(beam_rpc_channel *channel, const beam_rpc_options *options,
                                         const void *request, beam_rpc_stream **stream,
                                         beam_error *err);
beam_status beam_rpc_stream_write_message(beam_rpc_stream *stream, const void *message,
                                          int timeout_ms, beam_error *err);
/* The next message, appended to *bytes.  *open becomes false when the other side has ended the
 * stream as it should.  BEAM_DEADLINE_EXCEEDED without words: nothing came, and the stream can
 * be read again. */
beam_status beam_rpc_stream_read(beam_rpc_stream *stream, int timeout_ms, beam_buffer *bytes,
                                 bool *open, beam_error *err);
/* Whatever state it is in; NULL is fine. */
void beam_rpc_stream_close(beam_rpc_stream *stream);

#endif
