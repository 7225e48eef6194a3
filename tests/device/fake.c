/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fake.c - see fake.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "device/fake.h"
#include "device/nets.h"
#include "support/files.h"
#include "support/shortage.h"

pjrt_fake_control *fake;

void fake_env(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

int fake_set_up(void **state)
{
    static const char *const unset[] = {"PJRT_FAKE_PLATFORM",   "PJRT_FAKE_DEVICES",
                                        "PJRT_FAKE_MEMORY",     "PJRT_FAKE_MINOR",
                                        "PJRT_FAKE_FAIL",       "PJRT_FAKE_KIND",
                                        "PJRT_FAKE_NO_PROGRAM", "PJRT_NAMES_AND_LIBRARY_PATHS",
                                        "PJRT_DEVICE",          "TPU_LIBRARY_PATH",
                                        "VIRTUAL_ENV",          "BEAM_ACCELERATOR_BACKEND",
                                        "BEAM_PJRT_OPTIONS",    "BEAM_COMPILATION_CACHE_DIR"};
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++)
        fake_env(unset[i], NULL);
    void *library = dlopen(FAKE_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    fake = dlsym(library, PJRT_FAKE_SYMBOL);
    assert_non_null(fake);
    *fake = (pjrt_fake_control){.code = 13};
    *state = test_folder();
    fake_env("BEAM_LOCK_DIR", *state);
    fake_env("BEAM_CACHE", *state);
    return 0;
}

int fake_tear_down(void **state)
{
    test_remove_folder(*state);
    return fake->live == 0 ? 0 : -1;
}

void fake_fails(const char *name, beam_status status, const char *words)
{
    beam_device *device = NULL;
    beam_error err = {0};
    beam_status got = beam_device_open(name, NULL, &device, &err);
    if (got != status || !strstr(err.message, words))
        fail_msg("%s: %s \"%s\"; wanted ...%s...", name, beam_status_name(got), err.message, words);
    assert_null(device);
}

beam_device *fake_open(const char *name, const char *kind)
{
    beam_device *device = NULL;
    beam_error err = {0};
    beam_device_info info;
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    beam_device_get_info(device, &info);
    assert_string_equal(info.kind, kind);
    return device;
}

beam_device *fake_open_other(const char *folder)
{
    size_t size;
    char name[4096], *build = test_read_file(FAKE_PLUGIN, &size);
    (void)snprintf(name, sizeof name, "pjrt:%s", test_path(folder, "other.so"));
    build[size] = 'x'; /* where test_read_file has put a NUL: behind all that is loaded */
    test_write_file(name + strlen("pjrt:"), build, size + 1);
    free(build);
    return fake_open(name, "tpu");
}

void fake_without_memory(fake_life *life, void *what)
{
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_error err = {0};
        test_shortage_ends(&s, life(what, &err));
        assert_int_equal(fake->live, 0);
    }
}

beam_model *fake_compile(beam_device *device, int64_t max_batch)
{
    beam_error err = {0};
    beam_model *model = NULL;
    beam_network *net = nets_small();
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = max_batch};
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    beam_network_free(net);
    return model;
}
