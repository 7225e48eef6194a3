/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* coders.c - coders as protos and back; schemas are in schema.c. */
#include "model/coders.h"

#include <beam/window.h>
#include <string.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/urn.h"
#include "type/layout.h"

/* Kinds whose coder is a URN over the coders of some of the type's fields. */
typedef struct coder_kind {
    beam_kind kind;
    const char *urn;
    uint32_t first, n; /* fields that are components */
} coder_kind;

static const coder_kind coder_kinds[] = {
    {BEAM_KIND_BOOL, BEAM_URN_CODER_BOOL, 0, 0},
    {BEAM_KIND_INT64, BEAM_URN_CODER_VARINT, 0, 0},
    {BEAM_KIND_DOUBLE, BEAM_URN_CODER_DOUBLE, 0, 0},
    {BEAM_KIND_STR, BEAM_URN_CODER_STRING, 0, 0},
    {BEAM_KIND_BYTES, BEAM_URN_CODER_BYTES, 0, 0},
    {BEAM_KIND_KV, BEAM_URN_CODER_KV, 0, 2},
    {BEAM_KIND_ITERABLE, BEAM_URN_CODER_ITERABLE, 0, 1},
    {BEAM_KIND_ITERABLE, BEAM_URN_CODER_STATE_BACKED_ITERABLE, 0, 1},
    {BEAM_KIND_NULLABLE, BEAM_URN_CODER_NULLABLE, 0, 1},
    {BEAM_KIND_LENGTH_PREFIX, BEAM_URN_CODER_LENGTH_PREFIX, 0, 1},
    {BEAM_KIND_GLOBAL_WINDOW, BEAM_URN_CODER_GLOBAL_WINDOW, 0, 0},
    {BEAM_KIND_INTERVAL_WINDOW, BEAM_URN_CODER_INTERVAL_WINDOW, 0, 0},
    {BEAM_KIND_CUSTOM_WINDOW, BEAM_URN_CODER_CUSTOM_WINDOW, 0, 1},
    {BEAM_KIND_SHARDED_KEY, BEAM_URN_CODER_SHARDED_KEY, 1, 1},
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- To protos ------------------------------------------------------------------------ */

static bool same_coder(const BeamPb__Coder *coder, const char *urn, const void *payload,
                       size_t payload_size, const char *const *components, size_t n)
{
    if (strcmp(coder->spec->urn, urn) != 0 || coder->spec->payload.len != payload_size ||
        coder->n_component_coder_ids != n)
        return false;
    if (payload_size && memcmp(coder->spec->payload.data, payload, payload_size) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(coder->component_coder_ids[i], components[i]) != 0)
            return false;
    return true;
}

static BeamPb__CoderEntry *new_entry(beam_coder_set *set, const char *urn, const void *payload,
                                     size_t payload_size, const char *const *components, size_t n)
{
    BeamPb__CoderEntry *entry = beam_message_new(&beam_pb__coder_entry__descriptor, set->arena);
    BeamPb__Coder *coder = beam_message_new(&beam_pb__coder__descriptor, set->arena);
    BeamPb__FunctionSpec *spec = beam_message_new(&beam_pb__function_spec__descriptor, set->arena);
    if (!entry || !coder || !spec)
        return NULL;
    entry->key = beam_arena_printf(set->arena, "coder_%zu", set->n);
    entry->value = coder;
    coder->spec = spec;
    spec->urn = beam_arena_strdup(set->arena, urn);
    coder->component_coder_ids = beam_arena_calloc(set->arena, n, sizeof(char *));
    if (payload_size) {
        spec->payload.data = beam_arena_copy(set->arena, payload, payload_size);
        spec->payload.len = payload_size;
    }
    if (!entry->key || !spec->urn || !coder->component_coder_ids ||
        (payload_size && !spec->payload.data))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!(coder->component_coder_ids[i] = beam_arena_strdup(set->arena, components[i])))
            return NULL;
    coder->n_component_coder_ids = n;
    return entry;
}

