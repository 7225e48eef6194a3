/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dot.c - the graph in Graphviz' language: composites are boxes around their parts, edges say
 * what type travels, side inputs are dashed. */
#include <string.h>

#include "base/buffer.h"
#include "graph/pipeline.h"
#include "model/urn.h"

/* Text between double quotes. */
static beam_status quoted(beam_buffer *out, const char *text)
{
    BEAM_TRY(beam_buffer_append(out, "\"", 1));
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            BEAM_TRY(beam_buffer_append(out, "\\", 1));
        BEAM_TRY(beam_buffer_append(out, *text == '\n' ? " " : text, 1));
    }
    return beam_buffer_append(out, "\"", 1);
}

static beam_status indent(beam_buffer *out, unsigned depth)
{
    return beam_buffer_printf(out, "%*s", (int)(2 * depth), "");
}

/* Composites nest as deep as the program nested them. */
static beam_status parts(const beam_pipeline *p, uint32_t composite, unsigned depth,
                         beam_buffer *out)
{
    for (size_t i = composite + 1; i < p->n_nodes; i++) {
        const beam_graph_node *node = p->nodes[i];
        if (node->parent != composite)
            continue;
        BEAM_TRY(indent(out, depth));
        if (!node->composite) {
            BEAM_TRY(beam_buffer_printf(out, "n%u [label=", node->index));
            BEAM_TRY(quoted(out, node->local_name));
            BEAM_TRY(beam_buffer_printf(out, ", tooltip="));
            BEAM_TRY(quoted(out, node->fn_name ? node->fn_name : node->proto.spec->urn));
            BEAM_TRY(beam_buffer_printf(out, "];\n"));
            continue;
        }
        BEAM_TRY(beam_buffer_printf(out, "subgraph cluster_%u {\n", node->index));
        BEAM_TRY(indent(out, depth + 1));
        BEAM_TRY(beam_buffer_printf(out, "label="));
        BEAM_TRY(quoted(out, node->local_name));
        BEAM_TRY(beam_buffer_printf(out, ";\n"));
        BEAM_TRY(parts(p, node->index, depth + 1, out));
        BEAM_TRY(indent(out, depth));
        BEAM_TRY(beam_buffer_printf(out, "}\n"));
    }
    return BEAM_OK;
}

static beam_status edges(const beam_pipeline *p, const beam_graph_node *node, beam_buffer *out)
{
    char text[256];
    for (size_t i = 0; i < node->n_ins; i++) {
        const beam_graph_pcoll *in = p->pcolls[node->ins[i]];
        bool side =
            strncmp(node->proto.inputs[i]->key, BEAM_LOCAL_SIDE, strlen(BEAM_LOCAL_SIDE)) == 0;
        BEAM_TRY(beam_buffer_printf(out, "  n%u -> n%u [label=", in->producer, node->index));
        BEAM_TRY(quoted(out, beam_type_describe(in->type, text, sizeof text)));
        BEAM_TRY(beam_buffer_printf(out, "%s];\n", side ? ", style=dashed" : ""));
    }
    return BEAM_OK;
}

static beam_status draw(const beam_pipeline *p, beam_buffer *out)
{
    BEAM_TRY(beam_buffer_printf(out, "digraph "));
    BEAM_TRY(quoted(out, p->name));
    BEAM_TRY(beam_buffer_printf(out, " {\n  node [shape=box, style=rounded];\n"));
    BEAM_TRY(parts(p, 0, 1, out));
    for (size_t i = 1; i < p->n_nodes; i++)
        BEAM_TRY(edges(p, p->nodes[i], out));
    BEAM_TRY(beam_buffer_printf(out, "}\n"));
    return beam_buffer_u8(out, 0);
}

beam_status beam_pipeline_to_dot(beam_pipeline *pipeline, char **dot, beam_error *err)
{
    beam_buffer out = {0};
    *dot = NULL;
    BEAM_TRY(beam_pipeline_status(pipeline, err));
    beam_status status = draw(pipeline, &out);
    if (status != BEAM_OK) {
        beam_buffer_free(&out);
        return beam_error_set(err, status, "no memory to draw the pipeline");
    }
    *dot = (char *)out.data;
    return BEAM_OK;
}
