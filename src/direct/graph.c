/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* graph.c - from a Pipeline proto to steps in topological order.  The proto may come from
 * anywhere: nothing in it is believed before it was looked at. */
#include "direct/graph.h"

#include <string.h>

#include "base/alloc.h"
#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "type/layout.h"

enum { MAX_NESTING = 200 }; /* composites inside composites */

beam_status beam_graph_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to plan the pipeline");
}

beam_status beam_index_add(beam_index_list *list, uint32_t index, beam_error *err)
{
    if (beam_grow((void **)&list->at, &list->capacity, list->n + 1, sizeof *list->at) != 0)
        return beam_graph_memory(err);
    list->at[list->n++] = index;
    return BEAM_OK;
}

beam_status beam_index_add_once(beam_index_list *list, uint32_t index, beam_error *err)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i] == index)
            return BEAM_OK;
    return beam_index_add(list, index, err);
}

/* ---- PCollections --------------------------------------------------------------------- */

uint32_t beam_graph_find_dataset(const beam_direct_graph *graph, const char *id)
{
    uintptr_t place = (uintptr_t)beam_map_get(&graph->dataset_ids, id);
    return place ? (uint32_t)(place - 1) : BEAM_NONE;
}

static beam_status find_windowing(const beam_direct_graph *graph, const char *id,
                                  beam_windowing *windowing, beam_error *err)
{
    *windowing = (beam_windowing){0};
    if (!id[0])
        return BEAM_OK;
    for (size_t i = 0; i < graph->components->n_windowing_strategies; i++) {
        const BeamPb__WindowingStrategyEntry *entry = graph->components->windowing_strategies[i];
        if (entry->value && strcmp(entry->key, id) == 0)
            return beam_windowing_from_proto(entry->value, windowing, err);
    }
    return beam_error_set(err, BEAM_DATA_LOSS, "there is no windowing strategy \"%s\"", id);
}

static beam_status read_dataset(beam_direct_graph *graph, BeamPb__PCollectionEntry *entry,
                                beam_dataset *dataset, beam_error *err)
{
    beam_coder_map coders = {graph->coders, graph->n_coders, false};
    *dataset = (beam_dataset){
        .entry = entry, .producer = BEAM_NONE, .source = BEAM_NONE, .buffer = BEAM_NONE};
    BEAM_TRY(beam_coder_type(coders, entry->value->coder_id, &graph->arena, &dataset->type, err));
    return find_windowing(graph, entry->value->windowing_strategy_id, &dataset->windowing, err);
}

static beam_status add_dataset(beam_direct_graph *graph, BeamPb__PCollectionEntry *entry,
                               beam_error *err)
{
    if (!entry->value)
        return beam_error_set(err, BEAM_DATA_LOSS, "PCollection \"%s\" is empty", entry->key);
    if (beam_map_has(&graph->dataset_ids, entry->key))
        return beam_error_set(err, BEAM_DATA_LOSS, "there are two PCollections \"%s\"", entry->key);
    if (beam_grow((void **)&graph->datasets, &graph->datasets_capacity, graph->n_datasets + 1,
                  sizeof *graph->datasets) != 0 ||
        beam_map_set(&graph->dataset_ids, entry->key, (void *)(graph->n_datasets + 1)) != BEAM_OK)
        return beam_graph_memory(err);
    beam_status status = read_dataset(graph, entry, &graph->datasets[graph->n_datasets++], err);
    return status == BEAM_OK ? BEAM_OK
                             : beam_error_wrap(err, status, "PCollection \"%s\"", entry->key);
}

beam_status beam_graph_add_dataset(beam_direct_graph *graph, const char *id, const char *coder,
                                   const char *windowing, beam_error *err)
{
    BeamPb__PCollectionEntry *entry =
        beam_message_new(&beam_pb__pcollection_entry__descriptor, &graph->arena);
    BeamPb__PCollection *proto = beam_message_new(&beam_pb__pcollection__descriptor, &graph->arena);
    if (!entry || !proto)
        return beam_graph_memory(err);
    entry->key = (char *)(uintptr_t)id;
    entry->value = proto;
    proto->unique_name = entry->key;
    proto->coder_id = (char *)(uintptr_t)coder;
    proto->is_bounded = BEAM_PB__IS_BOUNDED__ENUM__BOUNDED;
    proto->windowing_strategy_id = (char *)(uintptr_t)windowing;
    return add_dataset(graph, entry, err);
}

