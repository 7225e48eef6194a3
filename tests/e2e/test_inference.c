/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* RunInference in whole pipelines: batches, order, windows, metrics, retries, mistakes. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <beam/beam.h>

#include "base/alloc.h"
#include "ml/model_cache.h"
#include "support/files.h"

/* ---- A tiny model: two numbers in, three out --------------------------------------------------
 */

#define PROBE(FIELD, S) FIELD(S, beam_int64, id) FIELD(S, beam_str, text)
BEAM_STRUCT(probe, PROBE);
#define ANSWER(FIELD, S) \
    FIELD(S, beam_int64, id) FIELD(S, beam_float, a) FIELD(S, beam_float, b) FIELD(S, beam_float, c)
BEAM_STRUCT(answer, ANSWER);

static beam_status tiny_network(const beam_model_spec *spec, beam_network **network,
                                beam_error *err)
{
    (void)spec;
    beam_network *net = beam_network_new("tiny");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){2});
    x = beam_nn_linear(net, x, "fc", .out_features = 3);
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

static beam_status pack(beam_ctx *c, const probe *p, const beam_model *model, float *const *rows)
{
    (void)model;
    if (p->id == 666)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "no number of the beast");
    rows[0][0] = (float)p->id;
    rows[0][1] = (float)p->text.len;
    return BEAM_OK;
}

static beam_status unpack(beam_ctx *c, const probe *p, const beam_tensor *outputs, size_t n,
                          answer *out)
{
    (void)c;
    assert_int_equal(n, 1);
    assert_int_equal(outputs[0].rank, 1);
    assert_int_equal(outputs[0].shape[0], 3);
    /* The example outlived its process call. */
    assert_true(p->text.len == (size_t)p->id % 5 && memcmp(p->text.at, "xxxxx", p->text.len) == 0);
    const float *y = outputs[0].data;
    *out = (answer){p->id, y[0], y[1], y[2]};
    return BEAM_OK;
}

static int64_t weigh(const void *example)
{
    return ((const probe *)example)->id;
}

BEAM_MODEL_HANDLER(tiny, probe, answer, pack, unpack, .make_network = tiny_network,
                   .element_size = weigh);
BEAM_PREDICTION(tiny_prediction, probe);
BEAM_PREDICTION_HANDLER(predict, probe, tiny_prediction, pack, .make_network = tiny_network);
BEAM_PREDICTION_HANDLER(mistaken, probe, answer, pack, .make_network = tiny_network);

enum { MAX_PROBES = 200 };

static beam_pcoll probes(beam_pipeline *p, size_t n)
{
    probe all[MAX_PROBES];
    for (size_t i = 0; i < n; i++)
        all[i] = (probe){(int64_t)i, {"xxxxx", i % 5}};
    return beam_create(p, probe, all, n);
}

static beam_model_spec tiny_model(void)
{
    return (beam_model_spec){.network = beam_str_of("tiny"), .device = beam_str_of("reference")};
}

/* What the model says of each probe alone, without a pipeline. */
static void expect(answer *answers, size_t n)
{
    beam_error err = {0};
    beam_network *network = NULL;
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    assert_ok(tiny_network(NULL, &network, &err), err);
    assert_ok(beam_network_initialize(network, 1, &err), err);
    assert_ok(beam_device_open("reference", NULL, &device, &err), err);
    assert_ok(beam_device_compile(device, network, NULL, &model, &err), err);
    assert_ok(beam_model_context_new(model, &context, &err), err);
    for (size_t i = 0; i < n; i++) {
        const float x[2] = {(float)i, (float)(i % 5)};
        beam_tensor in = beam_model_input(model, 0, 1), out;
        in.data = x;
        assert_ok(beam_model_run(context, &in, 1, &out, 1, &err), err);
        const float *y = out.data;
        answers[i] = (answer){(int64_t)i, y[0], y[1], y[2]};
    }
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
    beam_network_free(network);
}

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};
static const beam_run_options one_thread = {
    .struct_size = sizeof(beam_run_options), .direct_num_workers = 1, .logger = &quiet};
