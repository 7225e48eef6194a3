/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_compile.c - compiling for a client's devices. */
#include "device/pjrt_compile.h"

#include <string.h>

#include "base/alloc.h"
#include "device/pjrt_cache.h"

/* ---- CompileOptionsProto ---- */

enum { VARINT = 0, LENGTH = 2 }; /* wire types of protobuf */

static beam_status put_number(beam_buffer *b, unsigned field, int64_t number)
{
    BEAM_TRY(beam_buffer_varint(b, field << 3 | VARINT));
    return beam_buffer_varint(b, (uint64_t)number);
}

static beam_status put_bytes(beam_buffer *b, unsigned field, const void *data, size_t size)
{
    BEAM_TRY(beam_buffer_varint(b, field << 3 | LENGTH));
    BEAM_TRY(beam_buffer_varint(b, size));
    return beam_buffer_append(b, data, size);
}

/* Appends what `inner` has been filled with as a message of its own, and empties it. */
static beam_status put_message(beam_buffer *b, unsigned field, beam_buffer *inner)
{
    beam_status status = put_bytes(b, field, inner->data, inner->len);
    inner->len = 0;
    return status;
}

/* DeviceAssignmentProto: replica_count 1, computation_count 2, computation_devices 3, which has
 * replica_device_ids 1. */
static beam_status put_assignment(beam_buffer *b, const beam_pjrt_target *target, size_t replicas)
{
    beam_buffer ids = {0}, devices = {0};
    beam_status status = BEAM_OK;
    for (size_t i = 0; status == BEAM_OK && i < replicas; i++)
        status = beam_buffer_varint(&ids, (uint64_t)target->device_ids[i]);
    if (status == BEAM_OK)
        status = put_message(&devices, 1, &ids);
    if (status == BEAM_OK)
        status = put_number(b, 1, (int64_t)replicas);
    if (status == BEAM_OK)
        status = put_number(b, 2, 1);
    if (status == BEAM_OK)
        status = put_message(b, 3, &devices);
    beam_buffer_free(&ids);
    beam_buffer_free(&devices);
    return status;
}

/* ExecutableBuildOptionsProto: device_ordinal 1, num_replicas 4, num_partitions 5,
 * device_assignment 9. */
static beam_status put_build_options(beam_buffer *b, const beam_pjrt_target *target)
{
    size_t replicas = target->num_replicas ? target->num_replicas : 1;
    BEAM_TRY(put_number(b, 1, -1));
    BEAM_TRY(put_number(b, 4, (int64_t)replicas));
    BEAM_TRY(put_number(b, 5, 1));
    if (!target->device_ids)
        return BEAM_OK;
    beam_buffer assignment = {0};
    beam_status status = put_assignment(&assignment, target, replicas);
    if (status == BEAM_OK)
        status = put_message(b, 9, &assignment);
    beam_buffer_free(&assignment);
    return status;
}

/* An entry of a map<string, OptionOverrideProto>: key 1, value 2, which has string_field 1 and
 * int_field 3. */
static beam_status put_flag(beam_buffer *b, const beam_pjrt_flag *flag, beam_buffer *value)
{
    if (flag->text)
        BEAM_TRY(put_bytes(value, 1, flag->text, strlen(flag->text)));
    else
        BEAM_TRY(put_number(value, 3, flag->number));
    BEAM_TRY(put_bytes(b, 1, flag->name, strlen(flag->name)));
    return put_message(b, 2, value);
}

/* CompileOptionsProto: executable_build_options 3, env_option_overrides 7. */
beam_status beam_pjrt_compile_options(const beam_pjrt_target *target, beam_buffer *proto)
{
    beam_buffer part = {0}, value = {0};
    beam_status status = put_build_options(&part, target);
    if (status == BEAM_OK)
        status = put_message(proto, 3, &part);
    for (size_t i = 0; status == BEAM_OK && i < target->num_flags; i++) {
        status = put_flag(&part, &target->flags[i], &value);
        if (status == BEAM_OK)
            status = put_message(proto, 7, &part);
    }
    beam_buffer_free(&part);
    beam_buffer_free(&value);
    return status;
}

