/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights.c - giving a network its weights: from a source, one by one, or made from a seed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/int8.h"
#include "nn/weights.h"
#include "nn/random.h"

/* A list of names in words: the first few and how many there are. */
enum { NAMED = 3 };
typedef struct mismatch {
    size_t count;
    char words[256];
    size_t len;
} mismatch;

static void note(mismatch *m, const char *words)
{
    if (m->count++ >= NAMED)
        return;
    int n = snprintf(m->words + m->len, sizeof m->words - m->len, "%s%s", m->count > 1 ? ", " : "",
                     words);
    if (n > 0)
        m->len += (size_t)n < sizeof m->words - m->len ? (size_t)n : sizeof m->words - m->len - 1;
}

/* "[64, 3, 7, 7]" */
static void shape_words(char *to, size_t size, const beam_tensor *tensor)
{
    size_t len = (size_t)snprintf(to, size, "[");
    for (uint32_t i = 0; i < tensor->rank && i < BEAM_TENSOR_MAX_RANK && len < size; i++)
        len += (size_t)snprintf(to + len, size - len, "%s%lld", i ? ", " : "",
                                (long long)tensor->shape[i]);
    if (len < size)
        (void)snprintf(to + len, size - len, "]");
}

static bool same_sizes(const beam_tensor *a, const beam_tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

static bool convertible(const beam_tensor *tensor)
{
    beam_dtype dtype = tensor->dtype;
    return dtype == BEAM_F32 || dtype == BEAM_F64 || dtype == BEAM_F16 || dtype == BEAM_BF16 ||
           (dtype == BEAM_I8 && tensor->rank > 1);
}

static void note_shape(mismatch *m, const char *name, const beam_tensor *is,
                       const beam_tensor *wanted)
{
    char a[96], b[96], words[300];
    shape_words(a, sizeof a, is);
    shape_words(b, sizeof b, wanted);
    (void)snprintf(words, sizeof words, "%s is %s %s instead of %s", name,
                   beam_dtype_name(is->dtype), a, b);
    note(m, words);
}

/* PyTorch counts the batches of training in each batch norm; inference has no use for it. */
static bool is_batch_count(const char *name)
{
    static const char suffix[] = ".num_batches_tracked";
    size_t len = strlen(name), n = sizeof suffix - 1;
    return len > n && strcmp(name + len - n, suffix) == 0;
}

static void note_unexpected(const beam_network *network, const beam_weight_source *source,
                            mismatch *m)
{
    const char *name;
    for (size_t i = 0; source->name && (name = source->name(source->user, i)) != NULL; i++) {
        bool known = is_batch_count(name);
        for (size_t p = 0; !known && p < network->num_parameters; p++)
            known = strcmp(network->parameters[p].name, name) == 0;
        if (!known && !beam_nn_is_quantization(network, source, name))
            note(m, name);
    }
}

/* Looks everything up before anything changes, so that a failure changes nothing. */
static beam_status look_up_all(const beam_network *network, const beam_weight_source *source,
                               beam_tensor *found, beam_error *err)
{
    mismatch missing = {0}, misshaped = {0}, unexpected = {0};
    for (size_t i = 0; i < network->num_parameters; i++) {
        const beam_nn_parameter *p = &network->parameters[i];
        beam_status status = source->lookup(source->user, p->name, &found[i], err);
        if (status == BEAM_NOT_FOUND)
            note(&missing, p->name);
        else if (status != BEAM_OK)
            return status;
        else if (!same_sizes(&found[i], &p->tensor) || !convertible(&found[i]))
            note_shape(&misshaped, p->name, &found[i], &p->tensor);
        else if (!found[i].data)
            return beam_error_set(err, BEAM_INTERNAL, "tensor %s has no data", p->name);
    }
    note_unexpected(network, source, &unexpected);
    if (missing.count + misshaped.count + unexpected.count == 0)
        return BEAM_OK;
    char parts[3][320] = {"", "", ""};
    static const char *const kinds[] = {"missing", "of another shape", "unexpected"};
    const mismatch *all[] = {&missing, &misshaped, &unexpected};
    const char *separator = "";
    for (int i = 0; i < 3; i++) {
        if (all[i]->count == 0)
            continue;
        (void)snprintf(parts[i], sizeof parts[i], "%s%zu %s (%s%s)", separator, all[i]->count,
                       kinds[i], all[i]->words, all[i]->count > NAMED ? ", ..." : "");
        separator = "; ";
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "these weights are of another network than %s with its %zu tensors: "
                          "%s%s%s",
                          network->name, network->num_parameters, parts[0], parts[1], parts[2]);
}

static void to_f32(float *to, const beam_tensor *from, size_t count)
{
    const unsigned char *at = from->data; /* may be unaligned in a file */
    for (size_t i = 0; i < count; i++) {
        if (from->dtype == BEAM_F64) {
            double value;
            memcpy(&value, at + i * sizeof value, sizeof value);
            to[i] = (float)value;
        } else if (from->dtype == BEAM_F32) {
            memcpy(&to[i], at + i * sizeof to[i], sizeof to[i]);
        } else {
            uint16_t bits;
            memcpy(&bits, at + i * sizeof bits, sizeof bits);
            to[i] = from->dtype == BEAM_F16 ? beam_f16_to_f32(bits) : beam_bf16_to_f32(bits);
        }
    }
}

static beam_status convert(const beam_weight_source *source, const char *name,
                           const beam_tensor *tensor, float *to, size_t count, beam_error *err)
{
    if (tensor->dtype == BEAM_I8)
        return beam_nn_dequantize(source, name, tensor, to, err);
    to_f32(to, tensor, count);
    return BEAM_OK;
}

/* Makes `tensor` f32 in aligned memory: itself where it is already, else a copy in *owned. */
static beam_status as_f32(const beam_weight_source *source, const char *name, beam_tensor *tensor,
                          void **owned, beam_error *err)
{
    *owned = NULL;
    if (tensor->dtype == BEAM_F32 && (uintptr_t)tensor->data % sizeof(float) == 0)
        return BEAM_OK;
    size_t count = 0;
    BEAM_TRY(beam_tensor_check(tensor, &count, NULL, err));
    float *copy = count > SIZE_MAX / sizeof *copy ? NULL : beam_malloc(count * sizeof *copy);
    if (!copy)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for weights");
    beam_status status = convert(source, name, tensor, copy, count, err);
    if (status != BEAM_OK) {
        beam_free(copy);
        return status;
    }
    tensor->dtype = BEAM_F32;
    tensor->data = copy;
    *owned = copy;
    return BEAM_OK;
}

static void give(beam_nn_parameter *p, const void *data, void *owned)
{
    beam_free(p->owned);
    p->tensor.data = data;
    p->owned = owned;
}

beam_status beam_network_bind(beam_network *network, const beam_weight_source *source,
                              beam_error *err)
{
    size_t n = network->num_parameters, done = 0;
    beam_tensor *found = beam_calloc(n, sizeof *found);
    void **owned = beam_calloc(n, sizeof *owned);
    beam_nn_ranges ranges = {0};
    beam_status status = BEAM_OK;
    if (!found || !owned)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a list of weights");
    if (status == BEAM_OK)
        status = look_up_all(network, source, found, err);
    if (status == BEAM_OK)
        status = beam_nn_ranges_make(network, &ranges, err);
    if (status == BEAM_OK)
        status = beam_nn_find_ranges(network, source, &ranges, err);
    while (status == BEAM_OK && done < n) {
        status = as_f32(source, network->parameters[done].name, &found[done], &owned[done], err);
        if (status == BEAM_OK)
            done++;
    }
    for (size_t i = 0; i < done; i++) {
        if (status == BEAM_OK)
            give(&network->parameters[i], found[i].data, owned[i]);
        else
            beam_free(owned[i]);
    }
    if (status == BEAM_OK)
        beam_nn_give_ranges(network, &ranges);
    beam_free(found);
    beam_free(owned);
    beam_nn_ranges_free(&ranges);
    return status;
}

beam_status beam_network_set_parameter(beam_network *network, const char *name,
                                       const beam_tensor *tensor, beam_error *err)
{
    for (size_t i = 0; i < network->num_parameters; i++) {
        beam_nn_parameter *p = &network->parameters[i];
        if (strcmp(p->name, name) != 0)
            continue;
        if (tensor->dtype != BEAM_F32 || !same_sizes(tensor, &p->tensor)) {
            mismatch words = {0};
            note_shape(&words, name, tensor, &p->tensor);
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "network %s: %s f32", network->name,
                                  words.words);
        }
        if (!tensor->data || (uintptr_t)tensor->data % sizeof(float) != 0)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "network %s: the data of %s must be aligned floats",
                                  network->name, name);
        give(p, tensor->data, NULL);
        return BEAM_OK;
    }
    return beam_error_set(err, BEAM_NOT_FOUND, "network %s has no parameter %s", network->name,
                          name);
}

