/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stablehlo.c - the frame of a module: arguments, results, and what a platform wants. */
#include "device/stablehlo.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "device/stablehlo_lower.h"

/* XLA's own convolution on a CPU is five times slower than a product of patches on images of 32x32
 * and a third faster on those of 224x224: it pays by the pixels of a layer.  GPUs and TPUs have
 * convolutions and lay images out as they like. */
void beam_lowering_for(beam_pjrt_platform platform, beam_lowering *how)
{
    const char *plain = getenv("BEAM_PJRT_PLAIN");
    bool cpu = platform == BEAM_PJRT_CPU && !(plain && *plain);
    how->channels_last = cpu;
    how->patch_pixels = cpu ? 32 * 32 : 0;
}

beam_hlo_type beam_lowering_type(beam_precision precision)
{
    static const beam_hlo_type types[] = {[BEAM_PRECISION_F32] = BEAM_HLO_F32,
                                          [BEAM_PRECISION_BF16] = BEAM_HLO_BF16,
                                          [BEAM_PRECISION_F16] = BEAM_HLO_F16};
    return types[precision];
}

bool beam_lowering_scales(const beam_lowering *how)
{
    return how->training && how->precision == BEAM_PRECISION_F16;
}

/* ---- arguments ---- */

/* Arrays of four dimensions are images, or what belongs to a convolution's kernel: itself, its
 * gradient, its momentum. */
static bool is_kernel(const beam_nn_value *v)
{
    return v->rank == 4 && v->shape[0] != BEAM_NN_BATCH;
}

beam_hlo_argument beam_lowering_argument(const beam_network *network, const beam_lowering *how,
                                         uint32_t value)
{
    const beam_nn_value *v = &network->values[value];
    beam_hlo_argument argument = {.value = value,
                                  .type = v->dtype == BEAM_I32 ? BEAM_HLO_I32 : BEAM_HLO_F32,
                                  .kernel_last = how->channels_last && is_kernel(v),
                                  .alias = -1};
    /* Vectors, those of batch norm among them, stay f32. */
    if (v->kind == BEAM_VALUE_PARAMETER && v->rank > 1 && !how->training)
        argument.type = beam_lowering_type(how->precision);
    return argument;
}

beam_hlo_value beam_lowering_shape(const beam_network *network, const beam_lowering *how,
                                   const beam_hlo_argument *argument, size_t *bytes)
{
    static const int64_t last[] = {2, 3, 1, 0};
    beam_tensor t = beam_nn_shape(network, argument->value, how->batch);
    beam_hlo_value shape = {.type = argument->type, .rank = t.rank};
    for (uint32_t i = 0; i < t.rank; i++)
        shape.dims[i] = t.shape[argument->kernel_last ? last[i] : i];
    bool half = argument->type == BEAM_HLO_BF16 || argument->type == BEAM_HLO_F16;
    *bytes = (size_t)beam_hlo_count(&shape) * (half ? 2 : 4);
    return shape;
}

/* Where number (o, i, tap) of a weight stands when its kernel is last. */
static size_t place(const beam_tensor *t, size_t index)
{
    size_t taps = (size_t)(t->shape[2] * t->shape[3]), in = (size_t)t->shape[1];
    size_t tap = index % taps, i = index / taps % in, o = index / (taps * in);
    return (tap * in + i) * (size_t)t->shape[0] + o;
}

void beam_lowering_pack(const beam_hlo_argument *argument, const beam_tensor *tensor, void *packed)
{
    const float *from = tensor->data;
    size_t count = beam_tensor_bytes(tensor) / sizeof *from;
    for (size_t k = 0; k < count; k++) {
        size_t at = argument->kernel_last ? place(tensor, k) : k;
        if (argument->type == BEAM_HLO_BF16)
            ((uint16_t *)packed)[at] = beam_f32_to_bf16(from[k]);
        else if (argument->type == BEAM_HLO_F16)
            ((uint16_t *)packed)[at] = beam_f32_to_f16(from[k]);
        else
            ((float *)packed)[at] = from[k];
    }
}

void beam_lowering_unpack(const beam_hlo_argument *argument, const beam_tensor *shape,
                          const void *packed, float *data)
{
    size_t count = beam_tensor_bytes(shape) / sizeof *data;
    for (size_t k = 0; k < count; k++) {
        size_t at = argument->kernel_last ? place(shape, k) : k;
        data[k] = ((const float *)packed)[at];
    }
}

/* ---- types ---- */

/* At bf16 and f16, activations and their gradients (whatever has a batch) are that, but for what
 * enters and leaves, logits and their gradient. */
static void choose_types(beam_lower_state *s, const beam_hlo_main *main)
{
    const beam_network *net = s->network;
    for (uint32_t i = 0; i < net->num_values; i++) {
        const beam_nn_value *v = &net->values[i];
        bool activation =
            v->kind == BEAM_VALUE_COMPUTED && v->rank > 1 && v->shape[0] == BEAM_NN_BATCH;
        s->types[i] = activation ? beam_lowering_type(s->how->precision) : BEAM_HLO_F32;
        if (v->dtype == BEAM_I32)
            s->types[i] = BEAM_HLO_I32;
    }
    for (size_t i = 0; i < main->num_results; i++)
        if (s->types[main->results[i]] != BEAM_HLO_I32)
            s->types[main->results[i]] = BEAM_HLO_F32;
    for (size_t i = 0; i < net->num_ops; i++)
        if (net->ops[i].kind == BEAM_OP_SOFTMAX_CROSS_ENTROPY) {
            s->types[net->ops[i].inputs[0]] = BEAM_HLO_F32;
            s->types[net->ops[i].outputs[2]] = BEAM_HLO_F32;
        }
}

