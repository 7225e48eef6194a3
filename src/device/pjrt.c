/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt.c - the device that PJRT plugins make: opening one, and models on its chips. */
#include "device/pjrt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "device/onednn_library.h"
#include "device/pjrt_find.h"

/* ---- device ---- */

static beam_pjrt_platform platform_of_backend(const char *backend)
{
    if (strcmp(backend, "tpu") == 0)
        return BEAM_PJRT_TPU;
    return strcmp(backend, "gpu") == 0 ? BEAM_PJRT_GPU : BEAM_PJRT_OTHER;
}

/* What else a program may ask for: nothing where the CPU's library is missing too. */
static const char *others(void)
{
    const char *backend = getenv("BEAM_ACCELERATOR_BACKEND");
    if (beam_library_open(&beam_onednn_library, NULL) != BEAM_OK)
        return "";
    return backend && *backend ? "; use cpu" : "; use auto to take what there is, or cpu";
}

/* For "gpu" and "tpu" whose plugin is not there. */
static beam_status no_plugin(const char *backend, const beam_buffer *places, beam_error *err)
{
    const char *trace = beam_pjrt_trace(platform_of_backend(backend));
    return beam_error_set(
        err, BEAM_UNAVAILABLE,
        "no PJRT plugin for it was found, and %s%s. Looked for the plugin in %.*s. To install it: "
        "scripts/deps plugin %s; or name one with pjrt:/path/plugin.so%s",
        trace ? "the hardware shows as " : "no hardware shows in /dev", trace ? trace : "",
        (int)places->len, places->data ? (const char *)places->data : "", backend, others());
}

static beam_status find_plugin(const char *backend, const beam_pjrt_plugin **plugin,
                               beam_error *err)
{
    beam_pjrt_platform platform = platform_of_backend(backend);
    if (platform == BEAM_PJRT_OTHER)
        return beam_pjrt_plugin_open(backend + strlen("pjrt:"), plugin, err);
    beam_buffer places = {0};
    char *path = beam_pjrt_find(platform, &places);
    beam_status status;
    if (path) {
        beam_pjrt_prepare(platform);
        status = beam_pjrt_plugin_open(path, plugin, err);
    } else {
        status = no_plugin(backend, &places, err);
    }
    beam_buffer_free(&places);
    beam_free(path);
    return status;
}

/* GPUs multiply bf16 from compute capability 8.0 on; a T4 has 7.5. */
static bool multiplies_bf16(const beam_pjrt_client *client)
{
    if (client->platform != BEAM_PJRT_GPU)
        return true;
    const PJRT_NamedValue *capability = beam_pjrt_device_attribute(client, 0, "compute_capability");
    return capability && capability->type == PJRT_NamedValue_kString &&
           strtod(capability->string_value, NULL) >= 8;
}

static void describe(beam_device *device, const beam_pjrt_client *client)
{
    static const char *const kinds[] = {[BEAM_PJRT_OTHER] = "pjrt",
                                        [BEAM_PJRT_CPU] = "pjrt-cpu",
                                        [BEAM_PJRT_GPU] = "gpu",
                                        [BEAM_PJRT_TPU] = "tpu"};
    const PJRT_Api_Version *version = &client->api->pjrt_api_version;
    const char *kind;
    size_t size;
    beam_pjrt_device_kind(client, 0, &kind, &size);
    device->kind = kinds[client->platform];
    device->native_bf16 = multiplies_bf16(client);
    device->native_f16 = true;
    device->chips = (uint32_t)client->num_devices;
    (void)snprintf(device->description, sizeof device->description,
                   "%zu x %.*s (%s) through PJRT API %d.%d", client->num_devices,
                   size > 64 ? 64 : (int)size, kind, client->platform_name, version->major_version,
                   version->minor_version);
    /* The devices of a CPU are the same cores many times over. */
    size_t slots = client->platform == BEAM_PJRT_CPU ? 1 : client->num_devices;
    if (device->slots == 0 || device->slots > client->num_devices)
        device->slots = device->slots ? (uint32_t)client->num_devices : (uint32_t)slots;
}

