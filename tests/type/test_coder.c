/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_coder.c - coders beyond Beam's own examples: every kind there and back, foreign bytes,
 * iterables that have to be read, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "samples.h"
#include "type/coder.h"
#include "type/layout.h"
#include "type/value.h"

typedef struct bytes_of {
    const char *at;
    size_t len;
} bytes_of;
#define BYTES(literal)               \
    (bytes_of)                       \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static void check_encoding(const beam_type *type, beam_coder_context context, const void *value,
                           bytes_of expected)
{
    beam_buffer out = {0};
    assert_int_equal(beam_encode(type, context, value, &out, NULL), BEAM_OK);
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.data, expected.at, expected.len);
    beam_buffer_free(&out);
}

/* The bytes lie in a block of their own, so that a sanitizer sees a read past their end. */
static beam_status decode(const beam_type *type, beam_coder_context context, bytes_of bytes,
                          void *value, beam_arena *arena, beam_error *err)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    assert_non_null(copy);
    if (bytes.len)
        memcpy(copy, bytes.at, bytes.len);
    beam_reader in = beam_reader_of(copy, bytes.len);
    beam_status status = beam_decode(type, context, &in, value, arena, err);
    if (status != BEAM_OK)
        assert_ptr_equal(in.at, copy);
    free(copy);
    return status;
}

