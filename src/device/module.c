/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* module.c - StableHLO modules made elsewhere, on PJRT: each file is compiled for every chip, and
 * the weights among its arguments lie there.  What main takes is asked of the compiler, so that
 * text and bytecode are read by nobody else. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "device/module.h"
#include "device/pjrt_call.h"
#include "device/program_shape.h"
#include "nn/network.h"

/* One batch size. */
typedef struct variant {
    int64_t batch;
    PJRT_LoadedExecutable **programs; /* one a chip */
} variant;

typedef struct module_model {
    beam_model *model;
    const beam_pjrt_client *client;
    variant variants[BEAM_FOREIGN_MAX_FILES]; /* batch sizes ascending */
    size_t num_variants, num_chips;
    beam_program_shape shape; /* of the first file; the others differ in the batch only */
    int64_t first_batch;
    int64_t program_bytes; /* counted as working memory */
    PJRT_Buffer **weights; /* num_chips times one an argument; NULL where it is an input */
    size_t num_inputs, inputs[BEAM_FOREIGN_MAX_PORTS]; /* their places among the arguments */
} module_model;

typedef struct module_context {
    const variant *variant; /* for what was fed */
    beam_pjrt_call call;
} module_context;

const char *beam_module_say(const beam_tensor *tensor, beam_module_words *out)
{
    int at = snprintf(out->text, sizeof out->text, "%s{", beam_dtype_name(tensor->dtype));
    for (uint32_t i = 0; i < tensor->rank && at < 140; i++)
        at += snprintf(out->text + at, sizeof out->text - (size_t)at, "%s%lld", i ? ", " : "",
                       (long long)tensor->shape[i]);
    (void)snprintf(out->text + at, sizeof out->text - (size_t)at, "}");
    return out->text;
}

beam_hlo_value beam_module_value(const beam_tensor *tensor)
{
    static const beam_hlo_type types[] = {[BEAM_F32] = BEAM_HLO_F32,
                                          [BEAM_F16] = BEAM_HLO_F16,
                                          [BEAM_BF16] = BEAM_HLO_BF16,
                                          [BEAM_I32] = BEAM_HLO_I32,
                                          [BEAM_BOOL] = BEAM_HLO_PRED};
    beam_hlo_value value = {.type = types[tensor->dtype], .rank = tensor->rank};
    memcpy(value.dims, tensor->shape, sizeof value.dims);
    return value;
}

static bool can_upload(beam_dtype dtype)
{
    return dtype == BEAM_F32 || dtype == BEAM_F16 || dtype == BEAM_BF16 || dtype == BEAM_I32 ||
           dtype == BEAM_BOOL;
}

/* ---- arguments ---- */

const char *beam_module_line(const char **list, size_t *len)
{
    const char *line = *list;
    if (!line || !*line)
        return NULL;
    *len = strcspn(line, "\n");
    *list = line + *len + (line[*len] == '\n');
    return line;
}

static const beam_named_tensor *find_weight(const beam_load_options *o, const char *name,
                                            size_t len)
{
    for (size_t i = 0; i < o->num_weights; i++)
        if (strlen(o->weights[i].name) == len && memcmp(o->weights[i].name, name, len) == 0)
            return &o->weights[i];
    return NULL;
}

/* Which weight each argument is; NULL for inputs. */
static beam_status match_weights(const module_model *state, const beam_load_options *o,
                                 const beam_named_tensor **found, beam_error *err)
{
    size_t n = state->shape.num_arguments, used = 0, len = 0, i = 0;
    const char *list = o->arguments, *line = NULL;
    if (!list) {
        if (o->num_weights > n)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "main takes %zu arguments and there are %zu weights", n,
                                  o->num_weights);
        for (; used < o->num_weights; used++)
            found[used] = &o->weights[used];
        return BEAM_OK;
    }
    for (; (line = beam_module_line(&list, &len)) != NULL && i < n; i++) {
        found[i] = find_weight(o, line, len);
        used += found[i] != NULL;
    }
    if (line || i != n)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "main takes %zu arguments, and the weights' note \"arguments\" names "
                              "%s",
                              n, line ? "more" : "fewer");
    if (used != o->num_weights)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "of %zu weights, main's arguments are %zu", o->num_weights, used);
    return BEAM_OK;
}

