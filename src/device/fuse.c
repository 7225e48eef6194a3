/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuse.c - a step stands where its first operation stood, so an addition can join only a step
 * whose other operand is ready there: in a residual block the later of the two branches. */
#include "device/fuse.h"

#include "base/alloc.h"

typedef struct fusing {
    const beam_network *network;
    bool *taken; /* one an operation: part of a step already */
    bool *ready; /* one a value: made by a step already */
    size_t at;   /* the operation that the current step starts with */
} fusing;

static bool reads(const beam_nn_op *op, uint32_t value)
{
    for (uint32_t i = 0; i < op->num_inputs; i++)
        if (op->inputs[i] == value)
            return true;
    return false;
}

static bool is_output(const beam_network *network, uint32_t value)
{
    for (size_t i = 0; i < network->num_outputs; i++)
        if (network->outputs[i] == value)
            return true;
    return false;
}

/* The only operation that reads `value`, if it is of `kind`; NULL if there are more readers or
 * the caller of the network sees the value. */
static const beam_nn_op *only_reader(const fusing *f, uint32_t value, beam_op_kind kind)
{
    const beam_nn_op *found = NULL;
    if (is_output(f->network, value))
        return NULL;
    for (size_t i = 0; i < f->network->num_ops; i++) {
        const beam_nn_op *op = &f->network->ops[i];
        if (!reads(op, value))
            continue;
        if (found)
            return NULL;
        found = op;
    }
    return found && found->kind == kind ? found : NULL;
}

/* True when `value` goes in or out of a dropout, which makes no copy in inference. */
static bool has_alias(const beam_network *network, uint32_t value)
{
    for (size_t i = 0; i < network->num_ops; i++)
        if (network->ops[i].kind == BEAM_OP_DROPOUT &&
            (network->ops[i].inputs[0] == value || network->ops[i].outputs[0] == value))
            return true;
    return false;
}

/* True when `value` is there when the current step runs and nothing but `add` reads it from
 * then on. */
static bool may_overwrite(const fusing *f, uint32_t value, const beam_nn_op *add)
{
    const beam_network *network = f->network;
    if (!f->ready[value] || is_output(network, value) ||
        has_alias(network, value)) /* never ready: the caller's inputs */
        return false;
    for (size_t i = f->at; i < network->num_ops; i++)
        if (&network->ops[i] != add && reads(&network->ops[i], value))
            return false;
    return true;
}

static void take(fusing *f, beam_fused_op *step, const beam_nn_op *op)
{
    f->taken[op - f->network->ops] = true;
    step->output = op->outputs[0];
}

static beam_fused_op step_from(fusing *f, const beam_nn_op *first)
{
    beam_fused_op step = {.op = first};
    take(f, &step, first);
    bool product = first->kind == BEAM_OP_CONV2D || first->kind == BEAM_OP_LINEAR;
    const beam_nn_op *next;
    if (product && (next = only_reader(f, step.output, BEAM_OP_BATCH_NORM)) != NULL) {
        step.norm = next;
        take(f, &step, next);
    }
    if (product && (next = only_reader(f, step.output, BEAM_OP_ADD)) != NULL) {
        uint32_t other = next->inputs[next->inputs[0] == step.output];
        if (other != step.output && may_overwrite(f, other, next)) {
            step.add = next;
            step.addend = other;
            take(f, &step, next);
        }
    }
    if (product || first->kind == BEAM_OP_ADD) {
        next = only_reader(f, step.output, BEAM_OP_RELU);
        step.activation = next ? next : only_reader(f, step.output, BEAM_OP_GELU);
        if (step.activation)
            take(f, &step, step.activation);
    }
    f->ready[step.output] = true;
    return step;
}

beam_status beam_fuse(const beam_network *network, beam_fused_op **steps, size_t *num_steps,
                      beam_error *err)
{
    fusing f = {.network = network};
    f.taken = beam_calloc(network->num_ops, sizeof *f.taken);
    f.ready = beam_calloc(network->num_values, sizeof *f.ready);
    beam_fused_op *made = beam_calloc(network->num_ops, sizeof *made);
    size_t n = 0;
    beam_status status = BEAM_OK;
    if (!f.taken || !f.ready || !made)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to compile a network");
    for (f.at = 0; status == BEAM_OK && f.at < network->num_ops; f.at++)
        if (!f.taken[f.at])
            made[n++] = step_from(&f, &network->ops[f.at]);
    beam_free(f.taken);
    beam_free(f.ready);
    if (status != BEAM_OK) {
        beam_free(made);
        return status;
    }
    *steps = made;
    *num_steps = n;
    return BEAM_OK;
}
