/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* primitives.c - the transforms that engines run by themselves: Impulse, GroupByKey, Flatten
 * and the assignment of windows. */
#include <string.h>

#include "graph/library.h"
#include "graph/pipeline.h"
#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"

static const ProtobufCBinaryData no_payload = {0, NULL};

beam_pcoll beam_impulse_(beam_pipeline *pipeline, const beam_impulse_args *args)
{
    static const beam_type *const outs[] = {&beam_bytes_type};
    const beam_windowing global = {0};
    const beam_node_args node = {
        .urn = BEAM_URN_IMPULSE, .outs = outs, .n_outs = 1, .windowing = &global};
    return beam_graph_output(pipeline, beam_graph_add(pipeline, BEAM_CALL(args, "Impulse"), &node),
                             0);
}

beam_pcoll beam_group_by_key_(beam_pcoll kvs, const beam_transform_args *args)
{
    const beam_call *call = BEAM_CALL(args, "GroupByKey");
    if (!beam_graph_needs_kv(kvs, call, true))
        return beam_no_pcoll(kvs.pipeline);
    const beam_graph_pcoll *in = beam_graph_pcoll_of(kvs);
    const beam_type *values = beam_graph_iterable(kvs.pipeline, call, in->type->fields[1].type);
    const beam_type *groups = beam_graph_kv(kvs.pipeline, call, in->type->fields[0].type, values);
    if (!groups)
        return beam_no_pcoll(kvs.pipeline);
    const beam_node_args node = {.urn = BEAM_URN_GROUP_BY_KEY,
                                 .ins = &kvs,
                                 .n_ins = 1,
                                 .outs = &groups,
                                 .n_outs = 1,
                                 .windowing = &in->windowing};
    return beam_graph_output(kvs.pipeline, beam_graph_add(kvs.pipeline, call, &node), 0);
}

/* All inputs have the first one's type and windowing. */
static bool may_flatten(const beam_pcoll *ins, size_t n, const beam_call *call)
{
    char first[256], other[256];
    if (!beam_graph_usable(ins[0], call))
        return false;
    const beam_pipeline *p = ins[0].pipeline;
    const beam_graph_pcoll *a = beam_graph_pcoll_of(ins[0]);
    for (size_t i = 1; i < n; i++) {
        if (!beam_graph_usable_too(ins[i], p, call))
            return false;
        const beam_graph_pcoll *b = beam_graph_pcoll_of(ins[i]);
        const char *a_name = p->nodes[a->producer]->proto.unique_name;
        const char *b_name = p->nodes[b->producer]->proto.unique_name;
        if (!beam_type_equal(a->type, b->type)) {
            beam_graph_fail(ins[0].pipeline, call, BEAM_INVALID_ARGUMENT,
                            "flattens one type, but its input 0, from '%s', is of %s and its input "
                            "%zu, from '%s', of %s",
                            a_name, beam_type_describe(a->type, first, sizeof first), i, b_name,
                            beam_type_describe(b->type, other, sizeof other));
            return false;
        }
        if (!beam_windowing_equal(&a->windowing, &b->windowing)) {
            beam_graph_fail(ins[0].pipeline, call, BEAM_INVALID_ARGUMENT,
                            "its inputs 0, from '%s', and %zu, from '%s', are windowed in "
                            "different ways: give both the same windows first",
                            a_name, i, b_name);
            return false;
        }
    }
    return true;
}

static beam_status pass(beam_ctx *ctx, const void *element)
{
    return beam_emit_element(ctx, 0, element);
}

static beam_status pass_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    return beam_emit_elements(ctx, 0, elements, n);
}

static const beam_type *const any_type[] = {NULL};

const beam_dofn beam_pass_fn = {.struct_size = sizeof(beam_dofn),
                                .name = "beam:pass",
                                .outs = any_type,
                                .n_outs = 1,
                                .process = pass,
                                .process_batch = pass_batch};

