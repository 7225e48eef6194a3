/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Metrics of a handler's own, beside RunInference's or instead of them, and of each model of keys.
 */
#include <stdio.h>
#include <string.h>

#include "inference_run.h"
#include "scaled.h"
#include "support/files.h"

BEAM_KV(keyed_number, beam_str, beam_int64);
BEAM_KV(keyed_double, beam_str, beam_double);

enum { PACKED, LARGEST, UNPACKED };

static beam_status pack(beam_ctx *c, const beam_int64 *number, const beam_model *model,
                        float *const *rows)
{
    (void)model;
    for (int i = 0; i < SCALED_WIDE; i++)
        rows[0][i] = (float)*number;
    beam_count(c, PACKED, 1);
    beam_distribution_update(c, LARGEST, *number);
    return BEAM_OK;
}

static beam_status unpack(beam_ctx *c, const beam_int64 *number, const beam_tensor *outputs,
                          size_t n, beam_double *out)
{
    (void)number;
    (void)n;
    *out = (double)((const float *)outputs[0].data)[0];
    beam_string_set_add(c, UNPACKED, beam_str_of("some"));
    return BEAM_OK;
}

#define OWN                                                                \
    BEAM_METRICS({"packed", BEAM_COUNTER}, {"largest", BEAM_DISTRIBUTION}, \
                 {"unpacked", BEAM_STRING_SET})
BEAM_MODEL_HANDLER(beside, beam_int64, beam_double, pack, unpack, .make_network = scaled_network,
                   OWN);

/* Counts what each model ran, under names of which one is Beam's. */
enum { RUN_BY_THREE = UNPACKED + 1, RUN_BY_OTHERS, BATCHES };

static void count_batch(beam_ctx *c, const beam_inference_batch *batch)
{
    const beam_str weights = beam_inference_spec(c)->weights;
    bool three = weights.len && weights.at[weights.len - 1] == '3';
    assert_int_equal(batch->struct_size, sizeof *batch);
    assert_int_equal(batch->status, BEAM_OK);
    assert_int_equal(batch->num_bytes, batch->num_examples * SCALED_WIDE * (int64_t)sizeof(float));
    assert_true(batch->latency_micro_secs >= 0);
    beam_count(c, three ? RUN_BY_THREE : RUN_BY_OTHERS, batch->num_examples);
    beam_distribution_update(c, BATCHES, batch->num_examples);
}

BEAM_MODEL_HANDLER(instead, beam_int64, beam_double, pack, unpack, .make_network = scaled_network,
                   BEAM_METRICS({"packed", BEAM_COUNTER}, {"largest", BEAM_DISTRIBUTION},
                                {"unpacked", BEAM_STRING_SET}, {"run_by_three", BEAM_COUNTER},
                                {"run_by_others", BEAM_COUNTER},
                                {"inference_request_batch_size", BEAM_DISTRIBUTION}),
                   .override_metrics = count_batch);
BEAM_KEYED_HANDLER(keyed_beside, keyed_number, keyed_double, beside);
BEAM_KEYED_HANDLER(keyed_instead, keyed_number, keyed_double, instead);

/* Names of RunInference's metrics, in order, behind one another. */
static void list(void *user, const char *transform, const char *space, const char *name,
                 beam_metric_kind kind, const beam_metric_cell *cell)
{
    char *all = user;
    size_t len = strlen(all);
    (void)space;
    (void)kind;
    (void)cell;
    if (strcmp(transform, "RunInference") == 0)
        (void)snprintf(all + len, 1024 - len, "%s ", name);
}

static int new_folder(void **state)
{
    *state = test_folder();
    scaled_write(test_path(*state, "w3"), 3);
    scaled_write(test_path(*state, "w5"), 5);
    return 0;
}

static int end_folder(void **state)
{
    test_remove_folder(*state);
    return 0;
}

/* ---- Beside ---------------------------------------------------------------------------------- */

static void test_own_metrics_beside_all_others(void **state)
{
    const beam_int64 in[] = {4, 9, 2};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(beam_create(p, beam_int64, in, 3), &beside,
                       .model = scaled_spec(test_path(*state, "w3")), .max_batch_size = 2);
    beam_result *result = inference_run(p, 1);
    assert_int_equal(inference_metric(result, "packed").sum, 3);
    assert_int_equal(inference_metric(result, "largest").max, 9);
    assert_int_equal(inference_metric(result, "num_inferences").sum, 3);
    assert_int_equal(inference_metric(result, "inference_request_batch_size").count, 2);
    assert_int_equal(inference_metric(result, "cumulativeThrottlingSeconds").sum, 0);
    beam_result_free(result);
}

/* ---- Instead --------------------------------------------------------------------------------- */

