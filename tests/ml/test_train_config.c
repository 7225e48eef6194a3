/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Training configurations and results: what they may be, as JSON, as rows, in grids and files. */
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <beam/training.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "ml/train_config.h"
#include "ml/train_work.h"
#include "type/coder.h"

static beam_training_config sound(void)
{
    return (beam_training_config){.experiment_id = beam_str_of("a \"quoted\" caf\xc3\xa9\n"),
                                  .model_name = beam_str_of("small_cnn"),
                                  .learning_rate = 0.1,
                                  .batch_size = 16,
                                  .epochs = 3,
                                  .dataset = beam_str_of("digits"),
                                  .momentum = -1,
                                  .weight_decay = 5e-4,
                                  .flip_average = true,
                                  .seed = INT64_MAX};
}

static beam_training_result finished(void)
{
    return (beam_training_result){.experiment_id = beam_str_of("a"),
                                  .accuracy = 1.0 / 3,
                                  .model_path = beam_str_of("/x/model.safetensors"),
                                  .loss = (double)NAN,
                                  .epochs = 3,
                                  .steps = 12,
                                  .seconds = 1e-300,
                                  .status = beam_str_of("ok"),
                                  .config = sound()};
}

static void assert_same_config(const beam_training_config *a, const beam_training_config *b)
{
    const char *differs = beam_training_config_differs(a, b);
    if (differs)
        fail_msg("%s differs", differs);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void test_json_round_trip(void **state)
{
    (void)state;
    beam_pool *pool = beam_pool_new();
    beam_error err = {0};
    beam_training_result result = finished(), back;
    beam_str json;
    assert_ok(beam_training_result_to_json(&result, pool, &json, &err), err);
    assert_null(memchr(json.at, '\n', json.len));
    assert_ok(beam_training_result_from_json(json, pool, &back, &err), err);
    assert_true(back.accuracy == result.accuracy && back.seconds == result.seconds);
    assert_true(isnan(back.loss));
    assert_int_equal(back.steps, 12);
    assert_true(beam_str_equal(back.model_path, result.model_path));
    assert_same_config(&back.config, &result.config);

    beam_training_config config;
    assert_ok(beam_training_config_to_json(&result.config, pool, &json, &err), err);
    assert_non_null(strstr(json.at, "\"learning_rate\": 0.1, \"batch_size\": 16, \"epochs\": 3"));
    assert_ok(beam_training_config_from_json(json, NULL, pool, &config, &err), err);
    assert_same_config(&config, &result.config);
    beam_pool_free(pool);
}

static void test_json_left_out_is_the_base(void **state)
{
    (void)state;
    beam_pool *pool = beam_pool_new();
    beam_error err = {0};
    beam_training_config base = sound(), config;
    beam_str json = beam_str_of("{\"batch_size\": 32, \"learning_rate\": 1}");
    assert_ok(beam_training_config_from_json(json, &base, pool, &config, &err), err);
    base.batch_size = 32;
    base.learning_rate = 1;
    assert_same_config(&config, &base);
    beam_pool_free(pool);
}

static void test_json_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"{\"batchsize\": 1}", "there is no field \"batchsize\"; there are experiment_id"},
        {"{\"epochs\": 1, \"epochs\": 2}", "epochs"},
        {"{\"epochs\": 1.5}", "field \"epochs\" is a number, where a whole number"},
        {"{\"epochs\": \"1\"}", "field \"epochs\" is text"},
        {"{\"epochs\": 99999999999999999999}", "too big"},
        {"{\"learning_rate\": true}", "field \"learning_rate\" is true"},
        {"{\"flip_average\": 1}", "field \"flip_average\""},
        {"{\"model_name\": null}", "field \"model_name\" is null"},
        {"{\"model_name\": \"a\\u0000b\"}", "\\u0000"},
        {"{\"model_name\": \"\xff\"}", "unable to decode"},
        {"{\"epochs\": 1} x", "line 1"},
        {"{\"epochs\": 1", "line 1"},
        {"[]", "an array, where an object"},
        {"", "line 1"},
    };
    beam_pool *pool = beam_pool_new();
    beam_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_training_config config;
        assert_fails(
            beam_training_config_from_json(beam_str_of(cases[i].json), NULL, pool, &config, &err),
            BEAM_INVALID_ARGUMENT, err, cases[i].words);
    }
    beam_training_config odd = {.experiment_id = beam_str_of("\xff")};
    beam_str json;
    assert_fails(beam_training_config_to_json(&odd, pool, &json, &err), BEAM_INVALID_ARGUMENT, err,
                 "experiment_id is not UTF-8");
    beam_pool_free(pool);
}

