/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/train_work.h"

#include <string.h>

#include "nn/network.h"

/* Elements of a value without its batch. */
static double elements(const beam_network *network, uint32_t value)
{
    const beam_nn_value *v = &network->values[value];
    double n = 1;
    for (uint32_t i = 0; i < v->rank; i++)
        n *= v->shape[i] == BEAM_NN_BATCH ? 1 : (double)v->shape[i];
    return n;
}

double beam_network_work(const beam_network *network)
{
    double work = 0;
    for (size_t i = 0; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        double out = op->num_outputs ? elements(network, op->outputs[0]) : 0;
        if (op->kind != BEAM_OP_CONV2D && op->kind != BEAM_OP_LINEAR) {
            work += out; /* memory bound: counted, so that no network is free */
            continue;
        }
        const beam_nn_value *weight = &network->values[op->inputs[1]];
        work += out * elements(network, op->inputs[1]) / (double)weight->shape[0];
    }
    return work;
}

static beam_status create(const beam_training_config *c, bool digits, beam_network **network)
{
    char name[64];
    const beam_network_options options = {.struct_size = sizeof options,
                                          .num_classes = 10,
                                          .channels = digits ? 1 : 3,
                                          .height = digits ? 8 : 32,
                                          .cifar_stem = c->cifar_stem};
    if (c->model_name.len >= sizeof name)
        return BEAM_INVALID_ARGUMENT;
    memcpy(name, c->model_name.len ? c->model_name.at : "", c->model_name.len);
    name[c->model_name.len] = '\0';
    return beam_network_create(name, &options, network, NULL);
}

double beam_training_work(const beam_training_config *c)
{
    enum { FORWARD_AND_BACKWARD = 3, DIGITS = 1438, IMAGES = 50000 };
    const double step = 1e6; /* what threads and operations cost to start, about */
    bool digits = beam_str_equal(c->dataset, beam_str_of("digits"));
    beam_network *network = NULL;
    if (beam_training_config_check(c, NULL) != BEAM_OK || create(c, digits, &network) != BEAM_OK)
        return 0;
    double most = digits ? DIGITS : IMAGES, given = (double)c->num_images;
    double images = given > 0 && given < most ? given : most;
    double each = FORWARD_AND_BACKWARD * beam_network_work(network) + step / (double)c->batch_size;
    beam_network_free(network);
    return each * images * (double)c->epochs;
}