static void test_own_metrics_instead_of_all_others(void **state)
{
    const beam_int64 in[] = {4, 9, 2};
    char names[1024] = "";
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(beam_create(p, beam_int64, in, 3), &instead,
                       .model = scaled_spec(test_path(*state, "w3")), .max_batch_size = 2);
    beam_result *result = inference_run(p, 1);
    beam_result_metrics(result, list, names);
    assert_string_equal(names, "packed largest unpacked run_by_three run_by_others "
                               "inference_request_batch_size ");
    assert_int_equal(inference_metric(result, "packed").sum, 3);
    assert_int_equal(inference_metric(result, "run_by_three").sum, 3);
    beam_metric_cell sizes = inference_metric(result, "inference_request_batch_size");
    assert_int_equal(sizes.count, 2);
    assert_int_equal(sizes.max, 2);
    beam_result_free(result);
}

/* Handlers around it count by its places, and each model is told apart. */
static void test_a_key_s_model_is_told(void **state)
{
    const beam_str three = beam_str_of("three"), five = beam_str_of("five");
    const keyed_number in[] = {{three, 1}, {five, 2}, {five, 3}};
    const keyed_double out[] = {{three, 6}, {five, 15}, {five, 20}};
    char paths[2][256];
    (void)snprintf(paths[0], sizeof paths[0], "%s", test_path(*state, "w3"));
    (void)snprintf(paths[1], sizeof paths[1], "%s", test_path(*state, "w5"));
    const beam_key_model models[] = {{.keys = BEAM_KEYS(three), .model = scaled_spec(paths[0])},
                                     {.keys = BEAM_KEYS(five), .model = scaled_spec(paths[1])}};
    for (int own = 0; own < 2; own++) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll found = beam_run_inference(beam_create(p, keyed_number, in, 3),
                                              own ? &keyed_instead : &keyed_beside,
                                              .models = models, .num_models = 2);
        beam_assert_that(found, keyed_double, out, 3);
        beam_result *result = inference_run(p, 1);
        assert_int_equal(inference_metric(result, "packed").sum, 3);
        assert_int_equal(inference_metric(result, own ? "run_by_three" : "num_inferences").sum,
                         own ? 1 : 3);
        if (own)
            assert_int_equal(inference_metric(result, "run_by_others").sum, 2);
        beam_metric_cell cell;
        assert_int_equal(beam_result_metric(result, NULL, "five-_num_inferences", &cell),
                         own ? BEAM_NOT_FOUND : BEAM_OK); /* who overrides, overrides all */
        beam_result_free(result);
    }
}

/* ---- Of each model --------------------------------------------------------------------------- */

static beam_status pack_small(beam_ctx *c, const beam_int64 *number, const beam_model *model,
                              float *const *rows)
{
    if (*number > 100)
        return beam_fail(c, BEAM_OUT_OF_RANGE, "%lld is too large", (long long)*number);
    return pack(c, number, model, rows);
}
BEAM_MODEL_HANDLER(small, beam_int64, beam_double, pack_small, unpack,
                   .make_network = scaled_network, OWN);
BEAM_KEYED_HANDLER(keyed_small, keyed_number, keyed_double, small);

static int64_t sum_of(const beam_result *result, const char *model, const char *name)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s-_%s", model, name);
    return inference_metric(result, whole).sum;
}

/* Two models of keys, of which the first has two, and one for all other keys. */
static void test_each_model_has_its_own(void **state)
{
    const beam_str drei = beam_str_of("drei"), three = beam_str_of("three"),
                   five = beam_str_of("five"), other = beam_str_of("other");
    const keyed_number in[] = {{drei, 1},  {five, 2},    {five, 300}, {other, 4},
                               {three, 5}, {other, 600}, {five, 7}};
    char paths[2][256];
    (void)snprintf(paths[0], sizeof paths[0], "%s", test_path(*state, "w3"));
    (void)snprintf(paths[1], sizeof paths[1], "%s", test_path(*state, "w5"));
    const beam_key_model models[] = {
        {.keys = BEAM_KEYS(drei, three), .model = scaled_spec(paths[0])},
        {.keys = BEAM_KEYS(five), .model = scaled_spec(paths[1])}};
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(beam_create(p, keyed_number, in, 7), &keyed_small,
                           .model = scaled_spec(paths[0]), .models = models, .num_models = 2,
                           .with_exception_handling = true);
        beam_result *result = inference_run(p, threads);
        assert_int_equal(inference_metric(result, "num_inferences").sum, 5);
        assert_int_equal(sum_of(result, "drei", "num_inferences"), 2);
        assert_int_equal(sum_of(result, "five", "num_inferences"), 2);
        assert_int_equal(inference_metric(result, "failed_preprocessing").sum, 2);
        assert_int_equal(sum_of(result, "drei", "failed_preprocessing"), 0);
        assert_int_equal(sum_of(result, "five", "failed_preprocessing"), 1);
        assert_int_equal(sum_of(result, "five", "inference_request_batch_size"), 2);
        assert_int_equal(sum_of(result, "five", "inference_request_batch_byte_size"),
                         2 * SCALED_WIDE * (int64_t)sizeof(float));
        assert_int_equal(sum_of(result, "five", "model_byte_size"), SCALED_BYTES);
        assert_int_equal(inference_metric(result, "five-_load_model_latency_milli_secs").count, 1);
        assert_true(inference_metric(result, "drei-_inference_batch_latency_micro_secs").count > 0);
        beam_metric_cell cell;
        assert_int_equal(beam_result_metric(result, NULL, "three-_num_inferences", &cell),
                         BEAM_NOT_FOUND); /* its model's is the first key's */
        beam_result_free(result);
    }
}

