/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* coders.h - beam_types as Coder protos, and Coder protos as beam_types.
 *
 * Scalars, KVs, iterables and nullables have Beam's coder of that name; rows carry their
 * schema.  What only rows hold (see BEAM_BARE_FIELD) is coded alone as a row of one field.
 * A KV inside a row is a nested row, whose schema's id (BEAM_SCHEMA_ID_KV) tells it is one. */
#ifndef MODEL_CODERS_H
#define MODEL_CODERS_H

#include <beam/type.h>

#include "base/arena.h"
#include "model/proto/pipeline.pb-c.h"
#include "model/proto/schema.pb-c.h"

/* ---- To protos ------------------------------------------------------------------------ */

/* Coders on their way into a proto; equal ones are one.  Zero it, give it an arena: ids are
 * "coder_0", "coder_1", ... in order of first use.  Everything lives in the arena. */
typedef struct beam_coder_set {
    beam_arena *arena;
    BeamPb__CoderEntry **entries;
    size_t n, capacity; /* entries grow by beam_grow: beam_coder_set_free */
} beam_coder_set;

/* The id of a type's coder, added with its components where it is new.
 * BEAM_INVALID_ARGUMENT for a type that has none (a window inside a row). */
beam_status beam_coder_set_type(beam_coder_set *set, const beam_type *type, const char **id,
                                beam_error *err);
/* The id of any other coder, by its URN, payload and components' ids. */
beam_status beam_coder_set_add(beam_coder_set *set, const char *urn, const void *payload,
                               size_t payload_size, const char *const *components,
                               size_t n_components, const char **id, beam_error *err);
void beam_coder_set_free(beam_coder_set *set);

/* Java takes nothing but a UUID. */
#define BEAM_SCHEMA_ID_KV "6c696262-6561-4d00-8000-6b7600000001"

/* The schema of a row (or of a KV as a row), in the arena. */
beam_status beam_schema_of_type(const beam_type *type, beam_arena *arena, BeamPb__Schema **schema,
                                beam_error *err);

/* ---- From protos ---------------------------------------------------------------------- */

/* A map of coders as Components and ProcessBundleDescriptor hold it. */
typedef struct beam_coder_map {
    BeamPb__CoderEntry *const *entries;
    size_t n;
    bool bare; /* types are made without the length prefixes that an engine put in */
} beam_coder_map;

/* NULL when there is none of that id. */
const BeamPb__Coder *beam_coder_find(beam_coder_map coders, const char *id);

/* The element type that a coder describes, made in the arena; equal (beam_type_equal) to the
 * one it was written from, with the same C layout.  A length_prefix becomes a type of its own
 * kind (it changes the wire form), state_backed_iterable is an iterable.
 * BEAM_NOT_FOUND: a missing id; BEAM_DATA_LOSS: a wrong number of components, a bad schema;
 * BEAM_INVALID_ARGUMENT: too deep (a cycle) or too large; BEAM_UNIMPLEMENTED: a coder that no
 * beam_type stands for. */
beam_status beam_coder_type(beam_coder_map coders, const char *id, beam_arena *arena,
                            const beam_type **type, beam_error *err);
/* The parts of a windowed_value coder, as data ports have it. */
beam_status beam_coder_windowed(beam_coder_map coders, const char *id, beam_arena *arena,
                                const beam_type **element, const beam_type **window,
                                beam_error *err);
/* The type of rows of a schema. */
beam_status beam_type_of_schema(const BeamPb__Schema *schema, beam_arena *arena,
                                const beam_type **type, beam_error *err);

#endif
