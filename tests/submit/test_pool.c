/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A worker pool and the client's calls, over a real socket: what gets through, which words come
 * back, and that nothing waits for an answer that does not come. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/files.h"

#include "model/proto/worker_pool.pb-c.h"
#include "submit/boot.h"
#include "submit/pool.h"
#include "submit/rpc.h"

#define SERVICE "/org.apache.beam.model.fn_execution.v1.BeamFnExternalWorkerPool/"

typedef struct seen {
    char started[64], control[64], stopped[64];
    int starts;
} seen;

static beam_status start(void *user, const beam_worker_request *request, beam_error *err)
{
    seen *s = user;
    s->starts++;
    snprintf(s->started, sizeof s->started, "%s", request->id);
    snprintf(s->control, sizeof s->control, "%s", request->control_endpoint);
    if (strcmp(request->id, "odd") == 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "it says \xff");
    return strcmp(request->id, "bad") == 0
               ? beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no room for it")
               : BEAM_OK;
}

static beam_status stop(void *user, const char *id, beam_error *err)
{
    seen *s = user;
    (void)err;
    snprintf(s->stopped, sizeof s->stopped, "%s", id);
    return BEAM_OK;
}

static beam_grpc_channel *to_port(int port)
{
    char endpoint[64];
    beam_grpc_channel *channel;
    beam_error err = {0};
    snprintf(endpoint, sizeof endpoint, "localhost:%d", port);
    assert_ok(beam_grpc_channel_open(endpoint, &channel, &err), err);
    return channel;
}

static beam_status ask_start(beam_grpc_channel *channel, const char *id, char words[128],
                             beam_error *err)
{
    const beam_grpc_options call = {
        .method = SERVICE "StartWorker", .what = "start a worker", .timeout_ms = 20000};
    BeamPb__StartWorkerRequest request = BEAM_PB__START_WORKER_REQUEST__INIT;
    BeamPb__ApiServiceDescriptor control = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    BeamPb__StartWorkerResponse *answer = NULL;
    control.url = (char *)"engine:1";
    request.worker_id = (char *)id;
    request.control_endpoint = &control;
    BEAM_TRY(beam_rpc_call_message(channel, &call, &request,
                                   &beam_pb__start_worker_response__descriptor, &answer, err));
    snprintf(words, 128, "%s", answer->error);
    beam_message_free(answer);
    return BEAM_OK;
}

static void started_and_stopped(void **state)
{
    (void)state;
    seen s = {.starts = 0};
    const beam_pool_callbacks callbacks = {start, stop, &s};
    beam_pool *pool;
    beam_error err = {0};
    char words[128];
    assert_ok(beam_pool_open("localhost:0", &callbacks, &pool, &err), err);
    beam_grpc_channel *channel = to_port(beam_pool_port(pool));
    for (int i = 0; i < 10; i++) { /* more than it waits for at once */
        assert_ok(ask_start(channel, "worker", words, &err), err);
        assert_string_equal(words, "");
    }
    assert_ok(ask_start(channel, "bad", words, &err), err);
    assert_string_equal(words, "no room for it");
    assert_ok(ask_start(channel, "odd", words, &err), err);
    assert_string_equal(words, "it says ?"); /* engines read UTF-8 only */
    const beam_grpc_options call = {
        .method = SERVICE "StopWorker", .what = "stop a worker", .timeout_ms = 20000};
    BeamPb__StopWorkerRequest request = BEAM_PB__STOP_WORKER_REQUEST__INIT;
    BeamPb__StopWorkerResponse *answer = NULL;
    request.worker_id = (char *)"worker";
    assert_ok(beam_rpc_call_message(channel, &call, &request,
                                    &beam_pb__stop_worker_response__descriptor, &answer, &err),
              err);
    beam_message_free(answer);
    beam_grpc_channel_close(channel);
    beam_pool_close(pool);
    assert_int_equal(s.starts, 12);
    assert_string_equal(s.started, "odd");
    assert_string_equal(s.control, "engine:1");
    assert_string_equal(s.stopped, "worker");
}

