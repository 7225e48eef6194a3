/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A bundle processor's life: many bundles with one setup, failures that break it, cancelling,
 * and every allocation failing in turn. */
#include "bundle/bundle.h"
#include "plan/stage.h"

#include <pthread.h>
#include <unistd.h>

#define INT &beam_int64_type
static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};

/* ---- A DoFn that writes down what happens to it --------------------------------------- */

static char trail[512];

static void note(const char *what)
{
    strncat(trail, what, sizeof trail - strlen(trail) - 1);
}

typedef struct noted {
    beam_int64 set_up, in_bundle;
} noted;

static beam_status on_setup(beam_ctx *c)
{
    beam_self(c, noted)->set_up = 1;
    note("setup ");
    return BEAM_OK;
}
static beam_status on_start(beam_ctx *c)
{
    beam_self(c, noted)->in_bundle = 1;
    note("start ");
    return BEAM_OK;
}
static beam_status on_element(beam_ctx *c, const beam_int64 *x)
{
    const noted *self = beam_self(c, noted);
    if (!self->set_up || !self->in_bundle)
        return BEAM_INTERNAL;
    if (*x == 13)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "unlucky");
    if (*x == 99)
        return BEAM_DATA_LOSS; /* without words */
    beam_count(c, 0, 1);
    note("x ");
    return beam_emit_value(c, beam_int64, x);
}
static beam_status on_finish(beam_ctx *c)
{
    beam_self(c, noted)->in_bundle = 0;
    note("finish ");
    return BEAM_OK;
}
static void on_teardown(beam_ctx *c)
{
    assert_int_equal(beam_self(c, noted)->set_up, 1);
    note("teardown ");
}
BEAM_DOFN(noted_fn, beam_int64, on_element, BEAM_TYPES(INT), .state_size = sizeof(noted),
          BEAM_METRICS({"seen", BEAM_COUNTER}), .setup = on_setup, .start_bundle = on_start,
          .finish_bundle = on_finish, .teardown = on_teardown);

/* A ParDo of what comes into p0, whose output is p1. */
static void begin_stage(stage *s, const char *id, const beam_dofn *fn)
{
    stage_init(s);
    stage_pcoll(s, "p0", INT, global);
    stage_pcoll(s, "p1", INT, global);
    stage_source(s, "source", "p0");
    stage_pardo(s, id, fn, NULL, "in0=p0", "out0=p1");
}

static void noted_stage(stage *s)
{
    begin_stage(s, "noted", &noted_fn);
    stage_sink_of(s, "sink", "p1");
    trail[0] = '\0';
}

static beam_bundle *bundle_open(stage *s)
{
    beam_plan_options options = stage_options(s);
    beam_bundle *bundle;
    STAGE_OK(beam_bundle_open(&options, &bundle, NULL));
    assert_int_equal(beam_bundle_get_state(bundle), BEAM_BUNDLE_NEW);
    return bundle;
}

static beam_status push(beam_bundle *bundle, beam_int64 x)
{
    beam_element_info info = stage_info(0);
    return beam_bundle_push(bundle, beam_bundle_source(bundle, NULL), &info, &x, 1);
}

static void seen(void *user, const beam_plan_metric *metric)
{
    *(beam_int64 *)user = metric->cell.sum;
}

/* Sees to two elements at once, when the second one is there. */
static beam_status on_second(beam_ctx *c, const beam_int64 *x)
{
    noted *self = beam_self(c, noted);
    if (++self->in_bundle % 2)
        self->set_up = *x;
    else if (self->set_up == 13)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "13 is unlucky");
    return BEAM_OK;
}
BEAM_DOFN(pairs_fn, beam_int64, on_second, BEAM_TYPES(INT), .state_size = sizeof(noted),
          .batches = true);

/* The element at hand need not be the one that failed, and is not said to be. */
static void test_a_failure_in_a_batch(void **state)
{
    (void)state;
    stage s;
    begin_stage(&s, "pairs", &pairs_fn);
    stage_sink_of(&s, "sink", "p1");
    beam_bundle *bundle = bundle_open(&s);
    beam_error err = {.code = BEAM_OK};
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    STAGE_OK(push(bundle, 13));
    assert_int_equal(push(bundle, 1), BEAM_INVALID_ARGUMENT);
    assert_int_equal(beam_bundle_error(bundle, &err), BEAM_INVALID_ARGUMENT);
    assert_string_equal(err.message, "Test/pairs (pairs_fn): 13 is unlucky; when element 2 of the "
                                     "bundle came: 1");
    beam_bundle_close(bundle);
    stage_free(&s);
}

