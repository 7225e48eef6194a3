/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_winograd.c - convolutions of 3x3 by Winograd's minimal filtering (Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks", 2015).
 *
 * A tile of 4x4 outputs is what 6x6 inputs make: seen as polynomials that are multiplied by their
 * values at points, it takes 36 products of numbers where the sums of the definition take 144.
 * The values at the points are V of the inputs and U of the weights, and over all channels and
 * tiles each point is a product of matrices, M = V U.  So there are three passes over some tiles at
 * a time: inputs to V, products, M to outputs; V and M stay in the caches, and the tiles are so
 * many that reading U is little beside multiplying with it.
 *
 * The points of 4x4 are 0, 5/8, -5/8, 3/2, -3/2 and infinity, which lose less to rounding than the
 * paper's 0, 1, -1, 2 and -2; all constants are exact.
 *
 * An image of 2x2 is one tile, and of what a tile takes in the rest is padding: x0 and x1 make
 * x0 w1 + x1 w2 and x0 w0 + x1 w1, which is (x0 + x1) w1, with x1 (w2 - w1) added or x0 (w0 - w1).
 * So it takes 9 products of numbers where the sums without the padding take 16.
 *
 * Of a gradient of the result, the gradient of the inputs is such a convolution, with the weights'
 * windows turned.  U's is a product of matrices at each point again, V transposed times what the
 * result's gradient comes to when the result's transform is transposed, summed over all tiles, and
 * the weights' is what the transform of the weights, transposed, makes of it.
 *
 * Where the window is the whole image, a tile is its one output and there are no points: the
 * image's numbers are a row of a matrix, its channels so to say.  Nothing is saved but what is lost
 * when every image is multiplied by itself.
 *
 * A tile's sums are the same whichever tiles it is done with and however many threads do it. */
#include "device/onednn_kernels.h"
#include "device/onednn_vector.h"

/* The points, their squares and so on. */
#define A BEAM_WINOGRAD_A
#define B BEAM_WINOGRAD_B
#define A2 (A * A)
#define B2 (B * B)

/* Inputs of a tile of so many outputs, each way. */
#define INPUTS(OUTPUTS) ((OUTPUTS) == 4 ? 6 : (OUTPUTS))

/* Some tiles: from `first` on, as many as V and M hold. */
typedef struct job {
    const beam_onednn_kernel *kernel;
    const float *x, *u, *bias, *addend;
    float *y, *v, *m, *du; /* `y` is only read, and `m` its tiles, where `du` is made */
    size_t first, count, blocks;
    size_t block;          /* tiles that lie side by side */
    size_t v_slot, m_slot; /* from one matrix to the next */
    size_t m_channels;     /* the output's, in whole panels */
} job;

typedef struct place {
    size_t image;
    long row, column; /* of its first output */
} place;

static inline place place_of(const beam_onednn_winograd *w, size_t tile)
{
    size_t in_image = tile % (w->down * w->across);
    return (place){tile / (w->down * w->across), (long)(in_image / w->across * w->outputs),
                   (long)(in_image % w->across * w->outputs)};
}

/* Where tile t has channel c in V or M: a block's tiles side by side for each vector of channels,
 * as the products read them. */
static inline size_t spot(size_t block, size_t channels, size_t t, size_t c, size_t width)
{
    return t / block * block * channels + c * block + t % block * width;
}

/* An image: from a point to the next, and from a vector of channels to the next. */
typedef struct picture {
    long height, width;
    size_t point, chunk;
} picture;

static inline picture picture_of(const beam_onednn_winograd *w, size_t height, size_t width,
                                 size_t channels)
{
    picture p = {(long)height, (long)width, channels, w->lanes};
    if (w->blocked) {
        p.point = w->lanes;
        p.chunk = height * width * w->lanes;
    }
    return p;
}

/* Weights of a convolution, and U of it or of its input's gradient. */
typedef struct packing {
    float *weights, *u;
    size_t in, out; /* of what U is multiplied with */
    size_t columns; /* `out` in whole panels */
} packing;

/* Where a matrix of U has the weight between channels c and k, which a vector begins with. */
static inline size_t place_in_u(size_t in, size_t c, size_t k, size_t width)
{
    const size_t columns = 2 * width;
    return (k / columns * in + c) * columns + k % columns;
}

#if defined(__x86_64__)
#define WIDTH 16
#define BLOCK 8
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define CHANNELS 8
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define NAME(x) x##_16
#define vector __m512
#define SPREAD(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#include "device/onednn_winograd_lanes.h"

