/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* module_train.c - training steps made elsewhere, on PJRT: one program that is given all states and
 * gives new ones, which stay on the chip.  To the rest of the device layer such a training is one
 * whose network has inputs and states and no operations. */
#include <string.h>

#include "base/alloc.h"
#include "device/module.h"
#include "device/program_shape.h"
#include "nn/network.h"

/* What a step is fed, in the order of the program's inputs. */
enum { IMAGES, LABELS, LEARNING_RATE, STEP, NUM_INPUTS };
static const char *const input_names[] = {"images", "labels", "learning_rate", "step"};

/* What it gives beside states. */
enum { LOSS, CORRECT, NUM_SCALARS };
static const char *const scalar_names[] = {"loss", "correct"};

typedef struct module_training {
    const beam_pjrt_client *client;
    size_t chip; /* in the client's list */
    PJRT_LoadedExecutable *program;
    beam_program_shape shape;
    /* Arguments and results count from 1, so that 0 is none. */
    size_t inputs[NUM_INPUTS]; /* the argument that each is; main may not want it */
    size_t scalars[NUM_SCALARS];
    size_t *arguments;   /* one a state */
    size_t *replaces;    /* one a result: the argument whose place it takes */
    PJRT_Buffer **given; /* one an argument: the states stay from step to step */
    PJRT_Buffer **came;  /* one a result */
    PJRT_Event *copied[NUM_INPUTS];
} module_training;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
}

/* ---- names ---- */

/* The place of a name among some; `count` when it is none of them. */
static size_t place_of(const char *name, size_t len, const char *const *names, size_t count)
{
    size_t i = 0;
    while (i < count && (strlen(names[i]) != len || memcmp(names[i], name, len) != 0))
        i++;
    return i;
}

static size_t state_of(const beam_step_module *m, const char *name, size_t len)
{
    size_t i = 0;
    while (i < m->num_states && place_of(name, len, &m->states[i].name, 1) == 1)
        i++;
    return i;
}

/* The shape that an input or a scalar must have. */
static beam_tensor input_shape(const beam_step_module *m, size_t input)
{
    beam_tensor labels = {.dtype = BEAM_I32, .rank = 1, .shape = {m->images.shape[0]}};
    return input == IMAGES   ? m->images
           : input == LABELS ? labels
                             : (beam_tensor){.dtype = input == STEP ? BEAM_I32 : BEAM_F32};
}

static beam_status check_shape(const char *what, size_t index, const char *name, size_t len,
                               const beam_tensor *is, const beam_tensor *wanted, beam_error *err)
{
    beam_module_words has, should;
    if (beam_tensor_same_shape(is, wanted))
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s %zu of main, %.*s, is %s and must be %s",
                          what, index, (int)len, name, beam_module_say(is, &has),
                          beam_module_say(wanted, &should));
}

static beam_status twice(const char *what, const char *name, size_t len, beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "two %ss of main are called %.*s", what,
                          (int)len, name);
}

static beam_status unknown(const char *what, size_t index, const char *name, size_t len,
                           const char *others, beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "%s %zu of main is called \"%.*s\", which is no state and none of %s",
                          what, index, (int)len, name, others);
}

static beam_status take_argument(module_training *s, const beam_step_module *m, size_t index,
                                 const char *name, size_t len, beam_error *err)
{
    const beam_tensor *is = &s->shape.tensors[index];
    size_t state = state_of(m, name, len);
    size_t input = place_of(name, len, input_names, NUM_INPUTS);
    size_t *at = state < m->num_states ? &s->arguments[state] : &s->inputs[input];
    if (state == m->num_states && input == NUM_INPUTS)
        return unknown("argument", index, name, len, "images, labels, learning_rate and step", err);
    if (*at)
        return twice("argument", name, len, err);
    *at = index + 1;
    beam_tensor wanted = state < m->num_states ? m->states[state].tensor : input_shape(m, input);
    return check_shape("argument", index, name, len, is, &wanted, err);
}

static beam_status take_result(module_training *s, const beam_step_module *m, size_t index,
                               const char *name, size_t len, beam_error *err)
{
    const beam_tensor *is = &s->shape.tensors[s->shape.num_arguments + index];
    size_t state = state_of(m, name, len);
    size_t scalar = place_of(name, len, scalar_names, NUM_SCALARS);
    if (state == m->num_states && scalar == NUM_SCALARS)
        return unknown("result", index, name, len, "loss and correct", err);
    if (state == m->num_states) {
        const beam_tensor number = {.dtype = scalar == LOSS ? BEAM_F32 : BEAM_I32};
        if (s->scalars[scalar])
            return twice("result", name, len, err);
        s->scalars[scalar] = index + 1;
        return check_shape("result", index, name, len, is, &number, err);
    }
    for (size_t i = 0; i < index; i++)
        if (s->replaces[i] == s->arguments[state])
            return twice("result", name, len, err);
    s->replaces[index] = s->arguments[state];
    return check_shape("result", index, name, len, is, &m->states[state].tensor, err);
}

