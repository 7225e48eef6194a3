/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* worker.c - the control stream: instructions in, responses out. */
#include "worker/worker.h"

#include <string.h>

#include "base/alloc.h"
#include "worker/harness.h"

static const char CONTROL[] = "/org.apache.beam.model.fn_execution.v1.BeamFnControl/Control";
enum { TICK = 500 };

/* ---- Responses --------------------------------------------------------------------------- */

beam_status beam_harness_respond(beam_harness *h, const BeamPb__InstructionResponse *response,
                                 beam_error *err)
{
    beam_buffer bytes = {0};
    beam_status status = beam_message_pack(response, &bytes);
    if (status == BEAM_OK) {
        pthread_mutex_lock(&h->sending);
        status = beam_grpc_stream_write(h->control, bytes.data, bytes.len, false, 0, err);
        pthread_mutex_unlock(&h->sending);
    } else {
        status = beam_error_set(err, status, "no memory to answer the engine");
    }
    beam_buffer_free(&bytes);
    return status;
}

/* ---- What is answered at once ------------------------------------------------------------ */

/* The processor of a bundle that runs; it will not end before stop_watching.  NULL: none such. */
static beam_processor *watch(beam_harness *h, const char *instruction)
{
    pthread_mutex_lock(&h->lock);
    beam_processor *p = beam_map_get(&h->running, instruction);
    if (p)
        p->watchers++;
    pthread_mutex_unlock(&h->lock);
    return p;
}

