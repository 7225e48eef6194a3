/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What becomes of results of trainings in pipelines: the best is found, halves are stopped, models
 * are deployed. */
#include "support/files.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <beam/beam.h>

#include "base/alloc.h"
#include "ml/train_models.h"

static beam_training_result result_of(const char *id, double accuracy, const char *model)
{
    return (beam_training_result){.experiment_id = beam_str_of(id),
                                  .accuracy = accuracy,
                                  .model_path = beam_str_of(model),
                                  .epochs = 1,
                                  .status = beam_str_of("ok"),
                                  .config = {.experiment_id = beam_str_of(id),
                                             .model_name = beam_str_of("small_cnn"),
                                             .dataset = beam_str_of("digits"),
                                             .learning_rate = 0.1,
                                             .batch_size = 16,
                                             .epochs = 4}};
}

static void run(beam_pipeline *p)
{
    beam_error err = {0};
    assert_ok(beam_pipeline_run(p, NULL, NULL, &err), err);
    beam_pipeline_free(p);
}

/* ---- The best ----------------------------------------------------------------------------- */

static void expect_best(const beam_training_result *results, size_t n,
                        const beam_training_result *best)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll all = beam_reshuffle(beam_create(p, beam_training_result, results, n));
    beam_assert_that(beam_combine_globally(all, &beam_best_model), beam_training_result, best, 1);
    run(p);
}

static void test_best(void **state)
{
    (void)state;
    const double nan_ = (double)NAN;
    beam_training_result r[] = {result_of("d", 0.5, "d.safetensors"),
                                result_of("c", 0.75, "c.safetensors"),
                                result_of("b", 0.75, "b.safetensors"), result_of("a", 0.9, ""),
                                result_of("e", nan_, "e.safetensors")};
    expect_best(r, 5, &r[2]);     /* among equals the first name; a model before none */
    expect_best(&r[3], 1, &r[3]); /* nothing but one without a model */
    expect_best(&r[4], 1, &r[4]); /* or without accuracy */
    expect_best(&r[3], 2, &r[4]); /* a model counts first */
    beam_training_result many[200];
    for (size_t i = 0; i < 200; i++)
        many[i] = result_of("x", (double)(i * 7 % 200), "x.safetensors");
    expect_best(many, 200, &many[57]);
    const beam_training_result none = {.accuracy = (double)NAN,
                                       .plain_accuracy = (double)NAN,
                                       .loss = (double)NAN,
                                       .status = beam_str_of("failed"),
                                       .error = beam_str_of("there were no results")};
    expect_best(r, 0, &none);
}

/* ---- Halving ------------------------------------------------------------------------------ */

static void test_halving(void **state)
{
    (void)state;
    static const beam_int64 all = 0;
    beam_training_result r[] = {result_of("a", 0.5, ""), result_of("b", 0.9, ""),
                                result_of("c", 0.5, ""), result_of("d", 0.1, ""),
                                result_of("e", 0.6, ""), result_of("f", 0.2, ""),
                                result_of("g", 0.95, "")};
    r[5].status = beam_str_of("diverged");
    r[6].epochs = 4; /* done with all its epochs */
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll results = beam_create(p, beam_training_result, r, 7);
    beam_pcoll groups = beam_group_by_key(beam_with_keys(results, beam_int64, &all));
    beam_pcoll better = beam_pardo(groups, &beam_halve_fn);
    /* Of a to e, three go on; c stops, since a comes before it. */
    const beam_training_config go_on[] = {r[1].config, r[4].config, r[0].config};
    beam_training_result final[] = {r[2], r[3], r[5], r[6]};
    final[0].status = final[1].status = beam_str_of("stopped");
    beam_assert_that(better, beam_training_config, go_on, 3);
    beam_assert_that(beam_output(better, 1), beam_training_result, final, 4);
    run(p);
}

/* ---- Deploying ---------------------------------------------------------------------------- */

static beam_status deploy(const beam_training_result *result, const char *folder,
                          const beam_training_result *expected, beam_error *err)
{
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll best = beam_create(p, beam_training_result, result, 1);
    beam_pcoll deployed = beam_deploy_best_model(best, folder);
    if (expected)
        beam_assert_that(deployed, beam_training_result, expected, 1);
    beam_status status = beam_pipeline_run(p, NULL, NULL, err);
    beam_pipeline_free(p);
    return status;
}

