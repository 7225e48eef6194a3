/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* RunInference with_exception_handling: whatever goes wrong with an example, it comes out once, as
 * a result or as a failure with the reason.  The device is the plugin that does as it is told: what
 * it computes of a row is that row, so that no result can be another example's unseen. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <beam/beam.h>

#include "base/alloc.h"
#include "inference_run.h"
#include "ml/model_cache.h"
#include "support/files.h"
#include "support/pjrt_fake/pjrt_fake.h"

#define FAKE BEAM_BUILD_DIR "/tests/libpjrt_fake.so"
static pjrt_fake_control *fake;

enum { GOOD, BAD_FOR_PACK, BAD_FOR_MODEL, BAD_FOR_UNPACK, KINDS };
static const float POISON = 666;
#define POISONED "network square, batches of 4: running: a number is poison"

#define SAMPLE(FIELD, S) FIELD(S, beam_int64, id) FIELD(S, beam_int64, kind)
BEAM_STRUCT(sample, SAMPLE);

static beam_status square_network(const beam_model_spec *spec, beam_network **network,
                                  beam_error *err)
{
    (void)spec;
    beam_network *net = beam_network_new("square");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){2});
    x = beam_nn_linear(net, x, "fc", .out_features = 2);
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

static beam_status pack(beam_ctx *c, const sample *s, const beam_model *model, float *const *rows)
{
    (void)model;
    if (s->kind == BAD_FOR_PACK)
        return beam_fail(c, BEAM_DATA_LOSS, "sample %lld is torn", (long long)s->id);
    rows[0][0] = (float)s->id;
    rows[0][1] = s->kind == BAD_FOR_MODEL ? POISON : 1;
    return BEAM_OK;
}

static beam_status unpack(beam_ctx *c, const sample *s, const beam_tensor *outputs, size_t n,
                          beam_int64 *id)
{
    (void)n;
    const float *y = outputs[0].data;
    if (s->kind == BAD_FOR_UNPACK)
        return BEAM_OUT_OF_RANGE; /* without words */
    if (y[0] != (float)s->id)
        return beam_fail(c, BEAM_INTERNAL, "the result of another sample");
    *id = s->id;
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(square, sample, beam_int64, pack, unpack, .make_network = square_network);

static beam_status tell(beam_ctx *c, const square_failure *f)
{
    beam_str line =
        beam_format(c, "%lld %s %.*s", (long long)f->element.id,
                    beam_status_name((beam_status)f->code), (int)f->message.len, f->message.at);
    return beam_emit_value(c, beam_str, &line);
}
BEAM_DOFN(tell_fn, square_failure, tell, BEAM_TYPES(&beam_str_type));

static beam_status id_of(beam_ctx *c, const square_failure *f)
{
    return beam_emit(c, beam_int64, f->element.id);
}
BEAM_DOFN(id_of_fn, square_failure, id_of, BEAM_TYPES(&beam_int64_type));

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};

static beam_model_spec on_fake(void)
{
    return (beam_model_spec){.network = beam_str_of("square"), .device = beam_str_of("pjrt:" FAKE)};
}

static beam_status run(beam_pipeline *p, uint32_t threads, beam_result **result, beam_error *err)
{
    beam_status status = inference_try_run(p, threads, result, err);
    assert_int_equal(fake->live, 0);
    return status;
}

static int64_t count_of(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    (void)beam_result_metric(result, NULL, name, &cell); /* of what never was: 0 */
    return cell.sum;
}

/* ---- Each way to fail ------------------------------------------------------------------------ */

