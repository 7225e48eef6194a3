/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* print.c - values for people: error messages show the element that failed.  An element may
 * be huge or broken; printing stops at the limit, whatever is left. */
#include <beam/tensor.h>
#include <beam/window.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/readable.h"
#include "base/utf8.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/value.h"
#include "type/wire.h"

typedef struct printer {
    beam_buffer *out;
    size_t end; /* of out->len: nothing begins at or behind it */
} printer;

static bool is_full(const printer *p)
{
    return p->out->len >= p->end;
}

static beam_status put(printer *p, const char *text)
{
    return is_full(p) ? BEAM_OK : beam_buffer_append(p->out, text, strlen(text));
}

static beam_status print(printer *p, const beam_type *type, const char *value);

/* Shows text in quotes; what is no printable ASCII as \xNN, but UTF-8 as it is. */
static beam_status print_bytes(printer *p, const uint8_t *at, size_t len, bool utf8)
{
    BEAM_TRY(put(p, utf8 ? "\"" : "b\""));
    for (size_t i = 0; i < len && !is_full(p); i++) {
        uint8_t c = at[i];
        /* The limit cuts between characters: a sequence's tail bytes follow their lead. */
        if (c == '"' || c == '\\')
            BEAM_TRY(beam_buffer_printf(p->out, "\\%c", c));
        else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            BEAM_TRY(beam_buffer_printf(p->out, "\\x%02x", c));
        else
            BEAM_TRY(beam_buffer_u8(p->out, c));
        for (; c >= 0xc0 && utf8 && i + 1 < len && (at[i + 1] & 0xc0) == 0x80; i++)
            BEAM_TRY(beam_buffer_u8(p->out, at[i + 1]));
    }
    return put(p, "\"");
}

/* The shortest of a few precisions that reads back as the same number. */
static beam_status print_double(printer *p, double value, bool is_float)
{
    char text[40];
    for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, beam_readable(value));
        double back = strtod(text, NULL);
        if (isnan(value) || (is_float ? (float)back == (float)value : back == value))
            break;
    }
    return put(p, text);
}

static beam_status print_timestamp(printer *p, int64_t millis)
{
    int64_t second = millis / 1000, rest = millis % 1000;
    if (rest < 0) {
        second--;
        rest += 1000;
    }
    time_t when = (time_t)second;
    struct tm fields;
    char day[64];
    if (millis == BEAM_MIN_TIMESTAMP)
        return put(p, "the beginning of time");
    if (millis >= BEAM_GLOBAL_WINDOW_MAX)
        return put(p, "the end of time");
    if (!gmtime_r(&when, &fields) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &fields))
        return beam_buffer_printf(p->out, "%" PRId64 " ms", millis);
    return beam_buffer_printf(p->out, "%s.%03dZ", day, (int)rest);
}

static beam_status print_window(printer *p, const beam_window *window)
{
    BEAM_TRY(put(p, "["));
    BEAM_TRY(print_timestamp(p, window->start));
    BEAM_TRY(put(p, ", "));
    BEAM_TRY(print_timestamp(p, window->end));
    return put(p, ")");
}

static beam_status print_sequence(printer *p, const beam_type *element, const beam_iterable *values)
{
    BEAM_TRY(put(p, "["));
    beam_iter iter = beam_iterate_(values, element->size);
    const void *value;
    for (size_t n = 0; !is_full(p) && (value = beam_next_(&iter)) != NULL; n++) {
        BEAM_TRY(put(p, n ? ", " : ""));
        BEAM_TRY(print(p, element, value));
    }
    if (iter.status != BEAM_OK && !is_full(p))
        BEAM_TRY(beam_buffer_printf(p->out, " (unreadable: %s)", beam_status_name(iter.status)));
    return put(p, "]");
}

static beam_status print_map(printer *p, const beam_type *entry, const beam_list *map)
{
    BEAM_TRY(put(p, "{"));
    const char *at = map->at;
    for (size_t i = 0; i < map->len && !is_full(p); i++, at += entry->size) {
        BEAM_TRY(put(p, i ? ", " : ""));
        BEAM_TRY(print(p, entry->fields[0].type, at + entry->fields[0].offset));
        BEAM_TRY(put(p, ": "));
        BEAM_TRY(print(p, entry->fields[1].type, at + entry->fields[1].offset));
    }
    return put(p, "}");
}

