/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_train.c - training on a chip: the whole step is one program, which is given the states to
 * keep (they are donated) and gives the new ones back, so that none of them leaves the chip. */
#include <string.h>

#include "base/alloc.h"
#include "device/pjrt.h"

typedef struct pjrt_training {
    size_t device; /* in the client's list */
    beam_lowering how;
    beam_hlo_main main; /* the step's inputs, then its states */
    PJRT_LoadedExecutable *program;
    PJRT_Buffer **given; /* one an argument: the states stay from step to step */
    PJRT_Buffer **came;  /* one a result, of the step that was last */
    PJRT_Event **copied; /* one an input */
} pjrt_training;

static const beam_pjrt_client *client_of(const beam_training *training)
{
    return ((const beam_pjrt_device *)training->device->state)->client;
}

/* ---- opening ---- */

/* The shapes of an argument or a result on the chip. */
static beam_hlo_value shape_of(const beam_training *training, const beam_hlo_argument *argument,
                               size_t *bytes)
{
    const pjrt_training *state = training->state;
    return beam_lowering_shape(training->program->network, &state->how, argument, bytes);
}

static beam_status allocate(pjrt_training *state, beam_error *err)
{
    state->given = beam_calloc(state->main.num_arguments, sizeof(PJRT_Buffer *));
    state->copied = beam_calloc(state->main.num_inputs, sizeof(PJRT_Event *));
    state->came = beam_calloc(state->main.num_results, sizeof(PJRT_Buffer *));
    if (!state->given || !state->copied || !state->came)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    return BEAM_OK;
}

/* Replaces what an argument is given by row-major f32. */
static beam_status give(beam_training *training, size_t index, const float *data, beam_error *err)
{
    pjrt_training *state = training->state;
    const beam_hlo_argument *argument = &state->main.arguments[index];
    const PJRT_Api *api = client_of(training)->api;
    size_t bytes;
    beam_hlo_value shape = shape_of(training, argument, &bytes);
    beam_tensor tensor = beam_nn_shape(training->program->network, argument->value, 1);
    tensor.data = data;
    void *packed = beam_malloc(bytes);
    if (!packed)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    beam_lowering_pack(argument, &tensor, packed);
    PJRT_Event *done = NULL;
    PJRT_Buffer *buffer = NULL;
    beam_status status =
        beam_pjrt_upload(client_of(training), state->device, packed, &shape, &done, &buffer, err);
    if (status == BEAM_OK)
        status = beam_pjrt_await(api, done, "copying to the device", err);
    beam_free(packed);
    if (status != BEAM_OK) {
        beam_pjrt_buffer_free(api, buffer);
        return status;
    }
    beam_pjrt_buffer_free(api, state->given[index]);
    state->given[index] = buffer;
    return BEAM_OK;
}

static beam_status compile(beam_training *training, beam_error *err)
{
    pjrt_training *state = training->state;
    beam_buffer text = {0};
    int64_t id;
    beam_status status = beam_pjrt_device_id(client_of(training), state->device, &id, err);
    if (status == BEAM_OK)
        status = beam_lower(training->program->network, &state->how, &state->main, &text, err);
    if (status == BEAM_OK)
        status = beam_pjrt_compile(client_of(training), text.data, text.len,
                                   &(beam_pjrt_target){.device_ids = &id}, &state->program, err);
    beam_buffer_free(&text);
    return status;
}

static void count_memory(beam_training *training)
{
    const pjrt_training *state = training->state;
    beam_pjrt_memory memory;
    beam_pjrt_loaded_memory(client_of(training)->api, state->program, &memory);
    int64_t kept = 0;
    for (size_t i = state->main.num_inputs; i < state->main.num_arguments; i++) {
        size_t bytes;
        (void)shape_of(training, &state->main.arguments[i], &bytes);
        kept += (int64_t)bytes;
    }
    beam_device_count_training(training, kept, memory.code + memory.temporary);
}