/* Adds to what the plugin answered what this machine shows of the hardware. */
static beam_status add_what_shows(beam_pjrt_platform platform, beam_status status, beam_error *err)
{
    if (!err || platform == BEAM_PJRT_OTHER)
        return status;
    const beam_error answer = *err;
    const char *trace = beam_pjrt_trace(platform);
    bool gpu = platform == BEAM_PJRT_GPU;
    int driver = gpu ? beam_nvidia_driver() : 0;
    /* PJRT_DEVICE=TPU, which an image sets wherever it runs, is no word of the hardware; nor is a
     * plugin's path, and of what such a plugin drives nothing is known here. */
    bool shows = trace && *trace == '/';
    if (trace && !shows && platform != BEAM_PJRT_TPU)
        return status;
    if (driver > 0 && driver < BEAM_PJRT_CUDA13_DRIVER)
        return beam_error_set(
            err, status,
            "%s (Nvidia's driver here is %d; CUDA 13 wants %d: update it, or take "
            "CUDA 12's plugin, scripts/deps plugin gpu12)",
            answer.message, driver, BEAM_PJRT_CUDA13_DRIVER);
    if (shows)
        return beam_error_set(err, status, "%s (the hardware shows as %s)", answer.message, trace);
    return beam_error_set(err, status, "%s (%s not there, so this machine shows no %s%s)",
                          answer.message,
                          gpu ? "/dev/nvidia0 is" : "/dev/accel0 and /dev/vfio/0 are",
                          gpu ? "GPU with a driver" : "TPU", others());
}

/* The environment may name any plugin as a GPU's.  What knows its platform by another name than is
 * known here is taken at the environment's word. */
static beam_status check_platform(const char *backend, const beam_pjrt_client *client,
                                  beam_error *err)
{
    beam_pjrt_platform wanted = platform_of_backend(backend), is = client->platform;
    if (wanted == BEAM_PJRT_OTHER || is == BEAM_PJRT_OTHER || is == wanted)
        return BEAM_OK;
    return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                          "plugin %s: its platform is %s, not %s; pjrt:%s takes it as what it is",
                          client->plugin->path, client->platform_name, backend,
                          client->plugin->path);
}

static beam_pjrt_device *device_new(void)
{
    beam_pjrt_device *state = beam_calloc(1, sizeof *state);
    if (!state || pthread_mutex_init(&state->mutex, NULL) == 0)
        return state;
    beam_free(state);
    return NULL;
}

static void device_free(beam_pjrt_device *state)
{
    beam_pjrt_client_close(state->client);
    (void)pthread_mutex_destroy(&state->mutex);
    beam_free(state);
}

static beam_status pjrt_open(beam_device *device, beam_error *err)
{
    const beam_pjrt_plugin *plugin = NULL;
    beam_pjrt_device *state = device_new();
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a device");
    beam_status status = find_plugin(device->backend, &plugin, err);
    if (status == BEAM_OK)
        status = beam_pjrt_client_open(plugin, platform_of_backend(device->backend),
                                       getenv("BEAM_PJRT_OPTIONS"), &state->client, err);
    if (status == BEAM_OK)
        status = check_platform(device->backend, state->client, err);
    if (status != BEAM_OK) {
        device_free(state);
        status = beam_error_wrap(err, status, "device \"%s\"", device->backend);
        bool answered = status != BEAM_RESOURCE_EXHAUSTED && plugin;
        return answered ? add_what_shows(platform_of_backend(device->backend), status, err)
                        : status;
    }
    device->state = state;
    describe(device, state->client);
    return BEAM_OK;
}

static void pjrt_close(beam_device *device)
{
    device_free(device->state);
}

