/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pardo.c - ParDo: the checks on a DoFn, its input and side inputs, and its payload. */
#include <stdio.h>
#include <string.h>

#include "graph/pipeline.h"
#include "model/function.h"
#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"

/* ---- Views ---------------------------------------------------------------------------- */

beam_view beam_as_iterable(beam_pcoll pcoll)
{
    return (beam_view){pcoll, BEAM_SIDE_ITERABLE};
}

beam_view beam_as_singleton(beam_pcoll pcoll)
{
    return (beam_view){pcoll, BEAM_SIDE_SINGLETON};
}

beam_view beam_as_map(beam_pcoll kvs)
{
    return (beam_view){kvs, BEAM_SIDE_MAP};
}

beam_view beam_as_multimap(beam_pcoll kvs)
{
    return (beam_view){kvs, BEAM_SIDE_MULTIMAP};
}

static const char *view_name(beam_side_kind kind)
{
    static const char *const names[] = {"no view", "an iterable", "a singleton", "a map",
                                        "a multimap"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : names[0];
}

static bool is_map(beam_side_kind kind)
{
    return kind == BEAM_SIDE_MAP || kind == BEAM_SIDE_MULTIMAP;
}

/* ---- Checks --------------------------------------------------------------------------- */

static bool check_dofn(beam_pipeline *p, const beam_call *call, const beam_dofn *fn)
{
    if (!fn || fn->struct_size < sizeof(beam_dofn) || !fn->name || !*fn->name)
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "its DoFn is none: make it with BEAM_DOFN, which fills struct_size and "
                        "name");
    else if (!fn->process && !fn->process_batch && !fn->splittable)
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "DoFn '%s' has neither process nor process_batch", fn->name);
    else if (fn->splittable && (!fn->splittable->restriction || !fn->splittable->tracker ||
                                !fn->splittable->initial_restriction || !fn->splittable->process))
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "splittable DoFn '%s' lacks a restriction type, tracker, "
                        "initial_restriction or process",
                        fn->name);
    return p->error.code == BEAM_OK;
}

static bool check_input(beam_pcoll in, const beam_call *call, const beam_dofn *fn)
{
    char takes[256], gives[256];
    const beam_graph_pcoll *pcoll = beam_graph_pcoll_of(in);
    if (!fn->in || beam_type_equal(fn->in, pcoll->type))
        return true;
    beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT,
                    "DoFn '%s' takes %s, but its input, from '%s', is of %s", fn->name,
                    beam_type_describe(fn->in, takes, sizeof takes),
                    in.pipeline->nodes[pcoll->producer]->proto.unique_name,
                    beam_type_describe(pcoll->type, gives, sizeof gives));
    return false;
}

static bool check_side(beam_pipeline *p, const beam_call *call, const beam_dofn *fn, size_t i,
                       const beam_view *view)
{
    char takes[256], gives[256];
    const beam_side_spec *spec = &fn->sides[i];
    if (!beam_graph_usable_too(view->of, p, call))
        return false;
    const beam_graph_pcoll *pcoll = beam_graph_pcoll_of(view->of);
    if (view->kind != spec->kind) {
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "DoFn '%s' takes its side input %zu as %s, not as %s", fn->name, i,
                        view_name(spec->kind), view_name(view->kind));
        return false;
    }
    if (spec->type && !beam_type_equal(spec->type, pcoll->type)) {
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "DoFn '%s' takes a side input %zu of %s, but '%s' is of %s", fn->name, i,
                        beam_type_describe(spec->type, takes, sizeof takes),
                        p->nodes[pcoll->producer]->proto.unique_name,
                        beam_type_describe(pcoll->type, gives, sizeof gives));
        return false;
    }
    return !is_map(view->kind) || beam_graph_needs_kv(view->of, call, true);
}

static bool check_side_windows(beam_pcoll in, const beam_call *call, const beam_view *sides,
                               size_t i)
{
    char name[32];
    if (beam_windowing_sides(&beam_graph_pcoll_of(in)->windowing,
                             &beam_graph_pcoll_of(sides[i].of)->windowing))
        return true;
    snprintf(name, sizeof name, BEAM_LOCAL_SIDE "%zu", i);
    beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT, BEAM_NO_SIDE_WINDOW, name);
    return false;
}

