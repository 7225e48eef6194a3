/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The report's page: what of a run is in its object, and that nothing hostile in a run is more
 * than text in there.  Called with --write FILE it leaves such a page for the browser's test. */
#include "support/files.h"

#include <stdio.h>
#include <string.h>

#include <beam/beam.h>

#include "app/page.h"
#include "base/alloc.h"

#define EVIL "</script><script>evil()</script><img src=x onerror=evil()>\"'`${evil()}"

enum { SIZES, LAST, SEEN, TEXTS, HISTORY };

static beam_status count_sizes(beam_ctx *c, const beam_int64 *n)
{
    beam_distribution_update(c, SIZES, *n);
    beam_gauge_set(c, LAST, *n);
    beam_count(c, SEEN, 1);
    beam_string_set_add(c, TEXTS, beam_str_of(EVIL));
    beam_string_set_add(c, TEXTS, (beam_str){"\xff\xfe", 2});
    return beam_emit_value(c, beam_int64, n);
}
static const beam_type *const numbers[] = {&beam_int64_type};
static beam_status count_sizes_untyped(beam_ctx *c, const void *n)
{
    return count_sizes(c, n);
}
static const beam_dofn count_fn = {
    .struct_size = sizeof(beam_dofn),
    .name = "count_fn",
    .in = &beam_int64_type,
    .outs = numbers,
    .n_outs = 1,
    .process = count_sizes_untyped,
    BEAM_METRICS([SIZES] = {"sizes_bytes", BEAM_DISTRIBUTION}, [LAST] = {"last", BEAM_GAUGE},
                 [SEEN] = {EVIL, BEAM_COUNTER}, [TEXTS] = {"texts", BEAM_STRING_SET})};

/* Named as the library's own, whose rows the page draws. */
static beam_status tell_rows(beam_ctx *c, const void *n)
{
    char row[512];
    (void)snprintf(row, sizeof row,
                   "{\"experiment_id\": \"<b>e%lld</b>\", \"epoch\": 1, \"loss\": 0.5, "
                   "\"accuracy\": 1e308, \"__proto__\": {\"steps\": true}}",
                   (long long)*(const beam_int64 *)n);
    beam_string_set_add(c, 0, beam_str_of(row));
    beam_string_set_add(c, 0, beam_str_of("{no JSON"));
    beam_string_set_add(c, 0, beam_str_of("[1]"));
    return BEAM_OK;
}
static const beam_dofn rows_fn = {.struct_size = sizeof(beam_dofn),
                                  .name = "beam_train_models_fn",
                                  .in = &beam_int64_type,
                                  .process = tell_rows,
                                  BEAM_METRICS({"training_history", BEAM_STRING_SET})};

static void build(beam_pipeline *p)
{
    const beam_int64 values[] = {-1, 0, 1, 2, 3, 4, 5, 8, 9, 100, 100, 1 << 20};
    beam_composite_begin(p, EVIL, &(beam_hints){.accelerator = "type:<i>t4</i>", .min_ram = "2GB"});
    beam_pcoll all = beam_create(p, beam_int64, values, 12, .name = "Numbers\xff");
    beam_pcoll seen = beam_pardo(all, &count_fn, .name = "Count <b>&amp;</b>");
    beam_composite_end(p);
    beam_pardo(seen, &rows_fn, .name = "constructor");
    beam_pardo(beam_count_globally(seen, .name = "__proto__"), &rows_fn, .name = "Tell");
}

typedef struct page_run {
    beam_pipeline *p;
    beam_page *page;
    beam_result *result;
} page_run;

static page_run run_page(void)
{
    page_run r = {.p = beam_pipeline_new(NULL)};
    const beam_named_value given[] = {{"output", EVIL}, {"bad\x80", "x"}};
    const beam_page_options options = {
        .program = EVIL, .about = "Made to be hostile.", .given = given, .n_given = 2};
    const beam_run_options how = {
        .struct_size = sizeof how, .direct_num_workers = 2, .profile = true};
    beam_error err = {0};
    build(r.p);
    assert_ok(beam_pipeline_status(r.p, &err), err);
    assert_ok(beam_page_new(&options, r.p, &r.page, &err), err);
    assert_ok(beam_pipeline_run(r.p, &how, &r.result, &err), err);
    beam_page_progress(r.page, &(beam_progress){.seconds = 0.5,
                                                .transform = EVIL,
                                                .elements = 12,
                                                .fraction = 0.5,
                                                .result = r.result});
    beam_error_set(&err, BEAM_ABORTED, "%s", EVIL "\xc3");
    beam_page_end(r.page, BEAM_ABORTED, &err, r.result, NULL);
    return r;
}

static void end_page(page_run *r)
{
    beam_page_free(r->page);
    beam_result_free(r->result);
    beam_pipeline_free(r->p);
}

static json_t *find(const json_t *array, const char *key, const char *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *found = json_string_value(json_object_get(item, key));
        if (found && strcmp(found, value) == 0)
            return item;
    }
    fail_msg("nothing has %s = %s", key, value);
    return NULL;
}

static json_t *object_of(const page_run *r)
{
    beam_buffer text = {0};
    beam_error err = {0};
    assert_ok(beam_page_json(r->page, &text, &err), err);
    for (size_t i = 0; i < text.len; i++) /* nothing that could end the element it stands in */
        if (text.data[i] >= 0x80 || text.data[i] < ' ' || strchr("<>&", text.data[i]))
            fail_msg("byte %02x at %zu", text.data[i], i);
    json_t *run = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(run);
    beam_buffer_free(&text);
    return run;
}