/* ---- Coders ---------------------------------------------------------------------------- */

beam_status beam_graph_add_coder(beam_direct_graph *graph, const char *urn,
                                 const char *const *components, size_t n, const char **id,
                                 beam_error *err)
{
    BeamPb__CoderEntry *entry = beam_message_new(&beam_pb__coder_entry__descriptor, &graph->arena);
    BeamPb__Coder *coder = beam_message_new(&beam_pb__coder__descriptor, &graph->arena);
    BeamPb__FunctionSpec *spec =
        beam_message_new(&beam_pb__function_spec__descriptor, &graph->arena);
    char **ids = beam_arena_calloc(&graph->arena, n, sizeof *ids);
    if (!entry || !coder || !spec || !ids ||
        beam_grow((void **)&graph->coders, &graph->coders_capacity, graph->n_coders + 1,
                  sizeof *graph->coders) != 0)
        return beam_graph_memory(err);
    entry->key = beam_arena_printf(&graph->arena, "direct/coder_%zu", graph->n_coders);
    if (!entry->key)
        return beam_graph_memory(err);
    if (beam_coder_find((beam_coder_map){graph->coders, graph->n_coders, false}, entry->key))
        return beam_error_set(err, BEAM_DATA_LOSS, "coder id \"%s\" is the runner's", entry->key);
    for (size_t i = 0; i < n; i++)
        ids[i] = (char *)(uintptr_t)components[i];
    spec->urn = (char *)(uintptr_t)urn;
    coder->spec = spec;
    coder->component_coder_ids = ids;
    coder->n_component_coder_ids = n;
    entry->value = coder;
    graph->coders[graph->n_coders++] = entry;
    *id = entry->key;
    return BEAM_OK;
}

/* ---- Steps ---------------------------------------------------------------------------- */

static bool is_annotated(const BeamPb__PTransform *proto, const char *urn)
{
    for (size_t i = 0; i < proto->n_annotations; i++)
        if (strcmp(proto->annotations[i]->key, urn) == 0)
            return true;
    return false;
}

static bool has_urn(const BeamPb__PTransform *proto, const char *urn)
{
    return proto->spec && strcmp(proto->spec->urn, urn) == 0;
}

static beam_step_kind kind_of(const BeamPb__PTransform *proto)
{
    if (has_urn(proto, BEAM_URN_IMPULSE))
        return BEAM_STEP_IMPULSE;
    if (has_urn(proto, BEAM_URN_GROUP_BY_KEY))
        return BEAM_STEP_GROUP;
    if (has_urn(proto, BEAM_URN_RESHUFFLE))
        return BEAM_STEP_RESHUFFLE;
    return has_urn(proto, BEAM_URN_FLATTEN) ? BEAM_STEP_FLATTEN : BEAM_STEP_EXECUTE;
}

static beam_status connect(beam_direct_graph *graph, BeamPb__StringEntry *const *entries, size_t n,
                           beam_index_list *list, beam_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t dataset = beam_graph_find_dataset(graph, entries[i]->value);
        if (dataset == BEAM_NONE)
            return beam_error_set(err, BEAM_DATA_LOSS, "there is no PCollection \"%s\"",
                                  entries[i]->value);
        BEAM_TRY(beam_index_add(list, dataset, err));
    }
    return BEAM_OK;
}

/* Moves the side inputs, which a ParDo's payload names, from ins to sides. */
static beam_status part_sides(beam_step *step, const BeamPb__ParDoPayload *payload, beam_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < step->proto->n_inputs; i++) {
        bool side = false;
        for (size_t k = 0; k < payload->n_side_inputs; k++)
            side |= strcmp(payload->side_inputs[k]->key, step->proto->inputs[i]->key) == 0;
        if (side)
            BEAM_TRY(beam_index_add(&step->sides, step->ins.at[i], err));
        else
            step->ins.at[kept++] = step->ins.at[i];
    }
    step->ins.n = kept;
    return BEAM_OK;
}