static void test_many_bundles_one_setup(void **state)
{
    (void)state;
    stage s;
    noted_stage(&s);
    beam_bundle *bundle = bundle_open(&s);
    assert_string_equal(beam_plan_source_port(beam_bundle_source(bundle, "source"))->pcollection,
                        "p0");
    assert_null(beam_bundle_source(bundle, "sink"));
    assert_int_equal(beam_bundle_n_sources(bundle), 1);
    for (int i = 0; i < 2; i++) {
        STAGE_OK(beam_bundle_start(bundle, "b", NULL));
        assert_int_equal(beam_bundle_get_state(bundle), BEAM_BUNDLE_RUNNING);
        for (int x = 0; x <= i; x++)
            STAGE_OK(push(bundle, x));
        STAGE_OK(beam_bundle_finish(bundle, NULL));
        assert_int_equal(beam_bundle_get_state(bundle), BEAM_BUNDLE_READY);
        beam_int64 count = -1;
        beam_bundle_metrics(bundle, seen, &count);
        assert_int_equal(count, i + 1); /* of this bundle alone */
    }
    beam_bundle_close(bundle);
    assert_string_equal(trail, "setup start x finish start x x finish teardown ");
    assert_int_equal(stage_find(&s, "sink")->n, 3);
    stage_free(&s);
}

static void test_a_failure_breaks_it(void **state)
{
    (void)state;
    stage s;
    noted_stage(&s);
    beam_bundle *bundle = bundle_open(&s);
    beam_error err = {.code = BEAM_OK};
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    STAGE_OK(push(bundle, 1));
    assert_int_equal(beam_bundle_error(bundle, &err), BEAM_OK);
    assert_int_equal(push(bundle, 13), BEAM_INVALID_ARGUMENT);
    assert_int_equal(beam_bundle_get_state(bundle), BEAM_BUNDLE_BROKEN);
    assert_int_equal(beam_bundle_error(bundle, &err), BEAM_INVALID_ARGUMENT);
    assert_string_equal(err.message, "Test/noted (noted_fn): unlucky; element 2 of the bundle: 13");
    assert_int_equal(push(bundle, 1), BEAM_FAILED_PRECONDITION);
    assert_int_equal(beam_bundle_start(bundle, "again", &err), BEAM_FAILED_PRECONDITION);
    assert_int_equal(beam_bundle_finish(bundle, &err), BEAM_INVALID_ARGUMENT);
    beam_bundle_close(bundle);
    assert_string_equal(trail, "setup start x teardown "); /* no finish_bundle */

    trail[0] = '\0'; /* the next try is another processor */
    bundle = bundle_open(&s);
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    assert_int_equal(push(bundle, 99), BEAM_DATA_LOSS);
    assert_int_equal(beam_bundle_error(bundle, &err), BEAM_DATA_LOSS);
    assert_non_null(strstr(err.message, "returned DATA_LOSS"));
    beam_bundle_close(bundle);
    stage_free(&s);
}

static void test_calls_out_of_order(void **state)
{
    (void)state;
    stage s;
    noted_stage(&s);
    beam_bundle *bundle = bundle_open(&s);
    beam_error err = {.code = BEAM_OK};
    assert_int_equal(push(bundle, 1), BEAM_FAILED_PRECONDITION);
    assert_int_equal(beam_bundle_finish(bundle, &err), BEAM_FAILED_PRECONDITION);
    beam_bundle_abort(bundle); /* nothing to abort */
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    assert_int_equal(beam_bundle_start(bundle, "b", &err), BEAM_FAILED_PRECONDITION);
    beam_bundle_abort(bundle);
    assert_int_equal(beam_bundle_get_state(bundle), BEAM_BUNDLE_BROKEN);
    assert_int_equal(beam_bundle_finish(bundle, &err), BEAM_CANCELLED);
    beam_bundle_close(bundle);
    beam_bundle_close(NULL);
    stage_free(&s);
}

static void test_never_started(void **state)
{
    (void)state;
    stage s;
    noted_stage(&s);
    beam_bundle_close(bundle_open(&s));
    assert_string_equal(trail, "");
    stage_free(&s);
}

/* ---- Cancelling ----------------------------------------------------------------------- */

static void *cancel(void *bundle)
{
    beam_bundle_cancel(bundle);
    return NULL;
}

static beam_status until_cancelled(beam_ctx *c, const beam_int64 *x)
{
    (void)x;
    while (!beam_cancelled(c))
        (void)usleep(100);
    return BEAM_CANCELLED;
}
BEAM_DOFN(patient_fn, beam_int64, until_cancelled, BEAM_TYPES(INT));