static void pjrt_memory(const beam_device *device, uint64_t *in_use, uint64_t *limit)
{
    const beam_pjrt_device *state = device->state;
    beam_pjrt_device_memory(state->client, 0, in_use, limit);
}

/* ---- arrays ---- */

beam_status beam_pjrt_upload(const beam_pjrt_client *client, size_t device, const void *data,
                             const beam_hlo_value *shape, PJRT_Event **done, PJRT_Buffer **buffer,
                             beam_error *err)
{
    static const PJRT_Buffer_Type types[] = {
        [BEAM_HLO_F32] = PJRT_Buffer_Type_F32,  [BEAM_HLO_BF16] = PJRT_Buffer_Type_BF16,
        [BEAM_HLO_F16] = PJRT_Buffer_Type_F16,  [BEAM_HLO_I32] = PJRT_Buffer_Type_S32,
        [BEAM_HLO_U32] = PJRT_Buffer_Type_U32,  [BEAM_HLO_U64] = PJRT_Buffer_Type_U64,
        [BEAM_HLO_PRED] = PJRT_Buffer_Type_PRED};
    PJRT_Client_BufferFromHostBuffer_Args *args = BEAM_PJRT(
        PJRT_Client_BufferFromHostBuffer, .client = client->client, .data = data,
        .type = types[shape->type], .dims = shape->dims, .num_dims = shape->rank,
        .host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableUntilTransferCompletes,
        .device = client->devices[device]);
    BEAM_TRY(beam_pjrt_status(client->api, client->api->PJRT_Client_BufferFromHostBuffer(args),
                              "copying to the device", err));
    *done = args->done_with_host_buffer;
    *buffer = args->buffer;
    return BEAM_OK;
}

beam_status beam_pjrt_replace(const beam_pjrt_client *client, size_t device, const void *data,
                              const beam_hlo_value *shape, PJRT_Buffer **place, beam_error *err)
{
    PJRT_Event *done = NULL;
    PJRT_Buffer *buffer = NULL;
    beam_status status = beam_pjrt_upload(client, device, data, shape, &done, &buffer, err);
    if (status == BEAM_OK)
        status = beam_pjrt_await(client->api, done, "copying to the device", err);
    if (status != BEAM_OK) {
        beam_pjrt_buffer_free(client->api, buffer);
        return status;
    }
    beam_pjrt_buffer_free(client->api, *place);
    *place = buffer;
    return BEAM_OK;
}

beam_status beam_pjrt_download(const PJRT_Api *api, PJRT_Buffer *buffer, uint32_t rank, void *data,
                               size_t size, PJRT_Event **done, beam_error *err)
{
    int64_t row_major[BEAM_TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++)
        row_major[i] = rank - 1 - i;
    PJRT_Buffer_MemoryLayout layout = {
        .struct_size = PJRT_Buffer_MemoryLayout_STRUCT_SIZE,
        .tiled = {.struct_size = PJRT_Buffer_MemoryLayout_Tiled_STRUCT_SIZE,
                  .minor_to_major = row_major,
                  .minor_to_major_size = rank},
        .type = PJRT_Buffer_MemoryLayout_Type_Tiled};
    PJRT_Buffer_ToHostBuffer_Args *args =
        BEAM_PJRT(PJRT_Buffer_ToHostBuffer, .src = buffer, .host_layout = &layout, .dst = data,
                  .dst_size = size);
    BEAM_TRY(
        beam_pjrt_status(api, api->PJRT_Buffer_ToHostBuffer(args), "copying from the device", err));
    *done = args->event;
    return BEAM_OK;
}

