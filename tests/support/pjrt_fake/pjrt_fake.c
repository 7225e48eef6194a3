/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_fake.c - see pjrt_fake.h. */
#include "pjrt_fake.h"

#include <pjrt_c_api.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

enum { MAX_DEVICES = 8, MAX_RESULTS = 256, MAX_SHAPE = 1000 };

EXPORT pjrt_fake_control pjrt_fake = {.code = 13};

struct PJRT_Error {
    PJRT_Error_Code code;
    char text[256];
};
struct PJRT_Event {
    struct timespec when;
};
struct PJRT_DeviceDescription {
    int id;
};
struct PJRT_Device {
    PJRT_DeviceDescription description;
    int64_t used;
};
struct PJRT_Client {
    char platform[32];
    int64_t memory;
    size_t num_devices;
    PJRT_Device devices[MAX_DEVICES];
    PJRT_Device *list[MAX_DEVICES];
};
struct PJRT_Buffer {
    PJRT_Client *client;
    PJRT_Device *device;
    size_t size;
    char *data;
    struct timespec when;
};
typedef struct program {
    size_t num_results;
    size_t sizes[MAX_RESULTS];
    /* An HloModuleProtoWithConfig that tells main's arguments and results; empty if it is longer.
     */
    unsigned char shape[MAX_SHAPE];
    size_t shape_size;
} program;
struct PJRT_Executable {
    program program;
};
struct PJRT_LoadedExecutable {
    PJRT_Client *client;
    program program;
};
struct PJRT_SerializedExecutable {
    program program;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- faults ---- */

static PJRT_Error *fail(int code, const char *format, const char *what, long long a, long long b)
{
    PJRT_Error *error = calloc(1, sizeof *error);
    if (!error)
        abort();
    error->code = (PJRT_Error_Code)code;
    (void)snprintf(error->text, sizeof error->text, format, what, a, b);
    return error;
}

/* An error if this call is to fail. */
static PJRT_Error *fault(const char *name)
{
    const char *always = getenv("PJRT_FAKE_FAIL");
    (void)pthread_mutex_lock(&mutex);
    uint64_t call = ++pjrt_fake.calls;
    bool now = pjrt_fake.fail_at &&
               (call == pjrt_fake.fail_at || (pjrt_fake.sticky && call > pjrt_fake.fail_at));
    (void)pthread_mutex_unlock(&mutex);
    if (now || (always && strcmp(always, name) == 0))
        return fail(pjrt_fake.code, "%s fails as told, call %lld", name, (long long)call, 0);
    return NULL;
}
#define FAULT(name)                       \
    do {                                  \
        PJRT_Error *fault_ = fault(name); \
        if (fault_)                       \
            return fault_;                \
    } while (0)

static void *make(size_t size)
{
    void *made = calloc(1, size);
    if (!made)
        abort();
    (void)pthread_mutex_lock(&mutex);
    __atomic_fetch_add(&pjrt_fake.live, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&mutex);
    return made;
}

static void destroy(void *object)
{
    if (!object)
        return;
    (void)pthread_mutex_lock(&mutex);
    __atomic_fetch_sub(&pjrt_fake.live, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&mutex);
    free(object);
}

/* ---- errors and events ---- */

static void error_destroy(PJRT_Error_Destroy_Args *args)
{
    free(args->error);
}

static void error_message(PJRT_Error_Message_Args *args)
{
    args->message = args->error->text;
    args->message_size = strlen(args->error->text);
}

static PJRT_Error *error_code(PJRT_Error_GetCode_Args *args)
{
    args->code = args->error->code;
    return NULL;
}

static PJRT_Error *initialize(PJRT_Plugin_Initialize_Args *args)
{
    (void)args;
    FAULT("PJRT_Plugin_Initialize");
    return NULL;
}

static PJRT_Event *event_at(struct timespec when)
{
    PJRT_Event *event = make(sizeof *event);
    event->when = when;
    return event;
}

static PJRT_Error *event_await(PJRT_Event_Await_Args *args)
{
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &args->event->when, NULL);
    FAULT("PJRT_Event_Await");
    return NULL;
}

