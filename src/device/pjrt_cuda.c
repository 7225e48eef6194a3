/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/pjrt_cuda.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

/* In an order in which each finds what it needs. */
static const char *const libraries[] = {"libcudart",    "libcublasLt", "libcublas",
                                        "libnvJitLink", "libnvrtc",    "libcudnn",
                                        "libcufft",     "libcusparse", "libcusolver"};

/* The oldest cuDNN that JAX 0.12's plugins take (their wheels' own requirements). */
static const struct {
    const char *plugin;
    size_t cudnn; /* 10000 * major + 100 * minor + patch, as cudnnGetVersion has it */
} oldest[] = {{"/xla_cuda12/", 91002}, {"/xla_cuda13/", 91200}};

static beam_status check_cudnn(const char *plugin, const char *path, void *library, beam_error *err)
{
    size_t (*version)(void) = NULL;
    void *symbol = dlsym(library, "cudnnGetVersion");
    if (!symbol)
        return BEAM_OK;
    memcpy(&version, &symbol, sizeof version);
    size_t have = version();
    for (size_t i = 0; i < sizeof oldest / sizeof *oldest; i++)
        if (strstr(plugin, oldest[i].plugin) && have < oldest[i].cudnn)
            return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                  "%s is cuDNN %zu.%zu.%zu, and plugin %s wants %zu.%zu.%zu or "
                                  "newer: scripts/deps plugin fetches both",
                                  path, have / 10000, have / 100 % 100, have % 100, plugin,
                                  oldest[i].cudnn / 10000, oldest[i].cudnn / 100 % 100,
                                  oldest[i].cudnn % 100);
    return BEAM_OK;
}

/* One that does not open is left to the plugin, which says what it lacks. */
static beam_status open_all(const char *plugin, const char *pattern, bool cudnn, beam_error *err)
{
    glob_t found;
    beam_status status = BEAM_OK;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && status == BEAM_OK; i++) {
            void *library = dlopen(found.gl_pathv[i], RTLD_LAZY | RTLD_LOCAL);
            if (library && cudnn)
                status = check_cudnn(plugin, found.gl_pathv[i], library, err);
        }
    globfree(&found);
    return status;
}

beam_status beam_pjrt_open_cuda(const char *plugin, beam_error *err)
{
    const char *end = strstr(plugin, "/jax_plugins/xla_cuda");
    beam_status status = BEAM_OK;
    for (size_t i = 0; end && status == BEAM_OK && i < sizeof libraries / sizeof *libraries; i++) {
        char *pattern = beam_asprintf("%.*s/nvidia/*/lib/%s.so.[0-9]*", (int)(end - plugin), plugin,
                                      libraries[i]);
        if (!pattern)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a plugin");
        status = open_all(plugin, pattern, strcmp(libraries[i], "libcudnn") == 0, err);
        beam_free(pattern);
    }
    return status;
}