static bool check_sides(beam_pcoll in, const beam_call *call, const beam_pardo_args *args)
{
    beam_pipeline *p = in.pipeline;
    if (args->n_sides > args->fn->n_sides ||
        args->n_sides < args->fn->n_sides - args->fn->n_optional_sides) {
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "DoFn '%s' takes %zu side inputs, but is given %zu", args->fn->name,
                        args->fn->n_sides, args->n_sides);
        return false;
    }
    for (size_t i = 0; i < args->n_sides; i++)
        if (!check_side(p, call, args->fn, i, &args->sides[i]) ||
            !check_side_windows(in, call, args->sides, i))
            return false;
    return true;
}

/* ---- Payload -------------------------------------------------------------------------- */

static const char *view_urn(beam_side_kind kind)
{
    switch (kind) {
    case BEAM_SIDE_SINGLETON:
        return BEAM_URN_VIEW_SINGLETON;
    case BEAM_SIDE_MAP:
        return BEAM_URN_VIEW_MAP;
    case BEAM_SIDE_MULTIMAP:
        return BEAM_URN_VIEW_MULTIMAP;
    default:
        return BEAM_URN_VIEW_ITERABLE;
    }
}

/* A spec that is a URN alone; NULL when memory is out. */
static BeamPb__FunctionSpec *spec_of(beam_pipeline *p, const char *urn)
{
    BeamPb__FunctionSpec *spec = beam_message_new(&beam_pb__function_spec__descriptor, &p->arena);
    if (spec)
        spec->urn = (char *)urn;
    return spec;
}

static BeamPb__SideInputEntry *side_entry(beam_pipeline *p, size_t i, beam_side_kind kind)
{
    BeamPb__SideInputEntry *entry =
        beam_message_new(&beam_pb__side_input_entry__descriptor, &p->arena);
    BeamPb__SideInput *side = beam_message_new(&beam_pb__side_input__descriptor, &p->arena);
    if (!entry || !side)
        return NULL;
    entry->key = beam_arena_printf(&p->arena, BEAM_LOCAL_SIDE "%zu", i);
    entry->value = side;
    side->access_pattern =
        spec_of(p, is_map(kind) ? BEAM_URN_SIDE_INPUT_MULTIMAP : BEAM_URN_SIDE_INPUT_ITERABLE);
    side->view_fn = spec_of(p, view_urn(kind));
    side->window_mapping_fn = spec_of(p, BEAM_URN_WINDOW_MAPPING);
    return entry->key && side->access_pattern && side->view_fn && side->window_mapping_fn ? entry
                                                                                          : NULL;
}

static bool make_payload(beam_pipeline *p, const beam_call *call, const beam_pardo_args *args,
                         ProtobufCBinaryData *payload)
{
    BeamPb__ParDoPayload message = BEAM_PB__PAR_DO_PAYLOAD__INIT;
    beam_error err = {0};
    if (beam_registry_add_dofn(&p->registry, args->fn, &err) != BEAM_OK ||
        beam_dofn_to_proto(args->fn, args->config, &p->arena, &message.do_fn, &err) != BEAM_OK) {
        beam_graph_fail_with(p, call, &err);
        return false;
    }
    if (args->fn->splittable) {
        message.restriction_coder_id =
            (char *)beam_graph_coder(p, call, args->fn->splittable->restriction);
        if (!message.restriction_coder_id)
            return false;
        p->has_splittable = true;
    }
    message.requests_finalization = args->fn->finalizes;
    p->has_finalizer |= args->fn->finalizes;
    BeamPb__SideInputEntry **sides = beam_arena_calloc(&p->arena, args->n_sides, sizeof(void *));
    bool made = sides != NULL;
    for (size_t i = 0; made && i < args->n_sides; i++)
        made = (sides[i] = side_entry(p, i, args->sides[i].kind)) != NULL;
    message.side_inputs = sides;
    message.n_side_inputs = args->n_sides;
    if (made && beam_message_pack_arena(&message, &p->arena, payload) == BEAM_OK)
        return true;
    beam_graph_no_memory(p, call);
    return false;
}

