/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* combine.c - CombinePerKey and CombineGlobally, in the shape that engines know and lift.
 *
 * Per key:   precombine -> GroupByKey -> merge accumulators -> extract
 * Fan-out:   add a shard to the key -> precombine -> GroupByKey -> merge accumulators
 *            -> take the shard off -> GroupByKey -> merge accumulators -> extract
 * Globally:  one key -> per key -> (when the result is empty: that of no accumulators)
 *            -> values
 *
 * Engines that lift combines themselves (Prism, Dataflow, the embedded runner) know the composite
 * and look no further.  Those that do not (Flink, Spark) find it lifted. */
#include <string.h>

#include "graph/library.h"
#include "graph/pipeline.h"
#include "model/function.h"
#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"

/* A combine that has been checked. */
typedef struct combine {
    beam_pipeline *pipeline;
    const beam_combinefn *fn;
    const beam_type *acc, *out;
    const beam_hints *hints;
    ProtobufCBinaryData payload;
} combine;

static bool check_combinefn(beam_pipeline *p, const beam_call *call, const beam_combinefn *fn)
{
    if (!fn || fn->struct_size < sizeof(beam_combinefn) || !fn->name || !*fn->name)
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "its CombineFn is none: make it with BEAM_COMBINEFN, which fills "
                        "struct_size and name");
    else if ((!fn->add && !fn->add_batch) || !fn->merge)
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT, "CombineFn '%s' lacks add or merge",
                        fn->name);
    return p->error.code == BEAM_OK;
}

/* `value` is the type of what is combined, from `in`. */
static bool prepare(combine *c, beam_pcoll in, const beam_type *value, const beam_call *call,
                    const beam_combine_args *args, const beam_combine_types *types)
{
    char takes[256], gives[256];
    beam_pipeline *p = in.pipeline;
    beam_error err = {0};
    BeamPb__CombinePayload message = BEAM_PB__COMBINE_PAYLOAD__INIT;
    const beam_combinefn *fn = args->fn;
    if (!check_combinefn(p, call, fn))
        return false;
    *c = (combine){.pipeline = p,
                   .fn = fn,
                   .acc = fn->acc ? fn->acc
                          : types ? types->acc
                                  : NULL,
                   .out = fn->out ? fn->out
                          : types ? types->out
                                  : NULL,
                   .hints = &args->hints};
    if (fn->in && !beam_type_equal(fn->in, value)) {
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "CombineFn '%s' takes %s, but what it combines, from '%s', is of %s",
                        fn->name, beam_type_describe(fn->in, takes, sizeof takes),
                        p->nodes[beam_graph_pcoll_of(in)->producer]->proto.unique_name,
                        beam_type_describe(value, gives, sizeof gives));
        return false;
    }
    if (!c->acc || !c->out || (!fn->extract && !beam_type_equal(c->acc, c->out))) {
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "CombineFn '%s' needs types of its accumulator and output, and extract "
                        "where the two differ",
                        fn->name);
        return false;
    }
    if (beam_registry_add_combinefn(&p->registry, fn, &err) != BEAM_OK ||
        beam_combinefn_to_proto(fn, args->config, &p->arena, &message.combine_fn, &err) !=
            BEAM_OK) {
        beam_graph_fail_with(p, call, &err);
        return false;
    }
    message.accumulator_coder_id = (char *)beam_graph_coder(p, call, c->acc);
    if (!message.accumulator_coder_id)
        return false;
    if (beam_message_pack_arena(&message, &p->arena, &c->payload) != BEAM_OK) {
        beam_graph_no_memory(p, call);
        return false;
    }
    return true;
}

