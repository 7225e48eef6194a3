/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_aot.c - ahead-of-time compilation through a plugin's compiler. */
#include "device/pjrt_aot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "device/pjrt_find.h"

/* ---- targets ---- */

beam_status beam_aot_target_parse(const char *text, beam_aot_target *target, beam_error *err)
{
    size_t name = strcspn(text, ":");
    *target = (beam_aot_target){.num_chips = 1};
    for (size_t i = 0; beam_aot_known(i); i++)
        if (strlen(beam_aot_known(i)->name) == name &&
            strncmp(beam_aot_known(i)->name, text, name) == 0)
            target->chip = beam_aot_known(i);
    bool tpu = target->chip && target->chip->platform == BEAM_PJRT_TPU;
    const char *grid = text[name] == ':' ? text + name + 1 : NULL;
    bool good = target->chip && (tpu || !grid) &&
                (grid ? strlen(text) : name + 8) < sizeof target->topology;
    for (const char *at = grid; good && at;) {
        char *end;
        long size = strtol(at, &end, 10);
        good = size >= 1 && size <= 64 && (*end == 'x' || *end == '\0');
        target->num_chips *= good ? (size_t)size : 1;
        at = *end ? end + 1 : NULL;
    }
    if (!good)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "target \"%s\": want a TPU and its grid of chips, as v5e:1x1, "
                              "v5e:2x4, v6e:1x1, v5p:2x2x1 or v4:2x2x1, or a GPU: h100, a100, l4 "
                              "or t4",
                              text);
    if (tpu)
        (void)snprintf(target->topology, sizeof target->topology, "%s%s", text, grid ? "" : ":1x1");
    else
        (void)snprintf(target->topology, sizeof target->topology, "1x1x1");
    return BEAM_OK;
}

/* ---- compiling ---- */

static PJRT_NamedValue text_value(const char *name, const char *text)
{
    return (PJRT_NamedValue){.struct_size = PJRT_NamedValue_STRUCT_SIZE,
                             .name = name,
                             .name_size = strlen(name),
                             .type = PJRT_NamedValue_kString,
                             .string_value = text,
                             .value_size = strlen(text)};
}

static beam_status open_topology(const PJRT_Api *api, const beam_aot_target *target,
                                 PJRT_TopologyDescription **topology, beam_error *err)
{
    static const int64_t one_chip[] = {1, 1, 1};
    PJRT_NamedValue values[2];
    size_t n = 0;
    if (target->chip->platform == BEAM_PJRT_GPU) {
        values[n++] = text_value("target_config", target->chip->config);
        values[n++] = text_value("topology", target->topology);
    } else if (target->num_chips == 1) { /* a host with a part of the chips that it can have */
        values[n] = text_value("chips_per_host_bounds", "");
        values[n].type = PJRT_NamedValue_kInt64List;
        values[n].int64_array_value = one_chip;
        values[n++].value_size = 3;
    }
    PJRT_TopologyDescription_Create_Args *create = BEAM_PJRT(
        PJRT_TopologyDescription_Create, .topology_name = target->topology,
        .topology_name_size = strlen(target->topology), .create_options = values, .num_options = n);
    BEAM_TRY(
        beam_pjrt_status(api, api->PJRT_TopologyDescription_Create(create), target->topology, err));
    *topology = create->topology;
    return BEAM_OK;
}

static void read_cost(const PJRT_Api *api, PJRT_Executable *executable, beam_aot_program *program)
{
    PJRT_Executable_GetCostAnalysis_Args *cost =
        BEAM_PJRT(PJRT_Executable_GetCostAnalysis, .executable = executable);
    PJRT_Error *error =
        api->PJRT_Executable_GetCostAnalysis ? api->PJRT_Executable_GetCostAnalysis(cost) : NULL;
    for (size_t i = 0; !error && i < cost->num_properties; i++) {
        const PJRT_NamedValue *v = &cost->properties[i];
        double number = v->type == PJRT_NamedValue_kFloat ? (double)v->float_value : 0;
        if (v->name_size == 5 && memcmp(v->name, "flops", 5) == 0)
            program->flops = number;
        if (v->name_size == 14 && memcmp(v->name, "bytes accessed", 14) == 0)
            program->bytes_accessed = number;
    }
    beam_pjrt_ignore(api, error);
}

static beam_status serialize(const PJRT_Api *api, PJRT_Executable *executable,
                             beam_aot_program *program, beam_error *err)
{
    PJRT_Executable_Serialize_Args *args =
        BEAM_PJRT(PJRT_Executable_Serialize, .executable = executable);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_Executable_Serialize(args), "serializing", err));
    beam_status status = beam_buffer_append(&program->serialized, args->serialized_bytes,
                                            args->serialized_bytes_size);
    args->serialized_executable_deleter(args->serialized_executable);
    return status == BEAM_OK ? BEAM_OK
                             : beam_error_set(err, status, "no memory for the executable");
}

