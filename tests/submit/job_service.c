/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What each call says is a list of steps. */
#include "submit/job_service.h"

#include <string.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/proto/artifact.pb-c.h"
#include "model/proto/job_management.pb-c.h"
#include "model/proto/provision.pb-c.h"
#include "net/grpc_server.h"

struct job_service {
    grpc_test_server server;
    const BeamPb__ArtifactInformation *file;
    const char *bytes;
    size_t size;
    job_kind kind;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_file, cancelled, stopping;
};

typedef grpc_server_call call;

static job_service *service_of(const call *c)
{
    return c->server->user;
}

/* ---- Steps ------------------------------------------------------------------------------- */

static bool says(const call *c, const void *message)
{
    beam_buffer bytes = {0};
    assert_int_equal(beam_message_pack(message, &bytes), BEAM_OK);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.len);
    grpc_byte_buffer *payload = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = payload;
    bool said = grpc_server_do(c, &op, 1);
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
    if (!grpc_server_do(c, &op, 1) || !message)
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
    staging.url = c->server->endpoint;
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
    if (heard && service_of(c)->kind == JOB_ENDS)
        (void)says_state(c, BEAM_PB__JOB_STATE__ENUM__DONE);
    else if (heard && service_of(c)->kind == JOB_LASTS && is_cancelled(service_of(c)))
        (void)says_state(c, BEAM_PB__JOB_STATE__ENUM__CANCELLED);
}

static void tells_state(const call *c)
{
    BeamPb__JobStateEvent event = BEAM_PB__JOB_STATE_EVENT__INIT;
    pthread_mutex_lock(&service_of(c)->lock);
    event.state = service_of(c)->kind != JOB_LASTS ? BEAM_PB__JOB_STATE__ENUM__DONE
                  : service_of(c)->cancelled       ? BEAM_PB__JOB_STATE__ENUM__CANCELLED
                                                   : BEAM_PB__JOB_STATE__ENUM__RUNNING;
    pthread_mutex_unlock(&service_of(c)->lock);
    (void)(is_asked(c, &beam_pb__get_job_state_request__descriptor) && says(c, &event));
}

static void cancels(const call *c)
{
    BeamPb__CancelJobResponse response = BEAM_PB__CANCEL_JOB_RESPONSE__INIT;
    response.state = BEAM_PB__JOB_STATE__ENUM__CANCELLING;
    if (!is_asked(c, &beam_pb__cancel_job_request__descriptor) || !says(c, &response))
        return;
    pthread_mutex_lock(&service_of(c)->lock);
    service_of(c)->cancelled = true;
    pthread_cond_broadcast(&service_of(c)->changed);
    pthread_mutex_unlock(&service_of(c)->lock);
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
    bool whole = last && bytes.len == service_of(c)->size &&
                 memcmp(bytes.data, service_of(c)->bytes, bytes.len) == 0;
    beam_buffer_free(&bytes);
    return whole;
}

static void takes_file(const call *c)
{
    BeamPb__ArtifactRequestWrapper get = BEAM_PB__ARTIFACT_REQUEST_WRAPPER__INIT,
                                   resolve = BEAM_PB__ARTIFACT_REQUEST_WRAPPER__INIT;
    BeamPb__GetArtifactRequest wanted = BEAM_PB__GET_ARTIFACT_REQUEST__INIT;
    BeamPb__ResolveArtifactsRequest same = BEAM_PB__RESOLVE_ARTIFACTS_REQUEST__INIT;
    BeamPb__ArtifactInformation *file = (BeamPb__ArtifactInformation *)service_of(c)->file;
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
    pthread_mutex_lock(&service_of(c)->lock);
    service_of(c)->has_file = true;
    pthread_mutex_unlock(&service_of(c)->lock);
}

static void provisions(const call *c)
{
    BeamPb__GetProvisionInfoResponse response = BEAM_PB__GET_PROVISION_INFO_RESPONSE__INIT;
    BeamPb__ProvisionInfo info = BEAM_PB__PROVISION_INFO__INIT;
    BeamPb__ApiServiceDescriptor service = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    BeamPb__ArtifactInformation *file = (BeamPb__ArtifactInformation *)service_of(c)->file;
    service.url = c->server->endpoint;
    info.control_endpoint = info.artifact_endpoint = &service;
    info.dependencies = &file;
    info.n_dependencies = 1;
    response.info = &info;
    (void)(is_asked(c, &beam_pb__get_provision_info_request__descriptor) && says(c, &response));
}

static void resolves(const call *c)
{
    BeamPb__ResolveArtifactsResponse response = BEAM_PB__RESOLVE_ARTIFACTS_RESPONSE__INIT;
    BeamPb__ArtifactInformation *file = (BeamPb__ArtifactInformation *)service_of(c)->file;
    response.replacements = &file;
    response.n_replacements = 1;
    (void)(is_asked(c, &beam_pb__resolve_artifacts_request__descriptor) && says(c, &response));
}

static void gives_file(const call *c)
{
    const job_service *s = service_of(c);
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

static int answer(const call *c, const char *method)
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
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(strrchr(method, '/'), methods[i].method) == 0) {
            methods[i].serve(c);
            return GRPC_STATUS_OK;
        }
    return GRPC_STATUS_UNIMPLEMENTED;
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
    assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&s->changed, NULL), 0);
    s->server = (grpc_test_server){.answer = answer, .user = s};
    grpc_test_server_start(&s->server);
    return s;
}

const char *job_service_endpoint(const job_service *s)
{
    return s->server.endpoint;
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
    grpc_test_server_stop(&s->server);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    beam_free(s);
}
