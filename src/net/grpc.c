/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/grpc_error.h"
#include "net/grpc_library.h"
#include "net/grpc_poller.h"
#include "net/wait.h"

/* How long a call that is over may take to say why. */
enum { END_MS = 10000 };

struct beam_grpc_channel {
    grpc_channel *channel;
    char *endpoint;
    bool polled;
};

static gpr_timespec in_ms(int ms)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a remote call");
}

/* What gRPC would write to stderr comes back as errors; GRPC_VERBOSITY brings it back there. */
beam_status beam_grpc_begin(beam_error *err)
{
    BEAM_TRY(beam_library_open(&beam_grpc_library, err));
    if (!getenv("GRPC_VERBOSITY"))
        gpr_set_log_verbosity((gpr_log_severity)(GPR_LOG_SEVERITY_ERROR + 1));
    grpc_init();
    return BEAM_OK;
}

void beam_grpc_end(void)
{
    grpc_shutdown();
}

/* ---- Channels ---------------------------------------------------------------------------- */

static grpc_arg integer(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value = {.integer = value}};
}

/* Pipelines and files have no natural limit; the other side sets its own.  Engines are near, and
 * calls are not encrypted.  A stream of instructions may rightly be silent for hours, so no number
 * of pings is too many.  With them gRPC sets TCP_USER_TIMEOUT, so that what was sent and is not
 * taken breaks the connection after the same patience. */
static grpc_channel *new_channel(const char *endpoint, grpc_channel_credentials *credentials)
{
    grpc_arg args[] = {integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1),
                       integer(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1),
                       integer(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
                       integer(GRPC_ARG_KEEPALIVE_TIME_MS, beam_wait_keepalive.quiet_ms),
                       integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, beam_wait_keepalive.patience_ms),
                       integer(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0)};
    const grpc_channel_args all = {sizeof args / sizeof *args, args};
    return grpc_channel_create(endpoint, credentials, &all);
}

beam_status beam_grpc_channel_open(const char *endpoint, beam_grpc_channel **channel,
                                   beam_error *err)
{
    *channel = NULL;
    BEAM_TRY(beam_grpc_begin(err));
    beam_grpc_channel *made = beam_calloc(1, sizeof *made);
    if (!made || !(made->endpoint = beam_strdup(endpoint))) {
        beam_free(made);
        beam_grpc_end();
        return no_memory(err);
    }
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    made->channel = new_channel(endpoint, credentials);
    beam_status status = made->channel ? beam_grpc_poller_open(err)
                                       : beam_error_set(err, BEAM_INTERNAL,
                                                        "gRPC makes no connection to %s", endpoint);
    grpc_channel_credentials_release(credentials);
    made->polled = status == BEAM_OK;
    if (status == BEAM_OK)
        *channel = made;
    else
        beam_grpc_channel_close(made);
    return status;
}

void beam_grpc_channel_close(beam_grpc_channel *channel)
{
    if (!channel)
        return;
    if (channel->channel)
        grpc_channel_destroy(channel->channel);
    if (channel->polled)
        beam_grpc_poller_close();
    beam_grpc_end();
    beam_free(channel->endpoint);
    beam_free(channel);
}

/* ---- Streams ----------------------------------------------------------------------------- */

enum { SENDING, RECEIVING, METADATA, END, OPERATIONS };

struct beam_grpc_stream {
    beam_grpc_channel *channel;
    const char *what;
    const int *stop;
    grpc_call *call;
    beam_grpc_operation operations[OPERATIONS];
    size_t n_operations; /* that were made */
    grpc_metadata_array metadata, trailing;
    grpc_byte_buffer *message; /* what receiving puts here */
    grpc_status_code status;   /* as details: once the end is there */
    grpc_slice details;
};

static beam_status failed(const beam_grpc_stream *s, beam_error *err)
{
    char *words = grpc_slice_to_c_string(s->details);
    beam_status status = beam_grpc_failed(s->channel->endpoint, s->what, s->status, words, err);
    gpr_free(words);
    return status;
}

static beam_status not_begun(const beam_grpc_stream *s, beam_error *err)
{
    return beam_error_set(err, BEAM_INTERNAL, "%s cannot be asked to %s", s->channel->endpoint,
                          s->what);
}

/* Why the call is over. */
static beam_status end_status(beam_grpc_stream *s, beam_error *err)
{
    bool well;
    if (!beam_grpc_operation_wait(&s->operations[END], END_MS, &well))
        return beam_error_set(err, BEAM_DEADLINE_EXCEEDED, "%s, asked to %s, did not end the call",
                              s->channel->endpoint, s->what);
    return s->status == GRPC_STATUS_OK ? BEAM_OK : failed(s, err);
}

