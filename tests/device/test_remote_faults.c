/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_remote_faults.c - models on a server that is down, slow, overloaded, and wrong in every
 * way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "device/foreign.h"
#include "device/nets.h"
#include "device/remote.h"

/* ---- Tries ---- */

static void test_retries(void **state)
{
    (void)state;
    beam_error err = {0};
    infer_reset(&remote_server);
    infer_control(&remote_server,
                  "{\"script\": [503, \"ok\", \"half\", \"ok\"]}"); /* while loading */
    beam_model *model = remote_load("affine", &remote_quick);
    beam_model_context *context = remote_context(model);
    infer_control(&remote_server, "{\"script\": [503, \"reset\", \"half\", 500, 408]}");
    remote_run_affine(context, model, 5);
    /* libcurl itself asks again where a connection that it kept was dead. */
    assert_in_range(remote_effort(context).retries, 4, 5);
    assert_int_equal(infer_count(&remote_server, "faults"), 7);
    infer_control(&remote_server, "{\"script\": [502, 502, 502, 504, 502, 502]}");
    assert_int_equal(remote_run_once(model, &err), BEAM_UNAVAILABLE);
    remote_says(&err, "502: so it goes");
    remote_says(&err, "tried 6 times");
    remote_run_affine(context, model, 5); /* and all is well again */
    infer_control(&remote_server, "{\"script\": [500, 500]}");
    assert_int_equal(remote_run_once(model, &err), BEAM_INTERNAL);
    remote_says(&err, "tried 2 times");
    beam_model_context_free(context);
    beam_model_free(model);

    beam_remote_options none = remote_quick;
    none.num_retries = -1;
    model = remote_load("affine", &none);
    infer_control(&remote_server, "{\"script\": [\"reset\", \"reset\"]}");
    assert_int_equal(remote_run_once(model, &err), BEAM_UNAVAILABLE);
    beam_model_free(model);
}

/* What is not worth another try gets none. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        beam_status status;
        const char *words;
    } all[] = {
        {"{\"script\": [400]}", BEAM_INVALID_ARGUMENT, "answers 400: so it goes"},
        {"{\"script\": [401]}", BEAM_UNAUTHENTICATED, "credentials"},
        {"{\"script\": [403]}", BEAM_PERMISSION_DENIED, "credentials"},
        {"{\"script\": [404]}", BEAM_NOT_FOUND, "is it loaded"},
        {"{\"script\": [413]}", BEAM_RESOURCE_EXHAUSTED, "413"},
        {"{\"script\": [302]}", BEAM_INVALID_ARGUMENT, "redirects are not followed"},
        {"{\"script\": [501]}", BEAM_UNIMPLEMENTED, "501"},
        {"{\"script\": [\"nonsense\"]}", BEAM_DATA_LOSS, "no JSON object"},
        {"{\"script\": [\"endless\"]}", BEAM_DATA_LOSS, "more than was asked for"},
    };
    beam_error err = {0};
    infer_reset(&remote_server);
    beam_model *model = remote_load("affine", &remote_quick);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int before = infer_count(&remote_server, "requests");
        infer_control(&remote_server, all[i].script);
        assert_int_equal(remote_run_once(model, &err), all[i].status);
        remote_says(&err, all[i].words);
        assert_int_equal(infer_count(&remote_server, "requests"), before + 1);
    }
    assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    beam_model_free(model);
}

static void test_throttling(void **state)
{
    (void)state;
    beam_error err = {0};
    infer_reset(&remote_server);
    beam_model *model = remote_load("affine", &remote_quick);
    beam_model_context *context = remote_context(model);
    infer_control(&remote_server, "{\"script\": [429]}");
    remote_run_affine(context, model, 2);
    assert_int_equal(remote_effort(context).retries, 1);
    int64_t short_wait = remote_effort(context).throttled_ms;
    assert_true(short_wait >= 40); /* throttle_delay_secs, but for what passed since the answer */
    infer_control(&remote_server, "{\"script\": [503], \"retry_after\": \"1\"}");
    remote_run_affine(context, model, 2);
    assert_true(remote_effort(context).throttled_ms >= short_wait + 900);
    beam_model_context_free(context);
    beam_model_free(model);

    /* One is told to wait, and all do. */
    beam_remote_options none = remote_quick;
    none.num_retries = -1;
    model = remote_load("affine", &none);
    infer_control(&remote_server, "{\"script\": [429], \"retry_after\": \"\"}");
    assert_int_equal(remote_run_once(model, &err), BEAM_UNAVAILABLE);
    context = remote_context(model);
    remote_run_affine(context, model, 2);
    assert_true(remote_effort(context).throttled_ms > 0);
    beam_model_context_free(context);
    beam_model_free(model);
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_rate(void **state)
{
    (void)state;
    infer_reset(&remote_server);
    beam_remote_options slow = remote_quick;
    slow.requests_per_second = 100;
    beam_model *model = remote_load("affine", &slow);
    beam_model_context *context = remote_context(model);
    int64_t began = now_ms();
    for (int i = 0; i < 11; i++)
        remote_run_affine(context, model, 1);
    assert_true(now_ms() - began >= 99); /* ten intervals, in whole milliseconds */
    beam_model_context_free(context);
    beam_model_free(model);
}

