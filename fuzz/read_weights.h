/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* read_weights.h - what the targets of weight files do; the bytes decide which reader it is, so
 * only their corpora differ. */
#ifndef FUZZ_READ_WEIGHTS_H
#define FUZZ_READ_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include <beam/nn.h>
#include <beam/weights.h>

/* Gives the weights to a network of conv {2, 1, 1, 1} and fc {2, 2}, which most do not fit. */
static inline void bind_weights(const beam_weights *w)
{
    beam_error err = {0};
    beam_network *net = beam_network_new("tiny");
    beam_value x = beam_nn_input(net, "x", 3, (const int64_t[]){1, 1, 1});
    x = beam_nn_relu(
        net, beam_nn_conv2d(net, x, "conv", .out_channels = 2, .kernel = 1, .no_bias = true));
    x = beam_nn_linear(net, beam_nn_flatten(net, x), "fc", .out_features = 2, .no_bias = true);
    beam_weight_source source = beam_weights_source(w);
    if (beam_network_finish(net, &x, 1, &err) == BEAM_OK)
        (void)beam_network_bind(net, &source, &err);
    beam_network_free(net);
}

static inline int read_weights(const uint8_t *data, size_t size)
{
    beam_weights *w = NULL;
    beam_error err = {0};
    if (beam_weights_open_memory(data, size, &w, &err) != BEAM_OK)
        return 0;
    /* Whatever was let in must be readable to its last byte. */
    for (size_t i = 0; i < beam_weights_count(w); i++) {
        beam_tensor t = beam_weights_tensor(w, i);
        const volatile uint8_t *at = t.data;
        size_t bytes = beam_tensor_bytes(&t);
        if (bytes)
            (void)(at[0] + at[bytes - 1]);
    }
    bind_weights(w);
    beam_weights_close(w);
    return 0;
}

#endif
