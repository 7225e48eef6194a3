/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_amx_conv.c - a convolution in bf16 with AMX's tiles, which fills them whatever the width
 * of images.
 *
 * Some images are laid out on one line of positions, see onednn_amx.h, channels innermost: a tile
 * is any 16 positions one after another, whichever rows and images they are of, and a tap moves
 * where they begin.  What comes out at the zeros behind rows is not stored.
 *
 * A thread does the same for images of its own, and a result's sums are those of its position
 * alone. */
#include <stdatomic.h>
#include <string.h>

#include "device/onednn_amx.h"

/* Channels of the result that are made together, and positions. */
enum { SIDE = 32 };

/* From a position to the next: whole tiles, and an odd number of them, as otherwise all rows of a
 * tile would meet in the caches. */
static size_t stride_of(const beam_onednn_amx *s)
{
    return ((s->in + BEAM_AMX_STEP - 1) / BEAM_AMX_STEP | 1) * BEAM_AMX_STEP;
}

/* A thread's images, and for each position its place in the result. */
static size_t halves_of_images(const beam_onednn_amx *s)
{
    const size_t all = beam_amx_before(s) + beam_amx_positions(s, SIDE) + beam_amx_after(s);
    return beam_amx_round_up(all * stride_of(s), 32);
}

static size_t floats_of_thread(const beam_onednn_amx *s)
{
    return halves_of_images(s) / 2 + beam_amx_round_up(beam_amx_positions(s, SIDE), 16);
}

size_t beam_onednn_amx_conv_floats(const beam_onednn_amx *s, unsigned threads)
{
    return threads * floats_of_thread(s);
}

/* Tiles of weights: for each 32 of the result's channels, each tap and each 32 of the input's, two
 * tiles. */
static size_t tiles_of_panel(const beam_onednn_amx *s)
{
    return s->kernel * s->kernel * ((s->in + BEAM_AMX_STEP - 1) / BEAM_AMX_STEP) * 2;
}

size_t beam_onednn_amx_weights_floats(const beam_onednn_amx *s)
{
    return (s->out + SIDE - 1) / SIDE * tiles_of_panel(s) * BEAM_AMX_HALVES / 2;
}

void beam_onednn_amx_conv_cut(beam_onednn_amx *s)
{
    enum { POSITIONS = 512 }; /* in the second cache with a panel's weights */
    beam_amx_lay_out(s, POSITIONS);
}

bool beam_onednn_amx_conv_suits(const beam_onednn_amx *s)
{
    enum { LARGEST = 1 << 20 }; /* bytes of an image: half of the second cache */
    const double theirs = (double)s->width / (double)beam_amx_round_up(s->width, BEAM_AMX_ROWS);
    const double ours = (double)s->width / (double)s->columns;
    return s->kernel > 1 && ours > 0.9 * theirs &&
           s->in_height * s->columns * stride_of(s) * sizeof(uint16_t) <= LARGEST;
}

#if BEAM_AMX

/* ---- weights ---- */

typedef struct packing {
    const beam_onednn_amx *shape;
    const float *weights;
    uint16_t *tiles;
} packing;

/* As bf16, 16 weights between the forward convolution's channel `out` and those of its input from
 * `in` on; 0 where it has none. */
BEAM_AMX_INLINE __m256i weights_of(const packing *p, size_t out, size_t in, size_t tap)
{
    const beam_onednn_amx *s = p->shape;
    const size_t outs = s->turned ? s->in : s->out, ins = s->turned ? s->out : s->in;
    if (out >= outs || in >= ins)
        return _mm256_setzero_si256();
    const size_t block = out / BEAM_AMX_ROWS * beam_amx_blocks(ins) + in / BEAM_AMX_ROWS;
    const __mmask16 mask =
        (__mmask16)(ins - in >= BEAM_AMX_ROWS ? 0xffffu : (1u << (ins - in)) - 1);
    const float *at = p->weights + (block * s->kernel * s->kernel + tap) * BEAM_AMX_FLOATS +
                      out % BEAM_AMX_ROWS * BEAM_AMX_ROWS;
    return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, at));
}