static void test_cancelling(void **state)
{
    (void)state;
    stage s;
    noted_stage(&s);
    stage_pcoll(&s, "p2", INT, global);
    stage_pardo(&s, "patient", &patient_fn, NULL, "in0=p0", "out0=p2");
    beam_bundle *bundle = bundle_open(&s);
    beam_error err = {.code = BEAM_OK};
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel, bundle), 0);
    assert_int_equal(push(bundle, 1), BEAM_CANCELLED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(beam_bundle_finish(bundle, &err), BEAM_CANCELLED);
    beam_bundle_close(bundle);

    bundle = bundle_open(&s);
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    beam_bundle_cancel(bundle);
    assert_int_equal(push(bundle, 1), BEAM_CANCELLED);
    assert_int_equal(beam_bundle_get_state(bundle), BEAM_BUNDLE_BROKEN);
    beam_bundle_close(bundle);
    stage_free(&s);
}

static beam_bundle *cancels;
static beam_int64 processed;

static beam_status cancel_at_10(beam_ctx *c, const beam_int64 *x)
{
    (void)c;
    processed++;
    if (*x == 10)
        beam_bundle_cancel(cancels);
    return BEAM_OK;
}
BEAM_DOFN(cancel_fn, beam_int64, cancel_at_10, BEAM_TYPES(INT));

static void test_cancelling_in_an_array(void **state)
{
    (void)state;
    stage s;
    begin_stage(&s, "cancel", &cancel_fn);
    beam_bundle *bundle = cancels = bundle_open(&s);
    beam_element_info info = stage_info(0);
    beam_int64 in[1000];
    for (int i = 0; i < 1000; i++)
        in[i] = i;
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    processed = 0;
    assert_int_equal(beam_bundle_push(bundle, beam_bundle_source(bundle, NULL), &info, in, 1000),
                     BEAM_CANCELLED);
    assert_true(processed > 10 && processed < 1000); /* the rest of the array is left */
    beam_bundle_close(bundle);
    stage_free(&s);
}

/* ---- Splitting from another thread ---------------------------------------------------- */

BEAM_KV(pair, beam_int64, beam_offset_range);
BEAM_KV(sized, pair, beam_double);

static int processing;

static beam_status count_up(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    for (int64_t at = range->start; beam_try_claim_offset(c, tracker, at); at++) {
        BEAM_TRY(beam_emit(c, beam_int64, at));
        __atomic_store_n(&processing, 1, __ATOMIC_RELEASE);
        if (at == 10) /* stands here until it was asked to split */
            while (!__atomic_load_n(&tracker->split_wanted, __ATOMIC_RELAXED))
                (void)usleep(100);
    }
    return BEAM_OK;
}
static beam_status whole(beam_ctx *c, const void *element, void *restriction)
{
    (void)c;
    *(beam_offset_range *)restriction = (beam_offset_range){0, *(const beam_int64 *)element};
    return BEAM_OK;
}
static const beam_splittable splittable = {.struct_size = sizeof(beam_splittable),
                                           .restriction = &beam_offset_range_type,
                                           .tracker = &beam_offset_range_tracker,
                                           .initial_restriction = whole,
                                           .process = count_up};
static const beam_dofn counting_fn = {.struct_size = sizeof(beam_dofn),
                                      .name = "counting_fn",
                                      .in = &beam_int64_type,
                                      BEAM_TYPES(&beam_int64_type),
                                      .splittable = &splittable};

static void *split_it(void *bundle)
{
    while (!__atomic_load_n(&processing, __ATOMIC_ACQUIRE))
        (void)usleep(100);
    assert_true(beam_bundle_split(bundle, 0.25));
    beam_plan_progress progress;
    beam_bundle_progress(bundle, &progress);
    return NULL;
}

static void test_split_from_another_thread(void **state)
{
    (void)state;
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", &sized_type, global);
    stage_pcoll(&s, "p1", INT, global);
    stage_source(&s, "source", "p0");
    stage_dofn(&s, "process", BEAM_URN_SDF_PROCESS, &counting_fn, NULL, "in0=p0", "out0=p1");
    stage_sink_of(&s, "sink", "p1");
    beam_bundle *bundle = bundle_open(&s);
    STAGE_OK(beam_bundle_start(bundle, "b", NULL));
    pthread_t thread;
    processing = 0;
    assert_int_equal(pthread_create(&thread, NULL, split_it, bundle), 0);
    beam_element_info info = stage_info(0);
    const sized in = {{1000, {0, 1000}}, 1000};
    STAGE_OK(beam_bundle_push(bundle, beam_bundle_source(bundle, NULL), &info, &in, 1));
    assert_int_equal(pthread_join(thread, NULL), 0);
    STAGE_OK(beam_bundle_finish(bundle, NULL));
    assert_int_equal(s.n_residuals, 1);
    const sized *residual = s.residuals[0].value;
    assert_true(residual->key.value.start >= 11 && residual->key.value.stop == 1000);
    assert_int_equal(stage_find(&s, "sink")->n, residual->key.value.start);
    beam_bundle_close(bundle);
    stage_free(&s);
}

