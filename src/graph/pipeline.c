/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - a pipeline's life, its first error, its composites and names. */
#include "graph/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/urn.h"

static const char out_of_memory[] = "out of memory";

/* ---- Life ----------------------------------------------------------------------------- */

static beam_status start(beam_pipeline *p, const beam_pipeline_options *options)
{
    const char *name = options && options->name && *options->name ? options->name : "pipeline";
    p->coders.arena = &p->arena;
    p->logger = options ? options->logger : NULL;
    p->name = beam_arena_strdup(&p->arena, name);
    beam_graph_node *root = beam_arena_calloc(&p->arena, 1, sizeof *root);
    if (!p->name || !root ||
        beam_grow((void **)&p->nodes, &p->nodes_capacity, 1, sizeof *p->nodes) ||
        beam_grow((void **)&p->pcolls, &p->pcolls_capacity, 1, sizeof *p->pcolls))
        return BEAM_RESOURCE_EXHAUSTED;
    root->composite = true;
    beam_pb__ptransform__init(&root->proto);
    p->nodes[p->n_nodes++] = root;
    p->pcolls[p->n_pcolls++] = NULL;
    if (options) {
        beam_error err = {0};
        if (beam_hints_merge(&root->hints, &options->hints, &p->arena, &err) != BEAM_OK)
            beam_graph_fail_with(p, NULL, &err);
    }
    return BEAM_OK;
}

beam_pipeline *beam_pipeline_new(const beam_pipeline_options *options)
{
    beam_pipeline *p = beam_calloc(1, sizeof *p);
    if (p && start(p, options) != BEAM_OK) {
        beam_pipeline_free(p);
        return NULL;
    }
    return p;
}

void beam_pipeline_free(beam_pipeline *p)
{
    if (!p)
        return;
    beam_coder_set_free(&p->coders);
    beam_registry_free(&p->registry);
    beam_map_free(&p->names);
    beam_free(p->nodes);
    beam_free(p->pcolls);
    beam_free(p->windowings);
    beam_free(p->environments);
    beam_arena_free(&p->arena);
    beam_free(p);
}

const beam_registry *beam_pipeline_registry(const beam_pipeline *pipeline)
{
    return &pipeline->registry;
}

void beam_release(void *memory)
{
    beam_free(memory);
}

/* ---- Failing -------------------------------------------------------------------------- */

beam_status beam_pipeline_status(const beam_pipeline *pipeline, beam_error *err)
{
    if (!pipeline)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "there is no pipeline");
    if (err && pipeline->error.code != BEAM_OK)
        *err = pipeline->error;
    return pipeline->error.code;
}

/* "file:line: transform 'Scope/Name': " before the words; what is not known is left out. */
static void keep(beam_pipeline *p, const beam_call *call, beam_status code, const char *words)
{
    if (p->error.code != BEAM_OK)
        return;
    const char *file = p->calls ? p->file : call ? call->file : NULL;
    int line = p->calls ? p->line : call ? call->line : 0;
    const char *scope = p->n_nodes > p->scope ? p->nodes[p->scope]->proto.unique_name : "";
    const char *name = !call ? "" : call->name && *call->name ? call->name : call->default_name;
    char place[512] = "", transform[512] = "";
    if (file)
        snprintf(place, sizeof place, "%s:%d: ", file, line);
    if (*scope || *name)
        snprintf(transform, sizeof transform, "transform '%s%s%s': ", scope,
                 *scope && *name ? "/" : "", name);
    beam_error_set(&p->error, code, "%s%s%s", place, transform, words);
}

void beam_graph_fail(beam_pipeline *pipeline, const beam_call *call, beam_status code,
                     const char *format, ...)
{
    char words[BEAM_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    keep(pipeline, call, code, words);
}

void beam_graph_fail_with(beam_pipeline *pipeline, const beam_call *call, const beam_error *err)
{
    keep(pipeline, call, err->code, err->message);
}

void beam_graph_no_memory(beam_pipeline *pipeline, const beam_call *call)
{
    keep(pipeline, call, BEAM_RESOURCE_EXHAUSTED, out_of_memory);
}

beam_status beam_pipeline_fail(beam_pipeline *pipeline, beam_status code, const char *format, ...)
{
    char words[BEAM_ERROR_MESSAGE_SIZE];
    if (!pipeline)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    keep(pipeline, NULL, code == BEAM_OK ? BEAM_UNKNOWN : code, words);
    return pipeline->error.code;
}

bool beam_graph_usable(beam_pcoll in, const beam_call *call)
{
    if (!in.pipeline || in.pipeline->error.code != BEAM_OK)
        return false;
    if (in.id == 0 || in.id >= in.pipeline->n_pcolls) {
        beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT,
                        "its input is no PCollection (a transform without outputs gives none)");
        return false;
    }
    return true;
}

