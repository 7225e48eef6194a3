/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_work.h - how much work a training is, estimated before it runs. */
#ifndef ML_TRAIN_WORK_H
#define ML_TRAIN_WORK_H

#include <beam/training.h>

/* Multiplications of one image's way through a network, forward. */
double beam_network_work(const beam_network *network);

/* Of a whole training: forward and backward, images, epochs; and what a step costs however small
 * its batch is.  0 for a configuration that cannot be. */
double beam_training_work(const beam_training_config *config);

#endif
