/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* library.h - the functions that the library's own transforms run.  They are listed in
 * library.c, where a worker finds them. */
#ifndef GRAPH_LIBRARY_H
#define GRAPH_LIBRARY_H

#include <beam/fn.h>
#include <string.h>

#include "base/arena.h"

/* ---- Functions that make elements of parts of others (made.c) ------------------------- */

/* A part of the input that becomes a part of the output. */
typedef struct beam_part {
    size_t from, to, size;
} beam_part;

enum { BEAM_MADE_PARTS = 3 };

/* The state of such a function. */
typedef struct beam_made {
    char *values; /* `batch` of the output's type, all zero but for constant parts */
    size_t batch, in_size, out_size;
    beam_part parts[BEAM_MADE_PARTS];
    uint32_t n_parts;
    uint64_t next;    /* a counter that starts elsewhere in each instance */
    beam_arena arena; /* what constant parts point to */
} beam_made;

/* For `setup`: allocates the values. Then add the parts. */
beam_status beam_made_setup(beam_ctx *ctx);
/* The part at `from` of the input, field `to` of the output. */
void beam_made_field(beam_made *made, size_t from, size_t to_offset, const beam_field *to);
/* Copies the first value, with its constant parts, to all others. */
void beam_made_repeat(beam_made *made);
/* process, process_batch and teardown. */
beam_status beam_made_process(beam_ctx *ctx, const void *element);
beam_status beam_made_process_batch(beam_ctx *ctx, const void *elements, size_t n);
void beam_made_teardown(beam_ctx *ctx);

/* Fills in the parts of one value. */
static inline void beam_made_fill(const beam_made *made, char *value, const void *element)
{
    for (uint32_t i = 0; i < made->n_parts; i++) {
        const beam_part *part = &made->parts[i];
        const char *from = (const char *)element + part->from;
        if (part->size == 8) /* the common sizes, without a call */
            memcpy(value + part->to, from, 8);
        else if (part->size == 16)
            memcpy(value + part->to, from, 16);
        else
            memcpy(value + part->to, from, part->size);
    }
}

/* ---- The functions -------------------------------------------------------------------- */

/* Bytes of encoded values that travel in a config. */
#define BEAM_ENCODED_CONFIG_(FIELD, S) FIELD(S, beam_int64, count) FIELD(S, beam_bytes, bytes)
BEAM_STRUCT(beam_encoded_config, BEAM_ENCODED_CONFIG_);

/* primitives.c: T to itself. */
extern const beam_dofn beam_pass_fn;

/* create.c: beam_bytes to T; decodes the config's values. */
extern const beam_dofn beam_create_fn;

/* transforms_kv.c */
extern const beam_dofn beam_keys_fn;      /* KV<K, V> to K */
extern const beam_dofn beam_values_fn;    /* KV<K, V> to V */
extern const beam_dofn beam_kv_swap_fn;   /* KV<K, V> to KV<V, K> */
extern const beam_dofn beam_with_keys_fn; /* T to KV<K, T>; K is the config's value */
extern const beam_dofn beam_pair_fn;      /* T to KV<T, beam_bool>, false */

/* transforms_shard.c: parts of a combine with fan-out, and of one that found nothing. */
#define BEAM_SHARD_CONFIG_(FIELD, S) FIELD(S, beam_int64, shards)
BEAM_STRUCT(beam_shard_config, BEAM_SHARD_CONFIG_);
extern const beam_dofn beam_add_shard_fn;   /* KV<K, V> to KV<KV<beam_int64, K>, V> */
extern const beam_dofn beam_drop_shard_fn;  /* KV<KV<beam_int64, K>, V> to KV<K, V> */
extern const beam_dofn beam_empty_group_fn; /* beam_bytes to KV<beam_int64, iterable<T>> */

/* transforms_reshuffle.c */
extern const beam_dofn beam_reshuffle_pair_fn;    /* T to KV<beam_int64, KV<T, info>> */
extern const beam_dofn beam_reshuffle_restore_fn; /* its groups to T */

/* transforms_co_group.c */
#define BEAM_TAG_CONFIG_(FIELD, S) FIELD(S, beam_int64, tag)
BEAM_STRUCT(beam_tag_config, BEAM_TAG_CONFIG_);
extern const beam_dofn beam_tag_fn;      /* KV<K, Vi> to KV<K, union> */
extern const beam_dofn beam_co_group_fn; /* KV<K, iterable<union>> to KV<K, row of iterables> */

/* transforms_count.c: whether there was anything. */
extern const beam_combinefn beam_any_combine;

/* transforms_top.c */
#define BEAM_TOP_CONFIG_(FIELD, S) \
    FIELD(S, beam_int64, n) FIELD(S, beam_int64, seed) FIELD(S, beam_bool, smallest)
BEAM_STRUCT(beam_top_config, BEAM_TOP_CONFIG_);
extern const beam_combinefn beam_top_combine;    /* T to iterable<T>, in order */
extern const beam_combinefn beam_sample_combine; /* T to iterable<T>; priorities travel along */

/* testing.c */
extern const beam_dofn beam_in_window_fn; /* T to T; elements of the config's window */
extern const beam_dofn beam_check_fn;     /* KV<beam_int64, iterable<T>> to nothing */

#endif