static PJRT_Error *event_destroy(PJRT_Event_Destroy_Args *args)
{
    destroy(args->event);
    return NULL;
}

/* ---- clients and devices ---- */

static long long number(const char *name, long long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? atoll(text) : otherwise;
}

static PJRT_Error *client_create(PJRT_Client_Create_Args *args)
{
    FAULT("PJRT_Client_Create");
    PJRT_Client *client = make(sizeof *client);
    const char *platform = getenv("PJRT_FAKE_PLATFORM");
    (void)snprintf(client->platform, sizeof client->platform, "%s", platform ? platform : "tpu");
    client->memory = number("PJRT_FAKE_MEMORY", 0);
    long long devices = number("PJRT_FAKE_DEVICES", 1);
    client->num_devices = devices > MAX_DEVICES ? MAX_DEVICES : (size_t)devices;
    for (size_t i = 0; i < client->num_devices; i++) {
        client->devices[i].description.id = (int)i;
        client->list[i] = &client->devices[i];
    }
    args->client = client;
    return NULL;
}

static PJRT_Error *client_destroy(PJRT_Client_Destroy_Args *args)
{
    destroy(args->client);
    return NULL;
}

static PJRT_Error *platform_name(PJRT_Client_PlatformName_Args *args)
{
    FAULT("PJRT_Client_PlatformName");
    args->platform_name = args->client->platform;
    args->platform_name_size = strlen(args->client->platform);
    return NULL;
}

static PJRT_Error *platform_version(PJRT_Client_PlatformVersion_Args *args)
{
    FAULT("PJRT_Client_PlatformVersion");
    args->platform_version = "fake 1";
    args->platform_version_size = strlen("fake 1");
    return NULL;
}

static PJRT_Error *devices(PJRT_Client_AddressableDevices_Args *args)
{
    FAULT("PJRT_Client_AddressableDevices");
    args->addressable_devices = args->client->list;
    args->num_addressable_devices = args->client->num_devices;
    return NULL;
}

static PJRT_Error *device_description(PJRT_Device_GetDescription_Args *args)
{
    FAULT("PJRT_Device_GetDescription");
    args->device_description = &args->device->description;
    return NULL;
}

static PJRT_Error *device_id(PJRT_DeviceDescription_Id_Args *args)
{
    FAULT("PJRT_DeviceDescription_Id");
    args->id = args->device_description->id;
    return NULL;
}

static PJRT_Error *device_kind(PJRT_DeviceDescription_Kind_Args *args)
{
    FAULT("PJRT_DeviceDescription_Kind");
    const char *other = getenv("PJRT_FAKE_KIND");
    args->device_kind = args->device_description->id && other ? other : "Fake accelerator";
    args->device_kind_size = strlen(args->device_kind);
    return NULL;
}

static PJRT_Error *device_attributes(PJRT_DeviceDescription_Attributes_Args *args)
{
    static const char text[] = "7.5"; /* a T4's */
    static const PJRT_NamedValue value = {.struct_size = PJRT_NamedValue_STRUCT_SIZE,
                                          .name = "compute_capability",
                                          .name_size = sizeof "compute_capability" - 1,
                                          .type = PJRT_NamedValue_kString,
                                          .string_value = text,
                                          .value_size = sizeof text - 1};
    FAULT("PJRT_DeviceDescription_Attributes");
    args->attributes = &value;
    args->num_attributes = 1;
    return NULL;
}

static PJRT_Client *client_of(const PJRT_Device *device)
{
    size_t index = (size_t)device->description.id;
    return (PJRT_Client *)((char *)(uintptr_t)device - offsetof(PJRT_Client, devices) -
                           index * sizeof *device);
}

static PJRT_Error *memory_stats(PJRT_Device_MemoryStats_Args *args)
{
    FAULT("PJRT_Device_MemoryStats");
    (void)pthread_mutex_lock(&mutex);
    args->bytes_in_use = args->device->used;
    (void)pthread_mutex_unlock(&mutex);
    args->bytes_limit = client_of(args->device)->memory;
    args->bytes_limit_is_set = args->bytes_limit > 0;
    return NULL;
}

