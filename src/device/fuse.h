/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuse.h - which operations of a network a device can do in one go: a convolution or linear
 * layer with the batch norm, addition and relu or gelu that follow it, an addition with its. */
#ifndef DEVICE_FUSE_H
#define DEVICE_FUSE_H

#include "nn/network.h"

typedef struct beam_fused_op {
    const beam_nn_op *op;   /* the first one */
    const beam_nn_op *norm; /* a batch_norm to fold into op's weights, or NULL */
    const beam_nn_op *add;  /* an addition of its result and `addend`, or NULL */
    uint32_t addend;        /* a value to add, 0: none.  Nothing reads it afterwards, so the sum
                               may overwrite it */
    const beam_nn_op *activation; /* a relu or gelu that ends it, or NULL */
    uint32_t output;
} beam_fused_op;

/* The steps of `network`, each after those whose results it reads; release with beam_free.
 * At most one a operation. */
beam_status beam_fuse(const beam_network *network, beam_fused_op **steps, size_t *num_steps,
                      beam_error *err);

#endif