/* Encodes and decodes; the value that comes back is equal and encodes to the same bytes. */
static void round_trip(const beam_type *type, beam_coder_context context, const void *value)
{
    beam_arena arena = {0};
    beam_buffer once = {0}, twice = {0};
    beam_error err = {0};
    void *back = malloc(type->size);
    assert_non_null(back);
    assert_int_equal(beam_encode(type, context, value, &once, NULL), BEAM_OK);
    bytes_of bytes = {(const char *)once.data, once.len};
    if (decode(type, context, bytes, back, &arena, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    assert_true(beam_value_equal(type, value, back));
    assert_int_equal(beam_encode(type, context, back, &twice, NULL), BEAM_OK);
    assert_int_equal(once.len, twice.len);
    if (once.len)
        assert_memory_equal(once.data, twice.data, once.len);
    free(back);
    beam_buffer_free(&once);
    beam_buffer_free(&twice);
    beam_arena_free(&arena);
}

static void everything_goes_round(void **state)
{
    (void)state;
    everything value = sample_everything();
    everything_by_word entry = {{"key", 3}, value};
    for (int context = BEAM_NESTED; context <= BEAM_OUTER; context++) {
        round_trip(&everything_type, (beam_coder_context)context, &value);
        round_trip(&everything_by_word_type, (beam_coder_context)context, &entry);
        for (uint32_t i = 0; i < everything_type.n_fields; i++) { /* alone, not in a row */
            const beam_field *field = &everything_type.fields[i];
            round_trip(field->type, (beam_coder_context)context,
                       (const char *)&value + field->offset);
        }
    }
}

static void integers(void **state)
{
    (void)state;
    static const int64_t values[] = {
        0,         1,         127,       128,       16383,     16384,     -1,        INT32_MAX,
        INT32_MIN, INT64_MAX, INT64_MIN, 1LL << 35, 1LL << 42, 1LL << 49, 1LL << 56, 1LL << 62};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        beam_int32 narrow = (beam_int32)values[i];
        beam_int16 small = (beam_int16)values[i];
        round_trip(&beam_int64_type, BEAM_NESTED, &values[i]);
        round_trip(&beam_timestamp_type, BEAM_NESTED, &values[i]);
        round_trip(&beam_int32_type, BEAM_NESTED, &narrow);
        round_trip(&beam_int16_type, BEAM_NESTED, &small);
    }
}

/* What schemas alone know is a row of one field outside rows. */
static void bare_fields(void **state)
{
    (void)state;
    beam_int32 medium = -1;
    beam_int16 small = -2;
    beam_float single = 1;
    check_encoding(&beam_int32_type, BEAM_NESTED, &medium, BYTES("\x01\x00\xff\xff\xff\xff\x0f"));
    check_encoding(&beam_int16_type, BEAM_OUTER, &small, BYTES("\x01\x00\xff\xfe"));
    check_encoding(&beam_float_type, BEAM_NESTED, &single, BYTES("\x01\x00\x3f\x80\x00\x00"));
    beam_arena arena = {0};
    /* Other writers extend the sign of an int32 to 64 bits. */
    assert_int_equal(decode(&beam_int32_type, BEAM_NESTED,
                            BYTES("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &medium,
                            &arena, NULL),
                     BEAM_OK);
    assert_int_equal(medium, -1);
    assert_int_equal(decode(&beam_int32_type, BEAM_NESTED, BYTES("\x01\x00\xff\xff\xff\xff\x1f"),
                            &medium, &arena, NULL),
                     BEAM_DATA_LOSS);
    beam_arena_free(&arena);
}

static void tensors(void **state)
{
    (void)state;
    static const uint8_t pixels[3] = {1, 2, 3};
    beam_tensor tensor = {BEAM_U8, 2, {3, 1}, pixels}, back;
    const bytes_of bytes = BYTES("\x01\x00\x03\x00\x09\x00\x00\x00\x02\x03\x01\x03\x01\x02\x03");
    check_encoding(&beam_tensor_type, BEAM_NESTED, &tensor, bytes);
    beam_arena arena = {0};
    assert_non_null(beam_arena_alloc(&arena, 16)); /* so that 64 is no accident */
    assert_int_equal(decode(&beam_tensor_type, BEAM_NESTED, bytes, &back, &arena, NULL), BEAM_OK);
    assert_true(beam_tensor_same_shape(&tensor, &back));
    assert_int_equal((uintptr_t)back.data % 64, 0);
    assert_memory_equal(back.data, pixels, 3);

    static const bytes_of lies[] = {
        BYTES("\x01\x00\x03\x00\x0b\x00\x00\x00\x02\x03\x01\x03\x01\x02\x03"), /* dtype 11 */
        BYTES("\x01\x00\x03\x00\x09\x00\x00\x00\x09\x03\x01\x03\x01\x02\x03"), /* rank 9 */
        BYTES("\x01\x00\x03\x00\x09\x00\x00\x00\x02\x03\x02\x03\x01\x02\x03"), /* 6 bytes */
        BYTES("\x01\x00\x03\x00\x09\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"),
        BYTES("\x01\x00\x02\x00\x09\x00\x00\x00\x00"),     /* no data */
        BYTES("\x01\x00\x03\x01\x01\x00\x00\x00\x00\x00"), /* null dtype */
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_int_equal(decode(&beam_tensor_type, BEAM_NESTED, lies[i], &back, &arena, NULL),
                         BEAM_DATA_LOSS);
    beam_arena_free(&arena);
    beam_buffer out = {0};
    tensor.shape[0] = -1;
    assert_int_equal(beam_encode(&beam_tensor_type, BEAM_NESTED, &tensor, &out, NULL),
                     BEAM_INVALID_ARGUMENT);
    assert_int_equal(out.len, 0);
    beam_buffer_free(&out);
}

/* ---- Rows ----------------------------------------------------------------------------- */

#define OPTIONAL_(FIELD, S) \
    FIELD(S, maybe_int, a)  \
    FIELD(S, maybe_int, b)  \
    FIELD(S, maybe_int, c)  \
    FIELD(S, maybe_int, d)  \
    FIELD(S, maybe_int, e)  \
    FIELD(S, maybe_int, f)  \
    FIELD(S, maybe_int, g) FIELD(S, maybe_int, h) FIELD(S, maybe_int, i) FIELD(S, maybe_int, j)
BEAM_STRUCT(optional, OPTIONAL_);

static void null_bitmaps(void **state)
{
    (void)state;
    maybe_int one = {true, 1};
    optional row = {one, one, one, one, one, one, one, one, one, one};
    check_encoding(&optional_type, BEAM_NESTED, &row,
                   BYTES("\x0a\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"));
    row.b.present = false;
    check_encoding(&optional_type, BEAM_NESTED, &row,
                   BYTES("\x0a\x01\x02\x01\x01\x01\x01\x01\x01\x01\x01\x01"));
    row.j.present = false;
    check_encoding(&optional_type, BEAM_NESTED, &row,
                   BYTES("\x0a\x02\x02\x02\x01\x01\x01\x01\x01\x01\x01\x01"));
    round_trip(&optional_type, BEAM_NESTED, &row);

    beam_arena arena = {0};
    /* A bitmap of full length though its last byte is zero, as Python writes it. */
    assert_int_equal(decode(&optional_type, BEAM_NESTED,
                            BYTES("\x0a\x02\x02\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01"), &row,
                            &arena, NULL),
                     BEAM_OK);
    assert_true(!row.b.present && row.j.present);
    /* A row of an older schema, with fewer fields. */
    assert_int_equal(
        decode(&optional_type, BEAM_NESTED, BYTES("\x02\x00\x05\x06"), &row, &arena, NULL),
        BEAM_OK);
    assert_true(row.b.present && row.b.value == 6 && !row.c.present && !row.j.present);
    beam_arena_free(&arena);
}

static void rows_that_cannot_be(void **state)
{
    (void)state;
    static const bytes_of bad[] = {
        BYTES("\x04\x00\x01\x01\x01\x01"),     /* more fields than the type has */
        BYTES("\x02\x00\x01\0\0\0\0\0\0\0\0"), /* a field missing that is not nullable */
        BYTES("\x03\x01\x01\x01\x01\x01\x01"), /* null that is not nullable */
        BYTES("\x03\x01\x08\x01\x01\x01\x01"), /* a bit for a fourth field */
        BYTES("\x03\x02\x00\x00\x01\x01\x01"), /* a bitmap too long */
    };
    beam_arena arena = {0};
    beam_error err = {0};
    point value;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(decode(&point_type, BEAM_NESTED, bad[i], &value, &arena, &err),
                         BEAM_DATA_LOSS);
        assert_non_null(strstr(err.message, "row point{"));
    }
    assert_int_equal(
        decode(&point_type, BEAM_NESTED, BYTES("\x03\x00\x01\x00\x00"), &value, &arena, &err),
        BEAM_OUT_OF_RANGE);
    assert_non_null(strstr(err.message, "(at byte 3 of 5): field 'x': the bytes end"));
    beam_arena_free(&arena);
}

static void wire_order(void **state)
{
    (void)state;
    struct {
        beam_int64 a;
        maybe_int b;
        beam_str c;
    } row = {1, {.present = false}, {"xy", 2}};
    const beam_field fields[] = {
        {"a", &beam_int64_type, 0}, {"b", &maybe_int_type, 0}, {"c", &beam_str_type, 0}};
    const uint32_t positions[] = {1, 2, 0};
    beam_arena arena = {0};
    const beam_type *type;
    assert_int_equal(beam_type_make_row(&arena, fields, 3, positions, &type, NULL), BEAM_OK);
    assert_int_equal(type->size, sizeof row);
    check_encoding(type, BEAM_NESTED, &row, BYTES("\x03\x01\x04\x02xy\x01"));
    round_trip(type, BEAM_NESTED, &row);
    beam_arena_free(&arena);
}

/* ---- Iterables ------------------------------------------------------------------------ */

/* Gives 1..n in runs of 3, then ends, or fails with `status`. */
typedef struct counter {
    int64_t n, run[3];
    beam_status status;
} counter;

static void counter_refill(beam_iter *iter)
{
    counter *c = *(counter *const *)iter->iterable.source;
    int64_t next = (int64_t)(intptr_t)iter->cursor[0];
    size_t len = 0;
    while (len < 3 && next < c->n)
        c->run[len++] = ++next;
    iter->cursor[0] = (void *)(intptr_t)next;
    iter->at = (const char *)c->run;
    iter->end = (const char *)(c->run + len);
    if (!len)
        iter->status = c->status;
}

static void counter_start(beam_iter *iter)
{
    iter->at = iter->end = NULL;
}

static const beam_iterable_ops counter_ops = {counter_start, counter_refill};
BEAM_ITERABLE(numbers, beam_int64);

static void iterables_that_are_read(void **state)
{
    (void)state;
    counter c = {.n = 5}, *source = &c;
    numbers values = {&counter_ops, &source, 5};
    check_encoding(&numbers_type, BEAM_NESTED, &values, BYTES("\0\0\0\x05\1\2\3\4\5"));
    values.len = BEAM_LEN_UNKNOWN;
    check_encoding(&numbers_type, BEAM_NESTED, &values, BYTES("\xff\xff\xff\xff\3\1\2\3\2\4\5\0"));
    beam_arena arena = {0};
    numbers back;
    assert_int_equal(decode(&numbers_type, BEAM_NESTED, BYTES("\xff\xff\xff\xff\3\1\2\3\2\4\5\0"),
                            &back, &arena, NULL),
                     BEAM_OK);
    assert_true(back.ops == NULL && back.len == 5); /* chunks become one array */
    assert_true(beam_value_equal(&numbers_type, &back, &values));
    beam_arena_free(&arena);
    beam_buffer out = {0};
    beam_error err = {0};
    values.len = 6;
    assert_int_equal(beam_encode(&numbers_type, BEAM_NESTED, &values, &out, &err), BEAM_INTERNAL);
    c.status = BEAM_UNAVAILABLE;
    assert_int_equal(beam_encode(&numbers_type, BEAM_NESTED, &values, &out, &err),
                     BEAM_UNAVAILABLE);
    assert_non_null(strstr(err.message, "after 5 values"));
    assert_int_equal(out.len, 0);
    beam_buffer_free(&out);
}

static void sequences_that_lie(void **state)
{
    (void)state;
    static const bytes_of bad[] = {
        BYTES("\x7f\xff\xff\xff\x01"),                     /* two thousand million values */
        BYTES("\x80\x00\x00\x00\x01"),                     /* a negative count */
        BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01"), /* a chunk of as many */
        BYTES("\xff\xff\xff\xff\x01\x01"),                 /* no end */
        BYTES("\0\0\0\2\1"),
        BYTES("\0\0\0"),
    };
    beam_arena arena = {.limit = 1 << 16};
    numbers values;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        beam_status status = decode(&numbers_type, BEAM_NESTED, bad[i], &values, &arena, NULL);
        assert_true(status == BEAM_OUT_OF_RANGE || status == BEAM_DATA_LOSS);
        beam_list list;
        const bytes_of in_list = bad[i];
        const beam_type *type;
        assert_int_equal(beam_type_make_list(&arena, &beam_int64_type, &type, NULL), BEAM_OK);
        char wrapped[32] = "\x01\x00";
        memcpy(wrapped + 2, in_list.at, in_list.len);
        status =
            decode(type, BEAM_NESTED, (bytes_of){wrapped, in_list.len + 2}, &list, &arena, NULL);
        assert_true(status == BEAM_OUT_OF_RANGE || status == BEAM_DATA_LOSS);
    }
    /* Values that take no bytes cannot be asked for without end. */
    const beam_type *windows;
    assert_int_equal(beam_type_make_iterable(&arena, &beam_global_window_type, &windows, NULL),
                     BEAM_OK);
    assert_int_equal(decode(windows, BEAM_NESTED, BYTES("\0\0\xff\xff"), &values, &arena, NULL),
                     BEAM_RESOURCE_EXHAUSTED);
    beam_arena_free(&arena);
}

static void the_arena_limits(void **state)
{
    (void)state;
    static char zeros[4 + 4096];
    zeros[2] = 0x10; /* a count of 4096, one byte each, eight in memory */
    beam_arena arena = {.limit = 20000};
    numbers values;
    assert_int_equal(
        decode(&numbers_type, BEAM_NESTED, (bytes_of){zeros, sizeof zeros}, &values, &arena, NULL),
        BEAM_RESOURCE_EXHAUSTED);
    arena.limit = 40000;
    assert_int_equal(
        decode(&numbers_type, BEAM_NESTED, (bytes_of){zeros, sizeof zeros}, &values, &arena, NULL),
        BEAM_OK);
    assert_int_equal(values.len, 4096);
    beam_arena_free(&arena);
}

/* ---- The rest ------------------------------------------------------------------------- */

static void length_prefixes(void **state)
{
    (void)state;
    beam_arena arena = {0};
    const beam_type *type;
    assert_int_equal(beam_type_make_length_prefix(&arena, &beam_str_type, &type, NULL), BEAM_OK);
    beam_str text = {"abc", 3};
    check_encoding(type, BEAM_NESTED, &text,
                   BYTES("\x03"
                         "abc"));
    check_encoding(type, BEAM_OUTER, &text,
                   BYTES("\x03"
                         "abc"));
    static char large[20000];
    memset(large, 'x', sizeof large);
    static const size_t sizes[] = {0, 127, 128, 129, 16383, 16384, sizeof large};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        text = (beam_str){large, sizes[i]};
        round_trip(type, BEAM_NESTED, &text);
    }
    const beam_type *number;
    beam_int64 n;
    assert_int_equal(beam_type_make_length_prefix(&arena, &beam_int64_type, &number, NULL),
                     BEAM_OK);
    assert_int_equal(decode(number, BEAM_NESTED, BYTES("\x02\x01\x01"), &n, &arena, NULL),
                     BEAM_DATA_LOSS);
    assert_int_equal(decode(number, BEAM_NESTED, BYTES("\x01\x81\x01"), &n, &arena, NULL),
                     BEAM_OUT_OF_RANGE);
    beam_arena_free(&arena);
}