/* ---- Rows --------------------------------------------------------------------------------- */

static void test_row_round_trip(void **state)
{
    (void)state;
    beam_buffer bytes = {0};
    beam_arena arena = {0};
    beam_error err = {0};
    beam_training_result result = finished(), back;
    assert_ok(beam_encode(&beam_training_result_type, BEAM_NESTED, &result, &bytes, &err), err);
    beam_reader reader = beam_reader_of(bytes.data, bytes.len);
    assert_ok(beam_decode(&beam_training_result_type, BEAM_NESTED, &reader, &back, &arena, &err),
              err);
    assert_int_equal(beam_reader_left(&reader), 0);
    assert_true(back.accuracy == result.accuracy && isnan(back.loss));
    assert_same_config(&back.config, &result.config);
    beam_arena_free(&arena);
    beam_buffer_free(&bytes);
}

/* The bytes that Beam's Python SDK (2.77.0, RowCoder of NamedTuples with these fields) gives, and
 * reads. */
static void test_row_as_in_python(void **state)
{
    (void)state;
    static const char python[] =
        "0b0005636166c3a93fd5555555555555142f782f6d6f64656c2e7361666574656e736f72737ff800"
        "000000000003f4ffffffffffffffff0101a56e1fc2f8f359026f6b001a0005636166c3a908726573"
        "6e657431383fb999999999999a100306646967697473000000bff000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000010000ffffffffffffffff7f00"
        "00000000003fe8000000000000";
    const beam_str id = beam_str_of("caf\xc3\xa9");
    const beam_training_result result = {.experiment_id = id,
                                         .accuracy = 1.0 / 3,
                                         .model_path = beam_str_of("/x/model.safetensors"),
                                         .loss = (double)NAN,
                                         .epochs = 3,
                                         .steps = -12,
                                         .seconds = 1e-300,
                                         .status = beam_str_of("ok"),
                                         .plain_accuracy = 0.75,
                                         .config = {.experiment_id = id,
                                                    .model_name = beam_str_of("resnet18"),
                                                    .learning_rate = 0.1,
                                                    .batch_size = 16,
                                                    .epochs = 3,
                                                    .dataset = beam_str_of("digits"),
                                                    .momentum = -1,
                                                    .flip_average = true,
                                                    .seed = INT64_MAX}};
    beam_buffer bytes = {0};
    beam_error err = {0};
    assert_ok(beam_encode(&beam_training_result_type, BEAM_OUTER, &result, &bytes, &err), err);
    assert_int_equal(bytes.len * 2, sizeof python - 1);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned expected;
        assert_int_equal(sscanf(python + 2 * i, "%2x", &expected), 1);
        assert_int_equal(bytes.data[i], expected);
    }
    beam_buffer_free(&bytes);
}

/* ---- What may be -------------------------------------------------------------------------- */

static void expect_refused(beam_training_config config, const char *words)
{
    beam_error err;
    assert_fails(beam_training_config_check(&config, &err), BEAM_INVALID_ARGUMENT, err, words);
}

#define REFUSED(FIELD, VALUE, WORDS)           \
    do {                                       \
        beam_training_config wrong_ = sound(); \
        wrong_.FIELD = (VALUE);                \
        expect_refused(wrong_, (WORDS));       \
    } while (0)

