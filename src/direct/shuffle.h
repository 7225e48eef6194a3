/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle.h - where a GroupByKey's elements wait: written by many threads, then read as
 * groups.
 *
 * Elements are KVs in their C layout.  They are grouped by their key's canonical image (two
 * keys are one if and only if their encoded bytes are equal) and their window.
 *
 *   write: each bundle has a writer of its own; commit makes its elements part of the
 *          shuffle, abort forgets them.  A writer belongs to one thread.
 *   seal:  after the last commit; turns the shuffle from written to read.
 *   read:  the keys' hash range is cut into BEAM_SHUFFLE_PARTITIONS parts; any range of them
 *          can be read, by any number of threads side by side, and read again after a
 *          failure, until it is released.
 *
 * A writer suits itself to the data: chunk lists by key while there are few keys, radix
 * partitions of whole elements when there are many.  When the memory budget is reached,
 * groups go to unlinked files in the temp folder as runs ordered by (hash, key image), and
 * reading merges the runs; one key's values need never fit in memory then (but for session
 * windows, which are merged key by key in memory).  Who adds runs merges some of them when there
 * are many, so that what is read ahead of all of them fits in what the budget leaves.
 */
#ifndef DIRECT_SHUFFLE_H
#define DIRECT_SHUFFLE_H

#include <beam/type.h>
#include <beam/window.h>

#include <stdatomic.h>

enum { BEAM_SHUFFLE_PARTITIONS = 1024 };

/* Bytes that all shuffles and buffers of a run hold; shared by its threads. */
typedef struct beam_memory_budget {
    _Atomic uint64_t used;
    uint64_t limit; /* 0: none */
} beam_memory_budget;

static inline void beam_memory_budget_add(beam_memory_budget *budget, uint64_t bytes)
{
    atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
}

static inline void beam_memory_budget_sub(beam_memory_budget *budget, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
}

/* Time to spill: a sixth is left for what spilling and reading back themselves need. */
static inline bool beam_memory_budget_reached(const beam_memory_budget *budget)
{
    return budget->limit && atomic_load_explicit(&budget->used, memory_order_relaxed) >
                                budget->limit - budget->limit / 6;
}

/* Puts in front of an error's words what was being done, and why. */
beam_status beam_spill_error(const beam_memory_budget *budget, const char *folder,
                             beam_status status, beam_error *err);

typedef struct beam_shuffle beam_shuffle;
typedef struct beam_shuffle_writer beam_shuffle_writer;
typedef struct beam_shuffle_reader beam_shuffle_reader;

typedef struct beam_shuffle_options {
    const beam_type *element; /* KV<K, V>, K deterministic; must outlive the shuffle */
    beam_windowing windowing; /* of the elements */
    beam_memory_budget *budget;
    const char *temp_dir; /* must outlive the shuffle */
    uint32_t threads;     /* that write at a time: each may hold its share of the budget */
} beam_shuffle_options;

beam_status beam_shuffle_open(const beam_shuffle_options *options, beam_shuffle **shuffle,
                              beam_error *err);
void beam_shuffle_close(beam_shuffle *shuffle);

/* The writer of one bundle. */
beam_status beam_shuffle_write_begin(beam_shuffle *shuffle, beam_shuffle_writer **writer,
                                     beam_error *err);
/* Copies n elements (an array of KVs), all with one info, once for each of its windows. */
beam_status beam_shuffle_write(beam_shuffle_writer *writer, const beam_element_info *info,
                               const void *elements, size_t n);
/* Both end the writer. A commit that fails has aborted. */
beam_status beam_shuffle_commit(beam_shuffle_writer *writer, beam_error *err);
void beam_shuffle_abort(beam_shuffle_writer *writer);
/* Why the last call failed, when it can say more than the code; "" otherwise. */
const char *beam_shuffle_writer_error(const beam_shuffle_writer *writer);

beam_status beam_shuffle_seal(beam_shuffle *shuffle, beam_error *err);

/* After the seal. */
typedef struct beam_shuffle_stats {
    uint64_t elements;      /* committed, once a window */
    uint64_t bytes;         /* held in memory */
    uint64_t spilled_bytes; /* written to files */
    uint32_t runs;
} beam_shuffle_stats;
beam_shuffle_stats beam_shuffle_get_stats(const beam_shuffle *shuffle);
/* Committed elements of the partitions [first, last), about, but 0 only where there are none; for
 * cutting even work items. */
uint64_t beam_shuffle_weight(const beam_shuffle *shuffle, uint32_t first, uint32_t last);

/* Groups: an array of KV<K, iterable<V>> in their C layout (as BEAM_GROUPED lays it out), with
 * the info that all of them are emitted with.  They live until the next call of
 * beam_shuffle_next, which fails where values of them could not be read. */
typedef struct beam_shuffle_groups {
    const void *elements;
    size_t n; /* at least 1 */
    beam_element_info info;
} beam_shuffle_groups;

/* Merges values of one key as they are read, so that groups have fewer of them: values[i] takes
 * the i-th of n others, `stride` bytes apart, one after another; a value may come again. */
typedef struct beam_shuffle_merger {
    beam_status (*merge)(void *self, void *const *values, const void *others, size_t stride,
                         size_t n);
    void *self;
} beam_shuffle_merger;

beam_status beam_shuffle_read(beam_shuffle *shuffle, uint32_t first, uint32_t last,
                              beam_shuffle_reader **reader, beam_error *err);
/* On to other partitions, with the memory that it has: cheaper than another reader. */
void beam_shuffle_reader_restart(beam_shuffle_reader *reader, uint32_t first, uint32_t last);
/* Values may be merged from here on; those that hold pointers are not, nor those with windows or
 * timestamps of their own.  A failure of it fails beam_shuffle_next. */
void beam_shuffle_reader_merge(beam_shuffle_reader *reader, beam_shuffle_merger merger);
/* BEAM_OUT_OF_RANGE after the last group. */
beam_status beam_shuffle_next(beam_shuffle_reader *reader, beam_shuffle_groups *groups,
                              beam_error *err);
void beam_shuffle_reader_close(beam_shuffle_reader *reader);

/* The partitions have been read for good: memory that only they used is given back. */
void beam_shuffle_release(beam_shuffle *shuffle, uint32_t first, uint32_t last);

#endif
