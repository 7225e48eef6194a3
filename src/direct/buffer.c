/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* buffer.c - spans of elements in arenas, one arena a bundle. */
#include "direct/buffer.h"

#include <string.h>

#include "base/alloc.h"
#include "type/value.h"

enum { FIRST_SPAN = 512, LARGEST_SPAN = 1 << 18 }; /* bytes */

beam_status beam_element_buffer_open(beam_element_buffer *buffer, const beam_type *type,
                                     beam_memory_budget *budget, beam_error *err)
{
    *buffer = (beam_element_buffer){.budget = budget};
    if (pthread_mutex_init(&buffer->lock, NULL) != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "cannot make a mutex");
    buffer->type = type;
    return BEAM_OK;
}

static void free_batch(beam_batch *batch, beam_memory_budget *budget)
{
    beam_memory_budget_sub(budget, batch->accounted);
    beam_arena_free(&batch->memory);
    beam_free(batch);
}

void beam_element_buffer_clear(beam_element_buffer *buffer)
{
    while (buffer->batches) {
        beam_batch *next = buffer->batches->next;
        free_batch(buffer->batches, buffer->budget);
        buffer->batches = next;
    }
    beam_free(buffer->spans);
    buffer->spans = NULL;
    buffer->n = buffer->n_spans = 0;
}

void beam_element_buffer_close(beam_element_buffer *buffer)
{
    if (!buffer->type)
        return;
    beam_element_buffer_clear(buffer);
    pthread_mutex_destroy(&buffer->lock);
    buffer->type = NULL;
}

/* ---- Infos ---------------------------------------------------------------------------- */

bool beam_direct_same_info(const beam_element_info *a, const beam_element_info *b)
{
    return a->timestamp == b->timestamp && a->n_windows == b->n_windows &&
           a->pane.timing == b->pane.timing && a->pane.is_first == b->pane.is_first &&
           a->pane.is_last == b->pane.is_last && a->pane.index == b->pane.index &&
           a->pane.on_time_index == b->pane.on_time_index &&
           memcmp(a->windows, b->windows, a->n_windows * sizeof *a->windows) == 0;
}

const beam_element_info *beam_direct_copy_info(const beam_element_info *info, beam_arena *arena)
{
    beam_element_info *copy = beam_arena_copy(arena, info, sizeof *copy);
    beam_window *windows = beam_arena_copy(arena, info->windows, info->n_windows * sizeof *windows);
    if (!copy || !windows)
        return NULL;
    copy->windows = windows;
    return copy;
}

/* ---- Writing -------------------------------------------------------------------------- */

void beam_buffer_write_begin(beam_element_buffer *buffer, beam_buffer_writer *writer)
{
    *writer = (beam_buffer_writer){.buffer = buffer, .flat = beam_type_is_flat(buffer->type)};
}

static void account(beam_batch *batch, beam_memory_budget *budget)
{
    uint64_t total = batch->memory.total;
    if (total == batch->accounted)
        return;
    beam_memory_budget_add(budget, total - batch->accounted);
    batch->accounted = total;
}

/* A new span at the end of the batch, about twice as large as the one before. */
static beam_span *new_span(beam_buffer_writer *w, const beam_element_info *info, size_t want)
{
    beam_batch *batch = w->batch;
    const beam_span *last = batch->last_span;
    size_t size = w->buffer->type->size;
    const beam_element_info *kept = last && beam_direct_same_info(last->info, info)
                                        ? last->info
                                        : beam_direct_copy_info(info, &batch->memory);
    size_t bytes = FIRST_SPAN;
    if (last && last->info == kept)
        bytes = last->capacity * size * 2;
    else if (last && last->n < 4)
        bytes = size; /* infos change all the time: a span each */
    if (bytes > LARGEST_SPAN)
        bytes = LARGEST_SPAN;
    size_t capacity = bytes / size;
    if (capacity < want)
        capacity = want < LARGEST_SPAN / size ? want : LARGEST_SPAN / size;
    if (capacity == 0)
        capacity = 1;
    beam_span *span = beam_arena_calloc(&batch->memory, 1, sizeof *span);
    char *elements = beam_arena_alloc(&batch->memory, capacity * size);
    if (!span || !elements || !kept)
        return NULL;
    *span = (beam_span){.info = kept, .elements = elements, .capacity = capacity};
    if (batch->last_span)
        batch->last_span->next = span;
    else
        batch->first_span = span;
    batch->last_span = span;
    batch->n_spans++;
    return span;
}

