/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "type/layout.h"

#include <beam/window.h>
#include <string.h>

/* Counts the parts of a type as a tree, no further than `budget`; false when there are more
 * or they lie deeper than `depth`.  Types made before are within bounds, so each call costs
 * at most the budget. */
static bool within(const beam_type *type, unsigned depth, unsigned *budget)
{
    if (depth == 0 || *budget == 0)
        return false;
    --*budget;
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (!within(type->fields[i].type, depth - 1, budget))
            return false;
    return true;
}

static beam_status check_bounds(const beam_type *type, beam_error *err)
{
    unsigned budget = BEAM_TYPE_MAX_PARTS;
    if (!within(type, BEAM_TYPE_MAX_DEPTH, &budget))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the type is deeper than %d or has more than %d parts",
                              BEAM_TYPE_MAX_DEPTH, BEAM_TYPE_MAX_PARTS);
    if (type->size > BEAM_TYPE_MAX_SIZE)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a value of the type would take %zu bytes, at most %d are held",
                              type->size, BEAM_TYPE_MAX_SIZE);
    return BEAM_OK;
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a type");
}

static size_t round_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

/* Lays `n` fields out behind `head` bytes, as a C compiler does. */
static void lay_out(beam_type *type, beam_field *fields, size_t n, size_t head)
{
    size_t at = head, align = 1;
    for (size_t i = 0; i < n; i++) {
        const beam_type *t = fields[i].type;
        fields[i].offset = round_up(at, t->align);
        at = fields[i].offset + t->size;
        if (align < t->align)
            align = t->align;
    }
    type->fields = fields;
    type->n_fields = (uint32_t)n;
    type->align = align;
    type->size = round_up(at ? at : 1, align); /* at least 1: values have addresses */
}

/* A type of `n` fields from a template: `kind` and, for handles, size and align are set. */
static beam_status make(beam_arena *arena, beam_kind kind, const beam_field *fields, size_t n,
                        size_t handle, const beam_type **out, beam_error *err)
{
    beam_type *type = beam_arena_calloc(arena, 1, sizeof *type);
    beam_field *copies = beam_arena_copy(arena, fields, n * sizeof *fields);
    if (!type || !copies)
        return no_memory(err);
    type->kind = kind;
    lay_out(type, copies, n, kind == BEAM_KIND_NULLABLE ? sizeof(bool) : 0);
    if (handle) {
        copies[0].offset = 0;
        type->size = handle;
        type->align = _Alignof(void *);
    }
    BEAM_TRY(check_bounds(type, err));
    *out = type;
    return BEAM_OK;
}

beam_status beam_type_make_kv(beam_arena *arena, const beam_type *key, const beam_type *value,
                              const beam_type **out, beam_error *err)
{
    const beam_field fields[] = {{"key", key, 0}, {"value", value, 0}};
    return make(arena, BEAM_KIND_KV, fields, 2, 0, out, err);
}

beam_status beam_type_make_iterable(beam_arena *arena, const beam_type *element,
                                    const beam_type **out, beam_error *err)
{
    const beam_field field = {"element", element, 0};
    return make(arena, BEAM_KIND_ITERABLE, &field, 1, sizeof(beam_iterable), out, err);
}

beam_status beam_type_make_nullable(beam_arena *arena, const beam_type *value,
                                    const beam_type **out, beam_error *err)
{
    const beam_field field = {"value", value, 0};
    return make(arena, BEAM_KIND_NULLABLE, &field, 1, 0, out, err);
}

beam_status beam_type_make_list(beam_arena *arena, const beam_type *element, const beam_type **out,
                                beam_error *err)
{
    const beam_field field = {"element", element, 0};
    return make(arena, BEAM_KIND_LIST, &field, 1, sizeof(beam_list), out, err);
}

/* What Beam's schemas allow as the key of a map: the atomic types. */
static bool may_key_a_map(const beam_type *type)
{
    return type->kind >= BEAM_KIND_BOOL && type->kind <= BEAM_KIND_BYTES;
}

beam_status beam_type_make_map(beam_arena *arena, const beam_type *key, const beam_type *value,
                               const beam_type **out, beam_error *err)
{
    char text[128];
    if (!may_key_a_map(key))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s cannot be the key of a map, which is a scalar, text or bytes",
                              beam_type_describe(key, text, sizeof text));
    const beam_type *entry;
    BEAM_TRY(beam_type_make_kv(arena, key, value, &entry, err));
    const beam_field field = {"entry", entry, 0};
    return make(arena, BEAM_KIND_MAP, &field, 1, sizeof(beam_list), out, err);
}

