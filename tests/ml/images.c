/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/images.h"

#include <stdlib.h>

#include "support/files.h"

beam_dataset *random_images(uint64_t count, uint32_t channels, uint32_t height, uint32_t width,
                            uint32_t classes, uint8_t **records)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    const beam_dataset_info info = {.name = "random",
                                    .count = count,
                                    .num_classes = classes,
                                    .class_names = names,
                                    .channels = channels,
                                    .height = height,
                                    .width = width,
                                    .scale = 1 / 255.0f,
                                    .mean = {0.5f, 0.4f, 0.3f},
                                    .deviation = {0.2f, 0.25f, 0.3f}};
    size_t size = 1 + (size_t)channels * height * width;
    uint32_t state = 1;
    beam_dataset *dataset;
    beam_error err = {0};
    *records = malloc(count * size);
    assert_non_null(*records);
    for (size_t i = 0; i < count * size; i++) {
        state = state * 1664525u + 1013904223u;
        (*records)[i] = (uint8_t)(i % size ? state >> 24 : i / size % classes);
    }
    assert_ok(beam_dataset_open_memory(&info, *records, &dataset, &err), err);
    return dataset;
}
