/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_plugin.h - PJRT plugins: shared objects with the compiler and the runtime of a kind of
 * accelerator behind one C API (https://openxla.org/xla/pjrt).  Here they are opened and their
 * errors become beam_status; a client is a process's hold on the devices.
 *
 * A plugin, once opened, stays in the process: their runtimes keep threads and cannot be unloaded.
 * Opening the same file again finds it, and a client that is open is shared. */
#ifndef DEVICE_PJRT_PLUGIN_H
#define DEVICE_PJRT_PLUGIN_H

#include <pjrt_c_api.h>

#include <beam/log.h>
#include <beam/status.h>
#include <stdbool.h>

typedef struct beam_pjrt_plugin {
    struct beam_pjrt_plugin *next;
    char *path;
    const PJRT_Api *api;
} beam_pjrt_plugin;

/* The arguments of one call, with what every call needs filled in. */
#define BEAM_PJRT(function, ...) \
    (&(function##_Args){.struct_size = function##_Args_STRUCT_SIZE, __VA_ARGS__})

/* Opens a plugin and checks that it is one, of an API that is understood here. */
beam_status beam_pjrt_plugin_open(const char *path, const beam_pjrt_plugin **plugin,
                                  beam_error *err);

/* What a call came to: frees a PJRT error and turns it into a status and "what: its words". */
beam_status beam_pjrt_status(const PJRT_Api *api, PJRT_Error *error, const char *what,
                             beam_error *err);
/* For calls whose failure changes nothing any more. */
void beam_pjrt_ignore(const PJRT_Api *api, PJRT_Error *error);
/* Waits for an event and frees it; NULL has happened already. */
beam_status beam_pjrt_await(const PJRT_Api *api, PJRT_Event *event, const char *what,
                            beam_error *err);
void beam_pjrt_buffer_free(const PJRT_Api *api, PJRT_Buffer *buffer);

/* "name=value;name=value": values are true, false, whole numbers, numbers with a point, or text. */
enum { BEAM_PJRT_MAX_OPTIONS = 16 };
typedef struct beam_pjrt_options {
    char *text; /* what the names and texts point into */
    PJRT_NamedValue values[BEAM_PJRT_MAX_OPTIONS];
    size_t count;
} beam_pjrt_options;
beam_status beam_pjrt_options_parse(const char *text, beam_pjrt_options *options, beam_error *err);
void beam_pjrt_options_free(beam_pjrt_options *options);

typedef enum beam_pjrt_platform {
    BEAM_PJRT_OTHER,
    BEAM_PJRT_CPU,
    BEAM_PJRT_GPU,
    BEAM_PJRT_TPU
} beam_pjrt_platform;

typedef struct beam_pjrt_client {
    struct beam_pjrt_client *next;
    unsigned references;
    const beam_pjrt_plugin *plugin;
    const PJRT_Api *api;
    PJRT_Client *client;
    beam_pjrt_platform platform;
    char *platform_name;    /* "tpu", "cuda", "cpu" */
    char *platform_version; /* for people, and for cache keys beside the plugin's build: "cpu" */
    PJRT_Device *const *devices;
    size_t num_devices; /* those of this process */
    int lock;           /* the lease on the machine's accelerator (pjrt_lease.h); -1: none */
} beam_pjrt_client;

/* The platform that a client's or a topology's name stands for. */
beam_pjrt_platform beam_pjrt_platform_of(const char *name, size_t size);

/* Starts the plugin's runtime, or shares the one that runs.  `options` as above, for the plugin;
 * may be NULL.  `expected`: the platform, if it is known already, so that the lease can be taken
 * before the runtime starts; else BEAM_PJRT_OTHER. */
beam_status beam_pjrt_client_open(const beam_pjrt_plugin *plugin, beam_pjrt_platform expected,
                                  const char *options, beam_pjrt_client **client, beam_error *err);
void beam_pjrt_client_close(beam_pjrt_client *client);

/* A device's number in programs that are compiled for it. */
beam_status beam_pjrt_device_id(const beam_pjrt_client *client, size_t device, int64_t *id,
                                beam_error *err);
/* What a device calls itself ("TPU v5 lite", "NVIDIA L4", "cpu"), and its memory in bytes, 0 where
 * the plugin does not tell. */
void beam_pjrt_device_kind(const beam_pjrt_client *client, size_t device, const char **kind,
                           size_t *size);
void beam_pjrt_device_memory(const beam_pjrt_client *client, size_t device, uint64_t *in_use,
                             uint64_t *limit);
/* A device's attribute by name, or NULL: "compute_capability" of a GPU. */
const PJRT_NamedValue *beam_pjrt_device_attribute(const beam_pjrt_client *client, size_t device,
                                                  const char *name);

#endif