/* Compiler options: the plugin's own file tells where its tools are unpacked beside it. */
static size_t gpu_flags(const beam_pjrt_plugin *plugin, beam_pjrt_flag *flags, char *folder,
                        size_t size)
{
    const char *inside = strstr(plugin->path, "/jax_plugins/");
    int root = inside ? (int)(inside - plugin->path) : 0;
    const char *tools = strstr(plugin->path, "cuda12") ? "cuda_nvcc" : "cu13";
    flags[0] = (beam_pjrt_flag){.name = "xla_gpu_autotune_level"};
    if (!inside)
        return 1;
    (void)snprintf(folder, size, "%.*s/nvidia/%s", root, plugin->path, tools);
    flags[1] = (beam_pjrt_flag){.name = "xla_gpu_cuda_data_dir", .text = folder};
    return 2;
}

static beam_status compile(const beam_pjrt_plugin *plugin, const beam_aot_target *target,
                           PJRT_TopologyDescription *topology, const PJRT_Program *code,
                           size_t replicas, PJRT_Executable **executable, beam_error *err)
{
    const PJRT_Api *api = plugin->api;
    char folder[4096];
    beam_pjrt_flag flags[2];
    beam_buffer options = {0};
    beam_pjrt_target how = {.num_replicas = replicas, .flags = flags};
    if (target->chip->platform == BEAM_PJRT_GPU)
        how.num_flags = gpu_flags(plugin, flags, folder, sizeof folder);
    beam_status status = beam_pjrt_compile_options(&how, &options);
    if (status != BEAM_OK) {
        beam_buffer_free(&options);
        return beam_error_set(err, status, "no memory for compile options");
    }
    PJRT_Compile_Args *args = BEAM_PJRT(PJRT_Compile, .topology = topology, .program = code,
                                        .compile_options = (const char *)options.data,
                                        .compile_options_size = options.len);
    status = beam_pjrt_status(api, api->PJRT_Compile(args), "compiling", err);
    beam_buffer_free(&options);
    if (status == BEAM_OK)
        *executable = args->executable;
    return status;
}

static beam_status find_compiler(const beam_aot_target *target, const beam_pjrt_plugin **plugin,
                                 beam_error *err)
{
    beam_buffer places = {0};
    bool tpu = target->chip->platform == BEAM_PJRT_TPU;
    char *path = beam_pjrt_find(target->chip->platform, &places);
    beam_status status;
    if (path) {
        beam_pjrt_prepare(target->chip->platform);
        if (tpu) /* libtpu's lock is for chips, and these are not touched: others may compile too */
            (void)setenv("ALLOW_MULTIPLE_LIBTPU_LOAD", "1", 0);
        status = beam_pjrt_plugin_open(path, plugin, err);
    } else {
        status = beam_error_set(err, BEAM_UNAVAILABLE,
                                "target %s: its compiler is in a PJRT plugin, which was not found "
                                "in %.*s; scripts/deps plugin %s fetches it",
                                target->chip->name, (int)places.len,
                                places.data ? (const char *)places.data : "", tpu ? "tpu" : "gpu");
    }
    beam_buffer_free(&places);
    beam_free(path);
    return status;
}

beam_status beam_aot_compile(const beam_aot_target *target, const void *module, size_t size,
                             size_t replicas, beam_aot_program *program, beam_error *err)
{
    *program = (beam_aot_program){0};
    const beam_pjrt_plugin *plugin;
    BEAM_TRY(find_compiler(target, &plugin, err));
    const PJRT_Api *api = plugin->api;
    PJRT_TopologyDescription *topology = NULL;
    PJRT_Executable *executable = NULL;
    BEAM_TRY(open_topology(api, target, &topology, err));
    const PJRT_Program code = {.struct_size = PJRT_Program_STRUCT_SIZE,
                               .code = (char *)(uintptr_t)module,
                               .code_size = size,
                               .format = "mlir",
                               .format_size = 4};
    double began = beam_clock_seconds();
    beam_status status = compile(plugin, target, topology, &code, replicas, &executable, err);
    program->seconds = beam_clock_seconds() - began;
    if (status == BEAM_OK) {
        beam_pjrt_memory_of(api, executable, &program->memory);
        read_cost(api, executable, program);
        status = serialize(api, executable, program, err);
        beam_pjrt_ignore(api, api->PJRT_Executable_Destroy(
                                  BEAM_PJRT(PJRT_Executable_Destroy, .executable = executable)));
    }
    beam_pjrt_ignore(api, api->PJRT_TopologyDescription_Destroy(
                              BEAM_PJRT(PJRT_TopologyDescription_Destroy, .topology = topology)));
    if (status != BEAM_OK)
        beam_aot_program_free(program);
    return status;
}

void beam_aot_program_free(beam_aot_program *program)
{
    beam_buffer_free(&program->serialized);
}
