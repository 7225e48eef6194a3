/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_kernels.h - the loops that are our own: convolutions of 3x3 in f32, and a training step's
 * batch norm, whose one pass over memory takes the relu and the addition around it along,
 * elementwise operations, the loss, and the updates.
 *
 * Each splits its work by the number of threads alone, so that its sums are the same whenever the
 * same number works.  An operand that may be absent is a NULL in data[]. */
#ifndef DEVICE_ONEDNN_KERNELS_H
#define DEVICE_ONEDNN_KERNELS_H

#include "device/onednn.h"

/* y = (x - mean) / sqrt(variance + epsilon) * weight + bias [+ addend] [, relu or gelu].  Vectors
 * of channels are readable up to a multiple of 16 numbers. */
enum {
    BEAM_NORM_X,
    BEAM_NORM_ADDEND, /* may be absent */
    BEAM_NORM_WEIGHT,
    BEAM_NORM_BIAS,
    BEAM_NORM_RUNNING_MEAN, /* updated */
    BEAM_NORM_RUNNING_VARIANCE,
    BEAM_NORM_Y,
    BEAM_NORM_MEAN,
    BEAM_NORM_VARIANCE,
    BEAM_NORM_SUMS /* when `slices` > 1: beam_onednn_norm_sums numbers */
};
void beam_onednn_norm(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

/* The gradient of the same.  The gradient of y is dy [+ dy2], through the activation: 0 where a
 * relu's result `y` is not above 0, or, where there is no y, by the batch norm's own result. */
enum {
    BEAM_NORM_GRAD_X,
    BEAM_NORM_GRAD_DY,
    BEAM_NORM_GRAD_DY2, /* may be absent */
    BEAM_NORM_GRAD_Y,   /* may be absent */
    BEAM_NORM_GRAD_WEIGHT,
    BEAM_NORM_GRAD_BIAS, /* with an activation and no y */
    BEAM_NORM_GRAD_MEAN,
    BEAM_NORM_GRAD_VARIANCE,
    BEAM_NORM_GRAD_DX,      /* may be absent */
    BEAM_NORM_GRAD_SUM,     /* may be absent: the gradient of y as above, for others to read */
    BEAM_NORM_GRAD_DWEIGHT, /* may be absent */
    BEAM_NORM_GRAD_DBIAS,   /* may be absent */
    BEAM_NORM_GRAD_SUMS     /* as BEAM_NORM_SUMS */
};
void beam_onednn_norm_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

/* Into how many slices of the batch the work is cut, and how many doubles the sums then take. */
uint32_t beam_onednn_norm_slices(const beam_onednn_grid *grid, unsigned threads);
size_t beam_onednn_norm_sums(const beam_onednn_grid *grid, uint32_t slices);

/* Elementwise over `count` numbers; A and B may be one array. */
enum { BEAM_EACH_A, BEAM_EACH_B, BEAM_EACH_RESULT, BEAM_EACH_STEP };
void beam_onednn_add(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_relu(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_relu_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_gelu(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_gelu_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_scale(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
/* Row-major, since a number's fate depends on where it stands. */
void beam_onednn_dropout(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

/* grid.batch rows of grid.channels classes, f32. */
enum {
    BEAM_LOSS_LOGITS,
    BEAM_LOSS_LABELS,
    BEAM_LOSS_LOSS,
    BEAM_LOSS_CORRECT,
    BEAM_LOSS_GRADIENT /* may be absent */
};
void beam_onednn_loss(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

/* Updates over `count` numbers of f32, in place.  A gradient without all taps is 0 in the others.
 */
enum {
    BEAM_UPDATE_PARAMETER,
    BEAM_UPDATE_GRADIENT,
    BEAM_UPDATE_LEARNING_RATE,
    BEAM_UPDATE_FACTOR, /* may be absent */
    BEAM_UPDATE_FIRST,  /* velocity or m; may be absent */
    BEAM_UPDATE_SECOND, /* v */
    BEAM_UPDATE_STEP,
    BEAM_UPDATE_BUSY /* with taps: above 0 where the states are not 0 in all other taps */
};
void beam_onednn_sgd(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_adam(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

/* Muon's update: what it starts from, `count` numbers; of what an iteration multiplies x with,
 * `count` rows; and how it ends, a matrix of `grid`'s batch times channels. */
enum {
    BEAM_MUON_GRADIENT,
    BEAM_MUON_FACTOR, /* may be absent */
    BEAM_MUON_VELOCITY,
    BEAM_MUON_X
};
void beam_onednn_muon_start(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
/* polynomial: the gram's square, and then A + B gram + C square. */
enum { BEAM_MUON_GRAM, BEAM_MUON_POLYNOMIAL };
void beam_onednn_muon_polynomial(const beam_onednn_kernel *kernel, void *const *data,
                                 unsigned threads);
enum { BEAM_MUON_LEARNING_RATE, BEAM_MUON_PARAMETER, BEAM_MUON_RESULT };
void beam_onednn_muon_apply(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

enum { BEAM_SQUARES_GRADIENT, BEAM_SQUARES_BEFORE, BEAM_SQUARES_TOTAL };
void beam_onednn_squared_sum(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
enum { BEAM_CLIP_TOTAL, BEAM_CLIP_FACTOR, BEAM_CLIP_NORM };
void beam_onednn_clip_factor(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);

/* A convolution: y = conv(x) [+ bias] [+ addend] [, relu or gelu].  y may lie over the addend. */
enum {
    BEAM_WINOGRAD_X,
    BEAM_WINOGRAD_WEIGHTS,
    BEAM_WINOGRAD_BIAS,   /* may be absent */
    BEAM_WINOGRAD_ADDEND, /* may be absent */
    BEAM_WINOGRAD_Y,
    BEAM_WINOGRAD_SCRATCH /* beam_onednn_winograd_floats numbers */
};
void beam_onednn_winograd_run(const beam_onednn_kernel *kernel, void *const *data,
                              unsigned threads);
size_t beam_onednn_winograd_floats(const beam_onednn_winograd *w);

/* Training's, in tiles of 4x4: the window's taps as they are kept, taps outermost and the output's
 * channels innermost, to U; with `turned`, to that of the convolution that is the gradient of the
 * input, for which the channels are swapped.  And the taps' gradient, where `at_once` may be any
 * number. */
enum { BEAM_WINOGRAD_TAPS, BEAM_WINOGRAD_U };
void beam_onednn_winograd_weights_run(const beam_onednn_kernel *kernel, void *const *data,
                                      unsigned threads);
enum {
    BEAM_WINOGRAD_GRAD_X,
    BEAM_WINOGRAD_GRAD_DY,
    BEAM_WINOGRAD_GRAD_DTAPS,
    BEAM_WINOGRAD_GRAD_SCRATCH /* beam_onednn_winograd_grad_floats numbers */
};
void beam_onednn_winograd_grad(const beam_onednn_kernel *kernel, void *const *data,
                               unsigned threads);
size_t beam_onednn_winograd_grad_floats(const beam_onednn_winograd *w);

/* Tiles whose products are computed together, as registers have room for the sums, and how many of
 * these blocks hold so many tiles. */
static inline size_t beam_onednn_winograd_block(size_t lanes)
{
    return lanes == 16 ? 8 : lanes == 8 ? 6 : 4;
}
static inline size_t beam_onednn_winograd_blocks(size_t lanes, size_t tiles)
{
    const size_t block = beam_onednn_winograd_block(lanes);
    return (tiles + block - 1) / block;
}
/* What is multiplied of a tile of so many outputs, each way. */
static inline size_t beam_onednn_winograd_side(size_t outputs)
{
    return outputs == 4 ? 6 : outputs == 2 ? 3 : 1;
}
/* The points of 4x4 outputs are 0, A, -A, B, -B and infinity. */
#define BEAM_WINOGRAD_A 0.625f
#define BEAM_WINOGRAD_B 1.5f
/* Two vectors' widths that the output's channels fill. */
size_t beam_onednn_winograd_panels(const beam_onednn_winograd *w);
/* Row-major weights as it takes them, and how many numbers they then are. */
void beam_onednn_winograd_pack(const beam_onednn_winograd *w, const beam_onednn_taps *taps,
                               const float *weights, float *packed);
size_t beam_onednn_winograd_weights(const beam_onednn_winograd *w);

/* The gradient of a convolution's weights, from bf16 images with channels innermost: blocks of 16
 * of the result's by 16 of the input's channels, in f32, with all taps of a block side by side
 * (oneDNN's ABcd16a16b); where channels do not fill a block, the rest is 0. */
enum {
    BEAM_AMX_GRAD_X,
    BEAM_AMX_GRAD_DY,
    BEAM_AMX_GRAD_DWEIGHTS,
    BEAM_AMX_GRAD_SCRATCH /* beam_onednn_amx_floats numbers */
};
void beam_onednn_amx_grad(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
/* Whether this machine runs it.  The shape's other fields, of the images' and the window's. */
bool beam_onednn_amx_here(void);
void beam_onednn_amx_cut(beam_onednn_amx *shape);
size_t beam_onednn_amx_floats(const beam_onednn_amx *shape);

/* A convolution between bf16 images with channels innermost, whose weights, which lie as the
 * gradient above, are first made into tiles. */
enum { BEAM_AMX_TAPS, BEAM_AMX_TILES /* beam_onednn_amx_weights_floats numbers */ };
void beam_onednn_amx_weights(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
enum {
    BEAM_AMX_X,
    BEAM_AMX_WEIGHTS,
    BEAM_AMX_Y,
    BEAM_AMX_SCRATCH /* beam_onednn_amx_conv_floats numbers */
};
void beam_onednn_amx_conv(const beam_onednn_kernel *kernel, void *const *data, unsigned threads);
void beam_onednn_amx_conv_cut(beam_onednn_amx *shape);
size_t beam_onednn_amx_weights_floats(const beam_onednn_amx *shape);
size_t beam_onednn_amx_conv_floats(const beam_onednn_amx *shape, unsigned threads);
/* Whether these loops, which fill tiles from a line with zeros behind the rows of images, leave no
 * more of them unused than oneDNN, which fills each from one row, and images are small enough.
 * `shape` is cut. */
bool beam_onednn_amx_conv_suits(const beam_onednn_amx *shape);

/* How many threads a loop over so many numbers is worth: a smaller share would not be worth waking
 * one for. */
static inline unsigned beam_onednn_worth(size_t count, unsigned threads)
{
    enum { WORTH_A_THREAD = 8192 };
    size_t most = count / WORTH_A_THREAD + 1;
    return most < threads ? (unsigned)most : threads;
}

/* The part `part` of `parts` of `count` things, in multiples of `unit` but for the last. */
static inline void beam_onednn_share(size_t count, size_t unit, unsigned part, unsigned parts,
                                     size_t *first, size_t *last)
{
    size_t units = (count + unit - 1) / unit;
    *first = units * part / parts * unit;
    *last = units * (part + 1) / parts * unit;
    if (*first > count)
        *first = count;
    if (*last > count)
        *last = count;
}

#endif
