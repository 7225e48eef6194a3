/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* schema_proto.c - see schema_proto.h. */
#include "schema_proto.h"

#include <string.h>

enum { MAX_FIELDS = 32 };

/* One field of a message: a varint's value, or the bytes of a length-delimited one. */
typedef struct wire_field {
    uint64_t number, value;
    beam_reader bytes;
} wire_field;

static beam_status next_field(beam_reader *in, wire_field *f)
{
    uint64_t tag;
    BEAM_TRY(beam_read_varint(in, &tag));
    BEAM_TRY(beam_read_varint(in, &f->value));
    f->number = tag >> 3;
    if ((tag & 7) == 0)
        return BEAM_OK;
    const uint8_t *at;
    if ((tag & 7) != 2)
        return BEAM_UNIMPLEMENTED;
    BEAM_TRY(beam_read_bytes(in, (size_t)f->value, &at));
    f->bytes = beam_reader_of(at, (size_t)f->value);
    return BEAM_OK;
}

static char *text_of(beam_arena *arena, beam_reader bytes)
{
    return beam_arena_strndup(arena, (const char *)bytes.at, beam_reader_left(&bytes));
}

static const beam_type *atomic_type(uint64_t number)
{
    static const beam_type *const types[] = {
        NULL,
        &beam_byte_type,
        &beam_int16_type,
        &beam_int32_type,
        &beam_int64_type,
        &beam_float_type,
        &beam_double_type,
        &beam_str_type,
        &beam_bool_type,
        &beam_bytes_type,
    };
    return number < sizeof types / sizeof *types ? types[number] : NULL;
}

static beam_status field_type(beam_arena *arena, beam_reader in, const beam_type **out,
                              beam_error *err);

/* The i-th FieldType member of a small message (ArrayType, MapType). */
static beam_status member(beam_arena *arena, beam_reader in, uint64_t number, const beam_type **out,
                          beam_error *err)
{
    wire_field f;
    while (in.at != in.end) {
        BEAM_TRY(next_field(&in, &f));
        if (f.number == number)
            return field_type(arena, f.bytes, out, err);
    }
    return BEAM_NOT_FOUND;
}

static beam_status logical_type(beam_arena *arena, beam_reader in, const beam_type **out,
                                beam_error *err)
{
    const beam_type *base = NULL;
    const char *urn = NULL;
    beam_bytes argument = {"", 0};
    wire_field f;
    while (in.at != in.end) {
        const uint8_t *start = in.at;
        BEAM_TRY(next_field(&in, &f));
        if (f.number == 1)
            urn = text_of(arena, f.bytes);
        else if (f.number == 3)
            BEAM_TRY(field_type(arena, f.bytes, &base, err));
        else if (f.number == 4) /* argument_type and argument stand at the end */
            argument = (beam_bytes){start, (size_t)(in.end - start)};
    }
    if (!urn || !base)
        return BEAM_NOT_FOUND;
    if (strcmp(urn, "beam:logical_type:millis_instant:v1") == 0) {
        *out = &beam_timestamp_type;
        return BEAM_OK;
    }
    if (strcmp(urn, "beam:logical_type:decimal:v1") == 0) {
        *out = &beam_decimal_type;
        return BEAM_OK;
    }
    return beam_type_make_logical(arena, base, urn, argument, out, err);
}

static beam_status field_type(beam_arena *arena, beam_reader in, const beam_type **out,
                              beam_error *err)
{
    bool nullable = false;
    const beam_type *type = NULL, *key, *value;
    wire_field f;
    while (in.at != in.end) {
        BEAM_TRY(next_field(&in, &f));
        switch (f.number) {
        case 1:
            nullable = f.value != 0;
            break;
        case 2:
            type = atomic_type(f.value);
            break;
        case 3:
        case 4:
            BEAM_TRY(member(arena, f.bytes, 1, &value, err));
            BEAM_TRY(beam_type_make_list(arena, value, &type, err));
            break;
        case 5:
            BEAM_TRY(member(arena, f.bytes, 1, &key, err));
            BEAM_TRY(member(arena, f.bytes, 2, &value, err));
            BEAM_TRY(beam_type_make_map(arena, key, value, &type, err));
            break;
        case 6: {
            beam_reader row = f.bytes;
            BEAM_TRY(next_field(&row, &f));
            BEAM_TRY(schema_type(arena, f.bytes, &type, err));
            break;
        }
        case 7:
            BEAM_TRY(logical_type(arena, f.bytes, &type, err));
            break;
        default:
            return BEAM_UNIMPLEMENTED;
        }
    }
    if (!type)
        return BEAM_NOT_FOUND;
    *out = type;
    return nullable ? beam_type_make_nullable(arena, type, out, err) : BEAM_OK;
}

beam_status schema_type(beam_arena *arena, beam_reader schema, const beam_type **out,
                        beam_error *err)
{
    beam_field fields[MAX_FIELDS] = {{0}};
    uint32_t positions[MAX_FIELDS] = {0};
    size_t n = 0;
    bool ordered = false;
    wire_field f;
    while (schema.at != schema.end) {
        BEAM_TRY(next_field(&schema, &f));
        if (f.number == 4)
            ordered = f.value != 0;
        if (f.number != 1 || n == MAX_FIELDS)
            continue;
        beam_reader in = f.bytes;
        while (in.at != in.end) {
            BEAM_TRY(next_field(&in, &f));
            if (f.number == 1)
                fields[n].name = text_of(arena, f.bytes);
            else if (f.number == 3)
                BEAM_TRY(field_type(arena, f.bytes, &fields[n].type, err));
            else if (f.number == 5)
                positions[n] = (uint32_t)f.value;
        }
        n++;
    }
    return beam_type_make_row(arena, fields, n, ordered ? positions : NULL, out, err);
}
