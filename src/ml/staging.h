/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* staging.h - kinds of files that pipelines with models send to their workers. */
#ifndef ML_STAGING_H
#define ML_STAGING_H

#include "base/staged.h"

#define BEAM_STAGED_WEIGHTS "weights" /* by name or path, as beam_weights_locate takes them */
#define BEAM_STAGED_DATASET "dataset" /* by folder, or by the name of a known one */

#endif
