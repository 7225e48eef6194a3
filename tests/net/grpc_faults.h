/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_faults.h - for tests: one of gRPC's operations fails, the n-th of all clients, or of all
 * servers, of the process, counted over all threads.
 *
 * What is made becomes NULL, a batch is refused, a port cannot be had, a message cannot be read.  A
 * client's operation that was begun ends badly, as it does when its connection breaks, and so the
 * call is cancelled; a server's ends badly and nothing more.  Waiting counts too. */
#ifndef TESTS_NET_GRPC_FAULTS_H
#define TESTS_NET_GRPC_FAULTS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/grpc_library.h"

enum { GRPC_FAULTS_CALLS = 64 };

typedef enum grpc_side { GRPC_CLIENT, GRPC_SERVER } grpc_side;

static struct {
    pthread_mutex_t lock;
    grpc_side side;
    unsigned n, at;
    const char *failed; /* the operation that did; NULL: none yet */
    struct {
        grpc_completion_queue *queue;
        grpc_call *call;
    } calls[GRPC_FAULTS_CALLS]; /* of clients, that are open */
} grpc_faults = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool grpc_faults_plucks; /* a client's thread: servers wait for what is next */

/* The functions that gRPC has itself, once they were replaced. */
static struct {
    __typeof__(grpc_byte_buffer_reader_init) reader_init;
    __typeof__(grpc_call_start_batch) start_batch;
    __typeof__(grpc_call_unref) call_unref;
    __typeof__(grpc_channel_create) channel_create;
    __typeof__(grpc_channel_create_call) create_call;
    __typeof__(grpc_completion_queue_create_for_next) create_for_next;
    __typeof__(grpc_completion_queue_create_for_pluck) create_for_pluck;
    __typeof__(grpc_completion_queue_destroy) destroy_queue;
    __typeof__(grpc_completion_queue_next) next;
    __typeof__(grpc_completion_queue_pluck) pluck;
    __typeof__(grpc_server_add_http2_port) add_port;
    __typeof__(grpc_server_create) server_create;
    __typeof__(grpc_server_register_method) register_method;
    __typeof__(grpc_server_request_call) request_call;
    __typeof__(grpc_server_request_registered_call) request_registered;
} grpc_real;

static bool grpc_faults_now(grpc_side side, const char *operation)
{
    pthread_mutex_lock(&grpc_faults.lock);
    bool fails = side == grpc_faults.side && ++grpc_faults.n == grpc_faults.at;
    if (fails)
        grpc_faults.failed = operation;
    pthread_mutex_unlock(&grpc_faults.lock);
    return fails;
}

/* ---- Which call a client's queue is of --------------------------------------------------- */

/* Puts `with` where `queue` is, NULL: at a free place. */
static void grpc_faults_note(grpc_completion_queue *queue, grpc_completion_queue *with,
                             grpc_call *call)
{
    size_t i = 0;
    pthread_mutex_lock(&grpc_faults.lock);
    while (i < GRPC_FAULTS_CALLS && grpc_faults.calls[i].queue != queue)
        i++;
    if (i < GRPC_FAULTS_CALLS) {
        grpc_faults.calls[i].queue = with;
        grpc_faults.calls[i].call = call;
    }
    pthread_mutex_unlock(&grpc_faults.lock);
}

static grpc_call *grpc_faults_call(const grpc_completion_queue *queue)
{
    grpc_call *call = NULL;
    pthread_mutex_lock(&grpc_faults.lock);
    for (size_t i = 0; i < GRPC_FAULTS_CALLS; i++)
        if (grpc_faults.calls[i].queue == queue)
            call = grpc_faults.calls[i].call;
    pthread_mutex_unlock(&grpc_faults.lock);
    return call;
}

static grpc_side grpc_faults_side(const grpc_call *call)
{
    grpc_side side = GRPC_SERVER;
    pthread_mutex_lock(&grpc_faults.lock);
    for (size_t i = 0; i < GRPC_FAULTS_CALLS; i++)
        if (grpc_faults.calls[i].call == call)
            side = GRPC_CLIENT;
    pthread_mutex_unlock(&grpc_faults.lock);
    return side;
}