typedef beam_status take_one(module_training *s, const beam_step_module *m, size_t index,
                             const char *name, size_t len, beam_error *err);

/* Every name of a list. */
static beam_status take_names(module_training *s, const beam_step_module *m, const char *what,
                              const char *list, size_t count, take_one *take, beam_error *err)
{
    size_t i = 0, len = 0;
    const char *line;
    for (; (line = beam_module_line(&list, &len)) != NULL; i++)
        if (i < count)
            BEAM_TRY(take(s, m, i, line, len, err));
    if (i == count)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT, "main has %zu %ss, and %zu are named", count,
                          what, i);
}

static beam_status match(module_training *s, const beam_step_module *m, beam_error *err)
{
    BEAM_TRY(
        take_names(s, m, "argument", m->arguments, s->shape.num_arguments, take_argument, err));
    for (size_t i = 0; i < m->num_states; i++)
        if (!s->arguments[i])
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "state %s is no argument of main",
                                  m->states[i].name);
    BEAM_TRY(take_names(s, m, "result", m->results, s->shape.num_results, take_result, err));
    for (size_t i = 0; i <= LABELS; i++)
        if (!s->inputs[i])
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "no argument of main is called %s",
                                  input_names[i]);
    for (size_t i = 0; i < NUM_SCALARS; i++)
        if (!s->scalars[i])
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "no result of main is called %s",
                                  scalar_names[i]);
    return BEAM_OK;
}

/* ---- the program that the device layer sees ---- */

static beam_nn_value value_like(beam_value_kind kind, const beam_tensor *tensor)
{
    beam_nn_value value = {.kind = kind, .dtype = tensor->dtype, .rank = tensor->rank};
    memcpy(value.shape, tensor->shape, sizeof value.shape);
    return value;
}