bool beam_graph_usable_too(beam_pcoll in, const beam_pipeline *pipeline, const beam_call *call)
{
    if (in.pipeline == pipeline)
        return beam_graph_usable(in, call);
    beam_graph_fail((beam_pipeline *)pipeline, call, BEAM_INVALID_ARGUMENT,
                    in.pipeline ? "an input belongs to another pipeline"
                                : "an input is no PCollection");
    return false;
}

/* ---- Composites and names ------------------------------------------------------------- */

/* What a part of the open composite is called in full. NULL: out of memory. */
static char *full_name(beam_pipeline *p, const char *local_name)
{
    const char *scope = p->nodes[p->scope]->proto.unique_name;
    return *scope ? beam_arena_printf(&p->arena, "%s/%s", scope, local_name)
                  : beam_arena_strdup(&p->arena, local_name);
}

/* Calls the node `name`, or name_2, name_3, ... where the pipeline has that already: slashes in
 * names may make those of two scopes the same.  What is remembered of each name is the last number
 * behind it, so that thousands of equal ones take no search each. */
static bool name_node(beam_pipeline *p, beam_graph_node *node, const char *name)
{
    char *first = full_name(p, name), *full = first;
    node->local_name = beam_arena_strdup(&p->arena, name);
    uintptr_t number = first ? (uintptr_t)beam_map_get(&p->names, first) : 0;
    while (full && node->local_name && beam_map_has(&p->names, full)) {
        node->local_name = beam_arena_printf(&p->arena, "%s_%zu", name, (size_t)++number);
        full = node->local_name ? full_name(p, node->local_name) : NULL;
    }
    if (!full || !node->local_name)
        return false;
    node->proto.unique_name = full;
    return beam_map_set(&p->names, full, (void *)(uintptr_t)1) == BEAM_OK &&
           (full == first || beam_map_set(&p->names, first, (void *)number) == BEAM_OK);
}

/* A new part of the open composite, named, hinted, without inputs and outputs. */
static beam_graph_node *new_node(beam_pipeline *p, const beam_call *call)
{
    const char *name = call->name && *call->name ? call->name : call->default_name;
    beam_graph_node *node = beam_arena_calloc(&p->arena, 1, sizeof *node);
    BeamPb__FunctionSpec *spec = beam_message_new(&beam_pb__function_spec__descriptor, &p->arena);
    if (!node || !spec ||
        beam_grow((void **)&p->nodes, &p->nodes_capacity, p->n_nodes + 1, sizeof *p->nodes)) {
        beam_graph_no_memory(p, call);
        return NULL;
    }
    node->index = (uint32_t)p->n_nodes;
    node->parent = p->scope;
    node->hints = p->nodes[p->scope]->hints;
    beam_pb__ptransform__init(&node->proto);
    beam_pb__transform_entry__init(&node->entry);
    node->entry.value = &node->proto;
    node->entry.key = beam_arena_printf(&p->arena, "transform_%u", node->index);
    node->proto.spec = spec;
    beam_error err = {0};
    if (!node->entry.key || !name_node(p, node, name)) {
        beam_graph_no_memory(p, call);
        return NULL;
    }
    if (call->hints && beam_hints_merge(&node->hints, call->hints, &p->arena, &err) != BEAM_OK) {
        beam_graph_fail_with(p, call, &err);
        return NULL;
    }
    p->nodes[p->n_nodes++] = node;
    return node;
}

