/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* schema.c - types as Beam schemas and back.  The nesting of schemas that come from outside is
 * bounded by beam_message_unpack, that of our own types by beam/type.h's macros. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "model/coders.h"
#include "model/message.h"
#include "type/layout.h"

#define URN_MILLIS_INSTANT "beam:logical_type:millis_instant:v1"
#define URN_DECIMAL "beam:logical_type:decimal:v1"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- To protos ------------------------------------------------------------------------ */

static beam_status field_type_of(const beam_type *type, beam_arena *arena, BeamPb__FieldType **out,
                                 beam_error *err);

/* UNSPECIFIED for what is not atomic. */
static BeamPb__AtomicType atomic_of(beam_kind kind)
{
    switch (kind) {
    case BEAM_KIND_BOOL:
        return BEAM_PB__ATOMIC_TYPE__BOOLEAN;
    case BEAM_KIND_BYTE:
        return BEAM_PB__ATOMIC_TYPE__BYTE;
    case BEAM_KIND_INT16:
        return BEAM_PB__ATOMIC_TYPE__INT16;
    case BEAM_KIND_INT32:
        return BEAM_PB__ATOMIC_TYPE__INT32;
    case BEAM_KIND_INT64:
        return BEAM_PB__ATOMIC_TYPE__INT64;
    case BEAM_KIND_FLOAT:
        return BEAM_PB__ATOMIC_TYPE__FLOAT;
    case BEAM_KIND_DOUBLE:
        return BEAM_PB__ATOMIC_TYPE__DOUBLE;
    case BEAM_KIND_STR:
        return BEAM_PB__ATOMIC_TYPE__STRING;
    case BEAM_KIND_BYTES:
        return BEAM_PB__ATOMIC_TYPE__BYTES;
    default:
        return BEAM_PB__ATOMIC_TYPE__UNSPECIFIED;
    }
}

/* The row under the logical type that a tensor is. */
static const beam_field shape_element = {"element", &beam_int64_type, 0};
static const beam_type tensor_shape = {
    .kind = BEAM_KIND_LIST, .n_fields = 1, .fields = &shape_element};
static const beam_field tensor_fields[] = {
    {"dtype", &beam_int32_type, 0}, {"shape", &tensor_shape, 0}, {"data", &beam_bytes_type, 0}};
static const beam_type tensor_row = {.kind = BEAM_KIND_ROW, .n_fields = 3, .fields = tensor_fields};

/* A logical type's argument is kept as the bytes of its message (see beam_type), whose fields
 * the project's proto does not name: they pass through as unknown ones. */
static beam_status put_argument(BeamPb__LogicalType *logical, beam_bytes argument,
                                beam_arena *arena, beam_error *err)
{
    BeamPb__LogicalType *parsed;
    if (!argument.len)
        return BEAM_OK;
    BEAM_TRY(beam_message_unpack(&beam_pb__logical_type__descriptor, argument.at, argument.len,
                                 &parsed, err));
    size_t n = parsed->base.n_unknown_fields;
    ProtobufCMessageUnknownField *fields = beam_arena_calloc(arena, n, sizeof *fields);
    bool made = fields != NULL;
    for (size_t i = 0; made && i < n; i++) {
        fields[i] = parsed->base.unknown_fields[i];
        fields[i].data = beam_arena_copy(arena, fields[i].data, fields[i].len);
        made = fields[i].data != NULL;
    }
    beam_message_free(parsed);
    if (!made)
        return no_memory(err);
    logical->base.n_unknown_fields = (unsigned)n;
    logical->base.unknown_fields = fields;
    return BEAM_OK;
}

static beam_status logical_of(const char *urn, const beam_type *representation, beam_bytes argument,
                              beam_arena *arena, BeamPb__FieldType *out, beam_error *err)
{
    BeamPb__LogicalType *logical = beam_message_new(&beam_pb__logical_type__descriptor, arena);
    if (!logical)
        return no_memory(err);
    out->type_info_case = BEAM_PB__FIELD_TYPE__TYPE_INFO_LOGICAL_TYPE;
    out->logical_type = logical;
    logical->urn = beam_arena_strdup(arena, urn);
    if (!logical->urn)
        return no_memory(err);
    BEAM_TRY(put_argument(logical, argument, arena, err));
    return field_type_of(representation, arena, &logical->representation, err);
}

