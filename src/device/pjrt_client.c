/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_client.c - a plugin's runtime in this process, one a plugin, and its devices. */
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "device/pjrt_lease.h"
#include "device/pjrt_plugin.h"

static pthread_mutex_t clients_mutex = PTHREAD_MUTEX_INITIALIZER;
static beam_pjrt_client *clients;

static bool contains(const char *name, size_t size, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= size; i++)
        if (strncasecmp(name + i, part, length) == 0)
            return true;
    return false;
}

beam_pjrt_platform beam_pjrt_platform_of(const char *name, size_t size)
{
    if (contains(name, size, "tpu"))
        return BEAM_PJRT_TPU;
    if (contains(name, size, "cuda") || contains(name, size, "rocm") || contains(name, size, "gpu"))
        return BEAM_PJRT_GPU;
    return contains(name, size, "cpu") ? BEAM_PJRT_CPU : BEAM_PJRT_OTHER;
}

static void destroy(beam_pjrt_client *c)
{
    if (c->client)
        beam_pjrt_ignore(c->api, c->api->PJRT_Client_Destroy(
                                     BEAM_PJRT(PJRT_Client_Destroy, .client = c->client)));
    beam_pjrt_lease_end(c->lock);
    beam_free(c->platform_name);
    beam_free(c->platform_version);
    beam_free(c);
}

static beam_status take_lease(beam_pjrt_client *c, const char *kind, beam_error *err)
{
    return c->lock >= 0 ? BEAM_OK : beam_pjrt_lease_take(kind, &c->lock, err);
}

/* What the client says about itself. */
static beam_status ask(beam_pjrt_client *c, beam_error *err)
{
    const PJRT_Api *api = c->api;
    PJRT_Client_PlatformName_Args *name = BEAM_PJRT(PJRT_Client_PlatformName, .client = c->client);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_Client_PlatformName(name), "platform", err));
    PJRT_Client_PlatformVersion_Args *version =
        BEAM_PJRT(PJRT_Client_PlatformVersion, .client = c->client);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_Client_PlatformVersion(version), "version", err));
    PJRT_Client_AddressableDevices_Args *devices =
        BEAM_PJRT(PJRT_Client_AddressableDevices, .client = c->client);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_Client_AddressableDevices(devices), "devices", err));
    c->platform_name = beam_strndup(name->platform_name, name->platform_name_size);
    c->platform_version = beam_strndup(version->platform_version, version->platform_version_size);
    if (!c->platform_name || !c->platform_version)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a client");
    c->platform = beam_pjrt_platform_of(c->platform_name, strlen(c->platform_name));
    c->devices = devices->addressable_devices;
    c->num_devices = devices->num_addressable_devices;
    if (c->num_devices == 0)
        return beam_error_set(err, BEAM_UNAVAILABLE, "plugin %s: it loads, but has no device here",
                              c->plugin->path);
    return BEAM_OK;
}

static beam_status start(beam_pjrt_client *c, beam_pjrt_platform expected, const char *options,
                         beam_error *err)
{
    static const char *const kinds[] = {[BEAM_PJRT_OTHER] = NULL,
                                        [BEAM_PJRT_CPU] = NULL,
                                        [BEAM_PJRT_GPU] = "gpu",
                                        [BEAM_PJRT_TPU] = "tpu"};
    if (kinds[expected])
        BEAM_TRY(take_lease(c, kinds[expected], err));
    beam_pjrt_options parsed;
    BEAM_TRY(beam_pjrt_options_parse(options, &parsed, err));
    PJRT_Client_Create_Args *create =
        BEAM_PJRT(PJRT_Client_Create, .create_options = parsed.values, .num_options = parsed.count);
    beam_status status = beam_pjrt_status(c->api, c->api->PJRT_Client_Create(create),
                                          "the plugin's runtime does not start", err);
    beam_pjrt_options_free(&parsed);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "plugin %s", c->plugin->path);
    c->client = create->client;
    BEAM_TRY(ask(c, err));
    if (c->platform == BEAM_PJRT_CPU)
        return BEAM_OK; /* any number of processes may use the processor */
    return take_lease(c, kinds[c->platform] ? kinds[c->platform] : c->platform_name, err);
}

static beam_status open_new(const beam_pjrt_plugin *plugin, beam_pjrt_platform expected,
                            const char *options, beam_pjrt_client **client, beam_error *err)
{
    beam_pjrt_client *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a client");
    made->plugin = plugin;
    made->api = plugin->api;
    made->lock = -1;
    made->references = 1;
    beam_status status = start(made, expected, options, err);
    if (status != BEAM_OK) {
        destroy(made);
        return status;
    }
    made->next = clients;
    clients = made;
    *client = made;
    return BEAM_OK;
}

