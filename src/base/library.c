/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* All functions at once, so that none can be missing in the middle of the work. */
static beam_status fill(const beam_library *library, void *handle, beam_error *err)
{
    for (size_t i = 0; i < library->count; i++) {
        void *found = dlsym(handle, library->names[i]);
        if (!found)
            return beam_error_set(err, BEAM_UNAVAILABLE, "%s has no function %s; libbeam needs %s",
                                  library->file, library->names[i], library->what);
        memcpy((char *)library->functions + i * sizeof found, &found, sizeof found);
    }
    return BEAM_OK;
}

static beam_status open_first(beam_library *library, beam_error *err)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return beam_error_set(err, BEAM_UNAVAILABLE,
                              "cannot open %s (%s): %s; install it, or name its folder in "
                              "LD_LIBRARY_PATH",
                              library->file, library->what, dlerror());
    beam_status status = fill(library, handle, err);
    if (status == BEAM_OK)
        __atomic_store_n(&library->opened, true, __ATOMIC_RELEASE);
    else
        (void)dlclose(handle); /* one that is in use stays open: it may have threads */
    return status;
}

beam_status beam_library_open(beam_library *library, beam_error *err)
{
    if (__atomic_load_n(&library->opened, __ATOMIC_ACQUIRE))
        return BEAM_OK;
    (void)pthread_mutex_lock(&mutex);
    beam_status status = library->opened ? BEAM_OK : open_first(library, err);
    (void)pthread_mutex_unlock(&mutex);
    return status;
}