static const beam_run_options threads = {
    .struct_size = sizeof(beam_run_options), .direct_num_workers = 4, .logger = &quiet};

static beam_result *run(beam_pipeline *p, const beam_run_options *options)
{
    beam_error err = {0};
    beam_result *result = NULL;
    assert_ok(beam_pipeline_run(p, options, &result, &err), err);
    beam_pipeline_free(p);
    size_t models, loads;
    beam_model_cache_count(&models, &loads);
    assert_int_equal(models, 0); /* all went with the run */
    return result;
}

static beam_metric_cell metric(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    if (beam_result_metric(result, NULL, name, &cell) != BEAM_OK)
        fail_msg("no metric %s", name);
    return cell;
}

/* ---- Batches ------------------------------------------------------------------------------- */

static void check_batches(size_t n, const beam_run_inference_args *how,
                          const beam_run_options *options, int64_t *largest)
{
    answer expected[MAX_PROBES];
    expect(expected, n);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll in = probes(p, n);
    if (options == &threads) /* what beam_create() makes is one bundle, which one thread runs */
        in = beam_reshuffle(in);
    beam_pcoll answers = beam_run_inference_(in, how);
    beam_assert_that(answers, answer, expected, n);
    beam_result *result = run(p, options);
    beam_metric_cell sizes = metric(result, "inference_request_batch_size");
    assert_int_equal(sizes.sum, n);
    assert_int_equal(metric(result, "num_inferences").sum, n);
    assert_int_equal(metric(result, "inference_request_batch_byte_size").sum,
                     n * 2 * sizeof(float));
    assert_int_equal(metric(result, "inference_batch_latency_micro_secs").count, sizes.count);
    assert_int_equal(metric(result, "model_byte_size").sum, 9 * sizeof(float));
    assert_int_equal(metric(result, "load_model_latency_milli_secs").count, 1);
    *largest = sizes.max;
    beam_result_free(result);
}

static void test_batch_sizes(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        int64_t max;
    } cases[] = {{1, 0}, {1, 1}, {7, 1}, {10, 4}, {64, 0}, {65, 64}, {200, 7}, {200, 200}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const beam_run_inference_args how = {.struct_size = sizeof how,
                                             .file = __FILE__,
                                             .line = __LINE__,
                                             .handler = &tiny,
                                             .model = tiny_model(),
                                             .max_batch_size = cases[i].max};
        int64_t largest, most = cases[i].max ? cases[i].max : 64;
        check_batches(cases[i].n, &how, &one_thread, &largest);
        assert_true(largest <= most);
        if ((int64_t)cases[i].n >= most)
            assert_int_equal(largest, most);
        check_batches(cases[i].n, &how, &threads, &largest);
        assert_true(largest <= most);
    }
}

static void test_batch_weight(void **state)
{
    (void)state;
    beam_run_inference_args how = {.struct_size = sizeof how,
                                   .file = __FILE__,
                                   .line = __LINE__,
                                   .handler = &tiny,
                                   .model = tiny_model(),
                                   .max_batch_weight = 10};
    int64_t largest;
    /* 0 to 4 weigh 10 together, and run as 4 and 1; whoever weighs more than 10 goes alone. */
    check_batches(40, &how, &one_thread, &largest);
    assert_int_equal(largest, 4);
    how.max_batch_weight = 1;
    how.max_batch_duration_ms = 1000000;
    check_batches(40, &how, &one_thread, &largest);
    assert_int_equal(largest, 2);
}

/* One thread has one bundle, however many the elements came in: two full batches and a half. */
static void test_few_bundles_fill_batches(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(beam_reshuffle(probes(p, 160)), &tiny, .model = tiny_model());
    beam_result *result = run(p, &one_thread);
    assert_int_equal(metric(result, "inference_request_batch_size").count, 3);
    beam_result_free(result);
}