beam_status beam_coder_set_add(beam_coder_set *set, const char *urn, const void *payload,
                               size_t payload_size, const char *const *components,
                               size_t n_components, const char **id, beam_error *err)
{
    for (size_t i = 0; i < set->n; i++)
        if (same_coder(set->entries[i]->value, urn, payload, payload_size, components,
                       n_components)) {
            *id = set->entries[i]->key;
            return BEAM_OK;
        }
    BeamPb__CoderEntry *entry =
        new_entry(set, urn, payload, payload_size, components, n_components);
    if (!entry ||
        beam_grow((void **)&set->entries, &set->capacity, set->n + 1, sizeof *set->entries))
        return no_memory(err);
    set->entries[set->n++] = entry;
    *id = entry->key;
    return BEAM_OK;
}

void beam_coder_set_free(beam_coder_set *set)
{
    beam_free(set->entries);
    *set = (beam_coder_set){0};
}

/* A row, or as a row of one field what has no coder of its own. */
static beam_status add_row(beam_coder_set *set, const beam_type *type, const char **id,
                           beam_error *err)
{
    const beam_field bare_field = {BEAM_BARE_FIELD, type, 0};
    const beam_type bare = {.kind = BEAM_KIND_ROW, .n_fields = 1, .fields = &bare_field};
    bool is_row = type->kind == BEAM_KIND_ROW && !type->logical_urn;
    BeamPb__Schema *schema;
    ProtobufCBinaryData payload;
    BEAM_TRY(beam_schema_of_type(is_row ? type : &bare, set->arena, &schema, err));
    if (beam_message_pack_arena(schema, set->arena, &payload) != BEAM_OK)
        return no_memory(err);
    return beam_coder_set_add(set, BEAM_URN_CODER_ROW, payload.data, payload.len, NULL, 0, id, err);
}

beam_status beam_coder_set_type(beam_coder_set *set, const beam_type *type, const char **id,
                                beam_error *err)
{
    const coder_kind *known = NULL;
    for (size_t i = 0; i < sizeof coder_kinds / sizeof *coder_kinds && !known; i++)
        if (coder_kinds[i].kind == type->kind)
            known = &coder_kinds[i];
    if (!known || type->logical_urn)
        return add_row(set, type, id, err);
    const char *components[2];
    for (uint32_t i = 0; i < known->n; i++)
        BEAM_TRY(
            beam_coder_set_type(set, type->fields[known->first + i].type, &components[i], err));
    return beam_coder_set_add(set, known->urn, NULL, 0, components, known->n, id, err);
}

/* ---- From protos ---------------------------------------------------------------------- */

const BeamPb__Coder *beam_coder_find(beam_coder_map coders, const char *id)
{
    for (size_t i = 0; i < coders.n; i++)
        if (strcmp(coders.entries[i]->key, id) == 0)
            return coders.entries[i]->value;
    return NULL;
}

/* The coder of an id, with `n` components at least and a spec. */
static beam_status find_checked(beam_coder_map coders, const char *id, const BeamPb__Coder **coder,
                                beam_error *err)
{
    *coder = beam_coder_find(coders, id);
    if (!*coder)
        return beam_error_set(err, BEAM_NOT_FOUND, "there is no coder '%s'", id);
    if (!(*coder)->spec)
        return beam_error_set(err, BEAM_DATA_LOSS, "coder '%s' has no spec", id);
    return BEAM_OK;
}

static beam_status check_components(const BeamPb__Coder *coder, const char *id, size_t n,
                                    beam_error *err)
{
    if (coder->n_component_coder_ids == n)
        return BEAM_OK;
    return beam_error_set(err, BEAM_DATA_LOSS, "coder '%s' (%s) has %zu components, not %zu", id,
                          coder->spec->urn, coder->n_component_coder_ids, n);
}

static beam_status row_type(const BeamPb__FunctionSpec *spec, const char *id, beam_arena *arena,
                            const beam_type **type, beam_error *err)
{
    BeamPb__Schema *schema;
    beam_status status = beam_message_unpack(&beam_pb__schema__descriptor, spec->payload.data,
                                             spec->payload.len, &schema, err);
    if (status == BEAM_OK) {
        status = beam_type_of_schema(schema, arena, type, err);
        beam_message_free(schema);
    }
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "coder '%s'", id);
    /* What only rows hold travels alone as such a row; see BEAM_BARE_FIELD. */
    const beam_type *row = *type;
    if (row->n_fields == 1 && strcmp(row->fields[0].name, BEAM_BARE_FIELD) == 0)
        *type = row->fields[0].type;
    return BEAM_OK;
}

