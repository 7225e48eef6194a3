/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_train.c - training on chips: the whole step is one program, which is given the states to
 * keep (they are donated) and gives the new ones back, so that none of them leaves its chip.  With
 * several replicas each has the states and a part of the batch; the program's all-reduces keep the
 * states alike. */
#include <string.h>

#include "base/alloc.h"
#include "device/pjrt.h"

typedef struct pjrt_training {
    beam_lowering how;
    beam_hlo_main main; /* the step's inputs, then its states */
    PJRT_LoadedExecutable *program;
    /* Replica after replica: */
    size_t *devices;     /* in the client's list */
    PJRT_Buffer **given; /* one an argument: the states stay from step to step */
    PJRT_Buffer **came;  /* one a result, of the step that was last */
    PJRT_Event **copied; /* one an input */
    /* What the plugin takes: where each replica's part of `given` and `came` begins. */
    PJRT_Buffer *const **arguments;
    PJRT_Buffer ***results;
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

/* One after the other of the device's chips: the next training has the next ones. */
static void choose_devices(beam_training *training)
{
    beam_pjrt_device *device = training->device->state;
    pjrt_training *state = training->state;
    size_t n = training->num_replicas;
    size_t chips = n > 1 ? device->client->num_devices : training->device->slots;
    size_t first = atomic_fetch_add(&device->contexts, (unsigned)n);
    for (size_t r = 0; r < n; r++)
        state->devices[r] = (first + r) % chips;
}

static beam_status allocate(beam_training *training, beam_error *err)
{
    pjrt_training *state = training->state;
    size_t n = training->num_replicas;
    state->devices = beam_calloc(n, sizeof *state->devices);
    state->given = beam_calloc(n * state->main.num_arguments, sizeof(PJRT_Buffer *));
    state->copied = beam_calloc(n * state->main.num_inputs, sizeof(PJRT_Event *));
    state->came = beam_calloc(n * state->main.num_results, sizeof(PJRT_Buffer *));
    state->arguments = beam_calloc(n, sizeof *state->arguments);
    state->results = beam_calloc(n, sizeof *state->results);
    if (!state->devices || !state->given || !state->copied || !state->came || !state->arguments ||
        !state->results)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    for (size_t r = 0; r < n; r++) {
        state->arguments[r] = state->given + r * state->main.num_arguments;
        state->results[r] = state->came + r * state->main.num_results;
    }
    choose_devices(training);
    return BEAM_OK;
}

/* Replaces what an argument is given, on every chip, by row-major f32. */
static beam_status give(beam_training *training, size_t index, const float *data, beam_error *err)
{
    pjrt_training *state = training->state;
    const beam_hlo_argument *argument = &state->main.arguments[index];
    size_t bytes;
    beam_hlo_value shape = shape_of(training, argument, &bytes);
    beam_tensor tensor = beam_nn_shape(training->program->network, argument->value, 1);
    tensor.data = data;
    void *packed = beam_malloc(bytes);
    if (!packed)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    beam_lowering_pack(argument, &tensor, packed);
    beam_status status = BEAM_OK;
    for (size_t r = 0; status == BEAM_OK && r < training->num_replicas; r++)
        status = beam_pjrt_replace(client_of(training), state->devices[r], packed, &shape,
                                   &state->given[r * state->main.num_arguments + index], err);
    beam_free(packed);
    return status;
}

static beam_status compile(beam_training *training, beam_error *err)
{
    pjrt_training *state = training->state;
    size_t n = training->num_replicas;
    beam_buffer text = {0};
    int64_t *ids = beam_calloc(n, sizeof *ids);
    beam_status status = BEAM_OK;
    if (!ids)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for training");
    for (size_t r = 0; status == BEAM_OK && r < n; r++)
        status = beam_pjrt_device_id(client_of(training), state->devices[r], &ids[r], err);
    if (status == BEAM_OK)
        status = beam_lower(training->program->network, &state->how, &state->main, &text, err);
    const beam_pjrt_target target = {.device_ids = ids, .num_replicas = n};
    if (status == BEAM_OK)
        status = beam_pjrt_compile(client_of(training), text.data, text.len, &target,
                                   &state->program, err);
    beam_buffer_free(&text);
    beam_free(ids);
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
    beam_device_count_training(training, kept * training->num_replicas,
                               (memory.code + memory.temporary) * training->num_replicas);
}

void beam_pjrt_train_close(beam_training *training)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    size_t n = training->num_replicas;
    for (size_t i = 0; state->copied && i < n * state->main.num_inputs; i++)
        (void)beam_pjrt_await(api, state->copied[i], "", NULL);
    for (size_t i = 0; state->given && i < n * state->main.num_arguments; i++)
        beam_pjrt_buffer_free(api, state->given[i]);
    for (size_t i = 0; state->came && i < n * state->main.num_results; i++)
        beam_pjrt_buffer_free(api, state->came[i]);
    beam_pjrt_executable_free(api, state->program);
    beam_hlo_main_free(&state->main);
    beam_free(state->arguments);
    beam_free(state->results);
    beam_free(state->devices);
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
    BEAM_TRY(allocate(training, err));
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
    state->how = (beam_lowering){.batch = training->options.batch_size / training->num_replicas,
                                 .precision = training->precision,
                                 .training = true,
                                 .num_replicas = training->num_replicas};
    if (state->how.precision == BEAM_PRECISION_BF16 && !training->device->native_bf16) {
        BEAM_LOG(training->device->logger, BEAM_LOG_WARNING,
                 "network %s: this GPU does not multiply bf16 (%s); training it in f32; f16 is "
                 "another choice",
                 training->program->network->name, training->device->description);
        state->how.precision = training->precision = BEAM_PRECISION_F32;
    }
    beam_lowering_for(device->client->platform, &state->how);
    beam_status status = prepare(training, initial, err);
    if (status != BEAM_OK)
        beam_pjrt_train_close(training);
    return status;
}