static void check_manifest(const char *path, const char *crc32c)
{
    json_error_t why;
    json_t *manifest = json_load_file(path, 0, &why), *result;
    if (!manifest)
        fail_msg("%s: %s", path, why.text);
    assert_string_equal(json_string_value(json_object_get(manifest, "model")), "model.safetensors");
    assert_int_equal(json_integer_value(json_object_get(manifest, "size")), 9);
    assert_string_equal(json_string_value(json_object_get(manifest, "crc32c")), crc32c);
    result = json_object_get(manifest, "result");
    assert_string_equal(json_string_value(json_object_get(result, "experiment_id")), "a");
    json_decref(manifest);
}

static void test_deploying(void **state)
{
    (void)state;
    char *folder = test_folder();
    char model[512], serving[512], deployed[600], manifest[600];
    snprintf(model, sizeof model, "%s/trained", folder);
    snprintf(serving, sizeof serving, "%s/a/serving", folder);
    snprintf(deployed, sizeof deployed, "%s/model.safetensors", serving);
    snprintf(manifest, sizeof manifest, "%s/manifest.json", serving);
    test_write_file(model, "123456789", 9);
    beam_error err = {0};
    beam_training_result result = result_of("a", 0.5, model), expected = result;
    expected.model_path = beam_str_of(deployed);
    for (int time = 0; time < 2; time++) {
        assert_ok(deploy(&result, serving, &expected, &err), err);
        size_t size;
        char *copy = test_read_file(deployed, &size);
        assert_int_equal(size, 9);
        assert_memory_equal(copy, "123456789", 9);
        free(copy);
        check_manifest(manifest, "e3069283"); /* the check value of CRC-32C */
        assert_int_equal(test_count_files(serving), 2);
    }
    /* Nothing to deploy: what is served stays. */
    beam_training_result none = result_of("b", (double)NAN, "");
    assert_ok(deploy(&none, serving, &none, &err), err);
    check_manifest(manifest, "e3069283");

    beam_training_result lost = result_of("c", 0.9, "/nowhere/model.safetensors");
    assert_fails(deploy(&lost, serving, NULL, &err), BEAM_NOT_FOUND, err, "/nowhere");
    assert_int_equal(test_count_files(serving), 2);
    assert_fails(deploy(&result, model, NULL, &err), BEAM_ALREADY_EXISTS, err, model);
    assert_fails(deploy(&result, NULL, NULL, &err), BEAM_INVALID_ARGUMENT, err, "serving_dir");
    test_remove_folder(folder);
}

/* ---- Text --------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
    (void)state;
    const beam_training_result result = result_of("a", 0.5, "m");
    beam_pool *pool = beam_pool_new();
    beam_str line;
    assert_int_equal(beam_training_result_to_json(&result, pool, &line, NULL), BEAM_OK);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll lines =
        beam_pardo(beam_create(p, beam_training_result, &result, 1), &beam_format_training_result);
    beam_assert_that(lines, beam_str, &line, 1);
    run(p);
    beam_pool_free(pool);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void test_best_out_of_memory(void **state)
{
    (void)state;
    beam_training_result r[8];
    for (int i = 0; i < 8; i++)
        r[i] = result_of("some experiment", i, "some model");
    size_t failures = 0;
    beam_status status = BEAM_UNKNOWN;
    for (uint64_t n = 1; status != BEAM_OK && n < 5000; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 1);
        beam_pipeline *p = beam_pipeline_new(NULL);
        if (p) {
            beam_pcoll best =
                beam_combine_globally(beam_create(p, beam_training_result, r, 8), &beam_best_model);
            beam_pardo(best, &beam_tell_training);
        }
        status = p ? beam_pipeline_run(p,
                                       &(beam_run_options){.struct_size = sizeof(beam_run_options),
                                                           .direct_num_workers = 1},
                                       NULL, &err)
                   : BEAM_RESOURCE_EXHAUSTED;
        beam_alloc_fail_at(0, 0);
        beam_pipeline_free(p);
        failures += status != BEAM_OK;
    }
    assert_int_equal(status, BEAM_OK);
    assert_true(failures > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_halving),
        cmocka_unit_test(test_deploying),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_best_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