/* ---- buffers ---- */

static PJRT_Error *make_buffer(PJRT_Client *client, PJRT_Device *device, size_t size,
                               PJRT_Buffer **buffer)
{
    (void)pthread_mutex_lock(&mutex);
    bool fits = !client->memory || device->used + (int64_t)size <= client->memory;
    device->used += fits ? (int64_t)size : 0;
    int64_t left = client->memory - device->used;
    (void)pthread_mutex_unlock(&mutex);
    if (!fits)
        return fail(8, "%sOut of memory allocating %lld bytes, %lld are free", "", (long long)size,
                    (long long)left);
    *buffer = make(sizeof **buffer);
    **buffer = (PJRT_Buffer){.client = client, .device = device, .size = size};
    (*buffer)->data = calloc(size ? size : 1, 1);
    if (!(*buffer)->data)
        abort();
    return NULL;
}

static PJRT_Error *buffer_destroy(PJRT_Buffer_Destroy_Args *args)
{
    if (pjrt_fake.destroy_ms)
        (void)nanosleep(&(struct timespec){.tv_nsec = pjrt_fake.destroy_ms * 1000000L}, NULL);
    (void)pthread_mutex_lock(&mutex);
    args->buffer->device->used -= (int64_t)args->buffer->size;
    (void)pthread_mutex_unlock(&mutex);
    free(args->buffer->data);
    destroy(args->buffer);
    return NULL;
}

static size_t size_of(PJRT_Buffer_Type type)
{
    return type == PJRT_Buffer_Type_BF16 || type == PJRT_Buffer_Type_F16 ? 2 : 4;
}

static PJRT_Error *from_host(PJRT_Client_BufferFromHostBuffer_Args *args)
{
    FAULT("PJRT_Client_BufferFromHostBuffer");
    size_t size = size_of(args->type);
    for (size_t i = 0; i < args->num_dims; i++)
        size *= (size_t)args->dims[i];
    PJRT_Error *error = make_buffer(args->client, args->device, size, &args->buffer);
    if (error)
        return error;
    memcpy(args->buffer->data, args->data, size);
    args->done_with_host_buffer = event_at((struct timespec){0});
    return NULL;
}

static PJRT_Error *to_host(PJRT_Buffer_ToHostBuffer_Args *args)
{
    FAULT("PJRT_Buffer_ToHostBuffer");
    if (!args->dst) {
        args->dst_size = args->src->size;
        return NULL;
    }
    if (args->dst_size < args->src->size)
        return fail(3, "%s%lld bytes do not fit into %lld", "", (long long)args->src->size,
                    (long long)args->dst_size);
    memcpy(args->dst, args->src->data, args->src->size);
    args->event = event_at(args->src->when);
    return NULL;
}

static PJRT_Error *on_device_size(PJRT_Buffer_OnDeviceSizeInBytes_Args *args)
{
    FAULT("PJRT_Buffer_OnDeviceSizeInBytes");
    args->on_device_size_in_bytes = args->buffer->size;
    return NULL;
}

/* ---- programs ---- */

/* Puts a member of a message, of less than 128 bytes, before which `size` bytes stand. */
static size_t put_member(unsigned char *to, size_t size, unsigned number, const unsigned char *from,
                         size_t length)
{
    to[size] = (unsigned char)(number << 3 | 2);
    to[size + 1] = (unsigned char)length;
    memcpy(to + size + 2, from, length);
    return size + 2 + length;
}

/* The ShapeProto of "2x10xf32>...". */
static size_t put_tensor(unsigned char *to, char *at)
{
    static const struct {
        const char *name;
        unsigned char type;
    } types[] = {{"f32", 11}, {"i32", 4}, {"bf16", 16}, {"f16", 10}};
    size_t size = 0;
    while (*at >= '0' && *at <= '9') {
        to[size++] = 3 << 3;
        to[size++] = (unsigned char)(strtoll(at, &at, 10) & 127);
        at += *at == 'x';
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(at, types[i].name, strlen(types[i].name)) == 0) {
            to[size++] = 2 << 3;
            to[size++] = types[i].type;
        }
    return size;
}

