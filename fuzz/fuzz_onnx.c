/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_onnx.c - the look through ONNX files that OpenVINO is then given. */
#include "device/foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    beam_error err = {0};
    (void)beam_onnx_check(data, size, &err);
    return 0;
}
