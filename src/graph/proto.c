/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* proto.c - the graph as a serialized Pipeline.  Leaves carry their protos since they were
 * made; what composites hold, take and give is worked out here. */
#include <string.h>

#include "base/buffer.h"
#include "graph/pipeline.h"
#include "model/message.h"
#include "model/urn.h"

/* Working memory of one conversion. */
typedef struct converter {
    const beam_pipeline *p;
    beam_arena arena;
    bool *used;         /* by node index: a leaf, or a composite with a leaf somewhere inside */
    uint32_t *n_parts;  /* by node index */
    uint32_t *n_inside; /* scratch, by pcoll: consumers inside the composite at hand */
    uint32_t *n_consumers;
} converter;

static bool lies_inside(const beam_pipeline *p, uint32_t node, uint32_t composite)
{
    while (node && node != composite)
        node = p->nodes[node]->parent;
    return node == composite;
}

static beam_status count(converter *c)
{
    const beam_pipeline *p = c->p;
    c->used = beam_arena_calloc(&c->arena, p->n_nodes, sizeof *c->used);
    c->n_parts = beam_arena_calloc(&c->arena, p->n_nodes, sizeof *c->n_parts);
    c->n_inside = beam_arena_calloc(&c->arena, p->n_pcolls, sizeof *c->n_inside);
    c->n_consumers = beam_arena_calloc(&c->arena, p->n_pcolls, sizeof *c->n_consumers);
    if (!c->used || !c->n_parts || !c->n_inside || !c->n_consumers)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 1; i < p->n_nodes; i++) {
        const beam_graph_node *node = p->nodes[i];
        for (size_t k = 0; k < node->n_ins; k++)
            c->n_consumers[node->ins[k]]++;
        for (uint32_t at = (uint32_t)i; !node->composite && at && !c->used[at];
             at = p->nodes[at]->parent) {
            c->used[at] = true;
            c->n_parts[p->nodes[at]->parent]++;
        }
    }
    return BEAM_OK;
}

/* Ids of the parts of a composite (0: the roots), in the order they were made. */
static beam_status parts_of(converter *c, uint32_t composite, char ***ids, size_t *n)
{
    *n = 0;
    *ids = beam_arena_calloc(&c->arena, c->n_parts[composite], sizeof **ids);
    if (!*ids)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 1; i < c->p->n_nodes; i++)
        if (c->used[i] && c->p->nodes[i]->parent == composite)
            (*ids)[(*n)++] = c->p->nodes[i]->entry.key;
    return BEAM_OK;
}

/* Adds a PCollection to a composite's inputs or outputs under the next local name. */
static beam_status add_local(converter *c, BeamPb__StringEntry **entries, size_t *n,
                             const char *prefix, uint32_t pcoll)
{
    for (size_t i = 0; i < *n; i++)
        if (entries[i]->value == c->p->pcolls[pcoll]->entry.key)
            return BEAM_OK;
    BeamPb__StringEntry *entry = beam_message_new(&beam_pb__string_entry__descriptor, &c->arena);
    if (!entry || !(entry->key = beam_arena_printf(&c->arena, "%s%zu", prefix, *n)))
        return BEAM_RESOURCE_EXHAUSTED;
    entry->value = c->p->pcolls[pcoll]->entry.key;
    entries[(*n)++] = entry;
    return BEAM_OK;
}

/* A composite takes what its leaves take from outside, and gives what they make that is used
 * outside or nowhere. */
static beam_status connect_composite(converter *c, uint32_t composite, BeamPb__PTransform *proto)
{
    const beam_pipeline *p = c->p;
    size_t n_ins = 0, n_outs = 0;
    memset(c->n_inside, 0, p->n_pcolls * sizeof *c->n_inside);
    for (size_t i = composite + 1; i < p->n_nodes; i++)
        if (lies_inside(p, (uint32_t)i, composite)) {
            for (size_t k = 0; k < p->nodes[i]->n_ins; k++)
                c->n_inside[p->nodes[i]->ins[k]]++;
            n_ins += p->nodes[i]->n_ins;
            n_outs += p->nodes[i]->n_outs;
        }
    proto->inputs = beam_arena_calloc(&c->arena, n_ins, sizeof(void *));
    proto->outputs = beam_arena_calloc(&c->arena, n_outs, sizeof(void *));
    if (!proto->inputs || !proto->outputs)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = composite + 1; i < p->n_nodes; i++) {
        const beam_graph_node *node = p->nodes[i];
        if (node->composite || !lies_inside(p, node->index, composite))
            continue;
        for (size_t k = 0; k < node->n_ins; k++)
            if (!lies_inside(p, p->pcolls[node->ins[k]]->producer, composite))
                BEAM_TRY(
                    add_local(c, proto->inputs, &proto->n_inputs, BEAM_LOCAL_INPUT, node->ins[k]));
        for (size_t k = 0; k < node->n_outs; k++)
            if (c->n_inside[node->outs[k]] < c->n_consumers[node->outs[k]] ||
                c->n_consumers[node->outs[k]] == 0)
                BEAM_TRY(add_local(c, proto->outputs, &proto->n_outputs, BEAM_LOCAL_OUTPUT,
                                   node->outs[k]));
    }
    if (proto->n_inputs == 1)
        proto->inputs[0]->key = (char *)BEAM_LOCAL_INPUT;
    return BEAM_OK;
}