#define WIDTH 8
#define BLOCK 6
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define CHANNELS 4
#define ALL(X) X(0) X(1) X(2) X(3)
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(x) x##_8
#define vector __m256
#define SPREAD(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#include "device/onednn_winograd_lanes.h"
#endif

typedef float four __attribute__((vector_size(16)));
#define WIDTH 4
#define BLOCK 4
#define ROWS(X) X(0) X(1) X(2) X(3)
#define CHANNELS 4
#define ALL(X) X(0) X(1) X(2) X(3)
#define TARGET
#define NAME(x) x##_4
#define vector four
#define SPREAD(x) ((four){x, x, x, x})
#define FMA(a, b, c) ((a) * (b) + (c))
#include "device/onednn_winograd_lanes.h"

typedef struct loops {
    void (*input)(const job *j, size_t first, size_t last);
    void (*product)(const job *j, size_t matrix, size_t panel);
    void (*output)(const job *j, size_t first, size_t last);
    void (*gradient)(const job *j, size_t first, size_t last);
    void (*outer_product)(const job *j, size_t matrix, size_t panel);
    void (*weights)(const packing *p, size_t first, size_t last);
    void (*weights_turned)(const packing *p, size_t first, size_t last);
    void (*weights_back)(const packing *p, size_t first, size_t last);
} loops;

#define LOOPS(N)                                                                          \
    {                                                                                     \
        input_##N, product_##N, output_##N, gradient_##N, outer_product_##N, weights_##N, \
            weights_turned_##N, weights_back_##N                                          \
    }

static const loops *loops_of(size_t lanes)
{
    static const loops portable = LOOPS(4);
#if defined(__x86_64__)
    static const loops avx2 = LOOPS(8), avx512 = LOOPS(16);
    if (lanes == 16)
        return &avx512;
    if (lanes == 8)
        return &avx2;
#endif
    (void)lanes;
    return &portable;
}

/* Tiles that fill the last block are 0, so that nothing is computed with what lay there. */
static void clear_rest(const job *j)
{
    const beam_onednn_winograd *w = &j->kernel->winograd;
    const size_t side = beam_onednn_winograd_side(w->outputs);
    for (size_t matrix = 0; matrix < side * side; matrix++)
        for (size_t t = j->count; t < j->blocks * j->block; t++)
            for (size_t c = 0; c < w->in; c += w->lanes)
                memset(j->v + matrix * j->v_slot + spot(j->block, w->in, t, c, w->lanes), 0,
                       w->lanes * sizeof(float));
}

static void input_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, j->block, part, parts, &first, &last);
    loops_of(j->kernel->winograd.lanes)->input(j, first, last);
    if (part + 1 == parts)
        clear_rest(j);
}

static void product_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    const beam_onednn_winograd *w = &j->kernel->winograd;
    const loops *l = loops_of(w->lanes);
    const size_t side = beam_onednn_winograd_side(w->outputs);
    const size_t panels = beam_onednn_winograd_panels(w);
    size_t first, last;
    beam_onednn_share(side * side * panels, 1, part, parts, &first, &last);
    for (size_t i = first; i < last; i++)
        l->product(j, i / panels, i % panels);
}

static void output_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    size_t first, last;
    beam_onednn_share(j->count, j->block, part, parts, &first, &last);
    loops_of(j->kernel->winograd.lanes)->output(j, first, last);
}

/* From one matrix to the next: not a power of two, at which they would meet in the caches. */
static size_t slot(size_t tiles, size_t channels)
{
    return tiles * channels + BEAM_LANES;
}

size_t beam_onednn_winograd_panels(const beam_onednn_winograd *w)
{
    return (w->out + 2 * w->lanes - 1) / (2 * w->lanes);
}

/* The output's channels in whole panels. */
static size_t columns_of(const beam_onednn_winograd *w)
{
    return beam_onednn_winograd_panels(w) * 2 * w->lanes;
}

size_t beam_onednn_winograd_floats(const beam_onednn_winograd *w)
{
    const size_t side = beam_onednn_winograd_side(w->outputs);
    return side * side * (slot(w->at_once, w->in) + slot(w->at_once, columns_of(w)));
}

