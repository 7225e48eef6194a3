/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_count.c - Distinct and the Counts, as combines. */
#include "graph/library.h"
#include "graph/pipeline.h"

/* ---- Any: true once there is an input -------------------------------------------------- */

static beam_status any_add(beam_ctx *ctx, void *acc, const void *in)
{
    (void)ctx;
    (void)in;
    *(beam_bool *)acc = true;
    return BEAM_OK;
}

static beam_status any_add_batch(beam_ctx *ctx, void *const *accs, const void *ins, size_t stride,
                                 size_t n)
{
    (void)ctx;
    (void)ins;
    (void)stride;
    for (size_t i = 0; i < n; i++)
        *(beam_bool *)accs[i] = true;
    return BEAM_OK;
}

static beam_status any_merge(beam_ctx *ctx, void *acc, const void *other)
{
    (void)ctx;
    *(beam_bool *)acc = *(beam_bool *)acc || *(const beam_bool *)other;
    return BEAM_OK;
}

const beam_combinefn beam_any_combine = {.struct_size = sizeof(beam_combinefn),
                                         .name = "beam:any",
                                         .acc = &beam_bool_type,
                                         .out = &beam_bool_type,
                                         .add = any_add,
                                         .add_batch = any_add_batch,
                                         .merge = any_merge};

/* ---- Construction ---------------------------------------------------------------------- */

/* Combines equal elements: T to KV<T, Out>. */
static beam_pcoll combine_equal(beam_pcoll in, const beam_call *call, const beam_combinefn *fn)
{
    const beam_type *type = beam_graph_pcoll_of(in)->type;
    const beam_type *pair = beam_graph_kv(in.pipeline, call, type, &beam_bool_type);
    return beam_combine_per_key(beam_graph_map(in, call, "Pair", &beam_pair_fn, NULL, pair), fn);
}

static bool open_over_elements(beam_pcoll in, const beam_call *call)
{
    return beam_graph_usable(in, call) &&
           beam_graph_needs_key(in.pipeline, call, beam_graph_pcoll_of(in)->type) &&
           beam_graph_open(in.pipeline, call, NULL, (ProtobufCBinaryData){0, NULL});
}

beam_pcoll beam_distinct_(beam_pcoll in, const beam_transform_args *args)
{
    const beam_call *call = BEAM_CALL(args, "Distinct");
    if (!open_over_elements(in, call))
        return beam_no_pcoll(in.pipeline);
    beam_pcoll distinct = beam_keys(combine_equal(in, call, &beam_any_combine));
    beam_graph_close(in.pipeline);
    return distinct;
}

beam_pcoll beam_count_per_element_(beam_pcoll in, const beam_transform_args *args)
{
    const beam_call *call = BEAM_CALL(args, "CountPerElement");
    if (!open_over_elements(in, call))
        return beam_no_pcoll(in.pipeline);
    beam_pcoll counts = combine_equal(in, call, &beam_count_combine);
    beam_graph_close(in.pipeline);
    return counts;
}

beam_pcoll beam_count_per_key_(beam_pcoll kvs, const beam_transform_args *args)
{
    const beam_combine_args combine = {.struct_size = sizeof combine,
                                       .file = args->file,
                                       .line = args->line,
                                       .fn = &beam_count_combine};
    return beam_graph_combine_per_key(kvs, BEAM_CALL(args, "CountPerKey"), &combine, NULL);
}

beam_pcoll beam_count_globally_(beam_pcoll in, const beam_transform_args *args)
{
    const beam_combine_args combine = {.struct_size = sizeof combine,
                                       .file = args->file,
                                       .line = args->line,
                                       .fn = &beam_count_combine};
    return beam_graph_combine_globally(in, BEAM_CALL(args, "CountGlobally"), &combine, NULL);
}