static grpc_call *new_call(beam_grpc_channel *channel, const beam_grpc_options *options)
{
    grpc_slice method = grpc_slice_from_copied_string(options->method);
    gpr_timespec deadline =
        options->timeout_ms ? in_ms(options->timeout_ms) : gpr_inf_future(GPR_CLOCK_MONOTONIC);
    grpc_call *call =
        grpc_channel_create_call(channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                 beam_grpc_poller_queue(), method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    return call;
}

static beam_grpc_stream *new_stream(beam_grpc_channel *channel, const beam_grpc_options *options)
{
    beam_grpc_stream *s = beam_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->channel = channel;
    s->what = options->what;
    s->stop = options->stop;
    s->details = grpc_empty_slice();
    grpc_metadata_array_init(&s->metadata);
    grpc_metadata_array_init(&s->trailing);
    while (s->n_operations < OPERATIONS &&
           beam_grpc_operation_init(&s->operations[s->n_operations]) == BEAM_OK)
        s->n_operations++;
    if (s->n_operations == OPERATIONS)
        s->call = new_call(channel, options);
    if (s->call)
        return s;
    beam_grpc_stream_close(s);
    return NULL;
}

/* False also while the last one of its kind, which was given up, is still on its way. */
static bool begin(beam_grpc_stream *s, int which, const grpc_op *ops, size_t n)
{
    return beam_grpc_operation_begin(&s->operations[which], s->call, ops, n);
}

/* Of an operation that was begun.  False: not in time, or not before the wish to stop. */
static bool finish(beam_grpc_stream *s, int which, int timeout_ms, bool *well)
{
    beam_grpc_operation *operation = &s->operations[which];
    if (!s->stop || timeout_ms)
        return beam_grpc_operation_finish(operation, timeout_ms, well);
    bool done;
    do
        done = beam_grpc_operation_finish(operation, BEAM_WAIT_TICK_MS, well);
    while (!done && !beam_wait_stopped(s->stop));
    return done;
}

static beam_status stopped(const beam_grpc_stream *s, beam_error *err)
{
    return beam_grpc_stopped(s->channel->endpoint, s->what, err);
}

/* Sends the metadata and asks for the other side's, and for the call's end, without waiting. */
static beam_status start(beam_grpc_stream *s, const char *worker_id, beam_error *err)
{
    grpc_metadata metadata = {.key = grpc_slice_from_static_string("worker_id"),
                              .value = grpc_slice_from_copied_string(worker_id ? worker_id : "")};
    grpc_op send = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    send.data.send_initial_metadata.count = worker_id ? 1 : 0;
    send.data.send_initial_metadata.metadata = &metadata;
    grpc_op receive = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    receive.data.recv_initial_metadata.recv_initial_metadata = &s->metadata;
    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    end.data.recv_status_on_client.trailing_metadata = &s->trailing;
    end.data.recv_status_on_client.status = &s->status;
    end.data.recv_status_on_client.status_details = &s->details;
    bool well = false, started = begin(s, SENDING, &send, 1) && begin(s, METADATA, &receive, 1) &&
                                 begin(s, END, &end, 1);
    /* The connection is made meanwhile, or the call's deadline passes. */
    bool sent = started && finish(s, SENDING, 0, &well);
    if (started && !sent) { /* gRPC may still look at the metadata */
        beam_grpc_stream_cancel(s);
        (void)beam_grpc_operation_finish(&s->operations[SENDING], 0, &well);
    }
    grpc_slice_unref(metadata.value);
    if (!started)
        return not_begun(s, err);
    if (!sent)
        return stopped(s, err);
    return well ? BEAM_OK : end_status(s, err);
}

beam_status beam_grpc_stream_open(beam_grpc_channel *channel, const beam_grpc_options *options,
                                  beam_grpc_stream **stream, beam_error *err)
{
    *stream = new_stream(channel, options);
    if (!*stream)
        return no_memory(err);
    beam_status status = start(*stream, options->worker_id, err);
    if (status == BEAM_OK)
        return status;
    beam_grpc_stream_close(*stream);
    *stream = NULL;
    return status;
}

void beam_grpc_stream_close(beam_grpc_stream *s)
{
    if (!s)
        return;
    bool well;
    if (s->call)
        (void)grpc_call_cancel(s->call, NULL); /* of a call that has ended: nothing */
    for (size_t i = 0; i < s->n_operations; i++) {
        if (s->operations[i].begun)
            (void)beam_grpc_operation_finish(&s->operations[i], 0, &well);
        beam_grpc_operation_destroy(&s->operations[i]);
    }
    if (s->message)
        grpc_byte_buffer_destroy(s->message);
    if (s->call)
        grpc_call_unref(s->call);
    grpc_metadata_array_destroy(&s->metadata);
    grpc_metadata_array_destroy(&s->trailing);
    grpc_slice_unref(s->details);
    beam_free(s);
}

/* ---- Messages ---------------------------------------------------------------------------- */

static beam_status send_ops(beam_grpc_stream *s, const grpc_op *ops, size_t n, int timeout_ms,
                            beam_error *err)
{
    bool well = false;
    if (!begin(s, SENDING, ops, n))
        return not_begun(s, err);
    if (!finish(s, SENDING, timeout_ms, &well))
        return timeout_ms ? beam_error_set(err, BEAM_DEADLINE_EXCEEDED,
                                           "%s, asked to %s, took nothing for %d s",
                                           s->channel->endpoint, s->what, timeout_ms / 1000)
                          : stopped(s, err);
    if (well)
        return BEAM_OK;
    beam_status status = end_status(s, err);
    return status != BEAM_OK ? status : beam_grpc_ended_early(s->channel->endpoint, s->what, err);
}

beam_status beam_grpc_stream_write(beam_grpc_stream *s, const void *data, size_t size, bool last,
                                   int timeout_ms, beam_error *err)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(data, size);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_MESSAGE}, {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}};
    ops[0].data.send_message.send_message = message;
    beam_status status = send_ops(s, ops, last ? 2 : 1, timeout_ms, err);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(slice);
    return status;
}

