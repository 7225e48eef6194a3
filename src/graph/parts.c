/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* parts.c - what nodes share: coders, windowing strategies, types made for them, and the
 * checks on inputs that many transforms make. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/pipeline.h"
#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "type/layout.h"

const beam_graph_pcoll *beam_graph_pcoll_of(beam_pcoll pcoll)
{
    return pcoll.pipeline->pcolls[pcoll.id];
}

const beam_type *beam_pcoll_type(beam_pcoll pcoll)
{
    if (!pcoll.pipeline || pcoll.id == 0 || pcoll.id >= pcoll.pipeline->n_pcolls)
        return NULL;
    return beam_graph_pcoll_of(pcoll)->type;
}

beam_pcoll beam_output(beam_pcoll main_output, uint32_t index)
{
    const beam_call call = {NULL, 0, NULL, "beam_output", NULL};
    if (!beam_graph_usable(main_output, &call))
        return beam_no_pcoll(main_output.pipeline);
    const beam_pipeline *p = main_output.pipeline;
    const beam_graph_node *node = p->nodes[beam_graph_pcoll_of(main_output)->producer];
    if (index >= node->n_outs) {
        beam_graph_fail(main_output.pipeline, &call, BEAM_OUT_OF_RANGE,
                        "transform '%s' has %zu outputs, so there is no output %u",
                        node->proto.unique_name, node->n_outs, index);
        return beam_no_pcoll(main_output.pipeline);
    }
    return beam_graph_output(main_output.pipeline, node, index);
}

const char *beam_graph_coder(beam_pipeline *pipeline, const beam_call *call, const beam_type *type)
{
    beam_error err = {0};
    const char *id;
    if (pipeline->error.code != BEAM_OK)
        return NULL;
    if (beam_coder_set_type(&pipeline->coders, type, &id, &err) == BEAM_OK)
        return id;
    beam_graph_fail_with(pipeline, call, &err);
    return NULL;
}

/* The strategy of a windowing; all strategies run in the environment without hints. */
static beam_graph_windowing *new_windowing(beam_pipeline *p, const beam_windowing *windowing,
                                           beam_error *err)
{
    const beam_merged_hints none = {0};
    const char *coder, *environment = beam_graph_environment_id(p, &none);
    beam_graph_windowing *made = beam_arena_calloc(&p->arena, 1, sizeof *made);
    if (!environment || !made ||
        beam_grow((void **)&p->windowings, &p->windowings_capacity, p->n_windowings + 1,
                  sizeof *p->windowings)) {
        beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    made->windowing = *windowing;
    beam_pb__windowing_strategy_entry__init(&made->entry);
    made->entry.key = beam_arena_printf(&p->arena, "windowing_%zu", p->n_windowings);
    if (!made->entry.key) {
        beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    if (beam_coder_set_add(&p->coders, beam_window_coder_urn(windowing), NULL, 0, NULL, 0, &coder,
                           err) != BEAM_OK ||
        beam_windowing_to_proto(windowing, coder, environment, &p->arena, &made->entry.value,
                                err) != BEAM_OK)
        return NULL;
    p->windowings[p->n_windowings++] = made;
    return made;
}

const char *beam_graph_windowing_id(beam_pipeline *p, const beam_call *call,
                                    const beam_windowing *windowing)
{
    beam_error err = {0};
    for (size_t i = 0; i < p->n_windowings; i++)
        if (beam_windowing_equal(&p->windowings[i]->windowing, windowing))
            return p->windowings[i]->entry.key;
    const beam_graph_windowing *made = new_windowing(p, windowing, &err);
    if (made)
        return made->entry.key;
    beam_graph_fail_with(p, call, &err);
    return NULL;
}

const beam_type *beam_graph_kv(beam_pipeline *pipeline, const beam_call *call, const beam_type *key,
                               const beam_type *value)
{
    beam_error err = {0};
    const beam_type *kv;
    if (pipeline->error.code != BEAM_OK || !key || !value)
        return NULL;
    if (beam_type_make_kv(&pipeline->arena, key, value, &kv, &err) == BEAM_OK)
        return kv;
    beam_graph_fail_with(pipeline, call, &err);
    return NULL;
}

const beam_type *beam_graph_iterable(beam_pipeline *pipeline, const beam_call *call,
                                     const beam_type *element)
{
    beam_error err = {0};
    const beam_type *iterable;
    if (pipeline->error.code != BEAM_OK || !element)
        return NULL;
    if (beam_type_make_iterable(&pipeline->arena, element, &iterable, &err) == BEAM_OK)
        return iterable;
    beam_graph_fail_with(pipeline, call, &err);
    return NULL;
}

/* ---- Checks --------------------------------------------------------------------------- */

/* The part of a type that keeps it from being a key; NULL when nothing does. */
static const beam_type *unfit_part(const beam_type *type)
{
    if (type->kind == BEAM_KIND_ITERABLE || type->kind == BEAM_KIND_MAP)
        return type;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const beam_type *unfit = unfit_part(type->fields[i].type);
        if (unfit)
            return unfit;
    }
    return NULL;
}

bool beam_graph_needs_key(beam_pipeline *pipeline, const beam_call *call, const beam_type *type)
{
    char text[256], part[128];
    if (pipeline->error.code != BEAM_OK)
        return false;
    if (beam_type_is_deterministic(type))
        return true;
    const beam_type *unfit = unfit_part(type);
    beam_graph_fail(pipeline, call, BEAM_INVALID_ARGUMENT,
                    "%s cannot be a key: its coder is not deterministic, since equal values of "
                    "%s may be encoded to different bytes",
                    beam_type_describe(type, text, sizeof text),
                    beam_type_describe(unfit ? unfit : type, part, sizeof part));
    return false;
}

bool beam_graph_needs_kv(beam_pcoll in, const beam_call *call, bool key)
{
    char text[256];
    if (!beam_graph_usable(in, call))
        return false;
    const beam_graph_pcoll *pcoll = beam_graph_pcoll_of(in);
    const beam_type *type = pcoll->type;
    if (type->kind != BEAM_KIND_KV) {
        beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT,
                        "takes kv<K, V>, but its input, from '%s', is of %s",
                        in.pipeline->nodes[pcoll->producer]->proto.unique_name,
                        beam_type_describe(type, text, sizeof text));
        return false;
    }
    return !key || beam_graph_needs_key(in.pipeline, call, type->fields[0].type);
}