/* The tensors up to `end`, each as the member `number` of what stands in `to`. */
static size_t put_tensors(unsigned char *to, size_t size, unsigned number, char *at,
                          const char *end)
{
    unsigned char one[64];
    while ((at = strstr(at, "tensor<")) != NULL && at < end && size < 100) {
        at += strlen("tensor<");
        size = put_member(to, size, number, one, put_tensor(one, at));
    }
    return size;
}

/* What a compiler tells of a small program: its numbers are below 128, and so are the sizes of its
 * messages. */
static void describe_main(char *text, const char *end, program *p)
{
    unsigned char results[200] = {2 << 3, 13}, main[400], module[410];
    char *at = strstr(text, "@main("), *arrow = strstr(text, ") -> (");
    if (!at || !arrow || at > arrow)
        return;
    size_t length = put_tensors(main, 0, 1, at, arrow);
    size_t size = put_tensors(results, 2, 4, arrow, end);
    if (length > 100 || size > 100 || length + size > 120)
        return;
    length = put_member(main, length, 2, results, size);
    length = put_member(module, 0, 4, main, length);
    p->shape_size = put_member(p->shape, 0, 1, module, length);
}

/* The sizes of main's results, from ") -> (tensor<2x10xf32>, ...) {". */
static bool read_results(const char *code, size_t size, program *p)
{
    char *text = strndup(code, size), *end = NULL;
    if (!text)
        abort();
    char *at = strstr(text, ") -> (");
    if (at)
        end = strchr(at, '{');
    if (!at || !end) {
        free(text);
        return false;
    }
    describe_main(text, end, p);
    *end = '\0';
    while (p->num_results < MAX_RESULTS && (at = strstr(at, "tensor<")) != NULL) {
        size_t count = 1;
        at += strlen("tensor<");
        while (*at >= '0' && *at <= '9') {
            count *= (size_t)strtoll(at, &at, 10);
            at += *at == 'x';
        }
        bool half = strncmp(at, "bf16", 4) == 0 || strncmp(at, "f16", 3) == 0;
        p->sizes[p->num_results++] = count * (half ? 2 : 4);
    }
    free(text);
    return true;
}

static bool wait_for_executions(void)
{
    const struct timespec tick = {.tv_nsec = 1000000};
    for (int i = 0; i < 10000; i++) {
        if (__atomic_load_n(&pjrt_fake.executions, __ATOMIC_RELAXED) >= pjrt_fake.compile_after)
            return true;
        (void)nanosleep(&tick, NULL);
    }
    return false;
}

static PJRT_Error *client_compile(PJRT_Client_Compile_Args *args)
{
    FAULT("PJRT_Client_Compile");
    if (!wait_for_executions())
        return fail(4, "compiling waited for executions%s", "", 0, 0);
    PJRT_LoadedExecutable *executable = make(sizeof *executable);
    executable->client = args->client;
    if (!read_results(args->program->code, args->program->code_size, &executable->program)) {
        destroy(executable);
        return fail(3, "%sline 1: expected operation name in quotes", "", 0, 0);
    }
    args->executable = executable;
    return NULL;
}

static PJRT_Error *loaded_destroy(PJRT_LoadedExecutable_Destroy_Args *args)
{
    destroy(args->executable);
    return NULL;
}

static PJRT_Error *get_executable(PJRT_LoadedExecutable_GetExecutable_Args *args)
{
    FAULT("PJRT_LoadedExecutable_GetExecutable");
    args->executable = make(sizeof *args->executable);
    args->executable->program = args->loaded_executable->program;
    return NULL;
}

static PJRT_Error *executable_destroy(PJRT_Executable_Destroy_Args *args)
{
    destroy(args->executable);
    return NULL;
}

static PJRT_Error *num_outputs(PJRT_Executable_NumOutputs_Args *args)
{
    FAULT("PJRT_Executable_NumOutputs");
    args->num_outputs = args->executable->program.num_results;
    return NULL;
}

