/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/plugin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support/files.h"

/* XLA keeps what it has read of its flags. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:pjrt_c_api_cpu_plugin\n";
}

void plugin_ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        fail_msg("%s: %s", beam_status_name(status), err->message);
}

void plugin_fetched(const char *pattern, char *path, size_t size)
{
    const char *own = getenv("BEAM_CACHE"), *home = getenv("HOME");
    char whole[1024];
    glob_t found = {0};
    (void)snprintf(whole, sizeof whole, "%s%s/%s",
                   own    ? own
                   : home ? home
                          : "",
                   own ? "" : "/.cache/libbeam", pattern);
    bool there = glob(whole, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (there)
        (void)snprintf(path, size, "%s", found.gl_pathv[0]);
    globfree(&found);
    if (!there) {
        print_message("%s is not there: scripts/deps gets it\n", whole);
        skip();
    }
}

beam_device *plugin_open(void)
{
    char name[1100] = "pjrt:";
    beam_error err = {0};
    beam_device *device = NULL;
    test_keep_programs();
    plugin_fetched("lammps-jax-pjrt-cpu-*/*/*.so", name + 5, sizeof name - 5);
    plugin_ok(beam_device_open(name, NULL, &device, &err), &err);
    return device;
}
