/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* buffer.c - spans of elements in arenas, one arena a bundle. */
#include "direct/buffer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/spill_file.h"
#include "type/coder.h"
#include "type/value.h"

#include <unistd.h>

enum { /* bytes */
       FIRST_SPAN = 512,
       LARGEST_SPAN = 1 << 18,
       LARGE_ELEMENT = 1 << 20, /* with what it points to */
       SMALLEST_SPILL = 4096
};

beam_status beam_element_buffer_open(beam_element_buffer *buffer,
                                     const beam_element_buffer_options *options, beam_error *err)
{
    *buffer = (beam_element_buffer){.fd = -1, .flat = beam_type_is_flat(options->type)};
    if (pthread_mutex_init(&buffer->lock, NULL) != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "cannot make a mutex");
    buffer->options = *options;
    if (buffer->options.threads == 0)
        buffer->options.threads = 1;
    return BEAM_OK;
}

static void free_batch(beam_batch *batch, beam_memory_budget *budget)
{
    beam_memory_budget_sub(budget, batch->accounted);
    beam_arena_free(&batch->memory);
    beam_arena_free(&batch->outline);
    beam_free(batch);
}

void beam_element_buffer_clear(beam_element_buffer *buffer)
{
    while (buffer->batches) {
        beam_batch *next = buffer->batches->next;
        free_batch(buffer->batches, buffer->options.budget);
        buffer->batches = next;
    }
    if (buffer->fd >= 0)
        (void)close(buffer->fd);
    buffer->fd = -1;
    beam_free(buffer->spans);
    buffer->spans = NULL;
    buffer->n = buffer->n_spans = 0;
}

void beam_element_buffer_close(beam_element_buffer *buffer)
{
    if (!buffer->options.type)
        return;
    beam_element_buffer_clear(buffer);
    pthread_mutex_destroy(&buffer->lock);
    buffer->options.type = NULL;
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
    *writer = (beam_buffer_writer){.buffer = buffer};
}

static void account(beam_batch *batch, beam_memory_budget *budget)
{
    uint64_t total = batch->memory.total + batch->outline.total;
    if (total == batch->accounted)
        return;
    if (total > batch->accounted)
        beam_memory_budget_add(budget, total - batch->accounted);
    else
        beam_memory_budget_sub(budget, batch->accounted - total);
    batch->accounted = total;
}

