/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* made.c - what the functions that put elements together from parts of others share. */
#include <time.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "graph/library.h"

enum { BATCH_BYTES = 16 << 10 }; /* of made values: they stay in the first cache */

beam_status beam_made_setup(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    made->next = beam_hash64(&now, sizeof now, (uint64_t)(uintptr_t)made);
    made->in_size = beam_ctx_in_type(ctx)->size;
    made->out_size = beam_ctx_out_type(ctx, 0)->size;
    made->batch = BATCH_BYTES / made->out_size + 1;
    made->values = beam_calloc(made->batch, made->out_size);
    return made->values ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

void beam_made_field(beam_made *made, size_t from, size_t to_offset, const beam_field *to)
{
    made->parts[made->n_parts++] = (beam_part){from, to_offset + to->offset, to->type->size};
}

void beam_made_repeat(beam_made *made)
{
    for (size_t i = 1; i < made->batch; i++)
        memcpy(made->values + i * made->out_size, made->values, made->out_size);
}

beam_status beam_made_process(beam_ctx *ctx, const void *element)
{
    const beam_made *made = beam_self(ctx, beam_made);
    beam_made_fill(made, made->values, element);
    return beam_emit_element(ctx, 0, made->values);
}

beam_status beam_made_process_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    const beam_made *made = beam_self(ctx, beam_made);
    const char *element = elements;
    while (n) {
        size_t chunk = n < made->batch ? n : made->batch;
        char *value = made->values;
        for (size_t i = 0; i < chunk; i++, element += made->in_size, value += made->out_size)
            beam_made_fill(made, value, element);
        BEAM_TRY(beam_emit_elements(ctx, 0, made->values, chunk));
        n -= chunk;
    }
    return BEAM_OK;
}

void beam_made_teardown(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    beam_free(made->values);
    beam_arena_free(&made->arena);
}
