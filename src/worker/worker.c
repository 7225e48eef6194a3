/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* worker.c - the control stream: instructions in, responses out. */
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/alloc.h"
#include "base/utf8.h"
#include "net/wait.h"
#include "worker/harness.h"

static const char CONTROL[] = "/org.apache.beam.model.fn_execution.v1.BeamFnControl/Control";

/* ---- Responses --------------------------------------------------------------------------- */

/* An engine that gets no answer waits for ever: better that it loses the worker. */
static beam_status end_worker(beam_harness *h, beam_status status, const char *why)
{
    pthread_mutex_lock(&h->lock);
    if (h->lost.code == BEAM_OK)
        (void)beam_error_set(&h->lost, status, "%s", why);
    pthread_mutex_unlock(&h->lock);
    beam_grpc_stream_cancel(h->stream);
    return status;
}

static beam_status write_response(beam_harness *h, const beam_buffer *bytes, beam_error *err)
{
    beam_error lost = {0};
    pthread_mutex_lock(&h->sending);
    beam_status status =
        beam_grpc_stream_write(h->stream, bytes->data, bytes->len, false, 0, &lost);
    pthread_mutex_unlock(&h->sending);
    if (status == BEAM_OK)
        return status;
    (void)beam_error_set(err, status, "%s", lost.message);
    return end_worker(h, status, lost.message);
}

beam_status beam_harness_respond(beam_harness *h, const BeamPb__InstructionResponse *response,
                                 beam_error *err)
{
    static const char no_memory[] = "no memory to answer the engine";
    beam_buffer bytes = {0};
    beam_status status = beam_message_pack(response, &bytes);
    if (status == BEAM_OK) {
        pthread_mutex_lock(&h->lock);
        bool due = beam_control_answer(&h->control, response->instruction_id);
        pthread_mutex_unlock(&h->lock);
        status = due ? write_response(h, &bytes, err)
                     : beam_error_set(err, BEAM_INTERNAL, "an answer to what nobody asked");
    } else {
        (void)beam_error_set(err, status, no_memory);
        (void)end_worker(h, status, no_memory);
    }
    beam_buffer_free(&bytes);
    return status;
}

/* ---- Answers ----------------------------------------------------------------------------- */

/* An answer of the request's kind with nothing in it, which is the arena's; NULL: no memory. */
static void *new_answer(BeamPb__InstructionRequest__RequestCase kind, beam_arena *arena,
                        BeamPb__InstructionResponse *response)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &beam_pb__register_response__descriptor,
        &beam_pb__process_bundle_response__descriptor,
        &beam_pb__process_bundle_progress_response__descriptor,
        &beam_pb__process_bundle_split_response__descriptor,
        &beam_pb__finalize_bundle_response__descriptor,
        &beam_pb__monitoring_infos_metadata_response__descriptor,
        &beam_pb__harness_monitoring_infos_response__descriptor,
        &beam_pb__sample_data_response__descriptor};
    size_t at = (size_t)kind - BEAM_PB__INSTRUCTION_REQUEST__REQUEST_REGISTER;
    void *answer = beam_message_new(types[at], arena);
    if (answer) { /* requests and responses have the same numbers, and are all pointers */
        response->response_case = (BeamPb__InstructionResponse__ResponseCase)kind;
        response->register_ = answer;
    }
    return answer;
}

static beam_status tell_progress(beam_harness *h, const beam_processor *runner, beam_arena *arena,
                                 beam_monitoring *m,
                                 BeamPb__ProcessBundleProgressResponse *response)
{
    BEAM_TRY(beam_monitor_bundle(h, runner, arena, m));
    response->monitoring_infos = m->infos;
    response->monitoring_data = m->data;
    response->n_monitoring_infos = response->n_monitoring_data = m->n;
    return BEAM_OK;
}

static beam_status tell_harness(beam_harness *h, beam_arena *arena, beam_monitoring *m,
                                BeamPb__HarnessMonitoringInfosResponse *response)
{
    BEAM_TRY(beam_monitor_harness(h, arena, m));
    response->monitoring_data = m->data;
    response->n_monitoring_data = m->n;
    return BEAM_OK;
}

