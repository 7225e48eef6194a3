/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gradient.h - what the parts of differentiating share: gradient.c (the whole), gradient_ops.c (an
 * operation's gradients), gradient_update.c (parameters, states and their updates). */
#ifndef NN_GRADIENT_H
#define NN_GRADIENT_H

#include "nn/training.h"

typedef struct beam_nn_builder {
    const beam_network *from;
    const beam_nn_training_options *options;
    beam_nn_training *training;
    beam_network *net;   /* the training's, growing */
    uint32_t *made;      /* by value of `from`: which it is in `net` */
    uint32_t *gradients; /* by value of `net`: its gradient so far, 0: none */
    bool *wants;         /* by value of `net`: a trainable parameter, or depends on one */
    uint64_t dropouts;
    uint32_t squares; /* the sum of squared gradients so far, 0: none */
} beam_nn_builder;

/* The rank, shape and dtype of a result: one number, or as another value. */
beam_nn_value beam_nn_scalar(void);
beam_nn_value beam_nn_like(const beam_nn_builder *b, uint32_t value);

/* Appends what operation `index` sends back to its operands, if anything came back to it. */
void beam_nn_gradient_op(beam_nn_builder *b, size_t index);

/* The first states: the parameters. */
void beam_nn_add_parameter_states(beam_nn_builder *b);
/* Takes a parameter's whole gradient.  Without clipping it is updated at once, while the gradient
 * is at hand and before another needs the memory: whatever reads the parameter has run. */
void beam_nn_take_gradient(beam_nn_builder *b, uint32_t parameter, uint32_t gradient);
/* Ends the step: updates that clipping held back, and the running averages of the first `forward`
 * operations. */
void beam_nn_finish_updates(beam_nn_builder *b, size_t forward);

#endif
