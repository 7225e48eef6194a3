/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference.h - every operation in plain C, one loop after the other, to compare with. */
#ifndef DEVICE_REFERENCE_H
#define DEVICE_REFERENCE_H

#include "nn/network.h"

/* Computes `op`: data[v] and shapes[v] belong to value v; shapes have their batch. */
void beam_reference_op(const beam_nn_op *op, float *const *data, const beam_tensor *shapes);

#endif
