/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* loader.h - the batches of a training, shuffled and augmented, made ahead on a thread of their
 * own.  A batch is a function of seed, step and data alone.
 *
 * Images come straight from the data set, which stays as it is in its mapped file: a loader holds
 * a few batches and an epoch's order, 4 bytes an image. */
#ifndef ML_LOADER_H
#define ML_LOADER_H

#include <beam/dataset.h>

#include "ml/augment.h"

typedef struct beam_loader beam_loader;

typedef struct beam_loader_options {
    const beam_dataset *dataset; /* must outlive the loader */
    uint64_t num_images;         /* the first so many; 0: all */
    uint32_t height, width;      /* of the images, before they are augmented */
    uint64_t batch_size;         /* images that do not fill a batch are left out of the epoch */
    beam_augment augment;
    uint64_t seed;
    uint64_t first_step, last_step; /* batches of steps [first, last), counted over all epochs */
} beam_loader_options;

typedef struct beam_batch {
    const float *images; /* {batch, channels, height, width}; of a window, if that is augment's */
    const uint32_t *labels;
} beam_batch;

/* BEAM_INVALID_ARGUMENT: a batch of 0, or of more images than there are. */
beam_status beam_loader_new(const beam_loader_options *options, beam_loader **loader,
                            beam_error *err);
void beam_loader_free(beam_loader *loader);

/* The next step's batch, which lives until the next call.  BEAM_OUT_OF_RANGE past the last; an
 * image that cannot be read is named. */
beam_status beam_loader_next(beam_loader *loader, beam_batch *batch, beam_error *err);

/* The order that an epoch takes `n` images in. */
void beam_shuffle(uint64_t seed, uint64_t epoch, uint32_t *order, uint32_t n);

#endif
