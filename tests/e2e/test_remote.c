/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_remote.c - RunInference with a model on a server (tests/support/infer_fault.py), which
 * fails, is overloaded, dies and comes back: as many results and failures as elements, always. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <beam/beam.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "ml/model_cache.h"
#include "support/files.h"
#include "support/infer_server.h"

static test_server server;

/* ---- A handler for the server's model `affine` ---- */

#define FOUND(FIELD, S) FIELD(S, beam_int64, id) FIELD(S, beam_float, sum)
BEAM_STRUCT(found, FOUND);

static beam_status pack(beam_ctx *c, const beam_int64 *id, const beam_model *model,
                        float *const *rows)
{
    (void)model;
    if (*id % 100 == 66)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "no number of the beast");
    for (int i = 0; i < 4; i++)
        rows[0][i] = (float)(*id + i);
    return BEAM_OK;
}

static beam_status unpack(beam_ctx *c, const beam_int64 *id, const beam_tensor *outputs, size_t n,
                          found *out)
{
    (void)c;
    assert_int_equal(n, 1);
    *out = (found){*id, ((const float *)outputs[0].data)[0]};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(ask, beam_int64, found, pack, unpack);
BEAM_PREDICTION(ask_prediction, beam_int64);
BEAM_PREDICTION_HANDLER(predict, beam_int64, ask_prediction, pack);

/* A result to its id, if it is right. */
static beam_status id_of_result(beam_ctx *c, const found *f)
{
    if (f->sum != (float)(4 * f->id + 6))
        return beam_fail(c, BEAM_DATA_LOSS, "%lld came to %g", (long long)f->id, (double)f->sum);
    return beam_emit_value(c, beam_int64, &f->id);
}
BEAM_DOFN(id_of_result_fn, found, id_of_result, BEAM_TYPES(&beam_int64_type));

static beam_status id_of_failure(beam_ctx *c, const ask_failure *f)
{
    if (f->code == BEAM_OK || f->message.len == 0)
        return beam_fail(c, BEAM_DATA_LOSS, "a failure without a reason");
    return beam_emit_value(c, beam_int64, &f->element);
}
BEAM_DOFN(id_of_failure_fn, ask_failure, id_of_failure, BEAM_TYPES(&beam_int64_type));

static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};
static const beam_run_options threads = {
    .struct_size = sizeof(beam_run_options), .direct_num_workers = 4, .logger = &quiet};

enum { MOST_IDS = 2000 };

/* Reshuffled, since what beam_create() makes is one bundle, which one thread runs. */
static beam_pcoll ids(beam_pipeline *p, size_t n)
{
    static beam_int64 all[MOST_IDS];
    for (size_t i = 0; i < n; i++)
        all[i] = (beam_int64)i;
    return beam_reshuffle(beam_create(p, beam_int64, all, n));
}

/* The spec of a model on the server; its address lives until the next call. */
static beam_model_spec affine(const test_server *on)
{
    static char address[128];
    (void)snprintf(address, sizeof address, "%s/v2/models/affine", on->address);
    return (beam_model_spec){
        .network = beam_str_of(address),
        .remote = {.num_retries = 20, .retry_delay_secs = 0.002, .throttle_delay_secs = 0.02}};
}

static int64_t counted(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    if (beam_result_metric(result, NULL, name, &cell) != BEAM_OK)
        fail_msg("no metric %s", name);
    return cell.sum;
}

/* Runs it over n ids; every one comes out once, as a result that is right or as a failure. */
static beam_result *run(size_t n, const beam_model_spec *model, bool handles)
{
    beam_error err = {0};
    beam_result *result = NULL;
    beam_int64 all[MOST_IDS];
    for (size_t i = 0; i < n; i++)
        all[i] = (beam_int64)i;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll asked = beam_run_inference(ids(p, n), &ask, .model = *model, .max_batch_size = 16,
                                          .with_exception_handling = handles);
    beam_pcoll out[4] = {beam_pardo(asked, &id_of_result_fn)};
    size_t n_out = 1;
    for (uint32_t i = 1; handles && i < 4; i++)
        out[n_out++] = beam_pardo(beam_output(asked, i), &id_of_failure_fn);
    beam_pcoll together = beam_flatten(out, n_out);
    beam_assert_that(together, beam_int64, all, n);
    assert_ok(beam_pipeline_run(p, &threads, &result, &err), err);
    beam_pipeline_free(p);
    return result;
}

/* ---- Tests ---- */

static void test_predictions(void **state)
{
    (void)state;
    beam_error err = {0};
    beam_result *result = NULL;
    infer_reset(&server);
    const beam_model_spec model = affine(&server);
    const float y[2][3] = {{6, -1, 6}, {10, -1, 8}};
    ask_prediction expected[2];
    for (int i = 0; i < 2; i++)
        expected[i] = (ask_prediction){
            i, {.dtype = BEAM_F32, .rank = 1, .shape = {3}, .data = y[i]}, model.network};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll got = beam_run_inference(ids(p, 2), &predict, .model = model);
    beam_assert_that(got, ask_prediction, expected, 2);
    assert_ok(beam_pipeline_run(p, &threads, &result, &err), err);
    beam_pipeline_free(p);
    assert_int_equal(counted(result, "num_inferences"), 2);
    assert_int_equal(counted(result, "remote_retries"), 0);
    beam_result_free(result);
}

