/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* split.c - parts of a running bundle go back to the engine: the elements that it has not begun,
 * or, when it has begun them all, what a splittable DoFn has not done of the one at hand.
 *
 * The bundle's thread takes elements a few at a time, under processor.cutting; so what it has not
 * taken can be cut off at once, by the thread that reads instructions.  A splittable DoFn gives
 * away on the bundle's thread, at its next claim; the answer to the engine is then sent from there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fraction.h"
#include "model/urn.h"
#include "type/coder.h"
#include "type/windowed.h"
#include "worker/harness.h"

/* Elements are taken one by one while each takes this long, and more at once when they are quick.
 */
enum { QUICK_NS = 1000000, SLOW_NS = 20000000 };

/* Whether the transform is a splittable DoFn that reads what enters the stage. */
static bool reads_entry(const beam_processor *p, const BeamPb__PTransform *transform)
{
    if (!transform || !transform->spec || strcmp(transform->spec->urn, BEAM_URN_SDF_PROCESS) != 0)
        return false;
    for (size_t i = 0; i < p->n_entries; i++)
        for (size_t k = 0; k < transform->n_inputs; k++)
            if (strcmp(p->entries[i].port->pcollection, transform->inputs[k]->value) == 0)
                return true;
    return false;
}

void beam_split_open(beam_processor *p)
{
    const BeamPb__ProcessBundleDescriptor *d = p->descriptor->message;
    for (size_t i = 0; i < d->n_transforms; i++)
        p->splits_inside = p->splits_inside || reads_entry(p, d->transforms[i]->value);
}

void beam_split_begin(beam_processor *p)
{
    for (size_t i = 0; i < p->n_entries; i++) {
        beam_entry *entry = &p->entries[i];
        entry->taken = 0;
        entry->granted = 0;
        entry->stop = INT64_MAX;
        entry->step = 1;
        entry->taken_at = beam_clock_ns();
    }
}

uint32_t beam_split_take(beam_processor *p, beam_entry *entry, uint32_t most)
{
    int64_t now = beam_clock_ns(), took = now - entry->taken_at;
    if (p->splits_inside || took > SLOW_NS)
        entry->step = 1;
    else if (took < QUICK_NS && entry->step < most)
        entry->step *= 2;
    entry->taken_at = now;
    pthread_mutex_lock(&p->cutting);
    int64_t left = entry->stop - entry->taken;
    uint32_t granted = left < entry->step ? (uint32_t)left : entry->step;
    entry->taken += granted;
    pthread_mutex_unlock(&p->cutting);
    return granted;
}

/* ---- Between elements ------------------------------------------------------------------------ */

/* Where to cut, so that about `fraction` of what was not begun stays; an allowed place nearest to
 * that, when only some are. `total`: none. */
static int64_t choose(const BeamPb__ProcessBundleSplitRequest__DesiredSplit *wish, int64_t taken,
                      int64_t total)
{
    double fraction = wish->fraction_of_remainder;
    if (!(fraction >= 0 && fraction <= 1) || total <= taken)
        return total;
    int64_t least = taken ? taken : 1;
    int64_t at = taken + beam_fraction_of(total - taken, fraction), best = total;
    at = at < least ? least : at;
    if (!wish->n_allowed_split_points)
        return at < total ? at : total;
    for (size_t i = 0; i < wish->n_allowed_split_points; i++) {
        int64_t place = wish->allowed_split_points[i];
        if (place >= least && place < total &&
            (best == total || llabs(place - at) < llabs(best - at)))
            best = place;
    }
    return best;
}