beam_status beam_type_make_length_prefix(beam_arena *arena, const beam_type *value,
                                         const beam_type **out, beam_error *err)
{
    const beam_field field = {"value", value, 0};
    return make(arena, BEAM_KIND_LENGTH_PREFIX, &field, 1, 0, out, err);
}

beam_status beam_type_make_sharded_key(beam_arena *arena, const beam_type *key,
                                       const beam_type **out, beam_error *err)
{
    const beam_field fields[] = {{"shard_id", &beam_bytes_type, 0}, {"key", key, 0}};
    return make(arena, BEAM_KIND_SHARDED_KEY, fields, 2, 0, out, err);
}

beam_status beam_type_make_custom_window(beam_arena *arena, const beam_type *window,
                                         const beam_type **out, beam_error *err)
{
    if (beam_type_bare(window)->kind != BEAM_KIND_INTERVAL_WINDOW)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "custom windows are read over interval windows only");
    const beam_field field = {"window", window, 0};
    return make(arena, BEAM_KIND_CUSTOM_WINDOW, &field, 1, 0, out, err);
}

/* ---- Rows ----------------------------------------------------------------------------- */

/* Turns positions (field -> place on the wire) round into an order (place -> field); *out
 * is NULL when they are in order anyway. */
static beam_status wire_order(beam_arena *arena, const uint32_t *positions, size_t n,
                              const uint32_t **out, beam_error *err)
{
    *out = NULL;
    bool trivial = true;
    for (size_t i = 0; positions && i < n; i++)
        trivial = trivial && positions[i] == i;
    if (!positions || trivial)
        return BEAM_OK;
    uint32_t *order = beam_arena_alloc(arena, n * sizeof *order);
    if (!order)
        return no_memory(err);
    memset(order, 0xff, n * sizeof *order);
    for (size_t i = 0; i < n; i++) {
        if (positions[i] >= n || order[positions[i]] != UINT32_MAX)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "a row's encoding positions are no permutation: field %zu has "
                                  "position %u, which %s",
                                  i, positions[i],
                                  positions[i] >= n ? "is past the last field" : "is taken");
        order[positions[i]] = (uint32_t)i;
    }
    *out = order;
    return BEAM_OK;
}

static beam_status copy_names(beam_arena *arena, beam_field *fields, size_t n, beam_error *err)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            if (strcmp(fields[i].name, fields[k].name) == 0)
                return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a row has two fields named '%s'",
                                      fields[i].name);
        fields[i].name = beam_arena_strdup(arena, fields[i].name);
        if (!fields[i].name)
            return no_memory(err);
    }
    return BEAM_OK;
}

beam_status beam_type_make_row(beam_arena *arena, const beam_field *fields, size_t n,
                               const uint32_t *encoding_positions, const beam_type **out,
                               beam_error *err)
{
    if (n >= BEAM_TYPE_MAX_PARTS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a row of %zu fields, at most %d are held", n,
                              BEAM_TYPE_MAX_PARTS - 1);
    beam_type *type = beam_arena_calloc(arena, 1, sizeof *type);
    beam_field *copies = beam_arena_copy(arena, fields, n * sizeof *fields);
    if (!type || !copies)
        return no_memory(err);
    BEAM_TRY(copy_names(arena, copies, n, err));
    BEAM_TRY(wire_order(arena, encoding_positions, n, &type->encoding_order, err));
    type->kind = BEAM_KIND_ROW;
    lay_out(type, copies, n, 0);
    BEAM_TRY(check_bounds(type, err));
    *out = type;
    return BEAM_OK;
}

beam_status beam_type_make_logical(beam_arena *arena, const beam_type *base, const char *urn,
                                   beam_bytes argument, const beam_type **out, beam_error *err)
{
    beam_type *type = beam_arena_copy(arena, base, sizeof *base);
    if (!type)
        return no_memory(err);
    type->logical_urn = beam_arena_strdup(arena, urn);
    type->logical_argument =
        (beam_bytes){beam_arena_copy(arena, argument.at, argument.len), argument.len};
    if (!type->logical_urn || !type->logical_argument.at)
        return no_memory(err);
    *out = type;
    return BEAM_OK;
}
