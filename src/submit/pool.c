/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/pool.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "model/message.h"
#include "model/proto/worker_pool.pb-c.h"
#include "net/grpc_library.h"
#include "net/grpc_poller.h"
#include "submit/rpc.h"

enum { METHODS = 2, UNKNOWN = METHODS, KINDS, WAITING = 4 };

static const char *const methods[METHODS] = {
    "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StartWorker",
    "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/StopWorker"};

/* A call of a method, or of one that there is not: waited for, then answered. */
typedef struct slot {
    struct beam_pool *pool;
    size_t method;
    bool answering;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_call_details details; /* of an unknown one */
    grpc_metadata_array metadata;
    grpc_byte_buffer *request;
    int cancelled;
} slot;

struct beam_pool {
    grpc_server *server;
    grpc_completion_queue *queue;
    void *registered[METHODS];
    slot slots[KINDS * WAITING];
    beam_pool_callbacks callbacks;
    int port, closing;
    pthread_t thread;
};

/* ---- Calls ------------------------------------------------------------------------------- */

static void forget(slot *s)
{
    if (s->request)
        grpc_byte_buffer_destroy(s->request);
    if (s->call)
        grpc_call_unref(s->call);
    grpc_metadata_array_destroy(&s->metadata);
    grpc_call_details_destroy(&s->details);
    s->call = NULL;
    s->request = NULL;
}

/* False when gRPC takes none, as once the server shuts down: then there is nothing to wait for. */
static bool wait_for_call(slot *s)
{
    const beam_pool *pool = s->pool;
    s->answering = false;
    s->call = NULL;
    s->request = NULL;
    grpc_metadata_array_init(&s->metadata);
    grpc_call_details_init(&s->details);
    grpc_call_error waits =
        s->method == UNKNOWN
            ? grpc_server_request_call(pool->server, &s->call, &s->details, &s->metadata,
                                       pool->queue, pool->queue, s)
            : grpc_server_request_registered_call(pool->server, pool->registered[s->method],
                                                  &s->call, &s->deadline, &s->metadata, &s->request,
                                                  pool->queue, pool->queue, s);
    if (waits != GRPC_CALL_OK)
        forget(s);
    return waits == GRPC_CALL_OK;
}

/* Others wait for calls of the same kind, should this one not be able to any more. */
static void wait_again(slot *s)
{
    forget(s);
    if (!__atomic_load_n(&s->pool->closing, __ATOMIC_RELAXED))
        (void)wait_for_call(s);
}

static bool read_request(slot *s, beam_buffer *bytes)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    bool good = s->request && grpc_byte_buffer_reader_init(&reader, s->request);
    if (!good)
        return false;
    while (grpc_byte_buffer_reader_next(&reader, &slice)) {
        good = good && beam_buffer_append(bytes, GRPC_SLICE_START_PTR(slice),
                                          GRPC_SLICE_LENGTH(slice)) == BEAM_OK;
        grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return good;
}

static const char *url_of(const BeamPb__ApiServiceDescriptor *descriptor)
{
    return descriptor ? descriptor->url : "";
}

static beam_status start_worker(const beam_pool_callbacks *callbacks, const beam_buffer *bytes,
                                beam_error *err)
{
    BeamPb__StartWorkerRequest *request = NULL;
    BEAM_TRY(beam_message_unpack(&beam_pb__start_worker_request__descriptor, bytes->data,
                                 bytes->len, &request, err));
    const beam_worker_request wanted = {.id = request->worker_id,
                                        .control_endpoint = url_of(request->control_endpoint),
                                        .logging_endpoint = url_of(request->logging_endpoint),
                                        .artifact_endpoint = url_of(request->artifact_endpoint),
                                        .provision_endpoint = url_of(request->provision_endpoint)};
    beam_status status = callbacks->start(callbacks->user, &wanted, err);
    beam_message_free(request);
    return status;
}

static beam_status stop_worker(const beam_pool_callbacks *callbacks, const beam_buffer *bytes,
                               beam_error *err)
{
    BeamPb__StopWorkerRequest *request = NULL;
    BEAM_TRY(beam_message_unpack(&beam_pb__stop_worker_request__descriptor, bytes->data, bytes->len,
                                 &request, err));
    beam_status status = callbacks->stop(callbacks->user, request->worker_id, err);
    beam_message_free(request);
    return status;
}

/* Answers with the error's words, or with none, as a response (those of both methods look alike);
 * `status` instead, where it is not OK. */
static void answer(slot *s, grpc_status_code status, beam_error *err)
{
    BeamPb__StartWorkerResponse response = BEAM_PB__START_WORKER_RESPONSE__INIT;
    beam_buffer bytes = {0};
    beam_utf8_mend(err->message);
    response.error = err->message;
    if (status == GRPC_STATUS_OK && beam_message_pack(&response, &bytes) != BEAM_OK)
        status = GRPC_STATUS_RESOURCE_EXHAUSTED;
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.len);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_SEND_MESSAGE}};
    ops[1].data.recv_close_on_server.cancelled = &s->cancelled;
    ops[2].data.send_status_from_server.status = status;
    ops[3].data.send_message.send_message = message;
    s->answering = true;
    grpc_call_error started =
        grpc_call_start_batch(s->call, ops, status == GRPC_STATUS_OK ? 4 : 3, s, NULL);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(slice);
    beam_buffer_free(&bytes);
    if (started != GRPC_CALL_OK) /* the caller sees the call cancelled */
        wait_again(s);
}

