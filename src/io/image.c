/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* image.c - pictures in memory: making, cutting and turning them into numbers. */
#include <beam/image.h>

#include <string.h>

#include "base/alloc.h"
#include "io/image_codec.h"

void beam_image_free(beam_image *image)
{
    beam_free(image->pixels);
    *image = (beam_image){0};
}

beam_status beam_image_new(uint64_t width, uint64_t height, uint32_t channels, uint64_t max_pixels,
                           beam_image *image, beam_error *err)
{
    *image = (beam_image){0};
    if (width == 0 || height == 0 || width > UINT32_MAX || height > UINT32_MAX)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "an image of %llu x %llu pixels",
                              (unsigned long long)width, (unsigned long long)height);
    if (width * height > max_pixels)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the image says it has %llu x %llu pixels, more than the %llu that "
                              "are allowed",
                              (unsigned long long)width, (unsigned long long)height,
                              (unsigned long long)max_pixels);
    size_t size;
    uint8_t *pixels = NULL;
    if (!__builtin_mul_overflow(width * height, channels, &size))
        pixels = beam_malloc(size);
    if (!pixels)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                              "no memory for an image of %llu x %llu pixels",
                              (unsigned long long)width, (unsigned long long)height);
    *image = (beam_image){(uint32_t)width, (uint32_t)height, channels, pixels};
    return BEAM_OK;
}

beam_status beam_image_decode(const void *data, size_t size, const beam_image_options *options,
                              beam_image *image, beam_error *err)
{
    const uint8_t *bytes = data;
    beam_image_options o = {0};
    *image = (beam_image){0};
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    if (!o.max_pixels)
        o.max_pixels = BEAM_IMAGE_MAX_PIXELS;
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        return beam_image_decode_jpeg(bytes, size, &o, image, err);
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return beam_image_decode_png(bytes, size, o.max_pixels, image, err);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "the image is neither JPEG nor PNG");
}

/* Half of the surplus, and half a pixel goes to the even side, as Python's round does. */
static uint32_t margin(uint32_t surplus)
{
    uint32_t half = surplus / 2;
    return surplus % 2 && half % 2 ? half + 1 : half;
}

beam_status beam_image_crop_centre(const beam_image *from, uint32_t width, uint32_t height,
                                   beam_image *to, beam_error *err)
{
    if (width > from->width || height > from->height)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "cannot cut %u x %u pixels out of an image of %u x %u", width, height,
                              from->width, from->height);
    BEAM_TRY(beam_image_new(width, height, from->channels, UINT64_MAX, to, err));
    size_t row = (size_t)width * from->channels, from_row = (size_t)from->width * from->channels;
    const uint8_t *at = from->pixels + margin(from->height - height) * from_row +
                        (size_t)margin(from->width - width) * from->channels;
    for (uint32_t y = 0; y < height; y++)
        memcpy(to->pixels + y * row, at + y * from_row, row);
    return BEAM_OK;
}

beam_status beam_image_cover(const beam_image *from, uint32_t width, uint32_t height,
                             beam_image *to, beam_error *err)
{
    uint64_t by_width = (uint64_t)from->width * height, by_height = (uint64_t)from->height * width;
    uint64_t w = width, h = height;
    if (by_width > by_height && from->height)
        w = by_width / from->height;
    else if (from->width)
        h = by_height / from->width;
    *to = (beam_image){0};
    if (w > UINT32_MAX || h > UINT32_MAX || (w && h > (uint64_t)BEAM_IMAGE_MAX_PIXELS / w))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "an image of %u x %u pixels is too narrow to cover %u x %u",
                              from->width, from->height, width, height);
    beam_image whole = {0};
    BEAM_TRY(beam_image_resize(from, (uint32_t)w, (uint32_t)h, BEAM_IMAGE_BILINEAR, &whole, err));
    beam_status status = BEAM_OK;
    if (w == width && h == height) {
        *to = whole;
        return status;
    }
    status = beam_image_crop_centre(&whole, width, height, to, err);
    beam_image_free(&whole);
    return status;
}

void beam_image_to_f32(const beam_image *image, float scale, const float *mean,
                       const float *deviation, float *to)
{
    size_t count = (size_t)image->width * image->height, channels = image->channels;
    for (size_t c = 0; c < channels; c++) {
        /* A byte has 256 values: dividing once for each is exact and fast. */
        float table[256];
        for (int i = 0; i < 256; i++)
            table[i] = ((float)i * scale - mean[c]) / deviation[c];
        const uint8_t *from = image->pixels + c;
        float *plane = to + c * count;
        for (size_t i = 0; i < count; i++)
            plane[i] = table[from[i * channels]];
    }
}
