/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The parts of a combine: the lift with all kinds of keys, windows and timestamps, tables that
 * overflow and keys that never repeat; merging, extracting, converting, whole groups. */
#include <math.h>

#include "plan/stage.h"

static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};

/* ---- A sum, and a list that owns its memory ------------------------------------------- */

static beam_status add_int(beam_ctx *c, void *acc, const void *in)
{
    (void)c;
    *(beam_int64 *)acc += *(const beam_int64 *)in;
    return BEAM_OK;
}
static beam_status add_ints(beam_ctx *c, void *const *accs, const void *ins, size_t stride,
                            size_t n)
{
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(add_int(c, accs[i], (const char *)ins + i * stride));
    return BEAM_OK;
}
BEAM_COMBINEFN(sum_fn, .in = &beam_int64_type, .acc = &beam_int64_type, .out = &beam_int64_type,
               .add = add_int, .add_batch = add_ints, .merge = add_int);

BEAM_LIST(int_list, beam_int64);
#define LISTED(FIELD, S) FIELD(S, int_list, values)
BEAM_STRUCT(listed, LISTED);

static int lists; /* alive */

static beam_status list_create(beam_ctx *c, void *acc)
{
    (void)c;
    *(listed *)acc = (listed){{NULL, 0}};
    lists++;
    return BEAM_OK;
}
static beam_status list_add(beam_ctx *c, void *acc, const void *in)
{
    listed *list = acc;
    if (*(const beam_int64 *)in == 666)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "a bad number");
    beam_int64 *grown = beam_acc_realloc((void *)(uintptr_t)list->values.at,
                                         (list->values.len + 1) * sizeof *grown);
    if (!grown)
        return BEAM_RESOURCE_EXHAUSTED;
    grown[list->values.len] = *(const beam_int64 *)in;
    list->values = (int_list){grown, list->values.len + 1};
    return BEAM_OK;
}
static beam_status list_merge(beam_ctx *c, void *acc, const void *other)
{
    const listed *from = other;
    for (size_t i = 0; i < from->values.len; i++)
        BEAM_TRY(list_add(c, acc, (const beam_int64 *)from->values.at + i));
    return BEAM_OK;
}
static int by_value(const void *a, const void *b)
{
    beam_int64 x = *(const beam_int64 *)a, y = *(const beam_int64 *)b;
    return (x > y) - (x < y);
}
static beam_status list_compact(beam_ctx *c, void *acc)
{
    (void)c;
    listed *list = acc;
    if (list->values.len)
        qsort((void *)(uintptr_t)list->values.at, list->values.len, sizeof(beam_int64), by_value);
    return BEAM_OK;
}
static beam_status list_text(beam_ctx *c, const void *acc, void *out)
{
    const listed *list = acc;
    const beam_int64 *v = list->values.at;
    *(beam_str *)out = beam_format(c, "%zu values from %lld", list->values.len,
                                   list->values.len ? (long long)v[0] : 0LL);
    return ((beam_str *)out)->at ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}
static void list_destroy(beam_ctx *c, void *acc)
{
    (void)c;
    lists--;
    (void)beam_acc_realloc((void *)(uintptr_t)((listed *)acc)->values.at, 0);
}
BEAM_COMBINEFN(list_fn, .in = &beam_int64_type, .acc = &listed_type, .out = &beam_str_type,
               .create = list_create, .add = list_add, .merge = list_merge, .compact = list_compact,
               .extract = list_text, .destroy = list_destroy);

/* ---- The lift ------------------------------------------------------------------------- */

static void one_step(stage *s, const char *urn, const beam_combinefn *fn, const beam_type *in,
                     const beam_type *out, beam_windowing windowing)
{
    stage_init(s);
    stage_pcoll(s, "p0", in, windowing);
    stage_pcoll(s, "p1", out, windowing);
    stage_source(s, "source", "p0");
    stage_combine(s, "combine", urn, fn, fn->acc, NULL, "in0=p0", "out0=p1");
    stage_sink_of(s, "sink", "p1");
}

BEAM_KV(int_kv, beam_int64, beam_int64);

static void test_number_keys(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &int_kv_type, &int_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    for (int round = 0; round < 50; round++) {
        int_kv in[1000];
        for (int i = 0; i < 1000; i++)
            in[i] = (int_kv){(i * 7 + round) % 777 - 300, 1};
        STAGE_OK(stage_push(plan, in, round % 2 ? 1000 : 999, &info));
        STAGE_OK(stage_push(plan, &in[999], round % 2 == 0, &info));
    }
    assert_int_equal(stage_find(&s, "sink")->n, 0); /* nothing goes on before it must */
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 777);
    bool seen[777] = {false};
    beam_int64 sum = 0;
    for (size_t i = 0; i < sink->n; i++) {
        const int_kv *kv = sink->elements[i].value;
        assert_false(seen[kv->key + 300]);
        seen[kv->key + 300] = true;
        sum += kv->value;
    }
    assert_int_equal(sum, 50 * 1000);
    assert_true(sink->elements[0].batch > 100);
    assert_int_equal(sink->elements[0].info.timestamp, BEAM_GLOBAL_WINDOW_MAX);
    beam_plan_close(plan);
    stage_free(&s);
}

