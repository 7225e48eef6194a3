/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fold.h - a convolution's or linear layer's weights and bias with the batch norm that follows it
 * multiplied in, row-major f32. */
#ifndef DEVICE_FOLD_H
#define DEVICE_FOLD_H

#include "device/fuse.h"

/* `to` has as many numbers as the step's weights; without a batch norm they are copied. */
void beam_fold_weights(const beam_network *network, const beam_nn_parameter *parameters,
                       const beam_fused_op *step, float *to);
/* `to` has a number for each output channel; 0 where there is neither bias nor batch norm. */
void beam_fold_bias(const beam_network *network, const beam_nn_parameter *parameters,
                    const beam_fused_op *step, float *to);

/* The tensor that a value which is a parameter stands for. */
const beam_tensor *beam_parameter_of(const beam_network *network,
                                     const beam_nn_parameter *parameters, uint32_t value);

#endif
