/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pack_image.c - pictures to what a model eats: decoded, resized, cut and normalised. */
#include <math.h>

#include <beam/image.h>
#include <beam/ml.h>

/* What is left out where a scale is given is 0, also a deviation: of which pixels would be NaN. */
static beam_status pixels_of(beam_ctx *ctx, int64_t channels, beam_normalization *pixels)
{
    static const beam_normalization plain = {1 / 255.0f, 0, 0, 0, 1, 1, 1};
    const beam_normalization *given = &beam_inference_spec(ctx)->pixels;
    const float deviation[] = {given->deviation_r, given->deviation_g, given->deviation_b};
    *pixels = given->scale != 0 ? *given : plain;
    if (given->scale == 0)
        return BEAM_OK;
    for (int64_t c = 0; c < channels; c++)
        if (!isfinite(given->scale) || !isnormal(deviation[c]))
            return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                             "the model's pixels have a scale of %g and a deviation of %g: give "
                             "both, or neither",
                             (double)given->scale, (double)deviation[c]);
    return BEAM_OK;
}

beam_status beam_pack_image(beam_ctx *ctx, const beam_tensor *image, const beam_model *model,
                            float *row)
{
    beam_tensor input = beam_model_input(model, 0, 1);
    if (image->dtype != BEAM_U8 || image->rank != 3 || input.rank != 4 || image->shape[1] < 1 ||
        image->shape[2] < 1 || image->shape[1] > UINT16_MAX || image->shape[2] > UINT16_MAX)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "an image is no u8 tensor {channels, height, width}");
    int64_t channels = image->shape[0], wanted = input.shape[1];
    if ((channels != 1 && channels != 3) || (channels != wanted && channels != 1) || wanted > 3)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "an image of %lld channels for a model that wants %lld",
                         (long long)channels, (long long)wanted);
    beam_normalization n;
    BEAM_TRY(pixels_of(ctx, wanted, &n));
    beam_dataset_info info = {.name = "an image",
                              .channels = (uint32_t)channels,
                              .height = (uint32_t)image->shape[1],
                              .width = (uint32_t)image->shape[2],
                              .scale = n.scale};
    uint32_t height = (uint32_t)input.shape[2], width = (uint32_t)input.shape[3];
    const float mean[] = {n.mean_r, n.mean_g, n.mean_b};
    const float deviation[] = {n.deviation_r, n.deviation_g, n.deviation_b};
    for (int64_t first = 0; first < wanted; first += channels) {
        for (int64_t c = 0; c < channels; c++) {
            info.mean[c] = mean[first + c];
            info.deviation[c] = deviation[first + c];
        }
        BEAM_TRY(beam_dataset_normalize(&info, image->data, height, width,
                                        row + (size_t)first * height * width, beam_ctx_error(ctx)));
    }
    return BEAM_OK;
}

beam_status beam_pack_image_file(beam_ctx *ctx, beam_bytes file, const beam_model *model,
                                 float *row)
{
    beam_tensor input = beam_model_input(model, 0, 1);
    if (input.rank != 4 || input.shape[1] != 3 || input.shape[2] > UINT16_MAX ||
        input.shape[3] > UINT16_MAX)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT,
                         "the model's input is no batch of pictures {3, height, width}");
    uint32_t height = (uint32_t)input.shape[2], width = (uint32_t)input.shape[3];
    const beam_image_options options = {
        .struct_size = sizeof options, .covers_width = width, .covers_height = height};
    beam_error err = {0};
    beam_normalization n;
    beam_image whole = {0}, fitting = {0};
    BEAM_TRY(pixels_of(ctx, 3, &n));
    beam_status status = beam_image_decode(file.at, file.len, &options, &whole, &err);
    if (status == BEAM_OK)
        status = beam_image_cover(&whole, width, height, &fitting, &err);
    if (status == BEAM_OK) {
        const float mean[] = {n.mean_r, n.mean_g, n.mean_b};
        const float deviation[] = {n.deviation_r, n.deviation_g, n.deviation_b};
        beam_image_to_f32(&fitting, n.scale, mean, deviation, row);
    }
    beam_image_free(&whole);
    beam_image_free(&fitting);
    return status == BEAM_OK ? BEAM_OK : beam_fail(ctx, status, "%s", err.message);
}