/* ---- In place of gRPC's ------------------------------------------------------------------ */

static int grpc_faults_reader_init(grpc_byte_buffer_reader *reader, grpc_byte_buffer *buffer)
{
    grpc_side side = grpc_faults_plucks ? GRPC_CLIENT : GRPC_SERVER;
    return grpc_faults_now(side, "reader_init") ? 0 : grpc_real.reader_init(reader, buffer);
}

static grpc_call_error grpc_faults_start_batch(grpc_call *call, const grpc_op *ops, size_t n,
                                               void *tag, void *reserved)
{
    return grpc_faults_now(grpc_faults_side(call), "start_batch")
               ? GRPC_CALL_ERROR
               : grpc_real.start_batch(call, ops, n, tag, reserved);
}

static grpc_channel *grpc_faults_channel_create(const char *target, grpc_channel_credentials *creds,
                                                const grpc_channel_args *args)
{
    return grpc_faults_now(GRPC_CLIENT, "channel_create")
               ? NULL
               : grpc_real.channel_create(target, creds, args);
}

static grpc_call *grpc_faults_create_call(grpc_channel *channel, grpc_call *parent, uint32_t mask,
                                          grpc_completion_queue *queue, grpc_slice method,
                                          const grpc_slice *host, gpr_timespec deadline,
                                          void *reserved)
{
    if (grpc_faults_now(GRPC_CLIENT, "channel_create_call"))
        return NULL;
    grpc_call *call =
        grpc_real.create_call(channel, parent, mask, queue, method, host, deadline, reserved);
    grpc_faults_note(NULL, queue, call);
    return call;
}

/* A server's next call may be where this one was. */
static void grpc_faults_call_unref(grpc_call *call)
{
    pthread_mutex_lock(&grpc_faults.lock);
    for (size_t i = 0; i < GRPC_FAULTS_CALLS; i++)
        if (grpc_faults.calls[i].call == call)
            grpc_faults.calls[i].call = NULL;
    pthread_mutex_unlock(&grpc_faults.lock);
    grpc_real.call_unref(call);
}

static grpc_completion_queue *grpc_faults_create_for_next(void *reserved)
{
    return grpc_faults_now(GRPC_SERVER, "create_for_next") ? NULL
                                                           : grpc_real.create_for_next(reserved);
}

static grpc_completion_queue *grpc_faults_create_for_pluck(void *reserved)
{
    return grpc_faults_now(GRPC_CLIENT, "create_for_pluck") ? NULL
                                                            : grpc_real.create_for_pluck(reserved);
}

static void grpc_faults_destroy_queue(grpc_completion_queue *queue)
{
    grpc_faults_note(queue, NULL, NULL);
    grpc_real.destroy_queue(queue);
}

static grpc_event grpc_faults_next(grpc_completion_queue *queue, gpr_timespec until, void *reserved)
{
    bool fails = grpc_faults_now(GRPC_SERVER, "next");
    grpc_event event = grpc_real.next(queue, until, reserved);
    if (fails)
        event.success = 0;
    return event;
}

static grpc_event grpc_faults_pluck(grpc_completion_queue *queue, void *tag, gpr_timespec until,
                                    void *reserved)
{
    bool fails = grpc_faults_now(GRPC_CLIENT, "pluck");
    grpc_call *call = grpc_faults_call(queue);
    grpc_faults_plucks = true;
    if (fails && call)
        (void)grpc_call_cancel(call, NULL);
    grpc_event event =
        grpc_real.pluck(queue, tag, fails ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : until, reserved);
    if (fails)
        event.success = 0;
    return event;
}

static int grpc_faults_add_port(grpc_server *server, const char *address,
                                grpc_server_credentials *creds)
{
    return grpc_faults_now(GRPC_SERVER, "add_http2_port")
               ? 0
               : grpc_real.add_port(server, address, creds);
}