void beam_pjrt_train_close(beam_training *training)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    for (size_t i = 0; state->copied && i < state->main.num_inputs; i++)
        (void)beam_pjrt_await(api, state->copied[i], "", NULL);
    for (size_t i = 0; state->given && i < state->main.num_arguments; i++)
        beam_pjrt_buffer_free(api, state->given[i]);
    for (size_t i = 0; state->came && i < state->main.num_results; i++)
        beam_pjrt_buffer_free(api, state->came[i]);
    beam_pjrt_executable_free(api, state->program);
    beam_hlo_main_free(&state->main);
    beam_free(state->given);
    beam_free(state->copied);
    beam_free(state->came);
    beam_free(state);
}

static beam_status prepare(beam_training *training, const float *const *initial, beam_error *err)
{
    pjrt_training *state = training->state;
    BEAM_TRY(beam_hlo_training(training->program, &state->how, training->options.keep_gradients,
                               &state->main, err));
    BEAM_TRY(allocate(state, err));
    for (size_t i = 0; i < training->program->num_states; i++)
        BEAM_TRY(give(training, state->main.num_inputs + i, initial[i], err));
    BEAM_TRY(compile(training, err));
    count_memory(training);
    return BEAM_OK;
}

beam_status beam_pjrt_train_open(beam_training *training, const float *const *initial,
                                 beam_error *err)
{
    beam_pjrt_device *device = training->device->state;
    pjrt_training *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    training->state = state;
    training->num_threads = 1; /* a chip is one slot */
    state->device = atomic_fetch_add(&device->contexts, 1) % training->device->slots;
    state->how = (beam_lowering){
        .batch = training->options.batch_size, .precision = training->precision, .training = true};
    if (state->how.precision == BEAM_PRECISION_BF16 && !training->device->native_bf16)
        state->how.precision = training->precision = BEAM_PRECISION_F32;
    beam_lowering_for(device->client->platform, &state->how);
    beam_status status = prepare(training, initial, err);
    if (status != BEAM_OK)
        beam_pjrt_train_close(training);
    return status;
}

/* ---- a step ---- */

static beam_status feed(beam_training *training, size_t index, const void *data, beam_error *err)
{
    pjrt_training *state = training->state;
    size_t bytes;
    beam_hlo_value shape = shape_of(training, &state->main.arguments[index], &bytes);
    return beam_pjrt_upload(client_of(training), state->device, data, &shape, &state->copied[index],
                            &state->given[index], err);
}

/* The network's inputs, then labels, learning rate and the number of the step. */
static beam_status feed_all(beam_training *training, const beam_tensor *inputs,
                            const int32_t *labels, const float *learning_rate, const int32_t *step,
                            beam_error *err)
{
    pjrt_training *state = training->state;
    const void *last[] = {labels, learning_rate, step};
    for (size_t i = 0; i < state->main.num_inputs; i++) {
        size_t after = i + 3 < state->main.num_inputs ? 0 : i + 3 - state->main.num_inputs;
        bool own = i + 3 >= state->main.num_inputs;
        BEAM_TRY(feed(training, i, own ? last[after] : inputs[i].data, err));
    }
    return BEAM_OK;
}

static void drop_inputs(beam_training *training)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    for (size_t i = 0; i < state->main.num_inputs; i++) {
        (void)beam_pjrt_await(api, state->copied[i], "", NULL);
        beam_pjrt_buffer_free(api, state->given[i]);
        state->copied[i] = NULL;
        state->given[i] = NULL;
    }
}

/* Runs the program; then what it was given is used up, and its results are the states. */
static beam_status run(beam_training *training, beam_error *err)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    for (size_t i = 0; i < state->main.num_results; i++) {
        beam_pjrt_buffer_free(api, state->came[i]);
        state->came[i] = NULL;
    }
    PJRT_ExecuteOptions options = {.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE};
    PJRT_Buffer *const *arguments = state->given;
    PJRT_Buffer **results = state->came;
    PJRT_LoadedExecutable_Execute_Args *execute =
        BEAM_PJRT(PJRT_LoadedExecutable_Execute, .executable = state->program, .options = &options,
                  .argument_lists = &arguments, .num_devices = 1,
                  .num_args = state->main.num_arguments, .output_lists = &results);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_LoadedExecutable_Execute(execute), "running", err));
    for (size_t i = 0; i < state->main.num_results; i++) {
        size_t argument = state->main.replaces[i];
        if (!argument)
            continue;
        beam_pjrt_buffer_free(api, state->given[argument]);
        state->given[argument] = state->came[i];
        state->came[i] = NULL;
    }
    return BEAM_OK;
}