BEAM_KV(text_kv, beam_str, beam_int64);

static void test_text_keys(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &text_kv_type, &text_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    char text[64];
    for (int i = 0; i < 3000; i++) { /* all lengths up to 40, ten texts of each, thirty times */
        size_t len = (size_t)(i % 40);
        memset(text, 'x', sizeof text);
        if (len)
            text[len - 1] = (char)('0' + i / 40 % 10);
        text_kv kv = {{text, len}, 1};
        STAGE_OK(stage_push(plan, &kv, 1, &info));
    }
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 39 * 10 + 1);
    beam_int64 sum = 0;
    for (size_t i = 0; i < sink->n; i++) {
        const text_kv *kv = sink->elements[i].value;
        sum += kv->value;
        assert_true(kv->key.len < 40);
        for (size_t j = 0; j + 1 < kv->key.len; j++)
            assert_int_equal(kv->key.at[j], 'x');
        for (size_t j = 0; j < i; j++)
            assert_false(beam_str_equal(kv->key, ((const text_kv *)sink->elements[j].value)->key));
    }
    assert_int_equal(sum, 3000);
    beam_plan_close(plan);
    stage_free(&s);
}

/* A table that rests between bundles is as good as new. */
static void test_bundles_of_many_keys(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &text_kv_type, &text_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    enum { BUNDLES = 3, KEYS = 100000 };
    for (int bundle = 0; bundle < BUNDLES; bundle++) {
        if (bundle)
            STAGE_OK(beam_plan_start_bundle(plan));
        for (int i = 0; i < 2 * KEYS; i++) { /* every key twice */
            char text[32];
            int key = i % KEYS, len = snprintf(text, sizeof text, "%0*d", key % 20, key);
            text_kv kv = {{text, (size_t)len}, key};
            STAGE_OK(stage_push(plan, &kv, 1, &info));
        }
        stage_finish(plan);
    }
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, BUNDLES * KEYS);
    int *seen = calloc(KEYS, sizeof *seen);
    assert_non_null(seen);
    for (size_t i = 0; i < sink->n; i++) {
        const text_kv *kv = sink->elements[i].value;
        assert_in_range(kv->value, 0, 2 * (KEYS - 1));
        assert_int_equal(seen[kv->value / 2]++, i / KEYS);
    }
    free(seen);
    beam_plan_close(plan);
    stage_free(&s);
}

#define PADDED(FIELD, S) FIELD(S, beam_bool, flag) FIELD(S, beam_double, x) FIELD(S, beam_str, name)
BEAM_STRUCT(padded, PADDED);
BEAM_KV(padded_kv, padded, beam_int64);

/* Keys are one if and only if they encode alike: padding does not count, bits of doubles do. */
static void test_struct_keys(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &padded_kv_type, &padded_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    const double xs[] = {0.0, -0.0, NAN, 1.5};
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < 4; i++) {
            char name[32];
            padded_kv kv;
            memset(&kv, round * 37, sizeof kv); /* other padding each time */
            kv.key.flag = true;
            kv.key.x = xs[i];
            memcpy(name, "the name is long enough", 24);
            kv.key.name = (beam_str){name, 23};
            kv.value = 1;
            STAGE_OK(stage_push(plan, &kv, 1, &info));
        }
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 4);
    for (size_t i = 0; i < 4; i++) {
        const padded_kv *kv = sink->elements[i].value;
        assert_int_equal(kv->value, 4);
        assert_true(kv->key.flag);
        assert_true(beam_str_equal(kv->key.name, beam_str_of("the name is long enough")));
    }
    beam_plan_close(plan);
    stage_free(&s);
}

/* More keys than a table holds, none twice: they go by one by one, none is lost. */
static void test_keys_that_never_repeat(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &int_kv_type, &int_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    enum { KEYS = 400000, PUSH = 1000 };
    for (int at = 0; at < KEYS; at += PUSH) {
        int_kv in[PUSH];
        for (int i = 0; i < PUSH; i++)
            in[i] = (int_kv){at + i, at + i};
        STAGE_OK(stage_push(plan, in, PUSH, &info));
    }
    assert_true(stage_find(&s, "sink")->n > 0);
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, KEYS);
    beam_int64 sum = 0;
    for (size_t i = 0; i < sink->n; i++) {
        const int_kv *kv = sink->elements[i].value;
        assert_int_equal(kv->key, kv->value);
        sum += kv->value;
    }
    assert_int_equal(sum, (beam_int64)KEYS * (KEYS - 1) / 2);
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Windows and timestamps ----------------------------------------------------------- */

