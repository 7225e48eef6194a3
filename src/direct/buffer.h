/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* buffer.h - elements at rest between stages, in their C layout: written by many threads, then
 * read as arrays by index.
 *
 *   write: each bundle has a writer of its own; commit makes its elements part of the buffer
 *          and cannot fail, abort forgets them.
 *   seal:  after the last commit: elements get their indexes.
 *   read:  any range, by any number of threads, as often as needed.
 */
#ifndef DIRECT_BUFFER_H
#define DIRECT_BUFFER_H

#include <beam/window.h>
#include <pthread.h>

#include "base/arena.h"
#include "direct/shuffle.h"

/* Elements side by side that share one info. */
typedef struct beam_span {
    struct beam_span *next; /* in order of writing */
    const beam_element_info *info;
    char *elements;
    size_t n, capacity;
    uint64_t first; /* index of its first element, once sealed */
} beam_span;

/* What one bundle wrote. */
typedef struct beam_batch {
    struct beam_batch *next;
    beam_arena memory;
    beam_span *first_span, *last_span;
    size_t n_spans;
    uint64_t accounted;
} beam_batch;

/* Zero it, then give it a type and a budget. */
typedef struct beam_element_buffer {
    const beam_type *type;
    beam_memory_budget *budget;
    bool one_window; /* elements in several windows are kept once a window */
    pthread_mutex_t lock;
    beam_batch *batches;
    size_t n_spans;
    uint64_t n; /* elements */
    beam_span **spans;
} beam_element_buffer;

typedef struct beam_buffer_writer {
    beam_element_buffer *buffer;
    beam_batch *batch; /* NULL: nothing was written yet */
    bool flat;
} beam_buffer_writer;

beam_status beam_element_buffer_open(beam_element_buffer *buffer, const beam_type *type,
                                     beam_memory_budget *budget, beam_error *err);
/* Of a zeroed one: nothing. */
void beam_element_buffer_close(beam_element_buffer *buffer);

void beam_buffer_write_begin(beam_element_buffer *buffer, beam_buffer_writer *writer);
/* Copies n elements, deeply, all with one info.  RESOURCE_EXHAUSTED, or what reading an
 * iterable in them failed with. */
beam_status beam_buffer_write(beam_buffer_writer *writer, const beam_element_info *info,
                              const void *elements, size_t n);
/* Both end the writer; write_begin makes it ready again. */
void beam_buffer_commit(beam_buffer_writer *writer);
void beam_buffer_abort(beam_buffer_writer *writer);

beam_status beam_element_buffer_seal(beam_element_buffer *buffer, beam_error *err);
/* Gives memory back; the buffer has no elements any more. */
void beam_element_buffer_clear(beam_element_buffer *buffer);

/* The span that element `index` is in. */
const beam_span *beam_buffer_find(const beam_element_buffer *buffer, uint64_t index);

bool beam_direct_same_info(const beam_element_info *a, const beam_element_info *b);
/* A deep copy in the arena; NULL when memory is out. */
const beam_element_info *beam_direct_copy_info(const beam_element_info *info, beam_arena *arena);

#endif