static beam_status check_weight(size_t index, const beam_tensor *wanted,
                                const beam_named_tensor *weight, beam_error *err)
{
    beam_module_words is, should;
    if (!beam_tensor_same_shape(wanted, &weight->tensor))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "argument %zu of main is %s, and the weight %s is %s", index,
                              beam_module_say(wanted, &should), weight->name,
                              beam_module_say(&weight->tensor, &is));
    if (!can_upload(wanted->dtype))
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "argument %zu of main, %s, is %s", index,
                              weight->name, beam_module_say(wanted, &should));
    return BEAM_OK;
}

static beam_status upload_weight(module_model *state, size_t index, const beam_named_tensor *weight,
                                 beam_error *err)
{
    beam_hlo_value shape = beam_module_value(&weight->tensor);
    for (size_t chip = 0; chip < state->num_chips; chip++) {
        BEAM_TRY(beam_pjrt_replace(state->client, chip, weight->tensor.data, &shape,
                                   &state->weights[chip * state->shape.num_arguments + index],
                                   err));
        beam_device_count_weights(state->model, (int64_t)beam_tensor_bytes(&weight->tensor));
    }
    return BEAM_OK;
}

static beam_status take_weights(module_model *state, const beam_load_options *o, beam_error *err)
{
    size_t n = state->shape.num_arguments;
    const beam_named_tensor **found = beam_calloc(n, sizeof *found);
    state->weights = beam_calloc(n * state->num_chips, sizeof(PJRT_Buffer *));
    beam_status status = BEAM_OK;
    if (!found || !state->weights)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    if (status == BEAM_OK)
        status = match_weights(state, o, found, err);
    for (size_t i = 0; status == BEAM_OK && i < n; i++) {
        state->num_inputs += !found[i];
        if (!found[i])
            continue;
        status = check_weight(i, &state->shape.tensors[i], found[i], err);
        if (status == BEAM_OK)
            status = upload_weight(state, i, found[i], err);
    }
    beam_free(found);
    return status;
}

/* ---- shapes ---- */

/* An input or result, which must be f32 with the batch first. */
static beam_status take_port(const char *what, size_t index, const beam_tensor *tensor,
                             int64_t *batch, beam_foreign_port *port, beam_error *err)
{
    beam_module_words is;
    if (tensor->dtype != BEAM_F32 || tensor->rank < 1 || tensor->shape[0] < 1)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "%s %zu of main is %s; inputs and results must be f32, with the batch "
            "first. If it is a weight, name it in the weights",
            what, index, beam_module_say(tensor, &is));
    if (*batch != 0 && *batch != tensor->shape[0])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s %zu of main is %s, which does not begin with the batch, %lld; "
                              "if it is a weight, name it in the weights",
                              what, index, beam_module_say(tensor, &is), (long long)*batch);
    *batch = tensor->shape[0];
    *port = (beam_foreign_port){.rank = tensor->rank};
    memcpy(port->shape, tensor->shape, sizeof port->shape);
    port->shape[0] = BEAM_NN_BATCH;
    return BEAM_OK;
}

static beam_status describe(module_model *state, const char *name, beam_error *err)
{
    const beam_program_shape *shape = &state->shape;
    beam_foreign_port ins[BEAM_FOREIGN_MAX_PORTS], outs[BEAM_FOREIGN_MAX_PORTS];
    size_t num_ins = 0;
    if (state->num_inputs < 1 || state->num_inputs > BEAM_FOREIGN_MAX_PORTS ||
        shape->num_results < 1 || shape->num_results > BEAM_FOREIGN_MAX_PORTS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "main has %zu inputs beside weights and %zu results, not 1 to %d of "
                              "each; give its weights (or the note \"arguments\" in them)",
                              state->num_inputs, shape->num_results, BEAM_FOREIGN_MAX_PORTS);
    for (size_t i = 0; i < shape->num_arguments; i++)
        if (!state->weights[i]) {
            state->inputs[num_ins] = i;
            BEAM_TRY(take_port("argument", i, &shape->tensors[i], &state->first_batch,
                               &ins[num_ins++], err));
        }
    for (size_t i = 0; i < shape->num_results; i++)
        BEAM_TRY(take_port("result", i, &shape->tensors[shape->num_arguments + i],
                           &state->first_batch, &outs[i], err));
    return beam_foreign_describe(state->model, name, ins, num_ins, outs, shape->num_results, err);
}

