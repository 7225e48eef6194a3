/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo_updates.c - loss, dropout, and what becomes of gradients, in StableHLO. */
#include <math.h>

#include "device/stablehlo_lower.h"

beam_hlo_value beam_lower_times(beam_lower_state *s, beam_hlo_value x, double number)
{
    return beam_hlo_binary(&s->h, "multiply", x, beam_hlo_fill_like(&s->h, number, x));
}

beam_hlo_value beam_lower_plus(beam_lower_state *s, beam_hlo_value x, double number)
{
    return beam_hlo_binary(&s->h, "add", x, beam_hlo_fill_like(&s->h, number, x));
}

beam_hlo_value beam_lower_everywhere(beam_lower_state *s, beam_hlo_value scalar,
                                     beam_hlo_value like)
{
    return beam_hlo_broadcast(&s->h, scalar, NULL, like);
}

static beam_hlo_value sum_of_all(beam_lower_state *s, beam_hlo_value x)
{
    static const int64_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
    return beam_hlo_reduce(&s->h, "add", x, beam_hlo_scalar(&s->h, x.type, 0), x.rank, all);
}

/* ---- loss ---- */

/* How many rows have their first largest logit at the label. */
static beam_hlo_value count_correct(beam_lower_state *s, beam_hlo_value x, beam_hlo_value top,
                                    beam_hlo_value labels, beam_hlo_value places)
{
    static const int64_t rows[] = {0}, classes[] = {1};
    beam_hlo *h = &s->h;
    beam_hlo_value is_top = beam_hlo_compare(h, "EQ", x, beam_hlo_broadcast(h, top, rows, x));
    beam_hlo_value end = beam_hlo_fill_like(h, (double)x.dims[1], places);
    beam_hlo_value first =
        beam_hlo_reduce(h, "minimum", beam_hlo_select(h, is_top, places, end),
                        beam_hlo_scalar(h, BEAM_HLO_I32, (double)x.dims[1]), 1, classes);
    beam_hlo_value right = beam_hlo_compare(h, "EQ", first, labels);
    return sum_of_all(s, beam_hlo_convert(h, right, BEAM_HLO_F32));
}

static void softmax_cross_entropy(beam_lower_state *s, const beam_nn_op *op)
{
    static const int64_t rows[] = {0}, classes[] = {1};
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]), zero = beam_hlo_scalar(h, x.type, 0);
    beam_hlo_value labels = beam_lower_get(s, op->inputs[1]);
    double batch = (double)x.dims[0], smoothing = (double)op->smoothing;
    beam_hlo_value top = beam_hlo_reduce(h, "maximum", x, beam_hlo_lowest(h, x.type), 1, classes);
    beam_hlo_value off = beam_hlo_binary(h, "subtract", x, beam_hlo_broadcast(h, top, rows, x));
    beam_hlo_value sum =
        beam_hlo_reduce(h, "add", beam_hlo_unary(h, "exponential", off), zero, 1, classes);
    beam_hlo_value log_p = beam_hlo_binary(
        h, "subtract", off, beam_hlo_broadcast(h, beam_hlo_unary(h, "log", sum), rows, off));
    beam_hlo_value places = beam_hlo_iota(h, BEAM_HLO_I32, 1, 2, x.dims);
    beam_hlo_value is_label =
        beam_hlo_compare(h, "EQ", places, beam_hlo_broadcast(h, labels, rows, places));
    double share = smoothing / (double)x.dims[1];
    beam_hlo_value target =
        beam_hlo_select(h, is_label, beam_hlo_fill_like(h, 1 - smoothing + share, x),
                        beam_hlo_fill_like(h, share, x));
    beam_hlo_value loss = sum_of_all(s, beam_hlo_binary(h, "multiply", target, log_p));
    beam_lower_put(s, op->outputs[0],
                   beam_lower_replica_mean(s, beam_lower_times(s, loss, -1 / batch)));
    beam_hlo_value correct = count_correct(s, x, top, labels, places);
    if (s->how->num_replicas > 1)
        correct = beam_hlo_all_reduce(h, correct, s->how->num_replicas);
    beam_lower_put(s, op->outputs[1], correct);
    beam_hlo_value p = beam_hlo_unary(h, "exponential", log_p);
    beam_hlo_value off_target =
        beam_lower_times(s, beam_hlo_binary(h, "subtract", p, target), 1 / batch);
    if (beam_lowering_scales(s->how))
        off_target = beam_hlo_binary(h, "multiply", off_target,
                                     beam_lower_everywhere(s, s->loss_scale, off_target));
    beam_lower_put(s, op->outputs[2], off_target);
}

/* ---- dropout ---- */