static void scalars_that_cannot_be(void **state)
{
    (void)state;
    beam_arena arena = {0};
    char value[64];
    const struct {
        const beam_type *type;
        bytes_of bytes;
    } bad[] = {
        {&beam_bool_type, BYTES("\x02")},
        {&maybe_int_type, BYTES("\x02\x01")},
        {&beam_int64_type, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")},
        {&beam_int64_type, BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")},
        {&beam_str_type, BYTES("\x02\xc0\x80")},
        {&beam_decimal_type, BYTES("\x01\x00\x01\x00")},
        /* windows that begin or end outside time */
        {&beam_window_type, BYTES("\x00\x00\x00\x00\x00\x00\x00\x01\x02")},
        {&beam_window_type, BYTES("\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
        {&beam_window_type, BYTES("\x80\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff"
                                  "\xff\xff\x01")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(decode(bad[i].type, BEAM_NESTED, bad[i].bytes, value, &arena, NULL),
                         BEAM_DATA_LOSS);
    assert_int_equal(decode(&beam_int64_type, BEAM_OUTER, BYTES("\1\2"), value, &arena, NULL),
                     BEAM_DATA_LOSS);
    assert_int_equal(decode(&beam_str_type, BEAM_NESTED,
                            BYTES("\x05"
                                  "abcd"),
                            value, &arena, NULL),
                     BEAM_OUT_OF_RANGE);
    beam_arena_free(&arena);
}

static void utf8(void **state)
{
    (void)state;
    static const bytes_of good[] = {BYTES(""),
                                    BYTES("ascii of more than eight letters"),
                                    BYTES("\xc2\x80"),
                                    BYTES("\xe0\xa0\x80"),
                                    BYTES("\xed\x9f\xbf"),
                                    BYTES("\xef\xbf\xbf"),
                                    BYTES("\xf0\x90\x80\x80"),
                                    BYTES("\xf4\x8f\xbf\xbf"),
                                    BYTES("1234567\xc3\xbc"
                                          "12345678")};
    static const bytes_of bad[] = {BYTES("\x80"),
                                   BYTES("\xc1\xbf"),
                                   BYTES("\xc2"),
                                   BYTES("\xe0\x9f\xbf"),
                                   BYTES("\xed\xa0\x80"),
                                   BYTES("\xe2\x82"),
                                   BYTES("\xf0\x8f\xbf\xbf"),
                                   BYTES("\xf4\x90\x80\x80"),
                                   BYTES("\xf5\x80\x80\x80"),
                                   BYTES("\xf0\x90\x80"),
                                   BYTES("12345678\xff"),
                                   BYTES("\xe2\x28\xa1"),
                                   BYTES("\xf0\x90\x28\x80")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(beam_utf8_valid(good[i].at, good[i].len));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(beam_utf8_valid(bad[i].at, bad[i].len));
    assert_true(beam_utf8_valid(NULL, 0));
    /* Wherever they are in a text: much of one is looked at at once. */
    char text[200];
    for (size_t len = 1; len <= sizeof text; len += 13)
        for (size_t at = 0; at < len; at++) {
            memset(text, 'a', len);
            assert_true(beam_utf8_valid(text, len));
            text[at] = '\xc3';
            assert_false(beam_utf8_valid(text, len));
            if (at + 1 < len) {
                text[at + 1] = '\xa9';
                assert_true(beam_utf8_valid(text, len));
            }
        }
}

static void mended(void **state)
{
    (void)state;
    static const struct {
        const char *text, *becomes;
    } cases[] = {{"", ""},
                 {"plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                  "plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
                 {"caf\xe9", "caf?"},
                 {"\xff\xfe \xc3\xa4", "?? \xc3\xa4"},
                 {"cut \xe2\x82", "cut ??"},
                 {"\xed\xa0\x80 and \xe9!", "??? and ?!"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[40];
        strcpy(text, cases[i].text);
        beam_utf8_mend(text);
        assert_string_equal(text, cases[i].becomes);
    }
}

static void borrowing(void **state)
{
    (void)state;
    static const char bytes[] = "\x03one\x02\xff\xfe";
    beam_arena arena = {0};
    beam_str text;
    const beam_decoder decoder = {.arena = &arena, .borrow = true, .any_text = true};
    beam_reader in = beam_reader_of(bytes, sizeof bytes - 1);
    assert_int_equal(beam_decode_with(&decoder, &beam_str_type, BEAM_NESTED, &in, &text), BEAM_OK);
    assert_ptr_equal(text.at, bytes + 1);
    assert_int_equal(beam_decode_with(&decoder, &beam_str_type, BEAM_NESTED, &in, &text), BEAM_OK);
    assert_ptr_equal(text.at, bytes + 5);
    assert_int_equal(arena.total, 0);
}

static void every_prefix(void **state)
{
    (void)state;
    everything value = sample_everything(), back;
    beam_buffer out = {0};
    assert_int_equal(beam_encode(&everything_type, BEAM_OUTER, &value, &out, NULL), BEAM_OK);
    for (size_t len = 0; len < out.len; len++) {
        beam_arena arena = {0};
        beam_error err = {0};
        bytes_of cut = {(const char *)out.data, len};
        assert_int_equal(decode(&everything_type, BEAM_OUTER, cut, &back, &arena, &err),
                         BEAM_OUT_OF_RANGE);
        assert_int_equal(err.code, BEAM_OUT_OF_RANGE);
        beam_arena_free(&arena);
    }
    beam_buffer_free(&out);
}

static void every_allocation_fails(void **state)
{
    (void)state;
    everything value = sample_everything(), back;
    beam_buffer whole = {0};
    assert_int_equal(beam_encode(&everything_type, BEAM_NESTED, &value, &whole, NULL), BEAM_OK);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        beam_buffer out = {0};
        beam_arena arena = {0};
        beam_error err = {0};
        beam_reader in = beam_reader_of(whole.data, whole.len);
        beam_alloc_fail_at(n, 0);
        beam_status encoded = beam_encode(&everything_type, BEAM_NESTED, &value, &out, &err);
        beam_status decoded = beam_decode(&everything_type, BEAM_NESTED, &in, &back, &arena, &err);
        failed = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        assert_int_equal(failed, encoded != BEAM_OK || decoded != BEAM_OK);
        if (encoded != BEAM_OK) {
            assert_int_equal(encoded, BEAM_RESOURCE_EXHAUSTED);
            assert_int_equal(out.len, 0);
        }
        if (decoded != BEAM_OK)
            assert_int_equal(decoded, BEAM_RESOURCE_EXHAUSTED);
        beam_buffer_free(&out);
        beam_arena_free(&arena);
    }
    beam_buffer_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_goes_round),
        cmocka_unit_test(integers),
        cmocka_unit_test(bare_fields),
        cmocka_unit_test(tensors),
        cmocka_unit_test(null_bitmaps),
        cmocka_unit_test(rows_that_cannot_be),
        cmocka_unit_test(wire_order),
        cmocka_unit_test(iterables_that_are_read),
        cmocka_unit_test(sequences_that_lie),
        cmocka_unit_test(the_arena_limits),
        cmocka_unit_test(length_prefixes),
        cmocka_unit_test(scalars_that_cannot_be),
        cmocka_unit_test(utf8),
        cmocka_unit_test(mended),
        cmocka_unit_test(borrowing),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
