/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_config.h - more about training configurations. */
#ifndef ML_TRAIN_CONFIG_H
#define ML_TRAIN_CONFIG_H

#include <beam/training.h>

/* The same with what was left out put in; strings that come in are static. */
beam_training_config beam_training_config_complete(const beam_training_config *config);

/* Whether it names a training step made elsewhere. */
bool beam_training_is_module(beam_str model_name);

/* Whether an experiment_id can be the name of a folder of its own. */
beam_status beam_experiment_check(beam_str id, beam_error *err);

/* The name of the first field whose value is not the same, NULL when there is none. */
const char *beam_training_config_differs(const beam_training_config *a,
                                         const beam_training_config *b);

#endif
