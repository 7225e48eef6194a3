/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_amx.c - the gradient of a convolution's weights in bf16 with AMX's tiles, which are to
 * matrices of 16 by 32 numbers what vectors are to rows.
 *
 * The gradient of a tap is a product of matrices: the result's gradient times the images moved by
 * the tap, summed over the positions of all images.  Images are laid out one after another on one
 * line of positions, with as many zeros after each row and each image as the taps reach over its
 * edge, so that to move the images is to begin reading elsewhere: no tap needs a copy of its own.
 * AMX multiplies pairs of positions.  A tap that moves by an odd number needs the pairs that begin
 * at odd positions, so the images are laid out twice, and every tile is one block of memory.
 *
 * This is done for as many positions at a time as leave both layouts in the caches.  Sums are the
 * same however many threads share the work. */
#include "device/onednn_amx.h"

/* Pairs that taps read beside `count` positions; the last of the odd ones ends one further on. */
static size_t pair_rows(const beam_onednn_amx *s, size_t count)
{
    return (s->before + count + s->after) / 2 + 1;
}

void beam_onednn_amx_cut(beam_onednn_amx *s)
{
    enum { SCRATCH = 1 << 20, FEWEST = 256 }; /* bytes; positions */
    const size_t reach = s->kernel - 1 - s->padding;
    s->columns = s->in_width + s->padding;
    if (s->columns < s->width + reach)
        s->columns = s->width + reach;
    s->rows = s->in_height + s->padding;
    if (s->rows < s->height + reach)
        s->rows = s->height + reach;
    s->before = beam_amx_round_up(s->padding * s->columns + s->padding, 2);
    s->after = reach * s->columns + reach;
    const size_t positions = beam_amx_round_up(s->batch * s->rows * s->columns, BEAM_AMX_STEP);
    s->at_once = SCRATCH /
                 (2 * BEAM_AMX_ROWS * (beam_amx_blocks(s->out) + 2 * beam_amx_blocks(s->in))) /
                 BEAM_AMX_STEP * BEAM_AMX_STEP;
    if (s->at_once < FEWEST)
        s->at_once = FEWEST;
    if (s->at_once > positions)
        s->at_once = positions;
}

size_t beam_onednn_amx_floats(const beam_onednn_amx *s)
{
    return (beam_amx_blocks(s->out) * s->at_once * BEAM_AMX_ROWS +
            2 * beam_amx_blocks(s->in) * pair_rows(s, s->at_once) * BEAM_AMX_STEP) /
           2;
}

#if BEAM_AMX
#include <sys/syscall.h>
#include <unistd.h>

bool beam_onednn_amx_here(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    const unsigned amx = dnnl_cpu_isa_avx512_core_amx;
    return ((unsigned)dnnl_get_effective_cpu_isa() & amx) == amx &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* Some positions: from `first` on, `count`, whole steps. */
typedef struct job {
    const beam_onednn_amx *shape;
    const uint16_t *x, *dy;
    uint16_t *pairs[2]; /* of x: tiles of 16 pairs by 16 channels, from an even or odd position */
    uint16_t *columns;  /* of dy: tiles of 16 channels by 32 positions */
    float *dw;
    size_t first, count;
} job;

/* ---- layouts ---- */

/* A walk over positions, from before the first to behind the last. */
typedef struct walk {
    const uint16_t *images;
    size_t batch, height, width, channels;
    size_t image, row, column; /* where it is */
    size_t rows, columns;      /* with zeros */
    size_t ahead;              /* positions before the first */
} walk;

/* Over images with so many of the shape's rows and columns their own, `ahead` positions before the
 * first or at `position`. */
static walk walk_from(const beam_onednn_amx *s, const uint16_t *images, size_t height, size_t width,
                      size_t channels, size_t ahead, size_t position)
{
    return (walk){.images = images,
                  .batch = s->batch,
                  .height = height,
                  .width = width,
                  .channels = channels,
                  .image = position / (s->rows * s->columns),
                  .row = position / s->columns % s->rows,
                  .column = position % s->columns,
                  .rows = s->rows,
                  .columns = s->columns,
                  .ahead = ahead};
}

/* The channels at this position, NULL where there are but zeros; goes on to the next. */
static inline const uint16_t *walk_on(walk *w)
{
    const uint16_t *at = NULL;
    if (w->ahead > 0) {
        w->ahead--;
        return NULL;
    }
    if (w->image < w->batch && w->row < w->height && w->column < w->width)
        at = w->images + ((w->image * w->height + w->row) * w->width + w->column) * w->channels;
    if (++w->column == w->columns) {
        w->column = 0;
        if (++w->row == w->rows) {
            w->row = 0;
            w->image++;
        }
    }
    return at;
}

BEAM_AMX_INLINE __m256i channels_at(const uint16_t *at, size_t block, size_t channels)
{
    const size_t left = channels - block * BEAM_AMX_ROWS;
    const __mmask16 mask = (__mmask16)(left >= BEAM_AMX_ROWS ? 0xffffu : (1u << left) - 1);
    return at ? _mm256_maskz_loadu_epi16(mask, at + block * BEAM_AMX_ROWS) : _mm256_setzero_si256();
}

/* Channel by channel: a's number, b's number. */
BEAM_AMX_INLINE __m512i interleaved(__m256i a, __m256i b)
{
    const __m512i from =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(from, _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1));
}