beam_status beam_pjrt_fetch(const PJRT_Api *api, const beam_network *network, int64_t batch,
                            PJRT_Buffer **results, PJRT_Event **returned, float *const *outputs,
                            beam_error *err)
{
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < network->num_outputs; i++) {
        beam_tensor shape = beam_network_output(network, i, batch);
        status = beam_pjrt_download(api, results[i], shape.rank, outputs[i],
                                    beam_tensor_bytes(&shape), &returned[i], err);
    }
    for (size_t i = 0; i < network->num_outputs; i++) {
        beam_status came =
            beam_pjrt_await(api, returned[i], "running", status == BEAM_OK ? err : NULL);
        status = status == BEAM_OK ? came : status;
        beam_pjrt_buffer_free(api, results[i]);
        returned[i] = NULL;
        results[i] = NULL;
    }
    return status;
}

/* ---- memory ---- */

/* Half the rows, or fewer if it seems that not even so many would fit. */
static int64_t rows_that_fit(int64_t batch, int64_t taken, uint64_t in_use, uint64_t limit)
{
    int64_t rows = batch > 1 ? batch / 2 : 1;
    if (limit == 0 || taken < batch)
        return rows;
    int64_t room = limit > in_use ? (int64_t)(limit - in_use) / (taken / batch) : 0;
    if (room < 1)
        room = 1;
    return room < rows ? room : rows;
}

beam_status beam_pjrt_short_of_memory(const beam_pjrt_client *client, size_t device,
                                      PJRT_LoadedExecutable *program, const char *network,
                                      int64_t batch, beam_error *err)
{
    beam_pjrt_memory wanted;
    uint64_t in_use, limit;
    char has[64] = "";
    beam_pjrt_loaded_memory(client->api, program, &wanted);
    beam_pjrt_device_memory(client, device, &in_use, &limit);
    int64_t taken = wanted.temporary + wanted.results;
    double mb = 1e-6;
    if (limit > 0)
        (void)snprintf(has, sizeof has, "the device has %.1f MB, of which %.1f MB are in use; ",
                       mb * (double)limit, mb * (double)in_use);
    return beam_error_wrap(err, BEAM_RESOURCE_EXHAUSTED,
                           "network %s: device memory is exhausted by a batch of %lld, which takes "
                           "%.1f MB beside %.1f MB of arguments; %stry batches of %lld",
                           network, (long long)batch, mb * (double)taken,
                           mb * (double)wanted.arguments, has,
                           (long long)rows_that_fit(batch, taken, in_use, limit));
}

/* ---- models ---- */

static void replica_free(const beam_pjrt_model *state, beam_pjrt_replica *replica)
{
    for (size_t i = 0; i < BEAM_PJRT_MAX_BUCKETS; i++)
        beam_pjrt_executable_free(state->client->api, replica->programs[i]);
    for (size_t i = 0; replica->shared && i < state->model->network->num_parameters; i++)
        beam_pjrt_share_leave(state->model->device, replica->shared[i]);
    beam_free(replica->shared);
    beam_free(replica->weights);
}

static void model_free(beam_pjrt_model *state)
{
    for (size_t i = 0; state->replicas && i < state->num_replicas; i++)
        replica_free(state, &state->replicas[i]);
    beam_device_count_working(state->model->device, -state->program_bytes);
    (void)pthread_cond_destroy(&state->compiled);
    (void)pthread_mutex_destroy(&state->mutex);
    beam_free(state->replicas);
    beam_hlo_main_free(&state->main);
    beam_free(state);
}

static void pjrt_discard(beam_model *model)
{
    model_free(model->state);
}

/* One parameter to every chip. */
static beam_status upload_weight(beam_pjrt_model *state, const beam_nn_parameter *parameter,
                                 size_t index, beam_error *err)
{
    const beam_network *network = state->model->network;
    const beam_hlo_argument *argument = &state->main.arguments[network->num_inputs + index];
    size_t bytes;
    beam_hlo_value shape = beam_lowering_shape(network, &state->how, argument, &bytes);
    void *packed = beam_malloc(bytes);
    if (!packed)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %s", parameter->name);
    beam_lowering_pack(argument, &parameter->tensor, packed);
    beam_status status = BEAM_OK;
    for (size_t r = 0; r < state->num_replicas; r++) {
        beam_pjrt_replica *replica = &state->replicas[r];
        status = beam_pjrt_share_join(state->model, replica->device, packed, bytes, &shape,
                                      &replica->shared[index], err);
        if (status != BEAM_OK)
            break;
        replica->weights[index] = beam_pjrt_share_buffer(replica->shared[index]);
    }
    beam_free(packed);
    return status == BEAM_OK ? BEAM_OK : beam_error_wrap(err, status, "%s", parameter->name);
}