/* Loss, hits and norm, which come when the step is over. */
static beam_status fetch_scalars(beam_training *training, beam_step_result *result, beam_error *err)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    float numbers[3] = {0};
    PJRT_Event *events[3] = {NULL};
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < state->main.num_scalars; i++)
        status = beam_pjrt_download(api, state->came[i], 0, &numbers[i], sizeof numbers[i],
                                    &events[i], err);
    for (size_t i = 0; i < state->main.num_scalars; i++) {
        beam_status came =
            beam_pjrt_await(api, events[i], "running", status == BEAM_OK ? err : NULL);
        status = status == BEAM_OK ? came : status;
    }
    *result = (beam_step_result){
        .loss = numbers[0], .correct = (uint32_t)numbers[1], .gradient_norm = numbers[2]};
    return status;
}

beam_status beam_pjrt_train_step(beam_training *training, const beam_tensor *inputs,
                                 const int32_t *labels, float learning_rate,
                                 beam_step_result *result, beam_error *err)
{
    int32_t step = (int32_t)training->steps;
    beam_status status = feed_all(training, inputs, labels, &learning_rate, &step, err);
    if (status == BEAM_OK)
        status = run(training, err);
    if (status == BEAM_OK)
        status = fetch_scalars(training, result, err);
    drop_inputs(training);
    return status == BEAM_OK
               ? BEAM_OK
               : beam_error_wrap(err, status, "step %llu", (unsigned long long)training->steps);
}

/* ---- states ---- */

/* The buffer of a state or a kept gradient; NULL: a gradient before the first step. */
static PJRT_Buffer *find(const beam_training *training, uint32_t value, beam_hlo_argument *argument,
                         size_t *index)
{
    const pjrt_training *state = training->state;
    *argument = beam_lowering_argument(training->program->network, &state->how, value);
    for (size_t i = state->main.num_inputs; i < state->main.num_arguments; i++) {
        if (state->main.arguments[i].value == value) {
            *index = i;
            return state->given[i];
        }
    }
    for (size_t i = state->main.num_scalars; i < state->main.num_results; i++)
        if (state->main.results[i] == value)
            return state->came[i];
    return NULL;
}

beam_status beam_pjrt_train_read(beam_training *training, uint32_t value, float *data,
                                 beam_error *err)
{
    const PJRT_Api *api = client_of(training)->api;
    beam_hlo_argument argument;
    size_t index = 0, bytes;
    PJRT_Buffer *buffer = find(training, value, &argument, &index);
    beam_hlo_value shape = shape_of(training, &argument, &bytes);
    beam_tensor tensor = beam_nn_shape(training->program->network, value, 1);
    if (!buffer) {
        memset(data, 0, beam_tensor_bytes(&tensor));
        return BEAM_OK;
    }
    void *packed = beam_malloc(bytes);
    if (!packed)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to read a state");
    PJRT_Event *done = NULL;
    beam_status status = beam_pjrt_download(api, buffer, shape.rank, packed, bytes, &done, err);
    if (status == BEAM_OK)
        status = beam_pjrt_await(api, done, "copying from the device", err);
    if (status == BEAM_OK)
        beam_lowering_unpack(&argument, &tensor, packed, data);
    beam_free(packed);
    return status;
}

beam_status beam_pjrt_train_write(beam_training *training, uint32_t value, const float *data,
                                  beam_error *err)
{
    beam_hlo_argument argument;
    size_t index = 0;
    (void)find(training, value, &argument, &index);
    return give(training, index, data, err);
}
