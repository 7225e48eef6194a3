/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_plugin.c - opening plugins, and what they answer. */
#include "device/pjrt_cuda.h"
#include "device/pjrt_plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static pthread_mutex_t plugins_mutex = PTHREAD_MUTEX_INITIALIZER;
static beam_pjrt_plugin *plugins;

/* The functions that libbeam cannot do without.  A table of an older API ends before some. */
static const struct {
    const char *name;
    size_t offset;
} needed[] = {
#define NEEDED(function)                        \
    {                                           \
#function, offsetof(PJRT_Api, function) \
    }
    NEEDED(PJRT_Error_Destroy),
    NEEDED(PJRT_Error_Message),
    NEEDED(PJRT_Error_GetCode),
    NEEDED(PJRT_Plugin_Initialize),
    NEEDED(PJRT_Event_Destroy),
    NEEDED(PJRT_Event_Await),
    NEEDED(PJRT_Client_Create),
    NEEDED(PJRT_Client_Destroy),
    NEEDED(PJRT_Client_PlatformName),
    NEEDED(PJRT_Client_PlatformVersion),
    NEEDED(PJRT_Client_AddressableDevices),
    NEEDED(PJRT_Client_Compile),
    NEEDED(PJRT_Client_BufferFromHostBuffer),
    NEEDED(PJRT_DeviceDescription_Id),
    NEEDED(PJRT_DeviceDescription_Attributes),
    NEEDED(PJRT_DeviceDescription_Kind),
    NEEDED(PJRT_Device_GetDescription),
    NEEDED(PJRT_Device_MemoryStats),
    NEEDED(PJRT_Executable_Destroy),
    NEEDED(PJRT_Executable_NumOutputs),
    NEEDED(PJRT_Executable_Serialize),
    NEEDED(PJRT_LoadedExecutable_Destroy),
    NEEDED(PJRT_LoadedExecutable_GetExecutable),
    NEEDED(PJRT_LoadedExecutable_Execute),
    NEEDED(PJRT_Executable_DeserializeAndLoad),
    NEEDED(PJRT_Buffer_Destroy),
    NEEDED(PJRT_Buffer_OnDeviceSizeInBytes),
    NEEDED(PJRT_Buffer_ToHostBuffer),
    NEEDED(PJRT_TopologyDescription_Create),
    NEEDED(PJRT_TopologyDescription_Destroy),
    NEEDED(PJRT_Compile),
    NEEDED(PJRT_Executable_GetCompiledMemoryStats),
#undef NEEDED
};

static beam_status check_api(const char *path, const PJRT_Api *api, beam_error *err)
{
    if (!api)
        return beam_error_set(err, BEAM_UNAVAILABLE, "plugin %s: GetPjrtApi gave nothing", path);
    const PJRT_Api_Version *version = &api->pjrt_api_version;
    if (version->major_version != PJRT_API_MAJOR)
        return beam_error_set(
            err, BEAM_UNAVAILABLE,
            "plugin %s has PJRT API %d.%d; libbeam speaks %d.x (built with %d.%d)", path,
            version->major_version, version->minor_version, PJRT_API_MAJOR, PJRT_API_MAJOR,
            PJRT_API_MINOR);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        bool there = needed[i].offset + sizeof(void *) <= api->struct_size;
        const char *entry = (const char *)api + needed[i].offset;
        void *function = NULL;
        if (there)
            memcpy(&function, entry, sizeof function);
        if (!function)
            return beam_error_set(err, BEAM_UNAVAILABLE,
                                  "plugin %s has PJRT API %d.%d, without %s, which libbeam needs; "
                                  "install a newer plugin (libbeam was built with API %d.%d)",
                                  path, version->major_version, version->minor_version,
                                  needed[i].name, PJRT_API_MAJOR, PJRT_API_MINOR);
    }
    return BEAM_OK;
}

static beam_status load(const char *path, const PJRT_Api **api, beam_error *err)
{
    (void)setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0); /* of XLA's own log warnings and errors */
    BEAM_TRY(beam_pjrt_open_cuda(path, err));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return beam_error_set(err, BEAM_UNAVAILABLE, "plugin %s does not load: %s", path,
                              dlerror());
    const PJRT_Api *(*get)(void) = NULL;
    void *symbol = dlsym(library, "GetPjrtApi");
    if (!symbol) {
        (void)dlclose(library);
        return beam_error_set(err, BEAM_UNAVAILABLE,
                              "%s is no PJRT plugin: it has no function GetPjrtApi", path);
    }
    memcpy(&get, &symbol, sizeof get);
    *api = get();
    BEAM_TRY(check_api(path, *api, err)); /* it has run: it stays loaded */
    return beam_pjrt_status(
        *api, (*api)->PJRT_Plugin_Initialize(BEAM_PJRT(PJRT_Plugin_Initialize, 0)), path, err);
}

