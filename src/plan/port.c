/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* port.c - beam:runner:source:v1 and beam:runner:sink:v1: where a runner's own code begins. */
#include "model/urn.h"
#include "plan/node.h"

typedef struct port_node {
    beam_node node;
    beam_plan_port port;
} port_node;

const beam_plan_port *beam_node_port(const beam_node *node)
{
    return &((const port_node *)node)->port;
}

static void describe_port(port_node *self, const beam_plan_pcoll *pcoll)
{
    const ProtobufCBinaryData *payload = &self->node.proto->spec->payload;
    self->port = (beam_plan_port){
        .transform = self->node.id,
        .unique_name = self->node.unique_name,
        .pcollection = pcoll->id,
        .type = pcoll->type,
        .windowing = pcoll->windowing,
        .payload = payload->data,
        .payload_size = payload->len,
    };
}

static beam_status open_source(beam_node *node, beam_error *err)
{
    if (node->proto->n_inputs || node->proto->n_outputs != 1)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a source has one output and no input");
    BEAM_TRY(beam_node_make_outputs(node, 1, err));
    BEAM_TRY(beam_node_set_output(node, 0, node->proto->outputs[0], err));
    describe_port((port_node *)node, node->outs[0]);
    beam_node_guard(node, false); /* nobody but beam_plan_push emits from it */
    return BEAM_OK;
}

static beam_status open_sink(beam_node *node, beam_error *err)
{
    BEAM_TRY(beam_node_only_input(node, err));
    if (node->proto->n_outputs)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a sink has no output");
    describe_port((port_node *)node, node->in);
    beam_plan_sink sink = {0};
    const beam_plan_driver *driver = &node->plan->driver;
    BEAM_TRY(driver->bind_sink(driver->self, beam_node_port(node), &sink, err));
    node->ctx.state = sink.state;
    node->process = sink.process;
    if (sink.process_batch)
        node->process_batch = sink.process_batch;
    node->fn_in = node->in_type;
    return BEAM_OK;
}

const beam_node_kind beam_source_kind = {
    .urn = BEAM_URN_DATA_SOURCE, .size = sizeof(port_node), .open = open_source};
const beam_node_kind beam_sink_kind = {
    .urn = BEAM_URN_DATA_SINK, .size = sizeof(port_node), .open = open_sink};
