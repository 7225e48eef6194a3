/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "inference_run.h"

#include "ml/model_cache.h"
#include "support/files.h"

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};

beam_status inference_try_run(beam_pipeline *p, uint32_t threads, beam_result **result,
                              beam_error *err)
{
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = threads, .logger = &quiet};
    beam_status status = beam_pipeline_run(p, &options, result, err);
    beam_pipeline_free(p);
    size_t models, loads;
    beam_model_cache_count(&models, &loads);
    assert_int_equal(models, 0);
    return status;
}

beam_result *inference_run(beam_pipeline *p, uint32_t threads)
{
    beam_error err = {0};
    beam_result *result = NULL;
    assert_ok(inference_try_run(p, threads, &result, &err), err);
    return result;
}

beam_metric_cell inference_metric(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    if (beam_result_metric(result, NULL, name, &cell) != BEAM_OK)
        fail_msg("no metric %s", name);
    return cell;
}