/* Copies elements into a span that has room for them. */
static beam_status fill(beam_buffer_writer *w, beam_span *span, const char *elements, size_t n)
{
    const beam_type *type = w->buffer->type;
    if (w->flat) {
        memcpy(span->elements + span->n * type->size, elements, n * type->size);
        span->n += n;
        return BEAM_OK;
    }
    for (size_t i = 0; i < n; i++) {
        BEAM_TRY(beam_value_copy(type, span->elements + span->n * type->size,
                                 elements + i * type->size, &w->batch->memory));
        span->n++;
    }
    return BEAM_OK;
}

static beam_status write_spans(beam_buffer_writer *w, const beam_element_info *info,
                               const char *elements, size_t n)
{
    while (n) {
        beam_span *span = w->batch->last_span;
        if (!span || span->n == span->capacity || !beam_direct_same_info(span->info, info))
            span = new_span(w, info, n);
        if (!span)
            return BEAM_RESOURCE_EXHAUSTED;
        size_t now = span->capacity - span->n < n ? span->capacity - span->n : n;
        BEAM_TRY(fill(w, span, elements, now));
        elements += now * w->buffer->type->size;
        n -= now;
    }
    return BEAM_OK;
}

beam_status beam_buffer_write(beam_buffer_writer *writer, const beam_element_info *info,
                              const void *elements, size_t n)
{
    if (!writer->batch && !(writer->batch = beam_calloc(1, sizeof *writer->batch)))
        return BEAM_RESOURCE_EXHAUSTED;
    beam_status status = BEAM_OK;
    if (writer->buffer->one_window && info->n_windows > 1) {
        beam_element_info one = *info;
        one.n_windows = 1;
        for (uint32_t i = 0; i < info->n_windows && status == BEAM_OK; i++) {
            one.windows = &info->windows[i];
            status = write_spans(writer, &one, elements, n);
        }
    } else {
        status = write_spans(writer, info, elements, n);
    }
    account(writer->batch, writer->buffer->budget);
    return status;
}

void beam_buffer_commit(beam_buffer_writer *writer)
{
    beam_batch *batch = writer->batch;
    beam_element_buffer *buffer = writer->buffer;
    writer->batch = NULL;
    if (!batch)
        return;
    uint64_t n = 0;
    for (const beam_span *span = batch->first_span; span; span = span->next)
        n += span->n;
    pthread_mutex_lock(&buffer->lock);
    batch->next = buffer->batches;
    buffer->batches = batch;
    buffer->n_spans += batch->n_spans;
    buffer->n += n;
    pthread_mutex_unlock(&buffer->lock);
}

void beam_buffer_abort(beam_buffer_writer *writer)
{
    if (writer->batch)
        free_batch(writer->batch, writer->buffer->budget);
    writer->batch = NULL;
}

/* ---- Reading -------------------------------------------------------------------------- */

beam_status beam_element_buffer_seal(beam_element_buffer *buffer, beam_error *err)
{
    buffer->spans = beam_calloc(buffer->n_spans, sizeof(beam_span *));
    if (!buffer->spans)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to read a buffer");
    size_t i = 0;
    uint64_t first = 0;
    for (const beam_batch *batch = buffer->batches; batch; batch = batch->next)
        for (beam_span *span = batch->first_span; span; span = span->next) {
            span->first = first;
            first += span->n;
            buffer->spans[i++] = span;
        }
    return BEAM_OK;
}

const beam_span *beam_buffer_find(const beam_element_buffer *buffer, uint64_t index)
{
    size_t low = 0, high = buffer->n_spans;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (buffer->spans[middle]->first <= index)
            low = middle;
        else
            high = middle;
    }
    return buffer->spans[low];
}
