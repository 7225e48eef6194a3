/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_plan.c - one training step planned: which operations go together, where inputs and
 * states lie, then each operation in turn. */
#include <string.h>

#include "base/alloc.h"
#include "device/onednn_train.h"

beam_status beam_onednn_train_status(const beam_onednn_train_builder *t, uint32_t index,
                                     dnnl_status_t status)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    return beam_onednn_status(status, beam_op_name(op->kind), t->b.err);
}

static bool has_batch(const beam_nn_value *value)
{
    return value->rank > 0 && value->shape[0] == BEAM_NN_BATCH;
}

dnnl_data_type_t beam_onednn_train_type(const beam_onednn_train_builder *t, uint32_t value)
{
    const beam_nn_value *v = &t->b.network->values[value];
    bool of_loss = value == t->program->logits ||
                   (v->kind == BEAM_VALUE_COMPUTED &&
                    t->b.network->ops[v->index].kind == BEAM_OP_SOFTMAX_CROSS_ENTROPY);
    return has_batch(v) && !of_loss ? t->type : dnnl_f32;
}

beam_tensor beam_onednn_train_shape(const beam_onednn_train_builder *t, uint32_t value)
{
    return beam_nn_shape(t->b.network, value, t->training->options.batch_size);
}

const_dnnl_memory_desc_t beam_onednn_train_desc(const beam_onednn_train_builder *t, uint32_t value)
{
    return t->b.plan->buffers[t->b.buffer_of[value] - 1].desc;
}

beam_status beam_onednn_train_result(beam_onednn_train_builder *t, uint32_t value,
                                     const_dnnl_memory_desc_t desc, uint32_t *buffer)
{
    BEAM_TRY(beam_onednn_buffer_new(&t->b, desc, buffer));
    t->b.buffer_of[value] = *buffer + 1;
    return BEAM_OK;
}

beam_status beam_onednn_train_result_over(beam_onednn_train_builder *t, uint32_t value,
                                          uint32_t over, uint32_t *buffer)
{
    BEAM_TRY(beam_onednn_train_result(t, value, t->b.plan->buffers[over].desc, buffer));
    t->b.plan->buffers[*buffer].place = t->b.plan->buffers[over].place;
    t->b.plan->buffers[*buffer].lasts = t->b.plan->buffers[over].lasts;
    return BEAM_OK;
}

bool beam_onednn_train_dies(const beam_onednn_train_builder *t, uint32_t value, uint32_t index)
{
    const beam_onednn_plan *plan = t->b.plan;
    uint32_t place = plan->buffers[t->b.buffer_of[value] - 1].place;
    if (plan->buffers[place].input || plan->buffers[place].lasts ||
        plan->buffers[place].last == UINT32_MAX)
        return false;
    for (size_t v = 1; v < t->b.network->num_values; v++)
        if (t->b.buffer_of[v] && plan->buffers[t->b.buffer_of[v] - 1].place == place &&
            t->last_reader[v] > index + 1)
            return false;
    return true;
}

/* ---- what goes together ---- */

static void count_readers(beam_onednn_train_builder *t)
{
    const beam_network *net = t->b.network;
    for (size_t i = 0; i < net->num_ops; i++)
        for (uint32_t k = 0; k < net->ops[i].num_inputs; k++) {
            t->readers[net->ops[i].inputs[k]]++;
            t->last_reader[net->ops[i].inputs[k]] = (uint32_t)i + 1;
        }
}

/* The relu that is the only reader of operation `index`'s first result, or 0. */
static uint32_t only_relu(const beam_onednn_train_builder *t, uint32_t index)
{
    const beam_network *net = t->b.network;
    uint32_t y = net->ops[index].outputs[0];
    uint32_t reader = t->last_reader[y];
    if (t->readers[y] != 1 || net->ops[reader - 1].kind != BEAM_OP_RELU)
        return 0;
    return reader - 1;
}

/* A relu right behind a batch norm or an addition is done in the same pass.  Going back, batch norm
 * takes the relu's part too, as long as the relu's gradient goes nowhere else. */
static void fuse(beam_onednn_train_builder *t)
{
    const beam_network *net = t->b.network;
    for (uint32_t i = 0; i < net->num_ops; i++) {
        beam_op_kind kind = net->ops[i].kind;
        if (kind != BEAM_OP_BATCH_NORM_TRAINING && kind != BEAM_OP_ADD)
            continue;
        uint32_t relu = only_relu(t, i);
        if (relu == 0)
            continue;
        t->layers[i].fused = t->layers[relu].skipped = true;
    }
    for (uint32_t i = 0; i < net->num_ops; i++) {
        const beam_nn_op *op = &net->ops[i];
        if (op->kind != BEAM_OP_BATCH_NORM_GRAD || !t->layers[op->forward - 1].fused)
            continue;
        const beam_nn_value *dy = &net->values[op->inputs[1]];
        t->layers[dy->index].skipped = true; /* the relu_grad that made dy */
    }
}

/* ---- inputs and states ---- */