static void stop_watching(beam_harness *h, beam_processor *p)
{
    pthread_mutex_lock(&h->lock);
    p->watchers--;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static beam_status progress(beam_harness *h, const char *instruction, beam_arena *arena,
                            beam_monitoring *m, BeamPb__ProcessBundleProgressResponse *response)
{
    beam_processor *p = watch(h, instruction);
    if (!p)
        return BEAM_OK;
    beam_status status = beam_monitor_bundle(h, p, arena, m);
    response->monitoring_infos = m->infos;
    response->monitoring_data = m->data;
    response->n_monitoring_infos = response->n_monitoring_data = status == BEAM_OK ? m->n : 0;
    stop_watching(h, p);
    return status;
}

static beam_status split(beam_harness *h, const char *id,
                         const BeamPb__ProcessBundleSplitRequest *request, beam_arena *arena,
                         BeamPb__ProcessBundleSplitResponse *response, bool *later)
{
    beam_processor *p = watch(h, request->instruction_id);
    if (!p)
        return BEAM_OK;
    beam_status status = beam_split_running(p, id, request, arena, response, later);
    stop_watching(h, p);
    return status;
}

static void finalize(beam_harness *h, const char *instruction)
{
    pthread_mutex_lock(&h->lock);
    beam_finalizer *newest = beam_map_remove(&h->finalizers, instruction);
    pthread_mutex_unlock(&h->lock);
    beam_finalizers_run(newest, h->logger);
}

/* The kinds of answers, side by side; one of them is sent. */
typedef struct answers {
    BeamPb__RegisterResponse registered;
    BeamPb__ProcessBundleProgressResponse progress;
    BeamPb__ProcessBundleSplitResponse split;
    BeamPb__FinalizeBundleResponse finalized;
    BeamPb__MonitoringInfosMetadataResponse metadata;
    BeamPb__HarnessMonitoringInfosResponse harness;
    BeamPb__SampleDataResponse samples;
    beam_monitoring monitoring;
    bool later; /* another thread sends it */
} answers;

static beam_status fill_answer(beam_harness *h, const BeamPb__InstructionRequest *request,
                               beam_arena *arena, answers *a, BeamPb__InstructionResponse *response)
{
    switch (request->request_case) {
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_PROGRESS:
        beam_pb__process_bundle_progress_response__init(&a->progress);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE_PROGRESS;
        response->process_bundle_progress = &a->progress;
        return progress(h, request->process_bundle_progress->instruction_id, arena, &a->monitoring,
                        &a->progress);
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE_SPLIT:
        beam_pb__process_bundle_split_response__init(&a->split);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE_SPLIT;
        response->process_bundle_split = &a->split;
        return split(h, request->instruction_id, request->process_bundle_split, arena, &a->split,
                     &a->later);
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_FINALIZE_BUNDLE:
        beam_pb__finalize_bundle_response__init(&a->finalized);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_FINALIZE_BUNDLE;
        response->finalize_bundle = &a->finalized;
        finalize(h, request->finalize_bundle->instruction_id);
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_MONITORING_INFOS:
        beam_pb__monitoring_infos_metadata_response__init(&a->metadata);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_MONITORING_INFOS;
        response->monitoring_infos = &a->metadata;
        return beam_metadata_answer(h, request->monitoring_infos, arena, &a->metadata);
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_HARNESS_MONITORING_INFOS:
        beam_pb__harness_monitoring_infos_response__init(&a->harness);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_HARNESS_MONITORING_INFOS;
        response->harness_monitoring_infos = &a->harness;
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_SAMPLE_DATA:
        beam_pb__sample_data_response__init(&a->samples);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_SAMPLE_DATA;
        response->sample_data = &a->samples;
        return BEAM_OK;
    case BEAM_PB__INSTRUCTION_REQUEST__REQUEST_REGISTER: /* bundles ask for what they need */
        beam_pb__register_response__init(&a->registered);
        response->response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_REGISTER;
        response->register_ = &a->registered;
        return BEAM_OK;
    default:
        return BEAM_UNIMPLEMENTED;
    }
}

static beam_status answer(beam_harness *h, const BeamPb__InstructionRequest *request,
                          beam_error *err)
{
    beam_arena arena = {0};
    answers a = {.monitoring = {0}};
    BeamPb__InstructionResponse response = BEAM_PB__INSTRUCTION_RESPONSE__INIT;
    response.instruction_id = request->instruction_id;
    beam_status status = fill_answer(h, request, &arena, &a, &response);
    if (status != BEAM_OK) {
        response.response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE__NOT_SET;
        response.error = (char *)(status == BEAM_UNIMPLEMENTED
                                      ? "libbeam's worker does not know this instruction"
                                      : "the worker has no memory to answer");
    }
    status = a.later && status == BEAM_OK ? BEAM_OK : beam_harness_respond(h, &response, err);
    beam_monitoring_free(&a.monitoring);
    beam_arena_free(&arena);
    return status;
}

/* ---- What takes its time, a thread each -------------------------------------------------- */

typedef struct task {
    beam_harness *harness;
    BeamPb__InstructionRequest *request;
} task;

static void run_bundle(const task *t)
{
    beam_harness *h = t->harness;
    beam_arena arena = {0};
    beam_error err = {0};
    BeamPb__ProcessBundleResponse bundle = BEAM_PB__PROCESS_BUNDLE_RESPONSE__INIT;
    BeamPb__InstructionResponse response = BEAM_PB__INSTRUCTION_RESPONSE__INIT;
    response.instruction_id = t->request->instruction_id;
    beam_status status = beam_processor_run(h, t->request->instruction_id,
                                            t->request->process_bundle, &arena, &bundle, &err);
    if (status == BEAM_OK) {
        response.response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE;
        response.process_bundle = &bundle;
    } else {
        response.error = *err.message ? err.message : "failed, without words";
        BEAM_LOG(h->logger, BEAM_LOG_ERROR, "%s", response.error);
    }
    beam_error lost = {0};
    if (beam_harness_respond(h, &response, &lost) != BEAM_OK)
        BEAM_LOG(h->logger, BEAM_LOG_DEBUG, "%s: %s", response.instruction_id, lost.message);
    beam_arena_free(&arena);
}

static void run_answer(const task *t)
{
    beam_error lost = {0};
    if (answer(t->harness, t->request, &lost) != BEAM_OK)
        BEAM_LOG(t->harness->logger, BEAM_LOG_DEBUG, "%s: %s", t->request->instruction_id,
                 lost.message);
}

static void *task_thread(void *user)
{
    task *t = user;
    beam_harness *h = t->harness;
    beam_fn_log_instruction(t->request->instruction_id);
    if (t->request->request_case == BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE)
        run_bundle(t);
    else
        run_answer(t);
    beam_fn_log_instruction(NULL);
    beam_message_free(t->request);
    beam_free(t);
    pthread_mutex_lock(&h->lock);
    h->tasks--;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* The thread takes the request over. */
static beam_status start_task(beam_harness *h, BeamPb__InstructionRequest *request, beam_error *err)
{
    pthread_t thread;
    pthread_attr_t detached;
    task *t = beam_malloc(sizeof *t);
    if (!t)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for an instruction");
    *t = (task){h, request};
    pthread_mutex_lock(&h->lock);
    h->tasks++;
    pthread_mutex_unlock(&h->lock);
    int number = pthread_attr_init(&detached);
    if (number == 0) {
        (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        number = pthread_create(&thread, &detached, task_thread, t);
        (void)pthread_attr_destroy(&detached);
    }
    if (number == 0)
        return BEAM_OK;
    pthread_mutex_lock(&h->lock);
    h->tasks--;
    pthread_mutex_unlock(&h->lock);
    beam_free(t);
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread for an instruction: %s",
                          strerror(number));
}

/* ---- The loop ---------------------------------------------------------------------------- */

static beam_status on_instruction(beam_harness *h, const beam_buffer *bytes, beam_error *err)
{
    BeamPb__InstructionRequest *request = NULL;
    BEAM_TRY(beam_message_unpack(&beam_pb__instruction_request__descriptor, bytes->data, bytes->len,
                                 &request, err));
    if (request->request_case == BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE ||
        request->request_case == BEAM_PB__INSTRUCTION_REQUEST__REQUEST_FINALIZE_BUNDLE) {
        beam_status status = start_task(h, request, err);
        if (status == BEAM_OK)
            return status;
        BeamPb__InstructionResponse response = BEAM_PB__INSTRUCTION_RESPONSE__INIT;
        beam_error why = *err;
        response.instruction_id = request->instruction_id;
        response.error = why.message;
        status = beam_harness_respond(h, &response, err);
        beam_message_free(request);
        return status;
    }
    beam_status status = answer(h, request, err);
    beam_message_free(request);
    return status;
}

static bool stopped(const beam_harness *h)
{
    return h->options->stop && __atomic_load_n(h->options->stop, __ATOMIC_RELAXED);
}

static beam_status serve(beam_harness *h, beam_error *err)
{
    for (bool open = true; open && !stopped(h);) {
        beam_buffer bytes = {0};
        beam_status status = beam_grpc_stream_read(h->control, TICK, &bytes, &open, err);
        if (status == BEAM_OK && open)
            status = on_instruction(h, &bytes, err);
        beam_buffer_free(&bytes);
        if (status != BEAM_OK && status != BEAM_DEADLINE_EXCEEDED)
            return status;
    }
    return BEAM_OK;
}

/* Bundles that still run are told to stop, and all tasks waited for. */
static void end_tasks(beam_harness *h)
{
    size_t at = 0;
    const beam_map_entry *entry;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    while ((entry = beam_map_next(&h->running, &at)))
        beam_bundle_cancel(((beam_processor *)entry->value)->bundle);
    pthread_mutex_unlock(&h->lock);
    beam_data_break(h); /* or a bundle would wait for data for ever */
    pthread_mutex_lock(&h->lock);
    while (h->tasks)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static beam_status connect_and_serve(beam_harness *h, beam_error *err)
{
    const beam_grpc_options call = {
        .method = CONTROL, .what = "give instructions", .worker_id = h->options->id};
    BEAM_TRY(beam_grpc_channel_open(h->options->control_endpoint, &h->channel, err));
    BEAM_TRY(beam_grpc_stream_open(h->channel, &call, &h->control, err));
    beam_status status = serve(h, err);
    end_tasks(h);
    return status;
}

static void free_harness(beam_harness *h)
{
    size_t at = 0;
    const beam_map_entry *entry;
    while ((entry = beam_map_next(&h->finalizers, &at)))
        beam_finalizers_free(entry->value);
    beam_map_free(&h->finalizers);
    beam_descriptors_free(h);
    beam_data_stop(h);
    beam_state_stop(h);
    beam_map_free(&h->running);
    beam_metadata_free(h);
    beam_grpc_stream_close(h->control);
    beam_grpc_channel_close(h->channel);
    beam_fn_log_close(h->log);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->sending);
    beam_free(h);
}

beam_status beam_worker_run(const beam_worker_options *options, beam_error *err)
{
    beam_harness *h = beam_calloc(1, sizeof *h);
    if (!h || pthread_mutex_init(&h->sending, NULL) != 0 ||
        pthread_mutex_init(&h->lock, NULL) != 0 || pthread_cond_init(&h->changed, NULL) != 0) {
        beam_free(h); /* what was initialised holds no memory */
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a worker");
    }
    h->options = options;
    h->logger = options->logger;
    beam_status status = beam_fn_log_open(h, err);
    if (status == BEAM_OK)
        status = connect_and_serve(h, err);
    free_harness(h);
    return status;
}