/* A tile: 16 pairs of the input's channels from c on by 16 of the result's from k on. */
BEAM_AMX_INLINE void pack_tile(const packing *p, size_t c, size_t k, size_t tap, uint16_t *tile)
{
    const beam_onednn_amx *s = p->shape;
    __m512i rows[BEAM_AMX_ROWS];
    if (s->turned) {
        tap = s->kernel * s->kernel - 1 - tap;
        for (size_t i = 0; i < BEAM_AMX_ROWS; i++)
            rows[i] = beam_amx_interleaved(weights_of(p, c + 2 * i, k, tap),
                                           weights_of(p, c + 2 * i + 1, k, tap));
    } else {
        for (size_t i = 0; i < BEAM_AMX_ROWS; i++)
            rows[i] = _mm512_inserti64x4(_mm512_castsi256_si512(weights_of(p, k + i, c, tap)),
                                         weights_of(p, k + i, c + BEAM_AMX_ROWS, tap), 1);
        beam_amx_transpose(rows);
    }
    for (size_t i = 0; i < BEAM_AMX_ROWS; i++)
        _mm512_store_si512(tile + i * BEAM_AMX_STEP, rows[i]);
}

static BEAM_AMX_TARGET void pack_part(void *context, unsigned part, unsigned parts)
{
    const packing *p = context;
    const beam_onednn_amx *s = p->shape;
    const size_t taps = s->kernel * s->kernel, tiles = tiles_of_panel(s);
    size_t first, last;
    beam_onednn_share((s->out + SIDE - 1) / SIDE * tiles, 2, part, parts, &first, &last);
    for (size_t i = first; i < last; i++) {
        const size_t step = i % tiles / 2, steps = tiles / 2 / taps;
        pack_tile(p, step % steps * BEAM_AMX_STEP, i / tiles * SIDE + i % 2 * BEAM_AMX_ROWS,
                  step / steps, p->tiles + i * BEAM_AMX_HALVES);
    }
}

void beam_onednn_amx_weights(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    packing p = {&kernel->amx, data[BEAM_AMX_TAPS], data[BEAM_AMX_TILES]};
    beam_onednn_parallel(threads, pack_part, &p);
}

/* ---- images ---- */

typedef struct job {
    const beam_onednn_amx *shape;
    const uint16_t *x, *tiles;
    uint16_t *y;
    float *scratch;
    size_t of_thread;    /* floats of it */
    _Atomic size_t next; /* image that nobody has begun */
} job;

/* A thread's: some images from `first` on. */
typedef struct share {
    const job *job;
    uint16_t *x;     /* the first position; zeros but for the images' own */
    int32_t *places; /* of each position: the result's, from the first image's on; -1: none */
    size_t first, count;
} share;

static void place_positions(const share *sh)
{
    const beam_onednn_amx *s = sh->job->shape;
    for (size_t i = 0; i < beam_amx_positions(s, SIDE); i++) {
        const size_t row = i / beam_amx_line(s), image = i / s->columns % s->images;
        const size_t column = i % s->columns;
        const bool inside = row < s->height && column < s->width;
        sh->places[i] = inside ? (int32_t)((image * s->height + row) * s->width + column) : -1;
    }
}

static void copy_images(const share *sh)
{
    const beam_onednn_amx *s = sh->job->shape;
    const size_t stride = stride_of(s), channels = s->in;
    const uint16_t *from = sh->job->x + sh->first * s->in_height * s->in_width * channels;
    for (size_t image = 0; image < sh->count; image++)
        for (size_t row = 0; row < s->in_height; row++) {
            uint16_t *to = sh->x + (row * beam_amx_line(s) + image * s->columns) * stride;
            for (size_t i = 0; i < s->in_width; i++, to += stride, from += channels)
                memcpy(to, from, channels * sizeof *to);
        }
}

/* ---- products ---- */

/* 32 positions times a panel of weights, to 2 by 2 tiles of sums. */
BEAM_AMX_INLINE void multiply(const share *sh, const uint16_t *x, const uint16_t *w, float *sums)
{
    const beam_onednn_amx *s = sh->job->shape;
    const size_t stride = stride_of(s), bytes = stride * sizeof *x;
    const size_t steps = (s->in + BEAM_AMX_STEP - 1) / BEAM_AMX_STEP;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t row = 0; row < s->kernel; row++)
        for (size_t column = 0; column < s->kernel; column++) {
            const uint16_t *a = x + beam_amx_tap(s, row, column) * stride;
            for (size_t i = 0; i < steps; i++, a += BEAM_AMX_STEP, w += 2 * BEAM_AMX_HALVES) {
                _tile_loadd(4, a, bytes);
                _tile_loadd(6, w, BEAM_AMX_BYTES);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(7, w + BEAM_AMX_HALVES, BEAM_AMX_BYTES);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, a + BEAM_AMX_ROWS * stride, bytes);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
    _tile_stored(0, sums, BEAM_AMX_BYTES);
    _tile_stored(1, sums + BEAM_AMX_FLOATS, BEAM_AMX_BYTES);
    _tile_stored(2, sums + 2 * BEAM_AMX_FLOATS, BEAM_AMX_BYTES);
    _tile_stored(3, sums + 3 * BEAM_AMX_FLOATS, BEAM_AMX_BYTES);
}

