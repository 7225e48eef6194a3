/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A thread takes the calls, and each call has one of its own: what it says is a list of steps, and
 * a step of a call that the client has broken fails, as do all after it. */
#include "submit/job_service.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/proto/artifact.pb-c.h"
#include "model/proto/job_management.pb-c.h"
#include "model/proto/provision.pb-c.h"
#include "net/grpc.h"
#include "net/grpc_library.h"

typedef struct call {
    struct call *next;
    job_service *service;
    grpc_call *call;
    grpc_completion_queue *queue;
    grpc_call_details details;
    grpc_metadata_array metadata;
    pthread_t thread;
} call;

struct job_service {
    grpc_server *server;
    grpc_completion_queue *queue;
    char endpoint[32];
    pthread_t thread;
    call *calls;
    const BeamPb__ArtifactInformation *file;
    const char *bytes;
    size_t size;
    job_kind kind;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_file, cancelled, stopping;
};

/* ---- Steps ------------------------------------------------------------------------------- */

static bool do_ops(const call *c, const grpc_op *ops, size_t n)
{
    if (grpc_call_start_batch(c->call, ops, n, (void *)ops, NULL) != GRPC_CALL_OK)
        return false;
    return grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).success;
}

static bool says(const call *c, const void *message)
{
    beam_buffer bytes = {0};
    assert_int_equal(beam_message_pack(message, &bytes), BEAM_OK);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.len);
    grpc_byte_buffer *payload = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = payload;
    bool said = do_ops(c, &op, 1);
    grpc_byte_buffer_destroy(payload);
    grpc_slice_unref(slice);
    beam_buffer_free(&bytes);
    return said;
}

/* The client's next message, which beam_message_free frees; NULL: there is none. */
static void *hears(const call *c, const ProtobufCMessageDescriptor *type)
{
    grpc_byte_buffer *message = NULL;
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    beam_buffer bytes = {0};
    void *result = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &message;
    if (!do_ops(c, &op, 1) || !message)
        return NULL;
    assert_true(grpc_byte_buffer_reader_init(&reader, message));
    while (grpc_byte_buffer_reader_next(&reader, &slice)) {
        assert_int_equal(
            beam_buffer_append(&bytes, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)),
            BEAM_OK);
        grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(message);
    assert_int_equal(beam_message_unpack(type, bytes.data, bytes.len, &result, NULL), BEAM_OK);
    beam_buffer_free(&bytes);
    return result;
}

static bool is_asked(const call *c, const ProtobufCMessageDescriptor *type)
{
    void *request = hears(c, type);
    beam_message_free(request);
    return request != NULL;
}

/* ---- The job ----------------------------------------------------------------------------- */

static void prepares(const call *c)
{
    BeamPb__PrepareJobResponse response = BEAM_PB__PREPARE_JOB_RESPONSE__INIT;
    BeamPb__ApiServiceDescriptor staging = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    staging.url = c->service->endpoint;
    response.preparation_id = (char *)"prepared";
    response.artifact_staging_endpoint = &staging;
    response.staging_session_token = (char *)"token";
    (void)(is_asked(c, &beam_pb__prepare_job_request__descriptor) && says(c, &response));
}

static void runs(const call *c)
{
    BeamPb__RunJobResponse response = BEAM_PB__RUN_JOB_RESPONSE__INIT;
    response.job_id = (char *)"job";
    (void)(is_asked(c, &beam_pb__run_job_request__descriptor) && says(c, &response));
}

static bool says_state(const call *c, BeamPb__JobState__Enum state)
{
    BeamPb__JobMessagesResponse response = BEAM_PB__JOB_MESSAGES_RESPONSE__INIT;
    BeamPb__JobStateEvent event = BEAM_PB__JOB_STATE_EVENT__INIT;
    event.state = state;
    response.response_case = BEAM_PB__JOB_MESSAGES_RESPONSE__RESPONSE_STATE_RESPONSE;
    response.state_response = &event;
    return says(c, &response);
}

/* Waits for it; false: the service stops. */
static bool is_cancelled(job_service *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->cancelled && !s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    bool cancelled = s->cancelled;
    pthread_mutex_unlock(&s->lock);
    return cancelled;
}

static void tells(const call *c)
{
    BeamPb__JobMessagesResponse response = BEAM_PB__JOB_MESSAGES_RESPONSE__INIT;
    BeamPb__JobMessage message = BEAM_PB__JOB_MESSAGE__INIT;
    message.importance = BEAM_PB__JOB_MESSAGE__MESSAGE_IMPORTANCE__JOB_MESSAGE_BASIC;
    message.message_text = (char *)"it runs";
    response.response_case = BEAM_PB__JOB_MESSAGES_RESPONSE__RESPONSE_MESSAGE_RESPONSE;
    response.message_response = &message;
    bool heard = is_asked(c, &beam_pb__job_messages_request__descriptor) &&
                 says_state(c, BEAM_PB__JOB_STATE__ENUM__RUNNING) && says(c, &response);
    if (heard && c->service->kind == JOB_ENDS)
        (void)says_state(c, BEAM_PB__JOB_STATE__ENUM__DONE);
    else if (heard && c->service->kind == JOB_LASTS && is_cancelled(c->service))
        (void)says_state(c, BEAM_PB__JOB_STATE__ENUM__CANCELLED);
}