static void test_failures_come_with_their_reasons(void **state)
{
    (void)state;
    const sample samples[] = {{0, GOOD},          {1, BAD_FOR_PACK},   {2, GOOD},
                              {3, BAD_FOR_MODEL}, {4, BAD_FOR_UNPACK}, {5, BAD_FOR_MODEL},
                              {6, GOOD}};
    const beam_int64 good[] = {0, 2, 6};
    const beam_str torn[] = {beam_str_of("1 DATA_LOSS sample 1 is torn")};
    const beam_str poison[] = {beam_str_of("3 INVALID_ARGUMENT " POISONED),
                               beam_str_of("5 INVALID_ARGUMENT " POISONED)};
    const beam_str range[] = {beam_str_of("4 OUT_OF_RANGE OUT_OF_RANGE")};
    fake->poison = POISON;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found = beam_run_inference(beam_create(p, sample, samples, 7), &square,
                                          .model = on_fake(), .with_exception_handling = true);
    beam_assert_that(found, beam_int64, good, 3);
    beam_pcoll failed[4];
    for (uint32_t i = 1; i < 4; i++)
        failed[i] = beam_pardo(beam_output(found, i), &tell_fn);
    beam_assert_that(failed[BEAM_FAILED_PREPROCESSING], beam_str, torn, 1);
    beam_assert_that(failed[BEAM_FAILED_INFERENCES], beam_str, poison, 2);
    beam_assert_that(failed[BEAM_FAILED_POSTPROCESSING], beam_str, range, 1);
    beam_result *result = NULL;
    beam_error err = {0};
    assert_ok(run(p, 1, &result, &err), err);
    assert_int_equal(count_of(result, "failed_preprocessing"), 1);
    assert_int_equal(count_of(result, "failed_inferences"), 2);
    assert_int_equal(count_of(result, "failed_postprocessing"), 1);
    assert_int_equal(count_of(result, "num_inferences"), 4);
    beam_result_free(result);
    fake->poison = 0;
}

static void test_without_handling_they_fail_the_run(void **state)
{
    (void)state;
    static const char *const words[] = {"", "sample 7 is torn", "poison", "OUT_OF_RANGE"};
    fake->poison = POISON;
    for (int64_t kind = 1; kind < KINDS; kind++) {
        const sample one = {7, kind};
        beam_error err = {0};
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_run_inference(beam_create(p, sample, &one, 1), &square, .model = on_fake());
        beam_status status = run(p, 1, NULL, &err);
        assert_true(status != BEAM_OK);
        if (!strstr(err.message, words[kind]))
            fail_msg("%s", err.message);
    }
    fake->poison = 0;
}

/* ---- Nothing is lost ------------------------------------------------------------------------- */

enum { MOST = 300 };

typedef struct plan {
    size_t n;
    int64_t batch;
    uint32_t threads;
    bool one_bundle;
    sample samples[MOST];
    int64_t few[KINDS];
} plan;

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*state >> 33);
}

static plan make_plan(uint64_t *random)
{
    plan made = {.n = 1 + next_random(random) % MOST,
                 .batch = 1 + next_random(random) % 70,
                 .threads = 1 + next_random(random) % 3};
    uint32_t share = next_random(random) % 4; /* of eighths that are bad */
    for (size_t i = 0; i < made.n; i++) {
        int64_t kind = next_random(random) % 8 < share ? 1 + next_random(random) % 3 : GOOD;
        made.samples[i] = (sample){(int64_t)i, kind};
        made.few[kind]++;
    }
    return made;
}

static beam_result *run_plan(const plan *how)
{
    beam_int64 ids[MOST];
    for (size_t i = 0; i < how->n; i++)
        ids[i] = (int64_t)i;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll samples = beam_create(p, sample, how->samples, how->n);
    beam_pcoll found = beam_run_inference(how->one_bundle ? samples : beam_reshuffle(samples),
                                          &square, .model = on_fake(), .max_batch_size = how->batch,
                                          .with_exception_handling = true);
    beam_pcoll all[4] = {found};
    for (uint32_t i = 1; i < 4; i++)
        all[i] = beam_pardo(beam_output(found, i), &id_of_fn);
    beam_assert_that(beam_flatten(all, 4), beam_int64, ids, how->n);
    beam_error err = {0};
    beam_result *result = NULL;
    assert_ok(run(p, how->threads, &result, &err), err);
    return result;
}

/* Elements that are bad in every way, and nothing else wrong: each goes where it must. */
static void test_poison_hurts_nobody_else(void **state)
{
    (void)state;
    uint64_t random = 1;
    fake->poison = POISON;
    for (int round = 0; round < 40; round++) {
        const plan how = make_plan(&random);
        beam_result *result = run_plan(&how);
        assert_int_equal(count_of(result, "failed_preprocessing"), how.few[BAD_FOR_PACK]);
        assert_int_equal(count_of(result, "failed_inferences"), how.few[BAD_FOR_MODEL]);
        assert_int_equal(count_of(result, "failed_postprocessing"), how.few[BAD_FOR_UNPACK]);
        beam_result_free(result);
    }
    fake->poison = 0;
}

enum { BATCHES_DONE, BATCHES_FAILED };

