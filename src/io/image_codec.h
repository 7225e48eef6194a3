/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* image_codec.h - the decoders behind beam_image_decode. */
#ifndef IO_IMAGE_CODEC_H
#define IO_IMAGE_CODEC_H

#include <beam/image.h>

/* An image of this size, its pixels not yet set; refuses none or more than max_pixels. */
beam_status beam_image_new(uint64_t width, uint64_t height, uint32_t channels, uint64_t max_pixels,
                           beam_image *image, beam_error *err);

/* `options` is not NULL, and its max_pixels not 0. */
beam_status beam_image_decode_jpeg(const uint8_t *data, size_t size,
                                   const beam_image_options *options, beam_image *image,
                                   beam_error *err);
beam_status beam_image_decode_png(const uint8_t *data, size_t size, uint64_t max_pixels,
                                  beam_image *image, beam_error *err);

#endif