static beam_status read_pardo(const BeamPb__PTransform *proto, BeamPb__ParDoPayload **payload,
                              beam_error *err)
{
    *payload = NULL;
    if (!has_urn(proto, BEAM_URN_PARDO) && !has_urn(proto, BEAM_URN_SDF_PROCESS))
        return BEAM_OK;
    return beam_message_unpack(&beam_pb__par_do_payload__descriptor, proto->spec->payload.data,
                               proto->spec->payload.len, payload, err);
}

static beam_status connect_step(beam_direct_graph *graph, beam_step *step, beam_error *err)
{
    const BeamPb__PTransform *proto = step->proto;
    BEAM_TRY(connect(graph, proto->inputs, proto->n_inputs, &step->ins, err));
    BEAM_TRY(connect(graph, proto->outputs, proto->n_outputs, &step->outs, err));
    BeamPb__ParDoPayload *payload;
    BEAM_TRY(read_pardo(proto, &payload, err));
    beam_status status = payload ? part_sides(step, payload, err) : BEAM_OK;
    beam_message_free(payload);
    return status;
}

beam_status beam_graph_add_step(beam_direct_graph *graph, const char *id, BeamPb__PTransform *proto,
                                beam_error *err)
{
    if (beam_grow((void **)&graph->steps, &graph->steps_capacity, graph->n_steps + 1,
                  sizeof *graph->steps) != 0)
        return beam_graph_memory(err);
    beam_step *step = &graph->steps[graph->n_steps++];
    *step = (beam_step){.id = id,
                        .proto = proto,
                        .kind = kind_of(proto),
                        .processes_restrictions = has_urn(proto, BEAM_URN_SDF_PROCESS),
                        .batches = is_annotated(proto, BEAM_URN_ANNOTATION_BATCHES),
                        .stage = BEAM_NONE};
    return connect_step(graph, step, err);
}

/* ---- Walking the composites ------------------------------------------------------------ */

typedef struct walk {
    beam_direct_graph *graph;
    beam_map transforms; /* id to BeamPb__TransformEntry */
    beam_map seen;
} walk;

/* A composite that gives what it takes and does nothing. */
static bool does_nothing(const BeamPb__PTransform *proto)
{
    return !proto->spec || !proto->spec->urn[0];
}

static beam_status add_leaf(beam_direct_graph *graph, const char *id, BeamPb__PTransform *proto,
                            beam_error *err)
{
    BeamPb__ParDoPayload *payload = NULL;
    if (has_urn(proto, BEAM_URN_PARDO))
        BEAM_TRY(read_pardo(proto, &payload, err));
    beam_status status = payload && payload->restriction_coder_id[0]
                             ? beam_expand_pardo(graph, id, proto, payload, err)
                             : beam_graph_add_step(graph, id, proto, err);
    beam_message_free(payload);
    return status;
}

static beam_status merges(const beam_direct_graph *graph, const BeamPb__PTransform *proto,
                          bool *merging, beam_error *err)
{
    uint32_t in =
        proto->n_inputs ? beam_graph_find_dataset(graph, proto->inputs[0]->value) : BEAM_NONE;
    if (in == BEAM_NONE)
        return beam_error_set(err, BEAM_DATA_LOSS, "has no input that is in the pipeline");
    *merging = graph->datasets[in].windowing.kind == BEAM_SESSION_WINDOWS;
    return BEAM_OK;
}

static beam_status visit(walk *w, const char *id, unsigned depth, beam_error *err);

static beam_status visit_transform(walk *w, const BeamPb__TransformEntry *entry, unsigned depth,
                                   beam_error *err)
{
    BeamPb__PTransform *proto = entry->value;
    if (has_urn(proto, BEAM_URN_COMBINE_PER_KEY)) {
        bool merging = false;
        BEAM_TRY(merges(w->graph, proto, &merging, err));
        return beam_expand_combine(w->graph, entry->key, proto, !merging, err);
    }
    if (has_urn(proto, BEAM_URN_RESHUFFLE))
        return beam_graph_add_step(w->graph, entry->key, proto, err);
    if (proto->n_subtransforms == 0)
        return does_nothing(proto) ? BEAM_OK : add_leaf(w->graph, entry->key, proto, err);
    for (size_t i = 0; i < proto->n_subtransforms; i++)
        BEAM_TRY(visit(w, proto->subtransforms[i], depth + 1, err));
    return BEAM_OK;
}

