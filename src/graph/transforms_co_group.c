/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* transforms_co_group.c - CoGroupByKey: values of all inputs travel as one union type, a row
 * {tag, list<V0>, list<V1>, ...} whose list `tag` holds the value and whose others are empty,
 * through one GroupByKey.  What comes out reads the group anew for each input and passes over
 * the values of the others, so a group larger than memory stays where it is. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "type/layout.h"

static const beam_type *const any_type[] = {NULL};

/* ---- KV<K, Vi> to KV<K, union> -------------------------------------------------------- */

static beam_status tag_setup(beam_ctx *ctx)
{
    beam_made *made = beam_self(ctx, beam_made);
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    const beam_int64 tag = beam_config(ctx, beam_tag_config)->tag;
    if (tag < 0 || tag >= (beam_int64)out->fields[1].type->n_fields - 1)
        return beam_fail(ctx, BEAM_DATA_LOSS, "no input %" PRId64 " in its union", tag);
    BEAM_TRY(beam_made_setup(ctx));
    beam_made_field(made, in->fields[0].offset, 0, &out->fields[0]);
    memcpy(made->values + out->fields[1].offset + out->fields[1].type->fields[0].offset, &tag,
           sizeof tag);
    return BEAM_OK;
}

static beam_status tag_process(beam_ctx *ctx, const void *element)
{
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    const beam_field *slot =
        &out->fields[1].type->fields[beam_config(ctx, beam_tag_config)->tag + 1];
    const beam_list one = {(const char *)element + in->fields[1].offset, 1};
    char *row = beam_self(ctx, beam_made)->values + out->fields[1].offset;
    memcpy(row + slot->offset, &one, sizeof one);
    return beam_made_process(ctx, element);
}

const beam_dofn beam_tag_fn = {.struct_size = sizeof(beam_dofn),
                               .name = "beam:tag",
                               .outs = any_type,
                               .n_outs = 1,
                               .config = &beam_tag_config_type,
                               .state_size = sizeof(beam_made),
                               .setup = tag_setup,
                               .process = tag_process,
                               .teardown = beam_made_teardown};

/* ---- KV<K, iterable<union>> to KV<K, row of iterables> --------------------------------- */

/* The values of one input within a group. */
typedef struct side_of_group {
    beam_ctx *ctx;
    beam_iterable group;
    size_t stride, offset; /* of the union, and of the input's list in it */
} side_of_group;

static void side_start(beam_iter *iter)
{
    const side_of_group *side = iter->iterable.source;
    beam_iter *inner = beam_alloc(side->ctx, sizeof *inner);
    if (inner)
        *inner = beam_iterate_(&side->group, side->stride);
    else
        iter->status = BEAM_RESOURCE_EXHAUSTED;
    iter->cursor[0] = inner;
}

/* The next value is the list of the next union that has one. */
static void side_refill(beam_iter *iter)
{
    const side_of_group *side = iter->iterable.source;
    beam_iter *inner = iter->cursor[0];
    const char *value;
    beam_list list;
    iter->at = iter->end = NULL;
    while (inner && (value = beam_next_(inner))) {
        memcpy(&list, value + side->offset, sizeof list);
        if (list.len) {
            iter->at = list.at;
            iter->end = iter->at + list.len * iter->stride;
            return;
        }
    }
    if (inner)
        iter->status = inner->status;
}

static const beam_iterable_ops side_ops = {side_start, side_refill};

/* How many values each input has: readers of a result like to know. */
static beam_status count_sides(const beam_iterable *group, const beam_type *row, uint64_t *counts)
{
    beam_iter iter = beam_iterate_(group, row->size);
    const char *value;
    while ((value = beam_next_(&iter))) {
        beam_int64 tag;
        memcpy(&tag, value + row->fields[0].offset, sizeof tag);
        if (tag < 0 || tag >= (int64_t)row->n_fields - 1)
            return BEAM_DATA_LOSS;
        counts[tag]++;
    }
    return iter.status;
}

static beam_status co_group_process(beam_ctx *ctx, const void *element)
{
    const beam_type *in = beam_ctx_in_type(ctx), *out = beam_ctx_out_type(ctx, 0);
    const beam_type *row = in->fields[1].type->fields[0].type, *result = out->fields[1].type;
    const uint32_t n = result->n_fields;
    beam_iterable group;
    memcpy(&group, (const char *)element + in->fields[1].offset, sizeof group);
    uint64_t *counts = beam_alloc(ctx, n * sizeof *counts);
    side_of_group *sides = beam_alloc(ctx, n * sizeof *sides);
    char *kv = beam_alloc(ctx, out->size);
    if (!counts || !sides || !kv)
        return BEAM_RESOURCE_EXHAUSTED;
    memset(counts, 0, n * sizeof *counts);
    memset(kv, 0, out->size);
    BEAM_TRY(count_sides(&group, row, counts));
    memcpy(kv + out->fields[0].offset, (const char *)element + in->fields[0].offset,
           in->fields[0].type->size);
    for (uint32_t i = 0; i < n; i++) {
        sides[i] = (side_of_group){ctx, group, row->size, row->fields[i + 1].offset};
        const beam_iterable values = {&side_ops, &sides[i], counts[i]};
        memcpy(kv + out->fields[1].offset + result->fields[i].offset, &values, sizeof values);
    }
    return beam_emit_element(ctx, 0, kv);
}

