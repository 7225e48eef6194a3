/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_cache.c - compiled programs in files. */
#include "device/pjrt_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/hash.h"

/* A file: this, then the program as the plugin serialized it. */
typedef struct header {
    char magic[8];
    uint64_t key[2];
    uint64_t size;
    uint32_t crc, unused;
} header;

static const char MAGIC[8] = "BEAMEXE1";

/* Of the file's size and its ends, where a library's parts and their sizes are listed: no two
 * builds have them alike, and all of it would be hundreds of megabytes. */
static uint64_t build_of(const char *path)
{
    enum { END = 1 << 16 };
    beam_file_view file;
    if (beam_file_view_open(path, &file, NULL) != BEAM_OK)
        return 0;
    size_t n = file.size < END ? file.size : END;
    uint64_t hash = beam_hash64(file.data, n, file.size);
    hash = beam_hash64(file.data + (file.size - n), n, hash);
    beam_file_view_close(&file);
    return hash;
}

/* What the compilers read beside their options: XLA's flags, and libtpu's. */
static uint64_t hash_environment(uint64_t hash)
{
    static const char *const names[] = {"XLA_FLAGS", "LIBTPU_INIT_ARGS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *flags = getenv(names[i]);
        hash = beam_hash64(flags ? flags : "", flags ? strlen(flags) : 0, hash);
    }
    return hash;
}

const char *beam_pjrt_cpuinfo = "/proc/cpuinfo";

/* x86, then ARM; the other lines tell of this moment, or of one core. */
static bool tells_instructions(const char *name, size_t size)
{
    static const char *const names[] = {
        "vendor_id",       "cpu family",       "model",       "model name", "flags",
        "CPU implementer", "CPU architecture", "CPU variant", "CPU part",   "Features"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return true;
    return false;
}

uint64_t beam_pjrt_processor(const char *cpuinfo, size_t size)
{
    uint64_t hash = 0;
    const char *at = cpuinfo, *end = cpuinfo + size;
    while (at < end && *at != '\n') { /* an empty line ends the first */
        const char *next = memchr(at, '\n', (size_t)(end - at));
        const size_t line = (size_t)((next ? next : end) - at);
        size_t name = 0;
        while (name < line && at[name] != '\t' && at[name] != ':')
            name++;
        if (tells_instructions(at, name))
            hash = beam_hash64(at, line, hash);
        at += line + (next != NULL);
    }
    return hash;
}

static uint64_t this_processor(void)
{
    beam_file_view file;
    if (beam_file_view_open(beam_pjrt_cpuinfo, &file, NULL) != BEAM_OK)
        return 0;
    uint64_t hash = beam_pjrt_processor((const char *)file.data, file.size);
    beam_file_view_close(&file);
    return hash;
}

static bool is_for(const beam_pjrt_target *target, int64_t id)
{
    size_t replicas = target->num_replicas ? target->num_replicas : 1;
    for (size_t i = 0; target->device_ids && i < replicas; i++)
        if (target->device_ids[i] == id)
            return true;
    return !target->device_ids;
}

/* The kinds of the chips that it is for.  Options have their numbers; but which chip has which may
 * change from one process to the next, and not all need be alike. */
static uint64_t hash_kinds(const beam_pjrt_client *client, const beam_pjrt_target *target,
                           uint64_t hash)
{
    for (size_t i = 0; i < client->num_devices; i++) {
        int64_t id;
        const char *kind;
        size_t size;
        if (beam_pjrt_device_id(client, i, &id, NULL) != BEAM_OK || !is_for(target, id))
            continue;
        beam_pjrt_device_kind(client, i, &kind, &size);
        hash = beam_hash64(kind, size, hash);
    }
    return hash;
}

/* 128 bits of everything that the compiler's work depends on. */
void beam_pjrt_cache_place(const beam_pjrt_client *client, const void *module, size_t size,
                           const beam_pjrt_target *target, const beam_buffer *options,
                           beam_pjrt_cached *place)
{
    *place = (beam_pjrt_cached){0};
    const char *folder = getenv("BEAM_COMPILATION_CACHE_DIR");
    const bool cpu = client->platform == BEAM_PJRT_CPU;
    if (!folder || !*folder)
        return;
    /* Plugins call all processors "cpu" and load what another's instructions were used for, which
     * then ends with SIGILL.  Machines share folders: where the processor is not known, none. */
    const uint64_t processor = cpu ? this_processor() : 0;
    if (cpu && processor == 0)
        return;
    const uint64_t build = build_of(client->plugin->path);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t hash = beam_hash64(module, size, i + 1);
        hash = beam_hash64(options->data, options->len, hash);
        hash = beam_hash64(client->platform_name, strlen(client->platform_name), hash);
        hash = beam_hash64(client->platform_version, strlen(client->platform_version), hash);
        hash = beam_hash64(&build, sizeof build, hash);
        hash = beam_hash64(&processor, sizeof processor, hash);
        place->key[i] = hash_kinds(client, target, hash_environment(hash));
    }
    place->path =
        beam_asprintf("%s/%s-%016llx%016llx.pjrt", folder, client->platform_name,
                      (unsigned long long)place->key[0], (unsigned long long)place->key[1]);
    if (place->path && beam_make_folders(folder, NULL) != BEAM_OK) {
        beam_free(place->path);
        place->path = NULL;
    }
}