static void test_predictions(void **state)
{
    (void)state;
    enum { N = 30 };
    answer expected[N];
    float values[N][3];
    tiny_prediction predictions[N];
    expect(expected, N);
    for (size_t i = 0; i < N; i++) {
        memcpy(values[i], &expected[i].a, sizeof values[i]);
        predictions[i] = (tiny_prediction){
            .example = {(int64_t)i, {"xxxxx", i % 5}},
            .inference = {.dtype = BEAM_F32, .rank = 1, .shape = {3}, .data = values[i]},
            .model_id = beam_str_of("tiny")};
    }
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found = beam_run_inference(beam_reshuffle(probes(p, N)), &predict,
                                          .model = tiny_model(), .max_batch_size = 8);
    beam_assert_that(found, tiny_prediction, predictions, N);
    beam_result_free(run(p, &threads));
}

/* ---- Time ------------------------------------------------------------------------------------ */

static beam_status stamp(beam_ctx *c, const probe *p)
{
    return beam_emit_at(c, 0, p, p->id * 1000);
}
BEAM_DOFN(stamp_fn, probe, stamp, BEAM_TYPES(&probe_type));

static void test_results_keep_their_windows(void **state)
{
    (void)state;
    enum { N = 30 };
    answer expected[N];
    expect(expected, N);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll windowed =
        beam_window_into(beam_pardo(probes(p, N), &stamp_fn), beam_fixed_windows(10000));
    beam_pcoll answers = beam_run_inference(windowed, &tiny, .model = tiny_model());
    for (int64_t w = 0; w < 3; w++) {
        const beam_window window = {w * 10000, w * 10000 + 10000};
        beam_assert_that(answers, answer, expected + w * 10, 10, .window = &window);
    }
    beam_result_free(run(p, &one_thread));
}

/* ---- Failures -------------------------------------------------------------------------------- */

static atomic_int failures_left;

static beam_status stumble(beam_ctx *c, const answer *a)
{
    if (a->id == 20 && atomic_fetch_sub(&failures_left, 1) > 0)
        return beam_fail(c, BEAM_UNAVAILABLE, "stumbled");
    return beam_emit_value(c, answer, a);
}
BEAM_DOFN(stumble_fn, answer, stumble, BEAM_TYPES(&answer_type));

static void test_a_bundle_tried_again_gives_each_result_once(void **state)
{
    (void)state;
    enum { N = 50 };
    answer expected[N];
    expect(expected, N);
    atomic_store(&failures_left, 2);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll answers =
        beam_run_inference(probes(p, N), &tiny, .model = tiny_model(), .max_batch_size = 16);
    beam_assert_that(beam_pardo(answers, &stumble_fn), answer, expected, N);
    beam_result *result = run(p, &one_thread);
    assert_int_equal(metric(result, "num_inferences").sum, N);
    beam_result_free(result);
}

static void fails(beam_pipeline *p, beam_status status, const char *words)
{
    beam_error err = {0};
    assert_fails(beam_pipeline_run(p, &one_thread, NULL, &err), status, err, words);
    beam_pipeline_free(p);
    size_t models, loads;
    beam_model_cache_count(&models, &loads);
    assert_int_equal(models, 0);
}

static void test_failures_are_told(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    const probe bad[] = {{0, {"", 0}}, {666, {"x", 1}}};
    beam_run_inference(beam_create(p, probe, bad, 2), &tiny, .model = tiny_model());
    fails(p, BEAM_INVALID_ARGUMENT, "no number of the beast");

    p = beam_pipeline_new(NULL);
    beam_model_spec spec = tiny_model();
    spec.device = beam_str_of("abacus");
    beam_run_inference(probes(p, 1), &tiny, .model = spec);
    fails(p, BEAM_INVALID_ARGUMENT, "abacus");

    p = beam_pipeline_new(NULL);
    spec = tiny_model();
    spec.weights = beam_str_of("/no/such/weights");
    beam_run_inference(probes(p, 1), &tiny, .model = spec);
    fails(p, BEAM_NOT_FOUND, "/no/such/weights");
}

