/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* type.c - the scalar descriptors, and what is asked of any descriptor.
 *
 * Recursion follows the type, whose depth and parts are bounded: by the compiler's patience
 * for types of the program, by layout.c for those made at run time. */
#include <beam/type.h>
#include <beam/window.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "type/layout.h"

#define SCALAR(T, KIND) \
    const beam_type T##_type = {.kind = KIND, .name = #T, .size = sizeof(T), .align = _Alignof(T)}

SCALAR(beam_bool, BEAM_KIND_BOOL);
SCALAR(beam_byte, BEAM_KIND_BYTE);
SCALAR(beam_int16, BEAM_KIND_INT16);
SCALAR(beam_int32, BEAM_KIND_INT32);
SCALAR(beam_int64, BEAM_KIND_INT64);
SCALAR(beam_float, BEAM_KIND_FLOAT);
SCALAR(beam_double, BEAM_KIND_DOUBLE);
SCALAR(beam_str, BEAM_KIND_STR);
SCALAR(beam_bytes, BEAM_KIND_BYTES);
SCALAR(beam_timestamp, BEAM_KIND_TIMESTAMP);
SCALAR(beam_decimal, BEAM_KIND_DECIMAL);
SCALAR(beam_window, BEAM_KIND_INTERVAL_WINDOW);

const beam_type beam_global_window_type = {.kind = BEAM_KIND_GLOBAL_WINDOW,
                                           .name = "beam_window",
                                           .size = sizeof(beam_window),
                                           .align = _Alignof(beam_window)};

const beam_type beam_tensor_type = {.kind = BEAM_KIND_TENSOR,
                                    .name = "beam_tensor",
                                    .size = sizeof(beam_tensor),
                                    .align = _Alignof(beam_tensor),
                                    .logical_urn = BEAM_URN_TENSOR};

beam_str beam_str_of(const char *text)
{
    return (beam_str){text, text ? strlen(text) : 0};
}

