/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "scaled.h"

#include "support/files.h"

beam_status scaled_network(const beam_model_spec *spec, beam_network **network, beam_error *err)
{
    (void)spec;
    beam_network *net = beam_network_new("scaled");
    beam_value x = beam_nn_input(net, "x", 1, (const int64_t[]){SCALED_WIDE});
    x = beam_nn_linear(net, x, "fc", .out_features = SCALED_WIDE);
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

void scaled_write(const char *path, int n)
{
    float weight[SCALED_WIDE][SCALED_WIDE] = {{0}}, bias[SCALED_WIDE];
    for (int i = 0; i < SCALED_WIDE; i++)
        bias[i] = weight[i][i] = (float)n;
    const beam_named_tensor tensors[] = {
        {"fc.weight",
         {.dtype = BEAM_F32, .rank = 2, .shape = {SCALED_WIDE, SCALED_WIDE}, .data = weight}},
        {"fc.bias", {.dtype = BEAM_F32, .rank = 1, .shape = {SCALED_WIDE}, .data = bias}}};
    beam_error err = {0};
    assert_ok(beam_weights_save_safetensors(path, tensors, 2, NULL, 0, &err), err);
}

beam_model_spec scaled_spec(const char *path)
{
    return (beam_model_spec){.network = beam_str_of("scaled"),
                             .weights = beam_str_of(path),
                             .device = beam_str_of("reference")};
}
