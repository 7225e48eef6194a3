/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_models.h - the functions that training in pipelines runs. */
#ifndef ML_TRAIN_MODELS_H
#define ML_TRAIN_MODELS_H

#include <beam/training.h>

/* train_models.c: beam_training_config to beam_training_result. */
#define BEAM_TRAIN_MODELS_CONFIG_(FIELD, S) \
    FIELD(S, beam_str, device)              \
    FIELD(S, beam_str, checkpoint_dir)      \
    FIELD(S, beam_int64, model_dtype)       \
    FIELD(S, beam_double, share) /* of each configuration's epochs: 1, or less in a rung */
BEAM_STRUCT(beam_train_models_config, BEAM_TRAIN_MODELS_CONFIG_);
extern const beam_dofn beam_train_models_fn;

/* train_halving.c: results that a rung ends with; the better half goes on as configurations
 * (output 0), the other results (1) are final. */
BEAM_KV(beam_rung_result, beam_int64, beam_training_result);
BEAM_GROUPED(beam_rung, beam_int64, beam_training_result);
extern const beam_dofn beam_halve_fn; /* beam_rung */

/* train_deploy.c */
#define BEAM_DEPLOY_CONFIG_(FIELD, S) FIELD(S, beam_str, serving_dir)
BEAM_STRUCT(beam_deploy_config, BEAM_DEPLOY_CONFIG_);
extern const beam_dofn beam_deploy_fn; /* beam_training_result to itself */

#endif
