/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_plan.c - a training step as a plan. */
#include <string.h>

#include "base/alloc.h"
#include "device/onednn_train.h"

static beam_status no_memory(const beam_onednn_train_builder *t)
{
    return beam_error_set(t->b.err, BEAM_RESOURCE_EXHAUSTED, "no memory to plan a training step");
}

static beam_onednn_buffer *buffer_of(const beam_onednn_train_builder *t, uint32_t value)
{
    return &t->b.plan->buffers[t->b.buffer_of[value] - 1];
}

beam_status beam_onednn_train_check(const beam_onednn_lowering *l, dnnl_status_t status)
{
    return beam_onednn_status(status, beam_op_name(l->op->kind), l->t->b.err);
}

/* Activations and what comes back to them are of the step's type, all else is f32. */
dnnl_data_type_t beam_onednn_train_type(const beam_onednn_train_builder *t, uint32_t value)
{
    const beam_nn_value *v = &t->b.network->values[value];
    if (v->dtype == BEAM_I32)
        return dnnl_s32;
    bool activation = v->rank > 0 && v->shape[0] == BEAM_NN_BATCH;
    if (!activation || v->kind == BEAM_VALUE_INPUT || value == t->program->logits)
        return dnnl_f32;
    bool loss = v->kind == BEAM_VALUE_COMPUTED &&
                t->b.network->ops[v->index].kind == BEAM_OP_SOFTMAX_CROSS_ENTROPY;
    return loss ? dnnl_f32 : t->b.type;
}

beam_status beam_onednn_train_plain(beam_onednn_lowering *l, uint32_t value,
                                    const_dnnl_memory_desc_t *desc)
{
    beam_onednn_builder *b = &l->t->b;
    beam_tensor shape = beam_nn_shape(b->network, value, b->plan->batch);
    return beam_onednn_plain(b, &shape, beam_onednn_train_type(l->t, value), desc);
}

/* ---- what is kept ---- */

beam_status beam_onednn_train_keep(beam_onednn_train_builder *t, uint32_t value,
                                   const_dnnl_memory_desc_t desc)
{
    if (t->b.buffer_of[value] != 0)
        return BEAM_OK;
    uint32_t buffer = 0;
    BEAM_TRY(beam_onednn_buffer_new(&t->b, desc, &buffer));
    t->b.plan->buffers[buffer].kept = true;
    t->b.buffer_of[value] = buffer + 1;
    return BEAM_OK;
}

beam_status beam_onednn_train_layout(beam_onednn_train_builder *t, uint32_t value,
                                     const_dnnl_memory_desc_t *desc)
{
    if (t->b.buffer_of[value] == 0) { /* a parameter or state that nobody has laid out */
        const_dnnl_memory_desc_t plain;
        beam_tensor shape = beam_nn_shape(t->b.network, value, 1);
        BEAM_TRY(beam_onednn_plain(&t->b, &shape, dnnl_f32, &plain));
        BEAM_TRY(beam_onednn_train_keep(t, value, plain));
    }
    *desc = buffer_of(t, value)->desc;
    return BEAM_OK;
}

/* ---- operands and results ---- */

static void add_arg(beam_onednn_lowering *l, int arg, uint32_t buffer)
{
    l->args[l->num_args++] =
        (beam_onednn_arg){.arg = arg, .source = BEAM_ONEDNN_FROM_BUFFER, .index = buffer};
}

/* A copy of the buffer in this layout that is there already. */
static bool find_copy(const beam_onednn_train_builder *t, uint32_t from,
                      const_dnnl_memory_desc_t desc, uint32_t *buffer)
{
    for (size_t i = 0; i < t->num_copies; i++) {
        *buffer = t->copies[i][1];
        if (t->copies[i][0] == from &&
            dnnl_memory_desc_equal(t->b.plan->buffers[*buffer].desc, desc))
            return true;
    }
    return false;
}

/* Adds what is in buffer `from` as an operand. */
static beam_status add_operand(beam_onednn_lowering *l, int arg, uint32_t from,
                               const_dnnl_memory_desc_t desc)
{
    beam_onednn_train_builder *t = l->t;
    uint32_t buffer = from;
    const_dnnl_memory_desc_t lies = t->b.plan->buffers[from].desc;
    if (desc && !dnnl_memory_desc_equal(lies, desc) && !find_copy(t, from, desc, &buffer)) {
        if (beam_grow((void **)&t->copies, &t->cap_copies, t->num_copies + 1, sizeof *t->copies))
            return no_memory(t);
        BEAM_TRY(beam_onednn_buffer_as(&t->b, from, desc, &buffer));
        t->copies[t->num_copies][0] = from;
        t->copies[t->num_copies++][1] = buffer;
    }
    add_arg(l, arg, buffer);
    return BEAM_OK;
}

beam_status beam_onednn_operand(beam_onednn_lowering *l, int arg, uint32_t value,
                                const_dnnl_memory_desc_t desc)
{
    const_dnnl_memory_desc_t lies;
    BEAM_TRY(beam_onednn_train_layout(l->t, value, &lies));
    return add_operand(l, arg, l->t->b.buffer_of[value] - 1, desc);
}

beam_status beam_onednn_operand_part(beam_onednn_lowering *l, int arg, uint32_t value,
                                     const beam_onednn_taps *taps, const_dnnl_memory_desc_t desc)
{
    uint32_t view = 0;
    BEAM_TRY(beam_onednn_taps_view(l->t, taps, value, &view));
    return add_operand(l, arg, view, desc);
}

beam_status beam_onednn_result(beam_onednn_lowering *l, int arg, uint32_t value,
                               const_dnnl_memory_desc_t desc)
{
    uint32_t buffer = 0;
    BEAM_TRY(beam_onednn_buffer_new(&l->t->b, desc, &buffer));
    if (value != 0)
        l->t->b.buffer_of[value] = buffer + 1;
    add_arg(l, arg, buffer);
    return BEAM_OK;
}