/* Another file of the same model: all the same but the batch. */
static beam_status check_variant(const module_model *state, const beam_program_shape *other,
                                 int64_t *batch, beam_error *err)
{
    const beam_program_shape *shape = &state->shape;
    size_t n = shape->num_arguments + shape->num_results;
    bool same =
        other->num_arguments == shape->num_arguments && other->num_results == shape->num_results;
    *batch = 0;
    for (size_t i = 0; same && i < n; i++) {
        beam_tensor wanted = shape->tensors[i];
        if (i >= shape->num_arguments || !state->weights[i]) {
            if (*batch == 0 && other->tensors[i].rank > 0)
                *batch = other->tensors[i].shape[0];
            wanted.shape[0] = *batch;
        }
        same = beam_tensor_same_shape(&wanted, &other->tensors[i]);
    }
    return same ? BEAM_OK
                : beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                 "its files take other arguments or give other results: they must "
                                 "differ in the batch alone");
}

/* ---- compiling ---- */

static beam_status compile_for(module_model *state, const beam_file_view *file, size_t chip,
                               PJRT_LoadedExecutable **program, beam_error *err)
{
    int64_t id;
    beam_pjrt_memory memory;
    BEAM_TRY(beam_pjrt_device_id(state->client, chip, &id, err));
    BEAM_TRY(beam_pjrt_compile(state->client, file->data, file->size,
                               &(beam_pjrt_target){.device_ids = &id}, program, err));
    beam_pjrt_loaded_memory(state->client->api, *program, &memory);
    state->program_bytes += memory.code + memory.temporary;
    beam_device_count_working(state->model->device, memory.code + memory.temporary);
    return BEAM_OK;
}

/* Into its place by batch size. */
static void insert(module_model *state, variant added)
{
    size_t at = state->num_variants++;
    while (at > 0 && state->variants[at - 1].batch > added.batch) {
        state->variants[at] = state->variants[at - 1];
        at--;
    }
    state->variants[at] = added;
}

static beam_status add_file(module_model *state, const beam_foreign_files *files, size_t index,
                            const beam_load_options *options, beam_error *err)
{
    variant added = {.programs = beam_calloc(state->num_chips, sizeof(PJRT_LoadedExecutable *))};
    beam_program_shape shape = {0};
    beam_status status = BEAM_OK;
    if (!added.programs)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    for (size_t chip = 0; status == BEAM_OK && chip < state->num_chips; chip++)
        status = compile_for(state, &files->views[index], chip, &added.programs[chip], err);
    if (status == BEAM_OK)
        status = beam_program_shape_of(state->client->api, added.programs[0], &shape, err);
    if (status == BEAM_OK && index == 0) {
        state->shape = shape;
        shape = (beam_program_shape){0};
        status = take_weights(state, options, err);
        if (status == BEAM_OK)
            status = describe(state, files->name, err);
        added.batch = state->first_batch;
    } else if (status == BEAM_OK) {
        status = check_variant(state, &shape, &added.batch, err);
    }
    insert(state, added); /* whatever came: so that it is freed */
    beam_program_shape_free(&shape);
    return status;
}