/* One of the executable parts of a combine. */
static beam_pcoll add_part(const combine *c, beam_pcoll in, const char *name, const char *urn,
                           const beam_type *out)
{
    const beam_call call = {NULL, 0, name, name, NULL};
    if (!out || !beam_graph_usable(in, &call))
        return beam_no_pcoll(c->pipeline);
    const beam_node_args node = {.urn = urn,
                                 .payload = c->payload,
                                 .ins = &in,
                                 .n_ins = 1,
                                 .outs = &out,
                                 .n_outs = 1,
                                 .windowing = &beam_graph_pcoll_of(in)->windowing,
                                 .in_environment = true,
                                 .fn_name = c->fn->name};
    return beam_graph_output(c->pipeline, beam_graph_add(c->pipeline, &call, &node), 0);
}

/* Engines that make parts of their own from a composite look there for the environment. */
static bool open_combine(const combine *c, const beam_call *call, const char *urn)
{
    beam_call hinted = *call;
    hinted.hints = c->hints;
    if (!beam_graph_open(c->pipeline, &hinted, urn, c->payload))
        return false;
    beam_graph_node *node = c->pipeline->nodes[c->pipeline->scope];
    if (!urn)
        return true;
    node->proto.environment_id = (char *)beam_graph_environment_id(c->pipeline, &node->hints);
    if (!node->proto.environment_id)
        beam_graph_no_memory(c->pipeline, call);
    return true;
}

/* From groups of accumulators to outputs. */
static beam_pcoll merged_and_extracted(const combine *c, beam_pcoll groups, const beam_call *call,
                                       const beam_type *key)
{
    const beam_type *acc = beam_graph_kv(c->pipeline, call, key, c->acc);
    const beam_type *out = beam_graph_kv(c->pipeline, call, key, c->out);
    beam_pcoll merged = add_part(c, groups, "Merge", BEAM_URN_COMBINE_MERGE, acc);
    return add_part(c, merged, "Extract", BEAM_URN_COMBINE_EXTRACT, out);
}

/* ---- Per key -------------------------------------------------------------------------- */

static beam_pcoll plain(const combine *c, beam_pcoll kvs, const beam_call *call,
                        const beam_type *key)
{
    const beam_type *acc = beam_graph_kv(c->pipeline, call, key, c->acc);
    if (!open_combine(c, call, BEAM_URN_COMBINE_PER_KEY))
        return beam_no_pcoll(c->pipeline);
    beam_pcoll at = add_part(c, kvs, "Precombine", BEAM_URN_COMBINE_PRECOMBINE, acc);
    at = merged_and_extracted(c, beam_group_by_key(at), call, key);
    beam_graph_close(c->pipeline);
    return at;
}

static beam_pcoll fanned_out(const combine *c, beam_pcoll kvs, const beam_call *call,
                             const beam_type *key, const beam_type *value, uint32_t fanout)
{
    beam_pipeline *p = c->pipeline;
    const beam_shard_config config = {fanout};
    const beam_type *sharded_key = beam_graph_kv(p, call, &beam_int64_type, key);
    const beam_type *sharded = beam_graph_kv(p, call, sharded_key, value);
    const beam_type *sharded_acc = beam_graph_kv(p, call, sharded_key, c->acc);
    const beam_type *acc = beam_graph_kv(p, call, key, c->acc);
    if (!open_combine(c, call, NULL))
        return beam_no_pcoll(p);
    beam_pcoll at = beam_graph_map(kvs, call, "AddShard", &beam_add_shard_fn, &config, sharded);
    at = add_part(c, at, "Precombine", BEAM_URN_COMBINE_PRECOMBINE, sharded_acc);
    at = beam_group_by_key(at, .name = "GroupShards");
    at = add_part(c, at, "MergeShards", BEAM_URN_COMBINE_MERGE, sharded_acc);
    at = beam_graph_map(at, call, "DropShard", &beam_drop_shard_fn, NULL, acc);
    at = merged_and_extracted(c, beam_group_by_key(at), call, key);
    beam_graph_close(p);
    return at;
}

