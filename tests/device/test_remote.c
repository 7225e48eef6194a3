/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_remote.c - models on a server (tests/support/infer_fault.py): results and datatypes, and a
 * server that is down, slow, overloaded, and wrong in every way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "support/files.h"
#include "support/infer_server.h"

static test_server server;
static beam_device *device;

/* ---- Models and runs ---- */

static const beam_remote_options quick = {
    .struct_size = sizeof quick, .retry_delay_secs = 0.002, .throttle_delay_secs = 0.05};

static beam_status load_at(const char *address, const char *model, int64_t max_batch,
                           const beam_remote_options *remote, beam_model **loaded, beam_error *err)
{
    char url[256];
    beam_load_options options = {
        .struct_size = sizeof options, .max_batch = max_batch, .remote = remote};
    (void)snprintf(url, sizeof url, "%s/v2/models/%s", address, model);
    return beam_device_load(device, url, &options, loaded, err);
}

static beam_model *load(const char *model, const beam_remote_options *remote)
{
    beam_error err = {0};
    beam_model *loaded = NULL;
    nets_ok(load_at(server.address, model, 64, remote, &loaded, &err), &err);
    return loaded;
}

static beam_model_context *context_of(beam_model *model)
{
    beam_error err = {0};
    beam_model_context *context = NULL;
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    return context;
}

/* Runs one input; *out points into the context. */
static beam_status run(beam_model_context *context, const beam_model *model, const float *in,
                       int64_t rows, const float **out, beam_error *err)
{
    beam_tensor input = beam_model_input(model, 0, rows), output;
    input.data = in;
    beam_device_acquire(device);
    beam_status status = beam_model_run(context, &input, 1, &output, 1, err);
    beam_device_release(device);
    if (status == BEAM_OK) {
        assert_int_equal(output.shape[0], rows);
        *out = output.data;
    }
    return status;
}

enum { MOST_ROWS = 64 };

static void fill(float *values, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        values[i] = (float)(int32_t)seed / 1e8f;
    }
}

static void check_affine(const float *x, const float *y, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++, x += 4, y += 3) {
        assert_true(y[0] == (float)((double)x[0] + (double)x[1] + (double)x[2] + (double)x[3]));
        assert_true(y[1] == (float)((double)x[0] - (double)x[1]));
        assert_true(y[2] == 2 * x[3]);
    }
}

static void run_affine(beam_model_context *context, const beam_model *model, int64_t rows)
{
    float x[4 * MOST_ROWS];
    const float *y = NULL;
    beam_error err = {0};
    fill(x, (size_t)rows * 4, (uint32_t)rows);
    nets_ok(run(context, model, x, rows, &y, &err), &err);
    check_affine(x, y, rows);
}

/* What a run of one row comes to, and its words. */
static beam_status run_once(beam_model *model, beam_error *err)
{
    static const float x[4] = {1, 2, 3, 4};
    const float *y = NULL;
    beam_model_context *context = context_of(model);
    *err = (beam_error){0};
    beam_status status = run(context, model, x, 1, &y, err);
    beam_model_context_free(context);
    return status;
}

static void says(const beam_error *err, const char *words)
{
    if (!strstr(err->message, words))
        fail_msg("\"%s\" does not say \"%s\"", err->message, words);
}

static beam_remote_effort effort_of(const beam_model_context *context)
{
    beam_remote_effort effort;
    beam_model_context_effort(context, &effort);
    return effort;
}

/* ---- Results ---- */

static void test_results(void **state)
{
    (void)state;
    static const char *const ways[] = {"{\"binary\": true}", "{\"binary\": false}",
                                       "{\"binary\": false, \"nested\": true}"};
    static const int64_t sizes[] = {1, 3, 64, 7};
    for (size_t way = 0; way < 3; way++) {
        infer_reset(&server);
        infer_control(&server, ways[way]);
        beam_model *model = load("affine", &quick);
        beam_model_context *context = context_of(model);
        for (size_t i = 0; i < 4; i++)
            run_affine(context, model, sizes[i]);
        assert_int_equal(infer_count(&server, "binary"), way == 0 ? 4 : 0);
        assert_int_equal(infer_count(&server, "json"), way == 0 ? 0 : 4);
        assert_int_equal(infer_count(&server, "connections"), 1); /* kept from first to last */
        assert_int_equal(effort_of(context).retries, 0);
        beam_model_context_free(context);
        beam_model_free(model);
    }
}