/* ---- ParDo ---------------------------------------------------------------------------- */

beam_pcoll beam_graph_pardo(beam_pcoll in, const beam_call *call, const beam_pardo_args *args,
                            const beam_type *const *outs)
{
    beam_pipeline *p = in.pipeline;
    const beam_dofn *fn = args->fn;
    ProtobufCBinaryData payload;
    if (!beam_graph_usable(in, call) || !check_dofn(p, call, fn) || !check_input(in, call, fn) ||
        !check_sides(in, call, args) || !make_payload(p, call, args, &payload))
        return beam_no_pcoll(p);
    const beam_graph_pcoll *pcoll = beam_graph_pcoll_of(in);
    const beam_type **types = beam_arena_calloc(&p->arena, fn->n_outs, sizeof *types);
    if (!types) {
        beam_graph_no_memory(p, call);
        return beam_no_pcoll(p);
    }
    for (size_t i = 0; i < fn->n_outs; i++)
        types[i] = fn->outs[i] ? fn->outs[i] : outs ? outs[i] : pcoll->type;
    const beam_node_args node = {.urn = BEAM_URN_PARDO,
                                 .payload = payload,
                                 .ins = &in,
                                 .n_ins = 1,
                                 .sides = args->sides,
                                 .n_sides = args->n_sides,
                                 .outs = types,
                                 .n_outs = fn->n_outs,
                                 .windowing = &pcoll->windowing,
                                 .in_environment = true,
                                 .fn_name = fn->name,
                                 .batches = fn->batches};
    return beam_graph_output(p, beam_graph_add(p, call, &node), 0);
}

beam_pcoll beam_pardo_(beam_pcoll in, const beam_pardo_args *args)
{
    const char *fn_name = args->fn && args->fn->name ? args->fn->name : "ParDo";
    const beam_call call = {args->file, args->line, args->name, fn_name, &args->hints};
    return beam_graph_pardo(in, &call, args, NULL);
}

beam_pcoll beam_graph_map(beam_pcoll in, const beam_call *call, const char *name,
                          const beam_dofn *fn, const void *config, const beam_type *out)
{
    const beam_call named = {call->file, call->line, name, name, NULL};
    const beam_pardo_args args = {.struct_size = sizeof args, .fn = fn, .config = config};
    return out ? beam_graph_pardo(in, &named, &args, &out) : beam_no_pcoll(in.pipeline);
}

void beam_partition_(beam_pcoll in, beam_pcoll *outs, size_t n, const beam_partition_args *args)
{
    const char *fn_name = args->fn && args->fn->name ? args->fn->name : "Partition";
    const beam_call *call = BEAM_CALL(args, fn_name);
    for (size_t i = 0; i < n; i++)
        outs[i] = beam_no_pcoll(in.pipeline);
    if (!beam_graph_usable(in, call) || !check_dofn(in.pipeline, call, args->fn))
        return;
    const beam_type *type = beam_graph_pcoll_of(in)->type;
    bool fits = args->fn->n_outs == n;
    for (size_t i = 0; fits && i < n; i++)
        fits = !args->fn->outs[i] || beam_type_equal(args->fn->outs[i], type);
    if (!fits) {
        char text[256];
        beam_graph_fail(in.pipeline, call, BEAM_INVALID_ARGUMENT,
                        "a partition into %zu parts wants a DoFn with %zu outputs, all of its "
                        "input's type, %s",
                        n, n, beam_type_describe(type, text, sizeof text));
        return;
    }
    const beam_pardo_args pardo = {
        .struct_size = sizeof pardo, .fn = args->fn, .config = args->config};
    beam_pcoll first = beam_graph_pardo(in, call, &pardo, NULL);
    for (size_t i = 0; i < n && first.id; i++)
        outs[i] = beam_output(first, (uint32_t)i);
}