static beam_status visit(walk *w, const char *id, unsigned depth, beam_error *err)
{
    const BeamPb__TransformEntry *entry = beam_map_get(&w->transforms, id);
    if (!entry || !entry->value)
        return beam_error_set(err, BEAM_DATA_LOSS, "there is no transform \"%s\"", id);
    if (beam_map_has(&w->seen, id))
        return beam_error_set(err, BEAM_DATA_LOSS, "transform \"%s\" is part of two composites",
                              id);
    if (depth > MAX_NESTING)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "transforms are nested more than %d deep",
                              MAX_NESTING);
    if (beam_map_set(&w->seen, id, w) != BEAM_OK)
        return beam_graph_memory(err);
    beam_error inner = {0};
    beam_status status = visit_transform(w, entry, depth, &inner);
    if (status == BEAM_OK)
        return BEAM_OK;
    if (entry->value->n_subtransforms) /* the part that failed is named already */
        return beam_error_set(err, status, "%s", inner.message);
    return beam_error_set(err, status, "transform %s: %s",
                          entry->value->unique_name[0] ? entry->value->unique_name : id,
                          inner.message);
}

static beam_status read_transforms(walk *w, beam_error *err)
{
    const BeamPb__Components *components = w->graph->components;
    for (size_t i = 0; i < components->n_transforms; i++) {
        BeamPb__TransformEntry *entry = components->transforms[i];
        if (beam_map_has(&w->transforms, entry->key))
            return beam_error_set(err, BEAM_DATA_LOSS, "there are two transforms \"%s\"",
                                  entry->key);
        if (beam_map_set(&w->transforms, entry->key, entry) != BEAM_OK)
            return beam_graph_memory(err);
    }
    for (size_t i = 0; i < w->graph->pipeline->n_root_transform_ids; i++)
        BEAM_TRY(visit(w, w->graph->pipeline->root_transform_ids[i], 0, err));
    return BEAM_OK;
}

/* ---- Checks --------------------------------------------------------------------------- */

static beam_status types_differ(const beam_direct_graph *graph, uint32_t a, uint32_t b,
                                beam_error *err)
{
    char first[200], second[200];
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "its input is of %s, its output of %s",
                          beam_type_describe(graph->datasets[a].type, first, sizeof first),
                          beam_type_describe(graph->datasets[b].type, second, sizeof second));
}

static beam_status check_group(const beam_direct_graph *graph, const beam_step *step,
                               beam_error *err)
{
    const beam_type *in = beam_type_bare(graph->datasets[step->ins.at[0]].type);
    const beam_type *out = beam_type_bare(graph->datasets[step->outs.at[0]].type);
    if (in->kind != BEAM_KIND_KV || !beam_type_is_deterministic(in->fields[0].type))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "groups by key, but its input is not of KVs with a deterministic "
                              "key coder");
    if (out->kind != BEAM_KIND_KV ||
        beam_type_bare(out->fields[1].type)->kind != BEAM_KIND_ITERABLE)
        return types_differ(graph, step->ins.at[0], step->outs.at[0], err);
    const beam_type *values = beam_type_bare(out->fields[1].type);
    if (!beam_type_equal(in->fields[0].type, out->fields[0].type) ||
        !beam_type_equal(in->fields[1].type, values->fields[0].type))
        return types_differ(graph, step->ins.at[0], step->outs.at[0], err);
    return BEAM_OK;
}

