/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/fold.h"

#include <math.h>

const beam_tensor *beam_parameter_of(const beam_network *network,
                                     const beam_nn_parameter *parameters, uint32_t value)
{
    return &parameters[network->values[value].index].tensor;
}

static const float *vector(const beam_network *network, const beam_nn_parameter *parameters,
                           const beam_nn_op *op, uint32_t input)
{
    return beam_parameter_of(network, parameters, op->inputs[input])->data;
}

/* What a batch norm multiplies channel c with. */
static float norm_scale(const beam_network *network, const beam_nn_parameter *parameters,
                        const beam_nn_op *norm, size_t c)
{
    double variance = (double)vector(network, parameters, norm, 4)[c];
    return (float)((double)vector(network, parameters, norm, 1)[c] /
                   sqrt(variance + (double)norm->epsilon));
}

void beam_fold_weights(const beam_network *network, const beam_nn_parameter *parameters,
                       const beam_fused_op *step, float *to)
{
    const beam_tensor *weights = beam_parameter_of(network, parameters, step->op->inputs[1]);
    const float *from = weights->data;
    size_t rows = (size_t)weights->shape[0];
    size_t row = beam_tensor_bytes(weights) / sizeof *from / rows;
    for (size_t r = 0; r < rows; r++) {
        float scale = step->norm ? norm_scale(network, parameters, step->norm, r) : 1;
        for (size_t i = 0; i < row; i++)
            to[r * row + i] = from[r * row + i] * scale;
    }
}

void beam_fold_bias(const beam_network *network, const beam_nn_parameter *parameters,
                    const beam_fused_op *step, float *to)
{
    const beam_nn_op *op = step->op, *norm = step->norm;
    const float *bias = op->num_inputs > 2 ? vector(network, parameters, op, 2) : NULL;
    size_t rows = (size_t)beam_parameter_of(network, parameters, op->inputs[1])->shape[0];
    for (size_t c = 0; c < rows; c++) {
        to[c] = bias ? bias[c] : 0.0f;
        if (norm)
            to[c] = (to[c] - vector(network, parameters, norm, 3)[c]) *
                        norm_scale(network, parameters, norm, c) +
                    vector(network, parameters, norm, 2)[c];
    }
}
