/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A program outside the project that uses the installed library: a pipeline that checks itself, and
 * a device whose library is opened when it is first used. */
#include <stdio.h>

#include <beam/beam.h>

static beam_status square(beam_ctx *ctx, const beam_int64 *number)
{
    return beam_emit(ctx, beam_int64, *number * *number);
}
BEAM_DOFN(square_fn, beam_int64, square, BEAM_TYPES(&beam_int64_type));

int main(void)
{
    const beam_int64 numbers[] = {1, 2, 3, 4}, sum[] = {30};
    beam_error err = {0};
    beam_pipeline *pipeline = beam_pipeline_new(NULL);
    beam_pcoll squares = beam_pardo(beam_create(pipeline, beam_int64, numbers, 4), &square_fn);
    beam_assert_that(beam_combine_globally(squares, &beam_sum_int64), beam_int64, sum, 1);
    beam_status status = beam_pipeline_run(pipeline, NULL, NULL, &err);
    beam_pipeline_free(pipeline);
    beam_device *device = NULL;
    if (status == BEAM_OK)
        status = beam_device_open("cpu", NULL, &device, &err);
    beam_device_close(device);
    printf("%s %s\n", beam_status_name(status), err.message);
    return status == BEAM_OK ? 0 : 1;
}
