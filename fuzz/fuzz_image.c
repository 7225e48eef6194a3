/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_image.c - the PNG and JPEG decoders. */
#include <stddef.h>
#include <stdint.h>

#include <beam/image.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    beam_image image = {0}, small = {0};
    beam_error err = {0};
    const beam_image_options options = {.struct_size = sizeof options, .max_pixels = 1 << 18};
    if (beam_image_decode(data, size, &options, &image, &err) != BEAM_OK)
        return 0;
    if (beam_image_cover(&image, 8, 8, &small, &err) == BEAM_OK)
        beam_image_free(&small);
    beam_image_free(&image);
    return 0;
}
