/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What a run tells: metrics, errors, failed checks; and what functions are told: that their
 * bundle was committed. */
#include <stdatomic.h>

#include "conformance/suite.h"

static const beam_str texts[] = {S("a"), S("zzz")};

/* ---- Metrics ---------------------------------------------------------------------------- */

static beam_status count_one(beam_ctx *c, const beam_str *text)
{
    (void)text;
    beam_count(c, 0, 1);
    return BEAM_OK;
}
BEAM_DOFN(count_one_fn, beam_str, count_one, BEAM_METRICS({"counter", BEAM_COUNTER}));

static beam_status measure(beam_ctx *c, const beam_str *text)
{
    beam_count(c, 0, (beam_int64)text->len);
    beam_distribution_update(c, 1, (beam_int64)text->len);
    beam_gauge_set(c, 2, 3);
    return BEAM_OK;
}
BEAM_DOFN(measure_fn, beam_str, measure,
          BEAM_METRICS({"counter", BEAM_COUNTER}, {"distribution", BEAM_DISTRIBUTION},
                       {"gauge", BEAM_GAUGE}));

static void metrics(beam_pipeline *p)
{
    beam_pcoll in = beam_create(p, beam_str, texts, 2);
    beam_pardo(in, &count_one_fn, .name = "CountOne");
    beam_pardo(in, &measure_fn, .name = "Measure");
}

static beam_metric_cell metric(const beam_result *done, const char *transform, const char *name)
{
    beam_metric_cell cell;
    if (beam_result_metric(done, transform, name, &cell) != BEAM_OK)
        fail_msg("there is no metric %s", name);
    return cell;
}

static void check_metrics(const beam_result *done)
{
    assert_int_equal(metric(done, NULL, "counter").sum, 6);
    assert_int_equal(metric(done, "CountOne", "counter").sum, 2);
    assert_int_equal(metric(done, "Measure", "counter").sum, 4);
    const beam_metric_cell sizes = metric(done, NULL, "distribution");
    assert_int_equal(sizes.sum, 4);
    assert_int_equal(sizes.count, 2);
    assert_int_equal(sizes.min, 1);
    assert_int_equal(sizes.max, 3);
    assert_int_equal(metric(done, NULL, "gauge").sum, 3);
}

/* ---- Errors ----------------------------------------------------------------------------- */

static beam_status pass(beam_ctx *c, const beam_str *text)
{
    return beam_emit_value(c, beam_str, text);
}
BEAM_DOFN(pass_fn, beam_str, pass, BEAM_TYPES(&beam_str_type));

static beam_status refuse(beam_ctx *c, const beam_str *text)
{
    return beam_fail(c, BEAM_INVALID_ARGUMENT, "%.*s is refused", (int)text->len, text->at);
}
BEAM_DOFN(refuse_fn, beam_str, refuse, BEAM_TYPES(&beam_str_type));

static void error_names_the_transform(beam_pipeline *p)
{
    beam_pcoll x = beam_pardo(beam_create(p, beam_str, texts, 1), &pass_fn, .name = "StageA");
    x = beam_pardo(beam_pardo(x, &pass_fn, .name = "StageB"), &refuse_fn, .name = "StageC");
    beam_pardo(x, &pass_fn, .name = "StageD");
}

static void failed_check(beam_pipeline *p)
{
    beam_assert_that(beam_create(p, beam_str, texts, 2), beam_str, texts, 1);
}

/* ---- Bundle finalization
 * ------------------------------------------------------------------------- */

enum { IN_START = 1, IN_PROCESS = 100, IN_FINISH = 10000 };
static atomic_int finalized;

static void forget(void)
{
    atomic_store(&finalized, 0);
}

static beam_status note(const void *arg, beam_error *err)
{
    (void)err;
    int where;
    memcpy(&where, arg, sizeof where);
    atomic_fetch_add(&finalized, where);
    return BEAM_OK;
}

static beam_status ask(beam_ctx *c, int where)
{
    return beam_after_commit(c, note, &where, sizeof where);
}

static beam_status ask_in_start(beam_ctx *c)
{
    return ask(c, IN_START);
}

static beam_status ask_in_finish(beam_ctx *c)
{
    return ask(c, IN_FINISH);
}

static beam_status ask_in_process(beam_ctx *c, const beam_bytes *impulse)
{
    (void)impulse;
    return ask(c, IN_PROCESS);
}

static beam_status ignore(beam_ctx *c, const beam_bytes *impulse)
{
    (void)c;
    (void)impulse;
    return BEAM_OK;
}

BEAM_DOFN(finalized_process_fn, beam_bytes, ask_in_process, .finalizes = true);
BEAM_DOFN(finalized_finish_fn, beam_bytes, ignore, .finish_bundle = ask_in_finish,
          .finalizes = true);
BEAM_DOFN(finalized_all_fn, beam_bytes, ask_in_process, .start_bundle = ask_in_start,
          .finish_bundle = ask_in_finish, .finalizes = true);

static void finalize_process(beam_pipeline *p)
{
    beam_pardo(beam_impulse(p), &finalized_process_fn);
}

static void finalize_finish_bundle(beam_pipeline *p)
{
    beam_pardo(beam_impulse(p), &finalized_finish_fn);
}

static void finalize_all(beam_pipeline *p)
{
    beam_pardo(beam_impulse(p), &finalized_all_fn);
}

static void check_process(const beam_result *done)
{
    (void)done;
    assert_int_equal(atomic_load(&finalized), IN_PROCESS);
}

static void check_finish_bundle(const beam_result *done)
{
    (void)done;
    assert_int_equal(atomic_load(&finalized), IN_FINISH);
}

static void check_all(const beam_result *done)
{
    (void)done;
    assert_int_equal(atomic_load(&finalized), IN_START + IN_PROCESS + IN_FINISH);
}

static beam_status fail_to_note(const void *arg, beam_error *err)
{
    (void)arg;
    return beam_error_set(err, BEAM_UNAVAILABLE, "this is expected, and no failure of the test");
}

static beam_status ask_for_failure(beam_ctx *c, const beam_str *text)
{
    BEAM_TRY(beam_after_commit(c, fail_to_note, NULL, 0));
    return beam_emit_value(c, beam_str, text);
}
BEAM_DOFN(finalized_badly_fn, beam_str, ask_for_failure, BEAM_TYPES(&beam_str_type),
          .finalizes = true);

static void finalize_that_fails(beam_pipeline *p)
{
    beam_assert_that(beam_pardo(beam_create(p, beam_str, texts, 2), &finalized_badly_fn), beam_str,
                     texts, 2);
}

const conformance_case report_cases[] = {
    CASE_THEN(metrics, check_metrics),
    CASE_FAILS(error_names_the_transform, "StageC"),
    CASE_FAILS(failed_check, "the check failed"),
    {"finalize_process", finalize_process, NULL, check_process, forget},
    {"finalize_finish_bundle", finalize_finish_bundle, NULL, check_finish_bundle, forget},
    {"finalize_all", finalize_all, NULL, check_all, forget},
    CASE(finalize_that_fails),
    {0},
};
