/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_reshuffle.c - Reshuffle, written out for engines that have none of their own:
 * elements are grouped by a number, with their timestamps and windows as data, so that the
 * grouping itself, in the global window, changes neither. */
#include <string.h>

#include "graph/library.h"
#include "graph/pipeline.h"
#include "model/urn.h"

enum { SHARDS = 1024 };

/* beam_window's layout, as a row. */
#define SAVED_WINDOW(FIELD, S) FIELD(S, beam_int64, start) FIELD(S, beam_int64, end)
BEAM_STRUCT(saved_window, SAVED_WINDOW);
BEAM_LIST(saved_windows, saved_window);
#define SAVED_INFO(FIELD, S) FIELD(S, beam_int64, timestamp) FIELD(S, saved_windows, windows)
BEAM_STRUCT(saved_info, SAVED_INFO);

_Static_assert(sizeof(saved_window) == sizeof(beam_window) &&
                   offsetof(saved_window, end) == offsetof(beam_window, end),
               "a list of windows can be read as a list of rows");

static const beam_type *const any_type[] = {NULL};

/* ---- T to KV<number, KV<T, info>> ------------------------------------------------------ */

static beam_status pair_setup(beam_ctx *ctx)
{
    const beam_type *out = beam_ctx_out_type(ctx, 0);
    BEAM_TRY(beam_made_setup(ctx));
    beam_made_field(beam_self(ctx, beam_made), 0, out->fields[1].offset,
                    &out->fields[1].type->fields[0]);
    return BEAM_OK;
}

static beam_status pair_process(beam_ctx *ctx, const void *element)
{
    beam_made *made = beam_self(ctx, beam_made);
    const beam_type *out = beam_ctx_out_type(ctx, 0);
    const beam_element_info *info = beam_info(ctx);
    const saved_info saved = {info->timestamp, {info->windows, info->n_windows}};
    const int64_t shard = (int64_t)(made->next++ % SHARDS);
    memcpy(made->values + out->fields[0].offset, &shard, sizeof shard);
    memcpy(made->values + out->fields[1].offset + out->fields[1].type->fields[1].offset, &saved,
           sizeof saved);
    return beam_made_process(ctx, element);
}

const beam_dofn beam_reshuffle_pair_fn = {.struct_size = sizeof(beam_dofn),
                                          .name = "beam:reshuffle_pair",
                                          .outs = any_type,
                                          .n_outs = 1,
                                          .state_size = sizeof(beam_made),
                                          .setup = pair_setup,
                                          .process = pair_process,
                                          .teardown = beam_made_teardown};

/* ---- And back -------------------------------------------------------------------------- */

static beam_status restore_process(beam_ctx *ctx, const void *element)
{
    const beam_field *values = &beam_ctx_in_type(ctx)->fields[1];
    const beam_type *pair = values->type->fields[0].type;
    beam_iter iter = beam_iterate_(
        (const beam_iterable *)(const void *)((const char *)element + values->offset), pair->size);
    const char *at;
    while ((at = beam_next_(&iter))) {
        saved_info saved;
        memcpy(&saved, at + pair->fields[1].offset, sizeof saved);
        const beam_element_info info = {.timestamp = saved.timestamp,
                                        .windows = saved.windows.at,
                                        .n_windows = (uint32_t)saved.windows.len,
                                        .pane = BEAM_PANE_NO_FIRING};
        BEAM_TRY(beam_emit_with(ctx, 0, at + pair->fields[0].offset, &info));
    }
    return iter.status;
}

const beam_dofn beam_reshuffle_restore_fn = {.struct_size = sizeof(beam_dofn),
                                             .name = "beam:reshuffle_restore",
                                             .outs = any_type,
                                             .n_outs = 1,
                                             .process = restore_process};

/* ---- Construction ---------------------------------------------------------------------- */

/* The last step gives elements windows of the original kind, though its input is in the
 * global one: its output says so. */
static beam_pcoll restore(beam_pcoll groups, const beam_call *call, const beam_type *type,
                          const beam_windowing *windowing)
{
    beam_pcoll out =
        beam_graph_map(groups, call, "Restore", &beam_reshuffle_restore_fn, NULL, type);
    beam_pipeline *p = groups.pipeline;
    const char *id = out.id ? beam_graph_windowing_id(p, call, windowing) : NULL;
    if (!id)
        return beam_no_pcoll(p);
    p->pcolls[out.id]->windowing = *windowing;
    p->pcolls[out.id]->proto.windowing_strategy_id = (char *)id;
    return out;
}

beam_pcoll beam_reshuffle_(beam_pcoll in, const beam_transform_args *args)
{
    const beam_call *call = BEAM_CALL(args, "Reshuffle");
    beam_pipeline *p = in.pipeline;
    if (!beam_graph_usable(in, call))
        return beam_no_pcoll(p);
    const beam_graph_pcoll *pcoll = beam_graph_pcoll_of(in);
    const beam_type *value = beam_graph_kv(p, call, pcoll->type, &saved_info_type);
    const beam_type *paired = beam_graph_kv(p, call, &beam_int64_type, value);
    if (!paired || !beam_graph_open(p, call, BEAM_URN_RESHUFFLE, (ProtobufCBinaryData){0, NULL}))
        return beam_no_pcoll(p);
    beam_pcoll at = beam_graph_map(in, call, "Pair", &beam_reshuffle_pair_fn, NULL, paired);
    at = beam_window_into(at, (beam_windowing){0});
    at = beam_group_by_key(at);
    at = restore(at, call, pcoll->type, &pcoll->windowing);
    beam_graph_close(p);
    return at;
}