static beam_status row_of(const beam_type *type, beam_arena *arena, BeamPb__FieldType *out,
                          beam_error *err)
{
    BeamPb__RowType *row = beam_message_new(&beam_pb__row_type__descriptor, arena);
    if (!row)
        return no_memory(err);
    out->type_info_case = BEAM_PB__FIELD_TYPE__TYPE_INFO_ROW_TYPE;
    out->row_type = row;
    return beam_schema_of_type(type, arena, &row->schema, err);
}

static beam_status container_of(const beam_type *type, beam_arena *arena, BeamPb__FieldType *out,
                                beam_error *err)
{
    const beam_type *inner = beam_type_inner(type);
    if (type->kind == BEAM_KIND_LIST) {
        BeamPb__ArrayType *array = beam_message_new(&beam_pb__array_type__descriptor, arena);
        if (!array)
            return no_memory(err);
        out->type_info_case = BEAM_PB__FIELD_TYPE__TYPE_INFO_ARRAY_TYPE;
        out->array_type = array;
        return field_type_of(inner, arena, &array->element_type, err);
    }
    if (type->kind == BEAM_KIND_ITERABLE) {
        BeamPb__IterableType *iterable =
            beam_message_new(&beam_pb__iterable_type__descriptor, arena);
        if (!iterable)
            return no_memory(err);
        out->type_info_case = BEAM_PB__FIELD_TYPE__TYPE_INFO_ITERABLE_TYPE;
        out->iterable_type = iterable;
        return field_type_of(inner, arena, &iterable->element_type, err);
    }
    BeamPb__MapType *map = beam_message_new(&beam_pb__map_type__descriptor, arena);
    if (!map)
        return no_memory(err);
    out->type_info_case = BEAM_PB__FIELD_TYPE__TYPE_INFO_MAP_TYPE;
    out->map_type = map;
    BEAM_TRY(field_type_of(inner->fields[0].type, arena, &map->key_type, err));
    return field_type_of(inner->fields[1].type, arena, &map->value_type, err);
}

static beam_status fill_field_type(const beam_type *type, beam_arena *arena, BeamPb__FieldType *out,
                                   beam_error *err)
{
    char text[256];
    const beam_bytes none = {NULL, 0};
    if (atomic_of(type->kind) != BEAM_PB__ATOMIC_TYPE__UNSPECIFIED) {
        out->type_info_case = BEAM_PB__FIELD_TYPE__TYPE_INFO_ATOMIC_TYPE;
        out->atomic_type = atomic_of(type->kind);
        return BEAM_OK;
    }
    switch (type->kind) {
    case BEAM_KIND_TENSOR:
        return logical_of(BEAM_URN_TENSOR, &tensor_row, none, arena, out, err);
    case BEAM_KIND_TIMESTAMP:
        return logical_of(URN_MILLIS_INSTANT, &beam_int64_type, none, arena, out, err);
    case BEAM_KIND_DECIMAL:
        return logical_of(URN_DECIMAL, &beam_bytes_type, none, arena, out, err);
    case BEAM_KIND_ROW:
    case BEAM_KIND_KV:
        return row_of(type, arena, out, err);
    case BEAM_KIND_LIST:
    case BEAM_KIND_MAP:
    case BEAM_KIND_ITERABLE:
        return container_of(type, arena, out, err);
    default:
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "no field of a row can be a %s",
                              beam_type_describe(type, text, sizeof text));
    }
}

static beam_status field_type_of(const beam_type *type, beam_arena *arena, BeamPb__FieldType **out,
                                 beam_error *err)
{
    BeamPb__FieldType *field = beam_message_new(&beam_pb__field_type__descriptor, arena);
    if (!field)
        return no_memory(err);
    *out = field;
    if (type->kind == BEAM_KIND_NULLABLE) {
        field->nullable = true;
        type = beam_type_inner(type);
    }
    if (!type->logical_urn || type->kind == BEAM_KIND_TENSOR)
        return fill_field_type(type, arena, field, err);
    beam_type representation = *type;
    representation.logical_urn = NULL;
    representation.logical_argument = (beam_bytes){NULL, 0};
    return logical_of(type->logical_urn, &representation, type->logical_argument, arena, field,
                      err);
}

