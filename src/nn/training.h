/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* training.h - a network differentiated: one training step as a list of operations.
 *
 * The step is a beam_network of its own, which devices compile as they compile any other list.
 * In it stand, in an order they can run in: the forward pass with batch norm and dropout as they
 * are in training, the loss, the gradients from the last layer to the first (a value that several
 * operations read gets the sum of what they send back), the norm of all gradients where they are
 * clipped, and the update of every parameter and of what the optimizer keeps.
 *
 * Nothing is overwritten: an update makes a new value, and `next` says what it replaces when the
 * step is over.  A device may let both share a place.
 *
 * Precision.  Parameters, states, gradients of parameters, batch norm's statistics, the logits,
 * loss and dlogits are f32 always.  At bf16, activations and their gradients are bf16, and weights
 * of convolutions and linear layers are rounded to bf16 where they multiply.
 */
#ifndef NN_TRAINING_H
#define NN_TRAINING_H

#include <beam/optimizer.h>

#include "nn/network.h"

typedef struct beam_nn_training_options {
    beam_optimizer optimizer; /* checked */
    float label_smoothing;
    float batch_norm_momentum; /* 0: 0.1, as PyTorch */
    uint64_t seed;             /* dropout's */
} beam_nn_training_options;

/* What lasts from step to step: each parameter, then what the optimizer keeps. */
typedef struct beam_nn_state {
    const char *name;   /* "fc.weight"; "fc.weight.momentum", ".adam_m", ".adam_v" */
    uint32_t parameter; /* index in the network's parameters: itself, or whose it is */
    uint32_t value;
    uint32_t next; /* what it is after the step; 0: unchanged */
} beam_nn_state;

typedef struct beam_nn_training {
    /* Its inputs are the original's, then labels {batch} i32, learning_rate {} f32 and step {} i32
     * (from 1); its parameters are the original's, in the same order; no outputs. */
    beam_network *network;
    uint32_t labels, learning_rate, step;
    uint32_t logits, loss, correct;
    uint32_t gradient_norm; /* 0: not clipped */
    beam_nn_state *states;  /* parameters first, in the network's order */
    size_t num_states;
    uint32_t *gradients; /* one a parameter; 0: it is not trained */
} beam_nn_training;

/* Differentiates a finished network with one output {classes}, its logits.  Parameters that are not
 * trainable (but for batch norm's running averages) stay as they are, and no gradient is
 * computed that none needs.  BEAM_INVALID_ARGUMENT names a layer that has no gradient here, such as
 * a softmax (the loss has its own). */
beam_status beam_nn_training_new(const beam_network *network,
                                 const beam_nn_training_options *options,
                                 beam_nn_training **training, beam_error *err);
void beam_nn_training_free(beam_nn_training *training);

#endif
