/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference.h - every operation in plain C, one loop after the other, to compare with. */
#ifndef DEVICE_REFERENCE_H
#define DEVICE_REFERENCE_H

#include "device/device.h"

/* {n, c, h, w}; h and w are 1 for {n, c}. */
typedef struct beam_image_shape {
    int64_t n, c, h, w;
} beam_image_shape;

beam_image_shape beam_image_shape_of(const beam_tensor *tensor);
/* How many numbers a tensor has. */
int64_t beam_count_of(const beam_tensor *tensor);
/* gelu(x) / x */
double beam_gelu_share(double x);

/* Each number to the nearest that bf16 has. */
void beam_round_to_bf16(float *data, size_t count);

/* Computes `op`: data[v] and shapes[v] belong to value v; shapes have their batch. */
void beam_reference_op(const beam_nn_op *op, float *const *data, const beam_tensor *shapes);

/* The same for an operation of a training step.  Values that are BEAM_I32 hold int32_t.
 * BEAM_RESOURCE_EXHAUSTED when memory is out. */
beam_status beam_reference_training_op(const beam_nn_op *op, float *const *data,
                                       const beam_tensor *shapes);

/* reference_train.c: the training entries of the driver. */
beam_status beam_reference_train_open(beam_training *training, const float *const *initial,
                                      beam_error *err);
void beam_reference_train_close(beam_training *training);
beam_status beam_reference_train_step(beam_training *training, const beam_tensor *inputs,
                                      const int32_t *labels, float learning_rate,
                                      beam_step_result *result, beam_error *err);
beam_status beam_reference_train_read(beam_training *training, uint32_t value, float *data,
                                      beam_error *err);
beam_status beam_reference_train_write(beam_training *training, uint32_t value, const float *data,
                                       beam_error *err);

#endif