static void add_states(beam_nn_training *program, const beam_step_module *m)
{
    beam_network *net = program->network;
    for (size_t i = 0; i < m->num_states; i++) {
        beam_nn_value value = value_like(BEAM_VALUE_STATE, &m->states[i].tensor);
        value.index = (uint32_t)i;
        beam_nn_state *state = &program->states[program->num_states++];
        state->name = beam_arena_strdup(&net->arena, m->states[i].name);
        state->value = beam_nn_add_value(net, m->states[i].name, &value).id;
        if (!state->name)
            (void)beam_nn_fail(net, m->states[i].name, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    }
}

static beam_status describe(beam_training *training, const beam_step_module *m, beam_error *err)
{
    const char *slash = strrchr(m->path, '/');
    beam_nn_training *program = training->program = beam_calloc(1, sizeof *program);
    if (!program)
        return no_memory(err);
    beam_network *net = program->network = beam_network_new(slash ? slash + 1 : m->path);
    program->states = beam_calloc(m->num_states, sizeof *program->states);
    program->gradients = beam_calloc(1, sizeof *program->gradients);
    if (!net || !program->states || !program->gradients)
        return no_memory(err);
    for (size_t i = 0; i < NUM_INPUTS; i++) {
        beam_tensor shape = input_shape(m, i);
        beam_nn_value value = value_like(BEAM_VALUE_INPUT, &shape);
        if (i <= LABELS)
            value.shape[0] = BEAM_NN_BATCH;
        (void)beam_nn_add_input(net, input_names[i], &value);
    }
    const beam_tensor logits = {
        .dtype = BEAM_F32, .rank = 2, .shape = {BEAM_NN_BATCH, m->num_classes}};
    const beam_nn_value value = value_like(BEAM_VALUE_COMPUTED, &logits);
    program->logits = beam_nn_add_value(net, "logits", &value).id;
    add_states(program, m);
    net->finished = true;
    return net->error.code == BEAM_OK
               ? BEAM_OK
               : beam_error_set(err, net->error.code, "%s", net->error.message);
}

/* ---- opening ---- */

/* Puts a state's numbers in the place of those that are there. */
static beam_status give(module_training *s, size_t argument, const void *data, beam_error *err)
{
    beam_hlo_value shape = beam_module_value(&s->shape.tensors[argument]);
    return beam_pjrt_replace(s->client, s->chip, data, &shape, &s->given[argument], err);
}

static beam_status compile(module_training *s, const char *path, beam_error *err)
{
    int64_t id;
    beam_file_view file;
    BEAM_TRY(beam_pjrt_device_id(s->client, s->chip, &id, err));
    BEAM_TRY(beam_file_view_open(path, &file, err));
    beam_status status = beam_pjrt_compile(
        s->client, file.data, file.size, &(beam_pjrt_target){.device_ids = &id}, &s->program, err);
    beam_file_view_close(&file);
    if (status == BEAM_OK)
        status = beam_program_shape_of(s->client->api, s->program, &s->shape, err);
    return status;
}

static beam_status prepare(beam_training *training, const beam_step_module *m, beam_error *err)
{
    module_training *s = training->state;
    int64_t bytes = 0;
    beam_pjrt_memory memory;
    BEAM_TRY(describe(training, m, err));
    BEAM_TRY(compile(s, m->path, err));
    s->arguments = beam_calloc(m->num_states, sizeof *s->arguments);
    s->replaces = beam_calloc(s->shape.num_results, sizeof *s->replaces);
    s->given = beam_calloc(s->shape.num_arguments, sizeof(PJRT_Buffer *));
    s->came = beam_calloc(s->shape.num_results, sizeof(PJRT_Buffer *));
    if (!s->arguments || !s->replaces || !s->given || !s->came)
        return no_memory(err);
    BEAM_TRY(match(s, m, err));
    for (size_t i = 0; i < m->num_states; i++) {
        BEAM_TRY(give(s, s->arguments[i] - 1, m->states[i].tensor.data, err));
        bytes += (int64_t)beam_tensor_bytes(&m->states[i].tensor);
    }
    beam_pjrt_loaded_memory(s->client->api, s->program, &memory);
    beam_device_count_training(training, bytes, memory.code + memory.temporary);
    return BEAM_OK;
}

static void module_train_close(beam_training *training)
{
    module_training *s = training->state;
    const PJRT_Api *api = s->client->api;
    for (size_t i = 0; i < NUM_INPUTS; i++)
        (void)beam_pjrt_await(api, s->copied[i], "", NULL);
    for (size_t i = 0; s->given && i < s->shape.num_arguments; i++)
        beam_pjrt_buffer_free(api, s->given[i]);
    for (size_t i = 0; s->came && i < s->shape.num_results; i++)
        beam_pjrt_buffer_free(api, s->came[i]);
    beam_pjrt_executable_free(api, s->program);
    beam_program_shape_free(&s->shape);
    beam_free(s->arguments);
    beam_free(s->replaces);
    beam_free(s->given);
    beam_free(s->came);
    beam_free(s);
}

static beam_status check_module(const beam_step_module *m, beam_error *err)
{
    if (m->images.dtype != BEAM_F32 || m->images.rank < 1 || m->images.shape[0] < 1 ||
        m->num_classes < 1)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "images must be f32 with the batch first, and classes 1 or more");
    for (size_t i = 0; i < m->num_states; i++) {
        const beam_tensor *tensor = &m->states[i].tensor;
        BEAM_TRY(beam_tensor_check(tensor, NULL, NULL, err));
        if (tensor->dtype != BEAM_F32 && tensor->dtype != BEAM_I32)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "state %s is %s; states are f32 or i32: convert it inside the "
                                  "step",
                                  m->states[i].name, beam_dtype_name(tensor->dtype));
    }
    return BEAM_OK;
}

beam_status beam_device_train_module(beam_device *device, const beam_step_module *module,
                                     beam_training **training, beam_error *err)
{
    beam_step_module m = {0};
    *training = NULL;
    memcpy(&m, module, module->struct_size < sizeof m ? module->struct_size : sizeof m);
    beam_status status = beam_foreign_needs_pjrt(device, err);
    if (status == BEAM_OK)
        status = check_module(&m, err);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "training step %s", m.path);
    beam_training *made = beam_training_new(
        device, &(beam_training_options){.batch_size = m.images.shape[0], .num_threads = 1});
    module_training *s = beam_calloc(1, sizeof *s);
    if (!made || !s) {
        if (made)
            beam_training_destroy(made);
        beam_free(s);
        return no_memory(err);
    }
    beam_pjrt_device *pjrt = device->state;
    s->client = pjrt->client;
    s->chip = atomic_fetch_add(&pjrt->contexts, 1) % device->slots;
    made->state = s;
    made->driver = &beam_module_train_driver;
    status = prepare(made, &m, err);
    if (status != BEAM_OK) {
        beam_training_free(made);
        return beam_error_wrap(err, status, "training step %s", m.path);
    }
    *training = made;
    return BEAM_OK;
}

/* ---- a step ---- */

static beam_status feed(module_training *s, const void *const *data, beam_error *err)
{
    for (size_t i = 0; i < NUM_INPUTS; i++) {
        if (!s->inputs[i])
            continue;
        size_t argument = s->inputs[i] - 1;
        beam_hlo_value shape = beam_module_value(&s->shape.tensors[argument]);
        BEAM_TRY(beam_pjrt_upload(s->client, s->chip, data[i], &shape, &s->copied[i],
                                  &s->given[argument], err));
    }
    return BEAM_OK;
}

