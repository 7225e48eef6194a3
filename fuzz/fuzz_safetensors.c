/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_safetensors.c - the reader of safetensors files. */
#include <stddef.h>
#include <stdint.h>

#include <beam/weights.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
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
    beam_weights_close(w);
    return 0;
}
