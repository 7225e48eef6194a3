/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "device/remote.h"

#include "device/nets.h"

test_server remote_server;
beam_device *remote_device;

const beam_remote_options remote_quick = {
    .struct_size = sizeof remote_quick, .retry_delay_secs = 0.002, .throttle_delay_secs = 0.05};

beam_status remote_load_at(const char *address, const char *model, int64_t max_batch,
                           const beam_remote_options *remote, beam_model **loaded, beam_error *err)
{
    char url[256];
    beam_load_options options = {
        .struct_size = sizeof options, .max_batch = max_batch, .remote = remote};
    (void)snprintf(url, sizeof url, "%s/v2/models/%s", address, model);
    return beam_device_load(remote_device, url, &options, loaded, err);
}

beam_model *remote_load(const char *model, const beam_remote_options *remote)
{
    beam_error err = {0};
    beam_model *loaded = NULL;
    nets_ok(remote_load_at(remote_server.address, model, 64, remote, &loaded, &err), &err);
    return loaded;
}

beam_model_context *remote_context(beam_model *model)
{
    beam_error err = {0};
    beam_model_context *context = NULL;
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    return context;
}

beam_status remote_run(beam_model_context *context, const beam_model *model, const float *in,
                       int64_t rows, const float **out, beam_error *err)
{
    beam_tensor input = beam_model_input(model, 0, rows), output;
    input.data = in;
    beam_device_acquire(remote_device);
    beam_status status = beam_model_run(context, &input, 1, &output, 1, err);
    beam_device_release(remote_device);
    if (status == BEAM_OK) {
        assert_int_equal(output.shape[0], rows);
        *out = output.data;
    }
    return status;
}

void remote_fill(float *values, size_t n, uint32_t seed)
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

void remote_run_affine(beam_model_context *context, const beam_model *model, int64_t rows)
{
    float x[4 * REMOTE_MOST_ROWS];
    const float *y = NULL;
    beam_error err = {0};
    remote_fill(x, (size_t)rows * 4, (uint32_t)rows);
    nets_ok(remote_run(context, model, x, rows, &y, &err), &err);
    check_affine(x, y, rows);
}

beam_status remote_run_once(beam_model *model, beam_error *err)
{
    static const float x[4] = {1, 2, 3, 4};
    const float *y = NULL;
    beam_model_context *context = remote_context(model);
    *err = (beam_error){0};
    beam_status status = remote_run(context, model, x, 1, &y, err);
    beam_model_context_free(context);
    return status;
}

void remote_says(const beam_error *err, const char *words)
{
    if (!strstr(err->message, words))
        fail_msg("\"%s\" does not say \"%s\"", err->message, words);
}

beam_remote_effort remote_effort(const beam_model_context *context)
{
    beam_remote_effort effort;
    beam_model_context_effort(context, &effort);
    return effort;
}

int remote_start(void **state)
{
    (void)state;
    beam_error err = {0};
    infer_start(&remote_server, 0);
    nets_ok(beam_device_open("remote", NULL, &remote_device, &err), &err);
    return 0;
}

int remote_stop(void **state)
{
    (void)state;
    beam_device_close(remote_device);
    test_server_stop(&remote_server);
    return 0;
}
