/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_find.c - where accelerators and their plugins are looked for. */
#include "device/pjrt_find.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* ~ stands for the cache folder, @ for Python's virtual environment.  All are patterns. */
static const char *const tpu_places[] = {
    "~/pjrt-tpu/libtpu/libtpu.so",
    "/usr/lib/libbeam/libtpu.so",
    "/usr/local/lib/libbeam/libtpu.so",
    "@/lib/python3*/site-packages/libtpu/libtpu.so",
    "/lib/libtpu.so",
    "/usr/lib/libtpu.so",
    "/usr/local/lib/python3*/*-packages/libtpu/libtpu.so",
    "/usr/lib/python3*/*-packages/libtpu/libtpu.so",
};
/* The first is for drivers that are too old for CUDA 13; others begin with the second. */
static const char *const gpu_places[] = {
    "~/pjrt-gpu12/jax_plugins/xla_cuda1[0-9]/xla_cuda_plugin.so",
    "~/pjrt-gpu/jax_plugins/xla_cuda1[0-9]/xla_cuda_plugin.so",
    "~/pjrt-gpu12/jax_plugins/xla_cuda1[0-9]/xla_cuda_plugin.so",
    "/usr/lib/libbeam/xla_cuda_plugin.so",
    "/usr/local/lib/libbeam/xla_cuda_plugin.so",
    "@/lib/python3*/site-packages/jax_plugins/xla_cuda1[0-9]/xla_cuda_plugin.so",
    "/usr/local/lib/python3*/*-packages/jax_plugins/xla_cuda1[0-9]/xla_cuda_plugin.so",
    "/usr/lib/python3*/*-packages/jax_plugins/xla_cuda1[0-9]/xla_cuda_plugin.so",
};

char *beam_pjrt_cache_folder(void)
{
    const char *own = getenv("BEAM_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    if (own && *own)
        return beam_strdup(own);
    if (xdg && *xdg)
        return beam_asprintf("%s/libbeam", xdg);
    const char *home = getenv("HOME");
    return beam_asprintf("%s/.cache/libbeam", home && *home ? home : "");
}

/* What PJRT_NAMES_AND_LIBRARY_PATHS=name:path,name:path says for one of the names. */
static char *named_path(const char *name, const char *other)
{
    const char *list = getenv("PJRT_NAMES_AND_LIBRARY_PATHS");
    while (list && *list) {
        size_t length = strcspn(list, ","), key = strcspn(list, ":,");
        bool ours = (key == strlen(name) && memcmp(list, name, key) == 0) ||
                    (key == strlen(other) && memcmp(list, other, key) == 0);
        if (ours && key < length)
            return beam_strndup(list + key + 1, length - key - 1);
        list += length + (list[length] == ',');
    }
    return NULL;
}

static char *path_in_environment(beam_pjrt_platform platform)
{
    if (platform == BEAM_PJRT_GPU)
        return named_path("cuda", "gpu");
    const char *path = getenv("TPU_LIBRARY_PATH");
    char *named = named_path("tpu", "TPU");
    return named || !path || !*path ? named : beam_strdup(path);
}

/* What a pattern's first character stands for; NULL: there is none here. */
static char *root_of(const char *pattern)
{
    const char *environment = getenv("VIRTUAL_ENV");
    if (*pattern == '~')
        return beam_pjrt_cache_folder();
    if (*pattern == '@')
        return environment && *environment ? beam_strdup(environment) : NULL;
    return beam_strdup("");
}

/* The last match: of several versions the newest, as their names go. */
static char *last_match(const char *pattern)
{
    glob_t found = {0};
    char *path = NULL;
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
        path = beam_strdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return path;
}

/* Where one is there, and else NULL, with the place in the list of those that were looked at. */
static char *look(const char *place, beam_buffer *places)
{
    char *root = root_of(place);
    char *pattern = root ? beam_asprintf("%s%s", root, place + (*place != '/')) : NULL;
    char *path = pattern ? last_match(pattern) : NULL;
    if (pattern)
        (void)beam_buffer_printf(places, ", %s", pattern); /* for people: what fits */
    beam_free(pattern);
    beam_free(root);
    return path;
}

char *beam_pjrt_find(beam_pjrt_platform platform, beam_buffer *places)
{
    bool gpu = platform == BEAM_PJRT_GPU;
    const char *const *patterns = gpu ? gpu_places : tpu_places;
    size_t n =
        gpu ? sizeof gpu_places / sizeof *gpu_places : sizeof tpu_places / sizeof *tpu_places;
    char *path = path_in_environment(platform);
    if (path)
        return path;
    beam_buffer unwanted = {0};
    places = places ? places : &unwanted;
    (void)beam_buffer_printf(places, gpu ? "$PJRT_NAMES_AND_LIBRARY_PATHS" : "$TPU_LIBRARY_PATH");
    int driver = gpu ? beam_nvidia_driver() : 0;
    bool old = driver > 0 && driver < BEAM_PJRT_CUDA13_DRIVER;
    for (size_t i = gpu && !old; !path && i < n; i++)
        path = look(patterns[i], places);
    beam_buffer_free(&unwanted);
    return path;
}

/* ---- hardware ---- */

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  ...": the first word that is a number
 * with a point in it. */
int beam_nvidia_driver_major(const char *text)
{
    while (*text) {
        size_t digits = strspn(text, "0123456789");
        if (digits > 0 && digits < 6 && text[digits] == '.')
            return atoi(text);
        text += digits + strcspn(text + digits, " \t\n");
        text += strspn(text, " \t\n");
    }
    return 0;
}

int beam_nvidia_driver(void)
{
    char text[512] = "";
    FILE *file = fopen("/proc/driver/nvidia/version", "re");
    if (!file)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    return beam_nvidia_driver_major(text);
}

const char *beam_pjrt_trace(beam_pjrt_platform platform)
{
    static const struct {
        const char *path;
        beam_pjrt_platform platform;
    } nodes[] = {{"/dev/nvidia0", BEAM_PJRT_GPU},
                 {"/dev/nvidiactl", BEAM_PJRT_GPU},
                 {"/dev/accel0", BEAM_PJRT_TPU},
                 {"/dev/vfio/0", BEAM_PJRT_TPU}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (nodes[i].platform == platform && access(nodes[i].path, F_OK) == 0)
            return nodes[i].path;
    const char *device = getenv("PJRT_DEVICE");
    if (platform == BEAM_PJRT_TPU && device && strcmp(device, "TPU") == 0)
        return "PJRT_DEVICE=TPU";
    char *path = platform == BEAM_PJRT_GPU ? named_path("cuda", "gpu") : NULL;
    beam_free(path);
    return path ? "PJRT_NAMES_AND_LIBRARY_PATHS" : NULL;
}

void beam_pjrt_prepare(beam_pjrt_platform platform)
{
    if (platform != BEAM_PJRT_TPU || access("/dev/accel0", F_OK) == 0 ||
        access("/dev/vfio/0", F_OK) == 0)
        return;
    (void)setenv("TPU_SKIP_MDS_QUERY", "1", 0);
}
