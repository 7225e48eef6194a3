/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_checkpoint.c - the reader of checkpoints, behind their checksum: it is made right for every
 * input. */
#include <stdlib.h>
#include <string.h>

#include "ml/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    beam_checkpoint c;
    uint8_t *file = malloc(size + 8);
    if (!file)
        return 0;
    uint64_t sum = beam_checkpoint_sum(data, size);
    memcpy(file, data, size);
    memcpy(file + size, &sum, sizeof sum);
    if (beam_checkpoint_parse("fuzz", file, size + 8, &c, NULL) == BEAM_OK) {
        /* Whatever was let in must be readable to its last byte. */
        for (size_t i = 0; i < beam_weights_count(c.weights); i++) {
            beam_tensor t = beam_weights_tensor(c.weights, i);
            const volatile uint8_t *at = t.data;
            size_t bytes = beam_tensor_bytes(&t);
            if (bytes)
                (void)(at[0] + at[bytes - 1]);
        }
        beam_checkpoint_close(&c);
    }
    free(file);
    return 0;
}