/* The upper and lower half of a number of 32 bits times a constant of as many. */
static void multiply_wide(beam_lower_state *s, beam_hlo_value x, uint32_t by, beam_hlo_value *high,
                          beam_hlo_value *low)
{
    beam_hlo *h = &s->h;
    beam_hlo_value wide = beam_lower_times(s, beam_hlo_convert(h, x, BEAM_HLO_U64), (double)by);
    beam_hlo_value half = beam_hlo_fill_like(h, 32, wide);
    *high =
        beam_hlo_convert(h, beam_hlo_binary(h, "shift_right_logical", wide, half), BEAM_HLO_U32);
    *low = beam_hlo_convert(h, wide, BEAM_HLO_U32);
}

/* beam_random_at (nn/random.h) for so many blocks of a stream from one on: {blocks, 4}. */
static beam_hlo_value random_blocks(beam_lower_state *s, uint64_t seed, beam_hlo_value stream,
                                    beam_hlo_value first, int64_t blocks)
{
    beam_hlo *h = &s->h;
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    beam_hlo_value x[4];
    x[0] = beam_hlo_iota(h, BEAM_HLO_U32, 0, 1, &blocks);
    x[0] = beam_hlo_binary(h, "add", x[0], beam_lower_everywhere(s, first, x[0]));
    x[1] = beam_hlo_fill_like(h, 0, x[0]);
    beam_hlo_value upper =
        beam_hlo_binary(h, "shift_right_logical", stream, beam_hlo_fill_like(h, 32, stream));
    x[2] = beam_lower_everywhere(s, beam_hlo_convert(h, stream, BEAM_HLO_U32), x[0]);
    x[3] = beam_lower_everywhere(s, beam_hlo_convert(h, upper, BEAM_HLO_U32), x[0]);
    for (int round = 0; round < 10; round++) {
        beam_hlo_value a_high, a_low, b_high, b_low;
        multiply_wide(s, x[0], 0xD2511F53, &a_high, &a_low);
        multiply_wide(s, x[2], 0xCD9E8D57, &b_high, &b_low);
        beam_hlo_value left = beam_hlo_binary(h, "xor", b_high, x[1]);
        beam_hlo_value right = beam_hlo_binary(h, "xor", a_high, x[3]);
        x[0] = beam_hlo_binary(h, "xor", left, beam_hlo_fill_like(h, key0, left));
        x[1] = b_low;
        x[2] = beam_hlo_binary(h, "xor", right, beam_hlo_fill_like(h, key1, right));
        x[3] = a_low;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++)
        x[i] = beam_hlo_reshape(h, x[i], 2, (const int64_t[]){blocks, 1});
    return beam_hlo_concatenate(h, x, 4, 1);
}

/* A number for each of x: those of the whole batch's rows that this replica has. */
static beam_hlo_value draw(beam_lower_state *s, const beam_nn_op *op, beam_hlo_value x)
{
    beam_hlo *h = &s->h;
    int64_t count = beam_hlo_count(&x), blocks = (count + 3) / 4 + 1;
    beam_hlo_value stream = beam_hlo_convert(h, beam_lower_get(s, op->inputs[1]), BEAM_HLO_U64);
    stream = beam_lower_plus(s, beam_lower_times(s, stream, 65536), (double)op->stream);
    beam_hlo_value start = beam_hlo_scalar(h, BEAM_HLO_U64, 0);
    if (s->how->num_replicas > 1) {
        start = beam_hlo_convert(h, beam_hlo_replica_id(h), BEAM_HLO_U64);
        start = beam_lower_times(s, start, (double)count);
    }
    beam_hlo_value four = beam_hlo_scalar(h, BEAM_HLO_U64, 4);
    beam_hlo_value first = beam_hlo_binary(h, "divide", start, four);
    beam_hlo_value drawn =
        random_blocks(s, op->seed, stream, beam_hlo_convert(h, first, BEAM_HLO_U32), blocks);
    drawn = beam_hlo_reshape(h, drawn, 1, (const int64_t[]){4 * blocks});
    return beam_hlo_slice_at(h, drawn, beam_hlo_binary(h, "remainder", start, four), count);
}

static void dropout(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_outward(s, beam_lower_get_f32(s, op->inputs[0]));
    beam_hlo_value drawn = beam_hlo_reshape(h, draw(s, op, x), x.rank, x.dims);
    beam_hlo_value limit = beam_hlo_fill_like(h, ceil((double)op->rate * 4294967296.0), drawn);
    beam_hlo_value dropped = beam_hlo_compare(h, "LT", drawn, limit);
    x = beam_lower_times(s, x, 1 / (1 - (double)op->rate));
    x = beam_hlo_select(h, dropped, beam_hlo_fill_like(h, 0, x), x);
    beam_lower_put(s, op->outputs[0], beam_lower_inward(s, x));
}

/* ---- updates ---- */

