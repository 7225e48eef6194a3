/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* TrainModels inside a process: metrics, cancelling, memory that runs out. */
#include "support/files.h"

#include <stdlib.h>
#include <string.h>

#include <beam/beam.h>

#include "base/alloc.h"

static beam_training_config tiny(const char *id)
{
    return (beam_training_config){.experiment_id = beam_str_of(id),
                                  .model_name = beam_str_of("small_cnn"),
                                  .dataset = beam_str_of("digits"),
                                  .learning_rate = 0.05,
                                  .batch_size = 16,
                                  .epochs = 4,
                                  .num_images = 64};
}

typedef struct outcome {
    beam_result *result;
    beam_status status;
    beam_error error;
} outcome;

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};

static outcome train(const beam_training_config *configs, size_t n, const char *folder,
                     const int *cancel)
{
    outcome o = {0};
    beam_pipeline *p =
        beam_pipeline_new(&(beam_pipeline_options){.struct_size = sizeof(beam_pipeline_options)});
    if (!p) {
        o.status = BEAM_RESOURCE_EXHAUSTED;
        return o;
    }
    beam_pcoll results = beam_train_models(
        beam_reshuffle(beam_create(p, beam_training_config, configs, n)), .checkpoint_dir = folder);
    beam_pardo(beam_combine_globally(results, &beam_best_model), &beam_tell_training);
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = 2, .logger = &quiet, .cancel = cancel};
    o.status = beam_pipeline_run(p, &options, &o.result, &o.error);
    beam_pipeline_free(p);
    return o;
}

static int64_t sum(const outcome *o, const char *metric)
{
    beam_metric_cell cell;
    return beam_result_metric(o->result, NULL, metric, &cell) == BEAM_OK ? cell.sum : 0;
}

static void test_metrics(void **state)
{
    (void)state;
    beam_training_config configs[] = {tiny("a"), tiny("b"), tiny("c")};
    configs[2].batch_size = 5000;
    outcome o = train(configs, 3, NULL, NULL);
    assert_ok(o.status, o.error);
    assert_int_equal(sum(&o, "epochs_done"), 8);
    assert_int_equal(sum(&o, "images_trained"), 2 * 4 * 64);
    assert_int_equal(sum(&o, "configs_done"), 2);
    assert_int_equal(sum(&o, "configs_failed"), 1);
    assert_int_equal(sum(&o, "models_told"), 1);
    assert_in_range(sum(&o, "accuracy_billionths"), 1, 1000000000);
    beam_result_free(o.result);
}

/* ---- Cancelling --------------------------------------------------------------------------- */

static char *model_in(const char *folder, size_t *size)
{
    return test_read_file(test_path(folder, "a/model.safetensors"), size);
}

static void test_cancelled_goes_on(void **state)
{
    (void)state;
    char *whole = test_folder(), *stopped = test_folder();
    const beam_training_config config = tiny("a");
    outcome o = train(&config, 1, whole, NULL);
    assert_ok(o.status, o.error);
    beam_result_free(o.result);

    const int cancel = 1; /* before it begins: nothing is left, and nothing is lost */
    o = train(&config, 1, stopped, &cancel);
    assert_int_equal(o.status, BEAM_CANCELLED);
    beam_result_free(o.result);
    o = train(&config, 1, stopped, NULL);
    assert_ok(o.status, o.error);
    beam_result_free(o.result);

    size_t n, m;
    char *a = model_in(whole, &n), *b = model_in(stopped, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    test_remove_folder(whole);
    test_remove_folder(stopped);
}

/* ---- Mistakes of a pipeline --------------------------------------------------------------- */

static void test_mistakes(void **state)
{
    (void)state;
    const beam_training_config config = tiny("a");
    beam_error err = {0};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_train_models(beam_create(p, beam_training_config, &config, 1), .device = "abacus");
    assert_fails(beam_pipeline_run(
                     p,
                     &(beam_run_options){.struct_size = sizeof(beam_run_options), .logger = &quiet},
                     NULL, &err),
                 BEAM_INVALID_ARGUMENT, err, "there is no device \"abacus\"");
    beam_pipeline_free(p);

    p = beam_pipeline_new(NULL);
    beam_train_models(beam_create(p, beam_training_config, &config, 1), .halving = true);
    assert_fails(beam_pipeline_status(p, &err), BEAM_INVALID_ARGUMENT, err,
                 "halving needs a checkpoint_dir");
    beam_pipeline_free(p);

    const beam_int64 number = 1;
    p = beam_pipeline_new(NULL);
    beam_train_models(beam_create(p, beam_int64, &number, 1));
    assert_fails(beam_pipeline_status(p, &err), BEAM_INVALID_ARGUMENT, err, "beam_training_config");
    beam_pipeline_free(p);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static void test_out_of_memory(void **state)
{
    (void)state;
    beam_training_config config = tiny("a");
    config.epochs = 1;
    config.num_images = 16;
    char *folder = test_folder();
    beam_alloc_fail_at(0, 0);
    outcome o = train(&config, 1, folder, NULL);
    uint64_t all = beam_alloc_count(), step = all / (getenv("BEAM_LONG") ? 400 : 40) + 1;
    assert_ok(o.status, o.error);
    beam_result_free(o.result);
    test_remove_folder(folder);
    for (uint64_t n = 1; n < all; n += step) {
        folder = test_folder();
        beam_alloc_fail_at(n, 1);
        o = train(&config, 1, folder, NULL);
        beam_alloc_fail_at(0, 0);
        assert_true(o.status != BEAM_OK || sum(&o, "configs_failed") == 1 || n > all / 2);
        beam_result_free(o.result);
        o = train(&config, 1, folder, NULL); /* what it left does no harm */
        assert_ok(o.status, o.error);
        assert_int_equal(sum(&o, "configs_done"), 1);
        beam_result_free(o.result);
        test_remove_folder(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics), cmocka_unit_test(test_cancelled_goes_on),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
