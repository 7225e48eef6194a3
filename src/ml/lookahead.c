/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/lookahead.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static const char SLOW[] = ".slow";

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the slow weights");
}

static beam_status open_one(beam_lookahead *l, beam_training *training, size_t i, size_t *largest,
                            beam_error *err)
{
    const char *name;
    beam_tensor tensor;
    BEAM_TRY(beam_training_state(training, i, &name, &tensor));
    size_t bytes = beam_tensor_bytes(&tensor), length = strlen(name) + sizeof SLOW;
    *largest = bytes > *largest ? bytes : *largest;
    l->names[i] = beam_malloc(length);
    l->weights[i] = beam_malloc(bytes);
    if (!l->names[i] || !l->weights[i])
        return no_memory(err);
    (void)snprintf(l->names[i], length, "%s%s", name, SLOW);
    return beam_training_read(training, name, l->weights[i], err);
}

beam_status beam_lookahead_open(beam_lookahead *l, beam_training *training, size_t count,
                                beam_error *err)
{
    size_t largest = 0;
    *l = (beam_lookahead){.count = count};
    l->names = beam_calloc(count, sizeof *l->names);
    l->weights = beam_calloc(count, sizeof *l->weights);
    beam_status status = l->names && l->weights ? BEAM_OK : no_memory(err);
    for (size_t i = 0; status == BEAM_OK && i < count; i++)
        status = open_one(l, training, i, &largest, err);
    if (status == BEAM_OK && !(l->scratch = beam_malloc(largest)))
        status = no_memory(err);
    if (status != BEAM_OK)
        beam_lookahead_free(l);
    return status;
}

void beam_lookahead_free(beam_lookahead *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->names)
            beam_free(l->names[i]);
        if (l->weights)
            beam_free(l->weights[i]);
    }
    beam_free(l->names);
    beam_free(l->weights);
    beam_free(l->scratch);
    *l = (beam_lookahead){0};
}

beam_status beam_lookahead_pull(const beam_lookahead *l, beam_training *training, double keep,
                                beam_error *err)
{
    for (size_t i = 0; i < l->count; i++) {
        const char *name;
        beam_tensor tensor;
        BEAM_TRY(beam_training_state(training, i, &name, &tensor));
        BEAM_TRY(beam_training_read(training, name, l->scratch, err));
        float *slow = l->weights[i];
        float share = (float)(1 - keep);
        for (size_t k = 0; k < beam_tensor_bytes(&tensor) / sizeof *slow; k++)
            slow[k] += share * (l->scratch[k] - slow[k]);
        BEAM_TRY(beam_training_write(training, name, slow, err));
    }
    return BEAM_OK;
}
