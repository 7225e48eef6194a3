/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* model_cache.h - one model a device and process, whatever the number of threads that run it.
 * All functions may be called from any thread. */
#ifndef ML_MODEL_CACHE_H
#define ML_MODEL_CACHE_H

#include "ml/model_load.h"

/* A model with its users counted; the fields may be read by whoever holds it. */
typedef struct beam_cached_model {
    beam_model *model;
    beam_device *device; /* shared by all models on it, so that its leases are the process's */
    int64_t load_milliseconds;
    bool fell_back; /* the device that was asked for is "auto", and came to the CPU */
    struct beam_cached_entry *entry;
} beam_cached_model;

/* The model for a request: that of an earlier request with the same words, or loaded now, while
 * others who want it wait.  *loaded says that this call did it.  A load that fails fails for all
 * who waited, and is tried again by who comes later. */
beam_status beam_model_cache_get(const beam_model_request *request, beam_cached_model *held,
                                 bool *loaded, beam_error *err);
/* Gives it back; the last one frees the model. A zeroed one is allowed. */
void beam_model_cache_release(beam_cached_model *held);

/* Models held now, and loads since the process began. */
void beam_model_cache_count(size_t *models, size_t *loads);

#endif