static void bad_requests(void **state)
{
    (void)state;
    seen s = {.starts = 0};
    const beam_pool_callbacks callbacks = {start, stop, &s};
    beam_pool *pool;
    beam_error err = {0};
    BeamPb__StartWorkerResponse *answer = NULL;
    assert_ok(beam_pool_open("localhost:0", &callbacks, &pool, &err), err);
    beam_grpc_channel *channel = to_port(beam_pool_port(pool));
    beam_grpc_options call = {
        .method = SERVICE "StartWorker", .what = "start a worker", .timeout_ms = 20000};
    assert_ok(beam_rpc_call(channel, &call, "\x0a\xff", 2,
                            &beam_pb__start_worker_response__descriptor, &answer, &err),
              err);
    assert_true(strlen(answer->error) > 0);
    beam_message_free(answer);
    assert_int_equal(s.starts, 0);
    call.method = "/no.such.Service/Method";
    assert_fails(beam_rpc_call(channel, &call, "", 0, &beam_pb__start_worker_response__descriptor,
                               &answer, &err),
                 BEAM_UNIMPLEMENTED, err, "asked to start a worker");
    beam_grpc_channel_close(channel);
    beam_pool_close(pool);
}

static int listener(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void nobody_answers(void **state)
{
    (void)state;
    int port;
    beam_error err = {0};
    BeamPb__StartWorkerResponse *answer = NULL;
    beam_grpc_options call = {
        .method = SERVICE "StartWorker", .what = "start a worker", .timeout_ms = 20000};
    int fd = listener(&port);
    close(fd); /* nobody listens there now: that is known long before the time is over */
    beam_grpc_channel *channel = to_port(port);
    assert_fails(beam_rpc_call(channel, &call, "", 0, &beam_pb__start_worker_response__descriptor,
                               &answer, &err),
                 BEAM_UNAVAILABLE, err, "cannot be reached to start a worker");
    beam_grpc_channel_close(channel);
    fd = listener(&port); /* one who takes connections and says nothing */
    assert_int_equal(listen(fd, 8), 0);
    channel = to_port(port);
    call.timeout_ms = 300;
    assert_fails(beam_rpc_call(channel, &call, "", 0, &beam_pb__start_worker_response__descriptor,
                               &answer, &err),
                 BEAM_DEADLINE_EXCEEDED, err, "did not start a worker in time");
    beam_grpc_channel_close(channel);
    close(fd);
}

static void port_is_taken(void **state)
{
    (void)state;
    int port;
    char address[64];
    const beam_pool_callbacks callbacks = {start, stop, NULL};
    beam_pool *pool;
    beam_error err = {0};
    int fd = listener(&port);
    assert_int_equal(listen(fd, 1), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    assert_fails(beam_pool_open(address, &callbacks, &pool, &err), BEAM_UNAVAILABLE, err,
                 "cannot listen on 127.0.0.1");
    close(fd);
}

static void worker_options(void **state)
{
    (void)state;
    char texts[][48] = {"program",          "--id='w 1'",         "--provision_endpoint=host:1",
                        "--unknown",        "--logging_endpoint", "host:2",
                        "--runner=portable"};
    char *argv[7];
    beam_worker_request request;
    for (size_t i = 0; i < 7; i++)
        argv[i] = texts[i];
    assert_true(beam_worker_request_parse(7, argv, &request));
    assert_string_equal(request.id, "w 1");
    assert_string_equal(request.provision_endpoint, "host:1");
    assert_string_equal(request.logging_endpoint, "host:2");
    assert_string_equal(request.control_endpoint, "");
    assert_false(beam_worker_request_parse(2, argv, &request));
    assert_false(beam_worker_request_parse(1, argv, &request));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(started_and_stopped), cmocka_unit_test(bad_requests),
        cmocka_unit_test(nobody_answers),      cmocka_unit_test(port_is_taken),
        cmocka_unit_test(worker_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
