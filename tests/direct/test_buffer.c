/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Buffers between stages, and side inputs over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "direct/buffer.h"
#include "direct/side.h"

BEAM_KV(str_int, beam_str, beam_int64);
BEAM_KV(int_str, beam_int64, beam_str);

static const beam_window early = {0, 10}, late = {10, 20}, both[] = {{0, 10}, {10, 20}};

static beam_element_info info_of(const beam_window *windows, uint32_t n, beam_timestamp timestamp)
{
    return (beam_element_info){timestamp, windows, n, BEAM_PANE_NO_FIRING};
}

static void write_ok(beam_buffer_writer *w, const beam_element_info *info, const void *elements,
                     size_t n)
{
    assert_int_equal(beam_buffer_write(w, info, elements, n, NULL), BEAM_OK);
}

static beam_status open_buffer(beam_element_buffer *buffer, const beam_type *type,
                               beam_memory_budget *budget)
{
    const beam_element_buffer_options options = {
        .type = type, .budget = budget, .temp_dir = "/tmp", .threads = 1};
    return beam_element_buffer_open(buffer, &options, NULL);
}

/* ---- Numbers ------------------------------------------------------------------------------- */

static void write_numbers(beam_element_buffer *buffer, int64_t from, int64_t n, size_t batch)
{
    beam_buffer_writer writer;
    beam_buffer_write_begin(buffer, &writer);
    int64_t *values = malloc(batch * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n;) {
        size_t k = 0;
        for (; k < batch && i < n; i++)
            values[k++] = from + i;
        beam_element_info info = info_of(&early, 1, 5);
        write_ok(&writer, &info, values, k);
    }
    free(values);
    beam_buffer_commit(&writer);
}

static void numbers(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    beam_element_buffer buffer;
    assert_int_equal(open_buffer(&buffer, &beam_int64_type, &budget), BEAM_OK);
    write_numbers(&buffer, 0, 5000, 1);
    write_numbers(&buffer, 5000, 100000, 777);
    write_numbers(&buffer, 105000, 1, 1);
    beam_buffer_writer forgotten;
    beam_buffer_write_begin(&buffer, &forgotten);
    beam_element_info info = info_of(&early, 1, 5);
    write_ok(&forgotten, &info, &(int64_t){7}, 1);
    beam_buffer_abort(&forgotten);
    beam_buffer_commit(&forgotten); /* ended: does nothing */
    assert_int_equal(beam_element_buffer_seal(&buffer, NULL), BEAM_OK);
    assert_int_equal(buffer.n, 105001);
    assert_true(budget.used >= 105001 * 8);
    assert_true(budget.used < 105001 * 8 * 3);
    int64_t sum = 0;
    for (uint64_t i = 0; i < buffer.n; i++) {
        const beam_span *span = beam_buffer_find(&buffer, i);
        assert_true(span->first <= i && i < span->first + span->n);
        assert_int_equal(span->info->timestamp, 5);
        sum += ((const int64_t *)(const void *)span->elements)[i - span->first];
    }
    assert_int_equal(sum, INT64_C(105001) * 105000 / 2);
    beam_element_buffer_clear(&buffer);
    assert_int_equal(budget.used, 0);
    beam_element_buffer_close(&buffer);
    beam_element_buffer_close(&buffer);
}

/* ---- Infos ----------------------------------------------------------------------------------- */

static void infos(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    for (int one_window = 0; one_window <= 1; one_window++) {
        beam_element_buffer buffer;
        assert_int_equal(open_buffer(&buffer, &beam_int64_type, &budget), BEAM_OK);
        buffer.options.one_window = one_window;
        beam_buffer_writer writer;
        beam_buffer_write_begin(&buffer, &writer);
        for (int64_t i = 0; i < 100; i++) {
            beam_element_info info = info_of(both, i % 2 ? 2 : 1, i / 10);
            write_ok(&writer, &info, &i, 1);
        }
        beam_buffer_commit(&writer);
        assert_int_equal(beam_element_buffer_seal(&buffer, NULL), BEAM_OK);
        assert_int_equal(buffer.n, one_window ? 150 : 100);
        for (uint64_t i = 0; i < buffer.n; i++) {
            const beam_span *span = beam_buffer_find(&buffer, i);
            int64_t v = ((const int64_t *)(const void *)span->elements)[i - span->first];
            assert_int_equal(span->info->timestamp, v / 10);
            assert_int_equal(span->info->n_windows, v % 2 && !one_window ? 2 : 1);
        }
        beam_element_buffer_close(&buffer);
    }
    assert_int_equal(budget.used, 0);
}

/* ---- Side inputs --------------------------------------------------------------------------------
 */

static const char *const words[] = {"a", "bee", "", "a", "sea", "a"};

