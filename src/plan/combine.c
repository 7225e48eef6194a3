/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* combine.c - the parts of a combine after (or without) the lift: merging accumulators,
 * extracting outputs, converting inputs one by one, and combining whole groups. */
#include "plan/combine.h"

#include <malloc.h>

#include "base/alloc.h"
#include "model/coders.h"
#include "model/function.h"
#include "model/message.h"
#include "model/urn.h"

enum { RUN = 256 }; /* inputs given to add_batch at once */

/* ---- Memory that accumulators own ----------------------------------------------------- */

static _Thread_local int64_t held __attribute__((tls_model("initial-exec")));

int64_t beam_acc_held(void)
{
    return held;
}

void *beam_acc_realloc(void *old, size_t size)
{
    int64_t before = (int64_t)malloc_usable_size(old);
    if (size == 0) {
        beam_free(old);
        held -= before;
        return NULL;
    }
    void *memory = beam_realloc(old, size);
    if (memory)
        held += (int64_t)malloc_usable_size(memory) - before;
    return memory;
}

/* ---- Opening -------------------------------------------------------------------------- */

static bool has_coder(const beam_node *node, const char *id)
{
    const BeamPb__ProcessBundleDescriptor *descriptor = node->plan->descriptor;
    return beam_coder_find((beam_coder_map){descriptor->coders, descriptor->n_coders, false}, id) !=
           NULL;
}

static beam_status read_payload(beam_combine_node *self, beam_error *err)
{
    beam_node *node = &self->node;
    const ProtobufCBinaryData *bytes = &node->proto->spec->payload;
    BeamPb__CombinePayload *payload;
    BEAM_TRY(beam_message_unpack(&beam_pb__combine_payload__descriptor, bytes->data, bytes->len,
                                 &payload, err));
    beam_status status =
        payload->combine_fn
            ? beam_combinefn_from_proto(payload->combine_fn, node->plan->registry,
                                        &node->plan->arena, &self->fn, &node->ctx.config, err)
            : beam_error_set(err, BEAM_INVALID_ARGUMENT, "names no CombineFn");
    /* Engines leave coders out that no PCollection of the stage has. */
    if (status == BEAM_OK && self->fn->acc && !has_coder(node, payload->accumulator_coder_id))
        self->acc = self->fn->acc;
    else if (status == BEAM_OK)
        status = beam_plan_coder_type(node->plan, payload->accumulator_coder_id, &self->acc, err);
    beam_message_free(payload);
    return status;
}

static beam_status read_kv(const beam_type *type, const char *what, beam_kv_layout *layout,
                           beam_error *err)
{
    if (type->kind != BEAM_KIND_KV || type->fields[0].offset != 0)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION, "%s is no KV", what);
    *layout = (beam_kv_layout){
        .type = type,
        .key = type->fields[0].type,
        .value = type->fields[1].type,
        .value_at = type->fields[1].offset,
    };
    return BEAM_OK;
}

beam_status beam_combine_open(beam_node *node, beam_error *err)
{
    beam_combine_node *self = (beam_combine_node *)node;
    BEAM_TRY(read_payload(self, err));
    node->function = self->fn->name;
    node->fn_acc = self->acc;
    if (!self->fn->add || !self->fn->merge)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "CombineFn %s lacks add or merge",
                              self->fn->name);
    BEAM_TRY(beam_node_expect_type(node, "the accumulator", self->fn->acc, self->acc, err));
    BEAM_TRY(beam_node_one_to_one(node, err));
    if (!node->outs[0])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "has no output");
    BEAM_TRY(read_kv(node->in_type, "the input", &self->in, err));
    BEAM_TRY(read_kv(node->outs[0]->type, "the output", &self->out, err));
    beam_node_guard(node, false);
    return beam_node_expect_type(node, "the output's key", self->in.key, self->out.key, err);
}

beam_status beam_combine_expect_acc(const beam_combine_node *self, const char *what,
                                    const beam_type *type, beam_error *err)
{
    return beam_node_expect_type(&self->node, what, self->acc, type, err);
}

beam_status beam_combine_adds(beam_combine_node *self, const beam_type *type, beam_error *err)
{
    self->node.fn_in = type;
    return beam_node_expect_type(&self->node, "the value", self->fn->in, type, err);
}

beam_status beam_combine_extracts(beam_combine_node *self, beam_error *err)
{
    beam_node *node = &self->node;
    node->fn_outs = &self->out.value;
    node->n_fn_outs = 1;
    if (!self->fn->extract)
        return beam_combine_expect_acc(self, "the output", self->out.value, err);
    return beam_node_expect_type(node, "the output", self->fn->out, self->out.value, err);
}

/* ---- Working -------------------------------------------------------------------------- */

/* A node that makes one output of one input. */
typedef struct step_node {
    beam_combine_node combine;
    char *acc, *result;
    bool plain; /* accumulators are their bytes and nothing else */
} step_node;

