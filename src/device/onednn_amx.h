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

/* ---- positions ----
 * Some images lie on one line of positions: the first row of each, one after another, then the
 * second of each, and so on, every row with as many zeros behind it as the taps reach over its
 * edge.  To move all images by a tap is to begin elsewhere on the line, and above and below them
 * zeros are needed once, and not in each image. */

/* Positions of a row of all images. */
static inline size_t beam_amx_line(const beam_onednn_amx *s)
{
    return s->images * s->columns;
}

/* Where the results are, in whole units. */
static inline size_t beam_amx_positions(const beam_onednn_amx *s, size_t unit)
{
    return beam_amx_round_up(s->height * beam_amx_line(s), unit);
}

/* What the taps reach over both ends; an even number before, as positions go in pairs. */
static inline size_t beam_amx_before(const beam_onednn_amx *s)
{
    return beam_amx_round_up(s->padding * beam_amx_line(s) + s->padding, 2);
}

static inline size_t beam_amx_after(const beam_onednn_amx *s)
{
    const size_t reach = s->kernel - 1 - s->padding;
    return reach * beam_amx_line(s) + reach;
}

/* How far a tap is from the first one. */
static inline size_t beam_amx_tap(const beam_onednn_amx *s, size_t row, size_t column)
{
    return row * beam_amx_line(s) + column;
}

/* The batch's images on lines of at most so many, as many on each. */
static inline void beam_amx_share_lines(beam_onednn_amx *s, size_t images)
{
    const size_t lines = (s->batch + images - 1) / images;
    s->images = (s->batch + lines - 1) / lines;
}

/* The shape's columns, and images of which a line has about so many positions. */
static inline void beam_amx_lay_out(beam_onednn_amx *s, size_t positions)
{
    const size_t reach = s->kernel - 1 - s->padding;
    s->columns = s->in_width + s->padding;
    if (s->columns < s->width + reach)
        s->columns = s->width + reach;
    const size_t images = positions / (s->height * s->columns);
    beam_amx_share_lines(s, images > 0 ? images : 1);
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

/* Channel by channel: a's number, b's number. */
BEAM_AMX_INLINE __m512i beam_amx_interleaved(__m256i a, __m256i b)
{
    const __m512i from =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(from, _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1));
}

/* Rows of 16 words become columns. */
BEAM_AMX_INLINE void beam_amx_transpose(__m512i r[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int k = 0; k < 2; k++) {
            r[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]);
            r[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
        }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            t[i + 8 * k] = _mm512_shuffle_i32x4(r[i + 8 * k], r[i + 4 + 8 * k], 0x88);
            t[i + 4 + 8 * k] = _mm512_shuffle_i32x4(r[i + 8 * k], r[i + 4 + 8 * k], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
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