static void test_check(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_training_config config = sound();
    assert_ok(beam_training_config_check(&config, &err), err);
    config.optimizer = beam_str_of("adamw");
    config.schedule = beam_str_of("cosine");
    config.precision = beam_str_of("bf16");
    config.augment = beam_str_of("cutout,flip");
    assert_ok(beam_training_config_check(&config, &err), err);

    REFUSED(learning_rate, -0.1, "learning_rate is -0.1: it must be a number above 0");
    REFUSED(learning_rate, 0, "learning_rate is 0");
    REFUSED(learning_rate, (double)NAN, "learning_rate is nan");
    REFUSED(learning_rate, (double)INFINITY, "learning_rate is inf");
    REFUSED(batch_size, 0, "batch_size is 0: it must be a whole number from 1");
    REFUSED(batch_size, -4, "batch_size is -4");
    REFUSED(epochs, 0, "epochs is 0");
    REFUSED(num_images, -1, "num_images is -1");
    REFUSED(num_images, 8, "batch_size is 16, and there are only 8 images");
    REFUSED(num_threads, -1, "num_threads is -1");
    REFUSED(seed, -1, "seed is -1");
    REFUSED(lookahead, -2, "lookahead is -2");
    REFUSED(momentum, 1, "momentum is 1");
    REFUSED(weight_decay, (double)NAN, "weight_decay");
    REFUSED(max_gradient_norm, -1, "max_gradient_norm is -1");
    REFUSED(label_smoothing, 1, "label_smoothing is 1");
    REFUSED(bias_lr_factor, -1, "bias_lr_factor is -1");
    REFUSED(model_name, beam_str_of("resnet19"), "\"resnet19\": there is no such network; there");
    REFUSED(model_name, beam_str_of(""), "model_name is missing; there are");
    REFUSED(optimizer, beam_str_of("sdg"), "optimizer");
    REFUSED(schedule, beam_str_of("cosmic"), "schedule");
    REFUSED(precision, beam_str_of("f8"), "precision");
    REFUSED(precision, beam_str_of("int8"), "int8 is for inference");
    REFUSED(augment, beam_str_of("flip,flop"), "no augmentation \"flop\"");
    REFUSED(augment, beam_str_of("flip,"), "no augmentation \"\"");
    REFUSED(data_dir, ((beam_str){"a\0b", 3}), "data_dir holds a NUL");
}

static void test_experiment_names(void **state)
{
    (void)state;
    beam_error err = {0};
    assert_ok(beam_experiment_check(beam_str_of("resnet18-lr0.01-b16"), &err), err);
    static const char *const wrong[] = {"", "a/b", "..", ".hidden", "a\tb"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(beam_experiment_check(beam_str_of(wrong[i]), &err), BEAM_INVALID_ARGUMENT, err,
                     "experiment_id");
}

/* ---- Grids -------------------------------------------------------------------------------- */

static const char *const models[] = {"resnet18", "resnet34"};
static const double rates[] = {0.01, 0.001, 0.0001};
static const int64_t batches[] = {16, 32, 64};

static beam_training_grid full_grid(void)
{
    return (beam_training_grid){.struct_size = sizeof(beam_training_grid),
                                .base = {.epochs = 2, .seed = 100},
                                .model_names = models,
                                .num_model_names = 2,
                                .learning_rates = rates,
                                .num_learning_rates = 3,
                                .batch_sizes = batches,
                                .num_batch_sizes = 3};
}

static bool named(const beam_training_config *config, const char *name)
{
    return beam_str_equal(config->experiment_id, beam_str_of(name));
}

static void test_grid(void **state)
{
    (void)state;
    beam_pool *pool = beam_pool_new();
    beam_error err = {0};
    beam_training_grid grid = full_grid();
    beam_training_config *configs;
    size_t n;
    assert_ok(beam_training_grid_make(&grid, pool, &configs, &n, &err), err);
    assert_int_equal(n, 18);
    assert_true(named(&configs[0], "resnet18-lr0.01-b16"));
    assert_true(named(&configs[17], "resnet34-lr0.0001-b64"));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(configs[i].seed, 100 + i);
        assert_int_equal(configs[i].epochs, 2);
    }
    /* The longest first: a deeper network, then smaller batches. */
    beam_training_configs_order(configs, n);
    assert_true(named(&configs[0], "resnet34-lr0.01-b16"));
    assert_true(named(&configs[1], "resnet34-lr0.001-b16"));
    assert_true(named(&configs[17], "resnet18-lr0.0001-b64"));
    for (size_t i = 1; i < n; i++)
        assert_true(beam_training_work(&configs[i - 1]) >= beam_training_work(&configs[i]));

    grid.num_learning_rates = 0;
    assert_fails(beam_training_grid_make(&grid, pool, &configs, &n, &err), BEAM_INVALID_ARGUMENT,
                 err, "learning_rate is 0");

    grid = full_grid();
    grid.base.seed = INT64_MAX - 17;
    assert_ok(beam_training_grid_make(&grid, pool, &configs, &n, &err), err);
    assert_true(configs[17].seed == INT64_MAX);
    grid.base.seed = INT64_MAX - 16;
    assert_fails(beam_training_grid_make(&grid, pool, &configs, &n, &err), BEAM_INVALID_ARGUMENT,
                 err, "seed is 9223372036854775791: each configuration has the next one");
    beam_pool_free(pool);
}

