/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_internal.h - what the parts of the shuffle share.
 *
 *   shuffle.c        open, commit, seal, release: who owns which generation
 *   shuffle_write.c  one generation filled by one writer
 *   shuffle_group.c  one partition of some generations turned into groups, in memory
 *   shuffle_spill.c  groups to a run file; many runs to one
 *   shuffle_runs.c   runs back from files, merged
 *   shuffle_read.c   the reader: groups as elements, iterables, session windows
 */
#ifndef DIRECT_SHUFFLE_INTERNAL_H
#define DIRECT_SHUFFLE_INTERNAL_H

#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "direct/shuffle.h"
#include "type/key.h"

/* Where things lie in an element and in what the shuffle keeps of it. A kept value is the
 * value in its C layout, then (only if reading needs them) its window and timestamp. */
typedef struct beam_shuffle_layout {
    const beam_type *element, *key, *value;
    size_t element_size, value_offset, value_size;
    bool scalar;         /* the key is its 8 bytes, and nothing else tells groups apart */
    bool flat_value;     /* values hold no pointers */
    bool window_in_key;  /* groups are told apart by window too */
    bool sessions;       /* each value keeps its window; merged when read */
    bool keep_timestamp; /* each value keeps its timestamp */
    size_t window_offset, timestamp_offset; /* within a kept value */
    bool merges;                            /* kept values are values, and flat: may be merged */
    size_t stride;                          /* of kept values */
    size_t record_value, record;            /* of radix records: key, kept value */
    size_t group_value_offset, group_size;  /* KV<K, iterable<V>> */
} beam_shuffle_layout;

/* A key that is not a scalar: its canonical image, then the window when that is part of it. */
typedef struct beam_shuffle_key {
    uint32_t image_len;
    uint8_t image[];
} beam_shuffle_key;

/* Kept values (or radix records) side by side; `prev` was filled before it. */
typedef struct beam_chunk {
    struct beam_chunk *prev;
    const beam_shuffle_key *key;
    uint64_t n;      /* its capacity, but of the newest chunk once no more is written */
    uint64_t before; /* values in the chunks before it */
} beam_chunk;

static inline char *beam_chunk_data(const beam_chunk *chunk)
{
    return (char *)(uintptr_t)(chunk + 1);
}

/* Values in a closed chunk list. */
static inline uint64_t beam_chunk_total(const beam_chunk *newest)
{
    return newest ? newest->before + newest->n : 0;
}

/* A key's chunk list in a writer's hash table. */
typedef struct beam_slot {
    uint64_t tag;      /* the key's 8 bytes, or beam_shuffle_key_tag */
    char *at, *end;    /* room left in the newest chunk */
    beam_chunk *chunk; /* newest; NULL: the slot is empty */
} beam_slot;

/* A partition's record list. */
typedef struct beam_radix_list {
    char *at, *end;
    beam_chunk *chunk;
} beam_radix_list;

typedef struct beam_ordered_slot {
    uint64_t hash;
    const beam_slot *slot;
} beam_ordered_slot;

/* What one bundle wrote and memory holds. */
typedef struct beam_generation {
    struct beam_generation *next;
    beam_arena memory;
    beam_slot *slots;
    uint64_t slot_mask, slots_used;
    beam_radix_list *radix;     /* one a partition; NULL until there are many keys */
    beam_ordered_slot *ordered; /* used slots by hash, once finished */
    uint64_t elements;
    uint64_t accounted; /* bytes told to the budget */
} beam_generation;

/* A file in which runs lie one behind another.  Who writes one has the file alone meanwhile, so
 * that there are no more files than threads, however many runs there are. */
typedef struct beam_run_file {
    struct beam_run_file *next;
    int fd;
    uint64_t end;
} beam_run_file;

enum { BEAM_RUN_LEVELS = 8 };

/* Groups in a file, ordered by (partition, hash, image). */
typedef struct beam_run {
    struct beam_run *next;
    int fd;         /* the file's */
    uint32_t level; /* 0: from memory; else it was merged of runs of the level below */
    uint64_t elements;
    uint64_t offsets[BEAM_SHUFFLE_PARTITIONS + 1];
} beam_run;

