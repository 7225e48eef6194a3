/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_coder.c - foreign bytes as values of several types: the first byte picks type and
 * context.  What decodes must copy, print and encode, and then decode to an equal value. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "type/coder.h"
#include "type/value.h"
#include "type/windowed.h"

#define POINT_(FIELD, S) FIELD(S, beam_byte, tag) FIELD(S, beam_double, x) FIELD(S, beam_int16, y)
BEAM_STRUCT(point, POINT_);
BEAM_NULLABLE(maybe_str, beam_str);
BEAM_NULLABLE(maybe_int, beam_int32);
BEAM_LIST(points, point);
BEAM_LIST(maybe_strs, maybe_str);
BEAM_KV(entry, beam_str, maybe_int);
BEAM_MAP(entries, entry);
BEAM_KV(pair, beam_int64, beam_int64);
BEAM_ITERABLE(pairs, pair);
BEAM_GROUPED(group, beam_str, pair);
#define ROW_(FIELD, S)          \
    FIELD(S, maybe_int, a)      \
    FIELD(S, beam_float, b)     \
    FIELD(S, points, c)         \
    FIELD(S, maybe_strs, d)     \
    FIELD(S, entries, e)        \
    FIELD(S, beam_tensor, f)    \
    FIELD(S, beam_timestamp, g) \
    FIELD(S, beam_decimal, h)   \
    FIELD(S, pair, i)           \
    FIELD(S, pairs, j)
BEAM_STRUCT(row, ROW_);

static const beam_field prefixed_fields[] = {{"value", &group_type, 0}};
static const beam_type prefixed_type = {.kind = BEAM_KIND_LENGTH_PREFIX,
                                        .n_fields = 1,
                                        .size = sizeof(group),
                                        .align = _Alignof(group),
                                        .fields = prefixed_fields};
static const beam_field custom_fields[] = {{"window", &beam_window_type, 0}};
static const beam_type custom_type = {.kind = BEAM_KIND_CUSTOM_WINDOW,
                                      .n_fields = 1,
                                      .size = sizeof(beam_window),
                                      .align = _Alignof(beam_window),
                                      .fields = custom_fields};

static const beam_type *const types[] = {
    &beam_int64_type, &beam_str_type, &beam_bytes_type,  &beam_bool_type,   &beam_tensor_type,
    &point_type,      &row_type,      &group_type,       &prefixed_type,    &pairs_type,
    &custom_type,     &entries_type,  &beam_window_type, &beam_decimal_type};
enum { TYPES = sizeof types / sizeof *types, MEMORY = 64 << 20 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_value(const beam_type *type, beam_coder_context context, void *value,
                        beam_arena *arena)
{
    _Alignas(16) char copy[sizeof(row)], back[sizeof(row)];
    beam_buffer out = {0}, again = {0}, text = {0};
    require(beam_value_copy(type, copy, value, arena) == BEAM_OK);
    require(beam_value_print(type, copy, &text, 200) == BEAM_OK);
    require(text.len < 400);
    require(beam_encode(type, context, copy, &out, NULL) == BEAM_OK);
    beam_reader in = beam_reader_of(out.data, out.len);
    require(beam_decode(type, context, &in, back, arena, NULL) == BEAM_OK);
    require(in.at == in.end);
    require(beam_encode(type, context, back, &again, NULL) == BEAM_OK);
    require(out.len == again.len && (!out.len || memcmp(out.data, again.data, out.len) == 0));
    if (out.len < 256) { /* maps are compared in quadratic time */
        require(beam_value_equal(type, value, back));
        require(beam_value_hash(type, value) == beam_value_hash(type, back));
    }
    beam_buffer_free(&out);
    beam_buffer_free(&again);
    beam_buffer_free(&text);
}

static void try_elements(const uint8_t *data, size_t size, beam_arena *arena)
{
    beam_reader in = beam_reader_of(data, size);
    beam_element_info info;
    beam_timer timer;
    _Alignas(16) char value[sizeof(row)];
    while (beam_decode_windowed(&group_type, &beam_window_type, BEAM_NESTED, &in, &info, value,
                                arena, NULL) == BEAM_OK)
        require(info.n_windows > 0);
    in = beam_reader_of(data, size);
    while (beam_decode_timer(&beam_str_type, &beam_global_window_type, &in, value, &timer, arena,
                             NULL) == BEAM_OK)
        require(timer.n_windows > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    beam_arena arena = {.limit = MEMORY};
    const unsigned which = data[0] >> 1;
    const beam_coder_context context = data[0] & 1 ? BEAM_OUTER : BEAM_NESTED;
    beam_reader in = beam_reader_of(data + 1, size - 1);
    beam_error err = {0};
    _Alignas(16) char value[sizeof(row)];
    if (which >= TYPES) {
        try_elements(data + 1, size - 1, &arena);
    } else if (beam_decode(types[which], context, &in, value, &arena, &err) == BEAM_OK) {
        arena.limit = 0;
        check_value(types[which], context, value, &arena);
    } else {
        require(err.code != BEAM_OK && err.message[0] != '\0');
        require(in.at == data + 1);
    }
    beam_arena_free(&arena);
    return 0;
}
