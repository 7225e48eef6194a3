/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* status.c - what the worker is at, for people: told when the engine asks, over the Fn API's
 * WorkerStatus service. */
#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>

#include "base/alloc.h"
#include "worker/harness.h"

static const char METHOD[] =
    "/org.apache.beam.model.fn_execution.v1.BeamFnWorkerStatus/WorkerStatus";

struct beam_fn_status {
    beam_harness *harness;
    beam_grpc_channel *channel;
    beam_grpc_stream *stream;
    pthread_t thread;
    bool begun;
};

/* ---- The text ---------------------------------------------------------------------------- */

/* With h->lock held. */
static beam_status tell_bundles(beam_harness *h, beam_buffer *text)
{
    size_t at = 0;
    const beam_map_entry *entry;
    BEAM_TRY(beam_buffer_printf(text, "bundles: %zu\n", h->control.bundles.len));
    while ((entry = beam_map_next(&h->control.bundles, &at))) {
        beam_processor *p = ((const beam_control_bundle *)entry->value)->runner;
        if (!p) {
            BEAM_TRY(beam_buffer_printf(text, "  %s\n", entry->key));
            continue;
        }
        beam_plan_progress progress;
        const char *transform = beam_bundle_active_id(p->bundle);
        bool waits = __atomic_load_n(&p->phase, __ATOMIC_RELAXED) == BEAM_PHASE_WAITS;
        beam_bundle_progress(p->bundle, &progress);
        BEAM_TRY(beam_buffer_printf(text, "  %s of %s: %lld s, %" PRIu64 " elements, %s\n",
                                    entry->key, p->descriptor->message->id,
                                    (long long)(time(NULL) - p->begun), progress.elements,
                                    waits       ? "waits for data"
                                    : transform ? transform
                                                : "begins"));
    }
    return BEAM_OK;
}

static beam_status tell_all(beam_harness *h, beam_buffer *text)
{
    size_t threads, begun;
    struct rusage used = {0};
    (void)getrusage(RUSAGE_SELF, &used);
    beam_threads_count(&h->threads, &threads, &begun);
    BEAM_TRY(beam_buffer_printf(text,
                                "libbeam worker %s\nmemory, at most: %ld MB\n"
                                "threads for bundles: %zu, begun so far %zu\n",
                                h->options->id, used.ru_maxrss / 1000, threads, begun));
    pthread_mutex_lock(&h->inboxes.lock);
    beam_status status =
        beam_buffer_printf(text, "data that wait: %zu bytes, put into files so far: %" PRIu64 "\n",
                           h->inboxes.held, h->inboxes.spilled);
    pthread_mutex_unlock(&h->inboxes.lock);
    BEAM_TRY(status);
    pthread_mutex_lock(&h->cache.lock);
    status = beam_buffer_printf(
        text, "side inputs kept: %zu bytes, found %" PRIu64 ", not found %" PRIu64 "\n",
        h->cache.held, h->cache.hits, h->cache.misses);
    pthread_mutex_unlock(&h->cache.lock);
    BEAM_TRY(status);
    pthread_mutex_lock(&h->lock);
    status = tell_bundles(h, text);
    pthread_mutex_unlock(&h->lock);
    return status == BEAM_OK ? beam_buffer_u8(text, '\0') : status;
}

/* ---- The service ------------------------------------------------------------------------- */

static beam_status answer(beam_fn_status *s, const beam_buffer *question)
{
    BeamPb__WorkerStatusRequest *request = NULL;
    BeamPb__WorkerStatusResponse response = BEAM_PB__WORKER_STATUS_RESPONSE__INIT;
    beam_buffer text = {0}, bytes = {0};
    BEAM_TRY(beam_message_unpack(&beam_pb__worker_status_request__descriptor, question->data,
                                 question->len, &request, NULL));
    response.id = request->id;
    if (tell_all(s->harness, &text) == BEAM_OK)
        response.status_info = (char *)text.data;
    else
        response.error = (char *)"the worker has no memory to answer";
    beam_status status = beam_message_pack(&response, &bytes);
    if (status == BEAM_OK)
        status = beam_grpc_stream_write(s->stream, bytes.data, bytes.len, false, 0, NULL);
    beam_buffer_free(&text);
    beam_buffer_free(&bytes);
    beam_message_free(request);
    return status;
}

static void *serve(void *user)
{
    beam_fn_status *s = user;
    beam_status status = BEAM_OK;
    for (bool open = true; open && status == BEAM_OK;) {
        beam_buffer bytes = {0};
        status = beam_grpc_stream_read(s->stream, 0, &bytes, &open, NULL);
        if (status == BEAM_OK && open)
            status = answer(s, &bytes);
        beam_buffer_free(&bytes);
    }
    beam_grpc_stream_cancel(s->stream); /* nobody answers what it would still ask */
    return NULL;
}

void beam_fn_status_close(beam_fn_status *s)
{
    if (!s)
        return;
    if (s->begun) {
        beam_grpc_stream_cancel(s->stream);
        pthread_join(s->thread, NULL);
    }
    beam_grpc_stream_close(s->stream);
    beam_grpc_channel_close(s->channel);
    beam_free(s);
}

static beam_status connect_status(beam_fn_status *s, const beam_worker_options *options,
                                  beam_error *err)
{
    const beam_grpc_options call = {.method = METHOD,
                                    .what = "ask for the worker's status",
                                    .worker_id = options->id,
                                    .stop = options->stop};
    BEAM_TRY(beam_grpc_channel_open(options->status_endpoint, &s->channel, err));
    BEAM_TRY(beam_grpc_stream_open(s->channel, &call, &s->stream, err));
    s->begun = pthread_create(&s->thread, NULL, serve, s) == 0;
    return s->begun ? BEAM_OK
                    : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to tell the status");
}

/* It is for people: an engine that cannot be reached for it is no reason not to work. */
beam_status beam_fn_status_open(beam_harness *h, beam_error *err)
{
    beam_error why = {0};
    if (!h->options->status_endpoint || !*h->options->status_endpoint)
        return BEAM_OK;
    beam_fn_status *s = beam_calloc(1, sizeof *s);
    if (!s)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to tell the status");
    s->harness = h;
    if (connect_status(s, h->options, &why) == BEAM_OK) {
        h->status = s;
        return BEAM_OK;
    }
    BEAM_LOG(h->logger, BEAM_LOG_WARNING, "the worker does not tell its status: %s", why.message);
    beam_fn_status_close(s);
    return BEAM_OK;
}
