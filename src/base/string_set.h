/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* string_set.h - what a BEAM_STRING_SET metric holds: texts, each once, in the order in which they
 * came.  Thread-safe: a runner looks at a set while a function adds to it. */
#ifndef BASE_STRING_SET_H
#define BASE_STRING_SET_H

#include <stddef.h>

#include <beam/fn.h>

/* Bytes of all its texts; what does not fit is left out, as Beam's SDKs do. */
enum { BEAM_STRING_SET_BYTES = 1 << 20 };

/* NULL when memory is out. */
beam_string_set *beam_string_set_new(void);
void beam_string_set_free(beam_string_set *set);
/* BEAM_OUT_OF_RANGE: it is full; BEAM_RESOURCE_EXHAUSTED: memory is. The set is as it was. */
beam_status beam_string_set_insert(beam_string_set *set, const char *text, size_t len);
/* Adds to `set` all that is in `other`, as far as it goes in. */
beam_status beam_string_set_merge(beam_string_set *set, const beam_string_set *other);
void beam_string_set_clear(beam_string_set *set);
bool beam_string_set_is_empty(const beam_string_set *set);

#endif
