/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/shared_device.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"

typedef struct shared {
    struct shared *next;
    beam_device *device;
    size_t users;
} shared;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static shared *all;

static shared *find_kind(const char *kind)
{
    shared *s = all;
    beam_device_info info;
    for (; s; s = s->next) {
        beam_device_get_info(s->device, &info);
        if (strcmp(info.kind, kind) == 0)
            break;
    }
    return s;
}

/* A new entry for a device, or the one of its kind, which then replaces it.  Holds the mutex. */
static beam_status enter(beam_device **device, bool *first, beam_error *err)
{
    beam_device_info info;
    beam_device_get_info(*device, &info);
    shared *s = find_kind(info.kind);
    *first = !s;
    if (s) {
        beam_device_close(*device);
        *device = s->device;
        s->users++;
        return BEAM_OK;
    }
    s = beam_calloc(1, sizeof *s);
    if (!s)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a device");
    *s = (shared){all, *device, 1};
    all = s;
    return BEAM_OK;
}

beam_status beam_shared_device_open(const char *name, const beam_logger *logger,
                                    beam_log_level level, const char *transform,
                                    beam_device **device, bool *fell_back, beam_error *err)
{
    /* The first pipeline's logger would outlive its pipeline here: the device gets none. */
    const beam_device_options options = {.struct_size = sizeof options};
    beam_device_info info;
    bool first = false;
    BEAM_TRY(beam_device_open(name, &options, device, err));
    beam_device_get_info(*device, &info);
    *fell_back = info.fell_back;
    (void)pthread_mutex_lock(&mutex);
    beam_status status = enter(device, &first, err);
    (void)pthread_mutex_unlock(&mutex);
    if (status != BEAM_OK) {
        beam_device_close(*device);
        *device = NULL;
        return status;
    }
    beam_device_get_info(*device, &info);
    if (first && *fell_back)
        beam_log_write(logger, level, __FILE__, __LINE__, transform,
                       "device %s: no accelerator, falling back to %s", name, info.kind);
    return BEAM_OK;
}

void beam_shared_device_close(beam_device *device)
{
    if (!device)
        return;
    shared *unused = NULL;
    (void)pthread_mutex_lock(&mutex);
    for (shared **at = &all; *at; at = &(*at)->next) {
        if ((*at)->device != device)
            continue;
        if (--(*at)->users == 0) {
            unused = *at;
            *at = unused->next;
        }
        break;
    }
    (void)pthread_mutex_unlock(&mutex);
    if (unused)
        beam_device_close(unused->device);
    beam_free(unused);
}
