/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* ParDo, Flatten and what is between them: elements one by one and in arrays, several outputs
 * and consumers, infos, memory, failures. */
#include "plan/stage.h"

#define INT &beam_int64_type
static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};
#define BUNDLE(...)                    \
    (const beam_int64[]){__VA_ARGS__}, \
        sizeof((const beam_int64[]){__VA_ARGS__}) / sizeof(beam_int64)

static void chain(stage *s, const beam_dofn *const *fns, size_t n, const beam_type *const *types)
{
    char id[32], in[32], out[32];
    stage_init(s);
    stage_pcoll(s, "p0", types[0], global);
    stage_source(s, "source", "p0");
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "p%zu", i + 1);
        stage_pcoll(s, id, types[i + 1], global);
        snprintf(id, sizeof id, "t%zu", i + 1);
        snprintf(in, sizeof in, "in0=p%zu", i);
        snprintf(out, sizeof out, "out0=p%zu", i + 1);
        stage_pardo(s, id, fns[i], NULL, in, out);
    }
    snprintf(in, sizeof in, "p%zu", n);
    stage_sink_of(s, "sink", in);
}

static void chain_of_ints(stage *s, const beam_dofn *first, const beam_dofn *second)
{
    const beam_dofn *fns[] = {first, second};
    const beam_type *types[] = {INT, INT, INT};
    chain(s, fns, second ? 2 : 1, types);
}

/* ---- One by one and in arrays --------------------------------------------------------- */

static beam_status triple(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, beam_int64, *x * 3);
}
BEAM_DOFN(triple_fn, beam_int64, triple, BEAM_TYPES(INT));

static beam_status keep_even(beam_ctx *c, const beam_int64 *x)
{
    return *x % 2 ? BEAM_OK : beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(even_fn, beam_int64, keep_even, BEAM_TYPES(INT));

static size_t batches[64], n_batches;

static beam_status triple_all(beam_ctx *c, const beam_int64 *x, size_t n)
{
    beam_int64 *out = beam_alloc(c, n * sizeof *out);
    if (!out)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * 3;
    batches[n_batches++ % 64] = n;
    return beam_emit_batch(c, 0, beam_int64, out, n);
}
BEAM_BATCH_DOFN(triple_all_fn, beam_int64, triple_all, BEAM_TYPES(INT));

static void check_ints(const stage_sink *sink, const beam_int64 *want, size_t n)
{
    assert_int_equal(sink->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(STAGE_AT(sink, beam_int64, i), want[i]);
}

static void test_singles(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &triple_fn, &even_fn);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(7);
    for (beam_int64 i = 1; i <= 4; i++)
        STAGE_OK(stage_push(plan, &i, 1, &info));
    stage_finish(plan);
    check_ints(stage_find(&s, "sink"), BUNDLE(6, 12));
    assert_int_equal(stage_find(&s, "sink")->elements[0].info.timestamp, 7);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_array_through_singles(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &triple_fn, &even_fn);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    beam_int64 in[3000];
    for (int i = 0; i < 3000; i++)
        in[i] = i;
    STAGE_OK(stage_push(plan, in, 3000, &info));
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 1500); /* all is handed over when the push returns */
    for (size_t i = 0; i < sink->n; i++)
        assert_int_equal(STAGE_AT(sink, beam_int64, i), (beam_int64)i * 6);
    assert_true(sink->elements[0].batch > 1); /* gathered on the way */
    stage_finish(plan);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_singles_into_arrays(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &triple_all_fn, NULL);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0), later = stage_info(1);
    n_batches = 0;
    for (beam_int64 i = 0; i < 1030; i++)
        STAGE_OK(stage_push(plan, &i, 1, &info));
    assert_int_equal(n_batches, 1);
    assert_int_equal(batches[0], 1024);
    beam_int64 x = 1030;
    STAGE_OK(stage_push(plan, &x, 1, &later)); /* another info: the rest goes first */
    assert_int_equal(n_batches, 2);
    assert_int_equal(batches[1], 6);
    stage_finish(plan);
    assert_int_equal(batches[2], 1);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 1031);
    assert_int_equal(sink->elements[1029].info.timestamp, 0);
    assert_int_equal(sink->elements[1030].info.timestamp, 1);
    beam_plan_close(plan);
    stage_free(&s);
}