/* ---- Each allocation fails in turn ---------------------------------------------------- */

BEAM_KV(text_kv, beam_str, beam_int64);

static beam_status to_kv(beam_ctx *c, const beam_int64 *x)
{
    beam_str text = beam_format(c, "the key of %lld, longer than a slot", (long long)*x % 5);
    if (!text.at || !beam_info_save(c) || !beam_bundle_alloc(c, 64))
        return BEAM_RESOURCE_EXHAUSTED;
    return beam_emit(c, text_kv, text, *x);
}
BEAM_DOFN(to_kv_fn, beam_int64, to_kv, BEAM_TYPES(&text_kv_type));

static beam_status pass_kvs(beam_ctx *c, const text_kv *kvs, size_t n)
{
    return beam_emit_batch(c, 0, text_kv, kvs, n);
}
BEAM_BATCH_DOFN(pass_fn, text_kv, pass_kvs, BEAM_TYPES(&text_kv_type));

static beam_status add(beam_ctx *c, void *acc, const void *in)
{
    (void)c;
    *(beam_int64 *)acc += *(const beam_int64 *)in;
    return BEAM_OK;
}
BEAM_COMBINEFN(sum_fn, .in = &beam_int64_type, .acc = &beam_int64_type, .out = &beam_int64_type,
               .add = add, .merge = add);

static void full_stage(stage *s)
{
    stage_init(s);
    stage_pcoll(s, "p0", INT, global);
    stage_pcoll(s, "p1", INT, beam_fixed_windows(10));
    stage_pcoll(s, "p2", &text_kv_type, beam_fixed_windows(10));
    stage_pcoll(s, "p3", &text_kv_type, beam_fixed_windows(10));
    stage_pcoll(s, "p4", &text_kv_type, beam_fixed_windows(10));
    stage_source(s, "source", "p0");
    stage_window(s, "window", beam_fixed_windows(10), "in0=p0", "out0=p1");
    stage_pardo(s, "kvs", &to_kv_fn, NULL, "in0=p1", "out0=p2");
    stage_pardo(s, "pass", &pass_fn, NULL, "in0=p2", "out0=p3");
    stage_combine(s, "combine", BEAM_URN_COMBINE_PRECOMBINE, &sum_fn, INT, NULL, "in0=p3",
                  "out0=p4");
    stage_sink_of(s, "sink", "p4");
    stage_sink_of(s, "sink2", "p2");
}

static beam_status run_once(stage *s)
{
    beam_plan_options options = stage_options(s);
    beam_bundle *bundle = NULL;
    beam_error err = {.code = BEAM_OK};
    beam_status status = beam_bundle_open(&options, &bundle, &err);
    if (status == BEAM_OK)
        status = beam_bundle_start(bundle, "b", &err);
    for (int t = 0; t < 3 && status == BEAM_OK; t++) {
        beam_int64 in[] = {1, 2, 3, 4, 5, 6, 7};
        beam_element_info info = stage_info(t * 7);
        status = beam_bundle_push(bundle, beam_bundle_source(bundle, NULL), &info, in, 7);
    }
    if (bundle && beam_bundle_get_state(bundle) == BEAM_BUNDLE_RUNNING)
        status = beam_bundle_finish(bundle, &err);
    beam_bundle_close(bundle);
    return status;
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    stage s;
    full_stage(&s);
    (void)stage_options(&s);
    STAGE_OK(run_once(&s));
    assert_int_equal(stage_find(&s, "sink2")->n, 21);
    assert_int_equal(stage_find(&s, "sink")->n, 10); /* five keys in each of two windows */
    for (uint64_t n = 1;; n++) {
        for (size_t i = 0; i < s.n_sinks; i++) /* so that sinks allocate again */
            beam_free(s.sinks[i].elements);
        s.n_sinks = 0;
        beam_arena_free(&s.kept);
        beam_alloc_fail_at(n, n % 2 == 0);
        beam_status status = run_once(&s);
        bool reached = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        if (!reached) {
            STAGE_OK(status);
            assert_true(n > 30);
            break;
        }
        assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    }
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_bundles_one_setup),
        cmocka_unit_test(test_a_failure_breaks_it),
        cmocka_unit_test(test_a_failure_in_a_batch),
        cmocka_unit_test(test_calls_out_of_order),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_cancelling_in_an_array),
        cmocka_unit_test(test_split_from_another_thread),
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
