/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* inference_run.c - a batch that is due: run, then each example's result or failure goes out. */
#include <string.h>

#include "base/alloc.h"
#include "ml/inference.h"

/* ---- Numbers of a batch ---------------------------------------------------------------------- */

enum { ALIGNMENT = 64 };

beam_status beam_rows_make(beam_rows *rows, size_t count)
{
    *rows = (beam_rows){.count = count,
                        .tensors = beam_calloc(count, sizeof *rows->tensors),
                        .capacity = beam_calloc(count, sizeof *rows->capacity)};
    return rows->tensors && rows->capacity ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

void beam_rows_free(beam_rows *rows)
{
    for (size_t i = 0; rows->tensors && i < rows->count; i++)
        beam_free((void *)(uintptr_t)rows->tensors[i].data);
    beam_free(rows->tensors);
    beam_free(rows->capacity);
    *rows = (beam_rows){0};
}

beam_status beam_rows_shape(beam_rows *rows, size_t i, const beam_tensor *shape)
{
    size_t bytes;
    void *data = (void *)(uintptr_t)rows->tensors[i].data;
    BEAM_TRY(beam_tensor_check(shape, NULL, &bytes, NULL));
    if (bytes > rows->capacity[i]) {
        beam_free(data);
        rows->tensors[i].data = NULL;
        rows->capacity[i] = 0;
        data = beam_aligned_alloc(ALIGNMENT, bytes);
        if (!data)
            return BEAM_RESOURCE_EXHAUSTED;
        memset(data, 0, bytes); /* padding is whatever was there before: numbers, never traps */
        rows->capacity[i] = bytes;
    }
    rows->tensors[i] = *shape;
    rows->tensors[i].data = data;
    return BEAM_OK;
}

void beam_rows_part(beam_tensor *tensor, const beam_tensor *many, int64_t first, int64_t n)
{
    size_t row = beam_tensor_bytes(many) / (size_t)many->shape[0];
    *tensor = *many;
    tensor->shape[0] = n;
    tensor->data = (const char *)many->data + (size_t)first * row;
}

/* ---- Failures -------------------------------------------------------------------------------- */

beam_status beam_inference_refuse(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                                  beam_waiting *waiting, uint32_t output, beam_status status,
                                  const beam_error *err)
{
    (void)state;
    beam_error *words = beam_ctx_error(ctx);
    const char *message = err ? err->message : words->code == status ? words->message : "";
    if (!*message)
        message = beam_status_name(status);
    if (status == BEAM_CANCELLED || !beam_config(ctx, beam_inference_config)->handles_failures)
        return err ? beam_fail(ctx, status, "%s", err->message) : status;
    size_t size = strlen(message) + 1;
    char *kept = beam_pool_alloc(lane->pool, size);
    if (!kept)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for a failure: %s", message);
    memcpy(kept, message, size);
    waiting->failed = output;
    waiting->code = status;
    waiting->message = kept;
    *words = (beam_error){0};
    return BEAM_OK;
}

/* Fields' places are those of the handler's failure struct. */
static beam_status emit_failure(beam_ctx *ctx, beam_inference *state, const beam_waiting *waiting)
{
    const beam_type *type = state->handler->failure;
    const beam_int64 code = waiting->code;
    const beam_str message = beam_str_of(waiting->message);
    char *to = state->failure;
    memcpy(to + type->fields[0].offset, waiting->example, type->fields[0].type->size);
    memcpy(to + type->fields[1].offset, &code, sizeof code);
    memcpy(to + type->fields[2].offset, &message, sizeof message);
    beam_inference_count_failure(ctx, waiting);
    return beam_emit_with(ctx, waiting->failed, to, waiting->info);
}

/* ---- Results --------------------------------------------------------------------------------- */

/* A row of each output, without the batch's dimension. */
static void point_to_results(beam_inference *state, int64_t index)
{
    for (size_t i = 0; i < state->outputs.count; i++) {
        const beam_tensor *all = &state->outputs.tensors[i];
        beam_tensor *row = &state->row[i];
        size_t bytes = beam_tensor_bytes(all) / (size_t)all->shape[0];
        *row = (beam_tensor){.dtype = all->dtype, .rank = all->rank - 1};
        memcpy(row->shape, all->shape + 1, row->rank * sizeof *row->shape);
        row->data = (const char *)all->data + (size_t)index * bytes;
    }
}

beam_status beam_inference_enter(beam_ctx *ctx, const beam_inference *state, beam_lane *lane,
                                 beam_waiting *waiting, const void **inner)
{
    waiting->levels = &waiting->example;
    if (state->depth > 1) {
        waiting->levels = beam_pool_alloc(lane->pool, state->depth * sizeof *waiting->levels);
        if (!waiting->levels)
            return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for an example");
        waiting->levels[0] = waiting->example;
        BEAM_TRY(beam_handler_enter(ctx, state->handler, lane->pool, waiting->levels));
    }
    *inner = waiting->levels[state->depth - 1];
    return BEAM_OK;
}

/* A PredictionResult; its fields' places are those of BEAM_PREDICTION's struct. */
static void predict(const beam_inference *state, const void *example, void *result)
{
    const beam_type *out = state->base->out;
    char *to = result;
    memcpy(to + out->fields[0].offset, example, out->fields[0].type->size);
    memcpy(to + out->fields[1].offset, &state->row[0], sizeof state->row[0]);
    memcpy(to + out->fields[2].offset, &state->running->model_id, sizeof(beam_str));
}

static beam_status make_result(beam_ctx *ctx, beam_inference *state, const beam_waiting *waiting,
                               const void **result)
{
    const size_t last = state->depth - 1;
    const void *example = waiting->levels[last];
    point_to_results(state, waiting->row);
    if (state->base->unpack) {
        memset(state->results[last], 0, state->base->out->size);
        BEAM_TRY(state->base->unpack(ctx, example, state->row, state->outputs.count,
                                     state->results[last]));
    } else {
        predict(state, example, state->results[last]);
    }
    return beam_handler_leave(ctx, state->handler, waiting->levels, state->results, result);
}

static beam_status emit(beam_ctx *ctx, beam_inference *state, beam_lane *lane,
                        beam_waiting *waiting)
{
    const void *result;
    if (waiting->failed == BEAM_INFERENCE_RESULTS) {
        beam_status status = make_result(ctx, state, waiting, &result);
        if (status == BEAM_OK)
            return beam_emit_with(ctx, BEAM_INFERENCE_RESULTS, result, waiting->info);
        BEAM_TRY(beam_inference_refuse(ctx, state, lane, waiting, BEAM_FAILED_POSTPROCESSING,
                                       status, NULL));
    }
    return emit_failure(ctx, state, waiting);
}

beam_status beam_inference_flush(beam_ctx *ctx, beam_inference *state, beam_lane *lane)
{
    BEAM_TRY(beam_local_run(ctx, state, lane));
    for (int64_t i = 0; i < lane->count; i++)
        BEAM_TRY(emit(ctx, state, lane, &lane->waiting[i]));
    return BEAM_OK;
}
