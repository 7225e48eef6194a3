/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_kv.c - Keys, Values, KvSwap and WithKeys. */
#include "base/buffer.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "type/coder.h"

static const beam_type *const any_type[] = {NULL};

#define MADE_CALLBACKS(setup_function)                                                       \
    .outs = any_type, .n_outs = 1, .state_size = sizeof(beam_made), .setup = setup_function, \
    .process_batch = beam_made_process_batch, .teardown = beam_made_teardown

/* ---- Keys and values: one at a time they are handed on in place ------------------------ */

/* The output is the field itself. */
static beam_status field_setup(beam_ctx *ctx, uint32_t field)
{
    const beam_field *from = &beam_ctx_in_type(ctx)->fields[field];
    const beam_field whole = {NULL, from->type, 0};
    BEAM_TRY(beam_made_setup(ctx));
    beam_made_field(beam_self(ctx, beam_made), from->offset, 0, &whole);
    return BEAM_OK;
}

static beam_status keys_setup(beam_ctx *ctx)
{
    return field_setup(ctx, 0);
}

static beam_status values_setup(beam_ctx *ctx)
{
    return field_setup(ctx, 1);
}

static beam_status field_process(beam_ctx *ctx, const void *element)
{
    return beam_emit_element(ctx, 0,
                             (const char *)element + beam_self(ctx, beam_made)->parts[0].from);
}

const beam_dofn beam_keys_fn = {.struct_size = sizeof(beam_dofn),
                                .name = "beam:keys",
                                .process = field_process,
                                MADE_CALLBACKS(keys_setup)};

const beam_dofn beam_values_fn = {.struct_size = sizeof(beam_dofn),
                                  .name = "beam:values",
                                  .process = field_process,
                                  MADE_CALLBACKS(values_setup)};

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

/* ---- KvSwap ---------------------------------------------------------------------------- */

static beam_status swap_setup(beam_ctx *ctx)
{
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    BEAM_TRY(beam_made_setup(ctx));
    for (uint32_t i = 0; i < 2; i++)
        beam_made_field(beam_self(ctx, beam_made), in->fields[1 - i].offset, 0, &out->fields[i]);
    return BEAM_OK;
}

const beam_dofn beam_kv_swap_fn = {.struct_size = sizeof(beam_dofn),
                                   .name = "beam:kv_swap",
                                   .process = beam_made_process,
                                   MADE_CALLBACKS(swap_setup)};

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
    const beam_field *fields = beam_ctx_out_type(ctx, 0)->fields;
    beam_reader reader = beam_reader_of(config->bytes.at, config->bytes.len);
    BEAM_TRY(beam_made_setup(ctx));
    BEAM_TRY(beam_decode(fields[0].type, BEAM_NESTED, &reader, made->values + fields[0].offset,
                         &made->arena, beam_ctx_error(ctx)));
    beam_made_repeat(made);
    beam_made_field(made, 0, 0, &fields[1]);
    return BEAM_OK;
}

const beam_dofn beam_with_keys_fn = {.struct_size = sizeof(beam_dofn),
                                     .name = "beam:with_keys",
                                     .config = &beam_encoded_config_type,
                                     .process = beam_made_process,
                                     MADE_CALLBACKS(with_keys_setup)};

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

static beam_status pair_setup(beam_ctx *ctx)
{
    BEAM_TRY(beam_made_setup(ctx));
    beam_made_field(beam_self(ctx, beam_made), 0, 0, &beam_ctx_out_type(ctx, 0)->fields[0]);
    return BEAM_OK;
}

const beam_dofn beam_pair_fn = {.struct_size = sizeof(beam_dofn),
                                .name = "beam:pair",
                                .process = beam_made_process,
                                MADE_CALLBACKS(pair_setup)};
