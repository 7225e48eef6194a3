/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* random.c - Philox4x32-10. */
#include "nn/random.h"

beam_random4 beam_random_at(uint64_t seed, uint64_t stream, uint64_t counter)
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    beam_random4 x = {
        {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    for (int round = 0; round < 10; round++) {
        uint64_t a = UINT64_C(0xD2511F53) * x.at[0];
        uint64_t b = UINT64_C(0xCD9E8D57) * x.at[2];
        x = (beam_random4){{(uint32_t)(b >> 32) ^ x.at[1] ^ key0, (uint32_t)b,
                            (uint32_t)(a >> 32) ^ x.at[3] ^ key1, (uint32_t)a}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return x;
}