static void test_fixed_batch(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        infer_reset(&server);
        infer_control(&server, binary ? "{\"binary\": true}" : "{\"binary\": false}");
        beam_model *model = load("fixed/versions/1", &quick);
        beam_model_info info;
        beam_model_get_info(model, &info);
        assert_int_equal(info.max_batch, 4);
        beam_model_context *context = context_of(model);
        for (int64_t rows = 1; rows <= 4; rows++)
            run_affine(context, model, rows);
        assert_int_equal(infer_count(&server, "rows"), 16);
        beam_model_context_free(context);
        beam_model_free(model);
    }
}

static void test_several_tensors(void **state)
{
    (void)state;
    float a[6], b[6];
    fill(a, 6, 1);
    fill(b, 6, 2);
    for (int binary = 0; binary < 2; binary++) {
        infer_reset(&server);
        infer_control(&server, binary ? "{\"binary\": true}" : "{\"binary\": false}");
        beam_error err = {0};
        beam_model *model = load("two", &quick);
        beam_model_context *context = context_of(model);
        beam_tensor in[2] = {beam_model_input(model, 0, 3), beam_model_input(model, 1, 3)}, out[2];
        in[0].data = a;
        in[1].data = b;
        nets_ok(beam_model_run(context, in, 2, out, 2, &err), &err);
        for (size_t i = 0; i < 6; i++) {
            assert_true(((const float *)out[0].data)[i] == (float)((double)a[i] + (double)b[i]));
            assert_true(((const float *)out[1].data)[i] == (float)((double)a[i] * (double)b[i]));
        }
        beam_model_context_free(context);
        beam_model_free(model);
    }
}

/* Every f32 that is a number goes out as JSON and comes back as itself. */
static void test_numbers_as_json(void **state)
{
    (void)state;
    static const float special[] = {
        0,     -0.0f,  1e-45f, 1.17549435e-38f, 3.4028235e38f, 0.1f,     1e9f, 999999999.0f,
        1e10f, -1e-7f, 0.001f, 1.0000001f,      9.9999994e-4f, 16777216, 0.3f, 100};
    enum { VALUES = 4 * MOST_ROWS };
    float x[VALUES];
    const float *y = NULL;
    beam_error err = {0};
    infer_reset(&server);
    infer_control(&server, "{\"binary\": false}");
    beam_model *model = load("echo-FP32", &quick);
    beam_model_context *context = context_of(model);
    for (uint32_t round = 0, bits = 1; round < 32; round++) {
        for (size_t i = 0; i < VALUES;) {
            bits = bits * 1664525 + 1013904223;
            memcpy(&x[i], &bits, sizeof bits);
            i += isfinite(x[i]) ? 1 : 0;
        }
        if (round == 0)
            memcpy(x, special, sizeof special);
        nets_ok(run(context, model, x, MOST_ROWS, &y, &err), &err);
        for (size_t i = 0; i < VALUES; i++)
            if (x[i] != y[i])
                fail_msg("%.9g came back as %.9g", (double)x[i], (double)y[i]);
    }
    beam_model_context_free(context);
    beam_model_free(model);
}

static const struct {
    const char *type;
    float good[4], bad;
    const char *words;
} types[] = {
    {"FP32", {1.5f, -2, 0, 1e30f}, 0, NULL},
    {"FP64", {1.5f, -2, 0, 1e30f}, 0, NULL},
    {"FP16", {1.5f, -2, 0, 1024}, 1e6f, "FP16"},
    {"BF16", {1.5f, -2, 0, 1024}, 0, NULL},
    {"BOOL", {1, 0, 0, 1}, 2, "BOOL"},
    {"UINT8", {1, 0, 255, 7}, 256, "UINT8"},
    {"UINT16", {1, 0, 65535, 7}, -1, "UINT16"},
    {"UINT32", {1, 0, 16777216, 7}, 0.5f, "UINT32"},
    {"UINT64", {1, 0, 16777216, 7}, 1e20f, "UINT64"},
    {"INT8", {-128, 0, 127, 7}, 128, "INT8"},
    {"INT16", {-32768, 0, 32767, 7}, -32769, "INT16"},
    {"INT32", {-16777216, 0, 16777216, 7}, 0.25f, "INT32"},
    {"INT64", {-16777216, 0, 16777216, 7}, NAN, "INT64"},
};

