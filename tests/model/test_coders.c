/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_coders.c - types to coder protos and back, sharing, and protos that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <beam/window.h>
#include <cmocka.h>

#include "model/coders.h"
#include "model/message.h"
#include "model/urn.h"
#include "support/shortage.h"
#include "type/layout.h"

BEAM_KV(count, beam_str, beam_int64);
BEAM_GROUPED(group, beam_str, beam_double);
BEAM_NULLABLE(maybe, beam_str);
BEAM_LIST(ints, beam_int32);
BEAM_MAP(counts, count);
BEAM_ITERABLE(some_counts, count);
#define EVERYTHING(FIELD, S)      \
    FIELD(S, beam_bool, flag)     \
    FIELD(S, beam_byte, byte)     \
    FIELD(S, beam_int16, i16)     \
    FIELD(S, beam_int32, i32)     \
    FIELD(S, beam_int64, i64)     \
    FIELD(S, beam_float, f32)     \
    FIELD(S, beam_double, f64)    \
    FIELD(S, beam_str, text)      \
    FIELD(S, beam_bytes, raw)     \
    FIELD(S, maybe, perhaps)      \
    FIELD(S, ints, list)          \
    FIELD(S, counts, map)         \
    FIELD(S, some_counts, values) \
    FIELD(S, count, pair)         \
    FIELD(S, beam_tensor, image) FIELD(S, beam_timestamp, when) FIELD(S, beam_decimal, price)
BEAM_STRUCT(everything, EVERYTHING);
BEAM_KV(nested, everything, group);
BEAM_KV(bare_parts, beam_int32, beam_tensor);

static const beam_type *const all_types[] = {&beam_bool_type,
                                             &beam_int64_type,
                                             &beam_double_type,
                                             &beam_str_type,
                                             &beam_bytes_type,
                                             &beam_byte_type,
                                             &beam_int16_type,
                                             &beam_int32_type,
                                             &beam_float_type,
                                             &beam_tensor_type,
                                             &beam_timestamp_type,
                                             &beam_decimal_type,
                                             &beam_window_type,
                                             &count_type,
                                             &group_type,
                                             &maybe_type,
                                             &ints_type,
                                             &counts_type,
                                             &some_counts_type,
                                             &everything_type,
                                             &nested_type,
                                             &bare_parts_type,
                                             &beam_global_window_type};

static beam_coder_map map_of(const beam_coder_set *set)
{
    return (beam_coder_map){set->entries, set->n, false};
}

