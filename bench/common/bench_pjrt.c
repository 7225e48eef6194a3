/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Measures of the PJRT layer. */
#include "common/bench_pjrt.h"

#include <math.h>
#include <stdlib.h>

#include "common/bench_run.h"
#include "device/pjrt.h"

enum { LEAST = 20, MOST_ARGUMENTS = 4096 };

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("%s: %s", beam_status_name(status), err->message);
}

/* One batch there and back. */
static void run_bare(const beam_pjrt_model *state, const beam_tensor *images, float *logits)
{
    beam_error err = {0};
    const PJRT_Api *api = state->client->api;
    const beam_pjrt_replica *replica = &state->replicas[0];
    PJRT_Buffer *buffers[MOST_ARGUMENTS], *result = NULL;
    PJRT_Event *copied, *came;
    size_t bytes;
    beam_hlo_value shape =
        beam_lowering_shape(state->model->network, &state->how, &state->main.arguments[0], &bytes);
    ok(beam_pjrt_upload(state->client, 0, images->data, &shape, &copied, &buffers[0], &err), &err);
    for (size_t i = 1; i < state->main.num_arguments; i++)
        buffers[i] = replica->weights[i - 1];
    PJRT_ExecuteOptions options = {.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE};
    PJRT_Buffer *const *arguments = buffers;
    PJRT_Buffer **results = &result;
    PJRT_LoadedExecutable_Execute_Args *execute = BEAM_PJRT(
        PJRT_LoadedExecutable_Execute, .executable = replica->programs[state->num_buckets - 1],
        .options = &options, .argument_lists = &arguments, .num_devices = 1,
        .num_args = state->main.num_arguments, .output_lists = &results);
    ok(beam_pjrt_status(api, api->PJRT_LoadedExecutable_Execute(execute), "bare", &err), &err);
    beam_tensor out = beam_model_output(state->model, 0, images->shape[0]);
    ok(beam_pjrt_download(api, result, out.rank, logits, beam_tensor_bytes(&out), &came, &err),
       &err);
    ok(beam_pjrt_await(api, came, "bare", &err), &err);
    ok(beam_pjrt_await(api, copied, "bare", &err), &err);
    beam_pjrt_buffer_free(api, buffers[0]);
    beam_pjrt_buffer_free(api, result);
}

void bench_pjrt_overhead(const bench_device_model *started, double seconds, double *layer,
                         double *bare)
{
    beam_error err = {0};
    beam_model_context *context = NULL;
    beam_tensor out = beam_model_output(started->model, 0, started->images.shape[0]);
    float *logits = bench_alloc(beam_tensor_bytes(&out));
    const beam_pjrt_model *state = started->model->state;
    if (state->main.num_arguments > MOST_ARGUMENTS)
        bench_fatal("a network of %zu arguments", state->main.num_arguments);
    ok(beam_model_context_new(started->model, &context, &err), &err);
    double best[2] = {INFINITY, INFINITY}, start = bench_now();
    for (int batch = 0; batch < 2 * LEAST || bench_now() - start < seconds; batch++) {
        int side = batch % 2;
        double began = bench_now();
        if (side)
            run_bare(state, &started->images, logits);
        else
            ok(beam_model_run(context, &started->images, 1, &out, 1, &err), &err);
        best[side] = fmin(best[side], bench_now() - began);
    }
    *layer = best[0];
    *bare = best[1];
    beam_model_context_free(context);
    free(logits);
}

uint32_t bench_pjrt_odd_batches(const bench_device_model *started)
{
    beam_error err = {0};
    beam_model_context *context = NULL;
    beam_model_info info;
    beam_tensor in = started->images, out;
    ok(beam_model_context_new(started->model, &context, &err), &err);
    for (int64_t n = 1; n <= started->images.shape[0]; n++) {
        in.shape[0] = n;
        ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    }
    beam_model_context_free(context);
    beam_model_get_info(started->model, &info);
    return info.num_programs;
}
