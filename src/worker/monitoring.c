/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* monitoring.c - what bundles counted, as monitoring infos: in full, and by short ids, of which an
 * engine asks once what each stands for. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/urn.h"
#include "worker/harness.h"

typedef struct reporting {
    beam_harness *harness;
    beam_arena *arena;
    beam_monitoring *out;
    beam_status status;
} reporting;

enum { MOST_LABELS = 3, NS_PER_MS = 1000000 };

/* What is counted, and where. */
typedef struct subject {
    const char *urn, *type;
    const char *labels[MOST_LABELS][2];
    size_t n_labels;
} subject;

static BeamPb__MonitoringInfo *make_info(const subject *s, beam_arena *arena)
{
    BeamPb__MonitoringInfo *info = beam_message_new(&beam_pb__monitoring_info__descriptor, arena);
    if (!info || !(info->labels = beam_arena_calloc(arena, s->n_labels, sizeof *info->labels)))
        return NULL;
    info->urn = (char *)s->urn; /* static, as the type is */
    info->type = (char *)s->type;
    for (size_t i = 0; i < s->n_labels; i++) {
        BeamPb__StringEntry *entry = beam_message_new(&beam_pb__string_entry__descriptor, arena);
        if (!entry || !(entry->value = beam_arena_strdup(arena, s->labels[i][1])))
            return NULL;
        entry->key = (char *)s->labels[i][0];
        info->labels[info->n_labels++] = entry;
    }
    return info;
}

/* The subject's number, a new one where it has none; 0 when memory is out. */
static size_t number_of(beam_harness *h, const subject *s)
{
    char *identity = beam_asprintf("%s\n%s\n%s\n%s", s->urn, s->labels[0][1],
                                   s->n_labels > 1 ? s->labels[1][1] : "",
                                   s->n_labels > 2 ? s->labels[2][1] : "");
    if (!identity)
        return 0;
    pthread_mutex_lock(&h->lock);
    size_t number = (size_t)(uintptr_t)beam_map_get(&h->short_ids, identity);
    if (!number) {
        void *metadata = h->metadata;
        int grown =
            beam_grow(&metadata, &h->metadata_capacity, h->n_metadata + 1, sizeof *h->metadata);
        h->metadata = metadata;
        BeamPb__MonitoringInfo *info = grown == 0 ? make_info(s, &h->metadata_arena) : NULL;
        if (info && beam_map_set(&h->short_ids, identity, (void *)(uintptr_t)(h->n_metadata + 1)) ==
                        BEAM_OK) {
            h->metadata[h->n_metadata++] = info;
            number = h->n_metadata;
        }
    }
    pthread_mutex_unlock(&h->lock);
    beam_free(identity);
    return number;
}

