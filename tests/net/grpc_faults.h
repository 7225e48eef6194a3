/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_faults.h - for tests: one of gRPC's operations fails, the n-th of all clients, or of all
 * servers, of the process, counted over all threads.
 *
 * What is made becomes NULL, a batch is refused, a port cannot be had, a message cannot be read.  A
 * client's operation that was begun ends badly, as it does when its connection breaks, and so the
 * call is cancelled; a server's ends badly and nothing more. */
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

enum { GRPC_FAULTS_CALLS = 64, GRPC_FAULTS_TAGS = 256 };

typedef enum grpc_side { GRPC_CLIENT, GRPC_SERVER } grpc_side;

static struct {
    pthread_mutex_t lock;
    grpc_side side;
    unsigned n, at;
    const char *failed;                  /* the operation that did; NULL: none yet */
    grpc_completion_queue *queue;        /* of all clients */
    grpc_call *calls[GRPC_FAULTS_CALLS]; /* of clients, that are open */
    struct {
        void *tag;
        grpc_call *call;
    } tags[GRPC_FAULTS_TAGS]; /* which call a client's operation is of */
} grpc_faults = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A thread that makes calls; and one that opens a channel now. */
static _Thread_local bool grpc_faults_calls, grpc_faults_opens;

/* The functions that gRPC has itself, once they were replaced. */
static struct {
    __typeof__(grpc_byte_buffer_reader_init) reader_init;
    __typeof__(grpc_call_start_batch) start_batch;
    __typeof__(grpc_call_unref) call_unref;
    __typeof__(grpc_channel_create) channel_create;
    __typeof__(grpc_channel_create_call) create_call;
    __typeof__(grpc_channel_credentials_release) release_credentials;
    __typeof__(grpc_completion_queue_create) create_queue;
    __typeof__(grpc_completion_queue_create_for_next) create_for_next;
    __typeof__(grpc_completion_queue_destroy) destroy_queue;
    __typeof__(grpc_completion_queue_next) next;
    __typeof__(grpc_completion_queue_thread_local_cache_flush) flush;
    __typeof__(grpc_insecure_credentials_create) create_credentials;
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

/* ---- Which calls and queues are clients' -------------------------------------------------- */

/* Puts `with` where `call` is, NULL: at a free place. */
static void grpc_faults_note(const grpc_call *call, grpc_call *with)
{
    size_t i = 0;
    pthread_mutex_lock(&grpc_faults.lock);
    while (i < GRPC_FAULTS_CALLS && grpc_faults.calls[i] != call)
        i++;
    if (i < GRPC_FAULTS_CALLS)
        grpc_faults.calls[i] = with;
    pthread_mutex_unlock(&grpc_faults.lock);
}

static grpc_side grpc_faults_side(const grpc_call *call)
{
    grpc_side side = GRPC_SERVER;
    pthread_mutex_lock(&grpc_faults.lock);
    for (size_t i = 0; i < GRPC_FAULTS_CALLS; i++)
        if (grpc_faults.calls[i] == call)
            side = GRPC_CLIENT;
    pthread_mutex_unlock(&grpc_faults.lock);
    return side;
}

static void grpc_faults_set_queue(const grpc_completion_queue *from, grpc_completion_queue *to)
{
    pthread_mutex_lock(&grpc_faults.lock);
    if (!from || grpc_faults.queue == from)
        grpc_faults.queue = to;
    pthread_mutex_unlock(&grpc_faults.lock);
}

static bool grpc_faults_is_clients(const grpc_completion_queue *queue)
{
    pthread_mutex_lock(&grpc_faults.lock);
    bool is = grpc_faults.queue == queue;
    pthread_mutex_unlock(&grpc_faults.lock);
    return is;
}

static void grpc_faults_note_tag(void *tag, grpc_call *call)
{
    size_t i = 0;
    pthread_mutex_lock(&grpc_faults.lock);
    while (i < GRPC_FAULTS_TAGS && grpc_faults.tags[i].tag)
        i++;
    if (i < GRPC_FAULTS_TAGS) {
        grpc_faults.tags[i].tag = tag;
        grpc_faults.tags[i].call = call;
    }
    pthread_mutex_unlock(&grpc_faults.lock);
}

/* The operation's call; the operation is not on its way any more. */
static grpc_call *grpc_faults_take_tag(const void *tag)
{
    grpc_call *call = NULL;
    pthread_mutex_lock(&grpc_faults.lock);
    for (size_t i = 0; i < GRPC_FAULTS_TAGS; i++) {
        if (grpc_faults.tags[i].tag != tag)
            continue;
        call = grpc_faults.tags[i].call;
        grpc_faults.tags[i].tag = NULL;
    }
    pthread_mutex_unlock(&grpc_faults.lock);
    return call;
}

/* Whether a client's operation that is done did well; nobody has heard of it yet, so that its call
 * is still there. */
static int grpc_faults_well(const void *tag, int well, const char *operation)
{
    grpc_call *call = grpc_faults_take_tag(tag);
    if (!grpc_faults_now(GRPC_CLIENT, operation))
        return well;
    (void)grpc_call_cancel(call, NULL);
    return 0;
}

/* ---- In place of gRPC's ------------------------------------------------------------------ */

static int grpc_faults_reader_init(grpc_byte_buffer_reader *reader, grpc_byte_buffer *buffer)
{
    grpc_side side = grpc_faults_calls ? GRPC_CLIENT : GRPC_SERVER;
    return grpc_faults_now(side, "reader_init") ? 0 : grpc_real.reader_init(reader, buffer);
}

static grpc_call_error grpc_faults_start_batch(grpc_call *call, const grpc_op *ops, size_t n,
                                               void *tag, void *reserved)
{
    grpc_side side = grpc_faults_side(call);
    if (grpc_faults_now(side, "start_batch"))
        return GRPC_CALL_ERROR;
    if (side == GRPC_SERVER)
        return grpc_real.start_batch(call, ops, n, tag, reserved);
    grpc_faults_calls = true;
    grpc_faults_note_tag(tag, call);
    grpc_call_error started = grpc_real.start_batch(call, ops, n, tag, reserved);
    if (started != GRPC_CALL_OK)
        (void)grpc_faults_take_tag(tag);
    return started;
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
    grpc_faults_set_queue(NULL, queue);
    grpc_faults_note(NULL, call);
    return call;
}

/* A server's next call may be where this one was. */
static void grpc_faults_call_unref(grpc_call *call)
{
    grpc_faults_note(call, NULL);
    grpc_real.call_unref(call);
}

static grpc_channel_credentials *grpc_faults_create_credentials(void)
{
    grpc_faults_opens = true;
    return grpc_real.create_credentials();
}

static void grpc_faults_release_credentials(grpc_channel_credentials *credentials)
{
    grpc_faults_opens = false;
    grpc_real.release_credentials(credentials);
}

static grpc_completion_queue *
grpc_faults_create_queue(const grpc_completion_queue_factory *factory,
                         const grpc_completion_queue_attributes *attributes, void *reserved)
{
    return grpc_faults_now(GRPC_SERVER, "create_queue")
               ? NULL
               : grpc_real.create_queue(factory, attributes, reserved);
}

static grpc_completion_queue *grpc_faults_create_for_next(void *reserved)
{
    return grpc_faults_now(grpc_faults_opens ? GRPC_CLIENT : GRPC_SERVER, "create_for_next")
               ? NULL
               : grpc_real.create_for_next(reserved);
}

static void grpc_faults_destroy_queue(grpc_completion_queue *queue)
{
    grpc_faults_set_queue(queue, NULL);
    grpc_real.destroy_queue(queue);
}

static grpc_event grpc_faults_next(grpc_completion_queue *queue, gpr_timespec until, void *reserved)
{
    grpc_event event = grpc_real.next(queue, until, reserved);
    if (!grpc_faults_is_clients(queue))
        event.success = !grpc_faults_now(GRPC_SERVER, "next") && event.success;
    else if (event.type == GRPC_OP_COMPLETE)
        event.success = grpc_faults_well(event.tag, event.success, "next");
    return event;
}

static int grpc_faults_flush(grpc_completion_queue *queue, void **tag, int *well)
{
    int any = grpc_real.flush(queue, tag, well);
    if (any)
        *well = grpc_faults_well(*tag, *well, "flush");
    return any;
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
    GRPC_FAULTS_REPLACE(grpc_channel_credentials_release, release_credentials);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_create, create_queue);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_create_for_next, create_for_next);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_destroy, destroy_queue);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_next, next);
    GRPC_FAULTS_REPLACE(grpc_completion_queue_thread_local_cache_flush, flush);
    GRPC_FAULTS_REPLACE(grpc_insecure_credentials_create, create_credentials);
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