static void test_trials(void **state)
{
    (void)state;
    beam_pool *pool = beam_pool_new();
    beam_error err = {0};
    beam_training_grid grid = full_grid();
    beam_training_config *configs, *again;
    size_t n;
    grid.trials = 50;
    assert_ok(beam_training_grid_make(&grid, pool, &configs, &n, &err), err);
    assert_ok(beam_training_grid_make(&grid, pool, &again, &n, &err), err);
    assert_int_equal(n, 50);
    size_t deep = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        assert_same_config(&configs[i], &again[i]);
        assert_true(configs[i].learning_rate >= 0.0001 && configs[i].learning_rate <= 0.01);
        deep += beam_str_equal(configs[i].model_name, beam_str_of("resnet34"));
        high += configs[i].learning_rate > 0.001;
    }
    assert_in_range(deep, 10, 40);
    assert_in_range(high, 10, 40);
    grid.base.seed = 7;
    assert_ok(beam_training_grid_make(&grid, pool, &again, &n, &err), err);
    assert_true(configs[0].learning_rate != again[0].learning_rate);
    beam_pool_free(pool);
}

/* ---- Recipes ------------------------------------------------------------------------------ */

static void test_recipe(void **state)
{
    (void)state;
    const beam_dataset_info digits = {.name = "digits"}, folder = {.name = "/data/my flowers/"};
    beam_error err = {0};
    beam_training_config a = {.epochs = 7}, b = {0};
    beam_training_recipe(&digits, &a);
    beam_training_recipe(&folder, &b);
    assert_true(beam_str_equal(a.model_name, beam_str_of("small_cnn")));
    assert_true(beam_str_equal(b.model_name, beam_str_of("resnet18")));
    assert_int_equal(a.epochs, 7);
    assert_ok(beam_training_config_check(&a, &err), err);
    assert_ok(beam_training_config_check(&b, &err), err);
}

/* What a recipe has for SGD is not given to another optimizer. */
static void test_recipe_of_optimizers(void **state)
{
    (void)state;
    static const struct {
        const char *model, *optimizer;
        double learning_rate, momentum, bias_lr_factor;
    } cases[] = {{"fastnet", "", 0.75, 0.85, 64}, {"fastnet", "sgd", 0.75, 0.85, 64},
                 {"fastnet", "adam", 1e-3, 0, 0}, {"fastnet", "adamw", 1e-3, 0, 0},
                 {"fastnet", "muon", 5e-3, 0, 0}, {"fastnet_wide", "", 0.65, 0.85, 64}};
    const beam_dataset_info folder = {.name = "/data/flowers"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_training_config c = {.model_name = beam_str_of(cases[i].model),
                                  .optimizer = beam_str_of(cases[i].optimizer)};
        beam_error err = {0};
        beam_training_recipe(&folder, &c);
        assert_float_equal(c.learning_rate, cases[i].learning_rate, 0);
        assert_float_equal(c.momentum, cases[i].momentum, 0);
        assert_float_equal(c.bias_lr_factor, cases[i].bias_lr_factor, 0);
        assert_true(c.label_smoothing > 0);
        assert_int_equal(c.lookahead, 5);
        assert_ok(beam_training_config_check(&c, &err), err);
    }
    beam_training_config none = {
        .model_name = beam_str_of("fastnet"), .label_smoothing = -1, .lookahead = -1};
    beam_error err = {0};
    beam_training_recipe(&folder, &none);
    assert_float_equal(none.label_smoothing, -1, 0);
    assert_int_equal(none.lookahead, -1);
    assert_ok(beam_training_config_check(&none, &err), err);
    beam_training_config muon = {.optimizer = beam_str_of("muon")};
    assert_float_equal(beam_training_config_complete(&muon).momentum, 0.95, 0);
}