/* Of what the runner does itself; src/plan checks the rest. */
static beam_status check_step(const beam_direct_graph *graph, const beam_step *step,
                              beam_error *err)
{
    size_t ins = step->ins.n, outs = step->outs.n;
    if (step->kind == BEAM_STEP_EXECUTE)
        return ins == 1 ? BEAM_OK
                        : beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                         "has %zu main inputs instead of one", ins);
    if (outs != 1 || (step->kind == BEAM_STEP_IMPULSE && ins != 0) ||
        ((step->kind == BEAM_STEP_GROUP || step->kind == BEAM_STEP_RESHUFFLE) && ins != 1))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "has %zu inputs and %zu outputs", ins,
                              outs);
    if (step->kind == BEAM_STEP_IMPULSE &&
        graph->datasets[step->outs.at[0]].type->kind != BEAM_KIND_BYTES)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "an Impulse gives bytes");
    if (step->kind == BEAM_STEP_GROUP)
        return check_group(graph, step, err);
    for (size_t i = 0; i < ins; i++)
        if (!beam_type_equal(graph->datasets[step->ins.at[i]].type,
                             graph->datasets[step->outs.at[0]].type))
            return types_differ(graph, step->ins.at[i], step->outs.at[0], err);
    return BEAM_OK;
}

static beam_status check_steps(beam_direct_graph *graph, beam_error *err)
{
    for (size_t s = 0; s < graph->n_steps; s++) {
        const beam_step *step = &graph->steps[s];
        beam_status status = check_step(graph, step, err);
        for (size_t i = 0; status == BEAM_OK && i < step->outs.n; i++) {
            beam_dataset *dataset = &graph->datasets[step->outs.at[i]];
            if (dataset->producer != BEAM_NONE)
                status = beam_error_set(err, BEAM_DATA_LOSS, "PCollection \"%s\" has two producers",
                                        dataset->entry->key);
            dataset->producer = (uint32_t)s;
        }
        if (status != BEAM_OK)
            return beam_error_wrap(err, status, "transform %s", beam_step_name(step));
    }
    return BEAM_OK;
}

/* ---- Order ---------------------------------------------------------------------------- */

static beam_status link_readers(beam_direct_graph *graph, uint32_t s, beam_error *err)
{
    const beam_step *step = &graph->steps[s];
    for (size_t i = 0; i < step->ins.n + step->sides.n; i++) {
        bool side = i >= step->ins.n;
        beam_dataset *dataset =
            &graph->datasets[side ? step->sides.at[i - step->ins.n] : step->ins.at[i]];
        if (dataset->producer == BEAM_NONE)
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "transform %s reads PCollection \"%s\", which nothing produces",
                                  beam_step_name(step), dataset->entry->key);
        BEAM_TRY(beam_index_add(side ? &dataset->viewers : &dataset->readers, s, err));
    }
    return BEAM_OK;
}

/* Counts down what the readers of a list wait for; those that wait for nothing join `order`. */
static size_t release(const beam_index_list *readers, size_t *waiting, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < readers->n; i++)
        if (--waiting[readers->at[i]] == 0)
            order[n++] = readers->at[i];
    return n;
}

static beam_status order_steps(const beam_direct_graph *graph, uint32_t *order, size_t *waiting,
                               beam_error *err)
{
    size_t n = 0;
    for (uint32_t s = 0; s < graph->n_steps; s++) {
        waiting[s] = graph->steps[s].ins.n + graph->steps[s].sides.n;
        if (waiting[s] == 0)
            order[n++] = s;
    }
    for (size_t done = 0; done < n; done++) {
        const beam_step *step = &graph->steps[order[done]];
        for (size_t i = 0; i < step->outs.n; i++) {
            const beam_dataset *dataset = &graph->datasets[step->outs.at[i]];
            n = release(&dataset->readers, waiting, order, n);
            n = release(&dataset->viewers, waiting, order, n);
        }
    }
    for (uint32_t s = 0; n < graph->n_steps && s < graph->n_steps; s++)
        if (waiting[s])
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "transform %s waits for its own output: the pipeline has a cycle",
                                  beam_step_name(&graph->steps[s]));
    return BEAM_OK;
}

static void renumber(beam_index_list *list, const uint32_t *place)
{
    for (size_t i = 0; i < list->n; i++)
        list->at[i] = place[list->at[i]];
}

/* Puts the steps in the order found. */
static void apply_order(beam_direct_graph *graph, const uint32_t *order, beam_step *sorted,
                        uint32_t *place)
{
    for (uint32_t i = 0; i < graph->n_steps; i++) {
        sorted[i] = graph->steps[order[i]];
        place[order[i]] = i;
    }
    if (graph->n_steps) /* an empty pipeline has no list */
        memcpy(graph->steps, sorted, graph->n_steps * sizeof *sorted);
    for (size_t d = 0; d < graph->n_datasets; d++) {
        beam_dataset *dataset = &graph->datasets[d];
        if (dataset->producer != BEAM_NONE)
            dataset->producer = place[dataset->producer];
        renumber(&dataset->readers, place);
        renumber(&dataset->viewers, place);
    }
}

