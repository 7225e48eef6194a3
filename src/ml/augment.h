/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* augment.h - images as training sees them: as f32, normalised, and in every epoch a little
 * different.  What happens to an image is a function of seed, epoch and image alone. */
#ifndef ML_AUGMENT_H
#define ML_AUGMENT_H

#include <beam/dataset.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct beam_augment {
    bool flip;        /* mirrored, or not, at random in every epoch */
    bool alternate;   /* mirrored in every other epoch, half of the images in the first */
    bool window;      /* only a square of `side` pixels, somewhere in it */
    bool crop;        /* moved by up to `padding` pixels each way, its edges reflected */
    bool cutout;      /* a square of `square` pixels, somewhere in it, becomes the mean */
    uint32_t padding; /* 0: an eighth of the smaller side */
    uint32_t square;  /* 0: a quarter of it */
    uint32_t side;    /* of the window; 0: seven eighths */
} beam_augment;

/* "none", or of flip, alternating_flip, window, crop and cutout some with commas between;
 * window:28, crop:2 and cutout:12 give the size.  BEAM_INVALID_ARGUMENT names what is none of them.
 */
beam_status beam_augment_parse(const char *text, beam_augment *augment, beam_error *err);

/* All that does not change from image to image. */
typedef struct beam_augmenter {
    beam_augment augment;
    uint64_t seed;
    uint32_t channels, height, width; /* of the images that come in */
    uint32_t out_height, out_width;
    float table[3][256]; /* a pixel, normalised */
    uint32_t *columns;   /* of the image at hand: where each column comes from */
} beam_augmenter;

/* What is left of images of this size: the window, where there is one.  BEAM_INVALID_ARGUMENT: it
 * is larger than they are. */
beam_status beam_augment_window(const beam_augment *augment, uint32_t *height, uint32_t *width,
                                beam_error *err);

/* For images of info's channels and normalisation.  BEAM_INVALID_ARGUMENT: smaller than what shall
 * be done to them. */
beam_status beam_augmenter_init(beam_augmenter *a, const beam_augment *augment,
                                const beam_dataset_info *info, uint32_t height, uint32_t width,
                                uint64_t seed, beam_error *err);
void beam_augmenter_free(beam_augmenter *a);

/* Image number `index`, {channels, height, width} bytes, as `epoch` shows it:
 * {channels, out_height, out_width}.  One thread at a time. */
void beam_augmenter_run(beam_augmenter *a, uint64_t epoch, uint64_t index, const uint8_t *pixels,
                        float *to);

/* The pixel that stands at `at`, at most `size` - 1 outside, where the outermost ones are mirrors.
 */
uint32_t beam_reflect(int64_t at, uint32_t size);

#endif
