/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* int8.c - numbers that come from files are hostile: a scale or range must be finite and above 0,
 * and of a size that no product of two overflows. */
#include "nn/int8.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

static const float LEAST = BEAM_NN_INT8_LEAST, MOST = BEAM_NN_INT8_LARGEST;

bool beam_nn_is_product(const beam_nn_op *op)
{
    return op->kind == BEAM_OP_CONV2D || op->kind == BEAM_OP_LINEAR;
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for weights");
}

/* ---- weights ---- */

static size_t row_of(const beam_tensor *tensor)
{
    size_t count = 1;
    for (uint32_t i = 1; i < tensor->rank; i++)
        count *= (size_t)tensor->shape[i];
    return count;
}

beam_status beam_nn_quantize(const char *name, const beam_tensor *weights, int8_t *to,
                             float *scales, beam_error *err)
{
    size_t rows = (size_t)weights->shape[0], row = row_of(weights);
    const float *from = weights->data;
    for (size_t r = 0; r < rows; r++, from += row, to += row) {
        float most = 0;
        for (size_t i = 0; i < row; i++) {
            if (!(fabsf(from[i]) <= MOST))
                return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                      "the weights of %s hold %g, which int8 cannot stand for",
                                      name, (double)from[i]);
            most = fmaxf(most, fabsf(from[i]));
        }
        scales[r] = most > BEAM_NN_INT8_MOST * LEAST ? most / BEAM_NN_INT8_MOST : 1;
        for (size_t i = 0; i < row; i++)
            to[i] = (int8_t)lrintf(from[i] / scales[r]);
    }
    return BEAM_OK;
}

/* Numbers of an f32 vector of `count`, each finite and above 0. */
static beam_status read_positive(const char *name, const beam_tensor *tensor, int64_t count,
                                 float *to, beam_error *err)
{
    if (tensor->dtype != BEAM_F32 || tensor->rank != 1 || tensor->shape[0] != count ||
        !tensor->data)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s is %s of rank %u and %lld numbers instead of f32 {%lld}", name,
                              beam_dtype_name(tensor->dtype), tensor->rank,
                              (long long)(tensor->rank ? tensor->shape[0] : 1), (long long)count);
    memcpy(to, tensor->data, (size_t)count * sizeof *to); /* it may be unaligned */
    for (int64_t i = 0; i < count; i++)
        if (!(to[i] >= LEAST && to[i] <= MOST))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "%s holds %g, which is no number from %g to %g", name,
                                  (double)to[i], (double)LEAST, (double)MOST);
    return BEAM_OK;
}

/* The scales of i8 weights, in memory of the caller's. */
static beam_status find_scales(const beam_weight_source *source, const char *name, int64_t rows,
                               float **scales, beam_error *err)
{
    beam_tensor found;
    beam_error ignored;
    char *scale_name = beam_asprintf("%s_scale", name);
    float *made = beam_malloc((size_t)rows * sizeof *made);
    beam_status status = BEAM_OK;
    if (!scale_name || !made)
        status = no_memory(err);
    else if (source->lookup(source->user, scale_name, &found, &ignored) != BEAM_OK)
        status =
            beam_error_set(err, BEAM_INVALID_ARGUMENT,
                           "%s is i8, and there is no %s to multiply it with", name, scale_name);
    else
        status = read_positive(scale_name, &found, rows, made, err);
    beam_free(scale_name);
    if (status != BEAM_OK) {
        beam_free(made);
        return status;
    }
    *scales = made;
    return BEAM_OK;
}

beam_status beam_nn_dequantize(const beam_weight_source *source, const char *name,
                               const beam_tensor *weights, float *to, beam_error *err)
{
    size_t rows = (size_t)weights->shape[0], row = row_of(weights);
    const int8_t *from = weights->data;
    float *scales;
    BEAM_TRY(find_scales(source, name, weights->shape[0], &scales, err));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < row; i++)
            *to++ = (float)*from++ * scales[r];
    beam_free(scales);
    return BEAM_OK;
}

/* ---- ranges ---- */

