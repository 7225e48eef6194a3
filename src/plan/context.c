/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* context.c - what callbacks may call: memory, words, infos, and emitting with another info. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/string_set.h"
#include "plan/node.h"
#include "plan/windows.h"

/* ---- Memory --------------------------------------------------------------------------- */

/* Callbacks come and go without a word, so that emitting stays cheap; that a new one runs is
 * seen here, by the number of elements the node has received. */
void *beam_alloc(beam_ctx *ctx, size_t size)
{
    beam_node *node = beam_node_of(ctx);
    uint64_t number = beam_node_element_number(node);
    if (number != node->scratch_of) {
        node->scratch_of = number;
        beam_arena_reset(&node->scratch);
    }
    return beam_arena_alloc(&node->scratch, size);
}

void *beam_bundle_alloc(beam_ctx *ctx, size_t size)
{
    return beam_arena_alloc(&beam_node_of(ctx)->plan->bundle_arena, size);
}

char *beam_cstr(beam_ctx *ctx, beam_str text)
{
    char *copy = text.len < SIZE_MAX ? beam_alloc(ctx, text.len + 1) : NULL;
    if (copy) {
        if (text.len)
            memcpy(copy, text.at, text.len);
        copy[text.len] = '\0';
    }
    return copy;
}

beam_str beam_format(beam_ctx *ctx, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : beam_alloc(ctx, (size_t)len + 1);
    if (!text)
        return (beam_str){NULL, 0};
    if ((size_t)len < sizeof small) {
        memcpy(text, small, (size_t)len + 1);
    } else {
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    return (beam_str){text, (size_t)len};
}

/* ---- Words ---------------------------------------------------------------------------- */

beam_status beam_fail(beam_ctx *ctx, beam_status code, const char *format, ...)
{
    beam_node *node = beam_node_of(ctx);
    node->error.code = code == BEAM_OK ? BEAM_UNKNOWN : code;
    va_list args;
    va_start(args, format);
    vsnprintf(node->error.message, sizeof node->error.message, format, args);
    va_end(args);
    return node->error.code;
}

beam_error *beam_ctx_error(beam_ctx *ctx)
{
    return &beam_node_of(ctx)->error;
}

const beam_logger *beam_ctx_logger(beam_ctx *ctx)
{
    return beam_node_of(ctx)->plan->driver.logger;
}

const beam_type *beam_ctx_in_type(const beam_ctx *ctx)
{
    return beam_node_of(ctx)->fn_in;
}

const beam_type *beam_ctx_out_type(const beam_ctx *ctx, uint32_t output)
{
    const beam_node *node = beam_node_of(ctx);
    return output < node->n_fn_outs ? node->fn_outs[output] : NULL;
}

const beam_type *beam_ctx_acc_type(const beam_ctx *ctx)
{
    return beam_node_of(ctx)->fn_acc;
}

const char *beam_ctx_transform(const beam_ctx *ctx)
{
    return beam_node_of(ctx)->unique_name;
}

/* ---- Metrics -------------------------------------------------------------------------- */

void beam_distribution_update(beam_ctx *ctx, uint32_t metric, int64_t value)
{
    beam_metric_cell *cell = &ctx->metrics[metric];
    int64_t sum;
    (void)__builtin_add_overflow(cell->sum, value, &sum); /* wraps around */
    if (cell->count == 0 || value < cell->min)
        __atomic_store_n(&cell->min, value, __ATOMIC_RELAXED);
    if (cell->count == 0 || value > cell->max)
        __atomic_store_n(&cell->max, value, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->sum, sum, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->count, cell->count + 1, __ATOMIC_RELAXED);
    uint64_t *bucket = &cell->buckets[beam_metric_bucket(value)];
    __atomic_store_n(bucket, *bucket + 1, __ATOMIC_RELAXED);
}

void beam_gauge_set(beam_ctx *ctx, uint32_t metric, int64_t value)
{
    beam_metric_cell *cell = &ctx->metrics[metric];
    struct timespec now;
    int64_t milliseconds = 0;
    if (clock_gettime(CLOCK_REALTIME, &now) == 0)
        milliseconds = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    __atomic_store_n(&cell->sum, value, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->timestamp, milliseconds, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->count, 1, __ATOMIC_RELAXED);
}

void beam_string_set_add(beam_ctx *ctx, uint32_t metric, beam_str text)
{
    beam_status status = beam_string_set_insert(ctx->metrics[metric].strings, text.at, text.len);
    if (status != BEAM_OK)
        beam_ctx_log(ctx, BEAM_LOG_WARNING, "a text of %zu bytes is left out of metric %s: %s",
                     text.len, beam_node_of(ctx)->metrics[metric].name,
                     status == BEAM_OUT_OF_RANGE ? "it would have more than 1 MiB"
                                                 : "memory is out");
}

/* ---- Emitting ------------------------------------------------------------------------- */

beam_status beam_emit_failed_(beam_ctx *ctx, uint32_t output, beam_status status,
                              const void *elements, size_t n)
{
    beam_node_failed(beam_node_of(ctx->outputs[output].ctx), status, "process", elements, n);
    return status;
}

beam_status beam_check_emit_(beam_ctx *ctx, uint32_t output, const beam_type *type)
{
    beam_node *node = beam_node_of(ctx);
    if (output >= ctx->n_outputs)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "emits to output %u, but has %u", output,
                         ctx->n_outputs);
    const beam_type *have = node->receivers[output].type;
    if (!have || have == type || beam_type_equal(have, type))
        return BEAM_OK;
    char has[200], wants[200];
    return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "emits %s to output %u, whose type is %s",
                     beam_type_describe(type, wants, sizeof wants), output,
                     beam_type_describe(have, has, sizeof has));
}

