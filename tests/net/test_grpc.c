/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The client's calls against a server that sends back what it gets, or takes nothing and says
 * nothing: many at once, given up, broken off, and the thread behind them that comes and goes. */
#include "support/files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/grpc.h"
#include "net/grpc_library.h"
#include "net/grpc_poller.h"

enum {
    STREAMS = 6,
    MESSAGES = 60,
    LARGEST = 300000,
    SOON = 30 /* ms */,
    LARGE = 8 << 20 /* more than is on its way at once */
};

/* ---- The server -------------------------------------------------------------------------- */

typedef struct call {
    struct call *next;
    grpc_call *call;
    grpc_completion_queue *queue;
    grpc_call_details details;
    grpc_metadata_array metadata;
    pthread_t thread;
} call;

static struct {
    grpc_server *server;
    grpc_completion_queue *queue;
    char endpoint[32];
    pthread_t thread;
} server;

static bool do_ops(const call *c, const grpc_op *ops, size_t n)
{
    if (grpc_call_start_batch(c->call, ops, n, (void *)ops, NULL) != GRPC_CALL_OK)
        return false;
    return grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).success;
}

static bool send_back(const call *c)
{
    grpc_byte_buffer *message = NULL;
    grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE}, send = {.op = GRPC_OP_SEND_MESSAGE};
    receive.data.recv_message.recv_message = &message;
    if (!do_ops(c, &receive, 1) || !message)
        return false;
    send.data.send_message.send_message = message;
    bool sent = do_ops(c, &send, 1);
    grpc_byte_buffer_destroy(message);
    return sent;
}

static void *serve_call(void *user)
{
    call *c = user;
    int cancelled = 0;
    const grpc_op hello = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    grpc_op bye = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    grpc_op closed = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    bye.data.send_status_from_server.status = GRPC_STATUS_OK;
    closed.data.recv_close_on_server.cancelled = &cancelled;
    char *name = grpc_slice_to_c_string(c->details.method);
    if (do_ops(c, &hello, 1) && strcmp(name, "/test/Echo") == 0) {
        while (send_back(c))
            ;
        (void)do_ops(c, &bye, 1);
    }
    (void)do_ops(c, &closed, 1);
    gpr_free(name);
    return NULL;
}

static void free_call(call *c)
{
    if (c->call)
        grpc_call_unref(c->call);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->metadata);
    grpc_completion_queue_shutdown(c->queue);
    grpc_completion_queue_destroy(c->queue);
    beam_free(c);
}