static uint32_t after_norm(const beam_network *network, uint32_t value)
{
    for (size_t i = 0; i < network->num_ops; i++)
        if (network->ops[i].kind == BEAM_OP_BATCH_NORM && network->ops[i].inputs[0] == value)
            return network->ops[i].outputs[0];
    return value;
}

bool beam_nn_range_at(const beam_network *network, size_t index, beam_nn_range *range)
{
    const beam_nn_op *op = &network->ops[index / 2];
    if (!beam_nn_is_product(op))
        return false;
    bool input = index % 2 == 0;
    *range = (beam_nn_range){.layer = op->name,
                             .part = input ? "input_range" : "output_range",
                             .input = input,
                             .op = index / 2,
                             .value = input ? op->inputs[0] : after_norm(network, op->outputs[0])};
    return true;
}

static beam_status find_range(const beam_weight_source *source, const beam_nn_range *which,
                              float *range, beam_error *err)
{
    beam_tensor found;
    beam_error ignored;
    char *name = beam_asprintf("%s.%s", which->layer, which->part);
    if (!name)
        return no_memory(err);
    beam_status status = BEAM_OK;
    *range = 0;
    if (source->lookup(source->user, name, &found, &ignored) == BEAM_OK)
        status = read_positive(name, &found, 1, range, err);
    beam_free(name);
    return status;
}

beam_status beam_nn_ranges_make(const beam_network *network, beam_nn_ranges *ranges,
                                beam_error *err)
{
    ranges->of = beam_calloc(network->num_values, sizeof *ranges->of);
    ranges->int8 = beam_calloc(network->num_ops, sizeof *ranges->int8);
    return ranges->of && ranges->int8 ? BEAM_OK : no_memory(err);
}

void beam_nn_ranges_free(beam_nn_ranges *ranges)
{
    beam_free(ranges->of);
    beam_free(ranges->int8);
    *ranges = (beam_nn_ranges){0};
}

/* Two layers may tell of one value; nothing is cut off if the larger counts. */
beam_status beam_nn_find_ranges(const beam_network *network, const beam_weight_source *source,
                                beam_nn_ranges *ranges, beam_error *err)
{
    beam_nn_range which;
    for (size_t i = 0; i < BEAM_NN_MOST_RANGES(network); i++) {
        float range;
        if (!beam_nn_range_at(network, i, &which))
            continue;
        BEAM_TRY(find_range(source, &which, &range, err));
        ranges->of[which.value] = fmaxf(ranges->of[which.value], range);
        if (which.input)
            ranges->int8[which.op] = range > 0;
    }
    return BEAM_OK;
}

void beam_nn_give_ranges(beam_network *network, const beam_nn_ranges *ranges)
{
    for (size_t i = 0; i < network->num_values; i++)
        network->values[i].range = ranges->of[i] < BEAM_NN_INT8_LEAST ? 0 : ranges->of[i];
    for (size_t i = 0; i < network->num_ops; i++)
        network->ops[i].int8 =
            ranges->int8[i] && network->values[network->ops[i].inputs[0]].range > 0;
}

/* Whether `name` is `start`, `middle` and `end`, one after the other. */
static bool is_joined(const char *name, const char *start, const char *middle, const char *end)
{
    size_t n = strlen(start), m = strlen(middle);
    return strncmp(name, start, n) == 0 && strncmp(name + n, middle, m) == 0 &&
           strcmp(name + n + m, end) == 0;
}

bool beam_nn_is_quantization(const beam_network *network, const beam_weight_source *source,
                             const char *name)
{
    beam_tensor weights;
    beam_nn_range range;
    beam_error ignored;
    for (size_t i = 0; i < network->num_parameters; i++) {
        const char *of = network->parameters[i].name;
        if (is_joined(name, of, "_scale", ""))
            return source->lookup(source->user, of, &weights, &ignored) == BEAM_OK &&
                   weights.dtype == BEAM_I8;
    }
    for (size_t i = 0; i < BEAM_NN_MOST_RANGES(network); i++)
        if (beam_nn_range_at(network, i, &range) && is_joined(name, range.layer, ".", range.part))
            return true;
    return false;
}
