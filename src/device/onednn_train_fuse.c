/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_fuse.c - which operations around a batch norm are part of its passes over memory.
 *
 * Forward:  batch norm [-> add] -> relu, where nothing else reads what lies between.
 *           batch norm -> gelu, where nothing but its gradient does, and that is fused too.
 * Backward: [add ->] relu's gradient -> batch norm's gradient, where nothing reads the sum of the
 * gradients but the relu's; what the relu's gradient sends elsewhere is made on the way.  The same
 * with a gelu, whose gradient needs the batch norm's result: it is computed again. */
#include "device/onednn_train.h"

static bool reads(const beam_nn_op *op, uint32_t value)
{
    for (uint32_t i = 0; i < op->num_inputs; i++)
        if (op->inputs[i] == value)
            return true;
    return false;
}

/* How many operations read the value, and the first of them. */
static size_t readers(const beam_network *network, uint32_t value, size_t *first)
{
    size_t n = 0;
    for (size_t i = network->num_ops; i-- > 0;)
        if (reads(&network->ops[i], value)) {
            *first = i;
            n++;
        }
    return n;
}

/* The operation that made a value, or NULL. */
static const beam_nn_op *maker(const beam_network *network, uint32_t value)
{
    const beam_nn_value *v = &network->values[value];
    return v->kind == BEAM_VALUE_COMPUTED ? &network->ops[v->index] : NULL;
}

static bool made_before(const beam_network *network, uint32_t value, size_t index)
{
    const beam_nn_value *v = &network->values[value];
    return v->kind != BEAM_VALUE_COMPUTED || v->index < index;
}

/* The one reader of `value`, if it is of `kind`. */
static bool only_reader(const beam_network *network, uint32_t value, beam_op_kind kind,
                        size_t *index)
{
    return readers(network, value, index) == 1 && network->ops[*index].kind == kind;
}

/* Whether `y`, the result of the batch norm at `index`, goes through a gelu, and comes back through
 * its gradient, alone. */
static bool only_gelu(const beam_network *network, size_t index, uint32_t y, size_t *gelu)
{
    size_t first = 0, user = 0;
    for (size_t i = index + 1; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        if (!reads(op, y))
            continue;
        if (op->kind == BEAM_OP_GELU && first == 0)
            first = i;
        else if (op->kind != BEAM_OP_GELU_GRAD || op->forward != first + 1 ||
                 !only_reader(network, op->outputs[0], BEAM_OP_BATCH_NORM_GRAD, &user) ||
                 network->ops[user].forward != index + 1)
            return false;
    }
    *gelu = first;
    return first != 0 && user != 0;
}

static void fuse_norm(beam_onednn_train_builder *t, size_t index)
{
    const beam_network *network = t->b.network;
    beam_onednn_fusion *f = &t->fusions[index];
    uint32_t y = network->ops[index].outputs[0];
    size_t next = 0, last = 0;
    if (only_reader(network, y, BEAM_OP_ADD, &next)) {
        const beam_nn_op *add = &network->ops[next];
        uint32_t other = add->inputs[add->inputs[0] == y];
        /* An addition alone is left where it is: its gradient is none of the batch norm's. */
        if (other == y || !made_before(network, other, index) ||
            !only_reader(network, add->outputs[0], BEAM_OP_RELU, &last))
            return;
        f->addend = other;
        f->activation = BEAM_ONEDNN_RELU;
        f->output = network->ops[last].outputs[0];
        t->fusions[next].done = t->fusions[last].done = true;
    } else if (only_reader(network, y, BEAM_OP_RELU, &next)) {
        f->activation = BEAM_ONEDNN_RELU;
        f->output = network->ops[next].outputs[0];
        t->fusions[next].done = true;
    } else if (only_gelu(network, index, y, &next)) {
        f->activation = BEAM_ONEDNN_GELU;
        f->output = network->ops[next].outputs[0];
        t->fusions[next].done = true;
    }
}

static void fuse_norm_grad(beam_onednn_train_builder *t, size_t index)
{
    const beam_network *network = t->b.network;
    const beam_nn_op *op = &network->ops[index];
    const beam_onednn_fusion *forward = &t->fusions[op->forward - 1];
    beam_onednn_fusion *f = &t->fusions[index];
    uint32_t dy = op->inputs[1];
    const beam_nn_op *back = maker(network, dy); /* through the activation */
    size_t first = 0, reader = 0;
    bool gelu = back && back->kind == BEAM_OP_GELU_GRAD && forward->activation == BEAM_ONEDNN_GELU;
    if (!back || (back->kind != BEAM_OP_RELU_GRAD && !gelu))
        return;
    size_t n = readers(network, dy, &first);
    if (first != index)
        return;
    f->activation = gelu ? BEAM_ONEDNN_GELU : BEAM_ONEDNN_RELU;
    f->sum = n > 1 ? dy : 0;
    f->dy = back->inputs[1];
    bool own = forward->addend == 0 && forward->output == back->inputs[0];
    f->mask = gelu || own ? 0 : back->inputs[0];
    t->fusions[network->values[dy].index].done = true;
    const beam_nn_op *add = maker(network, f->dy);
    if (add && add->kind == BEAM_OP_ADD && readers(network, f->dy, &reader) == 1) {
        f->dy = add->inputs[0];
        f->dy2 = add->inputs[1];
        t->fusions[add - network->ops].done = true;
    }
}

void beam_onednn_train_fuse(beam_onednn_train_builder *t)
{
    for (size_t i = 0; i < t->b.network->num_ops; i++)
        if (t->b.network->ops[i].kind == BEAM_OP_BATCH_NORM_TRAINING)
            fuse_norm(t, i);
        else if (t->b.network->ops[i].kind == BEAM_OP_BATCH_NORM_GRAD)
            fuse_norm_grad(t, i);
}