static bool open_composite(beam_pipeline *p, const beam_call *call, const char *urn,
                           ProtobufCBinaryData payload, bool is_call)
{
    if (!p || p->error.code != BEAM_OK)
        return false;
    beam_graph_node *node = new_node(p, call);
    if (!node)
        return false;
    node->composite = true;
    node->is_call = is_call;
    if (urn) {
        node->proto.spec->urn = (char *)urn;
        node->proto.spec->payload = payload;
    } else {
        node->proto.spec = NULL;
    }
    if (is_call && p->calls++ == 0) {
        p->file = call->file ? beam_arena_strdup(&p->arena, call->file) : NULL;
        p->line = call->line;
    }
    p->scope = node->index;
    return true;
}

bool beam_graph_open(beam_pipeline *pipeline, const beam_call *call, const char *urn,
                     ProtobufCBinaryData payload)
{
    return open_composite(pipeline, call, urn, payload, true);
}

/* Composites stay balanced after an error too: the scope is where it was. */
void beam_graph_close(beam_pipeline *p)
{
    const beam_graph_node *node = p->nodes[p->scope];
    if (node->is_call)
        p->calls--;
    p->scope = node->parent;
}

void beam_composite_begin(beam_pipeline *pipeline, const char *name, const beam_hints *hints)
{
    const beam_call call = {NULL, 0, name, "Composite", hints};
    open_composite(pipeline, &call, NULL, (ProtobufCBinaryData){0, NULL}, false);
}

void beam_composite_begin_at(beam_pipeline *pipeline, const char *name, const beam_hints *hints,
                             const char *file, int line)
{
    const beam_call call = {file, line, name, "Composite", hints};
    open_composite(pipeline, &call, NULL, (ProtobufCBinaryData){0, NULL}, true);
}

void beam_composite_end(beam_pipeline *pipeline)
{
    if (!pipeline || pipeline->error.code != BEAM_OK)
        return;
    if (pipeline->scope == 0) {
        beam_pipeline_fail(pipeline, BEAM_FAILED_PRECONDITION,
                           "beam_composite_end without a beam_composite_begin");
        return;
    }
    beam_graph_close(pipeline);
}

/* ---- Nodes ---------------------------------------------------------------------------- */

static const char *input_name(beam_pipeline *p, const beam_node_args *args, size_t i)
{
    if (i >= args->n_ins)
        return beam_arena_printf(&p->arena, BEAM_LOCAL_SIDE "%zu", i - args->n_ins);
    if (args->n_ins == 1)
        return BEAM_LOCAL_INPUT;
    return beam_arena_printf(&p->arena, BEAM_LOCAL_INPUT "%zu", i);
}

static bool connect_inputs(beam_pipeline *p, beam_graph_node *node, const beam_node_args *args)
{
    size_t n = args->n_ins + args->n_sides;
    uint32_t *ins = beam_arena_calloc(&p->arena, n, sizeof *ins);
    BeamPb__StringEntry **entries = beam_arena_calloc(&p->arena, n, sizeof(void *));
    if (!ins || !entries)
        return false;
    for (size_t i = 0; i < n; i++) {
        ins[i] = i < args->n_ins ? args->ins[i].id : args->sides[i - args->n_ins].of.id;
        entries[i] = beam_message_new(&beam_pb__string_entry__descriptor, &p->arena);
        if (!entries[i])
            return false;
        entries[i]->key = (char *)input_name(p, args, i);
        entries[i]->value = p->pcolls[ins[i]]->entry.key;
        if (!entries[i]->key)
            return false;
    }
    node->ins = ins;
    node->n_ins = n;
    node->proto.inputs = entries;
    node->proto.n_inputs = n;
    return true;
}