/* Whether engines make the PCollection by themselves, and not in a worker. */
static bool is_engines(const beam_pipeline *p, uint32_t producer)
{
    const BeamPb__FunctionSpec *spec = p->nodes[producer]->proto.spec;
    if (spec &&
        (strcmp(spec->urn, BEAM_URN_GROUP_BY_KEY) == 0 || strcmp(spec->urn, BEAM_URN_IMPULSE) == 0))
        return true;
    for (uint32_t at = producer; at; at = p->nodes[at]->parent) {
        spec = p->nodes[at]->proto.spec;
        if (spec && strcmp(spec->urn, BEAM_URN_RESHUFFLE) == 0)
            return true;
    }
    return false;
}

/* The inputs, all made in workers: Flink's fusion loses the inputs of a Flatten of both kinds, and
 * its groups are not of the type that workers' groups have. */
static beam_pcoll *made_in_workers(const beam_pcoll *ins, size_t n, const beam_call *call)
{
    beam_pipeline *p = ins[0].pipeline;
    beam_pcoll *made = beam_arena_copy(&p->arena, ins, n * sizeof *ins);
    for (size_t i = 0; made && i < n; i++)
        if (is_engines(p, beam_graph_pcoll_of(ins[i])->producer))
            made[i] = beam_graph_map(ins[i], call, "Pass", &beam_pass_fn, NULL,
                                     beam_graph_pcoll_of(ins[i])->type);
    return made;
}

beam_pcoll beam_graph_flatten(const beam_pcoll *ins, size_t n, const beam_call *call)
{
    if (n == 0 || !may_flatten(ins, n, call))
        return beam_no_pcoll(n ? ins[0].pipeline : NULL);
    const beam_graph_pcoll *first = beam_graph_pcoll_of(ins[0]);
    const beam_pcoll *made = made_in_workers(ins, n, call);
    if (!made) {
        beam_graph_no_memory(ins[0].pipeline, call);
        return beam_no_pcoll(ins[0].pipeline);
    }
    const beam_node_args node = {.urn = BEAM_URN_FLATTEN,
                                 .ins = made,
                                 .n_ins = n,
                                 .outs = &first->type,
                                 .n_outs = 1,
                                 .windowing = &first->windowing,
                                 .in_environment = true};
    return beam_graph_output(ins[0].pipeline, beam_graph_add(ins[0].pipeline, call, &node), 0);
}

beam_pcoll beam_flatten_(const beam_pcoll *ins, size_t n, const beam_transform_args *args)
{
    return beam_graph_flatten(ins, n, BEAM_CALL(args, "Flatten"));
}

beam_pcoll beam_window_into_(beam_pcoll in, beam_windowing windowing,
                             const beam_transform_args *args)
{
    const beam_call *call = BEAM_CALL(args, "WindowInto");
    if (!beam_graph_usable(in, call))
        return beam_no_pcoll(in.pipeline);
    BeamPb__WindowIntoPayload message = BEAM_PB__WINDOW_INTO_PAYLOAD__INIT;
    ProtobufCBinaryData payload = no_payload;
    beam_error err = {0};
    if (beam_window_fn_to_proto(&windowing, &in.pipeline->arena, &message.window_fn, &err) !=
        BEAM_OK) {
        beam_graph_fail_with(in.pipeline, call, &err);
        return beam_no_pcoll(in.pipeline);
    }
    if (beam_message_pack_arena(&message, &in.pipeline->arena, &payload) != BEAM_OK) {
        beam_graph_no_memory(in.pipeline, call);
        return beam_no_pcoll(in.pipeline);
    }
    const beam_node_args node = {.urn = BEAM_URN_WINDOW_INTO,
                                 .payload = payload,
                                 .ins = &in,
                                 .n_ins = 1,
                                 .outs = &beam_graph_pcoll_of(in)->type,
                                 .n_outs = 1,
                                 .windowing = &windowing,
                                 .in_environment = true};
    return beam_graph_output(in.pipeline, beam_graph_add(in.pipeline, call, &node), 0);
}
