/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pth.c - the readers of PyTorch's zip and legacy files, and of the pickles in them. */
#include "read_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return read_weights(data, size);
}
