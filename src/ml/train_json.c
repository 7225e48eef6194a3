/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/train_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for JSON");
}

/* ---- Writing ------------------------------------------------------------------------------ */

static beam_status append(beam_buffer *out, const char *text, beam_error *err)
{
    return beam_buffer_append(out, text, strlen(text)) == BEAM_OK ? BEAM_OK : no_memory(err);
}

static beam_status write_text(const beam_field *field, beam_str text, beam_buffer *out,
                              beam_error *err)
{
    json_t *value = json_stringn(text.len ? text.at : "", text.len);
    if (!value) /* jansson tells no difference, and small strings are seldom refused for memory */
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "field %s is not UTF-8", field->name);
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    beam_status status = quoted ? append(out, quoted, err) : no_memory(err);
    free(quoted);
    return status;
}

static beam_status write_double(double number, beam_buffer *out, beam_error *err)
{
    char text[32];
    if (!isfinite(number))
        return append(out, "null", err);
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    char *comma = strchr(text, ','); /* of a locale that somebody set */
    if (comma)
        *comma = '.';
    return append(out, text, err);
}

static beam_status write_field(const beam_field *field, const void *at, beam_buffer *out,
                               beam_error *err)
{
    char number[24];
    switch (field->type->kind) {
    case BEAM_KIND_BOOL:
        return append(out, *(const bool *)at ? "true" : "false", err);
    case BEAM_KIND_INT64:
        (void)snprintf(number, sizeof number, "%lld", (long long)*(const int64_t *)at);
        return append(out, number, err);
    case BEAM_KIND_DOUBLE:
        return write_double(*(const double *)at, out, err);
    case BEAM_KIND_STR:
        return write_text(field, *(const beam_str *)at, out, err);
    case BEAM_KIND_ROW:
        return beam_row_to_json(field->type, at, out, err);
    default:
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "field %s has a type that JSON has not",
                              field->name);
    }
}

beam_status beam_row_to_json(const beam_type *type, const void *row, beam_buffer *out,
                             beam_error *err)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const beam_field *field = &type->fields[i];
        if (beam_buffer_printf(out, "%s\"%s\": ", i ? ", " : "{", field->name) != BEAM_OK)
            return no_memory(err);
        BEAM_TRY(write_field(field, (const char *)row + field->offset, out, err));
    }
    return append(out, "}", err);
}

/* ---- Reading ------------------------------------------------------------------------------ */

static const char *name_of(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
        [JSON_STRING] = "text",      [JSON_INTEGER] = "a whole number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

static beam_status expected(const beam_field *field, const char *what, const json_t *value,
                            beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "field \"%s\" is %s, where %s is expected",
                          field->name, name_of(value), what);
}

static beam_status read_text(const json_t *value, beam_pool *pool, beam_str *text, beam_error *err)
{
    size_t len = json_string_length(value);
    char *copy = beam_pool_alloc(pool, len + 1);
    if (!copy)
        return no_memory(err);
    memcpy(copy, json_string_value(value), len);
    copy[len] = '\0';
    *text = (beam_str){copy, len};
    return BEAM_OK;
}

static beam_status read_field(const beam_field *field, const json_t *value, beam_pool *pool,
                              void *to, beam_error *err)
{
    switch (field->type->kind) {
    case BEAM_KIND_BOOL:
        if (!json_is_boolean(value))
            return expected(field, "true or false", value, err);
        *(bool *)to = json_is_true(value);
        return BEAM_OK;
    case BEAM_KIND_INT64:
        if (!json_is_integer(value))
            return expected(field, "a whole number", value, err);
        *(int64_t *)to = json_integer_value(value);
        return BEAM_OK;
    case BEAM_KIND_DOUBLE:
        if (!json_is_number(value) && !json_is_null(value))
            return expected(field, "a number", value, err);
        *(double *)to = json_is_null(value) ? (double)NAN : json_number_value(value);
        return BEAM_OK;
    case BEAM_KIND_STR:
        if (!json_is_string(value))
            return expected(field, "text", value, err);
        return read_text(value, pool, to, err);
    case BEAM_KIND_ROW:
        if (!json_is_object(value))
            return expected(field, "an object", value, err);
        return beam_row_from_json(field->type, value, pool, to, err);
    default:
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "field %s has a type that JSON has not",
                              field->name);
    }
}

static const beam_field *find_field(const beam_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static beam_status unknown(const beam_type *type, const char *name, beam_error *err)
{
    char known[512] = "";
    for (uint32_t i = 0; i < type->n_fields; i++) {
        size_t len = strlen(known);
        (void)snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "",
                       type->fields[i].name);
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "there is no field \"%.100s\"; there are %s",
                          name, known);
}

beam_status beam_row_from_json(const beam_type *type, const json_t *object, beam_pool *pool,
                               void *row, beam_error *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s, where an object is expected",
                              name_of(object));
    /* The iteration takes an object that it does not change, by its type. */
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        const beam_field *field = find_field(type, name);
        if (!field)
            return unknown(type, name, err);
        BEAM_TRY(read_field(field, value, pool, (char *)row + field->offset, err));
    }
    return BEAM_OK;
}

beam_status beam_json_parse(beam_str text, size_t *used, json_t **value, beam_error *err)
{
    json_error_t why;
    size_t flags = JSON_REJECT_DUPLICATES | (used ? JSON_DISABLE_EOF_CHECK : 0);
    *value = json_loadb(text.len ? text.at : "", text.len, flags, &why);
    if (!*value)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "line %d, column %d: %s", why.line,
                              why.column, why.text);
    if (used)
        *used = (size_t)why.position;
    return BEAM_OK;
}
