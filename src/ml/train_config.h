/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_config.h - more about training configurations. */
#ifndef ML_TRAIN_CONFIG_H
#define ML_TRAIN_CONFIG_H

#include <beam/training.h>

/* Whether an experiment_id can be the name of a folder of its own. */
beam_status beam_experiment_check(beam_str id, beam_error *err);

#endif