/* What no model is for fails in none. */
static void test_a_strange_key_is_no_model_s_failure(void **state)
{
    const beam_str three = beam_str_of("three"), other = beam_str_of("other");
    const keyed_number in[] = {{three, 1}, {other, 2}, {three, 300}};
    const beam_key_model model = {.keys = BEAM_KEYS(three),
                                  .model = scaled_spec(test_path(*state, "w3"))};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(beam_create(p, keyed_number, in, 3), &keyed_small, .models = &model,
                       .num_models = 1, .with_exception_handling = true);
    beam_result *result = inference_run(p, 1);
    assert_int_equal(inference_metric(result, "failed_preprocessing").sum, 2);
    assert_int_equal(sum_of(result, "three", "failed_preprocessing"), 1);
    assert_int_equal(sum_of(result, "three", "num_inferences"), 1);
    beam_result_free(result);
}

static void count_all(void *user, const char *transform, const char *space, const char *name,
                      beam_metric_kind kind, const beam_metric_cell *cell)
{
    (void)space;
    (void)name;
    (void)kind;
    (void)cell;
    *(size_t *)user += strcmp(transform, "RunInference") == 0;
}

/* There may be thousands of models, and engines keep every metric of every worker. */
static void test_metrics_of_many_models_are_few(void **state)
{
    enum { MODELS = 2000, WITH_METRICS = 32, EACH = 10 };
    static char names[MODELS][8];
    static beam_str keys[MODELS];
    static beam_key_model models[MODELS];
    static keyed_number in[MODELS];
    size_t few = 0, many = 0;
    char path[256];
    (void)snprintf(path, sizeof path, "%s", test_path(*state, "w3"));
    for (int i = 0; i < MODELS; i++) {
        (void)snprintf(names[i], sizeof names[i], "k%d", i);
        keys[i] = beam_str_of(names[i]);
        models[i] = (beam_key_model){.keys = {&keys[i], 1}, .model = scaled_spec(path)};
        in[i] = (keyed_number){keys[i], i % 100};
    }
    for (int all = 0; all < 2; all++) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        size_t n = all ? MODELS : WITH_METRICS;
        beam_run_inference(beam_create(p, keyed_number, in, n), &keyed_small, .models = models,
                           .num_models = n, .max_batch_size = 1);
        beam_result *result = inference_run(p, 1);
        beam_result_metrics(result, count_all, all ? &many : &few);
        assert_int_equal(inference_metric(result, "num_inferences").sum, n);
        assert_int_equal(sum_of(result, "k31", "num_inferences"), 1);
        beam_metric_cell cell;
        assert_int_equal(beam_result_metric(result, NULL, "k32-_num_inferences", &cell),
                         BEAM_NOT_FOUND);
        beam_result_free(result);
    }
    assert_int_equal(few, many);
    assert_true(few >= WITH_METRICS * EACH && few < WITH_METRICS * EACH + 32);
}

/* ---- Mistakes -------------------------------------------------------------------------------- */

BEAM_KEYED_HANDLER(twice, keyed_number, keyed_double, beside, OWN);
BEAM_MODEL_HANDLER(same_name, beam_int64, beam_double, pack, unpack, .make_network = scaled_network,
                   BEAM_METRICS({"num_inferences", BEAM_COUNTER}));
BEAM_KEYED_HANDLER(keyed_same_name, keyed_number, keyed_double, same_name);

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const beam_model_handler *handler;
        const char *words;
    } cases[] = {{&twice, "two of the handlers around one another have metrics"},
                 {&keyed_same_name, "has the name of one of RunInference's"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_error err = {0};
        const keyed_number in = {beam_str_of("k"), 1};
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(beam_create(p, keyed_number, &in, 1), cases[i].handler,
                           .model = scaled_spec("w"));
        assert_fails(beam_pipeline_status(p, &err), BEAM_INVALID_ARGUMENT, err, cases[i].words);
        beam_pipeline_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_metrics_beside_all_others),
        cmocka_unit_test(test_own_metrics_instead_of_all_others),
        cmocka_unit_test(test_a_key_s_model_is_told),
        cmocka_unit_test(test_each_model_has_its_own),
        cmocka_unit_test(test_a_strange_key_is_no_model_s_failure),
        cmocka_unit_test(test_metrics_of_many_models_are_few),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, new_folder, end_folder);
}