/* Word i with value i: the even ones in the early window, those divisible by 3 in both. */
static beam_side_view *open_words(beam_element_buffer *buffer, beam_memory_budget *budget)
{
    assert_int_equal(open_buffer(buffer, &str_int_type, budget), BEAM_OK);
    beam_buffer_writer writer;
    beam_buffer_write_begin(buffer, &writer);
    for (int64_t i = 0; i < 6; i++) {
        char word[8];
        snprintf(word, sizeof word, "%s", words[i]);
        str_int kv = {{word, strlen(word)}, i};
        beam_element_info info = i % 3 == 0   ? info_of(both, 2, 1)
                                 : i % 2 == 0 ? info_of(&early, 1, 1)
                                              : info_of(&late, 1, 1);
        write_ok(&writer, &info, &kv, 1);
    }
    beam_buffer_commit(&writer);
    assert_int_equal(beam_element_buffer_seal(buffer, NULL), BEAM_OK);
    beam_side_view *view;
    assert_int_equal(beam_side_view_open(buffer, &view, NULL), BEAM_OK);
    return view;
}

static int64_t sum_all(beam_side_view *view, const beam_window *window)
{
    beam_iterable all;
    assert_int_equal(beam_side_view_all(view, window, &all, NULL), BEAM_OK);
    beam_iter iter = beam_iterate(&all, str_int);
    int64_t sum = 0;
    uint64_t n = 0;
    for (const str_int *kv; (kv = beam_next(&iter, str_int)); n++)
        sum += kv->value + 100;
    assert_int_equal(n, all.len);
    return sum;
}

static int64_t sum_key(beam_side_view *view, const beam_window *window, const char *word)
{
    beam_buffer image = {0};
    beam_iterable values;
    beam_str key = {word, strlen(word)};
    assert_int_equal(beam_side_view_get(view, window, &key, &image, &values, NULL), BEAM_OK);
    beam_buffer_free(&image);
    beam_iter iter = beam_iterate(&values, beam_int64);
    int64_t sum = 0;
    for (const beam_int64 *v; (v = beam_next(&iter, beam_int64));)
        sum += *v + 100;
    return sum;
}

static void side_inputs(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    beam_element_buffer buffer;
    beam_side_view *view = open_words(&buffer, &budget);
    static const beam_window never = {20, 30};
    assert_int_equal(sum_all(view, &early), 400 + 0 + 2 + 3 + 4);
    assert_int_equal(sum_all(view, &late), 400 + 0 + 1 + 3 + 5);
    assert_int_equal(sum_all(view, &never), 0);
    assert_int_equal(sum_key(view, &early, "a"), 203);
    assert_int_equal(sum_key(view, &late, "a"), 308);
    assert_int_equal(sum_key(view, &early, ""), 102);
    assert_int_equal(sum_key(view, &late, ""), 0);
    assert_int_equal(sum_key(view, &early, "nothing"), 0);
    assert_int_equal(sum_key(view, &never, "a"), 0);
    beam_side_view_close(view);
    assert_int_equal(atomic_load(&budget.used), beam_element_buffer_bytes(&buffer));
    beam_element_buffer_close(&buffer);
    assert_int_equal(atomic_load(&budget.used), 0);
}

/* Indexes count as memory, and once. */
static void side_indexes_count(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    beam_element_buffer buffer;
    beam_side_view *view = open_words(&buffer, &budget);
    const uint64_t elements = atomic_load(&budget.used);
    assert_int_equal(elements, beam_element_buffer_bytes(&buffer));
    (void)sum_all(view, &early);
    const uint64_t windows = atomic_load(&budget.used);
    assert_true(windows > elements);
    for (int again = 0; again < 2; again++) {
        (void)sum_key(view, &early, "a");
        /* Four values, and as many numbers of keys at least. */
        assert_in_range(atomic_load(&budget.used), windows + 4 * 2 * sizeof(beam_int64),
                        windows + 16384);
    }
    beam_side_view_close(view);
    assert_int_equal(atomic_load(&budget.used), elements);
    beam_element_buffer_close(&buffer);
}

/* Reading fails without memory, and works afterwards. */
static void side_without_memory(void **state)
{
    (void)state;
    beam_memory_budget budget = {0};
    beam_element_buffer buffer;
    beam_side_view *view = open_words(&buffer, &budget);
    beam_str key = {"a", 1};
    for (uint64_t n = 1;; n++) {
        beam_buffer image = {0};
        beam_iterable values;
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_side_view_get(view, &late, &key, &image, &values, &err);
        beam_alloc_fail_at(0, 0);
        beam_buffer_free(&image);
        if (status == BEAM_OK)
            break;
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
        assert_true(err.message[0] != '\0');
    }
    assert_int_equal(sum_key(view, &late, "a"), 308);
    beam_side_view_close(view);
    beam_element_buffer_close(&buffer);
}

/* ---- Texts, in memory and spilled -------------------------------------------------------------
 */

enum { TEXTS = 6400 };