struct beam_shuffle {
    beam_shuffle_options options;
    beam_shuffle_layout layout;
    pthread_mutex_t lock; /* guards what follows, until the seal */
    beam_generation *generations;
    beam_run *runs;
    uint64_t elements, spilled_bytes;
    bool sealed;
    _Atomic bool many_keys;    /* new writers partition at once */
    _Atomic uint32_t released; /* partitions */
    uint64_t *weights;         /* elements before each partition, once sealed */
    pthread_mutex_t file_lock; /* taken by who may hold the other */
    beam_run_file *files;      /* into which nobody writes; under it */
};

static inline uint64_t beam_shuffle_mix(uint64_t key)
{
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return key ^ (key >> 32); /* both the high bits (partition) and the low ones (slot) vary */
}

static inline uint64_t beam_shuffle_hash(const beam_shuffle_layout *layout, uint64_t tag)
{
    return layout->scalar ? beam_shuffle_mix(tag) : tag;
}

static inline uint32_t beam_shuffle_partition(uint64_t hash)
{
    return (uint32_t)(hash >> 54);
}
_Static_assert(BEAM_SHUFFLE_PARTITIONS == 1 << (64 - 54), "partitions are the hash's top bits");

/* The tag of a key that is no scalar: of its hash the partition and 32 bits, so that a record whose
 * partition is known has room for it. */
static inline uint64_t beam_shuffle_tag(uint32_t partition, uint32_t hash)
{
    return (uint64_t)partition << 54 | hash;
}

static inline uint64_t beam_shuffle_key_tag(const beam_shuffle_key *key)
{
    uint64_t hash = beam_key_hash(key->image, key->image_len);
    return beam_shuffle_tag(beam_shuffle_partition(hash), (uint32_t)hash);
}

/* A radix record begins with its key: with the 8 bytes of a scalar; with a key whose image is
 * short, which then need not be looked for elsewhere; or with where the key is. */
typedef struct beam_far_key {
    uint32_t image_len; /* as in the key itself: too long for a record */
    uint32_t hash;      /* of the tag */
    const beam_shuffle_key *key;
} beam_far_key;

static inline bool beam_record_has_room(const beam_shuffle_key *key)
{
    return sizeof *key + key->image_len <= sizeof(beam_far_key);
}

static inline const beam_shuffle_key *beam_record_key(const char *record, uint32_t partition,
                                                      uint64_t *tag)
{
    const beam_shuffle_key *key = (const beam_shuffle_key *)(const void *)record;
    if (beam_record_has_room(key)) {
        *tag = beam_shuffle_key_tag(key);
        return key;
    }
    const beam_far_key *far = (const beam_far_key *)(const void *)record;
    *tag = beam_shuffle_tag(partition, far->hash);
    return far->key;
}

static inline bool beam_shuffle_key_equal(const beam_shuffle_key *a, const beam_shuffle_key *b)
{
    return a->image_len == b->image_len && memcmp(a->image, b->image, a->image_len) == 0;
}

/* ---- shuffle_write.c ---- */

beam_generation *beam_generation_new(void);
/* Tells the budget what it holds now. */
void beam_generation_account(beam_generation *generation, beam_memory_budget *budget);
/* No more writes: closes chunks, orders slots by hash. */
beam_status beam_generation_finish(beam_generation *generation, const beam_shuffle_layout *layout);
void beam_generation_free(beam_generation *generation, beam_memory_budget *budget);

/* ---- shuffle_group.c ---- */

/* A key's values in memory: chunk lists first, then an array. */
typedef struct beam_piece {
    const beam_chunk *newest;
    struct beam_piece *next;
} beam_piece;

typedef struct beam_group_entry {
    uint64_t tag;
    const beam_shuffle_key *key; /* NULL when scalar */
    beam_piece *pieces;
    const char *array;
    uint64_t array_len;
    uint64_t total;
} beam_group_entry;

/* A zeroed grouping is ready; it is used for one partition after another. */
typedef struct beam_grouping {
    beam_arena arena;
    uint32_t partition;
    uint64_t *tags;
    uint32_t *ids; /* group number + 1; 0: empty */
    size_t table_size;
    beam_group_entry *groups;
    size_t n_groups, groups_capacity;
    uint64_t *counts; /* of records, then places in the array: one a group */
    size_t counts_capacity;
    beam_shuffle_merger merger; /* of records of one key; merge NULL: they all stay */
    char *others;               /* values that are about to be merged */
    size_t others_capacity;
    uint32_t *record_ids;
    size_t record_ids_capacity;
    char *array;
    size_t array_capacity; /* bytes */
} beam_grouping;