static const beam_type *scalar_type(beam_kind kind)
{
    switch (kind) {
    case BEAM_KIND_BOOL:
        return &beam_bool_type;
    case BEAM_KIND_INT64:
        return &beam_int64_type;
    case BEAM_KIND_DOUBLE:
        return &beam_double_type;
    case BEAM_KIND_STR:
        return &beam_str_type;
    case BEAM_KIND_BYTES:
        return &beam_bytes_type;
    case BEAM_KIND_GLOBAL_WINDOW:
        return &beam_global_window_type;
    default:
        return &beam_window_type;
    }
}

static beam_status make_type(beam_kind kind, const beam_type *const *parts, beam_arena *arena,
                             const beam_type **type, beam_error *err)
{
    switch (kind) {
    case BEAM_KIND_KV:
        return beam_type_make_kv(arena, parts[0], parts[1], type, err);
    case BEAM_KIND_ITERABLE:
        return beam_type_make_iterable(arena, parts[0], type, err);
    case BEAM_KIND_NULLABLE:
        return beam_type_make_nullable(arena, parts[0], type, err);
    case BEAM_KIND_LENGTH_PREFIX:
        return beam_type_make_length_prefix(arena, parts[0], type, err);
    case BEAM_KIND_CUSTOM_WINDOW:
        return beam_type_make_custom_window(arena, parts[0], type, err);
    case BEAM_KIND_SHARDED_KEY:
        return beam_type_make_sharded_key(arena, parts[0], type, err);
    default:
        *type = scalar_type(kind);
        return BEAM_OK;
    }
}

/* Components may be shared, so the same coder may be visited often: the bounds that
 * beam_type_make_* put on a type's parts end that early. */
static beam_status read_coder(beam_coder_map coders, const char *id, int depth, beam_arena *arena,
                              const beam_type **type, beam_error *err)
{
    const BeamPb__Coder *coder;
    const coder_kind *known = NULL;
    const beam_type *parts[2];
    if (depth > BEAM_TYPE_MAX_DEPTH)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "coder '%s' nests deeper than %d, or contains itself", id,
                              BEAM_TYPE_MAX_DEPTH);
    BEAM_TRY(find_checked(coders, id, &coder, err));
    if (strcmp(coder->spec->urn, BEAM_URN_CODER_ROW) == 0)
        return row_type(coder->spec, id, arena, type, err);
    for (size_t i = 0; i < sizeof coder_kinds / sizeof *coder_kinds && !known; i++)
        if (strcmp(coder_kinds[i].urn, coder->spec->urn) == 0)
            known = &coder_kinds[i];
    if (!known)
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "coder '%s' is of an unknown kind, '%s'", id,
                              coder->spec->urn);
    BEAM_TRY(check_components(coder, id, known->n, err));
    for (uint32_t i = 0; i < known->n; i++)
        BEAM_TRY(
            read_coder(coders, coder->component_coder_ids[i], depth + 1, arena, &parts[i], err));
    if (coders.bare && known->kind == BEAM_KIND_LENGTH_PREFIX) {
        *type = parts[0];
        return BEAM_OK;
    }
    return make_type(known->kind, parts, arena, type, err);
}

beam_status beam_coder_type(beam_coder_map coders, const char *id, beam_arena *arena,
                            const beam_type **type, beam_error *err)
{
    return read_coder(coders, id, 0, arena, type, err);
}

beam_status beam_coder_windowed(beam_coder_map coders, const char *id, beam_arena *arena,
                                const beam_type **element, const beam_type **window,
                                beam_error *err)
{
    const BeamPb__Coder *coder;
    BEAM_TRY(find_checked(coders, id, &coder, err));
    if (strcmp(coder->spec->urn, BEAM_URN_CODER_WINDOWED_VALUE) != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "coder '%s' is '%s', not '%s'", id,
                              coder->spec->urn, BEAM_URN_CODER_WINDOWED_VALUE);
    BEAM_TRY(check_components(coder, id, 2, err));
    BEAM_TRY(beam_coder_type(coders, coder->component_coder_ids[0], arena, element, err));
    return beam_coder_type(coders, coder->component_coder_ids[1], arena, window, err);
}