/* A new span at the end of the batch, about twice as large as the one before. */
static beam_span *new_span(beam_buffer_writer *w, const beam_element_info *info, size_t want)
{
    beam_batch *batch = w->batch;
    const beam_span *last = batch->last_span;
    size_t size = w->buffer->options.type->size;
    const beam_element_info *kept = last && beam_direct_same_info(last->info, info)
                                        ? last->info
                                        : beam_direct_copy_info(info, &batch->outline);
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
    beam_span *span = beam_arena_calloc(&batch->outline, 1, sizeof *span);
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

/* A span ends with the large element that was just put behind its others, and begins with it too:
 * a span is brought back as a whole, and who wants another element is not to hold this one. */
static beam_span *stand_alone(beam_buffer_writer *w, beam_span *span)
{
    const size_t size = w->buffer->options.type->size;
    const char *element = span->elements + span->n * size;
    if (span->n) {
        span->capacity = span->n;
        span = new_span(w, span->info, 1);
        if (!span)
            return NULL;
        memcpy(span->elements, element, size);
    }
    span->capacity = 1;
    return span;
}

/* Copies elements into a span that has room for them, all or until it ends early. */
static beam_status fill(beam_buffer_writer *w, beam_span *span, const char *elements, size_t n,
                        size_t *filled)
{
    const beam_type *type = w->buffer->options.type;
    const beam_arena *memory = &w->batch->memory;
    *filled = n;
    if (w->buffer->flat) {
        memcpy(span->elements + span->n * type->size, elements, n * type->size);
        span->n += n;
        return BEAM_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t before = memory->total; /* which grows by blocks, so a few others count too */
        BEAM_TRY(beam_value_copy(type, span->elements + span->n * type->size,
                                 elements + i * type->size, &w->batch->memory));
        if (BEAM_LIKELY(memory->total - before < LARGE_ELEMENT)) {
            span->n++;
            continue;
        }
        span = stand_alone(w, span);
        if (!span)
            return BEAM_RESOURCE_EXHAUSTED;
        span->n = 1;
        *filled = i + 1;
        break;
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
        BEAM_TRY(fill(w, span, elements, now, &now));
        elements += now * w->buffer->options.type->size;
        n -= now;
    }
    return BEAM_OK;
}

/* ---- Spilling -------------------------------------------------------------------------- */

/* Puts the elements of a span behind what is in `out`. */
static beam_status pack_span(const beam_element_buffer *buffer, const beam_span *span,
                             beam_buffer *out, beam_error *err)
{
    const beam_type *type = buffer->options.type;
    if (buffer->flat)
        return beam_buffer_append(out, span->elements, span->n * type->size);
    for (size_t i = 0; i < span->n; i++)
        BEAM_TRY(beam_encode(type, BEAM_NESTED, span->elements + i * type->size, out, err));
    return BEAM_OK;
}

/* A place for that many bytes at the end of the file, which is made when it is not there. */
static beam_status reserve(beam_element_buffer *buffer, uint64_t size, uint64_t *offset,
                           beam_error *err)
{
    beam_status status = BEAM_OK;
    pthread_mutex_lock(&buffer->lock);
    if (buffer->fd < 0)
        status = beam_spill_file_open(buffer->options.temp_dir, &buffer->fd, err);
    *offset = buffer->file_size;
    if (status == BEAM_OK)
        buffer->file_size += size;
    pthread_mutex_unlock(&buffer->lock);
    return status;
}

static beam_status spill_span(beam_element_buffer *buffer, beam_span *span, beam_buffer *out,
                              beam_error *err)
{
    out->len = 0;
    beam_status status = pack_span(buffer, span, out, err);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "elements cannot be encoded: %s",
                              beam_status_name(status));
    BEAM_TRY(reserve(buffer, out->len, &span->offset, err));
    BEAM_TRY(beam_spill_file_write(buffer->fd, span->offset, out->data, out->len, err));
    span->size = out->len;
    return BEAM_OK;
}

/* Moves all that the batch holds to the file, but for spans and infos. */
static beam_status spill(beam_buffer_writer *w, beam_error *err)
{
    beam_batch *batch = w->batch;
    beam_buffer out = {0};
    beam_status status = BEAM_OK;
    for (beam_span *span = batch->first_span; status == BEAM_OK && span; span = span->next)
        if (span->elements)
            status = spill_span(w->buffer, span, &out, err);
    beam_buffer_free(&out);
    if (status != BEAM_OK) /* the bundle fails, and its batch goes */
        return beam_spill_error(w->buffer->options.budget, w->buffer->options.temp_dir, status,
                                err);
    for (beam_span *span = batch->first_span; span; span = span->next) {
        span->elements = NULL;
        span->capacity = span->n;
    }
    beam_arena_free(&batch->memory);
    account(batch, w->buffer->options.budget);
    return BEAM_OK;
}

/* What one writer may hold once the budget is used up. */
static uint64_t share_of(const beam_element_buffer *buffer)
{
    uint64_t share = buffer->options.budget->limit / (4 * (uint64_t)buffer->options.threads);
    return share > SMALLEST_SPILL ? share : SMALLEST_SPILL;
}

/* Spills what the writer holds if that is `worth` bytes and the budget is used up. */
static beam_status hold_budget(beam_buffer_writer *w, uint64_t worth, beam_error *err)
{
    const beam_memory_budget *budget = w->buffer->options.budget;
    if (BEAM_LIKELY(!beam_memory_budget_reached(budget)))
        return BEAM_OK;
    if (!w->buffer->options.temp_dir || w->batch->memory.total < worth)
        return BEAM_OK;
    return spill(w, err);
}

