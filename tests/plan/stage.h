/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stage.h - for tests: stages built by hand as ProcessBundleDescriptors, and a runner that
 * keeps what reaches the sinks. */
#ifndef TESTS_PLAN_STAGE_H
#define TESTS_PLAN_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "model/coders.h"
#include "model/function.h"
#include "model/message.h"
#include "model/urn.h"
#include "model/windowing.h"
#include "plan/plan.h"
#include "type/value.h"

enum { STAGE_MAX = 64 };

typedef struct stage_element {
    const void *value;
    beam_element_info info;
    size_t batch; /* how many came with it in one call */
} stage_element;

/* What reached one sink, deeply copied. */
typedef struct stage_sink {
    struct stage *stage;
    char id[32];
    const beam_type *type;
    stage_element *elements;
    size_t n, capacity;
} stage_sink;

typedef struct stage_side {
    char transform[32], local[32];
    beam_window window;
    const void *values; /* of the side's elements; sorted by key for maps */
    size_t n;
} stage_side;

typedef struct stage {
    beam_arena arena;
    beam_arena kept;
    BeamPb__ProcessBundleDescriptor descriptor;
    BeamPb__TransformEntry *transforms[STAGE_MAX];
    BeamPb__PCollectionEntry *pcollections[STAGE_MAX];
    BeamPb__WindowingStrategyEntry *strategies[STAGE_MAX];
    beam_coder_set coders;
    beam_registry registry;
    stage_sink sinks[8];
    size_t n_sinks;
    stage_side sides[8];
    size_t n_sides, side_reads;
    beam_plan_driver driver;
    stage_element residuals[64]; /* of sized restrictions */
    size_t n_residuals;
    const beam_type *residual_type;
    beam_status fail_residual;
} stage;

#define STAGE_OK(expression) assert_int_equal((expression), BEAM_OK)

static inline char *stage_text(stage *s, const char *text)
{
    char *copy = beam_arena_strdup(&s->arena, text);
    assert_non_null(copy);
    return copy;
}

static inline void *stage_message(stage *s, const ProtobufCMessageDescriptor *type)
{
    void *message = beam_message_new(type, &s->arena);
    assert_non_null(message);
    return message;
}

static inline void stage_pcoll(stage *s, const char *id, const beam_type *type,
                               beam_windowing windowing)
{
    const char *coder;
    STAGE_OK(beam_coder_set_type(&s->coders, type, &coder, NULL));
    BeamPb__PCollection *pcoll = stage_message(s, &beam_pb__pcollection__descriptor);
    pcoll->coder_id = stage_text(s, coder);
    BeamPb__WindowingStrategyEntry *strategy =
        stage_message(s, &beam_pb__windowing_strategy_entry__descriptor);
    STAGE_OK(beam_windowing_to_proto(&windowing, "", "", &s->arena, &strategy->value, NULL));
    strategy->key = stage_text(s, id);
    s->strategies[s->descriptor.n_windowing_strategies++] = strategy;
    pcoll->windowing_strategy_id = strategy->key;
    BeamPb__PCollectionEntry *entry = stage_message(s, &beam_pb__pcollection_entry__descriptor);
    entry->key = stage_text(s, id);
    entry->value = pcoll;
    s->pcollections[s->descriptor.n_pcollections++] = entry;
}

/* "out0=a out1=b" as entries. */
static inline size_t stage_names(stage *s, const char *names, BeamPb__StringEntry ***entries)
{
    size_t n = 0;
    *entries = beam_arena_calloc(&s->arena, 16, sizeof **entries);
    assert_non_null(*entries);
    char *copy = stage_text(s, names), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        assert_non_null(equals);
        *equals = '\0';
        BeamPb__StringEntry *entry = stage_message(s, &beam_pb__string_entry__descriptor);
        entry->key = word;
        entry->value = equals + 1;
        (*entries)[n++] = entry;
    }
    return n;
}