void beam_onednn_winograd_run(const beam_onednn_kernel *kernel, void *const *data, unsigned threads)
{
    const beam_onednn_winograd *w = &kernel->winograd;
    const size_t tiles = w->batch * w->down * w->across;
    const size_t side = beam_onednn_winograd_side(w->outputs);
    job j = {.kernel = kernel,
             .x = data[BEAM_WINOGRAD_X],
             .u = data[BEAM_WINOGRAD_WEIGHTS],
             .bias = data[BEAM_WINOGRAD_BIAS],
             .addend = data[BEAM_WINOGRAD_ADDEND],
             .y = data[BEAM_WINOGRAD_Y],
             .v = data[BEAM_WINOGRAD_SCRATCH],
             .block = beam_onednn_winograd_block(w->lanes),
             .v_slot = slot(w->at_once, w->in),
             .m_channels = columns_of(w)};
    j.m_slot = slot(w->at_once, j.m_channels);
    j.m = j.v + side * side * j.v_slot;
    for (; j.first < tiles; j.first += j.count) {
        j.count = tiles - j.first < w->at_once ? tiles - j.first : w->at_once;
        j.blocks = beam_onednn_winograd_blocks(w->lanes, j.count);
        beam_onednn_parallel(threads, input_part, &j);
        beam_onednn_parallel(threads, product_part, &j);
        beam_onednn_parallel(threads, output_part, &j);
    }
}

/* ---- training ---- */

/* The rows of U that a packing is of, and what they are made by. */
typedef struct packing_job {
    packing packing;
    void (*run)(const packing *p, size_t first, size_t last);
} packing_job;

static void packing_part(void *context, unsigned part, unsigned parts)
{
    const packing_job *j = context;
    size_t first, last;
    beam_onednn_share(j->packing.in, 1, part, parts, &first, &last);
    j->run(&j->packing, first, last);
}

static void pack(const beam_onednn_winograd *w, float *weights, float *u,
                 void (*run)(const packing *p, size_t first, size_t last), unsigned threads)
{
    packing_job j = {{weights, u, w->in, w->out, columns_of(w)}, run};
    beam_onednn_parallel(beam_onednn_worth(beam_onednn_winograd_weights(w), threads), packing_part,
                         &j);
}

void beam_onednn_winograd_weights_run(const beam_onednn_kernel *kernel, void *const *data,
                                      unsigned threads)
{
    const beam_onednn_winograd *w = &kernel->winograd;
    const loops *l = loops_of(w->lanes);
    pack(w, data[BEAM_WINOGRAD_TAPS], data[BEAM_WINOGRAD_U],
         w->turned ? l->weights_turned : l->weights, threads);
}

static void gradient_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    const loops *l = loops_of(j->kernel->winograd.lanes);
    size_t first, last;
    beam_onednn_share(j->count, 1, part, parts, &first, &last);
    l->input(j, first, last);
    l->gradient(j, first, last);
}

static void outer_part(void *context, unsigned part, unsigned parts)
{
    const job *j = context;
    const beam_onednn_winograd *w = &j->kernel->winograd;
    const size_t panels = beam_onednn_winograd_panels(w);
    size_t first, last;
    beam_onednn_share(36 * panels, 1, part, parts, &first, &last);
    for (size_t i = first; i < last; i++)
        loops_of(w->lanes)->outer_product(j, i / panels, i % panels);
}

/* Tiles for which V and M have room between channels: a few more than are worked at, as a power of
 * two would have all channels of a tile meet in the caches. */
static size_t room(const beam_onednn_winograd *w)
{
    return w->at_once + 2;
}

size_t beam_onednn_winograd_grad_floats(const beam_onednn_winograd *w)
{
    return 36 * (slot(room(w), w->in) + slot(room(w), columns_of(w)) + w->in * columns_of(w));
}

void beam_onednn_winograd_grad(const beam_onednn_kernel *kernel, void *const *data,
                               unsigned threads)
{
    const beam_onednn_winograd *w = &kernel->winograd;
    const size_t tiles = w->batch * w->down * w->across;
    job j = {.kernel = kernel,
             .x = data[BEAM_WINOGRAD_GRAD_X],
             .y = data[BEAM_WINOGRAD_GRAD_DY],
             .v = data[BEAM_WINOGRAD_GRAD_SCRATCH],
             .block = room(w),
             .v_slot = slot(room(w), w->in),
             .m_channels = columns_of(w)};
    j.m_slot = slot(room(w), j.m_channels);
    j.m = j.v + 36 * j.v_slot;
    j.du = j.m + 36 * j.m_slot;
    for (; j.first < tiles; j.first += j.count) {
        j.count = tiles - j.first < w->at_once ? tiles - j.first : w->at_once;
        beam_onednn_parallel(threads, gradient_part, &j);
        beam_onednn_parallel(threads, outer_part, &j);
    }
    pack(w, data[BEAM_WINOGRAD_GRAD_DTAPS], j.du, loops_of(w->lanes)->weights_back, threads);
}
