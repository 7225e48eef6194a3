/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* sampling.c - what is found out by looking now and then, so that it costs next to nothing: which
 * transform runs, how large the elements are that enter and leave a stage, and some of them. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "worker/harness.h"

enum { TICK_NS = 10000000, LARGEST = 64 << 10 };

/* ---- Elements ---------------------------------------------------------------------------- */

typedef struct sample {
    struct timespec at;
    uint8_t *bytes;
    size_t size;
} sample;

/* The latest of a PCollection. */
typedef struct samples {
    sample kept[BEAM_SAMPLES];
    size_t next;
} samples;

static void set(int64_t *number, int64_t value)
{
    __atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static void keep(beam_harness *h, const char *pcollection, const void *bytes, size_t size)
{
    uint8_t *copy = beam_malloc(size);
    if (!copy)
        return; /* a sample less */
    memcpy(copy, bytes, size);
    pthread_mutex_lock(&h->lock);
    samples *all = beam_map_get(&h->samples, pcollection);
    if (!all && (all = beam_calloc(1, sizeof *all)) &&
        beam_map_set(&h->samples, pcollection, all) != BEAM_OK) {
        beam_free(all);
        all = NULL;
    }
    if (all) {
        sample *s = &all->kept[all->next++ % BEAM_SAMPLES];
        uint8_t *old = s->bytes;
        (void)clock_gettime(CLOCK_REALTIME, &s->at);
        s->bytes = copy;
        s->size = size;
        copy = old;
    }
    pthread_mutex_unlock(&h->lock);
    beam_free(copy);
}

void beam_passing_sample(beam_harness *h, beam_passing *p, const char *pcollection,
                         const void *bytes, size_t size)
{
    int64_t n = (int64_t)size;
    beam_metric_cell *c = &p->sizes;
    set(&c->min, c->count && c->min < n ? c->min : n);
    set(&c->max, c->count && c->max > n ? c->max : n);
    set(&c->sum, c->sum + n);
    set(&c->count, c->count + 1);
    if (__atomic_exchange_n(&p->wanted, 0, __ATOMIC_RELAXED) && size <= LARGEST)
        keep(h, pcollection, bytes, size);
}

static beam_status tell_sample(const sample *s, beam_arena *arena, BeamPb__SampledElement **told)
{
    *told = beam_message_new(&beam_pb__sampled_element__descriptor, arena);
    BeamPb__Timestamp *at = beam_message_new(&beam_pb__timestamp__descriptor, arena);
    uint8_t *bytes = beam_arena_copy(arena, s->bytes, s->size);
    if (!*told || !at || !bytes)
        return BEAM_RESOURCE_EXHAUSTED;
    at->seconds = s->at.tv_sec;
    at->nanos = (int32_t)s->at.tv_nsec;
    (*told)->sample_timestamp = at;
    (*told)->element = (ProtobufCBinaryData){s->size, bytes};
    return BEAM_OK;
}

static bool asked_for(const BeamPb__SampleDataRequest *request, const char *pcollection)
{
    for (size_t i = 0; i < request->n_pcollection_ids; i++)
        if (strcmp(request->pcollection_ids[i], pcollection) == 0)
            return true;
    return request->n_pcollection_ids == 0;
}

/* With h->lock held. */
static beam_status tell_samples(const beam_map_entry *of, beam_arena *arena,
                                BeamPb__SampleDataResponse__ElementListEntry **told)
{
    const samples *all = of->value;
    BeamPb__SampleDataResponse__ElementList *list =
        beam_message_new(&beam_pb__sample_data_response__element_list__descriptor, arena);
    *told = beam_message_new(&beam_pb__sample_data_response__element_list_entry__descriptor, arena);
    if (!list || !*told || !((*told)->key = beam_arena_strdup(arena, of->key)) ||
        !(list->elements = beam_arena_calloc(arena, BEAM_SAMPLES, sizeof *list->elements)))
        return BEAM_RESOURCE_EXHAUSTED;
    (*told)->value = list;
    for (size_t i = 0; i < BEAM_SAMPLES && all->kept[i].bytes; i++)
        BEAM_TRY(tell_sample(&all->kept[i], arena, &list->elements[list->n_elements++]));
    return BEAM_OK;
}

beam_status beam_samples_answer(beam_harness *h, const BeamPb__SampleDataRequest *request,
                                beam_arena *arena, BeamPb__SampleDataResponse *response)
{
    size_t at = 0;
    const beam_map_entry *entry;
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&h->lock);
    response->element_samples =
        beam_arena_calloc(arena, h->samples.len + 1, sizeof *response->element_samples);
    if (!response->element_samples)
        status = BEAM_RESOURCE_EXHAUSTED;
    while (status == BEAM_OK && (entry = beam_map_next(&h->samples, &at)))
        if (asked_for(request, entry->key))
            status = tell_samples(entry, arena,
                                  &response->element_samples[response->n_element_samples++]);
    pthread_mutex_unlock(&h->lock);
    return status;
}