static void count_both(beam_ctx *c, const beam_inference_batch *batch)
{
    beam_count(c, batch->status == BEAM_OK ? BATCHES_DONE : BATCHES_FAILED, 1);
}
BEAM_MODEL_HANDLER(counted, sample, beam_int64, pack, unpack, .make_network = square_network,
                   BEAM_METRICS({"batches_done", BEAM_COUNTER}, {"batches_failed", BEAM_COUNTER}),
                   .override_metrics = count_both);

/* Of four, the second is poison: all fail, then the first half, then it alone. */
static void test_who_overrides_metrics_hears_of_failed_batches(void **state)
{
    (void)state;
    const sample samples[] = {{0, GOOD}, {1, BAD_FOR_MODEL}, {2, GOOD}, {3, GOOD}};
    beam_error err = {0};
    beam_result *result = NULL;
    fake->poison = POISON;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(beam_create(p, sample, samples, 4), &counted, .model = on_fake(),
                       .with_exception_handling = true);
    assert_ok(run(p, 1, &result, &err), err);
    assert_int_equal(count_of(result, "batches_failed"), 3);
    assert_int_equal(count_of(result, "batches_done"), 2);
    beam_metric_cell none;
    assert_int_equal(beam_result_metric(result, NULL, "failed_inferences", &none), BEAM_NOT_FOUND);
    beam_result_free(result);
    fake->poison = 0;
}

/* A call of the device fails besides, now and then or from some time on: no rule says which samples
 * suffer, but all of them come out.  A model that cannot be loaded is another matter: the run
 * fails, so loading is left alone. */
