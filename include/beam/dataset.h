/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset.h - labelled images, read by index.
 *
 *   cifar10   CIFAR-10 in its official binary layout: 50,000 + 10,000 colour images, 32x32
 *   digits    1,797 grey images of 8x8 handwritten digits that come with libbeam (UCI optical
 *             digits, CC BY 4.0); every fifth (index 4, 9, ...) is a test image: 1,438 + 359
 *   a folder  either a copy of CIFAR-10 (with test_batch.bin in it or in
 *             cifar-10-batches-bin below), or one folder of .jpg, .jpeg and .png files a class,
 *             below DIR/train and DIR/test, which must have the same, or right below DIR
 *
 * Opening checks what can be checked (sizes, labels) and maps the files, so that records are
 * read without a copy and in any order: a source that reads [from, to) of
 * beam_dataset_info.count is all that a pipeline needs, however it is split.
 *
 * A beam_dataset is read-only once open; any number of threads may use it.
 */
#ifndef BEAM_DATASET_H
#define BEAM_DATASET_H

#include <beam/download.h>
#include <beam/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_dataset beam_dataset;

typedef struct beam_dataset_options {
    size_t struct_size;
    /* "test", "train" or "all"; NULL: "test", and "all" of a folder of images that is not split. */
    const char *split;
    /* Where CIFAR-10 is: a folder with test_batch.bin in it, or in cifar-10-batches-bin below.
     * NULL: $BEAM_DATA_DIR, else the cache folder (see weights.h), else it is downloaded there. */
    const char *data_dir;
    /* CIFAR-10 that cannot be had is replaced by the digits; see beam_dataset_info.message.  Not
     * where data_dir or $BEAM_DATA_DIR names a folder, nor where files are there but damaged. */
    bool fall_back;
    const beam_download_options *download; /* NULL: the default */
} beam_dataset_options;

/* Opens "cifar10", "digits" or a folder; `options` may be NULL.  BEAM_NOT_FOUND: files or the
 * folder are missing; BEAM_DATA_LOSS: truncated, a label that cannot be, a wrong checksum. */
BEAM_API beam_status beam_dataset_open(const char *name_or_folder,
                                       const beam_dataset_options *options, beam_dataset **dataset,
                                       beam_error *err);
BEAM_API void beam_dataset_close(beam_dataset *dataset);

/* Strings and arrays live as long as the data set. */
typedef struct beam_dataset_info {
    const char *name;     /* "cifar10", "digits", or the folder as it was given */
    const char *split;    /* "test", "train" or "all" */
    const char *location; /* the folder or file that was read */
    uint64_t count;
    uint32_t num_classes;
    const char *const *class_names;
    uint32_t channels;      /* 3 (red, green, blue) or 1 */
    uint32_t height, width; /* 0 where images have sizes of their own */
    /* What a network is fed: (pixel * scale - mean[c]) / deviation[c]. */
    float scale, mean[3], deviation[3];
    bool is_fallback;    /* the digits, instead of the CIFAR-10 that was asked for */
    const char *message; /* what the user should know (why the fallback); NULL: nothing */
} beam_dataset_info;

/* What it holds; lives as long as the data set. */
BEAM_API const beam_dataset_info *beam_dataset_get_info(const beam_dataset *dataset);

/* A data set of images at hand: `info` says how many (count) and what they are, all of one size;
 * `records` holds for each a byte, its label, and then its pixels {channels, height, width}.
 * `records` is borrowed, what info points to is copied.  BEAM_INVALID_ARGUMENT for a label that is
 * no class, and sizes, a scale or deviations of 0. */
BEAM_API beam_status beam_dataset_open_memory(const beam_dataset_info *info, const uint8_t *records,
                                              beam_dataset **dataset, beam_error *err);

typedef struct beam_dataset_record {
    uint32_t label;
    /* channels x height x width bytes, in the mapped file; NULL where images are files of their
     * own. */
    const uint8_t *pixels;
    const char *path; /* of an image that is a file of its own, else NULL */
} beam_dataset_record;

/* index < count, else BEAM_OUT_OF_RANGE. */
BEAM_API beam_status beam_dataset_read(const beam_dataset *dataset, uint64_t index,
                                       beam_dataset_record *record);

/* Writes `count` images as f32 {count, channels, height, width}, scaled and normalised, to
 * `images`, and their labels to `labels` (either may be NULL).  height and width 0 mean the data
 * set's own.  Another size: the image is resized with its proportions kept until it covers it,
 * and cut in the middle (as torchvision's Resize and CenterCrop).  A file that cannot be decoded
 * is named. */
BEAM_API beam_status beam_dataset_fill(const beam_dataset *dataset, const uint64_t *indices,
                                       size_t count, uint32_t height, uint32_t width, float *images,
                                       uint32_t *labels, beam_error *err);

/* The same from pixels that are at hand: {channels, info->height, info->width} bytes, as
 * beam_dataset_read gives them, to f32 {channels, height, width}. */
BEAM_API beam_status beam_dataset_normalize(const beam_dataset_info *info, const uint8_t *pixels,
                                            uint32_t height, uint32_t width, float *image,
                                            beam_error *err);

/* ---- a classifier for ImageNet on CIFAR-10 ------------------------------------------------ */

/* The CIFAR-10 class that ImageNet-1k's class `imagenet` (0..999) counts as, or -1 for the many
 * that are none of the ten.  src/ml/imagenet_cifar10.c says how they were chosen. */
BEAM_API int beam_imagenet_to_cifar10(uint32_t imagenet);

/* The CIFAR-10 class with the largest sum of softmax probabilities over the ImageNet classes that
 * count as it, from 1000 logits.  `probabilities` (10 of them, or NULL) gets the sums divided by
 * their total. */
BEAM_API uint32_t beam_imagenet_logits_to_cifar10(const float *logits, float *probabilities);

#ifdef __cplusplus
}
#endif
#endif