/* The server has the rows that there are, not padding, and no more requests than batches. */
static void test_batches(void **state)
{
    (void)state;
    infer_reset(&server);
    const beam_model_spec model = affine(&server);
    beam_result *result = run(66, &model, false);
    beam_metric_cell sizes = {0};
    assert_int_equal(beam_result_metric(result, NULL, "inference_request_batch_size", &sizes),
                     BEAM_OK);
    assert_int_equal(infer_count(&server, "rows"), 66);
    assert_int_equal(infer_count(&server, "inferences"), sizes.count);
    beam_result_free(result);
}

static void test_one_in_three_fails(void **state)
{
    (void)state;
    infer_reset(&server);
    infer_control(&server,
                  "{\"rate\": 0.33, \"faults\": [\"reset\", \"half\", 408, 502, 503, 429]}");
    const beam_model_spec model = affine(&server);
    beam_result *result = run(66, &model, false);
    beam_result_free(result);
    result = run(MOST_IDS, &model, true);
    assert_int_equal(counted(result, "failed_preprocessing"), MOST_IDS / 100);
    assert_int_equal(counted(result, "failed_inferences"), 0); /* each got its answer in the end */
    assert_int_equal(counted(result, "num_inferences"), MOST_IDS - MOST_IDS / 100);
    assert_true(counted(result, "remote_retries") > 10);
    beam_result_free(result);
}

/* What is not tried again fails, alone where the server takes a part of the batch. */
static void test_refusals(void **state)
{
    (void)state;
    infer_reset(&server);
    beam_model_spec model = affine(&server);
    for (int round = 0; round < 5; round++) {
        model.remote.num_retries = round % 2 ? -1 : 1;
        infer_control(&server, "{\"rate\": 0, \"clear\": true}");
        /* The model's two requests come first, without a fault. */
        infer_control(&server, "{\"script\": [\"ok\", \"ok\"], \"rate\": 0.3, \"faults\": "
                               "[400, 500, \"nonsense\", \"endless\", \"reset\", 503, 413]}");
        beam_result *result = run(500, &model, true);
        assert_int_equal(counted(result, "num_inferences") +
                             counted(result, "failed_preprocessing") +
                             counted(result, "failed_inferences"),
                         500);
        assert_true(counted(result, "failed_batches_counter") > 0);
        beam_result_free(result);
    }
}

static void test_too_large(void **state)
{
    (void)state;
    infer_reset(&server);
    infer_control(&server, "{\"largest\": 300}"); /* some JSON, and four rows of 16 bytes */
    const beam_model_spec model = affine(&server);
    beam_result *result = run(66, &model, false);
    assert_true(counted(result, "batches_halved") > 0);
    beam_result_free(result);
}

static void test_throttled(void **state)
{
    (void)state;
    infer_reset(&server);
    infer_control(&server, "{\"script\": [\"ok\", \"ok\", 429], \"retry_after\": \"1\"}");
    const beam_model_spec model = affine(&server);
    beam_result *result = run(10, &model, false);
    assert_true(counted(result, "cumulativeThrottlingSeconds") >= 1);
    assert_int_equal(counted(result, "remote_retries"), 1);
    beam_result_free(result);
}

static void *kill_and_restart(void *user)
{
    test_server *own = user;
    const int port = atoi(strrchr(own->address, ':') + 1);
    while (infer_count(own, "inferences") < 10)
        (void)usleep(5000);
    test_server_stop(own);
    (void)usleep(200000);
    infer_start(own, port);
    infer_control(own, "{\"delay\": 0.04}");
    return NULL;
}