static void tells_state(const call *c)
{
    BeamPb__JobStateEvent event = BEAM_PB__JOB_STATE_EVENT__INIT;
    pthread_mutex_lock(&c->service->lock);
    event.state = c->service->kind != JOB_LASTS ? BEAM_PB__JOB_STATE__ENUM__DONE
                  : c->service->cancelled       ? BEAM_PB__JOB_STATE__ENUM__CANCELLED
                                                : BEAM_PB__JOB_STATE__ENUM__RUNNING;
    pthread_mutex_unlock(&c->service->lock);
    (void)(is_asked(c, &beam_pb__get_job_state_request__descriptor) && says(c, &event));
}

static void cancels(const call *c)
{
    BeamPb__CancelJobResponse response = BEAM_PB__CANCEL_JOB_RESPONSE__INIT;
    response.state = BEAM_PB__JOB_STATE__ENUM__CANCELLING;
    if (!is_asked(c, &beam_pb__cancel_job_request__descriptor) || !says(c, &response))
        return;
    pthread_mutex_lock(&c->service->lock);
    c->service->cancelled = true;
    pthread_cond_broadcast(&c->service->changed);
    pthread_mutex_unlock(&c->service->lock);
}

static void tells_metrics(const call *c)
{
    BeamPb__GetJobMetricsResponse response = BEAM_PB__GET_JOB_METRICS_RESPONSE__INIT;
    (void)(is_asked(c, &beam_pb__get_job_metrics_request__descriptor) && says(c, &response));
}

/* ---- Files ------------------------------------------------------------------------------- */

/* True when all of the file has come and is what it should be. */
static bool takes_parts(const call *c)
{
    beam_buffer bytes = {0};
    bool last = false;
    for (BeamPb__ArtifactResponseWrapper *part;
         !last && (part = hears(c, &beam_pb__artifact_response_wrapper__descriptor));) {
        const ProtobufCBinaryData *data = &part->get_artifact_response->data;
        assert_int_equal(beam_buffer_append(&bytes, data->data, data->len), BEAM_OK);
        last = part->is_last;
        beam_message_free(part);
    }
    bool whole = last && bytes.len == c->service->size &&
                 memcmp(bytes.data, c->service->bytes, bytes.len) == 0;
    beam_buffer_free(&bytes);
    return whole;
}

static void takes_file(const call *c)
{
    BeamPb__ArtifactRequestWrapper get = BEAM_PB__ARTIFACT_REQUEST_WRAPPER__INIT,
                                   resolve = BEAM_PB__ARTIFACT_REQUEST_WRAPPER__INIT;
    BeamPb__GetArtifactRequest wanted = BEAM_PB__GET_ARTIFACT_REQUEST__INIT;
    BeamPb__ResolveArtifactsRequest same = BEAM_PB__RESOLVE_ARTIFACTS_REQUEST__INIT;
    BeamPb__ArtifactInformation *file = (BeamPb__ArtifactInformation *)c->service->file;
    get.request_case = BEAM_PB__ARTIFACT_REQUEST_WRAPPER__REQUEST_GET_ARTIFACT;
    get.get_artifact = &wanted;
    wanted.artifact = file;
    resolve.request_case = BEAM_PB__ARTIFACT_REQUEST_WRAPPER__REQUEST_RESOLVE_ARTIFACT;
    resolve.resolve_artifact = &same;
    same.artifacts = &file;
    same.n_artifacts = 1;
    const ProtobufCMessageDescriptor *type = &beam_pb__artifact_response_wrapper__descriptor;
    if (!is_asked(c, type) || !says(c, &resolve) || !is_asked(c, type) || !says(c, &get) ||
        !takes_parts(c))
        return;
    pthread_mutex_lock(&c->service->lock);
    c->service->has_file = true;
    pthread_mutex_unlock(&c->service->lock);
}

static void provisions(const call *c)
{
    BeamPb__GetProvisionInfoResponse response = BEAM_PB__GET_PROVISION_INFO_RESPONSE__INIT;
    BeamPb__ProvisionInfo info = BEAM_PB__PROVISION_INFO__INIT;
    BeamPb__ApiServiceDescriptor service = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    BeamPb__ArtifactInformation *file = (BeamPb__ArtifactInformation *)c->service->file;
    service.url = c->service->endpoint;
    info.control_endpoint = info.artifact_endpoint = &service;
    info.dependencies = &file;
    info.n_dependencies = 1;
    response.info = &info;
    (void)(is_asked(c, &beam_pb__get_provision_info_request__descriptor) && says(c, &response));
}

