/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* value.h - values in their C layout: copied, compared, hashed, shown. */
#ifndef TYPE_VALUE_H
#define TYPE_VALUE_H

#include <beam/type.h>

#include "base/arena.h"
#include "base/buffer.h"

/* Deep copy of one value into `dst` (type->size bytes), all it points to into the arena. An
 * iterable is read through and becomes an array (a state-backed one stays state-backed).
 * Tensor data is aligned to 64.  Errors: RESOURCE_EXHAUSTED, or that of an iterable's reader. */
beam_status beam_value_copy(const beam_type *type, void *dst, const void *src, beam_arena *arena);

/* Bytes that a deep copy takes outside type->size: what a buffer has to count. Of an iterable
 * that is no array only its handle counts. */
size_t beam_value_outer_size(const beam_type *type, const void *value);

/* A total order: false < true, numbers by size with -0.0 < 0.0 and NaNs last (by their
 * bits), text and bytes by their bytes, absent before present, sequences and fields one by
 * one in order, maps by their sorted entries, windows by their end, then their start, tensors
 * by dtype, shape and bytes, decimals by scale, then number.  0 exactly where
 * beam_value_equal is true.
 * An iterable that cannot be read ends where reading failed. */
int beam_value_compare(const beam_type *type, const void *a, const void *b);
/* Bits decide for floats: two values are equal if and only if they encode to equal bytes, but
 * for maps, whose entries may lie in any order. */
bool beam_value_equal(const beam_type *type, const void *a, const void *b);
/* Equal values have equal hashes. */
uint64_t beam_value_hash(const beam_type *type, const void *value);

/* Appends the value for people, as {key: "a", value: [1, 2]}, cut with "..." once it has
 * `limit` bytes or more. */
beam_status beam_value_print(const beam_type *type, const void *value, beam_buffer *out,
                             size_t limit);

#endif
