/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline_test.h"

#include "direct/direct.h"
#include "support/runner.h"

beam_result *run_ok(beam_pipeline *p, const beam_run_options *options, bool keep)
{
    beam_error err = {0};
    beam_result *result = NULL;
    beam_status status = beam_pipeline_run(p, options, &result, &err);
    if (status != BEAM_OK)
        fail_msg("%s: %s", beam_status_name(status), err.message);
    beam_pipeline_free(p);
    if (keep)
        return result;
    beam_result_free(result);
    return NULL;
}

void run_fails(beam_pipeline *p, const beam_run_options *options, beam_status status,
               beam_error *err)
{
    *err = (beam_error){0};
    assert_int_equal(beam_pipeline_run(p, options, NULL, err), status);
    assert_int_equal(err->code, status);
    beam_pipeline_free(p);
}

void assert_mentions(const beam_error *err, const char *text)
{
    if (!strstr(err->message, text))
        fail_msg("\"%s\" does not mention \"%s\"", err->message, text);
}

void spill_soon(bool soon)
{
    beam_direct_least_share = soon ? 0 : BEAM_DIRECT_LEAST_SHARE;
}

static void run_once(void (*build)(beam_pipeline *p), const beam_run_options *options)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    build(p);
    run_ok(p, options, false);
}

void run_all_ways(void (*build)(beam_pipeline *p))
{
    if (test_on_engine()) {
        const beam_run_options on_engine = test_runner();
        run_once(build, &on_engine);
        return;
    }
    const beam_run_options ways[] = {
        {.struct_size = sizeof(beam_run_options), .direct_num_workers = 1},
        {.struct_size = sizeof(beam_run_options), .direct_num_workers = 4},
        {.struct_size = sizeof(beam_run_options), .direct_num_workers = 3, .memory_budget = 30000},
    };
    spill_soon(true);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        run_once(build, &ways[i]);
    spill_soon(false);
}

int64_t counter(const beam_result *result, const char *transform, const char *name)
{
    beam_metric_cell cell;
    if (beam_result_metric(result, transform, name, &cell) != BEAM_OK)
        fail_msg("there is no metric %s", name);
    return cell.sum;
}

beam_pcoll numbers(beam_pipeline *p, int64_t n)
{
    beam_int64 *values = malloc((size_t)(n ? n : 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++)
        values[i] = i;
    beam_pcoll made = beam_create(p, beam_int64, values, (size_t)n);
    free(values);
    return made;
}

/* ---- A splittable source ---------------------------------------------------------------- */

static beam_status whole_range(beam_ctx *c, const void *element, void *restriction)
{
    (void)element;
    *(beam_offset_range *)restriction = (beam_offset_range){0, *beam_config(c, beam_int64)};
    return BEAM_OK;
}

static beam_status give_numbers(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    for (beam_int64 i = range->start; beam_try_claim_offset(c, tracker, i); i++)
        BEAM_TRY(beam_emit_element(c, 0, &i));
    return BEAM_OK;
}

static beam_status give_timed(beam_ctx *c, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    for (beam_int64 i = range->start; beam_try_claim_offset(c, tracker, i); i++)
        BEAM_TRY(beam_emit_at(c, 0, &i, i));
    return BEAM_OK;
}

static const beam_splittable counting = {.struct_size = sizeof counting,
                                         .restriction = &beam_offset_range_type,
                                         .tracker = &beam_offset_range_tracker,
                                         .initial_restriction = whole_range,
                                         .process = give_numbers};
static const beam_splittable timed_counting = {.struct_size = sizeof timed_counting,
                                               .restriction = &beam_offset_range_type,
                                               .tracker = &beam_offset_range_tracker,
                                               .initial_restriction = whole_range,
                                               .process = give_timed};
const beam_dofn counting_fn = {.struct_size = sizeof counting_fn,
                               .name = "counting_fn",
                               .in = &beam_bytes_type,
                               BEAM_TYPES(&beam_int64_type),
                               .config = &beam_int64_type,
                               .splittable = &counting};
const beam_dofn timed_counting_fn = {.struct_size = sizeof timed_counting_fn,
                                     .name = "timed_counting_fn",
                                     .in = &beam_bytes_type,
                                     BEAM_TYPES(&beam_int64_type),
                                     .config = &beam_int64_type,
                                     .splittable = &timed_counting};

beam_pcoll count_to(beam_pipeline *p, int64_t n)
{
    const beam_int64 config = n;
    return beam_pardo(beam_impulse(p), &counting_fn, .config = &config);
}

beam_pcoll count_to_timed(beam_pipeline *p, int64_t n)
{
    const beam_int64 config = n;
    return beam_pardo(beam_impulse(p), &timed_counting_fn, .config = &config);
}
