/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* processor.c - descriptors, the stages made of them, and one bundle from its data to its
 * response. */
#include <string.h>

#include "base/alloc.h"
#include "worker/harness.h"

static const char GET_DESCRIPTOR[] =
    "/org.apache.beam.model.fn_execution.v1.BeamFnControl/GetProcessBundleDescriptor";
enum { PATIENCE = 120000 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle");
}

/* ---- Descriptors ------------------------------------------------------------------------- */

static beam_status ask_descriptor(beam_harness *h, const char *id,
                                  BeamPb__ProcessBundleDescriptor **message, beam_error *err)
{
    BeamPb__GetProcessBundleDescriptorRequest request =
        BEAM_PB__GET_PROCESS_BUNDLE_DESCRIPTOR_REQUEST__INIT;
    const beam_grpc_options call = {.method = GET_DESCRIPTOR,
                                    .what = "describe a bundle",
                                    .worker_id = h->options->id,
                                    .timeout_ms = PATIENCE};
    beam_buffer bytes = {0}, answer = {0};
    request.process_bundle_descriptor_id = (char *)id;
    beam_status status = beam_message_pack(&request, &bytes);
    status = status == BEAM_OK
                 ? beam_grpc_call(h->channel, &call, bytes.data, bytes.len, &answer, err)
                 : no_memory(err);
    if (status == BEAM_OK)
        status = beam_message_unpack(&beam_pb__process_bundle_descriptor__descriptor, answer.data,
                                     answer.len, message, err);
    beam_buffer_free(&bytes);
    beam_buffer_free(&answer);
    return status;
}

/* Several bundles may ask for the same one at once; the first answer stays. */
static beam_status find_descriptor(beam_harness *h, const char *id, beam_descriptor **descriptor,
                                   beam_error *err)
{
    BeamPb__ProcessBundleDescriptor *message = NULL;
    pthread_mutex_lock(&h->lock);
    *descriptor = beam_map_get(&h->descriptors, id);
    pthread_mutex_unlock(&h->lock);
    if (*descriptor)
        return BEAM_OK;
    BEAM_TRY(ask_descriptor(h, id, &message, err));
    beam_descriptor *made = beam_calloc(1, sizeof *made);
    beam_status status = made ? BEAM_OK : no_memory(err);
    pthread_mutex_lock(&h->lock);
    *descriptor = beam_map_get(&h->descriptors, id);
    if (!*descriptor && made) {
        made->message = message;
        status = beam_map_set(&h->descriptors, id, made);
        if (status == BEAM_OK) {
            *descriptor = made;
            made = NULL;
            message = NULL;
        }
    }
    pthread_mutex_unlock(&h->lock);
    beam_free(made);
    beam_message_free(message);
    return *descriptor ? BEAM_OK : no_memory(err);
}

/* ---- Processors -------------------------------------------------------------------------- */

static void close_processor(beam_processor *p)
{
    beam_bundle_close(p->bundle);
    beam_edges_free(p);
    beam_arena_free(&p->arena);
    pthread_mutex_destroy(&p->cutting);
    beam_free(p);
}

static beam_status open_processor(beam_harness *h, beam_descriptor *descriptor,
                                  beam_processor **processor, beam_error *err)
{
    beam_processor *p = beam_calloc(1, sizeof *p);
    if (!p)
        return no_memory(err);
    if (pthread_mutex_init(&p->cutting, NULL) != 0) {
        beam_free(p);
        return no_memory(err);
    }
    p->harness = h;
    p->descriptor = descriptor;
    const beam_plan_driver driver = {.self = p,
                                     .bind_sink = beam_edges_bind_sink,
                                     .bind_side = beam_edges_bind_side,
                                     .side_input = beam_edges_side_input,
                                     .residual = beam_split_residual,
                                     .logger = h->logger};
    const beam_plan_options options = {
        .descriptor = descriptor->message, .registry = h->options->registry, .driver = &driver};
    beam_status status = beam_bundle_open(&options, &p->bundle, err);
    if (status == BEAM_OK)
        status = beam_edges_open_entries(p, err);
    if (status != BEAM_OK) {
        close_processor(p);
        return status;
    }
    beam_split_open(p);
    *processor = p;
    return BEAM_OK;
}

static beam_status take_processor(beam_harness *h, const char *id, beam_processor **processor,
                                  beam_error *err)
{
    beam_descriptor *descriptor;
    BEAM_TRY(find_descriptor(h, id, &descriptor, err));
    pthread_mutex_lock(&h->lock);
    *processor = descriptor->idle;
    if (*processor)
        descriptor->idle = (*processor)->next;
    pthread_mutex_unlock(&h->lock);
    return *processor ? BEAM_OK : open_processor(h, descriptor, processor, err);
}

/* A processor that failed is of no use any more. */
static void give_back(beam_harness *h, beam_processor *p)
{
    p->instruction = NULL;
    if (beam_bundle_get_state(p->bundle) != BEAM_BUNDLE_READY) {
        close_processor(p);
        return;
    }
    beam_edges_end_bundle(p);
    pthread_mutex_lock(&h->lock);
    p->next = p->descriptor->idle;
    p->descriptor->idle = p;
    pthread_mutex_unlock(&h->lock);
}

void beam_descriptors_free(beam_harness *h)
{
    size_t at = 0;
    const beam_map_entry *entry;
    while ((entry = beam_map_next(&h->descriptors, &at))) {
        beam_descriptor *descriptor = entry->value;
        while (descriptor->idle) {
            beam_processor *p = descriptor->idle;
            descriptor->idle = p->next;
            close_processor(p);
        }
        beam_message_free(descriptor->message);
        beam_free(descriptor);
    }
    beam_map_free(&h->descriptors);
}

