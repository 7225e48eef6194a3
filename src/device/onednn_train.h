/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train.h - training on the CPU device.
 *
 *   onednn_train.c          the driver's entries: memory, running, reading and writing states
 *   onednn_train_plan.c     the plan: buffers of inputs and states, which operations go together
 *   onednn_train_lower.c    one operation to a oneDNN primitive or a loop of our own
 *   onednn_train_product.c  convolutions and linear layers, forward and back
 *   onednn_train_kernels.c  the loops of our own
 *
 * Weights and what the optimizer keeps lie in the layout in which the gradient of the weights
 * comes, in f32, so that an update is one loop over both; other layouts, and bf16, are made where
 * an operation wants them.  Updates and running averages happen in place: the list of operations
 * has nothing read an old value after that.
 */
#ifndef DEVICE_ONEDNN_TRAIN_H
#define DEVICE_ONEDNN_TRAIN_H

#include "device/onednn.h"

/* What a later operation of the same layer needs of an earlier one. */
typedef struct beam_onednn_layer {
    dnnl_primitive_desc_t forward, data, weights; /* NULL: none */
    uint32_t workspace;                           /* 1 + a buffer; 0: none */
    bool fused;   /* forward: batch norm with its relu, or addition with its relu */
    bool skipped; /* done by another operation */
} beam_onednn_layer;

typedef struct beam_onednn_train_builder {
    beam_onednn_builder b;
    const beam_training *training;
    const beam_nn_training *program;
    dnnl_primitive_attr_t attr;
    dnnl_data_type_t type;     /* of activations */
    beam_onednn_layer *layers; /* one an operation */
    uint32_t *last_reader;     /* by value: 1 + the last operation that reads it */
    uint32_t *readers;         /* by value: how many do */
} beam_onednn_train_builder;

/* Makes the plan; program values that last are found through buffer_of (1 + buffer), which the
 * caller frees. */
beam_status beam_onednn_train_plan(const beam_training *training, dnnl_engine_t engine,
                                   beam_onednn_plan **plan, uint32_t **buffer_of, beam_error *err);

/* ---- lowering ---- */

/* Creates the primitives of convolutions and linear layers, whose layouts the states take. */
beam_status beam_onednn_train_products(beam_onednn_train_builder *t);
beam_status beam_onednn_train_product(beam_onednn_train_builder *t, uint32_t index);
/* A weight's sizes as oneDNN has them: {groups, out / groups, in, h, w} where there are groups. */
uint32_t beam_onednn_weight_sizes(const beam_onednn_train_builder *t, const beam_nn_op *op,
                                  uint32_t weight, int64_t *sizes);
beam_status beam_onednn_train_op(beam_onednn_train_builder *t, uint32_t index);

beam_status beam_onednn_train_status(const beam_onednn_train_builder *t, uint32_t index,
                                     dnnl_status_t status);
/* f32 for what is f32 always, the type of activations for them. */
dnnl_data_type_t beam_onednn_train_type(const beam_onednn_train_builder *t, uint32_t value);
beam_tensor beam_onednn_train_shape(const beam_onednn_train_builder *t, uint32_t value);
const_dnnl_memory_desc_t beam_onednn_train_desc(const beam_onednn_train_builder *t, uint32_t value);
/* A new buffer in which `value` lies from now on. */
beam_status beam_onednn_train_result(beam_onednn_train_builder *t, uint32_t value,
                                     const_dnnl_memory_desc_t desc, uint32_t *buffer);
/* The same over the memory of `over`, a buffer of the same layout that nobody reads afterwards. */
beam_status beam_onednn_train_result_over(beam_onednn_train_builder *t, uint32_t value,
                                          uint32_t over, uint32_t *buffer);
/* Nothing after operation `index` reads the value, nor what it shares memory with, and it does not
 * last. */
bool beam_onednn_train_dies(const beam_onednn_train_builder *t, uint32_t value, uint32_t index);

static inline beam_onednn_arg beam_onednn_from(int arg, uint32_t buffer)
{
    return (beam_onednn_arg){.arg = arg, .source = BEAM_ONEDNN_FROM_BUFFER, .index = buffer};
}

/* ---- loops of our own: data in the order of the operation's operands, then its results ---- */

void beam_onednn_loss(const beam_onednn_call *call);        /* count: rows */
void beam_onednn_dropout(const beam_onednn_call *call);     /* count: numbers, f32 */
void beam_onednn_averages(const beam_onednn_call *call);    /* mean, variance, then the averages */
void beam_onednn_squared_sum(const beam_onednn_call *call); /* count: numbers */
void beam_onednn_clip_factor(const beam_onednn_call *call);
void beam_onednn_sgd(const beam_onednn_call *call);  /* count: numbers */
void beam_onednn_adam(const beam_onednn_call *call); /* count: numbers */

/* ---- the driver's entries ---- */

beam_status beam_onednn_train_open(beam_training *training, const float *const *initial,
                                   beam_error *err);
void beam_onednn_train_close(beam_training *training);
beam_status beam_onednn_train_step(beam_training *training, const beam_tensor *inputs,
                                   const int32_t *labels, float learning_rate,
                                   beam_step_result *result, beam_error *err);
beam_status beam_onednn_train_read(beam_training *training, uint32_t value, float *data,
                                   beam_error *err);
beam_status beam_onednn_train_write(beam_training *training, uint32_t value, const float *data,
                                    beam_error *err);

#endif
