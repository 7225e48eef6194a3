/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* staging.c - ReverseArtifactRetrieval: the stream on which an engine asks for files, and we, who
 * opened it, answer. */
#include "submit/staging.h"

#include <string.h>
#include <time.h>

#include "base/file.h"
#include "model/message.h"
#include "model/proto/artifact.pb-c.h"
#include "model/urn.h"
#include "submit/rpc.h"

enum { CHUNK = 1 << 20, TICK = 200, PATIENCE = 120000 };

static const char METHOD[] = "/org.apache.beam.model.job_management.v1.ArtifactStagingService/"
                             "ReverseArtifactRetrievalService";

static beam_status answer(beam_grpc_stream *stream, BeamPb__ArtifactResponseWrapper *wrapper,
                          beam_error *err)
{
    return beam_rpc_stream_write_message(stream, wrapper, PATIENCE, err);
}

/* The one we have by the checksum that the engine's copy of our message holds. */
static const beam_artifact *find(const beam_staging *s, const BeamPb__ArtifactInformation *wanted)
{
    BeamPb__ArtifactFilePayload *file = NULL;
    if (!wanted || strcmp(wanted->type_urn, BEAM_URN_ARTIFACT_FILE) != 0 ||
        beam_message_unpack(&beam_pb__artifact_file_payload__descriptor, wanted->type_payload.data,
                            wanted->type_payload.len, &file, NULL) != BEAM_OK)
        return NULL;
    const beam_artifact *found = beam_artifacts_find(s->artifacts, file->sha256);
    beam_message_free(file);
    return found;
}

static beam_status send_file(const beam_staging *s, beam_grpc_stream *stream,
                             const BeamPb__ArtifactInformation *wanted, beam_error *err)
{
    const beam_artifact *artifact = find(s, wanted);
    if (!artifact) /* nothing else on this disk is the engine's business */
        return beam_error_set(err, BEAM_PERMISSION_DENIED,
                              "the engine asks for a file that does not belong to the job");
    beam_file_view view;
    BEAM_TRY(beam_file_view_open(artifact->path, &view, err));
    BeamPb__ArtifactResponseWrapper wrapper = BEAM_PB__ARTIFACT_RESPONSE_WRAPPER__INIT;
    BeamPb__GetArtifactResponse part = BEAM_PB__GET_ARTIFACT_RESPONSE__INIT;
    wrapper.staging_token = (char *)s->token;
    wrapper.response_case = BEAM_PB__ARTIFACT_RESPONSE_WRAPPER__RESPONSE_GET_ARTIFACT_RESPONSE;
    wrapper.get_artifact_response = &part;
    beam_status status = BEAM_OK;
    for (size_t at = 0; status == BEAM_OK && at < view.size; at += part.data.len) {
        part.data.data = (uint8_t *)view.data + at;
        part.data.len = view.size - at < CHUNK ? view.size - at : CHUNK;
        status = answer(stream, &wrapper, err);
    }
    beam_file_view_close(&view);
    /* An empty part ends the file: some engines leave out what comes with is_last. */
    part.data = (ProtobufCBinaryData){0};
    wrapper.is_last = true;
    return status == BEAM_OK ? answer(stream, &wrapper, err) : status;
}

/* Files are what they are: nothing stands for several others. */
static beam_status resolve(const beam_staging *s, beam_grpc_stream *stream,
                           const BeamPb__ResolveArtifactsRequest *request, beam_error *err)
{
    BeamPb__ArtifactResponseWrapper wrapper = BEAM_PB__ARTIFACT_RESPONSE_WRAPPER__INIT;
    BeamPb__ResolveArtifactsResponse same = BEAM_PB__RESOLVE_ARTIFACTS_RESPONSE__INIT;
    same.replacements = request->artifacts;
    same.n_replacements = request->n_artifacts;
    wrapper.staging_token = (char *)s->token;
    wrapper.is_last = true;
    wrapper.response_case = BEAM_PB__ARTIFACT_RESPONSE_WRAPPER__RESPONSE_RESOLVE_ARTIFACT_RESPONSE;
    wrapper.resolve_artifact_response = &same;
    return answer(stream, &wrapper, err);
}

static beam_status serve(const beam_staging *s, beam_grpc_stream *stream,
                         const BeamPb__ArtifactRequestWrapper *request, beam_error *err)
{
    switch (request->request_case) {
    case BEAM_PB__ARTIFACT_REQUEST_WRAPPER__REQUEST_RESOLVE_ARTIFACT:
        return resolve(s, stream, request->resolve_artifact, err);
    case BEAM_PB__ARTIFACT_REQUEST_WRAPPER__REQUEST_GET_ARTIFACT:
        return send_file(s, stream, request->get_artifact->artifact, err);
    default:
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "the engine asks for files in a way that libbeam does not know");
    }
}

static beam_status wait_for_request(const beam_staging *s, beam_grpc_stream *stream,
                                    beam_buffer *request, bool *open, beam_error *err)
{
    int waited = 0;
    beam_status status;
    while ((status = beam_grpc_stream_read(stream, TICK, request, open, err)) ==
               BEAM_DEADLINE_EXCEEDED &&
           *open) {
        if (s->cancel && __atomic_load_n(s->cancel, __ATOMIC_RELAXED))
            return beam_error_set(err, BEAM_CANCELLED, "cancelled while files were sent");
        if ((waited += TICK) > PATIENCE)
            return beam_error_set(err, BEAM_DEADLINE_EXCEEDED,
                                  "the artifact service at %s neither asked for a file within "
                                  "%d s nor said that it has all",
                                  s->endpoint, PATIENCE / 1000);
    }
    return status;
}

static beam_status answer_all(const beam_staging *s, beam_grpc_stream *stream, beam_error *err)
{
    BeamPb__ArtifactResponseWrapper hello = BEAM_PB__ARTIFACT_RESPONSE_WRAPPER__INIT;
    hello.staging_token = (char *)s->token;
    BEAM_TRY(answer(stream, &hello, err));
    for (bool open = true; open;) {
        beam_buffer bytes = {0};
        BeamPb__ArtifactRequestWrapper *request = NULL;
        beam_status status = wait_for_request(s, stream, &bytes, &open, err);
        if (status == BEAM_OK && open)
            status = beam_message_unpack(&beam_pb__artifact_request_wrapper__descriptor, bytes.data,
                                         bytes.len, &request, err);
        if (status == BEAM_OK && open)
            status = serve(s, stream, request, err);
        beam_message_free(request);
        beam_buffer_free(&bytes);
        BEAM_TRY(status);
    }
    return BEAM_OK;
}

beam_status beam_stage(const beam_staging *staging, beam_error *err)
{
    const beam_grpc_options call = {.method = METHOD, .what = "take the job's files"};
    beam_grpc_channel *channel = NULL;
    beam_grpc_stream *stream = NULL;
    BEAM_TRY(beam_grpc_channel_open(staging->endpoint, &channel, err));
    beam_status status = beam_grpc_stream_open(channel, &call, &stream, err);
    if (status == BEAM_OK)
        status = answer_all(staging, stream, err);
    beam_grpc_stream_close(stream);
    beam_grpc_channel_close(channel);
    return status;
}
