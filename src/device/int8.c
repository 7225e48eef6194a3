/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/int8.h"

#include "base/alloc.h"
#include "device/fold.h"

/* Whether an operation gives some of the numbers that it takes, or the same in another shape. */
static bool passes_on(const beam_nn_op *op)
{
    return op->kind == BEAM_OP_MAX_POOL2D || op->kind == BEAM_OP_RESHAPE ||
           op->kind == BEAM_OP_DROPOUT;
}

static bool is_output(const beam_network *network, uint32_t value)
{
    for (size_t i = 0; i < network->num_outputs; i++)
        if (network->outputs[i] == value)
            return true;
    return false;
}

/* ---- values ---- */

/* What is larger than the maximum of its window goes no further: in front of a pooling as behind
 * it, the same range will do. */
static void find_scales(const beam_network *network, beam_int8_model *m)
{
    for (size_t i = 0; i < network->num_values; i++)
        m->scales[i] = network->values[i].range / BEAM_NN_INT8_MOST;
    for (size_t i = network->num_ops; i-- > 0;) {
        const beam_nn_op *op = &network->ops[i];
        if (passes_on(op) && m->scales[op->inputs[0]] == 0)
            m->scales[op->inputs[0]] = m->scales[op->outputs[0]];
    }
}

/* Of an operation whose operands tell: whether its result is never negative. */
static bool stays_nonnegative(const beam_nn_op *op, const bool *nonnegative)
{
    if (op->kind == BEAM_OP_RELU)
        return true;
    if (!nonnegative[op->inputs[0]])
        return false;
    return passes_on(op) || op->kind == BEAM_OP_AVG_POOL2D || op->kind == BEAM_OP_GLOBAL_AVG_POOL ||
           (op->kind == BEAM_OP_ADD && nonnegative[op->inputs[1]]) ||
           (op->kind == BEAM_OP_SCALE && op->factor >= 0);
}

/* What a step in int8 makes is kept as q, with its addend, which it may be written over. */
static void find_kept(const beam_network *network, const beam_fused_op *steps, beam_int8_model *m)
{
    for (size_t i = 0; i < m->num_steps; i++) {
        const beam_fused_op *step = &steps[i];
        uint32_t x = step->op->inputs[0], y = step->output;
        if (step->op->int8) {
            m->kept[y] = m->scales[y] > 0 && !is_output(network, y) &&
                         (!step->addend || m->scales[step->addend] > 0);
        } else if (passes_on(step->op) && m->kept[x] && !is_output(network, y)) {
            m->kept[y] = true;
            m->scales[y] = m->scales[x];
        }
    }
}

/* ---- weights ---- */

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for weights of eight bits");
}

static beam_status make_product(const beam_network *network, const beam_nn_parameter *parameters,
                                const beam_fused_op *step, float x_scale, beam_int8_product *p,
                                beam_error *err)
{
    beam_tensor folded = *beam_parameter_of(network, parameters, step->op->inputs[1]);
    size_t bytes = beam_tensor_bytes(&folded);
    p->rows = (size_t)folded.shape[0];
    p->row = bytes / sizeof(float) / p->rows;
    p->weights = beam_malloc(p->rows * p->row);
    p->scales = beam_malloc(p->rows * sizeof *p->scales);
    p->bias = beam_malloc(p->rows * sizeof *p->bias);
    float *data = beam_malloc(bytes);
    if (!p->weights || !p->scales || !p->bias || !data) {
        beam_free(data);
        return no_memory(err);
    }
    beam_fold_weights(network, parameters, step, data);
    beam_fold_bias(network, parameters, step, p->bias);
    folded.data = data;
    beam_status status = beam_nn_quantize(step->op->name, &folded, p->weights, p->scales, err);
    for (size_t r = 0; r < p->rows; r++)
        p->scales[r] *= x_scale;
    beam_free(data);
    return status;
}

beam_status beam_int8_make(const beam_network *network, const beam_nn_parameter *parameters,
                           const beam_fused_op *steps, size_t num_steps, beam_int8_model *m,
                           beam_error *err)
{
    size_t made = 0;
    m->scales = beam_calloc(network->num_values, sizeof *m->scales);
    m->kept = beam_calloc(network->num_values, sizeof *m->kept);
    m->nonnegative = beam_calloc(network->num_values, sizeof *m->nonnegative);
    m->products = beam_calloc(num_steps, sizeof *m->products);
    if (!m->scales || !m->kept || !m->nonnegative || !m->products)
        return no_memory(err);
    m->num_steps = num_steps;
    find_scales(network, m);
    for (size_t i = 0; i < network->num_ops; i++)
        m->nonnegative[network->ops[i].outputs[0]] =
            stays_nonnegative(&network->ops[i], m->nonnegative);
    find_kept(network, steps, m);
    for (size_t i = 0; i < num_steps; i++) {
        if (!steps[i].op->int8)
            continue;
        BEAM_TRY(make_product(network, parameters, &steps[i], m->scales[steps[i].op->inputs[0]],
                              &m->products[i], err));
        made++;
    }
    if (made > 0)
        return BEAM_OK;
    return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                          "int8 needs to know how large activations get, and these weights do not "
                          "tell: `beam quantize` makes weights that do");
}

void beam_int8_free(beam_int8_model *m)
{
    for (size_t i = 0; i < m->num_steps; i++) {
        beam_free(m->products[i].weights);
        beam_free(m->products[i].scales);
        beam_free(m->products[i].bias);
    }
    beam_free(m->products);
    beam_free(m->scales);
    beam_free(m->kept);
    beam_free(m->nonnegative);
    *m = (beam_int8_model){0};
}

int64_t beam_int8_bytes(const beam_int8_model *m)
{
    size_t bytes = 0;
    for (size_t i = 0; i < m->num_steps; i++)
        bytes += m->products[i].rows * (m->products[i].row + 2 * sizeof(float));
    return (int64_t)bytes;
}