static void test_deadlines(void **state)
{
    (void)state;
    static const char *const slow[] = {"{\"script\": [\"hang\"]}", "{\"script\": [\"slow\"]}"};
    beam_error err = {0};
    infer_reset(&remote_server);
    beam_remote_options hasty = remote_quick;
    hasty.timeout_secs = 1;
    hasty.num_retries = -1;
    beam_model *model = remote_load("affine", &hasty);
    for (size_t i = 0; i < 2; i++) {
        infer_control(&remote_server, slow[i]);
        assert_int_equal(remote_run_once(model, &err), BEAM_UNAVAILABLE);
        remote_says(&err, "timed out");
        assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    }
    beam_model_free(model);
}

/* ---- What servers may say ---- */

#define Y(rest) "{\"outputs\": [{\"name\": \"y\", " rest "}]}"
#define GOOD "\"datatype\": \"FP32\", \"shape\": [1, 3], "

static const struct {
    const char *answer, *tail, *words; /* words NULL: it is good */
} answers[] = {
    {Y(GOOD "\"data\": [1, 2.5, -3e2]"), "", NULL},
    {Y(GOOD "\"data\": [[1, 2, 3]]"), "", NULL},
    {Y(GOOD "\"data\": [1, true, 3]"), "", NULL},
    {Y(GOOD "\"parameters\": {\"binary_data_size\": 12}"), "0000803f0000004000004040", NULL},
    {"", "", "no JSON object"},
    {"null", "", "no JSON object"},
    {"[]", "", "no JSON object"},
    {"{\"outputs\": [", "", "no JSON object"},
    {"{}", "", "output y is missing"},
    {"{\"outputs\": {\"y\": 1}}", "", "output y is missing"},
    {"{\"outputs\": [7, null, [], {\"name\": 3}]}", "", "output y is missing"},
    {Y(GOOD "\"data\": [1, 2]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [1, 2, 3, 4]"), "", "no 3 values"},
    {Y(GOOD "\"data\": []"), "", "no 3 values"},
    {Y(GOOD "\"data\": [1, 2, \"3\"]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [1, 2, null]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [1, 2, 1e39]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [1, 2, 1e999]"), "", "no JSON object"},
    {Y(GOOD "\"data\": [1, 2, NaN]"), "", "no JSON object"},
    {Y(GOOD "\"data\": [[1, 2], [3]]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [[[1, 2, 3]]]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [[1, 2, 3], [1, 2, 3]]"), "", "no 3 values"},
    {Y(GOOD "\"data\": [[], 1, 2]"), "", "no 3 values"},
    {Y(GOOD "\"data\": {\"0\": 1}"), "", "no data"},
    {Y(GOOD "\"x\": 1"), "", "no data"},
    {Y("\"datatype\": \"FP64\", \"shape\": [1, 3], \"data\": [1, 2, 3]"), "", "datatype FP64"},
    {Y("\"shape\": [1, 3], \"data\": [1, 2, 3]"), "", "datatype (none)"},
    {Y("\"datatype\": \"FP32\", \"shape\": [3, 1], \"data\": [1, 2, 3]"), "", "another shape"},
    {Y("\"datatype\": \"FP32\", \"shape\": [3], \"data\": [1, 2, 3]"), "", "another shape"},
    {Y("\"datatype\": \"FP32\", \"shape\": [1, 3.0], \"data\": [1, 2, 3]"), "", "another shape"},
    {Y("\"datatype\": \"FP32\", \"data\": [1, 2, 3]"), "", "another shape"},
    {Y(GOOD "\"parameters\": {\"binary_data_size\": 12}"), "0000803f", "binary_data_size"},
    {Y(GOOD "\"parameters\": {\"binary_data_size\": 4}"), "0000803f", "4 bytes instead of 12"},
    {Y(GOOD "\"parameters\": {\"binary_data_size\": -12}"), "0000803f", "binary_data_size"},
    {Y(GOOD "\"parameters\": {\"binary_data_size\": \"12\"}"), "0000803f", "binary_data_size"},
    {Y(GOOD "\"parameters\": {\"binary_data_size\": 9223372036854775807}"), "00",
     "binary_data_size"},
};