beam_status beam_schema_of_type(const beam_type *type, beam_arena *arena, BeamPb__Schema **schema,
                                beam_error *err)
{
    BeamPb__Schema *s = beam_message_new(&beam_pb__schema__descriptor, arena);
    if (!s || !(s->fields = beam_arena_calloc(arena, type->n_fields, sizeof *s->fields)))
        return no_memory(err);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        BeamPb__Field *field = beam_message_new(&beam_pb__field__descriptor, arena);
        if (!field || !(field->name = beam_arena_strdup(arena, type->fields[i].name)))
            return no_memory(err);
        field->id = (int32_t)i;
        field->encoding_position = (int32_t)i;
        s->fields[i] = field;
        BEAM_TRY(field_type_of(type->fields[i].type, arena, &field->type, err));
    }
    s->n_fields = type->n_fields;
    if (type->kind == BEAM_KIND_KV)
        s->id = (char *)BEAM_SCHEMA_ID_KV;
    for (uint32_t i = 0; type->encoding_order && i < type->n_fields; i++)
        s->fields[type->encoding_order[i]]->encoding_position = (int32_t)i;
    s->encoding_positions_set = type->encoding_order != NULL;
    *schema = s;
    return BEAM_OK;
}

/* ---- From protos ---------------------------------------------------------------------- */

static beam_status type_of_field(const BeamPb__FieldType *field, beam_arena *arena,
                                 const beam_type **type, beam_error *err);

static beam_status type_of_atomic(BeamPb__AtomicType atomic, const beam_type **type,
                                  beam_error *err)
{
    static const beam_type *const types[] = {&beam_bool_type,   &beam_byte_type,  &beam_int16_type,
                                             &beam_int32_type,  &beam_int64_type, &beam_float_type,
                                             &beam_double_type, &beam_str_type,   &beam_bytes_type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (atomic_of(types[i]->kind) == atomic) {
            *type = types[i];
            return BEAM_OK;
        }
    return beam_error_set(err, BEAM_DATA_LOSS, "a schema has an unknown atomic type, %d",
                          (int)atomic);
}

/* The argument of a logical type as the bytes of a message that has nothing else. */
static beam_status argument_of(const BeamPb__LogicalType *logical, beam_arena *arena,
                               beam_bytes *argument, beam_error *err)
{
    BeamPb__LogicalType only = BEAM_PB__LOGICAL_TYPE__INIT;
    ProtobufCBinaryData bytes;
    only.base.n_unknown_fields = logical->base.n_unknown_fields;
    only.base.unknown_fields = logical->base.unknown_fields;
    if (beam_message_pack_arena(&only, arena, &bytes) != BEAM_OK)
        return no_memory(err);
    *argument = (beam_bytes){bytes.data, bytes.len};
    return BEAM_OK;
}

static beam_status type_of_logical(const BeamPb__LogicalType *logical, beam_arena *arena,
                                   const beam_type **type, beam_error *err)
{
    static const struct {
        const char *urn;
        const beam_type *type, *representation;
    } known[] = {{BEAM_URN_TENSOR, &beam_tensor_type, &tensor_row},
                 {URN_MILLIS_INSTANT, &beam_timestamp_type, &beam_int64_type},
                 {URN_DECIMAL, &beam_decimal_type, &beam_bytes_type}};
    const beam_type *base;
    beam_bytes argument;
    BEAM_TRY(type_of_field(logical->representation, arena, &base, err));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].urn, logical->urn) != 0)
            continue;
        if (!beam_type_equal(base, known[i].representation))
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "logical type '%s' is over another representation than its own",
                                  logical->urn);
        *type = known[i].type;
        return BEAM_OK;
    }
    BEAM_TRY(argument_of(logical, arena, &argument, err));
    return beam_type_make_logical(arena, base, logical->urn, argument, type, err);
}