/* Until the server shuts down: then the call that is waited for fails. */
static void *serve(void *user)
{
    call *all = NULL;
    (void)user;
    for (;;) {
        call *c = beam_calloc(1, sizeof *c);
        assert_non_null(c);
        c->queue = grpc_completion_queue_create_for_next(NULL);
        grpc_call_details_init(&c->details);
        grpc_metadata_array_init(&c->metadata);
        assert_int_equal(grpc_server_request_call(server.server, &c->call, &c->details,
                                                  &c->metadata, c->queue, server.queue, c),
                         GRPC_CALL_OK);
        grpc_event event =
            grpc_completion_queue_next(server.queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (!event.success || event.tag != c) {
            free_call(c);
            break;
        }
        c->next = all;
        all = c;
        assert_int_equal(pthread_create(&c->thread, NULL, serve_call, c), 0);
    }
    while (all) {
        call *c = all;
        all = c->next;
        pthread_join(c->thread, NULL);
        free_call(c);
    }
    return NULL;
}

static int start_server(void **state)
{
    beam_error err = {0};
    grpc_arg unlimited = {.type = GRPC_ARG_INTEGER,
                          .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                          .value = {.integer = -1}};
    const grpc_channel_args args = {1, &unlimited};
    (void)state;
    assert_ok(beam_grpc_begin(&err), err);
    server.queue = grpc_completion_queue_create_for_next(NULL);
    server.server = grpc_server_create(&args, NULL);
    grpc_server_register_completion_queue(server.server, server.queue, NULL);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(server.server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    assert_true(port > 0);
    (void)snprintf(server.endpoint, sizeof server.endpoint, "127.0.0.1:%d", port);
    grpc_server_start(server.server);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
    grpc_event event;
    (void)state;
    grpc_server_shutdown_and_notify(server.server, server.queue, &server);
    grpc_server_cancel_all_calls(server.server);
    pthread_join(server.thread, NULL);
    grpc_completion_queue_shutdown(server.queue);
    do
        event = grpc_completion_queue_next(server.queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    while (event.type != GRPC_QUEUE_SHUTDOWN);
    grpc_server_destroy(server.server);
    grpc_completion_queue_destroy(server.queue);
    beam_grpc_end();
    return 0;
}

/* ---- The client -------------------------------------------------------------------------- */

static const beam_grpc_options echo = {.method = "/test/Echo", .what = "send it back"},
                               hold = {.method = "/test/Hold", .what = "take it"};

static beam_grpc_channel *open_channel(void)
{
    beam_grpc_channel *channel;
    beam_error err = {0};
    assert_ok(beam_grpc_channel_open(server.endpoint, &channel, &err), err);
    return channel;
}

static beam_grpc_stream *open_stream(beam_grpc_channel *channel, const beam_grpc_options *options)
{
    beam_grpc_stream *stream;
    beam_error err = {0};
    assert_ok(beam_grpc_stream_open(channel, options, &stream, &err), err);
    return stream;
}

/* ---- Many at once ------------------------------------------------------------------------ */

static size_t size_of(size_t i)
{
    return i % 5 ? i * 37 : i * (LARGEST / MESSAGES);
}

static void *write_all(void *stream)
{
    char *bytes = malloc(LARGEST);
    beam_error err = {0};
    assert_non_null(bytes);
    for (size_t i = 0; i < MESSAGES; i++) {
        memset(bytes, (int)i, size_of(i));
        assert_ok(beam_grpc_stream_write(stream, bytes, size_of(i), false, 0, &err), err);
    }
    assert_ok(beam_grpc_stream_done(stream, &err), err);
    free(bytes);
    return NULL;
}

static void *read_all(void *stream)
{
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open = true;
    for (size_t i = 0; i < MESSAGES; i++) {
        bytes.len = 0;
        assert_ok(beam_grpc_stream_read(stream, 0, &bytes, &open, &err), err);
        assert_true(open);
        assert_int_equal(bytes.len, size_of(i));
        for (size_t at = 0; at < bytes.len; at++)
            if (bytes.data[at] != i)
                fail_msg("message %zu has another's bytes", i);
    }
    assert_ok(beam_grpc_stream_read(stream, 0, &bytes, &open, &err), err);
    assert_false(open);
    beam_buffer_free(&bytes);
    return NULL;
}

static void all_get_their_own(void **state)
{
    beam_grpc_channel *channels[2] = {open_channel(), open_channel()};
    beam_grpc_stream *streams[STREAMS];
    pthread_t threads[2 * STREAMS];
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        streams[i] = open_stream(channels[i % 2], &echo);
        assert_int_equal(pthread_create(&threads[2 * i], NULL, write_all, streams[i]), 0);
        assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, read_all, streams[i]), 0);
    }
    for (size_t i = 0; i < 2 * STREAMS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < STREAMS; i++)
        beam_grpc_stream_close(streams[i]);
    beam_grpc_channel_close(channels[0]);
    beam_grpc_channel_close(channels[1]);
}

/* ---- Given up ---------------------------------------------------------------------------- */

static void reads_again_after_none_came(void **state)
{
    beam_grpc_channel *channel = open_channel();
    beam_grpc_stream *stream = open_stream(channel, &echo);
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(beam_grpc_stream_read(stream, SOON, &bytes, &open, &err),
                         BEAM_DEADLINE_EXCEEDED);
        assert_true(open);
        assert_string_equal(err.message, "");
    }
    assert_ok(beam_grpc_stream_write(stream, "late", 4, false, 0, &err), err);
    assert_ok(beam_grpc_stream_read(stream, 0, &bytes, &open, &err), err);
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.data, "late", 4);
    beam_buffer_free(&bytes);
    beam_grpc_stream_close(stream);
    beam_grpc_channel_close(channel);
}