static void squared_sum(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value x = beam_lower_get_f32(s, op->inputs[0]);
    beam_hlo_value sum = sum_of_all(s, beam_hlo_binary(h, "multiply", x, x));
    if (op->num_inputs > 1 && op->inputs[1])
        sum = beam_hlo_binary(h, "add", beam_lower_get_f32(s, op->inputs[1]), sum);
    beam_lower_put(s, op->outputs[0], sum);
}

static void clip_factor(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value norm = beam_hlo_unary(h, "sqrt", beam_lower_get_f32(s, op->inputs[0]));
    beam_hlo_value most = beam_hlo_fill_like(h, (double)op->max_norm, norm);
    beam_hlo_value factor =
        beam_hlo_binary(h, "divide", most, beam_lower_plus(s, norm, (double)1e-6f));
    factor = beam_hlo_binary(h, "minimum", factor, beam_hlo_fill_like(h, 1, factor));
    beam_lower_put(s, op->outputs[0], factor);
    beam_lower_put(s, op->outputs[1], norm);
}

/* The gradient, clipped where it is, plus weight decay where that is part of it. */
static beam_hlo_value direction(beam_lower_state *s, const beam_nn_op *op, beam_hlo_value p)
{
    beam_hlo *h = &s->h;
    beam_hlo_value g = beam_lower_get_f32(s, op->inputs[1]);
    if (op->inputs[3])
        g = beam_hlo_binary(h, "multiply", g,
                            beam_lower_everywhere(s, beam_lower_get_f32(s, op->inputs[3]), g));
    double decay = (double)op->update.weight_decay;
    if (decay > 0 && !op->update.decoupled)
        g = beam_hlo_binary(h, "add", g, beam_lower_times(s, p, decay));
    return g;
}

static beam_hlo_value learning_rate(beam_lower_state *s, const beam_nn_op *op)
{
    return beam_lower_times(s, beam_lower_get_f32(s, op->inputs[2]), (double)op->update.lr_factor);
}

static void sgd(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    beam_hlo_value p = beam_lower_get_f32(s, op->inputs[0]), d = direction(s, op, p);
    if (op->num_inputs > 4 && op->inputs[4]) {
        double momentum = (double)op->update.momentum;
        beam_hlo_value before = beam_lower_get_f32(s, op->inputs[4]);
        beam_hlo_value velocity =
            beam_hlo_binary(h, "add", beam_lower_times(s, before, momentum), d);
        beam_lower_put(s, op->outputs[1], velocity);
        d = op->update.nesterov
                ? beam_hlo_binary(h, "add", d, beam_lower_times(s, velocity, momentum))
                : velocity;
    }
    beam_hlo_value by =
        beam_hlo_binary(h, "multiply", d, beam_lower_everywhere(s, learning_rate(s, op), d));
    beam_lower_put(s, op->outputs[0], beam_hlo_binary(h, "subtract", p, by));
}

/* 1 - beta^step, without the cancellation of a small step. */
static beam_hlo_value correction(beam_lower_state *s, beam_hlo_value step, float beta)
{
    beam_hlo_value power = beam_lower_times(s, step, log((double)beta));
    return beam_hlo_unary(&s->h, "negate", beam_hlo_unary(&s->h, "exponential_minus_one", power));
}

/* before * beta + now * (1 - beta) */
static beam_hlo_value moving(beam_lower_state *s, beam_hlo_value before, beam_hlo_value now,
                             float beta)
{
    return beam_hlo_binary(&s->h, "add", beam_lower_times(s, before, (double)beta),
                           beam_lower_times(s, now, 1 - (double)beta));
}

static void adam(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    const beam_nn_update *u = &op->update;
    beam_hlo_value p = beam_lower_get_f32(s, op->inputs[0]), d = direction(s, op, p);
    beam_hlo_value lr = learning_rate(s, op);
    beam_hlo_value step = beam_hlo_convert(h, beam_lower_get(s, op->inputs[6]), BEAM_HLO_F32);
    beam_hlo_value m = moving(s, beam_lower_get_f32(s, op->inputs[4]), d, u->beta1);
    beam_hlo_value v = moving(s, beam_lower_get_f32(s, op->inputs[5]),
                              beam_hlo_binary(h, "multiply", d, d), u->beta2);
    beam_lower_put(s, op->outputs[1], m);
    beam_lower_put(s, op->outputs[2], v);
    if (u->decoupled && u->weight_decay > 0) {
        beam_hlo_value shrink =
            beam_lower_everywhere(s, beam_lower_times(s, lr, (double)u->weight_decay), p);
        p = beam_hlo_binary(h, "subtract", p, beam_hlo_binary(h, "multiply", p, shrink));
    }
    beam_hlo_value variance =
        beam_hlo_binary(h, "divide", v, beam_lower_everywhere(s, correction(s, step, u->beta2), v));
    beam_hlo_value deviation =
        beam_lower_plus(s, beam_hlo_unary(h, "sqrt", variance), (double)u->epsilon);
    lr = beam_hlo_binary(h, "divide", lr, correction(s, step, u->beta1));
    beam_hlo_value by = beam_hlo_binary(h, "multiply", m, beam_lower_everywhere(s, lr, m));
    by = beam_hlo_binary(h, "divide", by, deviation);
    beam_lower_put(s, op->outputs[0], beam_hlo_binary(h, "subtract", p, by));
}