static grpc_server *grpc_faults_server_create(const grpc_channel_args *args, void *reserved)
{
    return grpc_faults_now(GRPC_SERVER, "server_create") ? NULL
                                                         : grpc_real.server_create(args, reserved);
}

static void *grpc_faults_register_method(grpc_server *server, const char *method, const char *host,
                                         grpc_server_register_method_payload_handling handling,
                                         uint32_t flags)
{
    return grpc_faults_now(GRPC_SERVER, "register_method")
               ? NULL
               : grpc_real.register_method(server, method, host, handling, flags);
}

static grpc_call_error grpc_faults_request_call(grpc_server *server, grpc_call **call,
                                                grpc_call_details *details,
                                                grpc_metadata_array *metadata,
                                                grpc_completion_queue *of_call,
                                                grpc_completion_queue *queue, void *tag)
{
    return grpc_faults_now(GRPC_SERVER, "request_call")
               ? GRPC_CALL_ERROR
               : grpc_real.request_call(server, call, details, metadata, of_call, queue, tag);
}

static grpc_call_error grpc_faults_request_registered(grpc_server *server, void *method,
                                                      grpc_call **call, gpr_timespec *deadline,
                                                      grpc_metadata_array *metadata,
                                                      grpc_byte_buffer **payload,
                                                      grpc_completion_queue *of_call,
                                                      grpc_completion_queue *queue, void *tag)
{
    return grpc_faults_now(GRPC_SERVER, "request_registered_call")
               ? GRPC_CALL_ERROR
               : grpc_real.request_registered(server, method, call, deadline, metadata, payload,
                                              of_call, queue, tag);
}

/* ---- For tests --------------------------------------------------------------------------- */

#define GRPC_FAULTS_REPLACE(function, member) \
    do {                                      \
        grpc_real.member = function;          \
        function = grpc_faults_##member;      \
    } while (0)

/* Once, before anything uses gRPC; what was opened of it stays. */
static inline void grpc_faults_install(void)
{
    assert_int_equal(beam_library_open(&beam_grpc_library, NULL), BEAM_OK);
    GRPC_FAULTS_REPLACE(grpc_byte_buffer_reader_init, reader_init);
    GRPC_FAULTS_REPLACE(grpc_call_start_batch, start_batch);
    GRPC_FAULTS_REPLACE(grpc_call_unref, call_unref);
    GRPC_FAULTS_REPLACE(grpc_channel_create, channel_create);
    GRPC_FAULTS_REPLACE(grpc_channel_create_call, create_call);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_create_for_next, create_for_next);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_create_for_pluck, create_for_pluck);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_destroy, destroy_queue);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_next, next);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_pluck, pluck);
    GRPC_FAULTS_REPLACE(grpc_server_add_http2_port, add_port);
    GRPC_FAULTS_REPLACE(grpc_server_create, server_create);
    GRPC_FAULTS_REPLACE(grpc_server_register_method, register_method);
    GRPC_FAULTS_REPLACE(grpc_server_request_call, request_call);
    GRPC_FAULTS_REPLACE(grpc_server_request_registered_call, request_registered);
}

/* The n-th operation of that side from here fails; 0: none. */
static inline void grpc_faults_at(grpc_side side, unsigned n)
{
    pthread_mutex_lock(&grpc_faults.lock);
    grpc_faults.side = side;
    grpc_faults.n = 0;
    grpc_faults.at = n;
    grpc_faults.failed = NULL;
    pthread_mutex_unlock(&grpc_faults.lock);
}

/* How many operations of that side there were since. */
static inline unsigned grpc_faults_count(void)
{
    pthread_mutex_lock(&grpc_faults.lock);
    unsigned n = grpc_faults.n;
    pthread_mutex_unlock(&grpc_faults.lock);
    return n;
}

/* Which operation has failed; NULL: none. */
static inline const char *grpc_faults_failed(void)
{
    pthread_mutex_lock(&grpc_faults.lock);
    const char *failed = grpc_faults.failed;
    pthread_mutex_unlock(&grpc_faults.lock);
    return failed;
}

#endif