BEAM_AMX_INLINE void store(const share *sh, size_t position, size_t panel, const float *sums)
{
    const beam_onednn_amx *s = sh->job->shape;
    const size_t left = s->out - panel * SIDE;
    const __mmask32 mask = left >= SIDE ? 0xffffffff : (__mmask32)((1u << left) - 1);
    uint16_t *y = sh->job->y + sh->first * s->height * s->width * s->out + panel * SIDE;
    const int32_t end = (int32_t)(sh->count * s->height * s->width);
    for (size_t i = 0; i < SIDE; i++) {
        const int32_t place = sh->places[position + i];
        const float *row =
            sums + i / BEAM_AMX_ROWS * 2 * BEAM_AMX_FLOATS + i % BEAM_AMX_ROWS * BEAM_AMX_ROWS;
        if (place < 0 || place >= end)
            continue;
        const __m512bh halves =
            _mm512_cvtne2ps_pbh(_mm512_load_ps(row + BEAM_AMX_FLOATS), _mm512_load_ps(row));
        _mm512_mask_storeu_epi16(y + (size_t)place * s->out, mask, (__m512i)halves);
    }
}

static BEAM_AMX_TARGET void multiply_images(const share *sh)
{
    const beam_onednn_amx *s = sh->job->shape;
    const size_t positions = beam_amx_positions(s, SIDE);
    const size_t stride = stride_of(s), tiles = tiles_of_panel(s);
    const size_t back = beam_amx_tap(s, s->padding, s->padding) * stride;
    float sums[4 * BEAM_AMX_FLOATS] __attribute__((aligned(64)));
    for (size_t panel = 0; panel * SIDE < s->out; panel++)
        for (size_t i = 0; i < positions; i += SIDE) {
            multiply(sh, sh->x + i * stride - back,
                     sh->job->tiles + panel * tiles * BEAM_AMX_HALVES, sums);
            store(sh, i, panel, sums);
        }
}

/* Whoever is free takes the next line: cores are not equally fast at all times. */
static BEAM_AMX_TARGET void conv_part(void *context, unsigned part, unsigned parts)
{
    job *j = context;
    const beam_onednn_amx *s = j->shape;
    float *memory = j->scratch + part * j->of_thread;
    share sh = {.job = j, .places = (int32_t *)(void *)(memory + halves_of_images(s) / 2)};
    (void)parts;
    memset(memory, 0, halves_of_images(s) * sizeof(uint16_t));
    sh.x = (uint16_t *)(void *)memory + beam_amx_before(s) * stride_of(s);
    place_positions(&sh);
    beam_amx_begin();
    while ((sh.first = atomic_fetch_add(&j->next, s->images)) < s->batch) {
        sh.count = s->batch - sh.first < s->images ? s->batch - sh.first : s->images;
        copy_images(&sh);
        beam_amx_fence();
        multiply_images(&sh);
    }
    _tile_release();
}

void beam_onednn_amx_conv(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    beam_onednn_amx s = kernel->amx;
    job j = {.shape = &s,
             .x = data[BEAM_AMX_X],
             .tiles = data[BEAM_AMX_WEIGHTS],
             .y = data[BEAM_AMX_Y],
             .scratch = data[BEAM_AMX_SCRATCH],
             .of_thread = floats_of_thread(&s)};
    const size_t each = (s.batch + threads - 1) / threads;
    beam_amx_share_lines(&s, s.images < each ? s.images : each); /* one for every thread */
    beam_onednn_parallel(threads, conv_part, &j);
}
#else
void beam_onednn_amx_weights(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    (void)kernel; /* there is nothing that would call it, as below */
    (void)data;
    (void)threads;
}

void beam_onednn_amx_conv(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    (void)kernel;
    (void)data;
    (void)threads;
}
#endif
