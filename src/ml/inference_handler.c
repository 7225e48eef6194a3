/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_handler.c - handlers around handlers: what an example becomes on its way in, and what
 * is made of a result on its way out. */
#include "ml/inference_handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const beam_model_handler *beam_handler_base(const beam_model_handler *handler)
{
    while (handler->inner)
        handler = handler->inner;
    return handler;
}

size_t beam_handler_depth(const beam_model_handler *handler)
{
    size_t depth = 1;
    for (; handler->inner; handler = handler->inner)
        depth++;
    return depth;
}

static bool is_keyed(const beam_model_handler *handler)
{
    return handler->inner && !handler->preprocess && !handler->postprocess;
}

bool beam_handler_key(const beam_model_handler *handler, const void *example, char text[24],
                      beam_str *key)
{
    if (!is_keyed(handler))
        return false;
    const beam_field *field = &handler->in->fields[0];
    const char *at = (const char *)example + field->offset;
    if (field->type->kind == BEAM_KIND_STR) {
        memcpy(key, at, sizeof *key);
        return true;
    }
    beam_int64 number;
    memcpy(&number, at, sizeof number);
    int len = snprintf(text, 24, "%lld", (long long)number);
    *key = (beam_str){text, len > 0 ? (size_t)len : 0};
    return true;
}

bool beam_handler_has_keys(const beam_model_handler *handler)
{
    return is_keyed(handler) && (handler->in->fields[0].type->kind == BEAM_KIND_STR ||
                                 handler->in->fields[0].type->kind == BEAM_KIND_INT64);
}

/* An int64's key is what printing it gives: 07 or x would never be met. */
bool beam_handler_can_have_key(const beam_model_handler *handler, beam_str key)
{
    char text[24], again[24];
    if (handler->in->fields[0].type->kind == BEAM_KIND_STR)
        return true;
    if (key.len >= sizeof text)
        return false;
    (void)snprintf(text, sizeof text, "%.*s", (int)key.len, key.at ? key.at : "");
    (void)snprintf(again, sizeof again, "%lld", strtoll(text, NULL, 10));
    return beam_str_equal(key, beam_str_of(again));
}

/* The first from outside that can tell; what is between may only have taken off a key. */
static const beam_model_handler *teller(const beam_model_handler *handler, bool of_length,
                                        const void **example)
{
    for (; handler; handler = handler->inner) {
        if (of_length ? handler->element_length != NULL : handler->element_size != NULL)
            return handler;
        if (!is_keyed(handler) && !handler->postprocess)
            return NULL;
        if (is_keyed(handler) && *example)
            *example = (const char *)*example + handler->in->fields[1].offset;
    }
    return NULL;
}

bool beam_handler_can_weigh(const beam_model_handler *handler)
{
    const void *none = NULL;
    return teller(handler, false, &none) != NULL;
}

bool beam_handler_can_measure(const beam_model_handler *handler)
{
    const void *none = NULL;
    return teller(handler, true, &none) != NULL;
}

int64_t beam_handler_weight(const beam_model_handler *handler, const void *example)
{
    const beam_model_handler *who = teller(handler, false, &example);
    return who ? who->element_size(example) : 0;
}

int64_t beam_handler_length(const beam_model_handler *handler, const void *example)
{
    const beam_model_handler *who = teller(handler, true, &example);
    return who ? who->element_length(example) : 0;
}

static bool is_counting(const beam_model_handler *handler)
{
    return handler->n_metrics > 0 || handler->override_metrics;
}

const beam_model_handler *beam_handler_counting(const beam_model_handler *handler)
{
    while (handler && !is_counting(handler))
        handler = handler->inner;
    return handler;
}

/* ---- In and out ------------------------------------------------------------------------------ */

beam_status beam_handler_enter(beam_ctx *ctx, const beam_model_handler *handler, beam_pool *pool,
                               const void **levels)
{
    for (size_t i = 0; handler->inner; handler = handler->inner, i++) {
        if (handler->preprocess) {
            void *to = beam_pool_alloc(pool, handler->inner->in->size);
            if (!to)
                return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for an example");
            memset(to, 0, handler->inner->in->size);
            BEAM_TRY(handler->preprocess(ctx, levels[i], to));
            levels[i + 1] = to;
        } else if (handler->postprocess) {
            levels[i + 1] = levels[i];
        } else {
            levels[i + 1] = (const char *)levels[i] + handler->in->fields[1].offset;
        }
    }
    return BEAM_OK;
}

/* A keyed result: the example's key, and what was made of its value. */
static void give_key(const beam_model_handler *handler, const void *example, const void *value,
                     char *out)
{
    const beam_field *in = handler->in->fields, *to = handler->out->fields;
    memcpy(out + to[0].offset, (const char *)example + in[0].offset, in[0].type->size);
    memcpy(out + to[1].offset, value, to[1].type->size);
}

beam_status beam_handler_leave(beam_ctx *ctx, const beam_model_handler *handler,
                               const void *const *levels, void *const *results, const void **result)
{
    if (!handler->inner) {
        *result = results[0];
        return BEAM_OK;
    }
    const void *inner;
    BEAM_TRY(beam_handler_leave(ctx, handler->inner, levels + 1, results + 1, &inner));
    if (handler->preprocess) {
        *result = inner;
        return BEAM_OK;
    }
    *result = results[0];
    if (!handler->postprocess) {
        give_key(handler, levels[0], inner, results[0]);
        return BEAM_OK;
    }
    memset(results[0], 0, handler->out->size);
    return handler->postprocess(ctx, inner, results[0]);
}

/* ---- Construction ---------------------------------------------------------------------------- */

static const char *check_one(const beam_model_handler *handler)
{
    const beam_model_handler *inner = handler->inner;
    const beam_type *in = handler->in, *out = handler->out;
    if (handler->preprocess && !beam_type_equal(out, inner->out))
        return "its results are not those of the handler inside it";
    if (handler->postprocess && !beam_type_equal(in, inner->in))
        return "its examples are not those of the handler inside it";
    if (is_keyed(handler) && (in->kind != BEAM_KIND_KV || out->kind != BEAM_KIND_KV ||
                              !beam_type_equal(in->fields[0].type, out->fields[0].type) ||
                              !beam_type_equal(in->fields[1].type, inner->in) ||
                              !beam_type_equal(out->fields[1].type, inner->out)))
        return "a keyed handler takes KV<K, example> and gives KV<K, result>, of the handler "
               "inside it";
    return NULL;
}

const char *beam_handler_check(const beam_model_handler *handler)
{
    const beam_model_handler *counting = beam_handler_counting(handler);
    if (counting && counting->inner && beam_handler_counting(counting->inner))
        return "two of the handlers around one another have metrics of their own: leave them to "
               "one, whose places all callbacks know";
    for (; handler->inner; handler = handler->inner) {
        const char *why = check_one(handler);
        if (why)
            return why;
    }
    return NULL;
}

beam_hints beam_handler_hints(const beam_model_handler *handler, const beam_hints *given)
{
    beam_hints all = *given;
    for (; handler; handler = handler->inner) {
        const beam_hints *h = &handler->hints;
        all.accelerator = all.accelerator ? all.accelerator : h->accelerator;
        all.min_ram = all.min_ram ? all.min_ram : h->min_ram;
        all.cpu_count = all.cpu_count ? all.cpu_count : h->cpu_count;
        all.max_active_bundles_per_worker = all.max_active_bundles_per_worker
                                                ? all.max_active_bundles_per_worker
                                                : h->max_active_bundles_per_worker;
    }
    return all;
}