/* An iteration of Newton and Schulz. */
static beam_hlo_value orthogonalise_once(beam_lower_state *s, beam_hlo_value x)
{
    beam_hlo *h = &s->h;
    bool tall = x.dims[0] > x.dims[1];
    int64_t inner = tall ? 0 : 1;
    beam_hlo_value gram = beam_hlo_dot(h, x, inner, x, inner);
    beam_hlo_value by = beam_lower_times(s, gram, BEAM_NN_MUON_B);
    beam_hlo_value square = beam_lower_times(s, beam_hlo_dot(h, gram, 1, gram, 0), BEAM_NN_MUON_C);
    by = beam_hlo_binary(h, "add", by, square);
    by = tall ? beam_hlo_dot(h, x, 1, by, 0) : beam_hlo_dot(h, by, 1, x, 0);
    return beam_hlo_binary(h, "add", beam_lower_times(s, x, BEAM_NN_MUON_A), by);
}

/* A weight's sizes as a matrix.  A kernel's outputs are its last dimension where images are
 * channels last: then this is the transpose, its columns in another order, which is as good. */
static void matrix_of(const beam_lower_state *s, beam_hlo_value weight, int64_t *sizes)
{
    uint32_t outputs = s->how->channels_last && weight.rank == 4 ? 3 : 0;
    int64_t others = 1;
    for (uint32_t i = 0; i < weight.rank; i++)
        others *= i == outputs ? 1 : weight.dims[i];
    sizes[0] = outputs ? others : weight.dims[0];
    sizes[1] = outputs ? weight.dims[3] : others;
}

static void muon(beam_lower_state *s, const beam_nn_op *op)
{
    beam_hlo *h = &s->h;
    const beam_nn_update *u = &op->update;
    beam_hlo_value p = beam_lower_get_f32(s, op->inputs[0]), d = direction(s, op, p);
    beam_hlo_value v = moving(s, beam_lower_get_f32(s, op->inputs[4]), d, u->momentum);
    beam_lower_put(s, op->outputs[1], v);
    d = moving(s, v, d, u->momentum);
    int64_t matrix[2];
    matrix_of(s, d, matrix);
    beam_hlo_value x = beam_hlo_reshape(h, d, 2, matrix);
    beam_hlo_value norm =
        beam_hlo_unary(h, "sqrt", sum_of_all(s, beam_hlo_binary(h, "multiply", x, x)));
    norm = beam_hlo_binary(h, "maximum", norm, beam_hlo_fill_like(h, BEAM_NN_MUON_LEAST, norm));
    x = beam_hlo_binary(h, "divide", x, beam_lower_everywhere(s, norm, x));
    for (int step = 0; step < BEAM_NN_MUON_STEPS; step++)
        x = orthogonalise_once(s, x);
    int64_t most = matrix[0] > matrix[1] ? matrix[0] : matrix[1];
    x = beam_lower_times(s, x, BEAM_NN_MUON_SCALE * sqrt((double)most));
    beam_hlo_value by = beam_hlo_reshape(h, x, p.rank, p.dims);
    if (u->weight_decay > 0)
        by = beam_hlo_binary(h, "add", by, beam_lower_times(s, p, (double)u->weight_decay));
    by = beam_hlo_binary(h, "multiply", by, beam_lower_everywhere(s, learning_rate(s, op), by));
    beam_lower_put(s, op->outputs[0], beam_hlo_binary(h, "subtract", p, by));
}

bool beam_lower_update_op(beam_lower_state *s, const beam_nn_op *op)
{
    static void (*const forms[BEAM_OP_KINDS])(beam_lower_state *, const beam_nn_op *) = {
        [BEAM_OP_SOFTMAX_CROSS_ENTROPY] = softmax_cross_entropy,
        [BEAM_OP_DROPOUT_TRAINING] = dropout,
        [BEAM_OP_SQUARED_SUM] = squared_sum,
        [BEAM_OP_CLIP_FACTOR] = clip_factor,
        [BEAM_OP_SGD] = sgd,
        [BEAM_OP_ADAM] = adam,
        [BEAM_OP_MUON] = muon,
    };
    if (!forms[op->kind])
        return false;
    forms[op->kind](s, op);
    return true;
}