bool beam_str_equal(beam_str a, beam_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The index in `fields` of the i-th field on the wire. */
static uint32_t on_wire(const beam_type *row, uint32_t i)
{
    return row->encoding_order ? row->encoding_order[i] : i;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool beam_type_equal(const beam_type *a, const beam_type *b)
{
    a = beam_type_bare(a);
    b = beam_type_bare(b);
    if (a == b)
        return true;
    if (a->kind != b->kind || a->n_fields != b->n_fields ||
        !same_text(a->logical_urn, b->logical_urn) ||
        a->logical_argument.len != b->logical_argument.len)
        return false;
    if (a->logical_argument.len &&
        memcmp(a->logical_argument.at, b->logical_argument.at, a->logical_argument.len) != 0)
        return false;
    for (uint32_t i = 0; i < a->n_fields; i++) {
        const beam_field *fa = &a->fields[i], *fb = &b->fields[i];
        if (on_wire(a, i) != on_wire(b, i) || !beam_type_equal(fa->type, fb->type))
            return false;
        if (a->kind == BEAM_KIND_ROW && !same_text(fa->name, fb->name))
            return false;
    }
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return beam_hash64(bytes, sizeof bytes, hash);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    return text ? beam_hash64(text, strlen(text), hash) : mix(hash, 0);
}

uint64_t beam_type_fingerprint(const beam_type *type)
{
    type = beam_type_bare(type);
    uint64_t hash = mix(mix(0, (uint64_t)type->kind), type->n_fields);
    hash = mix_text(hash, type->logical_urn);
    if (type->logical_argument.len)
        hash = beam_hash64(type->logical_argument.at, type->logical_argument.len, hash);
    for (uint32_t i = 0; i < type->n_fields; i++) {
        hash = mix(hash, beam_type_fingerprint(type->fields[i].type));
        hash = mix(hash, on_wire(type, i));
        if (type->kind == BEAM_KIND_ROW)
            hash = mix_text(hash, type->fields[i].name);
    }
    return hash;
}

bool beam_type_is_flat(const beam_type *type)
{
    switch (type->kind) {
    case BEAM_KIND_STR:
    case BEAM_KIND_BYTES:
    case BEAM_KIND_ITERABLE:
    case BEAM_KIND_LIST:
    case BEAM_KIND_MAP:
    case BEAM_KIND_TENSOR:
    case BEAM_KIND_DECIMAL:
    case BEAM_KIND_SHARDED_KEY:
        return false;
    default:
        break;
    }
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (!beam_type_is_flat(type->fields[i].type))
            return false;
    return true;
}

bool beam_type_is_deterministic(const beam_type *type)
{
    if (type->kind == BEAM_KIND_ITERABLE || type->kind == BEAM_KIND_MAP)
        return false;
    for (uint32_t i = 0; i < type->n_fields; i++)
        if (!beam_type_is_deterministic(type->fields[i].type))
            return false;
    return true;
}

/* ---- Description ---------------------------------------------------------------------- */

typedef struct text_out {
    char *at;
    size_t left; /* with the NUL */
} text_out;

__attribute__((format(printf, 2, 3))) static void put(text_out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out->at, out->left, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used >= out->left)
        used = out->left ? out->left - 1 : 0;
    out->at += used;
    out->left -= used;
}

static const char *kind_name(beam_kind kind)
{
    switch (kind) {
    case BEAM_KIND_BOOL:
        return "beam_bool";
    case BEAM_KIND_BYTE:
        return "beam_byte";
    case BEAM_KIND_INT16:
        return "beam_int16";
    case BEAM_KIND_INT32:
        return "beam_int32";
    case BEAM_KIND_INT64:
        return "beam_int64";
    case BEAM_KIND_FLOAT:
        return "beam_float";
    case BEAM_KIND_DOUBLE:
        return "beam_double";
    case BEAM_KIND_STR:
        return "beam_str";
    case BEAM_KIND_BYTES:
        return "beam_bytes";
    case BEAM_KIND_KV:
        return "kv";
    case BEAM_KIND_ITERABLE:
        return "iterable";
    case BEAM_KIND_NULLABLE:
        return "nullable";
    case BEAM_KIND_ROW:
        return "row";
    case BEAM_KIND_LIST:
        return "list";
    case BEAM_KIND_MAP:
        return "map";
    case BEAM_KIND_TENSOR:
        return "beam_tensor";
    case BEAM_KIND_INTERVAL_WINDOW:
        return "beam_window";
    case BEAM_KIND_TIMESTAMP:
        return "beam_timestamp";
    case BEAM_KIND_DECIMAL:
        return "beam_decimal";
    case BEAM_KIND_GLOBAL_WINDOW:
        return "global_window";
    case BEAM_KIND_CUSTOM_WINDOW:
        return "custom_window";
    case BEAM_KIND_LENGTH_PREFIX:
        return "length_prefix";
    case BEAM_KIND_SHARDED_KEY:
        return "sharded_key";
    }
    return "unknown";
}

static void describe(text_out *out, const beam_type *type)
{
    if (out->left <= 1)
        return;
    bool row = type->kind == BEAM_KIND_ROW;
    put(out, "%s", kind_name(type->kind));
    if (row && type->name)
        put(out, " %s", type->name);
    const beam_field *fields = type->fields;
    uint32_t n = type->n_fields;
    if (type->kind == BEAM_KIND_MAP) { /* map<K, V>, not map<kv<K, V>> */
        n = fields[0].type->n_fields;
        fields = fields[0].type->fields;
    }
    if (type->kind == BEAM_KIND_SHARDED_KEY) {
        n = 1;
        fields++;
    }
    if (n || row)
        put(out, "%c", row ? '{' : '<');
    for (uint32_t i = 0; i < n; i++) {
        put(out, "%s", i ? ", " : "");
        if (row)
            put(out, "%s: ", fields[i].name);
        describe(out, fields[i].type);
    }
    if (n || row)
        put(out, "%c", row ? '}' : '>');
    if (type->logical_urn && type->kind != BEAM_KIND_TENSOR)
        put(out, " as %s", type->logical_urn);
}

const char *beam_type_describe(const beam_type *type, char *buf, size_t size)
{
    if (!size)
        return "";
    text_out out = {buf, size};
    buf[0] = '\0';
    describe(&out, type);
    if (size > 3 && out.left <= 1) /* full: show that it is cut */
        memcpy(buf + size - 4, "...", 4);
    return buf;
}
