/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* layout.h - types made at run time, from a coder in a pipeline proto for example.  They have
 * the C layout that the macros of beam/type.h and a C compiler give the same fields. */
#ifndef TYPE_LAYOUT_H
#define TYPE_LAYOUT_H

#include <beam/type.h>

#include "base/arena.h"

/* What a type may be at most.  Protos are foreign: without bounds a few hundred bytes of
 * shared components describe a type of 2^64 parts. */
enum {
    BEAM_TYPE_MAX_DEPTH = 64,      /* types inside types */
    BEAM_TYPE_MAX_PARTS = 1 << 14, /* counted as a tree */
    BEAM_TYPE_MAX_SIZE = 1 << 20   /* bytes of C layout */
};

/* All put the type into `arena` and keep pointers to the types they are given, which must
 * live as long; names are copied.  Errors: INVALID_ARGUMENT for what cannot be (a bound
 * passed, a map key that is not a scalar or text, two fields of one name), and
 * RESOURCE_EXHAUSTED. */
beam_status beam_type_make_kv(beam_arena *arena, const beam_type *key, const beam_type *value,
                              const beam_type **out, beam_error *err);
beam_status beam_type_make_iterable(beam_arena *arena, const beam_type *element,
                                    const beam_type **out, beam_error *err);
beam_status beam_type_make_nullable(beam_arena *arena, const beam_type *value,
                                    const beam_type **out, beam_error *err);
beam_status beam_type_make_list(beam_arena *arena, const beam_type *element, const beam_type **out,
                                beam_error *err);
/* A row's map; makes the entry KV too. */
beam_status beam_type_make_map(beam_arena *arena, const beam_type *key, const beam_type *value,
                               const beam_type **out, beam_error *err);
/* Fields' names and types; their offsets are computed.  `encoding_positions`: where each
 * field stands on the wire, a permutation of 0..n-1; NULL: in order. */
beam_status beam_type_make_row(beam_arena *arena, const beam_field *fields, size_t n,
                               const uint32_t *encoding_positions, const beam_type **out,
                               beam_error *err);
/* `base` under another logical URN and argument (see beam_type; both are copied). */
beam_status beam_type_make_logical(beam_arena *arena, const beam_type *base, const char *urn,
                                   beam_bytes argument, const beam_type **out, beam_error *err);
/* Engines' coders. */
beam_status beam_type_make_length_prefix(beam_arena *arena, const beam_type *value,
                                         const beam_type **out, beam_error *err);
beam_status beam_type_make_sharded_key(beam_arena *arena, const beam_type *key,
                                       const beam_type **out, beam_error *err);
/* `window`: beam_window_type (or a length prefix over it). */
beam_status beam_type_make_custom_window(beam_arena *arena, const beam_type *window,
                                         const beam_type **out, beam_error *err);

/* Types of beam/window.h's beam_window, next to beam_window_type. */
extern const beam_type beam_global_window_type;

/* The type without the length prefixes around it. */
static inline const beam_type *beam_type_bare(const beam_type *type)
{
    while (type->kind == BEAM_KIND_LENGTH_PREFIX)
        type = type->fields[0].type;
    return type;
}

/* The element of an iterable, list or map (its entry), the value of a nullable. */
static inline const beam_type *beam_type_inner(const beam_type *type)
{
    return type->fields[0].type;
}

#endif
