/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_server.h - a gRPC server for tests, on a free port of this machine: a thread takes the
 * calls, and each call has one of its own.  A step of a call that the client has broken fails, as
 * do all after it. */
#ifndef TESTS_NET_GRPC_SERVER_H
#define TESTS_NET_GRPC_SERVER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net/grpc.h"
#include "net/grpc_library.h"

typedef struct grpc_server_call {
    struct grpc_server_call *next;
    struct grpc_test_server *server;
    grpc_call *call;
    grpc_completion_queue *queue;
    grpc_call_details details;
    grpc_metadata_array metadata;
    pthread_t thread;
} grpc_server_call;

enum { GRPC_SERVER_NO_STATUS = -1 };

typedef struct grpc_test_server {
    /* Serves a call, on its thread; returns the status that it ends with, or GRPC_SERVER_NO_STATUS
     * where it is for the client to end it. */
    int (*answer)(const grpc_server_call *call, const char *method);
    void *user;
    char endpoint[32];
    grpc_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
} grpc_test_server;

static inline grpc_event grpc_server_next(grpc_completion_queue *queue)
{
    return grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

/* Does these operations and waits for them. */
static inline bool grpc_server_do(const grpc_server_call *c, const grpc_op *ops, size_t n)
{
    return grpc_call_start_batch(c->call, ops, n, (void *)ops, NULL) == GRPC_CALL_OK &&
           grpc_server_next(c->queue).success;
}

/* One message; false: none came, or it could not be sent. */
static inline bool grpc_server_send_back(const grpc_server_call *c)
{
    grpc_byte_buffer *message = NULL;
    grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE}, send = {.op = GRPC_OP_SEND_MESSAGE};
    receive.data.recv_message.recv_message = &message;
    if (!grpc_server_do(c, &receive, 1) || !message)
        return false;
    send.data.send_message.send_message = message;
    bool sent = grpc_server_do(c, &send, 1);
    grpc_byte_buffer_destroy(message);
    return sent;
}

static inline void *grpc_server_serve_call(void *user)
{
    grpc_server_call *c = user;
    int cancelled = 0;
    const grpc_op hello = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    grpc_op bye = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    grpc_op closed = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    closed.data.recv_close_on_server.cancelled = &cancelled;
    char *method = grpc_slice_to_c_string(c->details.method);
    if (grpc_server_do(c, &hello, 1)) {
        int status = c->server->answer(c, method);
        bye.data.send_status_from_server.status = (grpc_status_code)status;
        if (status != GRPC_SERVER_NO_STATUS)
            (void)grpc_server_do(c, &bye, 1);
    }
    (void)grpc_server_do(c, &closed, 1);
    gpr_free(method);
    return NULL;
}

static inline grpc_server_call *grpc_server_call_new(grpc_test_server *s)
{
    grpc_server_call *c = calloc(1, sizeof *c); /* a test may make beam_calloc fail */
    assert_non_null(c);
    c->server = s;
    c->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_call_details_init(&c->details);
    grpc_metadata_array_init(&c->metadata);
    return c;
}

static inline void grpc_server_call_free(grpc_server_call *c)
{
    if (c->call)
        grpc_call_unref(c->call);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->metadata);
    grpc_completion_queue_shutdown(c->queue);
    grpc_completion_queue_destroy(c->queue);
    free(c);
}

/* Until the server shuts down: then the call that is waited for fails. */
static inline void *grpc_server_serve(void *user)
{
    grpc_test_server *s = user;
    grpc_server_call *all = NULL;
    for (;;) {
        grpc_server_call *c = grpc_server_call_new(s);
        assert_int_equal(grpc_server_request_call(s->server, &c->call, &c->details, &c->metadata,
                                                  c->queue, s->queue, c),
                         GRPC_CALL_OK);
        grpc_event event = grpc_server_next(s->queue);
        if (event.tag != c || !event.success) {
            bool server_has_ended = event.tag == s;
            event = grpc_server_next(s->queue);
            assert_true(event.tag == (server_has_ended ? (void *)c : (void *)s));
            grpc_server_call_free(c);
            break;
        }
        c->next = all;
        all = c;
        assert_int_equal(pthread_create(&c->thread, NULL, grpc_server_serve_call, c), 0);
    }
    for (grpc_server_call *c = all, *next; c; c = next) {
        next = c->next;
        pthread_join(c->thread, NULL);
        grpc_server_call_free(c);
    }
    return NULL;
}

/* `answer` and `user` are set; the endpoint is known when it returns. */
static inline void grpc_test_server_start(grpc_test_server *s)
{
    grpc_arg unlimited = {.type = GRPC_ARG_INTEGER,
                          .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                          .value = {.integer = -1}};
    const grpc_channel_args args = {1, &unlimited};
    assert_int_equal(beam_grpc_begin(NULL), BEAM_OK);
    s->server = grpc_server_create(&args, NULL);
    s->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(s->server, s->queue, NULL);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(s->server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    assert_true(port > 0);
    (void)snprintf(s->endpoint, sizeof s->endpoint, "127.0.0.1:%d", port);
    grpc_server_start(s->server);
    assert_int_equal(pthread_create(&s->thread, NULL, grpc_server_serve, s), 0);
}

/* Breaks the calls that are left. */
static inline void grpc_test_server_stop(grpc_test_server *s)
{
    grpc_server_shutdown_and_notify(s->server, s->queue, s);
    grpc_server_cancel_all_calls(s->server);
    pthread_join(s->thread, NULL);
    grpc_completion_queue_shutdown(s->queue);
    grpc_completion_queue_destroy(s->queue);
    grpc_server_destroy(s->server);
    beam_grpc_end();
}

#endif
