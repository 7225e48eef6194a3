/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* model_cache.h - one copy of a model a device and process, whatever the number of threads that run
 * it, and no more models at once than fit a device's budget of bytes.
 *
 * Who may want a model joins its entry; who runs it takes a lease, which loads the model if it is
 * not there, and gives that back after each batch.  A model without leases may have to make room
 * for another, the one that was not used for longest first; its entry stays.  With its last user
 * goes all of it.  All functions may be called from any thread.
 *
 * A thread that holds a lease must not ask for another: whoever finds the budget spent waits for
 * leases to come back. */
#ifndef ML_MODEL_CACHE_H
#define ML_MODEL_CACHE_H

#include "ml/model_load.h"

typedef struct beam_model_entry beam_model_entry;

/* Requests with the same key get the same model: what a model is made of, and nothing besides.
 * NULL: no memory; beam_free() it. */
char *beam_model_cache_key(const beam_model_request *request);

/* The entry of a request: that of an earlier request with the same key, or a new one.  Nothing is
 * loaded. */
beam_status beam_model_cache_join(const beam_model_request *request, beam_model_entry **entry,
                                  beam_error *err);
/* Begins to load the model on another thread, if nobody has yet; the first lease waits for it, and
 * says so every ten seconds.  Of no consequence when it cannot. */
void beam_model_cache_prefetch(beam_model_entry *entry, const beam_model_request *request);
/* Gives it up, when no load is under way; NULL is allowed. */
void beam_model_cache_leave(beam_model_entry *entry);

/* A model that stays where it is, and a context to run it with. */
typedef struct beam_model_lease {
    beam_model_entry *entry; /* NULL: none */
    beam_model *model;
    beam_model_context *context; /* who had to leave it to somebody sets this to NULL */
    beam_device *device; /* shared by all models on it, so that its slots are the process's */
    /* What had to be done for it: told to one lease a load. */
    bool loaded;
    int64_t load_milliseconds, weight_bytes;
    bool fell_back;  /* the device that was asked for is "auto", and came to the CPU */
    int64_t evicted; /* models that made room */
} beam_model_lease;

/* `request` is one that the entry was joined with.  While others load the model this waits; a load
 * that fails fails for all who waited, and is tried again by who comes later; but one that was
 * stopped, which is its own request's affair, by the next of them.
 * BEAM_RESOURCE_EXHAUSTED: it alone is larger than request->budget. */
beam_status beam_model_cache_lease(beam_model_entry *entry, const beam_model_request *request,
                                   beam_model_lease *lease, beam_error *err);
/* A zeroed one is allowed. */
void beam_model_cache_return(beam_model_lease *lease);

/* Entries now, and loads since the process began. */
void beam_model_cache_count(size_t *entries, size_t *loads);

#endif