/* A transform with a payload message (or NULL). */
static inline void stage_transform(stage *s, const char *id, const char *urn, const void *payload,
                                   const char *inputs, const char *outputs)
{
    BeamPb__PTransform *proto = stage_message(s, &beam_pb__ptransform__descriptor);
    proto->unique_name = beam_arena_printf(&s->arena, "Test/%s", id);
    proto->spec = stage_message(s, &beam_pb__function_spec__descriptor);
    proto->spec->urn = stage_text(s, urn);
    if (payload)
        STAGE_OK(beam_message_pack_arena(payload, &s->arena, &proto->spec->payload));
    proto->n_inputs = stage_names(s, inputs, &proto->inputs);
    proto->n_outputs = stage_names(s, outputs, &proto->outputs);
    BeamPb__TransformEntry *entry = stage_message(s, &beam_pb__transform_entry__descriptor);
    entry->key = stage_text(s, id);
    entry->value = proto;
    s->transforms[s->descriptor.n_transforms++] = entry;
}

static inline void stage_source(stage *s, const char *id, const char *pcoll)
{
    stage_transform(s, id, BEAM_URN_DATA_SOURCE, NULL, "",
                    beam_arena_printf(&s->arena, "out0=%s", pcoll));
}

static inline void stage_sink_of(stage *s, const char *id, const char *pcoll)
{
    stage_transform(s, id, BEAM_URN_DATA_SINK, NULL, beam_arena_printf(&s->arena, "in0=%s", pcoll),
                    "");
}

/* A DoFn's transform of any URN; inputs named side<i> are side inputs. */
static inline void stage_dofn(stage *s, const char *id, const char *urn, const beam_dofn *fn,
                              const void *config, const char *inputs, const char *outputs)
{
    STAGE_OK(beam_registry_add_dofn(&s->registry, fn, NULL));
    BeamPb__ParDoPayload *payload = stage_message(s, &beam_pb__par_do_payload__descriptor);
    STAGE_OK(beam_dofn_to_proto(fn, config, &s->arena, &payload->do_fn, NULL));
    payload->side_inputs = beam_arena_calloc(&s->arena, 8, sizeof *payload->side_inputs);
    for (size_t i = 0; i < fn->n_sides; i++) {
        BeamPb__SideInputEntry *entry = stage_message(s, &beam_pb__side_input_entry__descriptor);
        entry->key = beam_arena_printf(&s->arena, "side%zu", i);
        entry->value = stage_message(s, &beam_pb__side_input__descriptor);
        entry->value->access_pattern = stage_message(s, &beam_pb__function_spec__descriptor);
        bool by_key = fn->sides[i].kind >= BEAM_SIDE_MAP;
        entry->value->access_pattern->urn =
            stage_text(s, by_key ? BEAM_URN_SIDE_INPUT_MULTIMAP : BEAM_URN_SIDE_INPUT_ITERABLE);
        payload->side_inputs[payload->n_side_inputs++] = entry;
    }
    stage_transform(s, id, urn, payload, inputs, outputs);
}

static inline void stage_pardo(stage *s, const char *id, const beam_dofn *fn, const void *config,
                               const char *inputs, const char *outputs)
{
    stage_dofn(s, id, BEAM_URN_PARDO, fn, config, inputs, outputs);
}

static inline void stage_combine(stage *s, const char *id, const char *urn,
                                 const beam_combinefn *fn, const beam_type *acc, const void *config,
                                 const char *inputs, const char *outputs)
{
    STAGE_OK(beam_registry_add_combinefn(&s->registry, fn, NULL));
    BeamPb__CombinePayload *payload = stage_message(s, &beam_pb__combine_payload__descriptor);
    STAGE_OK(beam_combinefn_to_proto(fn, config, &s->arena, &payload->combine_fn, NULL));
    const char *coder;
    STAGE_OK(beam_coder_set_type(&s->coders, acc, &coder, NULL));
    payload->accumulator_coder_id = stage_text(s, coder);
    stage_transform(s, id, urn, payload, inputs, outputs);
}