/* ---- a step ---- */

/* An input to each replica: its rows, or the same for all where there are none. */
static beam_status feed(beam_training *training, size_t index, const void *data, beam_error *err)
{
    pjrt_training *state = training->state;
    size_t bytes;
    beam_hlo_value shape = shape_of(training, &state->main.arguments[index], &bytes);
    size_t step = shape.rank ? bytes : 0;
    for (size_t r = 0; r < training->num_replicas; r++)
        BEAM_TRY(beam_pjrt_upload(client_of(training), state->devices[r],
                                  (const char *)data + r * step, &shape,
                                  &state->copied[r * state->main.num_inputs + index],
                                  &state->given[r * state->main.num_arguments + index], err));
    return BEAM_OK;
}

/* The network's inputs, then labels, learning rate, the number of the step and, where the loss is
 * scaled, what by. */
static beam_status feed_all(beam_training *training, const beam_tensor *inputs,
                            const int32_t *labels, const float *learning_rate, const int32_t *step,
                            beam_error *err)
{
    const pjrt_training *state = training->state;
    const void *last[] = {labels, learning_rate, step, training->loss_scale};
    size_t data = state->main.num_inputs - 3 - training->scaled;
    for (size_t i = 0; i < state->main.num_inputs; i++)
        BEAM_TRY(feed(training, i, i < data ? inputs[i].data : last[i - data], err));
    return BEAM_OK;
}

static void drop_inputs(beam_training *training)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    for (size_t r = 0; r < training->num_replicas; r++) {
        PJRT_Event **copied = state->copied + r * state->main.num_inputs;
        PJRT_Buffer **given = state->given + r * state->main.num_arguments;
        for (size_t i = 0; i < state->main.num_inputs; i++) {
            (void)beam_pjrt_await(api, copied[i], "", NULL);
            beam_pjrt_buffer_free(api, given[i]);
            copied[i] = NULL;
            given[i] = NULL;
        }
    }
}