static beam_status print_fields(printer *p, const beam_type *type, const char *value)
{
    BEAM_TRY(put(p, "{"));
    for (uint32_t i = 0; i < type->n_fields && !is_full(p); i++) {
        BEAM_TRY(put(p, i ? ", " : ""));
        BEAM_TRY(put(p, type->fields[i].name));
        BEAM_TRY(put(p, ": "));
        BEAM_TRY(print(p, type->fields[i].type, value + type->fields[i].offset));
    }
    return put(p, "}");
}

static beam_status print_tensor(printer *p, const beam_tensor *tensor)
{
    BEAM_TRY(put(p, beam_dtype_name(tensor->dtype)));
    BEAM_TRY(put(p, "["));
    for (uint32_t i = 0; i < tensor->rank && i < BEAM_TENSOR_MAX_RANK; i++)
        BEAM_TRY(beam_buffer_printf(p->out, "%s%" PRId64, i ? ", " : "", tensor->shape[i]));
    return put(p, "]");
}

static beam_status print_decimal(printer *p, const beam_decimal *decimal)
{
    const uint8_t *at = decimal->unscaled.at;
    BEAM_TRY(put(p, "0x"));
    for (size_t i = 0; i < decimal->unscaled.len && !is_full(p); i++)
        BEAM_TRY(beam_buffer_printf(p->out, "%02x", at[i]));
    return beam_buffer_printf(p->out, " * 10^%" PRId64, -(int64_t)decimal->scale);
}

static beam_status print(printer *p, const beam_type *type, const char *value)
{
    const void *at = value;
    if (is_full(p))
        return BEAM_OK;
    switch (type->kind) {
    case BEAM_KIND_BOOL:
        return put(p, *(const bool *)at ? "true" : "false");
    case BEAM_KIND_BYTE:
        return beam_buffer_printf(p->out, "%u", *(const uint8_t *)at);
    case BEAM_KIND_INT16:
        return beam_buffer_printf(p->out, "%d", *(const int16_t *)at);
    case BEAM_KIND_INT32:
        return beam_buffer_printf(p->out, "%" PRId32, *(const int32_t *)at);
    case BEAM_KIND_INT64:
        return beam_buffer_printf(p->out, "%" PRId64, *(const int64_t *)at);
    case BEAM_KIND_FLOAT:
        return print_double(p, (double)*(const float *)at, true);
    case BEAM_KIND_DOUBLE:
        return print_double(p, *(const double *)at, false);
    case BEAM_KIND_STR: {
        const beam_str *text = at;
        return print_bytes(p, (const uint8_t *)text->at, text->len,
                           beam_utf8_valid(text->at, text->len));
    }
    case BEAM_KIND_BYTES: {
        const beam_bytes *bytes = at;
        return print_bytes(p, bytes->at, bytes->len, false);
    }
    case BEAM_KIND_TIMESTAMP:
        return print_timestamp(p, *(const beam_timestamp *)at);
    case BEAM_KIND_DECIMAL:
        return print_decimal(p, at);
    case BEAM_KIND_TENSOR:
        return print_tensor(p, at);
    case BEAM_KIND_ITERABLE:
        return print_sequence(p, beam_type_inner(type), at);
    case BEAM_KIND_LIST: {
        const beam_list *list = at;
        return print_sequence(p, beam_type_inner(type),
                              &(beam_iterable){NULL, list->at, list->len});
    }
    case BEAM_KIND_MAP:
        return print_map(p, beam_type_inner(type), at);
    case BEAM_KIND_GLOBAL_WINDOW:
        return put(p, "the global window");
    case BEAM_KIND_INTERVAL_WINDOW:
    case BEAM_KIND_CUSTOM_WINDOW:
        return print_window(p, at);
    case BEAM_KIND_NULLABLE:
        if (!*beam_nullable_present_(at))
            return put(p, "null");
        return print(p, beam_type_inner(type), value + type->fields[0].offset);
    case BEAM_KIND_LENGTH_PREFIX:
        return print(p, beam_type_inner(type), value);
    case BEAM_KIND_KV:
    case BEAM_KIND_ROW:
    case BEAM_KIND_SHARDED_KEY:
        return print_fields(p, type, value);
    }
    return put(p, "?");
}

beam_status beam_value_print(const beam_type *type, const void *value, beam_buffer *out,
                             size_t limit)
{
    size_t start = out->len;
    printer p = {out, limit > SIZE_MAX - start ? SIZE_MAX : start + limit};
    BEAM_TRY(print(&p, type, value));
    return is_full(&p) ? beam_buffer_append(out, "...", 3) : BEAM_OK;
}
