/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_handler.h - handlers around handlers.  Level 0 is the outermost, whose `in` the
 * pipeline's elements are; the last is the base, which packs and unpacks. */
#ifndef ML_INFERENCE_HANDLER_H
#define ML_INFERENCE_HANDLER_H

#include <beam/ml.h>

const beam_model_handler *beam_handler_base(const beam_model_handler *handler);
size_t beam_handler_depth(const beam_model_handler *handler);

/* Whether examples have keys that can choose a model. */
bool beam_handler_has_keys(const beam_model_handler *handler);
/* Whether some example of a handler that has keys can have this one. */
bool beam_handler_can_have_key(const beam_model_handler *handler, beam_str key);
/* The key as text, in the example or in `text`; false: examples have none. */
bool beam_handler_key(const beam_model_handler *handler, const void *example, char text[24],
                      beam_str *key);

/* By element_size and element_length of the outermost handler that has it, keys taken off. */
bool beam_handler_can_weigh(const beam_model_handler *handler);
bool beam_handler_can_measure(const beam_model_handler *handler);
int64_t beam_handler_weight(const beam_model_handler *handler, const void *example);
int64_t beam_handler_length(const beam_model_handler *handler, const void *example);

/* The one that has metrics of its own or overrides RunInference's; NULL: none does. */
const beam_model_handler *beam_handler_counting(const beam_model_handler *handler);

/* Fills levels[1..] from levels[0], the example; what is made lives as long as the pool's. */
beam_status beam_handler_enter(beam_ctx *ctx, const beam_model_handler *handler, beam_pool *pool,
                               const void **levels);
/* The way back: results[i] is room for a result of level i, the last one is filled.  *result is
 * that of level 0, in one of them. */
beam_status beam_handler_leave(beam_ctx *ctx, const beam_model_handler *handler,
                               const void *const *levels, void *const *results,
                               const void **result);

/* Why metrics of its own do not go with RunInference's (inference_metrics.c); NULL: they do. */
const char *beam_inference_check_metrics(const beam_model_handler *handler);
/* Why handlers do not fit into one another; NULL: they do. */
const char *beam_handler_check(const beam_model_handler *handler);
/* What is given with the transform, else by the outermost handler that says it. */
beam_hints beam_handler_hints(const beam_model_handler *handler, const beam_hints *given);

#endif