static void check_windows(beam_timestamp_combiner combiner, beam_timestamp first,
                          beam_timestamp second)
{
    stage s;
    beam_windowing windowing = beam_sliding_windows(20, 10);
    windowing.timestamp_combiner = combiner;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &int_kv_type, &int_kv_type, windowing);
    beam_plan *plan = stage_open(&s);
    const beam_window windows[] = {{0, 20}, {10, 30}};
    for (int i = 0; i < 3; i++) {
        beam_element_info info = {12 + i, windows, 2, BEAM_PANE_NO_FIRING};
        int_kv kv = {5, 1 << i};
        STAGE_OK(stage_push(plan, &kv, 1, &info));
    }
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 2);
    for (size_t i = 0; i < 2; i++) {
        const beam_element_info *info = &sink->elements[i].info;
        assert_int_equal(((const int_kv *)sink->elements[i].value)->value, 7);
        assert_int_equal(info->n_windows, 1);
        assert_int_equal(info->timestamp, info->windows[0].end == 20 ? first : second);
    }
    assert_int_not_equal(sink->elements[0].info.windows[0].end,
                         sink->elements[1].info.windows[0].end);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_windows(void **state)
{
    (void)state;
    check_windows(BEAM_END_OF_WINDOW, 19, 29);
    check_windows(BEAM_EARLIEST, 12, 12);
    check_windows(BEAM_LATEST, 14, 14);
}

static void test_many_windows(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &int_kv_type, &int_kv_type,
             beam_sessions(10));
    beam_plan *plan = stage_open(&s);
    for (int i = 0; i < 5000; i++) { /* more than there are numbers for windows */
        beam_window window = {i, i + 10};
        beam_element_info info = {i, &window, 1, BEAM_PANE_NO_FIRING};
        const int_kv kvs[] = {{1, 1}, {1, 1}};
        STAGE_OK(stage_push(plan, kvs, 2, &info));
    }
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    beam_int64 sum = 0;
    for (size_t i = 0; i < sink->n; i++)
        sum += ((const int_kv *)sink->elements[i].value)->value;
    assert_int_equal(sum, 10000);
    assert_true(sink->n >= 5000);
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Accumulators that own memory ----------------------------------------------------- */

BEAM_KV(listed_kv, beam_str, listed);
BEAM_KV(text_text, beam_str, beam_str);

static void test_lists_are_freed(void **state)
{
    (void)state;
    for (int ending = 0; ending < 3; ending++) { /* finished, failed, abandoned */
        stage s;
        one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &list_fn, &text_kv_type, &listed_kv_type, global);
        beam_plan *plan = stage_open(&s);
        beam_element_info info = stage_info(0);
        char key[2] = "a";
        for (int i = 0; i < 100; i++, key[0] = (char)('a' + i % 7)) {
            text_kv kv = {{key, 1}, 100 - i};
            STAGE_OK(stage_push(plan, &kv, 1, &info));
        }
        if (ending == 1) {
            text_kv bad[50];
            for (int i = 0; i < 50; i++)
                bad[i] = (text_kv){{"b", 1}, i == 49 ? 666 : 1};
            beam_status status = stage_push(plan, bad, 50, &info);
            if (status == BEAM_OK) /* inputs may wait a while */
                status = beam_plan_finish_bundle(plan);
            assert_int_equal(status, BEAM_INVALID_ARGUMENT);
            assert_string_equal(beam_plan_get_failure(plan)->error.message, "a bad number");
        }
        if (ending == 0) {
            stage_finish(plan);
            const stage_sink *sink = stage_find(&s, "sink");
            assert_int_equal(sink->n, 7);
            for (size_t i = 0; i < 7; i++) { /* compacted: in order */
                const listed *list = &((const listed_kv *)sink->elements[i].value)->value;
                const beam_int64 *v = list->values.at;
                for (size_t j = 1; j < list->values.len; j++)
                    assert_true(v[j - 1] < v[j]);
            }
        }
        beam_plan_close(plan);
        assert_int_equal(lists, 0);
        stage_free(&s);
    }
}

/* ---- Behind the shuffle --------------------------------------------------------------- */

BEAM_GROUPED(listed_group, beam_str, listed);
BEAM_GROUPED(int_group, beam_str, beam_int64);