beam_pcoll beam_graph_combine_per_key(beam_pcoll kvs, const beam_call *call,
                                      const beam_combine_args *args,
                                      const beam_combine_types *types)
{
    combine c;
    if (!beam_graph_needs_kv(kvs, call, true))
        return beam_no_pcoll(kvs.pipeline);
    const beam_type *kv = beam_graph_pcoll_of(kvs)->type;
    if (!prepare(&c, kvs, kv->fields[1].type, call, args, types))
        return beam_no_pcoll(kvs.pipeline);
    if (args->fanout > 1)
        return fanned_out(&c, kvs, call, kv->fields[0].type, kv->fields[1].type, args->fanout);
    return plain(&c, kvs, call, kv->fields[0].type);
}

static beam_call combine_call(const beam_combine_args *args, const char *kind)
{
    const char *fn_name = args->fn && args->fn->name ? args->fn->name : kind;
    return (beam_call){args->file, args->line, args->name, fn_name, &args->hints};
}

beam_pcoll beam_combine_per_key_(beam_pcoll kvs, const beam_combine_args *args)
{
    const beam_call call = combine_call(args, "CombinePerKey");
    return beam_graph_combine_per_key(kvs, &call, args, NULL);
}

/* ---- Globally ------------------------------------------------------------------------- */

/* An Impulse windowed as `other` is, in the global window: with its timestamps of groups. */
static beam_pcoll impulse_beside(beam_pcoll other)
{
    beam_pcoll impulse = beam_impulse(other.pipeline);
    const beam_windowing windowing = beam_pcoll_windowing(other);
    if (beam_windowing_equal(&windowing, &(beam_windowing){0}))
        return impulse;
    return beam_window_into(impulse, windowing);
}

/* The result, and where it is empty that of no inputs at all: an Impulse sees whether the
 * result has an element, and if not gives a group without accumulators. */
static beam_pcoll with_default(const combine *c, beam_pcoll result, const beam_call *call)
{
    beam_pipeline *p = c->pipeline;
    const beam_type *values = beam_graph_iterable(p, call, c->acc);
    const beam_type *group = beam_graph_kv(p, call, &beam_int64_type, values);
    const beam_call named = {NULL, 0, "EmptyGroup", "EmptyGroup", NULL};
    const beam_view side = beam_as_iterable(result);
    const beam_pardo_args args = {
        .struct_size = sizeof args, .fn = &beam_empty_group_fn, .sides = &side, .n_sides = 1};
    if (!group || !result.id)
        return beam_no_pcoll(p);
    beam_pcoll empty = beam_graph_pardo(impulse_beside(result), &named, &args, &group);
    beam_pcoll both[] = {result, merged_and_extracted(c, empty, call, &beam_int64_type)};
    return beam_flatten(both, 2);
}

beam_pcoll beam_graph_combine_globally(beam_pcoll in, const beam_call *call,
                                       const beam_combine_args *args,
                                       const beam_combine_types *types)
{
    combine c;
    if (!beam_graph_usable(in, call))
        return beam_no_pcoll(in.pipeline);
    const beam_graph_pcoll *pcoll = beam_graph_pcoll_of(in);
    if (!prepare(&c, in, pcoll->type, call, args, types) ||
        !open_combine(&c, call, BEAM_URN_COMBINE_GLOBALLY))
        return beam_no_pcoll(in.pipeline);
    const beam_int64 key = 0;
    beam_combine_args per_key = *args;
    per_key.name = "CombinePerKey";
    per_key.hints = (beam_hints){0}; /* those of the composite hold for its parts */
    const beam_call named = {args->file, args->line, per_key.name, per_key.name, &per_key.hints};
    beam_pcoll keyed = beam_with_keys(in, beam_int64, &key);
    beam_pcoll result = beam_graph_combine_per_key(keyed, &named, &per_key, types);
    if (pcoll->windowing.kind == BEAM_GLOBAL_WINDOWS)
        result = with_default(&c, result, call);
    beam_pcoll values = beam_values(result);
    beam_graph_close(in.pipeline);
    return values;
}

beam_pcoll beam_combine_globally_(beam_pcoll in, const beam_combine_args *args)
{
    const beam_call call = combine_call(args, "CombineGlobally");
    return beam_graph_combine_globally(in, &call, args, NULL);
}