/* A replica's new states take the place of those that it was given, which are used up. */
static void take_states(beam_training *training, size_t replica)
{
    pjrt_training *state = training->state;
    PJRT_Buffer **given = state->given + replica * state->main.num_arguments;
    PJRT_Buffer **came = state->came + replica * state->main.num_results;
    for (size_t i = 0; i < state->main.num_results; i++) {
        size_t argument = state->main.replaces[i];
        if (!argument)
            continue;
        beam_pjrt_buffer_free(client_of(training)->api, given[argument]);
        given[argument] = came[i];
        came[i] = NULL;
    }
}

/* Programs that chips run together come to all of them in one order: of two whose launches overlap,
 * a chip could be in the one and wait for a chip that is in the other. */
static PJRT_Error *launch(const PJRT_Api *api, PJRT_LoadedExecutable_Execute_Args *execute)
{
    static pthread_mutex_t several_chips = PTHREAD_MUTEX_INITIALIZER;
    if (execute->num_devices == 1)
        return api->PJRT_LoadedExecutable_Execute(execute);
    (void)pthread_mutex_lock(&several_chips);
    PJRT_Error *error = api->PJRT_LoadedExecutable_Execute(execute);
    (void)pthread_mutex_unlock(&several_chips);
    return error;
}

static beam_status run(beam_training *training, beam_error *err)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    for (size_t i = 0; i < training->num_replicas * state->main.num_results; i++) {
        beam_pjrt_buffer_free(api, state->came[i]);
        state->came[i] = NULL;
    }
    PJRT_ExecuteOptions options = {.struct_size = PJRT_ExecuteOptions_STRUCT_SIZE};
    PJRT_LoadedExecutable_Execute_Args *execute =
        BEAM_PJRT(PJRT_LoadedExecutable_Execute, .executable = state->program, .options = &options,
                  .argument_lists = state->arguments, .num_devices = training->num_replicas,
                  .num_args = state->main.num_arguments, .output_lists = state->results);
    BEAM_TRY(beam_pjrt_status(api, launch(api, execute), "running", err));
    for (size_t r = 0; r < training->num_replicas; r++)
        take_states(training, r);
    return BEAM_OK;
}

/* Loss, hits, norm and finiteness, which come when the step is over. */
static beam_status fetch_scalars(beam_training *training, beam_step_result *result, beam_error *err)
{
    pjrt_training *state = training->state;
    const PJRT_Api *api = client_of(training)->api;
    float numbers[4] = {0};
    PJRT_Event *events[4] = {NULL};
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < state->main.num_scalars; i++)
        status = beam_pjrt_download(api, state->came[i], 0, &numbers[i], sizeof numbers[i],
                                    &events[i], err);
    for (size_t i = 0; i < state->main.num_scalars; i++) {
        beam_status came =
            beam_pjrt_await(api, events[i], "running", status == BEAM_OK ? err : NULL);
        status = status == BEAM_OK ? came : status;
    }
    *result = (beam_step_result){.loss = numbers[0],
                                 .correct = (uint32_t)numbers[1],
                                 .gradient_norm = training->program->gradient_norm ? numbers[2] : 0,
                                 .skipped =
                                     training->scaled && numbers[state->main.num_scalars - 1] == 0};
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
    const pjrt_training *state = training->state;
    if (status == BEAM_RESOURCE_EXHAUSTED)
        status = beam_pjrt_short_of_memory(client_of(training), state->devices[0], state->program,
                                           training->program->network->name,
                                           training->options.batch_size, err);
    return status == BEAM_OK
               ? BEAM_OK
               : beam_error_wrap(err, status, "step %llu", (unsigned long long)training->steps);
}

/* ---- states ---- */

/* The first chip's buffer of a state or a kept gradient; NULL: a gradient before the first step. */
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
