/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* image.h - pictures: decoding JPEG and PNG, and making them what a network eats.
 *
 *     beam_image picture = {0}, small = {0};
 *     BEAM_TRY(beam_image_decode(bytes, size, NULL, &picture, err));
 *     status = beam_image_cover(&picture, 224, 224, &small, err);
 *     ... beam_image_to_f32(&small, 1 / 255.0f, mean, deviation, tensor);
 *     beam_image_free(&small);
 *     beam_image_free(&picture);
 *
 * Nothing here keeps state; any number of threads may call it.
 */
#ifndef BEAM_IMAGE_H
#define BEAM_IMAGE_H

#include <beam/status.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rows from the top, in a row pixels from the left, of a pixel its channels: red, green, blue,
 * or one grey.  A zeroed one is empty. */
typedef struct beam_image {
    uint32_t width, height, channels; /* channels: 1 or 3 */
    uint8_t *pixels;                  /* owned; release with beam_image_free */
} beam_image;

/* Frees the pixels; an image that is all zero, or freed before, is fine. */
BEAM_API void beam_image_free(beam_image *image);

enum { BEAM_IMAGE_MAX_PIXELS = 64 << 20 };

typedef struct beam_image_options {
    size_t struct_size;
    uint64_t max_pixels; /* more (width x height) is refused before it is decoded; 0 means
                            BEAM_IMAGE_MAX_PIXELS */
    /* What the picture will be made to cover (beam_image_cover); 0: unknown.  A JPEG of at least
     * four times that is decoded at a half, a quarter or an eighth of its size, while at least
     * twice of it are left: several times faster, and hardly another picture. */
    uint32_t covers_width, covers_height;
} beam_image_options;

/* Decodes a JPEG or PNG, told apart by content, to three channels.  Grey becomes three equal
 * channels, palettes and CMYK become RGB, 16 bits are scaled to 8, transparency is dropped.
 * Pixels come as they are stored: like Pillow's open and torchvision's decode_image, an EXIF
 * orientation turns nothing.
 * *image must be empty or zeroed.  BEAM_INVALID_ARGUMENT: neither format, or too large;
 * BEAM_DATA_LOSS: damaged or truncated.  `options` may be NULL. */
BEAM_API beam_status beam_image_decode(const void *data, size_t size,
                                       const beam_image_options *options, beam_image *image,
                                       beam_error *err);

typedef enum beam_image_filter {
    BEAM_IMAGE_BILINEAR = 0, /* antialiased: when shrinking, every pixel counts; as Pillow does */
    BEAM_IMAGE_NEAREST = 1
} beam_image_filter;

/* To exactly width x height. `to` must be zeroed, and not `from`. */
BEAM_API beam_status beam_image_resize(const beam_image *from, uint32_t width, uint32_t height,
                                       beam_image_filter filter, beam_image *to, beam_error *err);

/* The middle of it; BEAM_INVALID_ARGUMENT when it is smaller than that. */
BEAM_API beam_status beam_image_crop_centre(const beam_image *from, uint32_t width, uint32_t height,
                                            beam_image *to, beam_error *err);

/* Resized (bilinear) with its proportions kept to the smallest size that covers width x height,
 * then cut to that in the middle: torchvision's Resize and CenterCrop. */
BEAM_API beam_status beam_image_cover(const beam_image *from, uint32_t width, uint32_t height,
                                      beam_image *to, beam_error *err);

/* Writes (pixel * scale - mean[c]) / deviation[c] to f32 {channels, height, width}. */
BEAM_API void beam_image_to_f32(const beam_image *image, float scale, const float *mean,
                                const float *deviation, float *to);

#ifdef __cplusplus
}
#endif
#endif