static void stop_looking(beam_harness *h, beam_control_bundle *bundle)
{
    pthread_mutex_lock(&h->lock);
    beam_control_looked(bundle);
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

/* What the step found out; *later: another thread sends the answer. */
static beam_status fill_answer(beam_harness *h, const BeamPb__InstructionRequest *request,
                               const beam_step *step, beam_arena *arena, beam_monitoring *m,
                               BeamPb__InstructionResponse *response, bool *later)
{
    void *answer = new_answer(request->request_case, arena, response);
    if (!answer)
        return BEAM_RESOURCE_EXHAUSTED;
    switch (step->kind) {
    case BEAM_STEP_PROGRESS:
        return tell_progress(h, step->runner, arena, m, answer);
    case BEAM_STEP_SPLIT:
        return beam_split_running(step->runner, request->instruction_id,
                                  request->process_bundle_split, arena, answer, later);
    case BEAM_STEP_METADATA:
        return beam_metadata_answer(h, request->monitoring_infos, arena, answer);
    case BEAM_STEP_SAMPLES:
        return beam_samples_answer(h, request->sample_data, arena, answer);
    case BEAM_STEP_HARNESS:
        return tell_harness(h, arena, m, answer);
    default:
        return BEAM_OK;
    }
}

static beam_status answer(beam_harness *h, const BeamPb__InstructionRequest *request,
                          const beam_step *step, beam_error *err)
{
    beam_arena arena = {0};
    beam_monitoring m = {0};
    bool later = false;
    BeamPb__InstructionResponse response = BEAM_PB__INSTRUCTION_RESPONSE__INIT;
    beam_status status = BEAM_OK;
    response.instruction_id = request->instruction_id;
    response.error = (char *)(step->error ? step->error : "");
    if (!step->error)
        status = fill_answer(h, request, step, &arena, &m, &response, &later);
    if (step->kind == BEAM_STEP_PROGRESS || step->kind == BEAM_STEP_SPLIT)
        stop_looking(h, step->bundle);
    if (status != BEAM_OK) {
        response.response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE__NOT_SET;
        response.error = (char *)"the worker has no memory to answer";
    }
    status = later && status == BEAM_OK ? BEAM_OK : beam_harness_respond(h, &response, err);
    beam_monitoring_free(&m);
    beam_arena_free(&arena);
    return status;
}

/* ---- What takes its time, on a thread of the pool ---------------------------------------- */

typedef struct task {
    beam_task base;
    beam_harness *harness;
    BeamPb__InstructionRequest *request;
    beam_step step;
} task;

static void run_bundle(const task *t)
{
    beam_harness *h = t->harness;
    beam_arena arena = {0};
    beam_error err = {0};
    BeamPb__ProcessBundleResponse bundle = BEAM_PB__PROCESS_BUNDLE_RESPONSE__INIT;
    BeamPb__InstructionResponse response = BEAM_PB__INSTRUCTION_RESPONSE__INIT;
    response.instruction_id = t->request->instruction_id;
    beam_status status =
        beam_processor_run(h, t->step.bundle, t->request->process_bundle, &arena, &bundle, &err);
    if (status == BEAM_OK) {
        response.response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE;
        response.process_bundle = &bundle;
    } else {
        beam_utf8_mend(err.message);
        response.error = *err.message ? err.message : "failed, without words";
        BEAM_LOG(h->logger, BEAM_LOG_ERROR, "%s", response.error);
    }
    beam_error lost = {0};
    if (beam_harness_respond(h, &response, &lost) != BEAM_OK)
        BEAM_LOG(h->logger, BEAM_LOG_DEBUG, "%s: %s", response.instruction_id, lost.message);
    beam_arena_free(&arena);
}

static void run_finalizers(const task *t)
{
    beam_error lost = {0};
    const beam_step step = {.kind = BEAM_STEP_ANSWER};
    beam_finalizers_run(t->step.finalizers, t->harness->logger);
    if (answer(t->harness, t->request, &step, &lost) != BEAM_OK)
        BEAM_LOG(t->harness->logger, BEAM_LOG_DEBUG, "%s: %s", t->request->instruction_id,
                 lost.message);
}

static void work(beam_task *base)
{
    task *t = (task *)base;
    beam_fn_log_instruction(t->request->instruction_id);
    if (t->step.kind == BEAM_STEP_BUNDLE)
        run_bundle(t);
    else
        run_finalizers(t);
    beam_fn_log_instruction(NULL);
    beam_message_free(t->request);
    beam_free(t);
}

/* The pool takes the request over; where it cannot, nothing has happened. */
static beam_status begin_task(beam_harness *h, BeamPb__InstructionRequest *request,
                              const beam_step *step, beam_error *err)
{
    task *t = beam_malloc(sizeof *t);
    if (!t)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for an instruction");
    *t = (task){{NULL, work}, h, request, *step};
    beam_status status = beam_threads_run(&h->threads, &t->base, err);
    if (status != BEAM_OK)
        beam_free(t);
    return status;
}

/* ---- The loop ---------------------------------------------------------------------------- */

/* Its data come all the same, and are thrown away. */
static void give_up(beam_harness *h, beam_control_bundle *bundle)
{
    beam_inbox *inbox = beam_inbox_open(&h->inboxes, bundle->id);
    if (inbox)
        beam_inbox_close(inbox);
    pthread_mutex_lock(&h->lock);
    beam_control_done(&h->control, bundle, NULL);
    pthread_mutex_unlock(&h->lock);
}

static beam_status on_instruction(beam_harness *h, const beam_buffer *bytes, beam_error *err)
{
    BeamPb__InstructionRequest *request = NULL;
    beam_step step;
    BEAM_TRY(beam_message_unpack(&beam_pb__instruction_request__descriptor, bytes->data, bytes->len,
                                 &request, err));
    pthread_mutex_lock(&h->lock);
    beam_status status = beam_control_receive(&h->control, request, &step);
    pthread_mutex_unlock(&h->lock);
    if (status != BEAM_OK) {
        beam_message_free(request);
        return beam_error_set(err, status, "no memory for an instruction");
    }
    beam_error why = {0};
    if (step.kind == BEAM_STEP_BUNDLE || step.kind == BEAM_STEP_FINALIZE) {
        if (begin_task(h, request, &step, &why) == BEAM_OK)
            return BEAM_OK;
        beam_finalizers_free(step.finalizers);
        if (step.bundle)
            give_up(h, step.bundle);
        step = (beam_step){.kind = BEAM_STEP_ANSWER, .error = why.message};
    }
    status = answer(h, request, &step, err);
    beam_message_free(request);
    return status;
}

/* Why the stream of instructions broke: of a thread that could not write to it, or as it reads. */
static beam_status why_broken(beam_harness *h, beam_status status, beam_error *err)
{
    pthread_mutex_lock(&h->lock);
    if (h->lost.code != BEAM_OK)
        status = beam_error_set(err, h->lost.code, "%s", h->lost.message);
    pthread_mutex_unlock(&h->lock);
    return status;
}

static beam_status serve(beam_harness *h, beam_error *err)
{
    for (bool open = true; open && !beam_wait_stopped(h->options->stop);) {
        beam_buffer bytes = {0};
        beam_status status =
            beam_grpc_stream_read(h->stream, BEAM_WAIT_TICK_MS, &bytes, &open, err);
        if (status == BEAM_OK && open)
            status = on_instruction(h, &bytes, err);
        beam_buffer_free(&bytes);
        if (status != BEAM_OK && (status != BEAM_DEADLINE_EXCEEDED || !open)) {
            beam_grpc_stream_cancel(h->stream); /* bundles wait for nobody to take their answers */
            return why_broken(h, status, err);
        }
    }
    return BEAM_OK;
}

/* Bundles that still run are told to stop, and all tasks waited for. */
static void end_tasks(beam_harness *h)
{
    size_t at = 0;
    const beam_map_entry *entry;
    pthread_mutex_lock(&h->lock);
    beam_control_end(&h->control);
    while ((entry = beam_map_next(&h->control.bundles, &at))) {
        const beam_processor *p = ((beam_control_bundle *)entry->value)->runner;
        if (p)
            beam_bundle_cancel(p->bundle);
    }
    pthread_mutex_unlock(&h->lock);
    beam_data_break(h); /* or a bundle would wait for data, or state, for ever */
    beam_state_break(h);
    beam_fn_status_close(h->status);
    beam_threads_close(&h->threads);
    beam_sampling_end(h);
}

static beam_status connect_and_serve(beam_harness *h, beam_error *err)
{
    const beam_grpc_options call = {.method = CONTROL,
                                    .what = "give instructions",
                                    .worker_id = h->options->id,
                                    .stop = h->options->stop};
    BEAM_TRY(beam_grpc_channel_open(h->options->control_endpoint, &h->channel, err));
    BEAM_TRY(beam_grpc_stream_open(h->channel, &call, &h->stream, err));
    BEAM_TRY(beam_threads_open(&h->threads, err));
    beam_status status = beam_fn_status_open(h, err);
    if (status == BEAM_OK)
        status = beam_sampling_begin(h, err);
    if (status == BEAM_OK)
        status = serve(h, err);
    end_tasks(h);
    return status;
}

static void free_harness(beam_harness *h)
{
    beam_control_free(&h->control);
    beam_descriptors_free(h);
    beam_data_stop(h);
    beam_inboxes_close(&h->inboxes);
    beam_cache_close(&h->cache);
    beam_state_stop(h);
    beam_metadata_free(h);
    beam_grpc_stream_close(h->stream);
    beam_grpc_channel_close(h->channel);
    beam_fn_log_close(h->log);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->sending);
    beam_free(h);
}