static beam_status add_plugin(char *path, const beam_pjrt_plugin **plugin, beam_error *err)
{
    for (beam_pjrt_plugin *p = plugins; p; p = p->next) {
        if (strcmp(p->path, path) == 0) {
            *plugin = p;
            return BEAM_OK;
        }
    }
    beam_pjrt_plugin *made = beam_calloc(1, sizeof *made);
    char *copy = beam_strdup(path);
    beam_status status = BEAM_OK;
    if (!made || !copy)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a plugin");
    if (status == BEAM_OK)
        status = load(path, &made->api, err);
    if (status != BEAM_OK) {
        beam_free(copy);
        beam_free(made);
        return status;
    }
    made->path = copy;
    made->next = plugins;
    plugins = made;
    *plugin = made;
    return BEAM_OK;
}

beam_status beam_pjrt_plugin_open(const char *path, const beam_pjrt_plugin **plugin,
                                  beam_error *err)
{
    char *real = realpath(path, NULL);
    if (!real)
        return beam_error_set(err, BEAM_UNAVAILABLE, "plugin %s: there is no such file", path);
    (void)pthread_mutex_lock(&plugins_mutex);
    beam_status status = add_plugin(real, plugin, err);
    (void)pthread_mutex_unlock(&plugins_mutex);
    free(real);
    return status;
}

/* ---- errors and events ---- */

beam_status beam_pjrt_status(const PJRT_Api *api, PJRT_Error *error, const char *what,
                             beam_error *err)
{
    if (!error)
        return BEAM_OK;
    PJRT_Error_Message_Args *text = BEAM_PJRT(PJRT_Error_Message, .error = error);
    api->PJRT_Error_Message(text);
    PJRT_Error_GetCode_Args *code = BEAM_PJRT(PJRT_Error_GetCode, .error = error);
    beam_pjrt_ignore(api, api->PJRT_Error_GetCode(code));
    beam_status status = BEAM_UNKNOWN;
    if ((int)code->code > BEAM_OK && (int)code->code <= BEAM_UNAUTHENTICATED)
        status = (beam_status)code->code;
    size_t size = text->message ? text->message_size : 0;
    status = beam_error_set(err, status, "%s: %.*s", what, size > 4096 ? 4096 : (int)size,
                            text->message ? text->message : "");
    api->PJRT_Error_Destroy(BEAM_PJRT(PJRT_Error_Destroy, .error = error));
    return status;
}

void beam_pjrt_ignore(const PJRT_Api *api, PJRT_Error *error)
{
    if (error)
        api->PJRT_Error_Destroy(BEAM_PJRT(PJRT_Error_Destroy, .error = error));
}

beam_status beam_pjrt_await(const PJRT_Api *api, PJRT_Event *event, const char *what,
                            beam_error *err)
{
    if (!event)
        return BEAM_OK;
    beam_status status = beam_pjrt_status(
        api, api->PJRT_Event_Await(BEAM_PJRT(PJRT_Event_Await, .event = event)), what, err);
    beam_pjrt_ignore(api, api->PJRT_Event_Destroy(BEAM_PJRT(PJRT_Event_Destroy, .event = event)));
    return status;
}

void beam_pjrt_buffer_free(const PJRT_Api *api, PJRT_Buffer *buffer)
{
    if (buffer)
        beam_pjrt_ignore(
            api, api->PJRT_Buffer_Destroy(BEAM_PJRT(PJRT_Buffer_Destroy, .buffer = buffer)));
}

/* ---- options ---- */

static void set_value(PJRT_NamedValue *named, const char *value)
{
    char *end;
    long long whole = strtoll(value, &end, 10);
    named->value_size = 1;
    if (*value && !*end) {
        named->type = PJRT_NamedValue_kInt64;
        named->int64_value = whole;
        return;
    }
    float number = strtof(value, &end);
    if (*value && !*end) {
        named->type = PJRT_NamedValue_kFloat;
        named->float_value = number;
    } else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
        named->type = PJRT_NamedValue_kBool;
        named->bool_value = *value == 't';
    } else {
        named->type = PJRT_NamedValue_kString;
        named->string_value = value;
        named->value_size = strlen(value);
    }
}

beam_status beam_pjrt_options_parse(const char *text, beam_pjrt_options *options, beam_error *err)
{
    *options = (beam_pjrt_options){0};
    if (!text || !*text)
        return BEAM_OK;
    options->text = beam_strdup(text);
    if (!options->text)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a plugin's options");
    char *rest = options->text, *item;
    while ((item = strsep(&rest, ";")) != NULL) {
        char *equals = strchr(item, '=');
        if (!equals || equals == item || options->count == BEAM_PJRT_MAX_OPTIONS) {
            beam_status status = beam_error_set(
                err, BEAM_INVALID_ARGUMENT,
                "plugin options \"%s\": want NAME=VALUE;NAME=VALUE, at most %d of them", text,
                BEAM_PJRT_MAX_OPTIONS);
            beam_pjrt_options_free(options);
            return status;
        }
        *equals = '\0';
        PJRT_NamedValue *named = &options->values[options->count++];
        named->struct_size = PJRT_NamedValue_STRUCT_SIZE;
        named->name = item;
        named->name_size = strlen(item);
        set_value(named, equals + 1);
    }
    return BEAM_OK;
}

void beam_pjrt_options_free(beam_pjrt_options *options)
{
    beam_free(options->text);
    *options = (beam_pjrt_options){0};
}
