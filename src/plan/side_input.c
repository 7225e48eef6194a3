/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* side_input.c - side inputs as DoFns see them, over what the driver gives. */
#include <string.h>

#include "model/function.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "plan/dofn.h"
#include "plan/windows.h"

static bool by_key(beam_side_kind kind)
{
    return kind == BEAM_SIDE_MAP || kind == BEAM_SIDE_MULTIMAP;
}

static const BeamPb__StringEntry *find_input(const beam_node *node, const char *prefix,
                                             uint32_t index)
{
    for (size_t i = 0; i < node->proto->n_inputs; i++) {
        uint32_t have;
        if (beam_local_index(node->proto->inputs[i]->key, prefix, &have) && have == index)
            return node->proto->inputs[i];
    }
    return NULL;
}

static beam_status check_access(const beam_dofn_node *self, const char *local_name,
                                beam_side_kind kind, beam_error *err)
{
    const char *want = by_key(kind) ? BEAM_URN_SIDE_INPUT_MULTIMAP : BEAM_URN_SIDE_INPUT_ITERABLE;
    for (size_t i = 0; i < self->payload->n_side_inputs; i++) {
        const BeamPb__SideInputEntry *entry = self->payload->side_inputs[i];
        if (strcmp(entry->key, local_name) != 0)
            continue;
        const BeamPb__FunctionSpec *access = entry->value ? entry->value->access_pattern : NULL;
        if (access && strcmp(access->urn, want) == 0)
            return BEAM_OK;
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "side input %s is accessed by %s instead of %s", local_name,
                              access ? access->urn : "nothing", want);
    }
    return beam_error_set(err, BEAM_NOT_FOUND, "input %s is not declared a side input", local_name);
}

static beam_status open_side(beam_dofn_node *self, uint32_t index, beam_error *err)
{
    beam_node *node = &self->node;
    const beam_side_spec *want = &self->fn->sides[index];
    const BeamPb__StringEntry *input = find_input(node, BEAM_LOCAL_SIDE, index);
    if (!input)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "DoFn %s wants a side input %u, which the transform lacks",
                              self->fn->name, index);
    beam_plan_pcoll *pcoll;
    BEAM_TRY(beam_plan_find_pcoll(node->plan, input->value, &pcoll, err));
    BEAM_TRY(beam_node_expect_type(node, input->key, want->type, pcoll->type, err));
    if (by_key(want->kind) && pcoll->type->kind != BEAM_KIND_KV)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "side input %u is read by key, but is not of KVs", index);
    BEAM_TRY(check_access(self, input->key, want->kind, err));
    beam_plan_side *side = &node->sides[index].spec;
    *side = (beam_plan_side){
        .transform = node->id,
        .local_name = input->key,
        .pcollection = pcoll->id,
        .kind = want->kind,
        .type = pcoll->type,
        .windowing = pcoll->windowing,
    };
    const beam_plan_driver *driver = &node->plan->driver;
    if (!driver->side_input)
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "this runner has no side inputs");
    return driver->bind_side ? driver->bind_side(driver->self, side, err) : BEAM_OK;
}

beam_status beam_sides_open(beam_dofn_node *self, beam_error *err)
{
    beam_node *node = &self->node;
    size_t n = self->fn->n_sides;
    if (self->payload->n_side_inputs > n)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "has %zu side inputs, but DoFn %s takes %zu",
                              self->payload->n_side_inputs, self->fn->name, n);
    if (self->payload->n_side_inputs >= n - self->fn->n_optional_sides)
        n = self->payload->n_side_inputs;
    if (n == 0)
        return BEAM_OK;
    node->sides = beam_plan_alloc(node->plan, n, sizeof *node->sides, err);
    if (!node->sides)
        return BEAM_RESOURCE_EXHAUSTED;
    node->n_sides = n;
    for (uint32_t i = 0; i < n; i++)
        BEAM_TRY(open_side(self, i, err));
    return BEAM_OK;
}

void beam_sides_end(beam_node *node)
{
    for (size_t i = 0; i < node->n_sides; i++)
        node->sides[i].iterable_known = node->sides[i].singleton_known = false;
}

bool beam_sides_windowed(const beam_node *node)
{
    for (size_t i = 0; i < node->n_sides; i++)
        if (node->sides[i].spec.windowing.kind != BEAM_GLOBAL_WINDOWS)
            return true;
    return false;
}

/* ---- Reading -------------------------------------------------------------------------- */