/* ---- A bundle ---------------------------------------------------------------------------- */

static beam_entry *find_entry(beam_processor *p, const char *transform)
{
    for (size_t i = 0; i < p->n_entries; i++)
        if (strcmp(p->entries[i].port->transform, transform) == 0)
            return &p->entries[i];
    return NULL;
}

static bool all_done(const beam_processor *p)
{
    for (size_t i = 0; i < p->n_entries; i++)
        if (!p->entries[i].done)
            return false;
    return true;
}

static beam_status feed(beam_processor *p, const char *transform, const void *bytes, size_t size,
                        bool is_last, beam_error *err)
{
    beam_entry *entry = find_entry(p, transform);
    if (!entry)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the engine sends data for %s, which the bundle does not read",
                              transform);
    return beam_edges_feed(p, entry, bytes, size, is_last, err);
}

static beam_status feed_all(beam_processor *p, const BeamPb__ProcessBundleRequest *request,
                            beam_inbox *inbox, beam_error *err)
{
    for (size_t i = 0; request->elements && i < request->elements->n_data; i++) {
        const BeamPb__Elements__Data *data = request->elements->data[i];
        BEAM_TRY(feed(p, data->transform_id, data->data.data, data->data.len, data->is_last, err));
    }
    while (!all_done(p)) {
        beam_chunk *chunk;
        BEAM_TRY(beam_inbox_take(inbox, &chunk, err));
        beam_status status =
            feed(p, chunk->transform, chunk->bytes, chunk->size, chunk->is_last, err);
        beam_chunk_free(chunk);
        BEAM_TRY(status);
    }
    return BEAM_OK;
}

/* Whoever asks for progress, or a split, finds the processor while the bundle runs. */
static beam_status set_running(beam_harness *h, beam_processor *p, beam_error *err)
{
    beam_split_begin(p);
    pthread_mutex_lock(&h->lock);
    beam_status status = beam_map_set(&h->running, p->instruction, p);
    if (h->stopping)
        beam_bundle_cancel(p->bundle);
    pthread_mutex_unlock(&h->lock);
    return status == BEAM_OK ? status : no_memory(err);
}

static void end_running(beam_harness *h, beam_processor *p)
{
    beam_error lost = {0};
    pthread_mutex_lock(&h->lock);
    (void)beam_map_remove(&h->running, p->instruction);
    while (p->watchers)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
    if (beam_split_end(p, &lost) != BEAM_OK)
        BEAM_LOG(h->logger, BEAM_LOG_DEBUG, "%s: %s", p->instruction, lost.message);
}

/* They are called when the engine says that the bundle is committed. */
static beam_status keep_finalizers(beam_harness *h, const beam_processor *p,
                                   BeamPb__ProcessBundleResponse *response, beam_error *err)
{
    beam_finalizer *newest = beam_bundle_take_finalizers(p->bundle);
    if (!newest)
        return BEAM_OK;
    response->requires_finalization = true;
    pthread_mutex_lock(&h->lock);
    beam_status status = beam_map_set(&h->finalizers, p->instruction, newest);
    pthread_mutex_unlock(&h->lock);
    if (status == BEAM_OK)
        return BEAM_OK;
    beam_finalizers_free(newest);
    return no_memory(err);
}

static beam_status run(beam_processor *p, const BeamPb__ProcessBundleRequest *request,
                       beam_inbox *inbox, beam_error *err)
{
    BEAM_TRY(beam_bundle_start(p->bundle, p->instruction, err));
    beam_status status = feed_all(p, request, inbox, err);
    if (status == BEAM_OK)
        status = beam_bundle_finish(p->bundle, err);
    if (status == BEAM_OK)
        status = beam_edges_flush(p, err);
    if (beam_bundle_get_state(p->bundle) == BEAM_BUNDLE_RUNNING)
        beam_bundle_abort(p->bundle);
    return status;
}

static beam_status report(beam_harness *h, const beam_processor *p, beam_arena *arena,
                          BeamPb__ProcessBundleResponse *response, beam_error *err)
{
    beam_monitoring m;
    beam_status status = beam_monitor_bundle(h, p, arena, &m);
    response->monitoring_infos =
        beam_arena_copy(arena, m.infos ? (void *)m.infos : "", m.n * sizeof *m.infos);
    response->monitoring_data =
        beam_arena_copy(arena, m.data ? (void *)m.data : "", m.n * sizeof *m.data);
    if (status == BEAM_OK && response->monitoring_infos && response->monitoring_data)
        response->n_monitoring_infos = response->n_monitoring_data = m.n;
    else
        status = no_memory(err);
    beam_monitoring_free(&m);
    return status;
}

beam_status beam_processor_run(beam_harness *h, const char *instruction,
                               const BeamPb__ProcessBundleRequest *request, beam_arena *arena,
                               BeamPb__ProcessBundleResponse *response, beam_error *err)
{
    beam_processor *p = NULL;
    beam_inbox *inbox = beam_inbox_open(h, instruction);
    if (!inbox)
        return no_memory(err);
    beam_status status = take_processor(h, request->process_bundle_descriptor_id, &p, err);
    if (status == BEAM_OK) {
        p->instruction = instruction;
        status = set_running(h, p, err);
    }
    if (status == BEAM_OK) {
        status = run(p, request, inbox, err);
        if (status == BEAM_OK)
            status = report(h, p, arena, response, err);
        if (status == BEAM_OK)
            status = keep_finalizers(h, p, response, err);
        end_running(h, p);
    }
    if (p)
        give_back(h, p);
    beam_inbox_close(h, inbox);
    return status;
}
