/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pipeline_proto.c - foreign bytes as a Pipeline: its coders and windowing are read (and
 * types written and read again), then it is planned as the embedded runner does and each stage
 * is opened, short of running it. */
#include <stdint.h>
#include <stdlib.h>

#include "direct/graph.h"
#include "graph/pipeline.h"
#include "model/coders.h"
#include "model/message.h"
#include "model/windowing.h"
#include "plan/plan.h"

enum { MEMORY = 64 << 20 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A type that was read can be written, and comes back equal. */
static void check_type(const beam_type *type, beam_arena *arena)
{
    beam_coder_set set = {.arena = arena};
    const char *id;
    const beam_type *again;
    beam_status status = beam_coder_set_type(&set, type, &id, NULL);
    if (status == BEAM_OK) {
        const beam_coder_map map = {set.entries, set.n, false};
        status = beam_coder_type(map, id, arena, &again, NULL);
        require(status == BEAM_RESOURCE_EXHAUSTED || status == BEAM_OK);
        require(status != BEAM_OK || beam_type_equal(type, again));
    }
    beam_coder_set_free(&set);
}

static void read_parts(const uint8_t *data, size_t size)
{
    BeamPb__Pipeline *pipeline;
    beam_error err = {0};
    if (beam_message_unpack(&beam_pb__pipeline__descriptor, data, size, &pipeline, &err) != BEAM_OK)
        return;
    const BeamPb__Components *components = pipeline->components;
    for (size_t i = 0; components && i < components->n_coders; i++) {
        beam_arena arena = {.limit = MEMORY};
        const beam_coder_map map = {components->coders, components->n_coders, false};
        const beam_type *type, *window;
        if (beam_coder_type(map, components->coders[i]->key, &arena, &type, &err) == BEAM_OK)
            check_type(type, &arena);
        (void)beam_coder_windowed(map, components->coders[i]->key, &arena, &type, &window, &err);
        beam_arena_free(&arena);
    }
    for (size_t i = 0; components && i < components->n_windowing_strategies; i++) {
        beam_windowing windowing;
        if (beam_windowing_from_proto(components->windowing_strategies[i]->value, &windowing,
                                      &err) == BEAM_OK)
            require(beam_windowing_check(&windowing, NULL) == BEAM_OK);
    }
    beam_message_free(pipeline);
}

static beam_status drop(beam_ctx *ctx, const void *element)
{
    (void)ctx;
    (void)element;
    return BEAM_OK;
}

static beam_status drop_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    (void)ctx;
    (void)elements;
    (void)n;
    return BEAM_OK;
}

static beam_status bind_sink(void *self, const beam_plan_port *port, beam_plan_sink *sink,
                             beam_error *err)
{
    (void)self;
    (void)port;
    (void)err;
    *sink = (beam_plan_sink){.process = drop, .process_batch = drop_batch};
    return BEAM_OK;
}

static void plan_stages(const uint8_t *data, size_t size)
{
    static beam_registry registry;
    const beam_plan_driver driver = {.bind_sink = bind_sink};
    beam_direct_graph graph = {0};
    beam_error err = {0};
    if (registry.n_dofns == 0)
        require(beam_registry_add_functions(&registry, beam_transform_functions(), NULL) ==
                BEAM_OK);
    if (beam_direct_graph_read(&graph, data, size, &err) == BEAM_OK)
        for (size_t i = 0; i < graph.n_stages; i++) {
            const beam_plan_options options = {
                .descriptor = graph.stages[i].descriptor, .registry = &registry, .driver = &driver};
            beam_plan *plan;
            if (beam_plan_open(&options, &plan, &err) == BEAM_OK)
                beam_plan_close(plan);
        }
    beam_direct_graph_free(&graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_parts(data, size);
    plan_stages(data, size);
    return 0;
}
