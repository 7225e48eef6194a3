/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* rpc.h - calls and streams of protobuf messages, over net/grpc.h. */
#ifndef SUBMIT_RPC_H
#define SUBMIT_RPC_H

#include "model/message.h"
#include "net/grpc.h"

/* Sends a serialized message and parses the answer, which is freed with beam_message_free. */
beam_status beam_rpc_call(beam_grpc_channel *channel, const beam_grpc_options *options,
                          const void *request, size_t size, const ProtobufCMessageDescriptor *type,
                          void *answer, beam_error *err);
/* The same for a message. */
beam_status beam_rpc_call_message(beam_grpc_channel *channel, const beam_grpc_options *options,
                                  const void *request, const ProtobufCMessageDescriptor *type,
                                  void *answer, beam_error *err);
/* A stream that is sent one message and no more. */
beam_status beam_rpc_stream_open_message(beam_grpc_channel *channel,
                                         const beam_grpc_options *options, const void *request,
                                         beam_grpc_stream **stream, beam_error *err);
beam_status beam_rpc_stream_write_message(beam_grpc_stream *stream, const void *message,
                                          int timeout_ms, beam_error *err);

#endif