/* Both layouts of x, some rows of each block of channels. */
static BEAM_AMX_TARGET void make_pairs(const job *j, size_t from, size_t to)
{
    const beam_onednn_amx *s = j->shape;
    const size_t rows = pair_rows(s, j->count);
    const size_t at = j->first + 2 * from;
    walk w = walk_from(s, j->x, s->in_height, s->in_width, s->in,
                       at < s->before ? s->before - at : 0, at < s->before ? 0 : at - s->before);
    const uint16_t *third = walk_on(&w);
    for (size_t i = from; i < to; i++) {
        const uint16_t *first = third, *second = walk_on(&w);
        third = walk_on(&w);
        for (size_t b = 0; b < beam_amx_blocks(s->in); b++) {
            const size_t place = (b * rows + i) * BEAM_AMX_STEP;
            const __m256i middle = channels_at(second, b, s->in);
            _mm512_store_si512(j->pairs[0] + place,
                               interleaved(channels_at(first, b, s->in), middle));
            _mm512_store_si512(j->pairs[1] + place,
                               interleaved(middle, channels_at(third, b, s->in)));
        }
    }
}

/* Rows of 16 words become columns. */
BEAM_AMX_INLINE void transpose(__m512i r[16])
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

/* The layout of dy, some steps of each block of channels. */
static BEAM_AMX_TARGET void make_columns(const job *j, size_t from, size_t to)
{
    const beam_onednn_amx *s = j->shape;
    const size_t steps = j->count / BEAM_AMX_STEP;
    const uint16_t *at[BEAM_AMX_STEP];
    walk w = walk_from(s, j->dy, s->height, s->width, s->out, 0, j->first + from * BEAM_AMX_STEP);
    for (size_t i = from; i < to; i++) {
        for (size_t k = 0; k < BEAM_AMX_STEP; k++)
            at[k] = walk_on(&w);
        for (size_t b = 0; b < beam_amx_blocks(s->out); b++) {
            uint16_t *tile = j->columns + (b * steps + i) * BEAM_AMX_HALVES;
            __m512i r[16];
            for (size_t k = 0; k < BEAM_AMX_ROWS; k++)
                r[k] = interleaved(channels_at(at[2 * k], b, s->out),
                                   channels_at(at[2 * k + 1], b, s->out));
            transpose(r);
            for (size_t k = 0; k < BEAM_AMX_ROWS; k++)
                _mm512_store_si512(tile + k * BEAM_AMX_STEP, r[k]);
        }
    }
}

static void layout_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    size_t first, last;
    beam_onednn_share(pair_rows(j->shape, j->count), 1, part, parts, &first, &last);
    make_pairs(j, first, last);
    beam_onednn_share(j->count / BEAM_AMX_STEP, 1, part, parts, &first, &last);
    make_columns(j, first, last);
}

/* ---- products ---- */

/* Up to 2 by 2 tiles of a tap's gradient, `next` from one to its right neighbour and `below` to
 * the one below. */
