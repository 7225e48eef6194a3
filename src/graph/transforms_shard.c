/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_shard.c - the small functions inside combines: keys get a shard number and lose
 * it again (fan-out), and a combine of nothing gets a group without values. */
#include <string.h>

#include "graph/library.h"

static const beam_type *const any_type[] = {NULL};

/* ---- KV<K, V> to KV<KV<shard, K>, V> --------------------------------------------------- */

static beam_status add_shard_setup(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    BEAM_TRY(beam_made_setup(ctx));
    beam_made_field(made, in->fields[0].offset, out->fields[0].offset,
                    &out->fields[0].type->fields[1]);
    beam_made_field(made, in->fields[1].offset, 0, &out->fields[1]);
    return BEAM_OK;
}

/* The shard is the first thing in its KV, which is the first thing in the output. */
static beam_status add_shard_process(beam_ctx *ctx, const void *element)
{
    beam_made *made = beam_self(ctx, beam_made);
    int64_t shards = beam_config(ctx, beam_shard_config)->shards;
    int64_t shard = (int64_t)(made->next++ % (uint64_t)(shards > 0 ? shards : 1));
    memcpy(made->values, &shard, sizeof shard);
    return beam_made_process(ctx, element);
}

const beam_dofn beam_add_shard_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "beam:add_shard",
                                     .outs = any_type,
                                     .n_outs = 1,
                                     .config = &beam_shard_config_type,
                                     .state_size = sizeof(beam_made),
                                     .setup = add_shard_setup,
                                     .process = add_shard_process,
                                     .teardown = beam_made_teardown};

/* ---- And back ---------------------------------------------------------------------------- */

static beam_status drop_shard_setup(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    BEAM_TRY(beam_made_setup(ctx));
    beam_made_field(made, in->fields[0].offset + in->fields[0].type->fields[1].offset, 0,
                    &out->fields[0]);
    beam_made_field(made, in->fields[1].offset, 0, &out->fields[1]);
    return BEAM_OK;
}

const beam_dofn beam_drop_shard_fn = {.struct_size = sizeof(beam_dofn),
                                      .name = "beam:drop_shard",
                                      .outs = any_type,
                                      .n_outs = 1,
                                      .state_size = sizeof(beam_made),
                                      .setup = drop_shard_setup,
                                      .process = beam_made_process,
                                      .process_batch = beam_made_process_batch,
                                      .teardown = beam_made_teardown};

/* ---- A group without values, where there is no result ---------------------------------- */

static beam_status empty_group_process(beam_ctx *ctx, const void *element)
{
    (void)element;
    beam_iterable result;
    BEAM_TRY(beam_side_iterable(ctx, 0, &result));
    if (result.len == BEAM_LEN_UNKNOWN) {
        /* Only whether there is an element is asked, so its size does not matter: the run at
         * hand is not walked. */
        beam_iter iter = beam_iterate_(&result, 1);
        bool some = beam_next_(&iter) != NULL;
        BEAM_TRY(iter.status);
        if (some)
            return BEAM_OK;
    } else if (result.len) {
        return BEAM_OK;
    }
    return beam_emit_element(ctx, 0, beam_self(ctx, beam_made)->values);
}

static const beam_side_spec any_iterable[] = {{BEAM_SIDE_ITERABLE, NULL}};

const beam_dofn beam_empty_group_fn = {.struct_size = sizeof(beam_dofn),
                                       .name = "beam:empty_group",
                                       .in = &beam_bytes_type,
                                       .outs = any_type,
                                       .n_outs = 1,
                                       .state_size = sizeof(beam_made),
                                       .sides = any_iterable,
                                       .n_sides = 1,
                                       .setup = beam_made_setup,
                                       .process = empty_group_process,
                                       .teardown = beam_made_teardown};
