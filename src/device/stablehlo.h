/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo.h - a network, or the training step made of one, as a StableHLO module for PJRT.
 *
 * Weights are arguments of the module, not constants in it: they stay on the device and the text
 * stays small.  Inputs and results are row-major as in the network's own shapes. */
#ifndef DEVICE_STABLEHLO_H
#define DEVICE_STABLEHLO_H

#include <beam/device.h>

#include "device/hlo.h"
#include "device/pjrt_plugin.h"
#include "nn/network.h"
#include "nn/training.h"

/* What suits a platform; beam_lowering_for is the one place that chooses.  $BEAM_PJRT_PLAIN makes
 * the CPU's programs those of a GPU or TPU, so that these can be run and compared here. */
typedef struct beam_lowering {
    int64_t batch;
    beam_precision precision;
    bool training;      /* parameters stay f32 and are rounded where they multiply */
    bool channels_last; /* images are {n, h, w, c} inside */
    /* Convolutions whose result has at most so many pixels are written as a matrix of patches
     * times the kernel; 0: none. */
    int64_t patch_pixels;
    uint32_t num_replicas; /* training: gradients are averaged over so many devices; 0: 1 */
} beam_lowering;

/* What activations are kept as and products multiply. */
beam_hlo_type beam_lowering_type(beam_precision precision);
/* In training, whether the loss is scaled: the last input is then what by (value 0), the last of
 * the scalars whether all gradients were finite (1; value 0), and if they were not, states stay. */
bool beam_lowering_scales(const beam_lowering *how);

void beam_lowering_for(beam_pjrt_platform platform, beam_lowering *how);

typedef struct beam_hlo_argument {
    uint32_t value; /* of the network; 0: see beam_lowering_scales */
    beam_hlo_type type;
    bool kernel_last; /* a convolution's weight, {out, in, h, w}, is passed as {h, w, in, out} */
    int32_t alias;    /* the result that takes this argument's place; -1: none */
} beam_hlo_argument;

/* The argument for a value: an input or a parameter. */
beam_hlo_argument beam_lowering_argument(const beam_network *network, const beam_lowering *how,
                                         uint32_t value);
/* Its shape as it is passed, and bytes. */
beam_hlo_value beam_lowering_shape(const beam_network *network, const beam_lowering *how,
                                   const beam_hlo_argument *argument, size_t *bytes);
/* From a value's row-major f32 to what is passed, and back. */
void beam_lowering_pack(const beam_hlo_argument *argument, const beam_tensor *tensor, void *packed);
void beam_lowering_unpack(const beam_hlo_argument *argument, const beam_tensor *shape,
                          const void *packed, float *data);

typedef struct beam_hlo_main {
    beam_hlo_argument *arguments; /* inputs first, then what lasts */
    size_t num_inputs, num_arguments;
    uint32_t *results; /* values; in training loss, correct and the norm come first */
    size_t *replaces;  /* one a result: the argument whose place it takes; 0: none */
    size_t num_scalars, num_results;
} beam_hlo_main;

/* Inference: inputs and parameters to outputs. */
beam_status beam_hlo_inference(const beam_network *network, const beam_lowering *how,
                               beam_hlo_main *main, beam_error *err);
/* A training step: inputs (labels, learning rate and step number among them) and states to loss,
 * correct, norm if gradients are clipped, new states and, if they are to be kept, gradients. */
beam_status beam_hlo_training(const beam_nn_training *training, const beam_lowering *how,
                              bool keep_gradients, beam_hlo_main *main, beam_error *err);
void beam_hlo_main_free(beam_hlo_main *main);

/* Appends the module.  BEAM_UNIMPLEMENTED names an operation that has no form there. */
beam_status beam_lower(const beam_network *network, const beam_lowering *how,
                       const beam_hlo_main *main, beam_buffer *text, beam_error *err);

#endif