beam_status beam_onednn_in_place(beam_onednn_lowering *l, int arg, uint32_t value, uint32_t before)
{
    const_dnnl_memory_desc_t desc;
    BEAM_TRY(beam_onednn_train_layout(l->t, before, &desc));
    if (value != 0)
        l->t->b.buffer_of[value] = l->t->b.buffer_of[before];
    add_arg(l, arg, l->t->b.buffer_of[before] - 1);
    return BEAM_OK;
}

/* ---- partial values ---- */

void beam_onednn_train_map_free(beam_onednn_train_map *map)
{
    beam_free(map->buffer_of);
    beam_free(map->partials);
}

const beam_onednn_partial *beam_onednn_train_partial(const beam_onednn_train_map *map,
                                                     uint32_t value)
{
    for (size_t i = 0; i < map->num_partials; i++)
        if (map->partials[i].value == value)
            return &map->partials[i];
    return NULL;
}

beam_status beam_onednn_train_is_partial(beam_onednn_train_builder *t, uint32_t value,
                                         const beam_onednn_taps *taps, uint32_t busy)
{
    beam_onednn_train_map *map = &t->map;
    if (beam_grow((void **)&map->partials, &map->cap_partials, map->num_partials + 1,
                  sizeof *map->partials))
        return no_memory(t);
    map->partials[map->num_partials++] =
        (beam_onednn_partial){.value = value, .busy = busy, .taps = *taps};
    return BEAM_OK;
}

/* ---- the plan ---- */

static beam_status lower_op(beam_onednn_train_builder *t, size_t index)
{
    const beam_nn_op *op = &t->b.network->ops[index];
    beam_onednn_lowering l = {.t = t, .op = op, .index = index};
    l.x = beam_nn_shape(t->b.network, op->inputs[0], t->b.plan->batch);
    for (uint32_t i = op->num_outputs; i-- > 0;)
        if (op->outputs[i] != 0)
            l.y = beam_nn_shape(t->b.network, op->outputs[i], t->b.plan->batch);
    beam_status status = beam_onednn_train_check(&l, beam_onednn_attr(&l.attr));
    if (status == BEAM_OK)
        status = beam_onednn_train_product(&l);
    if (l.attr)
        (void)dnnl_primitive_attr_destroy(l.attr);
    return status;
}

/* What the caller reads when the step is over stays where it is. */
static void keep_value(const beam_onednn_train_builder *t, uint32_t value)
{
    if (value != 0 && t->b.buffer_of[value] != 0)
        buffer_of(t, value)->kept = true;
}

static beam_status build(beam_onednn_train_builder *t)
{
    const beam_nn_training *program = t->program;
    const beam_network *network = t->b.network;
    BEAM_TRY(beam_onednn_add_inputs(&t->b));
    beam_onednn_train_fuse(t);
    for (size_t i = 0; i < network->num_ops; i++) {
        if (t->fusions[i].done)
            continue;
        beam_status status = lower_op(t, i);
        if (status != BEAM_OK)
            return beam_error_wrap(t->b.err, status, "layer %s, %s", network->ops[i].name,
                                   beam_op_name(network->ops[i].kind));
    }
    for (size_t i = 0; i < program->num_states; i++) {
        const_dnnl_memory_desc_t desc;
        BEAM_TRY(beam_onednn_train_layout(t, program->states[i].value, &desc));
    }
    keep_value(t, program->loss);
    keep_value(t, program->correct);
    keep_value(t, program->gradient_norm);
    for (size_t i = 0; t->keep_gradients && i < network->num_parameters; i++)
        keep_value(t, program->gradients[i]);
    return beam_onednn_place(&t->b);
}

static beam_status open_builder(beam_onednn_train_builder *t, int64_t batch)
{
    size_t n = t->b.network->num_ops;
    BEAM_TRY(beam_onednn_builder_open(&t->b, batch));
    t->fusions = beam_calloc(n, sizeof *t->fusions);
    t->described = beam_calloc(n, sizeof(dnnl_primitive_desc_t));
    t->workspaces = beam_calloc(n, sizeof *t->workspaces);
    t->taps = beam_calloc(n, sizeof *t->taps);
    return t->fusions && t->described && t->workspaces && t->taps ? BEAM_OK : no_memory(t);
}

beam_status beam_onednn_train_plan(beam_training *training, dnnl_engine_t engine,
                                   beam_onednn_plan **plan, beam_onednn_train_map *map,
                                   beam_error *err)
{
    bool bf16 = training->precision == BEAM_PRECISION_BF16;
    beam_onednn_train_builder t = {.b = {.engine = engine,
                                         .type = bf16 ? dnnl_bf16 : dnnl_f32,
                                         .network = training->program->network,
                                         .err = err},
                                   .program = training->program,
                                   .keep_gradients = training->options.keep_gradients,
                                   .threads = training->num_threads};
    beam_status status = open_builder(&t, training->options.batch_size);
    if (status == BEAM_OK)
        status = build(&t);
    for (size_t i = 0; t.described && i < t.b.network->num_ops; i++)
        if (t.described[i])
            (void)dnnl_primitive_desc_destroy(t.described[i]);
    beam_free(t.fusions);
    beam_free(t.described);
    beam_free(t.workspaces);
    beam_free(t.taps);
    beam_free(t.copies);
    t.map.buffer_of = t.b.buffer_of;
    if (status != BEAM_OK) {
        beam_onednn_train_map_free(&t.map);
        beam_onednn_plan_free(t.b.plan);
        return status;
    }
    *plan = t.b.plan;
    *map = t.map;
    return BEAM_OK;
}
