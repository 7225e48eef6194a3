/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* staging.h - kinds of files that pipelines with models send to their workers. */
#ifndef ML_STAGING_H
#define ML_STAGING_H

#include <beam/pipeline.h>

#include "base/staged.h"

#define BEAM_STAGED_WEIGHTS "weights" /* by name or path, as beam_weights_locate takes them */
#define BEAM_STAGED_DATASET "dataset" /* by folder, or by the name of a known one */

/* Workers of the pipeline open them; data_dir may be NULL. */
void beam_pipeline_needs_dataset(beam_pipeline *pipeline, const char *dataset,
                                 const char *data_dir);
void beam_pipeline_needs_weights(beam_pipeline *pipeline, const char *name_or_path);

#endif
