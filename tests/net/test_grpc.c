/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The client's calls against a server that sends back what it gets, or takes nothing and says
 * nothing: many at once, given up, broken off, and the thread behind them that comes and goes. */
#include "support/files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/grpc_poller.h"
#include "net/grpc_server.h"
#include "net/ping_peer.h"
#include "net/wait.h"
#include "support/server.h"

enum {
    STREAMS = 6,
    MESSAGES = 60,
    LARGEST = 300000,
    SOON = 30 /* ms */,
    LARGE = 8 << 20 /* more than is on its way at once */
};

/* ---- The server -------------------------------------------------------------------------- */

static int answer(const grpc_server_call *c, const char *method)
{
    if (strcmp(method, "/test/Echo") != 0)
        return GRPC_SERVER_NO_STATUS;
    while (grpc_server_send_back(c))
        ;
    return GRPC_STATUS_OK;
}

static grpc_test_server server = {.answer = answer};

static int start_server(void **state)
{
    (void)state;
    grpc_test_server_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    grpc_test_server_stop(&server);
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

static void ask_once(beam_grpc_channel *channel)
{
    beam_buffer answer = {0};
    beam_error err = {0};
    assert_ok(beam_grpc_call(channel, &echo, "hello", 5, &answer, &err), err);
    assert_int_equal(answer.len, 5);
    beam_buffer_free(&answer);
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

/* ---- A wish to stop ---------------------------------------------------------------------- */

static const int stop_now = 1;

/* Nobody takes the connection: gRPC would give it up after 20 s. */
static void stops_before_it_is_connected(void **state)
{
    uint16_t port;
    char endpoint[32];
    beam_grpc_options options = echo;
    beam_grpc_channel *channel;
    beam_grpc_stream *stream;
    beam_error err = {0};
    (void)state;
    int listener = test_listen(1, &port);
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d", port);
    assert_ok(beam_grpc_channel_open(endpoint, &channel, &err), err);
    options.stop = &stop_now;
    assert_int_equal(beam_grpc_stream_open(channel, &options, &stream, &err), BEAM_CANCELLED);
    assert_non_null(strstr(err.message, endpoint));
    assert_null(stream);
    beam_grpc_channel_close(channel);
    close(listener);
}

static void stops_before_the_answer(void **state)
{
    beam_grpc_channel *channel = open_channel();
    beam_grpc_options options = hold;
    beam_buffer answer = {0};
    beam_error err = {0};
    (void)state;
    ask_once(channel); /* so that it is connected */
    options.stop = &stop_now;
    options.timeout_ms = 60000;
    assert_int_equal(beam_grpc_call(channel, &options, "hello", 5, &answer, &err), BEAM_CANCELLED);
    assert_non_null(strstr(err.message, "asked to take it"));
    beam_buffer_free(&answer);
    beam_grpc_channel_close(channel);
}

/* ---- A server that is gone --------------------------------------------------------------- */

/* It is asked whether it is there, as often as it says that it is. */
static void gives_up_who_is_gone(void **state)
{
    const beam_keepalive before = beam_wait_keepalive;
    enum { ANSWERS = 3 /* more than gRPC would ask for by itself */ };
    ping_peer peer;
    beam_grpc_channel *channel;
    beam_buffer bytes = {0};
    beam_error err = {0};
    bool open;
    (void)state;
    beam_wait_keepalive = (beam_keepalive){.quiet_ms = 100, .patience_ms = 1000};
    ping_peer_start(&peer, ANSWERS);
    assert_ok(beam_grpc_channel_open(peer.endpoint, &channel, &err), err);
    beam_wait_keepalive = before;
    beam_grpc_stream *stream = open_stream(channel, &hold);
    assert_fails(beam_grpc_stream_read(stream, 0, &bytes, &open, &err), BEAM_UNAVAILABLE, err,
                 "keepalive");
    assert_false(open);
    beam_grpc_stream_close(stream);
    beam_grpc_channel_close(channel);
    ping_peer_stop(&peer);
    assert_true(peer.asked > ANSWERS);
}

/* ---- The thread behind them -------------------------------------------------------------- */

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
                                       cmocka_unit_test(stops_before_it_is_connected),
                                       cmocka_unit_test(stops_before_the_answer),
                                       cmocka_unit_test(gives_up_who_is_gone),
                                       cmocka_unit_test(one_poller_until_the_last_channel),
                                       cmocka_unit_test(channels_come_and_go)};
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