static beam_status open_step(beam_node *node, beam_error *err)
{
    step_node *self = (step_node *)node;
    BEAM_TRY(beam_combine_open(node, err));
    self->acc = beam_plan_alloc(node->plan, 1, self->combine.acc->size, err);
    self->result = beam_plan_alloc(node->plan, 1, self->combine.out.type->size, err);
    return self->acc && self->result ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

static beam_status emit_value(step_node *self, const void *key, const void *value)
{
    const beam_kv_layout *out = &self->combine.out;
    memcpy(self->result, key, out->key->size);
    memcpy(self->result + out->value_at, value, out->value->size);
    return beam_emit_element(&self->combine.node.ctx, 0, self->result);
}

static beam_status emit_acc(step_node *self, const void *key)
{
    const beam_combinefn *fn = self->combine.fn;
    if (fn->compact)
        BEAM_TRY(fn->compact(&self->combine.node.ctx, self->acc));
    return emit_value(self, key, self->acc);
}

static beam_status emit_extracted(step_node *self, const void *key, const void *acc)
{
    const beam_combinefn *fn = self->combine.fn;
    const beam_kv_layout *out = &self->combine.out;
    if (!fn->extract)
        return emit_value(self, key, acc);
    memcpy(self->result, key, out->key->size);
    memset(self->result + out->value_at, 0, out->value->size);
    BEAM_TRY(fn->extract(&self->combine.node.ctx, acc, self->result + out->value_at));
    return beam_emit_element(&self->combine.node.ctx, 0, self->result);
}

/* ---- beam:transform:combine_per_key_merge_accumulators:v1 ----------------------------- */

static beam_status merge_all(step_node *self, const beam_iterable *others)
{
    beam_ctx *ctx = &self->combine.node.ctx;
    beam_iter iter = beam_iterate_(others, self->combine.acc->size);
    const void *other;
    while ((other = beam_next_(&iter)))
        BEAM_TRY(self->combine.fn->merge(ctx, self->acc, other));
    if (iter.status != BEAM_OK)
        return beam_fail(ctx, iter.status, "a group's accumulators cannot be read");
    return BEAM_OK;
}

static beam_status merge_one(beam_ctx *ctx, const void *element)
{
    step_node *self = (step_node *)ctx;
    const char *at = (const char *)element + self->combine.in.value_at;
    const beam_iterable *values = (const beam_iterable *)(const void *)at;
    if (!values->ops && values->len == 1 && self->plain) {
        memcpy(self->acc, values->source, self->combine.acc->size); /* nothing to merge */
        return emit_acc(self, element);
    }
    BEAM_TRY(beam_combine_create(&self->combine, self->acc));
    beam_status status = merge_all(self, values);
    if (status == BEAM_OK)
        status = emit_acc(self, element);
    beam_combine_destroy(&self->combine, self->acc);
    return status;
}

static beam_status expect_iterable(const beam_combine_node *self, beam_error *err)
{
    if (self->in.value->kind == BEAM_KIND_ITERABLE)
        return BEAM_OK;
    return beam_error_set(err, BEAM_FAILED_PRECONDITION, "the input is not grouped");
}

static beam_status open_merge(beam_node *node, beam_error *err)
{
    beam_combine_node *self = (beam_combine_node *)node;
    BEAM_TRY(open_step(node, err));
    BEAM_TRY(expect_iterable(self, err));
    BEAM_TRY(
        beam_combine_expect_acc(self, "the input's value", self->in.value->fields[0].type, err));
    BEAM_TRY(beam_combine_expect_acc(self, "the output's value", self->out.value, err));
    ((step_node *)node)->plain = !self->fn->destroy && beam_type_is_flat(self->acc);
    node->process = merge_one;
    return BEAM_OK;
}

const beam_node_kind beam_merge_kind = {
    .urn = BEAM_URN_COMBINE_MERGE, .size = sizeof(step_node), .open = open_merge};

/* The node that a source's elements go to. */
static beam_node *consumer_of(const beam_plan_source *source)
{
    return beam_node_of(((const beam_node *)source)->receivers[0].ctx);
}

bool beam_plan_source_merges(const beam_plan_source *source)
{
    const beam_node *node = consumer_of(source);
    return node->kind == &beam_merge_kind && ((const step_node *)node)->plain;
}

beam_status beam_plan_merge(beam_plan *plan, beam_plan_source *source, void *const *accs,
                            const void *others, size_t stride, size_t n)
{
    beam_node *node = consumer_of(source);
    const beam_combinefn *fn = ((const beam_combine_node *)node)->fn;
    beam_status status = BEAM_OK;
    __atomic_store_n(&plan->frame.active, &node->ctx, __ATOMIC_RELAXED);
    if (fn->merge == fn->add && fn->add_batch) /* accumulators are inputs, as those of sums */
        status = fn->add_batch(&node->ctx, accs, others, stride, n);
    else
        for (size_t i = 0; i < n && status == BEAM_OK; i++)
            status = fn->merge(&node->ctx, accs[i], (const char *)others + i * stride);
    if (status != BEAM_OK)
        beam_node_failed(node, status, "process", NULL, 0);
    __atomic_store_n(&plan->frame.active, &((beam_node *)source)->ctx, __ATOMIC_RELAXED);
    beam_arena_reset(&node->scratch);
    return status;
}

/* ---- beam:transform:combine_per_key_extract_outputs:v1 -------------------------------- */

static beam_status extract_one(beam_ctx *ctx, const void *element)
{
    step_node *self = (step_node *)ctx;
    return emit_extracted(self, element, (const char *)element + self->combine.in.value_at);
}

static beam_status open_extract(beam_node *node, beam_error *err)
{
    beam_combine_node *self = (beam_combine_node *)node;
    BEAM_TRY(open_step(node, err));
    BEAM_TRY(beam_combine_expect_acc(self, "the input's value", self->in.value, err));
    node->process = extract_one;
    return beam_combine_extracts(self, err);
}

const beam_node_kind beam_extract_kind = {
    .urn = BEAM_URN_COMBINE_EXTRACT, .size = sizeof(step_node), .open = open_extract};

/* ---- beam:transform:combine_per_key_convert_to_accumulators:v1 ------------------------ */

static beam_status convert_one(beam_ctx *ctx, const void *element)
{
    step_node *self = (step_node *)ctx;
    BEAM_TRY(beam_combine_create(&self->combine, self->acc));
    beam_status status =
        self->combine.fn->add(ctx, self->acc, (const char *)element + self->combine.in.value_at);
    if (status == BEAM_OK)
        status = emit_acc(self, element);
    beam_combine_destroy(&self->combine, self->acc);
    return status;
}

static beam_status open_convert(beam_node *node, beam_error *err)
{
    beam_combine_node *self = (beam_combine_node *)node;
    BEAM_TRY(open_step(node, err));
    BEAM_TRY(beam_combine_adds(self, self->in.value, err));
    BEAM_TRY(beam_combine_expect_acc(self, "the output's value", self->out.value, err));
    node->process = convert_one;
    return BEAM_OK;
}

const beam_node_kind beam_convert_kind = {
    .urn = BEAM_URN_COMBINE_CONVERT, .size = sizeof(step_node), .open = open_convert};

/* ---- beam:transform:combine_grouped_values:v1 ----------------------------------------- */

static beam_status add_run(step_node *self, const char *run, size_t n, size_t size)
{
    beam_ctx *ctx = &self->combine.node.ctx;
    const beam_combinefn *fn = self->combine.fn;
    if (!fn->add_batch) {
        for (; n > 0; n--, run += size)
            BEAM_TRY(fn->add(ctx, self->acc, run));
        return BEAM_OK;
    }
    void *accs[RUN];
    for (size_t i = 0; i < RUN && i < n; i++)
        accs[i] = self->acc;
    while (n > 0) {
        size_t now = n < RUN ? n : RUN;
        BEAM_TRY(fn->add_batch(ctx, accs, run, size, now));
        run += now * size;
        n -= now;
    }
    return BEAM_OK;
}

static beam_status add_all(step_node *self, const beam_iterable *values)
{
    size_t size = self->combine.node.fn_in->size, n;
    beam_iter iter = beam_iterate_(values, size);
    const void *run;
    while ((run = beam_next_run_(&iter, &n)))
        BEAM_TRY(add_run(self, run, n, size));
    if (iter.status != BEAM_OK)
        return beam_fail(&self->combine.node.ctx, iter.status, "a group cannot be read");
    return BEAM_OK;
}

static beam_status combine_values_one(beam_ctx *ctx, const void *element)
{
    step_node *self = (step_node *)ctx;
    const char *values = (const char *)element + self->combine.in.value_at;
    BEAM_TRY(beam_combine_create(&self->combine, self->acc));
    beam_status status = add_all(self, (const beam_iterable *)(const void *)values);
    if (status == BEAM_OK)
        status = emit_extracted(self, element, self->acc);
    beam_combine_destroy(&self->combine, self->acc);
    return status;
}

static beam_status open_combine_values(beam_node *node, beam_error *err)
{
    beam_combine_node *self = (beam_combine_node *)node;
    BEAM_TRY(open_step(node, err));
    BEAM_TRY(expect_iterable(self, err));
    BEAM_TRY(beam_combine_adds(self, self->in.value->fields[0].type, err));
    node->process = combine_values_one;
    return beam_combine_extracts(self, err);
}

const beam_node_kind beam_combine_values_kind = {
    .urn = BEAM_URN_COMBINE_GROUPED_VALUES,
    .size = sizeof(step_node),
    .open = open_combine_values,
};
