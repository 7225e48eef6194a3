/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_file.h - an open data set, as its readers fill it. */
#ifndef ML_DATASET_FILE_H
#define ML_DATASET_FILE_H

#include <beam/dataset.h>

#include "base/arena.h"
#include "base/file.h"

enum { BEAM_DATASET_FILES = 6 }; /* CIFAR-10's */

typedef struct beam_dataset_image {
    const char *path;
    uint32_t label;
} beam_dataset_image;

struct beam_dataset {
    beam_dataset_info info;
    beam_arena arena; /* the strings of info, paths */
    /* Records of one size in files: a label byte, then the pixels. */
    beam_file_view files[BEAM_DATASET_FILES];
    uint64_t records[BEAM_DATASET_FILES]; /* in each file */
    size_t num_files, record_size;
    const uint32_t *chosen;    /* the records that belong to the split; NULL: all, in order */
    beam_arena records_memory; /* of records that are the data set's own */
    /* Or images that are files of their own. */
    beam_dataset_image *images;
    size_t images_capacity;
};

/* Each fills a zeroed data set; what it has when it fails is released by the caller. */
beam_status beam_dataset_open_digits(beam_dataset *d, const char *split, beam_error *err);
beam_status beam_dataset_open_cifar10(beam_dataset *d, const char *split,
                                      const beam_dataset_options *options, beam_error *err);
/* `split` may be NULL. */
beam_status beam_dataset_open_folder(beam_dataset *d, const char *folder, const char *split,
                                     beam_error *err);

/* The folder that the user named: data_dir, else $BEAM_DATA_DIR, else NULL. */
const char *beam_cifar10_named_folder(const beam_dataset_options *options);
/* The folder with test_batch.bin in it: `folder` or cifar-10-batches-bin below it.  NULL in
 * *found when there is none. */
beam_status beam_cifar10_find(const char *folder, char **found, beam_error *err);

/* An image decoded, resized and cut as beam_dataset_fill does, but left as bytes: {channels,
 * height, width} in `planes`. */
beam_status beam_dataset_planes(const beam_dataset *d, uint64_t index, uint32_t height,
                                uint32_t width, uint8_t *planes, beam_dataset_record *record,
                                beam_error *err);

beam_status beam_dataset_no_memory(beam_error *err);

#endif
