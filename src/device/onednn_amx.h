/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_amx.h - what loops with AMX's tiles share: Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 1, chapter 18. */
#ifndef DEVICE_ONEDNN_AMX_H
#define DEVICE_ONEDNN_AMX_H

#include "device/onednn_kernels.h"

/* A tile has 16 rows: of 16 floats, or of 32 bf16 of which each two are a pair. */
enum {
    BEAM_AMX_ROWS = 16,
    BEAM_AMX_STEP = 32,
    BEAM_AMX_BYTES = 64,   /* of a row */
    BEAM_AMX_FLOATS = 256, /* of a tile */
    BEAM_AMX_HALVES = 512,
};

static inline size_t beam_amx_blocks(size_t channels)
{
    return (channels + BEAM_AMX_ROWS - 1) / BEAM_AMX_ROWS;
}

static inline size_t beam_amx_round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

#if defined(__x86_64__) && defined(__linux__)
#define BEAM_AMX 1
#include <immintrin.h>

/* AddressSanitizer's copy of a stack frame is aligned less than GCC takes for granted with vectors
 * of 64 bytes (GCC bug 110027). */
#define BEAM_AMX_TARGET                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16"), \
                   no_sanitize("address")))
#define BEAM_AMX_INLINE static inline __attribute__((always_inline)) BEAM_AMX_TARGET

/* What was stored is in memory from here on: GCC's intrinsics for tiles do not say that they read
 * it. */
static inline void beam_amx_fence(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Eight whole tiles for this thread, until _tile_release. */
BEAM_AMX_INLINE void beam_amx_begin(void)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = BEAM_AMX_BYTES;
        config.rows[i] = BEAM_AMX_ROWS;
    }
    __asm__ volatile("" ::"r"(&config) : "memory"); /* nobody else sees its address */
    _tile_loadconfig(&config);
}
#endif

#endif
