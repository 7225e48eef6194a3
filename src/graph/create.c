/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* create.c - Create: the values are encoded into the config of a function that an Impulse
 * starts. */
#include "base/arena.h"
#include "base/buffer.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "type/coder.h"

enum { MAX_CREATE_BYTES = 10 << 20, CHUNK_BYTES = 64 << 10 };

/* ---- At work -------------------------------------------------------------------------- */

typedef struct create_state {
    beam_arena arena; /* of the chunk at hand */
} create_state;

static beam_status decode_chunk(beam_ctx *ctx, beam_reader *reader, size_t n, char *values)
{
    const beam_type *type = beam_ctx_out_type(ctx, 0);
    const beam_decoder decoder = {
        .arena = &beam_self(ctx, create_state)->arena, .err = beam_ctx_error(ctx), .borrow = true};
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(beam_decode_with(&decoder, type, BEAM_NESTED, reader, values + i * type->size));
    return BEAM_OK;
}

static beam_status create_process(beam_ctx *ctx, const void *element)
{
    (void)element;
    const beam_encoded_config *config = beam_config(ctx, beam_encoded_config);
    const beam_type *type = beam_ctx_out_type(ctx, 0);
    create_state *state = beam_self(ctx, create_state);
    beam_reader reader = beam_reader_of(config->bytes.at, config->bytes.len);
    size_t chunk = CHUNK_BYTES / type->size + 1;
    size_t left = config->count > 0 ? (size_t)config->count : 0;
    char *values = beam_alloc(ctx, (left < chunk ? left : chunk) * type->size);
    if (!values)
        return BEAM_RESOURCE_EXHAUSTED;
    while (left) {
        size_t n = left < chunk ? left : chunk;
        BEAM_TRY(decode_chunk(ctx, &reader, n, values));
        BEAM_TRY(beam_emit_elements(ctx, 0, values, n));
        beam_arena_reset(&state->arena);
        left -= n;
        if (beam_cancelled(ctx))
            return BEAM_CANCELLED;
    }
    return BEAM_OK;
}

static void create_teardown(beam_ctx *ctx)
{
    beam_arena_free(&beam_self(ctx, create_state)->arena);
}

static const beam_type *const any_type[] = {NULL};

const beam_dofn beam_create_fn = {.struct_size = sizeof(beam_dofn),
                                  .name = "beam:create",
                                  .in = &beam_bytes_type,
                                  .outs = any_type,
                                  .n_outs = 1,
                                  .config = &beam_encoded_config_type,
                                  .state_size = sizeof(create_state),
                                  .process = create_process,
                                  .teardown = create_teardown};

/* ---- Construction --------------------------------------------------------------------- */

static bool encode_values(beam_pipeline *p, const beam_call *call, const beam_create_args *args,
                          beam_buffer *bytes)
{
    beam_error err = {0};
    for (size_t i = 0; i < args->count; i++) {
        const char *value = (const char *)args->values + i * args->type->size;
        beam_status status = beam_encode(args->type, BEAM_NESTED, value, bytes, &err);
        if (status != BEAM_OK) {
            beam_error_wrap(&err, status, "value %zu", i);
            beam_graph_fail_with(p, call, &err);
            return false;
        }
        if (bytes->len > MAX_CREATE_BYTES) {
            beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                            "its values take more than 10 MB, which would travel inside the "
                            "pipeline: write them to a file and read that instead");
            return false;
        }
    }
    return true;
}

beam_pcoll beam_create_(beam_pipeline *pipeline, const beam_create_args *args)
{
    const beam_call *call = BEAM_CALL(args, "Create");
    beam_buffer bytes = {0};
    beam_pcoll values = beam_no_pcoll(pipeline);
    if (!pipeline || pipeline->error.code != BEAM_OK)
        return values;
    if (!args->type || (args->count && !args->values)) {
        beam_graph_fail(pipeline, call, BEAM_INVALID_ARGUMENT, "it is given no %s",
                        args->type ? "values" : "type");
        return values;
    }
    if (encode_values(pipeline, call, args, &bytes) &&
        beam_graph_open(pipeline, call, NULL, (ProtobufCBinaryData){0, NULL})) {
        const beam_encoded_config config = {(beam_int64)args->count, {bytes.data, bytes.len}};
        values = beam_graph_map(beam_impulse(pipeline), call, "Decode", &beam_create_fn, &config,
                                args->type);
        beam_graph_close(pipeline);
    }
    beam_buffer_free(&bytes);
    return values;
}