/* A number in (0, 1), and never either end. */
static double unit(uint32_t bits)
{
    return ((double)bits + 0.5) * 0x1p-32;
}

static void fill(float *to, size_t count, const beam_nn_parameter *p, uint64_t seed,
                 uint64_t stream)
{
    for (size_t i = 0; i < count; i += 4) {
        double x[4] = {0, 0, 0, 0};
        beam_random4 r = beam_random_at(seed, stream, i / 4);
        for (int k = 0; k < 4; k++)
            x[k] = unit(r.at[k]);
        for (int k = 0; p->init != BEAM_NN_INIT_UNIFORM && k < 4; k += 2) { /* Box-Muller */
            double radius = sqrt(-2.0 * log(x[k])), angle = 6.283185307179586 * x[k + 1];
            x[k] = radius * cos(angle);
            x[k + 1] = radius * sin(angle);
        }
        for (size_t k = 0; k < 4 && i + k < count; k++)
            to[i + k] = (float)(p->init_scale *
                                (p->init != BEAM_NN_INIT_UNIFORM ? x[k] : 2.0 * x[k] - 1.0));
    }
}

/* The first channels of a convolution {out, in, k, k} pass on what comes in. */
static void add_identity(float *to, const beam_tensor *shape)
{
    int64_t outs = shape->shape[0], ins = shape->shape[1], taps = shape->shape[2] * shape->shape[3];
    for (int64_t o = 0; o < outs && o < ins; o++) {
        memset(to + o * ins * taps, 0, (size_t)(ins * taps) * sizeof *to);
        to[(o * ins + o) * taps + taps / 2] = 1;
    }
}

void beam_nn_own_parameter(beam_nn_parameter *parameter, float *data)
{
    give(parameter, data, data);
}

beam_status beam_network_initialize(beam_network *network, uint64_t seed, beam_error *err)
{
    for (size_t i = 0; i < network->num_parameters; i++) {
        beam_nn_parameter *p = &network->parameters[i];
        size_t count = 0, bytes = 0;
        BEAM_TRY(beam_tensor_check(&p->tensor, &count, &bytes, err));
        float *data = beam_malloc(bytes);
        if (!data)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                                  "network %s: no memory for %s (%zu bytes)", network->name,
                                  p->name, bytes);
        if (p->init == BEAM_NN_INIT_ZERO || p->init == BEAM_NN_INIT_ONE)
            for (size_t k = 0; k < count; k++)
                data[k] = p->init == BEAM_NN_INIT_ONE ? 1.0f : 0.0f;
        else
            fill(data, count, p, seed, i);
        if (p->init == BEAM_NN_INIT_IDENTITY)
            add_identity(data, &p->tensor);
        give(p, data, data);
    }
    return BEAM_OK;
}