static void on_call(slot *s)
{
    const beam_pool_callbacks *callbacks = &s->pool->callbacks;
    beam_buffer bytes = {0};
    beam_error err = {0};
    if (s->method == UNKNOWN) {
        answer(s, GRPC_STATUS_UNIMPLEMENTED, &err);
        return;
    }
    if (!read_request(s, &bytes))
        beam_error_set(&err, BEAM_DATA_LOSS, "a request that cannot be read");
    else if (s->method == 0)
        (void)start_worker(callbacks, &bytes, &err); /* the words go to the engine */
    else
        (void)stop_worker(callbacks, &bytes, &err);
    beam_buffer_free(&bytes);
    answer(s, GRPC_STATUS_OK, &err);
}

static void *serve(void *user)
{
    beam_pool *pool = user;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(pool->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        slot *s = event.tag;
        if (!s) /* the server has shut down: no call is left that needs the queue */
            grpc_completion_queue_shutdown(pool->queue);
        else if (event.success && !s->answering)
            on_call(s);
        else
            wait_again(s);
    }
}

/* ---- The server -------------------------------------------------------------------------- */

static void destroy(beam_pool *pool)
{
    if (pool->server)
        grpc_server_destroy(pool->server);
    if (pool->queue)
        grpc_completion_queue_destroy(pool->queue);
    beam_grpc_poller_close();
    beam_grpc_end();
    beam_free(pool);
}

static void shut_down(beam_pool *pool)
{
    __atomic_store_n(&pool->closing, 1, __ATOMIC_RELAXED);
    if (pool->server) {
        grpc_server_shutdown_and_notify(pool->server, pool->queue, NULL);
        grpc_server_cancel_all_calls(pool->server);
    } else if (pool->queue) {
        grpc_completion_queue_shutdown(pool->queue);
    }
}

static beam_status no_server(beam_error *err)
{
    return beam_error_set(err, BEAM_INTERNAL, "gRPC makes no server for a worker pool");
}

/* Whoever asks this queue does not poll: the process has one poller. */
static grpc_completion_queue *new_queue(void)
{
    const grpc_completion_queue_attributes kind = {.version = GRPC_CQ_CURRENT_VERSION,
                                                   .cq_completion_type = GRPC_CQ_NEXT,
                                                   .cq_polling_type = GRPC_CQ_NON_POLLING};
    return grpc_completion_queue_create(grpc_completion_queue_factory_lookup(&kind), &kind, NULL);
}

static beam_status listen_on(beam_pool *pool, const char *address, beam_error *err)
{
    bool known = true;
    pool->queue = new_queue();
    if (pool->queue)
        pool->server = grpc_server_create(NULL, NULL);
    if (!pool->server)
        return no_server(err);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    grpc_server_register_completion_queue(pool->server, pool->queue, NULL);
    grpc_server_register_completion_queue(pool->server, beam_grpc_poller_queue(), NULL);
    for (size_t i = 0; i < METHODS; i++) {
        pool->registered[i] = grpc_server_register_method(
            pool->server, methods[i], NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
        known = known && pool->registered[i];
    }
    pool->port = grpc_server_add_http2_port(pool->server, address, credentials);
    grpc_server_credentials_release(credentials);
    grpc_server_start(pool->server); /* one that is not started cannot be destroyed */
    if (!pool->port)
        return beam_error_set(err, BEAM_UNAVAILABLE,
                              "a worker pool cannot listen on %s: is it taken?", address);
    return known ? BEAM_OK : no_server(err);
}

static beam_status take_calls(beam_pool *pool, beam_error *err)
{
    for (size_t i = 0; i < KINDS * WAITING; i++) {
        pool->slots[i] = (slot){.pool = pool, .method = i % KINDS};
        if (!wait_for_call(&pool->slots[i]))
            return no_server(err);
    }
    return pthread_create(&pool->thread, NULL, serve, pool) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread for a worker pool");
}

static beam_status begin(beam_error *err)
{
    BEAM_TRY(beam_grpc_begin(err));
    beam_status status = beam_grpc_poller_open(err);
    if (status != BEAM_OK)
        beam_grpc_end();
    return status;
}

beam_status beam_pool_open(const char *address, const beam_pool_callbacks *callbacks,
                           beam_pool **result, beam_error *err)
{
    *result = NULL;
    beam_pool *pool = beam_calloc(1, sizeof *pool);
    if (!pool)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a worker pool");
    pool->callbacks = *callbacks;
    beam_status status = begin(err);
    if (status != BEAM_OK) {
        beam_free(pool);
        return status;
    }
    status = listen_on(pool, address, err);
    if (status == BEAM_OK)
        status = take_calls(pool, err);
    if (status != BEAM_OK) {
        shut_down(pool);
        if (pool->queue)
            (void)serve(pool); /* to the end of its queue */
        destroy(pool);
        return status;
    }
    *result = pool;
    return BEAM_OK;
}

int beam_pool_port(const beam_pool *pool)
{
    return pool->port;
}

void beam_pool_close(beam_pool *pool)
{
    if (!pool)
        return;
    shut_down(pool);
    (void)pthread_join(pool->thread, NULL);
    destroy(pool);
}