/* Sets one of the texts of the server's `control`. */
static void give(const char *what, const char *text, const char *tail)
{
    char json[2048], *at = json + snprintf(json, sizeof json, "{\"%s\": \"", what);
    for (; *text; text++) {
        if (*text == '"')
            *at++ = '\\';
        *at++ = *text;
    }
    (void)snprintf(at, sizeof json - (size_t)(at - json), "\", \"answer_tail\": \"%s\"}", tail);
    infer_control(&remote_server, json);
}

static void test_wrong_answers(void **state)
{
    (void)state;
    infer_reset(&remote_server);
    beam_model *model = remote_load("affine", &remote_quick);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        beam_error err = {0};
        give("answer", answers[i].answer, answers[i].tail);
        beam_status status = remote_run_once(model, &err);
        if ((status == BEAM_OK) != !answers[i].words)
            fail_msg("%s: %s", answers[i].answer, err.message);
        if (answers[i].words) {
            assert_int_equal(status, BEAM_DATA_LOSS);
            remote_says(&err, answers[i].words);
            remote_says(&err, "/v2/models/affine/infer");
        }
    }
    assert_int_equal(infer_count(&remote_server, "inferences"), sizeof answers / sizeof *answers);
    beam_model_free(model);

    /* Whole numbers that f32 does not hold are refused, not rounded. */
    infer_reset(&remote_server);
    beam_error err = {0};
    model = remote_load("echo-INT64", &remote_quick);
    give("answer",
         "{\"outputs\": [{\"name\": \"y\", \"datatype\": \"INT64\", \"shape\": [1, 4], "
         "\"data\": [1, 2, 16777217, 4]}]}",
         "");
    assert_int_equal(remote_run_once(model, &err), BEAM_DATA_LOSS);
    remote_says(&err, "2 are right");
    give("answer",
         "{\"outputs\": [{\"name\": \"y\", \"datatype\": \"INT64\", \"shape\": [1, 4], "
         "\"parameters\": {\"binary_data_size\": 32}}]}",
         "0100000000000000"
         "01000001000000000000000000000000"
         "0000000000000000");
    assert_int_equal(remote_run_once(model, &err), BEAM_DATA_LOSS);
    remote_says(&err, "value 1 of output y is no INT64 that f32 can hold");
    beam_model_free(model);
}

#define PORTS(in, out) "{\"name\": \"m\", \"inputs\": [" in "], \"outputs\": [" out "]}"
#define PORT(name, type, shape) \
    "{\"name\": \"" name "\", \"datatype\": \"" type "\", \"shape\": " shape "}"
#define X PORT("x", "FP32", "[-1, 4]")

static const struct {
    const char *metadata, *words;
} models[] = {
    {"", "no JSON object"},
    {"7", "no JSON object"},
    {"{}", "tells of 0 inputs"},
    {"{\"inputs\": null, \"outputs\": null}", "tells of 0 inputs"},
    {PORTS(X, ""), "tells of 0 outputs"},
    {PORTS("7", X), "an input has no name"},
    {PORTS(X "," X, X), "two inputs are called x"},
    {PORTS(PORT("", "FP32", "[-1, 4]"), X), "has no name"},
    {PORTS(PORT("x", "BYTES", "[-1, 4]"), X), "datatype BYTES"},
    {PORTS(PORT("x", "FP32", "[]"), X), "has no shape"},
    {PORTS(PORT("x", "FP32", "7"), X), "has no shape"},
    {PORTS(PORT("x", "FP32", "[-1, 1, 1, 1, 1, 1, 1, 1, 1]"), X), "has no shape"},
    {PORTS(PORT("x", "FP32", "[-1, -1]"), X), "dimension 1 of x has no fixed size"},
    {PORTS(PORT("x", "FP32", "[-1, 0]"), X), "dimension 1 of x has no fixed size"},
    {PORTS(PORT("x", "FP32", "[-1, 2.5]"), X), "dimension 1 of x has no fixed size"},
    {PORTS(PORT("x", "FP32", "[-1, 9223372036854775807]"), X), "more than"},
    {PORTS(PORT("x", "FP32", "[-1, 65536, 65536]"), X), "more than"},
    {PORTS(PORT("x", "FP32", "[4, 4]"), PORT("y", "FP32", "[5, 4]")), "another's 4"},
    {PORTS(PORT("x", "FP32", "[1048577, 4]"), X), "its batch is"},
};

