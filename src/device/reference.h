/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* reference.h - every operation in plain C, one loop after the other, to compare with. */
#ifndef DEVICE_REFERENCE_H
#define DEVICE_REFERENCE_H

#include "device/device.h"
#include "device/int8.h"

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

/* Computes `op`, one of inference: data[v] and shapes[v] belong to value v; shapes have their
 * batch. */
void beam_reference_op(const beam_nn_op *op, float *const *data, const beam_tensor *shapes);

/* Computes a step of a model in int8, index-th of its steps: what is kept as q is scale * q in
 * `data`.  `q` has room for the first operand's, and is written over. */
void beam_reference_int8(const beam_int8_model *model, const beam_fused_op *step, size_t index,
                         float *const *data, const beam_tensor *shapes, int8_t *q);

/* An operation of a training step.  Values that are BEAM_I32 hold int32_t.
 * BEAM_RESOURCE_EXHAUSTED when memory is out. */
beam_status beam_reference_training_op(const beam_nn_op *op, float *const *data,
                                       const beam_tensor *shapes);

/* Of these, Muon's update. */
beam_status beam_reference_muon(const beam_nn_op *op, float *const *data,
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
