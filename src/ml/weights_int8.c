/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights_int8.c - a network's weights in eight bits, as beam_network_bind reads them. */
#include <beam/weights.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "nn/int8.h"

typedef struct writing {
    const beam_network *network;
    beam_arena arena; /* names and what is quantized */
    beam_named_tensor *tensors;
    size_t count;
    beam_error *err;
} writing;

static beam_status no_memory(writing *w)
{
    return beam_error_set(w->err, BEAM_RESOURCE_EXHAUSTED, "no memory to quantize network %s",
                          w->network->name);
}

static void add(writing *w, const char *name, const beam_tensor *tensor)
{
    w->tensors[w->count++] = (beam_named_tensor){.name = name, .tensor = *tensor};
}

/* Whether a parameter is the weights of a layer that int8 computes. */
static bool is_int8(const beam_network *network, const beam_nn_parameter *p)
{
    for (size_t i = 0; i < network->num_ops; i++) {
        const beam_nn_op *op = &network->ops[i];
        if (beam_nn_is_product(op) && op->inputs[1] == p->value)
            return op->int8;
    }
    return false;
}

static beam_status add_int8(writing *w, const beam_nn_parameter *p)
{
    beam_tensor q = p->tensor;
    beam_tensor scale = {.dtype = BEAM_F32, .rank = 1, .shape = {q.shape[0]}};
    q.dtype = BEAM_I8;
    int8_t *numbers = beam_arena_alloc(&w->arena, beam_tensor_bytes(&q));
    float *scales = beam_arena_alloc(&w->arena, beam_tensor_bytes(&scale));
    const char *name = beam_arena_printf(&w->arena, "%s_scale", p->name);
    if (!numbers || !scales || !name)
        return no_memory(w);
    BEAM_TRY(beam_nn_quantize(p->name, &p->tensor, numbers, scales, w->err));
    q.data = numbers;
    scale.data = scales;
    add(w, p->name, &q);
    add(w, name, &scale);
    return BEAM_OK;
}

static beam_status add_range(writing *w, const beam_nn_range *range)
{
    const beam_tensor one = {.dtype = BEAM_F32,
                             .rank = 1,
                             .shape = {1},
                             .data = &w->network->values[range->value].range};
    const char *name = beam_arena_printf(&w->arena, "%s.%s", range->layer, range->part);
    if (!name)
        return no_memory(w);
    add(w, name, &one);
    return BEAM_OK;
}

static beam_status collect(writing *w)
{
    const beam_network *network = w->network;
    bool known = false; /* of some layer that int8 computes */
    w->tensors =
        beam_calloc(2 * network->num_parameters + BEAM_NN_MOST_RANGES(network), sizeof *w->tensors);
    if (!w->tensors)
        return no_memory(w);
    for (size_t i = 0; i < network->num_parameters; i++) {
        const beam_nn_parameter *p = &network->parameters[i];
        if (!p->tensor.data)
            return beam_error_set(w->err, BEAM_FAILED_PRECONDITION,
                                  "network %s: parameter %s has no weights yet", network->name,
                                  p->name);
        if (is_int8(network, p))
            BEAM_TRY(add_int8(w, p));
        else
            add(w, p->name, &p->tensor);
    }
    for (size_t i = 0; i < BEAM_NN_MOST_RANGES(network); i++) {
        beam_nn_range range;
        if (!beam_nn_range_at(network, i, &range) || !(network->values[range.value].range > 0))
            continue;
        known = known || (range.input && network->ops[range.op].int8);
        if (!range.input || network->ops[range.op].int8)
            BEAM_TRY(add_range(w, &range));
    }
    if (!known)
        return beam_error_set(w->err, BEAM_FAILED_PRECONDITION,
                              "network %s: it is not known how large activations get; calibrate it "
                              "first",
                              network->name);
    return BEAM_OK;
}

beam_status beam_weights_save_int8(const char *path, const beam_network *network,
                                   const beam_weights_note *notes, size_t num_notes,
                                   beam_error *err)
{
    writing w = {.network = network, .err = err};
    beam_status status = collect(&w);
    if (status == BEAM_OK)
        status = beam_weights_save_safetensors(path, w.tensors, w.count, notes, num_notes, err);
    beam_free(w.tensors);
    beam_arena_free(&w.arena);
    return status;
}