beam_status beam_pjrt_client_open(const beam_pjrt_plugin *plugin, beam_pjrt_platform expected,
                                  const char *options, beam_pjrt_client **client, beam_error *err)
{
    (void)pthread_mutex_lock(&clients_mutex);
    beam_status status = BEAM_OK;
    beam_pjrt_client *found = clients;
    while (found && found->plugin != plugin)
        found = found->next;
    if (found) {
        found->references++;
        *client = found;
    } else {
        status = open_new(plugin, expected, options, client, err);
    }
    (void)pthread_mutex_unlock(&clients_mutex);
    return status;
}

void beam_pjrt_client_close(beam_pjrt_client *client)
{
    if (!client)
        return;
    (void)pthread_mutex_lock(&clients_mutex);
    if (--client->references == 0) {
        beam_pjrt_client **at = &clients;
        while (*at != client)
            at = &(*at)->next;
        *at = client->next;
        destroy(client);
    }
    (void)pthread_mutex_unlock(&clients_mutex);
}

/* ---- devices ---- */

static beam_status describe(const beam_pjrt_client *c, size_t device,
                            PJRT_DeviceDescription **description, beam_error *err)
{
    PJRT_Device_GetDescription_Args *args =
        BEAM_PJRT(PJRT_Device_GetDescription, .device = c->devices[device]);
    BEAM_TRY(beam_pjrt_status(c->api, c->api->PJRT_Device_GetDescription(args),
                              "a device's description", err));
    *description = args->device_description;
    return BEAM_OK;
}

beam_status beam_pjrt_device_id(const beam_pjrt_client *client, size_t device, int64_t *id,
                                beam_error *err)
{
    PJRT_DeviceDescription_Id_Args *args = BEAM_PJRT(PJRT_DeviceDescription_Id, 0);
    BEAM_TRY(describe(client, device, &args->device_description, err));
    BEAM_TRY(beam_pjrt_status(client->api, client->api->PJRT_DeviceDescription_Id(args),
                              "a device's number", err));
    *id = args->id;
    return BEAM_OK;
}

void beam_pjrt_device_kind(const beam_pjrt_client *client, size_t device, const char **kind,
                           size_t *size)
{
    *kind = "?";
    *size = 1;
    PJRT_DeviceDescription_Kind_Args *args = BEAM_PJRT(PJRT_DeviceDescription_Kind, 0);
    if (describe(client, device, &args->device_description, NULL) != BEAM_OK)
        return;
    PJRT_Error *error = client->api->PJRT_DeviceDescription_Kind(args);
    if (!error) {
        *kind = args->device_kind;
        *size = args->device_kind_size;
    }
    beam_pjrt_ignore(client->api, error);
}

void beam_pjrt_device_memory(const beam_pjrt_client *client, size_t device, uint64_t *in_use,
                             uint64_t *limit)
{
    *in_use = *limit = 0;
    PJRT_Device_MemoryStats_Args *args =
        BEAM_PJRT(PJRT_Device_MemoryStats, .device = client->devices[device]);
    PJRT_Error *error = client->api->PJRT_Device_MemoryStats(args);
    if (!error) {
        *in_use = args->bytes_in_use > 0 ? (uint64_t)args->bytes_in_use : 0;
        if (args->bytes_limit_is_set && args->bytes_limit > 0)
            *limit = (uint64_t)args->bytes_limit;
    }
    beam_pjrt_ignore(client->api, error);
}

const PJRT_NamedValue *beam_pjrt_device_attribute(const beam_pjrt_client *client, size_t device,
                                                  const char *name)
{
    PJRT_DeviceDescription_Attributes_Args *args = BEAM_PJRT(PJRT_DeviceDescription_Attributes, 0);
    if (describe(client, device, &args->device_description, NULL) != BEAM_OK)
        return NULL;
    PJRT_Error *error = client->api->PJRT_DeviceDescription_Attributes(args);
    beam_pjrt_ignore(client->api, error);
    for (size_t i = 0; !error && i < args->num_attributes; i++)
        if (args->attributes[i].name_size == strlen(name) &&
            memcmp(args->attributes[i].name, name, args->attributes[i].name_size) == 0)
            return &args->attributes[i];
    return NULL;
}