/* A new PCollection, the output `index` of a node. NULL after an error. */
static beam_graph_pcoll *new_pcoll(beam_pipeline *p, const beam_call *call,
                                   const beam_graph_node *node, uint32_t index,
                                   const beam_type *type, const beam_windowing *windowing)
{
    const char *coder = beam_graph_coder(p, call, type);
    const char *strategy = coder ? beam_graph_windowing_id(p, call, windowing) : NULL;
    if (!strategy)
        return NULL;
    beam_graph_pcoll *pcoll = beam_arena_calloc(&p->arena, 1, sizeof *pcoll);
    if (!pcoll ||
        beam_grow((void **)&p->pcolls, &p->pcolls_capacity, p->n_pcolls + 1, sizeof *p->pcolls)) {
        beam_graph_no_memory(p, call);
        return NULL;
    }
    pcoll->type = type;
    pcoll->windowing = *windowing;
    pcoll->producer = node->index;
    pcoll->output = index;
    beam_pb__pcollection__init(&pcoll->proto);
    beam_pb__pcollection_entry__init(&pcoll->entry);
    pcoll->entry.key = beam_arena_printf(&p->arena, "pcollection_%zu", p->n_pcolls);
    pcoll->entry.value = &pcoll->proto;
    pcoll->proto.unique_name =
        beam_arena_printf(&p->arena, "%s." BEAM_LOCAL_OUTPUT "%u", node->proto.unique_name, index);
    pcoll->proto.coder_id = (char *)coder;
    pcoll->proto.windowing_strategy_id = (char *)strategy;
    pcoll->proto.is_bounded = BEAM_PB__IS_BOUNDED__ENUM__BOUNDED;
    if (!pcoll->entry.key || !pcoll->proto.unique_name) {
        beam_graph_no_memory(p, call);
        return NULL;
    }
    p->pcolls[p->n_pcolls++] = pcoll;
    return pcoll;
}

static bool connect_outputs(beam_pipeline *p, const beam_call *call, beam_graph_node *node,
                            const beam_node_args *args)
{
    uint32_t *outs = beam_arena_calloc(&p->arena, args->n_outs, sizeof *outs);
    BeamPb__StringEntry **entries = beam_arena_calloc(&p->arena, args->n_outs, sizeof(void *));
    bool made = outs && entries;
    for (size_t i = 0; made && i < args->n_outs; i++) {
        outs[i] = (uint32_t)p->n_pcolls;
        const beam_graph_pcoll *out =
            new_pcoll(p, call, node, (uint32_t)i, args->outs[i], args->windowing);
        if (!out)
            return false;
        entries[i] = beam_message_new(&beam_pb__string_entry__descriptor, &p->arena);
        made = entries[i] != NULL;
        if (made) {
            entries[i]->key = beam_arena_printf(&p->arena, BEAM_LOCAL_OUTPUT "%zu", i);
            entries[i]->value = out->entry.key;
            made = entries[i]->key != NULL;
        }
    }
    if (!made) {
        beam_graph_no_memory(p, call);
        return false;
    }
    node->outs = outs;
    node->n_outs = args->n_outs;
    node->proto.outputs = entries;
    node->proto.n_outputs = args->n_outs;
    return true;
}

static bool annotate(beam_pipeline *p, beam_graph_node *node, const char *urn)
{
    BeamPb__BytesEntry **list = beam_arena_calloc(&p->arena, 1, sizeof *list);
    if (!list || !(list[0] = beam_message_new(&beam_pb__bytes_entry__descriptor, &p->arena)))
        return false;
    list[0]->key = (char *)urn;
    node->proto.annotations = list;
    node->proto.n_annotations = 1;
    return true;
}

const beam_graph_node *beam_graph_add(beam_pipeline *p, const beam_call *call,
                                      const beam_node_args *args)
{
    if (!p || p->error.code != BEAM_OK)
        return NULL;
    beam_graph_node *node = new_node(p, call);
    if (!node)
        return NULL;
    node->proto.spec->urn = (char *)args->urn;
    node->proto.spec->payload = args->payload;
    node->fn_name = args->fn_name;
    if (args->in_environment) {
        node->proto.environment_id = (char *)beam_graph_environment_id(p, &node->hints);
        if (!node->proto.environment_id) {
            beam_graph_no_memory(p, call);
            return NULL;
        }
    }
    if (!connect_inputs(p, node, args) ||
        (args->batches && !annotate(p, node, BEAM_URN_ANNOTATION_BATCHES))) {
        beam_graph_no_memory(p, call);
        return NULL;
    }
    return connect_outputs(p, call, node, args) ? node : NULL;
}

beam_pcoll beam_graph_output(beam_pipeline *pipeline, const beam_graph_node *node, uint32_t index)
{
    return (beam_pcoll){pipeline, node && index < node->n_outs ? node->outs[index] : 0};
}