static void test_a_failing_device_loses_nothing(void **state)
{
    (void)state;
    static const int codes[] = {13, 8, 14, 2};
    uint64_t random = 2;
    int64_t suffered = 0;
    const plan least = {.n = 1, .batch = 1, .threads = 1};
    fake->calls = 0;
    beam_result_free(run_plan(&least));
    uint64_t loading = fake->calls; /* and one run */
    for (int round = 0; round < 60; round++) {
        const plan how = make_plan(&random);
        fake->poison = round % 2 ? POISON : 0;
        fake->calls = 0;
        fake->code = codes[next_random(&random) % 4];
        fake->sticky = next_random(&random) % 4 == 0;
        fake->fail_at = loading * 3 + next_random(&random) % 40;
        beam_result *result = run_plan(&how);
        suffered += count_of(result, "failed_inferences") + count_of(result, "batches_halved");
        beam_result_free(result);
        fake->fail_at = 0;
        fake->sticky = false;
    }
    fake->poison = 0;
    assert_true(suffered > 0);
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* What was left behind frees what it holds when it ends. */
static void wait_for_all_freed(void)
{
    for (int i = 0; i < 1000 && __atomic_load_n(&fake->live, __ATOMIC_RELAXED) > 0; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(__atomic_load_n(&fake->live, __ATOMIC_RELAXED), 0);
}

/* A device that takes too long: its batches fail and are left to end by themselves.  What comes
 * when it is well again does not suffer. */
static void test_a_device_that_does_not_answer(void **state)
{
    (void)state;
    const beam_int64 ids[] = {0, 1, 2, 3};
    const sample samples[] = {{0, GOOD}, {1, GOOD}, {2, GOOD}, {3, GOOD}};
    for (int slow = 1; slow >= 0; slow--) {
        fake->delay_ms = slow ? 150 : 0;
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll found = beam_run_inference(
            beam_create(p, sample, samples, 4), &square, .model = on_fake(), .max_batch_size = 2,
            .with_exception_handling = true, .inference_timeout_ms = slow ? 20 : 60000);
        if (slow)
            found = beam_pardo(beam_output(found, BEAM_FAILED_INFERENCES), &id_of_fn);
        beam_assert_that(found, beam_int64, ids, 4);
        const beam_run_options options = {
            .struct_size = sizeof options, .direct_num_workers = 1, .logger = &quiet};
        beam_result *result = NULL;
        beam_error err = {0};
        assert_ok(beam_pipeline_run(p, &options, &result, &err), err);
        beam_pipeline_free(p);
        assert_int_equal(count_of(result, "failed_inferences"), slow ? 4 : 0);
        beam_result_free(result);
        wait_for_all_freed();
    }
    fake->delay_ms = 150;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_run_inference(beam_create(p, sample, samples, 1), &square, .model = on_fake(),
                       .inference_timeout_ms = 20);
    const beam_run_options options = {.struct_size = sizeof options, .logger = &quiet};
    beam_error err = {0};
    assert_fails(beam_pipeline_run(p, &options, NULL, &err), BEAM_DEADLINE_EXCEEDED, err,
                 "did not answer within 20 ms");
    beam_pipeline_free(p);
    wait_for_all_freed();
    fake->delay_ms = 0;
}

/* Planes whose mean is taken: rows of so many bytes that what a late run frees is soon another's.
 */
enum { PLANES = 2, EDGE = 2048 };

static beam_status mean_network(const beam_model_spec *spec, beam_network **network,
                                beam_error *err)
{
    (void)spec;
    beam_network *net = beam_network_new("mean");
    beam_value x = beam_nn_input(net, "x", 3, (const int64_t[]){PLANES, EDGE, EDGE});
    x = beam_nn_flatten(net, beam_nn_global_avg_pool(net, x));
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

BEAM_MODEL_HANDLER(mean, sample, beam_int64, pack, unpack, .make_network = mean_network);

static beam_status id_of_mean(beam_ctx *c, const mean_failure *f)
{
    return beam_emit(c, beam_int64, f->element.id);
}
BEAM_DOFN(id_of_mean_fn, mean_failure, id_of_mean, BEAM_TYPES(&beam_int64_type));

/* It answers when it has just been given up: its inputs are not freed before they are copied. */
static void test_a_device_that_answers_late(void **state)
{
    (void)state;
    const beam_int64 ids[] = {0, 1};
    const sample samples[] = {{0, GOOD}, {1, GOOD}};
    for (int late = 0; late < 60; late += 5) {
        fake->delay_ms = 20 + late;
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll found = beam_run_inference(
            beam_create(p, sample, samples, 2), &mean, .model = on_fake(), .max_batch_size = 1,
            .with_exception_handling = true, .inference_timeout_ms = 40);
        const beam_pcoll all[] = {
            found, beam_pardo(beam_output(found, BEAM_FAILED_INFERENCES), &id_of_mean_fn)};
        beam_assert_that(beam_flatten(all, 2), beam_int64, ids, 2);
        const beam_run_options options = {
            .struct_size = sizeof options, .direct_num_workers = 1, .logger = &quiet};
        beam_error err = {0};
        assert_ok(beam_pipeline_run(p, &options, NULL, &err), err);
        beam_pipeline_free(p);
        wait_for_all_freed();
    }
    fake->delay_ms = 0;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Memory for 16 rows: handled or not, the batch is halved, and no sample fails for that.  None for
 * a single row: all fail, and say so. */
static void test_a_full_device(void **state)
{
    (void)state;
    plan how = {.n = 40, .batch = 64, .threads = 1, .one_bundle = true};
    for (size_t i = 0; i < how.n; i++)
        how.samples[i].id = (int64_t)i;
    assert_int_equal(setenv("PJRT_FAKE_MEMORY", "280", 1), 0);
    beam_result *result = run_plan(&how);
    assert_int_equal(count_of(result, "failed_inferences"), 0);
    assert_true(count_of(result, "batches_halved") > 0);
    beam_result_free(result);
    assert_int_equal(setenv("PJRT_FAKE_MEMORY", "30", 1), 0);
    result = run_plan(&how);
    assert_int_equal(count_of(result, "failed_inferences"), 40);
    beam_result_free(result);
    assert_int_equal(unsetenv("PJRT_FAKE_MEMORY"), 0);
}

static int start(void **state)
{
    (void)state;
    void *library = dlopen(FAKE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    fake = dlsym(library, PJRT_FAKE_SYMBOL);
    assert_non_null(fake);
    *fake = (pjrt_fake_control){.code = 13};
    return setenv("PJRT_FAKE_PLATFORM", "cpu", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_come_with_their_reasons),
        cmocka_unit_test(test_without_handling_they_fail_the_run),
        cmocka_unit_test(test_poison_hurts_nobody_else),
        cmocka_unit_test(test_who_overrides_metrics_hears_of_failed_batches),
        cmocka_unit_test(test_a_failing_device_loses_nothing),
        cmocka_unit_test(test_a_device_that_does_not_answer),
        cmocka_unit_test(test_a_device_that_answers_late),
        cmocka_unit_test(test_a_full_device),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