static beam_status sort_steps(beam_direct_graph *graph, beam_error *err)
{
    size_t n = graph->n_steps;
    uint32_t *order = beam_arena_calloc(&graph->arena, n, sizeof *order);
    uint32_t *place = beam_arena_calloc(&graph->arena, n, sizeof *place);
    size_t *waiting = beam_arena_calloc(&graph->arena, n, sizeof *waiting);
    beam_step *sorted = beam_arena_calloc(&graph->arena, n, sizeof *sorted);
    if (!order || !place || !waiting || !sorted)
        return beam_graph_memory(err);
    for (uint32_t s = 0; s < n; s++)
        BEAM_TRY(link_readers(graph, s, err));
    BEAM_TRY(order_steps(graph, order, waiting, err));
    apply_order(graph, order, sorted, place);
    return BEAM_OK;
}

/* ---- All of it ------------------------------------------------------------------------ */

static beam_status adopt_coders(beam_direct_graph *graph, beam_error *err)
{
    size_t n = graph->components->n_coders;
    if (n == 0)
        return BEAM_OK;
    if (beam_grow((void **)&graph->coders, &graph->coders_capacity, n, sizeof *graph->coders) != 0)
        return beam_graph_memory(err);
    memcpy(graph->coders, graph->components->coders, n * sizeof *graph->coders);
    graph->n_coders = n;
    return BEAM_OK;
}

beam_status beam_direct_graph_read(beam_direct_graph *graph, const void *proto, size_t size,
                                   beam_error *err)
{
    BEAM_TRY(
        beam_message_unpack(&beam_pb__pipeline__descriptor, proto, size, &graph->pipeline, err));
    graph->components = graph->pipeline->components;
    if (!graph->components) {
        graph->components = beam_message_new(&beam_pb__components__descriptor, &graph->arena);
        if (!graph->components)
            return beam_graph_memory(err);
    }
    BEAM_TRY(adopt_coders(graph, err));
    for (size_t i = 0; i < graph->components->n_pcollections; i++)
        BEAM_TRY(add_dataset(graph, graph->components->pcollections[i], err));
    walk w = {.graph = graph};
    beam_status status = read_transforms(&w, err);
    beam_map_free(&w.transforms);
    beam_map_free(&w.seen);
    BEAM_TRY(status);
    BEAM_TRY(check_steps(graph, err));
    BEAM_TRY(sort_steps(graph, err));
    BEAM_TRY(beam_graph_fuse(graph, err));
    BEAM_TRY(beam_graph_place_stores(graph, err));
    return beam_graph_describe(graph, err);
}

static void free_list(beam_index_list *list)
{
    beam_free(list->at);
}

void beam_direct_graph_free(beam_direct_graph *graph)
{
    for (size_t i = 0; i < graph->n_steps; i++) {
        free_list(&graph->steps[i].ins);
        free_list(&graph->steps[i].sides);
        free_list(&graph->steps[i].outs);
    }
    for (size_t i = 0; i < graph->n_datasets; i++) {
        free_list(&graph->datasets[i].readers);
        free_list(&graph->datasets[i].viewers);
    }
    for (size_t i = 0; i < graph->n_stages; i++) {
        free_list(&graph->stages[i].steps);
        free_list(&graph->stages[i].views);
        beam_free(graph->stages[i].exits);
    }
    for (size_t i = 0; i < graph->n_stores; i++) {
        free_list(&graph->stores[i].writers);
        free_list(&graph->stores[i].readers);
        free_list(&graph->stores[i].viewers);
    }
    beam_free(graph->steps);
    beam_free(graph->datasets);
    beam_free(graph->stages);
    beam_free(graph->stores);
    beam_free(graph->coders);
    beam_map_free(&graph->dataset_ids);
    beam_message_free(graph->pipeline);
    beam_arena_free(&graph->arena);
    *graph = (beam_direct_graph){0};
}