static beam_status add(reporting *r, const subject *s, const beam_buffer *payload)
{
    beam_monitoring *out = r->out;
    size_t number = number_of(r->harness, s), capacity = out->capacity;
    BeamPb__MonitoringInfo *info = make_info(s, r->arena);
    BeamPb__BytesEntry *entry = beam_message_new(&beam_pb__bytes_entry__descriptor, r->arena);
    void *infos = out->infos, *data = out->data;
    int grown = beam_grow(&infos, &capacity, out->n + 1, sizeof *out->infos);
    out->infos = infos;
    if (grown == 0)
        grown = beam_grow(&data, &out->capacity, out->n + 1, sizeof *out->data);
    out->data = data;
    if (!number || !info || !entry || grown != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    /* Prism keeps one table of short ids for all workers of a job, so they tell whose they are. */
    entry->key = beam_arena_printf(r->arena, "%zu@%s", number, r->harness->options->id);
    uint8_t *bytes = beam_arena_copy(r->arena, payload->data, payload->len);
    if (!entry->key || !bytes)
        return BEAM_RESOURCE_EXHAUSTED;
    entry->value = info->payload = (ProtobufCBinaryData){payload->len, bytes};
    out->infos[out->n] = info;
    out->data[out->n++] = entry;
    return BEAM_OK;
}

static void add_numbers(reporting *r, const subject *s, const int64_t *numbers, size_t n)
{
    beam_buffer payload = {0};
    for (size_t i = 0; i < n && r->status == BEAM_OK; i++)
        r->status = beam_buffer_varint(&payload, (uint64_t)numbers[i]);
    if (r->status == BEAM_OK)
        r->status = add(r, s, &payload);
    beam_buffer_free(&payload);
}

typedef struct texts {
    beam_buffer bytes;
    uint32_t n;
    beam_status status;
} texts;

static void add_text(void *user, beam_str text)
{
    texts *t = user;
    if (t->status == BEAM_OK)
        t->status = beam_buffer_varint(&t->bytes, text.len);
    if (t->status == BEAM_OK)
        t->status = beam_buffer_append(&t->bytes, text.at, text.len);
    t->n++;
}

/* As an iterable of strings: how many, then each with its length. */
static void add_strings(reporting *r, const subject *s, const beam_string_set *set)
{
    texts t = {.status = BEAM_OK};
    beam_buffer payload = {0};
    beam_string_set_visit(set, add_text, &t);
    if (t.n && r->status == BEAM_OK && (r->status = t.status) == BEAM_OK)
        r->status = beam_buffer_be32(&payload, t.n);
    if (t.n && r->status == BEAM_OK)
        r->status = beam_buffer_append(&payload, t.bytes.data, t.bytes.len);
    if (t.n && r->status == BEAM_OK)
        r->status = add(r, s, &payload);
    beam_buffer_free(&payload);
    beam_buffer_free(&t.bytes);
}

static void on_metric(void *user, const beam_plan_metric *m)
{
    subject s = {
        .labels = {{"PTRANSFORM", m->transform}, {"NAMESPACE", m->function}, {"NAME", m->name}},
        .n_labels = 3};
    const beam_metric_cell *c = &m->cell;
    if (m->kind == BEAM_COUNTER) {
        s.urn = BEAM_URN_METRIC_USER_COUNTER;
        s.type = BEAM_URN_METRICS_SUM_INT64;
        add_numbers(user, &s, &c->sum, 1);
    } else if (m->kind == BEAM_DISTRIBUTION && c->count) {
        s.urn = BEAM_URN_METRIC_USER_DISTRIBUTION;
        s.type = BEAM_URN_METRICS_DISTRIBUTION_INT64;
        add_numbers(user, &s, (const int64_t[]){c->count, c->sum, c->min, c->max}, 4);
    } else if (m->kind == BEAM_GAUGE && c->timestamp) {
        s.urn = BEAM_URN_METRIC_USER_GAUGE;
        s.type = BEAM_URN_METRICS_LATEST_INT64;
        add_numbers(user, &s, (const int64_t[]){c->timestamp, c->sum}, 2);
    } else if (m->kind == BEAM_STRING_SET) {
        s.urn = BEAM_URN_METRIC_USER_SET_STRING;
        s.type = BEAM_URN_METRICS_SET_STRING;
        add_strings(user, &s, c->strings);
    }
}

static void on_count(void *user, const char *pcollection, uint64_t elements)
{
    const subject s = {.urn = BEAM_URN_METRIC_ELEMENT_COUNT,
                       .type = BEAM_URN_METRICS_SUM_INT64,
                       .labels = {{"PCOLLECTION", pcollection}},
                       .n_labels = 1};
    const int64_t n = (int64_t)elements;
    add_numbers(user, &s, &n, 1);
}

static void add_sizes(reporting *r, const char *pcollection, const beam_passing *passing)
{
    const subject s = {.urn = BEAM_URN_METRIC_SAMPLED_BYTES,
                       .type = BEAM_URN_METRICS_DISTRIBUTION_INT64,
                       .labels = {{"PCOLLECTION", pcollection}},
                       .n_labels = 1};
    const beam_metric_cell *c = &passing->sizes;
    const int64_t numbers[] = {
        __atomic_load_n(&c->count, __ATOMIC_RELAXED), __atomic_load_n(&c->sum, __ATOMIC_RELAXED),
        __atomic_load_n(&c->min, __ATOMIC_RELAXED), __atomic_load_n(&c->max, __ATOMIC_RELAXED)};
    if (numbers[0])
        add_numbers(r, &s, numbers, 4);
}

static void add_time(reporting *r, const char *urn, const char *transform, int64_t ns)
{
    const subject s = {.urn = urn,
                       .type = BEAM_URN_METRICS_SUM_INT64,
                       .labels = {{"PTRANSFORM", transform}},
                       .n_labels = 1};
    const int64_t ms = ns / NS_PER_MS;
    if (ms)
        add_numbers(r, &s, &ms, 1);
}

static void add_times(reporting *r, const BeamPb__TransformEntry *transform,
                      const beam_spent *spent)
{
    static const char *const urns[BEAM_PHASES] = {
        BEAM_URN_METRIC_START_MSECS, BEAM_URN_METRIC_PROCESS_MSECS, BEAM_URN_METRIC_FINISH_MSECS};
    const BeamPb__FunctionSpec *spec = transform->value ? transform->value->spec : NULL;
    bool pardo = spec && strcmp(spec->urn, BEAM_URN_PARDO) == 0;
    int64_t total = 0;
    for (int i = 0; i < BEAM_PHASES; i++) {
        int64_t ns = __atomic_load_n(&spent->ns[i], __ATOMIC_RELAXED);
        total += ns;
        if (pardo)
            add_time(r, urns[i], transform->key, ns);
    }
    add_time(r, BEAM_URN_METRIC_TOTAL_MSECS, transform->key, total);
}

beam_status beam_monitor_harness(beam_harness *h, beam_arena *arena, beam_monitoring *monitoring)
{
    reporting r = {h, arena, monitoring, BEAM_OK};
    size_t threads, begun;
    beam_threads_count(&h->threads, &threads, &begun);
    pthread_mutex_lock(&h->cache.lock);
    const int64_t hits = (int64_t)h->cache.hits, misses = (int64_t)h->cache.misses;
    pthread_mutex_unlock(&h->cache.lock);
    pthread_mutex_lock(&h->inboxes.lock);
    const int64_t spilled = (int64_t)h->inboxes.spilled;
    pthread_mutex_unlock(&h->inboxes.lock);
    const struct {
        const char *name;
        int64_t value;
    } all[] = {{"state_cache_hits", hits},
               {"state_cache_misses", misses},
               {"data_spilled_bytes", spilled},
               {"threads_begun", (int64_t)begun}};
    *monitoring = (beam_monitoring){0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const subject s = {.urn = BEAM_URN_METRIC_USER_COUNTER,
                           .type = BEAM_URN_METRICS_SUM_INT64,
                           .labels = {{"NAMESPACE", "libbeam.worker"}, {"NAME", all[i].name}},
                           .n_labels = 2};
        add_numbers(&r, &s, &all[i].value, 1);
    }
    return r.status;
}

beam_status beam_monitor_bundle(beam_harness *h, const beam_processor *p, beam_arena *arena,
                                beam_monitoring *monitoring)
{
    reporting r = {h, arena, monitoring, BEAM_OK};
    *monitoring = (beam_monitoring){0};
    beam_bundle_metrics(p->bundle, on_metric, &r);
    beam_bundle_counts(p->bundle, on_count, &r);
    for (size_t i = 0; i < p->n_entries; i++)
        add_sizes(&r, p->entries[i].port->pcollection, &p->entries[i].passing);
    for (size_t i = 0; i < p->n_exits; i++)
        add_sizes(&r, p->exits[i]->port->pcollection, &p->exits[i]->passing);
    for (size_t i = 0; i < p->descriptor->message->n_transforms; i++)
        add_times(&r, p->descriptor->message->transforms[i], &p->spent[i]);
    if (p->n_entries) {
        beam_plan_progress progress;
        const subject s = {.urn = BEAM_URN_METRIC_READ_INDEX,
                           .type = BEAM_URN_METRICS_SUM_INT64,
                           .labels = {{"PTRANSFORM", p->entries[0].port->transform}},
                           .n_labels = 1};
        beam_bundle_progress(p->bundle, &progress);
        const int64_t index = (int64_t)progress.elements;
        add_numbers(&r, &s, &index, 1);
    }
    return r.status;
}

void beam_monitoring_free(beam_monitoring *monitoring)
{
    beam_free(monitoring->infos);
    beam_free(monitoring->data);
}

beam_status beam_metadata_answer(beam_harness *h,
                                 const BeamPb__MonitoringInfosMetadataRequest *request,
                                 beam_arena *arena,
                                 BeamPb__MonitoringInfosMetadataResponse *response)
{
    size_t n = request->n_monitoring_info_id;
    response->monitoring_info = beam_arena_calloc(arena, n, sizeof *response->monitoring_info);
    if (!response->monitoring_info)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++) {
        size_t number = 0;
        int end = 0;
        if (sscanf(request->monitoring_info_id[i], "%zu@%n", &number, &end) != 1 || !end ||
            strcmp(request->monitoring_info_id[i] + end, h->options->id) != 0)
            continue; /* none of ours */
        BeamPb__MonitoringInfoEntry *entry =
            beam_message_new(&beam_pb__monitoring_info_entry__descriptor, arena);
        if (!entry)
            return BEAM_RESOURCE_EXHAUSTED;
        entry->key = request->monitoring_info_id[i];
        pthread_mutex_lock(&h->lock);
        if (number && number <= h->n_metadata)
            entry->value = h->metadata[number - 1];
        pthread_mutex_unlock(&h->lock);
        if (entry->value)
            response->monitoring_info[response->n_monitoring_info++] = entry;
    }
    return BEAM_OK;
}

void beam_metadata_free(beam_harness *h)
{
    beam_map_free(&h->short_ids);
    beam_free(h->metadata);
    beam_arena_free(&h->metadata_arena);
}
