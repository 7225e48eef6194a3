/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_share.c - packed weights that models of a device have alike lie there once: those of a
 * network that is compiled for several lengths or batch sizes, say.  They are known by their
 * bytes, since the layout tells no two lengths apart and a model knows of no other. */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "device/onednn.h"

struct beam_onednn_shared {
    struct beam_onednn_shared *next;
    void *data;
    size_t bytes, users;
    uint64_t hash;
};

/* The device's state. */
typedef struct share {
    pthread_mutex_t mutex; /* guards the list */
    beam_onednn_shared *first;
} share;

beam_status beam_onednn_share_open(beam_device *device, beam_error *err)
{
    share *all = beam_calloc(1, sizeof *all);
    if (!all || pthread_mutex_init(&all->mutex, NULL) != 0) {
        beam_free(all);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a device");
    }
    device->state = all;
    return BEAM_OK;
}

void beam_onednn_share_close(beam_device *device)
{
    share *all = device->state;
    (void)pthread_mutex_destroy(&all->mutex);
    beam_free(all);
}

static beam_onednn_shared *find(const share *all, const beam_onednn_shared *like)
{
    beam_onednn_shared *it = all->first;
    while (it && (it->hash != like->hash || it->bytes != like->bytes ||
                  memcmp(it->data, like->data, it->bytes) != 0))
        it = it->next;
    return it;
}

beam_status beam_onednn_share_join(beam_device *device, void *data, size_t bytes,
                                   beam_onednn_shared **shared, beam_error *err)
{
    share *all = device->state;
    beam_onednn_shared *own = beam_calloc(1, sizeof *own);
    if (!own)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a list of weights");
    *own = (beam_onednn_shared){
        .data = data, .bytes = bytes, .users = 1, .hash = beam_hash64(data, bytes, 0)};
    (void)pthread_mutex_lock(&all->mutex);
    beam_onednn_shared *there = find(all, own);
    if (there) {
        there->users++;
        beam_device_count_shared(device, -(int64_t)bytes);
    } else {
        own->next = all->first;
        all->first = own;
    }
    (void)pthread_mutex_unlock(&all->mutex);
    *shared = there ? there : own;
    if (there) {
        beam_free(data);
        beam_free(own);
    }
    return BEAM_OK;
}

void *beam_onednn_share_data(const beam_onednn_shared *shared)
{
    return shared->data;
}

void beam_onednn_share_leave(beam_device *device, beam_onednn_shared *shared)
{
    share *all = device->state;
    beam_onednn_shared **at = &all->first;
    (void)pthread_mutex_lock(&all->mutex);
    bool last = --shared->users == 0;
    if (!last)
        beam_device_count_shared(device, (int64_t)shared->bytes);
    while (last && *at != shared)
        at = &(*at)->next;
    if (last)
        *at = shared->next;
    (void)pthread_mutex_unlock(&all->mutex);
    if (last) {
        beam_free(shared->data);
        beam_free(shared);
    }
}
