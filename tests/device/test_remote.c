/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_remote.c - models on a server: results and datatypes, credentials, addresses, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/remote.h"
#include "support/files.h"

/* ---- Results ---- */

static void test_results(void **state)
{
    (void)state;
    static const char *const ways[] = {"{\"binary\": true}", "{\"binary\": false}",
                                       "{\"binary\": false, \"nested\": true}"};
    static const int64_t sizes[] = {1, 3, 64, 7};
    for (size_t way = 0; way < 3; way++) {
        infer_reset(&remote_server);
        infer_control(&remote_server, ways[way]);
        beam_model *model = remote_load("affine", &remote_quick);
        beam_model_context *context = remote_context(model);
        for (size_t i = 0; i < 4; i++)
            remote_run_affine(context, model, sizes[i]);
        assert_int_equal(infer_count(&remote_server, "binary"), way == 0 ? 4 : 0);
        assert_int_equal(infer_count(&remote_server, "json"), way == 0 ? 0 : 4);
        assert_int_equal(infer_count(&remote_server, "connections"),
                         1); /* kept from first to last */
        assert_int_equal(remote_effort(context).retries, 0);
        beam_model_context_free(context);
        beam_model_free(model);
    }
}

static void test_fixed_batch(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        infer_reset(&remote_server);
        infer_control(&remote_server, binary ? "{\"binary\": true}" : "{\"binary\": false}");
        beam_model *model = remote_load("fixed/versions/1", &remote_quick);
        beam_model_info info;
        beam_model_get_info(model, &info);
        assert_int_equal(info.max_batch, 4);
        beam_model_context *context = remote_context(model);
        for (int64_t rows = 1; rows <= 4; rows++)
            remote_run_affine(context, model, rows);
        assert_int_equal(infer_count(&remote_server, "rows"), 16);
        beam_model_context_free(context);
        beam_model_free(model);
    }
}