static beam_status composite_entry(converter *c, const beam_graph_node *node,
                                   BeamPb__TransformEntry **entry)
{
    BeamPb__TransformEntry *copy = beam_arena_copy(&c->arena, &node->entry, sizeof *copy);
    BeamPb__PTransform *proto = beam_arena_copy(&c->arena, &node->proto, sizeof *proto);
    if (!copy || !proto)
        return BEAM_RESOURCE_EXHAUSTED;
    copy->value = proto;
    BEAM_TRY(parts_of(c, node->index, &proto->subtransforms, &proto->n_subtransforms));
    *entry = copy;
    return connect_composite(c, node->index, proto);
}

static beam_status add_transforms(converter *c, BeamPb__Components *components)
{
    const beam_pipeline *p = c->p;
    components->transforms = beam_arena_calloc(&c->arena, p->n_nodes, sizeof(void *));
    if (!components->transforms)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 1; i < p->n_nodes; i++) {
        BeamPb__TransformEntry *entry = &p->nodes[i]->entry;
        if (!c->used[i])
            continue;
        if (p->nodes[i]->composite)
            BEAM_TRY(composite_entry(c, p->nodes[i], &entry));
        components->transforms[components->n_transforms++] = entry;
    }
    return BEAM_OK;
}

static beam_status add_parts(converter *c, BeamPb__Components *components)
{
    const beam_pipeline *p = c->p;
    components->pcollections = beam_arena_calloc(&c->arena, p->n_pcolls, sizeof(void *));
    components->windowing_strategies =
        beam_arena_calloc(&c->arena, p->n_windowings, sizeof(void *));
    components->environments = beam_arena_calloc(&c->arena, p->n_environments, sizeof(void *));
    if (!components->pcollections || !components->windowing_strategies || !components->environments)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 1; i < p->n_pcolls; i++)
        components->pcollections[components->n_pcollections++] = &p->pcolls[i]->entry;
    for (size_t i = 0; i < p->n_windowings; i++)
        components->windowing_strategies[components->n_windowing_strategies++] =
            &p->windowings[i]->entry;
    for (size_t i = 0; i < p->n_environments; i++)
        components->environments[components->n_environments++] = &p->environments[i]->entry;
    components->coders = p->coders.entries;
    components->n_coders = p->coders.n;
    return BEAM_OK;
}

static beam_status convert(converter *c, beam_buffer *out)
{
    BeamPb__Pipeline pipeline = BEAM_PB__PIPELINE__INIT;
    BeamPb__Components components = BEAM_PB__COMPONENTS__INIT;
    char *requirements[2];
    BEAM_TRY(count(c));
    BEAM_TRY(add_transforms(c, &components));
    BEAM_TRY(add_parts(c, &components));
    pipeline.components = &components;
    BEAM_TRY(parts_of(c, 0, &pipeline.root_transform_ids, &pipeline.n_root_transform_ids));
    pipeline.requirements = requirements;
    if (c->p->has_splittable)
        requirements[pipeline.n_requirements++] = (char *)BEAM_URN_REQUIREMENT_SPLITTABLE;
    if (c->p->has_finalizer)
        requirements[pipeline.n_requirements++] = (char *)BEAM_URN_REQUIREMENT_FINALIZATION;
    return beam_message_pack(&pipeline, out);
}

beam_status beam_pipeline_to_proto(beam_pipeline *pipeline, void **bytes, size_t *size,
                                   beam_error *err)
{
    beam_buffer out = {0};
    *bytes = NULL;
    *size = 0;
    BEAM_TRY(beam_pipeline_status(pipeline, err));
    if (pipeline->scope)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "composite '%s' was begun but not ended",
                              pipeline->nodes[pipeline->scope]->proto.unique_name);
    converter c = {.p = pipeline};
    beam_status status = convert(&c, &out);
    beam_arena_free(&c.arena);
    if (status != BEAM_OK) {
        beam_buffer_free(&out);
        return beam_error_set(err, status, "no memory to write the pipeline");
    }
    *bytes = out.data;
    *size = out.len;
    return BEAM_OK;
}
