/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo_lower.h - what the parts of the lowering share. */
#ifndef DEVICE_STABLEHLO_LOWER_H
#define DEVICE_STABLEHLO_LOWER_H

#include "device/stablehlo.h"

typedef struct beam_lower_state {
    beam_hlo h;
    const beam_network *network;
    const beam_lowering *how;
    beam_hlo_value *values; /* one a value of the network, once it is written */
    beam_hlo_type *types;   /* what each is kept as */
    /* Where the loss is scaled (beam_lowering_scales), scalars: what by, 1 over it, and whether all
     * gradients so far are finite (1 or 0). */
    beam_hlo_value loss_scale, unscale, finite;
} beam_lower_state;

/* A value as it is kept; as f32; as what products take (bf16 at bf16, f16 at f16). */
beam_hlo_value beam_lower_get(beam_lower_state *s, uint32_t value);
beam_hlo_value beam_lower_get_f32(beam_lower_state *s, uint32_t value);
beam_hlo_value beam_lower_get_factor(beam_lower_state *s, uint32_t value);
/* Keeps a result, in the type that its value is kept as; value 0 is nobody's. */
void beam_lower_put(beam_lower_state *s, uint32_t value, beam_hlo_value result);

/* Where dimension `dim` of a network's shape of `rank` stands inside. */
int64_t beam_lower_position(const beam_lower_state *s, uint32_t rank, uint32_t dim);
/* A vector over channels (dimension 1) spread over the shape of `like`. */
beam_hlo_value beam_lower_channels(beam_lower_state *s, beam_hlo_value vector, beam_hlo_value like);
/* Sums over all dimensions but the channels. */
beam_hlo_value beam_lower_sum_but_channels(beam_lower_state *s, beam_hlo_value x);
/* The shape in which a value stands inside, for beam_hlo_reshape and others. */
void beam_lower_dims(const beam_lower_state *s, uint32_t value, int64_t *dims);
/* An array in the network's order of dimensions to the one inside, and back: the identity unless
 * images are channels last. */
beam_hlo_value beam_lower_inward(beam_lower_state *s, beam_hlo_value x);
beam_hlo_value beam_lower_outward(beam_lower_state *s, beam_hlo_value x);

/* A window over an image's height and width as one over all four dimensions inside. */
typedef struct beam_lower_window {
    int64_t window[4], stride[4], low[4], high[4];
} beam_lower_window;
beam_lower_window beam_lower_pool_window(const beam_lower_state *s, const beam_nn_window *window);

/* The patches that a convolution's kernel meets: {n * h * w of the result, kernel^2 * channels},
 * channels last. */
beam_hlo_value beam_lower_patches(beam_lower_state *s, beam_hlo_value x, const beam_nn_window *w,
                                  int64_t height, int64_t width);
bool beam_lower_by_patches(const beam_lower_state *s, const beam_nn_op *op, uint32_t result);

/* One operation of inference, or of a training step; false: it is none of those. */
bool beam_lower_op(beam_lower_state *s, const beam_nn_op *op);
bool beam_lower_training_op(beam_lower_state *s, const beam_nn_op *op);
bool beam_lower_update_op(beam_lower_state *s, const beam_nn_op *op);

/* What gelu multiplies x by. */
beam_hlo_value beam_lower_gelu_share(beam_lower_state *s, beam_hlo_value x);
/* The mean over all replicas; x itself where there is one. */
beam_hlo_value beam_lower_replica_mean(beam_lower_state *s, beam_hlo_value x);
/* A scalar in every place of the shape of `like`. */
beam_hlo_value beam_lower_everywhere(beam_lower_state *s, beam_hlo_value scalar,
                                     beam_hlo_value like);
/* x times, plus a number. */
beam_hlo_value beam_lower_times(beam_lower_state *s, beam_hlo_value x, double number);
beam_hlo_value beam_lower_plus(beam_lower_state *s, beam_hlo_value x, double number);

#endif