/* ---- Files -------------------------------------------------------------------------------- */

static beam_status read_text(const char *text, beam_pool *pool, beam_training_config **configs,
                             size_t *n, beam_error *err)
{
    char *folder = test_folder();
    const char *path = test_path(folder, "configs.json");
    beam_training_config base = {.epochs = 9};
    test_write_file(path, text, strlen(text));
    beam_status status = beam_training_configs_read(path, &base, pool, configs, n, err);
    test_remove_folder(folder);
    return status;
}

static void test_files(void **state)
{
    (void)state;
    static const char *const same[] = {
        "[{\"experiment_id\": \"a\"}, {\"experiment_id\": \"b\", \"epochs\": 2}]",
        "{\"experiment_id\": \"a\"}\n{\"experiment_id\": \"b\", \"epochs\": 2}\n\n",
        " [{\"experiment_id\":\"a\"}]{\"experiment_id\":\"b\",\"epochs\":2}"};
    beam_pool *pool = beam_pool_new();
    beam_error err = {0};
    beam_training_config *configs;
    size_t n;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_ok(read_text(same[i], pool, &configs, &n, &err), err);
        assert_int_equal(n, 2);
        assert_true(named(&configs[0], "a") && named(&configs[1], "b"));
        assert_int_equal(configs[0].epochs, 9);
        assert_int_equal(configs[1].epochs, 2);
    }
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "no configurations"},
        {"[]", "no configurations"},
        {"[{}]", "configuration 1: experiment_id is missing"},
        {"{\"experiment_id\":\"a\"}{\"experiment_id\":\"a\"}",
         "two configurations are called \"a\""},
        {"[{\"experiment_id\":\"a\"}, 7]", "configuration 2: a whole number, where an object"},
        {"[{\"experiment_id\":\"a\", \"lr\": 1}]", "configuration 1: there is no field \"lr\""},
        {"{\"experiment_id\":\"a\"}{", "after 1 configurations: line 1"},
        {"{\"experiment_id\":\"a\", \"experiment_id\":\"b\"}", "duplicate"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(read_text(wrong[i].text, pool, &configs, &n, &err), BEAM_INVALID_ARGUMENT, err,
                     wrong[i].words);
    assert_fails(beam_training_configs_read("/nowhere/x.json", NULL, pool, &configs, &n, &err),
                 BEAM_NOT_FOUND, err, "/nowhere/x.json");
    beam_pool_free(pool);
}

/* ---- Memory ------------------------------------------------------------------------------- */

static beam_status make_and_read(beam_error *err)
{
    beam_pool *pool = beam_pool_new();
    beam_training_grid grid = full_grid();
    beam_training_config *configs;
    size_t n;
    if (!pool)
        return BEAM_RESOURCE_EXHAUSTED;
    beam_status status = beam_training_grid_make(&grid, pool, &configs, &n, err);
    if (status == BEAM_OK)
        status = read_text("[{\"experiment_id\": \"a\"}]", pool, &configs, &n, err);
    beam_str json;
    if (status == BEAM_OK)
        status = beam_training_config_to_json(configs, pool, &json, err);
    beam_pool_free(pool);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    for (uint64_t n = 1; status != BEAM_OK; n++) {
        beam_alloc_fail_at(n, n % 2);
        status = make_and_read(&err);
        beam_alloc_fail_at(0, 0);
        assert_true(status == BEAM_OK || status == BEAM_RESOURCE_EXHAUSTED);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_json_left_out_is_the_base),
        cmocka_unit_test(test_json_refusals),
        cmocka_unit_test(test_row_round_trip),
        cmocka_unit_test(test_row_as_in_python),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_experiment_names),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_recipe_of_optimizers),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