static void resolves(const call *c)
{
    BeamPb__ResolveArtifactsResponse response = BEAM_PB__RESOLVE_ARTIFACTS_RESPONSE__INIT;
    BeamPb__ArtifactInformation *file = (BeamPb__ArtifactInformation *)c->service->file;
    response.replacements = &file;
    response.n_replacements = 1;
    (void)(is_asked(c, &beam_pb__resolve_artifacts_request__descriptor) && says(c, &response));
}

static void gives_file(const call *c)
{
    const job_service *s = c->service;
    BeamPb__GetArtifactResponse part = BEAM_PB__GET_ARTIFACT_RESPONSE__INIT;
    bool goes_on = is_asked(c, &beam_pb__get_artifact_request__descriptor);
    for (size_t at = 0; goes_on && at < s->size; at += part.data.len) {
        size_t half = s->size / 2 + 1;
        part.data.data = (uint8_t *)s->bytes + at;
        part.data.len = s->size - at < half ? s->size - at : half;
        goes_on = says(c, &part);
    }
}

/* ---- Calls ------------------------------------------------------------------------------- */

static void *serve_call(void *user)
{
    static const struct {
        const char *method;
        void (*serve)(const call *c);
    } methods[] = {{"/Prepare", prepares},
                   {"/Run", runs},
                   {"/GetMessageStream", tells},
                   {"/GetState", tells_state},
                   {"/Cancel", cancels},
                   {"/GetJobMetrics", tells_metrics},
                   {"/ReverseArtifactRetrievalService", takes_file},
                   {"/GetProvisionInfo", provisions},
                   {"/ResolveArtifacts", resolves},
                   {"/GetArtifact", gives_file}};
    call *c = user;
    int cancelled = 0;
    char *name = grpc_slice_to_c_string(c->details.method);
    const grpc_op hello = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    grpc_op end[2] = {{.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};
    end[0].data.send_status_from_server.status = GRPC_STATUS_UNIMPLEMENTED;
    end[1].data.recv_close_on_server.cancelled = &cancelled;
    (void)do_ops(c, &hello, 1);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(strrchr(name, '/'), methods[i].method) == 0) {
            methods[i].serve(c);
            end[0].data.send_status_from_server.status = GRPC_STATUS_OK;
        }
    (void)do_ops(c, end, 2);
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

/* Until the server shuts down: then the call that is waited for fails, and that is all. */
static void *serve(void *user)
{
    job_service *s = user;
    for (;;) {
        call *c = beam_calloc(1, sizeof *c);
        assert_non_null(c);
        c->service = s;
        c->queue = grpc_completion_queue_create_for_next(NULL);
        grpc_call_details_init(&c->details);
        grpc_metadata_array_init(&c->metadata);
        assert_int_equal(grpc_server_request_call(s->server, &c->call, &c->details, &c->metadata,
                                                  c->queue, s->queue, c),
                         GRPC_CALL_OK);
        grpc_event event =
            grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.tag != c || !event.success) {
            bool server_has_ended = event.tag == s;
            event = grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
            assert_true(event.tag == (server_has_ended ? (void *)c : (void *)s));
            free_call(c);
            return NULL;
        }
        assert_int_equal(pthread_create(&c->thread, NULL, serve_call, c), 0);
        c->next = s->calls;
        s->calls = c;
    }
}

/* ---- The service ------------------------------------------------------------------------- */

job_service *job_service_start(const BeamPb__ArtifactInformation *file, const void *bytes,
                               size_t size, job_kind kind)
{
    job_service *s = beam_calloc(1, sizeof *s);
    assert_non_null(s);
    s->file = file;
    s->bytes = bytes;
    s->size = size;
    s->kind = kind;
    assert_int_equal(beam_grpc_begin(NULL), BEAM_OK);
    assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&s->changed, NULL), 0);
    s->server = grpc_server_create(NULL, NULL);
    s->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(s->server, s->queue, NULL);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(s->server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    assert_true(port > 0);
    snprintf(s->endpoint, sizeof s->endpoint, "127.0.0.1:%d", port);
    grpc_server_start(s->server);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

const char *job_service_endpoint(const job_service *s)
{
    return s->endpoint;
}

bool job_service_has_file(job_service *s)
{
    pthread_mutex_lock(&s->lock);
    bool has_file = s->has_file;
    pthread_mutex_unlock(&s->lock);
    return has_file;
}

void job_service_stop(job_service *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    grpc_server_shutdown_and_notify(s->server, s->queue, s);
    grpc_server_cancel_all_calls(s->server);
    pthread_join(s->thread, NULL);
    for (call *c = s->calls, *next; c; c = next) {
        next = c->next;
        pthread_join(c->thread, NULL);
        free_call(c);
    }
    grpc_completion_queue_shutdown(s->queue);
    grpc_completion_queue_destroy(s->queue);
    grpc_server_destroy(s->server);
    beam_grpc_end();
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    beam_free(s);
}
