/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights.h - what gives parameters their values inside of nn. */
#ifndef NN_WEIGHTS_H
#define NN_WEIGHTS_H

#include "nn/network.h"

/* Gives a parameter data that is the network's from now on; what it had is released. */
void beam_nn_own_parameter(beam_nn_parameter *parameter, float *data);

#endif