static inline void stage_window(stage *s, const char *id, beam_windowing windowing,
                                const char *inputs, const char *outputs)
{
    BeamPb__WindowIntoPayload *payload =
        stage_message(s, &beam_pb__window_into_payload__descriptor);
    STAGE_OK(beam_window_fn_to_proto(&windowing, &s->arena, &payload->window_fn, NULL));
    stage_transform(s, id, BEAM_URN_WINDOW_INTO, payload, inputs, outputs);
}

/* ---- The runner ----------------------------------------------------------------------- */

static inline beam_status stage_keep(stage *s, const beam_type *type, const void *value,
                                     const beam_element_info *info, size_t batch,
                                     stage_element *kept)
{
    void *copy = beam_arena_alloc(&s->kept, type->size);
    beam_window *windows =
        beam_arena_copy(&s->kept, info->windows, info->n_windows * sizeof *info->windows);
    if (!copy || !windows)
        return BEAM_RESOURCE_EXHAUSTED;
    BEAM_TRY(beam_value_copy(type, copy, value, &s->kept));
    *kept = (stage_element){copy, *info, batch};
    kept->info.windows = windows;
    return BEAM_OK;
}

static inline beam_status stage_sink_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    stage_sink *sink = beam_self(ctx, stage_sink);
    if (beam_grow((void **)&sink->elements, &sink->capacity, sink->n + n, sizeof *sink->elements) !=
        0)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++, sink->n++)
        BEAM_TRY(stage_keep(sink->stage, sink->type, (const char *)elements + i * sink->type->size,
                            beam_info(ctx), n, &sink->elements[sink->n]));
    return BEAM_OK;
}

static inline beam_status stage_sink_one(beam_ctx *ctx, const void *element)
{
    return stage_sink_batch(ctx, element, 1);
}

static inline beam_status stage_bind_sink(void *self, const beam_plan_port *port,
                                          beam_plan_sink *sink, beam_error *err)
{
    stage *s = self;
    (void)err;
    for (size_t i = 0; i < s->n_sinks; i++)
        if (strcmp(s->sinks[i].id, port->transform) == 0) {
            *sink = (beam_plan_sink){&s->sinks[i], stage_sink_one, stage_sink_batch};
            s->sinks[i].type = port->type;
            return BEAM_OK;
        }
    stage_sink *made = &s->sinks[s->n_sinks++];
    *made = (stage_sink){.stage = s, .type = port->type};
    snprintf(made->id, sizeof made->id, "%s", port->transform);
    *sink = (beam_plan_sink){made, stage_sink_one, stage_sink_batch};
    return BEAM_OK;
}

static inline beam_status stage_read_side(void *self, const beam_plan_side *side,
                                          const beam_window *window, const void *key,
                                          beam_iterable *values, beam_error *err)
{
    stage *s = self;
    s->side_reads++;
    *values = (beam_iterable){NULL, NULL, 0};
    for (size_t i = 0; i < s->n_sides; i++) {
        const stage_side *have = &s->sides[i];
        if (strcmp(have->transform, side->transform) != 0 ||
            strcmp(have->local, side->local_name) != 0 || have->window.end != window->end)
            continue;
        *values = (beam_iterable){NULL, have->values, have->n};
        if (!key)
            return BEAM_OK;
        const beam_type *type = side->type, *value = type->fields[1].type;
        char *found = beam_arena_alloc(&s->kept, have->n * value->size + 1);
        if (!found)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory");
        *values = (beam_iterable){NULL, found, 0};
        for (size_t e = 0; e < have->n; e++) {
            const char *kv = (const char *)have->values + e * type->size;
            if (beam_value_equal(type->fields[0].type, kv, key))
                memcpy(found + value->size * values->len++, kv + type->fields[1].offset,
                       value->size);
        }
        return BEAM_OK;
    }
    return BEAM_OK;
}