static void check_type(size_t t, bool binary)
{
    char name[32];
    const float *y = NULL;
    float x[4];
    beam_error err = {0};
    (void)snprintf(name, sizeof name, "echo-%s", types[t].type);
    beam_model *model = load(name, &quick);
    beam_model_context *context = context_of(model);
    memcpy(x, types[t].good, sizeof x);
    nets_ok(run(context, model, x, 1, &y, &err), &err);
    assert_memory_equal(x, y, sizeof x);
    x[2] = types[t].words ? types[t].bad : NAN;
    if (types[t].words || !binary) { /* a NaN is a number for bytes, and none for JSON */
        assert_int_equal(run(context, model, x, 1, &y, &err), BEAM_INVALID_ARGUMENT);
        says(&err, "value 2 of input x");
    }
    beam_model_context_free(context);
    beam_model_free(model);
}

static void test_types(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        infer_reset(&server);
        infer_control(&server, binary ? "{\"binary\": true}" : "{\"binary\": false}");
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            if (binary || !strstr(types[t].type, "16") || strstr(types[t].type, "INT"))
                check_type(t, binary);
        }
    }
    infer_control(&server, "{\"binary\": false}");
    beam_error err = {0};
    beam_model *model = NULL;
    assert_int_equal(load_at(server.address, "echo-FP16", 1, &quick, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    says(&err, "binary tensor extension");
    assert_null(model);
}

/* ---- Tries ---- */

static void test_retries(void **state)
{
    (void)state;
    beam_error err = {0};
    infer_reset(&server);
    infer_control(&server, "{\"script\": [503, \"ok\", \"half\", \"ok\"]}"); /* while loading */
    beam_model *model = load("affine", &quick);
    beam_model_context *context = context_of(model);
    infer_control(&server, "{\"script\": [503, \"reset\", \"half\", 500, 408]}");
    run_affine(context, model, 5);
    /* libcurl itself asks again where a connection that it kept was dead. */
    assert_in_range(effort_of(context).retries, 4, 5);
    assert_int_equal(infer_count(&server, "faults"), 7);
    infer_control(&server, "{\"script\": [502, 502, 502, 504, 502, 502]}");
    assert_int_equal(run_once(model, &err), BEAM_UNAVAILABLE);
    says(&err, "502: so it goes");
    says(&err, "tried 6 times");
    run_affine(context, model, 5); /* and all is well again */
    infer_control(&server, "{\"script\": [500, 500]}");
    assert_int_equal(run_once(model, &err), BEAM_INTERNAL);
    says(&err, "tried 2 times");
    beam_model_context_free(context);
    beam_model_free(model);

    beam_remote_options none = quick;
    none.num_retries = -1;
    model = load("affine", &none);
    infer_control(&server, "{\"script\": [\"reset\", \"reset\"]}");
    assert_int_equal(run_once(model, &err), BEAM_UNAVAILABLE);
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
    infer_reset(&server);
    beam_model *model = load("affine", &quick);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int before = infer_count(&server, "requests");
        infer_control(&server, all[i].script);
        assert_int_equal(run_once(model, &err), all[i].status);
        says(&err, all[i].words);
        assert_int_equal(infer_count(&server, "requests"), before + 1);
    }
    assert_int_equal(run_once(model, &err), BEAM_OK);
    beam_model_free(model);
}

static void test_throttling(void **state)
{
    (void)state;
    beam_error err = {0};
    infer_reset(&server);
    beam_model *model = load("affine", &quick);
    beam_model_context *context = context_of(model);
    infer_control(&server, "{\"script\": [429]}");
    run_affine(context, model, 2);
    assert_int_equal(effort_of(context).retries, 1);
    int64_t short_wait = effort_of(context).throttled_ms;
    assert_true(short_wait >= 40); /* throttle_delay_secs, but for what passed since the answer */
    infer_control(&server, "{\"script\": [503], \"retry_after\": \"1\"}");
    run_affine(context, model, 2);
    assert_true(effort_of(context).throttled_ms >= short_wait + 900);
    beam_model_context_free(context);
    beam_model_free(model);

    /* One is told to wait, and all do. */
    beam_remote_options none = quick;
    none.num_retries = -1;
    model = load("affine", &none);
    infer_control(&server, "{\"script\": [429], \"retry_after\": \"\"}");
    assert_int_equal(run_once(model, &err), BEAM_UNAVAILABLE);
    context = context_of(model);
    run_affine(context, model, 2);
    assert_true(effort_of(context).throttled_ms > 0);
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
    infer_reset(&server);
    beam_remote_options slow = quick;
    slow.requests_per_second = 100;
    beam_model *model = load("affine", &slow);
    beam_model_context *context = context_of(model);
    int64_t began = now_ms();
    for (int i = 0; i < 11; i++)
        run_affine(context, model, 1);
    assert_true(now_ms() - began >= 99); /* ten intervals, in whole milliseconds */
    beam_model_context_free(context);
    beam_model_free(model);
}

