/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* zoo.h - families of ready-made networks that have files of their own; zoo.c knows all by name. */
#ifndef NN_ZOO_H
#define NN_ZOO_H

#include "nn/network.h"

/* From the image to the logits. */
beam_value beam_nn_fastnet(beam_network *net, beam_value image,
                           const beam_network_options *options);
beam_value beam_nn_fastnet_wide(beam_network *net, beam_value image,
                                const beam_network_options *options);

#endif
