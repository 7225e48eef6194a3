/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gradient.c - differentiates a network: the forward operations as they are in training, then what
 * each sends back, the last first (reverse mode).  gradient_ops.c knows the single operations,
 * gradient_update.c what becomes of the parameters' gradients. */
#include "nn/gradient.h"

#include <string.h>

#include "base/alloc.h"

beam_nn_value beam_nn_scalar(void)
{
    return (beam_nn_value){.dtype = BEAM_F32};
}

beam_nn_value beam_nn_like(const beam_nn_builder *b, uint32_t value)
{
    return b->net->values[value];
}

/* ---- forward ---- */

static void copy_forward(beam_nn_builder *b, const beam_nn_op *from)
{
    beam_nn_op op = *from;
    beam_nn_value results[BEAM_OP_MAX_OUTPUTS] = {b->from->values[from->outputs[0]]};
    for (uint32_t i = 0; i < op.num_inputs; i++)
        op.inputs[i] = b->made[from->inputs[i]];
    if (op.kind == BEAM_OP_BATCH_NORM) {
        op.kind = BEAM_OP_BATCH_NORM_TRAINING;
        op.momentum = b->options->batch_norm_momentum;
        op.num_outputs = 5;
        for (uint32_t i = 1; i < 5; i++)
            results[i] = beam_nn_like(b, op.inputs[3]);
    } else if (op.kind == BEAM_OP_DROPOUT) {
        op.kind = BEAM_OP_DROPOUT_TRAINING;
        op.seed = b->options->seed;
        op.stream = b->dropouts++;
        op.inputs[op.num_inputs++] = b->training->step;
    }
    if (!beam_nn_append_op(b->net, &op, results))
        return;
    uint32_t y = op.outputs[0];
    for (uint32_t i = 0; i < op.num_inputs; i++)
        b->wants[y] = b->wants[y] || b->wants[op.inputs[i]];
    b->made[from->outputs[0]] = y;
}

static void add_inputs(beam_nn_builder *b)
{
    const beam_network *from = b->from;
    for (size_t i = 0; i < from->num_inputs; i++) {
        const beam_nn_value *x = &from->values[from->inputs[i]];
        b->made[from->inputs[i]] = beam_nn_input(b->net, "input", x->rank - 1, x->shape + 1).id;
    }
    b->training->labels =
        beam_nn_add_input(b->net, "labels",
                          &(beam_nn_value){.rank = 1, .shape = {BEAM_NN_BATCH}, .dtype = BEAM_I32})
            .id;
    b->training->learning_rate =
        beam_nn_add_input(b->net, "learning_rate", &(beam_nn_value){.dtype = BEAM_F32}).id;
    b->training->step = beam_nn_add_input(b->net, "step", &(beam_nn_value){.dtype = BEAM_I32}).id;
    for (size_t i = 0; i < from->num_parameters; i++) {
        const beam_nn_parameter *parameter = &from->parameters[i];
        uint32_t made = beam_nn_copy_parameter(b->net, parameter).id;
        b->made[parameter->value] = made;
        b->wants[made] = parameter->trainable;
    }
}

static void add_loss(beam_nn_builder *b)
{
    beam_nn_training *t = b->training;
    t->logits = b->made[b->from->outputs[0]];
    beam_nn_op op = {.kind = BEAM_OP_SOFTMAX_CROSS_ENTROPY,
                     .name = "loss",
                     .num_inputs = 2,
                     .inputs = {t->logits, t->labels},
                     .num_outputs = 3,
                     .smoothing = b->options->label_smoothing};
    beam_nn_value results[] = {beam_nn_scalar(), beam_nn_scalar(), beam_nn_like(b, t->logits)};
    if (!beam_nn_append_op(b->net, &op, results))
        return;
    t->loss = op.outputs[0];
    t->correct = op.outputs[1];
    b->gradients[t->logits] = op.outputs[2];
}

/* ---- the whole ---- */

static beam_status check(const beam_network *network, beam_error *err)
{
    if (!network || !network->finished)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "a network must be finished before it is trained");
    if (network->num_outputs != 1 || network->values[network->outputs[0]].rank != 2)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "network %s: training wants one output, the logits {classes}",
                              network->name);
    bool any = false;
    for (size_t i = 0; i < network->num_parameters; i++)
        any = any || network->parameters[i].trainable;
    if (!any)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "network %s has no parameter that can be trained", network->name);
    return BEAM_OK;
}

/* Arrays by value: every operation makes at most a few, so their number is known beforehand. */
static bool make_arrays(beam_nn_builder *b)
{
    size_t bound = BEAM_OP_MAX_OUTPUTS * (4 * b->from->num_ops + 16) + b->from->num_values +
                   8 * b->from->num_parameters;
    b->made = beam_calloc(b->from->num_values, sizeof *b->made);
    b->gradients = beam_calloc(bound, sizeof *b->gradients);
    b->wants = beam_calloc(bound, sizeof *b->wants);
    b->training->gradients = beam_calloc(b->from->num_parameters, sizeof(uint32_t));
    /* Each parameter, and at most two of an optimizer for it. */
    b->training->states = beam_calloc(3 * b->from->num_parameters, sizeof(beam_nn_state));
    return b->made && b->gradients && b->wants && b->training->gradients && b->training->states;
}

static void build(beam_nn_builder *b)
{
    beam_network *net = b->net;
    add_inputs(b);
    beam_nn_add_parameter_states(b);
    for (size_t i = 0; net->error.code == BEAM_OK && i < b->from->num_ops; i++)
        copy_forward(b, &b->from->ops[i]);
    size_t forward = net->num_ops;
    if (net->error.code == BEAM_OK)
        add_loss(b);
    for (size_t i = forward; net->error.code == BEAM_OK && i-- > 0;)
        beam_nn_gradient_op(b, i);
    if (net->error.code == BEAM_OK)
        beam_nn_finish_updates(b, forward);
}

beam_status beam_nn_training_new(const beam_network *network,
                                 const beam_nn_training_options *options,
                                 beam_nn_training **training, beam_error *err)
{
    *training = NULL;
    BEAM_TRY(check(network, err));
    beam_nn_training_options o = *options;
    if (o.batch_norm_momentum == 0)
        o.batch_norm_momentum = 0.1f;
    beam_nn_builder b = {.from = network, .options = &o};
    b.training = beam_calloc(1, sizeof *b.training);
    b.net = b.training ? beam_network_new(network->name) : NULL;
    beam_status status = BEAM_OK;
    if (!b.net || !make_arrays(&b))
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to differentiate %s",
                                network->name);
    if (b.training)
        b.training->network = b.net;
    if (status == BEAM_OK) {
        build(&b);
        status = b.net->error.code;
        if (status != BEAM_OK)
            (void)beam_error_set(err, status, "%s", b.net->error.message);
        b.net->finished = true;
    }
    beam_free(b.made);
    beam_free(b.gradients);
    beam_free(b.wants);
    if (status != BEAM_OK) {
        beam_nn_training_free(b.training);
        return status;
    }
    *training = b.training;
    return BEAM_OK;
}

void beam_nn_training_free(beam_nn_training *training)
{
    if (!training)
        return;
    beam_network_free(training->network);
    beam_free(training->states);
    beam_free(training->gradients);
    beam_free(training);
}
