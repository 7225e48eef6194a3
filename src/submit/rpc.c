/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/rpc.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a remote call");
}

static beam_status send_message(beam_grpc_stream *stream, const void *message, bool last,
                                int timeout_ms, beam_error *err)
{
    beam_buffer bytes = {0};
    beam_status status = beam_message_pack(message, &bytes);
    status = status == BEAM_OK
                 ? beam_grpc_stream_write(stream, bytes.data, bytes.len, last, timeout_ms, err)
                 : no_memory(err);
    beam_buffer_free(&bytes);
    return status;
}

beam_status beam_rpc_stream_write_message(beam_grpc_stream *stream, const void *message,
                                          int timeout_ms, beam_error *err)
{
    return send_message(stream, message, false, timeout_ms, err);
}

beam_status beam_rpc_stream_open_message(beam_grpc_channel *channel,
                                         const beam_grpc_options *options, const void *request,
                                         beam_grpc_stream **stream, beam_error *err)
{
    BEAM_TRY(beam_grpc_stream_open(channel, options, stream, err));
    beam_status status = send_message(*stream, request, true, options->timeout_ms, err);
    if (status == BEAM_OK)
        return status;
    beam_grpc_stream_close(*stream);
    *stream = NULL;
    return status;
}

beam_status beam_rpc_call(beam_grpc_channel *channel, const beam_grpc_options *options,
                          const void *request, size_t size, const ProtobufCMessageDescriptor *type,
                          void *answer, beam_error *err)
{
    beam_buffer bytes = {0};
    beam_status status = beam_grpc_call(channel, options, request, size, &bytes, err);
    if (status == BEAM_OK)
        status = beam_message_unpack(type, bytes.data, bytes.len, answer, err);
    beam_buffer_free(&bytes);
    return status;
}

beam_status beam_rpc_call_message(beam_grpc_channel *channel, const beam_grpc_options *options,
                                  const void *request, const ProtobufCMessageDescriptor *type,
                                  void *answer, beam_error *err)
{
    beam_buffer bytes = {0};
    beam_status status = beam_message_pack(request, &bytes);
    status = status == BEAM_OK
                 ? beam_rpc_call(channel, options, bytes.data, bytes.len, type, answer, err)
                 : no_memory(err);
    beam_buffer_free(&bytes);
    return status;
}
