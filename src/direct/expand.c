/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* expand.c - transforms that the runner takes apart.
 *
 *   splittable ParDo: pair_with_restriction -> split_and_size_restrictions
 *                     -> (a store) -> process_sized_elements_and_restrictions
 *   CombinePerKey:    precombine -> GroupByKey -> merge_accumulators -> extract_outputs, or,
 *                     where windows merge, GroupByKey -> combine_grouped_values */
#include <string.h>

#include "base/alloc.h"
#include "direct/graph.h"
#include "model/message.h"
#include "model/urn.h"

/* The transform that is taken apart, and what its parts share. */
typedef struct expansion {
    beam_direct_graph *graph;
    const char *id;
    const BeamPb__PTransform *proto;
    const char *windowing;
    beam_error *err;
} expansion;

/* A text in the graph's arena; NULL when memory is out. */
static const char *part_id(const expansion *e, const char *part)
{
    return beam_arena_printf(&e->graph->arena, "%s/%s", e->id, part);
}

static BeamPb__StringEntry *string_entry(const expansion *e, const char *key, const char *value)
{
    BeamPb__StringEntry *entry =
        beam_message_new(&beam_pb__string_entry__descriptor, &e->graph->arena);
    if (entry) {
        entry->key = (char *)(uintptr_t)key;
        entry->value = (char *)(uintptr_t)value;
    }
    return entry;
}

static beam_status one_entry(const expansion *e, const char *key, const char *value,
                             BeamPb__StringEntry ***entries, size_t *n)
{
    *entries = beam_arena_calloc(&e->graph->arena, 1, sizeof **entries);
    if (!*entries || !((*entries)[0] = string_entry(e, key, value)))
        return beam_graph_memory(e->err);
    *n = 1;
    return BEAM_OK;
}

/* A part from PCollection `in` to `out`; NULL: the inputs or outputs of the transform itself,
 * all of them.  The payload is that of the transform. */
static beam_status add_part(const expansion *e, const char *part, const char *urn, const char *in,
                            const char *out)
{
    beam_arena *arena = &e->graph->arena;
    BeamPb__PTransform *proto = beam_arena_copy(arena, e->proto, sizeof *proto);
    BeamPb__FunctionSpec *spec = beam_message_new(&beam_pb__function_spec__descriptor, arena);
    const char *id = part_id(e, part);
    if (!proto || !spec || !id)
        return beam_graph_memory(e->err);
    spec->urn = (char *)(uintptr_t)urn;
    if (strcmp(urn, BEAM_URN_GROUP_BY_KEY) != 0)
        spec->payload = e->proto->spec->payload;
    proto->spec = spec;
    proto->n_subtransforms = 0;
    proto->subtransforms = NULL;
    if (in)
        BEAM_TRY(one_entry(e, BEAM_LOCAL_INPUT, in, &proto->inputs, &proto->n_inputs));
    if (out)
        BEAM_TRY(one_entry(e, BEAM_LOCAL_OUTPUT "0", out, &proto->outputs, &proto->n_outputs));
    return beam_graph_add_step(e->graph, id, proto, e->err);
}

static beam_status add_coder(const expansion *e, const char *urn, const char *a, const char *b,
                             const char **id)
{
    const char *components[] = {a, b};
    return beam_graph_add_coder(e->graph, urn, components, b ? 2 : a ? 1 : 0, id, e->err);
}

static beam_status add_dataset(const expansion *e, const char *part, const char *coder,
                               const char **id)
{
    *id = part_id(e, part);
    if (!*id)
        return beam_graph_memory(e->err);
    return beam_graph_add_dataset(e->graph, *id, coder, e->windowing, e->err);
}

static const BeamPb__PCollection *pcollection(const beam_direct_graph *graph, const char *id)
{
    uint32_t dataset = beam_graph_find_dataset(graph, id);
    return dataset == BEAM_NONE ? NULL : graph->datasets[dataset].entry->value;
}

/* ---- Splittable ParDo ------------------------------------------------------------------- */