static void object(void **state)
{
    (void)state;
    page_run r = run_page();
    json_t *run = object_of(&r);
    assert_string_equal(json_string_value(json_object_get(run, "program")), EVIL);
    assert_string_equal(json_string_value(json_object_get(run, "state")), "failed");
    assert_string_equal(json_string_value(json_object_get(run, "error")), EVIL "?");
    const json_t *transforms = json_object_get(json_object_get(run, "graph"), "transforms");
    const json_t *count = find(transforms, "function", "count_fn");
    assert_string_equal(json_string_value(json_object_get(count, "name")), "Count <b>&amp;</b>");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(count, "hints"), "accelerator")),
        "type:<i>t4</i>");
    const json_t *out = json_array_get(json_object_get(count, "outputs"), 0);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(run, "counts"), json_string_value(out))),
        12);
    assert_int_equal(json_array_size(json_object_get(run, "pace")), 2);
    assert_int_equal(json_array_size(json_object_get(run, "history")), 12);
    json_decref(run);
    end_page(&r);
}

static void metrics(void **state)
{
    (void)state;
    page_run r = run_page();
    json_t *run = object_of(&r), *bucket;
    const json_t *all = json_object_get(run, "metrics");
    const json_t *sizes = find(all, "name", "sizes_bytes");
    static const json_int_t expected[][3] = {
        {-1, -1, 1}, {0, 0, 1}, {1, 1, 1}, {2, 2, 1},    {3, 3, 1},
        {4, 4, 1},   {5, 5, 1}, {8, 9, 2}, {96, 111, 2}, {1 << 20, 1 << 20, 1}};
    size_t i;
    assert_int_equal(json_array_size(json_object_get(sizes, "buckets")), 10);
    json_array_foreach(json_object_get(sizes, "buckets"), i, bucket)
    {
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(json_integer_value(json_array_get(bucket, k)), expected[i][k]);
    }
    assert_int_equal(json_integer_value(json_object_get(sizes, "count")), 12);
    assert_int_equal(json_integer_value(json_object_get(find(all, "name", EVIL), "sum")), 12);
    assert_int_equal(json_array_size(json_object_get(find(all, "name", "texts"), "texts")), 2);
    json_decref(run);
    end_page(&r);
}

static void stages(void **state)
{
    (void)state;
    page_run r = run_page();
    json_t *run = object_of(&r), *stage;
    size_t i, bundles = 0;
    json_array_foreach(json_object_get(run, "stages"), i, stage)
    {
        bundles += (size_t)json_integer_value(json_object_get(stage, "bundles"));
        double began = json_real_value(json_object_get(stage, "began"));
        assert_true(began >= 0 && json_real_value(json_object_get(stage, "ended")) >= began);
        assert_int_equal(json_integer_value(json_object_get(stage, "failed")), 0);
    }
    assert_true(i >= 3 && bundles >= i);
    json_decref(run);
    end_page(&r);
}

/* Every point spans as long as any other, and the last is never far behind. */
static void pace(void **state)
{
    (void)state;
    page_run r = run_page();
    for (int i = 1; i <= 5000; i++)
        beam_page_progress(r.page,
                           &(beam_progress){.seconds = i, .elements = 10, .result = r.result});
    json_t *run = object_of(&r);
    const json_t *points = json_object_get(run, "pace");
    size_t n = json_array_size(points);
    assert_true(n > 200 && n <= 512);
    double last = json_number_value(json_array_get(json_array_get(points, n - 1), 0));
    double before = json_number_value(json_array_get(json_array_get(points, n - 2), 0));
    assert_true(last > 4900 && last - before <= 16);
    json_decref(run);
    end_page(&r);
}

static void no_place(void **state)
{
    (void)state;
    page_run r = run_page();
    beam_error err = {0};
    assert_int_not_equal(beam_page_write(r.page, "/nowhere/at/all.html", &err), BEAM_OK);
    assert_non_null(strstr(err.message, "/nowhere/at/all.html"));
    end_page(&r);
}

/* One call after the other finds no memory. */
static void no_memory(void **state)
{
    (void)state;
    page_run r = run_page();
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    for (uint64_t n = 1; status != BEAM_OK; n++) {
        beam_buffer json = {0}, html = {0};
        beam_page *page = NULL;
        beam_alloc_fail_at(n, 0);
        status = beam_page_new(&(beam_page_options){.program = "p"}, r.p, &page, NULL);
        if (status == BEAM_OK)
            status = beam_page_json(page, &json, NULL);
        if (status == BEAM_OK)
            status = beam_page_html(&json, &html);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        beam_page_free(page);
        beam_buffer_free(&json);
        beam_buffer_free(&html);
        assert_true(n < 1000);
    }
    end_page(&r);
}

static int write_page(const char *path)
{
    page_run r = run_page();
    beam_error err = {0};
    beam_status status = beam_page_write(r.page, path, &err);
    end_page(&r);
    return status == BEAM_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(object),   cmocka_unit_test(metrics),
                                       cmocka_unit_test(stages),   cmocka_unit_test(pace),
                                       cmocka_unit_test(no_place), cmocka_unit_test(no_memory)};
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_page(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