beam_status beam_grouping_build(beam_grouping *grouping, const beam_shuffle_layout *layout,
                                const beam_generation *generations, uint32_t partition);
void beam_grouping_free(beam_grouping *grouping);

/* ---- shuffle_spill.c ---- */

/* Writes all groups of the generations to a new run.  The budget knows of what a run takes of
 * memory, which goes with beam_run_free. */
beam_status beam_run_write(beam_shuffle *shuffle, beam_generation *generations, beam_run **run,
                           beam_error *err);
void beam_run_free(beam_shuffle *shuffle, beam_run *run);
/* Frees a list of runs that nobody will read, so that files give their room back. */
void beam_runs_forget(beam_shuffle *shuffle, beam_run *runs);
/* Makes fewer runs of a list with many, which is changed under the shuffle's lock only.  The list
 * holds the same groups whatever comes back. */
beam_status beam_runs_merge(beam_shuffle *shuffle, beam_run **runs, beam_error *err);
uint64_t beam_run_bytes(const beam_run *run);
/* Bytes to read of each run at once by a thread that reads so many. */
size_t beam_run_read_ahead(const beam_shuffle *shuffle, size_t runs);
/* When nobody writes any more. */
void beam_run_files_close(beam_shuffle *shuffle);

/* ---- shuffle_runs.c ---- */

int beam_run_compare_images(const void *a, size_t a_len, const void *b, size_t b_len);

/* One group in a run: this head, the key's image, then the values. */
typedef struct beam_run_block {
    uint64_t hash;
    uint64_t value_bytes;
    uint64_t count;
    uint32_t image_len, zero; /* no padding: heads are written as they are */
} beam_run_block;

/* Reads a run's blocks one after another. */
typedef struct beam_run_cursor {
    const beam_run *run;
    uint64_t at, end; /* file offset of the next block, end of the last partition */
    beam_run_block block;
    uint64_t values_at; /* file offset of the current block's values */
    beam_buffer image;  /* of its key */
    beam_buffer ahead;  /* file bytes read ahead, from ahead_at on */
    uint64_t ahead_at;
    size_t most_ahead;
} beam_run_cursor;

/* Some bytes of the current block's values, `from` its first on. */
beam_status beam_run_cursor_look(beam_run_cursor *cursor, uint64_t from, const uint8_t **bytes,
                                 size_t *n, beam_error *err);

/* Reads the blocks of some runs in order, those of one key together. */
typedef struct beam_run_merge {
    beam_run_cursor *cursors; /* one a run */
    size_t n;
    beam_run_cursor **heap; /* the least block first; behind it those of the key at hand */
    size_t n_heap, n_same;
} beam_run_merge;

/* Of a zeroed merge; RESOURCE_EXHAUSTED.  Close it whatever comes back. */
beam_status beam_run_merge_open(beam_run_merge *merge, const beam_shuffle *shuffle,
                                const beam_run *runs);
/* To before the partitions [first, last). */
void beam_run_merge_start(beam_run_merge *merge, uint32_t first, uint32_t last);
/* To the next key: n_same blocks, 0 at the end. */
beam_status beam_run_merge_next(beam_run_merge *merge, beam_error *err);
void beam_run_merge_close(beam_run_merge *merge);

static inline beam_run_cursor *const *beam_run_merge_blocks(const beam_run_merge *merge)
{
    return merge->heap + merge->n_heap;
}

/* Reads the kept values of a block one after another. */
typedef struct beam_run_values {
    const beam_run_cursor *block;
    uint64_t at, end;  /* file offsets of what is not in the buffer yet */
    uint64_t left;     /* values not yet read */
    beam_buffer bytes; /* a window on the file */
    size_t used;       /* of bytes */
    char *batch;       /* decoded values, stride apart */
    size_t batch_bytes;
    beam_arena memory; /* what decoded values point to */
} beam_run_values;

/* A zeroed beam_run_values is ready; each start goes to another block, whose cursor stays there
 * until the last value is read. */
void beam_run_values_start(beam_run_values *values, const beam_run_cursor *block);
/* Some of the next values (n == 0 at the end), which live until the next call. */
beam_status beam_run_values_next(beam_run_values *values, const beam_shuffle_layout *layout,
                                 const char **batch, size_t *n, beam_error *err);
void beam_run_values_free(beam_run_values *values);

#endif
