/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* int8.h - a model's arithmetic at int8, which every device that computes in it has to follow.
 *
 * A number is scale * q, q from -127 to 127 (nn/int8.h).  Convolutions and linear layers that are
 * to be are computed in int8, with the batch norm, addition and activation of their steps: sum    =
 * the products of its operand's q and its weights' q, an integer y      = activation(sum * scale of
 * the row + bias of the row + addend) q of y = y / y's scale, rounded to the nearest, ties to even,
 * and cut to -128 to 127 where `addend` is what is kept of it.  Values that no such step reads or
 * makes, and those of no known range, are f32; a step that is not computed in int8 reads scale * q.
 *
 * q of what is never negative is from 0 to 127.  Instructions without VNNI add two products of
 * u8 and s8 in 16 bits: these never overflow, so every CPU gives the same sums. */
#ifndef DEVICE_INT8_H
#define DEVICE_INT8_H

#include "device/fuse.h"
#include "nn/int8.h"

/* Of a step that is computed in int8; weights NULL: it is not. */
typedef struct beam_int8_product {
    int8_t *weights; /* q, row-major, a batch norm multiplied in */
    size_t rows, row;
    float *scales; /* one a row: its weights' times its operand's */
    float *bias;   /* one a row */
} beam_int8_product;

typedef struct beam_int8_model {
    float *scales;               /* one a value; 0: its range is not known */
    bool *kept;                  /* one a value: as q; else f32 */
    bool *nonnegative;           /* one a value */
    beam_int8_product *products; /* one a step */
    size_t num_steps;
} beam_int8_model;

/* BEAM_FAILED_PRECONDITION where no range of the network is known, so that nothing could be
 * computed in int8.  What is half made when it fails goes with free. */
beam_status beam_int8_make(const beam_network *network, const beam_nn_parameter *parameters,
                           const beam_fused_op *steps, size_t num_steps, beam_int8_model *model,
                           beam_error *err);
void beam_int8_free(beam_int8_model *model);
/* Bytes of its weights. */
int64_t beam_int8_bytes(const beam_int8_model *model);

#endif