static inline beam_status stage_residual(void *self, const beam_plan_split *split, beam_error *err)
{
    stage *s = self;
    if (s->fail_residual)
        return beam_error_set(err, s->fail_residual, "no room for residuals");
    s->residual_type = split->type;
    return stage_keep(s, split->type, split->residual, split->info, 1,
                      &s->residuals[s->n_residuals++]);
}

static inline void stage_init(stage *s)
{
    memset(s, 0, sizeof *s);
    beam_pb__process_bundle_descriptor__init(&s->descriptor);
    s->descriptor.id = stage_text(s, "stage");
    s->descriptor.transforms = s->transforms;
    s->descriptor.pcollections = s->pcollections;
    s->descriptor.windowing_strategies = s->strategies;
    s->coders.arena = &s->arena;
    s->driver = (beam_plan_driver){.self = s,
                                   .bind_sink = stage_bind_sink,
                                   .side_input = stage_read_side,
                                   .residual = stage_residual};
}

static inline beam_plan_options stage_options(stage *s)
{
    s->descriptor.n_coders = s->coders.n;
    s->descriptor.coders = s->coders.entries;
    return (beam_plan_options){
        .descriptor = &s->descriptor, .registry = &s->registry, .driver = &s->driver};
}

static inline beam_plan *stage_open(stage *s)
{
    beam_plan_options options = stage_options(s);
    beam_plan *plan;
    beam_error err = {.code = BEAM_OK};
    if (beam_plan_open(&options, &plan, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    STAGE_OK(beam_plan_setup(plan));
    STAGE_OK(beam_plan_start_bundle(plan));
    return plan;
}

/* Opening fails with this code and a message that holds `words`. */
static inline void stage_refused(stage *s, beam_status code, const char *words)
{
    beam_plan_options options = stage_options(s);
    beam_plan *plan;
    beam_error err = {.code = BEAM_OK};
    assert_int_equal(beam_plan_open(&options, &plan, &err), code);
    assert_null(plan);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static inline beam_status stage_push(beam_plan *plan, const void *elements, size_t n,
                                     const beam_element_info *info)
{
    return beam_plan_push(plan, beam_plan_get_source(plan, 0), info, elements, n);
}

static inline void stage_finish(beam_plan *plan)
{
    if (beam_plan_finish_bundle(plan) != BEAM_OK)
        fail_msg("%s", beam_plan_get_failure(plan)->error.message);
    beam_plan_end_bundle(plan);
}

static inline stage_sink *stage_find(stage *s, const char *id)
{
    for (size_t i = 0; i < s->n_sinks; i++)
        if (strcmp(s->sinks[i].id, id) == 0)
            return &s->sinks[i];
    fail_msg("no sink %s", id);
    return NULL;
}

#define STAGE_AT(sink, T, i) (*(const T *)(sink)->elements[i].value)

/* Forgets what reached the sinks. */
static inline void stage_clear(stage *s)
{
    for (size_t i = 0; i < s->n_sinks; i++)
        s->sinks[i].n = 0;
    s->n_residuals = 0;
    beam_arena_reset(&s->kept);
}

static inline void stage_free(stage *s)
{
    for (size_t i = 0; i < s->n_sinks; i++)
        beam_free(s->sinks[i].elements);
    beam_coder_set_free(&s->coders);
    beam_registry_free(&s->registry);
    beam_arena_free(&s->kept);
    beam_arena_free(&s->arena);
}

static const beam_window stage_global_window = BEAM_GLOBAL_WINDOW;

static inline beam_element_info stage_info(beam_timestamp timestamp)
{
    return (beam_element_info){timestamp, &stage_global_window, 1, BEAM_PANE_NO_FIRING};
}

#endif
