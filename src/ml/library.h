/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* library.h - the functions that ml's own transforms run; library.c lists them, so that a worker
 * finds them. */
#ifndef ML_LIBRARY_H
#define ML_LIBRARY_H

#include <beam/ml.h>

/* dataset_source.c */
#define BEAM_READ_DATASET_CONFIG_(FIELD, S) \
    FIELD(S, beam_str, dataset)             \
    FIELD(S, beam_str, split)               \
    FIELD(S, beam_str, data_dir)            \
    FIELD(S, beam_int64, num_images)
BEAM_STRUCT(beam_read_dataset_config, BEAM_READ_DATASET_CONFIG_);
extern const beam_dofn beam_read_dataset_fn; /* beam_bytes to beam_labeled_image, splittable */

/* inference_graph.c: any element to 0 or 1, and their mean held to a threshold */
extern const beam_dofn beam_inference_done_fn, beam_inference_failed_fn,
    beam_inference_threshold_fn;

/* All of them. */
const beam_functions *beam_ml_functions(void);

#endif