/* Room for n cuts, before the first is made: an engine that is not told of one loses elements. */
static beam_status make_room(size_t n, beam_arena *arena,
                             BeamPb__ProcessBundleSplitResponse *response)
{
    response->channel_splits = beam_arena_calloc(arena, n, sizeof *response->channel_splits);
    for (size_t i = 0; response->channel_splits && i < n; i++) {
        response->channel_splits[i] = beam_message_new(
            &beam_pb__process_bundle_split_response__channel_split__descriptor, arena);
        if (!response->channel_splits[i])
            return BEAM_RESOURCE_EXHAUSTED;
    }
    return response->channel_splits ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

/* The transform's name is borrowed. */
static void add_channel(int64_t stop, const char *transform, int64_t last_kept,
                        BeamPb__ProcessBundleSplitResponse *response)
{
    BeamPb__ProcessBundleSplitResponse__ChannelSplit *cut =
        response->channel_splits[response->n_channel_splits++];
    cut->transform_id = (char *)transform;
    cut->last_primary_element = last_kept;
    cut->first_residual_element = stop;
}

/* ---- Inside an element ----------------------------------------------------------------------- */

static BeamPb__BundleApplication *application(const beam_plan_split *split, const beam_entry *entry,
                                              const void *value, beam_arena *arena, beam_error *err)
{
    beam_buffer bytes = {0};
    BeamPb__BundleApplication *made =
        beam_message_new(&beam_pb__bundle_application__descriptor, arena);
    beam_status status = beam_encode_info(entry->window, split->info, &bytes, err);
    if (status == BEAM_OK)
        status = beam_encode(entry->element, BEAM_NESTED, value, &bytes, err);
    void *kept = status == BEAM_OK ? beam_arena_copy(arena, bytes.data, bytes.len) : NULL;
    if (made && kept) {
        made->transform_id = (char *)split->transform;
        made->input_id = (char *)split->input;
        made->element = (ProtobufCBinaryData){bytes.len, kept};
        made->is_bounded = BEAM_PB__IS_BOUNDED__ENUM__BOUNDED;
    }
    beam_buffer_free(&bytes);
    return kept ? made : NULL;
}

static beam_status fill_roots(const beam_plan_split *split, const beam_entry *entry,
                              beam_arena *arena, BeamPb__ProcessBundleSplitResponse *response,
                              beam_error *err)
{
    BeamPb__DelayedBundleApplication *rest =
        beam_message_new(&beam_pb__delayed_bundle_application__descriptor, arena);
    response->primary_roots = beam_arena_calloc(arena, 1, sizeof *response->primary_roots);
    response->residual_roots = beam_arena_calloc(arena, 1, sizeof *response->residual_roots);
    if (!rest || !response->primary_roots || !response->residual_roots)
        return BEAM_RESOURCE_EXHAUSTED;
    response->primary_roots[0] = application(split, entry, split->primary, arena, err);
    rest->application = application(split, entry, split->residual, arena, err);
    response->residual_roots[0] = rest;
    if (!response->primary_roots[0] || !rest->application)
        return BEAM_RESOURCE_EXHAUSTED;
    response->n_primary_roots = response->n_residual_roots = 1;
    return BEAM_OK;
}

/* The entry that the splittable DoFn reads; NULL: something lies between them. */
static beam_entry *entry_of(beam_processor *p, const char *pcollection)
{
    for (size_t i = 0; i < p->n_entries; i++)
        if (strcmp(p->entries[i].port->pcollection, pcollection) == 0)
            return &p->entries[i];
    return NULL;
}

static beam_status send_answer(beam_harness *h, const char *id,
                               BeamPb__ProcessBundleSplitResponse *split, beam_error *err)
{
    BeamPb__InstructionResponse response = BEAM_PB__INSTRUCTION_RESPONSE__INIT;
    response.instruction_id = (char *)id;
    response.response_case = BEAM_PB__INSTRUCTION_RESPONSE__RESPONSE_PROCESS_BUNDLE_SPLIT;
    response.process_bundle_split = split;
    return beam_harness_respond(h, &response, err);
}

/* A request that could not be met, or none, is answered when the bundle ends, which fails. */
static void keep_asked(beam_processor *p, char *id)
{
    pthread_mutex_lock(&p->cutting);
    if (!p->split_asked) {
        p->split_asked = id;
        id = NULL;
    }
    pthread_mutex_unlock(&p->cutting);
    beam_free(id);
}

/* On the bundle's thread: nobody takes elements meanwhile, and the one at hand is the last taken.
 */
beam_status beam_split_residual(void *self, const beam_plan_split *split, beam_error *err)
{
    beam_processor *p = self;
    beam_arena arena = {0};
    BeamPb__ProcessBundleSplitResponse response = BEAM_PB__PROCESS_BUNDLE_SPLIT_RESPONSE__INIT;
    beam_entry *entry = entry_of(p, split->pcollection);
    pthread_mutex_lock(&p->cutting);
    char *id = p->split_asked;
    p->split_asked = NULL;
    if (entry)
        entry->stop = entry->taken;
    pthread_mutex_unlock(&p->cutting);
    beam_status status = entry && id
                             ? fill_roots(split, entry, &arena, &response, err)
                             : beam_error_set(err, BEAM_INTERNAL, "a split that nobody asked for");
    if (status == BEAM_OK)
        status = make_room(1, &arena, &response);
    if (status == BEAM_OK) {
        add_channel(entry->taken, entry->port->transform, entry->taken - 2, &response);
        status = send_answer(p->harness, id, &response, err);
    }
    if (status == BEAM_OK)
        beam_free(id);
    else
        keep_asked(p, id);
    beam_arena_free(&arena);
    return status;
}

/* ---- The request ----------------------------------------------------------------------------- */

/* With p->cutting held.  Inside an element, only where nothing else was cut, since that is told in
 * another answer. */
static beam_status cut(beam_processor *p, const char *id,
                       const BeamPb__ProcessBundleSplitRequest__DesiredSplitEntry *wish,
                       BeamPb__ProcessBundleSplitResponse *response, bool *later)
{
    for (size_t i = 0; wish->value && i < p->n_entries; i++) {
        beam_entry *entry = &p->entries[i];
        if (strcmp(entry->port->transform, wish->key) != 0)
            continue;
        int64_t total = wish->value->estimated_input_elements;
        total = total < entry->stop ? total : entry->stop;
        int64_t at = choose(wish->value, entry->taken, total);
        if (at < total) {
            entry->stop = at;
            add_channel(at, wish->key, at - 1, response);
            return BEAM_OK;
        }
        if (!p->splits_inside || !entry->taken || p->split_asked || response->n_channel_splits ||
            !beam_bundle_split(p->bundle, wish->value->fraction_of_remainder))
            continue;
        *later = true;
        p->split_asked = beam_strdup(id);
        return p->split_asked ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    }
    return BEAM_OK;
}

beam_status beam_split_running(beam_processor *p, const char *id,
                               const BeamPb__ProcessBundleSplitRequest *request, beam_arena *arena,
                               BeamPb__ProcessBundleSplitResponse *response, bool *later)
{
    beam_status status = make_room(request->n_desired_splits, arena, response);
    pthread_mutex_lock(&p->cutting);
    for (size_t i = 0; i < request->n_desired_splits && !*later && status == BEAM_OK; i++)
        status = cut(p, id, request->desired_splits[i], response, later);
    pthread_mutex_unlock(&p->cutting);
    return status;
}

void beam_split_refuse(void *self)
{
    beam_processor *p = self;
    beam_error lost = {0};
    BeamPb__ProcessBundleSplitResponse none = BEAM_PB__PROCESS_BUNDLE_SPLIT_RESPONSE__INIT;
    pthread_mutex_lock(&p->cutting);
    char *id = p->split_asked;
    p->split_asked = NULL;
    pthread_mutex_unlock(&p->cutting);
    if (id && send_answer(p->harness, id, &none, &lost) != BEAM_OK)
        BEAM_LOG(p->harness->logger, BEAM_LOG_DEBUG, "%s: %s", p->instruction, lost.message);
    beam_free(id);
}