static PJRT_Error *optimized_program(PJRT_Executable_OptimizedProgram_Args *args)
{
    FAULT("PJRT_Executable_OptimizedProgram");
    const program *p = &args->executable->program;
    if (args->program->code)
        memcpy(args->program->code, p->shape, p->shape_size);
    args->program->code_size = p->shape_size;
    return NULL;
}

static PJRT_Error *compiled_memory(PJRT_Executable_GetCompiledMemoryStats_Args *args)
{
    FAULT("PJRT_Executable_GetCompiledMemoryStats");
    for (size_t i = 0; i < args->executable->program.num_results; i++)
        args->output_size_in_bytes += (int64_t)args->executable->program.sizes[i];
    args->temp_size_in_bytes = 1000;
    return NULL;
}

static void serialized_destroy(PJRT_SerializedExecutable *serialized)
{
    destroy(serialized);
}

static PJRT_Error *serialize(PJRT_Executable_Serialize_Args *args)
{
    FAULT("PJRT_Executable_Serialize");
    args->serialized_executable = make(sizeof *args->serialized_executable);
    args->serialized_executable->program = args->executable->program;
    args->serialized_bytes = (const char *)args->serialized_executable;
    args->serialized_bytes_size = sizeof *args->serialized_executable;
    args->serialized_executable_deleter = serialized_destroy;
    return NULL;
}

static PJRT_Error *deserialize(PJRT_Executable_DeserializeAndLoad_Args *args)
{
    FAULT("PJRT_Executable_DeserializeAndLoad");
    if (args->serialized_executable_size != sizeof(PJRT_SerializedExecutable))
        return fail(3, "%snot what was serialized", "", 0, 0);
    args->loaded_executable = make(sizeof *args->loaded_executable);
    args->loaded_executable->client = args->client;
    memcpy(&args->loaded_executable->program, args->serialized_executable, sizeof(program));
    return NULL;
}

static struct timespec later(int milliseconds)
{
    struct timespec when;
    (void)clock_gettime(CLOCK_MONOTONIC, &when);
    long nanoseconds = when.tv_nsec + milliseconds % 1000 * 1000000L;
    when.tv_sec += milliseconds / 1000 + nanoseconds / 1000000000L;
    when.tv_nsec = nanoseconds % 1000000000L;
    return when;
}

/* A result of `size` bytes: the first argument's, over and over. */
static PJRT_Error *make_result(PJRT_Client *client, const PJRT_Buffer *first, size_t size,
                               PJRT_Buffer **result)
{
    PJRT_Error *error = make_buffer(client, first->device, size, result);
    if (error)
        return error;
    for (size_t i = 0; first->size && i < size; i++)
        (*result)->data[i] = first->data[i % first->size];
    (*result)->when = later(pjrt_fake.delay_ms);
    return NULL;
}

static bool is_poisoned(const PJRT_Buffer *first)
{
    const float *numbers = (const float *)first->data;
    for (size_t i = 0; pjrt_fake.poison != 0 && i < first->size / sizeof *numbers; i++)
        if (numbers[i] == pjrt_fake.poison)
            return true;
    return false;
}

static void launch(size_t devices)
{
    if (devices < 2)
        return;
    (void)pthread_mutex_lock(&mutex);
    pjrt_fake.overlapped |= pjrt_fake.launching++ > 0;
    (void)pthread_mutex_unlock(&mutex);
    (void)nanosleep(&(struct timespec){.tv_nsec = pjrt_fake.launch_ms * 1000000L}, NULL);
    (void)pthread_mutex_lock(&mutex);
    pjrt_fake.launching--;
    (void)pthread_mutex_unlock(&mutex);
}