static bool is_side(const BeamPb__ParDoPayload *payload, const char *local_name)
{
    for (size_t i = 0; i < payload->n_side_inputs; i++)
        if (strcmp(payload->side_inputs[i]->key, local_name) == 0)
            return true;
    return false;
}

/* The inputs of the processing part: the transform's own, but for the main one. */
static beam_status replace_main_input(const expansion *e, const BeamPb__StringEntry *main_input,
                                      const char *by, BeamPb__StringEntry ***inputs)
{
    const BeamPb__PTransform *proto = e->proto;
    *inputs = beam_arena_calloc(&e->graph->arena, proto->n_inputs, sizeof **inputs);
    if (!*inputs)
        return beam_graph_memory(e->err);
    for (size_t i = 0; i < proto->n_inputs; i++) {
        (*inputs)[i] = proto->inputs[i];
        if (proto->inputs[i] == main_input &&
            !((*inputs)[i] = string_entry(e, main_input->key, by)))
            return beam_graph_memory(e->err);
    }
    return BEAM_OK;
}

static beam_status expand_pardo(expansion *e, const BeamPb__StringEntry *main_input,
                                const char *restriction)
{
    const BeamPb__PCollection *in = pcollection(e->graph, main_input->value);
    if (!in)
        return beam_error_set(e->err, BEAM_DATA_LOSS, "there is no PCollection \"%s\"",
                              main_input->value);
    const char *pair, *number, *sized, *paired_id, *sized_id;
    e->windowing = in->windowing_strategy_id;
    BEAM_TRY(add_coder(e, BEAM_URN_CODER_KV, in->coder_id, restriction, &pair));
    BEAM_TRY(add_coder(e, BEAM_URN_CODER_DOUBLE, NULL, NULL, &number));
    BEAM_TRY(add_coder(e, BEAM_URN_CODER_KV, pair, number, &sized));
    BEAM_TRY(add_dataset(e, "paired", pair, &paired_id));
    BEAM_TRY(add_dataset(e, "sized", sized, &sized_id));
    BEAM_TRY(add_part(e, "PairWithRestriction", BEAM_URN_SDF_PAIR, main_input->value, paired_id));
    BEAM_TRY(add_part(e, "SplitAndSizeRestrictions", BEAM_URN_SDF_SPLIT, paired_id, sized_id));
    BeamPb__PTransform with_sides = *e->proto;
    BEAM_TRY(replace_main_input(e, main_input, sized_id, &with_sides.inputs));
    expansion process = *e;
    process.proto = &with_sides;
    return add_part(&process, "ProcessSizedElementsAndRestrictions", BEAM_URN_SDF_PROCESS, NULL,
                    NULL);
}

beam_status beam_expand_pardo(beam_direct_graph *graph, const char *id,
                              const BeamPb__PTransform *proto, const BeamPb__ParDoPayload *payload,
                              beam_error *err)
{
    expansion e = {.graph = graph, .id = id, .proto = proto, .err = err};
    const BeamPb__StringEntry *main_input = NULL;
    for (size_t i = 0; i < proto->n_inputs; i++)
        if (!is_side(payload, proto->inputs[i]->key))
            main_input = proto->inputs[i];
    if (!main_input)
        return beam_error_set(err, BEAM_DATA_LOSS, "has no main input");
    const char *restriction = beam_arena_strdup(&graph->arena, payload->restriction_coder_id);
    if (!restriction)
        return beam_graph_memory(err);
    return expand_pardo(&e, main_input, restriction);
}

/* ---- CombinePerKey ----------------------------------------------------------------------- */

/* The coders of KV<K, V> and KV<K, iterable<V>>. */
static beam_status group_coders(const expansion *e, const char *key, const char *value,
                                const char **kv, const char **group)
{
    const char *values;
    BEAM_TRY(add_coder(e, BEAM_URN_CODER_KV, key, value, kv));
    BEAM_TRY(add_coder(e, BEAM_URN_CODER_ITERABLE, value, NULL, &values));
    return add_coder(e, BEAM_URN_CODER_KV, key, values, group);
}

