/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* read_weights.h - what the targets of weight files do; the bytes decide which reader it is, so
 * only their corpora differ. */
#ifndef FUZZ_READ_WEIGHTS_H
#define FUZZ_READ_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include <beam/weights.h>

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
    beam_weights_close(w);
    return 0;
}

#endif