static PJRT_Error *execute(PJRT_LoadedExecutable_Execute_Args *args)
{
    FAULT("PJRT_LoadedExecutable_Execute");
    for (size_t d = 0; d < args->num_devices; d++)
        if (is_poisoned(args->argument_lists[d][0]))
            return fail(3, "%sa number is poison", "", 0, 0);
    launch(args->num_devices);
    (void)pthread_mutex_lock(&mutex);
    (void)__atomic_fetch_add(&pjrt_fake.executions, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&mutex);
    const program *p = &args->executable->program;
    for (size_t d = 0; d < args->num_devices; d++) {
        for (size_t i = 0; i < p->num_results; i++) {
            PJRT_Error *error = make_result(args->executable->client, args->argument_lists[d][0],
                                            p->sizes[i], &args->output_lists[d][i]);
            if (error) {
                for (size_t k = 0; k < d * p->num_results + i; k++)
                    (void)buffer_destroy(&(PJRT_Buffer_Destroy_Args){
                        .buffer = args->output_lists[k / p->num_results][k % p->num_results]});
                return error;
            }
        }
    }
    return NULL;
}

/* ---- ahead of time ---- */

static PJRT_Error *topology_create(PJRT_TopologyDescription_Create_Args *args)
{
    (void)args;
    return fail(12, "%sthis plugin knows no topology", "", 0, 0);
}

static PJRT_Error *topology_destroy(PJRT_TopologyDescription_Destroy_Args *args)
{
    (void)args;
    return NULL;
}

static PJRT_Error *compile(PJRT_Compile_Args *args)
{
    (void)args;
    return fail(12, "%sthis plugin does not compile ahead of time", "", 0, 0);
}

EXPORT const PJRT_Api *GetPjrtApi(void);
const PJRT_Api *GetPjrtApi(void)
{
    static PJRT_Api api = {
        .struct_size = PJRT_Api_STRUCT_SIZE,
        .pjrt_api_version = {.struct_size = PJRT_Api_Version_STRUCT_SIZE,
                             .major_version = PJRT_API_MAJOR},
        .PJRT_Error_Destroy = error_destroy,
        .PJRT_Error_Message = error_message,
        .PJRT_Error_GetCode = error_code,
        .PJRT_Plugin_Initialize = initialize,
        .PJRT_Event_Destroy = event_destroy,
        .PJRT_Event_Await = event_await,
        .PJRT_Client_Create = client_create,
        .PJRT_Client_Destroy = client_destroy,
        .PJRT_Client_PlatformName = platform_name,
        .PJRT_Client_PlatformVersion = platform_version,
        .PJRT_Client_AddressableDevices = devices,
        .PJRT_Client_Compile = client_compile,
        .PJRT_Client_BufferFromHostBuffer = from_host,
        .PJRT_DeviceDescription_Id = device_id,
        .PJRT_DeviceDescription_Attributes = device_attributes,
        .PJRT_DeviceDescription_Kind = device_kind,
        .PJRT_Device_GetDescription = device_description,
        .PJRT_Device_MemoryStats = memory_stats,
        .PJRT_Executable_Destroy = executable_destroy,
        .PJRT_Executable_NumOutputs = num_outputs,
        .PJRT_Executable_OptimizedProgram = optimized_program,
        .PJRT_Executable_Serialize = serialize,
        .PJRT_LoadedExecutable_Destroy = loaded_destroy,
        .PJRT_LoadedExecutable_GetExecutable = get_executable,
        .PJRT_LoadedExecutable_Execute = execute,
        .PJRT_Executable_DeserializeAndLoad = deserialize,
        .PJRT_Buffer_Destroy = buffer_destroy,
        .PJRT_Buffer_OnDeviceSizeInBytes = on_device_size,
        .PJRT_Buffer_ToHostBuffer = to_host,
        .PJRT_TopologyDescription_Create = topology_create,
        .PJRT_TopologyDescription_Destroy = topology_destroy,
        .PJRT_Compile = compile,
        .PJRT_Executable_GetCompiledMemoryStats = compiled_memory,
    };
    long long minor = number("PJRT_FAKE_MINOR", PJRT_API_MINOR);
    api.pjrt_api_version.minor_version = (int)minor;
    if (getenv("PJRT_FAKE_NO_PROGRAM"))
        api.PJRT_Executable_OptimizedProgram = NULL;
    /* An old table is a short one. */
    api.struct_size = minor < 20 ? offsetof(PJRT_Api, PJRT_Compile) : (size_t)PJRT_Api_STRUCT_SIZE;
    return &api;
}