/* ---- Time -------------------------------------------------------------------------------- */

static void look_at(beam_processor *p, int64_t passed)
{
    const BeamPb__ProcessBundleDescriptor *d = p->descriptor->message;
    int phase = __atomic_load_n(&p->phase, __ATOMIC_RELAXED);
    const char *id = phase == BEAM_PHASE_WAITS ? NULL : beam_bundle_active_id(p->bundle);
    for (size_t i = 0; id && i < d->n_transforms; i++)
        if (strcmp(d->transforms[i]->key, id) == 0)
            set(&p->spent[i].ns[phase], p->spent[i].ns[phase] + passed);
    for (size_t i = 0; i < p->n_entries; i++)
        __atomic_store_n(&p->entries[i].passing.wanted, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < p->n_exits; i++)
        __atomic_store_n(&p->exits[i]->passing.wanted, 1, __ATOMIC_RELAXED);
}

/* With h->lock held: the nanoseconds since `last` go to what runs now. */
static void look_around(beam_harness *h, struct timespec *last)
{
    struct timespec now;
    size_t at = 0;
    const beam_map_entry *entry;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t passed = (now.tv_sec - last->tv_sec) * 1000000000LL + now.tv_nsec - last->tv_nsec;
    while ((entry = beam_map_next(&h->control.bundles, &at))) {
        beam_processor *p = ((const beam_control_bundle *)entry->value)->runner;
        if (p)
            look_at(p, passed);
    }
    *last = now;
}

static void *look(void *user)
{
    beam_harness *h = user;
    struct timespec last;
    pthread_mutex_lock(&h->lock);
    while (!h->control.ending) {
        while (!h->control.ending && h->control.bundles.len == 0)
            pthread_cond_wait(&h->changed, &h->lock);
        (void)clock_gettime(CLOCK_MONOTONIC, &last);
        while (!h->control.ending && h->control.bundles.len) {
            pthread_mutex_unlock(&h->lock);
            (void)nanosleep(&(struct timespec){0, TICK_NS}, NULL);
            pthread_mutex_lock(&h->lock);
            look_around(h, &last);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

beam_status beam_sampling_begin(beam_harness *h, beam_error *err)
{
    h->samples_taken = pthread_create(&h->sampler, NULL, look, h) == 0;
    return h->samples_taken
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no thread to look at bundles");
}

void beam_sampling_end(beam_harness *h)
{
    size_t at = 0;
    const beam_map_entry *entry;
    if (h->samples_taken) {
        pthread_mutex_lock(&h->lock);
        pthread_cond_broadcast(&h->changed);
        pthread_mutex_unlock(&h->lock);
        pthread_join(h->sampler, NULL);
    }
    while ((entry = beam_map_next(&h->samples, &at))) {
        samples *all = entry->value;
        for (size_t i = 0; i < BEAM_SAMPLES; i++)
            beam_free(all->kept[i].bytes);
        beam_free(all);
    }
    beam_map_free(&h->samples);
}