static void every_type_comes_back(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    for (size_t i = 0; i < sizeof all_types / sizeof *all_types; i++) {
        const char *id;
        const beam_type *back;
        beam_error err = {0};
        assert_int_equal(beam_coder_set_type(&set, all_types[i], &id, &err), BEAM_OK);
        if (beam_coder_type(map_of(&set), id, &arena, &back, &err) != BEAM_OK)
            fail_msg("%s", err.message);
        char want[256], have[256];
        if (!beam_type_equal(back, all_types[i]))
            fail_msg("%s came back as %s", beam_type_describe(all_types[i], want, sizeof want),
                     beam_type_describe(back, have, sizeof have));
        assert_int_equal(back->size, all_types[i]->size);
        assert_int_equal(back->align, all_types[i]->align);
        for (uint32_t k = 0; k < back->n_fields; k++)
            assert_int_equal(back->fields[k].offset, all_types[i]->fields[k].offset);
    }
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

static void equal_coders_are_one(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    const char *first, *again, *key;
    assert_int_equal(beam_coder_set_type(&set, &count_type, &first, NULL), BEAM_OK);
    assert_int_equal(set.n, 3); /* string, varint, kv */
    assert_string_equal(first, "coder_2");
    assert_int_equal(beam_coder_set_type(&set, &count_type, &again, NULL), BEAM_OK);
    assert_ptr_equal(again, first);
    assert_int_equal(beam_coder_set_type(&set, &beam_str_type, &key, NULL), BEAM_OK);
    assert_string_equal(key, "coder_0");
    assert_int_equal(set.n, 3);
    assert_string_equal(set.entries[2]->value->spec->urn, BEAM_URN_CODER_KV);
    assert_int_equal(set.entries[2]->value->n_component_coder_ids, 2);
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

static void a_window_is_no_field(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    const beam_field field = {"when", &beam_window_type, 0};
    const beam_type row = {.kind = BEAM_KIND_ROW, .n_fields = 1, .fields = &field};
    const char *id;
    beam_error err = {0};
    assert_int_equal(beam_coder_set_type(&set, &row, &id, &err), BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "beam_window"));
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

/* ---- Coders from outside --------------------------------------------------------------- */

/* A coder "id" of `urn` with components; made by hand in the arena. */
static void add(beam_coder_set *set, const char *id, const char *urn, const char *const *parts,
                size_t n, const void *payload, size_t payload_size)
{
    const char *made;
    assert_int_equal(beam_coder_set_add(set, urn, payload, payload_size, parts, n, &made, NULL),
                     BEAM_OK);
    set->entries[set->n - 1]->key = (char *)(uintptr_t)id;
}

static beam_status read_back(beam_coder_set *set, const char *id, beam_error *err)
{
    const beam_type *type;
    return beam_coder_type(map_of(set), id, set->arena, &type, err);
}

static void lying_coders_are_refused(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    beam_error err = {0};
    const char *self[] = {"loop", "loop"}, *missing[] = {"nowhere"};
    add(&set, "loop", BEAM_URN_CODER_KV, self, 2, NULL, 0);
    add(&set, "hole", BEAM_URN_CODER_ITERABLE, missing, 1, NULL, 0);
    add(&set, "half", BEAM_URN_CODER_KV, self, 1, NULL, 0);
    add(&set, "other", "beam:coder:pickle:v1", NULL, 0, NULL, 0);
    add(&set, "noise", BEAM_URN_CODER_ROW, NULL, 0, "\x0a\xff", 2);
    add(&set, "typeless", BEAM_URN_CODER_ROW, NULL, 0, "\x0a\x03\x0a\x01x", 5);
    assert_int_equal(read_back(&set, "loop", &err), BEAM_INVALID_ARGUMENT);
    assert_int_equal(read_back(&set, "hole", &err), BEAM_NOT_FOUND);
    assert_non_null(strstr(err.message, "'nowhere'"));
    assert_int_equal(read_back(&set, "half", &err), BEAM_DATA_LOSS);
    assert_int_equal(read_back(&set, "other", &err), BEAM_UNIMPLEMENTED);
    assert_non_null(strstr(err.message, "pickle"));
    assert_int_equal(read_back(&set, "noise", &err), BEAM_DATA_LOSS);
    assert_int_equal(read_back(&set, "typeless", &err), BEAM_DATA_LOSS);
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

/* 60 coders, each a kv of the one below twice, describe 2^60 values. */
static void shared_coders_do_not_explode(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    const char *id;
    assert_int_equal(beam_coder_set_type(&set, &beam_int64_type, &id, NULL), BEAM_OK);
    for (int i = 0; i < 60; i++) {
        const char *twice[] = {id, id};
        assert_int_equal(beam_coder_set_add(&set, BEAM_URN_CODER_KV, NULL, 0, twice, 2, &id, NULL),
                         BEAM_OK);
    }
    assert_int_equal(read_back(&set, id, NULL), BEAM_INVALID_ARGUMENT);
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

static void length_prefixes_stay(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    const char *row, *prefixed;
    const beam_type *type;
    assert_int_equal(beam_coder_set_type(&set, &everything_type, &row, NULL), BEAM_OK);
    assert_int_equal(
        beam_coder_set_add(&set, BEAM_URN_CODER_LENGTH_PREFIX, NULL, 0, &row, 1, &prefixed, NULL),
        BEAM_OK);
    assert_int_equal(beam_coder_type(map_of(&set), prefixed, &arena, &type, NULL), BEAM_OK);
    assert_int_equal(type->kind, BEAM_KIND_LENGTH_PREFIX);
    assert_true(beam_type_equal(type, &everything_type));
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

static void windowed_values_have_parts(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    const char *parts[2], *id;
    const beam_type *element, *window;
    assert_int_equal(beam_coder_set_type(&set, &count_type, &parts[0], NULL), BEAM_OK);
    assert_int_equal(beam_coder_set_type(&set, &beam_window_type, &parts[1], NULL), BEAM_OK);
    assert_int_equal(
        beam_coder_set_add(&set, BEAM_URN_CODER_WINDOWED_VALUE, NULL, 0, parts, 2, &id, NULL),
        BEAM_OK);
    assert_int_equal(beam_coder_windowed(map_of(&set), id, &arena, &element, &window, NULL),
                     BEAM_OK);
    assert_true(beam_type_equal(element, &count_type));
    assert_true(beam_type_equal(window, &beam_window_type));
    assert_int_equal(beam_coder_windowed(map_of(&set), parts[0], &arena, &element, &window, NULL),
                     BEAM_INVALID_ARGUMENT);
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
}

/* ---- Memory ---------------------------------------------------------------------------- */

static beam_status there_and_back(void)
{
    beam_arena arena = {0};
    beam_coder_set set = {.arena = &arena};
    const char *id;
    const beam_type *type;
    beam_status status = beam_coder_set_type(&set, &nested_type, &id, NULL);
    if (status == BEAM_OK)
        status = beam_coder_type(map_of(&set), id, &arena, &type, NULL);
    beam_coder_set_free(&set);
    beam_arena_free(&arena);
    return status;
}

static void each_allocation_may_fail(void **unused)
{
    (void)unused;
    for (test_shortage s = {0}; test_shortage_next(&s);)
        test_shortage_ends(&s, there_and_back());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),        cmocka_unit_test(equal_coders_are_one),
        cmocka_unit_test(a_window_is_no_field),         cmocka_unit_test(lying_coders_are_refused),
        cmocka_unit_test(shared_coders_do_not_explode), cmocka_unit_test(length_prefixes_stay),
        cmocka_unit_test(windowed_values_have_parts),   cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