static beam_status make_replicas(beam_pjrt_model *state, beam_error *err)
{
    size_t parameters = state->model->network->num_parameters;
    state->replicas = beam_calloc(state->model->device->slots, sizeof *state->replicas);
    if (!state->replicas)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    state->num_replicas = state->model->device->slots;
    for (size_t i = 0; i < state->num_replicas; i++) {
        state->replicas[i].device = i;
        state->replicas[i].weights = beam_calloc(parameters, sizeof(PJRT_Buffer *));
        state->replicas[i].shared = beam_calloc(parameters, sizeof(beam_pjrt_shared *));
        if (!state->replicas[i].weights || !state->replicas[i].shared)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    }
    return BEAM_OK;
}

static beam_status prepare(beam_pjrt_model *state, const beam_nn_parameter *parameters,
                           const beam_compile_options *options, beam_error *err)
{
    const beam_network *network = state->model->network;
    BEAM_TRY(beam_hlo_inference(network, &state->how, &state->main, err));
    beam_pjrt_choose_buckets(state, options);
    BEAM_TRY(make_replicas(state, err));
    for (size_t i = 0; i < network->num_parameters; i++)
        BEAM_TRY(upload_weight(state, &parameters[i], i, err));
    PJRT_LoadedExecutable *program;
    return beam_pjrt_program(state, &state->replicas[0], state->num_buckets - 1, &program, err);
}

static beam_status pjrt_compile(beam_model *model, const beam_nn_parameter *parameters,
                                const beam_compile_options *options, beam_error *err)
{
    const beam_pjrt_device *device = model->device->state;
    beam_pjrt_model *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    if (pthread_mutex_init(&state->mutex, NULL) != 0 ||
        pthread_cond_init(&state->compiled, NULL) != 0) {
        beam_free(state); /* what was initialised holds no memory */
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no mutex for a model");
    }
    if (model->precision == BEAM_PRECISION_BF16 && device->client->platform == BEAM_PJRT_GPU &&
        !model->device->native_bf16) {
        BEAM_LOG(
            model->device->logger, BEAM_LOG_WARNING,
            "network %s: this GPU does not multiply bf16 (%s); running it in f32; f16 is another "
            "choice",
            model->network->name, model->device->description);
        model->precision = BEAM_PRECISION_F32;
    }
    state->model = model;
    state->client = device->client;
    state->how = (beam_lowering){.batch = model->max_batch, .precision = model->precision};
    beam_lowering_for(device->client->platform, &state->how);
    beam_status status = prepare(state, parameters, options, err);
    if (status != BEAM_OK) {
        model_free(state);
        return status;
    }
    model->state = state;
    return BEAM_OK;
}

const beam_device_driver beam_pjrt_driver = {
    .kind = "pjrt",
    .open = pjrt_open,
    .close = pjrt_close,
    .memory = pjrt_memory,
    .compile = pjrt_compile,
    .discard = pjrt_discard,
    .context_open = beam_pjrt_context_open,
    .context_close = beam_pjrt_context_close,
    .feed = beam_pjrt_feed,
    .execute = beam_pjrt_execute,
    .train_open = beam_pjrt_train_open,
    .train_close = beam_pjrt_train_close,
    .train_step = beam_pjrt_train_step,
    .train_read = beam_pjrt_train_read,
    .train_write = beam_pjrt_train_write,
};