static beam_status expand_lifted(const expansion *e, const char *key, const char *accumulator)
{
    const char *in = e->proto->inputs[0]->value, *out = e->proto->outputs[0]->value;
    const char *kv, *group, *combined, *grouped, *merged;
    BEAM_TRY(group_coders(e, key, accumulator, &kv, &group));
    BEAM_TRY(add_dataset(e, "precombined", kv, &combined));
    BEAM_TRY(add_dataset(e, "grouped", group, &grouped));
    BEAM_TRY(add_dataset(e, "merged", kv, &merged));
    BEAM_TRY(add_part(e, "Precombine", BEAM_URN_COMBINE_PRECOMBINE, in, combined));
    BEAM_TRY(add_part(e, "Group", BEAM_URN_GROUP_BY_KEY, combined, grouped));
    BEAM_TRY(add_part(e, "Merge", BEAM_URN_COMBINE_MERGE, grouped, merged));
    return add_part(e, "Extract", BEAM_URN_COMBINE_EXTRACT, merged, out);
}

static beam_status expand_plain(const expansion *e, const char *key, const char *value)
{
    const char *in = e->proto->inputs[0]->value, *out = e->proto->outputs[0]->value;
    const char *kv, *group, *grouped;
    BEAM_TRY(group_coders(e, key, value, &kv, &group));
    BEAM_TRY(add_dataset(e, "grouped", group, &grouped));
    BEAM_TRY(add_part(e, "Group", BEAM_URN_GROUP_BY_KEY, in, grouped));
    return add_part(e, "Combine", BEAM_URN_COMBINE_GROUPED_VALUES, grouped, out);
}

/* The components of the input's KV coder. */
static beam_status key_and_value(const expansion *e, const BeamPb__PCollection *in,
                                 const char **key, const char **value)
{
    beam_coder_map coders = {e->graph->coders, e->graph->n_coders, false};
    const BeamPb__Coder *coder = beam_coder_find(coders, in->coder_id);
    while (coder && coder->spec && strcmp(coder->spec->urn, BEAM_URN_CODER_LENGTH_PREFIX) == 0 &&
           coder->n_component_coder_ids == 1)
        coder = beam_coder_find(coders, coder->component_coder_ids[0]);
    if (!coder || !coder->spec || strcmp(coder->spec->urn, BEAM_URN_CODER_KV) != 0 ||
        coder->n_component_coder_ids != 2)
        return beam_error_set(e->err, BEAM_INVALID_ARGUMENT,
                              "combines by key, but its input is not of KVs");
    *key = coder->component_coder_ids[0];
    *value = coder->component_coder_ids[1];
    return BEAM_OK;
}

beam_status beam_expand_combine(beam_direct_graph *graph, const char *id,
                                const BeamPb__PTransform *proto, bool lifted, beam_error *err)
{
    expansion e = {.graph = graph, .id = id, .proto = proto, .err = err};
    if (proto->n_inputs != 1 || proto->n_outputs != 1)
        return beam_error_set(err, BEAM_DATA_LOSS, "has %zu inputs and %zu outputs",
                              proto->n_inputs, proto->n_outputs);
    const BeamPb__PCollection *in = pcollection(graph, proto->inputs[0]->value);
    if (!in)
        return beam_error_set(err, BEAM_DATA_LOSS, "there is no PCollection \"%s\"",
                              proto->inputs[0]->value);
    e.windowing = in->windowing_strategy_id;
    const char *key, *value;
    BEAM_TRY(key_and_value(&e, in, &key, &value));
    if (!lifted)
        return expand_plain(&e, key, value);
    BeamPb__CombinePayload *payload;
    BEAM_TRY(beam_message_unpack(&beam_pb__combine_payload__descriptor, proto->spec->payload.data,
                                 proto->spec->payload.len, &payload, err));
    const char *accumulator = beam_arena_strdup(&graph->arena, payload->accumulator_coder_id);
    beam_message_free(payload);
    if (!accumulator)
        return beam_graph_memory(err);
    return expand_lifted(&e, key, accumulator);
}