const beam_dofn beam_co_group_fn = {.struct_size = sizeof(beam_dofn),
                                    .name = "beam:co_group",
                                    .outs = any_type,
                                    .n_outs = 1,
                                    .process = co_group_process};

/* ---- Construction ---------------------------------------------------------------------- */

/* The result's type fits the inputs: KV<K, row{iterable<V0>, iterable<V1>, ...}>. */
static bool check_result(const beam_pcoll *kvs, size_t n, const beam_call *call,
                         const beam_type *type)
{
    char result[256], gives[256];
    beam_pipeline *p = kvs[0].pipeline;
    const beam_type *row = type && type->kind == BEAM_KIND_KV ? type->fields[1].type : NULL;
    if (!row || row->kind != BEAM_KIND_ROW || row->n_fields != n) {
        beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                        "the result of joining %zu inputs is a kv of the key and a row of %zu "
                        "iterables, not %s",
                        n, n, type ? beam_type_describe(type, result, sizeof result) : "nothing");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!beam_graph_usable_too(kvs[i], p, call) || !beam_graph_needs_kv(kvs[i], call, true))
            return false;
        const beam_type *kv = beam_graph_pcoll_of(kvs[i])->type, *values = row->fields[i].type;
        if (!beam_type_equal(type->fields[0].type, kv->fields[0].type) ||
            values->kind != BEAM_KIND_ITERABLE ||
            !beam_type_equal(beam_type_inner(values), kv->fields[1].type)) {
            beam_graph_fail(p, call, BEAM_INVALID_ARGUMENT,
                            "its input %zu is of %s, which does not fit the key or field '%s' of "
                            "its result, %s",
                            i, beam_type_describe(kv, gives, sizeof gives), row->fields[i].name,
                            beam_type_describe(type, result, sizeof result));
            return false;
        }
    }
    return true;
}

/* The union of the inputs' values. */
static const beam_type *union_type(const beam_pcoll *kvs, size_t n, const beam_call *call)
{
    beam_pipeline *p = kvs[0].pipeline;
    beam_error err = {0};
    const beam_type *row = NULL;
    beam_field *fields = beam_arena_calloc(&p->arena, n + 1, sizeof *fields);
    beam_status status =
        fields ? BEAM_OK : beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    if (fields)
        fields[0] = (beam_field){"tag", &beam_int64_type, 0};
    for (size_t i = 0; status == BEAM_OK && i < n; i++) {
        fields[i + 1].name = beam_arena_printf(&p->arena, "v%zu", i);
        status =
            fields[i + 1].name
                ? beam_type_make_list(&p->arena, beam_graph_pcoll_of(kvs[i])->type->fields[1].type,
                                      &fields[i + 1].type, &err)
                : beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (status == BEAM_OK)
        status = beam_type_make_row(&p->arena, fields, n + 1, NULL, &row, &err);
    if (status != BEAM_OK)
        beam_graph_fail_with(p, call, &err);
    return row;
}

static beam_pcoll join(const beam_pcoll *kvs, size_t n, const beam_call *call,
                       const beam_type *result)
{
    beam_pipeline *p = kvs[0].pipeline;
    const beam_type *tagged =
        beam_graph_kv(p, call, result->fields[0].type, union_type(kvs, n, call));
    beam_pcoll *all = beam_calloc(n, sizeof *all);
    if (!tagged || !all) {
        if (!all)
            beam_graph_no_memory(p, call);
        beam_free(all);
        return beam_no_pcoll(p);
    }
    for (size_t i = 0; i < n; i++) {
        const beam_tag_config config = {(beam_int64)i};
        all[i] = beam_graph_map(kvs[i], call, "Tag", &beam_tag_fn, &config, tagged);
    }
    beam_pcoll groups = beam_group_by_key(beam_flatten(all, n));
    beam_free(all);
    return beam_graph_map(groups, call, "Split", &beam_co_group_fn, NULL, result);
}

beam_pcoll beam_co_group_by_key_(const beam_pcoll *kvs, size_t n, const beam_co_group_args *args)
{
    const beam_call *call = BEAM_CALL(args, "CoGroupByKey");
    if (n == 0 || !kvs || !beam_graph_usable(kvs[0], call))
        return beam_no_pcoll(n && kvs ? kvs[0].pipeline : NULL);
    if (!check_result(kvs, n, call, args->type) ||
        !beam_graph_open(kvs[0].pipeline, call, NULL, (ProtobufCBinaryData){0, NULL}))
        return beam_no_pcoll(kvs[0].pipeline);
    beam_pcoll joined = join(kvs, n, call, args->type);
    beam_graph_close(kvs[0].pipeline);
    return joined;
}