/* ---- the module ---- */

static void write_arguments(beam_lower_state *s, const beam_hlo_main *main)
{
    beam_hlo *h = &s->h;
    for (size_t i = 0; i < main->num_arguments; i++) {
        size_t bytes;
        const beam_hlo_argument *a = &main->arguments[i];
        beam_hlo_value shape = beam_lowering_shape(s->network, s->how, a, &bytes);
        beam_hlo_value v = beam_hlo_new(h, shape.type, shape.rank, shape.dims);
        beam_hlo_write(h, "%s%%v%u: ", i ? ", " : "", v.id);
        beam_hlo_write_type(h, &v);
        if (a->alias >= 0)
            beam_hlo_write(h, " {tf.aliasing_output = %d : i32}", (int)a->alias);
        s->values[a->value] = v;
    }
}

static void write_result_types(beam_lower_state *s, const beam_hlo_main *main)
{
    for (size_t i = 0; i < main->num_results; i++) {
        size_t bytes;
        beam_hlo_argument as = beam_lowering_argument(s->network, s->how, main->results[i]);
        as.type = s->types[main->results[i]];
        beam_hlo_value shape = beam_lowering_shape(s->network, s->how, &as, &bytes);
        beam_hlo_write(&s->h, i ? ", " : "");
        beam_hlo_write_type(&s->h, &shape);
    }
}

/* Where a gradient was not finite, states stay as they were given. */
static void keep_states(beam_lower_state *s, const beam_hlo_main *main)
{
    beam_hlo *h = &s->h;
    s->values[0] = s->finite;
    beam_hlo_value all = beam_hlo_compare(h, "GT", s->finite, beam_hlo_fill_like(h, 0, s->finite));
    for (size_t i = 0; i < main->num_results; i++) {
        beam_hlo_value *value = &s->values[main->results[i]];
        uint32_t given = main->arguments[main->replaces[i]].value;
        if (main->replaces[i])
            *value = beam_hlo_select(h, all, *value, s->values[given]);
    }
}

static void write_return(beam_lower_state *s, const beam_hlo_main *main)
{
    for (size_t i = 0; i < main->num_results; i++) {
        uint32_t value = main->results[i];
        if (!is_kernel(&s->network->values[value]))
            s->values[value] = beam_lower_outward(s, s->values[value]);
    }
    beam_hlo_write(&s->h, "    return ");
    for (size_t i = 0; i < main->num_results; i++)
        beam_hlo_write(&s->h, "%s%%v%u", i ? ", " : "", s->values[main->results[i]].id);
    beam_hlo_write(&s->h, " : ");
    write_result_types(s, main);
}

static beam_status write_module(beam_lower_state *s, const beam_hlo_main *main, beam_error *err)
{
    beam_hlo *h = &s->h;
    beam_hlo_write(h, "module @network {\n  func.func public @main(");
    write_arguments(s, main);
    beam_hlo_write(h, ") -> (");
    write_result_types(s, main);
    beam_hlo_write(h, ") {\n");
    for (size_t i = 0; i < s->network->num_inputs; i++) {
        uint32_t value = s->network->inputs[i];
        s->values[value] = beam_lower_inward(s, s->values[value]);
    }
    if (beam_lowering_scales(s->how)) {
        s->loss_scale = s->values[0];
        s->unscale =
            beam_hlo_binary(h, "divide", beam_hlo_scalar(h, BEAM_HLO_F32, 1), s->loss_scale);
        s->finite = beam_hlo_scalar(h, BEAM_HLO_F32, 1);
    }
    for (size_t i = 0; i < s->network->num_ops; i++) {
        const beam_nn_op *op = &s->network->ops[i];
        if (!beam_lower_op(s, op) && !beam_lower_training_op(s, op) && !beam_lower_update_op(s, op))
            return beam_error_set(err, BEAM_UNIMPLEMENTED,
                                  "network %s: %s (%s) has no StableHLO form", s->network->name,
                                  op->name ? op->name : "", beam_op_name(op->kind));
    }
    if (beam_lowering_scales(s->how))
        keep_states(s, main);
    write_return(s, main);
    beam_hlo_write(h, "\n  }\n}\n");
    return h->status;
}

beam_status beam_lower(const beam_network *network, const beam_lowering *how,
                       const beam_hlo_main *main, beam_buffer *text, beam_error *err)
{
    beam_lower_state s = {.network = network, .how = how};
    s.values = beam_calloc(network->num_values, sizeof *s.values);
    s.types = beam_calloc(network->num_values, sizeof *s.types);
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    if (s.values && s.types) {
        choose_types(&s, main);
        status = write_module(&s, main, err);
    }
    if (status == BEAM_OK)
        status = beam_buffer_append(text, s.h.text.data, s.h.text.len);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        status =
            beam_error_set(err, status, "network %s: no memory for its StableHLO", network->name);
    beam_buffer_free(&s.h.text);
    beam_free(s.values);
    beam_free(s.types);
    return status;
}