void beam_node_guard(beam_node *node, bool on)
{
    node->ctx.outputs = on ? node->guards : node->receivers;
}

beam_status beam_emit_with(beam_ctx *ctx, uint32_t output, const void *element,
                           const beam_element_info *info)
{
    beam_node *node = beam_node_of(ctx);
    if (output >= ctx->n_outputs)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "emits to output %u, but has %u", output,
                         ctx->n_outputs);
    if (!info || !info->n_windows)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "emits with an info without a window");
    if (info->timestamp < BEAM_MIN_TIMESTAMP || info->timestamp > BEAM_MAX_TIMESTAMP)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "emits with timestamp %lld, but time goes from %lld to %lld ms",
                         (long long)info->timestamp, (long long)BEAM_MIN_TIMESTAMP,
                         (long long)BEAM_MAX_TIMESTAMP);
    const beam_element_info *before = ctx->frame->info;
    beam_receiver *outputs = ctx->outputs;
    ctx->frame->info = info;
    ctx->outputs = node->receivers;
    beam_status status = beam_emit_element(ctx, output, element);
    ctx->outputs = outputs;
    ctx->frame->info = before;
    return status;
}

beam_status beam_emit_at(beam_ctx *ctx, uint32_t output, const void *element,
                         beam_timestamp timestamp)
{
    const beam_element_info *current = ctx->frame->info;
    if (!current)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "beam_emit_at where there is no element: use beam_emit_with");
    if (timestamp < current->timestamp)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "emits with timestamp %lld, which must not be before the input's, %lld",
                         (long long)timestamp, (long long)current->timestamp);
    beam_element_info info = *current;
    info.timestamp = timestamp;
    return beam_emit_with(ctx, output, element, &info);
}

const beam_element_info *beam_info_save(beam_ctx *ctx)
{
    beam_plan *plan = beam_node_of(ctx)->plan;
    const beam_element_info *info = plan->frame.info;
    if (!info)
        return NULL;
    if (plan->saved && (plan->saved == info || beam_info_equal(plan->saved, info)))
        return plan->saved;
    beam_element_info *copy = beam_arena_copy(&plan->bundle_arena, info, sizeof *info);
    beam_window *windows = beam_arena_copy(&plan->bundle_arena, info->windows,
                                           info->n_windows * sizeof *info->windows);
    if (!copy || !windows)
        return NULL;
    copy->windows = windows;
    plan->saved = copy;
    return copy;
}
