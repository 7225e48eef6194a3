/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Bundle finalization: called after the commit, once and in order; not for a try that failed;
 * and who may ask for it. */
#include <stdatomic.h>
#include <stdio.h>

#include "pipeline/pipeline_test.h"

static atomic_int failures_left, calls, out_of_order, last;

static void forget_calls(void)
{
    atomic_store(&failures_left, 0);
    atomic_store(&calls, 0);
    atomic_store(&out_of_order, 0);
    atomic_store(&last, -1);
}

static beam_status note(const void *arg, beam_error *err)
{
    int number;
    memcpy(&number, arg, sizeof number);
    if (number <= atomic_exchange(&last, number))
        atomic_fetch_add(&out_of_order, 1);
    atomic_fetch_add(&calls, 1);
    return number % 2 ? beam_error_set(err, BEAM_UNAVAILABLE, "number %d is odd", number) : BEAM_OK;
}

static beam_status note_all(beam_ctx *c, const beam_int64 *x)
{
    int number = (int)*x;
    BEAM_TRY(beam_after_commit(c, note, &number, sizeof number));
    number = -1; /* what is kept is a copy */
    if (*x == 99 && atomic_fetch_sub(&failures_left, 1) > 0)
        return beam_fail(c, BEAM_UNAVAILABLE, "not yet");
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(note_all_fn, beam_int64, note_all, BEAM_TYPES(&beam_int64_type), .finalizes = true);

static size_t warnings;

static void count_warnings(void *user, const beam_log_record *record)
{
    (void)user;
    warnings += record->level == BEAM_LOG_WARNING && strstr(record->message, "is odd") != NULL;
}

static void called_once_and_in_order(void **state)
{
    (void)state;
    const beam_logger logger = {.sink = count_warnings, .min_level = BEAM_LOG_WARNING};
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = 1, .logger = &logger};
    for (int failures = 0; failures < 3; failures++) {
        forget_calls();
        warnings = 0;
        atomic_store(&failures_left, failures);
        beam_pipeline *p = beam_pipeline_new(NULL);
        assert_non_null(p);
        beam_assert_count(beam_pardo(numbers(p, 100), &note_all_fn), 100);
        run_ok(p, &options, false);
        assert_int_equal(atomic_load(&calls), 100);
        assert_int_equal(atomic_load(&out_of_order), 0);
        assert_int_equal(warnings, 50);
    }
}

static void never_called_when_the_bundle_fails(void **state)
{
    (void)state;
    beam_error err;
    forget_calls();
    atomic_store(&failures_left, 1000);
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    beam_pardo(numbers(p, 100), &note_all_fn);
    run_fails(p, NULL, BEAM_UNAVAILABLE, &err);
    assert_int_equal(atomic_load(&calls), 0);
}

/* ---- Who may ask ------------------------------------------------------------------------ */

static beam_status ask(beam_ctx *c)
{
    return beam_after_commit(c, note, "", 0);
}

static beam_status pass(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(asks_in_setup_fn, beam_int64, pass, BEAM_TYPES(&beam_int64_type), .finalizes = true,
          .setup = ask);
BEAM_DOFN(asks_unannounced_fn, beam_int64, pass, BEAM_TYPES(&beam_int64_type),
          .finish_bundle = ask);

static void refused_where_it_makes_no_sense(void **state)
{
    (void)state;
    const struct {
        const beam_dofn *fn;
        const char *words;
    } wrong[] = {{&asks_in_setup_fn, "start_bundle, process and finish_bundle"},
                 {&asks_unannounced_fn, ".finalizes"}};
    for (size_t i = 0; i < 2; i++) {
        beam_error err;
        beam_pipeline *p = beam_pipeline_new(NULL);
        assert_non_null(p);
        beam_pardo(numbers(p, 1), wrong[i].fn);
        run_fails(p, NULL, BEAM_FAILED_PRECONDITION, &err);
        assert_mentions(&err, wrong[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(called_once_and_in_order),
        cmocka_unit_test(never_called_when_the_bundle_fails),
        cmocka_unit_test(refused_where_it_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