static void test_wrong_models(void **state)
{
    (void)state;
    infer_reset(&remote_server);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        beam_error err = {0};
        beam_model *model = NULL;
        give("metadata", models[i].metadata, "");
        beam_status status =
            remote_load_at(remote_server.address, "affine", 8, &remote_quick, &model, &err);
        if (status == BEAM_OK)
            fail_msg("%s is taken for a model", models[i].metadata);
        remote_says(&err, models[i].words);
        assert_null(model);
    }
}

/* ---- Servers that go and come ---- */

static int port_of(const test_server *s)
{
    return atoi(strrchr(s->address, ':') + 1);
}

static void test_down(void **state)
{
    (void)state;
    beam_error err = {0};
    test_server own;
    infer_start(&own, 0);
    beam_model *model = NULL;
    nets_ok(remote_load_at(own.address, "affine", 64, &remote_quick, &model, &err), &err);
    assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    test_server_stop(&own);
    assert_int_equal(remote_run_once(model, &err), BEAM_UNAVAILABLE);
    remote_says(&err, "no answer from http://127.0.0.1");
    remote_says(&err, "tried 6 times");
    beam_model *none = NULL;
    assert_int_equal(remote_load_at(own.address, "affine", 64, &remote_quick, &none, &err),
                     BEAM_UNAVAILABLE);
    infer_start(&own, port_of(&own));
    assert_int_equal(remote_run_once(model, &err), BEAM_OK); /* though its connection is dead */
    beam_model_free(model);
    test_server_stop(&own);
}

/* Who is not to ask any more does not begin to. */
static void test_stopped(void **state)
{
    (void)state;
    static int stop = 1;
    const float in[4] = {0}, *out;
    beam_error err = {0};
    infer_reset(&remote_server);
    beam_model *model = remote_load("affine", &remote_quick);
    beam_model_context *context = remote_context(model);
    beam_model_context_stop(context, &stop);
    assert_int_equal(remote_run(context, model, in, 1, &out, &err), BEAM_CANCELLED);
    remote_says(&err, "cancelled before http://127.0.0.1");
    assert_int_equal(infer_count(&remote_server, "inferences"), 0);
    beam_model *never;
    char address[128];
    (void)snprintf(address, sizeof address, "%s/v2/models/affine", remote_server.address);
    const beam_load_options load = {
        .struct_size = sizeof load, .remote = &remote_quick, .stop = &stop};
    assert_int_equal(beam_device_load(remote_device, address, &load, &never, &err), BEAM_CANCELLED);
    remote_says(&err, "cancelled before http://127.0.0.1");
    beam_model_context_stop(context, NULL);
    remote_run_affine(context, model, 5);
    beam_model_context_free(context);
    beam_model_free(model);
}

static void *restart(void *user)
{
    test_server *own = user;
    const int port = port_of(own);
    test_server_stop(own);
    (void)usleep(100000);
    infer_start(own, port);
    return NULL;
}

static void test_comes_back(void **state)
{
    (void)state;
    beam_error err = {0};
    test_server own;
    pthread_t thread;
    beam_remote_options patient = remote_quick;
    patient.retry_delay_secs = 0.1;
    patient.num_retries = 12;
    infer_start(&own, 0);
    beam_model *model = NULL;
    nets_ok(remote_load_at(own.address, "affine", 64, &patient, &model, &err), &err);
    beam_model_context *context = remote_context(model);
    remote_run_affine(context, model, 9);
    assert_int_equal(pthread_create(&thread, NULL, restart, &own), 0);
    while (remote_effort(context).retries == 0)
        remote_run_affine(context, model, 9); /* right, whatever became of the server meanwhile */
    assert_int_equal(pthread_join(thread, NULL), 0);
    remote_run_affine(context, model, 9);
    beam_model_context_free(context);
    beam_model_free(model);
    test_server_stop(&own);
}

/* ---- Many at once ---- */

enum { THREADS = 8, RUNS = 25 };

static void *run_many(void *model)
{
    beam_model_context *context = remote_context(model);
    for (int i = 0; i < RUNS; i++)
        remote_run_affine(context, model, 1 + i % 16);
    beam_model_context_free(context);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    infer_reset(&remote_server);
    beam_remote_options stubborn = remote_quick;
    stubborn.num_retries = 100;
    stubborn.throttle_delay_secs = 0.005;
    beam_model *model = remote_load("affine", &stubborn);
    infer_control(&remote_server, "{\"rate\": 0.3, "
                                  "\"faults\": [\"reset\", \"half\", 408, 429, 502, 503]}");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, model), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(infer_count(&remote_server, "faults") > 20);
    beam_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retries),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_throttling),   cmocka_unit_test(test_rate),
        cmocka_unit_test(test_deadlines),    cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_wrong_models), cmocka_unit_test(test_down),
        cmocka_unit_test(test_stopped),      cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, remote_start, remote_stop);
}