static bool is_whole(const beam_file_view *file, const beam_pjrt_cached *place)
{
    header h;
    if (file->size < sizeof h)
        return false;
    memcpy(&h, file->data, sizeof h);
    return memcmp(h.magic, MAGIC, sizeof MAGIC) == 0 &&
           memcmp(h.key, place->key, sizeof h.key) == 0 && h.size == file->size - sizeof h &&
           h.crc == beam_crc32c(0, file->data + sizeof h, h.size);
}

PJRT_LoadedExecutable *beam_pjrt_cache_load(const beam_pjrt_client *client,
                                            const beam_pjrt_cached *place)
{
    beam_file_view file = {0};
    if (!place->path || beam_file_view_open(place->path, &file, NULL) != BEAM_OK)
        return NULL;
    PJRT_LoadedExecutable *loaded = NULL;
    if (is_whole(&file, place)) {
        PJRT_Executable_DeserializeAndLoad_Args *load =
            BEAM_PJRT(PJRT_Executable_DeserializeAndLoad, .client = client->client,
                      .serialized_executable = (const char *)file.data + sizeof(header),
                      .serialized_executable_size = file.size - sizeof(header));
        PJRT_Error *error = client->api->PJRT_Executable_DeserializeAndLoad(load);
        if (!error)
            loaded = load->loaded_executable;
        beam_pjrt_ignore(client->api, error);
    }
    beam_file_view_close(&file);
    return loaded;
}

static void write_file(const beam_pjrt_cached *place, const char *data, size_t size)
{
    header h = {
        .key = {place->key[0], place->key[1]}, .size = size, .crc = beam_crc32c(0, data, size)};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    beam_new_file file = {0};
    beam_status status = beam_new_file_open(place->path, &file, NULL);
    if (status == BEAM_OK)
        status = beam_new_file_write(&file, &h, sizeof h, NULL);
    if (status == BEAM_OK)
        status = beam_new_file_write(&file, data, size, NULL);
    if (status == BEAM_OK)
        (void)beam_new_file_commit(&file, NULL);
    else
        beam_new_file_abandon(&file);
}

void beam_pjrt_cache_store(const beam_pjrt_client *client, const beam_pjrt_cached *place,
                           PJRT_LoadedExecutable *executable)
{
    const PJRT_Api *api = client->api;
    if (!place->path)
        return;
    PJRT_LoadedExecutable_GetExecutable_Args *get =
        BEAM_PJRT(PJRT_LoadedExecutable_GetExecutable, .loaded_executable = executable);
    PJRT_Error *error = api->PJRT_LoadedExecutable_GetExecutable(get);
    beam_pjrt_ignore(api, error);
    if (error)
        return;
    PJRT_Executable_Serialize_Args *bytes =
        BEAM_PJRT(PJRT_Executable_Serialize, .executable = get->executable);
    error = api->PJRT_Executable_Serialize(bytes);
    if (!error) {
        write_file(place, bytes->serialized_bytes, bytes->serialized_bytes_size);
        bytes->serialized_executable_deleter(bytes->serialized_executable);
    }
    beam_pjrt_ignore(api, error);
    beam_pjrt_ignore(api, api->PJRT_Executable_Destroy(
                              BEAM_PJRT(PJRT_Executable_Destroy, .executable = get->executable)));
}
