/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* model_watch.h - looks now and then for newer weights under a pattern of paths, and loads them
 * beside those in use.  One thread a process watches for all that ask for the same.
 *
 * The newest file is that with the latest time of change; of several, the last by name.  One that
 * cannot be loaded is refused, once, and what was current stays.  All functions may be called from
 * any thread. */
#ifndef ML_MODEL_WATCH_H
#define ML_MODEL_WATCH_H

#include "ml/model_cache.h"

typedef struct beam_model_watch beam_model_watch;

/* Weights that are current; counted. */
typedef struct beam_watched {
    char *weights;
    char *model_id;  /* the weights' name; where one name gets other contents, with "@" and when */
    int64_t version; /* when they were changed, milliseconds since 1970 */
    size_t users;
    beam_model_entry *entry; /* keeps the model where it is while these are current */
} beam_watched;

/* Watches for models like the request's, other weights apart.  Looks once before it returns: if
 * nothing matches, the request's own weights go on; if it names none, BEAM_NOT_FOUND. */
beam_status beam_model_watch_open(const char *pattern, int64_t interval_ms,
                                  const beam_model_request *request, beam_model_watch **watch,
                                  beam_error *err);
/* NULL is allowed. */
void beam_model_watch_close(beam_model_watch *watch);

/* What is current, NULL for the request's own; give it back with beam_watched_drop. */
beam_watched *beam_model_watch_current(beam_model_watch *watch);
void beam_watched_drop(beam_model_watch *watch, beam_watched *watched);
/* Swaps and refusals since the last call of anybody. */
void beam_model_watch_count(beam_model_watch *watch, int64_t *swaps, int64_t *refusals);

#endif