static void test_mistakes_of_construction(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(probes(p, 1), &mistaken, .model = tiny_model());
    fails(p, BEAM_INVALID_ARGUMENT, "BEAM_PREDICTION");

    p = beam_pipeline_new(NULL);
    beam_run_inference(probes(p, 1), &predict, .model = tiny_model(), .max_batch_weight = 3);
    fails(p, BEAM_INVALID_ARGUMENT, "element_size");

    p = beam_pipeline_new(NULL);
    beam_run_inference(probes(p, 1), &tiny, .model = tiny_model(), .max_batch_size = 4,
                       .min_batch_size = 5);
    fails(p, BEAM_INVALID_ARGUMENT, "min_batch_size");

    p = beam_pipeline_new(NULL);
    const beam_int64 one = 1;
    beam_run_inference(beam_create(p, beam_int64, &one, 1), &tiny, .model = tiny_model());
    fails(p, BEAM_INVALID_ARGUMENT, "tiny");

    p = beam_pipeline_new(NULL);
    beam_read_dataset(p, NULL);
    fails(p, BEAM_INVALID_ARGUMENT, "data set");

    p = beam_pipeline_new(NULL);
    beam_read_dataset(p, "/no/such/folder");
    fails(p, BEAM_NOT_FOUND, "/no/such/folder");
}

/* ---- Devices ------------------------------------------------------------------------------- */

#define FAKE "pjrt:" BEAM_BUILD_DIR "/tests/libpjrt_fake.so"

/* A device with memory for 16 rows: a bundle of 40 is run by batches of as many. */
static void test_batches_that_do_not_fit(void **state)
{
    (void)state;
    beam_model_spec spec = tiny_model();
    spec.device = beam_str_of(FAKE);
    assert_int_equal(setenv("PJRT_FAKE_PLATFORM", "cpu", 1), 0);
    assert_int_equal(setenv("PJRT_FAKE_MEMORY", "400", 1), 0);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(probes(p, 40), &tiny, .model = spec);
    beam_result *result = run(p, &one_thread);
    assert_int_equal(metric(result, "num_inferences").sum, 40);
    assert_int_equal(metric(result, "batches_halved").sum, 1);
    assert_int_equal(metric(result, "inference_request_batch_size").max, 16);
    beam_result_free(result);

    p = beam_pipeline_new(NULL);
    beam_run_inference(probes(p, 40), &tiny, .model = spec, .keep_batch_size = true);
    fails(p, BEAM_RESOURCE_EXHAUSTED, "device memory is exhausted by a batch of 64");

    assert_int_equal(setenv("PJRT_FAKE_MEMORY", "40", 1), 0); /* none for a single row */
    p = beam_pipeline_new(NULL);
    beam_run_inference(probes(p, 40), &tiny, .model = spec);
    fails(p, BEAM_RESOURCE_EXHAUSTED, "Out of memory");
    assert_int_equal(unsetenv("PJRT_FAKE_MEMORY"), 0);
    assert_int_equal(unsetenv("PJRT_FAKE_PLATFORM"), 0);
}

/* "auto" without an accelerator is counted. */
static void test_falling_back_is_counted(void **state)
{
    (void)state;
    static const struct {
        const char *device;
        int64_t times;
    } cases[] = {{"auto", 1}, {"cpu", 0}};
    assert_int_equal(unsetenv("PJRT_DEVICE"), 0);
    assert_int_equal(setenv("BEAM_ACCELERATOR_BACKEND", "", 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_model_spec spec = tiny_model();
        spec.device = beam_str_of(cases[i].device);
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(probes(p, 3), &tiny, .model = spec);
        beam_result *result = run(p, &threads);
        if (access("/dev/nvidia0", F_OK) != 0)
            assert_int_equal(metric(result, "device_fell_back").sum, cases[i].times);
        beam_result_free(result);
    }
}

/* Every allocation in turn fails once: a bundle tried again may get over it, and nothing leaks. */
static void test_failing_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_pipeline *p = beam_pipeline_new(NULL);
        assert_non_null(p);
        beam_run_inference(probes(p, 3), &tiny, .model = tiny_model(), .max_batch_size = 2);
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_pipeline_run(p, &one_thread, NULL, &err);
        uint64_t asked = beam_alloc_count();
        beam_alloc_fail_at(0, 0);
        beam_pipeline_free(p);
        size_t models, loads;
        beam_model_cache_count(&models, &loads);
        assert_int_equal(models, 0);
        if (status != BEAM_OK && status != BEAM_RESOURCE_EXHAUSTED)
            fail_msg("allocation %llu: %s: %s", (unsigned long long)n, beam_status_name(status),
                     err.message);
        if (asked < n)
            break;
    }
}

