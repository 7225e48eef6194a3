/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* int8.h - weights of eight bits and the ranges of activations, as networks and files have them.
 *
 * Both are symmetric: number = scale * q, q from -127 to 127.  Weights have a scale an output
 * channel, its largest magnitude / 127; activations one a value, its range / 127 (H. Wu et al.,
 * Integer Quantization for Deep Learning Inference, 2020, sections 3.1 to 3.3).  A batch norm
 * behind a layer changes its channels' scales and no q, and quantizing what q and scale give finds
 * q again: so weights of eight bits are bound as f32, and every precision can run them. */
#ifndef NN_INT8_H
#define NN_INT8_H

#include "nn/network.h"

enum { BEAM_NN_INT8_MOST = 127 };

/* Scales and ranges are from the one to the other. */
#define BEAM_NN_INT8_LEAST 1e-18f
#define BEAM_NN_INT8_LARGEST 1e18f

/* Whether it is a layer that devices can compute in int8: a convolution or a linear layer. */
bool beam_nn_is_product(const beam_nn_op *op);

/* f32 weights {rows, ...}: q to `to`, a scale a row (1 where all are 0) to `scales`.
 * BEAM_INVALID_ARGUMENT, with the layer's `name`, where one is no number that int8 can stand for.
 */
beam_status beam_nn_quantize(const char *name, const beam_tensor *weights, int8_t *to,
                             float *scales, beam_error *err);

/* i8 weights, found as `name` in `source`, to f32 by the scales that are beside them there. */
beam_status beam_nn_dequantize(const beam_weight_source *source, const char *name,
                               const beam_tensor *weights, float *to, beam_error *err);

/* A range that files hold, as LAYER.PART: of a product's operand (PART is input_range), or of its
 * result, after the batch norm that follows it (output_range). */
typedef struct beam_nn_range {
    const char *layer, *part;
    bool input;
    size_t op;
    uint32_t value;
} beam_nn_range;

/* The one at `index`, below BEAM_NN_MOST_RANGES(network); false: there is none. */
#define BEAM_NN_MOST_RANGES(network) (2 * (network)->num_ops)
bool beam_nn_range_at(const beam_network *network, size_t index, beam_nn_range *range);

/* What is known for int8: ranges of values, 0 where it is not, and which operations are to be
 * computed in it: those whose input_range was given. */
typedef struct beam_nn_ranges {
    float *of;  /* one a value */
    bool *int8; /* one an operation */
} beam_nn_ranges;

/* Nothing known; whatever comes of it goes with free. */
beam_status beam_nn_ranges_make(const beam_network *network, beam_nn_ranges *ranges,
                                beam_error *err);
void beam_nn_ranges_free(beam_nn_ranges *ranges);
/* What `source` has. */
beam_status beam_nn_find_ranges(const beam_network *network, const beam_weight_source *source,
                                beam_nn_ranges *ranges, beam_error *err);
/* A range too small to scale by counts as not known, and a layer that reads nothing else as one
 * that int8 does not compute. */
void beam_nn_give_ranges(beam_network *network, const beam_nn_ranges *ranges);

/* Whether a tensor of this name in `source` is the scales of i8 weights, or a range. */
bool beam_nn_is_quantization(const beam_network *network, const beam_weight_source *source,
                             const char *name);

#endif