static beam_status type_of_map(const BeamPb__MapType *map, beam_arena *arena,
                               const beam_type **type, beam_error *err)
{
    const beam_type *key, *value;
    BEAM_TRY(type_of_field(map->key_type, arena, &key, err));
    BEAM_TRY(type_of_field(map->value_type, arena, &value, err));
    return beam_type_make_map(arena, key, value, type, err);
}

static beam_status type_of_plain(const BeamPb__FieldType *field, beam_arena *arena,
                                 const beam_type **type, beam_error *err)
{
    const beam_type *inner;
    switch (field->type_info_case) {
    case BEAM_PB__FIELD_TYPE__TYPE_INFO_ATOMIC_TYPE:
        return type_of_atomic(field->atomic_type, type, err);
    case BEAM_PB__FIELD_TYPE__TYPE_INFO_ARRAY_TYPE:
        BEAM_TRY(type_of_field(field->array_type->element_type, arena, &inner, err));
        return beam_type_make_list(arena, inner, type, err);
    case BEAM_PB__FIELD_TYPE__TYPE_INFO_ITERABLE_TYPE:
        BEAM_TRY(type_of_field(field->iterable_type->element_type, arena, &inner, err));
        return beam_type_make_iterable(arena, inner, type, err);
    case BEAM_PB__FIELD_TYPE__TYPE_INFO_MAP_TYPE:
        return type_of_map(field->map_type, arena, type, err);
    case BEAM_PB__FIELD_TYPE__TYPE_INFO_ROW_TYPE:
        return beam_type_of_schema(field->row_type->schema, arena, type, err);
    case BEAM_PB__FIELD_TYPE__TYPE_INFO_LOGICAL_TYPE:
        return type_of_logical(field->logical_type, arena, type, err);
    default:
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "a schema has a field of a kind that is not known");
    }
}

static beam_status type_of_field(const BeamPb__FieldType *field, beam_arena *arena,
                                 const beam_type **type, beam_error *err)
{
    if (!field)
        return beam_error_set(err, BEAM_DATA_LOSS, "a schema has a field without a type");
    BEAM_TRY(type_of_plain(field, arena, type, err));
    return field->nullable ? beam_type_make_nullable(arena, *type, type, err) : BEAM_OK;
}

/* A schema that says it is a KV's has its two fields. */
static beam_status make_kv_of_row(const beam_type *row, beam_arena *arena, const beam_type **type,
                                  beam_error *err)
{
    if (row->n_fields != 2)
        return beam_error_set(err, BEAM_DATA_LOSS, "the schema of a KV has %u fields, not 2",
                              row->n_fields);
    return beam_type_make_kv(arena, row->fields[0].type, row->fields[1].type, type, err);
}

/* Positions as beam_type_make_row wants them, or NULL when fields are in order. */
static beam_status positions_of(const BeamPb__Schema *schema, beam_arena *arena,
                                const uint32_t **positions, beam_error *err)
{
    *positions = NULL;
    if (!schema->encoding_positions_set)
        return BEAM_OK;
    uint32_t *p = beam_arena_calloc(arena, schema->n_fields, sizeof *p);
    if (!p)
        return no_memory(err);
    for (size_t i = 0; i < schema->n_fields; i++)
        p[i] = (uint32_t)schema->fields[i]->encoding_position; /* negative: past any bound */
    *positions = p;
    return BEAM_OK;
}

beam_status beam_type_of_schema(const BeamPb__Schema *schema, beam_arena *arena,
                                const beam_type **type, beam_error *err)
{
    const uint32_t *positions;
    if (!schema)
        return beam_error_set(err, BEAM_DATA_LOSS, "a row has no schema");
    beam_field *fields = beam_arena_calloc(arena, schema->n_fields, sizeof *fields);
    if (!fields)
        return no_memory(err);
    for (size_t i = 0; i < schema->n_fields; i++) {
        fields[i].name = schema->fields[i]->name;
        BEAM_TRY(type_of_field(schema->fields[i]->type, arena, &fields[i].type, err));
    }
    BEAM_TRY(positions_of(schema, arena, &positions, err));
    BEAM_TRY(beam_type_make_row(arena, fields, schema->n_fields, positions, type, err));
    if (strcmp(schema->id, BEAM_SCHEMA_ID_KV) == 0)
        return make_kv_of_row(*type, arena, type, err);
    return BEAM_OK;
}