BEAM_AMX_INLINE void multiply(const uint16_t *a, size_t next_a, const uint16_t *b, size_t next_b,
                              size_t steps, float *c, size_t below, size_t next, bool more,
                              bool two_a, bool two_b)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (more) {
        _tile_loadd(0, c, BEAM_AMX_BYTES);
        if (two_b)
            _tile_loadd(1, c + next, BEAM_AMX_BYTES);
        if (two_a)
            _tile_loadd(2, c + below, BEAM_AMX_BYTES);
        if (two_a && two_b)
            _tile_loadd(3, c + below + next, BEAM_AMX_BYTES);
    }
    for (size_t i = 0; i < steps; i++, a += BEAM_AMX_HALVES, b += BEAM_AMX_HALVES) {
        _tile_loadd(4, a, BEAM_AMX_BYTES);
        _tile_loadd(6, b, BEAM_AMX_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        if (two_b) {
            _tile_loadd(7, b + next_b, BEAM_AMX_BYTES);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_a) {
            _tile_loadd(5, a + next_a, BEAM_AMX_BYTES);
            _tile_dpbf16ps(2, 5, 6);
            if (two_b)
                _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, BEAM_AMX_BYTES);
    if (two_b)
        _tile_stored(1, c + next, BEAM_AMX_BYTES);
    if (two_a)
        _tile_stored(2, c + below, BEAM_AMX_BYTES);
    if (two_a && two_b)
        _tile_stored(3, c + below + next, BEAM_AMX_BYTES);
}

/* All taps' gradients of two blocks of the result's channels and two of the input's. */
static BEAM_AMX_TARGET void square(const job *j, size_t k, size_t c)
{
    const beam_onednn_amx *s = j->shape;
    const size_t taps = s->kernel * s->kernel, steps = j->count / BEAM_AMX_STEP;
    const size_t rows = pair_rows(s, j->count);
    const bool two_a = k + 1 < beam_amx_blocks(s->out), two_b = c + 1 < beam_amx_blocks(s->in);
    const uint16_t *a = j->columns + k * steps * BEAM_AMX_HALVES;
    for (size_t tap = 0; tap < taps; tap++) {
        const size_t at = s->before + tap / s->kernel * s->columns + tap % s->kernel -
                          (s->padding * s->columns + s->padding);
        const uint16_t *b = j->pairs[at % 2] + (c * rows + at / 2) * BEAM_AMX_STEP;
        float *dw = j->dw + ((k * beam_amx_blocks(s->in) + c) * taps + tap) * BEAM_AMX_FLOATS;
        const size_t below = beam_amx_blocks(s->in) * taps * BEAM_AMX_FLOATS,
                     next = taps * BEAM_AMX_FLOATS;
        const bool more = j->first > 0;
        if (two_a && two_b)
            multiply(a, steps * BEAM_AMX_HALVES, b, rows * BEAM_AMX_STEP, steps, dw, below, next,
                     more, true, true);
        else if (two_a)
            multiply(a, steps * BEAM_AMX_HALVES, b, 0, steps, dw, below, next, more, true, false);
        else if (two_b)
            multiply(a, 0, b, rows * BEAM_AMX_STEP, steps, dw, below, next, more, false, true);
        else
            multiply(a, 0, b, 0, steps, dw, below, next, more, false, false);
    }
}

static BEAM_AMX_TARGET void product_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    size_t first, last;
    const size_t across = (beam_amx_blocks(j->shape->in) + 1) / 2,
                 down = (beam_amx_blocks(j->shape->out) + 1) / 2;
    beam_amx_begin();
    beam_onednn_share(across * down, 1, part, parts, &first, &last);
    for (size_t i = first; i < last; i++)
        square(j, i / across * 2, i % across * 2);
    _tile_release();
}

/* ---- all positions ---- */

void beam_onednn_amx_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_onednn_amx *s = &kernel->amx;
    const size_t positions = beam_amx_round_up(s->batch * s->rows * s->columns, BEAM_AMX_STEP);
    job j = {.shape = s,
             .x = data[BEAM_AMX_GRAD_X],
             .dy = data[BEAM_AMX_GRAD_DY],
             .columns = data[BEAM_AMX_GRAD_SCRATCH],
             .dw = data[BEAM_AMX_GRAD_DWEIGHTS]};
    j.pairs[0] = j.columns + beam_amx_blocks(s->out) * s->at_once * BEAM_AMX_ROWS;
    j.pairs[1] = j.pairs[0] + beam_amx_blocks(s->in) * pair_rows(s, s->at_once) * BEAM_AMX_STEP;
    for (; j.first < positions; j.first += j.count) {
        j.count = positions - j.first < s->at_once ? positions - j.first : s->at_once;
        beam_onednn_parallel(threads, layout_part, &j);
        beam_onednn_parallel(threads, product_part, &j);
    }
}
#else
bool beam_onednn_amx_here(void)
{
    return false;
}

void beam_onednn_amx_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    (void)kernel; /* there is nothing that would call it */
    (void)data;
    (void)threads;
}
#endif
