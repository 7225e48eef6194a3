/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gradient_update.c - what lasts from step to step, and how a step changes it. */
#include <string.h>

#include "nn/gradient.h"

/* A parameter's state is at its own index; the optimizer's follow all of them. */
static beam_nn_state *add_state(beam_nn_builder *b, uint32_t parameter, const char *what)
{
    beam_nn_training *t = b->training;
    const beam_nn_parameter *p = &b->net->parameters[parameter];
    beam_nn_state *state = &t->states[t->num_states];
    state->parameter = parameter;
    state->name = beam_arena_printf(&b->net->arena, "%s.%s", p->name, what);
    if (!state->name) {
        (void)beam_nn_fail(b->net, p->name, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    beam_nn_value value = {.kind = BEAM_VALUE_STATE,
                           .index = (uint32_t)t->num_states,
                           .rank = p->tensor.rank,
                           .dtype = BEAM_F32};
    memcpy(value.shape, p->tensor.shape, sizeof value.shape);
    state->value = beam_nn_add_value(b->net, p->name, &value).id;
    if (state->value == 0)
        return NULL;
    t->num_states++;
    return state;
}

void beam_nn_add_parameter_states(beam_nn_builder *b)
{
    beam_nn_training *t = b->training;
    for (size_t i = 0; b->net->error.code == BEAM_OK && i < b->net->num_parameters; i++)
        t->states[t->num_states++] = (beam_nn_state){.name = b->net->parameters[i].name,
                                                     .parameter = (uint32_t)i,
                                                     .value = b->net->parameters[i].value};
}

/* A batch norm's bias. */
static bool is_norm_bias(const beam_nn_builder *b, uint32_t value)
{
    for (size_t i = 0; i < b->net->num_ops; i++)
        if (b->net->ops[i].kind == BEAM_OP_BATCH_NORM_TRAINING && b->net->ops[i].inputs[2] == value)
            return true;
    return false;
}

/* The last weight of the network makes its answers, and is no hidden one. */
static bool is_hidden_weight(const beam_nn_builder *b, const beam_nn_parameter *p)
{
    if (p->tensor.rank < 2)
        return false;
    for (size_t i = b->net->num_ops; i-- > 0;) {
        const beam_nn_op *op = &b->net->ops[i];
        if (op->kind == BEAM_OP_CONV2D || op->kind == BEAM_OP_LINEAR)
            return op->inputs[1] != p->value;
    }
    return false;
}

static beam_op_kind kind_of_update(const beam_nn_builder *b, const beam_nn_parameter *p)
{
    switch (b->options->optimizer.kind) {
    case BEAM_OPTIMIZER_SGD:
        return BEAM_OP_SGD;
    case BEAM_OPTIMIZER_MUON:
        return is_hidden_weight(b, p) ? BEAM_OP_MUON : BEAM_OP_ADAM;
    default:
        return BEAM_OP_ADAM;
    }
}

static beam_nn_update constants(const beam_nn_builder *b, const beam_nn_parameter *p)
{
    const beam_optimizer *o = &b->options->optimizer;
    beam_nn_update update = {.lr_factor = 1,
                             .momentum = o->momentum,
                             .nesterov = o->nesterov,
                             .beta1 = o->beta1 > 0 ? o->beta1 : 0.9f,
                             .beta2 = o->beta2 > 0 ? o->beta2 : 0.999f,
                             .epsilon = o->epsilon > 0 ? o->epsilon : 1e-8f,
                             .decoupled =
                                 o->kind == BEAM_OPTIMIZER_ADAMW || o->kind == BEAM_OPTIMIZER_MUON};
    if (o->kind == BEAM_OPTIMIZER_MUON && o->momentum == 0)
        update.momentum = 0.95f;
    if (o->decay_all || p->tensor.rank > 1)
        update.weight_decay = o->weight_decay;
    if (o->bias_lr_factor > 0 && is_norm_bias(b, p->value))
        update.lr_factor = o->bias_lr_factor;
    return update;
}

/* What an update keeps from step to step, but the parameter. */
static size_t names_of_kept(const beam_nn_op *op, const char *names[2])
{
    bool adam = op->kind == BEAM_OP_ADAM;
    names[0] = adam ? "adam_m" : "momentum";
    names[1] = "adam_v";
    return adam ? 2 : op->update.momentum > 0 ? 1 : 0;
}

/* Appends the update of one parameter; `factor` is clipping's, or 0. */
static void update(beam_nn_builder *b, uint32_t index, uint32_t factor)
{
    beam_nn_training *t = b->training;
    const beam_nn_parameter p = b->net->parameters[index];
    beam_nn_op op = {.kind = kind_of_update(b, &p),
                     .name = p.name,
                     .num_inputs = 4,
                     .inputs = {p.value, t->gradients[index], t->learning_rate, factor},
                     .num_outputs = 1,
                     .update = constants(b, &p)};
    beam_nn_state *kept[2] = {NULL, NULL};
    const char *names[2];
    size_t num_kept = names_of_kept(&op, names);
    for (size_t i = 0; i < num_kept; i++) {
        kept[i] = add_state(b, index, names[i]);
        if (!kept[i])
            return;
        op.inputs[op.num_inputs++] = kept[i]->value;
        op.num_outputs++;
    }
    if (op.kind == BEAM_OP_ADAM)
        op.inputs[op.num_inputs++] = t->step;
    beam_nn_value like = beam_nn_like(b, p.value);
    if (!beam_nn_append_op(b->net, &op, (const beam_nn_value[]){like, like, like}))
        return;
    t->states[index].next = op.outputs[0];
    for (size_t i = 0; i < num_kept; i++)
        kept[i]->next = op.outputs[i + 1];
}

void beam_nn_take_gradient(beam_nn_builder *b, uint32_t parameter, uint32_t gradient)
{
    uint32_t index = b->net->values[parameter].index;
    b->training->gradients[index] = gradient;
    if (b->options->optimizer.max_gradient_norm == 0) {
        update(b, index, 0);
        return;
    }
    beam_nn_op op = {.kind = BEAM_OP_SQUARED_SUM,
                     .name = b->net->parameters[index].name,
                     .num_inputs = b->squares ? 2 : 1,
                     .inputs = {gradient, b->squares},
                     .num_outputs = 1};
    beam_nn_value total = beam_nn_scalar();
    if (beam_nn_append_op(b->net, &op, &total))
        b->squares = op.outputs[0];
}

void beam_nn_finish_updates(beam_nn_builder *b, size_t forward)
{
    beam_nn_training *t = b->training;
    float max_norm = b->options->optimizer.max_gradient_norm;
    if (max_norm > 0 && b->squares) {
        beam_nn_op op = {.kind = BEAM_OP_CLIP_FACTOR,
                         .name = "clip",
                         .num_inputs = 1,
                         .inputs = {b->squares},
                         .num_outputs = 2,
                         .max_norm = max_norm};
        if (!beam_nn_append_op(b->net, &op,
                               (const beam_nn_value[]){beam_nn_scalar(), beam_nn_scalar()}))
            return;
        t->gradient_norm = op.outputs[1];
        for (uint32_t i = 0; i < b->net->num_parameters; i++)
            if (t->gradients[i] != 0)
                update(b, i, op.outputs[0]);
    }
    for (size_t i = 0; i < forward; i++) {
        const beam_nn_op *op = &b->net->ops[i];
        if (op->kind != BEAM_OP_BATCH_NORM_TRAINING)
            continue;
        t->states[b->net->values[op->inputs[3]].index].next = op->outputs[3];
        t->states[b->net->values[op->inputs[4]].index].next = op->outputs[4];
    }
}
