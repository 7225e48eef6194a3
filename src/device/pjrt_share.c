/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_share.c - weights that models of a device have alike lie once on each chip: those of a
 * network that is compiled for several lengths, say.  They are known by their bytes, of which the
 * chip's are fetched to be compared where a hash says that they may be the same: a copy on the way
 * in, when a model is loaded, for one that would stay. */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "device/pjrt.h"

struct beam_pjrt_shared {
    struct beam_pjrt_shared *next;
    PJRT_Buffer *buffer;
    size_t chip, bytes, users;
    beam_hlo_value shape;
    uint64_t hash;
};

/* One that cannot be fetched is taken for another: weights are then there twice, as if nobody had
 * looked. */
static bool has_bytes(const PJRT_Api *api, const beam_pjrt_shared *it, const void *data)
{
    PJRT_Event *done = NULL;
    void *there = beam_malloc(it->bytes);
    bool same = there &&
                beam_pjrt_download(api, it->buffer, it->shape.rank, there, it->bytes, &done,
                                   NULL) == BEAM_OK &&
                beam_pjrt_await(api, done, "comparing weights", NULL) == BEAM_OK &&
                memcmp(there, data, it->bytes) == 0;
    beam_free(there);
    return same;
}

static bool may_be(const beam_pjrt_shared *it, const beam_pjrt_shared *like)
{
    return it->hash == like->hash && it->bytes == like->bytes && it->chip == like->chip &&
           it->shape.type == like->shape.type && it->shape.rank == like->shape.rank &&
           memcmp(it->shape.dims, like->shape.dims, like->shape.rank * sizeof *like->shape.dims) ==
               0;
}

static beam_pjrt_shared *find(const beam_pjrt_device *device, const beam_pjrt_shared *like,
                              const void *data)
{
    beam_pjrt_shared *it = device->shared;
    while (it && !(may_be(it, like) && has_bytes(device->client->api, it, data)))
        it = it->next;
    return it;
}

/* The device's list is locked: two models that are loaded at once are to find one another's, and
 * what one finds the other has counted. */
static beam_status join(beam_model *model, const beam_pjrt_shared *like, const void *data,
                        beam_pjrt_shared **shared, beam_error *err)
{
    beam_pjrt_device *state = model->device->state;
    beam_pjrt_shared *own = find(state, like, data);
    if (own) {
        own->users++;
        beam_device_count_known(model, (int64_t)own->bytes);
        *shared = own;
        return BEAM_OK;
    }
    own = beam_malloc(sizeof *own);
    if (!own)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a list of weights");
    *own = *like;
    beam_status status =
        beam_pjrt_replace(state->client, own->chip, data, &own->shape, &own->buffer, err);
    if (status != BEAM_OK) {
        beam_free(own);
        return status;
    }
    beam_device_count_weights(model, (int64_t)own->bytes);
    own->next = state->shared;
    state->shared = *shared = own;
    return BEAM_OK;
}

beam_status beam_pjrt_share_join(beam_model *model, size_t chip, const void *data, size_t bytes,
                                 const beam_hlo_value *shape, beam_pjrt_shared **shared,
                                 beam_error *err)
{
    beam_pjrt_device *state = model->device->state;
    const beam_pjrt_shared like = {.chip = chip,
                                   .bytes = bytes,
                                   .users = 1,
                                   .shape = *shape,
                                   .hash = beam_hash64(data, bytes, 0)};
    (void)pthread_mutex_lock(&state->mutex);
    beam_status status = join(model, &like, data, shared, err);
    (void)pthread_mutex_unlock(&state->mutex);
    return status;
}

PJRT_Buffer *beam_pjrt_share_buffer(const beam_pjrt_shared *shared)
{
    return shared->buffer;
}

void beam_pjrt_share_leave(beam_device *device, beam_pjrt_shared *shared)
{
    beam_pjrt_device *state = device->state;
    if (!shared)
        return;
    (void)pthread_mutex_lock(&state->mutex);
    bool last = --shared->users == 0;
    beam_pjrt_shared **at = &state->shared;
    while (last && *at != shared)
        at = &(*at)->next;
    if (last)
        *at = shared->next;
    else
        beam_device_count_shared(device, (int64_t)shared->bytes);
    (void)pthread_mutex_unlock(&state->mutex);
    if (last) {
        beam_pjrt_buffer_free(state->client->api, shared->buffer);
        beam_free(shared);
    }
}