void beam_worker_keep_memory(void)
{
#ifdef __GLIBC__
    if (getenv("MALLOC_TRIM_THRESHOLD_"))
        return;
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20); /* where it fails all is as before */
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
#endif
}

/* What was initialised of a harness that cannot be holds no memory. */
static beam_harness *new_harness(const beam_worker_options *options, beam_error *err)
{
    beam_harness *h = beam_calloc(1, sizeof *h);
    if (!h || pthread_mutex_init(&h->sending, NULL) != 0 ||
        pthread_mutex_init(&h->lock, NULL) != 0 || pthread_cond_init(&h->changed, NULL) != 0 ||
        beam_inboxes_open(&h->inboxes, NULL) != BEAM_OK ||
        beam_cache_open(&h->cache, NULL) != BEAM_OK) {
        beam_free(h);
        (void)beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a worker");
        return NULL;
    }
    h->options = options;
    h->logger = options->logger;
    return h;
}

beam_status beam_worker_run(const beam_worker_options *options, beam_error *err)
{
    beam_harness *h = new_harness(options, err);
    if (!h)
        return BEAM_RESOURCE_EXHAUSTED;
    beam_status status = beam_fn_log_open(h, err);
    if (status == BEAM_OK)
        status = connect_and_serve(h, err);
    free_harness(h);
    return status;
}