static void drop_inputs(module_training *s)
{
    for (size_t i = 0; i < NUM_INPUTS; i++) {
        (void)beam_pjrt_await(s->client->api, s->copied[i], "", NULL);
        s->copied[i] = NULL;
        if (!s->inputs[i])
            continue;
        beam_pjrt_buffer_free(s->client->api, s->given[s->inputs[i] - 1]);
        s->given[s->inputs[i] - 1] = NULL;
    }
}

static beam_status run(module_training *s, beam_error *err)
{
    const PJRT_Api *api = s->client->api;
    for (size_t i = 0; i < s->shape.num_results; i++) { /* of a step that failed half way */
        beam_pjrt_buffer_free(api, s->came[i]);
        s->came[i] = NULL;
    }
    PJRT_ExecuteOptions options = {.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE};
    PJRT_Buffer *const *arguments = s->given;
    PJRT_LoadedExecutable_Execute_Args *execute =
        BEAM_PJRT(PJRT_LoadedExecutable_Execute, .executable = s->program, .options = &options,
                  .argument_lists = &arguments, .num_devices = 1,
                  .num_args = s->shape.num_arguments, .output_lists = &s->came);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_LoadedExecutable_Execute(execute), "running", err));
    for (size_t i = 0; i < s->shape.num_results; i++) {
        if (!s->replaces[i])
            continue;
        PJRT_Buffer **place = &s->given[s->replaces[i] - 1];
        beam_pjrt_buffer_free(api, *place);
        *place = s->came[i];
        s->came[i] = NULL;
    }
    return BEAM_OK;
}

/* A scalar, once the step is over. */
static beam_status fetch(module_training *s, size_t scalar, void *number, beam_error *err)
{
    const PJRT_Api *api = s->client->api;
    PJRT_Event *done = NULL;
    PJRT_Buffer **from = &s->came[s->scalars[scalar] - 1];
    beam_status status = beam_pjrt_download(api, *from, 0, number, 4, &done, err);
    if (status == BEAM_OK)
        status = beam_pjrt_await(api, done, "running", err);
    beam_pjrt_buffer_free(api, *from);
    *from = NULL;
    return status;
}

static beam_status module_train_step(beam_training *training, const beam_tensor *inputs,
                                     const int32_t *labels, float learning_rate,
                                     beam_step_result *result, beam_error *err)
{
    module_training *s = training->state;
    int32_t step = (int32_t)training->steps, correct = 0;
    const void *data[] = {inputs[0].data, labels, &learning_rate, &step};
    beam_status status = feed(s, data, err);
    if (status == BEAM_OK)
        status = run(s, err);
    if (status == BEAM_OK)
        status = fetch(s, LOSS, &result->loss, err);
    if (status == BEAM_OK)
        status = fetch(s, CORRECT, &correct, err);
    drop_inputs(s);
    if (status == BEAM_OK && (correct < 0 || correct > training->options.batch_size))
        status = beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                "it has %d images of a batch of %lld right", correct,
                                (long long)training->options.batch_size);
    result->correct = (uint32_t)correct;
    if (status == BEAM_RESOURCE_EXHAUSTED)
        status = beam_pjrt_short_of_memory(s->client, s->chip, s->program,
                                           training->program->network->name,
                                           training->options.batch_size, err);
    return status == BEAM_OK
               ? BEAM_OK
               : beam_error_wrap(err, status, "step %llu", (unsigned long long)training->steps);
}

/* ---- states ---- */

/* The argument of a state. */
static size_t argument_of(const beam_training *training, uint32_t value)
{
    const module_training *s = training->state;
    size_t i = 0;
    while (training->program->states[i].value != value)
        i++;
    return s->arguments[i] - 1;
}

static beam_status module_train_read(beam_training *training, uint32_t value, float *data,
                                     beam_error *err)
{
    const module_training *s = training->state;
    const PJRT_Api *api = s->client->api;
    size_t argument = argument_of(training, value);
    const beam_tensor *tensor = &s->shape.tensors[argument];
    PJRT_Event *done = NULL;
    BEAM_TRY(beam_pjrt_download(api, s->given[argument], tensor->rank, data,
                                beam_tensor_bytes(tensor), &done, err));
    return beam_pjrt_await(api, done, "copying from the device", err);
}

static beam_status module_train_write(beam_training *training, uint32_t value, const float *data,
                                      beam_error *err)
{
    return give(training->state, argument_of(training, value), data, err);
}

const beam_device_driver beam_module_train_driver = {
    .kind = "module",
    .train_close = module_train_close,
    .train_step = module_train_step,
    .train_read = module_train_read,
    .train_write = module_train_write,
};