/* With a read and a write on their way, which nobody waits for any more. */
static void closes_with_both_on_their_way(void **state)
{
    beam_grpc_channel *channel = open_channel();
    beam_grpc_stream *stream = open_stream(channel, &hold);
    beam_buffer bytes = {0};
    beam_error err = {0};
    char *much = calloc(1, LARGE);
    bool open;
    (void)state;
    assert_non_null(much);
    assert_int_equal(beam_grpc_stream_read(stream, SOON, &bytes, &open, &err),
                     BEAM_DEADLINE_EXCEEDED);
    assert_fails(beam_grpc_stream_write(stream, much, LARGE, false, SOON, &err),
                 BEAM_DEADLINE_EXCEEDED, err, "took nothing");
    assert_fails(beam_grpc_stream_write(stream, much, 1, false, SOON, &err), BEAM_INTERNAL, err,
                 "cannot be asked to take it");
    beam_grpc_stream_close(stream);
    beam_grpc_channel_close(channel);
    free(much);
}

/* ---- Broken off -------------------------------------------------------------------------- */

static void *read_until_broken(void *stream)
{
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    assert_fails(beam_grpc_stream_read(stream, 0, &bytes, &open, &err), BEAM_CANCELLED, err,
                 "asked to take it");
    return NULL;
}

static void *write_until_broken(void *stream)
{
    beam_error err = {0};
    beam_status status = BEAM_OK;
    char *much = calloc(1, LARGE);
    assert_non_null(much);
    while (status == BEAM_OK)
        status = beam_grpc_stream_write(stream, much, LARGE, false, 0, &err);
    assert_int_equal(status, BEAM_CANCELLED);
    free(much);
    return NULL;
}

static void cancel_ends_both_sides(void **state)
{
    beam_grpc_channel *channel = open_channel();
    (void)state;
    for (int i = 0; i < 10; i++) {
        beam_grpc_stream *stream = open_stream(channel, &hold);
        pthread_t reader, writer;
        assert_int_equal(pthread_create(&reader, NULL, read_until_broken, stream), 0);
        assert_int_equal(pthread_create(&writer, NULL, write_until_broken, stream), 0);
        beam_grpc_stream_cancel(stream);
        pthread_join(reader, NULL);
        pthread_join(writer, NULL);
        beam_grpc_stream_close(stream);
    }
    beam_grpc_channel_close(channel);
}

/* ---- The thread behind them -------------------------------------------------------------- */

static void ask_once(beam_grpc_channel *channel)
{
    beam_buffer answer = {0};
    beam_error err = {0};
    assert_ok(beam_grpc_call(channel, &echo, "hello", 5, &answer, &err), err);
    assert_int_equal(answer.len, 5);
    beam_buffer_free(&answer);
}

static void one_poller_until_the_last_channel(void **state)
{
    (void)state;
    assert_null(beam_grpc_poller_queue());
    beam_grpc_channel *first = open_channel(), *second = open_channel();
    const grpc_completion_queue *queue = beam_grpc_poller_queue();
    assert_non_null(queue);
    beam_grpc_channel_close(first);
    assert_ptr_equal(beam_grpc_poller_queue(), queue);
    ask_once(second);
    beam_grpc_channel_close(second);
    assert_null(beam_grpc_poller_queue());
}

static void *come_and_go(void *user)
{
    for (int i = 0; i < 20; i++) {
        beam_grpc_channel *channel = open_channel();
        ask_once(channel);
        beam_grpc_channel_close(channel);
    }
    return user;
}

static void channels_come_and_go(void **state)
{
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_null(beam_grpc_poller_queue());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_get_their_own),
                                       cmocka_unit_test(reads_again_after_none_came),
                                       cmocka_unit_test(closes_with_both_on_their_way),
                                       cmocka_unit_test(cancel_ends_both_sides),
                                       cmocka_unit_test(one_poller_until_the_last_channel),
                                       cmocka_unit_test(channels_come_and_go)};
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
