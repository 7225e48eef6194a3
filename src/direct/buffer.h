/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* buffer.h - elements at rest between stages, in their C layout: written by many threads, then
 * read as arrays by index.
 *
 *   write: each bundle has a writer of its own; commit makes its elements part of the buffer
 *          and cannot fail, abort forgets them.
 *   seal:  after the last commit: elements get their indexes.
 *   read:  any range, by any number of threads, as often as needed.
 *
 * Past the memory budget elements go to an unnamed file in the temp folder, a span at a time.
 */
#ifndef DIRECT_BUFFER_H
#define DIRECT_BUFFER_H

#include <beam/window.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "direct/shuffle.h"

/* Elements side by side that share one info. */
typedef struct beam_span {
    struct beam_span *next; /* in order of writing */
    const beam_element_info *info;
    char *elements; /* NULL: they are in the file */
    size_t n, capacity;
    uint64_t first;        /* index of its first element, once sealed */
    uint64_t offset, size; /* in the file: as they lie in memory when they are flat, or encoded */
} beam_span;

/* What one bundle wrote. */
typedef struct beam_batch {
    struct beam_batch *next;
    beam_arena memory;  /* the elements */
    beam_arena outline; /* spans and infos */
    beam_span *first_span, *last_span;
    size_t n_spans;
    uint64_t accounted;
} beam_batch;

typedef struct beam_element_buffer_options {
    const beam_type *type;
    beam_memory_budget *budget;
    const char *temp_dir; /* for elements past the budget; NULL: they all stay in memory */
    uint32_t threads;     /* that write at a time: each may hold its share of the budget */
    bool one_window;      /* elements in several windows are kept once a window */
} beam_element_buffer_options;

typedef struct beam_element_buffer {
    beam_element_buffer_options options; /* options.type is NULL when it is not open */
    bool flat;
    pthread_mutex_t lock; /* guards what follows, until the seal */
    int fd;               /* -1: nothing was spilled */
    uint64_t file_size;
    beam_batch *batches;
    size_t n_spans;
    uint64_t n; /* elements */
    beam_span **spans;
} beam_element_buffer;

typedef struct beam_buffer_writer {
    beam_element_buffer *buffer;
    beam_batch *batch; /* NULL: nothing was written yet */
} beam_buffer_writer;

/* What the options point to must outlive the buffer. */
beam_status beam_element_buffer_open(beam_element_buffer *buffer,
                                     const beam_element_buffer_options *options, beam_error *err);
/* Of a zeroed one: nothing. */
void beam_element_buffer_close(beam_element_buffer *buffer);

void beam_buffer_write_begin(beam_element_buffer *buffer, beam_buffer_writer *writer);
/* Copies n elements, deeply, all with one info.  RESOURCE_EXHAUSTED, what reading an iterable
 * in them failed with, or what happened to the file. */
beam_status beam_buffer_write(beam_buffer_writer *writer, const beam_element_info *info,
                              const void *elements, size_t n, beam_error *err);
/* The last step of a bundle that may fail: holds the budget. */
beam_status beam_buffer_prepare(beam_buffer_writer *writer, beam_error *err);
/* Both end the writer; it is ready for the next bundle then. */
void beam_buffer_commit(beam_buffer_writer *writer);
void beam_buffer_abort(beam_buffer_writer *writer);

beam_status beam_element_buffer_seal(beam_element_buffer *buffer, beam_error *err);
/* Memory that the elements of a sealed buffer take. */
uint64_t beam_element_buffer_bytes(const beam_element_buffer *buffer);
/* Gives memory back; the buffer has no elements any more. */
void beam_element_buffer_clear(beam_element_buffer *buffer);

/* The span that element `index` is in. */
const beam_span *beam_buffer_find(const beam_element_buffer *buffer, uint64_t index);

/* Brings elements back from the file; zero it. One a thread. */
typedef struct beam_span_loader {
    const beam_span *loaded; /* what is at hand */
    beam_buffer bytes;
    beam_arena memory;
    const char *elements;
} beam_span_loader;

/* The elements of a span; they live until the next load. */
beam_status beam_span_load(beam_span_loader *loader, const beam_element_buffer *buffer,
                           const beam_span *span, const char **elements, beam_error *err);
/* Forgets the span, and keeps no more memory than a usual one takes. */
void beam_span_loader_rest(beam_span_loader *loader);
void beam_span_loader_free(beam_span_loader *loader);

bool beam_direct_same_info(const beam_element_info *a, const beam_element_info *b);
/* A deep copy in the arena; NULL when memory is out. */
const beam_element_info *beam_direct_copy_info(const beam_element_info *info, beam_arena *arena);

#endif