static void test_merge_then_extract(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", &listed_group_type, global);
    stage_pcoll(&s, "p1", &listed_kv_type, global);
    stage_pcoll(&s, "p2", &text_text_type, global);
    stage_source(&s, "source", "p0");
    stage_combine(&s, "merge", BEAM_URN_COMBINE_MERGE, &list_fn, &listed_type, NULL, "in0=p0",
                  "out0=p1");
    stage_combine(&s, "extract", BEAM_URN_COMBINE_EXTRACT, &list_fn, &listed_type, NULL, "in0=p1",
                  "out0=p2");
    stage_sink_of(&s, "sink", "p2");
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(3);
    static const beam_int64 a[] = {5, 9}, b[] = {7, 2, 8};
    const listed parts[] = {{{a, 2}}, {{b, 3}}};
    const listed_group groups[] = {{{"k", 1}, {NULL, parts, 2}}, {{"none", 4}, {NULL, parts, 0}}};
    STAGE_OK(stage_push(plan, groups, 2, &info));
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 2);
    const text_text *out = sink->elements[0].value;
    assert_true(beam_str_equal(out->key, beam_str_of("k")));
    assert_true(beam_str_equal(out->value, beam_str_of("5 values from 2")));
    assert_int_equal(lists, 0);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_convert(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_CONVERT, &list_fn, &text_kv_type, &listed_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(3);
    const text_kv kvs[] = {{{"a", 1}, 1}, {{"a", 1}, 2}};
    STAGE_OK(stage_push(plan, kvs, 2, &info));
    assert_int_equal(stage_find(&s, "sink")->n, 2);
    const listed_kv *out = stage_find(&s, "sink")->elements[1].value;
    assert_int_equal(*(const beam_int64 *)out->value.values.at, 2);
    assert_int_equal(stage_find(&s, "sink")->elements[1].info.timestamp, 3);
    stage_finish(plan);
    beam_plan_close(plan);
    assert_int_equal(lists, 0);
    stage_free(&s);
}

/* An iterable that comes in runs of two. */
static void start_pairs(beam_iter *iter)
{
    iter->cursor[0] = (void *)(uintptr_t)iter->iterable.source;
}
static void refill_pairs(beam_iter *iter)
{
    const beam_int64 *at = iter->cursor[0];
    const beam_int64 *end = (const beam_int64 *)iter->iterable.source + iter->iterable.len;
    const beam_int64 *next = end - at < 2 ? end : at + 2;
    iter->at = (const char *)at;
    iter->end = (const char *)next;
    iter->cursor[0] = (void *)(uintptr_t)next;
}
static const beam_iterable_ops pair_ops = {start_pairs, refill_pairs};
static void refill_broken(beam_iter *iter)
{
    iter->status = BEAM_DATA_LOSS;
}
static const beam_iterable_ops broken_ops = {start_pairs, refill_broken};

static void test_grouped_values(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_GROUPED_VALUES, &sum_fn, &int_group_type, &text_kv_type, global);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(3);
    static beam_int64 values[1001];
    for (int i = 0; i < 1001; i++)
        values[i] = i;
    const int_group groups[] = {{{"a", 1}, {NULL, values, 1001}},
                                {{"b", 1}, {&pair_ops, values, 7}}};
    STAGE_OK(stage_push(plan, groups, 2, &info));
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(((const text_kv *)sink->elements[0].value)->value, 500500);
    assert_int_equal(((const text_kv *)sink->elements[1].value)->value, 21);
    const int_group broken = {{"c", 1}, {&broken_ops, values, 7}};
    assert_int_equal(stage_push(plan, &broken, 1, &info), BEAM_DATA_LOSS);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_refused(void **state)
{
    (void)state;
    stage s;
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &int_kv_type, &text_kv_type, global);
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "the output's key");
    stage_free(&s);
    one_step(&s, BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, &beam_int64_type, &int_kv_type, global);
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "no KV");
    stage_free(&s);
    one_step(&s, BEAM_URN_COMBINE_MERGE, &sum_fn, &int_kv_type, &int_kv_type, global);
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "not grouped");
    stage_free(&s);
    one_step(&s, BEAM_URN_COMBINE_EXTRACT, &list_fn, &text_kv_type, &text_text_type, global);
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "list_fn");
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_keys),
        cmocka_unit_test(test_text_keys),
        cmocka_unit_test(test_bundles_of_many_keys),
        cmocka_unit_test(test_struct_keys),
        cmocka_unit_test(test_keys_that_never_repeat),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_many_windows),
        cmocka_unit_test(test_lists_are_freed),
        cmocka_unit_test(test_merge_then_extract),
        cmocka_unit_test(test_convert),
        cmocka_unit_test(test_grouped_values),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