/* ---- Bundles --------------------------------------------------------------------------- */

static beam_status write_windows(beam_buffer_writer *w, const beam_element_info *info,
                                 const void *elements, size_t n)
{
    if (!w->buffer->options.one_window || info->n_windows == 1)
        return write_spans(w, info, elements, n);
    beam_element_info one = *info;
    one.n_windows = 1;
    for (uint32_t i = 0; i < info->n_windows; i++) {
        one.windows = &info->windows[i];
        BEAM_TRY(write_spans(w, &one, elements, n));
    }
    return BEAM_OK;
}

beam_status beam_buffer_write(beam_buffer_writer *writer, const beam_element_info *info,
                              const void *elements, size_t n, beam_error *err)
{
    if (!writer->batch && !(writer->batch = beam_calloc(1, sizeof *writer->batch)))
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to keep elements");
    beam_status status = write_windows(writer, info, elements, n);
    account(writer->batch, writer->buffer->options.budget);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "elements cannot be kept: %s",
                              status == BEAM_RESOURCE_EXHAUSTED ? "no memory"
                                                                : "an iterable is unreadable");
    return hold_budget(writer, share_of(writer->buffer), err);
}

beam_status beam_buffer_prepare(beam_buffer_writer *writer, beam_error *err)
{
    return writer->batch ? hold_budget(writer, SMALLEST_SPILL, err) : BEAM_OK;
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
        free_batch(writer->batch, writer->buffer->options.budget);
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

uint64_t beam_element_buffer_bytes(const beam_element_buffer *buffer)
{
    uint64_t bytes = 0;
    for (const beam_batch *batch = buffer->batches; batch; batch = batch->next)
        bytes += batch->accounted;
    return bytes;
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

/* Decodes a span's elements from the bytes at hand. */
static beam_status unpack_span(beam_span_loader *loader, const beam_element_buffer *buffer,
                               const beam_span *span, beam_error *err)
{
    const beam_type *type = buffer->options.type;
    const beam_decoder decoder = {
        .arena = &loader->memory, .err = err, .borrow = true, .any_text = true};
    beam_reader reader = beam_reader_of(loader->bytes.data, loader->bytes.len);
    char *elements = beam_arena_alloc(&loader->memory, span->n * type->size);
    if (!elements)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for spilled elements");
    for (size_t i = 0; i < span->n; i++)
        BEAM_TRY(beam_decode_with(&decoder, type, BEAM_NESTED, &reader, elements + i * type->size));
    loader->elements = elements;
    return BEAM_OK;
}

beam_status beam_span_load(beam_span_loader *loader, const beam_element_buffer *buffer,
                           const beam_span *span, const char **elements, beam_error *err)
{
    *elements = span->elements ? span->elements : loader->elements;
    if (span->elements || loader->loaded == span)
        return BEAM_OK;
    loader->loaded = NULL;
    loader->bytes.len = 0;
    beam_arena_reset(&loader->memory);
    if (beam_buffer_reserve(&loader->bytes, span->size + 1) != BEAM_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for spilled elements");
    loader->bytes.len = span->size;
    BEAM_TRY(beam_spill_file_read(buffer->fd, span->offset, loader->bytes.data, span->size, err));
    loader->elements = (const char *)loader->bytes.data;
    if (!buffer->flat)
        BEAM_TRY(unpack_span(loader, buffer, span, err));
    loader->loaded = span;
    *elements = loader->elements;
    return BEAM_OK;
}

void beam_span_loader_rest(beam_span_loader *loader)
{
    if (loader->bytes.capacity > LARGE_ELEMENT)
        beam_span_loader_free(loader);
    loader->loaded = NULL; /* another buffer's span may come to lie where that one does */
}

void beam_span_loader_free(beam_span_loader *loader)
{
    beam_buffer_free(&loader->bytes);
    beam_arena_free(&loader->memory);
    *loader = (beam_span_loader){0};
}