static beam_status add_inputs(beam_onednn_train_builder *t)
{
    const beam_network *net = t->b.network;
    for (size_t i = 0; i < net->num_inputs; i++) {
        uint32_t value = net->inputs[i], buffer = 0;
        beam_tensor shape = beam_onednn_train_shape(t, value);
        bool number = shape.rank == 0;
        if (number) /* oneDNN has no scalars */
            shape = (beam_tensor){.dtype = shape.dtype, .rank = 1, .shape = {1}};
        const_dnnl_memory_desc_t desc;
        BEAM_TRY(
            beam_onednn_plain(&t->b, &shape, shape.dtype == BEAM_I32 ? dnnl_s32 : dnnl_f32, &desc));
        BEAM_TRY(beam_onednn_train_result(t, value, desc, &buffer));
        if (i + 3 < net->num_inputs)
            t->b.plan->buffers[buffer].input = (uint32_t)i + 1;
        else /* written before the step, so in nobody's place */
            t->b.plan->buffers[buffer].lasts = true;
    }
    return BEAM_OK;
}

/* States for which no convolution or linear layer has chosen a layout are row-major. */
static beam_status add_states(beam_onednn_train_builder *t)
{
    for (size_t i = 0; i < t->program->num_states; i++) {
        const beam_nn_state *state = &t->program->states[i];
        uint32_t parameter = t->program->states[state->parameter].value, buffer = 0;
        const_dnnl_memory_desc_t desc = NULL;
        if (state->value != parameter)
            desc = beam_onednn_train_desc(t, parameter);
        if (t->b.buffer_of[state->value])
            continue;
        beam_tensor shape = beam_onednn_train_shape(t, state->value);
        if (!desc)
            BEAM_TRY(beam_onednn_plain(&t->b, &shape, dnnl_f32, &desc));
        BEAM_TRY(beam_onednn_train_result(t, state->value, desc, &buffer));
        t->b.plan->buffers[buffer].lasts = true;
    }
    return BEAM_OK;
}

static void keep(beam_onednn_train_builder *t, uint32_t value)
{
    if (value && t->b.buffer_of[value]) {
        beam_onednn_plan *plan = t->b.plan;
        plan->buffers[plan->buffers[t->b.buffer_of[value] - 1].place].last = UINT32_MAX;
    }
}

/* Values that are read when the step is over. */
static void keep_results(beam_onednn_train_builder *t)
{
    keep(t, t->program->loss);
    keep(t, t->program->correct);
    keep(t, t->program->gradient_norm);
    for (size_t i = 0; t->training->options.keep_gradients && i < t->b.network->num_parameters; i++)
        keep(t, t->program->gradients[i]);
}

static beam_status build(beam_onednn_train_builder *t)
{
    count_readers(t);
    fuse(t);
    BEAM_TRY(add_inputs(t));
    BEAM_TRY(beam_onednn_train_products(t));
    BEAM_TRY(add_states(t));
    for (uint32_t i = 0; i < t->b.network->num_ops; i++) {
        beam_status status = beam_onednn_train_op(t, i);
        if (status != BEAM_OK)
            return beam_error_wrap(t->b.err, status, "layer %s", t->b.network->ops[i].name);
    }
    keep_results(t);
    return beam_onednn_place(&t->b);
}

static void free_layers(beam_onednn_train_builder *t)
{
    for (size_t i = 0; t->layers && i < t->b.network->num_ops; i++) {
        dnnl_primitive_desc_t made[] = {t->layers[i].forward, t->layers[i].data,
                                        t->layers[i].weights};
        for (int k = 0; k < 3; k++)
            if (made[k])
                (void)dnnl_primitive_desc_destroy(made[k]);
    }
    beam_free(t->layers);
    beam_free(t->last_reader);
    beam_free(t->readers);
    if (t->attr)
        (void)dnnl_primitive_attr_destroy(t->attr);
}

static dnnl_status_t make_attr(dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success) /* f32 means f32, whatever DNNL_DEFAULT_FPMATH_MODE says */
        status = dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    return status;
}

beam_status beam_onednn_train_plan(const beam_training *training, dnnl_engine_t engine,
                                   beam_onednn_plan **plan, uint32_t **buffer_of, beam_error *err)
{
    const beam_network *net = training->program->network;
    beam_onednn_train_builder t = {
        .b = {.engine = engine, .network = net, .err = err},
        .training = training,
        .program = training->program,
        .type = training->precision == BEAM_PRECISION_BF16 ? dnnl_bf16 : dnnl_f32,
    };
    t.b.plan = beam_calloc(1, sizeof *t.b.plan);
    t.b.buffer_of = beam_calloc(net->num_values, sizeof *t.b.buffer_of);
    t.layers = beam_calloc(net->num_ops, sizeof *t.layers);
    t.last_reader = beam_calloc(net->num_values, sizeof *t.last_reader);
    t.readers = beam_calloc(net->num_values, sizeof *t.readers);
    beam_status status = BEAM_OK;
    if (!t.b.plan || !t.b.buffer_of || !t.layers || !t.last_reader || !t.readers)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to plan a step");
    if (status == BEAM_OK)
        status = beam_onednn_status(make_attr(&t.attr), "attributes", err);
    if (status == BEAM_OK) {
        t.b.plan->batch = training->options.batch_size;
        status = build(&t);
    }
    free_layers(&t);
    if (status != BEAM_OK) {
        beam_onednn_plan_free(t.b.plan);
        beam_free(t.b.buffer_of);
        return status;
    }
    *plan = t.b.plan;
    *buffer_of = t.b.buffer_of;
    return BEAM_OK;
}