beam_status beam_grpc_stream_done(beam_grpc_stream *s, beam_error *err)
{
    const grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    return send_ops(s, &op, 1, 0, err);
}

void beam_grpc_stream_cancel(beam_grpc_stream *s)
{
    (void)grpc_call_cancel(s->call, NULL); /* of a call that has ended: nothing */
}

/* The next message, which is the stream's. */
static beam_status receive(beam_grpc_stream *s, int timeout_ms, bool *open, beam_error *err)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    bool well;
    op.data.recv_message.recv_message = &s->message;
    *open = true;
    if (!s->operations[RECEIVING].begun && !begin(s, RECEIVING, &op, 1))
        return not_begun(s, err);
    if (!finish(s, RECEIVING, timeout_ms, &well))
        return timeout_ms ? BEAM_DEADLINE_EXCEEDED : stopped(s, err);
    if (well && s->message)
        return BEAM_OK;
    *open = false;
    return end_status(s, err);
}

static beam_status append_message(grpc_byte_buffer *message, beam_buffer *bytes, beam_error *err)
{
    grpc_byte_buffer_reader reader;
    grpc_slice *slice;
    if (!grpc_byte_buffer_reader_init(&reader, message))
        return beam_error_set(err, BEAM_DATA_LOSS, "a message that cannot be unpacked");
    beam_status status = beam_buffer_reserve(bytes, grpc_byte_buffer_length(message));
    while (status == BEAM_OK && grpc_byte_buffer_reader_peek(&reader, &slice))
        status = beam_buffer_append(bytes, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
    grpc_byte_buffer_reader_destroy(&reader);
    return status == BEAM_OK ? status : no_memory(err);
}

beam_status beam_grpc_stream_read(beam_grpc_stream *s, int timeout_ms, beam_buffer *bytes,
                                  bool *open, beam_error *err)
{
    BEAM_TRY(receive(s, timeout_ms, open, err));
    if (!*open)
        return BEAM_OK;
    beam_status status = append_message(s->message, bytes, err);
    grpc_byte_buffer_destroy(s->message);
    s->message = NULL;
    return status;
}

/* ---- Calls ------------------------------------------------------------------------------- */

beam_status beam_grpc_call(beam_grpc_channel *channel, const beam_grpc_options *options,
                           const void *request, size_t size, beam_buffer *answer, beam_error *err)
{
    beam_grpc_stream *s;
    bool open = true;
    BEAM_TRY(beam_grpc_stream_open(channel, options, &s, err));
    beam_status status = beam_grpc_stream_write(s, request, size, true, 0, err);
    if (status == BEAM_OK)
        status = beam_grpc_stream_read(s, 0, answer, &open, err);
    if (status == BEAM_OK && !open)
        status = beam_error_set(err, BEAM_DATA_LOSS, "%s, asked to %s, gave no answer",
                                channel->endpoint, options->what);
    beam_grpc_stream_close(s);
    return status;
}