static beam_status find_window(beam_ctx *ctx, const beam_plan_side *spec, beam_window *window)
{
    static const beam_window global = BEAM_GLOBAL_WINDOW;
    *window = global;
    if (spec->windowing.kind == BEAM_GLOBAL_WINDOWS)
        return BEAM_OK;
    if (!ctx->frame->info)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "reads windowed side input %s where there is no element",
                         spec->local_name);
    if (!beam_windows_of_side(&spec->windowing, ctx->frame->info->windows[0], window))
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, BEAM_NO_SIDE_WINDOW, spec->local_name);
    return BEAM_OK;
}

/* The side input, with `window` set to the one to read it in. */
static beam_status find_side(beam_ctx *ctx, uint32_t index, beam_node_side **side)
{
    beam_node *node = beam_node_of(ctx);
    if (index >= node->n_sides)
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "reads side input %u, but has %zu", index,
                         node->n_sides);
    *side = &node->sides[index];
    beam_window window;
    BEAM_TRY(find_window(ctx, &(*side)->spec, &window));
    if (!beam_window_equal(window, (*side)->window)) {
        (*side)->window = window;
        (*side)->iterable_known = (*side)->singleton_known = false;
    }
    return BEAM_OK;
}

static beam_status read_side(beam_ctx *ctx, beam_node_side *side, const void *key,
                             beam_iterable *values)
{
    const beam_plan_driver *driver = &beam_node_of(ctx)->plan->driver;
    side->spec.callback = beam_node_element_number(beam_node_of(ctx));
    return driver->side_input(driver->self, &side->spec, &side->window, key, values,
                              beam_ctx_error(ctx));
}

static beam_status read_all(beam_ctx *ctx, beam_node_side *side)
{
    if (side->iterable_known)
        return BEAM_OK;
    BEAM_TRY(read_side(ctx, side, NULL, &side->iterable));
    side->iterable_known = true;
    return BEAM_OK;
}

beam_status beam_side_iterable(beam_ctx *ctx, uint32_t side, beam_iterable *values)
{
    beam_node_side *found = NULL;
    BEAM_TRY(find_side(ctx, side, &found));
    if (by_key(found->spec.kind))
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "side input %u is read by key", side);
    BEAM_TRY(read_all(ctx, found));
    *values = found->iterable;
    return BEAM_OK;
}

/* The first value, NULL where there is none, and whether others follow. */
static beam_status read_first(beam_ctx *ctx, uint32_t side, const beam_iterable *values,
                              size_t stride, const void **first, bool *more)
{
    beam_iter iter = beam_iterate_(values, stride);
    size_t run = 0;
    *first = beam_next_run_(&iter, &run);
    *more = run > 1 || (*first && beam_next_(&iter));
    if (*first && iter.status == BEAM_OK) { /* looking for others may have moved it */
        iter = beam_iterate_(values, stride);
        *first = beam_next_(&iter);
    }
    if (iter.status != BEAM_OK)
        return beam_fail(ctx, iter.status, "side input %u cannot be read", side);
    return BEAM_OK;
}

beam_status beam_side_singleton_(beam_ctx *ctx, uint32_t side, const void **value)
{
    beam_node_side *found = NULL;
    BEAM_TRY(find_side(ctx, side, &found));
    if (!found->singleton_known) {
        if (found->spec.kind != BEAM_SIDE_SINGLETON)
            return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "side input %u is no singleton", side);
        BEAM_TRY(read_all(ctx, found));
        const void *first = NULL;
        bool more = false;
        BEAM_TRY(read_first(ctx, side, &found->iterable, found->spec.type->size, &first, &more));
        if (!first || more)
            return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                             "singleton side input %u holds %s in the element's window", side,
                             more ? "more than one element" : "no element");
        found->singleton = first;
        found->singleton_known = true;
    }
    *value = found->singleton;
    return BEAM_OK;
}

beam_status beam_side_get_all(beam_ctx *ctx, uint32_t side, const void *key, beam_iterable *values)
{
    beam_node_side *found = NULL;
    BEAM_TRY(find_side(ctx, side, &found));
    if (!by_key(found->spec.kind))
        return beam_fail(ctx, BEAM_INVALID_ARGUMENT, "side input %u is not read by key", side);
    return read_side(ctx, found, key, values);
}

beam_status beam_side_get_(beam_ctx *ctx, uint32_t side, const void *key, const void **value)
{
    *value = NULL;
    beam_iterable values;
    bool more = false;
    BEAM_TRY(beam_side_get_all(ctx, side, key, &values));
    const beam_plan_side *spec = &beam_node_of(ctx)->sides[side].spec;
    BEAM_TRY(read_first(ctx, side, &values, spec->type->fields[1].type->size, value, &more));
    if (more && spec->kind == BEAM_SIDE_MAP)
        return beam_fail(ctx, BEAM_FAILED_PRECONDITION,
                         "side input %u is a map and holds more than one value of the key in the "
                         "element's window; beam_as_multimap takes any number",
                         side);
    return BEAM_OK;
}
