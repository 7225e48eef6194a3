/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* page_graph.c - a pipeline's transforms and what flows between them, as the page draws them. */
#include <string.h>

#include "app/page.h"
#include "graph/pipeline.h"
#include "model/urn.h"

static json_t *inputs_of(const beam_pipeline *p, const beam_graph_node *node)
{
    json_t *inputs = json_array();
    int failed = 0;
    for (size_t i = 0; i < node->n_ins; i++) {
        bool side =
            strncmp(node->proto.inputs[i]->key, BEAM_LOCAL_SIDE, strlen(BEAM_LOCAL_SIDE)) == 0;
        json_t *input = json_pack("{s:o?, s:b}", "pcollection",
                                  beam_page_text(p->pcolls[node->ins[i]]->entry.key), "side", side);
        failed |= json_array_append_new(inputs, input);
    }
    return beam_page_whole(inputs, failed);
}

static json_t *outputs_of(const beam_pipeline *p, const beam_graph_node *node)
{
    json_t *outputs = json_array();
    int failed = 0;
    for (size_t i = 0; i < node->n_outs; i++)
        failed |=
            json_array_append_new(outputs, beam_page_text(p->pcolls[node->outs[i]]->entry.key));
    return beam_page_whole(outputs, failed);
}

static json_t *hints_of(const beam_merged_hints *hints)
{
    json_t *object = json_object();
    int failed = 0;
    if (hints->accelerator)
        failed |= json_object_set_new(object, "accelerator", beam_page_text(hints->accelerator));
    if (hints->min_ram_bytes)
        failed |= json_object_set_new(object, "min_ram_bytes",
                                      json_integer((json_int_t)hints->min_ram_bytes));
    if (hints->cpu_count)
        failed |= json_object_set_new(object, "cpu_count", json_integer(hints->cpu_count));
    if (hints->max_active_bundles)
        failed |= json_object_set_new(object, "max_active_bundles_per_worker",
                                      json_integer(hints->max_active_bundles));
    return beam_page_whole(object, failed);
}

static json_t *transform(const beam_pipeline *p, const beam_graph_node *node)
{
    const BeamPb__FunctionSpec *spec = node->proto.spec;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "id", json_integer(node->index));
    failed |= json_object_set_new(object, "parent", json_integer(node->parent));
    failed |= json_object_set_new(object, "composite", json_boolean(node->composite));
    failed |= json_object_set_new(object, "name", beam_page_text(node->local_name));
    failed |= json_object_set_new(object, "path", beam_page_text(node->proto.unique_name));
    failed |= json_object_set_new(object, "function", beam_page_text(node->fn_name));
    failed |= json_object_set_new(object, "urn", beam_page_text(spec ? spec->urn : NULL));
    failed |= json_object_set_new(object, "hints", hints_of(&node->hints));
    failed |= json_object_set_new(object, "inputs", inputs_of(p, node));
    failed |= json_object_set_new(object, "outputs", outputs_of(p, node));
    return beam_page_whole(object, failed);
}

static json_t *pcollection(const beam_graph_pcoll *pcoll)
{
    char type[256];
    return json_pack("{s:o?, s:I, s:o?}", "id", beam_page_text(pcoll->entry.key), "producer",
                     (json_int_t)pcoll->producer, "type",
                     beam_page_text(beam_type_describe(pcoll->type, type, sizeof type)));
}

json_t *beam_page_graph(const beam_pipeline *p)
{
    json_t *graph = json_object(), *transforms = json_array(), *pcollections = json_array();
    int failed = 0;
    for (size_t i = 1; i < p->n_nodes; i++)
        failed |= json_array_append_new(transforms, transform(p, p->nodes[i]));
    for (size_t i = 1; i < p->n_pcolls; i++)
        failed |= json_array_append_new(pcollections, pcollection(p->pcolls[i]));
    failed |= json_object_set_new(graph, "transforms", transforms);
    failed |= json_object_set_new(graph, "pcollections", pcollections);
    return beam_page_whole(graph, failed);
}