static void test_deadlines(void **state)
{
    (void)state;
    static const char *const slow[] = {"{\"script\": [\"hang\"]}", "{\"script\": [\"slow\"]}"};
    beam_error err = {0};
    infer_reset(&server);
    beam_remote_options hasty = quick;
    hasty.timeout_secs = 0.2;
    hasty.num_retries = -1;
    beam_model *model = load("affine", &hasty);
    for (size_t i = 0; i < 2; i++) {
        infer_control(&server, slow[i]);
        assert_int_equal(run_once(model, &err), BEAM_UNAVAILABLE);
        says(&err, "timed out");
        assert_int_equal(run_once(model, &err), BEAM_OK);
    }
    beam_model_free(model);
}

/* ---- Credentials ---- */

static void test_credentials(void **state)
{
    (void)state;
    char from[1100], *folder = test_folder();
    beam_error err = {0};
    beam_model *model = NULL;
    infer_reset(&server);
    infer_control(&server, "{\"secret\": \"Authorization: Bearer hush-1\"}");
    assert_int_equal(load_at(server.address, "affine", 1, &quick, &model, &err),
                     BEAM_UNAUTHENTICATED);

    beam_remote_options known = quick;
    known.credentials = "env:BEAM_TEST_TOKEN";
    assert_int_equal(load_at(server.address, "affine", 1, &known, &model, &err),
                     BEAM_UNAUTHENTICATED);
    says(&err, "BEAM_TEST_TOKEN");
    assert_int_equal(setenv("BEAM_TEST_TOKEN", "hush-1\n", 1), 0);
    model = load("affine", &known);
    assert_int_equal(run_once(model, &err), BEAM_OK);
    beam_model_free(model);
    assert_int_equal(setenv("BEAM_TEST_TOKEN", "hush-2", 1),
                     0); /* the server repeats a wrong one */
    assert_int_equal(load_at(server.address, "affine", 1, &known, &model, &err),
                     BEAM_UNAUTHENTICATED);
    assert_null(strstr(err.message, "hush"));

    /* A whole header, in a file whose words change. */
    const char *file = test_path(folder, "secret");
    test_write_file(file, "X-Api-Key: one\n", 15);
    (void)snprintf(from, sizeof from, "file:%s", file);
    known.credentials = from;
    infer_control(&server, "{\"secret\": \"X-Api-Key: one\"}");
    model = load("affine", &known);
    infer_control(&server, "{\"secret\": \"X-Api-Key: two\", \"clear\": true}");
    test_write_file(file, "X-Api-Key: two", 14);
    assert_int_equal(run_once(model, &err), BEAM_OK);
    assert_int_equal(infer_count(&server, "refused secrets"), 1);
    test_write_file(file, "X-Api-Key: one", 14);
    assert_int_equal(run_once(model, &err), BEAM_OK); /* not read again while it is good */
    beam_model_free(model);

    static const struct {
        const char *text, *words;
    } bad[] = {{"env:", "is not set"},
               {"hunter2", "not the secret itself"},
               {"file:/nowhere", "/nowhere"}};
    for (size_t i = 0; i < 3; i++) {
        known.credentials = bad[i].text;
        assert_int_not_equal(load_at(server.address, "affine", 1, &known, &model, &err), BEAM_OK);
        says(&err, bad[i].words);
        assert_null(strstr(err.message, "hunter2"));
    }
    known.credentials = "env:BEAM_TEST_TOKEN";
    assert_int_equal(load_at("http://example.invalid", "affine", 1, &known, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    says(&err, "https:// only");
    test_remove_folder(folder);
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
    infer_control(&server, json);
}

static void test_wrong_answers(void **state)
{
    (void)state;
    infer_reset(&server);
    beam_model *model = load("affine", &quick);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        beam_error err = {0};
        give("answer", answers[i].answer, answers[i].tail);
        beam_status status = run_once(model, &err);
        if ((status == BEAM_OK) != !answers[i].words)
            fail_msg("%s: %s", answers[i].answer, err.message);
        if (answers[i].words) {
            assert_int_equal(status, BEAM_DATA_LOSS);
            says(&err, answers[i].words);
            says(&err, "/v2/models/affine/infer");
        }
    }
    assert_int_equal(infer_count(&server, "inferences"), sizeof answers / sizeof *answers);
    beam_model_free(model);

    /* Whole numbers that f32 does not hold are refused, not rounded. */
    infer_reset(&server);
    beam_error err = {0};
    model = load("echo-INT64", &quick);
    give("answer",
         "{\"outputs\": [{\"name\": \"y\", \"datatype\": \"INT64\", \"shape\": [1, 4], "
         "\"data\": [1, 2, 16777217, 4]}]}",
         "");
    assert_int_equal(run_once(model, &err), BEAM_DATA_LOSS);
    says(&err, "2 are right");
    give("answer",
         "{\"outputs\": [{\"name\": \"y\", \"datatype\": \"INT64\", \"shape\": [1, 4], "
         "\"parameters\": {\"binary_data_size\": 32}}]}",
         "0100000000000000"
         "01000001000000000000000000000000"
         "0000000000000000");
    assert_int_equal(run_once(model, &err), BEAM_DATA_LOSS);
    says(&err, "value 1 of output y is no INT64 that f32 can hold");
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
    infer_reset(&server);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        beam_error err = {0};
        beam_model *model = NULL;
        give("metadata", models[i].metadata, "");
        beam_status status = load_at(server.address, "affine", 8, &quick, &model, &err);
        if (status == BEAM_OK)
            fail_msg("%s is taken for a model", models[i].metadata);
        says(&err, models[i].words);
        assert_null(model);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *words;
    } all[] = {
        {"http://", "is not http://HOST"},
        {"http:///v2/models/x", "is not http://HOST"},
        {"http://localhost/v2/models/", "is not http://HOST"},
        {"http://localhost/v2/models//", "is not http://HOST"},
        {"http://localhost/models/x", "is not http://HOST"},
        {"https://me:hunter2@localhost/v2/models/x", "env:NAME"},
        {"https://localhost/v2/models/x?key=hunter2", "env:NAME"},
        {"http://local host/v2/models/x", "blank"},
    };
    infer_reset(&server);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        beam_error err = {0};
        beam_model *model = NULL;
        beam_load_options options = {.struct_size = sizeof options, .remote = &quick};
        assert_int_equal(beam_device_load(device, all[i].address, &options, &model, &err),
                         BEAM_INVALID_ARGUMENT);
        says(&err, all[i].words);
        assert_null(strstr(err.message, "hunter2"));
    }
    /* What users copy along. */
    beam_error err = {0};
    beam_model *model = load("affine/infer", &quick);
    assert_int_equal(run_once(model, &err), BEAM_OK);
    beam_model_free(model);
    model = load("affine/versions/1/", &quick);
    assert_int_equal(run_once(model, &err), BEAM_OK);
    beam_model_free(model);
    assert_int_equal(load_at(server.address, "affine/versions/2", 1, &quick, &model, &err),
                     BEAM_NOT_FOUND);
    says(&err, "unknown model affine");

    /* Addresses and the device belong together. */
    beam_device *cpu = NULL;
    nets_ok(beam_device_open("cpu", NULL, &cpu, &err), &err);
    assert_int_equal(beam_device_load(cpu, "http://localhost/v2/models/x", NULL, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    says(&err, "the device remote");
    beam_device_close(cpu);
    assert_int_equal(beam_device_load(device, "/tmp/model.onnx", NULL, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    assert_true(beam_is_model_address("https://h/v2/models/m.onnx"));
    assert_false(beam_is_model_file("https://h/v2/models/m.onnx"));
}

static void test_options(void **state)
{
    (void)state;
    static const struct {
        beam_remote_options options;
        const char *words;
    } bad[] = {{{.num_retries = -2}, "num_retries"},
               {{.num_retries = 1001}, "num_retries"},
               {{.retry_delay_secs = -1}, "retry_delay_secs"},
               {{.throttle_delay_secs = NAN}, "throttle_delay_secs"},
               {{.timeout_secs = 1e9}, "timeout_secs"},
               {{.requests_per_second = -0.5}, "requests_per_second"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        beam_error err = {0};
        beam_model *model = NULL;
        beam_remote_options options = bad[i].options;
        options.struct_size = sizeof options;
        assert_int_equal(load_at(server.address, "affine", 1, &options, &model, &err),
                         BEAM_INVALID_ARGUMENT);
        says(&err, bad[i].words);
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
    nets_ok(load_at(own.address, "affine", 64, &quick, &model, &err), &err);
    assert_int_equal(run_once(model, &err), BEAM_OK);
    test_server_stop(&own);
    assert_int_equal(run_once(model, &err), BEAM_UNAVAILABLE);
    says(&err, "no answer from http://127.0.0.1");
    says(&err, "tried 6 times");
    beam_model *none = NULL;
    assert_int_equal(load_at(own.address, "affine", 64, &quick, &none, &err), BEAM_UNAVAILABLE);
    infer_start(&own, port_of(&own));
    assert_int_equal(run_once(model, &err), BEAM_OK); /* though its connection is dead */
    beam_model_free(model);
    test_server_stop(&own);
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
    beam_remote_options patient = quick;
    patient.retry_delay_secs = 0.1;
    patient.num_retries = 12;
    infer_start(&own, 0);
    beam_model *model = NULL;
    nets_ok(load_at(own.address, "affine", 64, &patient, &model, &err), &err);
    beam_model_context *context = context_of(model);
    run_affine(context, model, 9);
    assert_int_equal(pthread_create(&thread, NULL, restart, &own), 0);
    while (effort_of(context).retries == 0)
        run_affine(context, model, 9); /* right, whatever became of the server meanwhile */
    assert_int_equal(pthread_join(thread, NULL), 0);
    run_affine(context, model, 9);
    beam_model_context_free(context);
    beam_model_free(model);
    test_server_stop(&own);
}

/* ---- Many at once, and out of memory ---- */

enum { THREADS = 8, RUNS = 25 };

static void *run_many(void *model)
{
    beam_model_context *context = context_of(model);
    for (int i = 0; i < RUNS; i++)
        run_affine(context, model, 1 + i % 16);
    beam_model_context_free(context);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    infer_reset(&server);
    beam_remote_options stubborn = quick;
    stubborn.num_retries = 100;
    stubborn.throttle_delay_secs = 0.005;
    beam_model *model = load("affine", &stubborn);
    infer_control(&server, "{\"rate\": 0.3, "
                           "\"faults\": [\"reset\", \"half\", 408, 429, 502, 503]}");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, model), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(infer_count(&server, "faults") > 20);
    beam_model_free(model);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    infer_reset(&server);
    assert_int_equal(setenv("BEAM_TEST_TOKEN", "hush", 1), 0);
    beam_remote_options known = quick;
    known.credentials = "env:BEAM_TEST_TOKEN";
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        beam_error err = {0};
        beam_model *model = NULL;
        beam_model_context *context = NULL;
        const float *y = NULL;
        beam_alloc_fail_at(n, 0);
        beam_status status = load_at(server.address, "two", 2, &known, &model, &err);
        if (status == BEAM_OK)
            status = beam_model_context_new(model, &context, &err);
        if (status == BEAM_OK) {
            beam_tensor in[2] = {beam_model_input(model, 0, 2), beam_model_input(model, 1, 2)};
            beam_tensor out[2];
            in[0].data = x;
            in[1].data = x + 4;
            status = beam_model_run(context, in, 2, out, 2, &err);
            y = out[0].data;
            if (status == BEAM_OK)
                assert_true(y[0] == 6 && y[3] == 12);
        }
        done = beam_alloc_count() < n;
        beam_alloc_fail_at(0, 0);
        if (status != BEAM_OK) {
            assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
            assert_true(err.message[0] != '\0');
        }
        beam_model_context_free(context);
        beam_model_free(model);
    }
    beam_device_memory memory;
    beam_device_get_memory(device, &memory);
    assert_int_equal(memory.working_bytes, 0);
}

static int start(void **state)
{
    (void)state;
    beam_error err = {0};
    infer_start(&server, 0);
    nets_ok(beam_device_open("remote", NULL, &device, &err), &err);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    beam_device_close(device);
    test_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_fixed_batch),
        cmocka_unit_test(test_several_tensors),
        cmocka_unit_test(test_numbers_as_json),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_throttling),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_wrong_models),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