/* ---- compiling ---- */

static beam_status compile(const beam_pjrt_client *client, const void *module, size_t size,
                           const beam_buffer *options, PJRT_LoadedExecutable **executable,
                           beam_error *err)
{
    PJRT_Program program = {.struct_size = PJRT_Program_STRUCT_SIZE,
                            .code = (char *)(uintptr_t)module,
                            .code_size = size,
                            .format = "mlir",
                            .format_size = strlen("mlir")};
    PJRT_Client_Compile_Args *args = BEAM_PJRT(
        PJRT_Client_Compile, .client = client->client, .program = &program,
        .compile_options = (const char *)options->data, .compile_options_size = options->len);
    BEAM_TRY(
        beam_pjrt_status(client->api, client->api->PJRT_Client_Compile(args), "compiling", err));
    *executable = args->executable;
    return BEAM_OK;
}

beam_status beam_pjrt_compile(const beam_pjrt_client *client, const void *module, size_t size,
                              const beam_pjrt_target *target, PJRT_LoadedExecutable **executable,
                              beam_error *err)
{
    beam_buffer options = {0};
    beam_pjrt_cached place = {0};
    beam_status status = beam_pjrt_compile_options(target, &options);
    if (status != BEAM_OK) {
        beam_buffer_free(&options);
        return beam_error_set(err, status, "no memory for compile options");
    }
    beam_pjrt_cache_place(client, module, size, target, &options, &place);
    *executable = beam_pjrt_cache_load(client, &place);
    if (!*executable) {
        status = compile(client, module, size, &options, executable, err);
        if (status == BEAM_OK)
            beam_pjrt_cache_store(client, &place, *executable);
    }
    beam_free(place.path);
    beam_buffer_free(&options);
    return status;
}

void beam_pjrt_executable_free(const PJRT_Api *api, PJRT_LoadedExecutable *executable)
{
    if (executable)
        beam_pjrt_ignore(api, api->PJRT_LoadedExecutable_Destroy(BEAM_PJRT(
                                  PJRT_LoadedExecutable_Destroy, .executable = executable)));
}

void beam_pjrt_memory_of(const PJRT_Api *api, PJRT_Executable *executable, beam_pjrt_memory *memory)
{
    *memory = (beam_pjrt_memory){0};
    PJRT_Executable_GetCompiledMemoryStats_Args *stats =
        BEAM_PJRT(PJRT_Executable_GetCompiledMemoryStats, .executable = executable);
    PJRT_Error *error = api->PJRT_Executable_GetCompiledMemoryStats(stats);
    if (!error)
        *memory = (beam_pjrt_memory){.code = stats->generated_code_size_in_bytes,
                                     .arguments = stats->argument_size_in_bytes,
                                     .results = stats->output_size_in_bytes,
                                     .aliased = stats->alias_size_in_bytes,
                                     .temporary = stats->temp_size_in_bytes};
    beam_pjrt_ignore(api, error);
}

void beam_pjrt_loaded_memory(const PJRT_Api *api, PJRT_LoadedExecutable *loaded,
                             beam_pjrt_memory *memory)
{
    *memory = (beam_pjrt_memory){0};
    PJRT_LoadedExecutable_GetExecutable_Args *get =
        BEAM_PJRT(PJRT_LoadedExecutable_GetExecutable, .loaded_executable = loaded);
    PJRT_Error *error = api->PJRT_LoadedExecutable_GetExecutable(get);
    beam_pjrt_ignore(api, error);
    if (error)
        return;
    beam_pjrt_memory_of(api, get->executable, memory);
    beam_pjrt_ignore(api, api->PJRT_Executable_Destroy(
                              BEAM_PJRT(PJRT_Executable_Destroy, .executable = get->executable)));
}
