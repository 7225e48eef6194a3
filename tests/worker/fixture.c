/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "worker/fixture.h"

static void keep_errors(void *user, const beam_log_record *record)
{
    fixture *f = user;
    if (record->level < BEAM_LOG_ERROR)
        return;
    pthread_mutex_lock(&f->log);
    (void)snprintf(f->logged, sizeof f->logged, "%s", record->message);
    pthread_mutex_unlock(&f->log);
}

fixture *fixture_new(void)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->engine = engine_start();
    f->logger = (beam_logger){.sink = keep_errors, .user = f};
    assert_int_equal(pthread_mutex_init(&f->log, NULL), 0);
    stage_init(&f->stage);
    return f;
}

void fixture_port(fixture *f, const char *id, const char *urn, const beam_type *type,
                  const char *in, const char *out)
{
    stage *s = &f->stage;
    const char *parts[2], *coder;
    STAGE_OK(beam_coder_set_type(&s->coders, type, &parts[0], NULL));
    STAGE_OK(beam_coder_set_add(&s->coders, BEAM_URN_CODER_GLOBAL_WINDOW, NULL, 0, NULL, 0,
                                &parts[1], NULL));
    STAGE_OK(beam_coder_set_add(&s->coders, BEAM_URN_CODER_WINDOWED_VALUE, NULL, 0, parts, 2,
                                &coder, NULL));
    BeamPb__RemoteGrpcPort port = BEAM_PB__REMOTE_GRPC_PORT__INIT;
    BeamPb__ApiServiceDescriptor service = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    service.url = (char *)(f->data_endpoint ? f->data_endpoint : engine_endpoint(f->engine));
    port.api_service_descriptor = &service;
    port.coder_id = (char *)coder;
    stage_transform(s, id, urn, &port, in, out);
}

static void *work(void *user)
{
    fixture *f = user;
    f->status = beam_worker_run(&f->options, &f->err);
    engine_worker_gone(f->engine);
    return NULL;
}

void fixture_start(fixture *f, bool services)
{
    const char *own = services ? engine_endpoint(f->engine) : "";
    engine_describe(f->engine, stage_options(&f->stage).descriptor);
    f->options = (beam_worker_options){
        .id = "worker",
        .control_endpoint = f->control_endpoint ? f->control_endpoint : engine_endpoint(f->engine),
        .logging_endpoint = f->logging_endpoint ? f->logging_endpoint : own,
        .status_endpoint = f->status_endpoint ? f->status_endpoint : own,
        .registry = &f->stage.registry,
        .logger = &f->logger,
        .stop = &f->stop};
    assert_int_equal(pthread_create(&f->worker, NULL, work, f), 0);
}

int fixture_end(void **state)
{
    fixture *f = *state;
    if (!f->joined) { /* by what the test expects, or by this */
        engine_break(f->engine);
        pthread_join(f->worker, NULL);
    }
    engine_stop(f->engine);
    stage_free(&f->stage);
    pthread_mutex_destroy(&f->log);
    free(f);
    return 0;
}

/* ---- What an engine says ----------------------------------------------------------------- */

void ask_bundle(fixture *f, const char *id)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleRequest bundle = BEAM_PB__PROCESS_BUNDLE_REQUEST__INIT;
    bundle.process_bundle_descriptor_id = (char *)"stage";
    request.instruction_id = (char *)id;
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE;
    request.process_bundle = &bundle;
    engine_send(f->engine, ENGINE_CONTROL, &request);
}

void send_piece(fixture *f, const char *id, const void *bytes, size_t size, bool last)
{
    BeamPb__Elements elements = BEAM_PB__ELEMENTS__INIT;
    BeamPb__Elements__Data data = BEAM_PB__ELEMENTS__DATA__INIT, *all = &data;
    data.instruction_id = (char *)id;
    data.transform_id = (char *)"source";
    data.data = (ProtobufCBinaryData){size, (uint8_t *)bytes};
    data.is_last = last;
    elements.data = &all;
    elements.n_data = 1;
    engine_send(f->engine, ENGINE_DATA, &elements);
}

void ask_split(fixture *f, const char *id, double fraction, int64_t total, const int64_t *allowed,
               size_t n_allowed)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleSplitRequest split = BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__INIT;
    BeamPb__ProcessBundleSplitRequest__DesiredSplit wish =
        BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__DESIRED_SPLIT__INIT;
    BeamPb__ProcessBundleSplitRequest__DesiredSplitEntry entry =
        BEAM_PB__PROCESS_BUNDLE_SPLIT_REQUEST__DESIRED_SPLIT_ENTRY__INIT;
    BeamPb__ProcessBundleSplitRequest__DesiredSplitEntry *entries = &entry;
    wish.fraction_of_remainder = fraction;
    wish.estimated_input_elements = total;
    wish.allowed_split_points = (int64_t *)allowed;
    wish.n_allowed_split_points = n_allowed;
    entry.key = (char *)"source";
    entry.value = &wish;
    split.instruction_id = (char *)id;
    split.desired_splits = &entries;
    split.n_desired_splits = 1;
    request.instruction_id = (char *)"split";
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT;
    request.process_bundle_split = &split;
    engine_send(f->engine, ENGINE_CONTROL, &request);
}

/* ---- What it hears ----------------------------------------------------------------------- */

BeamPb__InstructionResponse *take_response(fixture *f, const char *id)
{
    BeamPb__InstructionResponse *response =
        engine_take(f->engine, ENGINE_CONTROL, &beam_pb__instruction_response__descriptor);
    assert_non_null(response);
    assert_string_equal(response->instruction_id, id);
    return response;
}

void expect_done(fixture *f, const char *id)
{
    BeamPb__InstructionResponse *response = take_response(f, id);
    assert_string_equal(response->error, "");
    assert_int_equal(response->response_case,
                     BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE);
    beam_message_free(response);
}

BeamPb__InstructionResponse *take_split(fixture *f)
{
    BeamPb__InstructionResponse *response = take_response(f, "split");
    assert_string_equal(response->error, "");
    assert_int_equal(response->response_case,
                     BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE_SPLIT);
    return response;
}

void take_elements(fixture *f, const char *id, beam_buffer *bytes)
{
    for (bool last = false; !last;) {
        BeamPb__Elements *elements =
            engine_take(f->engine, ENGINE_DATA, &beam_pb__elements__descriptor);
        assert_non_null(elements);
        for (size_t i = 0; i < elements->n_data; i++) {
            const BeamPb__Elements__Data *data = elements->data[i];
            assert_string_equal(data->instruction_id, id);
            assert_string_equal(data->transform_id, "sink");
            STAGE_OK(beam_buffer_append(bytes, data->data.data, data->data.len));
            last = last || data->is_last;
        }
        beam_message_free(elements);
    }
}