/* ---- Data sets and accuracy --------------------------------------------------------------------
 */

static beam_status label_of(beam_ctx *c, const beam_labeled_image *image)
{
    if (image->image.dtype != BEAM_U8 || image->image.rank != 3 || image->image.shape[1] != 8)
        return beam_fail(c, BEAM_INTERNAL, "not an image of 8x8");
    return beam_emit(c, beam_classified, image->id, image->label,
                     image->id % 2 ? image->label : -1);
}
BEAM_DOFN(label_of_fn, beam_labeled_image, label_of, BEAM_TYPES(&beam_classified_type));

static void test_every_image_is_read_once(void **state)
{
    (void)state;
    static beam_classified expected[1797];
    beam_error err = {0};
    beam_dataset *digits = NULL;
    const beam_dataset_options all = {.struct_size = sizeof all, .split = "all"};
    assert_ok(beam_dataset_open("digits", &all, &digits, &err), err);
    for (int64_t i = 0; i < 1797; i++) {
        beam_dataset_record record;
        assert_int_equal(beam_dataset_read(digits, (uint64_t)i, &record), BEAM_OK);
        expected[i] = (beam_classified){i, record.label, i % 2 ? (int64_t)record.label : -1};
    }
    beam_dataset_close(digits);
    static const int64_t limits[] = {0, 1, 100, 1796};
    for (size_t i = 0; i < 4; i++) {
        size_t n = limits[i] ? (size_t)limits[i] : 1797;
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll images = beam_read_dataset(p, "digits", .split = "all", .num_images = limits[i]);
        beam_pcoll found = beam_pardo(images, &label_of_fn);
        beam_assert_that(found, beam_classified, expected, n);
        const beam_accuracy_result right = {(int64_t)(n / 2), (int64_t)n,
                                            (double)(n / 2) / (double)n};
        beam_assert_that(beam_combine_globally(found, &beam_accuracy), beam_accuracy_result, &right,
                         1);
        beam_result_free(run(p, i % 2 ? &one_thread : &threads));
    }
}

static beam_status pack_picture(beam_ctx *c, const beam_labeled_image *image,
                                const beam_model *model, float *const *rows)
{
    return beam_pack_image(c, &image->image, model, rows[0]);
}
BEAM_PREDICTION(picture_prediction, beam_labeled_image);
BEAM_PREDICTION_HANDLER(picture, beam_labeled_image, picture_prediction, pack_picture);

/* A scale without deviations makes no number of a pixel. */
static void test_half_a_normalization(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_error err = {0};
    const beam_model_spec model = {.network = beam_str_of("small_cnn"),
                                   .device = beam_str_of("reference"),
                                   .num_classes = 10,
                                   .channels = 1,
                                   .height = 8,
                                   .pixels = {.scale = 1 / 16.0f}};
    beam_run_inference(beam_read_dataset(p, "digits", .num_images = 3), &picture, .model = model);
    assert_fails(beam_pipeline_run(p, &one_thread, NULL, &err), BEAM_INVALID_ARGUMENT, err,
                 "give both, or neither");
    beam_pipeline_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_sizes),
        cmocka_unit_test(test_batch_weight),
        cmocka_unit_test(test_few_bundles_fill_batches),
        cmocka_unit_test(test_predictions),
        cmocka_unit_test(test_results_keep_their_windows),
        cmocka_unit_test(test_a_bundle_tried_again_gives_each_result_once),
        cmocka_unit_test(test_failures_are_told),
        cmocka_unit_test(test_mistakes_of_construction),
        cmocka_unit_test(test_batches_that_do_not_fit),
        cmocka_unit_test(test_falling_back_is_counted),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_every_image_is_read_once),
        cmocka_unit_test(test_half_a_normalization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
