/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* images.h - data sets of images that a test makes up. */
#ifndef TESTS_ML_IMAGES_H
#define TESTS_ML_IMAGES_H

#include <beam/dataset.h>

/* `count` images of random pixels; image i has label i % classes.  Free *records after the data
 * set. */
beam_dataset *random_images(uint64_t count, uint32_t channels, uint32_t height, uint32_t width,
                            uint32_t classes, uint8_t **records);

#endif