static void module_discard(beam_model *model)
{
    module_model *state = model->state;
    const PJRT_Api *api = state->client->api;
    for (size_t i = 0; i < state->num_variants; i++) {
        for (size_t chip = 0; chip < state->num_chips; chip++)
            beam_pjrt_executable_free(api, state->variants[i].programs[chip]);
        beam_free(state->variants[i].programs);
    }
    for (size_t i = 0; state->weights && i < state->num_chips * state->shape.num_arguments; i++)
        beam_pjrt_buffer_free(api, state->weights[i]);
    beam_device_count_working(model->device, -state->program_bytes);
    beam_program_shape_free(&state->shape);
    beam_free(state->weights);
    beam_free(state);
}

beam_status beam_module_load(beam_model *model, const beam_foreign_files *files,
                             const beam_load_options *options, beam_error *err)
{
    const beam_pjrt_device *device = model->device->state;
    if (options->precision != BEAM_PRECISION_F32)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a StableHLO module computes in what it was exported in; leave the "
                              "precision out");
    module_model *state = model->state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    state->model = model;
    state->client = device->client;
    state->num_chips = model->device->slots;
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < files->count; i++)
        status = add_file(state, files, i, options, err);
    if (status != BEAM_OK) {
        module_discard(model);
        return status;
    }
    int64_t most = state->variants[state->num_variants - 1].batch;
    if (most < model->max_batch)
        model->max_batch = most;
    atomic_store(&model->programs, (unsigned)state->num_variants);
    return BEAM_OK;
}

/* ---- contexts ---- */

static beam_status module_context_open(beam_model_context *context, beam_error *err)
{
    const module_model *state = context->model->state;
    beam_pjrt_device *device = context->model->device->state;
    module_context *c = beam_calloc(1, sizeof *c);
    if (!c)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model's context");
    size_t n = state->shape.num_arguments;
    c->call = (beam_pjrt_call){.model = context->model,
                               .client = state->client,
                               .chip = atomic_fetch_add(&device->contexts, 1) % state->num_chips,
                               .num_arguments = n,
                               .most_rows = state->variants[state->num_variants - 1].batch,
                               .inputs = state->inputs};
    beam_status status = beam_pjrt_call_open(&c->call, err);
    if (status != BEAM_OK) {
        beam_free(c);
        return status;
    }
    memcpy(c->call.arguments, state->weights + c->call.chip * n, n * sizeof *c->call.arguments);
    context->state = c;
    return BEAM_OK;
}

static void module_context_close(beam_model_context *context)
{
    module_context *c = context->state;
    beam_pjrt_call_close(&c->call);
    beam_free(c);
}

static beam_status module_feed(beam_model_context *context, beam_error *err)
{
    module_context *c = context->state;
    const module_model *state = context->model->state;
    beam_status status = BEAM_OK;
    beam_pjrt_call_drop(&c->call);
    c->variant = state->variants;
    while (c->variant->batch < context->inputs[0].shape[0])
        c->variant++;
    for (size_t i = 0; status == BEAM_OK && i < state->num_inputs; i++) {
        beam_tensor full = beam_network_input(context->model->network, i, c->variant->batch);
        beam_hlo_value shape = beam_module_value(&full);
        status =
            beam_pjrt_call_feed(&c->call, i, &context->inputs[i], c->variant->batch, &shape, err);
    }
    if (status != BEAM_OK)
        beam_pjrt_call_drop(&c->call);
    return status;
}

static beam_status module_execute(beam_model_context *context, beam_tensor *outputs,
                                  beam_error *err)
{
    module_context *c = context->state;
    const char *name = context->model->network->name;
    PJRT_LoadedExecutable *program = c->variant->programs[c->call.chip];
    int64_t batch = c->variant->batch;
    beam_status status = beam_pjrt_call_run(&c->call, program, batch, outputs, err);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return beam_pjrt_short_of_memory(c->call.client, c->call.chip, program, name, batch, err);
    return status == BEAM_OK
               ? BEAM_OK
               : beam_error_wrap(err, status, "model %s, batches of %lld", name, (long long)batch);
}

const beam_device_driver beam_module_driver = {
    .kind = "module",
    .discard = module_discard,
    .context_open = module_context_open,
    .context_close = module_context_close,
    .feed = module_feed,
    .execute = module_execute,
};
