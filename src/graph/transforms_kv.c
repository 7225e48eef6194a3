/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_kv.c - Keys, Values, KvSwap and WithKeys. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "type/coder.h"

static const beam_type *const any_type[] = {NULL};

/* ---- Keys and values: a part of the element, in place --------------------------------- */

static beam_status keys_process(beam_ctx *ctx, const void *element)
{
    return beam_emit_element(ctx, 0,
                             (const char *)element + beam_ctx_in_type(ctx)->fields[0].offset);
}

static beam_status values_process(beam_ctx *ctx, const void *element)
{
    return beam_emit_element(ctx, 0,
                             (const char *)element + beam_ctx_in_type(ctx)->fields[1].offset);
}

const beam_dofn beam_keys_fn = {.struct_size = sizeof(beam_dofn),
                                .name = "beam:keys",
                                .outs = any_type,
                                .n_outs = 1,
                                .process = keys_process};

const beam_dofn beam_values_fn = {.struct_size = sizeof(beam_dofn),
                                  .name = "beam:values",
                                  .outs = any_type,
                                  .n_outs = 1,
                                  .process = values_process};

static beam_pcoll part(beam_pcoll kvs, const beam_call *call, const beam_dofn *fn, uint32_t field)
{
    const beam_pardo_args args = {.struct_size = sizeof args, .fn = fn};
    if (!beam_graph_needs_kv(kvs, call, false))
        return beam_no_pcoll(kvs.pipeline);
    return beam_graph_pardo(kvs, call, &args, &beam_graph_pcoll_of(kvs)->type->fields[field].type);
}

beam_pcoll beam_keys_(beam_pcoll kvs, const beam_transform_args *args)
{
    return part(kvs, BEAM_CALL(args, "Keys"), &beam_keys_fn, 0);
}

beam_pcoll beam_values_(beam_pcoll kvs, const beam_transform_args *args)
{
    return part(kvs, BEAM_CALL(args, "Values"), &beam_values_fn, 1);
}

/* ---- KVs made of parts ---------------------------------------------------------------- */

beam_status beam_made_setup(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    made->next = beam_hash64(&now, sizeof now, (uint64_t)(uintptr_t)made);
    made->value = beam_calloc(1, beam_ctx_out_type(ctx, 0)->size);
    return made->value ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

void beam_made_teardown(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    beam_free(made->value);
    beam_arena_free(&made->arena);
}

static beam_status swap_process(beam_ctx *ctx, const void *element)
{
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    char *kv = beam_self(ctx, beam_made)->value;
    for (uint32_t i = 0; i < 2; i++)
        memcpy(kv + out->fields[i].offset, (const char *)element + in->fields[1 - i].offset,
               out->fields[i].type->size);
    return beam_emit_element(ctx, 0, kv);
}

const beam_dofn beam_kv_swap_fn = {.struct_size = sizeof(beam_dofn),
                                   .name = "beam:kv_swap",
                                   .outs = any_type,
                                   .n_outs = 1,
                                   .state_size = sizeof(beam_made),
                                   .setup = beam_made_setup,
                                   .process = swap_process,
                                   .teardown = beam_made_teardown};

beam_pcoll beam_kv_swap_(beam_pcoll kvs, const beam_transform_args *args)
{
    const beam_call *call = BEAM_CALL(args, "KvSwap");
    const beam_pardo_args pardo = {.struct_size = sizeof pardo, .fn = &beam_kv_swap_fn};
    if (!beam_graph_needs_kv(kvs, call, false))
        return beam_no_pcoll(kvs.pipeline);
    const beam_field *fields = beam_graph_pcoll_of(kvs)->type->fields;
    const beam_type *out = beam_graph_kv(kvs.pipeline, call, fields[1].type, fields[0].type);
    return out ? beam_graph_pardo(kvs, call, &pardo, &out) : beam_no_pcoll(kvs.pipeline);
}

/* ---- WithKeys ------------------------------------------------------------------------- */

static beam_status with_keys_setup(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    const beam_encoded_config *config = beam_config(ctx, beam_encoded_config);
    const beam_field *key = &beam_ctx_out_type(ctx, 0)->fields[0];
    beam_reader reader = beam_reader_of(config->bytes.at, config->bytes.len);
    BEAM_TRY(beam_made_setup(ctx));
    return beam_decode(key->type, BEAM_NESTED, &reader, made->value + key->offset, &made->arena,
                       beam_ctx_error(ctx));
}

static beam_status with_keys_process(beam_ctx *ctx, const void *element)
{
    const beam_field *value = &beam_ctx_out_type(ctx, 0)->fields[1];
    char *kv = beam_self(ctx, beam_made)->value;
    memcpy(kv + value->offset, element, value->type->size);
    return beam_emit_element(ctx, 0, kv);
}

const beam_dofn beam_with_keys_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "beam:with_keys",
                                     .outs = any_type,
                                     .n_outs = 1,
                                     .config = &beam_encoded_config_type,
                                     .state_size = sizeof(beam_made),
                                     .setup = with_keys_setup,
                                     .process = with_keys_process,
                                     .teardown = beam_made_teardown};

beam_pcoll beam_with_keys_(beam_pcoll in, const beam_with_keys_args *args)
{
    const beam_call *call = BEAM_CALL(args, "WithKeys");
    const beam_pcoll none = beam_no_pcoll(in.pipeline);
    beam_buffer bytes = {0};
    beam_error err = {0};
    if (!beam_graph_usable(in, call))
        return none;
    const beam_type *out =
        beam_graph_kv(in.pipeline, call, args->key_type, beam_graph_pcoll_of(in)->type);
    if (!args->key)
        beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT, "it is given no key");
    if (!out || !args->key)
        return none;
    if (beam_encode(args->key_type, BEAM_NESTED, args->key, &bytes, &err) != BEAM_OK) {
        beam_graph_fail_with(in.pipeline, call, &err);
        return none;
    }
    const beam_encoded_config config = {1, {bytes.data, bytes.len}};
    const beam_pardo_args pardo = {
        .struct_size = sizeof pardo, .fn = &beam_with_keys_fn, .config = &config};
    beam_pcoll keyed = beam_graph_pardo(in, call, &pardo, &out);
    beam_buffer_free(&bytes);
    return keyed;
}

/* ---- T to KV<T, false>: the way to combine per element -------------------------------- */

static beam_status pair_process(beam_ctx *ctx, const void *element)
{
    const beam_field *key = &beam_ctx_out_type(ctx, 0)->fields[0];
    char *kv = beam_self(ctx, beam_made)->value;
    memcpy(kv + key->offset, element, key->type->size);
    return beam_emit_element(ctx, 0, kv);
}

const beam_dofn beam_pair_fn = {.struct_size = sizeof(beam_dofn),
                                .name = "beam:pair",
                                .outs = any_type,
                                .n_outs = 1,
                                .state_size = sizeof(beam_made),
                                .setup = beam_made_setup,
                                .process = pair_process,
                                .teardown = beam_made_teardown};
