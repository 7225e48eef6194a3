/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* zoo_fastnet.c - a network for small colour images that learns in few epochs, after the CIFAR-10
 * speed runs (Page, "How to train your ResNet", 2018; Jordan, "94% on CIFAR-10 in 3.29 seconds on a
 * single GPU", 2024): a first layer that whitens and is not trained, three groups of two wide
 * convolutions, each group halving the image at once, and logits that are scaled down. */
#include <stdio.h>

#include "nn/zoo.h"

/* Scaled logits keep the loss from saturating early. */
static const float LOGITS = 1.0f / 9;

static beam_value conv_norm(beam_network *net, beam_value x, int index, int64_t channels, bool pool)
{
    char name[16];
    (void)snprintf(name, sizeof name, "conv%d", index);
    x = beam_nn_conv2d(net, x, name, .out_channels = channels, .kernel = 3, .padding = 1,
                       .no_bias = true);
    beam_nn_start_as_identity(net);
    if (pool)
        x = beam_nn_max_pool2d(net, x, .kernel = 2);
    (void)snprintf(name, sizeof name, "norm%d", index);
    x = beam_nn_batch_norm(net, x, name, 0);
    return beam_nn_gelu(net, x);
}

static beam_value add(beam_network *net, beam_value x, const beam_network_options *o,
                      const int64_t widths[3])
{
    const int64_t patch = o->channels * 2 * 2;
    x = beam_nn_conv2d(net, x, BEAM_NN_WHITENING, .out_channels = 2 * patch, .kernel = 2,
                       .no_bias = true);
    beam_nn_freeze(net, BEAM_NN_WHITENING ".weight");
    x = beam_nn_gelu(net, x);
    for (int group = 0; group < 3; group++) {
        x = conv_norm(net, x, 2 * group + 1, widths[group], true);
        x = conv_norm(net, x, 2 * group + 2, widths[group], false);
    }
    x = beam_nn_flatten(net, beam_nn_max_pool2d(net, x, .kernel = 3));
    x = beam_nn_linear(net, x, "fc", .out_features = o->num_classes, .no_bias = true);
    return beam_nn_scale(net, x, LOGITS);
}

beam_value beam_nn_fastnet(beam_network *net, beam_value x, const beam_network_options *o)
{
    return add(net, x, o, (const int64_t[]){64, 192, 192});
}

beam_value beam_nn_fastnet_wide(beam_network *net, beam_value x, const beam_network_options *o)
{
    return add(net, x, o, (const int64_t[]){128, 384, 384});
}