static void test_server_dies_and_comes_back(void **state)
{
    (void)state;
    test_server own;
    pthread_t thread;
    infer_start(&own, 0);
    infer_control(&own, "{\"delay\": 0.04}");
    beam_model_spec model = affine(&own);
    model.remote.retry_delay_secs = 0.02;
    assert_int_equal(pthread_create(&thread, NULL, kill_and_restart, &own), 0);
    beam_result *result = run(MOST_IDS, &model, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(counted(result, "failed_inferences"), 0);
    assert_int_equal(counted(result, "num_inferences"), MOST_IDS - MOST_IDS / 100);
    assert_true(counted(result, "remote_retries") > 0);
    assert_true(infer_count(&own, "inferences") > 0); /* the second one was asked, too */
    beam_result_free(result);
    test_server_stop(&own);
}

static void *kill_it(void *user)
{
    while (infer_count(user, "inferences") < 10)
        (void)usleep(5000);
    test_server_stop(user);
    return NULL;
}

static void test_server_dies_for_good(void **state)
{
    (void)state;
    test_server own;
    pthread_t thread;
    infer_start(&own, 0);
    infer_control(&own, "{\"delay\": 0.04}");
    beam_model_spec model = affine(&own);
    model.remote.num_retries = 2;
    assert_int_equal(pthread_create(&thread, NULL, kill_it, &own), 0);
    beam_result *result = run(MOST_IDS, &model, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    int64_t failed = counted(result, "failed_inferences"), done = counted(result, "num_inferences");
    assert_true(failed > 0 && done > 0);
    assert_int_equal(failed + done, MOST_IDS - MOST_IDS / 100);
    beam_result_free(result);

    /* Without handling it, the pipeline fails and says what of. */
    beam_error err = {0};
    result = NULL;
    beam_pipeline *p = beam_pipeline_new(NULL);
    (void)beam_run_inference(ids(p, 10), &ask, .model = model);
    assert_int_equal(beam_pipeline_run(p, &threads, &result, &err), BEAM_UNAVAILABLE);
    assert_non_null(strstr(err.message, "tried 3 times"));
    beam_pipeline_free(p);
    beam_result_free(result);
}

static int cancel;

static void *cancel_after_a_fault(void *user)
{
    while (infer_count(user, "faults") == 0)
        (void)usleep(5000);
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* The server would answer the second time, 20 s later at the soonest: what the model is, and what
 * it makes of a batch. */
static void test_cancelled_between_tries(void **state)
{
    (void)state;
    static const char *const scripts[] = {"{\"script\": [503]}",
                                          "{\"script\": [\"ok\", \"ok\", 503]}"};
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        beam_error err = {0};
        beam_run_options options = threads;
        options.cancel = &cancel;
        cancel = 0;
        infer_reset(&server);
        infer_control(&server, scripts[i]);
        beam_model_spec model = affine(&server);
        model.remote.retry_delay_secs = 40;
        int64_t began = beam_clock_ms();
        assert_int_equal(pthread_create(&thread, NULL, cancel_after_a_fault, &server), 0);
        beam_pipeline *p = beam_pipeline_new(NULL);
        /* What beam_create() makes is one bundle: one thread asks. */
        (void)beam_run_inference(beam_create(p, beam_int64, ((beam_int64[]){1, 2}), 2), &ask,
                                 .model = model);
        assert_fails(beam_pipeline_run(p, &options, NULL, &err), BEAM_CANCELLED, err, "cancelled");
        assert_true(beam_clock_ms() - began < 15000);
        beam_pipeline_free(p);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(infer_count(&server, "inferences"), 0);
    }
}

typedef struct wish {
    beam_model_request request;
    pthread_t thread;
    beam_status status;
} wish;

static void *ask_for_model(void *user)
{
    wish *w = user;
    beam_model_entry *entry = NULL;
    beam_model_lease lease = {0};
    w->status = beam_model_cache_join(&w->request, &entry, NULL);
    if (w->status == BEAM_OK)
        w->status = beam_model_cache_lease(entry, &w->request, &lease, NULL);
    beam_model_cache_return(&lease);
    beam_model_cache_leave(entry);
    return NULL;
}

/* Two want one model: that one of them is told to stop is nothing to the other. */
static void test_only_who_is_stopped_stops(void **state)
{
    (void)state;
    cancel = 0;
    infer_reset(&server);
    infer_control(&server, "{\"script\": [503]}");
    beam_model_spec model = affine(&server);
    model.remote.retry_delay_secs = 40;
    wish wishes[2] = {{.request = {.spec = &model, .max_batch = 4, .stop = &cancel}},
                      {.request = {.spec = &model, .max_batch = 4}}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&wishes[i].thread, NULL, ask_for_model, &wishes[i]), 0);
        while (infer_count(&server, "faults") == 0)
            (void)usleep(5000);
    }
    (void)usleep(50000); /* the second waits by now, or will ask itself: both are well */
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(wishes[i].thread, NULL), 0);
    assert_int_equal(wishes[0].status, BEAM_CANCELLED);
    assert_int_equal(wishes[1].status, BEAM_OK);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *network, *weights, *device, *words;
    } all[] = {
        {"http://localhost/models/x", "", "", "is not http://HOST:PORT/v2/models/NAME"},
        {"https://me:hunter2@localhost/v2/models/x", "", "", "env:NAME"},
        {"http://localhost/v2/models/x", "resnet18-cifar10", "", "weights on the server"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        beam_error err = {0};
        beam_result *result = NULL;
        beam_pipeline *p = beam_pipeline_new(NULL);
        (void)beam_run_inference(ids(p, 1), &ask,
                                 .model = {.network = beam_str_of(all[i].network),
                                           .weights = beam_str_of(all[i].weights)});
        assert_int_equal(beam_pipeline_run(p, &threads, &result, &err), BEAM_INVALID_ARGUMENT);
        if (!strstr(err.message, all[i].words) || strstr(err.message, "hunter2"))
            fail_msg("%s", err.message);
        beam_pipeline_free(p);
        beam_result_free(result);
    }
}

static int start(void **state)
{
    (void)state;
    infer_start(&server, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predictions),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_one_in_three_fails),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_throttled),
        cmocka_unit_test(test_server_dies_and_comes_back),
        cmocka_unit_test(test_server_dies_for_good),
        cmocka_unit_test(test_cancelled_between_tries),
        cmocka_unit_test(test_only_who_is_stopped_stops),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
