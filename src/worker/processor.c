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
                                    .timeout_ms = PATIENCE,
                                    .stop = &h->control.ending};
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
    beam_sides_end_bundle(p);
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
    p->tails = (beam_tails){p, &p->elements, &p->readings, false};
    const beam_plan_driver driver = {.self = p,
                                     .bind_sink = beam_edges_bind_sink,
                                     .bind_side = beam_sides_bind,
                                     .side_input = beam_sides_read,
                                     .residual = beam_split_residual,
                                     .refused = beam_split_refuse,
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
    p->spent = beam_arena_calloc(&p->arena, descriptor->message->n_transforms, sizeof *p->spent);
    if (!p->spent) {
        close_processor(p);
        return no_memory(err);
    }
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
    beam_sides_end_bundle(p);
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

static void set_phase(beam_processor *p, int phase)
{
    __atomic_store_n(&p->phase, phase, __ATOMIC_RELAXED);
}

/* Counts begin anew; what is kept as a sample is wanted of each bundle. */
static void begin_looking(beam_processor *p)
{
    memset(p->spent, 0, p->descriptor->message->n_transforms * sizeof *p->spent);
    for (size_t i = 0; i < p->n_entries; i++)
        p->entries[i].passing = (beam_passing){.wanted = 1};
    for (size_t i = 0; i < p->n_exits; i++)
        p->exits[i]->passing = (beam_passing){.wanted = 1};
    p->begun = time(NULL);
    set_phase(p, BEAM_PHASE_START);
}

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

static beam_status feed(beam_processor *p, const beam_chunk *chunk, beam_error *err)
{
    beam_entry *entry = find_entry(p, chunk->transform);
    if (!entry)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the engine sends data for %s, which the bundle does not read",
                              chunk->transform);
    if (entry->done && chunk->bytes.size)
        return beam_error_set(err, BEAM_DATA_LOSS, "the engine sends data for %s after their end",
                              chunk->transform);
    return entry->done ? BEAM_OK : beam_edges_feed(p, entry, chunk, err);
}

static beam_status feed_all(beam_processor *p, const BeamPb__ProcessBundleRequest *request,
                            beam_inbox *inbox, beam_error *err)
{
    for (size_t i = 0; request->elements && i < request->elements->n_data; i++) {
        const BeamPb__Elements__Data *data = request->elements->data[i];
        beam_bytes whole = {data->data.data, data->data.len};
        const beam_chunk chunk = {.transform = data->transform_id,
                                  .bytes = {.all = &whole, .n = 1, .size = whole.len},
                                  .ends = true,
                                  .is_last = data->is_last};
        BEAM_TRY(feed(p, &chunk, err));
    }
    while (!all_done(p)) {
        beam_chunk *chunk;
        set_phase(p, BEAM_PHASE_WAITS);
        BEAM_TRY(beam_inbox_take(inbox, &chunk, err));
        set_phase(p, BEAM_PHASE_PROCESS);
        beam_status status = feed(p, chunk, err);
        beam_chunk_free(chunk);
        BEAM_TRY(status);
    }
    return BEAM_OK;
}

/* Whoever asks for progress, or a split, finds the processor while the bundle runs. */
static void begin_running(beam_harness *h, beam_processor *p, beam_control_bundle *bundle)
{
    beam_split_begin(p);
    begin_looking(p);
    pthread_mutex_lock(&h->lock);
    beam_control_runs(bundle, p);
    pthread_cond_broadcast(&h->changed); /* for who looks at bundles */
    pthread_mutex_unlock(&h->lock);
}

static void end_running(beam_harness *h, beam_processor *p, beam_control_bundle *bundle)
{
    pthread_mutex_lock(&h->lock);
    while (!beam_control_leaves(bundle))
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
    beam_split_refuse(p);
}

/* Its start has forgotten a cancellation that came before. */
static void cancel_if_ending(beam_harness *h, beam_processor *p)
{
    pthread_mutex_lock(&h->lock);
    if (h->control.ending)
        beam_bundle_cancel(p->bundle);
    pthread_mutex_unlock(&h->lock);
}

static beam_status run(beam_processor *p, const BeamPb__ProcessBundleRequest *request,
                       beam_inbox *inbox, beam_error *err)
{
    p->unread = (beam_error){0};
    BEAM_TRY(beam_bundle_start(p->bundle, p->instruction, err));
    cancel_if_ending(p->harness, p);
    set_phase(p, BEAM_PHASE_PROCESS);
    beam_status status = feed_all(p, request, inbox, err);
    if (status == BEAM_OK)
        set_phase(p, BEAM_PHASE_FINISH);
    if (status == BEAM_OK)
        status = beam_bundle_finish(p->bundle, err);
    if (status == BEAM_OK && p->unread.code != BEAM_OK) /* its function did not mind */
        status = beam_error_set(err, p->unread.code, "values that the engine keeps: %s",
                                p->unread.message);
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

static beam_status run_in(beam_harness *h, beam_processor *p, beam_control_bundle *bundle,
                          const BeamPb__ProcessBundleRequest *request, beam_inbox *inbox,
                          beam_arena *arena, BeamPb__ProcessBundleResponse *response,
                          beam_error *err)
{
    p->instruction = bundle->id;
    p->request = request;
    BEAM_TRY(
        beam_edges_begin_bundle(p, inbox, err)); /* may wait: there is nothing to look at yet */
    begin_running(h, p, bundle);
    beam_status status = run(p, request, inbox, err);
    if (status == BEAM_OK)
        status = report(h, p, arena, response, err);
    end_running(h, p, bundle);
    if (status != BEAM_OK) /* who tells of it */
        beam_fn_log_transform(beam_bundle_failure(p->bundle)->transform);
    return status;
}

/* The engine learns that there are finalizers when it can be told to call them. */
static void end_bundle(beam_harness *h, beam_control_bundle *bundle, beam_finalizer *newest,
                       BeamPb__ProcessBundleResponse *response)
{
    response->requires_finalization = newest != NULL;
    pthread_mutex_lock(&h->lock);
    beam_control_done(&h->control, bundle, newest);
    pthread_mutex_unlock(&h->lock);
}

beam_status beam_processor_run(beam_harness *h, beam_control_bundle *bundle,
                               const BeamPb__ProcessBundleRequest *request, beam_arena *arena,
                               BeamPb__ProcessBundleResponse *response, beam_error *err)
{
    beam_processor *p = NULL;
    beam_finalizer *newest = NULL;
    beam_inbox *inbox = beam_inbox_open(&h->inboxes, bundle->id);
    beam_status status = inbox ? BEAM_OK : no_memory(err);
    if (status == BEAM_OK)
        status = take_processor(h, request->process_bundle_descriptor_id, &p, err);
    if (status == BEAM_OK)
        status = run_in(h, p, bundle, request, inbox, arena, response, err);
    if (status == BEAM_OK)
        newest = beam_bundle_take_finalizers(p->bundle);
    if (p)
        give_back(h, p);
    if (inbox)
        beam_inbox_close(inbox);
    end_bundle(h, bundle, newest, response);
    return status;
}