static void test_several_tensors(void **state)
{
    (void)state;
    float a[6], b[6];
    remote_fill(a, 6, 1);
    remote_fill(b, 6, 2);
    for (int binary = 0; binary < 2; binary++) {
        infer_reset(&remote_server);
        infer_control(&remote_server, binary ? "{\"binary\": true}" : "{\"binary\": false}");
        beam_error err = {0};
        beam_model *model = remote_load("two", &remote_quick);
        beam_model_context *context = remote_context(model);
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
    enum { VALUES = 4 * REMOTE_MOST_ROWS };
    float x[VALUES];
    const float *y = NULL;
    beam_error err = {0};
    infer_reset(&remote_server);
    infer_control(&remote_server, "{\"binary\": false}");
    beam_model *model = remote_load("echo-FP32", &remote_quick);
    beam_model_context *context = remote_context(model);
    for (uint32_t round = 0, bits = 1; round < 32; round++) {
        for (size_t i = 0; i < VALUES;) {
            bits = bits * 1664525 + 1013904223;
            memcpy(&x[i], &bits, sizeof bits);
            i += isfinite(x[i]) ? 1 : 0;
        }
        if (round == 0)
            memcpy(x, special, sizeof special);
        nets_ok(remote_run(context, model, x, REMOTE_MOST_ROWS, &y, &err), &err);
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
    beam_model *model = remote_load(name, &remote_quick);
    beam_model_context *context = remote_context(model);
    memcpy(x, types[t].good, sizeof x);
    nets_ok(remote_run(context, model, x, 1, &y, &err), &err);
    assert_memory_equal(x, y, sizeof x);
    x[2] = types[t].words ? types[t].bad : NAN;
    if (types[t].words || !binary) { /* a NaN is a number for bytes, and none for JSON */
        assert_int_equal(remote_run(context, model, x, 1, &y, &err), BEAM_INVALID_ARGUMENT);
        remote_says(&err, "value 2 of input x");
    }
    beam_model_context_free(context);
    beam_model_free(model);
}

static void test_types(void **state)
{
    (void)state;
    for (int binary = 0; binary < 2; binary++) {
        infer_reset(&remote_server);
        infer_control(&remote_server, binary ? "{\"binary\": true}" : "{\"binary\": false}");
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            if (binary || !strstr(types[t].type, "16") || strstr(types[t].type, "INT"))
                check_type(t, binary);
        }
    }
    infer_control(&remote_server, "{\"binary\": false}");
    beam_error err = {0};
    beam_model *model = NULL;
    assert_int_equal(
        remote_load_at(remote_server.address, "echo-FP16", 1, &remote_quick, &model, &err),
        BEAM_INVALID_ARGUMENT);
    remote_says(&err, "binary tensor extension");
    assert_null(model);
}

/* ---- Credentials ---- */

static void test_credentials(void **state)
{
    (void)state;
    char from[1100], *folder = test_folder();
    beam_error err = {0};
    beam_model *model = NULL;
    infer_reset(&remote_server);
    infer_control(&remote_server, "{\"secret\": \"Authorization: Bearer hush-1\"}");
    assert_int_equal(
        remote_load_at(remote_server.address, "affine", 1, &remote_quick, &model, &err),
        BEAM_UNAUTHENTICATED);

    beam_remote_options known = remote_quick;
    known.credentials = "env:BEAM_TEST_TOKEN";
    assert_int_equal(remote_load_at(remote_server.address, "affine", 1, &known, &model, &err),
                     BEAM_UNAUTHENTICATED);
    remote_says(&err, "BEAM_TEST_TOKEN");
    assert_int_equal(setenv("BEAM_TEST_TOKEN", "hush-1\n", 1), 0);
    model = remote_load("affine", &known);
    assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    beam_model_free(model);
    assert_int_equal(setenv("BEAM_TEST_TOKEN", "hush-2", 1),
                     0); /* the server repeats a wrong one */
    assert_int_equal(remote_load_at(remote_server.address, "affine", 1, &known, &model, &err),
                     BEAM_UNAUTHENTICATED);
    assert_null(strstr(err.message, "hush"));

    /* A whole header, in a file whose words change. */
    const char *file = test_path(folder, "secret");
    test_write_file(file, "X-Api-Key: one\n", 15);
    (void)snprintf(from, sizeof from, "file:%s", file);
    known.credentials = from;
    infer_control(&remote_server, "{\"secret\": \"X-Api-Key: one\"}");
    model = remote_load("affine", &known);
    infer_control(&remote_server, "{\"secret\": \"X-Api-Key: two\", \"clear\": true}");
    test_write_file(file, "X-Api-Key: two", 14);
    assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    assert_int_equal(infer_count(&remote_server, "refused secrets"), 1);
    test_write_file(file, "X-Api-Key: one", 14);
    assert_int_equal(remote_run_once(model, &err), BEAM_OK); /* not read again while it is good */
    beam_model_free(model);

    static const struct {
        const char *text, *words;
    } bad[] = {{"env:", "is not set"},
               {"hunter2", "not the secret itself"},
               {"file:/nowhere", "/nowhere"}};
    for (size_t i = 0; i < 3; i++) {
        known.credentials = bad[i].text;
        assert_int_not_equal(
            remote_load_at(remote_server.address, "affine", 1, &known, &model, &err), BEAM_OK);
        remote_says(&err, bad[i].words);
        assert_null(strstr(err.message, "hunter2"));
    }
    known.credentials = "env:BEAM_TEST_TOKEN";
    assert_int_equal(remote_load_at("http://example.invalid", "affine", 1, &known, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    remote_says(&err, "https:// only");
    test_remove_folder(folder);
}

/* ---- Addresses and options ---- */

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
    infer_reset(&remote_server);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        beam_error err = {0};
        beam_model *model = NULL;
        beam_load_options options = {.struct_size = sizeof options, .remote = &remote_quick};
        assert_int_equal(beam_device_load(remote_device, all[i].address, &options, &model, &err),
                         BEAM_INVALID_ARGUMENT);
        remote_says(&err, all[i].words);
        assert_null(strstr(err.message, "hunter2"));
    }
    /* What users copy along. */
    beam_error err = {0};
    beam_model *model = remote_load("affine/infer", &remote_quick);
    assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    beam_model_free(model);
    model = remote_load("affine/versions/1/", &remote_quick);
    assert_int_equal(remote_run_once(model, &err), BEAM_OK);
    beam_model_free(model);
    assert_int_equal(
        remote_load_at(remote_server.address, "affine/versions/2", 1, &remote_quick, &model, &err),
        BEAM_NOT_FOUND);
    remote_says(&err, "unknown model affine");

    /* Addresses and the device belong together. */
    beam_device *cpu = NULL;
    nets_ok(beam_device_open("cpu", NULL, &cpu, &err), &err);
    assert_int_equal(beam_device_load(cpu, "http://localhost/v2/models/x", NULL, &model, &err),
                     BEAM_INVALID_ARGUMENT);
    remote_says(&err, "the device remote");
    beam_device_close(cpu);
    assert_int_equal(beam_device_load(remote_device, "/tmp/model.onnx", NULL, &model, &err),
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
        assert_int_equal(remote_load_at(remote_server.address, "affine", 1, &options, &model, &err),
                         BEAM_INVALID_ARGUMENT);
        remote_says(&err, bad[i].words);
    }
}

/* ---- Out of memory ---- */

static void test_out_of_memory(void **state)
{
    (void)state;
    static const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    infer_reset(&remote_server);
    assert_int_equal(setenv("BEAM_TEST_TOKEN", "hush", 1), 0);
    beam_remote_options known = remote_quick;
    known.credentials = "env:BEAM_TEST_TOKEN";
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        beam_error err = {0};
        beam_model *model = NULL;
        beam_model_context *context = NULL;
        const float *y = NULL;
        beam_alloc_fail_at(n, 0);
        beam_status status = remote_load_at(remote_server.address, "two", 2, &known, &model, &err);
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
    beam_device_get_memory(remote_device, &memory);
    assert_int_equal(memory.working_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),         cmocka_unit_test(test_fixed_batch),
        cmocka_unit_test(test_several_tensors), cmocka_unit_test(test_numbers_as_json),
        cmocka_unit_test(test_types),           cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_addresses),       cmocka_unit_test(test_options),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, remote_start, remote_stop);
}
