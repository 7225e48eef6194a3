/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* quantize.h - from weights in f32 to weights for int8, with a sample of a data set. */
#ifndef ML_QUANTIZE_H
#define ML_QUANTIZE_H

#include <beam/ml.h>

typedef struct beam_quantize_options {
    beam_classifier_options
        classifier;                 /* which model and weights; its precision is not looked at */
    const char *dataset, *data_dir; /* data_dir NULL: as beam_dataset_open has it */
    const char *split;              /* NULL: train, or all of a folder that is not split */
    uint64_t num_images;            /* the sample: the first so many, or as many as there are */
    const char *output;
} beam_quantize_options;

typedef struct beam_quantize_result {
    uint64_t num_images; /* of the sample */
    uint64_t agreeing;   /* whose class in int8 is that in f32 */
} beam_quantize_result;

/* Writes options->output; whole or not at all. */
beam_status beam_quantize(const beam_quantize_options *options, beam_quantize_result *result,
                          beam_error *err);

#endif