static beam_status both_one(beam_ctx *c, const void *x)
{
    return beam_emit(c, beam_int64, *(const beam_int64 *)x + 1000);
}
static beam_status both_all(beam_ctx *c, const beam_int64 *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(beam_emit(c, beam_int64, x[i] + 2000));
    return BEAM_OK;
}
BEAM_BATCH_DOFN(both_fn, beam_int64, both_all, .process = both_one, BEAM_TYPES(INT));

static void test_both_kinds_get_what_comes(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &both_fn, NULL);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    STAGE_OK(stage_push(plan, BUNDLE(1), &info));
    STAGE_OK(stage_push(plan, BUNDLE(2, 3), &info));
    stage_finish(plan);
    check_ints(stage_find(&s, "sink"), BUNDLE(1001, 2002, 2003));
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Text, memory --------------------------------------------------------------------- */

static beam_status number_text(beam_ctx *c, const beam_int64 *x)
{
    beam_str text = beam_format(c, "number %lld", (long long)*x);
    char *copy = beam_cstr(c, text);
    if (!text.at || !copy || strlen(copy) != text.len)
        return BEAM_RESOURCE_EXHAUSTED;
    beam_str *kept = beam_bundle_alloc(c, sizeof *kept);
    return kept ? beam_emit_value(c, beam_str, &text) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(text_fn, beam_int64, number_text, BEAM_TYPES(&beam_str_type));

static beam_status keep_text(beam_ctx *c, const beam_str *x, size_t n)
{
    return beam_emit_batch(c, 0, beam_str, x, n);
}
BEAM_BATCH_DOFN(texts_fn, beam_str, keep_text, BEAM_TYPES(&beam_str_type));

static void test_text_is_copied_into_batches(void **state)
{
    (void)state;
    stage s;
    const beam_dofn *fns[] = {&text_fn, &texts_fn};
    const beam_type *types[] = {INT, &beam_str_type, &beam_str_type};
    chain(&s, fns, 2, types);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    for (beam_int64 i = 0; i < 3; i++)
        STAGE_OK(stage_push(plan, &i, 1, &info));
    STAGE_OK(stage_push(plan, BUNDLE(3, 4, 5, 6, 7, 8, 9), &info));
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    assert_int_equal(sink->n, 10);
    assert_int_equal(sink->elements[0].batch, 10);
    assert_true(beam_str_equal(STAGE_AT(sink, beam_str, 9), beam_str_of("number 9")));
    beam_plan_close(plan);
    stage_free(&s);
}

static beam_status eat_bundle_memory(beam_ctx *c, const beam_int64 *x)
{
    (void)x;
    assert_null(beam_bundle_alloc(c, 1 << 20));
    return beam_bundle_alloc(c, 100) ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(eat_fn, beam_int64, eat_bundle_memory, BEAM_TYPES(INT));

static void test_bundle_memory_is_bounded(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &eat_fn, NULL);
    beam_plan_options options = stage_options(&s);
    options.bundle_memory = 1 << 16;
    beam_plan *plan;
    STAGE_OK(beam_plan_open(&options, &plan, NULL));
    STAGE_OK(beam_plan_setup(plan));
    STAGE_OK(beam_plan_start_bundle(plan));
    beam_element_info info = stage_info(0);
    STAGE_OK(stage_push(plan, BUNDLE(1), &info));
    stage_finish(plan);
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Outputs, consumers --------------------------------------------------------------- */

static beam_status by_sign(beam_ctx *c, const beam_int64 *x)
{
    if (*x < 0)
        return beam_emit_to(c, 1, beam_int64, *x);
    BEAM_TRY(beam_emit_to(c, 2, beam_str, "positive", 8));
    return beam_emit(c, beam_int64, *x);
}
BEAM_DOFN(sign_fn, beam_int64, by_sign, BEAM_TYPES(INT, INT, &beam_str_type));

static void count_of(void *user, const char *pcollection, uint64_t elements)
{
    uint64_t *counts = user;
    if (pcollection[0] == 'p')
        counts[pcollection[1] - '0'] = elements;
}

/* source -> p0 -> sign -> p1, p2 (and an output nobody reads);  p1 -> triple -> p3;
 * flatten(p1, p2, p3, p1) -> p4 -> sink, sink2 */
static void test_outputs_flatten_and_fan_out(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    for (char id[] = "p0"; id[1] <= '4'; id[1]++)
        stage_pcoll(&s, id, INT, global);
    stage_sink_of(&s, "sink", "p4"); /* in no useful order */
    stage_transform(&s, "flatten", BEAM_URN_FLATTEN, NULL, "in0=p1 in1=p2 in2=p3 in3=p1",
                    "out0=p4");
    stage_pardo(&s, "triple", &triple_fn, NULL, "in0=p1", "out0=p3");
    stage_pardo(&s, "sign", &sign_fn, NULL, "in0=p0", "out0=p1 out1=p2");
    stage_sink_of(&s, "sink2", "p4");
    stage_source(&s, "source", "p0");
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    STAGE_OK(stage_push(plan, BUNDLE(5), &info));
    STAGE_OK(stage_push(plan, BUNDLE(-1, 2, -3, 4, -5, 6), &info));
    stage_finish(plan);
    assert_int_equal(stage_find(&s, "sink")->n, 4 * 3 + 3);
    assert_int_equal(stage_find(&s, "sink2")->n, 4 * 3 + 3);
    beam_int64 sum = 0;
    for (size_t i = 0; i < 15; i++)
        sum += STAGE_AT(stage_find(&s, "sink"), beam_int64, i);
    assert_int_equal(sum, 17 * (1 + 1 + 3) - 9);
    uint64_t counts[5] = {0};
    beam_plan_visit_counts(plan, count_of, counts);
    assert_int_equal(counts[0], 7);
    assert_int_equal(counts[1], 4);
    assert_int_equal(counts[2], 3);
    assert_int_equal(counts[3], 4);
    assert_int_equal(counts[4], 15);
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Infos ---------------------------------------------------------------------------- */

typedef struct saver {
    const beam_element_info *first, *second, *third;
} saver;

static beam_status save(beam_ctx *c, const beam_int64 *x)
{
    saver *self = beam_self(c, saver);
    const beam_element_info *saved = beam_info_save(c);
    if (!saved)
        return BEAM_RESOURCE_EXHAUSTED;
    *(*x == 1 ? &self->first : *x == 2 ? &self->second : &self->third) = saved;
    return beam_emit_at(c, 0, x, beam_info(c)->timestamp + 100);
}
static beam_status save_finish(beam_ctx *c)
{
    saver *self = beam_self(c, saver);
    assert_null(beam_info(c));
    assert_ptr_equal(self->first, self->second);
    assert_ptr_not_equal(self->second, self->third);
    BEAM_TRY(beam_emit_with(c, 0, &(beam_int64){10}, self->first));
    return beam_emit_with(c, 0, &(beam_int64){30}, self->third);
}
BEAM_DOFN(save_fn, beam_int64, save, BEAM_TYPES(INT), .state_size = sizeof(saver),
          .finish_bundle = save_finish);

static void test_infos(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &save_fn, &triple_all_fn);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(5);
    STAGE_OK(stage_push(plan, BUNDLE(1), &info));
    info = stage_info(5);
    STAGE_OK(stage_push(plan, BUNDLE(2), &info));
    info = stage_info(6);
    STAGE_OK(stage_push(plan, BUNDLE(3), &info));
    stage_finish(plan);
    const stage_sink *sink = stage_find(&s, "sink");
    check_ints(sink, BUNDLE(3, 6, 9, 30, 90));
    const beam_timestamp times[] = {105, 105, 106, 5, 6};
    for (int i = 0; i < 5; i++)
        assert_int_equal(sink->elements[i].info.timestamp, times[i]);
    beam_plan_close(plan);
    stage_free(&s);
}

static beam_status emit_early(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_at(c, 0, x, beam_info(c)->timestamp - 1);
}
BEAM_DOFN(early_fn, beam_int64, emit_early, BEAM_TYPES(INT));

static beam_status emit_after_the_end(beam_ctx *c, const beam_int64 *x)
{
    if (*x == 1)
        return beam_emit_at(c, 0, x, BEAM_MAX_TIMESTAMP + 1);
    beam_element_info info = *beam_info(c);
    info.timestamp = BEAM_MIN_TIMESTAMP - 1;
    return beam_emit_with(c, 0, x, &info);
}
BEAM_DOFN(endless_fn, beam_int64, emit_after_the_end, BEAM_TYPES(INT));

static beam_status emit_nothing(beam_ctx *c, const beam_int64 *x)
{
    (void)c;
    (void)x;
    return BEAM_OK;
}
static beam_status emit_in_finish(beam_ctx *c)
{
    return beam_emit(c, beam_int64, 1);
}
BEAM_DOFN(late_fn, beam_int64, emit_nothing, BEAM_TYPES(INT), .finish_bundle = emit_in_finish);

static void test_infos_that_cannot_be(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &early_fn, NULL);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(5);
    assert_int_equal(stage_push(plan, BUNDLE(1), &info), BEAM_INVALID_ARGUMENT);
    beam_plan_close(plan);
    stage_free(&s);

    for (beam_int64 x = 1; x <= 2; x++) {
        chain_of_ints(&s, &endless_fn, NULL);
        plan = stage_open(&s);
        assert_int_equal(stage_push(plan, BUNDLE(x), &info), BEAM_INVALID_ARGUMENT);
        assert_non_null(strstr(beam_plan_get_failure(plan)->error.message, "but time goes from"));
        beam_plan_close(plan);
        stage_free(&s);
    }

    chain_of_ints(&s, &late_fn, NULL);
    plan = stage_open(&s);
    STAGE_OK(stage_push(plan, BUNDLE(1), &info));
    assert_int_equal(beam_plan_finish_bundle(plan), BEAM_FAILED_PRECONDITION);
    const beam_plan_failure *failure = beam_plan_get_failure(plan);
    assert_string_equal(failure->step, "finish_bundle");
    assert_non_null(strstr(failure->error.message, "beam_emit_with"));
    assert_int_equal(stage_find(&s, "sink")->n, 0);
    beam_plan_close(plan);
    stage_free(&s);
}

/* ---- Config, metrics ------------------------------------------------------------------ */

#define LIMITS(FIELD, S) FIELD(S, beam_int64, low) FIELD(S, beam_str, unit)
BEAM_STRUCT(limits, LIMITS);

static beam_status measure(beam_ctx *c, const beam_int64 *x)
{
    const limits *config = beam_config(c, limits);
    beam_count(c, 0, config->unit.len == 2);
    if (*x >= config->low)
        beam_distribution_update(c, 1, *x);
    beam_gauge_set(c, 2, *x);
    beam_string_set_add(c, 3, config->unit);
    assert_true(beam_type_equal(beam_ctx_in_type(c), INT));
    assert_true(beam_type_equal(beam_ctx_out_type(c, 0), INT));
    assert_null(beam_ctx_out_type(c, 1));
    assert_string_equal(beam_ctx_transform(c), "Test/measure");
    return BEAM_OK;
}
BEAM_DOFN(measure_fn, beam_int64, measure, BEAM_TYPES(INT), .config = &limits_type,
          BEAM_METRICS({"seen", BEAM_COUNTER}, {"values", BEAM_DISTRIBUTION}, {"last", BEAM_GAUGE},
                       {"units", BEAM_STRING_SET}));

static void note_metric(void *user, const beam_plan_metric *metric)
{
    beam_plan_metric *metrics = user;
    metrics[metric->kind] = *metric;
}

static void note_unit(void *user, beam_str text)
{
    assert_true(beam_str_equal(text, beam_str_of("mm")));
    ++*(int *)user;
}

static void test_config_and_metrics(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", INT, global);
    stage_pcoll(&s, "p1", INT, global);
    stage_source(&s, "source", "p0");
    limits config = {-5, {"mm", 2}};
    stage_pardo(&s, "measure", &measure_fn, &config, "in0=p0", "out0=p1");
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    for (int bundle = 0; bundle < 2; bundle++) { /* the second starts from nothing */
        STAGE_OK(stage_push(plan, BUNDLE(-3, 9, 4, -7), &info));
        stage_finish(plan);
        beam_plan_metric metrics[4];
        beam_plan_visit_metrics(plan, note_metric, metrics);
        assert_int_equal(metrics[BEAM_COUNTER].cell.sum, 4);
        assert_string_equal(metrics[BEAM_COUNTER].name, "seen");
        assert_string_equal(metrics[BEAM_COUNTER].function, "measure_fn");
        assert_int_equal(metrics[BEAM_DISTRIBUTION].cell.sum, 10);
        assert_int_equal(metrics[BEAM_DISTRIBUTION].cell.count, 3);
        assert_int_equal(metrics[BEAM_DISTRIBUTION].cell.min, -3);
        assert_int_equal(metrics[BEAM_DISTRIBUTION].cell.max, 9);
        assert_int_equal(metrics[BEAM_GAUGE].cell.sum, -7);
        assert_true(metrics[BEAM_GAUGE].cell.timestamp > 0);
        const uint64_t *buckets = metrics[BEAM_DISTRIBUTION].cell.buckets;
        uint64_t values = 0;
        for (uint32_t b = 0; b < BEAM_METRIC_BUCKETS; b++)
            values += buckets[b];
        assert_int_equal(values, 3);
        assert_int_equal(buckets[beam_metric_bucket(-3)], 1);
        assert_int_equal(buckets[beam_metric_bucket(9)], 1);
        int units = 0;
        beam_string_set_visit(metrics[BEAM_STRING_SET].cell.strings, note_unit, &units);
        assert_int_equal(units, 1);
        if (bundle == 0)
            STAGE_OK(beam_plan_start_bundle(plan));
    }
    beam_plan_close(plan);
    stage_free(&s);
}

/* Buckets cover all numbers in order without gaps, each at most a quarter wider than its least. */
static void test_buckets(void **state)
{
    (void)state;
    assert_int_equal(beam_metric_bucket(INT64_MIN), 0);
    assert_int_equal(beam_metric_bucket(-1), 0);
    assert_int_equal(beam_metric_bucket(INT64_MAX), BEAM_METRIC_BUCKETS - 1);
    assert_true(beam_metric_bucket_low(0) == INT64_MIN);
    for (uint32_t b = 1; b < BEAM_METRIC_BUCKETS; b++) {
        int64_t low = beam_metric_bucket_low(b), next = beam_metric_bucket_low(b + 1);
        assert_int_equal(beam_metric_bucket(low), b);
        assert_int_equal(beam_metric_bucket(low - 1), b - 1);
        assert_true(next > low && next - low <= (low < 4 ? 1 : low / 4));
    }
}

/* ---- Failures ------------------------------------------------------------------------- */

static beam_status fail_on_13(beam_ctx *c, const beam_int64 *x)
{
    if (*x == 13)
        return beam_fail(c, BEAM_OUT_OF_RANGE, "unlucky %lld", (long long)*x);
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(unlucky_fn, beam_int64, fail_on_13, BEAM_TYPES(INT));

static beam_status ignore_failures(beam_ctx *c, const beam_int64 *x)
{
    (void)beam_emit_value(c, beam_int64, x);
    return BEAM_OK;
}
BEAM_DOFN(ignore_fn, beam_int64, ignore_failures, BEAM_TYPES(INT));

static void check_failure(const beam_dofn *before, size_t n_push)
{
    stage s;
    chain_of_ints(&s, before, &unlucky_fn);
    beam_plan *plan = stage_open(&s);
    beam_element_info info = stage_info(0);
    beam_int64 in[40];
    for (int i = 0; i < 40; i++)
        in[i] = i;
    beam_status status = BEAM_OK;
    for (size_t at = 0; at < 40 && status == BEAM_OK; at += n_push)
        status = stage_push(plan, in + at, n_push, &info);
    assert_int_equal(status, BEAM_OUT_OF_RANGE);
    const beam_plan_failure *failure = beam_plan_get_failure(plan);
    assert_string_equal(failure->transform, "t2");
    assert_string_equal(failure->unique_name, "Test/t2");
    assert_string_equal(failure->function, "unlucky_fn");
    assert_string_equal(failure->step, "process");
    assert_string_equal(failure->error.message, "unlucky 13");
    assert_string_equal(failure->element, "13");
    assert_int_equal(failure->element_number, 14);
    beam_plan_close(plan);
    stage_free(&s);
}

static void test_failures_name_the_element(void **state)
{
    (void)state;
    check_failure(&ignore_fn, 1); /* what a function ignores fails the bundle all the same */
    check_failure(&ignore_fn, 40);
    check_failure(&ignore_fn, 20);
}

static beam_status bad_setup(beam_ctx *c)
{
    return beam_fail(c, BEAM_NOT_FOUND, "no such model");
}
static int torn_down;
static void count_teardown(beam_ctx *c)
{
    (void)c;
    torn_down++;
}
BEAM_DOFN(setup_fn, beam_int64, emit_nothing, BEAM_TYPES(INT), .setup = bad_setup,
          .teardown = count_teardown);

static void test_setup_that_fails(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &setup_fn, NULL);
    beam_plan_options options = stage_options(&s);
    beam_plan *plan;
    torn_down = 0;
    STAGE_OK(beam_plan_open(&options, &plan, NULL));
    assert_int_equal(beam_plan_setup(plan), BEAM_NOT_FOUND);
    assert_string_equal(beam_plan_get_failure(plan)->step, "setup");
    beam_plan_close(plan);
    assert_int_equal(torn_down, 1);
    stage_free(&s);
}

#ifndef NDEBUG
static beam_status emit_wrong(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_to(c, *x == 1 ? 0 : 7, beam_double, 1.5);
}
BEAM_DOFN(wrong_fn, beam_int64, emit_wrong, BEAM_TYPES(INT));

static void test_debug_builds_check_emits(void **state)
{
    (void)state;
    for (beam_int64 x = 1; x <= 2; x++) {
        stage s;
        chain_of_ints(&s, &wrong_fn, NULL);
        beam_plan *plan = stage_open(&s);
        beam_element_info info = stage_info(0);
        assert_int_equal(stage_push(plan, &x, 1, &info), BEAM_INVALID_ARGUMENT);
        beam_plan_close(plan);
        stage_free(&s);
    }
}
#endif

/* ---- Descriptors that make no sense --------------------------------------------------- */

static void test_refused_descriptors(void **state)
{
    (void)state;
    stage s;
    chain_of_ints(&s, &triple_fn, &text_fn); /* t2 emits text, its PCollection is of int64 */
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "Test/t2");
    stage_free(&s);

    chain_of_ints(&s, &triple_fn, &texts_fn);
    stage_refused(&s, BEAM_FAILED_PRECONDITION, "texts_fn is beam_int64 in the pipeline");
    stage_free(&s);

    chain_of_ints(&s, &triple_fn, NULL);
    beam_registry_free(&s.registry);
    s.registry = (beam_registry){0};
    stage_refused(&s, BEAM_NOT_FOUND, "triple_fn");
    stage_free(&s);

    chain_of_ints(&s, &triple_fn, NULL);
    stage_transform(&s, "odd", "beam:transform:odd:v9", NULL, "in0=p1", "");
    stage_refused(&s, BEAM_UNIMPLEMENTED, "beam:transform:odd:v9");
    stage_free(&s);

    chain_of_ints(&s, &triple_fn, NULL);
    stage_sink_of(&s, "sink2", "nowhere");
    stage_refused(&s, BEAM_NOT_FOUND, "nowhere");
    stage_free(&s);

    chain_of_ints(&s, &triple_fn, NULL);
    stage_source(&s, "source2", "p1");
    stage_refused(&s, BEAM_INVALID_ARGUMENT, "two producers");
    stage_free(&s);

    stage_init(&s);
    stage_pcoll(&s, "p0", INT, global);
    stage_pcoll(&s, "p1", INT, global);
    stage_pardo(&s, "a", &triple_fn, NULL, "in0=p0", "out0=p1");
    stage_pardo(&s, "b", &triple_fn, NULL, "in0=p1", "out0=p0");
    stage_refused(&s, BEAM_INVALID_ARGUMENT, "circle");
    stage_free(&s);

    stage_init(&s);
    stage_pcoll(&s, "p0", INT, global);
    stage_sink_of(&s, "sink", "p0");
    stage_refused(&s, BEAM_INVALID_ARGUMENT, "nothing produces");
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_singles),
        cmocka_unit_test(test_array_through_singles),
        cmocka_unit_test(test_singles_into_arrays),
        cmocka_unit_test(test_both_kinds_get_what_comes),
        cmocka_unit_test(test_text_is_copied_into_batches),
        cmocka_unit_test(test_bundle_memory_is_bounded),
        cmocka_unit_test(test_outputs_flatten_and_fan_out),
        cmocka_unit_test(test_infos),
        cmocka_unit_test(test_infos_that_cannot_be),
        cmocka_unit_test(test_config_and_metrics),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_failures_name_the_element),
        cmocka_unit_test(test_setup_that_fails),
#ifndef NDEBUG
        cmocka_unit_test(test_debug_builds_check_emits),
#endif
        cmocka_unit_test(test_refused_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