static void write_texts(beam_element_buffer *buffer)
{
    beam_buffer_writer writer;
    beam_buffer_write_begin(buffer, &writer);
    char text[64][16];
    int_str kvs[64];
    for (int64_t i = 0; i < TEXTS; i++) {
        int at = (int)(i % 64);
        kvs[at].key = i;
        kvs[at].value = (beam_str){text[at], (size_t)snprintf(text[at], 16, "text %d", (int)i)};
        beam_element_info info = info_of(&early, 1, i / 1000);
        if (at == 63)
            write_ok(&writer, &info, kvs, 64);
    }
    memset(text, 0, sizeof text);
    assert_int_equal(beam_buffer_prepare(&writer, NULL), BEAM_OK);
    beam_buffer_commit(&writer);
}

static void texts(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0, 1, 100000};
    for (size_t l = 0; l < 3; l++) {
        beam_memory_budget budget = {.limit = limits[l]};
        beam_element_buffer buffer;
        beam_span_loader loader = {0};
        assert_int_equal(open_buffer(&buffer, &int_str_type, &budget), BEAM_OK);
        write_texts(&buffer);
        if (limits[l])
            assert_true(buffer.file_size > 0 && budget.used < 200000);
        assert_int_equal(beam_element_buffer_seal(&buffer, NULL), BEAM_OK);
        assert_int_equal(buffer.n, TEXTS);
        for (uint64_t i = 0; i < TEXTS; i++) {
            const beam_span *span = beam_buffer_find(&buffer, i);
            const char *elements;
            assert_int_equal(beam_span_load(&loader, &buffer, span, &elements, NULL), BEAM_OK);
            const int_str *kv = (const int_str *)(const void *)elements + (i - span->first);
            char expected[16];
            int len = snprintf(expected, sizeof expected, "text %d", (int)kv->key);
            assert_int_equal(kv->value.len, len);
            assert_memory_equal(kv->value.at, expected, (size_t)len);
        }
        beam_span_loader_free(&loader);
        beam_element_buffer_close(&buffer);
        assert_int_equal(budget.used, 0);
    }
}

/* Whoever reads the others, from a file or from memory, need not hold it. */
static void a_large_text_among_others(void **state)
{
    (void)state;
    enum { LARGE = 3 << 20, AT = 2, N = 5 };
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    int_str kvs[N];
    for (int64_t i = 0; i < N; i++)
        kvs[i] = (int_str){i, i == AT ? (beam_str){large, LARGE} : (beam_str){"small", 5}};
    beam_memory_budget budget = {.limit = 1};
    beam_element_buffer buffer;
    assert_int_equal(open_buffer(&buffer, &int_str_type, &budget), BEAM_OK);
    beam_buffer_writer writer;
    beam_buffer_write_begin(&buffer, &writer);
    beam_element_info info = info_of(&early, 1, 0);
    write_ok(&writer, &info, kvs, N);
    beam_buffer_commit(&writer);
    free(large);
    assert_int_equal(beam_element_buffer_seal(&buffer, NULL), BEAM_OK);
    assert_int_equal(buffer.n, N);
    beam_span_loader loader = {0};
    for (uint64_t i = 0; i < N; i++) {
        const beam_span *span = beam_buffer_find(&buffer, i);
        const char *elements;
        assert_int_equal(beam_span_load(&loader, &buffer, span, &elements, NULL), BEAM_OK);
        const int_str *kv = (const int_str *)(const void *)elements + (i - span->first);
        assert_int_equal(kv->key, i);
        assert_int_equal(kv->value.len, i == AT ? LARGE : 5);
        assert_int_equal(span->size > LARGE, i == AT);
        beam_span_loader_rest(&loader);
        assert_true(loader.bytes.capacity < LARGE);
    }
    beam_span_loader_free(&loader);
    beam_element_buffer_close(&buffer);
    assert_int_equal(budget.used, 0);
}

static void no_place_to_spill(void **state)
{
    (void)state;
    beam_memory_budget budget = {.limit = 1};
    beam_element_buffer buffer;
    const beam_element_buffer_options options = {
        .type = &beam_int64_type, .budget = &budget, .temp_dir = "/nonexistent", .threads = 1};
    assert_int_equal(beam_element_buffer_open(&buffer, &options, NULL), BEAM_OK);
    beam_buffer_writer writer;
    beam_buffer_write_begin(&buffer, &writer);
    static const int64_t many[4096];
    beam_element_info info = info_of(&early, 1, 0);
    beam_error err = {0};
    assert_int_equal(beam_buffer_write(&writer, &info, many, 4096, &err), BEAM_UNAVAILABLE);
    assert_non_null(strstr(err.message, "/nonexistent"));
    beam_buffer_abort(&writer);
    beam_element_buffer_close(&buffer);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(infos),
        cmocka_unit_test(side_inputs),
        cmocka_unit_test(side_without_memory),
        cmocka_unit_test(texts),
        cmocka_unit_test(a_large_text_among_others),
        cmocka_unit_test(no_place_to_spill),
        cmocka_unit_test(side_indexes_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
