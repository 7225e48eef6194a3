/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_amx.c - the gradient of a convolution's weights in bf16 with AMX's tiles, which are to
 * matrices of 16 by 32 numbers what vectors are to rows.
 *
 * The gradient of a tap is a product of matrices: the result's gradient times the images moved by
 * the tap, summed over the positions of all images.  Images are laid out on lines of positions, see
 * onednn_amx.h, so that no tap needs a copy of its own.  AMX multiplies pairs of positions.  A tap
 * that moves by an odd number needs the pairs that begin at odd positions, so the images are laid
 * out twice, and every tile is one block of memory.
 *
 * This is done for as many positions at a time as leave both layouts in the caches.  Sums are the
 * same however many threads share the work. */
#include <stdatomic.h>

#include "device/onednn_amx.h"

/* Pairs that taps read beside `count` positions; the last of the odd ones ends one further on. */
static size_t pair_rows(const beam_onednn_amx *s, size_t count)
{
    return (beam_amx_before(s) + count + beam_amx_after(s)) / 2 + 1;
}

void beam_onednn_amx_cut(beam_onednn_amx *s)
{
    enum { SCRATCH = 1 << 20, FEWEST = 256 }; /* bytes; positions */
    size_t most =
        SCRATCH / (2 * BEAM_AMX_ROWS * (beam_amx_blocks(s->out) + 2 * beam_amx_blocks(s->in)));
    if (most < FEWEST)
        most = FEWEST;
    beam_amx_lay_out(s, most);
    const size_t positions = beam_amx_positions(s, BEAM_AMX_STEP);
    const size_t parts = (positions + most - 1) / most; /* of about the same size */
    s->at_once = beam_amx_round_up((positions + parts - 1) / parts, BEAM_AMX_STEP);
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

/* Some positions of a line: from `first` on, `count`, whole steps. */
typedef struct job {
    const beam_onednn_amx *shape;
    const uint16_t *x, *dy; /* of the line's first image */
    size_t images;          /* that are left; a line may have room for more */
    uint16_t *pairs[2]; /* of x: tiles of 16 pairs by 16 channels, from an even or odd position */
    uint16_t *columns;  /* of dy: tiles of 16 channels by 32 positions */
    float *dw;
    bool more; /* adds to dw */
    size_t first, count;
    _Atomic size_t next; /* square that nobody has begun */
} job;

/* ---- layouts ---- */

/* A walk over positions, from before the first to behind the last. */
typedef struct walk {
    const uint16_t *images;
    size_t count, height, width, channels;
    size_t row, image, column; /* where it is */
    size_t line, columns;      /* a row's images, and an image's columns with zeros */
    size_t ahead;              /* positions before the first */
} walk;

/* Over images of this size, `ahead` positions before the first or at `position`. */
static walk walk_from(const job *j, const uint16_t *images, size_t height, size_t width,
                      size_t channels, size_t ahead, size_t position)
{
    const beam_onednn_amx *s = j->shape;
    return (walk){.images = images,
                  .count = j->images,
                  .height = height,
                  .width = width,
                  .channels = channels,
                  .row = position / beam_amx_line(s),
                  .image = position / s->columns % s->images,
                  .column = position % s->columns,
                  .line = s->images,
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
    if (w->image < w->count && w->row < w->height && w->column < w->width)
        at = w->images + ((w->image * w->height + w->row) * w->width + w->column) * w->channels;
    if (++w->column == w->columns) {
        w->column = 0;
        if (++w->image == w->line) {
            w->image = 0;
            w->row++;
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

/* Both layouts of x, some rows of each block of channels. */
static BEAM_AMX_TARGET void make_pairs(const job *j, size_t from, size_t to)
{
    const beam_onednn_amx *s = j->shape;
    const size_t rows = pair_rows(s, j->count);
    const size_t at = j->first + 2 * from, before = beam_amx_before(s);
    walk w = walk_from(j, j->x, s->in_height, s->in_width, s->in, at < before ? before - at : 0,
                       at < before ? 0 : at - before);
    const uint16_t *third = walk_on(&w);
    for (size_t i = from; i < to; i++) {
        const uint16_t *first = third, *second = walk_on(&w);
        third = walk_on(&w);
        for (size_t b = 0; b < beam_amx_blocks(s->in); b++) {
            const size_t place = (b * rows + i) * BEAM_AMX_STEP;
            const __m256i middle = channels_at(second, b, s->in);
            _mm512_store_si512(j->pairs[0] + place,
                               beam_amx_interleaved(channels_at(first, b, s->in), middle));
            _mm512_store_si512(j->pairs[1] + place,
                               beam_amx_interleaved(middle, channels_at(third, b, s->in)));
        }
    }
}

/* The layout of dy, some steps of each block of channels. */
static BEAM_AMX_TARGET void make_columns(const job *j, size_t from, size_t to)
{
    const beam_onednn_amx *s = j->shape;
    const size_t steps = j->count / BEAM_AMX_STEP;
    const uint16_t *at[BEAM_AMX_STEP];
    walk w = walk_from(j, j->dy, s->height, s->width, s->out, 0, j->first + from * BEAM_AMX_STEP);
    for (size_t i = from; i < to; i++) {
        for (size_t k = 0; k < BEAM_AMX_STEP; k++)
            at[k] = walk_on(&w);
        for (size_t b = 0; b < beam_amx_blocks(s->out); b++) {
            uint16_t *tile = j->columns + (b * steps + i) * BEAM_AMX_HALVES;
            __m512i r[16];
            for (size_t k = 0; k < BEAM_AMX_ROWS; k++)
                r[k] = beam_amx_interleaved(channels_at(at[2 * k], b, s->out),
                                            channels_at(at[2 * k + 1], b, s->out));
            beam_amx_transpose(r);
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
    const size_t begin = beam_amx_before(s) - beam_amx_tap(s, s->padding, s->padding);
    const bool two_a = k + 1 < beam_amx_blocks(s->out), two_b = c + 1 < beam_amx_blocks(s->in);
    const uint16_t *a = j->columns + k * steps * BEAM_AMX_HALVES;
    for (size_t tap = 0; tap < taps; tap++) {
        const size_t at = begin + beam_amx_tap(s, tap / s->kernel, tap % s->kernel);
        const uint16_t *b = j->pairs[at % 2] + (c * rows + at / 2) * BEAM_AMX_STEP;
        float *dw = j->dw + ((k * beam_amx_blocks(s->in) + c) * taps + tap) * BEAM_AMX_FLOATS;
        const size_t below = beam_amx_blocks(s->in) * taps * BEAM_AMX_FLOATS,
                     next = taps * BEAM_AMX_FLOATS;
        if (two_a && two_b)
            multiply(a, steps * BEAM_AMX_HALVES, b, rows * BEAM_AMX_STEP, steps, dw, below, next,
                     j->more, true, true);
        else if (two_a)
            multiply(a, steps * BEAM_AMX_HALVES, b, 0, steps, dw, below, next, j->more, true,
                     false);
        else if (two_b)
            multiply(a, 0, b, rows * BEAM_AMX_STEP, steps, dw, below, next, j->more, false, true);
        else
            multiply(a, 0, b, 0, steps, dw, below, next, j->more, false, false);
    }
}

/* Whoever is free takes the next square: cores are not equally fast at all times. */
static BEAM_AMX_TARGET void product_part(void *context, unsigned part, unsigned parts)
{
    job *j = context;
    const size_t across = (beam_amx_blocks(j->shape->in) + 1) / 2,
                 down = (beam_amx_blocks(j->shape->out) + 1) / 2;
    (void)part;
    (void)parts;
    beam_amx_begin();
    for (size_t i; (i = atomic_fetch_add(&j->next, 1)) < across * down;)
        square(j, i / across * 2, i % across * 2);
    _tile_release();
}

/* ---- all positions ---- */

void beam_onednn_amx_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_onednn_amx *s = &kernel->amx;
    const size_t positions = beam_amx_positions(s, BEAM_AMX_STEP);
    job j = {.shape = s,
             .x = data[BEAM_AMX_GRAD_X],
             .dy = data[BEAM_AMX_GRAD_DY],
             .images = s->batch,
             .columns = data[BEAM_AMX_GRAD_SCRATCH],
             .dw = data[BEAM_AMX_GRAD_DWEIGHTS]};
    j.pairs[0] = j.columns + beam_amx_blocks(s->out) * s->at_once * BEAM_AMX_ROWS;
    j.pairs[1] = j.pairs[0] + beam_amx_blocks(s->in) * pair_rows(s, s->at_once) * BEAM_AMX_STEP;
    for (;;) {
        for (j.first = 0; j.first < positions; j.first += j.count, j.more = true) {
            j.count = positions - j.first < s->at_once ? positions - j.first : s->at_once;
            beam_onednn_parallel(threads, layout_part, &j);
            atomic_store(&j.next, 0);
            beam_onednn_parallel(threads, product_part, &j);
        }
        if (j.images <= s->images)
            return;
        j.images -= s->images;
        j.x += s->images * s->in_height * s->in_width * s->in;
        j.dy += s->images * s->height * s->width * s->out;
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
